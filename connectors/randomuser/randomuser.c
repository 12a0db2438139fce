/*
 * randomuser.c - RandomUserSource: pages of the API, handed to the runtime one due user
 * after the other.
 *
 * One request brings a page of users; pacing.c says when each may go. With a seed the
 * pages 1, 2, 3 … of it follow; without one the first answer's info.seed serves for the
 * run's further pages, and if there is none (a proxy may cut it off) each request stands
 * alone. A file:// URL holds one recorded answer: its users go out once, then the source
 * is done.
 *
 * It answers errors and never repeats a request by itself: the runtime calls poll()
 * again, and max.retries failures of one request in a row make the last one final.
 *
 * With a seed, (page, index) of what comes next is the source offset (position.c), which
 * the runtime stores in the transaction of the records before it: a restart goes on at
 * that very user. max.users then counts over all runs; without a seed it counts one run.
 */
#include "connectors/randomuser/internal.h"

#include "base/mem.h"

#include <stdio.h>

enum { BATCH = 500 /* records of one poll */, URL_BYTES = 16384 };

struct pst_source {
    const pst_connector_conf *common;
    pst_randomuser_settings own; /* a copy; its strings are the settings' */
    const pst_task_env *env;
    pst_http *http;
    pst_http_response res;
    pst_buf url;
    pst_randomuser_page page; /* what was fetched last */
    char seed[PST_RANDOMUSER_SEED_BYTES];
    int64_t page_no;    /* of the page at hand; 0 = none yet */
    size_t next;        /* its first user that was not handed out */
    size_t wanted;      /* how many users of it were asked for */
    size_t skip;        /* users of the next page that an earlier run handed out */
    int64_t handed_out; /* in all; with stored offsets over all runs */
    int failures;       /* of the present request, in a row */
    uint64_t random;
    pst_pacing pacing;
    bool told_short;
    pst_source_record records[BATCH];
};

static void source_stop(pst_source *source)
{
    if (!source)
        return;
    pst_randomuser_page_done(&source->page);
    pst_http_response_done(&source->res);
    pst_buf_done(&source->url);
    pst_http_free(source->http);
    pst_free(source);
}

static pst_rc source_start(pst_source **out, const void *conf, const pst_task_env *env,
                           pst_err *err)
{
    const pst_randomuser_conf *all = conf;
    pst_source *source = pst_calloc(1, sizeof *source);
    if (!source)
        return pst_fail_nomem(err, "RandomUserSource");
    source->common = &all->common;
    source->own = all->own;
    source->env = env;
    source->random = (uint64_t)pst_wall_ms(env->clock) ^ (uint64_t)(uintptr_t)source;
    pst_randomuser_page_init(&source->page);
    pst_http_response_init(&source->res);
    pst_buf_init(&source->url, URL_BYTES);
    pst_pacing_init(&source->pacing, all->own.users_per_second);
    snprintf(source->seed, sizeof source->seed, "%s", all->own.seed ? all->own.seed : "");
    pst_http_options options = {.max_connections = 1};
    pst_rc rc = pst_http_new(&source->http, &options, err);
    if (rc != PST_OK) {
        source_stop(source);
        return rc;
    }
    *out = source;
    return PST_OK;
}

/* ---- pages ---- */

static size_t users_left(const pst_source *source)
{
    int64_t max = source->own.max_users;
    if (max == 0)
        return SIZE_MAX;
    return source->handed_out < max ? (size_t)(max - source->handed_out) : 0;
}

/* How many of an answer's users are taken, those to pass over included. */
static size_t users_wanted(const pst_source *source)
{
    size_t left = users_left(source), skip = source->skip;
    size_t most = pst_randomuser_is_file(&source->own)
                      ? PST_RANDOMUSER_BODY_BYTES /* as many as it holds */
                      : (size_t)pst_randomuser_results(&source->own);
    return left < most && left + skip < most ? left + skip : most;
}

static pst_rc check_count(pst_source *source, size_t wanted, pst_err *err)
{
    if (pst_randomuser_is_file(&source->own) || source->page.n == wanted)
        return PST_OK;
    if (source->page.n == 0)
        return pst_fail_retriable(err, PST_E_INVALID, "the answer holds no users");
    if (source->page.n < source->skip)
        return pst_fail_retriable(
            err, PST_E_INVALID,
            "page %lld holds %zu users, but %zu of it were produced "
            "before",
            (long long)source->page_no + 1, source->page.n, source->skip);
    if (!source->told_short)
        pst_logf(source->env->log, PST_LOG_WARN, source->env->id, "randomuser",
                 "the API sends %zu users where %zu were asked for; going on with them",
                 source->page.n, wanted);
    source->told_short = true;
    return PST_OK;
}

static pst_rc request_page(pst_source *source, pst_err *err)
{
    const pst_randomuser_settings *own = &source->own;
    pst_randomuser_place place = {source->seed, source->page_no + 1};
    pst_randomuser_shape shape = {own->output, pst_randomuser_has_login(own)};
    size_t wanted = users_wanted(source);
    pst_rc rc = pst_randomuser_url(own, &place, &source->url);
    if (rc == PST_OK)
        rc = pst_buf_addc(&source->url, '\0');
    if (rc == PST_E_NOMEM)
        return pst_fail_nomem(err, "a URL");
    if (rc != PST_OK)
        return pst_fail(err, PST_E_CONFIG, "the URL with its parameters is too long");
    rc = pst_randomuser_fetch(source->http, own, source->url.data, source->env,
                              &source->res, err);
    if (rc != PST_OK)
        return rc;
    pst_sv body = {source->res.body.data, source->res.body.len};
    rc = pst_randomuser_page_parse(&source->page, body, &shape, wanted, err);
    if (rc == PST_OK)
        rc = check_count(source, wanted, err);
    source->wanted = wanted;
    return rc;
}

/* The wait before the next try: as the API asks, else growing. */
static void classify_failure(pst_source *source, pst_err *err)
{
    if (!err->retriable || err->code == PST_E_STOPPED)
        return;
    source->failures++;
    if (source->failures > source->own.max_retries) {
        err->retriable = false;
        pst_err_context(err, "gave up after %d tries", source->failures);
        return;
    }
    if (err->after_ms == 0)
        err->after_ms = (int)pst_backoff_ms(&source->random, source->own.retry_backoff_ms,
                                            source->common->errors_retry_delay_max_ms,
                                            (unsigned)source->failures - 1);
}

static pst_rc next_page(pst_source *source, pst_err *err)
{
    pst_err why = PST_ERR_INIT;
    source->next = 0;
    source->page.n = 0;
    pst_rc rc = request_page(source, &why);
    pst_http_response_done(&source->res); /* a page may be large: keep it once */
    pst_http_response_init(&source->res);
    if (rc != PST_OK) {
        source->page.n = 0;
        classify_failure(source, &why);
        if (err && err->code == PST_OK)
            *err = why;
        return rc;
    }
    source->failures = 0;
    source->page_no++;
    source->next = source->skip < source->page.n ? source->skip : source->page.n;
    source->skip = 0;
    if (!source->seed[0])
        snprintf(source->seed, sizeof source->seed, "%s", source->page.seed);
    return PST_OK;
}

/* ---- the life cycle ---- */

static bool is_finished(const pst_source *source)
{
    if (users_left(source) == 0)
        return true;
    return pst_randomuser_is_file(&source->own) && source->page_no > 0 &&
           source->next == source->page.n;
}

static void hand_out(pst_source *source, size_t n)
{
    for (size_t i = 0; i < n; i++)
        source->records[i] = (pst_source_record){
            .topic = source->own.topic,
            .partition = -1,
            .key = pst_randomuser_page_key(&source->page, source->next + i),
            .value = pst_randomuser_page_value(&source->page, source->next + i),
        };
    source->next += n;
    source->handed_out += (int64_t)n;
    pst_pacing_take(&source->pacing, n);
}

static pst_rc source_poll(pst_source *source, const pst_source_record **records,
                          size_t *n, int64_t *wait_ms, bool *finished, pst_err *err)
{
    *n = 0;
    *wait_ms = 0;
    *finished = is_finished(source);
    if (*finished)
        return PST_OK;
    if (source->next == source->page.n) {
        pst_rc rc = next_page(source, err);
        if (rc != PST_OK)
            return rc;
    }
    size_t left = source->page.n - source->next;
    if (left > users_left(source))
        left = users_left(source);
    *n = pst_pacing_due(&source->pacing, pst_mono_ms(source->env->clock),
                        left < BATCH ? left : BATCH, wait_ms);
    hand_out(source, *n);
    *records = source->records;
    *finished = is_finished(source);
    return PST_OK;
}

static pst_rc source_commit(pst_source *source, pst_err *err)
{
    (void)source;
    (void)err;
    return PST_OK;
}

/* ---- the source offset ---- */

static pst_rc source_partition(const void *conf, pst_buf *out, pst_err *err)
{
    return pst_randomuser_partition(&((const pst_randomuser_conf *)conf)->own, out, err);
}

static void tell_resumed(const pst_source *source, const pst_randomuser_position *at)
{
    pst_log *log = source->env->log;
    const char *id = source->env->id;
    if (users_left(source) == 0)
        pst_logf(log, PST_LOG_INFO, id, "randomuser",
                 "nothing to do: %lld users of this seed are produced already and "
                 "max.users is %lld; raise it, or choose another randomuser.seed",
                 (long long)at->produced, (long long)source->own.max_users);
    else
        pst_logf(log, PST_LOG_INFO, id, "randomuser",
                 "goes on at page %lld, user %lld; %lld users were produced before",
                 (long long)at->page, (long long)at->index + 1, (long long)at->produced);
}

static pst_rc source_resume(pst_source *source, const char *stored, pst_err *err)
{
    pst_randomuser_position at;
    if (!stored)
        return PST_OK;
    pst_rc rc = pst_randomuser_position_read(&source->own, stored, &at, err);
    if (rc != PST_OK)
        return rc;
    source->page_no = at.page - 1;
    source->skip = (size_t)at.index;
    source->handed_out = at.produced;
    tell_resumed(source, &at);
    return PST_OK;
}

/* A page that was cut to what max.users leaves has more users for a larger one. */
static bool page_is_done(const pst_source *source)
{
    bool cut = source->page.n == source->wanted &&
               source->wanted < (size_t)pst_randomuser_results(&source->own);
    return source->next == source->page.n && !cut &&
           !pst_randomuser_is_file(&source->own);
}

static pst_rc source_offset(pst_source *source, pst_buf *out, pst_err *err)
{
    bool done = page_is_done(source);
    pst_randomuser_position at = {
        .page = source->page_no + (done ? 1 : 0),
        .index = done ? 0 : (int64_t)source->next,
        .produced = source->handed_out,
    };
    return pst_randomuser_position_write(&source->own, &at, out, err);
}

static const pst_source_ops ops = {
    .start = source_start,
    .poll = source_poll,
    .commit = source_commit,
    .stop = source_stop,
    .partition = source_partition,
    .resume = source_resume,
    .offset = source_offset,
};

const pst_connector pst_randomuser = {
    .class_name = "RandomUserSource",
    .type = "source",
    .spec = &pst_randomuser_spec,
    .source = &ops,
};

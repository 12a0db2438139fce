/*
 * routed_run.h - a small world for sinks of several objects a window: a log, a group, a
 * store in memory or in a directory, and "processes" that are killed, frozen and started
 * again at any call of their store. A record's path names the process that encodes it, as
 * a wall clock would: only the manifest can say where a row belongs.
 *
 * At every commit and at the end the store is read: each row at most once, none missing
 * below the commit.
 */
#ifndef ROUTED_RUN_H
#define ROUTED_RUN_H

#include "fake_store.h"

#include "runtime/budget.h"
#include "runtime/objects.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORLD_LOG = 24, WORLD_TURNS = 3000, SKEW_MS = 15 * 60 * 1000 };

typedef struct world {
    pst_store *store; /* the real one */
    fake_store *fake; /* the same, if it is in memory */
    char folder[64];
    fake_clock clock;
    pst_objects_conf conf;
    pst_connector_conf connector;
    int64_t budget_limit;
    int64_t low, end;
    pthread_mutex_t lock; /* of the group's commit: the pool asks for it, too (rule 9) */
    int64_t committed;
    char metadata[PST_KAFKA_METADATA_MAX];
    int owner;             /* the process whose commits are taken */
    int processes;         /* started so far */
    bool moved[WORLD_LOG]; /* the row's object was moved away by a loader */
    bool gone[WORLD_LOG];  /* the record is gone from the topic */
    bool conditional;
    const char *schema;
    const char *class_name;
    int paths; /* of a process; 0 = one for all */
} world;

/* A store call of a process: counted, and the nth kills or freezes it. */
typedef struct process {
    pst_store base; /* must be first: what the sink sees */
    world *world;
    int number;
    int calls, nth; /* -1 = never */
    bool after;     /* the call takes effect first */
    bool freezes;   /* it waits until thawed, else the process is dead */
    _Atomic bool dead, frozen, thawed;
    pst_budget budget;
    pst_task_env env;
    pst_sink_host host;
    pst_encoder encoder;
    pst_objects *objects;
    int64_t position;
    int64_t taken; /* records taken at most; -1 = all */
    bool done;     /* has read and committed everything */
    pst_rc failed;
    pst_err err;
} process;

/* ---- the store of a process ---- */

static bool strikes(process *p, bool after)
{
    if (p->after != after || p->calls != p->nth)
        return false;
    p->frozen = p->freezes;
    p->dead = !p->freezes;
    while (p->frozen && !p->thawed)
        usleep(100);
    return p->dead;
}

static pst_rc fail_dead(pst_err *err)
{
    if (err)
        pst_err_clear(err); /* of the call that took effect */
    return pst_fail(err, PST_E_STOPPED, "killed");
}

/* S3 refuses what was signed long ago. */
static bool too_old(const process *p, const pst_store_put *put)
{
    return put->dated_ms && !p->world->store->driver->links &&
           p->world->clock.wall - put->dated_ms > SKEW_MS;
}

#define CALL(op, ...)                                                                    \
    process *p = (process *)store;                                                       \
    pst_store *real = p->world->store;                                                   \
    p->calls++;                                                                          \
    if (p->dead || strikes(p, false))                                                    \
        return fail_dead(err);                                                           \
    pst_rc rc = real->driver->op(real, __VA_ARGS__);                                     \
    return strikes(p, true) ? fail_dead(err) : rc

static pst_rc process_put(pst_store *store, const pst_store_put *put, pst_err *err)
{
    process *p = (process *)store;
    pst_store *real = p->world->store;
    p->calls++;
    if (p->dead || strikes(p, false))
        return fail_dead(err);
    if (too_old(p, put)) {
        pst_rc old = pst_fail_retriable(err, PST_E_AUTH, "RequestTimeTooSkewed");
        err->status = 403;
        return old;
    }
    pst_rc rc = real->driver->put(real, put, err);
    return strikes(p, true) ? fail_dead(err) : rc;
}

static pst_rc process_head(pst_store *store, const char *key, const char *link,
                           pst_store_info *info, pst_err *err)
{
    CALL(head, key, link, info, err);
}

static pst_rc process_get(pst_store *store, const char *key, pst_buf *body, pst_err *err)
{
    CALL(get, key, body, err);
}

static pst_rc process_list(pst_store *store, const pst_store_list *list,
                           pst_store_each each, void *opaque, pst_err *err)
{
    CALL(list, list, each, opaque, err);
}

static void process_describe(const pst_store *store, const char *key, char *out,
                             size_t size)
{
    (void)store;
    snprintf(out, size, "%s", key);
}

static const pst_store_driver process_plain = {.name = "process",
                                               .put = process_put,
                                               .head = process_head,
                                               .get = process_get,
                                               .list = process_list,
                                               .describe = process_describe};
static const pst_store_driver process_links = {.name = "process",
                                               .put = process_put,
                                               .head = process_head,
                                               .get = process_get,
                                               .list = process_list,
                                               .describe = process_describe,
                                               .links = true};

/* ---- Kafka ---- */

static pst_rc host_commits(void *self, pst_tp *tps, size_t n,
                           char (*metadata)[PST_KAFKA_METADATA_MAX], pst_err *err)
{
    (void)err;
    world *w = ((process *)self)->world;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < n; i++) {
        tps[i].offset = w->committed;
        snprintf(metadata[i], PST_KAFKA_METADATA_MAX, "%s", w->metadata);
    }
    pthread_mutex_unlock(&w->lock);
    return PST_OK;
}

static pst_rc host_watermarks(void *self, const char *topic, int32_t partition,
                              int64_t *low, int64_t *high, pst_err *err)
{
    (void)topic, (void)partition, (void)err;
    *low = ((process *)self)->world->low;
    *high = ((process *)self)->world->end;
    return PST_OK;
}

static pst_rc host_partitions(void *self, const char *topic, int32_t *n, pst_err *err)
{
    (void)self, (void)topic, (void)err;
    *n = 1;
    return PST_OK;
}

static pst_rc host_seek(void *self, const char *topic, int32_t partition, int64_t offset,
                        pst_err *err)
{
    (void)topic, (void)partition, (void)err;
    ((process *)self)->position = offset;
    return PST_OK;
}

/* ---- rows: "r<offset>"; every fifth record gives none ---- */

static bool has_row(int64_t offset)
{
    return offset % 5 != 3;
}

static pst_rc encoder_begin(void *self, pst_buf *out, pst_err *err)
{
    (void)self;
    return pst_buf_adds(out, "head\n") == PST_OK ? PST_OK : pst_fail_nomem(err, "head");
}

static pst_rc encoder_encode(void *self, const pst_msg *msg, pst_buf *out,
                             pst_route *route, pst_err *err)
{
    const process *p = self;
    if (!has_row(msg->offset))
        return PST_OK;
    pst_rc rc = pst_buf_addf(out, "r%lld\n", (long long)msg->offset);
    if (rc == PST_OK && route && p->world->paths)
        rc = pst_buf_addf(&route->path, "by=%d/n=%d", p->number,
                          (int)(msg->offset * 7 / 3 % p->world->paths));
    if (route)
        route->time_ms = msg->timestamp_ms;
    return rc == PST_OK ? PST_OK : pst_fail_nomem(err, "row");
}

static pst_msg world_msg(int64_t offset)
{
    return (pst_msg){.topic = "u",
                     .partition = 0,
                     .offset = offset,
                     .timestamp_ms = 1000 * offset,
                     .value = PST_SV("v")};
}

/* ---- what lies in the store ---- */

typedef struct seen {
    world *w;
    int rows[WORLD_LOG];
    int objects, manifests;
    char keys[64][256];
    size_t n_keys;
} seen;

static bool see_key(void *opaque, const char *key, int64_t size)
{
    (void)size;
    seen *s = opaque;
    if (strstr(key, "_penstock/")) {
        s->manifests += strstr(key, ".json") && !strstr(key, "root.json") &&
                        !strstr(key, "partitions.json");
        return true;
    }
    assert_true(s->n_keys < 64);
    snprintf(s->keys[s->n_keys++], sizeof s->keys[0], "%s", key);
    return true;
}

static void read_object(seen *s, const char *key)
{
    pst_buf body;
    pst_err err = PST_ERR_INIT;
    pst_buf_init(&body, 1 << 16);
    assert_int_equal(s->w->store->driver->get(s->w->store, key, &body, &err), PST_OK);
    const char *text = pst_buf_cstr(&body);
    if (*text) { /* a seal in an unrouted layout is empty */
        int64_t before = -1;
        s->objects++;
        assert_memory_equal(text, "head\n", 5);
        for (const char *at = text + 5; *at; at = strchr(at, '\n') + 1) {
            int64_t offset = strtoll(at + 1, NULL, 10);
            assert_true(*at == 'r' && offset > before && offset < WORLD_LOG);
            s->rows[offset]++;
            before = offset;
        }
        assert_true(before >= 0);
    }
    pst_buf_done(&body);
}

static void look(world *w, seen *s)
{
    pst_err err = PST_ERR_INIT;
    pst_store_list list = {.prefix = "t/"};
#ifdef PST_TESTS_MEM_FAULT_H
    long paused = pst_fault_pause();
#endif
    *s = (seen){.w = w};
    assert_int_equal(w->store->driver->list(w->store, &list, see_key, s, &err), PST_OK);
    for (size_t i = 0; i < s->n_keys; i++)
        read_object(s, s->keys[i]);
#ifdef PST_TESTS_MEM_FAULT_H
    pst_fault_resume(paused);
#endif
}

static void audit(world *w, int64_t upto)
{
    seen s;
    look(w, &s);
    for (int64_t i = 0; i < w->end; i++) {
        int want = has_row(i) && !w->moved[i];
        if (s.rows[i] > want)
            fail_msg("row %lld is there %d times", (long long)i, s.rows[i]);
        if (i < upto && !w->gone[i] && s.rows[i] < want)
            fail_msg("row %lld below the commit %lld is missing", (long long)i,
                     (long long)upto);
    }
}

/* A loader moves what is there. */
static inline void move_away(world *w)
{
    seen s;
    pst_err err = PST_ERR_INIT;
    look(w, &s);
    for (int i = 0; i < WORLD_LOG; i++)
        w->moved[i] |= s.rows[i] > 0;
    for (size_t i = 0; i < s.n_keys; i++)
        assert_int_equal(w->store->driver->remove(w->store, s.keys[i], &err), PST_OK);
}

/* ---- processes ---- */

static process *process_new(world *w, int nth, bool after, bool freezes)
{
    process *p = calloc(1, sizeof *p);
    *p = (process){.base.driver =
                       w->store->driver->links ? &process_links : &process_plain,
                   .world = w,
                   .number = w->processes++,
                   .nth = nth,
                   .after = after,
                   .freezes = freezes,
                   .taken = -1,
                   .budget.limit = w->budget_limit,
                   .err = PST_ERR_INIT};
    w->owner = p->number;
    p->host = (pst_sink_host){.commits = host_commits,
                              .watermarks = host_watermarks,
                              .partitions = host_partitions,
                              .seek = host_seek,
                              .self = p};
    p->env = (pst_task_env){.connector = "a",
                            .id = "a-0",
                            .clock = &w->clock.clock,
                            .cluster = "c",
                            .group = "connect-a",
                            .session_timeout_ms = 10000,
                            .startup_timeout_ms = 60000,
                            .budget = &p->budget};
    p->encoder = (pst_encoder){.extension = ".csv",
                               .content_type = "x",
                               .routed = pst_layout_is_routed((pst_layout)w->conf.layout),
                               .begin = encoder_begin,
                               .encode = encoder_encode,
                               .self = p};
    snprintf(p->encoder.schema, sizeof p->encoder.schema, "%s", w->schema);
    pst_objects_options options = {.conf = &w->conf,
                                   .connector = &w->connector,
                                   .env = &p->env,
                                   .host = &p->host,
                                   .store = &p->base,
                                   .conditional = w->conditional,
                                   .retry_backoff_ms = 10,
                                   .encoder = &p->encoder};
    p->failed = pst_objects_new(&p->objects, &options, &p->err);
    assert_int_equal(p->failed, PST_OK);
    return p;
}

static bool process_free(process *p)
{
    p->thawed = true;
    pst_objects_free(p->objects);
    bool struck = p->calls >= p->nth; /* its threads have ended */
    if (p->failed == PST_OK)
        assert_true(pst_budget_used(&p->budget) == 0);
    free(p);
    return struck;
}

static void process_open(process *p)
{
    pst_tp tp = {.topic = "u", .partition = 0, .offset = -1};
    p->failed = pst_objects_open(p->objects, &tp, 1, &p->err);
    p->position = tp.offset;
}

static void process_read(process *p)
{
    world *w = p->world;
    pst_item item = {.kind = PST_ITEM_RECORD};
    size_t taken = 0;
    while (p->position < w->end && (w->gone[p->position] || p->position < w->low))
        p->position++;
    if (p->taken >= 0 && p->position >= p->taken)
        return;
    item.msg = world_msg(p->position);
    if (p->position >= w->end)
        item = (pst_item){.kind = PST_ITEM_EOF,
                          .msg = {.topic = "u", .partition = 0, .offset = w->end}};
    int64_t before = p->position;
    p->failed = pst_objects_put(p->objects, &item, 1, &taken, &p->err);
    if (taken && item.kind == PST_ITEM_RECORD && p->position == before)
        p->position++;
}

/* Commits of a former owner are refused; taken ones must be true. */
static void process_commit(process *p)
{
    world *w = p->world;
    pst_tp tp;
    int64_t asked_ms = pst_mono_ms(&w->clock.clock);
    if (pst_objects_precommit(p->objects, &tp, 1) == 0 || w->owner != p->number)
        return;
    if (w->committed != PST_OFFSET_NONE && tp.offset < w->committed) {
        assert_true(p->freezes); /* only a sleeper goes back, and is refused */
        return;
    }
    audit(w, tp.offset);
    pthread_mutex_lock(&w->lock);
    w->committed = tp.offset;
    snprintf(w->metadata, sizeof w->metadata, "%s", tp.metadata);
    pthread_mutex_unlock(&w->lock);
    pst_objects_committed(p->objects, &tp, 1, asked_ms);
}

static void process_turn(process *p)
{
    int64_t next_ms;
    process_read(p);
    if (p->failed == PST_OK)
        p->failed = pst_objects_tick(p->objects, &next_ms, &p->err);
    if (p->failed == PST_OK)
        process_commit(p);
    fake_clock_add(&p->world->clock, 140);
    usleep(50);
}

static void process_close(process *p)
{
    pst_objects_close(p->objects, NULL, 0);
}

/* Until all is committed, or it is killed, or freezes. */
static void process_run(process *p)
{
    for (int i = 0; p->failed == PST_OK && !p->frozen; i++) {
        assert_true(i < WORLD_TURNS);
        process_turn(p);
        if (p->world->committed == p->world->end && p->world->owner == p->number &&
            pst_objects_idle(p->objects, NULL, 0)) {
            p->done = true;
            break;
        }
    }
}

/* A whole life; it must not fail. */
static void run_healthy(world *w)
{
    process *p = process_new(w, -1, false, false);
    process_open(p);
    if (p->failed == PST_OK)
        process_run(p);
    if (p->failed != PST_OK)
        fail_msg("%s", p->err.text);
    process_close(p);
    process_free(p);
    audit(w, w->end);
}

/* ---- the world ---- */

static void world_init(world *w, bool links)
{
    *w = (world){.committed = PST_OFFSET_NONE,
                 .end = WORLD_LOG,
                 .budget_limit = 1 << 20,
                 .conditional = true,
                 .schema = "0123456789abcdef",
                 .paths = 3};
    fake_clock_init(&w->clock);
    pthread_mutex_init(&w->lock, NULL);
    w->conf = (pst_objects_conf){.topics_dir = (char *)(uintptr_t) "t",
                                 .layout = PST_LAYOUT_HOURLY,
                                 .rotate_schedule_ms = 600,
                                 .fail_on_data_loss = true};
    w->connector = (pst_connector_conf){.errors_retry_timeout_ms = 60000,
                                        .errors_retry_delay_max_ms = 1000};
    if (!links) {
        w->fake = fake_new();
        w->store = &w->fake->base;
        return;
    }
    char url[80];
    pst_err err = PST_ERR_INIT;
    snprintf(w->folder, sizeof w->folder, "/tmp/penstock-routed-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(url, sizeof url, "file://%s", w->folder);
    pst_store_conf conf = {.url = url};
    assert_int_equal(pst_store_open(&w->store, &conf, &w->clock.clock, NULL, NULL, &err),
                     PST_OK);
}

static void remove_tree(const char *path) // NOLINT(misc-no-recursion)
{
    char below[512];
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        if (e->d_type == DT_DIR)
            remove_tree(below);
        else
            unlink(below);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static void world_done(world *w)
{
    pthread_mutex_destroy(&w->lock);
    if (w->fake) {
        fake_free(w->fake);
        return;
    }
    pst_store_close(w->store);
    remove_tree(w->folder);
}

#endif

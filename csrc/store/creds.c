/*
 * creds.c - see creds.h: the chain of sources, and keeping what they give fresh.
 *
 * Times of renewal are on the monotonic clock, from the life that the answer's own Date
 * gives: a wall clock that is wrong or jumps neither ends keys early nor keeps them too
 * long. A renewal is due 15 minutes before the end, or after two thirds of a short life.
 */
#include "store/creds.h"

#include "base/mem.h"
#include "store/creds_in.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum {
    EARLY_MS = 15 * 60 * 1000,
    MARGIN_MS = 10 * 1000, /* a request on its way must arrive before the end */
    BACKOFF_MS = 250,
    BACKOFF_MAX_MS = 30 * 1000,
    FORGET_MS = 10 * 60 * 1000, /* refusals longer ago than that don't count */
    WAIT_SLICE_MS = 100,
};

struct pst_creds {
    pst_creds_ctx ctx; /* the renewing caller's */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock: */
    bool have, refused, renewing, told;
    pst_creds_keys keys, old;
    int64_t renew_at, end; /* monotonic */
    int64_t not_before;    /* no renewal before that */
    unsigned failures, refusals;
    int64_t refused_at;
    uint64_t seed, serial;
    pst_err why; /* of the last renewal */
};

/* ---- the chain ---- */

static pst_rc from_settings(pst_creds_ctx *ctx, pst_creds_keys *out, pst_err *err)
{
    const pst_store_conf *conf = ctx->env.conf;
    return pst_creds_fill(out, conf->access_key_id, conf->secret_access_key,
                          conf->session_token, "aws.access.key.id", err);
}

pst_rc pst_creds_from_environment(pst_creds_ctx *ctx, pst_creds_keys *out, pst_err *err)
{
    return pst_creds_fill(out, ctx->vars[PST_AWS_ACCESS_KEY_ID],
                          ctx->vars[PST_AWS_SECRET_ACCESS_KEY],
                          ctx->vars[PST_AWS_SESSION_TOKEN], "AWS_ACCESS_KEY_ID", err);
}

static const pst_creds_source chain[] = {
    from_settings,
    pst_creds_from_environment,
    pst_creds_from_profile,
    pst_creds_from_web_identity,
    pst_creds_from_container,
    pst_creds_from_instance,
};

static pst_rc ask_chain(pst_creds_ctx *ctx, pst_creds_keys *out, pst_err *err)
{
    ctx->note[0] = '\0';
    for (size_t i = 0; i < sizeof chain / sizeof *chain; i++) {
        pst_rc rc = chain[i](ctx, out, err);
        if (rc != PST_E_NOT_FOUND)
            return rc;
    }
    return pst_fail_retriable(
        err, PST_E_AUTH,
        "no S3 credentials: set aws.access.key.id and aws.secret.access.key, or "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile%s",
        ctx->note);
}

static pst_rc ask_sources(pst_creds_ctx *ctx, pst_creds_keys *out, pst_err *err)
{
    const pst_store_conf *conf = ctx->env.conf;
    if (!pst_is_set(conf->sts_role_arn))
        return ask_chain(ctx, out, err);
    pst_creds_keys base = {0};
    pst_rc rc = ask_chain(ctx, &base, err);
    if (rc == PST_OK) {
        pst_sts_role role = {.arn = conf->sts_role_arn,
                             .external_id = conf->sts_external_id,
                             .session_name = conf->sts_session_name,
                             .duration_s = conf->sts_duration_s};
        rc = pst_creds_assume(ctx, &role, &base, out, err);
    }
    pst_creds_wipe(&base);
    return rc;
}

/* ---- the object ---- */

void pst_creds_free(pst_creds *creds)
{
    if (!creds)
        return;
    pst_creds_free_vars(&creds->ctx);
    pst_creds_wipe(&creds->keys);
    pst_creds_wipe(&creds->old);
    pthread_cond_destroy(&creds->changed);
    pthread_mutex_destroy(&creds->lock);
    pst_free(creds);
}

static bool is_aws(const pst_store_conf *conf)
{
    pst_endpoint at;
    return !pst_is_set(conf->url) || (pst_endpoint_parse(conf->url, &at) &&
                                      pst_endpoint_is_aws(pst_sv_of(at.host)));
}

pst_rc pst_creds_new(pst_creds **out, const pst_creds_env *env, pst_err *err)
{
    const pst_store_conf *conf = env->conf;
    if (pst_is_set(conf->access_key_id) != pst_is_set(conf->secret_access_key))
        return pst_fail(
            err, PST_E_CONFIG,
            "aws.access.key.id and aws.secret.access.key are set together or not "
            "at all");
    pst_creds *creds = pst_calloc(1, sizeof *creds);
    if (!creds)
        return pst_fail_nomem(err, "credentials");
    creds->ctx.env = *env;
    creds->ctx.aws = is_aws(conf);
    creds->seed = (uint64_t)pst_mono_ms(env->clock) ^ (uintptr_t)creds;
    pthread_mutex_init(&creds->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&creds->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (!pst_creds_read_vars(&creds->ctx)) {
        pst_creds_free(creds);
        return pst_fail_nomem(err, "credentials");
    }
    *out = creds;
    return PST_OK;
}

/* ---- renewal, under lock but where it says otherwise ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void take_new(pst_creds *creds, pst_creds_keys *fresh, int64_t asked_at)
{
    const pst_creds_env *env = &creds->ctx.env;
    int64_t life = fresh->life_ms;
    bool moved = !creds->have || strcmp(creds->keys.source, fresh->source) != 0;
    fresh->serial = ++creds->serial;
    creds->old = creds->keys;
    creds->keys = *fresh;
    creds->have = true;
    creds->refused = false;
    creds->failures = 0;
    creds->not_before = 0;
    creds->end = life ? asked_at + life - least(MARGIN_MS, life / 10) : INT64_MAX;
    creds->renew_at = life ? asked_at + life - least(EARLY_MS, life / 3) : INT64_MAX;
    if (moved)
        pst_logf(env->log, PST_LOG_INFO, NULL, "store", "S3 credentials come from %s",
                 fresh->source);
    else if (creds->told)
        pst_logf(env->log, PST_LOG_INFO, NULL, "store",
                 "S3 credentials are renewed again from %s", fresh->source);
    creds->told = false;
}

static void note_failure(pst_creds *creds, int64_t now)
{
    const pst_creds_env *env = &creds->ctx.env;
    bool valid = creds->have && now < creds->end;
    if (creds->why.code == PST_E_NOMEM || creds->why.code == PST_E_STOPPED)
        return;
    int64_t wait =
        pst_backoff_ms(&creds->seed, BACKOFF_MS, BACKOFF_MAX_MS, creds->failures);
    creds->failures += creds->failures < 30;
    /* Several tries before the end. */
    if (valid && wait > (creds->end - now) / 4)
        wait = (creds->end - now) / 4;
    creds->not_before = now + (wait > BACKOFF_MS / 2 ? wait : BACKOFF_MS / 2);
    if (valid && !creds->told) {
        pst_logf(env->log, PST_LOG_WARN, NULL, "store",
                 "the S3 credentials could not be renewed, which is tried again while "
                 "the old ones last: %s",
                 creds->why.text);
        creds->told = true;
    }
}

/* Unlocks while it asks. */
static pst_rc renew(pst_creds *creds)
{
    const pst_clock *clock = creds->ctx.env.clock;
    pst_creds_keys fresh = {0};
    pst_err why = PST_ERR_INIT;
    creds->renewing = true;
    pthread_mutex_unlock(&creds->lock);
    int64_t asked_at = pst_mono_ms(clock);
    pst_rc rc = ask_sources(&creds->ctx, &fresh, &why);
    pthread_mutex_lock(&creds->lock);
    creds->renewing = false;
    creds->why = why;
    if (rc == PST_OK)
        take_new(creds, &fresh, asked_at);
    else
        note_failure(creds, pst_mono_ms(clock));
    pst_creds_wipe(&fresh);
    pthread_cond_broadcast(&creds->changed);
    return rc;
}

static void wait_for_another(pst_creds *creds)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += WAIT_SLICE_MS * 1000000L;
    if (ts.tv_nsec >= 1000000000L) {
        ts.tv_nsec -= 1000000000L;
        ts.tv_sec++;
    }
    pthread_cond_timedwait(&creds->changed, &creds->lock, &ts);
}

typedef enum step { USE, RENEW, WAIT, GIVE_UP } step;

static step next_step(const pst_creds *creds, int64_t now)
{
    bool valid = creds->have && now < creds->end;
    if (valid && !creds->refused && now < creds->renew_at)
        return USE;
    if (now < creds->not_before)
        return valid ? USE : GIVE_UP;
    if (creds->renewing)
        return valid && !creds->refused ? USE : WAIT;
    return RENEW;
}

/* What a caller gets when no keys can be used. */
static pst_rc give_up(pst_creds *creds, pst_err *err)
{
    if (creds->why.code == PST_OK) /* they ended just now */
        (void)pst_fail_retriable(&creds->why, PST_E_AUTH,
                                 "the S3 credentials have expired");
    if (err && err->code == PST_OK)
        *err = creds->why;
    return creds->why.code;
}

pst_rc pst_creds_get(pst_creds *creds, pst_creds_keys *out, pst_err *err)
{
    const pst_creds_env *env = &creds->ctx.env;
    pst_rc rc = PST_OK;
    bool renewed = false;
    pthread_mutex_lock(&creds->lock);
    step now = next_step(creds, pst_mono_ms(env->clock));
    while (now == WAIT && rc == PST_OK) {
        if (pst_cancelled(env->cancel))
            rc = pst_fail(err, PST_E_STOPPED, "waiting for S3 credentials: stopped");
        else
            wait_for_another(creds);
        now = next_step(creds, pst_mono_ms(env->clock));
    }
    if (rc == PST_OK && now == RENEW)
        renewed = renew(creds) == PST_OK;
    if (rc == PST_OK) {
        if (renewed || (creds->have && pst_mono_ms(env->clock) < creds->end))
            *out = creds->keys;
        else
            rc = give_up(creds, err);
    }
    pthread_mutex_unlock(&creds->lock);
    return rc;
}

void pst_creds_refused(pst_creds *creds, uint64_t serial)
{
    pthread_mutex_lock(&creds->lock);
    if (creds->have && !creds->refused && creds->keys.serial == serial) {
        int64_t now = pst_mono_ms(creds->ctx.env.clock);
        creds->refused = true;
        if (now - creds->refused_at > FORGET_MS)
            creds->refusals = 0;
        if (creds->refusals > 0)
            creds->not_before = now + pst_backoff_ms(&creds->seed, BACKOFF_MS,
                                                     BACKOFF_MAX_MS, creds->refusals);
        creds->refusals += creds->refusals < 30;
        creds->refused_at = now;
    }
    pthread_mutex_unlock(&creds->lock);
}

void pst_creds_worked(pst_creds *creds, uint64_t serial)
{
    pthread_mutex_lock(&creds->lock);
    if (creds->keys.serial == serial && !creds->refused)
        creds->refusals = 0;
    pthread_mutex_unlock(&creds->lock);
}

bool pst_creds_replaced(pst_creds *creds, uint64_t serial)
{
    pst_creds_keys keys;
    pst_err ignored = PST_ERR_INIT;
    pst_creds_refused(creds, serial);
    if (pst_creds_get(creds, &keys, &ignored) != PST_OK)
        return false;
    pthread_mutex_lock(&creds->lock);
    bool same = keys.serial == serial ||
                (creds->old.serial == serial && strcmp(keys.id, creds->old.id) == 0 &&
                 strcmp(keys.secret, creds->old.secret) == 0 &&
                 strcmp(keys.token, creds->old.token) == 0);
    pthread_mutex_unlock(&creds->lock);
    pst_creds_wipe(&keys);
    return !same;
}

static bool part_in(const char *part, const char *text)
{
    return part[0] && strstr(text, part);
}

bool pst_creds_in_text(pst_creds *creds, const char *text)
{
    pthread_mutex_lock(&creds->lock);
    bool found = false;
    const pst_creds_keys *const all[] = {&creds->keys, &creds->old};
    for (size_t i = 0; i < 2; i++)
        found = found || part_in(all[i]->id, text) || part_in(all[i]->secret, text) ||
                part_in(all[i]->token, text);
    pthread_mutex_unlock(&creds->lock);
    return found;
}

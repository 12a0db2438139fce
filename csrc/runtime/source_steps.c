/*
 * source_steps.c - a plugin's life cycle without a producer: start, resume, poll, commit,
 * and the waiting and retrying between them. See source_task.h.
 *
 * Retry: a callback's retriable error is tried again after what it asks for
 * (err.after_ms), else after a growing wait up to errors.retry.delay.max.ms. How often is
 * the plugin's to say (it answers an error that is not retriable); errors.retry.timeout,
 * when above 0, limits the time besides. A transaction that has to be repeated
 * (source_txn.c) counts as one more callback here: same waits, same limit.
 */
#include "runtime/source_internal.h"

#include "base/mem.h"

#include <string.h>

enum {
    BACKOFF_MS = 500, /* where a plugin does not say */
    IDLE_MS = 10,     /* a plugin with nothing due says when; at least this */
};

struct pst_source_steps {
    const pst_source_ops *ops;
    const void *conf;
    const pst_task_env *env;
    pst_source *source;       /* NULL = not started yet */
    bool resumes, resumed;    /* resume() is to be called, was called */
    char *stored;             /* for resume(); NULL = nothing is */
    int64_t not_before_ms;    /* the next callback, on the monotonic clock */
    int64_t failing_since_ms; /* -1 = not failing */
    unsigned attempt;
    int64_t retries;
    uint64_t random;
};

pst_rc pst_source_steps_new(pst_source_steps **out, const pst_connector *connector,
                            const void *conf, const pst_task_env *env, pst_err *err)
{
    pst_source_steps *steps = pst_calloc(1, sizeof *steps);
    if (!steps)
        return pst_fail_nomem(err, "a source task");
    steps->ops = connector->source;
    steps->conf = conf;
    steps->env = env;
    steps->failing_since_ms = -1;
    steps->random = (uint64_t)pst_wall_ms(env->clock) ^ (uint64_t)(uintptr_t)steps;
    steps->not_before_ms = pst_source_now_ms(env);
    *out = steps;
    return PST_OK;
}

void pst_source_steps_free(pst_source_steps *steps)
{
    if (!steps)
        return;
    steps->ops->stop(steps->source);
    pst_free(steps->stored);
    pst_free(steps);
}

int64_t pst_source_steps_retries(const pst_source_steps *steps)
{
    return steps->retries;
}

static pst_rc fail_stopped(pst_err *err)
{
    return pst_fail(err, PST_E_STOPPED, "stopped");
}

/* Waits until the time; false if the task has to stop. */
static bool wait_until(const pst_task_env *env, int64_t time_ms)
{
    for (;;) {
        int64_t left = time_ms - pst_source_now_ms(env);
        if (pst_cancelled(env->cancel))
            return false;
        if (left <= 0)
            return true;
        (void)pst_cancel_wait(env->cancel,
                              left < PST_SOURCE_SLICE_MS ? left : PST_SOURCE_SLICE_MS);
    }
}

static int64_t retry_wait(pst_source_steps *steps, const pst_err *why)
{
    const pst_connector_conf *common = steps->conf;
    if (why->after_ms > 0)
        return why->after_ms;
    return pst_backoff_ms(&steps->random, BACKOFF_MS, common->errors_retry_delay_max_ms,
                          steps->attempt);
}

/* PST_OK: the same callback again, not before steps->not_before_ms. */
static pst_rc plan_retry(pst_source_steps *steps, const pst_err *why, pst_err *err)
{
    const pst_connector_conf *common = steps->conf;
    int64_t limit = common->errors_retry_timeout_ms, now = pst_source_now_ms(steps->env);
    pst_err last = *why;
    if (steps->failing_since_ms < 0)
        steps->failing_since_ms = now;
    bool too_long = limit > 0 && now - steps->failing_since_ms >= limit;
    if (!why->retriable || too_long) {
        if (why->retriable)
            pst_err_context(&last, "gave up after %lld ms (errors.retry.timeout)",
                            (long long)(now - steps->failing_since_ms));
        if (err && err->code == PST_OK)
            *err = last;
        return why->code;
    }
    int64_t wait = retry_wait(steps, why);
    pst_logf(steps->env->log, PST_LOG_WARN, steps->env->id, "source",
             "%s; trying again in %lld ms", why->text, (long long)wait);
    steps->not_before_ms = now + wait;
    steps->attempt++;
    steps->retries++;
    return PST_OK;
}

void pst_source_steps_works(pst_source_steps *steps)
{
    if (steps->failing_since_ms >= 0)
        pst_logf(steps->env->log, PST_LOG_INFO, steps->env->id, "source",
                 "works again after %u failures", steps->attempt);
    steps->failing_since_ms = -1;
    steps->attempt = 0;
}

pst_rc pst_source_steps_resume(pst_source_steps *steps, const char *stored, pst_err *err)
{
    steps->resumes = steps->ops->resume != NULL;
    steps->stored = stored ? pst_strdup(stored) : NULL;
    return stored && !steps->stored ? pst_fail_nomem(err, "a stored offset") : PST_OK;
}

pst_rc pst_source_steps_offset(pst_source_steps *steps, pst_buf *out, pst_err *err)
{
    return steps->ops->offset(steps->source, out, err);
}

pst_rc pst_source_steps_again(pst_source_steps *steps, const pst_err *why, pst_err *err)
{
    pst_rc rc = plan_retry(steps, why, err);
    if (rc == PST_OK && !wait_until(steps->env, steps->not_before_ms))
        return fail_stopped(err);
    return rc;
}

/* One start(), resume() or poll(). */
static pst_rc call_plugin(pst_source_steps *steps, const pst_source_record **records,
                          size_t *n, bool *finished, pst_err *why)
{
    int64_t wait = 0;
    if (!steps->source)
        return steps->ops->start(&steps->source, steps->conf, steps->env, why);
    if (steps->resumes && !steps->resumed) {
        pst_rc resumed = steps->ops->resume(steps->source, steps->stored, why);
        steps->resumed = resumed == PST_OK;
        return resumed;
    }
    pst_rc rc = steps->ops->poll(steps->source, records, n, &wait, finished, why);
    if (rc != PST_OK)
        return rc;
    pst_source_steps_works(steps);
    if (*n == 0 && !*finished)
        steps->not_before_ms =
            pst_source_now_ms(steps->env) + (wait > IDLE_MS ? wait : IDLE_MS);
    return PST_OK;
}

pst_rc pst_source_steps_next(pst_source_steps *steps, int64_t max_wait_ms,
                             const pst_source_record **records, size_t *n, bool *finished,
                             pst_err *err)
{
    int64_t until = pst_source_now_ms(steps->env) + max_wait_ms;
    *n = 0;
    *finished = false;
    while (*n == 0 && !*finished) {
        bool due = steps->not_before_ms <= until;
        if (!wait_until(steps->env, due ? steps->not_before_ms : until))
            return fail_stopped(err);
        if (!due)
            return PST_OK;
        pst_err why = PST_ERR_INIT;
        pst_rc rc = call_plugin(steps, records, n, finished, &why);
        if (rc == PST_OK)
            continue;
        *n = 0;
        if (rc == PST_E_STOPPED || pst_cancelled(steps->env->cancel))
            return fail_stopped(err);
        if ((rc = plan_retry(steps, &why, err)) != PST_OK)
            return rc;
    }
    return PST_OK;
}

pst_rc pst_source_steps_commit(pst_source_steps *steps, pst_err *err)
{
    for (;;) {
        pst_err why = PST_ERR_INIT;
        pst_rc rc = steps->ops->commit(steps->source, &why);
        if (rc == PST_OK)
            return PST_OK;
        if ((rc = plan_retry(steps, &why, err)) != PST_OK)
            return rc;
        if (!wait_until(steps->env, steps->not_before_ms))
            return fail_stopped(err);
    }
}

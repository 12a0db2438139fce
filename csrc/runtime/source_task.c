/*
 * source_task.c - see source_task.h.
 *
 * Records of one poll() are produced together and confirmed together, then commit() tells
 * the plugin: so at most one poll's records are ever in doubt. (With transactions one
 * poll becomes one transaction: it begins before send_all(), the source offset is sent
 * with the records, and it is committed where await_all() ends.)
 *
 * Retry: a callback's retriable error is tried again after what it asks for
 * (err.after_ms), else after a growing wait up to errors.retry.delay.max.ms. How often is
 * the plugin's to say (it answers an error that is not retriable); errors.retry.timeout,
 * when above 0, limits the time besides. Kafka's own hiccups are librdkafka's: it retries
 * until delivery.timeout.ms.
 */
#include "runtime/source_task.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    SLICE_MS = 100,      /* how long a wait may not notice a cancel */
    BACKOFF_MS = 500,    /* where a plugin does not say */
    IDLE_MS = 10,        /* a plugin with nothing due says when; at least this */
    NEXT_WAIT_MS = 1000, /* then progress is told */
    PROGRESS_MS = 1000,
};

/* ---- steps ---- */

struct pst_source_steps {
    const pst_source_ops *ops;
    const void *conf;
    const pst_task_env *env;
    pst_source *source;       /* NULL = not started yet */
    int64_t not_before_ms;    /* the next callback, on the monotonic clock */
    int64_t failing_since_ms; /* -1 = not failing */
    unsigned attempt;
    int64_t retries;
    uint64_t random;
};

static int64_t now_ms(const pst_task_env *env)
{
    return pst_mono_ms(env->clock);
}

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
    steps->not_before_ms = now_ms(env);
    *out = steps;
    return PST_OK;
}

void pst_source_steps_free(pst_source_steps *steps)
{
    if (!steps)
        return;
    steps->ops->stop(steps->source);
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
        int64_t left = time_ms - now_ms(env);
        if (pst_cancelled(env->cancel))
            return false;
        if (left <= 0)
            return true;
        (void)pst_cancel_wait(env->cancel, left < SLICE_MS ? left : SLICE_MS);
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
    int64_t limit = common->errors_retry_timeout_ms, now = now_ms(steps->env);
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

static void note_success(pst_source_steps *steps)
{
    if (steps->failing_since_ms >= 0)
        pst_logf(steps->env->log, PST_LOG_INFO, steps->env->id, "source",
                 "works again after %u failures", steps->attempt);
    steps->failing_since_ms = -1;
    steps->attempt = 0;
}

/* One start() or poll(). */
static pst_rc call_plugin(pst_source_steps *steps, const pst_source_record **records,
                          size_t *n, bool *finished, pst_err *why)
{
    int64_t wait = 0;
    if (!steps->source)
        return steps->ops->start(&steps->source, steps->conf, steps->env, why);
    pst_rc rc = steps->ops->poll(steps->source, records, n, &wait, finished, why);
    if (rc != PST_OK)
        return rc;
    note_success(steps);
    if (*n == 0 && !*finished)
        steps->not_before_ms = now_ms(steps->env) + (wait > IDLE_MS ? wait : IDLE_MS);
    return PST_OK;
}

pst_rc pst_source_steps_next(pst_source_steps *steps, int64_t max_wait_ms,
                             const pst_source_record **records, size_t *n, bool *finished,
                             pst_err *err)
{
    int64_t until = now_ms(steps->env) + max_wait_ms;
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

/* ---- producing ---- */

typedef struct source_task {
    const pst_connector_conf *common;
    const pst_task_env *env;
    pst_source_result *result;
    pst_source_steps *steps;
    pst_producer *producer;
    int64_t started_ms, told_ms;
    int64_t outstanding; /* sent, neither acknowledged nor failed */
    int64_t stop_by_ms;  /* await_all() ends then; 0 = no reason to hurry */
    pst_err first;       /* delivery error */
} source_task;

static void tell_progress(source_task *task, bool now)
{
    int64_t at = now_ms(task->env);
    task->result->seconds = (double)(at - task->started_ms) / 1000.0;
    task->result->retries = task->steps ? pst_source_steps_retries(task->steps) : 0;
    if (!task->result->progress || (!now && at - task->told_ms < PROGRESS_MS))
        return;
    task->told_ms = at;
    task->result->progress(task->result->self, task->result);
}

static pst_task_offset *offset_slot(pst_source_result *result, const char *topic,
                                    int32_t partition)
{
    for (size_t i = 0; i < result->n_offsets; i++)
        if (result->offsets[i].partition == partition &&
            strcmp(result->offsets[i].topic, topic) == 0)
            return &result->offsets[i];
    if (result->n_offsets == PST_TASK_OFFSETS_MAX)
        return NULL;
    pst_task_offset *slot = &result->offsets[result->n_offsets++];
    *slot = (pst_task_offset){.partition = partition, .first = PST_OFFSET_NONE};
    snprintf(slot->topic, sizeof slot->topic, "%s", topic);
    return slot;
}

static void note_offset(pst_source_result *result, const char *topic, int32_t partition,
                        int64_t offset)
{
    pst_task_offset *slot =
        result->offsets ? offset_slot(result, topic, partition) : NULL;
    if (!slot)
        return;
    if (slot->first < 0)
        slot->first = offset;
    slot->next = offset + 1;
}

/* Is it this record's own fault, and may it be let go? */
static bool may_skip(const source_task *task, const pst_err *why)
{
    return task->common->errors_tolerance == PST_TOLERANCE_ALL && !why->retriable &&
           (why->code == PST_E_LIMIT || why->code == PST_E_INVALID);
}

static void skip(source_task *task, const pst_err *why)
{
    task->result->skipped++;
    if (task->common->errors_log_enable)
        pst_logf(task->env->log, PST_LOG_WARN, task->env->id, "source",
                 "a record is skipped (errors.tolerance=all): %s", why->text);
}

/* check_delivered() makes an error of it. */
static pst_rc note_failure(source_task *task, const pst_err *why)
{
    task->result->failed++;
    if (task->first.code == PST_OK)
        task->first = *why;
    return why->code;
}

static void on_delivered(void *self, void *opaque, const char *topic, int32_t partition,
                         int64_t offset, const pst_err *err)
{
    source_task *task = self;
    (void)opaque;
    task->outstanding--;
    if (!err) {
        task->result->delivered++;
        note_offset(task->result, topic, partition, offset);
    } else if (may_skip(task, err)) {
        skip(task, err);
    } else {
        (void)note_failure(task, err);
    }
}

static pst_rc open_producer(source_task *task, pst_err *err)
{
    pst_producer_config config = {
        .kafka =
            {
                .worker = task->env->worker,
                .connector = task->env->connector_props,
                .client_id = task->env->id,
                .log = task->env->log,
                /* Not the task's cancel: what is queued is flushed after it. */
                .cancel = NULL,
            },
        .delivered = on_delivered,
        .self = task,
    };
    return pst_producer_new(&task->producer, &config, err);
}

/* A cancel or a failure leaves some seconds to what is on its way; an abort leaves none.
 */
static bool must_end(source_task *task)
{
    int64_t now = now_ms(task->env);
    bool hurry = pst_cancelled(task->env->cancel) || task->first.code != PST_OK;
    if (hurry && task->stop_by_ms == 0)
        task->stop_by_ms = now + PST_SOURCE_FLUSH_MS;
    return pst_cancelled(task->env->abort) ||
           (task->stop_by_ms > 0 && now >= task->stop_by_ms);
}

static pst_rc fail_unreachable(source_task *task, pst_err *err)
{
    char last[300];
    const char *servers =
        task->env->worker ? pst_props_get(task->env->worker, "bootstrap.servers") : NULL;
    pst_producer_last_error(task->producer, last, sizeof last);
    task->result->unreachable = true;
    return pst_fail(
        err, PST_E_TIMEOUT,
        "no record was acknowledged within startup.timeout.ms (%lld): is Kafka "
        "at %s?%s%s",
        (long long)task->env->startup_timeout_ms, servers ? servers : "?",
        last[0] ? " Its last error: " : "", last);
}

static bool startup_is_over(const source_task *task, int64_t since_ms)
{
    return task->result->delivered == 0 && task->env->startup_timeout_ms > 0 &&
           now_ms(task->env) - since_ms >= task->env->startup_timeout_ms;
}

/* Waits until all that was sent is acknowledged or has failed. */
static pst_rc await_all(source_task *task, pst_err *err)
{
    int64_t since = now_ms(task->env);
    while (task->outstanding > 0 && !must_end(task)) {
        pst_err slice = PST_ERR_INIT; /* only says that the time is over */
        (void)!pst_producer_flush(task->producer, SLICE_MS, &slice);
        tell_progress(task, false);
        if (task->outstanding > 0 && startup_is_over(task, since))
            return fail_unreachable(task, err);
    }
    return PST_OK;
}

/* Queues one record, waiting for room. */
static pst_rc send_one(source_task *task, const pst_source_record *record, pst_err *err)
{
    pst_outgoing outgoing = {.topic = record->topic,
                             .partition = record->partition,
                             .key = record->key,
                             .value = record->value,
                             .timestamp_ms = record->timestamp_ms};
    int64_t since = now_ms(task->env);
    for (;;) {
        pst_err why = PST_ERR_INIT;
        pst_rc rc = pst_producer_send(task->producer, &outgoing, &why);
        if (rc == PST_OK) {
            task->outstanding++;
            return PST_OK;
        }
        if (may_skip(task, &why)) {
            skip(task, &why);
            return PST_OK;
        }
        if (!why.retriable || must_end(task))
            return note_failure(task, &why);
        (void)pst_producer_poll(task->producer, SLICE_MS);
        if (startup_is_over(task, since)) {
            (void)note_failure(task, &why);
            return fail_unreachable(task, err);
        }
    }
}

static pst_rc send_all(source_task *task, const pst_source_record *records, size_t n,
                       pst_err *err)
{
    pst_source_result *result = task->result;
    for (size_t i = 0; i < n; i++) {
        if (!result->topic[0])
            snprintf(result->topic, sizeof result->topic, "%s", records[i].topic);
        result->produced++;
        pst_rc rc = send_one(task, &records[i], err);
        if (rc != PST_OK)
            return rc;
    }
    return PST_OK;
}

/* What was not acknowledged has failed: how many, and why. */
static pst_rc check_delivered(source_task *task, pst_err *err)
{
    pst_source_result *result = task->result;
    char last[300];
    result->failed += task->outstanding;
    task->outstanding = 0;
    if (result->failed == 0)
        return PST_OK;
    pst_producer_last_error(task->producer, last, sizeof last);
    const char *why = task->first.code != PST_OK ? task->first.text
                      : last[0]                  ? last
                                                 : "no answer in time";
    pst_rc code = task->first.code != PST_OK ? task->first.code : PST_E_TIMEOUT;
    pst_fail(err, code, "%lld of %lld records were not delivered to Kafka: %s",
             (long long)result->failed, (long long)result->produced, why);
    return code;
}

static pst_rc produce(source_task *task, const pst_source_record *records, size_t n,
                      pst_err *err)
{
    pst_rc rc = send_all(task, records, n, err);
    pst_rc waited = await_all(task, err);
    pst_rc checked = check_delivered(task, err);
    if (rc == PST_OK)
        rc = waited;
    if (rc == PST_OK)
        rc = checked;
    return rc == PST_OK ? pst_source_steps_commit(task->steps, err) : rc;
}

static pst_rc run_steps(source_task *task, pst_err *err)
{
    const pst_source_record *records = NULL;
    bool finished = false;
    size_t n = 0;
    while (!finished) {
        pst_rc rc = pst_source_steps_next(task->steps, NEXT_WAIT_MS, &records, &n,
                                          &finished, err);
        if (rc == PST_OK && n > 0)
            rc = produce(task, records, n, err);
        if (rc != PST_OK)
            return rc;
        (void)pst_producer_poll(task->producer, 0);
        tell_progress(task, false);
    }
    return PST_OK;
}

static void log_end(const source_task *task, const pst_err *why)
{
    const pst_source_result *result = task->result;
    if (why->code != PST_OK)
        pst_logf(task->env->log, PST_LOG_ERROR, task->env->id, "source",
                 "failed after %lld records: %s", (long long)result->delivered,
                 why->text);
    else
        pst_logf(task->env->log, PST_LOG_INFO, task->env->id, "source",
                 "ended: %lld records delivered to %s in %.1f s",
                 (long long)result->delivered, result->topic[0] ? result->topic : "Kafka",
                 result->seconds);
}

/* Results of an earlier run are cleared; what the caller set stays. */
static void reset_result(pst_source_result *result)
{
    *result = (pst_source_result){
        .progress = result->progress, .self = result->self, .offsets = result->offsets};
}

pst_rc pst_source_task_run(const pst_connector *connector, const void *conf,
                           const pst_task_env *env, pst_source_result *result,
                           pst_err *err)
{
    source_task task = {.common = conf, .env = env, .result = result};
    pst_err why = PST_ERR_INIT;
    reset_result(result);
    task.started_ms = task.told_ms = now_ms(env);
    pst_rc rc = open_producer(&task, &why);
    if (rc == PST_OK)
        rc = pst_source_steps_new(&task.steps, connector, conf, env, &why);
    if (rc == PST_OK)
        rc = run_steps(&task, &why);
    if (rc == PST_E_STOPPED) {
        rc = PST_OK;
        pst_err_clear(&why);
    }
    tell_progress(&task, true);
    log_end(&task, &why);
    pst_source_steps_free(task.steps);
    pst_producer_free(task.producer);
    if (rc != PST_OK && err && err->code == PST_OK)
        *err = why;
    return rc;
}

/*
 * source_task.c - see source_task.h.
 *
 * Records of one poll() are produced together and confirmed together, then commit() tells
 * the plugin: so at most one poll's records are ever in doubt. With stored offsets that
 * is a transaction (source_txn.c), and nothing is in doubt. Kafka's own hiccups are
 * librdkafka's: it retries until delivery.timeout.ms.
 */
#include "runtime/source_internal.h"

#include "base/mem.h"
#include "runtime/metrics.h"

#include <stdio.h>
#include <string.h>

enum {
    NEXT_WAIT_MS = 1000, /* then progress is told */
    PROGRESS_MS = 1000,
    PAUSE_LOOK_MS = 200,
};

/* ---- producing ---- */

static void count(const source_task *task, int64_t now)
{
    pst_metrics *metrics = task->env->metrics;
    const pst_source_result *result = task->result;
    pst_metrics_set(metrics, PST_M_POLL, result->produced);
    pst_metrics_set(metrics, PST_M_WRITE, result->delivered);
    pst_metrics_set(metrics, PST_M_SOURCE_ACTIVE, task->outstanding);
    pst_metrics_set(metrics, PST_M_FAILURES, result->failed);
    pst_metrics_set(metrics, PST_M_ERRORS, result->failed + result->skipped);
    pst_metrics_set(metrics, PST_M_SKIPPED, result->skipped);
    pst_metrics_set(metrics, PST_M_RETRIES, result->retries);
    pst_metrics_look(metrics, now, result->paused);
}

void pst_source_tell(source_task *task, bool now)
{
    int64_t at = pst_source_now_ms(task->env);
    task->result->seconds = (double)(at - task->started_ms) / 1000.0;
    task->result->retries = task->steps ? pst_source_steps_retries(task->steps) : 0;
    if (!task->result->progress || (!now && at - task->told_ms < PROGRESS_MS))
        return;
    task->told_ms = at;
    count(task, at);
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

bool pst_source_skips(source_task *task, size_t i, const pst_err *why)
{
    if (!may_skip(task, why))
        return false;
    task->result->skipped++;
    if (task->txn.id) {
        task->txn.refused[i] = true;
        task->txn.n_refused++;
    }
    if (task->common->errors_log_enable)
        pst_logf(task->env->log, PST_LOG_WARN, task->env->id, "source",
                 "a record is skipped (errors.tolerance=all): %s", why->text);
    return true;
}

/* pst_source_check_delivered() makes an error of it. */
static pst_rc note_failure(source_task *task, const pst_err *why)
{
    task->result->failed++;
    if (task->first.code == PST_OK)
        task->first = *why;
    return why->code;
}

/* `opaque` is the record's place in its batch, from 1 on; NULL for a stored offset. */
static void on_delivered(void *self, void *opaque, const char *topic, int32_t partition,
                         int64_t offset, const pst_err *err)
{
    source_task *task = self;
    size_t place = (size_t)(uintptr_t)opaque;
    task->outstanding--;
    if (!err && place > 0) {
        if (task->txn.id)
            task->txn.delivered++;
        else
            task->result->delivered++;
        note_offset(task->result, topic, partition, offset);
    } else if (err && task->txn.id) {
        /* The transaction is spoilt in any case; without that record it may do. */
        if (place > 0 && task->first.code == PST_OK)
            (void)pst_source_skips(task, place - 1, err);
        (void)note_failure(task, err);
    } else if (err && !pst_source_skips(task, 0, err)) {
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
                .stats = task->env->observed ? pst_metrics_hear : NULL,
                .stats_self = task->env->metrics,
            },
        .transactional_id = task->txn.id,
        .delivered = on_delivered,
        .self = task,
    };
    return pst_producer_new(&task->producer, &config, err);
}

/* A cancel or a failure leaves some seconds to what is on its way; an abort leaves none.
 */
bool pst_source_must_end(source_task *task)
{
    int64_t now = pst_source_now_ms(task->env);
    bool hurry = pst_cancelled(task->env->cancel) || task->first.code != PST_OK;
    if (hurry && task->stop_by_ms == 0)
        task->stop_by_ms = now + PST_SOURCE_FLUSH_MS;
    return pst_cancelled(task->env->abort) ||
           (task->stop_by_ms > 0 && now >= task->stop_by_ms);
}

pst_rc pst_source_fail_unreachable(source_task *task, const char *what, pst_err *err)
{
    char last[300];
    const char *servers =
        task->env->worker ? pst_props_get(task->env->worker, "bootstrap.servers") : NULL;
    pst_producer_last_error(task->producer, last, sizeof last);
    task->result->unreachable = true;
    return pst_fail(err, PST_E_TIMEOUT,
                    "%s within startup.timeout.ms (%lld): is Kafka at %s?%s%s", what,
                    (long long)task->env->startup_timeout_ms, servers ? servers : "?",
                    last[0] ? " Its last error: " : "", last);
}

bool pst_source_startup_is_over(const source_task *task, int64_t since_ms)
{
    return task->result->delivered == 0 && task->env->startup_timeout_ms > 0 &&
           pst_source_now_ms(task->env) - since_ms >= task->env->startup_timeout_ms;
}

static pst_rc fail_no_record(source_task *task, pst_err *err)
{
    return pst_source_fail_unreachable(task, "no record was acknowledged", err);
}

/* A spoilt transaction need not be waited for: its abort drops the rest. */
static bool is_spoilt(const source_task *task)
{
    return task->txn.id && task->first.code != PST_OK;
}

/* Waits until all that was sent is acknowledged or has failed. */
pst_rc pst_source_await_all(source_task *task, pst_err *err)
{
    int64_t since = pst_source_now_ms(task->env);
    while (task->outstanding > 0 && !is_spoilt(task) && !pst_source_must_end(task)) {
        pst_err slice = PST_ERR_INIT; /* only says that the time is over */
        (void)!pst_producer_flush(task->producer, PST_SOURCE_SLICE_MS, &slice);
        pst_source_tell(task, false);
        if (task->outstanding > 0 && pst_source_startup_is_over(task, since))
            return fail_no_record(task, err);
    }
    return PST_OK;
}

pst_rc pst_source_send(source_task *task, const pst_source_record *record, size_t i,
                       pst_err *err)
{
    pst_outgoing outgoing = {.topic = record->topic,
                             .partition = record->partition,
                             .key = record->key,
                             .value = record->value,
                             .timestamp_ms = record->timestamp_ms,
                             .opaque = (void *)(uintptr_t)(i + 1)};
    int64_t since = pst_source_now_ms(task->env);
    for (;;) {
        pst_err why = PST_ERR_INIT;
        pst_rc rc = pst_producer_send(task->producer, &outgoing, &why);
        if (rc == PST_OK) {
            task->outstanding++;
            return PST_OK;
        }
        if (pst_source_skips(task, i, &why))
            return PST_OK;
        if (!why.retriable || pst_source_must_end(task))
            return note_failure(task, &why);
        (void)pst_producer_poll(task->producer, PST_SOURCE_SLICE_MS);
        if (pst_source_startup_is_over(task, since)) {
            (void)note_failure(task, &why);
            return fail_no_record(task, err);
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
        pst_rc rc = pst_source_send(task, &records[i], i, err);
        if (rc != PST_OK)
            return rc;
    }
    return PST_OK;
}

pst_rc pst_source_check_delivered(source_task *task, pst_err *err)
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
    if (task->txn.id)
        return pst_source_txn_produce(task, records, n, err);
    pst_rc rc = send_all(task, records, n, err);
    pst_rc waited = pst_source_await_all(task, err);
    pst_rc checked = pst_source_check_delivered(task, err);
    if (rc == PST_OK)
        rc = waited;
    if (rc == PST_OK)
        rc = checked;
    return rc == PST_OK ? pst_source_steps_commit(task->steps, err) : rc;
}

static bool told_to_pause(const source_task *task)
{
    return task->env->paused && atomic_load(task->env->paused);
}

/* Between two polls: nothing is in doubt. */
static pst_rc wait_paused(source_task *task)
{
    while (told_to_pause(task)) {
        bool news = !task->result->paused;
        task->result->paused = true;
        pst_source_tell(task, news);
        (void)pst_producer_poll(task->producer, 0);
        if (pst_cancel_wait(task->env->cancel, PAUSE_LOOK_MS))
            return PST_E_STOPPED;
    }
    task->result->paused = false;
    pst_source_tell(task, true);
    return PST_OK;
}

static pst_rc run_steps(source_task *task, pst_err *err)
{
    const pst_source_record *records = NULL;
    bool finished = false;
    size_t n = 0;
    while (!finished) {
        if (told_to_pause(task) && wait_paused(task) != PST_OK)
            return PST_E_STOPPED;
        pst_rc rc = pst_source_steps_next(task->steps, NEXT_WAIT_MS, &records, &n,
                                          &finished, err);
        if (rc == PST_OK && n > 0) {
            if (task->env->metrics)
                pst_meter_add(&task->env->metrics->batch, pst_source_now_ms(task->env),
                              (int64_t)n);
            rc = produce(task, records, n, err);
        }
        if (rc != PST_OK)
            return rc;
        (void)pst_producer_poll(task->producer, 0);
        pst_source_tell(task, false);
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
    source_task task = {.connector = connector,
                        .conf = conf,
                        .common = conf,
                        .env = env,
                        .result = result};
    pst_err why = PST_ERR_INIT;
    reset_result(result);
    task.started_ms = task.told_ms = pst_source_now_ms(env);
    pst_rc rc = pst_source_txn_plan(&task, &why);
    if (rc == PST_OK)
        rc = open_producer(&task, &why);
    if (rc == PST_OK)
        rc = pst_source_steps_new(&task.steps, connector, conf, env, &why);
    if (rc == PST_OK && task.txn.id)
        rc = pst_source_txn_open(&task, &why);
    if (rc == PST_OK)
        rc = run_steps(&task, &why);
    if (rc == PST_E_STOPPED) {
        rc = PST_OK;
        pst_err_clear(&why);
    }
    pst_source_tell(&task, true);
    log_end(&task, &why);
    pst_source_steps_free(task.steps);
    pst_producer_free(task.producer);
    pst_source_txn_done(&task);
    if (rc != PST_OK && err && err->code == PST_OK)
        *err = why;
    return rc;
}

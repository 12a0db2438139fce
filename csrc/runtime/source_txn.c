/*
 * source_txn.c - a poll's records and the source's next offset in one transaction, so
 * that each record is there exactly once for read_committed readers (KIP-618's promise).
 *
 * Opening: the transactional id follows from the offset's key (the connector's name and
 * the source partition), so that initialising it fences an older process that goes by the
 * same offset, and decides what that left open. Only then is the stored offset read:
 * nothing older can change it any more. Who has another key is left alone.
 *
 * A transaction that fails is aborted, and its very records, which are valid until the
 * next poll(), are sent again: the last committed offset is where they begin. A commit
 * whose outcome is not known yet is asked again, never aborted. Fenced: the task fails
 * and does not come back by itself, or two sources of one name would fence each other in
 * turn. A record that errors.tolerance=all lets go is left out of the next try.
 *
 * Key and value of a stored offset are as Connect's: ["name", {source partition}].
 */
#include "runtime/source_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    ABORT_MS = 1000, /* for an abort when the task has to stop */
    QUICK_MS = 50,   /* a call that failed sooner is not repeated at once */
    LOAD_MS = 120000 /* at least so long for other sources' open transactions */
};

/* ---- names ---- */

/* A connector's name is printable ASCII: two characters need an escape. */
static pst_rc add_name(pst_buf *out, const char *name)
{
    pst_rc rc = pst_buf_addc(out, '"');
    for (const char *p = name; *p && rc == PST_OK; p++) {
        if (*p == '"' || *p == '\\')
            rc = pst_buf_addc(out, '\\');
        if (rc == PST_OK)
            rc = pst_buf_addc(out, *p);
    }
    return rc == PST_OK ? pst_buf_addc(out, '"') : rc;
}

/* ["name",{source partition}]; left empty when the source has none. Up to the comma it is
   what all offsets of this connector begin with. */
static pst_rc make_key(source_task *task, pst_err *err)
{
    pst_buf *key = &task->txn.key;
    pst_rc rc = pst_buf_addc(key, '[');
    if (rc == PST_OK)
        rc = add_name(key, task->env->connector);
    if (rc == PST_OK)
        rc = pst_buf_addc(key, ',');
    task->txn.family = key->len;
    if (rc == PST_OK)
        rc = task->connector->source->partition(task->conf, key, err);
    if (rc == PST_OK && key->len == task->txn.family)
        pst_buf_clear(key);
    else if (rc == PST_OK)
        rc = pst_buf_addc(key, ']');
    return rc == PST_OK ? rc : pst_fail(err, rc, "the key of the source's offset");
}

pst_rc pst_source_txn_plan(source_task *task, pst_err *err)
{
    const pst_task_env *env = task->env;
    pst_buf_init(&task->txn.key, PST_SOURCE_OFFSET_BYTES);
    pst_buf_init(&task->txn.offset, PST_SOURCE_OFFSET_BYTES);
    if (!task->connector->source->partition || !env->offsets_topic ||
        !env->offsets_topic[0])
        return PST_OK;
    pst_rc rc = make_key(task, err);
    if (rc != PST_OK || task->txn.key.len == 0)
        return rc;
    task->txn.id = pst_asprintf("penstock-source-%s-%d-%08x", env->connector, env->index,
                                pst_crc32c(0, task->txn.key.data, task->txn.key.len));
    return task->txn.id ? PST_OK : pst_fail_nomem(err, "a source task");
}

void pst_source_txn_done(source_task *task)
{
    pst_source_stale_clear(&task->txn.stale);
    pst_buf_done(&task->txn.key);
    pst_buf_done(&task->txn.offset);
    pst_free(task->txn.refused);
    pst_free(task->txn.id);
}

/* ---- calls that are repeated while librdkafka says so ---- */

typedef pst_rc (*producer_call)(pst_producer *producer, int timeout_ms, pst_err *err);

/* One slice of it; the caller looks for reasons to stop between two of them. */
static pst_rc call_slice(source_task *task, producer_call call, pst_err *why)
{
    int64_t began = pst_source_now_ms(task->env);
    pst_rc rc = call(task->producer, PST_SOURCE_SLICE_MS, why);
    (void)pst_producer_poll(task->producer, 0); /* Kafka's last error */
    if (rc != PST_OK && why->retriable && pst_source_now_ms(task->env) - began < QUICK_MS)
        (void)pst_cancel_wait(task->env->abort, QUICK_MS);
    pst_source_tell(task, false);
    return rc;
}

static pst_rc keep(const pst_err *why, pst_err *err)
{
    if (err && err->code == PST_OK)
        *err = *why;
    return why->code;
}

/* What `why` means to this producer: somebody took over, or its own text. */
static pst_rc fail_producer(source_task *task, const pst_err *why, pst_err *err)
{
    if (pst_producer_fate(task->producer) != PST_PRODUCER_FENCED)
        return keep(why, err);
    pst_fail(err, PST_E_EXISTS,
             "fenced: another source with the name \"%s\" took over and goes on where "
             "this one ended; give one of the two another name (or this one was held up "
             "for longer than transaction.timeout.ms: then start it again)",
             task->env->connector);
    return PST_E_EXISTS;
}

static pst_rc fail_init(source_task *task, const pst_err *why, pst_err *err)
{
    pst_err told = *why;
    if (why->code == PST_E_AUTH)
        pst_err_context(&told, "transactional id %s: WRITE and DESCRIBE must be allowed",
                        task->txn.id);
    return fail_producer(task, &told, err);
}

static pst_rc init_producer(source_task *task, pst_err *err)
{
    int64_t since = pst_source_now_ms(task->env);
    for (;;) {
        pst_err why = PST_ERR_INIT;
        pst_rc rc = call_slice(task, pst_producer_init, &why);
        if (rc == PST_OK)
            return PST_OK;
        if (!why.retriable)
            return fail_init(task, &why, err);
        if (pst_cancelled(task->env->cancel))
            return pst_fail(err, PST_E_STOPPED, "stopped");
        if (pst_source_startup_is_over(task, since))
            return pst_source_fail_unreachable(
                task, "the transactions' coordinator did not answer", err);
    }
}

/* ---- the stored offset ---- */

static pst_rc load_offset(source_task *task, bool *found, pst_err *err)
{
    const pst_task_env *env = task->env;
    int64_t limit = env->startup_timeout_ms;
    if (limit > 0 && limit < LOAD_MS)
        limit = LOAD_MS;
    pst_offsets_at at = {
        .kafka =
            {
                .worker = env->worker,
                .connector = env->connector_props,
                .client_id = env->id,
                .log = env->log,
                .cancel = env->cancel,
            },
        .topic = env->offsets_topic,
        .timeout_ms = (int)limit,
    };
    if (env->offsets_retention_ms > 0) {
        task->txn.stale.family = (pst_sv){task->txn.key.data, task->txn.family};
        task->txn.stale.before_ms = pst_wall_ms(env->clock) - env->offsets_retention_ms;
        at.other = pst_source_stale_see;
        at.self = &task->txn.stale;
    }
    pst_sv key = {task->txn.key.data, task->txn.key.len};
    return pst_offsets_load(&at, key, &task->txn.offset, found, err);
}

pst_rc pst_source_txn_open(source_task *task, pst_err *err)
{
    bool found = false;
    pst_rc rc = init_producer(task, err);
    if (rc == PST_OK)
        rc = load_offset(task, &found, err);
    if (rc != PST_OK)
        return rc;
    const char *stored = pst_buf_cstr(&task->txn.offset);
    if (!stored)
        return pst_fail_nomem(err, "a stored offset");
    pst_logf(task->env->log, PST_LOG_INFO, task->env->id, "source",
             "exactly once as %s; the stored offset is %s", task->txn.id,
             found ? stored : "none yet");
    return pst_source_steps_resume(task->steps, found ? stored : NULL, err);
}

/* ---- one transaction ---- */

/* Room for n records, none of them refused; the offset behind them. */
static pst_rc start_batch(source_task *task, size_t n, pst_err *err)
{
    pst_source_txn *txn = &task->txn;
    if (n > txn->room) {
        bool *grown = pst_realloc(txn->refused, n, sizeof *grown);
        if (!grown)
            return pst_fail_nomem(err, "a poll's records");
        txn->refused = grown;
        txn->room = n;
    }
    memset(txn->refused, 0, n * sizeof *txn->refused);
    txn->n_refused = 0;
    pst_buf_clear(&txn->offset);
    return pst_source_steps_offset(task->steps, &txn->offset, err);
}

static pst_rc send_batch(source_task *task, const pst_source_record *records, size_t n,
                         pst_err *err)
{
    for (size_t i = 0; i < n; i++) {
        pst_rc rc = PST_OK;
        if (!task->txn.refused[i])
            rc = pst_source_send(task, &records[i], i, err);
        if (rc != PST_OK)
            return rc;
    }
    return PST_OK;
}

/* As one more record; there is room in the queue, or soon will be. */
static pst_rc send_stored(source_task *task, pst_sv key, pst_sv value, pst_err *why)
{
    pst_outgoing outgoing = {
        .topic = task->env->offsets_topic,
        .partition = PST_OFFSETS_PARTITION,
        .key = key,
        .value = value,
    };
    for (;;) {
        pst_err_clear(why);
        pst_rc rc = pst_producer_send(task->producer, &outgoing, why);
        if (rc == PST_OK)
            task->outstanding++;
        if (rc == PST_OK || !why->retriable || pst_source_must_end(task))
            return rc;
        (void)pst_producer_poll(task->producer, PST_SOURCE_SLICE_MS);
    }
}

static pst_rc send_offset(source_task *task, pst_err *why)
{
    const pst_source_txn *txn = &task->txn;
    return send_stored(task, (pst_sv){txn->key.data, txn->key.len},
                       (pst_sv){txn->offset.data, txn->offset.len}, why);
}

/* In the first transaction: no value is what removes a key of a compacted topic. */
static pst_rc send_removals(source_task *task, pst_err *why)
{
    const pst_source_stale *stale = &task->txn.stale;
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < stale->n; i++)
        rc = send_stored(task, stale->keys[i], (pst_sv){NULL, 0}, why);
    return rc;
}

static pst_rc fail_stopped(const char *what, pst_err *why)
{
    return pst_fail(why, PST_E_STOPPED, "stopped before %s", what);
}

static pst_rc commit(source_task *task, pst_err *why)
{
    int64_t since = pst_source_now_ms(task->env);
    for (;;) {
        pst_err slice = PST_ERR_INIT;
        pst_rc rc = call_slice(task, pst_producer_commit, &slice);
        if (rc == PST_OK || !slice.retriable)
            return rc == PST_OK ? rc : keep(&slice, why);
        task->txn.committing = true;
        if (pst_source_must_end(task))
            return fail_stopped("Kafka confirmed the transaction", why);
        if (pst_source_startup_is_over(task, since))
            return pst_source_fail_unreachable(task, "no transaction was committed", why);
    }
}

/* A record failed. One that was only dropped with its transaction does not say why that
   failed: the commit, which can't succeed any more, does. */
static pst_rc tell_spoilt(source_task *task, pst_err *why)
{
    pst_err cause = PST_ERR_INIT;
    if (task->first.code == PST_E_STOPPED) {
        if (call_slice(task, pst_producer_commit, &cause) == PST_OK)
            pst_fail(&cause, PST_E_INTERNAL, "a transaction lost records");
        else
            cause.retriable = true;
        task->first = cause;
    }
    return keep(&task->first, why);
}

/* All of it once. What fails is in *why; the transaction is open then, or spoilt. */
static pst_rc try_once(source_task *task, const pst_source_record *records, size_t n,
                       pst_err *why)
{
    task->first = (pst_err)PST_ERR_INIT;
    task->outstanding = task->txn.delivered = task->result->failed = 0;
    task->txn.committing = false;
    if (!pst_cancelled(task->env->cancel))
        task->stop_by_ms = 0;
    pst_rc rc = pst_producer_begin(task->producer, why);
    if (rc == PST_OK)
        rc = send_batch(task, records, n, why);
    if (rc == PST_OK)
        rc = send_offset(task, why);
    if (rc == PST_OK)
        rc = send_removals(task, why);
    if (rc == PST_OK)
        rc = pst_source_await_all(task, why);
    if (task->first.code != PST_OK && why->code == PST_OK)
        return tell_spoilt(task, why);
    if (rc == PST_OK && task->outstanding > 0)
        return fail_stopped("all records were acknowledged", why);
    return rc == PST_OK ? commit(task, why) : rc;
}

/* ---- after a failure ---- */

static pst_rc abort_transaction(source_task *task, pst_err *err)
{
    int64_t limit = task->common->errors_retry_timeout_ms;
    int64_t since = pst_source_now_ms(task->env);
    for (;;) {
        pst_err why = PST_ERR_INIT;
        pst_rc rc = call_slice(task, pst_producer_abort, &why);
        int64_t waited = pst_source_now_ms(task->env) - since;
        if (rc == PST_OK)
            return PST_OK;
        bool stop = pst_cancelled(task->env->abort) ||
                    (pst_cancelled(task->env->cancel) && waited >= ABORT_MS);
        if (!why.retriable || stop || (limit > 0 && waited >= limit))
            return keep(&why, err);
    }
}

/* Would the same records fail in the same way? */
static bool is_permanent(const pst_err *why)
{
    return !why->retriable &&
           (why->code == PST_E_AUTH || why->code == PST_E_LIMIT ||
            why->code == PST_E_INTERNAL || why->code == PST_E_INVALID ||
            why->code == PST_E_CONFIG || why->code == PST_E_NOT_FOUND);
}

/* The task ends: as without transactions, told by how many records are not there. */
static pst_rc fail_batch(source_task *task, const pst_err *why, size_t n, pst_err *err)
{
    task->outstanding = 0;
    task->result->failed = (int64_t)(n - task->txn.n_refused);
    task->first = *why;
    if (task->result->unreachable ||
        pst_producer_fate(task->producer) != PST_PRODUCER_FINE)
        return fail_producer(task, why, err);
    if (why->code == PST_E_STOPPED) /* its text says less than librdkafka's last error */
        task->first = (pst_err)PST_ERR_INIT;
    return pst_source_check_delivered(task, err);
}

/* PST_OK: the transaction is aborted, and may be tried again. */
static pst_rc recover(source_task *task, const pst_err *why, size_t n, size_t refused,
                      pst_err *err)
{
    pst_err retried = *why, given_up = PST_ERR_INIT;
    bool ends = why->code == PST_E_STOPPED || task->result->unreachable;
    bool lost = pst_producer_fate(task->producer) != PST_PRODUCER_FINE;
    bool undecided = ends && task->txn.committing; /* the next start finds out */
    if (!lost && !undecided && abort_transaction(task, &given_up) != PST_OK)
        return fail_batch(task, &given_up, n, err);
    if (lost || ends)
        return fail_batch(task, why, n, err);
    if (task->txn.n_refused > refused)
        return PST_OK;
    if (is_permanent(why))
        return fail_batch(task, why, n, err);
    pst_err_context(&retried, "a transaction is aborted and comes again");
    retried.retriable = true;
    if (pst_source_steps_again(task->steps, &retried, &given_up) != PST_OK)
        return fail_batch(task, &given_up, n, err);
    return PST_OK;
}

pst_rc pst_source_txn_produce(source_task *task, const pst_source_record *records,
                              size_t n, pst_err *err)
{
    pst_source_result *result = task->result;
    pst_rc rc = start_batch(task, n, err);
    if (rc != PST_OK)
        return rc;
    if (!result->topic[0])
        snprintf(result->topic, sizeof result->topic, "%s", records[0].topic);
    result->produced += (int64_t)n;
    for (;;) {
        pst_err why = PST_ERR_INIT;
        size_t refused = task->txn.n_refused;
        if (try_once(task, records, n, &why) == PST_OK)
            break;
        if ((rc = recover(task, &why, n, refused, err)) != PST_OK)
            return rc;
    }
    result->delivered += task->txn.delivered;
    if (task->txn.stale.n)
        pst_logf(task->env->log, PST_LOG_INFO, task->env->id, "source",
                 "removed %zu stored offsets older than offset.storage.retention.ms=%lld",
                 task->txn.stale.n, (long long)task->env->offsets_retention_ms);
    pst_source_stale_clear(&task->txn.stale);
    pst_source_steps_works(task->steps);
    return pst_source_steps_commit(task->steps, err);
}

/*
 * group.c - see group.h. A consumer that never subscribes asks and tells; every call is
 * short, so that a cancel is seen soon, and is made again while its error is one that
 * passes: a group's coordinator takes a moment to move in.
 */
#include "runtime/group.h"

#include "base/mem.h"

#include <stdio.h>

enum { STEP_MS = 100, CALL_MS = 3000 };

typedef struct asking {
    const pst_group_query *query;
    pst_consumer *consumer;
    int64_t until_ms;
    pst_group_facts *facts;
    const pst_group_row *rows; /* what is to be told */
    size_t n;
} asking;

typedef pst_rc (*step)(asking *a, int timeout_ms, pst_err *err);

/* Calls until it is done, fails for good, or the time is over. */
static pst_rc patiently(asking *a, step call, int slice_ms, pst_err *err)
{
    for (;;) {
        pst_err why = PST_ERR_INIT;
        int64_t left = a->until_ms - pst_mono_ms(pst_clock_system());
        pst_rc rc =
            call(a, (int)(left < slice_ms ? (left < 1 ? 1 : left) : slice_ms), &why);
        if (rc == PST_OK)
            return PST_OK;
        if (pst_consumer_serve(a->consumer, err) != PST_OK)
            return err->code;
        if (pst_cancelled(a->query->cancel))
            return pst_fail(err, PST_E_STOPPED, "stopped");
        bool late = pst_mono_ms(pst_clock_system()) >= a->until_ms;
        if (!why.retriable || rc == PST_E_NOT_FOUND || late) {
            *err = why;
            return rc;
        }
        (void)pst_cancel_wait(a->query->cancel, STEP_MS);
    }
}

static pst_rc ask_cluster(asking *a, int timeout_ms, pst_err *err)
{
    pst_free(a->facts->cluster);
    a->facts->cluster = NULL;
    return pst_consumer_cluster(a->consumer, &a->facts->cluster, timeout_ms, err);
}

static pst_rc add_topic(asking *a, const char *topic, int timeout_ms, pst_err *err)
{
    pst_group_facts *facts = a->facts;
    int32_t partitions = 0;
    pst_rc rc =
        pst_cancelled(a->query->cancel)
            ? pst_fail(err, PST_E_STOPPED, "stopped")
            : pst_consumer_partitions(a->consumer, topic, &partitions, timeout_ms, err);
    if (rc != PST_OK)
        return rc;
    size_t n = facts->n + (size_t)partitions;
    if (n > PST_GROUP_PARTITIONS_MAX)
        return pst_fail(err, PST_E_LIMIT, "more than %d partitions",
                        PST_GROUP_PARTITIONS_MAX);
    pst_group_row *rows = pst_realloc(facts->rows, n + 1, sizeof *rows);
    if (!rows)
        return pst_fail_nomem(err, "a group's partitions");
    facts->rows = rows;
    for (int32_t p = 0; p < partitions; p++)
        rows[facts->n++] = (pst_group_row){.topic = topic, .partition = p};
    return PST_OK;
}

static pst_rc ask_partitions(asking *a, int timeout_ms, pst_err *err)
{
    pst_rc rc = PST_OK;
    a->facts->n = 0;
    for (size_t i = 0; rc == PST_OK && i < a->query->n_topics; i++)
        rc = add_topic(a, a->query->topics[i], timeout_ms, err);
    return rc;
}

static pst_rc ask_members(asking *a, int timeout_ms, pst_err *err)
{
    if (!a->query->members)
        return PST_OK;
    return pst_consumer_members(a->consumer, a->query->group, &a->facts->members,
                                timeout_ms, err);
}

static pst_rc take_commit(pst_group_row *row, int64_t offset, const char *metadata,
                          pst_err *err)
{
    row->committed = offset;
    pst_free(row->metadata);
    row->metadata = *metadata ? pst_strdup(metadata) : NULL;
    return !*metadata || row->metadata ? PST_OK
                                       : pst_fail_nomem(err, "the offsets of a group");
}

static pst_rc ask_committed(asking *a, int timeout_ms, pst_err *err)
{
    pst_group_facts *facts = a->facts;
    pst_tp *tps = pst_calloc(facts->n + 1, sizeof *tps);
    char(*metadata)[PST_KAFKA_METADATA_MAX] = pst_calloc(facts->n + 1, sizeof *metadata);
    pst_rc rc = tps && metadata ? PST_OK : pst_fail_nomem(err, "the offsets of a group");
    for (size_t i = 0; rc == PST_OK && i < facts->n; i++)
        tps[i] = (pst_tp){.topic = facts->rows[i].topic,
                          .partition = facts->rows[i].partition};
    if (rc == PST_OK && facts->n)
        rc =
            pst_consumer_committed(a->consumer, tps, facts->n, metadata, timeout_ms, err);
    for (size_t i = 0; rc == PST_OK && i < facts->n; i++)
        rc = take_commit(&facts->rows[i], tps[i].offset, metadata[i], err);
    pst_free(metadata);
    pst_free(tps);
    return rc;
}

static pst_rc ask_ends(asking *a, int timeout_ms, pst_err *err)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < a->facts->n; i++) {
        pst_group_row *row = &a->facts->rows[i];
        rc = pst_cancelled(a->query->cancel)
                 ? pst_fail(err, PST_E_STOPPED, "stopped")
                 : pst_consumer_watermarks(a->consumer, row->topic, row->partition,
                                           &row->low, &row->end, timeout_ms, err);
    }
    return rc;
}

/* The rows as librdkafka's wrappers take them. */
static pst_rc tell(asking *a, bool commit, int timeout_ms, pst_err *err)
{
    pst_tp *tps = pst_calloc(a->n + 1, sizeof *tps);
    if (!tps)
        return pst_fail_nomem(err, "the offsets of a group");
    for (size_t i = 0; i < a->n; i++)
        tps[i] = (pst_tp){.topic = a->rows[i].topic,
                          .partition = a->rows[i].partition,
                          .offset = a->rows[i].committed,
                          .metadata = a->rows[i].metadata};
    pst_rc rc = commit ? pst_consumer_commit(a->consumer, tps, a->n, timeout_ms, err)
                       : pst_consumer_forget(a->consumer, a->query->group, tps, a->n,
                                             timeout_ms, err);
    pst_free(tps);
    return rc;
}

static pst_rc tell_commit(asking *a, int timeout_ms, pst_err *err)
{
    return tell(a, true, timeout_ms, err);
}

static pst_rc tell_forget(asking *a, int timeout_ms, pst_err *err)
{
    return tell(a, false, timeout_ms, err);
}

static pst_rc begin(asking *a, bool *unreachable, pst_err *err)
{
    const pst_group_query *query = a->query;
    a->until_ms = pst_mono_ms(pst_clock_system()) + query->timeout_ms;
    *unreachable = false;
    pst_consumer_config config = {
        .kafka = {.worker = query->worker,
                  .client_id = query->client_id,
                  .log = query->log,
                  .cancel = query->cancel},
        .group = query->group,
        .queue_bytes = 1024 * 1024,
    };
    pst_rc rc = pst_consumer_new(&a->consumer, &config, err);
    if (rc != PST_OK)
        return rc;
    rc = patiently(a, ask_cluster, STEP_MS, err);
    *unreachable = rc != PST_OK;
    return rc;
}

pst_rc pst_group_ask(const pst_group_query *query, pst_group_facts *out,
                     bool *unreachable, pst_err *err)
{
    static const step steps[] = {ask_partitions, ask_members, ask_committed, ask_ends};
    asking a = {.query = query, .facts = out};
    *out = (pst_group_facts){.cluster = NULL};
    pst_rc rc = begin(&a, unreachable, err);
    for (size_t i = 0; rc == PST_OK && i < sizeof steps / sizeof *steps; i++)
        rc = patiently(&a, steps[i], CALL_MS, err);
    pst_consumer_free(a.consumer);
    return rc;
}

void pst_group_facts_done(pst_group_facts *facts)
{
    for (size_t i = 0; i < facts->n; i++)
        pst_free(facts->rows[i].metadata);
    pst_free(facts->rows);
    pst_free(facts->cluster);
    *facts = (pst_group_facts){.cluster = NULL};
}

int64_t pst_group_lag(const pst_group_row *row)
{
    int64_t from = row->committed > row->low ? row->committed : row->low;
    return row->end > from ? row->end - from : 0;
}

static pst_rc tell_rows(const pst_group_query *query, const pst_group_row *rows, size_t n,
                        step call, bool *unreachable, pst_err *err)
{
    pst_group_facts facts = {.cluster = NULL};
    asking a = {.query = query, .facts = &facts, .rows = rows, .n = n};
    pst_rc rc = begin(&a, unreachable, err);
    if (rc == PST_OK && n)
        rc = patiently(&a, call, CALL_MS, err);
    pst_consumer_free(a.consumer);
    pst_group_facts_done(&facts);
    return rc;
}

pst_rc pst_group_commit(const pst_group_query *query, const pst_group_row *rows, size_t n,
                        bool *unreachable, pst_err *err)
{
    return tell_rows(query, rows, n, tell_commit, unreachable, err);
}

pst_rc pst_group_forget(const pst_group_query *query, const pst_group_row *rows, size_t n,
                        bool *unreachable, pst_err *err)
{
    return tell_rows(query, rows, n, tell_forget, unreachable, err);
}

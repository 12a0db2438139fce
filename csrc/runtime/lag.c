/*
 * lag.c - see lag.h. A consumer that never subscribes asks three things: how many
 * partitions, what the group has committed, where the logs begin and end. Every call is
 * short, so that a cancel is seen soon.
 */
#include "runtime/lag.h"

#include "base/mem.h"

enum { STEP_MS = 100, CALL_MS = 3000 };

typedef struct asking {
    const pst_lag_query *query;
    pst_consumer *consumer;
    int64_t until_ms;
    pst_lag *rows;
    size_t n;
} asking;

static pst_rc check_time(const asking *a, pst_err *err)
{
    if (pst_cancelled(a->query->cancel))
        return pst_fail(err, PST_E_STOPPED, "stopped");
    if (pst_mono_ms(pst_clock_system()) < a->until_ms)
        return PST_OK;
    return pst_fail_retriable(err, PST_E_TIMEOUT,
                              "the lag of %s was not told within %lld ms",
                              a->query->group, (long long)a->query->timeout_ms);
}

/* What is left of the time, for one call. */
static int call_ms(const asking *a)
{
    int64_t left = a->until_ms - pst_mono_ms(pst_clock_system());
    return (int)(left < 1 ? 1 : left > CALL_MS ? CALL_MS : left);
}

static pst_rc find_broker(asking *a, bool *unreachable, pst_err *err)
{
    for (;;) {
        pst_err why = PST_ERR_INIT;
        char *cluster = NULL;
        pst_rc rc = pst_consumer_cluster(a->consumer, &cluster, STEP_MS, &why);
        pst_free(cluster);
        *unreachable = rc != PST_OK;
        if (rc == PST_OK)
            return PST_OK;
        rc = pst_consumer_serve(a->consumer, err); /* librdkafka's errors: why */
        if (rc == PST_OK && pst_cancelled(a->query->cancel))
            rc = pst_fail(err, PST_E_STOPPED, "stopped");
        if (rc != PST_OK)
            return rc;
        if (!why.retriable || pst_mono_ms(pst_clock_system()) >= a->until_ms) {
            *err = why;
            return why.code;
        }
    }
}

static pst_rc add_topic(asking *a, const char *topic, pst_err *err)
{
    int32_t partitions = 0;
    pst_rc rc = check_time(a, err);
    if (rc == PST_OK)
        rc = pst_consumer_partitions(a->consumer, topic, &partitions, call_ms(a), err);
    if (rc != PST_OK)
        return rc;
    size_t n = a->n + (size_t)partitions;
    if (n > PST_LAG_PARTITIONS_MAX)
        return pst_fail(err, PST_E_LIMIT, "more than %d partitions",
                        PST_LAG_PARTITIONS_MAX);
    pst_lag *rows = pst_realloc(a->rows, n + 1, sizeof *rows);
    if (!rows)
        return pst_fail_nomem(err, "the lag of a group");
    a->rows = rows;
    for (int32_t p = 0; p < partitions; p++)
        rows[a->n++] = (pst_lag){.topic = topic, .partition = p};
    return PST_OK;
}

static pst_rc ask_committed(asking *a, pst_err *err)
{
    pst_tp *tps = pst_calloc(a->n + 1, sizeof *tps);
    char(*metadata)[PST_KAFKA_METADATA_MAX] = pst_calloc(a->n + 1, sizeof *metadata);
    pst_rc rc = tps && metadata ? check_time(a, err)
                                : pst_fail_nomem(err, "the offsets of a group");
    for (size_t i = 0; rc == PST_OK && i < a->n; i++)
        tps[i] = (pst_tp){.topic = a->rows[i].topic, .partition = a->rows[i].partition};
    if (rc == PST_OK && a->n)
        rc = pst_consumer_committed(a->consumer, tps, a->n, metadata, call_ms(a), err);
    for (size_t i = 0; rc == PST_OK && i < a->n; i++)
        a->rows[i].committed = tps[i].offset;
    pst_free(metadata);
    pst_free(tps);
    return rc;
}

static pst_rc ask_ends(asking *a, pst_err *err)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < a->n; i++) {
        pst_lag *row = &a->rows[i];
        rc = check_time(a, err);
        if (rc == PST_OK)
            rc = pst_consumer_watermarks(a->consumer, row->topic, row->partition,
                                         &row->low, &row->end, call_ms(a), err);
    }
    return rc;
}

pst_rc pst_lag_ask(const pst_lag_query *query, pst_lag **out, size_t *n,
                   bool *unreachable, pst_err *err)
{
    asking a = {.query = query};
    *unreachable = false;
    a.until_ms = pst_mono_ms(pst_clock_system()) + query->timeout_ms;
    pst_consumer_config config = {
        .kafka = {.worker = query->worker,
                  .client_id = "penstock-lag",
                  .log = query->log,
                  .cancel = query->cancel},
        .group = query->group,
        .queue_bytes = 1024 * 1024,
    };
    pst_rc rc = pst_consumer_new(&a.consumer, &config, err);
    if (rc == PST_OK)
        rc = find_broker(&a, unreachable, err);
    for (size_t i = 0; rc == PST_OK && i < query->n_topics; i++)
        rc = add_topic(&a, query->topics[i], err);
    if (rc == PST_OK)
        rc = ask_committed(&a, err);
    if (rc == PST_OK)
        rc = ask_ends(&a, err);
    pst_consumer_free(a.consumer);
    if (rc != PST_OK) {
        pst_free(a.rows);
        return rc;
    }
    *out = a.rows;
    *n = a.n;
    return PST_OK;
}

int64_t pst_lag_records(const pst_lag *lag)
{
    int64_t from = lag->committed > lag->low ? lag->committed : lag->low;
    return lag->end > from ? lag->end - from : 0;
}

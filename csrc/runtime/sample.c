/*
 * sample.c - see sample.h. A consumer with a group of its own reads every partition from
 * the log's start; a partition's end says that it is done.
 */
#include "runtime/sample.h"

#include "base/mem.h"

#include <stdio.h>
#include <unistd.h>

enum { STEP_MS = 100, CALL_MS = 3000, QUEUE_BYTES = 4 * 1024 * 1024 };

typedef struct sampling {
    const pst_sample *sample;
    pst_consumer *consumer;
    int64_t until_ms;
    int32_t partitions, ended;
    size_t n;
} sampling;

static pst_rc on_assigned(void *opaque, pst_tp *tps, size_t n, pst_err *err)
{
    sampling *s = opaque;
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < n; i++) {
        int64_t high;
        rc = pst_consumer_watermarks(s->consumer, tps[i].topic, tps[i].partition,
                                     &tps[i].offset, &high, CALL_MS, err);
    }
    return rc;
}

static void on_revoked(void *opaque, const pst_tp *tps, size_t n, bool lost)
{
    (void)opaque;
    (void)tps;
    (void)n;
    (void)lost;
}

static bool is_late(const sampling *s)
{
    return pst_mono_ms(pst_clock_system()) >= s->until_ms;
}

static pst_rc check_stop(const sampling *s, pst_err *err)
{
    if (!pst_cancelled(s->sample->cancel))
        return PST_OK;
    return pst_fail(err, PST_E_STOPPED, "stopped");
}

/* Waits for a broker, then asks for the topic. */
static pst_rc find_topic(sampling *s, bool *unreachable, pst_err *err)
{
    for (;;) {
        pst_err why = PST_ERR_INIT;
        char *cluster = NULL;
        pst_rc rc = pst_consumer_cluster(s->consumer, &cluster, STEP_MS, &why);
        pst_free(cluster);
        if (rc == PST_OK)
            break;
        *unreachable = true;
        rc = pst_consumer_serve(s->consumer, err); /* librdkafka's errors: why */
        if (rc == PST_OK)
            rc = check_stop(s, err);
        if (rc != PST_OK)
            return rc;
        if (!why.retriable || is_late(s)) {
            *err = why;
            return why.code;
        }
    }
    *unreachable = false;
    return pst_consumer_partitions(s->consumer, s->sample->topic, &s->partitions, CALL_MS,
                                   err);
}

static pst_rc take(sampling *s, const pst_item *item, pst_err *err)
{
    if (item->kind == PST_ITEM_EOF)
        s->ended++;
    if (item->kind != PST_ITEM_RECORD || s->n == s->sample->max)
        return PST_OK;
    s->n++;
    return s->sample->each(s->sample->self, &item->msg, err);
}

static pst_rc read_all(sampling *s, pst_err *err)
{
    pst_rc rc = pst_consumer_subscribe(s->consumer, &s->sample->topic, 1, err);
    while (rc == PST_OK && s->n < s->sample->max && s->ended < s->partitions) {
        const pst_item *items;
        size_t n = 0;
        rc = check_stop(s, err);
        if (rc == PST_OK && is_late(s))
            return s->n ? PST_OK
                        : pst_fail_retriable(err, PST_E_TIMEOUT,
                                             "no record of topic %s came within %lld ms",
                                             s->sample->topic,
                                             (long long)s->sample->timeout_ms);
        if (rc == PST_OK)
            rc = pst_consumer_serve(s->consumer, err);
        if (rc == PST_OK)
            rc = pst_consumer_poll(s->consumer, STEP_MS, &items, &n, err);
        for (size_t i = 0; rc == PST_OK && i < n; i++)
            rc = take(s, &items[i], err);
    }
    return rc;
}

pst_rc pst_sample_run(const pst_sample *sample, bool *unreachable, pst_err *err)
{
    sampling s = {.sample = sample};
    const pst_clock *clock = pst_clock_system();
    char group[80];
    *unreachable = false;
    s.until_ms = pst_mono_ms(clock) + sample->timeout_ms;
    snprintf(group, sizeof group, "penstock-sample-%lld-%lld", (long long)getpid(),
             (long long)pst_wall_ms(clock));
    pst_consumer_config config = {
        .kafka = {.worker = sample->worker,
                  .client_id = "penstock-sample",
                  .log = sample->log,
                  .cancel = sample->cancel},
        .group = group,
        .queue_bytes = QUEUE_BYTES,
        .events = {.assigned = on_assigned, .revoked = on_revoked, .opaque = &s},
    };
    pst_rc rc = pst_consumer_new(&s.consumer, &config, err);
    if (rc == PST_OK)
        rc = find_topic(&s, unreachable, err);
    if (rc == PST_OK)
        rc = read_all(&s, err);
    pst_consumer_free(s.consumer);
    return rc;
}

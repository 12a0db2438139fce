/*
 * metrics.h - what a task has done, as numbers that others may read at any time.
 *
 * One pst_metrics a task, for its whole life. Its counters are C11 atomics: the task's
 * thread stores them about once a batch, never once a record; a reader loads them. The
 * table of partitions has a lock of its own, taken about once a second by the task. All
 * pst_metrics_*() calls take NULL: then nobody wants to know. metrics_text.c writes them
 * for Prometheus; what each is called there is in its table.
 */
#ifndef PST_RUNTIME_METRICS_H
#define PST_RUNTIME_METRICS_H

#include "base/buf.h"
#include "base/str.h"
#include "io/kafka.h"

#include <pthread.h>
#include <stdatomic.h>

typedef enum pst_metric {
    /* sinks */
    PST_M_READ,
    PST_M_SEND,
    PST_M_ACTIVE,
    PST_M_PARTITIONS,
    PST_M_COMMIT_SEQ,
    PST_M_COMMITS,
    PST_M_PUT_AVG_US,
    PST_M_PUT_MAX_US,
    /* sources */
    PST_M_POLL,
    PST_M_WRITE,
    PST_M_SOURCE_ACTIVE,
    /* both */
    PST_M_RUNNING_RATIO, /* millionths */
    PST_M_PAUSE_RATIO,
    PST_M_BATCH_AVG,
    PST_M_BATCH_MAX,
    PST_M_COMMIT_AVG_MS,
    PST_M_COMMIT_MAX_MS,
    PST_M_COMMIT_SUCCESS, /* millionths */
    PST_M_COMMIT_FAILURE,
    /* errors */
    PST_M_FAILURES,
    PST_M_ERRORS,
    PST_M_SKIPPED,
    PST_M_RETRIES,
    PST_M_ERRORS_LOGGED,
    PST_M_DLQ_REQUESTS,
    PST_M_DLQ_FAILURES,
    PST_M_LAST_ERROR_MS,
    /* ours */
    PST_M_OBJECTS,
    PST_M_LAST_OBJECT_MS,
    PST_M_CAS_CONFLICTS,
    PST_M_ADOPTED,
    PST_M_BUFFERED,
    PST_M_STALLED_MS,
    /* librdkafka */
    PST_M_KAFKA_RX_BYTES,
    PST_M_KAFKA_TX_BYTES,
    PST_M_KAFKA_RX_MESSAGES,
    PST_M_KAFKA_TX_MESSAGES,
    PST_M_KAFKA_BROKERS_UP,
    PST_M_KAFKA_TIMEOUTS,
    PST_M_KAFKA_RETRIES,
    PST_M_KAFKA_ERRORS,
    PST_M_KAFKA_CONNECTS,
    PST_M_KAFKA_DISCONNECTS,
    PST_M_KAFKA_RTT_US,
    PST_M_KAFKA_RTT_P99_US,
    PST_M_KAFKA_THROTTLE_MS,
    PST_M_KAFKA_FETCHED_RECORDS,
    PST_M_KAFKA_FETCHED_BYTES,
    PST_M_KAFKA_REBALANCES,
    PST_N_METRICS
} pst_metric;

#define PST_METRIC_NONE INT64_MIN /* not known yet, or there was nothing to measure */

enum {
    PST_BUCKETS_MAX = 16,
    PST_METRICS_PARTS_MAX = 1024, /* a task */
    PST_METER_MS = 30000,         /* averages and maxima are over one to two of these */
};

typedef struct pst_histogram {
    _Atomic int64_t buckets[PST_BUCKETS_MAX + 1]; /* not cumulative; the last: more */
    _Atomic int64_t sum;
} pst_histogram;

typedef enum pst_histogram_id {
    PST_H_OBJECT_BYTES,
    PST_H_PUT_US,
    PST_N_HISTOGRAMS
} pst_histogram_id;

typedef struct pst_part_metrics {
    char topic[250];
    int32_t partition;
    int64_t committed, read, end; /* offsets; -1 = not known */
    int64_t age_ms;               /* of the oldest record that is not durable; 0 = none */
} pst_part_metrics;

/* Average and maximum of the last half a minute to a minute. One thread's. */
typedef struct pst_meter {
    int64_t began_ms, sum[2], n[2], max[2]; /* now, and the span before */
} pst_meter;

typedef struct pst_metrics {
    _Atomic int64_t values[PST_N_METRICS];
    pst_histogram histograms[PST_N_HISTOGRAMS];
    pst_meter put, batch, commit, success; /* the task's thread's */
    int64_t looked_ms, running_ms, paused_ms;
    pthread_mutex_t lock; /* of what follows */
    pst_part_metrics *parts;
    size_t n_parts, cap_parts;
    size_t more_parts; /* beyond the ceiling */
} pst_metrics;

void pst_metrics_init(pst_metrics *metrics);
void pst_metrics_done(pst_metrics *metrics);
/* A run begins: back to nothing. */
void pst_metrics_reset(pst_metrics *metrics);

static inline void pst_metrics_set(pst_metrics *metrics, pst_metric which, int64_t value)
{
    if (metrics)
        atomic_store_explicit(&metrics->values[which], value, memory_order_relaxed);
}

static inline void pst_metrics_add(pst_metrics *metrics, pst_metric which, int64_t value)
{
    if (metrics)
        atomic_fetch_add_explicit(&metrics->values[which], value, memory_order_relaxed);
}

static inline int64_t pst_metrics_get(const pst_metrics *metrics, pst_metric which)
{
    pst_metrics *m = (pst_metrics *)(uintptr_t)metrics;
    return atomic_load_explicit(&m->values[which], memory_order_relaxed);
}

/* Any thread. */
void pst_metrics_observe(pst_metrics *metrics, pst_histogram_id which, int64_t value);
/* For durations: monotonic microseconds. */
int64_t pst_metrics_now_us(void);

/* ---- the task's thread ---- */

void pst_meter_add(pst_meter *meter, int64_t now_ms, int64_t value);
/* PST_METRIC_NONE: nothing was measured. */
void pst_meter_read(pst_meter *meter, int64_t now_ms, int64_t *average, int64_t *max);
/* The task ran or was paused since it was last asked; meters become values. Once a
   second. */
void pst_metrics_look(pst_metrics *metrics, int64_t now_ms, bool paused);
/* For pst_kafka_options.stats; self is a pst_metrics. */
void pst_metrics_hear(void *self, const pst_kafka_stats *stats);
/* The partitions from now on; the rows are copied. No memory: the old ones stay. */
void pst_metrics_parts(pst_metrics *metrics, const pst_part_metrics *parts, size_t n,
                       size_t more);

/* ---- for Prometheus: metrics_text.c ---- */

enum {
    PST_METRICS_TASKS_MAX = 200, /* in an answer */
    PST_METRICS_ALL_PARTS_MAX = 2000,
};

/* A copy of one task's. */
typedef struct pst_task_metrics {
    char connector[201];
    int id;
    bool sink;
    int state; /* of pst_task_state */
    int64_t values[PST_N_METRICS];
    int64_t buckets[PST_N_HISTOGRAMS][PST_BUCKETS_MAX + 1];
    int64_t sums[PST_N_HISTOGRAMS];
    pst_part_metrics *parts;
    size_t n_parts;
} pst_task_metrics;

typedef struct pst_metrics_page {
    int64_t buffer_used, buffer_limit;
    int64_t cpu_us, resident_bytes, started_ms;
    size_t connectors, all_tasks;
    pst_task_metrics *tasks;
    size_t n_tasks;
    size_t dropped_tasks, dropped_parts; /* beyond the ceilings */
} pst_metrics_page;

void pst_metrics_copy(pst_metrics *metrics, pst_task_metrics *out);
/* Up to *room partitions, which it lessens; how many more there are is added to *dropped.
 */
pst_rc pst_metrics_copy_parts(pst_metrics *metrics, pst_task_metrics *out, size_t *room,
                              size_t *dropped) PST_MUST;
void pst_metrics_page_done(pst_metrics_page *page);
/* The text exposition format, version 0.0.4. */
pst_rc pst_metrics_text(const pst_metrics_page *page, pst_buf *out) PST_MUST;

typedef struct pst_bound {
    int64_t value;
    const char *le;
} pst_bound;

/* Of a histogram, ascending; *n of them. */
const pst_bound *pst_histogram_bounds(pst_histogram_id which, size_t *n);

#endif

/*
 * metrics.c - see metrics.h: counting, and copies for those who read.
 */
#include "runtime/metrics.h"

#include "base/mem.h"

#include <string.h>
#include <time.h>

static const pst_bound byte_bounds[] = {
    {1 << 10, "1024"},      {1 << 12, "4096"},       {1 << 14, "16384"},
    {1 << 16, "65536"},     {1 << 18, "262144"},     {1 << 20, "1048576"},
    {1 << 22, "4194304"},   {1 << 24, "16777216"},   {1 << 26, "67108864"},
    {1 << 28, "268435456"}, {1 << 30, "1073741824"},
};

static const pst_bound time_bounds[] = {
    {1000, "0.001"},    {2500, "0.0025"},   {5000, "0.005"},    {10000, "0.01"},
    {25000, "0.025"},   {50000, "0.05"},    {100000, "0.1"},    {250000, "0.25"},
    {500000, "0.5"},    {1000000, "1.0"},   {2500000, "2.5"},   {5000000, "5.0"},
    {10000000, "10.0"}, {30000000, "30.0"}, {60000000, "60.0"},
};

const pst_bound *pst_histogram_bounds(pst_histogram_id which, size_t *n)
{
    bool bytes = which == PST_H_OBJECT_BYTES;
    *n = bytes ? sizeof byte_bounds / sizeof *byte_bounds
               : sizeof time_bounds / sizeof *time_bounds;
    return bytes ? byte_bounds : time_bounds;
}

/* What has no value until something is measured. */
static bool starts_unknown(size_t which)
{
    switch ((pst_metric)which) {
    case PST_M_PUT_AVG_US:
    case PST_M_PUT_MAX_US:
    case PST_M_RUNNING_RATIO:
    case PST_M_PAUSE_RATIO:
    case PST_M_BATCH_AVG:
    case PST_M_BATCH_MAX:
    case PST_M_COMMIT_AVG_MS:
    case PST_M_COMMIT_MAX_MS:
    case PST_M_COMMIT_SUCCESS:
    case PST_M_COMMIT_FAILURE:
    case PST_M_KAFKA_RTT_US:
    case PST_M_KAFKA_RTT_P99_US:
        return true;
    default:
        return false;
    }
}

void pst_metrics_reset(pst_metrics *metrics)
{
    const pst_meter none = {.began_ms = 0};
    for (size_t i = 0; i < PST_N_METRICS; i++)
        pst_metrics_set(metrics, (pst_metric)i, starts_unknown(i) ? PST_METRIC_NONE : 0);
    for (size_t i = 0; i < PST_N_HISTOGRAMS; i++) {
        pst_histogram *histogram = &metrics->histograms[i];
        for (size_t k = 0; k <= PST_BUCKETS_MAX; k++)
            atomic_store(&histogram->buckets[k], 0);
        atomic_store(&histogram->sum, 0);
    }
    metrics->put = metrics->batch = metrics->commit = metrics->success = none;
    metrics->looked_ms = metrics->running_ms = metrics->paused_ms = 0;
    pst_metrics_parts(metrics, NULL, 0, 0);
}

void pst_metrics_init(pst_metrics *metrics)
{
    memset(metrics, 0, sizeof *metrics);
    pthread_mutex_init(&metrics->lock, NULL);
    pst_metrics_reset(metrics);
}

void pst_metrics_done(pst_metrics *metrics)
{
    pst_free(metrics->parts);
    pthread_mutex_destroy(&metrics->lock);
}

void pst_metrics_observe(pst_metrics *metrics, pst_histogram_id which, int64_t value)
{
    size_t n, i = 0;
    if (!metrics)
        return;
    const pst_bound *bounds = pst_histogram_bounds(which, &n);
    while (i < n && value > bounds[i].value)
        i++;
    pst_histogram *histogram = &metrics->histograms[which];
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

int64_t pst_metrics_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- meters ---- */

static void turn_over(pst_meter *meter, int64_t now_ms)
{
    int64_t spans = (now_ms - meter->began_ms) / PST_METER_MS;
    if (spans <= 0)
        return;
    bool next = spans == 1;
    meter->sum[1] = next ? meter->sum[0] : 0;
    meter->n[1] = next ? meter->n[0] : 0;
    meter->max[1] = next ? meter->max[0] : 0;
    meter->sum[0] = meter->n[0] = meter->max[0] = 0;
    meter->began_ms += spans * PST_METER_MS;
}

void pst_meter_add(pst_meter *meter, int64_t now_ms, int64_t value)
{
    turn_over(meter, now_ms);
    meter->sum[0] += value;
    meter->n[0]++;
    if (value > meter->max[0])
        meter->max[0] = value;
}

void pst_meter_read(pst_meter *meter, int64_t now_ms, int64_t *average, int64_t *max)
{
    turn_over(meter, now_ms);
    int64_t n = meter->n[0] + meter->n[1];
    *average = n ? (meter->sum[0] + meter->sum[1]) / n : PST_METRIC_NONE;
    *max = !n                              ? PST_METRIC_NONE
           : meter->max[0] > meter->max[1] ? meter->max[0]
                                           : meter->max[1];
}

static void publish(pst_metrics *metrics, pst_meter *meter, int64_t now_ms,
                    pst_metric average, pst_metric max)
{
    int64_t avg, most;
    pst_meter_read(meter, now_ms, &avg, &most);
    pst_metrics_set(metrics, average, avg);
    pst_metrics_set(metrics, max, most);
}

void pst_metrics_look(pst_metrics *metrics, int64_t now_ms, bool paused)
{
    if (!metrics)
        return;
    if (metrics->looked_ms && now_ms > metrics->looked_ms)
        *(paused ? &metrics->paused_ms : &metrics->running_ms) +=
            now_ms - metrics->looked_ms;
    metrics->looked_ms = now_ms;
    int64_t all = metrics->running_ms + metrics->paused_ms;
    if (all) {
        int64_t share = metrics->running_ms * 1000000 / all;
        pst_metrics_set(metrics, PST_M_RUNNING_RATIO, share);
        pst_metrics_set(metrics, PST_M_PAUSE_RATIO, 1000000 - share);
    }
    publish(metrics, &metrics->put, now_ms, PST_M_PUT_AVG_US, PST_M_PUT_MAX_US);
    publish(metrics, &metrics->batch, now_ms, PST_M_BATCH_AVG, PST_M_BATCH_MAX);
    publish(metrics, &metrics->commit, now_ms, PST_M_COMMIT_AVG_MS, PST_M_COMMIT_MAX_MS);
    int64_t success, most;
    pst_meter_read(&metrics->success, now_ms, &success, &most);
    bool known = success != PST_METRIC_NONE;
    pst_metrics_set(metrics, PST_M_COMMIT_SUCCESS, success);
    pst_metrics_set(metrics, PST_M_COMMIT_FAILURE,
                    known ? 1000000 - success : PST_METRIC_NONE);
}

/* ---- partitions ---- */

static bool make_room(pst_metrics *metrics, size_t n)
{
    if (n <= metrics->cap_parts)
        return true;
    size_t cap = n + n / 2 < 8 ? 8 : n + n / 2;
    pst_part_metrics *parts = pst_realloc(metrics->parts, cap, sizeof *parts);
    if (!parts)
        return false;
    metrics->parts = parts;
    metrics->cap_parts = cap;
    return true;
}

void pst_metrics_parts(pst_metrics *metrics, const pst_part_metrics *parts, size_t n,
                       size_t more)
{
    if (!metrics)
        return;
    pthread_mutex_lock(&metrics->lock);
    if (make_room(metrics, n)) {
        if (n)
            memcpy(metrics->parts, parts, n * sizeof *parts);
        metrics->n_parts = n;
        metrics->more_parts = more;
    }
    pthread_mutex_unlock(&metrics->lock);
}

/* ---- copies ---- */

void pst_metrics_copy(pst_metrics *metrics, pst_task_metrics *out)
{
    for (size_t i = 0; i < PST_N_METRICS; i++)
        out->values[i] = pst_metrics_get(metrics, (pst_metric)i);
    for (size_t i = 0; i < PST_N_HISTOGRAMS; i++) {
        pst_histogram *histogram = &metrics->histograms[i];
        for (size_t k = 0; k <= PST_BUCKETS_MAX; k++)
            out->buckets[i][k] = atomic_load(&histogram->buckets[k]);
        out->sums[i] = atomic_load(&histogram->sum);
    }
}

pst_rc pst_metrics_copy_parts(pst_metrics *metrics, pst_task_metrics *out, size_t *room,
                              size_t *dropped)
{
    pthread_mutex_lock(&metrics->lock);
    size_t n = metrics->n_parts < *room ? metrics->n_parts : *room;
    out->parts = n ? pst_calloc(n, sizeof *out->parts) : NULL;
    pst_rc rc = n && !out->parts ? PST_E_NOMEM : PST_OK;
    if (rc == PST_OK && n)
        memcpy(out->parts, metrics->parts, n * sizeof *out->parts);
    out->n_parts = rc == PST_OK ? n : 0;
    *room -= n;
    *dropped += metrics->n_parts - n + metrics->more_parts;
    pthread_mutex_unlock(&metrics->lock);
    return rc;
}

void pst_metrics_page_done(pst_metrics_page *page)
{
    for (size_t i = 0; page->tasks && i < page->n_tasks; i++)
        pst_free(page->tasks[i].parts);
    pst_free(page->tasks);
    *page = (pst_metrics_page){.tasks = NULL};
}

/* ---- librdkafka's ---- */

void pst_metrics_hear(void *self, const pst_kafka_stats *stats)
{
    const struct {
        pst_metric which;
        int64_t value;
    } rows[] = {
        {PST_M_KAFKA_RX_BYTES, stats->rx_bytes},
        {PST_M_KAFKA_TX_BYTES, stats->tx_bytes},
        {PST_M_KAFKA_RX_MESSAGES, stats->rx_messages},
        {PST_M_KAFKA_TX_MESSAGES, stats->tx_messages},
        {PST_M_KAFKA_BROKERS_UP, stats->brokers_up},
        {PST_M_KAFKA_TIMEOUTS, stats->timeouts},
        {PST_M_KAFKA_RETRIES, stats->retries},
        {PST_M_KAFKA_ERRORS, stats->errors},
        {PST_M_KAFKA_CONNECTS, stats->connects},
        {PST_M_KAFKA_DISCONNECTS, stats->disconnects},
        {PST_M_KAFKA_RTT_US, stats->rtt_us},
        {PST_M_KAFKA_RTT_P99_US, stats->rtt_p99_us},
        {PST_M_KAFKA_THROTTLE_MS, stats->throttle_ms},
        {PST_M_KAFKA_FETCHED_RECORDS, stats->fetched_records},
        {PST_M_KAFKA_FETCHED_BYTES, stats->fetched_bytes},
        {PST_M_KAFKA_REBALANCES, stats->rebalances},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        pst_metrics_set(self, rows[i].which, rows[i].value);
}

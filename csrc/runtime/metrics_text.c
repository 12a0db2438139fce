/*
 * metrics_text.c - a page of metrics in Prometheus' text exposition format, 0.0.4.
 *
 * Connect's MBean attributes keep their names, with Prometheus' conventions on top, which
 * promtool insists on: seconds instead of -ms, _total at the end of counters and nowhere
 * else, no -count. All numbers are integers here, so no locale can change them.
 */
#include "runtime/metrics.h"

#include "runtime/worker.h"

#include <inttypes.h>

#define SINK_TASK "kafka_connect_sink_task_metrics_"
#define SOURCE_TASK "kafka_connect_source_task_metrics_"
#define TASK "kafka_connect_connector_task_metrics_"
#define ERRORS "kafka_connect_task_error_metrics_"
#define OURS "penstock_"

enum { OF_SINK = 1, OF_SOURCE = 2, OF_BOTH = 3 };

typedef struct family {
    pst_metric which;
    const char *name, *help;
    int decimals; /* the value is in units of 10^-decimals */
    int of;
    bool gauge;
} family;

static const family families[] = {
    {PST_M_READ, SINK_TASK "sink_record_read_total", "Records read from Kafka.", 0,
     OF_SINK, false},
    {PST_M_SEND, SINK_TASK "sink_record_send_total", "Records that became rows.", 0,
     OF_SINK, false},
    {PST_M_ACTIVE, SINK_TASK "sink_record_active",
     "Records read that are not durable in the store yet.", 0, OF_SINK, true},
    {PST_M_PARTITIONS, SINK_TASK "partitions", "Partitions assigned to the task.", 0,
     OF_SINK, true},
    {PST_M_COMMIT_SEQ, SINK_TASK "offset_commit_seq_no",
     "Number of the last commit that was asked for.", 0, OF_SINK, true},
    {PST_M_COMMITS, SINK_TASK "offset_commit_completion_total", "Commits that succeeded.",
     0, OF_SINK, false},
    {PST_M_PUT_AVG_US, SINK_TASK "put_batch_avg_time_seconds",
     "Average time to take a batch, of the last minute.", 6, OF_SINK, true},
    {PST_M_PUT_MAX_US, SINK_TASK "put_batch_max_time_seconds",
     "Longest time to take a batch, of the last minute.", 6, OF_SINK, true},
    {PST_M_POLL, SOURCE_TASK "source_record_poll_total",
     "Records that the source has given.", 0, OF_SOURCE, false},
    {PST_M_WRITE, SOURCE_TASK "source_record_write_total",
     "Records that Kafka has acknowledged.", 0, OF_SOURCE, false},
    {PST_M_SOURCE_ACTIVE, SOURCE_TASK "source_record_active",
     "Records given that Kafka has not acknowledged yet.", 0, OF_SOURCE, true},
    {PST_M_RUNNING_RATIO, TASK "running_ratio", "Share of its time the task ran.", 6,
     OF_BOTH, true},
    {PST_M_PAUSE_RATIO, TASK "pause_ratio", "Share of its time the task was paused.", 6,
     OF_BOTH, true},
    {PST_M_BATCH_AVG, TASK "batch_size_avg", "Records a batch, of the last minute.", 0,
     OF_BOTH, true},
    {PST_M_BATCH_MAX, TASK "batch_size_max", "Largest batch of the last minute.", 0,
     OF_BOTH, true},
    {PST_M_COMMIT_AVG_MS, TASK "offset_commit_avg_time_seconds",
     "Average time of a commit, of the last minute.", 3, OF_SINK, true},
    {PST_M_COMMIT_MAX_MS, TASK "offset_commit_max_time_seconds",
     "Longest commit of the last minute.", 3, OF_SINK, true},
    {PST_M_COMMIT_SUCCESS, TASK "offset_commit_success_percentage",
     "Share of the last minute's commits that succeeded, 0 to 1 as Connect's.", 6,
     OF_SINK, true},
    {PST_M_COMMIT_FAILURE, TASK "offset_commit_failure_percentage",
     "Share of the last minute's commits that failed, 0 to 1 as Connect's.", 6, OF_SINK,
     true},
    {PST_M_FAILURES, ERRORS "record_failures_total",
     "Records that could not be worked on and ended the task.", 0, OF_BOTH, false},
    {PST_M_ERRORS, ERRORS "record_errors_total", "Records that could not be worked on.",
     0, OF_BOTH, false},
    {PST_M_SKIPPED, ERRORS "records_skipped_total", "Records skipped for errors.", 0,
     OF_BOTH, false},
    {PST_M_RETRIES, ERRORS "retries_total", "Operations that are tried again.", 0,
     OF_BOTH, false},
    {PST_M_ERRORS_LOGGED, ERRORS "errors_logged_total", "Errors written to the log.", 0,
     OF_SINK, false},
    {PST_M_DLQ_REQUESTS, ERRORS "deadletterqueue_produce_requests_total",
     "Dead letters that were answered.", 0, OF_SINK, false},
    {PST_M_DLQ_FAILURES, ERRORS "deadletterqueue_produce_failures_total",
     "Dead letters that failed; their window is read again.", 0, OF_SINK, false},
    {PST_M_LAST_ERROR_MS, ERRORS "last_error_timestamp_seconds",
     "When a record last failed; 0 = never.", 3, OF_SINK, true},
    {PST_M_OBJECTS, OURS "objects_total", "Objects landed.", 0, OF_SINK, false},
    {PST_M_LAST_OBJECT_MS, OURS "last_object_timestamp_seconds",
     "When an object was last landed; 0 = never.", 3, OF_SINK, true},
    {PST_M_CAS_CONFLICTS, OURS "cas_conflicts_total",
     "Conditional creates that found the key taken.", 0, OF_SINK, false},
    {PST_M_ADOPTED, OURS "records_adopted_total",
     "Offsets that another task of the group had landed first.", 0, OF_SINK, false},
    {PST_M_BUFFERED, OURS "task_buffer_bytes", "Memory that the task's windows hold.", 0,
     OF_SINK, true},
    {PST_M_STALLED_MS, OURS "store_stalled_seconds",
     "How long the store has failed for the partition that waits longest.", 3, OF_SINK,
     true},
    {PST_M_KAFKA_RX_BYTES, OURS "kafka_received_bytes_total",
     "Bytes received from brokers.", 0, OF_BOTH, false},
    {PST_M_KAFKA_TX_BYTES, OURS "kafka_sent_bytes_total", "Bytes sent to brokers.", 0,
     OF_BOTH, false},
    {PST_M_KAFKA_RX_MESSAGES, OURS "kafka_received_messages_total",
     "Records received from brokers.", 0, OF_SINK, false},
    {PST_M_KAFKA_TX_MESSAGES, OURS "kafka_sent_messages_total",
     "Records sent to brokers.", 0, OF_SOURCE, false},
    {PST_M_KAFKA_BROKERS_UP, OURS "kafka_brokers_up", "Brokers connected to.", 0, OF_BOTH,
     true},
    {PST_M_KAFKA_TIMEOUTS, OURS "kafka_request_timeouts_total",
     "Requests that timed out.", 0, OF_BOTH, false},
    {PST_M_KAFKA_RETRIES, OURS "kafka_request_retries_total",
     "Requests that were sent again.", 0, OF_BOTH, false},
    {PST_M_KAFKA_ERRORS, OURS "kafka_request_errors_total",
     "Errors of sending and receiving.", 0, OF_BOTH, false},
    {PST_M_KAFKA_CONNECTS, OURS "kafka_connects_total", "Attempts to connect.", 0,
     OF_BOTH, false},
    {PST_M_KAFKA_DISCONNECTS, OURS "kafka_disconnects_total", "Connections that ended.",
     0, OF_BOTH, false},
    {PST_M_KAFKA_RTT_US, OURS "kafka_broker_rtt_seconds",
     "Average time of a request to the slowest broker.", 6, OF_BOTH, true},
    {PST_M_KAFKA_RTT_P99_US, OURS "kafka_broker_rtt_p99_seconds",
     "99th percentile of a request's time to the slowest broker.", 6, OF_BOTH, true},
    {PST_M_KAFKA_THROTTLE_MS, OURS "kafka_broker_throttle_seconds",
     "Average throttling by the broker that throttles most.", 3, OF_BOTH, true},
    {PST_M_KAFKA_FETCHED_RECORDS, OURS "kafka_fetch_queue_records",
     "Records fetched ahead.", 0, OF_SINK, true},
    {PST_M_KAFKA_FETCHED_BYTES, OURS "kafka_fetch_queue_bytes", "Bytes fetched ahead.", 0,
     OF_SINK, true},
    {PST_M_KAFKA_REBALANCES, OURS "kafka_rebalances_total",
     "Rebalances of the task's group.", 0, OF_SINK, false},
};

/* ---- pieces ---- */

static pst_rc head(pst_buf *out, const char *name, const char *type, const char *help)
{
    return pst_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static pst_rc number(pst_buf *out, int64_t value, int decimals)
{
    static const int64_t units[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    if (value == PST_METRIC_NONE)
        return pst_buf_adds(out, "NaN\n");
    if (!decimals)
        return pst_buf_addf(out, "%" PRId64 "\n", value);
    int64_t unit = units[decimals], left = value % unit;
    return pst_buf_addf(out, "%s%" PRId64 ".%0*" PRId64 "\n", value < 0 ? "-" : "",
                        value < 0 ? -(value / unit) : value / unit, decimals,
                        left < 0 ? -left : left);
}

/* Names come from outside: whatever they hold, a line stays a line, and UTF-8. */
static pst_rc escaped(pst_buf *out, const char *s)
{
    bool utf8 = pst_utf8_valid(pst_sv_of(s));
    pst_rc rc = PST_OK;
    for (; rc == PST_OK && *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\n')
            rc = pst_buf_adds(out, "\\n");
        else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
            rc = pst_buf_addc(out, '?');
        else if (c == '"' || c == '\\')
            rc = pst_buf_addf(out, "\\%c", c);
        else
            rc = pst_buf_addc(out, *s);
    }
    return rc;
}

/* name{connector="…",task="…" : the caller goes on. */
static pst_rc begin(pst_buf *out, const char *name, const char *suffix,
                    const pst_task_metrics *task)
{
    pst_rc rc = pst_buf_addf(out, "%s%s{connector=\"", name, suffix);
    if (rc == PST_OK)
        rc = escaped(out, task->connector);
    if (rc == PST_OK)
        rc = pst_buf_addf(out, "\",task=\"%d\"", task->id);
    return rc;
}

static pst_rc end(pst_buf *out, int64_t value, int decimals)
{
    pst_rc rc = pst_buf_adds(out, "} ");
    return rc == PST_OK ? number(out, value, decimals) : rc;
}

/* ---- families ---- */

static pst_rc add_family(const pst_metrics_page *page, const family *f, pst_buf *out)
{
    pst_rc rc = head(out, f->name, f->gauge ? "gauge" : "counter", f->help);
    for (size_t i = 0; rc == PST_OK && i < page->n_tasks; i++) {
        const pst_task_metrics *task = &page->tasks[i];
        if (!(f->of & (task->sink ? OF_SINK : OF_SOURCE)))
            continue;
        rc = begin(out, f->name, "", task);
        if (rc == PST_OK)
            rc = end(out, task->values[f->which], f->decimals);
    }
    return rc;
}

static pst_rc add_status(const pst_metrics_page *page, pst_buf *out)
{
    static const char *const names[] = {
        [PST_TASK_STARTING] = "unassigned", [PST_TASK_RUNNING] = "running",
        [PST_TASK_PAUSED] = "paused",       [PST_TASK_DONE] = "stopped",
        [PST_TASK_FAILED] = "failed",
    };
    const char *name = TASK "status";
    pst_rc rc = head(out, name, "gauge", "1 for the state that the task is in, else 0.");
    for (size_t i = 0; i < page->n_tasks; i++)
        for (int k = 0; rc == PST_OK && k <= PST_TASK_FAILED; k++) {
            rc = begin(out, name, "", &page->tasks[i]);
            if (rc == PST_OK)
                rc = pst_buf_addf(out, ",status=\"%s\"", names[k]);
            if (rc == PST_OK)
                rc = end(out, page->tasks[i].state == k, 0);
        }
    return rc;
}

static pst_rc add_buckets(const pst_task_metrics *task, pst_histogram_id which,
                          const char *name, int decimals, pst_buf *out)
{
    size_t n;
    int64_t below = 0;
    const pst_bound *bounds = pst_histogram_bounds(which, &n);
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i <= n; i++) {
        below += task->buckets[which][i];
        rc = begin(out, name, "_bucket", task);
        if (rc == PST_OK)
            rc = pst_buf_addf(out, ",le=\"%s\"", i < n ? bounds[i].le : "+Inf");
        if (rc == PST_OK)
            rc = end(out, below, 0);
    }
    if (rc == PST_OK)
        rc = begin(out, name, "_sum", task);
    if (rc == PST_OK)
        rc = end(out, task->sums[which], decimals);
    if (rc == PST_OK)
        rc = begin(out, name, "_count", task);
    return rc == PST_OK ? end(out, below, 0) : rc;
}

static pst_rc add_histogram(const pst_metrics_page *page, pst_histogram_id which,
                            pst_buf *out)
{
    bool bytes = which == PST_H_OBJECT_BYTES;
    const char *name = bytes ? OURS "object_bytes" : OURS "put_seconds";
    pst_rc rc = head(out, name, "histogram",
                     bytes ? "Sizes of the objects landed, as they are in the store."
                           : "Time of an object's PUT, whatever came of it.");
    for (size_t i = 0; rc == PST_OK && i < page->n_tasks; i++)
        if (page->tasks[i].sink)
            rc = add_buckets(&page->tasks[i], which, name, bytes ? 0 : 6, out);
    return rc;
}

/* ---- partitions ---- */

typedef enum part_value { LAG, AGE, COMMITTED, READ } part_value;

static int64_t value_of(const pst_part_metrics *part, part_value which)
{
    if (which == AGE)
        return part->age_ms;
    if (which == READ)
        return part->read;
    if (which == COMMITTED)
        return part->committed;
    if (part->end < 0 || part->committed < 0)
        return -1;
    return part->end > part->committed ? part->end - part->committed : 0;
}

static pst_rc add_part(const pst_task_metrics *task, const pst_part_metrics *part,
                       const char *name, int64_t value, int decimals, pst_buf *out)
{
    pst_rc rc = begin(out, name, "", task);
    if (rc == PST_OK)
        rc = pst_buf_adds(out, ",topic=\"");
    if (rc == PST_OK)
        rc = escaped(out, part->topic);
    if (rc == PST_OK)
        rc = pst_buf_addf(out, "\",partition=\"%d\"", part->partition);
    return rc == PST_OK ? end(out, value, decimals) : rc;
}

/* What is not known yet is left out. */
static pst_rc add_parts(const pst_metrics_page *page, part_value which, const char *name,
                        const char *help, pst_buf *out)
{
    pst_rc rc = head(out, name, "gauge", help);
    for (size_t i = 0; i < page->n_tasks; i++)
        for (size_t k = 0; rc == PST_OK && k < page->tasks[i].n_parts; k++) {
            const pst_part_metrics *part = &page->tasks[i].parts[k];
            int64_t value = value_of(part, which);
            if (value >= 0)
                rc = add_part(&page->tasks[i], part, name, value, which == AGE ? 3 : 0,
                              out);
        }
    return rc;
}

static pst_rc add_all_parts(const pst_metrics_page *page, pst_buf *out)
{
    pst_rc rc = add_parts(page, LAG, OURS "consumer_lag",
                          "Records between the group's commit and the partition's end, "
                          "as last fetched.",
                          out);
    if (rc == PST_OK)
        rc = add_parts(page, AGE, OURS "oldest_unflushed_age_seconds",
                       "Age of the oldest record read that is not durable; 0 = none.",
                       out);
    if (rc == PST_OK)
        rc = add_parts(page, COMMITTED, OURS "committed_offset",
                       "Offset below which all is durable and committed.", out);
    if (rc == PST_OK)
        rc = add_parts(page, READ, OURS "read_offset", "Offset that is read next.", out);
    return rc;
}

/* ---- the process ---- */

static pst_rc add_one(pst_buf *out, const char *name, const char *type, const char *help,
                      int64_t value, int decimals)
{
    pst_rc rc = head(out, name, type, help);
    if (rc == PST_OK)
        rc = pst_buf_addf(out, "%s ", name);
    return rc == PST_OK ? number(out, value, decimals) : rc;
}

static pst_rc add_process(const pst_metrics_page *page, pst_buf *out)
{
    const struct {
        const char *name, *type, *help;
        int64_t value;
        int decimals;
    } rows[] = {
        {OURS "buffer_bytes", "gauge", "Memory that windows hold, of all tasks.",
         page->buffer_used, 0},
        {OURS "buffer_limit_bytes", "gauge", "What buffer.memory leaves for windows.",
         page->buffer_limit, 0},
        {OURS "dropped_tasks", "gauge", "Tasks left out of this answer: too many.",
         (int64_t)page->dropped_tasks, 0},
        {OURS "dropped_partitions", "gauge",
         "Partitions left out of this answer: too many.", (int64_t)page->dropped_parts,
         0},
        {"kafka_connect_worker_metrics_connectors", "gauge", "Connectors of the worker.",
         (int64_t)page->connectors, 0},
        {"kafka_connect_worker_metrics_tasks", "gauge", "Tasks of the worker.",
         (int64_t)page->all_tasks, 0},
        {"process_cpu_seconds_total", "counter", "User and system CPU time.",
         page->cpu_us, 6},
        {"process_resident_memory_bytes", "gauge", "Resident memory.",
         page->resident_bytes, 0},
        {"process_start_time_seconds", "gauge", "When the worker was made.",
         page->started_ms, 3},
    };
    pst_rc rc = head(out, OURS "build_info", "gauge", "1, with the version as a label.");
    if (rc == PST_OK)
        rc = pst_buf_adds(out, OURS "build_info{version=\"" PST_VERSION "\"} 1\n");
    for (size_t i = 0; rc == PST_OK && i < sizeof rows / sizeof *rows; i++)
        rc = add_one(out, rows[i].name, rows[i].type, rows[i].help, rows[i].value,
                     rows[i].decimals);
    return rc;
}

pst_rc pst_metrics_text(const pst_metrics_page *page, pst_buf *out)
{
    pst_rc rc = add_process(page, out);
    if (rc == PST_OK)
        rc = add_status(page, out);
    for (size_t i = 0; rc == PST_OK && i < sizeof families / sizeof *families; i++)
        rc = add_family(page, &families[i], out);
    for (int i = 0; rc == PST_OK && i < PST_N_HISTOGRAMS; i++)
        rc = add_histogram(page, (pst_histogram_id)i, out);
    return rc == PST_OK ? add_all_parts(page, out) : rc;
}

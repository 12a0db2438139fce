/*
 * plugin.h - what a connector is to the runtime: Kafka Connect's life cycle in C.
 *
 * A plugin is one const struct at the end of its file: a settings table and short
 * callbacks. It classifies what happens to it; only the runtime retries, sleeps, owns
 * threads and commits offsets. A callback answers PST_OK                       go on an
 * error with err.retriable  the runtime backs off and makes the same call again any other
 * error              the task fails with err's text All callbacks of one task come from
 * one thread, unless said otherwise.
 */
#ifndef PST_RUNTIME_PLUGIN_H
#define PST_RUNTIME_PLUGIN_H

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "io/kafka.h"
#include "runtime/progress.h"

#include <stdatomic.h>

/* Settings that every connector has; first member of each connector's struct. Rows in
   runtime/settings.c. */
typedef struct pst_connector_conf {
    char *name;
    char *connector_class;
    int tasks_max;
    int errors_tolerance; /* enum pst_tolerance */
    bool errors_log_enable, errors_log_messages;
    int64_t errors_retry_timeout_ms; /* -1 = for ever */
    int64_t errors_retry_delay_max_ms;
    char *dlq_topic; /* sinks: where records that can't become rows go; NULL = nowhere */
    int dlq_replication;
    bool dlq_context_headers;
} pst_connector_conf;

enum pst_tolerance { PST_TOLERANCE_NONE, PST_TOLERANCE_ALL };

extern const pst_conf_section pst_connector_section;

/* What the runtime lends to a task. */
typedef struct pst_task_env {
    const char *connector; /* its name */
    const char *id;        /* "users-sink-0", for logs */
    int index;
    const pst_clock *clock;
    pst_cancel *cancel;        /* set when the task is to stop in good order */
    pst_cancel *abort;         /* set when there is no time left: end every wait */
    const atomic_bool *paused; /* do nothing while it is true; NULL = it never is */
    const char *cluster;       /* sinks: Kafka's cluster id */
    const char *group;         /* sinks: the consumer group */
    int session_timeout_ms;
    bool until_end;    /* stop at the offsets that were the end when assigned */
    bool reset_latest; /* consumer.auto.offset.reset=latest: where a new chain begins */
    int64_t startup_timeout_ms;
    pst_log *log;
    const pst_props *worker; /* the worker's properties */
    const pst_props *connector_props;
    struct pst_budget *budget;    /* the process's memory for records and bytes */
    struct pst_spool *spool;      /* for what memory does not hold; NULL = none */
    struct pst_metrics *metrics;  /* what the task counts; NULL = nobody asks */
    bool observed;                /* librdkafka is to count, too */
    const char *offsets_topic;    /* offset.storage.topic; NULL or "" = none are stored */
    int64_t offsets_retention_ms; /* offset.storage.retention.ms; 0 = for ever */
} pst_task_env;

/* ---- source ---- */

typedef struct pst_source pst_source;

/* A record to produce; bytes are borrowed until the next poll(). */
typedef struct pst_source_record {
    const char *topic;
    int32_t partition; /* -1 = by the key */
    pst_sv key, value;
    int64_t timestamp_ms; /* 0 = now */
} pst_source_record;

typedef struct pst_source_ops {
    pst_rc (*start)(pst_source **out, const void *conf, const pst_task_env *env,
                    pst_err *err);
    /* Hands over the records that are due now: n may be 0, then *wait_ms says when to ask
       again. Never sleeps longer than an HTTP request takes. *finished: nothing will ever
       come again. */
    pst_rc (*poll)(pst_source *source, const pst_source_record **records, size_t *n,
                   int64_t *wait_ms, bool *finished, pst_err *err);
    /* All records of the last poll() are acknowledged by Kafka. */
    pst_rc (*commit)(pst_source *source, pst_err *err);
    void (*stop)(pst_source *source); /* frees; NULL is fine */

    /* Stored offsets (KIP-618): all three, or all NULL. With them records and the offset
       of what comes next are one transaction a poll, in offset.storage.topic.
       The source partition, a JSON object: what the offset is an offset of. Out of the
       settings alone; nothing appended = this configuration has none to store. */
    pst_rc (*partition)(const void *conf, pst_buf *out, pst_err *err);
    /* Once, before the first poll(): go on where `stored` says, what offset() gave; NULL
       = there is none yet. */
    pst_rc (*resume)(pst_source *source, const char *stored, pst_err *err);
    /* After a poll(): where to go on after its records, a JSON object. */
    pst_rc (*offset)(pst_source *source, pst_buf *out, pst_err *err);
} pst_source_ops;

/* ---- sink ---- */

typedef struct pst_sink pst_sink;

/* What Kafka says of a partition when it is opened. */
typedef struct pst_log_facts {
    int64_t committed;    /* the group's offset, PST_OFFSET_NONE if none */
    const char *metadata; /* of that commit, "" if none */
    int64_t low, high;    /* first offset and end of the log */
    int64_t asked_ms;     /* monotonic: when the commit was asked for */
} pst_log_facts;

/* How a sink asks back while it works. All but seek() may be called from any thread. A
   NULL host (Python's put/flush/close) means that Kafka is not asked: no commits, no log.
 */
typedef struct pst_sink_host {
    /* Fills offset and metadata of the group's commits; metadata has n slots. */
    pst_rc (*commits)(void *self, pst_tp *tps, size_t n,
                      char (*metadata)[PST_KAFKA_METADATA_MAX], pst_err *err);
    pst_rc (*watermarks)(void *self, const char *topic, int32_t partition, int64_t *low,
                         int64_t *high, pst_err *err);
    pst_rc (*partitions)(void *self, const char *topic, int32_t *n, pst_err *err);
    /* Go on reading this partition at `offset` (the sink dropped what it had). */
    pst_rc (*seek)(void *self, const char *topic, int32_t partition, int64_t offset,
                   pst_err *err);
    /* The partition's end as it was last fetched, without asking anybody; -1 = not
       known. May be NULL. */
    int64_t (*end)(void *self, const char *topic, int32_t partition);
    /* Something has ended in the background: tick() should come soon. May be NULL. */
    void (*wake)(void *self);
    /* While open() waits, from its thread: why. May be NULL. */
    void (*trouble)(void *self, const char *text);
    void *self;
} pst_sink_host;

/* Counters of a sink, as its task's thread sees them. */
typedef struct pst_sink_stats {
    int64_t records, rows, objects, bytes, skipped, errors, adopted;
    int64_t dead_letters;      /* acknowledged */
    int64_t dead_letters_lost; /* failed: their window is read again */
    int64_t buffered_bytes;
    int64_t oldest_unflushed_ms; /* age; 0 = nothing buffered */
    bool stalled;                /* the store has not answered well for some time */
    const char *guarantee; /* what the store lets it promise; NULL = not known yet */
    char last_object[1200];
} pst_sink_stats;

typedef struct pst_sink_ops {
    pst_rc (*start)(pst_sink **out, const void *conf, const pst_task_env *env,
                    const pst_sink_host *host, pst_err *err);
    /* Partitions are assigned: sets tps[i].offset to where reading starts. May wait for
       the store as long as env->cancel is not set. */
    pst_rc (*open)(pst_sink *sink, pst_tp *tps, size_t n, pst_err *err);
    /* Takes records and ends of partitions; *taken < n with PST_OK means: memory is full,
       offer the rest again later. */
    pst_rc (*put)(pst_sink *sink, const pst_item *items, size_t n, size_t *taken,
                  pst_err *err);
    /* Timers and finished uploads; to be called often. *next_ms: when at the latest to
       call again. */
    pst_rc (*tick)(pst_sink *sink, int64_t *next_ms, pst_err *err);
    /* Closes what is buffered for these partitions (all if tps is NULL) at once, whatever
       its age; tick() until idle() to see it durable. */
    void (*flush)(pst_sink *sink, const pst_tp *tps, size_t n);
    bool (*idle)(const pst_sink *sink, const pst_tp *tps, size_t n);
    /* until_end: all that is assigned is read up to its end. */
    bool (*finished)(const pst_sink *sink);
    /* What is durable and not yet told: up to max positions with metadata, valid until
       the next call; returns how many. */
    size_t (*precommit)(pst_sink *sink, pst_tp *out, size_t max);
    /* The commit of these positions, sent at asked_ms (monotonic), succeeded. */
    void (*committed)(pst_sink *sink, const pst_tp *tps, size_t n, int64_t asked_ms);
    /* Partitions go away; what is buffered for them is dropped. */
    void (*close)(pst_sink *sink, const pst_tp *tps, size_t n);
    void (*stats)(const pst_sink *sink, pst_sink_stats *out);
    /* All but `end`, and what is filled in. NULL = it has nothing to tell. */
    void (*progress)(pst_sink *sink, pst_progress *out);
    void (*stop)(pst_sink *sink); /* frees; NULL is fine */
} pst_sink_ops;

/* ---- registry ---- */

typedef struct pst_connector {
    const char *class_name; /* "S3CsvSink" */
    const char *type;       /* "source" | "sink" */
    const pst_conf_spec *spec;
    const pst_source_ops *source; /* one of the two */
    const pst_sink_ops *sink;
    /* Sinks: which topics and which consumer settings, out of the connector's struct. */
    const pst_conf_list *(*topics)(const void *conf, const char **regex);
} pst_connector;

/* connectors/registry.c */
extern const pst_connector *const pst_connectors[];
extern const size_t pst_connectors_n;
const pst_connector *pst_connector_find(const char *class_name); /* NULL if unknown */

#endif

/*
 * kafka.h - Kafka for the runtime. kafka*.c are the only includers of rdkafka.h.
 *
 * Both clients take their librdkafka settings from the worker's and the connector's
 * properties: plain librdkafka names and bootstrap.servers, then consumer.* / producer.*
 * of the worker, then consumer.override.* / producer.override.* of the connector (as
 * Connect), then what the runtime fixes (auto.offset.reset=error,
 * enable.auto.commit=false, acks=all …): a user's value for one of those is a
 * configuration error. librdkafka's own log lines and errors go to the pst_log.
 */
#ifndef PST_IO_KAFKA_H
#define PST_IO_KAFKA_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "record/record.h"

typedef enum pst_kafka_role { PST_KAFKA_CONSUMER, PST_KAFKA_PRODUCER } pst_kafka_role;

/* For pst_conf_spec.other: does librdkafka know this key and take this value? Handles
   "consumer.", "producer.", "consumer.override.", "producer.override." and plain names.
 */
pst_rc pst_kafka_check_property(const char *key, const char *value,
                                pst_err *err) PST_MUST;

/* What librdkafka counts; times in microseconds of the broker that is worst. */
typedef struct pst_kafka_stats {
    int64_t rx_bytes, tx_bytes, rx_messages, tx_messages;
    int64_t brokers_up, timeouts, retries, errors, connects, disconnects;
    int64_t rtt_us, rtt_p99_us, throttle_ms;
    int64_t fetched_records, fetched_bytes, rebalances;
} pst_kafka_stats;

/* Reads the text of librdkafka's statistics; what it does not find stays 0. */
void pst_kafka_stats_read(const char *json, size_t n, pst_kafka_stats *out);

typedef struct pst_kafka_options {
    const pst_props *worker;    /* may be NULL */
    const pst_props *connector; /* may be NULL */
    const char *client_id;      /* "users-sink-0" */
    pst_log *log;
    pst_cancel *cancel; /* ends waits */
    /* May be NULL: hears librdkafka's statistics, in the thread that polls or serves. */
    void (*stats)(void *self, const pst_kafka_stats *stats);
    void *stats_self;
} pst_kafka_options;

/* ---- consumer ---- */

/* A position in one partition. Strings are borrowed unless said otherwise. */
typedef struct pst_tp {
    const char *topic;
    int32_t partition;
    int64_t offset;       /* -1 = none */
    const char *metadata; /* of a commit; NULL = none */
    int64_t from;         /* set when a sink opens it: first offset that it will take */
} pst_tp;

enum { PST_OFFSET_NONE = -1, PST_KAFKA_METADATA_MAX = 1024 };

typedef struct pst_consumer pst_consumer;

/* Called from pst_consumer_serve() only, in the caller's thread. */
typedef struct pst_consumer_events {
    /* New partitions: fill in each tp's offset, where reading starts (>= 0). PST_OK
       starts them; else the consumer remembers the error and pst_consumer_serve() returns
       it. */
    pst_rc (*assigned)(void *opaque, pst_tp *tps, size_t n, pst_err *err);
    /* Partitions go away; `lost`: somebody else may own them already. */
    void (*revoked)(void *opaque, const pst_tp *tps, size_t n, bool lost);
    /* An asynchronous commit ended; err is NULL when it succeeded. */
    void (*committed)(void *opaque, const pst_tp *tps, size_t n, const pst_err *err);
    void *opaque;
} pst_consumer_events;

typedef struct pst_consumer_config {
    pst_kafka_options kafka;
    const char *group;
    int64_t queue_bytes; /* ceiling of librdkafka's prefetch queue */
    pst_consumer_events events;
} pst_consumer_config;

pst_rc pst_consumer_new(pst_consumer **out, const pst_consumer_config *config,
                        pst_err *err) PST_MUST;
/* Leaves the group: revoked() is called for what is assigned. Calls of other threads that
   are under way end, and new ones fail. NULL is fine. */
void pst_consumer_close(pst_consumer *consumer);
/* Closes if that was not done; nobody may use it any more. NULL is fine. */
void pst_consumer_free(pst_consumer *consumer);
/* Subscribes to these topics (names, or regular expressions that start with ^) instead of
   those of the last call; partitions come by events.assigned. */
pst_rc pst_consumer_subscribe(pst_consumer *consumer, const char *const *topics, size_t n,
                              pst_err *err) PST_MUST;
/* The group is being joined anew: the broker answers what is sent meanwhile after that,
   and a commit then is of a generation that is over. librdkafka takes that answer for the
   loss of all partitions, those that would have stayed too: do not commit until it is
   false. */
bool pst_consumer_joining(const pst_consumer *consumer);
/* session.timeout.ms as it is in force. */
int pst_consumer_session_timeout_ms(const pst_consumer *consumer);
/* Rebalances, commit results, errors: calls the events. Never blocks by itself. To be
   called at least every max.poll.interval.ms. Fatal errors are returned. */
pst_rc pst_consumer_serve(pst_consumer *consumer, pst_err *err) PST_MUST;

/* What a batch holds besides records. */
typedef enum pst_item_kind {
    PST_ITEM_RECORD,
    PST_ITEM_EOF,          /* offset = the partition's end as seen */
    PST_ITEM_OUT_OF_RANGE, /* the position is not in the log (expired or truncated) */
    PST_ITEM_STALE         /* fetched before a seek or a revocation: to be passed over */
} pst_item_kind;

typedef struct pst_item {
    pst_item_kind kind;
    pst_msg msg; /* topic, partition, offset are set for all kinds */
    void *raw;   /* kafka.c's own */
} pst_item;

/* Waits up to timeout_ms for records of assigned partitions. *items are valid until the
   next call of poll or free; *n may be 0. */
pst_rc pst_consumer_poll(pst_consumer *consumer, int timeout_ms, const pst_item **items,
                         size_t *n, pst_err *err) PST_MUST;
/* From any thread: a pst_consumer_poll() that waits, or the next one that would, returns
   at once with what there is. */
void pst_consumer_wake(pst_consumer *consumer);
/* Goes on reading at `offset`; what was fetched before is dropped: items of the last
   poll() that are not taken yet become PST_ITEM_STALE. */
pst_rc pst_consumer_seek(pst_consumer *consumer, const char *topic, int32_t partition,
                         int64_t offset, pst_err *err) PST_MUST;

/* Thread-safe. Fills offset (PST_OFFSET_NONE if none) and metadata (into `metadata`, n
   slots of PST_KAFKA_METADATA_MAX bytes, "" if none) of the group's commits. */
pst_rc pst_consumer_committed(pst_consumer *consumer, pst_tp *tps, size_t n,
                              char (*metadata)[PST_KAFKA_METADATA_MAX], int timeout_ms,
                              pst_err *err) PST_MUST;
/* Commits offsets with metadata; waits up to `timeout_ms`, after which the outcome is
   unknown, and at most 200 ms once the consumer is cancelled. */
pst_rc pst_consumer_commit(pst_consumer *consumer, const pst_tp *tps, size_t n,
                           int timeout_ms, pst_err *err) PST_MUST;
/* Asynchronous: events.committed tells the outcome. */
pst_rc pst_consumer_commit_async(pst_consumer *consumer, const pst_tp *tps, size_t n,
                                 pst_err *err) PST_MUST;
/* Thread-safe. First and next offset of the log, asked from the broker. */
pst_rc pst_consumer_watermarks(pst_consumer *consumer, const char *topic,
                               int32_t partition, int64_t *low, int64_t *high,
                               int timeout_ms, pst_err *err) PST_MUST;
/* The log's next offset as it was last fetched: asks nobody. -1 = not known. */
int64_t pst_consumer_end(pst_consumer *consumer, const char *topic, int32_t partition);
/* Number of partitions; PST_E_NOT_FOUND if there is no such topic (never creates one). */
pst_rc pst_consumer_partitions(pst_consumer *consumer, const char *topic, int32_t *n,
                               int timeout_ms, pst_err *err) PST_MUST;
/* The cluster's id, waiting for a broker; free with pst_free(). PST_E_TIMEOUT (retriable)
   names bootstrap.servers and the last error. */
pst_rc pst_consumer_cluster(pst_consumer *consumer, char **id, int timeout_ms,
                            pst_err *err) PST_MUST;

/* How many members a group has now; 0 for one that never was. */
pst_rc pst_consumer_members(pst_consumer *consumer, const char *group, int *members,
                            int timeout_ms, pst_err *err) PST_MUST;
/* Deletes a group's offsets of these partitions. Kafka refuses it while the group has
   members that are subscribed to the topic. */
pst_rc pst_consumer_forget(pst_consumer *consumer, const char *group, const pst_tp *tps,
                           size_t n, int timeout_ms, pst_err *err) PST_MUST;

/* ---- producer ---- */

typedef struct pst_header {
    const char *name;
    pst_sv value;
} pst_header;

typedef struct pst_outgoing {
    const char *topic;
    int32_t partition;      /* -1 = by the key */
    pst_sv key, value;      /* p == NULL: null; copied */
    int64_t timestamp_ms;   /* 0 = now */
    const void *headers_of; /* pst_msg.headers: all of that record's, byte for byte, come
                               first; NULL = none */
    const pst_header *headers;
    size_t n_headers;
    void *opaque; /* handed to delivered() */
} pst_outgoing;

typedef struct pst_producer pst_producer;

/* Called from pst_producer_poll/flush() only. err is NULL when the record is acknowledged
   by all in-sync replicas; then partition and offset are known. */
typedef void (*pst_delivered)(void *self, void *opaque, const char *topic,
                              int32_t partition, int64_t offset, const pst_err *err);

typedef struct pst_producer_config {
    pst_kafka_options kafka;
    const char *transactional_id; /* NULL = idempotent without transactions */
    int delivery_timeout_ms;      /* 0 = librdkafka's default */
    bool relay; /* records that come from Kafka: their size is the broker's to judge, how
                   many wait is the caller's, and one waits as long as it has to. The
                   user's own values go before that */
    pst_delivered delivered;
    void *self;
} pst_producer_config;

/* acks=all and idempotence are fixed. */
pst_rc pst_producer_new(pst_producer **out, const pst_producer_config *config,
                        pst_err *err) PST_MUST;
void pst_producer_free(
    pst_producer *producer); /* what is queued is dropped: flush first */
/* Queues a copy. PST_E_LIMIT (retriable): the queue is full, poll and try again. */
pst_rc pst_producer_send(pst_producer *producer, const pst_outgoing *record,
                         pst_err *err) PST_MUST;
/* Serves delivery reports for up to timeout_ms; returns how many events were served. */
int pst_producer_poll(pst_producer *producer, int timeout_ms);
/* Waits until all is delivered or failed, or the time is over (PST_E_TIMEOUT), or cancel.
 */
pst_rc pst_producer_flush(pst_producer *producer, int timeout_ms, pst_err *err) PST_MUST;
size_t pst_producer_queued(pst_producer *producer);
/* The last error librdkafka told of (brokers down, wrong password …); "" if none. */
void pst_producer_last_error(pst_producer *producer, char *out, size_t size);

/* Transactions, with a transactional_id. A call whose error is retriable is to be made
   again as it is: it goes on where it was, so a long wait is made of short ones. Any
   other error of begin, send and commit: abort, then the transaction's work again, unless
   the producer is lost (pst_producer_fate); a failed abort is the producer's end.
   init fences the id's predecessor and waits out its open transaction; once, first. */
pst_rc pst_producer_init(pst_producer *producer, int timeout_ms, pst_err *err) PST_MUST;
pst_rc pst_producer_begin(pst_producer *producer, pst_err *err) PST_MUST;
pst_rc pst_producer_commit(pst_producer *producer, int timeout_ms, pst_err *err) PST_MUST;
pst_rc pst_producer_abort(pst_producer *producer, int timeout_ms, pst_err *err) PST_MUST;

typedef enum pst_producer_state {
    PST_PRODUCER_FINE,
    PST_PRODUCER_FENCED, /* somebody else's pst_producer_init() with the same id */
    PST_PRODUCER_LOST,   /* another fatal error: it can do nothing any more */
} pst_producer_state;
pst_producer_state pst_producer_fate(pst_producer *producer);

/* ---- a topic that a task writes to by itself ---- */

typedef struct pst_topic_at {
    pst_kafka_options kafka; /* producer.*; its cancel ends the call: PST_E_STOPPED */
    const char *setting;     /* that names the topic, for errors */
    const char *topic;
    int replication; /* of a new one */
    int timeout_ms;  /* 0 = as long as it takes */
} pst_topic_at;

/* Makes the topic, of one partition, if there is none. */
pst_rc pst_topic_ensure(const pst_topic_at *at, pst_err *err) PST_MUST;

/* ---- a source's stored offsets: a compacted topic ---- */

enum { PST_OFFSETS_PARTITION = 0 /* where they are, however many the topic has */ };

typedef struct pst_offsets_at {
    pst_kafka_options kafka; /* its cancel ends the calls: PST_E_STOPPED */
    const char *topic;
    int timeout_ms; /* 0 = as long as it takes */
    /* May be NULL: sees the other keys' records, in the topic's order. */
    void (*other)(void *self, pst_sv key, bool has_value, int64_t timestamp_ms);
    void *self;
} pst_offsets_at;

/* The key's value, appended to `out` if there is one, after all that is committed up to
   what is the topic's end when this is called. The topic is made if it is missing; one
   that is not compacted is PST_E_CONFIG. To be called once its writer's predecessors are
   fenced. */
pst_rc pst_offsets_load(const pst_offsets_at *at, pst_sv key, pst_buf *out, bool *found,
                        pst_err *err) PST_MUST;

/* ---- embedded cluster (for `penstock demo` and unit tests) ---- */

typedef struct pst_mock_kafka pst_mock_kafka;
pst_rc pst_mock_kafka_new(pst_mock_kafka **out, int brokers, pst_err *err) PST_MUST;
const char *pst_mock_kafka_bootstrap(const pst_mock_kafka *mock);
pst_rc pst_mock_kafka_create_topic(pst_mock_kafka *mock, const char *topic,
                                   int partitions, pst_err *err) PST_MUST;
void pst_mock_kafka_free(pst_mock_kafka *mock);

#endif

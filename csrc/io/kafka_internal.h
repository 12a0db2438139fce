/*
 * kafka_internal.h - what the Kafka clients (kafka_*.c) share; the only includer of
 * rdkafka.h. Nothing outside csrc/io/kafka_*.c may include it.
 *
 * A client's opaque (rd_kafka_conf_set_opaque) must point to a struct whose FIRST member
 * is a pst_kafka_link: librdkafka's log and error callbacks, set by
 * pst_kafka_conf_build(), find the log and the place of the last error there. They may
 * come from librdkafka's threads.
 */
#ifndef PST_IO_KAFKA_INTERNAL_H
#define PST_IO_KAFKA_INTERNAL_H

#include "io/kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdatomic.h>

#if RD_KAFKA_VERSION < 0x020000ff
#error "librdkafka 2.0 or newer is needed"
#endif

#define PST_KAFKA_STATS_MS "30000"     /* each time asks the broker once a partition */
#define PST_KAFKA_QUEUE_KBYTES "16384" /* what a producer may hold back */

enum {
    PST_KAFKA_ERROR_TEXT = 400,
    PST_KAFKA_LOG_SEEN = 16,         /* different lines remembered */
    PST_KAFKA_LOG_REPEAT_MS = 10000, /* the same line at most once in so long */
};

typedef struct pst_kafka_seen {
    uint64_t hash;
    int64_t at_ms; /* when it was last written */
    unsigned repeats;
} pst_kafka_seen;

/* First member of a client's struct. */
typedef struct pst_kafka_link {
    pthread_mutex_t lock;
    pst_log *log;
    char task[128];
    char last_error[PST_KAFKA_ERROR_TEXT]; /* "" = none */
    char certificate[200];                 /* why one was refused; "" = none was */
    pst_kafka_seen seen[PST_KAFKA_LOG_SEEN];
    void (*stats)(void *self, const pst_kafka_stats *stats);
    void *stats_self;
    bool no_debug;        /* debug lines are for us alone */
    _Atomic bool joining; /* the group is being joined, and its generation may be over */
    _Atomic bool chosen;  /* the group has told its assignor, once */
    _Atomic bool placed;  /* … and our share of the partitions, once */
    _Atomic bool calling; /* a rebalance waits for its callback */
} pst_kafka_link;

/* Cannot fail. Copies what it needs of the options, but the log is borrowed. */
void pst_kafka_link_init(pst_kafka_link *link, const pst_kafka_options *options);
void pst_kafka_link_done(pst_kafka_link *link); /* after rd_kafka_destroy() */
/* Thread-safe. */
void pst_kafka_link_set_error(pst_kafka_link *link, const char *text);
void pst_kafka_link_last_error(pst_kafka_link *link, char *out, size_t size);
/* One line, at most once in PST_KAFKA_LOG_REPEAT_MS; the next one says how often it came.
 */
void pst_kafka_link_log(pst_kafka_link *link, int syslog_level, const char *facility,
                        const char *text);
/* No line is written any more, and none is being written: the log may be freed. */
void pst_kafka_link_silence(pst_kafka_link *link);

/* The librdkafka settings of a client: worker's plain names, then its consumer.* or
   producer.*, then the connector's overrides. Log and error callbacks are set; the caller
   sets what its role fixes, and the opaque (see above). *out is the caller's until
   rd_kafka_new() succeeds. */
pst_rc pst_kafka_conf_build(rd_kafka_conf_t **out, pst_kafka_role role,
                            const pst_kafka_options *options, pst_err *err) PST_MUST;
/* Sets one fixed property; a refusal is PST_E_CONFIG. */
pst_rc pst_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                          pst_err *err) PST_MUST;

/* A consumer's: what the protocol needs, our defaults, and sizes within queue_bytes. */
pst_rc pst_kafka_conf_consumer(rd_kafka_conf_t *conf, const pst_consumer_config *config,
                               pst_err *err) PST_MUST;
/* librdkafka tells how its joining goes by debug lines alone: pst_consumer_joining(). */
pst_rc pst_kafka_conf_hear_group(rd_kafka_conf_t *conf, pst_kafka_link *link,
                                 pst_err *err) PST_MUST;
/* Why a broker's certificate is refused goes to the link. */
pst_rc pst_kafka_conf_hear_tls(rd_kafka_conf_t *conf, pst_err *err) PST_MUST;
/* librdkafka's statistics_cb: to the link. */
int pst_kafka_on_stats(rd_kafka_t *rk, char *json, size_t n, void *opaque);
/* A property's value, "" if it has none; the caller's. NULL: no memory. */
char *pst_kafka_conf_text(const rd_kafka_conf_t *conf, const char *name);

/* PST_E_* of a librdkafka code, with "<what>: <description>" as text, the code in
   err->status, retriable or unknown where it is. `detail` may be NULL. */
pst_rc pst_kafka_fail(pst_err *err, rd_kafka_resp_err_t code, const char *what,
                      const char *detail);
/* The same of an error object, which is destroyed. NULL is PST_OK. */
pst_rc pst_kafka_fail_take(pst_err *err, rd_kafka_error_t *error, const char *what);

/* A consumer's librdkafka handle. */
rd_kafka_t *pst_consumer_handle(pst_consumer *consumer);

/* The cluster behind a pst_mock_kafka, so that a test can make it fail. */
rd_kafka_mock_cluster_t *pst_mock_kafka_cluster(pst_mock_kafka *mock);

#endif

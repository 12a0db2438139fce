/*
 * kafka_topic.h - a client that looks after one topic before it is used: is it there,
 * make it if not. Calls wait, in slices, as long as they may; the rest of kafka_*.c that
 * reads or writes the topic brings its own clients.
 */
#ifndef PST_IO_KAFKA_TOPIC_H
#define PST_IO_KAFKA_TOPIC_H

#include "io/kafka_internal.h"

enum { PST_TOPIC_SLICE_MS = 100, PST_TOPIC_ADMIN_MS = 30000 };

typedef struct pst_topic_want {
    const pst_kafka_options *kafka; /* its cancel ends the calls: PST_E_STOPPED */
    pst_kafka_role role;            /* whose settings: consumer.* or producer.* */
    const char *setting;            /* that names the topic, for errors */
    const char *topic;
    int timeout_ms;     /* 0 = as long as it takes */
    int replication;    /* of a new topic; -1 = the broker's default */
    const char *shape;  /* "1 partition, cleanup.policy=compact", for people */
    const char *rights; /* "READ, WRITE and DESCRIBE" */
    /* name, value, name, value, NULL: of a new topic; may be NULL. */
    const char *const *config;
} pst_topic_want;

typedef struct pst_topic_client {
    pst_kafka_link link; /* first: see kafka_internal.h */
    const pst_topic_want *want;
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt; /* a consumer's */
    int64_t began_ms;
    bool controlled; /* a broker is known as the controller: admin calls are answered */
} pst_topic_client;

/* Takes conf, also when it fails; pst_topic_client_done() is due in any case. */
pst_rc pst_topic_client_init(pst_topic_client *c, const pst_topic_want *want,
                             rd_kafka_conf_t *conf, pst_err *err) PST_MUST;
void pst_topic_client_done(pst_topic_client *c);

static inline int64_t pst_topic_now_ms(void)
{
    return pst_mono_ms(pst_clock_system());
}

/* PST_OK: `why`, a failure that passes, may be waited out. */
pst_rc pst_topic_may_wait(pst_topic_client *c, const pst_err *why, pst_err *err) PST_MUST;

/* A call that waits by itself; retriable: again, with more time. */
typedef pst_rc (*pst_topic_call)(pst_topic_client *c, int timeout_ms, void *out,
                                 pst_err *err);
pst_rc pst_topic_patiently(pst_topic_client *c, pst_topic_call call, void *out,
                           pst_err *err) PST_MUST;
/* Waits for an admin call's answer; the caller destroys *event. */
pst_rc pst_topic_await(pst_topic_client *c, rd_kafka_queue_t *queue, const char *what,
                       rd_kafka_event_t **event, pst_err *err) PST_MUST;

typedef enum pst_topic_state {
    PST_TOPIC_THERE,  /* it was there before */
    PST_TOPIC_MADE,   /* it is there now */
    PST_TOPIC_AT_USE, /* an embedded cluster, which makes a topic at its first use */
} pst_topic_state;
/* Looks for the topic, and makes it if there is none. */
pst_rc pst_topic_prepare(pst_topic_client *c, pst_topic_state *state,
                         pst_err *err) PST_MUST;

#endif

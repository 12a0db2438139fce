/*
 * kafka_offsets.c - the topic where sources keep their offsets: made, checked, read.
 *
 * A source writes its offset with its records, in one transaction (kafka_producer.c);
 * here is what happens before that, once per start. All of it uses partition 0, so that
 * neither a partitioner nor a topic of many partitions can hide the newest offset.
 *
 * Reading wants two clients. How far to read is the log's end as a read_uncommitted one
 * sees it; the read_committed one sees it only up to the first open transaction, of
 * whichever source, and our own newest offset may lie behind that. So the reader goes to
 * the true end and waits until those transactions are decided. The end is asked when the
 * caller's producer has fenced its predecessor: nothing older can come after it.
 *
 * It polls librdkafka's simple consumer: no group, so no group's permissions either.
 * Nothing is cached and nothing is written here.
 */
#include "io/kafka_topic.h"

#include <string.h>

#define SEGMENT_BYTES "16777216" /* compaction leaves the newest segment alone */

enum { TELL_MS = 10000 /* then it is told what is waited for */ };

static const char *const new_topic[] = {"cleanup.policy", "compact", "segment.bytes",
                                        SEGMENT_BYTES, NULL};

/* ---- a client ---- */

static pst_topic_want want_of(const pst_offsets_at *at)
{
    return (pst_topic_want){.kafka = &at->kafka,
                            .role = PST_KAFKA_CONSUMER,
                            .setting = "offset.storage.topic",
                            .topic = at->topic,
                            .timeout_ms = at->timeout_ms,
                            .replication = -1,
                            .shape = "1 partition, cleanup.policy=compact",
                            .rights = "READ, WRITE and DESCRIBE",
                            .config = new_topic};
}

static pst_rc set_fixed(rd_kafka_conf_t *conf, const char *isolation, pst_err *err)
{
    pst_rc rc = pst_kafka_conf_set(conf, "isolation.level", isolation, err);
    if (rc == PST_OK)
        rc = pst_kafka_conf_set(conf, "enable.partition.eof", "true", err);
    if (rc == PST_OK) /* records deleted meanwhile must not make it skip the rest */
        rc = pst_kafka_conf_set(conf, "auto.offset.reset", "earliest", err);
    return rc;
}

/* pst_topic_client_done() is due if that succeeds. */
static pst_rc client_init(pst_topic_client *c, const pst_topic_want *want,
                          const char *isolation, pst_err *err)
{
    rd_kafka_conf_t *conf = NULL;
    pst_rc rc = pst_kafka_conf_build(&conf, PST_KAFKA_CONSUMER, want->kafka, err);
    if (rc != PST_OK)
        return rc;
    if ((rc = set_fixed(conf, isolation, err)) != PST_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rc = pst_topic_client_init(c, want, conf, err);
    if (rc != PST_OK)
        pst_topic_client_done(c);
    return rc;
}

/* ---- is it compacted? ---- */

static const char *config_value(rd_kafka_event_t *event, const char *name)
{
    size_t n = 0, k = 0;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &n);
    if (n == 0 || rd_kafka_ConfigResource_error(resources[0]))
        return NULL;
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resources[0], &k);
    for (size_t i = 0; i < k; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            return rd_kafka_ConfigEntry_value(entries[i]);
    return NULL;
}

/* Who may not ask, or can't, is believed to have a good topic. */
static pst_rc check_policy(pst_topic_client *c, rd_kafka_event_t *event, pst_err *err)
{
    const char *policy =
        rd_kafka_event_error(event) ? NULL : config_value(event, "cleanup.policy");
    if (!policy)
        pst_logf(c->link.log, PST_LOG_DEBUG, c->link.task, "offsets",
                 "the broker does not tell whether %s is compacted", c->want->topic);
    else if (strcmp(policy, "compact") != 0)
        return pst_fail(err, PST_E_CONFIG,
                        "offset.storage.topic %s has cleanup.policy=%s: Kafka would drop "
                        "stored offsets, and users would be produced again. Set the "
                        "topic's cleanup.policy=compact, or name another topic",
                        c->want->topic, policy);
    return PST_OK;
}

/* An embedded cluster has no controller, and would never answer. */
static pst_rc check_compacted(pst_topic_client *c, pst_err *err)
{
    if (!c->controlled)
        return PST_OK;
    rd_kafka_event_t *event = NULL;
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, c->want->topic);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, PST_TOPIC_ADMIN_MS, NULL, 0);
    rd_kafka_DescribeConfigs(c->rk, &resource, 1, options, queue);
    pst_rc rc = pst_topic_await(c, queue, "describe offset.storage.topic", &event, err);
    if (rc == PST_OK)
        rc = check_policy(c, event, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    return rc;
}

/* Checks the topic, or makes it. *there stays false where that is left to its first use.
 */
static pst_rc prepare(pst_topic_client *c, bool *there, pst_err *err)
{
    pst_topic_state state;
    pst_rc rc = pst_topic_prepare(c, &state, err);
    *there = rc == PST_OK && state != PST_TOPIC_AT_USE;
    if (rc == PST_OK && state == PST_TOPIC_THERE)
        return check_compacted(c, err);
    return rc;
}

/* ---- reading ---- */

typedef struct log_ends {
    int64_t low, high;
} log_ends;

static pst_rc ask_ends(pst_topic_client *c, int timeout_ms, void *out, pst_err *err)
{
    log_ends *ends = out;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(c->rk, c->want->topic, PST_OFFSETS_PARTITION,
                                         &ends->low, &ends->high, timeout_ms);
    if (!code)
        return PST_OK;
    pst_rc rc = pst_kafka_fail(err, code, "ask for the end of topic", c->want->topic);
    /* Its metadata may be a moment older than the topic. */
    if (err && (code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
                code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
                code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART))
        err->retriable = true;
    return rc;
}

/* The log's end, other sources' open transactions included. */
static pst_rc find_ends(const pst_topic_want *want, log_ends *ends, pst_err *err)
{
    pst_topic_client c;
    bool there = false;
    pst_rc rc = client_init(&c, want, "read_uncommitted", err);
    if (rc != PST_OK)
        return rc;
    rc = prepare(&c, &there, err);
    if (there && rc == PST_OK)
        rc = pst_topic_patiently(&c, ask_ends, ends, err);
    pst_topic_client_done(&c);
    return rc;
}

typedef struct reading {
    const pst_offsets_at *from;
    pst_sv key;
    pst_buf *out;
    size_t mark; /* of out, before any value */
    bool found;
    int64_t at, end;
} reading;

static pst_rc take_record(reading *r, const rd_kafka_message_t *m, pst_err *err)
{
    pst_sv key = {m->key, m->key_len};
    r->at = m->offset + 1;
    if (!m->key)
        return PST_OK;
    if (!pst_sv_eq(key, r->key)) {
        if (r->from->other)
            r->from->other(r->from->self, key, m->payload != NULL,
                           rd_kafka_message_timestamp(m, NULL));
        return PST_OK;
    }
    r->out->len = r->mark;
    r->found = m->payload != NULL;
    pst_rc rc = r->found ? pst_buf_add(r->out, m->payload, m->len) : PST_OK;
    if (rc == PST_E_NOMEM)
        return pst_fail_nomem(err, "a stored offset");
    return rc == PST_OK ? PST_OK
                        : pst_fail(err, rc, "a stored offset has %zu bytes", m->len);
}

static pst_rc take_message(reading *r, const rd_kafka_message_t *m, pst_err *err)
{
    if (!m->err)
        return take_record(r, m, err);
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        r->at = m->offset;
        return PST_OK;
    }
    return pst_kafka_fail(err, m->err, "read offset.storage.topic",
                          rd_kafka_message_errstr(m));
}

/* One line when it takes long, and why. */
static void tell_waiting(const pst_topic_client *c, const reading *r, bool *told)
{
    if (*told || pst_topic_now_ms() - c->began_ms < TELL_MS)
        return;
    *told = true;
    pst_logf(c->link.log, PST_LOG_WARN, c->link.task, "offsets",
             "topic %s is readable up to %lld of %lld: waiting for another producer's "
             "open transaction to end",
             c->want->topic, (long long)r->at, (long long)r->end);
}

static pst_rc read_on(pst_topic_client *c, rd_kafka_queue_t *queue, reading *r,
                      pst_err *err)
{
    bool told = false;
    while (r->at < r->end) {
        pst_err why = PST_ERR_INIT;
        rd_kafka_message_t *m = rd_kafka_consume_queue(queue, PST_TOPIC_SLICE_MS);
        pst_rc rc = m ? take_message(r, m, &why) : PST_OK;
        if (m)
            rd_kafka_message_destroy(m);
        if (rc != PST_OK && !why.retriable) {
            if (err && err->code == PST_OK)
                *err = why;
            return rc;
        }
        tell_waiting(c, r, &told);
        pst_fail(&why, PST_E_TIMEOUT,
                 "topic %s is readable up to %lld of %lld (another producer's open "
                 "transaction?)",
                 c->want->topic, (long long)r->at, (long long)r->end);
        if (r->at < r->end && (rc = pst_topic_may_wait(c, &why, err)) != PST_OK)
            return rc;
    }
    return PST_OK;
}

static pst_rc read_committed(const pst_topic_want *want, reading *r, pst_err *err)
{
    pst_topic_client c;
    pst_rc rc = client_init(&c, want, "read_committed", err);
    if (rc != PST_OK)
        return rc;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c.rk);
    if (rd_kafka_consume_start_queue(c.rkt, PST_OFFSETS_PARTITION,
                                     RD_KAFKA_OFFSET_BEGINNING, queue)) {
        rc = pst_kafka_fail(err, rd_kafka_last_error(), "read topic", want->topic);
    } else {
        rc = read_on(&c, queue, r, err);
        (void)rd_kafka_consume_stop(c.rkt, PST_OFFSETS_PARTITION);
    }
    rd_kafka_queue_destroy(queue);
    pst_topic_client_done(&c);
    return rc;
}

pst_rc pst_offsets_load(const pst_offsets_at *at, pst_sv key, pst_buf *out, bool *found,
                        pst_err *err)
{
    log_ends ends = {0, 0};
    pst_topic_want want = want_of(at);
    reading r = {.from = at, .key = key, .out = out, .mark = out->len};
    pst_rc rc = find_ends(&want, &ends, err);
    r.at = ends.low;
    r.end = ends.high;
    if (rc == PST_OK && r.at < r.end)
        rc = read_committed(&want, &r, err);
    if (rc == PST_OK)
        *found = r.found;
    return rc;
}

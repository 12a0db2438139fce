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
#include "io/kafka_internal.h"

#include <string.h>

#define SEGMENT_BYTES "16777216" /* compaction leaves the newest segment alone */

enum {
    SLICE_MS = 100,
    CALL_MS = 200, /* the first wait of a call that can't be cut; doubles up to … */
    CALL_MAX_MS = 3200,
    ADMIN_MS = 30000,
    TELL_MS = 10000, /* then it is told what is waited for */
};

typedef struct client {
    pst_kafka_link link; /* first: see kafka_internal.h */
    const pst_offsets_at *at;
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    int64_t began_ms;
    bool controlled; /* a broker is known as the controller: admin calls are answered */
} client;

static int64_t now_ms(void)
{
    return pst_mono_ms(pst_clock_system());
}

/* ---- a client ---- */

static pst_rc set_fixed(rd_kafka_conf_t *conf, const char *isolation, pst_err *err)
{
    pst_rc rc = pst_kafka_conf_set(conf, "isolation.level", isolation, err);
    if (rc == PST_OK)
        rc = pst_kafka_conf_set(conf, "enable.partition.eof", "true", err);
    if (rc == PST_OK) /* records deleted meanwhile must not make it skip the rest */
        rc = pst_kafka_conf_set(conf, "auto.offset.reset", "earliest", err);
    return rc;
}

static void client_done(client *c)
{
    if (c->rkt)
        rd_kafka_topic_destroy(c->rkt);
    if (c->rk)
        rd_kafka_destroy(c->rk);
    pst_kafka_link_done(&c->link);
}

/* client_done() is due in any case. */
static pst_rc client_init(client *c, const pst_offsets_at *at, const char *isolation,
                          pst_err *err)
{
    char errstr[300] = "";
    rd_kafka_conf_t *conf = NULL;
    memset(c, 0, sizeof *c);
    pst_kafka_link_init(&c->link, &at->kafka);
    c->at = at;
    c->began_ms = now_ms();
    pst_rc rc = pst_kafka_conf_build(&conf, PST_KAFKA_CONSUMER, &at->kafka, err);
    if (rc != PST_OK)
        return rc;
    if ((rc = set_fixed(conf, isolation, err)) == PST_OK) {
        rd_kafka_conf_set_opaque(conf, c);
        c->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, errstr, sizeof errstr);
        if (!c->rk)
            rc = pst_fail(err, PST_E_CONFIG, "the Kafka client for %s can't be made: %s",
                          at->topic, errstr);
    }
    if (!c->rk)
        rd_kafka_conf_destroy(conf);
    else if (!(c->rkt = rd_kafka_topic_new(c->rk, at->topic, NULL)))
        rc = pst_kafka_fail(err, rd_kafka_last_error(), "topic", at->topic);
    return rc;
}

static bool time_is_over(const client *c)
{
    return c->at->timeout_ms > 0 && now_ms() - c->began_ms >= c->at->timeout_ms;
}

/* PST_OK: `why`, a failure that passes, may be waited out. */
static pst_rc may_wait(client *c, const pst_err *why, pst_err *err)
{
    char last[PST_KAFKA_ERROR_TEXT];
    if (pst_cancelled(c->at->kafka.cancel))
        return pst_fail(err, PST_E_STOPPED, "stopped");
    if (!time_is_over(c))
        return PST_OK;
    pst_kafka_link_last_error(&c->link, last, sizeof last);
    return pst_fail(err, PST_E_TIMEOUT, "after %d ms still: %s%s%s", c->at->timeout_ms,
                    why->text, last[0] ? "; Kafka's last error: " : "", last);
}

/* A call that waits by itself; retriable: again, with more time. */
typedef pst_rc (*client_call)(client *c, int timeout_ms, void *out, pst_err *err);

static pst_rc call_patiently(client *c, client_call call, void *out, pst_err *err)
{
    for (int timeout_ms = CALL_MS;;) {
        pst_err why = PST_ERR_INIT;
        int64_t began = now_ms();
        pst_rc rc = call(c, timeout_ms, out, &why);
        if (rc == PST_OK)
            return PST_OK;
        if (!why.retriable) {
            if (err && err->code == PST_OK)
                *err = why;
            return rc;
        }
        if ((rc = may_wait(c, &why, err)) != PST_OK)
            return rc;
        if (now_ms() - began < SLICE_MS)
            (void)pst_cancel_wait(c->at->kafka.cancel, SLICE_MS);
        timeout_ms = timeout_ms < CALL_MAX_MS ? timeout_ms * 2 : CALL_MAX_MS;
    }
}

/* ---- is the topic there? ---- */

static pst_rc fail_permission(const client *c, const char *what, pst_err *err)
{
    return pst_fail(err, PST_E_AUTH,
                    "offset.storage.topic %s: %s is not allowed. Allow it, or have the "
                    "topic made (1 partition, cleanup.policy=compact) with READ, WRITE "
                    "and DESCRIBE, or name another topic",
                    c->at->topic, what);
}

static pst_rc fail_lookup(const client *c, rd_kafka_resp_err_t code, pst_err *err)
{
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return fail_permission(c, "DESCRIBE", err);
    return pst_kafka_fail(err, code, "look for offset.storage.topic", c->at->topic);
}

/* *(int *)out: its partitions, 0 = there is no such topic. Never makes one. */
static pst_rc look_up(client *c, int timeout_ms, void *out, pst_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, c->rkt, &metadata, timeout_ms);
    if (code)
        return fail_lookup(c, code, err);
    pst_rc rc = PST_OK;
    int32_t controller = rd_kafka_controllerid(c->rk, 0);
    c->controlled = false;
    for (int i = 0; i < metadata->broker_cnt; i++)
        c->controlled |= metadata->brokers[i].id == controller;
    const rd_kafka_metadata_topic_t *topic =
        metadata->topic_cnt == 1 ? &metadata->topics[0] : NULL;
    code = topic ? topic->err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        *(int *)out = 0;
    else if (code)
        rc = fail_lookup(c, code, err);
    else
        *(int *)out = topic->partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return rc;
}

static pst_rc look_until_there(client *c, int timeout_ms, void *out, pst_err *err)
{
    pst_rc rc = look_up(c, timeout_ms, out, err);
    if (rc == PST_OK && *(int *)out == 0)
        return pst_fail_retriable(err, PST_E_NOT_FOUND, "topic %s is being created",
                                  c->at->topic);
    return rc;
}

/* ---- admin calls ---- */

/* Waits for the answer; the caller destroys *event. */
static pst_rc await_event(client *c, rd_kafka_queue_t *queue, const char *what,
                          rd_kafka_event_t **event, pst_err *err)
{
    pst_err waiting = PST_ERR_INIT;
    pst_fail(&waiting, PST_E_TIMEOUT, "%s: no answer", what);
    while (!(*event = rd_kafka_queue_poll(queue, SLICE_MS))) {
        pst_rc rc = may_wait(c, &waiting, err);
        if (rc != PST_OK)
            return rc;
    }
    return PST_OK;
}

static rd_kafka_resp_err_t created_code(rd_kafka_event_t *event, const char **text)
{
    size_t n = 0;
    *text = rd_kafka_event_error_string(event);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_topic_result_t **results = NULL;
    if (!code)
        results = rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(event), &n);
    if (n > 0) {
        *text = rd_kafka_topic_result_error_string(results[0]);
        code = rd_kafka_topic_result_error(results[0]);
    }
    return code;
}

/* *unsupported: an embedded cluster, which makes a topic at its first use. */
static pst_rc check_created(client *c, rd_kafka_event_t *event, bool *unsupported,
                            pst_err *err)
{
    const char *text = NULL;
    rd_kafka_resp_err_t code = created_code(event, &text);
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        pst_logf(c->link.log, PST_LOG_INFO, c->link.task, "offsets",
                 "created offset.storage.topic %s, compacted", c->at->topic);
        return PST_OK;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: /* somebody was quicker */
        return PST_OK;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
        *unsupported = true;
        return PST_OK;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return fail_permission(c, "it is missing, and CREATE", err);
    default:
        return pst_kafka_fail(err, code, "create offset.storage.topic", text);
    }
}

static pst_rc set_topic(rd_kafka_NewTopic_t *topic, pst_err *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "compact");
    if (!code)
        code = rd_kafka_NewTopic_set_config(topic, "segment.bytes", SEGMENT_BYTES);
    return code ? pst_kafka_fail(err, code, "a new topic", NULL) : PST_OK;
}

/* Sends the request and waits for its answer. */
static pst_rc request_topic(client *c, rd_kafka_NewTopic_t *topic, bool *unsupported,
                            pst_err *err)
{
    rd_kafka_event_t *event = NULL;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, ADMIN_MS, NULL, 0);
    rd_kafka_CreateTopics(c->rk, &topic, 1, options, queue);
    pst_rc rc = await_event(c, queue, "create offset.storage.topic", &event, err);
    if (rc == PST_OK)
        rc = check_created(c, event, unsupported, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return rc;
}

static pst_rc create(client *c, int timeout_ms, void *out, pst_err *err)
{
    char errstr[300] = "";
    (void)timeout_ms;
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(c->at->topic, 1, -1, errstr, sizeof errstr);
    if (!topic)
        return pst_fail(err, PST_E_CONFIG, "offset.storage.topic: %s", errstr);
    pst_rc rc = set_topic(topic, err);
    if (rc == PST_OK)
        rc = request_topic(c, topic, out, err);
    rd_kafka_NewTopic_destroy(topic);
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
static pst_rc check_policy(client *c, rd_kafka_event_t *event, pst_err *err)
{
    const char *policy =
        rd_kafka_event_error(event) ? NULL : config_value(event, "cleanup.policy");
    if (!policy)
        pst_logf(c->link.log, PST_LOG_DEBUG, c->link.task, "offsets",
                 "the broker does not tell whether %s is compacted", c->at->topic);
    else if (strcmp(policy, "compact") != 0)
        return pst_fail(err, PST_E_CONFIG,
                        "offset.storage.topic %s has cleanup.policy=%s: Kafka would drop "
                        "stored offsets, and users would be produced again. Set the "
                        "topic's cleanup.policy=compact, or name another topic",
                        c->at->topic, policy);
    return PST_OK;
}

/* An embedded cluster has no controller, and would never answer. */
static pst_rc check_compacted(client *c, pst_err *err)
{
    if (!c->controlled)
        return PST_OK;
    rd_kafka_event_t *event = NULL;
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, c->at->topic);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, ADMIN_MS, NULL, 0);
    rd_kafka_DescribeConfigs(c->rk, &resource, 1, options, queue);
    pst_rc rc = await_event(c, queue, "describe offset.storage.topic", &event, err);
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
static pst_rc prepare(client *c, bool *there, pst_err *err)
{
    int partitions = 0;
    bool unsupported = false;
    pst_rc rc = call_patiently(c, look_up, &partitions, err);
    *there = rc == PST_OK && partitions > 0;
    if (*there)
        return check_compacted(c, err);
    if (rc == PST_OK)
        rc = call_patiently(c, create, &unsupported, err);
    if (rc != PST_OK || unsupported)
        return rc;
    /* A broker that does not know of it yet must not make it look empty. */
    rc = call_patiently(c, look_until_there, &partitions, err);
    *there = rc == PST_OK;
    return rc;
}

/* ---- reading ---- */

typedef struct log_ends {
    int64_t low, high;
} log_ends;

static pst_rc ask_ends(client *c, int timeout_ms, void *out, pst_err *err)
{
    log_ends *ends = out;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        c->rk, c->at->topic, PST_OFFSETS_PARTITION, &ends->low, &ends->high, timeout_ms);
    if (!code)
        return PST_OK;
    pst_rc rc = pst_kafka_fail(err, code, "ask for the end of topic", c->at->topic);
    /* Its metadata may be a moment older than the topic. */
    if (err && (code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
                code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
                code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART))
        err->retriable = true;
    return rc;
}

/* The log's end, other sources' open transactions included. */
static pst_rc find_ends(const pst_offsets_at *at, log_ends *ends, pst_err *err)
{
    client c;
    bool there = false;
    pst_rc rc = client_init(&c, at, "read_uncommitted", err);
    if (rc == PST_OK)
        rc = prepare(&c, &there, err);
    if (there && rc == PST_OK)
        rc = call_patiently(&c, ask_ends, ends, err);
    client_done(&c);
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
static void tell_waiting(const client *c, const reading *r, bool *told)
{
    if (*told || now_ms() - c->began_ms < TELL_MS)
        return;
    *told = true;
    pst_logf(c->link.log, PST_LOG_WARN, c->link.task, "offsets",
             "topic %s is readable up to %lld of %lld: waiting for another producer's "
             "open transaction to end",
             c->at->topic, (long long)r->at, (long long)r->end);
}

static pst_rc read_on(client *c, rd_kafka_queue_t *queue, reading *r, pst_err *err)
{
    bool told = false;
    while (r->at < r->end) {
        pst_err why = PST_ERR_INIT;
        rd_kafka_message_t *m = rd_kafka_consume_queue(queue, SLICE_MS);
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
                 c->at->topic, (long long)r->at, (long long)r->end);
        if (r->at < r->end && (rc = may_wait(c, &why, err)) != PST_OK)
            return rc;
    }
    return PST_OK;
}

static pst_rc read_committed(const pst_offsets_at *at, reading *r, pst_err *err)
{
    client c;
    pst_rc rc = client_init(&c, at, "read_committed", err);
    if (rc == PST_OK) {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(c.rk);
        if (rd_kafka_consume_start_queue(c.rkt, PST_OFFSETS_PARTITION,
                                         RD_KAFKA_OFFSET_BEGINNING, queue))
            rc = pst_kafka_fail(err, rd_kafka_last_error(), "read topic", at->topic);
        else {
            rc = read_on(&c, queue, r, err);
            (void)rd_kafka_consume_stop(c.rkt, PST_OFFSETS_PARTITION);
        }
        rd_kafka_queue_destroy(queue);
    }
    client_done(&c);
    return rc;
}

pst_rc pst_offsets_load(const pst_offsets_at *at, pst_sv key, pst_buf *out, bool *found,
                        pst_err *err)
{
    log_ends ends = {0, 0};
    reading r = {.from = at, .key = key, .out = out, .mark = out->len};
    pst_rc rc = find_ends(at, &ends, err);
    r.at = ends.low;
    r.end = ends.high;
    if (rc == PST_OK && r.at < r.end)
        rc = read_committed(at, &r, err);
    if (rc == PST_OK)
        *found = r.found;
    return rc;
}

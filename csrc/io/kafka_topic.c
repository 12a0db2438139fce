/*
 * kafka_topic.c - see kafka_topic.h: a topic is looked for, and made if it is missing.
 *
 * A topic that exists is used as it is. One that is made has one partition, as Connect's
 * own are. Nothing is written to it here.
 */
#include "io/kafka_topic.h"

#include <stdio.h>
#include <string.h>

enum {
    CALL_MS = 200, /* the first wait of a call that can't be cut; doubles up to … */
    CALL_MAX_MS = 3200,
};

/* ---- a client ---- */

void pst_topic_client_done(pst_topic_client *c)
{
    if (c->rkt)
        rd_kafka_topic_destroy(c->rkt);
    if (c->rk)
        rd_kafka_destroy(c->rk);
    pst_kafka_link_done(&c->link);
}

pst_rc pst_topic_client_init(pst_topic_client *c, const pst_topic_want *want,
                             rd_kafka_conf_t *conf, pst_err *err)
{
    char errstr[300] = "";
    memset(c, 0, sizeof *c);
    pst_kafka_link_init(&c->link, want->kafka);
    c->want = want;
    c->began_ms = pst_topic_now_ms();
    rd_kafka_conf_set_opaque(conf, c);
    c->rk = rd_kafka_new(want->role == PST_KAFKA_CONSUMER ? RD_KAFKA_CONSUMER
                                                          : RD_KAFKA_PRODUCER,
                         conf, errstr, sizeof errstr);
    if (!c->rk) {
        rd_kafka_conf_destroy(conf);
        return pst_fail(err, PST_E_CONFIG, "the Kafka client for %s can't be made: %s",
                        want->topic, errstr);
    }
    if (want->role == PST_KAFKA_PRODUCER)
        return PST_OK; /* its question about a topic would make the topic */
    c->rkt = rd_kafka_topic_new(c->rk, want->topic, NULL);
    if (!c->rkt)
        return pst_kafka_fail(err, rd_kafka_last_error(), want->setting, want->topic);
    return PST_OK;
}

static bool time_is_over(const pst_topic_client *c)
{
    return c->want->timeout_ms > 0 &&
           pst_topic_now_ms() - c->began_ms >= c->want->timeout_ms;
}

pst_rc pst_topic_may_wait(pst_topic_client *c, const pst_err *why, pst_err *err)
{
    char last[PST_KAFKA_ERROR_TEXT];
    if (pst_cancelled(c->want->kafka->cancel))
        return pst_fail(err, PST_E_STOPPED, "stopped");
    if (!time_is_over(c))
        return PST_OK;
    pst_kafka_link_last_error(&c->link, last, sizeof last);
    return pst_fail(err, PST_E_TIMEOUT, "after %d ms still: %s%s%s", c->want->timeout_ms,
                    why->text, last[0] ? "; Kafka's last error: " : "", last);
}

pst_rc pst_topic_patiently(pst_topic_client *c, pst_topic_call call, void *out,
                           pst_err *err)
{
    for (int timeout_ms = CALL_MS;;) {
        pst_err why = PST_ERR_INIT;
        int64_t began = pst_topic_now_ms();
        if (c->want->role == PST_KAFKA_PRODUCER)
            (void)rd_kafka_poll(c->rk, 0); /* errors are heard there */
        pst_rc rc = call(c, timeout_ms, out, &why);
        if (rc == PST_OK)
            return PST_OK;
        if (!why.retriable) {
            if (err && err->code == PST_OK)
                *err = why;
            return rc;
        }
        if ((rc = pst_topic_may_wait(c, &why, err)) != PST_OK)
            return rc;
        if (pst_topic_now_ms() - began < PST_TOPIC_SLICE_MS)
            (void)pst_cancel_wait(c->want->kafka->cancel, PST_TOPIC_SLICE_MS);
        timeout_ms = timeout_ms < CALL_MAX_MS ? timeout_ms * 2 : CALL_MAX_MS;
    }
}

/* ---- is it there? ---- */

static pst_rc fail_permission(const pst_topic_client *c, const char *what, pst_err *err)
{
    const pst_topic_want *want = c->want;
    return pst_fail(err, PST_E_AUTH,
                    "%s %s: %s is not allowed. Allow it, or have the topic made (%s) "
                    "with %s, or name another topic",
                    want->setting, want->topic, what, want->shape, want->rights);
}

static pst_rc fail_lookup(const pst_topic_client *c, rd_kafka_resp_err_t code,
                          pst_err *err)
{
    char what[128];
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return fail_permission(c, "DESCRIBE", err);
    snprintf(what, sizeof what, "look for %s", c->want->setting);
    return pst_kafka_fail(err, code, what, c->want->topic);
}

static const rd_kafka_metadata_topic_t *find(const rd_kafka_metadata_t *metadata,
                                             const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0)
            return &metadata->topics[i];
    return NULL;
}

/* *(int *)out: its partitions, 0 = there is no such topic. Never makes one: a producer
   asks for all topics, because a broker that makes topics would take its question about
   this one for a wish. */
static pst_rc look_up(pst_topic_client *c, int timeout_ms, void *out, pst_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(c->rk, !c->rkt, c->rkt, &metadata, timeout_ms);
    if (code)
        return fail_lookup(c, code, err);
    pst_rc rc = PST_OK;
    int32_t controller = rd_kafka_controllerid(c->rk, 0);
    c->controlled = false;
    for (int i = 0; i < metadata->broker_cnt; i++)
        c->controlled |= metadata->brokers[i].id == controller;
    const rd_kafka_metadata_topic_t *topic = find(metadata, c->want->topic);
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

static pst_rc look_until_there(pst_topic_client *c, int timeout_ms, void *out,
                               pst_err *err)
{
    pst_rc rc = look_up(c, timeout_ms, out, err);
    if (rc == PST_OK && *(int *)out == 0)
        return pst_fail_retriable(err, PST_E_NOT_FOUND, "topic %s is being created",
                                  c->want->topic);
    return rc;
}

/* ---- making it ---- */

pst_rc pst_topic_await(pst_topic_client *c, rd_kafka_queue_t *queue, const char *what,
                       rd_kafka_event_t **event, pst_err *err)
{
    pst_err waiting = PST_ERR_INIT;
    pst_fail(&waiting, PST_E_TIMEOUT, "%s: no answer", what);
    while (!(*event = rd_kafka_queue_poll(queue, PST_TOPIC_SLICE_MS))) {
        pst_rc rc = pst_topic_may_wait(c, &waiting, err);
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

/* *(bool *)unsupported: an embedded cluster. */
static pst_rc check_created(pst_topic_client *c, rd_kafka_event_t *event,
                            bool *unsupported, pst_err *err)
{
    const char *text = NULL;
    const pst_topic_want *want = c->want;
    char what[400];
    rd_kafka_resp_err_t code = created_code(event, &text);
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        pst_logf(c->link.log, PST_LOG_INFO, c->link.task, "kafka", "created %s %s: %s",
                 want->setting, want->topic, want->shape);
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
        snprintf(what, sizeof what, "create %s %s", want->setting, want->topic);
        return pst_kafka_fail(err, code, what, text);
    }
}

static pst_rc set_topic(const pst_topic_want *want, rd_kafka_NewTopic_t *topic,
                        pst_err *err)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (const char *const *c = want->config; !code && c && *c; c += 2)
        code = rd_kafka_NewTopic_set_config(topic, c[0], c[1]);
    return code ? pst_kafka_fail(err, code, "a new topic", NULL) : PST_OK;
}

/* Sends the request and waits for its answer. */
static pst_rc request_topic(pst_topic_client *c, rd_kafka_NewTopic_t *topic,
                            bool *unsupported, pst_err *err)
{
    rd_kafka_event_t *event = NULL;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, PST_TOPIC_ADMIN_MS, NULL, 0);
    rd_kafka_CreateTopics(c->rk, &topic, 1, options, queue);
    pst_rc rc = pst_topic_await(c, queue, "create the topic", &event, err);
    if (rc == PST_OK)
        rc = check_created(c, event, unsupported, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return rc;
}

static pst_rc create(pst_topic_client *c, int timeout_ms, void *out, pst_err *err)
{
    char errstr[300] = "";
    const pst_topic_want *want = c->want;
    (void)timeout_ms;
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(want->topic, 1, want->replication, errstr, sizeof errstr);
    if (!topic)
        return pst_fail(err, PST_E_CONFIG, "%s: %s", want->setting, errstr);
    pst_rc rc = set_topic(want, topic, err);
    if (rc == PST_OK)
        rc = request_topic(c, topic, out, err);
    rd_kafka_NewTopic_destroy(topic);
    return rc;
}

pst_rc pst_topic_prepare(pst_topic_client *c, pst_topic_state *state, pst_err *err)
{
    int partitions = 0;
    bool unsupported = false;
    pst_rc rc = pst_topic_patiently(c, look_up, &partitions, err);
    if (rc == PST_OK && partitions > 0)
        *state = PST_TOPIC_THERE;
    if (rc != PST_OK || partitions > 0)
        return rc;
    rc = pst_topic_patiently(c, create, &unsupported, err);
    if (rc != PST_OK)
        return rc;
    *state = unsupported ? PST_TOPIC_AT_USE : PST_TOPIC_MADE;
    /* A broker that does not know of it yet must not make it look empty. */
    return unsupported ? PST_OK
                       : pst_topic_patiently(c, look_until_there, &partitions, err);
}

pst_rc pst_topic_ensure(const pst_topic_at *at, pst_err *err)
{
    pst_topic_want want = {.kafka = &at->kafka,
                           .role = PST_KAFKA_PRODUCER,
                           .setting = at->setting,
                           .topic = at->topic,
                           .timeout_ms = at->timeout_ms,
                           .replication = at->replication,
                           .shape = "1 partition",
                           .rights = "WRITE and DESCRIBE"};
    rd_kafka_conf_t *conf = NULL;
    pst_topic_client c;
    pst_topic_state state;
    pst_rc rc = pst_kafka_conf_build(&conf, PST_KAFKA_PRODUCER, &at->kafka, err);
    if (rc != PST_OK)
        return rc;
    rc = pst_topic_client_init(&c, &want, conf, err);
    if (rc == PST_OK)
        rc = pst_topic_prepare(&c, &state, err);
    pst_topic_client_done(&c);
    return rc;
}

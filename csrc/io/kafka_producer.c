/*
 * kafka_producer.c - the producing client: each record's delivery is confirmed.
 *
 * acks=all and idempotence are fixed, so a retry inside librdkafka never doubles a record
 * and keeps the order of a partition. Records are spread by the Java client's rule
 * (murmur2 of the key) unless the user says otherwise: the same key lands where other
 * producers put it. The queue has a ceiling (16 MiB, or the user's
 * queue.buffering.max.kbytes).
 *
 * One thread uses a producer; delivered() is called in that thread, from poll, flush,
 * commit and abort only.
 *
 * Transactions are librdkafka's, thinly: what an error asks for is told by err.retriable
 * (the same call again), by pst_producer_fate() (nothing helps) or by neither (abort).
 * When to retry is the caller's business.
 */
#include "io/kafka_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    FLUSH_SLICE_MS = 100,
    HEADERS_MAX = 256,
    VU_MAX = 8, /* fields of a produced record */
};

struct pst_producer {
    pst_kafka_link link; /* first: see kafka_internal.h */
    rd_kafka_t *rk;
    pst_delivered delivered;
    void *self;
    pst_cancel *cancel;
};

/* rkm->err as our error; a record that may have reached the log is `unknown`. */
static void delivery_error(const rd_kafka_message_t *rkm, const char *topic, pst_err *err)
{
    char what[300];
    snprintf(what, sizeof what, "topic %s", topic);
    (void)pst_kafka_fail(err, rkm->err, what, NULL);
    err->unknown = rd_kafka_message_status(rkm) == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *rkm, void *opaque)
{
    pst_producer *producer = opaque;
    (void)rk;
    if (!producer->delivered)
        return;
    const char *topic = rkm->rkt ? rd_kafka_topic_name(rkm->rkt) : "";
    pst_err err = PST_ERR_INIT;
    if (rkm->err)
        delivery_error(rkm, topic, &err);
    producer->delivered(producer->self, rkm->_private, topic, rkm->partition,
                        rkm->err ? PST_OFFSET_NONE : rkm->offset, rkm->err ? &err : NULL);
}

typedef struct relay_default {
    const char *name, *untouched, *value;
} relay_default;

static pst_rc set_relay(rd_kafka_conf_t *conf, pst_err *err)
{
    static const relay_default defaults[] = {
        {"message.max.bytes", "1000000", "1000000000"},
        {"queue.buffering.max.kbytes", PST_KAFKA_QUEUE_KBYTES, "2147483647"},
        {"message.timeout.ms", "300000", "0"},
    };
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < sizeof defaults / sizeof *defaults; i++) {
        char *now = pst_kafka_conf_text(conf, defaults[i].name);
        if (!now)
            return pst_fail_nomem(err, "a Kafka producer");
        if (strcmp(now, defaults[i].untouched) == 0)
            rc = pst_kafka_conf_set(conf, defaults[i].name, defaults[i].value, err);
        pst_free(now);
    }
    return rc;
}

static pst_rc set_fixed(rd_kafka_conf_t *conf, const pst_producer_config *config,
                        pst_err *err)
{
    char timeout[16];
    pst_rc rc = pst_kafka_conf_set(conf, "acks", "all", err);
    if (rc == PST_OK)
        rc = pst_kafka_conf_set(conf, "enable.idempotence", "true", err);
    if (rc == PST_OK && config->transactional_id)
        rc = pst_kafka_conf_set(conf, "transactional.id", config->transactional_id, err);
    if (rc == PST_OK && config->delivery_timeout_ms > 0) {
        snprintf(timeout, sizeof timeout, "%d", config->delivery_timeout_ms);
        rc = pst_kafka_conf_set(conf, "message.timeout.ms", timeout, err);
    }
    if (rc == PST_OK && config->relay)
        rc = set_relay(conf, err);
    return rc;
}

/* Takes conf. */
static pst_rc open_client(pst_producer *producer, rd_kafka_conf_t *conf, pst_err *err)
{
    char errstr[300] = "";
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    producer->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, sizeof errstr);
    if (producer->rk)
        return PST_OK;
    rd_kafka_conf_destroy(conf);
    return pst_fail(err, PST_E_CONFIG, "the Kafka producer can't be made: %s", errstr);
}

pst_rc pst_producer_new(pst_producer **out, const pst_producer_config *config,
                        pst_err *err)
{
    pst_producer *producer = pst_calloc(1, sizeof *producer);
    rd_kafka_conf_t *conf = NULL;
    if (!producer)
        return pst_fail_nomem(err, "a Kafka producer");
    pst_kafka_link_init(&producer->link, &config->kafka);
    producer->delivered = config->delivered;
    producer->self = config->self;
    producer->cancel = config->kafka.cancel;
    pst_rc rc = pst_kafka_conf_build(&conf, PST_KAFKA_PRODUCER, &config->kafka, err);
    if (rc == PST_OK && (rc = set_fixed(conf, config, err)) != PST_OK)
        rd_kafka_conf_destroy(conf);
    if (rc == PST_OK)
        rc = open_client(producer, conf, err);
    if (rc != PST_OK) {
        pst_producer_free(producer);
        return rc;
    }
    *out = producer;
    return PST_OK;
}

void pst_producer_free(pst_producer *producer)
{
    if (!producer)
        return;
    producer->delivered = NULL;
    if (producer->rk) {
        (void)rd_kafka_purge(producer->rk, RD_KAFKA_PURGE_F_QUEUE |
                                               RD_KAFKA_PURGE_F_INFLIGHT |
                                               RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_destroy(producer->rk);
    }
    pst_kafka_link_done(&producer->link);
    pst_free(producer);
}

/* A copy of what a consumed record has, headers without a value and odd names too. */
static pst_rc copy_headers(rd_kafka_headers_t **out, const void *headers_of, size_t more,
                           pst_err *err)
{
    rd_kafka_headers_t *theirs = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__NOENT;
    if (headers_of)
        code = rd_kafka_message_headers(headers_of, &theirs);
    if (code == RD_KAFKA_RESP_ERR__NOENT)
        *out = rd_kafka_headers_new(more);
    else if (code)
        return pst_fail(err, PST_E_INVALID, "a record's headers can't be parsed");
    else
        *out = rd_kafka_headers_copy(theirs);
    return PST_OK;
}

static pst_rc make_headers(rd_kafka_headers_t **out, const pst_outgoing *record,
                           pst_err *err)
{
    if (record->n_headers > HEADERS_MAX)
        return pst_fail(err, PST_E_LIMIT, "a record has %zu headers, more than %d",
                        record->n_headers, HEADERS_MAX);
    rd_kafka_headers_t *headers = NULL;
    pst_rc rc = copy_headers(&headers, record->headers_of, record->n_headers, err);
    for (size_t i = 0; rc == PST_OK && i < record->n_headers; i++) {
        const pst_header *header = &record->headers[i];
        rd_kafka_resp_err_t code = rd_kafka_header_add(
            headers, header->name, -1, header->value.p, (ssize_t)header->value.n);
        if (code) {
            rd_kafka_headers_destroy(headers);
            return pst_kafka_fail(err, code, "a record's headers", NULL);
        }
    }
    *out = headers;
    return rc;
}

/* librdkafka copies key and value; a header list is its own once it took the record. */
static size_t fill_fields(rd_kafka_vu_t *vus, const pst_outgoing *record,
                          rd_kafka_headers_t *headers)
{
    size_t n = 0;
    vus[n].vtype = RD_KAFKA_VTYPE_TOPIC;
    vus[n++].u.cstr = record->topic;
    vus[n].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[n++].u.i32 = record->partition < 0 ? RD_KAFKA_PARTITION_UA : record->partition;
    vus[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vus[n++].u.i = RD_KAFKA_MSG_F_COPY;
    vus[n].vtype = RD_KAFKA_VTYPE_KEY;
    vus[n].u.mem.ptr = (void *)(uintptr_t)record->key.p;
    vus[n++].u.mem.size = record->key.n;
    vus[n].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[n].u.mem.ptr = (void *)(uintptr_t)record->value.p;
    vus[n++].u.mem.size = record->value.n;
    vus[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    vus[n++].u.i64 = record->timestamp_ms;
    vus[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[n++].u.ptr = record->opaque;
    if (headers) {
        vus[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        vus[n++].u.headers = headers;
    }
    return n;
}

/* After a fatal error librdkafka answers every call with _FATAL: tell the first cause. */
static pst_rc send_error(pst_producer *producer, rd_kafka_error_t *error,
                         const char *topic, pst_err *err)
{
    char what[300], fatal[PST_KAFKA_ERROR_TEXT];
    snprintf(what, sizeof what, "topic %s", topic);
    if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__FATAL)
        return pst_kafka_fail_take(err, error, what);
    rd_kafka_error_destroy(error);
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer->rk, fatal, sizeof fatal);
    return pst_kafka_fail(err, code ? code : RD_KAFKA_RESP_ERR__FATAL, what, fatal);
}

pst_rc pst_producer_send(pst_producer *producer, const pst_outgoing *record, pst_err *err)
{
    rd_kafka_vu_t vus[VU_MAX];
    rd_kafka_headers_t *headers = NULL;
    if (!record->topic || !record->topic[0])
        return pst_fail(err, PST_E_INVALID, "a record has no topic");
    if (record->n_headers || record->headers_of) {
        pst_rc rc = make_headers(&headers, record, err);
        if (rc != PST_OK)
            return rc;
    }
    size_t n = fill_fields(vus, record, headers);
    rd_kafka_error_t *error = rd_kafka_produceva(producer->rk, vus, n);
    if (!error)
        return PST_OK;
    if (headers)
        rd_kafka_headers_destroy(headers);
    return send_error(producer, error, record->topic, err);
}

int pst_producer_poll(pst_producer *producer, int timeout_ms)
{
    return rd_kafka_poll(producer->rk, timeout_ms);
}

static pst_rc flush_timeout(pst_producer *producer, int timeout_ms, pst_err *err)
{
    char last[PST_KAFKA_ERROR_TEXT];
    pst_producer_last_error(producer, last, sizeof last);
    return pst_fail_retriable(err, PST_E_TIMEOUT,
                              "%zu records are not acknowledged after %d ms%s%s",
                              pst_producer_queued(producer), timeout_ms,
                              last[0] ? "; Kafka's last error: " : "", last);
}

pst_rc pst_producer_flush(pst_producer *producer, int timeout_ms, pst_err *err)
{
    const pst_clock *clock = pst_clock_system();
    int64_t until = pst_mono_ms(clock) + timeout_ms;
    for (;;) {
        int64_t left = until - pst_mono_ms(clock);
        int slice = left < 0 ? 0 : left < FLUSH_SLICE_MS ? (int)left : FLUSH_SLICE_MS;
        rd_kafka_resp_err_t code = rd_kafka_flush(producer->rk, slice);
        if (!code)
            return PST_OK;
        if (code != RD_KAFKA_RESP_ERR__TIMED_OUT)
            return pst_kafka_fail(err, code, "flush", NULL);
        if (pst_cancelled(producer->cancel))
            return pst_fail(err, PST_E_STOPPED,
                            "stopped with %zu records not acknowledged",
                            pst_producer_queued(producer));
        if (pst_mono_ms(clock) >= until)
            return flush_timeout(producer, timeout_ms, err);
    }
}

size_t pst_producer_queued(pst_producer *producer)
{
    int n = rd_kafka_outq_len(producer->rk);
    return n > 0 ? (size_t)n : 0;
}

void pst_producer_last_error(pst_producer *producer, char *out, size_t size)
{
    pst_kafka_link_last_error(&producer->link, out, size);
}

/* ---- transactions ---- */

/* Takes the error. Unlike elsewhere, only librdkafka's own word makes it retriable: a
   time-out of a record asks for an abort, not for the same call again. */
static pst_rc txn_error(pst_producer *producer, rd_kafka_error_t *error, const char *what,
                        pst_err *err)
{
    if (!error)
        return PST_OK;
    char fatal[PST_KAFKA_ERROR_TEXT];
    pst_err made = PST_ERR_INIT;
    bool again = rd_kafka_error_is_retriable(error);
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer->rk, fatal, sizeof fatal);
    if (code) {
        rd_kafka_error_destroy(error);
        (void)pst_kafka_fail(&made, code, what, fatal);
    } else {
        (void)pst_kafka_fail_take(&made, error, what);
    }
    made.retriable = again && !code;
    if (err && err->code == PST_OK)
        *err = made;
    return made.code;
}

pst_rc pst_producer_init(pst_producer *producer, int timeout_ms, pst_err *err)
{
    return txn_error(producer, rd_kafka_init_transactions(producer->rk, timeout_ms),
                     "begin with transactions", err);
}

pst_rc pst_producer_begin(pst_producer *producer, pst_err *err)
{
    return txn_error(producer, rd_kafka_begin_transaction(producer->rk),
                     "begin a transaction", err);
}

pst_rc pst_producer_commit(pst_producer *producer, int timeout_ms, pst_err *err)
{
    return txn_error(producer, rd_kafka_commit_transaction(producer->rk, timeout_ms),
                     "commit a transaction", err);
}

pst_rc pst_producer_abort(pst_producer *producer, int timeout_ms, pst_err *err)
{
    return txn_error(producer, rd_kafka_abort_transaction(producer->rk, timeout_ms),
                     "abort a transaction", err);
}

pst_producer_state pst_producer_fate(pst_producer *producer)
{
    switch (rd_kafka_fatal_error(producer->rk, NULL, 0)) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return PST_PRODUCER_FINE;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
        return PST_PRODUCER_FENCED;
    default:
        return PST_PRODUCER_LOST;
    }
}

/*
 * test_kafka_producer.c - confirmed delivery against librdkafka's embedded cluster: what
 * arrives is read back by a plain consumer of the test's own.
 */
#include "base/mem.h"
#include "io/kafka_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PRODUCE = 0 }; /* request key of the protocol */

typedef struct tally {
    int ok, failed;
    int64_t last_offset;
    int32_t last_partition;
    void *last_opaque;
    pst_err first;
} tally;

typedef struct fixture {
    pst_mock_kafka *mock;
    pst_prop items[4];
    pst_props worker;
    tally tally;
    pst_producer *producer;
} fixture;

static pst_prop prop(const char *key, const char *value)
{
    return (pst_prop){.key = (char *)(uintptr_t)key, .value = (char *)(uintptr_t)value};
}

static void count(void *self, void *opaque, const char *topic, int32_t partition,
                  int64_t offset, const pst_err *err)
{
    tally *t = self;
    assert_non_null(topic);
    t->last_opaque = opaque;
    t->last_partition = partition;
    t->last_offset = offset;
    if (err && t->failed++ == 0)
        t->first = *err;
    if (!err)
        t->ok++;
}

static void open_producer(fixture *f, int delivery_timeout_ms)
{
    pst_err err = PST_ERR_INIT;
    pst_producer_config config = {
        .kafka = {.worker = &f->worker, .client_id = "test"},
        .delivery_timeout_ms = delivery_timeout_ms,
        .delivered = count,
        .self = &f->tally,
    };
    if (pst_producer_new(&f->producer, &config, &err) != PST_OK)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    pst_err err = PST_ERR_INIT;
    assert_non_null(f);
    assert_int_equal(pst_mock_kafka_new(&f->mock, 1, &err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(f->mock, "users", 2, &err), PST_OK);
    f->items[0] = prop("bootstrap.servers", pst_mock_kafka_bootstrap(f->mock));
    f->worker = (pst_props){f->items, 1, 4};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_producer_free(f->producer);
    pst_mock_kafka_free(f->mock);
    pst_free(f);
    return 0;
}

/* Reads n records of partition 0; calls `see` for each. */
static void read_back(fixture *f, int n, void (*see)(const rd_kafka_message_t *, int))
{
    char errstr[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", pst_mock_kafka_bootstrap(f->mock), NULL,
                      0);
    rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, errstr, sizeof errstr);
    rd_kafka_topic_partition_list_t *tps = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(tps, "users", 0)->offset = 0;
    assert_int_equal(rd_kafka_assign(rk, tps), 0);
    rd_kafka_topic_partition_list_destroy(tps);
    for (int got = 0, idle = 0; got < n;) {
        assert_true(idle < 100);
        rd_kafka_message_t *rkm = rd_kafka_consumer_poll(rk, 100);
        if (rkm && !rkm->err)
            see(rkm, got++);
        else
            idle++;
        if (rkm)
            rd_kafka_message_destroy(rkm);
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static void see_record(const rd_kafka_message_t *rkm, int i)
{
    char expected[32];
    snprintf(expected, sizeof expected, "value-%d", i);
    assert_int_equal(rkm->len, strlen(expected));
    assert_memory_equal(rkm->payload, expected, rkm->len);
    assert_int_equal(rkm->key_len, 1);
    assert_int_equal(rkm->offset, i);
}

static void test_delivers_in_order(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    open_producer(f, 0);
    for (int i = 0; i < 1000; i++) {
        char value[32];
        snprintf(value, sizeof value, "value-%d", i);
        pst_outgoing record = {.topic = "users",
                               .partition = 0,
                               .key = PST_SV("k"),
                               .value = pst_sv_of(value),
                               .opaque = f};
        assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_OK);
    }
    /* librdkafka counts an event that waits for us (a broker came up) as well */
    assert_in_range(pst_producer_queued(f->producer), 1000, 1010);
    assert_int_equal(pst_producer_flush(f->producer, 10000, &err), PST_OK);
    assert_int_equal(pst_producer_queued(f->producer), 0);
    assert_int_equal(f->tally.ok, 1000);
    assert_int_equal(f->tally.failed, 0);
    assert_int_equal(f->tally.last_offset, 999);
    assert_ptr_equal(f->tally.last_opaque, f);
    read_back(f, 1000, see_record);
}

static void see_null_or_empty(const rd_kafka_message_t *rkm, int i)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value;
    size_t n;
    if (i == 0) {
        assert_null(rkm->payload);
        assert_null(rkm->key);
        return;
    }
    assert_non_null(rkm->payload);
    assert_int_equal(rkm->len, 0);
    assert_int_equal(rd_kafka_message_timestamp(rkm, NULL), 1234567890123);
    assert_int_equal(rd_kafka_message_headers(rkm, &headers), 0);
    assert_int_equal(rd_kafka_header_get(headers, 0, "h", &value, &n), 0);
    assert_int_equal(n, 3);
    assert_memory_equal(value, "a\0b", 3);
    assert_int_equal(rd_kafka_header_get(headers, 0, "none", &value, &n), 0);
    assert_null(value);
}

static void test_null_empty_headers_timestamp(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_header headers[] = {{"h", {"a\0b", 3}}, {"none", {NULL, 0}}};
    pst_outgoing tombstone = {.topic = "users", .partition = 0};
    pst_outgoing empty = {.topic = "users",
                          .partition = 0,
                          .key = {"", 0},
                          .value = {"", 0},
                          .timestamp_ms = 1234567890123,
                          .headers = headers,
                          .n_headers = 2};
    open_producer(f, 0);
    assert_int_equal(pst_producer_send(f->producer, &tombstone, &err), PST_OK);
    assert_int_equal(pst_producer_send(f->producer, &empty, &err), PST_OK);
    assert_int_equal(pst_producer_flush(f->producer, 10000, &err), PST_OK);
    read_back(f, 2, see_null_or_empty);
}

/* The Java client puts the key "k1" into partition murmur2("k1") % n. */
static void test_partition_by_murmur2(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_outgoing record = {.topic = "users", .partition = -1, .value = PST_SV("v")};
    open_producer(f, 0);
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        record.key = pst_sv_of(key);
        assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_OK);
        assert_int_equal(pst_producer_flush(f->producer, 10000, &err), PST_OK);
        assert_int_equal(
            f->tally.last_partition,
            rd_kafka_msg_partitioner_murmur2(NULL, key, strlen(key), 2, NULL, NULL));
    }
}

static void test_queue_full_is_retriable(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_outgoing record = {.topic = "users", .partition = 0, .value = PST_SV("v")};
    f->items[f->worker.n++] = prop("producer.queue.buffering.max.messages", "3");
    f->items[f->worker.n++] = prop("linger.ms", "500");
    open_producer(f, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_OK);
    assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_E_LIMIT);
    assert_true(err.retriable);
    pst_err_clear(&err);
    assert_int_equal(pst_producer_flush(f->producer, 10000, &err), PST_OK);
    assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_OK);
}

static void test_broker_refuses(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_outgoing record = {.topic = "users", .partition = 0, .value = PST_SV("v")};
    rd_kafka_mock_push_request_errors(pst_mock_kafka_cluster(f->mock), PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    open_producer(f, 0);
    assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_OK);
    assert_int_equal(pst_producer_flush(f->producer, 10000, &err), PST_OK);
    assert_int_equal(f->tally.failed, 1);
    assert_int_equal(f->tally.first.code, PST_E_AUTH);
    assert_int_equal(f->tally.first.status, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_false(f->tally.first.retriable || f->tally.first.unknown);
    assert_non_null(strstr(f->tally.first.text, "topic users: "));
}

static void test_too_large(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    size_t n = 2000000;
    char *value = pst_calloc(1, n);
    pst_outgoing record = {.topic = "users", .partition = 0, .value = {value, n}};
    open_producer(f, 0);
    assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_E_LIMIT);
    assert_false(err.retriable);
    pst_free(value);
}

static void test_transient_error_is_retried_inside(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_outgoing record = {.topic = "users", .partition = 0, .value = PST_SV("v")};
    rd_kafka_mock_push_request_errors(pst_mock_kafka_cluster(f->mock), PRODUCE, 2,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    open_producer(f, 0);
    assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_OK);
    assert_int_equal(pst_producer_flush(f->producer, 10000, &err), PST_OK);
    assert_int_equal(f->tally.ok, 1);
    assert_int_equal(f->tally.last_offset, 0);
}

static void test_unreachable_broker(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    char last[200];
    pst_outgoing record = {.topic = "users", .partition = 0, .value = PST_SV("v")};
    f->items[0] = prop("bootstrap.servers", "127.0.0.1:1");
    open_producer(f, 1000);
    assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_OK);
    assert_int_equal(pst_producer_flush(f->producer, 300, &err), PST_E_TIMEOUT);
    assert_true(err.retriable);
    assert_non_null(strstr(err.text, "1 records are not acknowledged after 300 ms"));
    pst_producer_last_error(f->producer, last, sizeof last);
    assert_non_null(strstr(last, "127.0.0.1:1"));
    for (int i = 0; i < 50 && f->tally.failed == 0; i++)
        pst_producer_poll(f->producer, 100);
    assert_int_equal(f->tally.failed, 1);
    assert_int_equal(f->tally.first.code, PST_E_TIMEOUT);
}

static void test_cancel_ends_flush(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_cancel *cancel = pst_cancel_new();
    pst_outgoing record = {.topic = "users", .partition = 0, .value = PST_SV("v")};
    f->items[0] = prop("bootstrap.servers", "127.0.0.1:1");
    pst_producer_config config = {
        .kafka = {.worker = &f->worker, .client_id = "test", .cancel = cancel}};
    assert_int_equal(pst_producer_new(&f->producer, &config, &err), PST_OK);
    assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_OK);
    pst_cancel_set(cancel);
    assert_int_equal(pst_producer_flush(f->producer, 60000, &err), PST_E_STOPPED);
    pst_producer_free(f->producer);
    f->producer = NULL;
    pst_cancel_free(cancel);
}

static void test_bad_records_and_settings(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_producer *producer = NULL;
    pst_outgoing record = {.partition = 0, .value = PST_SV("v")};
    open_producer(f, 0);
    assert_int_equal(pst_producer_send(f->producer, &record, &err), PST_E_INVALID);
    pst_err_clear(&err);
    f->items[f->worker.n++] = prop("producer.acks", "1");
    pst_producer_config config = {.kafka = {.worker = &f->worker, .client_id = "test"}};
    assert_int_equal(pst_producer_new(&producer, &config, &err), PST_E_CONFIG);
    assert_null(producer);
    assert_non_null(strstr(err.text, "producer.acks: acks is fixed"));
    pst_err_clear(&err);
    f->items[1] = prop("max.in.flight", "50");
    assert_int_equal(pst_producer_new(&producer, &config, &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "max.in.flight"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_delivers_in_order),
        CASE(test_null_empty_headers_timestamp),
        CASE(test_partition_by_murmur2),
        CASE(test_queue_full_is_retriable),
        CASE(test_broker_refuses),
        CASE(test_too_large),
        CASE(test_transient_error_is_retried_inside),
        CASE(test_unreachable_broker),
        CASE(test_cancel_ends_flush),
        CASE(test_bad_records_and_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

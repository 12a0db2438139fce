/*
 * test_kafka_headers.c - a consumed record's headers, as librdkafka's embedded cluster
 * gives them back.
 */
#include "io/kafka_headers.h"
#include "io/kafka_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TOO_MANY = 100001 }; /* librdkafka parses 100,000 */

static rd_kafka_t *client(const pst_mock_kafka *mock, rd_kafka_type_t type)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", pst_mock_kafka_bootstrap(mock), NULL, 0);
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    assert_non_null(rk);
    return rk;
}

static void produce(const pst_mock_kafka *mock, rd_kafka_headers_t *headers)
{
    rd_kafka_t *rk = client(mock, RD_KAFKA_PRODUCER);
    assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("users"),
                                       RD_KAFKA_V_PARTITION(0),
                                       RD_KAFKA_V_VALUE((void *)(uintptr_t) "v", 1),
                                       RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END),
                     0);
    assert_int_equal(rd_kafka_flush(rk, 10000), 0);
    rd_kafka_destroy(rk);
}

/* What comes back of a record with these headers (taken over). */
static void round_trip(rd_kafka_headers_t *headers, void (*see)(const void *))
{
    pst_mock_kafka *mock = NULL;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_mock_kafka_new(&mock, 1, &err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(mock, "users", 1, &err), PST_OK);
    produce(mock, headers);
    rd_kafka_t *rk = client(mock, RD_KAFKA_CONSUMER);
    rd_kafka_topic_partition_list_t *tps = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(tps, "users", 0)->offset = 0;
    assert_int_equal(rd_kafka_assign(rk, tps), 0);
    rd_kafka_topic_partition_list_destroy(tps);
    rd_kafka_message_t *message = NULL;
    for (int idle = 0; !message && idle < 100; idle++)
        message = rd_kafka_consumer_poll(rk, 100);
    assert_non_null(message);
    assert_int_equal(message->err, 0);
    see(message);
    rd_kafka_message_destroy(message);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    pst_mock_kafka_free(mock);
}

static void check(const void *headers, size_t index, const char *key, pst_sv want)
{
    pst_sv name, value;
    assert_int_equal(pst_kafka_header(headers, index, &name, &value), PST_OK);
    assert_true(pst_sv_is(name, key));
    assert_int_equal(value.p == NULL, want.p == NULL);
    assert_true(pst_sv_eq(value, want));
}

static void see_all(const void *headers)
{
    pst_sv key, value;
    for (int i = 0; i < 3; i++) {
        check(headers, 0, "h", (pst_sv){"a\0b", 3});
        check(headers, 1, "none", (pst_sv){NULL, 0});
        check(headers, 2, "", PST_SV(""));
        check(headers, 3, "h", PST_SV("again"));
        assert_int_equal(pst_kafka_header(headers, 4, &key, &value), PST_E_NOT_FOUND);
        if (i)
            pst_kafka_headers_drop(headers);
    }
    pst_kafka_headers_drop(headers);
    pst_kafka_headers_drop(headers);
}

static void in_order_and_again_after_a_drop(void **state)
{
    (void)state;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    assert_int_equal(rd_kafka_header_add(headers, "h", -1, "a\0b", 3), 0);
    assert_int_equal(rd_kafka_header_add(headers, "none", -1, NULL, 0), 0);
    assert_int_equal(rd_kafka_header_add(headers, "", 0, "", 0), 0);
    assert_int_equal(rd_kafka_header_add(headers, "h", -1, "again", 5), 0);
    round_trip(headers, see_all);
}

static void see_none(const void *headers)
{
    pst_sv key, value;
    assert_int_equal(pst_kafka_header(headers, 0, &key, &value), PST_E_NOT_FOUND);
    pst_kafka_headers_drop(headers);
    assert_int_equal(pst_kafka_header(headers, 0, &key, &value), PST_E_NOT_FOUND);
}

static void none(void **state)
{
    (void)state;
    round_trip(rd_kafka_headers_new(0), see_none);
}

static void see_broken(const void *headers)
{
    pst_sv key, value;
    assert_int_equal(pst_kafka_header(headers, 0, &key, &value), PST_E_INVALID);
    pst_kafka_headers_drop(headers);
}

static void more_than_librdkafka_parses(void **state)
{
    (void)state;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(TOO_MANY);
    for (int i = 0; i < TOO_MANY; i++)
        assert_int_equal(rd_kafka_header_add(headers, "", 0, NULL, 0), 0);
    round_trip(headers, see_broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_and_again_after_a_drop),
        cmocka_unit_test(none),
        cmocka_unit_test(more_than_librdkafka_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

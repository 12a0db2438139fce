/*
 * test_kafka_mock.c - the embedded cluster starts, has topics, and stops.
 */
#include "io/kafka_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_starts_and_stops(void **state)
{
    pst_mock_kafka *mock = NULL;
    pst_err err = PST_ERR_INIT;
    (void)state;
    assert_int_equal(pst_mock_kafka_new(&mock, 2, &err), PST_OK);
    assert_non_null(strstr(pst_mock_kafka_bootstrap(mock), "127.0.0.1:"));
    assert_non_null(strchr(pst_mock_kafka_bootstrap(mock), ','));
    assert_non_null(pst_mock_kafka_cluster(mock));
    pst_mock_kafka_free(mock);
    pst_mock_kafka_free(NULL);
}

static void test_topics(void **state)
{
    pst_mock_kafka *mock = NULL;
    pst_err err = PST_ERR_INIT;
    (void)state;
    assert_int_equal(pst_mock_kafka_new(&mock, 1, &err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(mock, "users", 3, &err), PST_OK);
    assert_int_not_equal(pst_mock_kafka_create_topic(mock, "users", 3, &err), PST_OK);
    assert_non_null(strstr(err.text, "users: the topic can't be created"));
    pst_err_clear(&err);
    assert_int_equal(pst_mock_kafka_create_topic(mock, "none", 0, &err), PST_E_INVALID);
    pst_mock_kafka_free(mock);
}

static void test_bounds(void **state)
{
    pst_mock_kafka *mock = NULL;
    pst_err err = PST_ERR_INIT;
    (void)state;
    assert_int_equal(pst_mock_kafka_new(&mock, 0, &err), PST_E_INVALID);
    assert_null(mock);
    assert_string_equal(err.text, "an embedded Kafka has 1 to 9 brokers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_and_stops),
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_kafka_client.c - librdkafka's settings out of properties, log lines, errors.
 */
#include "io/kafka_internal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define REFUSED(key, value, text) refused(key, value, PST_E_CONFIG, text)
#define N_OF(array) (sizeof(array) / sizeof(array)[0])

static void accepted(const char *key, const char *value)
{
    pst_err err = PST_ERR_INIT;
    if (pst_kafka_check_property(key, value, &err) != PST_OK)
        fail_msg("%s=%s: %s", key, value, err.text);
}

static void refused(const char *key, const char *value, pst_rc rc, const char *text)
{
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_kafka_check_property(key, value, &err), rc);
    assert_int_equal(err.code, rc);
    assert_false(err.retriable);
    if (!strstr(err.text, text))
        fail_msg("%s=%s: \"%s\" does not hold \"%s\"", key, value, err.text, text);
}

static void test_known_names(void **state)
{
    (void)state;
    accepted("bootstrap.servers", "a:1,b:2");
    accepted("security.protocol", "SASL_SSL");
    accepted("consumer.session.timeout.ms", "10000");
    accepted("producer.linger.ms", "5");
    accepted("consumer.override.fetch.min.bytes", "1");
    accepted("producer.override.compression.type", "lz4");
    accepted("consumer.auto.offset.reset", "latest");
    accepted("consumer.override.auto.offset.reset", "Earliest");
    accepted("producer.acks", "all");
    accepted("producer.acks", "-1");
    accepted("enable.idempotence", "true");
    accepted("enable.auto.commit", "false");
}

static void test_unknown_names(void **state)
{
    (void)state;
    refused("sesion.timeout.ms", "1", PST_E_NOT_FOUND,
            "did you mean session.timeout.ms?");
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_kafka_check_property("log.levl", "1", &err), PST_E_NOT_FOUND);
    assert_string_equal(err.text, ""); /* the settings engine knows log.level */
    REFUSED("consumer.fetch.min.byte", "1", "did you mean fetch.min.bytes?");
    REFUSED("producer.", "1", "no property");
}

static void test_wrong_values(void **state)
{
    (void)state;
    REFUSED("security.protocol", "TLS", "security.protocol");
    REFUSED("consumer.session.timeout.ms", "x", "session.timeout.ms");
    REFUSED("consumer.auto.offset.reset", "error", "earliest or latest");
}

static void test_wrong_role(void **state)
{
    (void)state;
    REFUSED("producer.session.timeout.ms", "10000",
            "a consumer's property: set consumer.session.timeout.ms");
    REFUSED("consumer.override.linger.ms", "5", "set producer.override.linger.ms");
}

static void test_fixed_by_the_runtime(void **state)
{
    (void)state;
    REFUSED("enable.auto.commit", "true",
            "offsets are committed once an object is durable");
    REFUSED("consumer.enable.auto.offset.store", "true", "is fixed");
    REFUSED("consumer.override.enable.partition.eof", "false", "is fixed");
    REFUSED("auto.offset.reset", "latest", "consumer.auto.offset.reset=earliest|latest");
    REFUSED("group.id", "mine", "connect-<name of the connector>");
    REFUSED("producer.acks", "1", "all in-sync replicas");
    REFUSED("producer.enable.idempotence", "false", "twice");
    REFUSED("producer.override.transactional.id", "x", "connector's name");
    REFUSED("plugin.library.paths", "/tmp/x.so", "no library is loaded");
    REFUSED("consumer.override.sasl.kerberos.kinit.cmd", "true", "can't be overridden");
}

/* librdkafka would take the text's address for a pointer. */
static void test_pointers_are_refused(void **state)
{
    static const char *const names[] = {"opaque",
                                        "error_cb",
                                        "consumer.rebalance_cb",
                                        "interceptors",
                                        "ssl_key",
                                        "log_cb",
                                        "default_topic_conf",
                                        "producer.partitioner_cb",
                                        "ssl_certificate",
                                        "producer.dr_msg_cb"};
    (void)state;
    for (size_t i = 0; i < N_OF(names); i++)
        REFUSED(names[i], "x", "takes a pointer");
}

static void test_java_names(void **state)
{
    (void)state;
    REFUSED("sasl.jaas.config", "secret stuff", "set sasl.username and sasl.password");
    REFUSED("consumer.ssl.truststore.location", "/x.jks", "ssl.ca.location");
    REFUSED("key.converter", "org.apache…", "no converters");
    REFUSED("value.converter.schemas.enable", "false", "no converters");
    REFUSED("producer.buffer.memory", "1", "queue.buffering.max.kbytes");
}

static void test_secret_values_are_not_shown(void **state)
{
    pst_err err = PST_ERR_INIT;
    (void)state;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(pst_kafka_conf_set(conf, "ssl.key.nonsense", "hunter2", &err),
                     PST_E_CONFIG);
    assert_null(strstr(err.text, "hunter2"));
    rd_kafka_conf_destroy(conf);
}

/* ---- merging ---- */

static pst_props props_of(pst_prop *items, size_t n)
{
    return (pst_props){items, n, n};
}

static pst_prop prop(const char *key, const char *value)
{
    return (pst_prop){.key = (char *)(uintptr_t)key,
                      .value = (char *)(uintptr_t)value,
                      .file = (char *)(uintptr_t) "w.properties",
                      .line = 7};
}

static void assert_conf(rd_kafka_conf_t *conf, const char *name, const char *expected)
{
    char value[256] = "";
    size_t size = sizeof value;
    assert_int_equal(rd_kafka_conf_get(conf, name, value, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(value, expected);
}

static void test_merge_order(void **state)
{
    pst_prop worker_items[] = {
        prop("consumer.fetch.min.bytes", "2"),
        prop("fetch.min.bytes", "1"),
        prop("bootstrap.servers", "127.0.0.1:1"),
        prop("session.timeout.ms", "11000"),
        prop("linger.ms", "3"),
        prop("consumer.fetch.wait.max.ms", "50"),
        prop("listeners", "http://127.0.0.1:0"),
        prop("consumer.auto.offset.reset", "latest"),
        prop("socket.timeout.ms", "5000"),
    };
    pst_prop connector_items[] = {
        prop("consumer.override.fetch.wait.max.ms", "70"),
        prop("producer.override.linger.ms", "9"),
        prop("linger.ms", "100"), /* a connector's plain names are its own */
        prop("topics", "users"),
    };
    pst_props worker = props_of(worker_items, N_OF(worker_items));
    pst_props connector = props_of(connector_items, N_OF(connector_items));
    pst_kafka_options options = {
        .worker = &worker, .connector = &connector, .client_id = "users-0"};
    pst_err err = PST_ERR_INIT;
    rd_kafka_conf_t *conf = NULL;
    (void)state;
    assert_int_equal(pst_kafka_conf_build(&conf, PST_KAFKA_CONSUMER, &options, &err),
                     PST_OK);
    assert_conf(conf, "fetch.min.bytes", "2");
    assert_conf(conf, "fetch.wait.max.ms", "70");
    assert_conf(conf, "session.timeout.ms", "11000");
    assert_conf(conf, "client.id", "users-0");
    assert_conf(conf, "linger.ms", "5"); /* untouched: the producer's */
    rd_kafka_conf_destroy(conf);
    assert_int_equal(pst_kafka_conf_build(&conf, PST_KAFKA_PRODUCER, &options, &err),
                     PST_OK);
    assert_conf(conf, "linger.ms", "9");
    assert_conf(conf, "socket.timeout.ms", "5000");
    assert_conf(conf, "session.timeout.ms", "45000");
    assert_conf(conf, "partitioner", "murmur2_random");
    rd_kafka_conf_destroy(conf);
}

static void assert_build_fails(pst_prop *items, size_t n, const char *text)
{
    pst_props worker = props_of(items, n);
    pst_kafka_options options = {.worker = &worker, .client_id = "users-0"};
    pst_err err = PST_ERR_INIT;
    rd_kafka_conf_t *conf = NULL;
    assert_int_equal(pst_kafka_conf_build(&conf, PST_KAFKA_CONSUMER, &options, &err),
                     PST_E_CONFIG);
    assert_null(conf);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" does not hold \"%s\"", err.text, text);
}

static void test_build_errors(void **state)
{
    pst_prop bad[] = {prop("bootstrap.servers", "127.0.0.1:1"),
                      prop("consumer.session.timeout.ms", "soon")};
    pst_prop fixed[] = {prop("bootstrap.servers", "127.0.0.1:1"), prop("group.id", "x")};
    (void)state;
    assert_build_fails(NULL, 0, "bootstrap.servers is not set");
    assert_build_fails(bad, 2, "w.properties:7: consumer.session.timeout.ms: ");
    assert_build_fails(fixed, 2, "w.properties:7: group.id: ");
}

/* ---- log ---- */

typedef struct lines {
    int n;
    char last[512];
    pst_log_level level;
} lines;

static void count_line(void *opaque, pst_log_level level, const char *line)
{
    lines *got = opaque;
    got->n++;
    got->level = level;
    snprintf(got->last, sizeof got->last, "%s", line);
}

static void test_log_is_mapped_and_rate_limited(void **state)
{
    lines got = {0};
    pst_log *log = pst_log_new(count_line, &got);
    pst_kafka_options options = {.client_id = "users-0", .log = log};
    pst_kafka_link link;
    (void)state;
    pst_kafka_link_init(&link, &options);
    pst_kafka_link_log(&link, 3, "FAIL", "b:9092/1: refused (after 2ms in state X)");
    assert_int_equal(got.n, 1);
    assert_int_equal(got.level, PST_LOG_ERROR);
    assert_non_null(strstr(got.last, "[users-0] kafka: FAIL: b:9092/1: refused"));
    pst_kafka_link_log(&link, 3, "FAIL", "b:9092/1: refused (after 17ms in state X)");
    pst_kafka_link_log(&link, 3, "FAIL", "b:9092/1: refused (after 1ms in state X)");
    assert_int_equal(got.n, 1);
    pst_kafka_link_log(&link, 3, "FAIL", "b:9093/2: refused (after 1ms in state X)");
    assert_int_equal(got.n, 2);
    link.seen[0].at_ms = link.seen[1].at_ms = -PST_KAFKA_LOG_REPEAT_MS;
    pst_kafka_link_log(&link, 3, "FAIL", "b:9092/1: refused (after 5ms in state X)");
    assert_int_equal(got.n, 3);
    assert_non_null(strstr(got.last, "(and 2 times more since)"));
    pst_kafka_link_log(&link, 7, "DEBUG", "chatter");
    assert_int_equal(got.n, 3);
    pst_kafka_link_done(&link);
    pst_log_free(log);
}

static void test_log_without_a_log(void **state)
{
    pst_kafka_options options = {0};
    pst_kafka_link link;
    char text[PST_KAFKA_ERROR_TEXT];
    (void)state;
    pst_kafka_link_init(&link, &options);
    pst_kafka_link_log(&link, 3, "FAIL", "swallowed");
    pst_kafka_link_last_error(&link, text, sizeof text);
    assert_string_equal(text, "");
    pst_kafka_link_set_error(&link, "brokers are down");
    pst_kafka_link_last_error(&link, text, 8);
    assert_string_equal(text, "brokers");
    pst_kafka_link_done(&link);
}

static void test_many_different_lines(void **state)
{
    lines got = {0};
    char text[64];
    pst_log *log = pst_log_new(count_line, &got);
    pst_kafka_options options = {.log = log};
    pst_kafka_link link;
    (void)state;
    pst_kafka_link_init(&link, &options);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "broker-%d", i);
        pst_kafka_link_log(&link, 4, "X", text);
    }
    assert_int_equal(got.n, 1000);
    pst_kafka_link_done(&link);
    pst_log_free(log);
}

static void *talk(void *link)
{
    char text[64];
    for (int i = 0; i < 20000; i++) {
        snprintf(text, sizeof text, "broker-%d", i);
        pst_kafka_link_log(link, 4, "X", text);
    }
    return NULL;
}

/* A client that does not end is left behind: its threads speak on, its log is freed. */
static void test_silence_while_a_thread_speaks(void **state)
{
    lines got = {0};
    pst_log *log = pst_log_new(count_line, &got);
    pst_kafka_options options = {.log = log};
    pst_kafka_link link;
    pthread_t thread;
    (void)state;
    pst_kafka_link_init(&link, &options);
    assert_int_equal(pthread_create(&thread, NULL, talk, &link), 0);
    pst_cancel_wait(NULL, 5);
    pst_kafka_link_silence(&link);
    pst_log_free(log);
    pthread_join(thread, NULL);
    pst_kafka_link_log(&link, 3, "X", "swallowed");
    assert_null(strstr(got.last, "swallowed"));
    pst_kafka_link_done(&link);
}

/* ---- errors ---- */

static void test_error_classes(void **state)
{
    pst_err err = PST_ERR_INIT;
    (void)state;
    assert_int_equal(
        pst_kafka_fail(&err, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, "users", NULL),
        PST_E_TIMEOUT);
    assert_true(err.retriable && err.unknown);
    assert_int_equal(err.status, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
    assert_non_null(strstr(err.text, "_MSG_TIMED_OUT"));
    assert_int_equal(
        pst_kafka_fail(&err, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "x", "second"),
        PST_E_AUTH);
    assert_int_equal(err.code, PST_E_TIMEOUT); /* the first error wins */
    assert_int_equal(
        pst_kafka_fail(NULL, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "x", ""),
        PST_E_NOT_FOUND);
    assert_int_equal(pst_kafka_fail_take(NULL, NULL, "x"), PST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_names),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_wrong_role),
        cmocka_unit_test(test_fixed_by_the_runtime),
        cmocka_unit_test(test_pointers_are_refused),
        cmocka_unit_test(test_java_names),
        cmocka_unit_test(test_secret_values_are_not_shown),
        cmocka_unit_test(test_merge_order),
        cmocka_unit_test(test_build_errors),
        cmocka_unit_test(test_log_is_mapped_and_rate_limited),
        cmocka_unit_test(test_log_without_a_log),
        cmocka_unit_test(test_many_different_lines),
        cmocka_unit_test(test_silence_while_a_thread_speaks),
        cmocka_unit_test(test_error_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

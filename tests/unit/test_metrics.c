/*
 * test_metrics.c - counters, meters and histograms; the exposition text with hostile
 * names and at its ceilings; readers beside a writer.
 */
#include "runtime/metrics.h"
#include "runtime/worker.h"

#include "base/mem.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static pst_metrics metrics;
static pst_task_metrics task;
static pst_metrics_page page;
static pst_buf text;

static int set_up(void **state)
{
    (void)state;
    pst_metrics_init(&metrics);
    task = (pst_task_metrics){.connector = "users", .id = 3, .sink = true};
    task.state = PST_TASK_RUNNING;
    page = (pst_metrics_page){.tasks = &task, .n_tasks = 1, .connectors = 1};
    pst_buf_init(&text, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pst_free(task.parts);
    pst_metrics_done(&metrics);
    pst_buf_done(&text);
    return 0;
}

static const char *written(void)
{
    pst_buf_clear(&text);
    pst_free(task.parts);
    task.parts = NULL;
    size_t room = PST_METRICS_ALL_PARTS_MAX;
    page.dropped_parts = 0;
    pst_metrics_copy(&metrics, &task);
    assert_int_equal(pst_metrics_copy_parts(&metrics, &task, &room, &page.dropped_parts),
                     PST_OK);
    assert_int_equal(pst_metrics_text(&page, &text), PST_OK);
    return pst_buf_cstr(&text);
}

static void assert_line(const char *all, const char *line)
{
    char whole[1000];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (!strstr(all, whole))
        fail_msg("no line %s in\n%s", line, all);
}

static void counters_and_gauges_are_lines(void **state)
{
    (void)state;
    pst_metrics_set(&metrics, PST_M_READ, 1234567890123);
    pst_metrics_add(&metrics, PST_M_RETRIES, 2);
    pst_metrics_add(&metrics, PST_M_RETRIES, 3);
    pst_metrics_set(&metrics, PST_M_STALLED_MS, 12005);
    pst_metrics_add(NULL, PST_M_READ, 1);
    pst_metrics_set(NULL, PST_M_READ, 1);
    page.buffer_used = 77;
    const char *all = written();
    assert_line(all, "kafka_connect_sink_task_metrics_sink_record_read_total"
                     "{connector=\"users\",task=\"3\"} 1234567890123");
    assert_line(all, "kafka_connect_task_error_metrics_retries_total"
                     "{connector=\"users\",task=\"3\"} 5");
    assert_line(all, "penstock_store_stalled_seconds{connector=\"users\",task=\"3\"} "
                     "12.005");
    assert_line(all, "penstock_buffer_bytes 77");
    assert_line(all, "kafka_connect_connector_task_metrics_status"
                     "{connector=\"users\",task=\"3\",status=\"running\"} 1");
    assert_line(all, "kafka_connect_connector_task_metrics_status"
                     "{connector=\"users\",task=\"3\",status=\"failed\"} 0");
    assert_null(strstr(all, "source_record_write_total{"));
}

static void what_was_not_measured_is_nan(void **state)
{
    (void)state;
    assert_line(written(), "kafka_connect_sink_task_metrics_put_batch_avg_time_seconds"
                           "{connector=\"users\",task=\"3\"} NaN");
}

static void a_source_has_its_own(void **state)
{
    (void)state;
    task.sink = false;
    pst_metrics_set(&metrics, PST_M_WRITE, 9);
    const char *all = written();
    assert_line(all, "kafka_connect_source_task_metrics_source_record_write_total"
                     "{connector=\"users\",task=\"3\"} 9");
    assert_null(strstr(all, "sink_record_read_total{"));
    assert_null(strstr(all, "object_bytes_bucket{"));
}

static void histograms_are_cumulative(void **state)
{
    (void)state;
    pst_metrics_observe(&metrics, PST_H_OBJECT_BYTES, 0);
    pst_metrics_observe(&metrics, PST_H_OBJECT_BYTES, 1024);
    pst_metrics_observe(&metrics, PST_H_OBJECT_BYTES, 1025);
    pst_metrics_observe(&metrics, PST_H_OBJECT_BYTES, INT64_C(1) << 40);
    pst_metrics_observe(&metrics, PST_H_PUT_US, 1500);
    pst_metrics_observe(NULL, PST_H_PUT_US, 1500);
    const char *all = written();
#define HEAD "penstock_object_bytes_%s{connector=\"users\",task=\"3\"%s} %s"
    static const char *const rows[][3] = {
        {"bucket", ",le=\"1024\"", "2"},       {"bucket", ",le=\"4096\"", "3"},
        {"bucket", ",le=\"1073741824\"", "3"}, {"bucket", ",le=\"+Inf\"", "4"},
        {"sum", "", "1099511629825"},          {"count", "", "4"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[200];
        snprintf(line, sizeof line, HEAD, rows[i][0], rows[i][1], rows[i][2]);
        assert_line(all, line);
    }
    assert_line(all, "penstock_put_seconds_sum{connector=\"users\",task=\"3\"} 0.001500");
    assert_line(all, "penstock_put_seconds_bucket{connector=\"users\",task=\"3\","
                     "le=\"0.0025\"} 1");
    assert_line(all, "penstock_put_seconds_bucket{connector=\"users\",task=\"3\","
                     "le=\"0.001\"} 0");
}

static void names_are_escaped(void **state)
{
    (void)state;
    pst_part_metrics part = {.partition = 7, .committed = 5, .read = 9, .end = 12};
    snprintf(part.topic, sizeof part.topic, "%s", "a\"b\\c\nd} 1\n\x01é");
    pst_metrics_parts(&metrics, &part, 1, 0);
    assert_line(written(), "penstock_consumer_lag{connector=\"users\",task=\"3\","
                           "topic=\"a\\\"b\\\\c\\nd} 1\\n?é\",partition=\"7\"} 7");
    snprintf(part.topic, sizeof part.topic, "%s", "x\xff\xc3");
    snprintf(task.connector, sizeof task.connector, "%s", "\"} 1\nevil 2");
    pst_metrics_parts(&metrics, &part, 1, 0);
    const char *all = written();
    assert_line(all, "penstock_read_offset{connector=\"\\\"} 1\\nevil 2\",task=\"3\","
                     "topic=\"x??\",partition=\"7\"} 9");
    assert_null(strstr(all, "\nevil"));
}

static void unknown_ends_have_no_lag(void **state)
{
    (void)state;
    pst_part_metrics parts[] = {
        {.topic = "t", .partition = 0, .committed = 5, .read = 5, .end = -1},
        {.topic = "t", .partition = 1, .committed = 15, .read = 15, .end = 12},
        {.topic = "t", .partition = 2, .committed = -1, .read = -1, .end = 12},
    };
    pst_metrics_parts(&metrics, parts, 3, 0);
    const char *all = written();
    assert_null(strstr(all, "consumer_lag{connector=\"users\",task=\"3\",topic=\"t\","
                            "partition=\"0\"}"));
    assert_line(all, "penstock_consumer_lag{connector=\"users\",task=\"3\",topic=\"t\","
                     "partition=\"1\"} 0");
    assert_null(strstr(all, "partition=\"2\"} 12"));
}

static void series_have_a_ceiling(void **state)
{
    (void)state;
    size_t n = PST_METRICS_PARTS_MAX, room = 10, dropped = 0;
    pst_part_metrics *parts = pst_calloc(n, sizeof *parts);
    pst_metrics_parts(&metrics, parts, n, 50);
    pst_task_metrics copy = {.sink = true};
    assert_int_equal(pst_metrics_copy_parts(&metrics, &copy, &room, &dropped), PST_OK);
    assert_int_equal(copy.n_parts, 10);
    assert_int_equal(room, 0);
    assert_int_equal(dropped, n - 10 + 50);
    pst_free(copy.parts);
    pst_free(parts);
    pst_buf small;
    pst_buf_init(&small, 5000);
    (void)written();
    assert_int_equal(pst_metrics_text(&page, &small), PST_E_LIMIT);
    pst_buf_done(&small);
}

static void a_meter_forgets(void **state)
{
    (void)state;
    pst_meter meter = {.began_ms = 0};
    int64_t average, max, now = 1000 * PST_METER_MS;
    pst_meter_read(&meter, now, &average, &max);
    assert_int_equal(average, PST_METRIC_NONE);
    pst_meter_add(&meter, now, 10);
    pst_meter_add(&meter, now, 30);
    pst_meter_read(&meter, now + PST_METER_MS, &average, &max);
    assert_int_equal(average, 20);
    assert_int_equal(max, 30);
    pst_meter_add(&meter, now + PST_METER_MS, 2);
    pst_meter_read(&meter, now + PST_METER_MS, &average, &max);
    assert_int_equal(average, 14);
    pst_meter_read(&meter, now + 2 * PST_METER_MS, &average, &max);
    assert_int_equal(average, 2);
    assert_int_equal(max, 2);
    pst_meter_read(&meter, now + 9 * PST_METER_MS, &average, &max);
    assert_int_equal(max, PST_METRIC_NONE);
}

static void a_look_gives_ratios(void **state)
{
    (void)state;
    pst_metrics_look(&metrics, 1000, false);
    pst_metrics_look(&metrics, 4000, false);
    pst_metrics_look(&metrics, 5000, true);
    pst_meter_add(&metrics.success, 5000, 1000000);
    pst_meter_add(&metrics.success, 5000, 0);
    pst_metrics_look(&metrics, 5000, true);
    const char *all = written();
    assert_line(all, "kafka_connect_connector_task_metrics_running_ratio"
                     "{connector=\"users\",task=\"3\"} 0.750000");
    assert_line(all, "kafka_connect_connector_task_metrics_pause_ratio"
                     "{connector=\"users\",task=\"3\"} 0.250000");
    assert_line(all, "kafka_connect_connector_task_metrics_offset_commit_success_"
                     "percentage{connector=\"users\",task=\"3\"} 0.500000");
    pst_metrics_reset(&metrics);
    assert_int_equal(pst_metrics_get(&metrics, PST_M_RUNNING_RATIO), PST_METRIC_NONE);
}

static void librdkafkas_numbers_are_found(void **state)
{
    (void)state;
    static const char json[] =
        "{ \"name\": \"a\\\"b\", \"rxmsgs\":7,\"rx_bytes\":900, \"tx_bytes\":80,"
        "\"brokers\":{ \"h:1/1\":{\"name\":\"h:1/1\",\"nodeid\":1,"
        "\"source\":\"learned\",\"state\":\"UP\",\"txretries\":2,"
        "\"req_timeouts\":1,\"txerrs\":1,\"rxerrs\":2,\"connects\":3,\"rtt\":{\"avg\":10,"
        "\"p99\":40},\"throttle\":{\"avg\":5},\"toppars\":{\"t-0\":{\"partition\":0}}},"
        "\"h:1/bootstrap\":{\"nodeid\":-1,\"source\":\"configured\",\"state\":\"UP\"},"
        "\"GroupCoordinator\":{\"nodeid\":1,\"source\":\"logical\",\"state\":\"UP\"},"
        "\"h:2/2\":{\"nodeid\":2,\"state\":\"DOWN\",\"txretries\":3,\"disconnects\":4,"
        "\"rtt\":{\"avg\":90,\"p99\":20}}},\"topics\":{\"t\":{\"batchsize\":{\"avg\":1},"
        "\"partitions\":{\"0\":{\"fetchq_cnt\":11,\"fetchq_size\":1000},"
        "\"-1\":{\"fetchq_cnt\":-1,\"fetchq_size\":5}}}},"
        "\"cgrp\":{\"state\":\"up\",\"rebalance_cnt\":6}}";
    pst_kafka_stats stats;
    pst_kafka_stats_read(json, sizeof json - 1, &stats);
    assert_int_equal(stats.rx_bytes, 900);
    assert_int_equal(stats.tx_bytes, 80);
    assert_int_equal(stats.rx_messages, 7);
    assert_int_equal(stats.brokers_up, 1);
    assert_int_equal(stats.retries, 5);
    assert_int_equal(stats.timeouts, 1);
    assert_int_equal(stats.errors, 3);
    assert_int_equal(stats.connects, 3);
    assert_int_equal(stats.disconnects, 4);
    assert_int_equal(stats.rtt_us, 90);
    assert_int_equal(stats.rtt_p99_us, 40);
    assert_int_equal(stats.throttle_ms, 5);
    assert_int_equal(stats.fetched_records, 11);
    assert_int_equal(stats.fetched_bytes, 1005);
    assert_int_equal(stats.rebalances, 6);
    for (size_t n = 0; n < sizeof json; n++) { /* cut anywhere: in its own block */
        char *cut = pst_malloc(n + 1);
        memcpy(cut, json, n);
        pst_kafka_stats_read(cut, n, &stats);
        pst_free(cut);
    }
    static const char odd[] = "}}]{[[[[[[[[[[[[[[[[{\"a\":-99999999999999999999999,\"b";
    pst_kafka_stats_read(odd, sizeof odd - 1, &stats);
    assert_int_equal(stats.rx_bytes, 0);
}

enum { ROUNDS = 2000 };

static void *write_numbers(void *arg)
{
    (void)arg;
    pst_part_metrics parts[30] = {{.partition = 1}};
    for (int i = 1; i <= ROUNDS; i++) {
        pst_metrics_set(&metrics, PST_M_READ, i);
        pst_metrics_observe(&metrics, PST_H_PUT_US, i);
        pst_meter_add(&metrics.put, i, i);
        pst_metrics_look(&metrics, i, false);
        pst_metrics_parts(&metrics, parts, (size_t)(i % 30), 0);
    }
    return NULL;
}

static void a_reader_beside_a_writer(void **state)
{
    (void)state;
    pthread_t writer;
    int64_t before = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_numbers, NULL), 0);
    for (int i = 0; i < 100; i++) {
        (void)written();
        assert_true(task.values[PST_M_READ] >= before);
        before = task.values[PST_M_READ];
    }
    pthread_join(writer, NULL);
    (void)written();
    assert_int_equal(task.values[PST_M_READ], ROUNDS);
    assert_int_equal(task.sums[PST_H_PUT_US], (int64_t)ROUNDS * (ROUNDS + 1) / 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counters_and_gauges_are_lines),
        TEST(what_was_not_measured_is_nan),
        TEST(a_source_has_its_own),
        TEST(histograms_are_cumulative),
        TEST(names_are_escaped),
        TEST(unknown_ends_have_no_lag),
        TEST(series_have_a_ceiling),
        TEST(a_meter_forgets),
        TEST(a_look_gives_ratios),
        TEST(librdkafkas_numbers_are_found),
        TEST(a_reader_beside_a_writer),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}

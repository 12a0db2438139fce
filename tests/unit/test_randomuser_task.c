/*
 * test_randomuser_task.c - RandomUserSource run by the real source task into the embedded
 * Kafka, and read back: every recorded user arrives once, in order, in both outputs.
 */
#include "connectors/randomuser/internal.h"
#include "io/kafka_internal.h"
#include "runtime/source_task.h"

#include "test_randomuser_server.h"

typedef struct fixture {
    server *server;
    pst_mock_kafka *mock;
    pst_props worker, props;
    pst_conf_report report;
    pst_randomuser_conf conf;
    pst_task_env env;
    pst_source_result result;
} fixture;

static void set(fixture *f, pst_props *props, const char *key, const char *value)
{
    assert_int_equal(pst_props_set(props, key, value, "(test)", &f->report), PST_OK);
}

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    pst_err err = PST_ERR_INIT;
    assert_non_null(f);
    pst_props_init(&f->worker);
    pst_props_init(&f->props);
    pst_conf_report_init(&f->report);
    f->server = server_new();
    assert_int_equal(pst_mock_kafka_new(&f->mock, 1, &err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(f->mock, "people", 1, &err), PST_OK);
    set(f, &f->worker, "bootstrap.servers", pst_mock_kafka_bootstrap(f->mock));
    set(f, &f->props, "name", "users");
    set(f, &f->props, "connector.class", "RandomUserSource");
    set(f, &f->props, "kafka.topic", "people");
    set(f, &f->props, "randomuser.url", f->server->url);
    set(f, &f->props, "randomuser.seed", "penstock-500");
    set(f, &f->props, "users.per.second", "0");
    f->env = (pst_task_env){.id = "users-source-0",
                            .clock = pst_clock_system(),
                            .worker = &f->worker,
                            .connector_props = &f->props};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_mock_kafka_free(f->mock);
    server_free(f->server);
    pst_conf_done(&pst_randomuser_spec, &f->conf);
    pst_conf_report_done(&f->report);
    pst_props_done(&f->props);
    pst_props_done(&f->worker);
    pst_free(f);
    return 0;
}

static void run(fixture *f, int64_t users)
{
    pst_err err = PST_ERR_INIT;
    if (pst_conf_apply(&pst_randomuser_spec, &f->props, &f->conf, &f->report) != PST_OK)
        fail_msg("%s", f->report.items[0].text);
    if (pst_source_task_run(&pst_randomuser, &f->conf, &f->env, &f->result, &err) !=
        PST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(f->result.delivered, users);
    assert_int_equal(f->result.produced, users);
    assert_string_equal(f->result.topic, "people");
}

/* A plain consumer of the topic's only partition, from its beginning. */
static rd_kafka_t *reader_new(fixture *f)
{
    char errstr[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", pst_mock_kafka_bootstrap(f->mock), NULL,
                      0);
    rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, errstr, sizeof errstr);
    rd_kafka_topic_partition_list_t *tps = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(tps, "people", 0)->offset = 0;
    assert_int_equal(rd_kafka_assign(rk, tps), 0);
    rd_kafka_topic_partition_list_destroy(tps);
    return rk;
}

static rd_kafka_message_t *read_one(rd_kafka_t *rk)
{
    for (int idle = 0; idle < 100; idle++) {
        rd_kafka_message_t *rkm = rd_kafka_consumer_poll(rk, 100);
        if (rkm && !rkm->err)
            return rkm;
        if (rkm)
            rd_kafka_message_destroy(rkm);
    }
    fail_msg("a record is missing");
    return NULL;
}

static void assert_read_back(fixture *f, const pst_randomuser_page pages[2])
{
    rd_kafka_t *rk = reader_new(f);
    for (int p = 0; p < 2; p++)
        for (size_t i = 0; i < pages[p].n; i++) {
            rd_kafka_message_t *rkm = read_one(rk);
            pst_sv value = pst_randomuser_page_value(&pages[p], i);
            pst_sv key = pst_randomuser_page_key(&pages[p], i);
            assert_int_equal(rkm->len, value.n);
            assert_memory_equal(rkm->payload, value.p, value.n);
            assert_int_equal(rkm->key_len, key.n);
            assert_memory_equal(rkm->key, key.p, key.n);
            rd_kafka_message_destroy(rkm);
        }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

/* Both recorded pages, served with a failure between, in one of the outputs. */
static void assert_all_arrive(fixture *f, const char *output, int shape_output)
{
    pst_err err = PST_ERR_INIT;
    pst_randomuser_shape shape = {shape_output, true};
    char *texts[] = {read_recorded("page1-500.json"), read_recorded("page2-500.json")};
    pst_randomuser_page pages[2];
    for (int p = 0; p < 2; p++) {
        pst_randomuser_page_init(&pages[p]);
        assert_int_equal(
            pst_randomuser_page_parse(&pages[p], pst_sv_of(texts[p]), &shape, 500, &err),
            PST_OK);
    }
    server_play(f->server, (server_answer){.status = 200, .body = texts[0]});
    server_play(f->server, (server_answer){.status = 200, .body = texts[1], .cut = 1000});
    server_play(f->server, (server_answer){.status = 200, .body = texts[1]});
    set(f, &f->props, "max.users", "1000");
    set(f, &f->props, "retry.backoff.ms", "10");
    set(f, &f->props, "output", output);
    run(f, 1000);
    assert_int_equal(f->result.retries, 1);
    assert_int_equal(f->server->n_requests, 3);
    assert_read_back(f, pages);
    for (int p = 0; p < 2; p++) {
        pst_randomuser_page_done(&pages[p]);
        pst_free(texts[p]);
    }
}

static void test_all_users_raw(void **state)
{
    assert_all_arrive(*state, "raw", PST_RANDOMUSER_RAW);
}

static void test_all_users_flat(void **state)
{
    assert_all_arrive(*state, "flat", PST_RANDOMUSER_FLAT);
}

static void test_paced_by_the_real_clock(void **state)
{
    fixture *f = *state;
    char *text = read_recorded("ten.json");
    server_play(f->server, (server_answer){.status = 200, .body = text});
    set(f, &f->props, "max.users", "10");
    set(f, &f->props, "users.per.second", "10");
    run(f, 10);
    assert_true(f->result.seconds >= 0.9 && f->result.seconds < 2.5);
    pst_free(text);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_all_users_raw),
        CASE(test_all_users_flat),
        CASE(test_paced_by_the_real_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

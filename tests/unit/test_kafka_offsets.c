/*
 * test_kafka_offsets.c - reading a stored offset out of the topic: the newest value of a
 * key, a null value, limits, waits that end. How the topic is made and what open
 * transactions do is in tests/integration/test_source_once.py: the embedded cluster has
 * neither.
 */
#include "base/mem.h"
#include "io/kafka_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
    pst_mock_kafka *mock;
    pst_prop items[2];
    pst_props worker;
    pst_offsets_at at;
    pst_buf out;
    bool found;
    pst_err err;
} fixture;

static pst_prop prop(const char *key, const char *value)
{
    return (pst_prop){.key = (char *)(uintptr_t)key, .value = (char *)(uintptr_t)value};
}

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(pst_mock_kafka_new(&f->mock, 1, &f->err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(f->mock, "offsets", 2, &f->err), PST_OK);
    f->items[0] = prop("bootstrap.servers", pst_mock_kafka_bootstrap(f->mock));
    f->worker = (pst_props){f->items, 1, 2};
    f->at = (pst_offsets_at){.kafka = {.worker = &f->worker, .client_id = "t"},
                             .topic = "offsets",
                             .timeout_ms = 20000};
    pst_buf_init(&f->out, 64);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_buf_done(&f->out);
    pst_mock_kafka_free(f->mock);
    pst_free(f);
    return 0;
}

typedef struct entry {
    const char *key, *value; /* NULL value: a tombstone */
} entry;

static void store(fixture *f, const entry *entries, size_t n)
{
    pst_producer *producer = NULL;
    pst_producer_config config = {.kafka = f->at.kafka};
    assert_int_equal(pst_producer_new(&producer, &config, &f->err), PST_OK);
    for (size_t i = 0; i < n; i++) {
        pst_outgoing record = {.topic = "offsets",
                               .partition = PST_OFFSETS_PARTITION,
                               .key = pst_sv_of(entries[i].key),
                               .value = pst_sv_of(entries[i].value)};
        assert_int_equal(pst_producer_send(producer, &record, &f->err), PST_OK);
    }
    assert_int_equal(pst_producer_flush(producer, 20000, &f->err), PST_OK);
    pst_producer_free(producer);
}

static pst_rc load(fixture *f, const char *key)
{
    pst_err_clear(&f->err);
    pst_buf_clear(&f->out);
    pst_rc rc = pst_offsets_load(&f->at, pst_sv_of(key), &f->out, &f->found, &f->err);
    assert_int_equal(rc, f->err.code);
    return rc;
}

static void assert_value(fixture *f, const char *key, const char *value)
{
    if (load(f, key) != PST_OK)
        fail_msg("%s", f->err.text);
    assert_int_equal(f->found, value != NULL);
    assert_true(pst_sv_is((pst_sv){f->out.data, f->out.len}, value ? value : ""));
}

static void test_newest_value_of_the_key(void **state)
{
    static const entry entries[] = {{"a", "1"},  {"b", "one"}, {"a", "22"}, {"b", NULL},
                                    {"aa", "3"}, {"c", NULL},  {"c", "4"}};
    assert_value(*state, "a", NULL);
    store(*state, entries, sizeof entries / sizeof *entries);
    assert_value(*state, "a", "22");
    assert_value(*state, "b", NULL);
    assert_value(*state, "c", "4");
    assert_value(*state, "d", NULL);
}

static void test_a_value_beyond_the_ceiling(void **state)
{
    fixture *f = *state;
    char big[200];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    entry entries[] = {{"a", big}};
    store(f, entries, 1);
    assert_int_equal(load(f, "a"), PST_E_LIMIT);
    assert_string_equal(f->err.text, "a stored offset has 199 bytes");
}

static void test_waits_end(void **state)
{
    fixture *f = *state;
    f->items[0] = prop("bootstrap.servers", "127.0.0.1:1");
    f->at.timeout_ms = 500;
    assert_int_equal(load(f, "a"), PST_E_TIMEOUT);
    assert_non_null(strstr(f->err.text, "look for offset.storage.topic"));
    f->at.timeout_ms = 0;
    f->at.kafka.cancel = pst_cancel_new();
    pst_cancel_set(f->at.kafka.cancel);
    assert_int_equal(load(f, "a"), PST_E_STOPPED);
    pst_cancel_free(f->at.kafka.cancel);
}

static void test_a_setting_that_is_wrong(void **state)
{
    fixture *f = *state;
    f->items[f->worker.n++] = prop("consumer.fetch.wait.max.ms", "soon");
    assert_int_equal(load(f, "a"), PST_E_CONFIG);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_newest_value_of_the_key),
        CASE(test_a_value_beyond_the_ceiling),
        CASE(test_waits_end),
        CASE(test_a_setting_that_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

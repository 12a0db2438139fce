/*
 * test_randomuser_nomem.c - every allocation of the source fails once, in turn, jansson's
 * too: no crash, no leak, no half page, and the error says so.
 */
#include "mem_fault.c"

#include "connectors/randomuser/internal.h"
#include "io/kafka_internal.h"
#include "runtime/source_task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

enum { TRIES = 10000 };

#define BODY                                                                             \
    "{\"results\":[{\"login\":{\"uuid\":\"a\"},\"name\":{\"first\":\"F\",\"last\":"      \
    "\"L\"},"                                                                            \
    "\"location\":{\"postcode\":1,\"street\":{\"number\":3,\"name\":\"n\"}}},{"          \
    "\"login\":"                                                                         \
    "{\"uuid\":\"b\"}}],\"info\":{\"seed\":\"s\"}}"

static pst_rc parse_once(int output, pst_err *err)
{
    pst_randomuser_page page;
    pst_randomuser_shape shape = {output, true};
    pst_randomuser_page_init(&page);
    pst_rc rc = pst_randomuser_page_parse(&page, PST_SV(BODY), &shape, 5, err);
    assert_int_equal(page.n, rc == PST_OK ? 2 : 0);
    pst_randomuser_page_done(&page);
    return rc;
}

static void parse_with_faults(int output)
{
    long n = 0;
    for (; n < TRIES; n++) {
        pst_err err = PST_ERR_INIT;
        pst_fault_set(n);
        pst_rc rc = parse_once(output, &err);
        long hits = pst_fault_hits();
        pst_fault_set(-1);
        assert_int_equal(pst_fault_live(), 0);
        if (hits == 0) {
            assert_int_equal(rc, PST_OK);
            break;
        }
        /* Without memory for the seed the page is whole: only info.seed is lost. jansson
           takes some failures of its own for bad text: then the page is asked for again.
         */
        assert_true(rc == PST_OK || rc == PST_E_NOMEM ||
                    (rc == PST_E_INVALID && err.retriable));
    }
    assert_in_range(n, 10, TRIES - 1);
}

static void test_page(void **state)
{
    (void)state;
    parse_with_faults(PST_RANDOMUSER_RAW);
    parse_with_faults(PST_RANDOMUSER_FLAT);
}

static void test_error_text(void **state)
{
    (void)state;
    for (long n = 0; n < 50; n++) {
        char text[100];
        pst_fault_set(n);
        bool found =
            pst_randomuser_error_text(PST_SV("{\"error\":\"x\"}"), text, sizeof text);
        pst_fault_set(-1);
        assert_true(found);
        assert_non_null(strstr(text, "x"));
        assert_int_equal(pst_fault_live(), 0);
    }
}

static void test_start(void **state)
{
    pst_randomuser_conf conf = {0};
    pst_task_env env = {.clock = pst_clock_system()};
    long n = 0;
    (void)state;
    for (; n < TRIES; n++) {
        pst_source *source = NULL;
        pst_err err = PST_ERR_INIT;
        pst_fault_set(n);
        pst_rc rc = pst_randomuser.source->start(&source, &conf, &env, &err);
        pst_fault_set(-1);
        if (rc != PST_OK)
            assert_null(source);
        pst_randomuser.source->stop(source);
        assert_int_equal(pst_fault_live(), 0);
        if (rc == PST_OK)
            break;
        assert_int_equal(rc, PST_E_NOMEM);
    }
    assert_in_range(n, 1, TRIES - 1);
}

/* A source offset is written whole or not at all: a part of one would be stored. */
static pst_rc write_position(pst_buf *out, pst_err *err)
{
    static char *nats[] = {(char *)(uintptr_t) "US", (char *)(uintptr_t) "GB"};
    pst_randomuser_settings settings = {.url = (char *)(uintptr_t) "http://x/?k=v",
                                        .seed = (char *)(uintptr_t) "a rather long seed",
                                        .nat = {nats, 2}};
    pst_randomuser_position position = {.page = 3, .index = 1, .produced = 11};
    pst_buf_clear(out);
    pst_rc rc = pst_randomuser_partition(&settings, out, err);
    return rc == PST_OK ? pst_randomuser_position_write(&settings, &position, out, err)
                        : rc;
}

static void test_position_is_whole(void **state)
{
    pst_buf whole, part;
    pst_err err = PST_ERR_INIT;
    long n = 0, hits = 1;
    (void)state;
    pst_buf_init(&whole, 10000);
    assert_int_equal(write_position(&whole, &err), PST_OK);
    for (; hits && n < TRIES; n++) {
        long before = pst_fault_live();
        pst_buf_init(&part, 10000);
        pst_err_clear(&err);
        pst_fault_once(n);
        pst_rc rc = write_position(&part, &err);
        hits = pst_fault_hits();
        pst_fault_set(-1);
        if (rc == PST_OK) {
            assert_int_equal(part.len, whole.len);
            assert_memory_equal(part.data, whole.data, whole.len);
        } else {
            assert_int_equal(rc, PST_E_NOMEM);
        }
        pst_buf_done(&part);
        assert_int_equal(pst_fault_live(), before);
    }
    pst_buf_done(&whole);
    assert_in_range(n, 20, TRIES - 1);
    assert_int_equal(pst_fault_live(), 0);
}

static void test_kafka_clients(void **state)
{
    pst_prop item = {.key = (char *)(uintptr_t) "bootstrap.servers",
                     .value = (char *)(uintptr_t) "127.0.0.1:1"};
    pst_props worker = {.items = &item, .n = 1};
    pst_producer_config config = {.kafka = {.worker = &worker, .client_id = "t"}};
    long n = 0;
    (void)state;
    for (; n < TRIES; n++) {
        pst_producer *producer = NULL;
        pst_mock_kafka *mock = NULL;
        pst_err err = PST_ERR_INIT;
        pst_fault_set(n);
        pst_rc rc = pst_kafka_check_property("linger.ms", "5", &err);
        if (rc == PST_OK)
            rc = pst_mock_kafka_new(&mock, 1, &err);
        if (rc == PST_OK)
            rc = pst_producer_new(&producer, &config, &err);
        pst_fault_set(-1);
        pst_producer_free(producer);
        pst_mock_kafka_free(mock);
        assert_int_equal(pst_fault_live(), 0);
        if (rc == PST_OK)
            break;
        assert_int_equal(rc, PST_E_NOMEM);
    }
    assert_in_range(n, 5, TRIES - 1);
}

static void test_task(void **state)
{
    pst_randomuser_conf conf = {.own = {.url = (char *)(uintptr_t) "file:///none.json",
                                        .topic = (char *)(uintptr_t) "t"}};
    pst_prop item = {.key = (char *)(uintptr_t) "bootstrap.servers",
                     .value = (char *)(uintptr_t) "127.0.0.1:1"};
    pst_props worker = {.items = &item, .n = 1};
    pst_task_env env = {.clock = pst_clock_system(), .worker = &worker, .id = "t"};
    long n = 0;
    (void)state;
    for (; n < TRIES; n++) {
        pst_source_result result = {0};
        pst_err err = PST_ERR_INIT;
        pst_fault_set(n);
        pst_rc rc = pst_source_task_run(&pst_randomuser, &conf, &env, &result, &err);
        pst_fault_set(-1);
        assert_int_equal(pst_fault_live(), 0);
        if (rc == PST_E_NOT_FOUND)
            break;
        assert_int_equal(rc, PST_E_NOMEM);
    }
    assert_in_range(n, 5, TRIES - 1);
}

/* With stored offsets, up to where Kafka would have to answer. */
static void test_task_with_offsets(void **state)
{
    pst_randomuser_conf conf = {.own = {.url = (char *)(uintptr_t) "file:///none.json",
                                        .seed = (char *)(uintptr_t) "s",
                                        .topic = (char *)(uintptr_t) "t"}};
    pst_prop item = {.key = (char *)(uintptr_t) "bootstrap.servers",
                     .value = (char *)(uintptr_t) "127.0.0.1:1"};
    pst_props worker = {.items = &item, .n = 1};
    pst_task_env env = {.clock = pst_clock_system(),
                        .worker = &worker,
                        .id = "t",
                        .connector = "t",
                        .startup_timeout_ms = 1,
                        .offsets_topic = "offsets"};
    long n = 0;
    (void)state;
    for (; n < TRIES; n++) {
        pst_source_result result = {0};
        pst_err err = PST_ERR_INIT;
        pst_fault_set(n);
        pst_rc rc = pst_source_task_run(&pst_randomuser, &conf, &env, &result, &err);
        pst_fault_set(-1);
        assert_int_equal(pst_fault_live(), 0);
        if (rc == PST_E_TIMEOUT)
            break;
        assert_int_equal(rc, PST_E_NOMEM);
    }
    assert_in_range(n, 10, TRIES - 1);
}

static pst_rc write_and_read(pst_randomuser_settings *settings, pst_buf *out,
                             pst_err *err)
{
    pst_randomuser_position at = {2, 3, 7}, back;
    pst_rc rc = pst_randomuser_partition(settings, out, err);
    pst_buf_clear(out);
    if (rc == PST_OK)
        rc = pst_randomuser_position_write(settings, &at, out, err);
    const char *text = rc == PST_OK ? pst_buf_cstr(out) : NULL;
    if (rc == PST_OK && !text)
        rc = PST_E_NOMEM;
    if (rc == PST_OK)
        rc = pst_randomuser_position_read(settings, text, &back, err);
    if (rc == PST_OK)
        assert_int_equal(back.produced, 7);
    return rc;
}

static void test_position(void **state)
{
    pst_randomuser_settings settings = {.url = (char *)(uintptr_t) "http://h/?q",
                                        .seed = (char *)(uintptr_t) "s"};
    long n = 0;
    (void)state;
    for (; n < TRIES; n++) {
        pst_err err = PST_ERR_INIT;
        pst_buf out;
        pst_buf_init(&out, 10000);
        pst_fault_set(n);
        pst_rc rc = write_and_read(&settings, &out, &err);
        pst_fault_set(-1);
        pst_buf_done(&out);
        assert_int_equal(pst_fault_live(), 0);
        if (rc == PST_OK)
            break;
        /* jansson's parser does not say that memory was what it lacked */
        assert_true(rc == PST_E_NOMEM || rc == PST_E_INVALID);
    }
    assert_in_range(n, 10, TRIES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_position_is_whole), cmocka_unit_test(test_page),
        cmocka_unit_test(test_error_text),        cmocka_unit_test(test_start),
        cmocka_unit_test(test_kafka_clients),     cmocka_unit_test(test_task),
        cmocka_unit_test(test_task_with_offsets), cmocka_unit_test(test_position),
    };
    json_set_alloc_funcs(pst_malloc, pst_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

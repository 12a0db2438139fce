/*
 * test_kafka_poll.c - what ends a wait: a poll's by another thread or an event of the
 * group, a commit's and a close's by their bounds.
 */
#include "base/mem.h"
#include "io/kafka_internal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { LONG_MS = 20000 };

typedef struct fixture {
    pst_mock_kafka *mock;
    pst_consumer *consumer;
    int assigned;
} fixture;

static pst_rc assigned(void *opaque, pst_tp *tps, size_t n, pst_err *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++)
        tps[i].offset = 0;
    ((fixture *)opaque)->assigned += (int)n;
    return PST_OK;
}

static void revoked(void *opaque, const pst_tp *tps, size_t n, bool lost)
{
    (void)opaque, (void)tps, (void)n, (void)lost;
}

static void committed(void *opaque, const pst_tp *tps, size_t n, const pst_err *err)
{
    (void)opaque, (void)tps, (void)n, (void)err;
}

static int set_up(void **state)
{
    pst_err err = PST_ERR_INIT;
    fixture *f = pst_calloc(1, sizeof *f);
    assert_int_equal(pst_mock_kafka_new(&f->mock, 1, &err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(f->mock, "users", 2, &err), PST_OK);
    pst_props worker;
    pst_props_init(&worker);
    assert_int_equal(pst_props_set(&worker, "bootstrap.servers",
                                   pst_mock_kafka_bootstrap(f->mock), NULL, NULL),
                     PST_OK);
    pst_consumer_config config = {.kafka = {.worker = &worker, .client_id = "t-0"},
                                  .group = "connect-t",
                                  .queue_bytes = 1 << 20,
                                  .events = {assigned, revoked, committed, f}};
    assert_int_equal(pst_consumer_new(&f->consumer, &config, &err), PST_OK);
    pst_props_done(&worker);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_consumer_free(f->consumer);
    pst_mock_kafka_free(f->mock);
    pst_free(f);
    return 0;
}

/* How long a poll of LONG_MS took; it gave nothing. */
static int64_t poll_once(fixture *f)
{
    pst_err err = PST_ERR_INIT;
    const pst_item *items;
    size_t n;
    int64_t start = pst_mono_ms(pst_clock_system());
    assert_int_equal(pst_consumer_poll(f->consumer, LONG_MS, &items, &n, &err), PST_OK);
    assert_int_equal(n, 0);
    return pst_mono_ms(pst_clock_system()) - start;
}

static void *wake(void *consumer)
{
    pst_cancel_wait(NULL, 50);
    pst_consumer_wake(consumer);
    return NULL;
}

static void another_thread_ends_a_wait(void **state)
{
    fixture *f = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake, f->consumer), 0);
    assert_in_range(poll_once(f), 0, LONG_MS / 2);
    pthread_join(thread, NULL);
}

static void a_wake_before_the_wait_counts(void **state)
{
    fixture *f = *state;
    pst_consumer_wake(f->consumer);
    assert_in_range(poll_once(f), 0, LONG_MS / 2);
}

/* An assignment is there for pst_consumer_serve(): it must not wait for the poll's end.
 */
static void an_assignment_ends_a_wait(void **state)
{
    fixture *f = *state;
    static const char *const topics[] = {"users"};
    pst_err err = PST_ERR_INIT;
    int64_t waited = 0;
    assert_int_equal(pst_consumer_subscribe(f->consumer, topics, 1, &err), PST_OK);
    for (int i = 0; i < 100 && !f->assigned; i++) {
        assert_int_equal(pst_consumer_serve(f->consumer, &err), PST_OK);
        if (!f->assigned)
            waited += poll_once(f);
    }
    assert_int_equal(f->assigned, 2);
    assert_in_range(waited, 0, LONG_MS / 2);
}

static void produce_one(const fixture *f)
{
    char why[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers",
                                       pst_mock_kafka_bootstrap(f->mock), why,
                                       sizeof why),
                     RD_KAFKA_CONF_OK);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert_non_null(rk);
    assert_int_equal(
        rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("users"), RD_KAFKA_V_PARTITION(0),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t) "x", 1), RD_KAFKA_V_END),
        0);
    assert_int_equal(rd_kafka_flush(rk, LONG_MS), 0);
    rd_kafka_destroy(rk);
}

/* A record may still come by the queue that close() serves: it did once, after many
   rebalances, and librdkafka ended the process. */
static void a_record_does_not_disturb_a_close(void **state)
{
    fixture *f = *state;
    static const char *const topics[] = {"users"};
    pst_err err = PST_ERR_INIT;
    rd_kafka_t *rk = pst_consumer_handle(f->consumer);
    assert_int_equal(pst_consumer_subscribe(f->consumer, topics, 1, &err), PST_OK);
    for (int i = 0; i < 100 && !f->assigned; i++) {
        assert_int_equal(pst_consumer_serve(f->consumer, &err), PST_OK);
        pst_cancel_wait(NULL, 100);
    }
    rd_kafka_queue_t *from = rd_kafka_queue_get_partition(rk, "users", 0);
    rd_kafka_queue_t *to = rd_kafka_queue_get_consumer(rk);
    rd_kafka_queue_forward(from, to);
    rd_kafka_queue_destroy(from);
    rd_kafka_queue_destroy(to);
    produce_one(f);
    pst_cancel_wait(NULL, 1000);
    pst_consumer_close(f->consumer);
}

/* The outcome is unknown then, and close() does not wait for it either. */
static void a_commit_has_a_bound(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_tp tp = {.topic = "users", .offset = 7, .metadata = "text"};
    assert_int_equal(pst_consumer_commit(f->consumer, &tp, 1, LONG_MS, &err), PST_OK);
    rd_kafka_mock_broker_set_rtt(pst_mock_kafka_cluster(f->mock), 1, LONG_MS);
    int64_t start = pst_mono_ms(pst_clock_system());
    tp.offset = 8;
    assert_int_not_equal(pst_consumer_commit(f->consumer, &tp, 1, 300, &err), PST_OK);
    assert_true(err.retriable || err.unknown);
    assert_in_range(pst_mono_ms(pst_clock_system()) - start, 250, LONG_MS / 2);
    pst_consumer_free(f->consumer);
    f->consumer = NULL;
    assert_in_range(pst_mono_ms(pst_clock_system()) - start, 0, LONG_MS - 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_thread_ends_a_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wake_before_the_wait_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_assignment_ends_a_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_does_not_disturb_a_close, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_commit_has_a_bound, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

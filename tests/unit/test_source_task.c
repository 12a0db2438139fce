/*
 * test_source_task.c - the loop start, poll, produce, commit, stop: with a plugin that
 * plays a script, and librdkafka's embedded cluster. What the plugin saw is counted.
 */
#include "runtime/source_task.h"

#include "base/mem.h"
#include "io/kafka_internal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a plugin that plays a script ---- */

typedef struct script {
    int records, per_poll;                     /* how many in all, how many a poll */
    int64_t wait_ms;                           /* between polls */
    int start_fails, poll_fails, commit_fails; /* retriable, so often */
    int after_ms;                              /* asked for by those failures */
    int fatal_after;    /* fail for good after so many records; 0 = never */
    size_t value_bytes; /* 0 = small */
    int starts, polls, commits, stops;
    atomic_int committed;
    int64_t stopped_ms; /* when stop() came, monotonic */
} script;

typedef struct script_conf {
    pst_connector_conf common;
    script *script;
} script_conf;

struct pst_source {
    script *script;
    int done;
    char value[64];
    char *big;
    pst_source_record records[64];
};

static pst_rc fail_once(int *fails, int after_ms, const char *what, pst_err *err)
{
    if (*fails == 0)
        return PST_OK;
    (*fails)--;
    pst_rc rc = pst_fail_retriable(err, PST_E_IO, "%s failed", what);
    err->after_ms = after_ms;
    return rc;
}

static pst_rc script_start(pst_source **out, const void *conf, const pst_task_env *env,
                           pst_err *err)
{
    script *s = ((const script_conf *)conf)->script;
    (void)env;
    s->starts++;
    pst_rc rc = fail_once(&s->start_fails, s->after_ms, "start", err);
    if (rc != PST_OK)
        return rc;
    pst_source *source = pst_calloc(1, sizeof *source);
    assert_non_null(source);
    source->script = s;
    if (s->value_bytes)
        source->big = pst_calloc(1, s->value_bytes);
    *out = source;
    return PST_OK;
}

static pst_rc script_poll(pst_source *source, const pst_source_record **records,
                          size_t *n, int64_t *wait_ms, bool *finished, pst_err *err)
{
    script *s = source->script;
    s->polls++;
    pst_rc rc = fail_once(&s->poll_fails, s->after_ms, "poll", err);
    if (rc != PST_OK)
        return rc;
    if (s->fatal_after && source->done >= s->fatal_after)
        return pst_fail(err, PST_E_INVALID, "no more, for good");
    if (s->wait_ms && s->polls % 2 == 0) {
        *wait_ms = s->wait_ms;
        return PST_OK;
    }
    for (*n = 0; *n < (size_t)s->per_poll && source->done < s->records; source->done++) {
        source->records[*n] = (pst_source_record){.topic = "users",
                                                  .partition = -1,
                                                  .key = PST_SV("key"),
                                                  .value = PST_SV("value")};
        if (source->big && source->done == 1)
            source->records[*n].value = (pst_sv){source->big, s->value_bytes};
        (*n)++;
    }
    *records = source->records;
    *finished = source->done == s->records;
    return PST_OK;
}

static pst_rc script_commit(pst_source *source, pst_err *err)
{
    script *s = source->script;
    pst_rc rc = fail_once(&s->commit_fails, s->after_ms, "commit", err);
    if (rc != PST_OK)
        return rc;
    s->commits++;
    s->committed = source->done;
    return PST_OK;
}

static void script_stop(pst_source *source)
{
    if (!source)
        return;
    source->script->stops++;
    source->script->stopped_ms = pst_mono_ms(pst_clock_system());
    pst_free(source->big);
    pst_free(source);
}

static const pst_source_ops script_ops = {.start = script_start,
                                          .poll = script_poll,
                                          .commit = script_commit,
                                          .stop = script_stop};
static const pst_connector scripted = {
    .class_name = "Scripted", .type = "source", .source = &script_ops};

/* ---- fixture ---- */

typedef struct fixture {
    pst_mock_kafka *mock;
    pst_prop items[4];
    pst_props worker;
    pst_cancel *cancel;
    pst_log *log;
    char lines[8192];
    script script;
    script_conf conf;
    pst_task_env env;
    pst_task_offset offsets[PST_TASK_OFFSETS_MAX];
    pst_source_result result;
    int told;
} fixture;

static pst_prop prop(const char *key, const char *value)
{
    return (pst_prop){.key = (char *)(uintptr_t)key, .value = (char *)(uintptr_t)value};
}

static void keep_line(void *opaque, pst_log_level level, const char *line)
{
    fixture *f = opaque;
    size_t n = strlen(f->lines);
    (void)level;
    snprintf(f->lines + n, sizeof f->lines - n, "%s\n", line);
}

static void count_progress(void *self, const pst_source_result *so_far)
{
    fixture *f = self;
    assert_ptr_equal(so_far, &f->result);
    f->told++;
}

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    pst_err err = PST_ERR_INIT;
    assert_non_null(f);
    assert_int_equal(pst_mock_kafka_new(&f->mock, 1, &err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(f->mock, "users", 1, &err), PST_OK);
    f->items[0] = prop("bootstrap.servers", pst_mock_kafka_bootstrap(f->mock));
    f->worker = (pst_props){.items = f->items, .n = 1};
    f->cancel = pst_cancel_new();
    f->log = pst_log_new(keep_line, f);
    f->script = (script){.records = 25, .per_poll = 10, .after_ms = 10};
    f->conf = (script_conf){.script = &f->script};
    f->conf.common.errors_retry_delay_max_ms = 1000;
    f->env = (pst_task_env){.connector = "users",
                            .id = "users-source-0",
                            .clock = pst_clock_system(),
                            .cancel = f->cancel,
                            .log = f->log,
                            .worker = &f->worker};
    f->result =
        (pst_source_result){.offsets = f->offsets, .progress = count_progress, .self = f};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_mock_kafka_free(f->mock);
    pst_cancel_free(f->cancel);
    pst_log_free(f->log);
    pst_free(f);
    return 0;
}

static pst_rc run(fixture *f, pst_err *err)
{
    *err = (pst_err)PST_ERR_INIT;
    pst_rc rc = pst_source_task_run(&scripted, &f->conf, &f->env, &f->result, err);
    assert_int_equal(rc, err->code);
    assert_int_equal(f->script.stops, f->script.start_fails || !f->script.starts ? 0 : 1);
    return rc;
}

static void assert_ok(fixture *f)
{
    pst_err err;
    if (run(f, &err) != PST_OK)
        fail_msg("%s", err.text);
}

static void assert_fails(fixture *f, pst_rc rc, const char *text)
{
    pst_err err;
    assert_int_equal(run(f, &err), rc);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" does not hold \"%s\"", err.text, text);
}

static int64_t mono(void)
{
    return pst_mono_ms(pst_clock_system());
}

/* Sets a cancel `ms` after `committed` records are safe; librdkafka's first delivery may
   take a second, and so may the end of its threads. */
typedef struct later {
    fixture *f;
    pst_cancel *cancel;
    int64_t ms, set_ms;
    int committed;
    pthread_t thread;
} later;

static void *cancel_later(void *opaque)
{
    later *l = opaque;
    for (int i = 0; i < 500 && atomic_load(&l->f->script.committed) < l->committed; i++)
        (void)pst_cancel_wait(NULL, 10);
    (void)pst_cancel_wait(NULL, l->ms);
    l->set_ms = mono();
    pst_cancel_set(l->cancel);
    return NULL;
}

static void later_start(later *l)
{
    assert_int_equal(pthread_create(&l->thread, NULL, cancel_later, l), 0);
}

/* How long after the cancel the task stopped its source. */
static int64_t later_join(later *l)
{
    pthread_join(l->thread, NULL);
    return l->f->script.stopped_ms - l->set_ms;
}

/* ---- tests ---- */

static void test_all_is_delivered_and_committed(void **state)
{
    fixture *f = *state;
    assert_ok(f);
    assert_int_equal(f->result.produced, 25);
    assert_int_equal(f->result.delivered, 25);
    assert_int_equal(f->result.failed, 0);
    assert_int_equal(f->script.commits, 3);
    assert_int_equal(f->script.committed, 25);
    assert_string_equal(f->result.topic, "users");
    assert_int_equal(f->result.n_offsets, 1);
    assert_string_equal(f->offsets[0].topic, "users");
    assert_int_equal(f->offsets[0].first, 0);
    assert_int_equal(f->offsets[0].next, 25);
    assert_true(f->told >= 1);
    assert_non_null(strstr(f->lines, "ended: 25 records delivered to users"));
}

static void test_a_second_run_starts_anew(void **state)
{
    fixture *f = *state;
    assert_ok(f);
    f->script.stops = 0;
    assert_ok(f);
    assert_int_equal(f->result.delivered, 25);
    assert_int_equal(f->result.n_offsets, 1);
    assert_int_equal(f->offsets[0].first, 25);
    assert_int_equal(f->offsets[0].next, 50);
}

static void test_nothing_to_produce(void **state)
{
    fixture *f = *state;
    f->script.records = 0;
    assert_ok(f);
    assert_int_equal(f->result.produced, 0);
    assert_int_equal(f->script.commits, 0);
    assert_string_equal(f->result.topic, "");
}

static void test_retriable_errors_are_retried(void **state)
{
    fixture *f = *state;
    f->script.start_fails = f->script.poll_fails = f->script.commit_fails = 2;
    assert_ok(f);
    assert_int_equal(f->script.starts, 3);
    assert_int_equal(f->result.retries, 6);
    assert_int_equal(f->result.delivered, 25);
    assert_int_equal(f->script.committed, 25);
    assert_non_null(strstr(f->lines, "poll failed; trying again in 10 ms"));
    assert_non_null(strstr(f->lines, "works again after"));
}

static void test_backoff_when_the_plugin_does_not_say(void **state)
{
    fixture *f = *state;
    int64_t began = mono();
    f->script.after_ms = 0;
    f->script.poll_fails = 1;
    assert_ok(f);
    assert_in_range(mono() - began, 250, 5000);
}

static void test_fatal_error_fails_the_task(void **state)
{
    fixture *f = *state;
    f->script.fatal_after = 10;
    assert_fails(f, PST_E_INVALID, "no more, for good");
    assert_int_equal(f->result.delivered, 10);
    assert_int_equal(f->script.committed, 10);
    assert_non_null(strstr(f->lines, "failed after 10 records: no more, for good"));
}

static void test_retry_timeout_limits(void **state)
{
    fixture *f = *state;
    f->script.poll_fails = 1000000;
    f->conf.common.errors_retry_timeout_ms = 100;
    assert_fails(f, PST_E_IO, "(errors.retry.timeout): poll failed");
    assert_in_range(f->result.retries, 2, 20);
}

static void test_cancel_ends_a_wait(void **state)
{
    fixture *f = *state;
    later l = {.f = f, .cancel = f->cancel, .ms = 50, .committed = 10};
    f->script.wait_ms = 60000;
    later_start(&l);
    assert_ok(f);
    assert_in_range(later_join(&l), 0, 200);
    assert_int_equal(f->result.delivered, 10);
    assert_int_equal(f->script.committed, 10);
}

static void test_cancel_ends_a_backoff(void **state)
{
    fixture *f = *state;
    later l = {.f = f, .cancel = f->cancel, .ms = 100};
    f->script.poll_fails = 1;
    f->script.after_ms = 60000;
    later_start(&l);
    assert_ok(f);
    assert_in_range(later_join(&l), 0, 200);
}

static void test_cancel_with_undelivered_records(void **state)
{
    fixture *f = *state;
    later l = {.f = f, .cancel = f->cancel, .ms = 200};
    f->items[0] = prop("bootstrap.servers", "127.0.0.1:1");
    later_start(&l);
    assert_fails(f, PST_E_TIMEOUT, "10 of 10 records were not delivered to Kafka: ");
    assert_in_range(later_join(&l), 3900, 4500);
    assert_int_equal(f->result.failed, 10);
    assert_int_equal(f->script.commits, 0);
}

static void test_abort_ends_at_once(void **state)
{
    fixture *f = *state;
    later l = {.f = f, .cancel = pst_cancel_new(), .ms = 200};
    f->env.abort = l.cancel;
    f->items[0] = prop("bootstrap.servers", "127.0.0.1:1");
    later_start(&l);
    assert_fails(f, PST_E_TIMEOUT, "not delivered");
    assert_in_range(later_join(&l), 0, 300);
    pst_cancel_free(l.cancel);
}

static void test_unreachable_kafka(void **state)
{
    fixture *f = *state;
    f->items[0] = prop("bootstrap.servers", "127.0.0.1:1");
    f->env.startup_timeout_ms = 700;
    assert_fails(f, PST_E_TIMEOUT, "is Kafka at 127.0.0.1:1? Its last error: ");
    assert_true(f->result.unreachable);
    assert_int_equal(f->script.commits, 0);
}

static void test_broker_refuses(void **state)
{
    fixture *f = *state;
    rd_kafka_mock_push_request_errors(pst_mock_kafka_cluster(f->mock), 0 /* Produce */, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_fails(f, PST_E_AUTH,
                 "10 of 10 records were not delivered to Kafka: topic users");
    assert_false(f->result.unreachable);
    assert_int_equal(f->script.commits, 0);
}

static void test_too_large_fails(void **state)
{
    fixture *f = *state;
    f->script.value_bytes = 2000000;
    assert_fails(f, PST_E_LIMIT, "1 of 2 records were not delivered");
    assert_int_equal(f->result.delivered, 1);
    assert_int_equal(f->script.commits, 0);
}

static void test_too_large_is_skipped(void **state)
{
    fixture *f = *state;
    f->script.value_bytes = 2000000;
    f->conf.common.errors_tolerance = PST_TOLERANCE_ALL;
    f->conf.common.errors_log_enable = true;
    assert_ok(f);
    assert_int_equal(f->result.skipped, 1);
    assert_int_equal(f->result.delivered, 24);
    assert_int_equal(f->script.committed, 25);
    assert_non_null(strstr(f->lines, "a record is skipped (errors.tolerance=all)"));
}

static void test_full_queue_is_waited_for(void **state)
{
    fixture *f = *state;
    f->items[f->worker.n++] = prop("producer.queue.buffering.max.messages", "3");
    assert_ok(f);
    assert_int_equal(f->result.delivered, 25);
}

static void test_bad_producer_setting(void **state)
{
    fixture *f = *state;
    f->items[f->worker.n++] = prop("producer.linger.ms", "soon");
    assert_fails(f, PST_E_CONFIG, "producer.linger.ms");
    assert_int_equal(f->script.starts, 0);
}

/* ---- steps ---- */

static void test_steps(void **state)
{
    fixture *f = *state;
    pst_source_steps *steps = NULL;
    const pst_source_record *records;
    size_t n;
    bool finished;
    pst_err err = PST_ERR_INIT;
    f->script.wait_ms = 300;
    f->script.per_poll = 20;
    assert_int_equal(pst_source_steps_new(&steps, &scripted, &f->conf, &f->env, &err),
                     PST_OK);
    assert_int_equal(pst_source_steps_next(steps, 100, &records, &n, &finished, &err),
                     PST_OK);
    assert_int_equal(n, 20);
    assert_false(finished);
    assert_int_equal(pst_source_steps_commit(steps, &err), PST_OK);
    int64_t began = mono();
    assert_int_equal(pst_source_steps_next(steps, 100, &records, &n, &finished, &err),
                     PST_OK);
    assert_int_equal(n, 0);
    assert_in_range(mono() - began, 100, 250);
    assert_int_equal(pst_source_steps_next(steps, 900, &records, &n, &finished, &err),
                     PST_OK);
    assert_int_equal(n, 5);
    assert_true(finished);
    assert_in_range(mono() - began, 300, 600);
    pst_cancel_set(f->cancel);
    assert_int_equal(pst_source_steps_next(steps, 900, &records, &n, &finished, &err),
                     PST_E_STOPPED);
    pst_source_steps_free(steps);
    pst_source_steps_free(NULL);
    assert_int_equal(f->script.stops, 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_all_is_delivered_and_committed),
        CASE(test_a_second_run_starts_anew),
        CASE(test_nothing_to_produce),
        CASE(test_retriable_errors_are_retried),
        CASE(test_backoff_when_the_plugin_does_not_say),
        CASE(test_fatal_error_fails_the_task),
        CASE(test_retry_timeout_limits),
        CASE(test_cancel_ends_a_wait),
        CASE(test_cancel_ends_a_backoff),
        CASE(test_cancel_with_undelivered_records),
        CASE(test_abort_ends_at_once),
        CASE(test_unreachable_kafka),
        CASE(test_broker_refuses),
        CASE(test_too_large_fails),
        CASE(test_too_large_is_skipped),
        CASE(test_full_queue_is_waited_for),
        CASE(test_bad_producer_setting),
        CASE(test_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

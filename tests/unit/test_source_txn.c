/*
 * test_source_txn.c - a poll is one transaction with the source's offset in it: against
 * librdkafka's embedded cluster, where each remote step fails once. That cluster has no
 * control records and shows aborted records too, so what is asserted here is what was
 * confirmed and stored; tests/integration/test_source_once.py reads as a real reader.
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
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Request keys of the protocol. */
enum {
    PRODUCE = 0,
    LIST_OFFSETS = 2,
    METADATA = 3,
    FIND_COORDINATOR = 10,
    INIT_PRODUCER_ID = 22,
    ADD_PARTITIONS = 24,
    END_TXN = 26
};

/* ---- a plugin that counts: values 0, 1, 2 …, its offset is {"n": next} ---- */

typedef struct script {
    int records, per_poll;
    int64_t wait_ms;
    bool no_partition, big; /* record 1 is too large for the broker */
    int partition;
    int resume_fails;
    atomic_int committed;
    int stops, resumes;
    char resumed[64]; /* what resume() got; "(none)" for NULL */
} script;

typedef struct script_conf {
    pst_connector_conf common;
    script *script;
} script_conf;

struct pst_source {
    script *script;
    int next, polls;
    char values[64][16];
    char *big;
    pst_source_record records[64];
};

enum { BIG = 2000000 };

static pst_rc script_start(pst_source **out, const void *conf, const pst_task_env *env,
                           pst_err *err)
{
    (void)env;
    (void)err;
    *out = pst_calloc(1, sizeof **out);
    assert_non_null(*out);
    (*out)->script = ((const script_conf *)conf)->script;
    if ((*out)->script->big)
        (*out)->big = pst_calloc(1, BIG);
    return PST_OK;
}

static pst_rc script_poll(pst_source *source, const pst_source_record **records,
                          size_t *n, int64_t *wait_ms, bool *finished, pst_err *err)
{
    script *s = source->script;
    (void)err;
    *n = 0;
    if (s->wait_ms && source->polls++ % 2 == 1) {
        *wait_ms = s->wait_ms;
        return PST_OK;
    }
    for (; *n < (size_t)s->per_poll && source->next < s->records; source->next++) {
        char *value = source->values[*n];
        snprintf(value, 16, "%d", source->next);
        source->records[*n] = (pst_source_record){
            .topic = "users", .partition = 0, .key = PST_SV("k"), .value = {value, 0}};
        source->records[*n].value.n = strlen(value);
        if (source->big && source->next == 1)
            source->records[*n].value = (pst_sv){source->big, BIG};
        (*n)++;
    }
    *records = source->records;
    *finished = source->next == s->records;
    return PST_OK;
}

static pst_rc script_commit(pst_source *source, pst_err *err)
{
    (void)err;
    source->script->committed = source->next;
    return PST_OK;
}

static void script_stop(pst_source *source)
{
    if (!source)
        return;
    source->script->stops++;
    pst_free(source->big);
    pst_free(source);
}

static pst_rc script_partition(const void *conf, pst_buf *out, pst_err *err)
{
    (void)err;
    return ((const script_conf *)conf)->script->no_partition
               ? PST_OK
               : pst_buf_addf(out, "{\"of\":%d}",
                              ((const script_conf *)conf)->script->partition);
}

static pst_rc script_resume(pst_source *source, const char *stored, pst_err *err)
{
    script *s = source->script;
    s->resumes++;
    if (s->resume_fails-- > 0)
        return pst_fail_retriable(err, PST_E_IO, "resume failed");
    snprintf(s->resumed, sizeof s->resumed, "%s", stored ? stored : "(none)");
    if (stored)
        source->next = atoi(stored + strlen("{\"n\":"));
    return PST_OK;
}

static pst_rc script_offset(pst_source *source, pst_buf *out, pst_err *err)
{
    (void)err;
    return pst_buf_addf(out, "{\"n\":%d}", source->next);
}

static const pst_source_ops script_ops = {
    .start = script_start,
    .poll = script_poll,
    .commit = script_commit,
    .stop = script_stop,
    .partition = script_partition,
    .resume = script_resume,
    .offset = script_offset,
};
static const pst_connector scripted = {
    .class_name = "Scripted", .type = "source", .source = &script_ops};

/* ---- fixture ---- */

typedef struct fixture {
    pst_mock_kafka *mock;
    rd_kafka_mock_cluster_t *cluster;
    pst_prop items[4];
    pst_props worker;
    pst_cancel *cancel;
    pst_log *log;
    char lines[16384];
    script script;
    script_conf conf;
    pst_task_env env;
    pst_source_result result;
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

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    pst_err err = PST_ERR_INIT;
    assert_non_null(f);
    assert_int_equal(pst_mock_kafka_new(&f->mock, 1, &err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(f->mock, "users", 1, &err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(f->mock, "offsets", 1, &err), PST_OK);
    f->cluster = pst_mock_kafka_cluster(f->mock);
    f->items[0] = prop("bootstrap.servers", pst_mock_kafka_bootstrap(f->mock));
    f->worker = (pst_props){.items = f->items, .n = 1};
    f->cancel = pst_cancel_new();
    f->log = pst_log_new(keep_line, f);
    f->script = (script){.records = 25, .per_poll = 10, .partition = 1};
    f->conf = (script_conf){.script = &f->script};
    f->conf.common.errors_retry_delay_max_ms = 1000;
    f->conf.common.errors_retry_timeout_ms = 20000;
    f->env = (pst_task_env){.connector = "a\"b",
                            .id = "users-source-0",
                            .clock = pst_clock_system(),
                            .cancel = f->cancel,
                            .log = f->log,
                            .worker = &f->worker,
                            .startup_timeout_ms = 20000,
                            .offsets_topic = "offsets"};
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
    return rc;
}

static void assert_ok(fixture *f, int delivered)
{
    pst_err err;
    if (run(f, &err) != PST_OK)
        fail_msg("%s\n%s", err.text, f->lines);
    assert_int_equal(f->result.delivered, delivered);
    assert_int_equal(f->result.failed, 0);
    assert_int_equal(f->result.produced, delivered + f->result.skipped);
}

static void assert_fails(fixture *f, pst_rc rc, const char *text)
{
    pst_err err;
    if (run(f, &err) != rc || !strstr(err.text, text))
        fail_msg("\"%s\" (%s) does not hold \"%s\"", err.text, pst_rc_name(err.code),
                 text);
}

static void fail_next(fixture *f, int16_t request, rd_kafka_resp_err_t code)
{
    rd_kafka_mock_push_request_errors(f->cluster, request, 1, code);
}

/* ---- tests ---- */

static void test_offsets_are_stored_and_read(void **state)
{
    fixture *f = *state;
    assert_ok(f, 25);
    assert_string_equal(f->script.resumed, "(none)");
    assert_int_equal(f->script.committed, 25);
    assert_non_null(strstr(f->lines, "exactly once as penstock-source-a\"b-0"));
    f->script.records = 40;
    assert_ok(f, 15);
    assert_string_equal(f->script.resumed, "{\"n\":25}");
    assert_ok(f, 0);
    assert_string_equal(f->script.resumed, "{\"n\":40}");
}

static void test_the_stored_record(void **state)
{
    fixture *f = *state;
    pst_offsets_at at = {.kafka = {.worker = &f->worker, .client_id = "t"},
                         .topic = "offsets",
                         .timeout_ms = 20000};
    pst_err err = PST_ERR_INIT;
    pst_buf out;
    bool found = false;
    assert_ok(f, 25);
    pst_buf_init(&out, 100);
    if (pst_offsets_load(&at, PST_SV("[\"a\\\"b\",{\"of\":1}]"), &out, &found, &err) !=
        PST_OK)
        fail_msg("%s", err.text);
    assert_true(found);
    assert_true(pst_sv_is((pst_sv){out.data, out.len}, "{\"n\":25}"));
    assert_int_equal(pst_offsets_load(&at, PST_SV("[\"a\"]"), &out, &found, &err),
                     PST_OK);
    assert_false(found);
    pst_buf_done(&out);
}

static bool is_stored(fixture *f, const char *key)
{
    pst_offsets_at at = {.kafka = {.worker = &f->worker, .client_id = "t"},
                         .topic = "offsets",
                         .timeout_ms = 20000};
    pst_err err = PST_ERR_INIT;
    pst_buf out;
    bool found = false;
    pst_buf_init(&out, 100);
    if (pst_offsets_load(&at, pst_sv_of(key), &out, &found, &err) != PST_OK)
        fail_msg("%s", err.text);
    pst_buf_done(&out);
    return found;
}

/* As runs of a job do: each with a source partition of its own. */
static void test_old_offsets_of_other_runs(void **state)
{
    fixture *f = *state;
    assert_ok(f, 25);
    f->env.connector = "a";
    assert_ok(f, 25);
    f->env.offsets_retention_ms = 3600000;
    f->script.partition = 2;
    assert_ok(f, 25);
    assert_true(is_stored(f, "[\"a\",{\"of\":1}]")); /* not old enough */
    (void)pst_cancel_wait(NULL, 5);
    f->env.offsets_retention_ms = 1;
    f->script.partition = 3;
    f->script.records = 0;
    assert_ok(f, 0);
    assert_true(is_stored(f, "[\"a\",{\"of\":1}]")); /* there was no transaction */
    f->script.records = 25;
    fail_next(f, END_TXN, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
    assert_ok(f, 25);
    assert_false(is_stored(f, "[\"a\",{\"of\":1}]"));
    assert_false(is_stored(f, "[\"a\",{\"of\":2}]"));
    assert_true(is_stored(f, "[\"a\",{\"of\":3}]"));
    assert_true(is_stored(f, "[\"a\\\"b\",{\"of\":1}]")); /* another connector's */
    assert_non_null(strstr(f->lines, "removed 2 stored offsets older than"));
    f->lines[0] = '\0';
    f->script.partition = 2;
    f->env.offsets_retention_ms = 3600000;
    assert_ok(f, 25); /* it begins anew, and finds nothing more to remove */
    assert_null(strstr(f->lines, "removed"));
}

static void test_names_and_topics_keep_apart(void **state)
{
    fixture *f = *state;
    assert_ok(f, 25);
    f->env.connector = "another";
    assert_ok(f, 25);
    f->env.offsets_topic = "offsets-2"; /* made at its first use */
    assert_ok(f, 25);
    assert_ok(f, 0);
}

static void test_nothing_is_stored_without_a_partition_or_topic(void **state)
{
    fixture *f = *state;
    f->script.no_partition = true;
    assert_ok(f, 25);
    assert_ok(f, 25);
    f->script.no_partition = false;
    f->env.offsets_topic = "";
    assert_ok(f, 25);
    assert_int_equal(f->script.resumes, 0);
}

static void test_resume_is_retried(void **state)
{
    fixture *f = *state;
    f->script.resume_fails = 1;
    assert_ok(f, 25);
    assert_int_equal(f->script.resumes, 2);
    assert_int_equal(f->result.retries, 1);
}

/* Every remote step fails once, in the ways that pass; the count and the offset hold. */
static void test_each_step_fails_once(void **state)
{
    static const struct {
        int16_t request;
        rd_kafka_resp_err_t code;
    } steps[] = {
        {METADATA, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE},
        {FIND_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE},
        {INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS},
        {INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS},
        {INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR__TRANSPORT},
        {LIST_OFFSETS, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION},
        {LIST_OFFSETS, RD_KAFKA_RESP_ERR__TRANSPORT},
        {ADD_PARTITIONS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
        {ADD_PARTITIONS, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS},
        {ADD_PARTITIONS, RD_KAFKA_RESP_ERR__TRANSPORT},
        {PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION},
        {PRODUCE, RD_KAFKA_RESP_ERR__TRANSPORT},
        {END_TXN, RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
        {END_TXN, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS},
        {END_TXN, RD_KAFKA_RESP_ERR__TRANSPORT},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char name[32];
        snprintf(name, sizeof name, "step-%zu", i);
        f->env.connector = name;
        f->lines[0] = '\0';
        fail_next(f, steps[i].request, steps[i].code);
        assert_ok(f, 25);
        assert_int_equal(f->script.committed, 25);
        rd_kafka_mock_clear_request_errors(f->cluster, steps[i].request);
        if (steps[i].request != END_TXN)
            continue;
        assert_ok(f, 0);
        assert_string_equal(f->script.resumed, "{\"n\":25}");
    }
}

/* What asks for an abort: the same records come again in a new transaction. */
static void test_aborted_and_again(void **state)
{
    static const struct {
        int16_t request;
        rd_kafka_resp_err_t code;
    } steps[] = {
        {ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING},
        {END_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char name[32];
        snprintf(name, sizeof name, "again-%zu", i);
        f->env.connector = name;
        f->lines[0] = '\0';
        fail_next(f, steps[i].request, steps[i].code);
        assert_ok(f, 25);
        assert_int_equal(f->result.retries, 1);
        assert_non_null(strstr(f->lines, "a transaction is aborted and comes again: "));
        assert_ok(f, 0);
        assert_string_equal(f->script.resumed, "{\"n\":25}");
    }
}

static void test_fenced(void **state)
{
    static const int16_t requests[] = {ADD_PARTITIONS, END_TXN};
    fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        f->script.committed = 0;
        fail_next(f, requests[i], RD_KAFKA_RESP_ERR_PRODUCER_FENCED);
        assert_fails(f, PST_E_EXISTS,
                     "fenced: another source with the name \"a\"b\" took over");
        assert_int_equal(f->script.committed, 0);
        assert_int_equal(f->result.failed, 10);
        assert_int_equal(f->result.delivered, 0);
    }
}

static void test_no_permission_for_the_id(void **state)
{
    fixture *f = *state;
    static const char key[] = "[\"a\\\"b\",{\"of\":1}]";
    char text[100];
    snprintf(text, sizeof text,
             "transactional id penstock-source-a\"b-0-%08x: WRITE and DESCRIBE must be "
             "allowed",
             (unsigned)pst_crc32c(0, key, sizeof key - 1));
    fail_next(f, INIT_PRODUCER_ID,
              RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assert_fails(f, PST_E_AUTH, text);
}

static void test_no_permission_for_a_topic(void **state)
{
    fixture *f = *state;
    rd_kafka_mock_topic_set_error(f->cluster, "offsets",
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_fails(f, PST_E_AUTH, "offset.storage.topic offsets: DESCRIBE is not allowed");
    rd_kafka_mock_topic_set_error(f->cluster, "offsets", RD_KAFKA_RESP_ERR_NO_ERROR);
    fail_next(f, PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_fails(f, PST_E_AUTH, "10 of 10 records were not delivered to Kafka: topic ");
}

static void test_too_large(void **state)
{
    fixture *f = *state;
    f->script.big = true;
    assert_fails(f, PST_E_LIMIT, "10 of 10 records were not delivered");
    f->conf.common.errors_tolerance = PST_TOLERANCE_ALL;
    assert_ok(f, 24);
    assert_int_equal(f->result.skipped, 1);
    assert_ok(f, 0);
}

/* The broker's own limit may be lower than librdkafka's: once the record is left out, the
   transaction may pass. Which of the two requests is refused is chance: if it is the
   stored offset's, that is no record to skip. */
static void test_refused_by_the_broker(void **state)
{
    fixture *f = *state;
    pst_err err;
    f->conf.common.errors_tolerance = PST_TOLERANCE_ALL;
    f->script.records = f->script.per_poll = 1;
    fail_next(f, PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    if (run(f, &err) == PST_OK) {
        assert_int_equal(f->result.skipped, 1);
        assert_int_equal(f->result.delivered, 0);
        assert_int_equal(f->script.committed, 1);
    } else {
        assert_non_null(strstr(err.text, "topic offsets: "));
        assert_int_equal(f->result.failed, 1);
        assert_int_equal(f->script.committed, 0);
    }
}

static void test_gives_up(void **state)
{
    fixture *f = *state;
    f->conf.common.errors_retry_timeout_ms = 300;
    rd_kafka_resp_err_t codes[50];
    for (size_t i = 0; i < 50; i++)
        codes[i] = RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING;
    rd_kafka_mock_push_request_errors_array(f->cluster, ADD_PARTITIONS, 50, codes);
    assert_fails(f, PST_E_KAFKA, "(errors.retry.timeout): a transaction is aborted");
    assert_int_equal(f->result.failed, 10);
    rd_kafka_mock_clear_request_errors(f->cluster, ADD_PARTITIONS);
}

static void test_unreachable(void **state)
{
    fixture *f = *state;
    f->items[0] = prop("bootstrap.servers", "127.0.0.1:1");
    f->env.startup_timeout_ms = 700;
    assert_fails(f, PST_E_TIMEOUT, "is Kafka at 127.0.0.1:1? Its last error: ");
    assert_true(f->result.unreachable);
}

/* ---- stopping ---- */

typedef struct later {
    fixture *f;
    int after; /* records that are safe */
    pthread_t thread;
    int64_t set_ms;
} later;

static void *cancel_later(void *opaque)
{
    later *l = opaque;
    for (int i = 0; i < 1000 && atomic_load(&l->f->script.committed) < l->after; i++)
        (void)pst_cancel_wait(NULL, 10);
    (void)pst_cancel_wait(NULL, 300);
    l->set_ms = pst_mono_ms(pst_clock_system());
    pst_cancel_set(l->f->cancel);
    return NULL;
}

static int64_t run_cancelled(fixture *f, int after, pst_err *err)
{
    later l = {.f = f, .after = after};
    assert_int_equal(pthread_create(&l.thread, NULL, cancel_later, &l), 0);
    (void)!run(f, err);
    int64_t ended = pst_mono_ms(pst_clock_system());
    pthread_join(l.thread, NULL);
    return ended - l.set_ms;
}

static void test_cancel_between_polls(void **state)
{
    fixture *f = *state;
    pst_err err;
    f->script.wait_ms = 60000;
    int64_t took = run_cancelled(f, 10, &err);
    assert_int_equal(err.code, PST_OK);
    assert_in_range(took, 0, 1500);
    assert_int_equal(f->result.delivered, 10);
}

static void test_cancel_while_kafka_is_away(void **state)
{
    fixture *f = *state;
    pst_err err;
    f->items[0] = prop("bootstrap.servers", "127.0.0.1:1");
    int64_t took = run_cancelled(f, 0, &err);
    assert_int_equal(err.code, PST_OK); /* nothing was begun */
    assert_in_range(took, 0, 1500);
}

static void test_cancel_in_a_transaction(void **state)
{
    fixture *f = *state;
    pst_err err;
    rd_kafka_resp_err_t codes[500];
    for (size_t i = 0; i < 500; i++)
        codes[i] = RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
    rd_kafka_mock_push_request_errors_array(f->cluster, END_TXN, 500, codes);
    int64_t took = run_cancelled(f, 0, &err);
    assert_int_equal(err.code, PST_E_TIMEOUT);
    assert_non_null(strstr(err.text, "10 of 10 records were not delivered"));
    assert_in_range(took, 0, PST_SOURCE_FLUSH_MS + 2500);
    rd_kafka_mock_clear_request_errors(f->cluster, END_TXN);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_offsets_are_stored_and_read),
        CASE(test_the_stored_record),
        CASE(test_old_offsets_of_other_runs),
        CASE(test_names_and_topics_keep_apart),
        CASE(test_nothing_is_stored_without_a_partition_or_topic),
        CASE(test_resume_is_retried),
        CASE(test_each_step_fails_once),
        CASE(test_aborted_and_again),
        CASE(test_fenced),
        CASE(test_no_permission_for_the_id),
        CASE(test_no_permission_for_a_topic),
        CASE(test_too_large),
        CASE(test_refused_by_the_broker),
        CASE(test_gives_up),
        CASE(test_unreachable),
        CASE(test_cancel_between_polls),
        CASE(test_cancel_while_kafka_is_away),
        CASE(test_cancel_in_a_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_deadletter.c - dead letters against librdkafka's embedded cluster, and rule 11:
 * the object sink (a store in memory, a clock that the test moves) lands a window only
 * when its letters are acknowledged.
 */
#include "mem_fault.c"

#include "fake_store.h"

#include "io/kafka_internal.h"
#include "runtime/budget.h"
#include "runtime/deadletter.h"
#include "runtime/objects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

enum { PRODUCE = 0, BROKER = 1, LINES_MAX = 64, READ_MAX = 64 };

typedef struct fixture {
    pst_mock_kafka *mock;
    pst_prop items[4];
    pst_props worker;
    fake_store *store;
    fake_clock clock;
    pst_objects_conf conf;
    pst_connector_conf connector;
    pst_budget budget;
    pst_task_env env;
    pst_sink_host host;
    pst_encoder encoder;
    pst_objects *objects;
    pst_err err; /* of the last tick */
    int64_t sought, committed;
    int seeks;
    char metadata[PST_KAFKA_METADATA_MAX];
    char lines[LINES_MAX][256];
    size_t n_lines;
} fixture;

static pst_rc host_commits(void *self, pst_tp *tps, size_t n,
                           char (*metadata)[PST_KAFKA_METADATA_MAX], pst_err *err)
{
    (void)err;
    fixture *f = self;
    for (size_t i = 0; i < n; i++) {
        tps[i].offset = f->committed;
        snprintf(metadata[i], PST_KAFKA_METADATA_MAX, "%s", f->metadata);
    }
    return PST_OK;
}

static pst_rc host_watermarks(void *self, const char *topic, int32_t partition,
                              int64_t *low, int64_t *high, pst_err *err)
{
    (void)self, (void)topic, (void)partition, (void)err;
    *low = 0;
    *high = 1000;
    return PST_OK;
}

static pst_rc host_partitions(void *self, const char *topic, int32_t *n, pst_err *err)
{
    (void)self, (void)topic, (void)err;
    *n = 1;
    return PST_OK;
}

static pst_rc host_seek(void *self, const char *topic, int32_t partition, int64_t offset,
                        pst_err *err)
{
    (void)topic, (void)partition, (void)err;
    fixture *f = self;
    f->seeks++;
    f->sought = offset;
    return PST_OK;
}

static pst_rc begin(void *self, pst_buf *out, pst_err *err)
{
    (void)self, (void)out, (void)err;
    return PST_OK;
}

/* One line with the value; a null one, or one that starts with "bad", is refused. */
static pst_rc encode(void *self, const pst_msg *msg, pst_buf *out, pst_route *route,
                     pst_err *err)
{
    (void)self, (void)route;
    if (!msg->value.p || pst_sv_starts(msg->value, PST_SV("bad")))
        return pst_fail(err, PST_E_INVALID, "bad value");
    pst_rc rc = pst_buf_add(out, msg->value.p, msg->value.n);
    return rc == PST_OK ? pst_buf_addc(out, '\n') : rc;
}

static void hear(void *opaque, pst_log_level level, const char *line)
{
    fixture *f = opaque;
    if (level <= PST_LOG_WARN && f->n_lines < LINES_MAX)
        snprintf(f->lines[f->n_lines++], sizeof f->lines[0], "%s", line);
}

static size_t lines_with(const fixture *f, const char *part)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_lines; i++)
        n += strstr(f->lines[i], part) != NULL;
    return n;
}

static pst_rc make(fixture *f, pst_err *err)
{
    pst_objects_options options = {.conf = &f->conf,
                                   .connector = &f->connector,
                                   .env = &f->env,
                                   .host = &f->host,
                                   .store = &f->store->base,
                                   .conditional = true,
                                   .retry_backoff_ms = 100,
                                   .encoder = &f->encoder};
    return pst_objects_new(&f->objects, &options, err);
}

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void init_kafka(fixture *f)
{
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_mock_kafka_new(&f->mock, 1, &err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(f->mock, "dead", 1, &err), PST_OK);
    f->items[0] = (pst_prop){.key = text("bootstrap.servers"),
                             .value = text(pst_mock_kafka_bootstrap(f->mock))};
    f->items[1] = (pst_prop){.key = text("reconnect.backoff.ms"), .value = text("20")};
    f->items[2] =
        (pst_prop){.key = text("reconnect.backoff.max.ms"), .value = text("50")};
    f->worker = (pst_props){f->items, 3, 4};
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    init_kafka(f);
    f->store = fake_new();
    fake_clock_init(&f->clock);
    f->conf = (pst_objects_conf){
        .topics_dir = text("t"), .rotate_schedule_ms = 10000, .fail_on_data_loss = true};
    f->connector = (pst_connector_conf){.connector_class = text("S3CsvSink"),
                                        .errors_tolerance = PST_TOLERANCE_ALL,
                                        .errors_log_enable = true,
                                        .errors_retry_timeout_ms = 60000,
                                        .errors_retry_delay_max_ms = 10000,
                                        .dlq_topic = text("dead"),
                                        .dlq_replication = 1,
                                        .dlq_context_headers = true};
    f->budget.limit = 1 << 20;
    f->env = (pst_task_env){.connector = "a",
                            .id = "a-3",
                            .index = 3,
                            .clock = &f->clock.clock,
                            .cluster = "c",
                            .group = "connect-a",
                            .session_timeout_ms = 1 << 30,
                            .startup_timeout_ms = 10000,
                            .log = pst_log_new(hear, f),
                            .worker = &f->worker,
                            .budget = &f->budget};
    f->host = (pst_sink_host){.commits = host_commits,
                              .watermarks = host_watermarks,
                              .partitions = host_partitions,
                              .seek = host_seek,
                              .self = f};
    f->encoder = (pst_encoder){
        .extension = ".csv", .content_type = "x", .begin = begin, .encode = encode};
    f->committed = PST_OFFSET_NONE;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_objects_free(f->objects);
    assert_int_equal(pst_budget_used(&f->budget), 0);
    pst_mock_kafka_free(f->mock);
    pst_log_free(f->env.log);
    fake_free(f->store);
    free(f);
    assert_int_equal(pst_fault_live(), 0);
    return 0;
}

/* ---- steps ---- */

static void commit(fixture *f)
{
    pst_tp due;
    if (!pst_objects_precommit(f->objects, &due, 1))
        return;
    f->committed = due.offset;
    snprintf(f->metadata, sizeof f->metadata, "%s", due.metadata);
    pst_objects_committed(f->objects, &due, 1, f->clock.mono);
}

static void open_one(fixture *f)
{
    pst_err err = PST_ERR_INIT;
    pst_tp tp = {.topic = "u", .partition = 0};
    if (make(f, &err) != PST_OK || pst_objects_open(f->objects, &tp, 1, &err) != PST_OK)
        fail_msg("%s", err.text);
    commit(f);
}

static pst_msg message(int64_t offset, const char *value)
{
    return (pst_msg){.topic = "u",
                     .offset = offset,
                     .timestamp_ms = 1000 + offset,
                     .value = pst_sv_of(value)};
}

static pst_rc offer(fixture *f, pst_msg msg, size_t *taken, pst_err *err)
{
    pst_item item = {.kind = PST_ITEM_RECORD, .msg = msg};
    return pst_objects_put(f->objects, &item, 1, taken, err);
}

static void put(fixture *f, int64_t offset, const char *value)
{
    size_t taken;
    pst_err err = PST_ERR_INIT;
    if (offer(f, message(offset, value), &taken, &err) != PST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(taken, 1);
}

static pst_rc tick(fixture *f)
{
    int64_t next;
    pst_err_clear(&f->err);
    return pst_objects_tick(f->objects, &next, &f->err);
}

/* The pool and librdkafka work in real time; the test's clock stands still. */
static void pass(fixture *f, int ms)
{
    for (int i = 0; i < ms / 2; i++) {
        if (tick(f) != PST_OK)
            fail_msg("%s", f->err.text);
        commit(f);
        usleep(2000);
    }
}

static const char *body(fixture *f, int64_t start)
{
    char key[128];
    snprintf(key, sizeof key, "t/u/partition=0/u+0+%020lld.csv", (long long)start);
    const fake_object *o = fake_find(f->store, key);
    return o ? o->bytes : NULL;
}

static pst_sink_stats stats_of(fixture *f)
{
    pst_sink_stats stats;
    pst_objects_stats(f->objects, &stats);
    return stats;
}

/* Until so many letters are acknowledged in all; bounded. */
static void await_letters(fixture *f, int64_t n)
{
    for (int i = 0; i < 10000 && stats_of(f).dead_letters < n; i++)
        pass(f, 2);
    assert_int_equal(stats_of(f).dead_letters, n);
    pass(f, 40); /* what waited for them is put */
}

static void rotate(fixture *f)
{
    fake_clock_add(&f->clock, f->conf.rotate_schedule_ms + 1);
    pass(f, 40);
}

static void set_broker(fixture *f, bool up)
{
    rd_kafka_mock_cluster_t *cluster = pst_mock_kafka_cluster(f->mock);
    if (up)
        rd_kafka_mock_broker_set_up(cluster, BROKER);
    else
        rd_kafka_mock_broker_set_down(cluster, BROKER);
}

/* ---- what arrived ---- */

typedef struct reading {
    rd_kafka_t *rk;
    rd_kafka_message_t *messages[READ_MAX];
    size_t n;
} reading;

static void read_topic(fixture *f, const char *topic, size_t n, reading *r)
{
    char errstr[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", pst_mock_kafka_bootstrap(f->mock), NULL,
                      0);
    rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
    r->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, errstr, sizeof errstr);
    r->n = 0;
    rd_kafka_topic_partition_list_t *tps = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(tps, topic, 0)->offset = 0;
    assert_int_equal(rd_kafka_assign(r->rk, tps), 0);
    rd_kafka_topic_partition_list_destroy(tps);
    for (int idle = 0; r->n < n && idle < 100;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(r->rk, 100);
        if (m && !m->err)
            r->messages[r->n++] = m;
        else
            idle++;
        if (m && m->err)
            rd_kafka_message_destroy(m);
    }
    assert_int_equal(r->n, n);
}

static void read_done(reading *r)
{
    for (size_t i = 0; i < r->n; i++)
        rd_kafka_message_destroy(r->messages[i]);
    rd_kafka_consumer_close(r->rk);
    rd_kafka_destroy(r->rk);
}

static void assert_header(rd_kafka_message_t *m, size_t i, const char *name,
                          const char *value)
{
    rd_kafka_headers_t *all;
    const char *key;
    const void *bytes;
    size_t n;
    assert_int_equal(rd_kafka_message_headers(m, &all), 0);
    assert_int_equal(rd_kafka_header_get_all(all, i, &key, &bytes, &n), 0);
    assert_string_equal(key, name);
    if (!value) {
        assert_null(bytes);
        return;
    }
    assert_int_equal(n, strlen(value));
    assert_memory_equal(bytes, value, n);
}

static size_t header_count(rd_kafka_message_t *m)
{
    rd_kafka_headers_t *all;
    return rd_kafka_message_headers(m, &all) ? 0 : rd_kafka_header_cnt(all);
}

/* ---- tests: letters ---- */

/* A record with headers, as a consumer hands it over. */
static void produce_odd(fixture *f)
{
    char errstr[256];
    pst_err err = PST_ERR_INIT;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(pst_mock_kafka_create_topic(f->mock, "in", 1, &err), PST_OK);
    rd_kafka_conf_set(conf, "bootstrap.servers", pst_mock_kafka_bootstrap(f->mock), NULL,
                      0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, sizeof errstr);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
    char value[] = {'b', 'a', 'd', 0, (char)0xff, '\n'};
    rd_kafka_header_add(headers, "a", -1, "1\0\2", 3);
    rd_kafka_header_add(headers, "none", -1, NULL, 0);
    rd_kafka_header_add(headers, "a", -1, "", 0);
    rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("in"), RD_KAFKA_V_KEY("k\0\377", 3),
                      RD_KAFKA_V_VALUE(value, sizeof value), RD_KAFKA_V_TIMESTAMP(12345),
                      RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    assert_int_equal(rd_kafka_flush(rk, 10000), 0);
    rd_kafka_destroy(rk);
}

static void a_letter_is_the_record_byte_for_byte(void **state)
{
    fixture *f = *state;
    reading in, out;
    size_t taken;
    pst_err err = PST_ERR_INIT;
    produce_odd(f);
    read_topic(f, "in", 1, &in);
    rd_kafka_message_t *m = in.messages[0];
    open_one(f);
    pst_msg msg = message(7, "");
    msg.key = (pst_sv){m->key, m->key_len};
    msg.value = (pst_sv){m->payload, m->len};
    msg.headers = m;
    msg.timestamp_ms = 12345;
    assert_int_equal(offer(f, msg, &taken, &err), PST_OK);
    await_letters(f, 1);
    read_topic(f, "dead", 1, &out);
    rd_kafka_message_t *letter = out.messages[0];
    assert_int_equal(letter->key_len, 3);
    assert_memory_equal(letter->key, "k\0\377", 3);
    assert_int_equal(letter->len, 6);
    assert_memory_equal(letter->payload, "bad\0\377\n", 6);
    assert_int_equal(rd_kafka_message_timestamp(letter, NULL), 12345);
    assert_int_equal(header_count(letter), 13);
    rd_kafka_headers_t *all;
    const char *key;
    const void *bytes;
    size_t n;
    assert_int_equal(rd_kafka_message_headers(letter, &all), 0);
    assert_int_equal(rd_kafka_header_get_all(all, 0, &key, &bytes, &n), 0);
    assert_int_equal(n, 3);
    assert_memory_equal(bytes, "1\0\2", 3);
    assert_header(letter, 1, "none", NULL);
    assert_header(letter, 2, "a", "");
    assert_header(letter, 3, "__connect.errors.topic", "u");
    assert_header(letter, 4, "__connect.errors.partition", "0");
    assert_header(letter, 5, "__connect.errors.offset", "7");
    assert_header(letter, 6, "__connect.errors.connector.name", "a");
    assert_header(letter, 7, "__connect.errors.task.id", "3");
    assert_header(letter, 8, "__connect.errors.stage", "VALUE_CONVERTER");
    assert_header(letter, 9, "__connect.errors.class.name", "S3CsvSink");
    assert_header(letter, 10, "__connect.errors.exception.class.name",
                  "org.apache.kafka.connect.errors.DataException");
    assert_header(letter, 11, "__connect.errors.exception.message", "bad value");
    assert_header(letter, 12, "__connect.errors.exception.stacktrace",
                  "org.apache.kafka.connect.errors.DataException: bad value");
    read_done(&out);
    read_done(&in);
}

static void null_stays_null(void **state)
{
    fixture *f = *state;
    reading out;
    size_t taken;
    pst_err err = PST_ERR_INIT;
    f->connector.dlq_context_headers = false;
    open_one(f);
    pst_msg msg = message(0, "");
    msg.value = (pst_sv){NULL, 0};
    assert_int_equal(offer(f, msg, &taken, &err), PST_OK);
    msg = message(1, "bad");
    msg.key = PST_SV("");
    assert_int_equal(offer(f, msg, &taken, &err), PST_OK);
    await_letters(f, 2);
    read_topic(f, "dead", 2, &out);
    assert_null(out.messages[0]->key);
    assert_null(out.messages[0]->payload);
    assert_int_equal(header_count(out.messages[0]), 0);
    assert_int_equal(out.messages[1]->key_len, 0);
    assert_non_null(out.messages[1]->key);
    read_done(&out);
}

/* ---- tests: rule 11 ---- */

static void a_window_lands_when_its_letters_are_acknowledged(void **state)
{
    fixture *f = *state;
    open_one(f);
    set_broker(f, false);
    put(f, 0, "a");
    put(f, 1, "bad");
    put(f, 2, "b");
    rotate(f);
    assert_null(body(f, 0));
    put(f, 3, "c"); /* the next window is taken meanwhile */
    rotate(f);
    assert_int_equal(f->committed, 0);
    set_broker(f, true);
    await_letters(f, 1);
    assert_string_equal(body(f, 0), "a\nb\n");
    assert_string_equal(body(f, 3), "c\n");
    assert_int_equal(f->committed, 4);
    assert_int_equal(stats_of(f).skipped, 1);
    assert_int_equal(f->seeks, 0);
}

static void a_window_of_letters_alone_commits_after_them(void **state)
{
    fixture *f = *state;
    open_one(f);
    set_broker(f, false);
    put(f, 0, "bad");
    rotate(f);
    assert_int_equal(f->committed, 0);
    assert_false(pst_objects_idle(f->objects, NULL, 0));
    set_broker(f, true);
    await_letters(f, 1);
    assert_int_equal(f->committed, 1);
    assert_null(body(f, 0));
    assert_true(pst_objects_idle(f->objects, NULL, 0));
}

static void push_produce_error(fixture *f, rd_kafka_resp_err_t code)
{
    rd_kafka_mock_push_request_errors(pst_mock_kafka_cluster(f->mock), PRODUCE, 1, code);
}

/* Ticks until the partition was sought; its retry's wait passes at once. */
static void await_seek(fixture *f)
{
    for (int i = 0; i < 10000 && !f->seeks; i++) {
        pass(f, 2);
        if (stats_of(f).dead_letters_lost)
            fake_clock_add(&f->clock, 100);
    }
    assert_int_equal(f->seeks, 1);
    assert_int_equal(f->sought, 0);
}

static void a_letter_that_fails_is_read_again(void **state)
{
    fixture *f = *state;
    open_one(f);
    push_produce_error(f, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    put(f, 0, "a");
    put(f, 1, "bad");
    await_seek(f);
    assert_int_equal(stats_of(f).dead_letters_lost, 1);
    assert_null(body(f, 0));
    assert_int_equal(f->committed, 0); /* where it begins, nothing beyond */
    assert_int_equal(lines_with(f, "sending dead letters"), 1);
    /* librdkafka refuses the topic by itself until it has asked about it again */
    for (int i = 0; i < 5000 && !stats_of(f).dead_letters; i++) {
        size_t taken;
        pst_err err = PST_ERR_INIT;
        fake_clock_add(&f->clock, f->conf.rotate_schedule_ms / 20);
        pass(f, 4);
        assert_int_equal(offer(f, message(0, "a"), &taken, &err), PST_OK);
        assert_int_equal(offer(f, message(1, "bad"), &taken, &err), PST_OK);
        pass(f, 4);
    }
    rotate(f);
    assert_string_equal(body(f, 0), "a\n");
    assert_int_equal(f->committed, 2);
}

static void a_producer_that_is_lost_is_made_anew(void **state)
{
    fixture *f = *state;
    open_one(f);
    put(f, 0, "bad");
    await_letters(f, 1);
    push_produce_error(f, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    put(f, 1, "bad");
    await_seek(f);
    fake_clock_add(&f->clock, 2000);
    put(f, 0, "bad");
    put(f, 1, "bad");
    await_letters(f, 3);
}

static void a_letter_that_is_too_large_fails_the_task(void **state)
{
    fixture *f = *state;
    pst_rc rc = PST_OK;
    open_one(f);
    push_produce_error(f, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    put(f, 0, "a");
    put(f, 1, "bad");
    for (int i = 0; i < 5000 && (rc = tick(f)) == PST_OK; i++)
        usleep(2000);
    assert_int_equal(rc, PST_E_LIMIT);
    assert_non_null(strstr(f->err.text, "u-0: sending dead letters: the dead letter of "
                                        "offset 1 (raise max.message.bytes"));
    assert_null(body(f, 0));
}

static void a_run_that_is_to_end_gives_up(void **state)
{
    fixture *f = *state;
    pst_rc rc = PST_OK;
    f->env.until_end = true;
    open_one(f);
    set_broker(f, false);
    put(f, 0, "bad");
    pass(f, 20);
    fake_clock_add(&f->clock, 59000);
    pass(f, 20);
    assert_int_equal(lines_with(f, "1 dead letters are not acknowledged by topic dead"),
                     1);
    fake_clock_add(&f->clock, 2000);
    rc = tick(f);
    assert_int_equal(rc, PST_E_TIMEOUT);
    assert_non_null(strstr(f->err.text, "errors.retry.timeout=60000"));
}

static void failing_for_too_long_ends_a_run_that_is_to_end(void **state)
{
    fixture *f = *state;
    pst_rc rc = PST_OK;
    f->env.until_end = true;
    f->connector.errors_retry_timeout_ms = 0;
    open_one(f);
    push_produce_error(f, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    put(f, 0, "bad");
    for (int i = 0; i < 5000 && (rc = tick(f)) == PST_OK; i++)
        usleep(2000);
    assert_int_not_equal(rc, PST_OK);
}

/* ---- tests: ceilings ---- */

static void letters_have_a_ceiling(void **state)
{
    fixture *f = *state;
    static char big[50000] = "bad";
    memset(big + 3, 'x', sizeof big - 4);
    open_one(f);
    set_broker(f, false);
    size_t taken = 1;
    int64_t n = 0;
    for (pst_err err = PST_ERR_INIT; taken == 1 && n < 100; n++)
        assert_int_equal(offer(f, message(n, big), &taken, &err), PST_OK);
    assert_int_equal(taken, 0);
    assert_int_equal(n, 3); /* an eighth of 1 MiB; the third waits */
    assert_true(pst_budget_used(&f->budget) > 100000);
    assert_int_equal(stats_of(f).errors, 2);
    set_broker(f, true);
    await_letters(f, 2);
    put(f, 2, big);
    await_letters(f, 3);
    rotate(f);
    assert_int_equal(f->committed, 3);
}

static void lines_are_few(void **state)
{
    fixture *f = *state;
    open_one(f);
    f->connector.errors_log_messages = true;
    for (int i = 0; i < 25; i++)
        put(f, i, "bad");
    assert_int_equal(lines_with(f, "skipped: bad value; timestamp"), 10);
    fake_clock_add(&f->clock, 10000);
    put(f, 25, "bad");
    assert_int_equal(lines_with(f, "u-0 offset 25 skipped"), 1);
    assert_int_equal(lines_with(f, "(and 15 more since)"), 1);
    await_letters(f, 26);
}

static void without_tolerance_nothing_is_sent(void **state)
{
    fixture *f = *state;
    size_t taken;
    pst_err err = PST_ERR_INIT;
    f->connector.errors_tolerance = PST_TOLERANCE_NONE;
    open_one(f);
    assert_int_equal(offer(f, message(5, "bad"), &taken, &err), PST_E_INVALID);
    assert_non_null(
        strstr(err.text, "u-0 offset 5: bad value. Set errors.tolerance=all"));
    assert_int_equal(stats_of(f).dead_letters, 0);
}

static void no_kafka_no_letters(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_objects_options options = {.conf = &f->conf,
                                   .connector = &f->connector,
                                   .env = &f->env,
                                   .store = &f->store->base,
                                   .encoder = &f->encoder};
    assert_int_equal(pst_objects_new(&f->objects, &options, &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "errors.deadletterqueue.topic.name"));
}

/* Each allocation of the first letter's way fails in turn: nothing leaks, nothing is
   taken for sent that is not, and the record can be offered again. */
static void allocations_fail_in_turn(void **state)
{
    fixture *f = *state;
    pst_rc rc = PST_E_NOMEM;
    int64_t failed = 0;
    pst_deadletters *dead = NULL;
    pst_letters *letters = NULL;
    pst_err why = PST_ERR_INIT, err = PST_ERR_INIT;
    pst_fail(&why, PST_E_INVALID, "bad");
    assert_int_equal(pst_deadletters_new(&dead, &f->connector, &f->env, &err), PST_OK);
    pst_msg msg = message(0, "bad");
    for (long n = 0; rc != PST_OK; n++) {
        pst_err_clear(&err);
        pst_fault_once(n);
        rc = pst_deadletters_send(dead, &letters, &msg, &why, &err);
        long hits = pst_fault_hits();
        pst_fault_set(-1);
        assert_int_equal(rc, hits ? PST_E_NOMEM : PST_OK);
        failed += hits != 0;
        assert_true(n < 1000);
    }
    assert_true(failed > 3);
    assert_false(pst_letters_settled(letters));
    for (int i = 0; i < 5000 && !pst_letters_settled(letters); i++) {
        assert_int_equal(pst_deadletters_poll(dead, &err), PST_OK);
        usleep(2000);
    }
    assert_int_equal(pst_deadletters_sent(dead), 1);
    pst_letters_release(letters);
    pst_deadletters_free(dead);
}

/* The window goes before its letters do, and the task before them all. */
static void letters_outlive_their_window(void **state)
{
    fixture *f = *state;
    pst_deadletters *dead = NULL;
    pst_letters *letters = NULL;
    pst_err why = PST_ERR_INIT, err = PST_ERR_INIT;
    pst_msg msg = message(0, "bad");
    pst_fail(&why, PST_E_INVALID, "bad");
    assert_int_equal(pst_deadletters_new(&dead, &f->connector, &f->env, &err), PST_OK);
    set_broker(f, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pst_deadletters_send(dead, &letters, &msg, &why, &err), PST_OK);
    pst_letters_release(letters);
    assert_true(pst_deadletters_waiting(dead));
    pst_deadletters_free(dead);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_letter_is_the_record_byte_for_byte),
        CASE(null_stays_null),
        CASE(a_window_lands_when_its_letters_are_acknowledged),
        CASE(a_window_of_letters_alone_commits_after_them),
        CASE(a_letter_that_fails_is_read_again),
        CASE(a_producer_that_is_lost_is_made_anew),
        CASE(a_letter_that_is_too_large_fails_the_task),
        CASE(a_run_that_is_to_end_gives_up),
        CASE(failing_for_too_long_ends_a_run_that_is_to_end),
        CASE(letters_have_a_ceiling),
        CASE(lines_are_few),
        CASE(without_tolerance_nothing_is_sent),
        CASE(no_kafka_no_letters),
        CASE(allocations_fail_in_turn),
        CASE(letters_outlive_their_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * objects_run.h - an object sink with a store in memory, a clock that the test moves, and
 * a host that plays Kafka; and steps for tests with it.
 */
#ifndef PST_TESTS_OBJECTS_RUN_H
#define PST_TESTS_OBJECTS_RUN_H

#include "fake_store.h"

#include "runtime/budget.h"
#include "runtime/objects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
    fake_store *store;
    fake_clock clock;
    pst_objects_conf conf;
    pst_connector_conf connector;
    pst_budget budget;
    pst_task_env env;
    pst_sink_host host;
    pst_encoder encoder;
    pst_objects *objects;
    int64_t committed, low, high, sought;
    char metadata[PST_KAFKA_METADATA_MAX];
    int seeks, failing_seeks;
} fixture;

/* ---- Kafka's part ---- */

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
    (void)topic, (void)partition, (void)err;
    fixture *f = self;
    *low = f->low;
    *high = f->high;
    return PST_OK;
}

static pst_rc host_partitions(void *self, const char *topic, int32_t *n, pst_err *err)
{
    (void)self, (void)topic, (void)err;
    *n = 4;
    return PST_OK;
}

static pst_rc host_seek(void *self, const char *topic, int32_t partition, int64_t offset,
                        pst_err *err)
{
    (void)topic, (void)partition;
    fixture *f = self;
    f->seeks++;
    f->sought = offset;
    if (f->failing_seeks-- > 0)
        return pst_fail(err, PST_E_KAFKA, "no seek now");
    return PST_OK;
}

/* ---- the format: one line with the value; "bad" is refused, "" gives no row ---- */

static pst_rc begin(void *self, pst_buf *out, pst_err *err)
{
    (void)self, (void)err;
    return pst_buf_adds(out, "head\n");
}

static pst_rc encode(void *self, const pst_msg *msg, pst_buf *out, pst_route *route,
                     pst_err *err)
{
    (void)self, (void)route;
    if (pst_sv_is(msg->value, "bad"))
        return pst_fail(err, PST_E_INVALID, "bad value");
    if (!msg->value.n)
        return PST_OK;
    pst_rc rc = pst_buf_add(out, msg->value.p, msg->value.n);
    return rc == PST_OK ? pst_buf_addc(out, '\n') : rc;
}

static void make(fixture *f)
{
    pst_err err = PST_ERR_INIT;
    pst_objects_options options = {.conf = &f->conf,
                                   .connector = &f->connector,
                                   .env = &f->env,
                                   .host = &f->host,
                                   .store = &f->store->base,
                                   .conditional = true,
                                   .retry_backoff_ms = 100,
                                   .encoder = &f->encoder};
    assert_int_equal(pst_objects_new(&f->objects, &options, &err), PST_OK);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->store = fake_new();
    fake_clock_init(&f->clock);
    f->conf = (pst_objects_conf){.topics_dir = (char *)(uintptr_t) "t",
                                 .rotate_schedule_ms = 10000,
                                 .fail_on_data_loss = true};
    f->connector = (pst_connector_conf){.errors_retry_timeout_ms = 60000,
                                        .errors_retry_delay_max_ms = 10000};
    f->budget.limit = 1 << 20;
    f->env = (pst_task_env){.connector = "a",
                            .id = "a-0",
                            .clock = &f->clock.clock,
                            .cluster = "c",
                            .group = "connect-a",
                            .session_timeout_ms = 10000,
                            .startup_timeout_ms = 1000,
                            .budget = &f->budget};
    f->host = (pst_sink_host){.commits = host_commits,
                              .watermarks = host_watermarks,
                              .partitions = host_partitions,
                              .seek = host_seek,
                              .self = f};
    f->encoder = (pst_encoder){
        .extension = ".csv", .content_type = "x", .begin = begin, .encode = encode};
    f->committed = PST_OFFSET_NONE;
    f->high = 1000;
    make(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_objects_free(f->objects);
    assert_int_equal(pst_budget_used(&f->budget), 0);
    fake_free(f->store);
    free(f);
    return 0;
}

/* ---- steps ---- */

static inline void open_only(fixture *f, int64_t expected_offset, int64_t expected_from)
{
    pst_err err = PST_ERR_INIT;
    pst_tp tp = {.topic = "u", .partition = 0};
    pst_rc rc = pst_objects_open(f->objects, &tp, 1, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, PST_OK);
    assert_int_equal(tp.offset, expected_offset);
    assert_int_equal(tp.from, expected_from);
}

/* The task commits what opening says, before anything else. */
static void open_one(fixture *f, int64_t expected_offset, int64_t expected_from)
{
    open_only(f, expected_offset, expected_from);
    pst_tp due;
    if (pst_objects_precommit(f->objects, &due, 1)) {
        f->committed = due.offset;
        snprintf(f->metadata, sizeof f->metadata, "%s", due.metadata);
        pst_objects_committed(f->objects, &due, 1, f->clock.mono);
    }
}

static inline pst_rc give(fixture *f, int64_t offset, const char *value, pst_err *err)
{
    pst_item item = {.kind = PST_ITEM_RECORD,
                     .msg = {.topic = "u",
                             .offset = offset,
                             .timestamp_ms = 1000 + offset,
                             .value = pst_sv_of(value)}};
    size_t taken;
    pst_err_clear(err);
    return pst_objects_put(f->objects, &item, 1, &taken, err);
}

static inline void put(fixture *f, int64_t offset, const char *value)
{
    pst_err err = PST_ERR_INIT;
    assert_int_equal(give(f, offset, value, &err), PST_OK);
}

static inline void put_end(fixture *f, int64_t offset)
{
    pst_item item = {.kind = PST_ITEM_EOF, .msg = {.topic = "u", .offset = offset}};
    size_t taken;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_objects_put(f->objects, &item, 1, &taken, &err), PST_OK);
}

static pst_rc tick(fixture *f, pst_err *err)
{
    int64_t next;
    pst_err_clear(err);
    return pst_objects_tick(f->objects, &next, err);
}

/* Lets the pool work (real time), without moving the test's clock. */
static inline void settle(fixture *f)
{
    pst_err err = PST_ERR_INIT;
    for (int i = 0; i < 30; i++) {
        assert_int_equal(tick(f, &err), PST_OK);
        usleep(2000);
    }
}

static inline const char *body(fixture *f, int64_t start)
{
    char key[128];
    snprintf(key, sizeof key, "t/u/partition=0/u+0+%020lld.csv", (long long)start);
    const fake_object *o = fake_find(f->store, key);
    return o ? o->bytes : NULL;
}

static inline void assert_due(fixture *f, int64_t offset)
{
    pst_tp tp[4];
    assert_int_equal(pst_objects_precommit(f->objects, tp, 4), 1);
    assert_int_equal(tp[0].offset, offset);
    pst_objects_committed(f->objects, tp, 1, f->clock.mono);
    assert_int_equal(pst_objects_precommit(f->objects, tp, 4), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif

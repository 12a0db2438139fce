/*
 * test_objects.c - windows, timer, uploads, retries and commits of the object sink, with
 * a store in memory, a clock that the test moves, and a host that plays Kafka.
 */
#include "objects_run.h"

/* ---- tests ---- */

static void timer_lands_without_new_records(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    put(f, 0, "a");
    put(f, 1, "b");
    settle(f);
    assert_null(body(f, 0));
    fake_clock_add(&f->clock, 10001);
    settle(f);
    assert_string_equal(body(f, 0), "head\na\nb\n");
    assert_due(f, 2);
}

/* Aligned to the wall clock: 3 s before the boundary the window is open for 3 s. */
static void timer_is_aligned_to_the_wall_clock(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    f->clock.wall = 1700000007000;
    put(f, 0, "a");
    fake_clock_add(&f->clock, 2999);
    settle(f);
    assert_null(body(f, 0));
    fake_clock_add(&f->clock, 1);
    settle(f);
    assert_non_null(body(f, 0));
}

static void wall_clock_set_back_does_not_hold_records(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    put(f, 0, "a");
    f->clock.wall -= 86400000;
    f->clock.mono += 10001;
    settle(f);
    assert_non_null(body(f, 0));
    f->clock.wall += 2 * 86400000LL;
    put(f, 1, "b");
    f->clock.mono += 10001;
    settle(f);
    assert_non_null(body(f, 1));
}

static void flush_size_closes_at_the_record(void **state)
{
    fixture *f = *state;
    f->conf.flush_size = 2;
    open_one(f, 0, 0);
    for (int i = 0; i < 5; i++)
        put(f, i, "x");
    settle(f);
    assert_string_equal(body(f, 0), "head\nx\nx\n");
    assert_string_equal(body(f, 2), "head\nx\nx\n");
    assert_null(body(f, 4));
}

/* An eighth of the limit in a moment goes up at once when nothing else does, unless
   somebody has said how large objects are to be. */
static void a_rush_does_not_wait_for_its_timer(void **state)
{
    fixture *f = *state;
    static char value[(1 << 17) + 1]; /* an eighth, and its NUL */
    memset(value, 'x', sizeof value - 1);
    open_one(f, 0, 0);
    put(f, 0, "a");
    settle(f);
    assert_null(body(f, 0));
    put(f, 1, value);
    settle(f);
    assert_non_null(body(f, 0));
    put(f, 2, "a");
    fake_clock_add(&f->clock, f->conf.rotate_schedule_ms / 4);
    put(f, 3, value); /* as much, but not as fast: one object an interval */
    settle(f);
    assert_null(body(f, 2));
    fake_clock_add(&f->clock, f->conf.rotate_schedule_ms);
    settle(f);
    assert_non_null(body(f, 2));
    f->conf.flush_size = 1000;
    put(f, 4, value);
    settle(f);
    assert_null(body(f, 4));
}

/* Rule 3: one window in flight; the next is put only after its outcome, in order. */
static void windows_go_in_order_through_failures(void **state)
{
    fixture *f = *state;
    f->conf.flush_size = 1;
    open_one(f, 0, 0);
    fake_break(f->store, (fake_fault){.op = "put",
                                      .times = 3,
                                      .code = PST_E_IO,
                                      .retriable = true,
                                      .applied = true});
    for (int i = 0; i < 4; i++)
        put(f, i, "x");
    for (int i = 0; i < 20; i++) {
        settle(f);
        fake_clock_add(&f->clock, 500);
    }
    for (int i = 0; i < 4; i++)
        assert_string_equal(body(f, i), "head\nx\n");
    assert_due(f, 4);
}

/* Rule 6: tombstones that give no row move the commit, not the chain. */
static void window_without_rows_commits_only(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    put(f, 0, "");
    put(f, 1, "");
    fake_clock_add(&f->clock, 10001);
    settle(f);
    pst_tp tp[4];
    assert_int_equal(pst_objects_precommit(f->objects, tp, 4), 1);
    assert_int_equal(tp[0].offset, 2);
    assert_non_null(strstr(tp[0].metadata, "pos=0 last=1:1001:"));
    pst_objects_committed(f->objects, tp, 1, f->clock.mono);
    f->committed = 2;
    snprintf(f->metadata, sizeof f->metadata, "%s", tp[0].metadata);
    put(f, 2, "c");
    fake_clock_add(&f->clock, 10001);
    settle(f);
    assert_null(body(f, 2));
    /* The group stands at 2, the chain at 0: the sleeper's check must not mistake its own
       commit for another's. */
    assert_string_equal(body(f, 0), "head\nc\n");
}

/* Rule 6: transaction markers at the end of the log leave no tail. */
static void end_of_partition_is_committed(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    put(f, 0, "a");
    put_end(f, 2);
    fake_clock_add(&f->clock, 10001);
    settle(f);
    assert_due(f, 2);
    put_end(f, 5);
    fake_clock_add(&f->clock, 10001);
    settle(f);
    assert_due(f, 5);
    assert_null(body(f, 2));
}

/* Rule 4: another writer's object at my position: drop, read again from its end. */
static void adoption_reads_again_from_the_others_end(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    fixture other = *f;
    make(&other);
    open_one(&other, 0, 0);
    put(&other, 0, "a");
    put(&other, 1, "b");
    pst_objects_flush(other.objects, NULL, 0);
    settle(&other);
    for (int i = 0; i < 5; i++)
        put(f, i, "x");
    pst_objects_flush(f->objects, NULL, 0);
    settle(f);
    assert_string_equal(body(f, 0), "head\na\nb\n");
    assert_int_equal(f->seeks, 1);
    assert_int_equal(f->sought, 1); /* rule 8: the other's last record is seen first */
    put(f, 1, "b");
    for (int i = 2; i < 5; i++)
        put(f, i, "y");
    fake_clock_add(&f->clock, 10001);
    settle(f);
    assert_string_equal(body(f, 2), "head\ny\ny\ny\n");
    assert_due(f, 5);
    pst_objects_free(other.objects);
}

/* Rule 8 on adoption: a late PUT of the old topic's writer is not this log. */
static void adoption_compares_the_log(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    open_one(f, 0, 0);
    fixture other = *f;
    make(&other);
    open_one(&other, 0, 0);
    put(&other, 0, "old topic");
    put(&other, 1, "old topic");
    pst_objects_flush(other.objects, NULL, 0);
    settle(&other);
    put(f, 0, "new topic");
    put(f, 1, "new topic");
    pst_objects_flush(f->objects, NULL, 0);
    settle(f);
    assert_int_equal(f->sought, 1);
    /* The adopted position is not committed before the log is known again. */
    pst_tp tp[4];
    assert_int_equal(pst_objects_precommit(f->objects, tp, 4), 0);
    assert_int_equal(give(f, 1, "new topic", &err), PST_E_CHAIN);
    pst_objects_free(other.objects);
}

/* As long as the reader could not be set back, nothing it still hands over is taken. */
static void adoption_takes_nothing_before_the_seek(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    fixture other = *f;
    make(&other);
    open_one(&other, 0, 0);
    put(&other, 0, "a");
    put(&other, 1, "b");
    pst_objects_flush(other.objects, NULL, 0);
    settle(&other);
    for (int i = 0; i < 5; i++)
        put(f, i, "x");
    pst_objects_flush(f->objects, NULL, 0);
    f->failing_seeks = 2;
    settle(f);
    put(f, 5, "would leave a hole");
    fake_clock_add(&f->clock, 30000);
    settle(f);
    fake_clock_add(&f->clock, 30000);
    settle(f);
    assert_int_equal(f->seeks, 3);
    assert_int_equal(f->sought, 1); /* the other's last record is seen again first */
    put(f, 1, "b");
    put(f, 2, "y");
    fake_clock_add(&f->clock, 10001);
    settle(f);
    assert_string_equal(body(f, 2), "head\ny\n");
    pst_objects_free(other.objects);
}

/* Rule 8: the record at the chain's end is compared, then not taken again. */
static void last_record_is_compared(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    open_one(f, 0, 0);
    put(f, 0, "a");
    pst_objects_flush(f->objects, NULL, 0);
    settle(f);
    pst_objects_free(f->objects);
    make(f);
    open_one(f, 0, 1);
    put(f, 0, "a");
    put(f, 1, "b");
    pst_objects_flush(f->objects, NULL, 0);
    settle(f);
    assert_string_equal(body(f, 1), "head\nb\n");
    pst_objects_free(f->objects);
    make(f);
    open_one(f, 1, 2);
    assert_int_equal(give(f, 1, "another log's", &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, "not the one that was landed"));
}

static void last_record_gone_goes_on(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    put(f, 0, "a");
    pst_objects_flush(f->objects, NULL, 0);
    settle(f);
    pst_objects_free(f->objects);
    make(f);
    open_one(f, 0, 1);
    put(f, 3, "d"); /* 0 to 2 were compacted */
    pst_objects_flush(f->objects, NULL, 0);
    settle(f);
    assert_string_equal(body(f, 1), "head\nd\n");
}

/* Rule 9: the group went on while this task slept. */
static void sleeper_drops_and_recovers(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    put(f, 0, "a");
    f->committed = 4;
    snprintf(f->metadata, sizeof f->metadata, "penstock/1 pos=4 last=3:1003:00000000");
    fake_clock_add(&f->clock, 60000);
    settle(f);
    assert_null(body(f, 0));
    assert_int_equal(f->sought, 3); /* the last landed record is to be seen first */
    assert_int_equal(pst_budget_used(&f->budget), 0);
}

static void bad_record_none_fails_all_counts(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    open_one(f, 0, 0);
    put(f, 0, "a");
    assert_int_equal(give(f, 1, "bad", &err), PST_E_INVALID);
    assert_non_null(strstr(err.text, "u-0 offset 1: bad value"));
    assert_non_null(strstr(err.text, "errors.tolerance=all"));
    /* What came before it lands; the bad one is not passed over. */
    pst_objects_flush(f->objects, NULL, 0);
    settle(f);
    assert_string_equal(body(f, 0), "head\na\n");
    assert_due(f, 1);
    f->connector.errors_tolerance = PST_TOLERANCE_ALL;
    put(f, 1, "bad");
    put(f, 2, "c");
    pst_objects_flush(f->objects, NULL, 0);
    settle(f);
    assert_string_equal(body(f, 1), "head\nc\n");
    pst_sink_stats stats;
    pst_objects_stats(f->objects, &stats);
    assert_int_equal(stats.skipped, 1);
    assert_int_equal(stats.rows, 2);
}

/* buffer.memory: early flush, then no more is taken until something has landed. */
static void memory_is_bounded(void **state)
{
    fixture *f = *state;
    char value[10001];
    memset(value, 'v', 10000);
    value[10000] = '\0';
    open_one(f, 0, 0);
    fake_break(
        f->store,
        (fake_fault){.op = "put", .times = 1000, .code = PST_E_IO, .retriable = true});
    pst_err err = PST_ERR_INIT;
    int64_t offset = 0;
    for (; offset < 1000; offset++) {
        pst_item item = {
            .msg = {.topic = "u", .offset = offset, .value = {value, 10000}}};
        size_t taken = 0;
        assert_int_equal(pst_objects_put(f->objects, &item, 1, &taken, &err), PST_OK);
        if (!taken)
            break;
    }
    assert_in_range(offset, 60, 140); /* of 1 MiB, in rows of 10 kB */
    assert_true(pst_budget_used(&f->budget) < (1 << 20) + PST_CHUNK_MAX + 4096);
    fake_break(f->store, (fake_fault){.op = NULL});
    for (int i = 0; i < 4; i++) {
        fake_clock_add(&f->clock, 11000);
        settle(f);
    }
    put(f, offset, "after");
    pst_objects_flush(f->objects, NULL, 0);
    settle(f);
    assert_due(f, offset + 1);
}

static void auth_failure_pauses_and_drops_nothing(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    put(f, 0, "a");
    fake_break(f->store, (fake_fault){.op = "put", .times = 5, .code = PST_E_AUTH});
    pst_objects_flush(f->objects, NULL, 0);
    for (int i = 0; i < 12; i++) {
        settle(f);
        fake_clock_add(&f->clock, 10000);
    }
    assert_string_equal(body(f, 0), "head\na\n");
}

static void until_end_gives_up_after_the_retry_timeout(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    f->env.until_end = true;
    f->high = 1;
    open_one(f, 0, 0);
    put(f, 0, "a");
    put(f, 1, "beyond the end");
    assert_true(pst_objects_finished(f->objects));
    fake_break(
        f->store,
        (fake_fault){.op = "put", .times = 1000, .code = PST_E_IO, .retriable = true});
    pst_objects_flush(f->objects, NULL, 0);
    pst_rc rc = PST_OK;
    for (int i = 0; rc == PST_OK && i < 400; i++) {
        rc = tick(f, &err);
        usleep(1000);
        fake_clock_add(&f->clock, 500);
    }
    assert_int_equal(rc, PST_E_IO);
    assert_non_null(strstr(err.text, "u-0: landing an object: injected fault"));
}

static void closed_partition_drops_its_records(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    put(f, 0, "a");
    pst_tp tp = {.topic = "u", .partition = 0};
    pst_objects_close(f->objects, &tp, 1);
    put(f, 1, "late");
    fake_clock_add(&f->clock, 20000);
    settle(f);
    assert_null(body(f, 0));
    assert_true(pst_objects_idle(f->objects, NULL, 0));
}

static void open_fails_at_once_on_a_safety_rule(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    open_one(f, 0, 0);
    pst_objects_free(f->objects);
    f->env.cluster = "other";
    make(f);
    pst_tp tp = {.topic = "u", .partition = 0};
    assert_int_equal(pst_objects_open(f->objects, &tp, 1, &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, "Kafka cluster \"c\", this is cluster \"other\""));
}

/* A tool has set the group's offset. Our commit replaces its before an object follows:
   else a crash between the two would leave what looks like a rewind. */
static void a_reset_is_committed_before_an_object(void **state)
{
    fixture *f = *state;
    pst_tp tp[4];
    f->committed = 50;
    open_only(f, 50, 50);
    put(f, 50, "a");
    fake_clock_add(&f->clock, 10001);
    settle(f);
    assert_null(body(f, 50));
    assert_int_equal(pst_objects_precommit(f->objects, tp, 4), 1);
    assert_int_equal(tp[0].offset, 50);
    snprintf(f->metadata, sizeof f->metadata, "%s", tp[0].metadata);
    pst_objects_committed(f->objects, tp, 1, f->clock.mono);
    settle(f);
    assert_string_equal(body(f, 50), "head\na\n");
    /* It dies before the next commit: the next one goes on. */
    pst_objects_free(f->objects);
    make(f);
    open_one(f, 50, 51);
}

/* Rule 10: the seal, the commit that names the new layout, then the object. An older
   commit's answer is not taken for it. */
static void a_layout_is_committed_before_an_object(void **state)
{
    fixture *f = *state;
    pst_tp tp[4], older[1];
    char sent[PST_KAFKA_METADATA_MAX];
    open_one(f, 0, 0);
    put(f, 0, "a");
    fake_clock_add(&f->clock, 10001);
    settle(f);
    assert_int_equal(pst_objects_precommit(f->objects, tp, 4), 1);
    f->committed = tp[0].offset;
    snprintf(f->metadata, sizeof f->metadata, "%s", tp[0].metadata);
    pst_objects_free(f->objects);
    f->conf.topics_dir = (char *)(uintptr_t) "v";
    make(f);
    open_only(f, 0, 1);
    assert_int_equal(pst_objects_precommit(f->objects, tp, 4), 0);
    put(f, 1, "");
    fake_clock_add(&f->clock, 10001);
    settle(f);
    /* A window without rows seals nothing. */
    assert_int_equal(pst_objects_precommit(f->objects, older, 1), 1);
    assert_int_equal(older[0].offset, 2);
    assert_non_null(strstr(older[0].metadata, "layout=t/DefaultPartitioner.csv"));
    snprintf(sent, sizeof sent, "%s", older[0].metadata);
    older[0].metadata = sent; /* as librdkafka has its own copy */
    put(f, 2, "b");
    fake_clock_add(&f->clock, 10001);
    settle(f);
    const char *first = "v/u/partition=0/u+0+00000000000000000001.csv";
    assert_string_equal(body(f, 1), ""); /* the seal */
    pst_objects_committed(f->objects, older, 1, f->clock.mono);
    settle(f);
    assert_null(fake_find(f->store, first));
    assert_int_equal(pst_objects_precommit(f->objects, tp, 4), 1);
    assert_int_equal(tp[0].offset, 2); /* it never goes back */
    assert_non_null(strstr(tp[0].metadata, "pos=1 "));
    assert_non_null(strstr(tp[0].metadata, "layout=v/DefaultPartitioner.csv empty=1"));
    pst_objects_committed(f->objects, tp, 1, f->clock.mono);
    settle(f);
    assert_string_equal(fake_find(f->store, first)->bytes, "head\nb\n");
    assert_int_equal(pst_objects_precommit(f->objects, tp, 4), 1);
    assert_int_equal(tp[0].offset, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timer_lands_without_new_records),
        TEST(timer_is_aligned_to_the_wall_clock),
        TEST(wall_clock_set_back_does_not_hold_records),
        TEST(flush_size_closes_at_the_record),
        TEST(a_rush_does_not_wait_for_its_timer),
        TEST(windows_go_in_order_through_failures),
        TEST(window_without_rows_commits_only),
        TEST(end_of_partition_is_committed),
        TEST(adoption_reads_again_from_the_others_end),
        TEST(adoption_compares_the_log),
        TEST(adoption_takes_nothing_before_the_seek),
        TEST(last_record_is_compared),
        TEST(last_record_gone_goes_on),
        TEST(sleeper_drops_and_recovers),
        TEST(bad_record_none_fails_all_counts),
        TEST(memory_is_bounded),
        TEST(auth_failure_pauses_and_drops_nothing),
        TEST(until_end_gives_up_after_the_retry_timeout),
        TEST(closed_partition_drops_its_records),
        TEST(open_fails_at_once_on_a_safety_rule),
        TEST(a_reset_is_committed_before_an_object),
        TEST(a_layout_is_committed_before_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

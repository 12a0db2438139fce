/*
 * sink_run.h - a small Kafka and a small task around a sink, for tests that let one call
 * fail at a time: partitions with a few records, a group that commits, and a driver that
 * opens, puts, ticks and commits as sink_task.c does, and starts the sink anew after a
 * failure. At every commit and at the end the objects are compared with the log: what is
 * committed is there, each row once, in order.
 *
 *   partition 0   all by this sink
 *   partition 1   another writer takes the first position (rule 4: adopted)
 *   partition 2   another writer lands and commits while this one sleeps (rule 9: passed)
 */
#ifndef SINK_RUN_H
#define SINK_RUN_H

#include "mem_fault.h"

#include "base/mem.h"
#include "runtime/budget.h"
#include "runtime/chain.h"
#include "runtime/plugin.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { RUN_PARTS = 3, RUN_ATTEMPTS = 30, RUN_TURNS = 4000, RUN_TEXT = 64 * 1024 };

typedef struct run_record {
    int64_t offset;
    const char *value; /* NULL = tombstone */
    const char *row;   /* what lands, with its newline; NULL = nothing */
} run_record;

typedef struct run_object {
    int64_t start;
    const char *bytes;
    size_t n;
} run_object;

/* A call of the host that fails: "commits", "watermarks", "partitions", "seek", "commit"
   (the commit itself). */
typedef struct run_fault {
    const char *op; /* NULL = none */
    int skip;
    pst_rc code;
    bool retriable, applied;
} run_fault;

typedef struct run_world run_world;
struct run_world {
    const run_record *records; /* the same in all partitions */
    size_t n_records;
    int64_t end; /* of the log; beyond the last record is a marker */
    /* of the test */
    pst_rc (*start)(run_world *world, pst_sink **out, pst_err *err);
    void (*rival)(run_world *world, int32_t partition, const run_record *records,
                  size_t n, int64_t next, pst_last last);
    /* the objects of a partition in the order of their keys; the bytes live until the
       next call */
    size_t (*objects)(run_world *world, int32_t partition, run_object *out, size_t max);
    const char *header; /* what each object starts with */
    const char *extension;
    const pst_sink_ops *ops;
    void *self;
    /* Kafka */
    pthread_mutex_t lock;
    run_fault fault;
    bool fired;
    int64_t committed[RUN_PARTS], position[RUN_PARTS];
    char metadata[RUN_PARTS][PST_KAFKA_METADATA_MAX];
    bool rivals_came, answered;
    pst_sink_host host;
    /* what the sink is lent */
    pst_clock clock;
    _Atomic int64_t mono, step_ms;
    pst_budget budget;
    pst_cancel *cancel;
    pst_task_env env;
    int restarts;
    long hits; /* allocations that failed */
};

/* ---- the clock goes on whenever it is looked at ---- */

static int64_t run_mono(void *self)
{
    run_world *world = self;
    return world->mono += world->step_ms;
}

static int64_t run_wall(void *self)
{
    return 1700000000000 + run_mono(self);
}

/* ---- Kafka ---- */

static bool run_faulty(run_world *world, const char *op, bool applied, pst_err *err,
                       pst_rc *rc)
{
    run_fault *fault = &world->fault;
    *rc = PST_OK;
    if (!fault->op || strcmp(fault->op, op) != 0 || fault->applied != applied ||
        fault->skip-- > 0)
        return false;
    fault->op = NULL;
    world->fired = true;
    *rc = fault->retriable ? pst_fail_retriable(err, fault->code, "injected fault")
                           : pst_fail(err, fault->code, "injected fault");
    return true;
}

static pst_rc run_commits(void *self, pst_tp *tps, size_t n,
                          char (*metadata)[PST_KAFKA_METADATA_MAX], pst_err *err)
{
    run_world *world = self;
    pst_rc rc;
    pthread_mutex_lock(&world->lock);
    if (!run_faulty(world, "commits", false, err, &rc))
        for (size_t i = 0; i < n; i++) {
            tps[i].offset = world->committed[tps[i].partition];
            snprintf(metadata[i], PST_KAFKA_METADATA_MAX, "%s",
                     world->metadata[tps[i].partition]);
        }
    pthread_mutex_unlock(&world->lock);
    return rc;
}

static pst_rc run_watermarks(void *self, const char *topic, int32_t partition,
                             int64_t *low, int64_t *high, pst_err *err)
{
    run_world *world = self;
    pst_rc rc;
    (void)topic, (void)partition;
    pthread_mutex_lock(&world->lock);
    if (!run_faulty(world, "watermarks", false, err, &rc)) {
        *low = 0;
        *high = world->end;
    }
    pthread_mutex_unlock(&world->lock);
    return rc;
}

static pst_rc run_partitions(void *self, const char *topic, int32_t *n, pst_err *err)
{
    run_world *world = self;
    pst_rc rc;
    (void)topic;
    pthread_mutex_lock(&world->lock);
    if (!run_faulty(world, "partitions", false, err, &rc))
        *n = RUN_PARTS;
    pthread_mutex_unlock(&world->lock);
    return rc;
}

static pst_rc run_seek(void *self, const char *topic, int32_t partition, int64_t offset,
                       pst_err *err)
{
    run_world *world = self;
    pst_rc rc;
    (void)topic;
    pthread_mutex_lock(&world->lock);
    if (!run_faulty(world, "seek", false, err, &rc))
        world->position[partition] = offset;
    pthread_mutex_unlock(&world->lock);
    return rc;
}

/* ---- the audit ---- */

/* Appends the rows of records in [from, to). */
static size_t run_rows(const run_world *world, int64_t to, char *out)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < world->n_records; i++)
        if (world->records[i].offset < to && world->records[i].row)
            n += (size_t)snprintf(out + n, RUN_TEXT - n, "%s", world->records[i].row);
    return n;
}

/* Each object's rows are those of the records from its start to the next one's start; in
   all they hold at least what is below `upto`, which is told. */
static void run_audit(run_world *world, int32_t partition, int64_t upto)
{
    static char landed[RUN_TEXT], expected[RUN_TEXT], before[RUN_TEXT];
    run_object objects[64];
    size_t n = world->objects(world, partition, objects, 64), len = 0;
    size_t head = strlen(world->header);
    landed[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || objects[i].start > objects[i - 1].start);
        assert_int_equal(run_rows(world, objects[i].start, before), len);
        assert_true(objects[i].n > head);
        assert_memory_equal(objects[i].bytes, world->header, head);
        assert_true(len + objects[i].n < sizeof landed);
        memcpy(landed + len, objects[i].bytes + head, objects[i].n - head);
        len += objects[i].n - head;
        landed[len] = '\0';
    }
    (void)run_rows(world, INT64_MAX, expected);
    assert_true(strncmp(expected, landed, len) == 0); /* a prefix of all rows */
    assert_true(run_rows(world, upto, before) <= len);
}

/* ---- the task ---- */

static pst_rc run_open(run_world *world, pst_sink *sink, pst_err *err)
{
    pst_tp tps[RUN_PARTS];
    for (int32_t p = 0; p < RUN_PARTS; p++) {
        tps[p] = (pst_tp){.topic = "u", .partition = p, .offset = -1};
        world->position[p] = -1;
    }
    pst_rc rc = world->ops->open(sink, tps, RUN_PARTS, err);
    for (int32_t p = 0; rc == PST_OK && p < RUN_PARTS; p++)
        world->position[p] = tps[p].offset;
    return rc;
}

static pst_msg run_msg(int32_t partition, const run_record *record)
{
    return (pst_msg){.topic = "u",
                     .partition = partition,
                     .offset = record->offset,
                     .timestamp_ms = 1000 + record->offset,
                     .value =
                         record->value ? pst_sv_of(record->value) : (pst_sv){NULL, 0}};
}

/* What an object of another writer of the group says of itself. */
static inline void run_rival_meta(pst_store_meta *meta, int32_t partition, int64_t next,
                                  pst_last last)
{
    const struct {
        const char *name, *value;
    } texts[] = {{"penstock-topic", "u"},
                 {"penstock-group", "connect-a"},
                 {"penstock-cluster", "c"}};
    meta->n = 0;
    pst_rc rc = pst_store_meta_add(meta, "penstock-next", "%lld", (long long)next);
    for (size_t i = 0; rc == PST_OK && i < 3; i++)
        rc = pst_store_meta_add(meta, texts[i].name, "%s", texts[i].value);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-partition", "%d", partition);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-last", "%lld:%lld:%08x",
                                (long long)last.offset, (long long)last.timestamp_ms,
                                last.crc32c);
    assert_int_equal(rc, PST_OK);
}

/* The text of an object with these records; returns its length. */
static inline size_t run_rival_text(const run_world *world, const run_record *records,
                                    size_t n, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "%s", world->header);
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(out + len, size - len, "%s",
                                records[i].row ? records[i].row : "");
    assert_true(len < size);
    return len;
}

/* Other writers come once, when the first commit is answered: before it no sink puts
   anything, and then a sleeper's commits are refused. */
static void run_rivals(run_world *world)
{
    enum { TAKEN = 3 };
    if (world->rivals_came || !world->answered)
        return;
    world->rivals_came = true;
    const run_record *last = &world->records[TAKEN - 1];
    for (int32_t p = 1; p < RUN_PARTS; p++) {
        pst_msg msg = run_msg(p, last);
        pst_last known = {.offset = msg.offset,
                          .timestamp_ms = msg.timestamp_ms,
                          .crc32c = pst_chain_fingerprint(&msg)};
        long paused = pst_fault_pause();
        world->rival(world, p, world->records, TAKEN, last->offset + 1, known);
        pst_fault_resume(paused);
        if (p != 2)
            continue;
        world->committed[p] = last->offset + 1;
        snprintf(world->metadata[p], PST_KAFKA_METADATA_MAX,
                 "penstock/1 pos=%lld last=%lld:%lld:%08x layout=DefaultPartitioner%s",
                 (long long)world->committed[p], (long long)known.offset,
                 (long long)known.timestamp_ms, known.crc32c, world->extension);
    }
}

/* One record of a partition, or its end. */
static bool run_next(const run_world *world, int32_t partition, pst_item *item)
{
    int64_t at = world->position[partition];
    if (at < 0 || at >= world->end)
        return false;
    for (size_t i = 0; i < world->n_records; i++)
        if (world->records[i].offset >= at) {
            *item = (pst_item){.kind = PST_ITEM_RECORD,
                               .msg = run_msg(partition, &world->records[i])};
            return true;
        }
    *item =
        (pst_item){.kind = PST_ITEM_EOF,
                   .msg = {.topic = "u", .partition = partition, .offset = world->end}};
    return true;
}

static pst_rc run_put(run_world *world, pst_sink *sink, pst_err *err)
{
    for (int32_t p = 0; p < RUN_PARTS; p++) {
        pst_item item;
        size_t taken = 0;
        if (!run_next(world, p, &item))
            continue;
        pst_rc rc = world->ops->put(sink, &item, 1, &taken, err);
        if (rc != PST_OK)
            return rc;
        if (taken)
            world->position[p] = item.msg.offset + (item.kind == PST_ITEM_RECORD ? 1 : 0);
    }
    return PST_OK;
}

static void run_accept(run_world *world, const pst_tp *tp)
{
    int32_t p = tp->partition;
    run_audit(world, p, tp->offset);
    assert_true(tp->offset >= world->committed[p]); /* monotonic */
    assert_true(tp->offset <= world->end);
    world->committed[p] = tp->offset;
    snprintf(world->metadata[p], PST_KAFKA_METADATA_MAX, "%s", tp->metadata);
}

/* What a sleeper still wants to commit is refused by its old generation. */
static size_t run_fence(const run_world *world, pst_tp *tps, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (tps[i].partition != 2 || tps[i].offset >= world->committed[2])
            tps[kept++] = tps[i];
    return kept;
}

static void run_commit(run_world *world, pst_sink *sink)
{
    pst_tp tps[RUN_PARTS];
    pst_err err = PST_ERR_INIT;
    pst_rc rc, lost;
    size_t n = run_fence(world, tps, world->ops->precommit(sink, tps, RUN_PARTS));
    if (n == 0)
        return;
    int64_t asked_ms = pst_mono_ms(&world->clock);
    pthread_mutex_lock(&world->lock);
    bool failed = run_faulty(world, "commit", false, &err, &rc);
    if (!failed)
        for (size_t i = 0; i < n; i++)
            run_accept(world, &tps[i]);
    bool unanswered = !failed && run_faulty(world, "commit", true, &err, &lost);
    pthread_mutex_unlock(&world->lock);
    if (failed || unanswered)
        return;
    world->ops->committed(sink, tps, n, asked_ms);
    world->answered |= n == RUN_PARTS;
    run_rivals(world);
}

static bool run_done(const run_world *world)
{
    for (int32_t p = 0; p < RUN_PARTS; p++)
        if (world->committed[p] != world->end)
            return false;
    return true;
}

/* Until all is committed, or something fails. */
static pst_rc run_turns(run_world *world, pst_sink *sink, pst_err *err)
{
    pst_rc rc = run_open(world, sink, err);
    for (int i = 0; rc == PST_OK && !run_done(world); i++) {
        int64_t next_ms;
        assert_true(i < RUN_TURNS);
        rc = run_put(world, sink, err);
        if (rc == PST_OK)
            rc = world->ops->tick(sink, &next_ms, err);
        run_commit(world, sink);
        usleep(100);
    }
    if (rc == PST_OK)
        world->ops->close(sink, NULL, 0);
    return rc;
}

static void run_heal(run_world *world)
{
    (void)pst_fault_pause();
    world->hits += pst_fault_hits();
    pst_fault_set(-1);
}

/* The whole scenario; started anew after each failure, whose fault is then over. Only
   `code` and PST_E_NOMEM may be what a failure says. */
static void run_to_the_end(run_world *world, pst_rc code)
{
    for (int i = 0; !run_done(world); i++) {
        pst_sink *sink = NULL;
        pst_err err = PST_ERR_INIT;
        assert_true(i < RUN_ATTEMPTS);
        pst_rc rc = world->start(world, &sink, &err);
        if (rc == PST_OK)
            rc = run_turns(world, sink, &err);
        else
            assert_null(sink);
        world->ops->stop(sink);
        if (rc == PST_OK)
            break;
        if (rc != code && rc != PST_E_NOMEM)
            fail_msg("%s: %s", pst_rc_name(rc), err.text);
        assert_int_equal(err.code, rc);
        assert_string_not_equal(err.text, "");
        world->restarts++;
        run_heal(world);
    }
    run_heal(world);
    for (int32_t p = 0; p < RUN_PARTS; p++)
        run_audit(world, p, world->end);
    assert_int_equal(pst_budget_used(&world->budget), 0);
}

static void run_world_init(run_world *world)
{
    pthread_mutex_init(&world->lock, NULL);
    for (int32_t p = 0; p < RUN_PARTS; p++)
        world->committed[p] = PST_OFFSET_NONE;
    world->step_ms = 100;
    world->clock = (pst_clock){run_wall, run_mono, world};
    world->budget.limit = 1 << 20;
    world->host = (pst_sink_host){.commits = run_commits,
                                  .watermarks = run_watermarks,
                                  .partitions = run_partitions,
                                  .seek = run_seek,
                                  .self = world};
    world->env = (pst_task_env){.connector = "a",
                                .id = "a-0",
                                .clock = &world->clock,
                                .cluster = "c",
                                .group = "connect-a",
                                .session_timeout_ms = 500,
                                .startup_timeout_ms = INT64_MAX / 2,
                                .budget = &world->budget};
}

static void run_world_done(run_world *world)
{
    pthread_mutex_destroy(&world->lock);
}

/* ---- sweeps ---- */

/* One scenario with a fault; says whether the fault came about. */
typedef bool (*run_case)(long nth, void *arg);

/* Every nth of a kind, until there are no more of it. */
static inline long run_sweep(run_case one, void *arg)
{
    long n = 0;
    while (one(n, arg))
        assert_true(++n < 20000);
    return n;
}

#endif

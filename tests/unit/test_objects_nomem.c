/*
 * test_objects_nomem.c - every allocation, every call of the store and every call to
 * Kafka fails once, in turn, over a whole life of the object sink: open, put, seal,
 * append, commit, close, with another writer in between. No leak, no crash, and the
 * objects are those of a run without faults: nothing lost, nothing doubled, no commit
 * before its object.
 */
#include "mem_fault.c"

#include "fake_store.h"
#include "sink_run.h"

#include "runtime/objects.h"

#include <jansson.h>

/* Values of all lengths up to more than a block of a window; one without a row, and holes
   in the offsets. */
static char long_value[3001];
static run_record records[] = {
    {0, "r0", "r0\n"},     {1, "r1", "r1\n"}, {2, "r2", "r2\n"},
    {3, long_value, NULL}, {5, "", NULL}, /* no row; 4 is gone */
    {6, long_value, NULL}, {7, "r7", "r7\n"}, {8, "r8", "r8\n"},
    {11, "r11", "r11\n"},  {12, NULL, NULL}, /* a tombstone */
};
static char long_row[3002];

typedef struct fixture {
    run_world world;
    fake_store *store;
    pst_objects_conf conf;
    pst_connector_conf connector;
    pst_encoder encoder;
} fixture;

/* ---- the format: the value as a line ---- */

static pst_rc begin(void *self, pst_buf *out, pst_err *err)
{
    (void)self;
    pst_rc rc = pst_buf_adds(out, "head\n");
    return rc == PST_OK ? PST_OK : pst_fail_nomem(err, "head");
}

static pst_rc encode(void *self, const pst_msg *msg, pst_buf *out, pst_route *route,
                     pst_err *err)
{
    (void)self, (void)route;
    if (!msg->value.n)
        return PST_OK;
    pst_rc rc = pst_buf_add(out, msg->value.p, msg->value.n);
    if (rc == PST_OK)
        rc = pst_buf_addc(out, '\n');
    return rc == PST_OK ? PST_OK : pst_fail_nomem(err, "row");
}

/* ---- the object sink as a plugin's ---- */

static pst_rc start(run_world *world, pst_sink **out, pst_err *err)
{
    fixture *f = world->self;
    pst_objects_options options = {.conf = &f->conf,
                                   .connector = &f->connector,
                                   .env = &world->env,
                                   .host = &world->host,
                                   .store = &f->store->base,
                                   .conditional = true,
                                   .retry_backoff_ms = 100,
                                   .encoder = &f->encoder};
    return pst_objects_new((pst_objects **)(void *)out, &options, err);
}

static pst_objects *of(pst_sink *sink)
{
    return (pst_objects *)(void *)sink;
}

static pst_rc op_open(pst_sink *sink, pst_tp *tps, size_t n, pst_err *err)
{
    return pst_objects_open(of(sink), tps, n, err);
}

static pst_rc op_put(pst_sink *sink, const pst_item *items, size_t n, size_t *taken,
                     pst_err *err)
{
    return pst_objects_put(of(sink), items, n, taken, err);
}

static pst_rc op_tick(pst_sink *sink, int64_t *next_ms, pst_err *err)
{
    return pst_objects_tick(of(sink), next_ms, err);
}

static size_t op_precommit(pst_sink *sink, pst_tp *out, size_t max)
{
    return pst_objects_precommit(of(sink), out, max);
}

static void op_committed(pst_sink *sink, const pst_tp *tps, size_t n, int64_t asked_ms)
{
    pst_objects_committed(of(sink), tps, n, asked_ms);
}

static void op_close(pst_sink *sink, const pst_tp *tps, size_t n)
{
    pst_objects_close(of(sink), tps, n);
}

static void op_stop(pst_sink *sink)
{
    pst_objects_free(of(sink));
}

static const pst_sink_ops ops = {.open = op_open,
                                 .put = op_put,
                                 .tick = op_tick,
                                 .precommit = op_precommit,
                                 .committed = op_committed,
                                 .close = op_close,
                                 .stop = op_stop};

/* ---- the bucket ---- */

static void key_of(int32_t partition, int64_t start, char out[128])
{
    snprintf(out, 128, "t/u/partition=%d/u+%d+%020lld.csv", partition, partition,
             (long long)start);
}

/* An object of the same group, by another task. */
static void rival(run_world *world, int32_t partition, const run_record *given, size_t n,
                  int64_t next, pst_last last)
{
    fixture *f = world->self;
    char key[128], text[256];
    size_t len = run_rival_text(world, given, n, text, sizeof text);
    pst_store_meta meta;
    run_rival_meta(&meta, partition, next, last);
    key_of(partition, 0, key);
    pst_store_put put = {.key = key, .bytes = {text, len}, .meta = &meta};
    pthread_mutex_lock(&f->store->lock);
    bool there;
    (void)fake_at(f->store, key, &there);
    assert_false(there);
    fake_insert(f->store, &put);
    pthread_mutex_unlock(&f->store->lock);
}

static size_t objects(run_world *world, int32_t partition, run_object *out, size_t max)
{
    fixture *f = world->self;
    char prefix[64];
    size_t n = 0;
    snprintf(prefix, sizeof prefix, "t/u/partition=%d/u+%d+", partition, partition);
    pthread_mutex_lock(&f->store->lock);
    for (size_t i = 0; i < f->store->n; i++) {
        const fake_object *o = &f->store->objects[i];
        if (strncmp(o->key, prefix, strlen(prefix)) != 0)
            continue;
        assert_true(n < max);
        out[n++] =
            (run_object){strtoll(o->key + strlen(prefix), NULL, 10), o->bytes, o->size};
    }
    pthread_mutex_unlock(&f->store->lock);
    return n;
}

/* ---- one scenario ---- */

static fixture *make(void)
{
    fixture *f = calloc(1, sizeof *f);
    f->store = fake_new();
    f->conf = (pst_objects_conf){.topics_dir = (char *)(uintptr_t) "t",
                                 .rotate_schedule_ms = 3000,
                                 .flush_size = 3,
                                 .fail_on_data_loss = true,
                                 .take_over_from = (char *)(uintptr_t) "old"};
    f->connector = (pst_connector_conf){.errors_retry_timeout_ms = 60000};
    f->encoder = (pst_encoder){
        .extension = ".csv", .content_type = "x", .begin = begin, .encode = encode};
    f->world = (run_world){.records = records,
                           .n_records = sizeof records / sizeof *records,
                           .end = 14,
                           .start = start,
                           .rival = rival,
                           .objects = objects,
                           .header = "head\n",
                           .extension = ".csv",
                           .ops = &ops,
                           .self = f};
    run_world_init(&f->world);
    return f;
}

static void finish(fixture *f, pst_rc code)
{
    run_to_the_end(&f->world, code);
    run_world_done(&f->world);
    fake_free(f->store);
    assert_int_equal(pst_fault_live(), 0);
    free(f);
}

static void without_faults(void **state)
{
    (void)state;
    fixture *f = make();
    finish(f, PST_OK);
}

/* jansson takes some failures of its own for bad text: then the chain says so. */
static bool one_allocation(long nth, void *arg)
{
    fixture *f = make();
    if (arg)
        pst_fault_set(nth); /* and all after it, until the sink has failed */
    else
        pst_fault_once(nth);
    run_to_the_end(&f->world, PST_E_CHAIN);
    bool hit = f->world.hits > 0;
    finish(f, PST_OK);
    return hit;
}

static void every_allocation(void **state)
{
    (void)state;
    assert_in_range(run_sweep(one_allocation, NULL), 30, 2000);
}

static void every_allocation_and_those_after(void **state)
{
    (void)state;
    assert_in_range(run_sweep(one_allocation, records), 30, 2000);
}

static bool one_store_call(long nth, void *arg)
{
    fixture *f = make();
    fake_fault fault = *(const fake_fault *)arg;
    fault.skip = (int)nth;
    fault.times = 1;
    fake_break(f->store, fault);
    run_to_the_end(&f->world, fault.code);
    bool hit = f->store->fault.times == 0;
    finish(f, PST_OK);
    return hit;
}

static void every_store_call(void **state)
{
    (void)state;
    static const char *const kinds[] = {"put", "head", "get", "list"};
    static const fake_fault faults[] = {
        {.code = PST_E_IO, .retriable = true},
        {.code = PST_E_TIMEOUT, .retriable = true, .applied = true},
        {.code = PST_E_THROTTLED, .retriable = true},
        {.code = PST_E_AUTH},
        {.code = PST_E_NOMEM},
        {.code = PST_E_INTERNAL},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
            fake_fault fault = faults[i];
            fault.op = kinds[k];
            if (fault.applied && k > 0)
                continue;
            assert_in_range(run_sweep(one_store_call, &fault), 1, 200);
        }
}

static bool one_kafka_call(long nth, void *arg)
{
    fixture *f = make();
    run_fault fault = *(const run_fault *)arg;
    fault.skip = (int)nth;
    f->world.fault = fault;
    run_to_the_end(&f->world, fault.code);
    bool hit = f->world.fired;
    finish(f, PST_OK);
    return hit;
}

static void every_kafka_call(void **state)
{
    (void)state;
    static const run_fault faults[] = {
        {.op = "commits", .code = PST_E_KAFKA, .retriable = true},
        {.op = "commits", .code = PST_E_KAFKA},
        {.op = "watermarks", .code = PST_E_KAFKA, .retriable = true},
        {.op = "watermarks", .code = PST_E_KAFKA},
        {.op = "partitions", .code = PST_E_KAFKA, .retriable = true},
        {.op = "partitions", .code = PST_E_NOMEM},
        {.op = "seek", .code = PST_E_KAFKA, .retriable = true},
        {.op = "seek", .code = PST_E_KAFKA},
        {.op = "commit", .code = PST_E_KAFKA, .retriable = true},
        {.op = "commit", .code = PST_E_TIMEOUT, .retriable = true, .applied = true},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        assert_in_range(run_sweep(one_kafka_call, (void *)(uintptr_t)&faults[i]), 1, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults),
        cmocka_unit_test(every_allocation),
        cmocka_unit_test(every_allocation_and_those_after),
        cmocka_unit_test(every_store_call),
        cmocka_unit_test(every_kafka_call),
    };
    memset(long_value, 'v', sizeof long_value - 1);
    snprintf(long_row, sizeof long_row, "%s\n", long_value);
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        if (records[i].value == long_value)
            records[i].row = long_row;
    json_set_alloc_funcs(pst_malloc, pst_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

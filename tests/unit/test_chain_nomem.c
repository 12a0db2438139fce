/*
 * test_chain_nomem.c - every allocation and every call of the store and of Kafka fails
 * once, in turn, in the single steps of a chain: its beginning, the recovery of a long
 * one, an append, the adoption of another's object, a seal. The failure is told, moves
 * nothing, and the same step once more comes out as if nothing had been. A whole life of
 * a sink under the same faults is in test_objects_nomem.c.
 */
#include "mem_fault.c"

#include "chain_run.h"

#include "base/mem.h"

#include <jansson.h>

enum { LONG = 2300, TRIES = 500 };

typedef struct fixture {
    fake_store *store;
    fake_clock clock;
    pst_chain_conf conf;
    pst_chain chain;
    pst_sink_host host;
    int failing; /* so many asks for commits pass, then one fails; -1 = none */
    bool failed;
    int64_t length; /* objects of one offset each */
} fixture;

static pst_rc host_partitions(void *self, const char *topic, int32_t *n, pst_err *err)
{
    (void)self, (void)topic, (void)err;
    *n = 1;
    return PST_OK;
}

static pst_rc host_commits(void *self, pst_tp *tps, size_t n,
                           char (*metadata)[PST_KAFKA_METADATA_MAX], pst_err *err)
{
    fixture *f = self;
    if (f->failing >= 0 && f->failing-- == 0) {
        f->failed = true;
        return pst_fail_retriable(err, PST_E_KAFKA, "injected fault");
    }
    for (size_t i = 0; i < n; i++) {
        tps[i].offset = f->length; /* as committed when it was opened */
        metadata[i][0] = '\0';
    }
    return PST_OK;
}

static void key_of(int64_t start, char out[128])
{
    snprintf(out, 128, "t/u/partition=0/u+0+%020lld.csv", (long long)start);
}

static void add_object(fixture *f, int64_t start)
{
    char key[128];
    const struct {
        const char *name, *value;
    } texts[] = {{"penstock-topic", "u"},
                 {"penstock-partition", "0"},
                 {"penstock-group", "connect-a"},
                 {"penstock-cluster", "c"}};
    pst_store_meta meta = {.n = 0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(pst_store_meta_add(&meta, texts[i].name, "%s", texts[i].value),
                         PST_OK);
    assert_int_equal(
        pst_store_meta_add(&meta, "penstock-next", "%lld", (long long)start + 1), PST_OK);
    assert_int_equal(
        pst_store_meta_add(&meta, "penstock-last", "%lld:77:abcdef01", (long long)start),
        PST_OK);
    key_of(start, key);
    pst_store_put put = {.key = key, .bytes = {"row\n", 4}, .meta = &meta};
    fake_insert(f->store, &put);
}

static fixture *make(int64_t length)
{
    fixture *f = calloc(1, sizeof *f);
    f->store = fake_new();
    fake_clock_init(&f->clock);
    f->failing = -1;
    f->length = length;
    f->host = (pst_sink_host){
        .commits = host_commits, .partitions = host_partitions, .self = f};
    f->conf = chain_conf(f->store, &f->clock, "t", &f->host);
    for (int64_t i = 0; i < length; i++)
        add_object(f, i);
    return f;
}

static void drop(fixture *f)
{
    fake_free(f->store);
    free(f);
    assert_int_equal(pst_fault_live(), 0);
}

static pst_rc recover(fixture *f, pst_err *err)
{
    pst_log_facts facts = {.committed = PST_OFFSET_NONE,
                           .metadata = "",
                           .high = 5000,
                           .asked_ms = f->clock.mono};
    pst_resume resume = {0};
    pst_rc rc = pst_chain_init(&f->chain, &f->conf, "u", 0, err);
    if (rc == PST_OK)
        rc = pst_chain_recover(&f->chain, &facts, &resume, err);
    if (rc == PST_OK) {
        assert_int_equal(resume.take_from, f->length);
        assert_int_equal(resume.read_from, f->length ? f->length - 1 : 0);
        assert_int_equal(f->chain.pos, f->length);
        assert_int_equal(f->chain.start, 0);
    }
    return rc;
}

/* One more object; the window's bytes are there before anything can fail. */
static pst_rc append(fixture *f, pst_window *window, pst_err *err)
{
    pst_outcome outcome;
    int64_t pos = f->chain.pos;
    pst_rc rc = pst_chain_append(&f->chain, window, &outcome, NULL, 0, err);
    if (rc == PST_OK)
        assert_int_equal(outcome, PST_APPENDED);
    else
        assert_int_equal(f->chain.pos, pos);
    return rc;
}

static void must_append(fixture *f, pst_window *window)
{
    char key[128];
    pst_err err = PST_ERR_INIT;
    int64_t pos = window->next - 2;
    fake_clock_add(&f->clock, 20000);
    assert_int_equal(append(f, window, &err), PST_OK);
    assert_int_equal(f->chain.pos, window->next);
    key_of(pos, key);
    assert_string_equal(fake_find(f->store, key)->bytes, "two rows\n");
    key_of(pos + 1, key);
    assert_null(fake_find(f->store, key));
}

typedef void (*arm)(fixture *f, long nth, const void *fault);
typedef bool (*fired)(fixture *f);

static void arm_memory(fixture *f, long nth, const void *fault)
{
    (void)f, (void)fault;
    pst_fault_once(nth);
}

static bool memory_fired(fixture *f)
{
    (void)f;
    return pst_fault_hits() > 0;
}

static void arm_store(fixture *f, long nth, const void *fault)
{
    fake_fault copy = *(const fake_fault *)fault;
    copy.skip = (int)nth;
    copy.times = 1;
    fake_break(f->store, copy);
}

static bool store_fired(fixture *f)
{
    return f->store->fault.times == 0;
}

static void arm_host(fixture *f, long nth, const void *fault)
{
    (void)fault;
    f->failing = (int)nth;
}

static bool host_fired(fixture *f)
{
    return f->failed;
}

/* Begins or recovers, then appends; whatever failed is asked for once more. */
static bool steps(int64_t length, arm set, fired was, long nth, const void *fault)
{
    fixture *f = make(length);
    pst_window window = {.next = length + 2,
                         .rows = 2,
                         .records = 2,
                         .last = {length + 1, 77, 0xabcdef01},
                         .batch = "00000000000000000000000000000001"};
    assert_int_equal(pst_chunks_add(&window.bytes, "two rows\n", 9), PST_OK);
    pst_err err = PST_ERR_INIT;
    set(f, nth, fault);
    pst_rc rc = recover(f, &err);
    bool opened = rc == PST_OK;
    if (opened) {
        fake_clock_add(&f->clock, 20000); /* so that the sleeper's check asks */
        rc = append(f, &window, &err);
    }
    bool hit = was(f);
    pst_fault_set(-1);
    assert_true(hit || rc == PST_OK);
    if (rc != PST_OK) {
        assert_int_equal(err.code, rc);
        assert_string_not_equal(err.text, "");
        pst_err_clear(&err);
        if (!opened)
            assert_int_equal(recover(f, &err), PST_OK);
        must_append(f, &window);
    }
    assert_int_equal(f->chain.pos, length + 2);
    pst_chunks_done(&window.bytes);
    drop(f);
    return hit;
}

static long sweep(int64_t length, arm set, fired was, const void *fault)
{
    long n = 0;
    while (n < TRIES && steps(length, set, was, n, fault))
        n++;
    return n;
}

static void every_allocation(void **state)
{
    (void)state;
    assert_in_range(sweep(0, arm_memory, memory_fired, NULL), 20, TRIES - 1);
    assert_in_range(sweep(5, arm_memory, memory_fired, NULL), 20, TRIES - 1);
}

static void every_store_call(void **state)
{
    (void)state;
    static const fake_fault faults[] = {
        {.op = "get", .code = PST_E_IO, .retriable = true},
        {.op = "put", .code = PST_E_IO, .retriable = true},
        {.op = "put", .code = PST_E_TIMEOUT, .retriable = true, .applied = true},
        {.op = "put", .code = PST_E_AUTH},
        {.op = "list", .code = PST_E_THROTTLED, .retriable = true},
        {.op = "list", .code = PST_E_INVALID},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        assert_in_range(sweep(0, arm_store, store_fired, &faults[i]), 1, 20);
}

/* More objects than a page has: the end is found by bisecting. */
static void every_call_of_a_long_recovery(void **state)
{
    (void)state;
    static const fake_fault list = {.op = "list", .code = PST_E_IO, .retriable = true},
                            head = {.op = "head", .code = PST_E_IO, .retriable = true};
    assert_in_range(sweep(LONG, arm_store, store_fired, &list), 2, 20);
    assert_in_range(sweep(LONG, arm_store, store_fired, &head), 1, 20);
}

static void every_ask_for_commits(void **state)
{
    (void)state;
    assert_in_range(sweep(0, arm_host, host_fired, NULL), 1, 20);
}

/* ---- rule 10: the chain is sealed at its end for another folder ---- */

static pst_rc reopen(fixture *f, pst_err *err)
{
    pst_log_facts facts = {.committed = f->length,
                           .metadata = "penstock/1 pos=5 last=4:77:abcdef01 "
                                       "layout=t/DefaultPartitioner.csv",
                           .high = 5000,
                           .asked_ms = f->clock.mono};
    pst_resume resume = {0};
    f->conf.topics_dir = "v";
    pst_rc rc = pst_chain_init(&f->chain, &f->conf, "u", 0, err);
    if (rc == PST_OK)
        rc = pst_chain_recover(&f->chain, &facts, &resume, err);
    return rc;
}

/* The seal, then the window; *sealed stays through a failure. */
static pst_rc change(fixture *f, pst_window *window, bool *sealed, pst_err *err)
{
    pst_outcome outcome;
    pst_rc rc = PST_OK;
    if (!*sealed) {
        rc = pst_chain_append(&f->chain, window, &outcome, NULL, 0, err);
        if (rc == PST_OK)
            assert_int_equal(outcome, PST_SEALED);
        assert_int_equal(f->chain.pos, 5);
        assert_int_equal(pst_chain_is_elsewhere(&f->chain), rc != PST_OK);
        *sealed = rc == PST_OK;
    }
    return rc == PST_OK ? append(f, window, err) : rc;
}

static void check_change(fixture *f)
{
    char key[128];
    key_of(5, key);
    const fake_object *seal = fake_find(f->store, key);
    assert_non_null(seal);
    assert_int_equal(seal->size, 0);
    assert_string_equal(pst_store_meta_get(&seal->meta, "penstock-seal"),
                        "v/DefaultPartitioner.csv");
    key[0] = 'v';
    assert_string_equal(fake_find(f->store, key)->bytes, "two rows\n");
    assert_non_null(fake_find(f->store, "v/_penstock/u/0/root.json"));
    assert_non_null(fake_find(f->store, "v/_penstock/u/partitions.json"));
    assert_int_equal(f->store->n, 5 + 2 + 2 + 2);
    assert_int_equal(f->chain.pos, 7);
}

static bool seal_steps(arm set, fired was, long nth, const void *fault)
{
    fixture *f = make(5);
    pst_window window = {.next = 7,
                         .rows = 2,
                         .records = 2,
                         .last = {6, 77, 0xabcdef01},
                         .batch = "00000000000000000000000000000001"};
    assert_int_equal(pst_chunks_add(&window.bytes, "two rows\n", 9), PST_OK);
    pst_err err = PST_ERR_INIT;
    bool sealed = false;
    assert_int_equal(recover(f, &err), PST_OK);
    set(f, nth, fault);
    pst_rc rc = reopen(f, &err);
    bool opened = rc == PST_OK;
    if (opened)
        rc = change(f, &window, &sealed, &err);
    bool hit = was(f);
    pst_fault_set(-1);
    assert_true(hit || rc == PST_OK);
    if (rc != PST_OK) {
        assert_int_equal(err.code, rc);
        assert_string_not_equal(err.text, "");
        pst_err_clear(&err);
        /* Odd ones crash, and another goes on; even ones try again. */
        if (!opened || (nth & 1 && !sealed))
            assert_int_equal(reopen(f, &err), PST_OK);
        sealed |= !pst_chain_is_elsewhere(&f->chain);
        assert_int_equal(change(f, &window, &sealed, &err), PST_OK);
    }
    check_change(f);
    pst_chunks_done(&window.bytes);
    drop(f);
    return hit;
}

static long seal_sweep(arm set, fired was, const void *fault)
{
    long n = 0;
    while (n < TRIES && seal_steps(set, was, n, fault))
        n++;
    return n;
}

static void every_fault_of_a_seal(void **state)
{
    (void)state;
    static const struct {
        fake_fault fault;
        long calls;
    } cases[] = {
        {{.op = "get", .code = PST_E_IO, .retriable = true}, 4},
        {{.op = "list", .code = PST_E_IO, .retriable = true}, 1},
        {{.op = "put", .code = PST_E_IO, .retriable = true}, 4},
        {{.op = "put", .code = PST_E_TIMEOUT, .retriable = true, .applied = true}, 4},
        {{.op = "put", .code = PST_E_AUTH}, 4},
    };
    assert_in_range(seal_sweep(arm_memory, memory_fired, NULL), 20, TRIES - 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_in_range(seal_sweep(arm_store, store_fired, &cases[i].fault),
                        cases[i].calls, 20);
}

/* An answer lost, and then the look at what is there fails too. */
static void adoption_survives_a_failing_head(void **state)
{
    (void)state;
    fixture *f = make(0);
    pst_err err = PST_ERR_INIT;
    pst_outcome outcome;
    pst_window window = {.next = 1,
                         .rows = 1,
                         .records = 1,
                         .last = {0, 77, 0xabcdef01},
                         .batch = "00000000000000000000000000000001"};
    assert_int_equal(pst_chunks_add(&window.bytes, "mine\n", 5), PST_OK);
    assert_int_equal(recover(f, &err), PST_OK);
    add_object(f, 0);
    fake_break(
        f->store,
        (fake_fault){.op = "head", .times = 1, .code = PST_E_IO, .retriable = true});
    assert_int_equal(pst_chain_append(&f->chain, &window, &outcome, NULL, 0, &err),
                     PST_E_IO);
    assert_int_equal(f->chain.pos, 0);
    pst_err_clear(&err);
    assert_int_equal(pst_chain_append(&f->chain, &window, &outcome, NULL, 0, &err),
                     PST_OK);
    assert_int_equal(outcome, PST_ADOPTED);
    assert_int_equal(f->chain.pos, 1);
    pst_chunks_done(&window.bytes);
    drop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation),
        cmocka_unit_test(every_store_call),
        cmocka_unit_test(every_call_of_a_long_recovery),
        cmocka_unit_test(every_ask_for_commits),
        cmocka_unit_test(every_fault_of_a_seal),
        cmocka_unit_test(adoption_survives_a_failing_head),
    };
    json_set_alloc_funcs(pst_malloc, pst_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

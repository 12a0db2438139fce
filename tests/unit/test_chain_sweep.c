/*
 * test_chain_sweep.c - uploads in parts that were left: which ones are aborted, by their
 * key and age, and that nobody else's ever is.
 */
#include "chain_run.h"

enum { UPLOADS = 40, DAY_MS = 24 * 3600 * 1000 };

#define NEXT "00000000000000000005" /* where the chain stands */

typedef struct upload {
    const char *key;
    int64_t age_ms; /* -1: begun at no known time */
    bool aborted;   /* is to be */
} upload;

/* A store that has uploads; the base is the one in memory. */
typedef struct fixture {
    fake_store *store;
    fake_clock clock;
    pst_chain_conf conf;
    pst_chain chain;
    pst_sink_host host;
    const upload *want;
    size_t n;
    bool gone[UPLOADS];
    int sweeps;
    pst_rc fails;   /* the answer to a sweep */
    int fails_from; /* from this sweep on */
} fixture;

static fixture *the; /* the driver's functions get the store alone */

static pst_rc fake_sweep(pst_store *store, const char *prefix,
                         pst_store_each_upload wanted, void *opaque, size_t *aborted,
                         pst_err *err)
{
    (void)store;
    *aborted = 0;
    if (the->sweeps++ >= the->fails_from && the->fails != PST_OK)
        return pst_fail(err, the->fails, "no sweep");
    for (size_t i = 0; i < the->n; i++) {
        const upload *u = &the->want[i];
        int64_t begun =
            u->age_ms < 0 ? INT64_MAX : pst_wall_ms(&the->clock.clock) - u->age_ms;
        if (the->gone[i] || strncmp(u->key, prefix, strlen(prefix)) != 0 ||
            !wanted(opaque, u->key, begun))
            continue;
        the->gone[i] = true;
        ++*aborted;
    }
    return PST_OK;
}

static pst_store_driver sweeping;

static pst_rc host_partitions(void *self, const char *topic, int32_t *n, pst_err *err)
{
    (void)self, (void)topic, (void)err;
    *n = 1;
    return PST_OK;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->store = fake_new();
    sweeping = fake_driver;
    sweeping.sweep = fake_sweep;
    f->store->base.driver = &sweeping;
    fake_clock_init(&f->clock);
    f->host = (pst_sink_host){.partitions = host_partitions, .self = f};
    f->conf = chain_conf(f->store, &f->clock, "t", &f->host);
    *state = the = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    fake_free(f->store);
    free(f);
    return 0;
}

/* The chain [0, 5) is there, and is opened again. */
static void open_at_five(fixture *f)
{
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(chain_open(&f->chain, &f->conf, PST_OFFSET_NONE, "", &resume, &err),
                     PST_OK);
    chain_must_put(&f->chain, 5, PST_APPENDED);
    assert_int_equal(chain_open(&f->chain, &f->conf, PST_OFFSET_NONE, "", &resume, &err),
                     PST_OK);
    assert_int_equal(f->chain.pos, 5);
}

static void expect(fixture *f, const upload *want, size_t n, bool topic)
{
    size_t aborted = 0, wanted = 0;
    pst_err err = PST_ERR_INIT;
    assert_true(n <= UPLOADS);
    f->want = want;
    f->n = n;
    memset(f->gone, 0, sizeof f->gone);
    assert_int_equal(pst_chain_sweep(&f->chain, topic, &aborted, &err), PST_OK);
    for (size_t i = 0; i < n; i++) {
        wanted += want[i].aborted;
        if (f->gone[i] != want[i].aborted)
            fail_msg("%s was %s", want[i].key, f->gone[i] ? "aborted" : "kept");
    }
    assert_int_equal(aborted, wanted);
}

#define EXPECT(f, want, topic) expect(f, want, sizeof(want) / sizeof *(want), topic)
#define OF(partition, start) "t/u/partition=" partition "/u+" partition "+" start

static void the_next_key_is_ours_at_any_age(void **state)
{
    fixture *f = *state;
    static const upload want[] = {
        {OF("0", NEXT) ".csv", 0, true},
        {OF("0", NEXT) ".csv", 10L * DAY_MS, true},
        {OF("0", NEXT) ".csv", -1, true},
        /* what only begins so */
        {OF("0", NEXT) ".csv.gz", 10L * DAY_MS, false},
        {OF("0", NEXT), 10L * DAY_MS, false},
        {OF("1", NEXT) ".csv", 10L * DAY_MS, false},
        {OF("0", "00000000000000000000") ".csv", 10L * DAY_MS, false},
    };
    open_at_five(f);
    EXPECT(f, want, false);
    assert_int_equal(f->sweeps, 1);
}

static void old_ones_of_the_topic_are_ours(void **state)
{
    fixture *f = *state;
    const int64_t old = DAY_MS + 1;
    const upload want[] = {
        {OF("0", NEXT) ".csv", 0, true},
        {OF("0", "00000000000000000002") ".csv", old, true},
        {OF("7", "00000000000000000009") ".csv", old, true},
        {OF("7", "00000000000000000009") ".csv.gz", old, true},
        {"t/u/year=2026/month=11/u+3+00000000000000000009.csv", old, true},
        {OF("0", "00000000000000000002") "-00000000000000000004.csv", old, true},
        /* they may be under way */
        {OF("0", "00000000000000000002") ".csv", DAY_MS, false},
        {OF("7", "00000000000000000009") ".csv", 0, false},
        {OF("7", "00000000000000000009") ".csv", -1, false},
        /* no object of this topic */
        {"t/u/partition=0/mine.txt", old, false},
        {"t/u/partition=0/backup of u.csv", old, false},
        {"t/u/u+", old, false},
        {"t/u/partition=0/uu+0+00000000000000000002.csv", old, false},
        {"t/u/partition=0/v+0+00000000000000000002.csv", old, false},
        {"t/u/partition=0/u-0+00000000000000000002.csv", old, false},
        {"t/u/partition=0/u+x+00000000000000000002.csv", old, false},
        {"t/u/partition=0/u++00000000000000000002.csv", old, false},
        {"t/u/partition=0/u+0-00000000000000000002.csv", old, false},
        {"t/u/partition=0/u+0+0000000000000000002.csv", old, false},
        {"t/u/partition=0/u+0+000000000000000000002.csv", old, false},
        {"t/u/partition=0/u+0+00000000000000000002", old, false},
        {"t/u/u+0+00000000000000000002.csv/more", old, false},
        {"t/u2/partition=0/u+0+00000000000000000002.csv", old, false},
        {"t/v/partition=0/v+0+00000000000000000002.csv", old, false},
        {"other/u/partition=0/u+0+00000000000000000002.csv", old, false},
        {"u/partition=0/u+0+00000000000000000002.csv", old, false},
    };
    open_at_five(f);
    EXPECT(f, want, true);
    assert_int_equal(f->sweeps, 2);
}

/* All topics' objects are in one folder: the name alone says whose. */
static void flat_layout(void **state)
{
    fixture *f = *state;
    const int64_t old = DAY_MS + 1;
    const upload want[] = {
        {"t/u+0+" NEXT ".csv", 0, true},
        {"t/u+1+00000000000000000002.csv", old, true},
        {"t/u+1+00000000000000000002.csv", 0, false},
        {"t/u2+1+00000000000000000002.csv", old, false},
        {"t/u+1+report.csv", old, false},
        {"t/v+1+00000000000000000002.csv", old, false},
    };
    f->conf.layout = PST_LAYOUT_FLAT;
    open_at_five(f);
    EXPECT(f, want, true);
}

static void at_the_top_of_the_bucket(void **state)
{
    fixture *f = *state;
    const upload want[] = {
        {"u/partition=0/u+0+" NEXT ".csv", 0, true},
        {"u/partition=3/u+3+00000000000000000002.csv", DAY_MS + 1, true},
        {"u2/partition=3/u2+3+00000000000000000002.csv", DAY_MS + 1, false},
        {"t/u/partition=3/u+3+00000000000000000002.csv", DAY_MS + 1, false},
    };
    f->conf.topics_dir = "";
    open_at_five(f);
    EXPECT(f, want, true);
}

/* Without conditional create the next key has an end nobody knows yet: age decides. */
static void a_store_without_conditional_create(void **state)
{
    fixture *f = *state;
    const upload want[] = {
        {OF("0", NEXT) ".csv", 0, false},
        {OF("0", NEXT) "-00000000000000000009.csv", 0, false},
        {OF("0", NEXT) "-00000000000000000009.csv", DAY_MS + 1, true},
    };
    f->conf.conditional = false;
    open_at_five(f);
    EXPECT(f, want, true);
    assert_int_equal(f->sweeps, 1);
}

static void what_cannot_be_swept_is_told(void **state)
{
    fixture *f = *state;
    static const upload want[] = {{OF("0", NEXT) ".csv", 0, true}};
    size_t aborted = 7;
    pst_err err = PST_ERR_INIT;
    open_at_five(f);
    f->want = want;
    f->n = 1;
    f->fails = PST_E_AUTH;
    f->fails_from = 1; /* the topic's, after its own key's */
    assert_int_equal(pst_chain_sweep(&f->chain, true, &aborted, &err), PST_E_AUTH);
    assert_string_equal(err.text, "no sweep");
    assert_int_equal(aborted, 1);
    assert_int_equal(f->sweeps, 2);
    f->sweeps = f->fails_from = 0;
    pst_err_clear(&err);
    assert_int_equal(pst_chain_sweep(&f->chain, true, &aborted, &err), PST_E_AUTH);
    assert_int_equal(aborted, 0);
    assert_int_equal(f->sweeps, 1); /* the second would be refused, too */
    sweeping.sweep = NULL;
    pst_err_clear(&err);
    assert_int_equal(pst_chain_sweep(&f->chain, true, &aborted, &err), PST_OK);
    assert_int_equal(aborted, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_next_key_is_ours_at_any_age),
        CASE(old_ones_of_the_topic_are_ours),
        CASE(flat_layout),
        CASE(at_the_top_of_the_bucket),
        CASE(a_store_without_conditional_create),
        CASE(what_cannot_be_swept_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

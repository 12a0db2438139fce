/*
 * test_chain_owner.c - a chain that was handed to a renamed connector: the new name goes
 * on with it, and the old one lands nothing any more, however it comes back.
 */
#include "chain_run.h"

typedef struct fixture {
    fake_store *store;
    fake_clock clock;
    pst_chain_conf a, b, c; /* connectors of these names */
    pst_sink_host host;
    int64_t committed; /* what the group that asks has committed */
} fixture;

static pst_rc host_commits(void *self, pst_tp *tps, size_t n,
                           char (*metadata)[PST_KAFKA_METADATA_MAX], pst_err *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++) {
        tps[i].offset = ((fixture *)self)->committed;
        metadata[i][0] = '\0';
    }
    return PST_OK;
}

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
    f->store->base.driver = &fake_driver;
    fake_clock_init(&f->clock);
    f->host = (pst_sink_host){
        .commits = host_commits, .partitions = host_partitions, .self = f};
    f->a = chain_conf(f->store, &f->clock, "t", &f->host);
    f->b = f->c = f->a;
    f->b.group = "connect-b";
    f->c.group = "connect-c";
    f->committed = PST_OFFSET_NONE;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    fake_free(f->store);
    free(f);
    return 0;
}

/* What `penstock chain take-over` creates. */
static void hand(fixture *f, int n, const char *json)
{
    char key[64];
    pst_err err = PST_ERR_INIT;
    snprintf(key, sizeof key, "t/_penstock/u/0/owner+%d.json", n);
    pst_store_put put = {.key = key, .bytes = {json, strlen(json)}, .create_only = true};
    assert_int_equal(fake_put(&f->store->base, &put, &err), PST_OK);
}

static void a_to_b(fixture *f)
{
    hand(f, 1, "{\"group\":\"connect-b\",\"former\":[\"connect-a\"]}");
}

static pst_rc try_open(pst_chain *chain, const pst_chain_conf *conf, pst_err *err)
{
    pst_resume resume;
    return chain_open(chain, conf, PST_OFFSET_NONE, "", &resume, err);
}

static void must_open(pst_chain *chain, const pst_chain_conf *conf, int64_t pos)
{
    pst_err err = PST_ERR_INIT;
    pst_rc rc = try_open(chain, conf, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, PST_OK);
    assert_int_equal(chain->pos, pos);
}

static void must_refuse(fixture *f, const pst_chain_conf *conf, const char *why)
{
    pst_err err = PST_ERR_INIT;
    pst_chain chain;
    size_t before = f->store->n;
    pst_rc rc = try_open(&chain, conf, &err);
    chain_refused(f->store, before, rc, &err, why);
}

#define HANDED "handed to connector \"b\""

static void the_new_name_goes_on_and_the_old_one_stops(void **state)
{
    fixture *f = *state;
    pst_chain a, b;
    must_open(&a, &f->a, 0);
    chain_must_put(&a, 5, PST_APPENDED);
    must_refuse(f, &f->b, "chain.take.over.from=a"); /* not without a take-over */
    a_to_b(f);
    must_refuse(f, &f->a, HANDED);
    must_refuse(f, &f->c, "two connectors must not share");
    must_open(&b, &f->b, 5);
    chain_must_put(&b, 9, PST_APPENDED);
    must_open(&b, &f->b, 9);
    must_refuse(f, &f->a, HANDED);
}

/* Rule 4: the root may be mine and an object another group's: it is not adopted. */
static void another_groups_object_stops(void **state)
{
    fixture *f = *state;
    pst_chain a;
    must_open(&a, &f->a, 0);
    chain_must_put(&a, 5, PST_APPENDED);
    int changed = 0;
    for (size_t i = 0; i < f->store->n; i++) {
        pst_store_meta *meta = &f->store->objects[i].meta;
        for (size_t k = 0; k < meta->n; k++)
            if (strcmp(meta->pairs[k].name, "penstock-group") == 0)
                changed += snprintf(meta->pairs[k].value, sizeof meta->pairs[k].value,
                                    "connect-c");
    }
    assert_int_equal(changed, strlen("connect-c")); /* the root has its owner inside */
    must_refuse(f, &f->a, "was written by group \"connect-c\"");
}

/* The old owner runs on with an open window: one of the two gets the key. */
static void the_old_name_runs_on_and_loses_the_key(void **state)
{
    fixture *f = *state;
    pst_chain a, b;
    pst_err err = PST_ERR_INIT;
    pst_outcome outcome;
    must_open(&a, &f->a, 0);
    chain_must_put(&a, 5, PST_APPENDED);
    a_to_b(f);
    must_open(&b, &f->b, 5);
    chain_must_put(&b, 9, PST_APPENDED);
    size_t before = f->store->n;
    assert_int_equal(chain_put(&a, 7, &outcome, &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, HANDED));
    assert_int_equal(f->store->n, before);
}

static void the_old_name_runs_on_and_wins_the_key(void **state)
{
    fixture *f = *state;
    pst_chain a, b;
    pst_err err = PST_ERR_INIT;
    pst_outcome outcome;
    must_open(&a, &f->a, 0);
    a_to_b(f);
    must_open(&b, &f->b, 0);
    chain_must_put(&a, 7, PST_APPENDED); /* as a PUT that was on its way */
    chain_must_put(&b, 9, PST_ADOPTED);
    assert_int_equal(b.pos, 7);
    chain_must_put(&b, 9, PST_APPENDED);
    assert_int_equal(chain_put(&a, 8, &outcome, &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, HANDED));
}

/* It sleeps until the new owner's objects were moved away: its key is free. Its group's
   offsets were deleted, so that it looks at the chain anew, and stops (rule 9). */
static void the_old_name_sleeps_and_its_key_is_free(void **state)
{
    fixture *f = *state;
    pst_chain a, b;
    must_open(&a, &f->a, 0);
    chain_must_put(&a, 5, PST_APPENDED);
    f->committed = 5;
    a_to_b(f);
    must_open(&b, &f->b, 5);
    chain_must_put(&b, 9, PST_APPENDED);
    chain_must_put(&b, 12, PST_APPENDED);
    assert_int_equal(fake_delete(&f->store->base,
                                 "t/u/partition=0/u+0+00000000000000000005.csv", NULL),
                     PST_OK);
    f->committed = PST_OFFSET_NONE;
    fake_clock_add(&f->clock, 3600 * 1000);
    size_t before = f->store->n;
    chain_must_put(&a, 7, PST_PASSED);
    assert_int_equal(f->store->n, before);
    must_refuse(f, &f->a, HANDED);
}

static void handed_on_twice_and_back(void **state)
{
    fixture *f = *state;
    pst_chain chain;
    must_open(&chain, &f->a, 0);
    chain_must_put(&chain, 5, PST_APPENDED);
    a_to_b(f);
    hand(f, 2, "{\"group\":\"connect-c\",\"former\":[\"connect-a\",\"connect-b\"]}");
    must_refuse(f, &f->a, "handed to connector \"c\"");
    must_refuse(f, &f->b, "handed to connector \"c\"");
    must_open(&chain, &f->c, 5); /* the last object is a's */
    chain_must_put(&chain, 6, PST_APPENDED);
    hand(f, 3,
         "{\"group\":\"connect-a\",\"former\":[\"connect-a\",\"connect-b\",\"connect-"
         "c\"]}");
    must_open(&chain, &f->a, 6);
    chain_must_put(&chain, 8, PST_APPENDED);
    must_refuse(f, &f->c, "handed to connector \"a\"");
}

static void what_is_damaged_stops_the_task(void **state)
{
    fixture *f = *state;
    pst_chain chain;
    must_open(&chain, &f->a, 0);
    a_to_b(f);
    hand(f, 2, "{\"group\":7}");
    must_refuse(f, &f->a, "owner+2.json names no group");
    must_refuse(f, &f->b, "owner+2.json names no group");
    hand(f, 3, "nonsense");
    must_refuse(f, &f->b, "names no group");
}

/* The store may not answer: nothing is decided without the last owner. */
static void an_owner_that_cannot_be_read_is_asked_for_again(void **state)
{
    fixture *f = *state;
    pst_chain chain;
    pst_err err = PST_ERR_INIT;
    must_open(&chain, &f->a, 0);
    a_to_b(f);
    fake_break(f->store, (fake_fault){.op = "get",
                                      .on = "owner+1",
                                      .times = 1,
                                      .code = PST_E_IO,
                                      .retriable = true});
    assert_int_equal(try_open(&chain, &f->a, &err), PST_E_IO);
    assert_true(err.retriable);
    must_refuse(f, &f->a, HANDED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_new_name_goes_on_and_the_old_one_stops),
        CASE(another_groups_object_stops),
        CASE(the_old_name_runs_on_and_loses_the_key),
        CASE(the_old_name_runs_on_and_wins_the_key),
        CASE(the_old_name_sleeps_and_its_key_is_free),
        CASE(handed_on_twice_and_back),
        CASE(what_is_damaged_stops_the_task),
        CASE(an_owner_that_cannot_be_read_is_asked_for_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

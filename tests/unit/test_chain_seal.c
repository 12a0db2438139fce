/*
 * test_chain_seal.c - the chain's safety rule 10: layouts are changed by a seal. Each
 * case runs with a store that lists objects (S3) and with one that lists links (a
 * directory).
 */
#include "chain_run.h"

#include "format/compress.h"

#define A "a/DefaultPartitioner.csv"

typedef struct fixture {
    fake_store *store;
    fake_clock clock;
    pst_chain_conf old, new; /* the settings before and after */
    pst_sink_host host;
    int64_t committed; /* what the group says */
    char metadata[PST_KAFKA_METADATA_MAX];
    int32_t partitions;
} fixture;

/* ---- a store whose objects are committed by links ---- */

static pst_rc links_put(pst_store *store, const pst_store_put *put, pst_err *err)
{
    pst_store_put link = *put;
    if (!put->link)
        return fake_put(store, put, err);
    link.key = put->link;
    pst_rc rc = fake_put(store, &link, err);
    link.key = put->key;
    link.create_only = false;
    if (rc == PST_OK)
        fake_insert((fake_store *)store, &link);
    return rc;
}

static pst_rc links_head(pst_store *store, const char *key, const char *link,
                         pst_store_info *info, pst_err *err)
{
    return fake_head(store, link ? link : key, NULL, info, err);
}

static const pst_store_driver links_driver = {
    .name = "links",
    .put = links_put,
    .head = links_head,
    .get = fake_get,
    .list = fake_list,
    .remove = fake_delete,
    .describe = fake_describe,
    .links = true,
};

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

static pst_rc host_partitions(void *self, const char *topic, int32_t *n, pst_err *err)
{
    (void)topic, (void)err;
    *n = ((fixture *)self)->partitions;
    return PST_OK;
}

static fixture *make(const pst_store_driver *driver)
{
    fixture *f = calloc(1, sizeof *f);
    f->store = fake_new();
    f->store->base.driver = driver;
    fake_clock_init(&f->clock);
    f->committed = PST_OFFSET_NONE;
    f->partitions = 4;
    f->host = (pst_sink_host){
        .commits = host_commits, .partitions = host_partitions, .self = f};
    f->old = chain_conf(f->store, &f->clock, "a", &f->host);
    f->new = f->old;
    f->new.topics_dir = "b";
    return f;
}

static int with_objects(void **state)
{
    *state = make(&fake_driver);
    return 0;
}

static int with_links(void **state)
{
    *state = make(&links_driver);
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    fake_free(f->store);
    free(f);
    return 0;
}

/* ---- steps ---- */

static pst_rc try_open(fixture *f, pst_chain *chain, const pst_chain_conf *conf,
                       pst_resume *resume, pst_err *err)
{
    return chain_open(chain, conf, f->committed, f->metadata, resume, err);
}

static pst_resume must_open(fixture *f, pst_chain *chain, const pst_chain_conf *conf,
                            int64_t expected)
{
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_rc rc = try_open(f, chain, conf, &resume, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, PST_OK);
    assert_int_equal(resume.take_from, expected);
    assert_int_equal(chain->pos, expected);
    return resume;
}

static void must_refuse(fixture *f, const pst_chain_conf *conf, const char *why)
{
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_chain chain;
    size_t before = f->store->n;
    pst_rc rc = try_open(f, &chain, conf, &resume, &err);
    chain_refused(f->store, before, rc, &err, why);
}

/* As the sink does: the seal, the commit, the window. */
static void commit(fixture *f, const pst_chain *chain)
{
    f->committed = chain->pos;
    pst_chain_metadata(chain, f->metadata);
}

static void change(fixture *f, pst_chain *chain, int64_t next)
{
    chain_must_put(chain, next, PST_SEALED);
    commit(f, chain);
    chain_must_put(chain, next, PST_APPENDED);
}

static void forget(fixture *f)
{
    f->committed = PST_OFFSET_NONE;
    f->metadata[0] = '\0';
}

static const fake_object *at(fixture *f, const char *dir, int64_t start, const char *ext)
{
    char key[128];
    snprintf(key, sizeof key, "%s/u/partition=0/u+0+%020lld%s", dir, (long long)start,
             ext);
    return fake_find(f->store, key);
}

static void is_seal(const fake_object *object, const char *next, const char *to)
{
    assert_non_null(object);
    pst_sv empty = pst_compress_empty(strrchr(object->key, '.'));
    assert_true(pst_sv_eq((pst_sv){object->bytes, object->size}, empty));
    assert_string_equal(pst_store_meta_get(&object->meta, "penstock-seal"), to);
    assert_string_equal(pst_store_meta_get(&object->meta, "penstock-next"), next);
    assert_string_equal(pst_store_meta_get(&object->meta, "penstock-records"), "0");
}

/* The old layout holds [0, 5), committed. */
static void begin(fixture *f)
{
    pst_chain chain;
    must_open(f, &chain, &f->old, 0);
    chain_must_put(&chain, 5, PST_APPENDED);
    commit(f, &chain);
}

/* ---- cases ---- */

/* Found again from every place where a writer can have been killed, and by the root. */
static void check_found(fixture *f, const pst_chain_conf *conf, int64_t end)
{
    pst_chain chain;
    must_open(f, &chain, conf, end);
    assert_false(pst_chain_is_elsewhere(&chain));
    forget(f);
    must_open(f, &chain, conf, end);
    assert_false(pst_chain_is_elsewhere(&chain));
}

static void change_of(fixture *f, const char *dir, const char *ext)
{
    char before[PST_KAFKA_METADATA_MAX], to[PST_PLACE_TEXT_MAX];
    pst_chain chain;
    begin(f);
    snprintf(before, sizeof before, "%s", f->metadata);
    assert_false(must_open(f, &chain, &f->new, 5).commit_first);
    assert_true(pst_chain_is_elsewhere(&chain));
    assert_null(at(f, "a", 5, ".csv")); /* without rows nothing is sealed */
    chain_must_put(&chain, 9, PST_SEALED);
    assert_false(pst_chain_is_elsewhere(&chain));
    pst_place_text(&chain.at, to);
    is_seal(at(f, "a", 5, ".csv"), "5", to);
    chain_must_put(&chain, 9, PST_APPENDED);
    assert_int_equal(at(f, dir, 5, ext)->size, 4);
    chain_must_put(&chain, 12, PST_APPENDED);
    /* Killed before the first commit of the new layout. */
    pst_chain again;
    assert_true(must_open(f, &again, &f->new, 12).commit_first);
    assert_string_equal(f->metadata, before);
    commit(f, &chain);
    assert_false(must_open(f, &again, &f->new, 12).commit_first);
    check_found(f, &f->new, 12);
}

static void topics_dir_changes(void **state)
{
    change_of(*state, "b", ".csv");
}

static void extension_changes(void **state)
{
    fixture *f = *state;
    f->new.topics_dir = "a";
    f->new.extension = ".csv.gz";
    change_of(f, "a", ".csv.gz");
}

/* Its key sorts before the seal's. */
static void extension_changes_to_a_shorter_one(void **state)
{
    fixture *f = *state;
    pst_chain chain;
    f->old.extension = ".csv.gz";
    f->new.topics_dir = "a";
    must_open(f, &chain, &f->old, 0);
    chain_must_put(&chain, 5, PST_APPENDED);
    commit(f, &chain);
    must_open(f, &chain, &f->new, 5);
    change(f, &chain, 9);
    is_seal(at(f, "a", 5, ".csv.gz"), "5", A);
    assert_int_equal(at(f, "a", 5, ".csv")->size, 4);
    check_found(f, &f->new, 9);
}

static void partitioner_changes(void **state)
{
    fixture *f = *state;
    pst_chain chain;
    f->new.topics_dir = "a";
    f->new.layout = PST_LAYOUT_FLAT;
    begin(f);
    must_open(f, &chain, &f->new, 5);
    change(f, &chain, 9);
    is_seal(at(f, "a", 5, ".csv"), "5", "a/FlatPartitioner.csv");
    assert_non_null(fake_find(f->store, "a/u+0+00000000000000000005.csv"));
    check_found(f, &f->new, 9);
}

/* The old writer holds a window for the very position that is sealed. */
static void old_writer_stops_at_the_seal(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_chain old, new;
    pst_outcome outcome;
    begin(f);
    must_open(f, &old, &f->old, 5);
    must_open(f, &new, &f->new, 5);
    change(f, &new, 9);
    assert_int_equal(chain_put(&old, 8, &outcome, &err), PST_E_CHAIN);
    assert_false(err.retriable || err.unknown);
    assert_non_null(strstr(err.text, "sealed at offset 5"));
    assert_non_null(strstr(err.text, "b/DefaultPartitioner.csv"));
    assert_int_equal(at(f, "a", 5, ".csv")->size, 0);
    /* Nor when it is started again, with a commit or without. */
    must_refuse(f, &f->old, "chain.layout.from=b/DefaultPartitioner.csv");
    forget(f);
    must_refuse(f, &f->old, "chain.layout.from=b/DefaultPartitioner.csv");
}

/* The old writer was quicker: its object is adopted, and the seal stands behind it. */
static void old_writer_may_win(void **state)
{
    fixture *f = *state;
    pst_chain old, new;
    begin(f);
    must_open(f, &old, &f->old, 5);
    must_open(f, &new, &f->new, 5);
    chain_must_put(&old, 8, PST_APPENDED);
    chain_must_put(&new, 9, PST_ADOPTED);
    assert_int_equal(new.pos, 8);
    change(f, &new, 12);
    is_seal(at(f, "a", 8, ".csv"), "8", "b/DefaultPartitioner.csv");
    assert_non_null(at(f, "b", 8, ".csv"));
    check_found(f, &f->new, 12);
}

static void two_seal_for_the_same_layout(void **state)
{
    fixture *f = *state;
    pst_chain one, two;
    begin(f);
    must_open(f, &one, &f->new, 5);
    must_open(f, &two, &f->new, 5);
    chain_must_put(&one, 9, PST_SEALED);
    chain_must_put(&two, 7, PST_SEALED);
    chain_must_put(&two, 7, PST_APPENDED);
    chain_must_put(&one, 9, PST_ADOPTED);
    assert_int_equal(one.pos, 7);
    check_found(f, &f->new, 7);
}

static void two_seal_for_different_layouts(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_chain one, two;
    pst_outcome outcome;
    pst_chain_conf third = f->new;
    third.topics_dir = "c";
    begin(f);
    must_open(f, &one, &f->new, 5);
    must_open(f, &two, &third, 5);
    chain_must_put(&one, 9, PST_SEALED);
    assert_int_equal(chain_put(&two, 9, &outcome, &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, "goes on in the layout b/DefaultPartitioner.csv"));
    assert_non_null(strstr(err.text, "ask for c/DefaultPartitioner.csv"));
    /* Nothing is left before it has an object. */
    must_refuse(f, &third, "has no object yet");
    commit(f, &one);
    must_refuse(f, &third, "has no object yet");
    chain_must_put(&one, 9, PST_APPENDED);
    must_open(f, &two, &third, 9);
    change(f, &two, 11);
    check_found(f, &third, 11);
}

/* Crash between the seal and its root, and between root and first object. */
static void crash_after_the_seal(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_chain chain;
    pst_outcome outcome;
    begin(f);
    must_open(f, &chain, &f->new, 5);
    fake_break(f->store, (fake_fault){.op = "put",
                                      .times = 1,
                                      .code = PST_E_IO,
                                      .retriable = true,
                                      .on = "b/_penstock/u/0/root.json"});
    assert_int_equal(chain_put(&chain, 9, &outcome, &err), PST_E_IO);
    assert_true(err.retriable);
    assert_true(pst_chain_is_elsewhere(&chain));
    is_seal(at(f, "a", 5, ".csv"), "5", "b/DefaultPartitioner.csv");
    assert_null(fake_find(f->store, "b/_penstock/u/0/root.json"));
    pst_chain again;
    assert_true(must_open(f, &again, &f->new, 5).commit_first);
    assert_non_null(fake_find(f->store, "b/_penstock/u/0/root.json"));
    must_refuse(f, &f->old, "has no object yet");
    commit(f, &again);
    must_refuse(f, &f->old, "has no object yet");
    must_open(f, &again, &f->new, 5);
    chain_must_put(&chain, 9, PST_SEALED); /* the first one was only slow */
    chain_must_put(&chain, 9, PST_APPENDED);
    chain_must_put(&again, 9, PST_ADOPTED);
    check_found(f, &f->new, 9);
}

static void answer_to_the_seal_is_lost(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_chain chain;
    pst_outcome outcome;
    begin(f);
    must_open(f, &chain, &f->new, 5);
    bool links = f->store->base.driver->links;
    fake_break(f->store,
               (fake_fault){.op = "put",
                            .times = 1,
                            .code = PST_E_TIMEOUT,
                            .retriable = true,
                            .applied = true,
                            .on = links ? "a/_penstock/u/0/0" : "a/u/partition=0"});
    assert_int_equal(chain_put(&chain, 9, &outcome, &err), PST_E_TIMEOUT);
    change(f, &chain, 9);
    check_found(f, &f->new, 9);
}

static void back_and_forth(void **state)
{
    fixture *f = *state;
    pst_chain chain;
    pst_chain_conf back = f->old;
    begin(f);
    must_open(f, &chain, &f->new, 5);
    change(f, &chain, 9);
    commit(f, &chain);
    must_refuse(f, &f->old, "chain.layout.from=");
    back.layout_from = "c/DefaultPartitioner.csv";
    must_refuse(f, &back, "chain.layout.from=b/DefaultPartitioner.csv");
    back.layout_from = "b/DefaultPartitioner.csv";
    must_open(f, &chain, &back, 9);
    change(f, &chain, 14);
    is_seal(at(f, "b", 9, ".csv"), "9", A);
    assert_int_equal(at(f, "a", 9, ".csv")->size, 4);
    f->new.layout_from = A;
    must_open(f, &chain, &f->new, 14);
    change(f, &chain, 20);
    is_seal(at(f, "a", 14, ".csv"), "14", "b/DefaultPartitioner.csv");
    check_found(f, &f->new, 20);
    forget(f);
    back.layout_from = NULL;
    must_refuse(f, &back, "chain.layout.from=b/DefaultPartitioner.csv");
}

/* Rules 9 and 10: the old writer slept, and even the seal was moved away meanwhile. */
static void sleeper_with_the_old_layout(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_chain old, new;
    begin(f);
    must_open(f, &old, &f->old, 5);
    must_open(f, &new, &f->new, 5);
    change(f, &new, 9);
    char key[128];
    snprintf(key, sizeof key, "%s", at(f, "a", 5, ".csv")->key);
    assert_int_equal(fake_delete(&f->store->base, key, &err), PST_OK);
    fake_clock_add(&f->clock, 20000);
    /* The commit still says 5, but in which layout. */
    chain_must_put(&old, 8, PST_PASSED);
    assert_null(at(f, "a", 5, ".csv"));
    chain_must_put(&new, 12, PST_APPENDED);
}

/* The new folder is looked at before anything is sealed. */
static void folder_of_another_connector(void **state)
{
    fixture *f = *state;
    pst_chain chain;
    pst_chain_conf other = f->new;
    other.group = "connect-z";
    must_open(f, &chain, &other, 0);
    chain_must_put(&chain, 3, PST_APPENDED);
    begin(f);
    must_refuse(f, &f->new, "belongs to group \"connect-z\"");
    assert_null(at(f, "a", 5, ".csv"));
}

/* Recovery saw the new folder free; it is looked at again before the seal. */
static void folder_taken_since(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_chain chain, taker;
    pst_outcome outcome;
    pst_chain_conf other = f->new;
    other.group = "connect-z";
    begin(f);
    must_open(f, &chain, &f->new, 5);
    forget(f);
    must_open(f, &taker, &other, 0);
    chain_must_put(&taker, 3, PST_APPENDED);
    assert_int_equal(chain_put(&chain, 9, &outcome, &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, "belongs to group \"connect-z\""));
    assert_null(at(f, "a", 5, ".csv"));
}

/* A partition that comes later starts at 0 below the new folder, too. */
static void later_partitions_are_known(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_chain chain, later;
    begin(f);
    f->partitions = 10;
    must_open(f, &chain, &f->new, 5);
    change(f, &chain, 9);
    pst_log_facts facts = {.committed = PST_OFFSET_NONE, .metadata = "", .high = 50};
    f->new.reset = PST_RESET_LATEST;
    assert_int_equal(pst_chain_init(&later, &f->new, "u", 9, &err), PST_OK);
    assert_int_equal(pst_chain_recover(&later, &facts, &resume, &err), PST_OK);
    assert_int_equal(resume.take_from, 0);
}

static void add_seal(fixture *f, const char *dir, int64_t start, const char *to)
{
    char key[128], link[128];
    pst_err err = PST_ERR_INIT;
    pst_store_meta meta = {.n = 0};
    snprintf(key, sizeof key, "%s/u/partition=0/u+0+%020lld.csv", dir, (long long)start);
    snprintf(link, sizeof link, "%s/_penstock/u/0/%020lld", dir, (long long)start);
    const char *pairs[][2] = {{"penstock-topic", "u"},
                              {"penstock-partition", "0"},
                              {"penstock-group", "connect-a"},
                              {"penstock-cluster", "c"},
                              {"penstock-last", "4:77:abcdef01"},
                              {"penstock-seal", to}};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pst_store_meta_add(&meta, pairs[i][0], "%s", pairs[i][1]),
                         PST_OK);
    assert_int_equal(pst_store_meta_add(&meta, "penstock-next", "%lld", (long long)start),
                     PST_OK);
    pst_store_put seal = {.key = key, .link = link, .bytes = PST_SV(""), .meta = &meta};
    assert_int_equal(f->store->base.driver->put(&f->store->base, &seal, &err), PST_OK);
}

static void damaged_seals_stop(void **state)
{
    fixture *f = *state;
    begin(f);
    add_seal(f, "a", 5, "a/OddPartitioner.csv");
    must_refuse(f, &f->old, "which this version does not know");
}

/* Going on among the objects of another beginning would lose what lies between. */
static void objects_ahead_stop(void **state)
{
    fixture *f = *state;
    begin(f);
    add_seal(f, "b", 7, "c/DefaultPartitioner.csv");
    must_refuse(f, &f->new, "of another chain");
}

static void a_seal_to_its_own_layout_stops(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_chain chain;
    pst_outcome outcome;
    begin(f);
    must_open(f, &chain, &f->old, 5);
    add_seal(f, "a", 5, A);
    assert_int_equal(chain_put(&chain, 9, &outcome, &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, "for the layout that it is in"));
    must_refuse(f, &f->old, "for the layout that it is in");
}

static void seals_in_a_circle_stop(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_chain chain;
    begin(f);
    add_seal(f, "a", 5, "b/DefaultPartitioner.csv");
    add_seal(f, "b", 5, A);
    assert_int_equal(try_open(f, &chain, &f->old, &resume, &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, "lead back at offset 5"));
}

/* Without a commit the end is searched through the seal, wherever the pages end. */
static void long_chains_of_two_extensions(void **state)
{
    fixture *f = *state;
    f->new.topics_dir = "a";
    f->new.extension = ".csv.gz";
    static const int64_t sealed_at[] = {998, 999, 1000, 1400};
    pst_chain chain;
    must_open(f, &chain, &f->old, 0);
    int64_t next = 1;
    for (; next <= sealed_at[1]; next++)
        chain_must_put(&chain, next, PST_APPENDED);
    must_open(f, &chain, &f->new, sealed_at[1]);
    chain_must_put(&chain, next, PST_SEALED);
    forget(f);
    must_open(f, &chain, &f->new, sealed_at[1]); /* the 1000th key is the seal */
    chain_must_put(&chain, next, PST_APPENDED);
    must_open(f, &chain, &f->new, next); /* its twin is on the next page */
    for (next++; next <= sealed_at[3]; next++)
        chain_must_put(&chain, next, PST_APPENDED);
    must_open(f, &chain, &f->new, sealed_at[3]);
}

static void copies_are_not_taken_for_a_change(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_chain chain;
    begin(f);
    const fake_object *object = at(f, "a", 0, ".csv");
    pst_store_put copy = {.key = "a/u/partition=0/u+0+00000000000000000000.csv.bak",
                          .bytes = PST_SV("row\n"),
                          .meta = &object->meta};
    pst_store_meta meta = object->meta;
    copy.meta = &meta;
    assert_int_equal(fake_put(&f->store->base, &copy, &err), PST_OK);
    forget(f);
    assert_int_equal(try_open(f, &chain, &f->old, &resume, &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, "begin at one offset"));
}

static void names_come_back(void **state)
{
    (void)state;
    static const char *const good[] = {"/DefaultPartitioner.csv", A,
                                       "a b/c%20/ü/FlatPartitioner.csv.gz"};
    static const char *const bad[] = {"",
                                      "DefaultPartitioner.csv",
                                      "a/DefaultPartitioner",
                                      "a/SquarePartitioner.csv",
                                      "a/DefaultPartitioner.csv/",
                                      "a/DefaultPartitioner.abcdefghijklmnop",
                                      "a/DefaultPartitioner.CSV"};
    pst_place place, again;
    char text[PST_PLACE_TEXT_MAX], metadata[PST_KAFKA_METADATA_MAX];
    bool empty;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(pst_place_parse(good[i], &place));
        pst_place_text(&place, text);
        assert_string_equal(text, good[i]);
        pst_chain chain = {
            .pos = 5, .since = (int64_t)i, .last = PST_LAST_NONE, .at = place};
        pst_chain_metadata(&chain, metadata);
        assert_true(pst_chain_metadata_place(metadata, "x", &again, &empty));
        assert_true(pst_place_same(&place, &again));
        assert_false(empty);
        chain.since = 5;
        pst_chain_metadata(&chain, metadata);
        assert_true(pst_chain_metadata_place(metadata, "x", &again, &empty));
        assert_true(empty);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pst_place_parse(bad[i], &place));
    /* Commits of the first version named no folder. */
    assert_true(pst_chain_metadata_place(
        "penstock/1 pos=1 last=0:1:00000000 layout=FlatPartitioner.csv", "d", &place,
        &empty));
    pst_place_text(&place, text);
    assert_string_equal(text, "d/FlatPartitioner.csv");
    assert_false(
        pst_chain_metadata_place("penstock/1 pos=1 layout=a%2", "d", &place, &empty));
    assert_false(
        pst_chain_metadata_place("penstock/1 pos=1 layout=x", "d", &place, &empty));
}

static void a_folder_too_long_for_a_commit(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_chain chain;
    char dir[PST_TOPICS_DIR_MAX + 2];
    memset(dir, ' ', sizeof dir);
    dir[PST_TOPICS_DIR_MAX] = '\0';
    f->old.topics_dir = dir;
    assert_int_equal(pst_chain_init(&chain, &f->old, "u", 0, &err), PST_E_LIMIT);
    assert_non_null(strstr(err.text, "does not fit into a commit"));
    memset(dir, 'd', sizeof dir - 1);
    dir[sizeof dir - 1] = '\0';
    pst_err_clear(&err);
    assert_int_equal(pst_chain_init(&chain, &f->old, "u", 0, &err), PST_E_LIMIT);
    dir[PST_TOPICS_DIR_MAX] = '\0';
    assert_int_equal(pst_chain_init(&chain, &f->old, "u", 0, &err), PST_OK);
}

#define BOTH(f)                                                                          \
    {#f ", objects", f, with_objects, tear_down, NULL},                                  \
    {                                                                                    \
#f ", links", f, with_links, tear_down, NULL                                     \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(topics_dir_changes),
        BOTH(extension_changes),
        BOTH(extension_changes_to_a_shorter_one),
        BOTH(partitioner_changes),
        BOTH(old_writer_stops_at_the_seal),
        BOTH(old_writer_may_win),
        BOTH(two_seal_for_the_same_layout),
        BOTH(two_seal_for_different_layouts),
        BOTH(crash_after_the_seal),
        BOTH(answer_to_the_seal_is_lost),
        BOTH(back_and_forth),
        BOTH(sleeper_with_the_old_layout),
        BOTH(folder_of_another_connector),
        BOTH(folder_taken_since),
        BOTH(later_partitions_are_known),
        BOTH(damaged_seals_stop),
        BOTH(seals_in_a_circle_stop),
        BOTH(objects_ahead_stop),
        BOTH(a_seal_to_its_own_layout_stops),
        BOTH(long_chains_of_two_extensions),
        {"copies_are_not_taken_for_a_change", copies_are_not_taken_for_a_change,
         with_objects, tear_down, NULL},
        BOTH(names_come_back),
        BOTH(a_folder_too_long_for_a_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_manifest.c - manifests: what is hostile is refused, other settings stop, seals
 * lead in and out of routed layouts, windows are closed before they get too much, and
 * what memory does not take at once is completed in several passes.
 */
#include "routed_run.h"

/* A world whose only process so far was killed when its first manifest and `files` of the
   objects were there. */
static void begin_window(world *w, int files)
{
    for (int n = 4; n < 40; n++) {
        seen s;
        world_init(w, false);
        process *p = process_new(w, n, true, false);
        process_open(p);
        if (p->failed == PST_OK)
            process_run(p);
        process_close(p);
        process_free(p);
        look(w, &s);
        if (s.manifests == 1 && s.objects == files)
            return;
        assert_true(s.manifests <= 1);
        world_done(w);
    }
    fail_msg("no such state");
}

static const fake_object *manifest_of(world *w)
{
    for (size_t i = 0; i < w->fake->n; i++)
        if (strstr(w->fake->objects[i].key, "/0/0") &&
            strstr(w->fake->objects[i].key, ".json"))
            return &w->fake->objects[i];
    fail_msg("no manifest");
    return NULL;
}

static void opens_with(world *w, pst_rc rc, const char *why)
{
    process *p = process_new(w, -1, false, false);
    process_open(p);
    if (p->failed != rc || !strstr(p->err.text, why))
        fail_msg("%d: %s", (int)p->failed, p->err.text);
    process_close(p);
    process_free(p);
}

static void test_other_settings_stop(void **state)
{
    (void)state;
    world w;
    begin_window(&w, 1);
    size_t before = w.fake->n;
    w.schema = "ffffffffffffffff";
    opens_with(&w, PST_E_CHAIN, "fingerprint 0123456789abcdef, these have ffff");
    opens_with(&w, PST_E_CHAIN, "run the connector with the former settings");
    assert_int_equal(w.fake->n, before);
    w.schema = "0123456789abcdef";
    run_healthy(&w);
    w.schema = "ffffffffffffffff"; /* a whole one may be followed by others */
    run_healthy(&w);
    world_done(&w);
}

/* Replaces `what` in the manifest's text. */
static void damage(world *w, const char *what, const char *by)
{
    fake_object *o = (fake_object *)(uintptr_t)manifest_of(w);
    char *at = strstr(o->bytes, what);
    if (!at)
        fail_msg("no %s in %s", what, o->bytes);
    size_t size = o->size + strlen(by) + 1;
    char *text = calloc(1, size);
    o->size = (size_t)snprintf(text, size, "%.*s%s%s", (int)(at - o->bytes), o->bytes, by,
                               at + strlen(what));
    free(o->bytes);
    o->bytes = text;
}

static void test_hostile(void **state)
{
    (void)state;
    static const struct {
        const char *what, *by, *why;
    } cases[] = {
        {"{", "[", "is not the JSON object"},
        {"\"group\":\"connect-a\"", "\"group\":\"connect-b\"", "written by group"},
        {"\"group\":\"connect-a\"", "\"group\":7", "Penstock did not write it"},
        {"\"cluster\":\"c\"", "\"cluster\":\"d\"", "written from Kafka cluster"},
        {"\"topic\":\"u\"", "\"topic\":\"v\"", "was copied or renamed"},
        {"\"partition\":0", "\"partition\":1", "was copied or renamed"},
        {"\"start\":0", "\"start\":1", "no manifest that Penstock wrote"},
        {"\"start\":0", "\"start\":\"0\"", "no manifest that Penstock wrote"},
        {"\"next\":", "\"next\":-", "no manifest that Penstock wrote"},
        {"\"last\":\"", "\"last\":\"x", "no manifest that Penstock wrote"},
        {"\"batch\":\"", "\"batch\":\"zz", "no manifest that Penstock wrote"},
        {"\"objects\":[", "\"objects\":[{},", "no window of u-0 has"},
        {"\"objects\":[", "\"objects\":[7,", "no window of u-0 has"},
        {"\"objects\":", "\"things\":", "no window of u-0 has"},
        {"t/u/by", "t/v/by", "no window of u-0 has"},
        {"t/u/by", "t/u/b\\u0000y", "is not the JSON object"},
        {"t/u/by", "t/u/b\\ny", "no window of u-0 has"},
        {"/u+0+", "/u+1+", "no window of u-0 has"},
        {".csv\"", ".exe\"", "no window of u-0 has"},
        {"\"offsets\":\"", "\"offsets\":\"-1,", "no window of u-0 has"},
        {"\"offsets\":\"", "\"offsets\":\"9999999999999999999,", "no window of u-0 has"},
        {"\"offsets\":\"", "\"offsets\":\"0*9223372036854775807,",
         "no window of u-0 has"},
        {"\"offsets\":\"", "\"offsets\":\"0*0,", "no window of u-0 has"},
        {"\"offsets\":\"", "\"offsets\":\"0*3,", "no window of u-0 has"},
        {"\"offsets\":\"", "\"offsets\":\",", "no window of u-0 has"},
        {"\"rows\":", "\"rows\":-", "no window of u-0 has"},
        {"\"rows\":", "\"rows\":1,\"rows\":", "is not the JSON object"},
        {"\"crc32c\":\"", "\"crc32c\":\"g", "no window of u-0 has"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        begin_window(&w, 0);
        damage(&w, cases[i].what, cases[i].by);
        opens_with(&w, PST_E_CHAIN, cases[i].why);
        world_done(&w);
    }
}

/* Cut off anywhere, or with any byte changed, it is refused or harmless: no crash. */
static void test_broken_anywhere(void **state)
{
    (void)state;
    world w;
    begin_window(&w, 0);
    fake_object *o = (fake_object *)(uintptr_t)manifest_of(&w);
    size_t size = o->size;
    for (size_t cut = 0; cut < size; cut += 3) {
        o->size = cut;
        process *p = process_new(&w, -1, false, false);
        process_open(p);
        assert_int_equal(p->failed, PST_E_CHAIN);
        process_close(p);
        process_free(p);
    }
    o->size = size;
    for (size_t at = 0; at < size; at++) {
        char was = o->bytes[at];
        o->bytes[at] = (char)(was ^ 0x11);
        process *p = process_new(&w, -1, false, false);
        process_open(p);
        assert_true(p->failed == PST_OK || p->failed == PST_E_CHAIN);
        process_close(p);
        process_free(p);
        o->bytes[at] = was;
    }
    world_done(&w);
}

static void test_foreign_object(void **state)
{
    (void)state;
    world w;
    begin_window(&w, 1);
    seen s;
    look(&w, &s);
    fake_object *o = (fake_object *)(uintptr_t)fake_find(w.fake, s.keys[0]);
    o->meta.n = 0;
    opens_with(&w, PST_E_CHAIN, "was not put for it");
    world_done(&w);
}

/* From one object a window to several and back, killed at each call on the way. */
static void test_seals(void **state)
{
    for (int n = 1; n < 60; n += 2) {
        static const pst_layout layouts[] = {PST_LAYOUT_DEFAULT, PST_LAYOUT_FIELD,
                                             PST_LAYOUT_FLAT, PST_LAYOUT_DAILY};
        world w;
        world_init(&w, *state != NULL);
        for (int i = 0; i < 4; i++) {
            w.end = 6 * (i + 1);
            w.conf.layout = (int)layouts[i];
            process *p = process_new(&w, n, n & 2, false);
            process_open(p);
            if (p->failed == PST_OK)
                process_run(p);
            process_close(p);
            process_free(p);
            run_healthy(&w);
        }
        seen s;
        look(&w, &s);
        assert_true(s.manifests >= 3); /* two windows and a seal at the least */
        world_done(&w);
    }
}

static void test_record_time(void **state)
{
    (void)state;
    world w;
    seen s;
    world_init(&w, false);
    w.paths = 0;
    w.conf.rotate_schedule_ms = 86400000;
    w.conf.rotate_ms = 4000; /* records are a second apart; every fifth gives no row */
    process *p = process_new(&w, -1, false, false);
    process_open(p);
    s.objects = 0;
    for (int i = 0; i < WORLD_TURNS && (i < 100 || s.objects < 4); i++) {
        process_turn(p);
        look(&w, &s);
    }
    assert_int_equal(s.objects, 4); /* [0,4) [4,9) [9,14) [14,19); one is open */
    assert_string_equal(s.keys[0], "t/u/u+0+00000000000000000000.csv");
    assert_string_equal(s.keys[1], "t/u/u+0+00000000000000000004.csv");
    process_close(p);
    process_free(p);
    world_done(&w);
}

/* A window that another daemon has begun with more memory than this one has. */
static void test_little_memory(void **state)
{
    (void)state;
    world w;
    begin_window(&w, 0);
    w.budget_limit = 14 * 1024; /* two objects' blocks do not fit */
    run_healthy(&w);
    world_done(&w);
    begin_window(&w, 0);
    w.budget_limit = 6 * 1024;
    process *p = process_new(&w, -1, false, false);
    process_open(p);
    for (int i = 0; i < 50 && p->failed == PST_OK; i++)
        process_turn(p);
    assert_int_equal(p->failed, PST_E_LIMIT);
    assert_non_null(strstr(p->err.text, "buffer.memory: set it larger"));
    process_close(p);
    process_free(p);
    world_done(&w);
}

static void test_expired(void **state)
{
    (void)state;
    world w;
    begin_window(&w, 0);
    w.low = 3;
    for (int i = 0; i < 3; i++)
        w.gone[i] = true;
    opens_with(&w, PST_E_CHAIN, "expired before they were read");
    w.conf.fail_on_data_loss = false;
    run_healthy(&w);
    world_done(&w);
    begin_window(&w, 0);
    w.low = 20; /* the whole window */
    for (int i = 0; i < 20; i++)
        w.gone[i] = true;
    w.conf.fail_on_data_loss = false;
    run_healthy(&w);
    world_done(&w);
}

/* Records that compaction took: what is left of the window lands. */
static void test_compacted(void **state)
{
    (void)state;
    world w;
    begin_window(&w, 0);
    w.gone[0] = w.gone[2] = true;
    run_healthy(&w);
    world_done(&w);
}

/* Keys that nobody else puts; one writer at a time loses and doubles nothing. */
static void test_unconditional(void **state)
{
    (void)state;
    for (int n = 1; n < 30; n++) {
        world w;
        seen s;
        world_init(&w, false);
        w.conditional = false;
        w.fake->unconditional = true;
        process *p = process_new(&w, n, n & 1, false);
        process_open(p);
        if (p->failed == PST_OK)
            process_run(p);
        process_close(p);
        process_free(p);
        run_healthy(&w);
        look(&w, &s);
        assert_true(strlen(strrchr(s.keys[0], '+')) >
                    strlen("+00000000000000000000.csv"));
        world_done(&w);
    }
}

static int here;

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_settings_stop),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_broken_anywhere),
        cmocka_unit_test(test_foreign_object),
        cmocka_unit_test(test_seals),
        cmocka_unit_test_prestate(test_seals, &here),
        cmocka_unit_test(test_record_time),
        cmocka_unit_test(test_little_memory),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_compacted),
        cmocka_unit_test(test_unconditional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

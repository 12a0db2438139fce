/*
 * store_suite.c - the conformance suite of object stores: what the chain demands of a
 * driver, run against a real store.
 *
 *     store_suite --url URL [--bucket B] [--region R] [--virtual-host] [--ca-file F]
 *                 [--filter GLOB] [--keep]
 *
 * S3 credentials come from the environment. Everything is put below one new prefix and
 * removed at the end (unless --keep is given). Exit status 0 if all cases passed.
 * tests/store/test_store_suite.py runs it against each driver.
 */
#include "base/mem.h"
#include "store/store.h"

#include <getopt.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { RACERS = 8, ROUNDS = 20, MANY = 1234, ODD = 300, BIG = 20 * 1024 * 1024 };

typedef struct suite {
    pst_store_conf conf;
    pst_store *store;
    const pst_store_driver *driver;
    pst_log *log;
    bool keep;
    char base[64];
    pst_err err;
} suite;

static void log_line(void *opaque, pst_log_level level, const char *line)
{
    (void)opaque;
    (void)level;
    fprintf(stderr, "# %s\n", line);
}

#define expect_rc(s, call, want)                                                         \
    do {                                                                                 \
        pst_err_clear(&(s)->err);                                                        \
        pst_rc got_ = (call);                                                            \
        if (got_ != (want))                                                              \
            print_error("%s, wanted %s: %s\n", pst_rc_name(got_), pst_rc_name(want),     \
                        (s)->err.text);                                                  \
        assert_int_equal(got_, want);                                                    \
    } while (0)

/* ---- helpers ---- */

typedef struct names {
    char key[PST_STORE_KEY_MAX + 1];
    char link[PST_STORE_KEY_MAX + 1];
} names;

/* A chain object's key and link, as the runtime makes them. */
static names chain_names(const suite *s, const char *topic, int64_t start)
{
    names n;
    snprintf(n.key, sizeof n.key, "%s/%s/partition=0/%s+0+%020lld.csv", s->base, topic,
             topic, (long long)start);
    snprintf(n.link, sizeof n.link, "%s/_penstock/%s/0/%020lld", s->base, topic,
             (long long)start);
    return n;
}

static pst_rc put_text(suite *s, const char *key, const char *link, const char *text,
                       const pst_store_meta *meta, bool create_only, pst_err *err)
{
    pst_store_put put = {.key = key,
                         .link = link,
                         .bytes = pst_sv_of(text),
                         .crc32c = pst_crc32c(0, text, strlen(text)),
                         .content_type = "text/csv",
                         .meta = meta,
                         .create_only = create_only};
    return s->driver->put(s->store, &put, err);
}

static pst_rc put_plain(suite *s, const char *key, const char *text, bool create_only)
{
    return put_text(s, key, NULL, text, NULL, create_only, &s->err);
}

static void expect_body(suite *s, const char *key, const char *text)
{
    pst_buf body;
    pst_buf_init(&body, 1 << 20);
    expect_rc(s, s->driver->get(s->store, key, &body, &s->err), PST_OK);
    assert_int_equal(body.len, strlen(text));
    assert_memory_equal(body.data ? body.data : "", text, body.len);
    pst_buf_done(&body);
}

static void format(char *out, size_t size, const char *fmt, ...) PST_PRINTF(3, 4);
static void format(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, size, fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < size);
}

typedef struct key_list {
    char **keys;
    size_t n, cap, stop_after;
    int64_t bytes;
} key_list;

static bool collect(void *opaque, const char *key, int64_t size)
{
    key_list *all = opaque;
    if (all->n == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 64;
        all->keys = pst_realloc(all->keys, all->cap, sizeof *all->keys);
        if (!all->keys)
            abort();
    }
    all->keys[all->n++] = pst_strdup(key);
    all->bytes += size;
    return all->stop_after == 0 || all->n < all->stop_after;
}

static void key_list_done(key_list *all)
{
    for (size_t i = 0; i < all->n; i++)
        pst_free(all->keys[i]);
    pst_free(all->keys);
    *all = (key_list){0};
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_into(suite *s, const char *prefix, const char *after, size_t limit,
                      key_list *out)
{
    pst_store_list list = {.prefix = prefix, .after = after, .limit = limit};
    expect_rc(s, s->driver->list(s->store, &list, collect, out, &s->err), PST_OK);
}

/* ---- put, head, get, remove ---- */

static void test_round_trip(void **state)
{
    suite *s = *state;
    names n = chain_names(s, "users", 0);
    pst_store_meta meta = {0};
    pst_store_info info;
    assert_int_equal(pst_store_meta_add(&meta, "penstock-next", "%d", 24), PST_OK);
    assert_int_equal(
        pst_store_meta_add(&meta, "penstock-last", "23:1700000000000:0badcafe"), PST_OK);
    assert_int_equal(pst_store_meta_add(&meta, "penstock-group", "connect-users"),
                     PST_OK);
    int64_t before = pst_wall_ms(pst_clock_system());
    expect_rc(s, put_text(s, n.key, n.link, "a,b\n1,2\n", &meta, true, &s->err), PST_OK);
    expect_body(s, n.key, "a,b\n1,2\n");
    expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
    assert_int_equal(info.size, 8);
    assert_in_range(info.modified_ms - before + 2000, 0, 10000);
    assert_string_equal(pst_store_meta_get(&info.meta, "penstock-next"), "24");
    assert_string_equal(pst_store_meta_get(&info.meta, "penstock-last"),
                        "23:1700000000000:0badcafe");
    assert_string_equal(pst_store_meta_get(&info.meta, "penstock-group"),
                        "connect-users");
    assert_null(pst_store_meta_get(&info.meta, "penstock-none"));
}

static void test_conditional_create(void **state)
{
    suite *s = *state;
    names n = chain_names(s, "once", 7);
    expect_rc(s, put_text(s, n.key, n.link, "first", NULL, true, &s->err), PST_OK);
    expect_rc(s, put_text(s, n.key, n.link, "second", NULL, true, &s->err), PST_E_EXISTS);
    assert_false(s->err.retriable);
    assert_false(s->err.unknown);
    expect_body(s, n.key, "first");
    char root[200];
    format(root, sizeof root, "%s/_penstock/once/0/root.json", s->base);
    expect_rc(s, put_plain(s, root, "{}", true), PST_OK);
    expect_rc(s, put_plain(s, root, "[]", true), PST_E_EXISTS);
    expect_body(s, root, "{}");
    expect_rc(s, put_plain(s, root, "[]", false), PST_OK);
    expect_body(s, root, "[]");
}

static void test_empty_object(void **state)
{
    suite *s = *state;
    names n = chain_names(s, "empty", 0);
    pst_store_info info;
    expect_rc(s, put_text(s, n.key, n.link, "", NULL, true, &s->err), PST_OK);
    expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
    assert_int_equal(info.size, 0);
    expect_body(s, n.key, "");
}

static void test_large_object(void **state)
{
    suite *s = *state;
    names n = chain_names(s, "large", 0);
    pst_chunks chunks;
    pst_buf body;
    uint32_t crc = 0;
    pst_chunks_init(&chunks);
    pst_buf_init(&body, BIG + 1);
    uint64_t x = 88172645463325252u;
    while (chunks.len < BIG) {
        uint64_t block[512];
        for (size_t i = 0; i < 512; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            block[i] = x;
        }
        assert_int_equal(pst_chunks_add(&chunks, block, sizeof block), PST_OK);
        crc = pst_crc32c(crc, block, sizeof block);
    }
    pst_store_put put = {.key = n.key,
                         .link = n.link,
                         .chunks = &chunks,
                         .crc32c = crc,
                         .create_only = true};
    expect_rc(s, s->driver->put(s->store, &put, &s->err), PST_OK);
    expect_rc(s, s->driver->get(s->store, n.key, &body, &s->err), PST_OK);
    assert_int_equal(body.len, BIG);
    assert_int_equal(pst_crc32c(0, body.data, body.len), crc);
    pst_buf small;
    pst_buf_init(&small, BIG - 1);
    expect_rc(s, s->driver->get(s->store, n.key, &small, &s->err), PST_E_LIMIT);
    pst_buf_done(&small);
    pst_buf_done(&body);
    pst_chunks_done(&chunks);
}

static void test_remove_and_not_found(void **state)
{
    suite *s = *state;
    char key[200];
    pst_store_info info;
    pst_buf body;
    pst_buf_init(&body, 1000);
    format(key, sizeof key, "%s/there/and gone", s->base);
    expect_rc(s, s->driver->head(s->store, key, NULL, &info, &s->err), PST_E_NOT_FOUND);
    expect_rc(s, s->driver->get(s->store, key, &body, &s->err), PST_E_NOT_FOUND);
    assert_false(s->err.retriable);
    expect_rc(s, put_plain(s, key, "x", true), PST_OK);
    expect_rc(s, s->driver->head(s->store, key, NULL, &info, &s->err), PST_OK);
    expect_rc(s, s->driver->remove(s->store, key, &s->err), PST_OK);
    expect_rc(s, s->driver->remove(s->store, key, &s->err), PST_OK);
    expect_rc(s, s->driver->head(s->store, key, NULL, &info, &s->err), PST_E_NOT_FOUND);
    names n = chain_names(s, "never", 1);
    expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err),
              PST_E_NOT_FOUND);
    expect_rc(s, put_plain(s, key, "y", true), PST_OK); /* free again */
    pst_buf_done(&body);
}

static void test_bad_keys(void **state)
{
    suite *s = *state;
    char longest[1100];
    memset(longest, 'k', sizeof longest);
    longest[1025] = '\0';
    for (size_t i = 200; i < 1025; i += 200)
        longest[i] = '/';
    const char *const bad[] = {"", "\xff", longest};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_rc(s, put_plain(s, bad[i], "x", true), PST_E_INVALID);
}

/* ---- the race that the chain stands on ---- */

typedef struct racer {
    suite *s;
    int id, wins, losses, others;
    pthread_barrier_t *start;
    int winner_of[ROUNDS]; /* 1 where this one won */
    pst_err last;
} racer;

static void *race(void *opaque)
{
    racer *r = opaque;
    for (int i = 0; i < ROUNDS; i++) {
        char text[100];
        pst_store_meta meta = {0};
        pst_err err = PST_ERR_INIT;
        names n = chain_names(r->s, "race", i);
        snprintf(text, sizeof text, "writer %d in round %d", r->id, i);
        if (pst_store_meta_add(&meta, "penstock-batch", "%d", r->id) != PST_OK)
            abort();
        pthread_barrier_wait(r->start);
        pst_rc rc = put_text(r->s, n.key, n.link, text, &meta, true, &err);
        while (rc != PST_OK && err.unknown) { /* rule 5: the same again */
            pst_err_clear(&err);
            rc = put_text(r->s, n.key, n.link, text, &meta, true, &err);
        }
        r->winner_of[i] = rc == PST_OK;
        r->wins += rc == PST_OK;
        r->losses += rc == PST_E_EXISTS;
        r->others += rc != PST_OK && rc != PST_E_EXISTS;
        if (rc != PST_OK && rc != PST_E_EXISTS)
            r->last = err;
    }
    return NULL;
}

static void test_race(void **state)
{
    suite *s = *state;
    pthread_t threads[RACERS];
    racer racers[RACERS] = {{0}};
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (racer){.s = s, .id = i, .start = &start};
        pthread_create(&threads[i], NULL, race, &racers[i]);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        if (racers[i].others)
            print_error("%s\n", racers[i].last.text);
        assert_int_equal(racers[i].others, 0);
    }
    pthread_barrier_destroy(&start);
    for (int round = 0; round < ROUNDS; round++) {
        int winner = -1;
        for (int i = 0; i < RACERS; i++)
            if (racers[i].winner_of[round]) {
                assert_int_equal(winner, -1);
                winner = i;
            }
        assert_true(winner >= 0);
        char text[100];
        char id[16];
        pst_store_info info;
        names n = chain_names(s, "race", round);
        format(text, sizeof text, "writer %d in round %d", winner, round);
        format(id, sizeof id, "%d", winner);
        expect_body(s, n.key, text);
        expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
        assert_string_equal(pst_store_meta_get(&info.meta, "penstock-batch"), id);
    }
}

/* ---- odd keys and values ---- */

static const char *const odd[] = {
    " ",
    "a b",
    "  a",
    "a  ",
    "+",
    "a+b",
    "a=b",
    "%",
    "%20",
    "%2F",
    "%zz",
    "100%",
    "&",
    "a&b=c",
    "?",
    "a?b",
    "#",
    "a#b",
    "~",
    "'",
    "\"",
    "(",
    ")",
    "(a)",
    "!",
    "*",
    ";",
    ":",
    "@",
    ",",
    "$",
    "^",
    "`",
    "|",
    "<",
    ">",
    "<a>&amp;",
    "]]>",
    "{",
    "}",
    "[x]",
    "\\",
    "\\n",
    "\xc3\xa9",
    "e\xcc\x81",
    "\xe6\x97\xa5\xe6\x9c\xac",
    "\xd8\xb9\xd8\xb1\xd8\xa8",
    "\xf0\x9f\x98\x80",
    "\xd0\xaf",
    "...",
    ".hidden",
    "a.",
    "-",
    "_",
    "COM1",
    "a\tb",
    "\x7f",
    "a\nb",
    "\x01",
    "0",
    "\xc2\xa0",
    "\xe2\x80\xae",
    "\xef\xbf\xbd",
};

static void odd_text(size_t i, char *out, size_t size)
{
    size_t n = sizeof odd / sizeof *odd;
    const char *a = odd[i % n];
    const char *b = odd[(i * 7 + 3) % n];
    switch (i / n) {
    case 0:
        format(out, size, "%s", a);
        break;
    case 1:
        format(out, size, "x%sy", a);
        break;
    case 2:
        format(out, size, "%s%s", a, b);
        break;
    case 3:
        format(out, size, "%s-%s-%s", b, a, b);
        break;
    default:
        format(out, size, "%zu%s%s%s", i, b, b, a);
        break;
    }
}

static void odd_key(const suite *s, size_t i, char *out, size_t size)
{
    char text[200];
    odd_text(i, text, sizeof text);
    bool dots = strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
    format(out, size, "%s/odd/%03zu/%s%s", s->base, i, text, dots ? "x" : "");
}

static void test_odd_keys(void **state)
{
    suite *s = *state;
    key_list all = {0};
    for (size_t i = 0; i < ODD; i++) {
        char key[400];
        char text[32];
        pst_store_info info;
        odd_key(s, i, key, sizeof key);
        format(text, sizeof text, "odd %zu", i);
        expect_rc(s, put_plain(s, key, text, true), PST_OK);
        expect_rc(s, put_plain(s, key, text, true), PST_E_EXISTS);
        expect_rc(s, s->driver->head(s->store, key, NULL, &info, &s->err), PST_OK);
        expect_body(s, key, text);
        key_list below = {0};
        char folder[100];
        format(folder, sizeof folder, "%s/odd/%03zu/", s->base, i);
        list_into(s, folder, NULL, 0, &below);
        assert_int_equal(below.n, 1);
        assert_string_equal(below.keys[0], key);
        key_list_done(&below);
        list_into(s, key, NULL, 1, &below); /* as a prefix, and to start after */
        assert_int_equal(below.n, 1);
        key_list_done(&below);
        list_into(s, folder, key, 0, &below);
        assert_int_equal(below.n, 0);
    }
    char prefix[100];
    format(prefix, sizeof prefix, "%s/odd/", s->base);
    list_into(s, prefix, NULL, 0, &all);
    assert_int_equal(all.n, ODD);
    for (size_t i = 0; i < ODD; i++)
        expect_rc(s, s->driver->remove(s->store, all.keys[i], &s->err), PST_OK);
    key_list_done(&all);
    list_into(s, prefix, NULL, 0, &all);
    assert_int_equal(all.n, 0);
}

/* A few values an object, for S3 takes 2 KiB of them. */
static void test_odd_metadata(void **state)
{
    suite *s = *state;
    enum { EACH = 6 };
    for (size_t i = 0; i < ODD; i += EACH) {
        names n = chain_names(s, "meta", (int64_t)i);
        pst_store_meta meta = {0};
        pst_store_info info;
        for (size_t j = 0; j < EACH; j++) {
            char name[64];
            char value[200];
            format(name, sizeof name, "penstock-v%zu", i + j);
            odd_text(i + j, value, sizeof value);
            for (char *p = value; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                    *p = '~';
            assert_int_equal(pst_store_meta_add(&meta, name, "%s", value), PST_OK);
        }
        expect_rc(s, put_text(s, n.key, n.link, "x", &meta, true, &s->err), PST_OK);
        expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
        for (size_t j = 0; j < EACH; j++) {
            const char *got = pst_store_meta_get(&info.meta, meta.pairs[j].name);
            assert_non_null(got);
            assert_string_equal(got, meta.pairs[j].value);
        }
    }
}

static void test_full_metadata(void **state)
{
    suite *s = *state;
    names n = chain_names(s, "meta", 1000);
    pst_store_meta meta = {0};
    pst_store_info info;
    for (int i = 0; i < PST_STORE_META_MAX; i++) {
        char name[64];
        format(name, sizeof name, "penstock-%d", i);
        assert_int_equal(pst_store_meta_add(&meta, name, "%0100d", i), PST_OK);
    }
    assert_int_equal(pst_store_meta_add(&meta, "penstock-more", "x"), PST_E_LIMIT);
    expect_rc(s, put_text(s, n.key, n.link, "x", &meta, true, &s->err), PST_OK);
    expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
    for (int i = 0; i < PST_STORE_META_MAX; i++)
        assert_string_equal(pst_store_meta_get(&info.meta, meta.pairs[i].name),
                            meta.pairs[i].value);
}

/* ---- listing ---- */

typedef struct filler {
    suite *s;
    int id;
    atomic_int *failed;
} filler;

static void many_key(const suite *s, int i, char *out, size_t size)
{
    format(out, size, "%s/many/%s%d", s->base, i % 3 ? "n" : "n/", i * 37 % MANY);
}

static void *fill(void *opaque)
{
    filler *f = opaque;
    for (int i = f->id; i < MANY; i += RACERS) {
        char key[200];
        pst_err err = PST_ERR_INIT;
        many_key(f->s, i, key, sizeof key);
        if (put_text(f->s, key, NULL, "12345", NULL, true, &err) != PST_OK)
            atomic_fetch_add(f->failed, 1);
    }
    return NULL;
}

static void put_many(suite *s)
{
    pthread_t threads[RACERS];
    filler fillers[RACERS];
    atomic_int failed = 0;
    for (int i = 0; i < RACERS; i++) {
        fillers[i] = (filler){s, i, &failed};
        pthread_create(&threads[i], NULL, fill, &fillers[i]);
    }
    for (int i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&failed), 0);
}

static void check_part(suite *s, const key_list *all, size_t from, size_t limit)
{
    char prefix[100];
    key_list part = {0};
    format(prefix, sizeof prefix, "%s/many/", s->base);
    list_into(s, prefix, from ? all->keys[from - 1] : NULL, limit, &part);
    size_t want = limit && all->n - from > limit ? limit : all->n - from;
    assert_int_equal(part.n, want);
    for (size_t i = 0; i < part.n; i++)
        assert_string_equal(part.keys[i], all->keys[from + i]);
    key_list_done(&part);
}

static void test_listing(void **state)
{
    suite *s = *state;
    char prefix[100];
    char beyond[100];
    key_list all = {0};
    key_list want = {0};
    put_many(s);
    for (int i = 0; i < MANY; i++) {
        char key[200];
        many_key(s, i, key, sizeof key);
        collect(&want, key, 5);
    }
    qsort(want.keys, want.n, sizeof *want.keys, by_bytes);
    format(prefix, sizeof prefix, "%s/many/", s->base);
    list_into(s, prefix, NULL, 0, &all);
    assert_int_equal(all.n, MANY);
    assert_int_equal(all.bytes, MANY * 5);
    for (size_t i = 0; i < all.n; i++)
        assert_string_equal(all.keys[i], want.keys[i]);
    check_part(s, &all, 0, 1);
    check_part(s, &all, 0, 1000);
    check_part(s, &all, 0, 1001);
    check_part(s, &all, 17, 7);
    check_part(s, &all, 999, 0);
    check_part(s, &all, MANY - 1, 0);
    check_part(s, &all, MANY, 5);
    key_list few = {.stop_after = 3};
    list_into(s, prefix, NULL, 0, &few);
    assert_int_equal(few.n, 3);
    key_list_done(&few);
    format(beyond, sizeof beyond, "%s/manz", s->base);
    list_into(s, prefix, beyond, 0, &few); /* after all of them */
    assert_int_equal(few.n, 0);
    list_into(s, beyond, NULL, 0, &few); /* a prefix that nothing has */
    assert_int_equal(few.n, 0);
    format(beyond, sizeof beyond, "%s/many/n/1", s->base); /* not at a slash */
    list_into(s, beyond, NULL, 0, &few);
    assert_true(few.n > 10);
    for (size_t i = 0; i < few.n; i++)
        assert_memory_equal(few.keys[i], beyond, strlen(beyond));
    key_list_done(&few);
    key_list_done(&want);
    key_list_done(&all);
}

/* ---- the probe, the number of requests ---- */

static void test_probe(void **state)
{
    suite *s = *state;
    pst_store_abilities can = {0};
    for (int i = 0; i < 2; i++) { /* also when the probe's object is there */
        expect_rc(s, pst_store_probe(s->store, s->base, &can, &s->err), PST_OK);
        assert_true(can.conditional_create);
    }
}

static void test_one_request_an_object(void **state)
{
    suite *s = *state;
    if (s->driver != &pst_store_s3)
        return;
    uint64_t put = pst_store_requests(s->store, "PUT");
    uint64_t others =
        pst_store_requests(s->store, "HEAD") + pst_store_requests(s->store, "GET") +
        pst_store_requests(s->store, "LIST") + pst_store_requests(s->store, "DELETE");
    for (int i = 0; i < 10; i++) {
        names n = chain_names(s, "count", i);
        expect_rc(s, put_text(s, n.key, n.link, "x", NULL, true, &s->err), PST_OK);
    }
    assert_int_equal(pst_store_requests(s->store, "PUT") - put, 10);
    assert_int_equal(
        pst_store_requests(s->store, "HEAD") + pst_store_requests(s->store, "GET") +
            pst_store_requests(s->store, "LIST") + pst_store_requests(s->store, "DELETE"),
        others);
}

/* ---- what S3 refuses ---- */

static pst_store *open_other(suite *s, const pst_store_conf *conf)
{
    pst_store *other = NULL;
    expect_rc(s, pst_store_open(&other, conf, pst_clock_system(), NULL, NULL, &s->err),
              PST_OK);
    return other;
}

static pst_rc list_one(pst_store *store, pst_err *err)
{
    key_list all = {0};
    pst_store_list list = {.prefix = "x", .limit = 1};
    pst_rc rc = store->driver->list(store, &list, collect, &all, err);
    key_list_done(&all);
    return rc;
}

static void test_missing_bucket(void **state)
{
    suite *s = *state;
    pst_store_conf conf = s->conf;
    pst_store_info info;
    char bucket[100];
    if (s->driver != &pst_store_s3)
        return;
    format(bucket, sizeof bucket, "%s-missing", s->conf.bucket);
    conf.bucket = bucket;
    pst_store *other = open_other(s, &conf);
    pst_store_put put = {.key = "x", .bytes = PST_SV("x"), .create_only = true};
    put.crc32c = pst_crc32c(0, "x", 1);
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_E_NOT_FOUND);
    assert_true(s->err.retriable);
    assert_false(s->err.unknown);
    assert_non_null(strstr(s->err.text, "s3.bucket.name"));
    expect_rc(s, list_one(other, &s->err), PST_E_NOT_FOUND);
    assert_non_null(strstr(s->err.text, "s3.bucket.name"));
    expect_rc(s, other->driver->head(other, "x", NULL, &info, &s->err), PST_E_NOT_FOUND);
    pst_store_abilities can;
    expect_rc(s, pst_store_probe(other, "t", &can, &s->err), PST_E_NOT_FOUND);
    print_message("# %s\n", s->err.text);
    pst_store_close(other);
}

static void test_wrong_keys(void **state)
{
    suite *s = *state;
    pst_store_conf conf = s->conf;
    pst_store_info info;
    if (s->driver != &pst_store_s3)
        return;
    char nobody[] = "NOBODY1234567890ABCD";
    char secret[] = "not-the-secret-that-belongs-to-it";
    conf.access_key_id = nobody;
    conf.secret_access_key = secret;
    pst_store *other = open_other(s, &conf);
    pst_store_put put = {.key = "x", .bytes = PST_SV("x"), .create_only = true};
    put.crc32c = pst_crc32c(0, "x", 1);
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_E_AUTH);
    assert_true(s->err.retriable);
    assert_false(s->err.unknown);
    assert_non_null(strstr(s->err.text, "aws.access.key.id"));
    assert_null(strstr(s->err.text, nobody));
    assert_null(strstr(s->err.text, secret));
    print_message("# %s\n", s->err.text);
    expect_rc(s, other->driver->head(other, "x", NULL, &info, &s->err), PST_E_AUTH);
    expect_rc(s, list_one(other, &s->err), PST_E_AUTH);
    pst_store_close(other);
    char *right = getenv("AWS_ACCESS_KEY_ID");
    conf.access_key_id = right;
    other = open_other(s, &conf);
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_E_AUTH);
    assert_non_null(strstr(s->err.text, "aws.secret.access.key"));
    print_message("# %s\n", s->err.text);
    pst_store_close(other);
}

/* Rule 9 rests on it: what was signed long ago is refused. */
static void test_old_signature(void **state)
{
    suite *s = *state;
    if (s->driver != &pst_store_s3)
        return;
    names n = chain_names(s, "old", 0);
    pst_store_put put = {.key = n.key,
                         .bytes = PST_SV("x"),
                         .crc32c = pst_crc32c(0, "x", 1),
                         .create_only = true,
                         .dated_ms = pst_wall_ms(pst_clock_system()) - 20 * 60 * 1000};
    expect_rc(s, s->driver->put(s->store, &put, &s->err), PST_E_IO);
    assert_true(s->err.retriable);
    assert_false(s->err.unknown);
    print_message("# %s\n", s->err.text);
    put.dated_ms = pst_wall_ms(pst_clock_system());
    expect_rc(s, s->driver->put(s->store, &put, &s->err), PST_OK);
}

static int64_t late_clock(void *self)
{
    (void)self;
    return pst_wall_ms(pst_clock_system()) - 3 * 3600 * 1000;
}

static int64_t mono_clock(void *self)
{
    (void)self;
    return pst_mono_ms(pst_clock_system());
}

static void test_wrong_clock(void **state)
{
    suite *s = *state;
    static const pst_clock late = {late_clock, mono_clock, NULL};
    if (s->driver != &pst_store_s3)
        return;
    pst_store *other = NULL;
    names n = chain_names(s, "clock", 0);
    expect_rc(s, pst_store_open(&other, &s->conf, &late, NULL, NULL, &s->err), PST_OK);
    int64_t dated = late_clock(NULL);
    pst_store_put put = {.key = n.key,
                         .bytes = PST_SV("x"),
                         .crc32c = pst_crc32c(0, "x", 1),
                         .create_only = true,
                         .dated_ms = dated - 5};
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_E_IO);
    assert_true(s->err.retriable);
    print_message("# %s\n", s->err.text);
    /* a date from before the correction stays refused: the writer may have slept */
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_E_IO);
    pst_cancel_wait(NULL, 5);
    put.dated_ms = late_clock(NULL);
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_OK);
    pst_store_close(other);
}

static void test_damaged_body(void **state)
{
    suite *s = *state;
    pst_store_info info;
    if (s->driver != &pst_store_s3)
        return;
    names n = chain_names(s, "damaged", 0);
    pst_store_put put = {.key = n.key,
                         .bytes = PST_SV("these bytes"),
                         .crc32c = pst_crc32c(0, "other bytes", 11),
                         .create_only = true};
    expect_rc(s, s->driver->put(s->store, &put, &s->err), PST_E_IO);
    assert_true(s->err.retriable);
    assert_true(s->err.unknown);
    print_message("# %s\n", s->err.text);
    expect_rc(s, s->driver->head(s->store, n.key, NULL, &info, &s->err), PST_E_NOT_FOUND);
}

/* ---- running it ---- */

static bool open_store(suite *s)
{
    s->log = pst_log_new(log_line, NULL);
    if (pst_store_open(&s->store, &s->conf, pst_clock_system(), NULL, s->log, &s->err) !=
        PST_OK) {
        print_error("%s\n", s->err.text);
        return false;
    }
    s->driver = s->store->driver;
    return true;
}

/* Removes what the cases have put. */
static bool close_store(suite *s)
{
    key_list all = {0};
    pst_store_list list = {.prefix = s->base};
    pst_err err = PST_ERR_INIT;
    pst_rc rc = s->keep ? PST_OK : s->driver->list(s->store, &list, collect, &all, &err);
    for (size_t i = 0; i < all.n && rc == PST_OK; i++)
        rc = s->driver->remove(s->store, all.keys[i], &err);
    key_list_done(&all);
    if (rc != PST_OK)
        print_error("%s\n", err.text);
    pst_store_close(s->store);
    pst_log_free(s->log);
    return rc == PST_OK;
}

static bool parse_options(int argc, char **argv, suite *s)
{
    pst_store_conf *conf = &s->conf;
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},
        {"bucket", required_argument, NULL, 'b'},
        {"region", required_argument, NULL, 'r'},
        {"virtual-host", no_argument, NULL, 'v'},
        {"keep", no_argument, NULL, 'k'},
        {"ca-file", required_argument, NULL, 'c'},
        {"filter", required_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'u':
            conf->url = optarg;
            break;
        case 'b':
            conf->bucket = optarg;
            break;
        case 'r':
            conf->region = optarg;
            break;
        case 'v':
            conf->path_style = false;
            break;
        case 'k':
            s->keep = true;
            break;
        case 'c':
            conf->ca_file = optarg;
            break;
        case 'f':
            cmocka_set_test_filter(optarg);
            break;
        default:
            return false;
        }
    }
    return conf->url && optind == argc;
}

int main(int argc, char **argv)
{
    static suite s;
    s.conf.path_style = true;
    if (!parse_options(argc, argv, &s)) {
        fprintf(stderr, "usage: store_suite --url URL [--bucket B] [--region R] "
                        "[--virtual-host] [--ca-file F] [--filter GLOB] [--keep]\n");
        return 2;
    }
    snprintf(s.base, sizeof s.base, "suite-%lld-%d",
             (long long)pst_wall_ms(pst_clock_system()), (int)getpid());
#define CASE(name) cmocka_unit_test_prestate(name, &s)
    const struct CMUnitTest tests[] = {
        CASE(test_round_trip),
        CASE(test_conditional_create),
        CASE(test_empty_object),
        CASE(test_large_object),
        CASE(test_remove_and_not_found),
        CASE(test_bad_keys),
        CASE(test_race),
        CASE(test_odd_keys),
        CASE(test_odd_metadata),
        CASE(test_full_metadata),
        CASE(test_listing),
        CASE(test_probe),
        CASE(test_one_request_an_object),
        CASE(test_missing_bucket),
        CASE(test_wrong_keys),
        CASE(test_old_signature),
        CASE(test_wrong_clock),
        CASE(test_damaged_body),
    };
    if (!open_store(&s))
        return 1;
    int failed = cmocka_run_group_tests_name("store", tests, NULL, NULL);
    return close_store(&s) && failed == 0 ? 0 : 1;
}

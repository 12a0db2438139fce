/*
 * suite_keys.c - conformance: odd keys and metadata values, and listings in byte order.
 */
#include "tests/store/store_suite.h"

#include <pthread.h>
#include <stdatomic.h>

enum { FILLERS = 8, MANY = 1234, ODD = 300 };

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
    for (int i = f->id; i < MANY; i += FILLERS) {
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
    pthread_t threads[FILLERS];
    filler fillers[FILLERS];
    atomic_int failed = 0;
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = (filler){s, i, &failed};
        pthread_create(&threads[i], NULL, fill, &fillers[i]);
    }
    for (int i = 0; i < FILLERS; i++)
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

const struct CMUnitTest suite_keys[] = {
    cmocka_unit_test(test_odd_keys),
    cmocka_unit_test(test_odd_metadata),
    cmocka_unit_test(test_full_metadata),
    cmocka_unit_test(test_listing),
};
const size_t suite_keys_n = sizeof suite_keys / sizeof *suite_keys;

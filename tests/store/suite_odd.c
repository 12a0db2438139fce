/*
 * suite_odd.c - conformance: odd keys and metadata values. What a driver can't hold it
 * refuses, with a plain error and nothing put; `shapes` and odd_refused() say who refuses
 * what, and everything else must come back as it was.
 */
#include "tests/store/store_suite.h"

enum { ODD_KEYS = 300, ODD_VALUES = 300 };

/* ---- odd texts ---- */

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

void odd_text(size_t i, char *out, size_t size)
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

/* ---- whole keys ---- */

enum { BY_DIR = 1, BY_S3 = 2, BY_LIBS3 = 4, BY_ALL = 7 };

/* Below the suite's own folder. MinIO is what S3's drivers speak to here: it refuses
   empty parts and dots, which other stores hold. */
static const struct {
    const char *text;
    unsigned refused;
} shapes[] = {
    {"//", BY_ALL},
    {"/a", BY_ALL}, /* with the folder's own slash: an empty part */
    {"a//b", BY_ALL},
    {"a/", BY_DIR | BY_LIBS3},
    {".", BY_ALL},
    {"..", BY_ALL},
    {"./a", BY_ALL},
    {"a/.", BY_ALL},
    {"a/./b", BY_ALL},
    {"a/../b", BY_ALL},
    {"../../../a", BY_ALL},
    {".tmp-a", BY_DIR},
    {"a/.tmp-b/c", BY_DIR},
    {"a/b/c/d/e/f/g/h/i/j", 0},
    {"a=1/b=%2F..%2F/c", 0},
    {"a..b/..c/d..", 0},
    {"a+b/c+d/e+0+00000000000000000000.csv", 0},
};

static bool is_directory(const suite *s)
{
    return s->driver == &pst_store_dir;
}

static unsigned mine(const suite *s)
{
    return is_directory(s) ? BY_DIR : is_libs3(s->driver) ? BY_LIBS3 : BY_S3;
}

bool odd_refused(const pst_store_driver *driver, bool spaces, const char *key)
{
    if (!is_libs3(driver))
        return false;
    for (const char *p = key; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f || (*p == ' ' && !spaces))
            return true;
    return false;
}

void odd_key(const suite *s, size_t i, char *out, size_t size)
{
    char text[200];
    odd_text(i, text, sizeof text);
    bool dots = strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
    format(out, size, "%s/odd/%03zu/%s%s", s->base, i, text, dots ? "x" : "");
}

static size_t count_below(suite *s, const char *prefix)
{
    key_list all = {0};
    list_into(s, prefix, NULL, 0, &all);
    size_t n = all.n;
    key_list_done(&all);
    return n;
}

static void expect_refused(suite *s, const char *key)
{
    pst_store_info info;
    expect_rc(s, put_plain(s, key, "x", true), PST_E_INVALID);
    assert_false(s->err.retriable);
    assert_false(s->err.unknown);
    assert_null(strchr(s->err.text, '\n'));
    print_message("# %s\n", s->err.text);
    pst_err_clear(&s->err);
    assert_int_not_equal(s->driver->head(s->store, key, NULL, &info, &s->err), PST_OK);
}

static void expect_round_trip(suite *s, const char *folder, const char *key,
                              const char *text)
{
    pst_store_info info;
    key_list below = {0};
    expect_rc(s, put_plain(s, key, text, true), PST_OK);
    expect_taken(s, key, NULL);
    expect_rc(s, s->driver->head(s->store, key, NULL, &info, &s->err), PST_OK);
    assert_int_equal(info.size, strlen(text));
    expect_body(s, key, text);
    list_into(s, folder, NULL, 0, &below);
    assert_int_equal(below.n, 1);
    assert_string_equal(below.keys[0], key);
    key_list_done(&below);
    list_into(s, key, NULL, 1, &below); /* as a prefix, and to start after */
    assert_int_equal(below.n, 1);
    key_list_done(&below);
    list_into(s, folder, key, 0, &below);
    assert_int_equal(below.n, 0);
    key_list_done(&below);
}

static void test_odd_keys(void **state)
{
    suite *s = *state;
    key_list all = {0};
    size_t refused = 0;
    for (size_t i = 0; i < ODD_KEYS; i++) {
        char key[400];
        char folder[100];
        char text[32];
        odd_key(s, i, key, sizeof key);
        format(folder, sizeof folder, "%s/odd/%03zu/", s->base, i);
        format(text, sizeof text, "odd %zu", i);
        if (odd_refused(s->driver, s->spaces, key)) {
            expect_refused(s, key);
            refused++;
        } else {
            expect_round_trip(s, folder, key, text);
        }
    }
    char prefix[100];
    format(prefix, sizeof prefix, "%s/odd/", s->base);
    list_into(s, prefix, NULL, 0, &all);
    assert_int_equal(all.n, ODD_KEYS - refused);
    assert_true(all.n > ODD_KEYS / 2);
    for (size_t i = 0; i < all.n; i++)
        expect_rc(s, s->driver->remove(s->store, all.keys[i], &s->err), PST_OK);
    key_list_done(&all);
    assert_int_equal(count_below(s, prefix), 0);
}

static void test_odd_shapes(void **state)
{
    suite *s = *state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char key[400];
        char folder[100];
        format(folder, sizeof folder, "%s/shape/%zu/", s->base, i);
        format(key, sizeof key, "%s%s", folder, shapes[i].text);
        if (shapes[i].refused & mine(s)) {
            expect_refused(s, key);
            assert_int_equal(count_below(s, folder), 0);
        } else {
            expect_round_trip(s, folder, key, shapes[i].text);
        }
    }
}

/* "/key" is no "key": it is refused, or an object of its own. */
static void test_leading_slash(void **state)
{
    suite *s = *state;
    char key[200];
    pst_store_info info;
    format(key, sizeof key, "/%s/slash/a", s->base);
    pst_rc rc = put_plain(s, key, "leading", true);
    if (rc == PST_OK) {
        expect_body(s, key, "leading");
        expect_rc(s, s->driver->remove(s->store, key, &s->err), PST_OK);
    } else {
        expect_refused(s, key);
    }
    expect_rc(s, s->driver->head(s->store, key + 1, NULL, &info, &s->err),
              PST_E_NOT_FOUND);
}

static void test_longest_key(void **state)
{
    suite *s = *state;
    char key[PST_STORE_KEY_MAX + 2];
    char folder[100];
    format(folder, sizeof folder, "%s/long/", s->base);
    memset(key, 'k', sizeof key);
    memcpy(key, folder, strlen(folder));
    for (size_t i = strlen(folder) + 100; i < PST_STORE_KEY_MAX - 1; i += 200)
        key[i] = '/';
    /* libs3 would cut the last byte in a listing */
    size_t most = PST_STORE_KEY_MAX - (is_libs3(s->driver) ? 1 : 0);
    key[most + 1] = '\0';
    expect_refused(s, key);
    key[most] = '\0';
    expect_round_trip(s, folder, key, "the longest key");
}

/* ---- metadata ---- */

/* A few values an object, for S3 takes 2 KiB of them. */
static void test_odd_metadata(void **state)
{
    suite *s = *state;
    enum { EACH = 6 };
    for (size_t i = 0; i < ODD_VALUES; i += EACH) {
        names n = chain_names(s, "meta", (int64_t)i);
        pst_store_meta meta = {0};
        pst_store_info info;
        odd_meta(&meta, i, EACH);
        expect_rc(s, put_text(s, n.key, n.link, "x", &meta, true, &s->err), PST_OK);
        expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
        expect_meta(&info.meta, &meta);
    }
}

void odd_meta(pst_store_meta *meta, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        char name[64];
        char value[200];
        format(name, sizeof name, "penstock-v%zu", i);
        odd_text(i, value, sizeof value);
        for (char *p = value; *p; p++)
            if ((unsigned char)*p < 0x20 || *p == 0x7f)
                *p = '~';
        assert_int_equal(pst_store_meta_add(meta, name, "%s", value), PST_OK);
    }
}

void expect_meta(const pst_store_meta *got, const pst_store_meta *want)
{
    for (size_t i = 0; i < want->n; i++) {
        const char *value = pst_store_meta_get(got, want->pairs[i].name);
        assert_non_null(value);
        assert_string_equal(value, want->pairs[i].value);
    }
}

/* Names of which one begins another, and each length that a header may have. */
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
    expect_meta(&info.meta, &meta);
    n = chain_names(s, "meta", 1001);
    meta.n = 0;
    assert_int_equal(pst_store_meta_add(&meta, "a", "1"), PST_OK);
    assert_int_equal(pst_store_meta_add(&meta, "a-b", "2"), PST_OK);
    assert_int_equal(pst_store_meta_add(&meta, "ab", "%0511d", 3), PST_OK);
    assert_int_equal(pst_store_meta_add(&meta, "penstock-empty", "%s", ""), PST_OK);
    expect_rc(s, put_text(s, n.key, n.link, "x", &meta, true, &s->err), PST_OK);
    expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
    meta.n--;
    expect_meta(&info.meta, &meta);
    const char *empty = pst_store_meta_get(&info.meta, "penstock-empty");
    assert_true(empty ? !empty[0] : is_libs3(s->driver)); /* which can't send it */
}

const struct CMUnitTest suite_odd[] = {
    cmocka_unit_test(test_odd_keys),      cmocka_unit_test(test_odd_shapes),
    cmocka_unit_test(test_leading_slash), cmocka_unit_test(test_longest_key),
    cmocka_unit_test(test_odd_metadata),  cmocka_unit_test(test_full_metadata),
};
const size_t suite_odd_n = sizeof suite_odd / sizeof *suite_odd;

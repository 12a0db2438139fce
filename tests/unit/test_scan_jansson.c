/*
 * test_scan_jansson.c - the reader against jansson on documents that both accept: the
 * same values come out. Where only one accepts a document, the reason is one of the
 * documented differences: Spark takes and jansson refuses: single quotes, NaN and
 * Infinity, \u0000 (without JSON_ALLOW_NUL), lone surrogates, invalid UTF-8, integers
 * beyond 64 bits, reals beyond a double, anything behind the object; both refuse, but
 * Spark from 1,001 levels or digits on.
 */
#include "test_record_common.h"

#include <jansson.h>
#include <math.h>

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static json_t *random_value(uint64_t *seed, int depth);

static json_t *random_text(uint64_t *seed)
{
    static const char *const texts[] = {"",
                                        "plain",
                                        "a,b",
                                        "say \"hi\"",
                                        "\\",
                                        "tab\t",
                                        "\n",
                                        "\xc3\xa9",
                                        "\xf0\x9f\x98\x80",
                                        "\x01x",
                                        "/",
                                        "{}",
                                        "0123456789012345678"};
    return json_string(texts[next(seed) % 13]);
}

static json_t *random_object(uint64_t *seed, int depth)
{
    json_t *object = json_object();
    for (uint64_t n = next(seed) % 4; n; n--) {
        char name[8];
        snprintf(name, sizeof name, "k%d", (int)(next(seed) % 10));
        json_object_set_new(object, name, random_value(seed, depth + 1));
    }
    return object;
}

static json_t *random_value(uint64_t *seed, int depth)
{
    json_t *array;
    switch (next(seed) % (depth > 3 ? 6 : 8)) {
    case 0:
        return json_integer((json_int_t)next(seed) >> (next(seed) % 63));
    case 1:
        return json_real((double)(int64_t)next(seed) / 1e12);
    case 2:
        return json_boolean(next(seed) & 1);
    case 3:
        return json_null();
    case 4:
    case 5:
        return random_text(seed);
    case 6:
        return random_object(seed, depth);
    default:
        array = json_array();
        for (uint64_t n = next(seed) % 4; n; n--)
            json_array_append_new(array, random_value(seed, depth + 1));
        return array;
    }
}

static json_t *random_record(uint64_t *seed)
{
    json_t *record = json_object(), *st = random_object(seed, 2);
    json_object_set_new(st, "a", random_text(seed));
    json_object_set_new(record, "i", random_value(seed, 2));
    json_object_set_new(record, "d", json_real((double)(int64_t)next(seed) / 1e15));
    json_object_set_new(record, "x", random_value(seed, 0));
    json_object_set_new(record, "s", random_text(seed));
    json_object_set_new(record, "b", json_boolean(next(seed) & 1));
    json_object_set_new(record, "st", st);
    return record;
}

typedef struct rows {
    pst_reader *reader;
    pst_row row;
} rows;

static void same_text(const pst_cell *cell, const json_t *value)
{
    if (!json_is_string(value)) {
        assert_true(cell->null);
        return;
    }
    assert_false(cell->null);
    assert_int_equal(cell->as.s.n, json_string_length(value));
    assert_memory_equal(cell->as.s.p, json_string_value(value), cell->as.s.n);
}

/* Columns: i, d, s, b, st.a */
static void check(const rows *r, const json_t *doc)
{
    const pst_cell *c = r->row.cells;
    const json_t *i = json_object_get(doc, "i"), *d = json_object_get(doc, "d");
    assert_int_equal(c[0].null, !json_is_integer(i));
    if (!c[0].null)
        assert_true(c[0].as.i == json_integer_value(i));
    assert_int_equal(c[1].null, !json_is_number(d));
    if (!c[1].null)
        assert_true(c[1].as.d == json_number_value(d));
    same_text(&c[2], json_object_get(doc, "s"));
    assert_int_equal(c[3].null, !json_is_boolean(json_object_get(doc, "b")));
    if (!c[3].null)
        assert_int_equal(c[3].as.b, json_is_true(json_object_get(doc, "b")));
    same_text(&c[4], json_object_get(json_object_get(doc, "st"), "a"));
}

static void open_rows(rows *r)
{
    pipe_conf conf;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pipe_options(&conf,
                                  OPTIONS("value.schema=i BIGINT, d DOUBLE, s STRING, b "
                                          "BOOLEAN, st STRUCT<a: STRING>",
                                          "select=i, d, s, b, st.a"),
                                  &err),
                     PST_OK);
    assert_int_equal(pst_reader_new(&r->reader, &conf.reader, &err), PST_OK);
    pst_conf_done(&PIPE_SPEC, &conf);
}

static void read_text(rows *r, const char *text, size_t n)
{
    pst_err err = PST_ERR_INIT;
    pst_msg msg = {.topic = "t", .value = {text, n}};
    assert_int_equal(pst_reader_read(r->reader, &msg, &r->row, &err), PST_OK);
}

/* Does jansson take a document that starts the text? Then the reader must agree. */
static bool agree(rows *r, const char *text, size_t n)
{
    json_error_t error;
    uint64_t malformed = pst_reader_get_stats(r->reader)->malformed;
    json_t *doc = json_loadb(text, n, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &error);
    read_text(r, text, n);
    bool taken = json_is_object(doc);
    if (taken) {
        if (pst_reader_get_stats(r->reader)->malformed != malformed)
            fail_msg("jansson takes it: %.*s", (int)n, text);
        check(r, doc);
    }
    json_decref(doc);
    return taken;
}

static void generated_documents(void **state)
{
    (void)state;
    static const size_t styles[] = {JSON_COMPACT, JSON_INDENT(2), JSON_ENSURE_ASCII,
                                    JSON_ESCAPE_SLASH};
    rows r;
    open_rows(&r);
    uint64_t seed = 2463534242u;
    for (int k = 0; k < 20000; k++) {
        json_t *doc = random_record(&seed);
        char *text = json_dumps(doc, styles[next(&seed) % 4] | JSON_REAL_PRECISION(17));
        size_t n = strlen(text);
        assert_true(agree(&r, text, n));
        for (uint64_t damage = next(&seed) % 4; damage; damage--) {
            text[next(&seed) % n] = "{}[]\",:0.-e\\ux "[next(&seed) % 15];
            (void)agree(&r, text, n);
        }
        free(text);
        json_decref(doc);
    }
    assert_true(pst_reader_get_stats(r.reader)->malformed > 5000);
    pst_reader_free(r.reader);
}

static void documented_differences(void **state)
{
    (void)state;
    static const char *const only_ours[] = {"{'s':1}",
                                            "{\"d\":NaN}",
                                            "{\"s\":\"\\ud83d\"}",
                                            "{\"s\":\"\xff\"}",
                                            "{\"i\":99999999999999999999}",
                                            "{\"d\":1e999}"};
    rows r;
    open_rows(&r);
    for (size_t i = 0; i < sizeof only_ours / sizeof *only_ours; i++) {
        const char *text = only_ours[i];
        json_error_t error;
        json_t *doc = json_loads(text, 0, &error);
        assert_null(doc);
        read_text(&r, text, strlen(text));
    }
    assert_int_equal(pst_reader_get_stats(r.reader)->malformed, 0);
    pst_reader_free(r.reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_documents),
        cmocka_unit_test(documented_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

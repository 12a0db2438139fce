/*
 * test_headers.c - the Kafka column headers in the select list: what its elements are,
 * and which parts of it are no columns.
 */
#include "record/headers.h"

#include "test_record_common.h"

#define SCHEMA "value.schema=x INT"

/* What stands behind pst_msg.headers here. */
typedef struct fake {
    size_t n;
    struct {
        pst_sv key, value;
    } at[3];
    pst_rc rc;
    int asked;
} fake;

static pst_rc fake_at(const void *headers, size_t index, pst_sv *key, pst_sv *value)
{
    fake *f = (fake *)(uintptr_t)headers;
    f->asked++;
    if (f->rc != PST_OK || index >= f->n)
        return f->rc ? f->rc : PST_E_NOT_FOUND;
    *key = f->at[index].key;
    *value = f->at[index].value;
    return PST_OK;
}

static fake trace(void)
{
    return (fake){.n = 3,
                  .at = {{PST_SV("trace"), PST_SV("a-1")},
                         {PST_SV("none"), {NULL, 0}},
                         {PST_SV("b\xff"), PST_SV("\xc3\xa9\xff")}}};
}

static void open_with(struct pipe *p, const char *select, fake *headers)
{
    pst_err err = PST_ERR_INIT;
    if (pipe_open(p, OPTIONS(SCHEMA, select), &err) != PST_OK)
        fail_msg("%s", err.text);
    p->headers = headers;
}

static void check(const char *select, fake *headers, const char *want)
{
    struct pipe p;
    open_with(&p, select, headers);
    assert_true(pst_reader_set_headers(p.reader, fake_at));
    assert_string_equal(pipe_line(&p, PST_SV("{\"x\":7}")), want);
    pipe_close(&p);
}

static void elements(void **state)
{
    (void)state;
    fake f = trace();
    check("select=headers[0].key, CAST(headers[0].value AS STRING) AS v, x", &f,
          "trace,a-1,7");
    check("select=headers.key[0] AS k, CAST(headers.value[0] AS STRING) AS v", &f,
          "trace,a-1");
    check("select=HEADERS[0].Key AS k, Headers.VALUE[0] || '!' AS v", &f, "trace,a-1!");
    check("select=upper(headers[0].key) AS k, coalesce(headers[9].key, '-') AS n", &f,
          "TRACE,-");
    check("select=CAST(CAST(headers[0].value AS STRING) AS DATE) AS d, x", &f, ",7");
    check("select=headers[2].key, CAST(headers[2].value AS STRING) AS v", &f,
          "b\xef\xbf\xbd,\xc3\xa9\xef\xbf\xbd");
}

/* An array's place that is not there is null, as is a null value. */
static void nulls(void **state)
{
    (void)state;
    fake f = trace(), empty = {.n = 0};
    const char *first = "select=headers[0].key, CAST(headers[0].value AS STRING) AS v, x";
    check("select=headers[1].key, CAST(headers[1].value AS STRING) AS v, x", &f,
          "none,,7");
    check("select=headers[3].key, headers[-1].key AS m, x", &f, ",,7");
    check("select=headers[9223372036854775807].key, headers[4294967295].key AS m, x", &f,
          ",,7");
    f.at[1].value = PST_SV("");
    check("select=CAST(headers[1].value AS STRING) AS v, x", &f, "\"\",7");
    check(first, &empty, ",,7");
    check(first, NULL, ",,7");
    struct pipe p;
    open_with(&p, first, &f); /* nobody said how headers are read */
    assert_string_equal(pipe_line(&p, PST_SV("{\"x\":7}")), ",,7");
    pipe_close(&p);
}

/* A tombstone has headers too. */
static void of_a_tombstone(void **state)
{
    (void)state;
    struct pipe p;
    fake f = trace();
    open_with(&p, "select=headers[0].key, x", &f);
    assert_true(pst_reader_set_headers(p.reader, fake_at));
    assert_string_equal(pipe_line(&p, (pst_sv){NULL, 0}), "trace,");
    pipe_close(&p);
}

static void only_asked_for_when_selected(void **state)
{
    (void)state;
    struct pipe p;
    fake f = trace();
    open_with(&p, "select=x, topic, upper(topic) AS t", &f);
    assert_false(pst_reader_set_headers(p.reader, fake_at));
    assert_string_equal(pipe_line(&p, PST_SV("{\"x\":7}")), "7,users,USERS");
    assert_int_equal(f.asked, 0);
    pipe_close(&p);
    check("select=headers[0].key, headers[-1].key AS none", &f, "trace,");
    assert_int_equal(f.asked, 1);
}

static void broken_headers_are_a_bad_record(void **state)
{
    (void)state;
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    fake f = {.rc = PST_E_INVALID};
    open_with(&p, "select=x, upper(headers[0].key) AS k", &f);
    assert_true(pst_reader_set_headers(p.reader, fake_at));
    assert_int_equal(pipe_put(&p, PST_SV("{\"x\":7}"), &err), PST_E_INVALID);
    assert_string_equal(err.text, "the record's headers can't be parsed");
    f = trace();
    pst_err_clear(&err);
    assert_int_equal(pipe_put(&p, PST_SV("{\"x\":7}"), &err), PST_OK);
    pipe_close(&p);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *select, *text;
    } cases[] = {
        {"select=x, headers",
         "'headers' is ARRAY<STRUCT<key: STRING, value: BINARY>>, "
         "which no column of an object can hold; select headers[0].key "
         "or CAST(headers[0].value AS STRING)"},
        {"select=headers AS h", "which no column of an object can hold"},
        {"select=headers[0] AS h", "an element of headers is STRUCT<"},
        {"select=headers.key", "'headers.key' is ARRAY<STRING>, which no column"},
        {"select=upper(headers.value) AS h", "'headers.value' is ARRAY<BINARY>"},
        {"select=CAST(headers AS STRING) AS h", "which no column of an object can hold"},
        {"select=headers[0].value", "BINARY; select CAST("},
        {"select=headers[0].name", "and has no field 'name'"},
        {"select=headers.name", "and has no field 'name'"},
        {"select=headers[0].key.x", "a header's key is STRING and has no field 'x'"},
        {"select=headers[0].value[0] AS h", "value is BINARY; only ARRAY and MAP have"},
        {"select=headers[0][0] AS h", "only ARRAY and MAP have"},
        {"select=headers['a'].key AS h", "index must be a whole number"},
        {"select=headers[x].key AS h", "index must be a whole number"},
        {"select=headers.*", "a Kafka column has no .*"},
        {"select=CAST(headers[0].value AS INT) AS h", "BINARY can't be cast to INT"},
        {"select=topic[0] AS h", "a Kafka column has no elements"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(OPTIONS(SCHEMA, cases[i].select), cases[i].text);
    check_refused(OPTIONS(SCHEMA, "select=x,\n headers"), "at character 5: 'headers'");
    check_refused(
        OPTIONS(SCHEMA, "select=headers[0].KEY AS k", "spark.sql.caseSensitive=true"),
        "and has no field 'KEY'");
}

/* A column of the schema hides Kafka's. */
static void hidden(void **state)
{
    (void)state;
    check_line(OPTIONS("value.schema=headers ARRAY<STRUCT<key: STRING>>",
                       "select=headers[0].key AS k, topic"),
               "{\"headers\":[{\"key\":\"json\"}]}", "json,users");
    check_line(
        OPTIONS("value.schema=headers STRUCT<key: STRING>", "select=headers.key, topic"),
        "{\"headers\":{\"key\":\"json\"}}", "json,users");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements),
        cmocka_unit_test(nulls),
        cmocka_unit_test(of_a_tombstone),
        cmocka_unit_test(only_asked_for_when_selected),
        cmocka_unit_test(broken_headers_are_a_bad_record),
        cmocka_unit_test(refused),
        cmocka_unit_test(hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_select.c - the select list: names, stars, aliases, Kafka columns, and what is said
 * about those that are wrong.
 */
#include "record/select.h"

#include "test_record_common.h"

#define SCHEMA                                                                           \
    "value.schema=id BIGINT, name STRUCT<first: STRING, `last name`: STRING>, "          \
    "tags ARRAY<STRING>, Key STRING, data STRUCT<x: INT>"

static void columns(const char *select, const char *want)
{
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    char option[300], got[300] = "";
    size_t n, at = 0;
    snprintf(option, sizeof option, "select=%s", select);
    if (pipe_open(&p, OPTIONS(SCHEMA, option), &err) != PST_OK)
        fail_msg("%s", err.text);
    const pst_column *c = pst_reader_columns(p.reader, &n);
    for (size_t i = 0; i < n; i++)
        at +=
            (size_t)snprintf(got + at, sizeof got - at, "%s%s", i ? "," : "", c[i].name);
    assert_string_equal(got, want);
    pipe_close(&p);
}

static void names_and_aliases(void **state)
{
    (void)state;
    columns("id", "id");
    columns("ID AS Number, name.first first, data.x", "Number,first,x");
    columns("name.*", "first,last name");
    columns("name.`last name` AS `a b`", "a b");
    columns("topic, partition, offset, timestamp, timestampType",
            "topic,partition,offset,timestamp,timestampType");
    columns("key", "key"); /* the schema's column hides Kafka's */
    columns("upper(name.first), id", "upper(name.first),id");
    columns("1 AS one, 'x' AS two, CAST(id AS STRING) AS three", "one,two,three");
}

static void data_prefix(void **state)
{
    (void)state;
    check_line(
        OPTIONS("value.schema=id BIGINT, b STRUCT<c: INT>", "select=data.id, data.b.c"),
        "{\"id\":5,\"b\":{\"c\":6}}", "5,6");
    check_line(OPTIONS("value.schema=id BIGINT",
                       "select=data.*, topic, partition, offset, "
                       "timestamp, key"),
               "{\"id\":5}", "5,users,3,42,2021-07-14T02:15:05.564Z,k\xef\xbf\xbd");
}

static void refused(const char *select, const char *text)
{
    char option[300];
    snprintf(option, sizeof option, "select=%s", select);
    check_refused(OPTIONS(SCHEMA, option), text);
}

static void wrong_names(void **state)
{
    (void)state;
    refused("nam",
            "at character 1: no column 'nam' in value.schema; did you mean 'name'?");
    refused("id, name.frist",
            "at character 5: no column 'frist' in name; did you mean 'first'?");
    refused("id.x", "'id' is BIGINT and has no field 'x'");
    refused("headers",
            "STRUCT<key: STRING, value: BINARY>>, which no column of an object");
    refused("value", "the Kafka column value can't be selected");
    refused("name", "no column of an object can hold; select its fields: name.first");
    refused("tags", "'tags' is ARRAY<STRING>, which no column of an object can hold");
    refused("tags['x']", "an ARRAY's index must be a whole number");
    refused("id[0]", "'id' is BIGINT; only ARRAY and MAP have [ ]");
    refused("tags[0].x", "'tags' is STRING and has no field 'x'");
    refused("topic[0]", "a Kafka column has no elements");
    refused("id, id", "column 'id' is selected twice");
    refused("*", "* takes in column 'name'");
    refused("id.*", "'id' is no STRUCT");
}

static void wrong_syntax(void **state)
{
    (void)state;
    refused(",", "at character 1: expected a column, a function or a literal, found ','");
    refused("id AS", "at character 6: expected a name after AS, found the end");
    refused("id name x", "at character 9: expected ',' or the end, found 'x'");
    refused("upper(id", "expected ',' between arguments, found the end");
    refused("uper(id)", "unknown function UPER; did you mean UPPER?");
    refused("frobnicate(id)",
            "function FROBNICATE is not supported; there are CAST, COALESCE");
    refused("substring(id)", "SUBSTRING takes 2 to 3 arguments, not 1");
    refused("date_format(timestamp, id)", "takes its pattern as a string literal");
    refused("date_format(timestamp, 'YYYY')", "week-based patterns are unsupported");
    refused("CAST(id AS DATE)", "BIGINT can't be cast to DATE");
    refused("CAST(id STRING)", "expected AS in CAST(… AS type), found 'STRING'");
    refused("'x", "string is not closed");
}

static void elements(void **state)
{
    (void)state;
    const char *const *options =
        OPTIONS("value.schema=t ARRAY<STRING>, s ARRAY<STRUCT<x: INT, y: STRING>>, m "
                "MAP<STRING, INT>, n ARRAY<ARRAY<INT>>",
                "select=t[0] AS t0, t[-1] AS t1, s[1].x, m['k'] AS k, m.j, n[1][0] AS n, "
                "upper(t[1]) AS u");
    check_line(
        options,
        "{\"t\":[\"a\",\"b\"],\"s\":[null,{\"x\":5}],\"m\":{\"k\":1,\"j\":2,\"k\":3},"
        "\"n\":[[],[7]]}",
        "a,,5,1,2,7,B");
    check_line(options, "{\"t\":[],\"s\":{},\"m\":null}", ",,,,,,");
    /* a bad item takes its array or map with it, not the others */
    check_line(options, "{\"m\":{\"k\":1,\"j\":\"x\"},\"n\":[[1],[\"x\"]],\"t\":[1]}",
               "1,,,,,,");
    check_line(options, "{\"t\":[\"a\"],\"t\":5,\"s\":[{},{\"x\":\"bad\"}]}", "a,,,,,,");
}

static void case_sensitive_names(void **state)
{
    (void)state;
    check_refused(OPTIONS("value.schema=a INT, A INT", "select=a"), "ambiguous");
    check_line(
        OPTIONS("value.schema=a INT, A INT", "select=A", "spark.sql.caseSensitive=true"),
        "{\"a\":1,\"A\":2}", "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_aliases), cmocka_unit_test(data_prefix),
        cmocka_unit_test(wrong_names),       cmocka_unit_test(elements),
        cmocka_unit_test(wrong_syntax),      cmocka_unit_test(case_sensitive_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

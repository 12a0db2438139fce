/*
 * test_cast.c - casts between numbers, texts and times at their edges. Each result is
 * what Spark 3.5.1 gave for the same record and expression.
 */
#include "record/cast.h"

#include "test_record_common.h"

#define SCHEMA                                                                           \
    "value.schema=s STRING, i INT, l BIGINT, d DOUBLE, f FLOAT, b BOOLEAN, m "           \
    "DECIMAL(38,18), n DECIMAL(38,0), dt DATE, ts TIMESTAMP"

static void eval(const char *expr, const char *json, const char *want)
{
    char option[400], line[400];
    snprintf(option, sizeof option, "select=%s AS r, 1 AS one", expr);
    snprintf(line, sizeof line, "%s,1", want);
    check_line(OPTIONS(SCHEMA, option), json, line);
}

static void decimals_to_integers_wrap(void **state)
{
    (void)state;
    const char *json = "{\"n\":-77436116982547619635,\"m\":12345678901234567890.5}";
    eval("CAST(n AS BIGINT)", json, "-3649140687709413171");
    eval("CAST(m AS INT)", json, "-350287150");
    eval("CAST(n AS SMALLINT)", "{\"n\":-83287164735461693790}", "26274");
    eval("CAST(m AS INT)", "{\"m\":-1.9999999}", "-1");
    eval("CAST(m AS INT)", "{\"m\":1e-7}", "0");
    eval("CAST(m AS BIGINT)", "{\"m\":0}", "0");
    eval("CAST(m AS STRING)", "{\"m\":0}", "0E-18");
}

static void numbers_to_timestamps(void **state)
{
    (void)state;
    eval("CAST(l AS TIMESTAMP)", "{\"l\":9223372036854775807}",
         "1969-12-31T23:59:59.000Z");
    eval("CAST(l AS TIMESTAMP)", "{\"l\":2708752006814581009}",
         "-149707-03-19T05:43:50.603Z");
    eval("CAST(m AS TIMESTAMP)", "{\"m\":12345678901234567890.123456789}",
         "-235198-08-06T17:14:26.047Z");
    eval("CAST(m AS TIMESTAMP)", "{\"m\":-1.9999999}", "1969-12-31T23:59:58.000Z");
    eval("CAST(m AS TIMESTAMP)", "{\"m\":1.5}", "1970-01-01T00:00:01.500Z");
    eval("CAST(b AS TIMESTAMP)", "{\"b\":true}", "1970-01-01T00:00:00.000Z");
    eval("CAST(f AS TIMESTAMP)", "{\"f\":-1.499}", "1969-12-31T23:59:58.501Z");
    eval("CAST(d AS TIMESTAMP)", "{\"d\":NaN}", "");
}

/* A FLOAT is a DOUBLE first: its digits are not those that it prints. */
static void floats_to_decimals(void **state)
{
    (void)state;
    eval("CAST(f AS DECIMAL(12,3))", "{\"f\":-52078.467}", "-52078.469");
    eval("CAST(f AS DECIMAL(12,3))", "{\"f\":497663.22964291}", "497663.219");
    eval("CAST(d AS DECIMAL(12,3))", "{\"d\":-52078.467}", "-52078.467");
    eval("CAST(b AS DECIMAL(3,1))", "{\"b\":true}", "1.0");
}

static void texts(void **state)
{
    (void)state;
    eval("CAST(s AS DECIMAL(5,2))", "{\"s\":\" \uff11\uff12.5\"}", "12.50");
    eval("CAST(s AS INT)", "{\"s\":\"\uff11\uff12\"}", "");
    eval("CAST(s AS TIMESTAMP_NTZ)", "{\"s\":\"2021-07-14 02:15:05Europe/Oslo\"}",
         "2021-07-14T02:15:05.000");
    eval("CAST(s AS TIMESTAMP_NTZ)", "{\"s\":\"2021-07-14 02:15:05\\\\-\"}", "");
    eval("CAST(s AS TIMESTAMP_NTZ)", "{\"s\":\"2021-07-14 02:15:05+25:00\"}", "");
}

/* Every pair answers, and none but these exist. */
static void which_exist(void **state)
{
    (void)state;
    assert_true(pst_cast_exists(PST_T_STRING, PST_T_BINARY));
    assert_true(pst_cast_exists(PST_T_TIMESTAMP, PST_T_DECIMAL));
    assert_false(pst_cast_exists(PST_T_DATE, PST_T_INT));
    assert_false(pst_cast_exists(PST_T_INT, PST_T_DATE));
    assert_false(pst_cast_exists(PST_T_BINARY, PST_T_INT));
    assert_false(pst_cast_exists(PST_T_STRING, PST_T_STRUCT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_to_integers_wrap),
        cmocka_unit_test(numbers_to_timestamps),
        cmocka_unit_test(floats_to_decimals),
        cmocka_unit_test(texts),
        cmocka_unit_test(which_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_expr.c - casts, literals and functions of the select list. The results were
 * compared with Spark's.
 */
#include "test_record_common.h"

#define SCHEMA                                                                           \
    "value.schema=s STRING, i INT, l BIGINT, d DOUBLE, f FLOAT, b BOOLEAN, m "           \
    "DECIMAL(10,2), "                                                                    \
    "dt DATE, ts TIMESTAMP, ntz TIMESTAMP_NTZ, bin BINARY"

static void eval(const char *expr, const char *json, const char *want)
{
    char option[400];
    snprintf(option, sizeof option, "select=%s AS r, 1 AS one", expr);
    char line[400];
    snprintf(line, sizeof line, "%s,1", want);
    check_line(OPTIONS(SCHEMA, option, "spark.sql.session.timeZone=America/New_York"),
               json, line);
}

static void casts(void **state)
{
    (void)state;
    eval("CAST(s AS INT)", "{\"s\":\" 12.9 \"}", "12");
    eval("CAST(s AS INT)", "{\"s\":\"2147483648\"}", "");
    eval("CAST(s AS TINYINT)", "{\"s\":\"-128\"}", "-128");
    eval("CAST(s AS BIGINT)", "{\"s\":\"9223372036854775808\"}", "");
    eval("CAST(s AS DOUBLE)", "{\"s\":\"1e3\"}", "1000.0");
    eval("CAST(s AS DOUBLE)", "{\"s\":\"inf\"}", "Infinity");
    eval("CAST(s AS BOOLEAN)", "{\"s\":\"Yes\"}", "true");
    eval("CAST(s AS BOOLEAN)", "{\"s\":\"maybe\"}", "");
    eval("CAST(s AS DECIMAL(5,2))", "{\"s\":\"1.005\"}", "1.01");
    eval("CAST(s AS DATE)", "{\"s\":\"2021-07-14 x\"}", "2021-07-14");
    eval("CAST(s AS TIMESTAMP)", "{\"s\":\"2021-07-14 02:15:05\"}",
         "2021-07-14T02:15:05.000-04:00");
    eval("CAST(l AS TINYINT)", "{\"l\":300}", "44");
    eval("CAST(d AS INT)", "{\"d\":3e9}", "2147483647");
    eval("CAST(d AS BIGINT)", "{\"d\":NaN}", "0");
    eval("CAST(d AS STRING)", "{\"d\":1e7}", "1.0E7");
    eval("CAST(b AS INT)", "{\"b\":true}", "1");
    eval("CAST(m AS INT)", "{\"m\":-5.99}", "-5");
    eval("CAST(i AS BOOLEAN)", "{\"i\":5}", "true");
    eval("CAST(ts AS STRING)", "{\"ts\":\"2021-07-14T02:15:05.120Z\"}",
         "2021-07-13 22:15:05.12");
    eval("CAST(ts AS DATE)", "{\"ts\":\"2021-07-14T02:15:05Z\"}", "2021-07-13");
    eval("CAST(ts AS BIGINT)", "{\"ts\":\"2021-07-14T02:15:05Z\"}", "1626228905");
    eval("CAST(dt AS TIMESTAMP)", "{\"dt\":\"2021-07-14\"}",
         "2021-07-14T00:00:00.000-04:00");
    eval("CAST(ntz AS TIMESTAMP)", "{\"ntz\":\"2021-01-14T01:02:03\"}",
         "2021-01-14T01:02:03.000-05:00");
    eval("CAST(bin AS STRING)", "{\"bin\":\"aGk=\"}", "hi");
    eval("CAST(i AS TIMESTAMP)", "{\"i\":0}", "1969-12-31T19:00:00.000-05:00");
    eval("CAST(NULL AS INT)", "{}", "");
}

static void strings(void **state)
{
    (void)state;
    eval("concat(s, '-', i)", "{\"s\":\"a\",\"i\":5}", "a-5");
    eval("concat(s, '-', i)", "{\"s\":\"a\"}", "");
    eval("s || ':' || i", "{\"s\":\"a\",\"i\":5}", "a:5");
    eval("concat_ws('|', s, i, 'z')", "{\"i\":5}", "5|z");
    eval("coalesce(s, 'none')", "{}", "none");
    eval("coalesce(NULL, i, d)", "{\"i\":5}", "5.0");
    eval("coalesce(m, i)", "{\"i\":5}", "5.00");
    eval("coalesce(dt, ts)", "{\"dt\":\"2021-07-14\"}", "2021-07-14T00:00:00.000-04:00");
    eval("upper(s)",
         "{\"s\":\"stra\xc3\x9f"
         "e \xc3\xa9\xd0\xb6\xce\xb1\"}",
         "STRASSE \xc3\x89\xd0\x96\xce\x91");
    eval("lower(s)", "{\"s\":\"\xc3\x89\xd0\x96 ABC\"}", "\xc3\xa9\xd0\xb6 abc");
    eval("concat('<', trim(s), '>')", "{\"s\":\"  a b \\t \"}", "<a b \t>");
    eval("substring(s, 2, 2)",
         "{\"s\":\"a\xc3\xa9"
         "bc\"}",
         "\xc3\xa9"
         "b");
    eval("substring(s, -2)", "{\"s\":\"abc\"}", "bc");
    eval("substring(s, 0, 2)", "{\"s\":\"abc\"}", "ab");
    eval("substring(s, -5, 4)", "{\"s\":\"abc\"}", "ab");
    eval("length(s)", "{\"s\":\"a\xc3\xa9\"}", "2");
}

static void times(void **state)
{
    (void)state;
    eval("to_date(s)", "{\"s\":\"2021-07-14T25\"}", "2021-07-14");
    eval("to_date(s, 'dd/MM/yyyy')", "{\"s\":\"14/07/2021\"}", "2021-07-14");
    eval("to_date(s, 'dd/MM/yyyy')", "{\"s\":\"31/02/2021\"}", "");
    eval("to_timestamp(s, 'yyyyMMdd HHmm')", "{\"s\":\"20210714 0215\"}",
         "2021-07-14T02:15:00.000-04:00");
    eval("date_format(ts, 'EEE d MMM HH:mm')", "{\"ts\":\"2021-07-14T02:15:05Z\"}",
         "Tue 13 Jul 22:15");
    eval("date_format(dt, 'yyyy')", "{\"dt\":\"2021-07-14\"}", "2021");
    eval("from_unixtime(l)", "{\"l\":1626228905}", "2021-07-13 22:15:05");
    eval("from_unixtime(l, 'yyyy')", "{\"l\":9223372036854775807}", "1969");
}

static void literals(void **state)
{
    (void)state;
    eval("'a''b' \"c\"", "{}", "abc");
    eval("-5", "{}", "-5");
    eval("3000000000", "{}", "3000000000");
    eval("1.50", "{}", "1.50");
    eval("-000000000000000000000000000000000000000000000000000000000000000000000000000000"
         "000000000000000000000000000000000000000000000000000000000000000000000000001.50",
         "{}", "-1.50");
    eval("1.5e3", "{}", "1500.0");
    check_refused(OPTIONS("value.schema=x INT",
                          "select=123456789012345678901234567890.1234567890 AS a"),
                  "a DECIMAL has at most 38 digits");
    check_refused(OPTIONS("value.schema=x INT",
                          "select=.000000000000000000000000000000000000001 AS a"),
                  "a DECIMAL has at most 38 digits");
    eval("1e3", "{}", "1000.0");
    eval("TRUE", "{}", "true");
    eval("'\\t|\\''", "{}", "|'");
}

static void kafka_columns(void **state)
{
    (void)state;
    check_line(OPTIONS("value.schema=x INT",
                       "select=CAST(key AS STRING) AS k, topic || '-' || "
                       "partition AS tp, CAST(timestamp AS BIGINT) AS t"),
               "{}", "k\xef\xbf\xbd,users-3,1626228905");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(casts),         cmocka_unit_test(strings),
        cmocka_unit_test(times),         cmocka_unit_test(literals),
        cmocka_unit_test(kafka_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

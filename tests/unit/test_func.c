/*
 * test_func.c - the functions of the select list at their edges. Where no other source is
 * named, a result is what real Spark 3.5.1 on JDK 17 gave for the same schema, expression
 * and record; [doc] is from Spark's reference of SQL functions and of datetime patterns.
 */
#include "record/func.h"

#include "test_record_common.h"

#define SCHEMA                                                                           \
    "value.schema=s STRING, t STRING, i INT, l BIGINT, d DOUBLE, f FLOAT, b BOOLEAN, "   \
    "m DECIMAL(10,2), dt DATE, ts TIMESTAMP, ntz TIMESTAMP_NTZ, a ARRAY<STRING>"
#define NEW_YORK "spark.sql.session.timeZone=America/New_York"
#define LEGACY "spark.sql.legacy.timeParserPolicy=LEGACY"

static void eval_in(const char *extra, const char *expr, const char *json,
                    const char *want)
{
    char option[500], line[500];
    snprintf(option, sizeof option, "select=%s AS r, 1 AS one", expr);
    snprintf(line, sizeof line, "%s,1", want);
    check_line(OPTIONS(SCHEMA, option, extra), json, line);
}

static void eval(const char *expr, const char *json, const char *want)
{
    eval_in(NEW_YORK, expr, json, want);
}

static void refused(const char *expr, const char *text)
{
    char option[500];
    snprintf(option, sizeof option, "select=%s AS r", expr);
    check_refused(OPTIONS(SCHEMA, option), text);
}

/* ---- null in, null out, but for three [doc] ---- */

static void nulls(void **state)
{
    (void)state;
    static const char *const all[] = {
        "concat(s, 'x')",
        "concat('x', s)",
        "'x' || s",
        "upper(s)",
        "lower(s)",
        "trim(s)",
        "ltrim(s)",
        "rtrim(s)",
        "length(s)",
        "substring(s, 1)",
        "substring('abc', i)",
        "substring('abc', 1, i)",
        "to_date(s)",
        "to_date(s, 'yyyy')",
        "to_timestamp(s)",
        "from_unixtime(l)",
        "to_timestamp(s, 'HH')",
        "date_format(ts, 'y')",
        "coalesce(s, t)",
        "coalesce(NULL, i)",
        "nvl(s, t)",
        "CAST(s AS INT)",
        "from_unixtime(l, 'yy')",
        "concat_ws(s, 'a', 'b')",
        "CAST(NULL AS DATE)",
        "concat(NULL, 'a')",
        "ifnull(NULL, dt)",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        eval(all[i], "{}", "");
    eval("concat_ws('-', s, 'a', NULL, 'b', t)", "{}", "a-b");
    eval("concat_ws('-', s, t)", "{}", "\"\""); /* not null: an empty string */
    eval("concat_ws('-')", "{}", "\"\"");
    eval("coalesce(s, t, 'z')", "{\"t\":\"y\"}", "y");
}

/* ---- texts ---- */

static void joining(void **state)
{
    (void)state;
    eval("concat_ws('', s, t)", "{\"s\":\"a\",\"t\":\"\"}", "a");
    eval("concat_ws('-', s, t)", "{\"s\":\"\",\"t\":\"\"}", "-");
    eval("concat(i, l, d, b, m)", "{\"i\":1,\"l\":2,\"d\":3,\"b\":true,\"m\":4}",
         "123.0true4.00");
    eval("concat(dt, ' ', ts, ' ', ntz)",
         "{\"dt\":\"2021-07-14\",\"ts\":\"2021-07-14T02:15:05.5Z\",\"ntz\":"
         "\"2021-07-14T02:15:05\"}",
         "2021-07-14 2021-07-13 22:15:05.5 2021-07-14 02:15:05");
    eval("concat_ws(',', a[0], a[1], a[2])", "{\"a\":[\"x\",null,\"z\"]}", "\"x,z\"");
    /* Spark joins a whole array; here it is said at the start, with the position */
    refused("concat_ws(',', a)", "at character 16: 'a' is ARRAY<STRING>");
}

/* Java's rules for no locale: Unicode's SpecialCasing.txt [doc of String.toUpperCase]. */
static void case_beyond_ascii(void **state)
{
    (void)state;
    eval("upper(s)", "{\"s\":\"stra\u00dfe\"}", "STRASSE");
    eval("upper(s)", "{\"s\":\"\u0149\u01f0\u0390\ufb01\"}",
         "\u02bcNJ\u030c\u0399\u0308\u0301FI");
    eval("upper(s)", "{\"s\":\"\u0131i\u01c6\"}", "II\u01c4"); /* ı, i: both I */
    eval("upper(s)", "{\"s\":\"\u03c3\u03c2\"}", "\u03a3\u03a3");
    eval("upper(s)", "{\"s\":\"\u10d0\U00010428\u00ff\"}",
         "\u1c90\U00010400\u0178"); /* Georgian, Deseret, ÿ */
    eval("lower(s)", "{\"s\":\"\u0130I\"}", "i\u0307i");
    eval("lower(s)", "{\"s\":\"\u039f\u0394\u039f\u03a3 \u03a3\"}",
         "\u03bf\u03b4\u03bf\u03c2 \u03c3"); /* a sigma at a word's end, and alone */
    eval("lower(s)", "{\"s\":\"\u0391\u03a3\u0391\"}", "\u03b1\u03c3\u03b1");
    eval("lower(s)", "{\"s\":\"\u0391\u03a3\u0130\"}", "\u03b1\u03c3i\u0307");
    /* a word is Java's BreakIterator's: 1 and - belong to it, a second - and a blank not
     */
    eval("lower(s)", "{\"s\":\"\u0391\u03a31\u0391 1\u03a3 \u0391\u03a3-\u0391\"}",
         "\u03b1\u03c31\u03b1 1\u03c3 \u03b1\u03c3-\u03b1");
    eval("lower(s)", "{\"s\":\"\u0391\u03a3--\u0391 \u0391\u03a3.1\"}",
         "\u03b1\u03c2--\u03b1 \u03b1\u03c2.1");
    eval("lower(s)", "{\"s\":\"\u0391\u03a3\ufeff\u0391 \u0391\u03a3\u65e5\u0391\"}",
         "\u03b1\u03c3\ufeff\u03b1 \u03b1\u03c2\u65e5\u03b1");
    eval("lower(s)", "{\"s\":\"\u2126\u212a\u212b\"}", "\u03c9k\u00e5");
    eval("lower(upper(s))", "{\"s\":\"\u65e5\u672c 1\"}", "\u65e5\u672c 1");
}

static void trimming(void **state)
{
    (void)state;
    /* only the blank, no tab and no U+00A0 */
    eval("concat('<', trim(s), '>')", "{\"s\":\"  \\ta\u00a0 \"}", "<\ta\u00a0>");
    eval("concat('<', ltrim(s), '>')", "{\"s\":\"  a  \"}", "<a  >");
    eval("concat('<', rtrim(s), '>')", "{\"s\":\"  a  \"}", "<  a>");
    eval("length(trim(s))", "{\"s\":\"   \"}", "0");
    eval("trim(i)", "{\"i\":-5}", "-5");
}

static void substrings(void **state)
{
    (void)state;
    static const struct {
        const char *args, *want;
    } cases[] = {
        {"1", "a\u00e9\U0001f600d"},
        {"0", "a\u00e9\U0001f600d"},
        {"2, 2", "\u00e9\U0001f600"}, /* characters, not UTF-16 units */
        {"0, 2", "a\u00e9"},
        {"-1", "d"},
        {"-2, 1", "\U0001f600"},
        {"-4, 2", "a\u00e9"},
        {"-6, 3", "a"}, /* counted from before the text */
        {"-6, 2", "\"\""},
        {"5", "\"\""},
        {"2, 0", "\"\""},
        {"2, -1", "\"\""},
        {"3, 2147483647", "\U0001f600d"},
        {"-2147483648, 2147483647", "a\u00e9\U0001f600"},
        {"CAST('2' AS BIGINT), 1.9", "\u00e9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expr[100];
        snprintf(expr, sizeof expr, "substring(s, %s)", cases[i].args);
        eval(expr, "{\"s\":\"a\u00e9\\ud83d\\ude00d\"}", cases[i].want);
    }
    eval("length(s)", "{\"s\":\"a\u00e9\\ud83d\\ude00d\"}", "4");
    eval("substr(l, 2, 2)", "{\"l\":-123}", "12");
    refused("substring(s)", "SUBSTRING takes 2 to 3 arguments, not 1");
}

/* Escapes of string literals [doc: literals]. */
static void literals(void **state)
{
    (void)state;
    eval("'\\u00e9\\101\\ud83d\\ude00\\ud83d'", "{}", "\u00e9A\U0001f600?");
    eval("'\\U0001F600\\q'", "{}", "\U0001f600q");
    eval("'\\%\\_\\t|'", "{}", "\\%\\_\t|");
    eval("'\\u00e|\\12|\\U1234'", "{}", "u00e|12|U1234");
    eval("CAST(1.1F AS DOUBLE)", "{}", "1.100000023841858");
    eval("1.1D", "{}", "1.1");
    eval("0.050 || ''", "{}", "0.050");
}

/* ---- types ---- */

static void common_types(void **state)
{
    (void)state;
    eval("coalesce(i, f)", "{\"i\":2021}", "2021.0");
    eval("coalesce(l, 1.5)", "{\"l\":20210714}", "20210714.0");
    eval("coalesce(m, d)", "{\"m\":1.5}", "1.5");
    eval("coalesce(dt, ts)", "{\"dt\":\"2021-07-14\"}", "2021-07-14T00:00:00.000-04:00");
    eval("coalesce(d, s)", "{\"d\":1e7}", "1.0E7");
    refused("coalesce(b, dt)", "DATE has no type in common with the arguments before it");
}

static void cast_limits(void **state)
{
    (void)state;
    eval("CAST(d AS TINYINT)", "{\"d\":-129.9}", "127"); /* by way of INT */
    eval("CAST(d AS BIGINT)", "{\"d\":1e300}", "9223372036854775807");
    eval("CAST(d AS DECIMAL(5,2))", "{\"d\":1000}", "");
    eval("CAST(d AS DECIMAL(5,2))", "{\"d\":\"NaN\"}", "");
    eval("CAST(d AS FLOAT)", "{\"d\":1e39}", "Infinity");
    eval("CAST(s AS BIGINT)", "{\"s\":\"-9223372036854775808\"}", "-9223372036854775808");
    eval("CAST(s AS INT)", "{\"s\":\".\"}", "0");
    eval("CAST(s AS INT)", "{\"s\":\"1e3\"}", "");
    eval("CAST(s AS DOUBLE)", "{\"s\":\"+NaN\"}", "NaN");
    eval("CAST(s AS DOUBLE)", "{\"s\":\"+nan\"}", "");
    eval("CAST(s AS DOUBLE)", "{\"s\":\" 1.5f \"}", "1.5");
    eval("CAST(s AS DOUBLE)", "{\"s\":\"1\\u007f\"}", "");
    eval("CAST(s AS INT)", "{\"s\":\"1\\u007f\"}", "1");
    eval("CAST(s AS DECIMAL(5,2))", "{\"s\":\"1\\u007f\"}", "");
    eval("CAST(s AS DECIMAL(5,2))", "{\"s\":\"999.995\"}", "");
    eval("CAST(CAST(ts AS FLOAT) AS DOUBLE)", "{\"ts\":\"2021-07-14T23:30:00Z\"}",
         "1.626305408E9");
    eval("CAST(ts AS INT)", "{\"ts\":\"2038-01-19T03:14:08Z\"}", "-2147483648");
    eval("CAST(ts AS DECIMAL(20,6))", "{\"ts\":\"1969-12-31T23:59:59.5Z\"}", "-0.500000");
    eval("CAST(CAST(d AS TIMESTAMP) AS DATE)", "{\"d\":-1e300}", "-290308-12-21");
}

/* Jackson's base64: groups of four with blanks between them, each with its own padding.
 */
static void binary(void **state)
{
    (void)state;
    const char *const *options =
        OPTIONS("value.schema=x BINARY, i INT", "select=CAST(x AS STRING) AS x, i");
    check_line(options, "{\"x\":\"aGk=\\n aGk=YQ==\",\"i\":1}", "hihia,1");
    check_line(options, "{\"x\":\"\",\"i\":1}", "\"\",1");
    check_line(options, "{\"x\":\"aGk\",\"i\":1}", ",1");
    check_line(options, "{\"x\":\"aG k=\",\"i\":1}", ",1");
    check_line(options, "{\"x\":\"aGk==\",\"i\":1}", ",1");
    check_refused(OPTIONS("value.schema=x BINARY, i INT"),
                  "column 'x' is of a type that CSV can't hold: BINARY");
}

/* ---- dates and times ---- */

/* to_date and to_timestamp take dates and times as they are, all else as texts; numbers
   are seconds to to_timestamp only. */
static void arguments_of_times(void **state)
{
    (void)state;
    eval("to_date(i)", "{\"i\":2021}", "2021-01-01");
    eval("to_date(b)", "{\"b\":true}", "");
    eval("to_date(d)", "{\"d\":1.5}", "");
    eval("to_date(ntz)", "{\"ntz\":\"2021-07-14T23:30:00\"}", "2021-07-14");
    eval("to_date(l, 'yyyyMMdd')", "{\"l\":20210714}", "2021-07-14");
    eval("to_date(dt, 'dd')", "{\"dt\":\"2021-07-14\"}", "2021-07-14");
    eval("to_date(ts, 'dd')", "{\"ts\":\"2021-07-14T02:00:00Z\"}", "2021-07-13");
    eval("to_timestamp(b)", "{\"b\":true}", "");
    eval("to_timestamp(i)", "{\"i\":2021}", "1969-12-31T19:33:41.000-05:00");
    eval("to_timestamp(d)", "{\"d\":1.5}", "1969-12-31T19:00:01.500-05:00");
    eval("to_timestamp(dt, 'dd')", "{\"dt\":\"2021-07-14\"}",
         "2021-07-14T00:00:00.000-04:00");
    eval("to_timestamp(ntz, 'dd')", "{\"ntz\":\"2021-07-14T23:30:00\"}",
         "2021-07-14T19:30:00.000-04:00");
}

/* The date is the timestamp's in the session's zone. */
static void reading(void **state)
{
    (void)state;
    eval("to_date(s, \"yyyy-MM-dd HH:mm:ssXXX\")",
         "{\"s\":\"2021-07-14 23:30:00-05:00\"}", "2021-07-15");
    eval("to_timestamp(s, 'dd.MM.yyyy hh:mm a')", "{\"s\":\"14.07.2021 12:05 am\"}",
         "2021-07-14T00:05:00.000-04:00");
    eval("to_timestamp(s, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
         "{\"s\":\"2021-11-07 01:30:00.5\"}", "2021-11-07T01:30:00.500-04:00");
    eval("to_date(s, 'yyyy-MM-dd')", "{\"s\":\"2021-07-14 x\"}", "");
    eval("to_date(s, 'yyyy-MM-dd')", "{\"s\":\"2021-7-14\"}", "");
    eval("to_date(s, 'yy-M-d')", "{\"s\":\"21-7-4\"}", "2021-07-04");
    eval("to_date(s, 'd MMM yyyy')", "{\"s\":\"4 jUL 2021\"}", "2021-07-04");
    eval("CAST(s AS TIMESTAMP)", "{\"s\":\"+294247-01-10T15:00:04.000+11:00\"}",
         "+294247-01-09T23:00:04.000-05:00"); /* its wall clock is beyond 64 bits */
    refused("to_date(s, t)", "TO_DATE takes its pattern as a string literal");
    refused("to_date(s, 'YYYY')", "week-based patterns are unsupported since Spark 3");
    refused("to_date(s, 'E')", "illegal pattern character: E");
}

static void formatting(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *want; /* [doc: datetime patterns] */
    } cases[] = {
        {"y yy yyy yyyy yyyyy", "2021 21 2021 2021 02021"},
        {"M MM MMM MMMM d dd D DDD", "3 03 Mar March 4 04 63 063"},
        {"Q QQ QQQ QQQQ E EEEE F", "1 01 Q1 1st quarter Thu Thursday 4"},
        {"H HH h K k a", "0 00 12 0 24 AM"},
        {"m s S SSS SSSSSS SSSSSSSSS", "5 6 7 789 789123 789123000"},
        {"X XX XXX x xx xxx", "-05 -0500 -05:00 -05 -0500 -05:00"},
        {"Z ZZZZ ZZZZZ O OOOO VV", "-0500 GMT-05:00 -05:00 GMT-5 GMT-05:00 "
                                   "America/New_York"},
        {"G GGGG", "AD Anno Domini"},
        {"yyyy[ HH]", "2021 00"},
        {"h 'o''clock' ''", "12 o'clock '"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expr[200];
        snprintf(expr, sizeof expr, "date_format(ts, \"%s\")", cases[i].pattern);
        eval(expr, "{\"ts\":\"2021-03-04T00:05:06.789123-05:00\"}", cases[i].want);
    }
    eval("date_format(dt, 'HH')", "{\"dt\":\"2021-07-14\"}", "00");
    eval("date_format(s, 'd')", "{\"s\":\"2021-07-14\"}", "14");
    eval("date_format(ts, 'yyyy')", "{\"ts\":\"12021-07-14\"}", "+12021");
    eval_in("spark.sql.session.timeZone=GMT+1", "date_format(ts, 'VV XXX')",
            "{\"ts\":\"2021-07-14T00:00:00Z\"}", "GMT+01:00 +01:00");
    eval_in("spark.sql.session.timeZone=EST", "date_format(ts, 'VV')",
            "{\"ts\":\"2021-07-14T00:00:00Z\"}", "-05:00");
}

static void unix_times(void **state)
{
    (void)state;
    eval("from_unixtime(l)", "{\"l\":0}", "1969-12-31 19:00:00");
    eval("from_unixtime(l)", "{\"l\":-1}", "1969-12-31 18:59:59");
    eval("from_unixtime(l)", "{\"l\":253402318800}", "+10000-01-01 00:00:00");
    eval("from_unixtime(l)", "{\"l\":9223372036854775807}", "1969-12-31 18:59:59");
    eval("from_unixtime(d)", "{\"d\":1.9}", "1969-12-31 19:00:01");
    eval("from_unixtime(s)", "{\"s\":\"x\"}", "");
    eval("from_unixtime(l, 'SSS')", "{\"l\":5}", "000");
}

/* What Spark 2's functions used: SimpleDateFormat, which takes no day that does not
   exist, skips blanks, and counts milliseconds by S. */
static void legacy(void **state)
{
    (void)state;
    eval_in(LEGACY, "to_date(s, 'yyyy-MM-dd')", "{\"s\":\"2021-02-30\"}", "");
    eval_in(LEGACY, "to_date(s, 'yyyy-MM-dd')", "{\"s\":\" 2021- 7-4x\"}", "2021-07-04");
    eval_in(LEGACY, "to_date(s, 'yyyy-MM-dd')", "{\"s\":\"1500-02-29\"}", "1500-03-01");
    eval_in(LEGACY, "to_date(s, 'yyyy-MM-dd')", "{\"s\":\"1582-10-10\"}", "");
    eval_in(LEGACY, "to_date(s, 'yyyy-MM-dd')", "{\"s\":\"21-07-04\"}", "0021-07-04");
    eval_in(LEGACY, "to_timestamp(s, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
            "{\"s\":\"2021-07-04 1:2:3.12\"}", "2021-07-04T01:02:03.012Z");
    eval_in(LEGACY, "to_timestamp(s, 'yyyy-MM-dd HH:mm:ss')",
            "{\"s\":\"2021-07-04 24:00:00\"}", "");
    eval_in(LEGACY, "from_unixtime(l)", "{\"l\":-99999999999}", "1200-02-15 14:13:21");
    eval_in(LEGACY, "from_unixtime(l)", "{\"l\":253402300800}", "10000-01-01 00:00:00");
    eval_in(LEGACY, "CAST(dt AS STRING)", "{\"dt\":\"0000-00-00\"}", "0002-11-30");
    eval_in(LEGACY, "length(CAST(dt AS STRING))", "{\"dt\":\"0000-00-00\"}", "10");
    const char *const *in_new_york =
        OPTIONS(SCHEMA, LEGACY, NEW_YORK, "json.timestampFormat=yyyy-MM-dd HH:mm:ss",
                "select=ts, to_timestamp(s, 'yyyy-MM-dd HH:mm:ss') AS f");
    /* of an hour that comes twice the second one; one that is skipped */
    check_line(in_new_york,
               "{\"ts\":\"2021-11-07 01:30:00\",\"s\":\"2021-11-07 01:30:00\"}",
               "2021-11-07T01:30:00.000-05:00,2021-11-07T01:30:00.000-05:00");
    check_line(in_new_york,
               "{\"ts\":\"2021-03-14 02:30:00\",\"s\":\"2021-03-14 02:30:00\"}",
               "2021-03-14T03:30:00.000-04:00,");
}

/* ---- the table ---- */

static void names(void **state)
{
    (void)state;
    char list[400], brief[10];
    assert_ptr_equal(pst_func_find("lcase")->run, pst_func_find("LOWER")->run);
    assert_null(pst_func_find("lowe"));
    assert_string_equal(pst_func_nearest("lowe"), "LOWER");
    assert_null(pst_func_nearest("regexp_replace"));
    pst_func_list(list, sizeof list);
    assert_non_null(strstr(list, "CAST, COALESCE, CONCAT, CONCAT_WS, DATE_FORMAT"));
    pst_func_list(brief, sizeof brief);
    assert_int_equal(strlen(brief), sizeof brief - 1);
    refused("i, regexp_replace(s, 'a', 'b')",
            "at character 4: function REGEXP_REPLACE is not supported; there are CAST");
    refused("date_format(i)", "DATE_FORMAT takes 2 to 2 arguments, not 1");
}

/* SQL that is not known here: what it is, and where. */
static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *select, *want;
    } cases[] = {
        {"i, i + 1 AS j",
         "at character 6: operator '+' is not supported; the select list "
         "knows columns, literals, CAST, || and functions"},
        {"i >= 1", "at character 3: operator '>=' is not supported"},
        {"i::STRING", "at character 2: operator ':' is not supported"},
        {"CASE WHEN b THEN s END", "at character 6: WHEN is not supported"},
        {"s IS NULL", "at character 3: IS is not supported"},
        {"s LIKE 'a%'", "at character 3: LIKE is not supported"},
        {"s FROM t", "at character 3: FROM is not supported"},
        {"s t u", "at character 5: expected ',' or the end, found 'u'"},
        {"-i", "at character 2: expected a column, a function or a literal, found 'i'"},
        {"count(*)", "at character 1: function COUNT is not supported; there are CAST"},
        {"CAST(i AS ARRAY<INT>)", "at character 1: CAST to ARRAY is not supported"},
        {"a AS r",
         "at character 1: 'a' is ARRAY<STRING>, which no column of an object can"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char option[200];
        snprintf(option, sizeof option, "select=%s", cases[i].select);
        check_refused(OPTIONS(SCHEMA, option), cases[i].want);
    }
    check_refused(OPTIONS("value.schema=m MAP<STRING, INT>"),
                  "at character 1: * takes in column 'm', which is MAP<STRING, INT>");
    check_refused(OPTIONS("value.schema=m MAP<INT, STRING>, i INT", "select=i"),
                  "at character 7: keys of a MAP in JSON are STRING, not 'INT'");
    check_refused(OPTIONS("value.schema=e STRUCT<>, i INT", "select=e"),
                  "'e' is STRUCT<>, which no column of an object can hold");
    check_refused(OPTIONS("value.schema=e STRUCT<>, i INT", "select=e.*"),
                  "'e.*' names no column");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nulls),        cmocka_unit_test(joining),
        cmocka_unit_test(trimming),     cmocka_unit_test(case_beyond_ascii),
        cmocka_unit_test(substrings),   cmocka_unit_test(literals),
        cmocka_unit_test(common_types), cmocka_unit_test(cast_limits),
        cmocka_unit_test(reading),      cmocka_unit_test(arguments_of_times),
        cmocka_unit_test(formatting),   cmocka_unit_test(unix_times),
        cmocka_unit_test(legacy),       cmocka_unit_test(names),
        cmocka_unit_test(refusals),     cmocka_unit_test(binary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

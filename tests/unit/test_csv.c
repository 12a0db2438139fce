/*
 * test_csv.c - each option of the writer, quoting and trimming, header, dropped rows,
 * character sets, the RFC 4180 dialect and the formula guard.
 */
#include "test_record_common.h"

#define AB "value.schema=a STRING, b STRING"

static void defaults(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"{}", ","},
        {"{\"a\":\"\",\"b\":null}", "\"\","},
        {"{\"a\":\" x \",\"b\":\"\\t\"}", "x,\"\""},
        {"{\"b\":\"a,b\"}", ",\"a,b\""},
        {"{\"b\":\"a\\\"b\"}", ",\"a\\\"b\""},
        {"{\"b\":\"a\\\\b\"}", ",a\\b"},
        {"{\"b\":\"a\\\\,b\"}", ",\"a\\\\,b\""},
        {"{\"b\":\"a\\nb\"}", ",\"a\nb\""},
        {"{\"b\":\"abc\\n\"}", ",\"abc\""},
        {"{\"b\":\"\\nabc\"}", ",abc"},
        {"{\"a\":\"#x\",\"b\":\"#y\"}", "\"#x\",#y"},
        {"{\"a\":\" #x\"}", "#x,"},
        {"{\"a\":\"\\u00a0x\"}", "\xc2\xa0x,"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_line(OPTIONS(AB), cases[i].json, cases[i].want);
}

static void options(void **state)
{
    (void)state;
    const char *json = "{\"a\":\"x;y\\\"\",\"b\":null}";
    check_line(OPTIONS(AB, "csv.sep=;"), json, "\"x;y\\\"\";");
    check_line(OPTIONS(AB, "csv.sep=||"), "{\"a\":\"x|y\",\"b\":\"x||y\"}",
               "x|y||\"x||y\"");
    check_line(OPTIONS(AB, "csv.sep=\\t"), "{\"a\":\"x\\ty\"}", "\"x\ty\"\t");
    check_line(OPTIONS(AB, "csv.quote='", "csv.sep=;"), json, "'x;y\"';");
    check_line(OPTIONS(AB, "csv.escape=\""), json, "\"x;y\"\"\",");
    check_line(OPTIONS(AB, "csv.escape=^", "csv.charToEscapeQuoteEscaping=%"),
               "{\"a\":\"x^\\\"\"}", "\"x%^^\"\",");
    check_line(OPTIONS(AB, "csv.nullValue=NULL"), json, "\"x;y\\\"\",NULL");
    check_line(OPTIONS(AB, "csv.emptyValue=EMPTY"), "{\"a\":\"\",\"b\":\" \"}",
               "EMPTY,EMPTY");
    check_line(OPTIONS(AB, "csv.quoteAll=true"), "{\"a\":\"x\"}", "\"x\",\"\"");
    check_line(OPTIONS(AB, "csv.escapeQuotes=false"),
               "{\"a\":\"x\\\"y\",\"b\":\"\\\"z\"}", "x\"y,\"\\\"z\"");
    check_line(OPTIONS(AB, "csv.ignoreLeadingWhiteSpace=false",
                       "csv.ignoreTrailingWhiteSpace=false"),
               "{\"a\":\" x \",\"b\":\" \"}", " x , ");
    check_line(OPTIONS(AB, "csv.comment=%"), "{\"a\":\"#x\"}", "#x,");
    check_line(OPTIONS(AB, "csv.comment="), "{\"a\":\"#x\"}", "#x,");
    check_line(OPTIONS(AB, "csv.comment=\\u0000"), "{\"a\":\"\\u0000x\"}", "\"x\",");
    check_line(
        OPTIONS(AB, "spark.sql.legacy.nullValueWrittenAsQuotedEmptyStringCsv=true"),
        "{\"a\":\"x\"}", "x,\"\"");
    check_line(OPTIONS(AB, "csv.lineSep=\r\n"), "{\"a\":\"x\\ny\"}", "\"x\r\ny\",\r");
    check_line(OPTIONS(AB, "csv.dialect=rfc4180"), "{\"a\":\" x\\ny\\\"\",\"b\":\"#\"}",
               "\" x\ny\"\"\",#\r");
    check_line(OPTIONS(AB, "csv.formula.guard=true"), "{\"a\":\"=1+1\",\"b\":\"-1\"}",
               "'=1+1,'-1");
}

static void refused_options(void **state)
{
    (void)state;
    check_refused(OPTIONS(AB, "csv.quote=ab"), "takes one character");
    check_refused(OPTIONS(AB, "csv.sep=\\"), "a single backslash can't be the separator");
    check_refused(OPTIONS(AB, "csv.sep=\\x"), "unknown escape '\\x'");
    check_refused(OPTIONS(AB, "csv.lineSep=abc"), "1 or 2 characters");
    check_refused(OPTIONS(AB, "csv.encoding=klingon"), "unknown character set 'klingon'");
    check_refused(OPTIONS(AB, "csv.dateFormat=yyyy-MM-dd'"), "is not closed");
    check_refused(OPTIONS("value.schema=a BINARY"), "select CAST(… AS STRING)");
}

static void typed_cells(void **state)
{
    (void)state;
    const char *schema = "value.schema=a BOOLEAN, b TINYINT, c DOUBLE, d FLOAT, e "
                         "DECIMAL(9,3), f DATE, g TIMESTAMP, h TIMESTAMP_NTZ";
    const char *json =
        "{\"a\":true,\"b\":-7,\"c\":1e10,\"d\":0.1,\"e\":5,\"f\":\"2021-07-14\","
        "\"g\":\"2021-07-14T02:15:05.5Z\",\"h\":\"2021-07-14T02:15:05\"}";
    check_line(OPTIONS(schema), json,
               "true,-7,1.0E10,0.1,5.000,2021-07-14,2021-07-14T02:15:05.500Z,"
               "2021-07-14T02:15:05.000");
    check_line(
        OPTIONS(schema, "csv.quoteAll=true", "csv.dateFormat=dd.MM.yy",
                "csv.timestampFormat=HH:mm", "csv.timestampNTZFormat=ss",
                "spark.sql.session.timeZone=+05:30"),
        json,
        "\"true\",\"-7\",\"1.0E10\",\"0.1\",\"5.000\",\"14.07.21\",\"07:45\",\"05\"");
    check_line(OPTIONS(schema, "csv.sep=1"), "{\"b\":21}", "1\"21\"111111");
    check_line(OPTIONS(schema, "select=c", "number.format=shortest"), "{\"c\":2e23}",
               "2.0E23");
}

static void fields_a_type_lacks(void **state)
{
    (void)state;
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(
        pipe_open(&p, OPTIONS("value.schema=a DATE", "csv.dateFormat=HH"), &err), PST_OK);
    assert_int_equal(pipe_put(&p, PST_SV("{\"a\":\"2021-07-14\"}"), &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "asks for a field that the column's type"));
    assert_int_equal(p.out.len, 0);
    pipe_close(&p);
}

static void headers(void **state)
{
    (void)state;
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(
        pipe_open(&p, OPTIONS("value.schema=`a,b` INT, c INT", "csv.header=true"), &err),
        PST_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pst_format_csv.begin(p.writer, &p.out, &err), PST_OK);
    assert_string_equal(pst_buf_cstr(&p.out), "\"a,b\",c\n\"a,b\",c\n");
    pipe_close(&p);
}

static void encode(const char *encoding, const char *want, size_t n)
{
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    char option[64];
    snprintf(option, sizeof option, "csv.encoding=%s", encoding);
    assert_int_equal(pipe_open(&p, OPTIONS("value.schema=a STRING", option), &err),
                     PST_OK);
    assert_int_equal(pst_format_csv.begin(p.writer, &p.out, &err), PST_OK);
    assert_int_equal(
        pipe_put(&p, PST_SV("{\"a\":\"\\u00e9\\u0416\\ud83d\\ude00\"}"), &err), PST_OK);
    assert_int_equal(p.out.len, n);
    assert_memory_equal(p.out.data, want, n);
    pipe_close(&p);
}

static void character_sets(void **state)
{
    (void)state;
    encode("ISO-8859-1", "\xe9??\n", 4);
    encode("us-ascii", "???\n", 4);
    encode("UTF-16", "\xfe\xff\0\xe9\x04\x16\xd8\x3d\xde\0\0\n", 12);
    encode("UTF-16LE", "\xe9\0\x16\x04\x3d\xd8\0\xde\n\0", 10);
    encode("UTF-32", "\0\0\0\xe9\0\0\x04\x16\0\1\xf6\0\0\0\0\n", 16);
    encode("windows-1251", "?\xc6?\n", 4);
}

static void a_full_buffer_keeps_what_it_had(void **state)
{
    (void)state;
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pipe_open(&p, OPTIONS(AB), &err), PST_OK);
    pst_buf_done(&p.out);
    pst_buf_init(&p.out, 200);
    pst_rc rc = PST_OK;
    size_t before = 0;
    while (rc == PST_OK) {
        before = p.out.len;
        rc = pipe_put(&p, PST_SV("{\"a\":\"abc,\",\"b\":\"x\"}"), &err);
    }
    assert_int_equal(rc, PST_E_LIMIT);
    assert_string_equal(err.text, "a row does not fit the buffer");
    assert_int_equal(p.out.len, before);
    pipe_close(&p);
}

/* The writer measures a DECIMAL's text itself. */
static void a_long_decimal_fits(void **state)
{
    (void)state;
    char digits[301];
    const pst_column column = {"d", PST_T_DECIMAL, 38, 0};
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    memset(digits, '7', 300);
    digits[300] = '\0';
    assert_int_equal(pipe_open(&p, OPTIONS("value.schema=d DECIMAL(38,0)"), &err),
                     PST_OK);
    pst_cell cell = {.as.s = {digits, 300}};
    pst_row row = {&column, &cell, 1};
    assert_int_equal(pst_format_csv.row(p.writer, &row, &p.out, &err), PST_OK);
    assert_int_equal(p.out.len, 301);
    assert_memory_equal(p.out.data, digits, 300);
    pipe_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(options),
        cmocka_unit_test(refused_options),
        cmocka_unit_test(typed_cells),
        cmocka_unit_test(fields_a_type_lacks),
        cmocka_unit_test(headers),
        cmocka_unit_test(character_sets),
        cmocka_unit_test(a_full_buffer_keeps_what_it_had),
        cmocka_unit_test(a_long_decimal_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_convert.c - tokens into typed cells: what fits, what does not, and Java's digits.
 */
#include "record/convert.h"

#include "test_record_common.h"

static void line(const char *type, const char *value, const char *want)
{
    char schema[80], json[400], text[400];
    snprintf(schema, sizeof schema, "value.schema=v %s, one INT", type);
    snprintf(json, sizeof json, "{\"v\":%s,\"one\":1}", value);
    snprintf(text, sizeof text, "%s,1", want);
    check_line(OPTIONS(schema), json, text);
}

static void digits_of_other_scripts(void **state)
{
    (void)state;
    pst_context ctx = {.partial = true};
    pst_arena_init(&ctx.arena, 1 << 20);
    pst_sv same = PST_SV("12.5"), out = pst_convert_digits(&ctx, same);
    assert_ptr_equal(out.p, same.p);
    out = pst_convert_digits(&ctx, PST_SV("-\xef\xbc\x91\xd9\xa2.\xe0\xa5\xa9\xc3\xa9"));
    assert_true(pst_sv_is(out, "-12.3\xc3\xa9"));
    out = pst_convert_digits(&ctx, PST_SV("\xf0\x9d\x9f\x8e\xff"));
    assert_true(pst_sv_is(out, "\xf0\x9d\x9f\x8e\xff")); /* beyond U+FFFF none counts */
    pst_arena_done(&ctx.arena);
    line("DECIMAL(5,2)", "\"\xef\xbc\x91\xef\xbc\x92\"", "12.00");
    line("DECIMAL(5,2)", "\"\xd9\xa1,\xd9\xa2\"", "12.00");
    line("BIGINT", "\"\xef\xbc\x91\"", "");
    line("DATE", "\"\xef\xbc\x91\xef\xbc\x92\"", "1970-01-13");
}

static void integers(void **state)
{
    (void)state;
    line("TINYINT", "255", "-1");
    line("TINYINT", "256", "");
    line("TINYINT", "-129", "");
    line("SMALLINT", "32768", "");
    line("BIGINT", "-9223372036854775808", "-9223372036854775808");
    line("BIGINT", "9223372036854775808", "");
    line("INT", "-0", "0");
    line("INT", "1.0", "");
}

static void reals(void **state)
{
    (void)state;
    line("FLOAT", "16777217", "1.6777216E7");
    line("FLOAT", "-0", "0.0");
    line("FLOAT", "-0.0", "-0.0");
    line("FLOAT", "7e-46", "0.0");
    line("FLOAT", "3.4028236e38", "Infinity");
    line("DOUBLE", "\"+INF\"", "Infinity");
    line("DOUBLE", "\"nan\"", "");
    line("DOUBLE", "1e-400", "0.0");
}

static void decimals(void **state)
{
    (void)state;
    line("DECIMAL(38,18)", "0", "0E-18");
    line("DECIMAL(3,2)", "9.995", "");
    line("DECIMAL(3,2)", "9.994", "9.99");
    line("DECIMAL(3,2)", "-0.005", "-0.01");
    line("DECIMAL(1,1)", "-1.5e-10", "0.0");
    line("DECIMAL(5,0)", "\"1e1000\"", "");
    line("DECIMAL(5,0)", "\",\"", "");
    line("DECIMAL(5,0)", "NaN", "");
}

static void base64(void **state)
{
    (void)state;
    const char *schema = "value.schema=v BINARY, one INT";
    const char *select = "select=CAST(v AS STRING) AS v, one";
    check_line(OPTIONS(schema, select), "{\"v\":\"YWJj\",\"one\":1}", "abc,1");
    check_line(OPTIONS(schema, select), "{\"v\":\"YWI=\",\"one\":1}", "ab,1");
    check_line(OPTIONS(schema, select), "{\"v\":\"YW\",\"one\":1}", ",1");
    check_line(OPTIONS(schema, select), "{\"v\":\"Y===\",\"one\":1}", ",1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_of_other_scripts),
        cmocka_unit_test(integers),
        cmocka_unit_test(reals),
        cmocka_unit_test(decimals),
        cmocka_unit_test(base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

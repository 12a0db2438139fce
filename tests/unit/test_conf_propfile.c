/*
 * test_conf_propfile.c - the .properties format against what java.util.Properties gives.
 *
 * The expected pairs of the table were made by the JDK's Properties.load() (17), except
 * in the group that says so.
 */
#include "test_conf_common.h"

typedef struct collected {
    pst_buf text; /* "key=value;" of each pair, "!line:why;" of each error */
} collected;

static pst_rc collect(void *opaque, const pst_propfile_pair *pair)
{
    pst_buf *text = &((collected *)opaque)->text;
    pst_conf_out out = pst_conf_out_begin(text);
    if (pair->why)
        pst_conf_putf(&out, "!%d:%s;", pair->line, pair->why);
    else
        pst_conf_putf(&out, "%.*s=%.*s;", PST_SV_FMT(pair->key), PST_SV_FMT(pair->value));
    return pst_conf_out_end(&out);
}

static void assert_reads_sv(pst_sv text, const char *expected)
{
    collected all;
    pst_buf_init(&all.text, 65536);
    assert_int_equal(pst_propfile_read(text, collect, &all), PST_OK);
    assert_string_equal(pst_buf_cstr(&all.text), expected);
    pst_buf_done(&all.text);
}

static void reads_as_java(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"\n\r\n \t\f\n", ""},
        {"a=b", "a=b;"},
        {"a=b\n", "a=b;"},
        {"a=b\rc=d\r\ne=f\n", "a=b;c=d;e=f;"},
        {"a:b\na b\na\tb\na\fb", "a=b;a=b;a=b;a=b;"},
        {"  a  =  b  ", "a=b  ;"},
        {"a = = b", "a== b;"},
        {"a : = b", "a== b;"},
        {"a  b=c", "a=b=c;"},
        {"a", "a=;"},
        {"a=", "a=;"},
        {"a =", "a=;"},
        {"# a=b\n! c=d\n  # e\n  ! f\ng=#h\ni=!j", "g=#h;i=!j;"},
        {"#\\\na=b", "a=b;"},
        {"a=b\\\nc", "a=bc;"},
        {"a=b\\\n   c", "a=bc;"},
        {"a=b\\\r\n\t c", "a=bc;"},
        {"a=b\\\rc", "a=bc;"},
        {"a=b\\\\\nc=d", "a=b\\;c=d;"},
        {"a=b\\\\\\\nc", "a=b\\c;"},
        {"a\\\nb=c", "ab=c;"},
        {"a\\\n  b \\\n = c", "ab=c;"},
        {"a=b\\\n\nc=d", "a=b;c=d;"},
        {"a=b\\\n#c", "a=b#c;"},
        {"\\\n#c\na=b", "a=b;"},
        {"\\\n  a=b", "a=b;"},
        {"\\\n\na=b", "a=b;"},
        {"a=b\\", "a=b;"},
        {"a=b\\\n", "a=b;"},
        {"a=b\\\\", "a=b\\;"},
        {"a\\ b=c", "a b=c;"},
        {"a\\=b\\:c=d", "a=b:c=d;"},
        {"a\\\\=b", "a\\=b;"},
        {"\\#a=b", "#a=b;"},
        {"a=\\ b", "a= b;"},
        {"a=\\t\\n\\r\\f\\b\\q\\\"", "a=\t\n\r\fbq\";"},
        {"a=\\u0041\\u00e9\\u20AC", "a=Aé€;"},
        {"a=\\uD83D\\uDE00", "a=😀;"},
        {"a=\\\\u0041", "a=\\u0041;"},
        {"\\u0061\\u003d=b", "a==b;"},
        {"clé=värde 😀", "clé=värde 😀;"},
        {"a=1\na=2", "a=1;a=2;"},
        {"a=b=c:d e", "a=b=c:d e;"},
        {"a=C:\\\\temp", "a=C:\\temp;"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_reads_sv(pst_sv_of(cases[i].text), cases[i].expected);
}

#define NEEDS_HEX                                                                        \
    "\\u needs four hex digits after it; write \\\\u if a backslash is meant"
#define HALF                                                                             \
    "\\u with half of a surrogate pair; write both halves, or the character itself in "  \
    "UTF-8"
#define NOT_UTF8 "bytes that are not UTF-8; save the file as UTF-8, or write \\uXXXX"
#define NO_NAME "no name before the separator; write name=value"
#define HAS_NUL "a NUL character in it; remove it (is this a text file?)"

static void tells_each_bad_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"a=\\u", "!1:" NEEDS_HEX ";"},
        {"a=\\u12", "!1:" NEEDS_HEX ";"},
        {"a=\\u12g4", "!1:" NEEDS_HEX ";"},
        {"\n\ndir=C:\\users", "!3:" NEEDS_HEX ";"},
        {"\\u12=x\nb=c\na=\\uZZZZ", "!1:" NEEDS_HEX ";b=c;!3:" NEEDS_HEX ";"},
        {"a=\\uD83D", "!1:" HALF ";"},
        {"a=\\uD83Dx", "!1:" HALF ";"},
        {"a=\\uD83D\\u0041", "!1:" HALF ";"},
        {"a=\\uD83D\\uD83D", "!1:" HALF ";"},
        {"a=\\uDE00", "!1:" HALF ";"},
        {"a=\\u0000", "!1:" HAS_NUL ";"},
        {"a=b\n\\\n\\\n c=\xE9t\xE9\nd=e", "a=b;!4:" NOT_UTF8 ";d=e;"},
        {"a=\xED\xA0\xBD", "!1:" NOT_UTF8 ";"},
        {"\xC0\xAF=b", "!1:" NOT_UTF8 ";"},
        {"=b", "!1:" NO_NAME ";"},
        {"a=b\n : c", "a=b;!2:" NO_NAME ";"},
        {"# caf\xE9\na=b", "a=b;"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_reads_sv(pst_sv_of(cases[i].text), cases[i].expected);
    assert_reads_sv(PST_SV("a=x\0y\nb=c"), "!1:" HAS_NUL ";b=c;");
    assert_reads_sv(PST_SV("a=b\n\0=c"), "a=b;!2:" HAS_NUL ";");
}

static void counts_lines_of_all_ends(void **state)
{
    (void)state;
    assert_reads_sv(pst_sv_of("a=b\r\n\r\n\rc=d\n\n=x"), "a=b;c=d;!6:" NO_NAME ";");
    assert_reads_sv(pst_sv_of("a=b\\\r\n  c\\\n  d\n=x"), "a=bcd;!4:" NO_NAME ";");
    assert_reads_sv(pst_sv_of("# c\r\n=x"), "!2:" NO_NAME ";");
}

static void knows_other_encodings(void **state)
{
    (void)state;
    assert_reads_sv(PST_SV("\xEF\xBB\xBF"
                           "a=b"),
                    "a=b;");
    assert_reads_sv(PST_SV("\xFF\xFE"
                           "a\0=\0b\0"),
                    "!1:this is UTF-16; save the file as UTF-8;");
    assert_reads_sv(PST_SV("\xFE\xFF\0a\0=\0b"),
                    "!1:this is UTF-16; save the file as UTF-8;");
}

static pst_rc stop(void *opaque, const pst_propfile_pair *pair)
{
    (void)pair;
    ++*(int *)opaque;
    return PST_E_LIMIT;
}

static void stops_when_told(void **state)
{
    (void)state;
    int calls = 0;
    assert_int_equal(pst_propfile_read(pst_sv_of("a=b\nc=d"), stop, &calls), PST_E_LIMIT);
    assert_int_equal(calls, 1);
}

/* Whatever was written reads back. */
static void writes_what_it_reads(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",         " ",  "  a b  ", "\t", "\n\r\f", "a\\b", "#x", "!x",    "a=b:c d",
        "\x01\x7F", "é😀", "\\u0041", "=",  ":",      "a\\",  "\\", "a#b!c",
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        pst_buf file;
        pst_buf_init(&file, 1024);
        pst_conf_out out = pst_conf_out_begin(&file);
        pst_conf_put(&out, "k");
        pst_propfile_put(&out, values[i], true);
        pst_conf_put(&out, " = ");
        pst_propfile_put(&out, values[i], false);
        assert_int_equal(pst_conf_out_end(&out), PST_OK);
        char expected[64];
        snprintf(expected, sizeof expected, "k%s=%s;", values[i], values[i]);
        assert_reads_sv((pst_sv){file.data, file.len}, expected);
        pst_buf_done(&file);
    }
}

static void writes_a_name_that_looks_like_a_comment(void **state)
{
    (void)state;
    pst_buf file;
    pst_buf_init(&file, 1024);
    pst_conf_out out = pst_conf_out_begin(&file);
    pst_propfile_put(&out, "#a", true);
    pst_conf_put(&out, "=1\n");
    pst_propfile_put(&out, "!b", true);
    pst_conf_put(&out, "=2\n");
    assert_int_equal(pst_conf_out_end(&out), PST_OK);
    assert_reads_sv((pst_sv){file.data, file.len}, "#a=1;!b=2;");
    pst_buf_done(&file);
}

static pst_rc happy(void)
{
    collected all;
    pst_buf_init(&all.text, 65536);
    pst_rc rc =
        pst_propfile_read(pst_sv_of("a\\\n b=\\u00e9\\\n c\n=x\nd=e"), collect, &all);
    pst_buf_done(&all.text);
    return rc;
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    fail_each_allocation(happy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_as_java),
        cmocka_unit_test(tells_each_bad_line),
        cmocka_unit_test(counts_lines_of_all_ends),
        cmocka_unit_test(knows_other_encodings),
        cmocka_unit_test(stops_when_told),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(writes_a_name_that_looks_like_a_comment),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

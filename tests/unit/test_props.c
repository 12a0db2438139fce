/*
 * test_props.c - the set of pairs: order, replacement, ceilings, files, what is told.
 */
#include "test_conf_common.h"

static void keeps_the_order_and_the_place(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "b=1\n\n  a = 2\\\n 3\nc\n"), PST_OK);
    assert_int_equal(s.props.n, 3);
    assert_string_equal(s.props.items[0].key, "b");
    assert_string_equal(s.props.items[1].key, "a");
    assert_string_equal(s.props.items[1].value, "23");
    assert_string_equal(s.props.items[1].file, "t.properties");
    assert_int_equal(s.props.items[1].line, 3);
    assert_false(s.props.items[1].secret_source);
    assert_string_equal(pst_props_get(&s.props, "c"), "");
    assert_null(pst_props_get(&s.props, "d"));
    assert_null(pst_props_find(&s.props, "A"));
    assert_int_equal(s.report.n, 0);
    sample_done(&s);
}

static void reads_text_without_a_nul(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    pst_sv text = {"a=bcd", 3};
    assert_int_equal(pst_props_parse(&s.props, text, "t", &s.report), PST_OK);
    assert_string_equal(pst_props_get(&s.props, "a"), "b");
    text = (pst_sv){NULL, 0};
    assert_int_equal(pst_props_parse(&s.props, text, "t", &s.report), PST_OK);
    sample_done(&s);
}

static void the_last_of_two_counts(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "a=1\nb=2\na=3\n"), PST_OK);
    assert_int_equal(s.props.n, 2);
    assert_string_equal(pst_props_get(&s.props, "a"), "3");
    assert_int_equal(pst_props_find(&s.props, "a")->line, 3);
    assert_int_equal(s.report.errors, 0);
    assert_string_equal(sample_report(&s),
                        "t.properties:3: warning: a: given twice, before at line 1; the "
                        "last one counts\n");
    pst_sv text = PST_SV("b=4\n");
    assert_int_equal(pst_props_parse(&s.props, text, "u.properties", &s.report), PST_OK);
    assert_contains(sample_report(&s),
                    "u.properties:1: warning: b: given twice, before at "
                    "t.properties:2; the last one counts\n");
    sample_done(&s);
}

static void set_replaces_without_a_word(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "a=1\nb=2\n"), PST_OK);
    assert_int_equal(pst_props_set(&s.props, "a", "x", "(command line)", &s.report),
                     PST_OK);
    assert_int_equal(pst_props_set(&s.props, "c", "\\u0041", NULL, &s.report), PST_OK);
    assert_string_equal(pst_props_get(&s.props, "a"), "x");
    assert_string_equal(pst_props_find(&s.props, "a")->file, "(command line)");
    assert_int_equal(pst_props_find(&s.props, "a")->line, 0);
    assert_string_equal(pst_props_get(&s.props, "c"), "\\u0041");
    assert_null(pst_props_find(&s.props, "c")->file);
    assert_int_equal(s.report.n, 0);
    sample_done(&s);
}

static void set_refuses_what_is_no_text(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(pst_props_set(&s.props, "", "x", "(python)", &s.report),
                     PST_E_CONFIG);
    assert_int_equal(pst_props_set(&s.props, "\xE9", "x", "(python)", &s.report),
                     PST_E_CONFIG);
    assert_int_equal(pst_props_set(&s.props, "a", "pass\xE9word", "(python)", &s.report),
                     PST_E_CONFIG);
    assert_string_equal(sample_report(&s), "(python): a setting without a name\n"
                                           "(python): not UTF-8; write it as UTF-8\n"
                                           "(python): a: not UTF-8; write it as UTF-8\n");
    assert_true(pst_props_find(&s.props, "a")->broken);
    sample_done(&s);
}

/* All of them, and what is right is kept; a value that is wrong counts as given. */
static void tells_all_errors(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "a=\\u1\n=2\nb=\xFF\nc=3\nd=${x}\n"), PST_E_CONFIG);
    assert_int_equal(s.report.errors, 4);
    assert_string_equal(
        sample_report(&s),
        "t.properties:1: a: \\u needs four hex digits after it; write \\\\u if a "
        "backslash "
        "is meant\n"
        "t.properties:2: no name before the separator; write name=value\n"
        "t.properties:3: b: bytes that are not UTF-8; save the file as UTF-8, or write "
        "\\uXXXX\n"
        "t.properties:5: d: ${x} names no provider; write ${env:x} or "
        "${file:path:key}\n");
    assert_int_equal(s.props.n, 4);
    assert_true(pst_props_find(&s.props, "a")->broken);
    assert_true(pst_props_find(&s.props, "d")->broken);
    assert_false(pst_props_find(&s.props, "c")->broken);
    sample_done(&s);
}

static void has_a_ceiling_for_pairs(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    pst_buf text;
    pst_buf_init(&text, PST_PROPS_FILE_MAX);
    for (int i = 0; i < PST_PROPS_MAX + 5; i++)
        assert_int_equal(pst_buf_addf(&text, "k%d=v\n", i), PST_OK);
    assert_int_equal(
        pst_props_parse(&s.props, (pst_sv){text.data, text.len}, "t", &s.report),
        PST_E_CONFIG);
    assert_int_equal(s.props.n, PST_PROPS_MAX);
    assert_string_equal(sample_report(&s),
                        "t:2001: k2000: more than 2000 settings; leave some out\n");
    assert_int_equal(pst_props_set(&s.props, "k7", "w", "t", &s.report), PST_OK);
    assert_int_equal(pst_props_set(&s.props, "new", "w", "t", &s.report), PST_E_CONFIG);
    pst_buf_done(&text);
    sample_done(&s);
}

static void has_a_ceiling_for_bytes(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    size_t n = PST_PROPS_FILE_MAX + 1;
    char *text = malloc(n + 1);
    assert_non_null(text);
    memset(text, 'x', n);
    text[n] = '\0';
    text[1] = '=';
    assert_int_equal(pst_props_parse(&s.props, (pst_sv){text, n - 1}, "t", &s.report),
                     PST_OK);
    assert_int_equal(strlen(pst_props_get(&s.props, "x")), n - 3);
    assert_int_equal(pst_props_parse(&s.props, (pst_sv){text, n}, "t", &s.report),
                     PST_E_CONFIG);
    assert_string_equal(sample_report(&s),
                        "t: larger than 1 MiB; this is not a settings file\n");
    assert_int_equal(pst_props_set(&s.props, "y", text, "u", &s.report), PST_E_CONFIG);
    assert_contains(sample_report(&s), "u: y: longer than 1 MiB; shorten it\n");
    free(text);
    sample_done(&s);
}

static void loads_a_file(void **state)
{
    (void)state;
    char path[64], expected[128];
    write_temporary(path, "a=1\r\n=\r\n", 8);
    sample s;
    sample_init(&s);
    assert_int_equal(pst_props_load(&s.props, path, &s.report), PST_E_CONFIG);
    assert_string_equal(pst_props_get(&s.props, "a"), "1");
    assert_string_equal(pst_props_find(&s.props, "a")->file, path);
    snprintf(expected, sizeof expected, "%s:2: %s\n", path,
             "no name before the separator; write name=value");
    assert_string_equal(sample_report(&s), expected);
    sample_done(&s);
    unlink(path);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(pst_props_load(&s.props, "/none/x.properties", &s.report),
                     PST_E_CONFIG);
    assert_int_equal(pst_props_load(&s.props, "/tmp", &s.report), PST_E_CONFIG);
    assert_int_equal(pst_props_load(&s.props, "/dev/zero", &s.report), PST_E_CONFIG);
    assert_string_equal(sample_report(&s),
                        "/dev/zero: larger than 1 MiB; this is not a settings file\n"
                        "/none/x.properties: cannot be opened: No such file or "
                        "directory; check the path\n"
                        "/tmp: cannot be read: Is a directory\n");
    assert_int_equal(s.report.errors, 3);
    assert_int_equal(s.props.n, 0);
    sample_done(&s);
}

static void can_be_freed_twice(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "a=1"), PST_OK);
    pst_props_done(&s.props);
    pst_props_done(&s.props);
    sample_done(&s);
}

static char happy_file[64];

static pst_rc happy(void)
{
    sample s;
    sample_init(&s);
    pst_rc rc = sample_parse(&s, "a=1\nb=2\na=3\nc=${env:PATH}\n");
    if (rc == PST_OK)
        rc = pst_props_set(&s.props, "c", "4", "(python)", &s.report);
    if (rc == PST_OK)
        rc = pst_props_load(&s.props, happy_file, &s.report);
    assert_int_equal(s.report.nomem, rc == PST_E_NOMEM);
    sample_done(&s);
    return rc;
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    pst_buf text;
    pst_buf_init(&text, 4096);
    for (int i = 0; i < 20; i++)
        assert_int_equal(pst_buf_addf(&text, "k%d=v\n", i), PST_OK);
    write_temporary(happy_file, text.data, text.len);
    pst_buf_done(&text);
    fail_each_allocation(happy);
    unlink(happy_file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order_and_the_place),
        cmocka_unit_test(reads_text_without_a_nul),
        cmocka_unit_test(the_last_of_two_counts),
        cmocka_unit_test(set_replaces_without_a_word),
        cmocka_unit_test(set_refuses_what_is_no_text),
        cmocka_unit_test(tells_all_errors),
        cmocka_unit_test(has_a_ceiling_for_pairs),
        cmocka_unit_test(has_a_ceiling_for_bytes),
        cmocka_unit_test(loads_a_file),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(can_be_freed_twice),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

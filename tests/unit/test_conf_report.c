/*
 * test_conf_report.c - the list of errors: order, ceilings, one printable line each.
 */
#include "test_conf_common.h"

static pst_prop at(const char *file, int line, const char *key)
{
    return (pst_prop){.file = (char *)file, .line = line, .key = (char *)key};
}

static void sorts_by_file_and_line(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    pst_prop b9 = at("b", 9, "k"), b10 = at("b", 10, "k"), b0 = at("b", 0, NULL);
    pst_prop a2 = at("a", 2, "x");
    pst_conf_error(&s.report, NULL, NULL, "about all");
    pst_conf_error(&s.report, &b10, NULL, "ten");
    pst_conf_error(&s.report, &b0, "gone", "missing");
    pst_conf_error(&s.report, &b9, "other", "nine, first");
    pst_conf_warning(&s.report, &b9, NULL, "nine, second");
    pst_conf_error(&s.report, &a2, NULL, "in %s", "a");
    assert_int_equal(s.report.errors, 5);
    assert_int_equal(s.report.n, 6);
    assert_string_equal(sample_report(&s), "a:2: x: in a\n"
                                           "b:9: other: nine, first\n"
                                           "b:9: warning: k: nine, second\n"
                                           "b:10: k: ten\n"
                                           "b: gone: missing\n"
                                           "about all\n");
    sample_done(&s);
}

static void names_the_key_once(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    pst_prop where = at("f", 1, "a.b");
    pst_conf_error(&s.report, &where, NULL, "unknown setting \"a.b\"");
    pst_conf_error(&s.report, &where, NULL, "unknown setting \"a.bc\"");
    pst_conf_error(&s.report, &where, NULL, "a.b: no such setting");
    pst_conf_error(&s.report, &where, NULL, "a.b is wrong");
    assert_string_equal(s.report.items[0].key, "a.b");
    assert_string_equal(sample_report(&s), "f:1: unknown setting \"a.b\"\n"
                                           "f:1: a.b: unknown setting \"a.bc\"\n"
                                           "f:1: a.b: no such setting\n"
                                           "f:1: a.b: a.b is wrong\n");
    sample_done(&s);
}

static void is_printable_whatever_comes(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    pst_prop where = at("fi\nle", 1, "k\x1B[31m");
    pst_conf_error(&s.report, &where, NULL,
                   "a\nb\r\tc\x1B[0m\x7F \xC2\x9B é😀 \xFF\xC3 %s", "\xE2\x82");
    assert_string_equal(s.report.items[0].text, "a b  c [0m     é😀 ?? ??");
    assert_string_equal(sample_report(&s), "fi le:1: k [31m: a b  c [0m     é😀 ?? ??\n");
    sample_done(&s);
}

static void cuts_a_long_text(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    pst_conf_error(&s.report, NULL, NULL, "%s", text);
    assert_int_equal(strlen(s.report.items[0].text), 1023);
    sample_done(&s);
}

static void counts_what_it_does_not_keep(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    for (int i = 0; i < PST_CONF_REPORT_MAX + 7; i++)
        pst_conf_error(&s.report, NULL, NULL, "error %d", i);
    assert_int_equal(s.report.n, PST_CONF_REPORT_MAX);
    assert_int_equal(s.report.errors, PST_CONF_REPORT_MAX + 7);
    assert_contains(sample_report(&s), "error 199\nand 7 more errors\n");
    sample_done(&s);
}

static void prints_nothing_when_all_is_well(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_string_equal(sample_report(&s), "");
    sample_done(&s);
}

static void prints_all_or_nothing(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    pst_buf small;
    pst_buf_init(&small, 16);
    assert_int_equal(pst_buf_adds(&small, "before "), PST_OK);
    pst_conf_error(&s.report, NULL, NULL, "more than there is room for");
    assert_int_equal(pst_conf_report_print(&s.report, &small), PST_E_LIMIT);
    assert_int_equal(small.len, 7);
    pst_buf_done(&small);
    sample_done(&s);
}

static void tells_lack_of_memory(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    pst_fault_set(0);
    pst_conf_error(&s.report, NULL, NULL, "lost");
    pst_fault_set(-1);
    assert_true(s.report.nomem);
    assert_int_equal(s.report.errors, 1);
    assert_int_equal(s.report.n, 0);
    assert_string_equal(sample_report(&s), "out of memory while reading the settings\n");
    sample_done(&s);
}

static pst_rc happy(void)
{
    sample s;
    sample_init(&s);
    for (int i = 0; i < 20; i++) {
        pst_prop where = at("file", i, "key");
        pst_conf_error(&s.report, &where, NULL, "error %d", i);
    }
    pst_rc rc = pst_conf_report_print(&s.report, &s.text);
    assert_int_equal(s.report.errors, 20);
    if (s.report.nomem)
        rc = PST_E_NOMEM;
    sample_done(&s);
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
        cmocka_unit_test(sorts_by_file_and_line),
        cmocka_unit_test(names_the_key_once),
        cmocka_unit_test(is_printable_whatever_comes),
        cmocka_unit_test(cuts_a_long_text),
        cmocka_unit_test(counts_what_it_does_not_keep),
        cmocka_unit_test(prints_nothing_when_all_is_well),
        cmocka_unit_test(prints_all_or_nothing),
        cmocka_unit_test(tells_lack_of_memory),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

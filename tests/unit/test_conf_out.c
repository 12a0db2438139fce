/*
 * test_conf_out.c - appending text with one check at the end.
 */
#include "test_conf_common.h"

static void appends(void **state)
{
    (void)state;
    pst_buf buf;
    pst_buf_init(&buf, 64);
    pst_conf_out out = pst_conf_out_begin(&buf);
    pst_conf_put(&out, "a");
    pst_conf_put(&out, "");
    pst_conf_putn(&out, (pst_sv){"bcd", 2});
    pst_conf_putn(&out, (pst_sv){NULL, 0});
    pst_conf_putf(&out, "%d%s", 7, "x");
    assert_int_equal(pst_conf_out_end(&out), PST_OK);
    assert_string_equal(pst_buf_cstr(&buf), "abc7x");
    pst_buf_done(&buf);
}

static void fails_as_a_whole(void **state)
{
    (void)state;
    pst_buf buf;
    pst_buf_init(&buf, 8);
    assert_int_equal(pst_buf_adds(&buf, "ab"), PST_OK);
    pst_conf_out out = pst_conf_out_begin(&buf);
    pst_conf_put(&out, "cd");
    pst_conf_putf(&out, "%s", "too much to hold");
    pst_conf_put(&out, "e"); /* would fit, but comes after a failure */
    assert_int_equal(pst_conf_out_end(&out), PST_E_LIMIT);
    assert_string_equal(pst_buf_cstr(&buf), "ab");
    pst_buf_done(&buf);
}

static pst_rc happy(void)
{
    pst_buf buf;
    pst_buf_init(&buf, 1024);
    pst_conf_out out = pst_conf_out_begin(&buf);
    for (int i = 0; i < 50; i++)
        pst_conf_putf(&out, "line %d\n", i);
    pst_rc rc = pst_conf_out_end(&out);
    pst_buf_done(&buf);
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
        cmocka_unit_test(appends),
        cmocka_unit_test(fails_as_a_whole),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

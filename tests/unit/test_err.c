/*
 * test_err.c - errors: first one wins, one line, context in front, never overflows.
 */
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void first_error_wins(void **state)
{
    (void)state;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_fail(&err, PST_E_IO, "first %d", 1), PST_E_IO);
    assert_int_equal(pst_fail_retriable(&err, PST_E_AUTH, "second"), PST_E_AUTH);
    assert_int_equal(err.code, PST_E_IO);
    assert_false(err.retriable);
    assert_string_equal(err.text, "first 1");
    pst_err_clear(&err);
    assert_int_equal(err.code, PST_OK);
    assert_string_equal(err.text, "");
}

static void an_error_is_optional(void **state)
{
    (void)state;
    assert_int_equal(pst_fail(NULL, PST_E_LIMIT, "x"), PST_E_LIMIT);
    assert_int_equal(pst_fail_nomem(NULL, "x"), PST_E_NOMEM);
    pst_err_context(NULL, "x");
    pst_err_clear(NULL);
}

static void text_is_one_line_and_bounded(void **state)
{
    (void)state;
    pst_err err = PST_ERR_INIT;
    char longer[2000];
    memset(longer, 'y', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    (void)pst_fail(&err, PST_E_INVALID, "a\nb\r%s", longer);
    assert_memory_equal(err.text, "a b y", 5);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    pst_err_context(&err, "ctx %d", 7);
    assert_memory_equal(err.text, "ctx 7: a b y", 12);
    assert_true(strlen(err.text) < sizeof err.text);
    pst_err_context(&err, "%s", longer); /* does not fit: left as it was */
    assert_memory_equal(err.text, "ctx 7: a b y", 12);
}

static void context_needs_an_error(void **state)
{
    (void)state;
    pst_err err = PST_ERR_INIT;
    pst_err_context(&err, "nothing");
    assert_int_equal(err.code, PST_OK);
    assert_string_equal(err.text, "");
}

static void every_code_has_a_name(void **state)
{
    (void)state;
    for (int code = PST_OK; code <= PST_E_INTERNAL; code++)
        assert_string_not_equal(pst_rc_name((pst_rc)code), "unknown");
    assert_string_equal(pst_rc_name((pst_rc)999), "unknown");
    assert_string_equal(pst_rc_name(PST_E_AUTH), "auth");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_wins),
        cmocka_unit_test(an_error_is_optional),
        cmocka_unit_test(text_is_one_line_and_bounded),
        cmocka_unit_test(context_needs_an_error),
        cmocka_unit_test(every_code_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_pattern.c - limits of date and time patterns. What they print and read is compared
 * with Spark's golden files (make conformance).
 */
#include "record/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_refused(const char *text, pst_pattern_use use, const char *why)
{
    pst_pattern *pattern = NULL;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_pattern_new(&pattern, text, use, &err), PST_E_CONFIG);
    assert_null(pattern);
    assert_non_null(strstr(err.text, why));
}

/* A bracket that has no room must not be closed: it was written behind the array's end.
 */
static void bracket_beyond_the_last_place(void **state)
{
    enum { PAIRS = 64 };
    char text[2 * PAIRS + 2] = "";
    (void)state;
    for (size_t i = 0; i < PAIRS; i++)
        memcpy(text + 2 * i, "[]", 3);
    memcpy(text + (size_t)2 * PAIRS, "[", 2);
    assert_refused(text, PST_PATTERN_FORMAT, "the pattern is too long");
    assert_refused(text, PST_PATTERN_PARSE, "the pattern is too long");
    text[2 * PAIRS] = '\0';
    pst_pattern *pattern = NULL;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_pattern_new(&pattern, text, PST_PATTERN_FORMAT, &err), PST_OK);
    pst_pattern_free(pattern);
}

static void brackets_nest_so_deep(void **state)
{
    (void)state;
    assert_refused("[[[[[[[[[[[[[[[[[y", PST_PATTERN_FORMAT, "nested too deep");
    assert_refused("]", PST_PATTERN_PARSE, "] without [ before it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bracket_beyond_the_last_place),
        cmocka_unit_test(brackets_nest_so_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_decimal.c - DECIMAL(p,s) as Java's BigDecimal prints it.
 */
#include "record/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void check(const char *text, int precision, int scale, const char *want)
{
    char out[PST_DECIMAL_TEXT_MAX + 1];
    size_t n = 0;
    bool ok = pst_decimal_of(pst_sv_of(text), precision, scale, out, &n);
    if (!want) {
        assert_false(ok);
        return;
    }
    assert_true(ok);
    assert_true(n <= PST_DECIMAL_TEXT_MAX);
    out[n] = '\0';
    assert_string_equal(out, want);
}

static void rounding(void **state)
{
    (void)state;
    check("1.005", 10, 2, "1.01");
    check("-1.005", 10, 2, "-1.01");
    check("1.0049999", 10, 2, "1.00");
    check("0.005", 10, 2, "0.01");
    check("0.004", 10, 2, "0.00");
    check("-0.001", 10, 2, "0.00");
    check("99999999.994", 10, 2, "99999999.99");
    check("99999999.995", 10, 2, NULL);
    check("9.5", 2, 0, "10");
    check("9.5", 1, 0, NULL);
    check("0.5", 1, 0, "1");
    check("0.05", 1, 0, "0");
    check("00012.50", 5, 1, "12.5");
}

static void exponents(void **state)
{
    (void)state;
    check("1e3", 10, 2, "1000.00");
    check("15E-1", 10, 2, "1.50");
    check("1e30", 38, 8, NULL);
    check("1e29", 38, 8, "100000000000000000000000000000.00000000");
    check("1e-2147483647", 10, 2, "0.00");
    check("1e2147483647", 10, 2, NULL);
    check("1e2147483648", 10, 2, NULL);
    check("0e99999", 10, 2, "0.00");
    check("1e", 10, 2, NULL);
    check("1e+", 10, 2, NULL);
}

static void scientific_text(void **state)
{
    (void)state;
    check("0", 38, 18, "0E-18");
    check("0.0000001", 10, 7, "1E-7");
    check("0.0000012", 10, 7, "0.0000012");
    check("0.00000012", 10, 8, "1.2E-7");
    check("-0.00000012", 10, 8, "-1.2E-7");
    check("0", 10, 6, "0.000000");
    check("0", 10, 7, "0E-7");
    check("12345678901234567890123456789012345678", 38, 0,
          "12345678901234567890123456789012345678");
    check("123456789012345678901234567890123456789", 38, 0, NULL);
}

static void syntax(void **state)
{
    (void)state;
    check("+5", 10, 2, "5.00");
    check(".5", 10, 2, "0.50");
    check("5.", 10, 2, "5.00");
    check("", 10, 2, NULL);
    check(".", 10, 2, NULL);
    check("-", 10, 2, NULL);
    check(" 1", 10, 2, NULL);
    check("1.2.3", 10, 2, NULL);
    check("1x", 10, 2, NULL);
    check("NaN", 10, 2, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding),
        cmocka_unit_test(exponents),
        cmocka_unit_test(scientific_text),
        cmocka_unit_test(syntax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_number.c - text to double and float, correctly rounded; numbers to Java's text.
 * The golden files hold thousands more (tests/conformance).
 */
#include "record/number.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void reads(const char *text)
{
    double want = strtod(text, NULL), got = pst_number_to_double(pst_sv_of(text));
    if (memcmp(&want, &got, sizeof want) != 0)
        fail_msg("%s: %.17g, not %.17g", text, got, want);
    float wantf = strtof(text, NULL), gotf = pst_number_to_float(pst_sv_of(text));
    if (memcmp(&wantf, &gotf, sizeof wantf) != 0)
        fail_msg("%s: float %.9g, not %.9g", text, (double)gotf, (double)wantf);
}

static void reading_hard_cases(void **state)
{
    (void)state;
    static const char *const hard[] = {
        "0",
        "-0.0",
        "1",
        "0.1",
        "1e22",
        "1e23",
        "9007199254740993",
        "9007199254740992.5",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1e400",
        "1e-400",
        "3.4028235e38",
        "3.4028236e38",
        "1.17549435e-38",
        "7.0e-46",
        "16777217",
        "16777217.0000000000000000000001",
        "8388608.5",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "123456789012345678901234567890",
        "0.000000000000000000000000000000000000000000001e45",
        "17976931348623158079372897140530341507993413271003782693617377898044496829276475"
        "094664"
        "90179775872070963302864166928879109465555478519404026306574886715058206819089020"
        "00708383"
        "67627315484581771153176447573027006985557136695962284291481986083493647529271907"
        "41684443"
        "65510704342711559699508093042880177904174497791999999999999999999999999999999999"
        "99999999"};
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++)
        reads(hard[i]);
}

static void reading_random_ones(void **state)
{
    (void)state;
    uint64_t seed = 12345;
    char text[64];
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        double d;
        memcpy(&d, &seed, sizeof d);
        if (!isfinite(d))
            continue;
        snprintf(text, sizeof text, "%.*e", (int)(seed >> 60) + 5, d);
        reads(text);
    }
}

static void long_numbers_take_bounded_time(void **state)
{
    (void)state;
    static char text[1000001];
    memset(text, '9', 1000000);
    text[1] = '.';
    assert_true(pst_number_to_double((pst_sv){text, 1000000}) == 10.0);
}

static void prints(double value, const char *want)
{
    char out[PST_DOUBLE_TEXT_MAX + 1];
    out[pst_number_of_double(out, value, PST_NUMBER_JDK17)] = '\0';
    assert_string_equal(out, want);
}

static void printing(void **state)
{
    (void)state;
    char out[PST_DOUBLE_TEXT_MAX + 1];
    prints(0.0, "0.0");
    prints(-0.0, "-0.0");
    prints((double)NAN, "NaN");
    prints(-(double)INFINITY, "-Infinity");
    prints(1e7, "1.0E7");
    prints(9999999, "9999999.0");
    prints(0.001, "0.001");
    prints(0.0001, "1.0E-4");
    prints(-76.9615, "-76.9615");
    prints(2e23, "1.9999999999999998E23"); /* JDK 17 is not the shortest */
    prints(4.9e-324, "4.9E-324");
    prints(DBL_MAX, "1.7976931348623157E308");
    out[pst_number_of_double(out, 2e23, PST_NUMBER_SHORTEST)] = '\0';
    assert_string_equal(out, "2.0E23");
    out[pst_number_of_double(out, 4.9e-324, PST_NUMBER_SHORTEST)] = '\0';
    assert_string_equal(out, "4.9E-324"); /* two digits at least */
    out[pst_number_of_double(out, 7.120236347223045e-307, PST_NUMBER_SHORTEST)] = '\0';
    assert_string_equal(out, "7.120236347223045E-307"); /* a power of two */
    out[pst_number_of_float(out, 3.14159265f, PST_NUMBER_JDK17)] = '\0';
    assert_string_equal(out, "3.1415927");
    out[pst_number_of_float(out, 1.4e-45f, PST_NUMBER_JDK17)] = '\0';
    assert_string_equal(out, "1.4E-45");
    out[pst_number_of_long(out, INT64_MIN)] = '\0';
    assert_string_equal(out, "-9223372036854775808");
    out[pst_number_of_long(out, 0)] = '\0';
    assert_string_equal(out, "0");
}

static void printed_reads_back(void **state)
{
    (void)state;
    uint64_t seed = 99;
    char out[PST_DOUBLE_TEXT_MAX];
    for (int i = 0; i < 50000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        double d = (double)(int64_t)(seed >> 20) / 1e6;
        if (i & 1)
            memcpy(&d, &seed, sizeof d);
        if (!isfinite(d))
            continue;
        for (int format = PST_NUMBER_JDK17; format <= PST_NUMBER_SHORTEST; format++) {
            size_t n = pst_number_of_double(out, d, (enum pst_number_format)format);
            assert_true(n <= sizeof out);
            assert_true(pst_number_to_double((pst_sv){out, n}) == d);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_hard_cases),
        cmocka_unit_test(reading_random_ones),
        cmocka_unit_test(long_numbers_take_bounded_time),
        cmocka_unit_test(printing),
        cmocka_unit_test(printed_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

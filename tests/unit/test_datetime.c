/*
 * test_datetime.c - Spark's own reading of dates and timestamps, patterns (reading,
 * writing, Spark 2's way), calendar arithmetic.
 */
#include "record/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void date(const char *text, const char *want)
{
    int64_t days;
    char got[32] = "null";
    if (pst_parse_date(pst_sv_of(text), &days)) {
        pst_civil c;
        pst_civil_of_days(days, &c);
        snprintf(got, sizeof got, "%04lld-%02d-%02d", (long long)c.year, c.month, c.day);
    }
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s, not %s", text, got, want);
}

static void dates(void **state)
{
    (void)state;
    date("1990-05-17", "1990-05-17");
    date(" 1990-5-7\t", "1990-05-07");
    date("1990", "1990-01-01");
    date("1990-05", "1990-05-01");
    date("1990-05-17T25:99", "1990-05-17");
    date("1990-05-17 x", "1990-05-17");
    date("-1990-05-17", "-1990-05-17");
    date("9999999", "null");
    date("1990-05-17x", "null");
    date("1990-5-", "null");
    date("1990-05-017", "null");
    date("1990-02-29", "null");
    date("2000-02-29", "2000-02-29");
    date("1900-02-29", "null");
    date("90-01-01", "null");
    date("1990-00-01", "null");
    date("1990 05", "null");
    date("", "null");
    date("-", "null");
}

static void stamp(const char *text, int64_t want)
{
    int64_t micros = -1;
    pst_zone *utc = NULL;
    assert_int_equal(pst_zone_new(&utc, PST_SV("UTC"), NULL), PST_OK);
    bool ok = pst_parse_timestamp(pst_sv_of(text), utc, &micros);
    if (want == INT64_MIN ? ok : !ok || micros != want)
        fail_msg("%s: %lld", text, (long long)micros);
    pst_zone_free(utc);
}

static void timestamps(void **state)
{
    (void)state;
    const int64_t base = 1626228905000000, none = INT64_MIN;
    stamp("2021-07-14T02:15:05Z", base);
    stamp("2021-07-14T02:15:05.5Z", base + 500000);
    stamp("2021-07-14T02:15:05.123456789Z", base + 123456);
    stamp("2021-07-14T02:15:05.Z", base);
    stamp("2021-07-14 2:15:5", base);
    stamp("2021-07-14T02:15:05+02:00", base - 7200000000);
    stamp("2021-07-14T02:15:05 Europe/Istanbul", base - 10800000000);
    stamp("2021-07-14T02:15:05 PST", base + 25200000000);
    stamp("2021", 1609459200000000);
    stamp("2021-07-14T02", base - 905000000);
    stamp("2021-07-14T", none);
    stamp("2021-07-14T02:15Z", none);
    stamp("2021-07-14t02:15:05z", none);
    stamp("2021-07-14T24:00:00Z", none);
    stamp("2021-02-30T00:00:00Z", none);
    stamp("2021-07-14T02:15:05Zx", none);
    stamp("2021-07-14T02:15:05,5Z", none);
    stamp("1234567-01-01", none);
    stamp("294247-01-10T04:00:54.775807Z", INT64_MAX);
    stamp("294247-01-10T04:00:54.775808Z", none);
    stamp("-290308-12-21T19:59:05.224193Z", INT64_MIN + 1);
    int64_t micros;
    assert_false(pst_parse_timestamp_ntz(PST_SV("2021-07-14T02:15:05Z"), false, &micros));
    assert_true(pst_parse_timestamp_ntz(PST_SV("2021-07-14T02:15:05"), false, &micros));
    assert_int_equal(micros, base);
}

static void calendar(void **state)
{
    (void)state;
    for (int64_t days = -1000000; days < 1000000; days += 37) {
        pst_civil c;
        pst_civil_of_days(days, &c);
        assert_int_equal(pst_civil_days(c.year, c.month, c.day), days);
        if (days >= -141427)
            assert_int_equal(pst_rebase_julian_days(days), days);
        else /* there and back; but for days that only one calendar has */
            assert_true(llabs(pst_rebase_julian_days(pst_rebase_to_julian_days(days)) -
                              days) <= 1);
    }
    pst_civil c;
    pst_civil_of_micros(INT64_MIN, -17762, &c);
    assert_int_equal(c.year, -290308);
    assert_int_equal(pst_hybrid_days(1582, 10, 10), pst_civil_days(1582, 10, 20));
    assert_int_equal(pst_hybrid_days(1582, 10, 15), pst_civil_days(1582, 10, 15));
}

static void prints(const char *pattern, const char *want)
{
    pst_pattern *p = NULL;
    pst_zone *z = NULL;
    pst_err err = PST_ERR_INIT;
    char out[200];
    size_t n;
    if (pst_pattern_new(&p, pattern, PST_PATTERN_FORMAT, &err) != PST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(pst_zone_new(&z, PST_SV("Europe/Istanbul"), NULL), PST_OK);
    assert_true(pst_pattern_format(p, PST_PATTERN_ZONED, 1626228905123456, z, out,
                                   sizeof out - 1, &n));
    out[n] = '\0';
    assert_string_equal(out, want);
    pst_zone_free(z);
    pst_pattern_free(p);
}

static void printing(void **state)
{
    (void)state;
    prints("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", "2021-07-14T05:15:05.123+03:00");
    prints("yy M d h:m:s.SSSSSS a", "21 7 14 5:15:5.123456 AM");
    prints("EEE EEEE MMM MMMM G QQQ D", "Wed Wednesday Jul July AD Q3 195");
    prints("x xx xxx X XX Z ZZZZ O VV",
           "+03 +0300 +03:00 +03 +0300 +0300 GMT+03:00 GMT+3 "
           "Europe/Istanbul");
    prints("'it''s' k K S", "it's 5 5 1");
}

static void reads(const char *pattern, const char *text, const char *want)
{
    pst_pattern *p = NULL;
    pst_err err = PST_ERR_INIT;
    int64_t micros;
    char got[40] = "null";
    if (pst_pattern_new(&p, pattern, PST_PATTERN_PARSE, &err) != PST_OK)
        fail_msg("%s", err.text);
    pst_zone *utc = NULL;
    assert_int_equal(pst_zone_new(&utc, PST_SV("UTC"), NULL), PST_OK);
    if (pst_pattern_parse_timestamp(p, pst_sv_of(text), utc, &micros)) {
        pst_civil c;
        pst_civil_of_micros(micros, 0, &c);
        snprintf(got, sizeof got, "%lld-%02d-%02d %02d:%02d:%02d.%06d", (long long)c.year,
                 c.month, c.day, c.hour, c.minute, c.second, c.micro);
    }
    if (strcmp(got, want) != 0)
        fail_msg("%s by %s: %s, not %s", text, pattern, got, want);
    pst_zone_free(utc);
    pst_pattern_free(p);
}

static void reading(void **state)
{
    (void)state;
    reads("yyyy-MM-dd HH:mm:ss.SSS", "2021-07-14 02:15:05.5",
          "2021-07-14 02:15:05.500000");
    reads("yyyy-MM-dd HH:mm:ss.SSS", "2021-07-14 02:15:05.1234", "null");
    reads("yyyyMMddHHmmss", "20210714021505", "2021-07-14 02:15:05.000000");
    reads("d/M/yy", "4/7/21", "2021-07-04 00:00:00.000000");
    reads("dd MMM yyyy", "14 jul 2021", "2021-07-14 00:00:00.000000");
    reads("yyyy-MM-dd hh:mm a", "2021-07-14 02:15 pm", "2021-07-14 14:15:00.000000");
    reads("yyyy-MM-dd'T'HH:mm:ssXXX", "2021-07-14T02:15:05+02:00",
          "2021-07-14 00:15:05.000000");
    reads("yyyy-MM-dd'T'HH:mm:ssX", "2021-07-14T02:15:05Z", "2021-07-14 02:15:05.000000");
    reads("yyyy-MM-dd VV", "2021-07-14 Europe/Istanbul", "2021-07-13 21:00:00.000000");
    reads("yyyy-D", "2021-195", "2021-07-14 00:00:00.000000");
    reads("[yyyy-MM-dd][MM/dd/yyyy]", "07/14/2021", "2021-07-14 00:00:00.000000");
    reads("yyyy-MM-dd", "2021-02-30", "null");
    reads("yyyy-MM-dd", "2021-7-14", "null");
    reads("yyyy-MM-dd", "12021-07-14", "null");
    reads("yyyy-MM-dd", "+12021-07-14", "12021-07-14 00:00:00.000000");
    reads("yyyy-MM-dd", "2021-07-14x", "null");
    reads("HH:mm", "25:00", "null");
}

/* Digits that two numbers share may be too few for the first: nothing is read behind
   the text's end (which ASan sees). */
static void too_few_digits_to_share(void **state)
{
    (void)state;
    static const char *const texts[] = {"202", "2", "20240", "-"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t n = strlen(texts[i]);
        char *exact = malloc(n);
        pst_pattern *p = NULL;
        int64_t days;
        assert_non_null(exact);
        memcpy(exact, texts[i], n);
        assert_int_equal(pst_pattern_new(&p, "yyyydd", PST_PATTERN_PARSE, NULL), PST_OK);
        assert_false(pst_pattern_parse_date(p, (pst_sv){exact, n}, &days));
        pst_pattern_free(p);
        free(exact);
    }
    reads("yyyydd", "202414", "2024-01-14 00:00:00.000000");
}

static void refused_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
    } cases[] = {
        {"YYYY", "pattern 'YYYY': week-based patterns are unsupported since Spark 3: Y"},
        {"uuuu", "pattern 'uuuu': week-based patterns are unsupported since Spark 3: u"},
        {"yyyy-MM-dd n", "pattern 'yyyy-MM-dd n': illegal pattern character: n"},
        {"MMMMM", "pattern 'MMMMM': too many pattern letters: M"},
        {"ddd", "pattern 'ddd': too many pattern letters: d"},
        {"'x", "pattern ''x': a quote ' is not closed"},
        {"yyyy]", "pattern 'yyyy]': ] without [ before it"},
        {"{yyyy}", "pattern '{yyyy}': reserved pattern character: {"},
        {"EEE", "pattern 'EEE': illegal pattern character: E"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pst_pattern *p = NULL;
        pst_err err = PST_ERR_INIT;
        assert_int_equal(pst_pattern_new(&p, cases[i].pattern, PST_PATTERN_PARSE, &err),
                         PST_E_CONFIG);
        assert_string_equal(err.text, cases[i].text);
    }
}

static void legacy(void **state)
{
    (void)state;
    pst_pattern *p = NULL;
    int64_t days;
    assert_int_equal(pst_pattern_new(&p, "yyyy-MM-dd", PST_PATTERN_LEGACY, NULL), PST_OK);
    assert_true(pst_pattern_parse_date(p, PST_SV("1990-13-32junk"), &days));
    assert_int_equal(days, pst_civil_days(1991, 2, 1));
    assert_true(pst_pattern_parse_date(p, PST_SV("\xd9\xa2\x30\x32\x31-7-4"), &days));
    assert_false(pst_pattern_parse_date(p, PST_SV("-1990-01-01"), &days));
    assert_false(pst_pattern_parse_date(p, PST_SV("99999999999-01-01"), &days));
    pst_pattern_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates),    cmocka_unit_test(timestamps),
        cmocka_unit_test(calendar), cmocka_unit_test(printing),
        cmocka_unit_test(reading),  cmocka_unit_test(refused_patterns),
        cmocka_unit_test(legacy),   cmocka_unit_test(too_few_digits_to_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

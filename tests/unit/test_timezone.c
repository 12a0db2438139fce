/*
 * test_timezone.c - zones by name from the system's files, offsets, gaps and overlaps as
 * in java.time, rules after the last transition.
 */
#include "record/timezone.h"

#include "record/timezone_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static pst_zone *zone(const char *name)
{
    pst_zone *z = NULL;
    pst_err err = PST_ERR_INIT;
    if (pst_zone_new(&z, pst_sv_of(name), &err) != PST_OK)
        fail_msg("%s", err.text);
    return z;
}

static void fixed(const char *name, int32_t want)
{
    int32_t seconds;
    pst_zone *z = zone(name);
    assert_true(pst_zone_is_fixed(z, &seconds));
    assert_int_equal(seconds, want);
    pst_zone_free(z);
}

static void offsets(void **state)
{
    (void)state;
    fixed("UTC", 0);
    fixed("Z", 0);
    fixed("GMT+3", 10800);
    fixed("UT-01:30", -5400);
    fixed("+2", 7200);
    fixed("+02", 7200);
    fixed("-0530", -19800);
    fixed("+2:30", 9000);
    fixed("+02:3", 7380);
    fixed("+01:02:03", 3723);
    fixed("EST", -18000);
    fixed("+18:00", 64800);
}

static void refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    "z", "+18:01",       "+2:60",     "Mars/Base", "../etc",  "/etc/passwd",
        "utc", "+", "europe/paris", "posix/UTC", "GMT+19",    "Europe/", "a b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pst_zone *z = NULL;
        pst_err err = PST_ERR_INIT;
        if (pst_zone_new(&z, pst_sv_of(bad[i]), &err) != PST_E_CONFIG)
            fail_msg("'%s' is a zone", bad[i]);
        assert_true(err.text[0] != '\0');
    }
}

static void regions(void **state)
{
    (void)state;
    pst_zone *ny = zone("America/New_York");
    assert_int_equal(pst_zone_offset_at(ny, 1626228905), -14400);
    assert_int_equal(pst_zone_offset_at(ny, 1610000000), -18000);
    assert_int_equal(pst_zone_offset_at(ny, 4118000000),
                     -14400); /* 2100-06-30: by rule */
    assert_int_equal(pst_zone_offset_at(ny, 4102444800), -18000);
    assert_int_equal(pst_zone_offset_at(ny, -5000000000), -17762); /* local mean time */
    /* 2021-03-14 02:30 does not exist: the offset before; 2021-11-07 01:30 is twice */
    assert_int_equal(pst_zone_offset_of_local(ny, 1615689000), -18000);
    assert_int_equal(pst_zone_offset_of_local(ny, 1636248600), -14400);
    /* the same after the last transition of the file */
    assert_int_equal(pst_zone_offset_of_local(ny, 4108674600), -18000);
    assert_true(pst_zone_is_dst(ny, 1626228905));
    assert_string_equal(pst_zone_abbreviation(ny, 1626228905), "EDT");
    pst_zone_free(ny);
    pst_zone *sydney = zone("Australia/Sydney"); /* daylight time over the new year */
    assert_int_equal(pst_zone_offset_at(sydney, 4102444800), 39600);
    assert_int_equal(pst_zone_offset_at(sydney, 4118000000), 36000);
    assert_int_equal(pst_zone_offset_of_local(sydney, 4102444800), 39600);
    pst_zone_free(sydney);
    pst_zone *pst = zone("PST");
    assert_string_equal(pst_zone_name(pst), "America/Los_Angeles");
    pst_zone_free(pst);
}

static void rules(void **state)
{
    (void)state;
    pst_zone_rule rule;
    assert_true(pst_zone_parse_rule(&rule, PST_SV("EST5EDT,M3.2.0,M11.1.0")));
    assert_int_equal(rule.std, -18000);
    assert_int_equal(rule.dst, -14400);
    assert_true(pst_zone_parse_rule(&rule, PST_SV("<+0330>-3:30<+0430>,J79/24,J263/24")));
    assert_int_equal(rule.std, 12600);
    assert_true(pst_zone_parse_rule(&rule, PST_SV("IST-1GMT0,M10.5.0,M3.5.0/1")));
    assert_int_equal(rule.dst, 0);
    assert_true(pst_zone_parse_rule(&rule, PST_SV("<-02>2<-01>,M3.5.0/-1,M10.5.0/0")));
    static const char *const bad[] = {"",           "E",
                                      "EST",        "EST5EDT",
                                      "EST5EDT,M3", "EST5EDT,M13.1.0,M1.1.0",
                                      "<A",         "EST5EDT,M3.2.0,M11.1.0x",
                                      "EST99999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pst_zone_parse_rule(&rule, pst_sv_of(bad[i])));
}

static void broken_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/pst-zone-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/Bad_Zone", dir);
    static const char *const contents[] = {"", "TZif2",
                                           "no zone file at all, but long enough "
                                           "to have a header of 44 bytes"};
    setenv("TZDIR", dir, 1);
    for (size_t i = 0; i < 3; i++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(contents[i], f);
        fclose(f);
        pst_zone *z = NULL;
        pst_err err = PST_ERR_INIT;
        assert_int_equal(pst_zone_new(&z, PST_SV("Bad_Zone"), &err), PST_E_CONFIG);
        assert_string_equal(err.text, "'Bad_Zone' is no time zone file of the system");
    }
    unsetenv("TZDIR");
    remove(path);
    remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets),      cmocka_unit_test(refused),
        cmocka_unit_test(regions),      cmocka_unit_test(rules),
        cmocka_unit_test(broken_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_joda.c - Joda-Time's patterns and times. The tables of tests/data/partitioner are
 * written by Joda-Time itself; see there.
 */
#include "record/joda.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static pst_zone *zone_of(const char *name)
{
    pst_zone *zone = NULL;
    assert_int_equal(pst_zone_new(&zone, pst_sv_of(name), NULL), PST_OK);
    return zone;
}

static void refused(const char *text, const char *why)
{
    pst_joda *joda = NULL;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_joda_new(&joda, text, &err), PST_E_CONFIG);
    assert_null(joda);
    assert_non_null(strstr(err.text, why));
    assert_non_null(strstr(err.text, text));
}

static void letters_that_joda_lacks(void **state)
{
    (void)state;
    refused("yyyy-LL", "unknown pattern letter L");
    refused("uuuu", "unknown pattern letter u");
    refused("year=YYYY", "unknown pattern letter r");
    refused("HH z", "letter z");
    refused("SSSSSSSSSSSSSSSS", "too many pattern letters S");
    char many[202];
    memset(many, 'H', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    refused(many, "too many pattern letters H");
}

static void a_pattern_has_an_end(void **state)
{
    enum { LONG = 500 };
    char text[LONG + 1];
    (void)state;
    for (size_t i = 0; i < LONG; i++)
        text[i] = i % 2 ? '/' : 'H';
    text[LONG] = '\0';
    refused(text, "too long");
    memset(text, '-', LONG);
    refused(text, "too long");
}

static void print(const char *pattern, int64_t ms, const char *name, const char *expected)
{
    pst_joda *joda = NULL;
    pst_zone *zone = zone_of(name);
    char text[200];
    size_t n = 0;
    assert_int_equal(pst_joda_new(&joda, pattern, NULL), PST_OK);
    assert_true(pst_joda_format(joda, ms, zone, text, sizeof text, &n));
    assert_string_equal((text[n] = '\0', text), expected);
    assert_true(pst_joda_format(joda, ms, zone, text, n, &n));
    assert_false(n && pst_joda_format(joda, ms, zone, text, n - 1, &n));
    pst_joda_free(joda);
    pst_zone_free(zone);
}

/* Each as Joda-Time 2.13.1 printed it. */
static void odd_patterns(void **state)
{
    (void)state;
    print("'it''s' ''YYYY", 0, "America/New_York", "it's '1969");
    print("'day'=dd/'x", 0, "UTC", "day=01/x");
    print("YY yy xx", -62200000000000, "America/New_York", "02 02 02");
    print("C CC Y x ww w e D DDD K h k H a", -62200000000000, "America/New_York",
          "0 00 3 -2 51 51 4 351 351 9 9 9 9 AM");
    print("yyyyy YYYYYY y", -62200000000000, "UTC", "-00002 000003 -2");
    print("Z ZZ ZZZ ZZZZ", -62200000000000, "America/New_York",
          "-0456 -04:56 America/New_York America/New_York");
    print("Z ZZ ZZZ", 0, "+00:00", "+0000 +00:00 UTC");
    print("Z ZZ ZZZ", 0, "+05:30", "+0530 +05:30 +05:30");
    print("S SS SSS SSSSSSSSSSSSSSS", 1710055800123, "UTC", "1 12 123 123000000000000");
    print("S", -1, "UTC", "9");
    print("", 0, "UTC", "");
}

static void words(void **state)
{
    static const struct {
        const char *pattern;
        char word;
    } cases[] = {{"YYYY/MM/dd/HH", '\0'}, {"YYYY/MMM", 'M'}, {"EEE", 'E'},
                 {"hh a", 'a'},           {"G", 'G'},        {"'EaG' ZZZ", '\0'}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pst_joda *joda = NULL;
        assert_int_equal(pst_joda_new(&joda, cases[i].pattern, NULL), PST_OK);
        assert_int_equal(pst_joda_word(joda), cases[i].word);
        pst_joda_free(joda);
    }
}

static void beyond_the_calendar(void **state)
{
    pst_zone *east = zone_of("+18:00"), *west = zone_of("-18:00");
    int64_t out;
    (void)state;
    assert_false(pst_joda_to_local(east, INT64_MAX, &out));
    assert_false(pst_joda_to_local(west, INT64_MIN, &out));
    assert_false(pst_joda_to_utc(west, INT64_MAX, &out));
    assert_false(pst_joda_to_utc(east, INT64_MIN, &out));
    pst_zone_free(east);
    pst_zone_free(west);
    print("y", INT64_MAX, "UTC", "292278994");
    print("y", INT64_MIN, "UTC", "-292275055");
}

/* A line's columns in place of its tabs; answers how many. */
static size_t cut(char *line, char *out[], size_t max)
{
    size_t n = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *at = line; at && n < max; n++) {
        out[n] = at;
        at = strchr(at, '\t');
        if (at)
            *at++ = '\0';
    }
    return n;
}

static void texts_as_joda_reads_them(void **state)
{
    FILE *file = fopen("tests/data/partitioner/times.tsv", "r");
    pst_zone *zone = zone_of("America/New_York");
    char line[200], *columns[2];
    size_t lines = 0;
    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        assert_int_equal(cut(line, columns, 2), 2);
        int64_t expected = 0, ms = 0;
        bool good = pst_joda_parse_iso(pst_sv_of(columns[0]), zone, &ms);
        bool should = pst_sv_to_i64(pst_sv_of(columns[1]), &expected);
        if (good != should || ms != expected)
            fail_msg("'%s' is %s (%lld), Joda says %s", columns[0], good ? "read" : "bad",
                     (long long)ms, columns[1]);
        lines++;
    }
    assert_int_equal(lines, 600);
    fclose(file);
    pst_zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_that_joda_lacks),
        cmocka_unit_test(a_pattern_has_an_end),
        cmocka_unit_test(odd_patterns),
        cmocka_unit_test(words),
        cmocka_unit_test(beyond_the_calendar),
        cmocka_unit_test(texts_as_joda_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

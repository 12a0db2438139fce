/*
 * test_str.c - views, bounded parsing, edit distance, UTF-8, CRC-32C, base64.
 */
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void comparing(void **state)
{
    (void)state;
    assert_true(pst_sv_is(PST_SV("abc"), "abc"));
    assert_false(pst_sv_is(PST_SV("abc"), "abcd"));
    assert_true(pst_sv_eq((pst_sv){NULL, 0}, PST_SV("")));
    assert_true(pst_sv_eq_nocase(PST_SV("AbC"), PST_SV("aBc")));
    assert_false(pst_sv_eq_nocase(PST_SV("[a"), PST_SV("{A")));
    assert_true(pst_sv_starts(PST_SV("abc"), PST_SV("ab")));
    assert_true(pst_sv_ends(PST_SV("abc"), PST_SV("bc")));
    assert_false(pst_sv_ends(PST_SV("c"), PST_SV("bc")));
}

static void cutting(void **state)
{
    (void)state;
    pst_sv rest, first = pst_sv_cut(PST_SV("a:b:c"), ':', &rest);
    assert_true(pst_sv_is(first, "a"));
    assert_true(pst_sv_is(rest, "b:c"));
    first = pst_sv_cut(PST_SV("none"), ':', &rest);
    assert_true(pst_sv_is(first, "none"));
    assert_null(rest.p);
    first = pst_sv_cut(PST_SV("end:"), ':', &rest);
    assert_non_null(rest.p);
    assert_int_equal(rest.n, 0);
    assert_true(pst_sv_is(pst_sv_trim(PST_SV(" \t a b\r\n")), "a b"));
}

static void integers(void **state)
{
    (void)state;
    int64_t v = 7;
    assert_true(pst_sv_to_i64(PST_SV("-9223372036854775808"), &v));
    assert_true(v == INT64_MIN);
    assert_true(pst_sv_to_i64(PST_SV("9223372036854775807"), &v));
    assert_true(v == INT64_MAX);
    assert_true(pst_sv_to_i64(PST_SV("+5"), &v));
    assert_int_equal(v, 5);
    const char *bad[] = {"",
                         "-",
                         "+",
                         "1 ",
                         " 1",
                         "1x",
                         "9223372036854775808",
                         "0x1",
                         "-9223372036854775809",
                         "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(pst_sv_to_i64(pst_sv_of(bad[i]), &v));
        assert_int_equal(v, 5);
    }
}

static void doubles(void **state)
{
    (void)state;
    double v = 0;
    assert_true(pst_sv_to_double(PST_SV("-1.5e3"), &v));
    assert_true(v == -1500);
    const char *bad[] = {"", "nan", "inf", "1e999", " 1", "1 ", "0x10", "1.2.3", "e"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pst_sv_to_double(pst_sv_of(bad[i]), &v));
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(pst_edit_distance(PST_SV("flush.sise"), PST_SV("flush.size"), 9), 1);
    assert_int_equal(pst_edit_distance(PST_SV("flsuh.size"), PST_SV("flush.size"), 9), 1);
    assert_int_equal(pst_edit_distance(PST_SV(""), PST_SV("abc"), 9), 3);
    assert_int_equal(pst_edit_distance(PST_SV("abcdef"), PST_SV("uvwxyz"), 4), 4);
    char longer[200] = {'a'};
    assert_int_equal(pst_edit_distance((pst_sv){longer, 200}, PST_SV("a"), 5), 5);
}

static void utf8(void **state)
{
    (void)state;
    const char *good[] = {
        "", "abc", "é", "日本", "😀", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(pst_utf8_valid(pst_sv_of(good[i])));
    const char *bad[] = {"\x80",
                         "\xC0\xAF",
                         "\xE0\x80\xAF",
                         "\xED\xA0\x80",
                         "\xF4\x90\x80\x80",
                         "\xF5\x80\x80\x80",
                         "\xE2\x82",
                         "a\xFF",
                         "\xF0\x80\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pst_utf8_valid(pst_sv_of(bad[i])));
}

/* RFC 3720 B.4, and the sum is the same in pieces. */
static void crc32c(void **state)
{
    (void)state;
    unsigned char bytes[64] = {0};
    assert_int_equal(pst_crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(pst_crc32c(0, bytes, 32), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(pst_crc32c(0, bytes, 32), 0x46dd794e);
    for (size_t cut = 0; cut <= 32; cut++)
        assert_int_equal(pst_crc32c(pst_crc32c(0, bytes, cut), bytes + cut, 32 - cut),
                         0x46dd794e);
    assert_int_equal(pst_crc32c(0, "123456789", 9), 0xe3069283);
}

static uint32_t crc32c_by_bits(uint32_t crc, const unsigned char *p, size_t n)
{
    for (crc = ~crc; n; n--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

/* Long input is read at several places at once: around each length where that begins,
   from any alignment, and going on from another sum. */
static void crc32c_of_long_input(void **state)
{
    (void)state;
    static unsigned char bytes[12288 * 3 + 64];
    uint32_t random = 12345;
    for (size_t i = 0; i < sizeof bytes; i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(random >> 24);
    }
    for (size_t blocks = 0; blocks <= 3; blocks++)
        for (size_t extra = 0; extra < 40; extra += 3)
            for (size_t from = 0; from < 9; from += 4) {
                size_t n = blocks * 12288 + extra;
                n = blocks && extra < 9 ? n - 5 : n;
                uint32_t seed = (uint32_t)(n * 2654435761);
                assert_int_equal(pst_crc32c(seed, bytes + from, n),
                                 crc32c_by_bits(seed, bytes + from, n));
            }
}

static void hex_and_base64(void **state)
{
    (void)state;
    char out[64];
    pst_hex(out, "\x00\xab\xff", 3);
    assert_string_equal(out, "00abff");
    const char *pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        pst_base64(out, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(out, pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),      cmocka_unit_test(cutting),
        cmocka_unit_test(integers),       cmocka_unit_test(doubles),
        cmocka_unit_test(distances),      cmocka_unit_test(utf8),
        cmocka_unit_test(crc32c),         cmocka_unit_test(crc32c_of_long_input),
        cmocka_unit_test(hex_and_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

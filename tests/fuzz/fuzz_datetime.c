/*
 * fuzz_datetime.c - a date or time pattern (first line) and a text (second line) that is
 * read with it, by every use that a pattern can be compiled for; what was read is printed
 * again, and that by Spark's own reader, which needs no pattern. The third line names the
 * time zone.
 */
#include "fuzz.h"
#include "record/pattern.h"

enum { TEXT_SIZE = 2048 };

static void print(const pst_pattern *pattern, pst_pattern_level level, int64_t value,
                  const pst_zone *zone)
{
    char out[TEXT_SIZE];
    size_t n = 0;
    if (pst_pattern_format(pattern, level, value, zone, out, sizeof out, &n))
        FUZZ_CHECK(n <= sizeof out);
    char small[8];
    if (pst_pattern_format(pattern, level, value, zone, small, sizeof small, &n))
        FUZZ_CHECK(n <= sizeof small);
}

static void use(const pst_pattern *pattern, bool prints, pst_sv text,
                const pst_zone *zone)
{
    int64_t value;
    if (pst_pattern_parse_date(pattern, text, &value) && prints)
        print(pattern, PST_PATTERN_DATE, value, zone);
    if (pst_pattern_parse_ntz(pattern, text, &value) && prints)
        print(pattern, PST_PATTERN_LOCAL, value, zone);
    if (pst_pattern_parse_timestamp(pattern, text, zone, &value) && prints)
        print(pattern, PST_PATTERN_ZONED, value, zone);
}

static void without_pattern(pst_sv text, const pst_zone *zone)
{
    int64_t value;
    (void)pst_parse_date(text, &value);
    (void)pst_parse_timestamp(text, zone, &value);
    (void)pst_parse_timestamp_ntz(text, true, &value);
    (void)pst_parse_timestamp_ntz(text, false, &value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    char *letters = fuzz_string(fuzz_line(&in));
    pst_sv text = in.p ? fuzz_line(&in) : PST_SV("");
    pst_zone *zone = NULL;
    pst_err err = PST_ERR_INIT;
    pst_rc rc = pst_zone_new(&zone, in.p ? fuzz_rest(&in) : PST_SV("UTC"), &err);
    if (rc != PST_OK) {
        fuzz_check_err(rc, &err);
        pst_err_clear(&err);
        FUZZ_CHECK(pst_zone_new(&zone, PST_SV("Europe/Istanbul"), &err) == PST_OK);
    }
    without_pattern(text, zone);
    for (int i = 0; i < 3; i++) {
        pst_pattern *pattern = NULL;
        pst_err_clear(&err);
        rc = pst_pattern_new(&pattern, letters, (pst_pattern_use)i, &err);
        if (rc == PST_OK)
            use(pattern, i == PST_PATTERN_FORMAT, text, zone);
        else
            fuzz_check_err(rc, &err);
        pst_pattern_free(pattern);
    }
    pst_zone_free(zone);
    pst_free(letters);
    return 0;
}

/*
 * fuzz_partitioner.c - folders by value and by time: any value gives a safe, bounded
 * folder's name that reads back as the value; any pattern and any text of a time are
 * taken or refused without harm.
 *
 * First byte: 0 = a value behind two digits of length; 1 = a pattern and, behind a line
 * end, a time in ms; 2 = the text of a time.
 */
#include "fuzz.h"
#include "record/joda.h"
#include "runtime/partitioner.h"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What a reader of Hive layouts does; answers the value's length. */
static size_t unescape(pst_sv text, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int high = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
        int low = high < 0 ? -1 : hex_digit(text.p[i + 2]);
        bool escape = text.p[i] == '%' && low >= 0;
        out[n++] = escape ? (char)(high * 16 + low) : text.p[i];
        i += escape ? 2 : 0;
    }
    return n;
}

static void value(fuzz_input *in)
{
    char out[PST_PARTITION_COMPONENT_MAX + 1], back[PST_PARTITION_COMPONENT_MAX + 1];
    size_t max = 30 + fuzz_choose(in, 10) * 16 + fuzz_choose(in, 26);
    pst_sv text = fuzz_rest(in);
    size_t n = pst_partition_component(PST_SV("f"), text, max, out);
    FUZZ_CHECK(n <= max && memcmp(out, "f=", 2) == 0);
    FUZZ_CHECK(pst_utf8_valid((pst_sv){out, n}));
    for (size_t i = 2; i < n; i++)
        FUZZ_CHECK((unsigned char)out[i] >= 0x20 && !strchr("/\\\x7f\"=:", out[i]));
    out[n] = '\0';
    size_t m = unescape((pst_sv){out + 2, n - 2}, back);
    const char *cut = strstr(out, "%~");
    if (!text.n || !text.p)
        FUZZ_CHECK(strcmp(out, "f=__HIVE_DEFAULT_PARTITION__") == 0);
    else if (cut)
        FUZZ_CHECK(strlen(cut) == PST_PARTITION_CUT && n > max - 4);
    else
        FUZZ_CHECK(pst_sv_eq((pst_sv){back, m}, text));
}

static void pattern(fuzz_input *in)
{
    pst_joda *joda = NULL;
    pst_zone *zone = NULL;
    pst_err err = PST_ERR_INIT;
    char *text = fuzz_string(fuzz_line(in));
    int64_t ms = 0;
    size_t n = 0;
    char out[400];
    (void)pst_sv_to_i64(fuzz_rest(in), &ms);
    pst_rc rc = pst_joda_new(&joda, text, &err);
    if (rc != PST_OK) {
        fuzz_check_err(rc, &err);
    } else {
        FUZZ_CHECK(pst_zone_new(&zone, PST_SV("Europe/Berlin"), &err) == PST_OK);
        (void)pst_joda_word(joda);
        if (pst_joda_format(joda, ms, zone, out, sizeof out, &n))
            FUZZ_CHECK(n <= sizeof out);
    }
    pst_zone_free(zone);
    pst_joda_free(joda);
    pst_free(text);
}

static void iso(fuzz_input *in)
{
    pst_zone *zone = NULL;
    int64_t ms;
    FUZZ_CHECK(pst_zone_new(&zone, PST_SV("+05:30"), NULL) == PST_OK);
    (void)pst_joda_parse_iso(fuzz_rest(in), zone, &ms);
    pst_zone_free(zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const modes[])(fuzz_input *) = {value, pattern, iso};
    fuzz_input in = fuzz_begin(data, size);
    modes[fuzz_choose(&in, 3)](&in);
    return 0;
}

/*
 * convert.c - see convert.h.
 */
#include "record/convert.h"

#include "record/decimal.h"
#include "record/number.h"
#include "record/utf8.h"

#include <math.h>

pst_sv pst_context_keep(pst_context *ctx, pst_sv bytes)
{
    char *copy = pst_arena_get(&ctx->arena, bytes.n + 1);
    if (!copy)
        return (pst_sv){NULL, 0};
    if (bytes.n)
        memcpy(copy, bytes.p, bytes.n);
    pst_arena_keep(&ctx->arena, bytes.n);
    return (pst_sv){copy, bytes.n};
}

pst_conv pst_convert_keep(pst_context *ctx, pst_sv text, pst_cell *out)
{
    pst_sv kept = pst_context_keep(ctx, text);
    if (!kept.p)
        return PST_CONV_NOMEM;
    out->null = false;
    out->as.s = kept;
    return PST_CONV_OK;
}

static pst_conv set_int(pst_cell *out, int64_t value)
{
    out->null = false;
    out->as.i = value;
    return PST_CONV_OK;
}

static pst_conv set_double(pst_cell *out, double value)
{
    out->null = false;
    out->as.d = value;
    return PST_CONV_OK;
}

static pst_conv to_decimal(pst_context *ctx, const pst_node *node, pst_sv text,
                           pst_cell *out)
{
    char buf[PST_DECIMAL_TEXT_MAX];
    size_t n;
    if (!pst_decimal_of(text, node->precision, node->scale, buf, &n))
        return PST_CONV_BAD;
    return pst_convert_keep(ctx, (pst_sv){buf, n}, out);
}

static bool read_long(pst_sv text, int64_t *out)
{
    bool negative = text.n && text.p[0] == '-';
    uint64_t value = 0;
    if (text.n - negative > 19)
        return false;
    for (size_t i = negative; i < text.n; i++)
        value = value * 10 + (uint64_t)(text.p[i] - '0'); /* 19 digits fit 64 bits */
    if (value > (uint64_t)INT64_MAX + negative)
        return false;
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}

pst_conv pst_convert_int(pst_context *ctx, const pst_node *node, pst_sv text,
                         pst_cell *out)
{
    static const int64_t low[] = {-128, INT16_MIN, INT32_MIN, INT64_MIN};
    static const int64_t high[] = {255, INT16_MAX, INT32_MAX, INT64_MAX};
    int64_t value;
    switch (node->type) {
    case PST_T_BYTE:
    case PST_T_SHORT:
    case PST_T_INT:
    case PST_T_LONG:
        if (!read_long(text, &value) || value < low[node->type - PST_T_BYTE] ||
            value > high[node->type - PST_T_BYTE])
            return PST_CONV_BAD;
        return set_int(out, node->type == PST_T_BYTE ? (int8_t)(uint8_t)value : value);
    case PST_T_FLOAT: /* -0 is the integer 0 */
        return set_double(out, (double)pst_number_to_float(text) + 0.0);
    case PST_T_DOUBLE:
        return set_double(out, pst_number_to_double(text) + 0.0);
    case PST_T_DECIMAL:
        return to_decimal(ctx, node, text, out);
    case PST_T_TIMESTAMP: /* seconds; Java's multiplication wraps */
        if (!read_long(text, &value))
            return PST_CONV_BAD;
        return set_int(out, (int64_t)((uint64_t)value * PST_MICROS));
    default:
        return PST_CONV_BAD;
    }
}

static double special_value(pst_sv text)
{
    return text.p[0] == 'N'   ? (double)NAN
           : text.p[0] == '-' ? -(double)INFINITY
                              : (double)INFINITY;
}

pst_conv pst_convert_float(pst_context *ctx, const pst_node *node, pst_sv text,
                           bool special, pst_cell *out)
{
    switch (node->type) {
    case PST_T_FLOAT:
        return set_double(out, special ? special_value(text)
                                       : (double)pst_number_to_float(text));
    case PST_T_DOUBLE:
        return set_double(out,
                          special ? special_value(text) : pst_number_to_double(text));
    case PST_T_DECIMAL:
        return special ? PST_CONV_BAD : to_decimal(ctx, node, text, out);
    default:
        return PST_CONV_BAD;
    }
}

static bool non_numeric_text(pst_sv text, double *out)
{
    if (pst_sv_is(text, "NaN"))
        *out = (double)NAN;
    else if (pst_sv_is(text, "+INF") || pst_sv_is(text, "+Infinity") ||
             pst_sv_is(text, "Infinity"))
        *out = (double)INFINITY;
    else if (pst_sv_is(text, "-INF") || pst_sv_is(text, "-Infinity"))
        *out = -(double)INFINITY;
    else
        return false;
    return true;
}

/* Character.isDigit() beyond ASCII, up to U+FFFF: where the ten digits start. */
static const uint16_t DIGIT_ZEROS[] = {
    0x660,  0x6F0,  0x7C0,  0x966,  0x9E6,  0xA66,  0xAE6,  0xB66,  0xBE6,
    0xC66,  0xCE6,  0xD66,  0xDE6,  0xE50,  0xED0,  0xF20,  0x1040, 0x1090,
    0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
    0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10};

static int digit_of(uint32_t code)
{
    for (size_t i = 0; i < sizeof DIGIT_ZEROS / sizeof *DIGIT_ZEROS; i++)
        if (code - DIGIT_ZEROS[i] < 10)
            return (int)(code - DIGIT_ZEROS[i]);
    return -1;
}

pst_sv pst_convert_digits(pst_context *ctx, pst_sv text)
{
    const unsigned char *p = (const unsigned char *)text.p, *end = p + text.n;
    size_t n = 0;
    while (n < text.n && p[n] < 0x80)
        n++;
    if (n == text.n)
        return text;
    char *copy = pst_arena_get(&ctx->arena, text.n);
    if (!copy)
        return (pst_sv){NULL, 0};
    for (n = 0; p < end;) {
        size_t len;
        int digit = *p < 0x80 ? -1 : digit_of(pst_utf8_next(p, end, &len));
        len = *p < 0x80 ? 1 : len;
        if (digit >= 0) {
            copy[n++] = (char)('0' + digit);
        } else {
            memcpy(copy + n, p, len);
            n += len;
        }
        p += len;
    }
    pst_arena_keep(&ctx->arena, n);
    return (pst_sv){copy, n};
}

/* Commas are thousands separators, wherever they stand. */
static pst_conv decimal_text(pst_context *ctx, const pst_node *node, pst_sv text,
                             pst_cell *out)
{
    text = pst_convert_digits(ctx, text);
    if (!text.p)
        return PST_CONV_NOMEM;
    if (!memchr(text.p, ',', text.n))
        return to_decimal(ctx, node, text, out);
    char *copy = pst_arena_get(&ctx->arena, text.n);
    size_t n = 0;
    if (!copy)
        return PST_CONV_NOMEM;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != ',')
            copy[n++] = text.p[i];
    pst_arena_keep(&ctx->arena, n);
    return to_decimal(ctx, node, (pst_sv){copy, n}, out);
}

/* ---- dates and times ---- */

/* Does what Spark 2 would have read kill Spark's query now? */
static void count_policy(pst_context *ctx, bool legacy_reads)
{
    if (legacy_reads && ctx->time_policy == PST_TIME_EXCEPTION)
        ctx->policy_hit = true;
}

/* Spark drops "GMT" and tries again; what is left mostly fails as before. */
static bool without_gmt(pst_sv text, char out[64], pst_sv *left)
{
    size_t n = 0;
    if (text.n >= 64)
        return false;
    for (size_t i = 0; i < text.n;) {
        if (i + 3 <= text.n && memcmp(text.p + i, "GMT", 3) == 0)
            i += 3;
        else
            out[n++] = text.p[i++];
    }
    *left = (pst_sv){out, n};
    return n < text.n;
}

/* Old Spark wrote dates as numbers of days. */
static bool days_as_text(pst_sv text, int64_t *days)
{
    pst_sv digits = text;
    if (digits.n > 1 && digits.p[0] == '+')
        digits = (pst_sv){text.p + 1, text.n - 1};
    if (digits.n && digits.p[0] == '+')
        return false;
    if (!pst_sv_to_i64(digits, days) || *days > INT32_MAX || *days < INT32_MIN)
        return false;
    *days = pst_rebase_julian_days(*days);
    return true;
}

static pst_conv date_text(pst_context *ctx, pst_sv text, pst_cell *out)
{
    char buf[64];
    pst_sv left = text;
    int64_t days;
    bool ok = ctx->date_format ? pst_pattern_parse_date(ctx->date_format, text, &days)
                               : pst_parse_date(text, &days);
    if (ok)
        return set_int(out, days);
    if (ctx->date_fallback) {
        (void)without_gmt(text, buf, &left);
        if (pst_parse_date(left, &days))
            return set_int(out, days);
        left = pst_convert_digits(ctx, text); /* Integer.parseInt's digits, too */
        if (!left.p)
            return PST_CONV_NOMEM;
        if (days_as_text(left, &days))
            return set_int(out, days);
    }
    count_policy(ctx, ctx->legacy_date &&
                          pst_pattern_parse_date(ctx->legacy_date, text, &days));
    return PST_CONV_BAD;
}

static pst_conv timestamp_text(pst_context *ctx, pst_sv text, pst_cell *out)
{
    char buf[64];
    pst_sv left = text;
    int64_t micros;
    const pst_pattern *format = ctx->timestamp_format;
    bool ok = format ? pst_pattern_parse_timestamp(format, text, ctx->zone, &micros)
                     : pst_parse_timestamp_cached(text, ctx->zone, &ctx->zones, &micros);
    if (ok)
        return set_int(out, micros);
    if (ctx->zones.nomem)
        return PST_CONV_NOMEM;
    if (ctx->timestamp_fallback) {
        bool changed = without_gmt(text, buf, &left);
        if ((changed || format) &&
            pst_parse_timestamp_cached(left, ctx->zone, &ctx->zones, &micros))
            return set_int(out, micros);
    }
    count_policy(ctx, ctx->legacy_timestamp &&
                          pst_pattern_parse_timestamp(ctx->legacy_timestamp, text,
                                                      ctx->zone, &micros));
    return PST_CONV_BAD;
}

static pst_conv ntz_text(pst_context *ctx, pst_sv text, pst_cell *out)
{
    int64_t micros;
    bool ok = ctx->ntz_format ? pst_pattern_parse_ntz(ctx->ntz_format, text, &micros)
                              : pst_parse_timestamp_ntz(text, false, &micros);
    return ok ? set_int(out, micros) : PST_CONV_BAD;
}

/* ---- base64 ---- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Blanks are skipped, padding is needed, as Jackson's MIME variant. */
static pst_conv binary_text(pst_context *ctx, pst_sv text, pst_cell *out)
{
    char *p = pst_arena_get(&ctx->arena, text.n + 1);
    size_t n = 0, chars = 0, pad = 0;
    uint32_t bits = 0;
    if (!p)
        return PST_CONV_NOMEM;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        int value = base64_value(c);
        if ((unsigned char)c <= ' ' && chars % 4 == 0)
            continue;
        if (c == '=' && chars % 4 >= 2 && pad < 2)
            pad++;
        else if (value < 0 || pad) /* within a group, padding is its end */
            return PST_CONV_BAD;
        bits = bits << 6 | (uint32_t)(value < 0 ? 0 : value);
        if (++chars % 4 == 0) {
            p[n++] = (char)(bits >> 16);
            if (pad < 2)
                p[n++] = (char)(bits >> 8);
            if (pad < 1)
                p[n++] = (char)bits;
            bits = 0;
            pad = 0; /* Jackson goes on behind a padded group */
        }
    }
    if (chars % 4)
        return PST_CONV_BAD;
    pst_arena_keep(&ctx->arena, n);
    out->null = false;
    out->as.s = (pst_sv){p, n};
    return PST_CONV_OK;
}

pst_conv pst_convert_text(pst_context *ctx, const pst_node *node, pst_sv text,
                          pst_cell *out)
{
    double value;
    if (node->type == PST_T_BINARY)
        return binary_text(ctx, text, out);
    if (text.n == 0)
        return PST_CONV_BAD;
    switch (node->type) {
    case PST_T_FLOAT:
    case PST_T_DOUBLE:
        if (!ctx->json.non_numeric && pst_sv_is(text, "NaN"))
            return PST_CONV_BAD;
        return non_numeric_text(text, &value) && ctx->json.non_numeric
                   ? set_double(out, value)
                   : PST_CONV_BAD;
    case PST_T_DECIMAL:
        return decimal_text(ctx, node, text, out);
    case PST_T_DATE:
        return date_text(ctx, text, out);
    case PST_T_TIMESTAMP:
        return timestamp_text(ctx, text, out);
    case PST_T_TIMESTAMP_NTZ:
        return ntz_text(ctx, text, out);
    default:
        return PST_CONV_BAD;
    }
}

/*
 * java.c - see java.h.
 */
#include "transform/java.h"

#include "record/datetime.h"
#include "record/number.h"

#include <math.h>

enum { DAY_MS = 86400000, EXPONENT_MAX = 1000000 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool pst_java_parse_long(pst_sv text, int64_t *out)
{
    size_t i = text.n && (text.p[0] == '-' || text.p[0] == '+');
    bool negative = i && text.p[0] == '-';
    int64_t value = 0;
    if (i == text.n)
        return false;
    for (; i < text.n; i++)
        if (!is_digit(text.p[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, text.p[i] - '0', &value))
            return false;
    if (!negative && value == INT64_MIN)
        return false;
    *out = negative ? value : -value;
    return true;
}

/* ---- decimals ---- */

typedef struct digits {
    bool negative;
    pst_sv whole, fraction;
    int64_t exponent;
} digits;

static pst_sv take_digits(pst_sv *rest)
{
    size_t n = 0;
    while (n < rest->n && is_digit(rest->p[n]))
        n++;
    pst_sv out = {rest->p, n};
    rest->p += n;
    rest->n -= n;
    return out;
}

static bool take_char(pst_sv *rest, const char *set)
{
    if (!rest->n || !*rest->p || !strchr(set, *rest->p))
        return false;
    rest->p++;
    rest->n--;
    return true;
}

static bool split(pst_sv text, digits *out)
{
    pst_sv rest = text, exponent;
    out->negative = text.n && text.p[0] == '-';
    out->exponent = 0;
    (void)take_char(&rest, "+-");
    out->whole = take_digits(&rest);
    out->fraction = (pst_sv){rest.p, 0};
    if (take_char(&rest, "."))
        out->fraction = take_digits(&rest);
    if (out->whole.n + out->fraction.n == 0)
        return false;
    if (!take_char(&rest, "eE"))
        return rest.n == 0;
    bool negative = rest.n && *rest.p == '-';
    (void)take_char(&rest, "+-");
    exponent = take_digits(&rest);
    for (size_t i = 0; i < exponent.n && out->exponent < EXPONENT_MAX; i++)
        out->exponent = out->exponent * 10 + (exponent.p[i] - '0');
    if (negative)
        out->exponent = -out->exponent;
    return exponent.n > 0 && rest.n == 0;
}

bool pst_java_is_decimal(pst_sv text)
{
    digits d;
    return split(text, &d);
}

int64_t pst_java_decimal_long(pst_sv decimal)
{
    digits d;
    uint64_t value = 0;
    if (!split(decimal, &d))
        return 0;
    int64_t n = (int64_t)d.whole.n + d.exponent; /* digits before the point */
    int64_t all = (int64_t)(d.whole.n + d.fraction.n);
    for (int64_t i = 0; i < n && i < all; i++) {
        size_t at = (size_t)i;
        char c = at < d.whole.n ? d.whole.p[at] : d.fraction.p[at - d.whole.n];
        value = value * 10 + (uint64_t)(c - '0');
    }
    if (n - all > 64)
        return 0; /* a multiple of 2^64 */
    for (int64_t i = all; i < n; i++)
        value *= 10;
    return (int64_t)(d.negative ? 0 - value : value);
}

/* ---- reals ---- */

bool pst_java_parse_real(pst_sv text, bool is_float, double *out)
{
    digits d;
    while (text.n && (unsigned char)text.p[0] <= ' ')
        text = (pst_sv){text.p + 1, text.n - 1};
    while (text.n && (unsigned char)text.p[text.n - 1] <= ' ')
        text.n--;
    pst_sv bare = text;
    bool negative = bare.n && *bare.p == '-';
    (void)take_char(&bare, "+-");
    if (pst_sv_is(bare, "NaN") || pst_sv_is(bare, "Infinity")) {
        double value = *bare.p == 'N' ? (double)NAN : (double)INFINITY;
        *out = negative ? -value : value;
        return true;
    }
    if (text.n > 1 && text.p[text.n - 1] && strchr("fFdD", text.p[text.n - 1]))
        text.n--;
    if (!split(text, &d))
        return false;
    *out = is_float ? (double)pst_number_to_float(text) : pst_number_to_double(text);
    return true;
}

int64_t pst_java_narrow(pst_type type, int64_t value)
{
    if (type == PST_T_BYTE)
        return (int8_t)(uint8_t)value;
    if (type == PST_T_SHORT)
        return (int16_t)(uint16_t)value;
    return type == PST_T_INT ? (int32_t)(uint32_t)value : value;
}

int64_t pst_java_of_real(pst_type type, double value)
{
    double high = type == PST_T_LONG ? 9223372036854775808.0 : 2147483648.0;
    int64_t max = type == PST_T_LONG ? INT64_MAX : INT32_MAX;
    if (isnan(value))
        return 0;
    if (value >= high || value < -high)
        return pst_java_narrow(type, value > 0 ? max : -max - 1);
    return pst_java_narrow(type, (int64_t)value);
}

/* ---- dates ---- */

static size_t put(char *out, size_t at, int64_t value, size_t width, char after)
{
    pst_number_padded(out + at, (uint64_t)value, width);
    out[at + width] = after;
    return at + width + 1;
}

size_t pst_java_date_text(int64_t ms, char *out)
{
    pst_civil c;
    size_t n = 0, width = 4;
    int64_t days = pst_floor_div(ms, DAY_MS), left = ms - days * DAY_MS;
    pst_civil_of_days(days, &c);
    if (ms >= DAY_MS) {
        for (int64_t limit = 10000; c.year >= limit; limit *= 10)
            width++;
        n = put(out, n, c.year, width, '-');
        n = put(out, n, c.month, 2, '-');
        n = put(out, n, c.day, 2, 'T');
        if (left == 0)
            return n - 1;
    }
    n = put(out, n, left / 3600000, 2, ':');
    n = put(out, n, left / 60000 % 60, 2, ':');
    n = put(out, n, left / 1000 % 60, 2, '.');
    return put(out, n, left % 1000, 3, 'Z');
}

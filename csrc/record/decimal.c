/*
 * decimal.c - see decimal.h. Works on the digits of the text; no big integers are needed,
 * because rounding to a scale is cutting a string of digits.
 */
#include "record/decimal.h"

#include "record/number.h"

enum { DIGITS_MAX = 38 };

typedef struct parts {
    bool negative;
    char digits[DIGITS_MAX + 2]; /* significant ones, without leading zeros */
    size_t n;                    /* kept */
    int64_t whole;               /* digits before the point; may be negative */
    char next;                   /* the digit behind the kept ones */
} parts;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_exponent(const char *p, const char *end, int64_t *exp)
{
    bool negative = p < end && *p == '-';
    *exp = 0;
    p += p < end && (*p == '-' || *p == '+');
    if (p == end || end - p > 10)
        return false;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        *exp = *exp * 10 + (*p - '0');
    }
    if (*exp > INT32_MAX)
        return false;
    *exp = negative ? -*exp : *exp;
    return true;
}

static bool skim(pst_sv text, const char **digits, const char **end, int64_t *exp,
                 bool *negative)
{
    const char *p = text.p, *stop = text.p + text.n;
    size_t seen = 0;
    bool point = false;
    *negative = p < stop && *p == '-';
    p += p < stop && (*p == '-' || *p == '+');
    *digits = p;
    *exp = 0;
    for (; p < stop && (is_digit(*p) || (*p == '.' && !point)); p++) {
        point = point || *p == '.';
        seen += is_digit(*p);
    }
    *end = p;
    if (seen == 0)
        return false;
    if (p == stop)
        return true;
    return (*p == 'e' || *p == 'E') && read_exponent(p + 1, stop, exp);
}

/* Keeps `scale` digits behind the point and the next one. */
static bool collect(const char *p, const char *end, int64_t exp, int scale, parts *out)
{
    bool point = false;
    size_t seen = 0;
    int64_t whole = exp;
    for (const char *q = p; q < end; q++) {
        if (*q == '.') {
            point = true;
            continue;
        }
        if (seen == 0 && *q == '0') {
            whole -= point;
            continue;
        }
        seen++;
        whole += !point;
    }
    out->whole = whole;
    out->n = 0;
    out->next = '0';
    if (seen == 0 || whole + scale < 0)
        return true;
    if (whole + scale > DIGITS_MAX)
        return false;
    size_t want = (size_t)(whole + scale);
    bool leading = true;
    for (const char *q = p; q < end; q++) {
        if (*q == '.' || (leading && *q == '0'))
            continue;
        leading = false;
        if (out->n == want) {
            out->next = *q;
            return true;
        }
        out->digits[out->n++] = *q;
    }
    while (out->n < want)
        out->digits[out->n++] = '0';
    return true;
}

static void round_half_up(parts *d)
{
    if (d->next < '5')
        return;
    size_t i = d->n;
    while (i > 0 && d->digits[i - 1] == '9')
        d->digits[--i] = '0';
    if (i > 0) {
        d->digits[i - 1]++;
        return;
    }
    memmove(d->digits + 1, d->digits, d->n++);
    d->digits[0] = '1';
}

static size_t print_plain(char *out, const parts *d, size_t scale)
{
    char *p = out;
    if (scale == 0) {
        memcpy(p, d->digits, d->n);
        return d->n;
    }
    size_t whole = d->n > scale ? d->n - scale : 0,
           zeros = d->n < scale ? scale - d->n : 0;
    if (whole == 0)
        *p++ = '0';
    memcpy(p, d->digits, whole);
    p += whole;
    *p++ = '.';
    memset(p, '0', zeros);
    p += zeros;
    memcpy(p, d->digits + whole, d->n - whole);
    return (size_t)(p - out) + d->n - whole;
}

static size_t print(char *out, const parts *d, int scale)
{
    int64_t adjusted = (int64_t)d->n - 1 - scale;
    char *p = out;
    bool zero = d->n == 1 && d->digits[0] == '0';
    if (d->negative && !zero)
        *p++ = '-';
    if (adjusted >= -6)
        return (size_t)(p - out) + print_plain(p, d, (size_t)scale);
    *p++ = d->digits[0];
    if (d->n > 1) {
        *p++ = '.';
        memcpy(p, d->digits + 1, d->n - 1);
        p += d->n - 1;
    }
    *p++ = 'E';
    p += pst_number_of_long(p, adjusted);
    return (size_t)(p - out);
}

bool pst_decimal_of(pst_sv text, int precision, int scale, char *out, size_t *n)
{
    const char *from, *end;
    int64_t exp;
    parts d;
    if (!skim(text, &from, &end, &exp, &d.negative) ||
        !collect(from, end, exp, scale, &d))
        return false;
    round_half_up(&d);
    size_t zeros = 0;
    while (zeros + 1 < d.n && d.digits[zeros] == '0')
        zeros++;
    if (zeros) {
        memmove(d.digits, d.digits + zeros, d.n - zeros);
        d.n -= zeros;
    }
    if (d.n == 0) {
        d.digits[0] = '0';
        d.n = 1;
    }
    if (d.n > (size_t)precision && !(d.n == 1 && d.digits[0] == '0'))
        return false;
    *n = print(out, &d, scale);
    return true;
}

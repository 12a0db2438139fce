/*
 * str.c - see str.h.
 */
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool pst_sv_eq_nocase(pst_sv a, pst_sv b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool pst_sv_starts(pst_sv a, pst_sv prefix)
{
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

bool pst_sv_ends(pst_sv a, pst_sv suffix)
{
    return a.n >= suffix.n &&
           (suffix.n == 0 || memcmp(a.p + a.n - suffix.n, suffix.p, suffix.n) == 0);
}

static bool blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

pst_sv pst_sv_trim(pst_sv a)
{
    while (a.n && blank(a.p[0])) {
        a.p++;
        a.n--;
    }
    while (a.n && blank(a.p[a.n - 1]))
        a.n--;
    return a;
}

pst_sv pst_sv_cut(pst_sv a, char sep, pst_sv *rest)
{
    const char *at = a.n ? memchr(a.p, sep, a.n) : NULL;
    if (!at) {
        *rest = (pst_sv){NULL, 0};
        return a;
    }
    size_t n = (size_t)(at - a.p);
    *rest = (pst_sv){at + 1, a.n - n - 1};
    return (pst_sv){a.p, n};
}

bool pst_sv_to_i64(pst_sv a, int64_t *out)
{
    bool negative = a.n && a.p[0] == '-';
    size_t i = a.n && (a.p[0] == '-' || a.p[0] == '+');
    if (i == a.n)
        return false;
    int64_t value = 0;
    for (; i < a.n; i++) {
        if (a.p[i] < '0' || a.p[i] > '9')
            return false;
        int digit = a.p[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool pst_sv_to_double(pst_sv a, double *out)
{
    char text[64];
    if (a.n == 0 || a.n >= sizeof text || blank(a.p[0]))
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (!strchr("0123456789+-.eE", a.p[i]) || !a.p[i])
            return false;
    memcpy(text, a.p, a.n);
    text[a.n] = '\0';
    char *end;
    double value = strtod(text, &end);
    if (end != text + a.n || !isfinite(value))
        return false;
    *out = value;
    return true;
}

void pst_hex(char *out, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * n] = '\0';
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

enum { EDIT_MAX = 96 };

unsigned pst_edit_distance(pst_sv a, pst_sv b, unsigned cap)
{
    if (a.n > EDIT_MAX || b.n > EDIT_MAX)
        return cap;
    unsigned rows[3][EDIT_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (unsigned j = 0; j <= b.n; j++)
        last[j] = before[j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            unsigned cost = lower(a.p[i - 1]) != lower(b.p[j - 1]);
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b.n] < cap ? last[b.n] : cap;
}

/* How many continuation bytes follow a lead byte; -1 = not a lead byte. */
static int utf8_follow(unsigned char c)
{
    if (c < 0x80)
        return 0;
    if (c >= 0xC2 && c <= 0xDF)
        return 1;
    if ((c & 0xF0) == 0xE0)
        return 2;
    if (c >= 0xF0 && c <= 0xF4)
        return 3;
    return -1;
}

size_t pst_utf8_char(pst_sv a)
{
    const unsigned char *s = (const unsigned char *)a.p;
    int follow = a.n ? utf8_follow(s[0]) : -1;
    if (follow < 0 || (size_t)follow >= a.n)
        return 0;
    for (int k = 1; k <= follow; k++)
        if ((s[k] & 0xC0) != 0x80)
            return 0;
    unsigned char c = s[0], d = follow ? s[1] : 0;
    if ((c == 0xE0 && d < 0xA0) || (c == 0xED && d > 0x9F) || (c == 0xF0 && d < 0x90) ||
        (c == 0xF4 && d > 0x8F))
        return 0;
    return (size_t)follow + 1;
}

bool pst_utf8_valid(pst_sv a)
{
    while (a.n) {
        size_t n = pst_utf8_char(a);
        if (!n)
            return false;
        a.p += n;
        a.n -= n;
    }
    return true;
}

void pst_base64(char *out, const void *bytes, size_t n)
{
    static const char set[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)b[i] << 16;
        if (i + 1 < n)
            v |= (uint32_t)b[i + 1] << 8;
        if (i + 2 < n)
            v |= b[i + 2];
        *out++ = set[v >> 18];
        *out++ = set[(v >> 12) & 63];
        *out++ = i + 1 < n ? set[(v >> 6) & 63] : '=';
        *out++ = i + 2 < n ? set[v & 63] : '=';
    }
    *out = '\0';
}

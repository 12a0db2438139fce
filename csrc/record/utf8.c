/*
 * utf8.c - see utf8.h.
 */
#include "record/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static bool cont(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

static bool bad_second4(unsigned char a, unsigned char b)
{
    return (a == 0xF0 && (b < 0x90 || b > 0xBF)) || (a == 0xF4 && (b & 0xF0) != 0x80) ||
           !cont(b);
}

static uint32_t next3(const unsigned char *p, size_t left, size_t *len)
{
    bool bad2 = left > 1 && ((p[0] == 0xE0 && (p[1] & 0xE0) == 0x80) || !cont(p[1]));
    if (left < 3) {
        *len = bad2 ? 1 : left;
        return PST_REPLACEMENT;
    }
    if (bad2 || !cont(p[2])) {
        *len = bad2 ? 1 : 2;
        return PST_REPLACEMENT;
    }
    uint32_t code = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    *len = 3;
    return code >= 0xD800 && code <= 0xDFFF ? PST_REPLACEMENT : code;
}

static uint32_t next4(const unsigned char *p, size_t left, size_t *len)
{
    bool bad2 = left > 1 && bad_second4(p[0], p[1]);
    if (left < 4) {
        *len = bad2 ? 1 : left > 2 && !cont(p[2]) ? 2 : left;
        return PST_REPLACEMENT;
    }
    if (p[0] > 0xF4 || bad2) {
        *len = 1;
        return PST_REPLACEMENT;
    }
    if (!cont(p[2]) || !cont(p[3])) {
        *len = cont(p[2]) ? 3 : 2;
        return PST_REPLACEMENT;
    }
    *len = 4;
    return (p[0] & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
}

uint32_t pst_utf8_next(const unsigned char *p, const unsigned char *end, size_t *len)
{
    size_t left = (size_t)(end - p);
    unsigned char c = p[0];
    *len = 1;
    if (c < 0x80)
        return c;
    if (c >= 0xC2 && c <= 0xDF) {
        if (left < 2 || !cont(p[1]))
            return PST_REPLACEMENT;
        *len = 2;
        return (c & 31u) << 6 | (p[1] & 63u);
    }
    if (c >= 0xE0 && c <= 0xEF)
        return next3(p, left, len);
    if (c >= 0xF0 && c <= 0xF7)
        return next4(p, left, len);
    return PST_REPLACEMENT;
}

size_t pst_utf8_put(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

size_t pst_utf8_repair(char *out, pst_sv in)
{
    const unsigned char *p = (const unsigned char *)in.p, *end = p + in.n;
    char *start = out;
    while (p < end) {
        size_t len;
        out += pst_utf8_put(out, pst_utf8_next(p, end, &len));
        p += len;
    }
    return (size_t)(out - start);
}

/* Length of the well-formed sequence at p, 0 if it is none. */
static inline size_t sequence(const unsigned char *p, size_t left)
{
    unsigned char c = p[0];
    if (c < 0xE0)
        return left >= 2 && c >= 0xC2 && cont(p[1]) ? 2 : 0;
    if (c < 0xF0) {
        if (left < 3 || !cont(p[1]) || !cont(p[2]))
            return 0;
        return (c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F) ? 0 : 3;
    }
    if (left < 4 || c > 0xF4 || bad_second4(c, p[1]) || !cont(p[2]) || !cont(p[3]))
        return 0;
    return 4;
}

bool pst_utf8_ok(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + n;
    while (p < end) {
        uint64_t word;
#ifdef __SSE2__
        while (end - p >= 16) {
            __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
            uint32_t high = (uint32_t)_mm_movemask_epi8(x);
            p += high ? __builtin_ctz(high) : 16;
            if (high)
                break;
        }
        if (p == end)
            return true;
#endif
        if (end - p >= 8) {
            memcpy(&word, p, 8);
            if (!(word & 0x8080808080808080u)) {
                p += 8;
                continue;
            }
        }
        if (*p < 0x80) {
            p++;
            continue;
        }
        size_t len = sequence(p, (size_t)(end - p));
        if (len == 0)
            return false;
        p += len;
    }
    return true;
}

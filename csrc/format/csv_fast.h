/*
 * csv_fast.h - copies a field's text while it looks for characters that need care;
 * private to csv.c.
 *
 * copy_plain() writes exactly n bytes and answers false (what it wrote is void) when one
 * of them is a control character, a quote, an escape or the first byte of the separator.
 * It never reads beyond the text.
 */
#ifndef PST_FORMAT_CSV_FAST_H
#define PST_FORMAT_CSV_FAST_H

#include "format/csv_chars.h"

/* The first bytes, each 16 times: vectors to compare with, ready to be loaded. */
typedef struct pst_csv_needles {
    char sep[16], quote[16], escape[16];
} pst_csv_needles;

static inline void fill_needles(pst_csv_needles *c, char sep, char quote, char escape)
{
    memset(c->sep, sep, sizeof c->sep);
    memset(c->quote, quote, sizeof c->quote);
    memset(c->escape, escape, sizeof c->escape);
}

static inline bool copy_bytes(const pst_csv_needles *c, char *to, const char *from,
                              size_t n)
{
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        char x = from[i];
        to[i] = x;
        found |= (unsigned char)x < ' ' || x == c->sep[0] || x == c->quote[0] ||
                 x == c->escape[0];
    }
    return !found;
}

#ifdef __SSE2__
#include <emmintrin.h>

static inline __m128i load_16(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline uint32_t needle_mask(const pst_csv_needles *c, __m128i x)
{
    __m128i found = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1F)), x);
    found = _mm_or_si128(found, _mm_cmpeq_epi8(x, load_16(c->sep)));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(x, load_16(c->quote)));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(x, load_16(c->escape)));
    return (uint32_t)_mm_movemask_epi8(found);
}

/* Two halves that overlap where n is less than 16. */
static inline bool copy_8_to_16(const pst_csv_needles *c, char *to, const char *from,
                                size_t n)
{
    int64_t low, high;
    memcpy(&low, from, 8);
    memcpy(&high, from + n - 8, 8);
    memcpy(to, &low, 8);
    memcpy(to + n - 8, &high, 8);
    return needle_mask(c, _mm_set_epi64x(high, low)) == 0;
}

static inline bool copy_plain(const pst_csv_needles *c, char *to, const char *from,
                              size_t n)
{
    if (n < 4)
        return copy_bytes(c, to, from, n);
    if (n < 8) {
        int32_t low, high;
        memcpy(&low, from, 4);
        memcpy(&high, from + n - 4, 4);
        memcpy(to, &low, 4);
        memcpy(to + n - 4, &high, 4);
        return (needle_mask(c, _mm_set_epi32(0, 0, high, low)) & 0xFF) == 0;
    }
    if (n < 16)
        return copy_8_to_16(c, to, from, n);
    uint32_t found = 0;
    for (size_t i = 0; i + 16 <= n; i += 16) {
        __m128i x = load_16(from + i);
        _mm_storeu_si128((__m128i *)(void *)(to + i), x);
        found |= needle_mask(c, x);
    }
    __m128i x = load_16(from + n - 16);
    _mm_storeu_si128((__m128i *)(void *)(to + n - 16), x);
    return (found | needle_mask(c, x)) == 0;
}
#else
static inline bool copy_plain(const pst_csv_needles *c, char *to, const char *from,
                              size_t n)
{
    return copy_bytes(c, to, from, n);
}
#endif

#endif

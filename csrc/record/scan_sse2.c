/*
 * scan_sse2.c - the scanner with 16 bytes at once, on every x86-64. See scan_core.h.
 */
#include "record/number.h"
#include "record/scan_state.h"

#ifdef __SSE2__
#include <emmintrin.h>

enum { BLOCK = 16 };

static inline __attribute__((always_inline)) uint32_t special_mask(const char *p)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1F)), x);
    return (uint32_t)_mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(quote, backslash), control));
}

static inline __attribute__((always_inline)) uint32_t same16(const char *a, const char *b)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)a);
    __m128i y = _mm_loadu_si128((const __m128i *)(const void *)b);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, y));
}

static inline __attribute__((always_inline)) uint32_t same_mask(const char *a,
                                                                const char *b)
{
    return same16(a, b) | same16(a + 16, b + 16) << 16;
}

#include "record/scan_core.h"

static bool copy(char *to, const char *from, size_t n)
{
    __m128i all = _mm_setzero_si128();
    size_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(from + i));
        _mm_storeu_si128((__m128i *)(void *)(to + i), x);
        all = _mm_or_si128(all, x);
    }
    memcpy(to + i, from + i, n - i);
    memset(to + n, 0, PST_SCAN_PAD);
    all = _mm_or_si128(all, _mm_loadu_si128((const __m128i *)(const void *)(to + i)));
    return _mm_movemask_epi8(all) == 0;
}

const struct pst_scan_ops pst_scan_sse2 = {copy, scan_object};
#else
const struct pst_scan_ops pst_scan_sse2 = {NULL, NULL};
#endif

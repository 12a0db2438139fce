/*
 * scan_avx2.c - the scanner with 32 bytes at once; scan.c asks the CPU before it uses it.
 * See scan_core.h.
 */
#include "record/number.h"
#include "record/scan_state.h"

#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,bmi"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi")
#endif
#include <immintrin.h>

enum { BLOCK = 32 };

static inline __attribute__((always_inline)) uint32_t special_mask(const char *p)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i quote = _mm256_cmpeq_epi8(x, _mm256_set1_epi8('"'));
    __m256i backslash = _mm256_cmpeq_epi8(x, _mm256_set1_epi8('\\'));
    __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(x, _mm256_set1_epi8(0x1F)), x);
    return (uint32_t)_mm256_movemask_epi8(
        _mm256_or_si256(_mm256_or_si256(quote, backslash), control));
}

static inline __attribute__((always_inline)) uint32_t same_mask(const char *a,
                                                                const char *b)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)a);
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)b);
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, y));
}

#include "record/scan_core.h"

static bool copy(char *to, const char *from, size_t n)
{
    __m256i all = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(from + i));
        _mm256_storeu_si256((__m256i *)(void *)(to + i), x);
        all = _mm256_or_si256(all, x);
    }
    memcpy(to + i, from + i, n - i);
    memset(to + n, 0, PST_SCAN_PAD);
    all =
        _mm256_or_si256(all, _mm256_loadu_si256((const __m256i *)(const void *)(to + i)));
    return _mm256_movemask_epi8(all) == 0;
}

const struct pst_scan_ops pst_scan_avx2 = {copy, scan_object};

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
const struct pst_scan_ops pst_scan_avx2 = {NULL, NULL};
#endif

/*
 * crc32c.c - CRC-32C, the checksum that S3 and Kafka use.
 *
 * SSE 4.2 has an instruction for it; elsewhere a table of 16 entries does, small enough
 * to be constant. Source: RFC 3720 appendix B.4 (test vectors in tests/unit/test_str.c).
 *
 * The instruction takes three cycles, and another can begin in each of them: so long
 * input is read at three places at once, and the three sums are made one. A window is
 * summed twice (as a whole, and each part of a large one), so this is worth having.
 */
#include "base/str.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

static uint32_t crc_soft(uint32_t crc, const unsigned char *p, size_t n)
{
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                       0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                       0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    while (n--) {
        crc ^= *p++;
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
enum { LANE = 4096 };

/* a * b modulo the polynomial, the lowest power in the highest bit. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = 1U << 31; bit; bit >>= 1) {
        product ^= a & bit ? b : 0;
        b = (b >> 1) ^ (b & 1 ? 0x82f63b78 : 0);
    }
    return product;
}

/* The sum of what has LANE bytes more behind it. */
static uint64_t shift_lane(uint64_t crc)
{
    return multiply(0x35d73a62, (uint32_t)crc); /* x to the power of 8 * LANE */
}

static uint64_t word_at(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t
crc_sse42(uint32_t crc, const unsigned char *p, size_t n)
{
    uint64_t wide = crc;
    for (; n >= 3 * LANE; p += 3 * LANE, n -= 3 * LANE) {
        uint64_t second = 0, third = 0;
        for (const unsigned char *at = p; at < p + LANE; at += 8) {
            wide = _mm_crc32_u64(wide, word_at(at));
            second = _mm_crc32_u64(second, word_at(at + LANE));
            third = _mm_crc32_u64(third, word_at(at + 2 * LANE));
        }
        wide = shift_lane(shift_lane(wide) ^ second) ^ third;
    }
    for (; n >= 8; p += 8, n -= 8)
        wide = _mm_crc32_u64(wide, word_at(p));
    crc = (uint32_t)wide;
    while (n--)
        crc = _mm_crc32_u8(crc, *p++);
    return crc;
}
#endif

uint32_t pst_crc32c(uint32_t crc, const void *bytes, size_t n)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_sse42(~crc, bytes, n);
#endif
    return ~crc_soft(~crc, bytes, n);
}

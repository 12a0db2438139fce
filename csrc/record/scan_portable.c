/*
 * scan_portable.c - the scanner for any machine, eight bytes at once. See scan_core.h.
 */
#include "record/number.h"
#include "record/scan_state.h"

enum { BLOCK = 8 };

/* Bits at the first byte of each kind are right; later ones may be false alarms that a
   borrow caused, which is harmless: only the lowest bit is used. */
static inline uint32_t special_mask(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t x, found;
    uint32_t mask = 0;
    memcpy(&x, p, sizeof x);
    uint64_t quote = x ^ (ones * '"'), backslash = x ^ (ones * '\\');
    found = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
            ((x - ones * ' ') & ~x);
    if (!(found & tops))
        return 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned char c = (unsigned char)p[i];
        mask |= (uint32_t)(c == '"' || c == '\\' || c < ' ') << i;
    }
    return mask;
}

static inline uint32_t same_mask(const char *a, const char *b)
{
    uint32_t mask = 0;
    for (unsigned i = 0; i < PST_SCAN_NAME; i++)
        mask |= (uint32_t)(a[i] == b[i]) << i;
    return mask;
}

#include "record/scan_core.h"

static bool copy(char *to, const char *from, size_t n)
{
    uint64_t all = 0, x;
    size_t i = 0;
    memcpy(to, from, n);
    memset(to + n, 0, PST_SCAN_PAD);
    for (; i + 8 <= n; i += 8) {
        memcpy(&x, to + i, 8);
        all |= x;
    }
    memcpy(&x, to + i, 8);
    return ((all | x) & 0x8080808080808080u) == 0;
}

const struct pst_scan_ops pst_scan_portable = {copy, scan_object};

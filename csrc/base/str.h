/*
 * str.h - string views and bounded parsing. No locale, no NUL needed, nothing allocated.
 */
#ifndef PST_BASE_STR_H
#define PST_BASE_STR_H

#include "base/err.h"

#include <stdint.h>
#include <string.h>

/* Bytes owned by somebody else. */
typedef struct pst_sv {
    const char *p;
    size_t n;
} pst_sv;

#define PST_SV(literal) ((pst_sv){(literal), sizeof(literal) - 1})
#define PST_SV_FMT(sv) (int)(sv).n, (sv).p /* for "%.*s" */

static inline pst_sv pst_sv_of(const char *s)
{
    return (pst_sv){s, s ? strlen(s) : 0};
}

static inline bool pst_sv_eq(pst_sv a, pst_sv b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool pst_sv_is(pst_sv a, const char *s)
{
    return pst_sv_eq(a, pst_sv_of(s));
}

bool pst_sv_eq_nocase(pst_sv a, pst_sv b); /* ASCII */
bool pst_sv_starts(pst_sv a, pst_sv prefix);
bool pst_sv_ends(pst_sv a, pst_sv suffix);
pst_sv pst_sv_trim(pst_sv a); /* ASCII blanks on both ends */
/* Cuts at the first `sep`: returns what is before it, *rest gets what is after it.
   Without a `sep` all is returned and *rest has p == NULL. */
pst_sv pst_sv_cut(pst_sv a, char sep, pst_sv *rest);
/* Whole view must be a decimal integer in range; false otherwise (*out untouched). */
bool pst_sv_to_i64(pst_sv a, int64_t *out);
bool pst_sv_to_double(pst_sv a, double *out); /* decimal or exponent form, finite */
/* Lower-case hex, writes 2n+1 bytes. */
void pst_hex(char *out, const void *bytes, size_t n);
/* Edits (insert, delete, replace, swap) between a and b, at most `cap`. */
unsigned pst_edit_distance(pst_sv a, pst_sv b, unsigned cap);
/* Bytes of the well-formed character (no surrogate, no overlong form) that `a` begins
   with; 0 = none. */
size_t pst_utf8_char(pst_sv a);
/* Is it well-formed UTF-8 (no surrogates, no overlong forms)? */
bool pst_utf8_valid(pst_sv a);
/* CRC-32C (Castagnoli) of more bytes; start with crc = 0. Hardware where it is there. */
uint32_t pst_crc32c(uint32_t crc, const void *bytes, size_t n);
/* Standard base64 with padding; `out` needs 4 * ((n + 2) / 3) + 1 bytes. */
void pst_base64(char *out, const void *bytes, size_t n);

#endif

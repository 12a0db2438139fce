/*
 * utf8.h - UTF-8 as Java reads it: what is malformed becomes U+FFFD, by the lengths that
 * Java's decoder counts (an overlong C0 AF is two, a cut E2 82 is one, a surrogate one).
 */
#ifndef PST_RECORD_UTF8_H
#define PST_RECORD_UTF8_H

#include "base/str.h"

enum { PST_REPLACEMENT = 0xFFFD };

/* The code point at p (p < end), and how many bytes it takes; malformed: U+FFFD. */
uint32_t pst_utf8_next(const unsigned char *p, const unsigned char *end, size_t *len);
/* Is it well-formed? As pst_utf8_valid(), but quick where most is ASCII. */
bool pst_utf8_ok(const char *p, size_t n);
/* Writes 1…4 bytes. */
size_t pst_utf8_put(char *out, uint32_t code);
/* Replaces what is malformed; `out` needs 3 * n bytes. Answers the length. */
size_t pst_utf8_repair(char *out, pst_sv in);

#endif

/*
 * number.h - text to numbers and numbers to Java's text, exactly.
 *
 * Reading: correctly rounded (Eisel-Lemire with an exact big-integer decision where more
 * than 19 digits matter), as Java's parseDouble and parseFloat; float is rounded once,
 * not by way of double. Writing: the digits of JDK 17's Double.toString and
 * Float.toString, which are not always the shortest, or the shortest ones (JDK 19 and
 * later). No locale, no libc formatting, nothing allocated.
 */
#ifndef PST_RECORD_NUMBER_H
#define PST_RECORD_NUMBER_H

#include "base/str.h"

enum { PST_POW5_MIN = -342, PST_POW5_MAX = 308 };
extern const uint64_t pst_number_pow5[PST_POW5_MAX - PST_POW5_MIN + 1][2];

enum pst_number_format { PST_NUMBER_JDK17, PST_NUMBER_SHORTEST };

enum { PST_DOUBLE_TEXT_MAX = 32, PST_LONG_TEXT_MAX = 21 };

/* The text is [-+]digits[.digits][e[-+]digits], already checked; digits may be missing on
   one side of the point. */
double pst_number_to_double(pst_sv text);
float pst_number_to_float(pst_sv text);

/* w * 10^exp10, correctly rounded: for a number whose digits all fit w. */
double pst_number_double(uint64_t w, int64_t exp10, bool negative);
float pst_number_float(uint64_t w, int64_t exp10, bool negative);

/* Both write at most PST_DOUBLE_TEXT_MAX bytes, no NUL, and answer how many. */
size_t pst_number_of_double(char *out, double value, enum pst_number_format format);
size_t pst_number_of_float(char *out, float value, enum pst_number_format format);
/* At most PST_LONG_TEXT_MAX bytes, no NUL. */
size_t pst_number_of_long(char *out, int64_t value);
/* value as `width` digits, zero-padded; width <= 19. */
void pst_number_padded(char *out, uint64_t value, size_t width);

#endif

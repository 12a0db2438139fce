/*
 * decimal.h - DECIMAL(p,s) as text: Java's BigDecimal rounded HALF_UP, printed by
 * toString.
 */
#ifndef PST_RECORD_DECIMAL_H
#define PST_RECORD_DECIMAL_H

#include "base/str.h"

enum { PST_DECIMAL_TEXT_MAX = 48, PST_DECIMAL_DIGITS = 38 };

/* Reads what BigDecimal's constructor takes; false when it is no number or has more than
   `precision` digits after rounding to `scale`. Writes at most PST_DECIMAL_TEXT_MAX. */
bool pst_decimal_of(pst_sv text, int precision, int scale, char *out, size_t *n);

#endif

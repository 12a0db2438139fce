/*
 * java.h - texts and numbers as the classes of java.lang and java.math take them, where
 * Connect's transforms hand values to them.
 */
#ifndef PST_TRANSFORM_JAVA_H
#define PST_TRANSFORM_JAVA_H

#include "record/record.h"

/* Long.parseLong(); the caller checks the narrower ranges. Digits are ASCII's. */
bool pst_java_parse_long(pst_sv text, int64_t *out);
/* Double.parseDouble() and Float.parseFloat(), but for hexadecimal ones. */
bool pst_java_parse_real(pst_sv text, bool is_float, double *out);
/* new BigDecimal(text): is it one? */
bool pst_java_is_decimal(pst_sv text);
/* BigDecimal.longValue(): the integer part's low 64 bits. */
int64_t pst_java_decimal_long(pst_sv decimal);
/* (byte), (short), (int) of a long. */
int64_t pst_java_narrow(pst_type type, int64_t value);
/* The same of a double or float: saturating, NaN is 0. */
int64_t pst_java_of_real(pst_type type, double value);

/* Values.dateFormatFor(): a time of day below one day, a date at midnight, else both.
   Writes at most PST_JAVA_DATE_MAX. */
enum { PST_JAVA_DATE_MAX = 48 };
size_t pst_java_date_text(int64_t ms, char *out);

#endif

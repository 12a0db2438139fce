/*
 * case_map.h - upper and lower case by Unicode, as Java's String has them without a
 * locale: one letter may become three, and a sigma at a word's end has a form of its own.
 */
#ifndef PST_RECORD_CASE_MAP_H
#define PST_RECORD_CASE_MAP_H

#include "base/str.h"

/* `out` has room for three times the text; answers what was used. What is no UTF-8
   becomes U+FFFD. */
size_t pst_case_upper(char *out, pst_sv in);
size_t pst_case_lower(char *out, pst_sv in);

#endif

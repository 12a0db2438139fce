/*
 * regex.h - regular expressions in Java's syntax for topics' names: the subset whose
 * meaning is the same everywhere, in time linear in the name whatever the expression.
 *
 * Taken: literals, escapes of punctuation, ., [classes] with ranges, \d \w \s \D \W \S,
 * ^ $, groups (…) (?:…) (?<name>…), |, and * + ? {n} {n,} {n,m}, each also lazy. Refused,
 * with the position: look-around, back references, possessive quantifiers, flags,
 * \p{…}, \b, \Q, classes in classes, what is not ASCII, and repeating what may be empty.
 */
#ifndef PST_TRANSFORM_REGEX_H
#define PST_TRANSFORM_REGEX_H

#include "base/str.h"

typedef struct pst_regex pst_regex;

/* PST_E_CONFIG says what is not taken, and at which character. */
pst_rc pst_regex_new(pst_regex **out, const char *pattern, pst_err *err) PST_MUST;
void pst_regex_free(pst_regex *regex);
/* Matcher.matches(): the whole text. One thread at a time. */
bool pst_regex_matches(pst_regex *regex, pst_sv text);

#endif

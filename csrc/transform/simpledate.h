/*
 * simpledate.h - java.text.SimpleDateFormat in UTC and in English: what Connect prints
 * and reads times with. Reading is lenient as it is there: fields beyond their ranges
 * roll over, a prefix is enough, and dates before 1582-10-15 are the Julian calendar's.
 *
 * Letters: y M d H k K h a m s S E X Z and 'text'. Others are refused with the position.
 */
#ifndef PST_TRANSFORM_SIMPLEDATE_H
#define PST_TRANSFORM_SIMPLEDATE_H

#include "base/str.h"

enum { PST_SIMPLEDATE_OPS = 64, PST_SIMPLEDATE_TEXT_MAX = 400 };

typedef struct pst_simpledate_op {
    char letter; /* 0 = text */
    int count;
    pst_sv text;
} pst_simpledate_op;

typedef struct pst_simpledate {
    pst_simpledate_op ops[PST_SIMPLEDATE_OPS];
    size_t n;
    char text[PST_SIMPLEDATE_TEXT_MAX]; /* of the literals */
} pst_simpledate;

/* PST_E_CONFIG says what is not taken, and at which character. */
pst_rc pst_simpledate_init(pst_simpledate *format, const char *pattern,
                           pst_err *err) PST_MUST;
/* Can it read? Two-digit years mean another century every year. */
pst_rc pst_simpledate_can_read(const pst_simpledate *format, pst_err *err) PST_MUST;
/* Milliseconds since 1970; answers the length, 0 if it would be more than size. */
size_t pst_simpledate_print(const pst_simpledate *format, int64_t ms, char *out,
                            size_t size);
bool pst_simpledate_read(const pst_simpledate *format, pst_sv text, int64_t *ms);

#endif

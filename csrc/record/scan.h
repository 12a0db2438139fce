/*
 * scan.h - the fast way for ordinary records: one pass, nothing allocated, only what is
 * selected is converted, everything is validated. It gives up, leaving the record to
 * exact.h, at whatever is unusual; what it answers is what exact.h would have answered.
 */
#ifndef PST_RECORD_SCAN_H
#define PST_RECORD_SCAN_H

#include "record/exact.h"

typedef struct pst_scan pst_scan;

/* The plan is borrowed. `level` caps the instruction set, for tests: PST_SCAN_BEST. */
enum pst_scan_level { PST_SCAN_PORTABLE, PST_SCAN_SSE2, PST_SCAN_AVX2, PST_SCAN_BEST };
pst_rc pst_scan_new(pst_scan **out, const pst_plan *plan, int level,
                    pst_err *err) PST_MUST;
void pst_scan_free(pst_scan *scan);
/* false: not done, use the exact way. Slots need not be cleared before. Strings in the
   slots point into the scanner's copy of the record and live until the next read. */
bool pst_scan_read(pst_scan *scan, pst_context *ctx, pst_sv value, pst_cell *slots,
                   pst_read *result);

#endif

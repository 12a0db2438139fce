/*
 * scan.c - see scan.h.
 */
#include "record/scan.h"

#include "base/mem.h"

struct pst_scan {
    const pst_plan *plan;
};

pst_rc pst_scan_new(pst_scan **out, const pst_plan *plan, pst_err *err)
{
    *out = pst_calloc(1, sizeof **out);
    if (!*out)
        return pst_fail_nomem(err, "the reader");
    (*out)->plan = plan;
    return PST_OK;
}

void pst_scan_free(pst_scan *scan)
{
    pst_free(scan);
}

bool pst_scan_read(pst_scan *scan, pst_context *ctx, pst_sv value, pst_cell *slots,
                   pst_read *result)
{
    (void)scan;
    (void)ctx;
    (void)value;
    (void)slots;
    (void)result;
    return false;
}

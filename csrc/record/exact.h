/*
 * exact.h - one record the exact way: Jackson's tokens (json.h) through Spark's
 * JacksonParser, with its exceptions as return codes. Everything that Spark does after a
 * failure (which columns stay, where it goes on reading) follows from going the same
 * steps.
 */
#ifndef PST_RECORD_EXACT_H
#define PST_RECORD_EXACT_H

#include "record/convert.h"

typedef struct pst_exact {
    pst_json json;
    pst_cell *saved; /* structs that may have to be restored, one level after another */
    size_t n_slots;
} pst_exact;

typedef enum pst_read {
    PST_READ_GOOD,
    PST_READ_EMPTY,     /* no token at all: Spark's from_json answers NULL */
    PST_READ_PARTIAL,   /* a field was bad, the others are there */
    PST_READ_MALFORMED, /* all columns null */
    PST_READ_NOMEM,
} pst_read;

pst_rc pst_exact_init(pst_exact *exact, const pst_plan *plan, size_t buffer_max,
                      pst_err *err) PST_MUST;
void pst_exact_done(pst_exact *exact);
/* slots come cleared; they are cleared again for a malformed record. */
pst_read pst_exact_read(pst_exact *exact, pst_context *ctx, const pst_plan *plan,
                        pst_sv value, pst_cell *slots);

#endif

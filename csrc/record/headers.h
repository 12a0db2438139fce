/*
 * headers.h - the Kafka column `headers`: ARRAY<STRUCT<key: STRING, value: BINARY>>, null
 * where a record has none. A CSV holds no arrays, so a select list takes its elements:
 * headers[0].key, or headers.key[0], which is the same.
 *
 * Nothing of a record's headers is looked at unless the select list names them; the cells
 * point into what the caller's pst_header_at gives.
 */
#ifndef PST_RECORD_HEADERS_H
#define PST_RECORD_HEADERS_H

#include "record/context.h"
#include "record/plan.h"

static inline bool pst_headers_are(const pst_binding *b)
{
    return b->source >= PST_FROM_HEADERS && b->source <= PST_FROM_HEADER_VALUE;
}

/* From the column, or a part of it, to an element or a field; e is where to complain. */
pst_rc pst_headers_index(const pst_expr *e, int64_t index, pst_binding *b,
                         pst_err *err) PST_MUST;
pst_rc pst_headers_field(const pst_expr *e, const char *name, bool case_sensitive,
                         pst_binding *b, pst_err *err) PST_MUST;
/* Only keys and values of elements are columns. */
pst_rc pst_headers_check(const pst_expr *e, const pst_binding *b, pst_err *err) PST_MUST;

/* The cell of a key or a value. PST_E_INVALID: the headers can't be parsed. */
pst_rc pst_headers_read(pst_context *ctx, const pst_binding *b, const pst_msg *msg,
                        pst_cell *out) PST_MUST;

#endif

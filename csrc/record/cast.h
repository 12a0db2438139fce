/*
 * cast.h - Spark's CAST without ANSI mode: what cannot be converted is null.
 */
#ifndef PST_RECORD_CAST_H
#define PST_RECORD_CAST_H

#include "record/context.h"

typedef struct pst_value_type {
    pst_type type;
    int precision, scale;
} pst_value_type;

/* Is there a cast at all between the two (scalar) types? */
bool pst_cast_exists(pst_type from, pst_type to);
/* in may be out. PST_E_NOMEM at worst. */
pst_rc pst_cast(pst_context *ctx, pst_type from, pst_value_type to, const pst_cell *in,
                pst_cell *out) PST_MUST;
/* A value as CAST(… AS STRING) shows it. */
pst_rc pst_cast_text(pst_context *ctx, pst_type from, const pst_cell *in,
                     pst_sv *out) PST_MUST;

#endif

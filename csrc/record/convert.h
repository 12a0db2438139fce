/*
 * convert.h - a scalar token becomes a typed cell, by the rules of Spark's JacksonParser.
 */
#ifndef PST_RECORD_CONVERT_H
#define PST_RECORD_CONVERT_H

#include "record/context.h"
#include "record/plan.h"

typedef enum pst_conv {
    PST_CONV_OK,
    PST_CONV_BAD,     /* does not fit the type: Spark leaves the column as it was */
    PST_CONV_PARTIAL, /* a value with something bad inside */
    PST_CONV_NOMEM,
} pst_conv;

/* INT and FLOAT tokens into number types, DECIMAL and TIMESTAMP; BAD for all others. */
pst_conv pst_convert_int(pst_context *ctx, const pst_node *node, pst_sv text,
                         pst_cell *out);
pst_conv pst_convert_float(pst_context *ctx, const pst_node *node, pst_sv text,
                           bool special, pst_cell *out);
/* A decoded string into any type but STRING; the text may be temporary. */
pst_conv pst_convert_text(pst_context *ctx, const pst_node *node, pst_sv text,
                          pst_cell *out);
/* The text with the decimal digits of other scripts as ASCII's, as BigDecimal takes them;
   p == NULL when memory is out. */
pst_sv pst_convert_digits(pst_context *ctx, pst_sv text);
/* A string, a number as a STRING column shows it; copied where needed. */
pst_conv pst_convert_keep(pst_context *ctx, pst_sv text, pst_cell *out);

#endif

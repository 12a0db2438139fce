/*
 * expr.h - expressions of the select list beyond plain paths: casts, literals, functions.
 */
#ifndef PST_RECORD_EXPR_H
#define PST_RECORD_EXPR_H

#include "record/context.h"
#include "record/plan.h"

typedef struct pst_code pst_code;

/* Binds and checks types; *column gets the result's type. conf is borrowed. */
pst_rc pst_code_new(pst_code **out, pst_plan *plan, const pst_expr *expr,
                    const pst_reader_conf *conf, pst_column *column,
                    pst_err *err) PST_MUST;
void pst_code_free(pst_code *code);
/* cells are the slots. PST_E_NOMEM or PST_E_LIMIT at worst, PST_E_INVALID of headers. */
pst_rc pst_code_run(const pst_code *code, pst_context *ctx, const pst_cell *slots,
                    const pst_msg *msg, pst_cell *out) PST_MUST;

/* The value of a Kafka column. */
pst_rc pst_context_kafka(pst_context *ctx, pst_source source, const pst_msg *msg,
                         pst_cell *out) PST_MUST;

#endif

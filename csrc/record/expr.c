/*
 * expr.c - see expr.h.
 */
#include "record/expr.h"

#include "base/mem.h"
#include "record/lex.h"

struct pst_code {
    int unused;
};

pst_rc pst_code_new(pst_code **out, pst_plan *plan, const pst_expr *expr,
                    const pst_reader_conf *conf, pst_column *column, pst_err *err)
{
    (void)out;
    (void)plan;
    (void)conf;
    (void)column;
    return pst_lex_fail_at(err, expr->pos,
                           "only columns and nested fields are supported yet");
}

void pst_code_free(pst_code *code)
{
    pst_free(code);
}

pst_rc pst_code_run(const pst_code *code, pst_context *ctx, const pst_cell *slots,
                    const pst_msg *msg, pst_cell *out)
{
    (void)code;
    (void)ctx;
    (void)slots;
    (void)msg;
    (void)out;
    return PST_E_UNSUPPORTED;
}

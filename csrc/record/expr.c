/*
 * expr.c - see expr.h. Binding checks every type once, so that running has nothing left
 * to fail at but memory and a record's broken headers.
 */
#include "record/expr.h"

#include "base/mem.h"
#include "record/decimal.h"
#include "record/func.h"
#include "record/headers.h"
#include "record/lex.h"

#include <stdio.h>

typedef enum code_kind { CODE_LITERAL, CODE_COLUMN, CODE_CAST, CODE_CALL } code_kind;

struct pst_code {
    code_kind kind;
    pst_value_type type;
    bool untyped_null; /* the literal NULL fits any type */
    pst_cell literal;
    char *text; /* what the literal points to */
    pst_binding column;
    const pst_func *func;
    pst_pattern *pattern;
    pst_code **args;
    size_t n_args;
};

typedef struct binder {
    pst_plan *plan;
    const pst_reader_conf *conf;
    pst_context ctx; /* for the value of literals */
    pst_err *err;
} binder;

void pst_code_free(pst_code *code)
{
    if (!code)
        return;
    for (size_t i = 0; i < code->n_args; i++)
        pst_code_free(code->args[i]);
    pst_free(code->args);
    pst_free(code->text);
    pst_pattern_free(code->pattern);
    pst_free(code);
}

/* ---- binding ---- */

static pst_rc bind(binder *b, const pst_expr *e, pst_code **out);

static pst_rc new_code(binder *b, code_kind kind, size_t n_args, pst_code **out)
{
    pst_code *code = pst_calloc(1, sizeof *code);
    if (!code)
        return pst_fail_nomem(b->err, "the select list");
    code->kind = kind;
    code->args = n_args ? pst_calloc(n_args, sizeof *code->args) : NULL;
    *out = code;
    if (n_args && !code->args)
        return pst_fail_nomem(b->err, "the select list");
    return PST_OK;
}

static pst_rc bind_column(binder *b, const pst_expr *e, pst_code **out)
{
    pst_rc rc = new_code(b, CODE_COLUMN, 0, out);
    rc = rc ? rc : pst_plan_bind(b->plan, e, &(*out)->column, b->err);
    if (rc == PST_OK)
        (*out)->type = (pst_value_type){(*out)->column.type, (*out)->column.precision,
                                        (*out)->column.scale};
    return rc;
}

static pst_value_type literal_type(const pst_expr *e)
{
    pst_value_type type = {.type = e->type.type};
    if (type.type == PST_T_DECIMAL) { /* as many digits as it is written with */
        const char *point = strchr(e->text, '.');
        size_t digits = e->text_n - (e->text[0] == '-') - (point != NULL);
        type.precision = (int)(digits < 38 ? digits : 38);
        type.scale = point ? (int)(e->text_n - (size_t)(point - e->text) - 1) : 0;
        type.precision = type.precision ? type.precision : 1;
    }
    return type;
}

/* As a column's value: no zeros in front, no more digits than the type holds. */
static pst_rc bind_decimal(binder *b, const pst_expr *e, pst_code *code)
{
    char text[PST_DECIMAL_TEXT_MAX];
    size_t n = 0;
    const pst_value_type *type = &code->type;
    if (type->scale > PST_DECIMAL_DIGITS ||
        !pst_decimal_of((pst_sv){e->text, e->text_n}, PST_DECIMAL_DIGITS, type->scale,
                        text, &n))
        return pst_lex_fail_at(b->err, e->pos, "a DECIMAL has at most %d digits",
                               PST_DECIMAL_DIGITS);
    code->text = pst_strndup(text, n);
    if (!code->text)
        return pst_fail_nomem(b->err, "the select list");
    code->literal = (pst_cell){.null = false, .as.s = {code->text, n}};
    return PST_OK;
}

static pst_rc bind_literal(binder *b, const pst_expr *e, pst_code **out)
{
    pst_rc rc = new_code(b, CODE_LITERAL, 0, out);
    if (rc != PST_OK)
        return rc;
    pst_code *code = *out;
    code->untyped_null = e->text == NULL;
    code->literal.null = e->text == NULL;
    code->type.type = PST_T_STRING;
    if (!e->text)
        return PST_OK;
    code->type = literal_type(e);
    if (code->type.type == PST_T_DECIMAL)
        return bind_decimal(b, e, code);
    code->text = pst_strndup(e->text, e->text_n);
    if (!code->text)
        return pst_fail_nomem(b->err, "the select list");
    pst_cell text = {.null = false, .as.s = {code->text, e->text_n}};
    if (code->type.type == PST_T_STRING) {
        code->literal = text;
        return PST_OK;
    }
    rc = pst_cast(&b->ctx, PST_T_STRING, code->type, &text, &code->literal);
    return rc ? pst_fail_nomem(b->err, "the select list") : PST_OK;
}

/* Wraps *code in a cast unless it has the type already. */
static pst_rc convert(binder *b, size_t pos, pst_code **code, pst_value_type to)
{
    pst_code *inner = *code, *cast = NULL;
    bool same = inner->type.type == to.type &&
                (to.type != PST_T_DECIMAL || (inner->type.precision == to.precision &&
                                              inner->type.scale == to.scale));
    if (same)
        return PST_OK;
    if (!pst_cast_exists(inner->type.type, to.type))
        return pst_lex_fail_at(b->err, pos, "%s can't be cast to %s",
                               pst_type_name(inner->type.type), pst_type_name(to.type));
    pst_rc rc = new_code(b, CODE_CAST, 1, &cast);
    if (rc != PST_OK) {
        pst_code_free(cast);
        return rc;
    }
    cast->type = to;
    cast->untyped_null = inner->untyped_null;
    cast->args[0] = inner;
    cast->n_args = 1;
    *code = cast;
    return PST_OK;
}

static pst_rc bind_cast(binder *b, const pst_expr *e, pst_code **out)
{
    pst_value_type to = {e->type.type, e->type.precision, e->type.scale};
    if (to.type >= PST_T_STRUCT)
        return pst_lex_fail_at(b->err, e->pos, "CAST to %s is not supported",
                               pst_type_name(to.type));
    pst_rc rc = bind(b, e->args[0], out);
    rc = rc ? rc : convert(b, e->pos, out, to);
    if (rc == PST_OK)
        (*out)->untyped_null = false;
    return rc;
}

static bool numeric(pst_type t)
{
    return t >= PST_T_BYTE && t <= PST_T_DECIMAL;
}

/* The wider of two types, as for COALESCE; false if they have nothing in common. */
static bool widen(pst_value_type *a, pst_value_type b)
{
    if (a->type == b.type && a->type != PST_T_DECIMAL)
        return true;
    if (a->type == PST_T_STRING || b.type == PST_T_STRING) {
        *a = (pst_value_type){.type = PST_T_STRING};
        return true;
    }
    if (numeric(a->type) && numeric(b.type)) {
        static const int digits[] = {
            [PST_T_BYTE] = 3, [PST_T_SHORT] = 5, [PST_T_INT] = 10, [PST_T_LONG] = 20};
        if (a->type != PST_T_DECIMAL && b.type != PST_T_DECIMAL) {
            a->type = a->type > b.type ? a->type : b.type;
            return true;
        }
        if (a->type == PST_T_FLOAT || a->type == PST_T_DOUBLE || b.type == PST_T_FLOAT ||
            b.type == PST_T_DOUBLE) {
            *a = (pst_value_type){.type = PST_T_DOUBLE};
            return true;
        }
        int scale = a->scale > b.scale ? a->scale : b.scale;
        int whole_a =
            a->type == PST_T_DECIMAL ? a->precision - a->scale : digits[a->type];
        int whole_b = b.type == PST_T_DECIMAL ? b.precision - b.scale : digits[b.type];
        int whole = whole_a > whole_b ? whole_a : whole_b;
        *a = (pst_value_type){PST_T_DECIMAL, whole + scale < 38 ? whole + scale : 38,
                              scale};
        return true;
    }
    bool date = a->type == PST_T_DATE || b.type == PST_T_DATE;
    bool stamp = a->type == PST_T_TIMESTAMP || b.type == PST_T_TIMESTAMP;
    *a = (pst_value_type){.type = PST_T_TIMESTAMP};
    return date && stamp;
}

static pst_rc bind_common(binder *b, const pst_expr *e, pst_code *code)
{
    pst_value_type common = {.type = PST_T_STRING};
    bool found = false;
    for (size_t i = 0; i < code->n_args; i++) {
        const pst_code *arg = code->args[i];
        if (arg->untyped_null)
            continue;
        if (found && !widen(&common, arg->type))
            return pst_lex_fail_at(
                b->err, e->args[i]->pos,
                "%s: %s has no type in common with the arguments before "
                "it",
                e->text, pst_type_name(arg->type.type));
        common = found ? common : arg->type;
        found = true;
    }
    for (size_t i = 0; i < code->n_args; i++) {
        pst_rc rc = convert(b, e->args[i]->pos, &code->args[i], common);
        if (rc != PST_OK)
            return rc;
    }
    code->type = common;
    return PST_OK;
}

static pst_type plain_type(pst_func_type type)
{
    switch (type) {
    case PST_FUNC_INT:
        return PST_T_INT;
    case PST_FUNC_LONG:
        return PST_T_LONG;
    case PST_FUNC_DATE:
        return PST_T_DATE;
    case PST_FUNC_TIMESTAMP:
        return PST_T_TIMESTAMP;
    default:
        return PST_T_STRING;
    }
}

static pst_rc bind_pattern(binder *b, const pst_expr *e, const pst_expr *arg,
                           pst_code *code)
{
    pst_err local = PST_ERR_INIT;
    if (arg->kind != PST_X_LITERAL || arg->type.type != PST_T_STRING || !arg->text)
        return pst_lex_fail_at(b->err, arg->pos,
                               "%s takes its pattern as a string literal", e->text);
    bool legacy = b->conf->time_parser_policy == PST_TIME_LEGACY;
    pst_rc rc = pst_pattern_new(&code->pattern, arg->text,
                                legacy ? PST_PATTERN_SIMPLE : code->func->use, &local);
    return rc ? pst_lex_fail_at(b->err, arg->pos, "%s", local.text) : PST_OK;
}

/* Where a function's pattern is left out: Spark's default, except that from_unixtime has
   a quicker way than a pattern, but for LEGACY. */
static pst_rc bind_no_pattern(binder *b, const pst_expr *e, pst_code *code)
{
    bool legacy = b->conf->time_parser_policy == PST_TIME_LEGACY;
    if (!legacy || e->n_args > 1 || code->func->use != PST_PATTERN_FORMAT)
        return PST_OK;
    pst_err local = PST_ERR_INIT;
    pst_rc rc = pst_pattern_new(&code->pattern, "yyyy-MM-dd HH:mm:ss", PST_PATTERN_SIMPLE,
                                &local);
    return rc ? pst_fail_nomem(b->err, "the select list") : PST_OK;
}

/* to_date and to_timestamp: dates, times and texts as they are, for to_timestamp without
   a pattern numbers too; all else as a text. */
static pst_value_type moment_type(const pst_code *code, const pst_expr *e,
                                  const pst_code *arg)
{
    pst_type t = arg->type.type;
    bool stamp = code->func->result == PST_FUNC_TIMESTAMP && e->n_args == 1;
    bool time = t == PST_T_DATE || t == PST_T_TIMESTAMP || t == PST_T_TIMESTAMP_NTZ;
    return time || (stamp && numeric(t)) ? arg->type
                                         : (pst_value_type){.type = PST_T_STRING};
}

static pst_rc bind_arg(binder *b, const pst_expr *e, size_t i, pst_code *code)
{
    pst_func_type want = code->func->args[i < 3 ? i : 2];
    if (want == PST_FUNC_PATTERN)
        return bind_pattern(b, e, e->args[i], code);
    pst_code *arg = NULL;
    pst_rc rc = bind(b, e->args[i], &arg);
    if (rc == PST_OK && want != PST_FUNC_COMMON)
        rc =
            convert(b, e->args[i]->pos, &arg,
                    want == PST_FUNC_MOMENT ? moment_type(code, e, arg)
                                            : (pst_value_type){.type = plain_type(want)});
    if (rc != PST_OK) {
        pst_code_free(arg);
        return rc;
    }
    code->args[code->n_args++] = arg;
    return PST_OK;
}

static pst_rc unknown_function(binder *b, const pst_expr *e)
{
    char list[400];
    const char *nearest = pst_func_nearest(e->text);
    if (nearest)
        return pst_lex_fail_at(b->err, e->pos, "unknown function %s; did you mean %s?",
                               e->text, nearest);
    pst_func_list(list, sizeof list);
    return pst_lex_fail_at(b->err, e->pos, "function %s is not supported; there are %s",
                           e->text, list);
}

static pst_rc bind_call(binder *b, const pst_expr *e, pst_code **out)
{
    const pst_func *func = pst_func_find(e->text);
    if (!func)
        return unknown_function(b, e);
    if (e->n_args < func->min || e->n_args > func->max)
        return pst_lex_fail_at(b->err, e->pos, "%s takes %zu to %zu arguments, not %zu",
                               e->text, func->min, func->max, e->n_args);
    pst_rc rc = new_code(b, CODE_CALL, e->n_args, out);
    if (rc != PST_OK)
        return rc;
    pst_code *code = *out;
    code->func = func;
    for (size_t i = 0; rc == PST_OK && i < e->n_args; i++)
        rc = bind_arg(b, e, i, code);
    rc = rc ? rc : bind_no_pattern(b, e, code);
    if (rc == PST_OK && func->result == PST_FUNC_COMMON)
        return bind_common(b, e, code);
    code->type.type = plain_type(func->result);
    return rc;
}

static pst_rc bind(binder *b, const pst_expr *e, pst_code **out)
{
    switch (e->kind) {
    case PST_X_PATH:
    case PST_X_INDEX:
    case PST_X_FIELD:
        return bind_column(b, e, out);
    case PST_X_LITERAL:
        return bind_literal(b, e, out);
    case PST_X_CAST:
        return bind_cast(b, e, out);
    case PST_X_CALL:
        return bind_call(b, e, out);
    default:
        return pst_lex_fail_at(b->err, e->pos, "* can't be an argument");
    }
}

pst_rc pst_code_new(pst_code **out, pst_plan *plan, const pst_expr *expr,
                    const pst_reader_conf *conf, pst_column *column, pst_err *err)
{
    binder b = {.plan = plan, .conf = conf, .err = err};
    pst_code *code = NULL;
    pst_rc rc = bind(&b, expr, &code);
    if (rc != PST_OK) {
        pst_code_free(code);
        return rc;
    }
    column->type = code->type.type;
    column->precision = code->type.precision;
    column->scale = code->type.scale;
    *out = code;
    return PST_OK;
}

/* ---- running ---- */

static pst_rc run_call(const pst_code *code, pst_context *ctx, const pst_cell *slots,
                       const pst_msg *msg, pst_cell *out)
{
    pst_cell args[PST_FUNC_ARGS_MAX];
    pst_type types[PST_FUNC_ARGS_MAX];
    bool null = false;
    for (size_t i = 0; i < code->n_args; i++) {
        pst_rc rc = pst_code_run(code->args[i], ctx, slots, msg, &args[i]);
        if (rc != PST_OK)
            return rc;
        types[i] = code->args[i]->type.type;
        null |= args[i].null;
    }
    out->null = true;
    if (null && !code->func->takes_null)
        return PST_OK;
    pst_func_call call = {ctx, args, types, code->n_args, code->pattern};
    return code->func->run(&call, out);
}

pst_rc pst_code_run(const pst_code *code, pst_context *ctx, const pst_cell *slots,
                    const pst_msg *msg, pst_cell *out)
{
    pst_cell inner;
    pst_rc rc;
    switch (code->kind) {
    case CODE_LITERAL:
        *out = code->literal;
        return PST_OK;
    case CODE_COLUMN:
        if (code->column.source == PST_FROM_SLOT) {
            *out = slots[code->column.slot];
            return PST_OK;
        }
        if (pst_headers_are(&code->column))
            return pst_headers_read(ctx, &code->column, msg, out);
        return pst_context_kafka(ctx, code->column.source, msg, out);
    case CODE_CAST:
        rc = pst_code_run(code->args[0], ctx, slots, msg, &inner);
        return rc ? rc : pst_cast(ctx, code->args[0]->type.type, code->type, &inner, out);
    default:
        return run_call(code, ctx, slots, msg, out);
    }
}

/*
 * select.c - see select.h.
 */
#include "record/select.h"

#include "base/mem.h"
#include "record/lex.h"

static void expr_free(pst_expr *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->n_names; i++)
        pst_free(e->names[i]);
    for (size_t i = 0; i < e->n_args; i++)
        expr_free(e->args[i]);
    pst_free(e->names);
    pst_free(e->args);
    pst_free(e->text);
    pst_dtype_done(&e->type);
    pst_free(e);
}

void pst_select_done(pst_select *select)
{
    for (size_t i = 0; i < select->n; i++) {
        expr_free(select->items[i].expr);
        pst_free(select->items[i].alias);
    }
    pst_free(select->items);
    *select = (pst_select){NULL, 0};
}

/* Grows an array of pointers by one, to powers of two. */
static bool grow(void **array, size_t n, size_t size)
{
    if (n & (n - 1))
        return true;
    void *bigger = pst_realloc(*array, n ? n * 2 : 1, size);
    if (!bigger)
        return false;
    *array = bigger;
    return true;
}

static pst_rc new_expr(pst_lex *lex, pst_expr_kind kind, pst_expr **out)
{
    pst_expr *e = pst_calloc(1, sizeof *e);
    if (!e)
        return pst_fail_nomem(lex->err, "the select list");
    e->kind = kind;
    e->pos = lex->pos;
    *out = e;
    return PST_OK;
}

static pst_rc add_name(pst_lex *lex, pst_expr *e)
{
    char seen[48];
    if (!pst_lex_is_name(lex))
        return pst_lex_fail(lex, "expected a name, found %s", pst_lex_seen(lex, seen));
    if (e->n_names >= PST_PATH_MAX)
        return pst_lex_fail(lex, "a path has more than %d steps", PST_PATH_MAX);
    if (!grow((void **)&e->names, e->n_names, sizeof *e->names))
        return pst_fail_nomem(lex->err, "the select list");
    char *name = pst_lex_take_name(lex);
    if (!name)
        return pst_fail_nomem(lex->err, "the select list");
    e->names[e->n_names++] = name;
    e->end = lex->at;
    pst_lex_next(lex);
    return PST_OK;
}

static pst_rc add_arg(pst_lex *lex, pst_expr *e, pst_expr *arg)
{
    if (!grow((void **)&e->args, e->n_args, sizeof *e->args)) {
        expr_free(arg);
        return pst_fail_nomem(lex->err, "the select list");
    }
    e->args[e->n_args++] = arg;
    return PST_OK;
}

static pst_rc expect(pst_lex *lex, char symbol, const char *where)
{
    char seen[48];
    if (lex->kind == PST_LEX_BAD)
        return lex->err->code;
    if (!pst_lex_is(lex, symbol))
        return pst_lex_fail(lex, "expected '%c' %s, found %s", symbol, where,
                            pst_lex_seen(lex, seen));
    pst_lex_next(lex);
    return PST_OK;
}

static pst_rc read_expr(pst_lex *lex, pst_expr **out, size_t depth);

/* a.b.c, a.*, *: at a name or a star */
static pst_rc read_path(pst_lex *lex, pst_expr **out)
{
    pst_rc rc = new_expr(lex, PST_X_PATH, out);
    while (rc == PST_OK) {
        if (pst_lex_is(lex, '*')) {
            (*out)->kind = PST_X_STAR;
            (*out)->end = lex->at;
            pst_lex_next(lex);
            return PST_OK;
        }
        rc = add_name(lex, *out);
        if (rc != PST_OK || !pst_lex_is(lex, '.'))
            return rc;
        pst_lex_next(lex);
    }
    return rc;
}

static pst_rc set_text(pst_lex *lex, pst_expr *e, const char *text, size_t n)
{
    e->text = pst_strndup(text, n);
    e->text_n = n;
    return e->text ? PST_OK : pst_fail_nomem(lex->err, "the select list");
}

/* 5, 5L, 1.5 (a DECIMAL as in Spark), 1.5F, 1.5D, 1e3 and 1.5e3 (DOUBLE) */
static pst_rc read_number(pst_lex *lex, pst_expr *e, bool negative)
{
    pst_sv raw = lex->raw;
    char suffix = raw.p[raw.n - 1];
    bool point = memchr(raw.p, '.', raw.n) != NULL;
    bool exponent = memchr(raw.p, 'e', raw.n) || memchr(raw.p, 'E', raw.n);
    bool letter = !(suffix >= '0' && suffix <= '9') && suffix != '.';
    if (letter)
        raw.n--;
    e->type.type = exponent ? PST_T_DOUBLE : point ? PST_T_DECIMAL : PST_T_INT;
    if (letter && (suffix == 'L' || suffix == 'l') && !point && !exponent)
        e->type.type = PST_T_LONG;
    else if (letter && (suffix == 'F' || suffix == 'f'))
        e->type.type = PST_T_FLOAT;
    else if (letter && (suffix == 'D' || suffix == 'd'))
        e->type.type = PST_T_DOUBLE;
    else if (letter)
        return pst_lex_fail(lex, "number '%.*s' has a suffix that is not supported",
                            PST_SV_FMT(lex->raw));
    int64_t value;
    pst_sv digits = raw;
    if (e->type.type == PST_T_INT && pst_sv_to_i64(digits, &value) && value > INT32_MAX)
        e->type.type = PST_T_LONG;
    if (e->type.type <= PST_T_LONG && !pst_sv_to_i64(digits, &value))
        return pst_lex_fail(lex, "'%.*s' is no number that fits 64 bits",
                            PST_SV_FMT(lex->raw));
    pst_rc rc = set_text(lex, e, raw.p, raw.n);
    if (rc == PST_OK && negative) {
        char *text = pst_asprintf("-%s", e->text);
        if (!text)
            return pst_fail_nomem(lex->err, "the select list");
        pst_free(e->text);
        e->text = text;
        e->text_n++;
    }
    e->end = lex->at;
    pst_lex_next(lex);
    return rc;
}

static pst_rc read_literal(pst_lex *lex, pst_expr **out)
{
    char seen[48];
    pst_rc rc = new_expr(lex, PST_X_LITERAL, out);
    if (rc != PST_OK)
        return rc;
    pst_expr *e = *out;
    bool negative = pst_lex_is(lex, '-');
    if (negative)
        pst_lex_next(lex);
    if (lex->kind == PST_LEX_NUMBER)
        return read_number(lex, e, negative);
    if (lex->kind != PST_LEX_STRING || negative)
        return pst_lex_fail(lex, "expected a column, a function or a literal, found %s",
                            pst_lex_seen(lex, seen));
    e->type.type = PST_T_STRING;
    while (rc == PST_OK && lex->kind == PST_LEX_STRING) { /* 'a' 'b' is one string */
        char *text = pst_realloc(e->text, e->text_n + lex->value_n + 1, 1);
        if (!text)
            return pst_fail_nomem(lex->err, "the select list");
        memcpy(text + e->text_n, lex->value, lex->value_n + 1);
        e->text = text;
        e->text_n += lex->value_n;
        e->end = lex->at;
        pst_lex_next(lex);
    }
    return rc;
}

static pst_rc read_word_literal(pst_lex *lex, pst_expr **out)
{
    pst_rc rc = new_expr(lex, PST_X_LITERAL, out);
    if (rc != PST_OK)
        return rc;
    bool null = pst_lex_is_word(lex, "NULL");
    (*out)->type.type = null ? PST_T_STRING : PST_T_BOOLEAN;
    if (!null)
        rc = set_text(lex, *out, pst_lex_is_word(lex, "TRUE") ? "true" : "false",
                      pst_lex_is_word(lex, "TRUE") ? 4 : 5);
    (*out)->end = lex->at;
    pst_lex_next(lex);
    return rc;
}

static pst_rc read_cast(pst_lex *lex, pst_expr **out, size_t depth)
{
    pst_expr *arg = NULL;
    char seen[48];
    pst_rc rc = new_expr(lex, PST_X_CAST, out);
    if (rc != PST_OK)
        return rc;
    pst_lex_next(lex);
    rc = expect(lex, '(', "after CAST");
    rc = rc ? rc : read_expr(lex, &arg, depth + 1);
    if (arg) {
        pst_rc added = add_arg(lex, *out, arg);
        rc = rc ? rc : added;
    }
    if (rc == PST_OK && !pst_lex_is_word(lex, "AS"))
        rc = pst_lex_fail(lex, "expected AS in CAST(… AS type), found %s",
                          pst_lex_seen(lex, seen));
    if (rc == PST_OK)
        pst_lex_next(lex);
    rc = rc ? rc : pst_dtype_read(lex, &(*out)->type, 0);
    (*out)->end = lex->at;
    return rc ? rc : expect(lex, ')', "at the end of CAST(…");
}

/* name is the function's, as a path of one step that is already read. */
static pst_rc read_call(pst_lex *lex, pst_expr *e, size_t depth)
{
    e->kind = PST_X_CALL;
    e->text = e->names[0];
    e->n_names = 0;
    for (char *c = e->text; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 32);
    pst_lex_next(lex);
    pst_rc rc = PST_OK;
    while (rc == PST_OK && !pst_lex_is(lex, ')')) {
        pst_expr *arg = NULL;
        rc = read_expr(lex, &arg, depth + 1);
        if (arg) {
            pst_rc added = add_arg(lex, e, arg);
            rc = rc ? rc : added;
        }
        if (rc == PST_OK && !pst_lex_is(lex, ')'))
            rc = expect(lex, ',', "between arguments");
    }
    e->end = lex->at;
    return rc ? rc : expect(lex, ')', "after the arguments");
}

/* Puts *out into a new expression as its first argument. */
static pst_rc wrap(pst_lex *lex, pst_expr_kind kind, pst_expr **out)
{
    pst_expr *whole = NULL, *base = *out;
    pst_rc rc = new_expr(lex, kind, &whole);
    if (rc != PST_OK)
        return rc;
    whole->pos = base->pos;
    *out = whole;
    return add_arg(lex, whole, base);
}

/* [index] and, behind one, .name */
static pst_rc read_indexes(pst_lex *lex, pst_expr **out, size_t depth)
{
    pst_rc rc = PST_OK;
    for (size_t steps = 0; rc == PST_OK; steps++) {
        bool index = pst_lex_is(lex, '['), field = steps && pst_lex_is(lex, '.');
        if (!index && !field)
            return PST_OK;
        if (steps >= PST_PATH_MAX)
            return pst_lex_fail(lex, "a path has more than %d steps", PST_PATH_MAX);
        rc = wrap(lex, index ? PST_X_INDEX : PST_X_FIELD, out);
        if (rc != PST_OK)
            return rc;
        pst_lex_next(lex);
        if (field) {
            rc = add_name(lex, *out);
            continue;
        }
        pst_expr *key = NULL;
        rc = read_expr(lex, &key, depth + 1);
        if (key) {
            pst_rc added = add_arg(lex, *out, key);
            rc = rc ? rc : added;
        }
        (*out)->end = lex->at;
        rc = rc ? rc : expect(lex, ']', "after the index");
    }
    return rc;
}

static bool is_literal_word(const pst_lex *lex)
{
    return pst_lex_is_word(lex, "NULL") || pst_lex_is_word(lex, "TRUE") ||
           pst_lex_is_word(lex, "FALSE");
}

/* CAST followed by a parenthesis; a column may be called cast. */
static bool is_cast(const pst_lex *lex)
{
    size_t at = lex->at;
    while (at < lex->n && lex->text[at] == ' ')
        at++;
    return pst_lex_is_word(lex, "CAST") && at < lex->n && lex->text[at] == '(';
}

static pst_rc read_primary(pst_lex *lex, pst_expr **out, size_t depth)
{
    if (pst_lex_is(lex, '(')) {
        pst_lex_next(lex);
        pst_rc rc = read_expr(lex, out, depth + 1);
        return rc ? rc : expect(lex, ')', "to close the parenthesis");
    }
    if (is_cast(lex))
        return read_cast(lex, out, depth);
    if (is_literal_word(lex))
        return read_word_literal(lex, out);
    if (!pst_lex_is_name(lex) && !pst_lex_is(lex, '*'))
        return read_literal(lex, out);
    pst_rc rc = read_path(lex, out);
    if (rc == PST_OK && pst_lex_is(lex, '(')) {
        if ((*out)->n_names != 1 || (*out)->kind != PST_X_PATH)
            return pst_lex_fail(lex, "a function's name has no '.'");
        rc = read_call(lex, *out, depth);
    }
    return rc;
}

/* a || b is concat(a, b). */
static pst_rc read_concat(pst_lex *lex, pst_expr **out, size_t depth)
{
    while (lex->kind == PST_LEX_SYMBOL && lex->raw.n == 2 && lex->raw.p[0] == '|') {
        pst_expr *call = NULL, *right = NULL;
        pst_rc rc = new_expr(lex, PST_X_CALL, &call);
        if (rc != PST_OK)
            return rc;
        call->pos = (*out)->pos;
        pst_expr *left = *out;
        *out = call;
        rc = add_arg(lex, call, left);
        rc = rc ? rc : set_text(lex, call, "CONCAT", 6);
        pst_lex_next(lex);
        rc = rc ? rc : read_primary(lex, &right, depth + 1);
        rc = rc ? rc : read_indexes(lex, &right, depth);
        if (right) {
            pst_rc added = add_arg(lex, call, right);
            rc = rc ? rc : added;
            call->end = lex->pos;
        }
        if (rc != PST_OK)
            return rc;
    }
    return PST_OK;
}

static pst_rc read_expr(pst_lex *lex, pst_expr **out, size_t depth)
{
    if (lex->kind == PST_LEX_BAD)
        return lex->err->code;
    if (depth > PST_EXPR_DEPTH_MAX)
        return pst_lex_fail(lex, "nested deeper than %d", PST_EXPR_DEPTH_MAX);
    pst_rc rc = read_primary(lex, out, depth);
    rc = rc ? rc : read_indexes(lex, out, depth);
    return rc ? rc : read_concat(lex, out, depth);
}

static pst_rc read_alias(pst_lex *lex, char **alias)
{
    char seen[48];
    bool as = pst_lex_is_word(lex, "AS");
    if (as)
        pst_lex_next(lex);
    if (lex->kind == PST_LEX_BAD)
        return lex->err->code;
    if (!pst_lex_is_name(lex)) {
        if (as)
            return pst_lex_fail(lex, "expected a name after AS, found %s",
                                pst_lex_seen(lex, seen));
        return PST_OK;
    }
    *alias = pst_lex_take_name(lex);
    if (!*alias)
        return pst_fail_nomem(lex->err, "the select list");
    pst_lex_next(lex);
    return PST_OK;
}

/* Says of SQL that is not known here what it is: an operator, or a keyword that was taken
   for an alias. */
static pst_rc fail_item(pst_lex *lex, const char *alias, size_t alias_pos)
{
    static const char *const words[] = {"AND",  "BETWEEN", "FROM",  "IN",   "IS",
                                        "LIKE", "NOT",     "OR",    "OVER", "RLIKE",
                                        "WHEN", "DIV",     "WHERE", NULL};
    static const char known[] = "the select list knows columns, literals, CAST, || and "
                                "functions";
    char seen[48];
    for (size_t i = 0; alias && words[i]; i++)
        if (pst_sv_eq_nocase(pst_sv_of(alias), pst_sv_of(words[i])))
            return pst_lex_fail_at(lex->err, alias_pos, "%s is not supported; %s",
                                   words[i], known);
    if (lex->kind == PST_LEX_SYMBOL && strchr("+-*/%=<>!&|^~:?", lex->raw.p[0]))
        return pst_lex_fail(lex, "operator %s is not supported; %s",
                            pst_lex_seen(lex, seen), known);
    return pst_lex_fail(lex, "expected ',' or the end, found %s",
                        pst_lex_seen(lex, seen));
}

static pst_rc read_item(pst_lex *lex, pst_select *select)
{
    if (select->n >= PST_SELECT_MAX)
        return pst_lex_fail(lex, "more than %d items", PST_SELECT_MAX);
    if (!grow((void **)&select->items, select->n, sizeof *select->items))
        return pst_fail_nomem(lex->err, "the select list");
    pst_select_item *item = &select->items[select->n++];
    *item = (pst_select_item){NULL, NULL};
    pst_rc rc = read_expr(lex, &item->expr, 0);
    size_t pos = lex->pos;
    if (rc == PST_OK && item->expr->kind != PST_X_STAR)
        rc = read_alias(lex, &item->alias);
    if (rc == PST_OK && lex->kind != PST_LEX_END && !pst_lex_is(lex, ','))
        rc = fail_item(lex, item->alias, pos);
    return rc;
}

pst_rc pst_select_parse(pst_select *out, const char *text, pst_err *err)
{
    pst_err local = PST_ERR_INIT;
    pst_select select = {NULL, 0};
    pst_lex lex;
    pst_lex_init(&lex, text, &local);
    pst_rc rc = lex.kind == PST_LEX_BAD ? local.code : PST_OK;
    if (rc == PST_OK && lex.kind == PST_LEX_END)
        rc = pst_lex_fail(&lex, "the select list is empty; * takes all columns");
    while (rc == PST_OK) {
        rc = read_item(&lex, &select);
        if (rc != PST_OK || lex.kind == PST_LEX_END)
            break;
        pst_lex_next(&lex);
    }
    pst_lex_done(&lex);
    if (rc != PST_OK) {
        pst_select_done(&select);
        return pst_fail(err, rc, "%s", local.text);
    }
    *out = select;
    return PST_OK;
}

/*
 * select.h - Spark's select list as a tree: paths, stars, literals, casts, functions.
 *
 * Parsing knows nothing of the schema; plan.c binds names and says what does not exist.
 */
#ifndef PST_RECORD_SELECT_H
#define PST_RECORD_SELECT_H

#include "record/schema.h"

typedef enum pst_expr_kind {
    PST_X_PATH,
    PST_X_STAR,
    PST_X_LITERAL,
    PST_X_CALL,
    PST_X_CAST,
    PST_X_INDEX, /* base[index] */
    PST_X_FIELD, /* base.name, where base is no path */
} pst_expr_kind;

typedef struct pst_expr pst_expr;
struct pst_expr {
    pst_expr_kind kind;
    size_t pos, end; /* in the text of the list */
    char **names;    /* PATH; STAR: what stands before the star; FIELD: one */
    size_t n_names;
    char *text; /* CALL: name in upper case; LITERAL: its text, NULL for NULL */
    size_t text_n;
    pst_expr **args; /* CALL; CAST and FIELD: one; INDEX: base and index */
    size_t n_args;
    pst_dtype
        type; /* CAST: target; LITERAL: BOOLEAN, INT, LONG, DOUBLE, DECIMAL, STRING */
};

typedef struct pst_select_item {
    pst_expr *expr;
    char *alias; /* NULL = none given */
} pst_select_item;

typedef struct pst_select {
    pst_select_item *items;
    size_t n;
} pst_select;

enum { PST_SELECT_MAX = 10000, PST_EXPR_DEPTH_MAX = 64, PST_PATH_MAX = 64 };

pst_rc pst_select_parse(pst_select *out, const char *text, pst_err *err) PST_MUST;
void pst_select_done(pst_select *select);

#endif

/*
 * func.h - functions of the select list. A function is a row of one table: its name, how
 * many arguments, what types it takes them as, what it gives, and the code.
 */
#ifndef PST_RECORD_FUNC_H
#define PST_RECORD_FUNC_H

#include "record/cast.h"

enum { PST_FUNC_ARGS_MAX = 100 };

/* MOMENT: dates, times and texts as they are; COMMON: the type that all arguments share.
 */
typedef enum pst_func_type {
    PST_FUNC_STRING,
    PST_FUNC_INT,
    PST_FUNC_LONG,
    PST_FUNC_DATE,
    PST_FUNC_TIMESTAMP,
    PST_FUNC_MOMENT,
    PST_FUNC_COMMON,
    PST_FUNC_PATTERN, /* a literal, compiled when the query is bound */
} pst_func_type;

typedef struct pst_func_call {
    pst_context *ctx;
    const pst_cell *args;
    const pst_type *types;
    size_t n;
    const pst_pattern *pattern;
} pst_func_call;

typedef struct pst_func {
    const char *name;
    size_t min, max;
    pst_func_type args[3]; /* the last one counts for all further arguments */
    pst_func_type result;
    pst_pattern_use use; /* of PATTERN */
    bool takes_null;     /* else: a null argument makes a null result */
    pst_rc (*run)(const pst_func_call *call, pst_cell *out);
} pst_func;

/* Any case; NULL = unknown. */
const pst_func *pst_func_find(const char *name);
/* The known name that is nearest to this one, or NULL. */
const char *pst_func_nearest(const char *name);
/* "CAST, COALESCE, …" */
void pst_func_list(char *out, size_t size);

#endif

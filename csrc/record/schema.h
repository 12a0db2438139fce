/*
 * schema.h - Spark DDL: `id BIGINT, name STRUCT<first: STRING, last: STRING> NOT NULL`.
 *
 * The parsed schema is a tree that its owner frees at once. NOT NULL and COMMENT are
 * accepted and have no effect, as in from_json, which makes every column nullable.
 */
#ifndef PST_RECORD_SCHEMA_H
#define PST_RECORD_SCHEMA_H

#include "record/record.h"

typedef struct pst_field pst_field;

typedef struct pst_dtype {
    pst_type type;
    int precision, scale; /* DECIMAL */
    pst_field *fields;    /* STRUCT */
    size_t n_fields;
    struct pst_dtype *key;  /* MAP */
    struct pst_dtype *item; /* ARRAY's element, MAP's value */
} pst_dtype;

struct pst_field {
    char *name;
    pst_dtype type;
    size_t pos; /* where its name stands in the DDL */
};

enum { PST_SCHEMA_FIELDS_MAX = 10000, PST_SCHEMA_DEPTH_MAX = 64 };

/* *out is a STRUCT; free with pst_dtype_free(). Also accepts one `STRUCT<…>`. */
pst_rc pst_schema_parse(pst_dtype **out, const char *ddl, pst_err *err) PST_MUST;
void pst_dtype_free(pst_dtype *type);
/* "DECIMAL(10,2)", "STRUCT<a: INT>"; cut when longer than the array. */
void pst_dtype_name(const pst_dtype *type, char *out, size_t size);
const char *pst_type_name(pst_type type);
/* The type at the lexer's position (for CAST); fields are the caller's to free. */
struct pst_lex;
pst_rc pst_dtype_read(struct pst_lex *lex, pst_dtype *out, size_t depth) PST_MUST;
void pst_dtype_done(pst_dtype *type);

#endif

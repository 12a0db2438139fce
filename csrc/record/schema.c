/*
 * schema.c - see schema.h. A recursive descent parser over record/lex.h with ceilings on
 * depth and number of fields. Unknown types name the nearest known one.
 */
#include "record/schema.h"

#include "base/mem.h"
#include "record/lex.h"

#include <stdio.h>

typedef struct type_name {
    const char *name;
    pst_type type;
} type_name;

static const type_name TYPES[] = {
    {"BOOLEAN", PST_T_BOOLEAN},
    {"TINYINT", PST_T_BYTE},
    {"BYTE", PST_T_BYTE},
    {"SMALLINT", PST_T_SHORT},
    {"SHORT", PST_T_SHORT},
    {"INT", PST_T_INT},
    {"INTEGER", PST_T_INT},
    {"BIGINT", PST_T_LONG},
    {"LONG", PST_T_LONG},
    {"FLOAT", PST_T_FLOAT},
    {"REAL", PST_T_FLOAT},
    {"DOUBLE", PST_T_DOUBLE},
    {"DECIMAL", PST_T_DECIMAL},
    {"DEC", PST_T_DECIMAL},
    {"NUMERIC", PST_T_DECIMAL},
    {"STRING", PST_T_STRING},
    {"BINARY", PST_T_BINARY},
    {"DATE", PST_T_DATE},
    {"TIMESTAMP", PST_T_TIMESTAMP},
    {"TIMESTAMP_LTZ", PST_T_TIMESTAMP},
    {"TIMESTAMP_NTZ", PST_T_TIMESTAMP_NTZ},
    {"STRUCT", PST_T_STRUCT},
    {"ARRAY", PST_T_ARRAY},
    {"MAP", PST_T_MAP},
};
enum { N_TYPES = sizeof TYPES / sizeof *TYPES };

const char *pst_type_name(pst_type type)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (TYPES[i].type == type)
            return TYPES[i].name;
    return "?";
}

void pst_dtype_done(pst_dtype *type)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        pst_free(type->fields[i].name);
        pst_dtype_done(&type->fields[i].type);
    }
    pst_free(type->fields);
    pst_dtype_free(type->key);
    pst_dtype_free(type->item);
    *type = (pst_dtype){0};
}

void pst_dtype_free(pst_dtype *type)
{
    if (!type)
        return;
    pst_dtype_done(type);
    pst_free(type);
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

static pst_rc unknown_type(pst_lex *lex)
{
    static const char *const strings[] = {"CHAR", "CHARACTER", "VARCHAR", "TEXT"};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        if (pst_lex_is_word(lex, strings[i]))
            return pst_lex_fail(lex, "from_json has no type %s; use STRING", strings[i]);
    const char *nearest = NULL;
    unsigned best = 3;
    char upper[32];
    size_t n = lex->raw.n < sizeof upper - 1 ? lex->raw.n : sizeof upper - 1;
    for (size_t i = 0; i < n; i++) {
        char c = lex->raw.p[i];
        upper[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    for (size_t i = 0; i < N_TYPES; i++) {
        unsigned d =
            pst_edit_distance((pst_sv){upper, n}, pst_sv_of(TYPES[i].name), best);
        if (d < best) {
            best = d;
            nearest = TYPES[i].name;
        }
    }
    char seen[48];
    if (nearest)
        return pst_lex_fail(lex, "unknown type %s; did you mean %s?",
                            pst_lex_seen(lex, seen), nearest);
    return pst_lex_fail(lex,
                        "expected a type such as STRING, BIGINT or STRUCT<…>, found %s",
                        pst_lex_seen(lex, seen));
}

static pst_rc read_int(pst_lex *lex, int64_t min, int64_t max, const char *what, int *out)
{
    int64_t value;
    char seen[48];
    if (lex->kind != PST_LEX_NUMBER || !pst_sv_to_i64(lex->raw, &value))
        return pst_lex_fail(lex, "expected a number for the %s, found %s", what,
                            pst_lex_seen(lex, seen));
    if (value < min || value > max)
        return pst_lex_fail(lex, "the %s must be from %lld to %lld", what, (long long)min,
                            (long long)max);
    *out = (int)value;
    pst_lex_next(lex);
    return PST_OK;
}

static pst_rc read_decimal(pst_lex *lex, pst_dtype *out)
{
    out->precision = 10;
    out->scale = 0;
    if (!pst_lex_is(lex, '('))
        return PST_OK;
    pst_lex_next(lex);
    pst_rc rc = read_int(lex, 1, 38, "precision of DECIMAL", &out->precision);
    if (rc == PST_OK && pst_lex_is(lex, ',')) {
        pst_lex_next(lex);
        rc = read_int(lex, 0, out->precision, "scale of DECIMAL", &out->scale);
    }
    return rc ? rc : expect(lex, ')', "after DECIMAL(…");
}

static pst_rc read_fields(pst_lex *lex, pst_dtype *out, char end, size_t depth,
                          size_t *count);

static pst_rc read_type(pst_lex *lex, pst_dtype *out, size_t depth, size_t *count);

static pst_rc read_boxed(pst_lex *lex, pst_dtype **out, size_t depth, size_t *count)
{
    *out = pst_calloc(1, sizeof **out);
    if (!*out)
        return pst_fail_nomem(lex->err, "the schema");
    return read_type(lex, *out, depth, count);
}

/* The closing '>' of nested types may come as one '>' each: the lexer never joins them.
 */
static pst_rc read_nested(pst_lex *lex, pst_dtype *out, size_t depth, size_t *count)
{
    const char *name = pst_type_name(out->type);
    char where[32], seen[48];
    snprintf(where, sizeof where, "after %s", name);
    if (out->type == PST_T_STRUCT && lex->raw.n == 2 && !memcmp(lex->raw.p, "<>", 2)) {
        pst_lex_next(lex);
        return PST_OK;
    }
    pst_rc rc = expect(lex, '<', where);
    if (rc == PST_OK && out->type == PST_T_STRUCT)
        rc = read_fields(lex, out, '>', depth + 1, count);
    if (rc == PST_OK && out->type == PST_T_MAP) {
        if (!pst_lex_is_word(lex, "STRING"))
            return pst_lex_fail(lex, "keys of a MAP in JSON are STRING, not %s",
                                pst_lex_seen(lex, seen));
        rc = read_boxed(lex, &out->key, depth + 1, count);
        rc = rc ? rc : expect(lex, ',', "between key and value of MAP");
    }
    if (rc == PST_OK && out->type != PST_T_STRUCT)
        rc = read_boxed(lex, &out->item, depth + 1, count);
    snprintf(where, sizeof where, "at the end of %s<…", name);
    return rc ? rc : expect(lex, '>', where);
}

static pst_rc read_type(pst_lex *lex, pst_dtype *out, size_t depth, size_t *count)
{
    if (lex->kind == PST_LEX_BAD)
        return lex->err->code;
    if (depth > PST_SCHEMA_DEPTH_MAX)
        return pst_lex_fail(lex, "types are nested deeper than %d", PST_SCHEMA_DEPTH_MAX);
    size_t i = 0;
    while (i < N_TYPES && !pst_lex_is_word(lex, TYPES[i].name))
        i++;
    if (i == N_TYPES)
        return unknown_type(lex);
    out->type = TYPES[i].type;
    pst_lex_next(lex);
    if (out->type == PST_T_DECIMAL)
        return read_decimal(lex, out);
    if (out->type >= PST_T_STRUCT)
        return read_nested(lex, out, depth, count);
    return PST_OK;
}

/* [NOT NULL] [COMMENT 'text'] */
static pst_rc read_attributes(pst_lex *lex)
{
    char seen[48];
    if (pst_lex_is_word(lex, "NOT")) {
        pst_lex_next(lex);
        if (!pst_lex_is_word(lex, "NULL"))
            return pst_lex_fail(lex, "expected NULL after NOT, found %s",
                                pst_lex_seen(lex, seen));
        pst_lex_next(lex);
    }
    if (pst_lex_is_word(lex, "COMMENT")) {
        pst_lex_next(lex);
        if (lex->kind != PST_LEX_STRING)
            return pst_lex_fail(lex, "expected a string after COMMENT, found %s",
                                pst_lex_seen(lex, seen));
        pst_lex_next(lex);
    }
    return lex->kind == PST_LEX_BAD ? lex->err->code : PST_OK;
}

static pst_rc add_field(pst_lex *lex, pst_dtype *out, pst_field **field)
{
    if ((out->n_fields & (out->n_fields - 1)) == 0) {
        size_t cap = out->n_fields ? out->n_fields * 2 : 1;
        pst_field *fields = pst_realloc(out->fields, cap, sizeof *fields);
        if (!fields)
            return pst_fail_nomem(lex->err, "the schema");
        out->fields = fields;
    }
    *field = &out->fields[out->n_fields++];
    **field = (pst_field){.pos = lex->pos, .name = pst_lex_take_name(lex)};
    if (!(*field)->name)
        return pst_fail_nomem(lex->err, "the schema");
    pst_lex_next(lex);
    return PST_OK;
}

static pst_rc check_duplicate(pst_lex *lex, const pst_dtype *out)
{
    const pst_field *last = &out->fields[out->n_fields - 1];
    for (size_t i = 0; i + 1 < out->n_fields && out->n_fields < 2000; i++)
        if (strcmp(out->fields[i].name, last->name) == 0)
            return pst_lex_fail_at(lex->err, last->pos, "column '%s' is there twice",
                                   last->name);
    return PST_OK;
}

static pst_rc read_field(pst_lex *lex, pst_dtype *out, size_t depth, size_t *count)
{
    char seen[48];
    if (lex->kind == PST_LEX_BAD)
        return lex->err->code;
    if (!pst_lex_is_name(lex))
        return pst_lex_fail(lex, "expected a column name, found %s",
                            pst_lex_seen(lex, seen));
    if (++*count > PST_SCHEMA_FIELDS_MAX)
        return pst_lex_fail(lex, "more than %d columns", PST_SCHEMA_FIELDS_MAX);
    pst_field *field = NULL;
    pst_rc rc = add_field(lex, out, &field);
    if (rc == PST_OK && pst_lex_is(lex, '-'))
        rc = pst_lex_fail(lex, "a name with '-' needs back-quotes: `%s-…`", field->name);
    if (rc == PST_OK && pst_lex_is(lex, ':'))
        pst_lex_next(lex);
    if (rc == PST_OK && lex->kind == PST_LEX_END)
        rc = pst_lex_fail(lex, "column '%s' has no type", field->name);
    rc = rc ? rc : read_type(lex, &field->type, depth, count);
    rc = rc ? rc : check_duplicate(lex, out);
    return rc ? rc : read_attributes(lex);
}

/* Fields up to `end` ('>' is left to the caller, '\0' is the end of the text). */
static pst_rc read_fields(pst_lex *lex, pst_dtype *out, char end, size_t depth,
                          size_t *count)
{
    if (end == '>' && pst_lex_is(lex, '>'))
        return PST_OK;
    for (;;) {
        pst_rc rc = read_field(lex, out, depth, count);
        if (rc != PST_OK)
            return rc;
        if (!pst_lex_is(lex, ','))
            return PST_OK;
        pst_lex_next(lex);
    }
}

pst_rc pst_dtype_read(struct pst_lex *lex, pst_dtype *out, size_t depth)
{
    size_t count = 0;
    return read_type(lex, out, depth, &count);
}

/* Does the text start with `STRUCT<`? */
static bool whole_struct(const char *ddl)
{
    pst_err ignored = PST_ERR_INIT;
    pst_lex lex;
    pst_lex_init(&lex, ddl, &ignored);
    bool yes = pst_lex_is_word(&lex, "STRUCT");
    pst_lex_next(&lex);
    yes = yes && lex.kind == PST_LEX_SYMBOL && lex.raw.p[0] == '<';
    pst_lex_done(&lex);
    return yes;
}

pst_rc pst_schema_parse(pst_dtype **out, const char *ddl, pst_err *err)
{
    pst_err local = PST_ERR_INIT;
    pst_lex lex;
    size_t count = 0;
    pst_dtype *root = pst_calloc(1, sizeof *root);
    if (!root)
        return pst_fail_nomem(err, "the schema");
    root->type = PST_T_STRUCT;
    pst_lex_init(&lex, ddl, &local);
    pst_rc rc = lex.kind == PST_LEX_BAD ? local.code : PST_OK;
    if (rc == PST_OK && lex.kind == PST_LEX_END)
        rc = pst_lex_fail(&lex, "the schema is empty; example: id BIGINT, name STRING");
    if (rc == PST_OK)
        rc = whole_struct(ddl) ? read_type(&lex, root, 0, &count)
                               : read_fields(&lex, root, '\0', 0, &count);
    char seen[48];
    if (rc == PST_OK && lex.kind != PST_LEX_END && lex.kind != PST_LEX_BAD)
        rc = pst_lex_fail(&lex, "expected ',' or the end, found %s",
                          pst_lex_seen(&lex, seen));
    if (rc == PST_OK && lex.kind == PST_LEX_BAD)
        rc = local.code;
    if (rc == PST_OK && root->n_fields == 0)
        rc = pst_fail(&local, PST_E_CONFIG, "the schema has no column");
    pst_lex_done(&lex);
    if (rc != PST_OK) {
        pst_dtype_free(root);
        return pst_fail(err, rc, "%s", local.text);
    }
    *out = root;
    return PST_OK;
}

pst_rc pst_schema_check(const char *ddl, pst_err *err)
{
    pst_dtype *root = NULL;
    pst_rc rc = pst_schema_parse(&root, ddl, err);
    pst_dtype_free(root);
    return rc;
}

void pst_dtype_name(const pst_dtype *type, char *out, size_t size)
{
    char inner[160] = "";
    switch (type->type) {
    case PST_T_DECIMAL:
        snprintf(out, size, "DECIMAL(%d,%d)", type->precision, type->scale);
        return;
    case PST_T_ARRAY:
        pst_dtype_name(type->item, inner, sizeof inner);
        snprintf(out, size, "ARRAY<%s>", inner);
        return;
    case PST_T_MAP:
        pst_dtype_name(type->item, inner, sizeof inner);
        snprintf(out, size, "MAP<%s, %s>", pst_type_name(type->key->type), inner);
        return;
    case PST_T_STRUCT:
        if (type->n_fields)
            pst_dtype_name(&type->fields[0].type, inner, sizeof inner);
        snprintf(out, size, "STRUCT<%s%s%s%s>",
                 type->n_fields ? type->fields[0].name : "", type->n_fields ? ": " : "",
                 inner, type->n_fields > 1 ? ", …" : "");
        return;
    default:
        snprintf(out, size, "%s", pst_type_name(type->type));
    }
}

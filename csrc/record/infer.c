/*
 * infer.c - see infer.h.
 *
 * A tree of kinds grows with each record; merging two kinds is merging a value into a
 * node. Jansson reads the records. It refuses whole numbers beyond 64 bits, so those are
 * overwritten by a number that marks them before it sees them.
 */
#include "record/infer.h"

#include "base/mem.h"

#include <jansson.h>
#include <string.h>

typedef enum kind {
    KIND_NULL,
    KIND_BOOLEAN,
    KIND_LONG,
    KIND_DECIMAL,
    KIND_DOUBLE,
    KIND_STRING,
    KIND_STRUCT,
    KIND_ARRAY,
} kind;

typedef struct field field;

typedef struct node {
    kind kind;
    field *first, *last; /* STRUCT */
    struct node *item;   /* ARRAY */
} node;

struct field {
    field *next;
    char *name;
    node type;
};

struct pst_infer {
    node root;
    size_t fields;
};

/* ---- the tree ---- */

static void node_done(node *n)
{
    while (n->first) {
        field *f = n->first;
        n->first = f->next;
        node_done(&f->type);
        pst_free(f->name);
        pst_free(f);
    }
    if (n->item)
        node_done(n->item);
    pst_free(n->item);
    *n = (node){.kind = KIND_NULL};
}

pst_infer *pst_infer_new(void)
{
    pst_infer *infer = pst_calloc(1, sizeof *infer);
    if (infer)
        infer->root.kind = KIND_STRUCT;
    return infer;
}

void pst_infer_free(pst_infer *infer)
{
    if (!infer)
        return;
    node_done(&infer->root);
    pst_free(infer);
}

static field *find_field(const node *n, const char *name)
{
    field *f = n->first;
    while (f && strcmp(f->name, name) != 0)
        f = f->next;
    return f;
}

static pst_rc add_field(pst_infer *infer, node *n, const char *name, field **out,
                        pst_err *err)
{
    if (infer->fields == PST_INFER_FIELDS_MAX)
        return pst_fail(err, PST_E_LIMIT, "more than %d fields", PST_INFER_FIELDS_MAX);
    field *f = pst_calloc(1, sizeof *f);
    char *copy = pst_strdup(name);
    if (!f || !copy) {
        pst_free(f);
        pst_free(copy);
        return pst_fail_nomem(err, "schema");
    }
    f->name = copy;
    if (n->last)
        n->last->next = f;
    else
        n->first = f;
    n->last = f;
    infer->fields++;
    *out = f;
    return PST_OK;
}

/* ---- merging ---- */

/* What holds both; scalars only, but for NULL. */
static kind wider(kind a, kind b)
{
    if (a == b || b == KIND_NULL)
        return a;
    if (a == KIND_NULL)
        return b;
    bool numbers =
        a >= KIND_LONG && a <= KIND_DOUBLE && b >= KIND_LONG && b <= KIND_DOUBLE;
    if (!numbers)
        return KIND_STRING;
    return a > b ? a : b;
}

static pst_rc merge(pst_infer *infer, node *n, const json_t *value, int depth,
                    pst_err *err);

static pst_rc merge_object(pst_infer *infer, node *n, const json_t *value, int depth,
                           pst_err *err)
{
    /* Jansson's iteration asks for a mutable object and does not change it. */
    json_t *object = (json_t *)(uintptr_t)value, *member;
    const char *name;
    json_object_foreach(object, name, member)
    {
        field *f = find_field(n, name);
        pst_rc rc = PST_OK;
        if (!*name)
            continue;
        if (!f)
            rc = add_field(infer, n, name, &f, err);
        if (rc == PST_OK)
            rc = merge(infer, &f->type, member, depth + 1, err);
        if (rc != PST_OK)
            return rc;
    }
    return PST_OK;
}

static pst_rc merge_array(pst_infer *infer, node *n, const json_t *value, int depth,
                          pst_err *err)
{
    if (!n->item)
        n->item = pst_calloc(1, sizeof *n->item);
    if (!n->item)
        return pst_fail_nomem(err, "schema");
    for (size_t i = 0; i < json_array_size(value); i++) {
        pst_rc rc = merge(infer, n->item, json_array_get(value, i), depth + 1, err);
        if (rc != PST_OK)
            return rc;
    }
    return PST_OK;
}

static kind kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return KIND_STRUCT;
    case JSON_ARRAY:
        return KIND_ARRAY;
    case JSON_STRING:
        return KIND_STRING;
    case JSON_INTEGER:
        return KIND_LONG;
    case JSON_REAL:
        return json_real_value(value) == 1e301 ? KIND_DECIMAL : KIND_DOUBLE;
    case JSON_TRUE:
    case JSON_FALSE:
        return KIND_BOOLEAN;
    default:
        return KIND_NULL;
    }
}

static pst_rc merge(pst_infer *infer, node *n, const json_t *value, int depth,
                    pst_err *err)
{
    kind seen = depth > PST_INFER_DEPTH_MAX && !json_is_null(value) ? KIND_STRING
                                                                    : kind_of(value);
    kind both = wider(n->kind, seen);
    if (both == KIND_STRING && n->kind != KIND_STRING)
        node_done(n);
    n->kind = both;
    if (both == KIND_STRUCT && seen == KIND_STRUCT)
        return merge_object(infer, n, value, depth, err);
    if (both == KIND_ARRAY && seen == KIND_ARRAY)
        return merge_array(infer, n, value, depth, err);
    return PST_OK;
}

/* ---- whole numbers beyond 64 bits ---- */

enum { SAFE_DIGITS = 18 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Past the string that begins at i. */
static size_t skip_string(const char *text, size_t n, size_t i)
{
    for (i++; i < n && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i + 1;
}

static bool fits_64_bits(const char *digits, size_t n, bool minus)
{
    char number[24];
    int64_t ignored;
    if (n + minus >= sizeof number)
        return false;
    number[0] = '-';
    memcpy(number + minus, digits, n);
    return pst_sv_to_i64((pst_sv){number, n + minus}, &ignored);
}

/* Overwrites a whole number that is too large: up to 38 digits by the mark, more by a
   plain fraction; blanks fill the rest. */
static void mark_number(char *digits, size_t n)
{
    const char *mark = n <= 38 ? "1e301" : "1.5";
    memset(digits, ' ', n);
    memcpy(digits, mark, strlen(mark));
}

static void mark_large_numbers(char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (text[i] == '"') {
            i = skip_string(text, n, i);
            continue;
        }
        size_t begin = i;
        while (i < n && is_digit(text[i]))
            i++;
        size_t digits = i - begin;
        bool fraction = i < n && (text[i] == '.' || text[i] == 'e' || text[i] == 'E');
        bool after = begin && strchr(".+eE", text[begin - 1]);
        bool minus = begin && text[begin - 1] == '-';
        if (digits > SAFE_DIGITS && !fraction && !after &&
            !fits_64_bits(text + begin, digits, minus)) {
            if (minus) /* "-1e301" is not the mark */
                text[begin - 1] = ' ';
            mark_number(text + begin, digits);
        }
        if (digits == 0)
            i++;
    }
}

/* ---- records ---- */

static bool has_long_number(pst_sv value)
{
    size_t run = 0;
    for (size_t i = 0; i < value.n; i++) {
        run = is_digit(value.p[i]) ? run + 1 : 0;
        if (run > SAFE_DIGITS)
            return true;
    }
    return false;
}

static pst_rc parse(pst_sv value, json_t **out, pst_err *err)
{
    json_error_t why;
    char *copy = NULL;
    if (has_long_number(value)) {
        copy = pst_strndup(value.p, value.n);
        if (!copy)
            return pst_fail_nomem(err, "record");
        mark_large_numbers(copy, value.n);
        value.p = copy;
    }
    *out = json_loadb(value.p ? value.p : "", value.n, JSON_ALLOW_NUL, &why);
    pst_free(copy);
    if (!*out)
        return pst_fail(err, PST_E_INVALID, "not JSON: %s at byte %d", why.text,
                        why.position);
    if (json_is_object(*out))
        return PST_OK;
    json_decref(*out);
    *out = NULL;
    return pst_fail(err, PST_E_INVALID, "JSON, but no object");
}

pst_rc pst_infer_add(pst_infer *infer, pst_sv value, pst_err *err)
{
    json_t *json = NULL;
    pst_rc rc = parse(value, &json, err);
    if (rc == PST_OK)
        rc = merge_object(infer, &infer->root, json, 0, err);
    json_decref(json);
    return rc;
}

/* ---- the DDL ---- */

static bool is_plain(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && *c != '_' &&
            !(is_digit(*c) && c != name))
            return false;
    return true;
}

static pst_rc put_name(pst_buf *out, const char *name)
{
    if (is_plain(name))
        return pst_buf_adds(out, name);
    pst_rc rc = pst_buf_addc(out, '`');
    for (const char *c = name; *c && rc == PST_OK; c++)
        rc = *c == '`' ? pst_buf_adds(out, "``") : pst_buf_addc(out, *c);
    return rc == PST_OK ? pst_buf_addc(out, '`') : rc;
}

/* An object without fields says nothing that a column could hold. */
static bool is_empty(const node *n)
{
    if (n->kind == KIND_ARRAY)
        return n->item && is_empty(n->item);
    if (n->kind != KIND_STRUCT)
        return false;
    for (const field *f = n->first; f; f = f->next)
        if (!is_empty(&f->type))
            return false;
    return true;
}

static pst_rc put_type(pst_buf *out, const node *n);

static pst_rc put_fields(pst_buf *out, const node *n, const char *between)
{
    const char *comma = "";
    pst_rc rc = PST_OK;
    for (const field *f = n->first; f && rc == PST_OK; f = f->next) {
        if (is_empty(&f->type))
            continue;
        rc = pst_buf_adds(out, comma);
        if (rc == PST_OK)
            rc = put_name(out, f->name);
        if (rc == PST_OK)
            rc = pst_buf_adds(out, between);
        if (rc == PST_OK)
            rc = put_type(out, &f->type);
        comma = ", ";
    }
    return rc;
}

static pst_rc put_array(pst_buf *out, const node *n)
{
    static const node nothing = {.kind = KIND_NULL};
    pst_rc rc = pst_buf_adds(out, "ARRAY<");
    if (rc == PST_OK)
        rc = put_type(out, n->item ? n->item : &nothing);
    return rc == PST_OK ? pst_buf_addc(out, '>') : rc;
}

static pst_rc put_type(pst_buf *out, const node *n)
{
    static const char *const names[] = {
        [KIND_NULL] = "STRING",    [KIND_BOOLEAN] = "BOOLEAN",
        [KIND_LONG] = "BIGINT",    [KIND_DECIMAL] = "DECIMAL(38,0)",
        [KIND_DOUBLE] = "DOUBLE",  [KIND_STRING] = "STRING",
        [KIND_STRUCT] = "STRUCT<", [KIND_ARRAY] = "ARRAY<",
    };
    if (n->kind == KIND_ARRAY)
        return put_array(out, n);
    pst_rc rc = pst_buf_adds(out, names[n->kind]);
    if (n->kind != KIND_STRUCT || rc != PST_OK)
        return rc;
    rc = put_fields(out, n, ": ");
    return rc == PST_OK ? pst_buf_addc(out, '>') : rc;
}

pst_rc pst_infer_ddl(const pst_infer *infer, pst_buf *out, pst_err *err)
{
    if (is_empty(&infer->root))
        return pst_fail(err, PST_E_INVALID, "no record had a field to infer from");
    pst_rc rc = put_fields(out, &infer->root, " ");
    return rc == PST_OK ? PST_OK : pst_fail(err, rc, "the schema is too long");
}

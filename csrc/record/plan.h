/*
 * plan.h - schema and select list bound together: which fields of the JSON are wanted,
 * and in which slot (cell) each one lands.
 *
 * The tree mirrors the schema; a leaf that nobody selects has slot -1. Slots are numbered
 * in the order of selection, so each struct keeps the list of those beneath it.
 */
#ifndef PST_RECORD_PLAN_H
#define PST_RECORD_PLAN_H

#include "record/schema.h"
#include "record/select.h"

typedef struct pst_node pst_node;
/* One element of an array, or one key's value of a map, that is wanted. */
typedef struct pst_pick {
    int64_t index;
    char *key;
    pst_node *node;
} pst_pick;

struct pst_node {
    pst_sv name;
    const pst_dtype *dtype;
    pst_type type;
    int precision, scale;
    int slot;            /* where a leaf's value goes; -1 = nowhere */
    bool wanted;         /* itself or something beneath it has a slot */
    bool corrupt_record; /* the column for bad records: not read from the JSON */
    bool pruned;         /* Spark's optimizer leaves it out of the schema */
    pst_node *children;  /* STRUCT's fields; ARRAY's and MAP's one item */
    size_t n_children;
    uint16_t *table; /* hash of names to index + 1 */
    size_t mask;
    pst_pick *picks; /* ARRAY, MAP */
    size_t n_picks;
    int *slots; /* STRUCT, ARRAY, MAP: all slots beneath */
    size_t n_slots;
    size_t depth;
};

typedef enum pst_source {
    PST_FROM_SLOT,
    PST_FROM_KEY,
    PST_FROM_TOPIC,
    PST_FROM_PARTITION,
    PST_FROM_OFFSET,
    PST_FROM_TIMESTAMP,
    PST_FROM_TIMESTAMP_TYPE,
    PST_FROM_HEADERS, /* headers, and what its parts are: headers.h */
    PST_FROM_HEADER,
    PST_FROM_HEADER_KEYS,
    PST_FROM_HEADER_VALUES,
    PST_FROM_HEADER_KEY,
    PST_FROM_HEADER_VALUE,
    PST_FROM_EXPR,
} pst_source;

struct pst_code; /* a bound expression: expr.h */

typedef struct pst_output {
    pst_source source;
    int slot;
    struct pst_code *code;
} pst_output;

typedef struct pst_plan {
    pst_dtype *schema;
    pst_node root;
    pst_output *outputs;
    pst_column *columns;
    size_t n_outputs, n_extra; /* the extra ones are the last */
    size_t n_slots;
    int corrupt_slot; /* -1 = not selected */
    bool has_corrupt; /* the schema has the column */
    bool has_headers; /* a header is selected */
    size_t depth;     /* of the deepest struct */
    bool case_sensitive;
} pst_plan;

pst_rc pst_plan_new(pst_plan **out, const pst_reader_conf *conf, pst_err *err) PST_MUST;
void pst_plan_free(pst_plan *plan);
/* Whether value.schema has the field of this path, and what it is; the name is not set.
 */
pst_rc pst_plan_field(const pst_reader_conf *conf, const char *path, pst_column *out,
                      pst_err *err) PST_MUST;
/* The child with this name; `guess` (an index) is tried first. NULL if there is none. */
pst_node *pst_node_find(const pst_node *node, pst_sv name, size_t guess);

/* For expr.c: binds a path (PATH, INDEX, FIELD), gives its type and slot. */
typedef struct pst_binding {
    pst_source source;
    int slot; /* of a header: its index, -1 = there is none */
    pst_type type;
    int precision, scale;
} pst_binding;
pst_rc pst_plan_bind(pst_plan *plan, const pst_expr *path, pst_binding *out,
                     pst_err *err) PST_MUST;

#endif

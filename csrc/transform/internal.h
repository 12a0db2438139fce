/*
 * internal.h - shared by the files of csrc/transform: what a type of transform is, the
 * columns while the chain is compiled, a record while it runs.
 */
#ifndef PST_TRANSFORM_INTERNAL_H
#define PST_TRANSFORM_INTERNAL_H

#include "base/mem.h"
#include "record/arena.h"
#include "transform/transform.h"

/* The settings that every transform has; first member of each type's struct. */
typedef struct pst_step_conf {
    char *type;
    char *predicate;
    bool negate;
} pst_step_conf;

/* ---- compiling ---- */

typedef struct pst_live {
    pst_column column;
    size_t slot;
} pst_live;

/* The row's columns at one place of the chain. */
typedef struct pst_shape {
    pst_live *at;
    size_t n, cap;
    size_t n_slots;
    bool single; /* ExtractField took one field: there is no struct any more */
} pst_shape;

pst_live *pst_shape_find(const pst_shape *shape, const char *name);
/* PST_E_CONFIG if the name is taken. Its slot is a new one. */
pst_rc pst_shape_add(pst_shape *shape, const char *name, pst_type type, size_t *slot,
                     pst_err *err) PST_MUST;
/* The column of this name; PST_E_CONFIG names the nearest. */
pst_rc pst_shape_need(const pst_shape *shape, const char *name, pst_live **out,
                      pst_err *err) PST_MUST;

/* ---- running ---- */

typedef struct pst_run {
    const pst_msg *msg;
    pst_cell *slots;
    pst_arena *arena;
    pst_header_at header_at;
    bool dropped;
} pst_run;

/* Copies bytes to the arena. */
pst_rc pst_run_keep(pst_run *run, pst_sv bytes, pst_cell *out, pst_err *err) PST_MUST;

/* ---- types of transforms ---- */

typedef struct pst_step pst_step;

typedef struct pst_kind {
    const char *name; /* without its package and $Value */
    bool sided;       /* $Key and $Value; else it is of the whole record */
    bool columns;     /* it changes which columns there are: the same for all records */
    const pst_conf_section *section;
    size_t conf_size;
    /* Compiles it: the shape becomes what comes after it. *setting: the one that the
       error is about. */
    pst_rc (*bind)(pst_step *step, pst_shape *shape, const char **setting, pst_err *err);
    /* NULL: compiling was all. */
    pst_rc (*apply)(const pst_step *step, pst_run *run, pst_err *err);
    bool (*touches)(const pst_step *step, const char *field); /* NULL = none */
    void (*done)(pst_step *step); /* frees state; may be NULL */
} pst_kind;

/* The settings of one alias: a table made for it, with full names. */
typedef struct pst_group {
    const char *alias; /* the list's */
    pst_setting *rows;
    pst_conf_section section;
    pst_conf_part part;
    pst_conf_spec spec;
    void *conf;
    bool good; /* its settings are right */
} pst_group;

typedef struct pst_predicate {
    const struct pst_predicate_kind *kind;
    pst_group group;
    void *state;
    bool used;
} pst_predicate;

struct pst_step {
    const pst_kind *kind;
    pst_group group;
    pst_predicate *predicate; /* NULL = always */
    bool negate;
    void *state; /* of the kind */
};

extern const pst_kind pst_kind_filter, pst_kind_insert, pst_kind_replace, pst_kind_mask,
    pst_kind_cast, pst_kind_timestamp, pst_kind_extract, pst_kind_flatten,
    pst_kind_to_key;
extern const pst_kind *const pst_kinds[]; /* NULL at the end */

typedef struct pst_predicate_kind {
    const char *name;
    const pst_conf_section *section;
    size_t conf_size;
    bool headers;
    pst_rc (*bind)(pst_predicate *predicate, const char **setting, pst_err *err);
    pst_rc (*test)(pst_predicate *predicate, const pst_run *run, bool *out, pst_err *err);
    void (*done)(pst_predicate *predicate);
} pst_predicate_kind;

extern const pst_predicate_kind *const pst_predicate_kinds[];

/* ---- settings.c ---- */

/* Fills group->conf from the props below "<kind>.<alias>."; what is wrong goes to the
   report, and group->good is false then. */
pst_rc pst_group_open(pst_group *group, const char *list, const char *alias,
                      const pst_conf_section *section, size_t conf_size,
                      const pst_props *props, pst_conf_report *report) PST_MUST;
void pst_group_done(pst_group *group);
/* Where the setting of this short name stands; `key` gets its full name. */
pst_prop pst_group_where(const char *list, const char *alias, const char *name,
                         const pst_props *props, char *key, size_t size);
/* Errors for settings of aliases that no list names, and for aliases named twice. */
void pst_groups_check_names(const pst_transforms_conf *conf, const pst_props *props,
                            pst_conf_report *report);

struct pst_transforms {
    pst_step *steps;
    size_t n_steps;
    pst_predicate *predicates;
    size_t n_predicates;
    pst_column *columns; /* what comes out */
    size_t *from;        /* their slots */
    size_t n_columns, n_in, n_slots;
    pst_cell *slots, *cells;
    pst_arena arena;
    pst_header_at header_at;
};

#endif

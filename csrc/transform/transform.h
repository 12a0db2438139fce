/*
 * transform.h - Kafka Connect's single message transforms (SMTs), by its names and
 * settings, on rows of typed columns.
 *
 * The chain is compiled once from the settings and the columns that the select list
 * gives: which column lies where is decided then, so that dropping and renaming cost
 * nothing and a record allocates nothing but the text that it makes. One chain belongs to
 * one thread. docs/transforms.md says what each transform means for a row, and where we
 * are stricter than Connect.
 */
#ifndef PST_TRANSFORM_TRANSFORM_H
#define PST_TRANSFORM_TRANSFORM_H

#include "conf/conf.h"
#include "record/record.h"

/* Rows in transform/settings.c; transforms.<alias>.* and predicates.<alias>.* have tables
   of their own, one a type. */
typedef struct pst_transforms_conf {
    pst_conf_list transforms, predicates;
} pst_transforms_conf;

extern const pst_conf_section pst_transforms_section;

enum { PST_TRANSFORMS_MAX = 50, PST_TRANSFORMS_COLUMNS_MAX = 10000 };

/* Is it transforms.… or predicates.…? */
bool pst_transforms_owns(const char *key);

typedef struct pst_transforms pst_transforms;

/* Everything that is wrong goes to the report, at the setting it is about. *out is NULL
   if there are no transforms. columns NULL: only the settings are checked, and *out stays
   NULL. The columns' names are borrowed for the chain's life. */
pst_rc pst_transforms_new(pst_transforms **out, const pst_transforms_conf *conf,
                          const pst_props *props, const pst_column *columns, size_t n,
                          pst_conf_report *report) PST_MUST;
/* The same; err gets the first of what is wrong. */
pst_rc pst_transforms_open(pst_transforms **out, const pst_transforms_conf *conf,
                           const pst_props *props, const pst_column *columns, size_t n,
                           pst_err *err) PST_MUST;
void pst_transforms_free(pst_transforms *transforms);

/* What the chain makes of the columns. */
const pst_column *pst_transforms_columns(const pst_transforms *transforms, size_t *n);
/* Does a predicate look at headers? */
bool pst_transforms_set_headers(pst_transforms *transforms, pst_header_at at);
/* A CRC-32C over all that the chain does. */
uint32_t pst_transforms_sum(const pst_transforms *transforms, uint32_t crc);
/* The alias of the first transform that changes this field, or NULL. */
const char *pst_transforms_touches(const pst_transforms *transforms, const char *field);

/* *row, of the columns that the chain was made for, becomes one of
   pst_transforms_columns(), valid until the next call; *keep: false = a Filter drops the
   record. PST_E_INVALID: a transform can't take this record. */
pst_rc pst_transforms_apply(pst_transforms *transforms, const pst_msg *msg, pst_row *row,
                            bool *keep, pst_err *err) PST_MUST;

#endif

/*
 * conf_in.h - what the files of conf/ share and nobody else includes.
 *
 * The parts of the engine, each in a file of its own:
 *   propfile.c  the .properties format: text to key/value pairs
 *   props.c     the set of pairs: add, find, load
 *   resolve.c   ${env:NAME} and ${file:path:key}
 *   report.c    the list of everything that was wrong
 *   secret.c    what must not be shown, and how a value is shown in a message
 *   value.c     one value by its type: parse, range, choices
 *   table.c     a whole struct by its table; unknown keys and their nearest name
 *   text.c      --help, Markdown, --print-config
 *   json.c      Kafka Connect's answer to .../config/validate
 */
#ifndef PST_CONF_CONF_IN_H
#define PST_CONF_CONF_IN_H

#include "base/mem.h"
#include "conf/conf.h"

/* ---- out.c: appending text with one check at the end ---- */

typedef struct pst_conf_out {
    pst_buf *buf;
    size_t start; /* length at the beginning: a failure cuts back to it */
    pst_rc rc;    /* the first failure; later calls do nothing */
} pst_conf_out;

pst_conf_out pst_conf_out_begin(pst_buf *buf);
void pst_conf_put(pst_conf_out *out, const char *s);
void pst_conf_putn(pst_conf_out *out, pst_sv s);
void pst_conf_putf(pst_conf_out *out, const char *fmt, ...) PST_PRINTF(2, 3);
pst_rc pst_conf_out_end(pst_conf_out *out) PST_MUST;

/* ---- propfile.c ---- */

/* One pair, or what is wrong with a line (why != NULL; key may be there, value not). */
typedef struct pst_propfile_pair {
    pst_sv key, value; /* valid during the call */
    int line;
    const char *why;
} pst_propfile_pair;

/* Anything but PST_OK ends the reading and is what pst_propfile_read() returns. */
typedef pst_rc (*pst_propfile_cb)(void *opaque, const pst_propfile_pair *pair);
pst_rc pst_propfile_read(pst_sv text, pst_propfile_cb cb, void *opaque) PST_MUST;
/* Appends s so that a .properties reader gives it back. */
void pst_propfile_put(pst_conf_out *out, const char *s, bool is_key);

/* ---- props.c ---- */

/* The whole file into buf (its max is the ceiling); the text of err has no path in it. */
pst_rc pst_props_slurp(pst_buf *buf, const char *path, pst_err *err) PST_MUST;
void pst_props_wipe_buf(pst_buf *buf); /* wipes and frees */
pst_rc pst_props_nomem(pst_conf_report *report);

/* ---- resolve.c ---- */

/* Replaces the references in prop->value. Each one that fails is an error in the report
   and makes the prop broken; PST_E_CONFIG then. */
pst_rc pst_props_resolve(pst_prop *prop, pst_conf_report *report) PST_MUST;

/* ---- secret.c ---- */

enum { PST_CONF_SHOWN = 128 };
/* The value in quotes, on one line, cut if long; **** if it is secret. Returns buf. */
const char *pst_conf_shown(char buf[PST_CONF_SHOWN], const char *value, bool secret);
/* Does the text tell a part of this secret? */
bool pst_conf_leaks(const char *text, const char *secret);
bool pst_conf_secret_name(const char *name);
/* A copy to show: **** if it is secret, the password in a URL masked; NULL: no memory. */
char *pst_conf_masked(const char *value, bool secret) PST_MUST;

/* ---- value.c ---- */

typedef struct pst_conf_value {
    char *s;   /* STRING, REGEX; owned */
    int64_t n; /* BOOL, INT, LONG, ENUM, SIZE, MS */
    double d;  /* DOUBLE */
    pst_conf_list list;
} pst_conf_value;

enum { PST_CONF_LIST_MAX = 1000, PST_CONF_REGEX_MAX = 1000 };

/* `text` is trimmed already. On failure *out is untouched and err says what to set. */
pst_rc pst_conf_value_parse(const pst_setting *row, const char *text, bool secret,
                            pst_conf_value *out, pst_err *err) PST_MUST;
void pst_conf_value_done(pst_conf_value *value);
/* Moves the value into the field of row's type. */
void pst_conf_value_store(const pst_setting *row, pst_conf_value *value, void *field);
/* The field's value freed, and wiped if secret. */
void pst_conf_field_done(const pst_setting *row, void *field);
/* A copy without blanks on both ends, unless the row takes it as it is; NULL: no memory.
 */
char *pst_conf_value_trimmed(const pst_setting *row, const char *text) PST_MUST;
enum { PST_CONF_RANGE = 80 };
/* "1 to 5000", "0 or more"; empty without a range. Returns buf. */
const char *pst_conf_range(char buf[PST_CONF_RANGE], const pst_setting *row);

/* ---- table.c ---- */

/* The i-th row over all parts of the spec, or NULL; *part is where it comes from. */
const pst_setting *pst_conf_row(const pst_conf_spec *spec, size_t i,
                                const pst_conf_part **part);
/* The known name that the user may have meant, or NULL. */
const char *pst_conf_nearest(const pst_conf_spec *spec, const char *key);

#endif

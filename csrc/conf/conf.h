/*
 * conf.h - settings: one table gives parsing, validation, --help, docs and REST answers.
 *
 * A component describes its settings as rows (pst_setting) that fill fields of its own
 * struct by offset. Rows of several components are put together as sections of one spec:
 * the sink is "connector + sink runtime + JSON + CSV + store". A setting exists only as a
 * row: no second default in code, no strcmp on names. Nothing stops at the first error:
 * all go into a pst_conf_report with file and line, and an unknown key names its nearest
 * known.
 *
 * Properties are Java's .properties format: comments (# and !), `\` continuation, escapes
 * (\t \n \r \f \\ \: \= \uXXXX), key/value separated by = : or blanks. ${env:NAME} and
 * ${file:/path:key} are resolved after parsing, in values only.
 */
#ifndef PST_CONF_CONF_H
#define PST_CONF_CONF_H

#include "base/buf.h"
#include "base/str.h"

#include <stdint.h>

/* ---- properties ---- */

typedef struct pst_prop {
    char *key, *value;
    char *file;         /* as the user named it; "(command line)", "(python)" … */
    int line;           /* 1-based; 0 = not from a file */
    bool secret_source; /* the value came through ${…}: never shown */
    char *raw;          /* then: as it was written, ${…} and all; else NULL */
    bool broken;        /* given, but its value is wrong; the report has told why */
} pst_prop;

typedef struct pst_props {
    pst_prop *items;
    size_t n, cap;
} pst_props;

enum { PST_PROPS_MAX = 2000, PST_PROPS_FILE_MAX = 1024 * 1024 };

typedef struct pst_conf_report pst_conf_report;

void pst_props_init(pst_props *props);
void pst_props_done(pst_props *props);
/* Parses text (need not be NUL-terminated). Syntax errors go to the report, all of them;
   a key given twice is a warning, the last one counts (as in Java). Resolves ${…}. */
pst_rc pst_props_parse(pst_props *props, pst_sv text, const char *file,
                       pst_conf_report *report) PST_MUST;
pst_rc pst_props_load(pst_props *props, const char *path,
                      pst_conf_report *report) PST_MUST;
/* Adds or replaces one; resolves ${…} too. */
pst_rc pst_props_set(pst_props *props, const char *key, const char *value,
                     const char *source, pst_conf_report *report) PST_MUST;
const pst_prop *pst_props_find(const pst_props *props, const char *key); /* or NULL */
const char *pst_props_get(const pst_props *props, const char *key);      /* or NULL */
bool pst_props_has(const pst_props *props, const pst_prop *prop); /* with its value */
/* A copy, values as they are in force; `out` is initialised here. */
pst_rc pst_props_copy(pst_props *out, const pst_props *from) PST_MUST;
/* As it was written, references unresolved. */
static inline const char *pst_prop_raw(const pst_prop *prop)
{
    return prop->raw ? prop->raw : prop->value;
}

/* ---- what was wrong ---- */

typedef struct pst_conf_message {
    char *key;  /* may be NULL */
    char *file; /* may be NULL */
    int line;
    bool warning;
    char *text; /* what is wrong, the value (secrets masked), what to set */
} pst_conf_message;

struct pst_conf_report {
    pst_conf_message *items;
    size_t n, cap;
    size_t errors; /* messages that are not warnings */
    bool nomem;
};

enum { PST_CONF_REPORT_MAX = 200 };

void pst_conf_report_init(pst_conf_report *report);
void pst_conf_report_done(pst_conf_report *report);
void pst_conf_error(pst_conf_report *report, const pst_prop *where, const char *key,
                    const char *fmt, ...) PST_PRINTF(4, 5);
void pst_conf_warning(pst_conf_report *report, const pst_prop *where, const char *key,
                      const char *fmt, ...) PST_PRINTF(4, 5);
/* "file:line: key: text", one line each, sorted by file and line; warnings say so. The
   key is left out where the text names it. */
pst_rc pst_conf_report_print(const pst_conf_report *report, pst_buf *out) PST_MUST;

/* ---- tables ---- */

typedef enum pst_conf_type {
    PST_CONF_STRING, /* char *, owned; NULL when unset and no default */
    PST_CONF_BOOL,   /* bool: true | false */
    PST_CONF_INT,    /* int */
    PST_CONF_LONG,   /* int64_t */
    PST_CONF_DOUBLE, /* double */
    PST_CONF_ENUM,   /* int: index into choices (any case accepted) */
    PST_CONF_LIST,   /* pst_conf_list: comma-separated, blanks trimmed, empty ones dropped
                      */
    PST_CONF_SIZE,   /* int64_t bytes: 67108864, 64m, 64MiB, 1g, 512k */
    PST_CONF_MS,     /* int64_t ms: plain number, or 10s, 5m, 250ms, 1h */
    PST_CONF_REGEX, /* char *: a POSIX extended regular expression, compiled as a check */
} pst_conf_type;

typedef struct pst_conf_list {
    char **items;
    size_t n;
} pst_conf_list;

enum {
    PST_CONF_REQUIRED = 1,
    PST_CONF_SECRET = 2, /* masked everywhere */
    PST_CONF_HIDDEN = 4, /* works, but not in --help and docs */
    PST_CONF_RAW = 8,    /* value taken as it is: no trimming (csv.sep=" ") */
    PST_CONF_LATER =
        16, /* known name, not built yet: setting it is an error that says so */
};

typedef enum pst_conf_importance {
    PST_CONF_HIGH,
    PST_CONF_MEDIUM,
    PST_CONF_LOW
} pst_conf_importance;

typedef struct pst_setting pst_setting;
/* Checks one value as given; fills err->text with what is wrong and what to do. */
typedef pst_rc (*pst_conf_check)(const char *value, pst_err *err);

struct pst_setting {
    const char *name;
    pst_conf_type type;
    unsigned flags;
    size_t offset;              /* in the section's struct */
    const char *def;            /* as a user would write it; NULL = unset */
    int64_t min, max;           /* for numbers; both 0 = no range */
    const char *const *choices; /* ENUM: NULL-terminated */
    const char *prefix;   /* ENUM: may stand before a choice (a Java package); or NULL */
    pst_conf_check check; /* may be NULL */
    pst_conf_importance importance;
    const char *doc; /* a sentence or two; units named */
};

typedef struct pst_conf_section {
    const char *title; /* "Where: the object store" */
    const pst_setting *rows;
    size_t n_rows;
} pst_conf_section;

typedef struct pst_conf_part {
    const pst_conf_section *section;
    size_t base; /* offset of the section's struct in the spec's struct */
} pst_conf_part;

typedef struct pst_conf_spec {
    const char *name; /* "S3CsvSink", "worker" */
    const char *doc;
    const pst_conf_part *parts;
    size_t n_parts;
    size_t size; /* of the whole struct */
    /* Keys that no row names: PST_OK = accepted and kept in the props for the caller
       (librdkafka's), PST_E_NOT_FOUND = unknown, PST_E_CONFIG = known but wrong. May be
       NULL. The key comes as given (consumer.override.… too). err->text is what the user
       reads; an unknown key without one, or near to a name of the table, is told with
       that name. */
    pst_rc (*other)(const char *key, const char *value, pst_err *err);
    /* Checks across fields, after all rows; may be NULL. It runs after errors too, so
       that all are told at once: a field whose value was wrong has its default, and one
       that is required but missing is NULL or 0. */
    void (*check)(const void *conf, const pst_props *props, pst_conf_report *report);
} pst_conf_spec;

/* Fills the (zeroed) struct at conf with defaults and the props' values. Every problem
   goes to the report; PST_OK only if that has no error, earlier ones (of parsing) counted
   in. conf may be half filled on failure; pst_conf_done() frees what it owns either way.
 */
pst_rc pst_conf_apply(const pst_conf_spec *spec, const pst_props *props, void *conf,
                      pst_conf_report *report) PST_MUST;
void pst_conf_done(const pst_conf_spec *spec, void *conf);
const pst_setting *pst_conf_find(const pst_conf_spec *spec,
                                 const char *key); /* or NULL */
/* Is this key's value to be masked? By row, by name (password, secret, token, key of
   sasl./ ssl.…) or because it came through ${…}. */
bool pst_conf_is_secret(const pst_conf_spec *spec, const pst_prop *prop);

/* Goes on with a CRC-32C over all values of a section's struct, defaults included: what a
   setting is worth changes it, how it was written does not. */
uint32_t pst_conf_sum(uint32_t crc, const pst_conf_section *section, const void *conf);

/* Text of all kinds out of the table. */
pst_rc pst_conf_help(const pst_conf_spec *spec, pst_buf *out) PST_MUST;     /* --help */
pst_rc pst_conf_markdown(const pst_conf_spec *spec, pst_buf *out) PST_MUST; /* docs */
/* key=value in table order with defaults filled in, secrets as "****" (--print-config): a
   .properties file that reads back as the same settings, but for the secrets. */
pst_rc pst_conf_print(const pst_conf_spec *spec, const pst_props *props,
                      pst_buf *out) PST_MUST;
/* A setting's value for others to see, as it was written: a secret is "[hidden]" unless
   all of it is one ${…}, a URL's password is masked. NULL: no memory. */
char *pst_conf_public(const pst_conf_spec *spec, const pst_prop *prop) PST_MUST;
/* Kafka Connect's answer to GET /connector-plugins/{class}/config: definitions alone. */
pst_rc pst_conf_json_definitions(const pst_conf_spec *spec, pst_buf *out) PST_MUST;
/* Kafka Connect's answer to PUT /connector-plugins/{class}/config/validate: definitions,
   values (secret ones as "[hidden]"), and the report's errors at the names they are
   about. */
pst_rc pst_conf_json(const pst_conf_spec *spec, const pst_props *props,
                     const pst_conf_report *report, pst_buf *out) PST_MUST;

#endif

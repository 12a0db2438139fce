/*
 * json.h - a pull tokenizer that behaves as Jackson 2.15's character parser, step by
 * step.
 *
 * This is the reference of what Spark's from_json sees: lazy strings, a value's first
 * token read together with its name, and an exact position after each failure, because
 * Spark goes on reading behind a failed field. It is complete and not slow, but the way
 * that ordinary records take is scan.c; that one hands over to this one for anything
 * unusual. Texts point into the record or into buffers that the next token overwrites.
 */
#ifndef PST_RECORD_JSON_H
#define PST_RECORD_JSON_H

#include "base/buf.h"
#include "base/str.h"

typedef enum pst_tok {
    PST_TOK_NONE,
    PST_TOK_NAME,
    PST_TOK_OBJECT,
    PST_TOK_OBJECT_END,
    PST_TOK_ARRAY,
    PST_TOK_ARRAY_END,
    PST_TOK_STRING,
    PST_TOK_INT,
    PST_TOK_FLOAT,
    PST_TOK_TRUE,
    PST_TOK_FALSE,
    PST_TOK_NULL,
} pst_tok;

enum { PST_JSON_DEPTH_MAX = 1000, PST_JSON_NUMBER_MAX = 1000 };

typedef struct pst_json_options {
    bool single_quotes, non_numeric, comments, unquoted_names, leading_zeros,
        any_backslash, control_chars;
    int number_format; /* enum pst_number_format: of numbers written again */
} pst_json_options;

typedef struct pst_json {
    const pst_json_options *opt;
    const unsigned char *begin, *at, *end;
    pst_tok cur, next;                     /* NONE as `cur` after the end of input */
    size_t depth;                          /* open containers; 0 = root */
    uint8_t state[PST_JSON_DEPTH_MAX + 2]; /* bit 0: object, bit 1: has had an element */
    pst_sv name;                           /* decoded name, valid from NAME on */
    pst_sv number;     /* text of INT and FLOAT; "NaN", "Infinity", "-Infinity" too */
    bool special;      /* a FLOAT that is not a number */
    bool incomplete;   /* a string value that is not read yet */
    pst_sv text;       /* of a STRING that is */
    bool nomem;        /* a buffer could not grow: the failure is ours */
    const char *error; /* what failed last (static text) */
    size_t error_at;   /* and at which byte */
    pst_buf name_buf, text_buf;
} pst_json;

void pst_json_init(pst_json *json, size_t buffer_max);
void pst_json_done(pst_json *json);
void pst_json_start(pst_json *json, const pst_json_options *opt, pst_sv value);
/* All answer false where Jackson throws; `error` says what. */
bool pst_json_next(pst_json *json);
bool pst_json_skip_children(pst_json *json);
/* The text of the current STRING. */
bool pst_json_text(pst_json *json, pst_sv *out);
/* Appends the current value as compact JSON, as Jackson's copyCurrentStructure. */
bool pst_json_copy(pst_json *json, pst_buf *out);

#endif

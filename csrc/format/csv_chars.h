/*
 * csv_chars.h - the characters of a CSV dialect and how one field is laid out with them;
 * private to csv*.c.
 *
 * The rules are univocity's writer as Spark sets it up: blanks (all up to U+0020) cut at
 * both ends, a field quoted when it holds a separator, a line end or a quote, when it
 * starts with a quote, or when it is the first one and starts with the comment character.
 */
#ifndef PST_FORMAT_CSV_CHARS_H
#define PST_FORMAT_CSV_CHARS_H

#include "base/buf.h"
#include "base/str.h"

enum { PST_CSV_SEP_MAX = 64 };

enum pst_csv_class {
    PST_CSV_TRIGGER = 1, /* may need quotes: separator, quote, CR, LF, line separator */
    PST_CSV_ESCAPED = 2, /* quote, escape, LF: something happens to it inside quotes */
};

typedef struct pst_csv_chars {
    char sep[PST_CSV_SEP_MAX], quote[4], escape[4], escape_escape[4], comment[4], line[2];
    size_t sep_n, quote_n, escape_n, escape_escape_n, comment_n, line_n;
    bool quote_all, escape_quotes, ignore_leading, ignore_trailing;
    bool double_line;   /* LF inside a value becomes the two-character line separator */
    bool plain_numbers; /* numbers, dates and times never need quotes */
    bool has_comment;
    uint8_t classes[256]; /* by first byte */
    pst_sv null_value, empty_value;
} pst_csv_chars;

/* Spark's reading of the options; *out points into value. */
pst_rc pst_csv_parse_sep(const char *value, char out[PST_CSV_SEP_MAX], size_t *n,
                         pst_err *err) PST_MUST;
pst_rc pst_csv_parse_char(const char *value, pst_sv *out, pst_err *err) PST_MUST;
/* After the characters are set: classes and plain_numbers. */
void pst_csv_chars_finish(pst_csv_chars *c);

/* Appends one field. `text.p == NULL` is null. */
pst_rc pst_csv_field(const pst_csv_chars *c, bool first, pst_sv text,
                     pst_buf *out) PST_MUST;

#endif

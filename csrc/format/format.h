/*
 * format.h - a row becomes bytes of an object. A format is one file with one const
 * pst_format at its end, and a settings section of its own; it appends to a buffer and
 * does no I/O.
 *
 * A new one: a file like jsonl.c, its struct and names below, and a line each in
 * connectors/s3csv/columns.c and settings.c.
 */
#ifndef PST_FORMAT_FORMAT_H
#define PST_FORMAT_FORMAT_H

#include "base/buf.h"
#include "conf/conf.h"
#include "record/record.h"

typedef struct pst_writer pst_writer; /* each format's own */

typedef struct pst_format {
    const char *name;                /* "csv": format.class */
    const char *extension;           /* ".csv" */
    const char *content_type;        /* "text/csv; charset=utf-8" */
    const pst_conf_section *section; /* its settings: what they fill goes to open() */
    /* conf, shared (what reading and writing have in common: time zone, number format)
       and columns are borrowed during the call only. One writer belongs to one thread and
       may serve many objects. PST_E_CONFIG: a column that the format can't hold. */
    pst_rc (*open)(pst_writer **out, const void *conf, const pst_reader_conf *shared,
                   const pst_column *columns, size_t n_columns, pst_err *err);
    void (*close)(pst_writer *writer);
    /* What an object starts with (a header line); may append nothing. */
    pst_rc (*begin)(pst_writer *writer, pst_buf *out, pst_err *err);
    /* Appends one row with its line separator; may append nothing (Spark drops a row that
       renders to the empty string). */
    pst_rc (*row)(pst_writer *writer, const pst_row *row, pst_buf *out, pst_err *err);
} pst_format;

/* ---- csv: Spark's CSV options; rows in csv_settings.c ---- */

typedef struct pst_csv_conf {
    char *sep, *quote, *escape, *escape_escaping, *null_value, *empty_value, *line_sep;
    bool header, quote_all, escape_quotes, ignore_leading, ignore_trailing;
    bool legacy_null_quoted; /* spark.sql.legacy.nullValueWrittenAsQuotedEmptyStringCsv */
    char *encoding, *comment, *date_format, *timestamp_format, *timestamp_ntz_format;
    int dialect; /* enum pst_csv_dialect */
    bool formula_guard;
} pst_csv_conf;

enum pst_csv_dialect { PST_CSV_SPARK, PST_CSV_RFC4180 };

extern const pst_conf_section pst_csv_section;
extern const pst_format pst_format_csv;

/* ---- jsonl: Spark's JSON options; rows in jsonl.c ---- */

typedef struct pst_jsonl_conf {
    bool ignore_null_fields, code_points;
    char *date_format, *timestamp_format, *timestamp_ntz_format;
} pst_jsonl_conf;

extern const pst_conf_section pst_jsonl_section;
extern const pst_format pst_format_jsonl;

#endif

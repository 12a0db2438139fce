/*
 * format.h - a row becomes bytes of an object. A format is one file with one const
 * pst_format at its end; it appends to a buffer and does no I/O.
 */
#ifndef PST_FORMAT_FORMAT_H
#define PST_FORMAT_FORMAT_H

#include "base/buf.h"
#include "conf/conf.h"
#include "record/record.h"

/* Spark's CSV options; rows in format/csv.c. */
typedef struct pst_csv_conf {
    char *sep, *quote, *escape, *escape_escaping, *null_value, *empty_value, *line_sep;
    bool header, quote_all, escape_quotes, ignore_leading, ignore_trailing;
    bool legacy_null_quoted; /* spark.sql.legacy.nullValueWrittenAsQuotedEmptyStringCsv */
    char *encoding, *comment, *date_format, *timestamp_format, *timestamp_ntz_format;
    int dialect; /* enum pst_csv_dialect */
    bool formula_guard;
    char *session_time_zone; /* borrowed from the reader's settings by the sink, as */
    int time_parser_policy;  /* these: pst_csv_borrow() sets all three */
    int number_format;
} pst_csv_conf;

/* Takes over what reading and writing share; `reader` must live until open() returned. */
void pst_csv_borrow(pst_csv_conf *csv, const pst_reader_conf *reader);

enum pst_csv_dialect { PST_CSV_SPARK, PST_CSV_RFC4180 };

extern const pst_conf_section pst_csv_section;

typedef struct pst_writer pst_writer;

typedef struct pst_format {
    const char *name;         /* "csv" */
    const char *extension;    /* ".csv" */
    const char *content_type; /* "text/csv; charset=utf-8" */
    /* conf and columns are borrowed during the call only. One writer belongs to one
       thread and may serve many objects. */
    pst_rc (*open)(pst_writer **out, const pst_csv_conf *conf, const pst_column *columns,
                   size_t n_columns, pst_err *err);
    void (*close)(pst_writer *writer);
    /* What an object starts with (a header line); may append nothing. */
    pst_rc (*begin)(pst_writer *writer, pst_buf *out, pst_err *err);
    /* Appends one row with its line separator; may append nothing (Spark drops a row that
       renders to the empty string). */
    pst_rc (*row)(pst_writer *writer, const pst_row *row, pst_buf *out, pst_err *err);
} pst_format;

extern const pst_format pst_format_csv;

#endif

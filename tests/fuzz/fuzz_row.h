/*
 * fuzz_row.h - a reader and a writer made from settings as a user types them, and what
 * must hold for every row that comes out of the two.
 */
#ifndef PST_FUZZ_ROW_H
#define PST_FUZZ_ROW_H

#include "format/format.h"
#include "fuzz_csv_reader.h"
#include "record/record.h"

#include <stddef.h>

typedef struct fuzz_settings {
    pst_reader_conf reader;
    pst_csv_conf csv;
} fuzz_settings;

static const pst_conf_part fuzz_parts[] = {
    {&pst_reader_section, offsetof(fuzz_settings, reader)},
    {&pst_csv_section, offsetof(fuzz_settings, csv)},
};

static const pst_conf_spec fuzz_row_spec = {
    .name = "fuzz",
    .doc = "reader and writer",
    .parts = fuzz_parts,
    .n_parts = 2,
    .size = sizeof(fuzz_settings),
};

/* A CSV dialect: its settings, and how a reader is to look at it. */
typedef struct fuzz_dialect {
    const char *settings;
    csv_look look;
    bool same_text; /* STRING columns come back as they were, but for blanks */
    bool cut;       /* blanks at both ends are cut */
} fuzz_dialect;

typedef struct fuzz_pipe {
    const fuzz_dialect *dialect;
    pst_reader *reader;
    pst_writer *writer;
    size_t columns;
} fuzz_pipe;

static inline void fuzz_tell(const pst_conf_report *report, const pst_err *err)
{
    for (size_t i = 0; i < report->n; i++)
        fprintf(stderr, "%s: %s\n", report->items[i].key, report->items[i].text);
    fprintf(stderr, "%s\n", err->text);
}

/* False if the settings are refused, which then must have been said; `must`: they must
   not be. */
static inline bool fuzz_pipe_open(fuzz_pipe *out, const pst_props *props,
                                  const fuzz_dialect *dialect, bool must)
{
    fuzz_settings conf = {0};
    pst_conf_report report;
    pst_err err = PST_ERR_INIT;
    *out = (fuzz_pipe){.dialect = dialect};
    pst_conf_report_init(&report);
    pst_rc rc = pst_conf_apply(&fuzz_row_spec, props, &conf, &report);
    FUZZ_CHECK((rc == PST_OK) == (report.errors == 0));
    if (rc == PST_OK) {
        rc = pst_reader_new(&out->reader, &conf.reader, &err);
        if (rc != PST_OK)
            fuzz_check_err(rc, &err);
    }
    if (rc == PST_OK) {
        const pst_column *columns = pst_reader_columns(out->reader, &out->columns);
        rc = pst_format_csv.open(&out->writer, &conf.csv, &conf.reader, columns,
                                 out->columns, &err);
        if (rc != PST_OK) {
            fuzz_check_err(rc, &err);
            pst_reader_free(out->reader);
        }
    }
    if (must && rc != PST_OK)
        fuzz_tell(&report, &err);
    FUZZ_CHECK(rc == PST_OK || !must);
    pst_conf_done(&fuzz_row_spec, &conf);
    pst_conf_report_done(&report);
    return rc == PST_OK;
}

static inline void fuzz_pipe_close(fuzz_pipe *pipe)
{
    pst_format_csv.close(pipe->writer);
    pst_reader_free(pipe->reader);
}

static inline pst_sv fuzz_cut(pst_sv text)
{
    while (text.n && (unsigned char)text.p[0] <= ' ') {
        text.p++;
        text.n--;
    }
    while (text.n && (unsigned char)text.p[text.n - 1] <= ' ')
        text.n--;
    return text;
}

/* The row's texts are what the reader of the CSV gets. */
static inline void fuzz_check_texts(const fuzz_pipe *pipe, const pst_row *row,
                                    const csv_seen *seen)
{
    for (size_t i = 0; i < row->n; i++) {
        if (row->columns[i].type != PST_T_STRING)
            continue;
        pst_sv want = row->cells[i].null ? PST_SV("") : row->cells[i].as.s;
        pst_sv got = csv_seen_field(seen, i);
        if (pipe->dialect->cut)
            want = fuzz_cut(want);
        FUZZ_CHECK(got.n == want.n && (!want.n || memcmp(got.p, want.p, want.n) == 0));
    }
}

static inline void fuzz_check_row(const fuzz_pipe *pipe, const pst_row *row, pst_sv text)
{
    csv_seen seen = {.n = 0};
    if (!text.n) { /* Spark leaves out a row that is an empty line */
        FUZZ_CHECK(row->n == 1);
        return;
    }
    if (!pipe->dialect->look.line)
        return;
    pst_buf_init(&seen.text, 64 * 1024 * 1024);
    csv_read_row(&pipe->dialect->look, text, &seen);
    FUZZ_CHECK(seen.n == row->n);
    if (pipe->dialect->same_text)
        fuzz_check_texts(pipe, row, &seen);
    pst_buf_done(&seen.text);
}

/* One record through both. */
static inline pst_rc fuzz_pipe_run(fuzz_pipe *pipe, const pst_msg *msg)
{
    pst_row row;
    pst_buf out;
    pst_err err = PST_ERR_INIT;
    pst_rc rc = pst_reader_read(pipe->reader, msg, &row, &err);
    if (rc != PST_OK) {
        fuzz_check_err(rc, &err);
        return rc;
    }
    FUZZ_CHECK(row.n == pipe->columns);
    pst_buf_init(&out, 64 * 1024 * 1024);
    rc = pst_format_csv.row(pipe->writer, &row, &out, &err);
    FUZZ_CHECK(rc == PST_OK);
    fuzz_check_row(pipe, &row, (pst_sv){out.data, out.len});
    pst_buf_done(&out);
    return PST_OK;
}

#endif

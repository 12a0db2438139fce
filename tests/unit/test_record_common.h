/*
 * test_record_common.h - what the tests of csrc/record and csrc/format share: a reader
 * and a writer made from options as a user would type them, and one record through both.
 */
#ifndef PST_TESTS_RECORD_COMMON_H
#define PST_TESTS_RECORD_COMMON_H

#include "format/format.h"
#include "record/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct pipe_conf {
    pst_reader_conf reader;
    pst_csv_conf csv;
} pipe_conf;

struct pipe {
    pst_reader *reader;
    pst_writer *writer;
    pst_buf out;
    const void *headers; /* of the records that are put */
};

static const pst_conf_part PIPE_PARTS[] = {
    {&pst_reader_section, offsetof(pipe_conf, reader)},
    {&pst_csv_section, offsetof(pipe_conf, csv)},
};
static const pst_conf_spec PIPE_SPEC = {
    .name = "test",
    .doc = "test",
    .parts = PIPE_PARTS,
    .n_parts = 2,
    .size = sizeof(pipe_conf),
};

/* options: "name=value" …, NULL at the end. Answers the first error; *conf is to be freed
   with pst_conf_done() either way. */
static pst_rc pipe_options(pipe_conf *conf, const char *const *options, pst_err *err)
{
    pst_props props;
    pst_conf_report report;
    char name[200];
    memset(conf, 0, sizeof *conf);
    pst_props_init(&props);
    pst_conf_report_init(&report);
    pst_rc rc = PST_OK;
    for (; *options && rc == PST_OK; options++) {
        const char *value = strchr(*options, '=');
        snprintf(name, sizeof name, "%.*s", (int)(value - *options), *options);
        rc = pst_props_set(&props, name, value + 1, "(test)", &report);
    }
    if (rc == PST_OK)
        rc = pst_conf_apply(&PIPE_SPEC, &props, conf, &report);
    if (rc != PST_OK)
        (void)pst_fail(err, PST_E_CONFIG, "%s: %s",
                       report.n && report.items[0].key ? report.items[0].key : "",
                       report.n ? report.items[0].text : "no report");
    pst_props_done(&props);
    pst_conf_report_done(&report);
    return rc;
}

static pst_rc pipe_open(struct pipe *p, const char *const *options, pst_err *err)
{
    pipe_conf conf;
    size_t n;
    memset(p, 0, sizeof *p);
    pst_buf_init(&p->out, 256 * 1024 * 1024);
    pst_rc rc = pipe_options(&conf, options, err);
    if (rc == PST_OK)
        rc = pst_reader_new(&p->reader, &conf.reader, err);
    if (rc == PST_OK) {
        const pst_column *columns = pst_reader_columns(p->reader, &n);
        rc = pst_format_csv.open(&p->writer, &conf.csv, &conf.reader, columns, n, err);
    }
    pst_conf_done(&PIPE_SPEC, &conf);
    return rc;
}

static void pipe_close(struct pipe *p)
{
    pst_format_csv.close(p->writer);
    pst_reader_free(p->reader);
    pst_buf_done(&p->out);
}

/* Appends the record's row to p->out. */
static pst_rc pipe_put(struct pipe *p, pst_sv value, pst_err *err)
{
    pst_row row;
    pst_msg msg = {.topic = "users",
                   .partition = 3,
                   .offset = 42,
                   .timestamp_ms = 1626228905564,
                   .key = PST_SV("k\xff"),
                   .value = value,
                   .headers = p->headers};
    pst_rc rc = pst_reader_read(p->reader, &msg, &row, err);
    return rc ? rc : pst_format_csv.row(p->writer, &row, &p->out, err);
}

/* The CSV line of one record, without its line end, as a string in p->out. */
__attribute__((unused)) static const char *pipe_line(struct pipe *p, pst_sv value)
{
    pst_err err = PST_ERR_INIT;
    pst_buf_clear(&p->out);
    pst_rc rc = pipe_put(p, value, &err);
    if (rc != PST_OK)
        fail_msg("%s", err.text);
    if (p->out.len && p->out.data[p->out.len - 1] == '\n')
        p->out.len--;
    return pst_buf_cstr(&p->out);
}

/* One record with options, for the many cases that differ in one value. */
__attribute__((unused)) static void check_line(const char *const *options,
                                               const char *json, const char *want)
{
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    if (pipe_open(&p, options, &err) != PST_OK)
        fail_msg("%s", err.text);
    assert_string_equal(pipe_line(&p, pst_sv_of(json)), want);
    pipe_close(&p);
}

/* Opening fails with this text somewhere in the message. */
__attribute__((unused)) static void check_refused(const char *const *options,
                                                  const char *text)
{
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pipe_open(&p, options, &err), PST_E_CONFIG);
    if (!strstr(err.text, text))
        fail_msg("no '%s' in: %s", text, err.text);
    pipe_close(&p);
}

#define OPTIONS(...)                                                                     \
    (const char *const[])                                                                \
    {                                                                                    \
        __VA_ARGS__, NULL                                                                \
    }

#endif

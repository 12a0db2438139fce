/*
 * fuzz_csv.c - the CSV writer under any settings that its table takes: characters of all
 * kinds as separator, quote, escape, comment; any character set. The first line holds the
 * settings, separated by the byte 1; what follows are the fields of one row, a line each.
 */
#include "fuzz_row.h"

static const char *const names[] = {
    "csv.sep",
    "csv.quote",
    "csv.escape",
    "csv.charToEscapeQuoteEscaping",
    "csv.comment",
    "csv.lineSep",
    "csv.nullValue",
    "csv.emptyValue",
    "csv.encoding",
    "csv.quoteAll",
    "csv.header",
    "csv.escapeQuotes",
    "csv.formula.guard",
    "csv.dialect",
    "csv.ignoreLeadingWhiteSpace",
    "csv.ignoreTrailingWhiteSpace",
};

enum { N_NAMES = sizeof names / sizeof *names, N_FIELDS = 4 };

static const fuzz_dialect any = {.settings = ""};

/* Sets as many of the settings as there are pieces; an empty one stays unset. */
static void take_settings(pst_props *props, pst_conf_report *report, pst_sv line)
{
    for (size_t i = 0; i < N_NAMES && line.p; i++) {
        pst_sv piece = pst_sv_cut(line, '\1', &line);
        char *value = fuzz_string(piece);
        if (*value && !strstr(value, "${"))
            (void)!pst_props_set(props, names[i], value, "fuzz", report);
        pst_free(value);
    }
}

static void write_row(fuzz_pipe *pipe, fuzz_input *in)
{
    static const pst_column columns[N_FIELDS] = {
        {"a", PST_T_STRING, 0, 0},
        {"b", PST_T_STRING, 0, 0},
        {"c", PST_T_LONG, 0, 0},
        {"d", PST_T_STRING, 0, 0},
    };
    pst_cell cells[N_FIELDS] = {{.null = true}, {.null = true}, {.as.i = -1}};
    pst_row row = {columns, cells, N_FIELDS};
    pst_buf out;
    pst_err err = PST_ERR_INIT;
    for (size_t i = 0; i < N_FIELDS && in->p; i++) {
        pst_sv text = fuzz_line(in);
        cells[i].null = i != 2 && !pst_utf8_valid(text);
        if (i != 2)
            cells[i].as.s = text;
    }
    cells[3].null = !cells[3].as.s.p;
    pst_buf_init(&out, 1024 * 1024);
    FUZZ_CHECK(pst_format_csv.begin(pipe->writer, &out, &err) == PST_OK);
    FUZZ_CHECK(pst_format_csv.row(pipe->writer, &row, &out, &err) == PST_OK);
    FUZZ_CHECK(pst_format_csv.row(pipe->writer, &row, &out, &err) == PST_OK);
    pst_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    pst_props props;
    pst_conf_report report;
    fuzz_pipe pipe;
    pst_props_init(&props);
    pst_conf_report_init(&report);
    FUZZ_CHECK(pst_props_set(&props, "value.schema",
                             "a STRING, b STRING, c BIGINT, d STRING", "fuzz",
                             &report) == PST_OK);
    take_settings(&props, &report, fuzz_line(&in));
    if (fuzz_pipe_open(&pipe, &props, &any, false)) {
        write_row(&pipe, &in);
        fuzz_pipe_close(&pipe);
    }
    pst_conf_report_done(&report);
    pst_props_done(&props);
    return 0;
}

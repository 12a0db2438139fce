/*
 * jsonl.c - rows as JSON, one object a line: the bytes of Spark's JSON writer (to_json
 * and write.json, which print by Jackson); see format.h.
 *
 * Nulls are left out unless jsonl.ignoreNullFields=false. Numbers are Java's text, NaN
 * and the infinities in quotes; decimals are BigDecimal's; binary is base64. Strings are
 * UTF-8 with nothing escaped but quotes, backslashes and control characters. Always
 * UTF-8, always a newline: what readers of such files expect.
 */
#include "base/mem.h"
#include "format/celltext.h"
#include "format/format.h"
#include "record/utf8.h"

#include <math.h>
#include <stddef.h>

enum { KEY_MAX = 64 * 1024 };

struct pst_writer {
    bool ignore_null_fields, code_points;
    pst_cell_style style;
    pst_buf keys; /* each column's "name": in turn, escaped */
    size_t *ends; /* where each ends */
    pst_type *types;
    size_t n;
};

/* ---- settings ---- */

#define AT(field) offsetof(pst_jsonl_conf, field)

static pst_rc check_pattern(const char *value, pst_err *err)
{
    pst_pattern *pattern = NULL;
    pst_rc rc = pst_pattern_new(&pattern, value, PST_PATTERN_FORMAT, err);
    pst_pattern_free(pattern);
    return rc;
}

static const pst_setting ROWS[] = {
    {.name = "jsonl.ignoreNullFields",
     .type = PST_CONF_BOOL,
     .offset = AT(ignore_null_fields),
     .def = "true",
     .importance = PST_CONF_MEDIUM,
     .doc = "Leave fields out that are null; false writes null."},
    {.name = "jsonl.dateFormat",
     .type = PST_CONF_STRING,
     .offset = AT(date_format),
     .check = check_pattern,
     .importance = PST_CONF_MEDIUM,
     .doc = "The pattern of dates in Spark's letters. Unset: yyyy-MM-dd."},
    {.name = "jsonl.timestampFormat",
     .type = PST_CONF_STRING,
     .offset = AT(timestamp_format),
     .check = check_pattern,
     .importance = PST_CONF_MEDIUM,
     .doc = "The pattern of timestamps. Unset: yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]."},
    {.name = "jsonl.timestampNTZFormat",
     .type = PST_CONF_STRING,
     .offset = AT(timestamp_ntz_format),
     .check = check_pattern,
     .importance = PST_CONF_LOW,
     .doc = "The pattern of timestamps without time zone. Unset: "
            "yyyy-MM-dd'T'HH:mm:ss[.SSS]."},
    {.name = "jsonl.writeNonAsciiCharacterAsCodePoint",
     .type = PST_CONF_BOOL,
     .offset = AT(code_points),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Write characters beyond ASCII as \\uXXXX."},
};

const pst_conf_section pst_jsonl_section = {
    .title = "How: the JSON lines (format.class=jsonl)",
    .rows = ROWS,
    .n_rows = sizeof ROWS / sizeof *ROWS,
};

/* ---- strings ---- */

static void put_hex(char *to, uint32_t unit)
{
    static const char digits[] = "0123456789ABCDEF";
    to[0] = '\\';
    to[1] = 'u';
    for (int i = 0; i < 4; i++)
        to[2 + i] = digits[unit >> (12 - 4 * i) & 15];
}

/* What stands for a code point that can't stay as it is; at most 12 bytes. */
static size_t escape(char *to, uint32_t code)
{
    static const char letters[] = "\"\"\\\\\bb\tt\nn\ff\rr";
    for (const char *p = letters; *p; p += 2)
        if (code == (uint32_t)p[0]) {
            to[0] = '\\';
            to[1] = p[1];
            return 2;
        }
    if (code < 0x10000) {
        put_hex(to, code);
        return 6;
    }
    put_hex(to, 0xD7C0 + (code >> 10));
    put_hex(to + 6, 0xDC00 + (code & 0x3FF));
    return 12;
}

static bool stays(unsigned char c, bool code_points)
{
    return c >= ' ' && c != '"' && c != '\\' && (c < 0x80 || !code_points);
}

static pst_rc add_text(const pst_writer *w, pst_sv s, pst_buf *out)
{
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    pst_rc rc = pst_buf_addc(out, '"');
    while (rc == PST_OK && p < end) {
        const unsigned char *from = p;
        while (p < end && stays(*p, w->code_points))
            p++;
        rc = pst_buf_add(out, from, (size_t)(p - from));
        if (rc == PST_OK && p < end) {
            char text[12];
            size_t len;
            uint32_t code = pst_utf8_next(p, end, &len);
            rc = pst_buf_add(out, text, escape(text, code));
            p += len;
        }
    }
    return rc ? rc : pst_buf_addc(out, '"');
}

static pst_rc add_base64(pst_sv s, pst_buf *out)
{
    if (s.n > SIZE_MAX / 2)
        return PST_E_LIMIT;
    size_t n = 4 * ((s.n + 2) / 3);
    pst_rc rc = pst_buf_reserve(out, n + 3);
    if (rc != PST_OK)
        return rc;
    out->data[out->len] = '"';
    pst_base64(out->data + out->len + 1, s.p, s.n);
    out->data[out->len + 1 + n] = '"';
    out->len += n + 2;
    return PST_OK;
}

/* ---- opening ---- */

static void jsonl_close(pst_writer *w)
{
    if (!w)
        return;
    pst_cell_style_done(&w->style);
    pst_buf_done(&w->keys);
    pst_free(w->ends);
    pst_free(w->types);
    pst_free(w);
}

static pst_rc add_column(pst_writer *w, const pst_column *column, pst_err *err)
{
    if (column->type >= PST_T_STRUCT)
        return pst_fail(err, PST_E_CONFIG, "column '%s' is of a type that is not read",
                        column->name);
    pst_rc rc = add_text(w, pst_sv_of(column->name), &w->keys);
    if (rc == PST_OK)
        rc = pst_buf_addc(&w->keys, ':');
    if (rc == PST_E_LIMIT)
        return pst_fail(err, PST_E_CONFIG, "the columns' names are longer than %d bytes",
                        KEY_MAX);
    if (rc != PST_OK)
        return pst_fail_nomem(err, "the JSON writer");
    w->types[w->n] = column->type;
    w->ends[w->n++] = w->keys.len;
    return PST_OK;
}

static pst_rc jsonl_open(pst_writer **out, const void *opaque,
                         const pst_reader_conf *shared, const pst_column *columns,
                         size_t n_columns, pst_err *err)
{
    const pst_jsonl_conf *conf = opaque;
    pst_writer *w = pst_calloc(1, sizeof *w);
    if (!w)
        return pst_fail_nomem(err, "the JSON writer");
    pst_buf_init(&w->keys, KEY_MAX);
    w->ignore_null_fields = conf->ignore_null_fields;
    w->code_points = conf->code_points;
    w->ends = pst_calloc(n_columns + 1, sizeof *w->ends);
    w->types = pst_calloc(n_columns + 1, sizeof *w->types);
    pst_rc rc = w->ends && w->types ? PST_OK : pst_fail_nomem(err, "the JSON writer");
    pst_cell_patterns patterns = {"jsonl", conf->date_format, conf->timestamp_format,
                                  conf->timestamp_ntz_format};
    if (rc == PST_OK)
        rc = pst_cell_style_init(&w->style, &patterns, shared, err);
    for (size_t i = 0; rc == PST_OK && i < n_columns; i++)
        rc = add_column(w, &columns[i], err);
    if (rc != PST_OK) {
        jsonl_close(w);
        return rc;
    }
    *out = w;
    return PST_OK;
}

/* ---- rows ---- */

static pst_rc add_plain(const pst_writer *w, pst_type type, const pst_cell *cell,
                        pst_buf *out)
{
    char text[PST_CELL_TEXT_MAX];
    size_t n = 0;
    if (!cell_text(&w->style, type, cell, text, &n))
        return PST_E_UNSUPPORTED;
    bool real = type == PST_T_FLOAT || type == PST_T_DOUBLE;
    if (type >= PST_T_DATE || (real && !isfinite(cell->as.d)))
        return add_text(w, (pst_sv){text, n}, out);
    return pst_buf_add(out, text, n);
}

static pst_rc add_cell(const pst_writer *w, pst_type type, const pst_cell *cell,
                       pst_buf *out)
{
    if (cell->null)
        return pst_buf_adds(out, "null");
    if (type == PST_T_STRING)
        return add_text(w, cell->as.s.n ? cell->as.s : PST_SV(""), out);
    if (type == PST_T_BINARY)
        return add_base64(cell->as.s, out);
    if (type == PST_T_DECIMAL)
        return pst_buf_add(out, cell->as.s.p, cell->as.s.n);
    return add_plain(w, type, cell, out);
}

static pst_rc add_row(const pst_writer *w, const pst_row *row, pst_buf *out)
{
    bool first = true;
    pst_rc rc = pst_buf_addc(out, '{');
    for (size_t i = 0, key = 0; rc == PST_OK && i < w->n; key = w->ends[i++]) {
        const pst_cell *cell = &row->cells[i];
        if (cell->null && w->ignore_null_fields)
            continue;
        if (!first)
            rc = pst_buf_addc(out, ',');
        if (rc == PST_OK)
            rc = pst_buf_add(out, w->keys.data + key, w->ends[i] - key);
        if (rc == PST_OK)
            rc = add_cell(w, w->types[i], cell, out);
        first = false;
    }
    return rc ? rc : pst_buf_add(out, "}\n", 2);
}

static pst_rc jsonl_row(pst_writer *w, const pst_row *row, pst_buf *out, pst_err *err)
{
    size_t before = out->len;
    pst_rc rc = add_row(w, row, out);
    if (rc == PST_OK)
        return PST_OK;
    out->len = before;
    if (rc == PST_E_UNSUPPORTED)
        return pst_fail(err, PST_E_CONFIG,
                        "a date or time pattern asks for a field that the column's type "
                        "doesn't have");
    if (rc == PST_E_LIMIT)
        return pst_fail(err, rc, "a row does not fit the buffer");
    return pst_fail_nomem(err, "a row");
}

static pst_rc jsonl_begin(pst_writer *w, pst_buf *out, pst_err *err)
{
    (void)w, (void)out, (void)err;
    return PST_OK;
}

const pst_format pst_format_jsonl = {
    .name = "jsonl",
    .extension = ".jsonl",
    .content_type = "application/x-ndjson",
    .section = &pst_jsonl_section,
    .open = jsonl_open,
    .close = jsonl_close,
    .begin = jsonl_begin,
    .row = jsonl_row,
};

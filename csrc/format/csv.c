/*
 * csv.c - rows as CSV, the bytes of Spark's writer; see format.h.
 *
 * Cells become text on the stack, csv_chars.c lays each field out. A row is put together
 * in the caller's buffer when that holds UTF-8, else in one of its own and then
 * converted.
 */
#include "base/mem.h"
#include "format/celltext.h"
#include "format/charset.h"
#include "format/csv_chars.h"
#include "format/csv_fast.h"
#include "format/format.h"

#include <limits.h>

enum {
    ROW_MAX = INT_MAX,
    QUICK_CELL = 64, /* a number, date or time without pattern is shorter */
};

struct pst_writer {
    pst_csv_chars chars;
    pst_csv_needles needles;
    bool quick; /* most fields need no more than a look: see quick_cell() */
    bool header, legacy_null, formula_guard;
    char *null_value, *empty_value;
    pst_cell_style style;
    pst_charset *charset;
    pst_buf row; /* for other character sets */
    char **names;
    pst_type *types;
    size_t n;
};

/* ---- opening ---- */

static pst_rc set_char(char to[4], size_t *n, const char *setting, const char *value,
                       const char *def, pst_err *err)
{
    pst_sv c;
    pst_err local = PST_ERR_INIT;
    pst_rc rc = pst_csv_parse_char(value ? value : def, &c, &local);
    if (rc != PST_OK)
        return pst_fail(err, rc, "%s: %s", setting, local.text);
    memcpy(to, c.p, c.n);
    *n = c.n;
    return PST_OK;
}

static pst_rc set_escape_escape(pst_csv_chars *c, const char *value, pst_err *err)
{
    if (!value) { /* the escape itself where it is not the quote */
        bool same = c->escape_n == c->quote_n && !memcmp(c->escape, c->quote, c->quote_n);
        c->escape_escape_n = same ? 0 : c->escape_n;
        memcpy(c->escape_escape, c->escape, c->escape_n);
    } else {
        pst_rc rc = set_char(c->escape_escape, &c->escape_escape_n,
                             "csv.charToEscapeQuoteEscaping", value, "", err);
        if (rc != PST_OK)
            return rc;
    }
    if (c->escape_escape_n == 1 && c->escape_escape[0] == '\0')
        c->escape_escape_n = 0;
    return PST_OK;
}

static pst_rc set_line(pst_csv_chars *c, const char *value, pst_err *err)
{
    size_t n = value ? strlen(value) : 0;
    if (value && n != 1 && n != 2)
        return pst_fail(err, PST_E_CONFIG,
                        "csv.lineSep: a line separator has 1 or 2 characters");
    memcpy(c->line, value ? value : "\n", value ? n : 1);
    c->line_n = value ? n : 1;
    c->double_line = n == 2;
    return PST_OK;
}

static pst_rc set_chars(pst_writer *w, const pst_csv_conf *conf, pst_err *err)
{
    pst_csv_chars *c = &w->chars;
    bool rfc = conf->dialect == PST_CSV_RFC4180;
    pst_err local = PST_ERR_INIT;
    pst_rc rc = pst_csv_parse_sep(conf->sep ? conf->sep : ",", c->sep, &c->sep_n, &local);
    if (rc != PST_OK)
        return pst_fail(err, rc, "csv.sep: %s", local.text);
    c->quote_all = conf->quote_all;
    c->escape_quotes = conf->escape_quotes || rfc;
    c->ignore_leading = conf->ignore_leading && !rfc;
    c->ignore_trailing = conf->ignore_trailing && !rfc;
    c->has_comment = !rfc;
    rc =
        set_char(c->quote, &c->quote_n, "csv.quote", rfc ? NULL : conf->quote, "\"", err);
    rc = rc ? rc
            : set_char(c->escape, &c->escape_n, "csv.escape", rfc ? "\"" : conf->escape,
                       "\\", err);
    rc = rc ? rc : set_escape_escape(c, rfc ? NULL : conf->escape_escaping, err);
    /* an unset comment character leaves the library's own, # */
    rc = rc ? rc
            : set_char(c->comment, &c->comment_n, "csv.comment", conf->comment, "#", err);
    rc = rc ? rc : set_line(c, rfc ? "\r\n" : conf->line_sep, err);
    if (rfc)
        c->double_line = false;
    w->null_value = pst_strdup(conf->null_value ? conf->null_value : "");
    w->empty_value = pst_strdup(conf->empty_value ? conf->empty_value : "\"\"");
    if (!w->null_value || !w->empty_value)
        return rc ? rc : pst_fail_nomem(err, "the CSV writer");
    c->null_value = pst_sv_of(w->null_value);
    c->empty_value = pst_sv_of(w->empty_value);
    if (rc == PST_OK)
        pst_csv_chars_finish(c);
    fill_needles(&w->needles, c->sep[0], c->quote[0], c->escape[0]);
    w->quick = c->plain_numbers && (unsigned char)c->line[0] < ' ' &&
               (c->line_n == 1 || (unsigned char)c->line[1] < ' ');
    return rc;
}

static pst_rc set_columns(pst_writer *w, const pst_column *columns, size_t n,
                          pst_err *err)
{
    w->names = pst_calloc(n + 1, sizeof *w->names);
    w->types = pst_calloc(n + 1, sizeof *w->types);
    if (!w->names || !w->types)
        return pst_fail_nomem(err, "the CSV writer");
    for (size_t i = 0; i < n; i++) {
        w->names[i] = pst_strdup(columns[i].name);
        if (!w->names[i])
            return pst_fail_nomem(err, "the CSV writer");
        w->types[i] = columns[i].type;
        w->n++;
        if (columns[i].type >= PST_T_STRUCT || columns[i].type == PST_T_BINARY)
            return pst_fail(
                err, PST_E_CONFIG, "column '%s' is of a type that CSV can't hold%s",
                columns[i].name,
                columns[i].type == PST_T_BINARY ? ": BINARY; select CAST(… AS STRING)"
                                                : "");
    }
    return PST_OK;
}

static void csv_close(pst_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; w->names && i < w->n; i++)
        pst_free(w->names[i]);
    pst_free(w->names);
    pst_free(w->types);
    pst_free(w->null_value);
    pst_free(w->empty_value);
    pst_cell_style_done(&w->style);
    pst_charset_free(w->charset);
    pst_buf_done(&w->row);
    pst_free(w);
}

static pst_rc csv_open(pst_writer **out, const void *opaque,
                       const pst_reader_conf *shared, const pst_column *columns,
                       size_t n_columns, pst_err *err)
{
    const pst_csv_conf *conf = opaque;
    pst_err local = PST_ERR_INIT;
    pst_writer *w = pst_calloc(1, sizeof *w);
    if (!w)
        return pst_fail_nomem(err, "the CSV writer");
    pst_buf_init(&w->row, ROW_MAX);
    w->header = conf->header;
    w->legacy_null = conf->legacy_null_quoted;
    w->formula_guard = conf->formula_guard;
    pst_rc rc = set_chars(w, conf, err);
    pst_cell_patterns patterns = {"csv", conf->date_format, conf->timestamp_format,
                                  conf->timestamp_ntz_format};
    rc = rc ? rc : pst_cell_style_init(&w->style, &patterns, shared, err);
    if (rc == PST_OK) {
        rc = pst_charset_new(&w->charset, conf->encoding ? conf->encoding : "UTF-8",
                             &local);
        if (rc != PST_OK)
            (void)pst_fail(err, rc, "csv.encoding: %s", local.text);
    }
    rc = rc ? rc : set_columns(w, columns, n_columns, err);
    if (rc != PST_OK) {
        csv_close(w);
        return rc;
    }
    *out = w;
    return PST_OK;
}

/* ---- rows ---- */

static bool is_formula(pst_sv s)
{
    return s.n && s.p[0] && strchr("=+-@\t\r", s.p[0]) != NULL;
}

static pst_rc add_string(pst_writer *w, bool first, pst_sv s, pst_buf *out)
{
    if (!w->formula_guard || !is_formula(s))
        return pst_csv_field(&w->chars, first, s, out);
    char *guarded = pst_malloc(s.n + 1);
    if (!guarded)
        return PST_E_NOMEM;
    guarded[0] = '\'';
    memcpy(guarded + 1, s.p, s.n);
    pst_rc rc = pst_csv_field(&w->chars, first, (pst_sv){guarded, s.n + 1}, out);
    pst_free(guarded);
    return rc;
}

static pst_rc add_cell(pst_writer *w, size_t i, const pst_cell *cell, pst_buf *out)
{
    char text[PST_CELL_TEXT_MAX];
    size_t n = 0;
    pst_type type = w->types[i];
    if (cell->null && w->legacy_null)
        return pst_csv_field(&w->chars, i == 0, w->chars.null_value, out);
    if (cell->null)
        return pst_csv_field(&w->chars, i == 0, (pst_sv){NULL, 0}, out);
    if (type == PST_T_STRING) /* an empty string may have no address */
        return add_string(w, i == 0, cell->as.s.n ? cell->as.s : PST_SV(""), out);
    if (type == PST_T_DECIMAL)
        return pst_csv_field(&w->chars, i == 0, cell->as.s, out);
    if (!cell_text(&w->style, type, cell, text, &n))
        return PST_E_UNSUPPORTED;
    if (w->chars.plain_numbers && !pst_cell_has_pattern(&w->style, type))
        return pst_buf_add(out, text, n);
    return pst_csv_field(&w->chars, i == 0, (pst_sv){text, n}, out);
}

/* Writes a cell where `out` has room for it and answers true, if no rule but "as it is"
   applies to it. */
static bool quick_cell(const pst_writer *w, size_t i, const pst_cell *cell, pst_buf *out)
{
    char *to = out->data + out->len;
    size_t n = 0;
    pst_type type = w->types[i];
    if (cell->null)
        return w->chars.null_value.n == 0 && !w->legacy_null;
    if (type == PST_T_STRING) {
        pst_sv s = cell->as.s;
        bool comment = i == 0 && s.n && s.p[0] == w->chars.comment[0];
        if (s.n == 0 || comment || (unsigned char)s.p[0] <= ' ' ||
            (unsigned char)s.p[s.n - 1] <= ' ' || w->formula_guard ||
            !copy_plain(&w->needles, to, s.p, s.n))
            return false;
        out->len += s.n;
        return true;
    }
    if (type == PST_T_DECIMAL) {
        n = cell->as.s.n;
        if (n > QUICK_CELL)
            return false;
        memcpy(to, cell->as.s.p, n);
    } else if (pst_cell_has_pattern(&w->style, type) ||
               !cell_text(&w->style, type, cell, to, &n)) {
        return false;
    }
    out->len += n;
    return true;
}

/* Room for a separator and what quick_cell() writes of this cell. */
static pst_rc quick_room(const pst_writer *w, size_t i, const pst_cell *cell,
                         pst_buf *out)
{
    size_t n = QUICK_CELL + PST_CSV_SEP_MAX;
    if (w->types[i] == PST_T_STRING && !cell->null)
        n += cell->as.s.n;
    return out->cap - out->len >= n ? PST_OK : pst_buf_reserve(out, n);
}

static void add_separator(const pst_csv_chars *c, pst_buf *out)
{
    if (c->sep_n == 1)
        out->data[out->len] = c->sep[0];
    else
        memcpy(out->data + out->len, c->sep, c->sep_n);
    out->len += c->sep_n;
}

static pst_rc add_quick_row(pst_writer *w, const pst_row *row, pst_buf *out)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < w->n && rc == PST_OK; i++) {
        const pst_cell *cell = &row->cells[i];
        rc = quick_room(w, i, cell, out);
        if (rc != PST_OK)
            break;
        if (i)
            add_separator(&w->chars, out);
        if (!quick_cell(w, i, cell, out))
            rc = add_cell(w, i, cell, out);
    }
    return rc;
}

static pst_rc add_any_row(pst_writer *w, const pst_row *row, pst_buf *out)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < w->n && rc == PST_OK; i++) {
        if (i)
            rc = pst_buf_add(out, w->chars.sep, w->chars.sep_n);
        if (rc == PST_OK && row)
            rc = add_cell(w, i, &row->cells[i], out);
        else if (rc == PST_OK)
            rc = pst_csv_field(&w->chars, i == 0, pst_sv_of(w->names[i]), out);
    }
    return rc;
}

static pst_rc add_row(pst_writer *w, const pst_row *row, pst_buf *out)
{
    size_t before = out->len;
    pst_rc rc = w->quick && row ? add_quick_row(w, row, out) : add_any_row(w, row, out);
    if (rc == PST_OK && out->len > before)
        rc = pst_buf_add(out, w->chars.line, w->chars.line_n);
    if (rc != PST_OK)
        out->len = before;
    return rc;
}

/* row == NULL: the header. */
static pst_rc write_row(pst_writer *w, const pst_row *row, pst_buf *out, pst_err *err)
{
    pst_rc rc;
    size_t before = out->len;
    if (pst_charset_is_utf8(w->charset)) {
        rc = add_row(w, row, out);
    } else {
        pst_buf_clear(&w->row);
        rc = add_row(w, row, &w->row);
        if (rc == PST_OK)
            rc = pst_charset_add(w->charset, (pst_sv){w->row.data, w->row.len}, out);
    }
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

static pst_rc csv_begin(pst_writer *w, pst_buf *out, pst_err *err)
{
    pst_charset_reset(w->charset);
    return w->header ? write_row(w, NULL, out, err) : PST_OK;
}

static pst_rc csv_row(pst_writer *w, const pst_row *row, pst_buf *out, pst_err *err)
{
    return write_row(w, row, out, err);
}

const pst_format pst_format_csv = {
    .name = "csv",
    .extension = ".csv",
    .content_type = "text/csv; charset=utf-8",
    .section = &pst_csv_section,
    .open = csv_open,
    .close = csv_close,
    .begin = csv_begin,
    .row = csv_row,
};

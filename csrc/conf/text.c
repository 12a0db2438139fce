/*
 * text.c - what people read of a settings table: --help, Markdown, --print-config.
 *
 * All of it comes from the rows, so it cannot tell something else than the parser does.
 * Help is plain text in 80 columns for any terminal; Markdown is one table a section,
 * with an anchor for each setting; print is a .properties file that reads back the same.
 */
#include "conf/conf_in.h"

#include <stdio.h>

enum { WIDTH = 80, INDENT = 6, DESCRIPTION_MAX = 2048 };

/* ---- words about a row ---- */

static void put_choices(pst_conf_out *out, const pst_setting *row)
{
    for (size_t i = 0; row->choices[i]; i++)
        pst_conf_putf(out, "%s%s", i ? ", " : "one of ", row->choices[i]);
}

static void put_kind(pst_conf_out *out, const pst_setting *row)
{
    static const char *const kinds[] = {
        [PST_CONF_STRING] = "text",
        [PST_CONF_BOOL] = "true or false",
        [PST_CONF_INT] = "whole number",
        [PST_CONF_LONG] = "whole number",
        [PST_CONF_DOUBLE] = "number",
        [PST_CONF_LIST] = "list, separated by commas",
        [PST_CONF_SIZE] = "bytes (or 512k, 64m, 1g)",
        [PST_CONF_MS] = "milliseconds (or 10s, 5m, 1h)",
        [PST_CONF_REGEX] = "POSIX extended regular expression",
    };
    char range[PST_CONF_RANGE];
    if (row->type == PST_CONF_ENUM)
        put_choices(out, row);
    else
        pst_conf_put(out, kinds[row->type]);
    if (*pst_conf_range(range, row))
        pst_conf_putf(out, ", %s", range);
}

static bool shown_in_docs(const pst_setting *row)
{
    return !(row->flags & PST_CONF_HIDDEN);
}

static const char *flag_note(const pst_setting *row)
{
    if (row->flags & PST_CONF_LATER)
        return "not supported yet in this version";
    return row->flags & PST_CONF_REQUIRED && !row->def ? "required" : NULL;
}

/* ---- --help ---- */

/* Columns on a terminal, near enough: characters, not bytes. */
static size_t columns(pst_sv text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return n;
}

static pst_sv next_word(pst_sv *rest)
{
    size_t from = 0, to;
    while (from < rest->n && strchr(" \t\n", rest->p[from]))
        from++;
    for (to = from; to < rest->n && !strchr(" \t\n", rest->p[to]);)
        to++;
    pst_sv word = {rest->p + from, to - from};
    *rest = (pst_sv){rest->p + to, rest->n - to};
    return word;
}

static void put_wrapped(pst_conf_out *out, int indent, pst_sv text)
{
    size_t column = 0;
    for (pst_sv word = next_word(&text); word.n; word = next_word(&text)) {
        if (column && column + 1 + columns(word) > WIDTH) {
            pst_conf_put(out, "\n");
            column = 0;
        }
        pst_conf_putf(out, "%*s", column ? 1 : indent, "");
        pst_conf_putn(out, word);
        column += (column ? 1 : (size_t)indent) + columns(word);
    }
    if (column)
        pst_conf_put(out, "\n");
}

static void put_description(pst_conf_out *out, const pst_setting *row)
{
    put_kind(out, row);
    if (row->def && !(row->flags & PST_CONF_SECRET)) {
        pst_conf_put(out, "; default: ");
        pst_propfile_put(out, row->def, false);
        if (!*row->def)
            pst_conf_put(out, "(empty)");
    }
}

/* Builds a line apart, then wraps it. */
static void put_kind_wrapped(pst_conf_out *out, const pst_setting *row)
{
    pst_buf line;
    pst_buf_init(&line, DESCRIPTION_MAX);
    pst_conf_out text = pst_conf_out_begin(&line);
    put_description(&text, row);
    if (out->rc == PST_OK)
        out->rc = pst_conf_out_end(&text);
    if (out->rc == PST_OK)
        put_wrapped(out, INDENT, (pst_sv){line.data, line.len});
    pst_buf_done(&line);
}

static void help_row(pst_conf_out *out, const pst_setting *row)
{
    const char *note = flag_note(row);
    pst_conf_putf(out, "  %s", row->name);
    if (note)
        pst_conf_putf(out, "  (%s)", note);
    pst_conf_put(out, "\n");
    put_wrapped(out, INDENT, pst_sv_of(row->doc));
    put_kind_wrapped(out, row);
}

static bool has_shown_rows(const pst_conf_section *section)
{
    for (size_t i = 0; i < section->n_rows; i++)
        if (shown_in_docs(&section->rows[i]))
            return true;
    return false;
}

static void help_section(pst_conf_out *out, const pst_conf_section *section)
{
    if (!has_shown_rows(section))
        return;
    pst_conf_putf(out, "\n%s\n", section->title);
    for (size_t i = 0; i < section->n_rows; i++)
        if (shown_in_docs(&section->rows[i]))
            help_row(out, &section->rows[i]);
}

pst_rc pst_conf_help(const pst_conf_spec *spec, pst_buf *buf)
{
    pst_conf_out out = pst_conf_out_begin(buf);
    pst_conf_putf(&out, "%s\n", spec->name);
    put_wrapped(&out, 2, pst_sv_of(spec->doc));
    for (size_t p = 0; p < spec->n_parts; p++)
        help_section(&out, spec->parts[p].section);
    return pst_conf_out_end(&out);
}

/* ---- Markdown ---- */

/* Text of a table's cell: one line, nothing that ends the cell or starts HTML. */
static void put_cell(pst_conf_out *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '|')
            pst_conf_put(out, "\\|");
        else if (*s == '<')
            pst_conf_put(out, "&lt;");
        else
            pst_conf_putn(out, *s == '\n' ? PST_SV(" ") : (pst_sv){s, 1});
    }
}

/* Code in a cell; a value that has a backtick in it goes between two. */
static void put_code(pst_conf_out *out, const char *value)
{
    pst_buf text;
    pst_buf_init(&text, DESCRIPTION_MAX);
    pst_conf_out escaped = pst_conf_out_begin(&text);
    pst_propfile_put(&escaped, value, false);
    if (out->rc == PST_OK)
        out->rc = pst_conf_out_end(&escaped);
    const char *fence = strchr(value, '`') ? "``" : "`";
    const char *gap = fence[1] ? " " : "";
    pst_conf_putf(out, "%s%s", fence, gap);
    for (size_t i = 0; i < text.len; i++)
        pst_conf_putf(out, "%s%c", text.data[i] == '|' ? "\\" : "", text.data[i]);
    pst_conf_putf(out, "%s%s", gap, fence);
    pst_buf_done(&text);
}

/* "s3csvsink-" and the name as it is: links stay right when sections are moved. */
static void put_anchor(pst_conf_out *out, const char *spec_name, const char *name)
{
    for (const char *s = spec_name; *s; s++)
        pst_conf_putf(out, "%c", *s >= 'A' && *s <= 'Z' ? *s + ('a' - 'A') : *s);
    pst_conf_putf(out, "-%s", name);
}

static void put_default(pst_conf_out *out, const pst_setting *row)
{
    if (row->flags & PST_CONF_REQUIRED && !row->def)
        pst_conf_put(out, "*required*");
    else if (row->def && !*row->def)
        pst_conf_put(out, "*empty*");
    else if (row->def && !(row->flags & PST_CONF_SECRET))
        put_code(out, row->def);
}

static void markdown_row(pst_conf_out *out, const pst_conf_spec *spec,
                         const pst_setting *row)
{
    pst_conf_put(out, "| <a id=\"");
    put_anchor(out, spec->name, row->name);
    pst_conf_putf(out, "\"></a>`%s` | ", row->name);
    put_kind(out, row);
    pst_conf_put(out, " | ");
    put_default(out, row);
    pst_conf_put(out, " | ");
    if (row->flags & PST_CONF_LATER)
        pst_conf_put(out, "*Not supported yet in this version.* ");
    put_cell(out, row->doc ? row->doc : "");
    pst_conf_put(out, " |\n");
}

static void markdown_section(pst_conf_out *out, const pst_conf_spec *spec,
                             const pst_conf_section *section)
{
    if (!has_shown_rows(section))
        return;
    pst_conf_putf(out, "\n### %s\n\n", section->title);
    pst_conf_put(out, "| Setting | Value | Default | Meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < section->n_rows; i++)
        if (shown_in_docs(&section->rows[i]))
            markdown_row(out, spec, &section->rows[i]);
}

pst_rc pst_conf_markdown(const pst_conf_spec *spec, pst_buf *buf)
{
    pst_conf_out out = pst_conf_out_begin(buf);
    pst_conf_putf(&out, "## %s\n", spec->name);
    if (spec->doc)
        pst_conf_putf(&out, "\n%s\n", spec->doc);
    for (size_t p = 0; p < spec->n_parts; p++)
        markdown_section(&out, spec, spec->parts[p].section);
    return pst_conf_out_end(&out);
}

/* ---- --print-config ---- */

static void print_pair(pst_conf_out *out, const char *key, const char *value, bool secret)
{
    char *shown = pst_conf_masked(value, secret);
    if (!shown && out->rc == PST_OK)
        out->rc = PST_E_NOMEM;
    pst_propfile_put(out, key, true);
    pst_conf_put(out, "=");
    pst_propfile_put(out, shown ? shown : "", false);
    pst_conf_put(out, "\n");
    pst_free(shown);
}

static void print_row(pst_conf_out *out, const pst_conf_spec *spec,
                      const pst_props *props, const pst_setting *row)
{
    const pst_prop *prop = pst_props_find(props, row->name);
    bool quiet = row->flags & (PST_CONF_HIDDEN | PST_CONF_LATER);
    if (prop)
        print_pair(out, row->name, prop->value, pst_conf_is_secret(spec, prop));
    else if (row->def && !quiet)
        print_pair(out, row->name, row->def, row->flags & PST_CONF_SECRET);
}

pst_rc pst_conf_print(const pst_conf_spec *spec, const pst_props *props, pst_buf *buf)
{
    pst_conf_out out = pst_conf_out_begin(buf);
    const pst_conf_part *part;
    const pst_setting *row;
    for (size_t i = 0; (row = pst_conf_row(spec, i, &part)); i++)
        print_row(&out, spec, props, row);
    for (size_t i = 0; i < props->n; i++) {
        const pst_prop *prop = &props->items[i];
        if (!pst_conf_find(spec, prop->key))
            print_pair(&out, prop->key, prop->value, pst_conf_is_secret(spec, prop));
    }
    return pst_conf_out_end(&out);
}

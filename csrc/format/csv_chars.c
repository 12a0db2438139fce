/*
 * csv_chars.c - see csv_chars.h.
 */
#include "format/csv_chars.h"

#include "record/utf8.h"

/* ---- options ---- */

static bool unescape(char c, char *out)
{
    static const char from[] = "trbf\"'\\", to[] = "\t\r\b\f\"'\\";
    const char *at = c ? strchr(from, c) : NULL;
    if (at)
        *out = to[at - from];
    return at != NULL;
}

pst_rc pst_csv_parse_sep(const char *value, char out[PST_CSV_SEP_MAX], size_t *n,
                         pst_err *err)
{
    *n = 0;
    if (!*value)
        return pst_fail(err, PST_E_CONFIG, "the separator is empty");
    if (strcmp(value, "\\") == 0)
        return pst_fail(err, PST_E_CONFIG, "a single backslash can't be the separator");
    for (const char *p = value; *p; p++) {
        if (*n + 1 >= PST_CSV_SEP_MAX)
            return pst_fail(err, PST_E_CONFIG, "longer than %d bytes",
                            PST_CSV_SEP_MAX - 1);
        char c = *p;
        if (c == '\\' && p[1] && !unescape(*++p, &c))
            return pst_fail(err, PST_E_CONFIG, "unknown escape '\\%c'", *p);
        out[(*n)++] = c;
    }
    return PST_OK;
}

pst_rc pst_csv_parse_char(const char *value, pst_sv *out, pst_err *err)
{
    size_t n = strlen(value), len = 1;
    if (n == 0 || strcmp(value, "\\u0000") == 0) {
        *out = (pst_sv){"\0", 1};
        return PST_OK;
    }
    if (pst_utf8_valid((pst_sv){value, n}))
        (void)pst_utf8_next((const unsigned char *)value,
                            (const unsigned char *)value + n, &len);
    if (n != len || n > 3)
        return pst_fail(err, PST_E_CONFIG, "takes one character, '%s' has more", value);
    *out = (pst_sv){value, n};
    return PST_OK;
}

static void mark(pst_csv_chars *c, const char *p, size_t n, uint8_t classes)
{
    if (n)
        c->classes[(unsigned char)p[0]] |= classes;
}

void pst_csv_chars_finish(pst_csv_chars *c)
{
    static const char plain[] = "0123456789+-.:TZEINaeflnrstuiy";
    memset(c->classes, 0, sizeof c->classes);
    mark(c, c->sep, c->sep_n, PST_CSV_TRIGGER);
    mark(c, c->quote, c->quote_n, PST_CSV_TRIGGER | PST_CSV_ESCAPED);
    mark(c, c->escape, c->escape_n, PST_CSV_TRIGGER | PST_CSV_ESCAPED);
    mark(c, "\n", 1, PST_CSV_TRIGGER | PST_CSV_ESCAPED);
    mark(c, "\r", 1, PST_CSV_TRIGGER);
    mark(c, c->line, 1, PST_CSV_TRIGGER);
    if (c->line_n > 1)
        mark(c, c->line + 1, 1, PST_CSV_TRIGGER);
    c->plain_numbers = !c->quote_all;
    for (const char *p = plain; *p; p++)
        if (c->classes[(unsigned char)*p] || (c->has_comment && c->comment[0] == *p))
            c->plain_numbers = false;
}

/* ---- fields ---- */

static bool at(const char *p, const char *end, const char *what, size_t n)
{
    return n && (size_t)(end - p) >= n && memcmp(p, what, n) == 0;
}

static bool is_quote(const pst_csv_chars *c, const char *p, const char *end)
{
    return at(p, end, c->quote, c->quote_n);
}

/* Does this character alone put the field into quotes? */
static bool is_trigger(const pst_csv_chars *c, const char *p, const char *end)
{
    if (!(c->classes[(unsigned char)*p] & PST_CSV_TRIGGER))
        return false;
    return *p == '\n' || *p == '\r' || *p == c->line[0] ||
           (c->line_n > 1 && *p == c->line[1]) || at(p, end, c->sep, c->sep_n) ||
           (c->escape_quotes && is_quote(c, p, end));
}

static bool needs_quotes(const pst_csv_chars *c, const char *p, const char *end)
{
    for (; p < end; p++)
        if (is_trigger(c, p, end))
            return true;
    return false;
}

/* A field's text under construction: blanks at its end are not counted when cut. */
typedef struct value {
    pst_buf *out;
    size_t from; /* where it starts in out */
    bool cut;    /* blanks at the end are to go */
} value;

static pst_rc add_plain(value *v, const char *p, const char *end)
{
    return pst_buf_add(v->out, p, (size_t)(end - p));
}

static pst_rc add_quoted(const pst_csv_chars *c, value *v, const char *p, const char *end)
{
    const char *start = p;
    char last = '\0';
    pst_rc rc = PST_OK;
    for (; p < end && rc == PST_OK; p++) {
        last = *p;
        if (!(c->classes[(unsigned char)*p] & PST_CSV_ESCAPED))
            continue;
        bool quote = is_quote(c, p, end), escape = at(p, end, c->escape, c->escape_n);
        if (!quote && !escape && *p != '\n')
            continue;
        rc = add_plain(v, start, p);
        start = p;
        if (rc == PST_OK && quote)
            rc = pst_buf_add(v->out, c->escape, c->escape_n);
        else if (rc == PST_OK && escape)
            rc = pst_buf_add(v->out, c->escape_escape, c->escape_escape_n);
        if (rc == PST_OK && *p == '\n' && c->double_line) {
            rc = pst_buf_add(v->out, c->line, c->line_n);
            start = p + 1;
        }
    }
    v->cut = v->cut || (c->ignore_trailing && (unsigned char)last <= ' ');
    return rc ? rc : add_plain(v, start, end);
}

/* Appends a value; answers whether it belongs in quotes. `special`: the null or the empty
   value, which goes out as it is when it brings its own quotes. */
static pst_rc add_value(const pst_csv_chars *c, bool first, bool *quoted, bool special,
                        pst_sv text, value *v)
{
    const char *p = text.p, *end = text.p + text.n;
    while (c->ignore_leading && p < end && (unsigned char)*p <= ' ')
        p++;
    if (p < end && (is_quote(c, p, end) || (first && c->has_comment &&
                                            at(text.p, end, c->comment, c->comment_n))))
        *quoted = true;
    if (*quoted) {
        bool own = special && text.n >= 2 * c->quote_n && text.n >= 2 &&
                   is_quote(c, text.p, end) &&
                   memcmp(end - c->quote_n, c->quote, c->quote_n) == 0;
        *quoted = !own;
        return own ? add_plain(v, text.p, end) : add_quoted(c, v, p, end);
    }
    const char *start = p;
    for (; p < end; p++) {
        if (!(c->classes[(unsigned char)*p] & PST_CSV_TRIGGER))
            continue;
        bool special_char = is_quote(c, p, end) || at(p, end, c->escape, c->escape_n);
        if (special_char ? needs_quotes(c, p, end) : is_trigger(c, p, end)) {
            *quoted = true;
            pst_rc rc = add_plain(v, start, p);
            return rc ? rc : add_quoted(c, v, p, end);
        }
        if (special_char)
            break; /* nothing behind it needs quotes */
    }
    if (c->ignore_trailing && (end == start || (unsigned char)end[-1] <= ' '))
        v->cut = true;
    return add_plain(v, start, end);
}

static size_t cut_length(const value *v)
{
    size_t n = v->out->len;
    while (v->cut && n > v->from && (unsigned char)v->out->data[n - 1] <= ' ')
        n--;
    return n;
}

/* Nothing but what is cut off at the start? */
static bool is_blank(const pst_csv_chars *c, pst_sv text)
{
    size_t i = 0;
    while (c->ignore_leading && i < text.n && (unsigned char)text.p[i] <= ' ')
        i++;
    return i == text.n;
}

static pst_rc slow_field(const pst_csv_chars *c, bool first, pst_sv text, pst_buf *out)
{
    bool special = text.p == NULL, quoted = c->quote_all;
    if (special) {
        text = c->null_value;
    } else if (is_blank(c, text)) {
        text = c->empty_value;
        special = true;
    }
    size_t before = out->len;
    pst_rc rc = pst_buf_add(out, c->quote, c->quote_n); /* taken out if it isn't needed */
    value v = {.out = out, .from = out->len};
    rc = rc ? rc : add_value(c, first, &quoted, special, text, &v);
    if (rc == PST_OK && cut_length(&v) == v.from && !special) {
        /* Only blanks, where leading ones are kept: the library appends the empty value
           and then cuts as many characters as there were blanks. */
        bool ignored = quoted;
        size_t blanks = out->len - v.from;
        v.cut = false;
        rc = add_value(c, first, &ignored, false, c->empty_value, &v);
        out->len -= rc == PST_OK && !v.cut ? blanks : 0;
    }
    if (rc != PST_OK)
        return rc;
    out->len = cut_length(&v);
    if (quoted)
        return pst_buf_add(out, c->quote, c->quote_n);
    memmove(out->data + before, out->data + v.from, out->len - v.from);
    out->len -= v.from - before;
    return PST_OK;
}

pst_rc pst_csv_field(const pst_csv_chars *c, bool first, pst_sv text, pst_buf *out)
{
    const unsigned char *p = (const unsigned char *)text.p;
    if (!p && !c->quote_all && c->null_value.n == 0)
        return PST_OK;
    if (text.n == 0 || c->quote_all || first || p[0] <= ' ' || p[text.n - 1] <= ' ')
        return slow_field(c, first, text, out);
    for (size_t i = 0; i < text.n; i++)
        if (c->classes[p[i]])
            return slow_field(c, first, text, out);
    return pst_buf_add(out, text.p, text.n);
}

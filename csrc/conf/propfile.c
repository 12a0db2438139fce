/*
 * propfile.c - Java's .properties format, as java.util.Properties.load() reads it.
 *
 * A file that works in Kafka Connect means the same here, so the reader follows the JDK's
 * algorithm step by step rather than its prose: comment and blank lines, logical lines
 * joined by an odd number of backslashes, CR, LF or CRLF, the three separators, escapes
 * that keep an unknown character. It works on bytes: all that matters to it is ASCII.
 *
 * On purpose not Java's: text is UTF-8 (Java reads Latin-1), a leading byte order mark is
 * skipped, and what cannot be a C string is an error of its line: NUL, bytes that are not
 * UTF-8, \uXXXX escapes of one half of a character. Comments are skipped unread. A line
 * without a name is an error. Nothing is looked up and nothing resolved here.
 */
#include "conf/conf_in.h"

typedef struct reader {
    const char *p, *end;
    int line;     /* of the next byte */
    int started;  /* where the logical line began */
    pst_buf text; /* the logical line */
    pst_buf key, value;
} reader;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_eol(char c)
{
    return c == '\n' || c == '\r';
}

/* CRLF is one end of line. */
static char next_char(reader *r)
{
    char c = *r->p++;
    if (c == '\n' || (c == '\r' && (r->p == r->end || *r->p != '\n')))
        r->line++;
    return c;
}

static void skip_blanks(reader *r, bool eols_too)
{
    while (r->p < r->end && (is_blank(*r->p) || (eols_too && is_eol(*r->p))))
        next_char(r);
}

static void skip_line(reader *r)
{
    while (r->p < r->end && !is_eol(next_char(r)))
        ;
}

static bool ends_in_backslash(const pst_buf *text)
{
    size_t n = 0;
    while (n < text->len && text->data[text->len - 1 - n] == '\\')
        n++;
    return n % 2 == 1;
}

/* One natural line into r->text, without its end. A lone backslash at the end is taken
 *off; joined says that it joins the next line (there is one: a file's last byte joins
 *none). */
static pst_rc take_natural(reader *r, bool *joined)
{
    const char *from = r->p;
    while (r->p < r->end && !is_eol(*r->p))
        r->p++;
    pst_rc rc = pst_buf_add(&r->text, from, (size_t)(r->p - from));
    bool at_end = r->p == r->end;
    if (!at_end && next_char(r) == '\r' && r->p < r->end && *r->p == '\n')
        next_char(r);
    *joined = rc == PST_OK && ends_in_backslash(&r->text);
    if (*joined)
        r->text.len--;
    *joined = *joined && !at_end;
    return rc;
}

/* PST_E_NOT_FOUND at the end of the text. */
static pst_rc take_logical(reader *r)
{
    pst_buf_clear(&r->text);
    bool joined = false;
    for (;;) {
        skip_blanks(r, !joined);
        if (r->p == r->end)
            return r->text.len ? PST_OK : PST_E_NOT_FOUND;
        if (r->text.len == 0) {
            if (*r->p == '#' || *r->p == '!') {
                skip_line(r);
                joined = false;
                continue;
            }
            r->started = r->line;
        }
        pst_rc rc = take_natural(r, &joined);
        if (rc != PST_OK || (!joined && r->text.len))
            return rc;
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads XXXX of \uXXXX; -1 if it isn't. */
static int32_t hex4(pst_sv s)
{
    int32_t code = 0;
    if (s.n < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_value(s.p[i]);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

static pst_rc put_utf8(pst_buf *out, uint32_t c)
{
    char b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6)
        b[i] = (char)(0x80 | (c & 0x3F));
    b[0] = (char)(lead[n] | c);
    return pst_buf_add(out, b, n);
}

/* *s starts after "\u" and is moved past the escape (both escapes of a surrogate pair).
 */
static pst_rc put_unicode(pst_buf *out, pst_sv *s, const char **why)
{
    int32_t c = hex4(*s);
    size_t used = 4;
    if (c < 0) {
        *why = "\\u needs four hex digits after it; write \\\\u if a backslash is meant";
        return PST_E_INVALID;
    }
    if (c >= 0xD800 && c < 0xDC00 && s->n >= 10 && s->p[4] == '\\' && s->p[5] == 'u') {
        int32_t low = hex4((pst_sv){s->p + 6, 4});
        if (low >= 0xDC00 && low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            used = 10;
        }
    }
    if (c >= 0xD800 && c < 0xE000) {
        *why = "\\u with half of a surrogate pair; write both halves, or the character "
               "itself in UTF-8";
        return PST_E_INVALID;
    }
    *s = (pst_sv){s->p + used, s->n - used};
    return put_utf8(out, (uint32_t)c);
}

static char escaped(char c)
{
    switch (c) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    default:
        return c;
    }
}

static pst_rc unescape(pst_buf *out, pst_sv s, const char **why)
{
    pst_rc rc = PST_OK;
    pst_buf_clear(out);
    while (s.n && rc == PST_OK) {
        char c = *s.p;
        s = (pst_sv){s.p + 1, s.n - 1};
        if (c == '\\' && s.n) {
            c = *s.p;
            s = (pst_sv){s.p + 1, s.n - 1};
            rc = c == 'u' ? put_unicode(out, &s, why) : pst_buf_addc(out, escaped(c));
        } else {
            rc = pst_buf_addc(out, c);
        }
    }
    if (rc == PST_OK && out->len && memchr(out->data, '\0', out->len)) {
        *why = "a NUL character in it; remove it (is this a text file?)";
        rc = PST_E_INVALID;
    }
    if (rc == PST_OK && !pst_utf8_valid((pst_sv){out->data, out->len})) {
        *why = "bytes that are not UTF-8; save the file as UTF-8, or write \\uXXXX";
        rc = PST_E_INVALID;
    }
    return rc;
}

static size_t key_end(pst_sv s)
{
    size_t i = 0;
    for (bool escape = false; i < s.n; i++) {
        if (!escape && (s.p[i] == '=' || s.p[i] == ':' || is_blank(s.p[i])))
            break;
        escape = s.p[i] == '\\' && !escape;
    }
    return i;
}

static size_t value_start(pst_sv s, size_t i)
{
    bool separated = false;
    for (; i < s.n; i++) {
        if (is_blank(s.p[i]))
            continue;
        if (separated || (s.p[i] != '=' && s.p[i] != ':'))
            break;
        separated = true;
    }
    return i;
}

static pst_sv view_of(const pst_buf *buf)
{
    return (pst_sv){buf->len ? buf->data : "", buf->len};
}

static pst_rc give_pair(reader *r, pst_propfile_cb cb, void *opaque)
{
    pst_sv line = view_of(&r->text);
    size_t key_n = key_end(line), value_at = value_start(line, key_n);
    pst_propfile_pair pair = {.line = r->started, .key = PST_SV(""), .value = PST_SV("")};
    pst_rc rc = unescape(&r->key, (pst_sv){line.p, key_n}, &pair.why);
    if (rc == PST_OK && r->key.len == 0)
        pair.why = "no name before the separator; write name=value";
    if (rc == PST_OK && r->key.len) {
        pair.key = view_of(&r->key);
        rc = unescape(&r->value, (pst_sv){line.p + value_at, line.n - value_at},
                      &pair.why);
        if (rc == PST_OK)
            pair.value = view_of(&r->value);
    }
    return rc == PST_OK || rc == PST_E_INVALID ? cb(opaque, &pair) : rc;
}

static bool looks_utf16(pst_sv text)
{
    return pst_sv_starts(text, PST_SV("\xFF\xFE")) ||
           pst_sv_starts(text, PST_SV("\xFE\xFF"));
}

pst_rc pst_propfile_read(pst_sv text, pst_propfile_cb cb, void *opaque)
{
    if (looks_utf16(text))
        return cb(opaque,
                  &(pst_propfile_pair){.line = 1,
                                       .why = "this is UTF-16; save the file as UTF-8"});
    if (pst_sv_starts(text, PST_SV("\xEF\xBB\xBF")))
        text = (pst_sv){text.p + 3, text.n - 3};
    if (!text.n)
        return PST_OK;
    reader r = {.p = text.p, .end = text.p + text.n, .line = 1};
    pst_buf_init(&r.text, PST_PROPS_FILE_MAX);
    pst_buf_init(&r.key, PST_PROPS_FILE_MAX);
    pst_buf_init(&r.value, PST_PROPS_FILE_MAX);
    pst_rc rc;
    while ((rc = take_logical(&r)) == PST_OK &&
           (rc = give_pair(&r, cb, opaque)) == PST_OK)
        ;
    pst_props_wipe_buf(&r.text);
    pst_props_wipe_buf(&r.key);
    pst_props_wipe_buf(&r.value);
    return rc == PST_E_NOT_FOUND ? PST_OK : rc;
}

static const char *escape_of(char c, bool is_key, bool first)
{
    switch (c) {
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\f':
        return "\\f";
    case ' ':
        return is_key || first ? "\\ " : NULL;
    case '=':
        return is_key ? "\\=" : NULL;
    case ':':
        return is_key ? "\\:" : NULL;
    case '#':
        return is_key && first ? "\\#" : NULL;
    case '!':
        return is_key && first ? "\\!" : NULL;
    default:
        return NULL;
    }
}

void pst_propfile_put(pst_conf_out *out, const char *s, bool is_key)
{
    for (size_t i = 0; s[i]; i++) {
        const char *escape = escape_of(s[i], is_key, i == 0);
        unsigned char c = (unsigned char)s[i];
        if (escape)
            pst_conf_put(out, escape);
        else if (c < 0x20 || c == 0x7F)
            pst_conf_putf(out, "\\u%04X", c);
        else
            pst_conf_putn(out, (pst_sv){s + i, 1});
    }
}

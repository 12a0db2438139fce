/*
 * json_text.c - strings, names and copies of values, see json_text.h.
 *
 * A string is read in units: a code point, or a surrogate half that came as an escape.
 * Java keeps such halves; they become '?' when text leaves it as UTF-8, and \uXXXX when
 * Jackson writes JSON, which also does that to each code point beyond U+FFFF.
 */
#include "record/json_text.h"

#include "record/number.h"
#include "record/utf8.h"

static int hex_value(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool read_hex(pst_json *json, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        if (json->at >= json->end)
            return pst_json_fail(json, "the text ends in an escape");
        int digit = hex_value(*json->at++);
        if (digit < 0)
            return pst_json_fail(json, "\\u needs four hex digits");
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* Behind a backslash. */
static bool read_escape(pst_json *json, uint32_t *out)
{
    if (json->at >= json->end)
        return pst_json_fail(json, "the text ends in an escape");
    size_t len;
    uint32_t c = pst_utf8_next(json->at, json->end, &len);
    json->at += len;
    switch (c) {
    case 'b':
        *out = '\b';
        return true;
    case 't':
        *out = '\t';
        return true;
    case 'n':
        *out = '\n';
        return true;
    case 'f':
        *out = '\f';
        return true;
    case 'r':
        *out = '\r';
        return true;
    case 'u':
        return read_hex(json, out);
    case '"':
    case '/':
    case '\\':
        *out = c;
        return true;
    default:
        *out = c;
        if (json->opt->any_backslash || (c == '\'' && json->opt->single_quotes))
            return true;
        return pst_json_fail(json, "unknown escape");
    }
}

typedef enum unit_rc { UNIT_END, UNIT_OK, UNIT_BAD } unit_rc;

static unit_rc read_unit(pst_json *json, char quote, uint32_t *out)
{
    if (json->at >= json->end) {
        (void)pst_json_fail(json, "the text ends in a string");
        return UNIT_BAD;
    }
    unsigned char c = *json->at;
    if (c == (unsigned char)quote) {
        json->at++;
        return UNIT_END;
    }
    if (c == '\\') {
        json->at++;
        return read_escape(json, out) ? UNIT_OK : UNIT_BAD;
    }
    if (c < ' ' && !json->opt->control_chars) {
        json->at++;
        (void)pst_json_fail(json, "control character in a string");
        return UNIT_BAD;
    }
    size_t len;
    *out = pst_utf8_next(json->at, json->end, &len);
    json->at += len;
    return UNIT_OK;
}

static bool is_high(uint32_t c)
{
    return c >= 0xD800 && c <= 0xDBFF;
}

static bool is_low(uint32_t c)
{
    return c >= 0xDC00 && c <= 0xDFFF;
}

static bool add_code(pst_json *json, pst_buf *buf, uint32_t code)
{
    char bytes[4];
    if (pst_buf_add(buf, bytes, pst_utf8_put(bytes, code)) == PST_OK)
        return true;
    json->nomem = true;
    return pst_json_fail(json, "out of memory");
}

/* Bytes that stand for themselves in any string. */
static size_t plain_run(const pst_json *json, char quote)
{
    const unsigned char *p = json->at;
    while (p < json->end && *p >= ' ' && *p < 0x80 && *p != (unsigned char)quote &&
           *p != '\\')
        p++;
    return (size_t)(p - json->at);
}

/* Decodes up to the closing quote; a lone surrogate half becomes `lone`. */
static bool decode(pst_json *json, char quote, pst_buf *buf, uint32_t lone)
{
    uint32_t unit, high = 0;
    pst_buf_clear(buf);
    for (;;) {
        size_t run = plain_run(json, quote);
        if (run && high && !add_code(json, buf, lone))
            return false;
        if (run) {
            high = 0;
            if (pst_buf_add(buf, json->at, run) != PST_OK) {
                json->nomem = true;
                return pst_json_fail(json, "out of memory");
            }
            json->at += run;
        }
        unit_rc rc = read_unit(json, quote, &unit);
        if (rc == UNIT_BAD)
            return false;
        if (rc == UNIT_OK && high && is_low(unit)) {
            unit = 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00);
            high = 0;
        }
        if (high && !add_code(json, buf, lone))
            return false;
        high = 0;
        if (rc == UNIT_END)
            return true;
        if (is_high(unit))
            high = unit;
        else if (!add_code(json, buf, is_low(unit) ? lone : unit))
            return false;
    }
}

bool pst_json_read_string(pst_json *json, char quote)
{
    json->incomplete = false;
    size_t run = plain_run(json, quote);
    if (json->at + run < json->end && json->at[run] == (unsigned char)quote) {
        json->text = (pst_sv){(const char *)json->at, run};
        json->at += run + 1;
        return true;
    }
    if (!decode(json, quote, &json->text_buf, '?'))
        return false;
    json->text = (pst_sv){json->text_buf.data, json->text_buf.len};
    return true;
}

bool pst_json_skip_string(pst_json *json)
{
    uint32_t unit;
    json->incomplete = false;
    for (;;) {
        json->at += plain_run(json, '"');
        unit_rc rc = read_unit(json, '"', &unit);
        if (rc != UNIT_OK)
            return rc == UNIT_END;
    }
}

bool pst_json_text(pst_json *json, pst_sv *out)
{
    if (json->incomplete && !pst_json_read_string(json, '"'))
        return false;
    *out = json->text;
    return true;
}

/* ---- names ---- */

typedef struct range {
    uint16_t from, to;
} range;

/* Beyond Latin-1 most are letters; these are punctuation, symbols and what is unassigned.
 */
static const range NO_WORD[] = {
    {0x02C2, 0x02C5}, {0x02D2, 0x02DF}, {0x2000, 0x200A}, {0x2010, 0x2029},
    {0x202F, 0x203E}, {0x2041, 0x2053}, {0x2055, 0x205F}, {0x2070, 0x2070},
    {0x2072, 0x207E}, {0x2080, 0x208F}, {0x2190, 0x2BFF}, {0x2E00, 0x2E2E},
    {0x2E30, 0x3004}, {0x3008, 0x3020}, {0x3030, 0x3030}, {0xD800, 0xF8FF},
    {0xFD3E, 0xFD3F}, {0xFE10, 0xFE19}, {0xFE30, 0xFE32}, {0xFE35, 0xFE4C},
    {0xFE50, 0xFE68}, {0xFF01, 0xFF03}, {0xFF05, 0xFF0F}, {0xFF1A, 0xFF20},
    {0xFF3B, 0xFF3E}, {0xFF40, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFFC, 0xFFFF},
};

bool pst_json_is_word_char(uint32_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
        c == '_' || c == '$')
        return true;
    if (c < 0xA0)
        return c <= 8 || (c >= 0x0E && c <= 0x1B) || c >= 0x7F;
    if (c < 0x100)
        return (c >= 0xA2 && c <= 0xA5) || c == 0xAA || c == 0xAD || c == 0xB5 ||
               c == 0xBA || (c >= 0xC0 && c != 0xD7 && c != 0xF7);
    for (size_t i = 0; i < sizeof NO_WORD / sizeof *NO_WORD; i++)
        if (c >= NO_WORD[i].from && c <= NO_WORD[i].to)
            return false;
    return c < 0x10000;
}

/* Within a word only: what shows nothing, and marks upon the letter before. */
static const range NO_START[] = {
    {0x0000, 0x001B}, {0x0030, 0x0039}, {0x007F, 0x009F}, {0x00AD, 0x00AD},
    {0x0300, 0x036F}, {0x0483, 0x0487}, {0x0591, 0x05BD}, {0x0600, 0x0605},
    {0x0610, 0x061A}, {0x064B, 0x0669}, {0x200B, 0x200F}, {0x202A, 0x202E},
    {0x2060, 0x206F}, {0x20D0, 0x20F0}, {0x302A, 0x302F}, {0x3099, 0x309A},
    {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0xFF10, 0xFF19},
    {0xFFF9, 0xFFFB},
};

bool pst_json_begins_word(uint32_t c)
{
    for (size_t i = 0; i < sizeof NO_START / sizeof *NO_START; i++)
        if (c >= NO_START[i].from && c <= NO_START[i].to)
            return false;
    return pst_json_is_word_char(c);
}

/* Jackson's table begins behind the blank: control characters belong to no name. */
static bool is_name_char(uint32_t c)
{
    return c > ' ' && (pst_json_is_word_char(c) || (c < 0x80 && strchr("@#*-+", (int)c)));
}

static bool unquoted_name(pst_json *json)
{
    const unsigned char *from = json->at;
    size_t len;
    while (json->at < json->end && is_name_char(pst_utf8_next(json->at, json->end, &len)))
        json->at += len;
    json->name = (pst_sv){(const char *)from, (size_t)(json->at - from)};
    if (json->name.n)
        return true;
    (void)pst_utf8_next(json->at, json->end, &len);
    json->at += len;
    return pst_json_fail(json, "expected a name");
}

bool pst_json_read_name(pst_json *json, int c)
{
    if (c != '"' && !(c == '\'' && json->opt->single_quotes)) {
        if (!json->opt->unquoted_names)
            return pst_json_fail(json, "expected a name in double quotes");
        json->at--;
        return unquoted_name(json);
    }
    size_t run = plain_run(json, (char)c);
    if (json->at + run < json->end && json->at[run] == c) {
        json->name = (pst_sv){(const char *)json->at, run};
        json->at += run + 1;
        return true;
    }
    /* U+DFFF as bytes is in no valid text: a name with a lone half equals no column */
    if (!decode(json, (char)c, &json->name_buf, 0xDFFF))
        return false;
    json->name = (pst_sv){json->name_buf.data, json->name_buf.len};
    return true;
}

/* ---- copies ---- */

static bool add(pst_json *json, pst_buf *out, const char *bytes, size_t n)
{
    if (pst_buf_add(out, bytes, n) == PST_OK)
        return true;
    json->nomem = true;
    return pst_json_fail(json, "out of memory");
}

static bool add_escaped_unit(pst_json *json, pst_buf *out, uint32_t unit)
{
    static const char hex[] = "0123456789ABCDEF";
    char text[6] = {
        '\\',          'u', hex[unit >> 12], hex[unit >> 8 & 15], hex[unit >> 4 & 15],
        hex[unit & 15]};
    return add(json, out, text, 6);
}

static bool add_json_code(pst_json *json, pst_buf *out, uint32_t c)
{
    static const char short_from[] = "\b\t\n\f\r\"\\", short_to[] = "btnfr\"\\";
    const char *at = c && c < 0x80 ? strchr(short_from, (int)c) : NULL;
    if (at) {
        char text[2] = {'\\', short_to[at - short_from]};
        return add(json, out, text, 2);
    }
    if (c < ' ' || (c >= 0xD800 && c <= 0xDFFF))
        return add_escaped_unit(json, out, c);
    if (c >= 0x10000)
        return add_escaped_unit(json, out, 0xD800 + ((c - 0x10000) >> 10)) &&
               add_escaped_unit(json, out, 0xDC00 + ((c - 0x10000) & 0x3FF));
    return add_code(json, out, c);
}

/* Text that is decoded already, U+DFFF standing for a half that is lost: names. */
static bool add_json_text(pst_json *json, pst_buf *out, pst_sv text)
{
    const unsigned char *p = (const unsigned char *)text.p, *end = p + text.n;
    bool ok = add(json, out, "\"", 1);
    while (ok && p < end) {
        size_t len;
        ok = add_json_code(json, out, pst_utf8_next(p, end, &len));
        p += len;
    }
    return ok && add(json, out, "\"", 1);
}

static bool copy_string(pst_json *json, pst_buf *out)
{
    if (!json->incomplete)
        return add_json_text(json, out, json->text);
    uint32_t unit = 0;
    json->incomplete = false;
    if (!add(json, out, "\"", 1))
        return false;
    for (;;) {
        size_t run = plain_run(json, '"');
        if (run && !add(json, out, (const char *)json->at, run))
            return false;
        json->at += run;
        unit_rc rc = read_unit(json, '"', &unit);
        if (rc != UNIT_OK)
            return rc == UNIT_END && add(json, out, "\"", 1);
        if (!add_json_code(json, out, unit))
            return false;
    }
}

static bool copy_int(pst_json *json, pst_buf *out)
{
    pst_sv text = json->number;
    if (text.n == 2 && text.p[0] == '-' && text.p[1] == '0')
        text = (pst_sv){"0", 1};
    return add(json, out, text.p, text.n);
}

static bool copy_float(pst_json *json, pst_buf *out)
{
    char text[PST_DOUBLE_TEXT_MAX + 2] = "\"";
    if (json->special)
        return add(json, out, "\"", 1) &&
               add(json, out, json->number.p, json->number.n) && add(json, out, "\"", 1);
    double value = pst_number_to_double(json->number);
    size_t n = pst_number_of_double(text + 1, value,
                                    (enum pst_number_format)json->opt->number_format);
    bool quoted = text[n] == 'y'; /* 1e999 is Infinity */
    text[n + 1] = '"';
    return add(json, out, quoted ? text : text + 1, quoted ? n + 2 : n);
}

static bool copy_scalar(pst_json *json, pst_buf *out)
{
    switch (json->cur) {
    case PST_TOK_STRING:
        return copy_string(json, out);
    case PST_TOK_INT:
        return copy_int(json, out);
    case PST_TOK_FLOAT:
        return copy_float(json, out);
    case PST_TOK_TRUE:
        return add(json, out, "true", 4);
    case PST_TOK_FALSE:
        return add(json, out, "false", 5);
    default:
        return add(json, out, "null", 4);
    }
}

bool pst_json_copy(pst_json *json, pst_buf *out)
{
    size_t open = 0;
    bool first = true, named = false;
    if (json->cur == PST_TOK_OBJECT_END || json->cur == PST_TOK_ARRAY_END)
        return pst_json_fail(json, "an end is no value");
    for (;;) {
        pst_tok tok = json->cur;
        bool end = tok == PST_TOK_OBJECT_END || tok == PST_TOK_ARRAY_END;
        if (!first && !named && !end && !add(json, out, ",", 1))
            return false;
        named = tok == PST_TOK_NAME;
        first = tok == PST_TOK_OBJECT || tok == PST_TOK_ARRAY;
        bool ok;
        if (named)
            ok = add_json_text(json, out, json->name) && add(json, out, ":", 1);
        else if (first || end)
            ok = add(json, out,
                     tok == PST_TOK_OBJECT       ? "{"
                     : tok == PST_TOK_OBJECT_END ? "}"
                     : tok == PST_TOK_ARRAY      ? "["
                                                 : "]",
                     1);
        else
            ok = copy_scalar(json, out);
        open += first;
        open -= end;
        if (!ok || open == 0)
            return ok;
        if (!pst_json_next(json))
            return false;
        if (json->cur == PST_TOK_NONE)
            return pst_json_fail(json, "the text ends too early");
    }
}

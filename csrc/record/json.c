/*
 * json.c - tokens, see json.h. Strings and names are in json_text.c.
 */
#include "record/json_text.h"

#include "record/utf8.h"

enum { WORD_SHOWN = 256 }; /* what Jackson quotes of an unknown word */

bool pst_json_fail(pst_json *json, const char *what)
{
    json->error = what;
    json->error_at = (size_t)(json->at - json->begin);
    return false;
}

void pst_json_init(pst_json *json, size_t buffer_max)
{
    *json = (pst_json){.opt = NULL};
    pst_buf_init(&json->name_buf, buffer_max);
    pst_buf_init(&json->text_buf, buffer_max);
}

void pst_json_done(pst_json *json)
{
    pst_buf_done(&json->name_buf);
    pst_buf_done(&json->text_buf);
}

void pst_json_start(pst_json *json, const pst_json_options *opt, pst_sv value)
{
    json->opt = opt;
    json->begin = json->at = (const unsigned char *)value.p;
    json->end = json->begin + value.n;
    json->cur = json->next = PST_TOK_NONE;
    json->depth = 0;
    json->incomplete = json->nomem = json->special = false;
    json->error = NULL;
    json->name = json->text = json->number = (pst_sv){"", 0};
}

static bool in_object(const pst_json *json)
{
    return json->depth && (json->state[json->depth] & 1);
}

/* ---- blanks and comments ---- */

static bool skip_comment(pst_json *json)
{
    if (!json->opt->comments)
        return pst_json_fail(json, "'/' is no JSON (comments are not allowed)");
    if (json->at >= json->end)
        return pst_json_fail(json, "the text ends in a comment");
    unsigned char c = *json->at++;
    if (c == '/') {
        while (json->at < json->end && *json->at != '\n' && *json->at != '\r')
            json->at++;
        return true;
    }
    if (c != '*')
        return pst_json_fail(json, "expected '/' or '*' for a comment");
    for (; json->at + 1 < json->end; json->at++) {
        if (json->at[0] == '*' && json->at[1] == '/') {
            json->at += 2;
            return true;
        }
    }
    json->at = json->end;
    return pst_json_fail(json, "the text ends in a comment");
}

/* Goes past the rest of a character beyond ASCII whose first byte is taken: Java reads
   UTF-16 units, so one byte of a character of two units is left, which is an error too.
 */
static void skip_unit(pst_json *json)
{
    size_t len;
    (void)pst_utf8_next(json->at - 1, json->end, &len);
    json->at += len == 4 ? 2 : len - 1;
}

/* The first character that was not expected; goes past it as Jackson does. */
static bool unexpected(pst_json *json, int c, const char *what)
{
    if (c >= 0x80)
        skip_unit(json);
    return pst_json_fail(json, what);
}

/* The next character that is no blank, consumed, into *c: its first byte beyond ASCII; -1
   at the end of the input. */
static bool skip_blanks(pst_json *json, int *c)
{
    while (json->at < json->end) {
        *c = *json->at++;
        if (*c == '/') {
            if (!skip_comment(json))
                return false;
        } else if (*c > ' ') {
            return true;
        } else if (*c != ' ' && *c != '\n' && *c != '\r' && *c != '\t') {
            return pst_json_fail(json, "control character between tokens");
        }
    }
    *c = -1;
    return true;
}

static bool skip_blanks_or_eof(pst_json *json, int *c)
{
    if (!skip_blanks(json, c))
        return false;
    return *c >= 0 || pst_json_fail(json, "the text ends too early");
}

/* ---- numbers and words ---- */

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int peek(const pst_json *json)
{
    return json->at < json->end ? *json->at : -1;
}

/* Consumes a character; -1 at the end. */
static int take(pst_json *json)
{
    size_t len;
    if (json->at >= json->end)
        return -1;
    uint32_t c = pst_utf8_next(json->at, json->end, &len);
    json->at += len;
    return (int)c;
}

/* Jackson goes past all that looks like a word, for its message; what follows a failed
   field is read from there. `seen` characters of it are behind already. */
static bool word_fail(pst_json *json, size_t seen)
{
    size_t len;
    for (; json->at < json->end && seen < WORD_SHOWN; seen++) {
        if (!pst_json_is_word_char(pst_utf8_next(json->at, json->end, &len)))
            break;
        json->at += len;
    }
    return pst_json_fail(json, "unknown word");
}

static bool match_rest(pst_json *json, const char *word)
{
    size_t seen = 1;
    for (; *word; word++, seen++) {
        if (peek(json) != *word)
            return word_fail(json, seen);
        json->at++;
    }
    size_t len;
    if (json->at < json->end && *json->at >= '0' && /* Jackson looks no lower */
        pst_json_is_word_char(pst_utf8_next(json->at, json->end, &len)))
        return word_fail(json, seen);
    return true;
}

static bool non_numeric(pst_json *json, const char *rest, const char *text)
{
    if (!match_rest(json, rest))
        return false;
    if (!json->opt->non_numeric)
        return pst_json_fail(json, "NaN and Infinity are not allowed");
    json->number = pst_sv_of(text);
    json->special = true;
    json->next = PST_TOK_FLOAT;
    return true;
}

/* After a sign: INF, Infinity. */
static bool signed_word(pst_json *json, bool negative)
{
    const char *text = negative ? "-Infinity" : "Infinity";
    int c = take(json);
    if (c != 'I')
        return pst_json_fail(json, "expected a digit after the sign");
    c = take(json);
    if (c == 'N')
        return non_numeric(json, "F", text);
    if (c == 'n')
        return non_numeric(json, "finity", text);
    return pst_json_fail(json, "unknown word");
}

/* Zeros before other digits: an error, or skipped; *from is where the number starts. */
static bool leading_zeros(pst_json *json, const unsigned char **from)
{
    if (json->at + 1 >= json->end || !is_digit(json->at[1]))
        return true;
    if (!json->opt->leading_zeros) {
        json->at++;
        return pst_json_fail(json, "a number starts with 0");
    }
    while (json->at + 1 < json->end && *json->at == '0' && is_digit(json->at[1]))
        json->at++;
    *from = json->at;
    return true;
}

static size_t skip_digits(pst_json *json)
{
    const unsigned char *from = json->at;
    while (json->at < json->end && is_digit(*json->at))
        json->at++;
    return (size_t)(json->at - from);
}

/* Where Jackson goes on after a number that fails: behind the character that it did not
   expect or, for one that has a whole part other than 0, behind the point or the e that
   ended this part. */
static bool number_fail(pst_json *json, const unsigned char *whole_end, const char *what)
{
    if (whole_end)
        json->at = whole_end + 1;
    else
        (void)take(json);
    return pst_json_fail(json, what);
}

/* A number that lost zeros after its sign has to be put together. */
static bool set_number(pst_json *json, const unsigned char *from, bool negative)
{
    const char *text = (const char *)from;
    size_t n = (size_t)(json->at - from);
    json->number = (pst_sv){text, n};
    if (!negative)
        return true;
    if (text[-1] == '-') {
        json->number = (pst_sv){text - 1, n + 1};
        return true;
    }
    pst_buf_clear(&json->text_buf);
    if (pst_buf_addc(&json->text_buf, '-') || pst_buf_add(&json->text_buf, text, n)) {
        json->nomem = true;
        return pst_json_fail(json, "out of memory");
    }
    json->number = (pst_sv){json->text_buf.data, n + 1};
    return true;
}

static bool read_number(pst_json *json, bool negative)
{
    const unsigned char *from = json->at;
    if (!is_digit(peek(json))) {
        if (negative && peek(json) == 'I')
            return signed_word(json, true);
        return number_fail(json, NULL, "expected a digit after '-'");
    }
    bool zero = *json->at == '0';
    if (zero && !leading_zeros(json, &from))
        return false;
    size_t digits = skip_digits(json);
    const unsigned char *whole_end = zero ? NULL : json->at;
    bool real = false;
    if (peek(json) == '.') {
        json->at++;
        size_t n = skip_digits(json);
        if (n == 0)
            return number_fail(json, whole_end, "expected a digit after the point");
        digits += n;
        real = true;
    }
    if (peek(json) == 'e' || peek(json) == 'E') {
        json->at++;
        if (peek(json) == '-' || peek(json) == '+')
            json->at++;
        size_t n = skip_digits(json);
        if (n == 0)
            return number_fail(json, whole_end, "expected a digit in the exponent");
        digits += n;
        real = true;
    }
    if (digits > PST_JSON_NUMBER_MAX)
        return pst_json_fail(json, "a number has more than 1000 digits");
    json->special = false;
    json->next = real ? PST_TOK_FLOAT : PST_TOK_INT;
    return set_number(json, from, negative);
}

/* ---- tokens ---- */

static bool odd_value(pst_json *json, int c)
{
    if (c == '\'' && json->opt->single_quotes) {
        json->next = PST_TOK_STRING;
        return pst_json_read_string(json, '\'');
    }
    if (c == 'N')
        return non_numeric(json, "aN", "NaN");
    if (c == 'I')
        return non_numeric(json, "nfinity", "Infinity");
    if (c == '+')
        return signed_word(json, false);
    if (c >= 0x80) {
        size_t len;
        c = (int)pst_utf8_next(json->at - 1, json->end, &len);
        skip_unit(json);
    }
    if (pst_json_begins_word((uint32_t)c))
        return word_fail(json, 1);
    return pst_json_fail(json, "expected a value");
}

static bool word(pst_json *json, const char *rest, pst_tok tok)
{
    json->next = tok;
    return match_rest(json, rest);
}

/* Reads the first token of a value into json->next. */
static bool read_value(pst_json *json, int c)
{
    switch (c) {
    case '"':
        json->incomplete = true;
        json->next = PST_TOK_STRING;
        return true;
    case '{':
        json->next = PST_TOK_OBJECT;
        return true;
    case '[':
        json->next = PST_TOK_ARRAY;
        return true;
    case 't':
        return word(json, "rue", PST_TOK_TRUE);
    case 'f':
        return word(json, "alse", PST_TOK_FALSE);
    case 'n':
        return word(json, "ull", PST_TOK_NULL);
    case '-':
        return read_number(json, true);
    default:
        if (!is_digit(c))
            return odd_value(json, c);
        json->at--;
        return read_number(json, false);
    }
}

/* json->next becomes the current token; containers open. */
static bool take_next(pst_json *json)
{
    pst_tok tok = json->next;
    json->next = PST_TOK_NONE;
    if (tok == PST_TOK_OBJECT || tok == PST_TOK_ARRAY) {
        json->depth++;
        if (json->depth > PST_JSON_DEPTH_MAX) {
            json->depth--;
            return pst_json_fail(json, "nested deeper than 1000");
        }
        json->state[json->depth] = tok == PST_TOK_OBJECT;
    }
    json->cur = tok;
    return true;
}

static bool close_scope(pst_json *json, int c)
{
    bool object = c == '}';
    if (json->depth == 0 || object != in_object(json))
        return pst_json_fail(json, object ? "'}' closes nothing" : "']' closes nothing");
    json->depth--;
    json->cur = object ? PST_TOK_OBJECT_END : PST_TOK_ARRAY_END;
    return true;
}

static bool read_name(pst_json *json, int *c)
{
    if (*c >= 0x80 && !json->opt->unquoted_names)
        return unexpected(json, *c, "expected a name in double quotes");
    if (!pst_json_read_name(json, *c))
        return false;
    json->cur = PST_TOK_NAME;
    if (!skip_blanks_or_eof(json, c))
        return false;
    if (*c != ':')
        return unexpected(json, *c, "expected ':' after a name");
    return skip_blanks_or_eof(json, c);
}

bool pst_json_next(pst_json *json)
{
    int c;
    if (json->cur == PST_TOK_NAME)
        return take_next(json);
    if (json->incomplete && !pst_json_skip_string(json))
        return false;
    if (!skip_blanks(json, &c))
        return false;
    if (c < 0) {
        if (json->depth)
            return pst_json_fail(json, "the text ends too early");
        json->cur = PST_TOK_NONE;
        return true;
    }
    if (c == '}' || c == ']')
        return close_scope(json, c);
    if (json->depth) {
        bool had = json->state[json->depth] & 2;
        json->state[json->depth] |= 2;
        if (had && c != ',')
            return unexpected(json, c, "expected ',' or the end of the container");
        if (had && !skip_blanks_or_eof(json, &c))
            return false;
    }
    bool object = in_object(json);
    if (object && !read_name(json, &c))
        return false;
    json->next = PST_TOK_NONE;
    if (!read_value(json, c)) {
        json->next = PST_TOK_NONE;
        return false;
    }
    return object ? true : take_next(json);
}

bool pst_json_skip_children(pst_json *json)
{
    if (json->cur != PST_TOK_OBJECT && json->cur != PST_TOK_ARRAY)
        return true;
    for (size_t open = 1; open;) {
        if (!pst_json_next(json))
            return false;
        if (json->cur == PST_TOK_NONE)
            return pst_json_fail(json, "the text ends too early");
        open += json->cur == PST_TOK_OBJECT || json->cur == PST_TOK_ARRAY;
        open -= json->cur == PST_TOK_OBJECT_END || json->cur == PST_TOK_ARRAY_END;
    }
    return true;
}

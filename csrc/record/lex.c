/*
 * lex.c - see lex.h.
 */
#include "record/lex.h"

#include "base/mem.h"
#include "record/utf8.h"

#include <stdio.h>

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const pst_lex *lex, size_t ahead)
{
    return lex->at + ahead < lex->n ? lex->text[lex->at + ahead] : '\0';
}

pst_rc pst_lex_fail_at(pst_err *err, size_t pos, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pst_fail(err, PST_E_CONFIG, "at character %zu: %s", pos + 1, text);
}

pst_rc pst_lex_fail(pst_lex *lex, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    lex->kind = PST_LEX_BAD;
    return pst_fail(lex->err, PST_E_CONFIG, "at character %zu: %s", lex->pos + 1, text);
}

/* Bracketed comments nest, as in Spark. */
static void skip_bracketed(pst_lex *lex)
{
    size_t start = lex->at, depth = 0;
    while (lex->at < lex->n) {
        if (peek(lex, 0) == '/' && peek(lex, 1) == '*') {
            depth++;
            lex->at += 2;
        } else if (peek(lex, 0) == '*' && peek(lex, 1) == '/') {
            lex->at += 2;
            if (--depth == 0)
                return;
        } else {
            lex->at++;
        }
    }
    lex->pos = start;
    (void)pst_lex_fail(lex, "comment is not closed by */");
}

static void skip_blanks(pst_lex *lex)
{
    while (lex->at < lex->n && lex->kind != PST_LEX_BAD) {
        char c = peek(lex, 0);
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            lex->at++;
        } else if (c == '-' && peek(lex, 1) == '-') {
            while (lex->at < lex->n && peek(lex, 0) != '\n')
                lex->at++;
        } else if (c == '/' && peek(lex, 1) == '*') {
            skip_bracketed(lex);
        } else {
            return;
        }
    }
}

static char unescape(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'b':
        return '\b';
    case '0':
        return '\0';
    case 'Z':
        return '\x1a';
    default:
        return c;
    }
}

/* `digits` of them in a base at p; -1 = they are not there. */
static int64_t read_code(const char *p, const char *end, size_t digits, int base)
{
    int64_t code = 0;
    if ((size_t)(end - p) < digits)
        return -1;
    for (size_t i = 0; i < digits; i++) {
        char c = p[i];
        int digit = is_digit(c)            ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 99;
        if (digit >= base)
            return -1;
        code = code * base + digit;
    }
    return code;
}

/* Half of a pair without the other one is a question mark, as Java prints it. */
static uint32_t join_pair(int64_t code, const char **p, const char *end)
{
    if (code < 0xD800 || code > 0xDFFF)
        return code > 0x10FFFF ? '?' : (uint32_t)code;
    int64_t low = end - *p > 2 && (*p)[0] == '\\' && (*p)[1] == 'u'
                      ? read_code(*p + 2, end, 4, 16)
                      : -1;
    if (code > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
        return '?';
    *p += 6;
    return 0x10000u + ((uint32_t)code - 0xD800u) * 0x400u + ((uint32_t)low - 0xDC00u);
}

/* Behind a backslash: \u and four digits, \U and eight, three octal ones, one character.
   \% and \_ keep their backslash. Answers where it ends. */
static const char *read_escape(const char *p, const char *end, char *out, size_t *n)
{
    bool wide = *p == 'U', octal = *p == '0' || *p == '1';
    int64_t code = -1;
    size_t digits = wide ? 8 : 4;
    if (wide || *p == 'u')
        code = read_code(p + 1, end, digits, 16);
    else if (octal)
        code = read_code(p, end, digits = 3, 8);
    if (code >= 0) {
        p += digits + !octal;
        *n += pst_utf8_put(out + *n, join_pair(code, &p, end));
        return p;
    }
    if (*p == '%' || *p == '_')
        out[(*n)++] = '\\';
    out[(*n)++] = unescape(*p);
    return p + 1;
}

/* A quoted token: back-quotes are doubled, strings use backslashes. */
static void read_quoted(pst_lex *lex, char quote)
{
    size_t from = lex->at + 1, i = from;
    lex->value = pst_malloc(lex->n - from + 1);
    if (!lex->value) {
        (void)pst_fail_nomem(lex->err, "a quoted word");
        lex->kind = PST_LEX_BAD;
        return;
    }
    for (;; i++) {
        if (i >= lex->n) {
            (void)pst_lex_fail(lex, "%s is not closed",
                               quote == '`' ? "back-quoted name" : "string");
            return;
        }
        char c = lex->text[i];
        if (c == quote && i + 1 < lex->n && lex->text[i + 1] == quote && quote == '`')
            i++;
        else if (c == quote)
            break;
        if (c == '\\' && quote != '`' && i + 1 < lex->n) {
            const char *next = read_escape(lex->text + i + 1, lex->text + lex->n,
                                           lex->value, &lex->value_n);
            i = (size_t)(next - lex->text) - 1;
            continue;
        }
        lex->value[lex->value_n++] = c;
    }
    lex->value[lex->value_n] = '\0';
    lex->at = i + 1;
    lex->kind = quote == '`' ? PST_LEX_QUOTED : PST_LEX_STRING;
    if (quote == '`' && lex->value_n == 0)
        (void)pst_lex_fail(lex, "a back-quoted name is empty");
}

static void read_number(pst_lex *lex)
{
    lex->kind = PST_LEX_NUMBER;
    while (is_digit(peek(lex, 0)))
        lex->at++;
    if (peek(lex, 0) == '.') {
        lex->at++;
        while (is_digit(peek(lex, 0)))
            lex->at++;
    }
    char c = peek(lex, 0);
    if (c == 'e' || c == 'E') {
        size_t sign = peek(lex, 1) == '+' || peek(lex, 1) == '-' ? 2 : 1;
        if (is_digit(peek(lex, sign))) {
            lex->at += sign;
            while (is_digit(peek(lex, 0)))
                lex->at++;
        }
    }
    while (is_word_char(peek(lex, 0))) /* 10L, 1.5BD: or a name such as 1st */
        lex->at++;
}

/* Digits followed by letters without a point are a name in Spark (`2fa`), except for the
   suffixes of literals. */
static bool number_is_word(pst_sv raw)
{
    size_t digits = 0;
    while (digits < raw.n && is_digit(raw.p[digits]))
        digits++;
    if (digits == raw.n || memchr(raw.p, '.', raw.n))
        return false;
    pst_sv rest = {raw.p + digits, raw.n - digits};
    static const char *const suffixes[] = {"L", "S", "Y", "D", "F", "BD"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (pst_sv_eq_nocase(rest, pst_sv_of(suffixes[i])))
            return false;
    char c = rest.p[0];
    return !((c == 'e' || c == 'E') && rest.n > 1 &&
             (is_digit(rest.p[1]) || rest.p[1] == '-' || rest.p[1] == '+'));
}

static void read_symbol(pst_lex *lex)
{
    static const char *const pairs[] = {"<>", "<=", ">=", "==", "!=", "||"};
    lex->kind = PST_LEX_SYMBOL;
    unsigned char c = (unsigned char)peek(lex, 0);
    if (c >= 0x80 || c < 0x20) {
        (void)pst_lex_fail(lex,
                           "byte 0x%02x; names that are not plain ASCII letters, "
                           "digits and _ need back-quotes",
                           c);
        return;
    }
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i][0] == peek(lex, 0) && pairs[i][1] == peek(lex, 1)) {
            lex->at += 2;
            return;
        }
    }
    lex->at++;
}

void pst_lex_next(pst_lex *lex)
{
    if (lex->kind == PST_LEX_BAD)
        return;
    pst_free(lex->value);
    lex->value = NULL;
    lex->value_n = 0;
    skip_blanks(lex);
    if (lex->kind == PST_LEX_BAD)
        return;
    lex->pos = lex->at;
    if (lex->at >= lex->n) {
        lex->kind = PST_LEX_END;
        lex->raw = (pst_sv){"", 0};
        return;
    }
    char c = peek(lex, 0);
    if (c == '`' || c == '\'' || c == '"') {
        read_quoted(lex, c);
    } else if (is_digit(c) || (c == '.' && is_digit(peek(lex, 1)))) {
        read_number(lex);
    } else if (is_word_char(c)) {
        lex->kind = PST_LEX_WORD;
        while (is_word_char(peek(lex, 0)))
            lex->at++;
    } else {
        read_symbol(lex);
    }
    lex->raw = (pst_sv){lex->text + lex->pos, lex->at - lex->pos};
    if (lex->kind == PST_LEX_NUMBER && number_is_word(lex->raw))
        lex->kind = PST_LEX_WORD;
}

void pst_lex_init(pst_lex *lex, const char *text, pst_err *err)
{
    *lex = (pst_lex){.text = text, .n = strlen(text), .err = err, .kind = PST_LEX_END};
    if (lex->n > PST_LEX_TEXT_MAX) {
        (void)pst_fail(err, PST_E_CONFIG, "longer than %d bytes", PST_LEX_TEXT_MAX);
        lex->kind = PST_LEX_BAD;
        return;
    }
    pst_lex_next(lex);
}

void pst_lex_done(pst_lex *lex)
{
    pst_free(lex->value);
    lex->value = NULL;
}

bool pst_lex_is(const pst_lex *lex, char symbol)
{
    return lex->kind == PST_LEX_SYMBOL && lex->raw.n == 1 && lex->raw.p[0] == symbol;
}

bool pst_lex_is_word(const pst_lex *lex, const char *keyword)
{
    return lex->kind == PST_LEX_WORD && pst_sv_eq_nocase(lex->raw, pst_sv_of(keyword));
}

bool pst_lex_is_name(const pst_lex *lex)
{
    return lex->kind == PST_LEX_WORD || lex->kind == PST_LEX_QUOTED;
}

char *pst_lex_take_name(pst_lex *lex)
{
    if (lex->kind == PST_LEX_QUOTED) {
        char *value = lex->value;
        lex->value = NULL;
        return value;
    }
    return pst_strndup(lex->raw.p, lex->raw.n);
}

const char *pst_lex_seen(const pst_lex *lex, char out[48])
{
    if (lex->kind == PST_LEX_END)
        return "the end";
    size_t n = lex->raw.n < 40 ? lex->raw.n : 40;
    snprintf(out, 48, "'%.*s'%s", (int)n, lex->raw.p, n < lex->raw.n ? "…" : "");
    return out;
}

/*
 * charset.c - see charset.h. The common sets are written out here; others go through
 * libc's iconv, one character at a time where one cannot be converted.
 */
#include "format/charset.h"

#include "base/mem.h"
#include "record/utf8.h"

#include <errno.h>
#include <iconv.h>

typedef enum kind {
    KIND_UTF8,
    KIND_LATIN1,
    KIND_ASCII,
    KIND_UTF16, /* with a mark */
    KIND_UTF16BE,
    KIND_UTF16LE,
    KIND_UTF32BE,
    KIND_UTF32LE,
    KIND_ICONV,
} kind;

struct pst_charset {
    kind kind;
    bool fresh;
    iconv_t iconv;
};

typedef struct alias {
    const char *name;
    kind kind;
} alias;

static const alias ALIASES[] = {
    {"UTF-8", KIND_UTF8},       {"UTF8", KIND_UTF8},        {"ISO-8859-1", KIND_LATIN1},
    {"ISO8859_1", KIND_LATIN1}, {"ISO8859-1", KIND_LATIN1}, {"ISO_8859-1", KIND_LATIN1},
    {"latin1", KIND_LATIN1},    {"l1", KIND_LATIN1},        {"US-ASCII", KIND_ASCII},
    {"ASCII", KIND_ASCII},      {"UTF-16", KIND_UTF16},     {"UTF16", KIND_UTF16},
    {"UTF_16", KIND_UTF16},     {"UTF-16BE", KIND_UTF16BE}, {"UTF-16LE", KIND_UTF16LE},
    {"UTF-32", KIND_UTF32BE},   {"UTF-32BE", KIND_UTF32BE}, {"UTF-32LE", KIND_UTF32LE},
};

pst_rc pst_charset_new(pst_charset **out, const char *name, pst_err *err)
{
    pst_charset charset = {.kind = KIND_ICONV, .fresh = true};
    for (size_t i = 0; i < sizeof ALIASES / sizeof *ALIASES; i++)
        if (pst_sv_eq_nocase(pst_sv_of(name), pst_sv_of(ALIASES[i].name)))
            charset.kind = ALIASES[i].kind;
    if (charset.kind == KIND_ICONV) {
        if (!*name || strchr(name, '/')) /* iconv's //TRANSLIT is none of ours */
            return pst_fail(err, PST_E_CONFIG, "unknown character set '%s'", name);
        charset.iconv = iconv_open(name, "UTF-8");
        if (charset.iconv == (iconv_t)-1)
            return pst_fail(err, PST_E_CONFIG,
                            "unknown character set '%s'; examples: UTF-8, ISO-8859-1, "
                            "UTF-16, windows-1252",
                            name);
    }
    *out = pst_malloc(sizeof **out);
    if (!*out) {
        if (charset.kind == KIND_ICONV)
            iconv_close(charset.iconv);
        return pst_fail_nomem(err, "a character set");
    }
    **out = charset;
    return PST_OK;
}

void pst_charset_free(pst_charset *charset)
{
    if (charset && charset->kind == KIND_ICONV)
        iconv_close(charset->iconv);
    pst_free(charset);
}

bool pst_charset_is_utf8(const pst_charset *charset)
{
    return charset->kind == KIND_UTF8;
}

void pst_charset_reset(pst_charset *charset)
{
    charset->fresh = true;
    if (charset->kind == KIND_ICONV)
        iconv(charset->iconv, NULL, NULL, NULL, NULL);
}

static size_t put16(char *out, uint32_t unit, bool little)
{
    out[little] = (char)(unit >> 8);
    out[!little] = (char)unit;
    return 2;
}

static size_t encode_one(const pst_charset *charset, uint32_t code, char out[4])
{
    bool little = charset->kind == KIND_UTF16LE;
    switch (charset->kind) {
    case KIND_LATIN1:
        out[0] = (char)(code < 0x100 ? code : '?');
        return 1;
    case KIND_ASCII:
        out[0] = (char)(code < 0x80 ? code : '?');
        return 1;
    case KIND_UTF32BE:
        (void)put16(out, code >> 16, false);
        return 2 + put16(out + 2, code, false);
    case KIND_UTF32LE:
        (void)put16(out, code, true);
        return 2 + put16(out + 2, code >> 16, true);
    default:
        if (code < 0x10000)
            return put16(out, code, little);
        (void)put16(out, 0xD800 + ((code - 0x10000) >> 10), little);
        return 2 + put16(out + 2, 0xDC00 + ((code - 0x10000) & 0x3FF), little);
    }
}

static pst_rc add_own(const pst_charset *charset, pst_sv text, pst_buf *out)
{
    const unsigned char *p = (const unsigned char *)text.p, *end = p + text.n;
    pst_rc rc = pst_buf_reserve(out, text.n * 4);
    if (rc != PST_OK)
        return rc;
    while (p < end) {
        size_t len;
        uint32_t code = pst_utf8_next(p, end, &len);
        out->len += encode_one(charset, code, out->data + out->len);
        p += len;
    }
    return PST_OK;
}

static pst_rc add_iconv(pst_charset *charset, pst_sv text, pst_buf *out)
{
    char *in = (char *)(uintptr_t)text.p;
    size_t left = text.n;
    while (left) {
        pst_rc rc = pst_buf_reserve(out, left * 4 + 16);
        if (rc != PST_OK)
            return rc;
        char *to = out->data + out->len;
        size_t room = left * 4 + 16, before = room;
        size_t got = iconv(charset->iconv, &in, &left, &to, &room);
        out->len += before - room;
        if (got != (size_t)-1 || errno == E2BIG)
            continue;
        size_t skip;
        (void)pst_utf8_next((const unsigned char *)in, (const unsigned char *)in + left,
                            &skip);
        in += skip;
        left -= skip;
        rc = add_iconv(charset, PST_SV("?"), out);
        if (rc != PST_OK)
            return rc;
    }
    return PST_OK;
}

pst_rc pst_charset_add(pst_charset *charset, pst_sv text, pst_buf *out)
{
    if (charset->kind == KIND_UTF8)
        return pst_buf_add(out, text.p, text.n);
    if (charset->fresh && text.n && charset->kind == KIND_UTF16) {
        pst_rc rc = pst_buf_add(out, "\xFE\xFF", 2);
        if (rc != PST_OK)
            return rc;
    }
    charset->fresh = charset->fresh && text.n == 0;
    return charset->kind == KIND_ICONV ? add_iconv(charset, text, out)
                                       : add_own(charset, text, out);
}

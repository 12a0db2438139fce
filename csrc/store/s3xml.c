/*
 * s3xml.c - see s3xml.h. A small pull parser: elements, text, character references,
 * CDATA; declarations and comments are skipped, a DOCTYPE is refused. Namespaces'
 * prefixes are cut off names, attributes are skipped. It reads what it is given once and
 * allocates only the text of the element at hand.
 */
#include "store/s3xml.h"

#include "base/mem.h"

#include <stdio.h>

enum {
    DEPTH_MAX = 8,
    NAME_MAX_BYTES = 64,
    TEXT_MAX = 16 * 1024,
    TOKEN_MAX = 8 * 1024,
};

typedef enum event { OPENED, CLOSED, END, BROKEN } event;

typedef struct parser {
    pst_sv rest;
    pst_sv names[DEPTH_MAX]; /* of the open elements, prefix and all */
    size_t depth;
    pst_sv name;  /* of the element of the last event, without its prefix */
    pst_buf text; /* of the innermost element since the last event */
    bool self_closing;
    bool nomem; /* BROKEN because there was no memory */
} parser;

static void parser_init(parser *p, pst_sv xml)
{
    *p = (parser){.rest = xml};
    pst_buf_init(&p->text, TEXT_MAX);
}

static void advance(parser *p, size_t n)
{
    p->rest.p += n;
    p->rest.n -= n;
}

/* Skips up to and with `end`. */
static bool skip_past(parser *p, pst_sv end)
{
    for (; p->rest.n >= end.n; advance(p, 1))
        if (pst_sv_starts(p->rest, end)) {
            advance(p, end.n);
            return true;
        }
    return false;
}

/* ---- text ---- */

static bool add_text(parser *p, const void *bytes, size_t n)
{
    pst_rc rc = pst_buf_add(&p->text, bytes, n);
    p->nomem = p->nomem || rc == PST_E_NOMEM;
    return rc == PST_OK;
}

static size_t utf8_of(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

static int digit_of(char c, uint32_t base)
{
    int d = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : 99;
    return d < (int)base ? d : -1;
}

/* "#60", "#x3c" → the character; 0 if it is none that XML allows. */
static uint32_t numbered(pst_sv ref)
{
    uint32_t base = ref.n > 1 && ref.p[1] == 'x' ? 16 : 10;
    uint32_t value = 0;
    size_t i = base == 16 ? 2 : 1;
    if (i == ref.n)
        return 0;
    for (; i < ref.n; i++) {
        int d = digit_of(ref.p[i], base);
        if (d < 0 || value > 0x10FFFF)
            return 0;
        value = value * base + (uint32_t)d;
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        return 0;
    return value;
}

static uint32_t referred(pst_sv ref)
{
    static const struct {
        const char *name;
        char c;
    } named[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    if (ref.n && ref.p[0] == '#')
        return numbered(ref);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (pst_sv_is(ref, named[i].name))
            return (uint32_t)named[i].c;
    return 0;
}

static bool read_reference(parser *p)
{
    size_t n = 1;
    while (n < p->rest.n && n < 12 && p->rest.p[n] != ';')
        n++;
    if (n >= p->rest.n || p->rest.p[n] != ';')
        return false;
    char utf8[4];
    uint32_t c = referred((pst_sv){p->rest.p + 1, n - 1});
    advance(p, n + 1);
    return c && add_text(p, utf8, utf8_of(c, utf8));
}

static bool read_text(parser *p)
{
    while (p->rest.n && p->rest.p[0] != '<') {
        if (p->rest.p[0] == '&') {
            if (!read_reference(p))
                return false;
            continue;
        }
        size_t n = 0;
        while (n < p->rest.n && p->rest.p[n] != '<' && p->rest.p[n] != '&')
            n++;
        if (!add_text(p, p->rest.p, n))
            return false;
        advance(p, n);
    }
    return true;
}

static bool read_cdata(parser *p)
{
    advance(p, 9);
    const char *start = p->rest.p;
    if (!skip_past(p, PST_SV("]]>")))
        return false;
    return add_text(p, start, (size_t)(p->rest.p - start) - 3);
}

/* ---- elements ---- */

static pst_sv read_name(parser *p)
{
    static const char ends[] = " \t\r\n/><=\"'&";
    size_t n = 0;
    while (n < p->rest.n && n <= NAME_MAX_BYTES &&
           !memchr(ends, p->rest.p[n], sizeof ends))
        n++;
    pst_sv name = {p->rest.p, n};
    advance(p, n);
    if (n > NAME_MAX_BYTES)
        name.n = 0;
    return name;
}

static pst_sv without_prefix(pst_sv name)
{
    pst_sv local;
    (void)pst_sv_cut(name, ':', &local);
    return local.p ? local : name;
}

/* To the end of a tag, over attributes with any text in quotes. */
static bool skip_attributes(parser *p)
{
    while (p->rest.n && p->rest.p[0] != '>') {
        char c = p->rest.p[0];
        advance(p, 1);
        if (c == '<')
            return false;
        if ((c == '"' || c == '\'') && !skip_past(p, (pst_sv){&c, 1}))
            return false;
        p->self_closing = c == '/';
    }
    if (!p->rest.n)
        return false;
    advance(p, 1);
    return true;
}

static event read_open(parser *p)
{
    advance(p, 1);
    pst_sv name = read_name(p);
    p->self_closing = false;
    if (!name.n || p->depth == DEPTH_MAX || !skip_attributes(p))
        return BROKEN;
    p->names[p->depth++] = name;
    p->name = without_prefix(name);
    pst_buf_clear(&p->text);
    return OPENED;
}

static event read_close(parser *p)
{
    advance(p, 2);
    pst_sv name = read_name(p);
    if (!p->depth || !pst_sv_eq(name, p->names[p->depth - 1]) || !skip_attributes(p) ||
        p->self_closing) /* </a/> would close twice */
        return BROKEN;
    p->depth--;
    p->name = without_prefix(name);
    return CLOSED;
}

/* After CLOSED the text of the element is in p->text, if it had no children. */
static event next(parser *p)
{
    if (p->self_closing) {
        p->self_closing = false;
        p->depth--;
        return CLOSED;
    }
    for (;;) {
        if (!read_text(p))
            return BROKEN;
        if (!p->rest.n)
            return p->depth ? BROKEN : END;
        if (pst_sv_starts(p->rest, PST_SV("</")))
            return read_close(p);
        bool ok;
        if (pst_sv_starts(p->rest, PST_SV("<?")))
            ok = skip_past(p, PST_SV("?>"));
        else if (pst_sv_starts(p->rest, PST_SV("<!--")))
            ok = skip_past(p, PST_SV("-->"));
        else if (pst_sv_starts(p->rest, PST_SV("<![CDATA[")))
            ok = read_cdata(p);
        else if (pst_sv_starts(p->rest, PST_SV("<!")))
            ok = false;
        else
            return read_open(p);
        if (!ok)
            return BROKEN;
    }
}

static pst_sv text_of(const parser *p)
{
    return (pst_sv){p->text.data ? p->text.data : "", p->text.len};
}

/* The first element's name must be `name`. */
static bool starts_with(parser *p, const char *name)
{
    return next(p) == OPENED && pst_sv_is(p->name, name);
}

/* ---- errors ---- */

/* One line of printable text, cut to fit. */
static void copy_line(pst_sv from, char *out, size_t size)
{
    from = pst_sv_trim(from);
    size_t n = from.n < size - 1 ? from.n : size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)from.p[i] < 0x20 || from.p[i] == 0x7f ? ' ' : from.p[i];
    while (n && n < from.n && ((unsigned char)from.p[n] & 0xC0) == 0x80)
        n--; /* not in the middle of a character */
    out[n] = '\0';
}

bool pst_s3xml_error_of(pst_sv xml, pst_s3xml_error *out)
{
    parser p;
    parser_init(&p, xml);
    *out = (pst_s3xml_error){0};
    bool found = next(&p) == OPENED;
    size_t depth = pst_sv_is(p.name, "ErrorResponse") ? 2 : 1; /* STS wraps it */
    found = found && (depth == 2 || pst_sv_is(p.name, "Error"));
    event e = OPENED;
    while (found && (e == OPENED || e == CLOSED)) {
        e = next(&p);
        if (e != CLOSED || p.depth != depth)
            continue;
        if (pst_sv_is(p.name, "Code"))
            copy_line(text_of(&p), out->code, sizeof out->code);
        else if (pst_sv_is(p.name, "Message"))
            copy_line(text_of(&p), out->message, sizeof out->message);
        else if (pst_sv_is(p.name, "Region"))
            copy_line(text_of(&p), out->region, sizeof out->region);
    }
    pst_buf_done(&p.text);
    return found;
}

/* ---- temporary keys ---- */

static bool take_text(const parser *p, char *out, size_t size)
{
    pst_sv text = pst_sv_trim(text_of(p));
    if (text.n >= size || (text.n && memchr(text.p, 0, text.n)))
        return false;
    if (text.n)
        memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

static bool take_key(const parser *p, pst_s3xml_keys *out)
{
    if (pst_sv_is(p->name, "AccessKeyId"))
        return take_text(p, out->id, sizeof out->id);
    if (pst_sv_is(p->name, "SecretAccessKey"))
        return take_text(p, out->secret, sizeof out->secret);
    if (pst_sv_is(p->name, "SessionToken"))
        return take_text(p, out->token, sizeof out->token);
    if (pst_sv_is(p->name, "Expiration"))
        return take_text(p, out->expires, sizeof out->expires);
    return true;
}

/* <…Response><…Result><Credentials><AccessKeyId>… */
bool pst_s3xml_keys_of(pst_sv xml, pst_s3xml_keys *out)
{
    parser p;
    parser_init(&p, xml);
    *out = (pst_s3xml_keys){0};
    bool ok =
        pst_buf_reserve(&p.text, TEXT_MAX / 2) == PST_OK; /* nothing is left behind */
    bool inside = false;
    event e = OPENED;
    while (ok && (e == OPENED || e == CLOSED)) {
        e = next(&p);
        if (e == OPENED && p.depth == 3)
            inside = pst_sv_is(p.name, "Credentials");
        else if (e == CLOSED && inside && p.depth == 3)
            ok = take_key(&p, out);
    }
    if (p.text.data)
        pst_wipe(p.text.data, p.text.cap);
    pst_buf_done(&p.text);
    return ok && e == END && out->id[0] && out->secret[0];
}

/* ---- listings ---- */

void pst_s3xml_page_init(pst_s3xml_page *page)
{
    *page = (pst_s3xml_page){0};
    pst_buf_init(&page->token, TOKEN_MAX);
}

void pst_s3xml_page_done(pst_s3xml_page *page)
{
    pst_buf_done(&page->token);
}

static pst_rc fail_page(pst_err *err, const char *why)
{
    return pst_fail_retriable(err, PST_E_INVALID, "the listing %s", why);
}

/* First pass: what holds for the whole page; EncodingType may come last. */
static pst_rc read_page(pst_sv xml, pst_s3xml_page *page, bool *url_encoded)
{
    parser p;
    parser_init(&p, xml);
    bool ok = starts_with(&p, "ListBucketResult");
    event e = OPENED;
    while (ok && (e == OPENED || e == CLOSED)) {
        e = next(&p);
        if (e != CLOSED || p.depth != 1)
            continue;
        if (pst_sv_is(p.name, "IsTruncated"))
            page->truncated = pst_sv_is(pst_sv_trim(text_of(&p)), "true");
        else if (pst_sv_is(p.name, "EncodingType"))
            *url_encoded = pst_sv_is(pst_sv_trim(text_of(&p)), "url");
        else if (pst_sv_is(p.name, "NextContinuationToken")) {
            pst_buf_clear(&page->token);
            pst_rc rc = pst_buf_add(&page->token, p.text.data, p.text.len);
            p.nomem = p.nomem || rc == PST_E_NOMEM;
            ok = rc == PST_OK;
        }
    }
    pst_buf_done(&p.text);
    if (p.nomem)
        return PST_E_NOMEM;
    return ok && e == END ? PST_OK : PST_E_INVALID;
}

/* As in a form: + is a blank. Keeps what is no escape. False if it does not fit or holds
   a NUL. */
static bool decode_key(pst_sv text, bool url_encoded, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (url_encoded && c == '+')
            c = ' ';
        if (url_encoded && c == '%' && i + 2 < text.n) {
            int high = digit_of(text.p[i + 1], 16);
            int low = digit_of(text.p[i + 2], 16);
            if (high >= 0 && low >= 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        if (!c || n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return n > 0;
}

typedef struct contents {
    char key[PST_STORE_KEY_MAX + 1];
    int64_t size;
    bool has_key;
} contents;

/* Second pass: <Contents><Key>…</Key><Size>…</Size></Contents>, one by one. */
static pst_rc read_contents(parser *p, bool url_encoded, contents *now,
                            pst_s3xml_page *page, pst_s3xml_each each, void *opaque,
                            pst_err *err)
{
    if (p->depth == 2 && pst_sv_is(p->name, "Key")) {
        now->has_key = decode_key(text_of(p), url_encoded, now->key, sizeof now->key);
        return now->has_key ? PST_OK : fail_page(err, "has a key that is no S3 key");
    }
    if (p->depth == 2 && pst_sv_is(p->name, "Size"))
        return pst_sv_to_i64(pst_sv_trim(text_of(p)), &now->size) && now->size >= 0
                   ? PST_OK
                   : fail_page(err, "has a size that is no number");
    if (p->depth != 1 || !pst_sv_is(p->name, "Contents"))
        return PST_OK;
    if (!now->has_key)
        return fail_page(err, "has an entry without a key");
    page->keys++;
    pst_rc rc = each(opaque, now->key, now->size);
    now->has_key = false;
    now->size = 0;
    return rc;
}

pst_rc pst_s3xml_list_of(pst_sv xml, pst_s3xml_page *page, pst_s3xml_each each,
                         void *opaque, pst_err *err)
{
    bool url_encoded = false;
    page->truncated = false;
    page->keys = 0;
    pst_buf_clear(&page->token);
    pst_rc rc = read_page(xml, page, &url_encoded);
    if (rc == PST_E_NOMEM)
        return pst_fail_nomem(err, "a listing");
    if (rc != PST_OK)
        return fail_page(err, "is no whole <ListBucketResult>");
    if (page->truncated && !page->token.len)
        return fail_page(err, "goes on, but has no continuation token");
    parser p;
    contents now = {0};
    parser_init(&p, xml);
    event e = next(&p);
    bool inside = false; /* a <Contents> */
    for (; rc == PST_OK && (e == OPENED || e == CLOSED); e = next(&p)) {
        if (e == OPENED && p.depth == 2)
            inside = pst_sv_is(p.name, "Contents");
        else if (e == CLOSED && inside)
            rc = read_contents(&p, url_encoded, &now, page, each, opaque, err);
    }
    if (rc == PST_OK && p.nomem)
        rc = pst_fail_nomem(err, "a listing");
    pst_buf_done(&p.text);
    return rc;
}

/* ---- single fields ---- */

/* Trimmed; false if it does not fit or holds a NUL. */
static bool copy_whole(pst_sv text, char *out, size_t size)
{
    text = pst_sv_trim(text);
    if (!text.n || text.n >= size || memchr(text.p, 0, text.n))
        return false;
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

bool pst_s3xml_field(pst_sv xml, const char *root, const char *name, char *out,
                     size_t size)
{
    parser p;
    parser_init(&p, xml);
    out[0] = '\0';
    bool ok = starts_with(&p, root), found = false;
    event e = OPENED;
    while (ok && (e == OPENED || e == CLOSED)) {
        e = next(&p);
        if (e == CLOSED && p.depth == 1 && pst_sv_is(p.name, name))
            found = ok = copy_whole(text_of(&p), out, size);
    }
    pst_buf_done(&p.text);
    if (!ok || !found || e != END)
        out[0] = '\0';
    return out[0] != '\0';
}

/* ---- uploads in parts ---- */

static bool uploads_encoding(pst_sv xml)
{
    char encoding[8];
    return pst_s3xml_field(xml, "ListMultipartUploadsResult", "EncodingType", encoding,
                           sizeof encoding) &&
           strcmp(encoding, "url") == 0;
}

/* At the end of an element within <Upload>. */
static void read_upload(const parser *p, bool url_encoded, pst_s3xml_upload *now,
                        bool *fits)
{
    if (pst_sv_is(p->name, "Key"))
        *fits &= decode_key(text_of(p), url_encoded, now->key, sizeof now->key);
    else if (pst_sv_is(p->name, "UploadId"))
        *fits &= copy_whole(text_of(p), now->id, sizeof now->id);
    else if (pst_sv_is(p->name, "Initiated"))
        *fits &= copy_whole(text_of(p), now->initiated, sizeof now->initiated);
}

pst_rc pst_s3xml_uploads_of(pst_sv xml, pst_s3xml_each_upload each, void *opaque,
                            pst_err *err)
{
    parser p;
    pst_s3xml_upload now = {.key = ""};
    bool url_encoded = uploads_encoding(xml), inside = false, fits = true;
    parser_init(&p, xml);
    bool ok = starts_with(&p, "ListMultipartUploadsResult");
    pst_rc rc = PST_OK;
    event e = OPENED;
    while (ok && rc == PST_OK && (e == OPENED || e == CLOSED)) {
        e = next(&p);
        if (e == OPENED && p.depth == 2) {
            inside = pst_sv_is(p.name, "Upload");
            now = (pst_s3xml_upload){.key = ""};
            fits = true;
        } else if (e == CLOSED && inside && p.depth == 2) {
            read_upload(&p, url_encoded, &now, &fits);
        } else if (e == CLOSED && inside && p.depth == 1) {
            inside = false;
            if (fits && now.key[0] && now.id[0])
                rc = each(opaque, &now);
        }
    }
    bool nomem = p.nomem;
    pst_buf_done(&p.text);
    if (rc != PST_OK)
        return rc;
    if (nomem)
        return pst_fail_nomem(err, "a listing");
    if (!ok || e != END)
        return fail_page(err, "is no whole <ListMultipartUploadsResult>");
    return PST_OK;
}

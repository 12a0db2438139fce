/*
 * envelope.c - the API's answer {"results": […], "info": {…}} becomes a page of records.
 *
 * A small scanner that only knows strings and nesting cuts the text of each user out of
 * the answer; flatten.c then parses one user at a time. So memory stays near the answer's
 * size (a jansson tree of 5,000 users would be tenfold), and raw output keeps the API's
 * own bytes. What is cut off, is not JSON, lacks results or is {"error": …} is refused as
 * a whole, before any record of it is seen. `info` may be missing, and so may be users:
 * who asked for more decides what that means.
 */
#include "connectors/randomuser/internal.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdio.h>

/* ---- scanner ---- */

typedef struct scanner {
    const char *p, *end;
} scanner;

static void skip_blanks(scanner *s)
{
    while (s->p < s->end &&
           (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

/* The next token's first character, 0 at the end. */
static char peek(scanner *s)
{
    skip_blanks(s);
    return s->p < s->end ? *s->p : '\0';
}

static bool take_char(scanner *s, char c)
{
    if (peek(s) != c)
        return false;
    s->p++;
    return true;
}

/* From an opening quote to behind the closing one; false if there is none. */
static bool skip_string(scanner *s)
{
    for (s->p++; s->p < s->end; s->p++) {
        if (*s->p == '\\' && s->p + 1 < s->end)
            s->p++;
        else if (*s->p == '"') {
            s->p++;
            return true;
        }
    }
    return false;
}

/* From an opening bracket to behind its closing one. Kinds of brackets are not told
   apart: each value is parsed properly later. */
static bool skip_nested(scanner *s)
{
    size_t depth = 0;
    while (s->p < s->end) {
        char c = *s->p;
        if (c == '"') {
            if (!skip_string(s))
                return false;
            continue;
        }
        s->p++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return true;
    }
    return false;
}

static bool skip_bare(scanner *s)
{
    const char *from = s->p;
    while (s->p < s->end && !strchr(",}] \t\r\n", *s->p)) /* a NUL ends it too */
        s->p++;
    return s->p > from;
}

/* One value of any kind; its text. */
static bool scan_value(scanner *s, pst_sv *text)
{
    char c = peek(s);
    const char *from = s->p;
    bool ok = c == '"'               ? skip_string(s)
              : c == '{' || c == '[' ? skip_nested(s)
                                     : skip_bare(s);
    *text = (pst_sv){from, (size_t)(s->p - from)};
    return ok;
}

/* ---- the envelope ---- */

typedef struct envelope {
    pst_sv results, info, error; /* p == NULL: not there */
} envelope;

static void keep_member(envelope *e, pst_sv name, pst_sv value)
{
    if (pst_sv_is(name, "\"results\""))
        e->results = value;
    else if (pst_sv_is(name, "\"info\""))
        e->info = value;
    else if (pst_sv_is(name, "\"error\"") && !pst_sv_is(value, "null"))
        e->error = value;
}

/* {"name": value, …} and nothing behind it. */
static bool scan_envelope(pst_sv body, envelope *e)
{
    scanner s = {body.p, body.n ? body.p + body.n : body.p};
    *e = (envelope){{NULL, 0}, {NULL, 0}, {NULL, 0}};
    if (!take_char(&s, '{'))
        return false;
    for (bool first = true; !take_char(&s, '}'); first = false) {
        pst_sv name, value;
        if (!first && !take_char(&s, ','))
            return false;
        if (peek(&s) != '"' || !scan_value(&s, &name) || !take_char(&s, ':') ||
            !scan_value(&s, &value))
            return false;
        keep_member(e, name, value);
    }
    skip_blanks(&s);
    return s.p == s.end;
}

/* What another side says, for our log: one line, UTF-8 or '?', cut to fit. */
static void make_printable(char *out, size_t size, pst_sv text)
{
    bool utf8 = pst_utf8_valid(text);
    size_t n = text.n < size - 1 ? text.n : size - 1;
    while (utf8 && n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        out[i] = c < 0x20 || c == 0x7F || (c >= 0x80 && !utf8) ? '?' : (char)c;
    }
    out[n] = '\0';
}

static void error_text(pst_sv value, char *out, size_t size)
{
    json_t *parsed = json_loadb(value.p, value.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (json_is_string(parsed))
        value = (pst_sv){json_string_value(parsed), json_string_length(parsed)};
    make_printable(out, size, value);
    json_decref(parsed);
}

bool pst_randomuser_error_text(pst_sv body, char *out, size_t size)
{
    envelope e;
    if (!scan_envelope(body, &e) || !e.error.p)
        return false;
    error_text(e.error, out, size);
    return true;
}

/* ---- a page ---- */

void pst_randomuser_page_init(pst_randomuser_page *page)
{
    memset(page, 0, sizeof *page);
    pst_buf_init(&page->arena, 2 * (size_t)PST_RANDOMUSER_BODY_BYTES);
}

void pst_randomuser_page_done(pst_randomuser_page *page)
{
    pst_buf_done(&page->arena);
    pst_free(page->spans);
    page->spans = NULL;
    page->n = page->cap = 0;
}

pst_sv pst_randomuser_page_key(const pst_randomuser_page *page, size_t i)
{
    const pst_randomuser_span *span = &page->spans[i];
    if (span->key_len == PST_RANDOMUSER_NO_KEY)
        return (pst_sv){NULL, 0};
    return (pst_sv){page->arena.data + span->at, span->key_len};
}

pst_sv pst_randomuser_page_value(const pst_randomuser_page *page, size_t i)
{
    const pst_randomuser_span *span = &page->spans[i];
    size_t key_len = span->key_len == PST_RANDOMUSER_NO_KEY ? 0 : span->key_len;
    return (pst_sv){page->arena.data + span->at + key_len, span->value_len};
}

static pst_rc page_reserve(pst_randomuser_page *page, pst_err *err)
{
    if (page->n < page->cap)
        return PST_OK;
    size_t cap = page->cap ? 2 * page->cap : 64;
    void *spans = pst_realloc(page->spans, cap, sizeof *page->spans);
    if (!spans)
        return pst_fail_nomem(err, "a page of users");
    page->spans = spans;
    page->cap = cap;
    return PST_OK;
}

static pst_rc page_add(pst_randomuser_page *page, pst_sv user,
                       const pst_randomuser_shape *shape, pst_err *err)
{
    pst_rc rc = page_reserve(page, err);
    if (rc != PST_OK)
        return rc;
    pst_randomuser_span *span = &page->spans[page->n];
    span->at = page->arena.len;
    rc = pst_randomuser_convert(user, shape, &page->arena, &span->key_len, err);
    if (rc != PST_OK) {
        pst_err_context(err, "user %zu of the answer", page->n);
        return rc;
    }
    size_t key_len = span->key_len == PST_RANDOMUSER_NO_KEY ? 0 : span->key_len;
    span->value_len = page->arena.len - span->at - key_len;
    page->n++;
    return PST_OK;
}

static pst_rc fail_cut(pst_sv body, pst_err *err)
{
    if (body.n == 0)
        return pst_fail_retriable(err, PST_E_INVALID, "the answer is empty");
    return pst_fail_retriable(err, PST_E_INVALID,
                              "the answer (%zu bytes) is cut off or is not JSON", body.n);
}

static pst_rc page_add_all(pst_randomuser_page *page, pst_sv results,
                           const pst_randomuser_shape *shape, size_t max, pst_err *err)
{
    scanner s = {results.p, results.p + results.n};
    pst_rc rc = PST_OK;
    if (!take_char(&s, '['))
        return pst_fail_retriable(err, PST_E_INVALID, "the answer's results are no list");
    while (rc == PST_OK && page->n < max && !take_char(&s, ']')) {
        pst_sv user;
        if ((page->n > 0 && !take_char(&s, ',')) || !scan_value(&s, &user))
            return pst_fail_retriable(err, PST_E_INVALID, "the answer is not JSON");
        rc = page_add(page, user, shape, err);
    }
    return rc;
}

/* The seed that the API used, for the run's further pages. */
static void read_seed(pst_randomuser_page *page, pst_sv info)
{
    json_t *parsed = json_loadb(info.p, info.n, 0, NULL);
    const json_t *seed = json_object_get(parsed, "seed");
    if (json_is_string(seed) && json_string_length(seed) < sizeof page->seed)
        snprintf(page->seed, sizeof page->seed, "%s", json_string_value(seed));
    else if (json_is_integer(seed))
        snprintf(page->seed, sizeof page->seed, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(seed));
    json_decref(parsed);
}

static pst_rc check_envelope(const envelope *e, pst_err *err)
{
    char text[300];
    if (e->error.p) {
        error_text(e->error, text, sizeof text);
        return pst_fail_retriable(err, PST_E_IO, "the API answers with an error: %s",
                                  text);
    }
    if (!e->results.p)
        return pst_fail_retriable(err, PST_E_INVALID, "the answer has no results");
    return PST_OK;
}

pst_rc pst_randomuser_page_parse(pst_randomuser_page *page, pst_sv body,
                                 const pst_randomuser_shape *shape, size_t max,
                                 pst_err *err)
{
    envelope e;
    pst_buf_clear(&page->arena);
    page->n = 0;
    page->seed[0] = '\0';
    if (!scan_envelope(body, &e))
        return fail_cut(body, err);
    pst_rc rc = check_envelope(&e, err);
    if (rc == PST_OK)
        rc = page_add_all(page, e.results, shape, max, err);
    if (rc != PST_OK)
        page->n = 0;
    else if (e.info.p)
        read_seed(page, e.info);
    return rc;
}

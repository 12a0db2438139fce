/*
 * sigv4.c - see sigv4.h. After AWS's documentation, "Create a signed AWS API request".
 *
 *     canonical request = METHOD \n path \n query \n headers \n signed names \n payload
 * hash string to sign    = AWS4-HMAC-SHA256 \n date \n scope \n hex(SHA-256(canonical
 * request)) signature         = hex(HMAC(HMAC(… HMAC("AWS4" secret, day), region …),
 * string))
 *
 * Why not curl's own: the one in 7.88 signs removed headers, leaves the query as it is
 * and sorts headers by their whole line (and its behaviour changes from version to
 * version).
 */
#include "store/sigv4.h"

#include "base/clock.h"
#include "base/mem.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HASH = 32,
    CANONICAL_MAX = 128 * 1024,
    HASH_STEP = 32 * 1024,
    QUERY_PARAMS_MAX = 64,
    PATH_PARTS_MAX = 512
};

void pst_sigv4_date(char out[PST_SIGV4_DATE_SIZE], int64_t wall_ms)
{
    pst_utc t = pst_utc_of(wall_ms);
    char text[96];
    snprintf(text, sizeof text, "%04d%02d%02dT%02d%02d%02dZ", t.year, t.month, t.day,
             t.hour, t.minute, t.second);
    snprintf(out, PST_SIGV4_DATE_SIZE, "%.16s", text);
}

static pst_rc fail_crypto(pst_err *err)
{
    return pst_fail(err, PST_E_INTERNAL, "libcrypto cannot compute SHA-256");
}

pst_rc pst_sigv4_hash(pst_chunks_pos *from, pst_sv bytes, char out[PST_SIGV4_HASH_SIZE],
                      pst_err *err)
{
    unsigned char hash[HASH];
    char scratch[HASH_STEP];
    const char *piece;
    size_t n;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    if (!from)
        ok = ok && EVP_DigestUpdate(ctx, bytes.n ? bytes.p : "", bytes.n);
    while (ok && from && (n = pst_chunks_next(from, scratch, sizeof scratch, &piece)) > 0)
        ok = EVP_DigestUpdate(ctx, piece, n);
    ok = ok && EVP_DigestFinal_ex(ctx, hash, NULL);
    EVP_MD_CTX_free(ctx);
    if (from && from->failed)
        return pst_chunks_failed(from, err);
    if (!ok)
        return fail_crypto(err);
    pst_hex(out, hash, sizeof hash);
    return PST_OK;
}

/* ---- encoding ---- */

static bool unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

pst_rc pst_sigv4_encode(pst_buf *out, pst_sv bytes, bool keep_slash)
{
    pst_rc rc = pst_buf_reserve(out, bytes.n);
    for (size_t i = 0; i < bytes.n && rc == PST_OK; i++) {
        char c = bytes.p[i];
        if (unreserved(c) || (c == '/' && keep_slash))
            rc = pst_buf_addc(out, c);
        else
            rc = pst_buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
    return rc;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX and encodes again: one spelling, whatever the caller's. */
static pst_rc recode(pst_buf *out, pst_sv text)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < text.n && rc == PST_OK; i++) {
        char c = text.p[i];
        if (c == '%' && i + 2 < text.n) {
            int high = hex_digit(text.p[i + 1]);
            int low = hex_digit(text.p[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        rc = pst_sigv4_encode(out, (pst_sv){&c, 1}, false);
    }
    return rc;
}

/* ---- the canonical request, part by part ---- */

/* Removes empty and "." parts and resolves "..", for services other than S3. */
static pst_rc add_normal_path(pst_buf *out, pst_sv path)
{
    pst_sv parts[PATH_PARTS_MAX];
    size_t n = 0;
    pst_sv rest = path;
    bool folder = pst_sv_ends(path, PST_SV("/"));
    while (rest.p) {
        pst_sv part = pst_sv_cut(rest, '/', &rest);
        if (pst_sv_is(part, "..")) {
            n -= n > 0;
            folder = folder || !rest.p;
        } else if (part.n && !pst_sv_is(part, ".")) {
            if (n == PATH_PARTS_MAX)
                return PST_E_LIMIT;
            parts[n++] = part;
        } else {
            folder = folder || !rest.p;
        }
    }
    pst_rc rc = n ? PST_OK : pst_buf_addc(out, '/');
    for (size_t i = 0; i < n && rc == PST_OK; i++) {
        rc = pst_buf_addc(out, '/');
        if (rc == PST_OK)
            rc = pst_sigv4_encode(out, parts[i], false); /* the second time */
    }
    return rc == PST_OK && folder && n ? pst_buf_addc(out, '/') : rc;
}

static pst_rc add_path(pst_buf *out, const pst_sigv4_request *req)
{
    if (strcmp(req->service, "s3") != 0)
        return add_normal_path(out, pst_sv_of(req->path));
    return pst_buf_adds(out, req->path[0] ? req->path : "/");
}

typedef struct param {
    size_t name, name_n, value, value_n; /* in the text that holds them all */
} param;

static int compare_bytes(const char *a, size_t a_n, const char *b, size_t b_n)
{
    int c = memcmp(a, b, a_n < b_n ? a_n : b_n);
    return c ? c : (a_n > b_n) - (a_n < b_n);
}

static int by_name_and_value(const void *a, const void *b, void *text)
{
    const param *x = a;
    const param *y = b;
    const char *t = text;
    int c = compare_bytes(t + x->name, x->name_n, t + y->name, y->name_n);
    return c ? c : compare_bytes(t + x->value, x->value_n, t + y->value, y->value_n);
}

static pst_rc read_param(pst_buf *text, pst_sv pair, param *out)
{
    pst_sv value;
    pst_sv name = pst_sv_cut(pair, '=', &value);
    out->name = text->len;
    pst_rc rc = recode(text, name);
    out->name_n = text->len - out->name;
    out->value = text->len;
    if (rc == PST_OK)
        rc = recode(text, value);
    out->value_n = text->len - out->value;
    return rc;
}

static pst_rc add_query(pst_buf *out, const char *query)
{
    param params[QUERY_PARAMS_MAX];
    size_t n = 0;
    pst_buf text;
    pst_buf_init(&text, CANONICAL_MAX);
    pst_rc rc = PST_OK;
    pst_sv rest = pst_sv_of(query);
    while (rc == PST_OK && rest.p && rest.n) {
        pst_sv pair = pst_sv_cut(rest, '&', &rest);
        if (pair.n)
            rc = n == QUERY_PARAMS_MAX ? PST_E_LIMIT
                                       : read_param(&text, pair, &params[n++]);
    }
    if (rc == PST_OK && n > 1)
        qsort_r(params, n, sizeof *params, by_name_and_value, text.data);
    for (size_t i = 0; i < n && rc == PST_OK; i++)
        rc = pst_buf_addf(out, "%s%.*s=%.*s", i ? "&" : "", (int)params[i].name_n,
                          text.data + params[i].name, (int)params[i].value_n,
                          text.data + params[i].value);
    pst_buf_done(&text);
    return rc;
}

typedef struct header {
    pst_sv name, value;
    size_t at; /* its place as given: values of one name keep their order */
} header;

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static int by_lower_name(const void *a, const void *b)
{
    const header *x = a;
    const header *y = b;
    for (size_t i = 0; i < x->name.n && i < y->name.n; i++) {
        int c = (unsigned char)lower(x->name.p[i]) - (unsigned char)lower(y->name.p[i]);
        if (c)
            return c;
    }
    if (x->name.n != y->name.n)
        return x->name.n < y->name.n ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static pst_rc sort_headers(const pst_sigv4_request *req, header *out)
{
    if (req->n_headers > PST_SIGV4_HEADERS_MAX)
        return PST_E_LIMIT;
    for (size_t i = 0; i < req->n_headers; i++) {
        pst_sv line = pst_sv_of(req->headers[i]);
        pst_sv value;
        pst_sv name = pst_sv_cut(line, ':', &value);
        if (!value.p && pst_sv_ends(name, PST_SV(";")))
            name.n--;
        out[i] = (header){name, pst_sv_trim(value), i};
    }
    qsort(out, req->n_headers, sizeof *out, by_lower_name);
    return PST_OK;
}

static bool same_name(const header *all, size_t i)
{
    return i > 0 && pst_sv_eq_nocase(all[i - 1].name, all[i].name);
}

static pst_rc add_lower(pst_buf *out, pst_sv name)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < name.n && rc == PST_OK; i++)
        rc = pst_buf_addc(out, lower(name.p[i]));
    return rc;
}

/* Runs of blanks become one. */
static pst_rc add_header_value(pst_buf *out, pst_sv value)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < value.n && rc == PST_OK; i++)
        if (value.p[i] != ' ' || value.p[i - 1] != ' ')
            rc = pst_buf_addc(out, value.p[i]);
    return rc;
}

static pst_rc add_headers(pst_buf *out, const header *all, size_t n)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < n && rc == PST_OK; i++) {
        if (same_name(all, i)) {
            rc = pst_buf_addc(out, ',');
        } else {
            rc = i ? pst_buf_addc(out, '\n') : PST_OK;
            if (rc == PST_OK)
                rc = add_lower(out, all[i].name);
            if (rc == PST_OK)
                rc = pst_buf_addc(out, ':');
        }
        if (rc == PST_OK)
            rc = add_header_value(out, all[i].value);
    }
    return rc == PST_OK ? pst_buf_addc(out, '\n') : rc;
}

static pst_rc add_names(pst_buf *out, const header *all, size_t n)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < n && rc == PST_OK; i++) {
        if (same_name(all, i))
            continue;
        rc = i ? pst_buf_addc(out, ';') : PST_OK;
        if (rc == PST_OK)
            rc = add_lower(out, all[i].name);
    }
    return rc;
}

static pst_rc add_canonical(pst_buf *out, const pst_sigv4_request *req, const header *all)
{
    pst_rc rc = pst_buf_addf(out, "%s\n", req->method);
    if (rc == PST_OK)
        rc = add_path(out, req);
    if (rc == PST_OK)
        rc = pst_buf_addc(out, '\n');
    if (rc == PST_OK)
        rc = add_query(out, req->query);
    if (rc == PST_OK)
        rc = pst_buf_addc(out, '\n');
    if (rc == PST_OK)
        rc = add_headers(out, all, req->n_headers);
    if (rc == PST_OK)
        rc = pst_buf_addc(out, '\n');
    if (rc == PST_OK)
        rc = add_names(out, all, req->n_headers);
    return rc == PST_OK ? pst_buf_addf(out, "\n%s", req->payload_hash) : rc;
}

pst_rc pst_sigv4_canonical(const pst_sigv4_request *req, pst_buf *out, pst_err *err)
{
    header all[PST_SIGV4_HEADERS_MAX];
    pst_rc rc = sort_headers(req, all);
    if (rc == PST_OK)
        rc = add_canonical(out, req, all);
    return rc == PST_OK ? PST_OK
                        : pst_fail(err, rc, "the request is too large to be signed");
}

/* ---- the signature ---- */

static bool hmac(unsigned char out[HASH], const void *key, size_t key_n, pst_sv text)
{
    unsigned int n = HASH;
    return HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)text.p, text.n, out,
                &n);
}

/* Key for one day, region and service. */
static bool signing_key(unsigned char out[HASH], const char *secret,
                        const pst_sigv4_request *req)
{
    char start[512];
    int n = snprintf(start, sizeof start, "AWS4%s", secret);
    bool ok = n > 0 && (size_t)n < sizeof start &&
              hmac(out, start, (size_t)n, (pst_sv){req->date, 8}) &&
              hmac(out, out, HASH, pst_sv_of(req->region)) &&
              hmac(out, out, HASH, pst_sv_of(req->service)) &&
              hmac(out, out, HASH, PST_SV("aws4_request"));
    pst_wipe(start, sizeof start);
    return ok;
}

static pst_rc sign_text(const pst_sigv4_keys *keys, const pst_sigv4_request *req,
                        pst_sv canonical, char signature[PST_SIGV4_HASH_SIZE],
                        pst_err *err)
{
    char hash[PST_SIGV4_HASH_SIZE];
    char text[512];
    unsigned char key[HASH];
    unsigned char mac[HASH];
    pst_rc rc = pst_sigv4_hash(NULL, canonical, hash, err);
    if (rc != PST_OK)
        return rc;
    int n =
        snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s",
                 req->date, req->date, req->region, req->service, hash);
    bool ok = n > 0 && (size_t)n < sizeof text &&
              signing_key(key, keys->secret_access_key, req) &&
              hmac(mac, key, HASH, (pst_sv){text, (size_t)n});
    pst_wipe(key, sizeof key);
    if (!ok)
        return fail_crypto(err);
    pst_hex(signature, mac, HASH);
    return PST_OK;
}

pst_rc pst_sigv4_sign(const pst_sigv4_keys *keys, const pst_sigv4_request *req,
                      pst_buf *out, pst_err *err)
{
    header all[PST_SIGV4_HEADERS_MAX];
    char signature[PST_SIGV4_HASH_SIZE];
    pst_buf canonical;
    pst_buf_init(&canonical, CANONICAL_MAX);
    pst_rc rc = sort_headers(req, all);
    if (rc == PST_OK)
        rc = add_canonical(&canonical, req, all);
    if (rc != PST_OK) {
        rc = pst_fail(err, rc, "the request is too large to be signed");
        goto out;
    }
    rc = sign_text(keys, req, (pst_sv){canonical.data, canonical.len}, signature, err);
    if (rc != PST_OK)
        goto out;
    rc = pst_buf_addf(out,
                      "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, "
                      "SignedHeaders=",
                      keys->access_key_id, req->date, req->region, req->service);
    if (rc == PST_OK)
        rc = add_names(out, all, req->n_headers);
    if (rc == PST_OK)
        rc = pst_buf_addf(out, ", Signature=%s", signature);
    if (rc != PST_OK)
        rc = pst_fail(err, rc, "the Authorization header");
out:
    pst_buf_done(&canonical);
    return rc;
}

/*
 * s3call.c - one signed S3 request. The path and query are encoded here once, by the
 * rules of the signature, and sent as they are. See s3.h.
 */
#include "base/mem.h"
#include "store/s3.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    HEADERS_TEXT_MAX = 32 * 1024,
    URL_MAX = 16 * 1024,
    SLOWEST_BYTES_PER_MS = 64, /* a body gets the time it needs at 64 KiB/s */
    STALL_MAX_MS = 30000,
    CLOCK_OFF_MS = 60000, /* less is not worth a correction */
};

const char *pst_s3_method_name(pst_s3_method method)
{
    static const char *const names[] = {
        [PST_S3_PUT] = "PUT",   [PST_S3_HEAD] = "HEAD",     [PST_S3_GET] = "GET",
        [PST_S3_LIST] = "LIST", [PST_S3_DELETE] = "DELETE", [PST_S3_POST] = "POST",
    };
    return names[method];
}

/* ---- headers ---- */

void pst_s3_headers_init(pst_s3_headers *headers)
{
    *headers = (pst_s3_headers){0};
    pst_buf_init(&headers->text, HEADERS_TEXT_MAX);
}

void pst_s3_headers_done(pst_s3_headers *headers)
{
    if (headers->text.data)
        pst_wipe(headers->text.data, headers->text.cap);
    pst_buf_done(&headers->text);
}

void pst_s3_headers_add(pst_s3_headers *headers, const char *fmt, ...)
{
    char line[PST_CREDS_TOKEN_MAX + 128];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (headers->rc != PST_OK)
        return;
    if (n < 0 || (size_t)n >= sizeof line || headers->n == PST_S3_HEADERS_MAX) {
        headers->rc = PST_E_LIMIT;
        return;
    }
    headers->starts[headers->n++] = headers->text.len;
    headers->rc = pst_buf_add(&headers->text, line, (size_t)n + 1);
    pst_wipe(line, (size_t)n);
}

static void point_at(const pst_s3_headers *headers, const char *out[PST_S3_HEADERS_MAX])
{
    for (size_t i = 0; i < headers->n; i++)
        out[i] = headers->text.data + headers->starts[i];
}

/* ---- the clock ---- */

bool pst_s3_learn_clock(pst_s3 *s3, const pst_http_response *res)
{
    int64_t server_ms = 0;
    if (!pst_http_date(pst_http_header(res, "Date"), &server_ms))
        return false;
    int64_t now = pst_wall_ms(s3->clock);
    int64_t offset = server_ms - now;
    pthread_mutex_lock(&s3->lock);
    int64_t change = offset - s3->offset_ms;
    bool off = change > CLOCK_OFF_MS || change < -CLOCK_OFF_MS;
    if (off) {
        s3->old_offset_ms = s3->offset_ms;
        s3->offset_ms = offset;
        s3->learnt_ms = now;
    }
    pthread_mutex_unlock(&s3->lock);
    return off;
}

static int64_t signature_ms(pst_s3 *s3, int64_t dated_ms)
{
    pthread_mutex_lock(&s3->lock);
    bool old = dated_ms && dated_ms < s3->learnt_ms;
    int64_t offset = old ? s3->old_offset_ms : s3->offset_ms;
    pthread_mutex_unlock(&s3->lock);
    return (dated_ms ? dated_ms : pst_wall_ms(s3->clock)) + offset;
}

/* ---- signing ---- */

static pst_rc make_path(const pst_s3 *s3, const char *key, pst_buf *out)
{
    pst_rc rc = PST_OK;
    if (s3->path_style)
        rc = pst_buf_addf(out, "/%s", s3->bucket);
    if (rc == PST_OK && (key || !s3->path_style))
        rc = pst_buf_addc(out, '/');
    if (rc == PST_OK && key)
        rc = pst_sigv4_encode(out, pst_sv_of(key), true);
    return rc == PST_OK && !pst_buf_cstr(out) ? PST_E_NOMEM : rc;
}

static const char *http_method(pst_s3_method method)
{
    return method == PST_S3_LIST ? "GET" : pst_s3_method_name(method);
}

static pst_rc add_signature(const pst_s3 *s3, const pst_s3_call *call, const char *path,
                            const pst_creds_keys *keys, const char *date,
                            const char *hash, pst_err *err)
{
    const char *lines[PST_S3_HEADERS_MAX];
    pst_s3_headers *headers = call->headers;
    if (headers->rc != PST_OK)
        return pst_fail(err, headers->rc, "the headers of an S3 request");
    point_at(headers, lines);
    pst_sigv4_keys signer = {keys->id, keys->secret};
    pst_sigv4_request req = {.method = http_method(call->method),
                             .path = path,
                             .query = call->query,
                             .headers = lines,
                             .n_headers = headers->n,
                             .payload_hash = hash,
                             .date = date,
                             .region = s3->region,
                             .service = "s3"};
    pst_buf value;
    pst_buf_init(&value, 4096);
    pst_rc rc = pst_sigv4_sign(&signer, &req, &value, err);
    const char *text = rc == PST_OK ? pst_buf_cstr(&value) : NULL;
    if (text)
        pst_s3_headers_add(headers, "Authorization: %s", text);
    pst_buf_done(&value);
    if (rc == PST_OK && (!text || headers->rc != PST_OK))
        rc = pst_fail_nomem(err, "the headers of an S3 request");
    return rc;
}

static size_t body_size(const pst_s3_call *call)
{
    size_t all = call->chunks ? call->chunks->len : call->body.n;
    return call->chunks && call->length ? call->length : all;
}

static pst_rc hash_body(const pst_s3_call *call, char out[PST_SIGV4_HASH_SIZE],
                        pst_err *err)
{
    if (!call->chunks)
        return pst_sigv4_hash(NULL, call->body, out, err);
    pst_chunks_pos pos = pst_chunks_range(call->chunks, call->from, body_size(call));
    return pst_sigv4_hash(&pos, call->body, out, err);
}

static pst_rc sign(pst_s3 *s3, const pst_s3_call *call, const char *path, pst_err *err)
{
    char date[PST_SIGV4_DATE_SIZE];
    char hash[PST_SIGV4_HASH_SIZE] = "UNSIGNED-PAYLOAD";
    pst_creds_keys keys;
    pst_rc rc = pst_creds_get(s3->creds, &keys, err);
    if (rc != PST_OK)
        return rc;
    if (!s3->unsigned_payload)
        rc = hash_body(call, hash, err);
    if (rc == PST_OK) {
        pst_sigv4_date(date, signature_ms(s3, call->dated_ms));
        pst_s3_headers_add(call->headers, "Host: %s", s3->host);
        pst_s3_headers_add(call->headers, "x-amz-date: %s", date);
        pst_s3_headers_add(call->headers, "x-amz-content-sha256: %s", hash);
        if (keys.token[0])
            pst_s3_headers_add(call->headers, "x-amz-security-token: %s", keys.token);
        if (s3->bucket_owner)
            pst_s3_headers_add(call->headers, "x-amz-expected-bucket-owner: %s",
                               s3->bucket_owner);
        call->headers->signed_by = keys.serial;
        rc = add_signature(s3, call, path, &keys, date, hash, err);
    }
    pst_creds_wipe(&keys);
    return rc;
}

/* ---- sending ---- */

static pst_rc make_url(const pst_s3 *s3, const pst_s3_call *call, const char *path,
                       pst_buf *out)
{
    pst_rc rc =
        pst_buf_addf(out, "%s://%s%s%s%s", s3->tls ? "https" : "http", s3->host, path,
                     call->query ? "?" : "", call->query ? call->query : "");
    return rc == PST_OK && !pst_buf_cstr(out) ? PST_E_NOMEM : rc;
}

static int timeout_of(const pst_s3 *s3, const pst_s3_call *call)
{
    int64_t ms = s3->timeout_ms + (int64_t)(body_size(call) / SLOWEST_BYTES_PER_MS);
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* `lines` is to live as long as the request is being begun. */
static pst_http_request request_of(pst_s3 *s3, const pst_s3_call *call, const char *url,
                                   const char *lines[PST_S3_HEADERS_MAX])
{
    point_at(call->headers, lines);
    int64_t stall = s3->timeout_ms / 2;
    atomic_fetch_add_explicit(&s3->requests[call->method], 1, memory_order_relaxed);
    return (pst_http_request){.method = http_method(call->method),
                              .url = url,
                              .headers = lines,
                              .n_headers = call->headers->n,
                              .chunks = call->chunks,
                              .from = call->from,
                              .length = call->length,
                              .body = call->body,
                              .timeout_ms = timeout_of(s3, call),
                              .stall_timeout_ms =
                                  stall < STALL_MAX_MS ? (int)stall : STALL_MAX_MS,
                              .max_response = call->max_response,
                              .cancel = s3->cancel};
}

/* The network failed: what was on its way to change something may have arrived. */
static void note_unknown(const pst_s3 *s3, const pst_s3_call *call,
                         const pst_http_response *res, pst_err *err)
{
    if (!err)
        return;
    pst_s3_advise(s3, res, err);
    pst_err_context(err, "%s s3://%s/%.200s", pst_s3_method_name(call->method),
                    s3->bucket, call->key ? call->key : "");
    bool changes = call->method == PST_S3_PUT || call->method == PST_S3_POST;
    if (!changes || !res->sent)
        return;
    err->unknown = true;
    err->retriable = err->retriable || err->code != PST_E_STOPPED;
}

static pst_rc send_once(pst_s3 *s3, const pst_s3_call *call, const char *path,
                        const char *url, pst_http_response *res, pst_err *err)
{
    pst_rc rc = sign(s3, call, path, err);
    if (rc != PST_OK)
        return rc;
    pst_err why = PST_ERR_INIT;
    const char *lines[PST_S3_HEADERS_MAX];
    pst_http_request req = request_of(s3, call, url, lines);
    rc = pst_http_perform(s3->http, &req, res, &why);
    if (rc != PST_OK) {
        note_unknown(s3, call, res, &why);
        if (err && err->code == PST_OK)
            *err = why;
    }
    return rc;
}

/* Refused for the keys alone, so that nothing took effect: expired ones, above all; MinIO
   does not know them any more then. */
static bool is_refusal_of_keys(const pst_http_response *res)
{
    static const char *const codes[] = {"ExpiredToken", "TokenRefreshRequired",
                                        "InvalidToken", "InvalidTokenId",
                                        "InvalidAccessKeyId"};
    pst_s3xml_error said;
    (void)pst_s3xml_error_of((pst_sv){res->body.data, res->body.len}, &said);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(said.code, codes[i]) == 0)
            return true;
    return false;
}

/* An answer that told the right time is asked for anew at once: a process that starts
   with a wrong clock must get through its first request. Not a call whose date stands
   (rule 9): whoever dated it must decide. And one whose keys were refused, if there are
   new ones; its date stays as it is. */
static bool worth_another(pst_s3 *s3, const pst_s3_call *call,
                          const pst_http_response *res)
{
    if (res->status != 403 && res->status != 400)
        return false;
    if (pst_s3_is_skewed(s3, call, res))
        return res->status == 403 && !call->dated_ms && pst_s3_learn_clock(s3, res);
    return is_refusal_of_keys(res) &&
           pst_creds_replaced(s3->creds, call->headers->signed_by);
}

static void note_answer(pst_s3 *s3, const pst_s3_call *call, const pst_http_response *res)
{
    atomic_store_explicit(&s3->answered, true, memory_order_relaxed);
    if (res->status / 100 == 2)
        pst_creds_worked(s3->creds, call->headers->signed_by);
}

static pst_rc make_address(const pst_s3 *s3, const pst_s3_call *call, pst_buf *path,
                           pst_buf *url, pst_err *err)
{
    pst_buf_init(path, URL_MAX);
    pst_buf_init(url, URL_MAX);
    pst_rc rc = make_path(s3, call->key, path);
    if (rc == PST_OK)
        rc = make_url(s3, call, path->data, url);
    return rc == PST_OK ? rc : pst_fail(err, rc, "the URL of an S3 request");
}

pst_rc pst_s3_begin(pst_s3 *s3, const pst_s3_call *call, pst_http_response *res,
                    pst_s3_flight *flight, pst_err *err)
{
    pst_buf path;
    const char *lines[PST_S3_HEADERS_MAX];
    pst_rc rc = make_address(s3, call, &path, &flight->url, err);
    if (rc == PST_OK)
        rc = sign(s3, call, path.data, err);
    if (rc == PST_OK) {
        pst_http_request req = request_of(s3, call, flight->url.data, lines);
        rc = pst_http_begin(s3->http, &req, res, &flight->http, err);
    }
    pst_buf_done(&path);
    if (rc != PST_OK)
        pst_buf_done(&flight->url);
    return rc;
}

pst_rc pst_s3_end(pst_s3 *s3, const pst_s3_call *call, pst_http_response *res,
                  pst_s3_flight *flight, pst_err *err)
{
    pst_err why = PST_ERR_INIT;
    pst_rc rc = pst_http_end(s3->http, flight->http, &why);
    if (rc != PST_OK) {
        note_unknown(s3, call, res, &why);
        if (err && err->code == PST_OK)
            *err = why;
    } else {
        note_answer(s3, call, res);
    }
    pst_buf_done(&flight->url);
    return rc;
}

pst_rc pst_s3_send(pst_s3 *s3, const pst_s3_call *call, pst_http_response *res,
                   pst_err *err)
{
    const size_t n_headers = call->headers->n, n_text = call->headers->text.len;
    pst_buf path;
    pst_buf url;
    pst_rc rc = make_address(s3, call, &path, &url, err);
    if (rc != PST_OK)
        goto out;
    rc = send_once(s3, call, path.data, url.data, res, err);
    if (rc == PST_OK && worth_another(s3, call, res)) {
        pst_http_response_done(res);
        pst_http_response_init(res);
        call->headers->n = n_headers;
        call->headers->text.len = n_text;
        rc = send_once(s3, call, path.data, url.data, res, err);
    }
    if (rc == PST_OK)
        note_answer(s3, call, res);
out:
    pst_buf_done(&path);
    pst_buf_done(&url);
    return rc;
}

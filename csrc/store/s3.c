/*
 * s3.c - the S3 driver: one request a call, on our own signer and the HTTP client.
 *
 * A PUT carries If-None-Match: * (signed, so nobody on the way can drop it unnoticed),
 * the CRC-32C of its bytes, metadata and what the settings ask for. A success is believed
 * only if it looks like S3's: status 200, an ETag, no error in the body.
 *
 * It does not retry, and knows nothing of the chain. What is larger than s3.part.size
 * goes up in parts: s3multi.c.
 */
#include "store/s3.h"

#include "base/mem.h"

#include <stdio.h>

enum {
    LIST_PAGE = 1000,
    LIST_RESPONSE_MAX = 8 * 1024 * 1024,
    EMPTY_PAGES_MAX = 1000,
    QUERY_MAX = 16 * 1024
};

/* ---- life ---- */

static void s3_close(pst_store *store)
{
    pst_s3 *s3 = pst_s3_of(store);
    pst_http_free(s3->http);
    pst_creds_free(s3->creds);
    for (size_t i = 0; i < s3->n_extra; i++)
        pst_free(s3->extra[i]);
    pst_free(s3->bucket_owner);
    pst_free(s3->bucket);
    pst_free(s3->region);
    pthread_mutex_destroy(&s3->lock);
    pst_free(s3);
}

static pst_rc s3_open(pst_store **out, const pst_store_conf *conf, const pst_clock *clock,
                      pst_cancel *cancel, pst_log *log, pst_err *err)
{
    pst_s3 *s3 = pst_calloc(1, sizeof *s3);
    if (!s3)
        return pst_fail_nomem(err, "the S3 client");
    s3->base.driver = &pst_store_s3;
    s3->clock = clock;
    s3->cancel = cancel;
    s3->log = log;
    pthread_mutex_init(&s3->lock, NULL);
    pst_rc rc = pst_s3_configure(s3, conf, err);
    if (rc != PST_OK) {
        s3_close(&s3->base);
        return rc;
    }
    *out = &s3->base;
    return PST_OK;
}

/* ---- one call ---- */

/* What a call needs, made and freed together. */
typedef struct exchange {
    pst_s3_call call;
    pst_s3_headers headers;
    pst_http_response res;
} exchange;

static void exchange_init(exchange *x, pst_s3_method method, const char *key)
{
    *x = (exchange){
        .call = {.method = method, .key = key, .max_response = PST_S3_ERROR_MAX}};
    pst_s3_headers_init(&x->headers);
    pst_http_response_init(&x->res);
}

static void exchange_done(exchange *x)
{
    pst_s3_headers_done(&x->headers);
    pst_http_response_done(&x->res);
}

static pst_rc exchange_send(pst_s3 *s3, exchange *x, pst_err *err)
{
    x->call.headers = &x->headers;
    return pst_s3_send(s3, &x->call, &x->res, err);
}

static pst_rc check_key(const pst_s3 *s3, const char *key, pst_err *err)
{
    pst_sv all = pst_sv_of(key);
    if (!all.n || all.n > PST_STORE_KEY_MAX || !pst_utf8_valid(all))
        return pst_fail(err, PST_E_INVALID,
                        "s3://%s: a key has 1 to 1024 bytes of UTF-8, not \"%.200s\"",
                        s3->bucket, key);
    return PST_OK;
}

/* ---- put ---- */

/* Every S3 answers a PUT or HEAD that succeeded with an ETag; a stray proxy does not. */
static bool is_success(const pst_http_response *res)
{
    pst_s3xml_error said;
    pst_sv etag = pst_http_header(res, "ETag");
    return res->status == 200 && etag.n > 0 &&
           !pst_s3xml_error_of((pst_sv){res->body.data, res->body.len}, &said);
}

static pst_rc s3_put(pst_store *store, const pst_store_put *put, pst_err *err)
{
    pst_s3 *s3 = pst_s3_of(store);
    pst_rc rc = check_key(s3, put->key, err);
    if (rc != PST_OK)
        return rc;
    if (s3->part_size && put->chunks && put->chunks->len > (size_t)s3->part_size)
        return pst_s3_put_parts(s3, put, err);
    exchange x;
    exchange_init(&x, PST_S3_PUT, put->key);
    x.call.chunks = put->chunks;
    x.call.body = put->bytes;
    x.call.dated_ms = put->dated_ms;
    if (put->create_only)
        pst_s3_headers_add(&x.headers, "If-None-Match: *");
    rc = pst_s3_add_properties(s3, put, &x.headers, err);
    if (rc == PST_OK)
        rc = pst_s3_add_checksum(s3, put, &x.headers, err);
    if (rc == PST_OK)
        rc = exchange_send(s3, &x, err);
    if (rc == PST_OK && !is_success(&x.res))
        rc = pst_s3_fail(s3, &x.call, &x.res, err);
    exchange_done(&x);
    return rc;
}

/* ---- head, get, remove ---- */

static pst_rc s3_head(pst_store *store, const char *key, const char *link,
                      pst_store_info *info, pst_err *err)
{
    (void)link;
    pst_s3 *s3 = pst_s3_of(store);
    *info = (pst_store_info){0};
    pst_rc rc = check_key(s3, key, err);
    if (rc != PST_OK)
        return rc;
    exchange x;
    exchange_init(&x, PST_S3_HEAD, key);
    rc = exchange_send(s3, &x, err);
    if (rc == PST_OK &&
        (!is_success(&x.res) ||
         !pst_sv_to_i64(pst_http_header(&x.res, "Content-Length"), &info->size)))
        rc = pst_s3_fail(s3, &x.call, &x.res, err);
    if (rc == PST_OK) {
        (void)pst_http_date(pst_http_header(&x.res, "Last-Modified"), &info->modified_ms);
        pst_s3_meta_read(&x.res, &info->meta);
    }
    exchange_done(&x);
    return rc;
}

static pst_rc take_body(const pst_s3 *s3, const char *key, const pst_http_response *res,
                        pst_buf *body, pst_err *err)
{
    pst_rc rc = pst_buf_add(body, res->body.data, res->body.len);
    if (rc == PST_E_LIMIT)
        return pst_fail(err, rc, "s3://%s/%.200s is larger than %zu bytes", s3->bucket,
                        key, body->max);
    return rc == PST_OK ? PST_OK : pst_fail_nomem(err, "an S3 object");
}

static pst_rc s3_get(pst_store *store, const char *key, pst_buf *body, pst_err *err)
{
    pst_s3 *s3 = pst_s3_of(store);
    pst_rc rc = check_key(s3, key, err);
    if (rc != PST_OK)
        return rc;
    exchange x;
    exchange_init(&x, PST_S3_GET, key);
    if (body->max > x.call.max_response)
        x.call.max_response = body->max;
    rc = exchange_send(s3, &x, err);
    if (rc == PST_OK)
        rc = x.res.status == 200 ? take_body(s3, key, &x.res, body, err)
                                 : pst_s3_fail(s3, &x.call, &x.res, err);
    exchange_done(&x);
    return rc;
}

static pst_rc s3_remove(pst_store *store, const char *key, pst_err *err)
{
    pst_s3 *s3 = pst_s3_of(store);
    pst_rc rc = check_key(s3, key, err);
    if (rc != PST_OK)
        return rc;
    exchange x;
    exchange_init(&x, PST_S3_DELETE, key);
    pst_err why = PST_ERR_INIT;
    rc = exchange_send(s3, &x, &why);
    if (rc == PST_OK && x.res.status != 204 && x.res.status != 200)
        rc = pst_s3_fail(s3, &x.call, &x.res, &why);
    if (rc == PST_E_NOT_FOUND && !why.retriable) /* no such key: as wished */
        rc = PST_OK;
    else if (rc != PST_OK && err && err->code == PST_OK)
        *err = why;
    exchange_done(&x);
    return rc;
}

/* ---- list ---- */

typedef struct listing {
    pst_s3 *s3;
    const pst_store_list *list;
    pst_store_each each;
    void *opaque;
    pst_err *err;
    size_t n;  /* keys given out */
    bool stop; /* the caller has enough */
    bool any;  /* `last` holds a key */
    char last[PST_STORE_KEY_MAX + 1];
} listing;

static pst_rc see_key(void *opaque, const char *key, int64_t size)
{
    listing *l = opaque;
    if (l->stop)
        return PST_OK;
    if (l->any && strcmp(key, l->last) <= 0)
        return pst_fail(l->err, PST_E_UNSUPPORTED,
                        "s3://%s does not list its keys in byte order: Penstock cannot "
                        "recover from such a listing",
                        l->s3->bucket);
    l->any = true;
    snprintf(l->last, sizeof l->last, "%s", key);
    const char *prefix = l->list->prefix ? l->list->prefix : "";
    bool unasked = strncmp(key, prefix, strlen(prefix)) != 0;
    bool before = l->list->after && strcmp(key, l->list->after) <= 0;
    if (unasked || before) /* a store that ignores what we asked for */
        return PST_OK;
    l->n++;
    l->stop =
        !l->each(l->opaque, key, size) || (l->list->limit && l->n >= l->list->limit);
    return PST_OK;
}

static pst_rc add_param(pst_buf *query, const char *name, pst_sv value)
{
    pst_rc rc = pst_buf_adds(query, name);
    return rc == PST_OK ? pst_sigv4_encode(query, value, false) : rc;
}

static pst_rc make_query(const listing *l, pst_sv token, pst_buf *query)
{
    size_t page = LIST_PAGE;
    if (l->list->limit && l->list->limit - l->n < page)
        page = l->list->limit - l->n;
    pst_buf_clear(query);
    pst_rc rc = pst_buf_addf(query, "list-type=2&encoding-type=url&max-keys=%zu", page);
    if (rc == PST_OK && token.n)
        rc = add_param(query, "&continuation-token=", token);
    if (rc == PST_OK && l->list->prefix && l->list->prefix[0])
        rc = add_param(query, "&prefix=", pst_sv_of(l->list->prefix));
    if (rc == PST_OK && l->list->after && l->list->after[0])
        rc = add_param(query, "&start-after=", pst_sv_of(l->list->after));
    return rc == PST_OK && !pst_buf_cstr(query) ? PST_E_NOMEM : rc;
}

static pst_rc list_page(listing *l, const char *query, pst_s3xml_page *page)
{
    exchange x;
    exchange_init(&x, PST_S3_LIST, NULL);
    x.call.query = query;
    x.call.max_response = LIST_RESPONSE_MAX;
    pst_rc rc = exchange_send(l->s3, &x, l->err);
    if (rc == PST_OK && x.res.status != 200)
        rc = pst_s3_fail(l->s3, &x.call, &x.res, l->err);
    else if (rc == PST_OK) {
        rc = pst_s3xml_list_of((pst_sv){x.res.body.data, x.res.body.len}, page, see_key,
                               l, l->err);
        if (rc == PST_E_INVALID)
            pst_err_context(l->err, "LIST s3://%s", l->s3->bucket);
    }
    exchange_done(&x);
    return rc;
}

static pst_rc s3_list(pst_store *store, const pst_store_list *list, pst_store_each each,
                      void *opaque, pst_err *err)
{
    listing l = {
        .s3 = pst_s3_of(store), .list = list, .each = each, .opaque = opaque, .err = err};
    pst_s3xml_page page;
    pst_buf query;
    pst_s3xml_page_init(&page);
    pst_buf_init(&query, QUERY_MAX);
    pst_rc rc = PST_OK;
    int empty = 0;
    do {
        rc = make_query(&l, (pst_sv){page.token.data, page.token.len}, &query);
        if (rc != PST_OK)
            rc = pst_fail(err, rc, "LIST s3://%s: the prefix is too long", l.s3->bucket);
        else
            rc = list_page(&l, query.data, &page);
        empty = page.keys ? 0 : empty + 1;
        if (rc == PST_OK && page.truncated && empty > EMPTY_PAGES_MAX)
            rc = pst_fail_retriable(err, PST_E_INVALID,
                                    "LIST s3://%s: endless empty pages", l.s3->bucket);
    } while (rc == PST_OK && page.truncated && !l.stop);
    pst_buf_done(&query);
    pst_s3xml_page_done(&page);
    return rc;
}

/* ---- the rest ---- */

static void s3_describe(const pst_store *store, const char *key, char *out, size_t size)
{
    snprintf(out, size, "s3://%s/%s", ((const pst_s3 *)store)->bucket, key);
}

static uint64_t s3_requests(const pst_store *store, const char *method)
{
    const pst_s3 *s3 = (const pst_s3 *)store;
    for (int m = 0; m < PST_S3_METHODS; m++)
        if (strcmp(method, pst_s3_method_name((pst_s3_method)m)) == 0)
            return atomic_load_explicit(&s3->requests[m], memory_order_relaxed);
    return 0;
}

const pst_store_driver pst_store_s3 = {
    .name = "s3",
    .open = s3_open,
    .close = s3_close,
    .put = s3_put,
    .head = s3_head,
    .get = s3_get,
    .list = s3_list,
    .remove = s3_remove,
    .sweep = pst_s3_sweep,
    .describe = s3_describe,
    .requests = s3_requests,
    .links = false,
};

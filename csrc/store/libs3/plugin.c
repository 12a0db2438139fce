/*
 * plugin.c - the store driver on libs3, for old stores that want Signature V2. What it
 * mends of libs3:
 *
 * - A PUT's status may lie, both ways. So Content-MD5 goes with the bytes, the MD5 is
 *   among the metadata, and a HEAD after each PUT must find both size and MD5.
 * - A GET that is cut counts as good: the bytes are counted. A LIST that is cut does,
 * too: so a listing goes on from its last key until an answer is empty, twice.
 * - Version 2 sends a space in a key as a plus, and the way to the store squeezes dots:
 *   keys that it can't hold surely are refused.
 *
 * It cannot create conditionally (store.h: PST_E_UNSUPPORTED), knows no checksum headers,
 * encryption, tags or storage classes, and no date of a signature but now.
 */
#include "store/plugin.h"
#include "base/mem.h"
#include "store/libs3/client.h"
#include "store/metatext.h"

#include <openssl/evp.h>
#include <stdio.h>

enum {
    MD5_SIZE = 16,
    MD5_TEXT = 33,
    VALUES_MAX = PST_METATEXT_TOTAL_MAX + PST_STORE_META_MAX + MD5_TEXT + 64,
    LIST_PAGE = 1000,
    SUM_STEP = 32 * 1024,
    KEY_MAX = PST_STORE_KEY_MAX - 1,   /* libs3 cuts a longer one in listings, silently */
    OLD_SIGNATURE_MS = 15 * 60 * 1000, /* what a store would refuse */
};

static const char md5_name[] = "penstock-md5";
static const pst_store_driver driver;

/* ---- life ---- */

static void l3_close(pst_store *store)
{
    pst_libs3 *l3 = pst_libs3_of(store);
    pst_libs3_close_idle(l3);
    pthread_mutex_destroy(&l3->lock);
    if (l3->token)
        pst_wipe(l3->token, strlen(l3->token));
    pst_free(l3->token);
    pst_wipe(l3->secret, sizeof l3->secret);
    pst_free(l3);
}

static pst_rc l3_open(pst_store **out, const pst_store_conf *conf, const pst_clock *clock,
                      pst_cancel *cancel, pst_log *log, pst_err *err)
{
    pst_libs3 *l3 = pst_calloc(1, sizeof *l3);
    if (!l3)
        return pst_fail_nomem(err, "the libs3 client");
    l3->base.driver = &driver;
    l3->clock = clock;
    l3->cancel = cancel;
    l3->log = log;
    pthread_mutex_init(&l3->lock, NULL);
    pst_rc rc = pst_libs3_configure(l3, conf, err);
    if (rc == PST_OK)
        rc = pst_libs3_start(err);
    if (rc != PST_OK) {
        l3_close(&l3->base);
        return rc;
    }
    *out = &l3->base;
    return PST_OK;
}

/* ---- keys ---- */

static const char *bad_part(pst_sv part)
{
    if (part.n == 0)
        return "an empty part";
    if (pst_sv_is(part, ".") || pst_sv_is(part, ".."))
        return "a part that is . or ..";
    for (size_t i = 0; i < part.n; i++)
        if ((unsigned char)part.p[i] < 0x20 || part.p[i] == 0x7f)
            return "a control character";
    if (!PST_LIBS3_V4 && memchr(part.p, ' ', part.n))
        return "a space, which libs3 2 sends as +";
    return NULL;
}

static pst_rc check_key(const pst_libs3 *l3, const char *key, pst_err *err)
{
    pst_sv rest = pst_sv_of(key);
    const char *why = NULL;
    if (!rest.n || rest.n > KEY_MAX)
        why = "not 1 to 1023 bytes";
    else if (!pst_utf8_valid(rest))
        why = "bytes that are not UTF-8";
    else if (strstr(key, "\xef\xbf\xbe") || strstr(key, "\xef\xbf\xbf"))
        why = "a character that is not one"; /* XML has none, so no listing either */
    while (!why && rest.p)
        why = bad_part(pst_sv_cut(rest, '/', &rest));
    if (why)
        return pst_fail(err, PST_E_INVALID,
                        "s3://%s: s3.client=libs3 cannot hold the key \"%.200s\": it has "
                        "%s; use s3.client=curl",
                        l3->bucket, key, why);
    return PST_OK;
}

/* ---- head ---- */

typedef struct head_call {
    pst_libs3_call call;
    pst_store_info *info;
    char md5[MD5_TEXT]; /* of what our PUT has sent, "" if it was not ours */
} head_call;

static void read_meta(head_call *head, const S3ResponseProperties *properties)
{
    pst_store_meta *meta = &head->info->meta;
    for (int i = 0; i < properties->metaDataCount; i++) {
        const S3NameValue *from = &properties->metaData[i];
        pst_sv value = pst_sv_of(from->value);
        if (strcmp(from->name, md5_name) == 0) {
            (void)pst_metatext_decode(value, head->md5, sizeof head->md5);
            continue;
        }
        if (meta->n == PST_STORE_META_MAX)
            continue;
        pst_store_pair *pair = &meta->pairs[meta->n];
        int n = snprintf(pair->name, sizeof pair->name, "%s", from->name);
        if (n > 0 && (size_t)n < sizeof pair->name &&
            pst_metatext_decode(value, pair->value, sizeof pair->value))
            meta->n++;
    }
}

static S3Status see_head(const S3ResponseProperties *properties, void *opaque)
{
    head_call *head = opaque;
    head->info->meta.n = 0;
    head->info->size = (int64_t)properties->contentLength;
    head->info->modified_ms =
        properties->lastModified > 0 ? properties->lastModified * 1000 : 0;
    read_meta(head, properties);
    return S3StatusOK;
}

static void start_head(pst_libs3_call *call, S3RequestContext *context)
{
    static const S3ResponseHandler handler = {see_head, pst_libs3_complete};
    S3_head_object(&call->l3->at, call->key, context PST_LIBS3_NO_TIMEOUT, &handler,
                   call);
}

static pst_rc run_head(pst_libs3 *l3, const char *key, head_call *head,
                       pst_store_info *info, pst_err *err)
{
    *info = (pst_store_info){0};
    *head = (head_call){
        .call = {.l3 = l3, .method = PST_LIBS3_HEAD, .key = key, .start = start_head},
        .info = info};
    return pst_libs3_run(&head->call, err);
}

static pst_rc l3_head(pst_store *store, const char *key, const char *link,
                      pst_store_info *info, pst_err *err)
{
    (void)link;
    pst_libs3 *l3 = pst_libs3_of(store);
    *info = (pst_store_info){0};
    head_call head;
    pst_rc rc = check_key(l3, key, err);
    return rc == PST_OK ? run_head(l3, key, &head, info, err) : rc;
}

/* ---- put ---- */

typedef struct put_call {
    pst_libs3_call call;
    const pst_store_put *put;
    size_t at; /* in put->bytes */
    pst_chunks_pos pos;
    char md5[MD5_TEXT];
    char md5_base64[28];
    S3NameValue pairs[PST_STORE_META_MAX + 1];
    int n_pairs;
    char values[VALUES_MAX]; /* what the pairs point to */
} put_call;

static size_t size_of(const pst_store_put *put)
{
    return put->chunks ? put->chunks->len : put->bytes.n;
}

static int give_bytes(int size, char *out, void *opaque)
{
    put_call *p = opaque;
    p->call.sent = true;
    if (p->put->chunks) {
        int got = (int)pst_chunks_read(&p->pos, out, (size_t)size);
        return p->pos.failed ? -1 : got;
    }
    size_t n = p->put->bytes.n - p->at;
    if (n > (size_t)size)
        n = (size_t)size;
    memcpy(out, p->put->bytes.p + p->at, n);
    p->at += n;
    return (int)n;
}

static S3Status see_nothing(const S3ResponseProperties *properties, void *opaque)
{
    (void)properties;
    (void)opaque;
    return S3StatusOK;
}

static void start_put(pst_libs3_call *call, S3RequestContext *context)
{
    static const S3PutObjectHandler handler = {{see_nothing, pst_libs3_complete},
                                               give_bytes};
    put_call *p = (put_call *)call;
    S3PutProperties properties = {.contentType = p->put->content_type
                                                     ? p->put->content_type
                                                     : "application/octet-stream",
                                  .contentEncoding = p->put->content_encoding,
                                  .md5 = p->md5_base64,
                                  .expires = -1,
                                  .cannedAcl = call->l3->acl,
                                  .metaDataCount = p->n_pairs,
                                  .metaData = p->pairs};
    call->sent = call->body == 0;
    S3_put_object(&call->l3->at, call->key, call->body, &properties,
                  context PST_LIBS3_NO_TIMEOUT, &handler, call);
}

static pst_rc sum(put_call *p, pst_err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char scratch[SUM_STEP];
    const char *piece;
    size_t n;
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    bool ok = md5 && EVP_DigestInit_ex(md5, EVP_md5(), NULL) == 1;
    if (ok && p->put->chunks) {
        pst_chunks_pos pos = pst_chunks_begin(p->put->chunks);
        while (ok && (n = pst_chunks_next(&pos, scratch, sizeof scratch, &piece)) > 0)
            ok = EVP_DigestUpdate(md5, piece, n) == 1;
        p->pos.failed = pos.failed;
    } else if (ok) {
        ok = EVP_DigestUpdate(md5, p->put->bytes.p, p->put->bytes.n) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(md5, digest, NULL) == 1;
    EVP_MD_CTX_free(md5);
    if (p->pos.failed)
        return pst_chunks_failed(&p->pos, err);
    if (!ok)
        return pst_fail(err, PST_E_UNSUPPORTED,
                        "s3.client=libs3 needs MD5, which this system's libcrypto does "
                        "not give (FIPS mode?): use s3.client=curl");
    pst_hex(p->md5, digest, MD5_SIZE);
    pst_base64(p->md5_base64, digest, MD5_SIZE);
    return PST_OK;
}

/* An empty value can't be sent: libs3's HTTP client drops such a header, but the
   signature has it. */
static pst_rc add_pair(put_call *p, pst_buf *text, const char *name, const char *value,
                       size_t *total, pst_err *err)
{
    size_t start = text->len;
    pst_rc rc = pst_metatext_encode(text, value);
    *total += strlen(name) + (text->len - start);
    if (rc == PST_OK && *total > PST_METATEXT_TOTAL_MAX)
        rc = PST_E_LIMIT;
    if (rc == PST_OK && text->len > start) {
        p->pairs[p->n_pairs].name = name;
        p->pairs[p->n_pairs++].value = p->values + start;
        rc = pst_buf_addc(text, '\0');
    }
    if (rc == PST_E_LIMIT)
        return pst_fail(err, rc, "more than 2 KiB of metadata, at %s", name);
    return rc == PST_OK ? PST_OK : pst_fail_nomem(err, "metadata");
}

static pst_rc add_pairs(put_call *p, pst_err *err)
{
    const pst_store_meta *meta = p->put->meta;
    size_t total = 0;
    pst_buf text;
    pst_buf_init(&text, sizeof p->values);
    pst_rc rc = add_pair(p, &text, md5_name, p->md5, &total, err);
    for (size_t i = 0; meta && i < meta->n && rc == PST_OK; i++)
        rc = add_pair(p, &text, meta->pairs[i].name, meta->pairs[i].value, &total, err);
    if (rc == PST_OK)
        memcpy(p->values, text.data, text.len);
    pst_buf_done(&text);
    return rc;
}

/* Does the store hold what was sent? */
static pst_rc confirm(const put_call *p, pst_err *err)
{
    pst_store_info info;
    head_call head;
    const pst_libs3_call *call = &p->call;
    pst_err why = PST_ERR_INIT;
    pst_rc rc = run_head(call->l3, call->key, &head, &info, &why);
    if (rc != PST_OK && rc != PST_E_NOT_FOUND) {
        *err = why;
        return rc;
    }
    if (rc == PST_OK && info.size == (int64_t)size_of(p->put) &&
        strcmp(head.md5, p->md5) == 0)
        return PST_OK;
    return pst_fail(err, PST_E_IO,
                    "PUT s3://%s/%.200s: libs3 says that it is done, but a HEAD finds %s "
                    "there: the store has refused it, or something on the way",
                    call->l3->bucket, call->key,
                    rc == PST_OK ? "another object" : "nothing");
}

static pst_rc send_and_confirm(put_call *p, pst_err *err)
{
    pst_err why = PST_ERR_INIT;
    pst_rc rc = pst_libs3_run(&p->call, &why);
    if (p->pos.failed) { /* the bytes could not be read */
        pst_err_clear(&why);
        rc = pst_chunks_failed(&p->pos, &why);
    } else if (rc == PST_OK) {
        rc = confirm(p, &why);
        why.unknown = why.retriable = rc != PST_OK;
    } else if (why.unknown && rc != PST_E_STOPPED) {
        pst_err ignored = PST_ERR_INIT; /* it may have told a failure that was none */
        if (confirm(p, &ignored) == PST_OK)
            return PST_OK;
    }
    if (rc != PST_OK && err && err->code == PST_OK)
        *err = why;
    return rc;
}

/* libs3 dates a request when it begins: whoever slept since the sleeper's check (safety
   rule 9) must not begin. */
static pst_rc check_date(const pst_libs3 *l3, const pst_store_put *put, pst_err *err)
{
    if (!put->dated_ms || pst_wall_ms(l3->clock) - put->dated_ms < OLD_SIGNATURE_MS)
        return PST_OK;
    return pst_fail_retriable(err, PST_E_IO,
                              "PUT s3://%s/%.200s: its date has passed: date it anew",
                              l3->bucket, put->key);
}

static pst_rc l3_put(pst_store *store, const pst_store_put *put, pst_err *err)
{
    pst_libs3 *l3 = pst_libs3_of(store);
    pst_rc rc = check_key(l3, put->key, err);
    if (rc == PST_OK && put->create_only)
        rc = pst_fail(err, PST_E_UNSUPPORTED,
                      "s3.client=libs3 cannot create conditionally (If-None-Match)");
    if (rc == PST_OK)
        rc = check_date(l3, put, err);
    put_call *p = rc == PST_OK ? pst_calloc(1, sizeof *p) : NULL;
    if (rc == PST_OK && !p)
        rc = pst_fail_nomem(err, "a PUT");
    if (rc != PST_OK)
        return rc;
    p->call = (pst_libs3_call){.l3 = l3,
                               .method = PST_LIBS3_PUT,
                               .key = put->key,
                               .start = start_put,
                               .body = size_of(put)};
    p->put = put;
    if (put->chunks)
        p->pos = pst_chunks_begin(put->chunks);
    rc = sum(p, err);
    if (rc == PST_OK)
        rc = add_pairs(p, err);
    if (rc == PST_OK)
        rc = send_and_confirm(p, err);
    pst_free(p);
    return rc;
}

/* ---- get ---- */

typedef struct get_call {
    pst_libs3_call call;
    pst_buf *body;
    pst_rc rc;
    uint64_t want, got;
} get_call;

static S3Status see_length(const S3ResponseProperties *properties, void *opaque)
{
    ((get_call *)opaque)->want = properties->contentLength;
    return S3StatusOK;
}

static S3Status take_bytes(int size, const char *bytes, void *opaque)
{
    get_call *get = opaque;
    get->got += (uint64_t)size;
    get->rc = pst_buf_add(get->body, bytes, (size_t)size);
    return get->rc == PST_OK ? S3StatusOK : S3StatusAbortedByCallback;
}

static void start_get(pst_libs3_call *call, S3RequestContext *context)
{
    static const S3GetObjectHandler handler = {{see_length, pst_libs3_complete},
                                               take_bytes};
    S3_get_object(&call->l3->at, call->key, NULL, 0, 0, context PST_LIBS3_NO_TIMEOUT,
                  &handler, call);
}

static pst_rc l3_get(pst_store *store, const char *key, pst_buf *body, pst_err *err)
{
    pst_libs3 *l3 = pst_libs3_of(store);
    get_call get = {
        .call = {.l3 = l3, .method = PST_LIBS3_GET, .key = key, .start = start_get},
        .body = body};
    pst_rc rc = check_key(l3, key, err);
    if (rc != PST_OK)
        return rc;
    size_t before = body->len;
    pst_err why = PST_ERR_INIT;
    rc = pst_libs3_run(&get.call, &why);
    if (rc != PST_OK || get.got != get.want)
        body->len = before;
    if (get.rc == PST_E_LIMIT)
        return pst_fail(err, get.rc, "s3://%s/%.200s is larger than %zu bytes",
                        l3->bucket, key, body->max);
    if (get.rc != PST_OK)
        return pst_fail_nomem(err, "an S3 object");
    if (rc == PST_OK && get.got != get.want)
        return pst_fail_retriable(err, PST_E_IO,
                                  "GET s3://%s/%.200s: the answer was cut: %llu of %llu "
                                  "bytes",
                                  l3->bucket, key, (unsigned long long)get.got,
                                  (unsigned long long)get.want);
    if (rc != PST_OK && err && err->code == PST_OK)
        *err = why;
    return rc;
}

/* ---- remove ---- */

static void start_remove(pst_libs3_call *call, S3RequestContext *context)
{
    static const S3ResponseHandler handler = {see_nothing, pst_libs3_complete};
    S3_delete_object(&call->l3->at, call->key, context PST_LIBS3_NO_TIMEOUT, &handler,
                     call);
}

static pst_rc l3_remove(pst_store *store, const char *key, pst_err *err)
{
    pst_libs3 *l3 = pst_libs3_of(store);
    pst_libs3_call call = {
        .l3 = l3, .method = PST_LIBS3_DELETE, .key = key, .start = start_remove};
    pst_err why = PST_ERR_INIT;
    pst_rc rc = check_key(l3, key, &why);
    if (rc == PST_OK)
        rc = pst_libs3_run(&call, &why);
    if (rc == PST_E_NOT_FOUND && !why.retriable) /* no such key: as wished */
        rc = PST_OK;
    else if (rc != PST_OK && err && err->code == PST_OK)
        *err = why;
    return rc;
}

/* ---- list ---- */

typedef struct list_call {
    pst_libs3_call call;
    const pst_store_list *list;
    pst_store_each each;
    void *opaque;
    size_t n;      /* keys given out */
    size_t page_n; /* keys of this answer */
    bool stop;     /* the caller has enough */
    bool disorder;
    char last[PST_STORE_KEY_MAX + 1]; /* go on after it */
} list_call;

static bool see_key(list_call *l, const char *key, uint64_t size)
{
    const char *prefix = l->list->prefix ? l->list->prefix : "";
    if (strlen(key) > PST_STORE_KEY_MAX || strcmp(key, l->last) <= 0) {
        l->disorder = true;
        return false;
    }
    snprintf(l->last, sizeof l->last, "%s", key);
    l->page_n++;
    if (strncmp(key, prefix, strlen(prefix)) != 0) /* not what we asked for */
        return true;
    l->n++;
    l->stop = !l->each(l->opaque, key, (int64_t)size) ||
              (l->list->limit && l->n >= l->list->limit);
    return !l->stop;
}

static S3Status see_page(int truncated, const char *next, int n,
                         const S3ListBucketContent *contents, int n_prefixes,
                         const char **prefixes, void *opaque)
{
    list_call *l = opaque;
    (void)truncated; /* of an answer that was cut it tells nothing */
    (void)next;
    (void)n_prefixes;
    (void)prefixes;
    for (int i = 0; i < n && !l->stop && !l->disorder; i++)
        (void)see_key(l, contents[i].key, contents[i].size);
    return l->disorder ? S3StatusAbortedByCallback : S3StatusOK;
}

static void start_list(pst_libs3_call *call, S3RequestContext *context)
{
    static const S3ListBucketHandler handler = {{see_nothing, pst_libs3_complete},
                                                see_page};
    list_call *l = (list_call *)call;
    size_t page = LIST_PAGE;
    if (l->list->limit && l->list->limit - l->n < page)
        page = l->list->limit - l->n;
    S3_list_bucket(&call->l3->at, l->list->prefix, l->last[0] ? l->last : NULL, NULL,
                   (int)page, context PST_LIBS3_NO_TIMEOUT, &handler, call);
}

static pst_rc list_page(list_call *l, pst_err *err)
{
    pst_err why = PST_ERR_INIT;
    l->page_n = 0;
    l->call.done = false;
    l->call.status = S3StatusOK;
    pst_rc rc = pst_libs3_run(&l->call, &why);
    if (l->disorder)
        return pst_fail(err, PST_E_UNSUPPORTED,
                        "s3://%s does not list its keys in byte order: Penstock cannot "
                        "recover from such a listing",
                        l->call.l3->bucket);
    if (rc != PST_OK && err && err->code == PST_OK)
        *err = why;
    return rc;
}

/* Where to begin; false if no key can be wanted. Some stores refuse to begin outside of
   the prefix. */
static bool begin_after(const pst_store_list *list, char *out, size_t size)
{
    const char *prefix = list->prefix ? list->prefix : "";
    const char *after = list->after ? list->after : "";
    int order = strncmp(after, prefix, strlen(prefix));
    snprintf(out, size, "%s", order == 0 ? after : "");
    return order <= 0 || !after[0];
}

static pst_rc l3_list(pst_store *store, const pst_store_list *list, pst_store_each each,
                      void *opaque, pst_err *err)
{
    list_call *l = pst_calloc(1, sizeof *l);
    if (!l)
        return pst_fail_nomem(err, "a listing");
    l->call = (pst_libs3_call){
        .l3 = pst_libs3_of(store), .method = PST_LIBS3_LIST, .start = start_list};
    l->list = list;
    l->each = each;
    l->opaque = opaque;
    l->stop = !begin_after(list, l->last, sizeof l->last);
    pst_rc rc = PST_OK;
    for (int empty = 0; rc == PST_OK && !l->stop && empty < 2;) {
        rc = list_page(l, err);
        empty = l->page_n ? 0 : empty + 1;
    }
    pst_free(l);
    return rc;
}

/* ---- the rest ---- */

static void l3_describe(const pst_store *store, const char *key, char *out, size_t size)
{
    snprintf(out, size, "s3://%s/%s", ((const pst_libs3 *)store)->bucket, key);
}

static uint64_t l3_requests(const pst_store *store, const char *method)
{
    const pst_libs3 *l3 = (const pst_libs3 *)store;
    for (int m = 0; m < PST_LIBS3_METHODS; m++)
        if (strcmp(method, pst_libs3_method_name((pst_libs3_method)m)) == 0)
            return atomic_load_explicit(&l3->requests[m], memory_order_relaxed);
    return 0;
}

static const pst_store_driver driver = {
    .name = "libs3",
    .open = l3_open,
    .close = l3_close,
    .put = l3_put,
    .head = l3_head,
    .get = l3_get,
    .list = l3_list,
    .remove = l3_remove,
    .describe = l3_describe,
    .requests = l3_requests,
    .links = false,
};

/* The one visible symbol. */
__attribute__((visibility("default"))) pst_store_plugin_entry pst_store_plugin_1;
void pst_store_plugin_1(pst_store_plugin *out)
{
    *out = (pst_store_plugin){.version = PST_VERSION,
                              .layout = pst_store_plugin_layout(),
                              .library = PST_LIBS3_LIBRARY,
                              .driver = &driver};
}

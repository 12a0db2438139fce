/*
 * s3multi.c - a large object goes up in parts: CreateMultipartUpload, a few UploadPart at
 * once, CompleteMultipartUpload with If-None-Match: *, and AbortMultipartUpload if it
 * comes to nothing.
 *
 * Until it is completed nothing is to be seen under the key, so the chain's commit is the
 * Complete: it carries the condition, and the caller's word that the position is still
 * ours (put->confirm), because hours may have gone by since the first part. Whether a
 * Complete without a good answer has taken effect is told by the object's own metadata,
 * which names the batch.
 *
 * The one place where a driver tries again and waits: parts (and the Complete) have
 * s3.part.retries, for the parts that are there already would be lost otherwise. It waits
 * in the caller's thread, and ends at once when cancelled. Parts are read in place, from
 * memory or from the spool; nothing is copied.
 */
#include "base/mem.h"
#include "store/s3.h"

#include <stdio.h>

enum {
    PARALLEL = 4, /* parts of one object at once */
    PARTS_MAX = 10000,
    ID_MAX = 1024,
    QUERY_MAX = 4 * 1024,
    XML_MAX = 8 * 1024 * 1024,
    ETAG_MAX = 256,
    BACKOFF_CAP_MS = 10000,
    SUM_STEP = 32 * 1024,
    LIST_MAX = 8 * 1024 * 1024,
    SWEEP_MAX = 1000,
};

/* One request with what it needs. */
typedef struct message {
    pst_s3_call call;
    pst_s3_headers headers;
    pst_http_response res;
    pst_s3_flight flight;
    pst_buf query;
} message;

typedef struct part {
    message msg;
    size_t number; /* from 1 */
    size_t from, length;
    uint32_t crc32c;
    int tries;
    bool under_way;
} part;

typedef struct upload {
    pst_s3 *s3;
    const pst_store_put *put;
    char id[ID_MAX + 1];
    size_t part_size, n_parts;
    bool whole_sum; /* the store checks the CRC-32C of the whole object */
    pst_buf xml;    /* the Complete's body */
    uint64_t seed;
    part parts[PARALLEL];
} upload;

/* ---- requests ---- */

static void message_init(message *m, pst_s3_method method, const char *key)
{
    *m = (message){.call = {.method = method,
                            .key = key,
                            .body = PST_SV(""),
                            .max_response = PST_S3_ERROR_MAX}};
    pst_s3_headers_init(&m->headers);
    pst_http_response_init(&m->res);
    pst_buf_init(&m->query, QUERY_MAX);
}

static void message_done(message *m)
{
    pst_s3_headers_done(&m->headers);
    pst_http_response_done(&m->res);
    pst_buf_done(&m->query);
}

/* `before` + the upload's id. */
static pst_rc set_query(message *m, const char *before, const char *id, pst_err *err)
{
    pst_rc rc = pst_buf_addf(&m->query, "%suploadId=", before);
    if (rc == PST_OK)
        rc = pst_sigv4_encode(&m->query, pst_sv_of(id), false);
    if (rc == PST_OK && !pst_buf_cstr(&m->query))
        rc = PST_E_NOMEM;
    m->call.query = m->query.data;
    m->call.headers = &m->headers;
    return rc == PST_OK ? PST_OK : pst_fail(err, rc, "the query of an S3 request");
}

static pst_rc message_send(pst_s3 *s3, message *m, pst_err *err)
{
    m->call.headers = &m->headers;
    return pst_s3_send(s3, &m->call, &m->res, err);
}

static pst_sv body_of(const message *m)
{
    return (pst_sv){m->res.body.data, m->res.body.len};
}

/* ---- create ---- */

static pst_rc create(upload *u, pst_err *err)
{
    message m;
    message_init(&m, PST_S3_POST, u->put->key);
    m.call.query = "uploads=";
    if (u->s3->checksum == PST_STORE_CRC32C) {
        pst_s3_headers_add(&m.headers, "x-amz-checksum-algorithm: CRC32C");
        pst_s3_headers_add(&m.headers, "x-amz-checksum-type: FULL_OBJECT");
    }
    pst_rc rc = pst_s3_add_properties(u->s3, u->put, &m.headers, err);
    if (rc == PST_OK)
        rc = message_send(u->s3, &m, err);
    if (rc == PST_OK && (m.res.status != 200 ||
                         !pst_s3xml_field(body_of(&m), "InitiateMultipartUploadResult",
                                          "UploadId", u->id, sizeof u->id)))
        rc = pst_s3_fail(u->s3, &m.call, &m.res, err);
    /* A store that does not know the type ignores it, and says nothing of it. */
    pst_sv type = pst_http_header(&m.res, "x-amz-checksum-type");
    u->whole_sum = u->s3->checksum == PST_STORE_CRC32C && pst_sv_is(type, "FULL_OBJECT");
    message_done(&m);
    return rc;
}

/* ---- parts ---- */

static pst_rc sum_part(const upload *u, part *p, pst_err *err)
{
    char scratch[SUM_STEP];
    const char *piece;
    size_t n;
    pst_chunks_pos pos = pst_chunks_range(u->put->chunks, p->from, p->length);
    p->crc32c = 0;
    while ((n = pst_chunks_next(&pos, scratch, sizeof scratch, &piece)) > 0)
        p->crc32c = pst_crc32c(p->crc32c, piece, n);
    return pst_chunks_failed(&pos, err);
}

/* As s3.checksum says. */
static pst_rc add_part_sum(const upload *u, part *p, pst_err *err)
{
    if (u->s3->checksum == PST_STORE_CRC32C)
        pst_s3_add_crc32c(&p->msg.headers, p->crc32c);
    if (u->s3->checksum != PST_STORE_MD5)
        return PST_OK;
    pst_chunks_pos pos = pst_chunks_range(u->put->chunks, p->from, p->length);
    return pst_s3_add_md5(&p->msg.headers, &pos, (pst_sv){0}, err);
}

static pst_rc part_send(upload *u, part *p, pst_err *err)
{
    char before[40];
    snprintf(before, sizeof before, "partNumber=%zu&", p->number);
    message_init(&p->msg, PST_S3_PUT, u->put->key);
    pst_s3_call *call = &p->msg.call;
    call->chunks = u->put->chunks;
    call->from = p->from;
    call->length = p->length;
    pst_rc rc = set_query(&p->msg, before, u->id, err);
    if (rc == PST_OK)
        rc = add_part_sum(u, p, err);
    if (rc == PST_OK)
        rc = pst_s3_begin(u->s3, call, &p->msg.res, &p->msg.flight, err);
    p->under_way = rc == PST_OK;
    if (rc != PST_OK)
        message_done(&p->msg);
    return rc;
}

static pst_rc part_start(upload *u, part *p, size_t index, pst_err *err)
{
    size_t all = u->put->chunks->len;
    *p = (part){.number = index + 1, .from = index * u->part_size};
    p->length = all - p->from < u->part_size ? all - p->from : u->part_size;
    pst_rc rc = u->s3->checksum == PST_STORE_CRC32C ? sum_part(u, p, err) : PST_OK;
    return rc == PST_OK ? part_send(u, p, err) : rc;
}

static bool is_etag(pst_sv etag)
{
    for (size_t i = 0; i < etag.n; i++)
        if ((unsigned char)etag.p[i] <= 0x20 || (unsigned char)etag.p[i] >= 0x7f ||
            strchr("<>&", etag.p[i]))
            return false;
    return etag.n > 0 && etag.n <= ETAG_MAX;
}

static pst_rc note_part(upload *u, const part *p, pst_sv etag, pst_err *err)
{
    char sum[PST_S3_SUM_SIZE];
    pst_s3_sum_text(p->crc32c, sum);
    pst_rc rc =
        pst_buf_addf(&u->xml, "<Part><PartNumber>%zu</PartNumber><ETag>%.*s</ETag>",
                     p->number, PST_SV_FMT(etag));
    if (rc == PST_OK && u->s3->checksum == PST_STORE_CRC32C)
        rc = pst_buf_addf(&u->xml, "<ChecksumCRC32C>%s</ChecksumCRC32C>", sum);
    if (rc == PST_OK)
        rc = pst_buf_adds(&u->xml, "</Part>");
    return rc == PST_OK ? PST_OK : pst_fail(err, rc, "the list of parts");
}

/* Waits for the answer; the request is over then. */
static pst_rc part_answer(upload *u, part *p, pst_err *err)
{
    message *m = &p->msg;
    p->under_way = false;
    pst_rc rc = pst_s3_end(u->s3, &m->call, &m->res, &m->flight, err);
    if (rc == PST_OK) {
        pst_sv etag = pst_http_header(&m->res, "ETag");
        rc = m->res.status == 200 && is_etag(etag)
                 ? note_part(u, p, etag, err)
                 : pst_s3_fail(u->s3, &m->call, &m->res, err);
    }
    message_done(m);
    return rc;
}

/* True if the wait was cancelled. */
static bool back_off(upload *u, int tries, const pst_err *why)
{
    int64_t ms = pst_backoff_ms(&u->seed, u->s3->retry_backoff_ms, BACKOFF_CAP_MS,
                                (unsigned)tries);
    if (why->after_ms > ms)
        ms = why->after_ms < BACKOFF_CAP_MS ? why->after_ms : BACKOFF_CAP_MS;
    return pst_cancel_wait(u->s3->cancel, ms);
}

static pst_rc give_up(const pst_err *why, pst_err *err)
{
    if (err && err->code == PST_OK)
        *err = *why;
    return why->code;
}

/* The part is up, after as many tries as it may have. */
static pst_rc part_finish(upload *u, part *p, pst_err *err)
{
    for (;;) {
        pst_err why = PST_ERR_INIT;
        pst_rc rc = p->under_way ? part_answer(u, p, &why) : part_send(u, p, &why);
        if (rc == PST_OK && !p->under_way)
            return PST_OK;
        if (rc == PST_OK)
            continue;
        bool pass = why.retriable && rc != PST_E_NOT_FOUND; /* else the upload is gone */
        if (!pass || p->tries >= u->s3->part_retries)
            return give_up(&why, err);
        if (back_off(u, p->tries++, &why))
            return pst_fail(err, PST_E_STOPPED, "stopped while uploading %.200s",
                            u->put->key);
    }
}

/* In order, so that the list of parts is; with PARALLEL of them under way. */
static pst_rc send_parts(upload *u, pst_err *err)
{
    pst_rc rc = pst_buf_adds(&u->xml, "<CompleteMultipartUpload>");
    if (rc != PST_OK)
        return pst_fail_nomem(err, "the list of parts");
    for (size_t i = 0; rc == PST_OK && i < u->n_parts + PARALLEL; i++) {
        part *p = &u->parts[i % PARALLEL];
        if (i >= PARALLEL && i - PARALLEL < u->n_parts)
            rc = part_finish(u, p, err);
        if (rc == PST_OK && i < u->n_parts)
            rc = part_start(u, p, i, err);
    }
    for (size_t i = 0; i < PARALLEL; i++)
        if (u->parts[i].under_way) {
            pst_err ignored = PST_ERR_INIT;
            (void)part_answer(u, &u->parts[i], &ignored);
        }
    if (rc == PST_OK && pst_buf_adds(&u->xml, "</CompleteMultipartUpload>") != PST_OK)
        rc = pst_fail_nomem(err, "the list of parts");
    return rc;
}

/* ---- complete ---- */

static pst_rc complete_once(upload *u, int64_t dated_ms, pst_err *err)
{
    message m;
    message_init(&m, PST_S3_POST, u->put->key);
    m.call.body = (pst_sv){u->xml.data, u->xml.len};
    m.call.dated_ms = dated_ms;
    pst_s3_headers_add(&m.headers, "Content-Type: application/xml");
    if (u->put->create_only)
        pst_s3_headers_add(&m.headers, "If-None-Match: *");
    if (u->whole_sum) {
        pst_s3_add_crc32c(&m.headers, u->put->crc32c);
        pst_s3_headers_add(&m.headers, "x-amz-checksum-type: FULL_OBJECT");
    }
    char etag[ETAG_MAX + 1];
    pst_rc rc = set_query(&m, "", u->id, err);
    if (rc == PST_OK)
        rc = message_send(u->s3, &m, err);
    if (rc == PST_OK && (m.res.status != 200 ||
                         !pst_s3xml_field(body_of(&m), "CompleteMultipartUploadResult",
                                          "ETag", etag, sizeof etag)))
        rc = pst_s3_fail(u->s3, &m.call, &m.res, err);
    message_done(&m);
    return rc;
}

static bool same_meta(const pst_store_meta *ours, const pst_store_meta *theirs)
{
    for (size_t i = 0; i < ours->n; i++) {
        const char *value = pst_store_meta_get(theirs, ours->pairs[i].name);
        if (!value || strcmp(value, ours->pairs[i].value) != 0)
            return false;
    }
    return true;
}

/* Whose is the object at the key? PST_OK: ours; PST_E_EXISTS: another's; PST_E_NOT_FOUND:
   there is none; else it can't be told. */
static pst_rc whose(const upload *u, pst_err *err)
{
    pst_store *store = &u->s3->base;
    pst_store_info info;
    if (!u->put->meta || !u->put->meta->n)
        return PST_E_INVALID;
    pst_rc rc = store->driver->head(store, u->put->key, NULL, &info, err);
    if (rc != PST_OK)
        return rc;
    bool ours =
        same_meta(u->put->meta, &info.meta) && info.size == (int64_t)u->put->chunks->len;
    return ours ? PST_OK : PST_E_EXISTS;
}

static pst_rc fail_taken(const upload *u, pst_err *err)
{
    return pst_fail(err, PST_E_EXISTS, "s3://%s/%.200s: the key is taken", u->s3->bucket,
                    u->put->key);
}

/* A Complete has failed, and may have taken effect: PST_OK if it has. *again: it has not,
   and the same Complete may follow. */
static pst_rc settle(upload *u, const pst_err *why, bool *again, pst_err *err)
{
    bool gone = why->code == PST_E_NOT_FOUND; /* no such upload: completed or aborted */
    *again = false;
    if (!gone && !why->unknown)
        return give_up(why, err);
    pst_err ignored = PST_ERR_INIT;
    pst_rc rc = whose(u, &ignored);
    if (rc == PST_OK)
        return PST_OK;
    if (rc == PST_E_EXISTS && u->put->create_only)
        return fail_taken(u, err);
    *again = rc == PST_E_NOT_FOUND && !gone && why->status != 409;
    if (!gone)
        return give_up(why, err);
    rc = pst_fail_retriable(err, PST_E_IO, "%s; its parts go up anew", why->text);
    if (err)
        err->unknown = true;
    return rc;
}

static pst_rc complete(upload *u, int64_t dated_ms, pst_err *err)
{
    for (int tries = 0;; tries++) {
        pst_err why = PST_ERR_INIT, last = PST_ERR_INIT;
        bool again = false;
        pst_rc rc = complete_once(u, dated_ms, &why);
        if (rc != PST_OK)
            rc = settle(u, &why, &again, &last);
        if (rc == PST_OK)
            return PST_OK;
        if (!again || tries >= u->s3->part_retries)
            return give_up(&last, err);
        if (back_off(u, tries, &why))
            return give_up(&last, err);
    }
}

/* ---- abort, and uploads that were left ---- */

static pst_rc abort_upload(pst_s3 *s3, const char *key, const char *id, pst_err *err)
{
    message m;
    message_init(&m, PST_S3_DELETE, key);
    m.call.permission = "s3:AbortMultipartUpload";
    pst_err why = PST_ERR_INIT;
    pst_rc rc = set_query(&m, "", id, &why);
    if (rc == PST_OK)
        rc = message_send(s3, &m, &why);
    if (rc == PST_OK && m.res.status != 204 && m.res.status != 200)
        rc = pst_s3_fail(s3, &m.call, &m.res, &why);
    if (m.res.status == 404) /* as wished */
        rc = PST_OK;
    message_done(&m);
    return rc == PST_OK ? PST_OK : give_up(&why, err);
}

typedef struct sweeping {
    pst_s3 *s3;
    const char *prefix;
    pst_store_each_upload wanted;
    void *opaque;
    size_t n;
    pst_err *err;
} sweeping;

/* "2026-11-23T07:38:16.123Z"; what is no time was begun at no known one: never old. */
static int64_t begun_of(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    int n[6] = {0}, field = 0;
    for (size_t i = 0; form[i]; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !digit : text[i] != form[i])
            return INT64_MAX;
        if (form[i] == 'd')
            n[field] = n[field] * 10 + (text[i] - '0');
        else
            field++;
    }
    int64_t seconds = n[3] * 3600 + n[4] * 60 + n[5];
    return (pst_days_of(n[0], n[1], n[2]) * 86400 + seconds) * 1000;
}

static pst_rc see_upload(void *opaque, const pst_s3xml_upload *seen)
{
    sweeping *s = opaque;
    bool asked = strncmp(seen->key, s->prefix, strlen(s->prefix)) == 0;
    if (!asked || !s->wanted(s->opaque, seen->key, begun_of(seen->initiated)))
        return PST_OK;
    pst_rc rc = abort_upload(s->s3, seen->key, seen->id, s->err);
    s->n += rc == PST_OK;
    return rc;
}

/* One page of them: what is beyond it waits for the next start. */
pst_rc pst_s3_sweep(pst_store *store, const char *prefix, pst_store_each_upload wanted,
                    void *opaque, size_t *aborted, pst_err *err)
{
    pst_s3 *s3 = pst_s3_of(store);
    message m;
    message_init(&m, PST_S3_LIST, NULL);
    m.call.permission = "s3:ListBucketMultipartUploads";
    m.call.max_response = LIST_MAX;
    pst_rc rc = pst_buf_addf(
        &m.query, "uploads=&encoding-type=url&max-uploads=%d&prefix=", SWEEP_MAX);
    if (rc == PST_OK)
        rc = pst_sigv4_encode(&m.query, pst_sv_of(prefix), false);
    m.call.query = rc == PST_OK ? pst_buf_cstr(&m.query) : NULL;
    if (!m.call.query)
        rc = pst_fail(err, rc == PST_OK ? PST_E_NOMEM : rc, "the query of a listing");
    if (rc == PST_OK)
        rc = message_send(s3, &m, err);
    sweeping s = {s3, prefix, wanted, opaque, 0, err};
    if (rc == PST_OK)
        rc = m.res.status == 200 ? pst_s3xml_uploads_of(body_of(&m), see_upload, &s, err)
                                 : pst_s3_fail(s3, &m.call, &m.res, err);
    *aborted = s.n;
    message_done(&m);
    return rc;
}

/* ---- all of it ---- */

static pst_rc confirm(const upload *u, int64_t *dated_ms, pst_err *err)
{
    *dated_ms = u->put->dated_ms;
    return u->put->confirm ? u->put->confirm(u->put->opaque, dated_ms, err) : PST_OK;
}

pst_rc pst_s3_put_parts(pst_s3 *s3, const pst_store_put *put, pst_err *err)
{
    upload *u = pst_calloc(1, sizeof *u);
    if (!u)
        return pst_fail_nomem(err, "an upload");
    size_t all = put->chunks->len, least = (all + PARTS_MAX - 1) / PARTS_MAX;
    u->s3 = s3;
    u->put = put;
    u->part_size = (size_t)s3->part_size > least ? (size_t)s3->part_size : least;
    u->n_parts = (all + u->part_size - 1) / u->part_size;
    u->seed = put->crc32c ^ (uintptr_t)u;
    pst_buf_init(&u->xml, XML_MAX);
    pst_err why = PST_ERR_INIT;
    int64_t dated_ms = 0;
    pst_rc rc = create(u, &why);
    if (rc == PST_OK)
        rc = send_parts(u, &why);
    if (rc == PST_OK)
        rc = confirm(u, &dated_ms, &why);
    if (rc == PST_OK)
        rc = complete(u, dated_ms, &why);
    if (rc != PST_OK && u->id[0]) {
        pst_err ignored = PST_ERR_INIT;
        (void)abort_upload(s3, put->key, u->id, &ignored);
    }
    if (rc != PST_OK)
        (void)give_up(&why, err);
    pst_buf_done(&u->xml);
    pst_free(u);
    return rc;
}

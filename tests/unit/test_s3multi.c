/*
 * test_s3multi.c - objects that go up in parts, against a small S3 of our own that keeps
 * uploads and can be told to fail at each step: what comes of every answer, what is to be
 * seen under the key then, and which uploads are left.
 */
#include "mem_fault.c"
#include "store/s3.h"
#include "tests/store/fault_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KEY "topics/t/partition=0/t+0+00000000000000000007.csv"
#define XML(code) "<Error><Code>" code "</Code><Message>words</Message></Error>"

enum { PART = 1000, PARTS = 11, BYTES = PART * (PARTS - 1) + 123, UPLOADS = 8 };

/* What happens to the request `op` number `nth` (from 0), and `times` ones in all. */
typedef struct fault {
    const char *op; /* create, part, complete, abort, head, uploads */
    int nth, times;
    const char *status, *body; /* NULL: it takes effect, then the answer is lost */
    bool effect;               /* with an answer: it takes effect all the same */
    bool vanish;               /* the upload is aborted by somebody before it */
} fault;

typedef struct stored {
    bool used;
    char key[300], id[40], meta[4000];
    pst_buf parts[PARTS + 1];
} stored;

typedef struct fixture {
    fault_server server;
    pst_store *store;
    pst_store_conf conf;
    pst_err err;
    pthread_mutex_t lock; /* all below */
    const fault *faults;
    int seen[16];
    bool composite; /* an older store: no checksum of the whole */
    stored uploads[UPLOADS];
    int begun, at_once, most_at_once;
    char object_meta[4000];
    pst_buf object;
    bool exists;
    uint32_t object_crc;
    char heads[PARTS + 20][3000]; /* of creates and completes */
    int n_heads;
    pst_chunks chunks;
    pst_store_meta meta;
    uint32_t crc;
    int confirms;
    pst_rc confirm_rc;
} fixture;

#define SAYS(what, first, n, answer, text)                                               \
    {                                                                                    \
        .op = (what), .nth = (first), .times = (n), .status = (answer), .body = (text)   \
    }
#define TAKES(what, first, n, answer, text)                                              \
    {                                                                                    \
        .op = (what), .nth = (first), .times = (n), .status = (answer), .body = (text),  \
        .effect = true                                                                   \
    }
#define LOSES(what, first, n)                                                            \
    {                                                                                    \
        .op = (what), .nth = (first), .times = (n)                                       \
    }
#define VANISHES(what, first, n)                                                         \
    {                                                                                    \
        .op = (what), .nth = (first), .times = (n), .vanish = true                       \
    }

/* ---- the server ---- */

static const char *const ops[] = {"create", "part", "complete",
                                  "abort",  "head", "uploads"};

static int op_of(const fault_request *req)
{
    bool id = strstr(req->target, "uploadId=") != NULL;
    if (strcmp(req->method, "POST") == 0)
        return id ? 2 : 0;
    if (strcmp(req->method, "PUT") == 0)
        return 1;
    if (strcmp(req->method, "DELETE") == 0)
        return 3;
    return strcmp(req->method, "HEAD") == 0 ? 4 : 5;
}

static stored *upload_of(fixture *f, const char *target)
{
    const char *id = strstr(target, "uploadId=");
    for (int i = 0; id && i < UPLOADS; i++)
        if (f->uploads[i].used && strcmp(f->uploads[i].id, id + 9) == 0)
            return &f->uploads[i];
    return NULL;
}

static void drop_upload(stored *u)
{
    for (int i = 0; i <= PARTS; i++)
        pst_buf_done(&u->parts[i]);
    u->used = false;
}

static void take_meta(const fault_request *req, char *out, size_t size)
{
    out[0] = '\0';
    const char *at = req->head.data;
    while ((at = strcasestr(at, "\r\nx-amz-meta-")) != NULL) {
        const char *end = strstr(at + 2, "\r\n");
        size_t n = strlen(out);
        snprintf(out + n, size - n, "%.*s\r\n", (int)(end - at - 2), at + 2);
        at = end;
    }
}

static const char *do_create(fixture *f, const fault_request *req, char *text,
                             size_t size)
{
    stored *u = f->uploads;
    while (u < f->uploads + UPLOADS && u->used)
        u++;
    if (u == f->uploads + UPLOADS)
        return "500 Too many";
    *u = (stored){.used = true};
    snprintf(u->id, sizeof u->id, "up-%d", f->begun++);
    snprintf(u->key, sizeof u->key, "%s", KEY);
    for (int i = 0; i <= PARTS; i++)
        pst_buf_init(&u->parts[i], 1 << 20);
    take_meta(req, u->meta, sizeof u->meta);
    snprintf(text, size,
             "<?xml version=\"1.0\"?>\n<InitiateMultipartUploadResult xmlns=\"x\">"
             "<Bucket>bucket</Bucket><UploadId>%s</UploadId>"
             "</InitiateMultipartUploadResult>",
             u->id);
    return "200 OK";
}

static const char *do_part(fixture *f, const fault_request *req)
{
    stored *u = upload_of(f, req->target);
    const char *number = strstr(req->target, "partNumber=");
    int n = number ? atoi(number + 11) : 0; // NOLINT
    if (!u || n < 1 || n > PARTS)
        return "404 Not Found";
    char line[64], sum[PST_S3_SUM_SIZE];
    pst_s3_sum_text(pst_crc32c(0, req->body.data, req->body.len), sum);
    snprintf(line, sizeof line, "x-amz-checksum-crc32c: %s", sum);
    if (!fault_has_header(req, line))
        return "400 Bad";
    pst_buf_clear(&u->parts[n]);
    return pst_buf_add(&u->parts[n], req->body.data, req->body.len) == PST_OK
               ? "200 OK"
               : "500 Oops";
}

/* The list must name each part once, in order, with its ETag and sum. */
static bool list_is_right(const stored *u, const pst_buf *body)
{
    pst_buf want;
    pst_buf_init(&want, 1 << 20);
    bool ok = pst_buf_adds(&want, "<CompleteMultipartUpload>") == PST_OK;
    for (int i = 1; ok && i <= PARTS; i++) {
        char sum[PST_S3_SUM_SIZE];
        pst_s3_sum_text(pst_crc32c(0, u->parts[i].data, u->parts[i].len), sum);
        ok = pst_buf_addf(&want,
                          "<Part><PartNumber>%d</PartNumber><ETag>\"e%d\"</ETag>"
                          "<ChecksumCRC32C>%s</ChecksumCRC32C></Part>",
                          i, i, sum) == PST_OK;
    }
    ok = ok && pst_buf_adds(&want, "</CompleteMultipartUpload>") == PST_OK &&
         want.len == body->len && memcmp(want.data, body->data, want.len) == 0;
    pst_buf_done(&want);
    return ok;
}

static const char *do_complete(fixture *f, const fault_request *req, char *text,
                               size_t size)
{
    stored *u = upload_of(f, req->target);
    if (!u) {
        snprintf(text, size, "%s", XML("NoSuchUpload"));
        return "404 Not Found";
    }
    if (f->exists && fault_has_header(req, "If-None-Match: *")) {
        snprintf(text, size, "%s", XML("PreconditionFailed"));
        return "412 Precondition Failed";
    }
    if (!list_is_right(u, &req->body)) {
        snprintf(text, size, "%s", XML("InvalidPart"));
        return "400 Bad";
    }
    pst_buf_clear(&f->object);
    for (int i = 1; i <= PARTS; i++)
        if (pst_buf_add(&f->object, u->parts[i].data, u->parts[i].len) != PST_OK)
            return "500 Oops";
    f->object_crc = pst_crc32c(0, f->object.data, f->object.len);
    char line[64], sum[PST_S3_SUM_SIZE];
    pst_s3_sum_text(f->object_crc, sum);
    snprintf(line, sizeof line, "x-amz-checksum-crc32c: %s", sum);
    if (fault_has_header(req, "x-amz-checksum-crc32c") && !fault_has_header(req, line)) {
        snprintf(text, size, "%s", XML("BadDigest"));
        return "400 Bad";
    }
    snprintf(f->object_meta, sizeof f->object_meta, "%s", u->meta);
    f->exists = true;
    drop_upload(u);
    snprintf(text, size,
             "   <CompleteMultipartUploadResult><ETag>&quot;whole-11&quot;</ETag>"
             "</CompleteMultipartUploadResult>");
    return "200 OK";
}

static const char *do_abort(stored *u)
{
    if (u)
        drop_upload(u);
    return u ? "204 No Content" : "404 Not Found";
}

static const char *do_uploads(fixture *f, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "<ListMultipartUploadsResult>");
    for (int i = 0; i < UPLOADS; i++)
        if (f->uploads[i].used)
            n += (size_t)snprintf(text + n, size - n,
                                  "<Upload><Key>%s</Key><UploadId>%s</UploadId>"
                                  "<Initiator><ID>x</ID></Initiator>"
                                  "<Initiated>2026-11-23T07:38:16.000Z</Initiated>"
                                  "</Upload>",
                                  f->uploads[i].key, f->uploads[i].id);
    snprintf(text + n, size - n, "</ListMultipartUploadsResult>");
    return "200 OK";
}

static const char *take_effect(fixture *f, int op, const fault_request *req, char *text,
                               size_t size)
{
    switch (op) {
    case 0:
        return do_create(f, req, text, size);
    case 1:
        return do_part(f, req);
    case 2:
        return do_complete(f, req, text, size);
    case 3:
        return do_abort(upload_of(f, req->target));
    case 4:
        return f->exists ? "200 OK" : "404 Not Found";
    default:
        return do_uploads(f, text, size);
    }
}

static const fault *fault_for(fixture *f, int op)
{
    int nth = f->seen[op]++;
    for (const fault *x = f->faults; x && x->op; x++)
        if (strcmp(x->op, ops[op]) == 0 && nth >= x->nth && nth < x->nth + x->times)
            return x;
    return NULL;
}

static void send_answer(fixture *f, int op, fault_request *req, const char *status,
                        const char *text)
{
    char headers[4300] = "ETag: \"x\"\r\n";
    const char *number = strstr(req->target, "partNumber=");
    if (op == 0 && !f->composite)
        snprintf(headers, sizeof headers, "x-amz-checksum-type: FULL_OBJECT\r\n");
    if (op == 1 && number)
        snprintf(headers, sizeof headers, "ETag: \"e%d\"\r\n",
                 atoi(number + 11)); // NOLINT
    bool found = op == 4 && status[0] == '2';
    if (found)
        snprintf(headers, sizeof headers, "ETag: \"x\"\r\n%s", f->object_meta);
    /* On the stack: where an allocation fails, an answer must come all the same. */
    char all[9000];
    snprintf(all, sizeof all, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status,
             found ? f->object.len : strlen(text), headers, op == 4 ? "" : text);
    fault_send(req, all);
}

static bool serve(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    char text[4000] = "";
    int op = op_of(req);
    pthread_mutex_lock(&f->lock);
    const fault *x = fault_for(f, op);
    if ((op == 0 || op == 2) && f->n_heads < PARTS + 20)
        snprintf(f->heads[f->n_heads++], sizeof f->heads[0], "%s", req->head.data);
    if (x && x->vanish)
        for (int i = 0; i < UPLOADS; i++)
            if (f->uploads[i].used)
                drop_upload(&f->uploads[i]);
    const char *status = "200 OK";
    if (!x || !x->status || x->effect)
        status = take_effect(f, op, req, text, sizeof text);
    if (x && x->status) {
        status = x->status;
        snprintf(text, sizeof text, "%s", x->body);
    }
    f->at_once += op == 1;
    f->most_at_once = f->at_once > f->most_at_once ? f->at_once : f->most_at_once;
    pthread_mutex_unlock(&f->lock);
    if (op == 1)
        pst_cancel_wait(NULL, 5); /* so that parts meet */
    pthread_mutex_lock(&f->lock);
    f->at_once -= op == 1;
    bool lost = x && !x->status && !x->vanish;
    if (lost)
        fault_reset(req);
    else
        send_answer(f, op, req, status, text);
    pthread_mutex_unlock(&f->lock);
    return !lost;
}

/* ---- the fixture ---- */

static void fill(fixture *f)
{
    char text[64];
    pst_chunks_init(&f->chunks);
    for (int i = 0; f->chunks.len < BYTES; i++) {
        size_t n = (size_t)snprintf(text, sizeof text, "row %d of it\n", i);
        if (n > BYTES - f->chunks.len)
            n = BYTES - f->chunks.len;
        assert_int_equal(pst_chunks_add(&f->chunks, text, n), PST_OK);
    }
    pst_chunks_pos pos = pst_chunks_begin(&f->chunks);
    char all[BYTES];
    assert_int_equal(pst_chunks_read(&pos, all, sizeof all), BYTES);
    f->crc = pst_crc32c(0, all, sizeof all);
    assert_int_equal(pst_store_meta_add(&f->meta, "penstock-batch", "%s", "mine"),
                     PST_OK);
    assert_int_equal(pst_store_meta_add(&f->meta, "penstock-next", "%d", 99), PST_OK);
}

static int set_up(void **state)
{
    static char bucket[] = "bucket", region[] = "eu-west-1", id[] = "AKIDTEST",
                secret[] = "secret+text";
    static char tags[] = "team:data";
    fixture *f = pst_calloc(1, sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    pst_buf_init(&f->object, 1 << 20);
    fault_start(&f->server, serve, f);
    f->conf = (pst_store_conf){.url = f->server.url,
                               .bucket = bucket,
                               .region = region,
                               .path_style = true,
                               .access_key_id = id,
                               .secret_access_key = secret,
                               .tagging = tags,
                               .part_size = PART,
                               .part_retries = 2,
                               .retry_backoff_ms = 1};
    fill(f);
    if (pst_store_open(&f->store, &f->conf, pst_clock_system(), NULL, NULL, &f->err) !=
        PST_OK)
        fail_msg("%s", f->err.text);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_store_close(f->store);
    fault_stop(&f->server);
    for (int i = 0; i < UPLOADS; i++)
        if (f->uploads[i].used)
            drop_upload(&f->uploads[i]);
    pst_buf_done(&f->object);
    pst_chunks_done(&f->chunks);
    pthread_mutex_destroy(&f->lock);
    pst_free(f);
    assert_int_equal(pst_fault_live(), 0);
    return 0;
}

static pst_rc confirm(void *opaque, int64_t *dated_ms, pst_err *err)
{
    fixture *f = opaque;
    f->confirms++;
    *dated_ms = pst_wall_ms(pst_clock_system());
    return f->confirm_rc == PST_OK ? PST_OK
                                   : pst_fail(err, f->confirm_rc, "not ours any more");
}

static pst_rc put(fixture *f)
{
    pst_store_put request = {.key = KEY,
                             .chunks = &f->chunks,
                             .crc32c = f->crc,
                             .content_type = "text/csv",
                             .content_encoding = "gzip",
                             .meta = &f->meta,
                             .create_only = true,
                             /* as old as the first byte of a slow upload */
                             .dated_ms = pst_wall_ms(pst_clock_system()) - 3600 * 1000,
                             .confirm = confirm,
                             .opaque = f};
    pst_err_clear(&f->err);
    return f->store->driver->put(f->store, &request, &f->err);
}

static int uploads_left(const fixture *f)
{
    int n = 0;
    for (int i = 0; i < UPLOADS; i++)
        n += f->uploads[i].used;
    return n;
}

static void assert_whole(const fixture *f)
{
    char all[BYTES];
    pst_chunks_pos pos = pst_chunks_begin(&f->chunks);
    assert_int_equal(pst_chunks_read(&pos, all, sizeof all), BYTES);
    assert_true(f->exists);
    assert_int_equal(f->object.len, BYTES);
    assert_memory_equal(f->object.data, all, BYTES);
}

/* ---- what goes well ---- */

static void a_large_object_goes_up_in_parts(void **state)
{
    fixture *f = *state;
    if (put(f) != PST_OK)
        fail_msg("%s", f->err.text);
    assert_whole(f);
    assert_int_equal(uploads_left(f), 0);
    assert_int_equal(f->confirms, 1);
    assert_int_equal(pst_store_requests(f->store, "PUT"), PARTS);
    assert_int_equal(pst_store_requests(f->store, "POST"), 2);
    assert_int_equal(pst_store_requests(f->store, "HEAD"), 0);
    assert_int_equal(pst_store_requests(f->store, "DELETE"), 0);
    assert_true(f->most_at_once > 1 && f->most_at_once <= 4);
    const char *create = f->heads[0], *complete = f->heads[1];
    static const char *const first[] = {"?uploads",
                                        "Content-Type: text/csv",
                                        "Content-Encoding: gzip",
                                        "x-amz-tagging:",
                                        "x-amz-meta-penstock-batch: mine",
                                        "x-amz-checksum-type: FULL",
                                        "x-amz-checksum-algorithm: CRC32C"};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (!strstr(create, first[i]))
            fail_msg("no %s in %s", first[i], create);
    assert_null(strstr(create, "If-None-Match"));
    assert_non_null(strstr(complete, "If-None-Match: *"));
    assert_non_null(strstr(complete, "if-none-match;")); /* signed */
    assert_non_null(strstr(complete, "x-amz-checksum-crc32c: "));
}

static void what_fits_into_one_part_is_one_put(void **state)
{
    fixture *f = *state;
    pst_chunks small;
    pst_chunks_init(&small);
    char bytes[PART];
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(pst_chunks_add(&small, bytes, sizeof bytes), PST_OK);
    pst_store_put request = {.key = KEY, .chunks = &small, .crc32c = 1};
    (void)f->store->driver->put(f->store, &request, &f->err);
    assert_int_equal(pst_store_requests(f->store, "PUT"), 1);
    assert_int_equal(pst_store_requests(f->store, "POST"), 0);
    pst_chunks_done(&small);
}

static void a_store_without_whole_checksums_gets_none(void **state)
{
    fixture *f = *state;
    f->composite = true;
    assert_int_equal(put(f), PST_OK);
    assert_whole(f);
    assert_null(strstr(f->heads[1], "x-amz-checksum-crc32c: "));
}

static void without_a_condition_none_is_sent(void **state)
{
    fixture *f = *state;
    pst_store_put request = {
        .key = KEY, .chunks = &f->chunks, .crc32c = f->crc, .meta = &f->meta};
    assert_int_equal(f->store->driver->put(f->store, &request, &f->err), PST_OK);
    assert_whole(f);
    assert_null(strstr(f->heads[1], "If-None-Match"));
}

/* ---- what goes wrong ---- */

typedef struct outcome {
    fault faults[4];
    pst_rc rc;
    bool retriable, unknown;
    bool exists;
    int left, heads;
    const char *text;
} outcome;

static void check_outcome(fixture *f, const outcome *want, size_t i)
{
    if (f->exists)
        pst_buf_clear(&f->object);
    f->exists = false;
    for (int k = 0; k < UPLOADS; k++)
        if (f->uploads[k].used)
            drop_upload(&f->uploads[k]);
    memset(f->seen, 0, sizeof f->seen);
    f->faults = want->faults;
    uint64_t heads = pst_store_requests(f->store, "HEAD");
    pst_rc rc = put(f);
    const char *text = want->text ? want->text : "";
    if (rc != want->rc || !strstr(f->err.text, text) || f->exists != want->exists ||
        uploads_left(f) != want->left)
        fail_msg("case %zu: %s \"%s\", exists %d, %d left", i, pst_rc_name(rc),
                 f->err.text, f->exists, uploads_left(f));
    if (f->err.retriable != want->retriable || f->err.unknown != want->unknown)
        fail_msg("case %zu: retriable %d, unknown %d", i, f->err.retriable,
                 f->err.unknown);
    assert_int_equal(pst_store_requests(f->store, "HEAD") - heads, want->heads);
    if (f->exists)
        assert_whole(f);
}

static void parts_that_fail(void **state)
{
    static const outcome all[] = {
        /* tried again within s3.part.retries */
        {.faults = {SAYS("part", 0, 2, "500 Oops", XML("InternalError"))},
         .exists = true},
        {.faults = {SAYS("part", 3, 1, "503 Slow", XML("SlowDown"))}, .exists = true},
        {.faults = {LOSES("part", 3, 1)}, .exists = true},
        {.faults = {SAYS("part", 10, 1, "400 Bad", XML("BadDigest"))}, .exists = true},
        {.faults = {TAKES("part", 2, 1, "200 OK", XML("InternalError"))},
         .exists = true}, /* not for ever; the upload is taken away */
        {.faults = {SAYS("part", 0, 99, "500 Oops", XML("InternalError"))},
         .rc = PST_E_IO,
         .retriable = true,
         .unknown = true,
         .text = "InternalError"},
        {.faults = {SAYS("part", 5, 99, "403 No", XML("AccessDenied"))},
         .rc = PST_E_AUTH,
         .retriable = true,
         .text = "s3:PutObject"},
        {.faults = {SAYS("part", 5, 99, "400 No", XML("InvalidArgument"))},
         .rc = PST_E_INVALID,
         .text = "InvalidArgument"},
        {.faults = {SAYS("part", 5, 99, "404 No", XML("NoSuchUpload"))},
         .rc = PST_E_NOT_FOUND,
         .retriable = true,
         .text = "NoSuchUpload"}, /* and if it can't be taken away, the first failure is
                                     told */
        {.faults = {SAYS("part", 5, 99, "507 Full", XML("XMinioStorageFull")),
                    SAYS("abort", 0, 99, "500 Oops", XML("InternalError"))},
         .rc = PST_E_IO,
         .retriable = true,
         .unknown = true,
         .left = 1,
         .text = "XMinioStorageFull"},
        {.faults = {SAYS("create", 0, 99, "403 No", XML("AccessDenied"))},
         .rc = PST_E_AUTH,
         .retriable = true,
         .text = "s3:PutObject"},
        {.faults = {SAYS("create", 0, 99, "500 Oops", "<html>")},
         .rc = PST_E_IO,
         .retriable = true,
         .unknown = true},
        {.faults = {SAYS("create", 0, 99, "200 OK", "<html>log in</html>")},
         .rc = PST_E_INVALID,
         .retriable = true,
         .unknown = true,
         .text = "not an answer of S3"},
        /* libcurl asks anew where a kept connection died; the next start sweeps */
        {.faults = {LOSES("create", 0, 1)}, .exists = true, .left = 1},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check_outcome(*state, &all[i], i);
}
static void completes_that_fail(void **state)
{
    static const outcome all[] = {
        /* it had taken effect: the object's metadata tells */
        {.faults = {LOSES("complete", 0, 1)}, .exists = true, .heads = 1},
        {.faults = {TAKES("complete", 0, 1, "500 Oops", XML("InternalError"))},
         .exists = true,
         .heads = 1},
        {.faults = {TAKES("complete", 0, 1, "200 OK", XML("InternalError"))},
         .exists = true,
         .heads = 1},
        {.faults = {TAKES("complete", 0, 1, "504 Late", "<html>")},
         .exists = true,
         .heads = 1}, /* a lost answer, then no such upload */
        {.faults = {TAKES("complete", 0, 1, "500 Oops", ""),
                    SAYS("head", 0, 1, "503 Slow", "")},
         .rc = PST_E_IO,
         .retriable = true,
         .unknown = true,
         .exists = true,
         .heads = 1}, /* it had not: once more */
        {.faults = {SAYS("complete", 0, 1, "200 OK", XML("InternalError"))},
         .exists = true,
         .heads = 1},
        {.faults = {SAYS("complete", 0, 2, "503 Slow", XML("SlowDown"))},
         .exists = true,
         .heads = 2},
        {.faults = {SAYS("complete", 0, 99, "503 Slow", XML("SlowDown"))},
         .rc = PST_E_THROTTLED,
         .retriable = true,
         .unknown = true,
         .heads = 3,
         .text = "SlowDown"}, /* a conflict asks for a new upload */
        {.faults = {SAYS("complete", 0, 99, "409 Conflict",
                         XML("ConditionalRequestConflict"))},
         .rc = PST_E_IO,
         .retriable = true,
         .unknown = true,
         .heads = 1,
         .text = "another writer"}, /* the upload was aborted by another */
        {.faults = {VANISHES("complete", 0, 1)},
         .rc = PST_E_IO,
         .retriable = true,
         .unknown = true,
         .heads = 1,
         .text = "go up anew"}, /* known outcomes */
        {.faults = {SAYS("complete", 0, 99, "412 No", XML("PreconditionFailed"))},
         .rc = PST_E_EXISTS,
         .text = "taken"},
        {.faults = {SAYS("complete", 0, 99, "403 No", XML("AccessDenied"))},
         .rc = PST_E_AUTH,
         .retriable = true,
         .text = "s3:PutObject"},
        {.faults = {SAYS("complete", 0, 99, "400 No", XML("InvalidPart"))},
         .rc = PST_E_IO,
         .retriable = true,
         .text = "InvalidPart"},
        {.faults = {SAYS("complete", 0, 99, "400 No", XML("InvalidPart")),
                    LOSES("abort", 0, 99)},
         .rc = PST_E_IO,
         .retriable = true,
         .text = "InvalidPart"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check_outcome(*state, &all[i], i);
}

static void a_key_that_is_taken(void **state)
{
    fixture *f = *state;
    f->exists = true;
    snprintf(f->object_meta, sizeof f->object_meta,
             "x-amz-meta-penstock-batch: theirs\r\nx-amz-meta-penstock-next: 99\r\n");
    assert_int_equal(put(f), PST_E_EXISTS);
    assert_int_equal(uploads_left(f), 0);
    assert_int_equal(pst_store_requests(f->store, "HEAD"), 0);
    /* their object came first, and our Complete's answer is no answer */
    static const fault lost[] = {SAYS("complete", 0, 1, "500 Oops", ""), {.op = NULL}};
    f->faults = lost;
    memset(f->seen, 0, sizeof f->seen);
    assert_int_equal(put(f), PST_E_EXISTS);
    assert_false(f->err.unknown);
    assert_int_equal(uploads_left(f), 0);
    assert_int_equal(pst_store_requests(f->store, "HEAD"), 1);
}

static void a_position_that_is_not_ours_any_more(void **state)
{
    fixture *f = *state;
    f->confirm_rc = PST_E_STOPPED;
    assert_int_equal(put(f), PST_E_STOPPED);
    assert_string_equal(f->err.text, "not ours any more");
    assert_false(f->exists);
    assert_int_equal(uploads_left(f), 0);
    assert_int_equal(f->seen[2], 0);
}

/* ---- uploads that were left ---- */

static bool want_ours(void *opaque, const char *key, int64_t begun_ms)
{
    int *asked = opaque;
    (*asked)++;
    assert_int_equal(begun_ms, 1795419496000); /* 2026-11-23T07:38:16Z */
    return strcmp(key, KEY) == 0;
}

static void leave(fixture *f, int n, const char *key)
{
    f->uploads[n] = (stored){.used = true};
    snprintf(f->uploads[n].key, sizeof f->uploads[n].key, "%s", key);
    snprintf(f->uploads[n].id, sizeof f->uploads[n].id, "left-%d", n);
}

static void left_uploads_are_aborted(void **state)
{
    fixture *f = *state;
    size_t aborted = 0;
    int asked = 0;
    leave(f, 0, KEY);
    leave(f, 1, "topics/t/partition=0/mine.txt");
    leave(f, 2, KEY);
    leave(f, 3, "elsewhere/x"); /* not asked for */
    pst_rc rc = f->store->driver->sweep(f->store, "topics/t/", want_ours, &asked,
                                        &aborted, &f->err);
    if (rc != PST_OK)
        fail_msg("%s", f->err.text);
    assert_int_equal(aborted, 2);
    assert_int_equal(asked, 3);
    assert_int_equal(uploads_left(f), 2);
    assert_true(f->uploads[1].used && f->uploads[3].used);
    assert_int_equal(pst_store_requests(f->store, "LIST"), 1);
}

static void what_a_sweep_cannot_do_is_told(void **state)
{
    static const struct {
        fault faults[2];
        pst_rc rc;
        const char *text;
    } all[] = {
        {{SAYS("uploads", 0, 1, "403 No", XML("AccessDenied"))},
         PST_E_AUTH,
         "s3:ListBucketMultipartUploads"},
        {{SAYS("uploads", 0, 1, "501 No", XML("NotImplemented"))}, PST_E_UNSUPPORTED, ""},
        {{SAYS("uploads", 0, 1, "200 OK", "<html>")}, PST_E_INVALID, "no whole"},
        {{SAYS("abort", 0, 1, "403 No", XML("AccessDenied"))},
         PST_E_AUTH,
         "s3:AbortMultipartUpload"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        size_t aborted = 0;
        int asked = 0;
        leave(f, 0, KEY);
        f->faults = all[i].faults;
        memset(f->seen, 0, sizeof f->seen);
        pst_err_clear(&f->err);
        pst_rc rc = f->store->driver->sweep(f->store, "topics/", want_ours, &asked,
                                            &aborted, &f->err);
        if (rc != all[i].rc || !strstr(f->err.text, all[i].text))
            fail_msg("case %zu: %s %s", i, pst_rc_name(rc), f->err.text);
        assert_int_equal(aborted, 0);
    }
}

/* Each allocation fails once, in turn: ours and libcurl's callers'. Whatever comes of it,
   a success is whole, a failure has a reason, and no part is lost. */
static void no_memory_in_turn(void **state)
{
    fixture *f = *state;
    long failures = 0;
    for (long n = 0;; n++) {
        f->exists = false;
        memset(f->seen, 0, sizeof f->seen);
        pst_fault_once(n);
        pst_rc rc = put(f);
        long hits = pst_fault_hits();
        pst_fault_set(-1);
        for (int i = 0; i < UPLOADS; i++) /* an abort may find no memory, too */
            if (f->uploads[i].used)
                drop_upload(&f->uploads[i]);
        failures += rc != PST_OK;
        assert_int_equal(f->err.code, rc);
        if (rc == PST_OK)
            assert_whole(f);
        if (!hits)
            break;
    }
    assert_true(failures > 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_large_object_goes_up_in_parts),
        TEST(what_fits_into_one_part_is_one_put),
        TEST(a_store_without_whole_checksums_gets_none),
        TEST(without_a_condition_none_is_sent),
        TEST(parts_that_fail),
        TEST(completes_that_fail),
        TEST(a_key_that_is_taken),
        TEST(a_position_that_is_not_ours_any_more),
        TEST(left_uploads_are_aborted),
        TEST(what_a_sweep_cannot_do_is_told),
        TEST(no_memory_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

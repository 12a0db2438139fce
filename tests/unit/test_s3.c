/*
 * test_s3.c - the S3 driver against a scripted server: what goes out, and what every
 * answer, above all the bad ones, is taken for (store.h's table). Real S3 is in
 * tests/store/.
 */
#include "store/s3.h"
#include "tests/store/fault_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define ID "AKIDTESTTESTTESTTEST"
#define SECRET "very/secret+value=that+nobody+may+see"
#define TOKEN "temporary/token+that+nobody+may+see=="
#define XML(code)                                                                        \
    "<Error><Code>" code "</Code><Message>the server's words</Message></Error>"

typedef struct script {
    const char *status, *headers, *body;
    bool truncate, reset, close;
    int delay_ms;
} script;

typedef struct fixture {
    fault_server server;
    pst_store *store;
    pst_store_conf conf;
    pst_err err;
    pst_cancel *cancel;
    pthread_mutex_t lock;
    script now; /* under lock */
    char seen[20000];
    char target[8192];
    char body[256];
    size_t body_n;
    int64_t wall_offset;
    pst_clock clock;
} fixture;

static bool answer(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    pthread_mutex_lock(&f->lock);
    const script copy = f->now; /* the next one may come while we wait */
    const script *now = &copy;
    pthread_mutex_unlock(&f->lock);
    snprintf(f->seen, sizeof f->seen, "%s", req->head.data);
    snprintf(f->target, sizeof f->target, "%s", req->target);
    f->body_n = req->body.len;
    snprintf(f->body, sizeof f->body, "%.*s",
             (int)(req->body.len < 255 ? req->body.len : 255),
             req->body.data ? req->body.data : "");
    if (now->delay_ms)
        pst_cancel_wait(f->cancel, now->delay_ms);
    if (now->reset)
        fault_reset(req);
    if (now->reset || now->close)
        return false;
    if (now->truncate) {
        fault_send(req,
                   "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 5000\r\n\r\n<Er");
        return false;
    }
    if (strcmp(req->method, "HEAD") == 0) {
        char *text = pst_asprintf("HTTP/1.1 %s\r\n%s\r\n", now->status, now->headers);
        fault_send(req, text);
        pst_free(text);
        return true;
    }
    fault_answer(req, now->status, now->headers, now->body);
    return true;
}

static int64_t wall(void *self)
{
    return pst_wall_ms(pst_clock_system()) + ((fixture *)self)->wall_offset;
}

static int64_t mono(void *self)
{
    (void)self;
    return pst_mono_ms(pst_clock_system());
}

static void open_store(fixture *f)
{
    pst_err_clear(&f->err);
    if (f->store)
        pst_store_close(f->store);
    f->store = NULL;
    pst_rc rc = pst_store_open(&f->store, &f->conf, &f->clock, NULL, NULL, &f->err);
    if (rc != PST_OK)
        print_error("%s\n", f->err.text);
    assert_int_equal(rc, PST_OK);
}

static int setup(void **state)
{
    static char bucket[] = "bucket";
    static char region[] = "eu-west-1";
    static char id[] = ID;
    static char secret[] = SECRET;
    fixture *f = pst_calloc(1, sizeof *f);
    f->now = (script){.status = "200 OK", .headers = "ETag: \"x\"\r\n", .body = ""};
    pthread_mutex_init(&f->lock, NULL);
    fault_start(&f->server, answer, f);
    f->cancel = pst_cancel_new();
    f->clock = (pst_clock){wall, mono, f};
    f->conf = (pst_store_conf){.url = f->server.url,
                               .bucket = bucket,
                               .region = region,
                               .path_style = true,
                               .access_key_id = id,
                               .secret_access_key = secret};
    open_store(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    pst_cancel_set(f->cancel);
    pst_store_close(f->store);
    fault_stop(&f->server);
    pst_cancel_free(f->cancel);
    pthread_mutex_destroy(&f->lock);
    pst_free(f);
    return 0;
}

static pst_rc put(fixture *f)
{
    pst_store_put request = {.key = "topics/t/a b.csv",
                             .bytes = PST_SV("123456789"),
                             .crc32c = 0xe3069283,
                             .content_type = "text/csv",
                             .create_only = true};
    pst_err_clear(&f->err);
    return f->store->driver->put(f->store, &request, &f->err);
}

static bool collect(void *opaque, const char *key, int64_t size)
{
    char *all = opaque;
    size_t used = strlen(all);
    snprintf(all + used, 2000 - used, "%s=%lld\n", key, (long long)size);
    return true;
}

static pst_rc list(fixture *f, const pst_store_list *what, char all[2000])
{
    all[0] = '\0';
    pst_err_clear(&f->err);
    return f->store->driver->list(f->store, what, collect, all, &f->err);
}

static pst_rc list_all(fixture *f)
{
    char all[2000];
    pst_store_list what = {.prefix = "topics/"};
    return list(f, &what, all);
}

static pst_rc head(fixture *f, pst_store_info *info)
{
    pst_err_clear(&f->err);
    return f->store->driver->head(f->store, "k", NULL, info, &f->err);
}

static pst_rc get(fixture *f)
{
    pst_buf body;
    pst_buf_init(&body, 100);
    pst_err_clear(&f->err);
    pst_rc rc = f->store->driver->get(f->store, "k", &body, &f->err);
    pst_buf_done(&body);
    return rc;
}

static void play(fixture *f, script now)
{
    pthread_mutex_lock(&f->lock);
    f->now = now;
    pthread_mutex_unlock(&f->lock);
}

static void respond(fixture *f, const char *status, const char *headers, const char *body)
{
    play(f, (script){.status = status, .headers = headers, .body = body});
}

/* ---- what goes out ---- */

static void test_put_request(void **state)
{
    fixture *f = *state;
    assert_int_equal(put(f), PST_OK);
    assert_string_equal(f->target, "/bucket/topics/t/a%20b.csv");
    static const char *const lines[] = {
        "PUT /bucket/topics/t/a%20b.csv HTTP/1.1\r\n",
        "\r\nIf-None-Match: *\r\n",
        "\r\nContent-Type: text/csv\r\n",
        "\r\nContent-Length: 9\r\n",
        "\r\nx-amz-checksum-crc32c: 4waSgw==\r\n",
        "\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n",
        "\r\nx-amz-date: 2",
        "/eu-west-1/s3/aws4_request, SignedHeaders=content-type;host;if-none-match;"
        "x-amz-checksum-crc32c;x-amz-content-sha256;x-amz-date, Signature=",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(f->seen, lines[i]))
            fail_msg("%s not in %s", lines[i], f->seen);
    assert_null(strstr(f->seen, SECRET));
    assert_null(strcasestr(f->seen, "expect"));
    assert_string_equal(f->body, "123456789");
    assert_int_equal(pst_store_requests(f->store, "PUT"), 1);
    assert_int_equal(pst_store_requests(f->store, "HEAD"), 0);
    assert_int_equal(pst_store_requests(f->store, "NONE"), 0);
}

static void test_put_properties(void **state)
{
    fixture *f = *state;
    f->conf.ssea_name = (char[]){"aws:kms"};
    f->conf.sse_kms_key_id = (char[]){"arn:aws:kms:x"};
    f->conf.acl_canned = (char[]){"bucket-owner-full-control"};
    f->conf.tagging = (char[]){"team:a b, cost&co:1=2 ,"};
    f->conf.storage_class = (char[]){"STANDARD_IA"};
    f->conf.session_token = (char[]){TOKEN};
    open_store(f);
    assert_int_equal(put(f), PST_OK);
    static const char *const lines[] = {
        "\r\nx-amz-server-side-encryption: aws:kms\r\n",
        "\r\nx-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:x\r\n",
        "\r\nx-amz-acl: bucket-owner-full-control\r\n",
        "\r\nx-amz-tagging: team=a%20b&cost%26co=1%3D2\r\n",
        "\r\nx-amz-storage-class: STANDARD_IA\r\n",
        "\r\nx-amz-security-token: " TOKEN "\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(f->seen, lines[i]))
            fail_msg("%s not in %s", lines[i], f->seen);
    /* the chain's own objects stay readable at once */
    pst_store_put own = {.key = "topics/_penstock/t/0/root.json", .bytes = PST_SV("{}")};
    assert_int_equal(f->store->driver->put(f->store, &own, &f->err), PST_OK);
    assert_null(strstr(f->seen, "x-amz-storage-class"));
    assert_non_null(strstr(f->seen, "x-amz-acl"));
    assert_null(strstr(f->seen, "If-None-Match"));
    assert_non_null(strstr(f->seen, "\r\nContent-Type: application/octet-stream\r\n"));
}

/* Over plain HTTP to another machine the payload is signed. A proxy shows what goes out.
 */
static void test_payload_is_signed_in_the_open(void **state)
{
    fixture *f = *state;
    f->conf.url = (char[]){"http://STORE.penstock.test:80/"};
    setenv("http_proxy", f->server.url, 1);
    open_store(f);
    assert_int_equal(put(f), PST_OK);
    unsetenv("http_proxy");
    assert_string_equal(f->target,
                        "http://store.penstock.test/bucket/topics/t/a%20b.csv");
    assert_non_null(strstr(f->seen, "\r\nHost: store.penstock.test\r\n"));
    assert_non_null(strstr(f->seen,
                           "\r\nx-amz-content-sha256: 15e2b0d3c33891ebb0f1ef609ec419"
                           "420c20e320ce94c65fbc8c3312448eb225\r\n"));
}

static void test_virtual_host(void **state)
{
    fixture *f = *state;
    char url[64];
    char host[64];
    snprintf(url, sizeof url, "http://localhost:%d", f->server.port);
    snprintf(host, sizeof host, "\r\nHost: bucket.localhost:%d\r\n", f->server.port);
    f->conf.url = url;
    f->conf.path_style = false;
    open_store(f);
    assert_int_equal(put(f), PST_OK);
    assert_string_equal(f->target, "/topics/t/a%20b.csv");
    assert_non_null(strstr(f->seen, host));
    respond(f, "200 OK", "", "<ListBucketResult></ListBucketResult>");
    assert_int_equal(list_all(f), PST_OK);
    assert_memory_equal(f->target, "/?list-type=2", 13);
}

static void test_endpoints(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *url, *region;
        bool path_style;
        const char *host;
        bool tls, unsigned_payload;
    } cases[] = {
        {NULL, "eu-west-1", true, "s3.eu-west-1.amazonaws.com", true, true},
        {"", "eu-west-1", false, "bucket.s3.eu-west-1.amazonaws.com", true, true},
        {NULL, "cn-north-1", true, "s3.cn-north-1.amazonaws.com.cn", true, true},
        {"https://H.example:443", "r", true, "h.example", true, true},
        {"https://h.example:80", "r", false, "bucket.h.example:80", true, true},
        {"http://h.example:9000/", "r", true, "h.example:9000", false, false},
        {"http://127.0.0.53:9000", "r", true, "127.0.0.53:9000", false, true},
        {"http://127.evil.example", "r", true, "127.evil.example", false, false},
        {"http://localhost.evil.example", "r", true, "localhost.evil.example", false,
         false},
        {"http://[::1]:9000", "r", true, "[::1]:9000", false, true},
        {"http://[2001:db8::1]", "r", true, "[2001:db8::1]", false, false},
        {"http://minio.localhost", "r", true, "minio.localhost", false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[100];
        char region[20];
        snprintf(url, sizeof url, "%s", cases[i].url ? cases[i].url : "");
        snprintf(region, sizeof region, "%s", cases[i].region);
        f->conf.url = cases[i].url ? url : NULL;
        f->conf.region = region;
        f->conf.path_style = cases[i].path_style;
        open_store(f);
        const pst_s3 *s3 = (pst_s3 *)f->store;
        assert_string_equal(s3->host, cases[i].host);
        assert_int_equal(s3->tls, cases[i].tls);
        assert_int_equal(s3->unsigned_payload, cases[i].unsigned_payload);
    }
}

static void test_bad_settings(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *url, *bucket, *id;
        bool path_style;
        const char *text;
    } cases[] = {
        {"http://h/path", "bucket", ID, true, "store.url"},
        {"http://user:pw@h", "bucket", ID, true, "store.url"},
        {"http://", "bucket", ID, true, "store.url"},
        {"http://h\r\nX: y", "bucket", ID, true, "store.url"},
        {"ftp://h", "bucket", ID, true, "store.url"},
        {"http://h", "", ID, true, "s3.bucket.name is not set"},
        {"http://h", "a/b", ID, true, "s3.bucket.name"},
        {"http://h", "a b", ID, true, "s3.bucket.name"},
        {"http://h", "a\nb", ID, true, "s3.bucket.name"},
        {"http://127.0.0.1:9", "bucket", ID, false, "s3.path.style.access.enabled"},
        {"http://[::1]:9", "bucket", ID, false, "s3.path.style.access.enabled"},
        {"https://h", "with.dots", ID, false, "s3.path.style.access.enabled=true"},
        {"http://h", "bucket", "", true, "aws.access.key.id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[100];
        char bucket[100];
        char id[100];
        pst_store *store = NULL;
        pst_err err = PST_ERR_INIT;
        snprintf(url, sizeof url, "%s", cases[i].url);
        snprintf(bucket, sizeof bucket, "%s", cases[i].bucket);
        snprintf(id, sizeof id, "%s", cases[i].id);
        pst_store_conf conf = f->conf;
        conf.url = url;
        conf.bucket = bucket;
        conf.access_key_id = id;
        conf.path_style = cases[i].path_style;
        assert_int_equal(pst_store_open(&store, &conf, &f->clock, NULL, NULL, &err),
                         PST_E_CONFIG);
        assert_null(store);
        assert_non_null(strstr(err.text, cases[i].text));
    }
    pst_store *store = NULL;
    pst_err err = PST_ERR_INIT;
    f->conf.client = PST_STORE_LIBS3;
    assert_int_equal(pst_store_open(&store, &f->conf, &f->clock, NULL, NULL, &err),
                     PST_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "not built yet"));
}

/* ---- what comes back ---- */

static void test_put_outcomes(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *status, *headers, *body;
        pst_rc rc;
        bool retriable, unknown;
        const char *text;
    } cases[] = {
        {"412 Precondition Failed", "", XML("PreconditionFailed"), PST_E_EXISTS, false,
         false, "HTTP 412"},
        {"412 Precondition Failed", "", "", PST_E_EXISTS, false, false, "taken"},
        {"409 Conflict", "", XML("ConditionalRequestConflict"), PST_E_IO, true, true,
         "another writer"},
        {"409 Conflict", "", "", PST_E_IO, true, true, "HTTP 409"},
        {"500 Oops", "", XML("InternalError"), PST_E_IO, true, true, "InternalError"},
        {"500 Oops", "", "<html>no xml<", PST_E_IO, true, true, "HTTP 500"},
        {"502 Bad Gateway", "", "", PST_E_IO, true, true, "HTTP 502"},
        {"503 Slow Down", "Retry-After: 7\r\n", XML("SlowDown"), PST_E_THROTTLED, true,
         true, "fewer requests"},
        {"503 Service Unavailable", "", "", PST_E_THROTTLED, true, true, "HTTP 503"},
        {"429 Too Many", "", "", PST_E_THROTTLED, true, true, "HTTP 429"},
        {"504 Gateway Timeout", "", "", PST_E_IO, true, true, "HTTP 504"},
        {"507 Full", "", XML("XMinioStorageFull"), PST_E_IO, true, true, "store is full"},
        {"400 Bad", "", XML("RequestTimeout"), PST_E_IO, true, true, "RequestTimeout"},
        {"400 Bad", "", XML("IncompleteBody"), PST_E_IO, true, true, "whole"},
        {"400 Bad", "", XML("BadDigest"), PST_E_IO, true, true, "damaged"},
        {"400 Bad", "", "<html>nginx</html>", PST_E_INVALID, true, true,
         "not an answer of S3"},
        {"400 Bad", "", XML("InvalidArgument"), PST_E_INVALID, false, false,
         "the server's words"},
        {"400 Bad", "", XML("ExpiredToken"), PST_E_AUTH, true, false, "expired"},
        {"400 Bad", "", XML("EntityTooLarge"), PST_E_LIMIT, false, false, "flush.bytes"},
        {"400 Bad", "", XML("InvalidStorageClass"), PST_E_CONFIG, false, false,
         "s3.storage.class"},
        {"400 Bad", "",
         "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-west-2</Region></"
         "Error>",
         PST_E_CONFIG, false, false, "set s3.region=us-west-2"},
        {"301 Moved", "x-amz-bucket-region: us-west-2\r\n", XML("PermanentRedirect"),
         PST_E_CONFIG, false, false, "set s3.region=us-west-2"},
        {"301 Moved", "Location: /login\r\n", "", PST_E_CONFIG, false, false,
         "store.url"},
        {"302 Moved", "x-amz-bucket-region: evil\x01\r\n", "", PST_E_CONFIG, false, false,
         "somewhere else"},
        {"307 Moved", "Location: x\r\n", XML("TemporaryRedirect"), PST_E_IO, true, false,
         "elsewhere"},
        {"403 Forbidden", "", XML("AccessDenied"), PST_E_AUTH, true, false,
         "grant s3:PutObject on arn:aws:s3:::bucket/topics/t/a b.csv"},
        {"403 Forbidden", "", "", PST_E_AUTH, true, false, "grant s3:PutObject"},
        {"401 Who", "", "", PST_E_AUTH, true, false, "HTTP 401"},
        {"403 Forbidden", "", XML("InvalidAccessKeyId"), PST_E_AUTH, true, false,
         "aws.access.key.id"},
        {"403 Forbidden", "", XML("SignatureDoesNotMatch"), PST_E_AUTH, true, false,
         "aws.secret.access.key"},
        {"404 Not Found", "", XML("NoSuchBucket"), PST_E_NOT_FOUND, true, false,
         "s3.bucket.name"},
        {"404 Not Found", "", "", PST_E_NOT_FOUND, true, false, "s3.bucket.name"},
        {"405 No", "", XML("MethodNotAllowed"), PST_E_CONFIG, false, false, "store.url"},
        {"501 No", "", XML("NotImplemented"), PST_E_UNSUPPORTED, false, false, "cannot"},
        {"200 OK", "ETag: \"x\"\r\n", XML("InternalError"), PST_E_IO, true, true,
         "InternalError"},
        {"200 OK", "ETag: \"x\"\r\n", "<?xml version=\"1.0\"?>\n" XML("SlowDown"),
         PST_E_THROTTLED, true, true, "SlowDown"},
        {"200 OK", "ETag: \"x\"\r\n", XML("AccessDenied"), PST_E_AUTH, true, true,
         "AccessDenied"},
        {"200 OK", "", "<html>Please log in</html>", PST_E_INVALID, true, true,
         "not an answer of S3"},
        {"204 No Content", "ETag: \"x\"\r\n", "", PST_E_INVALID, true, true,
         "not an answer of S3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        respond(f, cases[i].status, cases[i].headers, cases[i].body);
        pst_rc rc = put(f);
        if (rc != cases[i].rc || !strstr(f->err.text, cases[i].text))
            fail_msg("%s %s: %s: %s", cases[i].status, cases[i].body, pst_rc_name(rc),
                     f->err.text);
        assert_int_equal(f->err.retriable, cases[i].retriable);
        assert_int_equal(f->err.unknown, cases[i].unknown);
        assert_int_equal(f->err.status, atoi(cases[i].status)); // NOLINT
        assert_non_null(strstr(f->err.text, "PUT s3://bucket/topics/t/a b.csv: HTTP "));
        assert_int_equal(f->err.after_ms, strstr(cases[i].headers, "Retry") ? 7000 : 0);
    }
}

static void test_network_outcomes(void **state)
{
    fixture *f = *state;
    f->conf.request_timeout_ms = 1000;
    open_store(f);
    static const struct {
        script now;
        pst_rc rc;
    } cases[] = {
        {{.truncate = true}, PST_E_IO},
        {{.reset = true}, PST_E_IO},
        {{.close = true}, PST_E_IO},
        {{.delay_ms = 4000, .close = true}, PST_E_TIMEOUT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        play(f, cases[i].now);
        assert_int_equal(put(f), cases[i].rc);
        assert_true(f->err.retriable);
        assert_true(f->err.unknown);
        assert_non_null(strstr(f->err.text, "PUT s3://bucket/topics/t/a b.csv: "));
        if (cases[i].now.delay_ms)
            continue;
        assert_int_equal(get(f), cases[i].rc);
        assert_true(f->err.retriable);
        assert_false(f->err.unknown);
    }
    f->conf.url = (char[]){"http://127.0.0.1:1"};
    open_store(f);
    assert_int_equal(put(f), PST_E_IO);
    assert_true(f->err.retriable);
    assert_false(f->err.unknown); /* it never got there */
}

static void test_huge_answers(void **state)
{
    fixture *f = *state;
    size_t n = 9 * 1024 * 1024;
    char *huge = pst_malloc(n + 1);
    memset(huge, 'x', n);
    huge[n] = '\0';
    respond(f, "500 Oops", "", huge);
    assert_int_equal(put(f), PST_E_LIMIT);
    assert_true(f->err.unknown);
    assert_true(f->err.retriable);
    assert_int_equal(get(f), PST_E_LIMIT);
    assert_int_equal(list_all(f), PST_E_LIMIT);
    pst_free(huge);
}

static void test_no_secret_in_texts(void **state)
{
    fixture *f = *state;
    f->conf.session_token = (char[]){TOKEN};
    open_store(f);
    static const char *const bodies[] = {
        "<Error><Code>AccessDenied</Code><Message>no " SECRET " here</Message></Error>",
        "<Error><Code>AccessDenied</Code><Message>no " ID " here</Message></Error>",
        "<Error><Code>AccessDenied</Code><Message>no " TOKEN " here</Message></Error>",
        "<Error><Code>" ID "</Code></Error>",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        respond(f, "403 Forbidden", "", bodies[i]);
        assert_int_equal(put(f), PST_E_AUTH);
        assert_null(strstr(f->err.text, SECRET));
        assert_null(strstr(f->err.text, ID));
        assert_null(strstr(f->err.text, TOKEN));
        assert_null(strchr(f->err.text, '\n'));
    }
}

static void test_reads(void **state)
{
    fixture *f = *state;
    pst_store_info info;
    respond(f, "200 OK",
            "ETag: \"x\"\r\nContent-Length: 77\r\n"
            "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "X-Amz-Meta-Penstock-Next: 24\r\nx-amz-meta-odd: %20a%25%zz%C3%A9%20\r\n"
            "x-amz-meta-: nameless\r\nx-amz-metaphor: no\r\n",
            "");
    assert_int_equal(head(f, &info), PST_OK);
    assert_int_equal(info.size, 77);
    assert_true(info.modified_ms == 784111777000);
    assert_int_equal(info.meta.n, 2);
    assert_string_equal(pst_store_meta_get(&info.meta, "penstock-next"), "24");
    assert_string_equal(pst_store_meta_get(&info.meta, "odd"), " a%%zz\xc3\xa9 ");
    respond(f, "404 Not Found", "", "");
    assert_int_equal(head(f, &info), PST_E_NOT_FOUND);
    assert_false(f->err.retriable);
    respond(f, "403 Forbidden", "", "");
    assert_int_equal(head(f, &info), PST_E_AUTH);
    assert_non_null(strstr(f->err.text, "s3:GetObject"));
    assert_non_null(strstr(f->err.text, "s3:ListBucket"));
    respond(f, "400 Bad", "x-amz-bucket-region: us-west-2\r\n", "");
    assert_int_equal(head(f, &info), PST_E_CONFIG);
    assert_non_null(strstr(f->err.text, "us-west-2"));
    respond(f, "400 Bad", "", "");
    assert_int_equal(head(f, &info), PST_E_AUTH);
    respond(f, "200 OK", "Content-Length: 5\r\n", ""); /* a proxy's page */
    assert_int_equal(head(f, &info), PST_E_INVALID);
    assert_true(f->err.retriable);
    respond(f, "200 OK", "", "hello");
    assert_int_equal(get(f), PST_OK);
    respond(f, "404 Not Found", "", XML("NoSuchKey"));
    assert_int_equal(get(f), PST_E_NOT_FOUND);
    assert_false(f->err.retriable);
    respond(f, "404 Not Found", "", XML("NoSuchBucket"));
    assert_int_equal(get(f), PST_E_NOT_FOUND);
    assert_true(f->err.retriable);
}

static void test_metadata_goes_out_as_ascii(void **state)
{
    fixture *f = *state;
    pst_store_meta meta = {0};
    assert_int_equal(pst_store_meta_add(&meta, "plain", "a b+c=d,1:2"), PST_OK);
    assert_int_equal(pst_store_meta_add(&meta, "odd", " a  100%% \xc3\xa9%%41 "), PST_OK);
    assert_int_equal(pst_store_meta_add(&meta, "empty", "%s", ""), PST_OK);
    pst_store_put request = {.key = "k", .meta = &meta};
    assert_int_equal(f->store->driver->put(f->store, &request, &f->err), PST_OK);
    assert_non_null(strstr(f->seen, "\r\nx-amz-meta-plain: a b+c=d,1:2\r\n"));
    assert_non_null(
        strstr(f->seen, "\r\nx-amz-meta-odd: %20a %20100%25 %C3%A9%2541%20\r\n"));
    assert_non_null(strstr(f->seen, "\r\nx-amz-meta-empty:\r\n"));
    assert_non_null(
        strstr(f->seen, ";x-amz-meta-empty;x-amz-meta-odd;x-amz-meta-plain,"));
}

static void test_remove(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *status, *body;
        pst_rc rc;
    } cases[] = {
        {"204 No Content", "", PST_OK},
        {"200 OK", "", PST_OK},
        {"404 Not Found", XML("NoSuchKey"), PST_OK},
        {"404 Not Found", XML("NoSuchBucket"), PST_E_NOT_FOUND},
        {"403 Forbidden", XML("AccessDenied"), PST_E_AUTH},
        {"500 Oops", "", PST_E_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        respond(f, cases[i].status, "", cases[i].body);
        pst_err_clear(&f->err);
        assert_int_equal(f->store->driver->remove(f->store, "k", &f->err), cases[i].rc);
        assert_int_equal(f->err.code, cases[i].rc);
    }
}

/* ---- listings ---- */

#define ENTRY(key, size) "<Contents><Key>" key "</Key><Size>" size "</Size></Contents>"
#define LIST_OF(rest) "<ListBucketResult>" rest "</ListBucketResult>"

static bool pages(void *opaque, fault_request *req)
{
    (void)opaque;
    const char *body = LIST_OF("<IsTruncated>false</IsTruncated>" ENTRY("c", "3"));
    if (!strstr(req->target, "continuation-token"))
        body = LIST_OF("<IsTruncated>true</IsTruncated>" ENTRY("a%2Bb+c", "1") ENTRY(
            "b", "2") "<EncodingType>url</EncodingType>"
                      "<NextContinuationToken>t/o+k=</NextContinuationToken>");
    else if (!strstr(req->target, "continuation-token=t%2Fo%2Bk%3D&"))
        body = "";
    fault_answer(req, "200 OK", "", body);
    return true;
}

static void test_list_pages(void **state)
{
    fixture *f = *state;
    char all[2000];
    f->server.handler = pages;
    pst_store_list what = {.prefix = "", .after = "A"};
    assert_int_equal(list(f, &what, all), PST_OK);
    assert_string_equal(all, "a+b c=1\nb=2\nc=3\n");
    assert_int_equal(pst_store_requests(f->store, "LIST"), 2);
    what.limit = 2;
    assert_int_equal(list(f, &what, all), PST_OK);
    assert_string_equal(all, "a+b c=1\nb=2\n");
    assert_int_equal(pst_store_requests(f->store, "LIST"), 3);
    what = (pst_store_list){.prefix = "b", .after = "a+b c"}; /* it ignores both */
    assert_int_equal(list(f, &what, all), PST_OK);
    assert_string_equal(all, "b=2\n");
}

static void test_list_request(void **state)
{
    fixture *f = *state;
    char all[2000];
    respond(f, "200 OK", "", LIST_OF(""));
    pst_store_list what = {
        .prefix = "topics/a b/", .after = "topics/a b/+&x", .limit = 7};
    assert_int_equal(list(f, &what, all), PST_OK);
    assert_string_equal(f->target,
                        "/bucket?list-type=2&encoding-type=url&max-keys=7"
                        "&prefix=topics%2Fa%20b%2F&start-after=topics%2Fa%20b%2F%2B%26x");
}

static void test_bad_listings(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *status, *body;
        pst_rc rc;
        bool retriable;
    } cases[] = {
        {"200 OK", "", PST_E_INVALID, true},
        {"200 OK", "<html></html>", PST_E_INVALID, true},
        {"200 OK", "<ListBucketResult>" ENTRY("a", "1"), PST_E_INVALID, true},
        {"200 OK", LIST_OF("<IsTruncated>true</IsTruncated>"), PST_E_INVALID, true},
        {"200 OK", LIST_OF(ENTRY("topics/b", "1") ENTRY("topics/a", "1")),
         PST_E_UNSUPPORTED, false},
        {"200 OK", LIST_OF(ENTRY("topics/b", "1") ENTRY("topics/b", "1")),
         PST_E_UNSUPPORTED, false},
        {"200 OK", LIST_OF(ENTRY("a", "x")), PST_E_INVALID, true},
        {"404 Not Found", "", PST_E_NOT_FOUND, true},
        {"403 Forbidden", XML("AccessDenied"), PST_E_AUTH, true},
        {"500 Oops", XML("InternalError"), PST_E_IO, true},
        {"200 OK",
         LIST_OF("<IsTruncated>true</IsTruncated>"
                 "<NextContinuationToken>same</NextContinuationToken>"),
         PST_E_INVALID, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        respond(f, cases[i].status, "", cases[i].body);
        pst_rc rc = list_all(f);
        if (rc != cases[i].rc)
            fail_msg("case %zu: %s: %s", i, pst_rc_name(rc), f->err.text);
        assert_int_equal(f->err.retriable, cases[i].retriable);
        assert_false(f->err.unknown);
    }
    assert_in_range(pst_store_requests(f->store, "LIST"), 1000, 1100); /* it does end */
}

/* ---- the clock ---- */

static bool answer_with_date(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    snprintf(f->seen, sizeof f->seen, "%s", req->head.data);
    const char *at = strstr(f->seen, "x-amz-date: ");
    bool fresh = at && strncmp(at + 12, "20300102T030", 12) == 0;
    fault_answer(req, fresh ? "200 OK" : "403 Forbidden",
                 "ETag: \"x\"\r\nDate: Wed, 02 Jan 2030 03:04:05 GMT\r\n",
                 fresh ? "" : XML("RequestTimeTooSkewed"));
    return true;
}

static void test_clock_is_corrected(void **state)
{
    fixture *f = *state;
    pst_store_info info;
    f->server.handler = answer_with_date;
    int64_t before = wall(f);
    pst_cancel_wait(NULL, 5);
    assert_int_equal(put(f), PST_E_IO);
    assert_true(f->err.retriable);
    assert_false(f->err.unknown);
    assert_non_null(strstr(f->err.text, "clock is wrong"));
    assert_int_equal(put(f), PST_OK);
    /* a date from before stays as old as it is */
    pst_store_put late = {.key = "k", .dated_ms = before, .create_only = true};
    assert_int_equal(f->store->driver->put(f->store, &late, &f->err), PST_E_IO);
    assert_non_null(strstr(f->err.text, "date it anew"));
    pst_err_clear(&f->err);
    f->wall_offset = 24 * 3600 * 1000; /* somebody sets this machine's clock */
    assert_int_equal(put(f), PST_E_IO);
    assert_int_equal(put(f), PST_OK);
    /* a HEAD's refusal says it by its Date alone */
    f->wall_offset = 0;
    f->server.handler = answer;
    respond(f, "403 Forbidden", "Date: Wed, 02 Jan 2030 03:04:05 GMT\r\n", "");
    assert_int_equal(head(f, &info), PST_E_IO);
    assert_non_null(strstr(f->err.text, "clock is wrong"));
}

/* ---- credentials that run out ---- */

static void test_refused_keys_are_read_anew(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/pst-test-creds-XXXXXX";
    int fd = mkstemp(path);
    static const char first[] = "[default]\naws_access_key_id=FIRSTKEY\n"
                                "aws_secret_access_key=one\naws_session_token=t1\n";
    static const char second[] = "[default]\naws_access_key_id=OTHERKEY\n"
                                 "aws_secret_access_key=two\naws_session_token=t2\n";
    assert_int_equal(pwrite(fd, first, sizeof first - 1, 0), sizeof first - 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_PROFILE");
    f->conf.access_key_id = NULL;
    f->conf.secret_access_key = NULL;
    open_store(f);
    assert_int_equal(put(f), PST_OK);
    assert_non_null(strstr(f->seen, "Credential=FIRSTKEY/"));
    assert_non_null(strstr(f->seen, "x-amz-security-token: t1\r\n"));
    assert_int_equal(pwrite(fd, second, sizeof second - 1, 0), sizeof second - 1);
    assert_int_equal(put(f), PST_OK);
    assert_non_null(strstr(f->seen, "Credential=FIRSTKEY/"));
    respond(f, "400 Bad", "", XML("ExpiredToken"));
    assert_int_equal(put(f), PST_E_AUTH);
    respond(f, "200 OK", "ETag: \"x\"\r\n", "");
    assert_int_equal(put(f), PST_OK);
    assert_non_null(strstr(f->seen, "Credential=OTHERKEY/"));
    assert_non_null(strstr(f->seen, "x-amz-security-token: t2\r\n"));
    unlink(path);
    close(fd);
    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
}

static void test_bad_requests(void **state)
{
    fixture *f = *state;
    pst_store_put bad = {.key = ""};
    assert_int_equal(f->store->driver->put(f->store, &bad, &f->err), PST_E_INVALID);
    pst_err_clear(&f->err);
    pst_store_meta meta = {0};
    for (int i = 0; i < 6; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        assert_int_equal(pst_store_meta_add(&meta, name, "%0400d", i), PST_OK);
    }
    bad = (pst_store_put){.key = "k", .meta = &meta};
    assert_int_equal(f->store->driver->put(f->store, &bad, &f->err), PST_E_LIMIT);
    assert_int_equal(atomic_load(&f->server.requests), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_put_request),
        CASE(test_put_properties),
        CASE(test_payload_is_signed_in_the_open),
        CASE(test_virtual_host),
        CASE(test_endpoints),
        CASE(test_bad_settings),
        CASE(test_put_outcomes),
        CASE(test_network_outcomes),
        CASE(test_huge_answers),
        CASE(test_no_secret_in_texts),
        CASE(test_reads),
        CASE(test_metadata_goes_out_as_ascii),
        CASE(test_remove),
        CASE(test_list_pages),
        CASE(test_list_request),
        CASE(test_bad_listings),
        CASE(test_clock_is_corrected),
        CASE(test_refused_keys_are_read_anew),
        CASE(test_bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

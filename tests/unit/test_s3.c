/*
 * test_s3.c - the S3 driver against a scripted server: what goes out, and what every
 * answer, above all the bad ones, is taken for (store.h's table). Real S3 is in
 * tests/store/.
 */
#include "tests/store/s3_fixture.h"

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
    f->conf.metadata = (char[]){"origin:kafka prod, tier:gold,"};
    f->conf.bucket_owner = (char[]){"123456789012"};
    f->conf.checksum = PST_STORE_MD5;
    open_store(f);
    assert_int_equal(put(f), PST_OK);
    static const char *const lines[] = {
        "\r\nx-amz-server-side-encryption: aws:kms\r\n",
        "\r\nx-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:x\r\n",
        "\r\nx-amz-acl: bucket-owner-full-control\r\n",
        "\r\nx-amz-tagging: team=a%20b&cost%26co=1%3D2\r\n",
        "\r\nx-amz-storage-class: STANDARD_IA\r\n",
        "\r\nx-amz-security-token: " TOKEN "\r\n",
        "\r\nx-amz-meta-origin: kafka prod\r\n",
        "\r\nx-amz-meta-tier: gold\r\n",
        "\r\nx-amz-expected-bucket-owner: 123456789012\r\n",
        "\r\nContent-MD5: JfnnlDI7RTiF9RgfG2JNCw==\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(f->seen, lines[i]))
            fail_msg("%s not in %s", lines[i], f->seen);
    /* the chain's own objects stay readable at once */
    pst_store_put own = {.key = "topics/_penstock/t/0/root.json", .bytes = PST_SV("{}")};
    assert_int_equal(f->store->driver->put(f->store, &own, &f->err), PST_OK);
    assert_null(strstr(f->seen, "x-amz-storage-class"));
    assert_null(strstr(f->seen, "x-amz-meta-origin"));
    assert_null(strstr(f->seen, "x-amz-checksum"));
    assert_non_null(strstr(f->seen, "Content-MD5: mZFLkyvTelC5g8XnyQrpOw=="));
    assert_non_null(strstr(f->seen, "x-amz-expected-bucket-owner: 123456789012"));
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
}

/* What needs no libs3: a plugin that is not there, or is none. */
static void test_no_plugin(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *path, *text;
    } cases[] = {{"/nowhere/penstock_libs3.so", "cannot be read"},
                 {"/proc/self/exe", "cannot load the plugin"},
                 {"/proc/version", "cannot load the plugin"}};
    f->conf.client = PST_STORE_LIBS3;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[100];
        pst_store *store = NULL;
        pst_err err = PST_ERR_INIT;
        snprintf(path, sizeof path, "%s", cases[i].path);
        f->conf.libs3_plugin = path;
        assert_int_equal(pst_store_open(&store, &f->conf, &f->clock, NULL, NULL, &err),
                         PST_E_CONFIG);
        assert_null(store);
        assert_non_null(strstr(err.text, cases[i].text));
        assert_non_null(strstr(err.text, "libs3-dev"));
        assert_non_null(strstr(err.text, "s3.libs3.plugin"));
    }
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
    /* who dated the request must decide whether it may go out with another date */
    pst_store_put dated = {.key = "k", .dated_ms = wall(f), .create_only = true};
    assert_int_equal(f->store->driver->put(f->store, &dated, &f->err), PST_E_IO);
    assert_true(f->err.retriable);
    assert_false(f->err.unknown);
    assert_non_null(strstr(f->err.text, "clock is wrong"));
    pst_err_clear(&f->err);
    pst_cancel_wait(NULL, 5);
    dated.dated_ms = wall(f);
    assert_int_equal(f->store->driver->put(f->store, &dated, &f->err), PST_OK);
    /* a date from before stays as old as it is */
    pst_store_put late = {.key = "k", .dated_ms = before, .create_only = true};
    assert_int_equal(f->store->driver->put(f->store, &late, &f->err), PST_E_IO);
    assert_non_null(strstr(f->err.text, "date it anew"));
    pst_err_clear(&f->err);
    f->wall_offset = 24 * 3600 * 1000; /* somebody sets this machine's clock */
    int asked = atomic_load(&f->server.requests);
    assert_int_equal(put(f), PST_OK); /* refused, and sent again by the right time */
    assert_int_equal(atomic_load(&f->server.requests), asked + 2);
    /* a HEAD's refusal says it by its Date alone */
    f->wall_offset = 0;
    f->server.handler = answer;
    respond(f, "403 Forbidden", "Date: Wed, 02 Jan 2030 03:04:05 GMT\r\n", "");
    assert_int_equal(head(f, &info), PST_E_IO);
    assert_non_null(strstr(f->err.text, "date it anew")); /* once, not for ever */
    assert_int_equal(pst_store_requests(f->store, "HEAD"), 2);
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

static bool refuse_old_keys(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    snprintf(f->seen, sizeof f->seen, "%s", req->head.data);
    if (strstr(req->head.data, "Credential=OLDKEY/"))
        fault_answer(req, "403 Forbidden", "", XML("InvalidAccessKeyId"));
    else
        fault_answer(req, "200 OK", "ETag: \"x\"\r\n", "");
    return true;
}

/* Keys that have expired are replaced within the request, whose date stays (rule 9): the
   caller sees no error. Without other keys it is one, after one try. */
static void test_keys_are_replaced_within_a_request(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/pst-test-creds-XXXXXX";
    static const char one[] = "[default]\naws_access_key_id=OLDKEY\n"
                              "aws_secret_access_key=x\n";
    static const char two[] = "[default]\naws_access_key_id=NEWKEY\n"
                              "aws_secret_access_key=x\n";
    int fd = mkstemp(path);
    pst_store_put request = {.key = "k", .bytes = PST_SV("x"), .dated_ms = 1795464000000};
    assert_int_equal(pwrite(fd, one, sizeof one - 1, 0), sizeof one - 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_PROFILE");
    f->conf.access_key_id = NULL;
    f->conf.secret_access_key = NULL;
    f->server.handler = refuse_old_keys;
    open_store(f);
    assert_int_equal(f->store->driver->put(f->store, &request, &f->err), PST_E_AUTH);
    assert_int_equal(f->server.requests, 1);
    open_store(f);
    f->server.handler = answer;
    assert_int_equal(put(f), PST_OK); /* it has the old keys now */
    f->server.handler = refuse_old_keys;
    assert_int_equal(pwrite(fd, two, sizeof two - 1, 0), sizeof two - 1);
    pst_err_clear(&f->err);
    assert_int_equal(f->store->driver->put(f->store, &request, &f->err), PST_OK);
    assert_int_equal(f->server.requests, 4);
    assert_non_null(strstr(f->seen, "Credential=NEWKEY/"));
    assert_non_null(strstr(f->seen, "\r\nx-amz-date: 20261123T200000Z\r\n"));
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
    const struct CMUnitTest tests[] = {
        CASE(test_put_request),
        CASE(test_put_properties),
        CASE(test_payload_is_signed_in_the_open),
        CASE(test_virtual_host),
        CASE(test_endpoints),
        CASE(test_bad_settings),
        CASE(test_no_plugin),
        CASE(test_metadata_goes_out_as_ascii),
        CASE(test_list_pages),
        CASE(test_list_request),
        CASE(test_bad_listings),
        CASE(test_clock_is_corrected),
        CASE(test_refused_keys_are_read_anew),
        CASE(test_keys_are_replaced_within_a_request),
        CASE(test_bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

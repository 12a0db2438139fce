/*
 * test_s3_outcomes.c - what the S3 driver takes every answer for, above all the bad ones:
 * the table in store.h that the chain's rules 3 to 5 stand on.
 */
#include "tests/store/s3_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_put_outcomes), CASE(test_network_outcomes),
        CASE(test_huge_answers), CASE(test_no_secret_in_texts),
        CASE(test_reads),        CASE(test_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * libs3_traps.c - what libs3 gets wrong, shown by a scripted server, and that the plugin
 * mends or refuses it. A program of its own: it needs the plugin ($PST_PLUGIN_DIR).
 *
 * The server keeps one object as S3 would, unless a case tells it to lie.
 */
#include "store/store.h"
#include "tests/store/fault_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define ID "AKIDTESTTESTTESTTEST"
#define SECRET "very/secret+value=that+nobody+may+see"
#define XML(code)                                                                        \
    "<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>the server's words"     \
    "</Message></Error>"
#define PAGE(keys)                                                                       \
    "<?xml version=\"1.0\"?><ListBucketResult><Name>bucket</Name><Prefix>t/</Prefix>"    \
    "<IsTruncated>false</IsTruncated>" keys "</ListBucketResult>"
#define KEY(key)                                                                         \
    "<Contents><Key>" key "</Key><LastModified>2026-01-02T03:04:05.000Z"                 \
    "</LastModified><ETag>\"x\"</ETag><Size>7</Size></Contents>"

typedef struct fixture {
    fault_server server;
    pst_store *store;
    pst_store_conf conf;
    pst_err err;
    pst_cancel *cancel, *hang;
    /* what the server does */
    const char *put_status, *put_body; /* NULL = 200 */
    const char *head_status;           /* NULL = as it is */
    const char *get_status, *get_body;
    bool no_continue, keep_nothing, silent;
    size_t get_missing;   /* bytes that a GET promises and does not send */
    const char *pages[8]; /* answers to LIST, in turn; then empty ones */
    size_t cut[8];        /* cut to so many bytes, 0 = whole */
    atomic_int lists;
    char markers[8][200];
    /* what it has got */
    char head[20000], md5[64], meta[2000];
    size_t size;
    bool there;
    char logged[4000];
} fixture;

/* ---- the server ---- */

static void find_header(const char *head, const char *name, char *out, size_t size)
{
    const char *at = strcasestr(head, name);
    out[0] = '\0';
    if (!at)
        return;
    at += strlen(name);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
}

static bool read_body(fault_request *req)
{
    size_t want = fault_body_length(req->head.data);
    while (req->body.len < want)
        if (!fault_read_more(req->fd, &req->body))
            return false;
    return true;
}

static bool serve_put(fixture *f, fault_request *req)
{
    if (!f->no_continue && fault_has_header(req, "expect: 100-continue"))
        fault_send(req, "HTTP/1.1 100 Continue\r\n\r\n");
    if (!read_body(req))
        return false;
    if (!f->keep_nothing) {
        f->there = true;
        f->size = req->body.len;
        find_header(req->head.data, "x-amz-meta-penstock-md5: ", f->md5, sizeof f->md5);
        find_header(req->head.data, "x-amz-meta-penstock-a: ", f->meta, sizeof f->meta);
    }
    if (f->no_continue && f->put_status == NULL)
        return false; /* the answer is lost, too */
    fault_answer(req, f->put_status ? f->put_status : "200 OK", "ETag: \"x\"\r\n",
                 f->put_body ? f->put_body : "");
    return true;
}

static bool serve_head(fixture *f, fault_request *req)
{
    char text[4000];
    const char *status = f->head_status ? f->head_status
                         : f->there     ? "200 OK"
                                        : "404 Not Found";
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 %s\r\nETag: \"x\"\r\nContent-Length: %zu\r\n"
                     "x-amz-meta-penstock-md5: %s\r\nx-amz-meta-penstock-a: %s\r\n\r\n",
                     status, f->size, f->md5, f->meta);
    fault_send_n(req, text, (size_t)n);
    return true;
}

static bool serve_list(fixture *f, fault_request *req)
{
    int i = atomic_fetch_add(&f->lists, 1);
    const char *page = i < 8 && f->pages[i] ? f->pages[i] : PAGE("");
    size_t n = strlen(page);
    size_t send = i < 8 && f->cut[i] ? f->cut[i] : n;
    if (i < 8)
        find_header(req->target, "marker=", f->markers[i], sizeof f->markers[i]);
    char *head = pst_asprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
    fault_send(req, head);
    fault_send_n(req, page, send);
    pst_free(head);
    return send == n;
}

static bool serve_get(fixture *f, fault_request *req)
{
    const char *body = f->get_body ? f->get_body : "";
    char *head = pst_asprintf("HTTP/1.1 %s\r\nETag: \"x\"\r\nContent-Length: %zu\r\n\r\n",
                              f->get_status ? f->get_status : "200 OK",
                              strlen(body) + f->get_missing);
    fault_send(req, head);
    fault_send(req, body);
    pst_free(head);
    return f->get_missing == 0;
}

static bool serve(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    snprintf(f->head, sizeof f->head, "%s", req->head.data);
    if (f->silent) {
        while (!pst_cancel_wait(f->hang, 1000))
            ;
        return false;
    }
    if (strcmp(req->method, "PUT") == 0)
        return serve_put(f, req);
    if (strcmp(req->method, "HEAD") == 0)
        return serve_head(f, req);
    if (strcmp(req->method, "DELETE") == 0) {
        fault_send(req, "HTTP/1.1 204 No Content\r\n\r\n");
        return true;
    }
    return strncmp(req->target, "/bucket/t", 9) == 0 ? serve_get(f, req)
                                                     : serve_list(f, req);
}

/* ---- the store ---- */

static void keep_line(void *opaque, pst_log_level level, const char *line)
{
    fixture *f = opaque;
    size_t n = strlen(f->logged);
    (void)level;
    snprintf(f->logged + n, sizeof f->logged - n, "%s\n", line);
}

static pst_rc open_store(fixture *f)
{
    pst_log *log = pst_log_new(keep_line, f);
    pst_store_close(f->store);
    f->store = NULL;
    pst_err_clear(&f->err);
    pst_rc rc =
        pst_store_open(&f->store, &f->conf, pst_clock_system(), f->cancel, log, &f->err);
    if (f->store == NULL)
        assert_int_not_equal(rc, PST_OK);
    pst_log_free(log);
    return rc;
}

static int setup(void **state)
{
    static char bucket[] = "bucket";
    static char id[] = ID;
    static char secret[] = SECRET;
    fixture *f = pst_calloc(1, sizeof *f);
    fault_start(&f->server, serve, f);
    f->server.skip_body = true;
    f->cancel = pst_cancel_new();
    f->hang = pst_cancel_new();
    f->conf = (pst_store_conf){.url = f->server.url,
                               .bucket = bucket,
                               .path_style = true,
                               .access_key_id = id,
                               .secret_access_key = secret,
                               .client = PST_STORE_LIBS3,
                               .request_timeout_ms = 20000};
    if (open_store(f) != PST_OK) {
        print_error("%s\n", f->err.text);
        return 1;
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    pst_cancel_set(f->hang);
    pst_store_close(f->store);
    fault_stop(&f->server);
    pst_cancel_free(f->cancel);
    pst_cancel_free(f->hang);
    pst_free(f);
    return 0;
}

static pst_rc put_key(fixture *f, const char *key)
{
    pst_store_meta meta = {0};
    assert_int_equal(pst_store_meta_add(&meta, "penstock-a", "b"), PST_OK);
    pst_store_put put = {.key = key,
                         .bytes = PST_SV("1,2,3\n"),
                         .crc32c = pst_crc32c(0, "1,2,3\n", 6),
                         .content_type = "text/csv",
                         .meta = &meta};
    pst_err_clear(&f->err);
    return f->store->driver->put(f->store, &put, &f->err);
}

static void expect(fixture *f, pst_rc got, pst_rc want, const char *text)
{
    if (got != want || !strstr(f->err.text, text))
        print_error("%s: %s\n", pst_rc_name(got), f->err.text);
    assert_int_equal(got, want);
    assert_non_null(strstr(f->err.text, text));
    assert_null(strstr(f->err.text, ID));
    assert_null(strstr(f->err.text, SECRET));
}

static bool collect(void *opaque, const char *key, int64_t size)
{
    char *all = opaque;
    size_t n = strlen(all);
    assert_int_equal(size, 7);
    snprintf(all + n, 200 - n, "%s ", key);
    return true;
}

static pst_rc list(fixture *f, char all[200])
{
    pst_store_list what = {.prefix = "t/"};
    all[0] = '\0';
    pst_err_clear(&f->err);
    return f->store->driver->list(f->store, &what, collect, all, &f->err);
}

/* ---- a PUT's status ---- */

static void test_good_put(void **state)
{
    fixture *f = *state;
    expect(f, put_key(f, "t/a"), PST_OK, "");
    assert_int_equal(pst_store_requests(f->store, "PUT"), 1);
    assert_int_equal(pst_store_requests(f->store, "HEAD"), 1);
    pst_store_info info;
    assert_int_equal(f->store->driver->head(f->store, "t/a", NULL, &info, &f->err),
                     PST_OK);
    assert_int_equal(info.meta.n, 1); /* the driver's own is not told */
    assert_string_equal(pst_store_meta_get(&info.meta, "penstock-a"), "b");
}

/* libs3 2 takes 100 Continue for the answer. */
static void test_a_refused_put_is_no_success(void **state)
{
    fixture *f = *state;
    static const char *const answers[] = {"503 Service Unavailable",
                                          "500 Internal Server Error", "403 Forbidden"};
    f->keep_nothing = true;
    for (size_t i = 0; i < 3; i++) {
        f->put_status = answers[i];
        pst_rc rc = put_key(f, "t/a");
        print_message("# %s\n", f->err.text);
        assert_int_equal(rc, PST_E_IO);
        assert_true(f->err.unknown && f->err.retriable);
    }
}

static void test_what_was_there_is_no_success(void **state)
{
    fixture *f = *state;
    f->there = f->keep_nothing = true;
    f->put_status = "503 Service Unavailable";
    f->size = 6; /* of the same size, even */
    snprintf(f->md5, sizeof f->md5, "00000000000000000000000000000000");
    pst_rc rc = put_key(f, "t/a");
    print_message("# %s\n", f->err.text);
    assert_int_equal(rc, PST_E_IO);
    assert_true(f->err.unknown && f->err.retriable);
}

/* Neither 100 Continue nor an answer, but the object is there. */
static void test_a_failure_that_was_none(void **state)
{
    fixture *f = *state;
    f->no_continue = true;
    expect(f, put_key(f, "t/a"), PST_OK, "");
    assert_true(f->there);
    f->keep_nothing = true;
    f->there = false;
    pst_rc rc = put_key(f, "t/a");
    print_message("# %s\n", f->err.text);
    assert_int_not_equal(rc, PST_OK);
    assert_true(f->err.unknown && f->err.retriable);
}

static void test_the_head_fails(void **state)
{
    fixture *f = *state;
    f->head_status = "503 Service Unavailable";
    expect(f, put_key(f, "t/a"), PST_E_THROTTLED, "HEAD");
    assert_true(f->err.unknown && f->err.retriable);
    f->head_status = "403 Forbidden";
    expect(f, put_key(f, "t/a"), PST_E_AUTH, "grant s3:GetObject");
    assert_true(f->err.unknown && f->err.retriable);
    assert_int_equal(f->err.status, 403);
}

/* ---- cut answers ---- */

static void test_a_cut_get(void **state)
{
    fixture *f = *state;
    pst_buf body;
    pst_buf_init(&body, 1000);
    assert_int_equal(pst_buf_adds(&body, "kept"), PST_OK);
    f->get_body = "half of it";
    f->get_missing = 10;
    pst_err_clear(&f->err);
    expect(f, f->store->driver->get(f->store, "t/a", &body, &f->err), PST_E_IO, "cut");
    assert_true(f->err.retriable);
    assert_int_equal(body.len, 4);
    f->get_missing = 0;
    pst_err_clear(&f->err);
    assert_int_equal(f->store->driver->get(f->store, "t/a", &body, &f->err), PST_OK);
    assert_int_equal(body.len, 14);
    pst_buf_done(&body);
}

/* libs3 takes a cut listing for a whole one: the rest must be asked for. */
static void test_a_cut_list(void **state)
{
    fixture *f = *state;
    char all[200];
    f->pages[0] = PAGE(KEY("t/1") KEY("t/2") KEY("t/3"));
    f->cut[0] = strlen(PAGE(KEY("t/1") KEY("t/2"))) - 5;
    f->pages[1] = PAGE(KEY("t/3") KEY("t/4"));
    expect(f, list(f, all), PST_OK, "");
    assert_string_equal(all, "t/1 t/2 t/3 t/4 ");
    assert_string_equal(f->markers[0], "");
    assert_memory_equal(f->markers[1], "t/2", 3);
    assert_memory_equal(f->markers[2], "t/4", 3);
    assert_int_equal(atomic_load(&f->lists), 4); /* two empty ones at the end */
}

static void test_a_list_cut_before_its_first_key(void **state)
{
    fixture *f = *state;
    char all[200];
    f->pages[0] = PAGE(KEY("t/1"));
    f->cut[0] = 60;
    f->pages[1] = PAGE(KEY("t/1"));
    expect(f, list(f, all), PST_OK, "");
    assert_string_equal(all, "t/1 ");
}

static void test_a_list_in_disorder(void **state)
{
    fixture *f = *state;
    char all[200];
    f->pages[0] = PAGE(KEY("t/2") KEY("t/1"));
    expect(f, list(f, all), PST_E_UNSUPPORTED, "byte order");
    f->pages[1] = "<html>no S3</html";
    pst_rc rc = list(f, all); /* as an empty page: there is no key in it */
    assert_true(rc == PST_OK || f->err.retriable);
}

/* ---- keys ---- */

static void test_refused_keys_send_nothing(void **state)
{
    fixture *f = *state;
    static const char *const keys[] = {"t/a\nb", "t//a", "t/../a", "t/.", "\xff", ""};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        expect(f, put_key(f, keys[i]), PST_E_INVALID, "s3.client=curl");
    pst_store_put put = {.key = "t/a", .bytes = PST_SV("x"), .create_only = true};
    pst_err_clear(&f->err);
    expect(f, f->store->driver->put(f->store, &put, &f->err), PST_E_UNSUPPORTED,
           "If-None-Match");
    assert_int_equal(atomic_load(&f->server.requests), 0);
    if (strstr(f->logged, "Signature V2")) { /* 2 would put another key than asked */
        expect(f, put_key(f, "t/a b"), PST_E_INVALID, "sends as +");
        assert_int_equal(atomic_load(&f->server.requests), 0);
        expect(f, put_key(f, "t/a+b"), PST_OK, "");
        assert_non_null(strstr(f->head, "Authorization: AWS " ID ":"));
    }
}

static void test_too_much_metadata(void **state)
{
    fixture *f = *state;
    pst_store_meta meta = {0};
    for (int i = 0; i < 5; i++)
        assert_int_equal(pst_store_meta_add(&meta, i ? "a" : "b", "%0500d", i), PST_OK);
    pst_store_put put = {.key = "t/a", .bytes = PST_SV("x"), .meta = &meta};
    pst_err_clear(&f->err);
    expect(f, f->store->driver->put(f->store, &put, &f->err), PST_E_LIMIT, "2 KiB");
    assert_int_equal(atomic_load(&f->server.requests), 0);
}

/* ---- time ---- */

static void test_a_silent_server(void **state)
{
    fixture *f = *state;
    pst_store_info info;
    char all[200];
    f->silent = true;
    f->conf.request_timeout_ms = 2500; /* libs3 waits 1 s before it sends a body */
    assert_int_equal(open_store(f), PST_OK);
    expect(f, f->store->driver->head(f->store, "t/a", NULL, &info, &f->err),
           PST_E_TIMEOUT, "store.request.timeout.ms");
    assert_true(f->err.retriable);
    expect(f, list(f, all), PST_E_TIMEOUT, "LIST");
    expect(f, put_key(f, "t/a"), PST_E_TIMEOUT, "PUT");
    assert_true(f->err.retriable && f->err.unknown);
    f->silent = false;
    expect(f, put_key(f, "t/a"), PST_OK, ""); /* and goes on */
}

/* A listener whose queue is full drops what comes: libs3 alone would wait for minutes. */
static void test_a_connect_that_hangs(void **state)
{
    fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fds[8];
    char url[64];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    for (int i = 0; i < 8; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fds[i], (struct sockaddr *)&address, size);
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    f->conf.url = url;
    f->conf.request_timeout_ms = 1000;
    assert_int_equal(open_store(f), PST_OK);
    expect(f, put_key(f, "t/a"), PST_E_TIMEOUT, "store.request.timeout.ms");
    assert_true(f->err.retriable);
    assert_false(f->err.unknown); /* no byte has gone out */
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    close(listener);
}

static void *stop_soon(void *opaque)
{
    fixture *f = opaque;
    while (atomic_load(&f->server.requests) == 0)
        pst_cancel_wait(NULL, 5);
    pst_cancel_set(f->cancel);
    return NULL;
}

static void test_stopping(void **state)
{
    fixture *f = *state;
    pst_store_info info;
    pthread_t thread;
    f->silent = true;
    pthread_create(&thread, NULL, stop_soon, f);
    expect(f, f->store->driver->head(f->store, "t/a", NULL, &info, &f->err),
           PST_E_STOPPED, "stopped");
    pthread_join(thread, NULL);
    expect(f, put_key(f, "t/a"), PST_E_STOPPED, "stopped");
    assert_int_equal(atomic_load(&f->server.requests), 1);
}

/* ---- what is refused at the start ---- */

static void test_settings(void **state)
{
    fixture *f = *state;
    char https[] = "https://127.0.0.1:1";
    char token[] = "temporary";
    char acl[] = "bucket-owner-read";
    bool v2 = strstr(f->logged, "Signature V2");
    f->conf.acl_canned = acl;
    expect(f, open_store(f), PST_E_CONFIG, "s3.acl.canned");
    f->conf.acl_canned = NULL;
    f->conf.url = https;
    if (v2)
        expect(f, open_store(f), PST_E_CONFIG, "s3.libs3.allow.unverified.tls");
    assert_null(strstr(f->logged, "NOT verified"));
    f->conf.libs3_unverified_tls = true;
    expect(f, open_store(f), PST_OK, "");
    if (v2)
        assert_non_null(strstr(f->logged, "NOT verified"));
    f->conf.session_token = token;
    if (v2)
        expect(f, open_store(f), PST_E_CONFIG, "session token");
    f->conf.session_token = NULL;
    f->conf.url = NULL;
    if (v2)
        expect(f, open_store(f), PST_E_CONFIG, "store.url is not set");
}

/* ---- statuses ---- */

static const struct {
    const char *status, *body;
    pst_rc rc;
    bool retriable, unknown;
    int http;
    const char *text;
} outcomes[] = {
    {"403 Forbidden", XML("AccessDenied"), PST_E_AUTH, true, false, 403,
     "grant s3:PutObject on arn:aws:s3:::bucket/t/a"},
    {"403 Forbidden", XML("InvalidAccessKeyId"), PST_E_AUTH, true, false, 403,
     "aws.access.key.id"},
    {"403 Forbidden", XML("SignatureDoesNotMatch"), PST_E_AUTH, true, false, 403,
     "aws.secret.access.key"},
    {"403 Forbidden", XML("RequestTimeTooSkewed"), PST_E_IO, true, false, 403, "clock"},
    {"404 Not Found", XML("NoSuchBucket"), PST_E_NOT_FOUND, true, false, 404,
     "s3.bucket.name"},
    {"409 Conflict", XML("OperationAborted"), PST_E_IO, true, true, 409,
     "another request"},
    {"400 Bad Request", XML("RequestTimeout"), PST_E_IO, true, true, 400, "waited"},
    {"400 Bad Request", XML("BadDigest"), PST_E_IO, true, true, 400, "whole"},
    {"400 Bad Request", XML("IncompleteBody"), PST_E_IO, true, true, 400, "whole"},
    {"400 Bad Request", XML("EntityTooLarge"), PST_E_LIMIT, false, false, 400,
     "flush.bytes"},
    {"500 Internal Server Error", XML("InternalError"), PST_E_IO, true, true, 500,
     "fault"},
    {"503 Slow Down", XML("SlowDown"), PST_E_THROTTLED, true, true, 503, "fewer"},
    {"507 Full", XML("XMinioStorageFull"), PST_E_IO, true, true, 0, "server's words"},
    {"501 Not Implemented", XML("NotImplemented"), PST_E_UNSUPPORTED, false, false, 501,
     "cannot do that"},
    {"403 Forbidden",
     "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>" ID " " SECRET
     "</Message></Error>",
     PST_E_AUTH, true, false, 403, "not allowed"},
};

static void test_outcomes(void **state)
{
    fixture *f = *state;
    f->keep_nothing = true;
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        f->put_status = outcomes[i].status;
        f->put_body = outcomes[i].body;
        expect(f, put_key(f, "t/a"), outcomes[i].rc, outcomes[i].text);
        if (f->err.retriable != outcomes[i].retriable ||
            f->err.unknown != outcomes[i].unknown || f->err.status != outcomes[i].http)
            fail_msg("%s: %s", outcomes[i].body, f->err.text);
    }
}

static void test_reading_outcomes(void **state)
{
    fixture *f = *state;
    pst_buf body;
    pst_buf_init(&body, 1000);
    f->get_status = "404 Not Found";
    f->get_body = XML("NoSuchKey");
    pst_err_clear(&f->err);
    expect(f, f->store->driver->get(f->store, "t/a", &body, &f->err), PST_E_NOT_FOUND,
           "no such object");
    assert_false(f->err.retriable);
    assert_int_equal(body.len, 0);
    f->get_status = "200 OK";
    pst_buf small;
    pst_buf_init(&small, 10);
    pst_err_clear(&f->err);
    expect(f, f->store->driver->get(f->store, "t/a", &small, &f->err), PST_E_LIMIT,
           "larger than 10 bytes");
    pst_buf_done(&small);
    pst_buf_done(&body);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(test_good_put),
        CASE(test_a_refused_put_is_no_success),
        CASE(test_what_was_there_is_no_success),
        CASE(test_a_failure_that_was_none),
        CASE(test_the_head_fails),
        CASE(test_a_cut_get),
        CASE(test_a_cut_list),
        CASE(test_a_list_cut_before_its_first_key),
        CASE(test_a_list_in_disorder),
        CASE(test_refused_keys_send_nothing),
        CASE(test_too_much_metadata),
        CASE(test_a_silent_server),
        CASE(test_a_connect_that_hangs),
        CASE(test_stopping),
        CASE(test_settings),
        CASE(test_outcomes),
        CASE(test_reading_outcomes),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}

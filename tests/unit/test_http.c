/*
 * test_http.c - the HTTP client against a scripted server: bodies, kept-alive
 * connections, ceilings, and every way in which a server or network can misbehave.
 */
#include "io/http.h"
#include "tests/store/fault_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct fixture {
    fault_server server;
    pst_http *http;
    pst_http_response res;
    pst_err err;
    atomic_int mode;
    pst_cancel *cancel;
    char seen[20000]; /* the last request's head */
    size_t body_n;
    int last_connection;
    char body[64];
} fixture;

static bool echo(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    snprintf(f->seen, sizeof f->seen, "%s", req->head.data);
    f->body_n = req->body.len;
    memcpy(f->body, req->body.data ? req->body.data : "",
           req->body.len < sizeof f->body ? req->body.len : sizeof f->body);
    bool head = strcmp(req->method, "HEAD") == 0;
    if (head)
        fault_send(req,
                   "HTTP/1.1 200 OK\r\nContent-Length: 77\r\nX-Odd:   a b  \r\n\r\n");
    else
        fault_answer(req, "200 OK", "ETag: \"x\"\r\nX-Odd:   a b  \r\n", "hello");
    return true;
}

static int setup(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    fault_start(&f->server, echo, f);
    pst_http_options options = {.connect_timeout_ms = 2000, .proxy = ""};
    assert_int_equal(pst_http_new(&f->http, &options, &f->err), PST_OK);
    pst_http_response_init(&f->res);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    pst_http_free(f->http);
    fault_stop(&f->server);
    pst_http_response_done(&f->res);
    pst_cancel_free(f->cancel);
    pst_free(f);
    return 0;
}

static pst_rc perform(fixture *f, pst_http_request req, const char *path)
{
    char url[9000];
    snprintf(url, sizeof url, "%s%s", f->server.url, path);
    req.url = url;
    pst_err_clear(&f->err);
    return pst_http_perform(f->http, &req, &f->res, &f->err);
}

static pst_rc get(fixture *f)
{
    return perform(f, (pst_http_request){.method = "GET"}, "/a");
}

static void expect_text(const pst_buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf->data, text, buf->len);
}

/* ---- what goes out and what comes back ---- */

static void test_get(void **state)
{
    fixture *f = *state;
    assert_int_equal(
        perform(f, (pst_http_request){.method = "GET"}, "/a/../b//c%2Bd?x=%20"), PST_OK);
    assert_int_equal(f->res.status, 200);
    assert_true(f->res.sent);
    expect_text(&f->res.body, "hello");
    assert_non_null(strstr(f->seen, "GET /a/../b//c%2Bd?x=%20 HTTP/1.1\r\n"));
    assert_non_null(strstr(f->seen, "User-Agent: penstock/"));
    assert_null(strcasestr(f->seen, "expect"));
    pst_sv odd = pst_http_header(&f->res, "x-odd");
    assert_true(pst_sv_is(odd, "a b"));
    assert_null(pst_http_header(&f->res, "x-none").p);
}

static void test_put_chunks(void **state)
{
    fixture *f = *state;
    pst_chunks chunks;
    pst_chunks_init(&chunks);
    char block[5000];
    memset(block, 'z', sizeof block);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pst_chunks_add(&chunks, block, sizeof block), PST_OK);
    const char *headers[] = {"If-None-Match: *", "Content-Type: text/csv", "X-Empty;"};
    pst_http_request req = {
        .method = "PUT", .chunks = &chunks, .headers = headers, .n_headers = 3};
    assert_int_equal(perform(f, req, "/k"), PST_OK);
    assert_int_equal(f->body_n, 5000000);
    assert_non_null(strstr(f->seen, "Content-Length: 5000000\r\n"));
    assert_non_null(strstr(f->seen, "If-None-Match: *\r\n"));
    assert_non_null(strstr(f->seen, "Content-Type: text/csv\r\n"));
    assert_non_null(strstr(f->seen, "X-Empty:\r\n"));
    assert_null(strcasestr(f->seen, "expect"));
    assert_null(strcasestr(f->seen, "transfer-encoding"));
    pst_chunks_done(&chunks);
}

static void test_methods(void **state)
{
    fixture *f = *state;
    assert_int_equal(perform(f, (pst_http_request){.method = "PUT"}, "/"), PST_OK);
    assert_non_null(strstr(f->seen, "Content-Length: 0\r\n"));
    pst_http_request post = {.method = "POST", .body = PST_SV("a=b")};
    assert_int_equal(perform(f, post, "/"), PST_OK);
    assert_int_equal(f->body_n, 3);
    assert_memory_equal(f->body, "a=b", 3);
    assert_null(strcasestr(f->seen, "content-type"));
    assert_int_equal(perform(f, (pst_http_request){.method = "HEAD"}, "/"), PST_OK);
    assert_int_equal(f->res.body.len, 0);
    assert_true(pst_sv_is(pst_http_header(&f->res, "CONTENT-LENGTH"), "77"));
    assert_int_equal(perform(f, (pst_http_request){.method = "DELETE"}, "/d"), PST_OK);
    assert_non_null(strstr(f->seen, "DELETE /d HTTP/1.1"));
    pst_http_request bad = {.method = "DELETE", .body = PST_SV("x")};
    assert_int_equal(perform(f, bad, "/"), PST_E_UNSUPPORTED);
    assert_int_equal(atomic_load(&f->server.connections), 1); /* kept alive all along */
}

static void test_no_header_injection(void **state)
{
    fixture *f = *state;
    const char *headers[] = {"X-A: b\r\nX-Evil: c"};
    pst_http_request req = {.method = "GET", .headers = headers, .n_headers = 1};
    assert_int_equal(perform(f, req, "/"), PST_E_INVALID);
    assert_int_equal(perform(f, (pst_http_request){.method = "GET"}, "/a\r\nb"),
                     PST_E_INVALID);
    assert_int_equal(atomic_load(&f->server.requests), 0);
}

static void test_secret_free_errors(void **state)
{
    fixture *f = *state;
    pst_http_request req = {.method = "GET",
                            .url = "http://user:hunter2@127.0.0.1:1/x?y=z"};
    assert_int_equal(pst_http_perform(f->http, &req, &f->res, &f->err), PST_E_CONFIG);
    assert_null(strstr(f->err.text, "hunter2"));
    pst_err_clear(&f->err);
    req.url = "http://127.0.0.1:1/path?token=hunter2";
    assert_int_equal(pst_http_perform(f->http, &req, &f->res, &f->err), PST_E_IO);
    assert_true(f->err.retriable);
    assert_false(f->res.sent);
    assert_null(strstr(f->err.text, "hunter2"));
    assert_non_null(strstr(f->err.text, "GET 127.0.0.1:1: "));
    static const char *const bad[] = {"ftp://127.0.0.1/", "gopher://127.0.0.1/",
                                      "http://", "nonsense://x", "http://[::1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pst_err_clear(&f->err);
        req.url = bad[i];
        assert_int_equal(pst_http_perform(f->http, &req, &f->res, &f->err), PST_E_CONFIG);
        assert_false(f->err.retriable);
    }
}

/* ---- a server that misbehaves ---- */

enum mode {
    TRUNCATED,
    RESET,
    RESET_AFTER_HEAD,
    CLOSED,
    GARBAGE,
    GARBAGE_LENGTH,
    HUGE_BODY,
    HUGE_HEADERS,
    ENDLESS_INTERIM,
    SLOW,
    DRIP,
    DROP_KEPT_ALIVE,
    INTERIM,
    REDIRECT,
    NO_LENGTH,
};

static void send_many(fault_request *req, const char *text, int times)
{
    for (int i = 0; i < times; i++)
        fault_send(req, text);
}

static bool misbehave_more(fixture *f, fault_request *req, enum mode mode)
{
    switch (mode) {
    case SLOW:
        pst_cancel_wait(f->cancel, 5000);
        return false;
    case DRIP:
        fault_send(req, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        for (int i = 0; i < 100 && !pst_cancel_wait(f->cancel, 50); i++)
            fault_send(req, "x");
        return false;
    case DROP_KEPT_ALIVE:
        fault_answer(req, "200 OK", "", "bye");
        return false; /* without having said so */
    case INTERIM:
        fault_send(req, "HTTP/1.1 103 Early Hints\r\nX-Odd: early\r\n\r\n");
        fault_answer(req, "204 No Content", "X-Odd: late\r\n", "");
        return true;
    case REDIRECT:
        fault_answer(req, "301 Moved Permanently", "Location: http://127.0.0.1:1/\r\n",
                     "");
        return true;
    case NO_LENGTH:
        fault_send(req, "HTTP/1.1 200 OK\r\n\r\nuntil the end");
        return false;
    default:
        return false;
    }
}

static bool misbehave(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    enum mode mode = (enum mode)atomic_load(&f->mode);
    switch (mode) {
    case TRUNCATED:
        fault_send(req, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this");
        return false;
    case RESET:
        fault_reset(req);
        return false;
    case RESET_AFTER_HEAD:
        fault_send(req, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        fault_reset(req);
        return false;
    case CLOSED:
        return false;
    case GARBAGE:
        fault_send(req, "\x01\x02 nobody knows this protocol\r\n\r\n");
        return false;
    case GARBAGE_LENGTH:
        fault_send(req, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n");
        return false;
    case HUGE_BODY:
        fault_send(req, "HTTP/1.1 200 OK\r\n\r\n");
        send_many(req, "0123456789012345678901234567890123456789012345678901234567890123",
                  20000);
        return false;
    case HUGE_HEADERS:
        fault_send(req, "HTTP/1.1 200 OK\r\n");
        send_many(req, "X-Filler: 012345678901234567890123456789012345678901234567\r\n",
                  6000);
        return false;
    case ENDLESS_INTERIM:
        send_many(req,
                  "HTTP/1.1 102 Processing\r\nX-Filler: 01234567890123456789\r\n\r\n",
                  6000);
        return false;
    default:
        return misbehave_more(f, req, mode);
    }
}

static pst_rc get_in_mode(fixture *f, enum mode mode)
{
    f->server.handler = misbehave;
    atomic_store(&f->mode, mode);
    return get(f);
}

static void test_faults(void **state)
{
    fixture *f = *state;
    static const struct {
        enum mode mode;
        pst_rc rc;
        bool retriable;
    } cases[] = {
        {TRUNCATED, PST_E_IO, true},           {RESET, PST_E_IO, true},
        {RESET_AFTER_HEAD, PST_E_IO, true},    {CLOSED, PST_E_IO, true},
        {GARBAGE, PST_E_INVALID, true},        {GARBAGE_LENGTH, PST_E_INVALID, true},
        {HUGE_BODY, PST_E_LIMIT, false},       {HUGE_HEADERS, PST_E_LIMIT, false},
        {ENDLESS_INTERIM, PST_E_LIMIT, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(get_in_mode(f, cases[i].mode), cases[i].rc);
        assert_int_equal(f->err.retriable, cases[i].retriable);
        assert_true(f->res.sent);
        assert_true(f->res.body.len <= 1024 * 1024);
        assert_true(f->res.raw_headers.len <= 256 * 1024);
        assert_non_null(strstr(f->err.text, "GET 127.0.0.1:"));
    }
    f->server.handler = echo;
    assert_int_equal(get(f), PST_OK);
}

static void test_odd_but_right(void **state)
{
    fixture *f = *state;
    assert_int_equal(get_in_mode(f, INTERIM), PST_OK);
    assert_int_equal(f->res.status, 204);
    assert_true(pst_sv_is(pst_http_header(&f->res, "X-Odd"), "late"));
    assert_int_equal(get_in_mode(f, REDIRECT), PST_OK);
    assert_int_equal(f->res.status, 301);
    assert_int_equal(get_in_mode(f, NO_LENGTH), PST_OK);
    expect_text(&f->res.body, "until the end");
}

/* Answers the first request on a connection and drops the next one, head and body read.
 */
static bool answer_first_only(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    if (f->last_connection == req->connection)
        return false;
    f->last_connection = req->connection;
    return echo(opaque, req);
}

/* A server closes a kept-alive connection without a word, before or after it has taken
   the next request: the PUT goes out again on a new one, body and all. */
static void test_dead_connection(void **state)
{
    fixture *f = *state;
    pst_chunks chunks;
    pst_chunks_init(&chunks);
    char block[1000];
    memset(block, 'q', sizeof block);
    for (int i = 0; i < 100; i++)
        assert_int_equal(pst_chunks_add(&chunks, block, sizeof block), PST_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(get_in_mode(f, DROP_KEPT_ALIVE), PST_OK);
        f->server.handler = echo;
        pst_http_request put = {.method = "PUT", .chunks = &chunks};
        assert_int_equal(perform(f, put, "/k"), PST_OK);
        assert_int_equal(f->body_n, 100000);
    }
    f->server.handler = answer_first_only;
    f->last_connection = -1;
    for (int i = 0; i < 5; i++) {
        f->body_n = 0;
        pst_http_request put = {.method = "PUT", .chunks = &chunks};
        assert_int_equal(perform(f, put, "/k"), PST_OK);
        assert_int_equal(f->body_n, 100000);
    }
    pst_chunks_done(&chunks);
}

static void test_timeouts(void **state)
{
    fixture *f = *state;
    f->cancel = pst_cancel_new();
    f->server.handler = misbehave;
    atomic_store(&f->mode, SLOW);
    int64_t start = pst_mono_ms(pst_clock_system());
    pst_http_request req = {.method = "GET", .timeout_ms = 200};
    assert_int_equal(perform(f, req, "/"), PST_E_TIMEOUT);
    assert_true(f->err.retriable);
    assert_true(f->res.sent);
    assert_in_range(pst_mono_ms(pst_clock_system()) - start, 190, 4000);
    pst_http_request stall = {.method = "GET", .stall_timeout_ms = 1000};
    assert_int_equal(perform(f, stall, "/"), PST_E_TIMEOUT);
    assert_in_range(pst_mono_ms(pst_clock_system()) - start, 1100, 4900);
    atomic_store(&f->mode, DRIP);
    assert_int_equal(perform(f, req, "/"), PST_E_TIMEOUT);
    pst_cancel_set(f->cancel);
}

/* ---- many callers ---- */

typedef struct caller {
    fixture *f;
    pst_cancel *cancel;
    pst_rc rc;
    int64_t took_ms;
} caller;

static void *call_cancelled(void *opaque)
{
    caller *c = opaque;
    pst_http_response res;
    pst_err err = PST_ERR_INIT;
    pst_http_response_init(&res);
    pst_http_request req = {
        .method = "GET", .url = c->f->server.url, .cancel = c->cancel};
    int64_t start = pst_mono_ms(pst_clock_system());
    c->rc = pst_http_perform(c->f->http, &req, &res, &err);
    c->took_ms = pst_mono_ms(pst_clock_system()) - start;
    pst_http_response_done(&res);
    return NULL;
}

static void test_cancel(void **state)
{
    fixture *f = *state;
    f->cancel = pst_cancel_new();
    f->server.handler = misbehave;
    atomic_store(&f->mode, SLOW);
    pst_cancel *cancel = pst_cancel_new();
    pthread_t threads[20]; /* more than may be under way: some still wait in the queue */
    caller callers[20];
    for (int i = 0; i < 20; i++) {
        callers[i] = (caller){.f = f, .cancel = cancel};
        pthread_create(&threads[i], NULL, call_cancelled, &callers[i]);
    }
    pst_cancel_wait(NULL, 300);
    pst_cancel_set(cancel);
    for (int i = 0; i < 20; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(callers[i].rc, PST_E_STOPPED);
        assert_in_range(callers[i].took_ms, 0, 2000); /* of 5000; some start late */
    }
    caller late = {.f = f, .cancel = cancel};
    call_cancelled(&late);
    assert_int_equal(late.rc, PST_E_STOPPED);
    assert_in_range(atomic_load(&f->server.requests), 1, 16);
    pst_cancel_set(f->cancel);
    pst_cancel_free(cancel);
}

static void *call_often(void *opaque)
{
    caller *c = opaque;
    pst_http_response res;
    pst_http_response_init(&res);
    c->rc = PST_OK;
    for (int i = 0; i < 50 && c->rc == PST_OK; i++) {
        pst_err err = PST_ERR_INIT;
        pst_http_request req = {
            .method = "PUT", .url = c->f->server.url, .body = PST_SV("0123456789")};
        c->rc = pst_http_perform(c->f->http, &req, &res, &err);
        if (c->rc == PST_OK && (res.status != 200 || res.body.len != 2))
            c->rc = PST_E_INVALID;
    }
    pst_http_response_done(&res);
    return NULL;
}

static bool answer_ok(void *opaque, fault_request *req)
{
    (void)opaque;
    fault_answer(req, req->body.len == 10 ? "200 OK" : "400 Bad", "", "ok");
    return true;
}

static void test_many_threads(void **state)
{
    fixture *f = *state;
    pthread_t threads[24];
    caller callers[24];
    f->server.handler = answer_ok;
    for (int i = 0; i < 24; i++) {
        callers[i] = (caller){.f = f};
        pthread_create(&threads[i], NULL, call_often, &callers[i]);
    }
    for (int i = 0; i < 24; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 24; i++)
        assert_int_equal(callers[i].rc, PST_OK);
    assert_int_equal(atomic_load(&f->server.requests), 24 * 50);
    assert_in_range(atomic_load(&f->server.connections), 1, 20);
}

/* ---- small parts ---- */

static void test_dates(void **state)
{
    (void)state;
    int64_t ms = 0;
    assert_true(pst_http_date(PST_SV("Sun, 06 Nov 1994 08:49:37 GMT"), &ms));
    assert_true(ms == 784111777000);
    assert_true(pst_http_date(PST_SV("Tue, 29 Feb 2028 23:59:59 GMT"), &ms));
    static const char *const bad[] = {"",
                                      "Sun, 06 Nov 1994 08:49:37 CET",
                                      "Sun, 06 Nox 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sunday, 06-Nov-94 08:49:37 GMT",
                                      "Sun, 36 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 28:49:37 GMT"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pst_http_date(pst_sv_of(bad[i]), &ms));
}

static int retry_after(const char *headers)
{
    pst_http_response res;
    pst_http_response_init(&res);
    assert_int_equal(pst_buf_adds(&res.raw_headers, headers), PST_OK);
    int ms = pst_http_retry_after_ms(&res, 784111777000);
    pst_http_response_done(&res);
    return ms;
}

static void test_retry_after(void **state)
{
    (void)state;
    assert_int_equal(retry_after("HTTP/1.1 503 X\r\nRetry-After: 7\r\n\r\n"), 7000);
    assert_int_equal(retry_after("HTTP/1.1 503 X\r\n\r\n"), 0);
    assert_int_equal(retry_after("retry-after: 99999999999\r\n"), 3600000);
    assert_int_equal(retry_after("Retry-After: -4\r\n"), 0);
    assert_int_equal(retry_after("Retry-After: soon\r\n"), 0);
    assert_int_equal(retry_after("Retry-After: Sun, 06 Nov 1994 08:49:47 GMT\r\n"),
                     10000);
    assert_int_equal(retry_after("Date: Sun, 06 Nov 1994 08:49:46 GMT\r\n"
                                 "Retry-After: Sun, 06 Nov 1994 08:49:47 GMT\r\n"),
                     1000);
}

static void test_files(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/pst test-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "recorded", 8), 8);
    close(fd);
    char url[200];
    snprintf(url, sizeof url, "file:///tmp/pst%%20test-%s?results=10#x", path + 14);
    pst_http_request req = {.method = "GET", .url = url};
    assert_int_equal(pst_http_perform(f->http, &req, &f->res, &f->err), PST_OK);
    assert_int_equal(f->res.status, 200);
    expect_text(&f->res.body, "recorded");
    req.max_response = 7;
    assert_int_equal(pst_http_perform(f->http, &req, &f->res, &f->err), PST_E_LIMIT);
    pst_err_clear(&f->err);
    req.max_response = 8;
    assert_int_equal(pst_http_perform(f->http, &req, &f->res, &f->err), PST_OK);
    unlink(path);
    assert_int_equal(pst_http_perform(f->http, &req, &f->res, &f->err), PST_OK);
    assert_int_equal(f->res.status, 404);
    req.method = "PUT";
    assert_int_equal(pst_http_perform(f->http, &req, &f->res, &f->err),
                     PST_E_UNSUPPORTED);
    pst_err_clear(&f->err);
    req = (pst_http_request){.method = "GET", .url = "file:///tmp"};
    assert_int_equal(pst_http_perform(f->http, &req, &f->res, &f->err), PST_E_INVALID);
    static const char *const bad[] = {"file://relative", "file:///a%0", "file:///a%00b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pst_err_clear(&f->err);
        req.url = bad[i];
        assert_int_equal(pst_http_perform(f->http, &req, &f->res, &f->err), PST_E_CONFIG);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_get),
        CASE(test_put_chunks),
        CASE(test_methods),
        CASE(test_no_header_injection),
        CASE(test_secret_free_errors),
        CASE(test_faults),
        CASE(test_odd_but_right),
        CASE(test_dead_connection),
        CASE(test_timeouts),
        CASE(test_cancel),
        CASE(test_many_threads),
        CASE(test_dates),
        CASE(test_retry_after),
        CASE(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

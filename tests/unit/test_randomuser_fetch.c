/*
 * test_randomuser_fetch.c - the URL of a request, and what each kind of answer means.
 */
#include "connectors/randomuser/internal.h"

#include "test_randomuser_server.h"

typedef struct fixture {
    server *server;
    pst_http *http;
    pst_http_response res;
    pst_randomuser_settings settings;
    pst_task_env env;
    pst_cancel *cancel;
} fixture;

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    pst_err err = PST_ERR_INIT;
    pst_http_options options = {.max_connections = 1};
    assert_non_null(f);
    f->server = server_new();
    assert_int_equal(pst_http_new(&f->http, &options, &err), PST_OK);
    pst_http_response_init(&f->res);
    f->cancel = pst_cancel_new();
    f->settings = (pst_randomuser_settings){
        .url = f->server->url, .results = 1, .http_timeout_ms = 5000};
    f->env = (pst_task_env){.clock = pst_clock_system(), .cancel = f->cancel};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_http_free(f->http);
    pst_http_response_done(&f->res);
    pst_cancel_free(f->cancel);
    server_free(f->server);
    pst_free(f);
    return 0;
}

/* ---- the URL ---- */

static void assert_url(const pst_randomuser_settings *settings, const char *seed,
                       int64_t page, const char *expected)
{
    pst_buf out;
    pst_randomuser_place place = {seed, page};
    pst_buf_init(&out, 4096);
    assert_int_equal(pst_randomuser_url(settings, &place, &out), PST_OK);
    assert_string_equal(pst_buf_cstr(&out), expected);
    pst_buf_done(&out);
}

static void test_url(void **state)
{
    char *nats[] = {(char *)(uintptr_t) "us", (char *)(uintptr_t) "gb"};
    char *inc[] = {(char *)(uintptr_t) "login", (char *)(uintptr_t) "a&b"};
    char *exc[] = {(char *)(uintptr_t) "cell"};
    pst_randomuser_settings s = {.url = (char *)(uintptr_t) "http://h/api/"};
    (void)state;
    assert_url(&s, "", 1, "http://h/api/?results=500");
    s.max_users = 10;
    assert_url(&s, "a b/ü&=", 3,
               "http://h/api/?results=10&seed=a%20b%2F%C3%BC%26%3D&page=3");
    s.url = (char *)(uintptr_t) "http://h/api?fault=slow:1";
    s.results = 5000;
    s.nat = (pst_conf_list){nats, 2};
    s.inc = (pst_conf_list){inc, 2};
    s.exc = (pst_conf_list){exc, 1};
    s.gender = PST_RANDOMUSER_FEMALE;
    assert_url(&s, "", 1,
               "http://h/api?fault=slow:1&results=5000&nat=us,gb&gender=female"
               "&inc=login,a%26b&exc=cell");
    s.url = (char *)(uintptr_t) "file:///a.json";
    assert_url(&s, "seed", 2, "file:///a.json");
}

static void test_url_has_a_ceiling(void **state)
{
    pst_buf out;
    char *nats[] = {(char *)(uintptr_t) "us"};
    pst_randomuser_settings s = {.url = (char *)(uintptr_t) "http://h/",
                                 .nat = {nats, 1}};
    pst_randomuser_place place = {"seed", 1};
    (void)state;
    for (size_t max = 0; max < 43; max++) {
        pst_buf_init(&out, max);
        assert_int_equal(pst_randomuser_url(&s, &place, &out), PST_E_LIMIT);
        pst_buf_done(&out);
    }
}

/* ---- answers ---- */

static pst_rc fetch(fixture *f, pst_err *err)
{
    char url[128];
    *err = (pst_err)PST_ERR_INIT;
    snprintf(url, sizeof url, "%s?seed=hush", f->settings.url);
    pst_rc rc = pst_randomuser_fetch(f->http, &f->settings, url, &f->env, &f->res, err);
    assert_int_equal(rc, err->code);
    assert_null(strstr(err->text, "hush"));
    return rc;
}

static void assert_answer(fixture *f, server_answer answer, pst_rc rc, bool retriable,
                          const char *text)
{
    pst_err err;
    server_play(f->server, answer);
    assert_int_equal(fetch(f, &err), rc);
    assert_int_equal(err.retriable, retriable);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" does not hold \"%s\"", err.text, text);
}

#define COWBOY                                                                           \
    "{\"error\":\"Whoa, ease up there cowboy. You've requested too many users "          \
    "recently.\"}"

static void test_good(void **state)
{
    fixture *f = *state;
    assert_answer(f, (server_answer){.status = 200, .body = "{}"}, PST_OK, false, "");
    assert_int_equal(f->res.body.len, 2);
    assert_string_equal(f->server->requests[0], "GET /api/?seed=hush HTTP/1.1");
}

static void test_throttled(void **state)
{
    fixture *f = *state;
    pst_err err;
    server_play(
        f->server,
        (server_answer){.status = 429, .headers = "Retry-After: 7\r\n", .body = COWBOY});
    assert_int_equal(fetch(f, &err), PST_E_THROTTLED);
    assert_true(err.retriable);
    assert_int_equal(err.after_ms, 7000);
    assert_int_equal(err.status, 429);
    assert_string_equal(err.text,
                        "the API answers 429: Whoa, ease up there cowboy. You've "
                        "requested too many users recently.");
    assert_answer(f, (server_answer){.status = 429}, PST_E_THROTTLED, true,
                  "the API answers 429");
}

static void test_statuses(void **state)
{
    fixture *f = *state;
    assert_answer(f, (server_answer){.status = 500, .body = "{\"error\":\"Uh oh\"}"},
                  PST_E_IO, true, "the API answers 500: Uh oh");
    assert_answer(f, (server_answer){.status = 503, .body = "<html>"}, PST_E_IO, true,
                  "the API answers 503");
    assert_answer(f, (server_answer){.status = 408}, PST_E_IO, true, "408");
    assert_answer(f, (server_answer){.status = 400, .body = "{\"error\":\"bad nat\"}"},
                  PST_E_INVALID, false, "the API answers 400: bad nat");
    assert_answer(f, (server_answer){.status = 403}, PST_E_AUTH, false, "403");
    assert_answer(f, (server_answer){.status = 404}, PST_E_NOT_FOUND, false, "404");
    assert_answer(f, (server_answer){.status = 301, .headers = "Location: /x\r\n"},
                  PST_E_INVALID, false, "set randomuser.url to where it leads");
}

static void test_network_failures(void **state)
{
    fixture *f = *state;
    pst_err err;
    server_play(f->server, (server_answer){.hang_up = true});
    assert_int_not_equal(fetch(f, &err), PST_OK);
    assert_true(err.retriable);
    server_play(f->server, (server_answer){.status = 200, .body = "{\"a\":1}", .cut = 3});
    assert_int_not_equal(fetch(f, &err), PST_OK);
    assert_true(err.retriable);
    f->settings.http_timeout_ms = 200;
    assert_answer(f, (server_answer){.status = 200, .body = "{}", .delay_ms = 600},
                  PST_E_TIMEOUT, true, "");
    f->settings.url = (char *)(uintptr_t) "http://127.0.0.1:1/api/";
    assert_int_equal(fetch(f, &err), PST_E_IO);
    assert_true(err.retriable);
}

static void test_too_large(void **state)
{
    fixture *f = *state;
    char *body = pst_calloc(1, 200001);
    assert_non_null(body);
    memset(body, ' ', 200000);
    assert_answer(f, (server_answer){.status = 200, .body = body}, PST_E_LIMIT, true,
                  "larger than");
    f->settings.results = 100;
    server_play(f->server, (server_answer){.status = 200, .body = body});
    assert_answer(f, (server_answer){.status = 200, .body = body}, PST_OK, false, "");
    pst_free(body);
}

static void test_cancel(void **state)
{
    fixture *f = *state;
    pst_cancel_set(f->cancel);
    assert_answer(f, (server_answer){.status = 200, .body = "{}"}, PST_E_STOPPED, false,
                  "");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_url_has_a_ceiling),
        CASE(test_good),
        CASE(test_throttled),
        CASE(test_statuses),
        CASE(test_network_failures),
        CASE(test_too_large),
        CASE(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_randomuser.c - RandomUserSource's life cycle: pages, seeds, pace, limits,
 * failures. The runtime is played by the test; the API by a scripted server or a recorded
 * file.
 */
#include "connectors/randomuser/internal.h"

#include "test_randomuser_server.h"

#include <limits.h>
#include <stdlib.h>

/* ---- a clock that the test sets ---- */

static int64_t fake_now(void *self)
{
    return *(int64_t *)self;
}

typedef struct fixture {
    server *server;
    pst_props props;
    pst_conf_report report;
    pst_randomuser_conf conf;
    int64_t now;
    pst_clock clock;
    pst_task_env env;
    pst_source *source;
    const pst_source_record *records;
    size_t n;
    int64_t wait_ms;
    bool finished;
    pst_err err;
} fixture;

static const pst_source_ops *ops(void)
{
    return pst_randomuser.source;
}

static void set(fixture *f, const char *key, const char *value)
{
    assert_int_equal(pst_props_set(&f->props, key, value, "(test)", &f->report), PST_OK);
}

static void set_file(fixture *f, const char *name)
{
    char here[PATH_MAX], url[PATH_MAX + 100];
    assert_non_null(getcwd(here, sizeof here));
    snprintf(url, sizeof url, "file://%s/tests/data/randomuser/%s", here, name);
    set(f, "randomuser.url", url);
}

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    assert_non_null(f);
    pst_props_init(&f->props);
    pst_conf_report_init(&f->report);
    f->server = server_new();
    f->now = 1000000;
    f->clock = (pst_clock){fake_now, fake_now, &f->now};
    f->env = (pst_task_env){.id = "users-source-0", .clock = &f->clock};
    set(f, "name", "users");
    set(f, "connector.class", "RandomUserSource");
    set(f, "kafka.topic", "people");
    set(f, "randomuser.url", f->server->url);
    set(f, "users.per.second", "0");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    ops()->stop(f->source);
    server_free(f->server);
    pst_conf_done(&pst_randomuser_spec, &f->conf);
    pst_conf_report_done(&f->report);
    pst_props_done(&f->props);
    pst_free(f);
    return 0;
}

static void start(fixture *f)
{
    if (pst_conf_apply(&pst_randomuser_spec, &f->props, &f->conf, &f->report) != PST_OK)
        fail_msg("%s", f->report.items[0].text);
    assert_int_equal(ops()->start(&f->source, &f->conf, &f->env, &f->err), PST_OK);
}

static pst_rc poll_once(fixture *f)
{
    pst_err_clear(&f->err);
    pst_rc rc =
        ops()->poll(f->source, &f->records, &f->n, &f->wait_ms, &f->finished, &f->err);
    assert_int_equal(rc, f->err.code);
    if (rc == PST_OK && f->n > 0)
        assert_int_equal(ops()->commit(f->source, &f->err), PST_OK);
    return rc;
}

static void poll_ok(fixture *f, size_t n, bool finished)
{
    if (poll_once(f) != PST_OK)
        fail_msg("%s", f->err.text);
    assert_int_equal(f->n, n);
    assert_int_equal(f->finished, finished);
}

static void assert_request(fixture *f, size_t i, const char *query)
{
    char line[2048];
    assert_true(i < f->server->n_requests);
    snprintf(line, sizeof line, "GET /api/?%s HTTP/1.1", query);
    assert_string_equal(f->server->requests[i], line);
}

#define ONE(uuid) "{\"login\":{\"uuid\":\"" uuid "\"}}"
#define INFO(seed) ",\"info\":{\"seed\":\"" seed "\",\"results\":2,\"page\":1}"
#define PAGE(a, b, info) "{\"results\":[" ONE(a) "," ONE(b) "]" info "}"

static void play(fixture *f, const char *body)
{
    server_play(f->server, (server_answer){.status = 200, .body = body});
}

static void assert_key(fixture *f, size_t i, const char *uuid)
{
    assert_true(i < f->n);
    assert_true(pst_sv_is(f->records[i].key, uuid));
    assert_string_equal(f->records[i].topic, "people");
    assert_int_equal(f->records[i].partition, -1);
}

/* ---- recorded files ---- */

static void test_file_is_read_once(void **state)
{
    fixture *f = *state;
    set_file(f, "ten.json");
    start(f);
    poll_ok(f, 10, true);
    assert_key(f, 0, "6dc15699-55c7-4a4b-b07f-1355af5a7823");
    assert_true(pst_sv_starts(f->records[0].value, PST_SV("{\"gender\":\"female\",")));
    poll_ok(f, 0, true);
    assert_int_equal(f->server->n_requests, 0);
}

static void test_file_with_max_users(void **state)
{
    fixture *f = *state;
    set_file(f, "page1-500.json");
    set(f, "max.users", "3");
    set(f, "output", "flat");
    start(f);
    poll_ok(f, 3, true);
    assert_true(pst_sv_starts(f->records[2].value, PST_SV("{\"id\":\"")));
    poll_ok(f, 0, true);
}

static void test_file_that_is_not_there(void **state)
{
    fixture *f = *state;
    set_file(f, "none.json");
    start(f);
    assert_int_equal(poll_once(f), PST_E_NOT_FOUND);
    assert_false(f->err.retriable);
}

static void test_file_without_login(void **state)
{
    fixture *f = *state;
    set_file(f, "inc-5.json");
    set(f, "randomuser.inc", "gender,name,location,email,nat");
    start(f);
    poll_ok(f, 5, true);
    assert_null(f->records[4].key.p);
}

/* ---- pages and seeds ---- */

static void test_two_recorded_pages(void **state)
{
    fixture *f = *state;
    char *pages[] = {read_recorded("page1-500.json"), read_recorded("page2-500.json")};
    set(f, "randomuser.seed", "penstock-500");
    set(f, "max.users", "1000");
    play(f, pages[0]);
    play(f, pages[1]);
    start(f);
    for (int page = 0; page < 2; page++) {
        const char *at = pages[page] + strlen("{\"results\":[");
        poll_ok(f, 500, page == 1);
        for (size_t i = 0; i < f->n; i++) {
            assert_memory_equal(f->records[i].value.p, at, f->records[i].value.n);
            at += f->records[i].value.n + 1;
        }
    }
    assert_request(f, 0, "results=500&seed=penstock-500&page=1");
    assert_request(f, 1, "results=500&seed=penstock-500&page=2");
    assert_int_equal(f->server->n_requests, 2);
    pst_free(pages[0]);
    pst_free(pages[1]);
}

static void test_the_apis_seed_serves_further_pages(void **state)
{
    fixture *f = *state;
    set(f, "randomuser.results", "2");
    play(f, PAGE("a", "b", INFO("chosen by it")));
    play(f, PAGE("c", "d", INFO("another")));
    start(f);
    poll_ok(f, 2, false);
    poll_ok(f, 2, false);
    poll_ok(f, 2, false);
    assert_request(f, 0, "results=2");
    assert_request(f, 1, "results=2&seed=chosen%20by%20it&page=2");
    assert_request(f, 2, "results=2&seed=chosen%20by%20it&page=3");
}

static void test_without_info(void **state)
{
    fixture *f = *state;
    set(f, "randomuser.results", "2");
    play(f, PAGE("a", "b", ""));
    start(f);
    poll_ok(f, 2, false);
    poll_ok(f, 2, false);
    assert_request(f, 1, "results=2");
}

/* The last page is asked for whole: pages of another size would hold other users. */
static void test_max_users_within_a_page(void **state)
{
    fixture *f = *state;
    set(f, "randomuser.results", "2");
    set(f, "max.users", "3");
    set(f, "randomuser.seed", "s");
    play(f, PAGE("a", "b", ""));
    play(f, PAGE("c", "d", ""));
    start(f);
    poll_ok(f, 2, false);
    poll_ok(f, 1, true);
    assert_key(f, 0, "c");
    poll_ok(f, 0, true);
    assert_request(f, 1, "results=2&seed=s&page=2");
}

static void test_fewer_and_more_than_asked(void **state)
{
    fixture *f = *state;
    set(f, "randomuser.results", "3");
    play(f, PAGE("a", "b", ""));
    play(f, "{\"results\":[" ONE("a") "," ONE("b") "," ONE("c") "," ONE("d") "]}");
    start(f);
    poll_ok(f, 2, false);
    poll_ok(f, 3, false);
}

/* ---- pace ---- */

static void test_ten_users_take_nine_seconds_and_one_request(void **state)
{
    fixture *f = *state;
    char *body = read_recorded("ten.json");
    int64_t began = f->now;
    size_t got = 0;
    set(f, "users.per.second", "1");
    set(f, "max.users", "10");
    play(f, body);
    start(f);
    for (f->finished = false; !f->finished; f->now += f->finished ? 0 : f->wait_ms) {
        assert_int_equal(poll_once(f), PST_OK);
        assert_true(f->n <= 1);
        got += f->n;
    }
    assert_int_equal(got, 10);
    assert_in_range(f->now - began, 9000, 10000);
    assert_int_equal(f->server->n_requests, 1);
    assert_request(f, 0, "results=10");
    pst_free(body);
}

/* ---- failures ---- */

static void assert_retriable(fixture *f, pst_rc rc, const char *text)
{
    assert_int_equal(poll_once(f), rc);
    assert_true(f->err.retriable);
    assert_int_equal(f->n, 0);
    if (!strstr(f->err.text, text))
        fail_msg("\"%s\" does not hold \"%s\"", f->err.text, text);
}

static void test_failures_then_the_same_page(void **state)
{
    fixture *f = *state;
    set(f, "randomuser.seed", "s");
    set(f, "randomuser.results", "2");
    server_play(f->server, (server_answer){.status = 429,
                                           .headers = "Retry-After: 2\r\n",
                                           .body = "{\"error\":\"ease up\"}"});
    server_play(f->server,
                (server_answer){.status = 500, .body = "{\"error\":\"uh oh\"}"});
    play(f, "{\"error\":\"uh oh again\"}");
    play(f, "{\"results\":[{\"gender\":\"female\",\"name\":<html>");
    server_play(f->server,
                (server_answer){.status = 200, .body = PAGE("a", "b", ""), .cut = 5});
    play(f, "{\"results\":[]}");
    server_play(f->server, (server_answer){.hang_up = true});
    play(f, PAGE("a", "b", ""));
    start(f);
    assert_retriable(f, PST_E_THROTTLED, "429: ease up");
    assert_int_equal(f->err.after_ms, 2000);
    assert_retriable(f, PST_E_IO, "500: uh oh");
    assert_in_range(f->err.after_ms, 500, 2000);
    assert_retriable(f, PST_E_IO, "uh oh again");
    assert_retriable(f, PST_E_INVALID, "cut off or is not JSON");
    assert_int_not_equal(poll_once(f), PST_OK); /* cut off within the body */
    assert_true(f->err.retriable);
    assert_retriable(f, PST_E_INVALID, "holds no users");
    assert_int_not_equal(poll_once(f), PST_OK); /* no answer at all */
    assert_true(f->err.retriable);
    poll_ok(f, 2, false);
    assert_int_equal(f->server->n_requests, 8);
    for (size_t i = 0; i < 8; i++)
        assert_request(f, i, "results=2&seed=s&page=1");
}

static void test_max_retries(void **state)
{
    fixture *f = *state;
    set(f, "max.retries", "2");
    set(f, "randomuser.results", "2");
    server_play(f->server,
                (server_answer){.status = 503, .body = "{\"error\":\"down\"}"});
    server_play(f->server,
                (server_answer){.status = 503, .body = "{\"error\":\"down\"}"});
    play(f, PAGE("a", "b", ""));
    server_play(f->server,
                (server_answer){.status = 503, .body = "{\"error\":\"down\"}"});
    start(f);
    assert_retriable(f, PST_E_IO, "the API answers 503: down");
    assert_retriable(f, PST_E_IO, "down");
    poll_ok(f, 2, false); /* a success begins the count anew */
    assert_retriable(f, PST_E_IO, "down");
    assert_retriable(f, PST_E_IO, "down");
    assert_int_equal(poll_once(f), PST_E_IO);
    assert_false(f->err.retriable);
    assert_string_equal(f->err.text, "gave up after 3 tries: the API answers 503: down");
}

static void test_fatal_answer(void **state)
{
    fixture *f = *state;
    server_play(f->server,
                (server_answer){.status = 400, .body = "{\"error\":\"no such thing\"}"});
    start(f);
    assert_int_equal(poll_once(f), PST_E_INVALID);
    assert_false(f->err.retriable);
    assert_string_equal(f->err.text, "the API answers 400: no such thing");
}

static void test_cancel(void **state)
{
    fixture *f = *state;
    f->env.cancel = pst_cancel_new();
    pst_cancel_set(f->env.cancel);
    start(f);
    assert_int_equal(poll_once(f), PST_E_STOPPED);
    pst_cancel_free(f->env.cancel);
}

static void test_the_plugin(void **state)
{
    (void)state;
    assert_string_equal(pst_randomuser.class_name, "RandomUserSource");
    assert_string_equal(pst_randomuser.type, "source");
    assert_null(pst_randomuser.sink);
    ops()->stop(NULL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_file_is_read_once),
        CASE(test_file_with_max_users),
        CASE(test_file_that_is_not_there),
        CASE(test_file_without_login),
        CASE(test_two_recorded_pages),
        CASE(test_the_apis_seed_serves_further_pages),
        CASE(test_without_info),
        CASE(test_max_users_within_a_page),
        CASE(test_fewer_and_more_than_asked),
        CASE(test_ten_users_take_nine_seconds_and_one_request),
        CASE(test_failures_then_the_same_page),
        CASE(test_max_retries),
        CASE(test_fatal_answer),
        CASE(test_cancel),
        cmocka_unit_test(test_the_plugin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

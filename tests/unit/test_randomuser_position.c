/*
 * test_randomuser_position.c - the source offset as JSON, and going on from one: the
 * exact user, changed settings, pages that max.users cut.
 */
#include "connectors/randomuser/internal.h"

#include "test_randomuser_server.h"

#include <stdlib.h>

typedef struct fixture {
    server *server;
    pst_props props;
    pst_conf_report report;
    pst_randomuser_conf conf;
    pst_task_env env;
    pst_source *source;
    const pst_source_record *records;
    size_t n;
    bool finished;
    pst_buf out;
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

static void apply(fixture *f)
{
    pst_conf_done(&pst_randomuser_spec, &f->conf);
    f->conf = (pst_randomuser_conf){0};
    if (pst_conf_apply(&pst_randomuser_spec, &f->props, &f->conf, &f->report) != PST_OK)
        fail_msg("%s", f->report.items[0].text);
}

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    assert_non_null(f);
    pst_props_init(&f->props);
    pst_conf_report_init(&f->report);
    pst_buf_init(&f->out, 10000);
    f->server = server_new();
    f->env = (pst_task_env){.id = "t", .clock = pst_clock_system()};
    set(f, "name", "users");
    set(f, "connector.class", "RandomUserSource");
    set(f, "kafka.topic", "people");
    set(f, "randomuser.url", f->server->url);
    set(f, "randomuser.seed", "s\"1");
    set(f, "randomuser.results", "4");
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
    pst_buf_done(&f->out);
    pst_free(f);
    return 0;
}

#define SETTINGS(results)                                                                \
    "\"settings\":{\"results\":\"" results "\",\"nat\":\"\",\"gender\":\"any\","         \
    "\"inc\":\"\",\"exc\":\"\",\"query\":\"\"}}"
#define AT(page, index, produced)                                                        \
    "{\"page\":" page ",\"index\":" index ",\"produced\":" produced "," SETTINGS("4")

#define U(x) "{\"login\":{\"uuid\":\"" x "\"}}"
#define PAGE(p) "{\"results\":[" U(p "0") "," U(p "1") "," U(p "2") "," U(p "3") "]}"

static void play(fixture *f, const char *body)
{
    server_play(f->server, (server_answer){.status = 200, .body = body});
}

static void restart(fixture *f, const char *stored)
{
    ops()->stop(f->source);
    f->source = NULL;
    apply(f);
    assert_int_equal(ops()->start(&f->source, &f->conf, &f->env, &f->err), PST_OK);
    if (ops()->resume(f->source, stored, &f->err) != PST_OK)
        fail_msg("%s", f->err.text);
}

static void poll_ok(fixture *f, size_t n, bool finished)
{
    int64_t wait_ms;
    pst_rc rc =
        ops()->poll(f->source, &f->records, &f->n, &wait_ms, &f->finished, &f->err);
    if (rc != PST_OK)
        fail_msg("%s", f->err.text);
    assert_int_equal(f->n, n);
    assert_int_equal(f->finished, finished);
}

static void assert_offset(fixture *f, const char *expected)
{
    pst_buf_clear(&f->out);
    assert_int_equal(ops()->offset(f->source, &f->out, &f->err), PST_OK);
    assert_string_equal(pst_buf_cstr(&f->out), expected);
}

static void assert_key(fixture *f, size_t i, const char *key)
{
    assert_true(i < f->n);
    assert_true(pst_sv_is(f->records[i].key, key));
}

static void assert_requested(fixture *f, size_t i, const char *part)
{
    assert_true(i < f->server->n_requests);
    assert_non_null(strstr(f->server->requests[i], part));
}

static void assert_refused(fixture *f, pst_rc rc, const char *stored, const char *text)
{
    pst_randomuser_position at;
    apply(f);
    pst_err_clear(&f->err);
    assert_int_equal(pst_randomuser_position_read(&f->conf.own, stored, &at, &f->err),
                     rc);
    if (!strstr(f->err.text, text))
        fail_msg("\"%s\" does not hold \"%s\"", f->err.text, text);
}

/* ---- tests ---- */

static void test_partition(void **state)
{
    fixture *f = *state;
    set(f, "randomuser.url", "http://127.0.0.1/api/?secret=x");
    apply(f);
    assert_int_equal(ops()->partition(&f->conf, &f->out, &f->err), PST_OK);
    assert_string_equal(pst_buf_cstr(&f->out),
                        "{\"url\":\"http://127.0.0.1/api/\",\"seed\":\"s\\\"1\"}");
    pst_buf_clear(&f->out);
    pst_randomuser_settings none = f->conf.own;
    none.seed = NULL;
    assert_int_equal(pst_randomuser_partition(&none, &f->out, &f->err), PST_OK);
    assert_int_equal(f->out.len, 0);
    char bad[] = "\xff";
    none.seed = bad;
    assert_int_equal(pst_randomuser_partition(&none, &f->out, &f->err), PST_E_CONFIG);
}

static void test_offsets_of_a_run(void **state)
{
    fixture *f = *state;
    play(f, PAGE("a"));
    play(f, PAGE("b"));
    set(f, "max.users", "6");
    restart(f, NULL);
    poll_ok(f, 4, false);
    assert_offset(f, AT("2", "0", "4"));
    poll_ok(f, 2, true);
    assert_offset(f, AT("2", "2", "6"));
}

static void test_goes_on_inside_a_page(void **state)
{
    fixture *f = *state;
    play(f, PAGE("b"));
    play(f, PAGE("c"));
    set(f, "max.users", "9");
    restart(f, AT("2", "2", "6"));
    poll_ok(f, 2, false);
    assert_requested(f, 0, "&page=2 ");
    assert_key(f, 0, "b2");
    assert_key(f, 1, "b3");
    assert_offset(f, AT("3", "0", "8"));
    poll_ok(f, 1, true);
    assert_key(f, 0, "c0");
    assert_offset(f, AT("3", "1", "9"));
}

static void test_all_is_done(void **state)
{
    fixture *f = *state;
    set(f, "max.users", "6");
    restart(f, AT("2", "2", "6"));
    poll_ok(f, 0, true);
    set(f, "max.users", "3");
    restart(f, AT("2", "2", "6"));
    poll_ok(f, 0, true);
    assert_int_equal(f->server->n_requests, 0);
}

static void test_a_page_that_is_shorter_now(void **state)
{
    fixture *f = *state;
    int64_t wait_ms;
    play(f, "{\"results\":[" U("b0") "]}");
    restart(f, AT("2", "2", "6"));
    assert_int_equal(
        ops()->poll(f->source, &f->records, &f->n, &wait_ms, &f->finished, &f->err),
        PST_E_INVALID);
    assert_true(f->err.retriable);
    assert_non_null(strstr(f->err.text, "page 2 holds 1 users, but 2 of it"));
}

static void test_a_page_that_ended_there(void **state)
{
    fixture *f = *state;
    play(f, "{\"results\":[" U("b0") "," U("b1") "]}");
    play(f, PAGE("c"));
    restart(f, AT("2", "2", "6"));
    poll_ok(f, 0, false);
    poll_ok(f, 4, false);
    assert_key(f, 0, "c0");
    assert_offset(f, AT("4", "0", "10"));
}

static void test_unset_page_size_follows(void **state)
{
    fixture *f = *state;
    play(f, PAGE("a"));
    pst_props_done(&f->props);
    pst_props_init(&f->props);
    set(f, "name", "users");
    set(f, "connector.class", "RandomUserSource");
    set(f, "kafka.topic", "people");
    set(f, "randomuser.url", f->server->url);
    set(f, "randomuser.seed", "x");
    set(f, "max.users", "100");
    set(f, "users.per.second", "0");
    restart(f, AT("7", "1", "25"));
    poll_ok(f, 3, false);
    assert_requested(f, 0, "results=4&");
    assert_offset(f, AT("8", "0", "28"));
}

static void test_file(void **state)
{
    fixture *f = *state;
    char here[4096], url[5000];
    assert_non_null(getcwd(here, sizeof here));
    snprintf(url, sizeof url, "file://%s/tests/data/randomuser/ten.json", here);
    set(f, "randomuser.url", url);
    restart(f, AT("1", "7", "7"));
    poll_ok(f, 3, true);
    assert_offset(f, AT("1", "10", "10"));
    restart(f, AT("1", "10", "10"));
    poll_ok(f, 0, true);
}

static void test_changed_settings(void **state)
{
    fixture *f = *state;
    set(f, "randomuser.nat", "FR, DE");
    set(f, "randomuser.gender", "female");
    assert_refused(f, PST_E_CONFIG, AT("2", "1", "5"),
                   "the stored offset (page 2, 5 users produced) was made with "
                   "randomuser.nat=(unset), now FR,DE; randomuser.gender=any, now "
                   "female: pages would hold other users. Set it back, or choose another "
                   "randomuser.seed or name");
    set(f, "randomuser.nat", "");
    set(f, "randomuser.gender", "any");
    set(f, "randomuser.results", "5");
    assert_refused(f, PST_E_CONFIG, AT("2", "1", "5"), "randomuser.results=4, now 5");
    set(f, "randomuser.results", "4");
    set(f, "randomuser.inc", "login");
    set(f, "randomuser.exc", "name,nat");
    assert_refused(f, PST_E_CONFIG, AT("2", "1", "5"),
                   "randomuser.inc=(unset), now login; randomuser.exc=(unset), now name");
}

static void test_changed_query(void **state)
{
    fixture *f = *state;
    set(f, "randomuser.url", "http://127.0.0.1/api/?secret=x");
    assert_refused(f, PST_E_CONFIG, AT("2", "1", "5"),
                   "the query of randomuser.url=(unset), now crc32c:");
    assert_null(strstr(f->err.text, "secret"));
}

static void test_unreadable(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{\"page\":1}",
        AT("0", "1", "5"),
        AT("1", "-1", "5"),
        AT("1", "1", "-5"),
        AT("\"1\"", "1", "5"),
        "{\"page\":1,\"index\":0,\"produced\":0,\"settings\":7}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(*state, PST_E_INVALID, bad[i], "the stored offset can't be read");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_partition),
        CASE(test_offsets_of_a_run),
        CASE(test_goes_on_inside_a_page),
        CASE(test_all_is_done),
        CASE(test_a_page_that_is_shorter_now),
        CASE(test_a_page_that_ended_there),
        CASE(test_unset_page_size_follows),
        CASE(test_file),
        CASE(test_changed_settings),
        CASE(test_changed_query),
        CASE(test_unreadable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_rest_router.c - paths and queries of strangers, and the route that they lead to.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MUTANTS = 20000 };

/* The status that stands for what is asked: 0 = there is a handler. */
static int ask(const char *method, const char *path, const char *query, char allow[64])
{
    rest_request request;
    rest_answer answer = {.status = 0};
    const rest_route *route = NULL;
    if (rest_request_parse(&request, method, path, query, &answer))
        route = rest_route_of(&request, &answer);
    int status = route ? 0 : answer.status;
    if (allow)
        snprintf(allow, 64, "%s", answer.allow);
    rest_request_done(&request);
    rest_answer_done(&answer);
    return status;
}

static void test_what_is_there(void **state)
{
    static const struct {
        const char *method, *path;
        int status;
    } cases[] = {
        {"GET", "/", 0},
        {"GET", "/connectors", 0},
        {"HEAD", "/connectors", 0},
        {"GET", "/connectors/", 0},
        {"GET", "/connectors/a%2Fb/status", 0},
        {"PUT", "/connectors/a/pause", 0},
        {"GET", "/connectors/a/pause", 405},
        {"DELETE", "/connectors", 405},
        {"OPTIONS", "/connectors", 200},
        {"BREW", "/connectors", 405},
        {"GET", "/connector", 404},
        {"GET", "/connectorsx", 404},
        {"GET", "/connectors/a/tasks/0/status/more", 404},
        {"GET", "/connectors/a/tasks/0/status/more/and/more", 404},
        {"GET", "/?", 404},
        {"GET", "", 400},
        {"GET", "*", 400},
        {"GET", "connectors", 400},
        {"GET", "//connectors", 400},
        {"GET", "/connectors//status", 400},
        {"GET", "/connectors/%", 400},
        {"GET", "/connectors/%4", 400},
        {"GET", "/connectors/%zz", 400},
        {"GET", "/connectors/%00", 400},
        {"GET", "/connectors/a%0Ab", 400},
        {"GET", "/connectors/a\x7f", 400},
        {"GET", "/connectors/%ff", 400},
        {"GET", "/connectors/%C3%BC", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int got = ask(cases[i].method, cases[i].path, NULL, NULL);
        if (got != cases[i].status)
            fail_msg("%s %s: %d, not %d", cases[i].method, cases[i].path, got,
                     cases[i].status);
    }
    char allow[64];
    assert_int_equal(ask("PATCH", "/connectors", NULL, allow), 405);
    assert_string_equal(allow, "GET,POST,HEAD,OPTIONS");
}

static void test_queries(void **state)
{
    rest_request request;
    rest_answer answer = {.status = 0};
    char many[200] = "";
    (void)state;
    assert_true(rest_request_parse(&request, "GET", "/connectors",
                                   "expand=info&expand=sta%74us&x&y=a+b&z=", &answer));
    assert_true(rest_query_has(&request, "expand", "info"));
    assert_true(rest_query_has(&request, "expand", "status"));
    assert_false(rest_query_has(&request, "expand", "inf"));
    assert_string_equal(rest_query_get(&request, "y"), "a b");
    assert_string_equal(rest_query_get(&request, "x"), "");
    assert_null(rest_query_get(&request, "nosuch"));
    rest_request_done(&request);
    for (int i = 0; i < REST_QUERIES_MAX; i++)
        strcat(many, "a=b&");
    assert_int_equal(ask("GET", "/connectors", many, NULL), 0);
    strcat(many, "a=b");
    assert_int_equal(ask("GET", "/connectors", many, NULL), 400);
    assert_int_equal(ask("GET", "/connectors", "a=%", NULL), 400);
    assert_int_equal(ask("GET", "/connectors", "%=a", NULL), 400);
}

static void test_mutants(void **state)
{
    static const char good[] = "/connectors/a%20b/tasks/0/status?x=1&y=%C3%BC";
    char text[sizeof good];
    int seen[600] = {0};
    unsigned int seed = 20261123;
    (void)state;
    for (int i = 0; i < MUTANTS; i++) {
        memcpy(text, good, sizeof good);
        for (int k = rand_r(&seed) % 4; k > 0; k--)
            text[(size_t)rand_r(&seed) % (sizeof good - 1)] =
                (char)(rand_r(&seed) % 3 ? "%/?&=+.~"[rand_r(&seed) % 8] : rand_r(&seed));
        char *query = strchr(text, '?');
        if (query)
            *query++ = '\0';
        int status = ask(i % 2 ? "GET" : "POST", text, query, NULL);
        assert_true(status == 0 || status == 400 || status == 404 || status == 405);
        seen[status]++;
    }
    assert_true(seen[0] && seen[400] && seen[404] && seen[405]);
}

static void test_names_escaped_lead_back(void **state)
{
    static const char *const names[] = {"a", "a/b", "../x", "ü €", "%41", "a?b=c#d"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rest_request request;
        rest_answer answer = {.status = 0};
        char path[200], *escaped = rest_escape(names[i]);
        assert_non_null(escaped);
        snprintf(path, sizeof path, "/connectors/%s", escaped);
        assert_null(strpbrk(escaped, "/?# \xc3"));
        assert_true(rest_request_parse(&request, "GET", path, NULL, &answer));
        assert_int_equal(request.n_segments, 2);
        assert_string_equal(request.segments[1], names[i]);
        rest_request_done(&request);
        pst_free(escaped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_there),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_mutants),
        cmocka_unit_test(test_names_escaped_lead_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

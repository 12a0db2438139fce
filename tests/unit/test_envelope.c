/*
 * test_envelope.c - answers of the API: recorded, odd, cut off at every byte, hostile.
 */
#include "base/mem.h"
#include "connectors/randomuser/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const pst_randomuser_shape raw = {PST_RANDOMUSER_RAW, false};
static const pst_randomuser_shape strict = {PST_RANDOMUSER_FLAT, true};

static char *read_file(const char *name, size_t *n)
{
    char path[200];
    snprintf(path, sizeof path, "tests/data/randomuser/%s", name);
    FILE *in = fopen(path, "rb");
    if (!in)
        fail_msg("%s is not there; run this from the project's folder", path);
    char *text = pst_malloc(2 << 20);
    assert_non_null(text);
    *n = fread(text, 1, 2 << 20, in);
    fclose(in);
    return text;
}

static void assert_recorded(const char *name, size_t users, const char *seed)
{
    pst_randomuser_page page;
    pst_err err = PST_ERR_INIT;
    size_t n;
    char *text = read_file(name, &n);
    pst_randomuser_page_init(&page);
    if (pst_randomuser_page_parse(&page, (pst_sv){text, n}, &strict, 5000, &err) !=
        PST_OK)
        fail_msg("%s: %s", name, err.text);
    assert_int_equal(page.n, users);
    assert_string_equal(page.seed, seed);
    assert_int_equal(pst_randomuser_page_key(&page, users - 1).n, 36);
    pst_randomuser_page_done(&page);
    pst_free(text);
}

static void test_recorded_answers(void **state)
{
    (void)state;
    assert_recorded("page1-500.json", 500, "penstock-500");
    assert_recorded("page2-500.json", 500, "penstock-500");
    assert_recorded("ten.json", 10, "penstock-10");
    assert_recorded("one.json", 1, "penstock-1");
    assert_recorded("noinfo-5.json", 5, "");
}

/* The recorded answers are compact, so each raw value is a piece of the answer. */
static void test_raw_values_are_the_apis_bytes(void **state)
{
    pst_randomuser_page page;
    pst_err err = PST_ERR_INIT;
    size_t n;
    char *text = read_file("page1-500.json", &n);
    const char *at = text;
    (void)state;
    pst_randomuser_page_init(&page);
    assert_int_equal(pst_randomuser_page_parse(&page, (pst_sv){text, n}, &raw, 500, &err),
                     PST_OK);
    at += strlen("{\"results\":[");
    for (size_t i = 0; i < page.n; i++) {
        pst_sv value = pst_randomuser_page_value(&page, i);
        assert_memory_equal(at, value.p, value.n);
        at += value.n + 1; /* and the comma */
    }
    pst_randomuser_page_done(&page);
    pst_free(text);
}

static void test_without_login(void **state)
{
    pst_randomuser_page page;
    pst_err err = PST_ERR_INIT;
    size_t n;
    char *text = read_file("inc-5.json", &n);
    (void)state;
    pst_randomuser_page_init(&page);
    assert_int_equal(
        pst_randomuser_page_parse(&page, (pst_sv){text, n}, &strict, 5, &err),
        PST_E_INVALID);
    assert_string_equal(err.text, "user 0 of the answer: its login.uuid is missing");
    assert_int_equal(page.n, 0);
    assert_int_equal(pst_randomuser_page_parse(&page, (pst_sv){text, n}, &raw, 5, &err),
                     PST_OK);
    assert_int_equal(page.n, 5);
    assert_null(pst_randomuser_page_key(&page, 4).p);
    pst_randomuser_page_done(&page);
    pst_free(text);
}

/* Returns the number of users, or -1 and the error. */
static int parse(const char *body, size_t max, pst_err *err)
{
    pst_randomuser_page page;
    *err = (pst_err)PST_ERR_INIT;
    pst_randomuser_page_init(&page);
    pst_rc rc = pst_randomuser_page_parse(&page, pst_sv_of(body), &raw, max, err);
    int n = rc == PST_OK ? (int)page.n : -1;
    if (rc != PST_OK) {
        assert_int_equal(page.n, 0);
        assert_int_equal(rc, err->code);
        assert_true(err->retriable);
    }
    pst_randomuser_page_done(&page);
    return n;
}

static void assert_users(const char *body, int users)
{
    pst_err err;
    assert_int_equal(parse(body, 10, &err), users);
}

static void assert_refused(const char *body, pst_rc rc, const char *text)
{
    pst_err err;
    assert_int_equal(parse(body, 10, &err), -1);
    assert_int_equal(err.code, rc);
    if (!strstr(err.text, text))
        fail_msg("%s: \"%s\" does not hold \"%s\"", body, err.text, text);
}

static void test_odd_but_right(void **state)
{
    pst_err err;
    (void)state;
    assert_users("{\"results\":[]}", 0);
    assert_users(" { \"results\" : [ {} , {\"a\":[{}]} ] , \"info\" : {} } \r\n", 2);
    assert_users("{\"info\":{\"seed\":1},\"x\":[\"]}\"],\"results\":[{\"s\":\"}]\"}]}",
                 1);
    assert_users("{\"error\":null,\"results\":[{}]}", 1);
    assert_users("{\"results\":[{}],\"info\":\"none\"}", 1);
    assert_int_equal(parse("{\"results\":[{},{},{}]}", 2, &err), 2);
}

static void test_api_errors(void **state)
{
    (void)state;
    assert_refused("{\"error\":\"Uh oh, something has gone wrong.\"}", PST_E_IO,
                   "the API answers with an error: Uh oh, something has gone wrong.");
    assert_refused("{\"results\":[{}],\"error\":\"no\"}", PST_E_IO, "error: no");
    assert_refused("{\"error\":{\"code\":5}}", PST_E_IO, "error: {\"code\":5}");
    assert_refused("{\"error\":\"a\\u0000\\nb\\u001b[31m\"}", PST_E_IO,
                   "error: a??b?[31m");
}

static void test_not_an_answer(void **state)
{
    (void)state;
    assert_refused("", PST_E_INVALID, "the answer is empty");
    assert_refused("<html>", PST_E_INVALID, "cut off or is not JSON");
    assert_refused("[]", PST_E_INVALID, "not JSON");
    assert_refused("{}", PST_E_INVALID, "no results");
    assert_refused("{} x", PST_E_INVALID, "not JSON");
    assert_refused("{\"info\":{}}", PST_E_INVALID, "no results");
    assert_refused("{\"results\":{}}", PST_E_INVALID, "no list");
    assert_refused("{\"results\":null}", PST_E_INVALID, "no list");
    assert_refused("{\"results\":[1]}", PST_E_INVALID, "user 0 of the answer: it is not");
    assert_refused("{\"results\":[{},{}}", PST_E_INVALID, "not JSON");
    assert_refused("{\"results\":[{} {}]}", PST_E_INVALID, "not JSON");
    assert_refused("{\"results\":[{},]}", PST_E_INVALID, "not JSON");
    assert_refused("{\"results\":[,{}]}", PST_E_INVALID, "not JSON");
    assert_refused("{\"results\":[{\"a\":}]}", PST_E_INVALID, "user 0");
    assert_refused("{\"results\":[{\"a\":1},{\"a\"}]}", PST_E_INVALID, "user 1");
    assert_refused("{\"results\":[{}]", PST_E_INVALID, "cut off");
    assert_refused("{\"results\" [{}]}", PST_E_INVALID, "not JSON");
    assert_refused("{results:[]}", PST_E_INVALID, "not JSON");
    assert_refused("{\"a\":1 \"results\":[]}", PST_E_INVALID, "not JSON");
    assert_refused("{\"results\":[{\"a\":\"\\", PST_E_INVALID, "cut off");
}

/* Whatever is missing at its end, an answer is refused as a whole. */
static void test_cut_off_anywhere(void **state)
{
    size_t n;
    char *text = read_file("ten.json", &n);
    (void)state;
    for (size_t cut = 0; cut < n; cut++) {
        pst_randomuser_page page;
        pst_err err = PST_ERR_INIT;
        char *exact = pst_strndup(text, cut); /* so that reading beyond is seen */
        pst_randomuser_page_init(&page);
        pst_rc rc =
            pst_randomuser_page_parse(&page, (pst_sv){exact, cut}, &raw, 10, &err);
        assert_int_equal(rc, PST_E_INVALID);
        assert_int_equal(page.n, 0);
        assert_true(err.retriable);
        pst_randomuser_page_done(&page);
        pst_free(exact);
    }
    pst_free(text);
}

static void test_seed(void **state)
{
    static const struct {
        const char *info, *seed;
    } cases[] = {{"{\"seed\":\"ab c\"}", "ab c"},
                 {"{\"seed\":12}", "12"},
                 {"{\"seed\":null}", ""},
                 {"{\"seed\":[]}", ""},
                 {"[]", ""},
                 {"{]", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[100];
        pst_randomuser_page page;
        pst_err err = PST_ERR_INIT;
        snprintf(body, sizeof body, "{\"results\":[],\"info\":%s}", cases[i].info);
        pst_randomuser_page_init(&page);
        assert_int_equal(pst_randomuser_page_parse(&page, pst_sv_of(body), &raw, 1, &err),
                         PST_OK);
        assert_string_equal(page.seed, cases[i].seed);
        pst_randomuser_page_done(&page);
    }
}

static void test_endless_seed_is_ignored(void **state)
{
    char body[1000];
    pst_randomuser_page page;
    pst_err err = PST_ERR_INIT;
    int n = snprintf(body, sizeof body, "{\"results\":[],\"info\":{\"seed\":\"");
    (void)state;
    memset(body + n, 's', 300);
    snprintf(body + n + 300, sizeof body - (size_t)n - 300, "\"}}");
    pst_randomuser_page_init(&page);
    assert_int_equal(pst_randomuser_page_parse(&page, pst_sv_of(body), &raw, 1, &err),
                     PST_OK);
    assert_string_equal(page.seed, "");
    pst_randomuser_page_done(&page);
}

static void test_error_text(void **state)
{
    char text[300], small[4];
    (void)state;
    assert_false(pst_randomuser_error_text(PST_SV("<html>"), text, sizeof text));
    assert_false(pst_randomuser_error_text((pst_sv){NULL, 0}, text, sizeof text));
    assert_false(
        pst_randomuser_error_text(PST_SV("{\"results\":[]}"), text, sizeof text));
    assert_true(pst_randomuser_error_text(PST_SV("{\"error\":\"é€x\"}"), small, 4));
    assert_string_equal(small, "é"); /* never half a character */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_answers),
        cmocka_unit_test(test_raw_values_are_the_apis_bytes),
        cmocka_unit_test(test_without_login),
        cmocka_unit_test(test_odd_but_right),
        cmocka_unit_test(test_api_errors),
        cmocka_unit_test(test_not_an_answer),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_endless_seed_is_ignored),
        cmocka_unit_test(test_error_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

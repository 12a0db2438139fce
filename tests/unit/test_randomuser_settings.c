/*
 * test_randomuser_settings.c - the settings table: defaults, what follows, what is
 * refused.
 */
#include "base/mem.h"
#include "connectors/randomuser/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

typedef struct fixture {
    pst_props props;
    pst_conf_report report;
    pst_randomuser_conf conf;
} fixture;

static void set(fixture *f, const char *key, const char *value)
{
    assert_int_equal(pst_props_set(&f->props, key, value, "(test)", &f->report), PST_OK);
}

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    assert_non_null(f);
    pst_props_init(&f->props);
    pst_conf_report_init(&f->report);
    set(f, "name", "users");
    set(f, "connector.class", "RandomUserSource");
    set(f, "kafka.topic", "users");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_conf_done(&pst_randomuser_spec, &f->conf);
    pst_conf_report_done(&f->report);
    pst_props_done(&f->props);
    pst_free(f);
    return 0;
}

static void apply(fixture *f)
{
    if (pst_conf_apply(&pst_randomuser_spec, &f->props, &f->conf, &f->report) != PST_OK)
        fail_msg("%s", f->report.n ? f->report.items[0].text : "?");
}

static void assert_message(fixture *f, bool warning, const char *text)
{
    for (size_t i = 0; i < f->report.n; i++)
        if (f->report.items[i].warning == warning &&
            strstr(f->report.items[i].text, text))
            return;
    fail_msg("no message holds \"%s\"; the first: %s", text,
             f->report.n ? f->report.items[0].text : "none");
}

static void assert_wrong(fixture *f, const char *key, const char *value, const char *text)
{
    pst_conf_report_done(&f->report);
    pst_conf_report_init(&f->report);
    pst_conf_done(&pst_randomuser_spec, &f->conf);
    memset(&f->conf, 0, sizeof f->conf);
    set(f, key, value);
    assert_int_not_equal(
        pst_conf_apply(&pst_randomuser_spec, &f->props, &f->conf, &f->report), PST_OK);
    assert_message(f, false, text);
}

static void test_defaults(void **state)
{
    fixture *f = *state;
    apply(f);
    assert_int_equal(f->report.n, 0);
    assert_string_equal(f->conf.common.name, "users");
    assert_string_equal(f->conf.own.topic, "users");
    assert_string_equal(f->conf.own.url, "https://randomuser.me/api/");
    assert_null(f->conf.own.seed);
    assert_int_equal(f->conf.own.max_users, 0);
    assert_true(f->conf.own.users_per_second == 1);
    assert_int_equal(f->conf.own.output, PST_RANDOMUSER_RAW);
    assert_int_equal(f->conf.own.gender, PST_RANDOMUSER_ANY);
    assert_int_equal(f->conf.own.http_timeout_ms, 30000);
    assert_int_equal(f->conf.own.retry_backoff_ms, 1000);
    assert_int_equal(f->conf.own.max_retries, 10);
    assert_int_equal(pst_randomuser_results(&f->conf.own), 500);
    assert_true(pst_randomuser_has_login(&f->conf.own));
    assert_false(pst_randomuser_is_file(&f->conf.own));
}

static void test_results_follow_max_users(void **state)
{
    pst_randomuser_settings s = {0};
    (void)state;
    assert_int_equal(pst_randomuser_results(&s), 500);
    s.max_users = 10;
    assert_int_equal(pst_randomuser_results(&s), 10);
    s.max_users = 100000;
    assert_int_equal(pst_randomuser_results(&s), 500);
    s.results = 5000;
    assert_int_equal(pst_randomuser_results(&s), 5000);
}

static void test_all_set(void **state)
{
    fixture *f = *state;
    set(f, "randomuser.url", "file:///data/page.json");
    set(f, "randomuser.results", "5000");
    set(f, "randomuser.seed", "a seed");
    set(f, "randomuser.nat", "us, gb");
    set(f, "randomuser.gender", "Female");
    set(f, "randomuser.inc", "login,name");
    set(f, "randomuser.exc", "cell");
    set(f, "max.users", "100000000000");
    set(f, "users.per.second", "0.5");
    set(f, "output", "flat");
    set(f, "producer.override.linger.ms", "20");
    apply(f);
    assert_int_equal(f->report.n, 0);
    assert_true(pst_randomuser_is_file(&f->conf.own));
    assert_int_equal(f->conf.own.results, 5000);
    assert_int_equal(f->conf.own.nat.n, 2);
    assert_int_equal(f->conf.own.gender, PST_RANDOMUSER_FEMALE);
    assert_int_equal(f->conf.own.max_users, 100000000000);
    assert_true(f->conf.own.users_per_second == 0.5);
    assert_int_equal(f->conf.own.output, PST_RANDOMUSER_FLAT);
}

static void test_wrong_values(void **state)
{
    static const struct {
        const char *key, *value, *text, *good;
    } cases[] = {
        {"kafka.topic", "a b", "only letters, digits", "users"},
        {"kafka.topic", "..", "neither . nor ..", "users"},
        {"randomuser.url", "ftp://x/", "must begin with https://", "http://x/"},
        {"randomuser.url", "file://relative", "file:///", "http://x/"},
        {"randomuser.url", "http://", "has no host", "http://x/"},
        {"randomuser.url", "http://x/a b", "no blanks", "http://x/"},
        {"randomuser.url", "http://me:pw@x/", "no user name or password", "http://x/"},
        {"randomuser.results", "0", "", "1"},
        {"randomuser.results", "5001", "", "1"},
        {"randomuser.gender", "x", "", "male"},
        {"randomuser.inc", "login,nmae", "nmae is no field of the API", "login"},
        {"max.users", "-1", "", "0"},
        {"users.per.second", "-1", "", "0"},
        {"users.per.second", "nan", "", "0"},
        {"output", "csv", "", "raw"},
        {"max.retries", "-1", "", "0"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_wrong(f, cases[i].key, cases[i].value, cases[i].text);
        set(f, cases[i].key, cases[i].good);
    }
}

static void test_long_seed(void **state)
{
    char seed[300];
    memset(seed, 's', sizeof seed - 1);
    seed[sizeof seed - 1] = '\0';
    assert_wrong(*state, "randomuser.seed", seed, "more than 255 bytes");
}

static void test_topic_is_required(void **state)
{
    fixture *f = *state;
    pst_props_done(&f->props);
    pst_props_init(&f->props);
    set(f, "name", "users");
    assert_wrong(f, "connector.class", "RandomUserSource", "");
    bool found = false;
    for (size_t i = 0; i < f->report.n; i++)
        found |= f->report.items[i].key && !strcmp(f->report.items[i].key, "kafka.topic");
    assert_true(found);
}

static void test_foreign_keys(void **state)
{
    static const struct {
        const char *key, *value, *text;
    } cases[] = {
        {"linger.ms", "5", "producer.override.linger.ms"},
        {"producer.linger.ms", "5", "producer.override.linger.ms"},
        {"consumer.override.fetch.min.bytes", "5", "a source has no consumer"},
        {"producer.override.acks", "1", "acks is fixed"},
        {"value.converter", "org.apache.kafka.connect.json.JsonConverter",
         "no converters"},
        {"randomuser.sed", "x", "did you mean \"randomuser.seed\"?"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_wrong(f, cases[i].key, cases[i].value, cases[i].text);
}

static void test_warnings(void **state)
{
    fixture *f = *state;
    set(f, "randomuser.nat", "US,UK");
    set(f, "randomuser.exc", "login");
    apply(f);
    assert_message(f, true, "UK is no nationality");
    assert_message(f, true, "records have no key");
    assert_int_equal(f->report.errors, 0);
    assert_false(pst_randomuser_has_login(&f->conf.own));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_defaults),     cmocka_unit_test(test_results_follow_max_users),
        CASE(test_all_set),      CASE(test_wrong_values),
        CASE(test_long_seed),    CASE(test_topic_is_required),
        CASE(test_foreign_keys), CASE(test_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

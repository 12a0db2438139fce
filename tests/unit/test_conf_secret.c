/*
 * test_conf_secret.c - which names are secrets, and how values are shown and masked.
 */
#include "test_conf_common.h"

static void knows_secrets_by_name(void **state)
{
    (void)state;
    static const char *const secret[] = {
        "sasl.password",
        "consumer.override.sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "producer.ssl.key.pem",
        "listeners.https.ssl.keystore.key",
        "sasl.jaas.config",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.client.secret",
        "aws.session.token",
        "aws.secret.access.key",
        "AWS_SECRET_ACCESS_KEY",
        "rest.auth.token",
        "schema.registry.basic.auth.user.info",
        "My.PassPhrase",
        "gcp.credentials.json",
    };
    static const char *const open[] = {
        "ssl.key.location",  "ssl.ca.location",   "s3.sse.kms.key.id", "topics",
        "message.key.field", "aws.access.key.id", "sasl.mechanism",    "sasl.username",
        "security.protocol", "keyssl.x",          "basics.key",
    };
    for (size_t i = 0; i < COUNT(secret); i++)
        if (!pst_conf_secret_name(secret[i]))
            fail_msg("%s should be secret", secret[i]);
    for (size_t i = 0; i < COUNT(open); i++)
        if (pst_conf_secret_name(open[i]))
            fail_msg("%s should be shown", open[i]);
}

static void knows_secrets_by_row_and_source(void **state)
{
    (void)state;
    pst_prop prop = {.key = (char *)"aws.secret.access.key"};
    assert_true(pst_conf_is_secret(&sample_spec, &prop));
    prop.key = (char *)"topics";
    assert_false(pst_conf_is_secret(&sample_spec, &prop));
    prop.secret_source = true;
    assert_true(pst_conf_is_secret(&sample_spec, &prop));
    prop = (pst_prop){.key = (char *)"consumer.sasl.password"};
    assert_true(pst_conf_is_secret(&sample_spec, &prop));
}

static void shows_values(void **state)
{
    (void)state;
    static const struct {
        const char *value, *shown;
    } cases[] = {
        {"", "\"\""},
        {"abc", "\"abc\""},
        {"http://u:p@h:9000/x", "\"http://****@h:9000/x\""},
        {"http://u:p/w@x@h", "\"http://****@h\""},
        {"http://@h", "\"http://****@h\""},
        {"http://h/a", "\"http://h/a\""},
        {"http://h a@b", "\"http://h a@b\""},
        {"http://h https://u:p@g", "\"http://h https://****@g\""},
        {"http://u:p@h, http://v:q@g", "\"http://****@h, http://****@g\""},
        {"mail@host", "\"mail@host\""},
    };
    char buf[PST_CONF_SHOWN];
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(pst_conf_shown(buf, cases[i].value, false), cases[i].shown);
        assert_string_equal(pst_conf_shown(buf, cases[i].value, true), "****");
    }
}

static void cuts_long_values_between_characters(void **state)
{
    (void)state;
    char buf[PST_CONF_SHOWN], value[400], expected[512];
    memset(value, 'x', 96);
    value[96] = '\0';
    snprintf(expected, sizeof expected, "\"%s\"", value);
    assert_string_equal(pst_conf_shown(buf, value, false), expected);
    value[0] = '\0';
    for (size_t i = 0; i < 60; i++)
        snprintf(value + 1 + 3 * i, 4, "€");
    value[0] = 'x';
    pst_conf_shown(buf, value, false);
    size_t n = strlen(buf);
    assert_true(pst_utf8_valid((pst_sv){buf, n}));
    assert_string_equal(buf + n - 7, "€…\"");
    assert_true(n > 90);
}

static void masks_before_it_cuts(void **state)
{
    (void)state;
    char buf[PST_CONF_SHOWN], value[400];
    for (size_t user = 1; user < 300; user++) {
        snprintf(value, sizeof value, "http://");
        memset(value + 7, 'u', user);
        snprintf(value + 7 + user, sizeof value - 7 - user, ":hunter2@host");
        assert_string_equal(pst_conf_shown(buf, value, false), "\"http://****@host\"");
    }
}

static void masks_copies(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool secret;
        const char *masked;
    } cases[] = {
        {"x", true, "****"},
        {"", true, ""},
        {"x", false, "x"},
        {"", false, ""},
        {"a://@", false, "a://****@"},
        {"a://@b://@c://@", false, "a://****@"},
        {"://@ ://@ ://@", false, "://****@ ://****@ ://****@"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *copy = pst_conf_masked(cases[i].value, cases[i].secret);
        assert_non_null(copy);
        assert_string_equal(copy, cases[i].masked);
        pst_free(copy);
    }
}

static void sees_leaks(void **state)
{
    (void)state;
    assert_true(pst_conf_leaks("\"hunter2hunter\" is bad", "hunter2hunter"));
    assert_true(pst_conf_leaks("bad: hunter", "xxhunter2"));
    assert_true(pst_conf_leaks("pin 123", "123"));
    assert_false(pst_conf_leaks("the value is bad", "hunter2"));
    assert_false(pst_conf_leaks("the value is bad", ""));
}

static pst_rc happy(void)
{
    char *copy = pst_conf_masked("http://u:p@h", false);
    pst_rc rc = copy ? PST_OK : PST_E_NOMEM;
    pst_free(copy);
    return rc;
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    fail_each_allocation(happy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_secrets_by_name),
        cmocka_unit_test(knows_secrets_by_row_and_source),
        cmocka_unit_test(shows_values),
        cmocka_unit_test(cuts_long_values_between_characters),
        cmocka_unit_test(masks_before_it_cuts),
        cmocka_unit_test(masks_copies),
        cmocka_unit_test(sees_leaks),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

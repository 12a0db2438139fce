/*
 * test_conf_resolve.c - ${env:…} and ${file:…}: what resolves, what is refused, and that
 * no message holds what came through one.
 */
#include "test_conf_common.h"

static char secrets[64]; /* a file: key=s3cr3t, spaced = a b, two=first, two=second … */

static int make_secrets(void **state)
{
    (void)state;
    static const char text[] = "# secrets\nkey=s3cr3t-value\nspaced = a b \nempty=\n"
                               "two=first\ntwo=second\nwith\\:colon=x\n"
                               "nested=${env:PST_TEST_PLAIN}\n";
    write_temporary(secrets, text, sizeof text - 1);
    setenv("PST_TEST_PLAIN", "plain-value", 1);
    setenv("PST_TEST_EMPTY", "", 1);
    setenv("PST_TEST_LATIN", "pass\xE9word", 1);
    setenv("PST_TEST_DOLLAR", "${env:PST_TEST_PLAIN}", 1);
    unsetenv("PST_TEST_UNSET");
    return 0;
}

static int drop_secrets(void **state)
{
    (void)state;
    return unlink(secrets);
}

/* @ in a value stands for the file's path. */
static void with_path(char out[512], const char *value)
{
    size_t n = 0;
    for (; *value; value++)
        n += (size_t)snprintf(out + n, 512 - n, *value == '@' ? "%s" : "%.1s",
                              *value == '@' ? secrets : value);
    out[n] = '\0';
}

static void resolves(void **state)
{
    (void)state;
    static const struct {
        const char *value, *expected;
    } cases[] = {
        {"${env:PST_TEST_PLAIN}", "plain-value"},
        {"a${env:PST_TEST_PLAIN}b", "aplain-valueb"},
        {"${env:PST_TEST_EMPTY}", ""},
        {"$${env:PST_TEST_PLAIN}}", "$plain-value}"},
        {"${env:PST_TEST_PLAIN}${env:PST_TEST_PLAIN}", "plain-valueplain-value"},
        {"${file:@:key}", "s3cr3t-value"},
        {"u:${file:@:key}@${env:PST_TEST_PLAIN}", NULL},
        {"${file:@:spaced}", "a b "},
        {"${file:@:empty}", ""},
        {"${file:@:two}", "second"},
        {"${file:@:with:colon}", "x"},
        {"${file:@:nested}", "${env:PST_TEST_PLAIN}"},
        {"${env:PST_TEST_DOLLAR}", "${env:PST_TEST_PLAIN}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char value[512];
        sample s;
        sample_init(&s);
        with_path(value, cases[i].value);
        assert_int_equal(pst_props_set(&s.props, "k", value, "t", &s.report), PST_OK);
        if (cases[i].expected)
            assert_string_equal(pst_props_get(&s.props, "k"), cases[i].expected);
        assert_true(pst_props_find(&s.props, "k")->secret_source);
        assert_false(pst_props_find(&s.props, "k")->broken);
        sample_done(&s);
    }
}

static void leaves_other_dollars(void **state)
{
    (void)state;
    static const char *const values[] = {"^users$", "$x", "{env:A}", "$ {env:A}", "a$"};
    for (size_t i = 0; i < COUNT(values); i++) {
        sample s;
        sample_init(&s);
        assert_int_equal(pst_props_set(&s.props, "k", values[i], "t", &s.report), PST_OK);
        assert_string_equal(pst_props_get(&s.props, "k"), values[i]);
        assert_false(pst_props_find(&s.props, "k")->secret_source);
        sample_done(&s);
    }
}

static void names_are_not_resolved(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "${env\\:PST_TEST_PLAIN}=x"), PST_OK);
    assert_non_null(pst_props_get(&s.props, "${env:PST_TEST_PLAIN}"));
    sample_done(&s);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text;
    } cases[] = {
        {"${env:PST_TEST_UNSET}", "t: k: ${env:PST_TEST_UNSET}: the environment variable "
                                  "is not set; set it\n"},
        {"${env:PST_TEST_LATIN}",
         "t: k: ${env:PST_TEST_LATIN}: the environment variable is not UTF-8\n"},
        {"${env:}", "t: k: ${env:}: the environment variable is not set; set it\n"},
        {"${PST_TEST_PLAIN}", "t: k: ${PST_TEST_PLAIN} names no provider; write "
                              "${env:PST_TEST_PLAIN} or ${file:path:key}\n"},
        {"${}", "t: k: ${} names no provider; write ${env:} or ${file:path:key}\n"},
        {"x${env:PST_TEST_PLAIN",
         "t: k: a ${ without its }; write ${env:NAME} or ${file:path:key}\n"},
        {"${vault:secret/data:k}", "t: k: unknown provider \"vault\" in "
                                   "${vault:secret/data:k}; there are env and file\n"},
        {"${ENV:A}",
         "t: k: unknown provider \"ENV\" in ${ENV:A}; there are env and file\n"},
        {"${file:/none/x:key}",
         "t: k: ${file:/none/x:key}: cannot be opened: No such file "
         "or directory; check the path\n"},
        {"${file:/tmp:key}", "t: k: ${file:/tmp:key}: cannot be read: Is a directory\n"},
        {"${file:/tmp/x}", "t: k: ${file:/tmp/x} lacks a key; write "
                           "${file:/path/to/file:key}\n"},
        {"${file::key}",
         "t: k: ${file::key} lacks a path; write ${file:/path/to/file:key}\n"},
        {"${file:@:other}", ": has no key \"other\"; add it, or name another\n"},
        {"${file:/run/${env:PST_TEST_PLAIN}:key}",
         "t: k: a reference inside a reference, ${file:/run/${env:PST_TEST_PLAIN}:key}; "
         "write them side by side\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char value[512];
        sample s;
        sample_init(&s);
        with_path(value, cases[i].value);
        assert_int_equal(pst_props_set(&s.props, "k", value, "t", &s.report),
                         PST_E_CONFIG);
        assert_contains(sample_report(&s), cases[i].text);
        assert_int_equal(s.report.errors, 1);
        assert_true(pst_props_find(&s.props, "k")->broken);
        assert_lacks(sample_report(&s), "plain-value");
        assert_lacks(sample_report(&s), "s3cr3t");
        sample_done(&s);
    }
}

static void tells_every_reference_of_a_value(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "\nk = ${env:PST_TEST_UNSET} ${nope} ${a:b}\n"),
                     PST_E_CONFIG);
    assert_int_equal(s.report.errors, 3);
    assert_contains(sample_report(&s), "t.properties:2: k: ${nope} names no provider");
    sample_done(&s);
}

static void tells_the_line_of_a_bad_secrets_file(void **state)
{
    (void)state;
    char path[64], value[128];
    write_temporary(path, "key=s3cr3t\\u12\n", 15);
    snprintf(value, sizeof value, "${file:%s:key}", path);
    sample s;
    sample_init(&s);
    assert_int_equal(pst_props_set(&s.props, "k", value, "t", &s.report), PST_E_CONFIG);
    assert_contains(sample_report(&s), "line 1 has \\u needs four hex digits");
    assert_lacks(sample_report(&s), "s3cr3t");
    sample_done(&s);
    unlink(path);
}

static void has_ceilings(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    char *value = malloc(8192);
    assert_non_null(value);
    snprintf(value, 8192, "${env:%08000d}", 0);
    assert_int_equal(pst_props_set(&s.props, "k", value, "t", &s.report), PST_E_CONFIG);
    assert_contains(sample_report(&s), "t: k: a reference longer than 4096 bytes\n");
    free(value);
    sample_done(&s);
}

/* Doubling by references ends at the ceiling. */
static void a_resolved_value_has_a_ceiling(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    char *big = malloc(65537);
    assert_non_null(big);
    memset(big, 'x', 65536);
    big[65536] = '\0';
    setenv("PST_TEST_BIG", big, 1);
    pst_buf value;
    pst_buf_init(&value, 65536);
    for (int i = 0; i < 17; i++)
        assert_int_equal(pst_buf_adds(&value, "${env:PST_TEST_BIG}"), PST_OK);
    assert_int_equal(pst_props_set(&s.props, "k", pst_buf_cstr(&value), "t", &s.report),
                     PST_E_CONFIG);
    assert_string_equal(sample_report(&s),
                        "t: k: longer than 1 MiB when resolved; shorten it\n");
    unsetenv("PST_TEST_BIG");
    pst_buf_done(&value);
    free(big);
    sample_done(&s);
}

static pst_rc happy(void)
{
    char value[512];
    sample s;
    sample_init(&s);
    with_path(value, "a${env:PST_TEST_PLAIN}b${file:@:key}c");
    pst_rc rc = pst_props_set(&s.props, "k", value, "t", &s.report);
    assert_int_equal(s.report.nomem, rc == PST_E_NOMEM);
    assert_int_equal(s.report.errors, 0);
    sample_done(&s);
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
        cmocka_unit_test(resolves),
        cmocka_unit_test(leaves_other_dollars),
        cmocka_unit_test(names_are_not_resolved),
        cmocka_unit_test(refuses),
        cmocka_unit_test(tells_every_reference_of_a_value),
        cmocka_unit_test(tells_the_line_of_a_bad_secrets_file),
        cmocka_unit_test(has_ceilings),
        cmocka_unit_test(a_resolved_value_has_a_ceiling),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, make_secrets, drop_secrets);
}

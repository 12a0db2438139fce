/*
 * test_conf_value.c - one value by its type: tables of what is taken and what is refused.
 */
#include "test_conf_common.h"

static const pst_setting number_row = {.name = "n", .type = PST_CONF_INT};

static pst_setting row_of(pst_conf_type type, int64_t min, int64_t max)
{
    return (pst_setting){.name = "n",
                         .type = type,
                         .min = min,
                         .max = max,
                         .choices = type == PST_CONF_ENUM ? sample_dialects : NULL};
}

/* partitioner.class may be written as Kafka Connect's users do, with its Java package. */
static void takes_a_choice_behind_its_prefix(void **state)
{
    static const struct {
        const char *text;
        int64_t n; /* -1 = refused */
    } cases[] = {{"rfc4180", 1}, {"io.x.rfc4180", 1}, {"io.x.", -1},
                 {"io.x", -1},   {"io.y.spark", -1},  {"io.x.io.x.spark", -1}};
    pst_setting row = row_of(PST_CONF_ENUM, 0, 0);
    (void)state;
    row.prefix = "io.x.";
    for (size_t i = 0; i < COUNT(cases); i++) {
        pst_conf_value value = {.n = -1};
        pst_rc rc = pst_conf_value_parse(&row, cases[i].text, false, &value, NULL);
        assert_int_equal(rc, cases[i].n < 0 ? PST_E_CONFIG : PST_OK);
        assert_int_equal(value.n, cases[i].n);
    }
}

static void takes_numbers(void **state)
{
    (void)state;
    static const struct {
        pst_conf_type type;
        const char *text;
        int64_t n;
    } cases[] = {
        {PST_CONF_BOOL, "true", 1},
        {PST_CONF_BOOL, "FALSE", 0},
        {PST_CONF_INT, "0", 0},
        {PST_CONF_INT, "-2147483648", INT_MIN},
        {PST_CONF_INT, "+2147483647", INT_MAX},
        {PST_CONF_LONG, "9223372036854775807", INT64_MAX},
        {PST_CONF_LONG, "-9223372036854775808", INT64_MIN},
        {PST_CONF_ENUM, "spark", 0},
        {PST_CONF_ENUM, "RFC4180", 1},
        {PST_CONF_SIZE, "67108864", 67108864},
        {PST_CONF_SIZE, "64m", 67108864},
        {PST_CONF_SIZE, "64MiB", 67108864},
        {PST_CONF_SIZE, "64 mb", 67108864},
        {PST_CONF_SIZE, "512k", 524288},
        {PST_CONF_SIZE, "512KB", 524288},
        {PST_CONF_SIZE, "1g", 1073741824},
        {PST_CONF_SIZE, "1GiB", 1073741824},
        {PST_CONF_SIZE, "2t", INT64_C(2199023255552)},
        {PST_CONF_SIZE, "10b", 10},
        {PST_CONF_SIZE, "-1", -1},
        {PST_CONF_MS, "10000", 10000},
        {PST_CONF_MS, "250ms", 250},
        {PST_CONF_MS, "10s", 10000},
        {PST_CONF_MS, "10 S", 10000},
        {PST_CONF_MS, "5m", 300000},
        {PST_CONF_MS, "5min", 300000},
        {PST_CONF_MS, "1h", 3600000},
        {PST_CONF_MS, "2d", 172800000},
        {PST_CONF_MS, "-1", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        pst_setting row = row_of(cases[i].type, 0, 0);
        pst_conf_value value = {0};
        pst_err err = PST_ERR_INIT;
        pst_rc rc = pst_conf_value_parse(&row, cases[i].text, false, &value, &err);
        if (rc != PST_OK || value.n != cases[i].n)
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

#define SIZE_HINT "; set bytes, or a number with k, m or g (64m)"
#define MS_HINT "; set milliseconds, or a number with ms, s, m, h or d (10s)"

static void refuses_numbers(void **state)
{
    (void)state;
    static const struct {
        pst_conf_type type;
        int64_t min, max;
        const char *text, *error;
    } cases[] = {
        {PST_CONF_BOOL, 0, 0, "yes", "\"yes\" is not a boolean; set true or false"},
        {PST_CONF_BOOL, 0, 0, "", "\"\" is not a boolean; set true or false"},
        {PST_CONF_INT, 0, 0, "", "\"\" is not a whole number; set a whole number"},
        {PST_CONF_INT, 0, 0, "1.5", "\"1.5\" is not a whole number; set a whole number"},
        {PST_CONF_INT, 0, 0, "0x10",
         "\"0x10\" is not a whole number; set a whole number"},
        {PST_CONF_INT, 1, 5000, "12 3",
         "\"12 3\" is not a whole number; set a whole number, 1 to 5000"},
        {PST_CONF_INT, 1, 5000, "0",
         "\"0\" is out of range; set a whole number, 1 to 5000"},
        {PST_CONF_INT, 1, INT_MAX, "5001000000",
         "\"5001000000\" is out of range; set a whole number, 1 or more"},
        {PST_CONF_INT, 0, 0, "2147483648",
         "\"2147483648\" is out of range; set a whole number"},
        {PST_CONF_LONG, 0, 0, "9223372036854775808",
         "\"9223372036854775808\" is not a whole number; set a whole number"},
        {PST_CONF_LONG, INT64_MIN, -1, "0",
         "\"0\" is out of range; set a whole number, -1 or less"},
        {PST_CONF_ENUM, 0, 0, "sparc",
         "\"sparc\" is not a choice; set one of spark, rfc4180"},
        {PST_CONF_SIZE, 0, 0, "64x", "\"64x\" is not a size" SIZE_HINT},
        {PST_CONF_SIZE, 0, 0, "m", "\"m\" is not a size" SIZE_HINT},
        {PST_CONF_SIZE, 0, 0, "1.5g", "\"1.5g\" is not a size" SIZE_HINT},
        {PST_CONF_SIZE, 0, 0, "9000000000t", "\"9000000000t\" is not a size" SIZE_HINT},
        {PST_CONF_SIZE, 5242880, INT64_C(3) << 40, "1k",
         "\"1k\" is out of range" SIZE_HINT ", 5m to 3t"},
        {PST_CONF_SIZE, 1, 1000, "1k", "\"1k\" is out of range" SIZE_HINT ", 1 to 1000"},
        {PST_CONF_MS, 0, 0, "10 weeks", "\"10 weeks\" is not a time" MS_HINT},
        {PST_CONF_MS, 0, 0, "s", "\"s\" is not a time" MS_HINT},
        {PST_CONF_MS, 1, 60000, "1h",
         "\"1h\" is out of range" MS_HINT ", 1 ms to 60000 ms"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        pst_setting row = row_of(cases[i].type, cases[i].min, cases[i].max);
        pst_conf_value value = {0};
        pst_err err = PST_ERR_INIT;
        assert_int_equal(pst_conf_value_parse(&row, cases[i].text, false, &value, &err),
                         PST_E_CONFIG);
        assert_string_equal(err.text, cases[i].error);
    }
}

static void takes_and_refuses_fractions(void **state)
{
    (void)state;
    pst_setting row = row_of(PST_CONF_DOUBLE, 0, 1000);
    pst_conf_value value = {0};
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_conf_value_parse(&row, "0.25", false, &value, &err), PST_OK);
    assert_true(value.d > 0.249 && value.d < 0.251);
    assert_int_equal(pst_conf_value_parse(&row, "1e3", false, &value, &err), PST_OK);
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "\"\" is not a number; set a number, 0 to 1000"},
        {"nan", "\"nan\" is not a number; set a number, 0 to 1000"},
        {"inf", "\"inf\" is not a number; set a number, 0 to 1000"},
        {"1,5", "\"1,5\" is not a number; set a number, 0 to 1000"},
        {"-0.1", "\"-0.1\" is out of range; set a number, 0 to 1000"},
        {"1000.1", "\"1000.1\" is out of range; set a number, 0 to 1000"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        pst_err_clear(&err);
        assert_int_equal(pst_conf_value_parse(&row, cases[i].text, false, &value, &err),
                         PST_E_CONFIG);
        assert_string_equal(err.text, cases[i].error);
    }
}

static void splits_lists(void **state)
{
    (void)state;
    pst_setting row = row_of(PST_CONF_LIST, 0, 0);
    pst_conf_value value = {0};
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_conf_value_parse(&row, " a ,, b c,\t", false, &value, &err),
                     PST_OK);
    assert_int_equal(value.list.n, 2);
    assert_string_equal(value.list.items[0], "a");
    assert_string_equal(value.list.items[1], "b c");
    pst_conf_value_done(&value);
    assert_int_equal(pst_conf_value_parse(&row, "", false, &value, &err), PST_OK);
    assert_int_equal(value.list.n, 0);
    pst_conf_value_done(&value);
    char many[PST_CONF_LIST_MAX + 2];
    memset(many, ',', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    assert_int_equal(pst_conf_value_parse(&row, many, false, &value, &err), PST_E_CONFIG);
    assert_string_equal(err.text, "a list of more than 1000 items; shorten it");
}

static void compiles_patterns(void **state)
{
    (void)state;
    pst_setting row = row_of(PST_CONF_REGEX, 0, 0);
    static const char *const good[] = {"^users.*$", "",          "a{2,3}", "[[:digit:]]+",
                                       "\\\\d",     "(a|b)\\.c", "a{0}"};
    static const struct {
        const char *text, *error;
    } bad[] = {
        {"a(b", "\"a(b\" is not a POSIX extended regular expression ("},
        {"[z-a]", "\"[z-a]\" is not a POSIX extended regular expression ("},
        {"(?i)a", "\"(?i)a\" is not a POSIX extended regular expression ("},
        {"u\\d+",
         "\"u\\d+\" uses a class that POSIX regular expressions don't have; write "
         "[0-9]"},
        {"\\D", "write [^0-9]"},
        {"((a{1,255}){1,255}){1,255}",
         "is too large for a regular expression; simplify it"},
        {"a{99999999999999999999}", "is too large for a regular expression"},
    };
    pst_conf_value value = {0};
    pst_err err = PST_ERR_INIT;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (pst_conf_value_parse(&row, good[i], false, &value, &err) != PST_OK)
            fail_msg("%s: %s", good[i], err.text);
        assert_string_equal(value.s, good[i]);
        pst_conf_value_done(&value);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        pst_err_clear(&err);
        assert_int_equal(pst_conf_value_parse(&row, bad[i].text, false, &value, &err),
                         PST_E_CONFIG);
        assert_contains(err.text, bad[i].error);
        assert_null(value.s);
    }
}

static void a_pattern_has_a_ceiling(void **state)
{
    (void)state;
    char text[PST_CONF_REGEX_MAX + 2];
    memset(text, '(', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    pst_setting row = row_of(PST_CONF_REGEX, 0, 0);
    pst_conf_value value = {0};
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_conf_value_parse(&row, text, false, &value, &err), PST_E_CONFIG);
    assert_contains(err.text, "is too large for a regular expression");
}

static pst_rc quoting_check(const char *value, pst_err *err)
{
    return pst_fail(err, PST_E_CONFIG, "\"%s\" is not to my taste; set another", value);
}

static pst_rc quiet_check(const char *value, pst_err *err)
{
    (void)value;
    return pst_fail(err, PST_E_CONFIG, "not 40 characters; copy it again");
}

static pst_rc wordless_check(const char *value, pst_err *err)
{
    (void)value;
    (void)err;
    return PST_E_INVALID;
}

static void asks_the_rows_own_check(void **state)
{
    (void)state;
    static const struct {
        pst_conf_check check;
        bool secret;
        const char *error;
    } cases[] = {
        {quoting_check, false, "\"hunter2\" is not to my taste; set another"},
        {quoting_check, true, "the value **** is not valid; see its description"},
        {quiet_check, true, "not 40 characters; copy it again"},
        {wordless_check, false, "the value is not valid; see its description"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        pst_setting row = row_of(PST_CONF_STRING, 0, 0);
        row.check = cases[i].check;
        pst_conf_value value = {0};
        pst_err err = PST_ERR_INIT;
        assert_int_equal(
            pst_conf_value_parse(&row, "hunter2", cases[i].secret, &value, &err),
            PST_E_CONFIG);
        assert_string_equal(err.text, cases[i].error);
    }
}

/* No type's message shows a secret. */
static void masks_secrets(void **state)
{
    (void)state;
    for (int type = PST_CONF_BOOL; type <= PST_CONF_REGEX; type++) {
        pst_setting row = row_of((pst_conf_type)type, 0, 0);
        pst_conf_value value = {0};
        pst_err err = PST_ERR_INIT;
        if (type == PST_CONF_LIST)
            continue;
        assert_int_equal(pst_conf_value_parse(&row, "hunter2(", true, &value, &err),
                         PST_E_CONFIG);
        assert_lacks(err.text, "hunter2");
        assert_contains(err.text, "****");
    }
}

static void trims_unless_raw(void **state)
{
    (void)state;
    pst_setting row = row_of(PST_CONF_STRING, 0, 0);
    char *text = pst_conf_value_trimmed(&row, " \t a b\n");
    assert_string_equal(text, "a b");
    pst_free(text);
    row.flags = PST_CONF_RAW;
    text = pst_conf_value_trimmed(&row, " ");
    assert_string_equal(text, " ");
    pst_free(text);
}

static void stores_by_type(void **state)
{
    (void)state;
    bool yes = false;
    int number = 0;
    int64_t longer = 0;
    double fraction = 0;
    pst_setting row = number_row;
    pst_conf_value value = {.n = 7};
    pst_conf_value_store(&row, &value, &number);
    assert_int_equal(number, 7);
    row.type = PST_CONF_SIZE;
    value.n = INT64_MAX;
    pst_conf_value_store(&row, &value, &longer);
    assert_true(longer == INT64_MAX);
    row.type = PST_CONF_BOOL;
    value.n = 1;
    pst_conf_value_store(&row, &value, &yes);
    assert_true(yes);
    row.type = PST_CONF_DOUBLE;
    value.d = 0.5;
    pst_conf_value_store(&row, &value, &fraction);
    assert_true(fraction > 0.4 && fraction < 0.6);
    assert_true(value.d < 0.1);
}

static pst_rc happy(void)
{
    pst_conf_value value = {0};
    pst_err err = PST_ERR_INIT;
    pst_setting list = row_of(PST_CONF_LIST, 0, 0), regex = row_of(PST_CONF_REGEX, 0, 0);
    pst_rc rc = pst_conf_value_parse(&list, "a, b, c", false, &value, &err);
    pst_conf_value_done(&value);
    if (rc == PST_OK)
        rc = pst_conf_value_parse(&regex, "^a$", false, &value, &err);
    pst_conf_value_done(&value);
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
        cmocka_unit_test(takes_numbers),
        cmocka_unit_test(takes_a_choice_behind_its_prefix),
        cmocka_unit_test(refuses_numbers),
        cmocka_unit_test(takes_and_refuses_fractions),
        cmocka_unit_test(splits_lists),
        cmocka_unit_test(compiles_patterns),
        cmocka_unit_test(a_pattern_has_a_ceiling),
        cmocka_unit_test(asks_the_rows_own_check),
        cmocka_unit_test(masks_secrets),
        cmocka_unit_test(trims_unless_raw),
        cmocka_unit_test(stores_by_type),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

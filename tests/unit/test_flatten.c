/*
 * test_flatten.c - one user as raw and as flat record: ordinary ones, and hostile ones.
 */
#include "connectors/randomuser/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static const pst_randomuser_shape raw = {PST_RANDOMUSER_RAW, false};
static const pst_randomuser_shape flat = {PST_RANDOMUSER_FLAT, false};

static void assert_converts(const char *user, const pst_randomuser_shape *shape,
                            const char *key, const char *value)
{
    pst_buf out;
    pst_err err = PST_ERR_INIT;
    size_t key_len = 0;
    pst_buf_init(&out, 1 << 20);
    if (pst_randomuser_convert(pst_sv_of(user), shape, &out, &key_len, &err) != PST_OK)
        fail_msg("%s", err.text);
    if (!key)
        assert_true(key_len == PST_RANDOMUSER_NO_KEY);
    else
        assert_int_equal(key_len, strlen(key));
    size_t at = key ? key_len : 0;
    assert_memory_equal(out.data, key ? key : "", at);
    assert_non_null(pst_buf_cstr(&out));
    assert_string_equal(out.data + at, value);
    pst_buf_done(&out);
}

static void assert_refused(const char *user, const pst_randomuser_shape *shape,
                           const char *text)
{
    pst_buf out;
    pst_err err = PST_ERR_INIT;
    size_t key_len = 0;
    pst_buf_init(&out, 1 << 20);
    assert_int_equal(pst_buf_adds(&out, "before"), PST_OK);
    assert_int_equal(pst_randomuser_convert(pst_sv_of(user), shape, &out, &key_len, &err),
                     PST_E_INVALID);
    assert_true(err.retriable);
    assert_non_null(strstr(err.text, text));
    assert_int_equal(out.len, 6);
    pst_buf_done(&out);
}

#define USER                                                                             \
    "{\"gender\":\"male\",\"name\":{\"title\":\"Mr\",\"first\":\"Ðorđe\",\"last\":"    \
    "\"O'Neil \\\"x\\\"\"},\"location\":{\"street\":{\"number\":4988,\"name\":"          \
    "\"Hickory\\\\Dr\"},\"city\":\"\\u010cakovec\",\"state\":\"S\\nT\",\"country\":"     \
    "\"C\",\"postcode\":%s,\"coordinates\":{\"latitude\":%s,\"longitude\":\"-25.9940\"}" \
    "},\"email\":\"e@x\",\"login\":{\"uuid\":\"u-1\"},\"dob\":{\"date\":"                \
    "\"1964-03-28T10:08:50.368Z\",\"age\":62},\"registered\":{\"date\":\"2009\"},"       \
    "\"phone\":\"1\",\"nat\":\"RS\"}"

static void assert_flat(const char *postcode, const char *latitude,
                        const char *flat_postcode, const char *flat_latitude)
{
    char user[1024], value[1024];
    snprintf(user, sizeof user, USER, postcode, latitude);
    snprintf(
        value, sizeof value,
        "{\"id\":\"u-1\",\"full_name\":\"Ðorđe O'Neil \\\"x\\\"\",\"gender\":\"male\","
        "\"street\":\"4988 Hickory\\\\Dr\",\"city\":\"Čakovec\",\"state\":\"S\\nT\","
        "\"country\":\"C\",\"postcode\":%s,\"latitude\":%s,\"longitude\":-25.9940,"
        "\"email\":\"e@x\",\"dob\":\"1964-03-28T10:08:50.368Z\",\"registered\":"
        "\"2009\",\"phone\":\"1\",\"nat\":\"RS\"}",
        flat_postcode, flat_latitude);
    assert_converts(user, &flat, "u-1", value);
}

static void test_flat(void **state)
{
    (void)state;
    assert_flat("31180", "\"85.7301\"", "\"31180\"", "85.7301");
    assert_flat("\"K34 0FF\"", "\"0.5\"", "\"K34 0FF\"", "0.5");
    assert_flat("\"01234\"", "\"-0\"", "\"01234\"", "-0");
    assert_flat("null", "85.5", "null", "85.5");
    assert_flat("9223372036854775807", "7", "\"9223372036854775807\"", "7");
}

/* What is no JSON number must not be written as one. */
static void test_coordinates_that_are_no_numbers(void **state)
{
    static const char *const bad[] = {
        "\"\"",         "\"-\"",  "\"05.1\"", "\".5\"",  "\"5.\"",     "\"+5\"",
        "\"NaN\"",      "\"1e\"", "\"1e+\"",  "\"0x1\"", "\"1,5\"",    "\" 1\"",
        "\"1\\u0000\"", "{}",     "[1]",      "true",    "\"1}\\\"\"", "\"1.2.3\""};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_flat("1", bad[i], "\"1\"", "null");
    assert_flat("1", "\"-12.50e+3\"", "\"1\"", "-12.50e+3");
}

static void test_flat_of_nothing(void **state)
{
    (void)state;
    assert_converts("{}", &flat, NULL,
                    "{\"id\":null,\"full_name\":null,\"gender\":null,\"street\":null,"
                    "\"city\":null,\"state\":null,\"country\":null,\"postcode\":null,"
                    "\"latitude\":null,\"longitude\":null,\"email\":null,\"dob\":null,"
                    "\"registered\":null,\"phone\":null,\"nat\":null}");
}

static void test_flat_of_half_names_and_old_shapes(void **state)
{
    (void)state;
    assert_converts(
        "{\"name\":{\"last\":\"Li\"},\"location\":{\"street\":\"1 a st\"},"
        "\"dob\":\"2000-01-01\",\"location2\":[],\"nat\":{}}",
        &flat, NULL,
        "{\"id\":null,\"full_name\":\"Li\",\"gender\":null,"
        "\"street\":\"1 a st\",\"city\":null,\"state\":null,\"country\":null,"
        "\"postcode\":null,\"latitude\":null,\"longitude\":null,\"email\":null,"
        "\"dob\":\"2000-01-01\",\"registered\":null,\"phone\":null,"
        "\"nat\":null}");
}

/* Numbers, escapes, the order of keys: as the API wrote them. */
static void test_raw_is_byte_exact(void **state)
{
    const char *text =
        "{\"b\":1.500,\"a\":1e2,\"s\":\"\\u00e9 \\/ \\\" { é\",\"n\":null}";
    (void)state;
    assert_converts(text, &raw, NULL, text);
    assert_converts("{\"login\":{\"uuid\":\"k\"}}", &raw, "k",
                    "{\"login\":{\"uuid\":\"k\"}}");
}

static void test_raw_loses_its_blanks(void **state)
{
    (void)state;
    assert_converts(" {\r\n\t\"a\" : [ 1 , \" x \\\" y \" ] }\n", &raw, NULL,
                    "{\"a\":[1,\" x \\\" y \"]}");
}

static void test_keys(void **state)
{
    const pst_randomuser_shape strict = {PST_RANDOMUSER_RAW, true};
    (void)state;
    assert_converts("{\"login\":{\"uuid\":\"k\"}}", &strict, "k",
                    "{\"login\":{\"uuid\":\"k\"}}");
    assert_refused("{}", &strict, "its login.uuid is missing");
    assert_refused("{\"login\":{\"uuid\":7}}", &strict, "missing");
    assert_refused("{\"login\":{\"uuid\":\"\"}}", &strict, "missing");
    assert_refused("{\"login\":[]}", &strict, "missing");
}

static void test_hostile_users(void **state)
{
    static char big[PST_RANDOMUSER_USER_BYTES + 64], deep[40000], key[2048];
    (void)state;
    assert_refused("", &raw, "not a JSON object");
    assert_refused("[]", &raw, "not a JSON object");
    assert_refused("\"x\"", &raw, "not a JSON object");
    assert_refused("{\"a\":1", &raw, "not a JSON object");
    assert_refused("{\"a\":\"\xff\"}", &raw, "not a JSON object");
    assert_refused("{\"a\":123456789012345678901234567890}", &raw, "not a JSON object");
    memset(big, ' ', sizeof big - 1);
    assert_refused(big, &raw, "more than 65536");
    memset(deep, '[', sizeof deep - 1);
    memcpy(deep, "{\"a\":", 5);
    assert_refused(deep, &flat, "not a JSON object");
    int n = snprintf(key, sizeof key, "{\"login\":{\"uuid\":\"");
    memset(key + n, 'k', 1000);
    snprintf(key + n + 1000, sizeof key - (size_t)n - 1000, "\"}}");
    assert_refused(key, &raw, "too long");
}

/* ---- all recorded users, against a second reading of them ---- */

static const char *text_at(const json_t *user, const char *a, const char *b,
                           const char *c)
{
    user = json_object_get(user, a);
    user = b ? json_object_get(user, b) : user;
    return json_string_value(c ? json_object_get(user, c) : user);
}

static void assert_column(const json_t *row, const char *name, const char *expected)
{
    assert_non_null(expected);
    assert_string_equal(json_string_value(json_object_get(row, name)), expected);
}

static void assert_same_person(const json_t *row, const json_t *user)
{
    char text[300];
    const json_t *location = json_object_get(user, "location");
    const json_t *street = json_object_get(location, "street");
    const json_t *postcode = json_object_get(location, "postcode");
    assert_int_equal(json_object_size(row), 15);
    assert_column(row, "id", text_at(user, "login", "uuid", NULL));
    snprintf(text, sizeof text, "%s %s", text_at(user, "name", "first", NULL),
             text_at(user, "name", "last", NULL));
    assert_column(row, "full_name", text);
    snprintf(text, sizeof text, "%lld %s",
             (long long)json_integer_value(json_object_get(street, "number")),
             json_string_value(json_object_get(street, "name")));
    assert_column(row, "street", text);
    snprintf(text, sizeof text, "%lld", (long long)json_integer_value(postcode));
    assert_column(row, "postcode",
                  json_is_string(postcode) ? json_string_value(postcode) : text);
    assert_column(row, "city", text_at(user, "location", "city", NULL));
    assert_column(row, "state", text_at(user, "location", "state", NULL));
    assert_column(row, "country", text_at(user, "location", "country", NULL));
    assert_column(row, "dob", text_at(user, "dob", "date", NULL));
    assert_column(row, "registered", text_at(user, "registered", "date", NULL));
    assert_column(row, "gender", text_at(user, "gender", NULL, NULL));
    assert_column(row, "email", text_at(user, "email", NULL, NULL));
    assert_column(row, "phone", text_at(user, "phone", NULL, NULL));
    assert_column(row, "nat", text_at(user, "nat", NULL, NULL));
}

static void assert_digits_kept(const char *row, const json_t *user)
{
    char text[300];
    snprintf(text, sizeof text, "\"latitude\":%s,\"longitude\":%s,\"email\"",
             text_at(user, "location", "coordinates", "latitude"),
             text_at(user, "location", "coordinates", "longitude"));
    assert_non_null(strstr(row, text));
}

static void test_all_recorded_users(void **state)
{
    static const char *const files[] = {"tests/data/randomuser/page1-500.json",
                                        "tests/data/randomuser/page2-500.json"};
    size_t n = 0, i, key_len;
    const json_t *user;
    pst_buf out;
    (void)state;
    pst_buf_init(&out, 1 << 20);
    for (size_t f = 0; f < 2; f++) {
        json_t *page = json_load_file(files[f], 0, NULL);
        assert_non_null(page);
        json_array_foreach(json_object_get(page, "results"), i, user)
        {
            pst_err err = PST_ERR_INIT;
            char *text = json_dumps(user, JSON_COMPACT);
            pst_buf_clear(&out);
            assert_int_equal(
                pst_randomuser_convert(pst_sv_of(text), &flat, &out, &key_len, &err),
                PST_OK);
            assert_int_equal(key_len, 36);
            const char *value = pst_buf_cstr(&out) + key_len;
            json_t *row = json_loads(value, JSON_REJECT_DUPLICATES, NULL);
            assert_same_person(row, user);
            assert_digits_kept(value, user);
            json_decref(row);
            free(text);
            n++;
        }
        json_decref(page);
    }
    assert_int_equal(n, 1000);
    pst_buf_done(&out);
}

static void test_no_room(void **state)
{
    pst_buf out;
    (void)state;
    for (size_t max = 0; max < 60; max++) {
        pst_err err = PST_ERR_INIT;
        size_t key_len;
        pst_buf_init(&out, max);
        assert_int_equal(pst_randomuser_convert(PST_SV("{\"login\":{\"uuid\":\"k\"}}"),
                                                &flat, &out, &key_len, &err),
                         PST_E_LIMIT);
        assert_int_equal(out.len, 0);
        pst_buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat),
        cmocka_unit_test(test_coordinates_that_are_no_numbers),
        cmocka_unit_test(test_flat_of_nothing),
        cmocka_unit_test(test_flat_of_half_names_and_old_shapes),
        cmocka_unit_test(test_raw_is_byte_exact),
        cmocka_unit_test(test_raw_loses_its_blanks),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_hostile_users),
        cmocka_unit_test(test_all_recorded_users),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

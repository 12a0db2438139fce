/*
 * test_conf_json.c - Connect's validation answer: shape, values, errors, no secrets. The
 * keys and their order are those of an answer recorded from Kafka Connect.
 */
#include "test_conf_common.h"

static const char *json_of(sample *s)
{
    pst_buf_clear(&s->text);
    assert_int_equal(pst_conf_json(&sample_spec, &s->props, &s->report, &s->text),
                     PST_OK);
    return pst_buf_cstr(&s->text);
}

static void has_the_shape_of_connect(void **state)
{
    (void)state;
    static const pst_setting rows[] = {
        {.name = "tasks.max",
         .type = PST_CONF_INT,
         .def = "1",
         .min = 1,
         .max = INT_MAX,
         .importance = PST_CONF_HIGH,
         .doc = "Most \"tasks\"."},
    };
    const pst_conf_section section = {"Common", rows, 1};
    const pst_conf_part part = {&section, 0};
    const pst_conf_spec spec = {.name = "X", .parts = &part, .n_parts = 1};
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "tasks.max=0\nnope=\"\\\\\\n\\t\\r\\u0001é\n"),
                     PST_OK);
    int conf = 0;
    assert_int_equal(pst_conf_apply(&spec, &s.props, &conf, &s.report), PST_E_CONFIG);
    assert_int_equal(conf, 1);
    assert_int_equal(pst_conf_json(&spec, &s.props, &s.report, &s.text), PST_OK);
    assert_string_equal(
        pst_buf_cstr(&s.text),
        "{\"name\":\"X\",\"error_count\":2,\"groups\":[\"Common\"],\"configs\":["
        "{\"definition\":{\"name\":\"tasks.max\",\"type\":\"INT\",\"required\":false,"
        "\"default_value\":\"1\",\"importance\":\"HIGH\",\"documentation\":\"Most "
        "\\\"tasks\\\".\",\"group\":\"Common\",\"width\":\"SHORT\",\"display_name\":"
        "\"tasks.max\",\"dependents\":[],\"order\":1},\"value\":{\"name\":\"tasks.max\","
        "\"value\":\"0\",\"recommended_values\":[],\"errors\":[\"\\\"0\\\" is out of "
        "range; "
        "set a whole number, 1 or more\"],\"visible\":true}},"
        "{\"definition\":null,\"value\":{\"name\":\"nope\",\"value\":"
        "\"\\\"\\\\\\n\\t\\r\\u0001é\",\"recommended_values\":[],\"errors\":[\"unknown "
        "setting \\\"nope\\\"; `penstockd --help X` lists all "
        "settings\"],\"visible\":true}}"
        "]}");
    s.conf = (sample_conf){0};
    sample_done(&s);
}

static void names_types_and_values(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "name=n\ntopics=a\nstore.url=http://u:p@h\n"
                                      "aws.secret.access.key=hunter2\ncsv.dialect=SPARK\n"
                                      "s3.path.style.access.enabled=TRUE\n"
                                      "rotate.schedule.interval.ms=5s\n"
                                      "users.per.second= 2 \ncsv.sep=\\ \n"),
                     PST_OK);
    assert_int_equal(sample_apply(&s), PST_OK);
    const char *json = json_of(&s);
    static const char *const parts[] = {
        "\"error_count\":0,\"groups\":[\"What: topics\",\"Where: the object store\"]",
        "{\"name\":\"name\",\"type\":\"STRING\",\"required\":true,\"default_value\":null",
        "{\"name\":\"topics\",\"type\":\"LIST\",",
        "{\"name\":\"topics.regex\",\"type\":\"STRING\",",
        "{\"name\":\"flush.size\",\"type\":\"INT\",",
        ("{\"name\":\"rotate.schedule.interval.ms\",\"type\":\"LONG\",\"required\":false,"
         "\"default_value\":\"10000\""),
        "{\"name\":\"rotate.schedule.interval.ms\",\"value\":\"5000\"",
        "{\"name\":\"users.per.second\",\"type\":\"DOUBLE\",",
        "{\"name\":\"users.per.second\",\"value\":\"2\"",
        "{\"name\":\"csv.sep\",\"value\":\" \"",
        "{\"name\":\"csv.dialect\",\"type\":\"STRING\",",
        ("{\"name\":\"csv.dialect\",\"value\":\"spark\",\"recommended_values\":["
         "\"spark\","
         "\"rfc4180\"]"),
        ("{\"name\":\"s3.part.size\",\"type\":\"LONG\",\"required\":false,\"default_"
         "value\":"
         "\"26214400\",\"importance\":\"LOW\""),
        "{\"name\":\"s3.part.size\",\"value\":\"26214400\"",
        ("{\"name\":\"s3.path.style.access.enabled\",\"type\":\"BOOLEAN\",\"required\":"
         "false,"
         "\"default_value\":\"true\",\"importance\":\"MEDIUM\""),
        "{\"name\":\"s3.path.style.access.enabled\",\"value\":\"true\"",
        "{\"name\":\"aws.secret.access.key\",\"type\":\"PASSWORD\",",
        "{\"name\":\"aws.secret.access.key\",\"value\":\"[hidden]\"",
        "{\"name\":\"store.url\",\"value\":\"http://****@h\"",
        "{\"name\":\"topics.regex\",\"value\":null",
    };
    for (size_t i = 0; i < COUNT(parts); i++)
        assert_contains(json, parts[i]);
    assert_lacks(json, "hunter2");
    assert_lacks(json, "transforms");
    assert_lacks(json, "s3.part.retries");
    assert_lacks(json, "spool.dir");
    sample_done(&s);
}

static void puts_errors_where_they_belong(void **state)
{
    (void)state;
    setenv("PST_TEST_VALUE", "hunter2", 1);
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "flush.sise=1\nflush.size=${env:PST_TEST_VALUE}\n"
                                      "store.url=${a} ${b}\nspool.dir=/x\n"
                                      "s3.part.retries=5\nsasl.password=bad value\n"
                                      "topics.regex=(\n"),
                     PST_E_CONFIG);
    assert_int_equal(sample_apply(&s), PST_E_CONFIG);
    pst_conf_error(&s.report, NULL, NULL, "about none");
    pst_conf_warning(&s.report, NULL, "name", "only a warning");
    const char *json = json_of(&s);
    static const char *const parts[] = {
        "\"error_count\":9,",
        "{\"name\":\"flush.size\",\"value\":\"[hidden]\",\"recommended_values\":[],"
        "\"errors\":[\"**** is not a whole number; set a whole number, 0 or more\"]",
        "\"errors\":[\"${a} names no provider; write ${env:a} or "
        "${file:path:key}\",\"${b} ",
        "{\"name\":\"name\",\"value\":null,\"recommended_values\":[],\"errors\":["
        "\"required "
        "setting \\\"name\\\" is missing; set it: The connector's name\"]",
        "{\"name\":\"spool.dir\",\"value\":\"/x\",\"recommended_values\":[],\"errors\":["
        "\"not supported yet in this version; remove it\"],\"visible\":false}",
        "{\"name\":\"s3.part.retries\",\"value\":\"5\",\"recommended_values\":[],"
        "\"errors\":[],\"visible\":false}",
        "{\"definition\":null,\"value\":{\"name\":\"flush.sise\",\"value\":\"1\",",
        "{\"definition\":null,\"value\":{\"name\":\"sasl.password\",\"value\":\"[hidden]"
        "\",",
        "{\"definition\":null,\"value\":{\"name\":\"\",\"value\":null,\"recommended_"
        "values\":"
        "[],\"errors\":[\"about none\"],",
    };
    for (size_t i = 0; i < COUNT(parts); i++)
        assert_contains(json, parts[i]);
    assert_lacks(json, "hunter2");
    assert_lacks(json, "only a warning");
    sample_done(&s);
}

static void hides_a_secret_default(void **state)
{
    (void)state;
    static const pst_setting row = {.name = "a",
                                    .type = PST_CONF_STRING,
                                    .flags = PST_CONF_SECRET,
                                    .def = "hunter2",
                                    .doc = "A."};
    const pst_conf_section section = {"T", &row, 1};
    const pst_conf_part part = {&section, 0};
    const pst_conf_spec spec = {.name = "X", .parts = &part, .n_parts = 1};
    sample s;
    sample_init(&s);
    assert_int_equal(pst_conf_json(&spec, &s.props, &s.report, &s.text), PST_OK);
    assert_contains(pst_buf_cstr(&s.text), "\"default_value\":null");
    assert_contains(pst_buf_cstr(&s.text), "{\"name\":\"a\",\"value\":null");
    assert_lacks(pst_buf_cstr(&s.text), "hunter2");
    sample_done(&s);
}

static void keeps_to_the_ceiling_of_the_buffer(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    pst_buf small;
    pst_buf_init(&small, 300);
    assert_int_equal(pst_conf_json(&sample_spec, &s.props, &s.report, &small),
                     PST_E_LIMIT);
    assert_int_equal(small.len, 0);
    pst_buf_done(&small);
    sample_done(&s);
}

static pst_rc happy(void)
{
    sample s;
    sample_init(&s);
    pst_rc rc = sample_parse(&s, "name=n\ntopics=a\naws.secret.access.key=x\n"
                                 "s3.part.size=64m\nconsumer.x=1\n");
    if (rc == PST_OK)
        rc = sample_apply(&s);
    if (rc == PST_OK)
        rc = pst_conf_json(&sample_spec, &s.props, &s.report, &s.text);
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
        cmocka_unit_test(has_the_shape_of_connect),
        cmocka_unit_test(names_types_and_values),
        cmocka_unit_test(puts_errors_where_they_belong),
        cmocka_unit_test(hides_a_secret_default),
        cmocka_unit_test(keeps_to_the_ceiling_of_the_buffer),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

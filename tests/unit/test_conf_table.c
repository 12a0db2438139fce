/*
 * test_conf_table.c - a struct from its table: defaults, all errors at once, nearest
 * names.
 */
#include "test_conf_common.h"

static const char FULL[] = "name=sink\n"
                           "topics = a, b ,c\n"
                           "topics.regex=^u.*$\n"
                           "flush.size= 500 \n"
                           "rotate.schedule.interval.ms=5s\n"
                           "errors.retry.timeout=9000000000\n"
                           "users.per.second=2.5\n"
                           "csv.sep=\\ \n"
                           "csv.dialect=RFC4180\n"
                           "store.url=http://minio:9000\n"
                           "aws.secret.access.key=hunter2\n"
                           "s3.part.size=64MiB\n"
                           "s3.part.retries=9\n"
                           "s3.path.style.access.enabled=false\n"
                           "consumer.fetch.min.bytes=1\n";

static void fills_every_type(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, FULL), PST_OK);
    assert_int_equal(sample_apply(&s), PST_OK);
    assert_string_equal(s.conf.name, "sink");
    assert_int_equal(s.conf.topics.n, 3);
    assert_string_equal(s.conf.topics.items[1], "b");
    assert_string_equal(s.conf.regex, "^u.*$");
    assert_int_equal(s.conf.flush_size, 500);
    assert_int_equal(s.conf.interval_ms, 5000);
    assert_true(s.conf.deadline == INT64_C(9000000000));
    assert_true(s.conf.rate > 2.4 && s.conf.rate < 2.6);
    assert_string_equal(s.conf.sep, " ");
    assert_int_equal(s.conf.dialect, 1);
    assert_string_equal(s.conf.store.url, "http://minio:9000");
    assert_string_equal(s.conf.store.secret, "hunter2");
    assert_int_equal(s.conf.store.part_size, 64 * 1024 * 1024);
    assert_int_equal(s.conf.store.retries, 9);
    assert_false(s.conf.store.path_style);
    assert_int_equal(s.report.n, 0);
    sample_done(&s);
}

static void fills_in_defaults(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "name=sink\ntopics=a\n"), PST_OK);
    assert_int_equal(sample_apply(&s), PST_OK);
    assert_int_equal(s.conf.flush_size, 0);
    assert_int_equal(s.conf.interval_ms, 10000);
    assert_true(s.conf.deadline == -1);
    assert_string_equal(s.conf.sep, ",");
    assert_int_equal(s.conf.dialect, 0);
    assert_null(s.conf.regex);
    assert_null(s.conf.store.url);
    assert_int_equal(s.conf.store.part_size, 25 * 1024 * 1024);
    assert_int_equal(s.conf.store.retries, 3);
    assert_true(s.conf.store.path_style);
    sample_done(&s);
}

static void an_empty_value_is_a_value(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "name=sink\ntopics=a\ncsv.sep=\ntopics.regex=\n"),
                     PST_OK);
    assert_int_equal(sample_apply(&s), PST_OK);
    assert_string_equal(s.conf.sep, "");
    assert_string_equal(s.conf.regex, "");
    sample_done(&s);
}

static void tells_all_errors_at_once(void **state)
{
    (void)state;
    static const char text[] = "flush.sise=10\n"
                               "flush.size=many\n"
                               "csv.dialect=sparc\n"
                               "=x\n"
                               "aws.secret.access.key=${env:PST_TEST_UNSET}\n"
                               "store.url=minio\n"
                               "spool.dir=/tmp\n"
                               "consumer.typo=1\n"
                               "consumer.x=bad value\n"
                               "sasl.password=bad value\n"
                               "no.such.thing.anywhere=1\n"
                               "s3.part.size=1m\n";
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, text), PST_E_CONFIG);
    assert_int_equal(sample_apply(&s), PST_E_CONFIG);
    assert_string_equal(
        sample_report(&s),
        "t.properties:1: unknown setting \"flush.sise\"; did you mean \"flush.size\"?\n"
        "t.properties:2: flush.size: \"many\" is not a whole number; set a whole number, "
        "0 "
        "or more\n"
        "t.properties:3: csv.dialect: \"sparc\" is not a choice; set one of spark, "
        "rfc4180\n"
        "t.properties:4: no name before the separator; write name=value\n"
        "t.properties:5: aws.secret.access.key: ${env:PST_TEST_UNSET}: the environment "
        "variable is not set; set it\n"
        "t.properties:6: store.url: \"minio\" is not a URL; set http://…\n"
        "t.properties:7: spool.dir: not supported yet in this version; remove it\n"
        "t.properties:8: consumer.typo: no such setting in librdkafka\n"
        "t.properties:9: consumer.x: \"bad value\" is refused\n"
        "t.properties:10: sasl.password: the value is not valid\n"
        "t.properties:11: unknown setting \"no.such.thing.anywhere\"; `penstockd --help "
        "S3CsvSink` lists all settings\n"
        "t.properties:12: s3.part.size: \"1m\" is out of range; set bytes, or a number "
        "with k, m or g (64m), 5m to 5g\n"
        "t.properties: required setting \"name\" is missing; set it: The connector's "
        "name\n"
        "no topics; set topics or topics.regex\n");
    assert_int_equal(s.report.errors, 14);
    /* Fields whose value was wrong have their defaults: the check across relied on it. */
    assert_int_equal(s.conf.dialect, 0);
    assert_int_equal(s.conf.store.part_size, 25 * 1024 * 1024);
    sample_done(&s);
}

static void required_is_not_empty(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "topics=a\nname=  \n"), PST_OK);
    assert_int_equal(sample_apply(&s), PST_E_CONFIG);
    assert_string_equal(sample_report(&s), "t.properties:2: required setting \"name\" is "
                                           "empty; set it: The connector's name\n");
    sample_done(&s);
}

static pst_rc no_memory(const char *value, pst_err *err)
{
    (void)value;
    return pst_fail_nomem(err, "a test");
}

static pst_rc no_memory_either(const char *key, const char *value, pst_err *err)
{
    (void)key;
    return no_memory(value, err);
}

/* A row with a one-sentence description, checks that run out of memory. */
static void tells_lack_of_memory_in_checks(void **state)
{
    (void)state;
    pst_setting row = {.name = "a",
                       .type = PST_CONF_STRING,
                       .flags = PST_CONF_REQUIRED,
                       .check = no_memory,
                       .doc = "One sentence."};
    const pst_conf_section section = {"T", &row, 1};
    const pst_conf_part part = {&section, 0};
    pst_conf_spec spec = {.name = "X", .parts = &part, .n_parts = 1};
    char *conf = NULL;
    sample s;
    sample_init(&s);
    assert_int_equal(pst_conf_apply(&spec, &s.props, &conf, &s.report), PST_E_CONFIG);
    assert_string_equal(sample_report(&s),
                        "required setting \"a\" is missing; set it: One sentence\n");
    assert_int_equal(sample_parse(&s, "a=1\n"), PST_OK);
    assert_int_equal(pst_conf_apply(&spec, &s.props, &conf, &s.report), PST_E_NOMEM);
    sample_done(&s);
    sample_init(&s);
    row.check = NULL;
    spec.other = no_memory_either;
    assert_int_equal(sample_parse(&s, "a=1\nb=2\n"), PST_OK);
    assert_int_equal(pst_conf_apply(&spec, &s.props, &conf, &s.report), PST_E_NOMEM);
    assert_true(s.report.nomem);
    pst_conf_done(&spec, &conf);
    sample_done(&s);
}

static void nothing_given_at_all(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_apply(&s), PST_E_CONFIG);
    assert_string_equal(sample_report(&s),
                        "required setting \"name\" is missing; set it: The connector's "
                        "name\nno topics; set topics or topics.regex\n");
    sample_done(&s);
}

/* A value that could not be resolved is told once, not as missing or wrong too. */
static void a_broken_value_is_told_once(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "name=${env:PST_TEST_UNSET}\ntopics=a\n"
                                      "flush.size=\\u1\nconsumer.x=${y}\n"),
                     PST_E_CONFIG);
    assert_int_equal(sample_apply(&s), PST_E_CONFIG);
    assert_int_equal(s.report.errors, 3);
    sample_done(&s);
}

static void what_came_by_reference_is_masked(void **state)
{
    (void)state;
    setenv("PST_TEST_VALUE", "hunter2", 1);
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "name=n\ntopics=a\n"
                                      "flush.size=${env:PST_TEST_VALUE}\n"
                                      "csv.dialect=${env:PST_TEST_VALUE}\n"
                                      "store.url=${env:PST_TEST_VALUE}\n"),
                     PST_OK);
    assert_int_equal(sample_apply(&s), PST_E_CONFIG);
    assert_lacks(sample_report(&s), "hunter2");
    assert_contains(sample_report(&s), "flush.size: **** is not a whole number; set");
    assert_contains(sample_report(&s), "csv.dialect: **** is not a choice; set one of");
    assert_contains(sample_report(&s), "store.url: the value **** is not valid");
    sample_done(&s);
}

static void finds_rows_of_all_parts(void **state)
{
    (void)state;
    assert_ptr_equal(pst_conf_find(&sample_spec, "name"), &sample_rows[0]);
    assert_ptr_equal(pst_conf_find(&sample_spec, "store.url"), &sample_store_rows[0]);
    assert_null(pst_conf_find(&sample_spec, "Name"));
    assert_null(pst_conf_find(&sample_spec, ""));
}

static void names_the_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *key, *nearest;
    } cases[] = {
        {"flush.sise", "flush.size"},
        {"flushsize", "flush.size"},
        {"FLUSH.SIZE", "flush.size"},
        {"topic", "topics"},
        {"nmae", "name"},
        {"store.uri", "store.url"},
        {"s3.path.style.acess.enable", "s3.path.style.access.enabled"},
        {"rotate.schedule.interval", "rotate.schedule.interval.ms"},
        {"part.size", "s3.part.size"},
        {"sep", "csv.sep"},
        {"kafka.topics", "topics"},
        {"spark.csv.sep", "csv.sep"},
        {"secret.access.key", "aws.secret.access.key"},
        {"spool.dri", "spool.dir"},
        {"transform", NULL},
        {"s3.part.retrys", NULL},
        {"x", NULL},
        {"", NULL},
        {"file.name", NULL},
        {"group.id", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *nearest = pst_conf_nearest(&sample_spec, cases[i].key);
        if (!cases[i].nearest && nearest)
            fail_msg("%s: %s", cases[i].key, nearest);
        if (cases[i].nearest)
            assert_string_equal(nearest ? nearest : cases[i].key, cases[i].nearest);
    }
}

static pst_rc knows_nothing(const char *key, const char *value, pst_err *err)
{
    (void)value;
    return pst_fail(err, PST_E_NOT_FOUND, "librdkafka has no property %s", key);
}

static void a_near_name_of_the_table_goes_first(void **state)
{
    (void)state;
    pst_conf_spec other = sample_spec;
    other.other = knows_nothing;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "name=n\nflush.szie=1\nzzz.qqq=1\n"), PST_OK);
    assert_int_equal(pst_conf_apply(&other, &s.props, &s.conf, &s.report), PST_E_CONFIG);
    assert_contains(sample_report(&s), "\"flush.szie\"; did you mean \"flush.size\"?");
    assert_contains(sample_report(&s), "librdkafka has no property zzz.qqq");
    sample_done(&s);
}

static void works_without_callbacks(void **state)
{
    (void)state;
    pst_conf_spec bare = sample_spec;
    bare.other = NULL;
    bare.check = NULL;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "name=n\nconsumer.x=1\n"), PST_OK);
    assert_int_equal(pst_conf_apply(&bare, &s.props, &s.conf, &s.report), PST_E_CONFIG);
    assert_contains(sample_report(&s), "unknown setting \"consumer.x\"");
    sample_done(&s);
}

static void warnings_do_not_fail(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, "name=n\nname=m\ntopics=a\n"), PST_OK);
    assert_int_equal(sample_apply(&s), PST_OK);
    assert_string_equal(s.conf.name, "m");
    sample_done(&s);
}

static void can_be_done_twice(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(sample_parse(&s, FULL), PST_OK);
    assert_int_equal(sample_apply(&s), PST_OK);
    pst_conf_done(&sample_spec, &s.conf);
    assert_null(s.conf.name);
    assert_int_equal(s.conf.topics.n, 0);
    sample_done(&s);
}

static pst_rc happy(void)
{
    sample s;
    sample_init(&s);
    pst_rc rc = sample_parse(&s, FULL);
    if (rc == PST_OK)
        rc = sample_apply(&s);
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

/* The same with errors to tell: short of memory, apply says so rather than PST_E_CONFIG.
 */
static pst_rc unhappy(void)
{
    sample s;
    sample_init(&s);
    pst_rc rc = sample_parse(&s, "a=1\nflush.size=x\nname=\n");
    if (rc == PST_OK)
        rc = sample_apply(&s);
    bool told = s.report.nomem ? rc == PST_E_NOMEM : s.report.errors == 4;
    assert_true(rc == PST_E_NOMEM || told);
    sample_done(&s);
    return rc == PST_E_CONFIG ? PST_OK : rc;
}

static void tells_errors_or_lack_of_memory(void **state)
{
    (void)state;
    fail_each_allocation(unhappy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_every_type),
        cmocka_unit_test(fills_in_defaults),
        cmocka_unit_test(an_empty_value_is_a_value),
        cmocka_unit_test(tells_all_errors_at_once),
        cmocka_unit_test(required_is_not_empty),
        cmocka_unit_test(tells_lack_of_memory_in_checks),
        cmocka_unit_test(nothing_given_at_all),
        cmocka_unit_test(a_broken_value_is_told_once),
        cmocka_unit_test(what_came_by_reference_is_masked),
        cmocka_unit_test(finds_rows_of_all_parts),
        cmocka_unit_test(names_the_nearest),
        cmocka_unit_test(a_near_name_of_the_table_goes_first),
        cmocka_unit_test(works_without_callbacks),
        cmocka_unit_test(warnings_do_not_fail),
        cmocka_unit_test(can_be_done_twice),
        cmocka_unit_test(survives_lack_of_memory),
        cmocka_unit_test(tells_errors_or_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

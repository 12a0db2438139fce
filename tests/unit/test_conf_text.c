/*
 * test_conf_text.c - --help in 80 columns, Markdown tables, and a print that reads back.
 */
#include "test_conf_common.h"

static const char *help_of(sample *s)
{
    pst_buf_clear(&s->text);
    assert_int_equal(pst_conf_help(&sample_spec, &s->text), PST_OK);
    return pst_buf_cstr(&s->text);
}

static void help_tells_all(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    const char *help = help_of(&s);
    static const char *const parts[] = {
        "S3CsvSink\n  Lands topics as CSV objects in S3.\n\nWhat: topics\n",
        "  name  (required)\n      The connector's name. It makes the group's.\n      "
        "text\n",
        "  flush.size\n      Records per object; 0 = off.\n"
        "      whole number, 0 or more; default: 0\n",
        "      milliseconds (or 10s, 5m, 1h), 1 ms to 86400000 ms; default: 10s\n",
        "      one of spark, rfc4180; default: spark\n",
        "  spool.dir  (not supported yet in this version)\n",
        "\nWhere: the object store\n  store.url\n",
        "      bytes (or 512k, 64m, 1g), 5m to 5g; default: 25m\n",
    };
    for (size_t i = 0; i < COUNT(parts); i++)
        assert_contains(help, parts[i]);
    assert_lacks(help, "transforms");
    assert_lacks(help, "s3.part.retries");
    sample_done(&s);
}

static void help_wraps_at_80_columns(void **state)
{
    (void)state;
    static const pst_setting row = {
        .name = "a.setting",
        .type = PST_CONF_STRING,
        .def = "\t",
        .doc = "éééééééééé éééééééééé éééééééééé éééééééééé éééééééééé éééééééééé "
               "1234567 12345678 a\nnewline  and   blanks, and so on until the line is "
               "full and the next one has to take the rest of what there is to be said"};
    const pst_conf_section section = {"Title", &row, 1};
    const pst_conf_part part = {&section, 0};
    const pst_conf_spec spec = {.name = "X", .doc = "Y", .parts = &part, .n_parts = 1};
    pst_buf out;
    pst_buf_init(&out, 4096);
    assert_int_equal(pst_conf_help(&spec, &out), PST_OK);
    assert_string_equal(
        pst_buf_cstr(&out),
        "X\n  Y\n\nTitle\n  a.setting\n"
        "      éééééééééé éééééééééé éééééééééé éééééééééé éééééééééé éééééééééé "
        "1234567\n"
        "      12345678 a newline and blanks, and so on until the line is full and the\n"
        "      next one has to take the rest of what there is to be said\n"
        "      text; default: \\t\n");
    pst_buf_done(&out);
}

static void help_of_an_empty_default(void **state)
{
    (void)state;
    static const pst_setting rows[] = {
        {.name = "a", .type = PST_CONF_STRING, .def = "", .doc = "A."},
        {.name = "b",
         .type = PST_CONF_STRING,
         .flags = PST_CONF_SECRET,
         .def = "hunter2",
         .doc = "B."},
        {.name = "c", .type = PST_CONF_STRING, .flags = PST_CONF_HIDDEN, .doc = "C."}};
    const pst_conf_section sections[] = {{"One", rows, 2}, {"Two", rows + 2, 1}};
    const pst_conf_part parts[] = {{&sections[0], 0}, {&sections[1], 0}};
    const pst_conf_spec spec = {.name = "X", .parts = parts, .n_parts = 2};
    pst_buf out;
    pst_buf_init(&out, 4096);
    assert_int_equal(pst_conf_help(&spec, &out), PST_OK);
    assert_string_equal(pst_buf_cstr(&out),
                        "X\n\nOne\n  a\n      A.\n      text; default: (empty)\n"
                        "  b\n      B.\n      text\n");
    pst_buf_clear(&out);
    assert_int_equal(pst_conf_markdown(&spec, &out), PST_OK);
    assert_string_equal(pst_buf_cstr(&out),
                        "## X\n\n### One\n\n| Setting | Value | Default | Meaning |\n"
                        "|---|---|---|---|\n"
                        "| <a id=\"x-a\"></a>`a` | text | *empty* | A. |\n"
                        "| <a id=\"x-b\"></a>`b` | text |  | B. |\n");
    pst_buf_done(&out);
}

static void markdown_has_tables_and_anchors(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    assert_int_equal(pst_conf_markdown(&sample_spec, &s.text), PST_OK);
    const char *text = pst_buf_cstr(&s.text);
    static const char *const parts[] = {
        "## S3CsvSink\n\nLands topics as CSV objects in S3.\n\n### What: topics\n\n"
        "| Setting | Value | Default | Meaning |\n|---|---|---|---|\n",
        "| <a id=\"s3csvsink-name\"></a>`name` | text | *required* | The connector's "
        "name. "
        "It makes the group's. |\n",
        "`csv.sep` | text | `,` | The separator: \\| or , or what you like. |\n",
        "| *Not supported yet in this version.* Where to spool. |\n",
        "\n### Where: the object store\n",
    };
    for (size_t i = 0; i < COUNT(parts); i++)
        assert_contains(text, parts[i]);
    assert_lacks(text, "transforms");
    assert_lacks(text, "s3.part.retries");
    sample_done(&s);
}

static void markdown_escapes(void **state)
{
    (void)state;
    static const pst_setting row = {
        .name = "a", .type = PST_CONF_STRING, .def = "|`\n", .doc = "a|b\n<c>"};
    const pst_conf_section section = {"T", &row, 1};
    const pst_conf_part part = {&section, 0};
    const pst_conf_spec spec = {.name = "X", .parts = &part, .n_parts = 1};
    pst_buf out;
    pst_buf_init(&out, 4096);
    assert_int_equal(pst_conf_markdown(&spec, &out), PST_OK);
    assert_contains(pst_buf_cstr(&out), "`a` | text | `` \\|`\\n `` | a\\|b &lt;c> |\n");
    pst_buf_done(&out);
}

static const char GIVEN[] = "name=sink\ntopics=a,b\ncsv.sep=\\ \nflush.size=5\n"
                            "store.url=http://u:p@minio:9000\n"
                            "aws.secret.access.key=hunter2\n"
                            "consumer.x=1\nsasl.password=hunter2\n";

static void print_fills_in_and_masks(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    setenv("PST_TEST_VALUE", "hunter2", 1);
    assert_int_equal(sample_parse(&s, GIVEN), PST_OK);
    assert_int_equal(
        pst_props_set(&s.props, "consumer.y", "${env:PST_TEST_VALUE}", "t", &s.report),
        PST_OK);
    assert_int_equal(pst_conf_print(&sample_spec, &s.props, &s.text), PST_OK);
    assert_string_equal(pst_buf_cstr(&s.text), "name=sink\n"
                                               "topics=a,b\n"
                                               "flush.size=5\n"
                                               "rotate.schedule.interval.ms=10s\n"
                                               "errors.retry.timeout=-1\n"
                                               "users.per.second=1\n"
                                               "csv.sep=\\ \n"
                                               "csv.dialect=spark\n"
                                               "store.url=http://****@minio:9000\n"
                                               "aws.secret.access.key=****\n"
                                               "s3.part.size=25m\n"
                                               "s3.path.style.access.enabled=true\n"
                                               "consumer.x=1\n"
                                               "sasl.password=****\n"
                                               "consumer.y=****\n");
    sample_done(&s);
}

/* What is printed is a file that gives the same settings. */
static void print_reads_back(void **state)
{
    (void)state;
    sample s, again;
    sample_init(&s);
    sample_init(&again);
    assert_int_equal(
        sample_parse(&s,
                     "name=\\u00e9 \\\\ x\\:\ntopics=a\ncsv.sep=\\t\nconsumer.a\\ b=#\n"),
        PST_OK);
    assert_int_equal(pst_conf_print(&sample_spec, &s.props, &s.text), PST_OK);
    assert_int_equal(sample_parse(&again, pst_buf_cstr(&s.text)), PST_OK);
    assert_int_equal(sample_apply(&again), PST_OK);
    for (size_t i = 0; i < s.props.n; i++)
        assert_string_equal(pst_props_get(&again.props, s.props.items[i].key),
                            s.props.items[i].value);
    assert_int_equal(pst_conf_print(&sample_spec, &again.props, &again.text), PST_OK);
    assert_string_equal(pst_buf_cstr(&again.text), pst_buf_cstr(&s.text));
    sample_done(&again);
    sample_done(&s);
}

static void keeps_to_the_ceiling_of_the_buffer(void **state)
{
    (void)state;
    sample s;
    sample_init(&s);
    pst_buf small;
    pst_buf_init(&small, 100);
    assert_int_equal(pst_buf_adds(&small, "before"), PST_OK);
    assert_int_equal(pst_conf_help(&sample_spec, &small), PST_E_LIMIT);
    assert_int_equal(pst_conf_markdown(&sample_spec, &small), PST_E_LIMIT);
    assert_int_equal(pst_conf_print(&sample_spec, &s.props, &small), PST_E_LIMIT);
    assert_int_equal(small.len, 6);
    pst_buf_done(&small);
    sample_done(&s);
}

static pst_rc happy(void)
{
    sample s;
    sample_init(&s);
    pst_rc rc = sample_parse(&s, GIVEN);
    if (rc == PST_OK)
        rc = pst_conf_help(&sample_spec, &s.text);
    if (rc == PST_OK)
        rc = pst_conf_markdown(&sample_spec, &s.text);
    if (rc == PST_OK)
        rc = pst_conf_print(&sample_spec, &s.props, &s.text);
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
        cmocka_unit_test(help_tells_all),
        cmocka_unit_test(help_wraps_at_80_columns),
        cmocka_unit_test(help_of_an_empty_default),
        cmocka_unit_test(markdown_has_tables_and_anchors),
        cmocka_unit_test(markdown_escapes),
        cmocka_unit_test(print_fills_in_and_masks),
        cmocka_unit_test(print_reads_back),
        cmocka_unit_test(keeps_to_the_ceiling_of_the_buffer),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

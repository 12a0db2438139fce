/*
 * test_randomuser_schema.c - the DDL of both outputs fits what the source produces: the
 * sink's reader takes all 1,000 recorded users without one bad field.
 */
#include "base/mem.h"
#include "connectors/randomuser/internal.h"
#include "record/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const pst_conf_part parts[] = {{&pst_reader_section, 0}};
static const pst_conf_spec spec = {
    .name = "reader", .parts = parts, .n_parts = 1, .size = sizeof(pst_reader_conf)};

static pst_reader *open_reader(const char *ddl, const char *select)
{
    pst_props props;
    pst_conf_report report;
    pst_reader_conf conf = {0};
    pst_reader *reader = NULL;
    pst_err err = PST_ERR_INIT;
    pst_props_init(&props);
    pst_conf_report_init(&report);
    assert_int_equal(pst_props_set(&props, "value.schema", ddl, "(test)", &report),
                     PST_OK);
    assert_int_equal(pst_props_set(&props, "select", select, "(test)", &report), PST_OK);
    if (pst_conf_apply(&spec, &props, &conf, &report) != PST_OK)
        fail_msg("%s", report.n ? report.items[0].text : "?");
    if (pst_reader_new(&reader, &conf, &err) != PST_OK)
        fail_msg("%s", err.text);
    pst_conf_done(&spec, &conf);
    pst_conf_report_done(&report);
    pst_props_done(&props);
    return reader;
}

static void read_page(pst_reader *reader, const char *path, int output)
{
    pst_randomuser_page page;
    pst_randomuser_shape shape = {output, true};
    pst_err err = PST_ERR_INIT;
    FILE *in = fopen(path, "rb");
    if (!in)
        fail_msg("%s is not there; run this from the project's folder", path);
    char *text = pst_malloc(1 << 20);
    size_t n = fread(text, 1, 1 << 20, in);
    fclose(in);
    pst_randomuser_page_init(&page);
    assert_int_equal(
        pst_randomuser_page_parse(&page, (pst_sv){text, n}, &shape, 500, &err), PST_OK);
    assert_int_equal(page.n, 500);
    for (size_t i = 0; i < page.n; i++) {
        pst_msg msg = {.topic = "users", .value = pst_randomuser_page_value(&page, i)};
        pst_row row;
        assert_int_equal(pst_reader_read(reader, &msg, &row, &err), PST_OK);
        for (size_t c = 0; c < row.n; c++)
            assert_false(row.cells[c].null);
    }
    pst_randomuser_page_done(&page);
    pst_free(text);
}

static void assert_fits(const char *ddl, const char *select, int output, size_t columns)
{
    size_t n = 0;
    pst_reader *reader = open_reader(ddl, select);
    assert_non_null(pst_reader_columns(reader, &n));
    assert_int_equal(n, columns);
    read_page(reader, "tests/data/randomuser/page1-500.json", output);
    read_page(reader, "tests/data/randomuser/page2-500.json", output);
    const pst_reader_stats *stats = pst_reader_get_stats(reader);
    assert_int_equal(stats->records, 1000);
    assert_int_equal(stats->malformed, 0);
    assert_int_equal(stats->bad_fields, 0);
    pst_reader_free(reader);
}

static void test_raw(void **state)
{
    (void)state;
    assert_fits(PST_RANDOMUSER_RAW_DDL, PST_RANDOMUSER_RAW_SELECT, PST_RANDOMUSER_RAW,
                19);
}

static void test_flat(void **state)
{
    (void)state;
    assert_fits(PST_RANDOMUSER_FLAT_DDL, "*", PST_RANDOMUSER_FLAT, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

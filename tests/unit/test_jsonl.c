/*
 * test_jsonl.c - the JSON lines of tests/data/jsonl/cases.json, which real Spark wrote;
 * columns that are refused; and failing allocations.
 */
#include "mem_fault.c" // NOLINT(bugprone-suspicious-include)

#include "format/format.h"
#include "record/record.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

typedef struct settings {
    pst_reader_conf reader;
    pst_jsonl_conf jsonl;
} settings;

static const pst_conf_part PARTS[] = {
    {&pst_reader_section, offsetof(settings, reader)},
    {&pst_jsonl_section, offsetof(settings, jsonl)},
};
static const pst_conf_spec SPEC = {
    .name = "test", .parts = PARTS, .n_parts = 2, .size = sizeof(settings)};

typedef struct setting {
    char name[100];
    const char *value;
} setting;

static void apply(settings *conf, const setting *all, size_t n)
{
    pst_props props;
    pst_conf_report report;
    pst_props_init(&props);
    pst_conf_report_init(&report);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(
            pst_props_set(&props, all[i].name, all[i].value, "(test)", &report), PST_OK);
    if (pst_conf_apply(&SPEC, &props, conf, &report) != PST_OK)
        fail_msg("%s", report.items[0].text);
    pst_props_done(&props);
    pst_conf_report_done(&report);
}

static pst_rc open_both(const settings *conf, pst_reader **reader, pst_writer **writer,
                        pst_err *err)
{
    size_t n;
    *reader = NULL;
    *writer = NULL;
    pst_rc rc = pst_reader_new(reader, &conf->reader, err);
    if (rc != PST_OK)
        return rc;
    const pst_column *columns = pst_reader_columns(*reader, &n);
    return pst_format_jsonl.open(writer, &conf->jsonl, &conf->reader, columns, n, err);
}

static pst_rc put(pst_reader *reader, pst_writer *writer, const char *value, pst_buf *out,
                  pst_err *err)
{
    pst_row row;
    pst_msg msg = {.topic = "t", .timestamp_ms = -1, .value = pst_sv_of(value)};
    pst_rc rc = pst_reader_read(reader, &msg, &row, err);
    return rc ? rc : pst_format_jsonl.row(writer, &row, out, err);
}

/* ---- Spark's lines ---- */

static size_t settings_of(json_t *one, setting *out, char *select, size_t size)
{
    size_t n = 0, i;
    const char *key;
    json_t *value;
    out[n] = (setting){.value = json_string_value(json_object_get(one, "schema"))};
    snprintf(out[n++].name, sizeof out->name, "value.schema");
    json_object_foreach(json_object_get(one, "options"), key, value)
    {
        out[n].value = json_string_value(value);
        snprintf(out[n++].name, sizeof out->name, "jsonl.%s", key);
    }
    json_object_foreach(json_object_get(one, "session"), key, value)
    {
        out[n].value = json_string_value(value);
        snprintf(out[n++].name, sizeof out->name, "%s", key);
    }
    select[0] = '\0';
    json_array_foreach(json_object_get(one, "select"), i, value)
        snprintf(select + strlen(select), size - strlen(select), "%s%s", i ? ", " : "",
                 json_string_value(value));
    if (select[0]) {
        out[n].value = select;
        snprintf(out[n++].name, sizeof out->name, "select");
    }
    return n;
}

static void check_case(json_t *one)
{
    setting all[16];
    char select[500];
    settings conf = {0};
    pst_reader *reader;
    pst_writer *writer;
    pst_buf out;
    pst_err err = PST_ERR_INIT;
    size_t i;
    json_t *record, *lines = json_object_get(one, "lines");
    const char *name = json_string_value(json_object_get(one, "name"));
    apply(&conf, all, settings_of(one, all, select, sizeof select));
    pst_buf_init(&out, 1 << 20);
    if (open_both(&conf, &reader, &writer, &err) != PST_OK)
        fail_msg("%s: %s", name, err.text);
    assert_int_equal(pst_format_jsonl.begin(writer, &out, &err), PST_OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(json_array_size(lines),
                     json_array_size(json_object_get(one, "records")));
    json_array_foreach(json_object_get(one, "records"), i, record)
    {
        pst_buf_clear(&out);
        if (put(reader, writer, json_string_value(record), &out, &err) != PST_OK)
            fail_msg("%s: %s", name, err.text);
        assert_true(out.len && out.data[out.len - 1] == '\n');
        out.data[out.len - 1] = '\0';
        const char *want = json_string_value(json_array_get(lines, i));
        if (strcmp(out.data, want) != 0)
            fail_msg("%s: %s\nSpark    %s\nPenstock %s", name, json_string_value(record),
                     want, out.data);
    }
    pst_buf_done(&out);
    pst_format_jsonl.close(writer);
    pst_reader_free(reader);
    pst_conf_done(&SPEC, &conf);
}

static void lines_are_sparks(void **state)
{
    (void)state;
    json_error_t error;
    json_t *cases = json_load_file("tests/data/jsonl/cases.json", JSON_ALLOW_NUL, &error),
           *one;
    size_t i;
    if (!cases)
        fail_msg("%s", error.text);
    assert_true(json_array_size(cases) >= 15);
    json_array_foreach(cases, i, one) check_case(one);
    json_decref(cases);
}

/* ---- what is refused ---- */

static void check_refused(const char *schema, const char *select, const char *sensitive,
                          const char *text)
{
    const setting all[] = {{"value.schema", schema},
                           {"select", select},
                           {"spark.sql.caseSensitive", sensitive}};
    settings conf = {0};
    pst_reader *reader;
    pst_writer *writer;
    pst_err err = PST_ERR_INIT;
    apply(&conf, all, 3);
    pst_rc rc = open_both(&conf, &reader, &writer, &err);
    assert_int_equal(rc, text ? PST_E_CONFIG : PST_OK);
    if (text && !strstr(err.text, text))
        fail_msg("no '%s' in: %s", text, err.text);
    pst_format_jsonl.close(writer);
    pst_reader_free(reader);
    pst_conf_done(&SPEC, &conf);
}

static void columns_are_checked(void **state)
{
    (void)state;
    check_refused("a INT, b INT", "a AS x, b AS X", "false", "selected twice");
    check_refused("a INT, b INT", "a AS x, b AS X", "true", NULL);
    check_refused("a BINARY, b INT", "a, b", "true", NULL);
    check_refused("a ARRAY<INT>, b INT", "a", "false", "'a' is ARRAY<INT>");
}

static void a_pattern_that_does_not_fit_is_told(void **state)
{
    (void)state;
    const setting all[] = {{"value.schema", "d DATE"}, {"jsonl.dateFormat", "yyyy HH"}};
    settings conf = {0};
    pst_reader *reader;
    pst_writer *writer;
    pst_buf out;
    pst_err err = PST_ERR_INIT;
    pst_buf_init(&out, 1000);
    apply(&conf, all, 2);
    assert_int_equal(open_both(&conf, &reader, &writer, &err), PST_OK);
    assert_int_equal(put(reader, writer, "{\"d\":\"2024-01-01\"}", &out, &err),
                     PST_E_CONFIG);
    assert_non_null(strstr(err.text, "a date or time pattern asks for a field"));
    assert_int_equal(out.len, 0);
    pst_buf_done(&out);
    pst_format_jsonl.close(writer);
    pst_reader_free(reader);
    pst_conf_done(&SPEC, &conf);
}

/* ---- ceilings and memory ---- */

static void a_row_fits_or_leaves_nothing(void **state)
{
    (void)state;
    const setting all[] = {{"value.schema", "s STRING, b INT"}};
    settings conf = {0};
    pst_reader *reader;
    pst_writer *writer;
    pst_err err = PST_ERR_INIT;
    static const char record[] = "{\"s\":\"a\\nb\\u00e9\",\"b\":7}";
    static const char line[] = "{\"s\":\"a\\nb\xc3\xa9\",\"b\":7}\n";
    apply(&conf, all, 1);
    assert_int_equal(open_both(&conf, &reader, &writer, &err), PST_OK);
    for (size_t max = 0; max <= sizeof line - 1; max++) {
        pst_buf out;
        pst_err_clear(&err);
        pst_buf_init(&out, max);
        pst_rc rc = put(reader, writer, record, &out, &err);
        assert_int_equal(rc, max < sizeof line - 1 ? PST_E_LIMIT : PST_OK);
        assert_int_equal(out.len, rc == PST_OK ? max : 0);
        if (rc == PST_OK)
            assert_memory_equal(out.data, line, max);
        pst_buf_done(&out);
    }
    pst_format_jsonl.close(writer);
    pst_reader_free(reader);
    pst_conf_done(&SPEC, &conf);
}

static void refused_memory_is_told(void **state)
{
    (void)state;
    const setting all[] = {{"value.schema", "s STRING, d DATE, t TIMESTAMP"},
                           {"jsonl.dateFormat", "dd/MM"},
                           {"jsonl.timestampFormat", "HH:mm"}};
    settings conf = {0};
    apply(&conf, all, 3);
    long live = pst_fault_live();
    for (long n = 0;; n++) {
        pst_reader *reader;
        pst_writer *writer;
        pst_buf out;
        pst_err err = PST_ERR_INIT;
        pst_buf_init(&out, 1000);
        pst_fault_set(n);
        pst_rc rc = open_both(&conf, &reader, &writer, &err);
        if (rc == PST_OK)
            rc = put(reader, writer, "{\"s\":\"x\",\"d\":\"2024-01-01\"}", &out, &err);
        pst_fault_set(-1);
        pst_buf_done(&out);
        pst_format_jsonl.close(writer);
        pst_reader_free(reader);
        assert_int_equal(pst_fault_live(), live);
        if (rc == PST_OK) {
            assert_true(n > 10);
            break;
        }
        assert_int_equal(rc, PST_E_NOMEM);
    }
    pst_conf_done(&SPEC, &conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_sparks),
        cmocka_unit_test(columns_are_checked),
        cmocka_unit_test(a_pattern_that_does_not_fit_is_told),
        cmocka_unit_test(a_row_fits_or_leaves_nothing),
        cmocka_unit_test(refused_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

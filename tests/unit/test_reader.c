/*
 * test_reader.c - records to rows: modes, the corrupt record column, Kafka columns,
 * counters, dates that kill Spark's query, and memory that runs out at each allocation.
 */
#include "mem_fault.c"

#include "test_record_common.h"

#define SCHEMA "value.schema=id BIGINT, city STRING, d DATE, s STRUCT<a: INT, b: STRING>"

static void null_rows(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",  "  ", "null",   "[]",        "[{\"id\":1}]", "{",
        "x", "42", "{id:1}", "{\"id\":1", "{\"id\":01}",  "{\"id\":1,}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_line(OPTIONS(SCHEMA, "select=id, city"), bad[i], ",");
    check_line(OPTIONS(SCHEMA, "select=id"), "x", ""); /* an empty row is no row */
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pipe_open(&p, OPTIONS(SCHEMA, "select=id, city"), &err), PST_OK);
    assert_string_equal(pipe_line(&p, (pst_sv){NULL, 0}), ","); /* a tombstone */
    pipe_close(&p);
}

static void failfast(void **state)
{
    (void)state;
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(
        pipe_open(&p, OPTIONS(SCHEMA, "select=id", "json.mode=FAILFAST"), &err), PST_OK);
    assert_string_equal(pipe_line(&p, PST_SV("{\"id\":1}")), "1");
    assert_int_equal(pipe_put(&p, PST_SV("{\"id\":1,}"), &err), PST_E_INVALID);
    assert_string_equal(err.text, "malformed JSON at byte 9: expected a name in double "
                                  "quotes (json.mode=FAILFAST)");
    pst_err_clear(&err);
    assert_int_equal(pipe_put(&p, PST_SV("{\"id\":\"x\"}"), &err), PST_E_INVALID);
    assert_string_equal(err.text, "a field does not fit its type (json.mode=FAILFAST)");
    pst_err_clear(&err);
    assert_int_equal(pipe_put(&p, PST_SV("{\"d\":\"x\"}"), &err), PST_E_INVALID);
    pipe_close(&p);
}

static void corrupt_record_column(void **state)
{
    (void)state;
    const char *const *options =
        OPTIONS("value.schema=id BIGINT, _corrupt_record STRING", "csv.escape=\"");
    check_line(options, "{\"id\":1}", "1,");
    check_line(options, "{\"id\":\"x\"}", ",\"{\"\"id\"\":\"\"x\"\"}\"");
    check_line(options, "oops\xff", ",oops\xef\xbf\xbd");
    check_line(options, "{\"_corrupt_record\":\"no\",\"id\":2}", "2,");
    check_line(options, "", ",");
    check_refused(OPTIONS("value.schema=id BIGINT, _corrupt_record INT"),
                  "must be STRING");
    check_line(OPTIONS("value.schema=id BIGINT, bad STRING",
                       "json.columnNameOfCorruptRecord=bad"),
               "7", ",7");
}

static void partial_results(void **state)
{
    (void)state;
    const char *json = "{\"id\":1,\"s\":{\"a\":\"x\",\"b\":\"y\"},\"city\":\"Oslo\"}";
    check_line(OPTIONS(SCHEMA, "select=id, s.a, s.b, city"), json, "1,,y,Oslo");
    check_line(OPTIONS(SCHEMA, "select=id, s.a, s.b, city",
                       "spark.sql.json.enablePartialResults=false"),
               json, "1,,,");
}

/* What Spark 3.5.1 wrote: a map keeps parts of structs, not of maps or arrays. */
static void partial_results_in_maps(void **state)
{
    (void)state;
    const char *maps =
        "value.schema=x MAP<STRING, MAP<STRING, STRUCT<a: INT, e: INT>>>, c INT";
    const char *select = "select=x['a']['b'].e AS e, c";
    check_line(OPTIONS(maps, select),
               "{\"x\":{\"a\":{\"b\":{\"e\":1},\"k\":{\"a\":\"bad\"}}},\"c\":3}", ",3");
    check_line(OPTIONS(maps, select), "{\"x\":{\"a\":{\"b\":{\"e\":1}}},\"c\":3}", "1,3");
    check_line(OPTIONS("value.schema=x MAP<STRING, STRUCT<a: INT, e: INT>>, c INT",
                       "select=x['a'].e AS e, c"),
               "{\"x\":{\"a\":{\"a\":\"bad\",\"e\":1}},\"c\":3}", "1,3");
}

static void counters(void **state)
{
    (void)state;
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pipe_open(&p, OPTIONS(SCHEMA, "select=id, d"), &err), PST_OK);
    const pst_reader_stats *stats = pst_reader_get_stats(p.reader);
    (void)pipe_line(&p, PST_SV("{\"id\":1,\"d\":\"1990-02-30\"}"));
    assert_int_equal(stats->time_policy, 1);
    assert_int_equal(stats->bad_fields, 1);
    assert_int_equal(stats->exact, 0);
    (void)pipe_line(&p, PST_SV("{\"d\":\"nonsense\"}"));
    assert_int_equal(stats->time_policy, 1);
    (void)pipe_line(&p, PST_SV("{'id':1}"));
    assert_int_equal(stats->exact, 1);
    (void)pipe_line(&p, PST_SV("nope"));
    assert_int_equal(stats->malformed, 1);
    assert_int_equal(stats->records, 4);
    pipe_close(&p);
}

static void time_policies(void **state)
{
    (void)state;
    const char *json = "{\"d\":\"1990-02-30\"}";
    check_line(OPTIONS(SCHEMA, "select=id, d"), json, ",");
    check_line(
        OPTIONS(SCHEMA, "select=id, d", "spark.sql.legacy.timeParserPolicy=LEGACY"), json,
        ",1990-03-02");
    check_line(OPTIONS(SCHEMA, "select=id, d", "json.dateFormat=dd.MM.yyyy"),
               "{\"d\":\"24.12.2021\"}", ",2021-12-24");
    check_refused(OPTIONS(SCHEMA, "json.dateFormat=yyyy-MM-dd Q"), "illegal pattern");
}

static pst_rc whole_life(void)
{
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    pst_rc rc = pipe_open(&p,
                          OPTIONS("value.schema=id BIGINT, `c d` STRING, s STRUCT<a: "
                                  "DECIMAL(5,2), t: TIMESTAMP>",
                                  "select=id, `c d`, s.*, upper(`c d`) AS u, "
                                  "date_format(s.t, 'yyyy') AS y",
                                  "spark.sql.session.timeZone=Europe/Istanbul",
                                  "csv.timestampFormat=yyyy"),
                          &err);
    if (rc == PST_OK)
        rc = pipe_put(
            &p,
            PST_SV("{\"id\":1,\"c d\":\"\\u00e9,\",\"s\":{\"a\":1.5,\"t\":\"2021\"}}"),
            &err);
    if (rc == PST_OK)
        rc = pipe_put(&p, PST_SV("{\"c d\":{'x':[\"\\u00e9\"]}}"), &err);
    pipe_close(&p);
    return rc;
}

static void memory_runs_out(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        pst_fault_set(n);
        pst_rc rc = whole_life();
        bool hit = pst_fault_hits() > 0;
        pst_fault_set(-1);
        assert_int_equal(pst_fault_live(), 0);
        if (!hit) {
            assert_int_equal(rc, PST_OK);
            assert_true(n > 50);
            break;
        }
        assert_true(rc == PST_E_NOMEM || rc == PST_E_CONFIG || rc == PST_OK);
    }
}

/* ---- fields behind the selected columns ---- */

static void extra_row(pst_reader *reader, const char *json, pst_row *row)
{
    pst_msg msg = {.topic = "users", .timestamp_ms = 5, .value = pst_sv_of(json)};
    assert_int_equal(pst_reader_read(reader, &msg, row, NULL), PST_OK);
}

static void extra_fields(void **state)
{
    char first[] = "name.First", dotted[] = "`a.b`", id[] = "id",
         nested[] = "data.name.last";
    char *paths[] = {first, dotted, id, nested};
    char select[] = "id AS x, name.last";
    char schema[] = "id BIGINT, name STRUCT<First: STRING, last: STRING>, `a.b` DATE, "
                    "data STRUCT<name: STRUCT<last: INT>>";
    pst_reader_conf conf = {.value_schema = schema,
                            .select = select,
                            .enable_partial_results = true,
                            .extra = paths,
                            .n_extra = 4};
    static const pst_type types[] = {PST_T_STRING, PST_T_DATE, PST_T_LONG, PST_T_INT};
    pst_reader *reader = NULL;
    pst_row row;
    size_t n;
    (void)state;
    assert_int_equal(pst_reader_new(&reader, &conf, NULL), PST_OK);
    const pst_column *columns = pst_reader_columns(reader, &n);
    assert_int_equal(n, 2);
    assert_string_equal(columns[1].name, "last");
    columns = pst_reader_extra(reader, &n);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(columns[i].name, paths[i]);
        assert_int_equal(columns[i].type, types[i]);
    }
    extra_row(reader,
              "{\"id\":7,\"name\":{\"First\":\"A\",\"last\":\"B\"},"
              "\"a.b\":\"1970-01-03\",\"data\":{\"name\":{\"last\":9}}}",
              &row);
    assert_int_equal(row.n, 2);
    assert_int_equal(row.cells[0].as.i, 7);
    assert_true(pst_sv_is(row.cells[1].as.s, "B"));
    assert_true(pst_sv_is(row.cells[2].as.s, "A"));
    assert_int_equal(row.cells[3].as.i, 2);
    assert_int_equal(row.cells[4].as.i, 7);
    assert_int_equal(row.cells[5].as.i, 9);
    extra_row(reader, "[broken", &row);
    for (size_t i = 0; i < 6; i++)
        assert_true(row.cells[i].null);
    pst_reader_free(reader);
}

/* Of the value only: no Kafka column stands in for a field that is not there. */
static void extra_fields_that_are_not_there(void **state)
{
    static const struct {
        const char *path, *why;
    } cases[] = {{"timestamp", "no column 'timestamp' in value.schema"},
                 {"nam.first", "did you mean 'name'?"},
                 {"name.frist", "no column 'frist' in name; did you mean 'first'?"},
                 {"id.x", "'id' is BIGINT and has no field 'x'"},
                 {"name..first", "'name..first' has an empty name"},
                 {"", "has an empty name"}};
    char schema[] = "id BIGINT, name STRUCT<first: STRING>";
    pst_reader_conf conf = {.value_schema = schema};
    pst_column column;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pst_err err = PST_ERR_INIT;
        pst_rc rc = pst_reader_check_extra(&conf, cases[i].path, &column, &err);
        assert_int_equal(rc, PST_E_CONFIG);
        if (!strstr(err.text, cases[i].why))
            fail_msg("'%s': %s", cases[i].path, err.text);
    }
    assert_int_equal(pst_reader_check_extra(&conf, "name.first", &column, NULL), PST_OK);
    assert_int_equal(column.type, PST_T_STRING);
    assert_int_equal(pst_reader_check_extra(&conf, "NAME", &column, NULL), PST_OK);
    assert_int_equal(column.type, PST_T_STRUCT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_rows),
        cmocka_unit_test(failfast),
        cmocka_unit_test(corrupt_record_column),
        cmocka_unit_test(partial_results),
        cmocka_unit_test(partial_results_in_maps),
        cmocka_unit_test(counters),
        cmocka_unit_test(time_policies),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(extra_fields),
        cmocka_unit_test(extra_fields_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

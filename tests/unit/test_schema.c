/*
 * test_schema.c - Spark DDL: what is accepted, what is refused and where.
 */
#include "record/schema.h"

#include "test_record_common.h"

static pst_dtype *parse(const char *ddl)
{
    pst_dtype *type = NULL;
    pst_err err = PST_ERR_INIT;
    if (pst_schema_parse(&type, ddl, &err) != PST_OK)
        fail_msg("%s: %s", ddl, err.text);
    return type;
}

static void refuse(const char *ddl, const char *text)
{
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_schema_check(ddl, &err), PST_E_CONFIG);
    assert_string_equal(err.text, text);
}

static void all_types(void **state)
{
    (void)state;
    pst_dtype *t =
        parse("a BOOLEAN, b TINYINT, c byte, d SMALLINT, e INT, f integer, g BIGINT,"
              "h long, i FLOAT, j real, k DOUBLE, l DECIMAL, m DEC(5), n "
              "NUMERIC(38,18), o STRING, p BINARY, q DATE, r TIMESTAMP, s "
              "TIMESTAMP_NTZ, t TIMESTAMP_LTZ");
    static const pst_type want[] = {
        PST_T_BOOLEAN, PST_T_BYTE,      PST_T_BYTE,          PST_T_SHORT,
        PST_T_INT,     PST_T_INT,       PST_T_LONG,          PST_T_LONG,
        PST_T_FLOAT,   PST_T_FLOAT,     PST_T_DOUBLE,        PST_T_DECIMAL,
        PST_T_DECIMAL, PST_T_DECIMAL,   PST_T_STRING,        PST_T_BINARY,
        PST_T_DATE,    PST_T_TIMESTAMP, PST_T_TIMESTAMP_NTZ, PST_T_TIMESTAMP};
    assert_int_equal(t->n_fields, 20);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(t->fields[i].type.type, want[i]);
    assert_int_equal(t->fields[11].type.precision, 10);
    assert_int_equal(t->fields[12].type.scale, 0);
    assert_int_equal(t->fields[13].type.scale, 18);
    pst_dtype_free(t);
}

static void nested_types_and_attributes(void **state)
{
    (void)state;
    pst_dtype *t =
        parse("name STRUCT<first: STRING NOT NULL COMMENT 'a, b', last STRING> "
              "NOT NULL COMMENT \"x\", tags ARRAY<STRUCT<a:INT>>, m MAP<STRING, "
              "ARRAY<INT>>, `odd ``name` INT, e STRUCT<> -- note\n, /* c /* d */ */ z "
              "INT");
    char name[64];
    assert_int_equal(t->n_fields, 6);
    assert_string_equal(t->fields[0].type.fields[1].name, "last");
    assert_string_equal(t->fields[3].name, "odd `name");
    pst_dtype_name(&t->fields[1].type, name, sizeof name);
    assert_string_equal(name, "ARRAY<STRUCT<a: INT>>");
    pst_dtype_name(&t->fields[2].type, name, sizeof name);
    assert_string_equal(name, "MAP<STRING, ARRAY<INT>>");
    pst_dtype_free(t);
    t = parse("STRUCT<a: INT, b: STRING>");
    assert_int_equal(t->n_fields, 2);
    pst_dtype_free(t);
    t = parse("struct INT, STRING STRING"); /* names that are types */
    assert_string_equal(t->fields[1].name, "STRING");
    pst_dtype_free(t);
}

static void errors_have_positions(void **state)
{
    (void)state;
    refuse("", "at character 1: the schema is empty; example: id BIGINT, name STRING");
    refuse("id BIGNIT", "at character 4: unknown type 'BIGNIT'; did you mean BIGINT?");
    refuse("id", "at character 3: column 'id' has no type");
    refuse("id INT,", "at character 8: expected a column name, found the end");
    refuse("id INT name STRING", "at character 8: expected ',' or the end, found 'name'");
    refuse("a VARCHAR(5)", "at character 3: from_json has no type VARCHAR; use STRING");
    refuse("a DECIMAL(39)",
           "at character 11: the precision of DECIMAL must be from 1 to 38");
    refuse("a DECIMAL(5,6)", "at character 13: the scale of DECIMAL must be from 0 to 5");
    refuse("a STRUCT<b: INT",
           "at character 16: expected '>' at the end of STRUCT<…, found the end");
    refuse("a INT, a STRING", "at character 8: column 'a' is there twice");
    refuse("first-name STRING",
           "at character 6: a name with '-' needs back-quotes: `first-…`");
    refuse("`x INT", "at character 1: back-quoted name is not closed");
    refuse("a INT /* x", "at character 7: comment is not closed by */");
    refuse("a INT NOT", "at character 10: expected NULL after NOT, found the end");
    refuse("caf\xc3\xa9 INT", "at character 4: byte 0xc3; names that are not plain ASCII "
                              "letters, digits and _ need back-quotes");
}

static void depth_and_width_have_ceilings(void **state)
{
    (void)state;
    char ddl[PST_SCHEMA_DEPTH_MAX * 16 + 200] = "a ";
    size_t at = 2;
    for (int i = 0; i < PST_SCHEMA_DEPTH_MAX + 2; i++)
        at += (size_t)snprintf(ddl + at, sizeof ddl - at, "ARRAY<");
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_schema_check(ddl, &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "types are nested deeper than 64"));
    pst_buf wide;
    pst_buf_init(&wide, 1 << 20);
    for (int i = 0; i <= PST_SCHEMA_FIELDS_MAX; i++)
        assert_int_equal(pst_buf_addf(&wide, "%sc%d INT", i ? ", " : "", i), PST_OK);
    pst_err_clear(&err);
    assert_int_equal(pst_schema_check(pst_buf_cstr(&wide), &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "more than 10000 columns"));
    pst_buf_done(&wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_types),
        cmocka_unit_test(nested_types_and_attributes),
        cmocka_unit_test(errors_have_positions),
        cmocka_unit_test(depth_and_width_have_ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

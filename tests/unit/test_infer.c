/*
 * test_infer.c - a DDL out of records: kinds, merging, names, limits; and that the DDL is
 * one that the schema's own parser takes.
 */
#include "record/infer.h"

#include "record/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "mem_fault.c"

enum { MAX_RECORDS = 8 };

static void learn(pst_infer *infer, const char *record)
{
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_infer_add(infer, pst_sv_of(record), &err), PST_OK);
}

/* The DDL of some records (NULL-terminated) is `ddl`, and parses. */
static void expect(const char *ddl, const char *const records[MAX_RECORDS])
{
    pst_err err = PST_ERR_INIT;
    pst_infer *infer = pst_infer_new();
    assert_non_null(infer);
    for (int i = 0; records[i]; i++)
        learn(infer, records[i]);
    pst_buf out;
    pst_buf_init(&out, 100000);
    assert_int_equal(pst_infer_ddl(infer, &out, &err), PST_OK);
    const char *text = pst_buf_cstr(&out);
    assert_string_equal(text, ddl);
    pst_dtype *type = NULL;
    assert_int_equal(pst_schema_parse(&type, text, &err), PST_OK);
    pst_dtype_free(type);
    pst_buf_done(&out);
    pst_infer_free(infer);
}

#define EXPECT(ddl, ...) expect(ddl, (const char *const[MAX_RECORDS]){__VA_ARGS__, NULL})

static void test_kinds(void **state)
{
    (void)state;
    EXPECT("a BIGINT, b DOUBLE, c STRING, d BOOLEAN, e STRING",
           "{\"a\": 1, \"b\": 1.5, \"c\": \"x\", \"d\": true, \"e\": null}");
    EXPECT("a STRING", "{\"a\": \"2026-11-23\"}");
    EXPECT("a DOUBLE", "{\"a\": 1e3}");
    EXPECT("a STRUCT<b: STRUCT<c: BIGINT>>, d ARRAY<ARRAY<BOOLEAN>>",
           "{\"a\": {\"b\": {\"c\": -7}}, \"d\": [[false]]}");
    EXPECT("a ARRAY<STRING>, b ARRAY<STRING>", "{\"a\": [], \"b\": [null]}");
}

static void test_merging(void **state)
{
    (void)state;
    EXPECT("a BIGINT", "{\"a\": null}", "{\"a\": 1}", "{\"a\": null}");
    EXPECT("a DOUBLE", "{\"a\": 1}", "{\"a\": 2.5}", "{\"a\": 3}");
    EXPECT("a STRING", "{\"a\": 1}", "{\"a\": \"x\"}");
    EXPECT("a STRING", "{\"a\": true}", "{\"a\": 1}");
    EXPECT("a STRING", "{\"a\": {\"b\": 1}}", "{\"a\": [1]}", "{\"a\": {\"b\": 1}}");
    EXPECT("a BIGINT, b STRING, c DOUBLE", "{\"a\": 1}", "{\"b\": \"x\"}",
           "{\"c\": 0.5, \"a\": 2}");
    EXPECT("s STRUCT<a: BIGINT, b: STRING>", "{\"s\": {\"a\": 1}}",
           "{\"s\": {\"b\": \"x\"}}", "{\"s\": null}");
    EXPECT("l ARRAY<STRUCT<a: DOUBLE, b: BOOLEAN>>",
           "{\"l\": [{\"a\": 1}, {\"a\": 2.5}]}", "{\"l\": [{\"b\": true}]}");
}

static void test_large_numbers(void **state)
{
    (void)state;
    EXPECT("a BIGINT", "{\"a\": 9223372036854775807}");
    EXPECT("a BIGINT", "{\"a\": -9223372036854775808}");
    EXPECT("a DECIMAL(38,0)", "{\"a\": 9223372036854775808}");
    EXPECT("a DECIMAL(38,0), b BIGINT", "{\"a\": -9223372036854775809, \"b\": 3}");
    EXPECT("a DECIMAL(38,0)", "{\"a\": 1}", "{\"a\": 12345678901234567890}");
    EXPECT("a DOUBLE", "{\"a\": 12345678901234567890}", "{\"a\": 0.5}");
    EXPECT("a DOUBLE", "{\"a\": 123456789012345678901234567890123456789}");
    EXPECT("a DOUBLE", "{\"a\": 0.12345678901234567890}");
    EXPECT("a DOUBLE", "{\"a\": 12345678901234567890.5}");
    EXPECT("a STRING", "{\"a\": \"\\\"12345678901234567890\"}");
    EXPECT("`12345678901234567890` BIGINT", "{\"12345678901234567890\": 1}");
}

static void test_names(void **state)
{
    (void)state;
    EXPECT("_a1 BIGINT, `b c` BIGINT, `d``e` BIGINT, `1f` BIGINT",
           "{\"_a1\": 1, \"b c\": 1, \"d`e\": 1, \"1f\": 1}");
    EXPECT("s STRUCT<`ü`: BIGINT>", "{\"s\": {\"ü\": 1}, \"\": 5}");
    EXPECT("a BIGINT",
           "{\"a\": 1, \"empty\": {}, \"list\": [{}], \"deep\": {\"x\": {}}}");
}

static void expect_invalid(const char *record, const char *text)
{
    pst_err err = PST_ERR_INIT;
    pst_infer *infer = pst_infer_new();
    assert_int_equal(pst_infer_add(infer, pst_sv_of(record), &err), PST_E_INVALID);
    assert_non_null(strstr(err.text, text));
    pst_err_clear(&err);
    pst_buf out;
    pst_buf_init(&out, 1000);
    assert_int_equal(pst_infer_ddl(infer, &out, &err), PST_E_INVALID);
    assert_string_equal(err.text, "no record had a field to infer from");
    pst_buf_done(&out);
    pst_infer_free(infer);
}

static void test_invalid(void **state)
{
    (void)state;
    expect_invalid("", "not JSON");
    expect_invalid("{\"a\": 1", "not JSON");
    expect_invalid("[1]", "no object");
    expect_invalid("12345678901234567890123", "not JSON");
    pst_infer *infer = pst_infer_new();
    assert_int_equal(pst_infer_add(infer, (pst_sv){NULL, 0}, NULL), PST_E_INVALID);
    pst_infer_free(infer);
    pst_infer_free(NULL);
}

static void test_limits(void **state)
{
    (void)state;
    pst_infer *infer = pst_infer_new();
    pst_err err = PST_ERR_INIT;
    pst_rc rc = PST_OK;
    for (int i = 0; rc == PST_OK && i <= PST_INFER_FIELDS_MAX; i++) {
        char record[40];
        snprintf(record, sizeof record, "{\"f%d\": %d}", i, i);
        rc = pst_infer_add(infer, pst_sv_of(record), &err);
    }
    assert_int_equal(rc, PST_E_LIMIT);
    assert_string_equal(err.text, "more than 10000 fields");
    pst_infer_free(infer);
}

/* Too deep for the schema's parser: the rest is taken as text. */
static void test_depth(void **state)
{
    (void)state;
    char record[2000] = "", ddl[4000];
    size_t n = 0;
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(record + n, sizeof record - n, "{\"a\":");
    record[n++] = '1';
    for (int i = 0; i < 100; i++)
        record[n++] = '}';
    pst_infer *infer = pst_infer_new();
    learn(infer, record);
    pst_buf out;
    pst_buf_init(&out, sizeof ddl);
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_infer_ddl(infer, &out, &err), PST_OK);
    pst_dtype *type = NULL;
    assert_int_equal(pst_schema_parse(&type, pst_buf_cstr(&out), &err), PST_OK);
    pst_dtype_free(type);
    pst_buf_done(&out);
    pst_infer_free(infer);
}

static pst_rc happy_path(void)
{
    pst_err err = PST_ERR_INIT;
    pst_infer *infer = pst_infer_new();
    if (!infer)
        return PST_E_NOMEM;
    pst_rc rc = pst_infer_add(
        infer, PST_SV("{\"a\": [{\"b\": 12345678901234567890}], \"c\": {\"d\": 1}}"),
        &err);
    pst_buf out;
    pst_buf_init(&out, 1000);
    if (rc == PST_OK)
        rc = pst_infer_ddl(infer, &out, &err);
    pst_buf_done(&out);
    pst_infer_free(infer);
    return rc;
}

static void test_no_memory(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        pst_fault_set(n);
        pst_rc rc = happy_path();
        pst_fault_set(-1);
        assert_int_equal(pst_fault_live(), 0);
        if (rc == PST_OK)
            break;
        assert_int_equal(rc, PST_E_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),  cmocka_unit_test(test_merging),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_large_numbers),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_depth),  cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

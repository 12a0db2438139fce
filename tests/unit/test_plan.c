/*
 * test_plan.c - schema and select list bound together: which fields are read at all.
 */
#include "record/plan.h"

#include "test_record_common.h"

static pst_plan *plan_of(const char *schema, const char *select, bool comments)
{
    pst_plan *plan = NULL;
    pst_err err = PST_ERR_INIT;
    pst_reader_conf conf = {.value_schema = (char *)(uintptr_t)schema,
                            .select = (char *)(uintptr_t)select,
                            .allow_single_quotes = true,
                            .allow_non_numeric_numbers = true,
                            .allow_comments = comments,
                            .corrupt_record_column =
                                (char *)(uintptr_t) "_corrupt_record"};
    if (pst_plan_new(&plan, &conf, &err) != PST_OK)
        fail_msg("%s", err.text);
    return plan;
}

static bool finds(const pst_plan *plan, const char *name)
{
    bool found = pst_node_find(&plan->root, pst_sv_of(name), 0) != NULL;
    for (size_t guess = 1; guess < 4; guess++)
        assert_int_equal(pst_node_find(&plan->root, pst_sv_of(name), guess) != NULL,
                         found);
    return found;
}

static void names(void **state)
{
    (void)state;
    pst_plan *plan = plan_of("a INT, b INT, c STRUCT<x: INT, y: INT>", "c.y, a", false);
    assert_int_equal(plan->n_outputs, 2);
    assert_int_equal(plan->n_slots, 2);
    assert_true(finds(plan, "a") && finds(plan, "b") && finds(plan, "c"));
    assert_false(finds(plan, "A") || finds(plan, "") || finds(plan, "y"));
    pst_plan_free(plan);
}

/* One column alone, no options: Spark gives from_json a schema of it only. */
static void one_column_prunes(void **state)
{
    (void)state;
    pst_plan *plan = plan_of("a INT, b INT, c STRUCT<x: INT, y: INT>",
                             "c.y, c.x, concat(c.x, c.y) AS z, topic", false);
    assert_true(finds(plan, "c"));
    assert_false(finds(plan, "a") || finds(plan, "b"));
    pst_plan_free(plan);
    plan = plan_of("a INT, b INT", "a", true);
    assert_true(finds(plan, "b"));
    pst_plan_free(plan);
    plan = plan_of("a INT, b INT", "a, b", false);
    assert_true(finds(plan, "b"));
    pst_plan_free(plan);
}

/* What Spark wrote for the same records. */
static void pruned_rows(void **state)
{
    (void)state;
    const char *schema = "value.schema=a STRING, x STRUCT<b: INT>";
    const char *broken = "{\"a\":\"q\",\"x\":{\"b\":nul}}";
    check_line(OPTIONS(schema, "select=a, topic"), broken, ",users");
    check_line(OPTIONS(schema, "select=a, x.b"), broken, "q,");
    check_line(OPTIONS(schema, "select=a, topic", "json.allowComments=true"), broken,
               "q,users");
    const char *corrupt =
        "value.schema=a STRING, x STRUCT<b: INT>, _corrupt_record STRING";
    check_line(OPTIONS(corrupt, "select=_corrupt_record, topic"), "{\"x\":{\"b\":1.5}}",
               ",users");
    check_line(OPTIONS(corrupt, "select=_corrupt_record, topic"), "{\"a",
               "\"{\\\"a\",users");
}

/* The column for bad records is never read from the JSON, not even where it is next. */
static void corrupt_record_is_no_field(void **state)
{
    (void)state;
    pst_plan *plan = plan_of("a INT, _corrupt_record STRING", "*", false);
    assert_true(finds(plan, "a"));
    assert_false(finds(plan, "_corrupt_record"));
    pst_plan_free(plan);
    check_line(OPTIONS("value.schema=a INT, _corrupt_record STRING, b INT"),
               "{\"a\":1,\"_corrupt_record\":\"x\",\"b\":2}", "1,,2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(one_column_prunes),
        cmocka_unit_test(pruned_rows),
        cmocka_unit_test(corrupt_record_is_no_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

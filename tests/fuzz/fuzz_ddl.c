/*
 * fuzz_ddl.c - a schema in Spark's DDL: parsed, named, and made into a reader that reads
 * a few records.
 */
#include "fuzz_row.h"
#include "record/schema.h"

static const fuzz_dialect plain = {"", {',', '"', '\\', "\n"}, true, true};

static void read_some(const char *ddl)
{
    static const char *const values[] = {
        "{}", "null", "{\"a\":[1,{\"b\":\"c\"}],\"b\":2}", "[{\"a\":1}]"};
    pst_props props;
    pst_conf_report report;
    fuzz_pipe pipe;
    pst_props_init(&props);
    pst_conf_report_init(&report);
    pst_prop item = {.key = (char *)(uintptr_t) "value.schema",
                     .value = (char *)(uintptr_t)ddl};
    pst_props borrowed = {.items = &item, .n = 1};
    bool open = fuzz_pipe_open(&pipe, &borrowed, &plain, false);
    for (size_t i = 0; open && i < sizeof values / sizeof *values; i++) {
        pst_msg msg = {.topic = "t", .value = pst_sv_of(values[i])};
        if (pipe.columns <= CSV_FIELDS_MAX)
            FUZZ_CHECK(fuzz_pipe_run(&pipe, &msg) == PST_OK);
    }
    if (open)
        fuzz_pipe_close(&pipe);
    pst_props_done(&props);
    pst_conf_report_done(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *ddl = fuzz_string((pst_sv){(const char *)data, size});
    pst_dtype *type = NULL;
    pst_err err = PST_ERR_INIT;
    pst_rc rc = pst_schema_parse(&type, ddl, &err);
    if (rc == PST_OK) {
        char name[200];
        FUZZ_CHECK(type->type == PST_T_STRUCT);
        pst_dtype_name(type, name, sizeof name);
        FUZZ_CHECK(strlen(name) < sizeof name);
        read_some(ddl);
    } else {
        fuzz_check_err(rc, &err);
    }
    pst_dtype_free(type);
    pst_free(ddl);
    return 0;
}

/*
 * fuzz_select.c - a select list over a fixed schema: parsed, bound, and run over a few
 * records, among them a tombstone.
 */
#include "fuzz_row.h"
#include "record/select.h"

static const fuzz_dialect plain = {"", {',', '"', '\\', "\n"}, true, true};

static const char schema[] =
    "id BIGINT, name STRUCT<first: STRING, last: STRING, `odd name`: INT>, d DOUBLE, f "
    "FLOAT, b BOOLEAN, n INT, t TIMESTAMP, z TIMESTAMP_NTZ, day DATE, m DECIMAL(12,3), "
    "x BINARY, a ARRAY<STRUCT<k: STRING>>, h MAP<STRING, STRING>";

static const char *const values[] = {
    "{\"id\":1,\"name\":{\"first\":\"Ada\",\"last\":\"L, \\\"x\\\"\",\"odd name\":-5},"
    "\"d\":1e300,\"f\":0.1,\"b\":true,\"n\":2147483647,\"t\":\"2024-02-29T12:00:00Z\","
    "\"z\":\"2024-02-29T12:00:00\",\"day\":\"2024-02-29\",\"m\":123456789.125,\"x\":"
    "\"AAEC\",\"a\":[{\"k\":\"v\"},null],\"h\":{\"p\":\"q\"}}",
    "{\"id\":-9223372036854775808,\"name\":{\"first\":\"2024-13-01\",\"last\":\"  12 \"},"
    "\"d\":\"NaN\",\"n\":-1,\"t\":\"9999-12-31T23:59:59.999999Z\",\"day\":\"0001-01-01\","
    "\"m\":-0.001}",
    "{}",
    "no json",
};

static pst_rc run(fuzz_pipe *pipe)
{
    pst_msg msg = {.topic = "t", .partition = 3, .offset = 1, .timestamp_ms = -1};
    pst_rc rc = fuzz_pipe_run(pipe, &msg); /* a tombstone */
    for (size_t i = 0; rc == PST_OK && i < sizeof values / sizeof *values; i++) {
        msg = (pst_msg){.topic = "t",
                        .offset = INT64_MAX,
                        .timestamp_ms = 1700000000123,
                        .key = PST_SV("k\xff"),
                        .value = pst_sv_of(values[i])};
        rc = fuzz_pipe_run(pipe, &msg);
    }
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *list = fuzz_string((pst_sv){(const char *)data, size});
    pst_prop items[] = {
        {.key = (char *)(uintptr_t) "value.schema", .value = (char *)(uintptr_t)schema},
        {.key = (char *)(uintptr_t) "select", .value = list}};
    pst_props props = {.items = items, .n = 2};
    pst_select select;
    pst_err err = PST_ERR_INIT;
    fuzz_pipe pipe;
    pst_rc rc = pst_select_parse(&select, list, &err);
    if (rc == PST_OK)
        pst_select_done(&select);
    else
        fuzz_check_err(rc, &err);
    if (rc == PST_OK && fuzz_pipe_open(&pipe, &props, &plain, false)) {
        if (pipe.columns <= CSV_FIELDS_MAX) {
            rc = run(&pipe);
            FUZZ_CHECK(rc == PST_OK || rc == PST_E_LIMIT);
        }
        fuzz_pipe_close(&pipe);
    }
    pst_free(list);
    return 0;
}

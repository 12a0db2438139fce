/*
 * fuzz_infer.c - a schema out of sample records, one a line: the DDL that comes out is
 * one that the DDL parser takes.
 */
#include "fuzz.h"
#include "record/infer.h"
#include "record/schema.h"

static void check_ddl(pst_buf *ddl)
{
    pst_err err = PST_ERR_INIT;
    pst_dtype *type = NULL;
    const char *text = pst_buf_cstr(ddl);
    FUZZ_CHECK(text && strlen(text) == ddl->len);
    pst_rc rc = pst_schema_parse(&type, text, &err);
    if (rc != PST_OK)
        fprintf(stderr, "%s\n%s\n", text, err.text);
    FUZZ_CHECK(rc == PST_OK);
    pst_dtype_free(type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    pst_infer *infer = pst_infer_new();
    pst_buf ddl;
    bool seen = false;
    FUZZ_CHECK(infer);
    while (in.p && in.n) {
        pst_err err = PST_ERR_INIT;
        pst_rc rc = pst_infer_add(infer, fuzz_line(&in), &err);
        seen |= rc == PST_OK;
        if (rc != PST_OK)
            fuzz_check_err(rc, &err);
    }
    pst_err err = PST_ERR_INIT;
    pst_buf_init(&ddl, 16 * 1024 * 1024);
    pst_rc rc = pst_infer_ddl(infer, &ddl, &err);
    if (rc == PST_OK)
        check_ddl(&ddl);
    else
        fuzz_check_err(rc, &err);
    FUZZ_CHECK(seen || rc == PST_E_INVALID);
    pst_buf_done(&ddl);
    pst_infer_free(infer);
    return 0;
}

/*
 * fuzz_envelope.c - an answer of the random user API: a page of records, each of them
 * JSON again, or an error that is told in one printable line.
 *
 * First byte: the output, and whether a key is needed; second: how many users are asked
 * for.
 */
#include "connectors/randomuser/internal.h"
#include "fuzz.h"

#include <jansson.h>

static void check_record(const pst_randomuser_page *page, size_t i)
{
    pst_sv value = pst_randomuser_page_value(page, i);
    json_error_t why;
    json_t *json = json_loadb(value.p, value.n, JSON_ALLOW_NUL, &why);
    /* jansson takes no number beyond its own; what becomes of it is the reader's. */
    FUZZ_CHECK(json_is_object(json) ||
               json_error_code(&why) == json_error_numeric_overflow);
    json_decref(json);
    (void)pst_randomuser_page_key(page, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    unsigned how = fuzz_choose(&in, 4);
    size_t max = fuzz_choose(&in, 10);
    pst_randomuser_shape shape = {how & 1 ? PST_RANDOMUSER_FLAT : PST_RANDOMUSER_RAW,
                                  (how & 2) != 0};
    pst_randomuser_page page;
    pst_err err = PST_ERR_INIT;
    char text[120];
    pst_randomuser_page_init(&page);
    pst_rc rc = pst_randomuser_page_parse(&page, fuzz_rest(&in), &shape, max, &err);
    if (rc == PST_OK) {
        FUZZ_CHECK(page.n <= max);
        for (size_t i = 0; i < page.n; i++) {
            check_record(&page, i);
            FUZZ_CHECK(!shape.need_key || pst_randomuser_page_key(&page, i).p);
        }
    } else {
        fuzz_check_err(rc, &err);
        FUZZ_CHECK(err.retriable && page.n == 0);
    }
    pst_randomuser_page_done(&page);
    if (pst_randomuser_error_text(fuzz_rest(&in), text, sizeof text))
        for (const char *p = text; *p; p++)
            FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
    return 0;
}

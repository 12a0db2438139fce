/*
 * fuzz_headers.c - headers of HTTP answers: looking them up, dates, Retry-After, and an
 * object's metadata, which must come back as it was sent.
 *
 * First byte: 0 = the rest is a block of headers, 1 = it is metadata, a value a line.
 */
#include "fuzz.h"
#include "store/s3.h"

static void read_block(pst_sv block)
{
    pst_http_response res;
    pst_store_meta meta;
    pst_http_response_init(&res);
    if (pst_buf_add(&res.raw_headers, block.p, block.n) == PST_OK) {
        pst_sv rest = block, name, value;
        while (pst_http_next_header(&rest, &name, &value)) {
            FUZZ_CHECK(name.n && name.p >= block.p);
            FUZZ_CHECK(value.p + value.n <= block.p + block.n);
        }
        int after = pst_http_retry_after_ms(&res, 1700000000000);
        FUZZ_CHECK(after >= 0 && after <= 3600 * 1000);
        int64_t when;
        (void)pst_http_date(pst_http_header(&res, "date"), &when);
        pst_s3_meta_read(&res, &meta);
        FUZZ_CHECK(meta.n <= PST_STORE_META_MAX);
        for (size_t i = 0; i < meta.n; i++)
            FUZZ_CHECK(pst_store_meta_get(&meta, meta.pairs[i].name));
    }
    pst_http_response_done(&res);
}

/* What curl makes of "Name: value" and "Name;", as a server sends it back. */
static void send_back(const pst_s3_headers *headers, pst_http_response *res)
{
    for (size_t i = 0; i < headers->n; i++) {
        const char *line = headers->text.data + headers->starts[i];
        size_t n = strlen(line);
        bool bare = n && line[n - 1] == ';' && !strchr(line, ':');
        FUZZ_CHECK(!strpbrk(line, "\r\n"));
        FUZZ_CHECK(pst_buf_addf(&res->raw_headers, "%.*s%s\r\n", (int)(bare ? n - 1 : n),
                                line, bare ? ":" : "") == PST_OK);
    }
}

static void round_trip(fuzz_input *in)
{
    pst_store_meta sent = {.n = 0}, got;
    pst_err err = PST_ERR_INIT;
    while (in->p && in->n && sent.n < PST_STORE_META_MAX) {
        char name[20], *value = fuzz_string(fuzz_line(in));
        snprintf(name, sizeof name, "penstock-%zu", sent.n);
        pst_rc rc = pst_store_meta_add(&sent, name, "%s", value);
        FUZZ_CHECK(rc == PST_OK || rc == PST_E_LIMIT || rc == PST_E_INVALID);
        pst_free(value);
        if (rc != PST_OK)
            break;
    }
    pst_s3_headers headers;
    pst_http_response res;
    pst_s3_headers_init(&headers);
    pst_http_response_init(&res);
    pst_rc rc = pst_s3_meta_add(&headers, &sent, &err);
    if (rc == PST_OK && headers.rc == PST_OK) {
        send_back(&headers, &res);
        pst_s3_meta_read(&res, &got);
        FUZZ_CHECK(got.n == sent.n);
        for (size_t i = 0; i < sent.n; i++) {
            FUZZ_CHECK(strcmp(got.pairs[i].name, sent.pairs[i].name) == 0);
            FUZZ_CHECK(strcmp(got.pairs[i].value, sent.pairs[i].value) == 0);
        }
    }
    pst_http_response_done(&res);
    pst_s3_headers_done(&headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    if (fuzz_choose(&in, 2) == 0)
        read_block(fuzz_rest(&in));
    else
        round_trip(&in);
    return 0;
}

/*
 * s3meta.c - user metadata in S3's headers. See store.h for what may be in it, and
 * metatext.h for how it is written.
 */
#include "store/metatext.h"
#include "store/s3.h"

pst_rc pst_s3_meta_add(pst_s3_headers *headers, const pst_store_meta *meta, pst_err *err)
{
    pst_buf value;
    pst_buf_init(&value, PST_STORE_META_VALUE_MAX * 3 + 1);
    size_t total = 0;
    pst_rc rc = PST_OK;
    for (size_t i = 0; meta && i < meta->n && rc == PST_OK; i++) {
        const pst_store_pair *pair = &meta->pairs[i];
        pst_buf_clear(&value);
        rc = pst_metatext_encode(&value, pair->value);
        const char *text = rc == PST_OK ? pst_buf_cstr(&value) : NULL;
        total += strlen(pair->name) + value.len;
        if (!text)
            rc = pst_fail_nomem(err, "metadata");
        else if (total > PST_METATEXT_TOTAL_MAX)
            rc = pst_fail(err, PST_E_LIMIT, "more than 2 KiB of metadata, at %s",
                          pair->name);
        else if (value.len)
            pst_s3_headers_add(headers, "x-amz-meta-%s: %s", pair->name, text);
        else
            pst_s3_headers_add(headers, "x-amz-meta-%s;", pair->name);
    }
    pst_buf_done(&value);
    return rc;
}

static bool lower_name(pst_sv text, char *out, size_t size)
{
    if (!text.n || text.n >= size)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    out[text.n] = '\0';
    return true;
}

void pst_s3_meta_read(const pst_http_response *res, pst_store_meta *meta)
{
    static const pst_sv prefix = {"x-amz-meta-", 11};
    pst_sv rest = {res->raw_headers.data, res->raw_headers.len};
    pst_sv name;
    pst_sv value;
    meta->n = 0;
    while (meta->n < PST_STORE_META_MAX && pst_http_next_header(&rest, &name, &value)) {
        pst_sv start = {name.p, name.n < prefix.n ? name.n : prefix.n};
        if (!pst_sv_eq_nocase(start, prefix))
            continue;
        pst_store_pair *pair = &meta->pairs[meta->n];
        name.p += prefix.n;
        name.n -= prefix.n;
        if (lower_name(name, pair->name, sizeof pair->name) &&
            pst_metatext_decode(value, pair->value, sizeof pair->value))
            meta->n++;
    }
}

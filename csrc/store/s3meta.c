/*
 * s3meta.c - user metadata in S3's headers. See store.h for what may be in it.
 *
 * A header's value is ASCII, and blanks at its ends or in a row don't survive the
 * signature. So those, other bytes and % itself go out as %XX; what we write comes back
 * as it was, and plain values stay plain for other readers.
 */
#include "store/s3.h"

enum { META_TOTAL_MAX = 2048 };

static bool plain(const char *value, size_t i, size_t n)
{
    unsigned char c = (unsigned char)value[i];
    if (c == ' ')
        return i > 0 && i + 1 < n && value[i - 1] != ' ';
    return c > 0x20 && c < 0x7f && c != '%';
}

static pst_rc encode(pst_buf *out, const char *value)
{
    pst_rc rc = PST_OK;
    size_t n = strlen(value);
    for (size_t i = 0; i < n && rc == PST_OK; i++) {
        if (plain(value, i, n))
            rc = pst_buf_addc(out, value[i]);
        else
            rc = pst_buf_addf(out, "%%%02X", (unsigned)(unsigned char)value[i]);
    }
    return rc;
}

pst_rc pst_s3_meta_add(pst_s3_headers *headers, const pst_store_meta *meta, pst_err *err)
{
    pst_buf value;
    pst_buf_init(&value, PST_STORE_META_VALUE_MAX * 3 + 1);
    size_t total = 0;
    pst_rc rc = PST_OK;
    for (size_t i = 0; meta && i < meta->n && rc == PST_OK; i++) {
        const pst_store_pair *pair = &meta->pairs[i];
        pst_buf_clear(&value);
        rc = encode(&value, pair->value);
        const char *text = rc == PST_OK ? pst_buf_cstr(&value) : NULL;
        total += strlen(pair->name) + value.len;
        if (!text)
            rc = pst_fail_nomem(err, "metadata");
        else if (total > META_TOTAL_MAX)
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

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A % that is no escape stands for itself. */
static bool decode(pst_sv text, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%' && i + 2 < text.n) {
            int high = hex_digit(text.p[i + 1]);
            int low = hex_digit(text.p[i + 2]);
            if (high >= 0 && low >= 0 && high + low > 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        if (n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
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
            decode(value, pair->value, sizeof pair->value))
            meta->n++;
    }
}

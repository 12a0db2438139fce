/*
 * s3props.c - what an object is created with: type, encoding, encryption, ACL, tags,
 * storage class, user metadata; and the checksum of its bytes.
 *
 * A PUT carries all of it. A multipart upload carries the properties when it begins and
 * the checksum with each part.
 */
#include "base/mem.h"
#include "store/s3.h"

#include <stdio.h>

/* ---- from the settings, once ---- */

static bool set(const char *value)
{
    return value && value[0];
}

static pst_rc add_extra(pst_s3 *s3, char *line, pst_err *err)
{
    if (!line)
        return pst_fail_nomem(err, "the S3 client");
    if (s3->n_extra == PST_S3_EXTRA_MAX) {
        pst_free(line);
        return pst_fail(err, PST_E_CONFIG, "s3.object.metadata: too many names");
    }
    s3->extra[s3->n_extra++] = line;
    return PST_OK;
}

static pst_rc add_if_set(pst_s3 *s3, const char *name, const char *value, pst_err *err)
{
    return set(value) ? add_extra(s3, pst_asprintf("%s: %s", name, value), err) : PST_OK;
}

/* "key:value,key:value" → "key=value&key=value", encoded. */
static pst_rc add_tags(pst_s3 *s3, const char *tags, pst_err *err)
{
    pst_buf line;
    if (!set(tags))
        return PST_OK;
    pst_buf_init(&line, 8192);
    pst_rc rc = pst_buf_adds(&line, "x-amz-tagging: ");
    pst_sv rest = pst_sv_of(tags);
    bool first = true;
    while (rc == PST_OK && rest.p) {
        pst_sv value;
        pst_sv one = pst_sv_trim(pst_sv_cut(rest, ',', &rest));
        pst_sv key = pst_sv_trim(pst_sv_cut(one, ':', &value));
        if (!key.n)
            continue;
        if (!first)
            rc = pst_buf_addc(&line, '&');
        first = false;
        if (rc == PST_OK)
            rc = pst_sigv4_encode(&line, key, false);
        if (rc == PST_OK)
            rc = pst_buf_addc(&line, '=');
        if (rc == PST_OK)
            rc = pst_sigv4_encode(&line, pst_sv_trim(value), false);
    }
    if (rc == PST_OK && !first)
        rc = add_extra(s3, pst_buf_take(&line), err);
    else if (rc != PST_OK)
        rc = pst_fail(err, rc, "s3.object.tagging.key.value.pairs is too long");
    pst_buf_done(&line);
    return rc;
}

/* "name:value,name:value" → headers of their own. */
static pst_rc add_metadata(pst_s3 *s3, const char *metadata, pst_err *err)
{
    pst_sv rest = pst_sv_of(metadata);
    pst_rc rc = PST_OK;
    while (rc == PST_OK && rest.p) {
        pst_sv value;
        pst_sv one = pst_sv_trim(pst_sv_cut(rest, ',', &rest));
        pst_sv name = pst_sv_trim(pst_sv_cut(one, ':', &value));
        value = pst_sv_trim(value);
        if (name.n && value.n)
            rc = add_extra(s3,
                           pst_asprintf("x-amz-meta-%.*s: %.*s", PST_SV_FMT(name),
                                        PST_SV_FMT(value)),
                           err);
    }
    return rc;
}

pst_rc pst_s3_set_properties(pst_s3 *s3, const pst_store_conf *conf, pst_err *err)
{
    s3->checksum = conf->checksum;
    pst_rc rc = add_if_set(s3, "x-amz-server-side-encryption", conf->ssea_name, err);
    if (rc == PST_OK)
        rc = add_if_set(s3, "x-amz-server-side-encryption-aws-kms-key-id",
                        conf->sse_kms_key_id, err);
    if (rc == PST_OK)
        rc = add_if_set(s3, "x-amz-acl", conf->acl_canned, err);
    if (rc == PST_OK)
        rc = add_tags(s3, conf->tagging, err);
    s3->n_own = s3->n_extra;
    if (rc == PST_OK)
        rc = add_metadata(s3, conf->metadata, err);
    if (rc == PST_OK)
        rc = add_if_set(s3, "x-amz-storage-class", conf->storage_class, err);
    if (rc == PST_OK && set(conf->bucket_owner)) {
        s3->bucket_owner = pst_strdup(conf->bucket_owner);
        if (!s3->bucket_owner)
            rc = pst_fail_nomem(err, "the S3 client");
    }
    return rc;
}

/* ---- with each object ---- */

/* Below _penstock/ are the chain's own small objects; they must stay readable at once. */
static bool is_own(const char *key)
{
    const char *at = strstr(key, "_penstock/");
    return at && (at == key || at[-1] == '/');
}

pst_rc pst_s3_add_properties(const pst_s3 *s3, const pst_store_put *put,
                             pst_s3_headers *headers, pst_err *err)
{
    pst_s3_headers_add(headers, "Content-Type: %s",
                       put->content_type ? put->content_type
                                         : "application/octet-stream");
    if (put->content_encoding)
        pst_s3_headers_add(headers, "Content-Encoding: %s", put->content_encoding);
    size_t n = is_own(put->key) ? s3->n_own : s3->n_extra;
    for (size_t i = 0; i < n; i++)
        pst_s3_headers_add(headers, "%s", s3->extra[i]);
    return pst_s3_meta_add(headers, put->meta, err);
}

void pst_s3_sum_text(uint32_t crc, char out[PST_S3_SUM_SIZE])
{
    unsigned char bytes[4] = {(unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
                              (unsigned char)(crc >> 8), (unsigned char)crc};
    pst_base64(out, bytes, sizeof bytes);
}

void pst_s3_add_crc32c(pst_s3_headers *headers, uint32_t crc)
{
    char text[PST_S3_SUM_SIZE];
    pst_s3_sum_text(crc, text);
    pst_s3_headers_add(headers, "x-amz-checksum-crc32c: %s", text);
}

pst_rc pst_s3_add_md5(pst_s3_headers *headers, pst_chunks_pos *from, pst_sv bytes,
                      pst_err *err)
{
    char text[PST_S3_MD5_SIZE];
    pst_rc rc = pst_s3_md5(from, bytes, text, err);
    if (rc == PST_OK)
        pst_s3_headers_add(headers, "Content-MD5: %s", text);
    return rc;
}

pst_rc pst_s3_add_checksum(const pst_s3 *s3, const pst_store_put *put,
                           pst_s3_headers *headers, pst_err *err)
{
    if (s3->checksum == PST_STORE_CRC32C)
        pst_s3_add_crc32c(headers, put->crc32c);
    if (s3->checksum != PST_STORE_MD5)
        return PST_OK;
    pst_chunks_pos pos = {0};
    if (put->chunks)
        pos = pst_chunks_begin(put->chunks);
    return pst_s3_add_md5(headers, put->chunks ? &pos : NULL, put->bytes, err);
}

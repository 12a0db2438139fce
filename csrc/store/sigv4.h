/*
 * sigv4.h - AWS Signature Version 4. sigv4.c is the only includer of OpenSSL.
 *
 * The signer covers every header it is given, so the caller passes all it sends, `host`,
 * `x-amz-date` and (for S3) `x-amz-content-sha256` among them. It takes path and query as
 * they go over the wire and canonicalises them as the server will.
 */
#ifndef PST_STORE_SIGV4_H
#define PST_STORE_SIGV4_H

#include "base/buf.h"
#include "base/str.h"

enum { PST_SIGV4_DATE_SIZE = 17, PST_SIGV4_HASH_SIZE = 65, PST_SIGV4_HEADERS_MAX = 64 };

typedef struct pst_sigv4_keys {
    const char *access_key_id,
        *secret_access_key; /* the token is a header like any other */
} pst_sigv4_keys;

typedef struct pst_sigv4_request {
    const char *method;
    const char *path;           /* percent-encoded */
    const char *query;          /* percent-encoded, without '?'; NULL = none */
    const char *const *headers; /* "Name: value", or "Name;" for an empty one */
    size_t n_headers;
    const char *payload_hash; /* hex SHA-256, or "UNSIGNED-PAYLOAD" */
    const char *date;         /* from pst_sigv4_date() */
    const char *region,
        *service; /* other services than "s3" get the path encoded twice */
} pst_sigv4_request;

/* "20150830T123600Z" */
void pst_sigv4_date(char out[PST_SIGV4_DATE_SIZE], int64_t wall_ms);
/* SHA-256 in hex of what comes from a position on, or of `bytes` if that is NULL. */
pst_rc pst_sigv4_hash(pst_chunks_pos *from, pst_sv bytes, char out[PST_SIGV4_HASH_SIZE],
                      pst_err *err) PST_MUST;
/* Appends the value of the Authorization header. */
pst_rc pst_sigv4_sign(const pst_sigv4_keys *keys, const pst_sigv4_request *req,
                      pst_buf *out, pst_err *err) PST_MUST;
/* Appends the canonical request (for tests and for reading SignatureDoesNotMatch). */
pst_rc pst_sigv4_canonical(const pst_sigv4_request *req, pst_buf *out,
                           pst_err *err) PST_MUST;
/* Appends bytes with all but A-Z a-z 0-9 - . _ ~ as %XX; keeps '/' if asked to. */
pst_rc pst_sigv4_encode(pst_buf *out, pst_sv bytes, bool keep_slash) PST_MUST;

#endif

/*
 * s3.h - what the files of the S3 driver share. Internal to store/.
 *
 * s3.c      the driver: put, head, get, list, remove
 * s3multi.c put in parts, uploads that were left over
 * s3open.c  settings → endpoint, host
 * s3props.c what an object is created with, and its checksum
 * s3call.c  one signed request, the clock's correction
 * s3fail.c  what an answer that is no success means, and its text
 */
#ifndef PST_STORE_S3_H
#define PST_STORE_S3_H

#include "io/http.h"
#include "store/creds.h"
#include "store/s3xml.h"
#include "store/sigv4.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    PST_S3_EXTRA_MAX = 16,
    PST_S3_MD5_SIZE = 25,    /* in base64, with its NUL */
    PST_S3_HEADERS_MAX = 48, /* of a request; less than the signer's and the client's */
    PST_S3_ERROR_MAX = 64 * 1024,
    PST_S3_HOST_MAX = 600,
    PST_S3_SUM_SIZE = 9,             /* a CRC-32C in base64 */
    PST_S3_SKEW_MS = 15 * 60 * 1000, /* S3 refuses signatures older than that */
};

typedef enum pst_s3_method {
    PST_S3_PUT,
    PST_S3_HEAD,
    PST_S3_GET,
    PST_S3_LIST, /* a GET on the bucket */
    PST_S3_DELETE,
    PST_S3_POST,
    PST_S3_METHODS,
} pst_s3_method;

typedef struct pst_s3 {
    pst_store base;
    const pst_clock *clock;
    pst_cancel *cancel;
    pst_log *log;
    pst_http *http;
    pst_creds *creds;
    char *bucket, *region;
    char host[PST_S3_HOST_MAX]; /* as in the Host header */
    bool tls, unsigned_payload, path_style;
    bool proxied; /* s3.proxy.url is set */
    bool aws_url; /* store.url names one of AWS's hosts, and so a region */
    int64_t timeout_ms;
    int64_t part_size, retry_backoff_ms; /* part_size 0: never in parts */
    int part_retries;
    char *extra[PST_S3_EXTRA_MAX]; /* headers of every object; first those that the */
    size_t n_extra, n_own;         /* chain's own have, too */
    char *bucket_owner;            /* of every request; NULL = not checked */
    int checksum;                  /* enum pst_store_checksum */
    pthread_mutex_t lock;
    int64_t offset_ms, old_offset_ms,
        learnt_ms; /* under lock, see pst_s3_learn_clock() */
    atomic_ullong requests[PST_S3_METHODS];
    atomic_bool answered; /* some request, somehow */
} pst_s3;

typedef struct pst_s3_headers pst_s3_headers;

static inline pst_s3 *pst_s3_of(pst_store *store)
{
    return (pst_s3 *)store;
}

/* ---- s3multi.c ---- */

pst_rc pst_s3_put_parts(pst_s3 *s3, const pst_store_put *put, pst_err *err) PST_MUST;
pst_rc pst_s3_sweep(pst_store *store, const char *prefix, pst_store_each_upload wanted,
                    void *opaque, size_t *aborted, pst_err *err) PST_MUST;

/* ---- s3open.c ---- */

pst_rc pst_s3_configure(pst_s3 *s3, const pst_store_conf *conf, pst_err *err) PST_MUST;

/* ---- s3props.c, s3md5.c ---- */

pst_rc pst_s3_set_properties(pst_s3 *s3, const pst_store_conf *conf,
                             pst_err *err) PST_MUST;

/* Type, encoding, encryption, ACL, tags, storage class, metadata: of a PUT, and of the
   request that begins a multipart upload. */
pst_rc pst_s3_add_properties(const pst_s3 *s3, const pst_store_put *put,
                             pst_s3_headers *headers, pst_err *err) PST_MUST;
/* The checksum of the put's bytes, as s3.checksum says. */
void pst_s3_sum_text(uint32_t crc32c, char out[PST_S3_SUM_SIZE]);
void pst_s3_add_crc32c(pst_s3_headers *headers, uint32_t crc32c);
/* Content-MD5 of the same as pst_s3_md5(). */
pst_rc pst_s3_add_md5(pst_s3_headers *headers, pst_chunks_pos *from, pst_sv bytes,
                      pst_err *err) PST_MUST;
/* Of the whole object, as s3.checksum says. */
pst_rc pst_s3_add_checksum(const pst_s3 *s3, const pst_store_put *put,
                           pst_s3_headers *headers, pst_err *err) PST_MUST;
/* Of what comes from a position on, or of `bytes` if that is NULL; in base64. */
pst_rc pst_s3_md5(pst_chunks_pos *from, pst_sv bytes, char out[PST_S3_MD5_SIZE],
                  pst_err *err) PST_MUST;

/* ---- s3call.c ---- */

struct pst_s3_headers {
    pst_buf text; /* lines, each with a NUL */
    size_t starts[PST_S3_HEADERS_MAX];
    size_t n;
    pst_rc rc;          /* the first failure of adding */
    uint64_t signed_by; /* the serial of the credentials */
};

void pst_s3_headers_init(pst_s3_headers *headers);
void pst_s3_headers_done(pst_s3_headers *headers); /* wipes the text */
void pst_s3_headers_add(pst_s3_headers *headers, const char *fmt, ...) PST_PRINTF(2, 3);

typedef struct pst_s3_call {
    pst_s3_method method;
    const char *key;         /* NULL for the bucket */
    const char *query;       /* percent-encoded, or NULL */
    pst_s3_headers *headers; /* of the call's own; the signed request's are added */
    const pst_chunks *chunks;
    size_t from, length; /* the part of chunks that is sent; length 0 = all */
    pst_sv body;
    int64_t dated_ms;
    size_t max_response;
    const char *permission; /* that it needs; NULL = the method's */
} pst_s3_call;

/* PST_OK for every complete HTTP answer. One that says that our clock is wrong is asked
   for once more with the right date, unless the call has a date of its own; one that says
   that the keys are no longer good, with new ones. */
pst_rc pst_s3_send(pst_s3 *s3, const pst_s3_call *call, pst_http_response *res,
                   pst_err *err) PST_MUST;
/* The same in two steps, for several requests at once; nothing of the call, and not res,
   is touched in between. Each that has begun is ended, once. */
typedef struct pst_s3_flight {
    pst_buf url;
    pst_http_call *http;
} pst_s3_flight;
pst_rc pst_s3_begin(pst_s3 *s3, const pst_s3_call *call, pst_http_response *res,
                    pst_s3_flight *flight, pst_err *err) PST_MUST;
pst_rc pst_s3_end(pst_s3 *s3, const pst_s3_call *call, pst_http_response *res,
                  pst_s3_flight *flight, pst_err *err) PST_MUST;
/* Compares an answer's Date with our clock and corrects the dates of signatures to come:
   those of calls dated from now on. An older `dated_ms` stays as old as it is, or the
   check for a writer that slept (safety rule 9) would be undone. True if it was off. */
bool pst_s3_learn_clock(pst_s3 *s3, const pst_http_response *res);
/* "PUT", … */
const char *pst_s3_method_name(pst_s3_method method);

/* ---- s3fail.c ---- */

/* Adds to what the network, TLS or a proxy says which setting may help. */
void pst_s3_advise(const pst_s3 *s3, const pst_http_response *res, pst_err *err);

/* The store refused a request for the date of its signature. */
bool pst_s3_is_skewed(const pst_s3 *s3, const pst_s3_call *call,
                      const pst_http_response *res);

/* Sets err from an answer that is no success, or (status 200) no S3 answer. */
pst_rc pst_s3_fail(pst_s3 *s3, const pst_s3_call *call, const pst_http_response *res,
                   pst_err *err) PST_MUST;

/* ---- s3meta.c ---- */

/* Adds user metadata as headers; PST_E_LIMIT beyond S3's 2 KiB. */
pst_rc pst_s3_meta_add(pst_s3_headers *headers, const pst_store_meta *meta,
                       pst_err *err) PST_MUST;
/* Reads it from an answer; what doesn't fit can't be ours and is left out. */
void pst_s3_meta_read(const pst_http_response *res, pst_store_meta *meta);

#endif

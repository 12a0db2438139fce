/*
 * store.h - the object store as the chain sees it, and its drivers.
 *
 * A driver is one const pst_store_driver at the end of its file: short calls that
 * classify what happened and never retry, sleep or log (the runtime does; only the parts
 * of a large object have s3.part.retries within one call). Calls may come
 * from several threads at once. Keys are below the bucket, without a leading slash,
 * UTF-8.
 *
 * How an outcome is classified (the chain's rules 3 to 5 stand on it):
 *   PST_OK            it is done and durable
 *   PST_E_EXISTS      conditional create, and the key is taken (412)
 *   PST_E_NOT_FOUND   no such key (404); `bucket` in the text if it is the bucket
 *   PST_E_AUTH        401, 403: the text names the missing permission (s3:PutObject on
 * …); retriable: permissions can be mended while we wait otherwise         err->retriable
 * says whether to try again; err->unknown says that the call may have taken effect (409,
 * 5xx, 400 RequestTimeout / IncompleteBody / BadDigest, time-out, lost connection, 200
 * with an error body): only the same key and bytes may follow.
 */
#ifndef PST_STORE_STORE_H
#define PST_STORE_STORE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/conf.h"

enum {
    PST_STORE_KEY_MAX = 1024,
    PST_STORE_META_MAX = 16,
    PST_STORE_META_VALUE_MAX = 512
};

/* Settings of all drivers: one table (store/settings.c), filled by the conf engine. */
typedef struct pst_store_conf {
    char *url; /* http(s)://host[:port] | file:///dir | NULL = AWS by region */
    char *bucket;
    char *region;
    bool path_style;
    char *access_key_id;
    char *secret_access_key;
    char *session_token;
    int64_t part_size;
    int part_retries;
    int64_t retry_backoff_ms;
    char *ssea_name, *sse_kms_key_id, *acl_canned, *tagging, *storage_class;
    char *metadata, *bucket_owner;
    int checksum; /* enum pst_store_checksum */
    int client;   /* enum pst_store_client */
    char *libs3_plugin;
    bool libs3_unverified_tls;
    char *ca_file, *client_cert, *client_key, *client_key_password;
    char *proxy_url, *proxy_user, *proxy_password;
    char *sts_role_arn, *sts_external_id, *sts_session_name, *sts_endpoint;
    int sts_duration_s;
    int64_t request_timeout_ms;
} pst_store_conf;

enum pst_store_client { PST_STORE_CURL, PST_STORE_LIBS3 };
enum pst_store_checksum { PST_STORE_CRC32C, PST_STORE_MD5, PST_STORE_NO_CHECKSUM };

/* Rows for pst_store_conf: the store, and the ways to it (keys, certificates, proxy). */
extern const pst_conf_section pst_store_section, pst_store_access_section;
/* What no single row can see (a missing bucket, half a pair of keys); for a spec's check.
 */
void pst_store_conf_check(const pst_store_conf *conf, const pst_props *props,
                          pst_conf_report *report);

/* User metadata: names of a-z, 0-9 and hyphens without "x-amz-meta-"; values are UTF-8
   without control characters. S3's headers carry ASCII: other bytes, % and blanks at the
   ends or in a row are sent as %XX and come back as they were. S3 takes 2 KiB of them in
   all. */
typedef struct pst_store_pair {
    char name[64];
    char value[PST_STORE_META_VALUE_MAX];
} pst_store_pair;

typedef struct pst_store_meta {
    pst_store_pair pairs[PST_STORE_META_MAX];
    size_t n;
} pst_store_meta;

/* PST_E_LIMIT if it does not fit, PST_E_INVALID for a name or value that can't be stored.
 */
pst_rc pst_store_meta_add(pst_store_meta *meta, const char *name, const char *fmt, ...)
    PST_PRINTF(3, 4) PST_MUST;
/* NULL if absent. */
const char *pst_store_meta_get(const pst_store_meta *meta, const char *name);

typedef struct pst_store_put {
    const char *key;
    const char
        *link; /* a chain object's link key (<topics.dir>/_penstock/<topic>/<P>/<start>):
                  the directory driver commits by it, others ignore it; else NULL */
    const pst_chunks *chunks; /* the bytes, or NULL: */
    pst_sv bytes;
    uint32_t crc32c;              /* of the bytes; sent as s3.checksum says */
    const char *content_type;     /* NULL = application/octet-stream */
    const char *content_encoding; /* NULL = none */
    const pst_store_meta *meta;   /* NULL = none */
    bool create_only;             /* If-None-Match: * */
    int64_t dated_ms;             /* wall clock for the signature (rule 9); 0 = now. After
                                     RequestTimeTooSkewed only a new date is corrected. */
    /* NULL, or asked right before the commit of an object that goes up in parts, which
       may be hours after dated_ms: PST_OK with a new date, or what put() is to answer. */
    pst_rc (*confirm)(void *opaque, int64_t *dated_ms, pst_err *err);
    void *opaque;
} pst_store_put;

typedef struct pst_store_info {
    int64_t size;
    int64_t modified_ms;
    pst_store_meta meta;
} pst_store_info;

/* One listed key. Return false to stop the listing. */
typedef bool (*pst_store_each)(void *opaque, const char *key, int64_t size);

/* An upload in parts that has been begun, and neither completed nor aborted; begun_ms is
   INT64_MAX if the store does not say when. Answers whether it is to be aborted. */
typedef bool (*pst_store_each_upload)(void *opaque, const char *key, int64_t begun_ms);

typedef struct pst_store_list {
    const char *prefix;
    const char *after; /* only keys after this one in byte order; NULL = from the start */
    size_t limit;      /* at most so many keys; 0 = all (page by page) */
} pst_store_list;

typedef struct pst_store pst_store;

typedef struct pst_store_driver {
    const char *name;
    /* conf is borrowed for the store's life. */
    pst_rc (*open)(pst_store **out, const pst_store_conf *conf, const pst_clock *clock,
                   pst_cancel *cancel, pst_log *log, pst_err *err);
    void (*close)(pst_store *store);
    pst_rc (*put)(pst_store *store, const pst_store_put *put, pst_err *err);
    /* `link` as in pst_store_put: the directory driver finishes an interrupted commit. */
    pst_rc (*head)(pst_store *store, const char *key, const char *link,
                   pst_store_info *info, pst_err *err);
    pst_rc (*get)(pst_store *store, const char *key, pst_buf *body, pst_err *err);
    pst_rc (*list)(pst_store *store, const pst_store_list *list, pst_store_each each,
                   void *opaque, pst_err *err);
    pst_rc (*remove)(pst_store *store, const char *key, pst_err *err);
    /* Aborts uploads in parts below `prefix`, as `wanted` says; how many. NULL: the store
       has none. Some stores take a prefix for a whole key. */
    pst_rc (*sweep)(pst_store *store, const char *prefix, pst_store_each_upload wanted,
                    void *opaque, size_t *aborted, pst_err *err);
    /* Where a person finds a key: "s3://bucket/key", "file:///dir/key". */
    void (*describe)(const pst_store *store, const char *key, char *out, size_t size);
    uint64_t (*requests)(const pst_store *store, const char *method); /* may be NULL */
    bool links; /* chain objects are committed, and must be listed, by their link key */
} pst_store_driver;

struct pst_store { /* each driver's struct starts with it */
    const pst_store_driver *driver;
};

extern const pst_store_driver pst_store_s3, pst_store_dir;

/* The driver that conf->url and conf->client ask for, opened. */
pst_rc pst_store_open(pst_store **out, const pst_store_conf *conf, const pst_clock *clock,
                      pst_cancel *cancel, pst_log *log, pst_err *err) PST_MUST;
void pst_store_close(pst_store *store); /* NULL is fine */

/* What the store can do, by trying: PUT twice on the fixed key
   <topics.dir>/_penstock/probe (never deleted), LIST, HEAD. */
typedef struct pst_store_abilities {
    bool conditional_create;
} pst_store_abilities;
pst_rc pst_store_probe(pst_store *store, const char *topics_dir, pst_store_abilities *out,
                       pst_err *err) PST_MUST;
/* How many requests have gone out: "PUT", "HEAD", "GET", "LIST", "DELETE", "POST"; 0 for
 * a directory. */
uint64_t pst_store_requests(const pst_store *store, const char *method);

#endif

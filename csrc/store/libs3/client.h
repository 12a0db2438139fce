/*
 * client.h - what the files of the libs3 plugin share.
 *
 * plugin.c  the driver: put, head, get, list, remove
 * open.c    settings → what libs3 is told, and what it is refused
 * client.c  running one request: time limits, stopping, libs3's global state
 * status.c  what an answer that is no success means, and its text
 *
 * One source for libs3 2 (Debian 12: Signature V2) and 4 or newer (Signature V4), which
 * has a region, a session token and a time-out argument more.
 */
#ifndef PST_STORE_LIBS3_CLIENT_H
#define PST_STORE_LIBS3_CLIENT_H

#include "store/store.h"

#include <libs3.h>
#include <pthread.h>
#include <stdatomic.h>

/* 3.x snapshots have the macro but not the argument: they do not compile, loudly. */
#ifdef S3_DEFAULT_REGION
#define PST_LIBS3_V4 1
#define PST_LIBS3_LIBRARY "libs3 4 or newer, Signature V4"
#define PST_LIBS3_NO_TIMEOUT , 0
#else
#define PST_LIBS3_V4 0
#define PST_LIBS3_LIBRARY "libs3 2, Signature V2"
#define PST_LIBS3_NO_TIMEOUT
#endif

enum { PST_LIBS3_IDLE_MAX = 16, PST_LIBS3_NAME_MAX = 256, PST_LIBS3_KEY_MAX = 256 };

typedef enum pst_libs3_method {
    PST_LIBS3_PUT,
    PST_LIBS3_HEAD,
    PST_LIBS3_GET,
    PST_LIBS3_LIST,
    PST_LIBS3_DELETE,
    PST_LIBS3_METHODS,
} pst_libs3_method;

typedef struct pst_libs3 {
    pst_store base;
    const pst_clock *clock;
    pst_cancel *cancel;
    pst_log *log;
    S3BucketContext at; /* points into the texts below */
    char host[PST_LIBS3_NAME_MAX], bucket[PST_LIBS3_NAME_MAX], region[PST_LIBS3_NAME_MAX];
    char id[PST_LIBS3_KEY_MAX], secret[PST_LIBS3_KEY_MAX];
    char *token;
    S3CannedAcl acl;
    int64_t timeout_ms;
    pthread_mutex_t lock;
    S3RequestContext *idle[PST_LIBS3_IDLE_MAX]; /* under lock; with their connections */
    size_t n_idle;
    atomic_ullong requests[PST_LIBS3_METHODS];
} pst_libs3;

static inline pst_libs3 *pst_libs3_of(pst_store *store)
{
    return (pst_libs3 *)store;
}

/* ---- open.c ---- */

/* Fills `l3` (zeroed) from the settings. */
pst_rc pst_libs3_configure(pst_libs3 *l3, const pst_store_conf *conf,
                           pst_err *err) PST_MUST;

/* ---- client.c ---- */

/* One request. A call's own struct starts with it; libs3 hands it to the callbacks. */
typedef struct pst_libs3_call {
    pst_libs3 *l3;
    pst_libs3_method method;
    const char *key; /* NULL for the bucket */
    void (*start)(struct pst_libs3_call *call, S3RequestContext *context);
    size_t body; /* bytes to send: they get their time */
    /* the outcome */
    bool done, sent; /* sent: the store may have seen a whole PUT */
    bool stopped;    /* we ended it: by the time limit, or because we are to stop */
    S3Status status;
    char message[200]; /* the store's own */
} pst_libs3_call;

/* libs3's global start, once a process. */
pst_rc pst_libs3_start(pst_err *err) PST_MUST;
/* Runs the call to its end, or to its time limit; only PST_OK says that the store has
   answered well. */
pst_rc pst_libs3_run(pst_libs3_call *call, pst_err *err) PST_MUST;
void pst_libs3_close_idle(pst_libs3 *l3);
/* For handlers: the completion of every call. */
void pst_libs3_complete(S3Status status, const S3ErrorDetails *details, void *call);
const char *pst_libs3_method_name(pst_libs3_method method);

/* ---- status.c ---- */

/* Sets err from a call that was no success. */
pst_rc pst_libs3_fail(const pst_libs3_call *call, pst_err *err) PST_MUST;

#endif

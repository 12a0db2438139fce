/*
 * err.h - how every fallible call of Penstock answers.
 *
 * A function that can fail returns a pst_rc and fills a caller-owned pst_err. Nothing is
 * allocated for an error, so running out of memory can be reported too. The first error
 * wins: a pst_err that is set is not overwritten, so cleaning up after a failure cannot
 * hide its cause. A caller that knows more puts its context in front by
 * pst_err_context().
 *
 * `retriable` says that the same call may succeed later with nothing changed: the runtime
 * (never a plugin) decides whether and when. `unknown` says that the call may have taken
 * effect although it failed: only the very same call may follow.
 */
#ifndef PST_BASE_ERR_H
#define PST_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define PST_MUST __attribute__((warn_unused_result))
#define PST_PRINTF(f, a) __attribute__((format(printf, f, a)))

typedef enum pst_rc {
    PST_OK = 0,
    PST_E_NOMEM,       /* an allocation failed */
    PST_E_LIMIT,       /* a buffer, queue or count has reached its ceiling */
    PST_E_CONFIG,      /* a setting is wrong; the text says which and what to do */
    PST_E_INVALID,     /* data from outside is not what it should be */
    PST_E_IO,          /* the operating system or the network failed */
    PST_E_TIMEOUT,     /* no answer in time */
    PST_E_AUTH,        /* 401, 403, wrong keys, missing permission */
    PST_E_NOT_FOUND,   /* no such object, bucket, topic, file */
    PST_E_EXISTS,      /* conditional create: the key is taken */
    PST_E_THROTTLED,   /* 429, 503 SlowDown */
    PST_E_KAFKA,       /* librdkafka reports an error */
    PST_E_CHAIN,       /* a safety rule of the chain would break: the task must stop */
    PST_E_UNSUPPORTED, /* the other side, or this build, cannot do that */
    PST_E_STOPPED,     /* the caller asked to stop */
    PST_E_INTERNAL,    /* a bug of ours */
} pst_rc;

typedef struct pst_err {
    pst_rc code;
    bool retriable;
    bool unknown;
    int status;   /* HTTP status or librdkafka's error code, 0 where there is none */
    int after_ms; /* the other side asks to wait so long (Retry-After), 0 = it doesn't */
    const char *stage; /* what of a record's way refused it, by Kafka Connect's name, for
                          its dead letter; static, NULL = it follows from the code */
    char text[600];    /* one line, NUL-terminated, cut if longer; no secrets */
} pst_err;

/* Start value: `pst_err err = PST_ERR_INIT;` */
#define PST_ERR_INIT                                                                     \
    {                                                                                    \
        .code = PST_OK                                                                   \
    }

/* Sets *err (unless it is NULL or already set) and returns `code`. */
pst_rc pst_fail(pst_err *err, pst_rc code, const char *fmt, ...) PST_PRINTF(3, 4);
/* As pst_fail(), marked as retriable. */
pst_rc pst_fail_retriable(pst_err *err, pst_rc code, const char *fmt, ...)
    PST_PRINTF(3, 4);
/* PST_E_NOMEM for `what`. */
pst_rc pst_fail_nomem(pst_err *err, const char *what);
/* Puts "<context>: " before the text; does nothing to an error that is not set. */
void pst_err_context(pst_err *err, const char *fmt, ...) PST_PRINTF(2, 3);
void pst_err_clear(pst_err *err);
/* The code's name, "PST_E_AUTH" → "auth"; for logs and for Python. */
const char *pst_rc_name(pst_rc rc);

#endif

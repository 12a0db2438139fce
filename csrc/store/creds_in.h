/*
 * creds_in.h - what the files creds*.c share. Internal to store/.
 *
 * creds.c            the chain, and keeping what it gives fresh
 * creds_util.c       the environment, files, JSON answers, dates
 * creds_profile.c    ~/.aws/credentials and ~/.aws/config
 * creds_sts.c        AssumeRole, AssumeRoleWithWebIdentity
 * creds_metadata.c   the container's endpoint and the instance's metadata
 *
 * A source is a function that fills keys, or answers PST_E_NOT_FOUND: ask the next.
 */
#ifndef PST_STORE_CREDS_IN_H
#define PST_STORE_CREDS_IN_H

#include "io/http.h"
#include "store/creds.h"
#include "store/endpoint.h"

enum {
    PST_CREDS_FILE_MAX = 1024 * 1024,
    PST_CREDS_ANSWER_MAX = 64 * 1024,
    PST_CREDS_TIMEOUT_MS = 10000,
};

typedef enum pst_creds_var {
    PST_AWS_ACCESS_KEY_ID,
    PST_AWS_SECRET_ACCESS_KEY,
    PST_AWS_SESSION_TOKEN,
    PST_AWS_PROFILE,
    PST_AWS_SHARED_CREDENTIALS_FILE,
    PST_AWS_CONFIG_FILE,
    PST_AWS_WEB_IDENTITY_TOKEN_FILE,
    PST_AWS_ROLE_ARN,
    PST_AWS_ROLE_SESSION_NAME,
    PST_AWS_CONTAINER_CREDENTIALS_RELATIVE_URI,
    PST_AWS_CONTAINER_CREDENTIALS_FULL_URI,
    PST_AWS_CONTAINER_AUTHORIZATION_TOKEN,
    PST_AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE,
    PST_AWS_EC2_METADATA_DISABLED,
    PST_AWS_EC2_METADATA_SERVICE_ENDPOINT,
    PST_AWS_ENDPOINT_URL_STS,
    PST_HOME,
    PST_CREDS_VARS,
} pst_creds_var;

typedef struct pst_creds_ctx {
    pst_creds_env env;
    char *vars[PST_CREDS_VARS]; /* NULL = unset or empty */
    bool aws;                   /* the store is AWS's own */
    char note[300];             /* why sources had none, for the text at the end */
} pst_creds_ctx;

typedef pst_rc (*pst_creds_source)(pst_creds_ctx *ctx, pst_creds_keys *out, pst_err *err);

/* ---- creds_util.c ---- */

static inline bool pst_is_set(const char *s)
{
    return s && s[0];
}

bool pst_creds_read_vars(pst_creds_ctx *ctx); /* false: out of memory */
void pst_creds_free_vars(pst_creds_ctx *ctx); /* wipes them */
/* Adds to the note, cut to fit. */
void pst_creds_note(pst_creds_ctx *ctx, const char *fmt, ...) PST_PRINTF(2, 3);
/* PST_E_NOT_FOUND without an id or a secret. `source` must outlive the keys. */
pst_rc pst_creds_fill(pst_creds_keys *out, const char *id, const char *secret,
                      const char *token, const char *source, pst_err *err) PST_MUST;
/* A regular file of at most PST_CREDS_FILE_MAX; PST_E_NOT_FOUND if there is none. */
pst_rc pst_creds_read_file(const char *path, pst_buf *out, pst_err *err) PST_MUST;
/* A file with one line of printable characters: a token. */
pst_rc pst_creds_read_token(const char *path, pst_buf *out, pst_err *err) PST_MUST;
void pst_creds_wipe_buf(pst_buf *buf); /* and pst_buf_done() */
/* "2026-11-23T20:00:00Z", with a fraction or an offset; false if it is not that. */
bool pst_creds_date(pst_sv text, int64_t *wall_ms);
/* How long keys live that end at `expires`, by the answer's own Date. PST_E_INVALID for
   no date at all; at least 1. */
pst_rc pst_creds_life(const pst_creds_ctx *ctx, const pst_http_response *res,
                      pst_sv expires, int64_t *life_ms, bool *over,
                      pst_err *err) PST_MUST;
/* {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"} of an answer. `over`: they
   have expired already. */
pst_rc pst_creds_from_json(const pst_creds_ctx *ctx, const pst_http_response *res,
                           const char *source, pst_creds_keys *out, bool *over,
                           pst_err *err) PST_MUST;

/* ---- creds_profile.c ---- */

pst_rc pst_creds_from_profile(pst_creds_ctx *ctx, pst_creds_keys *out,
                              pst_err *err) PST_MUST;

/* ---- creds_sts.c ---- */

typedef struct pst_sts_role {
    const char *arn, *external_id, *session_name; /* the last two may be NULL */
    int duration_s;                               /* 0 = the service's own */
    const char *token_file;                       /* a web identity's, or NULL */
} pst_sts_role;

/* `base` signs; NULL for a web identity. */
pst_rc pst_creds_assume(pst_creds_ctx *ctx, const pst_sts_role *role,
                        const pst_creds_keys *base, pst_creds_keys *out,
                        pst_err *err) PST_MUST;
pst_rc pst_creds_from_web_identity(pst_creds_ctx *ctx, pst_creds_keys *out,
                                   pst_err *err) PST_MUST;

/* ---- creds_metadata.c ---- */

pst_rc pst_creds_from_container(pst_creds_ctx *ctx, pst_creds_keys *out,
                                pst_err *err) PST_MUST;
pst_rc pst_creds_from_instance(pst_creds_ctx *ctx, pst_creds_keys *out,
                               pst_err *err) PST_MUST;

/* ---- creds.c ---- */

pst_rc pst_creds_from_environment(pst_creds_ctx *ctx, pst_creds_keys *out,
                                  pst_err *err) PST_MUST;

#endif

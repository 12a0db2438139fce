/*
 * creds.h - AWS credentials: where they come from, and keeping them fresh.
 *
 * Sources are asked in order, and the first that has keys is used: the settings, the
 * environment (AWS_ACCESS_KEY_ID …), a profile of the shared credentials file.
 * Thread-safe. The environment is read once, at open: a host program may change it from
 * other threads.
 */
#ifndef PST_STORE_CREDS_H
#define PST_STORE_CREDS_H

#include "store/store.h"

enum { PST_CREDS_KEY_MAX = 256, PST_CREDS_TOKEN_MAX = 8192 };

typedef struct pst_creds pst_creds;

/* A copy for one request; wipe it by pst_creds_wipe(). */
typedef struct pst_creds_keys {
    char id[PST_CREDS_KEY_MAX];
    char secret[PST_CREDS_KEY_MAX];
    char token[PST_CREDS_TOKEN_MAX]; /* "" = none */
    const char *source;              /* for texts: "aws.access.key.id", "AWS_…", … */
} pst_creds_keys;

/* Copies what it needs of conf. */
pst_rc pst_creds_new(pst_creds **out, const pst_store_conf *conf, pst_err *err) PST_MUST;
void pst_creds_free(pst_creds *creds); /* NULL is fine */
/* PST_E_AUTH, retriable, when no source has any. */
pst_rc pst_creds_get(pst_creds *creds, pst_creds_keys *out, pst_err *err) PST_MUST;
/* These keys were refused: the next get asks the sources anew. */
void pst_creds_refused(pst_creds *creds, const pst_creds_keys *keys);
void pst_creds_wipe(pst_creds_keys *keys);

#endif

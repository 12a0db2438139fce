/*
 * creds.h - AWS credentials: where they come from, and keeping them fresh.
 *
 * Sources are asked in order, and the first that has keys is used: the settings, the
 * environment (AWS_ACCESS_KEY_ID …), a profile of ~/.aws/credentials and ~/.aws/config,
 * a web identity token (IRSA), the container's endpoint (ECS, EKS Pod Identity), the
 * instance's metadata (IMDSv2). With aws.sts.role.arn they then assume that role.
 *
 * Keys that expire are renewed in time by one caller, while the others go on with those
 * that are still valid; only when none is valid do they wait. A renewal that failed is
 * tried again with growing pauses and told once. Thread-safe; it has no thread of its
 * own. The environment is read once, at open: a host program may change it from other
 * threads.
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
    int64_t life_ms;                 /* from when they were given out; 0 = no end */
    uint64_t serial;                 /* of these keys among all; never 0 */
} pst_creds_keys;

/* What they are made with; all borrowed for the object's life. */
typedef struct pst_creds_env {
    const pst_store_conf *conf;
    const pst_clock *clock;
    pst_cancel *cancel; /* may be NULL */
    pst_log *log;       /* may be NULL */
} pst_creds_env;

pst_rc pst_creds_new(pst_creds **out, const pst_creds_env *env, pst_err *err) PST_MUST;
void pst_creds_free(pst_creds *creds); /* NULL is fine */
/* PST_E_AUTH, retriable, when no source has any. */
pst_rc pst_creds_get(pst_creds *creds, pst_creds_keys *out, pst_err *err) PST_MUST;
/* The keys with this serial were refused: the next get asks the sources anew, but not
   time and again at once. */
void pst_creds_refused(pst_creds *creds, uint64_t serial);
/* The same, and asks them now: true if they gave other keys than those. */
bool pst_creds_replaced(pst_creds *creds, uint64_t serial);
/* The store took the keys with this serial: a refusal later on means that they have
   ended, and is no reason for pauses. */
void pst_creds_worked(pst_creds *creds, uint64_t serial);
/* Is a part of the present keys, or of those before them, in this text? */
bool pst_creds_in_text(pst_creds *creds, const char *text);
void pst_creds_wipe(pst_creds_keys *keys);

#endif

/*
 * status.c - what a libs3 status means to the chain (store.h), and one line that says
 * what to do. libs3's own S3_status_is_retryable() leaves out much that passes, so the
 * table is ours; a status that it does not know leaves the outcome open.
 */
#include "store/libs3/client.h"

#include <stdio.h>

enum { RETRY = 1, UNKNOWN = 2, DENIED = 4 };

typedef struct meaning {
    S3Status status;
    pst_rc rc;
    unsigned flags; /* DENIED: name the permission */
    int http;       /* the status that the chain looks at, 0 = none */
    const char *advice;
} meaning;

#define NO_BUCKET "there is no such bucket: create it or check s3.bucket.name"
#define ELSEWHERE "the bucket is somewhere else: check store.url and s3.region"
#define FAULT "the store has a fault"
#define DAMAGED "the data did not arrive whole"
#define BAD_NAME "check s3.bucket.name"
#define CHECK_KEYS                                                                       \
    "refused: check aws.secret.access.key, and that the store takes the signature of "   \
    "this libs3 (2 signs by V2, 4 by V4)"

static const meaning table[] = {
    {S3StatusErrorAccessDenied, PST_E_AUTH, RETRY | DENIED, 403, NULL},
    {S3StatusHttpErrorForbidden, PST_E_AUTH, RETRY | DENIED, 403, NULL},
    {S3StatusErrorInvalidAccessKeyId, PST_E_AUTH, RETRY, 403, "check aws.access.key.id"},
    {S3StatusErrorSignatureDoesNotMatch, PST_E_AUTH, RETRY, 403, CHECK_KEYS},
    {S3StatusErrorAccountProblem, PST_E_AUTH, RETRY, 403, "the account has a problem"},
    {S3StatusErrorExpiredToken, PST_E_AUTH, RETRY, 403, "the credentials have expired"},
    {S3StatusErrorInvalidToken, PST_E_AUTH, RETRY, 403, "check aws.session.token"},
    {S3StatusErrorNotSignedUp, PST_E_AUTH, RETRY, 403, "the account has no S3"},
    {S3StatusServerFailedVerification, PST_E_AUTH, RETRY, 0,
     "the store's certificate is not trusted by this system"},
    {S3StatusErrorRequestTimeTooSkewed, PST_E_IO, RETRY, 403,
     "this machine's clock is wrong, and libs3 cannot correct its dates: set the clock"},
    {S3StatusErrorNoSuchBucket, PST_E_NOT_FOUND, RETRY, 404, NO_BUCKET},
    {S3StatusErrorNoSuchKey, PST_E_NOT_FOUND, 0, 404, "there is no such object"},
    {S3StatusErrorInvalidBucketName, PST_E_CONFIG, 0, 400, BAD_NAME},
    {S3StatusInvalidBucketNameTooLong, PST_E_CONFIG, 0, 0, BAD_NAME},
    {S3StatusInvalidBucketNameTooShort, PST_E_CONFIG, 0, 0, BAD_NAME},
    {S3StatusInvalidBucketNameFirstCharacter, PST_E_CONFIG, 0, 0, BAD_NAME},
    {S3StatusInvalidBucketNameCharacter, PST_E_CONFIG, 0, 0, BAD_NAME},
    {S3StatusInvalidBucketNameCharacterSequence, PST_E_CONFIG, 0, 0, BAD_NAME},
    {S3StatusInvalidBucketNameDotQuadNotation, PST_E_CONFIG, 0, 0, BAD_NAME},
    {S3StatusErrorPermanentRedirect, PST_E_CONFIG, 0, 301, ELSEWHERE},
    {S3StatusErrorRedirect, PST_E_CONFIG, 0, 301, ELSEWHERE},
    {S3StatusErrorTemporaryRedirect, PST_E_IO, RETRY, 307,
     "the store sends us elsewhere for a while"},
    {S3StatusHttpErrorMovedTemporarily, PST_E_IO, RETRY, 307,
     "the store sends us elsewhere for a while"},
    {S3StatusErrorSlowDown, PST_E_THROTTLED, RETRY | UNKNOWN, 503,
     "the store asks for fewer requests"},
    {S3StatusErrorInternalError, PST_E_IO, RETRY | UNKNOWN, 500, FAULT},
    {S3StatusErrorOperationAborted, PST_E_IO, RETRY | UNKNOWN, 409,
     "another request is at this key"},
    {S3StatusHttpErrorConflict, PST_E_IO, RETRY | UNKNOWN, 409,
     "another request is at this key"},
    {S3StatusErrorRequestTimeout, PST_E_IO, RETRY | UNKNOWN, 400,
     "the store waited too long for the data"},
    {S3StatusErrorIncompleteBody, PST_E_IO, RETRY | UNKNOWN, 400, DAMAGED},
    {S3StatusErrorBadDigest, PST_E_IO, RETRY | UNKNOWN, 400, DAMAGED},
    {S3StatusInternalError, PST_E_IO, RETRY | UNKNOWN, 0, "the connection failed"},
    {S3StatusConnectionFailed, PST_E_IO, RETRY | UNKNOWN, 0, "the connection failed"},
    {S3StatusFailedToConnect, PST_E_IO, RETRY, 0,
     "the store cannot be reached: check store.url"},
    {S3StatusNameLookupError, PST_E_IO, RETRY, 0,
     "the store's name is not known: check store.url"},
    {S3StatusXmlParseFailure, PST_E_INVALID, RETRY | UNKNOWN, 0,
     "this is not an answer of S3: check store.url and what lies between"},
    {S3StatusErrorEntityTooLarge, PST_E_LIMIT, 0, 400,
     "the object is too large: lower flush.bytes"},
    {S3StatusMetaDataHeadersTooLong, PST_E_LIMIT, 0, 0, "too much metadata"},
    {S3StatusErrorMetadataTooLarge, PST_E_LIMIT, 0, 400, "too much metadata"},
    {S3StatusErrorKeyTooLong, PST_E_INVALID, 0, 400, "the key is too long"},
    {S3StatusKeyTooLong, PST_E_INVALID, 0, 0, "the key is too long"},
    {S3StatusQueryParamsTooLong, PST_E_LIMIT, 0, 0, "the prefix is too long for libs3"},
    {S3StatusUriTooLong, PST_E_INVALID, 0, 0, "the key is too long"},
    {S3StatusErrorInvalidURI, PST_E_INVALID, 0, 400, "the store cannot hold this key"},
    {S3StatusErrorInvalidArgument, PST_E_INVALID, 0, 400,
     "the store refuses the request"},
    {S3StatusErrorNotImplemented, PST_E_UNSUPPORTED, 0, 501, "the store cannot do that"},
    {S3StatusErrorMethodNotAllowed, PST_E_CONFIG, 0, 405,
     "store.url is not the address of an S3 endpoint"},
    {S3StatusOutOfMemory, PST_E_NOMEM, RETRY | UNKNOWN, 0, "out of memory"},
};

static meaning meaning_of(const pst_libs3_call *call)
{
    S3Status status = call->status;
    if (call->stopped && pst_cancelled(call->l3->cancel))
        return (meaning){status, PST_E_STOPPED, UNKNOWN, 0, "stopped"};
    if (call->stopped)
        return (meaning){status, PST_E_TIMEOUT, RETRY | UNKNOWN, 0,
                         "no answer within store.request.timeout.ms"};
    bool bucket_only = call->method == PST_LIBS3_PUT || call->method == PST_LIBS3_LIST;
    if (status == S3StatusHttpErrorNotFound)
        return bucket_only ? (meaning){status, PST_E_NOT_FOUND, RETRY, 404, NO_BUCKET}
                           : (meaning){status, PST_E_NOT_FOUND, 0, 404,
                                       "there is no such object (or bucket)"};
    if (status == S3StatusHttpErrorBadRequest && call->method == PST_LIBS3_HEAD)
        return (meaning){status, PST_E_AUTH, RETRY, 400, CHECK_KEYS};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].status == status)
            return table[i];
    return (meaning){status, PST_E_IO, RETRY | UNKNOWN, 0, FAULT};
}

/* "not allowed: grant s3:PutObject on arn:aws:s3:::bucket/key" */
static void name_permission(const pst_libs3_call *call, char *out, size_t size)
{
    static const char *const actions[] = {
        [PST_LIBS3_PUT] = "s3:PutObject",       [PST_LIBS3_HEAD] = "s3:GetObject",
        [PST_LIBS3_GET] = "s3:GetObject",       [PST_LIBS3_LIST] = "s3:ListBucket",
        [PST_LIBS3_DELETE] = "s3:DeleteObject",
    };
    snprintf(out, size, "not allowed: grant %s on arn:aws:s3:::%s%s%.150s",
             actions[call->method], call->l3->bucket, call->key ? "/" : "",
             call->key ? call->key : "");
}

static bool has_secret(const pst_libs3 *l3, const char *text)
{
    return strstr(text, l3->id) || strstr(text, l3->secret) ||
           (l3->token && strstr(text, l3->token));
}

pst_rc pst_libs3_fail(const pst_libs3_call *call, pst_err *err)
{
    meaning what = meaning_of(call);
    const pst_libs3 *l3 = call->l3;
    const char *said = has_secret(l3, call->message) ? "" : call->message;
    char permission[600];
    pst_err why = PST_ERR_INIT;
    if (what.flags & DENIED)
        name_permission(call, permission, sizeof permission);
    (void)pst_fail(&why, what.rc, "%s s3://%s%s%.200s: libs3 %s: %s%s%.200s%s",
                   pst_libs3_method_name(call->method), l3->bucket, call->key ? "/" : "",
                   call->key ? call->key : "", S3_get_status_name(call->status),
                   what.flags & DENIED ? permission : what.advice, said[0] ? " (" : "",
                   said, said[0] ? ")" : "");
    why.status = what.http;
    why.unknown = (what.flags & UNKNOWN) && call->method == PST_LIBS3_PUT && call->sent;
    why.retriable = (what.flags & RETRY) || (why.unknown && what.rc == PST_E_STOPPED);
    if (err && err->code == PST_OK)
        *err = why;
    return what.rc;
}

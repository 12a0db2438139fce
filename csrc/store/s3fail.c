/*
 * s3fail.c - what an S3 answer that is no success means: the classification that the
 * chain's rules 3 to 5 stand on (store.h), and one line of text that says what to do.
 *
 * S3's code decides where we know it, else the status. Whatever leaves it open if a PUT
 * took effect is `unknown`: then only the same key and bytes may follow. The server's
 * message is shown, cut and without our credentials, never matched.
 */
#include "store/s3.h"

#include <stdio.h>

enum { RETRY = 1, UNKNOWN = 2, KEYS = 4, DENIED = 8 };

typedef struct meaning {
    const char *code;
    pst_rc rc;
    unsigned flags; /* KEYS: ask for the credentials anew; DENIED: name the permission */
    const char *advice;
} meaning;

static const meaning by_code[] = {
    {"PreconditionFailed", PST_E_EXISTS, 0, "the key is taken"},
    {"ConditionalRequestConflict", PST_E_IO, RETRY | UNKNOWN,
     "another writer is at this key"},
    {"OperationAborted", PST_E_IO, RETRY | UNKNOWN, "another request is at this key"},
    {"RequestTimeout", PST_E_IO, RETRY | UNKNOWN,
     "the store waited too long for the data"},
    {"IncompleteBody", PST_E_IO, RETRY | UNKNOWN, "the data did not arrive whole"},
    {"BadDigest", PST_E_IO, RETRY | UNKNOWN, "the data arrived damaged"},
    {"XAmzContentChecksumMismatch", PST_E_IO, RETRY | UNKNOWN,
     "the data arrived damaged"},
    {"XAmzContentSHA256Mismatch", PST_E_IO, RETRY | UNKNOWN, "the data arrived damaged"},
    {"InternalError", PST_E_IO, RETRY | UNKNOWN, "the store has a fault"},
    {"ServiceUnavailable", PST_E_IO, RETRY | UNKNOWN, "the store is not available"},
    {"SlowDown", PST_E_THROTTLED, RETRY | UNKNOWN, "the store asks for fewer requests"},
    {"SlowDownWrite", PST_E_THROTTLED, RETRY | UNKNOWN,
     "the store asks for fewer requests"},
    {"SlowDownRead", PST_E_THROTTLED, RETRY | UNKNOWN,
     "the store asks for fewer requests"},
    {"TooManyRequests", PST_E_THROTTLED, RETRY | UNKNOWN,
     "the store asks for fewer requests"},
    {"RequestLimitExceeded", PST_E_THROTTLED, RETRY | UNKNOWN,
     "the store asks for fewer requests"},
    {"BandwidthLimitExceeded", PST_E_THROTTLED, RETRY | UNKNOWN,
     "the store asks for fewer requests"},
    {"XMinioStorageFull", PST_E_IO, RETRY | UNKNOWN,
     "the store is full; nothing is lost, the records wait in Kafka: make room"},
    {"QuotaExceeded", PST_E_IO, RETRY,
     "the store's quota is used up; nothing is lost, the records wait in Kafka: raise "
     "it"},
    {"NoSuchKey", PST_E_NOT_FOUND, 0, "there is no such object"},
    {"NoSuchUpload", PST_E_NOT_FOUND, RETRY, "the upload was completed or aborted"},
    {"AccessDenied", PST_E_AUTH, RETRY | DENIED, NULL},
    {"AllAccessDisabled", PST_E_AUTH, RETRY, "the bucket's owner has switched it off"},
    {"AccountProblem", PST_E_AUTH, RETRY, "the account has a problem: ask the provider"},
    {"InvalidAccessKeyId", PST_E_AUTH, RETRY | KEYS,
     "the store does not know this access key: check aws.access.key.id"},
    {"SignatureDoesNotMatch", PST_E_AUTH, RETRY | KEYS,
     "the secret does not belong to the access key: check aws.secret.access.key"},
    {"ExpiredToken", PST_E_AUTH, RETRY | KEYS,
     "the temporary credentials have expired: new ones are asked for"},
    {"InvalidToken", PST_E_AUTH, RETRY | KEYS,
     "the session token is not valid: check aws.session.token"},
    {"InvalidTokenId", PST_E_AUTH, RETRY | KEYS,
     "the session token is not valid: check aws.session.token"},
    {"TokenRefreshRequired", PST_E_AUTH, RETRY | KEYS,
     "the session token must be renewed"},
    {"KMS.DisabledException", PST_E_AUTH, RETRY, "enable the key s3.sse.kms.key.id"},
    {"KMS.NotFoundException", PST_E_AUTH, RETRY, "check s3.sse.kms.key.id"},
    {"InvalidBucketName", PST_E_CONFIG, 0, "check s3.bucket.name"},
    {"InvalidStorageClass", PST_E_CONFIG, 0, "check s3.storage.class"},
    {"InvalidTag", PST_E_CONFIG, 0, "check s3.object.tagging.key.value.pairs"},
    {"AccessControlListNotSupported", PST_E_CONFIG, 0,
     "this bucket takes no ACLs: remove s3.acl.canned"},
    {"EntityTooLarge", PST_E_LIMIT, 0, "the object is too large: lower flush.bytes"},
    {"InvalidPart", PST_E_IO, RETRY, "the store has lost a part"},
    {"KeyTooLongError", PST_E_INVALID, 0, "the key is too long"},
    {"XMinioInvalidObjectName", PST_E_INVALID, 0, "the store cannot hold this key"},
    {"NotImplemented", PST_E_UNSUPPORTED, 0, "the store cannot do that"},
    {"MethodNotAllowed", PST_E_CONFIG, 0,
     "store.url is not the address of an S3 endpoint"},
};

static const meaning no_such_bucket = {
    "NoSuchBucket", PST_E_NOT_FOUND, RETRY,
    "there is no such bucket: create it or check s3.bucket.name and s3.region"};

/* A HEAD's answer has no body to say more. */
static const meaning refused_head = {
    "", PST_E_AUTH, RETRY | KEYS,
    "refused: check s3.region, the credentials and, if they are temporary, their age"};

static const meaning not_s3 = {
    "", PST_E_INVALID, RETRY | UNKNOWN,
    "this is not an answer of S3: check store.url and what lies between"};

static bool changes(const pst_s3_call *call)
{
    return call->method == PST_S3_PUT || call->method == PST_S3_POST;
}

static meaning by_status(int status, bool with_code)
{
    if (status == 407)
        return (meaning){"", PST_E_AUTH, RETRY,
                         "the proxy asks for a password: check s3.proxy.user and "
                         "s3.proxy.password"};
    if (status == 401 || status == 403)
        return (meaning){"", PST_E_AUTH, RETRY | DENIED | KEYS, NULL};
    if (status == 404)
        return (meaning){"", PST_E_NOT_FOUND, 0, "there is no such object (or bucket)"};
    if (status == 412)
        return (meaning){"", PST_E_EXISTS, 0, "the key is taken"};
    if (status == 429 || status == 503)
        return (meaning){"", PST_E_THROTTLED, RETRY | UNKNOWN,
                         "the store asks for fewer requests"};
    if (status == 501)
        return (meaning){"", PST_E_UNSUPPORTED, 0, "the store cannot do that"};
    if (status == 408 || status == 409 || status >= 500)
        return (meaning){"", PST_E_IO, RETRY | UNKNOWN, "the store has a fault"};
    if (status == 307) /* a new bucket's name spreads; it ends by itself */
        return (meaning){"", PST_E_IO, RETRY, "the store sends us elsewhere for a while"};
    if (status >= 300 && status < 400)
        return (meaning){"", PST_E_CONFIG, 0,
                         "the bucket is somewhere else: check store.url and s3.region"};
    if (status >= 400 && with_code)
        return (meaning){"", PST_E_INVALID, 0, "the store refuses the request"};
    return not_s3;
}

static meaning meaning_of(const pst_s3_call *call, int status, const char *code)
{
    if (strcmp(code, no_such_bucket.code) == 0)
        return no_such_bucket;
    /* Nobody but the bucket can be missing for these. */
    if (status == 404 && !code[0] && (changes(call) || call->method == PST_S3_LIST))
        return no_such_bucket;
    for (size_t i = 0; i < sizeof by_code / sizeof *by_code; i++)
        if (code[0] && strcmp(code, by_code[i].code) == 0)
            return by_code[i];
    if (status == 400 && call->method == PST_S3_HEAD)
        return refused_head;
    return by_status(status, code[0] != '\0');
}

/* ---- texts ---- */

/* "grant s3:PutObject on arn:aws:s3:::bucket/key" */
static void name_permission(const pst_s3 *s3, const pst_s3_call *call, char *out,
                            size_t size)
{
    static const char *const actions[] = {
        [PST_S3_PUT] = "s3:PutObject",       [PST_S3_HEAD] = "s3:GetObject",
        [PST_S3_GET] = "s3:GetObject",       [PST_S3_LIST] = "s3:ListBucket",
        [PST_S3_DELETE] = "s3:DeleteObject", [PST_S3_POST] = "s3:PutObject",
    };
    static const char *const also[] = {
        [PST_S3_PUT] = "",
        [PST_S3_HEAD] = " and s3:ListBucket on the bucket",
        [PST_S3_GET] = " and s3:ListBucket on the bucket",
        [PST_S3_LIST] = "",
        [PST_S3_DELETE] = "",
        [PST_S3_POST] = "",
    };
    const char *more = call->permission ? "" : also[call->method];
    if (changes(call) && s3->n_extra)
        more = " (and what s3.acl.canned, the tags and the KMS key need)";
    snprintf(out, size, "not allowed: grant %s on arn:aws:s3:::%s%s%.150s%s",
             call->permission ? call->permission : actions[call->method], s3->bucket,
             call->key ? "/" : "", call->key ? call->key : "", more);
}

static void set_text(pst_s3 *s3, const pst_s3_call *call, const pst_http_response *res,
                     const meaning *what, const pst_s3xml_error *said, const char *advice,
                     pst_err *err)
{
    /* No part of a credential, even if the server should echo it. */
    const char *message =
        pst_creds_in_text(s3->creds, said->message) ? "" : said->message;
    const char *code = pst_creds_in_text(s3->creds, said->code) ? "" : said->code;
    (void)pst_fail(err, what->rc, "%s s3://%s%s%.200s: HTTP %d%s%s: %s%s%.200s%s",
                   pst_s3_method_name(call->method), s3->bucket, call->key ? "/" : "",
                   call->key ? call->key : "", res->status, code[0] ? " " : "", code,
                   advice, message[0] ? " (" : "", message, message[0] ? ")" : "");
}

/* ---- two answers that need more than a row ---- */

/* The region that the bucket is in, if the answer says that it is not ours. */
static bool other_region(const pst_s3 *s3, const pst_http_response *res,
                         const pst_s3xml_error *said, char *out, size_t size)
{
    pst_sv region = pst_http_header(res, "x-amz-bucket-region");
    bool by_answer = res->status == 301 || res->status == 307 || res->status == 400 ||
                     strcmp(said->code, "AuthorizationHeaderMalformed") == 0;
    if (!region.p || !region.n)
        region = pst_sv_of(said->region);
    if (!by_answer || !region.n || region.n > 40 || pst_sv_is(region, s3->region))
        return false;
    for (size_t i = 0; i < region.n; i++)
        if ((unsigned char)region.p[i] <= 0x20 || (unsigned char)region.p[i] >= 0x7f)
            return false;
    snprintf(out, size, "the bucket is in region %.*s: set s3.region=%.*s%s",
             PST_SV_FMT(region), PST_SV_FMT(region),
             s3->aws_url ? ", and store.url to that region's endpoint or not at all"
                         : "");
    return true;
}

/* A HEAD's answer has no body, so its Date must tell. */
bool pst_s3_is_skewed(const pst_s3 *s3, const pst_s3_call *call,
                      const pst_http_response *res)
{
    pst_s3xml_error said;
    (void)pst_s3xml_error_of((pst_sv){res->body.data, res->body.len}, &said);
    if (strcmp(said.code, "RequestTimeTooSkewed") == 0)
        return true;
    int64_t server_ms = 0;
    if (res->status != 403 || call->method != PST_S3_HEAD ||
        !pst_http_date(pst_http_header(res, "Date"), &server_ms))
        return false;
    int64_t off = server_ms - pst_wall_ms(s3->clock);
    return off > PST_S3_SKEW_MS || off < -PST_S3_SKEW_MS;
}

static const char *skew_advice(pst_s3 *s3, const pst_http_response *res)
{
    return pst_s3_learn_clock(s3, res)
               ? "this machine's clock is wrong; signatures are corrected from now on"
               : "the signature was too old on arrival: date it anew";
}

static void note(pst_s3 *s3, const pst_s3_call *call, const pst_http_response *res,
                 unsigned flags, pst_err *err)
{
    if (!err)
        return;
    err->status = res->status;
    err->retriable = flags & RETRY;
    err->unknown = (flags & UNKNOWN) && changes(call);
    err->after_ms = pst_http_retry_after_ms(res, pst_wall_ms(s3->clock));
}

pst_rc pst_s3_fail(pst_s3 *s3, const pst_s3_call *call, const pst_http_response *res,
                   pst_err *err)
{
    char advice[500];
    pst_s3xml_error said;
    pst_err why = PST_ERR_INIT;
    (void)pst_s3xml_error_of((pst_sv){res->body.data, res->body.len}, &said);
    meaning what = meaning_of(call, res->status, said.code);
    snprintf(advice, sizeof advice, "%s", what.advice ? what.advice : "");
    if (res->status ==
        200) /* too late for a status: the code in the body is the outcome */
        what.flags |= RETRY | UNKNOWN;
    if (pst_s3_is_skewed(s3, call, res)) {
        what = (meaning){"", PST_E_IO, RETRY, NULL};
        snprintf(advice, sizeof advice, "%s", skew_advice(s3, res));
    } else if (other_region(s3, res, &said, advice, sizeof advice)) {
        what = (meaning){"", PST_E_CONFIG, 0, NULL};
    } else if (what.flags & DENIED) {
        name_permission(s3, call, advice, sizeof advice);
    }
    set_text(s3, call, res, &what, &said, advice, &why);
    note(s3, call, res, what.flags, &why);
    if (what.flags & KEYS)
        pst_creds_refused(s3->creds, call->headers->signed_by);
    if (err && err->code == PST_OK)
        *err = why;
    return what.rc;
}

/* What texts of libcurl and OpenSSL have, and what to do about it. */
typedef struct advice {
    const char *said, *advice;
} advice;

static const advice ways[] = {
    {"local issuer", "set store.ssl.ca.location"},
    {"self-signed certificate", "set store.ssl.ca.location"},
    {"self signed certificate", "set store.ssl.ca.location"},
    {"certificate required", "set store.ssl.certificate.location"},
    {"client certificate", "check store.ssl.certificate.location"},
    {"alert unknown ca", "it refuses store.ssl.certificate.location"},
    {"alert bad certificate", "it refuses store.ssl.certificate.location"},
    {"alert certificate ", "it refuses store.ssl.certificate.location"},
    {"alert handshake failure", "if it asks for a client's certificate: set "
                                "store.ssl.certificate.location"},
    {"private key", "check store.ssl.key.location and store.ssl.key.password"},
    {"response 407", "check s3.proxy.user and s3.proxy.password"},
    {"407 from proxy", "check s3.proxy.user and s3.proxy.password"},
    {NULL, NULL},
};

/* A server of TLS 1.3 judges the client's certificate after the handshake, and its reason
   is lost if the connection ends while the request is being sent. */
static bool is_cut_off(const pst_s3 *s3, const char *text)
{
    static const char *const ends[] = {"Broken pipe",   "not connected",
                                       "reset by peer", "unexpected eof",
                                       "Empty reply",   "SSL_write() error"};
    if (!s3->tls || atomic_load_explicit(&s3->answered, memory_order_relaxed))
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strstr(text, ends[i]))
            return true;
    return false;
}

static const char *find_advice(const advice *from, const char *text)
{
    while (from->said && !strstr(text, from->said))
        from++;
    return from->advice;
}

void pst_s3_advise(const pst_s3 *s3, const pst_http_response *res, pst_err *err)
{
    size_t used = strlen(err->text);
    const char *found = find_advice(ways, err->text);
    if (!found && s3->proxied && !res->sent && err->code != PST_E_STOPPED)
        found = "by way of s3.proxy.url";
    if (!found && is_cut_off(s3, err->text))
        found = "it has answered nothing yet: if it asks for a client's certificate, set "
                "or check store.ssl.certificate.location";
    if (!found && !res->sent && err->code != PST_E_STOPPED)
        found = "check store.url, and that the store is up";
    if (found)
        snprintf(err->text + used, sizeof err->text - used, " (%s)", found);
}

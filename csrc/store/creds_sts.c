/*
 * creds_sts.c - temporary keys from an STS: AssumeRole, signed with other keys, and
 * AssumeRoleWithWebIdentity, whose token is its proof. The token's file is read anew
 * each time: Kubernetes replaces it.
 *
 * The endpoint is the region's. A store that is not AWS's has no STS that we could know,
 * and a token must not go where nobody meant it to: then it is asked for by name
 * (aws.sts.config.endpoint or AWS_ENDPOINT_URL_STS).
 */
#include "base/mem.h"
#include "store/creds_in.h"
#include "store/s3xml.h"
#include "store/sigv4.h"

#include <stdio.h>

enum { BODY_MAX = 64 * 1024, HEADERS = 8, CLOCK_OFF_MS = 5 * 60 * 1000 };

/* ---- the endpoint ---- */

static const char *named_endpoint(const pst_creds_ctx *ctx)
{
    const char *setting = ctx->env.conf->sts_endpoint;
    return pst_is_set(setting) ? setting : ctx->vars[PST_AWS_ENDPOINT_URL_STS];
}

static const char *region_of(const pst_creds_ctx *ctx)
{
    const char *region = ctx->env.conf->region;
    return pst_is_set(region) ? region : "us-east-1";
}

static pst_rc find_endpoint(const pst_creds_ctx *ctx, pst_endpoint *out, pst_err *err)
{
    const char *named = named_endpoint(ctx);
    if (named && pst_endpoint_parse(named, out))
        return PST_OK;
    if (named)
        return pst_fail(err, PST_E_CONFIG,
                        "the STS endpoint (aws.sts.config.endpoint, "
                        "AWS_ENDPOINT_URL_STS) is not like https://host or "
                        "http://host:port");
    if (!ctx->aws)
        return pst_fail(err, PST_E_CONFIG,
                        "store.url is not AWS's: name the STS that gives its keys in "
                        "aws.sts.config.endpoint (for MinIO the same as store.url)");
    pst_endpoint_aws("sts", region_of(ctx), out);
    return PST_OK;
}

/* ---- the request ---- */

static pst_rc add_field(pst_buf *body, const char *name, const char *value)
{
    pst_rc rc = PST_OK;
    if (!pst_is_set(value))
        return rc;
    rc = pst_buf_addf(body, "%s%s=", body->len ? "&" : "", name);
    return rc == PST_OK ? pst_sigv4_encode(body, pst_sv_of(value), false) : rc;
}

static pst_rc make_body(const pst_sts_role *role, const char *token, pst_buf *body)
{
    char duration[16];
    bool named = pst_is_set(role->session_name);
    snprintf(duration, sizeof duration, "%d", role->duration_s);
    const char *const fields[][2] = {
        {"Action", token ? "AssumeRoleWithWebIdentity" : "AssumeRole"},
        {"Version", "2011-06-15"},
        {"RoleArn", role->arn},
        {"RoleSessionName", named ? role->session_name : "penstock"},
        {"DurationSeconds", role->duration_s ? duration : NULL},
        {"ExternalId", token ? NULL : role->external_id},
        {"WebIdentityToken", token},
    };
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < sizeof fields / sizeof *fields && rc == PST_OK; i++)
        rc = add_field(body, fields[i][0], fields[i][1]);
    return rc;
}

static pst_rc sign(const pst_creds_ctx *ctx, const pst_creds_keys *base,
                   const char *const *headers, size_t n, const char *date, pst_sv body,
                   pst_buf *out, pst_err *err)
{
    char hash[PST_SIGV4_HASH_SIZE];
    pst_rc rc = pst_sigv4_hash(NULL, body, hash, err);
    if (rc != PST_OK)
        return rc;
    pst_sigv4_keys keys = {base->id, base->secret};
    pst_sigv4_request req = {.method = "POST",
                             .path = "/",
                             .headers = headers,
                             .n_headers = n,
                             .payload_hash = hash,
                             .date = date,
                             .region = region_of(ctx),
                             .service = "sts"};
    rc = pst_buf_adds(out, "Authorization: ");
    if (rc == PST_OK)
        rc = pst_sigv4_sign(&keys, &req, out, err);
    if (rc == PST_OK && !pst_buf_cstr(out))
        rc = PST_E_NOMEM;
    return rc == PST_OK ? rc : pst_fail(err, rc, "the signature of an STS request");
}

typedef struct ask {
    pst_creds_ctx *ctx;
    pst_http *http;
    const pst_endpoint *at;
    const pst_creds_keys *base; /* NULL: not signed */
    pst_sv body;
} ask;

static pst_rc send(const ask *a, int64_t wall_ms, pst_http_response *res, pst_err *err)
{
    char date[PST_SIGV4_DATE_SIZE];
    char lines[2][PST_ENDPOINT_HOST_MAX + 32];
    char token[PST_CREDS_TOKEN_MAX + 32];
    char url[PST_ENDPOINT_HOST_MAX + 32];
    const char *headers[HEADERS] = {
        "Content-Type: application/x-www-form-urlencoded; charset=utf-8"};
    size_t n = 1;
    pst_buf signature;
    pst_buf_init(&signature, 16 * 1024);
    pst_sigv4_date(date, wall_ms);
    snprintf(url, sizeof url, "%s://%s/", a->at->tls ? "https" : "http", a->at->host);
    snprintf(lines[0], sizeof lines[0], "Host: %s", a->at->host);
    snprintf(lines[1], sizeof lines[1], "x-amz-date: %s", date);
    headers[n++] = lines[0];
    headers[n++] = lines[1];
    pst_rc rc = PST_OK;
    if (a->base && a->base->token[0]) {
        snprintf(token, sizeof token, "x-amz-security-token: %s", a->base->token);
        headers[n++] = token;
    }
    if (a->base) {
        rc = sign(a->ctx, a->base, headers, n, date, a->body, &signature, err);
        headers[n++] = signature.data;
    }
    pst_http_request req = {.method = "POST",
                            .url = url,
                            .headers = headers,
                            .n_headers = n,
                            .body = a->body,
                            .timeout_ms = PST_CREDS_TIMEOUT_MS,
                            .max_response = PST_CREDS_ANSWER_MAX,
                            .cancel = a->ctx->env.cancel};
    if (rc == PST_OK)
        rc = pst_http_perform(a->http, &req, res, err);
    pst_wipe(token, sizeof token);
    pst_buf_done(&signature);
    return rc;
}

/* ---- the answer ---- */

/* The server's words, without what we sent it. */
static pst_rc refuse(const ask *a, const pst_sts_role *role, const pst_http_response *res,
                     pst_err *err)
{
    pst_s3xml_error said;
    (void)pst_s3xml_error_of((pst_sv){res->body.data, res->body.len}, &said);
    bool echo = a->base && (strstr(said.message, a->base->id) ||
                            strstr(said.message, a->base->secret));
    pst_rc rc =
        pst_fail_retriable(err, PST_E_AUTH, "STS %s: HTTP %d%s%s for %.150s%s%.200s%s",
                           a->at->host, res->status, said.code[0] ? " " : "", said.code,
                           role->arn, said.message[0] && !echo ? " (" : "",
                           echo ? "" : said.message, said.message[0] && !echo ? ")" : "");
    if (err)
        err->status = res->status;
    return rc;
}

static pst_rc read_answer(const ask *a, const pst_sts_role *role,
                          const pst_http_response *res, pst_creds_keys *out, pst_err *err)
{
    const char *source = a->base ? "an assumed role" : "a web identity token";
    if (res->status != 200)
        return refuse(a, role, res, err);
    pst_s3xml_keys *said = pst_calloc(1, sizeof *said);
    if (!said)
        return pst_fail_nomem(err, "credentials");
    bool over = false;
    bool whole = pst_s3xml_keys_of((pst_sv){res->body.data, res->body.len}, said);
    pst_rc rc =
        whole ? pst_creds_fill(out, said->id, said->secret, said->token, source, err)
              : PST_E_NOT_FOUND;
    if (rc == PST_E_NOT_FOUND)
        rc = pst_fail_retriable(err, PST_E_INVALID, "STS %s: the answer holds no keys",
                                a->at->host);
    if (rc == PST_OK)
        rc = pst_creds_life(a->ctx, res, pst_sv_of(said->expires), &out->life_ms, &over,
                            err);
    if (rc == PST_OK && over)
        rc = pst_fail_retriable(err, PST_E_AUTH, "STS %s gave keys that have expired",
                                a->at->host);
    pst_wipe(said, sizeof *said);
    pst_free(said);
    return rc;
}

/* Refused, and the answer's Date says that our clock is wrong: once more by its time. */
static bool is_skewed(const ask *a, const pst_http_response *res, int64_t *server_ms)
{
    int64_t now = pst_wall_ms(a->ctx->env.clock);
    if (!a->base || (res->status != 403 && res->status != 400) ||
        !pst_http_date(pst_http_header(res, "Date"), server_ms))
        return false;
    return *server_ms - now > CLOCK_OFF_MS || now - *server_ms > CLOCK_OFF_MS;
}

static pst_rc exchange(const ask *a, const pst_sts_role *role, pst_creds_keys *out,
                       pst_err *err)
{
    int64_t server_ms = 0;
    pst_http_response res;
    pst_http_response_init(&res);
    pst_rc rc = send(a, pst_wall_ms(a->ctx->env.clock), &res, err);
    if (rc == PST_OK && is_skewed(a, &res, &server_ms))
        rc = send(a, server_ms, &res, err);
    if (rc == PST_OK)
        rc = read_answer(a, role, &res, out, err);
    pst_creds_wipe_buf(&res.body);
    pst_http_response_done(&res);
    return rc;
}

pst_rc pst_creds_assume(pst_creds_ctx *ctx, const pst_sts_role *role,
                        const pst_creds_keys *base, pst_creds_keys *out, pst_err *err)
{
    pst_endpoint at;
    pst_buf body, token;
    pst_buf_init(&body, BODY_MAX);
    pst_buf_init(&token, PST_CREDS_FILE_MAX + 1);
    ask a = {.ctx = ctx, .at = &at, .base = base};
    pst_rc rc = find_endpoint(ctx, &at, err);
    if (rc == PST_OK && role->token_file)
        rc = pst_creds_read_token(role->token_file, &token, err);
    const char *text = rc == PST_OK && role->token_file ? pst_buf_cstr(&token) : NULL;
    if (rc == PST_OK && role->token_file && !text)
        rc = pst_fail_nomem(err, "credentials");
    if (rc == PST_OK && make_body(role, text, &body) != PST_OK)
        rc = pst_fail_nomem(err, "an STS request");
    pst_http_options options;
    pst_endpoint_http(ctx->env.conf, &options);
    if (rc == PST_OK)
        rc = pst_http_new(&a.http, &options, err);
    if (rc == PST_OK) {
        a.body = (pst_sv){body.data, body.len};
        rc = exchange(&a, role, out, err);
    }
    pst_http_free(a.http);
    pst_creds_wipe_buf(&body);
    pst_creds_wipe_buf(&token);
    return rc;
}

pst_rc pst_creds_from_web_identity(pst_creds_ctx *ctx, pst_creds_keys *out, pst_err *err)
{
    const char *file = ctx->vars[PST_AWS_WEB_IDENTITY_TOKEN_FILE];
    const char *arn = ctx->vars[PST_AWS_ROLE_ARN];
    if (!file || !arn)
        return PST_E_NOT_FOUND;
    if (!ctx->aws && !named_endpoint(ctx)) {
        pst_creds_note(ctx, "the web identity token is not sent to an unnamed STS: set "
                            "aws.sts.config.endpoint");
        return PST_E_NOT_FOUND;
    }
    pst_sts_role role = {.arn = arn,
                         .session_name = ctx->vars[PST_AWS_ROLE_SESSION_NAME],
                         .token_file = file};
    return pst_creds_assume(ctx, &role, NULL, out, err);
}

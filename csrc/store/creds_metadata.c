/*
 * creds_metadata.c - keys from what a machine or container of AWS runs in: the container
 * endpoint (ECS, EKS Pod Identity) and the instance's metadata (IMDSv2 only; version 1
 * is open to request forgery). Asked without a proxy and with short time-outs.
 *
 * The instance is asked only for AWS's own endpoints: on any other network its address
 * may be nobody's, and a MinIO user without keys is told so at once.
 */
#include "base/mem.h"
#include "store/creds_in.h"

#include <stdio.h>

enum {
    CONNECT_MS = 1000,
    TIMEOUT_MS = 2000,
    URL_MAX = 2100,
    ROLE_MAX = 128,
    EXTENDED_MS =
        10 * 60 * 1000, /* the instance's keys, when AWS is late to renew them */
};

static const char role_path[] = "/latest/meta-data/iam/security-credentials/";

typedef struct asked {
    pst_creds_ctx *ctx;
    pst_http *http;
    pst_http_response res;
} asked;

static pst_rc asked_init(asked *a, pst_creds_ctx *ctx, pst_err *err)
{
    pst_http_options options = {.connect_timeout_ms = CONNECT_MS, .proxy = ""};
    *a = (asked){.ctx = ctx};
    pst_http_response_init(&a->res);
    return pst_http_new(&a->http, &options, err);
}

static void asked_done(asked *a)
{
    pst_http_free(a->http);
    pst_creds_wipe_buf(&a->res.body);
    pst_http_response_done(&a->res);
}

static pst_rc send(asked *a, const char *method, const char *url, const char *header,
                   pst_err *err)
{
    const char *headers[] = {header};
    pst_http_request req = {.method = method,
                            .url = url,
                            .headers = headers,
                            .n_headers = header ? 1 : 0,
                            .timeout_ms = TIMEOUT_MS,
                            .max_response = PST_CREDS_ANSWER_MAX,
                            .cancel = a->ctx->env.cancel};
    return pst_http_perform(a->http, &req, &a->res, err);
}

/* ---- the container's endpoint ---- */

/* Over http only to the machine itself and to AWS's two link-local addresses: the
   authorization must not go to a stranger. */
static bool is_allowed(const char *url)
{
    static const char *const hosts[] = {"169.254.170.2", "169.254.170.23",
                                        "[fd00:ec2::23]"};
    if (strchr(url, '@'))
        return false;
    if (strncmp(url, "https://", 8) == 0)
        return true;
    if (strncmp(url, "http://", 7) != 0)
        return false;
    pst_sv host = {url + 7, strcspn(url + 7, "/?#")};
    if (pst_endpoint_is_loopback(host))
        return true;
    if (pst_sv_ends(host, PST_SV(":80")))
        host.n -= 3;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (pst_sv_is(host, hosts[i]))
            return true;
    return false;
}

static pst_rc container_url(const pst_creds_ctx *ctx, char url[URL_MAX], pst_err *err)
{
    const char *path = ctx->vars[PST_AWS_CONTAINER_CREDENTIALS_RELATIVE_URI];
    const char *full = ctx->vars[PST_AWS_CONTAINER_CREDENTIALS_FULL_URI];
    if (!path && !full)
        return PST_E_NOT_FOUND;
    int n = path ? snprintf(url, URL_MAX, "http://169.254.170.2%s", path)
                 : snprintf(url, URL_MAX, "%s", full);
    if (n < 0 || n >= URL_MAX || (path && path[0] != '/'))
        return pst_fail(err, PST_E_CONFIG,
                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with /");
    if (!is_allowed(url))
        return pst_fail(err, PST_E_CONFIG,
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to a "
                        "loopback address, 169.254.170.2 or 169.254.170.23");
    return PST_OK;
}

/* "Authorization: …", or nothing. */
static pst_rc authorization(const pst_creds_ctx *ctx, pst_buf *out, pst_err *err)
{
    const char *token = ctx->vars[PST_AWS_CONTAINER_AUTHORIZATION_TOKEN];
    const char *file = ctx->vars[PST_AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE];
    pst_buf text;
    pst_rc rc = PST_OK;
    if (!token && !file)
        return PST_OK;
    pst_buf_init(&text, PST_CREDS_FILE_MAX + 1);
    if (file)
        rc = pst_creds_read_token(file, &text, err);
    else if (pst_buf_adds(&text, token) != PST_OK)
        rc = pst_fail_nomem(err, "credentials");
    if (rc == PST_OK)
        rc = pst_buf_addf(out, "Authorization: %.*s", (int)text.len, text.data);
    if (rc == PST_OK && !pst_buf_cstr(out))
        rc = PST_E_NOMEM;
    if (rc != PST_OK)
        (void)pst_fail(err, rc, "the container's authorization token is too long");
    pst_creds_wipe_buf(&text);
    return rc;
}

pst_rc pst_creds_from_container(pst_creds_ctx *ctx, pst_creds_keys *out, pst_err *err)
{
    static const char source[] = "the container's endpoint";
    char url[URL_MAX];
    bool over = false;
    pst_buf header;
    asked a;
    pst_rc rc = container_url(ctx, url, err);
    if (rc != PST_OK)
        return rc;
    pst_buf_init(&header, 2 * PST_CREDS_TOKEN_MAX + 100);
    rc = asked_init(&a, ctx, err);
    if (rc == PST_OK)
        rc = authorization(ctx, &header, err);
    if (rc == PST_OK)
        rc = send(&a, "GET", url, header.len ? header.data : NULL, err);
    if (rc == PST_OK && a.res.status != 200)
        rc = pst_fail_retriable(err, PST_E_AUTH, "%s refuses: HTTP %d", source,
                                a.res.status);
    if (rc == PST_OK)
        rc = pst_creds_from_json(ctx, &a.res, source, out, &over, err);
    if (rc == PST_OK && over)
        rc =
            pst_fail_retriable(err, PST_E_AUTH, "%s gave keys that have expired", source);
    asked_done(&a);
    pst_creds_wipe_buf(&header);
    return rc;
}

/* ---- the instance's metadata ---- */

static pst_rc instance_url(pst_creds_ctx *ctx, char url[URL_MAX], pst_err *err)
{
    const char *named = ctx->vars[PST_AWS_EC2_METADATA_SERVICE_ENDPOINT];
    const char *off = ctx->vars[PST_AWS_EC2_METADATA_DISABLED];
    pst_endpoint at;
    if (off && pst_sv_eq_nocase(pst_sv_of(off), PST_SV("true"))) {
        pst_creds_note(ctx, "AWS_EC2_METADATA_DISABLED is set");
        return PST_E_NOT_FOUND;
    }
    if (!named && !ctx->aws) {
        pst_creds_note(ctx, "the instance's role is asked for only when store.url is "
                            "AWS's");
        return PST_E_NOT_FOUND;
    }
    if (named && !pst_endpoint_parse(named, &at))
        return pst_fail(err, PST_E_CONFIG,
                        "AWS_EC2_METADATA_SERVICE_ENDPOINT is not like http://host");
    if (named)
        snprintf(url, URL_MAX, "%s://%s", at.tls ? "https" : "http", at.host);
    else
        snprintf(url, URL_MAX, "http://169.254.169.254");
    return PST_OK;
}

/* One line of the answer, as it goes into a header or path. */
static bool take_line(const asked *a, char *out, size_t size)
{
    pst_sv rest;
    pst_sv all = {a->res.body.data, a->res.body.len};
    pst_sv line = pst_sv_trim(pst_sv_cut(all, '\n', &rest));
    if (a->res.status != 200 || !line.n || line.n >= size)
        return false;
    for (size_t i = 0; i < line.n; i++)
        if ((unsigned char)line.p[i] <= 0x20 || (unsigned char)line.p[i] >= 0x7f ||
            strchr("/?#%", line.p[i]))
            return false;
    memcpy(out, line.p, line.n);
    out[line.n] = '\0';
    return true;
}

/* Nobody there, or no IMDSv2: this is no instance. */
static pst_rc take_token(asked *a, const char *base, char *header, size_t size,
                         pst_err *err)
{
    char url[URL_MAX];
    char token[512];
    pst_err why = PST_ERR_INIT;
    snprintf(url, sizeof url, "%.1900s/latest/api/token", base);
    pst_rc rc = send(a, "PUT", url, "x-aws-ec2-metadata-token-ttl-seconds: 21600", &why);
    if (rc == PST_E_STOPPED || rc == PST_E_NOMEM) {
        if (err && err->code == PST_OK)
            *err = why;
        return rc;
    }
    /* A base64 text may hold a slash. */
    pst_sv body = pst_sv_trim((pst_sv){a->res.body.data, a->res.body.len});
    if (rc == PST_OK && a->res.status == 200 && body.n && body.n < sizeof token) {
        snprintf(header, size, "x-aws-ec2-metadata-token: %.*s", PST_SV_FMT(body));
        return PST_OK;
    }
    if (rc != PST_OK)
        pst_creds_note(a->ctx, "no instance metadata: %.100s", why.text);
    else
        pst_creds_note(a->ctx, "no instance metadata: HTTP %d to IMDSv2", a->res.status);
    return PST_E_NOT_FOUND;
}

static pst_rc take_role(asked *a, const char *base, const char *header, char *role,
                        pst_err *err)
{
    char url[URL_MAX];
    snprintf(url, sizeof url, "%.1900s%s", base, role_path);
    pst_rc rc = send(a, "GET", url, header, err);
    if (rc != PST_OK)
        return rc;
    if (a->res.status == 404) {
        pst_creds_note(a->ctx, "the instance has no role");
        return PST_E_NOT_FOUND;
    }
    return take_line(a, role, ROLE_MAX)
               ? PST_OK
               : pst_fail_retriable(err, PST_E_INVALID,
                                    "the instance metadata names no role: HTTP %d",
                                    a->res.status);
}

static pst_rc take_keys(asked *a, const char *base, const char *header, const char *role,
                        pst_creds_keys *out, pst_err *err)
{
    static const char source[] = "the instance's role";
    char url[URL_MAX];
    bool over = false;
    snprintf(url, sizeof url, "%.1900s%s%s", base, role_path, role);
    pst_rc rc = send(a, "GET", url, header, err);
    if (rc == PST_OK && a->res.status != 200)
        rc = pst_fail_retriable(err, PST_E_AUTH, "%s: HTTP %d", source, a->res.status);
    if (rc == PST_OK)
        rc = pst_creds_from_json(a->ctx, &a->res, source, out, &over, err);
    if (rc == PST_OK && over) /* as AWS's own clients do: S3 decides */
        out->life_ms = EXTENDED_MS;
    return rc;
}

pst_rc pst_creds_from_instance(pst_creds_ctx *ctx, pst_creds_keys *out, pst_err *err)
{
    char base[URL_MAX];
    char header[600];
    char role[ROLE_MAX];
    asked a;
    pst_rc rc = instance_url(ctx, base, err);
    if (rc != PST_OK)
        return rc;
    rc = asked_init(&a, ctx, err);
    if (rc == PST_OK)
        rc = take_token(&a, base, header, sizeof header, err);
    if (rc == PST_OK)
        rc = take_role(&a, base, header, role, err);
    if (rc == PST_OK)
        rc = take_keys(&a, base, header, role, out, err);
    asked_done(&a);
    return rc;
}

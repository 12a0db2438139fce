/*
 * s3open.c - from settings to what the S3 driver needs for each request: the host, how
 * the bucket is addressed, and the headers that every PUT carries.
 */
#include "base/mem.h"
#include "store/s3.h"

#include <stdio.h>

/* ---- the endpoint ---- */

static bool is_loopback(pst_sv host)
{
    pst_sv rest = {0};
    if (pst_sv_starts(host, PST_SV("[")))
        return pst_sv_starts(host, PST_SV("[::1]"));
    pst_sv name = pst_sv_cut(host, ':', &rest);
    if (pst_sv_is(name, "localhost") || pst_sv_ends(name, PST_SV(".localhost")))
        return true;
    if (!pst_sv_starts(name, PST_SV("127.")))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] != '.' && (name.p[i] < '0' || name.p[i] > '9'))
            return false;
    return true;
}

static bool is_address(pst_sv host)
{
    pst_sv rest;
    pst_sv name = pst_sv_cut(host, ':', &rest);
    if (pst_sv_starts(host, PST_SV("[")))
        return true;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] != '.' && (name.p[i] < '0' || name.p[i] > '9'))
            return false;
    return true;
}

/* As curl writes the Host header: the scheme's own port is left out. */
static pst_sv without_default_port(pst_sv host, bool tls)
{
    pst_sv port = tls ? PST_SV(":443") : PST_SV(":80");
    if (pst_sv_ends(host, port))
        host.n -= port.n;
    return host;
}

static bool host_characters(pst_sv host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_:[]";
    for (size_t i = 0; i < host.n; i++)
        if (!memchr(allowed, host.p[i], sizeof allowed - 1))
            return false;
    return host.n > 0;
}

static pst_rc fail_url(pst_err *err)
{
    return pst_fail(
        err, PST_E_CONFIG,
        "store.url: write it as http://host:port or https://host, without a path "
        "and without credentials");
}

static pst_rc endpoint_of_url(pst_s3 *s3, const char *url, pst_sv *host, pst_err *err)
{
    pst_sv rest = pst_sv_of(url);
    s3->tls = pst_sv_starts(rest, PST_SV("https://"));
    size_t skip = s3->tls ? 8 : 7;
    if (!s3->tls && !pst_sv_starts(rest, PST_SV("http://")))
        return fail_url(err);
    pst_sv path;
    *host = pst_sv_cut((pst_sv){rest.p + skip, rest.n - skip}, '/', &path);
    if ((path.p && path.n) || !host_characters(*host))
        return fail_url(err);
    *host = without_default_port(*host, s3->tls);
    return PST_OK;
}

static pst_rc set_host(pst_s3 *s3, pst_sv host, pst_err *err)
{
    if (!s3->path_style && is_address(host))
        return pst_fail(
            err, PST_E_CONFIG,
            "s3.path.style.access.enabled=false needs a host name in store.url, "
            "not an address");
    if (!s3->path_style && s3->tls && strchr(s3->bucket, '.'))
        return pst_fail(err, PST_E_CONFIG,
                        "a bucket with dots in its name has no valid certificate: set "
                        "s3.path.style.access.enabled=true");
    int n = s3->path_style ? snprintf(s3->host, sizeof s3->host, "%.*s", PST_SV_FMT(host))
                           : snprintf(s3->host, sizeof s3->host, "%s.%.*s", s3->bucket,
                                      PST_SV_FMT(host));
    if (n < 0 || (size_t)n >= sizeof s3->host)
        return pst_fail(err, PST_E_CONFIG, "store.url: the host is too long");
    for (char *p = s3->host; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + ('a' - 'A'));
    s3->unsigned_payload = s3->tls || is_loopback(pst_sv_of(s3->host));
    return PST_OK;
}

static pst_rc set_endpoint(pst_s3 *s3, const char *url, pst_err *err)
{
    char aws[PST_S3_HOST_MAX];
    pst_sv host = {0};
    if (url && url[0]) {
        pst_rc rc = endpoint_of_url(s3, url, &host, err);
        return rc == PST_OK ? set_host(s3, host, err) : rc;
    }
    s3->tls = true;
    snprintf(aws, sizeof aws, "s3.%.100s.amazonaws.com%s", s3->region,
             strncmp(s3->region, "cn-", 3) == 0 ? ".cn" : "");
    return set_host(s3, pst_sv_of(aws), err);
}

/* ---- headers of every PUT ---- */

static bool set(const char *value)
{
    return value && value[0];
}

static pst_rc add_extra(pst_s3 *s3, char *line, pst_err *err)
{
    if (!line)
        return pst_fail_nomem(err, "the S3 client");
    if (s3->n_extra == PST_S3_EXTRA_MAX) {
        pst_free(line);
        return pst_fail(err, PST_E_INTERNAL, "too many headers for a PUT");
    }
    s3->extra[s3->n_extra++] = line;
    return PST_OK;
}

static pst_rc add_if_set(pst_s3 *s3, const char *name, const char *value, pst_err *err)
{
    return set(value) ? add_extra(s3, pst_asprintf("%s: %s", name, value), err) : PST_OK;
}

/* "key:value,key:value" → "key=value&key=value", encoded. */
static pst_rc add_tags(pst_s3 *s3, const char *tags, pst_err *err)
{
    pst_buf line;
    if (!set(tags))
        return PST_OK;
    pst_buf_init(&line, 8192);
    pst_rc rc = pst_buf_adds(&line, "x-amz-tagging: ");
    pst_sv rest = pst_sv_of(tags);
    bool first = true;
    while (rc == PST_OK && rest.p) {
        pst_sv value;
        pst_sv one = pst_sv_trim(pst_sv_cut(rest, ',', &rest));
        pst_sv key = pst_sv_trim(pst_sv_cut(one, ':', &value));
        if (!key.n)
            continue;
        if (!first)
            rc = pst_buf_addc(&line, '&');
        first = false;
        if (rc == PST_OK)
            rc = pst_sigv4_encode(&line, key, false);
        if (rc == PST_OK)
            rc = pst_buf_addc(&line, '=');
        if (rc == PST_OK)
            rc = pst_sigv4_encode(&line, pst_sv_trim(value), false);
    }
    if (rc == PST_OK && !first)
        rc = add_extra(s3, pst_buf_take(&line), err);
    else if (rc != PST_OK)
        rc = pst_fail(err, rc, "s3.object.tagging.key.value.pairs is too long");
    pst_buf_done(&line);
    return rc;
}

static pst_rc set_extra(pst_s3 *s3, const pst_store_conf *conf, pst_err *err)
{
    pst_rc rc = add_if_set(s3, "x-amz-server-side-encryption", conf->ssea_name, err);
    if (rc == PST_OK)
        rc = add_if_set(s3, "x-amz-server-side-encryption-aws-kms-key-id",
                        conf->sse_kms_key_id, err);
    if (rc == PST_OK)
        rc = add_if_set(s3, "x-amz-acl", conf->acl_canned, err);
    if (rc == PST_OK)
        rc = add_tags(s3, conf->tagging, err);
    if (rc == PST_OK)
        rc = add_if_set(s3, "x-amz-storage-class", conf->storage_class, err);
    s3->extra_class = rc == PST_OK && set(conf->storage_class);
    return rc;
}

pst_rc pst_s3_configure(pst_s3 *s3, const pst_store_conf *conf, pst_err *err)
{
    if (!set(conf->bucket))
        return pst_fail(err, PST_E_CONFIG,
                        "s3.bucket.name is not set: name the bucket, or set "
                        "store.url=file:///folder");
    if (strpbrk(conf->bucket, "/:[]") || !host_characters(pst_sv_of(conf->bucket)))
        return pst_fail(err, PST_E_CONFIG, "s3.bucket.name: not a bucket's name");
    s3->bucket = pst_strdup(conf->bucket);
    s3->region = pst_strdup(set(conf->region) ? conf->region : "us-east-1");
    if (!s3->bucket || !s3->region)
        return pst_fail_nomem(err, "the S3 client");
    s3->path_style = conf->path_style;
    s3->timeout_ms = conf->request_timeout_ms > 0 ? conf->request_timeout_ms : 60000;
    pst_rc rc = set_endpoint(s3, conf->url, err);
    if (rc == PST_OK)
        rc = set_extra(s3, conf, err);
    if (rc == PST_OK)
        rc = pst_creds_new(&s3->creds, conf, err);
    pst_http_options options = {.ca_file = set(conf->ca_file) ? conf->ca_file : NULL};
    return rc == PST_OK ? pst_http_new(&s3->http, &options, err) : rc;
}

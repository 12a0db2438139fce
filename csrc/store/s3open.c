/*
 * s3open.c - from settings to what the S3 driver needs for each request: the host, and
 * how the bucket is addressed.
 */
#include "base/mem.h"
#include "store/endpoint.h"
#include "store/s3.h"

#include <stdio.h>

/* ---- the endpoint ---- */

static pst_rc set_host(pst_s3 *s3, const pst_endpoint *at, pst_err *err)
{
    pst_sv host = pst_sv_of(at->host);
    if (!s3->path_style && pst_endpoint_is_address(host))
        return pst_fail(
            err, PST_E_CONFIG,
            "s3.path.style.access.enabled=false needs a host name in store.url, "
            "not an address");
    if (!s3->path_style && at->tls && strchr(s3->bucket, '.'))
        return pst_fail(err, PST_E_CONFIG,
                        "a bucket with dots in its name has no valid certificate: set "
                        "s3.path.style.access.enabled=true");
    int n =
        snprintf(s3->host, sizeof s3->host, "%s%s%s", s3->path_style ? "" : s3->bucket,
                 s3->path_style ? "" : ".", at->host);
    if (n < 0 || (size_t)n >= sizeof s3->host)
        return pst_fail(err, PST_E_CONFIG, "store.url: the host is too long");
    for (char *p = s3->host; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + ('a' - 'A'));
    s3->tls = at->tls;
    s3->unsigned_payload = s3->tls || pst_endpoint_is_loopback(pst_sv_of(s3->host));
    return PST_OK;
}

static pst_rc set_endpoint(pst_s3 *s3, const char *url, pst_err *err)
{
    pst_endpoint at;
    if (!url || !url[0])
        pst_endpoint_aws("s3", s3->region, &at);
    else if (!pst_endpoint_parse(url, &at))
        return pst_fail(
            err, PST_E_CONFIG,
            "store.url: write it as http://host:port or https://host, without a path "
            "and without credentials");
    s3->aws_url = url && url[0] && pst_endpoint_is_aws(pst_sv_of(at.host));
    return set_host(s3, &at, err);
}

static bool set(const char *value)
{
    return value && value[0];
}

static const char bucket_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "0123456789.-_";

pst_rc pst_s3_configure(pst_s3 *s3, const pst_store_conf *conf, pst_err *err)
{
    if (!set(conf->bucket))
        return pst_fail(err, PST_E_CONFIG,
                        "s3.bucket.name is not set: name the bucket, or set "
                        "store.url=file:///folder");
    if (strspn(conf->bucket, bucket_characters) != strlen(conf->bucket))
        return pst_fail(err, PST_E_CONFIG, "s3.bucket.name: not a bucket's name");
    s3->bucket = pst_strdup(conf->bucket);
    s3->region = pst_strdup(set(conf->region) ? conf->region : "us-east-1");
    if (!s3->bucket || !s3->region)
        return pst_fail_nomem(err, "the S3 client");
    s3->path_style = conf->path_style;
    s3->proxied = set(conf->proxy_url);
    s3->part_size = conf->part_size;
    s3->part_retries = conf->part_retries;
    s3->retry_backoff_ms = conf->retry_backoff_ms > 0 ? conf->retry_backoff_ms : 1;
    s3->timeout_ms = conf->request_timeout_ms > 0 ? conf->request_timeout_ms : 60000;
    pst_rc rc = set_endpoint(s3, conf->url, err);
    if (rc == PST_OK)
        rc = pst_s3_set_properties(s3, conf, err);
    pst_creds_env env = {conf, s3->clock, s3->cancel, s3->log};
    if (rc == PST_OK)
        rc = pst_creds_new(&s3->creds, &env, err);
    pst_http_options options;
    pst_endpoint_http(conf, &options);
    return rc == PST_OK ? pst_http_new(&s3->http, &options, err) : rc;
}

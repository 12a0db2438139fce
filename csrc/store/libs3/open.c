/*
 * open.c - from settings to what libs3 is told; what it cannot do is refused here, with
 * the setting's name. Settings that no libs3 knows are refused earlier, with file and
 * line (store/settings.c).
 */
#include "base/mem.h"
#include "store/libs3/client.h"

#include <stdio.h>

static bool set(const char *value)
{
    return value && value[0];
}

static pst_rc copy(char *out, size_t size, const char *value, const char *name,
                   pst_err *err)
{
    int n = snprintf(out, size, "%s", value);
    if (n < 0 || (size_t)n >= size)
        return pst_fail(err, PST_E_CONFIG, "%s: too long for libs3", name);
    return PST_OK;
}

/* Neither version can be given a CA, and 2 does not look at certificates at all. */
static pst_rc check_tls(pst_libs3 *l3, const pst_store_conf *conf, pst_err *err)
{
    if (PST_LIBS3_V4)
        return PST_OK;
    if (!conf->libs3_unverified_tls)
        return pst_fail(err, PST_E_CONFIG,
                        "store.url: libs3 2 speaks https without verifying the store's "
                        "certificate, so anybody on the way could take its place: use "
                        "s3.client=curl, or http:// in a network that you trust, or set "
                        "s3.libs3.allow.unverified.tls=true");
    pst_logf(l3->log, PST_LOG_WARN, NULL, "store",
             "s3.client=libs3: the certificate of %s is NOT verified "
             "(s3.libs3.allow.unverified.tls=true): anybody on the way can read and "
             "change what is sent",
             l3->host);
    return PST_OK;
}

static pst_rc set_endpoint(pst_libs3 *l3, const pst_store_conf *conf, pst_err *err)
{
    char aws[100];
    const char *host = conf->url ? conf->url : "";
    const char *region = set(conf->region) ? conf->region : "us-east-1";
    if (!host[0] && !PST_LIBS3_V4)
        return pst_fail(err, PST_E_CONFIG,
                        "store.url is not set: AWS takes no Signature V2, and libs3 2 "
                        "speaks no other; use s3.client=curl");
    snprintf(aws, sizeof aws, "https://s3.%.60s.amazonaws.com", region);
    if (!host[0])
        host = aws;
    bool tls = strncmp(host, "https://", 8) == 0;
    if (!tls && strncmp(host, "http://", 7) != 0)
        return pst_fail(err, PST_E_CONFIG,
                        "store.url: write it as http://host:port or https://host");
    pst_rc rc = copy(l3->host, sizeof l3->host, host + (tls ? 8 : 7), "store.url", err);
    if (rc == PST_OK)
        rc = copy(l3->region, sizeof l3->region, region, "s3.region", err);
    l3->host[strcspn(l3->host, "/?#")] = '\0';
    l3->at.protocol = tls ? S3ProtocolHTTPS : S3ProtocolHTTP;
    l3->at.uriStyle = conf->path_style ? S3UriStylePath : S3UriStyleVirtualHost;
    return rc == PST_OK && tls ? check_tls(l3, conf, err) : rc;
}

static pst_rc set_keys(pst_libs3 *l3, const pst_store_conf *conf, pst_err *err)
{
    if (set(conf->session_token) && !PST_LIBS3_V4)
        return pst_fail(err, PST_E_CONFIG,
                        "s3.client=libs3: libs3 2 cannot send the session token of "
                        "temporary credentials: use lasting keys, or s3.client=curl");
    pst_rc rc =
        copy(l3->id, sizeof l3->id, conf->access_key_id, "aws.access.key.id", err);
    if (rc == PST_OK)
        rc = copy(l3->secret, sizeof l3->secret, conf->secret_access_key,
                  "aws.secret.access.key", err);
    if (rc == PST_OK && set(conf->session_token) &&
        !(l3->token = pst_strdup(conf->session_token)))
        rc = pst_fail_nomem(err, "a session token");
    return rc;
}

static pst_rc set_acl(pst_libs3 *l3, const char *name, pst_err *err)
{
    static const struct {
        const char *name;
        S3CannedAcl acl;
    } all[] = {{"private", S3CannedAclPrivate},
               {"public-read", S3CannedAclPublicRead},
               {"public-read-write", S3CannedAclPublicReadWrite},
               {"authenticated-read", S3CannedAclAuthenticatedRead}};
    l3->acl = S3CannedAclPrivate; /* what no header means, too */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (set(name) && strcmp(all[i].name, name) == 0) {
            l3->acl = all[i].acl;
            return PST_OK;
        }
    return set(name) ? pst_fail(err, PST_E_CONFIG,
                                "s3.acl.canned=%.60s is not known to libs3: use "
                                "s3.client=curl",
                                name)
                     : PST_OK;
}

pst_rc pst_libs3_configure(pst_libs3 *l3, const pst_store_conf *conf, pst_err *err)
{
    if (!set(conf->bucket))
        return pst_fail(err, PST_E_CONFIG, "s3.bucket.name is not set: name the bucket");
    pst_rc rc = copy(l3->bucket, sizeof l3->bucket, conf->bucket, "s3.bucket.name", err);
    if (rc == PST_OK)
        rc = set_endpoint(l3, conf, err);
    if (rc == PST_OK)
        rc = set_keys(l3, conf, err);
    if (rc == PST_OK)
        rc = set_acl(l3, conf->acl_canned, err);
    l3->timeout_ms = conf->request_timeout_ms > 0 ? conf->request_timeout_ms : 60000;
    l3->at.hostName = l3->host;
    l3->at.bucketName = l3->bucket;
    l3->at.accessKeyId = l3->id;
    l3->at.secretAccessKey = l3->secret;
#if PST_LIBS3_V4
    l3->at.securityToken = l3->token;
    l3->at.authRegion = l3->region;
#endif
    return rc;
}

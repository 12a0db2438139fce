/*
 * endpoint.c - see endpoint.h. AWS's partitions differ in the DNS suffix alone; a
 * region's name says in which it is.
 */
#include "store/endpoint.h"

#include <stdio.h>

static const struct {
    const char *region, *suffix;
} partitions[] = {
    {"cn-", "amazonaws.com.cn"},    {"us-isob-", "sc2s.sgov.gov"},
    {"us-isof-", "csp.hci.ic.gov"}, {"us-iso-", "c2s.ic.gov"},
    {"eu-isoe-", "cloud.adc-e.uk"}, {"eusc-", "amazonaws.eu"},
    {"", "amazonaws.com"}, /* us-gov- too */
};

enum { PARTITIONS = sizeof partitions / sizeof *partitions };

static pst_sv name_of(pst_sv host)
{
    pst_sv rest;
    return pst_sv_cut(host, ':', &rest);
}

static bool is_dotted(pst_sv name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] != '.' && (name.p[i] < '0' || name.p[i] > '9'))
            return false;
    return true;
}

bool pst_endpoint_is_loopback(pst_sv host)
{
    if (pst_sv_starts(host, PST_SV("[")))
        return pst_sv_starts(host, PST_SV("[::1]"));
    pst_sv name = name_of(host);
    if (pst_sv_is(name, "localhost") || pst_sv_ends(name, PST_SV(".localhost")))
        return true;
    return pst_sv_starts(name, PST_SV("127.")) && is_dotted(name);
}

bool pst_endpoint_is_address(pst_sv host)
{
    return pst_sv_starts(host, PST_SV("[")) || is_dotted(name_of(host));
}

bool pst_endpoint_is_aws(pst_sv host)
{
    pst_sv name = name_of(host);
    for (size_t i = 0; i < PARTITIONS; i++) {
        pst_sv suffix = pst_sv_of(partitions[i].suffix);
        if (name.n > suffix.n && pst_sv_ends(name, suffix) &&
            name.p[name.n - suffix.n - 1] == '.')
            return true;
    }
    return false;
}

void pst_endpoint_aws(const char *service, const char *region, pst_endpoint *out)
{
    size_t i = 0;
    while (!pst_sv_starts(pst_sv_of(region), pst_sv_of(partitions[i].region)))
        i++; /* the last row fits all */
    out->tls = true;
    snprintf(out->host, sizeof out->host, "%.20s.%.100s.%s", service, region,
             partitions[i].suffix);
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

bool pst_endpoint_parse(const char *url, pst_endpoint *out)
{
    pst_sv all = pst_sv_of(url);
    bool tls = pst_sv_starts(all, PST_SV("https://"));
    size_t skip = tls ? 8 : 7;
    if (!tls && !pst_sv_starts(all, PST_SV("http://")))
        return false;
    pst_sv path;
    pst_sv host = pst_sv_cut((pst_sv){all.p + skip, all.n - skip}, '/', &path);
    if ((path.p && path.n) || !host_characters(host))
        return false;
    pst_sv port = tls ? PST_SV(":443") : PST_SV(":80");
    if (pst_sv_ends(host, port)) /* as curl writes the Host header */
        host.n -= port.n;
    if (host.n >= sizeof out->host)
        return false;
    out->tls = tls;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        out->host[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    out->host[host.n] = '\0';
    return true;
}

static const char *or_null(const char *value)
{
    return value && value[0] ? value : NULL;
}

void pst_endpoint_http(const pst_store_conf *conf, pst_http_options *out)
{
    *out = (pst_http_options){.ca_file = or_null(conf->ca_file),
                              .client_cert = or_null(conf->client_cert),
                              .client_key = or_null(conf->client_key),
                              .client_key_password = or_null(conf->client_key_password),
                              .proxy = or_null(conf->proxy_url),
                              .proxy_user = or_null(conf->proxy_user),
                              .proxy_password = or_null(conf->proxy_password)};
}

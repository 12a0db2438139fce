/*
 * settings_access.c - the settings for getting at a store: keys, roles, certificates,
 * proxy; and the checks that need more than one of them.
 */
#include "store/settings_access.h"

#include "store/endpoint.h"

/* ---- checks of one value ---- */

pst_rc pst_store_check_header_text(const char *value, pst_err *err)
{
    for (; *value; value++)
        if ((unsigned char)*value <= 0x20 || (unsigned char)*value >= 0x7f)
            return pst_fail(err, PST_E_CONFIG,
                            "printable ASCII characters without spaces only");
    return PST_OK;
}

static pst_rc check_arn(const char *value, pst_err *err)
{
    size_t n = strlen(value);
    if (n && (n > 2048 || strncmp(value, "arn:", 4) != 0))
        return pst_fail(err, PST_E_CONFIG,
                        "a role's ARN, like arn:aws:iam::123456789012:role/name");
    return pst_store_check_header_text(value, err);
}

static bool made_of(const char *value, const char *marks, size_t min, size_t max)
{
    size_t n = 0;
    for (const char *p = value; *p; p++, n++) {
        bool word = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                    (*p >= '0' && *p <= '9');
        if (!word && !strchr(marks, *p))
            return false;
    }
    return n == 0 || (n >= min && n <= max);
}

static pst_rc check_session_name(const char *value, pst_err *err)
{
    return made_of(value, "_+=,.@-", 2, 64)
               ? PST_OK
               : pst_fail(err, PST_E_CONFIG,
                          "2 to 64 letters, digits and characters of _+=,.@-");
}

static pst_rc check_external_id(const char *value, pst_err *err)
{
    return made_of(value, "_+=,.@:/-", 2, 1224)
               ? PST_OK
               : pst_fail(err, PST_E_CONFIG,
                          "2 to 1224 letters, digits and characters of _+=,.@:/-");
}

static pst_rc check_endpoint(const char *value, pst_err *err)
{
    pst_endpoint at;
    return !value[0] || pst_endpoint_parse(value, &at)
               ? PST_OK
               : pst_fail(err, PST_E_CONFIG,
                          "write it as https://host or http://host:port, without a path");
}

static pst_rc check_proxy(const char *value, pst_err *err)
{
    pst_endpoint at;
    if (strchr(value, '@'))
        return pst_fail(err, PST_E_CONFIG,
                        "no credentials in the URL: set s3.proxy.user and "
                        "s3.proxy.password");
    return !value[0] || pst_endpoint_parse(value, &at)
               ? PST_OK
               : pst_fail(err, PST_E_CONFIG,
                          "write it as http://host:port (or https://host:port)");
}

/* ---- rows ---- */

#define ROW(field) .offset = offsetof(pst_store_conf, field)

static const pst_setting rows[] = {
    {.name = "aws.access.key.id",
     .type = PST_CONF_STRING,
     ROW(access_key_id),
     .check = pst_store_check_header_text,
     .importance = PST_CONF_HIGH,
     .doc = "The access key. Unset: the standard chain, which is AWS_ACCESS_KEY_ID, the "
            "profile AWS_PROFILE (or default) of ~/.aws/credentials and ~/.aws/config, a "
            "web identity token (IRSA), the container's endpoint (ECS, EKS Pod "
            "Identity), the instance's role (IMDSv2)."},
    {.name = "aws.secret.access.key",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_SECRET,
     ROW(secret_access_key),
     .check = pst_store_check_header_text,
     .importance = PST_CONF_HIGH,
     .doc = "The secret of aws.access.key.id; best given as ${env:NAME} or "
            "${file:/path:key}."},
    {.name = "aws.session.token",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_SECRET,
     ROW(session_token),
     .check = pst_store_check_header_text,
     .importance = PST_CONF_LOW,
     .doc = "The session token of temporary credentials."},
    {.name = "aws.sts.role.arn",
     .type = PST_CONF_STRING,
     ROW(sts_role_arn),
     .check = check_arn,
     .importance = PST_CONF_MEDIUM,
     .doc = "A role to assume: the keys found (by settings or the standard chain) are "
            "exchanged for temporary ones of this role, renewed before they expire."},
    {.name = "aws.sts.role.external.id",
     .type = PST_CONF_STRING,
     ROW(sts_external_id),
     .check = check_external_id,
     .importance = PST_CONF_LOW,
     .doc = "The external id that the role's trust policy asks for."},
    {.name = "aws.sts.role.session.name",
     .type = PST_CONF_STRING,
     ROW(sts_session_name),
     .def = "penstock",
     .check = check_session_name,
     .importance = PST_CONF_LOW,
     .doc = "The session's name, as CloudTrail shows it."},
    {.name = "aws.sts.role.session.duration",
     .type = PST_CONF_INT,
     ROW(sts_duration_s),
     .def = "3600",
     .min = 900,
     .max = 43200,
     .importance = PST_CONF_LOW,
     .doc = "How long the role's keys live, in seconds; no longer than the role allows."},
    {.name = "aws.sts.config.endpoint",
     .type = PST_CONF_STRING,
     ROW(sts_endpoint),
     .check = check_endpoint,
     .importance = PST_CONF_LOW,
     .doc = "The STS to ask. Unset: AWS_ENDPOINT_URL_STS, or AWS's in s3.region. A "
            "store.url that is not AWS's needs it (for MinIO the same URL)."},
    {.name = "store.ssl.ca.location",
     .type = PST_CONF_STRING,
     ROW(ca_file),
     .importance = PST_CONF_LOW,
     .doc =
         "A file with the CA certificates (PEM) that the store's certificate is checked "
         "against. Unset: the system's."},
    {.name = "store.ssl.certificate.location",
     .type = PST_CONF_STRING,
     ROW(client_cert),
     .importance = PST_CONF_LOW,
     .doc = "A file with the client's certificate (PEM), for stores that ask for one."},
    {.name = "store.ssl.key.location",
     .type = PST_CONF_STRING,
     ROW(client_key),
     .importance = PST_CONF_LOW,
     .doc = "The file with that certificate's private key (PEM). Unset: the "
            "certificate's file holds it."},
    {.name = "store.ssl.key.password",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_SECRET,
     ROW(client_key_password),
     .importance = PST_CONF_LOW,
     .doc = "The private key's passphrase."},
    {.name = "s3.proxy.url",
     .type = PST_CONF_STRING,
     ROW(proxy_url),
     .check = check_proxy,
     .importance = PST_CONF_LOW,
     .doc = "An HTTP proxy on the way to the store (and to the STS), http://host:port. "
            "Unset: http_proxy, HTTPS_PROXY. NO_PROXY holds for both."},
    {.name = "s3.proxy.user",
     .type = PST_CONF_STRING,
     ROW(proxy_user),
     .importance = PST_CONF_LOW,
     .doc = "The proxy's user."},
    {.name = "s3.proxy.password",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_SECRET,
     ROW(proxy_password),
     .importance = PST_CONF_LOW,
     .doc = "The proxy user's password."},
};

const pst_conf_section pst_store_access_section = {
    .title = "Where: credentials, certificates, proxy",
    .rows = rows,
    .n_rows = sizeof rows / sizeof *rows,
};

/* ---- checks across settings ---- */

static bool set(const char *value)
{
    return value && value[0];
}

/* `key` is set, and what it needs is not. */
static void needs(const pst_props *props, pst_conf_report *report, const char *key,
                  const char *value, const char *other)
{
    if (set(value))
        pst_conf_error(report, pst_props_find(props, key), key, "needs %s", other);
}

static void check_role(const pst_store_conf *conf, const pst_props *props,
                       pst_conf_report *report)
{
    const char *url = conf->url;
    pst_endpoint at;
    bool other = set(url) && pst_endpoint_parse(url, &at) &&
                 !pst_endpoint_is_aws(pst_sv_of(at.host));
    if (!set(conf->sts_role_arn)) {
        needs(props, report, "aws.sts.role.external.id", conf->sts_external_id,
              "aws.sts.role.arn");
        return;
    }
    if (other && !set(conf->sts_endpoint))
        pst_conf_warning(report, pst_props_find(props, "aws.sts.role.arn"),
                         "aws.sts.role.arn",
                         "store.url is not AWS's: set aws.sts.config.endpoint (for MinIO "
                         "the same as store.url) or AWS_ENDPOINT_URL_STS");
}

/* What can't work, or does nothing, over the URL that is set. */
static void check_ways(const pst_store_conf *conf, const pst_props *props,
                       pst_conf_report *report)
{
    static const char *const names[] = {"store.ssl.ca.location",
                                        "store.ssl.certificate.location"};
    const char *const values[] = {conf->ca_file, conf->client_cert};
    bool plain = conf->url && strncmp(conf->url, "http://", 7) == 0;
    for (size_t i = 0; i < 2; i++)
        if (plain && set(values[i]))
            pst_conf_warning(report, pst_props_find(props, names[i]), names[i],
                             "has no effect: store.url is http, not https");
}

void pst_store_access_check(const pst_store_conf *conf, const pst_props *props,
                            pst_conf_report *report)
{
    if (set(conf->access_key_id) != set(conf->secret_access_key)) {
        const char *key =
            set(conf->access_key_id) ? "aws.access.key.id" : "aws.secret.access.key";
        pst_conf_error(
            report, pst_props_find(props, key), key,
            "aws.access.key.id and aws.secret.access.key are set together or not "
            "at all");
    }
    if (set(conf->session_token) && !set(conf->access_key_id))
        pst_conf_error(report, pst_props_find(props, "aws.session.token"),
                       "aws.session.token", "needs aws.access.key.id");
    if (!set(conf->client_cert)) {
        needs(props, report, "store.ssl.key.location", conf->client_key,
              "store.ssl.certificate.location");
        needs(props, report, "store.ssl.key.password", conf->client_key_password,
              "store.ssl.certificate.location");
    }
    if (!set(conf->proxy_user))
        needs(props, report, "s3.proxy.password", conf->proxy_password, "s3.proxy.user");
    check_role(conf, props, report);
    check_ways(conf, props, report);
}

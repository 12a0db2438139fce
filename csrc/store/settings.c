/*
 * settings.c - the settings of all store drivers, as rows for the conf engine, and the
 * checks that need more than one of them.
 */
#include "store/settings_access.h"

#include <stdio.h>

static const char *const client_choices[] = {"curl", "libs3", NULL};
static const char *const checksum_choices[] = {"crc32c", "md5", "none", NULL};
static const char *const ssea_choices = "AES256, aws:kms or aws:kms:dsse";

static bool is_one_of(const char *value, const char *const *all)
{
    for (; *all; all++)
        if (strcmp(value, *all) == 0)
            return true;
    return false;
}

/* ---- checks of one value ---- */

/* "host", "host:9000", "[::1]:9000": is what follows the host a port? */
static bool has_good_port(pst_sv host)
{
    pst_sv rest = host;
    if (pst_sv_starts(host, PST_SV("["))) {
        (void)pst_sv_cut(host, ']', &rest);
        if (!rest.p || (rest.n && rest.p[0] != ':'))
            return false;
    }
    pst_sv port;
    int64_t number = 0;
    (void)pst_sv_cut(rest, ':', &port);
    return !port.p || (pst_sv_to_i64(port, &number) && number > 0 && number < 65536);
}

static pst_rc check_url(const char *value, pst_err *err)
{
    if (strncmp(value, "file:///", 8) == 0 && value[8])
        return PST_OK;
    const char *host = strncmp(value, "http://", 7) == 0    ? value + 7
                       : strncmp(value, "https://", 8) == 0 ? value + 8
                                                            : NULL;
    if (!host)
        return pst_fail(err, PST_E_CONFIG,
                        "begin it with http://, https:// or file:/// (a folder)");
    size_t n = strcspn(host, "/?#");
    if (n == 0 || host[0] == ':')
        return pst_fail(err, PST_E_CONFIG, "it names no host");
    if (memchr(host, '@', n))
        return pst_fail(err, PST_E_CONFIG,
                        "no credentials in the URL: set aws.access.key.id and "
                        "aws.secret.access.key");
    if (!has_good_port((pst_sv){host, n}))
        return pst_fail(err, PST_E_CONFIG, "a port is a number from 1 to 65535");
    if (host[n] && strcmp(host + n, "/") != 0)
        return pst_fail(err, PST_E_CONFIG,
                        "an endpoint has no path; the bucket goes into s3.bucket.name");
    return PST_OK;
}

static pst_rc check_bucket(const char *value, pst_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_";
    size_t n = strlen(value);
    if (strchr(value, '/'))
        return pst_fail(err, PST_E_CONFIG,
                        "a bucket's name alone; the folder goes into topics.dir");
    if (n < 3 || n > 255 || strspn(value, allowed) != n || value[0] == '.' ||
        strstr(value, ".."))
        return pst_fail(err, PST_E_CONFIG,
                        "not a bucket's name: 3 to 63 of a-z, 0-9, dots and hyphens");
    return PST_OK;
}

static pst_rc check_region(const char *value, pst_err *err)
{
    size_t n = strlen(value);
    if (n == 0 || n > 64 || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-_") != n)
        return pst_fail(err, PST_E_CONFIG, "not a region's name, like eu-central-1");
    return PST_OK;
}

static pst_rc check_plugin(const char *value, pst_err *err)
{
    if (value[0] && value[0] != '/')
        return pst_fail(err, PST_E_CONFIG, "the whole path, from / on");
    return PST_OK;
}

static pst_rc check_ssea(const char *value, pst_err *err)
{
    static const char *const all[] = {"", "AES256", "aws:kms", "aws:kms:dsse", NULL};
    if (!is_one_of(value, all))
        return pst_fail(err, PST_E_CONFIG, "one of %s", ssea_choices);
    return PST_OK;
}

static pst_rc check_acl(const char *value, pst_err *err)
{
    static const char *const all[] = {"",
                                      "private",
                                      "public-read",
                                      "public-read-write",
                                      "authenticated-read",
                                      "aws-exec-read",
                                      "bucket-owner-read",
                                      "bucket-owner-full-control",
                                      "log-delivery-write",
                                      NULL};
    if (!is_one_of(value, all))
        return pst_fail(err, PST_E_CONFIG,
                        "a canned ACL, like private or bucket-owner-full-control");
    return PST_OK;
}

static pst_rc check_storage_class(const char *value, pst_err *err)
{
    size_t n = strlen(value);
    if (n > 64 || strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != n)
        return pst_fail(err, PST_E_CONFIG, "a storage class, like STANDARD_IA");
    return PST_OK;
}

/* What S3 takes in a tag; whatever is not ASCII is left to it. */
static bool is_tag_text(pst_sv text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
        if (!word && !memchr(" _.:/=+-@", c, 9))
            return false;
    }
    return true;
}

static pst_rc check_tags(const char *value, pst_err *err)
{
    pst_sv rest = pst_sv_of(value);
    size_t n = 0;
    while (rest.p && rest.n) {
        pst_sv val;
        pst_sv one = pst_sv_trim(pst_sv_cut(rest, ',', &rest));
        pst_sv key = pst_sv_trim(pst_sv_cut(one, ':', &val));
        if (!one.n)
            continue;
        if (!val.p || !key.n || key.n > 128 || pst_sv_trim(val).n > 256)
            return pst_fail(err, PST_E_CONFIG, "write tags as key:value,key:value");
        if (!is_tag_text(one))
            return pst_fail(err, PST_E_CONFIG,
                            "tags are of letters, digits, blanks and _.:/=+-@");
        if (++n > 10)
            return pst_fail(err, PST_E_CONFIG, "S3 takes ten tags at most");
    }
    return PST_OK;
}

static pst_rc check_metadata(const char *value, pst_err *err)
{
    pst_sv rest = pst_sv_of(value);
    size_t n = 0;
    size_t total = 0;
    while (rest.p && rest.n) {
        pst_sv val;
        pst_sv one = pst_sv_trim(pst_sv_cut(rest, ',', &rest));
        pst_sv key = pst_sv_trim(pst_sv_cut(one, ':', &val));
        val = pst_sv_trim(val);
        if (!one.n)
            continue;
        bool ok = key.n > 0 && key.n <= 64 && val.n > 0 && ++n <= 8;
        for (size_t i = 0; ok && i < key.n; i++)
            ok = strchr("abcdefghijklmnopqrstuvwxyz0123456789-", key.p[i]) != NULL;
        for (size_t i = 0; ok && i < val.n; i++)
            ok = (unsigned char)val.p[i] >= 0x20 && (unsigned char)val.p[i] < 0x7f;
        if (!ok || pst_sv_starts(key, PST_SV("penstock-")))
            return pst_fail(err, PST_E_CONFIG,
                            "write it as name:value,name:value; eight names of a-z, 0-9 "
                            "and hyphens at most, none beginning with penstock-, and "
                            "values of ASCII");
        total += key.n + val.n;
    }
    /* S3 takes 2 KiB, and the chain's own need more than half of it. */
    return total <= 512 ? PST_OK
                        : pst_fail(err, PST_E_CONFIG, "512 bytes at most, all in all");
}

static pst_rc check_owner(const char *value, pst_err *err)
{
    size_t n = strlen(value);
    if (n && (n != 12 || strspn(value, "0123456789") != n))
        return pst_fail(err, PST_E_CONFIG, "an account's number has 12 digits");
    return PST_OK;
}

/* ---- rows ---- */

#define ROW(field) .offset = offsetof(pst_store_conf, field)

static const pst_setting rows[] = {
    {.name = "store.url",
     .type = PST_CONF_STRING,
     ROW(url),
     .check = check_url,
     .importance = PST_CONF_HIGH,
     .doc = "Where the objects go: an S3 endpoint (http://minio:9000), or file:///folder "
            "for "
            "a directory. Unset: AWS, by s3.region."},
    {.name = "s3.bucket.name",
     .type = PST_CONF_STRING,
     ROW(bucket),
     .check = check_bucket,
     .importance = PST_CONF_HIGH,
     .doc = "The bucket; it must exist. A directory store needs none."},
    {.name = "s3.region",
     .type = PST_CONF_STRING,
     ROW(region),
     .def = "us-east-1",
     .check = check_region,
     .importance = PST_CONF_MEDIUM,
     .doc = "The bucket's region; requests are signed for it."},
    {.name = "s3.path.style.access.enabled",
     .type = PST_CONF_BOOL,
     ROW(path_style),
     .def = "true",
     .importance = PST_CONF_LOW,
     .doc = "true: http://host/bucket/key; false: http://bucket.host/key."},
    {.name = "s3.part.size",
     .type = PST_CONF_SIZE,
     ROW(part_size),
     .def = "26214400",
     .min = (int64_t)5 * 1024 * 1024,
     .max = (int64_t)5 * 1024 * 1024 * 1024,
     .importance = PST_CONF_MEDIUM,
     .doc = "Objects larger than this go up in parts of this size (in bytes), four at a "
            "time. S3 takes 10000 parts: the largest objects get larger ones."},
    {.name = "s3.part.retries",
     .type = PST_CONF_INT,
     ROW(part_retries),
     .def = "3",
     .min = 0,
     .max = 100,
     .importance = PST_CONF_LOW,
     .doc = "How often the upload of a part, and the completion of an upload, is tried "
            "again before the whole object is begun anew. 0: never."},
    {.name = "s3.retry.backoff.ms",
     .type = PST_CONF_MS,
     ROW(retry_backoff_ms),
     .def = "200",
     .min = 1,
     .max = 86400000,
     .importance = PST_CONF_LOW,
     .doc = "The first wait before a failed request is made again, in milliseconds; it "
            "doubles, with jitter, from try to try."},
    {.name = "s3.ssea.name",
     .type = PST_CONF_STRING,
     ROW(ssea_name),
     .check = check_ssea,
     .importance = PST_CONF_LOW,
     .doc =
         "Server-side encryption: AES256, aws:kms or aws:kms:dsse. Unset: the bucket's."},
    {.name = "s3.sse.kms.key.id",
     .type = PST_CONF_STRING,
     ROW(sse_kms_key_id),
     .check = pst_store_check_header_text,
     .importance = PST_CONF_LOW,
     .doc = "The KMS key for s3.ssea.name=aws:kms. Unset: the account's."},
    {.name = "s3.acl.canned",
     .type = PST_CONF_STRING,
     ROW(acl_canned),
     .check = check_acl,
     .importance = PST_CONF_LOW,
     .doc = "A canned ACL for each object. Unset: none is sent."},
    {.name = "s3.object.tagging.key.value.pairs",
     .type = PST_CONF_STRING,
     ROW(tagging),
     .check = check_tags,
     .importance = PST_CONF_LOW,
     .doc = "Tags for each object, key:value,key:value; ten at most. They go up with the "
            "object, in the same request."},
    {.name = "s3.storage.class",
     .type = PST_CONF_STRING,
     ROW(storage_class),
     .check = check_storage_class,
     .importance = PST_CONF_LOW,
     .doc = "The storage class of data objects, like STANDARD_IA. Penstock's own small "
            "objects below _penstock/ stay in the bucket's."},
    {.name = "s3.object.metadata",
     .type = PST_CONF_STRING,
     ROW(metadata),
     .check = check_metadata,
     .importance = PST_CONF_LOW,
     .doc = "User metadata for each data object, name:value,name:value: sent as "
            "x-amz-meta-name beside Penstock's own."},
    {.name = "s3.checksum",
     .type = PST_CONF_ENUM,
     ROW(checksum),
     .def = "crc32c",
     .choices = checksum_choices,
     .importance = PST_CONF_LOW,
     .doc = "How the store is told what it must have received: crc32c = "
            "x-amz-checksum-crc32c; md5 = Content-MD5, for stores that refuse the other "
            "and at more than twice the CPU; none."},
    {.name = "s3.expected.bucket.owner",
     .type = PST_CONF_STRING,
     ROW(bucket_owner),
     .check = check_owner,
     .importance = PST_CONF_LOW,
     .doc = "The number of the AWS account that the bucket must belong to, 12 digits; S3 "
            "refuses every request (403) if it is another's. Unset: not checked."},
    {.name = "s3.client",
     .type = PST_CONF_ENUM,
     ROW(client),
     .def = "curl",
     .choices = client_choices,
     .importance = PST_CONF_LOW,
     .doc = "Which client speaks to S3: curl, or libs3 for old stores that want "
            "Signature V2: a plugin of its own (docs/stores.md), which cannot create "
            "conditionally, so the guarantee is at-least-once under split brain."},
    {.name = "s3.libs3.plugin",
     .type = PST_CONF_STRING,
     ROW(libs3_plugin),
     .check = check_plugin,
     .importance = PST_CONF_LOW,
     .doc = "The path of penstock_libs3.so for s3.client=libs3. Unset: the folder "
            "$PST_PLUGIN_DIR; without that beside the program, then in lib/penstock "
            "beside the program's folder."},
    {.name = "s3.libs3.allow.unverified.tls",
     .type = PST_CONF_BOOL,
     ROW(libs3_unverified_tls),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Lets libs3 2 speak https, whose certificates it does not verify: anybody on "
            "the way could take the store's place."},
    {.name = "store.request.timeout.ms",
     .type = PST_CONF_MS,
     ROW(request_timeout_ms),
     .def = "60000",
     .min = 1000,
     .max = 3600000,
     .importance = PST_CONF_LOW,
     .doc = "The time for one request, in milliseconds, and a second more for each 64 "
            "KiB of "
            "its body; without any progress it ends after half of it, 30 s at most."},
};

const pst_conf_section pst_store_section = {
    .title = "Where: the object store",
    .rows = rows,
    .n_rows = sizeof rows / sizeof *rows,
};

/* ---- checks across settings ---- */

static bool set(const char *value)
{
    return value && value[0];
}

/* What no version of libs3 can do. */
static void check_libs3(const pst_store_conf *conf, const pst_props *props,
                        pst_conf_report *report)
{
    static const char *const unknown[] = {"s3.ssea.name",
                                          "s3.sse.kms.key.id",
                                          "s3.object.tagging.key.value.pairs",
                                          "s3.storage.class",
                                          "store.ssl.ca.location",
                                          "store.ssl.certificate.location",
                                          "s3.proxy.url",
                                          "s3.object.metadata",
                                          "s3.checksum",
                                          "s3.expected.bucket.owner",
                                          "aws.sts.role.arn"};
    const pst_prop *client = pst_props_find(props, "s3.client");
    if (conf->url && strncmp(conf->url, "file:", 5) == 0)
        pst_conf_error(report, client, "s3.client",
                       "libs3 does not write to a directory: remove it");
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        const pst_prop *found = pst_props_find(props, unknown[i]);
        if (found && set(found->value))
            pst_conf_error(report, found, unknown[i],
                           "not with s3.client=libs3, which cannot send it");
    }
}

void pst_store_conf_check(const pst_store_conf *conf, const pst_props *props,
                          pst_conf_report *report)
{
    bool directory = conf->url && strncmp(conf->url, "file:", 5) == 0;
    pst_prop file = {.file = props->n ? props->items[0].file : NULL};
    const pst_prop *bucket = pst_props_find(props, "s3.bucket.name");
    if (!directory && !set(conf->bucket) && !(bucket && bucket->broken))
        pst_conf_error(report, bucket ? bucket : &file, "s3.bucket.name",
                       "missing: set s3.bucket.name (only a store.url of file:/// needs "
                       "none)");
    if (set(conf->sse_kms_key_id) &&
        (!set(conf->ssea_name) || strncmp(conf->ssea_name, "aws:kms", 7) != 0))
        pst_conf_error(report, pst_props_find(props, "s3.sse.kms.key.id"),
                       "s3.sse.kms.key.id", "needs s3.ssea.name=aws:kms");
    pst_store_access_check(conf, props, report);
    if (conf->client == PST_STORE_LIBS3)
        check_libs3(conf, props, report);
}

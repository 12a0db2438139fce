/*
 * test_creds_sources.c - credentials from the network against a scripted server: the
 * container's endpoint, the instance's metadata, STS; what hostile answers do; and that
 * keys are renewed in time, by one caller, without holding up the others.
 */
#include "store/creds_in.h"
#include "tests/store/fault_server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SECRET "very/secret+value"
#define ARN "arn:aws:iam::123456789012:role/r"

typedef struct fixture {
    fault_server server;
    char home[64], token_path[128];
    pst_store_conf conf;
    pst_creds *creds;
    pst_creds_keys keys;
    pst_err err;
    pst_clock clock;
    atomic_llong offset; /* of the clock */
    pst_log *log;
    atomic_int warnings;
    char said[4000];
    pthread_mutex_t lock; /* of what follows */
    const char *status, *format;
    int life_s;
    char seen[9000], body[4000], target[300];
    atomic_int busy, held, keys_given;
} fixture;

static const char *const variables[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_PROFILE",
                                        "AWS_SHARED_CREDENTIALS_FILE",
                                        "AWS_CONFIG_FILE",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_ROLE_ARN",
                                        "AWS_ROLE_SESSION_NAME",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                        "AWS_EC2_METADATA_DISABLED",
                                        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                        "AWS_ENDPOINT_URL_STS"};

static const char json_keys[] =
    "{\"Code\":\"Success\",\"AccessKeyId\":\"KEY%d\",\"SecretAccessKey\":\"" SECRET
    "\",\"Token\":\"tok%d\",\"Expiration\":\"%s\"}";
static const char xml_keys[] =
    "<?xml version=\"1.0\"?><AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/\">"
    "<AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser><Credentials>"
    "<AccessKeyId>KEY%d</AccessKeyId><SecretAccessKey>" SECRET "</SecretAccessKey>"
    "<SessionToken>tok%d</SessionToken><Expiration>%s</Expiration></Credentials>"
    "</AssumeRoleResult></AssumeRoleResponse>";

static int64_t wall(void *self)
{
    return pst_wall_ms(pst_clock_system()) + ((fixture *)self)->offset;
}

static int64_t mono(void *self)
{
    return pst_mono_ms(pst_clock_system()) + ((fixture *)self)->offset;
}

/* The number of requests goes into the keys; they end life_s from the clock's now. */
static void give(fixture *f, fault_request *req)
{
    char ends[25];
    pst_iso8601(ends, pst_wall_ms(&f->clock) + f->life_s * 1000LL);
    int n = ++f->keys_given;
    char body[4000];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof body, f->format, n, n, ends);
#pragma GCC diagnostic pop
    fault_answer(req, f->status, "", body);
}

static bool answer(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    bool put = strcmp(req->method, "PUT") == 0;
    if (f->busy) { /* until the others have had their keys */
        f->held++;
        while (f->busy)
            pst_cancel_wait(NULL, 1);
    }
    pthread_mutex_lock(&f->lock);
    snprintf(f->seen, sizeof f->seen, "%s", req->head.data);
    snprintf(f->target, sizeof f->target, "%.299s", req->target);
    snprintf(f->body, sizeof f->body, "%.*s", (int)req->body.len,
             req->body.data ? req->body.data : "");
    if (put && strcmp(f->status, "200 OK") == 0)
        fault_answer(req, "200 OK", "", "imds/token==");
    else if (strcmp(req->target, "/latest/meta-data/iam/security-credentials/") == 0)
        fault_answer(req, f->status, "", "my-role\n");
    else
        give(f, req);
    pthread_mutex_unlock(&f->lock);
    return true;
}

static void take_line(void *opaque, pst_log_level level, const char *line)
{
    fixture *f = opaque;
    size_t used = strlen(f->said);
    snprintf(f->said + used, sizeof f->said - used, "%s\n", line);
    f->warnings += level <= PST_LOG_WARN;
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void write_home(const fixture *f, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/.aws/%s", f->home, name);
    write_file(path, text);
}

static void clear_environment(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

static int setup(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    char path[128];
    snprintf(f->home, sizeof f->home, "/tmp/pst-test-creds-XXXXXX");
    assert_non_null(mkdtemp(f->home));
    snprintf(path, sizeof path, "%s/.aws", f->home);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(f->token_path, sizeof f->token_path, "%s/token", f->home);
    clear_environment();
    setenv("HOME", f->home, 1);
    f->clock = (pst_clock){wall, mono, f};
    f->status = "200 OK";
    f->format = json_keys;
    f->life_s = 3600;
    pthread_mutex_init(&f->lock, NULL);
    fault_start(&f->server, answer, f);
    f->log = pst_log_new(take_line, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    static const char *const files[] = {"token", ".aws/credentials", ".aws/config",
                                        ".aws"};
    char path[200];
    pst_creds_free(f->creds);
    fault_stop(&f->server);
    pst_log_free(f->log);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", f->home, files[i]);
        remove(path);
    }
    remove(f->home);
    clear_environment();
    pthread_mutex_destroy(&f->lock);
    pst_free(f);
    return 0;
}

static pst_rc get(fixture *f)
{
    pst_err_clear(&f->err);
    pst_rc rc = pst_creds_get(f->creds, &f->keys, &f->err);
    assert_null(strstr(f->err.text, SECRET));
    assert_null(strstr(f->said, SECRET));
    return rc;
}

static pst_rc fresh(fixture *f)
{
    pst_creds_env env = {.conf = &f->conf, .clock = &f->clock, .log = f->log};
    pst_creds_free(f->creds);
    f->creds = NULL;
    pst_err_clear(&f->err);
    assert_int_equal(pst_creds_new(&f->creds, &env, &f->err), PST_OK);
    return get(f);
}

static void expect_error(fixture *f, pst_rc rc, const char *text)
{
    assert_int_equal(fresh(f), rc);
    if (!strstr(f->err.text, text))
        fail_msg("\"%s\" is not in: %s", text, f->err.text);
}

static void set_url(const char *name, const fixture *f, const char *path)
{
    char url[200];
    snprintf(url, sizeof url, "%s%s", f->server.url, path);
    setenv(name, url, 1);
}

/* ---- the container's endpoint ---- */

static void test_container(void **state)
{
    fixture *f = *state;
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", f, "/v1/keys?x=1");
    assert_int_equal(fresh(f), PST_OK);
    assert_string_equal(f->keys.id, "KEY1");
    assert_string_equal(f->keys.secret, SECRET);
    assert_string_equal(f->keys.token, "tok1");
    assert_string_equal(f->target, "/v1/keys?x=1");
    assert_null(strcasestr(f->seen, "authorization"));
    assert_non_null(strstr(f->said, "come from the container's endpoint"));
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc", 1);
    assert_int_equal(fresh(f), PST_OK);
    assert_non_null(strstr(f->seen, "\r\nAuthorization: Basic abc\r\n"));
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", f->token_path, 1);
    expect_error(f, PST_E_AUTH, "there is no token file");
    write_file(f->token_path, "from-file\n");
    assert_int_equal(fresh(f), PST_OK);
    assert_non_null(strstr(f->seen, "\r\nAuthorization: from-file\r\n"));
    write_file(f->token_path, "a\r\nX-Evil: 1");
    expect_error(f, PST_E_AUTH, "holds no token");
    write_file(f->token_path, "ok");
    f->status = "403 Forbidden";
    expect_error(f, PST_E_AUTH, "HTTP 403");
    assert_true(f->err.retriable);
}

static void test_container_hosts(void **state)
{
    fixture *f = *state;
    static const char *const refused[] = {"http://10.0.0.1/x",
                                          "http://169.254.170.2.evil.org/",
                                          "http://localhost.evil.org/",
                                          "http://127.0.0.1@evil.org/",
                                          "http://evil.org/127.0.0.1",
                                          "http://169.254.169.254/x",
                                          "ftp://127.0.0.1/",
                                          "file:///etc/passwd",
                                          "127.0.0.1"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", refused[i], 1);
        expect_error(f, PST_E_CONFIG, "must be https, or http to a loopback");
    }
    setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.org/", 1);
    expect_error(f, PST_E_CONFIG, "must begin with /");
    assert_int_equal(f->server.requests, 0);
}

static void test_hostile_json(void **state)
{
    fixture *f = *state;
    static char huge[70000];
    static const char *const bad[] = {
        "",
        "null",
        "[]",
        "{",
        "{\"AccessKeyId\":1}",
        "{\"AccessKeyId\":\"a\"}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"\"}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Expiration\":\"soon\"}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Expiration\":"
        "\"2020-01-01T00:00:00Z\"}",
        "{\"AccessKeyId\":\"a\\nb\",\"SecretAccessKey\":\"b\"}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"\\u0000\"}",
        "\xff\xfe",
        huge};
    memset(huge, '[', sizeof huge - 1);
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", f, "/");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        f->format = bad[i];
        pst_rc rc = fresh(f);
        if (rc == PST_OK)
            fail_msg("taken: %.60s", bad[i]);
        assert_int_equal(rc, f->err.code);
    }
}

/* ---- the instance ---- */

static void test_instance(void **state)
{
    fixture *f = *state;
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f->server.url, 1);
    assert_int_equal(fresh(f), PST_OK);
    assert_string_equal(f->keys.token, "tok1");
    assert_string_equal(f->target, "/latest/meta-data/iam/security-credentials/my-role");
    assert_non_null(strstr(f->seen, "\r\nx-aws-ec2-metadata-token: imds/token==\r\n"));
    assert_int_equal(f->server.requests, 3);
    f->life_s = -5; /* AWS is late: they are used, S3 decides */
    assert_int_equal(fresh(f), PST_OK);
    assert_int_equal(get(f), PST_OK);
    assert_int_equal(f->server.requests, 6);
    f->status = "403 Forbidden";
    expect_error(f, PST_E_AUTH, "HTTP 403 to IMDSv2");
    f->status = "200 OK";
    setenv("AWS_EC2_METADATA_DISABLED", "TRUE", 1);
    int before = f->server.requests;
    expect_error(f, PST_E_AUTH, "AWS_EC2_METADATA_DISABLED is set");
    assert_int_equal(f->server.requests, before);
}

/* An on-premises user without keys does not wait for an address that nobody has. */
static void test_instance_not_asked(void **state)
{
    fixture *f = *state;
    char url[] = "http://minio:9000";
    f->conf.url = url;
    expect_error(f, PST_E_AUTH, "only when store.url is AWS's");
    assert_non_null(strstr(f->err.text, "there is no profile default"));
}

/* ---- STS ---- */

static void test_web_identity(void **state)
{
    fixture *f = *state;
    char url[] = "http://minio:9000";
    f->format = xml_keys;
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", f->token_path, 1);
    setenv("AWS_ROLE_ARN", ARN, 1);
    setenv("AWS_ENDPOINT_URL_STS", f->server.url, 1);
    write_file(f->token_path, "eyJ.one.x-_\n");
    assert_int_equal(fresh(f), PST_OK);
    assert_string_equal(f->keys.id, "KEY1");
    assert_string_equal(f->keys.token, "tok1");
    assert_string_equal(f->body,
                        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="
                        "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr&RoleSessionName="
                        "penstock&WebIdentityToken=eyJ.one.x-_");
    assert_null(strcasestr(f->seen, "authorization"));
    /* The file is read anew at each renewal. */
    write_file(f->token_path, "eyJ.two");
    setenv("AWS_ROLE_SESSION_NAME", "pod-1", 1);
    f->offset += 50 * 60 * 1000;
    assert_int_equal(get(f), PST_OK);
    assert_string_equal(f->keys.id, "KEY2");
    assert_non_null(strstr(f->body, "WebIdentityToken=eyJ.two"));
    assert_non_null(strstr(f->body, "RoleSessionName=penstock")); /* read once, at open */
    unlink(f->token_path);
    expect_error(f, PST_E_AUTH, "there is no token file");
    /* Not to an STS that nobody named. */
    int before = f->server.requests;
    unsetenv("AWS_ENDPOINT_URL_STS");
    f->conf.url = url;
    expect_error(f, PST_E_AUTH, "not sent to an unnamed STS");
    assert_int_equal(f->server.requests, before);
}

static void test_sts_refuses(void **state)
{
    fixture *f = *state;
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", f->token_path, 1);
    setenv("AWS_ROLE_ARN", ARN, 1);
    setenv("AWS_ENDPOINT_URL_STS", f->server.url, 1);
    write_file(f->token_path, "eyJ.one");
    f->status = "403 Forbidden";
    f->format = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
                "<Message>Not authorized to perform sts:AssumeRoleWithWebIdentity"
                "</Message></Error><RequestId>x</RequestId></ErrorResponse>";
    expect_error(f, PST_E_AUTH, "HTTP 403 AccessDenied for " ARN " (Not authorized");
    f->status = "200 OK";
    static const char *const bad[] = {
        "",
        "x",
        "<a>",
        "<AssumeRoleResponse></AssumeRoleResponse>",
        "<!DOCTYPE x [<!ENTITY a \"b\">]><a><b><Credentials/></b></a>",
        "<a><b><Credentials><AccessKeyId>i</AccessKeyId></Credentials></b></a>",
        "<a><b><Credentials><AccessKeyId>i</AccessKeyId><SecretAccessKey>s"
        "</SecretAccessKey></Credentials></b></a>", /* no end named */
        "<a><b><Credentials><AccessKeyId>i</AccessKeyId><SecretAccessKey>s"
        "</SecretAccessKey><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>",
        "<a><b><Credentials><AccessKeyId>i&#10;x: y</AccessKeyId><SecretAccessKey>s"
        "</SecretAccessKey><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        "</b></a>"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        f->format = bad[i];
        if (fresh(f) == PST_OK)
            fail_msg("taken: %s", bad[i]);
    }
}

static void test_assume_role(void **state)
{
    fixture *f = *state;
    f->format = xml_keys;
    f->conf = (pst_store_conf){.access_key_id = (char[]){"BASE"},
                               .secret_access_key = (char[]){"base-secret"},
                               .session_token = (char[]){"base-token"},
                               .region = (char[]){"eu-west-1"},
                               .sts_role_arn = (char[]){ARN},
                               .sts_external_id = (char[]){"a/b c"},
                               .sts_session_name = (char[]){"me"},
                               .sts_duration_s = 900,
                               .sts_endpoint = f->server.url};
    assert_int_equal(fresh(f), PST_OK);
    assert_string_equal(f->keys.id, "KEY1");
    assert_string_equal(f->body,
                        "Action=AssumeRole&Version=2011-06-15&RoleArn="
                        "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr&RoleSessionName=me"
                        "&DurationSeconds=900&ExternalId=a%2Fb%20c");
    static const char *const lines[] = {
        "POST / HTTP/1.1\r\n", "\r\nx-amz-security-token: base-token\r\n",
        "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=BASE/",
        "/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date;"
        "x-amz-security-token, Signature="};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(f->seen, lines[i]))
            fail_msg("%s not in %s", lines[i], f->seen);
    assert_null(strstr(f->seen, "base-secret"));
    f->status = "403 Forbidden";
    f->format = "<ErrorResponse><Error><Code>X</Code><Message>for base-secret"
                "</Message></Error></ErrorResponse>";
    expect_error(f, PST_E_AUTH, "HTTP 403 X for");
    assert_null(strstr(f->err.text, "base-secret"));
}

static void test_profiles_with_roles(void **state)
{
    fixture *f = *state;
    f->format = xml_keys;
    setenv("AWS_ENDPOINT_URL_STS", f->server.url, 1);
    setenv("AWS_PROFILE", "top", 1);
    write_home(f, "credentials",
               "[user]\naws_access_key_id=USERKEY\naws_secret_access_key=s\n"
               "[self]\naws_access_key_id=SELFKEY\naws_secret_access_key=s\n");
    write_home(f, "config",
               "[profile top]\nrole_arn=arn:top\nsource_profile = middle\n"
               "external_id=ext\nrole_session_name=sess\nduration_seconds=1200\n"
               "[profile middle]\nrole_arn=arn:middle\nsource_profile=user\n"
               "[profile self]\nrole_arn=arn:self\nsource_profile=self\n"
               "[profile env]\nrole_arn=arn:env\ncredential_source=Environment\n"
               "[profile circle]\nrole_arn=arn:x\nsource_profile=circle2\n"
               "[profile circle2]\nrole_arn=arn:x\nsource_profile=circle\n"
               "[profile none]\nrole_arn=arn:x\n[profile lost]\nrole_arn=arn:x\n"
               "source_profile=nowhere\n[profile process]\ncredential_process=/bin/x\n"
               "[profile sso]\nsso_session=s\n[user]\naws_access_key_id=WRONG\n"
               "aws_secret_access_key=x\n[profile keys]\naws_access_key_id=CFG\n"
               "aws_secret_access_key=x\n[profile token]\nrole_arn=arn:tok\n"
               "web_identity_token_file=/nonexistent/token\n");
    assert_int_equal(fresh(f), PST_OK);
    assert_int_equal(f->server.requests, 2); /* user → middle → top */
    assert_non_null(strstr(f->seen, "Credential=KEY1/"));
    assert_non_null(strstr(f->body, "RoleArn=arn%3Atop&RoleSessionName=sess&"
                                    "DurationSeconds=1200&ExternalId=ext"));
    setenv("AWS_PROFILE", "self", 1);
    assert_int_equal(fresh(f), PST_OK);
    assert_non_null(strstr(f->seen, "Credential=SELFKEY/"));
    setenv("AWS_PROFILE", "keys", 1);
    assert_int_equal(fresh(f), PST_OK);
    assert_string_equal(f->keys.id, "CFG");
    static const struct {
        const char *profile, *said;
    } bad[] = {{"circle", "goes in a circle"},
               {"none", "role_arn needs source_profile"},
               {"lost", "there is no profile nowhere"},
               {"process", "credential_process, which is not supported"},
               {"sso", "SSO, which is not supported"},
               {"env", "there are no keys to assume"},
               {"token", "there is no token file /nonexistent/token"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("AWS_PROFILE", bad[i].profile, 1);
        expect_error(f, PST_E_AUTH, bad[i].said);
    }
    unsetenv("AWS_PROFILE");
    write_home(f, "config", "[default]\nrole_arn=arn:d\ncredential_source=Environment\n");
    setenv("AWS_ACCESS_KEY_ID", "ENVKEY", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "x", 1);
    assert_int_equal(fresh(f), PST_OK); /* the environment comes first */
    assert_string_equal(f->keys.id, "ENVKEY");
}

/* A wrong clock does not lock us out of STS: the answer's Date is believed. */
static bool skewed(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    char *date = strcasestr(req->head.data, "x-amz-date: 20300101T00");
    snprintf(f->seen, sizeof f->seen, "%s", req->head.data);
    pst_iso8601(f->target, 1893456000000); /* 2030-01-01 */
    if (date)
        fault_answer(req, "200 OK", "Date: Tue, 01 Jan 2030 00:00:01 GMT\r\n",
                     "<a><b><Credentials><AccessKeyId>K</AccessKeyId><SecretAccessKey>s"
                     "</SecretAccessKey><Expiration>2030-01-01T01:00:00.5+00:00"
                     "</Expiration></Credentials></b></a>");
    else
        fault_answer(req, "403 Forbidden", "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n",
                     "<ErrorResponse/>");
    return true;
}

static void test_skewed_clock(void **state)
{
    fixture *f = *state;
    f->conf = (pst_store_conf){.access_key_id = (char[]){"BASE"},
                               .secret_access_key = (char[]){"x"},
                               .sts_role_arn = (char[]){ARN},
                               .sts_endpoint = f->server.url};
    f->server.handler = skewed;
    assert_int_equal(fresh(f), PST_OK);
    assert_int_equal(f->server.requests, 2);
    assert_int_equal(get(f), PST_OK); /* they live for an hour by the server's clock */
    assert_int_equal(f->server.requests, 2);
}

static void test_dates(void **state)
{
    (void)state;
    int64_t a = 0;
    int64_t b = 0;
    assert_true(pst_creds_date(PST_SV("2026-11-23T20:00:00Z"), &a));
    assert_true(pst_creds_date(PST_SV("2026-11-23T21:30:00.123456+01:30"), &b));
    assert_int_equal(a, b);
    assert_int_equal(a, 1795464000000);
    static const char *const bad[] = {"",
                                      "2026-11-23",
                                      "2026-13-23T20:00:00Z",
                                      "2026-11-23T20:00:00X",
                                      "2026-11-23T20:00:00+1:00",
                                      "2026-11-23T20:00:00+99:00",
                                      "20261123T200000Z",
                                      "-026-11-23T20:00:00Z"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pst_creds_date(pst_sv_of(bad[i]), &a));
}

/* ---- renewal ---- */

static void *ask_once(void *opaque)
{
    fixture *f = opaque;
    pst_creds_keys keys;
    pst_err err = PST_ERR_INIT;
    pst_rc rc = pst_creds_get(f->creds, &keys, &err);
    pst_creds_wipe(&keys);
    return rc == PST_OK ? f : NULL;
}

/* While one caller's renewal hangs, all others get the old keys: the server does not let
   go before they have them. */
static void test_no_stall(void **state)
{
    fixture *f = *state;
    pthread_t one;
    void *got = NULL;
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", f, "/");
    assert_int_equal(fresh(f), PST_OK);
    f->offset += 46 * 60 * 1000; /* 14 minutes are left of the hour */
    f->busy = 1;
    assert_int_equal(pthread_create(&one, NULL, ask_once, f), 0);
    while (!f->held)
        pst_cancel_wait(NULL, 1);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(get(f), PST_OK);
        assert_string_equal(f->keys.id, "KEY1");
    }
    f->busy = 0;
    pthread_join(one, &got);
    assert_ptr_equal(got, f);
    assert_int_equal(get(f), PST_OK);
    assert_string_equal(f->keys.id, "KEY2");
    assert_int_equal(f->server.requests, 2);
    assert_int_equal(f->warnings, 0);
}

/* When they have expired, all wait for one renewal. */
static void test_expired(void **state)
{
    fixture *f = *state;
    enum { CALLERS = 8 };
    pthread_t all[CALLERS];
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", f, "/");
    assert_int_equal(fresh(f), PST_OK);
    f->offset += 61 * 60 * 1000;
    f->busy = 1;
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&all[i], NULL, ask_once, f), 0);
    while (!f->held)
        pst_cancel_wait(NULL, 1);
    f->busy = 0;
    for (int i = 0; i < CALLERS; i++) {
        void *got = NULL;
        pthread_join(all[i], &got);
        assert_ptr_equal(got, f);
    }
    assert_int_equal(f->server.requests, 2);
}

/* A source that fails costs nothing while the old keys last, is asked with growing
   pauses, and is told once. */
static void test_failing_source(void **state)
{
    fixture *f = *state;
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", f, "/");
    assert_int_equal(fresh(f), PST_OK);
    f->status = "500 Internal Server Error";
    f->offset += 46 * 60 * 1000;
    for (int i = 0; i < 120; i++) { /* two minutes */
        assert_int_equal(get(f), PST_OK);
        f->offset += 1000;
    }
    assert_in_range(f->server.requests, 5, 30);
    assert_int_equal(f->warnings, 1);
    assert_non_null(strstr(f->said, "could not be renewed"));
    f->offset += 15 * 60 * 1000;
    assert_int_equal(get(f), PST_E_AUTH); /* now they have ended */
    assert_true(f->err.retriable);
    assert_non_null(strstr(f->err.text, "HTTP 500"));
    int before = f->server.requests;
    assert_int_equal(get(f), PST_E_AUTH); /* told at once, not asked again */
    assert_int_equal(f->server.requests, before);
    f->status = "200 OK";
    f->offset += 60 * 1000;
    assert_int_equal(get(f), PST_OK);
    assert_non_null(strstr(f->said, "renewed again"));
    assert_int_equal(f->warnings, 1);
}

static void test_refused(void **state)
{
    fixture *f = *state;
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", f, "/");
    assert_int_equal(fresh(f), PST_OK);
    pst_creds_keys first = f->keys;
    pst_creds_refused(f->creds, first.serial);
    assert_int_equal(get(f), PST_OK);
    assert_string_equal(f->keys.id, "KEY2");
    pst_creds_refused(f->creds, first.serial); /* a late answer to an older request */
    assert_int_equal(get(f), PST_OK);
    assert_string_equal(f->keys.id, "KEY2");
    int before = f->server.requests;
    for (int i = 0; i < 120; i++) { /* whatever it gives is refused: two minutes */
        pst_creds_refused(f->creds, f->keys.serial);
        assert_int_equal(get(f), PST_OK);
        f->offset += 1000;
    }
    assert_in_range(f->server.requests - before, 3, 40);
    f->offset += 30000;
    assert_int_equal(get(f), PST_OK);
    pst_creds_worked(f->creds, f->keys.serial);
    before = f->server.requests;
    for (int i = 0; i < 10; i++) { /* they end often, but had worked: no pause */
        pst_creds_refused(f->creds, f->keys.serial);
        assert_int_equal(get(f), PST_OK);
        pst_creds_worked(f->creds, f->keys.serial);
        pst_creds_worked(f->creds, f->keys.serial - 1); /* a late answer */
    }
    assert_int_equal(f->server.requests - before, 10);
    assert_true(pst_creds_in_text(f->creds, "x " SECRET " y"));
    assert_true(pst_creds_in_text(f->creds, f->keys.id));
    assert_false(pst_creds_in_text(f->creds, "Access Denied."));
}

/* Keys of three seconds: renewed after two, not used in their last moments. */
static void test_short_life(void **state)
{
    fixture *f = *state;
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", f, "/");
    f->life_s = 60;
    assert_int_equal(fresh(f), PST_OK);
    f->offset += 30000;
    assert_int_equal(get(f), PST_OK);
    assert_string_equal(f->keys.id, "KEY1");
    f->offset += 12000;
    assert_int_equal(get(f), PST_OK);
    assert_string_equal(f->keys.id, "KEY2");
    assert_int_equal(f->server.requests, 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_container),    CASE(test_container_hosts),
        CASE(test_hostile_json), CASE(test_instance),
        CASE(test_web_identity), CASE(test_instance_not_asked),
        CASE(test_sts_refuses),  CASE(test_assume_role),
        CASE(test_skewed_clock), CASE(test_profiles_with_roles),
        CASE(test_dates),        CASE(test_no_stall),
        CASE(test_expired),      CASE(test_failing_source),
        CASE(test_refused),      CASE(test_short_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

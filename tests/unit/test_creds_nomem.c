/*
 * test_creds_nomem.c - credentials when the nth allocation fails, for every n: nothing
 * leaks, nothing crashes, and the answer says so. The server runs in a child process: it
 * needs an allocator that works.
 */
#include "mem_fault.c" // NOLINT(bugprone-suspicious-include)

#include "store/creds.h"
#include "tests/store/fault_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static bool answer(void *opaque, fault_request *req)
{
    (void)opaque;
    if (strcmp(req->method, "PUT") == 0)
        fault_answer(req, "200 OK", "", "token");
    else if (strcmp(req->method, "POST") == 0)
        fault_answer(req, "200 OK", "",
                     "<a><b><Credentials><AccessKeyId>role</AccessKeyId><SecretAccessKey>"
                     "s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>"
                     "2099-01-01T00:00:00Z</Expiration></Credentials></b></a>");
    else if (strcmp(req->target, "/latest/meta-data/iam/security-credentials/") == 0)
        fault_answer(req, "200 OK", "", "role");
    else
        fault_answer(
            req, "200 OK", "",
            "{\"AccessKeyId\":\"json\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
            "\"Expiration\":\"2099-01-01T00:00:00Z\"}");
    return true;
}

static int serve(int out)
{
    static fault_server server;
    fault_start(&server, answer, NULL);
    if (write(out, server.url, sizeof server.url) != sizeof server.url)
        return 1;
    for (;;)
        pause();
}

static pst_rc happy_path(const pst_store_conf *conf, const char *id, pst_err *err)
{
    pst_creds *creds = NULL;
    pst_creds_keys keys = {0};
    pst_creds_env env = {.conf = conf, .clock = pst_clock_system()};
    pst_rc rc = pst_creds_new(&creds, &env, err);
    if (rc == PST_OK)
        rc = pst_creds_get(creds, &keys, err);
    if (rc == PST_OK)
        assert_string_equal(keys.id, id);
    pst_creds_wipe(&keys);
    pst_creds_free(creds);
    return rc;
}

static void every_allocation(const pst_store_conf *conf, const char *id)
{
    long n = 0;
    for (;; n++) {
        pst_err err = PST_ERR_INIT;
        long live = pst_fault_live();
        pst_fault_set(n);
        pst_rc rc = happy_path(conf, id, &err);
        pst_fault_set(-1);
        assert_int_equal(pst_fault_live(), live);
        assert_int_equal(rc, err.code);
        if (rc == PST_OK)
            break;
        assert_true(err.text[0]);
    }
    assert_in_range(n, 3, 1000);
}

static const char *const variables[] = {
    "AWS_WEB_IDENTITY_TOKEN_FILE",       "AWS_ROLE_ARN",      "AWS_ENDPOINT_URL_STS",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SHARED_CREDENTIALS_FILE",       "AWS_CONFIG_FILE",   "AWS_PROFILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI"};

static void clear_environment(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    setenv("HOME", "/nonexistent", 1);
}

static void test_sources(void **state)
{
    const char *url = *state;
    char path[] = "/tmp/pst-test-creds-XXXXXX";
    int fd = mkstemp(path);
    const char text[] = "[profile p]\nrole_arn=arn:x\nsource_profile=q\n[profile q]\n"
                        "aws_access_key_id=i\naws_secret_access_key=s\n";
    const pst_store_conf conf = {0};
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    clear_environment();
    setenv("AWS_ENDPOINT_URL_STS", url, 1);
    setenv("AWS_CONFIG_FILE", path, 1);
    setenv("AWS_PROFILE", "p", 1);
    every_allocation(&conf, "role");
    clear_environment();
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token", 1);
    every_allocation(&conf, "json");
    unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    clear_environment();
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url, 1);
    every_allocation(&conf, "json");
    clear_environment();
    FILE *token = fopen(path, "w");
    assert_non_null(token);
    assert_true(fputs("eyJ.token", token) >= 0);
    assert_int_equal(fclose(token), 0);
    setenv("AWS_ENDPOINT_URL_STS", url, 1);
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path, 1);
    setenv("AWS_ROLE_ARN", "arn:x", 1);
    every_allocation(&conf, "role");
    unlink(path);
}

static void test_role_by_settings(void **state)
{
    pst_store_conf conf = {.access_key_id = (char[]){"i"},
                           .secret_access_key = (char[]){"s"},
                           .sts_role_arn = (char[]){"arn:x"},
                           .sts_endpoint = *state};
    clear_environment();
    every_allocation(&conf, "role");
}

int main(void)
{
    int ends[2];
    char url[64];
    if (pipe(ends) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0)
        return serve(ends[1]);
    if (read(ends[0], url, sizeof url) != sizeof url)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_sources, url),
        cmocka_unit_test_prestate(test_role_by_settings, url),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return failed;
}

/*
 * test_creds.c - where S3 credentials come from, in which order, and what a hostile or
 * broken credentials file does.
 */
#include "store/creds.h"

#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
    char home[64], path[128];
    pst_err err;
    pst_creds_keys keys;
} fixture;

static const char *const variables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN", "AWS_PROFILE",
                                        "AWS_SHARED_CREDENTIALS_FILE"};

static void clear_environment(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

static int setup(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    snprintf(f->home, sizeof f->home, "/tmp/pst-test-creds-XXXXXX");
    assert_non_null(mkdtemp(f->home));
    snprintf(f->path, sizeof f->path, "%s/.aws", f->home);
    assert_int_equal(mkdir(f->path, 0700), 0);
    snprintf(f->path, sizeof f->path, "%s/.aws/credentials", f->home);
    clear_environment();
    setenv("HOME", f->home, 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    *strrchr(f->path, '/') = '\0';
    rmdir(f->path);
    rmdir(f->home);
    clear_environment();
    pst_free(f);
    return 0;
}

static void write_file(const fixture *f, const void *text, size_t n)
{
    int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

static void write_text(const fixture *f, const char *text)
{
    write_file(f, text, strlen(text));
}

static pst_rc get(fixture *f, const pst_store_conf *conf)
{
    static const pst_store_conf nothing;
    pst_creds *creds = NULL;
    pst_err_clear(&f->err);
    pst_creds_env env = {.conf = conf ? conf : &nothing, .clock = pst_clock_system()};
    pst_rc rc = pst_creds_new(&creds, &env, &f->err);
    if (rc == PST_OK)
        rc = pst_creds_get(creds, &f->keys, &f->err);
    pst_creds_free(creds);
    return rc;
}

static void test_order(void **state)
{
    fixture *f = *state;
    assert_int_equal(get(f, NULL), PST_E_AUTH);
    assert_true(f->err.retriable);
    assert_non_null(strstr(f->err.text, "aws.access.key.id"));
    assert_non_null(strstr(f->err.text, "AWS_ACCESS_KEY_ID"));
    assert_non_null(strstr(f->err.text, ".aws/credentials"));
    write_text(f, "[default]\naws_access_key_id=file\naws_secret_access_key=s\n");
    assert_int_equal(get(f, NULL), PST_OK);
    assert_string_equal(f->keys.id, "file");
    setenv("AWS_ACCESS_KEY_ID", "env", 1);
    assert_int_equal(get(f, NULL), PST_OK);
    assert_string_equal(f->keys.id, "file"); /* half a pair is none */
    setenv("AWS_SECRET_ACCESS_KEY", "es", 1);
    setenv("AWS_SESSION_TOKEN", "et", 1);
    assert_int_equal(get(f, NULL), PST_OK);
    assert_string_equal(f->keys.id, "env");
    assert_string_equal(f->keys.secret, "es");
    assert_string_equal(f->keys.token, "et");
    char id[] = "static";
    char secret[] = "ss";
    pst_store_conf conf = {.access_key_id = id, .secret_access_key = secret};
    assert_int_equal(get(f, &conf), PST_OK);
    assert_string_equal(f->keys.id, "static");
    assert_string_equal(f->keys.secret, "ss");
    assert_string_equal(f->keys.token, ""); /* not the environment's */
    conf.secret_access_key = NULL;
    assert_int_equal(get(f, &conf), PST_E_CONFIG);
}

static void test_profiles(void **state)
{
    fixture *f = *state;
    write_text(f,
               "; a comment\n# another\naws_access_key_id = outside\n"
               "[ default ]\r\naws_access_key_id = d\r\naws_secret_access_key = ds\r\n"
               "[team]\nAWS_ACCESS_KEY_ID=t\nregion = x\naws_secret_access_key = a=b+/\n"
               "s3 =\n  aws_access_key_id = nested\naws_session_token=tok\n"
               "[half]\naws_access_key_id=h\n[empty]\n");
    assert_int_equal(get(f, NULL), PST_OK);
    assert_string_equal(f->keys.id, "d");
    assert_string_equal(f->keys.secret, "ds");
    setenv("AWS_PROFILE", "team", 1);
    assert_int_equal(get(f, NULL), PST_OK);
    assert_string_equal(f->keys.id, "t");
    assert_string_equal(f->keys.secret, "a=b+/");
    assert_string_equal(f->keys.token, "tok");
    static const char *const without[] = {"half", "empty", "none", "tea", "[team"};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        setenv("AWS_PROFILE", without[i], 1);
        assert_int_equal(get(f, NULL), PST_E_AUTH);
        assert_non_null(strstr(f->err.text, without[i]));
    }
}

static void test_named_file(void **state)
{
    fixture *f = *state;
    setenv("AWS_SHARED_CREDENTIALS_FILE", f->path, 1);
    setenv("HOME", "/nonexistent", 1);
    assert_int_equal(get(f, NULL), PST_E_AUTH);
    write_text(f, "[default]\naws_access_key_id=x\naws_secret_access_key=y");
    assert_int_equal(get(f, NULL), PST_OK);
    assert_string_equal(f->keys.secret, "y");
    unsetenv("HOME");
    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
    assert_int_equal(get(f, NULL), PST_E_AUTH);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/zero", 1);
    assert_int_equal(get(f, NULL), PST_E_AUTH);
    assert_non_null(strstr(f->err.text, "is not a credentials file"));
    setenv("AWS_SHARED_CREDENTIALS_FILE", f->home, 1);
    assert_int_equal(get(f, NULL), PST_E_AUTH);
}

static void test_hostile_files(void **state)
{
    fixture *f = *state;
    static char huge[1024 * 1024 + 1];
    memset(huge, 'x', sizeof huge);
    write_file(f, huge, sizeof huge);
    assert_int_equal(get(f, NULL), PST_E_AUTH);
    memcpy(huge, "[default]\naws_access_key_id=", 28);
    write_file(f, huge, sizeof huge - 1);
    assert_int_equal(get(f, NULL), PST_E_AUTH); /* a key without an end */
    static const char odd[] = "[default]\0\naws_access_key_id=a\0b\n\xff\xfe[[]]\n=\n==";
    write_file(f, odd, sizeof odd - 1);
    assert_int_equal(get(f, NULL), PST_E_AUTH);
    write_text(f, "[default]\naws_access_key_id=a\x01z\naws_secret_access_key=y\n");
    assert_int_equal(get(f, NULL), PST_E_CONFIG); /* nothing that breaks a header */
    assert_null(strchr(f->err.text, '\x01'));
    write_text(f, "[default]\naws_access_key_id=a b\naws_secret_access_key=y\n");
    assert_int_equal(get(f, NULL), PST_E_CONFIG);
}

static void test_refused(void **state)
{
    fixture *f = *state;
    pst_store_conf conf = {0};
    pst_creds *creds = NULL;
    pst_creds_env env = {.conf = &conf, .clock = pst_clock_system()};
    pst_creds_keys first;
    write_text(f, "[default]\naws_access_key_id=one\naws_secret_access_key=y\n");
    assert_int_equal(pst_creds_new(&creds, &env, &f->err), PST_OK);
    assert_int_equal(pst_creds_get(creds, &first, &f->err), PST_OK);
    write_text(f, "[default]\naws_access_key_id=two\naws_secret_access_key=y\n");
    assert_int_equal(pst_creds_get(creds, &f->keys, &f->err), PST_OK);
    assert_string_equal(f->keys.id, "one"); /* kept until they are refused */
    pst_creds_refused(creds, first.serial);
    assert_int_equal(pst_creds_get(creds, &f->keys, &f->err), PST_OK);
    assert_string_equal(f->keys.id, "two");
    write_text(f, "[default]\naws_access_key_id=three\naws_secret_access_key=y\n");
    pst_creds_refused(creds, first.serial); /* a late answer to an older request */
    assert_int_equal(pst_creds_get(creds, &f->keys, &f->err), PST_OK);
    assert_string_equal(f->keys.id, "two");
    pst_creds_free(creds);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_order),         CASE(test_profiles), CASE(test_named_file),
        CASE(test_hostile_files), CASE(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

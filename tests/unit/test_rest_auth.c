/*
 * test_rest_auth.c - rest.auth.file: who is let in, files that are none, and changes.
 */
#include "daemon/password.h"
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT_MAX = 64 * 1024, MUTANTS = 3000 };
static const char PASSWORD[] = "pass:word";

typedef struct fixture {
    char dir[64], path[96], line[PST_PASSWORD_LINE], log[1024];
    pst_log *sink;
    struct rest_auth *auth;
} fixture;

static void keep_line(void *opaque, pst_log_level level, const char *line)
{
    fixture *f = opaque;
    (void)level;
    snprintf(f->log, sizeof f->log, "%s", line);
}

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    pst_err err = PST_ERR_INIT;
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/test_rest_auth.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/users", f->dir);
    assert_int_equal(pst_password_make(f->line, PASSWORD, &err), PST_OK);
    f->sink = pst_log_new(keep_line, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    rest_auth_free(f->auth);
    (void)unlink(f->path);
    (void)rmdir(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    pst_log_free(f->sink);
    pst_free(f);
    return 0;
}

static void put_bytes(const fixture *f, const char *text, size_t n)
{
    FILE *file = fopen(f->path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const fixture *f, const char *fmt, ...)
{
    char text[8192];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    put_bytes(f, text, strlen(text));
}

static pst_rc load(fixture *f, pst_err *err)
{
    rest_auth_free(f->auth);
    f->auth = NULL;
    return rest_auth_load(&f->auth, f->path, f->sink, err);
}

static int ask(fixture *f, const char *user, const char *password)
{
    char plain[256], header[512] = "Basic ";
    snprintf(plain, sizeof plain, "%s:%s", user, password);
    EVP_EncodeBlock((unsigned char *)header + 6, (const unsigned char *)plain,
                    (int)strlen(plain));
    return rest_auth_check(f->auth, header);
}

static void test_who_is_let_in(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    put_text(f, "# operators\n\nop:%s\r\nother:%s\n", f->line, f->line);
    assert_int_equal(load(f, &err), PST_OK);
    assert_int_equal(ask(f, "op", PASSWORD), 0);
    static const char *const none[] = {
        NULL,         "",           "Basic",    "Basic ",        "Basic !",
        "Basic ====", "Basic AAAA", "Bearer x", "basic b3A6AGE="};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(rest_auth_check(f->auth, none[i]), 401);
    assert_int_equal(ask(f, "op", "pass"), 401);
    assert_int_equal(ask(f, "other", PASSWORD), 429); /* not looked at for a second */
    assert_int_equal(ask(f, "op", PASSWORD), 0);      /* who is known gets in */
}

static void test_files_that_are_none(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *text, *told;
    } files[] = {
        {"", "names nobody"},
        {"# op\n\n\r\n", "names nobody"},
        {"op\n", "users:1: no line of"},
        {":pbkdf2-sha256:10000:00:00\n", "users:1: no line of"},
        {"\nop:plain\n", "users:2: no line of"},
        {"op:pbkdf2-sha256:99999999999999999999:00:00\n", "no line of"},
        {"op:pbkdf2-sha256:1:00:00\n", "no line of"},
        {"op:pbkdf2-sha256:10000:zz:00\n", "no line of"},
        {"op:pbkdf2-sha256:10000\n", "no line of"},
        {"op:pbkdf2-sha256:\n", "no line of"},
        {"op:pbkdf2-sha512:10000:00:00\n", "no line of"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        pst_err err = PST_ERR_INIT;
        put_text(f, "%s", files[i].text);
        assert_int_equal(load(f, &err), PST_E_CONFIG);
        assert_non_null(strstr(err.text, files[i].told));
    }
    pst_err err = PST_ERR_INIT;
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(load(f, &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "cannot be opened: No such file"));
    pst_err_clear(&err);
    assert_int_equal(mkfifo(f->path, 0600), 0); /* nobody will write to it */
    assert_int_equal(load(f, &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "Invalid argument"));
    assert_int_equal(unlink(f->path), 0);
    pst_err_clear(&err);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(load(f, &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "Is a directory"));
}

static void test_too_many_and_too_long(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    char *text = pst_malloc(TEXT_MAX + 256 * 1024);
    size_t n = 0;
    assert_non_null(text);
    for (int i = 0; i < 101; i++)
        n += (size_t)snprintf(text + n, TEXT_MAX - n, "user%d:%s\n", i, f->line);
    put_bytes(f, text, n);
    assert_int_equal(load(f, &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "over 100 users"));
    pst_err_clear(&err);
    memset(text, 'x', 5000);
    put_bytes(f, text, 5000);
    assert_int_equal(load(f, &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "no line of"));
    pst_err_clear(&err);
    memset(text, '\n', TEXT_MAX + 256 * 1024);
    put_bytes(f, text, TEXT_MAX + 256 * 1024);
    assert_int_equal(load(f, &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "File too large"));
    pst_free(text);
}

/* Any bytes: it is said what is wrong, or they are users. */
static void test_mutants(void **state)
{
    fixture *f = *state;
    char good[2 * PST_PASSWORD_LINE + 32], text[sizeof good];
    snprintf(good, sizeof good, "op:%s\nother:%s\n", f->line, f->line);
    size_t n = strlen(good), refused = 0;
    unsigned int seed = 20261123;
    for (int i = 0; i < MUTANTS; i++) {
        pst_err err = PST_ERR_INIT;
        memcpy(text, good, n);
        for (int k = rand_r(&seed) % 3; k >= 0; k--)
            text[(size_t)rand_r(&seed) % n] = (char)rand_r(&seed);
        put_bytes(f, text, (size_t)rand_r(&seed) % (n + 1));
        pst_rc rc = load(f, &err);
        assert_true(rc == PST_OK || (rc == PST_E_CONFIG && *err.text));
        refused += rc != PST_OK;
    }
    assert_in_range(refused, MUTANTS / 4, MUTANTS - 1);
}

static void test_a_change_counts_at_once(void **state)
{
    fixture *f = *state;
    char other[PST_PASSWORD_LINE];
    pst_err err = PST_ERR_INIT;
    put_text(f, "op:%s\n", f->line);
    assert_int_equal(load(f, &err), PST_OK);
    assert_int_equal(ask(f, "op", PASSWORD), 0);
    assert_int_equal(pst_password_make(other, "another", &err), PST_OK);
    put_text(f, "new:%s\nop:%s\n", f->line, other);
    assert_int_equal(ask(f, "op", "another"), 0);
    assert_non_null(strstr(f->log, "has changed: 2 users"));
    assert_int_equal(ask(f, "new", PASSWORD), 0);
    put_text(f, "new:%s\nop:half", f->line); /* what can't be used changes nothing */
    assert_int_equal(ask(f, "op", "another"), 0);
    assert_non_null(strstr(f->log, "users:2: no line of"));
    assert_non_null(strstr(f->log, "the users are those from before"));
    *f->log = '\0';
    assert_int_equal(ask(f, "op", "another"), 0);
    assert_string_equal(f->log, ""); /* said once */
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(ask(f, "op", "another"), 0);
    assert_non_null(strstr(f->log, "cannot be opened"));
    put_text(f, "new:%s\n", f->line);
    assert_int_equal(ask(f, "op", "another"), 401); /* gone */
    assert_int_equal(ask(f, "op", PASSWORD), 429);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_is_let_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many_and_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mutants, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_change_counts_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

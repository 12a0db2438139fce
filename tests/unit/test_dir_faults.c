/*
 * test_dir_faults.c - the directory store when every single system call of a put fails,
 * and when the process dies before every one of them.
 *
 * This program brings its own openat, write, fsync, linkat, renameat, unlinkat and
 * mkdirat (they take the C library's place at link time) that count and fail as they are
 * told.
 */
#include "base/mem.h"
#include "store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { CRASHED = 77 };

static int countdown = -1; /* the call that fails; -1 = none */
static int failure;        /* errno, or 0 to die */

static bool fails(void)
{
    if (countdown < 0 || countdown-- > 0)
        return false;
    if (failure == 0)
        _exit(CRASHED);
    errno = failure;
    return true;
}

int openat(int at, const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
    va_end(ap);
    return fails() ? -1 : (int)syscall(SYS_openat, at, path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    return fails() ? -1 : (ssize_t)syscall(SYS_write, fd, bytes, n);
}

int fsync(int fd)
{
    return fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int linkat(int a, const char *from, int b, const char *to, int flags)
{
    return fails() ? -1 : (int)syscall(SYS_linkat, a, from, b, to, flags);
}

int renameat(int a, const char *from, int b, const char *to)
{
    return fails() ? -1 : (int)syscall(SYS_renameat2, a, from, b, to, 0);
}

int unlinkat(int at, const char *path, int flags)
{
    return fails() ? -1 : (int)syscall(SYS_unlinkat, at, path, flags);
}

int mkdirat(int at, const char *path, mode_t mode)
{
    return fails() ? -1 : (int)syscall(SYS_mkdirat, at, path, mode);
}

/* ---- a store in a temporary folder ---- */

typedef struct fixture {
    char root[64];
    pst_store *store;
    pst_store_meta meta;
    pst_err err;
    char key[200], link[200];
} fixture;

static const char data[] = "id,name\n1,Ada\n2,Grace\n";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    char url[128];
    snprintf(f->root, sizeof f->root, "/tmp/pst-test-faults-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    snprintf(url, sizeof url, "file://%s", f->root);
    pst_store_conf conf = {.url = url};
    assert_int_equal(
        pst_store_dir.open(&f->store, &conf, pst_clock_system(), NULL, NULL, &f->err),
        PST_OK);
    assert_int_equal(pst_store_meta_add(&f->meta, "penstock-next", "2"), PST_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    pst_store_dir.close(f->store);
    nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    pst_free(f);
    return 0;
}

static void new_topic(fixture *f, const char *name, int number)
{
    snprintf(f->key, sizeof f->key, "topics/%s%d/partition=0/x+0+0.csv", name, number);
    snprintf(f->link, sizeof f->link, "topics/_penstock/%s%d/0/0", name, number);
    pst_err_clear(&f->err);
}

static pst_rc put(fixture *f, bool linked)
{
    pst_store_put request = {.key = f->key,
                             .link = linked ? f->link : NULL,
                             .bytes = PST_SV(data),
                             .meta = &f->meta,
                             .create_only = true};
    return pst_store_dir.put(f->store, &request, &f->err);
}

static pst_rc head(fixture *f, bool linked)
{
    pst_store_info info;
    pst_err_clear(&f->err);
    pst_rc rc =
        pst_store_dir.head(f->store, f->key, linked ? f->link : NULL, &info, &f->err);
    if (rc == PST_OK) {
        assert_int_equal(info.size, sizeof data - 1);
        if (linked)
            assert_string_equal(pst_store_meta_get(&info.meta, "penstock-next"), "2");
    }
    return rc;
}

static bool count_key(void *opaque, const char *key, int64_t size)
{
    (void)key;
    (void)size;
    ++*(int *)opaque;
    return true;
}

/* The object is whole, and it is there once. */
static void expect_whole(fixture *f)
{
    pst_buf body;
    int n = 0;
    char prefix[200];
    pst_buf_init(&body, 1000);
    pst_err_clear(&f->err);
    assert_int_equal(pst_store_dir.get(f->store, f->key, &body, &f->err), PST_OK);
    assert_int_equal(body.len, sizeof data - 1);
    assert_memory_equal(body.data, data, sizeof data - 1);
    pst_buf_done(&body);
    snprintf(prefix, sizeof prefix, "%.*s", (int)(strrchr(f->key, '/') + 1 - f->key),
             f->key);
    pst_store_list list = {.prefix = prefix};
    assert_int_equal(pst_store_dir.list(f->store, &list, count_key, &n, &f->err), PST_OK);
    assert_int_equal(n, 1);
}

/* ---- dying ---- */

/* 0 = the put was over before the call at which it should have died. */
static int put_and_die(fixture *f, int at)
{
    pid_t pid = fork();
    if (pid == 0) {
        countdown = at;
        failure = 0;
        pst_rc rc = put(f, true);
        _exit(rc == PST_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_crash_before_every_call(void **state)
{
    fixture *f = *state;
    int committed = 0;
    int lost = 0;
    int at = 0;
    for (;; at++) {
        new_topic(f, "crash", at);
        int status = put_and_die(f, at);
        assert_true(status == 0 || status == CRASHED);
        pst_rc rc = head(f, true);
        assert_true(rc == PST_OK || rc == PST_E_NOT_FOUND);
        committed += rc == PST_OK;
        lost += rc == PST_E_NOT_FOUND;
        if (rc == PST_OK)
            expect_whole(f); /* the commit happened, so the data must be there */
        pst_err_clear(&f->err);
        assert_int_equal(put(f, true), rc == PST_OK ? PST_E_EXISTS : PST_OK);
        assert_int_equal(head(f, true), PST_OK);
        expect_whole(f);
        if (status == 0)
            break;
    }
    assert_in_range(at, 15, 60);
    assert_in_range(lost, 8, 60);
    assert_in_range(committed, 4, 60);
}

/* Listing the links finishes a commit as head() does. */
static void test_list_after_crash(void **state)
{
    fixture *f = *state;
    for (int at = 0;; at++) {
        int n = 0;
        char prefix[200];
        new_topic(f, "listed", at);
        int status = put_and_die(f, at);
        snprintf(prefix, sizeof prefix, "%.*s",
                 (int)(strrchr(f->link, '/') + 1 - f->link), f->link);
        pst_store_list list = {.prefix = prefix};
        assert_int_equal(pst_store_dir.list(f->store, &list, count_key, &n, &f->err),
                         PST_OK);
        assert_in_range(n, 0, 1);
        if (n == 1)
            expect_whole(f);
        if (status == 0)
            break;
    }
}

/* ---- failing ---- */

static void fail_every_call(fixture *f, const char *name, int why, bool linked)
{
    for (int at = 0;; at++) {
        new_topic(f, name, at);
        countdown = at;
        failure = why;
        pst_rc rc = put(f, linked);
        bool failed = countdown < 0;
        countdown = -1;
        pst_err first = f->err;
        if (rc != PST_OK) {
            assert_true(first.retriable);
            assert_true(strlen(first.text) > 20);
            if (!first.unknown) /* then nothing has happened */
                assert_int_equal(head(f, linked), PST_E_NOT_FOUND);
            pst_err_clear(&f->err);
            rc = put(f, linked);
            assert_true(rc == PST_OK || (rc == PST_E_EXISTS && first.unknown));
        }
        assert_int_equal(head(f, linked), PST_OK);
        expect_whole(f);
        if (!failed) {
            assert_in_range(at, 8, 60);
            return;
        }
    }
}

static void test_every_call_fails(void **state)
{
    fixture *f = *state;
    static const int errors[] = {ENOSPC, EIO, EACCES, EDQUOT, ENFILE};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        char name[32];
        snprintf(name, sizeof name, "linked%zu-", i);
        fail_every_call(f, name, errors[i], true);
        snprintf(name, sizeof name, "plain%zu-", i);
        fail_every_call(f, name, errors[i], false);
    }
}

static void test_disk_full_text(void **state)
{
    fixture *f = *state;
    new_topic(f, "full", 0);
    assert_int_equal(put(f, true), PST_OK);
    snprintf(f->key, sizeof f->key, "topics/full0/partition=0/x+0+1.csv");
    snprintf(f->link, sizeof f->link, "topics/_penstock/full0/0/1");
    for (int at = 0; at < 20; at++) {
        countdown = at;
        failure = ENOSPC;
        pst_err_clear(&f->err);
        pst_rc rc = put(f, true);
        countdown = -1;
        if (rc != PST_E_IO)
            continue;
        assert_non_null(strstr(f->err.text, "no space left on file://"));
        assert_non_null(strstr(f->err.text, "KiB free"));
        assert_non_null(strstr(f->err.text, "nothing is lost"));
        return;
    }
    fail_msg("no call met the full disk");
}

static void test_no_hard_links(void **state)
{
    fixture *f = *state;
    int refused = 0;
    for (int at = 0; at < 40; at++) {
        new_topic(f, "links", at);
        countdown = at;
        failure = EOPNOTSUPP;
        pst_rc rc = put(f, true);
        countdown = -1;
        refused += rc == PST_E_UNSUPPORTED;
        if (rc == PST_E_UNSUPPORTED)
            assert_non_null(strstr(f->err.text, "no hard links"));
    }
    assert_int_equal(refused, 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_crash_before_every_call), CASE(test_list_after_crash),
        CASE(test_every_call_fails),        CASE(test_disk_full_text),
        CASE(test_no_hard_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

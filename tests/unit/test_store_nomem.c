/*
 * test_store_nomem.c - both drivers when the nth allocation fails, for every n: the call
 * says PST_E_NOMEM, nothing leaks, nothing crashes, and an object is never half there.
 *
 * The scripted S3 server runs in a child process: it needs an allocator that works.
 */
#include "mem_fault.c" // NOLINT(bugprone-suspicious-include)

#include "store/store.h"
#include "tests/store/fault_server.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

static const char text[] = "id,name\n1,Ada\n";

static bool answer(void *opaque, fault_request *req)
{
    static const char list[] =
        "<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</"
        "EncodingType>"
        "<Contents><Key>topics/k</Key><Size>14</Size></Contents></ListBucketResult>";
    (void)opaque;
    if (strcmp(req->method, "HEAD") == 0)
        fault_send(req, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 14\r\n"
                        "x-amz-meta-penstock-next: 2\r\n\r\n");
    else if (strstr(req->target, "list-type"))
        fault_answer(req, "200 OK", "", list);
    else if (strstr(req->target, "refused"))
        fault_answer(req, "403 Forbidden", "",
                     "<Error><Code>AccessDenied</Code></Error>");
    else
        fault_answer(req, "200 OK", "ETag: \"x\"\r\n", req->method[0] == 'G' ? text : "");
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

static bool each(void *opaque, const char *key, int64_t size)
{
    (void)key;
    (void)size;
    ++*(int *)opaque;
    return true;
}

static pst_rc read_back(pst_store *store, const char *key, const char *link, pst_err *err)
{
    pst_store_info info;
    pst_buf body;
    int n = 0;
    pst_buf_init(&body, 1000);
    pst_store_list list = {.prefix = "topics/"};
    pst_rc rc = store->driver->head(store, key, link, &info, err);
    if (rc == PST_OK)
        rc = store->driver->get(store, key, &body, err);
    if (rc == PST_OK)
        rc = store->driver->list(store, &list, each, &n, err);
    if (rc == PST_OK) {
        assert_string_equal(pst_store_meta_get(&info.meta, "penstock-next"), "2");
        assert_int_equal(body.len, sizeof text - 1);
        assert_true(n > 0);
    }
    pst_buf_done(&body);
    return rc;
}

static pst_rc happy_path(const pst_store_conf *conf, const char *key, const char *link,
                         pst_err *err)
{
    pst_store *store = NULL;
    pst_store_meta meta = {0};
    pst_rc rc = pst_store_open(&store, conf, pst_clock_system(), NULL, NULL, err);
    if (rc != PST_OK)
        return rc;
    rc = pst_store_meta_add(&meta, "penstock-next", "2");
    pst_store_put put = {.key = key,
                         .link = link,
                         .bytes = PST_SV(text),
                         .meta = &meta,
                         .create_only = true};
    if (rc == PST_OK)
        rc = store->driver->put(store, &put, err);
    if (rc == PST_E_EXISTS) { /* an earlier round came so far */
        pst_err_clear(err);
        rc = PST_OK;
    }
    if (rc == PST_OK)
        rc = read_back(store, key, link, err);
    put.key = "refused";
    put.link = NULL;
    if (rc == PST_OK && store->driver == &pst_store_s3) {
        rc = store->driver->put(store, &put, err);
        assert_true(rc == PST_E_AUTH || rc == PST_E_NOMEM);
        if (rc == PST_E_AUTH) {
            pst_err_clear(err);
            rc = PST_OK;
        }
    }
    pst_store_close(store);
    return rc;
}

static void every_allocation(const pst_store_conf *conf)
{
    long n = 0;
    for (;; n++) {
        pst_err err = PST_ERR_INIT;
        long live = pst_fault_live();
        pst_fault_set(n);
        pst_rc rc = happy_path(conf, "topics/k", "topics/_penstock/l", &err);
        pst_fault_set(-1);
        assert_int_equal(pst_fault_live(), live);
        assert_int_equal(rc, err.code);
        if (rc == PST_OK)
            break;
        if (rc != PST_E_NOMEM)
            fail_msg("%ld: %s: %s", n, pst_rc_name(rc), err.text);
    }
    assert_in_range(n, 5, 1000);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void test_directory(void **state)
{
    (void)state;
    char root[] = "/tmp/pst-test-nomem-XXXXXX";
    char url[100];
    assert_non_null(mkdtemp(root));
    snprintf(url, sizeof url, "file://%s", root);
    pst_store_conf conf = {.url = url};
    every_allocation(&conf);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_s3(void **state)
{
    pst_store_conf conf = {.url = *state,
                           .bucket = (char[]){"bucket"},
                           .path_style = true,
                           .access_key_id = (char[]){"id"},
                           .secret_access_key = (char[]){"secret"},
                           .session_token = (char[]){"token"},
                           .tagging = (char[]){"a:b,c:d"},
                           .storage_class = (char[]){"STANDARD_IA"}};
    every_allocation(&conf);
}

int main(void)
{
    int ends[2];
    char url[sizeof((fault_server *)NULL)->url] = "";
    if (pipe(ends) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0)
        _exit(serve(ends[1]));
    if (child < 0 || read(ends[0], url, sizeof url) != sizeof url)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory),
        cmocka_unit_test_prestate(test_s3, url),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return failed;
}

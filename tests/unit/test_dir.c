/*
 * test_dir.c - the directory store: the commit by link, what recovery finds after a crash
 * at each step, hostile keys, orphans, permissions and a full disk.
 */
#include "base/mem.h"
#include "store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY "topics/users/partition=0/users+0+00000000000000000000.csv"
#define LINK "topics/_penstock/users/0/00000000000000000000"
#define LINK_DIR "topics/_penstock/users/0/"

typedef struct fixture {
    char root[64];
    pst_store *store;
    pst_err err;
} fixture;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void open_store(fixture *f)
{
    char url[128];
    snprintf(url, sizeof url, "file://%s/store", f->root);
    pst_store_conf conf = {.url = url};
    pst_err_clear(&f->err);
    assert_int_equal(
        pst_store_dir.open(&f->store, &conf, pst_clock_system(), NULL, NULL, &f->err),
        PST_OK);
}

static int setup(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    snprintf(f->root, sizeof f->root, "/tmp/pst-test-dir-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    open_store(f);
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

static const char *path_of(const fixture *f, const char *key)
{
    static char path[2048];
    snprintf(path, sizeof path, "%s/store/%s", f->root, key);
    return path;
}

static bool there(const fixture *f, const char *key)
{
    struct stat st;
    return stat(path_of(f, key), &st) == 0;
}

static pst_rc put(fixture *f, const char *key, const char *link, const char *text,
                  const pst_store_meta *meta, bool create_only)
{
    pst_store_put request = {.key = key,
                             .link = link,
                             .bytes = pst_sv_of(text),
                             .crc32c = pst_crc32c(0, text, strlen(text)),
                             .meta = meta,
                             .create_only = create_only};
    pst_err_clear(&f->err);
    return pst_store_dir.put(f->store, &request, &f->err);
}

static void expect_body(fixture *f, const char *key, const char *text)
{
    pst_buf body;
    pst_buf_init(&body, 1 << 20);
    pst_err_clear(&f->err);
    assert_int_equal(pst_store_dir.get(f->store, key, &body, &f->err), PST_OK);
    assert_int_equal(body.len, strlen(text));
    assert_memory_equal(body.data, text, body.len);
    pst_buf_done(&body);
}

typedef struct listing {
    char text[4096];
    size_t n;
} listing;

static bool collect(void *opaque, const char *key, int64_t size)
{
    listing *all = opaque;
    (void)size;
    size_t used = strlen(all->text);
    snprintf(all->text + used, sizeof all->text - used, "%s\n", key);
    all->n++;
    return true;
}

static listing list(fixture *f, const char *prefix, const char *after, size_t limit)
{
    listing all = {0};
    pst_store_list request = {prefix, after, limit};
    pst_err_clear(&f->err);
    assert_int_equal(pst_store_dir.list(f->store, &request, collect, &all, &f->err),
                     PST_OK);
    return all;
}

static pst_store_meta some_meta(void)
{
    pst_store_meta meta = {.n = 2};
    snprintf(meta.pairs[0].name, sizeof meta.pairs[0].name, "penstock-next");
    snprintf(meta.pairs[0].value, sizeof meta.pairs[0].value, "24");
    snprintf(meta.pairs[1].name, sizeof meta.pairs[1].name, "penstock-group");
    snprintf(meta.pairs[1].value, sizeof meta.pairs[1].value, "%s",
             "odd % \t value\n\xc3\xa9 ");
    return meta;
}

/* ---- the commit ---- */

static void test_linked_put(void **state)
{
    fixture *f = *state;
    pst_store_meta meta = some_meta();
    assert_int_equal(put(f, KEY, LINK, "a,b\n", &meta, true), PST_OK);
    expect_body(f, KEY, "a,b\n");
    pst_store_info info;
    assert_int_equal(pst_store_dir.head(f->store, KEY, LINK, &info, &f->err), PST_OK);
    assert_int_equal(info.size, 4);
    assert_int_equal(info.meta.n, 2);
    for (size_t i = 0; i < meta.n; i++) {
        assert_string_equal(info.meta.pairs[i].name, meta.pairs[i].name);
        assert_string_equal(info.meta.pairs[i].value, meta.pairs[i].value);
    }
    assert_true(info.modified_ms > 1600000000000);
    /* nothing else is left in the folders */
    assert_string_equal(list(f, "", NULL, 0).text, LINK "\n" KEY "\n");
}

static void test_second_put_loses(void **state)
{
    fixture *f = *state;
    assert_int_equal(put(f, KEY, LINK, "first", NULL, true), PST_OK);
    assert_int_equal(put(f, KEY, LINK, "second", NULL, true), PST_E_EXISTS);
    assert_false(f->err.retriable);
    expect_body(f, KEY, "first");
    assert_int_equal(unlink(path_of(f, KEY)), 0); /* a reader took the object away */
    assert_int_equal(put(f, KEY, LINK, "third", NULL, true), PST_E_EXISTS);
    assert_false(there(f, KEY));
}

typedef struct racer {
    fixture *f;
    pst_rc rc;
    int id;
} racer;

static void *race(void *opaque)
{
    racer *r = opaque;
    char text[32];
    snprintf(text, sizeof text, "writer %d", r->id);
    pst_store_put request = {
        .key = KEY, .link = LINK, .bytes = pst_sv_of(text), .create_only = true};
    pst_err err = PST_ERR_INIT;
    r->rc = pst_store_dir.put(r->f->store, &request, &err);
    return NULL;
}

static void test_race(void **state)
{
    fixture *f = *state;
    pthread_t threads[8];
    racer racers[8];
    int winner = -1;
    for (int i = 0; i < 8; i++) {
        racers[i] = (racer){f, PST_E_INTERNAL, i};
        pthread_create(&threads[i], NULL, race, &racers[i]);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        if (racers[i].rc == PST_OK) {
            assert_int_equal(winner, -1);
            winner = i;
        } else {
            assert_int_equal(racers[i].rc, PST_E_EXISTS);
        }
    }
    char text[32];
    snprintf(text, sizeof text, "writer %d", winner);
    expect_body(f, KEY, text);
    assert_int_equal(list(f, "", NULL, 0).n, 2);
}

/* ---- after a crash ---- */

/* As after a crash between link(2) and rename(2). */
static void unfinish(fixture *f, char temp[320])
{
    pst_dir_at at;
    pst_dir_link record;
    assert_int_equal(pst_dir_open_root((pst_dir *)f->store, &at, &f->err), PST_OK);
    assert_int_equal(pst_dir_link_read(&at, LINK, &record, &f->err), PST_OK);
    pst_dir_close_root(&at);
    char from[2048];
    snprintf(from, sizeof from, "%s", path_of(f, KEY));
    snprintf(temp, 320, "%s%s", LINK_DIR, record.temp);
    assert_int_equal(rename(from, path_of(f, temp)), 0);
}

static void test_head_finishes(void **state)
{
    fixture *f = *state;
    char temp[320];
    pst_store_info info;
    assert_int_equal(put(f, KEY, LINK, "data", NULL, true), PST_OK);
    unfinish(f, temp);
    assert_false(there(f, KEY));
    assert_int_equal(put(f, KEY, LINK, "other", NULL, true), PST_E_EXISTS);
    assert_int_equal(pst_store_dir.head(f->store, KEY, LINK, &info, &f->err), PST_OK);
    assert_int_equal(info.size, 4);
    expect_body(f, KEY, "data");
    assert_false(there(f, temp));
}

static void test_list_finishes(void **state)
{
    fixture *f = *state;
    char temp[320];
    assert_int_equal(put(f, KEY, LINK, "data", NULL, true), PST_OK);
    unfinish(f, temp);
    assert_string_equal(list(f, LINK_DIR, LINK, 1).text, ""); /* even beyond it */
    expect_body(f, KEY, "data");
    assert_false(there(f, temp));
}

static void make_file(const fixture *f, const char *key, int age_s)
{
    int fd = open(path_of(f, key), O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec -= age_s;
    assert_int_equal(futimens(fd, (struct timespec[]){now, now}), 0);
    close(fd);
}

static void test_orphans(void **state)
{
    fixture *f = *state;
    static const char old_data[] = LINK_DIR ".tmp-d0123456789abcdef-00000000000000000024";
    static const char old_meta[] = LINK_DIR ".tmp-m0123456789abcdef-00000000000000000024";
    static const char loser[] = LINK_DIR ".tmp-d3123456789abcdef-00000000000000000000";
    static const char young[] = LINK_DIR ".tmp-d1123456789abcdef-00000000000000000024";
    static const char foreign[] = LINK_DIR ".tmp-somebody";
    static const char asleep[] = LINK_DIR ".tmp-d2123456789abcdef-00000000000000000024";
    assert_int_equal(put(f, KEY, LINK, "data", NULL, true), PST_OK);
    make_file(f, old_data, 7200);
    make_file(f, old_meta, 7200);
    make_file(f, loser, 7200); /* of a writer that died before its link(2) could fail */
    make_file(f, young, 60);
    make_file(f, foreign, 7200);
    make_file(f, asleep, 7200);
    int fd = open(path_of(f, asleep), O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_string_equal(list(f, LINK_DIR, NULL, 0).text,
                        LINK_DIR ".tmp-somebody\n" LINK "\n");
    assert_false(there(f, old_data));
    assert_false(there(f, old_meta));
    assert_false(there(f, loser));
    assert_true(there(f, young));
    assert_true(there(f, foreign));
    assert_true(there(f, asleep));
    close(fd);
    (void)list(f, LINK_DIR, NULL, 0);
    assert_false(there(f, asleep));
    assert_true(there(f, KEY));
}

static void test_foreign_object(void **state)
{
    fixture *f = *state;
    pst_store_info info;
    assert_int_equal(put(f, KEY, NULL, "not ours", NULL, false), PST_OK);
    assert_int_equal(put(f, KEY, LINK, "ours", NULL, true), PST_E_EXISTS);
    assert_int_equal(pst_store_dir.head(f->store, KEY, LINK, &info, &f->err), PST_OK);
    assert_int_equal(info.meta.n, 0);
    expect_body(f, KEY, "not ours");
}

static void test_garbled_link(void **state)
{
    fixture *f = *state;
    static const char *const texts[] = {
        "",
        "penstock-link 1\n",
        "penstock-link 1\nkey a\ntemp .tmp-d0123456789abcdef-x\n", /* no end */
        "penstock-link 1\nkey ../../etc/passwd\ntemp .tmp-d0123456789abcdef-x\nend\n",
        "penstock-link 1\nkey a\ntemp /etc/passwd\nend\n",
        "penstock-link 1\nkey a\ntemp .tmp-d0123456789abcdef-x/../y\nend\n",
        "penstock-link 1\nkey a\ntemp .tmp-d0123456789abcdef-x\nsize -1\nend\n",
        "penstock-link 1\nkey a%0\ntemp .tmp-d0123456789abcdef-x\nend\n",
        "penstock-link 1\nkey a%00b\ntemp .tmp-d0123456789abcdef-x\nend\n",
        "penstock-link 1\nmeta x\nkey a\ntemp .tmp-d0123456789abcdef-x\nend\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pst_store_info info;
        assert_int_equal(put(f, LINK, NULL, texts[i], NULL, false), PST_OK);
        assert_int_equal(pst_store_dir.head(f->store, KEY, LINK, &info, &f->err),
                         PST_E_INVALID);
        assert_non_null(strstr(f->err.text, "is not a link file"));
    }
}

/* ---- plain keys ---- */

static void test_plain_put(void **state)
{
    fixture *f = *state;
    pst_store_info info;
    assert_int_equal(put(f, "a/root.json", NULL, "1", NULL, true), PST_OK);
    assert_int_equal(put(f, "a/root.json", NULL, "2", NULL, true), PST_E_EXISTS);
    expect_body(f, "a/root.json", "1");
    assert_int_equal(put(f, "a/root.json", NULL, "33", NULL, false), PST_OK);
    expect_body(f, "a/root.json", "33");
    assert_int_equal(pst_store_dir.head(f->store, "a/root.json", NULL, &info, &f->err),
                     PST_OK);
    assert_int_equal(info.size, 2);
    assert_int_equal(pst_store_dir.remove(f->store, "a/root.json", &f->err), PST_OK);
    assert_int_equal(pst_store_dir.remove(f->store, "a/root.json", &f->err), PST_OK);
    assert_int_equal(pst_store_dir.remove(f->store, "a", &f->err), PST_OK);
    assert_true(there(f, "a"));
    pst_buf body;
    pst_buf_init(&body, 100);
    assert_int_equal(pst_store_dir.get(f->store, "a/root.json", &body, &f->err),
                     PST_E_NOT_FOUND);
    assert_int_equal(pst_store_dir.head(f->store, "a", NULL, &info, &f->err),
                     PST_E_NOT_FOUND);
    pst_err_clear(&f->err);
    assert_int_equal(put(f, "big", NULL, "123456789", NULL, true), PST_OK);
    pst_buf small;
    pst_buf_init(&small, 8);
    assert_int_equal(pst_store_dir.get(f->store, "big", &small, &f->err), PST_E_LIMIT);
    pst_buf_done(&small);
    pst_buf_done(&body);
}

static void test_hostile_keys(void **state)
{
    fixture *f = *state;
    char part[300] = {0};
    char whole[1200] = {0};
    memset(part, 'a', 231);
    memset(whole, 'b', 1025);
    for (size_t i = 100; i < 1025; i += 100)
        whole[i] = '/';
    const char *keys[] = {"",     "/a",  "a/",   "a//b", "..",       "a/../b",
                          "./a",  "a/.", "../x", "/",    "a/.tmp-x", "\xff\xfe",
                          "a/..", part,  whole,  "//",   ".tmp-d"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        pst_store_info info;
        assert_int_equal(put(f, keys[i], NULL, "x", NULL, false), PST_E_INVALID);
        assert_int_equal(put(f, "fine", keys[i], "x", NULL, true), PST_E_INVALID);
        assert_int_equal(pst_store_dir.head(f->store, keys[i], NULL, &info, &f->err),
                         PST_E_INVALID);
        assert_int_equal(pst_store_dir.remove(f->store, keys[i], &f->err), PST_E_INVALID);
    }
    pst_store_list up = {.prefix = "../"};
    listing none = {0};
    assert_int_equal(pst_store_dir.list(f->store, &up, collect, &none, &f->err),
                     PST_E_INVALID);
    pst_err_clear(&f->err);
    assert_int_equal(put(f, "...", NULL, "x", NULL, true), PST_OK);
    assert_int_equal(put(f, "a", NULL, "x", NULL, true), PST_OK);
    assert_int_equal(put(f, "a/b", NULL, "x", NULL, true), PST_E_INVALID);
    assert_non_null(strstr(f->err.text, "not both"));
}

/* ---- listing ---- */

static void test_list_order(void **state)
{
    fixture *f = *state;
    static const char *const keys[] = {"a-b",      "a/x", "a.c", "a/x.y/z",
                                       "a/x-1",    "b",   "a0",  "A",
                                       "\xc3\xa9", "b c", "~",   "a/b/c/d"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(put(f, keys[i], NULL, "x", NULL, true), PST_OK);
    assert_string_equal(
        list(f, "", NULL, 0).text,
        "A\na-b\na.c\na/b/c/d\na/x\na/x-1\na/x.y/z\na0\nb\nb c\n~\n\xc3\xa9\n");
    assert_string_equal(list(f, "a/x", NULL, 0).text, "a/x\na/x-1\na/x.y/z\n");
    assert_string_equal(list(f, "a/", "a/b/c/d", 0).text, "a/x\na/x-1\na/x.y/z\n");
    assert_string_equal(list(f, "a/", "a/b/c", 2).text, "a/b/c/d\na/x\n");
    assert_string_equal(list(f, NULL, "a/zz", 2).text, "a0\nb\n");
    assert_string_equal(list(f, "nothing/here/", NULL, 0).text, "");
    assert_string_equal(list(f, "b/", NULL, 0).text, "");
}

static void test_symlinks(void **state)
{
    fixture *f = *state;
    assert_int_equal(put(f, "d/file", NULL, "x", NULL, true), PST_OK);
    char path[2048];
    snprintf(path, sizeof path, "%s", path_of(f, "d/loop"));
    assert_int_equal(symlink(".", path), 0);
    snprintf(path, sizeof path, "%s", path_of(f, "d/same"));
    assert_int_equal(symlink("file", path), 0);
    snprintf(path, sizeof path, "%s", path_of(f, "d/gone"));
    assert_int_equal(symlink("nowhere", path), 0);
    assert_int_equal(mkfifo(path_of(f, "d/fifo"), 0600), 0);
    assert_string_equal(list(f, "", NULL, 0).text, "d/file\nd/same\n");
}

/* ---- what the system refuses ---- */

static void test_root_is_made_and_missed(void **state)
{
    fixture *f = *state;
    pst_store_info info;
    assert_true(there(f, ""));
    assert_int_equal(rmdir(path_of(f, "")), 0);
    assert_int_equal(put(f, "a", NULL, "x", NULL, true), PST_E_IO);
    assert_true(f->err.retriable);
    assert_non_null(strstr(f->err.text, "is gone"));
    pst_err_clear(&f->err);
    assert_int_equal(pst_store_dir.head(f->store, "a", NULL, &info, &f->err), PST_E_IO);
}

static void test_urls(void **state)
{
    (void)state;
    static const char *const bad[] = {NULL,
                                      "",
                                      "file://",
                                      "file:///",
                                      "file://host/x",
                                      "http://x",
                                      "file:///a%0",
                                      "file:///a%00"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pst_err err = PST_ERR_INIT;
        pst_store *store = NULL;
        char *url = bad[i] ? pst_strdup(bad[i]) : NULL;
        pst_store_conf conf = {.url = url};
        assert_int_equal(
            pst_store_dir.open(&store, &conf, pst_clock_system(), NULL, NULL, &err),
            PST_E_CONFIG);
        assert_null(store);
        pst_free(url);
    }
}

static void test_classification(void **state)
{
    fixture *f = *state;
    static const struct {
        int why;
        pst_rc rc;
        bool retriable;
        const char *text;
    } cases[] = {
        {ENOSPC, PST_E_IO, true, "nothing is lost, the records wait in Kafka"},
        {EDQUOT, PST_E_IO, true, "no space left on file://"},
        {EACCES, PST_E_AUTH, true, "let this user write there"},
        {EROFS, PST_E_AUTH, true, "Read-only"},
        {EIO, PST_E_IO, true, "Input/output"},
        {ENOTDIR, PST_E_INVALID, false, "not both"},
        {ENAMETOOLONG, PST_E_INVALID, false, "too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pst_err_clear(&f->err);
        assert_int_equal(
            pst_dir_fail((pst_dir *)f->store, cases[i].why, "write", "k", &f->err),
            cases[i].rc);
        assert_int_equal(f->err.retriable, cases[i].retriable);
        assert_non_null(strstr(f->err.text, cases[i].text));
    }
}

static void test_cancel(void **state)
{
    fixture *f = *state;
    pst_dir *dir = (pst_dir *)f->store;
    pst_cancel *cancel = pst_cancel_new();
    dir->cancel = cancel;
    pst_cancel_set(cancel);
    assert_int_equal(put(f, KEY, LINK, "x", NULL, true), PST_E_STOPPED);
    dir->cancel = NULL;
    pst_cancel_free(cancel);
    assert_string_equal(list(f, "", NULL, 0).text, "");
}

static void test_large_body(void **state)
{
    fixture *f = *state;
    pst_chunks chunks;
    pst_chunks_init(&chunks);
    char block[1000];
    for (int i = 0; i < 3000; i++) {
        memset(block, 'a' + i % 26, sizeof block);
        assert_int_equal(pst_chunks_add(&chunks, block, sizeof block), PST_OK);
    }
    pst_store_put request = {
        .key = KEY, .link = LINK, .chunks = &chunks, .create_only = true};
    assert_int_equal(pst_store_dir.put(f->store, &request, &f->err), PST_OK);
    pst_buf body;
    pst_buf_init(&body, 4 << 20);
    assert_int_equal(pst_store_dir.get(f->store, KEY, &body, &f->err), PST_OK);
    assert_int_equal(body.len, 3000000);
    for (size_t i = 0; i < body.len; i++)
        assert_int_equal(body.data[i], 'a' + (int)(i / 1000) % 26);
    pst_buf_done(&body);
    pst_chunks_done(&chunks);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_linked_put),     CASE(test_second_put_loses),
        CASE(test_race),           CASE(test_head_finishes),
        CASE(test_list_finishes),  CASE(test_orphans),
        CASE(test_foreign_object), CASE(test_garbled_link),
        CASE(test_plain_put),      CASE(test_hostile_keys),
        CASE(test_list_order),     CASE(test_symlinks),
        CASE(test_urls),           CASE(test_root_is_made_and_missed),
        CASE(test_classification), CASE(test_cancel),
        CASE(test_large_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

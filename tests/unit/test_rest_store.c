/*
 * test_rest_store.c - config.storage.dir: what was written is read again, whatever the
 * name, and what others put there is told, not trusted.
 */
#include "daemon/rest_internal.h"
#include "daemon/rest_store.h"

#include "base/mem.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUTANTS = 3000 };

typedef struct fixture {
    char dir[64];
    char seen[2048]; /* "name=state " of each that was loaded */
    size_t n;
} fixture;

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/test_rest_store.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    *state = f;
    return 0;
}

static void empty(const fixture *f)
{
    DIR *dir = opendir(f->dir);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[400];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", f->dir, entry->d_name);
        assert_int_equal(remove(path), 0);
    }
    closedir(dir);
}

static int tear_down(void **state)
{
    fixture *f = *state;
    empty(f);
    assert_int_equal(rmdir(f->dir), 0);
    pst_free(f);
    return 0;
}

static pst_rc see(void *self, const char *path, pst_props *props, pst_target target,
                  pst_conf_report *report, pst_err *err)
{
    fixture *f = self;
    size_t n = strlen(f->seen);
    (void)report;
    (void)err;
    assert_non_null(strstr(path, f->dir));
    f->n++;
    snprintf(f->seen + n, sizeof f->seen - n, "%s=%d ", pst_props_get(props, "name"),
             (int)target);
    return PST_OK;
}

/* What is told of the folder, all of it; "" = nothing. Owned by the caller. */
static char *load(fixture *f)
{
    pst_conf_report report;
    pst_err err = PST_ERR_INIT;
    pst_buf out;
    pst_conf_report_init(&report);
    pst_buf_init(&out, 64 * 1024);
    *f->seen = '\0';
    f->n = 0;
    assert_int_equal(rest_store_load(f->dir, see, f, &report, &err), PST_OK);
    assert_int_equal(pst_conf_report_print(&report, &out), PST_OK);
    char *text = pst_strdup(pst_buf_cstr(&out));
    pst_buf_done(&out);
    pst_conf_report_done(&report);
    assert_non_null(text);
    return text;
}

static void put_bytes(const fixture *f, const char *name, const char *text, size_t n)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void store(const fixture *f, const char *name, pst_target target)
{
    pst_props props;
    pst_conf_report report;
    pst_err err = PST_ERR_INIT;
    pst_props_init(&props);
    pst_conf_report_init(&report);
    assert_int_equal(pst_props_set(&props, "name", name, "test", &report), PST_OK);
    assert_int_equal(pst_props_set(&props, "k", "${env:HOME}", "test", &report), PST_OK);
    assert_int_equal(rest_store_write(f->dir, name, &props, target, &err), PST_OK);
    pst_props_done(&props);
    pst_conf_report_done(&report);
}

static void test_any_name_comes_back(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"plain",   "../up", "a/b", ".", "..",
                                        ".hidden", "a b",   "%41", "ü", "x.json"};
    enum { N = sizeof names / sizeof *names };
    for (size_t i = 0; i < N; i++)
        store(f, names[i], (pst_target)(i % 3));
    char *told = load(f);
    assert_string_equal(told, "");
    pst_free(told);
    assert_int_equal(f->n, N);
    for (size_t i = 0; i < N; i++) {
        char word[64];
        snprintf(word, sizeof word, "%s=%d ", names[i], (int)(i % 3));
        assert_non_null(strstr(f->seen, word));
    }
    for (size_t i = 0; i < N; i++) {
        pst_err err = PST_ERR_INIT;
        assert_int_equal(rest_store_remove(f->dir, names[i], &err), PST_OK);
    }
    pst_free(load(f));
    assert_int_equal(f->n, 0);
}

static void test_files_are_ours_alone(void **state)
{
    fixture *f = *state;
    char path[400], name[300];
    struct stat found;
    pst_err err = PST_ERR_INIT;
    pst_props props;
    pst_props_init(&props);
    snprintf(path, sizeof path, "%s/a.tmp", f->dir);
    assert_int_equal(symlink("/nowhere/else", path), 0); /* is not written through */
    store(f, "a", PST_TARGET_PAUSED);
    snprintf(path, sizeof path, "%s/a.json", f->dir);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(rest_store_write(f->dir, name, &props, PST_TARGET_RUNNING, &err),
                     PST_E_IO);
    assert_non_null(strstr(err.text, "config.storage.dir: "));
    pst_err_clear(&err);
    assert_int_equal(rest_store_remove("/nowhere/else", "a", &err), PST_E_IO);
}

static void test_what_is_no_connector_is_told(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *text, *told;
    } files[] = {
        {"", "a.json"},
        {"[]", "not a connector's file"},
        {"{\"name\":\"a\"}", "not a connector's file"},
        {"{\"config\":[]}", "not a connector's file"},
        {"{\"config\":{\"name\":\"a\"},\"initial_state\":\"RUN\"}",
         "not a connector's file"},
        {"{\"config\":{\"name\":\"a\"},\"initial_state\":1}", "not a connector's file"},
        {"{\"config\":{\"name\":\"b\"}}", "not named after"},
        {"{\"config\":{}}", "not named after"},
        {"{\"config\":{\"name\":7}}", "not named after"},
        {"{\"config\":{\"name\":\"a\",\"k\":1}}", "no string"},
        {"{\"config\":{\"name\":\"a\",\"\":\"v\"}}", "no string"},
        {"{\"config\":{\"name\":\"a\",\"k\":null}}", "no string"},
        {"{\"config\":{\"name\":\"a\",\"name\":\"a\"}}", "duplicate"},
        {"{\"config\":{\"name\":\"a\\u0000b\"}}", "a.json"},
        {"{\"config\":{\"name\":\"\xff\"}}", "a.json"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        put_bytes(f, "a.json", files[i].text, strlen(files[i].text));
        char *told = load(f);
        assert_non_null(strstr(told, files[i].told));
        assert_non_null(strstr(told, "a.json"));
        assert_int_equal(f->n, 0);
        pst_free(told);
    }
    put_bytes(f, "a.json", "{\"config\":{\"name\":\"a\"}}", 23);
    put_bytes(f, ".b.json", "{", 1); /* not looked at, as these */
    put_bytes(f, "c.tmp", "{", 1);
    put_bytes(f, ".json", "{", 1);
    char *told = load(f);
    assert_string_equal(told, "");
    assert_string_equal(f->seen, "a=0 ");
    pst_free(told);
}

static void test_what_is_no_file_is_told(void **state)
{
    fixture *f = *state;
    char path[400];
    size_t n = 2 * 1024 * 1024;
    char *large = pst_malloc(n);
    assert_non_null(large);
    snprintf(path, sizeof path, "%s/dir.json", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/fifo.json", f->dir); /* nobody will write to it */
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/loop.json", f->dir);
    assert_int_equal(symlink("loop.json", path), 0);
    snprintf(path, sizeof path, "%s/zero.json", f->dir);
    assert_int_equal(symlink("/dev/zero", path), 0);
    memset(large, ' ', n);
    put_bytes(f, "large.json", large, n);
    memset(large, '[', n);
    put_bytes(f, "deep.json", large, 1000 * 1000);
    char *told = load(f);
    static const char *const words[] = {"dir.json",       "fifo.json",     "loop.json",
                                        "zero.json",      "large.json",    "deep.json",
                                        "File too large", "Is a directory"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(told, words[i]));
    assert_int_equal(f->n, 0);
    pst_free(told);
    pst_free(large);
}

static void test_mutants(void **state)
{
    fixture *f = *state;
    static const char good[] = "{\"name\": \"a\", \"config\": {\"name\": \"a\", \"k\": "
                               "\"v\"}, \"initial_state\": \"PAUSED\"}";
    char text[sizeof good];
    size_t n = sizeof good - 1, loaded = 0;
    unsigned int seed = 20261123;
    for (int i = 0; i < MUTANTS; i++) {
        memcpy(text, good, n);
        for (int k = rand_r(&seed) % 3; k >= 0; k--)
            text[(size_t)rand_r(&seed) % n] = (char)rand_r(&seed);
        put_bytes(f, "a.json", text, i % 4 ? n : (size_t)rand_r(&seed) % n);
        char *told = load(f);
        assert_true((f->n == 1) == !*told);
        loaded += f->n;
        pst_free(told);
    }
    assert_in_range(loaded, 1, MUTANTS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_name_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_are_ours_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_connector_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mutants, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_spool.c - windows that outgrow memory: every byte comes back in its place, from
 * the file and from memory, and a spool that is full or gone loses none.
 */
#include "base/spool.h"
#include "base/str.h"
#include "mem_fault.c"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024 };

typedef struct fixture {
    char dir[64];
    pst_spool *spool;
    pst_chunks chunks;
    pst_err err;
    uint64_t seed;
} fixture;

static void open_spool(fixture *f, int64_t max_bytes)
{
    pst_spool_free(f->spool);
    f->spool = NULL;
    assert_int_equal(pst_spool_new(&f->spool, f->dir, max_bytes, &f->err), PST_OK);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f); // NOLINT
    snprintf(f->dir, sizeof f->dir, "/tmp/pst-spool-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    pst_chunks_init(&f->chunks);
    open_spool(f, 64 * MIB);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pst_chunks_done(&f->chunks);
    pst_spool_free(f->spool);
    assert_int_equal(rmdir(f->dir), 0); /* so no name is left in it */
    assert_int_equal(pst_fault_live(), 0);
    free(f);
    return 0;
}

/* The byte at an offset, of no short period. */
static unsigned char byte_at(size_t i)
{
    return (unsigned char)((i * 2654435761u) >> 13 ^ i);
}

static void add(fixture *f, size_t n)
{
    unsigned char piece[7919];
    while (n) {
        size_t part = n < sizeof piece ? n : sizeof piece;
        for (size_t i = 0; i < part; i++)
            piece[i] = byte_at(f->chunks.len + i);
        assert_int_equal(pst_chunks_add(&f->chunks, piece, part), PST_OK);
        n -= part;
    }
}

static void assert_range(const fixture *f, size_t from, size_t n, size_t step)
{
    static unsigned char out[70001];
    pst_chunks_pos pos = pst_chunks_range(&f->chunks, from, n);
    size_t seen = 0, got;
    while ((got = pst_chunks_read(&pos, out, step)) > 0) {
        for (size_t i = 0; i < got; i++)
            if (out[i] != byte_at(from + seen + i))
                fail_msg("byte %zu", from + seen + i);
        seen += got;
    }
    assert_int_equal(pos.failed, 0);
    assert_int_equal(seen, n);
    char scratch[4099];
    const char *piece;
    seen = 0;
    pos = pst_chunks_range(&f->chunks, from, n);
    while ((got = pst_chunks_next(&pos, scratch, sizeof scratch, &piece)) > 0)
        for (size_t i = 0; i < got; i++, seen++)
            if ((unsigned char)piece[i] != byte_at(from + seen))
                fail_msg("piece's byte %zu", from + seen);
    assert_int_equal(seen, n);
}

static void every_byte_in_its_place(void **state)
{
    fixture *f = *state;
    for (int turn = 0; turn < 5; turn++) {
        add(f, MIB + 12345);
        assert_int_equal(pst_chunks_spill(&f->chunks, f->spool, &f->err), PST_OK);
        assert_int_equal(f->chunks.reserved, 0);
        assert_int_equal(f->chunks.spooled, f->chunks.len);
        assert_int_equal(pst_spool_used(f->spool), f->chunks.len);
    }
    add(f, 700000);
    size_t all = f->chunks.len, file = f->chunks.spooled;
    assert_int_equal(all - file, 700000);
    assert_range(f, 0, all, 65536);
    assert_range(f, 0, all, 70001);
    assert_range(f, file - 1, 2, 65536);
    assert_range(f, file, all - file, 1000);
    assert_range(f, file + 300000, 100000, 999);
    assert_range(f, all - 1, 1, 10);
    assert_range(f, 123, file, 65536);
    pst_chunks_pos pos = pst_chunks_range(&f->chunks, all, 10);
    char out[10];
    assert_int_equal(pst_chunks_read(&pos, out, sizeof out), 0);
    pst_chunks moved;
    pst_chunks_move(&moved, &f->chunks);
    assert_int_equal(f->chunks.len, 0);
    pst_chunks_done(&f->chunks);
    pst_chunks_move(&f->chunks, &moved);
    assert_range(f, 0, all, 65536);
    pst_chunks_done(&f->chunks);
    assert_int_equal(pst_spool_used(f->spool), 0);
}

static void a_full_spool_keeps_the_rest(void **state)
{
    fixture *f = *state;
    open_spool(f, 2 * MIB);
    add(f, 3 * MIB);
    assert_int_equal(pst_chunks_spill(&f->chunks, f->spool, &f->err), PST_E_LIMIT);
    assert_non_null(strstr(f->err.text, "spool.max.bytes=2097152"));
    assert_true(f->chunks.spooled > MIB && f->chunks.spooled <= 2 * MIB);
    assert_true(f->chunks.reserved > 0);
    assert_int_equal(f->chunks.len, 3 * MIB);
    assert_range(f, 0, 3 * MIB, 65536);
}

/* What a full disk does, by the limit on a file's size. */
static void a_full_disk_keeps_the_rest(void **state)
{
    fixture *f = *state;
    struct rlimit old, low = {MIB, MIB};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low.rlim_max = old.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    add(f, 3 * MIB);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_int_equal(pst_chunks_spill(&f->chunks, f->spool, &f->err), PST_E_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_non_null(strstr(f->err.text, f->dir));
    assert_true(f->chunks.spooled <= MIB);
    assert_int_equal(pst_spool_used(f->spool), f->chunks.spooled);
    assert_range(f, 0, 3 * MIB, 65536);
    pst_err_clear(&f->err);
    assert_int_equal(pst_chunks_spill(&f->chunks, f->spool, &f->err), PST_OK);
    assert_range(f, 0, 3 * MIB, 65536);
}

static void a_folder_that_cannot_be_written_is_told(void **state)
{
    fixture *f = *state;
    static const char *const dirs[] = {"/nonexistent/spool", "/proc", "/dev/null"};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        pst_spool *spool = NULL;
        pst_err_clear(&f->err);
        assert_int_equal(pst_spool_new(&spool, dirs[i], MIB, &f->err), PST_E_CONFIG);
        assert_non_null(strstr(f->err.text, "no file can be made in "));
        assert_non_null(strstr(f->err.text, dirs[i]));
        assert_null(spool);
    }
}

/* The descriptor of the chunks' file: the one that /proc shows as deleted. */
static int spool_fd(const fixture *f)
{
    for (int fd = 3; fd < 64; fd++) {
        char link[64], to[256];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, to, sizeof to - 1);
        if (n > 0 && (to[n] = '\0', strstr(to, f->dir)))
            return fd;
    }
    return -1;
}

static void the_file_is_private_and_a_broken_one_is_told(void **state)
{
    fixture *f = *state;
    struct stat st;
    add(f, MIB);
    assert_int_equal(pst_chunks_spill(&f->chunks, f->spool, &f->err), PST_OK);
    int fd = spool_fd(f);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(ftruncate(fd, 1000), 0);
    char out[4096];
    pst_chunks_pos pos = pst_chunks_begin(&f->chunks);
    assert_int_equal(pst_chunks_read(&pos, out, sizeof out), 0);
    assert_int_equal(pos.failed, EIO);
    assert_int_equal(pst_chunks_read(&pos, out, sizeof out), 0);
    const char *piece;
    assert_int_equal(pst_chunks_next(&pos, out, sizeof out, &piece), 0);
    assert_int_equal(pst_chunks_failed(&pos, &f->err), PST_E_IO);
    assert_false(f->err.retriable);
    assert_non_null(strstr(f->err.text, "nothing is lost"));
}

static void files_have_a_ceiling(void **state)
{
    fixture *f = *state;
    static pst_chunks many[PST_SPOOL_FILES_MAX + 1];
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_true(files.rlim_cur > PST_SPOOL_FILES_MAX + 50);
    for (int i = 0; i <= PST_SPOOL_FILES_MAX; i++) {
        assert_int_equal(pst_chunks_add(&many[i], "x", 1), PST_OK);
        pst_err_clear(&f->err);
        pst_rc rc = pst_chunks_spill(&many[i], f->spool, &f->err);
        assert_int_equal(rc, i < PST_SPOOL_FILES_MAX ? PST_OK : PST_E_LIMIT);
    }
    assert_int_equal(many[PST_SPOOL_FILES_MAX].spooled, 0);
    for (int i = 0; i <= PST_SPOOL_FILES_MAX; i++)
        pst_chunks_done(&many[i]);
    add(f, 10);
    pst_err_clear(&f->err);
    assert_int_equal(pst_chunks_spill(&f->chunks, f->spool, &f->err), PST_OK);
}

static void no_memory_in_turn(void **state)
{
    fixture *f = *state;
    add(f, 100000);
    size_t reserved = f->chunks.reserved;
    for (long n = 0;; n++) {
        pst_err err = PST_ERR_INIT;
        pst_spool *spool = NULL;
        pst_fault_set(n);
        pst_rc rc = pst_spool_new(&spool, f->dir, MIB, &err);
        if (rc == PST_OK)
            rc = pst_chunks_spill(&f->chunks, spool, &err);
        pst_fault_set(-1);
        if (rc == PST_OK) {
            assert_range(f, 0, 100000, 65536);
            pst_chunks_done(&f->chunks);
            pst_spool_free(spool);
            assert_true(n >= 3);
            return;
        }
        assert_int_equal(rc, PST_E_NOMEM);
        assert_int_equal(f->chunks.reserved, reserved);
        assert_range(f, 0, 100000, 65536);
        pst_spool_free(spool);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_byte_in_its_place),
        TEST(a_full_spool_keeps_the_rest),
        TEST(a_full_disk_keeps_the_rest),
        TEST(a_folder_that_cannot_be_written_is_told),
        TEST(the_file_is_private_and_a_broken_one_is_told),
        TEST(files_have_a_ceiling),
        TEST(no_memory_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

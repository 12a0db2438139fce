/*
 * test_objects_spool.c - windows that outgrow memory, with a spool in a real folder: what
 * lands, what memory and disk hold meanwhile, and what a spool that is full, broken or
 * gone does to them. Layouts of one object a window and of several.
 */
#include "objects_run.h"

#include "base/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { KIB = 1024, MIB = 1024 * KIB, ROW = 16 * KIB, ROWS = 256, PATHS = 3 };

static char folder[64];
static pst_spool *spool;
static int64_t most_used; /* of the spool */
static atomic_int warnings;
static char warned[500];

static void log_line(void *opaque, pst_log_level level, const char *line)
{
    (void)opaque;
    if (level != PST_LOG_WARN)
        return;
    warnings++;
    snprintf(warned, sizeof warned, "%s", line);
}

/* As the drivers do: what can't be read isn't put. */
static pst_rc reading_put(pst_store *store, const pst_store_put *put, pst_err *err)
{
    char bytes[ROW];
    if (put->chunks) {
        pst_chunks_pos pos = pst_chunks_begin(put->chunks);
        while (pst_chunks_read(&pos, bytes, sizeof bytes) > 0)
            continue;
        pst_rc rc = pst_chunks_failed(&pos, err);
        if (rc != PST_OK)
            return rc;
    }
    return fake_put(store, put, err);
}

static pst_store_driver reading;

static pst_rc encode_routed(void *self, const pst_msg *msg, pst_buf *out,
                            pst_route *route, pst_err *err)
{
    pst_rc rc = encode(self, msg, out, route, err);
    return rc == PST_OK ? pst_buf_addf(&route->path, "n=%d", (int)(msg->offset % PATHS))
                        : rc;
}

/* A life of the process begins. */
static void begin_life(fixture *f)
{
    pst_objects_free(f->objects);
    assert_int_equal(pst_budget_used(&f->budget), 0);
    assert_true(!spool || pst_spool_used(spool) == 0);
    make(f);
}

static void use_spool(fixture *f, int64_t max_bytes)
{
    pst_err err = PST_ERR_INIT;
    pst_spool_free(spool);
    spool = NULL;
    assert_int_equal(pst_spool_new(&spool, folder, max_bytes, &err), PST_OK);
    f->env.spool = spool;
}

static void use_paths(fixture *f)
{
    f->conf.layout = PST_LAYOUT_FIELD;
    f->encoder.routed = true;
    f->encoder.encode = encode_routed;
    begin_life(f);
}

static int begin_test(void **state)
{
    set_up(state);
    fixture *f = *state;
    snprintf(folder, sizeof folder, "/tmp/pst-spool-XXXXXX");
    assert_non_null(mkdtemp(folder));
    warnings = 0;
    most_used = 0;
    reading = fake_driver;
    reading.put = reading_put;
    f->store->base.driver = &reading;
    f->env.log = pst_log_new(log_line, NULL);
    pst_log_use_clock(f->env.log, &f->clock.clock);
    f->conf.rotate_schedule_ms = 3600 * 1000;
    use_spool(f, 64 * MIB);
    begin_life(f);
    return 0;
}

static int end_test(void **state)
{
    fixture *f = *state;
    pst_objects_free(f->objects);
    f->objects = NULL;
    assert_int_equal(pst_spool_used(spool), 0);
    pst_spool_free(spool);
    spool = NULL;
    pst_log_free(f->env.log);
    assert_int_equal(rmdir(folder), 0); /* no name is left in it */
    return tear_down(state);
}

static void row_of(int64_t offset, char out[ROW])
{
    memset(out, 'a' + (int)(offset % 23), ROW - 1);
    int n = snprintf(out, ROW, "row %lld ", (long long)offset);
    out[n] = 'r';
    out[ROW - 1] = '\0';
}

/* Records [from, to), as a task gives them; memory's ceiling holds all the while. */
static pst_rc give_rows(fixture *f, int64_t from, int64_t to, pst_err *err)
{
    static char row[ROW];
    pst_rc rc = PST_OK;
    for (int64_t offset = from; rc == PST_OK && offset < to; offset++) {
        row_of(offset, row);
        pst_item item = {
            .kind = PST_ITEM_RECORD,
            .msg = {.topic = "u", .offset = offset, .value = pst_sv_of(row)}};
        size_t taken = 0;
        for (int turn = 0; rc == PST_OK && !taken; turn++) {
            assert_true(turn < 5000); /* it is uploading */
            rc = pst_objects_put(f->objects, &item, 1, &taken, err);
            if (rc == PST_OK)
                rc = tick(f, err);
            if (!taken)
                usleep(1000);
        }
        assert_true(pst_budget_used(&f->budget) <= f->budget.limit + MIB / 2);
        if (pst_spool_used(spool) > most_used)
            most_used = pst_spool_used(spool);
    }
    return rc;
}

static void put_rows(fixture *f, int64_t from, int64_t to)
{
    pst_err err = PST_ERR_INIT;
    if (give_rows(f, from, to, &err) != PST_OK)
        fail_msg("%s", err.text);
}

static pst_rc land(fixture *f, pst_err *err)
{
    pst_rc rc = PST_OK;
    pst_objects_flush(f->objects, NULL, 0);
    for (int i = 0; rc == PST_OK && !pst_objects_idle(f->objects, NULL, 0); i++) {
        assert_true(i < 5000);
        rc = tick(f, err);
        usleep(1000);
    }
    return rc;
}

static void must_land(fixture *f)
{
    pst_err err = PST_ERR_INIT;
    if (land(f, &err) != PST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(pst_spool_used(spool), 0);
}

/* Every row [0, end) once, in order in its object; how many objects. */
static int assert_rows(fixture *f, int64_t end)
{
    static char want[ROW];
    int objects = 0;
    int64_t rows = 0;
    bool seen[ROWS * 2] = {false};
    assert_true(end <= ROWS * 2);
    for (size_t i = 0; i < f->store->n; i++) {
        const fake_object *o = &f->store->objects[i];
        if (strstr(o->key, "_penstock/"))
            continue;
        objects++;
        int64_t before = -1;
        assert_memory_equal(o->bytes, "head\n", 5);
        assert_int_equal((o->size - 5) % ROW, 0);
        for (const char *at = o->bytes + 5; at < o->bytes + o->size; at += ROW) {
            int64_t offset = strtoll(at + 4, NULL, 10);
            assert_true(offset > before && offset < end && !seen[offset]);
            row_of(offset, want);
            assert_memory_equal(at, want, ROW - 1);
            seen[offset] = true;
            before = offset;
            rows++;
        }
    }
    assert_int_equal(rows, end);
    return objects;
}

/* ---- one object a window ---- */

static void a_window_outgrows_memory(void **state)
{
    fixture *f = *state;
    open_one(f, 0, 0);
    put_rows(f, 0, ROWS);
    assert_true(most_used > ROWS * ROW - f->budget.limit); /* the rest is in memory */
    assert_int_equal(assert_rows(f, 0), 0);                /* one open window */
    must_land(f);
    assert_int_equal(assert_rows(f, ROWS), 1);
    put_rows(f, ROWS, ROWS + 100); /* and the next one */
    must_land(f);
    assert_int_equal(assert_rows(f, ROWS + 100), 2);
    assert_int_equal(warnings, 0);
}

static void without_a_spool_windows_are_closed_early(void **state)
{
    fixture *f = *state;
    f->env.spool = NULL;
    begin_life(f);
    open_one(f, 0, 0);
    put_rows(f, 0, ROWS);
    must_land(f);
    assert_true(assert_rows(f, ROWS) >= 4);
    assert_int_equal(most_used, 0);
}

static void a_full_spool_closes_windows_early(void **state)
{
    fixture *f = *state;
    use_spool(f, MIB);
    begin_life(f);
    open_one(f, 0, 0);
    put_rows(f, 0, ROWS);
    must_land(f);
    int objects = assert_rows(f, ROWS);
    assert_true(objects >= 2 && objects < 16);
    assert_true(most_used > 0 && most_used <= MIB);
    assert_int_equal(warnings, 1); /* within half a minute */
    assert_non_null(strstr(warned, "spool.max.bytes=1048576 are in use"));
    assert_non_null(strstr(warned, "nothing is lost"));
    fake_clock_add(&f->clock, 31000);
    put_rows(f, ROWS, 2 * ROWS);
    must_land(f);
    assert_rows(f, 2 * ROWS);
    assert_int_equal(warnings, 2);
}

/* As a full disk: by the limit on a file's size; the last write is a short one. */
static void a_full_disk_closes_windows_early(void **state)
{
    fixture *f = *state;
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = (struct rlimit){MIB + 100, old.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    open_one(f, 0, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    put_rows(f, 0, ROWS);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    must_land(f);
    assert_true(assert_rows(f, ROWS) >= 2);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(warned, folder));
    fake_clock_add(&f->clock, 31000);
    most_used = 0;
    put_rows(f, ROWS, 2 * ROWS); /* there is room again */
    assert_true(most_used > MIB);
    must_land(f);
    assert_rows(f, 2 * ROWS);
    assert_int_equal(warnings, 1);
}

/* The descriptor of a file in the folder, -1 if none is open. */
static int spool_fd(void)
{
    for (int fd = 3; fd < 256; fd++) {
        char link[64], to[256];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, to, sizeof to - 1);
        if (n > 0 && (to[n] = '\0', strstr(to, folder)))
            return fd;
    }
    return -1;
}

static void what_cannot_be_read_back_fails_and_lands_nothing(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    open_one(f, 0, 0);
    put_rows(f, 0, ROWS);
    assert_true(spool_fd() >= 0);
    assert_int_equal(ftruncate(spool_fd(), 1000), 0);
    pst_rc rc = land(f, &err);
    assert_int_equal(rc, PST_E_IO);
    assert_non_null(strstr(err.text, "spool.dir"));
    assert_int_equal(assert_rows(f, 0), 0);
}

/* A process was killed: what it had spooled goes with it, files of others stay, and the
   records are read again. */
static void after_a_kill_it_begins_anew(void **state)
{
    fixture *f = *state;
    char other[128];
    snprintf(other, sizeof other, "%s/penstock-spool-abcdef", folder);
    int fd = open(other, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "not ours", 8), 8);
    close(fd);
    open_one(f, 0, 0);
    put_rows(f, 0, 200);
    assert_true(spool_fd() >= 0);
    begin_life(f); /* nothing has landed */
    assert_int_equal(spool_fd(), -1);
    assert_int_equal(assert_rows(f, 0), 0);
    open_one(f, 0, 0);
    put_rows(f, 0, ROWS);
    must_land(f);
    assert_int_equal(assert_rows(f, ROWS), 1);
    struct stat st;
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(st.st_size, 8);
    assert_int_equal(unlink(other), 0);
}

/* ---- several objects a window ---- */

static void a_window_of_several_objects_outgrows_memory(void **state)
{
    fixture *f = *state;
    use_paths(f);
    open_one(f, 0, 0);
    put_rows(f, 0, ROWS);
    assert_true(most_used > ROWS * ROW - f->budget.limit);
    must_land(f);
    assert_int_equal(assert_rows(f, ROWS), PATHS); /* one window */
    assert_int_equal(warnings, 0);
}

static void a_full_spool_closes_windows_of_several_objects(void **state)
{
    fixture *f = *state;
    use_spool(f, MIB);
    use_paths(f);
    open_one(f, 0, 0);
    put_rows(f, 0, ROWS);
    must_land(f);
    assert_true(assert_rows(f, ROWS) >= 2 * PATHS);
    assert_int_equal(warnings, 1);
}

/* Its manifest is there, its objects are not: they come together outside of memory, in
   one reading. */
static void an_unfinished_window_is_completed_from_the_spool(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    use_paths(f);
    open_one(f, 0, 0);
    put_rows(f, 0, ROWS);
    fake_break(
        f->store,
        (fake_fault){.op = "put", .on = "n=", .times = 1000, .code = PST_E_INTERNAL});
    assert_int_equal(land(f, &err), PST_E_INTERNAL);
    fake_break(f->store, (fake_fault){0});
    begin_life(f);
    most_used = 0;
    open_one(f, 0, 0);
    int seeks = f->seeks;
    put_rows(f, 0, ROWS);
    must_land(f);
    assert_int_equal(assert_rows(f, ROWS), PATHS);
    assert_int_equal(f->seeks, seeks);
    assert_true(most_used > ROWS * ROW - f->budget.limit);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_window_outgrows_memory),
        CASE(without_a_spool_windows_are_closed_early),
        CASE(a_full_spool_closes_windows_early),
        CASE(a_full_disk_closes_windows_early),
        CASE(what_cannot_be_read_back_fails_and_lands_nothing),
        CASE(after_a_kill_it_begins_anew),
        CASE(a_window_of_several_objects_outgrows_memory),
        CASE(a_full_spool_closes_windows_of_several_objects),
        CASE(an_unfinished_window_is_completed_from_the_spool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_hostile.c - records that are made to cost: a line of 1 GB, a million names, deep
 * nesting, numbers of 10,000 digits. Twice the bytes may cost at most 2.6 times the CPU
 * time (the least of several runs), and memory stays below a multiple of the record.
 */
#include "test_record_common.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ASan keeps freed memory for a while (its quarantine), so there the bound is loose. */
#ifdef __SANITIZE_ADDRESS__
#define LONG_LINE 100000000
#define KEPT ((size_t)256 << 20)
#else
#define LONG_LINE 1000000000
#define KEPT ((size_t)0)
#endif

enum {
    RUNS = 7,
    ATTEMPTS = 5,
    RECORD_MAX = 1 << 30,
    LINE = LONG_LINE,
    CHUNK = 4 << 20,
};

static void open_all(struct pipe *p)
{
    pst_err err = PST_ERR_INIT;
    assert_int_equal(
        pipe_open(p, OPTIONS("value.schema=i INT, s STRING, d DOUBLE, m DECIMAL(10,2)"),
                  &err),
        PST_OK);
}

/* head, units with their number in them where there is a %, tail. */
static pst_sv build(const char *head, const char *unit, const char *tail, size_t count)
{
    size_t step = strlen(unit) + 10, n = strlen(head);
    char *text = malloc(n + count * step + strlen(tail) + 1);
    assert_non_null(text);
    memcpy(text, head, n);
    for (size_t i = 0; i < count; i++)
        for (const char *u = unit; *u; u++)
            if (*u == '%')
                n += (size_t)snprintf(text + n, 10, "%zu", i);
            else
                text[n++] = *u;
    memcpy(text + n, tail, strlen(tail) + 1);
    return (pst_sv){text, n + strlen(tail)};
}

static double cpu_of(struct pipe *p, pst_sv json)
{
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    (void)pipe_line(p, json);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* The least of some runs, with one length and twice that in turn, so that what else the
   machine does meets both. */
static void measure(struct pipe *p, const pst_sv json[2], const char *want,
                    double least[2])
{
    least[0] = least[1] = 1e9;
    for (int run = 0; run < RUNS; run++)
        for (size_t k = 0; k < 2; k++) {
            double took = cpu_of(p, json[k]);
            least[k] = took < least[k] ? took : least[k];
            assert_string_equal(pst_buf_cstr(&p->out), want);
        }
}

/* A busy machine is late now and then; what is not linear is late in each attempt. */
static void twice(const char *head, const char *unit, const char *tail, size_t count,
                  const char *want)
{
    struct pipe p;
    double least[2];
    const pst_sv json[2] = {build(head, unit, tail, count),
                            build(head, unit, tail, count * 2)};
    open_all(&p);
    int attempt = 0;
    do
        measure(&p, json, want, least);
    while (least[1] > least[0] * 2.6 + 1e-4 && ++attempt < ATTEMPTS);
    if (attempt == ATTEMPTS)
        fail_msg("%s: %.6f s, twice as much %.6f s", unit, least[0], least[1]);
    for (size_t k = 0; k < 2; k++)
        free((char *)(uintptr_t)json[k].p);
    pipe_close(&p);
}

static void linear_time(void **state)
{
    (void)state;
    twice("{\"i\":5", ",\"key%\":1", "}", 500000, "5,,,");
    twice("{\"i\":5", ",'key%':nul", "}", 200000, ",,,");
    twice("{\"i\":5,\"u\":", "[", "", 1000000, ",,,");
    twice("{\"i\":5,\"d\":0.", "7", "}", 1000000, ",,,");
    twice("{\"i\":5,\"u\":[0", ",0.12345678901234567890", "]}", 100000, "5,,,");
    twice("{\"i\":5,\"u\":\"", "\xff\xed\xa0\x80", "\"}", 500000, "5,,,");
    twice("{\"i\":5,\"u\":\"", "\\u0000", "\"}", 500000, "5,,,");
    twice("{\"i\":5,\"m\":\"", "1,", "\"}", 500000, "5,,,");
}

/* Jackson's limits: 1,000 levels, 1,000 digits. */
static void limits(void **state)
{
    (void)state;
    struct pipe p;
    static const struct {
        const char *head, *unit, *tail;
        size_t count;
        const char *want;
    } cases[] = {
        {"{\"i\":5,\"u\":", "[", "", 10000, ",,,"},
        {"{\"i\":5,\"u\":", "{\"a\":", "", 10000, ",,,"},
        {"{\"i\":5,\"u\":", "7", "}", 10000, ",,,"},
        {"{\"i\":5,\"d\":", "7", "}", 1000, "5,,Infinity,"},
        {"{\"i\":5,\"d\":", "7", "}", 1001, ",,,"},
        {"{\"i\":5,\"d\":1e", "9", "}", 1001, ",,,"},
    };
    open_all(&p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pst_sv json = build(cases[i].head, cases[i].unit, cases[i].tail, cases[i].count);
        assert_string_equal(pipe_line(&p, json), cases[i].want);
        free((char *)(uintptr_t)json.p);
    }
    pipe_close(&p);
}

static size_t peak_bytes(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss * 1024;
}

/* ---- one line of 1 GB ---- */

/* The same pages of `fill` over and over, so that a line of 1 GB takes 4 MiB; its first
   and last ones are its own. */
static char *map_line(const char *head, char fill, const char *tail, size_t size)
{
    size_t chunks = (size + CHUNK - 1) / CHUNK;
    int fd = memfd_create("line", 0);
    assert_true(fd >= 0 && ftruncate(fd, CHUNK) == 0);
    char *page = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *text = mmap(NULL, chunks * CHUNK, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(page != MAP_FAILED && text != MAP_FAILED);
    memset(page, fill, CHUNK);
    for (size_t i = 0; i < chunks; i++) {
        bool own = i == 0 || i + 2 >= chunks;
        char *at = mmap(text + i * CHUNK, CHUNK, own ? PROT_READ | PROT_WRITE : PROT_READ,
                        MAP_FIXED | (own ? MAP_PRIVATE : MAP_SHARED), fd, 0);
        assert_ptr_equal(at, text + i * CHUNK);
    }
    assert_int_equal(munmap(page, CHUNK), 0);
    assert_int_equal(close(fd), 0);
    memcpy(text, head, strlen(head));
    memcpy(text + size - strlen(tail), tail, strlen(tail));
    return text;
}

typedef struct line {
    const char *head, *tail;
    char fill;
    bool broken;   /* the row is null */
    bool selected; /* s is the fill */
    size_t copies; /* of the line, at most, beside the line itself */
} line;

/* CPU seconds; all of it is read, and s is what it should be. */
static double read_line(struct pipe *p, const line *l, const char *text, size_t size)
{
    struct timespec a, b;
    pst_row row;
    pst_err err = PST_ERR_INIT;
    pst_msg msg = {.topic = "t", .value = {text, size}};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    assert_int_equal(pst_reader_read(p->reader, &msg, &row, &err), PST_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    assert_int_equal(row.cells[0].null, l->broken);
    assert_int_equal(row.cells[1].null, !l->selected);
    if (l->selected) {
        pst_sv s = row.cells[1].as.s;
        assert_int_equal(s.n, size - strlen(l->head) - strlen(l->tail));
        assert_true(s.p[0] == l->fill && s.p[s.n - 1] == l->fill);
    }
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* In a process of its own: a peak is not forgotten. */
static void line_in_child(const line *l)
{
    struct pipe p;
    volatile char sum = 0;
    double half, whole;
    int attempt = 0;
    char *text = map_line(l->head, l->fill, l->tail, LINE);
    char *less = map_line(l->head, l->fill, l->tail, LINE / 2);
    for (size_t i = 0; i < LINE; i += 4096) /* what is there counts as used */
        sum = (char)(sum + text[i] + less[i / 2]);
    open_all(&p);
    size_t before = peak_bytes();
    do {
        half = read_line(&p, l, less, LINE / 2);
        whole = read_line(&p, l, text, LINE);
    } while (whole > half * 2.6 + 1e-2 && ++attempt < ATTEMPTS);
    size_t grown = peak_bytes() - before;
    print_message("%s%c…%s: %d bytes, %.2f s (half of them %.2f s), %zu MiB more\n",
                  l->head, l->fill, l->tail, (int)LINE, whole, half, grown >> 20);
    assert_true(attempt < ATTEMPTS);
    assert_true(grown < l->copies * (size_t)LINE + LINE / 16 + (16 << 20) + KEPT);
    pipe_close(&p);
}

static void a_long_line(void **state)
{
    (void)state;
    static const line lines[] = {
        {"{\"i\":5,\"u\":\"", "\"}", 'x', .copies = 1},
        {"{\"i\":5,\"s\":\"", "\"}", 'x', .selected = true, .copies = 1},
        {"{\"i\":5", "}", ' ', .copies = 1},
        {"{\"i\":5,\"s\":\"", "xx", 'x', .broken = true, .copies = 2},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            line_in_child(&lines[i]);
            _exit(0); /* a failed assertion ends it otherwise */
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

/* More than Kafka can hold is refused before a byte of it is read: the pages are not
   even there. */
static void beyond_the_limit(void **state)
{
    (void)state;
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    size_t size = (size_t)RECORD_MAX + 1;
    void *text =
        mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(text, MAP_FAILED);
    open_all(&p);
    assert_int_equal(pipe_put(&p, (pst_sv){text, size}, &err), PST_E_LIMIT);
    assert_non_null(strstr(err.text, "1073741825"));
    pipe_close(&p);
    assert_int_equal(munmap(text, size), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),
        cmocka_unit_test(linear_time),
        cmocka_unit_test(a_long_line),
        cmocka_unit_test(beyond_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

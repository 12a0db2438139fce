/*
 * test_hostile.c - records that are made to cost: very long ones, a million names, deep
 * nesting, numbers of 10,000 digits. Twice the bytes may cost at most 2.6 times the CPU
 * time (the least of several runs), and memory stays below a multiple of the record.
 */
#include "test_record_common.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

enum { RUNS = 7, ATTEMPTS = 5, RECORD_MAX = 1 << 30 };

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

/* One line of 256 MiB: the scanner's copy, and the row where it is selected. */
static void a_long_line(void **state)
{
    (void)state;
    enum { SIZE = 256 << 20 };
    struct pipe p;
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    memcpy(text, "{\"i\":5,\"u\":\"", 12);
    memcpy(text + SIZE - 2, "\"}", 2);
    open_all(&p);
    size_t before = peak_bytes();
    assert_string_equal(pipe_line(&p, (pst_sv){text, SIZE}), "5,,,");
    assert_true(peak_bytes() - before < (size_t)SIZE + SIZE / 4);
    pipe_close(&p);
    free(text);
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

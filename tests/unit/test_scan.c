/*
 * test_scan.c - the fast scanner answers what the exact reader answers, in every variant,
 * on records that were damaged at random; and hostile records cost linear time.
 */
#include "record/scan.h"

#include "test_record_common.h"

#include <time.h>

#define DDL                                                                              \
    "i INT, l BIGINT, d DOUBLE, f FLOAT, s STRING, t STRING, b BOOLEAN, dec "            \
    "DECIMAL(10,2), "                                                                    \
    "ts TIMESTAMP, dt DATE, ntz TIMESTAMP_NTZ, tiny TINYINT, st STRUCT<a: STRING, n: "   \
    "STRUCT<x: INT, y: STRING>>"
#define SELECT "i, l, d, f, s, b, dec, ts, dt, ntz, tiny, st.a, st.n.x, st.n.y"

typedef struct rig {
    pst_plan *plan;
    pst_context ctx;
    pst_exact exact;
    pst_scan *scan[3];
    pst_cell *fast, *slow;
} rig;

static void open_rig(rig *r)
{
    pst_err err = PST_ERR_INIT;
    pst_reader_conf conf = {.value_schema = (char *)(uintptr_t)DDL,
                            .select = (char *)(uintptr_t)SELECT};
    memset(r, 0, sizeof *r);
    assert_int_equal(pst_plan_new(&r->plan, &conf, &err), PST_OK);
    r->ctx.json = (pst_json_options){.single_quotes = true, .non_numeric = true};
    r->ctx.partial = r->ctx.date_fallback = r->ctx.timestamp_fallback = true;
    assert_int_equal(pst_zone_new(&r->ctx.zone, PST_SV("UTC"), &err), PST_OK);
    pst_arena_init(&r->ctx.arena, 1 << 30);
    pst_buf_init(&r->ctx.copy, 1 << 30);
    assert_int_equal(pst_exact_init(&r->exact, r->plan, 1 << 30, &err), PST_OK);
    for (int level = 0; level < 3; level++)
        assert_int_equal(pst_scan_new(&r->scan[level], r->plan, level, &err), PST_OK);
    r->fast = calloc(r->plan->n_slots, sizeof *r->fast);
    r->slow = calloc(r->plan->n_slots, sizeof *r->slow);
}

static void close_rig(rig *r)
{
    for (int level = 0; level < 3; level++)
        pst_scan_free(r->scan[level]);
    pst_exact_done(&r->exact);
    pst_zone_free(r->ctx.zone);
    pst_arena_done(&r->ctx.arena);
    pst_buf_done(&r->ctx.copy);
    pst_plan_free(r->plan);
    free(r->fast);
    free(r->slow);
}

static bool same_cell(pst_type type, const pst_cell *a, const pst_cell *b)
{
    if (a->null || b->null)
        return a->null == b->null;
    if (type == PST_T_BOOLEAN)
        return a->as.b == b->as.b;
    if (type == PST_T_STRING || type == PST_T_DECIMAL)
        return pst_sv_eq(a->as.s, b->as.s);
    return a->as.i == b->as.i;
}

/* Answers whether the scanner took the record. */
static bool compare(rig *r, pst_sv json)
{
    pst_read fast = PST_READ_NOMEM, slow;
    bool taken = false;
    for (size_t i = 0; i < r->plan->n_slots; i++)
        r->slow[i].null = true;
    pst_arena_reset(&r->ctx.arena);
    slow = pst_exact_read(&r->exact, &r->ctx, r->plan, json, r->slow);
    for (int level = 0; level < 3; level++) {
        taken = pst_scan_read(r->scan[level], &r->ctx, json, r->fast, &fast);
        if (!taken)
            continue;
        bool same = slow != PST_READ_MALFORMED && slow != PST_READ_EMPTY;
        for (size_t i = 0; i < r->plan->n_outputs; i++)
            same = same &&
                   same_cell(r->plan->columns[i].type, &r->fast[r->plan->outputs[i].slot],
                             &r->slow[r->plan->outputs[i].slot]);
        if (!same)
            fail_msg("variant %d: %.*s", level, PST_SV_FMT(json));
    }
    return taken;
}

static const char *const RECORDS[] = {
    "{\"i\":1,\"l\":-2,\"d\":3.5,\"f\":0.1,\"s\":\"text\",\"b\":true,\"dec\":1.005,"
    "\"ts\":\"2021-07-14T02:15:05.5Z\",\"dt\":\"2021-07-14\",\"ntz\":\"2021-07-14T02:15:"
    "05\","
    "\"tiny\":200,\"st\":{\"a\":\"A\",\"n\":{\"x\":7,\"y\":\"Y\"}}}",
    "{ \"s\" : \"caf\\u00e9 \\ud83d\\ude00 \\n \\\\ \\\" end\", \"unknown\" : [1, "
    "{\"a\": [\"x\", "
    "{}, []], \"b\": null}, \"\\u0041\"], \"st\" : {\"n\": {\"y\": \"\xd0\x96\"}, \"z\": "
    "-0.5e+3} "
    "}",
    "{\"d\":-0,\"f\":-0.0,\"l\":9223372036854775807,\"i\":2147483648,\"s\":12.50,\"dec\":"
    "\"1,5\","
    "\"st\":null,\"st\":{\"a\":5},\"b\":\"true\",\"tiny\":{\"x\":1},\"ts\":1626228905}",
    "{\"s\":\"0123456789012345678901234567890123456789012345678901234567890123\\t\","
    "\"d\":1e400,"
    "\"l\":123456789012345678901234567890,\"st\":[{\"a\":1}],\"i\":-0,\"s\":null,\"t\":{}"
    "}",
};

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Removes, replaces, inserts or cuts at random places. */
static size_t damage(char *to, const char *from, uint64_t *seed)
{
    static const char bytes[] =
        "{}[]\",:\\/ \t\n0123456789-+.eEtfnula'x\x01\x7f\x80\xc3\xa9\xff";
    size_t n = strlen(from);
    memcpy(to, from, n);
    for (uint64_t k = next(seed) % 3; k > 0 && n; k--) {
        size_t at = next(seed) % n;
        char c = bytes[next(seed) % sizeof bytes];
        switch (next(seed) % 8) {
        case 0:
        case 1:
            memmove(to + at, to + at + 1, --n - at);
            break;
        case 2:
        case 3:
        case 4:
            to[at] = c;
            break;
        case 5:
        case 6:
            memmove(to + at + 1, to + at, n++ - at);
            to[at] = c;
            break;
        default:
            n = at;
        }
    }
    return n;
}

static void same_as_exact(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    uint64_t seed = 88172645463325252u;
    char text[1024];
    size_t taken = 0;
    for (size_t i = 0; i < sizeof RECORDS / sizeof *RECORDS; i++)
        assert_true(compare(&r, pst_sv_of(RECORDS[i])));
    for (int i = 0; i < 60000; i++) {
        size_t n = damage(text, RECORDS[next(&seed) % 4], &seed);
        char *exactly = malloc(n ? n : 1); /* so that ASan sees a read beyond the end */
        memcpy(exactly, text, n);
        taken += compare(&r, (pst_sv){exactly, n});
        free(exactly);
    }
    assert_true(taken > 15000);
    close_rig(&r);
}

static void cut_and_broken_at_each_byte(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    for (size_t i = 0; i < sizeof RECORDS / sizeof *RECORDS; i++) {
        size_t n = strlen(RECORDS[i]);
        char *text = malloc(n + 4);
        for (size_t at = 0; at <= n; at++) {
            (void)compare(&r, (pst_sv){RECORDS[i], at});
            static const char *const bad[] = {"\xff", "\xc0\xaf", "\xe2\x82",
                                              "\xed\xa0\x80", "\0"};
            for (size_t b = 0; b < 5; b++) {
                size_t len = b == 4 ? 1 : strlen(bad[b]);
                memcpy(text, RECORDS[i], at);
                memcpy(text + at, bad[b], len);
                memcpy(text + at + len, RECORDS[i] + at, n - at);
                (void)compare(&r, (pst_sv){text, n + len});
            }
        }
        free(text);
    }
    close_rig(&r);
}

static double seconds_for(struct pipe *p, pst_sv json)
{
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    (void)pipe_line(p, json);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* head + unit * n + tail, at two sizes: eight times the bytes may cost at most 40 times
   the time (a square would cost 64, and the small one is short enough to be noisy). */
static void linear(const char *head, const char *unit, const char *tail, const char *want)
{
    struct pipe p;
    pst_err err = PST_ERR_INIT;
    double took[2];
    assert_int_equal(
        pipe_open(&p, OPTIONS("value.schema=" DDL, "select=i, s, st.a"), &err), PST_OK);
    for (int k = 0; k < 2; k++) {
        size_t count = k ? 160000 : 20000, n = strlen(head), step = strlen(unit);
        char *text = malloc(n + count * step + strlen(tail) + 1);
        memcpy(text, head, n);
        for (size_t i = 0; i < count; i++, n += step)
            memcpy(text + n, unit, step);
        memcpy(text + n, tail, strlen(tail));
        n += strlen(tail);
        took[k] = seconds_for(&p, (pst_sv){text, n});
        if (want)
            assert_string_equal(pst_buf_cstr(&p.out), want);
        free(text);
    }
    assert_true(took[1] < took[0] * 40 + 0.05);
    pipe_close(&p);
}

static void hostile_records(void **state)
{
    (void)state;
    linear("{\"i\":5,\"u\":", "[", "", ",,");
    linear("{\"i\":5,\"u\":", "{\"a\":", "", ",,");
    linear("{\"i\":5,\"u\":\"", "\\u00e9", "\"}", "5,,");
    linear("{\"i\":5,\"u\":\"", "\xff", "\"}", "5,,");
    linear("{\"i\":5", ",\"unknown key\":1", "}", "5,,");
    linear("{\"i\":5", ",\"i\":6", "}", "6,,");
    linear("{\"i\":5", ",\"st\":{\"a\":\"x\"}", "}", "5,,x");
    linear("{\"i\":5,\"u\":1", "7", "}", ",,");
    linear("{\"i\":5,\"u\":0.", "7", "}", ",,");
    linear("{\"i\":5,\"u\":[0", ",1", "]}", "5,,");
    linear("{\"i\":5,\"s\":[0", ",{\"a\":\"\\u0001\"}", "]}", NULL);
    linear("{\"i\":5,\"s\":\"", "\\ud83d", "\"}", NULL);
    linear("", " ", "{\"i\":5}", "5,,");
    linear("", "\x01", "{\"i\":5}", ",,");
    linear("{'i':5,\"u\":", "[", "", ",,");
    linear("{'i':5", ",'k':nul", "}", ",,");
    linear("{\"i\":5,\"", "k", "\":1}", "5,,");
    linear("{\"ts\":\"2021-01-01T00:00:00 ", "A", "\",\"i\":5}", "5,,");
    linear("{\"dec\":\"", "1,", "\",\"i\":5}", "5,,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_exact),
        cmocka_unit_test(cut_and_broken_at_each_byte),
        cmocka_unit_test(hostile_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

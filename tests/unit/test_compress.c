/*
 * test_compress.c - gzip and zstd: the file holds the bytes, is the same however they lay
 * in memory, takes no more memory than was said, gives its input back, and survives an
 * allocator that refuses.
 */
#include "mem_fault.c" // NOLINT(bugprone-suspicious-include)

#include "format/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

static const pst_compression *const both[] = {&pst_compression_gzip,
                                              &pst_compression_zstd};

enum { BIG = 1024 * 1024 + 777 };

/* Rows of numbers: what is compressed here, with some that repeats and some that not. */
static char *make_rows(size_t n)
{
    char *rows = pst_malloc(n + 64);
    uint64_t x = 88172645463325252u;
    for (size_t at = 0; at < n;) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        at += (size_t)snprintf(rows + at, 64, "%u,name %u,Istanbul,%u\n",
                               (unsigned)(at / 20), (unsigned)(x % 1000),
                               (unsigned)(x >> 40));
    }
    return rows;
}

static char *make_noise(size_t n)
{
    char *noise = pst_malloc(n);
    uint64_t x = 7;
    for (size_t i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        noise[i] = (char)(x >> 56);
    }
    return noise;
}

static void fill(pst_chunks *chunks, const char *bytes, size_t n, size_t piece)
{
    pst_chunks_init(chunks);
    for (size_t at = 0; at < n; at += piece)
        assert_int_equal(
            pst_chunks_add(chunks, bytes + at, n - at < piece ? n - at : piece), PST_OK);
}

/* A list of blocks of one size, as no pst_chunks_add() makes it. */
static void fill_blocks(pst_chunks *chunks, const char *bytes, size_t n, size_t block)
{
    pst_chunks_init(chunks);
    for (size_t at = 0; at < n; at += block) {
        size_t len = n - at < block ? n - at : block;
        pst_chunk *chunk = pst_malloc(sizeof *chunk + len);
        *chunk = (pst_chunk){.len = len, .cap = len};
        memcpy(chunk->data, bytes + at, len);
        *(chunks->tail ? &chunks->tail->next : &chunks->head) = chunk;
        chunks->tail = chunk;
        chunks->len += len;
        chunks->reserved += sizeof *chunk + len;
    }
}

static char *flat(const pst_chunks *chunks)
{
    char *out = pst_malloc(chunks->len + 1);
    pst_chunks_pos pos = pst_chunks_begin(chunks);
    assert_int_equal(pst_chunks_read(&pos, out, chunks->len), chunks->len);
    return out;
}

/* One member or frame, and nothing behind it. */
static size_t unpack(const pst_compression *method, const char *in, size_t n, char *out,
                     size_t size)
{
    if (method == &pst_compression_zstd) {
        size_t got = ZSTD_decompress(out, size, in, n);
        assert_false(ZSTD_isError(got));
        return got;
    }
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)in,
                       .avail_in = (uInt)n,
                       .next_out = (Bytef *)out,
                       .avail_out = (uInt)size};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    inflateEnd(&stream);
    return stream.total_out;
}

static void check(const pst_compression *method, int level, const char *bytes, size_t n)
{
    pst_chunks chunks;
    pst_err err = PST_ERR_INIT;
    fill(&chunks, bytes, n, 70000);
    assert_int_equal(pst_compress_chunks(method, level, &chunks, NULL, NULL, &err),
                     PST_OK);
    char *packed = flat(&chunks), *again = pst_malloc(n + 1);
    assert_int_equal(unpack(method, packed, chunks.len, again, n + 1), n);
    assert_memory_equal(again, bytes, n);
    if (n)
        assert_true(chunks.len > method->empty.n);
    pst_free(again);
    pst_free(packed);
    pst_chunks_done(&chunks);
}

static void bytes_come_back_at_every_level(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 100, 65535, 65536, 65537, 200000};
    char *rows = make_rows(200000), *noise = make_noise(200000);
    for (size_t m = 0; m < 2; m++)
        for (int level = 1; level <= both[m]->level_max; level++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                check(both[m], level, rows, sizes[i]);
                check(both[m], level, noise, sizes[i]);
            }
    pst_free(rows);
    pst_free(noise);
}

static void an_empty_window_is_the_empty_file(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        char out[1];
        pst_chunks chunks;
        pst_err err = PST_ERR_INIT;
        pst_chunks_init(&chunks);
        assert_int_equal(pst_compress_chunks(both[m], both[m]->level_default, &chunks,
                                             NULL, NULL, &err),
                         PST_OK);
        assert_int_equal(chunks.len, both[m]->empty.n);
        char *packed = flat(&chunks);
        assert_memory_equal(packed, both[m]->empty.p, chunks.len);
        assert_int_equal(unpack(both[m], packed, chunks.len, out, 1), 0);
        pst_free(packed);
        pst_chunks_done(&chunks);
    }
    assert_int_equal(pst_compress_empty(".csv").n, 0);
    assert_ptr_equal(pst_compress_empty(".csv.gz").p, pst_compression_gzip.empty.p);
    assert_ptr_equal(pst_compress_empty(".jsonl.zst").p, pst_compression_zstd.empty.p);
}

static void the_same_bytes_whatever_the_blocks(void **state)
{
    (void)state;
    static const size_t blocks[] = {1000, 4096, 65535, 65536, 100003, BIG};
    char *rows = make_rows(BIG);
    for (size_t m = 0; m < 2; m++)
        for (int level = 1; level <= 9; level += 4) {
            char *first = NULL;
            size_t n_first = 0;
            for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
                pst_chunks chunks;
                pst_err err = PST_ERR_INIT;
                fill_blocks(&chunks, rows, BIG, blocks[i]);
                assert_int_equal(
                    pst_compress_chunks(both[m], level, &chunks, NULL, NULL, &err),
                    PST_OK);
                char *packed = flat(&chunks);
                if (first) {
                    assert_int_equal(chunks.len, n_first);
                    assert_memory_equal(packed, first, n_first);
                    pst_free(packed);
                } else {
                    first = packed;
                    n_first = chunks.len;
                }
                pst_chunks_done(&chunks);
            }
            pst_free(first);
        }
    pst_free(rows);
}

static void the_gzip_header_tells_nothing(void **state)
{
    (void)state;
    pst_chunks chunks;
    pst_err err = PST_ERR_INIT;
    fill(&chunks, "a,b\n", 4, 4);
    assert_int_equal(
        pst_compress_chunks(&pst_compression_gzip, 6, &chunks, NULL, NULL, &err), PST_OK);
    char *packed = flat(&chunks);
    assert_memory_equal(packed, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    pst_free(packed);
    pst_chunks_done(&chunks);
}

/* ---- memory ---- */

typedef struct held {
    int64_t now, most;
} held;

static bool watch(void *opaque, int64_t more, pst_chunks *out)
{
    (void)out;
    held *h = opaque;
    h->now += more;
    if (h->now > h->most)
        h->most = h->now;
    return true;
}

static void input_is_given_back_on_the_way(void **state)
{
    (void)state;
    char *rows = make_rows(BIG), *noise = make_noise(BIG);
    for (size_t m = 0; m < 2; m++)
        for (int noisy = 0; noisy < 2; noisy++) {
            pst_chunks chunks;
            pst_err err = PST_ERR_INIT;
            fill(&chunks, noisy ? noise : rows, BIG, 5000);
            int64_t before = (int64_t)chunks.reserved;
            held h = {before, before};
            assert_int_equal(pst_compress_chunks(both[m], both[m]->level_default, &chunks,
                                                 watch, &h, &err),
                             PST_OK);
            assert_int_equal(h.now, chunks.reserved);
            /* a block that is half read, and a block that is half written */
            assert_true(h.most <= before + 2 * PST_CHUNK_MAX);
            if (!noisy)
                assert_true(h.now < before / 2);
            pst_chunks_done(&chunks);
        }
    pst_free(rows);
    pst_free(noise);
}

static void a_compressor_takes_what_it_says(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1000, 300000, BIG, (uint64_t)1 << 30};
    for (size_t m = 0; m < 2; m++)
        for (int level = 1; level <= both[m]->level_max; level++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                size_t said = both[m]->memory(level, sizes[i]);
                assert_in_range(said, 1, 12 * 1024 * 1024);
                pst_compressor *c;
                pst_err err = PST_ERR_INIT;
                bool done = false;
                char out[4096];
                long before = pst_fault_live_bytes();
                assert_int_equal(both[m]->open(&c, level, sizes[i], &err), PST_OK);
                pst_compress_io io = {"x", sizes[i] ? 1 : 0, out, sizeof out};
                assert_int_equal(both[m]->step(c, &io, false, &done, &err), PST_OK);
                size_t taken = (size_t)(pst_fault_live_bytes() - before);
                if (taken > said)
                    fail_msg("%s %d: %zu bytes, said %zu", both[m]->name, level, taken,
                             said);
                both[m]->close(c);
            }
}

static void refused_memory_is_told(void **state)
{
    (void)state;
    char *rows = make_rows(300000);
    for (size_t m = 0; m < 2; m++)
        for (long n = 0;; n++) {
            pst_chunks chunks;
            pst_err err = PST_ERR_INIT;
            long live = pst_fault_live();
            fill(&chunks, rows, 300000, 4000);
            held h = {(int64_t)chunks.reserved, 0};
            pst_fault_set(n);
            pst_rc rc = pst_compress_chunks(both[m], 6, &chunks, watch, &h, &err);
            pst_fault_set(-1);
            assert_int_equal(h.now, chunks.reserved);
            pst_chunks_done(&chunks);
            assert_int_equal(pst_fault_live(), live);
            if (rc == PST_OK) {
                assert_true(n > 3);
                break;
            }
            assert_int_equal(rc, PST_E_NOMEM);
            assert_int_equal(err.code, PST_E_NOMEM);
        }
    pst_free(rows);
}

static bool stop_at_once(void *opaque, int64_t more, pst_chunks *out)
{
    (void)out;
    *(int64_t *)opaque += more;
    return false;
}

static void a_stop_ends_it(void **state)
{
    (void)state;
    char *rows = make_rows(300000);
    pst_chunks chunks;
    pst_err err = PST_ERR_INIT;
    fill(&chunks, rows, 300000, 4000);
    int64_t counted = (int64_t)chunks.reserved;
    assert_int_equal(pst_compress_chunks(&pst_compression_zstd, 3, &chunks, stop_at_once,
                                         &counted, &err),
                     PST_E_STOPPED);
    assert_int_equal(counted, chunks.reserved);
    pst_chunks_done(&chunks);
    pst_free(rows);
}

/* ---- settings ---- */

static const pst_conf_part parts[] = {{&pst_compress_section, 0}};

static void check_settings(const void *conf, const pst_props *props,
                           pst_conf_report *report)
{
    pst_compress_conf_check(conf, props, report);
}

static const pst_conf_spec spec = {.name = "test",
                                   .parts = parts,
                                   .n_parts = 1,
                                   .size = sizeof(pst_compress_conf),
                                   .check = check_settings};

/* The report's first text, or NULL. */
static void try_settings(const char *type, const char *level, const char *text,
                         bool warning)
{
    pst_props props;
    pst_conf_report report;
    pst_compress_conf conf = {0};
    pst_props_init(&props);
    pst_conf_report_init(&report);
    assert_int_equal(
        pst_props_set(&props, "s3.compression.type", type, "(test)", &report), PST_OK);
    if (level)
        assert_int_equal(
            pst_props_set(&props, "s3.compression.level", level, "(test)", &report),
            PST_OK);
    pst_rc rc = pst_conf_apply(&spec, &props, &conf, &report);
    assert_int_equal(rc, text && !warning ? PST_E_CONFIG : PST_OK);
    assert_int_equal(report.n, text != NULL);
    if (text) {
        assert_non_null(strstr(report.items[0].text, text));
        assert_int_equal(report.items[0].warning, warning);
    }
    pst_conf_done(&spec, &conf);
    pst_conf_report_done(&report);
    pst_props_done(&props);
}

static void levels_are_checked(void **state)
{
    (void)state;
    try_settings("none", NULL, NULL, false);
    try_settings("gzip", NULL, NULL, false);
    try_settings("gzip", "-1", NULL, false);
    try_settings("gzip", "9", NULL, false);
    try_settings("ZSTD", "22", NULL, false);
    try_settings("gzip", "10", "10: gzip has levels 1 to 9", false);
    try_settings("gzip", "0", "0: gzip has levels 1 to 9", false);
    try_settings("zstd", "0", "0: zstd has levels 1 to 22", false);
    try_settings("zstd", "23", "23", false);
    try_settings("none", "3", "no effect", true);
    pst_compress_conf conf = {.type = 1, .level = -1};
    assert_ptr_equal(pst_compress_method(&conf), &pst_compression_gzip);
    assert_int_equal(pst_compress_level(&conf), 6);
    conf = (pst_compress_conf){.type = 2, .level = 19};
    assert_ptr_equal(pst_compress_method(&conf), &pst_compression_zstd);
    assert_int_equal(pst_compress_level(&conf), 19);
    conf = (pst_compress_conf){.type = 0, .level = -1};
    assert_null(pst_compress_method(&conf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back_at_every_level),
        cmocka_unit_test(an_empty_window_is_the_empty_file),
        cmocka_unit_test(the_same_bytes_whatever_the_blocks),
        cmocka_unit_test(the_gzip_header_tells_nothing),
        cmocka_unit_test(input_is_given_back_on_the_way),
        cmocka_unit_test(a_compressor_takes_what_it_says),
        cmocka_unit_test(refused_memory_is_told),
        cmocka_unit_test(a_stop_ends_it),
        cmocka_unit_test(levels_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

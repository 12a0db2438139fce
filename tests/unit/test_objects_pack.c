/*
 * test_objects_pack.c - closed windows are compressed once, whatever becomes of their
 * objects, within the memory that there is.
 */
#include "objects_run.h"

static void compress_with(fixture *f, const pst_compression *method)
{
    pst_objects_free(f->objects);
    f->encoder.compression = method;
    f->encoder.compression_level = method->level_default;
    f->encoder.extension = method == &pst_compression_gzip ? ".csv.gz" : ".csv.zst";
    make(f);
}

/* By the method itself: what an object of this text is. */
static void assert_packed(fixture *f, int64_t start, const char *text)
{
    const pst_compression *method = f->encoder.compression;
    char key[128], bytes[256];
    pst_chunks chunks;
    pst_err err = PST_ERR_INIT;
    snprintf(key, sizeof key, "t/u/partition=0/u+0+%020lld%s", (long long)start,
             f->encoder.extension);
    const fake_object *o = fake_find(f->store, key);
    assert_non_null(o);
    pst_chunks_init(&chunks);
    assert_int_equal(pst_chunks_add(&chunks, text, strlen(text)), PST_OK);
    assert_int_equal(
        pst_compress_chunks(method, method->level_default, &chunks, NULL, NULL, &err),
        PST_OK);
    pst_chunks_pos pos = pst_chunks_begin(&chunks);
    assert_int_equal(o->size, pst_chunks_read(&pos, bytes, sizeof bytes));
    assert_memory_equal(o->bytes, bytes, o->size);
    pst_chunks_done(&chunks);
}

/* Once, before the first try, whatever becomes of it; flush.bytes does not see it. */
static void compressed_once(fixture *f, const pst_compression *method)
{
    char text[512] = "head\n", value[90];
    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    f->conf.flush_bytes = 200;
    f->budget.limit = 32 << 20;
    compress_with(f, method);
    open_one(f, 0, 0);
    fake_break(
        f->store,
        (fake_fault){.op = "put", .times = 3, .code = PST_E_IO, .retriable = true});
    for (int i = 0; i < 3; i++) {
        put(f, i, value);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s\n", value);
    }
    for (int turn = 0; turn < 20; turn++) {
        settle(f);
        fake_clock_add(&f->clock, 500);
    }
    assert_packed(f, 0, text);
    assert_due(f, 3);
}

static void windows_are_compressed_once_by_gzip(void **state)
{
    compressed_once(*state, &pst_compression_gzip);
}

static void windows_are_compressed_once_by_zstd(void **state)
{
    compressed_once(*state, &pst_compression_zstd);
}

static void a_compressor_must_fit_the_memory(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_objects *none = NULL;
    f->encoder.compression = &pst_compression_zstd;
    f->encoder.compression_level = 22;
    pst_objects_options options = {.conf = &f->conf,
                                   .connector = &f->connector,
                                   .env = &f->env,
                                   .store = &f->store->base,
                                   .encoder = &f->encoder};
    assert_int_equal(pst_objects_new(&none, &options, &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "s3.compression.type=zstd at level 22 needs "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(windows_are_compressed_once_by_gzip),
        TEST(windows_are_compressed_once_by_zstd),
        TEST(a_compressor_must_fit_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

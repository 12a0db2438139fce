/*
 * test_s3csv_nomem.c - every allocation fails once, in turn, over a whole life of
 * S3CsvSink with a directory as its store: reader, writer, chain, link files. The files
 * that are there at the end are those of a run without faults, also where bad records are
 * skipped: memory that runs out must not pass for a bad record.
 */
#include "mem_fault.c"

#include "sink_run.h"

#include "connectors/s3csv/s3csv.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

enum { LONG_CHARS = 20000 };

static char long_value[6 * LONG_CHARS + 100], long_row[LONG_CHARS + 100];

#define ROW_1 "1,\"a,\\\"b\\\"\",2024-02-29T12:00:00.000Z,1.50,K\n"

static run_record records[] = {
    {0, "{\"id\":0,\"s\":\"plain\"}", "0,plain,,,\n"},
    {1,
     "{\"id\":1,\"s\":\"a,\\\"b\\\"\",\"t\":\"2024-02-29T15:00:00+03:00\",\"m\":1.5,"
     "\"x\":"
     "{\"y\":\"k\"}}",
     ROW_1},
    {2, "{\"id\":2,\"m\":\"12345678.999\"}", "2,,,12345679.00,\n"},
    {3, long_value, long_row}, /* needs more scratch than a block has */
    {5, "{\"id\":5,\"s\":\"\\u0130\\ud83d\\ude00\"}", "5,\xc4\xb0\xf0\x9f\x98\x80,,,\n"},
    {6, "{\"id\":", ",,,,\n"}, /* bad: a row of nulls, or skipped */
    {7, "{\"id\":7,\"x\":{\"y\":\"\xc3\xa9\"}}", "7,,,,\xc3\x89\n"},
    {8, NULL, ",,,,\n"},
    {9, "{\"id\":9}", "9,,,,\n"},
};
enum { BAD = 5 };

typedef struct fixture {
    run_world world;
    pst_s3csv_conf conf;
    char root[64], url[80], extension[PST_EXTENSION_MAX + 1];
    char *texts[64]; /* of the objects looked at last */
    size_t n_texts;
} fixture;

/* ---- settings ---- */

static void apply(fixture *f, const char *more)
{
    char text[1024];
    pst_props props;
    pst_conf_report report;
    int n = snprintf(text, sizeof text,
                     "name=a\nconnector.class=S3CsvSink\ntopics=u\nstore.url=%s\ntopics."
                     "dir=t\nflush.size=3\n"
                     "rotate.schedule.interval.ms=3000\ncsv.header=true\n"
                     "value.schema=id BIGINT, s STRING, t TIMESTAMP, m DECIMAL(10,2), x "
                     "STRUCT<y: STRING>\nselect=id, s, t, m, UPPER(x.y) AS y\n"
                     "chain.take.over.from=old\n%s",
                     f->url, more);
    pst_props_init(&props);
    pst_conf_report_init(&report);
    pst_rc rc = pst_props_parse(&props, (pst_sv){text, (size_t)n}, "test", &report);
    if (rc == PST_OK)
        rc = pst_conf_apply(&pst_s3csv_spec, &props, &f->conf, &report);
    for (size_t i = 0; i < report.n; i++)
        print_error("%s: %s\n", report.items[i].key, report.items[i].text);
    assert_int_equal(rc, PST_OK);
    pst_conf_report_done(&report);
    pst_props_done(&props);
}

/* ---- the folder ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void forget_texts(fixture *f)
{
    while (f->n_texts)
        free(f->texts[--f->n_texts]);
}

/* Replaces a compressed file's bytes by what they hold. */
static size_t unpack(const char *path, char **bytes, size_t n)
{
    const char *end = strrchr(path, '.');
    bool gzip = strcmp(end, ".gz") == 0;
    if (!gzip && strcmp(end, ".zst") != 0)
        return n;
    char *out = malloc(RUN_TEXT);
    size_t got;
    if (gzip) {
        z_stream stream = {.next_in = (Bytef *)*bytes,
                           .avail_in = (uInt)n,
                           .next_out = (Bytef *)out,
                           .avail_out = RUN_TEXT};
        assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
        assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
        got = stream.total_out;
        inflateEnd(&stream);
    } else {
        got = ZSTD_decompress(out, RUN_TEXT, *bytes, n);
        assert_false(ZSTD_isError(got));
    }
    free(*bytes);
    *bytes = out;
    return got;
}

static size_t slurp(const char *path, char **out)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *out = malloc((size_t)st.st_size + 1);
    assert_int_equal(read(fd, *out, (size_t)st.st_size), st.st_size);
    close(fd);
    return unpack(path, out, (size_t)st.st_size);
}

static int is_object(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static size_t objects(run_world *world, int32_t partition, run_object *out, size_t max)
{
    fixture *f = world->self;
    struct dirent **names;
    char folder[128], path[512];
    snprintf(folder, sizeof folder, "%s/t/u/partition=%d", f->root, partition);
    forget_texts(f);
    int n = scandir(folder, &names, is_object, alphasort);
    for (int i = 0; i < n; i++) {
        assert_true((size_t)i < max);
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        out[i].start = strtoll(strrchr(names[i]->d_name, '+') + 1, NULL, 10);
        out[i].n = slurp(path, &f->texts[f->n_texts]);
        out[i].bytes = f->texts[f->n_texts++];
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return n < 0 ? 0 : (size_t)n;
}

/* ---- the sink ---- */

static pst_rc start(run_world *world, pst_sink **out, pst_err *err)
{
    fixture *f = world->self;
    return pst_s3csv.sink->start(out, &f->conf, &world->env, &world->host, err);
}

/* By the store itself: a link file belongs to an object. */
static void rival(run_world *world, int32_t partition, const run_record *given, size_t n,
                  int64_t next, pst_last last)
{
    fixture *f = world->self;
    char key[128], link[128], text[512];
    pst_store_meta meta;
    pst_chunks packed;
    const pst_compression *method = pst_compress_method(&f->conf.compress);
    pst_store *store;
    pst_err err = PST_ERR_INIT;
    size_t len = run_rival_text(world, given, n, text, sizeof text);
    run_rival_meta(&meta, partition, next, last);
    snprintf(key, sizeof key, "t/u/partition=%d/u+%d+%020d%s", partition, partition, 0,
             world->extension);
    pst_chunks_init(&packed);
    assert_int_equal(pst_chunks_add(&packed, text, len), PST_OK);
    if (method)
        assert_int_equal(pst_compress_chunks(method, 1, &packed, NULL, NULL, &err),
                         PST_OK);
    pst_chunks_pos pos = pst_chunks_begin(&packed);
    len = pst_chunks_read(&pos, text, sizeof text);
    pst_chunks_done(&packed);
    snprintf(link, sizeof link, "t/_penstock/u/%d/%020d", partition, 0);
    pst_store_put put = {.key = key,
                         .link = link,
                         .bytes = {text, len},
                         .crc32c = pst_crc32c(0, text, len),
                         .meta = &meta,
                         .create_only = true};
    assert_int_equal(
        pst_store_open(&store, &f->conf.store, &world->clock, NULL, NULL, &err), PST_OK);
    assert_int_equal(store->driver->put(store, &put, &err), PST_OK);
    pst_store_close(store);
}

/* ---- scenarios ---- */

static fixture *make(const char *settings)
{
    fixture *f = calloc(1, sizeof *f);
    bool shm = access("/dev/shm", W_OK) == 0; /* its fsync() costs nothing */
    snprintf(f->root, sizeof f->root, "%s/pst-test-s3csv-XXXXXX",
             shm ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(f->root));
    snprintf(f->url, sizeof f->url, "file://%s", f->root);
    apply(f, settings);
    f->world = (run_world){.records = records,
                           .n_records = sizeof records / sizeof *records,
                           .end = 12,
                           .start = start,
                           .rival = rival,
                           .objects = objects,
                           .header = "id,s,t,m,y\n",
                           .ops = pst_s3csv.sink,
                           .self = f};
    pst_s3csv_extension(&f->conf, f->extension);
    f->world.extension = f->extension;
    run_world_init(&f->world);
    if (f->conf.compress.type)
        f->world.budget.limit = 16 << 20; /* a compressor must fit */
    return f;
}

static void finish(fixture *f)
{
    run_world_done(&f->world);
    pst_conf_done(&pst_s3csv_spec, &f->conf);
    assert_int_equal(pst_fault_live(), 0);
    forget_texts(f);
    assert_int_equal(nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(f);
}

typedef struct plan {
    const char *settings;
    bool all; /* all allocations after it fail too, until the sink has failed */
} plan;

/* jansson takes some failures of its own for bad text: then the chain says so. */
static bool one_allocation(long nth, void *arg)
{
    const plan *p = arg;
    fixture *f = make(p->settings);
    if (p->all)
        pst_fault_set(nth);
    else
        pst_fault_once(nth);
    run_to_the_end(&f->world, PST_E_CHAIN);
    bool hit = f->world.hits > 0;
    finish(f);
    return hit;
}

static void without_faults(void **state)
{
    (void)state;
    fixture *f = make("");
    run_to_the_end(&f->world, PST_OK);
    assert_int_equal(f->world.restarts, 0);
    finish(f);
}

static void every_allocation(void **state)
{
    (void)state;
    plan p = {"", false};
    assert_in_range(run_sweep(one_allocation, &p), 50, 5000);
}

static void every_allocation_and_those_after(void **state)
{
    (void)state;
    plan p = {"", true};
    assert_in_range(run_sweep(one_allocation, &p), 50, 5000);
}

/* A bad record has no row; every other one has. */
static void no_record_is_skipped_for_memory(void **state)
{
    (void)state;
    plan p = {"json.mode=FAILFAST\nerrors.tolerance=all\n", false};
    const char *row = records[BAD].row;
    records[BAD].row = NULL;
    long n = run_sweep(one_allocation, &p);
    p.all = true;
    n += run_sweep(one_allocation, &p);
    records[BAD].row = row;
    assert_in_range(n, 100, 10000);
}

static void every_allocation_of_a_compressor(void **state)
{
    (void)state;
    plan p = {"s3.compression.type=gzip\n", false};
    assert_in_range(run_sweep(one_allocation, &p), 50, 5000);
    p.settings = "s3.compression.type=zstd\n";
    assert_in_range(run_sweep(one_allocation, &p), 50, 5000);
}

static void make_long_record(void)
{
    char *value = long_value, *row = long_row;
    value += sprintf(value, "{\"id\":3,\"s\":\"");
    row += sprintf(row, "3,");
    for (int i = 0; i < LONG_CHARS; i++) {
        value += sprintf(value, "\\u0061");
        *row++ = 'a';
    }
    (void)sprintf(value, "\"}");
    (void)sprintf(row, ",,,\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults),
        cmocka_unit_test(every_allocation),
        cmocka_unit_test(every_allocation_and_those_after),
        cmocka_unit_test(every_allocation_of_a_compressor),
        cmocka_unit_test(no_record_is_skipped_for_memory),
    };
    make_long_record();
    json_set_alloc_funcs(pst_malloc, pst_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

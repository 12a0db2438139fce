/*
 * bench_encode.c - nanoseconds a record costs from JSON bytes to CSV bytes, beside a
 * floor that only copies them, in the same run.
 *
 * usage: bench_encode [rounds]
 *        bench_encode --count SHAPE ROUNDS   for callgrind: no clocks, nothing printed
 *
 * Two shapes, made from a seed: flat (16 fields, about 390 bytes) and nested (about 1.16
 * kB, 7 fields selected out of a user of the random user API). Each round goes over 4,096
 * different records, so that neither caches nor branch prediction know them by heart; the
 * numbers are medians of the rounds.
 */
#include "base/mem.h"
#include "format/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RECORDS = 4096, RECORD_MAX = 2048, ROUNDS_MAX = 1000, REPEAT = 8 };

typedef struct shape {
    const char *name, *schema, *select;
    int (*make)(char *out, size_t size, uint64_t *seed);
    double limit_ns;
} shape;

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static unsigned pick(uint64_t *seed, unsigned n)
{
    return (unsigned)(next(seed) % n);
}

static const char *const FIRST[] = {"Olivia",  "Noah", "Émile",     "Zoë",
                                    "Наталия", "Mia",  "Alexander", "Jo"};
static const char *const LAST[] = {"Silva",    "O'Brien",      "Müller", "Johnson",
                                   "Nakamura", "van der Berg", "Li",     "Kowalski"};
static const char *const CITY[] = {"Porto",    "Belo Horizonte", "Mashhad",   "Oslo",
                                   "New York", "Trondheim",      "São Paulo", "Kyiv"};
static const char *const STREET[] = {"Rua da Paz",  "Park Lane, Flat 2",
                                     "Main Street", "Rue de l'Abbaye",
                                     "Hauptstraße", "Fifth Avenue"};

static int make_flat(char *out, size_t size, uint64_t *seed)
{
    unsigned a = pick(seed, 8), b = pick(seed, 8), c = pick(seed, 8);
    return snprintf(
        out, size,
        "{\"id\":\"%08x-%04x-4%03x-9%03x-%012llx\",\"full_name\":\"%s "
        "%s\",\"gender\":\"%s\","
        "\"street\":\"%u %s\",\"city\":\"%s\",\"state\":\"State "
        "%u\",\"country\":\"Country\","
        "\"postcode\":\"%05u\",\"latitude\":%s%u.%04u,\"longitude\":%u.%04u,"
        "\"email\":\"user.%u@example.com\",\"dob\":\"19%02u-%02u-%02uT%02u:%02u:%02u.%"
        "03uZ\","
        "\"registered\":\"20%02u-%02u-%02uT%02u:%02u:%02u.%03uZ\",\"age\":%u,"
        "\"phone\":\"(%03u) %03u-%04u\",\"nat\":\"%s\"}",
        (unsigned)next(seed), pick(seed, 65536), pick(seed, 4096), pick(seed, 4096),
        (unsigned long long)(next(seed) & 0xFFFFFFFFFFFF), FIRST[a], LAST[b],
        a & 1 ? "female" : "male", pick(seed, 9999), STREET[pick(seed, 6)], CITY[c],
        pick(seed, 100), pick(seed, 99999), a & 1 ? "-" : "", pick(seed, 90),
        pick(seed, 10000), pick(seed, 180), pick(seed, 10000), pick(seed, 1000000),
        50 + pick(seed, 50), 1 + pick(seed, 12), 1 + pick(seed, 28), pick(seed, 24),
        pick(seed, 60), pick(seed, 60), pick(seed, 1000), pick(seed, 24),
        1 + pick(seed, 12), 1 + pick(seed, 28), pick(seed, 24), pick(seed, 60),
        pick(seed, 60), pick(seed, 1000), 18 + pick(seed, 70), pick(seed, 1000),
        pick(seed, 1000), pick(seed, 10000), c & 1 ? "US" : "BR");
}

static int make_nested(char *out, size_t size, uint64_t *seed)
{
    unsigned a = pick(seed, 8), b = pick(seed, 8), c = pick(seed, 8);
    return snprintf(
        out, size,
        "{\"gender\":\"%s\",\"name\":{\"title\":\"Mr\",\"first\":\"%s\",\"last\":\"%s\"},"
        "\"location\":{\"street\":{\"number\":%u,\"name\":\"%s\"},\"city\":\"%s\","
        "\"state\":\"State %u\",\"country\":\"Country\",\"postcode\":%u,\"coordinates\":"
        "{\"latitude\":\"%u.%04u\",\"longitude\":\"-%u.%04u\"},\"timezone\":{\"offset\":"
        "\"+5:30\",\"description\":\"Bombay, Calcutta, Madras, New Delhi\"}},"
        "\"email\":\"user.%u@example.com\",\"login\":{\"uuid\":"
        "\"%08x-%04x-4%03x-9%03x-%012llx\",\"username\":\"silverswan%03u\",\"password\":"
        "\"firewall%u\",\"salt\":\"TQA1Gz7x\",\"md5\":\"%016llx%016llx\",\"sha1\":"
        "\"%016llx%016llx%08x\",\"sha256\":\"%016llx%016llx%016llx%016llx\"},\"dob\":"
        "{\"date\":\"19%02u-%02u-%02uT10:11:12.%03uZ\",\"age\":%u},\"registered\":{"
        "\"date\":"
        "\"2007-07-09T05:51:59.390Z\",\"age\":14},\"phone\":\"(272) 790-0888\",\"cell\":"
        "\"(489) 330-2385\",\"id\":{\"name\":\"SSN\",\"value\":\"%03u-%02u-%04u\"},"
        "\"picture\":{\"large\":\"https://randomuser.me/api/portraits/men/%u.jpg\","
        "\"medium\":\"https://randomuser.me/api/portraits/med/men/%u.jpg\",\"thumbnail\":"
        "\"https://randomuser.me/api/portraits/thumb/men/%u.jpg\"},\"nat\":\"%s\"}",
        a & 1 ? "female" : "male", FIRST[a], LAST[b], pick(seed, 9999),
        STREET[pick(seed, 6)], CITY[c], pick(seed, 100), pick(seed, 99999),
        pick(seed, 90), pick(seed, 10000), pick(seed, 180), pick(seed, 10000),
        pick(seed, 1000000), (unsigned)next(seed), pick(seed, 65536), pick(seed, 4096),
        pick(seed, 4096), (unsigned long long)(next(seed) & 0xFFFFFFFFFFFF),
        pick(seed, 1000), pick(seed, 100), (unsigned long long)next(seed),
        (unsigned long long)next(seed), (unsigned long long)next(seed),
        (unsigned long long)next(seed), (unsigned)next(seed),
        (unsigned long long)next(seed), (unsigned long long)next(seed),
        (unsigned long long)next(seed), (unsigned long long)next(seed),
        50 + pick(seed, 50), 1 + pick(seed, 12), 1 + pick(seed, 28), pick(seed, 1000),
        18 + pick(seed, 70), pick(seed, 1000), pick(seed, 100), pick(seed, 10000),
        pick(seed, 100), pick(seed, 100), pick(seed, 100), c & 1 ? "US" : "BR");
}

static const shape SHAPES[] = {
    {"flat",
     "id STRING, full_name STRING, gender STRING, street STRING, city STRING, "
     "state STRING, country STRING, postcode STRING, latitude DOUBLE, "
     "longitude DOUBLE, email STRING, dob TIMESTAMP, registered TIMESTAMP, "
     "age INT, phone STRING, nat STRING",
     "*", make_flat, 1000},
    {"nested",
     "name STRUCT<first: STRING, last: STRING>, location STRUCT<city: STRING, "
     "coordinates: STRUCT<latitude: STRING>>, login STRUCT<uuid: STRING>, "
     "email STRING, dob STRUCT<age: INT>",
     "name.first AS first_name, name.last AS last_name, location.city AS city, "
     "location.coordinates.latitude AS latitude, login.uuid AS uuid, email, dob.age AS "
     "age",
     make_nested, 1600},
};

static void die(const char *what)
{
    fprintf(stderr, "bench_encode: %s\n", what);
    exit(1);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct corpus {
    char *text;
    pst_sv record[RECORDS];
    size_t bytes;
} corpus;

static void make_corpus(const shape *s, corpus *c)
{
    uint64_t seed = 88172645463325252u;
    c->text = pst_malloc((size_t)RECORDS * RECORD_MAX);
    if (!c->text)
        die("out of memory");
    char *at = c->text;
    c->bytes = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        int n = s->make(at, RECORD_MAX, &seed);
        if (n <= 0 || n >= RECORD_MAX)
            die("a record is too long");
        c->record[i] = (pst_sv){at, (size_t)n};
        at += n;
        c->bytes += (size_t)n;
    }
}

typedef struct result {
    double copy, read, all;
    size_t out_bytes;
} result;

static double floor_round(const corpus *c, char *to)
{
    double start = now_ns();
    for (size_t k = 0; k < REPEAT; k++) {
        for (size_t i = 0; i < RECORDS; i++) {
            memcpy(to, c->record[i].p, c->record[i].n);
            __asm__ volatile("" : : "r"(to) : "memory");
        }
    }
    return (now_ns() - start) / RECORDS / REPEAT;
}

static void read_all(const corpus *c, pst_reader *reader, pst_writer *writer,
                     pst_buf *out)
{
    pst_err err = PST_ERR_INIT;
    pst_row row;
    pst_buf_clear(out);
    for (size_t i = 0; i < RECORDS; i++) {
        pst_msg msg = {.topic = "t", .offset = (int64_t)i, .value = c->record[i]};
        if (pst_reader_read(reader, &msg, &row, &err) != PST_OK ||
            (writer && pst_format_csv.row(writer, &row, out, &err) != PST_OK))
            die(err.text);
    }
}

static double read_round(const corpus *c, pst_reader *reader, pst_writer *writer,
                         pst_buf *out)
{
    double start = now_ns();
    for (size_t k = 0; k < REPEAT; k++)
        read_all(c, reader, writer, out);
    return (now_ns() - start) / RECORDS / REPEAT;
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[n / 2];
}

typedef struct encoder {
    pst_reader *reader;
    pst_writer *writer;
    pst_buf out;
} encoder;

static void open_encoder(const shape *s, encoder *e)
{
    pst_err err = PST_ERR_INIT;
    pst_reader_conf conf = {.value_schema = (char *)(uintptr_t)s->schema,
                            .select = (char *)(uintptr_t)s->select,
                            .allow_single_quotes = true,
                            .allow_non_numeric_numbers = true,
                            .enable_partial_results = true};
    pst_csv_conf csv = {
        .escape_quotes = true, .ignore_leading = true, .ignore_trailing = true};
    size_t n;
    pst_buf_init(&e->out, (size_t)RECORDS * RECORD_MAX * 2);
    if (pst_reader_new(&e->reader, &conf, &err) != PST_OK)
        die(err.text);
    const pst_column *columns = pst_reader_columns(e->reader, &n);
    if (pst_format_csv.open(&e->writer, &csv, &conf, columns, n, &err) != PST_OK)
        die(err.text);
}

static void close_encoder(encoder *e)
{
    if (pst_reader_get_stats(e->reader)->exact)
        die("a record took the slow way");
    pst_format_csv.close(e->writer);
    pst_reader_free(e->reader);
    pst_buf_done(&e->out);
}

static result run(const shape *s, const corpus *c, int rounds)
{
    static double copies[ROUNDS_MAX], reads[ROUNDS_MAX], alls[ROUNDS_MAX];
    char to[RECORD_MAX];
    encoder e;
    open_encoder(s, &e);
    for (int i = -1; i < rounds; i++) {
        int k = i < 0 ? 0 : i;
        copies[k] = floor_round(c, to);
        reads[k] = read_round(c, e.reader, NULL, &e.out);
        alls[k] = read_round(c, e.reader, e.writer, &e.out);
    }
    result r = {median(copies, rounds), median(reads, rounds), median(alls, rounds),
                e.out.len};
    close_encoder(&e);
    return r;
}

/* Two runs with different ROUNDS tell what RECORDS records cost. */
static int count(const char *name, int rounds)
{
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        if (strcmp(SHAPES[i].name, name) != 0)
            continue;
        corpus c;
        encoder e;
        make_corpus(&SHAPES[i], &c);
        open_encoder(&SHAPES[i], &e);
        for (int k = 0; k < rounds; k++)
            read_all(&c, e.reader, e.writer, &e.out);
        close_encoder(&e);
        pst_free(c.text);
        return 0;
    }
    die("no such shape");
    return 1;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--count") == 0)
        return count(argv[2], (int)strtol(argv[3], NULL, 10));
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5, failed = 0;
    if (rounds < 1 || rounds > ROUNDS_MAX)
        rounds = 5;
    printf("%-8s %8s %10s %10s %12s %10s %9s\n", "shape", "bytes", "copy ns", "scan ns",
           "scan+csv ns", "MB/s", "limit ns");
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        corpus c;
        make_corpus(&SHAPES[i], &c);
        result r = run(&SHAPES[i], &c, rounds);
        double bytes = (double)c.bytes / RECORDS;
        printf("%-8s %8.0f %10.1f %10.1f %12.1f %10.0f %9.0f\n", SHAPES[i].name, bytes,
               r.copy, r.read, r.all, bytes / r.all * 1e3, SHAPES[i].limit_ns);
        failed |= r.all > SHAPES[i].limit_ns;
        pst_free(c.text);
    }
    return failed;
}

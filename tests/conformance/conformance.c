/*
 * conformance.c - runs the golden corpora through the real reader and CSV writer and
 * compares every byte with what Spark wrote.
 *
 * usage: conformance [-v] <folder of the golden files> [deviations file]
 *
 * Settings go through the table engine, under the names that a user types. Each record is
 * compared on its own (so that a mismatch has a name) and each output file as a whole.
 * Deviations are lines `<corpus>.<option set>.<case>`; a line that no longer deviates is
 * an error too, so that the list stays true. Exit status 0: all is as expected.
 */
#include "base/mem.h"
#include "format/format.h"
#include "record/number.h"
#include "record/utf8.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    FILE_MAX = 64 * 1024 * 1024,
    PATH_MAX_ = 1024,
    DEVIATIONS_MAX = 500,
    NAME_MAX_ = 200
};

typedef struct settings {
    pst_reader_conf reader;
    pst_csv_conf csv;
    pst_jsonl_conf jsonl;
} settings;

static const pst_conf_part PARTS[] = {
    {&pst_reader_section, offsetof(settings, reader)},
    {&pst_csv_section, offsetof(settings, csv)},
    {&pst_jsonl_section, offsetof(settings, jsonl)},
};
static const pst_conf_spec SPEC = {
    .name = "conformance",
    .doc = "reader and writer",
    .parts = PARTS,
    .n_parts = 3,
    .size = sizeof(settings),
};

typedef struct totals {
    size_t records, same, files, files_same, deviations, unexpected;
} totals;

typedef struct deviation {
    char name[NAME_MAX_];
    bool seen;
} deviation;

typedef struct suite {
    const char *folder;
    bool verbose;
    json_t *options;
    totals all;
    deviation known[DEVIATIONS_MAX];
    size_t n_known;
} suite;

static void die(const char *what, const char *which)
{
    fprintf(stderr, "conformance: %s: %s\n", which, what);
    exit(2);
}

/* ---- files ---- */

static bool read_file(const suite *s, const char *name, pst_buf *out)
{
    char path[PATH_MAX_], chunk[65536];
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    gzFile file = gzopen(path, "rb");
    if (!file)
        return false;
    int n;
    while ((n = gzread(file, chunk, sizeof chunk)) > 0)
        if (pst_buf_add(out, chunk, (size_t)n) != PST_OK)
            die("too large", name);
    gzclose(file);
    return n == 0;
}

/* An array of the lines' objects. */
static json_t *read_lines(const suite *s, const char *name)
{
    pst_buf text;
    pst_buf_init(&text, FILE_MAX);
    if (!read_file(s, name, &text)) {
        pst_buf_done(&text);
        return NULL;
    }
    json_t *lines = json_array();
    pst_sv rest = {text.data, text.len};
    while (rest.p && rest.n) {
        json_error_t error;
        pst_sv line = pst_sv_cut(rest, '\n', &rest);
        json_t *object =
            line.n ? json_loadb(line.p, line.n, JSON_ALLOW_NUL, &error) : NULL;
        if (line.n && !object)
            die(error.text, name);
        if (object)
            json_array_append_new(lines, object);
    }
    pst_buf_done(&text);
    return lines;
}

static void read_deviations(suite *s, const char *path)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    if (!file)
        die("cannot be read", path);
    while (fgets(line, sizeof line, file) && s->n_known < DEVIATIONS_MAX) {
        size_t n = strcspn(line, " \t\r\n");
        if (n == 0 || line[0] == '#')
            continue;
        snprintf(s->known[s->n_known++].name, NAME_MAX_, "%.*s", (int)n, line);
    }
    fclose(file);
}

static size_t decode_base64(const char *text, char *out)
{
    size_t n = 0, bits = 0;
    uint32_t value = 0;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; *text && *text != '='; text++) {
        value = value << 6 | (uint32_t)(strchr(alphabet, *text) - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(value >> bits);
        }
    }
    return n;
}

/* ---- comparing ---- */

static void print_bytes(const char *label, pst_sv bytes)
{
    printf("    %s |", label);
    for (size_t i = 0; i < bytes.n && i < 400; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        if (c < ' ' || c == 0x7F)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    puts("|");
}

static deviation *find_deviation(suite *s, const char *name)
{
    for (size_t i = 0; i < s->n_known; i++)
        if (strcmp(s->known[i].name, name) == 0)
            return &s->known[i];
    return NULL;
}

static bool compare(suite *s, const char *name, pst_sv want, pst_sv got)
{
    bool same = pst_sv_eq(want, got);
    if (same)
        return true;
    deviation *known = find_deviation(s, name);
    if (known)
        known->seen = true;
    if (known)
        s->all.deviations++;
    else
        s->all.unexpected++;
    if (!known || s->verbose) {
        printf("%s: %s\n", known ? "deviation" : "MISMATCH", name);
        print_bytes("Spark   ", want);
        print_bytes("Penstock", got);
    }
    return false;
}

/* The records' text is what Spark encoded: what Latin-1 lacks is a question mark. */
static void to_charset(pst_buf *text, bool latin1)
{
    const unsigned char *p = (const unsigned char *)text->data, *end = p + text->len;
    size_t n = 0;
    if (!latin1)
        return;
    while (p < end) {
        size_t len;
        uint32_t code = pst_utf8_next(p, end, &len);
        text->data[n++] = (char)(code < 0x100 ? code : '?');
        p += len;
    }
    text->len = n;
}

/* ---- running ---- */

static void set(pst_props *props, const char *prefix, const char *key, const char *value,
                pst_conf_report *report)
{
    char name[NAME_MAX_];
    snprintf(name, sizeof name, "%s%s", prefix, key);
    if (pst_props_set(props, name, value, "(golden)", report) != PST_OK)
        die("setting refused", name);
}

static void set_all(pst_props *props, const char *prefix, json_t *object,
                    pst_conf_report *report)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (strcmp(key, "compression") != 0)
            set(props, prefix, key, json_string_value(value), report);
    }
}

static void apply(const pst_props *props, settings *out, pst_conf_report *report,
                  const char *which)
{
    if (pst_conf_apply(&SPEC, props, out, report) == PST_OK)
        return;
    pst_buf text;
    pst_buf_init(&text, 65536);
    if (pst_conf_report_print(report, &text) == PST_OK)
        fwrite(text.data, 1, text.len, stderr);
    die("settings refused", which);
}

typedef struct pipeline {
    settings conf;
    pst_reader *reader;
    pst_writer *writer;
    pst_writer *json;
} pipeline;

static void open_pipeline(pipeline *p, json_t *corpus, json_t *set_options,
                          const char *set, const char *which, const char *policy)
{
    pst_err err = PST_ERR_INIT;
    pst_props props;
    pst_conf_report report;
    char schema[4096];
    memset(p, 0, sizeof *p);
    pst_props_init(&props);
    pst_conf_report_init(&report);
    const char *ddl = json_string_value(json_object_get(corpus, "value.schema"));
    bool corrupt = strcmp(set, "corrupt-record") == 0;
    snprintf(schema, sizeof schema, "%s%s", ddl,
             corrupt ? ", _corrupt_record STRING" : "");
    const char *key[] = {"value.schema", "select", "jsonl.ignoreNullFields"};
    const char *value[] = {schema, json_string_value(json_object_get(corpus, "select")),
                           "false"};
    for (size_t i = 0; i < 3; i++)
        if (pst_props_set(&props, key[i], value[i], "(golden)", &report) != PST_OK)
            die("setting refused", key[i]);
    if (set_options) {
        set_all(&props, "csv.", json_object_get(set_options, "csv"), &report);
        set_all(&props, "json.", json_object_get(set_options, "from_json"), &report);
        set_all(&props, "", json_object_get(set_options, "session"), &report);
    }
    if (policy && pst_props_set(&props, "spark.sql.legacy.timeParserPolicy", policy,
                                "(golden)", &report) != PST_OK)
        die("setting refused", policy);
    apply(&props, &p->conf, &report, which);
    size_t n;
    if (pst_reader_new(&p->reader, &p->conf.reader, &err) != PST_OK)
        die(err.text, which);
    const pst_column *columns = pst_reader_columns(p->reader, &n);
    if (pst_format_csv.open(&p->writer, &p->conf.csv, &p->conf.reader, columns, n,
                            &err) != PST_OK ||
        pst_format_jsonl.open(&p->json, &p->conf.jsonl, &p->conf.reader, columns, n,
                              &err) != PST_OK)
        die(err.text, which);
    pst_props_done(&props);
    pst_conf_report_done(&report);
}

static void close_pipeline(pipeline *p)
{
    pst_format_csv.close(p->writer);
    pst_format_jsonl.close(p->json);
    pst_reader_free(p->reader);
    pst_conf_done(&SPEC, &p->conf);
}

/* `json` may be NULL. */
static void run_record(pipeline *p, json_t *message, pst_buf *out, pst_buf *json)
{
    pst_err err = PST_ERR_INIT;
    pst_row row;
    const char *b64 = json_string_value(json_object_get(message, "b64"));
    char *bytes = b64 ? pst_malloc(strlen(b64) + 1) : NULL;
    pst_msg msg = {.topic = "golden", .timestamp_ms = -1};
    if (b64)
        msg.value = (pst_sv){bytes, decode_base64(b64, bytes)};
    if (pst_reader_read(p->reader, &msg, &row, &err) != PST_OK ||
        pst_format_csv.row(p->writer, &row, out, &err) != PST_OK ||
        (json && pst_format_jsonl.row(p->json, &row, json, &err) != PST_OK))
        die(err.text, "a record");
    pst_free(bytes);
}

static size_t line_length(const pipeline *p)
{
    return p->conf.csv.line_sep ? strlen(p->conf.csv.line_sep) : 1;
}

/* What to_json made of the same row, nulls kept. */
static void compare_json(suite *s, const char *corpus, const char *set, json_t *message,
                         json_t *record, const pst_buf *line)
{
    char name[NAME_MAX_ * 2];
    json_t *typed = json_object_get(record, "typed");
    snprintf(name, sizeof name, "jsonl.%s.%s.%s", corpus, set,
             json_string_value(json_object_get(message, "case")));
    s->all.records++;
    s->all.same +=
        compare(s, name, (pst_sv){json_string_value(typed), json_string_length(typed)},
                (pst_sv){line->data, line->len - 1});
}

static void run_set(suite *s, const char *corpus, const char *set, json_t *messages)
{
    char file[NAME_MAX_], name[NAME_MAX_ * 2];
    snprintf(file, sizeof file, "%s.%s.records.jsonl.gz", corpus, set);
    json_t *expected = read_lines(s, file);
    if (!expected)
        return; /* this set was not run for this corpus */
    json_t *set_options =
        json_object_get(json_object_get(s->options, "option_sets"), set);
    pipeline p;
    open_pipeline(&p, json_object_get(json_object_get(s->options, "corpora"), corpus),
                  set_options, set, file, NULL);
    pst_err err = PST_ERR_INIT;
    pst_buf whole, want, golden, line;
    pst_buf_init(&whole, FILE_MAX);
    pst_buf_init(&want, FILE_MAX);
    pst_buf_init(&golden, FILE_MAX);
    pst_buf_init(&line, FILE_MAX);
    bool latin1 = p.conf.csv.encoding && strcmp(p.conf.csv.encoding, "ISO-8859-1") == 0;
    size_t unexpected = s->all.unexpected;
    if (pst_format_csv.begin(p.writer, &whole, &err) != PST_OK)
        die(err.text, file);
    for (size_t i = 0; i < json_array_size(messages); i++) {
        json_t *message = json_array_get(messages, i),
               *record = json_array_get(expected, i);
        size_t before = whole.len;
        pst_buf_clear(&line);
        run_record(&p, message, &whole, &line);
        compare_json(s, corpus, set, message, record, &line);
        json_t *csv = json_object_get(record, "csv");
        pst_buf_clear(&want);
        if (pst_buf_add(&want, json_string_value(csv), json_string_length(csv)) != PST_OK)
            die("too large", file);
        to_charset(&want, latin1);
        size_t n = whole.len - before;
        n -= n >= line_length(&p) ? line_length(&p) : n;
        snprintf(name, sizeof name, "%s.%s.%s", corpus, set,
                 json_string_value(json_object_get(message, "case")));
        s->all.records++;
        s->all.same += compare(s, name, (pst_sv){want.data, want.len},
                               (pst_sv){whole.data + before, n});
    }
    snprintf(file, sizeof file, "%s.%s.csv.gz", corpus, set);
    if (!read_file(s, file, &golden))
        die("is missing", file);
    bool same =
        pst_sv_eq((pst_sv){whole.data, whole.len}, (pst_sv){golden.data, golden.len});
    s->all.files++;
    s->all.files_same += same;
    if (!same && unexpected == s->all.unexpected && s->verbose)
        printf("file differs: %s\n", file);
    if (!same && unexpected == s->all.unexpected && s->all.deviations == 0) {
        printf("MISMATCH: the whole file %s\n", file);
        s->all.unexpected++;
    }
    close_pipeline(&p);
    pst_buf_done(&whole);
    pst_buf_done(&want);
    pst_buf_done(&golden);
    pst_buf_done(&line);
    json_decref(expected);
}

/* ---- dates and times under the three policies ---- */

static void run_probe(suite *s, pipeline *p, const char *policy, json_t *message,
                      json_t *outcome)
{
    char name[NAME_MAX_];
    pst_buf out;
    pst_buf_init(&out, FILE_MAX);
    json_t *want = json_object_get(outcome, policy);
    bool kills =
        !strcmp(json_string_value(json_object_get(want, "outcome")), "query fails");
    if (kills)
        want = json_object_get(outcome, "CORRECTED");
    uint64_t before = pst_reader_get_stats(p->reader)->time_policy;
    run_record(p, message, &out, NULL);
    uint64_t counted = pst_reader_get_stats(p->reader)->time_policy - before;
    snprintf(name, sizeof name, "probes.%s.%s", policy,
             json_string_value(json_object_get(message, "case")));
    s->all.records++;
    pst_sv got = {out.data, out.len ? out.len - 1 : 0};
    s->all.same +=
        compare(s, name, pst_sv_of(json_string_value(json_object_get(want, "csv"))), got);
    if (counted != kills) {
        printf("MISMATCH: %s: Spark's query %s, counted %llu\n", name,
               kills ? "fails" : "goes on", (unsigned long long)counted);
        s->all.unexpected++;
    }
    pst_buf_done(&out);
}

static void run_probes(suite *s)
{
    static const char *const policies[] = {"CORRECTED", "LEGACY", "EXCEPTION"};
    json_t *messages = read_lines(s, "datetime-probes.jsonl.gz");
    json_t *outcomes = read_lines(s, "datetime-probes.outcomes.jsonl.gz");
    json_t *corpus = json_object_get(json_object_get(s->options, "corpora"), "quirks");
    if (!messages || !outcomes)
        die("is missing", "datetime-probes");
    for (size_t i = 0; i < 3; i++) {
        pipeline p;
        open_pipeline(&p, corpus, NULL, "", "probes", policies[i]);
        for (size_t k = 0; k < json_array_size(messages); k++)
            run_probe(s, &p, policies[i], json_array_get(messages, k),
                      json_array_get(outcomes, k));
        close_pipeline(&p);
    }
    json_decref(messages);
    json_decref(outcomes);
}

/* ---- Java's numbers ---- */

static void run_numbers(suite *s, const char *file, bool is_float)
{
    pst_buf text;
    pst_buf_init(&text, FILE_MAX);
    if (!read_file(s, file, &text))
        die("is missing", file);
    pst_sv rest = {text.data, text.len};
    while (rest.p && rest.n) {
        char bits[32], name[NAME_MAX_], out[PST_DOUBLE_TEXT_MAX];
        pst_sv want, line = pst_sv_cut(rest, '\n', &rest);
        pst_sv first = pst_sv_cut(line, '\t', &want);
        if (!want.p)
            continue;
        snprintf(bits, sizeof bits, "%.*s", PST_SV_FMT(first));
        uint64_t raw = strtoull(bits, NULL, 16);
        uint32_t raw32 = (uint32_t)raw;
        double value;
        float small;
        memcpy(&value, &raw, sizeof value);
        memcpy(&small, &raw32, sizeof small);
        size_t n = is_float ? pst_number_of_float(out, small, PST_NUMBER_JDK17)
                            : pst_number_of_double(out, value, PST_NUMBER_JDK17);
        snprintf(name, sizeof name, "numbers.%s.%s", is_float ? "float" : "double", bits);
        s->all.records++;
        s->all.same += compare(s, name, want, (pst_sv){out, n});
    }
    pst_buf_done(&text);
}

static int finish(suite *s)
{
    for (size_t i = 0; i < s->n_known; i++) {
        if (s->known[i].seen)
            continue;
        printf("MISMATCH: %s is in the list of deviations but does not deviate\n",
               s->known[i].name);
        s->all.unexpected++;
    }
    printf("%zu of %zu files, %zu of %zu byte-identical (%zu known deviations, %zu "
           "unexpected)\n",
           s->all.files_same, s->all.files, s->all.same, s->all.records,
           s->all.deviations, s->all.unexpected);
    return s->all.unexpected ? 1 : 0;
}

int main(int argc, char **argv)
{
    static suite s;
    static const char *const corpora[] = {"quirks", "nested"};
    int at = 1;
    if (at < argc && strcmp(argv[at], "-v") == 0) {
        s.verbose = true;
        at++;
    }
    s.folder = at < argc ? argv[at++] : "tests/data/golden";
    if (at < argc)
        read_deviations(&s, argv[at]);
    char path[PATH_MAX_];
    snprintf(path, sizeof path, "%s/options.json", s.folder);
    json_error_t error;
    s.options = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!s.options)
        die(error.text, path);
    for (size_t i = 0; i < 2; i++) {
        char file[NAME_MAX_];
        snprintf(file, sizeof file, "%s.jsonl.gz", corpora[i]);
        json_t *messages = read_lines(&s, file), *value;
        const char *set;
        if (!messages)
            die("is missing", file);
        json_object_foreach(json_object_get(s.options, "option_sets"), set, value)
        {
            run_set(&s, corpora[i], set, messages);
        }
        json_decref(messages);
    }
    run_probes(&s);
    run_numbers(&s, "double-tostring.tsv.gz", false);
    run_numbers(&s, "float-tostring.tsv.gz", true);
    json_decref(s.options);
    return finish(&s);
}

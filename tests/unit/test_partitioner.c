/*
 * test_partitioner.c - folders by time and by field. tests/data/partitioner/paths.tsv is
 * written by Joda-Time itself.
 */
#include "runtime/partitioner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct fixture {
    pst_partitioner_conf conf;
    pst_column columns[PST_PARTITION_FIELDS_MAX];
    pst_partitioner *partitioner;
    int64_t now;
    pst_clock clock;
    pst_buf path;
    int64_t ms;
    pst_err err;
} fixture;

static const pst_conf_part PARTS[] = {{&pst_partitioner_section, 0}};
static const pst_conf_spec SPEC = {.name = "test",
                                   .doc = "test",
                                   .parts = PARTS,
                                   .n_parts = 1,
                                   .size = sizeof(pst_partitioner_conf)};

static int64_t now_of(void *self)
{
    return ((fixture *)self)->now;
}

/* Settings as a user types them; answers their errors and warnings in `report`. */
static void settings(const char *text, pst_layout layout, pst_partitioner_conf *conf,
                     pst_conf_report *report)
{
    pst_props props;
    memset(conf, 0, sizeof *conf);
    pst_props_init(&props);
    pst_conf_report_init(report);
    assert_int_equal(pst_props_parse(&props, pst_sv_of(text), "t", report), PST_OK);
    pst_rc rc = pst_conf_apply(&SPEC, &props, conf, report);
    assert_int_equal(rc == PST_OK, report->errors == 0);
    pst_partitioner_check(conf, layout, &props, report);
    pst_props_done(&props);
}

static void open_with(fixture *f, const char *text, pst_layout layout, const char *dir)
{
    pst_conf_report report;
    memset(f, 0, sizeof *f);
    settings(text, layout, &f->conf, &report);
    assert_int_equal(report.n, 0);
    pst_conf_report_done(&report);
    f->clock = (pst_clock){.wall_ms = now_of, .mono_ms = now_of, .self = f};
    pst_buf_init(&f->path, 4096);
    pst_partitioner_options options = {.conf = &f->conf,
                                       .layout = layout,
                                       .clock = &f->clock,
                                       .topics_dir = dir,
                                       .columns = f->columns};
    assert_int_equal(pst_partitioner_new(&f->partitioner, &options, &f->err), PST_OK);
}

static void done(fixture *f)
{
    pst_partitioner_free(f->partitioner);
    pst_buf_done(&f->path);
    pst_conf_done(&SPEC, &f->conf);
}

static pst_rc fill(fixture *f, int64_t timestamp, const pst_cell *cells)
{
    pst_msg msg = {.topic = "users", .timestamp_ms = timestamp};
    pst_err_clear(&f->err);
    return pst_partitioner_fill(f->partitioner, &msg, cells, &f->path, &f->ms, &f->err);
}

static const char *path_of(fixture *f)
{
    const char *text = pst_buf_cstr(&f->path);
    assert_non_null(text);
    return text;
}

static pst_cell string(const char *text)
{
    return (pst_cell){.null = !text, .as.s = pst_sv_of(text)};
}

/* ---- by time ---- */

static size_t cut(char *line, char *out[], size_t max)
{
    size_t n = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *at = line; at && n < max; n++) {
        out[n] = at;
        at = strchr(at, '\t');
        if (at)
            *at++ = '\0';
    }
    return n;
}

static pst_layout layout_of(const char *name)
{
    for (int i = PST_LAYOUT_TIME; i <= PST_LAYOUT_DAILY; i++)
        if (strcmp(pst_layout_name((pst_layout)i), name) == 0)
            return (pst_layout)i;
    fail_msg("no layout %s", name);
    return PST_LAYOUT_TIME;
}

static void open_line(fixture *f, char *const columns[])
{
    char text[300];
    pst_layout layout = layout_of(columns[1]);
    int n = snprintf(text, sizeof text, "timezone=%s\ntimestamp.extractor=Record\n",
                     columns[0]);
    if (layout == PST_LAYOUT_TIME)
        snprintf(text + n, sizeof text - (size_t)n,
                 "path.format=%s\npartition.duration.ms=%s\n", columns[2], columns[3]);
    open_with(f, text, layout, "topics");
}

/* All lines of one zone and layout follow one another: they share a partitioner, and what
   it remembers. */
static void paths_as_confluent_writes_them(void **state)
{
    FILE *file = fopen("tests/data/partitioner/paths.tsv", "r");
    char line[400], seen[300] = "", *columns[6];
    fixture f = {.partitioner = NULL};
    size_t lines = 0, layouts = 0;
    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        assert_int_equal(cut(line, columns, 6), 6);
        char now[300];
        int64_t ms;
        snprintf(now, sizeof now, "%s %s %s %s", columns[0], columns[1], columns[2],
                 columns[3]);
        if (strcmp(now, seen) != 0) {
            if (layouts++)
                done(&f);
            open_line(&f, columns);
            snprintf(seen, sizeof seen, "%s", now);
        }
        assert_true(pst_sv_to_i64(pst_sv_of(columns[4]), &ms));
        assert_int_equal(fill(&f, ms, NULL), PST_OK);
        assert_int_equal(f.ms, ms);
        if (strcmp(path_of(&f), columns[5]) != 0)
            fail_msg("%s at %s: '%s', Joda says '%s'", now, columns[4], path_of(&f),
                     columns[5]);
        lines++;
    }
    done(&f);
    fclose(file);
    assert_int_equal(layouts, 42);
    assert_true(lines / layouts >= 50);
}

/* Down, also where Confluent's division rounds towards 1970. */
static void times_before_1970(void **state)
{
    fixture f;
    (void)state;
    open_with(&f, "timestamp.extractor=RecordField", PST_LAYOUT_HOURLY, "topics");
    f.columns[0].type = PST_T_LONG;
    pst_cell cell = {.as.i = -1};
    assert_int_equal(fill(&f, 0, &cell), PST_OK);
    assert_string_equal(path_of(&f), "year=1969/month=12/day=31/hour=23");
    cell.as.i = -3600001;
    assert_int_equal(fill(&f, 0, &cell), PST_OK);
    assert_string_equal(path_of(&f), "year=1969/month=12/day=31/hour=22");
    done(&f);
}

static void extractors(void **state)
{
    fixture f;
    (void)state;
    open_with(&f, "", PST_LAYOUT_HOURLY, "");
    f.now = 1709683199999;
    assert_int_equal(fill(&f, -1, NULL), PST_OK);
    assert_string_equal(path_of(&f), "year=2024/month=03/day=05/hour=23");
    assert_int_equal(f.ms, f.now);
    f.now++;
    assert_int_equal(fill(&f, 12, NULL), PST_OK);
    assert_string_equal(path_of(&f), "year=2024/month=03/day=06/hour=00");
    done(&f);
    open_with(&f, "timestamp.extractor=Record", PST_LAYOUT_DAILY, "");
    assert_int_equal(fill(&f, -1, NULL), PST_E_INVALID);
    assert_non_null(strstr(f.err.text, "the record has no timestamp"));
    done(&f);
}

typedef struct time_case {
    pst_type type;
    pst_cell cell;
    const char *expected; /* NULL = an error */
} time_case;

static void times_of_a_field(void **state)
{
    const time_case cases[] = {
        {PST_T_LONG, {.as.i = 1709683199999}, "05T18"},
        {PST_T_INT, {.as.i = 5}, "31T19"},
        {PST_T_DOUBLE, {.as.d = 1709683199999.9}, "05T18"},
        {PST_T_DOUBLE, {.as.d = 1e300}, NULL},
        {PST_T_DECIMAL, {.as.s = PST_SV("1709683199999.25")}, "05T18"},
        {PST_T_TIMESTAMP, {.as.i = 1709683199999999}, "05T18"},
        {PST_T_TIMESTAMP_NTZ, {.as.i = 1709683199999999}, "05T23"},
        {PST_T_DATE, {.as.i = 19787}, "05T00"},
        {PST_T_STRING, {.as.s = PST_SV("1709683199999")}, "05T18"},
        {PST_T_STRING, {.as.s = PST_SV("-1")}, "31T18"},
        {PST_T_STRING, {.as.s = PST_SV("2024-03-05T23:59:59Z")}, "05T18"},
        {PST_T_STRING, {.as.s = PST_SV("2024-03-05T23:59:59")}, "05T23"},
        {PST_T_STRING, {.as.s = PST_SV("2024-03-05")}, "05T00"},
        {PST_T_STRING, {.as.s = PST_SV("tomorrow")}, NULL},
        {PST_T_STRING, {.as.s = PST_SV("")}, NULL},
        {PST_T_STRING, {.as.s = PST_SV("99999999999999999999")}, NULL},
        {PST_T_LONG, {.as.i = INT64_MIN}, NULL},
        {PST_T_LONG, {.null = true}, NULL},
    };
    fixture f;
    (void)state;
    open_with(&f,
              "timestamp.extractor=RecordField\ntimestamp.field=seen.at\n"
              "timezone=America/New_York\npath.format=dd'T'HH\n"
              "partition.duration.ms=60000",
              PST_LAYOUT_TIME, "topics");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f.columns[0].type = cases[i].type;
        pst_rc rc = fill(&f, 0, &cases[i].cell);
        assert_int_equal(rc, cases[i].expected ? PST_OK : PST_E_INVALID);
        if (cases[i].expected)
            assert_string_equal(path_of(&f), cases[i].expected);
    }
    assert_non_null(strstr(f.err.text, "seen.at is null or missing"));
    f.columns[0].type = PST_T_STRING;
    pst_cell word = string("tomorrow");
    assert_int_equal(fill(&f, 0, &word), PST_E_INVALID);
    assert_string_equal(f.err.text,
                        "seen.at 'tomorrow' is no time: milliseconds since 1970 or ISO "
                        "8601 (timestamp.extractor=RecordField)");
    done(&f);
}

/* A bucket's text is remembered, and no other one is taken for it. */
static void buckets_by_turns(void **state)
{
    fixture f;
    (void)state;
    open_with(&f, "timestamp.extractor=Record", PST_LAYOUT_HOURLY, "topics");
    for (int64_t turn = 0; turn < 3; turn++) {
        for (int64_t hour = 0; hour < 24; hour++) {
            char expected[60];
            snprintf(expected, sizeof expected, "year=1970/month=01/day=02/hour=%02d",
                     (int)hour);
            assert_int_equal(fill(&f, 86400000 + hour * 3600000 + turn, NULL), PST_OK);
            assert_string_equal(path_of(&f), expected);
        }
    }
    done(&f);
}

/* ---- by field ---- */

static void one_field(fixture *f, const char *value, const char *expected)
{
    pst_cell cell = string(value);
    f->columns[0].type = PST_T_STRING;
    assert_int_equal(fill(f, 0, &cell), PST_OK);
    assert_string_equal(path_of(f), expected);
}

static void hostile_values(void **state)
{
    fixture f;
    (void)state;
    open_with(&f, "partition.field.name=f", PST_LAYOUT_FIELD, "topics");
    one_field(&f, NULL, "f=__HIVE_DEFAULT_PARTITION__");
    one_field(&f, "", "f=__HIVE_DEFAULT_PARTITION__");
    one_field(&f, "__HIVE_DEFAULT_PARTITION__", "f=%5F_HIVE_DEFAULT_PARTITION__");
    one_field(&f, "__HIVE_DEFAULT_PARTITION_", "f=__HIVE_DEFAULT_PARTITION_");
    one_field(&f, "../../etc/passwd", "f=..%2F..%2Fetc%2Fpasswd");
    one_field(&f, "/", "f=%2F");
    one_field(&f, "a=b/c=d", "f=a%3Db%2Fc%3Dd");
    one_field(&f, "%2F", "f=%252F");
    one_field(&f, "a\nb\x7f\x01", "f=a%0Ab%7F%01");
    one_field(&f, "\"#%'*/:=?\\{[]^", "f=%22%23%25%27%2A%2F%3A%3D%3F%5C%7B%5B%5D%5E");
    one_field(&f, " a+b}~&$,;@!", "f= a+b}~&$,;@!");
    one_field(&f, "Zürich 東京 \xf0\x9f\x98\x80", "f=Zürich 東京 \xf0\x9f\x98\x80");
    one_field(&f, "\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd",
              "f=%EF%BF%BE%EF%BF%BF\xef\xbf\xbd");
    one_field(&f, "\xff\xc3", "f=%FF%C3");
    done(&f);
}

static void nul_in_a_value(void **state)
{
    fixture f;
    (void)state;
    open_with(&f, "partition.field.name=f", PST_LAYOUT_FIELD, "topics");
    f.columns[0].type = PST_T_STRING;
    pst_cell cell = {.as.s = PST_SV("a\0b")};
    assert_int_equal(fill(&f, 0, &cell), PST_OK);
    assert_string_equal(path_of(&f), "f=a%00b");
    done(&f);
}

static void several_fields_and_types(void **state)
{
    static const pst_type types[] = {PST_T_STRING, PST_T_LONG,    PST_T_BOOLEAN,
                                     PST_T_DATE,   PST_T_DECIMAL, PST_T_BYTE};
    pst_cell cells[] = {string("Ann"),   {.as.i = -42},   {.as.b = true},
                        {.as.i = 19787}, string("-1.50"), {.null = true}};
    fixture f;
    (void)state;
    open_with(&f, "partition.field.name=name.first, n,b ,d,price,a:b", PST_LAYOUT_FIELD,
              "topics");
    for (size_t i = 0; i < 6; i++)
        f.columns[i].type = types[i];
    assert_int_equal(fill(&f, 77, cells), PST_OK);
    assert_string_equal(path_of(&f), "name.first=Ann/n=-42/b=true/d=2024-03-05/"
                                     "price=-1.50/a%3Ab=__HIVE_DEFAULT_PARTITION__");
    assert_int_equal(f.ms, 77);
    assert_int_equal(fill(&f, -1, cells), PST_OK);
    assert_true(f.ms == PST_TIME_NONE);
    done(&f);
}

/* 2 kB: equal values share a folder, others don't, whatever they begin with. */
static void long_values(void **state)
{
    char value[2049], first[300];
    fixture f;
    (void)state;
    open_with(&f, "partition.field.name=f", PST_LAYOUT_FIELD, "topics");
    f.columns[0].type = PST_T_STRING;
    for (size_t n = 150; n < sizeof value; n++) {
        memset(value, 'x', n);
        memcpy(value, "é/", 3);
        value[n] = '\0';
        pst_cell cell = string(value);
        assert_int_equal(fill(&f, 0, &cell), PST_OK);
        bool whole = n + 4 <= PST_PARTITION_COMPONENT_MAX;
        assert_int_equal(f.path.len, whole ? n + 4 : PST_PARTITION_COMPONENT_MAX);
        assert_int_equal(strstr(path_of(&f), "%~") == NULL, whole);
    }
    snprintf(first, sizeof first, "%s", path_of(&f));
    pst_cell cell = string(value);
    assert_int_equal(fill(&f, 0, &cell), PST_OK);
    assert_string_equal(path_of(&f), first);
    value[2040] = 'y';
    assert_int_equal(fill(&f, 0, &cell), PST_OK);
    assert_string_not_equal(path_of(&f), first);
    assert_memory_equal(path_of(&f), first, 180);
    done(&f);
}

/* Neither a character nor an escape is cut in two. */
static void cuts_between_characters(void **state)
{
    char out[PST_PARTITION_COMPONENT_MAX], value[400];
    (void)state;
    for (size_t shift = 0; shift < 5; shift++) {
        memset(value, 'x', shift);
        for (size_t i = shift; i + 4 <= 300; i += 4)
            memcpy(value + i, "\xf0\x9f\x98\x80", 4);
        pst_sv text = {value, shift + (300 - shift) / 4 * 4};
        size_t n = pst_partition_component(PST_SV("f"), text, 100, out);
        assert_true(n <= 100 && n > 100 - 4);
        assert_memory_equal(out + n - PST_PARTITION_CUT, "%~", 2);
        assert_true(pst_utf8_valid((pst_sv){out, n}));
        memset(value + shift, '/', 200);
        text.n = shift + 200;
        n = pst_partition_component(PST_SV("f"), text, 100, out);
        assert_true(n <= 100 && n > 100 - 3);
        assert_int_equal((n - PST_PARTITION_CUT - 2 - shift) % 3, 0);
    }
}

/* A key has 1024 bytes, whatever topics.dir, topic and values are. */
static void keys_have_an_end(void **state)
{
    char dir[401], topic[250], value[2000];
    pst_cell cells[3];
    fixture f;
    (void)state;
    memset(dir, 'd', 400);
    memset(topic, 't', 249);
    memset(value, 'v', sizeof value);
    dir[400] = topic[249] = '\0';
    open_with(&f, "partition.field.name=a,b,c", PST_LAYOUT_FIELD, dir);
    for (size_t i = 0; i < 3; i++) {
        f.columns[i].type = PST_T_STRING;
        cells[i] = (pst_cell){.as.s = {value, sizeof value}};
    }
    pst_msg msg = {.topic = topic};
    pst_rc rc = pst_partitioner_fill(f.partitioner, &msg, cells, &f.path, &f.ms, &f.err);
    assert_int_equal(rc, PST_E_CONFIG);
    assert_non_null(strstr(f.err.text, "shorten topics.dir"));
    topic[200] = '\0';
    pst_err_clear(&f.err);
    rc = pst_partitioner_fill(f.partitioner, &msg, cells, &f.path, &f.ms, &f.err);
    assert_int_equal(rc, PST_OK);
    size_t key = 400 + 1 + 200 + 1 + f.path.len + 1 + 200 + 53 + 15;
    assert_true(key <= PST_STORE_KEY_MAX && key > PST_STORE_KEY_MAX - 3);
    msg.topic = "short";
    rc = pst_partitioner_fill(f.partitioner, &msg, cells, &f.path, &f.ms, &f.err);
    assert_int_equal(rc, PST_OK);
    assert_true(f.path.len <= 3 * PST_PARTITION_COMPONENT_MAX + 2);
    done(&f);
}

/* ---- settings ---- */

static void expect(const char *text, pst_layout layout, size_t errors, size_t warnings,
                   const char *what)
{
    pst_partitioner_conf conf;
    pst_conf_report report;
    settings(text, layout, &conf, &report);
    bool found = !what;
    for (size_t i = 0; i < report.n && !found; i++)
        found = strstr(report.items[i].text, what) != NULL;
    if (report.errors != errors || report.n - report.errors != warnings || !found)
        fail_msg("'%s': %zu errors and %zu warnings, the first '%s'", text, report.errors,
                 report.n - report.errors, report.n ? report.items[0].text : "");
    pst_conf_report_done(&report);
    pst_conf_done(&SPEC, &conf);
}

#define FORMAT(format) "partition.duration.ms=1h\npath.format=" format

static void settings_that_fit(void **state)
{
    (void)state;
    expect("", PST_LAYOUT_DEFAULT, 0, 0, NULL);
    expect("", PST_LAYOUT_HOURLY, 0, 0, NULL);
    expect(FORMAT("'year'=YYYY/"), PST_LAYOUT_TIME, 0, 0, NULL);
    expect(FORMAT("YYYY/MM") "\nlocale=fr-FR", PST_LAYOUT_TIME, 0, 0, NULL);
    expect(FORMAT("YYYY/MMM") "\nlocale=en-US", PST_LAYOUT_TIME, 0, 0, NULL);
    expect("locale=de\ntimezone=Asia/Tokyo", PST_LAYOUT_DAILY, 0, 0, NULL);
}

static void settings_that_are_missing(void **state)
{
    (void)state;
    expect("", PST_LAYOUT_FIELD, 1, 0, "needs the fields to part by");
    expect("partition.field.name=a,b,a", PST_LAYOUT_FIELD, 1, 0, "names 'a' twice");
    expect("", PST_LAYOUT_TIME, 2, 0, "needs one, such as 'year'=YYYY");
    expect("path.format=YYYY\npartition.duration.ms=0", PST_LAYOUT_TIME, 1, 0,
           "a duration above 0");
    expect("partition.field.name=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", PST_LAYOUT_FIELD, 1,
           0, "more than 16 fields");
}

static void settings_that_are_wrong(void **state)
{
    (void)state;
    expect(FORMAT("yyyy-LL"), PST_LAYOUT_TIME, 1, 0, "unknown pattern letter L");
    expect(FORMAT("YYYY//MM"), PST_LAYOUT_TIME, 1, 0, "has an empty folder");
    expect(FORMAT("/YYYY"), PST_LAYOUT_TIME, 1, 0, "has an empty folder");
    expect(FORMAT("YYYY/../MM"), PST_LAYOUT_TIME, 1, 0, "must not have . or ..");
    expect(FORMAT("YYYY/./MM"), PST_LAYOUT_TIME, 1, 0, "must not have . or ..");
    expect(FORMAT("YYYY\\u0007"), PST_LAYOUT_TIME, 1, 0, "control characters");
    expect(FORMAT("MMM") "\nlocale=fr", PST_LAYOUT_TIME, 1, 0, "only English ones");
    expect("timezone=Mars", PST_LAYOUT_HOURLY, 1, 0, "time zone 'Mars' is not");
    expect("timestamp.extractor=Wall", PST_LAYOUT_HOURLY, 1, 0, NULL);
}

static void settings_without_effect(void **state)
{
    static const char *const all =
        FORMAT("YYYY") "\npartition.field.name=a\ntimezone="
                       "Asia/Tokyo\nlocale=de\ntimestamp.extractor="
                       "Record\ntimestamp.field=a";
    (void)state;
    expect(all, PST_LAYOUT_DEFAULT, 0, 7,
           "has no effect with partitioner.class=DefaultPartitioner");
    expect(all, PST_LAYOUT_FLAT, 0, 7, NULL);
    expect(all, PST_LAYOUT_FIELD, 0, 6, NULL);
    expect(all, PST_LAYOUT_TIME, 0, 2, "set timestamp.extractor=RecordField");
    expect(all, PST_LAYOUT_HOURLY, 0, 4, NULL);
}

static void columns_that_part(void **state)
{
    static const struct {
        pst_type type;
        bool field, time;
    } cases[] = {
        {PST_T_STRING, true, true},   {PST_T_BOOLEAN, true, false},
        {PST_T_LONG, true, true},     {PST_T_DOUBLE, false, true},
        {PST_T_DATE, true, true},     {PST_T_TIMESTAMP, false, true},
        {PST_T_DECIMAL, true, true},  {PST_T_BINARY, false, false},
        {PST_T_STRUCT, false, false}, {PST_T_ARRAY, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pst_column column = {.type = cases[i].type};
        pst_rc rc = pst_partitioner_check_column(PST_LAYOUT_FIELD, "f", &column, NULL);
        assert_int_equal(rc == PST_OK, cases[i].field);
        rc = pst_partitioner_check_column(PST_LAYOUT_DAILY, "f", &column, NULL);
        assert_int_equal(rc == PST_OK, cases[i].time);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_as_confluent_writes_them),
        cmocka_unit_test(times_before_1970),
        cmocka_unit_test(extractors),
        cmocka_unit_test(times_of_a_field),
        cmocka_unit_test(buckets_by_turns),
        cmocka_unit_test(hostile_values),
        cmocka_unit_test(nul_in_a_value),
        cmocka_unit_test(several_fields_and_types),
        cmocka_unit_test(long_values),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(keys_have_an_end),
        cmocka_unit_test(settings_that_fit),
        cmocka_unit_test(settings_that_are_missing),
        cmocka_unit_test(settings_that_are_wrong),
        cmocka_unit_test(settings_without_effect),
        cmocka_unit_test(columns_that_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

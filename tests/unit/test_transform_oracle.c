/*
 * test_transform_oracle.c - generated records through the chain, against what Kafka
 * Connect's own jar makes of them (tests/transforms/Oracle.java tells the files' form).
 *
 * A tombstone is nothing in Connect and a row of nulls here: of it only is compared
 * whether it is dropped. Connect's Struct keeps the names of the fields; after an
 * ExtractField there is none.
 */
#include "base/mem.h"
#include "transform/transform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FIELDS_MAX = 40, SETTINGS_MAX = 40, SCRATCH = 65536 };

typedef struct oracle {
    FILE *file;
    char *line;
    size_t line_cap;
    char name[100];
    char columns_text[FIELDS_MAX][40];
    pst_column columns[FIELDS_MAX];
    size_t n_columns;
    pst_props props;
    pst_conf_report report;
    pst_transforms_conf conf;
    pst_transforms *transforms;
    pst_cell cells[FIELDS_MAX];
    pst_msg msg;
    pst_row row;
    pst_rc rc;
    bool keep;
    char scratch[SCRATCH], topic[300], headers[100];
    size_t used;
    size_t records, cases;
} oracle;

static const pst_conf_part PARTS[] = {{&pst_transforms_section, 0}};

static pst_rc others(const char *key, const char *value, pst_err *err)
{
    (void)value;
    (void)err;
    return pst_transforms_owns(key) ? PST_OK : PST_E_NOT_FOUND;
}

static const pst_conf_spec SPEC = {.name = "test",
                                   .parts = PARTS,
                                   .n_parts = 1,
                                   .size = sizeof(pst_transforms_conf),
                                   .other = others};

static const struct {
    const char *name;
    pst_type type;
} TYPES[] = {
    {"BOOLEAN", PST_T_BOOLEAN}, {"BYTE", PST_T_BYTE},      {"SHORT", PST_T_SHORT},
    {"INT", PST_T_INT},         {"LONG", PST_T_LONG},      {"FLOAT", PST_T_FLOAT},
    {"DOUBLE", PST_T_DOUBLE},   {"STRING", PST_T_STRING},  {"BINARY", PST_T_BINARY},
    {"DATE", PST_T_DATE},       {"DECIMAL", PST_T_DECIMAL}};

static pst_type type_of(const char *name)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (strncmp(name, TYPES[i].name, strlen(TYPES[i].name)) == 0)
            return TYPES[i].type;
    assert_string_equal(name, "TIMESTAMP");
    return PST_T_TIMESTAMP;
}

/* ---- cells ---- */

static size_t unescape(const char *text, char *out)
{
    size_t n = 0;
    unsigned code;
    for (; *text; n++) {
        if (*text == '\\') {
            assert_int_equal(sscanf(text, "\\x%2x", &code), 1);
            out[n] = (char)code;
            text += 4;
        } else {
            out[n] = *text++;
        }
    }
    return n;
}

static size_t unhex(const char *text, char *out)
{
    size_t n = 0;
    unsigned code;
    for (text += 2; *text; text += 2) {
        assert_int_equal(sscanf(text, "%2x", &code), 1);
        out[n++] = (char)code;
    }
    return n;
}

static void read_cell(oracle *o, pst_type type, const char *text, pst_cell *cell)
{
    uint64_t bits;
    char *at = o->scratch + o->used;
    *cell = (pst_cell){.null = strcmp(text, "~") == 0};
    if (cell->null)
        return;
    switch (type) {
    case PST_T_BOOLEAN:
        cell->as.b = strcmp(text, "true") == 0;
        return;
    case PST_T_FLOAT:
    case PST_T_DOUBLE:
        bits = strtoull(text, NULL, 16);
        memcpy(&cell->as.d, &bits, sizeof bits);
        return;
    case PST_T_STRING:
    case PST_T_DECIMAL:
    case PST_T_BINARY:
        assert_true(o->used + strlen(text) < SCRATCH);
        cell->as.s.n = type == PST_T_BINARY ? unhex(text, at) : unescape(text, at);
        cell->as.s.p = at;
        o->used += cell->as.s.n;
        return;
    default:
        cell->as.i = strtoll(text, NULL, 10) * (type == PST_T_TIMESTAMP ? 1000 : 1);
    }
}

static bool same(pst_type type, const pst_cell *a, const pst_cell *b)
{
    if (a->null || b->null)
        return a->null && b->null;
    switch (type) {
    case PST_T_BOOLEAN:
        return a->as.b == b->as.b;
    case PST_T_FLOAT:
    case PST_T_DOUBLE: /* -0 is not 0; a NaN is a NaN */
        return (a->as.d != a->as.d && b->as.d != b->as.d) ||
               memcmp(&a->as.d, &b->as.d, sizeof a->as.d) == 0;
    case PST_T_STRING:
    case PST_T_DECIMAL:
    case PST_T_BINARY:
        return pst_sv_eq(a->as.s, b->as.s);
    default:
        return a->as.i == b->as.i;
    }
}

/* ---- a case ---- */

static void close_case(oracle *o)
{
    pst_transforms_free(o->transforms);
    o->transforms = NULL;
    pst_conf_done(&SPEC, &o->conf);
    pst_props_done(&o->props);
    pst_conf_report_done(&o->report);
}

static void open_case(oracle *o, const char *name)
{
    if (*o->name)
        close_case(o);
    snprintf(o->name, sizeof o->name, "%s", name);
    o->n_columns = 0;
    o->cases++;
    memset(&o->conf, 0, sizeof o->conf);
    pst_props_init(&o->props);
    pst_conf_report_init(&o->report);
}

static void add_column(oracle *o, char *text)
{
    char *type = strchr(text, '\t');
    *type++ = '\0';
    pst_column *column = &o->columns[o->n_columns];
    snprintf(o->columns_text[o->n_columns], sizeof *o->columns_text, "%s", text);
    *column =
        (pst_column){.name = o->columns_text[o->n_columns++], .type = type_of(type)};
    if (column->type == PST_T_DECIMAL)
        assert_int_equal(
            sscanf(type, "DECIMAL(%d,%d)", &column->precision, &column->scale), 2);
}

static pst_rc header_at(const void *headers, size_t index, pst_sv *key, pst_sv *value)
{
    pst_sv rest = pst_sv_of(headers);
    *value = (pst_sv){NULL, 0};
    for (size_t i = 0; rest.p && rest.n; i++) {
        *key = pst_sv_cut(rest, ',', &rest);
        if (i == index)
            return PST_OK;
    }
    return PST_E_NOT_FOUND;
}

static void open_chain(oracle *o)
{
    pst_buf text;
    pst_buf_init(&text, 100000);
    pst_rc rc = pst_conf_apply(&SPEC, &o->props, &o->conf, &o->report);
    if (rc == PST_OK)
        rc = pst_transforms_new(&o->transforms, &o->conf, &o->props, o->columns,
                                o->n_columns, &o->report);
    if (rc != PST_OK) {
        (void)!pst_conf_report_print(&o->report, &text);
        print_error("%s: %.*s\n", o->name, (int)text.len, text.data);
    }
    pst_buf_done(&text);
    assert_int_equal(rc, PST_OK);
    (void)pst_transforms_set_headers(o->transforms, header_at);
}

static char *next_field(char **at)
{
    char *field = *at, *tab = strchr(field, '\t');
    *at = tab ? tab + 1 : field + strlen(field);
    if (tab)
        *tab = '\0';
    return field;
}

static void take_record(oracle *o, char *at)
{
    if (!o->transforms)
        open_chain(o);
    o->used = 0;
    snprintf(o->topic, sizeof o->topic, "%s", next_field(&at));
    int32_t partition = (int32_t)strtol(next_field(&at), NULL, 10);
    int64_t offset = strtoll(next_field(&at), NULL, 10);
    const char *time = next_field(&at);
    snprintf(o->headers, sizeof o->headers, "%s", next_field(&at));
    bool tombstone = *next_field(&at) == 'T';
    o->msg = (pst_msg){.topic = o->topic,
                       .partition = partition,
                       .offset = offset,
                       .timestamp_ms = *time == '~' ? -1 : strtoll(time, NULL, 10),
                       .value = tombstone ? (pst_sv){NULL, 0} : PST_SV("{}"),
                       .headers = o->headers};
    for (size_t i = 0; i < o->n_columns; i++)
        read_cell(o, o->columns[i].type, next_field(&at), &o->cells[i]);
    o->row = (pst_row){o->columns, o->cells, o->n_columns};
    pst_err err = PST_ERR_INIT;
    o->rc = pst_transforms_apply(o->transforms, &o->msg, &o->row, &o->keep, &err);
    o->records++;
    if (o->rc == PST_E_INVALID)
        assert_non_null(strstr(err.text, "transforms."));
}

/* "name:TYPE=cell" */
static void check_field(oracle *o, size_t i, char *text)
{
    char *type = strchr(text, ':'), *value = strchr(type, '=');
    pst_cell cell;
    assert_true(i < o->row.n);
    *type++ = '\0';
    *value++ = '\0';
    const pst_column *column = &o->row.columns[i];
    if (*text)
        assert_string_equal(column->name, text);
    if (*text || *value != '~') /* a null that is the whole value has no type */
        assert_int_equal(column->type, type_of(type));
    read_cell(o, column->type, value, &cell);
    if (!same(column->type, &o->row.cells[i], &cell)) {
        const pst_cell *ours = &o->row.cells[i];
        bool is_text = column->type == PST_T_STRING || column->type == PST_T_DECIMAL;
        fail_msg("%s, record %zu, %s %s: Connect has %s, we have %s%.*s%lld", o->name,
                 o->records, column->name, type, value, ours->null ? "null " : "",
                 is_text && !ours->null ? (int)ours->as.s.n : 0,
                 is_text && !ours->null ? ours->as.s.p : "", (long long)ours->as.i);
    }
}

static void check_result(oracle *o, char *at)
{
    const char *how = next_field(&at);
    bool ok = strcmp(how, "ok") == 0, drop = strcmp(how, "drop") == 0;
    if ((ok || drop ? PST_OK : PST_E_INVALID) != o->rc)
        fail_msg("%s, record %zu: Connect has %s, we have %s", o->name, o->records, how,
                 o->rc ? "an error" : "none");
    if (o->rc != PST_OK)
        return;
    assert_int_equal(o->keep, !drop);
    if (drop || !o->msg.value.p)
        return;
    size_t n = 0;
    while (*at)
        check_field(o, n++, next_field(&at));
    assert_int_equal(n, o->row.n);
}

static void take_line(oracle *o, char *line)
{
    char *at = line, *kind = next_field(&at);
    if (strcmp(kind, "case") == 0) {
        open_case(o, at);
    } else if (strcmp(kind, "set") == 0) {
        char *value = strchr(at, '=');
        *value++ = '\0';
        assert_int_equal(pst_props_set(&o->props, at, value, "(test)", &o->report),
                         PST_OK);
    } else if (strcmp(kind, "col") == 0) {
        add_column(o, at);
    } else if (strcmp(kind, "rec") == 0) {
        take_record(o, at);
    } else {
        assert_string_equal(kind, "out");
        check_result(o, at);
    }
}

static void compare(const char *name, size_t cases)
{
    oracle *o = test_calloc(1, sizeof *o);
    char path[200];
    ssize_t n;
    snprintf(path, sizeof path, "tests/data/transforms/%s.tsv", name);
    o->file = fopen(path, "r");
    assert_non_null(o->file);
    while ((n = getline(&o->line, &o->line_cap, o->file)) > 0) {
        o->line[n - 1] = '\0';
        take_line(o, o->line);
    }
    close_case(o);
    assert_int_equal(o->cases, cases);
    assert_int_equal(o->records, 200 * cases);
    fclose(o->file);
    free(o->line);
    test_free(o);
}

static void filter(void **state)
{
    (void)state;
    compare("filter", 9);
}

static void insert(void **state)
{
    (void)state;
    compare("insert", 2);
}

static void replace(void **state)
{
    (void)state;
    compare("replace", 4);
}

static void mask(void **state)
{
    (void)state;
    compare("mask", 4);
}

static void cast(void **state)
{
    (void)state;
    compare("cast", 16);
}

static void timestamp(void **state)
{
    (void)state;
    compare("timestamp", 38);
}

static void extract(void **state)
{
    (void)state;
    compare("extract", 6);
}

static void chain(void **state)
{
    (void)state;
    compare("chain", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter),  cmocka_unit_test(insert), cmocka_unit_test(replace),
        cmocka_unit_test(mask),    cmocka_unit_test(cast),   cmocka_unit_test(timestamp),
        cmocka_unit_test(extract), cmocka_unit_test(chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

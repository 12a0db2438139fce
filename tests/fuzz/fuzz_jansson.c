/*
 * fuzz_jansson.c - the scanner, in each of its variants, and the exact reader against
 * jansson, on every document that jansson takes.
 *
 * The first byte chooses schema and select list; the rest is the record. What jansson
 * takes must not be malformed here, and each column must be what jansson's tree holds at
 * its path. The mutator works on the tree: it adds, drops, copies and replaces values, so
 * that the scanner's guesses about order and names are met and missed.
 *
 * Documented differences (docs/spark.md), each one excused below by name:
 *   DEPTH    Spark (Jackson 2.15) stops at 1,000 levels, jansson at 2,048
 *   DIGITS   Spark refuses numbers of more than 1,000 characters
 *   NUL      jansson skips a NUL behind a word or number; it is malformed in Spark
 *   TWICE    of a name that comes twice jansson keeps the last value; Spark keeps the
 * last good one, and a map keeps the first ROOT     a root that is no object is a row of
 * nulls Spark takes and jansson refuses (nothing to compare): single quotes, NaN and
 * Infinity, NUL in names, lone surrogates, invalid UTF-8, integers beyond 64 bits,
 * numbers beyond a double.
 */
#include "fuzz.h"
#include "record/expr.h"
#include "record/scan.h"

#include <jansson.h>
#include <string.h>

enum { COLUMNS_MAX = 16, STEPS_MAX = 4, LEVELS = 3, LIMIT = 1000 };

/* A column: the way to its value in jansson's tree, names or "[n]". */
typedef struct column {
    const char *steps[STEPS_MAX];
} column;

typedef struct shape {
    const char *schema, *select;
    column columns[COLUMNS_MAX];
} shape;

static const shape shapes[] = {
    {"i BIGINT, n INT, d DOUBLE, s STRING, b BOOLEAN, t STRING",
     "i, n, d, s, b, t",
     {{{"i"}}, {{"n"}}, {{"d"}}, {{"s"}}, {{"b"}}, {{"t"}}}},
    {"id BIGINT, uuid STRING, gender STRING, first_name STRING, city STRING, latitude "
     "DOUBLE, email STRING, age INT, active BOOLEAN",
     "email, id, uuid, age, city, latitude, active",
     {{{"email"}},
      {{"id"}},
      {{"uuid"}},
      {{"age"}},
      {{"city"}},
      {{"latitude"}},
      {{"active"}}}},
    {"name STRUCT<first: STRING, last: STRING>, location STRUCT<city: STRING, "
     "coordinates: "
     "STRUCT<latitude: STRING>>, login STRUCT<uuid: STRING>, email STRING, dob "
     "STRUCT<age: INT>",
     "name.first, name.last, location.city, location.coordinates.latitude, login.uuid, "
     "email, dob.age",
     {{{"name", "first"}},
      {{"name", "last"}},
      {{"location", "city"}},
      {{"location", "coordinates", "latitude"}},
      {{"login", "uuid"}},
      {{"email"}},
      {{"dob", "age"}}}},
    {"a ARRAY<STRING>, m MAP<STRING, STRING>, o STRUCT<a: ARRAY<STRUCT<x: STRING>>>, s "
     "STRING",
     "a[0] AS a0, a[2] AS a2, m['k'] AS k, m['s'] AS ms, o.a[1].x AS x, s",
     {{{"a", "[0]"}},
      {{"a", "[2]"}},
      {{"m", "k"}},
      {{"m", "s"}},
      {{"o", "a", "[1]", "x"}},
      {{"s"}}}},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

typedef struct rig {
    pst_plan *plan;
    pst_context ctx;
    pst_exact exact;
    pst_scan *scan[LEVELS];
    pst_cell *slow, *fast;
} rig;

static rig rigs[N_SHAPES];

static rig *rig_of(unsigned which)
{
    rig *r = &rigs[which];
    pst_err err = PST_ERR_INIT;
    if (r->plan)
        return r;
    pst_reader_conf conf = {.value_schema = (char *)(uintptr_t)shapes[which].schema,
                            .select = (char *)(uintptr_t)shapes[which].select};
    FUZZ_CHECK(pst_plan_new(&r->plan, &conf, &err) == PST_OK);
    r->ctx.json = (pst_json_options){.single_quotes = true, .non_numeric = true};
    r->ctx.partial = r->ctx.date_fallback = r->ctx.timestamp_fallback = true;
    FUZZ_CHECK(pst_zone_new(&r->ctx.zone, PST_SV("UTC"), &err) == PST_OK);
    pst_arena_init(&r->ctx.arena, 1 << 30);
    pst_buf_init(&r->ctx.copy, 1 << 30);
    FUZZ_CHECK(pst_exact_init(&r->exact, r->plan, 1 << 30, &err) == PST_OK);
    for (int level = 0; level < LEVELS; level++)
        FUZZ_CHECK(pst_scan_new(&r->scan[level], r->plan, level, &err) == PST_OK);
    r->slow = pst_calloc(r->plan->n_slots + 1, sizeof *r->slow);
    r->fast = pst_calloc(r->plan->n_slots + 1, sizeof *r->fast);
    FUZZ_CHECK(r->slow && r->fast);
    return r;
}

static pst_cell cell_of(rig *r, size_t i, const pst_cell *slots)
{
    const pst_output *o = &r->plan->outputs[i];
    pst_cell cell;
    if (o->source == PST_FROM_SLOT)
        return slots[o->slot];
    FUZZ_CHECK(pst_code_run(o->code, &r->ctx, slots, NULL, &cell) == PST_OK);
    return cell;
}

/* ---- what jansson's tree says ---- */

/* ITEM: is there one that no struct can be made of? */
static bool has_odd_item(const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_object(item) && !json_is_null(item))
            return true;
    }
    return false;
}

static const json_t *value_at(const json_t *doc, const column *c)
{
    for (size_t i = 0; i < STEPS_MAX && c->steps[i] && doc; i++) {
        const char *step = c->steps[i];
        if (step[0] != '[')
            doc = json_object_get(doc, step);
        else if (i + 1 < STEPS_MAX && c->steps[i + 1] && has_odd_item(doc))
            doc = NULL;
        else
            doc = json_array_get(doc, (size_t)atoi(step + 1));
    }
    return doc;
}

/* TWICE: a STRING takes any value, so the last one counts, unless it is in a container
   that another value did not replace. */
static bool excused_twice(const column *c, pst_type type)
{
    return c->steps[1] || type != PST_T_STRING;
}

/* A value that is no string, written again as JSON: the same tree. */
static void check_copy(pst_sv text, const json_t *value)
{
    json_error_t error;
    json_t *again = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    FUZZ_CHECK(again);
    FUZZ_CHECK(json_equal(again, (json_t *)(uintptr_t)value));
    json_decref(again);
}

static void check_string(const pst_cell *cell, const json_t *value)
{
    FUZZ_CHECK(cell->null == (!value || json_is_null(value)));
    if (cell->null)
        return;
    if (!json_is_string(value)) {
        check_copy(cell->as.s, value);
        return;
    }
    FUZZ_CHECK(cell->as.s.n == json_string_length(value));
    FUZZ_CHECK(!cell->as.s.n ||
               !memcmp(cell->as.s.p, json_string_value(value), cell->as.s.n));
}

static void check_cell(pst_type type, const pst_cell *cell, const json_t *value)
{
    json_int_t i = json_integer_value(value);
    double d = json_number_value(value);
    switch (type) {
    case PST_T_STRING:
        check_string(cell, value);
        break;
    case PST_T_BOOLEAN:
        FUZZ_CHECK(cell->null == !json_is_boolean(value));
        FUZZ_CHECK(cell->null || cell->as.b == json_is_true(value));
        break;
    case PST_T_DOUBLE: /* texts like "NaN" are Spark's own */
        FUZZ_CHECK(!cell->null || !json_is_number(value));
        FUZZ_CHECK(cell->null || json_is_string(value) ||
                   !memcmp(&cell->as.d, &d, sizeof d));
        break;
    default:
        FUZZ_CHECK(cell->null ==
                   (!json_is_integer(value) || (type == PST_T_INT && i != (int32_t)i)));
        FUZZ_CHECK(cell->null || cell->as.i == i);
    }
}

/* ---- the limits that only Spark has ---- */

static size_t depth_of(const json_t *value)
{
    size_t deepest = 0, d, index;
    const char *key;
    json_t *item, *tree = (json_t *)(uintptr_t)value;
    json_object_foreach(tree, key, item)
    {
        d = depth_of(item);
        deepest = d > deepest ? d : deepest;
    }
    json_array_foreach(tree, index, item)
    {
        d = depth_of(item);
        deepest = d > deepest ? d : deepest;
    }
    return deepest + (json_is_object(value) || json_is_array(value));
}

static bool has_long_number(pst_sv text)
{
    size_t run = 0;
    for (size_t i = 0; i < text.n; i++) {
        run = text.p[i] && strchr("0123456789+-.eE", text.p[i]) ? run + 1 : 0;
        if (run > LIMIT)
            return true;
    }
    return false;
}

/* ---- comparing ---- */

static bool same_slot(pst_type type, const pst_cell *a, const pst_cell *b)
{
    if (a->null || b->null)
        return a->null == b->null;
    if (type == PST_T_STRING)
        return pst_sv_eq(a->as.s, b->as.s);
    return type == PST_T_BOOLEAN ? a->as.b == b->as.b : a->as.i == b->as.i;
}

/* Each variant of the scanner that does not leave the record to the exact reader. */
static void check_scanners(rig *r, pst_sv text, pst_read want)
{
    for (int level = 0; level < LEVELS; level++) {
        pst_read got;
        if (!pst_scan_read(r->scan[level], &r->ctx, text, r->fast, &got))
            continue;
        FUZZ_CHECK(got == want);
        for (size_t i = 0; i < r->plan->n_outputs; i++) {
            pst_cell slow = cell_of(r, i, r->slow), fast = cell_of(r, i, r->fast);
            FUZZ_CHECK(same_slot(r->plan->columns[i].type, &slow, &fast));
        }
    }
}

static void check_tree(rig *r, const shape *s, pst_read got, pst_sv text)
{
    json_error_t error;
    size_t flags = JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK;
    json_t *doc = json_loadb(text.p ? text.p : "", text.n, flags, &error);
    if (!json_is_object(doc)) { /* ROOT */
        FUZZ_CHECK(!doc || got == PST_READ_MALFORMED);
        json_decref(doc);
        return;
    }
    json_t *once = json_loadb(text.p, text.n, flags | JSON_REJECT_DUPLICATES, &error);
    if (got == PST_READ_MALFORMED) /* DEPTH may hide behind TWICE */
        FUZZ_CHECK(has_long_number(text) ||
                   (once ? depth_of(doc) > LIMIT : text.n > LIMIT));
    for (size_t i = 0; got != PST_READ_MALFORMED && i < r->plan->n_outputs; i++) {
        pst_type type = r->plan->columns[i].type;
        pst_cell cell = cell_of(r, i, r->slow);
        if (once || !excused_twice(&s->columns[i], type))
            check_cell(type, &cell, value_at(doc, &s->columns[i]));
    }
    json_decref(once);
    json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    unsigned which = fuzz_choose(&in, N_SHAPES);
    rig *r = rig_of(which);
    pst_sv text = fuzz_rest(&in);
    pst_arena_reset(&r->ctx.arena);
    for (size_t i = 0; i < r->plan->n_slots; i++)
        r->slow[i].null = true;
    pst_read got = pst_exact_read(&r->exact, &r->ctx, r->plan, text, r->slow);
    FUZZ_CHECK(got != PST_READ_NOMEM);
    check_scanners(r, text, got);
    if (!text.n || !memchr(text.p, '\0', text.n)) /* NUL */
        check_tree(r, &shapes[which], got, text);
    return 0;
}

/* ---- the mutator ---- */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned int seed);

static uint32_t next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static json_t *leaf(uint32_t *seed)
{
    static const char *const documents[] = {
        "0",
        "-0",
        "1",
        "-1",
        "42",
        "2147483647",
        "2147483648",
        "-2147483649",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5",
        "1.50",
        "-0.0",
        "1e5",
        "1E-7",
        "0.1",
        "123456789012345678.5",
        "5e-324",
        "1.7976931348623157e308",
        "1e-400",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\"",
        "\"a,b\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u00e9\\ud83d\\ude00\\u0000x\"",
        "\"é€😀\"",
        "\"NaN\"",
        "\"0123456789012345678901234567890123456789\"",
        "{}",
        "[]",
        "[1,[2,{\"a\":3}]]",
        "{\"x\":{\"y\":[]},\"z\":\" \"}",
        "[{\"x\":\"p\"},{\"x\":7}]",
    };
    json_error_t error;
    return json_loads(documents[next(seed) % (sizeof documents / sizeof *documents)],
                      JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
}

static const char *name_of(uint32_t *seed)
{
    static const char *const names[] = {
        "i",
        "n",
        "d",
        "s",
        "b",
        "t",
        "a",
        "m",
        "o",
        "k",
        "x",
        "id",
        "uuid",
        "gender",
        "first_name",
        "city",
        "latitude",
        "email",
        "age",
        "active",
        "name",
        "first",
        "last",
        "location",
        "coordinates",
        "login",
        "dob",
        "",
        "\xc3\xa9",
        "I",
        "a name that is longer than thirty-two bytes of a vector"};
    return names[next(seed) % (sizeof names / sizeof *names)];
}

/* A container somewhere beneath. */
static json_t *some_container(json_t *at, uint32_t *seed)
{
    for (;;) {
        size_t n = json_is_object(at) ? json_object_size(at) : json_array_size(at);
        if (!n || next(seed) % 3 == 0)
            return at;
        size_t k = next(seed) % n;
        json_t *child = json_array_get(at, k);
        if (json_is_object(at)) {
            void *iter = json_object_iter(at);
            while (k--)
                iter = json_object_iter_next(at, iter);
            child = json_object_iter_value(iter);
        }
        if (!json_is_object(child) && !json_is_array(child))
            return at;
        at = child;
    }
}

static void change(json_t *root, uint32_t *seed)
{
    json_t *at = some_container(root, seed), *value = leaf(seed);
    if (next(seed) % 6 == 0) {
        json_decref(value);
        value = json_deep_copy(some_container(root, seed));
    }
    if (json_is_array(at)) {
        size_t n = json_array_size(at), k = next(seed) % (n + 1);
        if (n && next(seed) % 3 == 0)
            json_array_remove(at, k % n);
        else
            json_array_insert(at, k, value);
    } else if (next(seed) % 4 == 0) {
        json_object_del(at, name_of(seed));
    } else {
        json_object_set(at, name_of(seed), value);
    }
    json_decref(value);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned int seed)
{
    static const size_t styles[] = {0, JSON_COMPACT, JSON_INDENT(3), JSON_ENSURE_ASCII,
                                    JSON_ESCAPE_SLASH | JSON_SORT_KEYS};
    uint32_t state = seed | 1;
    json_error_t error;
    json_t *doc = size > 1 ? json_loadb((char *)data + 1, size - 1,
                                        JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &error)
                           : NULL;
    if (!doc || next(&state) % 3 == 0) {
        json_decref(doc);
        return LLVMFuzzerMutate(data, size, max_size);
    }
    for (uint32_t n = 1 + next(&state) % 4; n; n--)
        change(doc, &state);
    char *text = json_dumps(doc, styles[next(&state) % 5]);
    size_t n = text ? strlen(text) : 0;
    json_decref(doc);
    if (text && n < max_size) {
        memcpy(data + 1, text, n);
        size = n + 1;
    }
    free(text);
    return size;
}

/*
 * cast.c - Cast$Value: Java's conversions, not Spark's CAST. What can't be converted is
 * an error of its record, and numbers that are too large wrap or saturate as Java's do.
 */
#include "record/number.h"
#include "transform/internal.h"
#include "transform/java.h"

typedef struct cast_conf {
    pst_step_conf common;
    pst_conf_list spec;
    bool null_default;
} cast_conf;

typedef struct cast {
    const char *name;
    size_t slot;
    pst_type from, to;
} cast;

typedef struct casts {
    size_t n;
    cast at[];
} casts;

static const pst_setting rows[] = {
    {.name = "spec",
     .type = PST_CONF_LIST,
     .offset = offsetof(cast_conf, spec),
     .flags = PST_CONF_REQUIRED,
     .doc = "field:type, separated by commas; types are int8, int16, int32, int64, "
            "float32, float64, boolean and string"},
    {.name = "replace.null.with.default",
     .type = PST_CONF_BOOL,
     .offset = offsetof(cast_conf, null_default),
     .def = "true",
     .doc = "Columns have no defaults: without effect."},
};

static const pst_conf_section section = {.rows = rows, .n_rows = 2};

/* ---- compiling ---- */

static bool find_type(pst_sv name, pst_type *out)
{
    static const struct {
        const char *name;
        pst_type type;
    } types[] = {{"int8", PST_T_BYTE},       {"int16", PST_T_SHORT},
                 {"int32", PST_T_INT},       {"int64", PST_T_LONG},
                 {"float32", PST_T_FLOAT},   {"float64", PST_T_DOUBLE},
                 {"boolean", PST_T_BOOLEAN}, {"string", PST_T_STRING}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (pst_sv_eq_nocase(name, pst_sv_of(types[i].name))) {
            *out = types[i].type;
            return true;
        }
    return false;
}

static pst_rc add_cast(casts *all, const pst_live *live, pst_type to, pst_err *err)
{
    pst_type from = live->column.type;
    if (from > PST_T_TIMESTAMP_NTZ)
        return pst_fail(err, PST_E_CONFIG, "'%.100s' is no single value",
                        live->column.name);
    if (from == PST_T_BINARY && to != PST_T_STRING)
        return pst_fail(err, PST_E_CONFIG,
                        "'%.100s' is BINARY: it can be cast to string only",
                        live->column.name);
    cast *at = &all->at[all->n];
    for (size_t i = 0; i < all->n; i++)
        if (all->at[i].slot == live->slot)
            at = &all->at[i]; /* the last one counts */
    if (at == &all->at[all->n])
        all->n++;
    *at = (cast){live->column.name, live->slot, from, to};
    return PST_OK;
}

static pst_rc bind_item(casts *all, pst_shape *shape, const char *item, pst_err *err)
{
    pst_sv type_name, field = pst_sv_cut(pst_sv_of(item), ':', &type_name);
    char name[256];
    pst_type type;
    pst_live *live = shape->at;
    if (type_name.p && memchr(type_name.p, ':', type_name.n))
        return pst_fail(err, PST_E_CONFIG, "'%.100s' is not field:type", item);
    if (!type_name.p && !shape->single)
        return pst_fail(err, PST_E_CONFIG,
                        "'%.100s' is not field:type (a row can't be cast as a whole)",
                        item);
    if (type_name.p && shape->single)
        return pst_fail(err, PST_E_CONFIG,
                        "an ExtractField before it has left a single value, without "
                        "fields: set the type alone");
    field = pst_sv_trim(field);
    if (!find_type(type_name.p ? pst_sv_trim(type_name) : field, &type))
        return pst_fail(err, PST_E_CONFIG,
                        "'%.100s' has no known type; there are int8, int16, int32, "
                        "int64, float32, float64, boolean and string",
                        item);
    if (field.n >= sizeof name)
        return pst_fail(err, PST_E_CONFIG, "names a field that is too long");
    memcpy(name, field.p, field.n);
    name[field.n] = '\0';
    pst_rc rc = shape->single ? PST_OK : pst_shape_need(shape, name, &live, err);
    return rc == PST_OK ? add_cast(all, live, type, err) : rc;
}

static pst_rc bind(pst_step *step, pst_shape *shape, const char **setting, pst_err *err)
{
    const cast_conf *conf = step->group.conf;
    casts *all = pst_calloc(1, sizeof *all + (conf->spec.n + 1) * sizeof *all->at);
    if (!all)
        return pst_fail_nomem(err, "the transforms");
    step->state = all;
    *setting = "spec";
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < conf->spec.n; i++)
        rc = bind_item(all, shape, conf->spec.items[i], err);
    for (size_t i = 0; rc == PST_OK && i < all->n; i++)
        for (size_t k = 0; k < shape->n; k++)
            if (shape->at[k].slot == all->at[i].slot)
                shape->at[k].column.type = all->at[i].to;
    return rc;
}

static bool touches(const pst_step *step, const char *field)
{
    const casts *all = step->state;
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->at[i].name, field) == 0)
            return true;
    return false;
}

/* ---- a value ---- */

static pst_rc bad(const cast *c, pst_err *err)
{
    return pst_fail(err, PST_E_INVALID, "the text of '%.100s' is no number of its type",
                    c->name);
}

/* As a Number gives it: times count by milliseconds, as Connect's do. */
static int64_t long_of(const cast *c, const pst_cell *cell)
{
    switch (c->from) {
    case PST_T_BOOLEAN:
        return cell->as.b;
    case PST_T_FLOAT:
    case PST_T_DOUBLE:
        return pst_java_of_real(c->to == PST_T_BOOLEAN ? PST_T_LONG : c->to, cell->as.d);
    case PST_T_DECIMAL:
        return pst_java_decimal_long(cell->as.s);
    case PST_T_TIMESTAMP:
    case PST_T_TIMESTAMP_NTZ:
        return cell->as.i / 1000 - (cell->as.i % 1000 < 0);
    default:
        return cell->as.i;
    }
}

static pst_rc to_int(const cast *c, pst_cell *cell, pst_err *err)
{
    int64_t value;
    if (c->from != PST_T_STRING)
        value = long_of(c, cell);
    else if (!pst_java_parse_long(cell->as.s, &value) ||
             pst_java_narrow(c->to, value) != value)
        return bad(c, err);
    cell->as.i = pst_java_narrow(c->to, value);
    return PST_OK;
}

static pst_rc to_real(const cast *c, pst_cell *cell, pst_err *err)
{
    bool is_float = c->to == PST_T_FLOAT;
    double value;
    if (c->from == PST_T_STRING || c->from == PST_T_DECIMAL) {
        if (!pst_java_parse_real(cell->as.s, is_float, &value))
            return bad(c, err);
    } else if (c->from == PST_T_FLOAT || c->from == PST_T_DOUBLE) {
        value = cell->as.d;
    } else {
        int64_t whole = long_of(c, cell);
        value = is_float ? (double)(float)whole : (double)whole;
    }
    cell->as.d = is_float ? (double)(float)value : value;
    return PST_OK;
}

static void to_bool(const cast *c, pst_cell *cell)
{
    cell->as.b = c->from == PST_T_STRING ? pst_sv_eq_nocase(cell->as.s, PST_SV("true"))
                                         : long_of(c, cell) != 0;
}

static pst_rc binary_text(pst_run *run, pst_cell *cell, pst_err *err)
{
    pst_sv bytes = cell->as.s;
    size_t n = 4 * ((bytes.n + 2) / 3);
    char *out = pst_arena_get(run->arena, n + 1);
    if (!out)
        return pst_fail_nomem(err, "a record");
    pst_base64(out, bytes.p, bytes.n);
    pst_arena_keep(run->arena, n);
    cell->as.s = (pst_sv){out, n};
    return PST_OK;
}

static pst_rc to_text(const cast *c, pst_run *run, pst_cell *cell, pst_err *err)
{
    char text[PST_JAVA_DATE_MAX];
    size_t n;
    int64_t ms;
    switch (c->from) {
    case PST_T_STRING:
    case PST_T_DECIMAL:
        return PST_OK;
    case PST_T_BINARY:
        return binary_text(run, cell, err);
    case PST_T_BOOLEAN:
        cell->as.s = cell->as.b ? PST_SV("true") : PST_SV("false");
        return PST_OK;
    case PST_T_FLOAT:
        n = pst_number_of_float(text, (float)cell->as.d, PST_NUMBER_JDK17);
        break;
    case PST_T_DOUBLE:
        n = pst_number_of_double(text, cell->as.d, PST_NUMBER_JDK17);
        break;
    case PST_T_DATE:
    case PST_T_TIMESTAMP:
    case PST_T_TIMESTAMP_NTZ:
        ms = long_of(c, cell);
        if (c->from == PST_T_DATE && __builtin_mul_overflow(ms, 86400000, &ms))
            return pst_fail(err, PST_E_INVALID, "the date of '%.100s' is out of range",
                            c->name);
        n = pst_java_date_text(ms, text);
        break;
    default:
        n = pst_number_of_long(text, cell->as.i);
    }
    return pst_run_keep(run, (pst_sv){text, n}, cell, err);
}

static pst_rc apply(const pst_step *step, pst_run *run, pst_err *err)
{
    const casts *all = step->state;
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < all->n; i++) {
        const cast *c = &all->at[i];
        pst_cell *cell = &run->slots[c->slot];
        if (cell->null)
            continue;
        if (c->to == PST_T_STRING)
            rc = to_text(c, run, cell, err);
        else if (c->to == PST_T_BOOLEAN)
            to_bool(c, cell);
        else if (c->to == PST_T_FLOAT || c->to == PST_T_DOUBLE)
            rc = to_real(c, cell, err);
        else
            rc = to_int(c, cell, err);
    }
    return rc;
}

const pst_kind pst_kind_cast = {
    .name = "Cast",
    .sided = true,
    .columns = true,
    .section = &section,
    .conf_size = sizeof(cast_conf),
    .bind = bind,
    .apply = apply,
    .touches = touches,
};

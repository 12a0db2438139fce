/*
 * mask.c - MaskField$Value: a column's values become its type's empty value (0, false,
 * "", 1970), or a replacement; nulls stay nulls. All masks are made when the chain is
 * compiled.
 */
#include "record/decimal.h"
#include "transform/internal.h"
#include "transform/java.h"

typedef struct mask_conf {
    pst_step_conf common;
    pst_conf_list fields;
    char *replacement;
    bool null_default;
} mask_conf;

static const pst_setting rows[] = {
    {.name = "fields",
     .type = PST_CONF_LIST,
     .offset = offsetof(mask_conf, fields),
     .flags = PST_CONF_REQUIRED,
     .doc = "The columns to mask."},
    {.name = "replacement",
     .type = PST_CONF_STRING,
     .offset = offsetof(mask_conf, replacement),
     .flags = PST_CONF_RAW,
     .doc = "What the values become, of number and text columns; default: 0, false or "
            "an empty text."},
    {.name = "replace.null.with.default",
     .type = PST_CONF_BOOL,
     .offset = offsetof(mask_conf, null_default),
     .def = "true",
     .doc = "Columns have no defaults: without effect."},
};

static const pst_conf_section section = {.rows = rows,
                                         .n_rows = sizeof rows / sizeof *rows};

typedef struct mask {
    size_t slot;
    pst_cell cell;
    char text[PST_DECIMAL_TEXT_MAX]; /* of a DECIMAL */
} mask;

typedef struct masks {
    size_t n;
    mask at[];
} masks;

static pst_rc decimal_mask(mask *m, const pst_column *column, pst_sv text, pst_err *err)
{
    size_t n;
    if (!pst_decimal_of(text, column->precision, column->scale, m->text, &n))
        return pst_fail(err, PST_E_CONFIG,
                        "'%.100s' does not fit the DECIMAL(%d,%d) '%.100s'", text.p,
                        column->precision, column->scale, column->name);
    m->cell.as.s = (pst_sv){m->text, n};
    return PST_OK;
}

static pst_rc empty_mask(mask *m, const pst_column *column, pst_err *err)
{
    m->cell = (pst_cell){.null = false};
    switch (column->type) {
    case PST_T_BOOLEAN:
        m->cell.as.b = false;
        return PST_OK;
    case PST_T_FLOAT:
    case PST_T_DOUBLE:
        m->cell.as.d = 0;
        return PST_OK;
    case PST_T_DECIMAL:
        return decimal_mask(m, column, PST_SV("0"), err);
    case PST_T_STRING:
        m->cell.as.s = PST_SV("");
        return PST_OK;
    case PST_T_BINARY:
        return pst_fail(err, PST_E_CONFIG,
                        "'%.100s' is BINARY: Connect has no mask "
                        "for bytes",
                        column->name);
    default:
        m->cell.as.i = 0;
        return column->type < PST_T_STRUCT
                   ? PST_OK
                   : pst_fail(err, PST_E_CONFIG, "'%.100s' is no single value",
                              column->name);
    }
}

static pst_rc own_mask(mask *m, const pst_column *column, const char *replacement,
                       pst_err *err)
{
    pst_sv text = pst_sv_of(replacement);
    double value;
    m->cell = (pst_cell){.null = false};
    if (column->type == PST_T_STRING) {
        m->cell.as.s = text;
        return PST_OK;
    }
    if (column->type == PST_T_BOOLEAN || column->type > PST_T_DECIMAL)
        return pst_fail(err, PST_E_CONFIG,
                        "'%.100s' is neither a number nor a text: a replacement can't "
                        "be of its type",
                        column->name);
    if (!pst_java_is_decimal(text))
        return pst_fail(err, PST_E_CONFIG, "'%.100s' is no number, as '%.100s' is",
                        replacement, column->name);
    if (column->type == PST_T_DECIMAL)
        return decimal_mask(m, column, text, err);
    if (column->type < PST_T_FLOAT) {
        m->cell.as.i = pst_java_narrow(column->type, pst_java_decimal_long(text));
        return PST_OK;
    }
    (void)pst_java_parse_real(text, false, &value);
    m->cell.as.d = column->type == PST_T_FLOAT ? (double)(float)value : value;
    return PST_OK;
}

static pst_rc bind(pst_step *step, pst_shape *shape, const char **setting, pst_err *err)
{
    const mask_conf *conf = step->group.conf;
    bool own = conf->replacement && *conf->replacement;
    masks *all = pst_calloc(1, sizeof *all + (conf->fields.n + 1) * sizeof *all->at);
    if (!all)
        return pst_fail_nomem(err, "the transforms");
    step->state = all;
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < conf->fields.n; i++) {
        pst_live *live;
        mask *m = &all->at[all->n++];
        *setting = "fields";
        rc = pst_shape_need(shape, conf->fields.items[i], &live, err);
        if (rc != PST_OK)
            return rc;
        m->slot = live->slot;
        *setting = own ? "replacement" : "fields";
        rc = own ? own_mask(m, &live->column, conf->replacement, err)
                 : empty_mask(m, &live->column, err);
    }
    return rc;
}

static pst_rc apply(const pst_step *step, pst_run *run, pst_err *err)
{
    const masks *all = step->state;
    (void)err;
    for (size_t i = 0; i < all->n; i++)
        if (!run->slots[all->at[i].slot].null)
            run->slots[all->at[i].slot] = all->at[i].cell;
    return PST_OK;
}

static bool touches(const pst_step *step, const char *field)
{
    const mask_conf *conf = step->group.conf;
    for (size_t i = 0; i < conf->fields.n; i++)
        if (strcmp(conf->fields.items[i], field) == 0)
            return true;
    return false;
}

const pst_kind pst_kind_mask = {
    .name = "MaskField",
    .sided = true,
    .section = &section,
    .conf_size = sizeof(mask_conf),
    .bind = bind,
    .apply = apply,
    .touches = touches,
};

/*
 * columns.c - the transforms that choose records and columns: Filter, InsertField,
 * ReplaceField, ExtractField, Flatten, ValueToKey.
 *
 * ReplaceField, ExtractField and Flatten are done when the chain is compiled.
 */
#include "transform/internal.h"

/* ---- Filter ---- */

static pst_rc bind_filter(pst_step *step, pst_shape *shape, const char **setting,
                          pst_err *err)
{
    (void)shape;
    *setting = "predicate";
    if (step->predicate)
        return PST_OK;
    return pst_fail(err, PST_E_CONFIG,
                    "missing: without a predicate Filter drops every record");
}

static pst_rc apply_filter(const pst_step *step, pst_run *run, pst_err *err)
{
    (void)step;
    (void)err;
    run->dropped = true;
    return PST_OK;
}

const pst_kind pst_kind_filter = {
    .name = "Filter",
    .bind = bind_filter,
    .apply = apply_filter,
};

/* ---- InsertField ---- */

enum { TOPIC, PARTITION, OFFSET, TIMESTAMP, STATIC, INSERTS };

typedef struct insert_conf {
    pst_step_conf common;
    char *fields[INSERTS];
    char *static_value;
    bool null_default;
} insert_conf;

#define FIELD(i) (offsetof(insert_conf, fields) + (i) * sizeof(char *))
#define NO_DEFAULT(conf_type)                                                            \
    {                                                                                    \
        .name = "replace.null.with.default", .type = PST_CONF_BOOL,                      \
        .offset = offsetof(conf_type, null_default), .def = "true",                      \
        .doc = "Columns have no defaults: without effect."                               \
    }

static const pst_setting insert_rows[] = {
    {.name = "topic.field",
     .type = PST_CONF_STRING,
     .offset = FIELD(TOPIC),
     .doc = "Column for the record's topic."},
    {.name = "partition.field",
     .type = PST_CONF_STRING,
     .offset = FIELD(PARTITION),
     .doc = "Column for its partition."},
    {.name = "offset.field",
     .type = PST_CONF_STRING,
     .offset = FIELD(OFFSET),
     .doc = "Column for its offset."},
    {.name = "timestamp.field",
     .type = PST_CONF_STRING,
     .offset = FIELD(TIMESTAMP),
     .doc = "Column for its timestamp."},
    {.name = "static.field",
     .type = PST_CONF_STRING,
     .offset = FIELD(STATIC),
     .doc = "Column for static.value."},
    {.name = "static.value",
     .type = PST_CONF_STRING,
     .offset = offsetof(insert_conf, static_value),
     .doc = "The text of static.field."},
    NO_DEFAULT(insert_conf),
};

static const pst_conf_section insert_section = {
    .rows = insert_rows, .n_rows = sizeof insert_rows / sizeof *insert_rows};

typedef struct insert {
    bool on[INSERTS];
    size_t slots[INSERTS];
    char *names[INSERTS]; /* without the ? or ! */
    pst_sv static_value;
} insert;

/* "name?" may be null, "name!" may not: all columns may be. */
static char *bare(const char *field)
{
    size_t n = strlen(field);
    return pst_strndup(field, n - (field[n - 1] == '?' || field[n - 1] == '!'));
}

static pst_rc bind_insert(pst_step *step, pst_shape *shape, const char **setting,
                          pst_err *err)
{
    static const pst_type types[] = {PST_T_STRING, PST_T_INT, PST_T_LONG, PST_T_TIMESTAMP,
                                     PST_T_STRING};
    const insert_conf *conf = step->group.conf;
    insert *state = pst_calloc(1, sizeof *state);
    if (!state)
        return pst_fail_nomem(err, "the transforms");
    step->state = state;
    state->static_value = pst_sv_of(conf->static_value);
    bool any = false;
    for (int i = 0; i < INSERTS; i++) {
        if (!conf->fields[i] || !*conf->fields[i])
            continue;
        any = state->on[i] = true;
        *setting = insert_rows[i].name;
        state->names[i] = bare(conf->fields[i]);
        if (!state->names[i])
            return pst_fail_nomem(err, "the transforms");
        if (!*state->names[i])
            return pst_fail(err, PST_E_CONFIG, "names no column");
        pst_rc rc =
            pst_shape_add(shape, state->names[i], types[i], &state->slots[i], err);
        if (rc != PST_OK)
            return rc;
    }
    *setting = state->on[STATIC] ? "static.value" : "topic.field";
    if (!any)
        return pst_fail(err, PST_E_CONFIG,
                        "no field is inserted: set topic.field, partition.field, "
                        "offset.field, timestamp.field or static.field");
    if (state->on[STATIC] && !conf->static_value)
        return pst_fail(err, PST_E_CONFIG, "missing: static.field has no value");
    return PST_OK;
}

static void done_insert(pst_step *step)
{
    insert *state = step->state;
    for (int i = 0; state && i < INSERTS; i++)
        pst_free(state->names[i]);
}

/* A tombstone has no fields to go with. */
static pst_rc apply_insert(const pst_step *step, pst_run *run, pst_err *err)
{
    const insert *state = step->state;
    const pst_msg *msg = run->msg;
    (void)err;
    if (!msg->value.p)
        return PST_OK;
    pst_cell cells[INSERTS] = {
        {.as.s = pst_sv_of(msg->topic)}, {.as.i = msg->partition},
        {.as.i = msg->offset},           {.null = msg->timestamp_ms < 0},
        {.as.s = state->static_value},
    };
    if (__builtin_mul_overflow(msg->timestamp_ms, 1000, &cells[TIMESTAMP].as.i))
        cells[TIMESTAMP].null = true;
    for (int i = 0; i < INSERTS; i++)
        if (state->on[i])
            run->slots[state->slots[i]] = cells[i];
    return PST_OK;
}

static bool touches_insert(const pst_step *step, const char *field)
{
    const insert *state = step->state;
    for (int i = 0; i < INSERTS; i++)
        if (state->on[i] && strcmp(state->names[i], field) == 0)
            return true;
    return false;
}

const pst_kind pst_kind_insert = {
    .name = "InsertField",
    .sided = true,
    .section = &insert_section,
    .conf_size = sizeof(insert_conf),
    .bind = bind_insert,
    .apply = apply_insert,
    .touches = touches_insert,
    .done = done_insert,
};

/* ---- ReplaceField ---- */

typedef struct replace_conf {
    pst_step_conf common;
    pst_conf_list include, exclude, renames;
    bool null_default;
} replace_conf;

static const pst_setting replace_rows[] = {
    {.name = "exclude",
     .type = PST_CONF_LIST,
     .offset = offsetof(replace_conf, exclude),
     .doc = "Columns to drop; this goes before include."},
    {.name = "include",
     .type = PST_CONF_LIST,
     .offset = offsetof(replace_conf, include),
     .doc = "Columns to keep; empty = all."},
    {.name = "renames",
     .type = PST_CONF_LIST,
     .offset = offsetof(replace_conf, renames),
     .doc = "old:new, separated by commas."},
    NO_DEFAULT(replace_conf),
};

static const pst_conf_section replace_section = {
    .rows = replace_rows, .n_rows = sizeof replace_rows / sizeof *replace_rows};

typedef struct rename {
    char *from, *to;
} rename;

typedef struct replace {
    size_t n;
    rename at[];
} replace;

static bool holds(const pst_conf_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i], name) == 0)
            return true;
    return false;
}

static pst_rc need_all(const pst_conf_list *list, const pst_shape *shape, pst_err *err)
{
    pst_live *live;
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < list->n; i++)
        rc = pst_shape_need(shape, list->items[i], &live, err);
    return rc;
}

static pst_rc parse_renames(replace *state, const pst_conf_list *list,
                            const pst_shape *shape, pst_err *err)
{
    pst_live *live;
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < list->n; i++) {
        pst_sv to, from = pst_sv_cut(pst_sv_of(list->items[i]), ':', &to);
        if (!to.p || !to.n || !from.n || memchr(to.p, ':', to.n))
            return pst_fail(err, PST_E_CONFIG, "'%.100s' is not old:new", list->items[i]);
        rename *at = &state->at[state->n++];
        at->from = pst_strndup(from.p, from.n);
        at->to = pst_strndup(to.p, to.n);
        if (!at->from || !at->to)
            return pst_fail_nomem(err, "the transforms");
        rc = pst_shape_need(shape, at->from, &live, err);
    }
    return rc;
}

static pst_rc rename_all(const replace *state, pst_shape *shape, pst_err *err)
{
    for (size_t i = 0; i < shape->n; i++)
        for (size_t k = state->n; k-- > 0;) /* the last one counts */
            if (strcmp(shape->at[i].column.name, state->at[k].from) == 0) {
                shape->at[i].column.name = state->at[k].to;
                break;
            }
    for (size_t i = 0; i < shape->n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(shape->at[i].column.name, shape->at[k].column.name) == 0)
                return pst_fail(err, PST_E_CONFIG, "makes two columns '%.100s'",
                                shape->at[i].column.name);
    return PST_OK;
}

static pst_rc bind_replace(pst_step *step, pst_shape *shape, const char **setting,
                           pst_err *err)
{
    const replace_conf *conf = step->group.conf;
    replace *state =
        pst_calloc(1, sizeof *state + (conf->renames.n + 1) * sizeof *state->at);
    if (!state)
        return pst_fail_nomem(err, "the transforms");
    step->state = state;
    *setting = "exclude";
    pst_rc rc = need_all(&conf->exclude, shape, err);
    if (rc == PST_OK) {
        *setting = "include";
        rc = need_all(&conf->include, shape, err);
    }
    if (rc == PST_OK) {
        *setting = "renames";
        rc = parse_renames(state, &conf->renames, shape, err);
    }
    size_t n = 0;
    for (size_t i = 0; rc == PST_OK && i < shape->n; i++) {
        const char *name = shape->at[i].column.name;
        if (!holds(&conf->exclude, name) &&
            (!conf->include.n || holds(&conf->include, name)))
            shape->at[n++] = shape->at[i];
    }
    if (rc != PST_OK)
        return rc;
    shape->n = n;
    return rename_all(state, shape, err);
}

static bool touches_replace(const pst_step *step, const char *field)
{
    const replace_conf *conf = step->group.conf;
    const replace *state = step->state;
    bool touched = holds(&conf->exclude, field) ||
                   (conf->include.n && !holds(&conf->include, field));
    for (size_t i = 0; i < state->n; i++)
        touched |=
            strcmp(state->at[i].from, field) == 0 || strcmp(state->at[i].to, field) == 0;
    return touched;
}

static void done_replace(pst_step *step)
{
    replace *state = step->state;
    for (size_t i = 0; state && i < state->n; i++) {
        pst_free(state->at[i].from);
        pst_free(state->at[i].to);
    }
}

const pst_kind pst_kind_replace = {
    .name = "ReplaceField",
    .sided = true,
    .columns = true,
    .section = &replace_section,
    .conf_size = sizeof(replace_conf),
    .bind = bind_replace,
    .touches = touches_replace,
    .done = done_replace,
};

/* ---- ExtractField, Flatten ---- */

typedef struct extract_conf {
    pst_step_conf common;
    char *field;
    bool null_default;
} extract_conf;

static const pst_setting extract_rows[] = {
    {.name = "field",
     .type = PST_CONF_STRING,
     .offset = offsetof(extract_conf, field),
     .flags = PST_CONF_REQUIRED,
     .doc = "The column that is left."},
    NO_DEFAULT(extract_conf),
};

static const pst_conf_section extract_section = {.rows = extract_rows, .n_rows = 2};

static pst_rc bind_extract(pst_step *step, pst_shape *shape, const char **setting,
                           pst_err *err)
{
    const extract_conf *conf = step->group.conf;
    pst_live *live;
    *setting = "field";
    pst_rc rc = pst_shape_need(shape, conf->field, &live, err);
    if (rc != PST_OK)
        return rc;
    shape->at[0] = *live;
    shape->n = 1;
    shape->single = true;
    return PST_OK;
}

static bool touches_extract(const pst_step *step, const char *field)
{
    const extract_conf *conf = step->group.conf;
    return strcmp(conf->field, field) != 0;
}

const pst_kind pst_kind_extract = {
    .name = "ExtractField",
    .sided = true,
    .columns = true,
    .section = &extract_section,
    .conf_size = sizeof(extract_conf),
    .bind = bind_extract,
    .touches = touches_extract,
};

static const pst_setting flatten_rows[] = {
    {.name = "delimiter",
     .type = PST_CONF_STRING,
     .offset = offsetof(extract_conf, field),
     .def = ".",
     .flags = PST_CONF_RAW,
     .doc = "What stands between the names of nested fields."},
};

static const pst_conf_section flatten_section = {.rows = flatten_rows, .n_rows = 1};

/* The select list has made flat columns already. */
static pst_rc bind_flatten(pst_step *step, pst_shape *shape, const char **setting,
                           pst_err *err)
{
    (void)step;
    for (size_t i = 0; i < shape->n; i++)
        if (shape->at[i].column.type >= PST_T_STRUCT) {
            *setting = "type";
            return pst_fail(err, PST_E_CONFIG,
                            "'%.100s' is nested, and rows are flat: select its fields",
                            shape->at[i].column.name);
        }
    return PST_OK;
}

const pst_kind pst_kind_flatten = {
    .name = "Flatten",
    .sided = true,
    .columns = true,
    .section = &flatten_section,
    .conf_size = sizeof(extract_conf),
    .bind = bind_flatten,
};

/* ---- ValueToKey ---- */

typedef struct to_key_conf {
    pst_step_conf common;
    pst_conf_list fields;
    bool null_default;
} to_key_conf;

static const pst_setting to_key_rows[] = {
    {.name = "fields",
     .type = PST_CONF_LIST,
     .offset = offsetof(to_key_conf, fields),
     .flags = PST_CONF_REQUIRED,
     .doc = "The columns that the key is made of."},
    NO_DEFAULT(to_key_conf),
};

static const pst_conf_section to_key_section = {.rows = to_key_rows, .n_rows = 2};

/* A row has no key: the columns are to be there, and that is all. */
static pst_rc bind_to_key(pst_step *step, pst_shape *shape, const char **setting,
                          pst_err *err)
{
    const to_key_conf *conf = step->group.conf;
    *setting = "fields";
    return need_all(&conf->fields, shape, err);
}

/* Connect's takes no record without a value. */
static pst_rc apply_to_key(const pst_step *step, pst_run *run, pst_err *err)
{
    (void)step;
    if (run->msg->value.p)
        return PST_OK;
    return pst_fail(err, PST_E_INVALID, "a null value has no fields for the key");
}

const pst_kind pst_kind_to_key = {
    .name = "ValueToKey",
    .section = &to_key_section,
    .conf_size = sizeof(to_key_conf),
    .bind = bind_to_key,
    .apply = apply_to_key,
};

/*
 * chain.c - see transform.h: the list of transforms becomes steps on numbered slots.
 *
 * While it is compiled, the shape says which column lies in which slot. A step that drops
 * or renames changes the shape alone; one that adds a column takes a new slot. A record
 * then is: its cells into the slots, the steps that do something, the shape's last slots
 * out.
 */
#include "transform/internal.h"

#include <stdio.h>

enum { ARENA_MAX = 256 * 1024 * 1024, KEY_TEXT = 256 };

const pst_kind *const pst_kinds[] = {&pst_kind_filter,  &pst_kind_insert,
                                     &pst_kind_replace, &pst_kind_mask,
                                     &pst_kind_cast,    &pst_kind_timestamp,
                                     &pst_kind_extract, &pst_kind_flatten,
                                     &pst_kind_to_key,  NULL};

/* ---- the shape ---- */

pst_live *pst_shape_find(const pst_shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->n; i++)
        if (strcmp(shape->at[i].column.name, name) == 0)
            return &shape->at[i];
    return NULL;
}

static pst_rc grow(pst_shape *shape, pst_err *err)
{
    if (shape->n < shape->cap)
        return PST_OK;
    if (shape->cap >= PST_TRANSFORMS_COLUMNS_MAX)
        return pst_fail(err, PST_E_CONFIG, "makes more than %d columns",
                        PST_TRANSFORMS_COLUMNS_MAX);
    size_t cap = shape->cap ? shape->cap * 2 : 32;
    pst_live *at = pst_realloc(shape->at, cap, sizeof *at);
    if (!at)
        return pst_fail_nomem(err, "the transforms");
    shape->at = at;
    shape->cap = cap;
    return PST_OK;
}

static pst_rc append(pst_shape *shape, const pst_column *column, pst_err *err)
{
    pst_rc rc = grow(shape, err);
    if (rc == PST_OK)
        shape->at[shape->n++] = (pst_live){*column, shape->n_slots++};
    return rc;
}

pst_rc pst_shape_add(pst_shape *shape, const char *name, pst_type type, size_t *slot,
                     pst_err *err)
{
    if (pst_shape_find(shape, name))
        return pst_fail(err, PST_E_CONFIG, "the row has a column '%s' already", name);
    *slot = shape->n_slots;
    return append(shape, &(pst_column){.name = name, .type = type}, err);
}

pst_rc pst_shape_need(const pst_shape *shape, const char *name, pst_live **out,
                      pst_err *err)
{
    const char *nearest = NULL;
    unsigned best = 4;
    *out = pst_shape_find(shape, name);
    if (*out)
        return PST_OK;
    for (size_t i = 0; i < shape->n; i++) {
        const char *other = shape->at[i].column.name;
        unsigned d = pst_edit_distance(pst_sv_of(name), pst_sv_of(other), best);
        if (d < best) {
            best = d;
            nearest = other;
        }
    }
    if (nearest)
        return pst_fail(err, PST_E_CONFIG,
                        "the row has no column '%.100s' here; did you mean '%.100s'?",
                        name, nearest);
    return pst_fail(err, PST_E_CONFIG, "the row has no column '%.100s' here", name);
}

/* ---- types by name ---- */

/* "org.apache.kafka.connect.transforms.Cast$Value" → Cast, $Value. */
static pst_sv bare_name(const char *type, const char *package, const char **side)
{
    size_t n = strlen(package);
    if (strncmp(type, package, n) == 0)
        type += n;
    *side = strchr(type, '$');
    return (pst_sv){type, *side ? (size_t)(*side - type) : strlen(type)};
}

/* Connect has it, and we know why we don't. */
static const char *why_not(pst_sv name)
{
    if (pst_sv_is(name, "RegexRouter"))
        return "objects' names hold the topic that was read: by them an exactly-once "
               "sink finds where it was. For other folders give each topic a connector "
               "with a topics.dir of its own";
    if (pst_sv_is(name, "TimestampRouter"))
        return "objects' names hold the topic that was read. For folders by time set "
               "partitioner.class=TimeBasedPartitioner, timestamp.extractor=Record and "
               "path.format";
    return NULL;
}

static const pst_kind *find_kind(const char *type, pst_err *err)
{
    static const char package[] = "org.apache.kafka.connect.transforms.";
    const char *side;
    pst_sv name = bare_name(type, package, &side);
    const pst_kind *kind = NULL;
    for (size_t i = 0; pst_kinds[i] && !kind; i++)
        if (pst_sv_is(name, pst_kinds[i]->name))
            kind = pst_kinds[i];
    char list[300] = "";
    for (size_t i = 0, n = 0; pst_kinds[i]; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "",
                              pst_kinds[i]->name);
    if (why_not(name))
        (void)pst_fail(err, PST_E_CONFIG, "%.*s is not taken: %s", PST_SV_FMT(name),
                       why_not(name));
    else if (!kind)
        (void)pst_fail(err, PST_E_CONFIG, "no transform is called %.150s; there are %s",
                       type, list);
    else if (!kind->sided && side)
        (void)pst_fail(err, PST_E_CONFIG, "%s is of whole records: set %s", kind->name,
                       kind->name);
    else if (kind->sided && side && strcmp(side, "$Key") == 0)
        (void)pst_fail(err, PST_E_CONFIG,
                       "a record's key is bytes without fields here, and no part of the "
                       "row unless select names it: set %s$Value",
                       kind->name);
    else if (kind->sided && (!side || strcmp(side, "$Value") != 0))
        (void)pst_fail(err, PST_E_CONFIG, "%.150s is no class: set %s$Value", type,
                       kind->name);
    else
        return kind;
    return NULL;
}

static const pst_predicate_kind *find_predicate(const char *type, pst_err *err)
{
    static const char package[] = "org.apache.kafka.connect.transforms.predicates.";
    const char *side;
    pst_sv name = bare_name(type, package, &side);
    for (size_t i = 0; pst_predicate_kinds[i] && !side; i++)
        if (pst_sv_is(name, pst_predicate_kinds[i]->name))
            return pst_predicate_kinds[i];
    (void)pst_fail(err, PST_E_CONFIG,
                   "no predicate is called %.150s; there are TopicNameMatches, "
                   "HasHeaderKey and RecordIsTombstone",
                   type);
    return NULL;
}

/* ---- compiling ---- */

typedef struct build {
    pst_transforms *out;
    const pst_transforms_conf *conf;
    const pst_props *props;
    pst_conf_report *report;
} build;

static void tell(const build *b, const char *list, const char *alias, const char *setting,
                 const pst_err *err)
{
    char key[KEY_TEXT];
    pst_prop where = pst_group_where(list, alias, setting, b->props, key, sizeof key);
    if (err->code == PST_E_NOMEM)
        b->report->nomem = true;
    else
        pst_conf_error(b->report, &where, key, "%s", err->text);
}

/* The type, before its table is known. */
static const char *type_of(const build *b, const char *list, const char *alias)
{
    char key[KEY_TEXT];
    snprintf(key, sizeof key, "%s.%s.type", list, alias);
    const char *type = pst_props_get(b->props, key);
    return type ? type : "";
}

static pst_rc open_predicate(const build *b, pst_predicate *predicate, const char *alias)
{
    static const pst_conf_section none = {0};
    pst_err err = PST_ERR_INIT;
    const char *type = type_of(b, "predicates", alias), *setting = "type";
    if (*type) {
        predicate->kind = find_predicate(type, &err);
        if (!predicate->kind) {
            predicate->group.alias = alias;
            tell(b, "predicates", alias, "type", &err);
            return PST_OK;
        }
    }
    const pst_predicate_kind *kind = predicate->kind;
    size_t size = kind && kind->conf_size ? kind->conf_size : sizeof(pst_step_conf);
    pst_rc rc = pst_group_open(&predicate->group, "predicates", alias,
                               kind && kind->section ? kind->section : &none, size,
                               b->props, b->report);
    if (rc == PST_OK && kind && kind->bind && predicate->group.good &&
        kind->bind(predicate, &setting, &err) != PST_OK)
        tell(b, "predicates", alias, setting, &err);
    return rc;
}

static pst_predicate *predicate_of(const build *b, const char *alias)
{
    for (size_t i = 0; i < b->out->n_predicates; i++)
        if (strcmp(b->out->predicates[i].group.alias, alias) == 0)
            return &b->out->predicates[i];
    return NULL;
}

/* The predicate that the step names. */
static pst_rc bind_predicate(const build *b, pst_step *step, const char **setting,
                             pst_err *err)
{
    const pst_step_conf *conf = step->group.conf;
    *setting = "predicate";
    step->negate = conf->negate;
    if (conf->predicate && *conf->predicate) {
        step->predicate = predicate_of(b, conf->predicate);
        if (!step->predicate)
            return pst_fail(err, PST_E_CONFIG,
                            "predicates does not name '%.100s': set predicates=%.100s "
                            "and predicates.%.100s.type",
                            conf->predicate, conf->predicate, conf->predicate);
        step->predicate->used = true;
        if (step->kind->columns)
            return pst_fail(err, PST_E_CONFIG,
                            "%s changes the columns, and all rows of a file have the "
                            "same: a predicate can't choose the records. Leave it out",
                            step->kind->name);
        return PST_OK;
    }
    *setting = "negate";
    if (conf->negate)
        return pst_fail(err, PST_E_CONFIG, "negates nothing without a predicate");
    return PST_OK;
}

static pst_rc open_step(const build *b, pst_step *step, const char *alias)
{
    static const pst_conf_section none = {0};
    pst_err err = PST_ERR_INIT;
    const char *type = type_of(b, "transforms", alias), *setting = "type";
    step->group.alias = alias;
    if (*type) {
        step->kind = find_kind(type, &err);
        if (!step->kind) {
            tell(b, "transforms", alias, "type", &err);
            return PST_OK;
        }
    }
    const pst_kind *kind = step->kind;
    size_t size = kind && kind->conf_size ? kind->conf_size : sizeof(pst_step_conf);
    pst_rc rc = pst_group_open(&step->group, "transforms", alias,
                               kind && kind->section ? kind->section : &none, size,
                               b->props, b->report);
    if (rc == PST_OK && kind && step->group.good &&
        bind_predicate(b, step, &setting, &err) != PST_OK) {
        tell(b, "transforms", alias, setting, &err);
        step->group.good = false;
    }
    return rc;
}

/* A step behind one that is wrong would see other columns than it is to: it is left. */
static void bind_steps(const build *b, pst_shape *shape)
{
    for (size_t i = 0; i < b->out->n_steps; i++) {
        pst_step *step = &b->out->steps[i];
        pst_err err = PST_ERR_INIT;
        const char *setting = "type";
        if (!step->kind || !step->group.good)
            return;
        if (shape->single && (step->kind->sided || step->kind == &pst_kind_to_key) &&
            step->kind != &pst_kind_cast && step->kind != &pst_kind_timestamp)
            (void)pst_fail(&err, PST_E_CONFIG,
                           "%s needs fields, and an ExtractField before it has left a "
                           "single value",
                           step->kind->name);
        else
            (void)!step->kind->bind(step, shape, &setting, &err);
        if (err.code) {
            tell(b, "transforms", step->group.alias, setting, &err);
            return;
        }
    }
}

static pst_rc open_all(const build *b)
{
    pst_transforms *out = b->out;
    out->steps = pst_calloc(b->conf->transforms.n + 1, sizeof *out->steps);
    out->predicates = pst_calloc(b->conf->predicates.n + 1, sizeof *out->predicates);
    if (!out->steps || !out->predicates)
        return PST_E_NOMEM;
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < b->conf->predicates.n; i++) {
        out->n_predicates = i + 1;
        rc = open_predicate(b, &out->predicates[i], b->conf->predicates.items[i]);
    }
    for (size_t i = 0; rc == PST_OK && i < b->conf->transforms.n; i++) {
        out->n_steps = i + 1;
        rc = open_step(b, &out->steps[i], b->conf->transforms.items[i]);
    }
    for (size_t i = 0; rc == PST_OK && i < out->n_predicates; i++)
        if (!out->predicates[i].used)
            pst_conf_warning(b->report, pst_props_find(b->props, "predicates"),
                             "predicates", "no transform uses '%s'",
                             out->predicates[i].group.alias);
    return rc;
}

static pst_rc take_shape(pst_transforms *out, const pst_shape *shape)
{
    out->n_columns = shape->n;
    out->n_slots = shape->n_slots;
    out->columns = pst_calloc(shape->n + 1, sizeof *out->columns);
    out->from = pst_calloc(shape->n + 1, sizeof *out->from);
    out->cells = pst_calloc(shape->n + 1, sizeof *out->cells);
    out->slots = pst_calloc(shape->n_slots + 1, sizeof *out->slots);
    if (!out->columns || !out->from || !out->cells || !out->slots)
        return PST_E_NOMEM;
    for (size_t i = 0; i < shape->n; i++) {
        out->columns[i] = shape->at[i].column;
        out->from[i] = shape->at[i].slot;
    }
    return PST_OK;
}

static pst_rc compile(const build *b, const pst_column *columns, size_t n)
{
    pst_shape shape = {0};
    pst_err err = PST_ERR_INIT;
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < n; i++)
        rc = append(&shape, &columns[i], &err);
    b->out->n_in = n;
    if (rc == PST_E_CONFIG)
        pst_conf_error(b->report, pst_props_find(b->props, "transforms"), "transforms",
                       "%s", err.text);
    if (rc == PST_OK) {
        bind_steps(b, &shape);
        if (!shape.n && !b->report->errors)
            pst_conf_error(b->report, pst_props_find(b->props, "transforms"),
                           "transforms", "leaves no column");
        rc = take_shape(b->out, &shape);
    }
    pst_free(shape.at);
    return rc;
}

pst_rc pst_transforms_new(pst_transforms **out, const pst_transforms_conf *conf,
                          const pst_props *props, const pst_column *columns, size_t n,
                          pst_conf_report *report)
{
    size_t errors = report->errors;
    pst_groups_check_names(conf, props, report);
    if (!conf->transforms.n && !conf->predicates.n)
        return report->errors == errors ? PST_OK : PST_E_CONFIG;
    pst_transforms *made = pst_calloc(1, sizeof *made);
    if (!made)
        return PST_E_NOMEM;
    pst_arena_init(&made->arena, ARENA_MAX);
    build b = {made, conf, props, report};
    pst_rc rc = report->errors == errors ? open_all(&b) : PST_E_CONFIG;
    if (rc == PST_OK && columns)
        rc = compile(&b, columns, n);
    if (rc == PST_OK && report->nomem)
        rc = PST_E_NOMEM;
    if (rc == PST_OK && report->errors != errors)
        rc = PST_E_CONFIG;
    if (rc != PST_OK || !columns || !conf->transforms.n) {
        pst_transforms_free(made);
        return rc;
    }
    *out = made;
    return PST_OK;
}

pst_rc pst_transforms_open(pst_transforms **out, const pst_transforms_conf *conf,
                           const pst_props *props, const pst_column *columns, size_t n,
                           pst_err *err)
{
    static const pst_props nothing = {0};
    pst_conf_report report;
    pst_conf_report_init(&report);
    pst_rc rc =
        pst_transforms_new(out, conf, props ? props : &nothing, columns, n, &report);
    const pst_conf_message *first = NULL;
    for (size_t i = 0; i < report.n && !first; i++)
        if (!report.items[i].warning)
            first = &report.items[i];
    if (rc == PST_E_NOMEM)
        (void)pst_fail_nomem(err, "the transforms");
    else if (rc != PST_OK)
        (void)pst_fail(err, rc, "%s: %s", first && first->key ? first->key : "transforms",
                       first ? first->text : "wrong");
    pst_conf_report_done(&report);
    return rc;
}

void pst_transforms_free(pst_transforms *transforms)
{
    if (!transforms)
        return;
    for (size_t i = 0; i < transforms->n_steps; i++) {
        pst_step *step = &transforms->steps[i];
        if (step->kind && step->kind->done)
            step->kind->done(step);
        pst_free(step->state);
        pst_group_done(&step->group);
    }
    for (size_t i = 0; i < transforms->n_predicates; i++) {
        pst_predicate *predicate = &transforms->predicates[i];
        if (predicate->kind && predicate->kind->done)
            predicate->kind->done(predicate);
        pst_free(predicate->state);
        pst_group_done(&predicate->group);
    }
    pst_free(transforms->steps);
    pst_free(transforms->predicates);
    pst_free(transforms->columns);
    pst_free(transforms->from);
    pst_free(transforms->slots);
    pst_free(transforms->cells);
    pst_arena_done(&transforms->arena);
    pst_free(transforms);
}

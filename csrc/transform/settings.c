/*
 * settings.c - the settings of transforms and predicates.
 *
 * Their names hold an alias that the user chooses, so no table can list them. For each
 * alias one is made from its type's: the same rows under their full names, applied by
 * the same engine to the properties below that alias. So defaults, checks, messages with
 * file and line and the nearest known name are those of all other settings.
 */
#include "transform/internal.h"

#include <stdio.h>

enum { ALIAS_MAX = 100, KEY_MAX = 200 };

/* Blanks and dots would make settings that can't be told apart. */
static pst_rc check_aliases(const char *value, pst_err *err)
{
    size_t n = 1, length = 0;
    for (const char *c = value; *c; c++) {
        n += *c == ',';
        length = *c == ',' ? 0 : length + 1;
        if (*c == '.')
            return pst_fail(err, PST_E_CONFIG, "an alias must not have a dot: %.100s",
                            value);
        if (length > ALIAS_MAX)
            return pst_fail(err, PST_E_CONFIG, "an alias is longer than %d bytes",
                            ALIAS_MAX);
    }
    if (n > PST_TRANSFORMS_MAX)
        return pst_fail(err, PST_E_CONFIG, "names more than %d aliases",
                        PST_TRANSFORMS_MAX);
    return PST_OK;
}

static const pst_setting list_rows[] = {
    {.name = "transforms",
     .type = PST_CONF_LIST,
     .offset = offsetof(pst_transforms_conf, transforms),
     .check = check_aliases,
     .importance = PST_CONF_LOW,
     .doc = "Aliases of Kafka Connect's transforms, separated by commas, in the order in "
            "which they change each row: transforms.<alias>.type=Cast$Value and its "
            "settings follow for each of them (docs/transforms.md)."},
    {.name = "predicates",
     .type = PST_CONF_LIST,
     .offset = offsetof(pst_transforms_conf, predicates),
     .check = check_aliases,
     .importance = PST_CONF_LOW,
     .doc = "Aliases of predicates, by which a transform takes only some records: "
            "predicates.<alias>.type=TopicNameMatches, HasHeaderKey or "
            "RecordIsTombstone, and transforms.<alias>.predicate=<alias> "
            "(docs/transforms.md)."},
};

const pst_conf_section pst_transforms_section = {
    .title = "What: transforms",
    .rows = list_rows,
    .n_rows = sizeof list_rows / sizeof *list_rows,
};

static const pst_setting common_rows[] = {
    {.name = "type",
     .type = PST_CONF_STRING,
     .offset = offsetof(pst_step_conf, type),
     .flags = PST_CONF_REQUIRED,
     .doc = "The class of the transform or predicate."},
    {.name = "predicate",
     .type = PST_CONF_STRING,
     .offset = offsetof(pst_step_conf, predicate),
     .doc = "The alias of a predicate: other records pass unchanged."},
    {.name = "negate",
     .type = PST_CONF_BOOL,
     .offset = offsetof(pst_step_conf, negate),
     .def = "false",
     .doc = "The predicate's opposite counts."},
};

bool pst_transforms_owns(const char *key)
{
    return strncmp(key, "transforms.", 11) == 0 || strncmp(key, "predicates.", 11) == 0;
}

/* ---- one alias ---- */

static bool below(const char *key, const char *list, const char *alias)
{
    size_t n = strlen(list), a = strlen(alias);
    return strncmp(key, list, n) == 0 && key[n] == '.' &&
           strncmp(key + n + 1, alias, a) == 0 && key[n + 1 + a] == '.';
}

/* Rows under their full names; a predicate has but the type of the common ones. */
static pst_rc make_rows(pst_group *group, const char *list,
                        const pst_conf_section *section)
{
    size_t n_common = *list == 'p' ? 1 : sizeof common_rows / sizeof *common_rows;
    size_t n = n_common + (section ? section->n_rows : 0);
    char name[KEY_MAX];
    group->rows = pst_calloc(n, sizeof *group->rows);
    if (!group->rows)
        return PST_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const pst_setting *row =
            i < n_common ? &common_rows[i] : &section->rows[i - n_common];
        snprintf(name, sizeof name, "%s.%s.%s", list, group->alias, row->name);
        group->rows[i] = *row;
        group->rows[i].name = pst_strdup(name);
        group->section.n_rows = i + 1;
        if (!group->rows[i].name)
            return PST_E_NOMEM;
    }
    return PST_OK;
}

pst_rc pst_group_open(pst_group *group, const char *list, const char *alias,
                      const pst_conf_section *section, size_t conf_size,
                      const pst_props *props, pst_conf_report *report)
{
    size_t errors = report->errors;
    group->alias = alias;
    group->conf = pst_calloc(1, conf_size);
    pst_rc rc = group->conf ? make_rows(group, list, section) : PST_E_NOMEM;
    group->section = (pst_conf_section){
        .title = alias, .rows = group->rows, .n_rows = group->section.n_rows};
    group->part = (pst_conf_part){&group->section, 0};
    group->spec = (pst_conf_spec){
        .name = "S3CsvSink", .parts = &group->part, .n_parts = 1, .size = conf_size};
    pst_prop *own = pst_calloc(props->n + 1, sizeof *own);
    if (rc == PST_OK && own) {
        pst_props mine = {.items = own};
        for (size_t i = 0; i < props->n; i++)
            if (below(props->items[i].key, list, alias))
                own[mine.n++] = props->items[i]; /* shallow: only read */
        rc = pst_conf_apply(&group->spec, &mine, group->conf, report);
        group->good = report->errors == errors;
    }
    bool nomem = !own || rc == PST_E_NOMEM;
    pst_free(own);
    if (nomem)
        report->nomem = true;
    return nomem ? PST_E_NOMEM : PST_OK;
}

void pst_group_done(pst_group *group)
{
    if (group->conf && group->spec.parts)
        pst_conf_done(&group->spec, group->conf);
    for (size_t i = 0; i < group->section.n_rows; i++)
        pst_free((char *)(uintptr_t)group->rows[i].name);
    pst_free(group->rows);
    pst_free(group->conf);
}

pst_prop pst_group_where(const char *list, const char *alias, const char *name,
                         const pst_props *props, char *key, size_t size)
{
    snprintf(key, size, "%s.%s.%s", list, alias, name);
    const pst_prop *where = pst_props_find(props, key);
    if (!where) {
        char type[KEY_MAX];
        snprintf(type, sizeof type, "%s.%s.type", list, alias);
        where = pst_props_find(props, type);
    }
    pst_prop file = {.file = props->n ? props->items[0].file : NULL};
    return where ? *where : file;
}

/* ---- aliases ---- */

static void check_twice(const pst_conf_list *aliases, const char *list,
                        const pst_props *props, pst_conf_report *report)
{
    for (size_t i = 0; i < aliases->n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(aliases->items[i], aliases->items[k]) == 0) {
                pst_conf_error(report, pst_props_find(props, list), list,
                               "names '%s' twice", aliases->items[i]);
                return;
            }
}

static bool is_owned(const pst_conf_list *aliases, const char *list, const char *key)
{
    for (size_t i = 0; i < aliases->n; i++)
        if (below(key, list, aliases->items[i]))
            return true;
    return false;
}

static void check_keys(const pst_conf_list *aliases, const char *list,
                       const pst_props *props, pst_conf_report *report)
{
    size_t n = strlen(list);
    for (size_t i = 0; i < props->n; i++) {
        const pst_prop *prop = &props->items[i];
        if (strncmp(prop->key, list, n) != 0 || prop->key[n] != '.' ||
            is_owned(aliases, list, prop->key))
            continue;
        const char *alias = prop->key + n + 1;
        int length = (int)strcspn(alias, ".");
        pst_conf_error(report, prop, NULL,
                       "\"%s\" is of '%.*s', which %s does not name: set %s=%.*s, or "
                       "remove it",
                       prop->key, length, alias, list, list, length, alias);
    }
}

void pst_groups_check_names(const pst_transforms_conf *conf, const pst_props *props,
                            pst_conf_report *report)
{
    check_twice(&conf->transforms, "transforms", props, report);
    check_twice(&conf->predicates, "predicates", props, report);
    check_keys(&conf->transforms, "transforms", props, report);
    check_keys(&conf->predicates, "predicates", props, report);
}

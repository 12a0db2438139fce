/*
 * plan.c - see plan.h. Names resolve as in Spark: without regard to case unless
 * spark.sql.caseSensitive, `data.` in front is allowed, the output's name is as written.
 */
#include "record/plan.h"

#include "base/mem.h"
#include "record/expr.h"
#include "record/headers.h"
#include "record/lex.h"

#include <stdio.h>

/* ---- the tree ---- */

static uint32_t hash_name(pst_sv name)
{
    uint32_t h = 2166136261u ^ (uint32_t)name.n;
    size_t n = name.n < 24 ? name.n : 24;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)name.p[i]) * 16777619u;
    return h ^ h >> 15;
}

static bool is_read(const pst_node *node)
{
    return !node->corrupt_record && !node->pruned;
}

pst_node *pst_node_find(const pst_node *node, pst_sv name, size_t guess)
{
    if (guess < node->n_children && pst_sv_eq(node->children[guess].name, name) &&
        is_read(&node->children[guess]))
        return &node->children[guess];
    if (node->n_children == 0)
        return NULL;
    for (size_t i = hash_name(name) & node->mask;; i = (i + 1) & node->mask) {
        if (node->table[i] == 0)
            return NULL;
        pst_node *child = &node->children[node->table[i] - 1];
        if (pst_sv_eq(child->name, name))
            return child;
    }
}

static bool hash_children(pst_node *node)
{
    size_t size = 4;
    while (size < node->n_children * 2 + 2)
        size *= 2;
    node->mask = size - 1;
    node->table = pst_calloc(size, sizeof *node->table);
    if (!node->table)
        return false;
    for (size_t k = 0; k < node->n_children; k++) {
        if (!is_read(&node->children[k]))
            continue;
        size_t i = hash_name(node->children[k].name) & node->mask;
        while (node->table[i])
            i = (i + 1) & node->mask;
        node->table[i] = (uint16_t)(k + 1);
    }
    return true;
}

static bool build_node(pst_node *node, const pst_dtype *type, size_t depth)
{
    node->dtype = type;
    node->type = type->type;
    node->precision = type->precision;
    node->scale = type->scale;
    node->slot = -1;
    node->depth = depth;
    bool is_struct = type->type == PST_T_STRUCT;
    size_t n = is_struct ? type->n_fields : type->type >= PST_T_ARRAY ? 1 : 0;
    if (n == 0)
        return true;
    node->children = pst_calloc(n, sizeof *node->children);
    if (!node->children)
        return false;
    for (size_t i = 0; i < n; i++, node->n_children++) {
        const pst_dtype *child = is_struct ? &type->fields[i].type : type->item;
        node->children[i].name = is_struct ? pst_sv_of(type->fields[i].name) : PST_SV("");
        if (!build_node(&node->children[i], child, depth + 1)) {
            node->n_children++;
            return false;
        }
    }
    return !is_struct || hash_children(node);
}

static void free_node(pst_node *node)
{
    for (size_t i = 0; i < node->n_children; i++)
        free_node(&node->children[i]);
    for (size_t i = 0; i < node->n_picks; i++) {
        free_node(node->picks[i].node);
        pst_free(node->picks[i].node);
        pst_free(node->picks[i].key);
    }
    pst_free(node->picks);
    pst_free(node->children);
    pst_free(node->table);
    pst_free(node->slots);
}

/* Counts the slots beneath, and fills `slots` when it is there. */
static size_t collect_slots(const pst_node *node, int *slots)
{
    size_t n = 0;
    if (node->slot >= 0) {
        if (slots)
            slots[0] = node->slot;
        n = 1;
    }
    for (size_t i = 0; i < node->n_children; i++)
        n += collect_slots(&node->children[i], slots ? slots + n : NULL);
    for (size_t i = 0; i < node->n_picks; i++)
        n += collect_slots(node->picks[i].node, slots ? slots + n : NULL);
    return n;
}

/* After binding: what is wanted, and each struct's slots. */
static bool finish_node(pst_plan *plan, pst_node *node)
{
    if (node->depth > plan->depth)
        plan->depth = node->depth;
    node->n_slots = collect_slots(node, NULL);
    node->wanted = node->n_slots > 0;
    if (node->type >= PST_T_STRUCT && node->n_slots) {
        node->slots = pst_calloc(node->n_slots, sizeof *node->slots);
        if (!node->slots)
            return false;
        (void)collect_slots(node, node->slots);
    }
    for (size_t i = 0; i < node->n_children; i++)
        if (!finish_node(plan, &node->children[i]))
            return false;
    for (size_t i = 0; i < node->n_picks; i++)
        if (!finish_node(plan, node->picks[i].node))
            return false;
    return true;
}

/* ---- names ---- */

static bool same_name(const pst_plan *plan, pst_sv a, const char *b)
{
    return plan->case_sensitive ? pst_sv_is(a, b) : pst_sv_eq_nocase(a, pst_sv_of(b));
}

static pst_node *find_field(const pst_plan *plan, pst_node *node, const char *name,
                            size_t *matches)
{
    pst_node *found = NULL;
    *matches = 0;
    for (size_t i = 0; node->type == PST_T_STRUCT && i < node->n_children; i++) {
        if (same_name(plan, node->children[i].name, name)) {
            found = &node->children[i];
            ++*matches;
        }
    }
    return found;
}

typedef struct kafka_column {
    const char *name;
    pst_source source;
    pst_type type;
} kafka_column;

static const kafka_column KAFKA[] = {
    {"key", PST_FROM_KEY, PST_T_STRING},
    {"topic", PST_FROM_TOPIC, PST_T_STRING},
    {"partition", PST_FROM_PARTITION, PST_T_INT},
    {"offset", PST_FROM_OFFSET, PST_T_LONG},
    {"timestamp", PST_FROM_TIMESTAMP, PST_T_TIMESTAMP},
    {"timestampType", PST_FROM_TIMESTAMP_TYPE, PST_T_INT},
    {"headers", PST_FROM_HEADERS, PST_T_ARRAY},
};

static pst_rc no_column(const pst_plan *plan, const pst_node *in, const pst_expr *e,
                        const char *name, pst_err *err)
{
    const char *nearest = NULL;
    unsigned best = (unsigned)(strlen(name) / 2 < 3 ? strlen(name) / 2 + 1 : 4);
    for (size_t i = 0; i < in->n_children && i < 1000; i++) {
        pst_sv other = in->children[i].name;
        unsigned d = pst_edit_distance(pst_sv_of(name), other, best);
        if (d < best) {
            best = d;
            nearest = other.p;
        }
    }
    const char *where = in == &plan->root ? "value.schema" : in->name.p;
    if (nearest)
        return pst_lex_fail_at(err, e->pos, "no column '%s' in %s; did you mean '%s'?",
                               name, where, nearest);
    return pst_lex_fail_at(err, e->pos, "no column '%s' in %s", name, where);
}

static bool bind_kafka(const pst_plan *plan, const char *name, pst_binding *out)
{
    for (size_t i = 0; i < sizeof KAFKA / sizeof *KAFKA; i++) {
        if (!same_name(plan, pst_sv_of(name), KAFKA[i].name))
            continue;
        *out =
            (pst_binding){.source = KAFKA[i].source, .slot = -1, .type = KAFKA[i].type};
        return true;
    }
    return false;
}

/* The element of an array (key NULL) or the value of a map. */
static pst_rc pick(pst_node **node, int64_t index, const char *key, pst_err *err)
{
    pst_node *in = *node;
    for (size_t i = 0; i < in->n_picks; i++) {
        bool same =
            key ? strcmp(in->picks[i].key, key) == 0 : in->picks[i].index == index;
        if (same) {
            *node = in->picks[i].node;
            return PST_OK;
        }
    }
    pst_pick *picks = pst_realloc(in->picks, in->n_picks + 1, sizeof *picks);
    if (!picks)
        return pst_fail_nomem(err, "the schema");
    in->picks = picks;
    pst_pick *p = &picks[in->n_picks];
    *p = (pst_pick){.index = index,
                    .key = key ? pst_strdup(key) : NULL,
                    .node = pst_calloc(1, sizeof *p->node)};
    if (!p->node || (key && !p->key)) {
        pst_free(p->node);
        pst_free(p->key);
        return pst_fail_nomem(err, "the schema");
    }
    in->n_picks++;
    p->node->name = in->name;
    *node = p->node;
    return build_node(p->node, in->dtype->item, in->depth + 1)
               ? PST_OK
               : pst_fail_nomem(err, "the schema");
}

/* From a node to its field, or to a map's value. */
static pst_rc step(pst_plan *plan, const pst_expr *e, const char *name, pst_node **node,
                   pst_err *err)
{
    size_t matches;
    if ((*node)->type == PST_T_MAP)
        return pick(node, 0, name, err);
    if ((*node)->type != PST_T_STRUCT) {
        char type[64];
        pst_dtype_name((*node)->dtype, type, sizeof type);
        return pst_lex_fail_at(err, e->pos, "'%s' is %s and has no field '%s'",
                               (*node)->name.p, type, name);
    }
    pst_node *child = find_field(plan, *node, name, &matches);
    if (!child)
        return no_column(plan, *node, e, name, err);
    if (matches > 1)
        return pst_lex_fail_at(err, e->pos,
                               "'%s' is ambiguous: names differ only in case "
                               "(spark.sql.caseSensitive=true tells them apart)",
                               name);
    *node = child;
    return PST_OK;
}

/* headers, headers.key: only these lead on from a Kafka column. */
static bool starts_headers(const pst_plan *plan, const pst_expr *e, pst_binding *out)
{
    return e->n_names && bind_kafka(plan, e->names[0], out) &&
           out->source == PST_FROM_HEADERS;
}

static pst_rc resolve_headers(const pst_plan *plan, const pst_expr *e, pst_binding *out,
                              pst_err *err)
{
    pst_rc rc = PST_OK;
    for (size_t i = 1; rc == PST_OK && i < e->n_names; i++)
        rc = pst_headers_field(e, e->names[i], plan->case_sensitive, out, err);
    return rc;
}

/* The field that a path or a star's prefix names, or a Kafka column (*out NULL). */
static pst_rc resolve(pst_plan *plan, const pst_expr *e, pst_node **out,
                      pst_binding *kafka, pst_err *err)
{
    size_t matches, from = 0;
    *out = NULL;
    if (e->n_names && !find_field(plan, &plan->root, e->names[0], &matches)) {
        bool star = e->kind == PST_X_STAR;
        if (starts_headers(plan, e, kafka))
            return resolve_headers(plan, e, kafka, err);
        if (e->n_names == 1 && !star && bind_kafka(plan, e->names[0], kafka))
            return PST_OK;
        if (same_name(plan, PST_SV("data"), e->names[0]) && (e->n_names > 1 || star))
            from = 1;
        else if (e->n_names == 1 && same_name(plan, PST_SV("value"), e->names[0]))
            return pst_lex_fail_at(err, e->pos,
                                   "the Kafka column value can't be selected; "
                                   "its fields can");
    }
    pst_node *node = &plan->root;
    pst_rc rc = PST_OK;
    for (size_t i = from; rc == PST_OK && i < e->n_names; i++)
        rc = step(plan, e, e->names[i], &node, err);
    *out = node;
    return rc;
}

static pst_rc read_index(const pst_expr *key, int64_t *index, pst_err *err)
{
    bool number = key->kind == PST_X_LITERAL && key->text &&
                  key->type.type != PST_T_STRING &&
                  pst_sv_to_i64((pst_sv){key->text, key->text_n}, index);
    return number ? PST_OK
                  : pst_lex_fail_at(err, key->pos,
                                    "an ARRAY's index must be a whole number");
}

static pst_rc resolve_index(const pst_expr *e, pst_node **node, pst_err *err)
{
    const pst_expr *key = e->args[1];
    bool map = (*node)->type == PST_T_MAP;
    int64_t index = 0;
    pst_rc rc = PST_OK;
    if (!map && (*node)->type != PST_T_ARRAY)
        return pst_lex_fail_at(err, e->pos, "'%s' is %s; only ARRAY and MAP have [ ]",
                               (*node)->name.p, pst_type_name((*node)->type));
    if (map && (*node)->dtype->key->type != PST_T_STRING)
        return pst_lex_fail_at(err, e->pos, "keys of a MAP in JSON are STRING");
    bool literal = key->kind == PST_X_LITERAL && key->text;
    if (map && (!literal || key->type.type != PST_T_STRING))
        return pst_lex_fail_at(err, key->pos, "a MAP's key must be a string literal");
    if (!map)
        rc = read_index(key, &index, err);
    return rc ? rc : pick(node, index, map ? key->text : NULL, err);
}

/* [index] and .name behind a Kafka column */
static pst_rc lead_on(const pst_plan *plan, const pst_expr *e, pst_binding *kafka,
                      pst_err *err)
{
    int64_t index = 0;
    if (!pst_headers_are(kafka))
        return pst_lex_fail_at(err, e->pos, "a Kafka column has no elements");
    if (e->kind == PST_X_FIELD)
        return pst_headers_field(e, e->names[0], plan->case_sensitive, kafka, err);
    pst_rc rc = read_index(e->args[1], &index, err);
    return rc ? rc : pst_headers_index(e, index, kafka, err);
}

/* Any expression that names a place in the record. */
static pst_rc resolve_place(pst_plan *plan, const pst_expr *e, pst_node **out,
                            pst_binding *kafka, pst_err *err)
{
    if (e->kind == PST_X_PATH)
        return resolve(plan, e, out, kafka, err);
    if (e->kind != PST_X_INDEX && e->kind != PST_X_FIELD)
        return pst_lex_fail_at(err, e->pos, "only columns have elements and fields here");
    pst_rc rc = resolve_place(plan, e->args[0], out, kafka, err);
    if (rc != PST_OK || !*out)
        return rc ? rc : lead_on(plan, e, kafka, err);
    return e->kind == PST_X_INDEX ? resolve_index(e, out, err)
                                  : step(plan, e, e->names[0], out, err);
}

static int slot_of(pst_plan *plan, pst_node *node)
{
    if (node->slot < 0)
        node->slot = (int)plan->n_slots++;
    if (node->corrupt_record)
        plan->corrupt_slot = node->slot;
    return node->slot;
}

pst_rc pst_plan_bind(pst_plan *plan, const pst_expr *path, pst_binding *out, pst_err *err)
{
    pst_node *node;
    pst_rc rc = resolve_place(plan, path, &node, out, err);
    if (rc != PST_OK)
        return rc;
    if (!node) {
        plan->has_headers |= pst_headers_are(out);
        return pst_headers_check(path, out, err);
    }
    if (node->type >= PST_T_STRUCT) {
        char type[64];
        pst_dtype_name(node->dtype, type, sizeof type);
        bool fields = node->type == PST_T_STRUCT && node->n_children;
        return pst_lex_fail_at(
            err, path->pos, "'%s' is %s, which no column of an object can hold%s%s%s%s",
            node->name.p, type, fields ? "; select its fields: " : "",
            fields ? node->name.p : "", fields ? "." : "",
            fields ? node->children[0].name.p : "");
    }
    *out = (pst_binding){.source = PST_FROM_SLOT,
                         .slot = slot_of(plan, node),
                         .type = node->type,
                         .precision = node->precision,
                         .scale = node->scale};
    return PST_OK;
}

/* ---- outputs ---- */

static pst_rc add_output(pst_plan *plan, const char *name, const pst_output *output,
                         const pst_column *type, pst_err *err)
{
    size_t n = plan->n_outputs;
    if (n >= PST_SELECT_MAX)
        return pst_fail(err, PST_E_CONFIG, "more than %d columns", PST_SELECT_MAX);
    if ((n & (n - 1)) == 0) {
        size_t cap = n ? n * 2 : 1;
        pst_output *outputs = pst_realloc(plan->outputs, cap, sizeof *outputs);
        if (outputs)
            plan->outputs = outputs;
        pst_column *columns = pst_realloc(plan->columns, cap, sizeof *columns);
        if (columns)
            plan->columns = columns;
        if (!outputs || !columns)
            return pst_fail_nomem(err, "the columns");
    }
    char *copy = pst_strdup(name);
    if (!copy)
        return pst_fail_nomem(err, "the columns");
    plan->outputs[n] = *output;
    plan->columns[n] = *type;
    plan->columns[n].name = copy;
    plan->n_outputs++;
    return PST_OK;
}

static pst_rc add_path(pst_plan *plan, const pst_expr *e, const char *name, pst_err *err)
{
    pst_binding b;
    pst_rc rc = pst_plan_bind(plan, e, &b, err);
    if (rc != PST_OK)
        return rc;
    pst_output output = {.source = b.source, .slot = b.slot};
    pst_column type = {.type = b.type, .precision = b.precision, .scale = b.scale};
    return add_output(plan, name, &output, &type, err);
}

static pst_rc add_star(pst_plan *plan, const pst_expr *e, pst_err *err)
{
    pst_node *node = NULL;
    pst_binding unused;
    pst_rc rc = resolve(plan, e, &node, &unused, err);
    if (rc == PST_OK && !node)
        return pst_lex_fail_at(err, e->pos, "a Kafka column has no .*");
    if (rc == PST_OK && node->type != PST_T_STRUCT)
        rc = pst_lex_fail_at(err, e->pos, "'%s' is no STRUCT, so it has no .*",
                             node->name.p);
    for (size_t i = 0; rc == PST_OK && i < node->n_children; i++) {
        pst_node *child = &node->children[i];
        if (child->type >= PST_T_STRUCT) {
            char type[64];
            pst_dtype_name(child->dtype, type, sizeof type);
            return pst_lex_fail_at(
                err, e->pos,
                "* takes in column '%s', which is %s and no column of an "
                "object can hold; list the columns",
                child->name.p, type);
        }
        pst_output output = {.source = PST_FROM_SLOT, .slot = slot_of(plan, child)};
        pst_column column = {
            .type = child->type, .precision = child->precision, .scale = child->scale};
        rc = add_output(plan, child->name.p, &output, &column, err);
    }
    return rc;
}

static pst_rc add_expr(pst_plan *plan, const pst_select_item *item, const char *text,
                       const pst_reader_conf *conf, pst_err *err)
{
    pst_output output = {.source = PST_FROM_EXPR, .slot = -1};
    pst_column column = {.type = PST_T_STRING};
    const pst_expr *e = item->expr;
    pst_rc rc = pst_code_new(&output.code, plan, e, conf, &column, err);
    if (rc != PST_OK)
        return rc;
    char *name = item->alias ? pst_strdup(item->alias)
                             : pst_strndup(text + e->pos, e->end - e->pos);
    rc = name ? add_output(plan, name, &output, &column, err)
              : pst_fail_nomem(err, "the columns");
    if (rc != PST_OK)
        pst_code_free(output.code);
    pst_free(name);
    return rc;
}

static pst_rc add_item(pst_plan *plan, const pst_select_item *item, const char *text,
                       const pst_reader_conf *conf, pst_err *err)
{
    const pst_expr *e = item->expr;
    if (e->kind == PST_X_STAR)
        return add_star(plan, e, err);
    if (e->kind == PST_X_PATH)
        return add_path(plan, e, item->alias ? item->alias : e->names[e->n_names - 1],
                        err);
    return add_expr(plan, item, text, conf, err);
}

static pst_rc check_names(const pst_plan *plan, pst_err *err)
{
    for (size_t i = 0; i < plan->n_outputs && plan->n_outputs <= 2000; i++)
        for (size_t k = 0; k < i; k++)
            if (same_name(plan, pst_sv_of(plan->columns[i].name), plan->columns[k].name))
                return pst_fail(err, PST_E_CONFIG,
                                "column '%s' is selected twice; give one of them another "
                                "name with AS",
                                plan->columns[i].name);
    return PST_OK;
}

static pst_rc bind_select(pst_plan *plan, const pst_reader_conf *conf, pst_err *err)
{
    const char *text = conf->select && *conf->select ? conf->select : "*";
    pst_select select = {NULL, 0};
    pst_err local = PST_ERR_INIT;
    pst_rc rc = pst_select_parse(&select, text, &local);
    for (size_t i = 0; rc == PST_OK && i < select.n; i++)
        rc = add_item(plan, &select.items[i], text, conf, &local);
    if (rc == PST_OK && plan->n_outputs == 0)
        rc = pst_fail(&local, PST_E_CONFIG, "'%s' names no column", text);
    rc = rc ? rc : check_names(plan, &local);
    pst_select_done(&select);
    return rc ? pst_fail(err, rc, "select: %s", local.text) : PST_OK;
}

/* ---- fields behind the selected ones ---- */

/* The next name of a path, or nothing behind its end; `…` may hold dots. */
static pst_sv next_name(pst_sv *path)
{
    if (path->n < 2 || path->p[0] != '`')
        return pst_sv_cut(*path, '.', path);
    pst_sv rest, quoted = {path->p + 1, path->n - 1};
    pst_sv name = pst_sv_cut(quoted, '`', &rest);
    bool ends = rest.p && rest.n == 0, goes_on = rest.p && rest.n && rest.p[0] == '.';
    if (!ends && !goes_on)
        return pst_sv_cut(*path, '.', path);
    *path = ends ? (pst_sv){NULL, 0} : (pst_sv){rest.p + 1, rest.n - 1};
    return name;
}

/* A field of the value, never a Kafka column. */
static pst_rc find_path(pst_plan *plan, const char *path, pst_node **out, pst_err *err)
{
    pst_node *node = &plan->root;
    pst_sv rest = pst_sv_of(path);
    size_t steps = 0;
    pst_rc rc = PST_OK;
    while (rc == PST_OK && rest.p) {
        pst_expr e = {.pos = (size_t)(rest.p - path)};
        pst_sv name = next_name(&rest);
        if (name.n == 0)
            return pst_fail(err, PST_E_CONFIG, "'%s' has an empty name", path);
        if (++steps > PST_PATH_MAX)
            return pst_fail(err, PST_E_CONFIG, "a path has more than %d steps",
                            PST_PATH_MAX);
        char *copy = pst_strndup(name.p, name.n);
        rc = copy ? step(plan, &e, copy, &node, err) : pst_fail_nomem(err, "the columns");
        pst_free(copy);
    }
    *out = node;
    return rc;
}

static pst_rc bind_extra(pst_plan *plan, const pst_reader_conf *conf, pst_err *err)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < conf->n_extra && rc == PST_OK; i++) {
        pst_node *node;
        rc = find_path(plan, conf->extra[i], &node, err);
        if (rc != PST_OK)
            return rc;
        if (node->type >= PST_T_STRUCT)
            return pst_fail(err, PST_E_CONFIG, "'%s' is %s", conf->extra[i],
                            pst_type_name(node->type));
        pst_output output = {.source = PST_FROM_SLOT, .slot = slot_of(plan, node)};
        pst_column column = {
            .type = node->type, .precision = node->precision, .scale = node->scale};
        rc = add_output(plan, conf->extra[i], &output, &column, err);
        plan->n_extra += rc == PST_OK;
    }
    return rc;
}

static pst_rc hash_again(pst_node *node, pst_err *err)
{
    pst_free(node->table);
    node->table = NULL;
    return hash_children(node) ? PST_OK : pst_fail_nomem(err, "the schema");
}

static pst_rc mark_corrupt(pst_plan *plan, const char *name, pst_err *err)
{
    for (size_t i = 0; name && i < plan->root.n_children; i++) {
        pst_node *node = &plan->root.children[i];
        if (!pst_sv_is(node->name, name))
            continue;
        if (node->type != PST_T_STRING)
            return pst_fail(err, PST_E_CONFIG,
                            "value.schema: column '%s' holds bad records and must be "
                            "STRING",
                            name);
        node->corrupt_record = true;
        plan->has_corrupt = true;
        return hash_again(&plan->root, err);
    }
    return PST_OK;
}

/* from_json's options as they are when none is given. */
static bool no_options(const pst_reader_conf *c)
{
    bool column =
        !c->corrupt_record_column || !strcmp(c->corrupt_record_column, "_corrupt_record");
    bool formats = c->json_date_format || c->json_timestamp_format ||
                   c->json_timestamp_ntz_format || c->date_time_fallback;
    bool features = !c->allow_single_quotes || !c->allow_non_numeric_numbers ||
                    c->allow_comments || c->allow_unquoted_field_names ||
                    c->allow_numeric_leading_zeros ||
                    c->allow_backslash_escaping_any_character ||
                    c->allow_unquoted_control_chars || c->primitives_as_string;
    return c->json_mode == PST_JSON_PERMISSIVE && column && !formats && !features;
}

/* Where one column only is selected and from_json has no options, Spark's optimizer
   (OptimizeCsvJsonExprs) gives from_json a schema of this column only: the others are
   unknown names then, and what is bad in them does not count. */
static pst_rc prune(pst_plan *plan, const pst_reader_conf *conf, pst_err *err)
{
    pst_node *root = &plan->root;
    size_t wanted = 0;
    for (size_t i = 0; i < root->n_children; i++)
        wanted += root->children[i].wanted;
    if (wanted != 1 || root->n_children == 1 || !no_options(conf))
        return PST_OK;
    for (size_t i = 0; i < root->n_children; i++)
        root->children[i].pruned = !root->children[i].wanted;
    return hash_again(root, err);
}

/* The schema's tree, nothing selected yet. */
static pst_rc new_tree(pst_plan **out, const pst_reader_conf *conf, pst_err *err)
{
    pst_plan *plan = pst_calloc(1, sizeof *plan);
    if (!plan)
        return pst_fail_nomem(err, "the schema");
    *out = plan;
    plan->corrupt_slot = -1;
    plan->case_sensitive = conf->case_sensitive;
    pst_err local = PST_ERR_INIT;
    const char *ddl = conf->value_schema ? conf->value_schema : "";
    pst_rc rc = pst_schema_parse(&plan->schema, ddl, &local);
    if (rc != PST_OK)
        return pst_fail(err, rc, "value.schema: %s", local.text);
    return build_node(&plan->root, plan->schema, 0) ? PST_OK
                                                    : pst_fail_nomem(err, "the schema");
}

pst_rc pst_plan_field(const pst_reader_conf *conf, const char *path, pst_column *out,
                      pst_err *err)
{
    pst_plan *plan = NULL;
    pst_node *node = NULL;
    pst_rc rc = new_tree(&plan, conf, err);
    rc = rc ? rc : find_path(plan, path, &node, err);
    if (rc == PST_OK)
        *out = (pst_column){
            .type = node->type, .precision = node->precision, .scale = node->scale};
    pst_plan_free(plan);
    return rc;
}

pst_rc pst_plan_new(pst_plan **out, const pst_reader_conf *conf, pst_err *err)
{
    pst_plan *plan = NULL;
    pst_rc rc = new_tree(&plan, conf, err);
    rc = rc ? rc : mark_corrupt(plan, conf->corrupt_record_column, err);
    rc = rc ? rc : bind_select(plan, conf, err);
    rc = rc ? rc : bind_extra(plan, conf, err);
    if (rc == PST_OK && !finish_node(plan, &plan->root))
        rc = pst_fail_nomem(err, "the schema");
    rc = rc ? rc : prune(plan, conf, err);
    if (rc != PST_OK) {
        pst_plan_free(plan);
        return rc;
    }
    *out = plan;
    return PST_OK;
}

void pst_plan_free(pst_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->n_outputs; i++) {
        pst_free((char *)(uintptr_t)plan->columns[i].name);
        pst_code_free(plan->outputs[i].code);
    }
    pst_free(plan->outputs);
    pst_free(plan->columns);
    free_node(&plan->root);
    pst_dtype_free(plan->schema);
    pst_free(plan);
}

/*
 * json.c - a settings table and what was wrong, as Kafka Connect's validation answer.
 *
 * Tools that speak to Connect (its UIs, kcctl, Terraform providers) check a configuration
 * by PUT /connector-plugins/{class}/config/validate and lay out forms by the answer.
 * Keys, their order and the types' names are Connect's: a definition and a value per
 * setting, all values as strings or null, secrets as "[hidden]". Sizes and times are
 * LONG, so they are given as plain numbers. An error about a name that has no row gets an
 * entry whose definition is null, as Connect does it. Written by hand: there is nothing
 * to parse here.
 */
#include "conf/conf_in.h"

#include <inttypes.h>
#include <stdio.h>

static const char HIDDEN[] = "[hidden]";

static void put_json(pst_conf_out *out, const char *s)
{
    if (!s) {
        pst_conf_put(out, "null");
        return;
    }
    pst_conf_put(out, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            pst_conf_putf(out, "\\%c", c);
        else if (c == '\n')
            pst_conf_put(out, "\\n");
        else if (c == '\t')
            pst_conf_put(out, "\\t");
        else if (c == '\r')
            pst_conf_put(out, "\\r");
        else if (c < 0x20)
            pst_conf_putf(out, "\\u%04x", c);
        else
            pst_conf_putn(out, (pst_sv){s, 1});
    }
    pst_conf_put(out, "\"");
}

static void put_member(pst_conf_out *out, const char *name, const char *value)
{
    pst_conf_putf(out, "\"%s\":", name);
    put_json(out, value);
    pst_conf_put(out, ",");
}

static const char *type_name(const pst_setting *row)
{
    static const char *const names[] = {
        [PST_CONF_STRING] = "STRING", [PST_CONF_BOOL] = "BOOLEAN",
        [PST_CONF_INT] = "INT",       [PST_CONF_LONG] = "LONG",
        [PST_CONF_DOUBLE] = "DOUBLE", [PST_CONF_ENUM] = "STRING",
        [PST_CONF_LIST] = "LIST",     [PST_CONF_SIZE] = "LONG",
        [PST_CONF_MS] = "LONG",       [PST_CONF_REGEX] = "STRING",
    };
    return row->flags & PST_CONF_SECRET ? "PASSWORD" : names[row->type];
}

/* How wide a form's field should be. */
static const char *width_name(const pst_setting *row)
{
    switch (row->type) {
    case PST_CONF_LIST:
    case PST_CONF_REGEX:
        return "LONG";
    case PST_CONF_STRING:
        return "MEDIUM";
    default:
        return "SHORT";
    }
}

static const char *importance_name(pst_conf_importance importance)
{
    static const char *const names[] = {
        [PST_CONF_HIGH] = "HIGH", [PST_CONF_MEDIUM] = "MEDIUM", [PST_CONF_LOW] = "LOW"};
    return names[importance];
}

static char *told(pst_conf_out *out, char *value)
{
    if (!value && out->rc == PST_OK)
        out->rc = PST_E_NOMEM;
    return value;
}

static char *parsed_text(const pst_setting *row, const pst_conf_value *value)
{
    if (row->type == PST_CONF_ENUM)
        return pst_strdup(row->choices[value->n]);
    if (row->type == PST_CONF_BOOL)
        return pst_strdup(value->n ? "true" : "false");
    return pst_asprintf("%" PRId64, value->n);
}

static bool has_normal_form(const pst_setting *row)
{
    return row->type == PST_CONF_ENUM || row->type == PST_CONF_BOOL ||
           row->type == PST_CONF_SIZE || row->type == PST_CONF_MS;
}

/* The value as a client of that type reads it: 64m as 67108864, true for TRUE. One that
   is wrong stays as it was given. NULL on lack of memory, which is told in out. */
static char *normal_value(pst_conf_out *out, const pst_setting *row, const char *given)
{
    pst_err err = PST_ERR_INIT;
    pst_conf_value value = {0};
    pst_setting plain = *row;
    plain.check = NULL;
    char *normal = NULL, *text = pst_conf_value_trimmed(row, given);
    if (text && has_normal_form(row) &&
        pst_conf_value_parse(&plain, text, true, &value, &err) == PST_OK)
        normal = parsed_text(row, &value);
    else if (text)
        normal = pst_conf_masked(text, false);
    pst_free(text);
    return told(out, normal);
}

static void put_definition(pst_conf_out *out, const pst_setting *row, const char *group,
                           const char *def, size_t order)
{
    pst_conf_put(out, "{");
    put_member(out, "name", row->name);
    put_member(out, "type", type_name(row));
    pst_conf_putf(out, "\"required\":%s,",
                  row->flags & PST_CONF_REQUIRED && !row->def ? "true" : "false");
    put_member(out, "default_value", row->flags & PST_CONF_SECRET ? NULL : def);
    put_member(out, "importance", importance_name(row->importance));
    put_member(out, "documentation", row->doc ? row->doc : "");
    put_member(out, "group", group);
    put_member(out, "width", width_name(row));
    put_member(out, "display_name", row->name);
    pst_conf_putf(out, "\"dependents\":[],\"order\":%zu}", order);
}

static bool same_key(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void put_errors(pst_conf_out *out, const pst_conf_report *report, const char *key)
{
    const char *comma = "";
    pst_conf_put(out, "\"errors\":[");
    for (size_t i = 0; i < report->n; i++) {
        const pst_conf_message *m = &report->items[i];
        if (m->warning || !same_key(m->key, key))
            continue;
        pst_conf_put(out, comma);
        put_json(out, m->text);
        comma = ",";
    }
    pst_conf_put(out, "],");
}

static void put_choices(pst_conf_out *out, const pst_setting *row)
{
    pst_conf_put(out, "\"recommended_values\":[");
    for (size_t i = 0; row->type == PST_CONF_ENUM && row->choices[i]; i++) {
        pst_conf_put(out, i ? "," : "");
        put_json(out, row->choices[i]);
    }
    pst_conf_put(out, "],");
}

/* What to show of a value that was given; NULL on lack of memory, told in out. */
static char *shown_value(pst_conf_out *out, const pst_conf_spec *spec,
                         const pst_setting *row, const pst_prop *prop)
{
    bool secret = pst_conf_is_secret(spec, prop);
    if (!secret && row)
        return normal_value(out, row, prop->value);
    return told(out, secret ? pst_strdup(HIDDEN) : pst_conf_masked(prop->value, false));
}

typedef struct json_job {
    pst_conf_out out;
    const pst_conf_spec *spec;
    const pst_props *props;
    const pst_conf_report *report;
    const char *comma; /* before the next entry */
} json_job;

static void put_row(json_job *job, const pst_setting *row, const char *group,
                    size_t order)
{
    const pst_prop *prop = pst_props_find(job->props, row->name);
    pst_conf_out *out = &job->out;
    char *def = row->def ? normal_value(out, row, row->def) : NULL;
    char *value = prop ? shown_value(out, job->spec, row, prop) : NULL;
    bool secret = row->flags & PST_CONF_SECRET;
    pst_conf_put(out, job->comma);
    pst_conf_put(out, "{\"definition\":");
    put_definition(out, row, group, def, order);
    pst_conf_put(out, ",\"value\":{");
    put_member(out, "name", row->name);
    put_member(out, "value", prop ? value : secret ? NULL : def);
    put_choices(out, row);
    put_errors(out, job->report, row->name);
    pst_conf_putf(out, "\"visible\":%s}}",
                  row->flags & (PST_CONF_HIDDEN | PST_CONF_LATER) ? "false" : "true");
    job->comma = ",";
    pst_free(def);
    pst_free(value);
}

static void put_section(json_job *job, const pst_conf_section *section)
{
    size_t order = 1;
    for (size_t i = 0; i < section->n_rows; i++) {
        const pst_setting *row = &section->rows[i];
        bool quiet = row->flags & (PST_CONF_HIDDEN | PST_CONF_LATER);
        if (!quiet || pst_props_find(job->props, row->name))
            put_row(job, row, section->title, order++);
    }
}

/* The errors about one name without a row (key NULL: about none). */
static void put_stray(json_job *job, const char *key)
{
    pst_conf_out *out = &job->out;
    const pst_prop *prop = key ? pst_props_find(job->props, key) : NULL;
    char *value = prop ? shown_value(out, job->spec, NULL, prop) : NULL;
    pst_conf_put(out, job->comma);
    pst_conf_put(out, "{\"definition\":null,\"value\":{");
    put_member(out, "name", key ? key : "");
    put_member(out, "value", value);
    pst_conf_put(out, "\"recommended_values\":[],");
    put_errors(out, job->report, key);
    pst_conf_put(out, "\"visible\":true}}");
    job->comma = ",";
    pst_free(value);
}

static bool told_before(const pst_conf_report *report, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!report->items[k].warning &&
            same_key(report->items[k].key, report->items[i].key))
            return true;
    return false;
}

/* Has this name an entry among the rows? */
static bool has_entry(const json_job *job, const char *key)
{
    const pst_setting *row = key ? pst_conf_find(job->spec, key) : NULL;
    return row && (!(row->flags & (PST_CONF_HIDDEN | PST_CONF_LATER)) ||
                   pst_props_find(job->props, key));
}

static void put_strays(json_job *job)
{
    for (size_t i = 0; i < job->report->n; i++) {
        const pst_conf_message *m = &job->report->items[i];
        if (!m->warning && !has_entry(job, m->key) && !told_before(job->report, i))
            put_stray(job, m->key);
    }
}

pst_rc pst_conf_json(const pst_conf_spec *spec, const pst_props *props,
                     const pst_conf_report *report, pst_buf *buf)
{
    json_job job = {.out = pst_conf_out_begin(buf),
                    .spec = spec,
                    .props = props,
                    .report = report,
                    .comma = ""};
    pst_conf_put(&job.out, "{");
    put_member(&job.out, "name", spec->name);
    pst_conf_putf(&job.out, "\"error_count\":%zu,\"groups\":[", report->errors);
    for (size_t p = 0; p < spec->n_parts; p++) {
        pst_conf_put(&job.out, p ? "," : "");
        put_json(&job.out, spec->parts[p].section->title);
    }
    pst_conf_put(&job.out, "],\"configs\":[");
    for (size_t p = 0; p < spec->n_parts; p++)
        put_section(&job, spec->parts[p].section);
    put_strays(&job);
    pst_conf_put(&job.out, "]}");
    return pst_conf_out_end(&job.out);
}

/* One definition of a form; a value is not asked for. */
static void put_bare(json_job *job, const pst_setting *row, const char *group,
                     size_t order)
{
    char *def = row->def ? normal_value(&job->out, row, row->def) : NULL;
    pst_conf_put(&job->out, job->comma);
    put_definition(&job->out, row, group, def, order);
    job->comma = ",";
    pst_free(def);
}

pst_rc pst_conf_json_definitions(const pst_conf_spec *spec, pst_buf *buf)
{
    json_job job = {.out = pst_conf_out_begin(buf), .spec = spec, .comma = ""};
    pst_conf_put(&job.out, "[");
    for (size_t p = 0; p < spec->n_parts; p++) {
        const pst_conf_section *section = spec->parts[p].section;
        size_t order = 1;
        for (size_t i = 0; i < section->n_rows; i++)
            if (!(section->rows[i].flags & (PST_CONF_HIDDEN | PST_CONF_LATER)))
                put_bare(&job, &section->rows[i], section->title, order++);
    }
    pst_conf_put(&job.out, "]");
    return pst_conf_out_end(&job.out);
}

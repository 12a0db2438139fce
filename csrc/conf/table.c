/*
 * table.c - a whole struct from its settings table.
 *
 * One pass over the rows fills the struct, one over the given names finds those that
 * nobody knows; neither stops at an error. A field whose value was wrong gets its
 * default, so that the check across fields can run and everything is told at once; a
 * required one that is missing stays NULL or zero. No name of a setting is compared here:
 * all are data.
 */
#include "conf/conf_in.h"

typedef struct apply_job {
    const pst_conf_spec *spec;
    const pst_props *props;
    pst_conf_report *report;
} apply_job;

const pst_setting *pst_conf_row(const pst_conf_spec *spec, size_t i,
                                const pst_conf_part **part)
{
    for (size_t p = 0; p < spec->n_parts; p++) {
        const pst_conf_section *section = spec->parts[p].section;
        if (i < section->n_rows) {
            *part = &spec->parts[p];
            return &section->rows[i];
        }
        i -= section->n_rows;
    }
    return NULL;
}

const pst_setting *pst_conf_find(const pst_conf_spec *spec, const char *key)
{
    const pst_conf_part *part;
    const pst_setting *row;
    for (size_t i = 0; (row = pst_conf_row(spec, i, &part)); i++)
        if (strcmp(row->name, key) == 0)
            return row;
    return NULL;
}

/* Is `part` the beginning or the end of `name`, up to a dot? */
static bool dotted_part(pst_sv part, pst_sv name)
{
    if (part.n < 3 || name.n < part.n + 2)
        return false;
    return (pst_sv_starts(name, part) && name.p[part.n] == '.') ||
           (pst_sv_ends(name, part) && name.p[name.n - part.n - 1] == '.');
}

/* How far a name is from the one given: 0 … near, `cap` = too far. Names that were
   shortened (bucket.name) or written in full (spark.csv.sep) come after all typing
   errors. */
static unsigned distance(pst_sv key, pst_sv name, unsigned cap)
{
    unsigned typo = 2 + (unsigned)(key.n < 30 ? key.n : 30) / 6;
    unsigned edits = pst_edit_distance(key, name, typo);
    if (edits < typo)
        return edits;
    if (dotted_part(key, name))
        return 100 + (unsigned)(name.n - key.n);
    if (name.n > 4 && dotted_part(name, key))
        return 100 + (unsigned)(key.n - name.n);
    return cap;
}

const char *pst_conf_nearest(const pst_conf_spec *spec, const char *key)
{
    enum { FAR = 1000 };
    unsigned best = FAR;
    const char *nearest = NULL;
    const pst_conf_part *part;
    const pst_setting *row;
    for (size_t i = 0; (row = pst_conf_row(spec, i, &part)); i++) {
        if (row->flags & PST_CONF_HIDDEN)
            continue;
        unsigned d = distance(pst_sv_of(key), pst_sv_of(row->name), FAR);
        if (d < best) {
            best = d;
            nearest = row->name;
        }
    }
    return nearest;
}

/* PST_E_CONFIG when the value was wrong (told) and the field is as it was. */
static pst_rc set_field(const apply_job *job, const pst_setting *row, const char *given,
                        const pst_prop *prop, void *field)
{
    pst_err err = PST_ERR_INIT;
    pst_conf_value value = {0};
    bool secret =
        prop ? pst_conf_is_secret(job->spec, prop) : row->flags & PST_CONF_SECRET;
    char *text = pst_conf_value_trimmed(row, given);
    if (!text)
        return pst_props_nomem(job->report);
    pst_rc rc = pst_conf_value_parse(row, text, secret, &value, &err);
    pst_wipe(text, strlen(text));
    pst_free(text);
    if (rc == PST_E_NOMEM)
        return pst_props_nomem(job->report);
    if (rc == PST_OK)
        pst_conf_value_store(row, &value, field);
    else
        pst_conf_error(job->report, prop, row->name, "%s", err.text);
    return rc;
}

/* The first sentence, without its full stop. */
static pst_sv summary(const char *doc)
{
    const char *end = doc ? strstr(doc, ". ") : NULL;
    pst_sv text = {doc ? doc : "", end ? (size_t)(end - doc) : doc ? strlen(doc) : 0};
    if (text.n && text.p[text.n - 1] == '.')
        text.n--;
    return text;
}

static bool is_empty(const pst_setting *row, const pst_prop *prop)
{
    pst_sv value = pst_sv_of(prop->value);
    return (row->flags & PST_CONF_RAW ? value : pst_sv_trim(value)).n == 0;
}

/* Names the file that lacks it: where the other settings came from. */
static void tell_missing(const apply_job *job, const pst_setting *row,
                         const pst_prop *prop)
{
    const pst_props *props = job->props;
    pst_prop where = {.file = props->n ? props->items[0].file : NULL};
    pst_sv text = summary(row->doc);
    pst_conf_error(job->report, prop ? prop : &where, row->name,
                   "required setting \"%s\" is %s; set it%s%.*s", row->name,
                   prop ? "empty" : "missing", text.n ? ": " : "", PST_SV_FMT(text));
}

static void apply_row(const apply_job *job, const pst_setting *row, void *field)
{
    const pst_prop *prop = pst_props_find(job->props, row->name);
    if (row->flags & PST_CONF_LATER) {
        if (prop)
            pst_conf_error(job->report, prop, row->name,
                           "not supported yet in this version; remove it");
        return;
    }
    bool given = prop && !prop->broken;
    if ((row->flags & PST_CONF_REQUIRED) &&
        (given ? is_empty(row, prop) : !prop && !row->def))
        tell_missing(job, row, prop);
    else if (given && set_field(job, row, prop->value, prop, field) == PST_OK)
        return;
    if (row->def && !job->report->nomem)
        (void)!set_field(job, row, row->def, NULL,
                         field); /* a failure is in the report */
}

static void tell_unknown(const apply_job *job, const pst_prop *prop)
{
    /* Past its ceiling the report only counts: no time is spent on names for it. */
    bool kept = job->report->n < PST_CONF_REPORT_MAX;
    const char *nearest = kept ? pst_conf_nearest(job->spec, prop->key) : NULL;
    if (nearest)
        pst_conf_error(job->report, prop, NULL,
                       "unknown setting \"%s\"; did you mean \"%s\"?", prop->key,
                       nearest);
    else
        pst_conf_error(job->report, prop, NULL,
                       "unknown setting \"%s\"; `penstockd --help %s` lists all settings",
                       prop->key, job->spec->name);
}

/* A name without a row: the spec's owner knows librdkafka's. */
static void apply_other(const apply_job *job, const pst_prop *prop)
{
    pst_err err = PST_ERR_INIT;
    pst_rc rc = PST_E_NOT_FOUND;
    if (job->spec->other)
        rc = job->spec->other(prop->key, prop->broken ? "" : prop->value, &err);
    if (rc == PST_E_NOMEM)
        job->report->nomem = true;
    else if (rc == PST_OK || (prop->broken && rc != PST_E_NOT_FOUND))
        return; /* a broken value is told already */
    else if (rc == PST_E_NOT_FOUND &&
             (!*err.text || pst_conf_nearest(job->spec, prop->key)))
        tell_unknown(job, prop);
    else if (!*err.text || (pst_conf_is_secret(job->spec, prop) &&
                            pst_conf_leaks(err.text, prop->value)))
        pst_conf_error(job->report, prop, NULL, "the value is not valid");
    else
        pst_conf_error(job->report, prop, NULL, "%s", err.text);
}

pst_rc pst_conf_apply(const pst_conf_spec *spec, const pst_props *props, void *conf,
                      pst_conf_report *report)
{
    apply_job job = {.spec = spec, .props = props, .report = report};
    const pst_conf_part *part;
    const pst_setting *row;
    for (size_t i = 0; (row = pst_conf_row(spec, i, &part)) && !report->nomem; i++)
        apply_row(&job, row, (char *)conf + part->base + row->offset);
    for (size_t i = 0; i < props->n && !report->nomem; i++)
        if (!pst_conf_find(spec, props->items[i].key))
            apply_other(&job, &props->items[i]);
    if (spec->check && !report->nomem)
        spec->check(conf, props, report);
    if (report->nomem)
        return PST_E_NOMEM;
    return report->errors ? PST_E_CONFIG : PST_OK;
}

void pst_conf_done(const pst_conf_spec *spec, void *conf)
{
    const pst_conf_part *part;
    const pst_setting *row;
    for (size_t i = 0; (row = pst_conf_row(spec, i, &part)); i++)
        if (!(row->flags & PST_CONF_LATER))
            pst_conf_field_done(row, (char *)conf + part->base + row->offset);
}

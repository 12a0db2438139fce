/*
 * columns.c - the schema, the select list and the format's settings become a reader and a
 * writer. What only shows when they meet (an unknown column, a type that a function or
 * the format can't take) is told when the settings are checked, not when the task starts.
 */
#include "connectors/s3csv/s3csv.h"

#include <stdio.h>
#include <string.h>

/* In the order of format.class's words. */
static const struct {
    const pst_format *format;
    size_t conf; /* where its settings are */
} FORMATS[] = {
    {&pst_format_csv, offsetof(pst_s3csv_conf, csv)},
    {&pst_format_jsonl, offsetof(pst_s3csv_conf, jsonl)},
};

const pst_format *pst_s3csv_format(const pst_s3csv_conf *conf, const void **settings)
{
    if (settings)
        *settings = (const char *)conf + FORMATS[conf->format].conf;
    return FORMATS[conf->format].format;
}

static pst_partitioner_paths wants(const pst_s3csv_conf *conf)
{
    return pst_partitioner_wants(&conf->partitioner, (pst_layout)conf->objects.layout);
}

pst_rc pst_s3csv_open_columns(const pst_s3csv_conf *conf, const pst_props *props,
                              pst_s3csv_columns *out, pst_err *err)
{
    const void *settings;
    const pst_format *format = pst_s3csv_format(conf, &settings);
    pst_reader_conf in = conf->reader;
    pst_partitioner_paths extra = wants(conf);
    size_t n;
    in.extra = extra.paths;
    in.n_extra = extra.n;
    pst_rc rc = pst_reader_new(&out->reader, &in, err);
    if (rc != PST_OK)
        return rc;
    const pst_column *columns = pst_reader_columns(out->reader, &n);
    rc = pst_transforms_open(&out->transforms, &conf->transforms, props, columns, n, err);
    if (rc != PST_OK)
        return rc;
    if (out->transforms)
        columns = pst_transforms_columns(out->transforms, &n);
    return format->open(&out->writer, settings, &conf->reader, columns, n, err);
}

void pst_s3csv_close_columns(const pst_s3csv_conf *conf, pst_s3csv_columns *columns)
{
    if (columns->writer)
        pst_s3csv_format(conf, NULL)->close(columns->writer);
    pst_transforms_free(columns->transforms);
    pst_reader_free(columns->reader);
}

void pst_s3csv_extension(const pst_s3csv_conf *conf, char out[PST_EXTENSION_MAX + 1])
{
    const pst_compression *method = pst_compress_method(&conf->compress);
    snprintf(out, PST_EXTENSION_MAX + 1, "%s%s", pst_s3csv_format(conf, NULL)->extension,
             method ? method->extension : "");
}

/* The partitioner sees the record's value as it came: a transform that changes the field
   would have rows in folders that do not say what is in them. */
static void check_touched(const pst_s3csv_conf *conf, const pst_transforms *transforms,
                          const pst_props *props, pst_conf_report *report)
{
    pst_partitioner_paths extra = wants(conf);
    for (size_t i = 0; i < extra.n && extra.paths[i]; i++) {
        const char *alias = pst_transforms_touches(transforms, extra.paths[i]);
        if (alias)
            pst_conf_error(report, pst_props_find(props, extra.setting), extra.setting,
                           "'%s' is changed by the transform '%s', and folders go by "
                           "the value as it came: part by another field, or leave out "
                           "transforms.%s",
                           extra.paths[i], alias, alias);
    }
}

/* Without the partitioner's fields: what is wrong with them is told for each of them.
   Transforms say for themselves what is wrong with them, at their settings. */
static pst_rc try_columns(const pst_s3csv_conf *conf, const pst_props *props,
                          pst_conf_report *report, pst_err *err)
{
    const void *settings;
    const pst_format *format = pst_s3csv_format(conf, &settings);
    pst_s3csv_columns made = {NULL, NULL, NULL};
    size_t n;
    pst_rc rc = pst_reader_new(&made.reader, &conf->reader, err);
    if (rc == PST_OK) {
        const pst_column *columns = pst_reader_columns(made.reader, &n);
        pst_rc told = pst_transforms_new(&made.transforms, &conf->transforms, props,
                                         columns, n, report);
        if (made.transforms) {
            columns = pst_transforms_columns(made.transforms, &n);
            check_touched(conf, made.transforms, props, report);
        }
        if (told == PST_OK)
            rc = format->open(&made.writer, settings, &conf->reader, columns, n, err);
    }
    pst_s3csv_close_columns(conf, &made);
    return rc;
}

static bool any_broken(const pst_props *props)
{
    for (size_t i = 0; i < props->n; i++)
        if (props->items[i].broken)
            return true;
    return false;
}

/* "setting: text" is about that setting, all else about the columns. */
static const char *split(const char *text, char *key, size_t size)
{
    const char *colon = strstr(text, ": ");
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (n && n < size && !memchr(text, ' ', n) && !memchr(text, '\'', n)) {
        snprintf(key, size, "%.*s", (int)n, text);
        return colon + 2;
    }
    return text;
}

static void check_fields(const pst_s3csv_conf *conf, const pst_props *props,
                         pst_conf_report *report)
{
    pst_partitioner_paths extra = wants(conf);
    pst_prop file = {.file = props->n ? props->items[0].file : NULL};
    for (size_t i = 0; i < extra.n && extra.paths[i]; i++) {
        pst_err err = PST_ERR_INIT;
        pst_column column;
        pst_rc rc = pst_reader_check_extra(&conf->reader, extra.paths[i], &column, &err);
        if (rc == PST_OK)
            rc = pst_partitioner_check_column((pst_layout)conf->objects.layout,
                                              extra.paths[i], &column, &err);
        report->nomem |= rc == PST_E_NOMEM;
        const pst_prop *where = pst_props_find(props, extra.setting);
        if (rc != PST_OK && rc != PST_E_NOMEM)
            pst_conf_error(report, where ? where : &file, extra.setting, "%s", err.text);
    }
}

void pst_s3csv_check_columns(const pst_s3csv_conf *conf, const pst_props *props,
                             pst_conf_report *report)
{
    pst_err err = PST_ERR_INIT;
    if (any_broken(props) || !pst_props_find(props, "value.schema")) {
        pst_transforms *none = NULL; /* the rest has been told */
        (void)!pst_transforms_new(&none, &conf->transforms, props, NULL, 0, report);
        return;
    }
    if (conf->reader.value_schema)
        check_fields(conf, props, report);
    pst_rc rc = try_columns(conf, props, report, &err);
    report->nomem |= rc == PST_E_NOMEM;
    if (rc == PST_OK || rc == PST_E_NOMEM)
        return;
    char key[64];
    snprintf(key, sizeof key, "%s",
             pst_props_find(props, "select") ? "select" : "value.schema");
    const char *text = split(err.text, key, sizeof key);
    pst_prop file = {.file = props->n ? props->items[0].file : NULL};
    const pst_prop *where = pst_props_find(props, key);
    pst_conf_error(report, where ? where : &file, key, "%s", text);
}

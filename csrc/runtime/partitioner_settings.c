/*
 * partitioner_settings.c - the rows of pst_partitioner_conf, and what of them fits the
 * chosen partitioner.class. Names and meanings are Confluent's.
 */
#include "runtime/partitioner.h"

#include "record/joda.h"

#include <stdio.h>
#include <string.h>

static const char *const extractors[] = {"Wallclock", "Record", "RecordField", NULL};

/* ---- checks of one value ---- */

/* A folder's name: not empty, no way up, no control characters, not too long. */
static pst_rc check_folder(pst_sv name, pst_err *err)
{
    if (name.n == 0)
        return pst_fail(err, PST_E_CONFIG, "has an empty folder (a slash too many)");
    if (pst_sv_is(name, ".") || pst_sv_is(name, ".."))
        return pst_fail(err, PST_E_CONFIG, "must not have . or .. as a folder");
    if (name.n > PST_PARTITION_COMPONENT_MAX)
        return pst_fail(err, PST_E_CONFIG, "has a folder of more than %d bytes",
                        PST_PARTITION_COMPONENT_MAX);
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
            return pst_fail(err, PST_E_CONFIG, "must not have control characters");
    return pst_utf8_valid(name) ? PST_OK : pst_fail(err, PST_E_CONFIG, "must be UTF-8");
}

/* By a day on which every field is as long as it gets. */
static pst_rc check_folders(const pst_joda *joda, pst_err *err)
{
    const int64_t wednesday = 1727267445123; /* 2024-09-25T12:30:45.123Z */
    char text[PST_PARTITION_PATH_MAX];
    pst_zone *utc = NULL;
    size_t n;
    pst_rc rc = pst_zone_new(&utc, PST_SV("UTC"), err);
    if (rc != PST_OK)
        return rc;
    if (!pst_joda_format(joda, wednesday, utc, text, sizeof text, &n))
        rc = pst_fail(err, PST_E_CONFIG, "is too long");
    pst_zone_free(utc);
    pst_sv rest = {text, rc == PST_OK ? n : 0};
    if (rest.n && text[n - 1] == '/')
        rest.n--; /* Confluent's takes one at the end */
    while (rc == PST_OK && rest.p)
        rc = check_folder(pst_sv_cut(rest, '/', &rest), err);
    return rc;
}

static pst_rc check_format(const char *value, pst_err *err)
{
    pst_joda *joda = NULL;
    pst_rc rc = pst_joda_new(&joda, value, err);
    if (rc == PST_OK)
        rc = check_folders(joda, err);
    pst_joda_free(joda);
    return rc;
}

static pst_rc check_zone(const char *value, pst_err *err)
{
    pst_zone *zone = NULL;
    pst_rc rc = pst_zone_new(&zone, pst_sv_of(value), err);
    pst_zone_free(zone);
    return rc;
}

static pst_rc check_fields(const char *value, pst_err *err)
{
    size_t fields = 1;
    for (const char *c = value; *c; c++)
        fields += *c == ',';
    if (fields > PST_PARTITION_FIELDS_MAX)
        return pst_fail(err, PST_E_CONFIG, "must not name more than %d fields",
                        PST_PARTITION_FIELDS_MAX);
    return PST_OK;
}

/* ---- rows ---- */

#define AT(member) offsetof(pst_partitioner_conf, member)

static const pst_setting rows[] = {
    {.name = "partition.field.name",
     .type = PST_CONF_LIST,
     .offset = AT(fields),
     .check = check_fields,
     .importance = PST_CONF_MEDIUM,
     .doc = "FieldPartitioner: the fields of value.schema by which records are parted, "
            "separated by commas; nested ones with dots. They need not be in select. "
            "Folders are <field>=<value>, one below the other, with Hive's escapes."},
    {.name = "path.format",
     .type = PST_CONF_STRING,
     .offset = AT(path_format),
     .check = check_format,
     .importance = PST_CONF_MEDIUM,
     .doc = "TimeBasedPartitioner: the folders, as a pattern in Joda-Time's letters: "
            "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH. HourlyPartitioner and "
            "DailyPartitioner have this one, to the hour and to the day."},
    {.name = "partition.duration.ms",
     .type = PST_CONF_MS,
     .offset = AT(duration_ms),
     .def = "-1",
     .min = -1,
     .max = (int64_t)366 * 86400000,
     .importance = PST_CONF_MEDIUM,
     .doc = "TimeBasedPartitioner: times are rounded down to so many milliseconds, by "
            "timezone's clocks, before path.format prints them. -1 = not set."},
    {.name = "timestamp.extractor",
     .type = PST_CONF_ENUM,
     .offset = AT(extractor),
     .def = "Wallclock",
     .choices = extractors,
     .importance = PST_CONF_MEDIUM,
     .doc = "The time of a record for time-based partitioners: Wallclock = when it is "
            "read, Record = its Kafka timestamp, RecordField = what timestamp.field "
            "holds. With Wallclock a record that is read again after a failure stays in "
            "the folder that it had."},
    {.name = "timestamp.field",
     .type = PST_CONF_STRING,
     .offset = AT(timestamp_field),
     .def = "timestamp",
     .importance = PST_CONF_MEDIUM,
     .doc = "The field of timestamp.extractor=RecordField, nested with dots; it need not "
            "be in select. Numbers are milliseconds since 1970, texts too, or ISO 8601; "
            "TIMESTAMP and DATE as they are. A record without a time is an error that "
            "errors.tolerance decides about."},
    {.name = "timezone",
     .type = PST_CONF_STRING,
     .offset = AT(timezone),
     .def = "UTC",
     .check = check_zone,
     .importance = PST_CONF_MEDIUM,
     .doc = "The time zone of time-based partitioners: UTC, Europe/Berlin, +05:30."},
    {.name = "locale",
     .type = PST_CONF_STRING,
     .offset = AT(locale),
     .def = "en",
     .importance = PST_CONF_LOW,
     .doc = "The language of names in path.format (MMM, EEE, a, G): only English is "
            "known. A path.format of numbers takes any locale."},
};

const pst_conf_section pst_partitioner_section = {
    .title = "Where: folders by value or time",
    .rows = rows,
    .n_rows = sizeof rows / sizeof *rows,
};

/* ---- what goes together ---- */

/* And is not what it would be anyway, as in what --print-config prints? */
static bool given(const pst_props *props, const char *key)
{
    const pst_prop *prop = pst_props_find(props, key);
    if (!prop || prop->broken)
        return prop != NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, key) == 0)
            return strcmp(prop->value, rows[i].def ? rows[i].def : "") != 0;
    return true;
}

/* The value says that there is none. What else is wrong with it has been told. */
static bool is_none(const char *value)
{
    size_t blank = strspn(value, " \t,");
    return !value[blank] || strcmp(value + blank, "-1") == 0 ||
           strspn(value + blank, "0") == strlen(value + blank);
}

static void needs(const pst_props *props, pst_conf_report *report, const char *key,
                  const char *text)
{
    pst_prop file = {.file = props->n ? props->items[0].file : NULL};
    const pst_prop *prop = pst_props_find(props, key);
    if (!prop || (!prop->broken && is_none(prop->value)))
        pst_conf_error(report, prop ? prop : &file, key, "%s", text);
}

static void unused(const pst_props *props, pst_conf_report *report, const char *key,
                   const char *class)
{
    if (given(props, key))
        pst_conf_warning(report, pst_props_find(props, key), key,
                         "has no effect with partitioner.class=%s", class);
}

static void check_locale(const pst_partitioner_conf *conf, const pst_props *props,
                         pst_conf_report *report)
{
    pst_joda *joda = NULL;
    bool english = conf->locale && pst_sv_starts(pst_sv_of(conf->locale), PST_SV("en")) &&
                   (!conf->locale[2] || strchr("-_", conf->locale[2]));
    if (english || pst_joda_new(&joda, conf->path_format, NULL) != PST_OK)
        return;
    char letter = pst_joda_word(joda);
    pst_joda_free(joda);
    if (letter)
        pst_conf_error(report, pst_props_find(props, "locale"), "locale",
                       "path.format prints names (letter %c), and only English ones are "
                       "known: set locale=en, or a path.format of numbers",
                       letter);
}

static void check_format_class(const pst_partitioner_conf *conf, const pst_props *props,
                               pst_conf_report *report)
{
    if (!conf->path_format || !*conf->path_format)
        needs(props, report, "path.format",
              "missing: TimeBasedPartitioner needs one, such as "
              "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH");
    else
        check_locale(conf, props, report);
    if (conf->duration_ms < 1)
        needs(props, report, "partition.duration.ms",
              "TimeBasedPartitioner needs a duration above 0, such as 3600000 for an "
              "hour");
}

/* Are two of the fields one? Their folders would be, too. */
static void check_twice(const pst_partitioner_conf *conf, const pst_props *props,
                        pst_conf_report *report)
{
    for (size_t i = 0; i < conf->fields.n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(conf->fields.items[i], conf->fields.items[k]) == 0) {
                pst_conf_error(report, pst_props_find(props, "partition.field.name"),
                               "partition.field.name", "names '%s' twice",
                               conf->fields.items[i]);
                return;
            }
}

void pst_partitioner_check(const pst_partitioner_conf *conf, pst_layout layout,
                           const pst_props *props, pst_conf_report *report)
{
    const char *class = pst_layout_name(layout);
    bool by_time = layout > PST_LAYOUT_FIELD;
    if (layout == PST_LAYOUT_FIELD && !conf->fields.n)
        needs(props, report, "partition.field.name",
              "missing: FieldPartitioner needs the fields to part by");
    else if (layout == PST_LAYOUT_FIELD)
        check_twice(conf, props, report);
    else
        unused(props, report, "partition.field.name", class);
    if (layout == PST_LAYOUT_TIME) {
        check_format_class(conf, props, report);
    } else {
        unused(props, report, "path.format", class);
        unused(props, report, "partition.duration.ms", class);
    }
    if (!by_time) {
        unused(props, report, "timezone", class);
        unused(props, report, "locale", class);
        unused(props, report, "timestamp.extractor", class);
        unused(props, report, "timestamp.field", class);
    } else if (conf->extractor != PST_EXTRACT_FIELD && given(props, "timestamp.field")) {
        pst_conf_warning(report, pst_props_find(props, "timestamp.field"),
                         "timestamp.field",
                         "has no effect: set timestamp.extractor=RecordField");
    }
}

pst_rc pst_partitioner_check_column(pst_layout layout, const char *path,
                                    const pst_column *column, pst_err *err)
{
    bool time = layout != PST_LAYOUT_FIELD;
    pst_type type = column->type;
    if (type >= PST_T_STRUCT)
        return pst_fail(err, PST_E_CONFIG, "'%s' is a %s: name one of its fields", path,
                        type == PST_T_STRUCT ? "STRUCT" : "collection");
    if (time && (type == PST_T_BOOLEAN || type == PST_T_BINARY))
        return pst_fail(err, PST_E_CONFIG,
                        "'%s' is %s: a time is a number of milliseconds, a STRING, "
                        "TIMESTAMP or DATE",
                        path, type == PST_T_BOOLEAN ? "BOOLEAN" : "BINARY");
    bool refused = type == PST_T_FLOAT || type == PST_T_DOUBLE || type == PST_T_BINARY ||
                   type == PST_T_TIMESTAMP || type == PST_T_TIMESTAMP_NTZ;
    if (!time && refused)
        return pst_fail(err, PST_E_CONFIG,
                        "'%s' names no folder: a field is a STRING, a whole number, "
                        "BOOLEAN, DECIMAL or DATE%s",
                        path,
                        type >= PST_T_TIMESTAMP
                            ? "; for a time set partitioner.class=TimeBasedPartitioner "
                              "and timestamp.extractor=RecordField"
                            : "");
    return PST_OK;
}

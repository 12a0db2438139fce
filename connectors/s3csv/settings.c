/*
 * settings.c - the settings of S3CsvSink: its own few rows, and the sections of the parts
 * that it is made of.
 */
#include "connectors/s3csv/s3csv.h"

#include <regex.h>
#include <string.h>

static const char *const null_values[] = {"write", "ignore", "fail", NULL};

static const char *const formats[] = {"csv", "jsonl", NULL};

static pst_rc check_regex(const char *value, pst_err *err)
{
    if (value[0] != '^')
        return pst_fail(err, PST_E_CONFIG,
                        "must begin with ^ (it is matched against whole topic names)");
    return PST_OK;
}

#define AT(member) offsetof(pst_s3csv_conf, member)

static const pst_setting rows[] = {
    {.name = "topics",
     .type = PST_CONF_LIST,
     .offset = AT(topics),
     .importance = PST_CONF_HIGH,
     .doc = "The topics to land, separated by commas. A topic that does not exist yet is "
            "waited for."},
    {.name = "topics.regex",
     .type = PST_CONF_REGEX,
     .offset = AT(topics_regex),
     .check = check_regex,
     .importance = PST_CONF_MEDIUM,
     .doc = "Instead of topics: all topics whose names match this regular expression."},
    {.name = "behavior.on.null.values",
     .type = PST_CONF_ENUM,
     .offset = AT(on_null),
     .def = "write",
     .choices = null_values,
     .importance = PST_CONF_LOW,
     .doc =
         "Records with a null value (tombstones): write = a row of nulls, as Spark does; "
         "ignore = no row; fail = an error that errors.tolerance decides about."},
    {.name = "format.class",
     .type = PST_CONF_ENUM,
     .offset = AT(format),
     .def = "csv",
     .choices = formats,
     .importance = PST_CONF_MEDIUM,
     .doc =
         "What the objects hold: csv = Spark's CSV; jsonl = one JSON object a line, as "
         "Spark's JSON writer prints it. A change seals the chain and goes on under "
         "the new names."},
};

static const pst_conf_section own_section = {
    .title = "What: topics", .rows = rows, .n_rows = sizeof rows / sizeof *rows};

static const pst_conf_part parts[] = {
    {&pst_connector_section, AT(connector)},
    {&own_section, 0},
    {&pst_reader_section, AT(reader)},
    {&pst_transforms_section, AT(transforms)},
    {&pst_csv_section, AT(csv)},
    {&pst_jsonl_section, AT(jsonl)},
    {&pst_compress_section, AT(compress)},
    {&pst_objects_when_section, AT(objects)},
    {&pst_objects_where_section, AT(objects)},
    {&pst_partitioner_section, AT(partitioner)},
    {&pst_store_section, AT(store)},
    {&pst_store_access_section, AT(store)},
};

static bool consumes(const pst_s3csv_conf *conf, const char *topic)
{
    regex_t regex;
    bool matches = false;
    for (size_t i = 0; i < conf->topics.n; i++)
        matches |= strcmp(conf->topics.items[i], topic) == 0;
    if (conf->topics_regex &&
        regcomp(&regex, conf->topics_regex, REG_EXTENDED | REG_NOSUB) == 0) {
        matches |= regexec(&regex, topic, 0, NULL, 0) == 0;
        regfree(&regex);
    }
    return matches;
}

/* Dead letters that would come back, or that can't be: hardly what was meant. */
static void check_dead_letters(const pst_s3csv_conf *conf, const pst_props *props,
                               pst_conf_report *report)
{
    static const char name[] = "errors.deadletterqueue.topic.name";
    const pst_prop *where = pst_props_find(props, name);
    const char *topic = conf->connector.dlq_topic;
    if (!where || !topic || !*topic)
        return;
    if (consumes(conf, topic))
        pst_conf_error(report, where, name,
                       "%s is among the topics that are read: dead letters would come "
                       "back for ever",
                       topic);
    if (conf->connector.errors_tolerance == PST_TOLERANCE_NONE)
        pst_conf_warning(report, where, name,
                         "nothing goes to %s: errors.tolerance=none stops at the first "
                         "bad record. Set errors.tolerance=all",
                         topic);
    else if (conf->reader.json_mode == PST_JSON_PERMISSIVE)
        pst_conf_warning(
            report, where, name,
            "malformed JSON does not go to %s: json.mode=PERMISSIVE makes it "
            "a row of nulls. Set json.mode=FAILFAST",
            topic);
}

static void check_record_time(const pst_s3csv_conf *conf, const pst_props *props,
                              pst_conf_report *report)
{
    const char *key = "rotate.interval.ms";
    const pst_prop *set = pst_props_find(props, key);
    if (!set || conf->objects.rotate_ms <= 0 || conf->objects.layout > PST_LAYOUT_FIELD)
        return;
    pst_conf_error(report, set, key,
                   "closes windows by the records' time, and partitioner.class=%s has "
                   "none: it needs TimeBasedPartitioner, HourlyPartitioner or "
                   "DailyPartitioner; rotate.schedule.interval.ms goes by the clock",
                   pst_layout_name((pst_layout)conf->objects.layout));
}

static void check(const void *opaque, const pst_props *props, pst_conf_report *report)
{
    const pst_s3csv_conf *conf = opaque;
    const pst_prop *regex = pst_props_find(props, "topics.regex");
    pst_prop file = {.file = props->n ? props->items[0].file : NULL};
    const pst_prop *topics = pst_props_find(props, "topics");
    if (!conf->topics.n && !conf->topics_regex && !regex && !(topics && topics->broken))
        pst_conf_error(report, &file, "topics", "missing: set topics or topics.regex");
    if (conf->topics.n && conf->topics_regex)
        pst_conf_error(report, regex, "topics.regex",
                       "set either topics or topics.regex, not both");
    pst_compress_conf_check(&conf->compress, props, report);
    pst_partitioner_check(&conf->partitioner, (pst_layout)conf->objects.layout, props,
                          report);
    pst_store_conf_check(&conf->store, props, report);
    check_record_time(conf, props, report);
    check_dead_letters(conf, props, report);
    pst_s3csv_check_columns(conf, props, report);
}

/* A transform's settings have an alias in their names: its own tables know them. */
static pst_rc other(const char *key, const char *value, pst_err *err)
{
    return pst_transforms_owns(key) ? PST_OK : pst_kafka_check_property(key, value, err);
}

const pst_conf_spec pst_s3csv_spec = {
    .name = "S3CsvSink",
    .doc = "Lands Kafka topics of JSON records as CSV (or JSON lines) objects in S3, "
           "MinIO or a directory: "
           "an object every few seconds, every record exactly once, the bytes of Spark's "
           "from_json and CSV writer.",
    .parts = parts,
    .n_parts = sizeof parts / sizeof *parts,
    .size = sizeof(pst_s3csv_conf),
    .other = other,
    .check = check,
};

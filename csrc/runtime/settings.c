/*
 * settings.c - the settings tables of the runtime: what every connector has, when a sink
 * closes a window, and where its objects lie.
 */
#include "runtime/objects.h"
#include "runtime/worker.h"

#include <string.h>

/* ---- every connector ---- */

static pst_rc check_name(const char *value, pst_err *err)
{
    size_t n = strlen(value);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)value[i] < 0x21 || (unsigned char)value[i] > 0x7e ||
            value[i] == '/')
            return pst_fail(err, PST_E_CONFIG,
                            "must be printable ASCII without blanks and slashes");
    if (n == 0 || n > 200)
        return pst_fail(err, PST_E_CONFIG, "must have 1 to 200 characters");
    return PST_OK;
}

static const char *const tolerances[] = {"none", "all", NULL};

#define AT(member) offsetof(pst_connector_conf, member)

static const pst_setting connector_rows[] = {
    {.name = "name",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_REQUIRED,
     .offset = AT(name),
     .check = check_name,
     .importance = PST_CONF_HIGH,
     .doc = "The connector's name, unique in the worker. A sink's consumer group is "
            "connect-<name>; daemons that share a name share its work."},
    {.name = "connector.class",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_REQUIRED,
     .offset = AT(connector_class),
     .importance = PST_CONF_HIGH,
     .doc = "RandomUserSource or S3CsvSink."},
    {.name = "tasks.max",
     .type = PST_CONF_INT,
     .offset = AT(tasks_max),
     .def = "1",
     .min = 1,
     .max = 64,
     .importance = PST_CONF_MEDIUM,
     .doc =
         "How many tasks (threads) share the connector's work; each is a member of the "
         "consumer group of its own."},
    {.name = "errors.tolerance",
     .type = PST_CONF_ENUM,
     .offset = AT(errors_tolerance),
     .def = "none",
     .choices = tolerances,
     .importance = PST_CONF_MEDIUM,
     .doc = "What to do with a record that cannot become a row: none = land what came "
            "before it and fail; all = count it and go on."},
    {.name = "errors.log.enable",
     .type = PST_CONF_BOOL,
     .offset = AT(errors_log_enable),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Log each record that errors.tolerance=all skips, with its topic, partition "
            "and offset: at most ten lines in ten seconds, the rest is counted."},
    {.name = "errors.log.include.messages",
     .type = PST_CONF_BOOL,
     .offset = AT(errors_log_messages),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Such a line also tells the record's timestamp and the sizes of its key and "
            "value; never what is in them."},
    {.name = "errors.retry.timeout",
     .type = PST_CONF_MS,
     .offset = AT(errors_retry_timeout_ms),
     .def = "60000",
     .min = -1,
     .max = INT64_MAX,
     .importance = PST_CONF_LOW,
     .doc =
         "How long a run that is to end (--until-end, an operator) tries again before it "
         "fails; -1 = for ever. A daemon's sink always tries again: it pauses and "
         "nothing is dropped."},
    {.name = "errors.retry.delay.max.ms",
     .type = PST_CONF_MS,
     .offset = AT(errors_retry_delay_max_ms),
     .def = "10000",
     .min = 100,
     .max = 3600000,
     .importance = PST_CONF_LOW,
     .doc = "Longest wait between two tries."},
    {.name = "errors.deadletterqueue.topic.name",
     .type = PST_CONF_STRING,
     .offset = AT(dlq_topic),
     .importance = PST_CONF_MEDIUM,
     .doc = "Sinks: where records that errors.tolerance=all skips go, with key, value, "
            "headers and timestamp as they were. Made at the start if it is missing. A "
            "window waits for its dead letters before it lands. Their producer takes the "
            "worker's producer.* settings."},
    {.name = "errors.deadletterqueue.topic.replication.factor",
     .type = PST_CONF_INT,
     .offset = AT(dlq_replication),
     .def = "3",
     .min = -1,
     .max = 32767,
     .importance = PST_CONF_MEDIUM,
     .doc = "Of the dead letter topic, where it is made; -1 = the broker's default."},
    {.name = "errors.deadletterqueue.context.headers.enable",
     .type = PST_CONF_BOOL,
     .offset = AT(dlq_context_headers),
     .def = "false",
     .importance = PST_CONF_MEDIUM,
     .doc = "Adds Connect's __connect.errors.* headers to dead letters: topic, "
            "partition, offset, connector.name, task.id, stage, class.name and "
            "exception.*."},
};

const pst_conf_section pst_connector_section = {
    .title = "The connector",
    .rows = connector_rows,
    .n_rows = sizeof connector_rows / sizeof *connector_rows,
};

/* ---- when a window is closed ---- */

#undef AT
#define AT(member) offsetof(pst_objects_conf, member)

static const pst_setting when_rows[] = {
    {.name = "rotate.schedule.interval.ms",
     .type = PST_CONF_MS,
     .offset = AT(rotate_schedule_ms),
     .def = "10000",
     .min = 100,
     .max = 86400000,
     .importance = PST_CONF_HIGH,
     .doc = "An object at least so often, by the wall clock, aligned to it. The timer is "
            "its own: it fires when no new records come, too."},
    {.name = "flush.size",
     .type = PST_CONF_LONG,
     .offset = AT(flush_size),
     .def = "0",
     .min = 0,
     .max = INT64_MAX,
     .importance = PST_CONF_HIGH,
     .doc = "Close a window when it has so many records; 0 = no such limit."},
    {.name = "flush.bytes",
     .type = PST_CONF_SIZE,
     .offset = AT(flush_bytes),
     .def = "0",
     .min = 0,
     .max = INT64_MAX,
     .importance = PST_CONF_MEDIUM,
     .doc =
         "Close a window when it has so many encoded bytes; 0 = no such limit. "
         "buffer.memory closes windows early in any case. With neither this nor "
         "flush.size, a window that reaches 8 MiB (or an eighth of what buffer.memory "
         "leaves for windows) within an eighth of rotate.schedule.interval.ms is closed "
         "as soon as its partition uploads nothing."},
    {.name = "rotate.interval.ms",
     .type = PST_CONF_MS,
     .offset = AT(rotate_ms),
     .def = "-1",
     .min = -1,
     .max = INT64_MAX,
     .importance = PST_CONF_MEDIUM,
     .doc = "Close a window, of all its objects, before a record whose time "
            "(timestamp.extractor) is so much later than that of the first record in the "
            "same object. Only with a time-based partitioner.class; -1 = not by record "
            "time. The wall clock's rotate.schedule.interval.ms goes on beside it."},
};

const pst_conf_section pst_objects_when_section = {
    .title = "When: an object is closed by time, count or size, whichever is first",
    .rows = when_rows,
    .n_rows = sizeof when_rows / sizeof *when_rows,
};

/* ---- where objects lie ---- */

/* enum pst_layout's */
static const char *const layouts[] = {"DefaultPartitioner",
                                      "FlatPartitioner",
                                      "FieldPartitioner",
                                      "TimeBasedPartitioner",
                                      "HourlyPartitioner",
                                      "DailyPartitioner",
                                      NULL};

static pst_rc check_dir(const char *value, pst_err *err)
{
    size_t n = strlen(value);
    if (n > 400)
        return pst_fail(err, PST_E_CONFIG, "must not be longer than 400 bytes");
    if (n && (value[0] == '/' || value[n - 1] == '/'))
        return pst_fail(err, PST_E_CONFIG, "must not begin or end with a slash");
    if (strstr(value, "//") || strstr(value, ".."))
        return pst_fail(err, PST_E_CONFIG, "must not contain // or ..");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
            return pst_fail(err, PST_E_CONFIG, "must not contain control characters");
    return PST_OK;
}

static const pst_setting where_rows[] = {
    {.name = "topics.dir",
     .type = PST_CONF_STRING,
     .offset = AT(topics_dir),
     .def = "topics",
     .check = check_dir,
     .importance = PST_CONF_HIGH,
     .doc =
         "The prefix of all keys in the bucket. One connector a prefix: two that share "
         "one are refused. A change seals the chain and goes on below the new one."},
    {.name = "partitioner.class",
     .type = PST_CONF_ENUM,
     .offset = AT(layout),
     .def = "DefaultPartitioner",
     .choices = layouts,
     .prefix = "io.confluent.connect.storage.partitioner.",
     .importance = PST_CONF_MEDIUM,
     .doc =
         "DefaultPartitioner: "
         "<topics.dir>/<topic>/partition=<P>/<topic>+<P>+<start>.csv. "
         "FlatPartitioner: <topics.dir>/<topic>+<P>+<start>.csv. The others give "
         "<topics.dir>/<topic>/<folders>/<topic>+<P>+<first offset>.csv, several "
         "objects a window: FieldPartitioner parts by partition.field.name, "
         "TimeBasedPartitioner by path.format, HourlyPartitioner and DailyPartitioner "
         "by hour and day (docs/partitioners.md). A change seals the chain and goes on "
         "in the new layout."},
    {.name = "failOnDataLoss",
     .type = PST_CONF_BOOL,
     .offset = AT(fail_on_data_loss),
     .def = "true",
     .importance = PST_CONF_MEDIUM,
     .doc = "Offsets that expired from the topic before they were read: true = the task "
            "stops and says which, false = it counts them and goes on."},
    {.name = "chain.take.over.from",
     .type = PST_CONF_STRING,
     .offset = AT(take_over_from),
     .check = check_name,
     .importance = PST_CONF_LOW,
     .doc = "The old name of a renamed connector: its chain may be gone on with. The old "
            "connector must not run any more; `penstock chain take-over` sees to "
            "that, and needs no setting."},
    {.name = "chain.layout.from",
     .type = PST_CONF_STRING,
     .offset = AT(layout_from),
     .importance = PST_CONF_LOW,
     .doc = "The layout in use, <topics.dir>/<partitioner.class><extension>, when the "
            "settings go back to one that was used before. A new layout needs no such "
            "word: the chain is sealed and goes on there."},
};

const pst_conf_section pst_objects_where_section = {
    .title = "Where: names of objects",
    .rows = where_rows,
    .n_rows = sizeof where_rows / sizeof *where_rows,
};

/* ---- the worker ---- */

#undef AT
#define AT(member) offsetof(pst_worker_conf, member)

static const char *const log_levels[] = {"off",   "error", "warn", "info",
                                         "debug", "trace", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
/* PST_LOG_OFF and so on, and one more: PST_WORKER_LOG_ROOT. */
static const char *const module_levels[] = {"off",   "error", "warn",       "info",
                                            "debug", "trace", PST_LOG_ROOT, NULL};
#define MODULE_LEVEL(at, module, lines)                                                  \
    {                                                                                    \
        .name = "log.level." module, .type = PST_CONF_ENUM,                              \
        .offset = AT(log_levels[at]), .def = PST_LOG_ROOT, .choices = module_levels,     \
        .importance = PST_CONF_LOW,                                                      \
        .doc = "Level for " lines "; root = that of log.level."                          \
    }

static bool is_listener(pst_sv text)
{
    pst_sv host = text, port = {NULL, 0};
    int64_t n = 0;
    bool tls = pst_sv_starts(text, PST_SV("https://"));
    if (!tls && !pst_sv_starts(text, PST_SV("http://")))
        return false;
    host.p += tls ? 8 : 7;
    host.n -= tls ? 8 : 7;
    while (host.n && host.p[host.n - 1] == '/')
        host.n--;
    if (host.n && host.p[0] == '[')
        (void)pst_sv_cut(host, ']', &port);
    else
        port = host;
    (void)pst_sv_cut(port, ':', &port);
    return !port.p || (pst_sv_to_i64(port, &n) && n >= 0 && n <= 65535);
}

static pst_rc check_listeners(const char *value, pst_err *err)
{
    for (pst_sv left = pst_sv_of(value); left.p;) {
        pst_sv one = pst_sv_trim(pst_sv_cut(left, ',', &left));
        if (one.n && !is_listener(one))
            return pst_fail(err, PST_E_CONFIG,
                            "must be http://host:port or https://host:port, separated by "
                            "commas; empty = no REST");
    }
    return PST_OK;
}

static const char *const auths[] = {"none", "basic", NULL};

static void check_worker(const void *all, const pst_props *props, pst_conf_report *report)
{
    const pst_worker_conf *conf = all;
    if (conf->rest_auth && !conf->rest_auth_file)
        pst_conf_error(report, pst_props_find(props, "rest.auth"), "rest.auth",
                       "basic needs rest.auth.file");
    if (conf->listeners && strstr(conf->listeners, "https://") &&
        (!conf->rest_ssl_certificate || !conf->rest_ssl_key))
        pst_conf_error(report, pst_props_find(props, "listeners"), "listeners",
                       "https needs rest.ssl.certificate and rest.ssl.key");
}

static const pst_setting worker_rows[] = {
    {.name = "bootstrap.servers",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_REQUIRED,
     .offset = AT(bootstrap_servers),
     .importance = PST_CONF_HIGH,
     .doc = "Kafka brokers to begin with, host:port, separated by commas."},
    {.name = "buffer.memory",
     .type = PST_CONF_SIZE,
     .offset = AT(buffer_memory),
     .def = "64m",
     .min = 8 * 1024 * 1024,
     .max = (int64_t)1 << 40,
     .importance = PST_CONF_MEDIUM,
     .doc = "The process's ceiling for records and encoded bytes, librdkafka's queues "
            "counted in. Past it windows are closed early, largest first, and reading "
            "waits."},
    {.name = "spool.dir",
     .type = PST_CONF_STRING,
     .offset = AT(spool_dir),
     .importance = PST_CONF_MEDIUM,
     .doc =
         "A folder for what buffer.memory does not hold: a window that outgrows memory "
         "goes on there, in a file without a name, instead of being closed early. For "
         "objects of hundreds of MiB. Empty = none."},
    {.name = "spool.max.bytes",
     .type = PST_CONF_SIZE,
     .offset = AT(spool_max_bytes),
     .def = "10g",
     .min = 1024 * 1024,
     .max = (int64_t)1 << 50,
     .importance = PST_CONF_LOW,
     .doc =
         "The ceiling of all files in spool.dir together. Past it, or when the disk is "
         "full, windows are closed early as without it."},
    {.name = "startup.timeout.ms",
     .type = PST_CONF_MS,
     .offset = AT(startup_timeout_ms),
     .def = "60000",
     .min = 100,
     .max = 86400000,
     .importance = PST_CONF_LOW,
     .doc = "How long to wait at the start for Kafka and the store; then exit with "
            "status 3."},
    {.name = "shutdown.timeout.ms",
     .type = PST_CONF_MS,
     .offset = AT(shutdown_timeout_ms),
     .def = "30000",
     .min = 100,
     .max = 86400000,
     .importance = PST_CONF_LOW,
     .doc =
         "How long a stop may take to land what is buffered; the rest stays in Kafka."},
    {.name = "log.level",
     .type = PST_CONF_ENUM,
     .offset = AT(log_level),
     .def = "info",
     .choices = log_levels,
     .importance = PST_CONF_LOW,
     .doc = "Lines of this level and above are written. This and the levels of modules "
            "are read again at SIGHUP."},
    /* In the order of pst_log_modules. */
    MODULE_LEVEL(0, "chain", "the chains of objects"),
    MODULE_LEVEL(1, "daemon", "the process: start, signals, settings"),
    MODULE_LEVEL(2, "group", "the consumer group: partitions come and go"),
    MODULE_LEVEL(3, "kafka", "librdkafka's own lines"),
    MODULE_LEVEL(4, "offsets", "the store of sources' offsets"),
    MODULE_LEVEL(5, "record", "records that could not become rows"),
    MODULE_LEVEL(6, "rest", "the REST interface"),
    MODULE_LEVEL(7, "source", "sources"),
    MODULE_LEVEL(8, "spool", "windows on disk (spool.dir)"),
    MODULE_LEVEL(9, "store", "requests to the store and credentials"),
    MODULE_LEVEL(10, "task", "the start and end of tasks"),
    {.name = "log.format",
     .type = PST_CONF_ENUM,
     .offset = AT(log_format),
     .def = "text",
     .choices = log_formats,
     .importance = PST_CONF_LOW,
     .doc = "One line an event, as text or as JSON."},
    {.name = "listeners",
     .type = PST_CONF_STRING,
     .offset = AT(listeners),
     .def = "http://127.0.0.1:8083",
     .check = check_listeners,
     .importance = PST_CONF_MEDIUM,
     .doc = "Addresses of the REST interface, http://host:port or https://host:port, "
            "separated by commas; empty = none. If the default's port is taken, that is "
            "a warning, and with --until-end only listeners that are given are served."},
    {.name = "config.storage.dir",
     .type = PST_CONF_STRING,
     .offset = AT(config_storage_dir),
     .importance = PST_CONF_MEDIUM,
     .doc =
         "The folder of connectors that are made over REST, a JSON file each; they go on "
         "after a restart. With it the daemon needs no connector on the command line "
         "and runs until it is told to stop. Unset: none can be made."},
    {.name = "rest.advertised.host.name",
     .type = PST_CONF_STRING,
     .offset = AT(rest_advertised_host),
     .importance = PST_CONF_LOW,
     .doc = "The name this worker is reached by: in worker_id, and let in as a Host."},
    {.name = "rest.auth",
     .type = PST_CONF_ENUM,
     .offset = AT(rest_auth),
     .def = "none",
     .choices = auths,
     .importance = PST_CONF_MEDIUM,
     .doc =
         "Who may use the REST interface: none = whoever reaches it, basic = the users "
         "of rest.auth.file. Only /health and /ready answer without a password then."},
    {.name = "rest.auth.file",
     .type = PST_CONF_STRING,
     .offset = AT(rest_auth_file),
     .importance = PST_CONF_LOW,
     .doc = "Users and salted hashes of their passwords, a line each, as `penstockd "
            "--hash-password NAME` prints it. Read at the start."},
    {.name = "rest.ssl.certificate",
     .type = PST_CONF_STRING,
     .offset = AT(rest_ssl_certificate),
     .importance = PST_CONF_LOW,
     .doc = "The PEM file of the certificate, its chain included, of https listeners."},
    {.name = "rest.ssl.key",
     .type = PST_CONF_STRING,
     .offset = AT(rest_ssl_key),
     .importance = PST_CONF_LOW,
     .doc = "The PEM file of its key."},
    {.name = "rest.allow.insecure",
     .type = PST_CONF_BOOL,
     .offset = AT(rest_allow_insecure),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Listen on addresses that other machines reach without rest.auth=basic: only "
            "where something else guards them."},
    {.name = "offset.storage.topic",
     .type = PST_CONF_STRING,
     .offset = AT(offset_storage_topic),
     .def = "penstock-offsets",
     .importance = PST_CONF_MEDIUM,
     .doc =
         "The compacted topic where sources keep their offsets; made if it is missing. "
         "Empty = none are kept: each start of a source begins anew."},
    {.name = "offset.storage.retention.ms",
     .type = PST_CONF_MS,
     .offset = AT(offset_storage_retention_ms),
     .def = "0",
     .min = 0,
     .max = INT64_MAX,
     .importance = PST_CONF_LOW,
     .doc =
         "For a job whose every run has a source partition (randomuser.seed) of its own: "
         "a run removes the stored offsets of this connector's other source partitions "
         "that are older, so that the topic does not grow for ever. To be longer than "
         "the time in which a run may be tried again; 0 = they are kept for ever."},
};

static const pst_conf_section worker_section = {
    .title = "The worker",
    .rows = worker_rows,
    .n_rows = sizeof worker_rows / sizeof *worker_rows,
};

static const pst_conf_part worker_parts[] = {{&worker_section, 0}};

const pst_conf_spec pst_worker_spec = {
    .name = "worker",
    .doc =
        "The process: Kafka, memory, logs. librdkafka's own settings are passed through "
        "by their names (security.protocol, sasl.*, ssl.*), or as consumer.* and "
        "producer.*.",
    .parts = worker_parts,
    .n_parts = 1,
    .size = sizeof(pst_worker_conf),
    .other = pst_kafka_check_property,
    .check = check_worker,
};

/*
 * s3csv.c - S3CsvSink: a reader (JSON → row), a writer (row → CSV, JSON) and a store, put
 * behind the object sink of the runtime, which does all the rest.
 */
#include "connectors/s3csv/s3csv.h"

#include "base/mem.h"
#include "io/kafka_headers.h"

#include <stdio.h>
#include <string.h>

struct pst_sink {
    const pst_s3csv_conf *conf;
    pst_task_env env; /* a copy: objects borrow it for their life */
    pst_s3csv_columns columns;
    const pst_format *format;
    pst_partitioner *partitioner; /* NULL unless routed */
    pst_store *store;
    pst_encoder encoder;
    char extension[PST_EXTENSION_MAX + 1];
    pst_objects *objects;
};

/* ---- encoder ---- */

#define NULL_REFUSED "null value (behavior.on.null.values=fail)"

static pst_rc begin(void *self, pst_buf *out, pst_err *err)
{
    pst_sink *sink = self;
    return sink->format->begin(sink->columns.writer, out, err);
}

static pst_rc encode(void *self, const pst_msg *msg, pst_buf *out, pst_route *route,
                     pst_err *err)
{
    pst_sink *sink = self;
    if (!msg->value.p && sink->conf->on_null == PST_NULL_IGNORE)
        return PST_OK;
    if (!msg->value.p && sink->conf->on_null == PST_NULL_FAIL)
        return pst_fail(err, PST_E_INVALID, NULL_REFUSED);
    pst_row row;
    pst_rc rc = pst_reader_read(sink->columns.reader, msg, &row, err);
    if (rc == PST_OK && route)
        rc = pst_partitioner_fill(sink->partitioner, msg, row.cells + row.n, &route->path,
                                  &route->time_ms, err);
    if (rc == PST_OK)
        rc = sink->format->row(sink->columns.writer, &row, out, err);
    return rc;
}

/* As Connect has it: transforms come before the sink, so a Filter may drop a null value
   that behavior.on.null.values=fail would not take. The partitioner sees the value as it
   came. */
static pst_rc encode_transformed(void *self, const pst_msg *msg, pst_buf *out,
                                 pst_route *route, pst_err *err)
{
    pst_sink *sink = self;
    pst_row row;
    bool keep = true;
    pst_rc rc = pst_reader_read(sink->columns.reader, msg, &row, err);
    const pst_cell *extra = rc == PST_OK ? row.cells + row.n : NULL;
    if (rc == PST_OK)
        rc = pst_transforms_apply(sink->columns.transforms, msg, &row, &keep, err);
    if (rc != PST_OK || !keep ||
        (!msg->value.p && sink->conf->on_null == PST_NULL_IGNORE))
        return rc;
    if (!msg->value.p && sink->conf->on_null == PST_NULL_FAIL)
        return pst_fail(err, PST_E_INVALID, NULL_REFUSED);
    if (route)
        rc = pst_partitioner_fill(sink->partitioner, msg, extra, &route->path,
                                  &route->time_ms, err);
    if (rc == PST_OK)
        rc = sink->format->row(sink->columns.writer, &row, out, err);
    return rc;
}

/* Parsed headers take many times their bytes: they go with the row, not with the batch.
 */
static pst_rc encode_with_headers(void *self, const pst_msg *msg, pst_buf *out,
                                  pst_route *route, pst_err *err)
{
    pst_sink *sink = self;
    pst_rc rc = sink->columns.transforms ? encode_transformed(self, msg, out, route, err)
                                         : encode(self, msg, out, route, err);
    if (msg->headers)
        pst_kafka_headers_drop(msg->headers);
    return rc;
}

/* Told in each object's metadata: objects with another fingerprint have other columns or
   another dialect. */
static void fingerprint(const pst_s3csv_conf *conf, const pst_transforms *transforms,
                        char out[17])
{
    uint32_t rows = pst_conf_sum(0, &pst_reader_section, &conf->reader);
    const void *settings;
    const pst_format *format = pst_s3csv_format(conf, &settings);
    uint32_t text = pst_conf_sum(0, format->section, settings);
    rows = pst_crc32c(rows, &conf->on_null, sizeof conf->on_null);
    if (pst_layout_is_routed((pst_layout)conf->objects.layout))
        rows = pst_conf_sum(rows, &pst_partitioner_section, &conf->partitioner);
    if (transforms)
        rows = pst_transforms_sum(transforms, rows);
    const pst_compression *method = pst_compress_method(&conf->compress);
    if (method)
        text = pst_crc32c(text, method->name, strlen(method->name));
    snprintf(out, 17, "%08x%08x", rows, text);
}

/* ---- life ---- */

static void stop(pst_sink *sink)
{
    if (!sink)
        return;
    pst_objects_free(sink->objects);
    pst_store_close(sink->store);
    pst_s3csv_close_columns(sink->conf, &sink->columns);
    pst_partitioner_free(sink->partitioner);
    pst_free(sink);
}

static pst_rc open_partitioner(pst_sink *sink, pst_err *err)
{
    size_t n;
    pst_partitioner_options options = {
        .conf = &sink->conf->partitioner,
        .layout = (pst_layout)sink->conf->objects.layout,
        .clock = sink->env.clock,
        .topics_dir = sink->conf->objects.topics_dir,
        .columns = pst_reader_extra(sink->columns.reader, &n),
    };
    if (!pst_layout_is_routed(options.layout))
        return PST_OK;
    return pst_partitioner_new(&sink->partitioner, &options, err);
}

static pst_rc open_encoder(pst_sink *sink, pst_err *err)
{
    const pst_s3csv_conf *conf = sink->conf;
    sink->format = pst_s3csv_format(conf, NULL);
    pst_rc rc =
        pst_s3csv_open_columns(conf, sink->env.connector_props, &sink->columns, err);
    rc = rc ? rc : open_partitioner(sink, err);
    if (rc != PST_OK)
        return rc;
    pst_transforms *transforms = sink->columns.transforms;
    bool headers = pst_reader_set_headers(sink->columns.reader, pst_kafka_header);
    headers |= transforms && pst_transforms_set_headers(transforms, pst_kafka_header);
    const pst_compression *method = pst_compress_method(&conf->compress);
    pst_s3csv_extension(conf, sink->extension);
    sink->encoder =
        (pst_encoder){.extension = sink->extension,
                      .content_type = sink->format->content_type,
                      .compression = method,
                      .compression_level = pst_compress_level(&conf->compress),
                      .compression_header = method && conf->compress.header,
                      .routed = sink->partitioner != NULL,
                      .begin = begin,
                      .encode = headers      ? encode_with_headers
                                : transforms ? encode_transformed
                                             : encode,
                      .self = sink};
    fingerprint(conf, transforms, sink->encoder.schema);
    return rc;
}

static pst_rc open_store(pst_sink *sink, bool *conditional, pst_err *err)
{
    const pst_task_env *env = &sink->env;
    pst_rc rc = pst_store_open(&sink->store, &sink->conf->store, env->clock, env->abort,
                               env->log, err);
    pst_store_abilities abilities;
    if (rc == PST_OK)
        rc =
            pst_store_probe(sink->store, sink->conf->objects.topics_dir, &abilities, err);
    if (rc != PST_OK)
        return rc;
    *conditional = abilities.conditional_create;
    if (!*conditional)
        pst_logf(
            env->log, PST_LOG_WARN, env->id, "store",
            "this store does not create conditionally (If-None-Match): records can be "
            "doubled when two daemons own a partition for a moment. Guarantee: "
            "at-least-once under split brain");
    return PST_OK;
}

static pst_rc start(pst_sink **out, const void *conf, const pst_task_env *env,
                    const pst_sink_host *host, pst_err *err)
{
    pst_sink *sink = pst_calloc(1, sizeof *sink);
    if (!sink)
        return pst_fail_nomem(err, "sink");
    sink->conf = conf;
    sink->env = *env;
    bool conditional = false;
    pst_rc rc = open_encoder(sink, err);
    if (rc == PST_OK)
        rc = open_store(sink, &conditional, err);
    if (rc == PST_OK) {
        pst_objects_options options = {
            .conf = &sink->conf->objects,
            .connector = &sink->conf->connector,
            .env = &sink->env,
            .host = host,
            .store = sink->store,
            .conditional = conditional,
            .retry_backoff_ms = sink->conf->store.retry_backoff_ms,
            .encoder = &sink->encoder,
        };
        rc = pst_objects_new(&sink->objects, &options, err);
    }
    if (rc != PST_OK) {
        stop(sink);
        return rc;
    }
    *out = sink;
    return PST_OK;
}

/* ---- the rest is the object sink's ---- */

static pst_rc open_partitions(pst_sink *sink, pst_tp *tps, size_t n, pst_err *err)
{
    return pst_objects_open(sink->objects, tps, n, err);
}

static pst_rc put(pst_sink *sink, const pst_item *items, size_t n, size_t *taken,
                  pst_err *err)
{
    return pst_objects_put(sink->objects, items, n, taken, err);
}

static pst_rc tick(pst_sink *sink, int64_t *next_ms, pst_err *err)
{
    return pst_objects_tick(sink->objects, next_ms, err);
}

static void flush(pst_sink *sink, const pst_tp *tps, size_t n)
{
    pst_objects_flush(sink->objects, tps, n);
}

static bool idle(const pst_sink *sink, const pst_tp *tps, size_t n)
{
    return pst_objects_idle(sink->objects, tps, n);
}

static bool finished(const pst_sink *sink)
{
    return pst_objects_finished(sink->objects);
}

static size_t precommit(pst_sink *sink, pst_tp *out, size_t max)
{
    return pst_objects_precommit(sink->objects, out, max);
}

static void committed(pst_sink *sink, const pst_tp *tps, size_t n, int64_t asked_ms)
{
    pst_objects_committed(sink->objects, tps, n, asked_ms);
}

static void close_partitions(pst_sink *sink, const pst_tp *tps, size_t n)
{
    pst_objects_close(sink->objects, tps, n);
}

static void stats(const pst_sink *sink, pst_sink_stats *out)
{
    pst_objects_stats(sink->objects, out);
}

static void progress(pst_sink *sink, pst_progress *out)
{
    pst_objects_progress(sink->objects, out);
}

static const pst_conf_list *topics(const void *opaque, const char **regex)
{
    const pst_s3csv_conf *conf = opaque;
    *regex = conf->topics_regex;
    return &conf->topics;
}

static const pst_sink_ops ops = {
    .start = start,
    .open = open_partitions,
    .put = put,
    .tick = tick,
    .flush = flush,
    .idle = idle,
    .finished = finished,
    .precommit = precommit,
    .committed = committed,
    .close = close_partitions,
    .stats = stats,
    .progress = progress,
    .stop = stop,
};

const pst_connector pst_s3csv = {
    .class_name = "S3CsvSink",
    .type = "sink",
    .spec = &pst_s3csv_spec,
    .sink = &ops,
    .topics = topics,
};

/*
 * objects.h - a sink that lands windows of encoded rows as objects, one chain a
 * partition.
 *
 * Whatever the format: a connector lends an encoder, and gets the sink callbacks of
 * plugin.h for nothing more. Per partition:
 *
 *   records → open window → (size, bytes, age, memory, flush) → sealed windows, in order
 *           → one at a time to the chain, by the pool → durable → commit
 *
 * Retry with backoff is here, for every partition by itself; the chain does single steps.
 */
#ifndef PST_RUNTIME_OBJECTS_H
#define PST_RUNTIME_OBJECTS_H

#include "format/compress.h"
#include "runtime/chain.h"
#include "runtime/plugin.h"

/* Rows in runtime/settings.c. */
typedef struct pst_objects_conf {
    char *topics_dir;
    int layout; /* enum pst_layout */
    int64_t flush_size;
    int64_t flush_bytes;
    int64_t rotate_schedule_ms;
    int64_t rotate_ms; /* by the records' time; 0 or less = not */
    bool fail_on_data_loss;
    char *take_over_from; /* a connector's name */
    char *layout_from;    /* a layout's, as pst_place_text() gives it */
} pst_objects_conf;

extern const pst_conf_section pst_objects_when_section, pst_objects_where_section;

/* Where a record's row belongs, and when it was. */
typedef struct pst_route {
    pst_buf path; /* folders below <topics.dir>/<topic>, escaped, without slashes at its
                     ends; "" = none. Empty when the encoder gets it. */
    int64_t time_ms; /* of timestamp.extractor; INT64_MIN = none */
} pst_route;

typedef struct pst_encoder {
    const char *extension; /* ".csv", ".csv.gz" */
    const char *content_type;
    const pst_compression *compression; /* NULL = none; `extension` then ends with its */
    int compression_level;
    bool compression_header; /* Content-Encoding is sent */
    char
        schema[17]; /* fingerprint of all settings that shape rows, and paths if routed */
    bool routed;    /* a window may become several objects: encode() tells where rows go;
                       just where pst_layout_is_routed() */
    /* What an object starts with. */
    pst_rc (*begin)(void *self, pst_buf *out, pst_err *err);
    /* Appends the record's row, or nothing. PST_E_INVALID: the record can't become a row;
       `out` is then cut back. `route`: NULL unless routed; filled if a row was appended.
     */
    pst_rc (*encode)(void *self, const pst_msg *msg, pst_buf *out, pst_route *route,
                     pst_err *err);
    void *self;
} pst_encoder;

typedef struct pst_objects pst_objects;

typedef struct pst_objects_options {
    const pst_objects_conf *conf;
    const pst_connector_conf *connector;
    const pst_task_env *env;
    const pst_sink_host *host; /* NULL: no Kafka behind it */
    pst_store *store;          /* borrowed */
    bool conditional;          /* the store's probe */
    int64_t retry_backoff_ms;
    const pst_encoder *encoder;
} pst_objects_options;

pst_rc pst_objects_new(pst_objects **out, const pst_objects_options *options,
                       pst_err *err) PST_MUST;
void pst_objects_free(
    pst_objects *objects); /* waits for uploads under way; drops the rest */

/* The callbacks of pst_sink_ops. */
pst_rc pst_objects_open(pst_objects *objects, pst_tp *tps, size_t n,
                        pst_err *err) PST_MUST;
pst_rc pst_objects_put(pst_objects *objects, const pst_item *items, size_t n,
                       size_t *taken, pst_err *err) PST_MUST;
pst_rc pst_objects_tick(pst_objects *objects, int64_t *next_ms, pst_err *err) PST_MUST;
void pst_objects_flush(pst_objects *objects, const pst_tp *tps, size_t n);
bool pst_objects_idle(const pst_objects *objects, const pst_tp *tps, size_t n);
bool pst_objects_finished(const pst_objects *objects);
size_t pst_objects_precommit(pst_objects *objects, pst_tp *out, size_t max);
void pst_objects_committed(pst_objects *objects, const pst_tp *tps, size_t n,
                           int64_t asked_ms);
void pst_objects_close(pst_objects *objects, const pst_tp *tps, size_t n);
void pst_objects_stats(const pst_objects *objects, pst_sink_stats *out);
void pst_objects_progress(pst_objects *objects, pst_progress *out);

#endif

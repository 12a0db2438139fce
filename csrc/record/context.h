/*
 * context.h - what reading and computing values need beside the plan: options, time zone,
 * scratch memory, counters. One per reader.
 */
#ifndef PST_RECORD_CONTEXT_H
#define PST_RECORD_CONTEXT_H

#include "record/arena.h"
#include "record/json.h"
#include "record/pattern.h"
#include "record/record.h"
#include "record/timezone.h"

typedef struct pst_context {
    pst_json_options json;
    bool partial;    /* spark.sql.json.enablePartialResults */
    int time_policy; /* enum pst_time_policy */
    bool date_fallback, timestamp_fallback;
    int number_format;
    pst_zone *zone;                                           /* the session's */
    pst_zone_cache zones;                                     /* those that texts named */
    pst_pattern *date_format, *timestamp_format, *ntz_format; /* NULL = Spark's default */
    pst_pattern *legacy_date, *legacy_timestamp; /* what Spark 2 would have read with */
    pst_arena arena;
    pst_buf copy;            /* a value written as JSON again */
    pst_header_at header_at; /* NULL = records have no headers */
    pst_reader_stats stats;
    bool policy_hit; /* this record has a field that kills Spark's query */
} pst_context;

/* Copies bytes to the arena; p == NULL when it is full. */
pst_sv pst_context_keep(pst_context *ctx, pst_sv bytes);
/* A STRING of Kafka's bytes, repaired as Java does; p == NULL is null. */
pst_rc pst_context_text(pst_context *ctx, pst_sv bytes, pst_cell *out) PST_MUST;

#endif

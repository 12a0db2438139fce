/*
 * reader.c - pst_reader: a record in, a row out; see record.h.
 */
#include "base/mem.h"
#include "record/exact.h"
#include "record/expr.h"
#include "record/scan.h"
#include "record/utf8.h"

enum { RECORD_MAX = 1 << 30 }; /* a Kafka record can't be larger */

struct pst_reader {
    pst_plan *plan;
    pst_context ctx;
    pst_exact exact;
    pst_scan *scan;
    pst_cell *slots, *cells; /* cells: the row, when it is not the slots themselves */
    bool direct;             /* output i is slot i */
    bool failfast;
    bool all_fields; /* a bad field that nobody selected matters */
};

/* ---- set-up ---- */

static pst_rc open_pattern(pst_pattern **out, const char *text, bool legacy,
                           const char *setting, pst_err *err)
{
    pst_err local = PST_ERR_INIT;
    if (!text)
        return PST_OK;
    pst_rc rc = pst_pattern_new(out, text,
                                legacy ? PST_PATTERN_LEGACY : PST_PATTERN_PARSE, &local);
    return rc ? pst_fail(err, rc, "%s: %s", setting, local.text) : PST_OK;
}

/* What Spark 2 read with: the same pattern, or its defaults. It may not exist (a letter
   that it did not know): then nothing is compared. */
static void open_legacy(pst_pattern **out, const char *text, const char *def)
{
    if (pst_pattern_new(out, text ? text : def, PST_PATTERN_LEGACY, NULL) != PST_OK)
        *out = NULL;
}

static pst_rc open_patterns(pst_context *ctx, const pst_reader_conf *conf, pst_err *err)
{
    bool legacy = conf->time_parser_policy == PST_TIME_LEGACY;
    const char *date = conf->json_date_format, *stamp = conf->json_timestamp_format;
    if (legacy && !date)
        date = "yyyy-MM-dd";
    if (legacy && !stamp)
        stamp = "yyyy-MM-dd'T'HH:mm:ss.SSSXXX";
    pst_rc rc = open_pattern(&ctx->date_format, date, legacy, "json.dateFormat", err);
    rc = rc ? rc
            : open_pattern(&ctx->timestamp_format, stamp, legacy, "json.timestampFormat",
                           err);
    rc = rc ? rc
            : open_pattern(&ctx->ntz_format, conf->json_timestamp_ntz_format, false,
                           "json.timestampNTZFormat", err);
    if (rc == PST_OK && conf->time_parser_policy == PST_TIME_EXCEPTION) {
        open_legacy(&ctx->legacy_date, date, "yyyy-MM-dd");
        open_legacy(&ctx->legacy_timestamp, stamp, "yyyy-MM-dd HH:mm:ss");
    }
    return rc;
}

static bool fallback(int setting, bool legacy, const char *format)
{
    if (setting != PST_FALLBACK_AUTO)
        return setting == PST_FALLBACK_ON;
    return legacy || !format;
}

static pst_rc open_context(pst_context *ctx, const pst_reader_conf *conf, pst_err *err)
{
    bool legacy = conf->time_parser_policy == PST_TIME_LEGACY;
    ctx->json = (pst_json_options){
        .single_quotes = conf->allow_single_quotes,
        .non_numeric = conf->allow_non_numeric_numbers,
        .comments = conf->allow_comments,
        .unquoted_names = conf->allow_unquoted_field_names,
        .leading_zeros = conf->allow_numeric_leading_zeros,
        .any_backslash = conf->allow_backslash_escaping_any_character,
        .control_chars = conf->allow_unquoted_control_chars,
        .number_format = conf->number_format,
    };
    ctx->partial = conf->enable_partial_results;
    ctx->time_policy = conf->time_parser_policy;
    ctx->number_format = conf->number_format;
    ctx->date_fallback =
        fallback(conf->date_time_fallback, legacy, conf->json_date_format);
    ctx->timestamp_fallback =
        fallback(conf->date_time_fallback, legacy, conf->json_timestamp_format);
    pst_arena_init(&ctx->arena, (size_t)RECORD_MAX * 4);
    pst_buf_init(&ctx->copy, (size_t)RECORD_MAX * 4);
    const char *zone = conf->session_time_zone ? conf->session_time_zone : "UTC";
    pst_err local = PST_ERR_INIT;
    pst_rc rc = pst_zone_new(&ctx->zone, pst_sv_of(zone), &local);
    if (rc != PST_OK)
        return pst_fail(err, rc, "spark.sql.session.timeZone: %s", local.text);
    return open_patterns(ctx, conf, err);
}

static void close_context(pst_context *ctx)
{
    pst_pattern_free(ctx->date_format);
    pst_pattern_free(ctx->timestamp_format);
    pst_pattern_free(ctx->ntz_format);
    pst_pattern_free(ctx->legacy_date);
    pst_pattern_free(ctx->legacy_timestamp);
    pst_zone_free(ctx->zone);
    pst_zone_cache_done(&ctx->zones);
    pst_arena_done(&ctx->arena);
    pst_buf_done(&ctx->copy);
}

static pst_rc open_row(pst_reader *reader, pst_err *err)
{
    const pst_plan *plan = reader->plan;
    reader->slots = pst_calloc(plan->n_slots + 1, sizeof *reader->slots);
    reader->cells = pst_calloc(plan->n_outputs + 1, sizeof *reader->cells);
    if (!reader->slots || !reader->cells)
        return pst_fail_nomem(err, "the reader");
    reader->direct = true;
    for (size_t i = 0; i < plan->n_outputs; i++)
        if (plan->outputs[i].source != PST_FROM_SLOT || plan->outputs[i].slot != (int)i)
            reader->direct = false;
    return PST_OK;
}

pst_rc pst_reader_new(pst_reader **out, const pst_reader_conf *conf, pst_err *err)
{
    pst_reader *reader = pst_calloc(1, sizeof *reader);
    if (!reader)
        return pst_fail_nomem(err, "the reader");
    reader->failfast = conf->json_mode == PST_JSON_FAILFAST;
    pst_rc rc = open_context(&reader->ctx, conf, err);
    rc = rc ? rc : pst_plan_new(&reader->plan, conf, err);
    if (rc == PST_OK) {
        reader->all_fields =
            reader->failfast || reader->plan->corrupt_slot >= 0 || !reader->ctx.partial;
        rc = pst_exact_init(&reader->exact, reader->plan, (size_t)RECORD_MAX * 4, err);
    }
    rc = rc ? rc : open_row(reader, err);
    if (rc == PST_OK && !reader->all_fields)
        rc = pst_scan_new(&reader->scan, reader->plan, PST_SCAN_BEST, err);
    if (rc != PST_OK) {
        pst_reader_free(reader);
        return rc;
    }
    *out = reader;
    return PST_OK;
}

void pst_reader_free(pst_reader *reader)
{
    if (!reader)
        return;
    pst_scan_free(reader->scan);
    if (reader->plan)
        pst_exact_done(&reader->exact);
    pst_plan_free(reader->plan);
    close_context(&reader->ctx);
    pst_free(reader->slots);
    pst_free(reader->cells);
    pst_free(reader);
}

const pst_column *pst_reader_columns(const pst_reader *reader, size_t *n)
{
    *n = reader->plan->n_outputs - reader->plan->n_extra;
    return reader->plan->columns;
}

const pst_column *pst_reader_extra(const pst_reader *reader, size_t *n)
{
    const pst_plan *plan = reader->plan;
    *n = plan->n_extra;
    return plan->columns + (plan->n_outputs - plan->n_extra);
}

pst_rc pst_reader_check_extra(const pst_reader_conf *conf, const char *path,
                              pst_column *out, pst_err *err)
{
    return pst_plan_field(conf, path, out, err);
}

bool pst_reader_set_headers(pst_reader *reader, pst_header_at at)
{
    reader->ctx.header_at = at;
    return reader->plan->has_headers;
}

const pst_reader_stats *pst_reader_get_stats(const pst_reader *reader)
{
    return &reader->ctx.stats;
}

/* ---- a record ---- */

pst_rc pst_context_text(pst_context *ctx, pst_sv bytes, pst_cell *out)
{
    out->null = bytes.p == NULL;
    out->as.s = bytes;
    if (out->null || pst_utf8_valid(bytes))
        return PST_OK;
    char *copy = pst_arena_get(&ctx->arena, bytes.n * 3);
    if (!copy)
        return PST_E_NOMEM;
    out->as.s = (pst_sv){copy, pst_utf8_repair(copy, bytes)};
    pst_arena_keep(&ctx->arena, out->as.s.n);
    return PST_OK;
}

pst_rc pst_context_kafka(pst_context *ctx, pst_source source, const pst_msg *msg,
                         pst_cell *out)
{
    out->null = false;
    switch (source) {
    case PST_FROM_KEY:
        return pst_context_text(ctx, msg->key, out);
    case PST_FROM_TOPIC:
        return pst_context_text(ctx, pst_sv_of(msg->topic), out);
    case PST_FROM_PARTITION:
        out->as.i = msg->partition;
        return PST_OK;
    case PST_FROM_OFFSET:
        out->as.i = msg->offset;
        return PST_OK;
    case PST_FROM_TIMESTAMP:
        if (__builtin_mul_overflow(msg->timestamp_ms, 1000, &out->as.i))
            out->null = true;
        return PST_OK;
    default:
        out->as.i = msg->timestamp_type;
        return PST_OK;
    }
}

static pst_rc fill_row(pst_reader *reader, const pst_msg *msg)
{
    const pst_plan *plan = reader->plan;
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < plan->n_outputs; i++) {
        const pst_output *o = &plan->outputs[i];
        pst_cell *cell = &reader->cells[i];
        if (o->source == PST_FROM_SLOT)
            *cell = reader->slots[o->slot];
        else if (o->source == PST_FROM_EXPR)
            rc = pst_code_run(o->code, &reader->ctx, reader->slots, msg, cell);
        else
            rc = pst_context_kafka(&reader->ctx, o->source, msg, cell);
    }
    return rc;
}

static pst_read read_value(pst_reader *reader, pst_sv value)
{
    pst_read result;
    if (reader->scan &&
        pst_scan_read(reader->scan, &reader->ctx, value, reader->slots, &result))
        return result;
    reader->ctx.stats.exact++;
    for (size_t i = 0; i < reader->plan->n_slots; i++)
        reader->slots[i].null = true;
    return pst_exact_read(&reader->exact, &reader->ctx, reader->plan, value,
                          reader->slots);
}

static pst_rc fail_record(const pst_reader *reader, pst_read result, pst_err *err)
{
    if (result == PST_READ_PARTIAL)
        return pst_fail(err, PST_E_INVALID,
                        "a field does not fit its type (json.mode=FAILFAST)");
    const pst_json *json = &reader->exact.json;
    return pst_fail(err, PST_E_INVALID,
                    "malformed JSON at byte %zu: %s (json.mode=FAILFAST)", json->error_at,
                    json->error ? json->error : "not an object");
}

static pst_rc set_corrupt(pst_reader *reader, pst_sv value)
{
    if (reader->plan->corrupt_slot < 0)
        return PST_OK;
    return pst_context_text(&reader->ctx, value,
                            &reader->slots[reader->plan->corrupt_slot]);
}

static pst_rc read_json(pst_reader *reader, pst_sv value, pst_err *err)
{
    pst_reader_stats *stats = &reader->ctx.stats;
    reader->ctx.policy_hit = false;
    pst_read result = read_value(reader, value);
    stats->time_policy += reader->ctx.policy_hit;
    stats->malformed += result == PST_READ_MALFORMED;
    stats->bad_fields += result == PST_READ_PARTIAL;
    if (result == PST_READ_NOMEM)
        return pst_fail_nomem(err, "a record");
    if (result == PST_READ_GOOD || result == PST_READ_EMPTY)
        return PST_OK;
    if (reader->failfast)
        return fail_record(reader, result, err);
    return set_corrupt(reader, value) == PST_OK ? PST_OK
                                                : pst_fail_nomem(err, "a record");
}

pst_rc pst_reader_read(pst_reader *reader, const pst_msg *msg, pst_row *row, pst_err *err)
{
    const pst_plan *plan = reader->plan;
    reader->ctx.stats.records++;
    pst_arena_reset(&reader->ctx.arena);
    reader->ctx.zones.nomem = false;
    if (msg->value.n > RECORD_MAX)
        return pst_fail(err, PST_E_LIMIT, "a record of %zu bytes", msg->value.n);
    pst_rc rc = PST_OK;
    if (msg->value.p) {
        rc = read_json(reader, msg->value, err);
    } else {
        for (size_t i = 0; i < plan->n_slots; i++)
            reader->slots[i].null = true;
    }
    if (rc == PST_OK && !reader->direct) {
        rc = fill_row(reader, msg);
        if (rc == PST_E_INVALID)
            return pst_fail(err, rc, "the record's headers can't be parsed");
        if (rc != PST_OK)
            return pst_fail_nomem(err, "a record");
    }
    if (rc != PST_OK)
        return rc;
    row->columns = plan->columns;
    row->cells = reader->direct ? reader->slots : reader->cells;
    row->n = plan->n_outputs - plan->n_extra;
    return PST_OK;
}

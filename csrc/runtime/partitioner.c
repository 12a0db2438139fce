/*
 * partitioner.c - see partitioner.h: paths of records. Settings: partitioner_settings.c.
 *
 * By time: the record's time, as the zone's clocks show it, is rounded down to
 * partition.duration.ms, and what the clocks show then is the path. Only records of
 * another time span than those before them are formatted.
 */
#include "runtime/partitioner.h"

#include "base/mem.h"
#include "record/datetime.h"
#include "record/joda.h"
#include "record/number.h"

#include <math.h>
#include <stdio.h>

enum { SPANS = 8, SPAN_TEXT_MAX = 400, HOUR_MS = 3600000, DAY_MS = 86400000 };

#define HOURLY_FORMAT "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"
#define DAILY_FORMAT "'year'=YYYY/'month'=MM/'day'=dd"

typedef struct span {
    int64_t start; /* local ms */
    size_t n;      /* 0 = nothing is here */
    char text[SPAN_TEXT_MAX];
} span;

struct pst_partitioner {
    const pst_partitioner_conf *conf;
    pst_layout layout;
    const pst_clock *clock;
    const char *topics_dir;
    const pst_column *columns;
    size_t n_fields;
    pst_buf names; /* the fields' escaped names, one behind the other */
    size_t name_end[PST_PARTITION_FIELDS_MAX];
    pst_joda *format;
    pst_zone *zone;
    int64_t duration_ms;
    span spans[SPANS];
    char topic[256]; /* the one that `room` is about */
    int room;
};

/* ---- life ---- */

static pst_rc open_names(pst_partitioner *p, pst_err *err)
{
    const pst_conf_list *fields = &p->conf->fields;
    pst_buf_init(&p->names,
                 (size_t)PST_PARTITION_FIELDS_MAX * PST_PARTITION_COMPONENT_MAX);
    for (size_t i = 0; i < fields->n && i < PST_PARTITION_FIELDS_MAX; i++) {
        pst_rc rc = pst_partition_escape(pst_sv_of(fields->items[i]), &p->names);
        if (rc == PST_E_LIMIT)
            return pst_fail(err, PST_E_CONFIG,
                            "partition.field.name: the names are longer than a folder's "
                            "can be");
        if (rc != PST_OK)
            return pst_fail_nomem(err, "the partitioner");
        p->name_end[i] = p->names.len;
    }
    p->n_fields = fields->n;
    return PST_OK;
}

/* A slash at the end is left out, as Confluent's does. */
static pst_rc open_format(pst_partitioner *p, pst_err *err)
{
    const char *text = p->layout == PST_LAYOUT_HOURLY  ? HOURLY_FORMAT
                       : p->layout == PST_LAYOUT_DAILY ? DAILY_FORMAT
                                                       : p->conf->path_format;
    size_t n = text ? strlen(text) : 0;
    char *copy = pst_strndup(text ? text : "", n && text[n - 1] == '/' ? n - 1 : n);
    if (!copy)
        return pst_fail_nomem(err, "the partitioner");
    pst_err local = PST_ERR_INIT;
    pst_rc rc = pst_joda_new(&p->format, copy, &local);
    pst_free(copy);
    if (rc != PST_OK)
        return pst_fail(err, rc, "path.format: %s", local.text);
    rc = pst_zone_new(&p->zone, pst_sv_of(p->conf->timezone), &local);
    if (rc != PST_OK)
        return pst_fail(err, rc, "timezone: %s", local.text);
    p->duration_ms = p->layout == PST_LAYOUT_HOURLY  ? HOUR_MS
                     : p->layout == PST_LAYOUT_DAILY ? DAY_MS
                                                     : p->conf->duration_ms;
    if (p->duration_ms < 1)
        return pst_fail(err, PST_E_CONFIG,
                        "partition.duration.ms: TimeBasedPartitioner needs one");
    return PST_OK;
}

pst_rc pst_partitioner_new(pst_partitioner **out, const pst_partitioner_options *options,
                           pst_err *err)
{
    pst_partitioner *p = pst_calloc(1, sizeof *p);
    if (!p)
        return pst_fail_nomem(err, "the partitioner");
    p->conf = options->conf;
    p->layout = options->layout;
    p->clock = options->clock;
    p->topics_dir = options->topics_dir ? options->topics_dir : "";
    p->columns = options->columns;
    pst_rc rc = p->layout == PST_LAYOUT_FIELD ? open_names(p, err) : open_format(p, err);
    if (rc != PST_OK) {
        pst_partitioner_free(p);
        return rc;
    }
    *out = p;
    return PST_OK;
}

void pst_partitioner_free(pst_partitioner *partitioner)
{
    if (!partitioner)
        return;
    pst_buf_done(&partitioner->names);
    pst_joda_free(partitioner->format);
    pst_zone_free(partitioner->zone);
    pst_free(partitioner);
}

pst_partitioner_paths pst_partitioner_wants(const pst_partitioner_conf *conf,
                                            pst_layout layout)
{
    if (layout == PST_LAYOUT_FIELD)
        return (pst_partitioner_paths){"partition.field.name", conf->fields.items,
                                       conf->fields.n};
    if (layout > PST_LAYOUT_FIELD && conf->extractor == PST_EXTRACT_FIELD)
        return (pst_partitioner_paths){"timestamp.field", &conf->timestamp_field, 1};
    return (pst_partitioner_paths){NULL, NULL, 0};
}

/* ---- how long a key may get ---- */

static pst_rc find_room(pst_partitioner *p, const char *topic, pst_err *err)
{
    if (strcmp(p->topic, topic) == 0)
        return PST_OK;
    int room = pst_partition_room(p->topics_dir, topic);
    size_t longest = 0;
    for (size_t i = 0; i < p->n_fields; i++) {
        size_t n = p->name_end[i] - (i ? p->name_end[i - 1] : 0);
        longest = n > longest ? n : longest;
    }
    if (p->n_fields) { /* what each component gets */
        int n = (int)p->n_fields;
        room = (room - (n - 1)) / n;
        if (room > PST_PARTITION_COMPONENT_MAX)
            room = PST_PARTITION_COMPONENT_MAX;
    }
    if (room < (p->n_fields ? (int)longest + 1 + PST_PARTITION_CUT : 1))
        return pst_fail(err, PST_E_CONFIG,
                        "topic %s: no room is left for folders in keys of at most %d "
                        "bytes: shorten topics.dir, or name fewer or shorter fields in "
                        "partition.field.name",
                        topic, PST_STORE_KEY_MAX);
    snprintf(p->topic, sizeof p->topic, "%s", topic);
    p->room = room;
    return PST_OK;
}

/* ---- by field ---- */

static pst_sv date_text(int64_t days, char out[32])
{
    pst_civil c;
    pst_civil_of_days(days, &c);
    const char *sign = c.year < 0 ? "-" : c.year > 9999 ? "+" : "";
    long long year = c.year < 0 ? -c.year : c.year;
    int n = snprintf(out, 32, "%s%04lld-%02d-%02d", sign, year, c.month, c.day);
    return (pst_sv){out, (size_t)n};
}

static pst_sv value_text(const pst_column *column, const pst_cell *cell, char out[32])
{
    if (cell->null)
        return (pst_sv){NULL, 0};
    switch (column->type) {
    case PST_T_BOOLEAN:
        return cell->as.b ? PST_SV("true") : PST_SV("false");
    case PST_T_BYTE:
    case PST_T_SHORT:
    case PST_T_INT:
    case PST_T_LONG:
        return (pst_sv){out, pst_number_of_long(out, cell->as.i)};
    case PST_T_DATE:
        return date_text(cell->as.i, out);
    default: /* STRING, DECIMAL */
        return cell->as.s;
    }
}

static pst_rc fill_fields(pst_partitioner *p, const pst_cell *cells, pst_buf *path)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < p->n_fields && rc == PST_OK; i++) {
        char text[32], component[PST_PARTITION_COMPONENT_MAX];
        size_t from = i ? p->name_end[i - 1] : 0;
        pst_sv name = {p->names.data + from, p->name_end[i] - from};
        pst_sv value = value_text(&p->columns[i], &cells[i], text);
        size_t n = pst_partition_component(name, value, (size_t)p->room, component);
        if (i)
            rc = pst_buf_addc(path, '/');
        rc = rc ? rc : pst_buf_add(path, component, n);
    }
    return rc;
}

/* ---- by time ---- */

static bool parse_text(const pst_partitioner *p, pst_sv text, int64_t *ms)
{
    bool sign = text.n && text.p[0] == '-';
    size_t digits = text.n - sign;
    bool number = digits >= 1 && digits <= 19;
    for (size_t i = sign; i < text.n && number; i++)
        number = text.p[i] >= '0' && text.p[i] <= '9';
    if (number && pst_sv_to_i64(text, ms))
        return true;
    return pst_joda_parse_iso(text, p->zone, ms);
}

static bool whole(double value, int64_t *ms)
{
    if (!(fabs(value) < 9.2e18))
        return false;
    *ms = (int64_t)value;
    return true;
}

/* A wall clock's time becomes the instant at which the zone's clocks show it. */
static bool of_local(const pst_partitioner *p, int64_t local_ms, int64_t *ms)
{
    int64_t offset = pst_zone_offset_of_local(p->zone, pst_floor_div(local_ms, 1000));
    return !__builtin_sub_overflow(local_ms, offset * 1000, ms);
}

static bool cell_time(const pst_partitioner *p, const pst_cell *cell, int64_t *ms)
{
    double number;
    switch (p->columns[0].type) {
    case PST_T_STRING:
        return parse_text(p, cell->as.s, ms);
    case PST_T_DECIMAL:
        return pst_sv_to_double(cell->as.s, &number) && whole(number, ms);
    case PST_T_FLOAT:
    case PST_T_DOUBLE:
        return whole(cell->as.d, ms);
    case PST_T_TIMESTAMP:
        *ms = pst_floor_div(cell->as.i, 1000);
        return true;
    case PST_T_TIMESTAMP_NTZ:
        return of_local(p, pst_floor_div(cell->as.i, 1000), ms);
    case PST_T_DATE:
        return of_local(p, cell->as.i * DAY_MS, ms);
    default:
        *ms = cell->as.i;
        return true;
    }
}

static pst_rc record_time(const pst_partitioner *p, const pst_msg *msg,
                          const pst_cell *cells, int64_t *ms, pst_err *err)
{
    switch (p->conf->extractor) {
    case PST_EXTRACT_WALLCLOCK:
        *ms = pst_wall_ms(p->clock);
        return PST_OK;
    case PST_EXTRACT_RECORD:
        *ms = msg->timestamp_ms;
        if (msg->timestamp_ms < 0)
            return pst_fail(err, PST_E_INVALID,
                            "the record has no timestamp (timestamp.extractor=Record)");
        return PST_OK;
    default:
        if (cells[0].null)
            return pst_fail(err, PST_E_INVALID,
                            "%s is null or missing: no time for the folder "
                            "(timestamp.extractor=RecordField)",
                            p->conf->timestamp_field);
        if (cell_time(p, &cells[0], ms))
            return PST_OK;
        bool text = p->columns[0].type == PST_T_STRING;
        return pst_fail(err, PST_E_INVALID,
                        "%s%s%.*s%s is no time: milliseconds since 1970 or ISO 8601 "
                        "(timestamp.extractor=RecordField)",
                        p->conf->timestamp_field, text ? " '" : "",
                        text ? (int)(cells[0].as.s.n < 40 ? cells[0].as.s.n : 40) : 0,
                        text ? cells[0].as.s.p : "", text ? "'" : "");
    }
}

static pst_rc fill_time(pst_partitioner *p, int64_t ms, pst_buf *path, pst_err *err)
{
    int64_t local, number, bucket, instant;
    if (!pst_joda_to_local(p->zone, ms, &local))
        goto none;
    number = pst_floor_div(local, p->duration_ms);
    if (__builtin_mul_overflow(number, p->duration_ms, &bucket))
        goto none;
    span *s = &p->spans[(uint64_t)number % SPANS];
    if (s->n == 0 || s->start != bucket) {
        s->n = 0;
        s->start = bucket;
        if (!pst_joda_to_utc(p->zone, bucket, &instant) ||
            !pst_joda_format(p->format, instant, p->zone, s->text, sizeof s->text, &s->n))
            goto none;
    }
    if ((int)s->n > p->room)
        return pst_fail(err, PST_E_CONFIG,
                        "the folders of path.format leave no room in keys of at most %d "
                        "bytes: shorten topics.dir or path.format",
                        PST_STORE_KEY_MAX);
    return pst_buf_add(path, s->text, s->n);
none:
    return pst_fail(err, PST_E_INVALID, "time %lld ms is beyond the calendar",
                    (long long)ms);
}

pst_rc pst_partitioner_fill(pst_partitioner *p, const pst_msg *msg, const pst_cell *cells,
                            pst_buf *path, int64_t *time_ms, pst_err *err)
{
    int64_t ms = PST_TIME_NONE;
    pst_rc rc = find_room(p, msg->topic, err);
    pst_buf_clear(path);
    if (rc == PST_OK && p->layout == PST_LAYOUT_FIELD) {
        ms = msg->timestamp_ms >= 0 ? msg->timestamp_ms : PST_TIME_NONE;
        rc = fill_fields(p, cells, path);
        if (rc != PST_OK)
            return pst_fail(err, rc, "the record's path");
    } else if (rc == PST_OK) {
        rc = record_time(p, msg, cells, &ms, err);
        rc = rc ? rc : fill_time(p, ms, path, err);
    }
    if (rc == PST_OK)
        *time_ms = ms;
    return rc;
}

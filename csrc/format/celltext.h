/*
 * celltext.h - what a cell prints as, but for strings: the text that Spark's CSV and JSON
 * writers share. Private to the formats; inline, because it is their hot path.
 */
#ifndef PST_FORMAT_CELLTEXT_H
#define PST_FORMAT_CELLTEXT_H

#include "format/format.h"
#include "record/number.h"
#include "record/pattern.h"

enum { PST_CELL_TEXT_MAX = PST_PATTERN_TEXT_MAX };

typedef struct pst_cell_style {
    int number_format;
    pst_zone *zone;
    int32_t fixed_offset;
    bool fixed_zone;
    pst_pattern *date, *timestamp, *ntz; /* NULL = the default */
} pst_cell_style;

/* A format's own patterns; NULL = Spark's default. `prefix` is for errors: "csv". */
typedef struct pst_cell_patterns {
    const char *prefix, *date, *timestamp, *ntz;
} pst_cell_patterns;

pst_rc pst_cell_style_init(pst_cell_style *style, const pst_cell_patterns *patterns,
                           const pst_reader_conf *shared, pst_err *err) PST_MUST;
void pst_cell_style_done(pst_cell_style *style);

/* Does a pattern of the user's shape this type? Then its text may hold anything. */
static inline bool pst_cell_has_pattern(const pst_cell_style *style, pst_type type)
{
    return (type == PST_T_DATE && style->date) ||
           (type == PST_T_TIMESTAMP && style->timestamp) ||
           (type == PST_T_TIMESTAMP_NTZ && style->ntz);
}

static inline size_t put_year(char *p, int64_t year)
{
    char *start = p;
    uint64_t magnitude = (uint64_t)(year < 0 ? -year : year);
    if (year < 0)
        *p++ = '-';
    else if (year > 9999)
        *p++ = '+';
    size_t width = 4;
    for (uint64_t limit = 10000; magnitude >= limit; limit *= 10)
        width++;
    pst_number_padded(p, magnitude, width);
    return (size_t)(p - start) + width;
}

static inline void put_two(char *p, int value)
{
    p[0] = (char)('0' + value / 10);
    p[1] = (char)('0' + value % 10);
}

static inline size_t put_date(char *out, const pst_civil *c)
{
    char *p = out + put_year(out, c->year);
    *p++ = '-';
    put_two(p, c->month);
    p[2] = '-';
    put_two(p + 3, c->day);
    return (size_t)(p - out) + 5;
}

/* Z, or +hh:mm with the seconds of old local times cut off. */
static inline size_t put_offset(char *p, int32_t offset)
{
    int32_t minutes = (offset < 0 ? -offset : offset) / 60;
    if (minutes == 0) {
        *p = 'Z';
        return 1;
    }
    *p = offset < 0 ? '-' : '+';
    put_two(p + 1, minutes / 60);
    p[3] = ':';
    put_two(p + 4, minutes % 60);
    return 6;
}

static inline size_t put_local(char *out, int64_t micros, int32_t offset)
{
    pst_civil c;
    pst_civil_of_micros(micros, offset, &c);
    char *p = out + put_date(out, &c);
    p[0] = 'T';
    put_two(p + 1, c.hour);
    p[3] = ':';
    put_two(p + 4, c.minute);
    p[6] = ':';
    put_two(p + 7, c.second);
    p[9] = '.';
    p[10] = (char)('0' + c.micro / 100000);
    put_two(p + 11, c.micro / 1000 % 100);
    return (size_t)(p - out) + 13;
}

static inline size_t put_timestamp(const pst_cell_style *style, char *out, int64_t micros)
{
    int32_t offset = style->fixed_offset;
    if (!style->fixed_zone)
        offset = pst_zone_offset_at(style->zone, pst_floor_div(micros, PST_MICROS));
    size_t n = put_local(out, micros, offset);
    return n + put_offset(out + n, offset);
}

/* BOOLEAN to TIMESTAMP_NTZ without STRING, BINARY and DECIMAL, which are text already.
   False: a pattern asks for what the type does not have. */
static inline bool cell_text(const pst_cell_style *style, pst_type type,
                             const pst_cell *cell, char *out, size_t *n)
{
    pst_civil c;
    switch (type) {
    case PST_T_BOOLEAN:
        *n = cell->as.b ? 4 : 5;
        memcpy(out, cell->as.b ? "true" : "false", *n);
        return true;
    case PST_T_FLOAT:
        *n = pst_number_of_float(out, (float)cell->as.d,
                                 (enum pst_number_format)style->number_format);
        return true;
    case PST_T_DOUBLE:
        *n = pst_number_of_double(out, cell->as.d,
                                  (enum pst_number_format)style->number_format);
        return true;
    case PST_T_DATE:
        if (style->date)
            return pst_pattern_format(style->date, PST_PATTERN_DATE, cell->as.i, NULL,
                                      out, PST_CELL_TEXT_MAX, n);
        pst_civil_of_days(cell->as.i, &c);
        *n = put_date(out, &c);
        return true;
    case PST_T_TIMESTAMP:
        if (style->timestamp)
            return pst_pattern_format(style->timestamp, PST_PATTERN_ZONED, cell->as.i,
                                      style->zone, out, PST_CELL_TEXT_MAX, n);
        *n = put_timestamp(style, out, cell->as.i);
        return true;
    case PST_T_TIMESTAMP_NTZ:
        if (style->ntz)
            return pst_pattern_format(style->ntz, PST_PATTERN_LOCAL, cell->as.i, NULL,
                                      out, PST_CELL_TEXT_MAX, n);
        *n = put_local(out, cell->as.i, 0);
        return true;
    default:
        *n = pst_number_of_long(out, cell->as.i);
        return true;
    }
}

#endif

/*
 * pattern.h - date and time patterns as Spark 3 takes them (java.time's letters).
 */
#ifndef PST_RECORD_PATTERN_H
#define PST_RECORD_PATTERN_H

#include "record/datetime.h"

typedef struct pst_pattern pst_pattern;

typedef enum pst_pattern_use {
    PST_PATTERN_FORMAT, /* java.time, printing */
    PST_PATTERN_PARSE,  /* java.time, reading: fractions of variable length */
    PST_PATTERN_LEGACY, /* FastDateFormat, of Spark 2's from_json and CSV writer: reads
                           leniently, and a prefix */
    PST_PATTERN_SIMPLE, /* SimpleDateFormat, of Spark 2's functions: reads a prefix, and
                           only what exists */
} pst_pattern_use;

/* What there is to print: a pattern that asks for more fails, or leaves its [part] out.
 */
typedef enum pst_pattern_level {
    PST_PATTERN_DATE,
    PST_PATTERN_LOCAL, /* date and time */
    PST_PATTERN_ZONED,
} pst_pattern_level;

enum { PST_PATTERN_TEXT_MAX = 512 };

/* PST_E_CONFIG with the letter that Spark would refuse. */
pst_rc pst_pattern_new(pst_pattern **out, const char *text, pst_pattern_use use,
                       pst_err *err) PST_MUST;
void pst_pattern_free(pst_pattern *pattern);

/* `value` is days for DATE, else micros; the zone is for ZONED. Prints at most `size`
 * bytes; false if a field is missing or the text would be longer.
 */
bool pst_pattern_format(const pst_pattern *pattern, pst_pattern_level level,
                        int64_t value, const pst_zone *zone, char *out, size_t size,
                        size_t *n);
/* Reads the whole text (LEGACY, SIMPLE: a prefix). Days or micros as the caller's column
 * needs.
 */
bool pst_pattern_parse_date(const pst_pattern *pattern, pst_sv text, int64_t *days);
bool pst_pattern_parse_timestamp(const pst_pattern *pattern, pst_sv text,
                                 const pst_zone *zone, int64_t *micros);
bool pst_pattern_parse_ntz(const pst_pattern *pattern, pst_sv text, int64_t *micros);

#endif

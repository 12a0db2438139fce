/*
 * datetime.h - calendar arithmetic and Spark's own (pattern-free) parsing of dates and
 * timestamps. Days and microseconds since 1970-01-01; proleptic Gregorian calendar.
 */
#ifndef PST_RECORD_DATETIME_H
#define PST_RECORD_DATETIME_H

#include "record/timezone.h"

typedef struct pst_civil {
    int64_t year;
    int month, day, hour, minute, second;
    int micro; /* of the second */
} pst_civil;

enum { PST_SECONDS_A_DAY = 86400, PST_MICROS = 1000000 };

int64_t pst_civil_days(int64_t year, int month, int day);
void pst_civil_of_days(int64_t days, pst_civil *out); /* sets year, month, day */
/* Micros since 1970 seen `offset` seconds east of UTC; can't overflow. */
void pst_civil_of_micros(int64_t micros, int32_t offset, pst_civil *out);
int pst_days_in_month(int64_t year, int month);
static inline int64_t pst_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
/* Local time in a zone to an instant; false when it does not fit 64 bits. */
bool pst_civil_to_micros(const pst_civil *c, const pst_zone *zone, int64_t *micros);
/* The same, so many seconds east of UTC. */
bool pst_civil_to_micros_at(const pst_civil *c, int32_t offset, int64_t *micros);

/* Spark's stringToDate, stringToTimestamp and stringToTimestampWithoutTimeZone. */
bool pst_parse_date(pst_sv text, int64_t *days);
bool pst_parse_timestamp(pst_sv text, const pst_zone *zone, int64_t *micros);
bool pst_parse_timestamp_cached(pst_sv text, const pst_zone *zone, pst_zone_cache *cache,
                                int64_t *micros);
bool pst_parse_timestamp_ntz(pst_sv text, bool allow_zone, int64_t *micros);

/* Days as a day number of the Julian calendar's reading before 1582-10-15 (what java.util
   counts by) to the same year, month and day in ours, and back. */
int64_t pst_rebase_julian_days(int64_t days);
int64_t pst_rebase_to_julian_days(int64_t days);
/* The day number java.util.GregorianCalendar gives a date; day may be any number. */
int64_t pst_hybrid_days(int64_t year, int month, int64_t day);

#endif

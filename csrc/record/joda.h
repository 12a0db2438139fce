/*
 * joda.h - dates and times the way Joda-Time writes and reads them: what Kafka Connect's
 * storage sinks name folders by (path.format), and how they read a time out of a text.
 *
 * Not java.time (pattern.h): Y is the year of era, x the week's year, e a number; there
 * are no optional parts, and a quote that is not closed lasts to the end.
 * Milliseconds since 1970-01-01T00:00:00Z. Patterns are immutable.
 */
#ifndef PST_RECORD_JODA_H
#define PST_RECORD_JODA_H

#include "record/timezone.h"

typedef struct pst_joda pst_joda;

/* PST_E_CONFIG names the letter that Joda would refuse, or that is not known here (z:
   zone names are Java's locale data). */
pst_rc pst_joda_new(pst_joda **out, const char *text, pst_err *err) PST_MUST;
void pst_joda_free(pst_joda *joda);
/* The letter of a field that prints words (MMM, E, a, G), which a locale changes; 0 =
   numbers only. */
char pst_joda_word(const pst_joda *joda);
/* Prints at most `size` bytes; false if it would be longer, or the time is none that a
   calendar has (years beyond 292 million). */
bool pst_joda_format(const pst_joda *joda, int64_t ms, const pst_zone *zone, char *out,
                     size_t size, size_t *n);

/* ISODateTimeFormat.dateTimeParser(): 2024-03-05, 2024-065, 2024-W10-2, with an optional
   T10:20:30.5 and Z or an offset. A time without one is `zone`'s. */
bool pst_joda_parse_iso(pst_sv text, const pst_zone *zone, int64_t *ms);

/* DateTimeZone.convertUTCToLocal and convertLocalToUTC(…, false): of a local time that
   comes twice the first west of Greenwich and the second east of it; one that is skipped
   moves on. False: it does not fit 64 bits. */
bool pst_joda_to_local(const pst_zone *zone, int64_t ms, int64_t *local);
bool pst_joda_to_utc(const pst_zone *zone, int64_t local, int64_t *ms);

#endif

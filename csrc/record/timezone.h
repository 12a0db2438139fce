/*
 * timezone.h - time zones by IANA name, from the system's TZif files, without libc's
 * state.
 *
 * A zone is its transitions plus the rule of the file's last line for the time after
 * them. Immutable after loading; may be shared between threads. What java.time does at a
 * gap and an overlap: a local time in a gap moves forward by its length, one that occurs
 * twice is the earlier one.
 */
#ifndef PST_RECORD_TIMEZONE_H
#define PST_RECORD_TIMEZONE_H

#include "base/str.h"

typedef struct pst_zone pst_zone;

/* Names as Spark takes them: IANA regions, UTC, GMT+3, UT, +02:00, +2:00, -0530, Z and
   the three-letter names of java.time (EST, PST …). PST_E_CONFIG with a text otherwise.
   Files are looked for in $TZDIR, then in the usual places. */
pst_rc pst_zone_new(pst_zone **out, pst_sv name, pst_err *err) PST_MUST;
void pst_zone_free(pst_zone *zone);
/* Zones that texts have named, so that a file is read once and not once a record. Names
   that are no zones are remembered too. One per reader; the zones live as long as it. */
enum { PST_ZONE_CACHE = 64 };
typedef struct pst_zone_cache {
    struct {
        char name[64];
        pst_zone *zone; /* NULL: there is none of this name */
    } entries[PST_ZONE_CACHE];
    size_t n, next;
    bool nomem; /* the last look-up failed for want of memory, and says nothing */
} pst_zone_cache;
const pst_zone *pst_zone_cached(pst_zone_cache *cache, pst_sv name);
void pst_zone_cache_done(pst_zone_cache *cache);

/* "+02:00" and the like without a zone object: seconds east of UTC; false if no offset.
 */
bool pst_zone_parse_offset(pst_sv text, int32_t *seconds);

/* Seconds east of UTC at an instant (seconds since 1970-01-01T00:00:00Z). */
int32_t pst_zone_offset_at(const pst_zone *zone, int64_t utc_seconds);
/* The offset that java.time takes for a local time (seconds as if it were UTC): instant =
   local - offset. */
int32_t pst_zone_offset_of_local(const pst_zone *zone, int64_t local_seconds);
/* Always the same offset? Then it is in *seconds. */
bool pst_zone_is_fixed(const pst_zone *zone, int32_t *seconds);
/* "Europe/Istanbul", "Z", "+02:00": for messages and patterns (VV). */
const char *pst_zone_name(const pst_zone *zone);
bool pst_zone_is_dst(const pst_zone *zone, int64_t utc_seconds);
/* The file's abbreviation at an instant ("EST", "+03"). */
const char *pst_zone_abbreviation(const pst_zone *zone, int64_t utc_seconds);

#endif

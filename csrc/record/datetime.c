/*
 * datetime.c - see datetime.h.
 */
#include "record/datetime.h"

#include <time.h>

int64_t pst_civil_days(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era = pst_floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

void pst_civil_of_days(int64_t days, pst_civil *out)
{
    int64_t z = days + 719468, era = pst_floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    out->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    out->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    out->year = yoe + era * 400 + (out->month <= 2);
}

void pst_civil_of_micros(int64_t micros, int32_t offset, pst_civil *out)
{
    int64_t seconds = pst_floor_div(micros, PST_MICROS);
    out->micro = (int)((uint64_t)micros - (uint64_t)seconds * PST_MICROS);
    seconds += offset;
    int64_t days = pst_floor_div(seconds, PST_SECONDS_A_DAY);
    int rest = (int)(seconds - days * PST_SECONDS_A_DAY);
    pst_civil_of_days(days, out);
    out->hour = rest / 3600;
    out->minute = rest / 60 % 60;
    out->second = rest % 60;
}

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int pst_days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && leap(year));
}

static bool seconds_to_micros(int64_t seconds, int micro, int64_t *micros)
{
    /* the last second before the minimum has room for its micros only */
    if (seconds < 0 && micro > 0)
        return !__builtin_mul_overflow(seconds + 1, PST_MICROS, micros) &&
               !__builtin_add_overflow(*micros, micro - PST_MICROS, micros);
    return !__builtin_mul_overflow(seconds, PST_MICROS, micros) &&
           !__builtin_add_overflow(*micros, micro, micros);
}

static bool valid_date(int64_t year, int month, int day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= pst_days_in_month(year, month);
}

static int64_t local_seconds(const pst_civil *c)
{
    return pst_civil_days(c->year, c->month, c->day) * PST_SECONDS_A_DAY +
           c->hour * 3600 + c->minute * 60 + c->second;
}

bool pst_civil_to_micros(const pst_civil *c, const pst_zone *zone, int64_t *micros)
{
    int64_t local = local_seconds(c);
    int64_t utc = zone ? local - pst_zone_offset_of_local(zone, local) : local;
    return seconds_to_micros(utc, c->micro, micros);
}

bool pst_civil_to_micros_at(const pst_civil *c, int32_t offset, int64_t *micros)
{
    return seconds_to_micros(local_seconds(c) - offset, c->micro, micros);
}

/* ---- Spark's parsers ---- */

/* What Spark trims: blanks and control characters of one byte. */
static pst_sv trim(pst_sv text)
{
    while (text.n && ((unsigned char)text.p[0] <= ' ' || text.p[0] == 0x7F)) {
        text.p++;
        text.n--;
    }
    while (text.n &&
           ((unsigned char)text.p[text.n - 1] <= ' ' || text.p[text.n - 1] == 0x7F))
        text.n--;
    return text;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

typedef struct number {
    int64_t value;
    size_t digits;
} number;

static number read_digits(const char **p, const char *end)
{
    number n = {0, 0};
    for (; *p < end && is_digit(**p); ++*p, n.digits++)
        if (n.digits < 9)
            n.value = n.value * 10 + (**p - '0');
    return n;
}

bool pst_parse_date(pst_sv text, int64_t *days)
{
    pst_sv s = trim(text);
    const char *p = s.p, *end = s.p + s.n;
    int64_t part[3] = {1, 1, 1}, sign = 1;
    if (s.n == 0)
        return false;
    if (*p == '-' || *p == '+')
        sign = *p++ == '-' ? -1 : 1;
    for (int i = 0;; i++) {
        number n = read_digits(&p, end);
        if (i == 0 ? n.digits < 4 || n.digits > 7 : n.digits < 1 || n.digits > 2)
            return false;
        part[i] = n.value;
        if (i < 2 && p < end && *p == '-') {
            p++;
            continue;
        }
        /* a full date may be followed by a blank or T and anything */
        if (p < end && (i < 2 || (*p != ' ' && *p != 'T')))
            return false;
        break;
    }
    int64_t year = sign * part[0];
    if (!valid_date(year, (int)part[1], (int)part[2]))
        return false;
    int64_t value = pst_civil_days(year, (int)part[1], (int)part[2]);
    if (value > INT32_MAX || value < INT32_MIN)
        return false;
    *days = value;
    return true;
}

typedef struct stamp {
    pst_civil c;
    bool just_time;
    pst_sv zone; /* p == NULL: none */
} stamp;

static bool two(const char **p, const char *end, int *out)
{
    number n = read_digits(p, end);
    *out = (int)n.value;
    return n.digits == 1 || n.digits == 2;
}

/* From the hour on: h[h][:m[m][:s[s][.fraction][zone]]]; the zone needs seconds. */
static bool read_time(const char *p, const char *end, stamp *out)
{
    if (!two(&p, end, &out->c.hour))
        return false;
    if (p == end)
        return true;
    if (*p++ != ':' || !two(&p, end, &out->c.minute))
        return false;
    if (p == end)
        return true;
    if (*p++ != ':' || !two(&p, end, &out->c.second))
        return false;
    if (p < end && *p == '.') {
        int digits = 0;
        for (p++; p < end && is_digit(*p); p++)
            if (digits < 6) {
                out->c.micro = out->c.micro * 10 + (*p - '0');
                digits++;
            }
        for (; digits < 6; digits++)
            out->c.micro *= 10;
    }
    if (p < end)
        out->zone = (pst_sv){p, (size_t)(end - p)};
    return true;
}

/* The date part; *p behind it or at the time. Answers 0 = wrong, 1 = done, 2 = a time. */
static int read_date(const char **p, const char *end, stamp *out)
{
    const char *start = *p;
    bool signed_year = **p == '-' || **p == '+', negative = **p == '-';
    *p += signed_year;
    for (int i = 0; i < 3; i++) {
        number n = read_digits(p, end);
        bool time = i == 0 && !signed_year && *p < end && **p == ':';
        if (time && (n.digits == 1 || n.digits == 2)) {
            *p = start;
            out->just_time = true;
            return 2;
        }
        if (i == 0 ? n.digits < 4 || n.digits > 6 : n.digits < 1 || n.digits > 2)
            return 0;
        if (i == 0)
            out->c.year = negative ? -n.value : n.value;
        else if (i == 1)
            out->c.month = (int)n.value;
        else
            out->c.day = (int)n.value;
        if (*p == end)
            return 1;
        char c = *(*p)++;
        if (i < 2 ? c != '-' : c != ' ' && c != 'T')
            return 0;
    }
    return 2;
}

static bool read_stamp(pst_sv text, stamp *out)
{
    pst_sv s = trim(text);
    const char *p = s.p, *end = s.p + s.n;
    *out = (stamp){.c = {.year = 1, .month = 1, .day = 1}};
    if (s.n == 0)
        return false;
    if (*p == 'T' && s.p == text.p) {
        out->just_time = true;
        p++;
    } else {
        int rc = read_date(&p, end, out);
        if (rc != 2)
            return rc == 1;
    }
    return read_time(p, end, out);
}

static bool valid_stamp(const stamp *s)
{
    return s->c.hour <= 23 && s->c.minute <= 59 && s->c.second <= 59 &&
           (s->just_time || valid_date(s->c.year, s->c.month, s->c.day));
}

static void set_today(stamp *s, const pst_zone *zone)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int32_t offset = pst_zone_offset_at(zone, now.tv_sec);
    pst_civil_of_days(pst_floor_div((int64_t)now.tv_sec + offset, PST_SECONDS_A_DAY),
                      &s->c);
}

static bool in_zone(stamp *s, const pst_zone *zone, int64_t *micros)
{
    if (s->just_time)
        set_today(s, zone);
    return pst_civil_to_micros(&s->c, zone, micros);
}

/* Java's String.trim(). */
static pst_sv trim_java(pst_sv s)
{
    while (s.n && (unsigned char)s.p[0] <= ' ') {
        s.p++;
        s.n--;
    }
    while (s.n && (unsigned char)s.p[s.n - 1] <= ' ')
        s.n--;
    return s;
}

static bool in_named_zone(stamp *s, pst_zone_cache *cache, int64_t *micros)
{
    pst_sv name = trim_java(s->zone);
    int32_t seconds = 0;
    bool zulu = name.n == 1 && name.p[0] == 'Z' && !s->just_time;
    if (zulu)
        return pst_civil_to_micros(&s->c, NULL, micros);
    if (pst_zone_parse_offset(name, &seconds) && !s->just_time)
        return pst_civil_to_micros_at(&s->c, seconds, micros);
    if (cache) {
        const pst_zone *known = pst_zone_cached(cache, name);
        return known && in_zone(s, known, micros);
    }
    pst_zone *zone = NULL;
    if (pst_zone_new(&zone, name, NULL) != PST_OK)
        return false;
    bool ok = in_zone(s, zone, micros);
    pst_zone_free(zone);
    return ok;
}

/* dd at p, or a number above 99. */
static int pair(const char *p)
{
    unsigned high = (unsigned)(p[0] - '0'), low = (unsigned)(p[1] - '0');
    return high > 9 || low > 9 ? 100 : (int)(high * 10 + low);
}

/* What most data has: yyyy-mm-ddThh:mm:ss[.fraction]Z. */
static bool quick_stamp(pst_sv t, pst_civil *c)
{
    const char *p = t.p;
    if (t.n < 20 || t.n > 27 || p[t.n - 1] != 'Z' || p[4] != '-' || p[7] != '-' ||
        p[10] != 'T' || p[13] != ':' || p[16] != ':' || (t.n > 20 && p[19] != '.'))
        return false;
    int high = pair(p), low = pair(p + 2);
    c->year = high * 100 + low;
    c->month = pair(p + 5);
    c->day = pair(p + 8);
    c->hour = pair(p + 11);
    c->minute = pair(p + 14);
    c->second = pair(p + 17);
    c->micro = 0;
    int unit = 100000;
    for (size_t i = 20; i + 1 < t.n; i++, unit /= 10) {
        if (!is_digit(p[i]))
            return false;
        c->micro += (p[i] - '0') * unit;
    }
    return high < 100 && low < 100 && c->hour <= 23 && c->minute <= 59 &&
           c->second <= 59 && valid_date(c->year, c->month, c->day);
}

bool pst_parse_timestamp(pst_sv text, const pst_zone *zone, int64_t *micros)
{
    return pst_parse_timestamp_cached(text, zone, NULL, micros);
}

bool pst_parse_timestamp_cached(pst_sv text, const pst_zone *zone, pst_zone_cache *cache,
                                int64_t *micros)
{
    stamp s;
    if (quick_stamp(text, &s.c))
        return pst_civil_to_micros(&s.c, NULL, micros);
    if (!read_stamp(text, &s) || !valid_stamp(&s))
        return false;
    return s.zone.p ? in_named_zone(&s, cache, micros) : in_zone(&s, zone, micros);
}

bool pst_parse_timestamp_ntz(pst_sv text, bool allow_zone, int64_t *micros)
{
    stamp s;
    if (!read_stamp(text, &s) || !valid_stamp(&s) || s.just_time)
        return false;
    if (s.zone.p && (!allow_zone || !in_named_zone(&s, NULL, micros)))
        return false; /* the zone is left out, but it must exist */
    return pst_civil_to_micros(&s.c, NULL, micros);
}

/* ---- the Julian calendar ---- */

enum { GREGORIAN_START = -141427 }; /* 1582-10-15 */

static int64_t julian_days(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return y * 365 + pst_floor_div(y, 4) + doy - 719470;
}

static void julian_of_days(int64_t days, pst_civil *out)
{
    int64_t z = days + 719470, era = pst_floor_div(z, 1461), doe = z - era * 1461;
    int64_t yoe = (doe - doe / 1460) / 365, doy = doe - 365 * yoe;
    int64_t mp = (5 * doy + 2) / 153;
    out->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    out->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    out->year = yoe + era * 4 + (out->month <= 2);
}

int64_t pst_rebase_julian_days(int64_t days)
{
    pst_civil c;
    if (days >= GREGORIAN_START)
        return days;
    julian_of_days(days, &c);
    return pst_civil_days(c.year, c.month, 1) + c.day - 1;
}

int64_t pst_rebase_to_julian_days(int64_t days)
{
    pst_civil c;
    if (days >= GREGORIAN_START)
        return days;
    pst_civil_of_days(days, &c);
    /* the ten days that the reform skipped come out after it */
    int64_t julian = julian_days(c.year, c.month, c.day);
    return julian >= GREGORIAN_START ? GREGORIAN_START : julian;
}

/* Dates that the reform skipped count as Julian ones. */
int64_t pst_hybrid_days(int64_t year, int month, int64_t day)
{
    int64_t gregorian = pst_civil_days(year, month, 1) + day - 1;
    int64_t julian = julian_days(year, month, 1) + day - 1;
    if (year != 1582)
        return year > 1582 ? gregorian : julian;
    return gregorian >= GREGORIAN_START ? gregorian : julian;
}

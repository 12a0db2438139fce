/*
 * joda_parse.c - ISO 8601 as Joda's dateTimeParser() takes it; see joda.h. Numbers may
 * have fewer digits than usual (2024-3-5), never more.
 */
#include "record/datetime.h"
#include "record/joda.h"

typedef struct scan {
    const char *at, *end;
    int64_t days; /* since 1970-01-01 */
    int64_t ms;   /* of the day */
    bool bad;     /* well-formed, but there is no such day or time */
    bool has_offset;
    int64_t offset; /* ms east of UTC */
} scan;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_at(const scan *s, char c)
{
    if (s->at >= s->end)
        return false;
    return *s->at == c || (c >= 'A' && c <= 'Z' && *s->at == c + 32);
}

static bool take(scan *s, char c)
{
    if (!is_at(s, c))
        return false;
    s->at++;
    return true;
}

static bool number(scan *s, size_t max, int64_t *out)
{
    const char *from = s->at;
    int64_t value = 0;
    while (s->at < s->end && (size_t)(s->at - from) < max && is_digit(*s->at))
        value = value * 10 + (*s->at++ - '0');
    *out = value;
    return s->at > from;
}

static bool in_range(scan *s, int64_t value, int64_t low, int64_t high)
{
    bool in = value >= low && value <= high;
    s->bad |= !in;
    return in;
}

/* ---- the date ---- */

static bool signed_year(scan *s, int64_t *year)
{
    bool sign = s->at + 1 < s->end && (*s->at == '-' || *s->at == '+');
    bool negative = sign && *s->at == '-';
    s->at += sign;
    bool found = number(s, 9, year);
    if (negative)
        *year = -*year;
    return found;
}

/* yyyy[-MM[-dd]] */
static bool month_date(scan *s)
{
    int64_t year, month = 1, day = 1;
    if (!signed_year(s, &year))
        return false;
    scan before = *s;
    if (!take(s, '-') || !number(s, 2, &month)) {
        *s = before;
        month = 1;
    } else {
        before = *s;
        if (!take(s, '-') || !number(s, 2, &day)) {
            *s = before;
            day = 1;
        }
    }
    if (in_range(s, month, 1, 12) &&
        in_range(s, day, 1, pst_days_in_month(year, (int)month)))
        s->days = pst_civil_days(year, (int)month, (int)day);
    return true;
}

/* The Monday of the week with January 4th. */
static int64_t first_monday(int64_t year)
{
    int64_t fourth = pst_civil_days(year, 1, 4);
    return fourth - ((fourth + 3) % 7 + 7) % 7;
}

/* xxxx-Www[-e] */
static bool week_date(scan *s)
{
    int64_t year, week, day = 1;
    if (!signed_year(s, &year) || !take(s, '-') || !take(s, 'W') || !number(s, 2, &week))
        return false;
    scan before = *s;
    if (!take(s, '-') || !number(s, 1, &day)) {
        *s = before;
        day = 1;
    }
    int64_t start = first_monday(year);
    (void)in_range(s, week, 1, (first_monday(year + 1) - start) / 7);
    (void)in_range(s, day, 1, 7);
    s->days = start + (week - 1) * 7 + day - 1;
    return true;
}

/* yyyy-DDD */
static bool day_date(scan *s)
{
    int64_t year, day;
    if (!signed_year(s, &year) || !take(s, '-') || !number(s, 3, &day))
        return false;
    int64_t start = pst_civil_days(year, 1, 1);
    (void)in_range(s, day, 1, pst_civil_days(year + 1, 1, 1) - start);
    s->days = start + day - 1;
    return true;
}

/* Whichever reads most. */
static bool date(scan *s)
{
    bool (*const ways[])(scan *) = {month_date, week_date, day_date};
    scan best = *s;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        scan way = *s;
        if (ways[i](&way) && way.at > best.at)
            best = way;
    }
    bool found = best.at > s->at;
    *s = best;
    return found;
}

/* ---- the time ---- */

/* .5 of so many milliseconds; nothing is read where there is none. */
static void fraction(scan *s, int64_t unit)
{
    const char *from = s->at;
    int64_t rest = unit * 10, value = 0;
    if (s->at + 1 >= s->end || (*s->at != '.' && *s->at != ',') || !is_digit(s->at[1]))
        return;
    for (s->at++; s->at < s->end && s->at - from <= 9 && is_digit(*s->at); s->at++) {
        rest /= 10;
        value += (*s->at - '0') * rest;
    }
    s->ms += value / 10;
}

/* HH[:mm[:ss]], the last with a fraction */
static bool time_of_day(scan *s)
{
    static const int64_t units[] = {3600000, 60000, 1000};
    for (size_t i = 0; i < 3; i++) {
        scan before = *s;
        int64_t value;
        if ((i && !take(s, ':')) || !number(s, 2, &value)) {
            *s = before;
            if (i == 0)
                return false;
            fraction(s, units[i - 1]);
            return true;
        }
        (void)in_range(s, value, 0, i ? 59 : 23);
        s->ms += value * units[i];
    }
    fraction(s, 1000);
    return true;
}

static bool two(scan *s, int64_t max, int64_t *out)
{
    const char *from = s->at;
    return number(s, 2, out) && s->at - from == 2 && *out <= max;
}

/* Z, +hh, +hhmm, +hh:mm, +hh:mm:ss; nothing is read where there is none. */
static bool offset(scan *s)
{
    int64_t part[3] = {0, 0, 0};
    if (take(s, 'Z')) {
        s->has_offset = true;
        return true;
    }
    if (s->at >= s->end || (*s->at != '+' && *s->at != '-'))
        return true;
    bool negative = *s->at++ == '-';
    if (!two(s, 23, &part[0]))
        return false;
    bool colon = s->at < s->end && *s->at == ':';
    for (size_t i = 1; i < 3 && s->at < s->end; i++)
        if ((colon && !take(s, ':')) || !two(s, 59, &part[i]))
            return false;
    s->has_offset = true;
    s->offset = ((part[0] * 60 + part[1]) * 60 + part[2]) * (negative ? -1000 : 1000);
    return true;
}

static bool read_all(scan *s)
{
    bool time_only = is_at(s, 'T');
    if (!time_only && !date(s))
        return false;
    if (take(s, 'T')) {
        bool any = s->at < s->end && is_digit(*s->at);
        if ((any || time_only) && !time_of_day(s))
            return false;
        if (!offset(s))
            return false;
    }
    return s->at == s->end && !s->bad;
}

bool pst_joda_parse_iso(pst_sv text, const pst_zone *zone, int64_t *ms)
{
    scan s = {.at = text.p, .end = text.p + text.n};
    int64_t local;
    if (!read_all(&s) || __builtin_mul_overflow(s.days, (int64_t)86400000, &local) ||
        __builtin_add_overflow(local, s.ms, &local))
        return false;
    if (!s.has_offset)
        s.offset =
            (int64_t)pst_zone_offset_of_local(zone, pst_floor_div(local, 1000)) * 1000;
    return !__builtin_sub_overflow(local, s.offset, ms);
}

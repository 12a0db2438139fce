/*
 * pattern_parse.c - reading a text by a pattern as java.time does it (strict, names in
 * any case), with Spark's defaults for what the pattern lacks; see pattern.h.
 */
#include "record/pattern_ops.h"

#include <stdio.h>

typedef struct scan {
    const pst_pattern *p;
    const char *at, *end;
    pst_parsed out;
} scan;

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool skip_text(const char **at, const char *end, const char *text, size_t n)
{
    if ((size_t)(end - *at) < n || !pst_sv_eq_nocase((pst_sv){*at, n}, (pst_sv){text, n}))
        return false;
    *at += n;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- numbers ---- */

static size_t count_digits(const scan *s, size_t max)
{
    size_t n = 0;
    while (n < max && s->at + n < s->end && is_digit(s->at[n]))
        n++;
    return n;
}

static bool read_number(scan *s, const pst_pattern_op *op, int64_t *out)
{
    bool year = op->letter == 'y', negative = false, plus = false;
    size_t min = op->count, max = year ? 19 : op->count == 1 ? 19 : op->count;
    if (op->letter == 'D')
        max = 3;
    if (year && op->count == 2) {
        max = 2;
    } else if (year || op->count == 1) {
        negative = s->at < s->end && *s->at == '-';
        plus = year && op->count >= 4 && s->at < s->end && *s->at == '+';
        s->at += negative || plus;
    }
    if (op->fixed)
        max = min;
    size_t digits = count_digits(s, max + op->reserve);
    if (op->reserve && digits > op->reserve) {
        size_t own = digits - op->reserve;
        if (own < min && digits < min)
            return false;
        digits = own < min ? min : own > max ? max : own;
    }
    if (digits < min || digits > 18)
        return false;
    if (year && op->count >= 4 && !negative && plus != (digits > min))
        return false; /* a sign is needed beyond the width, and only there */
    int64_t value = 0;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (*s->at++ - '0');
    if (negative && value == 0)
        return false;
    *out = negative ? -value : value;
    return true;
}

static bool read_fraction(scan *s, const pst_pattern_op *op)
{
    size_t n = count_digits(s, op->count);
    if (n == 0)
        return false;
    int micro = 0;
    for (size_t i = 0; i < 6; i++)
        micro = micro * 10 + (i < n ? s->at[i] - '0' : 0);
    s->out.c.micro = micro;
    s->at += n;
    return true;
}

/* ---- names and zones ---- */

int pst_pattern_read_name(const pst_pattern_op *op, const char **at, const char *end)
{
    static const char *const ampm[] = {"AM", "PM"};
    static const char *const eras[] = {"BC", "AD"};
    static const char *const full_eras[] = {"Before Christ", "Anno Domini"};
    const char *const *names = pst_month_names;
    int n = 12, first = 1;
    bool whole = op->count >= 4;
    if (op->letter == 'a' || op->letter == 'G') {
        n = 2;
        first = 0;
        names = op->letter == 'a' ? ampm : whole ? full_eras : eras;
        whole = true;
    } else if (op->letter == 'E') {
        n = 7;
        names = pst_day_names;
    }
    for (int i = 0; i < n; i++)
        if (skip_text(at, end, names[i], whole ? strlen(names[i]) : 3))
            return i + first;
    return -1;
}

static bool two(const char **at, const char *end, int *out)
{
    if (end - *at < 2 || !is_digit((*at)[0]) || !is_digit((*at)[1]))
        return false;
    *out = ((*at)[0] - '0') * 10 + ((*at)[1] - '0');
    *at += 2;
    return true;
}

/* [:]mm, [:]ss: false and untouched when it is not there. */
static bool more(const char **at, const char *end, bool colon, int *out)
{
    const char *p = *at;
    if (colon && (p >= end || *p++ != ':'))
        return false;
    if (!two(&p, end, out))
        return false;
    *at = p;
    return true;
}

bool pst_pattern_read_offset(const pst_pattern_op *op, bool legacy, const char **at,
                             const char *end, int32_t *offset)
{
    char letter = op->letter;
    size_t count = op->count;
    bool five = letter == 'Z' && count == 5, zulu = letter == 'X' || five;
    bool colon = letter == 'Z' ? five : count == 3 || count == 5;
    int h = 0, m = 0, s = 0;
    if (zulu && *at < end && (legacy ? **at == 'Z' : lower(**at) == 'z')) {
        ++*at;
        *offset = 0;
        return true;
    }
    if (*at >= end || (**at != '+' && **at != '-'))
        return false;
    bool negative = *(*at)++ == '-';
    if (!two(at, end, &h))
        return false;
    bool optional = letter != 'Z' && count == 1;
    if (!(legacy && optional) && !more(at, end, colon, &m) && !optional)
        return false;
    if (five || (letter != 'Z' && count >= 4))
        (void)more(at, end, colon, &s);
    int32_t total = h * 3600 + m * 60 + s;
    if (h > 23 || m > 59 || s > 59 || (total > 18 * 3600 && !legacy))
        return false;
    *offset = negative ? -total : total;
    return true;
}

size_t pst_pattern_read_zone(const char *at, const char *end, pst_parsed *out)
{
    size_t n = 0;
    while (at + n < end && n < 60 &&
           (is_digit(at[n]) || (lower(at[n]) >= 'a' && lower(at[n]) <= 'z') ||
            (at[n] && strchr("/_+-:~.", at[n]))))
        n++;
    for (; n > 0; n--) {
        pst_zone *zone = NULL;
        if (pst_zone_parse_offset((pst_sv){at, n}, &out->offset)) {
            out->zone_name[0] = '\0';
            return n;
        }
        if (n > 2 && pst_zone_new(&zone, (pst_sv){at, n}, NULL) == PST_OK) {
            pst_zone_free(zone);
            snprintf(out->zone_name, sizeof out->zone_name, "%.*s", (int)n, at);
            return n;
        }
    }
    return 0;
}

/* GMT, GMT+3, GMT+03:00 */
static bool read_localized(scan *s)
{
    int h = 0, m = 0;
    if (!skip_text(&s->at, s->end, "GMT", 3))
        return false;
    s->out.offset = 0;
    if (s->at >= s->end || (*s->at != '+' && *s->at != '-'))
        return true;
    bool negative = *s->at++ == '-';
    if (s->at < s->end && is_digit(*s->at) && (s->end - s->at < 2 || !is_digit(s->at[1])))
        h = *s->at++ - '0';
    else if (!two(&s->at, s->end, &h))
        return false;
    (void)more(&s->at, s->end, true, &m);
    if (h > 18 || m > 59)
        return false;
    s->out.offset = (negative ? -1 : 1) * (h * 3600 + m * 60);
    return true;
}

static bool read_zone(scan *s, const pst_pattern_op *op)
{
    s->out.has_zone = true;
    s->out.zone_name[0] = '\0';
    if (op->letter == 'O' || (op->letter == 'Z' && op->count == 4))
        return read_localized(s);
    if (op->letter != 'V' && op->letter != 'z')
        return pst_pattern_read_offset(op, false, &s->at, s->end, &s->out.offset);
    size_t n = pst_pattern_read_zone(s->at, s->end, &s->out);
    s->at += n;
    return n > 0;
}

/* ---- fields ---- */

static bool in_range(int64_t value, int low, int high, int *out)
{
    *out = (int)value;
    return value >= low && value <= high;
}

static bool set_number(pst_parsed *out, const pst_pattern_op *op, int64_t value)
{
    switch (op->letter) {
    case 'y':
        out->has_year = true;
        out->c.year = op->count == 2 ? 2000 + value : value;
        return value > -1000000000 && value < 1000000000;
    case 'M':
    case 'L':
        out->has_month = true;
        return in_range(value, 1, 12, &out->c.month);
    case 'd':
        out->has_day = true;
        return in_range(value, 1, 31, &out->c.day);
    case 'D':
        out->has_day_of_year = true;
        return in_range(value, 1, 366, &out->day_of_year);
    case 'H':
        out->has_hour = true;
        return in_range(value, 0, 23, &out->c.hour);
    case 'k':
        out->has_hour = true;
        return in_range(value % 24 + (value > 24 ? 24 : 0), 0, 23, &out->c.hour) && value;
    case 'h':
        out->has_hour12 = true;
        return in_range(value, 1, 12, &out->hour12) && ((out->hour12 %= 12), true);
    case 'K':
        out->has_hour12 = true;
        return in_range(value, 0, 11, &out->hour12);
    case 'm':
        return in_range(value, 0, 59, &out->c.minute);
    default:
        return in_range(value, 0, 59, &out->c.second);
    }
}

static bool read_op(scan *s, const pst_pattern_op *op)
{
    int64_t value;
    int name;
    if (op->letter == '\'')
        return skip_text(&s->at, s->end, s->p->literals + op->from, op->n);
    if (op->letter == 'S')
        return read_fraction(s, op);
    if (pst_pattern_is_number(op))
        return read_number(s, op, &value) && set_number(&s->out, op, value);
    if (strchr("VzOXxZ", op->letter))
        return read_zone(s, op);
    name = pst_pattern_read_name(op, &s->at, s->end);
    if (op->letter == 'a') {
        s->out.has_ampm = true;
        s->out.pm = name;
    } else if (op->letter == 'G') {
        s->out.bc = name == 0;
    } else {
        s->out.has_month = true;
        s->out.c.month = name;
    }
    return name >= 0;
}

static bool read_ops(scan *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const pst_pattern_op *op = &s->p->ops[i];
        if (op->letter == ']')
            continue;
        if (op->letter == '[') {
            scan before = *s;
            if (!read_ops(s, i + 1, op->close))
                *s = before;
            i = op->close;
        } else if (!read_op(s, op)) {
            return false;
        }
    }
    return true;
}

bool pst_pattern_read(const pst_pattern *p, pst_sv text, pst_parsed *out)
{
    scan s = {.p = p, .at = text.p, .end = text.p + text.n};
    s.out.c = (pst_civil){.year = 1970, .month = 1, .day = 1};
    if (!read_ops(&s, 0, p->n_ops) || s.at != s.end)
        return false;
    if (p->era && s.out.has_year && s.out.bc)
        s.out.c.year = 1 - s.out.c.year;
    *out = s.out;
    return true;
}

/* ---- results ---- */

static bool resolve_date(pst_parsed *r)
{
    pst_civil *c = &r->c;
    if (r->has_day_of_year && !r->has_month && !r->has_day) {
        int64_t days = pst_civil_days(c->year, 1, 1) + r->day_of_year - 1;
        int64_t year = c->year;
        pst_civil_of_days(days, c);
        return c->year == year;
    }
    return c->day <= pst_days_in_month(c->year, c->month);
}

static void resolve_hour(pst_parsed *r)
{
    if (r->has_hour)
        return;
    if (r->has_hour12)
        r->c.hour = r->hour12 + (r->has_ampm && r->pm ? 12 : 0);
    else if (r->has_ampm && r->pm)
        r->c.hour = 12;
}

/* Out-of-range fields of the old reader roll over, in the calendar that java.util has:
   the Julian one before October 1582. */
static void roll_over(pst_parsed *r)
{
    pst_civil *c = &r->c;
    int64_t months = c->year * 12 + c->month - 1;
    int64_t year = pst_floor_div(months, 12);
    int month = (int)(months - year * 12) + 1;
    int64_t days = pst_hybrid_days(year, month, c->day);
    int64_t seconds = (int64_t)c->hour * 3600 + (int64_t)c->minute * 60 + c->second;
    seconds += pst_floor_div(r->extra_micros, PST_MICROS);
    int micro =
        (int)(r->extra_micros - pst_floor_div(r->extra_micros, PST_MICROS) * PST_MICROS);
    int64_t day_shift = pst_floor_div(seconds, PST_SECONDS_A_DAY);
    days = pst_rebase_julian_days(days + day_shift);
    pst_civil_of_micros((seconds - day_shift * PST_SECONDS_A_DAY) * PST_MICROS, 0, c);
    c->micro = micro;
    pst_civil_of_days(days, c);
}

static bool read_any(const pst_pattern *p, pst_sv text, pst_parsed *out)
{
    if (p->use >= PST_PATTERN_LEGACY) {
        if (!pst_pattern_legacy_read(p, text, out))
            return false;
        resolve_hour(out);
        roll_over(out);
        return true;
    }
    if (!pst_pattern_read(p, text, out))
        return false;
    resolve_hour(out);
    return resolve_date(out);
}

bool pst_pattern_parse_date(const pst_pattern *p, pst_sv text, int64_t *days)
{
    pst_parsed r;
    if (!read_any(p, text, &r))
        return false;
    *days = pst_civil_days(r.c.year, r.c.month, r.c.day);
    return *days >= INT32_MIN && *days <= INT32_MAX;
}

/* Of a wall clock's time that comes twice java.util takes the second, java.time the first
   one. */
static bool take_second(const pst_zone *zone, int64_t *micros)
{
    int64_t utc = pst_floor_div(*micros, PST_MICROS);
    int32_t first = pst_zone_offset_at(zone, utc);
    int32_t second = pst_zone_offset_at(zone, utc + 10800);
    int64_t later = utc + first - second;
    if (second >= first || pst_zone_offset_at(zone, later) != second)
        return true;
    return !__builtin_add_overflow(*micros, (int64_t)(first - second) * PST_MICROS,
                                   micros);
}

/* False for a time that the zone's clocks skip. */
static bool shows_time(const pst_civil *c, const pst_zone *zone, int64_t micros)
{
    pst_civil seen;
    int32_t offset = pst_zone_offset_at(zone, pst_floor_div(micros, PST_MICROS));
    pst_civil_of_micros(micros, offset, &seen);
    return seen.hour == c->hour && seen.minute == c->minute;
}

/* Unlike in Spark's own format, whole seconds must fit for themselves. */
static bool whole_seconds(int64_t micros)
{
    return micros >= INT64_MIN / PST_MICROS * PST_MICROS;
}

static bool to_micros(const pst_pattern *p, const pst_parsed *r, const pst_zone *zone,
                      int64_t *micros)
{
    return pst_civil_to_micros(&r->c, zone, micros) &&
           (!zone || p->use < PST_PATTERN_LEGACY ||
            (take_second(zone, micros) &&
             (p->use == PST_PATTERN_LEGACY || shows_time(&r->c, zone, *micros)))) &&
           whole_seconds(*micros);
}

bool pst_pattern_parse_timestamp(const pst_pattern *p, pst_sv text, const pst_zone *zone,
                                 int64_t *micros)
{
    pst_parsed r;
    if (!read_any(p, text, &r))
        return false;
    if (!r.has_zone)
        return to_micros(p, &r, zone, micros);
    if (!r.zone_name[0])
        return pst_civil_to_micros_at(&r.c, r.offset, micros) && whole_seconds(*micros);
    pst_zone *own = NULL;
    if (pst_zone_new(&own, pst_sv_of(r.zone_name), NULL) != PST_OK)
        return false;
    bool ok = to_micros(p, &r, own, micros);
    pst_zone_free(own);
    return ok;
}

bool pst_pattern_parse_ntz(const pst_pattern *p, pst_sv text, int64_t *micros)
{
    pst_parsed r;
    return read_any(p, text, &r) && !r.has_zone &&
           pst_civil_to_micros(&r.c, NULL, micros);
}

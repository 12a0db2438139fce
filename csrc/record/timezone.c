/*
 * timezone.c - names, offsets and look-ups; see timezone.h. TZif files: timezone_file.c.
 */
#include "record/timezone_file.h"

#include "base/mem.h"

#include <stdio.h>

typedef struct alias {
    const char *from, *to;
} alias;

/* java.time.ZoneId.SHORT_IDS of JDK 17. */
static const alias ALIASES[] = {
    {"ACT", "Australia/Darwin"},
    {"AET", "Australia/Sydney"},
    {"AGT", "America/Argentina/Buenos_Aires"},
    {"ART", "Africa/Cairo"},
    {"AST", "America/Anchorage"},
    {"BET", "America/Sao_Paulo"},
    {"BST", "Asia/Dhaka"},
    {"CAT", "Africa/Harare"},
    {"CNT", "America/St_Johns"},
    {"CST", "America/Chicago"},
    {"CTT", "Asia/Shanghai"},
    {"EAT", "Africa/Addis_Ababa"},
    {"ECT", "Europe/Paris"},
    {"IET", "America/Indiana/Indianapolis"},
    {"IST", "Asia/Kolkata"},
    {"JST", "Asia/Tokyo"},
    {"MIT", "Pacific/Apia"},
    {"NET", "Asia/Yerevan"},
    {"NST", "Pacific/Auckland"},
    {"PLT", "Asia/Karachi"},
    {"PNT", "America/Phoenix"},
    {"PRT", "America/Puerto_Rico"},
    {"PST", "America/Los_Angeles"},
    {"SST", "Pacific/Guadalcanal"},
    {"VST", "Asia/Ho_Chi_Minh"},
    {"EST", "-05:00"},
    {"MST", "-07:00"},
    {"HST", "-10:00"},
};

/* ---- offsets ---- */

static bool two_digits(const char *p, int max, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return *out <= max;
}

/* +h, +hh, +hhmm, +hh:mm, +hhmmss, +hh:mm:ss: up to 18 hours. */
static bool strict_offset(const char *p, size_t n, int32_t *seconds)
{
    int h = 0, m = 0, s = 0;
    bool colon = n > 3 && p[3] == ':', ok;
    char padded[3];
    if (n == 2) {
        padded[0] = '0';
        padded[1] = p[1];
        ok = two_digits(padded, 18, &h);
    } else {
        ok = n >= 3 && two_digits(p + 1, 18, &h);
    }
    if (n == 6 && colon)
        ok = ok && two_digits(p + 4, 59, &m);
    else if (n == 5 && !colon)
        ok = ok && two_digits(p + 3, 59, &m);
    else if (n == 9 && colon)
        ok = ok && p[6] == ':' && two_digits(p + 4, 59, &m) && two_digits(p + 7, 59, &s);
    else if (n == 7 && !colon)
        ok = ok && two_digits(p + 3, 59, &m) && two_digits(p + 5, 59, &s);
    else if (n != 2 && n != 3)
        ok = false;
    int32_t total = h * 3600 + m * 60 + s;
    if (!ok || total > 18 * 3600)
        return false;
    *seconds = p[0] == '-' ? -total : total;
    return true;
}

/* Spark first makes +h: into +0h: and a final +hh:m into +hh:0m, wherever they stand. */
static size_t normalise(char out[64], pst_sv in)
{
    size_t n = 0;
    bool done = false;
    for (size_t i = 0; i < in.n && n < 60; i++) {
        out[n++] = in.p[i];
        bool sign = in.p[i] == '+' || in.p[i] == '-';
        if (sign && !done && i + 2 < in.n && in.p[i + 1] >= '0' && in.p[i + 1] <= '9' &&
            in.p[i + 2] == ':') {
            out[n++] = '0';
            done = true;
        }
    }
    char *end = out + n;
    if (n >= 5 && (end[-5] == '+' || end[-5] == '-') && end[-2] == ':' &&
        end[-1] >= '0' && end[-1] <= '9' && end[-4] >= '0' && end[-4] <= '9' &&
        end[-3] >= '0' && end[-3] <= '9') {
        end[0] = end[-1];
        end[-1] = '0';
        n++;
    }
    return n;
}

static bool offset_of_normal(const char *p, size_t n, int32_t *seconds)
{
    *seconds = 0;
    if (n == 1)
        return p[0] == 'Z';
    if (n >= 2 && (p[0] == '+' || p[0] == '-'))
        return strict_offset(p, n, seconds);
    size_t prefix = 0;
    if (n >= 3 && (!memcmp(p, "UTC", 3) || !memcmp(p, "GMT", 3)))
        prefix = 3;
    else if (n >= 2 && !memcmp(p, "UT", 2))
        prefix = 2;
    if (prefix == 0)
        return false;
    if (n == prefix)
        return true;
    return (p[prefix] == '+' || p[prefix] == '-') &&
           strict_offset(p + prefix, n - prefix, seconds);
}

static pst_sv resolve_alias(pst_sv name)
{
    for (size_t i = 0; name.n == 3 && i < sizeof ALIASES / sizeof *ALIASES; i++)
        if (memcmp(name.p, ALIASES[i].from, 3) == 0)
            return pst_sv_of(ALIASES[i].to);
    return name;
}

bool pst_zone_parse_offset(pst_sv text, int32_t *seconds)
{
    char normal[64];
    if (text.n == 0 || text.n > 24)
        return false;
    size_t n = normalise(normal, text);
    pst_sv name = resolve_alias((pst_sv){normal, n});
    return offset_of_normal(name.p, name.n, seconds);
}

/* ---- zones ---- */

static bool region_name(pst_sv name)
{
    if (name.n < 2 || name.n > 60 || pst_sv_starts(name, PST_SV("posix")) ||
        pst_sv_starts(name, PST_SV("right")) || pst_sv_is(name, "Factory") ||
        pst_sv_is(name, "localtime"))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || (c && strchr("~/._+-", c) != NULL);
        if (!letter && (i == 0 || !other))
            return false;
        if (c == '.' && i + 1 < name.n && name.p[i + 1] == '.')
            return false;
    }
    return true;
}

/* As ZoneId.getId() of an offset: Z, +03:00, GMT+03:00, with seconds if there are any. */
static void fixed_name(char *out, size_t size, pst_sv name, int32_t seconds)
{
    int prefix = name.p[0] == 'Z' ? 0 : name.p[0] == '+' || name.p[0] == '-' ? 0 : 3;
    if (prefix && (name.n < 3 || name.p[2] == '+' || name.p[2] == '-'))
        prefix = 2; /* UT */
    int32_t abs = seconds < 0 ? -seconds : seconds;
    int h = abs / 3600, m = abs / 60 % 60, s = abs % 60;
    if (seconds == 0) {
        snprintf(out, size, "%.*s", prefix ? prefix : 1, prefix ? name.p : "Z");
        return;
    }
    char sign = seconds < 0 ? '-' : '+';
    int n = snprintf(out, size, "%.*s%c%02d:%02d", prefix, name.p, sign, h, m);
    if (s)
        snprintf(out + n, size - (size_t)n, ":%02d", s);
}

pst_rc pst_zone_new(pst_zone **out, pst_sv given, pst_err *err)
{
    char normal[64];
    int32_t seconds;
    size_t n = given.n && given.n < 60 ? normalise(normal, given) : 0;
    pst_sv name = resolve_alias((pst_sv){normal, n});
    bool fixed = n && offset_of_normal(name.p, name.n, &seconds);
    if (!fixed && !region_name(name))
        return pst_fail(err, PST_E_CONFIG,
                        "'%.*s' is no time zone; examples: UTC, Europe/Istanbul, +03:00",
                        (int)(given.n < 60 ? given.n : 60), given.p);
    pst_zone *zone = pst_calloc(1, sizeof *zone);
    if (!zone)
        return pst_fail_nomem(err, "a time zone");
    pst_rc rc = PST_OK;
    if (fixed)
        zone->types[0].offset = seconds;
    else
        rc = pst_zone_load(zone, name, err);
    zone->n_types = fixed ? 1 : zone->n_types;
    if (fixed)
        fixed_name(zone->name, sizeof zone->name, name, seconds);
    else
        snprintf(zone->name, sizeof zone->name, "%.*s", PST_SV_FMT(name));
    if (rc != PST_OK) {
        pst_zone_free(zone);
        return rc;
    }
    *out = zone;
    return PST_OK;
}

void pst_zone_free(pst_zone *zone)
{
    if (!zone)
        return;
    pst_free(zone->at);
    pst_free(zone->type);
    pst_free(zone);
}

/* When it is full, the oldest entry makes room. */
const pst_zone *pst_zone_cached(pst_zone_cache *cache, pst_sv name)
{
    if (name.n == 0 || name.n >= sizeof cache->entries[0].name ||
        memchr(name.p, '\0', name.n))
        return NULL;
    for (size_t i = 0; i < cache->n; i++)
        if (pst_sv_is(name, cache->entries[i].name))
            return cache->entries[i].zone;
    pst_zone *zone = NULL;
    pst_rc rc = pst_zone_new(&zone, name, NULL);
    cache->nomem = rc == PST_E_NOMEM;
    if (cache->nomem)
        return NULL;
    size_t at = cache->next;
    cache->next = (at + 1) % PST_ZONE_CACHE;
    if (cache->n < PST_ZONE_CACHE)
        cache->n++;
    pst_zone_free(cache->entries[at].zone);
    cache->entries[at].zone = zone;
    snprintf(cache->entries[at].name, sizeof cache->entries[at].name, "%.*s",
             PST_SV_FMT(name));
    return zone;
}

void pst_zone_cache_done(pst_zone_cache *cache)
{
    for (size_t i = 0; i < cache->n; i++)
        pst_zone_free(cache->entries[i].zone);
    *cache = (pst_zone_cache){.n = 0};
}

const char *pst_zone_name(const pst_zone *zone)
{
    return zone->name;
}

bool pst_zone_is_fixed(const pst_zone *zone, int32_t *seconds)
{
    *seconds = zone->types[0].offset;
    return zone->n == 0 && !zone->rule.has_dst;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t year_of(int64_t seconds)
{
    int64_t days = floor_div(seconds, 86400);
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    return yoe + era * 400 + ((5 * doy + 2) / 153 >= 10);
}

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;
    return y * 365 + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 719162;
}

/* Local wall seconds at which a rule of a year takes effect. */
static int64_t rule_local(const pst_zone_day *day, int64_t year)
{
    static const int before[] = {0,   31,  59,  90,  120, 151, 181,
                                 212, 243, 273, 304, 334, 365};
    int64_t days = days_before_year(year);
    if (day->kind == 'J') {
        days += day->day - 1 + (day->day >= 60 && leap(year));
    } else if (day->kind == 'n') {
        days += day->day;
    } else {
        int m = day->month;
        int64_t first = days + before[m - 1] + (m > 2 && leap(year));
        int length = before[m] - before[m - 1] + (m == 2 && leap(year));
        int64_t weekday = ((first + 4) % 7 + 7) % 7;
        int64_t d = (day->day - weekday + 7) % 7 + 7 * (day->week - 1);
        days = first + (d >= length ? d - 7 : d);
    }
    return days * 86400 + day->time;
}

/* The rule's daylight time in a year as instants; *end may lie before *start (south). */
static void rule_instants(const pst_zone_rule *rule, int64_t year, int64_t *start,
                          int64_t *end)
{
    *start = rule_local(&rule->start, year) - rule->std;
    *end = rule_local(&rule->end, year) - rule->dst;
}

static bool rule_is_dst(const pst_zone_rule *rule, int64_t utc)
{
    int64_t start, end;
    if (!rule->has_dst)
        return false;
    rule_instants(rule, year_of(utc + rule->std), &start, &end);
    if (start < end)
        return utc >= start && utc < end;
    return utc >= start || utc < end;
}

/* Index of the type before transition i. */
static int type_before(const pst_zone *zone, size_t i)
{
    return i ? zone->type[i - 1] : 0;
}

/* How many transitions are at or before. */
static size_t count_until(const pst_zone *zone, int64_t utc)
{
    size_t low = 0, high = zone->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (zone->at[mid] <= utc)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool by_rule(const pst_zone *zone, size_t count)
{
    return zone->has_rule && count == zone->n;
}

int32_t pst_zone_offset_at(const pst_zone *zone, int64_t utc)
{
    size_t count = count_until(zone, utc);
    if (by_rule(zone, count))
        return rule_is_dst(&zone->rule, utc) ? zone->rule.dst : zone->rule.std;
    return zone->types[type_before(zone, count)].offset;
}

bool pst_zone_is_dst(const pst_zone *zone, int64_t utc)
{
    size_t count = count_until(zone, utc);
    if (by_rule(zone, count))
        return rule_is_dst(&zone->rule, utc);
    return zone->types[type_before(zone, count)].dst;
}

const char *pst_zone_abbreviation(const pst_zone *zone, int64_t utc)
{
    size_t count = count_until(zone, utc);
    if (zone->n_types == 1 && zone->n == 0 && !zone->has_rule)
        return zone->name;
    if (by_rule(zone, count))
        return rule_is_dst(&zone->rule, utc) ? zone->rule.dst_name : zone->rule.std_name;
    return zone->types[type_before(zone, count)].name;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int32_t rule_offset_of_local(const pst_zone_rule *rule, int64_t local)
{
    int64_t start, end;
    if (!rule->has_dst)
        return rule->std;
    rule_instants(rule, year_of(local), &start, &end);
    /* a change is over for a local time that is past both of its readings */
    int64_t wide = max64(rule->std, rule->dst);
    bool started = local >= start + wide, ended = local >= end + wide;
    bool dst = start < end ? started && !ended : started || !ended;
    return dst ? rule->dst : rule->std;
}

int32_t pst_zone_offset_of_local(const pst_zone *zone, int64_t local)
{
    size_t low = 0, high = zone->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int32_t before = zone->types[type_before(zone, mid)].offset;
        int32_t after = zone->types[zone->type[mid]].offset;
        if (zone->at[mid] + max64(before, after) <= local)
            low = mid + 1;
        else
            high = mid;
    }
    if (by_rule(zone, low))
        return rule_offset_of_local(&zone->rule, local);
    return zone->types[type_before(zone, low)].offset;
}

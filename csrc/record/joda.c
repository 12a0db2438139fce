/*
 * joda.c - see joda.h: compiling and printing. Reading: joda_parse.c.
 */
#include "record/joda.h"

#include "base/mem.h"
#include "record/datetime.h"
#include "record/number.h"
#include "record/pattern_ops.h"

enum {
    MS_A_DAY = 86400000,
    OPS_MAX = 100,
    LITERALS_MAX = 400,
    COUNT_MAX = 50,
    FRACTION_MAX = 15
};

typedef struct op {
    char letter; /* '\'' = literal */
    uint8_t count;
    uint16_t from, n; /* literal */
} op;

struct pst_joda {
    op ops[OPS_MAX];
    size_t n_ops;
    char literals[LITERALS_MAX];
    size_t n_literals;
};

/* ---- compiling ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static pst_rc add_field(pst_joda *joda, const char **at, pst_err *err)
{
    const char *s = *at;
    size_t count = 1;
    while (s[count] == *s)
        count++;
    *at += count;
    if (*s == 'z')
        return pst_fail(err, PST_E_CONFIG,
                        "letter z, a zone's name in words, is not supported: use Z "
                        "(-0800), ZZ (-08:00) or ZZZ (America/Los_Angeles)");
    if (!strchr("GCYxweEyDMdaKhHkmsSZ", *s))
        return pst_fail(err, PST_E_CONFIG, "unknown pattern letter %c", *s);
    if (count > (*s == 'S' ? FRACTION_MAX : COUNT_MAX))
        return pst_fail(err, PST_E_CONFIG, "too many pattern letters %c", *s);
    if (joda->n_ops >= OPS_MAX)
        return pst_fail(err, PST_E_CONFIG, "too long");
    joda->ops[joda->n_ops++] = (op){.letter = *s, .count = (uint8_t)count};
    return PST_OK;
}

/* Everything up to the next letter outside of quotes; '' is a quote. */
static pst_rc add_literal(pst_joda *joda, const char **at, pst_err *err)
{
    const char *s = *at;
    bool quoted = false;
    size_t from = joda->n_literals;
    for (; *s && (quoted || !is_letter(*s)); s++) {
        if (*s == '\'' && s[1] != '\'') {
            quoted = !quoted;
            continue;
        }
        s += *s == '\'';
        if (joda->n_literals >= LITERALS_MAX || joda->n_ops >= OPS_MAX)
            return pst_fail(err, PST_E_CONFIG, "too long");
        joda->literals[joda->n_literals++] = *s;
    }
    *at = s;
    if (joda->n_literals > from)
        joda->ops[joda->n_ops++] = (op){.letter = '\'',
                                        .from = (uint16_t)from,
                                        .n = (uint16_t)(joda->n_literals - from)};
    return PST_OK;
}

pst_rc pst_joda_new(pst_joda **out, const char *text, pst_err *err)
{
    pst_joda *joda = pst_calloc(1, sizeof *joda);
    if (!joda)
        return pst_fail_nomem(err, "a pattern");
    pst_err local = PST_ERR_INIT;
    pst_rc rc = PST_OK;
    for (const char *at = text; *at && rc == PST_OK;)
        rc = is_letter(*at) ? add_field(joda, &at, &local)
                            : add_literal(joda, &at, &local);
    if (rc != PST_OK) {
        pst_joda_free(joda);
        return pst_fail(err, rc, "pattern '%s': %s", text, local.text);
    }
    *out = joda;
    return PST_OK;
}

void pst_joda_free(pst_joda *joda)
{
    pst_free(joda);
}

char pst_joda_word(const pst_joda *joda)
{
    for (size_t i = 0; i < joda->n_ops; i++) {
        const op *o = &joda->ops[i];
        if (strchr("EaG", o->letter) || (o->letter == 'M' && o->count >= 3))
            return o->letter;
    }
    return '\0';
}

/* ---- zones ---- */

bool pst_joda_to_local(const pst_zone *zone, int64_t ms, int64_t *local)
{
    int64_t offset = pst_zone_offset_at(zone, pst_floor_div(ms, 1000));
    return !__builtin_add_overflow(ms, offset * 1000, local);
}

bool pst_joda_to_utc(const pst_zone *zone, int64_t local, int64_t *ms)
{
    int64_t s = pst_floor_div(local, 1000);
    int64_t guess = pst_zone_offset_at(zone, s);
    int64_t offset = pst_zone_offset_at(zone, s - guess);
    /* in the west, a local time that the clocks skip has the offset before the gap */
    if (guess != offset && guess < 0 && pst_zone_offset_at(zone, s - offset) != offset)
        offset = guess;
    return !__builtin_sub_overflow(local, offset * 1000, ms);
}

/* ---- printing ---- */

typedef struct print {
    const pst_zone *zone;
    pst_civil c;
    int64_t days;
    int milli;
    int32_t offset;
    char *out;
    size_t n, size;
} print;

static bool put(print *pr, const char *text, size_t n)
{
    if (pr->size - pr->n < n)
        return false;
    memcpy(pr->out + pr->n, text, n);
    pr->n += n;
    return true;
}

static bool put_number(print *pr, int64_t value, size_t width)
{
    char text[24];
    size_t n = pst_number_of_long(text, value < 0 ? -value : value);
    if (value < 0 && !put(pr, "-", 1))
        return false;
    for (; width > n; width--)
        if (!put(pr, "0", 1))
            return false;
    return put(pr, text, n);
}

static bool put_name(print *pr, const char *name, size_t count)
{
    return put(pr, name, count > 3 ? strlen(name) : 3);
}

/* 1 = Monday */
static int day_of_week(int64_t days)
{
    return (int)(((days + 3) % 7 + 7) % 7) + 1;
}

static int day_of_year(int64_t days, int64_t year)
{
    return (int)(days - pst_civil_days(year, 1, 1)) + 1;
}

/* The week belongs to the year of its Thursday. */
static void week_of(int64_t days, int64_t *year, int *week)
{
    pst_civil thursday;
    int64_t day = days - day_of_week(days) + 4;
    pst_civil_of_days(day, &thursday);
    *year = thursday.year;
    *week = (day_of_year(day, thursday.year) - 1) / 7 + 1;
}

static bool put_year(print *pr, const op *o)
{
    int64_t year = pr->c.year;
    int week;
    if (o->letter == 'x')
        week_of(pr->days, &year, &week);
    if (o->count == 2)
        return put_number(pr, (year < 0 ? -year : year) % 100, 2);
    if (o->letter == 'Y' && year <= 0)
        year = 1 - year;
    return put_number(pr, year, o->count);
}

static bool put_zone(print *pr, size_t count)
{
    const char *name = pst_zone_name(pr->zone);
    if (count >= 3) /* Joda calls an offset of nothing UTC */
        return strcmp(name, "Z") == 0 ? put(pr, "UTC", 3) : put(pr, name, strlen(name));
    int32_t abs = pr->offset < 0 ? -pr->offset : pr->offset;
    return put(pr, pr->offset < 0 ? "-" : "+", 1) && put_number(pr, abs / 3600, 2) &&
           (count == 1 || put(pr, ":", 1)) && put_number(pr, abs / 60 % 60, 2);
}

static bool put_fraction(print *pr, size_t digits)
{
    char text[FRACTION_MAX + 1] = "000000000000000";
    pst_number_padded(text, (uint64_t)pr->milli, 3);
    return put(pr, text, digits);
}

static bool put_date(print *pr, const op *o)
{
    const pst_civil *c = &pr->c;
    int64_t year;
    int week;
    switch (o->letter) {
    case 'G':
        return put(pr, c->year > 0 ? "AD" : "BC", 2);
    case 'C':
        return put_number(pr, (c->year < 0 ? -c->year : c->year) / 100, o->count);
    case 'M':
        return o->count >= 3 ? put_name(pr, pst_month_names[c->month - 1], o->count)
                             : put_number(pr, c->month, o->count);
    case 'd':
        return put_number(pr, c->day, o->count);
    case 'D':
        return put_number(pr, day_of_year(pr->days, c->year), o->count);
    case 'e':
        return put_number(pr, day_of_week(pr->days), o->count);
    case 'E':
        return put_name(pr, pst_day_names[day_of_week(pr->days) % 7], o->count);
    case 'w':
        week_of(pr->days, &year, &week);
        return put_number(pr, week, o->count);
    default: /* y, Y, x */
        return put_year(pr, o);
    }
}

static bool put_field(print *pr, const op *o)
{
    int hour = pr->c.hour;
    switch (o->letter) {
    case 'a':
        return put(pr, hour < 12 ? "AM" : "PM", 2);
    case 'K':
        return put_number(pr, hour % 12, o->count);
    case 'h':
        return put_number(pr, hour % 12 ? hour % 12 : 12, o->count);
    case 'H':
        return put_number(pr, hour, o->count);
    case 'k':
        return put_number(pr, hour ? hour : 24, o->count);
    case 'm':
        return put_number(pr, pr->c.minute, o->count);
    case 's':
        return put_number(pr, pr->c.second, o->count);
    case 'S':
        return put_fraction(pr, o->count);
    case 'Z':
        return put_zone(pr, o->count);
    default:
        return put_date(pr, o);
    }
}

bool pst_joda_format(const pst_joda *joda, int64_t ms, const pst_zone *zone, char *out,
                     size_t size, size_t *n)
{
    print pr = {.zone = zone, .out = out, .size = size};
    int64_t local;
    if (!pst_joda_to_local(zone, ms, &local))
        return false;
    pr.offset = pst_zone_offset_at(zone, pst_floor_div(ms, 1000));
    pr.days = pst_floor_div(local, MS_A_DAY);
    int rest = (int)(local % MS_A_DAY);
    rest += rest < 0 ? MS_A_DAY : 0;
    pst_civil_of_days(pr.days, &pr.c);
    pr.c.hour = rest / 3600000;
    pr.c.minute = rest / 60000 % 60;
    pr.c.second = rest / 1000 % 60;
    pr.milli = rest % 1000;
    for (size_t i = 0; i < joda->n_ops; i++) {
        const op *o = &joda->ops[i];
        if (!(o->letter == '\'' ? put(&pr, joda->literals + o->from, o->n)
                                : put_field(&pr, o)))
            return false;
    }
    *n = pr.n;
    return true;
}

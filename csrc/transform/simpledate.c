/*
 * simpledate.c - see simpledate.h.
 */
#include "transform/simpledate.h"

#include "record/datetime.h"
#include "record/number.h"

#include <stdio.h>

enum { DAY_MS = 86400000, MINUTE_MS = 60000 };

static const char *const MONTHS[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const DAYS[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const HALVES[] = {"AM", "PM"};

/* ---- the pattern ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static pst_rc add_op(pst_simpledate *f, char letter, int count, pst_sv text, pst_err *err)
{
    if (f->n == PST_SIMPLEDATE_OPS)
        return pst_fail(err, PST_E_CONFIG, "the format is too long");
    f->ops[f->n++] = (pst_simpledate_op){letter, count, text};
    return PST_OK;
}

static pst_rc add_text(pst_simpledate *f, size_t *used, char c, pst_err *err)
{
    if (*used == sizeof f->text)
        return pst_fail(err, PST_E_CONFIG, "the format is too long");
    f->text[*used] = c;
    pst_simpledate_op *last = f->n ? &f->ops[f->n - 1] : NULL;
    if (last && !last->letter) {
        last->text.n++;
        ++*used;
        return PST_OK;
    }
    return add_op(f, 0, 0, (pst_sv){f->text + (*used)++, 1}, err);
}

static pst_rc add_letters(pst_simpledate *f, const char *pattern, const char **at,
                          pst_err *err)
{
    const char *start = *at;
    while (**at == *start)
        ++*at;
    size_t count = (size_t)(*at - start), pos = (size_t)(start - pattern) + 1;
    if (!strchr("yMdHkKhamsSEXZ", *start))
        return pst_fail(err, PST_E_CONFIG,
                        "at character %zu: the letter %c is not taken; there are y M d H "
                        "k K h a m s S E X Z, and text stands in '…'",
                        pos, *start);
    if (count > 20 || (*start == 'X' && count > 3))
        return pst_fail(err, PST_E_CONFIG, "at character %zu: too many %c", pos, *start);
    return add_op(f, *start, (int)count, (pst_sv){NULL, 0}, err);
}

pst_rc pst_simpledate_init(pst_simpledate *format, const char *pattern, pst_err *err)
{
    size_t used = 0;
    bool quoted = false;
    const char *at = pattern, *opened = pattern;
    *format = (pst_simpledate){.n = 0};
    while (*at) {
        pst_rc rc = PST_OK;
        if (*at == '\'' && at[1] == '\'') {
            rc = add_text(format, &used, '\'', err);
            at += 2;
        } else if (*at == '\'') {
            quoted = !quoted;
            opened = at++;
        } else if (!quoted && is_letter(*at)) {
            rc = add_letters(format, pattern, &at, err);
        } else {
            rc = add_text(format, &used, *at++, err);
        }
        if (rc != PST_OK)
            return rc;
    }
    if (quoted)
        return pst_fail(err, PST_E_CONFIG, "at character %zu: a ' without its other",
                        (size_t)(opened - pattern) + 1);
    return format->n ? PST_OK : pst_fail(err, PST_E_CONFIG, "the format is empty");
}

static bool has_op(const pst_simpledate *f, char letter)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->ops[i].letter == letter)
            return true;
    return false;
}

pst_rc pst_simpledate_can_read(const pst_simpledate *format, pst_err *err)
{
    for (size_t i = 0; i < format->n; i++)
        if (format->ops[i].letter == 'y' && format->ops[i].count <= 2)
            return pst_fail(err, PST_E_CONFIG,
                            "a year of two digits is not read: which century it is "
                            "depends on the day on which it is read. Set yyyy");
    bool day = has_op(format, 'H') || has_op(format, 'k');
    if (day && (has_op(format, 'h') || has_op(format, 'K')))
        return pst_fail(err, PST_E_CONFIG, "reads the hour twice (H or k, and h or K)");
    if (has_op(format, 'E') && !has_op(format, 'd'))
        return pst_fail(err, PST_E_CONFIG, "reads a day's name (E) without its date (d)");
    return PST_OK;
}

/* ---- printing ---- */

typedef struct sink {
    char *out;
    size_t n, size;
    bool full;
} sink;

static void put(sink *s, pst_sv text)
{
    s->full |= text.n > s->size - s->n;
    if (s->full)
        return;
    memcpy(s->out + s->n, text.p, text.n);
    s->n += text.n;
}

static void put_number(sink *s, int64_t value, int width)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%0*lld", width, (long long)value);
    put(s, (pst_sv){text, (size_t)n});
}

static void put_name(sink *s, const char *name, bool whole)
{
    put(s, (pst_sv){name, whole ? strlen(name) : 3});
}

static void put_op(sink *s, const pst_simpledate_op *op, const pst_civil *c, int weekday,
                   int millis)
{
    int64_t year = c->year > 0 ? c->year : 1 - c->year;
    switch (op->letter) {
    case 0:
        put(s, op->text);
        return;
    case 'y':
        put_number(s, op->count == 2 ? year % 100 : year, op->count);
        return;
    case 'M':
        if (op->count >= 3)
            put_name(s, MONTHS[c->month - 1], op->count >= 4);
        else
            put_number(s, c->month, op->count);
        return;
    case 'E':
        put_name(s, DAYS[weekday], op->count >= 4);
        return;
    case 'a':
        put(s, pst_sv_of(HALVES[c->hour >= 12]));
        return;
    case 'X':
        put(s, PST_SV("Z"));
        return;
    case 'Z':
        put(s, PST_SV("+0000"));
        return;
    case 'k':
        put_number(s, c->hour ? c->hour : 24, op->count);
        return;
    case 'K':
        put_number(s, c->hour % 12, op->count);
        return;
    case 'h':
        put_number(s, c->hour % 12 ? c->hour % 12 : 12, op->count);
        return;
    default:
        put_number(s,
                   op->letter == 'd'   ? c->day
                   : op->letter == 'H' ? c->hour
                   : op->letter == 'm' ? c->minute
                   : op->letter == 's' ? c->second
                                       : millis,
                   op->count);
    }
}

size_t pst_simpledate_print(const pst_simpledate *format, int64_t ms, char *out,
                            size_t size)
{
    sink s = {.out = out, .size = size};
    int64_t days = pst_floor_div(ms, DAY_MS), left = ms - days * DAY_MS;
    int weekday = (int)(((days + 4) % 7 + 7) % 7);
    pst_civil c = {0};
    pst_civil_of_days(pst_rebase_julian_days(days), &c);
    c.hour = (int)(left / 3600000);
    c.minute = (int)(left / MINUTE_MS % 60);
    c.second = (int)(left / 1000 % 60);
    for (size_t i = 0; i < format->n; i++)
        put_op(&s, &format->ops[i], &c, weekday, (int)(left % 1000));
    return s.full ? 0 : s.n;
}

/* ---- reading ---- */

typedef struct reading {
    const char *at, *end;
    int32_t year, month, day, hour, half, minute, second, millis; /* month 0 … 11 */
    int32_t offset_minutes;
} reading;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* DecimalFormat's integers, within `end`: a number beyond int wraps, one beyond long
   saturates. */
static bool read_number(reading *r, const char *end, int32_t *out)
{
    const char *at = r->at;
    bool negative = at < end && *at == '-', huge = false;
    int64_t value = 0;
    at += negative;
    if (at == end || !is_digit(*at))
        return false;
    for (; at < end && is_digit(*at); at++)
        huge |= __builtin_mul_overflow(value, 10, &value) ||
                __builtin_sub_overflow(value, *at - '0', &value);
    r->at = at;
    huge |= !negative && value == INT64_MIN;
    if (huge)
        *out = negative ? INT32_MIN : INT32_MAX;
    else
        *out = (int32_t)(uint32_t)(uint64_t)(negative ? value : -value);
    return true;
}

/* The longest of the names, or of their first letters, in any case. */
static bool read_name(reading *r, const char *const *names, int n, size_t brief,
                      int32_t *out)
{
    size_t best = 0, left = (size_t)(r->end - r->at);
    for (int i = 0; i < n; i++) {
        size_t whole = strlen(names[i]);
        size_t lengths[] = {whole, brief < whole ? brief : whole};
        for (int k = 0; k < 2; k++)
            if (lengths[k] > best && lengths[k] <= left &&
                pst_sv_eq_nocase((pst_sv){r->at, lengths[k]},
                                 (pst_sv){names[i], lengths[k]})) {
                best = lengths[k];
                *out = i;
            }
    }
    r->at += best;
    return best > 0;
}

static bool read_two(reading *r, int32_t *out, bool one_is_enough)
{
    if (r->at == r->end || !is_digit(*r->at))
        return false;
    *out = *r->at++ - '0';
    if (r->at < r->end && is_digit(*r->at)) {
        *out = *out * 10 + (*r->at++ - '0');
        return true;
    }
    return one_is_enough && r->at < r->end;
}

static bool read_zone(reading *r, const pst_simpledate_op *op)
{
    int32_t hours, minutes = 0;
    bool colon = op->letter == 'X' && op->count == 3;
    if (op->letter == 'X' && r->at < r->end && *r->at == 'Z') {
        r->at++;
        return true;
    }
    if (r->at == r->end || (*r->at != '+' && *r->at != '-'))
        return false;
    bool negative = *r->at++ == '-';
    if (!read_two(r, &hours, false) || hours > 23)
        return false;
    if (op->letter != 'X' || op->count != 1) {
        if (colon && (r->at == r->end || *r->at++ != ':'))
            return false;
        if (!read_two(r, &minutes, false) || minutes > 59)
            return false;
    }
    r->offset_minutes = (hours * 60 + minutes) * (negative ? -1 : 1);
    return true;
}

/* Does a number before this field end by its count of letters? */
static bool bounds(const pst_simpledate_op *next)
{
    return next->letter && strchr("ydHkKhmsS", next->letter)
               ? true
               : next->letter == 'M' && next->count <= 2;
}

static void set_field(reading *r, char letter, int32_t value)
{
    switch (letter) {
    case 'y':
        r->year = value;
        return;
    case 'M':
        r->month = value - (value != INT32_MIN);
        return;
    case 'd':
        r->day = value;
        return;
    case 'H':
    case 'K':
        r->hour = value;
        return;
    case 'k':
        r->hour = value == 24 ? 0 : value;
        return;
    case 'h':
        r->hour = value == 12 ? 0 : value;
        return;
    case 'm':
        r->minute = value;
        return;
    case 's':
        r->second = value;
        return;
    default:
        r->millis = value;
    }
}

static bool read_field(const pst_simpledate *f, size_t i, reading *r)
{
    const pst_simpledate_op *op = &f->ops[i];
    const char *start = r->at;
    int32_t value, ignored;
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
        r->at++;
    if (r->at == r->end)
        return false;
    if (op->letter == 'X' || op->letter == 'Z')
        return read_zone(r, op);
    if (op->letter == 'E')
        return read_name(r, DAYS, 7, 3, &ignored);
    if (op->letter == 'a')
        return read_name(r, HALVES, 2, 2, &r->half);
    if (op->letter == 'M' && op->count > 2)
        return read_name(r, MONTHS, 12, 3, &r->month);
    const char *end = r->end;
    if (i + 1 < f->n && bounds(&f->ops[i + 1])) {
        if (r->end - start < op->count)
            return false;
        end = start + op->count;
    }
    if (r->at >= end || !read_number(r, end, &value))
        return false;
    set_field(r, op->letter, value);
    return true;
}

static bool to_ms(const reading *r, int64_t *ms)
{
    int64_t year = r->year + pst_floor_div(r->month, 12);
    int month = (int)(r->month - pst_floor_div(r->month, 12) * 12) + 1;
    int64_t days = pst_hybrid_days(year, month, r->day), time;
    time = ((int64_t)r->hour + 12 * r->half) * 3600000 + r->millis;
    time +=
        ((int64_t)r->minute - r->offset_minutes) * MINUTE_MS + (int64_t)r->second * 1000;
    return !__builtin_mul_overflow(days, DAY_MS, ms) &&
           !__builtin_add_overflow(*ms, time, ms);
}

bool pst_simpledate_read(const pst_simpledate *format, pst_sv text, int64_t *ms)
{
    reading r = {.at = text.p, .end = text.p + text.n, .year = 1970, .day = 1};
    for (size_t i = 0; i < format->n; i++) {
        pst_sv literal = format->ops[i].text;
        if (format->ops[i].letter) {
            if (!read_field(format, i, &r))
                return false;
            continue;
        }
        if ((size_t)(r.end - r.at) < literal.n || memcmp(r.at, literal.p, literal.n) != 0)
            return false;
        r.at += literal.n;
    }
    return r.at > text.p && to_ms(&r, ms);
}

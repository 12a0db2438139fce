/*
 * pattern.c - compiling and printing; see pattern.h. Reading: pattern_parse.c and, the
 * way of Spark 2, pattern_legacy.c.
 */
#include "record/pattern_ops.h"

#include "base/mem.h"
#include "record/number.h"

#include <stdio.h>

const char *const pst_month_names[12] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
const char *const pst_day_names[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};

/* ---- compiling ---- */

bool pst_pattern_is_number(const pst_pattern_op *op)
{
    if (op->letter == 'M' || op->letter == 'L' || op->letter == 'Q' || op->letter == 'q')
        return op->count < 3;
    return op->letter && strchr("ydDhHKkmsSF", op->letter) != NULL;
}

static pst_rc refuse(pst_err *err, const char *what, char letter)
{
    return pst_fail(err, PST_E_CONFIG, "%s: %c", what, letter);
}

/* Which letters, and how many of each, java.time (or FastDateFormat) takes. */
static pst_rc check_letter(pst_pattern_use use, char c, size_t count, pst_err *err)
{
    size_t max;
    if (use >= PST_PATTERN_LEGACY && c == 'X' && count > 3)
        return refuse(err, "too many pattern letters", c);
    if (use >= PST_PATTERN_LEGACY)
        return c && strchr("GyMdDHkKhmsSaEXZz", c)
                   ? PST_OK
                   : refuse(err, "pattern letter that is not supported", c);
    if (c && strchr("YWwuec", c))
        return refuse(err, "week-based patterns are unsupported since Spark 3", c);
    bool parsing = use == PST_PATTERN_PARSE;
    if (!c || strchr("ABnNp", c) || (parsing && strchr("EFqQ", c)) ||
        !strchr("GyMLdDQqEFahHKkmsSVzOXxZ", c))
        return refuse(err, "illegal pattern character", c);
    if (c == 'y')
        max = 10;
    else if (strchr("MLEGQq", c))
        max = 4;
    else if (strchr("dhHKkmsV", c))
        max = 2;
    else if (c == 'D')
        max = 3;
    else if (c == 'S')
        max = 9;
    else if (strchr("Fa", c))
        max = 1;
    else
        max = strchr("zO", c) ? 4 : 5;
    if (count > max)
        return refuse(err, "too many pattern letters", c);
    if ((c == 'V' && count != 2) || (c == 'O' && count != 1 && count != 4))
        return refuse(err, "wrong number of pattern letters", c);
    return PST_OK;
}

static pst_rc add_op(pst_pattern *p, pst_pattern_op op, pst_err *err)
{
    if (p->n_ops >= PST_PATTERN_OPS_MAX)
        return pst_fail(err, PST_E_CONFIG, "the pattern is too long");
    p->ops[p->n_ops++] = op;
    return PST_OK;
}

static pst_rc add_literal(pst_pattern *p, const char *text, size_t n, pst_err *err)
{
    if (p->n_literals + n > PST_PATTERN_LITERAL_MAX)
        return pst_fail(err, PST_E_CONFIG, "the pattern is too long");
    pst_pattern_op op = {
        .letter = '\'', .from = (uint16_t)p->n_literals, .n = (uint16_t)n};
    memcpy(p->literals + p->n_literals, text, n);
    p->n_literals += n;
    return add_op(p, op, err);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* '…' with '' for a quote; *at stands on the opening one. */
static pst_rc compile_quoted(pst_pattern *p, const char **at, pst_err *err)
{
    const char *s = *at + 1;
    pst_rc rc = PST_OK;
    if (*s == '\'') {
        *at = s + 1;
        return add_literal(p, "'", 1, err);
    }
    for (const char *from = s;;) {
        if (!*s)
            return pst_fail(err, PST_E_CONFIG, "a quote ' is not closed");
        if (*s != '\'') {
            s++;
            continue;
        }
        if (s > from)
            rc = add_literal(p, from, (size_t)(s - from), err);
        *at = s + 1;
        if (rc != PST_OK || s[1] != '\'')
            return rc;
        rc = add_literal(p, "'", 1, err);
        s += 2;
        from = s;
    }
}

static pst_rc compile_bracket(pst_pattern *p, char c, uint16_t *open, size_t *depth,
                              pst_err *err)
{
    if (c == '[') {
        if (*depth >= 16)
            return pst_fail(err, PST_E_CONFIG, "[ nested too deep");
        open[*depth] = (uint16_t)p->n_ops;
    } else if (*depth == 0) {
        return pst_fail(err, PST_E_CONFIG, "] without [ before it");
    } else {
        p->ops[open[--*depth]].close = (uint16_t)p->n_ops;
    }
    pst_rc rc = add_op(p, (pst_pattern_op){.letter = c}, err);
    if (rc == PST_OK && c == '[')
        ++*depth;
    return rc;
}

static pst_rc compile(pst_pattern *p, const char *s, pst_err *err)
{
    uint16_t open[16];
    size_t depth = 0;
    pst_rc rc = PST_OK;
    bool brackets = p->use < PST_PATTERN_LEGACY;
    while (*s && rc == PST_OK) {
        if (*s == '\'') {
            rc = compile_quoted(p, &s, err);
        } else if (is_letter(*s)) {
            size_t count = 1;
            while (s[count] == *s && count < 200)
                count++;
            rc = check_letter(p->use, *s, count, err);
            p->era = p->era || *s == 'G';
            if (rc == PST_OK)
                rc = add_op(p, (pst_pattern_op){.letter = *s, .count = (uint8_t)count},
                            err);
            s += count;
        } else if (brackets && (*s == '[' || *s == ']')) {
            rc = compile_bracket(p, *s++, open, &depth, err);
        } else if (brackets && strchr("{}#", *s)) {
            rc = refuse(err, "reserved pattern character", *s);
        } else {
            rc = add_literal(p, s++, 1, err);
        }
    }
    while (depth) /* an open part lasts to the end */
        p->ops[open[--depth]].close = (uint16_t)p->n_ops;
    return rc;
}

/* Numbers without anything between them share the digits by their widths. */
static void mark_adjacent(pst_pattern *p)
{
    size_t active = PST_PATTERN_OPS_MAX;
    for (size_t i = 0; i < p->n_ops; i++) {
        pst_pattern_op *op = &p->ops[i];
        bool fraction = op->letter == 'S';
        if (!pst_pattern_is_number(op) || (fraction && op->count > 1)) {
            active = PST_PATTERN_OPS_MAX;
            continue;
        }
        bool year = op->letter == 'y';
        bool narrow = op->count == 2 || (op->letter == 'D' && op->count == 3);
        if (active == PST_PATTERN_OPS_MAX) {
            active = i;
        } else if (narrow || (fraction && !year)) {
            p->ops[active].reserve = (uint8_t)(p->ops[active].reserve + op->count);
            op->fixed = true;
        } else {
            p->ops[active].fixed = true;
            active = i;
        }
    }
}

pst_rc pst_pattern_new(pst_pattern **out, const char *text, pst_pattern_use use,
                       pst_err *err)
{
    pst_err local = PST_ERR_INIT;
    pst_pattern *p = pst_calloc(1, sizeof *p);
    if (!p)
        return pst_fail_nomem(err, "a pattern");
    p->use = use;
    pst_rc rc = compile(p, text, &local);
    if (rc != PST_OK) {
        pst_free(p);
        return pst_fail(err, rc, "pattern '%s': %s", text, local.text);
    }
    if (use == PST_PATTERN_PARSE)
        mark_adjacent(p);
    *out = p;
    return PST_OK;
}

void pst_pattern_free(pst_pattern *pattern)
{
    pst_free(pattern);
}

/* ---- printing ---- */

typedef struct print {
    const pst_pattern *p;
    pst_pattern_level level;
    pst_civil c;
    int64_t days, utc_seconds;
    int32_t offset;
    const pst_zone *zone;
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
    char text[24], padded[44];
    uint64_t magnitude = (uint64_t)(value < 0 ? -value : value);
    size_t n = pst_number_of_long(text, (int64_t)magnitude), sign = value < 0;
    size_t zeros = width > n ? width - n : 0;
    padded[0] = '-';
    memset(padded + sign, '0', zeros);
    memcpy(padded + sign + zeros, text, n);
    return put(pr, padded, sign + zeros + n);
}

static bool put_year(print *pr, const pst_pattern_op *op)
{
    bool legacy = pr->p->use >= PST_PATTERN_LEGACY;
    bool four = pr->p->use == PST_PATTERN_LEGACY && op->count < 4;
    int64_t year = pr->c.year;
    if (legacy || pr->p->era)
        year = year > 0 ? year : 1 - year;
    if (op->count == 2) {
        int64_t two = (year < 0 ? -year : year) % 100;
        return put_number(pr, two, 2);
    }
    if (!legacy && op->count >= 4) { /* a + where the width does not hold it */
        int64_t limit = 1;
        for (size_t i = 0; i < op->count; i++)
            limit *= 10;
        if (year >= limit && !put(pr, "+", 1))
            return false;
    }
    /* FastDateFormat has four digits at least */
    return put_number(pr, year, four ? 4 : op->count);
}

static bool put_name(print *pr, const char *name, bool whole)
{
    return put(pr, name, whole ? strlen(name) : 3);
}

static bool put_quarter(print *pr, const pst_pattern_op *op)
{
    static const char *const names[] = {"1st quarter", "2nd quarter", "3rd quarter",
                                        "4th quarter"};
    int quarter = (pr->c.month - 1) / 3;
    if (op->count == 4)
        return put(pr, names[quarter], 11);
    if (op->count == 3 && !put(pr, "Q", 1))
        return false;
    return put_number(pr, quarter + 1, op->count == 2 ? 2 : 1);
}

static bool put_fraction(print *pr, size_t digits)
{
    char text[9] = "000000000";
    if (pr->p->use == PST_PATTERN_SIMPLE) /* a number of milliseconds */
        return put_number(pr, pr->c.micro / 1000, digits);
    pst_number_padded(text, (uint64_t)pr->c.micro, 6);
    return put(pr, text, digits < 9 ? digits : 9);
}

static bool put_offset(print *pr, const pst_pattern_op *op)
{
    char letter = op->letter, text[16];
    size_t count = op->count, n = 0;
    bool legacy = pr->p->use >= PST_PATTERN_LEGACY;
    int32_t abs = pr->offset < 0 ? -pr->offset : pr->offset;
    int32_t h = abs / 3600, m = abs / 60 % 60, s = abs % 60;
    bool zulu = letter == 'X' ||
                (letter == 'Z' &&
                 (legacy ? count == 2 && pr->p->use == PST_PATTERN_LEGACY : count == 5));
    bool colon = letter == 'Z' ? zulu : count == 3 || count == 5;
    bool seconds = (letter == 'Z' ? count == 5 && !legacy : count >= 4) && s;
    bool minutes = letter == 'Z' || count > 1 || (m && !legacy);
    if (zulu && h == 0 && (!minutes || m == 0) && !seconds)
        return put(pr, "Z", 1);
    bool zero = h == 0 && (!minutes || m == 0) && !seconds;
    text[n++] = pr->offset < 0 && !zero ? '-' : '+';
    pst_number_padded(text + n, (uint64_t)h, 2);
    n += 2;
    if (minutes) {
        if (colon)
            text[n++] = ':';
        pst_number_padded(text + n, (uint64_t)m, 2);
        n += 2;
    }
    if (seconds) {
        if (colon)
            text[n++] = ':';
        pst_number_padded(text + n, (uint64_t)s, 2);
        n += 2;
    }
    return put(pr, text, n);
}

/* GMT, GMT+3, GMT+03:00 */
static bool put_localized(print *pr, bool full)
{
    char text[24];
    int32_t abs = pr->offset < 0 ? -pr->offset : pr->offset;
    int h = abs / 3600, m = abs / 60 % 60, s = abs % 60, n;
    if (abs == 0)
        return put(pr, "GMT", 3);
    char sign = pr->offset < 0 ? '-' : '+';
    if (full)
        n = snprintf(text, sizeof text, "GMT%c%02d:%02d", sign, h, m);
    else if (m || s)
        n = snprintf(text, sizeof text, "GMT%c%d:%02d", sign, h, m);
    else
        n = snprintf(text, sizeof text, "GMT%c%d", sign, h);
    if (s && n > 0)
        n += snprintf(text + n, sizeof text - (size_t)n, ":%02d", s);
    return put(pr, text, (size_t)n);
}

static bool put_zone(print *pr, const pst_pattern_op *op)
{
    if (pr->level != PST_PATTERN_ZONED)
        return false;
    const char *text;
    switch (op->letter) {
    case 'V':
        text = pst_zone_name(pr->zone);
        return put(pr, text, strlen(text));
    case 'z':
        text = pst_zone_abbreviation(pr->zone, pr->utc_seconds);
        return put(pr, text, strlen(text));
    case 'O':
        return put_localized(pr, op->count == 4);
    default:
        if (op->letter == 'Z' && op->count == 4 && pr->p->use < PST_PATTERN_LEGACY)
            return put_localized(pr, true);
        return put_offset(pr, op);
    }
}

static int day_of_year(const pst_civil *c)
{
    return (int)(pst_civil_days(c->year, c->month, c->day) -
                 pst_civil_days(c->year, 1, 1)) +
           1;
}

static bool put_date_field(print *pr, const pst_pattern_op *op)
{
    const pst_civil *c = &pr->c;
    switch (op->letter) {
    case 'G':
        if (op->count == 4)
            return put(pr, c->year > 0 ? "Anno Domini" : "Before Christ",
                       c->year > 0 ? 11 : 13);
        return put(pr, c->year > 0 ? "AD" : "BC", 2);
    case 'y':
        return put_year(pr, op);
    case 'M':
    case 'L':
        if (op->count >= 3)
            return put_name(pr, pst_month_names[c->month - 1], op->count > 3);
        return put_number(pr, c->month, op->count);
    case 'd':
        return put_number(pr, c->day, op->count);
    case 'D':
        return put_number(pr, day_of_year(c), op->count);
    case 'Q':
    case 'q':
        return put_quarter(pr, op);
    case 'F':
        return put_number(pr, (c->day - 1) % 7 + 1, 1);
    default: /* E */
        return put_name(pr, pst_day_names[((pr->days + 4) % 7 + 7) % 7], op->count > 3);
    }
}

static bool put_time_field(print *pr, const pst_pattern_op *op)
{
    const pst_civil *c = &pr->c;
    if (pr->level == PST_PATTERN_DATE && pr->p->use < PST_PATTERN_LEGACY)
        return false;
    switch (op->letter) {
    case 'a':
        return put(pr, c->hour < 12 ? "AM" : "PM", 2);
    case 'H':
        return put_number(pr, c->hour, op->count);
    case 'k':
        return put_number(pr, c->hour ? c->hour : 24, op->count);
    case 'K':
        return put_number(pr, c->hour % 12, op->count);
    case 'h':
        return put_number(pr, c->hour % 12 ? c->hour % 12 : 12, op->count);
    case 'm':
        return put_number(pr, c->minute, op->count);
    case 's':
        return put_number(pr, c->second, op->count);
    default:
        return put_fraction(pr, op->count);
    }
}

static bool put_op(print *pr, const pst_pattern_op *op)
{
    if (op->letter == '\'')
        return put(pr, pr->p->literals + op->from, op->n);
    if (strchr("GyMLdDQqFE", op->letter))
        return put_date_field(pr, op);
    if (strchr("VzOXxZ", op->letter))
        return put_zone(pr, op);
    return put_time_field(pr, op);
}

/* A part in brackets that cannot be printed is left out as a whole. */
static bool put_ops(print *pr, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const pst_pattern_op *op = &pr->p->ops[i];
        if (op->letter == ']')
            continue;
        if (op->letter == '[') {
            size_t before = pr->n;
            if (!put_ops(pr, i + 1, op->close))
                pr->n = before;
            i = op->close;
        } else if (!put_op(pr, op)) {
            return false;
        }
    }
    return true;
}

/* java.util's calendar: before the reform the same date is another day of the week, and
   the ten days that it skipped are its first. */
static void to_hybrid(print *pr)
{
    int64_t days = pst_rebase_to_julian_days(pr->days);
    if (days == pr->days)
        return;
    pr->days = days;
    if (days >= pst_civil_days(1582, 10, 15))
        pst_civil_of_days(days, &pr->c);
}

bool pst_pattern_format(const pst_pattern *pattern, pst_pattern_level level,
                        int64_t value, const pst_zone *zone, char *out, size_t size,
                        size_t *n)
{
    print pr = {.p = pattern, .level = level, .zone = zone, .out = out, .size = size};
    if (level == PST_PATTERN_DATE) {
        pr.days = value;
        pst_civil_of_days(value, &pr.c);
    } else {
        pr.utc_seconds = pst_floor_div(value, PST_MICROS);
        if (level == PST_PATTERN_ZONED)
            pr.offset = pst_zone_offset_at(zone, pr.utc_seconds);
        pst_civil_of_micros(value, pr.offset, &pr.c);
        pr.days = pst_floor_div(pr.utc_seconds + pr.offset, PST_SECONDS_A_DAY);
    }
    if (pattern->use >= PST_PATTERN_LEGACY)
        to_hybrid(&pr);
    if (!put_ops(&pr, 0, pattern->n_ops))
        return false;
    *n = pr.n;
    return true;
}

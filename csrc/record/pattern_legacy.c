/*
 * pattern_legacy.c - reading by a pattern as Spark 2 did (commons-lang's FastDateFormat):
 * a prefix is enough, numbers take any digits of any script and skip blanks in front, and
 * fields beyond their ranges roll over. SimpleDateFormat, which its functions used, skips
 * blanks before every field and takes no field that does not exist. See pattern_ops.h.
 */
#include "record/pattern_ops.h"
#include "record/utf8.h"

/* The zeros of the decimal digits in Unicode's basic plane. */
static const uint16_t ZEROS[] = {
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6,
    0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0,
    0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620,
    0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10};

static int digit_at(const char *at, const char *end, size_t *len)
{
    uint32_t c =
        pst_utf8_next((const unsigned char *)at, (const unsigned char *)end, len);
    for (size_t i = 0; i < sizeof ZEROS / sizeof *ZEROS; i++)
        if (c >= ZEROS[i] && c < ZEROS[i] + 10u)
            return (int)(c - ZEROS[i]);
    return -1;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
}

/* width 0: as many digits as there are, after blanks. */
static bool read_number(const char **at, const char *end, size_t width, int64_t *out)
{
    size_t digits = 0, len = 0;
    int64_t value = 0;
    while (width == 0 && *at < end && is_blank(**at))
        ++*at;
    for (; *at < end && (width == 0 || digits < width); *at += len, digits++) {
        int digit = digit_at(*at, end, &len);
        if (digit < 0)
            break;
        value = value * 10 + digit;
        if (value > INT32_MAX)
            return false;
    }
    *out = value;
    return digits > 0;
}

static void set_fraction(pst_parsed *out, const pst_pattern_op *op, int64_t value)
{
    int64_t unit = 1;
    if (op->millis) {
        out->extra_micros = value * 1000;
        return;
    }
    for (size_t i = 0; i < op->count && i < 9; i++)
        unit *= 10;
    out->extra_micros = value * PST_MICROS / unit;
}

static void set_number(pst_parsed *out, const pst_pattern_op *op, int64_t value)
{
    int n = (int)value;
    switch (op->letter) {
    case 'y':
        /* two digits: within 80 years back and 20 ahead of 2000-ish, as SimpleDateFormat
         */
        out->c.year =
            op->count <= 2 && value < 100 ? value + (value < 50 ? 2000 : 1900) : value;
        break;
    case 'M':
        out->c.month = n;
        break;
    case 'd':
        out->c.day = n;
        break;
    case 'D':
        out->has_day_of_year = true;
        out->c.month = 1;
        out->c.day = n;
        break;
    case 'H':
        out->has_hour = true;
        out->c.hour = n;
        break;
    case 'k':
        out->has_hour = true;
        out->c.hour = n == 24 ? 0 : n;
        break;
    case 'h':
        out->has_hour12 = true;
        out->hour12 = n == 12 ? 0 : n;
        break;
    case 'K':
        out->has_hour12 = true;
        out->hour12 = n;
        break;
    case 'm':
        out->c.minute = n;
        break;
    case 's':
        out->c.second = n;
        break;
    default:
        set_fraction(out, op, value);
    }
}

static bool read_zone(const pst_pattern_op *op, const char **at, const char *end,
                      pst_parsed *out)
{
    out->has_zone = true;
    if (op->letter == 'X')
        return pst_pattern_read_offset(op, true, at, end, &out->offset);
    pst_pattern_op plain = {.letter = 'Z', .count = 1};
    const char *p = *at;
    if (p < end && (*p == '+' || *p == '-') &&
        pst_pattern_read_offset(&plain, true, &p, end, &out->offset)) {
        *at = p;
        return true;
    }
    size_t n = pst_pattern_read_zone(*at, end, out);
    *at += n;
    return n > 0;
}

/* A name in full, or its first three letters. */
static bool read_name(const pst_pattern_op *op, const char **at, const char *end,
                      pst_parsed *out)
{
    pst_pattern_op whole = {.letter = op->letter, .count = 4},
                   brief = {op->letter, .count = 3};
    int name = pst_pattern_read_name(&whole, at, end);
    if (name < 0)
        name = pst_pattern_read_name(&brief, at, end);
    if (op->letter == 'M')
        out->c.month = name;
    else if (op->letter == 'G')
        out->bc = name == 0;
    else if (op->letter == 'a')
        out->pm = name;
    out->has_ampm = out->has_ampm || op->letter == 'a';
    return name >= 0;
}

/* How many digits a number may have: as many as letters, if more follows directly. */
static size_t width_of(const pst_pattern *p, size_t i)
{
    if (i + 1 == p->n_ops)
        return 0;
    const pst_pattern_op *next = &p->ops[i + 1];
    bool simple = p->use == PST_PATTERN_SIMPLE;
    bool follows = simple ? next->letter != '\'' : pst_pattern_is_number(next);
    return follows ? p->ops[i].count : 0;
}

/* Does SimpleDateFormat take a number for this field? */
static bool in_range(const pst_pattern_op *op, int64_t value)
{
    static const struct {
        char letter;
        int low, high;
    } ranges[] = {{'y', 1, INT32_MAX}, {'M', 1, 12}, {'d', 1, 31}, {'D', 1, 366},
                  {'H', 0, 23},        {'k', 1, 24}, {'h', 1, 12}, {'K', 0, 11},
                  {'m', 0, 59},        {'s', 0, 59}, {'S', 0, 999}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].letter == op->letter)
            return value >= ranges[i].low && value <= ranges[i].high;
    return true;
}

static bool read_op(const pst_pattern *p, size_t i, const char **at, const char *end,
                    pst_parsed *out)
{
    pst_pattern_op op = p->ops[i];
    int64_t value;
    bool simple = p->use == PST_PATTERN_SIMPLE;
    if (op.letter == '\'') {
        if ((size_t)(end - *at) < op.n || memcmp(*at, p->literals + op.from, op.n) != 0)
            return false;
        *at += op.n;
        return true;
    }
    while (simple && *at < end && (**at == ' ' || **at == '\t'))
        ++*at;
    if (strchr("XZz", op.letter))
        return read_zone(&op, at, end, out);
    if (!pst_pattern_is_number(&op))
        return read_name(&op, at, end, out);
    const char *from = *at;
    if (simple && (from == end || is_blank(*from)))
        return false;
    if (!read_number(at, end, width_of(p, i), &value) ||
        (simple && !in_range(&op, value)))
        return false;
    op.millis = simple;
    if (simple && op.letter == 'y' && *at - from != 2)
        op.count = 4; /* a year of two digits has two digits */
    set_number(out, &op, value);
    return true;
}

/* Is there such a day in the calendar of java.util? */
static bool exists(const pst_civil *c)
{
    bool gap = c->year == 1582 && c->month == 10 && c->day > 4 && c->day < 15;
    bool julian = c->year < 1582 || (c->year == 1582 && c->month < 10);
    int days = julian && c->month == 2 && c->year % 4 == 0
                   ? 29
                   : pst_days_in_month(c->year, c->month);
    return c->day <= days && !gap;
}

bool pst_pattern_legacy_read(const pst_pattern *p, pst_sv text, pst_parsed *out)
{
    const char *at = text.p, *end = text.p + text.n;
    *out = (pst_parsed){.c = {.year = 1970, .month = 1, .day = 1}};
    for (size_t i = 0; i < p->n_ops; i++)
        if (!read_op(p, i, &at, end, out))
            return false;
    if (p->use == PST_PATTERN_SIMPLE && !out->has_day_of_year && !exists(&out->c))
        return false;
    if (out->bc)
        out->c.year = 1 - out->c.year;
    return true;
}

/*
 * cast.c - see cast.h.
 */
#include "record/cast.h"

#include "record/convert.h"
#include "record/datetime.h"
#include "record/decimal.h"
#include "record/number.h"
#include "record/utf8.h"

#include <math.h>

enum { TEXT_MAX = 80 };

static bool is_int(pst_type t)
{
    return t >= PST_T_BYTE && t <= PST_T_LONG;
}

static bool is_real(pst_type t)
{
    return t == PST_T_FLOAT || t == PST_T_DOUBLE;
}

static bool is_number(pst_type t)
{
    return is_int(t) || is_real(t) || t == PST_T_DECIMAL;
}

static bool is_time(pst_type t)
{
    return t == PST_T_DATE || t == PST_T_TIMESTAMP || t == PST_T_TIMESTAMP_NTZ;
}

bool pst_cast_exists(pst_type from, pst_type to)
{
    if (from == to || from == PST_T_STRING)
        return to < PST_T_STRUCT;
    if (to == PST_T_STRING)
        return from < PST_T_STRUCT;
    if (is_number(from) || from == PST_T_BOOLEAN)
        return is_number(to) || to == PST_T_BOOLEAN || to == PST_T_TIMESTAMP;
    if (is_time(from))
        return is_time(to) || (from == PST_T_TIMESTAMP && (is_number(to)));
    return false;
}

/* ---- to text ---- */

static size_t put_date(char *out, const pst_civil *c)
{
    size_t n = 0, width = 4;
    uint64_t magnitude = (uint64_t)(c->year < 0 ? -c->year : c->year);
    if (c->year < 0 || c->year > 9999)
        out[n++] = c->year < 0 ? '-' : '+';
    for (uint64_t limit = 10000; magnitude >= limit; limit *= 10)
        width++;
    pst_number_padded(out + n, magnitude, width);
    n += width;
    out[n++] = '-';
    pst_number_padded(out + n, (uint64_t)c->month, 2);
    out[n + 2] = '-';
    pst_number_padded(out + n + 3, (uint64_t)c->day, 2);
    return n + 5;
}

/* The year of the era, and no date that the reform skipped. */
static size_t put_legacy_date(char *out, const pst_civil *date)
{
    pst_civil c = *date;
    c.year = c.year > 0 ? c.year : 1 - c.year;
    size_t sign = c.year > 9999;
    if (date->year == 1582 && c.month == 10 && c.day > 4 && c.day < 15)
        c.day = 15;
    size_t n = put_date(out, &c) - sign;
    memmove(out, out + sign, n);
    return n;
}

/* yyyy-MM-dd HH:mm:ss with as much of the fraction as there is. */
static size_t put_stamp(char *out, int64_t micros, int32_t offset)
{
    pst_civil c;
    pst_civil_of_micros(micros, offset, &c);
    size_t n = put_date(out, &c);
    out[n++] = ' ';
    pst_number_padded(out + n, (uint64_t)c.hour, 2);
    out[n + 2] = ':';
    pst_number_padded(out + n + 3, (uint64_t)c.minute, 2);
    out[n + 5] = ':';
    pst_number_padded(out + n + 6, (uint64_t)c.second, 2);
    n += 8;
    if (c.micro == 0)
        return n;
    out[n] = '.';
    pst_number_padded(out + n + 1, (uint64_t)c.micro, 6);
    n += 7;
    while (out[n - 1] == '0')
        n--;
    return n;
}

static size_t put_value(const pst_context *ctx, pst_type from, const pst_cell *in,
                        char *out)
{
    pst_civil c;
    enum pst_number_format format = (enum pst_number_format)ctx->number_format;
    switch (from) {
    case PST_T_BOOLEAN:
        memcpy(out, in->as.b ? "true" : "false", 5);
        return in->as.b ? 4 : 5;
    case PST_T_FLOAT:
        return pst_number_of_float(out, (float)in->as.d, format);
    case PST_T_DOUBLE:
        return pst_number_of_double(out, in->as.d, format);
    case PST_T_DATE:
        pst_civil_of_days(in->as.i, &c);
        return ctx->time_policy == PST_TIME_LEGACY ? put_legacy_date(out, &c)
                                                   : put_date(out, &c);
    case PST_T_TIMESTAMP:
        return put_stamp(
            out, in->as.i,
            pst_zone_offset_at(ctx->zone, pst_floor_div(in->as.i, PST_MICROS)));
    case PST_T_TIMESTAMP_NTZ:
        return put_stamp(out, in->as.i, 0);
    default:
        return pst_number_of_long(out, in->as.i);
    }
}

pst_rc pst_cast_text(pst_context *ctx, pst_type from, const pst_cell *in, pst_sv *out)
{
    char text[TEXT_MAX];
    if (from == PST_T_STRING || from == PST_T_DECIMAL) {
        *out = in->as.s.n ? in->as.s : PST_SV("");
        return PST_OK;
    }
    if (from == PST_T_BINARY) { /* bytes as text, repaired as Java does */
        char *copy = pst_arena_get(&ctx->arena, in->as.s.n * 3 + 1);
        if (!copy)
            return PST_E_NOMEM;
        *out = (pst_sv){copy, pst_utf8_repair(copy, in->as.s)};
        pst_arena_keep(&ctx->arena, out->n);
        return PST_OK;
    }
    size_t n = put_value(ctx, from, in, text);
    *out = pst_context_keep(ctx, (pst_sv){text, n});
    return out->p ? PST_OK : PST_E_NOMEM;
}

/* ---- from text ---- */

static pst_sv trim_all(pst_sv s)
{
    while (s.n && ((unsigned char)s.p[0] <= ' ' || s.p[0] == 0x7F)) {
        s.p++;
        s.n--;
    }
    while (s.n && ((unsigned char)s.p[s.n - 1] <= ' ' || s.p[s.n - 1] == 0x7F))
        s.n--;
    return s;
}

/* Java's String.trim(), which leaves DEL. */
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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* [+-]digits, and a fraction that is dropped: '1.9' is 1. */
static bool int_of_text(pst_sv s, int64_t *out)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    bool negative = i && s.p[0] == '-';
    int64_t value = 0;
    if (i == s.n)
        return false;
    for (; i < s.n && is_digit(s.p[i]); i++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, s.p[i] - '0', &value))
            return false;
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && is_digit(s.p[i]); i++)
            ;
    if (i < s.n || (!negative && value == INT64_MIN))
        return false;
    *out = negative ? value : -value;
    return true;
}

static bool number_syntax(pst_sv s)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+'), digits = 0;
    for (; i < s.n && is_digit(s.p[i]); i++)
        digits++;
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && is_digit(s.p[i]); i++)
            digits++;
    if (digits == 0)
        return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
        size_t from = i;
        while (i < s.n && is_digit(s.p[i]))
            i++;
        if (i == from)
            return false;
    }
    return i == s.n;
}

static bool special_real(pst_sv s, double *out)
{
    bool negative = s.n && s.p[0] == '-';
    bool nan = pst_sv_eq_nocase(s, PST_SV("nan"));
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
        s.p++;
        s.n--;
    }
    if (nan || pst_sv_is(s, "NaN")) { /* Java's own has a sign, Spark's any case */
        *out = (double)NAN;
        return true;
    }
    if (!pst_sv_eq_nocase(s, PST_SV("inf")) && !pst_sv_eq_nocase(s, PST_SV("infinity")))
        return false;
    *out = negative ? -(double)INFINITY : (double)INFINITY;
    return true;
}

static bool real_of_text(pst_sv s, bool is_float, double *out)
{
    pst_sv digits = s;
    if (special_real(s, out))
        return true;
    if (digits.n > 1 && digits.p[digits.n - 1] && strchr("dDfF", digits.p[digits.n - 1]))
        digits.n--;
    if (!number_syntax(digits))
        return false;
    *out = is_float ? (double)pst_number_to_float(digits) : pst_number_to_double(digits);
    return true;
}

static bool bool_of_text(pst_sv s, bool *out)
{
    static const char *const yes[] = {"t", "true", "y", "yes", "1"};
    static const char *const no[] = {"f", "false", "n", "no", "0"};
    for (size_t i = 0; i < 5; i++) {
        *out = pst_sv_eq_nocase(s, pst_sv_of(yes[i]));
        if (*out || pst_sv_eq_nocase(s, pst_sv_of(no[i])))
            return true;
    }
    return false;
}

static bool in_range(pst_type t, int64_t v)
{
    switch (t) {
    case PST_T_BYTE:
        return v == (int8_t)v;
    case PST_T_SHORT:
        return v == (int16_t)v;
    case PST_T_INT:
        return v == (int32_t)v;
    default:
        return true;
    }
}

/* ---- numbers ---- */

static int64_t wrap(pst_type t, int64_t v)
{
    switch (t) {
    case PST_T_BYTE:
        return (int8_t)(uint8_t)v;
    case PST_T_SHORT:
        return (int16_t)(uint16_t)v;
    case PST_T_INT:
        return (int32_t)(uint32_t)v;
    default:
        return v;
    }
}

/* Java's (long) and (int) casts: saturating, NaN is 0. */
static int64_t int_of_real(pst_type t, double d)
{
    if (isnan(d))
        return 0;
    if (t == PST_T_LONG) {
        if (d >= 9223372036854775808.0)
            return INT64_MAX;
        return d <= -9223372036854775808.0 ? INT64_MIN : (int64_t)d;
    }
    int64_t i = d >= 2147483647.0    ? INT32_MAX
                : d <= -2147483648.0 ? INT32_MIN
                                     : (int64_t)d;
    return wrap(t, i);
}

static pst_rc to_decimal(pst_context *ctx, pst_sv text, pst_value_type to, pst_cell *out)
{
    char buf[PST_DECIMAL_TEXT_MAX];
    size_t n;
    out->null = !pst_decimal_of(text, to.precision, to.scale, buf, &n);
    if (out->null)
        return PST_OK;
    out->as.s = pst_context_keep(ctx, (pst_sv){buf, n});
    return out->as.s.p ? PST_OK : PST_E_NOMEM;
}

static pst_rc from_text(pst_context *ctx, pst_sv raw, pst_value_type to, pst_cell *out)
{
    pst_sv s = trim_all(raw);
    int64_t i = 0;
    out->null = false;
    switch (to.type) {
    case PST_T_BOOLEAN:
        out->null = !bool_of_text(s, &out->as.b);
        return PST_OK;
    case PST_T_FLOAT:
    case PST_T_DOUBLE:
        out->null = !real_of_text(trim_java(raw), to.type == PST_T_FLOAT, &out->as.d);
        return PST_OK;
    case PST_T_DECIMAL:
        s = pst_convert_digits(ctx, trim_java(raw));
        return s.p ? to_decimal(ctx, s, to, out) : PST_E_NOMEM;
    case PST_T_BINARY:
        out->as.s = raw;
        return PST_OK;
    case PST_T_DATE:
        out->null = !pst_parse_date(raw, &i);
        break;
    case PST_T_TIMESTAMP:
        out->null = !pst_parse_timestamp_cached(raw, ctx->zone, &ctx->zones, &i);
        if (ctx->zones.nomem)
            return PST_E_NOMEM;
        break;
    case PST_T_TIMESTAMP_NTZ:
        out->null = !pst_parse_timestamp_ntz(raw, true, &i);
        break;
    default:
        out->null = !int_of_text(s, &i) || !in_range(to.type, i);
    }
    out->as.i = i;
    return PST_OK;
}

/* A DECIMAL times 10**shift as a whole number, Java's longValue(): what is behind the
   point is cut, what is beyond 64 bits is lost. 0E-18 and its like are less than one. */
static int64_t int_of_decimal(pst_sv s, int shift)
{
    bool negative = s.n && s.p[0] == '-', point = false;
    uint64_t value = 0;
    if (memchr(s.p, 'E', s.n))
        return 0;
    for (size_t i = negative; i < s.n && (!point || shift); i++) {
        if (s.p[i] == '.') {
            point = true;
            continue;
        }
        value = value * 10 + (uint64_t)(s.p[i] - '0');
        shift -= point;
    }
    while (shift-- > 0)
        value *= 10;
    return (int64_t)(negative ? 0 - value : value);
}

static double real_of(pst_type from, const pst_cell *in)
{
    if (from == PST_T_BOOLEAN)
        return in->as.b ? 1 : 0;
    if (from == PST_T_DECIMAL)
        return pst_number_to_double(in->as.s);
    return is_real(from) ? in->as.d : (double)in->as.i;
}

/* Seconds since 1970 as a TIMESTAMP; micros that don't fit are the nearest that do. */
static void stamp_of_real(double seconds, pst_cell *out)
{
    double micros = seconds * PST_MICROS;
    out->null = isnan(seconds) || isinf(seconds);
    out->as.i = out->null ? 0 : int_of_real(PST_T_LONG, micros);
}

static pst_rc from_number(pst_context *ctx, pst_type from, const pst_cell *in,
                          pst_value_type to, pst_cell *out)
{
    pst_cell value = *in;
    pst_sv text;
    out->null = false;
    switch (to.type) {
    case PST_T_BOOLEAN:
        out->as.b = real_of(from, &value) != 0;
        return PST_OK;
    case PST_T_FLOAT:
        out->as.d = from == PST_T_DECIMAL ? (double)pst_number_to_float(value.as.s)
                    : is_int(from)        ? (double)(float)value.as.i
                                          : (double)(float)real_of(from, &value);
        return PST_OK;
    case PST_T_DOUBLE:
        out->as.d = real_of(from, &value);
        return PST_OK;
    case PST_T_TIMESTAMP:
        if (is_real(from))
            stamp_of_real(value.as.d, out);
        else if (from == PST_T_DECIMAL)
            out->as.i = int_of_decimal(value.as.s, 6);
        else if (from == PST_T_BOOLEAN)
            out->as.i = value.as.b; /* Spark: one microsecond */
        else                        /* Java's multiplication wraps */
            out->as.i = (int64_t)((uint64_t)value.as.i * PST_MICROS);
        return PST_OK;
    case PST_T_DECIMAL: {
        bool boolean = from == PST_T_BOOLEAN;
        pst_cell number = {.as.i = boolean && value.as.b};
        pst_type as = boolean ? PST_T_INT : from == PST_T_FLOAT ? PST_T_DOUBLE : from;
        pst_rc rc = pst_cast_text(ctx, as, boolean ? &number : &value, &text);
        return rc ? rc : to_decimal(ctx, text, to, out);
    }
    default:
        out->as.i = is_real(from)           ? int_of_real(to.type, value.as.d)
                    : from == PST_T_DECIMAL ? wrap(to.type, int_of_decimal(value.as.s, 0))
                    : from == PST_T_BOOLEAN ? value.as.b
                                            : wrap(to.type, value.as.i);
        return PST_OK;
    }
}

static void from_time(const pst_context *ctx, pst_type from, const pst_cell *in,
                      pst_value_type to, pst_cell *out)
{
    int64_t v = in->as.i, day = (int64_t)PST_SECONDS_A_DAY * PST_MICROS;
    int64_t seconds = pst_floor_div(v, PST_MICROS);
    out->null = false;
    if (is_int(to.type)) {
        out->as.i = wrap(to.type, seconds);
    } else if (is_real(to.type)) {
        out->as.d = (double)v / PST_MICROS;
        if (to.type == PST_T_FLOAT)
            out->as.d = (double)(float)out->as.d;
    } else if (from == PST_T_DATE) { /* midnight */
        pst_civil c = {.hour = 0};
        pst_civil_of_days(v, &c);
        out->null = !pst_civil_to_micros(
            &c, to.type == PST_T_TIMESTAMP ? ctx->zone : NULL, &out->as.i);
    } else if (from == PST_T_TIMESTAMP) { /* what the wall clock of the zone shows */
        int64_t offset = pst_zone_offset_at(ctx->zone, seconds);
        if (to.type == PST_T_DATE)
            out->as.i = pst_floor_div(seconds + offset, PST_SECONDS_A_DAY);
        else
            out->null = __builtin_add_overflow(v, offset * PST_MICROS, &out->as.i);
    } else if (to.type == PST_T_DATE) {
        out->as.i = pst_floor_div(v, day);
    } else {
        int64_t offset = pst_zone_offset_of_local(ctx->zone, seconds);
        out->null = __builtin_sub_overflow(v, offset * PST_MICROS, &out->as.i);
    }
}

pst_rc pst_cast(pst_context *ctx, pst_type from, pst_value_type to, const pst_cell *in,
                pst_cell *out)
{
    pst_cell value = *in;
    bool decimal = from == PST_T_DECIMAL && to.type == PST_T_DECIMAL;
    if (value.null || (from == to.type && !decimal)) {
        *out = value;
        return PST_OK;
    }
    if (to.type == PST_T_STRING) {
        out->null = false;
        return pst_cast_text(ctx, from, &value, &out->as.s);
    }
    if (from == PST_T_STRING)
        return from_text(ctx, value.as.s, to, out);
    if (is_time(from) && to.type == PST_T_DECIMAL) {
        pst_cell seconds = {.as.d = (double)value.as.i / PST_MICROS};
        return from_number(ctx, PST_T_DOUBLE, &seconds, to, out);
    }
    if (is_time(from)) {
        from_time(ctx, from, &value, to, out);
        return PST_OK;
    }
    return from_number(ctx, from, &value, to, out);
}

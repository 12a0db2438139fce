/*
 * func.c - see func.h.
 */
#include "record/func.h"

#include "record/case_map.h"

#include <stdio.h>

enum { TEXT_MAX = PST_PATTERN_TEXT_MAX };

static pst_rc set_text(const pst_func_call *call, pst_sv text, pst_cell *out)
{
    out->null = false;
    out->as.s = pst_context_keep(call->ctx, text);
    return out->as.s.p ? PST_OK : PST_E_NOMEM;
}

/* ---- strings ---- */

static pst_rc join(const pst_func_call *call, pst_sv sep, size_t from, pst_cell *out)
{
    size_t total = 1;
    for (size_t i = from; i < call->n; i++)
        total += (call->args[i].null ? 0 : call->args[i].as.s.n) + sep.n;
    char *text = pst_arena_get(&call->ctx->arena, total);
    size_t n = 0;
    if (!text)
        return PST_E_NOMEM;
    bool first = true;
    for (size_t i = from; i < call->n; i++) {
        if (call->args[i].null)
            continue;
        pst_sv part = call->args[i].as.s;
        if (!first && sep.n)
            memcpy(text + n, sep.p, sep.n);
        n += first ? 0 : sep.n;
        first = false;
        if (part.n)
            memcpy(text + n, part.p, part.n);
        n += part.n;
    }
    pst_arena_keep(&call->ctx->arena, n);
    out->null = false;
    out->as.s = (pst_sv){text, n};
    return PST_OK;
}

static pst_rc run_concat(const pst_func_call *call, pst_cell *out)
{
    return join(call, PST_SV(""), 0, out);
}

/* Nulls are left out; a null separator makes null. */
static pst_rc run_concat_ws(const pst_func_call *call, pst_cell *out)
{
    out->null = call->args[0].null;
    return out->null ? PST_OK : join(call, call->args[0].as.s, 1, out);
}

static pst_rc run_coalesce(const pst_func_call *call, pst_cell *out)
{
    *out = call->args[0];
    for (size_t i = 1; i < call->n && out->null; i++)
        *out = call->args[i];
    return PST_OK;
}

static pst_rc map_case(const pst_func_call *call, bool upper, pst_cell *out)
{
    pst_sv in = call->args[0].as.s;
    char *text = pst_arena_get(&call->ctx->arena, in.n * 3 + 1);
    if (!text)
        return PST_E_NOMEM;
    size_t n = upper ? pst_case_upper(text, in) : pst_case_lower(text, in);
    pst_arena_keep(&call->ctx->arena, n);
    out->null = false;
    out->as.s = (pst_sv){text, n};
    return PST_OK;
}

static pst_rc run_upper(const pst_func_call *call, pst_cell *out)
{
    return map_case(call, true, out);
}

static pst_rc run_lower(const pst_func_call *call, pst_cell *out)
{
    return map_case(call, false, out);
}

/* Spark's trim cuts the blank only, not tabs. */
static pst_rc trim(const pst_func_call *call, bool left, bool right, pst_cell *out)
{
    pst_sv s = call->args[0].as.s;
    while (left && s.n && s.p[0] == ' ') {
        s.p++;
        s.n--;
    }
    while (right && s.n && s.p[s.n - 1] == ' ')
        s.n--;
    out->null = false;
    out->as.s = s;
    return PST_OK;
}

static pst_rc run_trim(const pst_func_call *call, pst_cell *out)
{
    return trim(call, true, true, out);
}

static pst_rc run_ltrim(const pst_func_call *call, pst_cell *out)
{
    return trim(call, true, false, out);
}

static pst_rc run_rtrim(const pst_func_call *call, pst_cell *out)
{
    return trim(call, false, true, out);
}

static int64_t count_chars(pst_sv s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

static size_t byte_of_char(pst_sv s, int64_t index)
{
    size_t i = 0;
    for (; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xC0) != 0x80 && index-- == 0)
            break;
    return i;
}

/* Positions count from 1, negative ones from the end, 0 is as 1. */
static pst_rc run_substring(const pst_func_call *call, pst_cell *out)
{
    pst_sv s = call->args[0].as.s;
    int64_t pos = call->args[1].as.i, chars = count_chars(s);
    int64_t length = call->n > 2 ? call->args[2].as.i : INT32_MAX;
    int64_t start = pos > 0 ? pos - 1 : pos < 0 ? chars + pos : 0;
    int64_t end = start + length;
    out->null = false;
    out->as.s = PST_SV("");
    start = start < 0 ? 0 : start;
    end = end > chars ? chars : end;
    if (start >= end)
        return PST_OK;
    size_t from = byte_of_char(s, start), to = byte_of_char(s, end);
    out->as.s = (pst_sv){s.p + from, to - from};
    return PST_OK;
}

static pst_rc run_length(const pst_func_call *call, pst_cell *out)
{
    out->null = false;
    out->as.i = count_chars(call->args[0].as.s);
    return PST_OK;
}

/* ---- dates and times ---- */

static pst_rc cast_to(const pst_func_call *call, pst_type type, const pst_cell *in,
                      pst_type to, pst_cell *out)
{
    return pst_cast(call->ctx, type, (pst_value_type){.type = to}, in, out);
}

/* A text is read by the pattern. Spark asks none of a date or time, and takes a
   TIMESTAMP_NTZ for UTC. */
static pst_rc run_to_timestamp(const pst_func_call *call, pst_cell *out)
{
    int64_t micros = 0;
    const pst_cell *in = &call->args[0];
    if (!call->pattern || call->types[0] == PST_T_DATE)
        return cast_to(call, call->types[0], in, PST_T_TIMESTAMP, out);
    if (call->types[0] != PST_T_STRING) {
        *out = *in;
        return PST_OK;
    }
    out->null =
        !pst_pattern_parse_timestamp(call->pattern, in->as.s, call->ctx->zone, &micros);
    out->as.i = micros;
    return PST_OK;
}

/* With a pattern it is the date of the timestamp, in the session's zone. */
static pst_rc run_to_date(const pst_func_call *call, pst_cell *out)
{
    pst_cell stamp;
    if (!call->pattern)
        return cast_to(call, call->types[0], &call->args[0], PST_T_DATE, out);
    pst_rc rc = run_to_timestamp(call, &stamp);
    return rc ? rc : cast_to(call, PST_T_TIMESTAMP, &stamp, PST_T_DATE, out);
}

static pst_rc format_micros(const pst_func_call *call, int64_t micros, pst_cell *out)
{
    char text[TEXT_MAX];
    size_t n;
    out->null = true;
    if (!pst_pattern_format(call->pattern, PST_PATTERN_ZONED, micros, call->ctx->zone,
                            text, sizeof text, &n))
        return PST_OK;
    return set_text(call, (pst_sv){text, n}, out);
}

static pst_rc run_date_format(const pst_func_call *call, pst_cell *out)
{
    return format_micros(call, call->args[0].as.i, out);
}

static pst_rc run_from_unixtime(const pst_func_call *call, pst_cell *out)
{
    /* Java's multiplication wraps */
    int64_t micros = (int64_t)((uint64_t)call->args[0].as.i * PST_MICROS);
    if (call->pattern)
        return format_micros(call, micros, out);
    micros = pst_floor_div(micros, PST_MICROS) * PST_MICROS;
    pst_cell stamp = {.null = false, .as.i = micros};
    pst_sv text; /* the default pattern has no fraction, and whole seconds none to show */
    pst_rc rc = pst_cast_text(call->ctx, PST_T_TIMESTAMP, &stamp, &text);
    out->null = rc != PST_OK;
    out->as.s = text;
    return rc;
}

/* ---- the table ---- */

#define S PST_FUNC_STRING
#define MOMENT PST_FUNC_MOMENT
#define COMMON PST_FUNC_COMMON
#define INT PST_FUNC_INT
#define PATTERN PST_FUNC_PATTERN

static const pst_func FUNCS[] = {
    {"COALESCE",
     1,
     PST_FUNC_ARGS_MAX,
     {COMMON, COMMON, COMMON},
     COMMON,
     0,
     true,
     run_coalesce},
    {"CONCAT", 1, PST_FUNC_ARGS_MAX, {S, S, S}, S, 0, false, run_concat},
    {"CONCAT_WS", 1, PST_FUNC_ARGS_MAX, {S, S, S}, S, 0, true, run_concat_ws},
    {"DATE_FORMAT",
     2,
     2,
     {PST_FUNC_TIMESTAMP, PATTERN, PATTERN},
     S,
     PST_PATTERN_FORMAT,
     false,
     run_date_format},
    {"FROM_UNIXTIME",
     1,
     2,
     {PST_FUNC_LONG, PATTERN, PATTERN},
     S,
     PST_PATTERN_FORMAT,
     false,
     run_from_unixtime},
    {"IFNULL", 2, 2, {COMMON, COMMON, COMMON}, COMMON, 0, true, run_coalesce},
    {"LENGTH", 1, 1, {S, S, S}, INT, 0, false, run_length},
    {"LOWER", 1, 1, {S, S, S}, S, 0, false, run_lower},
    {"LCASE", 1, 1, {S, S, S}, S, 0, false, run_lower},
    {"LTRIM", 1, 1, {S, S, S}, S, 0, false, run_ltrim},
    {"NVL", 2, 2, {COMMON, COMMON, COMMON}, COMMON, 0, true, run_coalesce},
    {"RTRIM", 1, 1, {S, S, S}, S, 0, false, run_rtrim},
    {"SUBSTR", 2, 3, {S, INT, INT}, S, 0, false, run_substring},
    {"SUBSTRING", 2, 3, {S, INT, INT}, S, 0, false, run_substring},
    {"TO_DATE",
     1,
     2,
     {MOMENT, PATTERN, PATTERN},
     PST_FUNC_DATE,
     PST_PATTERN_PARSE,
     false,
     run_to_date},
    {"TO_TIMESTAMP",
     1,
     2,
     {MOMENT, PATTERN, PATTERN},
     PST_FUNC_TIMESTAMP,
     PST_PATTERN_PARSE,
     false,
     run_to_timestamp},
    {"TRIM", 1, 1, {S, S, S}, S, 0, false, run_trim},
    {"UPPER", 1, 1, {S, S, S}, S, 0, false, run_upper},
    {"UCASE", 1, 1, {S, S, S}, S, 0, false, run_upper},
};
enum { N_FUNCS = sizeof FUNCS / sizeof *FUNCS };

const pst_func *pst_func_find(const char *name)
{
    for (size_t i = 0; i < N_FUNCS; i++)
        if (pst_sv_eq_nocase(pst_sv_of(name), pst_sv_of(FUNCS[i].name)))
            return &FUNCS[i];
    return NULL;
}

const char *pst_func_nearest(const char *name)
{
    const char *nearest = NULL;
    unsigned best = 3;
    for (size_t i = 0; i < N_FUNCS; i++) {
        unsigned d = pst_edit_distance(pst_sv_of(name), pst_sv_of(FUNCS[i].name), best);
        if (d < best) {
            best = d;
            nearest = FUNCS[i].name;
        }
    }
    return nearest;
}

void pst_func_list(char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "CAST");
    for (size_t i = 0; i < N_FUNCS && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, ", %s", FUNCS[i].name);
}

/*
 * timezone_file.c - reads TZif (RFC 8536), versions 2 to 4; see timezone_file.h.
 * Files come from the system but are checked like any input: every count is bounded by
 * the file's length, which has a ceiling.
 */
#include "record/timezone_file.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 256 * 1024, HEADER = 44 };

typedef struct cursor {
    const unsigned char *p, *end;
} cursor;

static uint64_t read_be(const unsigned char *p, size_t n)
{
    uint64_t value = 0;
    while (n--)
        value = value << 8 | *p++;
    return value;
}

static FILE *open_zone(pst_sv name)
{
    static const char *const dirs[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                       "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};
    char path[512];
    const char *own = getenv("TZDIR"); /* a place in the system, not a switch of ours */
    if (own && *own) {
        snprintf(path, sizeof path, "%s/%.*s", own, PST_SV_FMT(name));
        FILE *file = fopen(path, "rbe");
        if (file)
            return file;
    }
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        snprintf(path, sizeof path, "%s/%.*s", dirs[i], PST_SV_FMT(name));
        FILE *file = fopen(path, "rbe");
        if (file)
            return file;
    }
    return NULL;
}

/* ---- the footer ---- */

static bool parse_name(const char **p, const char *end, char out[PST_ZONE_ABBREVIATION])
{
    bool quoted = *p < end && **p == '<';
    size_t n = 0;
    if (quoted)
        ++*p;
    for (; *p < end; ++*p) {
        char c = **p;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-')))
            break;
        if (n + 1 < PST_ZONE_ABBREVIATION)
            out[n++] = c;
    }
    out[n] = '\0';
    if (quoted) {
        if (*p >= end || **p != '>')
            return false;
        ++*p;
    }
    return n >= 3;
}

static bool parse_int(const char **p, const char *end, int max, int *out)
{
    const char *from = *p;
    int value = 0;
    while (*p < end && **p >= '0' && **p <= '9' && value <= max)
        value = value * 10 + (*(*p)++ - '0');
    *out = value;
    return *p > from && value <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool parse_time(const char **p, const char *end, int32_t *out)
{
    int sign = 1, part[3] = {0, 0, 0};
    if (*p < end && (**p == '+' || **p == '-'))
        sign = *(*p)++ == '-' ? -1 : 1;
    for (int i = 0; i < 3; i++) {
        if (i && (*p >= end || **p != ':'))
            break;
        if (i)
            ++*p;
        if (!parse_int(p, end, i ? 59 : 167, &part[i]))
            return false;
    }
    *out = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return true;
}

static bool parse_char(const char **p, const char *end, char c)
{
    if (*p >= end || **p != c)
        return false;
    ++*p;
    return true;
}

static bool parse_day(const char **p, const char *end, pst_zone_day *day)
{
    bool ok;
    *day = (pst_zone_day){.time = 7200};
    if (parse_char(p, end, 'M')) {
        day->kind = 'M';
        ok = parse_int(p, end, 12, &day->month) && day->month >= 1 &&
             parse_char(p, end, '.') && parse_int(p, end, 5, &day->week) &&
             day->week >= 1 && parse_char(p, end, '.') && parse_int(p, end, 6, &day->day);
    } else if (parse_char(p, end, 'J')) {
        day->kind = 'J';
        ok = parse_int(p, end, 365, &day->day) && day->day >= 1;
    } else {
        day->kind = 'n';
        ok = parse_int(p, end, 365, &day->day);
    }
    if (ok && parse_char(p, end, '/'))
        ok = parse_time(p, end, &day->time);
    return ok;
}

bool pst_zone_parse_rule(pst_zone_rule *rule, pst_sv text)
{
    const char *p = text.p, *end = text.p + text.n;
    int32_t west;
    *rule = (pst_zone_rule){.has_dst = false};
    if (!parse_name(&p, end, rule->std_name) || !parse_time(&p, end, &west))
        return false;
    rule->std = rule->dst = -west;
    if (p == end)
        return true;
    rule->dst = rule->std + 3600;
    if (!parse_name(&p, end, rule->dst_name))
        return false;
    if (p < end && *p != ',') {
        if (!parse_time(&p, end, &west))
            return false;
        rule->dst = -west;
    }
    rule->has_dst = true;
    return parse_char(&p, end, ',') && parse_day(&p, end, &rule->start) &&
           parse_char(&p, end, ',') && parse_day(&p, end, &rule->end) && p == end;
}

/* ---- the file ---- */

typedef struct counts {
    size_t isut, isstd, leap, time, type, chars;
} counts;

static bool read_header(cursor *in, counts *out)
{
    if (in->end - in->p < HEADER || memcmp(in->p, "TZif", 4) != 0 || in->p[4] < '2')
        return false;
    size_t *fields[] = {&out->isut, &out->isstd, &out->leap,
                        &out->time, &out->type,  &out->chars};
    for (size_t i = 0; i < 6; i++) {
        *fields[i] = (size_t)read_be(in->p + 20 + 4 * i, 4);
        if (*fields[i] > FILE_MAX)
            return false;
    }
    in->p += HEADER;
    return true;
}

static size_t body_size(const counts *c, size_t time_size)
{
    return c->time * (time_size + 1) + c->type * 6 + c->chars +
           c->leap * (time_size + 4) + c->isstd + c->isut;
}

static bool read_types(pst_zone *zone, const unsigned char *p, const counts *c)
{
    const unsigned char *chars = p + c->type * 6;
    for (size_t i = 0; i < c->type; i++, p += 6) {
        pst_zone_type *type = &zone->types[i];
        type->offset = (int32_t)(uint32_t)read_be(p, 4);
        type->dst = p[4] != 0;
        if (type->offset < -90000 || type->offset > 97200)
            return false;
        for (size_t k = 0; k + 1 < PST_ZONE_ABBREVIATION && p[5] + k < c->chars; k++)
            if (!(type->name[k] = (char)chars[p[5] + k]))
                break;
    }
    zone->n_types = c->type;
    return true;
}

static pst_rc read_body(pst_zone *zone, const unsigned char *p, const counts *c)
{
    zone->at = pst_calloc(c->time + 1, sizeof *zone->at);
    zone->type = pst_calloc(c->time + 1, 1);
    if (!zone->at || !zone->type)
        return PST_E_NOMEM;
    const unsigned char *types = p + c->time * 8;
    for (size_t i = 0; i < c->time; i++) {
        zone->at[i] = (int64_t)read_be(p + 8 * i, 8);
        zone->type[i] = types[i];
        if (types[i] >= c->type || (i && zone->at[i] <= zone->at[i - 1]))
            return PST_E_INVALID;
    }
    zone->n = c->time;
    return read_types(zone, types + c->time, c) ? PST_OK : PST_E_INVALID;
}

static pst_rc parse_file(pst_zone *zone, cursor in)
{
    counts c;
    if (!read_header(&in, &c) || (size_t)(in.end - in.p) < body_size(&c, 4))
        return PST_E_INVALID;
    in.p += body_size(&c, 4);
    if (!read_header(&in, &c) || c.type == 0 || c.type > PST_ZONE_TYPES_MAX ||
        (size_t)(in.end - in.p) < body_size(&c, 8))
        return PST_E_INVALID;
    pst_rc rc = read_body(zone, in.p, &c);
    in.p += body_size(&c, 8);
    size_t left = (size_t)(in.end - in.p);
    if (rc == PST_OK && left > 2 && in.p[0] == '\n' && in.p[left - 1] == '\n') {
        pst_sv footer = {(const char *)in.p + 1, left - 2};
        zone->has_rule = pst_zone_parse_rule(&zone->rule, footer);
        rc = zone->has_rule ? PST_OK : PST_E_INVALID;
    }
    return rc;
}

pst_rc pst_zone_load(pst_zone *zone, pst_sv name, pst_err *err)
{
    FILE *file = open_zone(name);
    if (!file)
        return pst_fail(err, PST_E_CONFIG,
                        "time zone '%.*s' is not in the system's zone files (package "
                        "tzdata; or set TZDIR)",
                        PST_SV_FMT(name));
    unsigned char *data = pst_malloc(FILE_MAX);
    if (!data) {
        fclose(file);
        return pst_fail_nomem(err, "a time zone");
    }
    size_t n = fread(data, 1, FILE_MAX, file);
    fclose(file);
    pst_rc rc = n < FILE_MAX ? parse_file(zone, (cursor){data, data + n}) : PST_E_LIMIT;
    pst_free(data);
    if (rc == PST_E_NOMEM)
        return pst_fail_nomem(err, "a time zone");
    if (rc != PST_OK)
        return pst_fail(err, PST_E_CONFIG, "'%.*s' is no time zone file of the system",
                        PST_SV_FMT(name));
    return PST_OK;
}

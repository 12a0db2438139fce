/*
 * timezone_file.h - what a zone is made of; private to timezone*.c.
 */
#ifndef PST_RECORD_TIMEZONE_FILE_H
#define PST_RECORD_TIMEZONE_FILE_H

#include "record/timezone.h"

enum { PST_ZONE_TYPES_MAX = 256, PST_ZONE_ABBREVIATION = 12 };

typedef struct pst_zone_day {
    char kind; /* M, J or n */
    int month, week, day;
    int32_t time;
} pst_zone_day;

typedef struct pst_zone_rule {
    bool has_dst;
    int32_t std, dst; /* seconds east */
    pst_zone_day start, end;
    char std_name[PST_ZONE_ABBREVIATION], dst_name[PST_ZONE_ABBREVIATION];
} pst_zone_rule;

typedef struct pst_zone_type {
    int32_t offset;
    bool dst;
    char name[PST_ZONE_ABBREVIATION];
} pst_zone_type;

struct pst_zone {
    char name[64];
    int64_t *at;   /* transitions, ascending */
    uint8_t *type; /* what follows each */
    size_t n;
    pst_zone_type types[PST_ZONE_TYPES_MAX];
    size_t n_types;
    bool has_rule;
    pst_zone_rule rule;
};

pst_rc pst_zone_load(pst_zone *zone, pst_sv name, pst_err *err) PST_MUST;
/* POSIX TZ, as in a TZif footer; false if it is none. */
bool pst_zone_parse_rule(pst_zone_rule *rule, pst_sv text);

#endif

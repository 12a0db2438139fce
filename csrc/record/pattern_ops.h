/*
 * pattern_ops.h - a compiled date and time pattern; private to pattern*.c.
 */
#ifndef PST_RECORD_PATTERN_OPS_H
#define PST_RECORD_PATTERN_OPS_H

#include "record/pattern.h"

enum { PST_PATTERN_OPS_MAX = 128, PST_PATTERN_LITERAL_MAX = 256 };

typedef struct pst_pattern_op {
    char letter; /* 'u' … 'Z'; '\'' = literal, '[' and ']' = optional part */
    uint8_t count;
    bool millis; /* SIMPLE: S is a number of milliseconds */
    bool fixed;  /* a number of exactly its width, because others follow it directly */
    uint8_t reserve;  /* digits that directly following numbers need */
    uint16_t from, n; /* literal */
    uint16_t close;   /* '[': index of its ']' */
} pst_pattern_op;

struct pst_pattern {
    pst_pattern_use use;
    bool era; /* G is there: y counts within the era */
    pst_pattern_op ops[PST_PATTERN_OPS_MAX];
    size_t n_ops;
    char literals[PST_PATTERN_LITERAL_MAX];
    size_t n_literals;
};

extern const char *const pst_month_names[12], *const pst_day_names[7];

bool pst_pattern_is_number(const pst_pattern_op *op);

/* What a text said. */
typedef struct pst_parsed {
    pst_civil c;
    bool has_year, has_month, has_day, has_hour, has_hour12, has_ampm, has_day_of_year;
    bool has_zone, bc;
    int hour12, pm, day_of_year;
    int64_t extra_micros; /* LEGACY: a fraction of any length */
    int32_t offset;       /* of the zone, unless: */
    char zone_name[64];   /* a region */
} pst_parsed;

/* LEGACY and SIMPLE: fill out like the modern reader; LEGACY with fields beyond their
   ranges. */
bool pst_pattern_legacy_read(const pst_pattern *p, pst_sv text, pst_parsed *out);
bool pst_pattern_read(const pst_pattern *p, pst_sv text, pst_parsed *out);
/* "Z", "+02:00" … by an X, x or Z op; advances *at. */
bool pst_pattern_read_offset(const pst_pattern_op *op, bool legacy, const char **at,
                             const char *end, int32_t *offset);
/* Length of the longest zone name that *at starts with; 0 = none. */
size_t pst_pattern_read_zone(const char *at, const char *end, pst_parsed *out);
/* The number that stands for a name (month 1…, AM 0 / PM 1, BC 0 / AD 1); -1 = none. */
int pst_pattern_read_name(const pst_pattern_op *op, const char **at, const char *end);

#endif

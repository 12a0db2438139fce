/*
 * regex_in.h - the program that regex_parse.c makes and regex.c runs.
 */
#ifndef PST_TRANSFORM_REGEX_IN_H
#define PST_TRANSFORM_REGEX_IN_H

#include "transform/regex.h"

enum { PST_REGEX_PROGRAM_MAX = 2000, PST_REGEX_SETS_MAX = 200 };

typedef enum pst_regex_op {
    PST_RX_SET,   /* one byte of set a */
    PST_RX_SPLIT, /* to a, or with less priority to b; relative */
    PST_RX_JUMP,  /* to a; relative */
    PST_RX_BEGIN,
    PST_RX_END,
    PST_RX_MATCH,
} pst_regex_op;

typedef struct pst_regex_inst {
    pst_regex_op op;
    int a, b;
} pst_regex_inst;

typedef struct pst_regex_set {
    uint64_t bits[4];
} pst_regex_set;

typedef struct pst_regex_program {
    pst_regex_inst *at;
    size_t n;
    pst_regex_set *sets;
    size_t n_sets;
} pst_regex_program;

/* What was made is the caller's, also after an error. */
pst_rc pst_regex_parse(pst_regex_program *out, const char *pattern,
                       pst_err *err) PST_MUST;

#endif

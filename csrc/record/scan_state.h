/*
 * scan_state.h - what scan.c and its instruction-set variants share; private to scan*.
 */
#ifndef PST_RECORD_SCAN_STATE_H
#define PST_RECORD_SCAN_STATE_H

#include "record/scan.h"

enum {
    PST_SCAN_PAD = 64,     /* zero bytes behind the record: blocks may be read across */
    PST_SCAN_GUESSES = 96, /* names remembered per struct */
    PST_SCAN_NAME = 32,    /* longer ones are looked up each time */
};

/* The n-th name that an object had last time. */
typedef struct pst_scan_guess {
    uint8_t n;     /* with the closing quote; 0 = none */
    uint32_t mask; /* n bits */
    char text[PST_SCAN_NAME];
    const pst_node *child; /* NULL: not in the schema, or not wanted */
} pst_scan_guess;

typedef struct pst_scan_struct {
    const pst_node *node;
    struct pst_scan_struct *nested; /* by index of child; NULL where it is no struct */
    pst_scan_guess guesses[PST_SCAN_GUESSES];
} pst_scan_struct;

/* The tree of structs that have something wanted. */
typedef struct pst_scan_run {
    pst_context *ctx;
    pst_cell *slots;
    size_t depth; /* of open containers */
    bool bad;     /* a field did not fit its type */
    bool nomem;
} pst_scan_run;

/* Copies n bytes and pads; true if all are ASCII. */
typedef bool (*pst_scan_copy)(char *to, const char *from, size_t n);
/* At the opening brace; NULL = give up. */
typedef const char *(*pst_scan_object)(pst_scan_run *run, pst_scan_struct *s,
                                       const char *p);

struct pst_scan_ops {
    pst_scan_copy copy;
    pst_scan_object object;
};
extern const struct pst_scan_ops pst_scan_portable, pst_scan_sse2, pst_scan_avx2;

/* ---- the slower steps, the same for all variants ---- */

/* Decodes escapes of text[0, n) into the arena; p == NULL: an escape that is unusual. */
pst_sv pst_scan_decode(pst_scan_run *run, const char *text, size_t n);
/* A number token into a cell of any type. */
pst_conv pst_scan_number(pst_scan_run *run, const pst_node *node, pst_sv text, bool real,
                         pst_cell *out);

#endif

/*
 * mem.h - the only place that calls malloc. A test program links tests/unit/mem_fault.c
 * instead of mem.c and lets the Nth allocation fail; production code has no hook.
 * Memory from here is freed with pst_free(), which accepts NULL.
 */
#ifndef PST_BASE_MEM_H
#define PST_BASE_MEM_H

#include "base/err.h"

void *pst_malloc(size_t size) __attribute__((malloc)) PST_MUST;
/* Zeroed; NULL when count * size overflows. */
void *pst_calloc(size_t count, size_t size) __attribute__((malloc)) PST_MUST;
/* On failure the old block stays valid. NULL when count * size overflows. */
void *pst_realloc(void *old, size_t count, size_t size) PST_MUST;
void pst_free(void *p);
/* Gives freed memory back to the system; worth some milliseconds, after much was freed.
 */
void pst_mem_trim(void);
/* A NUL-terminated copy of n bytes, or of a string. */
char *pst_strndup(const char *s, size_t n) PST_MUST;
char *pst_strdup(const char *s) PST_MUST;
/* A formatted string of its own; NULL when out of memory. */
char *pst_asprintf(const char *fmt, ...) PST_PRINTF(1, 2) PST_MUST;
/* Overwrites a secret so that the compiler can't leave it out. */
void pst_wipe(void *p, size_t n);

#endif

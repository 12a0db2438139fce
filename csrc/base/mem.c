/*
 * mem.c - libc's allocator behind pst_* names: one seam for fault injection.
 */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>

void *pst_malloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *pst_calloc(size_t count, size_t size)
{
    return calloc(count ? count : 1, size ? size : 1);
}

void *pst_realloc(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return realloc(old, bytes ? bytes : 1);
}

void pst_free(void *p)
{
    free(p);
}

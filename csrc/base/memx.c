/*
 * memx.c - helpers on top of the allocator; kept apart from mem.c so that a test can
 * replace the allocator alone.
 */
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#ifdef __GLIBC__ /* the headers above define it */
#include <malloc.h>
#endif

/* glibc keeps what is freed below the top of a heap, and heaps of other threads whole. */
void pst_mem_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

char *pst_strndup(const char *s, size_t n)
{
    if (n + 1 == 0)
        return NULL;
    char *copy = pst_malloc(n + 1);
    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *pst_strdup(const char *s)
{
    return pst_strndup(s, strlen(s));
}

char *pst_asprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = n < 0 ? NULL : pst_malloc((size_t)n + 1);
    if (s)
        vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

void pst_wipe(void *p, size_t n)
{
    volatile unsigned char *v = p;
    while (n--)
        *v++ = 0;
}

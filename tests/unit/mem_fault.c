/*
 * mem_fault.c - see mem_fault.h. Included, not linked. Its state is atomic: code under
 * test may allocate from several threads. The blocks are libc's, so ASan and valgrind see
 * them.
 */
#include "mem_fault.h"

#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_long fault_left = -1; /* allocations until the first failure; -1 = never */
static atomic_bool fault_single;
static atomic_long fault_hits;
static atomic_long fault_live;
static atomic_long fault_live_bytes;

void pst_fault_set(long n)
{
    atomic_store(&fault_left, -1);
    atomic_store(&fault_hits, 0);
    atomic_store(&fault_single, false);
    atomic_store(&fault_left, n);
}

void pst_fault_once(long n)
{
    pst_fault_set(-1);
    atomic_store(&fault_single, true);
    atomic_store(&fault_left, n);
}

long pst_fault_pause(void)
{
    return atomic_exchange(&fault_left, -1);
}

void pst_fault_resume(long paused)
{
    atomic_store(&fault_left, paused);
}

long pst_fault_hits(void)
{
    return atomic_load(&fault_hits);
}

long pst_fault_live(void)
{
    return atomic_load(&fault_live);
}

long pst_fault_live_bytes(void)
{
    return atomic_load(&fault_live_bytes);
}

static bool fault_now(void)
{
    long left = atomic_load(&fault_left);
    while (left > 0 && !atomic_compare_exchange_weak(&fault_left, &left, left - 1))
        ;
    if (left != 0)
        return false;
    if (atomic_load(&fault_single) &&
        !atomic_compare_exchange_strong(&fault_left, &left, -1))
        return false;
    atomic_fetch_add(&fault_hits, 1);
    return true;
}

static void *fault_count(void *block)
{
    if (block) {
        atomic_fetch_add(&fault_live, 1);
        atomic_fetch_add(&fault_live_bytes, (long)malloc_usable_size(block));
    }
    return block;
}

void *pst_malloc(size_t size)
{
    return fault_now() ? NULL : fault_count(malloc(size ? size : 1));
}

void *pst_calloc(size_t count, size_t size)
{
    if (fault_now())
        return NULL;
    return fault_count(calloc(count ? count : 1, size ? size : 1));
}

void *pst_realloc(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || fault_now())
        return NULL;
    if (!old)
        return fault_count(malloc(bytes ? bytes : 1));
    long before = (long)malloc_usable_size(old);
    void *block = realloc(old, bytes ? bytes : 1);
    if (block)
        atomic_fetch_add(&fault_live_bytes, (long)malloc_usable_size(block) - before);
    return block;
}

void pst_free(void *p)
{
    if (p) {
        atomic_fetch_sub(&fault_live, 1);
        atomic_fetch_sub(&fault_live_bytes, (long)malloc_usable_size(p));
    }
    free(p);
}

/*
 * pool.h - a few threads for calls that wait for the store. Jobs never sleep and never
 * retry; who submits one gets to know of its end in its own way.
 */
#ifndef PST_RUNTIME_POOL_H
#define PST_RUNTIME_POOL_H

#include "base/err.h"

typedef struct pst_pool pst_pool;
typedef void (*pst_job)(void *arg);

/* Up to `threads` of them, made as they are needed; signals are blocked in them. */
pst_rc pst_pool_new(pst_pool **out, int threads, pst_err *err) PST_MUST;
/* Runs what is queued, then ends the threads. NULL is fine. */
void pst_pool_free(pst_pool *pool);
/* `slot` is the job's place in the queue: the caller's memory, until the job has begun.
 */
typedef struct pst_pool_slot {
    struct pst_pool_slot *next;
    pst_job run;
    void *arg;
} pst_pool_slot;
/* Cannot fail: the queue is a list of the callers' own slots. */
void pst_pool_submit(pst_pool *pool, pst_pool_slot *slot, pst_job run, void *arg);

#endif

/*
 * budget.h - the process's memory for records and encoded bytes (buffer.memory).
 *
 * One counter for all tasks: what windows hold is added as it grows and taken off when it
 * is durable. At half of it the largest windows are closed early, so that uploads and
 * encoding overlap; at all of it the tasks stop taking records.
 *
 * What sinks' queues may prefetch is taken off it: a quarter is theirs from the start.
 * Sinks that come later can't take from those that run, as librdkafka's queues keep their
 * size, so they get half of what is left below a half, and windows what remains.
 */
#ifndef PST_RUNTIME_BUDGET_H
#define PST_RUNTIME_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pst_budget {
    _Atomic int64_t used, limit;
    int64_t memory, queues; /* of buffer.memory; queues have. Under the worker's lock */
} pst_budget;

/* These three under the worker's lock. */
void pst_budget_open(pst_budget *budget, int64_t memory);
/* The size of one more queue, when there are so many sink tasks; to be given back. */
int64_t pst_budget_take_queue(pst_budget *budget, int64_t sinks);
void pst_budget_give_queue(pst_budget *budget, int64_t bytes);

static inline void pst_budget_add(pst_budget *budget, size_t bytes)
{
    atomic_fetch_add_explicit(&budget->used, (int64_t)bytes, memory_order_relaxed);
}

static inline void pst_budget_sub(pst_budget *budget, size_t bytes)
{
    atomic_fetch_sub_explicit(&budget->used, (int64_t)bytes, memory_order_relaxed);
}

static inline int64_t pst_budget_used(const pst_budget *budget)
{
    return atomic_load_explicit(&((pst_budget *)(uintptr_t)budget)->used,
                                memory_order_relaxed);
}

static inline bool pst_budget_full(const pst_budget *budget)
{
    return pst_budget_used(budget) >= budget->limit;
}

static inline bool pst_budget_tight(const pst_budget *budget)
{
    return pst_budget_used(budget) >= budget->limit / 2;
}

#endif

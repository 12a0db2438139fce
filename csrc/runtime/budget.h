/*
 * budget.h - the process's memory for records and encoded bytes (buffer.memory).
 *
 * One counter for all tasks: what windows hold is added as it grows and taken off when it
 * is durable. At half of it the largest windows are closed early, so that uploads and
 * encoding overlap; at all of it the tasks stop taking records.
 */
#ifndef PST_RUNTIME_BUDGET_H
#define PST_RUNTIME_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pst_budget {
    _Atomic int64_t used;
    int64_t limit;
} pst_budget;

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

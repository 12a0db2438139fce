/*
 * budget.c - see budget.h: how buffer.memory is shared between queues and windows.
 *
 * Every queue has QUEUE_MIN at least, so that a sink moves at all: only so many sinks
 * that these alone are over a half can take more than that from windows, and never all.
 */
#include "runtime/budget.h"

enum { QUEUE_SHARE = 4, QUEUE_MIN = 1024 * 1024 };

static void set_limit(pst_budget *budget)
{
    int64_t quarter = budget->memory / QUEUE_SHARE;
    int64_t queues = budget->queues > quarter ? budget->queues : quarter;
    int64_t limit = budget->memory - queues;
    atomic_store_explicit(&budget->limit, limit > quarter ? limit : quarter,
                          memory_order_relaxed);
}

void pst_budget_open(pst_budget *budget, int64_t memory)
{
    budget->memory = memory;
    budget->queues = 0;
    set_limit(budget);
}

int64_t pst_budget_take_queue(pst_budget *budget, int64_t sinks)
{
    int64_t quarter = budget->memory / QUEUE_SHARE;
    int64_t share = quarter / (sinks > 0 ? sinks : 1);
    if (budget->queues + share > quarter) { /* others were here before */
        int64_t rest = (2 * quarter - budget->queues) / 2;
        share = rest < share ? rest : share;
    }
    if (share < QUEUE_MIN)
        share = QUEUE_MIN;
    budget->queues += share;
    set_limit(budget);
    return share;
}

void pst_budget_give_queue(pst_budget *budget, int64_t bytes)
{
    budget->queues -= bytes;
    set_limit(budget);
}

/*
 * beat.c - see beat.h.
 */
#include "base/beat.h"

#include "base/clock.h"

#include <stddef.h>

static _Thread_local pst_beat *mine;

void pst_beat_use(pst_beat *beat)
{
    mine = beat;
}

void pst_beat_turn(void)
{
    if (!mine)
        return;
    unsigned turns = atomic_load_explicit(&mine->turns, memory_order_relaxed);
    atomic_store_explicit(&mine->turns, turns + 1, memory_order_relaxed); /* one writer */
}

void pst_beat_rest(int64_t ms)
{
    pst_beat_turn();
    if (mine)
        atomic_store_explicit(&mine->rests_until_ms, pst_mono_ms(pst_clock_system()) + ms,
                              memory_order_relaxed);
}

int64_t pst_beat_silent_ms(pst_beat *beat, pst_beat_seen *seen, int64_t now_ms)
{
    unsigned turns = atomic_load_explicit(&beat->turns, memory_order_relaxed);
    int64_t until = atomic_load_explicit(&beat->rests_until_ms, memory_order_relaxed);
    if (!seen->any || now_ms < until || turns != seen->turns)
        *seen = (pst_beat_seen){.any = true, .turns = turns, .changed_ms = now_ms};
    return now_ms - seen->changed_ms;
}

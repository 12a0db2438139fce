/*
 * pacing.c - so many users a second, by a clock that the caller reads.
 *
 * The first may go at once, the next one interval later: ten at one a second take nine
 * seconds. A pause (a slow request, a sleeping machine) is caught up for one second's
 * worth at most; what is beyond is given up, so that a topic never sees a burst. Nothing
 * sleeps here.
 */
#include "connectors/randomuser/internal.h"

#include <math.h>

enum { CATCH_UP_MS = 1000 };

void pst_pacing_init(pst_pacing *pacing, double per_second)
{
    *pacing = (pst_pacing){.interval_ms = per_second > 0 ? 1000.0 / per_second : 0};
}

size_t pst_pacing_due(pst_pacing *pacing, int64_t now_ms, size_t max, int64_t *wait_ms)
{
    double now = (double)now_ms;
    *wait_ms = 0;
    if (pacing->interval_ms <= 0 || max == 0)
        return max;
    if (!pacing->started || pacing->due_ms < now - CATCH_UP_MS)
        pacing->due_ms = pacing->started ? now - CATCH_UP_MS : now;
    pacing->started = true;
    if (pacing->due_ms > now) {
        *wait_ms = (int64_t)ceil(pacing->due_ms - now);
        return 0;
    }
    double n = floor((now - pacing->due_ms) / pacing->interval_ms) + 1;
    return n < (double)max ? (size_t)n : max;
}

void pst_pacing_take(pst_pacing *pacing, size_t n)
{
    pacing->due_ms += (double)n * pacing->interval_ms;
}

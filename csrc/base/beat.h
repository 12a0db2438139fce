/*
 * beat.h - is a thread still turning? Every loop of a task asks whether it is to end
 * (clock.h); each such question is a beat, and a wait for that is rest. So no loop has to
 * think of it, and one that hangs in a call is found out.
 */
#ifndef PST_BASE_BEAT_H
#define PST_BASE_BEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct pst_beat {
    atomic_uint turns;
    _Atomic int64_t rests_until_ms; /* monotonic */
} pst_beat;

/* From now on the calling thread's beats go there; NULL = nowhere. */
void pst_beat_use(pst_beat *beat);

/* For clock.c. */
void pst_beat_turn(void);
void pst_beat_rest(int64_t ms); /* it will wait for so long */

/* What somebody who looks from time to time has seen. */
typedef struct pst_beat_seen {
    bool any;
    unsigned turns;
    int64_t changed_ms; /* monotonic */
} pst_beat_seen;

/* For how many ms has it neither turned nor rested, as far as this one has looked? */
int64_t pst_beat_silent_ms(pst_beat *beat, pst_beat_seen *seen, int64_t now_ms);

#endif

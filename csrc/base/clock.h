/*
 * clock.h - time, and giving way to a stop.
 *
 * The wall clock may jump; the monotonic one never does and goes on while the machine
 * sleeps (a sleeper must know how long it slept, safety rule 9). Code that reads time
 * takes a const pst_clock *, so a test can make it jump. All in milliseconds.
 *
 * pst_cancel is how a wait ends early: every wait of the core is in slices that look at
 * one.
 */
#ifndef PST_BASE_CLOCK_H
#define PST_BASE_CLOCK_H

#include "base/err.h"

#include <stdint.h>

typedef struct pst_clock {
    int64_t (*wall_ms)(void *self); /* since 1970-01-01T00:00:00Z */
    int64_t (*mono_ms)(void *self);
    void *self;
} pst_clock;

const pst_clock *pst_clock_system(void);

static inline int64_t pst_wall_ms(const pst_clock *clock)
{
    return clock->wall_ms(clock->self);
}

static inline int64_t pst_mono_ms(const pst_clock *clock)
{
    return clock->mono_ms(clock->self);
}

/* UTC parts of a wall-clock time; no libc state, any year from 0 to 9999. */
typedef struct pst_utc {
    int year, month, day, hour, minute, second, milli;
} pst_utc;
pst_utc pst_utc_of(int64_t wall_ms);
/* Days since 1970-01-01 of a proleptic Gregorian date, and back. */
int64_t pst_days_of(int year, int month, int day);
/* "2026-11-23T07:38:16.123Z", 24 characters and a NUL. */
void pst_iso8601(char out[25], int64_t wall_ms);

/* Thread-safe; set once, never unset. Not to be called from a signal handler. */
typedef struct pst_cancel pst_cancel;
pst_cancel *pst_cancel_new(void) PST_MUST;
void pst_cancel_free(pst_cancel *cancel);
void pst_cancel_set(pst_cancel *cancel);
/* NULL counts as never cancelled. */
bool pst_cancelled(const pst_cancel *cancel);
/* Waits up to `ms`; true as soon as it is cancelled. NULL just waits. */
bool pst_cancel_wait(pst_cancel *cancel, int64_t ms);

/* Full-jitter exponential backoff: a wait in [base/2, min(cap, base * 2^attempt)] ms.
   `seed` is the caller's, updated; different per task so that retries don't align. */
int64_t pst_backoff_ms(uint64_t *seed, int64_t base_ms, int64_t cap_ms, unsigned attempt);

#endif

/*
 * clock.c - see clock.h. Calendar arithmetic is after the era/day-of-era scheme described
 * in "chrono-Compatible Low-Level Date Algorithms": years start in March.
 */
#include "base/clock.h"

#include "base/beat.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t system_wall(void *self)
{
    (void)self;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono(void *self)
{
    (void)self;
#ifdef CLOCK_BOOTTIME
    return read_clock(CLOCK_BOOTTIME);
#else
    return read_clock(CLOCK_MONOTONIC);
#endif
}

const pst_clock *pst_clock_system(void)
{
    static const pst_clock system_clock = {system_wall, system_mono, NULL};
    return &system_clock;
}

int64_t pst_days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_of(int64_t days, pst_utc *out)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    out->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    out->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    out->year = (int)(yoe + era * 400 + (out->month <= 2));
}

pst_utc pst_utc_of(int64_t wall_ms)
{
    int64_t days = wall_ms / 86400000;
    int64_t rest = wall_ms % 86400000;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    pst_utc out = {.hour = (int)(rest / 3600000),
                   .minute = (int)(rest / 60000 % 60),
                   .second = (int)(rest / 1000 % 60),
                   .milli = (int)(rest % 1000)};
    civil_of(days, &out);
    return out;
}

void pst_iso8601(char out[25], int64_t wall_ms)
{
    pst_utc t = pst_utc_of(wall_ms);
    char text[80];
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.year, t.month,
             t.day, t.hour, t.minute, t.second, t.milli);
    snprintf(out, 25, "%.24s", text);
}

struct pst_cancel {
    atomic_bool set;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

pst_cancel *pst_cancel_new(void)
{
    pst_cancel *cancel = pst_calloc(1, sizeof *cancel);
    if (!cancel)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&cancel->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&cancel->lock, NULL);
    return cancel;
}

void pst_cancel_free(pst_cancel *cancel)
{
    if (!cancel)
        return;
    pthread_cond_destroy(&cancel->changed);
    pthread_mutex_destroy(&cancel->lock);
    pst_free(cancel);
}

void pst_cancel_set(pst_cancel *cancel)
{
    pthread_mutex_lock(&cancel->lock);
    atomic_store(&cancel->set, true);
    pthread_cond_broadcast(&cancel->changed);
    pthread_mutex_unlock(&cancel->lock);
}

bool pst_cancelled(const pst_cancel *cancel)
{
    pst_beat_turn();
    return cancel && atomic_load(&((pst_cancel *)(uintptr_t)cancel)->set);
}

static struct timespec monotonic_in(int64_t ms)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += (time_t)(ms / 1000);
    ts.tv_nsec += (long)(ms % 1000) * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_nsec -= 1000000000;
        ts.tv_sec++;
    }
    return ts;
}

static bool wait_for(pst_cancel *cancel, int64_t ms)
{
    struct timespec until = monotonic_in(ms);
    pthread_mutex_lock(&cancel->lock);
    int rc = 0;
    while (!atomic_load(&cancel->set) && rc == 0)
        rc = pthread_cond_timedwait(&cancel->changed, &cancel->lock, &until);
    pthread_mutex_unlock(&cancel->lock);
    return atomic_load(&cancel->set);
}

bool pst_cancel_wait(pst_cancel *cancel, int64_t ms)
{
    struct timespec ts = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    bool set = false;
    pst_beat_rest(ms);
    if (cancel)
        set = wait_for(cancel, ms < 0 ? 0 : ms);
    else if (ms > 0)
        nanosleep(&ts, NULL);
    pst_beat_turn();
    return set;
}

static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

int64_t pst_backoff_ms(uint64_t *seed, int64_t base_ms, int64_t cap_ms, unsigned attempt)
{
    int64_t top = base_ms;
    for (unsigned i = 0; i < attempt && top < cap_ms; i++)
        top *= 2;
    if (top > cap_ms)
        top = cap_ms;
    int64_t low = base_ms / 2;
    if (top <= low)
        return top;
    return low + (int64_t)(next_random(seed) % (uint64_t)(top - low + 1));
}

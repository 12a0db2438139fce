/*
 * wallclock.c - a wall clock that jumps, for one daemon: preloaded, it adds the seconds
 * in the file $CHAOS_CLOCK (an int64) to CLOCK_REALTIME. The monotonic clocks stay true.
 * Deadlines by the wall clock are translated when a wait begins.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const int64_t *jump;
static const int64_t none;
static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_timedwait)(pthread_cond_t *, pthread_mutex_t *,
                             const struct timespec *);

static int (*real_c11_timedwait)(cnd_t *, mtx_t *, const struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CHAOS_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *jump, PROT_READ, MAP_SHARED, fd, 0);
    jump = map == MAP_FAILED ? &none : map;
    if (fd >= 0)
        close(fd);
    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_c11_timedwait = dlsym(RTLD_NEXT, "cnd_timedwait");
    /* x86-64 has an older one, too, which dlsym() would find. */
    real_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real_timedwait)
        real_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    if (!real_gettime)
        begin();
    int rc = real_gettime(id, out);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        out->tv_sec += *jump;
    return rc;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *out, int base)
{
    clock_gettime(CLOCK_REALTIME, out);
    return base;
}

/* A condition does not tell its clock; a monotonic deadline is never years ahead. */
static struct timespec translated(const struct timespec *until)
{
    struct timespec truth = *until;
    if (truth.tv_sec > 1000000000)
        truth.tv_sec -= *jump;
    return truth;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict lock,
                           const struct timespec *restrict until)
{
    struct timespec truth = translated(until);
    return real_timedwait(cond, lock, &truth);
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict lock,
                  const struct timespec *restrict until)
{
    struct timespec truth = translated(until);
    return real_c11_timedwait(cond, lock, &truth);
}

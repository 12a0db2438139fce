/*
 * c11threads.c - C11's threads, mutexes and conditions over POSIX', for a build under
 * TSan.
 *
 * glibc's thrd_create(), mtx_lock() and the like reach its internals past the functions
 * that TSan intercepts: it never hears of such a thread, and crashes at the first
 * intercepted call in it. Debian's librdkafka is built on them. Linked into the program
 * these definitions take the place of glibc's for the library too, so that TSan knows its
 * threads and sees every hand-over between them and ours. glibc's types are the same as
 * POSIX' underneath; what librdkafka does not use is not here.
 *
 * pthread_clockjoin_np() is here because gcc 12's TSan does not know it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

_Static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t), "a mutex fits");
_Static_assert(sizeof(cnd_t) >= sizeof(pthread_cond_t), "a condition fits");

static int result(int error)
{
    if (error == 0)
        return thrd_success;
    return error == ETIMEDOUT ? thrd_timedout
           : error == EBUSY   ? thrd_busy
           : error == ENOMEM  ? thrd_nomem
                              : thrd_error;
}

/* ---- threads ---- */

typedef struct start {
    thrd_start_t run;
    void *arg;
} start;

static void *run_thread(void *opaque)
{
    start begin = *(start *)opaque;
    free(opaque);
    return (void *)(intptr_t)begin.run(begin.arg);
}

EXPORT int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
    start *begin = malloc(sizeof *begin);
    if (!begin)
        return thrd_nomem;
    *begin = (start){run, arg};
    int error = pthread_create(thread, NULL, run_thread, begin);
    if (error)
        free(begin);
    return result(error);
}

EXPORT int thrd_join(thrd_t thread, int *out)
{
    void *value = NULL;
    int error = pthread_join(thread, &value);
    if (!error && out)
        *out = (int)(intptr_t)value;
    return result(error);
}

EXPORT int thrd_detach(thrd_t thread)
{
    return result(pthread_detach(thread));
}

EXPORT int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock,
                                const struct timespec *until)
{
    struct timespec now, end;
    clock_gettime(clock, &now);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += until->tv_sec - now.tv_sec + 1; /* a second more is no matter here */
    return pthread_timedjoin_np(thread, value, &end);
}

EXPORT void call_once(once_flag *flag, void (*run)(void))
{
    pthread_once((pthread_once_t *)(void *)flag, run);
}

/* ---- mutexes ---- */

static pthread_mutex_t *mutex_of(mtx_t *mutex)
{
    return (pthread_mutex_t *)(void *)mutex;
}

EXPORT int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    if (type & mtx_recursive)
        pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    int error = pthread_mutex_init(mutex_of(mutex), &attr);
    pthread_mutexattr_destroy(&attr);
    return result(error);
}

EXPORT int mtx_lock(mtx_t *mutex)
{
    return result(pthread_mutex_lock(mutex_of(mutex)));
}

EXPORT int mtx_trylock(mtx_t *mutex)
{
    return result(pthread_mutex_trylock(mutex_of(mutex)));
}

EXPORT int mtx_unlock(mtx_t *mutex)
{
    return result(pthread_mutex_unlock(mutex_of(mutex)));
}

EXPORT void mtx_destroy(mtx_t *mutex)
{
    pthread_mutex_destroy(mutex_of(mutex));
}

/* ---- conditions ---- */

static pthread_cond_t *cond_of(cnd_t *cond)
{
    return (pthread_cond_t *)(void *)cond;
}

EXPORT int cnd_init(cnd_t *cond)
{
    return result(pthread_cond_init(cond_of(cond), NULL));
}

EXPORT int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
    return result(pthread_cond_wait(cond_of(cond), mutex_of(mutex)));
}

EXPORT int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until)
{
    return result(pthread_cond_timedwait(cond_of(cond), mutex_of(mutex), until));
}

EXPORT int cnd_signal(cnd_t *cond)
{
    return result(pthread_cond_signal(cond_of(cond)));
}

EXPORT int cnd_broadcast(cnd_t *cond)
{
    return result(pthread_cond_broadcast(cond_of(cond)));
}

EXPORT void cnd_destroy(cnd_t *cond)
{
    pthread_cond_destroy(cond_of(cond));
}

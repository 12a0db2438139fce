/*
 * runner.c - see runner.h.
 */
#include "pyext/runner.h"

#include "base/mem.h"
#include "runtime/pool.h"

#include <pthread.h>
#include <time.h>

struct pypst_runner {
    pst_pool *pool;
    pst_pool_slot slot;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool running, stuck;
    void (*job)(void *arg);
    void *arg;
};

pypst_runner *pypst_runner_new(pst_err *err)
{
    pypst_runner *runner = pst_calloc(1, sizeof *runner);
    if (!runner) {
        (void)pst_fail_nomem(err, "thread");
        return NULL;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&runner->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&runner->lock, NULL);
    if (pst_pool_new(&runner->pool, 1, err) != PST_OK) {
        pypst_runner_free(runner);
        return NULL;
    }
    return runner;
}

void pypst_runner_free(pypst_runner *runner)
{
    if (!runner)
        return;
    pst_pool_free(runner->pool);
    pthread_cond_destroy(&runner->changed);
    pthread_mutex_destroy(&runner->lock);
    pst_free(runner);
}

bool pypst_runner_stuck(const pypst_runner *runner)
{
    return runner && runner->stuck;
}

static void run(void *opaque)
{
    pypst_runner *runner = opaque;
    runner->job(runner->arg);
    pthread_mutex_lock(&runner->lock);
    runner->running = false;
    pthread_cond_broadcast(&runner->changed);
    pthread_mutex_unlock(&runner->lock);
}

static struct timespec in_ms(int64_t ms)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += (long)(ms % 1000) * 1000000;
    ts.tv_sec += (time_t)(ms / 1000) + ts.tv_nsec / 1000000000;
    ts.tv_nsec %= 1000000000;
    return ts;
}

/* Without the GIL: true when the job has ended. */
static bool wait_slice(pypst_runner *runner, int64_t ms)
{
    struct timespec until = in_ms(ms);
    int rc = 0;
    pthread_mutex_lock(&runner->lock);
    while (runner->running && rc == 0)
        rc = pthread_cond_timedwait(&runner->changed, &runner->lock, &until);
    bool ended = !runner->running;
    pthread_mutex_unlock(&runner->lock);
    return ended;
}

static bool wait_without_gil(pypst_runner *runner, int64_t ms)
{
    bool ended;
    Py_BEGIN_ALLOW_THREADS ended = wait_slice(runner, ms);
    Py_END_ALLOW_THREADS return ended;
}

/* What Python does between two slices. */
static int give_way(pypst_logring *ring, const pypst_common *common)
{
    if (ring && pypst_logring_drain(ring, common) < 0)
        return -1;
    return PyErr_CheckSignals();
}

/* The call under way is told to end. A job that does not keeps the memory it uses. */
static void cut(pypst_runner *runner, const pypst_call *call, int64_t grace_ms)
{
    if (call->interrupt)
        call->interrupt(call->arg);
    runner->stuck = !wait_without_gil(runner, grace_ms);
    if (runner->stuck)
        Py_XINCREF(call->object);
}

static int refuse(const pypst_call *call)
{
    (void)pypst_raise_text(call->common, "busy",
                           "an interrupted call has not ended yet: make a new object");
    return -1;
}

int pypst_runner_call(pypst_runner *runner, const pypst_call *call)
{
    const pst_clock *clock = pst_clock_system();
    int64_t until = call->limit_ms ? pst_mono_ms(clock) + call->limit_ms : INT64_MAX;
    if (runner->stuck)
        return refuse(call);
    runner->job = call->job;
    runner->arg = call->arg;
    runner->running = true;
    pst_pool_submit(runner->pool, &runner->slot, run, runner);
    int rc = 0;
    bool ended = false;
    while (rc == 0 && !ended && pst_mono_ms(clock) < until) {
        ended = wait_without_gil(runner, PYPST_SLICE_MS);
        rc = give_way(call->ring, call->common);
    }
    if (!ended)
        cut(runner, call, rc == 0 ? 0 : PYPST_GRACE_MS);
    return rc;
}

int pypst_sleep(int64_t ms, pypst_logring *ring, const pypst_common *common)
{
    const pst_clock *clock = pst_clock_system();
    int64_t until = pst_mono_ms(clock) + ms;
    for (;;) {
        int64_t left = until - pst_mono_ms(clock);
        if (give_way(ring, common) < 0)
            return -1;
        if (left <= 0)
            return 0;
        Py_BEGIN_ALLOW_THREADS(void)
            pst_cancel_wait(NULL, left < PYPST_SLICE_MS ? left : PYPST_SLICE_MS);
        Py_END_ALLOW_THREADS
    }
}

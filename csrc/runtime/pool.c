/*
 * pool.c - see pool.h. One thread is made at once, so that a lack of threads is told; the
 * others when a job finds none that waits. One that can't be made then is done without.
 */
#include "runtime/pool.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>

enum { STACK_BYTES = 256 * 1024 };

struct pst_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pst_pool_slot *head, **tail;
    bool ending;
    int n_threads, max_threads;
    int waiting;   /* threads without a job */
    int unstarted; /* jobs in the queue */
    pthread_t threads[];
};

static void *run_jobs(void *arg)
{
    pst_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        pool->waiting++;
        while (!pool->head && !pool->ending)
            pthread_cond_wait(&pool->work, &pool->lock);
        pool->waiting--;
        pst_pool_slot *slot = pool->head;
        if (!slot)
            break;
        pool->head = slot->next;
        if (!pool->head)
            pool->tail = &pool->head;
        pool->unstarted--;
        pst_job run = slot->run;
        void *job_arg = slot->arg;
        pthread_mutex_unlock(&pool->lock);
        run(job_arg);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static int start_thread(pst_pool *pool)
{
    pthread_attr_t attr;
    sigset_t all, old;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int failed = pthread_create(&pool->threads[pool->n_threads], &attr, run_jobs, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    pool->n_threads += !failed;
    return failed;
}

pst_rc pst_pool_new(pst_pool **out, int threads, pst_err *err)
{
    pst_pool *pool =
        pst_calloc(1, sizeof *pool + (size_t)threads * sizeof *pool->threads);
    if (!pool)
        return pst_fail_nomem(err, "thread pool");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->tail = &pool->head;
    pool->max_threads = threads;
    if (start_thread(pool)) {
        pst_pool_free(pool);
        return pst_fail(
            err, PST_E_LIMIT,
            "cannot start a thread: raise the limit of processes (ulimit -u)");
    }
    *out = pool;
    return PST_OK;
}

void pst_pool_free(pst_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    pst_free(pool);
}

void pst_pool_submit(pst_pool *pool, pst_pool_slot *slot, pst_job run, void *arg)
{
    *slot = (pst_pool_slot){.run = run, .arg = arg};
    pthread_mutex_lock(&pool->lock);
    *pool->tail = slot;
    pool->tail = &slot->next;
    pool->unstarted++;
    if (pool->unstarted > pool->waiting && pool->n_threads < pool->max_threads)
        (void)start_thread(pool);
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

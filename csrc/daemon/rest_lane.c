/*
 * rest_lane.c - one thread for what has to wait for Kafka, made when it is first needed.
 * The line before it is short: a client that asks too often is told to come again.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <signal.h>

enum { JOBS_MAX = 16, STACK = 512 * 1024 };

struct rest_lane {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started, closing;
    rest_job *head, **tail;
    size_t n;
};

static void *work(void *arg)
{
    struct rest_lane *lane = arg;
    pthread_setname_np(pthread_self(), "pst-rest-slow");
    pthread_mutex_lock(&lane->lock);
    for (;;) {
        while (!lane->head && !lane->closing)
            pthread_cond_wait(&lane->changed, &lane->lock);
        rest_job *job = lane->head;
        if (!job)
            break;
        lane->head = job->next;
        if (!lane->head)
            lane->tail = &lane->head;
        pthread_mutex_unlock(&lane->lock);
        job->run(job);
        pthread_mutex_lock(&lane->lock);
        lane->n--;
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

static bool start(struct rest_lane *lane)
{
    pthread_attr_t attr;
    sigset_t all, old;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    lane->started = pthread_create(&lane->thread, &attr, work, lane) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return lane->started;
}

struct rest_lane *rest_lane_new(void)
{
    struct rest_lane *lane = pst_calloc(1, sizeof *lane);
    if (!lane)
        return NULL;
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->changed, NULL);
    lane->tail = &lane->head;
    return lane;
}

bool rest_lane_put(struct rest_lane *lane, rest_job *job)
{
    pthread_mutex_lock(&lane->lock);
    bool taken = !lane->closing && lane->n < JOBS_MAX && (lane->started || start(lane));
    if (taken) {
        job->next = NULL;
        *lane->tail = job;
        lane->tail = &job->next;
        lane->n++;
        pthread_cond_signal(&lane->changed);
    }
    pthread_mutex_unlock(&lane->lock);
    return taken;
}

void rest_lane_close(struct rest_lane *lane)
{
    if (!lane)
        return;
    pthread_mutex_lock(&lane->lock);
    lane->closing = true;
    pthread_cond_signal(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
    if (lane->started)
        pthread_join(lane->thread, NULL);
    lane->started = false;
}

void rest_lane_free(struct rest_lane *lane)
{
    if (!lane)
        return;
    pthread_mutex_destroy(&lane->lock);
    pthread_cond_destroy(&lane->changed);
    pst_free(lane);
}

/*
 * test_rest_lane.c - the thread that may wait: all that is taken is run once, in its
 * order, by one thread; a line that is full takes no more.
 */
#include "daemon/rest_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { THREADS = 4, JOBS = 2000, LINE = 16 };

typedef struct counted {
    rest_job job; /* first */
    struct giver *giver;
    int number;
} counted;

typedef struct giver {
    struct rest_lane *lane;
    counted jobs[JOBS];
    int taken, refused; /* of the giver's thread */
    int run, last;      /* of the lane's */
    pthread_t thread;
} giver;

static giver givers[THREADS];

static void run_one(rest_job *job)
{
    counted *one = (counted *)job;
    one->giver->run++;
    if (one->number <= one->giver->last)
        one->giver->run = -JOBS; /* out of order */
    one->giver->last = one->number;
}

static void *give(void *arg)
{
    giver *g = arg;
    for (int i = 0; i < JOBS; i++) {
        g->jobs[i] = (counted){.job.run = run_one, .giver = g, .number = i};
        if (rest_lane_put(g->lane, &g->jobs[i].job))
            g->taken++;
        else
            g->refused++;
    }
    return NULL;
}

static void test_all_that_is_taken_is_run(void **state)
{
    struct rest_lane *lane = rest_lane_new();
    int taken = 0;
    (void)state;
    assert_non_null(lane);
    for (int i = 0; i < THREADS; i++) {
        givers[i] = (giver){.lane = lane, .last = -1};
        assert_int_equal(pthread_create(&givers[i].thread, NULL, give, &givers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(givers[i].thread, NULL);
    rest_lane_close(lane);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(givers[i].run, givers[i].taken);
        assert_int_equal(givers[i].taken + givers[i].refused, JOBS);
        taken += givers[i].taken;
    }
    assert_true(taken >= LINE);
    counted late = {.job.run = run_one, .giver = &givers[0], .number = JOBS};
    assert_false(rest_lane_put(lane, &late.job));
    rest_lane_free(lane);
}

/* ---- a job that does not end ---- */

typedef struct gate {
    rest_job job; /* first */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool here, open;
} gate;

static void wait_at_gate(rest_job *job)
{
    gate *g = (gate *)job;
    pthread_mutex_lock(&g->lock);
    g->here = true;
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void test_a_full_line_takes_no_more(void **state)
{
    struct rest_lane *lane = rest_lane_new();
    gate g = {.job.run = wait_at_gate,
              .lock = PTHREAD_MUTEX_INITIALIZER,
              .changed = PTHREAD_COND_INITIALIZER};
    giver *one = &givers[0];
    (void)state;
    assert_non_null(lane);
    *one = (giver){.lane = lane, .last = -1};
    assert_true(rest_lane_put(lane, &g.job));
    pthread_mutex_lock(&g.lock);
    while (!g.here)
        pthread_cond_wait(&g.changed, &g.lock);
    pthread_mutex_unlock(&g.lock);
    give(one);
    assert_int_equal(one->taken, LINE - 1); /* the one that runs is one of them */
    assert_int_equal(one->refused, JOBS - LINE + 1);
    pthread_mutex_lock(&g.lock);
    g.open = true;
    pthread_cond_broadcast(&g.changed);
    pthread_mutex_unlock(&g.lock);
    rest_lane_close(lane);
    assert_int_equal(one->run, LINE - 1);
    rest_lane_free(lane);
}

static void test_a_lane_that_was_never_used(void **state)
{
    struct rest_lane *lane = rest_lane_new();
    (void)state;
    rest_lane_close(lane);
    rest_lane_free(lane);
    rest_lane_close(NULL);
    rest_lane_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_taken_is_run),
        cmocka_unit_test(test_a_full_line_takes_no_more),
        cmocka_unit_test(test_a_lane_that_was_never_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

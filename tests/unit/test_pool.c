/*
 * test_pool.c - every job runs, in parallel, and free() waits for them.
 */
#include "runtime/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_int ran, inside, most;

static void job(void *arg)
{
    (void)arg;
    int now = atomic_fetch_add(&inside, 1) + 1;
    if (now > atomic_load(&most))
        atomic_store(&most, now);
    usleep(1000);
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&ran, 1);
}

static void all_jobs_run_before_the_end(void **state)
{
    (void)state;
    pst_err err = PST_ERR_INIT;
    pst_pool *pool;
    pst_pool_slot slots[200];
    assert_int_equal(pst_pool_new(&pool, 4, &err), PST_OK);
    for (int i = 0; i < 200; i++)
        pst_pool_submit(pool, &slots[i], job, NULL);
    pst_pool_free(pool);
    assert_int_equal(atomic_load(&ran), 200);
    assert_in_range(atomic_load(&most), 2, 4);
    pst_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_jobs_run_before_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

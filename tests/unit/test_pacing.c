/*
 * test_pacing.c - users per second on a clock that the test sets.
 */
#include "connectors/randomuser/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* Runs n users; returns when the last one went. */
static int64_t run(double per_second, int n, int64_t start)
{
    pst_pacing pacing;
    int64_t now = start, wait = 0, last = start;
    pst_pacing_init(&pacing, per_second);
    for (int gone = 0; gone < n;) {
        size_t due = pst_pacing_due(&pacing, now, (size_t)(n - gone), &wait);
        if (due == 0) {
            assert_true(wait > 0);
            now += wait;
            continue;
        }
        assert_int_equal(wait, 0);
        pst_pacing_take(&pacing, due);
        gone += (int)due;
        last = now;
    }
    return last - start;
}

static void test_ten_at_one_a_second(void **state)
{
    (void)state;
    assert_int_equal(run(1, 10, 123456), 9000);
}

static void test_other_rates(void **state)
{
    (void)state;
    assert_int_equal(run(0.5, 3, 0), 4000);
    assert_int_equal(run(0, 1000, 0), 0);
    assert_in_range(run(1000, 5001, 0), 5000, 5001);
    assert_in_range(run(3, 31, 0), 10000, 10001);
}

static void test_first_goes_at_once(void **state)
{
    pst_pacing pacing;
    int64_t wait;
    (void)state;
    pst_pacing_init(&pacing, 1);
    assert_int_equal(pst_pacing_due(&pacing, 5000, 10, &wait), 1);
    pst_pacing_take(&pacing, 1);
    assert_int_equal(pst_pacing_due(&pacing, 5000, 10, &wait), 0);
    assert_int_equal(wait, 1000);
    assert_int_equal(pst_pacing_due(&pacing, 5999, 10, &wait), 0);
    assert_int_equal(wait, 1);
    assert_int_equal(pst_pacing_due(&pacing, 6000, 10, &wait), 1);
}

/* After a pause of a minute no burst of sixty follows. */
static void test_a_pause_is_not_caught_up(void **state)
{
    pst_pacing pacing;
    int64_t wait;
    (void)state;
    pst_pacing_init(&pacing, 1);
    assert_int_equal(pst_pacing_due(&pacing, 0, 100, &wait), 1);
    pst_pacing_take(&pacing, 1);
    assert_int_equal(pst_pacing_due(&pacing, 60000, 100, &wait), 2);
    pst_pacing_take(&pacing, 2);
    assert_int_equal(pst_pacing_due(&pacing, 60000, 100, &wait), 0);
    assert_int_equal(wait, 1000);
}

static void test_short_delay_is_caught_up(void **state)
{
    pst_pacing pacing;
    int64_t wait;
    (void)state;
    pst_pacing_init(&pacing, 10);
    assert_int_equal(pst_pacing_due(&pacing, 0, 100, &wait), 1);
    pst_pacing_take(&pacing, 1);
    assert_int_equal(pst_pacing_due(&pacing, 500, 100, &wait), 5);
    assert_int_equal(pst_pacing_due(&pacing, 500, 3, &wait), 3);
    assert_int_equal(pst_pacing_due(&pacing, 500, 0, &wait), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_at_one_a_second),
        cmocka_unit_test(test_other_rates),
        cmocka_unit_test(test_first_goes_at_once),
        cmocka_unit_test(test_a_pause_is_not_caught_up),
        cmocka_unit_test(test_short_delay_is_caught_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

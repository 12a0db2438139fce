/*
 * test_clock.c - calendar, cancelling, backoff.
 */
#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void calendar(void **state)
{
    (void)state;
    char text[25];
    pst_iso8601(text, 0);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    pst_iso8601(text, 951782400123); /* a leap day */
    assert_string_equal(text, "2000-02-29T00:00:00.123Z");
    pst_iso8601(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    for (int64_t day = -800000; day < 800000; day += 37) {
        pst_utc t = pst_utc_of(day * 86400000);
        assert_int_equal(pst_days_of(t.year, t.month, t.day), day);
    }
}

static void *set_it(void *arg)
{
    pst_cancel_wait(NULL, 20);
    pst_cancel_set(arg);
    return NULL;
}

static void cancelling_ends_a_wait(void **state)
{
    (void)state;
    pst_cancel *cancel = pst_cancel_new();
    const pst_clock *clock = pst_clock_system();
    assert_false(pst_cancelled(cancel));
    assert_false(pst_cancelled(NULL));
    assert_false(pst_cancel_wait(cancel, 1));
    assert_false(pst_cancel_wait(cancel, -5));
    pthread_t thread;
    int64_t began = pst_mono_ms(clock);
    assert_int_equal(pthread_create(&thread, NULL, set_it, cancel), 0);
    assert_true(pst_cancel_wait(cancel, 60000));
    assert_true(pst_mono_ms(clock) - began < 10000);
    assert_true(pst_cancelled(cancel));
    assert_true(pst_cancel_wait(cancel, 60000)); /* stays so */
    pthread_join(thread, NULL);
    pst_cancel_free(cancel);
    pst_cancel_free(NULL);
}

static void backoff_grows_and_is_bounded(void **state)
{
    (void)state;
    uint64_t seed = 1;
    int64_t most = 0;
    for (unsigned attempt = 0; attempt < 200; attempt++) {
        int64_t wait = pst_backoff_ms(&seed, 100, 5000, attempt);
        int64_t top = attempt < 6 ? 100 << attempt : 5000;
        assert_in_range(wait, 50, top);
        if (wait > most)
            most = wait;
    }
    assert_true(most > 2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calendar),
        cmocka_unit_test(cancelling_ends_a_wait),
        cmocka_unit_test(backoff_grows_and_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_beat.c - a thread that turns or rests is alive, one that hangs in a call is not.
 */
#include "base/beat.h"
#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static void turns_and_silence(void **state)
{
    (void)state;
    pst_beat beat = {0};
    pst_beat_seen seen = {0};
    pst_cancel *cancel = pst_cancel_new();
    pst_beat_use(&beat);
    assert_int_equal(pst_beat_silent_ms(&beat, &seen, 5000), 0); /* the first look */
    assert_int_equal(pst_beat_silent_ms(&beat, &seen, 6000), 1000);
    assert_false(pst_cancelled(cancel));
    assert_int_equal(pst_beat_silent_ms(&beat, &seen, 9000), 0);
    assert_int_equal(pst_beat_silent_ms(&beat, &seen, 9500), 500);
    assert_false(pst_cancelled(NULL)); /* that counts, too */
    assert_int_equal(pst_beat_silent_ms(&beat, &seen, 9600), 0);
    assert_false(pst_cancel_wait(NULL, 1));
    assert_false(pst_cancel_wait(cancel, -5));
    int64_t now = pst_mono_ms(pst_clock_system()) + 99000;
    assert_int_equal(pst_beat_silent_ms(&beat, &seen, now), 0);
    assert_int_equal(pst_beat_silent_ms(&beat, &seen, now + 1), 1); /* the rest is over */
    pst_beat_use(NULL);
    assert_false(pst_cancelled(cancel));
    assert_int_equal(pst_beat_silent_ms(&beat, &seen, now + 2), 2); /* not its thread's */
    pst_cancel_free(cancel);
}

typedef struct sleeper {
    pst_beat beat;
    pst_cancel *cancel;
    atomic_bool ended;
} sleeper;

static void *sleep_long(void *arg)
{
    sleeper *s = arg;
    pst_beat_use(&s->beat);
    (void)pst_cancel_wait(s->cancel, 60000);
    s->ended = true;
    return NULL;
}

/* A wait of a minute is no silence, however often somebody looks; but for no longer. */
static void rest_is_no_silence(void **state)
{
    (void)state;
    sleeper s = {.cancel = pst_cancel_new()};
    pst_beat_seen seen = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sleep_long, &s), 0);
    while (!atomic_load(&s.beat.rests_until_ms))
        usleep(100);
    int64_t until = atomic_load(&s.beat.rests_until_ms);
    for (int64_t now = until - 50000; now < until; now += 10000)
        assert_int_equal(pst_beat_silent_ms(&s.beat, &seen, now), 0);
    assert_int_equal(pst_beat_silent_ms(&s.beat, &seen, until + 5000), 15000);
    assert_false(s.ended);
    pst_cancel_set(s.cancel);
    pthread_join(thread, NULL);
    assert_int_equal(pst_beat_silent_ms(&s.beat, &seen, until + 6000), 0);
    assert_int_equal(pst_beat_silent_ms(&s.beat, &seen, until + 16000), 10000);
    pst_cancel_free(s.cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_and_silence),
        cmocka_unit_test(rest_is_no_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_objects_routed.c - several objects a window: a process is killed or frozen at each
 * of its store calls, in memory and in a directory; every row lands once all the same.
 */
#include "routed_run.h"

static void test_lands(void **state)
{
    world w;
    seen s;
    world_init(&w, *state != NULL);
    run_healthy(&w);
    look(&w, &s);
    assert_true(s.manifests >= 2);
    assert_true(s.objects > s.manifests); /* several a window */
    for (size_t i = 0; i < s.n_keys; i++)
        assert_non_null(strstr(s.keys[i], "t/u/by=0/n="));
    run_healthy(&w); /* nothing is left to do */
    world_done(&w);
}

/* Killed at its nth call; then others, killed as early, until one is through. */
static bool killed(long nth, bool after, bool links)
{
    world w;
    world_init(&w, links);
    process *p = process_new(&w, (int)nth, after, false);
    process_open(p);
    if (p->failed == PST_OK)
        process_run(p);
    process_close(p);
    bool struck = p->dead;
    process_free(p);
    audit(&w, w.committed);
    run_healthy(&w);
    world_done(&w);
    return struck;
}

static void test_killed(void **state)
{
    for (int after = 0; after < 2; after++) {
        long n = 1;
        while (killed(n, after, *state != NULL))
            n++;
        assert_true(n > 20);
    }
}

/* Killed again and again, each life some calls longer. */
static void test_killed_often(void **state)
{
    for (int step = 1; step < 14; step++) {
        world w;
        world_init(&w, *state != NULL);
        bool done = false;
        for (int life = 0; !done; life++) {
            assert_true(life < 400);
            process *p = process_new(&w, 4 + (life * step) % 37, life % 2, false);
            process_open(p);
            if (p->failed == PST_OK)
                process_run(p);
            done = p->done;
            process_close(p);
            process_free(p);
        }
        audit(&w, w.end);
        world_done(&w);
    }
}

/* Frozen at its nth call while another goes on to the end; then it is thawed, and finds
   itself the owner again or not. */
static bool frozen(long nth, bool moved, bool owner_again, bool links)
{
    world w;
    world_init(&w, links);
    process *a = process_new(&w, (int)nth, false, true);
    a->taken = 14;
    process_open(a);
    if (a->failed == PST_OK)
        for (int i = 0; i < 10 * WORLD_TURNS && !a->frozen && a->failed == PST_OK; i++) {
            process_turn(a);
            if (a->position >= a->taken && pst_objects_idle(a->objects, NULL, 0))
                break;
            usleep(200);
        }
    bool struck = a->frozen;
    if (struck) {
        run_healthy(&w);
        if (moved) {
            move_away(&w);
            fake_clock_add(&w.clock, 2 * SKEW_MS + 60000);
        }
    }
    a->thawed = true;
    a->frozen = false;
    a->taken = -1;
    if (owner_again)
        w.owner = a->number;
    for (int i = 0; i < 120 && a->failed == PST_OK; i++)
        process_turn(a);
    if (a->failed != PST_OK)
        fail_msg("call %ld: %s", nth, a->err.text);
    audit(&w, struck ? w.end : w.committed);
    process_close(a);
    process_free(a);
    run_healthy(&w);
    world_done(&w);
    return struck;
}

static void test_frozen(void **state)
{
    /* The calls of opening are made while nobody else can go on. */
    enum { OPENED = 8 };
    for (int how = 0; how < 4; how++) {
        long n = OPENED;
        while (frozen(n, how & 1, how & 2, *state != NULL))
            n++;
        assert_true(n > OPENED + 6);
    }
}

static int here;

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lands),
        cmocka_unit_test_prestate(test_lands, &here),
        cmocka_unit_test(test_killed),
        cmocka_unit_test_prestate(test_killed, &here),
        cmocka_unit_test(test_killed_often),
        cmocka_unit_test_prestate(test_killed_often, &here),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test_prestate(test_frozen, &here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

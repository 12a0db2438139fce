/*
 * test_objects_routed_nomem.c - every allocation fails once, in turn, while a window that
 * somebody left between its manifest and its objects is completed, and others land. No
 * leak, and every row lands once: by the process itself or by the one after it.
 */
#include "mem_fault.c"

#include "routed_run.h"

#include <jansson.h>

/* Killed when its manifest and one of its objects are there. */
static void leave_unfinished(world *w)
{
    seen s;
    for (int nth = 1;; nth++) {
        process *p = process_new(w, nth, true, false);
        process_open(p);
        if (p->failed == PST_OK)
            process_run(p);
        process_close(p);
        assert_true(p->dead);
        process_free(p);
        look(w, &s);
        assert_true(s.manifests <= 1);
        if (s.objects)
            break;
    }
    assert_int_equal(s.manifests, 1);
    assert_int_equal(s.objects, 1);
}

static bool one_allocation(long nth)
{
    world w;
    world_init(&w, false);
    leave_unfinished(&w);
    process *p = process_new(&w, -1, false, false);
    pst_fault_once(nth);
    process_open(p);
    if (p->failed == PST_OK)
        process_run(p);
    bool hit = pst_fault_hits() > 0;
    pst_fault_set(-1);
    /* jansson takes some failures of its own for bad text: then the chain says so. */
    if (p->failed != PST_OK && p->err.code != PST_E_NOMEM && p->err.code != PST_E_CHAIN)
        fail_msg("allocation %ld: %s", nth, p->err.text);
    assert_true(hit || p->failed == PST_OK);
    process_close(p);
    process_free(p);
    audit(&w, w.committed);
    run_healthy(&w);
    world_done(&w);
    assert_int_equal(pst_fault_live(), 0);
    return hit;
}

static void every_allocation(void **state)
{
    (void)state;
    long n = 0;
    while (one_allocation(n))
        n++;
    assert_in_range(n, 60, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation)};
    json_set_alloc_funcs(pst_malloc, pst_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

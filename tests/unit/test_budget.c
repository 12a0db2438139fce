/*
 * test_budget.c - buffer.memory between the sinks' queues and the windows.
 */
#include "runtime/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024 };

static void test_a_quarter_is_shared_by_those_there_are(void **state)
{
    pst_budget budget = {0};
    (void)state;
    pst_budget_open(&budget, 64 * MIB);
    assert_int_equal(budget.limit, 48 * MIB);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pst_budget_take_queue(&budget, 4), 4 * MIB);
    assert_int_equal(budget.limit, 48 * MIB);
}

/* One after the other: the first has a quarter, and all is within buffer.memory. */
static void test_those_that_come_later(void **state)
{
    pst_budget budget = {0};
    int64_t sizes[32], all = 0;
    (void)state;
    pst_budget_open(&budget, 256 * MIB);
    for (int i = 0; i < 32; i++) {
        sizes[i] = pst_budget_take_queue(&budget, i + 1);
        all += sizes[i];
        assert_in_range(sizes[i], MIB, i ? sizes[i - 1] : 64 * MIB);
        assert_true(all + budget.limit <= 256 * MIB);
        assert_true(budget.limit >= 64 * MIB);
    }
    assert_int_equal(sizes[0], 64 * MIB);
    assert_true(all > 64 * MIB);
    for (int i = 0; i < 32; i++)
        pst_budget_give_queue(&budget, sizes[i]);
    assert_int_equal(budget.limit, 192 * MIB);
    assert_int_equal(pst_budget_take_queue(&budget, 1), 64 * MIB);
}

static void test_a_little_memory_moves_all_the_same(void **state)
{
    pst_budget budget = {0};
    (void)state;
    pst_budget_open(&budget, 2 * MIB);
    for (int i = 0; i < 10; i++)
        assert_int_equal(pst_budget_take_queue(&budget, 10), MIB);
    assert_int_equal(budget.limit, MIB / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_quarter_is_shared_by_those_there_are),
        cmocka_unit_test(test_those_that_come_later),
        cmocka_unit_test(test_a_little_memory_moves_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

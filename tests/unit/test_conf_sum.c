/*
 * test_conf_sum.c - every row of a table counts in the fingerprint, and nothing else
 * does.
 */
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct values {
    char *text;
    bool flag;
    int count;
    int64_t size;
    double share;
    pst_conf_list names;
    int unlisted;
} values;

#define AT(member) offsetof(values, member)

static const pst_setting rows[] = {
    {.name = "text", .type = PST_CONF_STRING, .offset = AT(text)},
    {.name = "flag", .type = PST_CONF_BOOL, .offset = AT(flag)},
    {.name = "count", .type = PST_CONF_INT, .offset = AT(count)},
    {.name = "size", .type = PST_CONF_SIZE, .offset = AT(size)},
    {.name = "share", .type = PST_CONF_DOUBLE, .offset = AT(share)},
    {.name = "names", .type = PST_CONF_LIST, .offset = AT(names)},
    {.name = "later", .type = PST_CONF_STRING, .flags = PST_CONF_LATER},
};

static const pst_conf_section section = {"t", rows, sizeof rows / sizeof *rows};

static void each_row_counts(void **state)
{
    (void)state;
    char text[] = "a", empty[] = "", *one[] = {text}, *two[] = {text, empty};
    values plain = {.text = text, .names = {one, 1}};
    values others[] = {plain, plain, plain, plain, plain, plain, plain, plain};
    others[0].text = empty;
    others[1].text = NULL;
    others[2].flag = true;
    others[3].count = 1;
    others[4].size = 1;
    others[5].share = 0.5;
    others[6].names = (pst_conf_list){two, 2};
    others[7].names = (pst_conf_list){NULL, 0};
    uint32_t seen[9] = {pst_conf_sum(0, &section, &plain)};
    for (size_t i = 0; i < 8; i++) {
        seen[i + 1] = pst_conf_sum(0, &section, &others[i]);
        for (size_t k = 0; k <= i; k++)
            assert_int_not_equal(seen[i + 1], seen[k]);
    }
}

static void nothing_else_counts(void **state)
{
    (void)state;
    char text[] = "a", copy[] = "a";
    values a = {.text = text, .unlisted = 1}, b = {.text = copy, .unlisted = 2};
    assert_int_equal(pst_conf_sum(0, &section, &a), pst_conf_sum(0, &section, &b));
    assert_int_not_equal(pst_conf_sum(0, &section, &a), pst_conf_sum(1, &section, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_counts),
        cmocka_unit_test(nothing_else_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

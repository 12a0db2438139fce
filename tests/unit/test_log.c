/*
 * test_log.c - one line an event, whatever is in it.
 */
#include "base/log.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct seen {
    int lines;
    char last[4096];
} seen;

static void keep(void *opaque, pst_log_level level, const char *line)
{
    (void)level;
    seen *s = opaque;
    s->lines++;
    snprintf(s->last, sizeof s->last, "%s", line);
}

static void levels(void **state)
{
    (void)state;
    seen s = {0};
    pst_log *log = pst_log_new(keep, &s);
    pst_logf(log, PST_LOG_DEBUG, NULL, "m", "hidden");
    assert_int_equal(s.lines, 0);
    pst_logf(log, PST_LOG_INFO, "users-0", "chain", "landed %d", 5);
    assert_non_null(strstr(s.last, " INFO  [users-0] chain: landed 5"));
    pst_logf(log, PST_LOG_WARN, NULL, "m", "a\nb\x1b[31m");
    assert_null(strchr(s.last, '\n'));
    assert_null(strchr(s.last, '\x1b'));
    pst_log_set(log, PST_LOG_OFF, PST_LOG_TEXT);
    pst_logf(log, PST_LOG_ERROR, NULL, "m", "hidden");
    assert_int_equal(s.lines, 2);
    pst_logf(NULL, PST_LOG_ERROR, NULL, "m", "no log");
    pst_log_free(log);
    pst_log_free(NULL);
}

static void json_is_always_json(void **state)
{
    (void)state;
    seen s = {0};
    char longer[5000];
    pst_log *log = pst_log_new(keep, &s);
    pst_log_set(log, PST_LOG_INFO, PST_LOG_JSON);
    memset(longer, 'x', sizeof longer);
    for (size_t i = 0; i + 2 < sizeof longer; i += 3)
        memcpy(longer + i, i % 2 ? "é\"" : "\\é", 3);
    longer[sizeof longer - 1] = '\0';
    const char *messages[] = {"plain", "quote \" back \\ line\n", "é日本", "\xff\xfe",
                              longer};
    for (size_t i = 0; i < 5; i++) {
        pst_logf(log, PST_LOG_INFO, "t\"x", "m", "%s", messages[i]);
        json_error_t why;
        json_t *line = json_loads(s.last, 0, &why);
        assert_non_null(line);
        assert_string_equal(json_string_value(json_object_get(line, "level")), "info");
        const char *msg = json_string_value(json_object_get(line, "msg"));
        assert_non_null(msg);
        if (i == 4)
            assert_true(strlen(msg) > 2000); /* cut between characters */
        json_decref(line);
    }
    pst_log_free(log);
}

static void level_names(void **state)
{
    (void)state;
    pst_log_level level;
    assert_true(pst_log_level_of("WARN", &level));
    assert_int_equal(level, PST_LOG_WARN);
    assert_false(pst_log_level_of("loud", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),
        cmocka_unit_test(json_is_always_json),
        cmocka_unit_test(level_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

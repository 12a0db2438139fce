/*
 * test_log.c - one line an event, whatever is in it.
 */
#include "base/log.h"
#include "base/logline.h"
#include "base/logseen.h"
#include "base/str.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct seen {
    int lines;
    char last[2 * PST_LOGLINE_MAX];
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

/* What is not UTF-8 or not to be shown is replaced, the rest of the line stays. */
static void only_what_is_text(void **state)
{
    (void)state;
    seen s = {0};
    pst_log *log = pst_log_new(keep, &s);
    const char *bad = "a\xff"
                      "b\x7f"
                      "c\xc2\x9b"
                      "31m\xed\xa0\x80"
                      "d\xe6\x97\xa5";
    pst_logf(log, PST_LOG_INFO, "t\xfe", "m", "%s", bad);
    assert_non_null(strstr(s.last, " [t\xEF\xBF\xBD] m: a\xEF\xBF\xBD"
                                   "b c 31m"));
    assert_true(pst_utf8_valid(pst_sv_of(s.last)));
    assert_non_null(strstr(s.last, "d\xe6\x97\xa5"));
    pst_log_set(log, PST_LOG_INFO, PST_LOG_JSON);
    pst_logf(log, PST_LOG_INFO, "t\xfe", "m", "%s", bad);
    json_t *line = json_loads(s.last, 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "task")),
                        "t\xEF\xBF\xBD");
    assert_non_null(strstr(s.last, "c\\u009b31m"));
    assert_non_null(strstr(s.last, "b\\u007f"));
    json_decref(line);
    pst_log_free(log);
}

/* Whatever the length, a line fits, is whole UTF-8, and says that it was cut. */
static void a_line_has_its_length(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "x", "\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9f\x98\x80", "\n", "\"", "\xff"};
    char msg[8000], out[PST_LOGLINE_MAX];
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++)
        for (size_t shift = 0; shift < 8; shift++) {
            memset(msg, 'y', shift);
            size_t n = shift, one = strlen(pieces[p]);
            for (; n + one < sizeof msg; n += one)
                memcpy(msg + n, pieces[p], one);
            msg[n] = '\0';
            pst_logline line = {
                .level = PST_LOG_INFO, .task = msg, .module = "m", .msg = msg};
            for (int json = 0; json < 2; json++) {
                memset(out, '#', sizeof out);
                (json ? pst_logline_json : pst_logline_text)(out, &line);
                size_t length = strnlen(out, sizeof out);
                assert_true(length < PST_LOGLINE_MAX && length > PST_LOGLINE_MAX - 16);
                assert_true(pst_utf8_valid(pst_sv_of(out)));
                assert_non_null(strstr(out, "\xE2\x80\xA6"));
                json_t *parsed = json ? json_loads(out, 0, NULL) : NULL;
                assert_true(!json || parsed);
                json_decref(parsed);
            }
        }
    /* What just fits is not cut. */
    pst_logline line = {.level = PST_LOG_INFO, .module = "m", .msg = msg};
    size_t frame = strlen("1970-01-01T00:00:00.000Z INFO  m: ");
    memset(msg, 'z', sizeof msg);
    msg[PST_LOGLINE_MAX - 2 - frame] = '\0';
    pst_logline_text(out, &line);
    assert_int_equal(strlen(out), PST_LOGLINE_MAX - 2);
    assert_null(strstr(out, "\xE2\x80\xA6"));
}

static void a_module_has_a_level(void **state)
{
    (void)state;
    seen s = {0};
    pst_log_setting now;
    pst_log *log = pst_log_new(keep, &s);
    assert_false(pst_log_set_level(log, "nosuch", PST_LOG_DEBUG));
    assert_false(pst_log_get(log, "nosuch", &now));
    assert_true(pst_log_get(log, "chain", &now));
    assert_false(now.own);
    assert_int_equal(now.changed_ms, 0);
    assert_true(pst_log_set_level(log, "chain", PST_LOG_DEBUG));
    pst_logf(log, PST_LOG_DEBUG, NULL, "chain", "shown");
    pst_logf(log, PST_LOG_DEBUG, NULL, "store", "hidden");
    pst_logf(log, PST_LOG_DEBUG, NULL, "nosuch", "hidden");
    assert_int_equal(s.lines, 1);
    assert_true(pst_log_on(log, PST_LOG_DEBUG, "chain"));
    assert_false(pst_log_on(log, PST_LOG_DEBUG, "store"));
    assert_true(pst_log_get(log, "chain", &now));
    assert_true(now.own && now.changed_ms > 0 && now.level == PST_LOG_DEBUG);
    assert_true(pst_log_set_level(log, "store", PST_LOG_OFF));
    pst_logf(log, PST_LOG_ERROR, NULL, "store", "hidden");
    assert_int_equal(s.lines, 1);
    assert_true(
        pst_log_set_level(log, PST_LOG_ROOT, PST_LOG_ERROR)); /* goes down to all */
    pst_logf(log, PST_LOG_WARN, NULL, "chain", "hidden");
    assert_int_equal(s.lines, 1);
    pst_logf(log, PST_LOG_ERROR, NULL, "store", "shown");
    assert_int_equal(s.lines, 2);
    assert_true(pst_log_get(log, "chain", &now) && !now.own);
    pst_log_free(log);
}

static void repeats_are_counted(void **state)
{
    (void)state;
    seen s = {0};
    pst_log *log = pst_log_new(keep, &s);
    for (int i = 0; i < 10; i++) {
        pst_logf(log, PST_LOG_WARN, "t-0", "store", "is away");
        pst_logf(log, PST_LOG_INFO, "t-0", "store", "progress"); /* never held back */
    }
    assert_int_equal(s.lines, 11);
    pst_logf(log, PST_LOG_WARN, "t-1", "store", "is away"); /* another task's */
    pst_logf(log, PST_LOG_WARN, "t-0", "kafka", "is away");
    assert_int_equal(s.lines, 13);
    /* Nothing is lost: not of a line that gives way to others, and not at the end. */
    for (int i = 0; i < PST_LOGSEEN_SLOTS; i++)
        pst_logf(log, PST_LOG_ERROR, NULL, "store", "other %d", i);
    assert_int_equal(s.lines, 13 + PST_LOGSEEN_SLOTS + 1);
    pst_logf(log, PST_LOG_ERROR, NULL, "store", "other %d", PST_LOGSEEN_SLOTS - 1);
    assert_int_equal(s.lines, 13 + PST_LOGSEEN_SLOTS + 1);
    pst_log_free(log);
    assert_int_equal(s.lines, 13 + PST_LOGSEEN_SLOTS + 2);
    assert_non_null(strstr(s.last, "ERROR store: other 31 (and 1 time more since)"));
}

static void repeats_come_back(void **state)
{
    (void)state;
    pst_logseen memory = {0};
    pst_logseen_slot gone, over;
    unsigned held = 7;
    assert_true(
        pst_logseen_due(&memory, PST_LOG_WARN, NULL, "m", "a", 1000, &held, &gone));
    assert_int_equal(held, 0);
    for (int i = 1; i <= 3; i++)
        assert_false(pst_logseen_due(&memory, PST_LOG_WARN, NULL, "m", "a",
                                     999 + PST_LOG_REPEAT_MS, &held, &gone));
    assert_false(pst_logseen_over(&memory, 999 + PST_LOG_REPEAT_MS, false, &over));
    assert_true(pst_logseen_due(&memory, PST_LOG_WARN, NULL, "m", "a",
                                1000 + PST_LOG_REPEAT_MS, &held, &gone));
    assert_int_equal(held, 3);
    assert_false(gone.hash);
    /* "ab", "c" is not "a", "bc". */
    assert_true(pst_logseen_due(&memory, PST_LOG_WARN, "ab", "m", "c", 5, &held, &gone));
    assert_true(pst_logseen_due(&memory, PST_LOG_WARN, "a", "m", "bc", 5, &held, &gone));
    assert_false(pst_logseen_due(&memory, PST_LOG_WARN, "a", "m", "bc", 6, &held, &gone));
    assert_true(pst_logseen_over(&memory, 5 + PST_LOG_REPEAT_MS, false, &over));
    assert_string_equal(over.task, "a");
    assert_int_equal(over.held, 1);
    assert_false(pst_logseen_over(&memory, INT64_MAX, true, &over));
}

/* Two writers on one pipe: no line within another. */
static void a_line_is_one_write(void **state)
{
    (void)state;
    int ends[2];
    char out[2 * PST_LOGLINE_MAX], line[PST_LOGLINE_MAX];
    assert_int_equal(pipe(ends), 0);
    FILE *file = fdopen(ends[1], "w");
    memset(line, 'x', sizeof line);
    line[PST_LOGLINE_MAX - 2] = '\0';
    pst_log_to_file(file, PST_LOG_INFO, line);
    assert_int_equal(read(ends[0], out, sizeof out), PST_LOGLINE_MAX - 1);
    assert_int_equal(out[PST_LOGLINE_MAX - 2], '\n');
    fclose(file);
    close(ends[0]);
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
        cmocka_unit_test(only_what_is_text),
        cmocka_unit_test(a_line_has_its_length),
        cmocka_unit_test(a_module_has_a_level),
        cmocka_unit_test(repeats_are_counted),
        cmocka_unit_test(repeats_come_back),
        cmocka_unit_test(a_line_is_one_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

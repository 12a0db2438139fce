/*
 * test_worker_control.c - the keeper: connectors made, paused, set anew, restarted and
 * deleted by several threads at once, against librdkafka's embedded cluster and a
 * directory; after that it is what was asked for last.
 */
#include "runtime/control.h"

#include "base/mem.h"
#include "io/kafka_internal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 3, STEPS = 40, NAMES = 4, WAIT_MS = 100, PATIENCE = 600 };

typedef struct fixture {
    char dir[64];
    pst_mock_kafka *mock;
    pst_props worker_props;
    pst_conf_report report;
    pst_log *log;
    pst_worker *worker;
    unsigned int seed;
} fixture;

static void drop_line(void *opaque, pst_log_level level, const char *line)
{
    (void)opaque;
    (void)level;
    (void)line;
}

static void set(pst_props *props, const char *key, const char *value)
{
    pst_conf_report report;
    pst_conf_report_init(&report);
    assert_int_equal(pst_props_set(props, key, value, "test", &report), PST_OK);
    pst_conf_report_done(&report);
}

static int set_up(void **state)
{
    fixture *f = pst_calloc(1, sizeof *f);
    pst_err err = PST_ERR_INIT;
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/test_worker_control.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(pst_mock_kafka_new(&f->mock, 1, &err), PST_OK);
    assert_int_equal(pst_mock_kafka_create_topic(f->mock, "t", 2, &err), PST_OK);
    pst_props_init(&f->worker_props);
    pst_conf_report_init(&f->report);
    set(&f->worker_props, "bootstrap.servers", pst_mock_kafka_bootstrap(f->mock));
    set(&f->worker_props, "listeners", "");
    set(&f->worker_props, "buffer.memory", "8m");
    f->log = pst_log_new(drop_line, NULL);
    const pst_worker_options options = {.worker = &f->worker_props, .log = f->log};
    assert_int_equal(pst_worker_new(&f->worker, &options, &f->report), PST_OK);
    assert_int_equal(pst_worker_control(f->worker, true, &err), PST_OK);
    assert_int_equal(pst_worker_start(f->worker, &err), PST_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char command[128];
    pst_worker_free(f->worker);
    pst_mock_kafka_free(f->mock);
    pst_props_done(&f->worker_props);
    pst_conf_report_done(&f->report);
    pst_log_free(f->log);
    snprintf(command, sizeof command, "exec rm -r -- '%s'", f->dir);
    FILE *done = popen(command, "re");
    assert_non_null(done);
    assert_int_equal(pclose(done), 0);
    pst_free(f);
    return 0;
}

static pst_rc put(const fixture *f, int name, int tasks, pst_target target)
{
    char text[200];
    pst_props props;
    pst_conf_report report;
    pst_err err = PST_ERR_INIT;
    pst_props_init(&props);
    pst_conf_report_init(&report);
    snprintf(text, sizeof text, "c%d", name);
    set(&props, "name", text);
    snprintf(text, sizeof text, "file://%s", f->dir);
    set(&props, "store.url", text);
    snprintf(text, sizeof text, "d%d", name);
    set(&props, "topics.dir", text);
    snprintf(text, sizeof text, "%d", tasks);
    set(&props, "tasks.max", text);
    set(&props, "connector.class", "S3CsvSink");
    set(&props, "topics", "t");
    set(&props, "value.schema", "id BIGINT");
    pst_rc rc = pst_worker_put(f->worker, &props, target, &report, &err);
    pst_props_done(&props);
    pst_conf_report_done(&report);
    return rc;
}

/* ---- a storm ---- */

static void look(const fixture *f, const char *name)
{
    pst_connector_view view;
    char **names = NULL, cluster[128];
    size_t n = 0;
    if (pst_worker_look(f->worker, name, &view) == PST_OK)
        pst_connector_view_done(&view);
    if (pst_worker_names(f->worker, &names, &n) == PST_OK)
        pst_worker_names_free(names, n);
    pst_worker_cluster(f->worker, cluster, sizeof cluster);
}

static bool step(const fixture *f, unsigned int *seed)
{
    int number = rand_r(seed) % NAMES;
    char name[16];
    pst_rc rc = PST_OK;
    snprintf(name, sizeof name, "c%d", number);
    switch (rand_r(seed) % 8) {
    case 0:
    case 1:
        rc = put(f, number, 1 + rand_r(seed) % 2, (pst_target)(rand_r(seed) % 3));
        break;
    case 2:
        rc = pst_worker_target(f->worker, name, (pst_target)(rand_r(seed) % 3));
        break;
    case 3:
        rc = pst_worker_restart(f->worker, name, rand_r(seed) % 3 - 1, rand_r(seed) % 2);
        break;
    case 4:
        rc = pst_worker_remove(f->worker, name);
        break;
    case 5:
        rc = pst_worker_reset_topics(f->worker, name);
        break;
    default:
        look(f, name);
    }
    return rc == PST_OK || rc == PST_E_NOT_FOUND;
}

static void *storm(void *arg)
{
    const fixture *f = arg;
    unsigned int seed = f->seed ^ (unsigned int)(uintptr_t)pthread_self();
    for (int i = 0; i < STEPS; i++)
        if (!step(f, &seed))
            return arg;
    return NULL;
}

static void run_storm(fixture *f)
{
    pthread_t threads[THREADS];
    f->seed = 20261123;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, storm, f), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

/* So many tasks, all in this state, and none of them on its way to another. */
static bool is_settled(const fixture *f, const char *name, size_t n, pst_task_state state)
{
    pst_connector_view view;
    assert_int_equal(pst_worker_look(f->worker, name, &view), PST_OK);
    bool settled = view.n_tasks == n;
    for (size_t i = 0; i < view.n_tasks; i++)
        settled = settled && view.tasks[i].state == state && !view.tasks[i].ending;
    pst_connector_view_done(&view);
    return settled;
}

static void wait_settled(const fixture *f, const char *name, size_t n,
                         pst_task_state state)
{
    for (int i = 0; i < PATIENCE && !is_settled(f, name, n, state); i++)
        assert_false(pst_worker_wait(f->worker, WAIT_MS)); /* it stays */
    assert_true(is_settled(f, name, n, state));
}

static void test_after_a_storm_it_is_what_was_asked_for(void **state)
{
    fixture *f = *state;
    char **names = NULL;
    size_t n = 0;
    run_storm(f);
    for (int i = 1; i < NAMES; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        (void)!pst_worker_remove(f->worker, name);
    }
    assert_int_equal(put(f, 0, 2, PST_TARGET_RUNNING), PST_OK);
    assert_int_equal(pst_worker_target(f->worker, "c0", PST_TARGET_RUNNING), PST_OK);
    wait_settled(f, "c0", 2, PST_TASK_RUNNING);
    assert_int_equal(pst_worker_target(f->worker, "c0", PST_TARGET_PAUSED), PST_OK);
    wait_settled(f, "c0", 2, PST_TASK_PAUSED);
    assert_int_equal(pst_worker_restart(f->worker, "c0", -1, false), PST_OK);
    wait_settled(f, "c0", 2, PST_TASK_PAUSED);
    assert_int_equal(pst_worker_target(f->worker, "c0", PST_TARGET_STOPPED), PST_OK);
    wait_settled(f, "c0", 0, PST_TASK_PAUSED);
    assert_int_equal(pst_worker_names(f->worker, &names, &n), PST_OK);
    assert_int_equal(n, 1);
    assert_string_equal(names[0], "c0");
    pst_worker_names_free(names, n);
}

/* In the middle of it: everything ends, and nothing is left. */
static void test_a_stop_amid_a_storm(void **state)
{
    fixture *f = *state;
    pthread_t thread;
    f->seed = 7;
    assert_int_equal(pthread_create(&thread, NULL, storm, f), 0);
    for (int i = 0; i < STEPS / 4; i++)
        assert_true(step(f, &f->seed));
    pst_worker_stop(f->worker);
    void *failed = NULL;
    pthread_join(thread, &failed);
    assert_null(failed);
    bool ended = false;
    for (int i = 0; i < PATIENCE && !ended; i++)
        ended = pst_worker_wait(f->worker, WAIT_MS);
    assert_true(ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_after_a_storm_it_is_what_was_asked_for,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_amid_a_storm, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

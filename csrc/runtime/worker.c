/*
 * worker.c - see worker.h. Checks everything first, then one thread a task.
 */
#include "runtime/worker.h"

#include "base/mem.h"
#include "runtime/budget.h"
#include "runtime/sink_task.h"
#include "runtime/source_task.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { QUEUE_SHARE = 4, TASK_STACK = 1024 * 1024, QUEUE_MIN = 1024 * 1024 };

typedef struct connector_entry {
    const pst_connector *plugin;
    const pst_props *props;
    void *conf;
} connector_entry;

typedef struct task_entry {
    pst_worker *worker;
    const connector_entry *connector;
    char *id;
    pst_task_env env;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of status */
    pst_task_status status;
    pst_task_offset *offsets;
} task_entry;

struct pst_worker {
    pst_worker_options options;
    pst_worker_conf conf;
    pst_budget budget;
    pst_cancel *cancel, *abort;
    connector_entry *connectors;
    size_t n_connectors;
    task_entry *tasks;
    size_t n_tasks, running;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t ended;
};

/* ---- settings ---- */

static const pst_connector_conf *common(const connector_entry *entry)
{
    return entry->conf; /* its first member, by contract */
}

static void complain_class(const pst_props *props, pst_conf_report *report)
{
    const pst_prop *class = pst_props_find(props, "connector.class");
    char known[256] = "";
    for (size_t i = 0; i < pst_connectors_n; i++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "",
                 pst_connectors[i]->class_name);
    }
    if (class)
        pst_conf_error(report, class, "connector.class",
                       "unknown class \"%s\"; there are: %s", class->value, known);
    else
        pst_conf_error(report, props->n ? &props->items[0] : NULL, "connector.class",
                       "missing; there are: %s", known);
}

static bool load_connector(connector_entry *entry, const pst_props *props,
                           pst_conf_report *report)
{
    const char *class = pst_props_get(props, "connector.class");
    entry->props = props;
    entry->plugin = class ? pst_connector_find(class) : NULL;
    if (!entry->plugin) {
        complain_class(props, report);
        return false;
    }
    entry->conf = pst_calloc(1, entry->plugin->spec->size);
    if (!entry->conf) {
        report->nomem = true;
        return false;
    }
    return pst_conf_apply(entry->plugin->spec, props, entry->conf, report) == PST_OK;
}

static void check_names(const pst_worker *worker, pst_conf_report *report)
{
    for (size_t i = 0; i < worker->n_connectors; i++)
        for (size_t k = 0; k < i; k++) {
            const connector_entry *a = &worker->connectors[k],
                                  *b = &worker->connectors[i];
            const char *first = a->conf ? common(a)->name : NULL;
            const char *second = b->conf ? common(b)->name : NULL;
            if (first && second && strcmp(first, second) == 0)
                pst_conf_error(report, pst_props_find(b->props, "name"), "name",
                               "two connectors are called \"%s\"", first);
        }
}

static bool load_all(pst_worker *worker, pst_conf_report *report)
{
    const pst_worker_options *options = &worker->options;
    size_t before = report->errors;
    pst_rc rc = pst_conf_apply(&pst_worker_spec, options->worker, &worker->conf, report);
    bool ok = rc == PST_OK;
    for (size_t i = 0; i < options->n_connectors; i++) {
        connector_entry *entry = &worker->connectors[worker->n_connectors++];
        ok &= load_connector(entry, &options->connectors[i], report);
    }
    check_names(worker, report);
    return ok && report->errors == before && !report->nomem;
}

/* ---- tasks ---- */

static bool wants_latest(const pst_props *worker, const pst_props *connector)
{
    const char *reset = pst_props_get(connector, "consumer.override.auto.offset.reset");
    if (!reset)
        reset = pst_props_get(worker, "consumer.auto.offset.reset");
    return reset && strcmp(reset, "latest") == 0;
}

static pst_rc init_task(pst_worker *worker, const connector_entry *entry, int index,
                        task_entry *task)
{
    const pst_connector_conf *conf = common(entry);
    task->worker = worker;
    task->connector = entry;
    pthread_mutex_init(&task->lock, NULL);
    task->id = pst_asprintf("%s-%d", conf->name, index);
    task->offsets = pst_calloc(PST_TASK_OFFSETS_MAX, sizeof *task->offsets);
    if (!task->id || !task->offsets)
        return PST_E_NOMEM;
    task->env = (pst_task_env){
        .connector = conf->name,
        .id = task->id,
        .index = index,
        .clock = worker->options.clock,
        .cancel = worker->cancel,
        .abort = worker->abort,
        .until_end = worker->options.until_end,
        .reset_latest = wants_latest(worker->options.worker, entry->props),
        .startup_timeout_ms = worker->conf.startup_timeout_ms,
        .log = worker->options.log,
        .worker = worker->options.worker,
        .connector_props = entry->props,
        .budget = &worker->budget,
        .offsets_topic = worker->conf.offset_storage_topic,
        .offsets_retention_ms = worker->conf.offset_storage_retention_ms,
    };
    task->status = (pst_task_status){.connector = conf->name,
                                     .class_name = entry->plugin->class_name,
                                     .type = entry->plugin->type,
                                     .id = task->id,
                                     .state = PST_TASK_STARTING};
    return PST_OK;
}

/* A source has one task: its position is one. */
static int tasks_of(const connector_entry *entry)
{
    return entry->plugin->source ? 1 : common(entry)->tasks_max;
}

static pst_rc init_tasks(pst_worker *worker)
{
    size_t n = 0;
    for (size_t i = 0; i < worker->n_connectors; i++)
        n += (size_t)tasks_of(&worker->connectors[i]);
    worker->tasks = pst_calloc(n, sizeof *worker->tasks);
    if (!worker->tasks)
        return PST_E_NOMEM;
    for (size_t i = 0; i < worker->n_connectors; i++)
        for (int k = 0; k < tasks_of(&worker->connectors[i]); k++) {
            task_entry *task = &worker->tasks[worker->n_tasks++];
            pst_rc rc = init_task(worker, &worker->connectors[i], k, task);
            if (rc != PST_OK)
                return rc;
        }
    return PST_OK;
}

pst_rc pst_worker_new(pst_worker **out, const pst_worker_options *options,
                      pst_conf_report *report)
{
    pst_worker *worker = pst_calloc(1, sizeof *worker);
    if (!worker) {
        report->nomem = true;
        return PST_E_NOMEM;
    }
    worker->options = *options;
    if (!worker->options.clock)
        worker->options.clock = pst_clock_system();
    pthread_mutex_init(&worker->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&worker->ended, &attr);
    pthread_condattr_destroy(&attr);
    worker->cancel = pst_cancel_new();
    worker->abort = pst_cancel_new();
    worker->connectors = pst_calloc(options->n_connectors, sizeof *worker->connectors);
    pst_rc rc = PST_E_NOMEM;
    if (worker->cancel && worker->abort && worker->connectors)
        rc = load_all(worker, report) ? init_tasks(worker) : PST_E_CONFIG;
    if (rc != PST_OK) {
        report->nomem |= rc == PST_E_NOMEM;
        pst_worker_free(worker);
        return rc;
    }
    worker->budget.limit =
        worker->conf.buffer_memory - worker->conf.buffer_memory / QUEUE_SHARE;
    *out = worker;
    return PST_OK;
}

static void free_task(task_entry *task)
{
    if (task->started)
        pthread_join(task->thread, NULL);
    pthread_mutex_destroy(&task->lock);
    pst_free(task->id);
    pst_free(task->offsets);
}

void pst_worker_free(pst_worker *worker)
{
    if (!worker)
        return;
    if (worker->started)
        pst_worker_stop(worker);
    for (size_t i = 0; i < worker->n_tasks; i++)
        free_task(&worker->tasks[i]);
    pst_free(worker->tasks);
    for (size_t i = 0; i < worker->n_connectors; i++) {
        connector_entry *entry = &worker->connectors[i];
        if (entry->conf)
            pst_conf_done(entry->plugin->spec, entry->conf);
        pst_free(entry->conf);
    }
    pst_free(worker->connectors);
    pst_conf_done(&pst_worker_spec, &worker->conf);
    pst_cancel_free(worker->cancel);
    pst_cancel_free(worker->abort);
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->ended);
    pst_free(worker);
}

const pst_worker_conf *pst_worker_settings(const pst_worker *worker)
{
    return &worker->conf;
}

/* ---- running ---- */

static void report_sink(void *self, const pst_sink_stats *stats, bool running)
{
    task_entry *task = self;
    pthread_mutex_lock(&task->lock);
    pst_task_status *status = &task->status;
    if (running)
        status->state = PST_TASK_RUNNING;
    status->records = stats->records;
    status->rows = stats->rows;
    status->objects = stats->objects;
    status->bytes = stats->bytes;
    status->skipped = stats->skipped;
    status->errors = stats->errors;
    status->adopted = stats->adopted;
    memcpy(status->last_object, stats->last_object, sizeof status->last_object);
    pthread_mutex_unlock(&task->lock);
}

static int64_t queue_bytes(const pst_worker *worker)
{
    int64_t sinks = 0;
    for (size_t i = 0; i < worker->n_tasks; i++)
        sinks += worker->tasks[i].connector->plugin->sink != NULL;
    int64_t share = worker->conf.buffer_memory / QUEUE_SHARE / (sinks ? sinks : 1);
    return share < QUEUE_MIN ? QUEUE_MIN : share;
}

static pst_rc run_sink(task_entry *task, pst_err *err)
{
    pst_worker *worker = task->worker;
    pst_sink_run run = {
        .connector = task->connector->plugin,
        .conf = task->connector->conf,
        .env = &task->env,
        .queue_bytes = queue_bytes(worker),
        .shutdown_timeout_ms = worker->conf.shutdown_timeout_ms,
        .report = report_sink,
        .self = task,
        .offsets = task->offsets,
    };
    pst_rc rc = pst_sink_task_run(&run, err);
    report_sink(task, &run.stats, false);
    pthread_mutex_lock(&task->lock);
    task->status.unreachable = run.unreachable;
    task->status.n_offsets = run.n_offsets;
    pthread_mutex_unlock(&task->lock);
    return rc;
}

static void report_source(void *self, const pst_source_result *result)
{
    task_entry *task = self;
    pthread_mutex_lock(&task->lock);
    task->status.state = PST_TASK_RUNNING;
    task->status.records = result->delivered;
    task->status.undelivered = result->failed;
    task->status.skipped = result->skipped;
    pthread_mutex_unlock(&task->lock);
}

static pst_rc run_source(task_entry *task, pst_err *err)
{
    pst_source_result result = {
        .progress = report_source, .self = task, .offsets = task->offsets};
    pst_rc rc = pst_source_task_run(task->connector->plugin, task->connector->conf,
                                    &task->env, &result, err);
    report_source(task, &result);
    pthread_mutex_lock(&task->lock);
    task->status.unreachable = result.unreachable;
    task->status.n_offsets = result.n_offsets;
    pthread_mutex_unlock(&task->lock);
    return rc;
}

static void end_task(task_entry *task, pst_rc rc, const pst_err *err, double seconds)
{
    pst_worker *worker = task->worker;
    pthread_mutex_lock(&task->lock);
    task->status.seconds = seconds;
    task->status.err = *err;
    task->status.offsets = task->offsets;
    task->status.state = rc == PST_OK ? PST_TASK_DONE : PST_TASK_FAILED;
    pthread_mutex_unlock(&task->lock);
    if (rc != PST_OK)
        pst_logf(worker->options.log, PST_LOG_ERROR, task->id, "task", "failed: %s",
                 err->text);
    else
        pst_logf(worker->options.log, PST_LOG_INFO, task->id, "task",
                 "ended after %.1f s", seconds);
    pthread_mutex_lock(&worker->lock);
    worker->running--;
    pthread_cond_broadcast(&worker->ended);
    pthread_mutex_unlock(&worker->lock);
}

static void *run_task(void *arg)
{
    task_entry *task = arg;
    pst_err err = PST_ERR_INIT;
    const pst_clock *clock = task->env.clock;
    int64_t began = pst_mono_ms(clock);
    pst_rc rc =
        task->connector->plugin->sink ? run_sink(task, &err) : run_source(task, &err);
    end_task(task, rc, &err, (double)(pst_mono_ms(clock) - began) / 1000);
    return NULL;
}

static int start_thread(task_entry *task)
{
    pthread_attr_t attr;
    sigset_t all, old;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, TASK_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int failed = pthread_create(&task->thread, &attr, run_task, task);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return failed;
}

pst_rc pst_worker_start(pst_worker *worker, pst_err *err)
{
    worker->started = true;
    worker->running = worker->n_tasks;
    for (size_t i = 0; i < worker->n_tasks; i++) {
        if (start_thread(&worker->tasks[i])) {
            pthread_mutex_lock(&worker->lock);
            worker->running -= worker->n_tasks - i;
            pthread_mutex_unlock(&worker->lock);
            pst_worker_stop(worker);
            return pst_fail(err, PST_E_LIMIT,
                            "cannot start a thread: raise the limit of processes "
                            "(ulimit -u)");
        }
        worker->tasks[i].started = true;
    }
    return PST_OK;
}

void pst_worker_stop(pst_worker *worker)
{
    pst_cancel_set(worker->cancel);
}

void pst_worker_abort(pst_worker *worker)
{
    pst_cancel_set(worker->cancel);
    pst_cancel_set(worker->abort);
}

bool pst_worker_wait(pst_worker *worker, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int rc = 0;
    pthread_mutex_lock(&worker->lock);
    while (worker->running && rc == 0)
        rc = pthread_cond_timedwait(&worker->ended, &worker->lock, &until);
    bool ended = worker->running == 0;
    pthread_mutex_unlock(&worker->lock);
    return ended;
}

/* ---- status ---- */

size_t pst_worker_tasks(const pst_worker *worker)
{
    return worker->n_tasks;
}

void pst_worker_task(const pst_worker *worker, size_t i, pst_task_status *out)
{
    task_entry *task = &worker->tasks[i];
    pthread_mutex_lock(&task->lock);
    *out = task->status;
    pthread_mutex_unlock(&task->lock);
}

int pst_worker_exit_status(const pst_worker *worker)
{
    int status = 0;
    for (size_t i = 0; i < worker->n_tasks; i++) {
        pst_task_status task;
        pst_worker_task(worker, i, &task);
        if (task.state == PST_TASK_FAILED && status != 1)
            status = task.unreachable ? 3 : 1;
    }
    return status;
}

/*
 * worker.c - see worker.h. Checks everything first, then one thread a task.
 */
#include "runtime/worker_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- settings ---- */

static void check_names(const pst_worker *worker, pst_conf_report *report)
{
    for (size_t i = 0; i < worker->n_entries; i++)
        for (size_t k = 0; k < i; k++)
            pst_setup_check_twice(worker->entries[k]->now, worker->entries[i]->now,
                                  report);
}

static pst_rc load_one(pst_worker *worker, const pst_props *props,
                       pst_conf_report *report)
{
    pst_entry *entry = pst_entry_new(worker, true);
    if (!entry)
        return PST_E_NOMEM;
    worker->entries[worker->n_entries++] = entry;
    entry->now = pst_setup_new(props, NULL, report);
    return entry->now ? PST_OK : PST_E_NOMEM;
}

static void open_spool(pst_worker *worker, pst_conf_report *report)
{
    const pst_worker_conf *conf = &worker->conf;
    pst_err err = PST_ERR_INIT;
    if (!conf->spool_dir || !conf->spool_dir[0])
        return;
    pst_rc rc =
        pst_spool_new(&worker->spool, conf->spool_dir, conf->spool_max_bytes, &err);
    if (rc == PST_E_NOMEM)
        report->nomem = true;
    else if (rc != PST_OK)
        pst_conf_error(report, pst_props_find(worker->options.worker, "spool.dir"),
                       "spool.dir", "%s", err.text);
}

static pst_rc load_all(pst_worker *worker, pst_conf_report *report)
{
    const pst_worker_options *options = &worker->options;
    size_t before = report->errors;
    pst_rc rc = PST_OK;
    (void)!pst_conf_apply(&pst_worker_spec, options->worker, &worker->conf, report);
    open_spool(worker, report);
    for (size_t i = 0; rc == PST_OK && i < options->n_connectors; i++)
        rc = load_one(worker, &options->connectors[i], report);
    if (rc != PST_OK || report->nomem)
        return PST_E_NOMEM;
    check_names(worker, report);
    if (report->errors != before)
        return PST_E_CONFIG;
    for (size_t i = 0; rc == PST_OK && i < worker->n_entries; i++)
        rc = pst_setup_tasks(worker->entries[i]->now, worker->entries[i]);
    return rc;
}

static void init_locks(pst_worker *worker)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&worker->ended, &attr);
    pthread_cond_init(&worker->changed, &attr);
    pthread_condattr_destroy(&attr);
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
    worker->made_ms = pst_wall_ms(worker->options.clock);
    init_locks(worker);
    size_t room = options->n_connectors + PST_CONNECTORS_MAX;
    worker->entries = pst_calloc(room, sizeof(pst_entry *));
    pst_rc rc = worker->entries ? load_all(worker, report) : PST_E_NOMEM;
    if (rc != PST_OK) {
        report->nomem |= rc == PST_E_NOMEM;
        pst_worker_free(worker);
        return rc;
    }
    pst_budget_open(&worker->budget, worker->conf.buffer_memory);
    *out = worker;
    return PST_OK;
}

static void join_tasks(const pst_setup *setup)
{
    for (size_t i = 0; setup && i < setup->n_tasks; i++)
        if (setup->tasks[i].life != PST_LIFE_NONE)
            pthread_join(setup->tasks[i].thread, NULL);
}

void pst_worker_free(pst_worker *worker)
{
    if (!worker)
        return;
    if (worker->started)
        pst_worker_stop(worker);
    pst_worker_keeper_stop(worker);
    for (size_t i = 0; i < worker->n_entries; i++) { /* only the keeper changed these */
        join_tasks(worker->entries[i]->now);
        pst_entry_free(worker->entries[i]);
    }
    pst_free(worker->entries);
    pst_spool_free(worker->spool);
    pst_conf_done(&pst_worker_spec, &worker->conf);
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->ended);
    pthread_cond_destroy(&worker->changed);
    pst_free(worker);
}

const pst_worker_conf *pst_worker_settings(const pst_worker *worker)
{
    return &worker->conf;
}

/* Has the log these levels? Modules are not set anew for nothing: when that was is told.
 */
static bool has_levels(const pst_worker_conf *conf, const pst_log *log)
{
    pst_log_setting now;
    bool same = pst_log_get(log, PST_LOG_ROOT, &now) && (int)now.level == conf->log_level;
    for (size_t i = 0; same && i < PST_LOG_MODULES; i++) {
        (void)pst_log_get(log, pst_log_modules[i], &now);
        int wanted = conf->log_levels[i];
        same = wanted == PST_WORKER_LOG_ROOT ? !now.own
                                             : now.own && (int)now.level == wanted;
    }
    return same;
}

void pst_worker_log(const pst_worker_conf *conf, pst_log *log, pst_log_format format)
{
    pst_log_set_format(log, format);
    if (has_levels(conf, log))
        return;
    (void)pst_log_set_level(log, PST_LOG_ROOT, (pst_log_level)conf->log_level);
    for (size_t i = 0; i < PST_LOG_MODULES; i++)
        if (conf->log_levels[i] != PST_WORKER_LOG_ROOT)
            (void)pst_log_set_level(log, pst_log_modules[i],
                                    (pst_log_level)conf->log_levels[i]);
}

/* ---- running ---- */

/* Under the lock. */
static pst_rc start_tasks(pst_setup *setup, pst_err *err)
{
    for (size_t i = 0; i < setup->n_tasks; i++)
        if (pst_task_start(&setup->tasks[i]) != PST_OK)
            return pst_fail(err, PST_E_LIMIT,
                            "cannot start a thread: raise the limit of processes "
                            "(ulimit -u)");
    return PST_OK;
}

pst_rc pst_worker_start(pst_worker *worker, pst_err *err)
{
    pst_rc rc = PST_OK;
    pthread_mutex_lock(&worker->lock);
    worker->started = true;
    for (size_t i = 0; rc == PST_OK && i < worker->n_entries; i++)
        if (worker->entries[i]->target != PST_TARGET_STOPPED)
            rc = start_tasks(worker->entries[i]->now, err);
    pthread_mutex_unlock(&worker->lock);
    if (rc != PST_OK)
        pst_worker_stop(worker);
    return rc;
}

static void cancel_task(const pst_task_entry *task, bool abort)
{
    if (task->cancel)
        pst_cancel_set(task->cancel);
    if (abort && task->abort)
        pst_cancel_set(task->abort);
}

static void cancel_all(pst_worker *worker, bool abort)
{
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    worker->aborting |= abort;
    for (size_t i = 0; i < worker->n_entries; i++) {
        const pst_setup *setup = worker->entries[i]->now;
        for (size_t k = 0; k < setup->n_tasks; k++)
            cancel_task(&setup->tasks[k], abort);
    }
    pthread_cond_broadcast(&worker->ended);
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

void pst_worker_stop(pst_worker *worker)
{
    cancel_all(worker, false);
}

void pst_worker_abort(pst_worker *worker)
{
    cancel_all(worker, true);
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
    while (!pst_worker_over(worker) && rc == 0)
        rc = pthread_cond_timedwait(&worker->ended, &worker->lock, &until);
    bool ended = pst_worker_over(worker);
    pthread_mutex_unlock(&worker->lock);
    return ended;
}

/* Under the lock. */
static int64_t silent_ms(pst_task_entry *task, int64_t now_ms)
{
    if (task->life != PST_LIFE_RUNNING) {
        task->seen.any = false; /* another thread begins anew */
        return 0;
    }
    return pst_beat_silent_ms(&task->beat, &task->seen, now_ms);
}

int64_t pst_worker_silent(pst_worker *worker, char *task, size_t size)
{
    int64_t longest = 0, now = pst_mono_ms(worker->options.clock);
    pthread_mutex_lock(&worker->lock);
    for (size_t i = 0; i < worker->n_entries; i++) {
        const pst_setup *setup = worker->entries[i]->now;
        for (size_t k = 0; k < setup->n_tasks; k++) {
            int64_t ms = silent_ms(&setup->tasks[k], now);
            if (ms > longest)
                snprintf(task, size, "%s", setup->tasks[k].id);
            longest = ms > longest ? ms : longest;
        }
    }
    pthread_mutex_unlock(&worker->lock);
    return longest;
}

/* ---- status ---- */

size_t pst_worker_tasks(const pst_worker *worker)
{
    size_t n = 0;
    for (size_t i = 0; i < worker->n_entries; i++)
        n += worker->entries[i]->now->n_tasks;
    return n;
}

static pst_task_entry *task_at(const pst_worker *worker, size_t at)
{
    for (size_t i = 0; i < worker->n_entries; i++) {
        pst_setup *setup = worker->entries[i]->now;
        if (at < setup->n_tasks)
            return &setup->tasks[at];
        at -= setup->n_tasks;
    }
    return NULL;
}

void pst_worker_task(const pst_worker *worker, size_t i, pst_task_status *out)
{
    pst_task_entry *task = task_at(worker, i);
    pthread_mutex_lock(&task->lock);
    *out = task->status;
    pthread_mutex_unlock(&task->lock);
}

int pst_worker_exit_status(const pst_worker *worker)
{
    int status = 0;
    for (size_t i = 0; i < pst_worker_tasks(worker); i++) {
        pst_task_status task;
        pst_worker_task(worker, i, &task);
        if (task.state == PST_TASK_FAILED && status != 1)
            status = task.unreachable ? 3 : 1;
    }
    return status;
}

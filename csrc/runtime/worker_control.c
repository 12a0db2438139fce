/*
 * worker_control.c - see control.h. What is wanted is written down under the lock and the
 * keeper's thread woken; it compares that with what is, cancels, joins and starts. So no
 * caller ever waits for a task, and two changes at once are just the later one.
 */
#include "runtime/worker_internal.h"

#include "base/mem.h"

#include <signal.h>
#include <string.h>

enum { KEEPER_STACK = 256 * 1024 };

/* ---- the keeper ---- */

static bool wanted(const pst_entry *entry)
{
    return !entry->worker->stopping && !entry->deleted && !entry->next &&
           entry->target != PST_TARGET_STOPPED;
}

static void end_task(pst_task_entry *task)
{
    pst_cancel_set(task->cancel);
    if (task->worker->aborting)
        pst_cancel_set(task->abort);
}

/* One step for one task; true: something has changed. */
static bool settle_task(pst_task_entry *task, bool up)
{
    if (task->life == PST_LIFE_RUNNING) {
        if (!up || task->again)
            end_task(task);
        return false;
    }
    if (task->life == PST_LIFE_ENDED) {
        if (up && !task->again)
            return false; /* it is done, or has failed: for others to see */
        if (task->worker->stopping)
            return false; /* likewise */
        task->again = up;
        pst_task_join(task);
        return true;
    }
    bool start = up && (task->again || task->status.state == PST_TASK_STARTING);
    return start && pst_task_start(task) == PST_OK;
}

static void drop_entry(pst_worker *worker, size_t i)
{
    pst_entry_free(worker->entries[i]);
    worker->n_entries--;
    memmove(&worker->entries[i], &worker->entries[i + 1],
            (worker->n_entries - i) * sizeof *worker->entries);
}

static bool is_down(const pst_setup *setup)
{
    for (size_t i = 0; i < setup->n_tasks; i++)
        if (setup->tasks[i].life != PST_LIFE_NONE)
            return false;
    return true;
}

static bool settle_entry(pst_worker *worker, size_t i)
{
    pst_entry *entry = worker->entries[i];
    bool up = wanted(entry), changed = false;
    for (size_t k = 0; k < entry->now->n_tasks; k++)
        changed |= settle_task(&entry->now->tasks[k], up);
    if (worker->stopping || !is_down(entry->now))
        return changed;
    if (entry->deleted) {
        drop_entry(worker, i);
        return true;
    }
    if (entry->next) {
        pst_setup_free(entry->now);
        entry->now = entry->next;
        entry->next = NULL;
        return true;
    }
    return changed;
}

static void *keep(void *arg)
{
    pst_worker *worker = arg;
    pthread_setname_np(pthread_self(), "pst-keeper");
    pthread_mutex_lock(&worker->lock);
    while (!worker->closing) {
        bool changed = false;
        size_t n = worker->n_entries;
        for (size_t i = 0; worker->started && i < worker->n_entries; i++) {
            changed |= settle_entry(worker, i);
            if (worker->n_entries != n)
                break; /* one is gone: from the front again */
        }
        if (changed)
            pthread_cond_broadcast(&worker->ended); /* perhaps it is over now */
        else
            pthread_cond_wait(&worker->changed, &worker->lock);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

pst_rc pst_worker_control(pst_worker *worker, bool stays, pst_err *err)
{
    pthread_attr_t attr;
    sigset_t all, old;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, KEEPER_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    worker->stays = stays;
    worker->keeping = pthread_create(&worker->keeper, &attr, keep, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (!worker->keeping)
        return pst_fail(err, PST_E_LIMIT,
                        "cannot start a thread: raise the limit of processes "
                        "(ulimit -u)");
    return PST_OK;
}

void pst_worker_keeper_stop(pst_worker *worker)
{
    if (!worker->keeping)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->closing = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->keeper, NULL);
    worker->keeping = false;
}

/* Is there something left for the keeper to do, or for others to ask of it? */
static bool is_pending(const pst_entry *entry)
{
    if (entry->deleted || entry->next || entry->target != PST_TARGET_RUNNING)
        return true;
    for (size_t i = 0; i < entry->now->n_tasks; i++) {
        const pst_task_entry *task = &entry->now->tasks[i];
        if (task->again ||
            (task->life == PST_LIFE_NONE && task->status.state == PST_TASK_STARTING))
            return true;
    }
    return false;
}

bool pst_worker_over(const pst_worker *worker)
{
    if (worker->running)
        return false;
    if (worker->stopping || !worker->keeping)
        return true;
    if (worker->stays)
        return false;
    for (size_t i = 0; i < worker->n_entries; i++)
        if (is_pending(worker->entries[i]))
            return false;
    return true;
}

/* ---- what is wanted ---- */

pst_entry *pst_worker_find_any(const pst_worker *worker, const char *name)
{
    for (size_t i = 0; i < worker->n_entries; i++)
        if (strcmp(pst_entry_name(worker->entries[i]), name) == 0)
            return worker->entries[i];
    return NULL;
}

pst_entry *pst_worker_find(const pst_worker *worker, const char *name)
{
    pst_entry *entry = pst_worker_find_any(worker, name);
    return entry && !entry->deleted ? entry : NULL;
}

void pst_entry_target(pst_entry *entry, pst_target target)
{
    entry->target = target;
    atomic_store(&entry->paused, target == PST_TARGET_PAUSED);
}

static pst_rc unlock(pst_worker *worker, pst_rc rc)
{
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    return rc;
}

void pst_worker_check(const pst_props *props, pst_conf_report *report)
{
    pst_setup *setup = pst_setup_new(props, NULL, report);
    pst_setup_free(setup);
}

static pst_rc add_entry(pst_worker *worker, pst_setup *setup, pst_target target,
                        pst_err *err)
{
    size_t room = worker->options.n_connectors + PST_CONNECTORS_MAX;
    if (worker->n_entries == room)
        return pst_fail(err, PST_E_LIMIT, "there are %d connectors already",
                        PST_CONNECTORS_MAX);
    pst_entry *entry = pst_entry_new(worker, false);
    if (!entry || pst_setup_tasks(setup, entry) != PST_OK) {
        pst_entry_free(entry);
        return pst_fail_nomem(err, "a connector");
    }
    entry->now = setup;
    pst_entry_target(entry, target);
    worker->entries[worker->n_entries++] = entry;
    return PST_OK;
}

void pst_entry_change(pst_entry *entry, pst_setup *setup, pst_target target)
{
    pst_setup_free(entry->next);
    entry->next = setup;
    if (entry->deleted)
        pst_entry_target(entry, target);
    entry->deleted = false;
}

static pst_rc replace(pst_entry *entry, pst_setup *setup, pst_target target, pst_err *err)
{
    if (entry->fixed)
        return pst_fail(err, PST_E_CONFIG,
                        "connector %s is of the command line (%s): change that file and "
                        "send the daemon a SIGHUP",
                        pst_entry_name(entry),
                        entry->now->props->n && entry->now->props->items[0].file
                            ? entry->now->props->items[0].file
                            : "no file");
    if (pst_setup_tasks(setup, entry) != PST_OK)
        return pst_fail_nomem(err, "a connector");
    pst_entry_change(entry, setup, target);
    return PST_OK;
}

pst_rc pst_worker_put(pst_worker *worker, pst_props *props, pst_target target,
                      pst_conf_report *report, pst_err *err)
{
    size_t before = report->errors;
    pst_setup *setup = pst_setup_new(NULL, props, report);
    pst_rc rc = setup && !report->nomem ? PST_OK : pst_fail_nomem(err, "a connector");
    if (rc == PST_OK && report->errors > before)
        rc = pst_fail(err, PST_E_CONFIG, "the configuration is invalid");
    if (rc != PST_OK) {
        pst_setup_free(setup);
        return rc;
    }
    pthread_mutex_lock(&worker->lock);
    pst_entry *entry = pst_worker_find_any(worker, pst_setup_common(setup)->name);
    rc = entry ? replace(entry, setup, target, err)
               : add_entry(worker, setup, target, err);
    (void)unlock(worker, rc);
    if (rc != PST_OK)
        pst_setup_free(setup);
    return rc;
}

static void forget_topics(pst_entry *entry)
{
    for (size_t i = 0; i < entry->n_topics; i++)
        pst_free(entry->topics[i]);
    entry->n_topics = 0;
}

void pst_entry_delete(pst_entry *entry)
{
    entry->deleted = true;
    forget_topics(entry);
}

pst_rc pst_worker_remove(pst_worker *worker, const char *name)
{
    pthread_mutex_lock(&worker->lock);
    pst_entry *entry = pst_worker_find(worker, name);
    if (entry)
        pst_entry_delete(entry);
    return unlock(worker, entry ? PST_OK : PST_E_NOT_FOUND);
}

pst_rc pst_worker_target(pst_worker *worker, const char *name, pst_target target)
{
    pthread_mutex_lock(&worker->lock);
    pst_entry *entry = pst_worker_find(worker, name);
    if (entry)
        pst_entry_target(entry, target);
    return unlock(worker, entry ? PST_OK : PST_E_NOT_FOUND);
}

static bool has_failed(pst_task_entry *task)
{
    pthread_mutex_lock(&task->lock);
    bool failed = task->status.state == PST_TASK_FAILED;
    pthread_mutex_unlock(&task->lock);
    return failed;
}

pst_rc pst_worker_restart(pst_worker *worker, const char *name, int task,
                          bool only_failed)
{
    pthread_mutex_lock(&worker->lock);
    pst_entry *entry = pst_worker_find(worker, name);
    bool found = false;
    for (size_t i = 0; entry && wanted(entry) && i < entry->now->n_tasks; i++) {
        pst_task_entry *one = &entry->now->tasks[i];
        if (task >= 0 && i != (size_t)task)
            continue;
        found = true;
        if (!only_failed || has_failed(one))
            one->again = true;
    }
    return unlock(worker, entry && (found || task < 0) ? PST_OK : PST_E_NOT_FOUND);
}

pst_rc pst_worker_reset_topics(pst_worker *worker, const char *name)
{
    pthread_mutex_lock(&worker->lock);
    pst_entry *entry = pst_worker_find(worker, name);
    if (entry)
        forget_topics(entry);
    return unlock(worker, entry ? PST_OK : PST_E_NOT_FOUND);
}

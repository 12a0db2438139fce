/*
 * worker_view.c - copies of what a worker's connectors are and do, for those who look:
 * taken under the lock, read without it.
 */
#include "runtime/worker_internal.h"

#include "base/mem.h"
#include "runtime/source_internal.h"

#include <stdio.h>
#include <string.h>

void pst_worker_names_free(char **names, size_t n)
{
    for (size_t i = 0; names && i < n; i++)
        pst_free(names[i]);
    pst_free(names);
}

pst_rc pst_worker_names(pst_worker *worker, char ***names, size_t *n)
{
    pst_rc rc = PST_OK;
    size_t found = 0;
    pthread_mutex_lock(&worker->lock);
    char **list = pst_calloc(worker->n_entries + 1, sizeof *list);
    if (!list)
        rc = PST_E_NOMEM;
    for (size_t i = 0; rc == PST_OK && i < worker->n_entries; i++) {
        if (worker->entries[i]->deleted)
            continue;
        list[found] = pst_strdup(pst_entry_name(worker->entries[i]));
        if (list[found])
            found++;
        else
            rc = PST_E_NOMEM;
    }
    pthread_mutex_unlock(&worker->lock);
    if (rc != PST_OK) {
        pst_worker_names_free(list, found);
        return rc;
    }
    *names = list;
    *n = found;
    return PST_OK;
}

static void view_task(pst_task_view *out, pst_task_entry *task, size_t i, bool ending)
{
    pthread_mutex_lock(&task->lock);
    *out = (pst_task_view){
        .id = (int)i, .state = task->status.state, .ending = ending || task->again};
    if (task->status.state == PST_TASK_FAILED)
        snprintf(out->trace, sizeof out->trace, "%s", task->status.err.text);
    pthread_mutex_unlock(&task->lock);
}

static pst_rc view_tasks(pst_entry *entry, pst_connector_view *out)
{
    const pst_setup *setup = entry->next ? entry->next : entry->now;
    bool stopped = entry->target == PST_TARGET_STOPPED;
    out->tasks = pst_calloc(setup->n_tasks, sizeof *out->tasks);
    if (!out->tasks)
        return PST_E_NOMEM;
    for (size_t i = 0; i < setup->n_tasks; i++) {
        /* A stopped connector's tasks are told as long as they end. */
        if (stopped && setup->tasks[i].life == PST_LIFE_NONE)
            continue;
        view_task(&out->tasks[out->n_tasks++], &setup->tasks[i], i,
                  entry->next || stopped);
    }
    return PST_OK;
}

static pst_rc copy_names(char *const *names, size_t n, char ***out, size_t *n_out)
{
    char **list = *out = pst_calloc(n + 1, sizeof *list);
    for (size_t i = 0; list && i < n; i++) {
        if (!(list[i] = pst_strdup(names[i])))
            return PST_E_NOMEM;
        ++*n_out;
    }
    return list ? PST_OK : PST_E_NOMEM;
}

static pst_rc view_topics(const pst_entry *entry, const pst_setup *setup,
                          pst_connector_view *out)
{
    const char *regex = NULL;
    const pst_conf_list *named =
        setup->plugin->topics ? setup->plugin->topics(setup->conf, &regex) : NULL;
    pst_rc rc = copy_names(entry->topics, entry->n_topics, &out->topics, &out->n_topics);
    if (rc == PST_OK && named)
        rc = copy_names(named->items, named->n, &out->named, &out->n_named);
    return rc;
}

pst_rc pst_worker_look(pst_worker *worker, const char *name, pst_connector_view *out)
{
    *out = (pst_connector_view){.plugin = NULL};
    pthread_mutex_lock(&worker->lock);
    pst_entry *entry = pst_worker_find(worker, name);
    pst_rc rc = entry ? PST_OK : PST_E_NOT_FOUND;
    if (rc == PST_OK) {
        const pst_setup *setup = entry->next ? entry->next : entry->now;
        out->plugin = setup->plugin;
        out->target = entry->target;
        out->fixed = entry->fixed;
        rc = pst_props_copy(&out->props, setup->props);
        if (rc == PST_OK)
            rc = view_tasks(entry, out);
        if (rc == PST_OK)
            rc = view_topics(entry, setup, out);
    }
    pthread_mutex_unlock(&worker->lock);
    if (rc != PST_OK) {
        pst_connector_view_done(out);
        return rc;
    }
    out->name = pst_props_get(&out->props, "name");
    return PST_OK;
}

void pst_connector_view_done(pst_connector_view *view)
{
    pst_worker_names_free(view->topics, view->n_topics);
    pst_worker_names_free(view->named, view->n_named);
    pst_free(view->tasks);
    pst_props_done(&view->props);
    *view = (pst_connector_view){.plugin = NULL};
}

static void copy_progress(pst_task_entry *task, pst_task_status *status,
                          pst_progress *progress)
{
    pthread_mutex_lock(&task->lock);
    *status = task->status;
    if (progress && task->shown)
        pst_progress_copy(progress, task->shown);
    pthread_mutex_unlock(&task->lock);
}

pst_rc pst_worker_progress(pst_worker *worker, const char *name, int task,
                           pst_task_status *status, pst_progress *progress)
{
    if (progress)
        pst_progress_clear(progress);
    pthread_mutex_lock(&worker->lock);
    pst_entry *entry = pst_worker_find(worker, name);
    const pst_setup *setup = !entry ? NULL : entry->next ? entry->next : entry->now;
    bool there = setup && task >= 0 && (size_t)task < setup->n_tasks;
    if (there)
        copy_progress(&setup->tasks[task], status, progress);
    pthread_mutex_unlock(&worker->lock);
    return there ? PST_OK : PST_E_NOT_FOUND;
}

void pst_worker_cluster(pst_worker *worker, char *out, size_t size)
{
    pthread_mutex_lock(&worker->lock);
    snprintf(out, size, "%s", worker->cluster);
    pthread_mutex_unlock(&worker->lock);
}

/* ---- a source's stored offset ---- */

static pst_rc load_stored(source_task *task, int timeout_ms, pst_buf *key,
                          pst_buf *offset, bool *found, pst_err *err)
{
    pst_rc rc = pst_source_txn_plan(task, err);
    pst_sv whole = {task->txn.key.data, task->txn.key.len};
    pst_offsets_at at = {.kafka = {.worker = task->env->worker,
                                   .connector = task->env->connector_props,
                                   .client_id = "penstockd-rest"},
                         .topic = task->env->offsets_topic,
                         .timeout_ms = timeout_ms};
    if (rc == PST_OK && task->txn.id)
        rc = pst_offsets_load(&at, whole, offset, found, err);
    if (rc == PST_OK && task->txn.id)
        rc = pst_buf_add(key, whole.p, whole.n);
    pst_source_txn_done(task);
    return rc;
}

pst_rc pst_worker_stored(pst_worker *worker, const pst_connector_view *view,
                         int timeout_ms, pst_buf *key, pst_buf *offset, bool *found,
                         pst_err *err)
{
    pst_conf_report report;
    pst_conf_report_init(&report);
    pst_setup *setup = pst_setup_new(&view->props, NULL, &report);
    pst_rc rc = PST_E_NOMEM;
    *found = false;
    if (setup && setup->conf && !report.nomem && !report.errors) {
        pst_task_env env = {
            .connector = view->name,
            .worker = worker->options.worker,
            .connector_props = &view->props,
            .offsets_topic = worker->conf.offset_storage_topic,
        };
        source_task task = {.connector = view->plugin, .conf = setup->conf, .env = &env};
        rc = load_stored(&task, timeout_ms, key, offset, found, err);
    } else {
        (void)pst_fail_nomem(err, "a source's settings");
    }
    pst_setup_free(setup);
    pst_conf_report_done(&report);
    return rc;
}

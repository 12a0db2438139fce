/*
 * worker_metrics.c - a copy of all tasks' numbers, taken under the worker's lock and
 * written without it. It has ceilings: what is beyond them is counted, not shown.
 */
#include "runtime/worker_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Of this process, in bytes; 0 if the system does not tell. */
static int64_t resident(void)
{
    long long pages = 0, all = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%lld %lld", &all, &pages) != 2)
        pages = 0;
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int64_t cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage))
        return 0;
    return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static pst_rc copy_task(pst_task_entry *task, int id, size_t *room,
                        pst_metrics_page *page)
{
    pst_task_metrics *out = &page->tasks[page->n_tasks++];
    snprintf(out->connector, sizeof out->connector, "%s", task->env.connector);
    out->id = id;
    out->sink = task->setup->plugin->sink != NULL;
    pthread_mutex_lock(&task->lock);
    out->state = (int)task->status.state;
    pthread_mutex_unlock(&task->lock);
    pst_metrics_copy(&task->metrics, out);
    return pst_metrics_copy_parts(&task->metrics, out, room, &page->dropped_parts);
}

/* Under the lock. */
static pst_rc copy_tasks(const pst_worker *worker, pst_metrics_page *page)
{
    size_t room = PST_METRICS_ALL_PARTS_MAX;
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < worker->n_entries; i++) {
        const pst_entry *entry = worker->entries[i];
        page->connectors += !entry->deleted;
        for (size_t k = 0; rc == PST_OK && k < entry->now->n_tasks; k++) {
            page->all_tasks++;
            if (page->n_tasks == PST_METRICS_TASKS_MAX)
                page->dropped_tasks++;
            else
                rc = copy_task(&entry->now->tasks[k], (int)k, &room, page);
        }
    }
    return rc;
}

pst_rc pst_worker_metrics(pst_worker *worker, pst_metrics_page *out)
{
    *out = (pst_metrics_page){
        .buffer_used = pst_budget_used(&worker->budget),
        .buffer_limit = worker->budget.limit,
        .cpu_us = cpu_us(),
        .resident_bytes = resident(),
        .started_ms = worker->made_ms,
    };
    out->tasks = pst_calloc(PST_METRICS_TASKS_MAX, sizeof *out->tasks);
    if (!out->tasks)
        return PST_E_NOMEM;
    pthread_mutex_lock(&worker->lock);
    pst_rc rc = copy_tasks(worker, out);
    pthread_mutex_unlock(&worker->lock);
    if (rc != PST_OK)
        pst_metrics_page_done(out);
    return rc;
}

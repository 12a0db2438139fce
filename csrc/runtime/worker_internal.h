/*
 * worker_internal.h - what the files of the worker share and nobody else includes.
 *
 *   worker.c          the process: settings, start, stop, wait, status
 *   worker_setup.c    one connector's settings, checked, and its tasks
 *   worker_task.c     one task's thread
 *   worker_control.c  changes while it runs: the keeper's thread
 *   worker_refresh.c  the connectors of the command line anew
 *   worker_view.c     copies of what is, for those who look
 *   worker_metrics.c  the same of what is counted
 *
 * Locks: worker->lock guards the list of connectors, their targets and setups and the
 * life of their tasks; a task's own lock guards its status and is taken under it.
 */
#ifndef PST_RUNTIME_WORKER_INTERNAL_H
#define PST_RUNTIME_WORKER_INTERNAL_H

#include "base/beat.h"
#include "base/spool.h"
#include "runtime/budget.h"
#include "runtime/control.h"
#include "runtime/worker.h"

#include <pthread.h>
#include <stdatomic.h>

struct pst_setup;
struct pst_entry;

typedef enum pst_task_life {
    PST_LIFE_NONE,    /* no thread: not started yet, or joined */
    PST_LIFE_RUNNING, /* its thread runs */
    PST_LIFE_ENDED,   /* its thread has said its last word and may be joined */
} pst_task_life;

typedef struct pst_task_entry {
    struct pst_worker *worker;
    struct pst_entry *entry;
    const struct pst_setup *setup;
    char *id;
    pst_task_env env;
    pst_cancel *cancel, *abort; /* its own: a task ends alone, too */
    pthread_t thread;
    pst_task_life life;   /* under worker->lock */
    bool again;           /* restart it; likewise */
    pthread_mutex_t lock; /* of status and shown */
    pst_task_status status;
    pst_progress *shown, *spare; /* sinks; while it runs the task has the spare one */
    pst_task_offset *offsets;
    pst_metrics metrics;
    pst_beat beat;
    pst_beat_seen seen; /* by pst_worker_silent(), under worker->lock */
} pst_task_entry;

/* One configuration of a connector: never changed, its tasks run by it. */
typedef struct pst_setup {
    const pst_connector *plugin;
    pst_props own; /* of a connector that came at run time */
    const pst_props *props;
    void *conf;
    pst_task_entry *tasks;
    size_t n_tasks;
} pst_setup;

enum { PST_TOPICS_MAX = 1000 };

typedef struct pst_entry {
    struct pst_worker *worker;
    pst_setup *now, *next; /* next: waits until the tasks of now have ended */
    pst_target target;
    atomic_bool paused; /* what its tasks look at */
    bool fixed;         /* of the command line */
    bool deleted;       /* goes away when its tasks have ended */
    char **topics;      /* it has worked with since they were reset */
    size_t n_topics;
} pst_entry;

struct pst_worker {
    pst_worker_options options;
    pst_worker_conf conf;
    pst_budget budget;
    pst_spool *spool; /* NULL without spool.dir */
    pst_entry **entries;
    size_t n_entries;
    size_t running; /* tasks with a thread that has not ended */
    bool started, stopping, aborting;
    bool stays; /* it does not end with its tasks */
    bool keeping, closing;
    pthread_t keeper;
    char cluster[128];
    int64_t made_ms; /* wall clock */
    pthread_mutex_t lock;
    pthread_cond_t ended;   /* nothing runs any more */
    pthread_cond_t changed; /* for the keeper */
};

/* ---- worker_setup.c ---- */

static inline const pst_connector_conf *pst_setup_common(const pst_setup *setup)
{
    return setup->conf; /* its first member, by contract */
}

static inline const char *pst_entry_name(const pst_entry *entry)
{
    const pst_setup *setup = entry->next ? entry->next : entry->now;
    return pst_setup_common(setup)->name;
}

/* The settings alone; every problem goes to the report, and a setup with errors is of no
   use but for its name. NULL: no memory. `own` is emptied into it, `props` is borrowed;
   one of them is NULL. */
pst_setup *pst_setup_new(const pst_props *props, pst_props *own,
                         pst_conf_report *report) PST_MUST;
/* Have two of a set the same name? Tells it of `b`. */
void pst_setup_check_twice(const pst_setup *a, const pst_setup *b,
                           pst_conf_report *report);
pst_rc pst_setup_tasks(pst_setup *setup, pst_entry *entry) PST_MUST;
void pst_setup_free(pst_setup *setup); /* no task of it has a thread */
pst_entry *pst_entry_new(pst_worker *worker, bool fixed) PST_MUST;
void pst_entry_free(pst_entry *entry);

/* ---- worker_task.c ---- */

pst_rc pst_task_init(pst_task_entry *task, pst_entry *entry, const pst_setup *setup,
                     int index) PST_MUST;
void pst_task_done(pst_task_entry *task);
/* Under worker->lock: gives a task without a thread one. PST_E_LIMIT: none is to be had,
   which its status says too. */
pst_rc pst_task_start(pst_task_entry *task) PST_MUST;
/* Under worker->lock, of a task whose thread has ended: it may be started again. */
void pst_task_join(pst_task_entry *task);

/* ---- worker_control.c ---- */

/* Under worker->lock: will none of it run again by itself? */
bool pst_worker_over(const pst_worker *worker);
/* The keeper's end; the tasks have been told to stop. */
void pst_worker_keeper_stop(pst_worker *worker);
pst_entry *pst_worker_find(const pst_worker *worker, const char *name); /* or NULL */
/* One that is going away, too. */
pst_entry *pst_worker_find_any(const pst_worker *worker, const char *name);
void pst_entry_target(pst_entry *entry, pst_target target);
/* New settings, with tasks of this entry; `target` is for one that is going away. */
void pst_entry_change(pst_entry *entry, pst_setup *setup, pst_target target);
void pst_entry_delete(pst_entry *entry); /* it goes away when its tasks have ended */

#endif

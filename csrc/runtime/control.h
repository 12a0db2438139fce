/*
 * control.h - a running worker's connectors: what they do, and changes of that. Kafka
 * Connect's herder. All calls are for any thread; none waits for a task: a keeper's
 * thread brings about what was asked for.
 */
#ifndef PST_RUNTIME_CONTROL_H
#define PST_RUNTIME_CONTROL_H

#include "runtime/metrics.h"
#include "runtime/worker.h"

typedef enum pst_target {
    PST_TARGET_RUNNING,
    PST_TARGET_PAUSED,  /* the tasks stay members of their group and do nothing */
    PST_TARGET_STOPPED, /* no tasks */
} pst_target;

enum { PST_CONNECTORS_MAX = 100, PST_TRACE_MAX = 600 };

/* Before pst_worker_start(): changes will come. stays: it does not end with its tasks. */
pst_rc pst_worker_control(pst_worker *worker, bool stays, pst_err *err) PST_MUST;

/* ---- looking ---- */

typedef struct pst_task_view {
    int id;
    pst_task_state state;
    bool ending; /* it is being restarted, stopped or replaced */
    char trace[PST_TRACE_MAX];
} pst_task_view;

/* A copy: of one moment, the caller's. */
typedef struct pst_connector_view {
    const pst_connector *plugin;
    pst_props props;
    const char *name; /* in props */
    pst_target target;
    bool fixed; /* of the command line: its settings can't be changed here */
    pst_task_view *tasks;
    size_t n_tasks;
    char **topics; /* it has worked with */
    size_t n_topics;
    char **named; /* sinks: in its settings, but for a regular expression */
    size_t n_named;
} pst_connector_view;

/* Their names, in the order they came; free with pst_worker_names_free(). */
pst_rc pst_worker_names(pst_worker *worker, char ***names, size_t *n) PST_MUST;
void pst_worker_names_free(char **names, size_t n);
/* PST_E_NOT_FOUND: there is no such connector. */
pst_rc pst_worker_look(pst_worker *worker, const char *name,
                       pst_connector_view *out) PST_MUST;
void pst_connector_view_done(pst_connector_view *view);
/* What a task says now: a copy, but for strings of the status, which live as long as it
   has these settings. progress: may be NULL; empty for a source. */
pst_rc pst_worker_progress(pst_worker *worker, const char *name, int task,
                           pst_task_status *status, pst_progress *progress) PST_MUST;
/* Kafka's cluster id as a task has learnt it; "" before. */
void pst_worker_cluster(pst_worker *worker, char *out, size_t size);

/* A source's stored offset: its source partition (the record's key, ["name",{…}]) and
   offset, JSON both; nothing in key: this configuration stores none. Waits for Kafka. */
pst_rc pst_worker_stored(pst_worker *worker, const pst_connector_view *view,
                         int timeout_ms, pst_buf *key, pst_buf *offset, bool *found,
                         pst_err *err) PST_MUST;

/* A copy of all that is counted; free with pst_metrics_page_done(). */
pst_rc pst_worker_metrics(pst_worker *worker, pst_metrics_page *out) PST_MUST;

/* ---- changing ---- */

/* Checks a connector's settings alone. */
void pst_worker_check(const pst_props *props, pst_conf_report *report);
/* Makes a connector or gives it new settings (its target stays then). props is emptied.
   PST_E_CONFIG: see the report. */
pst_rc pst_worker_put(pst_worker *worker, pst_props *props, pst_target target,
                      pst_conf_report *report, pst_err *err) PST_MUST;
typedef struct pst_refreshed {
    size_t added, changed, removed, unchanged;
} pst_refreshed;

/* The whole set of the command line's connectors, anew: new ones start, changed ones go
   on by their new settings (their targets stay), those that are not in it end, and the
   rest is not touched. Either all of it or, with an error, nothing. The n props are
   emptied. PST_E_CONFIG: see the report. */
pst_rc pst_worker_refresh(pst_worker *worker, pst_props *connectors, size_t n,
                          pst_refreshed *done, pst_conf_report *report,
                          pst_err *err) PST_MUST;
/* All these: PST_E_NOT_FOUND, there is no such connector (or task). */
pst_rc pst_worker_remove(pst_worker *worker, const char *name) PST_MUST;
pst_rc pst_worker_target(pst_worker *worker, const char *name,
                         pst_target target) PST_MUST;
/* task < 0: all; only_failed: those of them that have failed. */
pst_rc pst_worker_restart(pst_worker *worker, const char *name, int task,
                          bool only_failed) PST_MUST;
pst_rc pst_worker_reset_topics(pst_worker *worker, const char *name) PST_MUST;

#endif

/*
 * sink_task.h - one task of a sink: a member of the consumer group that feeds a plugin.
 */
#ifndef PST_RUNTIME_SINK_TASK_H
#define PST_RUNTIME_SINK_TASK_H

#include "runtime/plugin.h"
#include "runtime/worker.h"

typedef struct pst_sink_run {
    const pst_connector *connector;
    const void *conf;  /* the connector's struct */
    pst_task_env *env; /* cluster, group and session_timeout_ms are filled in here */
    int64_t queue_bytes;
    int64_t shutdown_timeout_ms;
    /* Called from the task's thread when its status changes, and about once a second. */
    void (*report)(void *self, const pst_sink_stats *stats, bool running, bool paused);
    /* Likewise, when a partition of this topic is assigned or committed; may be NULL. */
    void (*topic)(void *self, const char *topic);
    /* Likewise, after report(); gives back the one to fill in next. NULL = not wanted. */
    pst_progress *(*progress)(void *self, pst_progress *filled);
    pst_progress *fill; /* the first one: zeroed, the caller's */
    void *self;
    /* Results. */
    bool unreachable;
    pst_sink_stats stats;
    pst_task_offset *offsets; /* the caller's, PST_TASK_OFFSETS_MAX */
    size_t n_offsets;
} pst_sink_run;

/* Runs until cancel, until all is read (env->until_end), or until it fails. */
pst_rc pst_sink_task_run(pst_sink_run *run, pst_err *err) PST_MUST;

#endif

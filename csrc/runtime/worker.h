/*
 * worker.h - what a process runs: connectors, each as one or more tasks in threads. The
 * daemon, `penstock.run()` and the operators are thin shells around it.
 */
#ifndef PST_RUNTIME_WORKER_H
#define PST_RUNTIME_WORKER_H

#include "runtime/plugin.h"

enum { PST_WORKER_LOG_ROOT = PST_LOG_TRACE + 1 };

typedef struct pst_worker_conf {
    char *bootstrap_servers;
    int64_t buffer_memory;
    char *spool_dir;
    int64_t spool_max_bytes;
    int64_t startup_timeout_ms, shutdown_timeout_ms;
    int log_level, log_format;
    int log_levels[PST_LOG_MODULES]; /* PST_WORKER_LOG_ROOT = log_level */
    char *listeners;
    char *config_storage_dir;
    char *rest_advertised_host;
    int rest_auth; /* 0 = none, 1 = basic */
    char *rest_auth_file;
    char *rest_ssl_certificate, *rest_ssl_key;
    bool rest_allow_insecure;
    char *offset_storage_topic;
    int64_t offset_storage_retention_ms;
} pst_worker_conf;

extern const pst_conf_spec pst_worker_spec;

/* The levels and the format that the settings give; what has them already is not touched.
 */
void pst_worker_log(const pst_worker_conf *conf, pst_log *log, pst_log_format format);

typedef struct pst_worker pst_worker;

typedef struct pst_worker_options {
    const pst_props *worker;     /* borrowed for the worker's life */
    const pst_props *connectors; /* n of them, likewise */
    size_t n_connectors;
    bool until_end; /* end when all sinks have read to what was the end */
    bool observed;  /* somebody will ask for pst_worker_metrics() */
    pst_log *log;
    const pst_clock *clock; /* NULL = the system's */
} pst_worker_options;

/* Parses and checks all settings; every problem goes to the report. Starts nothing. */
pst_rc pst_worker_new(pst_worker **out, const pst_worker_options *options,
                      pst_conf_report *report) PST_MUST;
void pst_worker_free(pst_worker *worker); /* stopped and waited for, if it was started */
const pst_worker_conf *pst_worker_settings(const pst_worker *worker);

/* Starts all tasks. */
pst_rc pst_worker_start(pst_worker *worker, pst_err *err) PST_MUST;
/* Any thread: ends the tasks in good order (land, commit, leave). */
void pst_worker_stop(pst_worker *worker);
/* Any thread: ends the tasks at once; what is buffered stays in Kafka. */
void pst_worker_abort(pst_worker *worker);
/* Waits up to ms; true when all tasks have ended. */
bool pst_worker_wait(pst_worker *worker, int64_t ms);

/* The task that has been in one call for the longest time, by what the calls of this have
   seen: how long, in ms, and its name. 0: none is. For one thread. */
int64_t pst_worker_silent(pst_worker *worker, char *task, size_t size);

typedef enum pst_task_state {
    PST_TASK_STARTING,
    PST_TASK_RUNNING,
    PST_TASK_PAUSED,
    PST_TASK_DONE,
    PST_TASK_FAILED,
} pst_task_state;

enum { PST_TASK_OFFSETS_MAX = 1024 };

typedef struct pst_task_offset {
    char topic[250];
    int32_t partition;
    int64_t first, next; /* sinks: committed [first, next); sources: produced likewise */
} pst_task_offset;

typedef struct pst_task_status {
    const char *connector, *class_name, *type, *id;
    pst_task_state state;
    pst_err err;      /* why it failed */
    bool unreachable; /* Kafka or the store could not be reached at the start */
    int64_t records;  /* read from, or acknowledged by, Kafka */
    int64_t rows, objects, bytes, skipped, errors, adopted;
    int64_t undelivered;
    int64_t dead_letters, buffered_bytes,
        oldest_unflushed_ms; /* sinks: as they are now */
    bool stalled;
    double seconds;
    const char *guarantee; /* sinks: what the store lets them promise; NULL = not known */
    char last_object[1200];
    const pst_task_offset *offsets; /* of an ended task; else NULL */
    size_t n_offsets;
} pst_task_status;

/* These three are for a worker whose connectors don't change, or that has ended; see
   control.h for the other kind. */
size_t pst_worker_tasks(const pst_worker *worker);
/* A copy of what task i (0-based) says now; strings live as long as the worker. */
void pst_worker_task(const pst_worker *worker, size_t i, pst_task_status *out);
/* 0 all done, 1 a task failed, 3 Kafka or the store could not be reached at the start. */
int pst_worker_exit_status(const pst_worker *worker);

#endif

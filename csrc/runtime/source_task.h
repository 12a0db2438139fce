/*
 * source_task.h - one task of a source: asks a plugin for records, produces them, and
 * tells the plugin when Kafka has acknowledged all of them. A plugin that has an offset
 * to store (plugin.h) and an env with an offsets_topic make it exactly once: a poll's
 * records and the offset behind them are one transaction.
 *
 * pst_source_task_run() is all of it. pst_source_steps is its first half alone: start,
 * poll, retry and wait, without a producer. A program that wants the records themselves
 * (Python's `for record in RandomUserSource(config)`) uses that.
 */
#ifndef PST_RUNTIME_SOURCE_TASK_H
#define PST_RUNTIME_SOURCE_TASK_H

#include "runtime/plugin.h"
#include "runtime/worker.h"

enum { PST_SOURCE_FLUSH_MS = 4000 /* for what is queued when a task has to stop */ };

typedef struct pst_source_result {
    /* Set by the caller; zero is fine. */
    void (*progress)(void *self, const struct pst_source_result *so_far); /* from the
        task's thread, at most once a second, and once at the end */
    void *self;
    pst_task_offset *offsets; /* room for PST_TASK_OFFSETS_MAX; NULL = not wanted */

    /* Filled in, on failure too. produced = delivered + failed + skipped. */
    int64_t produced, delivered;
    int64_t failed;  /* not acknowledged: may or may not be in the log */
    int64_t skipped; /* refused records that errors.tolerance=all lets go */
    int64_t retries; /* of the plugin's callbacks, and of transactions */
    double seconds;
    bool unreachable; /* Kafka could not be reached at the start */
    bool paused;
    char topic[250];  /* of the first record */
    size_t n_offsets; /* partitions in `offsets`; further ones are not listed */
} pst_source_result;

/* Runs until the source is finished, env->cancel is set (then PST_OK too, if all that was
   queued got delivered), or it fails. conf is the connector's struct. */
pst_rc pst_source_task_run(const pst_connector *connector, const void *conf,
                           const pst_task_env *env, pst_source_result *result,
                           pst_err *err) PST_MUST;

typedef struct pst_source_steps pst_source_steps;

/* All arguments are borrowed for the life of *out. Starts nothing yet. */
pst_rc pst_source_steps_new(pst_source_steps **out, const pst_connector *connector,
                            const void *conf, const pst_task_env *env,
                            pst_err *err) PST_MUST;
void pst_source_steps_free(pst_source_steps *steps); /* stops the plugin; NULL is fine */
/* The records that come next, waiting for them up to max_wait_ms (and as long as the
   plugin's own request takes); *n may be 0. They are valid until the next call.
   *finished: none will follow. Retriable errors are retried here; PST_E_STOPPED once
   env->cancel is set. */
pst_rc pst_source_steps_next(pst_source_steps *steps, int64_t max_wait_ms,
                             const pst_source_record **records, size_t *n, bool *finished,
                             pst_err *err) PST_MUST;
/* The records of the last call are safe; retries likewise. */
pst_rc pst_source_steps_commit(pst_source_steps *steps, pst_err *err) PST_MUST;
int64_t pst_source_steps_retries(const pst_source_steps *steps);
/* Before the first next(): the plugin goes on where `stored`, a copy of which is kept,
   says; NULL = it is told that nothing is stored. A plugin without resume() ignores it.
 */
pst_rc pst_source_steps_resume(pst_source_steps *steps, const char *stored,
                               pst_err *err) PST_MUST;
/* Where to go on after the records of the last next(): appended. Only of a plugin that
   has offset(). */
pst_rc pst_source_steps_offset(pst_source_steps *steps, pst_buf *out,
                               pst_err *err) PST_MUST;

#endif

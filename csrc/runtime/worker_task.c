/*
 * worker_task.c - one task's thread: it runs a source or a sink to its end and keeps the
 * status that others look at.
 */
#include "runtime/worker_internal.h"

#include "base/mem.h"
#include "runtime/sink_task.h"
#include "runtime/source_task.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { TASK_STACK = 1024 * 1024 };

/* ---- making one ---- */

static bool wants_latest(const pst_props *worker, const pst_props *connector)
{
    const char *reset = pst_props_get(connector, "consumer.override.auto.offset.reset");
    if (!reset)
        reset = pst_props_get(worker, "consumer.auto.offset.reset");
    return reset && strcmp(reset, "latest") == 0;
}

static void free_cancels(pst_task_entry *task)
{
    pst_cancel_free(task->cancel);
    pst_cancel_free(task->abort);
    task->cancel = task->abort = NULL;
}

static pst_rc make_cancels(pst_task_entry *task)
{
    free_cancels(task);
    task->cancel = pst_cancel_new();
    task->abort = pst_cancel_new();
    task->env.cancel = task->cancel;
    task->env.abort = task->abort;
    return task->cancel && task->abort ? PST_OK : PST_E_NOMEM;
}

static void reset_status(pst_task_entry *task)
{
    const pst_connector *plugin = task->setup->plugin;
    task->status = (pst_task_status){.connector = task->env.connector,
                                     .class_name = plugin->class_name,
                                     .type = plugin->type,
                                     .id = task->id,
                                     .state = PST_TASK_STARTING};
}

/* Memory that is touched only as far as it is filled in. */
static bool make_progress(pst_task_entry *task)
{
    if (!task->setup->plugin->sink)
        return true;
    task->shown = pst_calloc(1, sizeof *task->shown);
    task->spare = pst_calloc(1, sizeof *task->spare);
    return task->shown && task->spare;
}

pst_rc pst_task_init(pst_task_entry *task, pst_entry *entry, const pst_setup *setup,
                     int index)
{
    pst_worker *worker = entry->worker;
    const pst_connector_conf *conf = pst_setup_common(setup);
    task->worker = worker;
    task->entry = entry;
    task->setup = setup;
    pthread_mutex_init(&task->lock, NULL);
    pst_metrics_init(&task->metrics);
    task->id = pst_asprintf("%s-%d", conf->name, index);
    task->offsets = pst_calloc(PST_TASK_OFFSETS_MAX, sizeof *task->offsets);
    if (!task->id || !task->offsets || !make_progress(task))
        return PST_E_NOMEM;
    task->env = (pst_task_env){
        .connector = conf->name,
        .id = task->id,
        .index = index,
        .clock = worker->options.clock,
        .paused = &entry->paused,
        .until_end = worker->options.until_end,
        .reset_latest = wants_latest(worker->options.worker, setup->props),
        .startup_timeout_ms = worker->conf.startup_timeout_ms,
        .log = worker->options.log,
        .worker = worker->options.worker,
        .connector_props = setup->props,
        .budget = &worker->budget,
        .spool = worker->spool,
        .metrics = &task->metrics,
        .observed = worker->options.observed,
        .offsets_topic = worker->conf.offset_storage_topic,
        .offsets_retention_ms = worker->conf.offset_storage_retention_ms,
    };
    reset_status(task);
    return make_cancels(task);
}

void pst_task_done(pst_task_entry *task)
{
    pthread_mutex_destroy(&task->lock);
    pst_metrics_done(&task->metrics);
    free_cancels(task);
    pst_free(task->id);
    pst_free(task->offsets);
    pst_free(task->shown);
    pst_free(task->spare);
}

/* ---- running ---- */

/* The connector works with this topic, since they were last reset. */
static void note_topic(void *self, const char *topic)
{
    pst_task_entry *task = self;
    pst_entry *entry = task->entry;
    size_t i = 0;
    pthread_mutex_lock(&task->worker->lock);
    while (i < entry->n_topics && strcmp(entry->topics[i], topic) != 0)
        i++;
    if (i == entry->n_topics && i < PST_TOPICS_MAX) {
        char **topics = pst_realloc(entry->topics, i + 1, sizeof *topics);
        char *copy = pst_strdup(topic);
        if (topics)
            entry->topics = topics;
        if (topics && copy)
            entry->topics[entry->n_topics++] = copy;
        else
            pst_free(copy); /* one name less to look at */
    }
    pthread_mutex_unlock(&task->worker->lock);
}

static void note_cluster(pst_task_entry *task)
{
    pst_worker *worker = task->worker;
    pthread_mutex_lock(&worker->lock);
    if (task->env.cluster && !worker->cluster[0])
        snprintf(worker->cluster, sizeof worker->cluster, "%s", task->env.cluster);
    pthread_mutex_unlock(&worker->lock);
}

static pst_task_state state_of(pst_task_entry *task, bool paused)
{
    if (task->status.state == PST_TASK_STARTING)
        note_cluster(task);
    return paused ? PST_TASK_PAUSED : PST_TASK_RUNNING;
}

static void report_sink(void *self, const pst_sink_stats *stats, bool running,
                        bool paused)
{
    pst_task_entry *task = self;
    pst_task_state state = running ? state_of(task, paused) : PST_TASK_STARTING;
    pthread_mutex_lock(&task->lock);
    pst_task_status *status = &task->status;
    if (running)
        status->state = state;
    status->records = stats->records;
    status->rows = stats->rows;
    status->objects = stats->objects;
    status->bytes = stats->bytes;
    status->skipped = stats->skipped;
    status->errors = stats->errors;
    status->adopted = stats->adopted;
    status->guarantee = stats->guarantee;
    status->dead_letters = stats->dead_letters;
    status->buffered_bytes = stats->buffered_bytes;
    status->oldest_unflushed_ms = stats->oldest_unflushed_ms;
    status->stalled = stats->stalled;
    memcpy(status->last_object, stats->last_object, sizeof status->last_object);
    pthread_mutex_unlock(&task->lock);
}

static pst_progress *report_progress(void *self, pst_progress *filled)
{
    pst_task_entry *task = self;
    pthread_mutex_lock(&task->lock);
    pst_progress *spare = task->shown;
    task->shown = filled;
    pthread_mutex_unlock(&task->lock);
    return spare;
}

/* Its share of buffer.memory for what is prefetched, by the sinks there are now. */
static int64_t take_queue(pst_worker *worker)
{
    int64_t sinks = 0;
    pthread_mutex_lock(&worker->lock);
    for (size_t i = 0; i < worker->n_entries; i++) {
        const pst_setup *setup = worker->entries[i]->now;
        if (setup && setup->plugin->sink)
            sinks += (int64_t)setup->n_tasks;
    }
    int64_t bytes = pst_budget_take_queue(&worker->budget, sinks);
    pthread_mutex_unlock(&worker->lock);
    return bytes;
}

static void give_queue(pst_worker *worker, int64_t bytes)
{
    pthread_mutex_lock(&worker->lock);
    pst_budget_give_queue(&worker->budget, bytes);
    pthread_mutex_unlock(&worker->lock);
}

static pst_rc run_sink(pst_task_entry *task, pst_err *err)
{
    pst_worker *worker = task->worker;
    pst_sink_run run = {
        .connector = task->setup->plugin,
        .conf = task->setup->conf,
        .env = &task->env,
        .queue_bytes = take_queue(worker),
        .shutdown_timeout_ms = worker->conf.shutdown_timeout_ms,
        .report = report_sink,
        .topic = note_topic,
        .progress = report_progress,
        .fill = task->spare,
        .self = task,
        .offsets = task->offsets,
    };
    pst_rc rc = pst_sink_task_run(&run, err);
    give_queue(worker, run.queue_bytes);
    task->spare = run.fill;
    report_sink(task, &run.stats, false, false);
    pthread_mutex_lock(&task->lock);
    task->status.unreachable = run.unreachable;
    task->status.n_offsets = run.n_offsets;
    pthread_mutex_unlock(&task->lock);
    return rc;
}

static void report_source(void *self, const pst_source_result *result)
{
    pst_task_entry *task = self;
    pst_task_state state = state_of(task, result->paused);
    pthread_mutex_lock(&task->lock);
    task->status.state = state;
    task->status.records = result->delivered;
    task->status.undelivered = result->failed;
    task->status.skipped = result->skipped;
    pthread_mutex_unlock(&task->lock);
    if (result->topic[0])
        note_topic(task, result->topic);
}

static pst_rc run_source(pst_task_entry *task, pst_err *err)
{
    pst_source_result result = {
        .progress = report_source, .self = task, .offsets = task->offsets};
    pst_rc rc = pst_source_task_run(task->setup->plugin, task->setup->conf, &task->env,
                                    &result, err);
    report_source(task, &result);
    pthread_mutex_lock(&task->lock);
    task->status.unreachable = result.unreachable;
    task->status.n_offsets = result.n_offsets;
    pthread_mutex_unlock(&task->lock);
    return rc;
}

static void end_task(pst_task_entry *task, pst_rc rc, const pst_err *err, double seconds)
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
    task->life = PST_LIFE_ENDED;
    pthread_cond_broadcast(&worker->ended);
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

static void *run_task(void *arg)
{
    pst_task_entry *task = arg;
    pst_err err = PST_ERR_INIT;
    const pst_clock *clock = task->env.clock;
    int64_t began = pst_mono_ms(clock);
    pst_metrics_reset(&task->metrics);
    pst_beat_use(&task->beat);
    pst_rc rc = task->setup->plugin->sink ? run_sink(task, &err) : run_source(task, &err);
    /* Nothing is assigned any more, and another task may have them. */
    pst_metrics_parts(&task->metrics, NULL, 0, 0);
    pst_metrics_set(&task->metrics, PST_M_PARTITIONS, 0);
    end_task(task, rc, &err, (double)(pst_mono_ms(clock) - began) / 1000);
    return NULL;
}

static int start_thread(pst_task_entry *task)
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

static pst_rc fail_start(pst_task_entry *task, pst_rc code, const char *why)
{
    pthread_mutex_lock(&task->lock);
    task->status.state = PST_TASK_FAILED;
    (void)pst_fail(&task->status.err, code, "%s", why);
    pthread_mutex_unlock(&task->lock);
    return code;
}

pst_rc pst_task_start(pst_task_entry *task)
{
    pst_worker *worker = task->worker;
    task->again = false;
    if ((!task->cancel || !task->abort) && make_cancels(task) != PST_OK)
        return fail_start(task, PST_E_NOMEM, "out of memory");
    if (start_thread(task))
        return fail_start(
            task, PST_E_LIMIT,
            "cannot start a thread: raise the limit of processes (ulimit -u)");
    task->life = PST_LIFE_RUNNING;
    worker->running++;
    return PST_OK;
}

void pst_task_join(pst_task_entry *task)
{
    pthread_join(task->thread, NULL); /* at once: it has said its last word */
    task->life = PST_LIFE_NONE;
    free_cancels(task);
    (void)!make_cancels(task); /* or else at its start */
    pthread_mutex_lock(&task->lock);
    reset_status(task);
    if (task->shown)
        pst_progress_clear(task->shown);
    pthread_mutex_unlock(&task->lock);
}

/*
 * sink_task.c - see sink_task.h.
 *
 *   start: Kafka's cluster id → the plugin (store, probe) → topics → subscribe
 *   loop:  serve rebalances → poll → put → tick → commit what is durable
 *   end:   flush → durable → commit → leave the group
 *
 * One commit is under way at a time: its answer confirms the positions (rule 9), and the
 * next one takes all that became durable meanwhile.
 */
#include "runtime/sink_task.h"

#include "base/mem.h"
#include "runtime/budget.h"
#include "runtime/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    POLL_MS = 100,
    IDLE_POLL_MS = 200, /* nothing came last time: wake up less often */
    FULL_WAIT_MS = 10,  /* memory is full: look again */
    KAFKA_CALL_MS = 3000,
    STEP_MS = 200, /* waits give way to a stop */
    TOPIC_CHECK_MS = 1000,
    REMIND_MS = 30000,
    REVOKE_FLUSH_MS = 20000,
    REPORT_MS = 1000,
    COMMIT_MAX = 4096,
    COMMIT_AGAIN_MS = 500,
    LAND_COMMIT_MS = 300,
    LAST_COMMIT_MS = 6000, /* its answer tells what this run has done */
    TRIM_MS = 5000,        /* at most so often */
    TRIM_AFTER = 100000,   /* records: fewer leave little behind */
};

typedef struct sink_task {
    pst_sink_run *run;
    pst_task_env *env;
    const pst_sink_ops *ops;
    pst_consumer *consumer;
    pst_sink *sink;
    pst_sink_host host;
    char *cluster, *group;
    const char **wanted; /* topics by name or ^pattern */
    const char **found;  /* room for those of them that exist */
    bool *there;
    size_t n_wanted;
    bool complete; /* all wanted topics exist */
    int64_t topic_check_ms, reminded_ms, report_ms;
    const pst_item *items; /* of the last poll, from `at` on not taken yet */
    size_t n_items, at;
    bool idle; /* the last poll gave nothing */
    bool committing, assigned, ended;
    bool paused, rested; /* told to pause; all that was buffered is landed since */
    int64_t commit_after_ms, commit_asked_ms, trim_after_ms;
    uint64_t taken; /* since memory was last given back */
    pst_tp *tps;    /* COMMIT_MAX */
} sink_task;

static int64_t mono(const sink_task *task)
{
    return pst_mono_ms(task->env->clock);
}

/* ---- what the sink may ask ---- */

static pst_rc host_commits(void *self, pst_tp *tps, size_t n,
                           char (*metadata)[PST_KAFKA_METADATA_MAX], pst_err *err)
{
    sink_task *task = self;
    return pst_consumer_committed(task->consumer, tps, n, metadata, KAFKA_CALL_MS, err);
}

static pst_rc host_watermarks(void *self, const char *topic, int32_t partition,
                              int64_t *low, int64_t *high, pst_err *err)
{
    sink_task *task = self;
    return pst_consumer_watermarks(task->consumer, topic, partition, low, high,
                                   KAFKA_CALL_MS, err);
}

static pst_rc host_partitions(void *self, const char *topic, int32_t *n, pst_err *err)
{
    sink_task *task = self;
    return pst_consumer_partitions(task->consumer, topic, n, KAFKA_CALL_MS, err);
}

static pst_rc host_seek(void *self, const char *topic, int32_t partition, int64_t offset,
                        pst_err *err)
{
    sink_task *task = self;
    return pst_consumer_seek(task->consumer, topic, partition, offset, err);
}

static int64_t host_end(void *self, const char *topic, int32_t partition)
{
    return pst_consumer_end(((sink_task *)self)->consumer, topic, partition);
}

static void host_wake(void *self)
{
    pst_consumer_wake(((sink_task *)self)->consumer);
}

static void host_trouble(void *self, const char *text)
{
    sink_task *task = self;
    pst_progress *p = task->run->fill;
    if (!p)
        return;
    pst_progress_clear(p);
    snprintf(p->trouble, sizeof p->trouble, "%s", text);
    task->run->fill = task->run->progress(task->run->self, p);
}

/* ---- commits ---- */

/* Keeps [first, next) of each partition for the summary. An older commit may be answered
   last: the one under way when the end has committed all, while the consumer closes. */
static void note_offset(sink_task *task, const pst_tp *tp, int64_t offset)
{
    pst_sink_run *run = task->run;
    if (run->topic)
        run->topic(run->self, tp->topic);
    for (size_t i = 0; i < run->n_offsets; i++) {
        pst_task_offset *o = &run->offsets[i];
        if (o->partition == tp->partition && strcmp(o->topic, tp->topic) == 0) {
            o->next = offset > o->next ? offset : o->next;
            return;
        }
    }
    if (run->n_offsets == PST_TASK_OFFSETS_MAX)
        return;
    pst_task_offset *o = &run->offsets[run->n_offsets++];
    snprintf(o->topic, sizeof o->topic, "%s", tp->topic);
    o->partition = tp->partition;
    o->first = o->next = offset;
}

static void count_commit(sink_task *task, int64_t asked_ms, bool failed)
{
    pst_metrics *metrics = task->env->metrics;
    int64_t now = mono(task);
    if (!metrics)
        return;
    pst_meter_add(&metrics->commit, now, now - asked_ms);
    pst_meter_add(&metrics->success, now, failed ? 0 : 1000000);
    if (!failed)
        pst_metrics_add(metrics, PST_M_COMMITS, 1);
}

static void settle(sink_task *task, const pst_tp *tps, size_t n, int64_t asked_ms,
                   const pst_err *err)
{
    count_commit(task, asked_ms, err != NULL);
    if (err) {
        task->commit_after_ms = mono(task) + COMMIT_AGAIN_MS;
        pst_logf(task->env->log, PST_LOG_WARN, task->env->id, "kafka",
                 "%s; the objects are durable, the commit is tried again", err->text);
        return;
    }
    task->ops->committed(task->sink, tps, n, asked_ms);
    for (size_t i = 0; i < n; i++)
        note_offset(task, &tps[i], tps[i].offset);
}

/* The answer to commit_some(), and to nothing else. */
static void on_committed(void *opaque, const pst_tp *tps, size_t n, const pst_err *err)
{
    sink_task *task = opaque;
    task->committing = false;
    settle(task, tps, n, task->commit_asked_ms, err);
}

static void commit_some(sink_task *task)
{
    if (task->committing || mono(task) < task->commit_after_ms ||
        pst_consumer_joining(task->consumer))
        return;
    size_t n = task->ops->precommit(task->sink, task->tps, COMMIT_MAX);
    pst_err why = PST_ERR_INIT;
    if (!n)
        return;
    task->committing = true;
    task->commit_asked_ms = mono(task);
    pst_metrics_add(task->env->metrics, PST_M_COMMIT_SEQ, 1);
    if (pst_consumer_commit_async(task->consumer, task->tps, n, &why) != PST_OK)
        on_committed(task, task->tps, n, &why);
}

/* Before partitions are given up: nobody else's commit may be waited for. */
static void commit_now(sink_task *task, int limit_ms)
{
    pst_err why = PST_ERR_INIT;
    for (int round = 0; round < 100; round++) {
        size_t n = task->ops->precommit(task->sink, task->tps, COMMIT_MAX);
        if (!n)
            return;
        int64_t asked_ms = mono(task);
        pst_metrics_add(task->env->metrics, PST_M_COMMIT_SEQ, 1);
        pst_rc rc = pst_consumer_commit(task->consumer, task->tps, n, limit_ms, &why);
        settle(task, task->tps, n, asked_ms, rc == PST_OK ? NULL : &why);
        if (rc != PST_OK)
            return;
    }
}

/* ---- rebalances ---- */

static pst_rc on_assigned(void *opaque, pst_tp *tps, size_t n, pst_err *err)
{
    sink_task *task = opaque;
    task->assigned = true;
    pst_logf(task->env->log, PST_LOG_INFO, task->env->id, "group",
             "%zu partition%s assigned by group %s", n, n == 1 ? "" : "s", task->group);
    pst_rc rc = task->ops->open(task->sink, tps, n, err);
    for (size_t i = 0; rc == PST_OK && i < n; i++)
        note_offset(task, &tps[i], tps[i].from);
    return rc;
}

/* Lands these partitions (all if NULL); false if the time was too short. Uploads go on
   while a commit waits for a broker that may be away. */
static bool land(sink_task *task, const pst_tp *tps, size_t n, int64_t limit_ms,
                 pst_err *err)
{
    int64_t until = mono(task) + limit_ms, next_ms, commit_ms = 0;
    task->ops->flush(task->sink, tps, n);
    for (;;) {
        if (task->ops->tick(task->sink, &next_ms, err) != PST_OK)
            return false;
        if (task->ops->idle(task->sink, tps, n))
            return true;
        if (mono(task) >= until || pst_cancel_wait(task->env->abort, 5))
            return false;
        if (mono(task) >= commit_ms) {
            commit_now(task, LAND_COMMIT_MS); /* an object may have to wait for it */
            commit_ms = mono(task) + LAND_COMMIT_MS;
        }
    }
}

static void on_revoked(void *opaque, const pst_tp *tps, size_t n, bool lost)
{
    sink_task *task = opaque;
    pst_err why = PST_ERR_INIT;
    if (!task->sink)
        return;
    /* At the end finish() has decided: what is left is not to be landed. */
    bool landed = task->ended ? task->ops->idle(task->sink, tps, n)
                              : !lost && land(task, tps, n, REVOKE_FLUSH_MS, &why);
    pst_logf(task->env->log, PST_LOG_INFO, task->env->id, "group",
             "%zu partition%s %s; %s", n, n == 1 ? "" : "s", lost ? "lost" : "given up",
             landed ? "all landed" : "what was buffered is dropped, it stays in Kafka");
    if (!lost && !task->ended)
        commit_now(task, KAFKA_CALL_MS);
    task->ops->close(task->sink, tps, n);
}

/* ---- start ---- */

static pst_rc make_consumer(sink_task *task, pst_err *err)
{
    const pst_task_env *env = task->env;
    pst_consumer_config config = {
        .kafka = {.worker = env->worker,
                  .connector = env->connector_props,
                  .client_id = env->id,
                  .log = env->log,
                  .cancel = env->abort,
                  .stats = env->observed ? pst_metrics_hear : NULL,
                  .stats_self = env->metrics},
        .group = task->group,
        .queue_bytes = task->run->queue_bytes,
        .events = {on_assigned, on_revoked, on_committed, task},
    };
    return pst_consumer_new(&task->consumer, &config, err);
}

/* It cannot start yet, and why. */
static void tell_trouble(sink_task *task, const char *what, const pst_err *why)
{
    char text[sizeof why->text + 100];
    snprintf(text, sizeof text, "%s: %s", what, why->text);
    if (!task->sink)
        host_trouble(task, text);
}

static pst_rc wait_for_kafka(sink_task *task, pst_err *err)
{
    int64_t until = mono(task) + task->env->startup_timeout_ms;
    for (;;) {
        pst_err why = PST_ERR_INIT;
        pst_rc rc = pst_consumer_serve(task->consumer, &why); /* hears what is wrong */
        if (rc == PST_OK)
            rc = pst_consumer_cluster(task->consumer, &task->cluster, STEP_MS, &why);
        if (rc == PST_OK)
            return PST_OK;
        if (pst_cancelled(task->env->cancel))
            return pst_fail(err, PST_E_STOPPED, "stopped before Kafka answered");
        tell_trouble(task, "Kafka", &why);
        if (!why.retriable || mono(task) >= until) {
            task->run->unreachable = true;
            *err = why;
            pst_err_context(err, "gave up after startup.timeout.ms=%lld",
                            (long long)task->env->startup_timeout_ms);
            return rc;
        }
    }
}

static void tell_waiting(sink_task *task, const char *what, const pst_err *why)
{
    int64_t now = mono(task);
    tell_trouble(task, what, why);
    if (task->reminded_ms && now - task->reminded_ms < REMIND_MS)
        return;
    task->reminded_ms = now;
    pst_logf(task->env->log, PST_LOG_WARN, task->env->id, "task", "%s: %s; waiting", what,
             why->text);
}

/* The plugin opens its store and probes it; what may pass is waited for. */
static pst_rc start_sink(sink_task *task, pst_err *err)
{
    int64_t until = mono(task) + task->env->startup_timeout_ms;
    uint64_t seed = (uint64_t)mono(task);
    for (unsigned attempt = 0;; attempt++) {
        pst_err why = PST_ERR_INIT;
        pst_rc rc =
            task->ops->start(&task->sink, task->run->conf, task->env, &task->host, &why);
        if (rc == PST_OK)
            return PST_OK;
        bool passes = why.retriable || why.unknown;
        if (!passes || mono(task) >= until) {
            task->run->unreachable = rc != PST_E_CONFIG && rc != PST_E_STOPPED;
            *err = why;
            return rc;
        }
        tell_waiting(task, "the store", &why);
        if (pst_cancel_wait(task->env->cancel, pst_backoff_ms(&seed, 200, 2000, attempt)))
            return pst_fail(err, PST_E_STOPPED, "stopped before the store answered");
    }
}

static pst_rc list_topics(sink_task *task, pst_err *err)
{
    const char *regex = NULL;
    const pst_conf_list *names = task->run->connector->topics(task->run->conf, &regex);
    size_t n = names->n + (regex ? 1 : 0);
    task->wanted = pst_calloc(n, sizeof *task->wanted);
    task->found = pst_calloc(n, sizeof *task->found);
    task->there = pst_calloc(n, sizeof *task->there);
    if (!task->wanted || !task->found || !task->there)
        return pst_fail_nomem(err, "topics");
    for (size_t i = 0; i < names->n; i++)
        task->wanted[task->n_wanted++] = names->items[i];
    if (regex)
        task->wanted[task->n_wanted++] = regex;
    return PST_OK;
}

/* Subscribes to the topics that exist; a topic born later is subscribed to within a
   second or two, without waiting for librdkafka's next refresh. */
static pst_rc check_topics(sink_task *task, pst_err *err)
{
    int64_t now = mono(task);
    if (task->complete || now < task->topic_check_ms)
        return PST_OK;
    task->topic_check_ms = now + TOPIC_CHECK_MS;
    size_t n = 0, missing = 0;
    bool changed = false;
    for (size_t i = 0; i < task->n_wanted; i++) {
        int32_t partitions;
        pst_err why = PST_ERR_INIT;
        bool was = task->there[i];
        if (!was)
            task->there[i] = task->wanted[i][0] == '^' ||
                             pst_consumer_partitions(task->consumer, task->wanted[i],
                                                     &partitions, 1000, &why) == PST_OK;
        changed |= task->there[i] != was;
        if (task->there[i])
            task->found[n++] = task->wanted[i];
        else
            missing++;
        if (!task->there[i])
            tell_waiting(task, "subscribing", &why);
    }
    task->complete = missing == 0;
    return changed ? pst_consumer_subscribe(task->consumer, task->found, n, err) : PST_OK;
}

static pst_rc start(sink_task *task, pst_err *err)
{
    task->tps = pst_calloc(COMMIT_MAX, sizeof *task->tps);
    task->group = pst_asprintf("connect-%s", task->env->connector);
    if (!task->tps || !task->group)
        return pst_fail_nomem(err, "sink task");
    pst_rc rc = list_topics(task, err);
    if (rc == PST_OK)
        rc = make_consumer(task, err);
    if (rc == PST_OK)
        rc = wait_for_kafka(task, err);
    if (rc != PST_OK)
        return rc;
    task->env->cluster = task->cluster;
    task->env->group = task->group;
    task->env->session_timeout_ms = pst_consumer_session_timeout_ms(task->consumer);
    return start_sink(task, err);
}

/* ---- loop ---- */

static pst_rc take_items(sink_task *task, pst_err *err)
{
    size_t taken = 0;
    pst_metrics *metrics = task->env->metrics;
    int64_t began = metrics ? pst_metrics_now_us() : 0;
    pst_rc rc = task->ops->put(task->sink, task->items + task->at,
                               task->n_items - task->at, &taken, err);
    if (metrics && taken) {
        pst_meter_add(&metrics->put, mono(task), pst_metrics_now_us() - began);
        pst_meter_add(&metrics->batch, mono(task), (int64_t)taken);
    }
    task->at += taken;
    task->taken += taken;
    return rc;
}

/* After a rush, when nothing waits to be taken and nearly all is landed. */
static void trim(sink_task *task)
{
    const pst_budget *budget = task->env->budget;
    if (task->taken < TRIM_AFTER || !task->idle || mono(task) < task->trim_after_ms ||
        pst_budget_used(budget) > budget->limit / 16)
        return;
    task->taken = 0;
    task->trim_after_ms = mono(task) + TRIM_MS;
    pst_mem_trim();
}

static int poll_ms(const sink_task *task, int64_t next_ms)
{
    int64_t wait = next_ms - mono(task), most = task->idle ? IDLE_POLL_MS : POLL_MS;
    return (int)(wait < 0 ? 0 : wait > most ? most : wait);
}

static void tell_progress(sink_task *task)
{
    pst_progress *p = task->run->fill;
    if (!p || !task->ops->progress)
        return;
    task->ops->progress(task->sink, p);
    for (size_t i = 0; i < p->n_parts; i++)
        p->parts[i].end =
            pst_consumer_end(task->consumer, p->parts[i].topic, p->parts[i].partition);
    task->run->fill = task->run->progress(task->run->self, p);
}

static void tell(sink_task *task)
{
    int64_t now = mono(task);
    if (now < task->report_ms)
        return;
    task->report_ms = now + REPORT_MS;
    task->ops->stats(task->sink, &task->run->stats);
    pst_metrics_look(task->env->metrics, now, task->rested);
    if (task->run->report)
        task->run->report(task->run->self, &task->run->stats, true, task->rested);
    tell_progress(task);
}

static bool told_to_pause(const sink_task *task)
{
    return task->env->paused && atomic_load(task->env->paused);
}

/* Into a pause, and out of it: what is buffered is landed first, and the state is told
   when it is true. */
static void look_at_pause(sink_task *task)
{
    bool paused = told_to_pause(task);
    if (paused && !task->paused)
        task->ops->flush(task->sink, NULL, 0);
    bool rested = paused && task->paused && task->ops->idle(task->sink, NULL, 0);
    if (rested != task->rested) {
        pst_logf(task->env->log, PST_LOG_INFO, task->env->id, "task", "%s",
                 rested ? "paused: all that was read is landed"
                        : "goes on after a pause");
        task->report_ms = 0;
    }
    task->paused = paused;
    task->rested = rested;
}

/* A pause keeps the partitions: the group is served, nothing is read. */
static pst_rc rest(sink_task *task, int64_t *next_ms, pst_err *err)
{
    pst_rc rc = pst_consumer_serve(task->consumer, err);
    if (rc == PST_OK)
        rc = task->ops->tick(task->sink, next_ms, err);
    if (rc != PST_OK)
        return rc;
    commit_some(task);
    look_at_pause(task);
    tell(task);
    pst_cancel_wait(task->env->cancel, task->rested ? IDLE_POLL_MS : FULL_WAIT_MS);
    return PST_OK;
}

static pst_rc turn(sink_task *task, int64_t *next_ms, pst_err *err)
{
    if (task->paused || told_to_pause(task)) {
        if (!task->paused)
            look_at_pause(task);
        return rest(task, next_ms, err);
    }
    pst_rc rc = check_topics(task, err);
    if (rc == PST_OK)
        rc = pst_consumer_serve(task->consumer, err);
    if (rc == PST_OK && task->at == task->n_items) {
        task->at = task->n_items = 0;
        rc = pst_consumer_poll(task->consumer, poll_ms(task, *next_ms), &task->items,
                               &task->n_items, err);
        task->idle = task->n_items == 0;
    } else if (rc == PST_OK) {
        pst_cancel_wait(task->env->cancel, FULL_WAIT_MS);
    }
    if (rc == PST_OK && task->at < task->n_items)
        rc = take_items(task, err);
    if (rc == PST_OK)
        rc = task->ops->tick(task->sink, next_ms, err);
    if (rc == PST_OK) {
        commit_some(task);
        tell(task);
        trim(task);
    }
    return rc;
}

/* A topic that never comes must not keep a run that is to end. librdkafka joins no group
   for a pattern without topics. */
static bool too_late(const sink_task *task, int64_t began, pst_err *err)
{
    long long limit = task->env->startup_timeout_ms;
    if (!task->env->until_end || mono(task) - began < limit)
        return false;
    for (size_t i = 0; i < task->n_wanted; i++) {
        if (!task->there[i])
            (void)pst_fail(err, PST_E_NOT_FOUND,
                           "topic %s does not exist, after startup.timeout.ms=%lld",
                           task->wanted[i], limit);
        else if (!task->assigned && task->wanted[i][0] == '^')
            (void)pst_fail(
                err, PST_E_NOT_FOUND,
                "nothing was assigned within startup.timeout.ms=%lld: no topic "
                "matches topics.regex=%s, or its group does not settle",
                limit, task->wanted[i]);
    }
    return err->code != PST_OK;
}

static pst_rc loop(sink_task *task, pst_err *err)
{
    int64_t next_ms = 0, began = mono(task);
    pst_rc rc = PST_OK;
    while (rc == PST_OK && !pst_cancelled(task->env->cancel)) {
        rc = turn(task, &next_ms, err);
        if (rc == PST_OK && too_late(task, began, err))
            rc = PST_E_NOT_FOUND;
        if (rc == PST_OK && task->env->until_end && task->ops->finished(task->sink))
            break;
    }
    if (rc == PST_E_STOPPED && pst_cancelled(task->env->cancel)) {
        pst_err_clear(err);
        rc = PST_OK;
    }
    return rc;
}

/* ---- end ---- */

/* Why not all was landed. A stop whose time is over waits for no request either. */
static void out_of_time(sink_task *task, pst_err *why)
{
    if (pst_cancelled(task->env->abort))
        (void)pst_fail(why, PST_E_TIMEOUT, "stopped at once");
    else
        (void)pst_fail(why, PST_E_TIMEOUT, "shutdown.timeout.ms=%lld is over",
                       (long long)task->run->shutdown_timeout_ms);
    if (pst_cancelled(task->env->cancel))
        pst_cancel_set(task->env->abort);
}

static pst_rc finish(sink_task *task, pst_rc rc, pst_err *err)
{
    pst_err why = PST_ERR_INIT;
    task->ended = true;
    if (rc != PST_OK && rc != PST_E_INVALID)
        return rc; /* what is buffered may be wrong, or cannot be landed */
    bool landed = land(task, NULL, 0, task->run->shutdown_timeout_ms, &why);
    if (!landed && why.code == PST_OK)
        out_of_time(task, &why);
    commit_now(task, LAST_COMMIT_MS);
    if (landed || rc != PST_OK)
        return rc;
    if (!task->env->until_end && why.code == PST_E_TIMEOUT) {
        pst_logf(task->env->log, PST_LOG_WARN, task->env->id, "task",
                 "%s: what was not landed stays in Kafka", why.text);
        return PST_OK;
    }
    *err = why;
    return why.code;
}

/* A run that is to end has ended when all has landed: a dead letter that fails at the
   very end takes its partition back (rule 11). */
static pst_rc work(sink_task *task, pst_err *err)
{
    pst_rc rc;
    do {
        task->ended = false;
        rc = loop(task, err);
        rc = finish(task, rc, err);
    } while (rc == PST_OK && task->env->until_end && !pst_cancelled(task->env->cancel) &&
             !task->ops->finished(task->sink));
    return rc;
}

static void done(sink_task *task)
{
    pst_consumer_close(task->consumer); /* may still call on_revoked() */
    if (task->sink) {
        task->ops->stats(task->sink, &task->run->stats);
        task->ops->stop(task->sink); /* its jobs under way may ask Kafka to their end */
    }
    pst_consumer_free(task->consumer);
    task->env->cluster = task->env->group = NULL;
    pst_free(task->wanted);
    pst_free(task->found);
    pst_free(task->there);
    pst_free(task->tps);
    pst_free(task->cluster);
    pst_free(task->group);
}

pst_rc pst_sink_task_run(pst_sink_run *run, pst_err *err)
{
    pthread_setname_np(pthread_self(), "pst-task");
    sink_task task = {.run = run, .env = run->env, .ops = run->connector->sink};
    task.host = (pst_sink_host){.commits = host_commits,
                                .watermarks = host_watermarks,
                                .partitions = host_partitions,
                                .seek = host_seek,
                                .end = host_end,
                                .wake = host_wake,
                                .trouble = host_trouble,
                                .self = &task};
    pst_rc rc = start(&task, err);
    if (rc == PST_OK) {
        rc = work(&task, err);
    } else if (rc == PST_E_STOPPED) {
        pst_err_clear(err);
        rc = PST_OK;
    }
    done(&task);
    return rc;
}

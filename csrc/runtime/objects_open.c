/*
 * objects_open.c - partitions are assigned: each chain is recovered before its first
 * record is read. The pool does it for all at once; this thread waits, with an eye on
 * env->cancel, and goes on with the uploads of the other partitions meanwhile.
 */
#include "runtime/objects_internal.h"

#include <string.h>

static pst_rc part_new(pst_objects *objects, const pst_tp *tp, pst_part **out,
                       pst_err *err)
{
    pst_part *p = pst_calloc(1, sizeof *p);
    if (!p)
        return pst_fail_nomem(err, "partition");
    p->objects = objects;
    p->line_end = &p->line;
    p->deadline_ms = INT64_MAX;
    p->end = INT64_MAX;
    p->commit_offset = PST_OFFSET_NONE;
    p->last = p->check = PST_LAST_NONE;
    p->opening = true;
    pst_rc rc =
        pst_chain_init(&p->chain, &objects->chain_conf, tp->topic, tp->partition, err);
    if (rc != PST_OK) {
        pst_free(p);
        return rc;
    }
    *out = p;
    return PST_OK;
}

/* What Kafka says of one partition; without a host there is no log to compare with. */
static pst_rc ask_facts(pst_part *part, pst_log_facts *facts,
                        char (*metadata)[PST_KAFKA_METADATA_MAX], pst_err *err)
{
    const pst_sink_host *host = part->objects->host;
    const char *topic = part->chain.topic;
    int32_t partition = part->chain.partition;
    *facts = (pst_log_facts){.committed = PST_OFFSET_NONE,
                             .metadata = "",
                             .high = INT64_MAX,
                             .asked_ms = now_ms(part->objects)};
    if (!host)
        return PST_OK;
    pst_tp tp = {.topic = topic, .partition = partition};
    pst_rc rc = host->commits(host->self, &tp, 1, metadata, err);
    if (rc == PST_OK)
        rc = host->watermarks(host->self, topic, partition, &facts->low, &facts->high,
                              err);
    facts->committed = tp.offset;
    facts->metadata = metadata[0];
    return rc;
}

/* Uploads in parts that a crash has left. That this can't be done hinders nothing. */
static void sweep_uploads(pst_part *part)
{
    pst_objects *objects = part->objects;
    size_t n = 0;
    pst_err why = PST_ERR_INIT;
    if (atomic_load(&objects->no_sweep))
        return;
    pst_rc rc = pst_chain_sweep(&part->chain, part->sweep_topic, &n, &why);
    if (n)
        pst_logf(objects->env->log, PST_LOG_INFO, objects->env->id, "store",
                 "%s-%d: aborted %zu uploads in parts that were left over",
                 part->chain.topic, part->chain.partition, n);
    bool silent = rc == PST_OK || rc == PST_E_STOPPED || rc == PST_E_UNSUPPORTED;
    if (rc != PST_OK && !atomic_exchange(&objects->no_sweep, true) && !silent)
        pst_logf(objects->env->log, PST_LOG_WARN, objects->env->id, "store",
                 "uploads in parts that a crash has left cannot be removed: %s. A "
                 "lifecycle rule of the bucket (AbortIncompleteMultipartUpload) does it, "
                 "too",
                 why.text);
}

static void recover_job(void *arg)
{
    pst_part *part = arg;
    pst_log_facts facts;
    char metadata[1][PST_KAFKA_METADATA_MAX] = {""};
    pst_err_clear(&part->job_err);
    part->job_rc = ask_facts(part, &facts, metadata, &part->job_err);
    if (part->job_rc == PST_OK)
        part->job_rc =
            pst_chain_recover(&part->chain, &facts, &part->resume, &part->job_err);
    if (part->job_rc == PST_OK)
        part->end = part->objects->env->until_end ? facts.high : INT64_MAX;
    if (part->job_rc == PST_OK)
        sweep_uploads(part);
    pst_part_post(part);
}

/* The chain's position is known: begin with it. */
static void begin(pst_part *part)
{
    pst_objects *objects = part->objects;
    part->opening = part->reopen = false;
    part->read_pos = part->resume.take_from;
    part->check = part->resume.check;
    part->last = part->chain.last;
    part->commit_first = part->resume.commit_first;
    part->commit_offset = part->commit_first ? PST_OFFSET_NONE : part->resume.committed;
    int64_t known = part->read_pos;
    if (part->resume.plan && part->resume.committed > known)
        known = part->resume.committed; /* the commit never goes back */
    if (known > part->commit_offset)
        pst_part_note_commit(part, known);
    pst_part_begin_plan(part);
    part->attempts = 0;
    part->failing_since_ms = part->complained_ms = part->retry_at_ms = 0;
    objects->stats.skipped += part->resume.lost;
    pst_logf(objects->env->log, part->resume.lost ? PST_LOG_WARN : PST_LOG_INFO,
             objects->env->id, "chain",
             "%s-%d: going on at offset %lld (chain at %lld%s)", part->chain.topic,
             part->chain.partition, (long long)part->read_pos, (long long)part->chain.pos,
             part->resume.lost ? "; records expired unread" : "");
}

static void submit_recovery(pst_part *part)
{
    part->in_flight = true;
    pst_pool_submit(part->objects->pool, &part->slot, recover_job, part);
}

/* One look at a partition being opened: begins with it, asks, or backs off. */
static pst_rc step(pst_part *part, pst_err *err)
{
    if (!part->opening || part->in_flight)
        return PST_OK;
    if (part->asked) {
        part->asked = false;
        if (part->job_rc != PST_OK)
            return pst_part_back_off(part, "opening the chain", &part->job_err, err);
        begin(part);
    } else if (part->retry_at_ms <= now_ms(part->objects)) {
        part->asked = true;
        submit_recovery(part);
    }
    return PST_OK;
}

static pst_rc step_all(pst_part **opening, size_t n, size_t *left, pst_err *err)
{
    pst_rc rc = PST_OK;
    *left = 0;
    for (size_t i = 0; rc == PST_OK && i < n; i++) {
        rc = step(opening[i], err);
        *left += opening[i]->opening;
    }
    return rc;
}

static pst_rc recover_all(pst_objects *objects, pst_part **opening, size_t n,
                          pst_err *err)
{
    size_t left = n;
    pst_rc rc = PST_OK;
    int64_t began = now_ms(objects);
    while (rc == PST_OK && left) {
        rc = step_all(opening, n, &left, err);
        if (rc != PST_OK || !left)
            break;
        if (pst_cancelled(objects->env->cancel))
            rc = pst_fail(err, PST_E_STOPPED, "stopped while opening partitions");
        else if (!objects->opened &&
                 now_ms(objects) - began > objects->env->startup_timeout_ms)
            rc = pst_fail_retriable(err, PST_E_TIMEOUT,
                                    "partitions could not be opened "
                                    "within startup.timeout.ms: %s",
                                    opening[0]->job_err.text);
        if (rc == PST_OK) {
            pst_objects_wait_job(objects, 50);
            rc = pst_objects_reap(objects, err);
        }
    }
    return rc;
}

static void abandon(pst_part **opening, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!opening[i])
            continue;
        if (opening[i]->in_flight)
            opening[i]->orphan = true;
        else
            pst_part_free(opening[i]);
    }
}

pst_rc pst_objects_open(pst_objects *objects, pst_tp *tps, size_t n, pst_err *err)
{
    pst_part **opening = pst_calloc(n, sizeof(pst_part *));
    pst_rc rc = opening ? PST_OK : pst_fail_nomem(err, "partitions");
    for (size_t i = 0; rc == PST_OK && i < n; i++)
        rc = part_new(objects, &tps[i], &opening[i], err);
    for (size_t i = 0; rc == PST_OK && i < n; i++)
        opening[i]->sweep_topic = i == 0 || strcmp(tps[i].topic, tps[i - 1].topic) != 0;
    if (rc == PST_OK)
        rc = recover_all(objects, opening, n, err);
    if (rc != PST_OK && opening)
        abandon(opening, n);
    for (size_t i = 0; rc == PST_OK && i < n; i++) {
        tps[i].offset = opening[i]->resume.read_from;
        tps[i].from = opening[i]->resume.take_from;
        opening[i]->next = objects->parts;
        objects->parts = opening[i];
    }
    if (rc == PST_OK)
        objects->opened = true;
    pst_free(opening);
    return rc;
}

/* In place, for a partition that stays ours: position passed or out of the log's range.
   No record is taken before the seek has succeeded. */
pst_rc pst_part_reopen(pst_part *part, pst_err *err)
{
    pst_objects *objects = part->objects;
    const pst_sink_host *host = objects->host;
    if (part->retry_at_ms > now_ms(objects))
        return PST_OK;
    pst_part_drop(part);
    pst_log_facts facts;
    pst_err why = PST_ERR_INIT;
    char metadata[1][PST_KAFKA_METADATA_MAX] = {""};
    pst_rc rc = ask_facts(part, &facts, metadata, &why);
    if (rc == PST_OK)
        rc = pst_chain_recover(&part->chain, &facts, &part->resume, &why);
    if (rc == PST_OK && host) {
        rc = host->seek(host->self, part->chain.topic, part->chain.partition,
                        part->resume.read_from, &why);
        why.retriable = rc != PST_OK; /* if the partition is gone, a rebalance tells */
    }
    if (rc != PST_OK)
        return pst_part_back_off(part, "opening the chain", &why, err);
    begin(part);
    return PST_OK;
}

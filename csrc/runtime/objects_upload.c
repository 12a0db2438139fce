/*
 * objects_upload.c - sealed windows go to the chain, one at a time a partition.
 */
#include "runtime/objects_internal.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

/* ---- sealing ---- */

static void new_batch_id(pst_window *window, uint64_t *seed)
{
    unsigned char raw[PST_CHAIN_BATCH_LEN / 2];
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        for (size_t i = 0; i < sizeof raw; i++)
            raw[i] = (unsigned char)pst_backoff_ms(seed, 0, 255, 8);
    pst_hex(window->batch, raw, sizeof raw);
}

void pst_part_line_up(pst_part *part, sealed *entry)
{
    entry->plain = pst_window_len(&entry->window);
    entry->held = pst_window_reserved(&entry->window);
    *part->line_end = entry;
    part->line_end = &entry->next;
    pst_part_submit(part);
}

pst_rc pst_part_seal(pst_part *part, pst_err *err)
{
    sealed *entry = pst_calloc(1, sizeof *entry);
    if (!entry)
        return pst_fail_nomem(err, "window");
    entry->window = *part->open;
    part->objects->open_bytes -= (int64_t)pst_window_reserved(part->open);
    part->objects->open_files -= part->open->files ? part->open->files->n : 0;
    pst_free(part->open);
    part->open = NULL;
    entry->window.next = part->read_pos;
    entry->window.last = part->last;
    new_batch_id(&entry->window, &part->objects->seed);
    part->deadline_ms = INT64_MAX;
    pst_part_line_up(part, entry);
    return PST_OK;
}

/* ---- to the pool and back ---- */

void pst_part_post(pst_part *part)
{
    pst_objects *objects = part->objects;
    pthread_mutex_lock(&objects->done_lock);
    part->done_next = objects->done;
    objects->done = part;
    pthread_cond_signal(&objects->done_more);
    pthread_mutex_unlock(&objects->done_lock);
    if (objects->host && objects->host->wake)
        objects->host->wake(objects->host->self);
}

static void append_job(void *arg)
{
    pst_part *part = arg;
    sealed *head = part->line;
    pst_err_clear(&part->job_err);
    part->job_rc = PST_OK;
    if (!head->packed)
        part->job_rc =
            pst_objects_pack_window(part->objects, &head->window, &part->job_err);
    head->packed = part->job_rc == PST_OK;
    if (head->packed)
        part->job_rc = pst_chain_append(&part->chain, &head->window, &part->outcome,
                                        part->url, sizeof part->url, &part->job_err);
    pst_part_post(part);
}

void pst_part_submit(pst_part *part)
{
    if (part->in_flight || part->reopen || part->commit_first || !part->line ||
        part->retry_at_ms > now_ms(part->objects) ||
        !pst_window_settled(&part->line->window))
        return;
    part->in_flight = true;
    part->job_start = part->chain.pos;
    pst_pool_submit(part->objects->pool, &part->slot, append_job, part);
}

void pst_objects_wait_job(pst_objects *objects, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&objects->done_lock);
    if (!objects->done)
        pthread_cond_timedwait(&objects->done_more, &objects->done_lock, &until);
    pthread_mutex_unlock(&objects->done_lock);
}

/* ---- outcomes ---- */

static void tell_landed(pst_part *part, const sealed *head)
{
    pst_objects *objects = part->objects;
    const pst_window *window = &head->window;
    const pst_compression *method = objects->encoder->compression;
    size_t n = window->files ? window->files->n : 1, len = pst_window_len(window);
    char before[64] = "", more[48] = "";
    if (method)
        snprintf(before, sizeof before, " (%zu before %s)", head->plain, method->name);
    if (n > 1)
        snprintf(more, sizeof more, " and %zu more", n - 1);
    pst_logf(objects->env->log, PST_LOG_INFO, objects->env->id, "chain",
             "landed %s%s: %lld rows, offsets [%lld, %lld), %zu bytes%s", part->url, more,
             (long long)window->rows, (long long)part->job_start, (long long)window->next,
             len, before);
    pthread_mutex_lock(&objects->stats_lock);
    objects->stats.objects += (int64_t)n;
    objects->stats.bytes += (int64_t)len;
    snprintf(objects->stats.last_object, sizeof objects->stats.last_object, "%s",
             part->url);
    pthread_mutex_unlock(&objects->stats_lock);
    pst_objects_note_landed(objects, part->url, window);
}

static void pop_line(pst_part *part)
{
    sealed *head = part->line;
    part->line = head->next;
    if (!part->line)
        part->line_end = &part->line;
    pst_window_done(part->objects, &head->window);
    pst_free(head);
}

static void landed(pst_part *part)
{
    tell_landed(part, part->line);
    pst_objects_count_landed(part->objects, &part->line->window);
    pop_line(part);
    pst_part_note_commit(part, part->chain.pos);
    pst_part_submit(part);
}

/* Rule 4: another writer of this group was here. What is buffered below its end is landed
   already; to be sure of the rest it is read again from there. */
static void adopted(pst_part *part)
{
    pst_objects *objects = part->objects;
    pst_logf(objects->env->log, PST_LOG_INFO, objects->env->id, "chain",
             "%s-%d: another task has landed records up to offset %lld; going on there",
             part->chain.topic, part->chain.partition, (long long)part->chain.pos);
    objects->stats.adopted++;
    if (part->chain.pos > part->job_start)
        pst_metrics_add(objects->env->metrics, PST_M_ADOPTED,
                        part->chain.pos - part->job_start);
    pst_part_drop(part);
    part->read_pos = part->chain.pos;
    part->last = part->chain.last;
    part->check = PST_LAST_NONE;
    pst_part_set_deadline(part); /* commits it, once the record below it is known */
    if (!objects->host)
        return;
    int64_t from = part->read_pos;
    if (part->last.offset >= 0 && part->last.offset < from) {
        part->check = part->last; /* rule 8: the other may have read another log */
        from = part->last.offset;
    }
    pst_err why = PST_ERR_INIT;
    if (objects->host->seek(objects->host->self, part->chain.topic, part->chain.partition,
                            from, &why) != PST_OK)
        part->reopen = true; /* takes no record until it could seek */
}

/* Rule 10: the chain goes on in the settings' layout. The group's commit has to say so
   before an object follows: by that a sleeper with the old layout is known. */
static void sealed_chain(pst_part *part)
{
    pst_objects *objects = part->objects;
    char to[PST_PLACE_TEXT_MAX];
    pst_place_text(&part->chain.at, to);
    pst_logf(objects->env->log, PST_LOG_INFO, objects->env->id, "chain",
             "%s-%d: the layout was changed at offset %lld; going on in %s",
             part->chain.topic, part->chain.partition, (long long)part->chain.pos, to);
    pst_part_commit_layout(part);
    pst_part_submit(part);
}

/* Rule 9: we slept, and the group went on without us. */
static void passed(pst_part *part)
{
    pst_objects *objects = part->objects;
    pst_logf(objects->env->log, PST_LOG_WARN, objects->env->id, "chain",
             "%s-%d: the group has gone on beyond offset %lld while this task slept; "
             "dropping what is buffered",
             part->chain.topic, part->chain.partition, (long long)part->chain.pos);
    pst_part_drop(part);
    part->reopen = true;
}

/* A window stands at our position that another task has begun, or we have a pass of our
   own to go: it is completed before the chain goes on. */
static void unfinished(pst_part *part)
{
    pst_objects *objects = part->objects;
    pst_logf(objects->env->log, PST_LOG_INFO, objects->env->id, "chain",
             "%s-%d: the window at offset %lld is not whole; reading it again to "
             "complete it",
             part->chain.topic, part->chain.partition, (long long)part->chain.pos);
    pst_part_drop(part);
    part->reopen = true;
}

static bool may_pass(const pst_err *err)
{
    return err->retriable || err->unknown || err->code == PST_E_AUTH ||
           err->code == PST_E_NOT_FOUND || err->code == PST_E_THROTTLED;
}

static void complain(pst_part *part, const char *what, const pst_err *why, int64_t now,
                     int64_t wait_ms)
{
    if (part->complained_ms && now - part->complained_ms < COMPLAIN_MS)
        return;
    part->complained_ms = now;
    pst_logf(part->objects->env->log, PST_LOG_WARN, part->objects->env->id, "store",
             "%s-%d: %s fails: %s; trying again in %lld ms, nothing is dropped",
             part->chain.topic, part->chain.partition, what, why->text,
             (long long)wait_ms);
}

pst_rc pst_part_back_off(pst_part *part, const char *what, const pst_err *why,
                         pst_err *err)
{
    pst_objects *objects = part->objects;
    int64_t now = now_ms(objects), limit = objects->connector->errors_retry_timeout_ms;
    if (!part->failing_since_ms)
        part->failing_since_ms = now;
    bool give_up =
        objects->env->until_end && limit >= 0 && now - part->failing_since_ms >= limit;
    if (!may_pass(why) || give_up || why->code == PST_E_STOPPED) {
        if (err && err->code == PST_OK)
            *err = *why;
        pst_err_context(err, "%s-%d: %s", part->chain.topic, part->chain.partition, what);
        return why->code;
    }
    bool slow = why->code == PST_E_AUTH || why->code == PST_E_NOT_FOUND;
    int64_t base = slow ? SLOW_RETRY_MS : objects->retry_backoff_ms;
    int64_t cap = objects->connector->errors_retry_delay_max_ms;
    int64_t wait =
        pst_backoff_ms(&objects->seed, base < cap ? base : cap, cap, part->attempts++);
    if (why->after_ms > wait)
        wait = why->after_ms < 60000 ? why->after_ms : 60000;
    part->retry_at_ms = now + wait;
    pst_metrics_add(objects->env->metrics, PST_M_RETRIES, 1);
    snprintf(objects->trouble, sizeof objects->trouble, "%s-%d: %s fails: %s",
             part->chain.topic, part->chain.partition, what, why->text);
    if (part->opening && objects->host && objects->host->trouble)
        objects->host->trouble(objects->host->self, objects->trouble);
    complain(part, what, why, now, wait);
    return PST_OK;
}

static void recovered(pst_part *part)
{
    if (part->complained_ms)
        pst_logf(part->objects->env->log, PST_LOG_INFO, part->objects->env->id, "store",
                 "%s-%d: the store works again", part->chain.topic,
                 part->chain.partition);
    part->attempts = 0;
    part->failing_since_ms = part->complained_ms = part->retry_at_ms = 0;
}

/* Another writer of this group has landed just what we have: the same last record, so the
   same records. */
static bool same_window(const pst_part *part)
{
    const pst_window *window = &part->line->window;
    const pst_last *theirs = &part->chain.last, *ours = &window->last;
    return part->chain.pos == window->next && theirs->offset == ours->offset &&
           theirs->timestamp_ms == ours->timestamp_ms && theirs->crc32c == ours->crc32c;
}

static pst_rc handle(pst_part *part, pst_err *err)
{
    if (part->line)
        part->line->held = pst_window_reserved(&part->line->window);
    if (part->job_rc != PST_OK)
        return pst_part_back_off(part, "landing an object", &part->job_err, err);
    recovered(part);
    if (part->outcome == PST_PASSED) {
        passed(part);
        return PST_OK;
    }
    if (part->outcome == PST_UNFINISHED) {
        unfinished(part);
        return PST_OK;
    }
    if (part->outcome == PST_SEALED) {
        sealed_chain(part);
        return PST_OK;
    }
    if (part->outcome == PST_APPENDED || same_window(part)) {
        landed(part);
        return PST_OK;
    }
    adopted(part);
    return PST_OK;
}

pst_rc pst_objects_reap(pst_objects *objects, pst_err *err)
{
    pthread_mutex_lock(&objects->done_lock);
    pst_part *done = objects->done;
    objects->done = NULL;
    pthread_mutex_unlock(&objects->done_lock);
    pst_rc rc = PST_OK;
    while (done) {
        pst_part *p = done;
        done = p->done_next;
        p->in_flight = false;
        if (p->orphan)
            pst_part_free(p);
        else if (!p->opening && rc == PST_OK)
            rc = handle(p, err);
    }
    return rc;
}

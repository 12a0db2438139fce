/*
 * objects.c - see objects.h: a sink's life, its records and its timer.
 */
#include "runtime/objects_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    POOL_THREADS = 16, /* as many as the store's connections at once */
    ROW_MAX_SHARE = 4,
    CLOCK_SLACK_MS = 200,
    OVERLAP_SHARE = 8,
    OVERLAP_BYTES = 8 * 1024 * 1024,
};

/* ---- life ---- */

static void init_chain_conf(pst_objects *objects, const pst_objects_options *options)
{
    const pst_objects_conf *conf = options->conf;
    const pst_task_env *env = options->env;
    objects->chain_conf = (pst_chain_conf){
        .store = options->store,
        .clock = env->clock,
        .log = env->log,
        .task = env->id,
        .topics_dir = conf->topics_dir,
        .layout = (pst_layout)conf->layout,
        .extension = options->encoder->extension,
        .content_type = options->encoder->content_type,
        .content_encoding = options->encoder->compression_header
                                ? options->encoder->compression->name
                                : NULL,
        .group = env->group,
        .take_over_from = objects->take_over_group,
        .layout_from = conf->layout_from,
        .cluster = env->cluster,
        .reset = env->reset_latest ? PST_RESET_LATEST : PST_RESET_EARLIEST,
        .fail_on_data_loss = conf->fail_on_data_loss,
        .conditional = options->conditional,
        .session_timeout_ms = env->session_timeout_ms,
        .host = options->host,
        .metrics = env->metrics,
    };
    snprintf(objects->chain_conf.schema, sizeof objects->chain_conf.schema, "%s",
             options->encoder->schema);
}

pst_rc pst_objects_new(pst_objects **out, const pst_objects_options *options,
                       pst_err *err)
{
    pst_objects *objects = pst_calloc(1, sizeof *objects);
    if (!objects)
        return pst_fail_nomem(err, "sink");
    objects->conf = options->conf;
    objects->connector = options->connector;
    objects->env = options->env;
    objects->host = options->host;
    objects->encoder = options->encoder;
    objects->retry_backoff_ms = options->retry_backoff_ms;
    objects->stats.guarantee =
        options->conditional ? "exactly once" : "at-least-once under split brain";
    objects->seed = (uint64_t)pst_wall_ms(options->env->clock) ^ (uintptr_t)objects;
    pthread_mutex_init(&objects->done_lock, NULL);
    /* Monotonic: a wall clock set back must not lengthen a wait. */
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&objects->done_more, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&objects->pack_lock, NULL);
    pthread_cond_init(&objects->pack_turn, NULL);
    pthread_mutex_init(&objects->stats_lock, NULL);
    pst_buf_init(&objects->row, (size_t)options->env->budget->limit / ROW_MAX_SHARE);
    pst_buf_init(&objects->route.path, PST_STORE_KEY_MAX);
    pst_rc rc = PST_OK;
    if (options->encoder->routed !=
        pst_layout_is_routed((pst_layout)options->conf->layout))
        rc = pst_fail(err, PST_E_CONFIG, "partitioner.class=%s, but rows have %s paths",
                      pst_layout_name((pst_layout)options->conf->layout),
                      options->encoder->routed ? "their own" : "no");
    if (rc == PST_OK && options->conf->take_over_from) {
        objects->take_over_group =
            pst_asprintf("connect-%s", options->conf->take_over_from);
        if (!objects->take_over_group)
            rc = pst_fail_nomem(err, "sink");
    }
    init_chain_conf(objects, options);
    if (rc == PST_OK)
        rc = pst_objects_open_letters(objects, err);
    if (rc == PST_OK)
        rc = pst_objects_check_pack(objects, err);
    if (rc == PST_OK)
        rc = pst_pool_new(&objects->pool, POOL_THREADS, err);
    if (rc != PST_OK) {
        pst_objects_free(objects);
        return rc;
    }
    *out = objects;
    return PST_OK;
}

void pst_window_done(pst_objects *objects, pst_window *window)
{
    pst_budget_sub(objects->env->budget, pst_window_reserved(window));
    pst_chunks_done(&window->bytes);
    pst_letters_release(window->letters);
    pst_files_free(window->files);
    window->files = NULL;
}

static void drop_open(pst_part *part)
{
    if (!part->open)
        return;
    part->objects->open_bytes -= (int64_t)pst_window_reserved(part->open);
    part->objects->open_files -= part->open->files ? part->open->files->n : 0;
    pst_window_done(part->objects, part->open);
    pst_free(part->open);
    part->open = NULL;
}

void pst_part_drop(pst_part *part)
{
    drop_open(part);
    pst_part_drop_plan(part);
    while (part->line) {
        sealed *head = part->line;
        part->line = head->next;
        pst_window_done(part->objects, &head->window);
        pst_free(head);
    }
    part->line_end = &part->line;
    part->deadline_ms = INT64_MAX;
}

void pst_part_free(pst_part *part)
{
    pst_part_drop(part);
    pst_window_free(part->resume.plan);
    pst_free(part);
}

void pst_objects_free(pst_objects *objects)
{
    if (!objects)
        return;
    pst_pool_free(objects->pool); /* waits for the jobs under way */
    pst_objects_tell_held(objects);
    for (pst_part *p = objects->done; p;) {
        pst_part *next = p->done_next;
        if (p->orphan)
            pst_part_free(p);
        p = next;
    }
    while (objects->parts) {
        pst_part *p = objects->parts;
        objects->parts = p->next;
        pst_part_free(p);
    }
    pst_deadletters_free(objects->dead);
    pst_buf_done(&objects->row);
    pst_buf_done(&objects->route.path);
    pst_free(objects->take_over_group);
    pst_free(objects->counted);
    pthread_mutex_destroy(&objects->done_lock);
    pthread_cond_destroy(&objects->done_more);
    pthread_mutex_destroy(&objects->pack_lock);
    pthread_cond_destroy(&objects->pack_turn);
    pthread_mutex_destroy(&objects->stats_lock);
    pst_free(objects);
}

static bool is_part(const pst_part *p, const char *topic, int32_t partition)
{
    return p->chain.partition == partition && strcmp(p->chain.topic, topic) == 0;
}

/* In a trickle each record may be another partition's: found where it was found last. */
pst_part *pst_objects_find(pst_objects *objects, const char *topic, int32_t partition)
{
    pst_part **found = &objects->found[(uint32_t)partition % FOUND_MAX];
    if (*found && is_part(*found, topic, partition))
        return *found;
    for (pst_part *p = objects->parts; p; p = p->next)
        if (is_part(p, topic, partition))
            return *found = p;
    return NULL;
}

/* ---- records ---- */

/* Aligned to the wall clock, but never later than one interval by the monotonic one: a
   clock that jumps cannot hold records back. */
void pst_part_set_deadline(pst_part *part)
{
    if (part->deadline_ms != INT64_MAX)
        return;
    const pst_clock *clock = part->objects->env->clock;
    int64_t interval = part->objects->conf->rotate_schedule_ms;
    int64_t into = pst_wall_ms(clock) % interval;
    if (into < 0)
        into += interval;
    part->deadline_ms = pst_mono_ms(clock) + interval - into;
}

pst_rc pst_part_fail_log(const pst_part *part, int64_t offset, pst_err *err)
{
    return pst_fail(
        err, PST_E_CHAIN,
        "%s-%d: the record at offset %lld is not the one that was landed from "
        "there: the topic was made anew, or its log was replaced. For the new topic "
        "use another topics.dir and delete the group's offsets, or restore the old one",
        part->chain.topic, part->chain.partition, (long long)offset);
}

/* Rule 8, second half: the record where the chain ended must be the one that was landed.
 */
static pst_rc check_log(pst_part *part, const pst_msg *msg, bool *known, pst_err *err)
{
    pst_last check = part->check;
    *known = false;
    if (msg->offset < check.offset)
        return PST_OK;
    part->check = PST_LAST_NONE;
    if (msg->offset > check.offset) {
        pst_logf(part->objects->env->log, PST_LOG_INFO, part->objects->env->id, "chain",
                 "%s-%d: the last landed record (offset %lld) is gone from the topic; "
                 "going on at %lld",
                 msg->topic, msg->partition, (long long)check.offset,
                 (long long)msg->offset);
        return PST_OK;
    }
    *known = true;
    if (msg->timestamp_ms == check.timestamp_ms &&
        pst_chain_fingerprint(msg) == check.crc32c)
        return PST_OK;
    return pst_part_fail_log(part, check.offset, err);
}

static pst_rc window_add(pst_part *part, pst_window *window, const pst_buf *bytes,
                         pst_err *err)
{
    size_t before = window->bytes.reserved;
    pst_rc rc = pst_chunks_add(&window->bytes, bytes->data, bytes->len);
    size_t more = window->bytes.reserved - before;
    if (more) {
        part->objects->open_bytes += (int64_t)more;
        pst_budget_add(part->objects->env->budget, more);
    }
    return rc == PST_OK ? PST_OK : pst_fail_nomem(err, "window");
}

pst_rc pst_objects_head(const pst_objects *objects, pst_buf *head, pst_err *err)
{
    pst_buf_init(head, PST_CHUNK_MAX);
    return objects->encoder->begin(objects->encoder->self, head, err);
}

/* The bytes of a window that has files begin with each of them. */
static pst_rc open_files(pst_part *part, pst_err *err)
{
    pst_objects *objects = part->objects;
    pst_rc rc = pst_files_new(&part->open->files, err);
    if (rc != PST_OK)
        return rc;
    objects->open_bytes += (int64_t)pst_window_reserved(part->open);
    pst_budget_add(objects->env->budget, pst_window_reserved(part->open));
    return PST_OK;
}

pst_rc pst_part_open_window(pst_part *part, pst_err *err)
{
    pst_objects *objects = part->objects;
    if (part->open)
        return PST_OK;
    pst_window *window = pst_calloc(1, sizeof *window);
    if (!window)
        return pst_fail_nomem(err, "window");
    pst_chunks_init(&window->bytes);
    window->first_ms = now_ms(objects);
    part->open = window;
    if (objects->encoder->routed)
        return open_files(part, err);
    pst_buf head;
    pst_rc rc = pst_objects_head(objects, &head, err);
    if (rc == PST_OK && head.len)
        rc = window_add(part, window, &head, err);
    pst_buf_done(&head);
    return rc;
}

/* A window that grew so much in the first eighth of its time would meet buffer.memory
   before its timer: it is a rush. */
static bool is_rush(const pst_part *part)
{
    const pst_window *window = part->open;
    size_t share = (size_t)part->objects->env->budget->limit / OVERLAP_SHARE;
    return pst_window_len(window) >= (share < OVERLAP_BYTES ? share : OVERLAP_BYTES) &&
           (now_ms(part->objects) - window->first_ms) * OVERLAP_SHARE <=
               part->objects->conf->rotate_schedule_ms;
}

/* In a rush nothing is held back while a partition's upload is idle, so that uploading
   and encoding overlap from the beginning; while it is busy, the window grows. Only where
   nobody has said how large an object is to be, nor given room for a whole interval. */
static bool worth_uploading(const pst_part *part)
{
    const pst_objects_conf *conf = part->objects->conf;
    return !conf->flush_size && !conf->flush_bytes && !part->objects->env->spool &&
           !part->line && !part->in_flight && is_rush(part);
}

bool pst_part_window_full(const pst_part *part)
{
    const pst_objects_conf *conf = part->objects->conf;
    const pst_window *window = part->open;
    if (!window || !window->rows)
        return false;
    return (conf->flush_size && window->records >= conf->flush_size) ||
           (conf->flush_bytes && (int64_t)pst_window_len(window) >= conf->flush_bytes) ||
           worth_uploading(part);
}

void pst_part_settle_last(pst_part *part)
{
    const pst_msg *msg = part->last_msg;
    if (!msg)
        return;
    part->last = (pst_last){.offset = msg->offset,
                            .timestamp_ms = msg->timestamp_ms,
                            .crc32c = pst_chain_fingerprint(msg)};
    part->last_msg = NULL;
}

void pst_part_took(pst_part *part, const pst_msg *msg)
{
    part->read_pos = msg->offset + 1;
    part->last_msg = msg;
    part->records++;
    part->objects->stats.records++;
    pst_part_set_deadline(part);
}

pst_rc pst_part_encode(pst_part *part, const pst_msg *msg, pst_err *err)
{
    pst_objects *objects = part->objects;
    const pst_encoder *encoder = objects->encoder;
    pst_err why = PST_ERR_INIT;
    pst_buf_clear(&objects->row);
    pst_rc rc = encoder->encode(encoder->self, msg, &objects->row,
                                encoder->routed ? &objects->route : NULL, &why);
    if (rc == PST_E_INVALID || rc == PST_E_LIMIT) {
        pst_buf_clear(&objects->row);
        /* Of a plan: its dead letter was acknowledged before the manifest was put. */
        rc = part->plan ? PST_OK : pst_part_reject(part, msg, &why, err);
    } else if (rc != PST_OK && err && err->code == PST_OK) {
        *err = why;
    }
    return rc;
}

static pst_rc take_record(pst_part *part, const pst_msg *msg, pst_err *err)
{
    pst_objects *objects = part->objects;
    if (objects->encoder->routed)
        return pst_part_take_routed(part, msg, err);
    pst_rc rc = pst_part_open_window(part, err);
    if (rc == PST_OK)
        rc = pst_part_encode(part, msg, err);
    if (rc == PST_OK && objects->row.len)
        rc = window_add(part, part->open, &objects->row, err);
    if (rc != PST_OK)
        return rc;
    pst_part_took(part, msg);
    part->open->records++;
    part->open->rows += objects->row.len > 0;
    objects->stats.rows += objects->row.len > 0;
    if (!pst_part_window_full(part))
        return PST_OK;
    pst_part_settle_last(part);
    return pst_part_seal(part, err);
}

static void reach(pst_part *part, int64_t offset)
{
    if (part->check.offset >= 0 && offset > part->check.offset)
        part->check = PST_LAST_NONE;
    if (offset > part->end)
        offset = part->end;
    if (offset <= part->read_pos)
        return;
    part->read_pos = offset;
    pst_part_set_deadline(part);
}

static pst_rc put_one(pst_part *part, const pst_item *item, pst_err *err)
{
    const pst_msg *msg = &item->msg;
    bool known = false;
    if (item->kind == PST_ITEM_STALE)
        return PST_OK;
    if (item->kind == PST_ITEM_EOF) {
        reach(part, msg->offset);
        return PST_OK;
    }
    if (item->kind == PST_ITEM_OUT_OF_RANGE) {
        part->reopen = true;
        return PST_OK;
    }
    if (part->check.offset >= 0) {
        pst_rc rc = check_log(part, msg, &known, err);
        if (rc != PST_OK)
            return rc;
        pst_part_set_deadline(part);
    }
    if (!known && part->plan && !part->reopen) {
        pst_rc rc = pst_part_take_planned(part, msg, &known, err);
        if (rc != PST_OK)
            return rc;
    }
    if (known || part->reopen || msg->offset < part->read_pos)
        return PST_OK;
    if (msg->offset >= part->end) {
        reach(part, part->end);
        return PST_OK;
    }
    return take_record(part, msg, err);
}

/* Closes the largest window: memory runs out, and it gives back the most. */
static pst_rc seal_largest(pst_objects *objects, pst_err *err)
{
    pst_part *largest = NULL;
    for (pst_part *p = objects->parts; p; p = p->next)
        if (p->open && p->open->rows &&
            (!largest || pst_window_len(p->open) > pst_window_len(largest->open)))
            largest = p;
    if (!largest)
        return PST_OK;
    pst_part_settle_last(largest);
    return pst_part_seal(largest, err);
}

/* Past half of the budget: spool or close windows while the open ones hold more than a
   quarter; at all of it in any case, because the memory may be other tasks'. */
static pst_rc relieve(pst_objects *objects, pst_err *err)
{
    const pst_budget *budget = objects->env->budget;
    pst_rc rc = PST_OK;
    while (rc == PST_OK && pst_budget_tight(budget)) {
        int64_t before = objects->open_bytes;
        if (before <= budget->limit / 4 && !pst_budget_full(budget))
            break;
        if (!pst_objects_spill(objects))
            rc = seal_largest(objects, err);
        bool gave = objects->open_bytes != before;
        if (rc == PST_OK && !gave && pst_budget_full(budget))
            rc = pst_objects_leave_largest(objects, &gave, err);
        if (!gave)
            break;
    }
    return rc;
}

pst_rc pst_objects_put(pst_objects *objects, const pst_item *items, size_t n,
                       size_t *taken, pst_err *err)
{
    pst_rc rc = PST_OK;
    size_t i = 0;
    for (; rc == PST_OK && i < n; i++) {
        if (pst_budget_tight(objects->env->budget)) {
            rc = relieve(objects, err);
            if (rc != PST_OK || pst_budget_full(objects->env->budget))
                break;
        }
        const pst_msg *msg = &items[i].msg;
        pst_part *p = pst_objects_find(objects, msg->topic, msg->partition);
        if (p)
            rc = put_one(p, &items[i], err);
        if (pst_objects_later(rc, err)) {
            rc = PST_OK;
            break;
        }
    }
    for (pst_part *p = objects->parts; p; p = p->next)
        pst_part_settle_last(p); /* the items are the caller's again */
    *taken = i;
    return rc;
}

/* ---- timer ---- */

static pst_rc tick_part(pst_part *part, int64_t now, int64_t *next_ms, pst_err *err)
{
    pst_rc rc = PST_OK;
    if (part->reopen && !part->in_flight)
        return pst_part_reopen(part, err);
    rc = pst_part_check_letters(part, err);
    if (rc == PST_OK)
        rc = pst_part_reach_plan(part, err);
    bool due = part->flush || part->deadline_ms <= now;
    if (rc != PST_OK || part->reopen)
        return rc;
    if (due && part->open && part->open->rows)
        rc = pst_part_seal(part, err);
    else if (due && !part->line && !part->in_flight && pst_window_settled(part->open)) {
        drop_open(part);
        pst_part_commit_empty(part);
        part->deadline_ms = INT64_MAX;
        part->flush = false;
    }
    pst_part_submit(part);
    if (part->deadline_ms < *next_ms)
        *next_ms = part->deadline_ms;
    if (part->line && !part->in_flight && part->retry_at_ms < *next_ms)
        *next_ms = part->retry_at_ms;
    return rc;
}

static void gather_stats(pst_objects *objects, int64_t now)
{
    int64_t oldest = 0, bytes = 0;
    bool stalled = false;
    for (pst_part *p = objects->parts; p; p = p->next) {
        int64_t age = pst_part_age_ms(p, now);
        if (age > oldest)
            oldest = age;
        for (const sealed *s = p->line; s; s = s->next)
            bytes += (int64_t)s->held;
        stalled |= p->failing_since_ms && now - p->failing_since_ms > STALLED_MS;
    }
    pthread_mutex_lock(&objects->stats_lock);
    objects->stats.oldest_unflushed_ms = oldest;
    objects->stats.buffered_bytes = bytes + objects->open_bytes;
    objects->stats.stalled = stalled;
    pthread_mutex_unlock(&objects->stats_lock);
    pst_objects_count(objects, now);
}

pst_rc pst_objects_tick(pst_objects *objects, int64_t *next_ms, pst_err *err)
{
    int64_t now = now_ms(objects);
    *next_ms = now + CLOCK_SLACK_MS;
    pst_rc rc = pst_objects_reap(objects, err);
    if (rc == PST_OK)
        rc = pst_objects_poll_letters(objects, next_ms, err);
    for (pst_part *p = objects->parts; rc == PST_OK && p; p = p->next)
        rc = tick_part(p, now, next_ms, err);
    gather_stats(objects, now);
    return rc;
}

static bool among(const pst_part *part, const pst_tp *tps, size_t n)
{
    if (!tps)
        return true;
    for (size_t i = 0; i < n; i++)
        if (tps[i].partition == part->chain.partition &&
            strcmp(tps[i].topic, part->chain.topic) == 0)
            return true;
    return false;
}

void pst_objects_flush(pst_objects *objects, const pst_tp *tps, size_t n)
{
    for (pst_part *p = objects->parts; p; p = p->next)
        p->flush |= among(p, tps, n);
}

bool pst_objects_idle(const pst_objects *objects, const pst_tp *tps, size_t n)
{
    for (const pst_part *p = objects->parts; p; p = p->next)
        if (among(p, tps, n) && (p->open || p->line || p->in_flight || p->flush))
            return false;
    return true;
}

bool pst_objects_finished(const pst_objects *objects)
{
    for (const pst_part *p = objects->parts; p; p = p->next)
        if (p->read_pos < p->end || p->check.offset >= 0 || p->reopen || p->plan)
            return false;
    return objects->opened;
}

void pst_objects_close(pst_objects *objects, const pst_tp *tps, size_t n)
{
    memset(objects->found, 0, sizeof objects->found);
    for (pst_part **at = &objects->parts; *at;) {
        pst_part *p = *at;
        if (!among(p, tps, n)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        if (p->in_flight)
            p->orphan = true; /* freed when its job has ended */
        else
            pst_part_free(p);
    }
}

void pst_objects_stats(const pst_objects *objects, pst_sink_stats *out)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&objects->stats_lock;
    pthread_mutex_lock(lock);
    *out = objects->stats;
    pthread_mutex_unlock(lock);
}

/*
 * objects_routed.c - several objects a window: rows go to files by the encoder's path,
 * and a window of the chain that was left unfinished is completed.
 *
 * A window is closed early when it would get too many files (a partition's, and all open
 * ones together), when its manifest would get too long, and by record time
 * (rotate.interval.ms): always before the record that would be too much, so a path has
 * one file a window.
 *
 * An unfinished window is read again from Kafka. Where a row belongs says its manifest,
 * by the record's offset; the encoder's path is not looked at. If memory does not take
 * all objects at once, the largest are left for another pass.
 */
#include "runtime/objects_internal.h"

#include <inttypes.h>
#include <stdio.h>

enum { FILES_IN_ALL_MAX = 4 * PST_FILES_MAX, LEAVE_SHARE = 2 };

static pst_sv path_of(const pst_objects *objects)
{
    const pst_buf *path = &objects->route.path;
    return (pst_sv){path->len ? path->data : "", path->len};
}

static void count_bytes(pst_objects *objects, int64_t more)
{
    objects->open_bytes += more;
    if (more > 0)
        pst_budget_add(objects->env->budget, (size_t)more);
    else
        pst_budget_sub(objects->env->budget, (size_t)-more);
}

/* ---- when a window must be closed before a row ---- */

static bool is_due(const pst_objects *objects, const pst_file *file)
{
    int64_t age, interval = objects->conf->rotate_ms, time = objects->route.time_ms;
    if (interval <= 0 || !file || time == INT64_MIN || file->first_ms == INT64_MIN)
        return false;
    return !__builtin_sub_overflow(time, file->first_ms, &age) ? age >= interval
                                                               : time > file->first_ms;
}

static pst_rc close_window(pst_part *part, pst_err *err)
{
    pst_part_settle_last(part);
    return pst_part_seal(part, err);
}

static pst_rc close_widest(pst_objects *objects, pst_err *err)
{
    pst_part *widest = NULL;
    for (pst_part *p = objects->parts; p; p = p->next)
        if (p->open && p->open->files &&
            (!widest || p->open->files->n > widest->open->files->n))
            widest = p;
    return widest ? close_window(widest, err) : PST_OK;
}

/* Closes what must be closed before the row; *file: the row's, NULL = a new one. */
static pst_rc make_room(pst_part *part, size_t key_n, pst_file **file, pst_err *err)
{
    pst_objects *objects = part->objects;
    pst_rc rc = PST_OK;
    *file = NULL;
    if (part->open && part->open->rows) {
        *file = pst_files_find(part->open->files, path_of(objects));
        if (is_due(objects, *file) || !pst_files_fit(part->open->files, *file, key_n)) {
            *file = NULL;
            rc = close_window(part, err);
        }
    }
    if (rc == PST_OK && !*file && objects->open_files >= FILES_IN_ALL_MAX)
        rc = close_widest(objects, err);
    return rc == PST_OK ? pst_part_open_window(part, err) : rc;
}

/* ---- rows ---- */

static pst_rc begin_file(pst_objects *objects, pst_files *files, pst_file *file,
                         pst_err *err)
{
    pst_buf head;
    pst_rc rc = pst_objects_head(objects, &head, err);
    if (rc == PST_OK && head.len)
        rc = pst_files_begin(files, file, &head, err);
    pst_buf_done(&head);
    return rc;
}

static pst_rc add_row(pst_objects *objects, pst_files *files, pst_file *file,
                      int64_t offset, pst_err *err)
{
    size_t before = pst_file_reserved(file);
    pst_rc rc = file->rows ? PST_OK : begin_file(objects, files, file, err);
    if (rc == PST_OK)
        rc = pst_files_add(files, file, offset, &objects->row, err);
    count_bytes(objects, (int64_t)pst_file_reserved(file) - (int64_t)before);
    return rc;
}

static pst_rc open_file(pst_objects *objects, pst_files *files, size_t key_n,
                        pst_file **out, pst_err *err)
{
    size_t cap = files->cap;
    pst_rc rc = pst_files_open(files, path_of(objects), key_n, out, err);
    int64_t more = (int64_t)((files->cap - cap) * sizeof *files->at);
    if (rc == PST_OK) {
        (*out)->first_ms = objects->route.time_ms;
        more += (int64_t)pst_file_reserved(*out);
        objects->open_files++;
    }
    count_bytes(objects, more);
    return rc;
}

static pst_rc route_row(pst_part *part, const pst_msg *msg, pst_err *err)
{
    pst_objects *objects = part->objects;
    size_t key_n = pst_chain_file_key_max(&part->chain, objects->route.path.len);
    pst_file *file;
    if (key_n > PST_STORE_KEY_MAX) {
        pst_err why = PST_ERR_INIT;
        (void)pst_fail(&why, PST_E_INVALID,
                       "the path of its object is %zu bytes long, "
                       "more than keys can hold",
                       objects->route.path.len);
        pst_buf_clear(&objects->row);
        return pst_part_reject(part, msg, &why, err);
    }
    pst_rc rc = make_room(part, key_n, &file, err);
    if (rc == PST_OK && !file)
        rc = open_file(objects, part->open->files, key_n, &file, err);
    return rc == PST_OK ? add_row(objects, part->open->files, file, msg->offset, err)
                        : rc;
}

pst_rc pst_part_take_routed(pst_part *part, const pst_msg *msg, pst_err *err)
{
    pst_objects *objects = part->objects;
    pst_buf_clear(&objects->route.path);
    objects->route.time_ms = INT64_MIN;
    pst_rc rc = pst_part_open_window(part, err); /* a dead letter is the window's */
    if (rc == PST_OK)
        rc = pst_part_encode(part, msg, err);
    if (rc == PST_OK && objects->row.len)
        rc = route_row(part, msg, err);
    if (rc != PST_OK)
        return rc;
    pst_part_took(part, msg);
    part->open->records++;
    part->open->rows += objects->row.len > 0;
    objects->stats.rows += objects->row.len > 0;
    return pst_part_window_full(part) ? close_window(part, err) : PST_OK;
}

/* ---- a window that was left unfinished ---- */

void pst_part_begin_plan(pst_part *part)
{
    pst_window *plan = part->resume.plan;
    pst_objects *objects = part->objects;
    if (!plan)
        return;
    part->resume.plan = NULL;
    part->plan = plan;
    part->plan_then = plan->next;
    if (part->resume.committed > plan->next)
        part->plan_then = part->resume.committed;
    plan->first_ms = now_ms(objects);
    count_bytes(objects, (int64_t)pst_window_reserved(plan));
    size_t missing = 0;
    for (size_t i = 0; i < plan->files->n; i++)
        missing += !plan->files->at[i]->done;
    pst_logf(objects->env->log, PST_LOG_INFO, objects->env->id, "chain",
             "%s-%d: %zu of %zu objects of the window [%" PRId64 ", %" PRId64
             ") are missing; completing it",
             part->chain.topic, part->chain.partition, missing, plan->files->n,
             part->chain.pos, plan->next);
}

void pst_part_drop_plan(pst_part *part)
{
    if (!part->plan)
        return;
    count_bytes(part->objects, -(int64_t)pst_window_reserved(part->plan));
    pst_window_free(part->plan);
    part->plan = NULL;
}

static pst_rc fail_rows(const pst_part *part, const pst_file *file, pst_err *err)
{
    return pst_fail(err, PST_E_CHAIN,
                    "%s-%d: the manifest of %s counts %" PRId64 " rows, the topic gives "
                    "more: the topic was made anew, or its log was replaced; use another "
                    "topics.dir and delete the group's offsets, or restore the old one",
                    part->chain.topic, part->chain.partition, file->key, file->expected);
}

static pst_rc add_planned(pst_part *part, const pst_msg *msg, pst_err *err)
{
    pst_objects *objects = part->objects;
    pst_file *file = pst_files_of(part->plan->files, msg->offset);
    if (!file || file->done || file->left)
        return PST_OK;
    pst_buf_clear(&objects->route.path);
    pst_rc rc = pst_part_encode(part, msg, err);
    if (rc != PST_OK || !objects->row.len)
        return rc;
    if (file->rows == file->expected)
        return fail_rows(part, file, err);
    part->plan->rows++;
    objects->stats.rows++;
    return add_row(objects, part->plan->files, file, msg->offset, err);
}

pst_rc pst_part_take_planned(pst_part *part, const pst_msg *msg, bool *mine, pst_err *err)
{
    const pst_last *last = &part->plan->last;
    *mine = msg->offset < part->plan->next;
    if (!*mine) {
        if (part->read_pos < part->plan->next)
            part->read_pos = part->plan->next;
        return pst_part_reach_plan(part, err);
    }
    if (msg->offset < part->read_pos)
        return PST_OK;
    if (msg->offset == last->offset && (msg->timestamp_ms != last->timestamp_ms ||
                                        pst_chain_fingerprint(msg) != last->crc32c))
        return pst_part_fail_log(part, msg->offset, err);
    pst_rc rc = add_planned(part, msg, err);
    if (rc != PST_OK)
        return rc;
    pst_part_took(part, msg);
    part->plan->records++;
    return pst_part_reach_plan(part, err);
}

/* Rows that the manifest counts and the topic does not hold any more. */
static void tell_gone(pst_part *part)
{
    pst_objects *objects = part->objects;
    int64_t gone = 0;
    const pst_files *files = part->plan->files;
    for (size_t i = 0; i < files->n; i++)
        if (!files->at[i]->done && !files->at[i]->left)
            gone += files->at[i]->expected - files->at[i]->rows;
    if (!gone)
        return;
    objects->stats.skipped += gone;
    pst_logf(objects->env->log, PST_LOG_WARN, objects->env->id, "chain",
             "%s-%d: %" PRId64 " records of the unfinished window up to offset %" PRId64
             " are gone from the topic; going on without them",
             part->chain.topic, part->chain.partition, gone, part->plan->next);
}

pst_rc pst_part_reach_plan(pst_part *part, pst_err *err)
{
    pst_window *plan = part->plan;
    if (!plan || part->read_pos < plan->next)
        return PST_OK;
    sealed *entry = pst_calloc(1, sizeof *entry);
    if (!entry)
        return pst_fail_nomem(err, "window");
    tell_gone(part);
    pst_part_settle_last(part);
    if (part->last.offset < plan->last.offset)
        part->last = plan->last;
    if (part->read_pos < part->plan_then)
        part->read_pos = part->plan_then;
    part->objects->open_bytes -= (int64_t)pst_window_reserved(plan);
    entry->window = *plan;
    pst_free(plan);
    part->plan = NULL;
    pst_part_line_up(part, entry);
    return PST_OK;
}

/* ---- in the pool ---- */

pst_rc pst_objects_pack_window(pst_objects *objects, pst_window *window, pst_err *err)
{
    pst_files *files = window->files;
    if (!files && objects->encoder->compression)
        window->summed = window->crc32c = 0; /* other bytes from now on */
    if (!files)
        return pst_objects_pack(objects, &window->bytes, err);
    pst_rc rc = PST_OK;
    files->len = 0;
    for (size_t i = 0; rc == PST_OK && i < files->n; i++) {
        if (files->at[i]->rows)
            rc = pst_objects_pack(objects, &files->at[i]->bytes, err);
        files->len += files->at[i]->bytes.len;
    }
    return rc;
}

/* ---- memory ---- */

static void leave(pst_part *part, pst_file *file)
{
    size_t before = pst_file_reserved(file);
    pst_logf(part->objects->env->log, PST_LOG_INFO, part->objects->env->id, "chain",
             "%s-%d: buffer.memory is full; %s is left for another reading of its window",
             part->chain.topic, part->chain.partition, file->key);
    part->plan->files->len -= file->bytes.len;
    part->plan->rows -= file->rows;
    pst_chunks_done(&file->bytes);
    file->rows = 0;
    file->left = true;
    count_bytes(part->objects, (int64_t)pst_file_reserved(file) - (int64_t)before);
}

pst_rc pst_objects_leave_largest(pst_objects *objects, bool *gave, pst_err *err)
{
    pst_file *largest = NULL;
    pst_part *of = NULL;
    size_t n = 0;
    for (pst_part *p = objects->parts; p; p = p->next)
        for (size_t i = 0; p->plan && i < p->plan->files->n; i++) {
            pst_file *file = p->plan->files->at[i];
            n += file->bytes.len > 0;
            if (file->bytes.len &&
                (!largest || file->bytes.reserved > largest->bytes.reserved)) {
                largest = file;
                of = p;
            }
        }
    *gave = n > 1;
    if (n > 1)
        leave(of, largest);
    int64_t share = objects->env->budget->limit / LEAVE_SHARE;
    if (n != 1 || (int64_t)largest->bytes.reserved < share)
        return PST_OK;
    return pst_fail(err, PST_E_LIMIT,
                    "%s-%d: %s, an object of an unfinished window, does not fit into "
                    "buffer.memory: set it larger until the window has landed",
                    of->chain.topic, of->chain.partition, largest->key);
}

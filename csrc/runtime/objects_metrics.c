/*
 * objects_metrics.c - what a sink's task counts: numbers once a tick, partitions once a
 * second. Nothing here is done once a record.
 */
#include "runtime/objects_internal.h"

#include <stdio.h>

enum { PARTS_EVERY_MS = 1000 };

void pst_objects_count_landed(pst_objects *objects, const pst_window *window)
{
    pst_metrics *metrics = objects->env->metrics;
    const pst_files *files = window->files;
    if (!metrics)
        return;
    pst_metrics_set(metrics, PST_M_LAST_OBJECT_MS, pst_wall_ms(objects->env->clock));
    if (!files)
        pst_metrics_observe(metrics, PST_H_OBJECT_BYTES, (int64_t)window->bytes.len);
    for (size_t i = 0; files && i < files->n; i++)
        pst_metrics_observe(metrics, PST_H_OBJECT_BYTES,
                            (int64_t)files->at[i]->bytes.len);
}

static void count_errors(pst_objects *objects, pst_metrics *metrics)
{
    const pst_sink_stats *stats = &objects->stats;
    pst_metrics_set(metrics, PST_M_ERRORS, stats->errors);
    pst_metrics_set(metrics, PST_M_SKIPPED, stats->skipped);
    pst_metrics_set(metrics, PST_M_DLQ_REQUESTS,
                    stats->dead_letters + stats->dead_letters_lost);
    pst_metrics_set(metrics, PST_M_DLQ_FAILURES, stats->dead_letters_lost);
    if (stats->errors != objects->errors_counted)
        pst_metrics_set(metrics, PST_M_LAST_ERROR_MS, pst_wall_ms(objects->env->clock));
    objects->errors_counted = stats->errors;
}

static const pst_window *oldest_of(const pst_part *p)
{
    return p->line ? &p->line->window : p->plan ? p->plan : p->open;
}

static int64_t waiting(const pst_part *p)
{
    int64_t records = p->open ? p->open->records : 0;
    for (const sealed *s = p->line; s; s = s->next)
        records += s->window.records;
    return records;
}

static void count_part(const pst_objects *objects, const pst_part *p, int64_t now,
                       pst_part_metrics *out)
{
    const pst_sink_host *host = objects->host;
    const pst_window *oldest = oldest_of(p);
    bool waits = oldest && oldest->records;
    snprintf(out->topic, sizeof out->topic, "%s", p->chain.topic);
    out->partition = p->chain.partition;
    out->committed = p->commit_offset;
    out->read = p->opening ? -1 : p->read_pos;
    out->end = host && host->end ? host->end(host->self, out->topic, out->partition) : -1;
    out->age_ms = waits ? now - oldest->first_ms : 0;
}

static bool make_room(pst_objects *objects, size_t n)
{
    if (n <= objects->cap_counted)
        return true;
    pst_part_metrics *rows = pst_realloc(objects->counted, n, sizeof *rows);
    if (!rows)
        return false;
    objects->counted = rows;
    objects->cap_counted = n;
    return true;
}

static void count_parts(pst_objects *objects, pst_metrics *metrics, int64_t now)
{
    size_t all = 0, n = 0;
    int64_t active = 0, stalled = 0;
    for (const pst_part *p = objects->parts; p; p = p->next) {
        all++;
        active += waiting(p);
        if (p->failing_since_ms && now - p->failing_since_ms > stalled)
            stalled = now - p->failing_since_ms;
    }
    pst_metrics_set(metrics, PST_M_PARTITIONS, (int64_t)all);
    pst_metrics_set(metrics, PST_M_ACTIVE, active);
    pst_metrics_set(metrics, PST_M_STALLED_MS, stalled);
    size_t most = all < PST_METRICS_PARTS_MAX ? all : PST_METRICS_PARTS_MAX;
    if (!make_room(objects, most))
        return;
    for (const pst_part *p = objects->parts; p && n < most; p = p->next)
        count_part(objects, p, now, &objects->counted[n++]);
    pst_metrics_parts(metrics, objects->counted, n, all - n);
}

void pst_objects_count(pst_objects *objects, int64_t now)
{
    pst_metrics *metrics = objects->env->metrics;
    const pst_sink_stats *stats = &objects->stats;
    if (!metrics)
        return;
    pst_metrics_set(metrics, PST_M_READ, stats->records);
    pst_metrics_set(metrics, PST_M_SEND, stats->rows);
    pst_metrics_set(metrics, PST_M_OBJECTS, stats->objects);
    pst_metrics_set(metrics, PST_M_BUFFERED, stats->buffered_bytes);
    count_errors(objects, metrics);
    if (objects->counted_ms && now - objects->counted_ms < PARTS_EVERY_MS)
        return;
    objects->counted_ms = now;
    count_parts(objects, metrics, now);
}

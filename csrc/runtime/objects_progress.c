/*
 * objects_progress.c - what those who look are told of partitions and landed objects: a
 * copy, made about once a second by the task's own thread.
 */
#include "runtime/objects_internal.h"

#include <stdio.h>
#include <string.h>

int64_t pst_part_age_ms(const pst_part *part, int64_t now)
{
    const pst_window *first = part->line   ? &part->line->window
                              : part->plan ? part->plan
                                           : part->open;
    return first && first->records && now > first->first_ms ? now - first->first_ms : 0;
}

void pst_objects_note_landed(pst_objects *objects, const char *url,
                             const pst_window *window)
{
    pst_object_progress *o = &objects->last[objects->n_last++ % PST_OBJECTS_TOLD];
    o->at_ms = pst_wall_ms(objects->env->clock);
    o->rows = window->rows;
    o->bytes = (int64_t)pst_window_len(window);
    o->more = window->files && window->files->n ? window->files->n - 1 : 0;
    snprintf(o->url, sizeof o->url, "%s", url);
}

static void tell_part(pst_part *part, int64_t now, pst_part_progress *out)
{
    if (!part->in_flight)
        part->told_pos = part->chain.pos;
    snprintf(out->topic, sizeof out->topic, "%s", part->chain.topic);
    out->partition = part->chain.partition;
    out->records = part->records;
    out->position = part->read_pos;
    out->landed = part->told_pos;
    out->end = -1;
    out->oldest_unflushed_ms = pst_part_age_ms(part, now);
    out->failing_ms = part->failing_since_ms ? now - part->failing_since_ms : 0;
}

void pst_objects_progress(pst_objects *objects, pst_progress *out)
{
    int64_t now = now_ms(objects);
    bool failing = false;
    out->told_ms = now;
    out->n_parts = out->n_assigned = 0;
    for (pst_part *p = objects->parts; p; p = p->next) {
        failing |= p->failing_since_ms != 0;
        if (out->n_assigned++ < PST_PARTS_TOLD)
            tell_part(p, now, &out->parts[out->n_parts++]);
    }
    snprintf(out->trouble, sizeof out->trouble, "%s", failing ? objects->trouble : "");
    uint64_t n = objects->n_last;
    out->n_objects = n < PST_OBJECTS_TOLD ? (size_t)n : PST_OBJECTS_TOLD;
    for (size_t i = 0; i < out->n_objects; i++)
        out->objects[i] = objects->last[(n - 1 - i) % PST_OBJECTS_TOLD];
}

void pst_progress_clear(pst_progress *progress)
{
    progress->told_ms = 0;
    progress->n_parts = progress->n_assigned = progress->n_objects = 0;
    progress->trouble[0] = '\0';
}

void pst_progress_copy(pst_progress *out, const pst_progress *from)
{
    out->told_ms = from->told_ms;
    out->n_parts = from->n_parts;
    out->n_assigned = from->n_assigned;
    out->n_objects = from->n_objects;
    memcpy(out->trouble, from->trouble, sizeof out->trouble);
    memcpy(out->objects, from->objects, from->n_objects * sizeof *out->objects);
    memcpy(out->parts, from->parts, from->n_parts * sizeof *out->parts);
}

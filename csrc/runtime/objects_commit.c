/*
 * objects_commit.c - rule 6: Kafka's commit comes after the object is durable.
 *
 * The commit serves lag tools, a quick start and the sleeper's check; its metadata string
 * keeps the chain position, so that windows without rows move the commit and not the
 * chain.
 */
#include "runtime/objects_internal.h"

#include <string.h>

void pst_part_note_commit(pst_part *part, int64_t offset)
{
    if (offset <= part->commit_offset && part->commit_offset >= 0)
        return; /* monotonic */
    part->commit_offset = offset;
    part->commit_due = true;
    pst_chain_metadata(&part->chain, part->commit_metadata);
}

void pst_part_commit_layout(pst_part *part)
{
    int64_t offset = part->commit_offset;
    if (offset < part->chain.pos)
        offset = part->chain.pos;
    part->commit_offset = PST_OFFSET_NONE;
    pst_part_note_commit(part, offset);
    part->commit_first = part->objects->host != NULL;
}

void pst_part_commit_empty(pst_part *part)
{
    if (part->read_pos <= part->commit_offset || part->check.offset >= 0 || part->plan)
        return;
    if (part->last.offset > part->chain.last.offset)
        part->chain.last = part->last;
    pst_part_note_commit(part, part->read_pos);
}

size_t pst_objects_precommit(pst_objects *objects, pst_tp *out, size_t max)
{
    size_t n = 0;
    for (pst_part *p = objects->parts; p && n < max; p = p->next) {
        if (!p->commit_due)
            continue;
        out[n++] = (pst_tp){.topic = p->chain.topic,
                            .partition = p->chain.partition,
                            .offset = p->commit_offset,
                            .metadata = p->commit_metadata};
    }
    return n;
}

/* Otherwise there is more to say by now: the answer may be to an older commit. */
static bool said(const pst_part *part, const pst_tp *tp)
{
    return tp->offset == part->commit_offset && tp->metadata &&
           strcmp(tp->metadata, part->commit_metadata) == 0;
}

void pst_objects_committed(pst_objects *objects, const pst_tp *tps, size_t n,
                           int64_t asked_ms)
{
    for (size_t i = 0; i < n; i++) {
        pst_part *p = pst_objects_find(objects, tps[i].topic, tps[i].partition);
        if (!p)
            continue;
        pst_chain_confirm(&p->chain, asked_ms);
        if (said(p, &tps[i]))
            p->commit_due = p->commit_first = false;
    }
}

/*
 * objects_spool.c - memory is tight, and there is a spool (spool.dir): the largest open
 * window's bytes move there, and the window stays open. Where a window has several
 * objects (routed layouts), the largest object's do, those of a window that is being
 * completed, too.
 *
 * What the spool does not take is sealed early, as if there were none: the windows get
 * smaller, nothing is lost.
 */
#include "runtime/objects_internal.h"

#include "base/spool.h"

enum {
    SPILL_MIN = PST_CHUNK_MAX / 4, /* less would make many small writes */
    PACKED_MIN = PST_CHUNK_MAX * 4,
    FULL_COMPLAIN_MS = 30000,
};

/* What may move: a window's bytes, or those of one of its files. */
typedef struct candidate {
    pst_chunks *bytes;
    pst_window *window; /* of one object, else NULL */
} candidate;

static void offer(candidate *best, pst_chunks *bytes, pst_window *window)
{
    if (!best->bytes || bytes->reserved > best->bytes->reserved)
        *best = (candidate){bytes, window};
}

static void offer_files(candidate *best, const pst_window *window)
{
    for (size_t i = 0; i < window->files->n; i++)
        offer(best, &window->files->at[i]->bytes, NULL);
}

static bool largest_in_memory(const pst_objects *objects, candidate *best)
{
    *best = (candidate){0};
    for (pst_part *p = objects->parts; p; p = p->next) {
        if (p->open && p->open->files)
            offer_files(best, p->open);
        else if (p->open)
            offer(best, &p->open->bytes, p->open);
        if (p->plan)
            offer_files(best, p->plan);
    }
    return best->bytes && best->bytes->reserved >= SPILL_MIN;
}

static void complain(pst_objects *objects, const pst_err *why)
{
    int64_t now = now_ms(objects);
    if (objects->spool_told_ms && now - objects->spool_told_ms < FULL_COMPLAIN_MS)
        return;
    objects->spool_told_ms = now;
    pst_logf(objects->env->log, PST_LOG_WARN, objects->env->id, "spool",
             "%s; windows are closed early meanwhile, nothing is lost", why->text);
}

bool pst_objects_spill(pst_objects *objects)
{
    candidate largest;
    if (!objects->env->spool || !largest_in_memory(objects, &largest))
        return false;
    size_t before = largest.bytes->reserved;
    pst_err why = PST_ERR_INIT;
    pst_rc rc = PST_OK;
    /* While they are at hand; a compressed object has other bytes. */
    if (largest.window && !objects->encoder->compression)
        rc = pst_window_sum(largest.window, &why);
    if (rc == PST_OK)
        rc = pst_chunks_spill(largest.bytes, objects->env->spool, &why);
    size_t moved = before - largest.bytes->reserved;
    objects->open_bytes -= (int64_t)moved;
    pst_budget_sub(objects->env->budget, moved);
    if (rc != PST_OK)
        complain(objects, &why);
    return rc == PST_OK;
}

void pst_objects_spill_packed(pst_objects *objects, pst_chunks *out)
{
    pst_err ignored = PST_ERR_INIT;
    size_t before = out->reserved;
    if (!objects->env->spool || before < PACKED_MIN)
        return;
    (void)!pst_chunks_spill(out, objects->env->spool, &ignored);
    pst_budget_sub(objects->env->budget, before - out->reserved);
}

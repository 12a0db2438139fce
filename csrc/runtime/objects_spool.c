/*
 * objects_spool.c - memory is tight, and there is a spool (spool.dir): the largest open
 * window's bytes move there, and the window stays open.
 *
 * What the spool does not take is sealed early, as if there were none: the windows get
 * smaller, nothing is lost.
 */
#include "runtime/objects_internal.h"

#include "base/spool.h"

enum {
    SPILL_MIN = PST_CHUNK_MAX, /* less would make many small writes */
    FULL_COMPLAIN_MS = 30000,
};

static pst_part *largest_in_memory(pst_objects *objects)
{
    pst_part *largest = NULL;
    for (pst_part *p = objects->parts; p; p = p->next)
        if (p->open &&
            (!largest || p->open->bytes.reserved > largest->open->bytes.reserved))
            largest = p;
    return largest && largest->open->bytes.reserved >= SPILL_MIN ? largest : NULL;
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
    pst_part *part = objects->env->spool ? largest_in_memory(objects) : NULL;
    if (!part)
        return false;
    pst_window *window = part->open;
    size_t before = window->bytes.reserved;
    pst_err why = PST_ERR_INIT;
    pst_rc rc = PST_OK;
    /* While they are at hand; a compressed object has other bytes. */
    if (!objects->encoder->compression)
        rc = pst_window_sum(window, &why);
    if (rc == PST_OK)
        rc = pst_chunks_spill(&window->bytes, objects->env->spool, &why);
    size_t moved = before - window->bytes.reserved;
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
    if (!objects->env->spool || before < SPILL_MIN * 4)
        return;
    (void)!pst_chunks_spill(out, objects->env->spool, &ignored);
    pst_budget_sub(objects->env->budget, before - out->reserved);
}

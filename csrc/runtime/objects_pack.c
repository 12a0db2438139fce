/*
 * objects_pack.c - a closed window is compressed, in the pool, before its first append.
 *
 * Once: what a retry sends is what the first try sent. The window gives its bytes back as
 * they are read, so it stays within what buffer.memory has for it. The compressors' own
 * memory is counted there too, and together they take a quarter of it at most (or as much
 * as one needs, which may not be more than half): the others wait for their turn. That
 * wait always ends, because a compressor at work waits for nobody.
 */
#include "runtime/objects_internal.h"

enum { PACK_SHARE = 4, PACK_MOST = 2 };

pst_rc pst_objects_check_pack(const pst_objects *objects, pst_err *err)
{
    const pst_encoder *e = objects->encoder;
    int64_t limit = objects->env->budget->limit;
    if (!e->compression)
        return PST_OK;
    size_t need =
        pst_compress_memory(e->compression, e->compression_level, (uint64_t)limit);
    if ((int64_t)need <= limit / PACK_MOST)
        return PST_OK;
    return pst_fail(err, PST_E_CONFIG,
                    "s3.compression.type=%s at level %d needs %zu KiB for a compressor, "
                    "more than half of the %lld KiB that buffer.memory leaves for "
                    "windows: raise buffer.memory or lower s3.compression.level",
                    e->compression->name, e->compression_level, need / 1024,
                    (long long)limit / 1024);
}

static void take_turn(pst_objects *objects, size_t need)
{
    size_t share = (size_t)objects->env->budget->limit / PACK_SHARE;
    pthread_mutex_lock(&objects->pack_lock);
    while (objects->packing && objects->packing + need > share)
        pthread_cond_wait(&objects->pack_turn, &objects->pack_lock);
    objects->packing += need;
    pthread_mutex_unlock(&objects->pack_lock);
    pst_budget_add(objects->env->budget, need);
}

static void end_turn(pst_objects *objects, size_t need)
{
    pst_budget_sub(objects->env->budget, need);
    pthread_mutex_lock(&objects->pack_lock);
    objects->packing -= need;
    pthread_cond_broadcast(&objects->pack_turn);
    pthread_mutex_unlock(&objects->pack_lock);
}

static bool watch(void *opaque, int64_t more, pst_chunks *out)
{
    pst_objects *objects = opaque;
    bool given_up = more == -(int64_t)out->reserved;
    if (more >= 0)
        pst_budget_add(objects->env->budget, (size_t)more);
    else
        pst_budget_sub(objects->env->budget, (size_t)-more);
    if (!given_up)
        pst_objects_spill_packed(objects, out);
    return !pst_cancelled(objects->env->abort);
}

pst_rc pst_objects_pack(pst_objects *objects, pst_chunks *bytes, pst_err *err)
{
    const pst_encoder *e = objects->encoder;
    if (!e->compression)
        return PST_OK;
    size_t need = pst_compress_memory(e->compression, e->compression_level, bytes->len);
    take_turn(objects, need);
    pst_rc rc = pst_compress_chunks(e->compression, e->compression_level, bytes, watch,
                                    objects, err);
    end_turn(objects, need);
    return rc;
}

/*
 * source_stale.c - which stored offsets of other runs are past their time.
 *
 * A job whose every run has a source partition of its own (an operator's run has a seed
 * of its own) leaves a key a run in the offsets' topic, which compaction keeps for ever.
 * So each run looks, while it reads the topic for its own offset, for keys of its
 * connector whose newest value is older than offset.storage.retention.ms, and removes
 * them in its first transaction (source_txn.c).
 *
 * Not at a run's own end: a run that has ended may be tried again when nobody heard of
 * it, and must find that all is done. What does not fit is left to the next run.
 */
#include "runtime/source_internal.h"

#include "base/mem.h"

#include <string.h>

enum { KEY_MAX = 4096 };

static size_t find(const pst_source_stale *stale, pst_sv key)
{
    size_t i = 0;
    while (i < stale->n && !pst_sv_eq(stale->keys[i], key))
        i++;
    return i;
}

static void forget(pst_source_stale *stale, size_t i)
{
    pst_free((char *)(uintptr_t)stale->keys[i].p);
    stale->keys[i] = stale->keys[--stale->n];
}

static void remember(pst_source_stale *stale, pst_sv key)
{
    char *copy = stale->n < PST_SOURCE_STALE_MAX ? pst_malloc(key.n) : NULL;
    if (!copy)
        return;
    memcpy(copy, key.p, key.n);
    stale->keys[stale->n++] = (pst_sv){copy, key.n};
}

void pst_source_stale_see(void *self, pst_sv key, bool has_value, int64_t timestamp_ms)
{
    pst_source_stale *stale = self;
    if (key.n > KEY_MAX || !pst_sv_starts(key, stale->family))
        return;
    bool old = timestamp_ms >= 0 && timestamp_ms < stale->before_ms;
    size_t i = find(stale, key);
    if (i == stale->n && has_value && old)
        remember(stale, key);
    else if (i < stale->n && !(has_value && old))
        forget(stale, i);
}

void pst_source_stale_clear(pst_source_stale *stale)
{
    while (stale->n)
        forget(stale, stale->n - 1);
}

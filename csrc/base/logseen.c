/*
 * logseen.c - see logseen.h. Lines are compared by hash: should two ever share one, a
 * line is missing for some seconds, and counted.
 */
#include "base/logseen.h"

#include <stdio.h>
#include <string.h>

static uint64_t hash_more(uint64_t hash, const char *text)
{
    for (const char *p = text; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    return (hash ^ 0xFF) *
           1099511628211u; /* no byte of UTF-8: "ab","c" is not "a","bc" */
}

static uint64_t hash_of(const char *task, const char *module, const char *msg)
{
    uint64_t hash = 14695981039346656037u;
    hash = hash_more(hash, task ? task : "");
    hash = hash_more(hash, module);
    hash = hash_more(hash, msg);
    return hash ? hash : 1;
}

/* The line's slot: its own, else a free one, else the one written the longest ago. */
static pst_logseen_slot *slot_of(pst_logseen *seen, uint64_t hash)
{
    pst_logseen_slot *oldest = &seen->slots[0];
    for (size_t i = 0; i < PST_LOGSEEN_SLOTS; i++) {
        pst_logseen_slot *slot = &seen->slots[i];
        if (slot->hash == hash)
            return slot;
        if (oldest->hash && (!slot->hash || slot->at_ms < oldest->at_ms))
            oldest = slot;
    }
    return oldest;
}

bool pst_logseen_due(pst_logseen *seen, pst_log_level level, const char *task,
                     const char *module, const char *msg, int64_t now_ms, unsigned *held,
                     pst_logseen_slot *gone)
{
    uint64_t hash = hash_of(task, module, msg);
    pst_logseen_slot *slot = slot_of(seen, hash);
    gone->hash = 0;
    *held = 0;
    if (slot->hash == hash && now_ms - slot->at_ms < PST_LOG_REPEAT_MS) {
        slot->held++;
        return false;
    }
    if (slot->hash == hash)
        *held = slot->held;
    else if (slot->hash && slot->held)
        *gone = *slot;
    *slot = (pst_logseen_slot){.hash = hash,
                               .at_ms = now_ms,
                               .level = level,
                               .has_task = task != NULL,
                               .module = module};
    snprintf(slot->task, sizeof slot->task, "%s", task ? task : "");
    snprintf(slot->text, sizeof slot->text, "%s", msg);
    return true;
}

bool pst_logseen_over(pst_logseen *seen, int64_t now_ms, bool all, pst_logseen_slot *out)
{
    for (size_t i = 0; i < PST_LOGSEEN_SLOTS; i++) {
        pst_logseen_slot *slot = &seen->slots[i];
        if (!slot->held || (!all && now_ms - slot->at_ms < PST_LOG_REPEAT_MS))
            continue;
        *out = *slot;
        slot->hash = 0;
        slot->held = 0;
        return true;
    }
    return false;
}

/*
 * logseen.h - lines that say the same again and again are held back and counted.
 */
#ifndef PST_BASE_LOGSEEN_H
#define PST_BASE_LOGSEEN_H

#include "base/log.h"

enum {
    PST_LOGSEEN_SLOTS = 32,
    PST_LOGSEEN_TASK = 64,
    PST_LOGSEEN_TEXT = 512,
    PST_LOG_REPEAT_MS = 20000,
};

typedef struct pst_logseen_slot {
    uint64_t hash; /* 0 = free */
    int64_t at_ms; /* monotonic: when it was written */
    unsigned held; /* how often it was held back since */
    pst_log_level level;
    bool has_task;
    char task[PST_LOGSEEN_TASK];
    const char *module; /* borrowed, a literal */
    char text[PST_LOGSEEN_TEXT];
} pst_logseen_slot;

typedef struct pst_logseen {
    pst_logseen_slot slots[PST_LOGSEEN_SLOTS];
} pst_logseen;

/* May this line be written now? If not it is counted. *held: how often it was held back
   since it was last written. `gone` (its hash is 0 if there is none) is a line that gave
   way to this one, with what was held back of it. */
bool pst_logseen_due(pst_logseen *seen, pst_log_level level, const char *task,
                     const char *module, const char *msg, int64_t now_ms, unsigned *held,
                     pst_logseen_slot *gone);
/* A line of which something was held back, written PST_LOG_REPEAT_MS ago or longer (with
   `all`: any); it is forgotten. False: there is none. */
bool pst_logseen_over(pst_logseen *seen, int64_t now_ms, bool all, pst_logseen_slot *out);

#endif

/*
 * source_internal.h - what the files of a source's task share. source_steps.c drives the
 * plugin, source_task.c produces, source_txn.c makes a poll one transaction.
 */
#ifndef PST_RUNTIME_SOURCE_INTERNAL_H
#define PST_RUNTIME_SOURCE_INTERNAL_H

#include "runtime/source_task.h"

enum {
    PST_SOURCE_SLICE_MS = 100,           /* how long a wait may not notice a cancel */
    PST_SOURCE_OFFSET_BYTES = 64 * 1024, /* ceiling of a stored offset, and of its key */
};

static inline int64_t pst_source_now_ms(const pst_task_env *env)
{
    return pst_mono_ms(env->clock);
}

/* ---- source_steps.c ---- */

/* `why` failed: waits before it may be tried again. Else answers why not. */
pst_rc pst_source_steps_again(pst_source_steps *steps, const pst_err *why,
                              pst_err *err) PST_MUST;
/* What had failed works. */
void pst_source_steps_works(pst_source_steps *steps);

/* ---- source_stale.c: stored offsets of other runs that are past their time ---- */

enum { PST_SOURCE_STALE_MAX = 256 /* what is more is left to the next run */ };

typedef struct pst_source_stale {
    pst_sv family;     /* how keys of the same connector begin; borrowed */
    int64_t before_ms; /* what is older is past its time */
    pst_sv keys[PST_SOURCE_STALE_MAX];
    size_t n;
} pst_source_stale;

/* Sees a record of the offsets' topic; `self` is a pst_source_stale. */
void pst_source_stale_see(void *self, pst_sv key, bool has_value, int64_t timestamp_ms);
void pst_source_stale_clear(pst_source_stale *stale);

/* ---- source_task.c ---- */

/* One poll's records under transactions. */
typedef struct pst_source_txn {
    char *id;      /* the transactional id; NULL = the source stores no offsets */
    pst_buf key;   /* of its offset's record */
    size_t family; /* bytes of the key that all of this connector share */
    pst_source_stale stale;
    pst_buf offset;
    bool *refused; /* per record: not to be sent again (errors.tolerance=all) */
    size_t room;
    size_t n_refused;
    int64_t delivered; /* in the transaction under way */
    bool committing;   /* Kafka was asked to, and has not answered yet */
} pst_source_txn;

typedef struct source_task {
    const pst_connector *connector;
    const void *conf;
    const pst_connector_conf *common;
    const pst_task_env *env;
    pst_source_result *result;
    pst_source_steps *steps;
    pst_producer *producer;
    int64_t started_ms, told_ms;
    int64_t outstanding; /* sent, neither acknowledged nor failed */
    int64_t stop_by_ms;  /* await_all() ends then; 0 = no reason to hurry */
    pst_err first;       /* delivery error */
    pst_source_txn txn;
} source_task;

void pst_source_tell(source_task *task, bool now);
/* Has the wait that began at since_ms to end, for want of a first success in time? */
bool pst_source_startup_is_over(const source_task *task, int64_t since_ms);
pst_rc pst_source_fail_unreachable(source_task *task, const char *what, pst_err *err);
bool pst_source_must_end(source_task *task);
/* Lets record i of the batch go, if errors.tolerance says so. */
bool pst_source_skips(source_task *task, size_t i, const pst_err *why);
/* Queues record i, waiting for room. */
pst_rc pst_source_send(source_task *task, const pst_source_record *record, size_t i,
                       pst_err *err) PST_MUST;
pst_rc pst_source_await_all(source_task *task, pst_err *err) PST_MUST;
/* What was not acknowledged has failed: how many, and why. */
pst_rc pst_source_check_delivered(source_task *task, pst_err *err) PST_MUST;

/* ---- source_txn.c ---- */

/* Before the producer is made: does the source store its offset, and under which names?
 */
pst_rc pst_source_txn_plan(source_task *task, pst_err *err) PST_MUST;
void pst_source_txn_done(source_task *task);
/* Fences an older source of this name, reads the stored offset, resumes the steps. */
pst_rc pst_source_txn_open(source_task *task, pst_err *err) PST_MUST;
/* A poll's records and the offset behind them, as one transaction. */
pst_rc pst_source_txn_produce(source_task *task, const pst_source_record *records,
                              size_t n, pst_err *err) PST_MUST;

#endif

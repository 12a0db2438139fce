/*
 * objects_internal.h - shared by objects.c (life and records), objects_open.c (recovery
 * of assigned partitions), objects_upload.c (sealed windows to the chain and back),
 * objects_commit.c (what is durable), objects_routed.c (several objects a window) and
 * objects_progress.c (for those who look).
 */
#ifndef PST_RUNTIME_OBJECTS_INTERNAL_H
#define PST_RUNTIME_OBJECTS_INTERNAL_H

#include "base/mem.h"
#include "runtime/budget.h"
#include "runtime/deadletter.h"
#include "runtime/metrics.h"
#include "runtime/objects.h"
#include "runtime/pool.h"

#include <pthread.h>

enum {
    SLOW_RETRY_MS = 5000, /* nothing to hurry for: wrong keys, no bucket */
    STALLED_MS = 10000,
    COMPLAIN_MS = 30000,
    URL_MAX = 1200,
    FOUND_MAX = 1024,
};

/* A window in the line of its partition. */
typedef struct sealed {
    struct sealed *next;
    pst_window window; /* while in_flight: the pool's */
    bool packed;       /* compressed, if it is to be */
    size_t plain;      /* its bytes before that */
    size_t held;       /* what it takes, as the task has seen it last */
} sealed;

typedef struct pst_part {
    struct pst_part *next; /* in objects->parts, or among the orphans */
    pst_objects *objects;
    pst_chain chain;         /* while in_flight: the pool's; else the task's */
    int64_t read_pos;        /* records below are landed, buffered or covered */
    int64_t end;             /* until_end: stop here; else INT64_MAX */
    pst_last last;           /* last record taken, when last_msg is NULL */
    const pst_msg *last_msg; /* the same, not fingerprinted yet: within a put() only */
    pst_last check;          /* rule 8: expected at its offset; offset -1 = none */
    pst_window *open;
    pst_window *plan;    /* a window of the chain that is completed first; NULL = none */
    int64_t plan_then;   /* and where reading goes on then */
    int64_t deadline_ms; /* monotonic; INT64_MAX = nothing to do */
    sealed *line, **line_end;
    bool sweep_topic; /* its opening looks for old uploads of the whole topic */
    bool in_flight, orphan, opening, asked, reopen, flush;
    int64_t retry_at_ms, failing_since_ms, complained_ms;
    unsigned attempts;
    int64_t records;  /* taken */
    int64_t told_pos; /* of the chain, as it was last told */
    /* what the commit is to say */
    bool commit_due;
    bool commit_first; /* no object before the commit is there */
    int64_t commit_offset;
    char commit_metadata[PST_KAFKA_METADATA_MAX];
    /* the job under way, written by the pool */
    pst_pool_slot slot;
    struct pst_part *done_next;
    pst_rc job_rc;
    pst_err job_err;
    pst_outcome outcome;
    int64_t job_start; /* the chain position it began at */
    pst_resume resume;
    char url[URL_MAX];
} pst_part;

struct pst_objects {
    const pst_objects_conf *conf;
    const pst_connector_conf *connector;
    const pst_task_env *env;
    const pst_sink_host *host;
    const pst_encoder *encoder;
    pst_chain_conf chain_conf;
    char *take_over_group;
    int64_t retry_backoff_ms;
    uint64_t seed;
    pst_pool *pool;
    pst_part *parts;
    pst_part *found[FOUND_MAX]; /* by partition: those looked up last */
    int64_t open_bytes;         /* reserved by open windows and plans */
    size_t open_files;          /* of open windows */
    pst_buf row;
    pst_deadletters *dead;  /* NULL = no topic for them */
    int64_t skips_since_ms; /* when their lines were counted anew */
    int64_t skips_told, skips_held;
    pst_route route; /* the row's, if the encoder is routed */
    bool opened;
    int64_t spool_told_ms;
    atomic_bool no_sweep; /* uploads in parts can't be listed; that has been told */
    pthread_mutex_t done_lock;
    pthread_cond_t done_more;
    pst_part *done;
    pthread_mutex_t pack_lock;
    pthread_cond_t pack_turn;
    size_t packing;            /* what the compressors at work take */
    pst_part_metrics *counted; /* room for what is told of partitions */
    size_t cap_counted;
    int64_t counted_ms, errors_counted;
    pthread_mutex_t stats_lock;
    pst_sink_stats stats;
    pst_object_progress last[PST_OBJECTS_TOLD]; /* a ring */
    uint64_t n_last;
    char trouble[900]; /* what failed last */
};

static inline int64_t now_ms(const pst_objects *objects)
{
    return pst_mono_ms(objects->env->clock);
}

/* objects.c */
pst_part *pst_objects_find(pst_objects *objects, const char *topic, int32_t partition);
void pst_part_free(pst_part *part);
void pst_part_drop(pst_part *part); /* everything buffered; the chain stays */
void pst_part_set_deadline(pst_part *part);
void pst_window_done(pst_objects *objects, pst_window *window);
pst_rc pst_part_open_window(pst_part *part, pst_err *err) PST_MUST;
/* What an object starts with. */
pst_rc pst_objects_head(const pst_objects *objects, pst_buf *head, pst_err *err) PST_MUST;
/* objects->row: the record's row; empty if there is none. */
pst_rc pst_part_encode(pst_part *part, const pst_msg *msg, pst_err *err) PST_MUST;
void pst_part_took(pst_part *part, const pst_msg *msg);
bool pst_part_window_full(const pst_part *part);
/* The fingerprint of the last record is wanted once a window, not once a record: it is
   taken while the record is still there. */
void pst_part_settle_last(pst_part *part);
pst_rc pst_part_fail_log(const pst_part *part, int64_t offset, pst_err *err);

/* objects_progress.c */
void pst_objects_note_landed(pst_objects *objects, const char *url,
                             const pst_window *window);
int64_t pst_part_age_ms(const pst_part *part, int64_t now);

/* objects_upload.c */
pst_rc pst_part_seal(pst_part *part, pst_err *err) PST_MUST;
void pst_part_submit(pst_part *part);
pst_rc pst_objects_reap(pst_objects *objects, pst_err *err) PST_MUST;
void pst_part_post(pst_part *part); /* in the pool: the job has ended */
/* Waits up to ms for a job to end. */
void pst_objects_wait_job(pst_objects *objects, int64_t ms);
/* Backs off after a failure that may pass; PST_OK, or the failure when it is time to give
 * up. */
pst_rc pst_part_back_off(pst_part *part, const char *what, const pst_err *why,
                         pst_err *err) PST_MUST;

/* objects_letters.c */
pst_rc pst_objects_open_letters(pst_objects *objects, pst_err *err) PST_MUST;
/* A record that can't become a row: errors.tolerance decides. PST_E_LIMIT, retriable: no
   room for its dead letter yet. */
pst_rc pst_part_reject(pst_part *part, const pst_msg *msg, const pst_err *why,
                       pst_err *err) PST_MUST;
/* At the end: how many lines of such records were held back. */
void pst_objects_tell_held(const pst_objects *objects);
/* Forgets an error that says so: the record is to be offered again. */
bool pst_objects_later(pst_rc rc, pst_err *err);
/* Rule 11: may the window become durable? */
bool pst_window_settled(const pst_window *window);
/* Dead letters that failed: the partition is read again from its chain's end. */
pst_rc pst_part_check_letters(pst_part *part, pst_err *err) PST_MUST;
/* Once a tick: hears what is acknowledged. */
pst_rc pst_objects_poll_letters(pst_objects *objects, int64_t *next_ms,
                                pst_err *err) PST_MUST;
void pst_part_line_up(pst_part *part, sealed *entry);

/* objects_routed.c */
pst_rc pst_part_take_routed(pst_part *part, const pst_msg *msg, pst_err *err) PST_MUST;
/* What recovery found unfinished is now being completed. */
void pst_part_begin_plan(pst_part *part);
/* A record, if it is one of the plan's; false = take it as any other. */
pst_rc pst_part_take_planned(pst_part *part, const pst_msg *msg, bool *mine,
                             pst_err *err) PST_MUST;
/* If all of the plan's records were read: it gets in line. */
pst_rc pst_part_reach_plan(pst_part *part, pst_err *err) PST_MUST;
/* Memory is full, and only plans hold it: puts the largest planned object off to another
   pass; *gave = false if there is none to put off. */
pst_rc pst_objects_leave_largest(pst_objects *objects, bool *gave, pst_err *err) PST_MUST;
void pst_part_drop_plan(pst_part *part);

/* objects_pack.c */
/* Is there memory for a compressor? PST_E_CONFIG says what to change. */
pst_rc pst_objects_check_pack(const pst_objects *objects, pst_err *err) PST_MUST;
/* In the pool: compresses an object's bytes, if they are to be. No failure may be passed
   over: some of the bytes are gone then. */
pst_rc pst_objects_pack(pst_objects *objects, pst_chunks *bytes, pst_err *err) PST_MUST;
/* The same for all objects of a window. */
pst_rc pst_objects_pack_window(pst_objects *objects, pst_window *window,
                               pst_err *err) PST_MUST;

/* objects_spool.c */
/* Moves the largest open window to the spool; false if there is none, or no room. */
bool pst_objects_spill(pst_objects *objects);
/* The same for what comes out of a compressor, in the pool. */
void pst_objects_spill_packed(pst_objects *objects, pst_chunks *out);

/* objects_metrics.c */
void pst_objects_count(pst_objects *objects, int64_t now);
/* The window has landed. */
void pst_objects_count_landed(pst_objects *objects, const pst_window *window);

/* objects_open.c */
pst_rc pst_part_reopen(pst_part *part, pst_err *err) PST_MUST;

/* objects_commit.c */
void pst_part_note_commit(pst_part *part, int64_t offset);
/* The commit is to name another layout, before an object follows (rule 10). */
void pst_part_commit_layout(pst_part *part);
/* Commits the position of a partition whose records gave no rows (rule 6). */
void pst_part_commit_empty(pst_part *part);

#endif

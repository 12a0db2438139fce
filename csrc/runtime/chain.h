/*
 * chain.h - exactly once: the chain of objects of one topic-partition.
 *
 * Each object covers offsets [start, next). Its key holds `start`, its metadata `next`;
 * an object is created conditionally, so one writer takes a position, and the next
 * position is known only from the object there. The chain is the truth; Kafka's commit is
 * a hint that makes starting quick. The safety rules are numbered as in
 * docs/exactly-once.md (root, position, conditional create, adoption, unknown outcomes,
 * commit after, recovery, same log, sleeper, layout).
 *
 * A chain does one step a call and never waits: who calls it retries. All calls for one
 * chain come one at a time, though from changing threads; pst_chain_confirm() from any.
 */
#ifndef PST_RUNTIME_CHAIN_H
#define PST_RUNTIME_CHAIN_H

#include "base/clock.h"
#include "base/log.h"
#include "io/kafka.h"
#include "runtime/files.h"
#include "runtime/plugin.h"
#include "store/store.h"

#include <stdatomic.h>

enum {
    PST_TOPIC_MAX = 249,
    PST_CHAIN_BATCH_LEN = 32,
    PST_TOPICS_DIR_MAX = 400,
    PST_EXTENSION_MAX = 15,
    PST_PLACE_TEXT_MAX = 480,
};

/* From PST_LAYOUT_FIELD on a window may become several objects: routed layouts. */
typedef enum pst_layout {
    PST_LAYOUT_DEFAULT,
    PST_LAYOUT_FLAT,
    PST_LAYOUT_FIELD,
    PST_LAYOUT_TIME,
    PST_LAYOUT_HOURLY,
    PST_LAYOUT_DAILY,
} pst_layout;
typedef enum pst_reset { PST_RESET_EARLIEST, PST_RESET_LATEST } pst_reset;

/* Where objects lie and how they are named: what rule 10 pins. */
typedef struct pst_place {
    char dir[PST_TOPICS_DIR_MAX + 1]; /* topics.dir */
    pst_layout layout;
    char extension[PST_EXTENSION_MAX + 1]; /* ".csv" */
    bool first; /* the layout with which the chains in `dir` were begun: its links and
                   root lie in no folder of their own */
} pst_place;

/* What all chains of a task share; borrowed, constant. */
typedef struct pst_chain_conf {
    pst_store *store;
    const pst_clock *clock;
    pst_log *log;
    const char *task; /* for logs */
    const char *topics_dir;
    pst_layout layout;
    const char *extension;        /* ".csv" */
    const char *content_type;     /* of the format */
    const char *content_encoding; /* NULL = none */
    const char *group;            /* "connect-users" */
    const char *take_over_from; /* a group whose chain may be gone on with; NULL = none */
    const char *layout_from;    /* a layout that may be left for one that was left before
                                   (its name as pst_place_text() gives it); NULL = none */
    const char *cluster;        /* Kafka's cluster id */
    char schema[17];            /* fingerprint of what shapes rows */
    pst_reset reset;
    bool fail_on_data_loss;
    bool conditional; /* the store creates conditionally (the probe said so) */
    int session_timeout_ms;
    const pst_sink_host *host;   /* for the sleeper's check; NULL = no Kafka commits */
    struct pst_metrics *metrics; /* counts; NULL = nobody asks */
} pst_chain_conf;

/* A record by which the log is known again (rule 8). */
typedef struct pst_last {
    int64_t offset; /* -1 = none */
    int64_t timestamp_ms;
    uint32_t crc32c; /* of key bytes, then value bytes */
} pst_last;

#define PST_LAST_NONE ((pst_last){.offset = -1})

typedef struct pst_chain {
    const pst_chain_conf *conf;
    char topic[PST_TOPIC_MAX + 1];
    int32_t partition;
    int64_t start; /* the root's */
    int64_t pos;   /* where the next object starts */
    pst_last last; /* last record known below the read position */
    pst_place at;  /* where the chain goes on; another one than the settings' until the
                      chain is sealed there (rule 10) */
    int64_t since; /* a seal at this position led here; -1 = none is known of */
    /* Monotonic (rule 9): when pos was last known to be ours, and when the store last
       refused us, which may mean that the clocks stood still. */
    _Atomic int64_t confirmed_ms, distrusted_ms;
} pst_chain;

pst_rc pst_chain_init(pst_chain *chain, const pst_chain_conf *conf, const char *topic,
                      int32_t partition, pst_err *err) PST_MUST;

typedef struct pst_window pst_window;

/* Where to go on after recovery. */
typedef struct pst_resume {
    int64_t read_from; /* first offset to fetch: last's, if that is to be checked */
    int64_t take_from; /* first offset whose record belongs into the next object */
    pst_last check;    /* the record to find at read_from (rule 8); offset -1 = none */
    int64_t committed; /* the group's offset when it was asked; PST_OFFSET_NONE = none */
    int64_t lost;      /* offsets that expired unread */
    bool commit_first; /* no object before a commit of ours is there: a tool has set the
                          group's offset, and an object would look like a rewind; or the
                          commit does not say where the chain is (rules 9 and 10) */
    pst_window *plan;  /* the chain's last window is not whole: what is missing of it is
                          in the records from take_from on; the caller's. NULL = none */
} pst_resume;

/* Rules 1, 6, 7, 8, 10: root, committed position, LIST, HEAD. PST_E_CHAIN: the task must
   stop, err says why and names the ways out. Retriable errors: call again. */
pst_rc pst_chain_recover(pst_chain *chain, const pst_log_facts *facts, pst_resume *resume,
                         pst_err *err) PST_MUST;

/* A closed window of encoded rows that is to become an object. */
struct pst_window {
    pst_chunks bytes;
    struct pst_files *files; /* of a routed layout: instead of bytes; NULL = none */
    int64_t next;            /* first offset after it */
    pst_last last;           /* its last record */
    int64_t records;         /* consumed */
    int64_t rows;            /* encoded */
    int64_t first_ms;        /* monotonic: when its first row came */
    uint32_t crc32c; /* of the first `summed` bytes; of all from the first append on */
    size_t summed;
    char batch[PST_CHAIN_BATCH_LEN + 1]; /* unique id */
    struct pst_letters *letters;         /* its dead letters (rule 11); NULL = none */
    char schema[17];                     /* planned: the fingerprint in its manifest */
};

void pst_window_free(pst_window *window); /* NULL is fine */
/* Memory that its bytes take. */
size_t pst_window_reserved(const pst_window *window);
static inline size_t pst_window_len(const pst_window *window)
{
    return window->files ? window->files->len : window->bytes.len;
}

typedef enum pst_outcome {
    PST_APPENDED, /* the object is durable: pos = window->next */
    PST_ADOPTED,  /* another writer's object is there: pos = its next; read on from there
                   */
    PST_PASSED, /* the group has committed beyond start (rule 9): recover this chain anew
                 */
    PST_SEALED, /* the chain goes on in the settings' layout, at the same position (rule
                   10): commit that, then call again with the same window */
    PST_UNFINISHED, /* the window that stands at pos is not whole: recover this chain anew
                       to complete it */
} pst_outcome;

/* Rules 2 to 5, 9 and 10: one attempt to put the window at pos. On PST_OK *outcome is
   set. Retriable errors: call again with the same window. `url` (may be NULL) gets what a
   person would open. */
pst_rc pst_chain_append(pst_chain *chain, pst_window *window, pst_outcome *outcome,
                        char *url, size_t url_size, pst_err *err) PST_MUST;

/* Kafka confirmed the position (commit accepted, committed offset read) in an answer to
   what was asked at `asked_ms` (monotonic): the answer may have been read long after it
   was true. */
void pst_chain_confirm(pst_chain *chain, int64_t asked_ms);

/* After recovery: aborts uploads in parts for the chain's next key, and with `topic` old
   ones for any key of the topic; how many. */
pst_rc pst_chain_sweep(const pst_chain *chain, bool topic, size_t *aborted,
                       pst_err *err) PST_MUST;

/* Brings window->crc32c up to all bytes. Fails if a spool file can't be read. */
pst_rc pst_window_sum(pst_window *window, pst_err *err) PST_MUST;

/* The metadata string that goes with a commit: position, last record, layout. */
void pst_chain_metadata(const pst_chain *chain, char out[PST_KAFKA_METADATA_MAX]);
/* Reads one; false if it is not ours. */
bool pst_chain_parse_metadata(const char *text, int64_t *pos, pst_last *last);

/* The place that a commit's metadata names; false if it names none that is known. */
bool pst_chain_metadata_place(const char *text, const char *default_dir, pst_place *out,
                              bool *empty);
/* A commit of ours that names a layout which this version does not know: the chain is not
   where this version would look for it. */
bool pst_chain_layout_unknown(const char *text, const char *default_dir);

/* "topics/DefaultPartitioner.csv" and back. */
void pst_place_text(const pst_place *place, char out[PST_PLACE_TEXT_MAX]);
const char *pst_layout_name(pst_layout layout); /* "DefaultPartitioner" */
static inline bool pst_layout_is_routed(pst_layout layout)
{
    return layout >= PST_LAYOUT_FIELD;
}
bool pst_place_parse(const char *text, pst_place *out);
bool pst_place_same(const pst_place *a, const pst_place *b);
/* Do the settings ask for another place than the one where the chain is? */
bool pst_chain_is_elsewhere(const pst_chain *chain);

/* Of the settings' layout, if routed: how long the key of an object with this path can
   be. */
size_t pst_chain_file_key_max(const pst_chain *chain, size_t path_n);
/* The data object's key and the link's key for a start position; next only matters for
   stores without conditional create. */
pst_rc pst_chain_key(const pst_chain *chain, int64_t start, int64_t next,
                     char out[PST_STORE_KEY_MAX + 1], pst_err *err) PST_MUST;
void pst_chain_link(const pst_chain *chain, int64_t start,
                    char out[PST_STORE_KEY_MAX + 1]);

/* crc32c over a record's key and value. */
uint32_t pst_chain_fingerprint(const pst_msg *msg);

#endif

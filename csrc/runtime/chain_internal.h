/*
 * chain_internal.h - what the chain's files share: chain_key.c (names), chain_root.c (the
 * agreed start), chain_recover.c (where to go on), chain_append.c (one more object),
 * chain_place.c (layouts by name), chain_seal.c (from one layout to the next),
 * chain_owner.c (from one connector to the next); routed layouts: chain_files.h.
 */
#ifndef PST_RUNTIME_CHAIN_INTERNAL_H
#define PST_RUNTIME_CHAIN_INTERNAL_H

#include "runtime/chain.h"

struct json_t; /* jansson's */

enum { PST_CHAIN_JSON_MAX = 64 * 1024 }; /* roots, owners */

/* What an object of the chain says of itself. */
typedef struct pst_chain_object {
    int64_t start, next;
    pst_last last;
    bool own_batch;                /* its batch id is the one asked for */
    char seal[PST_PLACE_TEXT_MAX]; /* where the chain goes on; "" = no seal */
    pst_window *plan; /* of a manifest: its objects; NULL = none. Who reads it frees it */
} pst_chain_object;

/* Whose an object is by its own words. */
typedef struct pst_chain_owner {
    const char *group, *cluster, *topic, *partition;
} pst_chain_owner;

/* Rule 1: reads the root of chain->at or creates it conditionally; sets chain->start.
   `known`: a commit says that the chain is there; else it is looked for from the layout
   with which it was begun in that folder. */
pst_rc pst_chain_agree_root(pst_chain *chain, const pst_log_facts *facts, bool known,
                            pst_err *err) PST_MUST;
/* Rule 10: a seal at `start` leads to `place`: its root is agreed on; then chain->at,
   since and pos are set. */
pst_rc pst_chain_enter(pst_chain *chain, const pst_place *place, int64_t start,
                       pst_err *err) PST_MUST;
/* Rule 10: may the settings' place be entered? PST_E_CHAIN if its folder is another
   connector's; *used: this chain was there before. */
pst_rc pst_chain_look_ahead(pst_chain *chain, bool *used, pst_err *err) PST_MUST;

/* Rule 10 after recovery: may the chain be sealed for the settings' layout? */
pst_rc pst_chain_check_layout(pst_chain *chain, pst_err *err) PST_MUST;
/* Rule 10: seals chain->at at its end; the settings' layout is entered. */
pst_rc pst_chain_seal(pst_chain *chain, pst_window *window, int64_t dated_ms,
                      pst_outcome *outcome, pst_err *err) PST_MUST;
/* A seal stands where the next object was to be. */
pst_rc pst_chain_met_seal(pst_chain *chain, const pst_chain_object *object,
                          pst_err *err) PST_MUST;
/* The place a seal names. */
pst_rc pst_chain_seal_place(const pst_chain *chain, const pst_chain_object *object,
                            pst_place *out, pst_err *err) PST_MUST;

/* Rule 9: the store refused us, perhaps for an old date: our clocks must not vouch, nor
   an answer to what was asked before. */
void pst_chain_distrust(pst_chain *chain);

/* Rule 10: no object of this partition in the settings' layout begins at chain->pos or
   later; PST_E_CHAIN otherwise. */
pst_rc pst_chain_check_ahead(pst_chain *chain, pst_err *err) PST_MUST;

/* The metadata of an object at chain->pos; `seal` NULL for one with rows. */
/* A data object's PUT, counted. */
pst_rc pst_chain_put_object(const pst_chain *chain, const pst_store_put *put,
                            pst_err *err) PST_MUST;
pst_rc pst_chain_describe(const pst_chain *chain, const pst_window *window,
                          const char *seal, pst_store_meta *meta, pst_err *err) PST_MUST;
/* Brings *crc32c, of the first *summed bytes, up to all of them. */
pst_rc pst_chain_sum(const pst_chunks *bytes, size_t *summed, uint32_t *crc32c,
                     pst_err *err) PST_MUST;
/* The part of it that all objects of a window share. */
pst_rc pst_chain_describe_owner(const pst_chain *chain, const pst_window *window,
                                pst_store_meta *meta) PST_MUST;
pst_rc pst_chain_fail_meta(const pst_chain *chain, pst_rc rc, pst_err *err);
/* Rule 9: *passed: after a long sleep the group is found to have gone on. */
pst_rc pst_chain_check_sleep(pst_chain *chain, bool *passed, pst_err *err) PST_MUST;
/* The same right before a large object's commit, as pst_store_put.confirm: its parts may
   have taken hours, and a signature lives for minutes. The date is taken before the check
   here, too. `opaque` is one of these. */
typedef struct pst_chain_confirmation {
    pst_chain *chain;
    bool *passed;
} pst_chain_confirmation;
pst_rc pst_chain_confirm_put(void *opaque, int64_t *dated_ms, pst_err *err) PST_MUST;
void pst_chain_move_to(pst_chain *chain, int64_t next, pst_last last);
/* The key that a window, or a seal, takes at chain->pos: in routed layouts the
   manifest's. */
pst_rc pst_chain_next_key(const pst_chain *chain, const pst_window *window, int64_t next,
                          char out[PST_STORE_KEY_MAX + 1], pst_err *err) PST_MUST;
/* Rule 4: the key at chain->pos is taken. */
pst_rc pst_chain_adopt(pst_chain *chain, const pst_window *window, const char *key,
                       pst_outcome *outcome, pst_err *err) PST_MUST;

/* PST_E_CHAIN unless what `key` says of itself is this chain's. */
pst_rc pst_chain_check_owner(const pst_chain *chain, const char *key,
                             const pst_chain_owner *owner, pst_err *err) PST_MUST;
/* HEAD of the object at `key` (start `start`), GET of a manifest; PST_E_CHAIN unless it
   is ours (rule 4). */
pst_rc pst_chain_read_object(pst_chain *chain, const char *key, int64_t start,
                             const char *batch, pst_chain_object *out,
                             pst_err *err) PST_MUST;

/* Of the group that a root below `dir`, or an object of the chain, names: does the chain
   belong to us, or did it to one who handed it to us? PST_E_CHAIN if it was ours and was
   handed on; other groups are the caller's to tell of. */
pst_rc pst_chain_judge(const pst_chain *chain, const char *dir, const char *group,
                       bool root, bool *ours, pst_err *err) PST_MUST;
/* A JSON object below _penstock/, of at most `max` bytes. */
pst_rc pst_chain_get_json(const pst_chain *chain, const char *key, size_t max,
                          struct json_t **out, pst_err *err) PST_MUST;
/* The same, created conditionally; dated_ms as in pst_store_put. */
pst_rc pst_chain_put_json(const pst_chain *chain, const char *key,
                          const struct json_t *json, int64_t dated_ms,
                          pst_err *err) PST_MUST;

/* Is `group` this connector's, or one that it takes over? */
bool pst_chain_is_our_group(const pst_chain_conf *conf, const char *group);
/* The connector's name in a group's, which is what chain.take.over.from takes. */
const char *pst_chain_connector_of(const char *group);

/* What every key of this chain starts with, the same with an offset's first digit (so
   that nothing else beside them is listed), and the key after which starts >= from come
   ("" for from = 0). */
void pst_chain_prefix(const pst_chain *chain, char out[PST_STORE_KEY_MAX + 1]);
void pst_chain_list_prefix(const pst_chain *chain, char out[PST_STORE_KEY_MAX + 1]);
void pst_chain_after(const pst_chain *chain, int64_t from,
                     char out[PST_STORE_KEY_MAX + 1]);
/* The start offset in a listed key; false for other keys below the prefix. */
bool pst_chain_key_start(const pst_chain *chain, const char *key, int64_t *start);

bool pst_chain_parse_last(const char *text,
                          pst_last *out); /* "offset:timestamp:crc32c" */
/* "DefaultPartitioner.csv": the layout within its folder. */
void pst_place_name(const pst_place *place, char *out, size_t size);
void pst_place_of_conf(const pst_chain_conf *conf, pst_place *out);
/* A word without blanks, for the commit's metadata; false if it is too long. */
bool pst_place_encode(const pst_place *place, char *out, size_t size);

#endif

/*
 * chain_files.h - routed layouts, between the chain's files: chain_manifest.c (what a
 * manifest is called and says) and chain_files.c (the steps by which a window of several
 * objects is landed, adopted, found unfinished).
 */
#ifndef PST_RUNTIME_CHAIN_FILES_H
#define PST_RUNTIME_CHAIN_FILES_H

#include "runtime/chain_internal.h"

/* ---- chain_manifest.c ---- */

/* The manifest at chain->pos. */
pst_rc pst_chain_manifest_key(const pst_chain *chain, const pst_window *window,
                              int64_t next, char out[PST_STORE_KEY_MAX + 1],
                              pst_err *err) PST_MUST;
/* Sets file->key. */
pst_rc pst_chain_file_key(const pst_chain *chain, const pst_window *window,
                          pst_file *file, pst_err *err) PST_MUST;
/* The link of a manifest's object, for stores that commit by links. */
void pst_chain_file_link(const pst_chain *chain, size_t index,
                         char out[PST_STORE_KEY_MAX + 1]);
/* Creates it conditionally; `seal` NULL for one with objects. */
pst_rc pst_chain_put_manifest(pst_chain *chain, const pst_window *window,
                              const char *seal, const char *key, int64_t dated_ms,
                              pst_err *err) PST_MUST;
/* PST_E_CHAIN unless it is ours (rule 4) and sound; out->plan is the caller's. */
pst_rc pst_chain_read_manifest(pst_chain *chain, const char *key, int64_t start,
                               const char *batch, pst_chain_object *out,
                               pst_err *err) PST_MUST;

/* ---- chain_files.c ---- */

/* Rules 3 to 5 and 9 for a window of several objects. */
pst_rc pst_chain_append_files(pst_chain *chain, pst_window *window, int64_t dated_ms,
                              pst_outcome *outcome, char *url, size_t url_size,
                              pst_err *err) PST_MUST;
/* Rule 4: somebody's manifest stands at chain->pos; frees object->plan. */
pst_rc pst_chain_adopt_files(pst_chain *chain, const pst_window *window,
                             pst_chain_object *object, pst_outcome *outcome,
                             pst_err *err) PST_MUST;
/* Rule 7: the last manifest is known, not whether its objects are there. Takes
   object->plan: *plan = NULL if they are; chain->pos and last are set. */
pst_rc pst_chain_settle_files(pst_chain *chain, pst_chain_object *object,
                              pst_window **plan, pst_err *err) PST_MUST;

#endif

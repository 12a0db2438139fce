/*
 * chain_internal.h - what the chain's files share: chain_key.c (names), chain_root.c (the
 * agreed start), chain_recover.c (where to go on) and chain_append.c (one more object).
 */
#ifndef PST_RUNTIME_CHAIN_INTERNAL_H
#define PST_RUNTIME_CHAIN_INTERNAL_H

#include "runtime/chain.h"

/* What an object of the chain says of itself. */
typedef struct pst_chain_object {
    int64_t start, next;
    pst_last last;
    bool own_batch; /* its batch id is the one asked for */
} pst_chain_object;

/* Rule 1: reads the root or creates it conditionally; sets chain->start. */
pst_rc pst_chain_agree_root(pst_chain *chain, const pst_log_facts *facts,
                            pst_err *err) PST_MUST;

/* HEAD of the object at `key` (start `start`); PST_E_CHAIN unless it is ours (rule 4). */
pst_rc pst_chain_read_object(pst_chain *chain, const char *key, int64_t start,
                             const char *batch, pst_chain_object *out,
                             pst_err *err) PST_MUST;

/* Is `group` this connector's, or one that it takes over? */
bool pst_chain_is_our_group(const pst_chain_conf *conf, const char *group);
/* The connector's name in a group's, which is what chain.take.over.from takes. */
const char *pst_chain_connector_of(const char *group);

/* What every listing of this chain starts with, and the key after which starts >= from
   come ("" for from = 0). */
void pst_chain_prefix(const pst_chain *chain, char out[PST_STORE_KEY_MAX + 1]);
void pst_chain_after(const pst_chain *chain, int64_t from,
                     char out[PST_STORE_KEY_MAX + 1]);
/* The start offset in a listed key; false for other keys below the prefix. */
bool pst_chain_key_start(const pst_chain *chain, const char *key, int64_t *start);

bool pst_chain_parse_last(const char *text,
                          pst_last *out); /* "offset:timestamp:crc32c" */
/* "DefaultPartitioner.csv": what rule 10 pins. */
void pst_chain_layout_name(const pst_chain_conf *conf, char *out, size_t size);

#endif

/*
 * chain_seal.c - rule 10: from one layout to the next.
 *
 *   the chain ends at pos in layout A, the settings ask for B, a window is to be put
 *     → A's key at pos: a seal, an object without rows, next = pos, seal = B
 *     → B's root → the group's commit names B → B's key at pos: the window
 *
 * The seal takes just the key that a writer with the old settings would take next, so
 * conditional create decides between them as between any two writers. Whoever meets a
 * seal follows it if its settings name the same layout, and stops otherwise.
 *
 * A chain is sealed by a window that waits, and no layout is left before an object lies
 * in it: so the positions of seals grow, and following them comes to an end. A layout
 * that was left is not gone back to unless the settings say from where: a daemon with old
 * settings that is started again would undo the change.
 */
#include "format/compress.h"
#include "runtime/chain_files.h"

#include <stdio.h>
#include <string.h>

pst_rc pst_chain_seal_place(const pst_chain *chain, const pst_chain_object *object,
                            pst_place *out, pst_err *err)
{
    if (pst_place_parse(object->seal, out)) {
        if (!pst_place_same(out, &chain->at))
            return PST_OK;
        return pst_fail(err, PST_E_CHAIN,
                        "the chain of %s-%d is sealed at offset %lld for the layout that "
                        "it is in, %s: objects were copied or restored; use another "
                        "topics.dir and delete the group's offsets",
                        chain->topic, chain->partition, (long long)object->start,
                        object->seal);
    }
    return pst_fail(err, PST_E_CHAIN,
                    "the chain of %s-%d is sealed at offset %lld for the layout \"%s\", "
                    "which this version does not know: use the version that sealed it",
                    chain->topic, chain->partition, (long long)object->start,
                    object->seal);
}

static pst_rc fail_empty(const pst_chain *chain, const char *at, const char *wanted,
                         pst_err *err)
{
    return pst_fail(err, PST_E_CHAIN,
                    "the chain of %s-%d was sealed at offset %lld for the layout %s, "
                    "where it has no object yet; the settings ask for %s: run it with "
                    "the former (topics.dir, partitioner.class, s3.compression.type) "
                    "until it has landed one, then change them",
                    chain->topic, chain->partition, (long long)chain->pos, at, wanted);
}

/* May the chain be sealed where it is? Nobody else may have the settings' layout. */
static pst_rc may_leave(pst_chain *chain, const char *at, const char *to, pst_err *err)
{
    const char *from = chain->conf->layout_from;
    bool used;
    if (chain->since == chain->pos)
        return fail_empty(chain, at, to, err);
    pst_rc rc = pst_chain_look_ahead(chain, &used, err);
    if (rc != PST_OK)
        return rc;
    if (used && !(from && strcmp(from, at) == 0))
        return pst_fail(err, PST_E_CHAIN,
                        "the chain of %s-%d has left the layout %s that the settings ask "
                        "for and is at offset %lld in %s: set topics.dir, "
                        "partitioner.class and s3.compression.type so, or, to go back on "
                        "purpose, chain.layout.from=%s",
                        chain->topic, chain->partition, to, (long long)chain->pos, at,
                        at);
    return pst_chain_check_ahead(chain, err);
}

pst_rc pst_chain_check_layout(pst_chain *chain, pst_err *err)
{
    char at[PST_PLACE_TEXT_MAX], to[PST_PLACE_TEXT_MAX];
    pst_place wanted;
    if (!pst_chain_is_elsewhere(chain))
        return PST_OK;
    pst_place_of_conf(chain->conf, &wanted);
    pst_place_text(&chain->at, at);
    pst_place_text(&wanted, to);
    pst_rc rc = may_leave(chain, at, to, err);
    if (rc == PST_OK)
        pst_logf(chain->conf->log, PST_LOG_INFO, chain->conf->task, "chain",
                 "%s-%d: layout %s is left for %s with the next object", chain->topic,
                 chain->partition, at, to);
    return rc;
}

/* Recovery has looked, but that may be long ago. A place that is ours by now was entered
   through this very seal: ours whose answer was lost, or another task's. */
static pst_rc look_again(pst_chain *chain, const pst_window *window, const char *key,
                         const char *to, bool *there, pst_outcome *outcome, pst_err *err)
{
    char at[PST_PLACE_TEXT_MAX], link[PST_STORE_KEY_MAX + 1];
    pst_store *store = chain->conf->store;
    pst_store_info info;
    pst_err why = PST_ERR_INIT, gone = PST_ERR_INIT;
    pst_place_text(&chain->at, at);
    pst_rc rc = may_leave(chain, at, to, &why);
    *there = false;
    if (rc == PST_E_CHAIN) {
        pst_chain_link(chain, chain->pos, link);
        pst_rc head = store->driver->head(store, key, link, &info, &gone);
        *there = head == PST_OK;
        if (*there)
            return pst_chain_adopt(chain, window, key, outcome, err);
        if (head != PST_E_NOT_FOUND) { /* it may pass, and then it is ours */
            why = gone;
            rc = head;
        }
    }
    if (rc != PST_OK && err && err->code == PST_OK)
        *err = why;
    return rc;
}

pst_rc pst_chain_met_seal(pst_chain *chain, const pst_chain_object *object, pst_err *err)
{
    pst_place to, wanted;
    char wanted_text[PST_PLACE_TEXT_MAX];
    pst_rc rc = pst_chain_seal_place(chain, object, &to, err);
    if (rc != PST_OK)
        return rc;
    pst_place_of_conf(chain->conf, &wanted);
    if (pst_place_same(&to, &wanted))
        return pst_chain_enter(chain, &to, object->start, err);
    pst_place_text(&wanted, wanted_text);
    return pst_fail(err, PST_E_CHAIN,
                    "the chain of %s-%d was sealed at offset %lld: it goes on in the "
                    "layout %s, and this task's settings ask for %s. Set topics.dir, "
                    "partitioner.class and s3.compression.type as the others have them",
                    chain->topic, chain->partition, (long long)object->start,
                    object->seal, wanted_text);
}

static pst_rc put_seal(pst_chain *chain, const pst_window *window, const char *key,
                       const char *to, int64_t dated_ms, pst_err *err)
{
    const pst_chain_conf *conf = chain->conf;
    char link[PST_STORE_KEY_MAX + 1];
    pst_store_meta meta;
    if (pst_layout_is_routed(chain->at.layout))
        return pst_chain_put_manifest(chain, window, to, key, dated_ms, err);
    pst_rc rc = pst_chain_describe(chain, window, to, &meta, err);
    if (rc != PST_OK)
        return rc;
    pst_chain_link(chain, chain->pos, link);
    pst_sv empty = pst_compress_empty(chain->at.extension); /* a good file, too */
    pst_store_put put = {.key = key,
                         .link = link,
                         .bytes = empty,
                         .crc32c = pst_crc32c(0, empty.p, empty.n),
                         .content_type = conf->content_type,
                         .meta = &meta,
                         .create_only = conf->conditional,
                         .dated_ms = dated_ms};
    return conf->store->driver->put(conf->store, &put, err);
}

pst_rc pst_chain_seal(pst_chain *chain, pst_window *window, int64_t dated_ms,
                      pst_outcome *outcome, pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1], to[PST_PLACE_TEXT_MAX];
    pst_place wanted;
    pst_err put_err = PST_ERR_INIT;
    pst_place_of_conf(chain->conf, &wanted);
    pst_place_text(&wanted, to);
    pst_rc rc = pst_chain_next_key(chain, window, chain->pos, key, err);
    bool there;
    if (rc == PST_OK)
        rc = look_again(chain, window, key, to, &there, outcome, err);
    if (rc != PST_OK || there)
        return rc;
    rc = put_seal(chain, window, key, to, dated_ms, &put_err);
    if (put_err.status == 403)
        pst_chain_distrust(chain);
    if (rc == PST_E_EXISTS)
        return pst_chain_adopt(chain, window, key, outcome, err);
    if (rc != PST_OK) {
        if (err && err->code == PST_OK)
            *err = put_err;
        return rc;
    }
    rc = pst_chain_enter(chain, &wanted, chain->pos, err);
    if (rc == PST_OK)
        *outcome = PST_SEALED;
    return rc;
}

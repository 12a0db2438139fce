/*
 * chain_files.c - a window of several objects (routed layouts), at the chain's end.
 *
 *   manifest at pos, conditionally → each of its objects, conditionally → pos = next
 *
 * The manifest takes the position (rule 3); an object that is there already was put by
 * this manifest (412: its batch id says so). The next manifest is put, and `next` is
 * committed, only when all objects of the one before are there: so only the last manifest
 * of a chain can be unfinished. Whoever finds it so, by 412 or at its start, reads its
 * window again from Kafka and completes it by the manifest's own plan, as a window with
 * files->planned.
 */
#include "runtime/chain_files.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void pst_window_free(pst_window *window)
{
    if (!window)
        return;
    pst_chunks_done(&window->bytes);
    pst_files_free(window->files);
    pst_free(window);
}

size_t pst_window_reserved(const pst_window *window)
{
    return window->bytes.reserved +
           (window->files ? pst_files_reserved(window->files) : 0);
}

/* ---- an object of it ---- */

static pst_rc describe_file(const pst_chain *chain, const pst_window *window,
                            const pst_file *file, pst_store_meta *meta, pst_err *err)
{
    pst_rc rc = pst_chain_describe_owner(chain, window, meta);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-records", "%" PRId64, file->rows);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-start", "%" PRId64, chain->pos);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-next", "%" PRId64, window->next);
    return rc == PST_OK ? PST_OK : pst_chain_fail_meta(chain, rc, err);
}

/* Is this object of the window in the store? An object of another batch is not ours. */
static pst_rc have_file(pst_chain *chain, const pst_window *window, size_t index,
                        bool *have, pst_err *err)
{
    const pst_file *file = window->files->at[index];
    pst_store *store = chain->conf->store;
    char link[PST_STORE_KEY_MAX + 1];
    pst_store_info info;
    pst_err sub = PST_ERR_INIT;
    pst_chain_file_link(chain, index, link);
    pst_rc rc = store->driver->head(store, file->key, link, &info, &sub);
    *have = rc == PST_OK;
    if (rc == PST_E_NOT_FOUND)
        return PST_OK;
    if (rc != PST_OK) {
        if (err && err->code == PST_OK)
            *err = sub;
        return rc;
    }
    const char *batch = pst_store_meta_get(&info.meta, "penstock-batch");
    if (batch && strcmp(batch, window->batch) == 0)
        return PST_OK;
    return pst_fail(err, PST_E_CHAIN,
                    "%s stands where an object of %s-%d's window [%" PRId64 ", %" PRId64
                    ") belongs, but was not put for it: it was copied, or its manifest "
                    "was removed; move it away, or use another topics.dir",
                    file->key, chain->topic, chain->partition, chain->pos, window->next);
}

static pst_rc put_file(pst_chain *chain, const pst_window *window, size_t index,
                       int64_t dated_ms, bool *passed, pst_err *err)
{
    const pst_chain_conf *conf = chain->conf;
    pst_file *file = window->files->at[index];
    char link[PST_STORE_KEY_MAX + 1];
    pst_store_meta meta;
    pst_rc rc = describe_file(chain, window, file, &meta, err);
    if (rc == PST_OK)
        rc = pst_chain_sum(&file->bytes, &file->summed, &file->crc32c, err);
    if (rc != PST_OK)
        return rc;
    pst_chain_file_link(chain, index, link);
    pst_chain_confirmation again = {chain, passed};
    pst_store_put put = {.key = file->key,
                         .link = link,
                         .chunks = &file->bytes,
                         .crc32c = file->crc32c,
                         .content_type = conf->content_type,
                         .content_encoding = conf->content_encoding,
                         .meta = &meta,
                         .create_only = conf->conditional,
                         .dated_ms = dated_ms,
                         .confirm = pst_chain_confirm_put,
                         .opaque = &again};
    return pst_chain_put_object(chain, &put, err);
}

/* Of what was put: EXISTS is for the caller, all else is told. */
static pst_rc judge_put(pst_chain *chain, pst_rc rc, const pst_err *why, pst_err *err)
{
    if (why->status == 403)
        pst_chain_distrust(chain);
    if (rc != PST_OK && rc != PST_E_EXISTS && err && err->code == PST_OK)
        *err = *why;
    return rc;
}

/* One object; *passed: the group has gone on without us (rule 9). */
static pst_rc land_file(pst_chain *chain, pst_window *window, size_t index, bool *passed,
                        pst_err *err)
{
    pst_file *file = window->files->at[index];
    int64_t dated_ms = pst_wall_ms(chain->conf->clock);
    pst_err why = PST_ERR_INIT;
    pst_rc rc = pst_chain_check_sleep(chain, passed, err);
    if (rc != PST_OK || *passed)
        return rc;
    rc = put_file(chain, window, index, dated_ms, passed, &why);
    if (*passed)
        return PST_OK;
    rc = judge_put(chain, rc, &why, err);
    file->done = rc == PST_OK;
    if (rc != PST_E_EXISTS)
        return rc;
    rc = have_file(chain, window, index, &file->done, err);
    if (rc == PST_OK && !file->done)
        return pst_fail_retriable(
            err, PST_E_IO, "%s was taken a moment ago and is gone now: trying again",
            file->key);
    return rc;
}

/* ---- all of it ---- */

static pst_rc name_files(pst_chain *chain, pst_window *window, pst_err *err)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < window->files->n; i++) {
        pst_file *file = window->files->at[i];
        if (!file->key)
            rc = pst_chain_file_key(chain, window, file, err);
        if (rc == PST_OK)
            rc = pst_chain_sum(&file->bytes, &file->summed, &file->crc32c, err);
    }
    return rc;
}

static pst_rc land_manifest(pst_chain *chain, pst_window *window, int64_t dated_ms,
                            pst_outcome *outcome, pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1];
    pst_err why = PST_ERR_INIT;
    pst_rc rc = pst_chain_manifest_key(chain, window, window->next, key, err);
    if (rc == PST_OK)
        rc = name_files(chain, window, err);
    if (rc != PST_OK)
        return rc;
    rc =
        judge_put(chain, pst_chain_put_manifest(chain, window, NULL, key, dated_ms, &why),
                  &why, err);
    window->files->written = rc == PST_OK;
    return rc == PST_E_EXISTS ? pst_chain_adopt(chain, window, key, outcome, err) : rc;
}

pst_rc pst_chain_append_files(pst_chain *chain, pst_window *window, int64_t dated_ms,
                              pst_outcome *outcome, char *url, size_t url_size,
                              pst_err *err)
{
    pst_files *files = window->files;
    pst_store *store = chain->conf->store;
    pst_rc rc = PST_OK;
    bool passed = false, left = false;
    if (!files->written)
        rc = land_manifest(chain, window, dated_ms, outcome, err);
    if (rc != PST_OK || !files->written)
        return rc;
    for (size_t i = 0; rc == PST_OK && !passed && i < files->n; i++) {
        pst_file *file = files->at[i];
        left |= file->left;
        if (url)
            store->driver->describe(store, file->key, url, url_size);
        /* Planned, and all its records are gone from the topic: the sink has told. */
        bool gone = files->planned && !file->rows;
        if (!file->done && !file->left && !gone)
            rc = land_file(chain, window, i, &passed, err);
    }
    if (rc != PST_OK)
        return rc;
    *outcome = passed ? PST_PASSED : left ? PST_UNFINISHED : PST_APPENDED;
    if (*outcome == PST_APPENDED)
        pst_chain_move_to(chain, window->next, window->last);
    return PST_OK;
}

/* Which objects are there? */
static pst_rc look_at_files(pst_chain *chain, const pst_window *plan, pst_err *err)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < plan->files->n; i++)
        rc = have_file(chain, plan, i, &plan->files->at[i]->done, err);
    return rc;
}

pst_rc pst_chain_adopt_files(pst_chain *chain, const pst_window *window,
                             pst_chain_object *object, pst_outcome *outcome, pst_err *err)
{
    pst_window *plan = object->plan;
    pst_rc rc = PST_OK;
    object->plan = NULL;
    if (object->own_batch && window->files) {
        window->files->written = true;
        *outcome = PST_APPENDED;
        goto out;
    }
    rc = look_at_files(chain, plan, err);
    if (rc != PST_OK)
        goto out;
    *outcome = PST_UNFINISHED;
    if (pst_files_missing(plan->files) < 0) {
        pst_chain_move_to(chain, object->next, object->last);
        *outcome = PST_ADOPTED;
    }
out:
    pst_window_free(plan);
    return rc;
}

/* ---- recovery ---- */

static pst_rc fail_schema(const pst_chain *chain, const pst_window *plan, pst_err *err)
{
    return pst_fail(
        err, PST_E_CHAIN,
        "the window [%" PRId64 ", %" PRId64
        ") of %s-%d was begun with other settings for "
        "rows or paths (fingerprint %s, these have %s) and is not whole: run the "
        "connector with the former settings until it has landed, then change them; or, "
        "while no task runs, remove its objects and its manifest (docs/exactly-once.md)",
        chain->pos, plan->next, chain->topic, chain->partition, plan->schema,
        chain->conf->schema);
}

/* What a crash left beside the links of data is swept by listing it. */
static bool see_nothing(void *opaque, const char *key, int64_t size)
{
    (void)opaque, (void)key, (void)size;
    return false;
}

static pst_rc sweep_links(const pst_chain *chain, pst_err *err)
{
    pst_store *store = chain->conf->store;
    char prefix[PST_STORE_KEY_MAX + 1], data[PST_STORE_KEY_MAX + 8];
    if (!store->driver->links)
        return PST_OK;
    pst_chain_prefix(chain, prefix);
    snprintf(data, sizeof data, "%.900sdata/", prefix);
    pst_store_list list = {.prefix = data, .limit = 1};
    return store->driver->list(store, &list, see_nothing, NULL, err);
}

pst_rc pst_chain_settle_files(pst_chain *chain, pst_chain_object *object,
                              pst_window **plan, pst_err *err)
{
    pst_window *found = object->plan;
    object->plan = NULL;
    chain->pos = object->start;
    pst_rc rc = sweep_links(chain, err);
    if (rc == PST_OK)
        rc = look_at_files(chain, found, err);
    if (rc == PST_OK && pst_files_missing(found->files) < 0) {
        chain->pos = object->next;
        if (object->last.offset > chain->last.offset)
            chain->last = object->last;
    } else if (rc == PST_OK && strcmp(found->schema, chain->conf->schema) != 0) {
        rc = fail_schema(chain, found, err);
    } else if (rc == PST_OK) {
        *plan = found;
        return PST_OK;
    }
    pst_window_free(found);
    return rc;
}

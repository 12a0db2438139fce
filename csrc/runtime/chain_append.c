/*
 * chain_append.c - rules 2 to 5 and 9: one more object at the chain's end. Where the
 * settings ask for another layout, a seal comes first (rule 10, chain_seal.c).
 *
 *   sleeper's check → conditional PUT at pos → created: pos = next
 *                                            → taken (412): HEAD, adopt its next if ours
 *                                            → unknown: the same window again, by the
 * caller
 */
#include "runtime/chain_files.h"
#include "runtime/metrics.h"

#include <stdio.h>
#include <string.h>

enum { SUM_STEP = 32 * 1024 };

pst_rc pst_chain_init(pst_chain *chain, const pst_chain_conf *conf, const char *topic,
                      int32_t partition, pst_err *err)
{
    if (strlen(topic) > PST_TOPIC_MAX)
        return pst_fail(err, PST_E_LIMIT, "topic name longer than %d bytes",
                        PST_TOPIC_MAX);
    if (strlen(conf->topics_dir) > PST_TOPICS_DIR_MAX)
        return pst_fail(err, PST_E_LIMIT, "topics.dir is longer than %d bytes",
                        PST_TOPICS_DIR_MAX);
    *chain = (pst_chain){
        .conf = conf, .partition = partition, .last = PST_LAST_NONE, .since = -1};
    snprintf(chain->topic, sizeof chain->topic, "%s", topic);
    pst_place_of_conf(conf, &chain->at);
    char encoded[PST_KAFKA_METADATA_MAX];
    if (!pst_place_encode(&chain->at, encoded, sizeof encoded))
        return pst_fail(err, PST_E_LIMIT,
                        "topics.dir=%s does not fit into a commit: shorten it",
                        conf->topics_dir);
    atomic_init(&chain->distrusted_ms, INT64_MIN);
    return PST_OK;
}

void pst_chain_confirm(pst_chain *chain, int64_t asked_ms)
{
    int64_t known = atomic_load(&chain->confirmed_ms);
    while (asked_ms > known && asked_ms > atomic_load(&chain->distrusted_ms) &&
           !atomic_compare_exchange_weak(&chain->confirmed_ms, &known, asked_ms))
        ;
}

void pst_chain_distrust(pst_chain *chain)
{
    atomic_store(&chain->distrusted_ms, pst_mono_ms(chain->conf->clock));
    atomic_store(&chain->confirmed_ms, INT64_MIN / 2);
}

/* Rule 9: after a long sleep another task may own the partition, have gone on, and the
   objects may have been moved since: only the group's commit still tells. The position in
   its metadata counts: the offset may be beyond it by windows without rows, our own too.
 */
pst_rc pst_chain_check_sleep(pst_chain *chain, bool *passed, pst_err *err)
{
    const pst_sink_host *host = chain->conf->host;
    int64_t now = pst_mono_ms(chain->conf->clock);
    int64_t slept = now - atomic_load(&chain->confirmed_ms);
    *passed = false;
    if (!host || slept <= chain->conf->session_timeout_ms)
        return PST_OK;
    pst_tp tp = {.topic = chain->topic, .partition = chain->partition};
    char metadata[1][PST_KAFKA_METADATA_MAX];
    pst_rc rc = host->commits(host->self, &tp, 1, metadata, err);
    if (rc != PST_OK)
        return rc;
    int64_t pos = tp.offset;
    pst_last last;
    if (!pst_chain_parse_metadata(metadata[0], &pos, &last) || pos > tp.offset)
        pos = tp.offset;
    pst_place place;
    bool empty, moved = pst_chain_metadata_place(metadata[0], chain->conf->topics_dir,
                                                 &place, &empty) &&
                        !pst_place_same(&place, &chain->at);
    /* Every task commits when it opens a chain: without a commit the group was forgotten
       meanwhile, and nothing confirms this position. Nor does one that names another
       layout: the chain was sealed here (rule 10). */
    *passed = tp.offset == PST_OFFSET_NONE || pos > chain->pos || moved ||
              pst_chain_layout_unknown(metadata[0], chain->conf->topics_dir);
    if (!*passed)
        pst_chain_confirm(chain, now);
    return PST_OK;
}

pst_rc pst_chain_describe_owner(const pst_chain *chain, const pst_window *window,
                                pst_store_meta *meta)
{
    const pst_chain_conf *conf = chain->conf;
    meta->n = 0;
    pst_rc rc = pst_store_meta_add(meta, "penstock-topic", "%s", chain->topic);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-partition", "%d", chain->partition);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-group", "%s", conf->group);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-cluster", "%s", conf->cluster);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-batch", "%s", window->batch);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-schema", "%s", conf->schema);
    return rc;
}

pst_rc pst_chain_fail_meta(const pst_chain *chain, pst_rc rc, pst_err *err)
{
    return pst_fail(err, rc,
                    "the metadata of %s-%d's object does not fit: shorten the "
                    "connector's name",
                    chain->topic, chain->partition);
}

pst_rc pst_chain_describe(const pst_chain *chain, const pst_window *window,
                          const char *seal, pst_store_meta *meta, pst_err *err)
{
    const pst_last *last = seal ? &chain->last : &window->last;
    int64_t next = seal ? chain->pos : window->next;
    pst_rc rc = pst_chain_describe_owner(chain, window, meta);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-next", "%lld", (long long)next);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-last", "%lld:%lld:%08x",
                                (long long)last->offset, (long long)last->timestamp_ms,
                                last->crc32c);
    if (rc == PST_OK)
        rc = pst_store_meta_add(meta, "penstock-records", "%lld",
                                seal ? 0LL : (long long)window->rows);
    if (rc == PST_OK && seal)
        rc = pst_store_meta_add(meta, "penstock-seal", "%s", seal);
    return rc == PST_OK ? PST_OK : pst_chain_fail_meta(chain, rc, err);
}

pst_rc pst_chain_sum(const pst_chunks *bytes, size_t *summed, uint32_t *crc32c,
                     pst_err *err)
{
    char scratch[SUM_STEP];
    const char *piece;
    size_t n;
    pst_chunks_pos pos = pst_chunks_range(bytes, *summed, SIZE_MAX);
    while ((n = pst_chunks_next(&pos, scratch, sizeof scratch, &piece)) > 0)
        *crc32c = pst_crc32c(*crc32c, piece, n);
    *summed = pos.offset;
    return pst_chunks_failed(&pos, err);
}

pst_rc pst_window_sum(pst_window *window, pst_err *err)
{
    return pst_chain_sum(&window->bytes, &window->summed, &window->crc32c, err);
}

pst_rc pst_chain_confirm_put(void *opaque, int64_t *dated_ms, pst_err *err)
{
    const pst_chain_confirmation *c = opaque;
    *dated_ms = pst_wall_ms(c->chain->conf->clock);
    pst_rc rc = pst_chain_check_sleep(c->chain, c->passed, err);
    if (rc == PST_OK && *c->passed)
        rc = pst_fail(err, PST_E_STOPPED, "the group has gone on");
    return rc;
}

pst_rc pst_chain_put_object(const pst_chain *chain, const pst_store_put *put,
                            pst_err *err)
{
    const pst_chain_conf *conf = chain->conf;
    int64_t began = conf->metrics ? pst_metrics_now_us() : 0;
    pst_rc rc = conf->store->driver->put(conf->store, put, err);
    if (conf->metrics)
        pst_metrics_observe(conf->metrics, PST_H_PUT_US, pst_metrics_now_us() - began);
    if (rc == PST_E_EXISTS)
        pst_metrics_add(conf->metrics, PST_M_CAS_CONFLICTS, 1);
    return rc;
}

static pst_rc put_window(pst_chain *chain, pst_window *window, const char *key,
                         int64_t dated_ms, bool *passed, pst_err *err)
{
    const pst_chain_conf *conf = chain->conf;
    char link[PST_STORE_KEY_MAX + 1];
    pst_store_meta meta;
    pst_rc rc = pst_chain_describe(chain, window, NULL, &meta, err);
    if (rc == PST_OK)
        rc = pst_window_sum(window, err);
    if (rc != PST_OK)
        return rc;
    pst_chain_link(chain, chain->pos, link);
    pst_chain_confirmation again = {chain, passed};
    pst_store_put put = {.key = key,
                         .link = link,
                         .chunks = &window->bytes,
                         .crc32c = window->crc32c,
                         .content_type = conf->content_type,
                         .content_encoding = conf->content_encoding,
                         .meta = &meta,
                         .create_only = conf->conditional,
                         .dated_ms = dated_ms,
                         .confirm = pst_chain_confirm_put,
                         .opaque = &again};
    return pst_chain_put_object(chain, &put, err);
}

void pst_chain_move_to(pst_chain *chain, int64_t next, pst_last last)
{
    chain->pos = next;
    chain->last = last;
}

/* Rule 4. The answer to our own PUT may have been lost: then the batch id is ours. */
pst_rc pst_chain_adopt(pst_chain *chain, const pst_window *window, const char *key,
                       pst_outcome *outcome, pst_err *err)
{
    pst_chain_object object;
    pst_rc rc =
        pst_chain_read_object(chain, key, chain->pos, window->batch, &object, err);
    if (rc == PST_E_NOT_FOUND) {
        pst_err_clear(err);
        return pst_fail_retriable(
            err, PST_E_IO, "%s was taken a moment ago and is gone now: trying again",
            key);
    }
    if (rc != PST_OK)
        return rc;
    if (object.seal[0]) {
        rc = pst_chain_met_seal(chain, &object, err);
        if (rc == PST_OK)
            *outcome = PST_SEALED;
        return rc;
    }
    if (object.plan)
        return pst_chain_adopt_files(chain, window, &object, outcome, err);
    pst_chain_move_to(chain, object.next, object.last);
    *outcome = object.own_batch ? PST_APPENDED : PST_ADOPTED;
    return PST_OK;
}

pst_rc pst_chain_append(pst_chain *chain, pst_window *window, pst_outcome *outcome,
                        char *url, size_t url_size, pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1];
    /* Before the check: S3 refuses a signature that slept on between check and PUT. */
    int64_t dated_ms = pst_wall_ms(chain->conf->clock);
    bool passed;
    pst_rc rc = pst_chain_check_sleep(chain, &passed, err);
    if (rc != PST_OK)
        return rc;
    if (passed) {
        *outcome = PST_PASSED;
        return PST_OK;
    }
    bool planned = window->files && window->files->planned; /* for where the chain is */
    if (!planned && pst_chain_is_elsewhere(chain))
        return pst_chain_seal(chain, window, dated_ms, outcome, err);
    if (window->files)
        return pst_chain_append_files(chain, window, dated_ms, outcome, url, url_size,
                                      err);
    rc = pst_chain_key(chain, chain->pos, window->next, key, err);
    if (rc != PST_OK)
        return rc;
    pst_store *store = chain->conf->store;
    if (url)
        store->driver->describe(store, key, url, url_size);
    pst_err put_err = PST_ERR_INIT;
    rc = put_window(chain, window, key, dated_ms, &passed, &put_err);
    if (rc == PST_OK) {
        pst_chain_move_to(chain, window->next, window->last);
        *outcome = PST_APPENDED;
        return PST_OK;
    }
    if (passed) {
        *outcome = PST_PASSED;
        return PST_OK;
    }
    if (put_err.status == 403)
        pst_chain_distrust(chain);
    if (rc == PST_E_EXISTS)
        return pst_chain_adopt(chain, window, key, outcome, err);
    if (err && err->code == PST_OK)
        *err = put_err;
    return rc;
}

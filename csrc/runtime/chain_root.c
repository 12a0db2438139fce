/*
 * chain_root.c - rule 1: the first position is agreed, not assumed.
 *
 *   <topics.dir>/_penstock/<topic>/partitions.json   how many partitions the topic had
 * when the connector first saw it <topics.dir>/_penstock/<topic>/<P>/root.json {start,
 * group, cluster, layout}
 *
 * Both are created conditionally before the first record is read; who loses the race uses
 * the winner's. A partition that came later starts at 0, whatever
 * consumer.auto.offset.reset says: its first records are new, not old.
 */
#include "runtime/chain_internal.h"

#include "base/mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum { ROOT_MAX_BYTES = 64 * 1024 };

static void topic_file(const pst_chain *chain, const char *rest,
                       char out[PST_STORE_KEY_MAX + 1])
{
    const char *dir = chain->conf->topics_dir;
    snprintf(out, PST_STORE_KEY_MAX + 1, "%s%s_penstock/%s/%s", dir, *dir ? "/" : "",
             chain->topic, rest);
}

/* The text of `json`, NULL without memory. Not by json_dumps(): when that can't grow its
   buffer it may leave a part out and go on, and what is written here is for ever. */
static char *text_of_json(const json_t *json, size_t *n)
{
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
    size_t size = json ? json_dumpb(json, NULL, 0, flags) : 0;
    char *text = size ? pst_malloc(size) : NULL;
    *n = text ? json_dumpb(json, text, size, flags) : 0;
    if (text && *n != size) {
        pst_free(text);
        return NULL;
    }
    return text;
}

static pst_rc put_json(pst_chain *chain, const char *key, json_t *json, pst_err *err)
{
    size_t n;
    char *text = text_of_json(json, &n);
    if (!text)
        return pst_fail_nomem(err, key);
    pst_store_put put = {.key = key,
                         .bytes = {text, n},
                         .content_type = "application/json",
                         .create_only = chain->conf->conditional};
    put.crc32c = pst_crc32c(0, put.bytes.p, put.bytes.n);
    pst_rc rc = chain->conf->store->driver->put(chain->conf->store, &put, err);
    pst_free(text);
    return rc;
}

static pst_rc get_json(pst_chain *chain, const char *key, json_t **out, pst_err *err)
{
    pst_buf body;
    pst_buf_init(&body, ROOT_MAX_BYTES);
    pst_rc rc = chain->conf->store->driver->get(chain->conf->store, key, &body, err);
    if (rc == PST_OK) {
        json_error_t why;
        *out = json_loadb(body.data ? body.data : "", body.len, JSON_REJECT_DUPLICATES,
                          &why);
        if (!*out && !why.text[0]) {
            rc = pst_fail_nomem(err, key);
        } else if (!json_is_object(*out)) {
            json_decref(*out);
            *out = NULL;
            rc = pst_fail(err, PST_E_CHAIN,
                          "%s is not the JSON object that Penstock wrote (%s): something "
                          "else writes below %s/_penstock/; restore it or use another "
                          "topics.dir",
                          key, why.text, chain->conf->topics_dir);
        }
    }
    pst_buf_done(&body);
    return rc;
}

/* Reads `key`, or creates it with `fresh` (stolen) and reads the winner's if we lost. */
static pst_rc agree(pst_chain *chain, const char *key, json_t *fresh, json_t **out,
                    pst_err *err)
{
    pst_err sub = PST_ERR_INIT;
    pst_rc rc = get_json(chain, key, out, &sub);
    if (rc != PST_E_NOT_FOUND)
        goto done;
    pst_err_clear(&sub);
    rc = put_json(chain, key, fresh, &sub);
    if (rc == PST_OK) {
        *out = json_incref(fresh);
    } else if (rc == PST_E_EXISTS) {
        pst_err_clear(&sub);
        rc = get_json(chain, key, out, &sub);
    }
done:
    json_decref(fresh);
    if (rc != PST_OK && err && err->code == PST_OK)
        *err = sub;
    return rc;
}

/* Kafka is asked for the number here, when a root is missing, and not at each start. */
static pst_rc first_partitions(pst_chain *chain, int32_t *n, pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1];
    const pst_sink_host *host = chain->conf->host;
    int32_t now = chain->partition + 1;
    pst_rc rc = PST_OK;
    if (host)
        rc = host->partitions(host->self, chain->topic, &now, err);
    if (rc != PST_OK)
        return rc;
    topic_file(chain, "partitions.json", key);
    json_t *fresh = json_pack("{s:i, s:s, s:s}", "partitions", (int)now, "cluster",
                              chain->conf->cluster, "topic", chain->topic);
    json_t *json = NULL;
    rc = agree(chain, key, fresh, &json, err);
    if (rc == PST_OK)
        *n = (int32_t)json_integer_value(json_object_get(json, "partitions"));
    json_decref(json);
    return rc;
}

/* A commit without a chain was made by a tool to say where to begin. */
static int64_t choose_start(const pst_chain *chain, const pst_log_facts *facts,
                            int32_t first_partitions_n)
{
    if (facts->committed != PST_OFFSET_NONE)
        return facts->committed;
    if (chain->partition >= first_partitions_n)
        return 0;
    return chain->conf->reset == PST_RESET_LATEST ? facts->high : facts->low;
}

static json_t *fresh_root(const pst_chain *chain, int64_t start, const char *layout)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:i, s:i}", "start", (json_int_t)start,
                     "group", chain->conf->group, "cluster", chain->conf->cluster,
                     "layout", layout, "topic", chain->topic, "partition",
                     (int)chain->partition, "version", 1);
}

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

static pst_rc wrong_group(const pst_chain *chain, const char *group, pst_err *err)
{
    return pst_fail(
        err, PST_E_CHAIN,
        "the chain of %s-%d below topics.dir=%s belongs to group \"%s\", this "
        "connector's is \"%s\": two connectors must not share a topics.dir. "
        "Set another topics.dir, or, if this connector was renamed, "
        "chain.take.over.from=%s",
        chain->topic, chain->partition, chain->conf->topics_dir, group,
        chain->conf->group, pst_chain_connector_of(group));
}

static pst_rc check_root(pst_chain *chain, const json_t *json, const char *layout,
                         pst_err *err)
{
    json_t *start = json_object_get(json, "start");
    if (!json_is_integer(start) || json_integer_value(start) < 0)
        return pst_fail(err, PST_E_CHAIN, "the root of %s-%d has no valid start",
                        chain->topic, chain->partition);
    if (!pst_chain_is_our_group(chain->conf, text_of(json, "group")))
        return wrong_group(chain, text_of(json, "group"), err);
    if (!pst_sv_is(pst_sv_of(text_of(json, "cluster")), chain->conf->cluster))
        return pst_fail(err, PST_E_CHAIN,
                        "the chain of %s-%d below topics.dir=%s was written from Kafka "
                        "cluster \"%s\", this is cluster \"%s\": the broker was wiped or "
                        "bootstrap.servers names another one. Set another topics.dir for "
                        "the new cluster, or go back to the old one",
                        chain->topic, chain->partition, chain->conf->topics_dir,
                        text_of(json, "cluster"), chain->conf->cluster);
    if (!pst_sv_is(pst_sv_of(text_of(json, "layout")), layout))
        return pst_fail(
            err, PST_E_CHAIN,
            "the chain of %s-%d was begun with layout %s, the settings ask for "
            "%s: set partitioner.class and s3.compression.type back, or use "
            "another topics.dir",
            chain->topic, chain->partition, text_of(json, "layout"), layout);
    chain->start = (int64_t)json_integer_value(start);
    return PST_OK;
}

pst_rc pst_chain_agree_root(pst_chain *chain, const pst_log_facts *facts, pst_err *err)
{
    char rest[32], key[PST_STORE_KEY_MAX + 1], layout[64];
    snprintf(rest, sizeof rest, "%" PRId32 "/root.json", chain->partition);
    topic_file(chain, rest, key);
    pst_chain_layout_name(chain->conf, layout, sizeof layout);

    json_t *json = NULL;
    pst_err sub = PST_ERR_INIT;
    pst_rc rc = get_json(chain, key, &json, &sub);
    if (rc == PST_E_NOT_FOUND) {
        int32_t first = 0;
        rc = first_partitions(chain, &first, err);
        if (rc == PST_OK) {
            int64_t start = choose_start(chain, facts, first);
            rc = agree(chain, key, fresh_root(chain, start, layout), &json, err);
        }
    } else if (rc != PST_OK && err && err->code == PST_OK) {
        *err = sub;
    }
    if (rc == PST_OK)
        rc = check_root(chain, json, layout, err);
    json_decref(json);
    return rc;
}

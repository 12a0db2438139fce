/*
 * chain_root.c - rule 1: the first position is agreed, not assumed.
 *
 *   <topics.dir>/_penstock/<topic>/
 *     partitions.json            how many partitions the topic had when it was first seen
 *     <P>/root.json              {start, group, cluster, layout, from}
 *     <P>/<layout>/root.json     the same of a layout that was entered later (rule 10)
 *
 * All are created conditionally before the first record is read; who loses the race uses
 * the winner's. A partition that came later starts at 0, whatever
 * consumer.auto.offset.reset says: its first records are new, not old. `from` names the
 * layout that was left for this one. After a take-over owner+<n>.json says whose the
 * chain is (chain_owner.c).
 */
#include "runtime/chain_internal.h"

#include "base/mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void topic_file(const pst_chain *chain, const char *dir, const char *rest,
                       char out[PST_STORE_KEY_MAX + 1])
{
    snprintf(out, PST_STORE_KEY_MAX + 1, "%s%s_penstock/%s/%s", dir, *dir ? "/" : "",
             chain->topic, rest);
}

static void root_key(const pst_chain *chain, const pst_place *place, bool first,
                     char out[PST_STORE_KEY_MAX + 1])
{
    char rest[96], name[64] = "";
    if (!first)
        pst_place_name(place, name, sizeof name);
    snprintf(rest, sizeof rest, "%" PRId32 "/%s%sroot.json", chain->partition, name,
             *name ? "/" : "");
    topic_file(chain, place->dir, rest, out);
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

pst_rc pst_chain_put_json(const pst_chain *chain, const char *key, const json_t *json,
                          int64_t dated_ms, pst_err *err)
{
    size_t n;
    char *text = text_of_json(json, &n);
    if (!text)
        return pst_fail_nomem(err, key);
    pst_store_put put = {.key = key,
                         .bytes = {text, n},
                         .content_type = "application/json",
                         .create_only = chain->conf->conditional,
                         .dated_ms = dated_ms};
    put.crc32c = pst_crc32c(0, put.bytes.p, put.bytes.n);
    pst_rc rc = chain->conf->store->driver->put(chain->conf->store, &put, err);
    pst_free(text);
    return rc;
}

pst_rc pst_chain_get_json(const pst_chain *chain, const char *key, size_t max,
                          json_t **out, pst_err *err)
{
    pst_buf body;
    pst_buf_init(&body, max);
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
                          "else writes below _penstock/; restore it or use another "
                          "topics.dir",
                          key, why.text);
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
    pst_rc rc = pst_chain_get_json(chain, key, PST_CHAIN_JSON_MAX, out, &sub);
    if (rc != PST_E_NOT_FOUND)
        goto done;
    pst_err_clear(&sub);
    rc = pst_chain_put_json(chain, key, fresh, 0, &sub);
    if (rc == PST_OK) {
        *out = json_incref(fresh);
    } else if (rc == PST_E_EXISTS) {
        pst_err_clear(&sub);
        rc = pst_chain_get_json(chain, key, PST_CHAIN_JSON_MAX, out, &sub);
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
    topic_file(chain, chain->at.dir, "partitions.json", key);
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

static json_t *fresh_root(const pst_chain *chain, const pst_place *place, int64_t start,
                          const char *from)
{
    char layout[64];
    pst_place_name(place, layout, sizeof layout);
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:i, s:i, s:s*}", "start",
                     (json_int_t)start, "group", chain->conf->group, "cluster",
                     chain->conf->cluster, "layout", layout, "topic", chain->topic,
                     "partition", (int)chain->partition, "version", 1, "from", from);
}

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

static pst_rc wrong_group(const pst_chain *chain, const char *dir, const char *group,
                          pst_err *err)
{
    return pst_fail(
        err, PST_E_CHAIN,
        "the chain of %s-%d below topics.dir=%s belongs to group \"%s\", this "
        "connector's is \"%s\": two connectors must not share a topics.dir. "
        "Set another topics.dir, or, if this connector was renamed, "
        "chain.take.over.from=%s",
        chain->topic, chain->partition, dir, group, chain->conf->group,
        pst_chain_connector_of(group));
}

static pst_rc check_root(const pst_chain *chain, const json_t *json, const char *dir,
                         int64_t *start, pst_err *err)
{
    json_t *number = json_object_get(json, "start");
    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return pst_fail(err, PST_E_CHAIN, "the root of %s-%d has no valid start",
                        chain->topic, chain->partition);
    bool ours;
    pst_rc rc = pst_chain_judge(chain, dir, text_of(json, "group"), true, &ours, err);
    if (rc != PST_OK)
        return rc;
    if (!ours)
        return wrong_group(chain, dir, text_of(json, "group"), err);
    if (!pst_sv_is(pst_sv_of(text_of(json, "cluster")), chain->conf->cluster))
        return pst_fail(err, PST_E_CHAIN,
                        "the chain of %s-%d below topics.dir=%s was written from Kafka "
                        "cluster \"%s\", this is cluster \"%s\": the broker was wiped or "
                        "bootstrap.servers names another one. Set another topics.dir for "
                        "the new cluster, or go back to the old one",
                        chain->topic, chain->partition, dir, text_of(json, "cluster"),
                        chain->conf->cluster);
    *start = (int64_t)json_integer_value(number);
    return PST_OK;
}

/* The layout in a root; `dir` is the root's. */
static pst_rc read_layout(const pst_chain *chain, const json_t *json, const char *dir,
                          pst_place *out, pst_err *err)
{
    char text[PST_PLACE_TEXT_MAX + 64];
    snprintf(text, sizeof text, "%s/%.60s", dir, text_of(json, "layout"));
    if (pst_place_parse(text, out))
        return PST_OK;
    return pst_fail(err, PST_E_CHAIN,
                    "the chain of %s-%d below topics.dir=%s was begun with the layout "
                    "\"%s\", which this version does not know: use the version that "
                    "began it",
                    chain->topic, chain->partition, dir, text_of(json, "layout"));
}

/* The root at `key`; PST_E_NOT_FOUND without a word if there is none. */
static pst_rc find_root(pst_chain *chain, const char *key, const char *dir,
                        pst_place *layout, int64_t *start, pst_err *err)
{
    json_t *json = NULL;
    pst_err sub = PST_ERR_INIT;
    pst_rc rc = pst_chain_get_json(chain, key, PST_CHAIN_JSON_MAX, &json, &sub);
    if (rc == PST_OK)
        rc = check_root(chain, json, dir, start, &sub);
    if (rc == PST_OK)
        rc = read_layout(chain, json, dir, layout, &sub);
    json_decref(json);
    if (rc != PST_OK && rc != PST_E_NOT_FOUND && err && err->code == PST_OK)
        *err = sub;
    return rc;
}

/* The same, created if there is none. */
static pst_rc make_root(pst_chain *chain, const char *key, const pst_place *place,
                        int64_t at, const char *from, pst_place *layout, int64_t *start,
                        pst_err *err)
{
    json_t *json = NULL;
    pst_rc rc = agree(chain, key, fresh_root(chain, place, at, from), &json, err);
    if (rc == PST_OK)
        rc = check_root(chain, json, place->dir, start, err);
    if (rc == PST_OK)
        rc = read_layout(chain, json, place->dir, layout, err);
    json_decref(json);
    return rc;
}

/* The chains below chain->at.dir were begun with another layout, `first`. */
static pst_rc begin_elsewhere(pst_chain *chain, const pst_place *first, bool known,
                              pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1];
    pst_place layout;
    int64_t start;
    chain->at.first = false;
    if (known)
        return PST_OK;
    root_key(chain, &chain->at, false, key);
    pst_rc rc = find_root(chain, key, chain->at.dir, &layout, &start, err);
    if (rc == PST_OK)
        chain->start = chain->since = start;
    if (rc != PST_E_NOT_FOUND)
        return rc;
    chain->at = *first;
    return PST_OK;
}

pst_rc pst_chain_agree_root(pst_chain *chain, const pst_log_facts *facts, bool known,
                            pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1];
    pst_place layout;
    int64_t start = 0;
    root_key(chain, &chain->at, true, key);
    pst_rc rc = find_root(chain, key, chain->at.dir, &layout, &start, err);
    if (rc == PST_E_NOT_FOUND) {
        int32_t first = 0;
        rc = first_partitions(chain, &first, err);
        if (rc == PST_OK)
            rc = make_root(chain, key, &chain->at, choose_start(chain, facts, first),
                           NULL, &layout, &start, err);
    }
    if (rc != PST_OK)
        return rc;
    chain->start = start;
    return pst_place_same(&layout, &chain->at)
               ? PST_OK
               : begin_elsewhere(chain, &layout, known, err);
}

/* ---- rule 10 ---- */

/* Which partitions are later ones is still to be known in a new folder. */
static pst_rc carry_partitions(pst_chain *chain, const pst_place *to, pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1];
    json_t *json = NULL, *agreed = NULL;
    pst_err sub = PST_ERR_INIT;
    if (strcmp(chain->at.dir, to->dir) == 0)
        return PST_OK;
    topic_file(chain, chain->at.dir, "partitions.json", key);
    pst_rc rc = pst_chain_get_json(chain, key, PST_CHAIN_JSON_MAX, &json, &sub);
    if (rc == PST_OK) {
        topic_file(chain, to->dir, "partitions.json", key);
        rc = agree(chain, key, json_incref(json), &agreed, &sub);
    } else if (rc == PST_E_NOT_FOUND) {
        rc = PST_OK;
    }
    json_decref(json);
    json_decref(agreed);
    if (rc != PST_OK && err && err->code == PST_OK)
        *err = sub;
    return rc;
}

pst_rc pst_chain_enter(pst_chain *chain, const pst_place *place, int64_t start,
                       pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1], from[PST_PLACE_TEXT_MAX];
    pst_place to = *place, layout;
    int64_t begun;
    pst_place_text(&chain->at, from);
    pst_rc rc = carry_partitions(chain, &to, err);
    if (rc != PST_OK)
        return rc;
    root_key(chain, &to, true, key);
    rc = make_root(chain, key, &to, start, from, &layout, &begun, err);
    if (rc != PST_OK)
        return rc;
    to.first = pst_place_same(&layout, &to);
    if (!to.first) {
        root_key(chain, &to, false, key);
        rc = make_root(chain, key, &to, start, from, &layout, &begun, err);
    }
    if (rc != PST_OK)
        return rc;
    chain->at = to;
    chain->pos = chain->since = start;
    return PST_OK;
}

pst_rc pst_chain_look_ahead(pst_chain *chain, bool *used, pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1];
    pst_place wanted, layout;
    int64_t start;
    pst_place_of_conf(chain->conf, &wanted);
    root_key(chain, &wanted, true, key);
    pst_rc rc = find_root(chain, key, wanted.dir, &layout, &start, err);
    if (rc == PST_OK && !pst_place_same(&layout, &wanted)) {
        root_key(chain, &wanted, false, key);
        rc = find_root(chain, key, wanted.dir, &layout, &start, err);
    }
    *used = rc == PST_OK;
    return rc == PST_E_NOT_FOUND ? PST_OK : rc;
}

/*
 * rest_offsets.c - /connectors/{name}/offsets: a sink's are its consumer group's, asked
 * of Kafka; so this may wait, and is not for a listener's thread.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"
#include "runtime/group.h"

#include <string.h>

enum { ASK_MS = 8000, TOPICS_MAX = 1000, STORED_MAX = 128 * 1024 };

/* Names in its settings, and those it has worked with; each once. */
static size_t list_topics(const pst_connector_view *view, const char **out, size_t max)
{
    size_t n = 0;
    for (size_t pass = 0; pass < 2; pass++) {
        size_t of = pass ? view->n_topics : view->n_named;
        for (size_t i = 0; i < of && n < max; i++) {
            const char *topic = pass ? view->topics[i] : view->named[i];
            size_t k = 0;
            while (k < n && strcmp(out[k], topic) != 0)
                k++;
            if (k == n)
                out[n++] = topic;
        }
    }
    return n;
}

static pst_rc ask_topics(struct pst_rest *rest, const char *group,
                         const char *const *topics, size_t n, pst_group_facts *facts,
                         pst_err *err)
{
    pst_group_query query = {.worker = rest->options.props,
                             .client_id = "penstockd-rest",
                             .group = group,
                             .topics = topics,
                             .n_topics = n,
                             .timeout_ms = ASK_MS};
    bool unreachable = false;
    *facts = (pst_group_facts){.cluster = NULL};
    return pst_group_ask(&query, facts, &unreachable, err);
}

static void add_rows(json_t *list, const pst_group_facts *facts)
{
    for (size_t i = 0; i < facts->n; i++)
        if (facts->rows[i].committed >= 0)
            json_array_append_new(
                list, json_pack("{s:{s:i, s:s}, s:{s:I}}", "partition", "kafka_partition",
                                (int)facts->rows[i].partition, "kafka_topic",
                                facts->rows[i].topic, "offset", "kafka_offset",
                                (json_int_t)facts->rows[i].committed));
}

/* All at once; one by one if one of them does not exist (yet): it has no offsets. */
static pst_rc ask_rows(struct pst_rest *rest, const char *group,
                       const char *const *topics, size_t n, json_t *list, pst_err *err)
{
    pst_group_facts facts;
    pst_rc rc = ask_topics(rest, group, topics, n, &facts, err);
    bool one_by_one = rc == PST_E_NOT_FOUND && n > 1;
    if (rc == PST_OK)
        add_rows(list, &facts);
    pst_group_facts_done(&facts);
    if (rc == PST_E_NOT_FOUND) {
        pst_err_clear(err);
        rc = PST_OK;
    }
    for (size_t i = 0; one_by_one && rc == PST_OK && i < n; i++)
        rc = ask_rows(rest, group, &topics[i], 1, list, err);
    return rc;
}

static void sink_offsets(struct pst_rest *rest, const pst_connector_view *view,
                         rest_answer *answer)
{
    pst_err err = PST_ERR_INIT;
    const char **topics = pst_calloc(TOPICS_MAX, sizeof *topics);
    char *group = pst_asprintf("connect-%s", view->name);
    size_t n = topics ? list_topics(view, topics, TOPICS_MAX) : 0;
    json_t *list = json_array();
    pst_rc rc = topics && group && list ? PST_OK : pst_fail_nomem(&err, "offsets");
    if (rc == PST_OK && n)
        rc = ask_rows(rest, group, topics, n, list, &err);
    if (rc == PST_OK)
        rest_json(answer, 200, json_pack("{s:O}", "offsets", list));
    else
        rest_error(answer, 500, "%s", err.text);
    json_decref(list);
    pst_free(topics);
    pst_free(group);
}

/* The record's key is ["name", {source partition}]. */
static json_t *stored_json(const pst_buf *key, const pst_buf *offset)
{
    json_t *names = json_loadb(key->data, key->len, 0, NULL);
    json_t *value = json_loadb(offset->data, offset->len, JSON_DECODE_ANY, NULL);
    json_t *out = names && value ? json_pack("{s:[{s:O, s:O}]}", "offsets", "partition",
                                             json_array_get(names, 1), "offset", value)
                                 : NULL;
    json_decref(names);
    json_decref(value);
    return out;
}

static void source_offsets(struct pst_rest *rest, const pst_connector_view *view,
                           rest_answer *answer)
{
    pst_buf key, offset;
    pst_err err = PST_ERR_INIT;
    bool found = false;
    pst_buf_init(&key, STORED_MAX);
    pst_buf_init(&offset, STORED_MAX);
    if (pst_worker_stored(rest->options.worker, view, ASK_MS, &key, &offset, &found,
                          &err) != PST_OK)
        rest_error(answer, 500, "%s", err.text);
    else
        rest_json(answer, 200,
                  found ? stored_json(&key, &offset) : json_pack("{s:[]}", "offsets"));
    pst_buf_done(&key);
    pst_buf_done(&offset);
}

void rest_offsets(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    pst_connector_view view;
    if (!rest_look(rest, request, &view, answer))
        return;
    if (view.plugin->sink)
        sink_offsets(rest, &view, answer);
    else
        source_offsets(rest, &view, answer);
    pst_connector_view_done(&view);
}

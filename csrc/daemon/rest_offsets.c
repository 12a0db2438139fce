/*
 * rest_offsets.c - /connectors/{name}/offsets: a sink's are its consumer group's, asked
 * of Kafka; so this may wait, and is not for a listener's thread.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"
#include "runtime/group.h"

#include <stdio.h>
#include <string.h>

enum { ASK_MS = 8000, TOPICS_MAX = 1000, STORED_MAX = 128 * 1024, ENTRIES_MAX = 100 };

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

/* ---- changes of a stopped sink's offsets ---- */

static bool is_stopped(const pst_connector_view *view, rest_answer *answer)
{
    bool stopped = view->target == PST_TARGET_STOPPED && view->n_tasks == 0;
    if (!stopped)
        rest_error(answer, 400,
                   "Connectors must be in the STOPPED state before their offsets can be "
                   "modified. This can be done for the specified connector by issuing a "
                   "'PUT' request to the '/connectors/%s/stop' endpoint",
                   view->name);
    else if (!view->plugin->sink)
        rest_error(answer, 400,
                   "The offsets of a %s are not changed here: give it another source "
                   "partition (randomuser.seed) to begin anew",
                   view->plugin->class_name);
    return stopped && view->plugin->sink;
}

/* The objects in the store are the truth (docs/exactly-once.md, rule 7). */
static void refuse_rewind(rest_answer *answer, const char *what)
{
    rest_error(answer, 400,
               "%s: the objects that are landed would be written again, and the task "
               "would refuse to run. To land records once more, give the connector "
               "another name and topics.dir",
               what);
}

/* One entry of the body; false: the answer says what is wrong with it. */
static bool read_entry(const json_t *entry, pst_group_row *row, rest_answer *answer)
{
    const json_t *partition = json_object_get(entry, "partition");
    const json_t *topic = json_object_get(partition, "kafka_topic");
    const json_t *number = json_object_get(partition, "kafka_partition");
    const json_t *offset = json_object_get(entry, "offset");
    const json_t *to = json_object_get(offset, "kafka_offset");
    json_int_t n = json_integer_value(number);
    if (!json_is_string(topic) || !json_is_integer(number) || n < 0 || n > INT32_MAX) {
        rest_error(answer, 400,
                   "The partition for a sink connector offset must contain the keys "
                   "'kafka_topic' and 'kafka_partition'");
        return false;
    }
    if (!offset || json_is_null(offset)) {
        refuse_rewind(answer, "An offset cannot be taken away");
        return false;
    }
    if (!json_is_integer(to) || json_integer_value(to) < 0) {
        rest_error(answer, 400,
                   "The offset for a sink connector should contain the key "
                   "'kafka_offset', a number");
        return false;
    }
    *row = (pst_group_row){.topic = json_string_value(topic),
                           .partition = (int32_t)n,
                           .committed = json_integer_value(to)};
    return true;
}

static bool may_move(struct pst_rest *rest, const char *group, const pst_group_row *row,
                     rest_answer *answer)
{
    pst_group_facts facts;
    pst_err err = PST_ERR_INIT;
    const char *topic = row->topic;
    const pst_group_row *now = NULL;
    pst_rc rc = ask_topics(rest, group, &topic, 1, &facts, &err);
    for (size_t i = 0; rc == PST_OK && i < facts.n; i++)
        if (facts.rows[i].partition == row->partition)
            now = &facts.rows[i];
    bool ok = now && row->committed >= now->committed && row->committed <= now->end;
    if (rc != PST_OK && rc != PST_E_NOT_FOUND)
        rest_error(answer, 500, "%s", err.text);
    else if (!now)
        rest_error(answer, 400, "There is no partition %s-%d", topic,
                   (int)row->partition);
    else if (row->committed < now->committed)
        refuse_rewind(answer, "The offset would go back");
    else if (!ok)
        rest_error(answer, 400, "The log of %s-%d ends at %lld", topic,
                   (int)row->partition, (long long)now->end);
    pst_group_facts_done(&facts);
    return ok;
}

static bool move_all(struct pst_rest *rest, const char *group, const json_t *list,
                     pst_group_row *rows, rest_answer *answer)
{
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++)
        if (!read_entry(json_array_get(list, i), &rows[i], answer) ||
            !may_move(rest, group, &rows[i], answer))
            return false;
    pst_group_query query = {.worker = rest->options.props,
                             .client_id = "penstockd-rest",
                             .group = group,
                             .timeout_ms = ASK_MS};
    pst_err err = PST_ERR_INIT;
    bool unreachable = false;
    if (pst_group_commit(&query, rows, n, &unreachable, &err) == PST_OK)
        return true;
    rest_error(answer, 500, "%s", err.text);
    return false;
}

static void answer_offsets(rest_answer *answer, const char *done)
{
    char text[400];
    snprintf(text, sizeof text,
             "The Connect framework-managed offsets for this connector have been %s "
             "successfully. However, if this connector manages offsets externally, they "
             "will need to be manually %s in the system that the connector uses.",
             done, done);
    rest_json(answer, 200, json_pack("{s:s}", "message", text));
}

static void alter(struct pst_rest *rest, const pst_connector_view *view, json_t *body,
                  rest_answer *answer)
{
    const json_t *list = json_object_get(body, "offsets");
    size_t n = json_array_size(list);
    if (n == 0 || n > ENTRIES_MAX) {
        rest_error(answer, 400, "\"offsets\" must be a list of 1 to %d offsets",
                   ENTRIES_MAX);
        return;
    }
    char *group = pst_asprintf("connect-%s", view->name);
    pst_group_row *rows = pst_calloc(n, sizeof *rows);
    if (!group || !rows)
        rest_error(answer, 500, "out of memory");
    else if (move_all(rest, group, list, rows, answer))
        answer_offsets(answer, "altered");
    pst_free(rows);
    pst_free(group);
}

void rest_alter_offsets(struct pst_rest *rest, const rest_request *request,
                        rest_answer *answer)
{
    pst_connector_view view;
    json_t *body = rest_body(request, answer);
    if (body && rest_look(rest, request, &view, answer)) {
        if (is_stopped(&view, answer))
            alter(rest, &view, body, answer);
        pst_connector_view_done(&view);
    }
    json_decref(body);
}

/* Nothing to reset, or what a reset would do is refused. */
void rest_reset_offsets(struct pst_rest *rest, const rest_request *request,
                        rest_answer *answer)
{
    pst_connector_view view;
    if (!rest_look(rest, request, &view, answer))
        return;
    if (is_stopped(&view, answer)) {
        sink_offsets(rest, &view, answer);
        json_t *now =
            answer->body_n ? json_loadb(answer->body, answer->body_n, 0, NULL) : NULL;
        if (answer->status == 200 && json_array_size(json_object_get(now, "offsets")))
            refuse_rewind(answer, "The offsets cannot be reset");
        else if (answer->status == 200)
            answer_offsets(answer, "reset");
        json_decref(now);
    }
    pst_connector_view_done(&view);
}

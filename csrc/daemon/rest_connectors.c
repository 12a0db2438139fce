/*
 * rest_connectors.c - /connectors: what there is and what it does.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <string.h>

/* ---- pieces ---- */

const char *rest_target_name(pst_target target)
{
    static const char *const names[] = {[PST_TARGET_RUNNING] = "RUNNING",
                                        [PST_TARGET_PAUSED] = "PAUSED",
                                        [PST_TARGET_STOPPED] = "STOPPED"};
    return names[target];
}

/* Connect's words; a source that has read all there is has stopped by itself. */
const char *rest_task_state(const pst_task_view *task)
{
    static const char *const names[] = {
        [PST_TASK_STARTING] = "UNASSIGNED", [PST_TASK_RUNNING] = "RUNNING",
        [PST_TASK_PAUSED] = "PAUSED",       [PST_TASK_DONE] = "STOPPED",
        [PST_TASK_FAILED] = "FAILED",
    };
    return task->ending ? "RESTARTING" : names[task->state];
}

static json_t *task_json(const struct pst_rest *rest, const pst_task_view *task)
{
    json_t *out = json_pack("{s:i, s:s, s:s}", "id", task->id, "state",
                            rest_task_state(task), "worker_id", rest->worker_id);
    if (task->state == PST_TASK_FAILED && !task->ending)
        json_object_set_new(out, "trace", json_string(task->trace));
    return out;
}

json_t *rest_status_json(const struct pst_rest *rest, const pst_connector_view *view,
                         bool restarting)
{
    json_t *tasks = json_array();
    for (size_t i = 0; i < view->n_tasks; i++)
        json_array_append_new(tasks, task_json(rest, &view->tasks[i]));
    return json_pack("{s:s, s:{s:s, s:s}, s:o, s:s}", "name", view->name, "connector",
                     "state", restarting ? "RESTARTING" : rest_target_name(view->target),
                     "worker_id", rest->worker_id, "tasks", tasks, "type",
                     view->plugin->type);
}

json_t *rest_info_json(const pst_connector_view *view)
{
    json_t *tasks = json_array();
    for (size_t i = 0; view->target != PST_TARGET_STOPPED && i < view->n_tasks; i++)
        json_array_append_new(tasks, json_pack("{s:s, s:i}", "connector", view->name,
                                               "task", view->tasks[i].id));
    return json_pack("{s:s, s:o, s:o, s:s}", "name", view->name, "config",
                     rest_shown_config(view), "tasks", tasks, "type", view->plugin->type);
}

/* A task's settings are its connector's; Connect adds the task's class. */
static json_t *task_config(const pst_connector_view *view)
{
    json_t *config = rest_shown_config(view);
    char *class = pst_asprintf("%sTask", view->plugin->class_name);
    if (config && class)
        json_object_set_new(config, "task.class", json_string(class));
    pst_free(class);
    return config;
}

bool rest_look(struct pst_rest *rest, const rest_request *request,
               pst_connector_view *view, rest_answer *answer)
{
    pst_rc rc = pst_worker_look(rest->options.worker, request->segments[1], view);
    if (rc == PST_E_NOT_FOUND)
        rest_error(answer, 404, "Connector %s not found", request->segments[1]);
    else if (rc != PST_OK)
        rest_error(answer, 500, "out of memory");
    return rc == PST_OK;
}

/* ---- handlers ---- */

static json_t *expanded(struct pst_rest *rest, const char *name, bool status, bool info)
{
    pst_connector_view view;
    if (pst_worker_look(rest->options.worker, name, &view) != PST_OK)
        return NULL;
    json_t *one = json_object();
    if (status)
        json_object_set_new(one, "status", rest_status_json(rest, &view, false));
    if (info)
        json_object_set_new(one, "info", rest_info_json(&view));
    pst_connector_view_done(&view);
    return one;
}

void rest_connectors(struct pst_rest *rest, const rest_request *request,
                     rest_answer *answer)
{
    bool status = rest_query_has(request, "expand", "status");
    bool info = rest_query_has(request, "expand", "info");
    char **names = NULL;
    size_t n = 0;
    if (pst_worker_names(rest->options.worker, &names, &n) != PST_OK) {
        rest_error(answer, 500, "out of memory");
        return;
    }
    json_t *out = status || info ? json_object() : json_array();
    for (size_t i = 0; i < n; i++)
        if (status || info) {
            json_t *one = expanded(rest, names[i], status, info);
            if (one) /* or it has gone meanwhile */
                json_object_set_new(out, names[i], one);
        } else {
            json_array_append_new(out, json_string(names[i]));
        }
    pst_worker_names_free(names, n);
    rest_json(answer, 200, out);
}

typedef json_t *(*view_json)(const struct pst_rest *rest, const pst_connector_view *view);

static void answer_view(struct pst_rest *rest, const rest_request *request,
                        rest_answer *answer, view_json make)
{
    pst_connector_view view;
    if (!rest_look(rest, request, &view, answer))
        return;
    rest_json(answer, 200, make(rest, &view));
    pst_connector_view_done(&view);
}

static json_t *make_info(const struct pst_rest *rest, const pst_connector_view *view)
{
    (void)rest;
    return rest_info_json(view);
}

static json_t *make_config(const struct pst_rest *rest, const pst_connector_view *view)
{
    (void)rest;
    return rest_shown_config(view);
}

static json_t *make_tasks(const struct pst_rest *rest, const pst_connector_view *view)
{
    (void)rest;
    json_t *out = json_array();
    for (size_t i = 0; view->target != PST_TARGET_STOPPED && i < view->n_tasks; i++)
        json_array_append_new(out, json_pack("{s:{s:s, s:i}, s:o}", "id", "connector",
                                             view->name, "task", view->tasks[i].id,
                                             "config", task_config(view)));
    return out;
}

static json_t *make_tasks_config(const struct pst_rest *rest,
                                 const pst_connector_view *view)
{
    (void)rest;
    json_t *out = json_object();
    for (size_t i = 0; view->target != PST_TARGET_STOPPED && i < view->n_tasks; i++) {
        char *id = pst_asprintf("%s-%d", view->name, view->tasks[i].id);
        if (id)
            json_object_set_new(out, id, task_config(view));
        pst_free(id);
    }
    return out;
}

void rest_connector(struct pst_rest *rest, const rest_request *request,
                    rest_answer *answer)
{
    answer_view(rest, request, answer, make_info);
}

void rest_config(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    answer_view(rest, request, answer, make_config);
}

void rest_tasks(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    answer_view(rest, request, answer, make_tasks);
}

void rest_tasks_config(struct pst_rest *rest, const rest_request *request,
                       rest_answer *answer)
{
    answer_view(rest, request, answer, make_tasks_config);
}

void rest_status(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    pst_connector_view view;
    if (pst_worker_look(rest->options.worker, request->segments[1], &view) != PST_OK) {
        rest_error(answer, 404, "No status found for connector %s", request->segments[1]);
        return;
    }
    rest_json(answer, 200, rest_status_json(rest, &view, false));
    pst_connector_view_done(&view);
}

/* -1: that is no task's number. */
int rest_task_id(const rest_request *request)
{
    int64_t id = -1;
    bool ok = pst_sv_to_i64(pst_sv_of(request->segments[3]), &id);
    return ok && id >= 0 && id < 1000000 ? (int)id : -1;
}

void rest_task_status(struct pst_rest *rest, const rest_request *request,
                      rest_answer *answer)
{
    pst_connector_view view;
    int id = rest_task_id(request);
    bool found = false;
    if (pst_worker_look(rest->options.worker, request->segments[1], &view) == PST_OK) {
        for (size_t i = 0; !found && i < view.n_tasks; i++)
            if (view.tasks[i].id == id) {
                rest_json(answer, 200, task_json(rest, &view.tasks[i]));
                found = true;
            }
        pst_connector_view_done(&view);
    }
    if (!found)
        rest_error(answer, 404, "No status found for task %s-%s", request->segments[1],
                   request->segments[3]);
}

void rest_topics(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    pst_connector_view view;
    json_t *topics = json_array();
    if (pst_worker_look(rest->options.worker, request->segments[1], &view) == PST_OK) {
        for (size_t i = 0; i < view.n_topics; i++)
            json_array_append_new(topics, json_string(view.topics[i]));
        pst_connector_view_done(&view);
    }
    rest_json(answer, 200,
              json_pack("{s:{s:o}}", request->segments[1], "topics", topics));
}

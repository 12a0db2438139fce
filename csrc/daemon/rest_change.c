/*
 * rest_change.c - changes: connectors made, set anew, deleted, paused, restarted.
 *
 * What is to outlive the process is on the disk before the worker is told. A connector of
 * the command line is its file's: here it may be paused, stopped and restarted, no more.
 */
#include "daemon/rest_internal.h"
#include "daemon/rest_store.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static const char *storage(const struct pst_rest *rest)
{
    const char *dir = pst_worker_settings(rest->options.worker)->config_storage_dir;
    return dir && *dir ? dir : NULL;
}

/* May connectors come and go, and this one? */
static bool may_change(struct pst_rest *rest, const pst_connector_view *view,
                       rest_answer *answer)
{
    if (view && view->fixed)
        rest_error(answer, 400,
                   "Connector %s is of the command line (%s): change that file and "
                   "send the daemon a SIGHUP",
                   view->name,
                   view->props.n && view->props.items[0].file ? view->props.items[0].file
                                                              : "no file");
    else if (!storage(rest))
        rest_error(answer, 400,
                   "config.storage.dir is not set: connectors are those of the command "
                   "line");
    return !(view && view->fixed) && storage(rest);
}

/* ---- settings ---- */

static void answer_invalid(const pst_conf_report *report, rest_answer *answer)
{
    pst_buf text;
    size_t n = 0;
    pst_buf_init(&text, 64 * 1024);
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < report->n; i++) {
        const pst_conf_message *m = &report->items[i];
        if (m->warning)
            continue;
        n++;
        rc = pst_buf_addf(&text, "\n%s%s%s", m->key ? m->key : "", m->key ? ": " : "",
                          m->text);
    }
    const char *list = pst_buf_cstr(&text);
    rest_error(answer, 400,
               "Connector configuration is invalid and contains the following %zu "
               "error(s):%s\nYou can also find the above list of errors at the endpoint "
               "`/connector-plugins/{connectorType}/config/validate`",
               n, list ? list : "");
    pst_buf_done(&text);
}

static bool check(const pst_props *props, pst_conf_report *report, rest_answer *answer)
{
    const char *class = pst_props_get(props, "connector.class");
    if (!class)
        rest_error(answer, 400, "Connector config contains no connector type");
    else if (!pst_connector_find(class))
        rest_no_class(answer, class);
    if (!class || !pst_connector_find(class))
        return false;
    pst_worker_check(props, report);
    if (report->errors)
        answer_invalid(report, answer);
    else if (report->nomem)
        rest_error(answer, 500, "out of memory");
    return !report->errors && !report->nomem;
}

static bool apply(struct pst_rest *rest, const char *name, pst_props *props,
                  pst_target target, pst_conf_report *report, rest_answer *answer)
{
    pst_err err = PST_ERR_INIT;
    pst_rc rc = rest_store_write(storage(rest), name, props, target, &err);
    if (rc == PST_OK) {
        rc = pst_worker_put(rest->options.worker, props, target, report, &err);
        pst_err ignored = PST_ERR_INIT;
        if (rc == PST_E_LIMIT) /* it is not one of them */
            (void)!rest_store_remove(storage(rest), name, &ignored);
    }
    if (rc != PST_OK)
        rest_error(answer, rc == PST_E_LIMIT ? 409 : 500, "%s", err.text);
    return rc == PST_OK;
}

static void answer_info(struct pst_rest *rest, const char *name, bool created,
                        rest_answer *answer)
{
    pst_connector_view view;
    if (pst_worker_look(rest->options.worker, name, &view) != PST_OK) {
        rest_error(answer, 500, "out of memory");
        return;
    }
    rest_json(answer, created ? 201 : 200, rest_info_json(&view));
    char *escaped = created ? rest_escape(name) : NULL;
    if (escaped)
        answer->location = pst_asprintf("/connectors/%s", escaped);
    pst_free(escaped);
    pst_connector_view_done(&view);
}

/* config has its name. The connector is made, or gets these settings. */
static void put(struct pst_rest *rest, json_t *config, pst_target target,
                rest_answer *answer)
{
    char *name = pst_strdup(json_string_value(json_object_get(config, "name")));
    pst_connector_view old = {.plugin = NULL};
    pst_conf_report report;
    pst_props props;
    pst_conf_report_init(&report);
    pst_props_init(&props);
    bool there = name && pst_worker_look(rest->options.worker, name, &old) == PST_OK;
    bool ok = name && may_change(rest, there ? &old : NULL, answer) &&
              rest_props(rest, config, &props, &report, answer) &&
              check(&props, &report, answer) &&
              apply(rest, name, &props, there ? old.target : target, &report, answer);
    if (ok)
        answer_info(rest, name, !there, answer);
    else if (!name)
        rest_error(answer, 500, "out of memory");
    pst_connector_view_done(&old);
    pst_props_done(&props);
    pst_conf_report_done(&report);
    pst_free(name);
}

/* The name in the path, or beside the settings, and the one in them. */
static bool settle_name(json_t *config, const char *name, rest_answer *answer)
{
    json_t *inner = json_object_get(config, "name");
    if (!inner) {
        if (json_object_set_new(config, "name", json_string(name)) == 0)
            return true;
        rest_error(answer, 400, "the name is not UTF-8");
        return false;
    }
    if (json_is_string(inner) && strcmp(json_string_value(inner), name) == 0)
        return true;
    rest_error(answer, 400,
               "Connector name configuration (%s) doesn't match connector name in the "
               "URL (%s)",
               json_is_string(inner) ? json_string_value(inner) : "no text", name);
    return false;
}

static bool known_fields(json_t *body, rest_answer *answer)
{
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value) if (strcmp(key, "name") != 0 &&
                                              strcmp(key, "config") != 0 &&
                                              strcmp(key, "initial_state") != 0)
    {
        rest_error(answer, 500,
                   "Unrecognized field \"%s\", not marked as ignorable (3 known "
                   "properties: \"config\", \"name\", \"initial_state\")",
                   key);
        return false;
    }
    return true;
}

static bool initial_state(const json_t *body, pst_target *out, rest_answer *answer)
{
    static const char *const names[] = {"RUNNING", "PAUSED", "STOPPED"};
    const json_t *state = json_object_get(body, "initial_state");
    *out = PST_TARGET_RUNNING;
    if (!state || json_is_null(state))
        return true;
    for (size_t i = 0; i < 3; i++)
        if (json_is_string(state) &&
            strcasecmp(json_string_value(state), names[i]) == 0) {
            *out = (pst_target)i;
            return true;
        }
    rest_error(answer, 500, "initial_state must be RUNNING, PAUSED or STOPPED");
    return false;
}

static void create(struct pst_rest *rest, json_t *body, rest_answer *answer)
{
    const char *name = json_string_value(json_object_get(body, "name"));
    json_t *config = json_object_get(body, "config");
    pst_target target;
    pst_connector_view old;
    if (!name)
        name = json_is_object(config) ? json_string_value(json_object_get(config, "name"))
                                      : NULL;
    if (!known_fields(body, answer) || !initial_state(body, &target, answer))
        return;
    if (!name || !*name) {
        rest_error(answer, 400,
                   "Connector configuration is invalid and contains the following 1 "
                   "error(s):\nInvalid value for configuration name: it may not be "
                   "empty");
        return;
    }
    if (!json_is_object(config)) {
        rest_error(answer, 400, "Connector config contains no connector type");
        return;
    }
    if (!settle_name(config, name, answer))
        return;
    if (pst_worker_look(rest->options.worker, name, &old) == PST_OK) {
        pst_connector_view_done(&old);
        rest_error(answer, 409, "Connector %s already exists", name);
        return;
    }
    put(rest, config, target, answer);
}

void rest_create(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    json_t *body = rest_body(request, answer);
    if (body)
        create(rest, body, answer);
    json_decref(body);
}

void rest_put_config(struct pst_rest *rest, const rest_request *request,
                     rest_answer *answer)
{
    json_t *config = rest_body(request, answer);
    if (config && settle_name(config, request->segments[1], answer))
        put(rest, config, PST_TARGET_RUNNING, answer);
    json_decref(config);
}

/* Settings that are given replace those that are, null takes one away. */
void rest_patch_config(struct pst_rest *rest, const rest_request *request,
                       rest_answer *answer)
{
    pst_connector_view view;
    json_t *patch = rest_body(request, answer);
    if (patch && rest_look(rest, request, &view, answer)) {
        json_t *config = rest_shown_config(&view); /* what is hidden comes back in */
        const char *key;
        json_t *value;
        json_object_foreach(patch, key, value) json_object_set(config, key, value);
        if (config && settle_name(config, view.name, answer))
            put(rest, config, view.target, answer);
        else if (!config)
            rest_error(answer, 500, "out of memory");
        json_decref(config);
        pst_connector_view_done(&view);
    }
    json_decref(patch);
}

void rest_delete(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    pst_connector_view view;
    pst_err err = PST_ERR_INIT;
    if (!rest_look(rest, request, &view, answer))
        return;
    if (may_change(rest, &view, answer)) {
        pst_rc rc = rest_store_remove(storage(rest), view.name, &err);
        if (rc == PST_OK)
            rc = pst_worker_remove(rest->options.worker, view.name);
        if (rc == PST_OK)
            rest_empty(answer, 204);
        else
            rest_error(answer, 500, "%s", err.text);
    }
    pst_connector_view_done(&view);
}

/* ---- pause, resume, stop ---- */

static void set_target(struct pst_rest *rest, const rest_request *request,
                       pst_target target, int status, rest_answer *answer)
{
    pst_connector_view view;
    pst_err err = PST_ERR_INIT;
    pst_rc rc = PST_OK;
    if (pst_worker_look(rest->options.worker, request->segments[1], &view) != PST_OK) {
        rest_error(answer, 404, "Unknown connector %s", request->segments[1]);
        return;
    }
    if (!view.fixed && storage(rest) && view.target != target)
        rc = rest_store_write(storage(rest), view.name, &view.props, target, &err);
    if (rc == PST_OK)
        rc = pst_worker_target(rest->options.worker, view.name, target);
    if (rc == PST_OK)
        rest_empty(answer, status);
    else
        rest_error(answer, 500, "%s", err.text);
    pst_connector_view_done(&view);
}

void rest_pause(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    set_target(rest, request, PST_TARGET_PAUSED, 202, answer);
}

void rest_resume(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    set_target(rest, request, PST_TARGET_RUNNING, 202, answer);
}

void rest_stop(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    set_target(rest, request, PST_TARGET_STOPPED, 204, answer);
}

/* ---- restart ---- */

static bool restarts(const rest_request *request, const pst_task_view *task)
{
    return !rest_query_has(request, "onlyFailed", "true") ||
           task->state == PST_TASK_FAILED;
}

/* A connector alone has nothing to restart: its tasks do the work. */
void rest_restart(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    bool with_tasks = rest_query_has(request, "includeTasks", "true");
    bool only_failed = rest_query_has(request, "onlyFailed", "true");
    pst_connector_view view;
    if (pst_worker_look(rest->options.worker, request->segments[1], &view) != PST_OK) {
        rest_error(answer, 404, "Unknown connector: %s", request->segments[1]);
        return;
    }
    if (with_tasks)
        (void)!pst_worker_restart(rest->options.worker, view.name, -1, only_failed);
    for (size_t i = 0; with_tasks && i < view.n_tasks; i++)
        view.tasks[i].ending |= restarts(request, &view.tasks[i]);
    if (with_tasks || only_failed)
        rest_json(answer, 202, rest_status_json(rest, &view, !only_failed));
    else
        rest_empty(answer, 204);
    pst_connector_view_done(&view);
}

void rest_restart_task(struct pst_rest *rest, const rest_request *request,
                       rest_answer *answer)
{
    int id = rest_task_id(request);
    const char *name = request->segments[1];
    if (id >= 0 && pst_worker_restart(rest->options.worker, name, id, false) == PST_OK)
        rest_empty(answer, 204);
    else
        rest_error(answer, 404, "Unknown task: %s-%s", name, request->segments[3]);
}

void rest_reset_topics(struct pst_rest *rest, const rest_request *request,
                       rest_answer *answer)
{
    if (pst_worker_reset_topics(rest->options.worker, request->segments[1]) == PST_OK)
        rest_empty(answer, 202);
    else
        rest_error(answer, 404, "Unknown connector %s", request->segments[1]);
}

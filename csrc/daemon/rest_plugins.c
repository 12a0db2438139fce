/*
 * rest_plugins.c - /connector-plugins: the connector classes, their settings, and a check
 * of settings. All of it comes out of the settings tables.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <string.h>

void rest_plugins(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    (void)rest;
    (void)request; /* connectorsOnly: there are no other plugins */
    json_t *list = json_array();
    for (size_t i = 0; i < pst_connectors_n; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s}", "class", pst_connectors[i]->class_name,
                            "type", pst_connectors[i]->type, "version", PST_VERSION));
    rest_json(answer, 200, list);
}

void rest_plugin_config(struct pst_rest *rest, const rest_request *request,
                        rest_answer *answer)
{
    (void)rest;
    const pst_connector *plugin = pst_connector_find(request->segments[1]);
    if (!plugin) {
        rest_error(answer, 404, "Unknown plugin %s.", request->segments[1]);
        return;
    }
    pst_buf out;
    pst_buf_init(&out, REST_ANSWER_MAX);
    if (pst_conf_json_definitions(plugin->spec, &out) == PST_OK)
        rest_text(answer, 200, &out);
    else
        rest_error(answer, 500, "out of memory");
    pst_buf_done(&out);
}

static void validate(struct pst_rest *rest, const pst_connector *plugin, json_t *config,
                     rest_answer *answer)
{
    pst_conf_report report;
    pst_props props;
    pst_buf out;
    pst_conf_report_init(&report);
    pst_buf_init(&out, REST_ANSWER_MAX);
    bool read = rest_props(rest, config, &props, &report, answer);
    if (read) {
        pst_worker_check(&props, &report);
        if (!report.nomem && pst_conf_json(plugin->spec, &props, &report, &out) == PST_OK)
            rest_text(answer, 200, &out);
        else
            rest_error(answer, 500, "out of memory");
    }
    pst_props_done(&props);
    pst_buf_done(&out);
    pst_conf_report_done(&report);
}

void rest_validate(struct pst_rest *rest, const rest_request *request,
                   rest_answer *answer)
{
    const char *asked = request->segments[1];
    json_t *config = rest_body(request, answer);
    if (!config)
        return;
    const char *class = json_string_value(json_object_get(config, "connector.class"));
    const pst_connector *plugin = class ? pst_connector_find(class) : NULL;
    if (!class)
        rest_error(answer, 500, "Connector config contains no connector type");
    else if (strcmp(class, asked) != 0)
        rest_error(answer, 400,
                   "Included connector type %s does not match request type %s", class,
                   asked);
    else if (!plugin)
        rest_no_class(answer, class);
    else
        validate(rest, plugin, config, answer);
    json_decref(config);
}

/*
 * rest_config.c - a connector's settings between JSON and properties.
 *
 * What is shown hides secrets; a client that reads settings, changes one and writes all
 * back sends what it was shown, and that means: as it is.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

json_t *rest_shown_config(const pst_connector_view *view)
{
    json_t *config = json_object();
    for (size_t i = 0; config && i < view->props.n; i++) {
        const pst_prop *prop = &view->props.items[i];
        char *shown = pst_conf_public(view->plugin->spec, prop);
        if (!shown || json_object_set_new(config, prop->key, json_string(shown)) != 0) {
            json_decref(config);
            config = NULL;
        }
        pst_free(shown);
    }
    return config;
}

/* A setting's value as text: clients send numbers and booleans, too. */
static char *text_of(const json_t *value)
{
    if (json_is_string(value))
        return pst_strdup(json_string_value(value));
    if (json_is_boolean(value))
        return pst_strdup(json_is_true(value) ? "true" : "false");
    if (json_is_integer(value))
        return pst_asprintf("%" PRId64, (int64_t)json_integer_value(value));
    return json_is_real(value) ? pst_asprintf("%.17g", json_real_value(value)) : NULL;
}

/* The value to store for what was sent; NULL: no memory. */
static char *kept(const pst_connector_view *old, const char *key, char *sent)
{
    const pst_prop *prop = old->plugin ? pst_props_find(&old->props, key) : NULL;
    char *shown = prop ? pst_conf_public(old->plugin->spec, prop) : NULL;
    bool same = shown && strcmp(shown, sent) == 0;
    pst_free(shown);
    if (!same)
        return sent;
    pst_free(sent);
    return pst_strdup(pst_prop_raw(prop));
}

static bool add(pst_props *props, const pst_connector_view *old, const char *key,
                const json_t *value, pst_conf_report *report, rest_answer *answer)
{
    if (json_is_null(value))
        return true; /* as a setting that is not given */
    char *text = text_of(value);
    if (!text) {
        rest_error(answer, 400, "the value of %s must be a string, a number or a boolean",
                   key);
        return false;
    }
    text = kept(old, key, text);
    if (text && strcmp(text, "[hidden]") == 0)
        pst_conf_error(report, NULL, key,
                       "\"[hidden]\" stands for a secret that is not known here; give "
                       "the secret, or ${file:/path:key}");
    if (text)
        (void)!pst_props_set(props, key, text, NULL, report);
    else
        report->nomem = true;
    if (text)
        pst_wipe(text, strlen(text));
    pst_free(text);
    return true;
}

bool rest_props(struct pst_rest *rest, json_t *config, pst_props *props,
                pst_conf_report *report, rest_answer *answer)
{
    const char *name = json_string_value(json_object_get(config, "name")), *key;
    json_t *value;
    pst_connector_view old = {.plugin = NULL};
    pst_props_init(props);
    if (name && pst_worker_look(rest->options.worker, name, &old) == PST_E_NOMEM)
        report->nomem = true;
    bool ok = true;
    json_object_foreach(config, key, value)
    {
        if (ok && *key)
            ok = add(props, &old, key, value, report, answer);
    }
    pst_connector_view_done(&old);
    return ok;
}

void rest_no_class(rest_answer *answer, const char *class)
{
    char known[256] = "";
    for (size_t i = 0; i < pst_connectors_n; i++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "",
                 pst_connectors[i]->class_name);
    }
    rest_error(answer, 500,
               "Failed to find any class that implements Connector and which name "
               "matches %s, available connectors are: %s",
               class, known);
}

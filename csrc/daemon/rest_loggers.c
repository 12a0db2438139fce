/*
 * rest_loggers.c - /admin/loggers, as Connect has it: the root and what has a level of
 * its own. The loggers are the modules that stand in each line; there are no others to
 * make.
 */
#include "daemon/rest_internal.h"

#include <ctype.h>
#include <stdio.h>

/* NULL: there is no such module, or no memory. */
static json_t *level_json(const pst_log *log, const char *module)
{
    pst_log_setting now;
    char level[16];
    if (!pst_log_get(log, module, &now))
        return NULL;
    snprintf(level, sizeof level, "%s", pst_log_level_name(now.level));
    for (char *c = level; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    json_t *when = now.changed_ms ? json_integer(now.changed_ms) : json_null();
    return json_pack("{s:s, s:o}", "level", level, "last_modified", when);
}

static bool is_own(const pst_log *log, const char *module)
{
    pst_log_setting now;
    return pst_log_get(log, module, &now) && now.own;
}

void rest_loggers(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    const pst_log *log = rest->options.log;
    json_t *all = json_object();
    (void)request;
    for (size_t i = 0; i < PST_LOG_MODULES; i++)
        if (is_own(log, pst_log_modules[i]))
            json_object_set_new(all, pst_log_modules[i],
                                level_json(log, pst_log_modules[i]));
    json_object_set_new(all, PST_LOG_ROOT, level_json(log, PST_LOG_ROOT));
    rest_json(answer, 200, all);
}

static bool is_known(const rest_request *request, rest_answer *answer)
{
    pst_log_setting now;
    char names[256] = PST_LOG_ROOT;
    if (pst_log_get(NULL, request->segments[2], &now))
        return true;
    for (size_t i = 0; i < PST_LOG_MODULES; i++) {
        size_t n = strlen(names);
        snprintf(names + n, sizeof names - n, ", %s", pst_log_modules[i]);
    }
    rest_error(answer, 404, "Logger %s not found; there are %s", request->segments[2],
               names);
    return false;
}

void rest_logger(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    if (is_known(request, answer))
        rest_json(answer, 200, level_json(rest->options.log, request->segments[2]));
}

/* The names that it changes: the root's level goes down to all, as Connect's does. */
static json_t *set_level(pst_log *log, const char *module, pst_log_level level)
{
    json_t *names = json_pack("[s]", module);
    bool root = strcmp(module, PST_LOG_ROOT) == 0;
    for (size_t i = 0; root && i < PST_LOG_MODULES; i++)
        if (is_own(log, pst_log_modules[i]))
            json_array_append_new(names, json_string(pst_log_modules[i]));
    (void)pst_log_set_level(log, module, level);
    return names;
}

void rest_set_logger(struct pst_rest *rest, const rest_request *request,
                     rest_answer *answer)
{
    json_t *body = is_known(request, answer) ? rest_body(request, answer) : NULL;
    if (!body)
        return;
    const char *name = json_string_value(json_object_get(body, "level"));
    pst_log_level level = PST_LOG_INFO;
    if (!name)
        rest_error(answer, 400,
                   "Desired 'level' parameter was not specified in request.");
    else if (!pst_log_level_of(name, &level))
        rest_error(answer, 404, "invalid log level '%s'.", name);
    else
        rest_json(answer, 200, set_level(rest->options.log, request->segments[2], level));
    json_decref(body);
}

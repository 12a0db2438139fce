/*
 * rest_router.c - which handler a request is for: one const table, searched from the
 * front. Nothing that changes a state is a GET.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static const rest_route routes[] = {
    {"GET", "/", rest_root, true},
    {"GET", "/penstock/status", rest_page_status, false},
    {"GET", "/health", rest_health, false},
    {"GET", "/ready", rest_ready, false},
    {"GET", "/metrics", rest_metrics, false},
    {"GET", "/admin/loggers", rest_loggers, false},
    {"GET", "/admin/loggers/?", rest_logger, false},
    {"PUT", "/admin/loggers/?", rest_set_logger, false},
    {"GET", "/connector-plugins", rest_plugins, false},
    {"GET", "/connector-plugins/?/config", rest_plugin_config, false},
    {"PUT", "/connector-plugins/?/config/validate", rest_validate, false},
    {"GET", "/connectors", rest_connectors, false},
    {"POST", "/connectors", rest_create, false},
    {"GET", "/connectors/?", rest_connector, false},
    {"DELETE", "/connectors/?", rest_delete, false},
    {"PUT", "/connectors/?/config", rest_put_config, false},
    {"PATCH", "/connectors/?/config", rest_patch_config, false},
    {"PUT", "/connectors/?/pause", rest_pause, false},
    {"PUT", "/connectors/?/resume", rest_resume, false},
    {"PUT", "/connectors/?/stop", rest_stop, false},
    {"POST", "/connectors/?/restart", rest_restart, false},
    {"POST", "/connectors/?/tasks/?/restart", rest_restart_task, false},
    {"PUT", "/connectors/?/topics/reset", rest_reset_topics, false},
    {"GET", "/connectors/?/config", rest_config, false},
    {"GET", "/connectors/?/status", rest_status, false},
    {"GET", "/connectors/?/tasks", rest_tasks, false},
    {"GET", "/connectors/?/tasks-config", rest_tasks_config, false},
    {"GET", "/connectors/?/tasks/?/status", rest_task_status, false},
    {"GET", "/connectors/?/topics", rest_topics, false},
    {"GET", "/connectors/?/offsets", rest_offsets, true},
    {"PATCH", "/connectors/?/offsets", rest_alter_offsets, true},
    {"DELETE", "/connectors/?/offsets", rest_reset_offsets, true},
};

/* The same path for browsers. */
static const rest_route page = {"GET", "/", rest_page, false};

enum { N_ROUTES = sizeof routes / sizeof *routes };

/* ---- path and query ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* In place; false for a broken escape, a control character, or what is no UTF-8. */
static bool decode(char *s, bool query)
{
    char *out = s;
    for (const char *c = s; *c; c++) {
        char byte = query && *c == '+' ? ' ' : *c;
        if (*c == '%') {
            int high = hex(c[1]), low = high < 0 ? -1 : hex(c[2]);
            if (low < 0)
                return false;
            byte = (char)(high * 16 + low);
            c += 2;
        }
        if ((unsigned char)byte < 0x20 || byte == 0x7f)
            return false;
        *out++ = byte;
    }
    *out = '\0';
    return pst_utf8_valid(pst_sv_of(s));
}

static bool split_path(rest_request *request, char *path)
{
    if (*path != '/')
        return false;
    for (char *at = path + 1; at && *at;) {
        char *end = strchr(at, '/');
        if (end)
            *end++ = '\0';
        if (!*at || !decode(at, false))
            return false;
        if (request->n_segments == REST_SEGMENTS_MAX)
            return true; /* longer than any route: one segment more is a 404 */
        request->segments[request->n_segments++] = at;
        at = end;
    }
    return true;
}

static bool split_query(rest_request *request, char *query)
{
    for (char *at = query; at && *at;) {
        char *end = strchr(at, '&');
        if (end)
            *end++ = '\0';
        char *value = strchr(at, '=');
        if (value)
            *value++ = '\0';
        if (!decode(at, true) || (value && !decode(value, true)))
            return false;
        if (request->n_queries == REST_QUERIES_MAX)
            return false;
        request->queries[request->n_queries++] =
            (rest_query){at, value ? value : at + strlen(at)};
        at = end;
    }
    return true;
}

bool rest_request_parse(rest_request *request, const char *method, const char *target,
                        const char *query, rest_answer *answer)
{
    size_t n = strlen(target) + 1, m = query ? strlen(query) + 1 : 1;
    *request = (rest_request){.method = method, .text = pst_malloc(n + m)};
    if (!request->text) {
        rest_error(answer, 500, "out of memory");
        return false;
    }
    memcpy(request->text, target, n);
    memcpy(request->text + n, query ? query : "", m);
    if (split_path(request, request->text) && split_query(request, request->text + n))
        return true;
    rest_error(answer, 400, "HTTP 400 Bad Request");
    return false;
}

void rest_request_done(rest_request *request)
{
    pst_free(request->text);
    *request = (rest_request){.method = NULL};
}

const char *rest_query_get(const rest_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_queries; i++)
        if (strcmp(request->queries[i].name, name) == 0)
            return request->queries[i].value;
    return NULL;
}

bool rest_query_has(const rest_request *request, const char *name, const char *value)
{
    for (size_t i = 0; i < request->n_queries; i++)
        if (strcmp(request->queries[i].name, name) == 0 &&
            strcmp(request->queries[i].value, value) == 0)
            return true;
    return false;
}

/* ---- routes ---- */

static bool matches(const rest_route *route, const rest_request *request)
{
    const char *at = route->path + 1;
    for (size_t i = 0; i < request->n_segments; i++) {
        size_t n = strcspn(at, "/");
        bool any = n == 1 && *at == '?';
        if (!n || (!any && !pst_sv_eq((pst_sv){at, n}, pst_sv_of(request->segments[i]))))
            return false;
        at += n;
        at += *at == '/';
    }
    return *at == '\0';
}

/* As a Connect worker lists them: "HEAD,POST,GET,OPTIONS". */
static bool add_methods(const rest_request *request, char *out, size_t size)
{
    bool get = false;
    size_t n = 0;
    *out = '\0';
    for (size_t i = 0; i < N_ROUTES; i++)
        if (matches(&routes[i], request)) {
            get |= strcmp(routes[i].method, "GET") == 0;
            n += (size_t)snprintf(out + n, size - n, "%s,", routes[i].method);
        }
    if (n)
        snprintf(out + n, size - n, "%sOPTIONS", get ? "HEAD," : "");
    return n > 0;
}

static void answer_options(rest_answer *answer)
{
    rest_empty(answer, 200);
    answer->body = pst_strdup(answer->allow);
    answer->body_n = answer->body ? strlen(answer->body) : 0;
    answer->type = "text/plain";
}

const rest_route *rest_route_of(const rest_request *request, rest_answer *answer)
{
    bool head = strcmp(request->method, "HEAD") == 0;
    bool get = head || strcmp(request->method, "GET") == 0;
    if (get && request->html && request->n_segments == 0)
        return &page;
    for (size_t i = 0; i < N_ROUTES; i++)
        if (strcmp(head ? "GET" : request->method, routes[i].method) == 0 &&
            matches(&routes[i], request))
            return &routes[i];
    char methods[sizeof answer->allow];
    if (!add_methods(request, methods, sizeof methods)) {
        rest_error(answer, 404, "HTTP 404 Not Found");
        return NULL;
    }
    rest_error(answer, 405, "HTTP 405 Method Not Allowed");
    memcpy(answer->allow, methods, sizeof methods);
    if (strcmp(request->method, "OPTIONS") == 0)
        answer_options(answer);
    return NULL;
}

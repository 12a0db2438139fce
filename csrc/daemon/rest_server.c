/*
 * rest_server.c - HTTP by libmicrohttpd: connections, bodies and their limits, and how an
 * answer gets back. The only includer of microhttpd.h.
 *
 * Everything has a ceiling: connections, bytes of headers, of one body and of all bodies,
 * time without a byte. Slow clients keep nobody out: when there are more connections than
 * that, the one that has been without a whole request longest is closed, so a new one
 * always gets in. A connection costs its pool (CONNECTION_MEMORY) and a `call`.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CONNECTION_MEMORY = 20 * 1024, /* headers and path included */
    CONNECTION_IDLE_S = 15,
    STACK = 512 * 1024,
};

/* ---- connections: the oldest without a request gives way ---- */

struct rest_connections { /* of the listener's thread alone */
    struct {
        int fd; /* -1 = free */
        int64_t since_ms;
        bool busy; /* a handler has it */
    } at[REST_CONNECTIONS_MAX];
};

static int64_t now_ms(void)
{
    return pst_mono_ms(pst_clock_system());
}

static size_t free_slot(struct rest_connections *all)
{
    size_t oldest = REST_CONNECTIONS_MAX;
    for (size_t i = 0; i < REST_CONNECTIONS_MAX; i++) {
        if (all->at[i].fd < 0)
            return i;
        if (!all->at[i].busy && (oldest == REST_CONNECTIONS_MAX ||
                                 all->at[i].since_ms < all->at[oldest].since_ms))
            oldest = i;
    }
    return oldest;
}

static void opened(struct rest_connections *all, int fd, void **slot_of)
{
    size_t i = free_slot(all);
    *slot_of = NULL;
    if (i == REST_CONNECTIONS_MAX) {
        shutdown(fd, SHUT_RDWR); /* all are being answered */
        return;
    }
    if (all->at[i].fd >= 0)
        shutdown(all->at[i].fd, SHUT_RDWR); /* libmicrohttpd sees its end and closes it */
    all->at[i].fd = fd;
    all->at[i].since_ms = now_ms();
    all->at[i].busy = false;
    *slot_of = &all->at[i];
}

static void notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                   enum MHD_ConnectionNotificationCode code)
{
    struct rest_connections *all = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int fd = info ? info->connect_fd : -1;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        opened(all, fd, socket_context);
        return;
    }
    for (size_t i = 0; i < REST_CONNECTIONS_MAX; i++)
        if (all->at[i].fd == fd)
            all->at[i].fd = -1;
}

static void mark(struct rest_connections *all, struct MHD_Connection *connection,
                 bool busy)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (size_t i = 0; info && i < REST_CONNECTIONS_MAX; i++)
        if (all->at[i].fd == info->connect_fd) {
            all->at[i].busy = busy;
            all->at[i].since_ms = now_ms();
        }
}

/* ---- one request ---- */

typedef struct rest_call {
    rest_job job; /* first: a job is its call */
    rest_listener *listener;
    struct MHD_Connection *connection;
    rest_request request;
    rest_answer answer;
    const rest_route *route;
    pst_buf body;
    size_t counted; /* of all bodies' bytes */
    bool done;      /* the answer is there */
} rest_call;

static atomic_size_t *bodies_of(const rest_call *call)
{
    return &call->listener->rest->bodies;
}

static void free_call(rest_call *call)
{
    atomic_fetch_sub(bodies_of(call), call->counted);
    rest_request_done(&call->request);
    rest_answer_done(&call->answer);
    if (call->body.data)
        pst_wipe(call->body.data, call->body.cap); /* settings hold secrets */
    pst_buf_done(&call->body);
    pst_free(call);
}

static void completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                      enum MHD_RequestTerminationCode code)
{
    rest_listener *listener = cls;
    (void)code;
    mark(listener->connections, connection, false);
    if (*con_cls)
        free_call(*con_cls);
    *con_cls = NULL;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void add_headers(struct MHD_Response *response, const rest_call *call)
{
    const rest_answer *answer = &call->answer;
    static const char json[] = "application/json";
    if (answer->body_n)
        MHD_add_response_header(response, "Content-Type",
                                answer->type ? answer->type : json);
    if (answer->allow[0])
        MHD_add_response_header(response, "Allow", answer->allow);
    if (answer->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate",
                                "Basic realm=\"penstock\", charset=\"UTF-8\"");
    if (answer->location) {
        const char *host = header(call->connection, "Host");
        char *url =
            pst_asprintf("http%s://%s%s", call->listener->tls ? "s" : "",
                         host ? host : call->listener->rest->worker_id, answer->location);
        if (url)
            MHD_add_response_header(response, "Location", url);
        pst_free(url);
    }
    if (answer->policy) {
        MHD_add_response_header(response, "Content-Security-Policy", answer->policy);
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
        MHD_add_response_header(response, "Vary", "Accept");
    }
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
}

static enum MHD_Result send_answer(rest_call *call)
{
    const rest_answer *answer = &call->answer;
    char none[1] = "";
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body_n, answer->body ? answer->body : none, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    add_headers(response, call);
    if (answer->status == 429)
        MHD_add_response_header(response, "Retry-After", "1");
    enum MHD_Result queued =
        MHD_queue_response(call->connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* ---- its beginning: what can be refused without its body ---- */

static enum MHD_Result add_query(void *cls, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    pst_buf *out = cls;
    (void)kind;
    pst_rc rc = pst_buf_addf(out, "%s%s%s%s", out->len ? "&" : "", key, value ? "=" : "",
                             value ? value : "");
    return rc == PST_OK ? MHD_YES : MHD_NO;
}

static bool parse(rest_call *call, const char *url, const char *method)
{
    pst_buf query;
    pst_buf_init(&query, CONNECTION_MEMORY);
    MHD_get_connection_values(call->connection, MHD_GET_ARGUMENT_KIND, add_query, &query);
    bool ok = rest_request_parse(&call->request, method, url,
                                 query.len ? pst_buf_cstr(&query) : NULL, &call->answer);
    pst_buf_done(&query);
    return ok;
}

static bool fits(rest_call *call)
{
    const char *length = header(call->connection, "Content-Length");
    int64_t n = 0;
    if (!length || (pst_sv_to_i64(pst_sv_of(length), &n) && n <= REST_BODY_MAX))
        return true;
    rest_error(&call->answer, 413, "the body has over %d bytes", REST_BODY_MAX);
    return false;
}

static bool begin(rest_call *call, const char *url, const char *method)
{
    const rest_headers headers = {
        .host = header(call->connection, "Host"),
        .origin = header(call->connection, "Origin"),
        .fetch_site = header(call->connection, "Sec-Fetch-Site"),
        .authorization = header(call->connection, "Authorization")};
    if (!parse(call, url, method) ||
        !rest_allowed(call->listener, &call->request, &headers, &call->answer))
        return false;
    const char *accept = header(call->connection, "Accept");
    call->request.html = accept && strstr(accept, "text/html");
    call->route = rest_route_of(&call->request, &call->answer);
    return call->route && fits(call);
}

static enum MHD_Result open_call(rest_listener *listener,
                                 struct MHD_Connection *connection, const char *url,
                                 const char *method, void **con_cls)
{
    rest_call *call = pst_calloc(1, sizeof *call);
    if (!call)
        return MHD_NO;
    call->listener = listener;
    call->connection = connection;
    pst_buf_init(&call->body, REST_BODY_MAX);
    *con_cls = call;
    mark(listener->connections, connection, false);
    if (begin(call, url, method))
        return MHD_YES;
    call->done = true;
    return send_answer(call);
}

/* ---- its body, its answer ---- */

static enum MHD_Result take_body(rest_call *call, const char *data, size_t *n)
{
    size_t all = atomic_fetch_add(bodies_of(call), *n) + *n;
    call->counted += *n;
    if (all > REST_BODIES_MAX || pst_buf_add(&call->body, data, *n) != PST_OK)
        return MHD_NO; /* the connection is closed */
    *n = 0;
    return MHD_YES;
}

static void handle(rest_call *call)
{
    call->request.body = call->body.data;
    call->request.body_n = call->body.len;
    call->route->handler(call->listener->rest, &call->request, &call->answer);
    call->done = true;
}

static void handle_waiting(rest_job *job)
{
    rest_call *call = (rest_call *)job;
    handle(call);
    MHD_resume_connection(call->connection);
}

static enum MHD_Result start_waiting(rest_call *call)
{
    struct rest_lane *lane = call->listener->rest->lane;
    call->job.run = handle_waiting;
    mark(call->listener->connections, call->connection, true);
    MHD_suspend_connection(call->connection);
    if (rest_lane_put(lane, &call->job))
        return MHD_YES;
    rest_error(&call->answer, 503, "too many requests wait for Kafka; ask again later");
    call->done = true;
    MHD_resume_connection(call->connection);
    return MHD_YES;
}

static enum MHD_Result respond(rest_call *call)
{
    struct pst_rest *rest = call->listener->rest;
    if (call->done) { /* it has waited */
        mark(call->listener->connections, call->connection, false);
        return send_answer(call);
    }
    if (call->route->waits)
        return start_waiting(call);
    pthread_mutex_lock(&rest->lock);
    handle(call);
    pthread_mutex_unlock(&rest->lock);
    return send_answer(call);
}

static enum MHD_Result serve(void *cls, struct MHD_Connection *connection,
                             const char *url, const char *method, const char *version,
                             const char *data, size_t *n, void **con_cls)
{
    (void)version;
    if (!*con_cls)
        return open_call(cls, connection, url, method, con_cls);
    if (*n)
        return take_body(*con_cls, data, n);
    return respond(*con_cls);
}

/* ---- the server ---- */

/* Paths and queries are decoded after they are taken apart, not before. */
static size_t as_it_is(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void log_line(void *cls, const char *fmt, va_list ap)
{
    struct pst_rest *rest = cls;
    char text[400];
    vsnprintf(text, sizeof text, fmt, ap);
    text[strcspn(text, "\r\n")] = '\0';
    pst_logf(rest->options.log, PST_LOG_DEBUG, NULL, "rest", "%s", text);
}

static pst_rc start_listener(rest_listener *l, pst_err *err)
{
    struct pst_rest *rest = l->rest;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_USE_ERROR_LOG | (l->tls ? MHD_USE_TLS : 0U);
    l->connections = pst_calloc(1, sizeof *l->connections);
    if (!l->connections)
        return pst_fail_nomem(err, "the REST interface");
    for (size_t i = 0; i < REST_CONNECTIONS_MAX; i++)
        l->connections->at[i].fd = -1;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, l->tls ? rest->certificate : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, l->tls ? rest->key : NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    l->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, serve, l, MHD_OPTION_EXTERNAL_LOGGER, log_line, rest,
        MHD_OPTION_LISTEN_SOCKET, l->fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(2 * REST_CONNECTIONS_MAX), MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONNECTION_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK,
        MHD_OPTION_NOTIFY_COMPLETED, completed, l, MHD_OPTION_NOTIFY_CONNECTION, notify,
        l->connections, MHD_OPTION_UNESCAPE_CALLBACK, as_it_is, NULL,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, l->tls ? tls : &tls[2],
        MHD_OPTION_END);
    if (!l->daemon)
        return pst_fail(err, PST_E_IO,
                        "listeners: the server does not start%s; log.level=debug says "
                        "more",
                        l->tls ? ": are rest.ssl.certificate and rest.ssl.key a pair?"
                               : "");
    l->fd = -1; /* the server closes it */
    return PST_OK;
}

static void name_worker(struct pst_rest *rest)
{
    const pst_worker_conf *conf = pst_worker_settings(rest->options.worker);
    const rest_listener *l = &rest->listeners[0];
    const char *host = conf->rest_advertised_host ? conf->rest_advertised_host : l->host;
    bool six = strchr(host, ':') != NULL;
    snprintf(rest->worker_id, sizeof rest->worker_id, "%s%s%s:%d", six ? "[" : "",
             *host ? host : "127.0.0.1", six ? "]" : "", l->port);
}

static pst_rc start_all(struct pst_rest *rest, pst_err *err)
{
    pst_rc rc = PST_OK;
    name_worker(rest);
    for (size_t i = 0; rc == PST_OK && i < rest->n_listeners; i++)
        rc = start_listener(&rest->listeners[i], err);
    for (size_t i = 0; rc == PST_OK && i < rest->n_listeners; i++) {
        const rest_listener *l = &rest->listeners[i];
        pst_logf(rest->options.log, PST_LOG_INFO, NULL, "rest",
                 "REST listens on http%s://%s:%d", l->tls ? "s" : "", l->host, l->port);
    }
    return rc;
}

/* The default listener's port may well be another daemon's. */
static pst_rc open_or_warn(struct pst_rest *rest, bool by_default, pst_err *err)
{
    pst_rc rc = rest_listen(rest, err);
    if (rc != PST_E_EXISTS || !by_default)
        return rc;
    pst_logf(rest->options.log, PST_LOG_WARN, NULL, "rest",
             "%s: there is no REST; set listeners to another port, or to nothing",
             err->text);
    pst_err_clear(err);
    rest_unlisten(rest);
    return PST_OK;
}

pst_rc pst_rest_start(pst_rest **out, const pst_rest_options *options, pst_err *err)
{
    bool by_default = !pst_props_find(options->props, "listeners");
    if (by_default && options->until_end)
        return PST_OK;
    struct pst_rest *rest = pst_calloc(1, sizeof *rest);
    if (!rest)
        return pst_fail_nomem(err, "the REST interface");
    rest->options = *options;
    pthread_mutex_init(&rest->lock, NULL);
    rest->lane = rest_lane_new();
    pst_rc rc = rest->lane ? rest_secure(rest, err) : pst_fail_nomem(err, "REST");
    if (rc == PST_OK)
        rc = open_or_warn(rest, by_default, err);
    if (rc == PST_OK)
        rc = rest_check_exposure(rest, err);
    if (rc == PST_OK && rest->n_listeners)
        rc = start_all(rest, err);
    if (rc == PST_OK && rest->n_listeners)
        *out = rest;
    else
        pst_rest_stop(rest);
    return rc;
}

void pst_rest_stop(pst_rest *rest)
{
    if (!rest)
        return;
    for (size_t i = 0; i < rest->n_listeners; i++)
        if (rest->listeners[i].daemon)
            rest->listeners[i].fd = MHD_quiesce_daemon(rest->listeners[i].daemon);
    rest_lane_close(rest->lane); /* nobody is suspended after this */
    for (size_t i = 0; i < rest->n_listeners; i++) {
        if (rest->listeners[i].daemon)
            MHD_stop_daemon(rest->listeners[i].daemon);
        pst_free(rest->listeners[i].connections);
    }
    rest_lane_free(rest->lane);
    rest_unlisten(rest);
    rest_insecure(rest);
    pthread_mutex_destroy(&rest->lock);
    pst_free(rest);
}

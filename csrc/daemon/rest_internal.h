/*
 * rest_internal.h - what the files of the REST interface share and nobody else includes.
 *
 *   rest_server.c      libmicrohttpd: sockets, limits, bodies
 *   rest_listen.c      `listeners`: addresses and their sockets
 *   rest_guard.c       who may ask: Host, Origin
 *   rest_auth.c        users and passwords
 *   rest_file.c        files of others
 *   rest_check.c       all of that before anything is opened
 *   rest_secure.c      certificate and key, and listening elsewhere than loopback
 *   rest_router.c      the table of routes; 404, 405, OPTIONS
 *   rest_answer.c      JSON and error bodies
 *   rest_worker.c      /, /health, /ready
 *   rest_loggers.c     /admin/loggers
 *   rest_metrics.c     /metrics
 *   rest_plugins.c     /connector-plugins
 *   rest_connectors.c  /connectors: what is
 *   rest_change.c      /connectors: changes
 *   rest_store.c       config.storage.dir
 *   rest_config.c      a connector's settings between JSON and properties
 *   rest_offsets.c     /connectors/{name}/offsets
 *   rest_page.c        the status page for browsers, and what it asks
 *   rest_lane.c        the thread that may wait
 *
 * A handler sees a request and fills an answer; it knows nothing of HTTP's transport, and
 * one runs at a time (rest->lock) but for those that may wait.
 */
#ifndef PST_DAEMON_REST_INTERNAL_H
#define PST_DAEMON_REST_INTERNAL_H

#include "daemon/rest.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    REST_LISTENERS_MAX = 4,
    REST_CONNECTIONS_MAX = 64,
    REST_BODY_MAX = 256 * 1024,
    REST_BODIES_MAX = 2 * 1024 * 1024, /* all that are under way */
    REST_ANSWER_MAX = 8 * 1024 * 1024,
    REST_QUERIES_MAX = 16,
    REST_SEGMENTS_MAX = 6,
};

typedef struct rest_listener {
    struct pst_rest *rest;
    bool tls;
    char host[256]; /* "" = all addresses */
    int port;
    int fd;
    struct MHD_Daemon *daemon;
    struct rest_connections *connections;
} rest_listener;

struct pst_rest {
    pst_rest_options options;
    rest_listener listeners[REST_LISTENERS_MAX];
    size_t n_listeners;
    char worker_id[300];
    char cluster[128];
    pthread_mutex_t lock;
    struct rest_lane *lane;
    struct rest_auth *auth;
    char *certificate, *key; /* PEM */
    atomic_size_t bodies;    /* bytes of all bodies under way */
};

typedef struct rest_query {
    const char *name, *value; /* decoded */
} rest_query;

typedef struct rest_request {
    const char *method;
    char *segments[REST_SEGMENTS_MAX]; /* of the path, decoded */
    size_t n_segments;
    rest_query queries[REST_QUERIES_MAX];
    size_t n_queries;
    bool html;  /* a browser asks for a page */
    char *text; /* holds all these */
    const char *body;
    size_t body_n;
} rest_request;

typedef struct rest_answer {
    int status;
    char *body; /* owned; NULL = none */
    size_t body_n;
    const char *type;   /* NULL = JSON */
    const char *policy; /* Content-Security-Policy; NULL = none */
    char *location;     /* path of what was made; owned */
    char allow[64];
} rest_answer;

typedef void (*rest_handler)(struct pst_rest *rest, const rest_request *request,
                             rest_answer *answer);

typedef struct rest_route {
    const char *method;
    const char *path; /* "/connectors/?/status": a ? is any one segment */
    rest_handler handler;
    bool waits; /* asks Kafka: not on the listener's thread */
} rest_route;

/* ---- rest_router.c ---- */

/* Takes path and query apart; 400 in the answer if they can't be. */
bool rest_request_parse(rest_request *request, const char *method, const char *target,
                        const char *query, rest_answer *answer);
void rest_request_done(rest_request *request);
/* NULL: the answer says why (404, 405), or what is allowed (OPTIONS). */
const rest_route *rest_route_of(const rest_request *request, rest_answer *answer);
const char *rest_query_get(const rest_request *request, const char *name); /* or NULL */
bool rest_query_has(const rest_request *request, const char *name, const char *value);

/* ---- rest_answer.c ---- */

/* Takes the value; NULL (no memory) is a 500. */
void rest_json(rest_answer *answer, int status, json_t *take);
void rest_error(rest_answer *answer, int status, const char *fmt, ...) PST_PRINTF(3, 4);
/* Text of our own that is JSON already. */
void rest_text(rest_answer *answer, int status, pst_buf *take);
void rest_empty(rest_answer *answer, int status);
void rest_answer_done(rest_answer *answer);
/* The body's JSON; NULL: the answer says what is wrong with it. */
json_t *rest_body(const rest_request *request, rest_answer *answer) PST_MUST;

/* A segment of a path, or a file's name: all but letters, digits, - and _ as %XX. Owned
   by the caller; NULL: no memory. */
char *rest_escape(const char *text) PST_MUST;

/* ---- rest_file.c ---- */

/* For reading. NULL: errno says why; EINVAL: no regular file, EFBIG: over max bytes. */
FILE *rest_file_open(const char *path, size_t max) PST_MUST;

/* ---- rest_listen.c ---- */

/* Parses `listeners` and opens the sockets. */
pst_rc rest_listen(struct pst_rest *rest, pst_err *err) PST_MUST;
void rest_unlisten(struct pst_rest *rest);
bool rest_is_loopback(const rest_listener *listener);
struct sockaddr;
bool rest_is_loopback_address(const struct sockaddr *addr);
/* One of `listeners`; nothing is opened. */
pst_rc rest_parse_listener(rest_listener *out, pst_sv text, pst_err *err) PST_MUST;

/* ---- rest_guard.c ---- */

typedef struct rest_headers {
    const char *host, *origin, *fetch_site, *authorization; /* NULL = not sent */
} rest_headers;

/* False: the answer says why it is refused. */
bool rest_allowed(const rest_listener *listener, const rest_request *request,
                  const rest_headers *headers, rest_answer *answer);

/* ---- rest_auth.c ---- */

struct rest_auth; /* users and their hashed passwords; NULL = everybody may */
pst_rc rest_auth_load(struct rest_auth **out, const char *path, pst_log *log,
                      pst_err *err) PST_MUST;
void rest_auth_free(struct rest_auth *auth); /* NULL is fine */
/* `authorization` is the header's value or NULL. 0 = welcome, else 401 or 429. Under
   rest->lock. */
int rest_auth_check(struct rest_auth *auth, const char *authorization);

/* ---- rest_secure.c ---- */

/* Reads what `rest.auth` and `rest.ssl.*` name. */
pst_rc rest_secure(struct pst_rest *rest, pst_err *err) PST_MUST;
void rest_insecure(struct pst_rest *rest); /* forgets it */
/* *out: the caller's, to be wiped. */
pst_rc rest_read_pem(const char *path, const char *setting, char **out,
                     pst_err *err) PST_MUST;
pst_rc rest_fail_exposed(const rest_listener *listener, pst_err *err);
/* Once the sockets are open: is one for others than this machine, and may it be? */
pst_rc rest_check_exposure(struct pst_rest *rest, pst_err *err) PST_MUST;

/* ---- rest_lane.c ---- */

typedef struct rest_job {
    struct rest_job *next;
    void (*run)(struct rest_job *job); /* may wait */
} rest_job;

struct rest_lane *rest_lane_new(void) PST_MUST; /* its thread comes with the first job */
void rest_lane_close(struct rest_lane *lane);   /* runs what waits, takes no more */
void rest_lane_free(struct rest_lane *lane);    /* closed; NULL is fine, for both */
/* False: too many wait already, or there is no thread to be had. */
bool rest_lane_put(struct rest_lane *lane, rest_job *job) PST_MUST;

/* ---- rest_config.c ---- */

json_t *rest_shown_config(const pst_connector_view *view) PST_MUST;
/* Settings as they were sent, with what is hidden from clients put back in. False: the
   answer says what is no setting's value. props is to be freed in any case. */
bool rest_props(struct pst_rest *rest, json_t *config, pst_props *props,
                pst_conf_report *report, rest_answer *answer);
void rest_no_class(rest_answer *answer, const char *class);

/* ---- rest_connectors.c ---- */

const char *rest_target_name(pst_target target);
const char *rest_task_state(const pst_task_view *task); /* Connect's words */
json_t *rest_status_json(const struct pst_rest *rest, const pst_connector_view *view,
                         bool restarting) PST_MUST;
json_t *rest_info_json(const pst_connector_view *view) PST_MUST;
/* The connector of the path; false: a 404 is answered. */
bool rest_look(struct pst_rest *rest, const rest_request *request,
               pst_connector_view *view, rest_answer *answer);
int rest_task_id(const rest_request *request); /* of the path; -1 = no number */

/* ---- handlers ---- */

void rest_root(struct pst_rest *, const rest_request *, rest_answer *);
void rest_page(struct pst_rest *, const rest_request *, rest_answer *);
void rest_page_status(struct pst_rest *, const rest_request *, rest_answer *);
void rest_health(struct pst_rest *, const rest_request *, rest_answer *);
void rest_ready(struct pst_rest *, const rest_request *, rest_answer *);
void rest_metrics(struct pst_rest *, const rest_request *, rest_answer *);
void rest_loggers(struct pst_rest *, const rest_request *, rest_answer *);
void rest_logger(struct pst_rest *, const rest_request *, rest_answer *);
void rest_set_logger(struct pst_rest *, const rest_request *, rest_answer *);
void rest_plugins(struct pst_rest *, const rest_request *, rest_answer *);
void rest_plugin_config(struct pst_rest *, const rest_request *, rest_answer *);
void rest_validate(struct pst_rest *, const rest_request *, rest_answer *);
void rest_connectors(struct pst_rest *, const rest_request *, rest_answer *);
void rest_connector(struct pst_rest *, const rest_request *, rest_answer *);
void rest_config(struct pst_rest *, const rest_request *, rest_answer *);
void rest_status(struct pst_rest *, const rest_request *, rest_answer *);
void rest_tasks(struct pst_rest *, const rest_request *, rest_answer *);
void rest_tasks_config(struct pst_rest *, const rest_request *, rest_answer *);
void rest_task_status(struct pst_rest *, const rest_request *, rest_answer *);
void rest_topics(struct pst_rest *, const rest_request *, rest_answer *);
void rest_offsets(struct pst_rest *, const rest_request *, rest_answer *);
void rest_create(struct pst_rest *, const rest_request *, rest_answer *);
void rest_delete(struct pst_rest *, const rest_request *, rest_answer *);
void rest_put_config(struct pst_rest *, const rest_request *, rest_answer *);
void rest_patch_config(struct pst_rest *, const rest_request *, rest_answer *);
void rest_pause(struct pst_rest *, const rest_request *, rest_answer *);
void rest_resume(struct pst_rest *, const rest_request *, rest_answer *);
void rest_stop(struct pst_rest *, const rest_request *, rest_answer *);
void rest_restart(struct pst_rest *, const rest_request *, rest_answer *);
void rest_restart_task(struct pst_rest *, const rest_request *, rest_answer *);
void rest_reset_topics(struct pst_rest *, const rest_request *, rest_answer *);
void rest_alter_offsets(struct pst_rest *, const rest_request *, rest_answer *);
void rest_reset_offsets(struct pst_rest *, const rest_request *, rest_answer *);

#endif

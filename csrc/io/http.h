/*
 * http.h - HTTP for the stores and the HTTP sources. http.c is the only includer of
 * curl.h.
 *
 * A pst_http owns one I/O thread with one curl_multi and its connection cache, so that
 * requests from many threads go out in parallel and connections are kept alive. Calls are
 * synchronous for the caller and may come from any thread; a set `cancel` ends a wait
 * within 200 ms with PST_E_STOPPED. No redirects are followed. Responses have a ceiling.
 *
 * HTTP/1.1 only: one kept-alive connection for each request under way, no surprises by
 * multiplexing. TLS 1.2 or newer, certificates always verified. Beyond max_connections
 * requests wait their turn, first come, first served; their time-outs start when they go.
 */
#ifndef PST_IO_HTTP_H
#define PST_IO_HTTP_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"

typedef struct pst_http pst_http;

typedef struct pst_http_options {
    int connect_timeout_ms;  /* 0 = 5000 */
    int max_connections;     /* at once, 0 = 16 */
    const char *user_agent;  /* NULL = "penstock/<version>" */
    const char *ca_file;     /* PEM bundle, NULL = the system's */
    const char *client_cert; /* PEM, NULL = none */
    const char *client_key;
    const char *client_key_password;
    const char *proxy; /* NULL = as the environment says, "" = none; NO_PROXY holds for
                          a named one, too */
    const char *proxy_user, *proxy_password;
} pst_http_options;

typedef struct pst_http_request {
    const char *method;         /* GET, HEAD, PUT, POST, DELETE */
    const char *url;            /* percent-encoded; sent as it is (no path squashing) */
    const char *const *headers; /* "Name: value"; a name alone ("Expect:") removes it,
                                   "Name;" sends it with an empty value */
    size_t n_headers;
    const pst_chunks *chunks; /* the body, or NULL; must stay valid and unchanged */
    size_t from, length;      /* the part of chunks that is sent; length 0 = all */
    pst_sv body;              /* a small body when chunks is NULL */
    int timeout_ms;           /* for all of it; 0 = none but the stall limit */
    int stall_timeout_ms;     /* under 1 byte/s so long = PST_E_TIMEOUT; 0 = 30000 */
    size_t max_response;      /* body bytes; beyond = PST_E_LIMIT; 0 = 1 MiB */
    pst_cancel *cancel;       /* may be NULL */
} pst_http_request;

typedef struct pst_http_response {
    int status;
    pst_buf body;
    pst_buf raw_headers; /* of the final response, lines end in CRLF */
    bool sent; /* the request may have reached the server (for unknown outcomes) */
} pst_http_response;

pst_rc pst_http_new(pst_http **out, const pst_http_options *options,
                    pst_err *err) PST_MUST;
void pst_http_free(pst_http *http); /* no request may be under way; NULL is fine */

void pst_http_response_init(pst_http_response *res);
void pst_http_response_done(pst_http_response *res);
/* PST_OK for every complete HTTP answer, whatever its status. Otherwise err says what
   (host and port, never the query or credentials); retriable for the network's failures
   and for a certificate that does not verify (PST_E_AUTH). file:// URLs are read by our
   own code: GET only, status 200 or 404; their query is ignored. */
pst_rc pst_http_perform(pst_http *http, const pst_http_request *req,
                        pst_http_response *res, pst_err *err) PST_MUST;
/* The same in two steps, so that one thread has several requests under way: what `req`
   points to, and res, stay untouched until the call has ended. Each call that has begun
   is ended, once. Not for file://. */
typedef struct pst_http_call pst_http_call;
pst_rc pst_http_begin(pst_http *http, const pst_http_request *req, pst_http_response *res,
                      pst_http_call **out, pst_err *err) PST_MUST;
pst_rc pst_http_end(pst_http *http, pst_http_call *call, pst_err *err) PST_MUST;
/* A response header's value by name (any case), trimmed; p == NULL if absent. */
pst_sv pst_http_header(const pst_http_response *res, const char *name);
/* Walks the headers: start with *rest = all of raw_headers; false at the end. */
bool pst_http_next_header(pst_sv *rest, pst_sv *name, pst_sv *value);
/* "Sun, 06 Nov 1994 08:49:37 GMT" → milliseconds since 1970; false if it is not that. */
bool pst_http_date(pst_sv text, int64_t *wall_ms);
/* How long the other side asks to wait (Retry-After, seconds or a date), at most an hour;
   0 if it does not. A date counts from the response's own Date, else from now_ms. */
int pst_http_retry_after_ms(const pst_http_response *res, int64_t now_ms);

#endif

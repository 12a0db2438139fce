/*
 * fault_server.h - a scripted HTTP server on loopback for tests of faults that a real
 * store can't be made to show. A test gives a handler; it gets each request whole and
 * writes what it likes, as bytes. Header only: the unit programs are built from one file
 * each.
 */
#ifndef PST_TESTS_FAULT_SERVER_H
#define PST_TESTS_FAULT_SERVER_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct fault_request {
    int fd;
    int number;     /* 0 for the server's first request */
    int connection; /* 0 for its first connection */
    char method[16];
    char target[8192];
    pst_buf head; /* NUL-terminated */
    pst_buf body;
} fault_request;

/* Returns whether the connection may serve another request. */
typedef bool (*fault_handler)(void *opaque, fault_request *req);

enum { FAULT_CONNECTIONS = 256 };

typedef struct fault_server {
    _Atomic(fault_handler) handler; /* may be changed between requests */
    void *opaque;
    bool skip_body; /* call the handler with the head alone */
    int port;
    char url[64];
    int listener;
    atomic_int requests, connections;
    pthread_t thread;
    pthread_mutex_t lock;
    int fds[FAULT_CONNECTIONS];
    pthread_t threads[FAULT_CONNECTIONS];
} fault_server;

typedef struct fault_connection {
    fault_server *server;
    int fd, number;
} fault_connection;

static inline void fault_send_n(fault_request *req, const char *bytes, size_t n)
{
    while (n) {
        ssize_t put = send(req->fd, bytes, n, MSG_NOSIGNAL);
        if (put <= 0)
            return;
        bytes += put;
        n -= (size_t)put;
    }
}

static inline void fault_send(fault_request *req, const char *text)
{
    fault_send_n(req, text, strlen(text));
}

/* A whole answer; `headers` are lines with CRLF, or "". */
static inline void fault_answer(fault_request *req, const char *status,
                                const char *headers, const char *body)
{
    char *text = pst_asprintf("HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status,
                              strlen(body), headers, body);
    if (text)
        fault_send(req, text);
    pst_free(text);
}

/* The client's next read or write fails. */
static inline void fault_reset(fault_request *req)
{
    struct linger hard = {1, 0};
    setsockopt(req->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

static inline bool fault_has_header(const fault_request *req, const char *line)
{
    return strcasestr(req->head.data, line) != NULL;
}

static inline bool fault_read_more(int fd, pst_buf *buf)
{
    if (pst_buf_reserve(buf, 65536) != PST_OK)
        return false;
    ssize_t got = recv(fd, buf->data + buf->len, 65536, 0);
    if (got <= 0)
        return false;
    buf->len += (size_t)got;
    return true;
}

static inline size_t fault_body_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");
    return at ? (size_t)strtoull(at + 17, NULL, 10) : 0;
}

static inline bool fault_read_request(fault_server *server, fault_request *req)
{
    char *end = NULL;
    while (!end) {
        if (!fault_read_more(req->fd, &req->head) || !pst_buf_cstr(&req->head))
            return false;
        end = strstr(req->head.data, "\r\n\r\n");
    }
    size_t head_n = (size_t)(end - req->head.data) + 4;
    if (pst_buf_add(&req->body, end + 4, req->head.len - head_n) != PST_OK)
        return false;
    req->head.len = head_n;
    req->head.data[head_n] = '\0';
    if (sscanf(req->head.data, "%15s %8191s", req->method, req->target) != 2)
        return false;
    size_t want = server->skip_body ? 0 : fault_body_length(req->head.data);
    while (req->body.len < want)
        if (!fault_read_more(req->fd, &req->body))
            return false;
    return true;
}

static inline void *fault_serve(void *opaque)
{
    fault_connection *c = opaque;
    bool more = true;
    while (more) {
        fault_request req = {.fd = c->fd, .connection = c->number};
        pst_buf_init(&req.head, 1 << 20);
        pst_buf_init(&req.body, 256 << 20);
        more = fault_read_request(c->server, &req);
        if (more) {
            req.number = atomic_fetch_add(&c->server->requests, 1);
            fault_handler handler = atomic_load(&c->server->handler);
            more = handler(c->server->opaque, &req);
        }
        pst_buf_done(&req.head);
        pst_buf_done(&req.body);
    }
    pthread_mutex_lock(&c->server->lock);
    close(c->fd);
    c->server->fds[c->number] = -1;
    pthread_mutex_unlock(&c->server->lock);
    pst_free(c);
    return NULL;
}

static inline void *fault_accept(void *opaque)
{
    fault_server *server = opaque;
    int fd;
    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        int number = atomic_load(&server->connections);
        fault_connection *c =
            number < FAULT_CONNECTIONS ? pst_calloc(1, sizeof *c) : NULL;
        if (!c) {
            close(fd);
            continue;
        }
        *c = (fault_connection){server, fd, number};
        pthread_mutex_lock(&server->lock);
        server->fds[number] = fd;
        pthread_mutex_unlock(&server->lock);
        pthread_create(&server->threads[number], NULL, fault_serve, c);
        atomic_fetch_add(&server->connections, 1);
    }
    return NULL;
}

static inline void fault_start(fault_server *server, fault_handler handler, void *opaque)
{
    memset(server, 0, sizeof *server);
    server->handler = handler;
    server->opaque = opaque;
    pthread_mutex_init(&server->lock, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(server->listener, 64) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", server->port);
    if (pthread_create(&server->thread, NULL, fault_accept, server) != 0)
        abort();
}

static inline void fault_stop(fault_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    int n = atomic_load(&server->connections);
    for (int i = 0; i < n; i++) {
        pthread_mutex_lock(&server->lock);
        if (server->fds[i] >= 0)
            shutdown(server->fds[i], SHUT_RDWR);
        pthread_mutex_unlock(&server->lock);
        pthread_join(server->threads[i], NULL);
    }
    pthread_mutex_destroy(&server->lock);
}

#endif

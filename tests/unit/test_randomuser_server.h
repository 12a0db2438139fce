/*
 * test_randomuser_server.h - an HTTP server in a thread that plays a script, for the
 * tests of RandomUserSource. One answer a connection; the last one of the script is
 * repeated. Request lines are kept. Loopback only.
 */
#ifndef TEST_RANDOMUSER_SERVER_H
#define TEST_RANDOMUSER_SERVER_H

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { SERVER_MAX = 64 };

typedef struct server_answer {
    int status;
    const char *headers; /* "Name: value\r\n", or NULL */
    const char *body;    /* NULL = none */
    size_t cut;          /* leave so many bytes at the end out */
    int delay_ms;
    bool hang_up; /* close without an answer */
} server_answer;

typedef struct server {
    int listener;
    char url[64]; /* http://127.0.0.1:port/api/ */
    pthread_t thread;
    pthread_mutex_t lock;
    server_answer script[SERVER_MAX];
    size_t n_script, played;
    char requests[SERVER_MAX][2048]; /* "GET /api/?… HTTP/1.1" */
    size_t n_requests;
} server;

static inline void server_send(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        n -= (size_t)sent;
    }
}

/* Reads the request's head; keeps its first line. */
static inline void server_read(server *s, int fd)
{
    char head[8192];
    size_t n = 0;
    while (n < sizeof head - 1) {
        ssize_t got = recv(fd, head + n, sizeof head - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        head[n] = '\0';
        if (strstr(head, "\r\n\r\n"))
            break;
    }
    head[n] = '\0';
    pthread_mutex_lock(&s->lock);
    if (s->n_requests < SERVER_MAX)
        snprintf(s->requests[s->n_requests++], sizeof s->requests[0], "%.*s",
                 (int)strcspn(head, "\r"), head);
    pthread_mutex_unlock(&s->lock);
}

static inline void server_answer_one(server *s, int fd)
{
    char head[1024];
    server_read(s, fd);
    pthread_mutex_lock(&s->lock);
    server_answer a = s->script[s->played];
    if (s->played + 1 < s->n_script)
        s->played++;
    pthread_mutex_unlock(&s->lock);
    if (a.delay_ms)
        (void)pst_cancel_wait(NULL, a.delay_ms);
    if (a.hang_up)
        return;
    size_t n = a.body ? strlen(a.body) : 0;
    int head_n = snprintf(head, sizeof head,
                          "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\n"
                          "Connection: close\r\n%s\r\n",
                          a.status, n, a.headers ? a.headers : "");
    server_send(fd, head, (size_t)head_n);
    server_send(fd, a.body, n > a.cut ? n - a.cut : 0);
}

static inline void *server_run(void *opaque)
{
    server *s = opaque;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        server_answer_one(s, fd);
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
}

static inline server *server_new(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof at;
    server *s = pst_calloc(1, sizeof *s);
    assert_non_null(s);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pthread_mutex_init(&s->lock, NULL);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &n), 0);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/api/", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
    return s;
}

static inline void server_free(server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    pthread_mutex_destroy(&s->lock);
    pst_free(s);
}

static inline void server_play(server *s, server_answer answer)
{
    pthread_mutex_lock(&s->lock);
    assert_true(s->n_script < SERVER_MAX);
    if (s->n_script > 0 && s->n_requests >= s->n_script)
        s->played = s->n_script; /* the last one was being repeated */
    s->script[s->n_script++] = answer;
    pthread_mutex_unlock(&s->lock);
}

/* A file of the recorded data, NUL-terminated; pst_free() it. */
static inline char *read_recorded(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "tests/data/randomuser/%s", name);
    FILE *in = fopen(path, "rb");
    if (!in)
        fail_msg("%s is not there; run this from the project's folder", path);
    char *text = pst_calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, in) > 0);
    fclose(in);
    return text;
}

#endif

/*
 * rest_listen.c - `listeners`, as Kafka Connect writes them: http://host:port, separated
 * by commas; an empty host is all addresses.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64, DEFAULT_PORT = 8083 };

static bool parse_port(pst_sv text, int *port)
{
    int64_t n = 0;
    if (!pst_sv_to_i64(text, &n) || n < 0 || n > 65535)
        return false;
    *port = (int)n;
    return true;
}

/* "host:port", "[::1]:port", ":port", "host". */
static bool parse_authority(rest_listener *out, pst_sv text)
{
    pst_sv host = text, port = {NULL, 0};
    if (text.n && text.p[0] == '[') {
        host = pst_sv_cut((pst_sv){text.p + 1, text.n - 1}, ']', &port);
        if (!port.p || (port.n && port.p[0] != ':'))
            return false;
        port = port.n ? (pst_sv){port.p + 1, port.n - 1} : (pst_sv){NULL, 0};
    } else {
        host = pst_sv_cut(text, ':', &port);
    }
    if (host.n >= sizeof out->host)
        return false;
    memcpy(out->host, host.p, host.n);
    out->host[host.n] = '\0';
    out->port = DEFAULT_PORT;
    return !port.p || parse_port(port, &out->port);
}

pst_rc rest_parse_listener(rest_listener *out, pst_sv text, pst_err *err)
{
    *out = (rest_listener){.fd = -1};
    out->tls = pst_sv_starts(text, PST_SV("https://"));
    size_t scheme = out->tls ? 8 : 7;
    while (text.n && text.p[text.n - 1] == '/')
        text.n--;
    bool known = out->tls || pst_sv_starts(text, PST_SV("http://"));
    if (!known || !parse_authority(out, (pst_sv){text.p + scheme, text.n - scheme}))
        return pst_fail(err, PST_E_CONFIG,
                        "listeners: \"%.*s\" is no http://host:port or https://host:port",
                        PST_SV_FMT(text));
    return PST_OK;
}

static pst_rc fail_open(const rest_listener *l, const char *why, pst_err *err)
{
    return pst_fail(err, errno == EADDRINUSE ? PST_E_EXISTS : PST_E_IO,
                    "listeners: http%s://%s:%d cannot be listened on: %s",
                    l->tls ? "s" : "", l->host, l->port, why);
}

static void note_port(rest_listener *l)
{
    struct sockaddr_storage addr;
    socklen_t n = sizeof addr;
    if (l->port || getsockname(l->fd, (struct sockaddr *)&addr, &n) != 0)
        return;
    l->port = ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                               : ((struct sockaddr_in *)&addr)->sin_port);
}

static pst_rc open_at(rest_listener *l, const struct addrinfo *at, pst_err *err)
{
    char text[128];
    int on = 1, off = 0;
    l->fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok =
        l->fd >= 0 && setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    if (ok && at->ai_family == AF_INET6)
        ok = setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
    ok = ok && bind(l->fd, at->ai_addr, at->ai_addrlen) == 0 &&
         listen(l->fd, BACKLOG) == 0;
    if (ok) {
        note_port(l);
        return PST_OK;
    }
    pst_rc rc = fail_open(l, strerror_r(errno, text, sizeof text), err);
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    return rc;
}

static pst_rc open_listener(rest_listener *l, pst_err *err)
{
    char port[8];
    struct addrinfo *found = NULL,
                    hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    snprintf(port, sizeof port, "%d", l->port);
    int bad = getaddrinfo(*l->host ? l->host : NULL, port, &hints, &found);
    errno = 0;
    if (bad)
        return fail_open(l, gai_strerror(bad), err);
    pst_rc rc = open_at(l, found, err);
    freeaddrinfo(found);
    return rc;
}

bool rest_is_loopback_address(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return (ntohl(
                    ((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr) >>
                24) == 127;
    return addr->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(
               &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr);
}

bool rest_is_loopback(const rest_listener *l)
{
    struct sockaddr_storage addr;
    socklen_t n = sizeof addr;
    return getsockname(l->fd, (struct sockaddr *)&addr, &n) == 0 &&
           rest_is_loopback_address((struct sockaddr *)&addr);
}

pst_rc rest_listen(struct pst_rest *rest, pst_err *err)
{
    const pst_worker_conf *conf = pst_worker_settings(rest->options.worker);
    pst_sv left = pst_sv_of(conf->listeners ? conf->listeners : "");
    while (left.p) {
        pst_sv one = pst_sv_trim(pst_sv_cut(left, ',', &left));
        if (!one.n)
            continue;
        if (rest->n_listeners == REST_LISTENERS_MAX)
            return pst_fail(err, PST_E_CONFIG, "listeners: more than %d",
                            REST_LISTENERS_MAX);
        rest_listener *l = &rest->listeners[rest->n_listeners];
        pst_rc rc = rest_parse_listener(l, one, err);
        l->rest = rest;
        if (rc == PST_OK)
            rc = open_listener(l, err);
        if (rc != PST_OK)
            return rc;
        rest->n_listeners++;
    }
    return PST_OK;
}

void rest_unlisten(struct pst_rest *rest)
{
    for (size_t i = 0; i < rest->n_listeners; i++)
        if (rest->listeners[i].fd >= 0)
            close(rest->listeners[i].fd);
    rest->n_listeners = 0;
}

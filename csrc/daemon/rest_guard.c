/*
 * rest_guard.c - what a browser must not be led to do. A page of another site can make a
 * browser send requests here (CSRF), and with a name that it points at 127.0.0.1 read the
 * answers too (DNS rebinding). So a request that names its origin must come from here to
 * change anything, and without authentication the Host is an address, localhost, or a
 * name of ours: a rebound name is none of these.
 */
#include "daemon/rest_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* The host of "host:port" or "[::1]:port". */
static pst_sv host_of(const char *text)
{
    pst_sv rest, all = pst_sv_of(text);
    if (*text == '[')
        return pst_sv_cut((pst_sv){text + 1, all.n - 1}, ']', &rest);
    return pst_sv_cut(all, ':', &rest);
}

static bool is_address(pst_sv host)
{
    char text[64];
    unsigned char addr[sizeof(struct in6_addr)];
    if (!host.n || host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    return inet_pton(AF_INET, text, addr) == 1 || inet_pton(AF_INET6, text, addr) == 1;
}

static bool is_ours(const rest_listener *listener, pst_sv host)
{
    const pst_worker_conf *conf = pst_worker_settings(listener->rest->options.worker);
    const char *advertised = conf->rest_advertised_host;
    return pst_sv_eq_nocase(host, PST_SV("localhost")) ||
           (*listener->host && pst_sv_eq_nocase(host, pst_sv_of(listener->host))) ||
           (advertised && pst_sv_eq_nocase(host, pst_sv_of(advertised)));
}

static bool changes(const char *method)
{
    return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 &&
           strcmp(method, "OPTIONS") != 0;
}

/* "http://127.0.0.1:8083" is this Host's own origin. */
static bool same_origin(const rest_headers *headers)
{
    pst_sv origin = pst_sv_of(headers->origin);
    size_t scheme = pst_sv_starts(origin, PST_SV("https://"))  ? 8
                    : pst_sv_starts(origin, PST_SV("http://")) ? 7
                                                               : 0;
    return scheme && headers->host &&
           pst_sv_eq_nocase((pst_sv){origin.p + scheme, origin.n - scheme},
                            pst_sv_of(headers->host));
}

static bool from_here(const rest_headers *headers)
{
    const char *site = headers->fetch_site;
    bool foreign = site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
    return !foreign && (!headers->origin || same_origin(headers));
}

/* For probes of load balancers and service managers; they tell nothing but that. */
static bool is_open(const rest_request *request)
{
    return request->n_segments == 1 && !changes(request->method) &&
           (strcmp(request->segments[0], "health") == 0 ||
            strcmp(request->segments[0], "ready") == 0);
}

static bool is_known(struct pst_rest *rest, const rest_headers *headers,
                     rest_answer *answer)
{
    pthread_mutex_lock(&rest->lock);
    int status = rest_auth_check(rest->auth, headers->authorization);
    pthread_mutex_unlock(&rest->lock);
    if (status == 429)
        rest_error(answer, 429, "too many wrong passwords; try again in a second");
    else if (status)
        rest_error(answer, status, "User cannot access the resource.");
    return status == 0;
}

bool rest_allowed(const rest_listener *listener, const rest_request *request,
                  const rest_headers *headers, rest_answer *answer)
{
    struct pst_rest *rest = listener->rest;
    pst_sv host = headers->host ? host_of(headers->host) : (pst_sv){NULL, 0};
    if (headers->host && !rest->auth && !is_address(host) && !is_ours(listener, host)) {
        rest_error(answer, 403,
                   "the Host is no address and no name of this worker: set "
                   "rest.advertised.host.name to the name it is reached by");
        return false;
    }
    if (rest->auth && !is_open(request) && !is_known(rest, headers, answer))
        return false;
    if (changes(request->method) && !from_here(headers)) {
        rest_error(answer, 403, "a page of another site may change nothing here");
        return false;
    }
    return true;
}

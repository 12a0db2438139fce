/*
 * http.c - see http.h. The only file that knows libcurl.
 *
 * A call prepares a curl easy handle in the caller's thread, queues it as a job and
 * sleeps on the job's condition. The I/O thread moves jobs from the queue into its
 * curl_multi, as many as max_connections allows, and wakes the callers as transfers end.
 * Between submit and wake only the I/O thread touches the job, its handle, its body and
 * its response; a cancelled call waits until the I/O thread has let go of them.
 *
 * The I/O thread has all signals blocked: signals belong to the program's own threads,
 * and a TLS write to a closed connection must not raise SIGPIPE in a host like Python.
 *
 * It does not retry, follow redirects or interpret a status: that is the caller's.
 * Answers of file:// come from httpfile.c.
 */
#include "io/http.h"

#include "base/mem.h"
#include "io/httpfile.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

enum {
    CONNECT_TIMEOUT_MS = 5000,
    MAX_CONNECTIONS = 16,
    STALL_TIMEOUT_MS = 30000,
    MAX_RESPONSE = 1024 * 1024,
    MAX_HEADERS = 256 * 1024, /* of all responses to a request, interim ones too */
    MAX_REQUEST_HEADERS = 100,
    LARGE_BODY = 256 * 1024, /* is handed to the kernel in pieces of this size, which
                                costs a tenth less CPU than curl's 64 KiB */
    CANCEL_SLICE_MS = 100,
    POLL_MS = 60000, /* curl wakes earlier when it has something to do */
};

typedef struct pst_http_call {
    struct pst_http_call *next;
    pst_http_request req;
    pst_http_response *res;
    CURL *easy;
    struct curl_slist *headers;
    pst_chunks_pos pos;  /* in req.chunks */
    size_t at;           /* in req.body */
    size_t header_bytes; /* seen so far */
    pst_rc refused;      /* why one of our callbacks gave up */
    bool cancelled;      /* under http->lock: asked by the caller */
    bool done;           /* under http->lock: the I/O thread has let go */
    bool again;          /* sent once more, on a connection of its own */
    CURLcode code;
    pthread_cond_t changed;
    char why[CURL_ERROR_SIZE];
} job;

typedef struct job_list {
    job *head, *tail;
} job_list;

struct pst_http {
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock;
    job_list waiting; /* under lock */
    bool stop;        /* under lock */
    job_list active;  /* the I/O thread's own */
    int n_active, max_active;
    long connect_timeout_ms;
    char *user_agent, *ca_file, *client_cert, *client_key, *client_key_password;
    char *proxy, *proxy_user, *proxy_password;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- lists of jobs ---- */

static void list_append(job_list *list, job *item)
{
    item->next = NULL;
    if (list->tail)
        list->tail->next = item;
    else
        list->head = item;
    list->tail = item;
}

static void list_remove(job_list *list, job *item)
{
    job **link = &list->head;
    job *before = NULL;
    while (*link && *link != item) {
        before = *link;
        link = &before->next;
    }
    if (!*link)
        return;
    *link = item->next;
    if (list->tail == item)
        list->tail = before;
    item->next = NULL;
}

/* ---- callbacks, in the I/O thread ---- */

static size_t body_size(const pst_http_request *req)
{
    size_t all = req->chunks ? req->chunks->len : req->body.n;
    return req->chunks && req->length ? req->length : all;
}

/* The position of the body's byte `at`. */
static pst_chunks_pos body_from(const pst_http_request *req, size_t at)
{
    size_t n = body_size(req);
    at = at < n ? at : n;
    return pst_chunks_range(req->chunks, req->from + at, n - at);
}

static size_t send_body(char *out, size_t size, size_t count, void *opaque)
{
    job *item = opaque;
    size_t room = size * count;
    if (item->req.chunks) {
        size_t put = pst_chunks_read(&item->pos, out, room);
        if (item->pos.failed)
            item->refused = PST_E_IO;
        return item->pos.failed ? CURL_READFUNC_ABORT : put;
    }
    size_t left = item->req.body.n - item->at;
    size_t n = left < room ? left : room;
    if (n)
        memcpy(out, item->req.body.p + item->at, n);
    item->at += n;
    return n;
}

/* curl rewinds the body when a kept-alive connection turns out to be dead. */
static int seek_body(void *opaque, curl_off_t offset, int origin)
{
    job *item = opaque;
    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_FAIL;
    size_t to = (size_t)offset;
    if (!item->req.chunks) {
        item->at = to < item->req.body.n ? to : item->req.body.n;
        return CURL_SEEKFUNC_OK;
    }
    item->pos = body_from(&item->req, to);
    return CURL_SEEKFUNC_OK;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *opaque)
{
    job *item = opaque;
    item->refused = pst_buf_add(&item->res->body, bytes, size * count);
    return item->refused == PST_OK ? size * count : 0;
}

static size_t take_header(char *line, size_t size, size_t count, void *opaque)
{
    job *item = opaque;
    size_t n = size * count;
    item->header_bytes += n;
    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0)
        pst_buf_clear(&item->res->raw_headers); /* the one before was interim */
    item->refused = item->header_bytes > MAX_HEADERS
                        ? PST_E_LIMIT
                        : pst_buf_add(&item->res->raw_headers, line, n);
    return item->refused == PST_OK ? n : 0;
}

/* ---- the I/O thread ---- */

static void finish(pst_http *http, job *item, CURLcode code)
{
    long sent = 0;
    long status = 0;
    (void)curl_easy_getinfo(item->easy, CURLINFO_REQUEST_SIZE, &sent);
    (void)curl_easy_getinfo(item->easy, CURLINFO_RESPONSE_CODE, &status);
    item->code = code;
    item->res->sent = sent > 0;
    item->res->status = (int)status;
    curl_easy_cleanup(item->easy);
    item->easy = NULL;
    pthread_mutex_lock(&http->lock);
    item->done = true;
    pthread_cond_signal(&item->changed);
    pthread_mutex_unlock(&http->lock);
}

static void deactivate(pst_http *http, job *item, CURLcode code)
{
    (void)curl_multi_remove_handle(http->multi, item->easy);
    list_remove(&http->active, item);
    http->n_active--;
    finish(http, item, code);
}

static void activate(pst_http *http, job *item)
{
    CURLcode code = CURLE_OK;
    if (pst_cancelled(item->req.cancel))
        code = CURLE_ABORTED_BY_CALLBACK;
    else if (curl_multi_add_handle(http->multi, item->easy) != CURLM_OK)
        code = CURLE_OUT_OF_MEMORY;
    if (code != CURLE_OK) {
        finish(http, item, code);
        return;
    }
    list_append(&http->active, item);
    http->n_active++;
}

/* The next job that may start or must end without having started. */
static job *next_waiting(pst_http *http)
{
    pthread_mutex_lock(&http->lock);
    job *item = http->waiting.head;
    if (http->n_active >= http->max_active)
        while (item && !item->cancelled)
            item = item->next;
    if (item)
        list_remove(&http->waiting, item);
    pthread_mutex_unlock(&http->lock);
    return item;
}

/* An active job whose caller has cancelled, or NULL. */
static job *next_cancelled(pst_http *http)
{
    pthread_mutex_lock(&http->lock);
    job *item = http->active.head;
    while (item && !item->cancelled)
        item = item->next;
    pthread_mutex_unlock(&http->lock);
    return item;
}

/* Was it a kept-alive connection that the peer had closed? curl repeats by itself when an
 * answer does not come, but not when the peer's farewell arrives amid the body: such a
 * request was never whole, so nothing has been done about it. */
static bool met_dead_connection(const job *item, CURLcode code)
{
    long fresh = 1;
    (void)curl_easy_getinfo(item->easy, CURLINFO_NUM_CONNECTS, &fresh);
    return code == CURLE_SEND_ERROR && fresh == 0 && !item->header_bytes &&
           !item->again && item->refused == PST_OK;
}

/* Once more from the start; false if that can't be. */
static bool repeat(pst_http *http, job *item)
{
    item->again = true;
    (void)curl_multi_remove_handle(http->multi, item->easy);
    if (seek_body(item, 0, SEEK_SET) == CURL_SEEKFUNC_OK &&
        curl_easy_setopt(item->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
        curl_multi_add_handle(http->multi, item->easy) == CURLM_OK)
        return true;
    return false;
}

/* Ends the jobs whose transfers have ended; true if there was one. */
static bool reap(pst_http *http)
{
    CURLMsg *msg;
    int left;
    bool any = false;
    while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
        job *item = NULL;
        CURLcode code = msg->data.result;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &item);
        if (!met_dead_connection(item, code) || !repeat(http, item))
            deactivate(http, item, code);
        any = true;
    }
    return any;
}

static bool stopping(pst_http *http)
{
    pthread_mutex_lock(&http->lock);
    bool stop = http->stop;
    pthread_mutex_unlock(&http->lock);
    return stop;
}

static void *io_thread(void *opaque)
{
    pst_http *http = opaque;
    while (!stopping(http)) {
        job *item;
        while ((item = next_cancelled(http)) != NULL)
            deactivate(http, item, CURLE_ABORTED_BY_CALLBACK);
        while ((item = next_waiting(http)) != NULL)
            activate(http, item);
        int running = 0;
        (void)curl_multi_perform(http->multi, &running);
        if (!reap(http)) /* else a place is free: look at the queue first */
            (void)curl_multi_poll(http->multi, NULL, 0, POLL_MS, NULL);
    }
    /* Here, where SIGPIPE is blocked: it may write TLS farewells. */
    (void)curl_multi_cleanup(http->multi);
    http->multi = NULL;
    return NULL;
}

/* ---- life ---- */

static bool copy_option(char **out, const char *value)
{
    if (value)
        *out = pst_strdup(value);
    return !value || *out;
}

static bool copy_options(pst_http *http, const pst_http_options *o)
{
    http->max_active = o->max_connections > 0 ? o->max_connections : MAX_CONNECTIONS;
    http->connect_timeout_ms =
        o->connect_timeout_ms > 0 ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    return copy_option(&http->user_agent,
                       o->user_agent ? o->user_agent : "penstock/" PST_VERSION) &&
           copy_option(&http->ca_file, o->ca_file) &&
           copy_option(&http->client_cert, o->client_cert) &&
           copy_option(&http->client_key, o->client_key) &&
           copy_option(&http->client_key_password, o->client_key_password) &&
           copy_option(&http->proxy, o->proxy) &&
           copy_option(&http->proxy_user, o->proxy_user) &&
           copy_option(&http->proxy_password, o->proxy_password);
}

static void free_secret(char *s)
{
    if (s)
        pst_wipe(s, strlen(s));
    pst_free(s);
}

static void free_parts(pst_http *http)
{
    if (http->multi)
        (void)curl_multi_cleanup(http->multi);
    pthread_mutex_destroy(&http->lock);
    pst_free(http->user_agent);
    pst_free(http->ca_file);
    pst_free(http->client_cert);
    pst_free(http->client_key);
    free_secret(http->client_key_password);
    pst_free(http->proxy);
    pst_free(http->proxy_user);
    free_secret(http->proxy_password);
    pst_free(http);
}

static int start_thread(pst_http *http)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&http->thread, NULL, io_thread, http);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        (void)pthread_setname_np(http->thread, "pst-http");
    return rc;
}

pst_rc pst_http_new(pst_http **out, const pst_http_options *options, pst_err *err)
{
    static const pst_http_options none = {0};
    pthread_once(&curl_once, init_curl);
    pst_http *http = pst_calloc(1, sizeof *http);
    if (!http)
        return pst_fail_nomem(err, "the HTTP client");
    pthread_mutex_init(&http->lock, NULL);
    http->multi = curl_multi_init();
    if (!http->multi || !copy_options(http, options ? options : &none)) {
        free_parts(http);
        return pst_fail_nomem(err, "the HTTP client");
    }
    (void)curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)http->max_active);
    if (start_thread(http) != 0) {
        free_parts(http);
        return pst_fail_retriable(err, PST_E_IO, "cannot start the HTTP client's thread");
    }
    *out = http;
    return PST_OK;
}

void pst_http_free(pst_http *http)
{
    if (!http)
        return;
    pthread_mutex_lock(&http->lock);
    http->stop = true;
    (void)curl_multi_wakeup(http->multi);
    pthread_mutex_unlock(&http->lock);
    pthread_join(http->thread, NULL);
    free_parts(http);
}

/* ---- preparing a request, in the caller's thread ---- */

static bool has_header(const pst_http_request *req, const char *name)
{
    pst_sv want = pst_sv_of(name);
    for (size_t i = 0; i < req->n_headers; i++) {
        pst_sv line = pst_sv_of(req->headers[i]);
        if (line.n > want.n && (line.p[want.n] == ':' || line.p[want.n] == ';') &&
            pst_sv_eq_nocase((pst_sv){line.p, want.n}, want))
            return true;
    }
    return false;
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool printable(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

static pst_rc make_headers(job *item, pst_err *err)
{
    const pst_http_request *req = &item->req;
    if (req->n_headers > MAX_REQUEST_HEADERS)
        return pst_fail(err, PST_E_LIMIT, "more than %d request headers",
                        MAX_REQUEST_HEADERS);
    bool ok = true;
    for (size_t i = 0; ok && i < req->n_headers; i++) {
        if (!printable(req->headers[i]))
            return pst_fail(err, PST_E_INVALID,
                            "a request header has a control character");
        ok = add_header(&item->headers, req->headers[i]);
    }
    if (ok && !has_header(req, "Expect"))
        ok = add_header(&item->headers, "Expect:");
    if (ok && !has_header(req, "Content-Type"))
        ok = add_header(&item->headers, "Content-Type:");
    return ok ? PST_OK : pst_fail_nomem(err, "request headers");
}

/* First failure wins; a setopt fails only for lack of memory or on an option unknown to
   this libcurl. */
#define SET(option, value)                                                               \
    do {                                                                                 \
        if (code == CURLE_OK)                                                            \
            code = curl_easy_setopt(easy, (option), (value));                            \
    } while (0)

static CURLcode set_method(CURL *easy, const pst_http_request *req)
{
    CURLcode code = CURLE_OK;
    curl_off_t n = (curl_off_t)body_size(req);
    if (strcmp(req->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (strcmp(req->method, "PUT") == 0) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_INFILESIZE_LARGE, n);
        if (n >= LARGE_BODY)
            SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)LARGE_BODY);
    } else if (strcmp(req->method, "POST") == 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, n);
    } else if (strcmp(req->method, "GET") == 0) {
        SET(CURLOPT_HTTPGET, 1L);
    } else {
        SET(CURLOPT_CUSTOMREQUEST, req->method);
    }
    return code;
}

static CURLcode set_callbacks(CURL *easy, job *item)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PRIVATE, item);
    SET(CURLOPT_ERRORBUFFER, item->why);
    SET(CURLOPT_HTTPHEADER, item->headers);
    SET(CURLOPT_READFUNCTION, send_body);
    SET(CURLOPT_READDATA, item);
    SET(CURLOPT_SEEKFUNCTION, seek_body);
    SET(CURLOPT_SEEKDATA, item);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, item);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, item);
    return code;
}

static CURLcode set_limits(const pst_http *http, CURL *easy, const pst_http_request *req)
{
    CURLcode code = CURLE_OK;
    int stall_ms = req->stall_timeout_ms > 0 ? req->stall_timeout_ms : STALL_TIMEOUT_MS;
    SET(CURLOPT_CONNECTTIMEOUT_MS, http->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)req->timeout_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)(stall_ms + 999) / 1000);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name server that doesn't answer must not hold up the I/O thread. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    return code;
}

static CURLcode set_identity(const pst_http *http, CURL *easy)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_USERAGENT, http->user_agent);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (http->ca_file)
        SET(CURLOPT_CAINFO, http->ca_file);
    if (http->client_cert)
        SET(CURLOPT_SSLCERT, http->client_cert);
    if (http->client_key)
        SET(CURLOPT_SSLKEY, http->client_key);
    if (http->client_key_password)
        SET(CURLOPT_KEYPASSWD, http->client_key_password);
    if (http->proxy)
        SET(CURLOPT_PROXY, http->proxy);
    if (http->proxy_user)
        SET(CURLOPT_PROXYUSERNAME, http->proxy_user);
    if (http->proxy_password)
        SET(CURLOPT_PROXYPASSWORD, http->proxy_password);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's are not the answer's */
    return code;
}

#undef SET

static pst_rc prepare(pst_http *http, job *item, pst_err *err)
{
    const pst_http_request *req = &item->req;
    bool has_body = req->chunks || req->body.n;
    if (has_body && strcmp(req->method, "PUT") != 0 && strcmp(req->method, "POST") != 0)
        return pst_fail(err, PST_E_UNSUPPORTED, "%s with a body", req->method);
    if (!printable(req->url))
        return pst_fail(err, PST_E_INVALID, "the URL has a control character");
    pst_rc rc = make_headers(item, err);
    if (rc != PST_OK)
        return rc;
    if (req->chunks)
        item->pos = body_from(req, 0);
    item->easy = curl_easy_init();
    CURLcode code = item->easy ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK)
        code = curl_easy_setopt(item->easy, CURLOPT_URL, req->url);
    if (code == CURLE_OK)
        code = set_callbacks(item->easy, item);
    if (code == CURLE_OK)
        code = set_limits(http, item->easy, req);
    if (code == CURLE_OK)
        code = set_identity(http, item->easy);
    if (code == CURLE_OK)
        code = set_method(item->easy, req);
    if (code == CURLE_OUT_OF_MEMORY)
        return pst_fail_nomem(err, "an HTTP request");
    if (code != CURLE_OK)
        return pst_fail(err, PST_E_UNSUPPORTED, "this libcurl refuses an option: %s",
                        curl_easy_strerror(code));
    return PST_OK;
}

/* ---- waiting, and what came of it ---- */

static struct timespec slice_end(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += CANCEL_SLICE_MS * 1000000L;
    if (ts.tv_nsec >= 1000000000L) {
        ts.tv_nsec -= 1000000000L;
        ts.tv_sec++;
    }
    return ts;
}

static void submit(pst_http *http, job *item)
{
    pthread_mutex_lock(&http->lock);
    list_append(&http->waiting, item);
    (void)curl_multi_wakeup(http->multi);
    pthread_mutex_unlock(&http->lock);
}

static void wait_done(pst_http *http, job *item)
{
    pst_cancel *cancel = item->req.cancel;
    pthread_mutex_lock(&http->lock);
    while (!item->done) {
        if (!cancel || item->cancelled) {
            pthread_cond_wait(&item->changed, &http->lock);
            continue;
        }
        struct timespec until = slice_end();
        pthread_cond_timedwait(&item->changed, &http->lock, &until);
        if (!item->done && pst_cancelled(cancel)) {
            item->cancelled = true;
            (void)curl_multi_wakeup(http->multi);
        }
    }
    pthread_mutex_unlock(&http->lock);
}

typedef struct outcome {
    pst_rc rc;
    bool retriable;
} outcome;

static outcome outcome_of(CURLcode code, bool sent)
{
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return (outcome){PST_E_NOMEM, true};
    case CURLE_OPERATION_TIMEDOUT:
        return (outcome){PST_E_TIMEOUT, true};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return (outcome){PST_E_AUTH, true};
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ENGINE_NOTFOUND:
        return (outcome){PST_E_CONFIG, false};
    case CURLE_UNSUPPORTED_PROTOCOL: /* also for an answer that isn't HTTP */
        return sent ? (outcome){PST_E_INVALID, true} : (outcome){PST_E_CONFIG, false};
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return (outcome){PST_E_INVALID, true};
    default:
        return (outcome){PST_E_IO, true};
    }
}

/* "host:port" of a URL: no credentials, path or query. */
static pst_sv authority_of(const char *url)
{
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    size_t n = strcspn(start, "/?#");
    pst_sv all = {start, n};
    for (size_t i = 0; i < n; i++)
        if (start[i] == '@')
            all = (pst_sv){start + i + 1, n - i - 1};
    return all;
}

static pst_rc fail_with(job *item, pst_err *err)
{
    const pst_http_request *req = &item->req;
    pst_sv host = authority_of(req->url);
    if (item->refused == PST_E_IO) {
        item->res->sent = false; /* not whole: it can't have had an effect */
        return pst_chunks_failed(&item->pos, err);
    }
    if (item->code == CURLE_ABORTED_BY_CALLBACK)
        return pst_fail(err, PST_E_STOPPED, "%s %.*s: stopped", req->method,
                        PST_SV_FMT(host));
    if (item->refused == PST_E_LIMIT)
        return pst_fail(err, PST_E_LIMIT, "%s %.*s: the answer is larger than %zu bytes",
                        req->method, PST_SV_FMT(host), item->res->body.max);
    if (item->refused != PST_OK)
        return pst_fail_nomem(err, "an HTTP response");
    outcome what = outcome_of(item->code, item->res->sent);
    const char *why = item->why[0] ? item->why : curl_easy_strerror(item->code);
    pst_rc rc = pst_fail(err, what.rc, "%s %.*s: %s", req->method, PST_SV_FMT(host), why);
    if (err)
        err->retriable = what.retriable;
    return rc;
}

static void init_condition(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

static void reset_response(pst_http_response *res, size_t max)
{
    res->status = 0;
    res->sent = false;
    pst_buf_clear(&res->body);
    pst_buf_clear(&res->raw_headers);
    res->body.max = max;
}

static void job_init(job *item, const pst_http_request *req, pst_http_response *res)
{
    *item = (job){.req = *req, .res = res};
    reset_response(res, req->max_response ? req->max_response : MAX_RESPONSE);
    init_condition(&item->changed);
}

static void job_done(job *item)
{
    curl_easy_cleanup(item->easy);
    curl_slist_free_all(item->headers);
    pthread_cond_destroy(&item->changed);
}

static pst_rc finish_waiting(pst_http *http, job *item, pst_err *err)
{
    wait_done(http, item);
    return item->code == CURLE_OK ? PST_OK : fail_with(item, err);
}

pst_rc pst_http_perform(pst_http *http, const pst_http_request *req,
                        pst_http_response *res, pst_err *err)
{
    if (!pst_cancelled(req->cancel) && pst_httpfile_is(req->url)) {
        reset_response(res, req->max_response ? req->max_response : MAX_RESPONSE);
        return pst_httpfile_get(req, res, err);
    }
    job item;
    job_init(&item, req, res);
    pst_rc rc = PST_OK;
    if (pst_cancelled(req->cancel))
        rc = pst_fail(err, PST_E_STOPPED, "%s: stopped", req->method);
    else
        rc = prepare(http, &item, err);
    if (rc == PST_OK) {
        submit(http, &item);
        rc = finish_waiting(http, &item, err);
    }
    job_done(&item);
    return rc;
}

pst_rc pst_http_begin(pst_http *http, const pst_http_request *req, pst_http_response *res,
                      pst_http_call **out, pst_err *err)
{
    job *item = pst_calloc(1, sizeof *item);
    if (!item)
        return pst_fail_nomem(err, "an HTTP request");
    job_init(item, req, res);
    pst_rc rc = pst_cancelled(req->cancel)
                    ? pst_fail(err, PST_E_STOPPED, "%s: stopped", req->method)
                    : prepare(http, item, err);
    if (rc != PST_OK) {
        job_done(item);
        pst_free(item);
        return rc;
    }
    submit(http, item);
    *out = item;
    return PST_OK;
}

pst_rc pst_http_end(pst_http *http, pst_http_call *call, pst_err *err)
{
    pst_rc rc = finish_waiting(http, call, err);
    job_done(call);
    pst_free(call);
    return rc;
}

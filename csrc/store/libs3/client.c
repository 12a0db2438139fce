/*
 * client.c - one libs3 request, bounded in time.
 *
 * libs3 knows no time limit but a minimal speed, and blocks for minutes in a connect. So
 * each call runs in a request context of its own, which we drive: in slices, with a
 * deadline, and looking at the cancel. A context that ended well is kept, with its
 * connection, for the next call; one that did not is destroyed, which ends its request.
 *
 * libs3 composes a request's date by gmtime(), so requests are started one at a time.
 * Its global state is set up once and never torn down: that would clean up libxml2 under
 * everybody else in the process.
 */
#include "store/libs3/client.h"

#include <stdio.h>
#include <sys/select.h>

enum { SLICE_MS = 100, NO_SOCKET_MS = 5, SLOWEST_BYTES_PER_MS = 64 };

/* The two pieces of process-wide state, as libs3's own is. */
static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static bool started;

const char *pst_libs3_method_name(pst_libs3_method method)
{
    static const char *const names[] = {
        [PST_LIBS3_PUT] = "PUT",   [PST_LIBS3_HEAD] = "HEAD",     [PST_LIBS3_GET] = "GET",
        [PST_LIBS3_LIST] = "LIST", [PST_LIBS3_DELETE] = "DELETE",
    };
    return names[method];
}

pst_rc pst_libs3_start(pst_err *err)
{
    int flags = S3_INIT_ALL;
#if PST_LIBS3_V4
    flags |= S3_INIT_VERIFY_PEER;
#endif
    pthread_mutex_lock(&start_lock);
    S3Status status =
        started ? S3StatusOK : S3_initialize("penstock/" PST_VERSION, flags, NULL);
    started = started || status == S3StatusOK;
    pthread_mutex_unlock(&start_lock);
    return status == S3StatusOK
               ? PST_OK
               : pst_fail(err, PST_E_INTERNAL, "libs3 does not start: %s",
                          S3_get_status_name(status));
}

/* ---- contexts ---- */

static S3RequestContext *take_context(pst_libs3 *l3)
{
    S3RequestContext *context = NULL;
    pthread_mutex_lock(&l3->lock);
    if (l3->n_idle)
        context = l3->idle[--l3->n_idle];
    pthread_mutex_unlock(&l3->lock);
    if (!context && S3_create_request_context(&context) != S3StatusOK)
        return NULL;
    return context;
}

static void give_context(pst_libs3 *l3, S3RequestContext *context, bool good)
{
    pthread_mutex_lock(&l3->lock);
    bool keep = good && l3->n_idle < PST_LIBS3_IDLE_MAX;
    if (keep)
        l3->idle[l3->n_idle++] = context;
    pthread_mutex_unlock(&l3->lock);
    if (!keep)
        S3_destroy_request_context(context);
}

void pst_libs3_close_idle(pst_libs3 *l3)
{
    while (l3->n_idle)
        S3_destroy_request_context(l3->idle[--l3->n_idle]);
}

/* ---- running ---- */

void pst_libs3_complete(S3Status status, const S3ErrorDetails *details, void *opaque)
{
    pst_libs3_call *call = opaque;
    call->done = true;
    call->status = status;
    if (details && details->message)
        snprintf(call->message, sizeof call->message, "%s", details->message);
}

/* Waits until a socket is ready. select() sees none beyond FD_SETSIZE, and libs3 none
   while a name is looked up: then it is a short while. */
static bool wait_ready(S3RequestContext *context)
{
    fd_set in, out, other;
    int max = -1;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&other);
    if (S3_get_request_context_fdsets(context, &in, &out, &other, &max) != S3StatusOK)
        return false;
    const int64_t most = max < 0 ? NO_SOCKET_MS : SLICE_MS;
    int64_t ms = S3_get_request_context_timeout(context);
    if (ms < 0 || ms > most)
        ms = most;
    struct timeval wait = {.tv_usec = (suseconds_t)(ms * 1000)};
    (void)select(max + 1, &in, &out, &other, &wait);
    return true;
}

/* True if the request has ended by itself: then its context is as good as new. */
static bool drive(pst_libs3_call *call, S3RequestContext *context)
{
    const pst_libs3 *l3 = call->l3;
    int64_t deadline = pst_mono_ms(l3->clock) + l3->timeout_ms +
                       (int64_t)(call->body / SLOWEST_BYTES_PER_MS);
    bool good = true;
    while (!call->done && good) {
        int left = 0;
        good = S3_runonce_request_context(context, &left) == S3StatusOK &&
               (call->done || wait_ready(context));
        call->stopped = !call->done &&
                        (pst_cancelled(l3->cancel) || pst_mono_ms(l3->clock) >= deadline);
        good = good && !call->stopped;
    }
    return good;
}

pst_rc pst_libs3_run(pst_libs3_call *call, pst_err *err)
{
    pst_libs3 *l3 = call->l3;
    if (pst_cancelled(l3->cancel))
        return pst_fail(err, PST_E_STOPPED, "stopped");
    S3RequestContext *context = take_context(l3);
    if (!context)
        return pst_fail_nomem(err, "a libs3 request");
    atomic_fetch_add_explicit(&l3->requests[call->method], 1, memory_order_relaxed);
    pthread_mutex_lock(&start_lock);
    call->start(call, context);
    pthread_mutex_unlock(&start_lock);
    bool good = drive(call, context);
    /* Destroying the context completes a call that has not ended. */
    give_context(l3, context, good);
    return call->status == S3StatusOK ? PST_OK : pst_libs3_fail(call, err);
}

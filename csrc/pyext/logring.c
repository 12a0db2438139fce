/*
 * logring.c - see logring.h.
 */
#include "pyext/logring.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

/* Before the task or the module in a line of text: "2026-11-23T07:38:16.123Z INFO  ". */
enum { SLOTS = 512, STAMP_BYTES = 24 + 1 + 5 + 1 };

typedef struct entry {
    pst_log_level level;
    char *line;
} entry;

struct pypst_logring {
    pst_log *log;
    pthread_mutex_t lock;
    entry slots[SLOTS];
    size_t first, n;
    size_t dropped;
};

/* Any thread. */
static void keep(void *opaque, pst_log_level level, const char *line)
{
    pypst_logring *ring = opaque;
    char *copy = pst_strdup(line);
    char *gone = NULL;
    pthread_mutex_lock(&ring->lock);
    if (copy && ring->n == SLOTS) {
        gone = ring->slots[ring->first].line;
        ring->first = (ring->first + 1) % SLOTS;
        ring->n--;
        ring->dropped++;
    }
    if (copy)
        ring->slots[(ring->first + ring->n++) % SLOTS] = (entry){level, copy};
    pthread_mutex_unlock(&ring->lock);
    pst_free(gone);
}

pypst_logring *pypst_logring_new(void)
{
    pypst_logring *ring = pst_calloc(1, sizeof *ring);
    if (!ring)
        return NULL;
    pthread_mutex_init(&ring->lock, NULL);
    ring->log = pst_log_new(keep, ring);
    if (!ring->log) {
        pypst_logring_free(ring);
        return NULL;
    }
    return ring;
}

void pypst_logring_free(pypst_logring *ring)
{
    if (!ring)
        return;
    pst_log_free(ring->log);
    for (size_t i = 0; i < ring->n; i++)
        pst_free(ring->slots[(ring->first + i) % SLOTS].line);
    pthread_mutex_destroy(&ring->lock);
    pst_free(ring);
}

pst_log *pypst_logring_log(pypst_logring *ring)
{
    return ring->log;
}

static bool take(pypst_logring *ring, entry *out, size_t *dropped)
{
    pthread_mutex_lock(&ring->lock);
    bool some = ring->n > 0;
    *dropped = ring->dropped;
    ring->dropped = 0;
    if (some) {
        *out = ring->slots[ring->first];
        ring->first = (ring->first + 1) % SLOTS;
        ring->n--;
    }
    pthread_mutex_unlock(&ring->lock);
    return some;
}

static int python_level(pst_log_level level)
{
    static const int levels[] = {50, 40, 30, 20, 10, 5};
    return levels[level];
}

static int emit(const pypst_common *common, pst_log_level level, pst_sv module,
                pst_sv task, pst_sv text)
{
    PyObject *done = PyObject_CallFunction(
        common->emit, "is#z#N", python_level(level), module.p, (Py_ssize_t)module.n,
        task.p, (Py_ssize_t)task.n,
        PyUnicode_DecodeUTF8(text.p, (Py_ssize_t)text.n, "replace"));
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Cuts "… [task] module: text"; a task's id has no blanks. */
static int emit_line(const pypst_common *common, const entry *e)
{
    pst_sv rest = pst_sv_of(e->line), task = {NULL, 0};
    size_t stamp = rest.n < STAMP_BYTES ? rest.n : STAMP_BYTES;
    rest.p += stamp;
    rest.n -= stamp;
    const char *end = rest.n && *rest.p == '[' ? strstr(rest.p, "] ") : NULL;
    if (end) {
        task = (pst_sv){rest.p + 1, (size_t)(end - rest.p) - 1};
        rest = pst_sv_of(end + 2);
    }
    const char *colon = strstr(rest.p, ": ");
    pst_sv module = {rest.p, colon ? (size_t)(colon - rest.p) : 0};
    return emit(common, e->level, module, task, colon ? pst_sv_of(colon + 2) : rest);
}

static int emit_dropped(const pypst_common *common, size_t dropped)
{
    pst_err text = PST_ERR_INIT;
    (void)pst_fail(&text, PST_E_LIMIT, "%zu log lines came too fast and were dropped",
                   dropped);
    return emit(common, PST_LOG_WARN, PST_SV("log"), (pst_sv){NULL, 0},
                pst_sv_of(text.text));
}

int pypst_logring_drain(pypst_logring *ring, const pypst_common *common)
{
    entry e;
    size_t dropped;
    int rc = 0;
    for (int i = 0; rc == 0 && i < 2 * SLOTS; i++) {
        bool some = take(ring, &e, &dropped);
        if (dropped)
            rc = emit_dropped(common, dropped);
        if (!some)
            break;
        if (rc == 0)
            rc = emit_line(common, &e);
        pst_free(e.line);
    }
    return rc;
}

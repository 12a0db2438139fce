/*
 * worker.c - Worker: the runtime's worker as an object that can be started, stopped,
 * waited for and asked.
 *
 * The tasks run in threads of their own; a wait is the only call that takes time, and it
 * is in slices. stop(), abort() and status() may come while a wait is under way, from
 * another thread or from a signal handler. A worker that does not end in time after an
 * abort (librdkafka can't be hurried everywhere) is left to end by itself; nothing that
 * it uses lies in the object, and that memory is not freed.
 */
#include "pyext/runner.h"
#include "pyext/worker_module.h"

#include "base/mem.h"
#include "runtime/worker.h"

#include <string.h>

static const char CLASS_NAME[] = "Worker";
enum { STOP_EXTRA_MS = 5000, DROP_GRACE_MS = 2000, NEVER = -1 };

typedef struct worker {
    PyObject_HEAD pypst_owner owner;
    pypst_logring *ring;
    pst_props *settings; /* the worker's, then each connector's */
    size_t n_connectors;
    pst_worker *core;
    int64_t aborted_ms; /* NEVER */
    bool started;
} worker;

/* ---- life ---- */

static int load_all(worker *self, PyObject *configs, pst_conf_report *report)
{
    size_t n = (size_t)PyTuple_GET_SIZE(configs);
    if (n < 2) {
        PyErr_SetString(PyExc_TypeError,
                        "a worker needs its own settings and those of one connector");
        return -1;
    }
    self->settings = pst_calloc(n, sizeof *self->settings);
    if (!self->settings)
        return PyErr_NoMemory(), -1;
    self->n_connectors = n - 1;
    for (size_t i = 0; i < n; i++)
        if (pypst_props_add(&self->settings[i], PyTuple_GET_ITEM(configs, (Py_ssize_t)i),
                            report) < 0)
            return -1;
    return 0;
}

static int make_core(worker *self, pypst_common *common, PyObject *configs,
                     bool until_end)
{
    pst_conf_report report;
    pst_conf_report_init(&report);
    int rc = load_all(self, configs, &report);
    if (rc == 0) {
        pst_worker_options options = {.worker = self->settings,
                                      .connectors = self->settings + 1,
                                      .n_connectors = self->n_connectors,
                                      .until_end = until_end,
                                      .log = pypst_logring_log(self->ring)};
        pst_rc made = pst_worker_new(&self->core, &options, &report);
        rc = pypst_report(common, &report);
        if (rc == 0 && made != PST_OK)
            rc = (PyErr_NoMemory(), -1);
    }
    pst_conf_report_done(&report);
    return rc;
}

static int parse_until(PyObject *kwargs, bool *until_end)
{
    static const char *const names[] = {"until", NULL};
    PyObject *none = PyTuple_New(0);
    const char *until = NULL;
    int ok = none && PyArg_ParseTupleAndKeywords(none, kwargs, "|$z:Worker",
                                                 PYPST_NAMES(names), &until);
    Py_XDECREF(none);
    if (!ok)
        return -1;
    *until_end = until != NULL;
    if (until && strcmp(until, "end") != 0) {
        PyErr_Format(PyExc_ValueError, "until must be \"end\" or None, not \"%.100s\"",
                     until);
        return -1;
    }
    return 0;
}

static int worker_init(PyObject *obj, PyObject *args, PyObject *kwargs)
{
    worker *self = (worker *)obj;
    bool until_end;
    pypst_worker_state *state = pypst_worker_state_of(Py_TYPE(obj));
    if (!state || parse_until(kwargs, &until_end) < 0)
        return -1;
    if (self->owner.common || self->ring) {
        PyErr_SetString(PyExc_TypeError, "Worker can be initialised once only");
        return -1;
    }
    self->aborted_ms = NEVER;
    self->ring = pypst_logring_new();
    if (!self->ring)
        return PyErr_NoMemory(), -1;
    if (make_core(self, &state->common, args, until_end) < 0)
        return -1;
    const pst_worker_conf *conf = pst_worker_settings(self->core);
    pst_worker_log(conf, pypst_logring_log(self->ring), PST_LOG_TEXT);
    pypst_owner_init(&self->owner, &state->common);
    return 0;
}

/* Without the GIL. False: it did not end, nothing may be freed. */
static bool end_core(worker *self, int64_t grace_ms)
{
    if (self->started) {
        pst_worker_abort(self->core);
        if (!pst_worker_wait(self->core, grace_ms))
            return false;
    }
    pst_worker_free(self->core);
    return true;
}

/* In the process that made it. */
static bool release(worker *self, int64_t grace_ms)
{
    bool ended = true;
    if (self->core) {
        Py_BEGIN_ALLOW_THREADS ended = end_core(self, grace_ms);
        Py_END_ALLOW_THREADS
    }
    self->core = NULL;
    if (!ended)
        return false;
    for (size_t i = 0; self->settings && i <= self->n_connectors; i++)
        pst_props_done(&self->settings[i]);
    pst_free(self->settings);
    self->settings = NULL;
    self->n_connectors = 0;
    return true;
}

static void free_ring(worker *self)
{
    pypst_logring_free(self->ring);
    self->ring = NULL;
}

static void worker_finalize(PyObject *obj)
{
    worker *self = (worker *)obj;
    if (self->started)
        pypst_owner_warn(&self->owner, obj);
}

static void worker_dealloc(PyObject *obj)
{
    worker *self = (worker *)obj;
    PyTypeObject *type = Py_TYPE(obj);
    if (PyObject_CallFinalizerFromDealloc(obj) < 0)
        return;
    bool never_complete = !self->owner.common;
    if (never_complete || (pypst_owner_is_here(&self->owner) && !self->owner.closed))
        if (release(self, DROP_GRACE_MS))
            free_ring(self);
    freefunc release_memory = PyType_GetSlot(type, Py_tp_free);
    release_memory(obj);
    Py_DECREF(type);
}

/* ---- running ---- */

static PyObject *worker_start(PyObject *obj, PyObject *unused)
{
    (void)unused;
    worker *self = (worker *)obj;
    pst_err err = PST_ERR_INIT;
    if (!pypst_owner_usable(&self->owner, CLASS_NAME))
        return NULL;
    if (self->started)
        return pypst_raise_text(self->owner.common, "invalid",
                                "Worker was started already: make a new one");
    self->started = true;
    if (pst_worker_start(self->core, &err) != PST_OK)
        return pypst_raise(self->owner.common, &err);
    Py_RETURN_NONE;
}

static PyObject *worker_stop(PyObject *obj, PyObject *unused)
{
    (void)unused;
    worker *self = (worker *)obj;
    if (!pypst_owner_usable(&self->owner, CLASS_NAME))
        return NULL;
    pst_worker_stop(self->core);
    Py_RETURN_NONE;
}

static void abort_core(worker *self)
{
    if (self->aborted_ms == NEVER)
        self->aborted_ms = pst_mono_ms(pst_clock_system());
    pst_worker_abort(self->core);
}

static PyObject *worker_abort(PyObject *obj, PyObject *unused)
{
    (void)unused;
    worker *self = (worker *)obj;
    if (!pypst_owner_usable(&self->owner, CLASS_NAME))
        return NULL;
    abort_core(self);
    Py_RETURN_NONE;
}

/* 1 ended, 0 not within ms (-1 = no limit), -1 with an exception. */
static int wait_in_slices(worker *self, int64_t ms)
{
    const pst_clock *clock = pst_clock_system();
    int64_t until = ms < 0 ? INT64_MAX : pst_mono_ms(clock) + ms;
    bool ended = false;
    for (;;) {
        int64_t left = until - pst_mono_ms(clock);
        int64_t slice = left < 0 ? 0 : left < PYPST_SLICE_MS ? left : PYPST_SLICE_MS;
        Py_BEGIN_ALLOW_THREADS ended = pst_worker_wait(self->core, slice);
        Py_END_ALLOW_THREADS if (pypst_logring_drain(self->ring, self->owner.common) <
                                     0 ||
                                 PyErr_CheckSignals() < 0) return -1;
        if (ended || left <= 0)
            return ended;
    }
}

static int parse_seconds(PyObject *timeout, int64_t *ms)
{
    *ms = -1;
    if (timeout == Py_None)
        return 0;
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    if (!(seconds >= 0)) {
        PyErr_SetString(PyExc_ValueError, "timeout must not be negative");
        return -1;
    }
    *ms = seconds > 1e9 ? -1 : (int64_t)(seconds * 1000);
    return 0;
}

static PyObject *worker_wait(PyObject *obj, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"timeout", NULL};
    worker *self = (worker *)obj;
    PyObject *timeout = Py_None;
    int64_t ms;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:wait", PYPST_NAMES(names),
                                     &timeout) ||
        parse_seconds(timeout, &ms) < 0 || !pypst_owner_enter(&self->owner, CLASS_NAME))
        return NULL;
    int ended = wait_in_slices(self, ms);
    pypst_owner_leave(&self->owner);
    return ended < 0 ? NULL : PyBool_FromLong(ended);
}

/* As wait_in_slices(), until a moment on the monotonic clock. */
static int wait_until(worker *self, int64_t until_ms)
{
    int64_t left = until_ms - pst_mono_ms(pst_clock_system());
    return wait_in_slices(self, left > 0 ? left : 0);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Ends in good order if there is time, else at once. A signal's exception hurries, and an
   abort() that came before leaves PYPST_GRACE_MS from then on. `limit_ms` bounds all of
   it; -1 = no further bound. */
static int end(worker *self, int64_t limit_ms)
{
    if (!self->started)
        return 0;
    int64_t now = pst_mono_ms(pst_clock_system());
    int64_t until = limit_ms < 0 ? INT64_MAX : now + limit_ms;
    int64_t stop_ms =
        pst_worker_settings(self->core)->shutdown_timeout_ms + STOP_EXTRA_MS;
    pst_worker_stop(self->core);
    int ended = self->aborted_ms == NEVER ? wait_until(self, sooner(until, now + stop_ms))
                                          : wait_in_slices(self, 0);
    if (ended > 0)
        return 0;
    PyObject *why = ended < 0 ? pypst_exception_take() : NULL;
    abort_core(self);
    int rc = wait_until(self, sooner(until, self->aborted_ms + PYPST_GRACE_MS));
    if (!why)
        return rc < 0 ? -1 : 0;
    PyErr_Clear();
    pypst_exception_put(why);
    return -1;
}

static int close_here(worker *self, int64_t limit_ms)
{
    int rc = end(self, limit_ms);
    self->owner.closed = true;
    PyObject *why = rc < 0 ? pypst_exception_take() : NULL;
    bool released = release(self, 0);
    if (!why && pypst_logring_drain(self->ring, self->owner.common) < 0)
        rc = -1;
    if (released)
        free_ring(self);
    if (why)
        pypst_exception_put(why);
    return rc;
}

static PyObject *close_worker(worker *self, int64_t limit_ms)
{
    if (!self->owner.common || self->owner.closed)
        Py_RETURN_NONE;
    if (!pypst_owner_is_here(&self->owner)) {
        self->owner.closed = true;
        Py_RETURN_NONE;
    }
    if (!pypst_owner_enter(&self->owner, CLASS_NAME))
        return NULL;
    int rc = close_here(self, limit_ms);
    pypst_owner_leave(&self->owner);
    return rc == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *worker_close(PyObject *obj, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"timeout", NULL};
    PyObject *timeout = Py_None;
    int64_t ms;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:close", PYPST_NAMES(names),
                                     &timeout) ||
        parse_seconds(timeout, &ms) < 0)
        return NULL;
    return close_worker((worker *)obj, ms);
}

/* ---- status ---- */

static PyObject *offset_dict(const pst_task_offset *offset)
{
    return Py_BuildValue("{ss si sL sL}", "topic", offset->topic, "partition",
                         (int)offset->partition, "first", (long long)offset->first,
                         "next", (long long)offset->next);
}

static PyObject *offset_list(const pst_task_status *status)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && status->offsets && i < status->n_offsets; i++) {
        PyObject *offset = offset_dict(&status->offsets[i]);
        if (!offset || PyList_Append(list, offset) < 0)
            Py_CLEAR(list);
        Py_XDECREF(offset);
    }
    return list;
}

static PyObject *error_dict(const pst_task_status *status)
{
    if (status->state != PST_TASK_FAILED)
        return Py_NewRef(Py_None);
    return Py_BuildValue("{ss sN sO sO}", "code", pst_rc_name(status->err.code), "text",
                         pypst_text(status->err.text), "retriable",
                         status->err.retriable ? Py_True : Py_False, "unreachable",
                         status->unreachable ? Py_True : Py_False);
}

static PyObject *task_dict(const pst_task_status *status)
{
    static const char *const states[] = {"starting", "running", "paused", "done",
                                         "failed"};
    return Py_BuildValue(
        "{ss ss ss ss ss sL sL sL sL sL sL sL sL sd sz ss sN sN}", "connector",
        status->connector, "class", status->class_name, "type", status->type, "id",
        status->id, "state", states[status->state], "records", (long long)status->records,
        "rows", (long long)status->rows, "objects", (long long)status->objects, "bytes",
        (long long)status->bytes, "skipped", (long long)status->skipped, "errors",
        (long long)status->errors, "adopted", (long long)status->adopted, "undelivered",
        (long long)status->undelivered, "seconds", status->seconds, "guarantee",
        status->guarantee, "last_object", status->last_object, "offsets",
        offset_list(status), "error", error_dict(status));
}

static PyObject *worker_status(PyObject *obj, PyObject *unused)
{
    (void)unused;
    worker *self = (worker *)obj;
    if (!pypst_owner_usable(&self->owner, CLASS_NAME))
        return NULL;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < pst_worker_tasks(self->core); i++) {
        pst_task_status status;
        pst_worker_task(self->core, i, &status);
        PyObject *task = task_dict(&status);
        if (!task || PyList_Append(list, task) < 0)
            Py_CLEAR(list);
        Py_XDECREF(task);
    }
    return list;
}

/* ---- the type ---- */

static PyObject *worker_enter(PyObject *obj, PyObject *unused)
{
    PyObject *started = worker_start(obj, unused);
    Py_XDECREF(started);
    return started ? Py_NewRef(obj) : NULL;
}

/* An exception means that there is no time. */
static PyObject *worker_exit(PyObject *obj, PyObject *args)
{
    worker *self = (worker *)obj;
    bool fine = PyTuple_GET_SIZE(args) == 0 || PyTuple_GET_ITEM(args, 0) == Py_None;
    if (!fine && self->core && pypst_owner_is_here(&self->owner) && !self->owner.closed)
        abort_core(self);
    return close_worker(self, -1);
}

static PyObject *worker_repr(PyObject *obj)
{
    const worker *self = (worker *)obj;
    const char *state = self->owner.closed ? "closed" : self->started ? "started" : "new";
    return PyUnicode_FromFormat("<%s (%s, %zu connector%s)>", CLASS_NAME, state,
                                self->n_connectors, self->n_connectors == 1 ? "" : "s");
}

static PyObject *worker_closed(PyObject *obj, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((worker *)obj)->owner.closed);
}

static PyObject *worker_shutdown_timeout(PyObject *obj, void *unused)
{
    (void)unused;
    worker *self = (worker *)obj;
    if (!pypst_owner_usable(&self->owner, CLASS_NAME))
        return NULL;
    const pst_worker_conf *conf = pst_worker_settings(self->core);
    return PyFloat_FromDouble((double)conf->shutdown_timeout_ms / 1000);
}

static PyMethodDef methods[] = {
    {"start", worker_start, METH_NOARGS,
     "start($self, /)\n--\n\nStart all tasks; returns at once."},
    {"stop", worker_stop, METH_NOARGS,
     "stop($self, /)\n--\n\nAsk the tasks to end in good order: land, commit, leave. "
     "Returns at once."},
    {"abort", worker_abort, METH_NOARGS,
     "abort($self, /)\n--\n\nAsk the tasks to end at once; what is buffered stays in "
     "Kafka. Returns at once."},
    {"wait", (PyCFunction)(void (*)(void))worker_wait, METH_VARARGS | METH_KEYWORDS,
     "wait($self, /, timeout=None)\n--\n\nWait up to timeout seconds; True when all "
     "tasks have ended. Signals are\nhandled, and log lines handed over, meanwhile."},
    {"status", worker_status, METH_NOARGS,
     "status($self, /)\n--\n\nWhat each task says now: a list of dicts."},
    {"close", (PyCFunction)(void (*)(void))worker_close, METH_VARARGS | METH_KEYWORDS,
     "close($self, /, timeout=None)\n--\n\nStop, wait up to shutdown.timeout.ms, free. "
     "After abort() it waits 4 s at most\nfrom then on; timeout, in seconds, bounds all "
     "of "
     "it. What has not ended is\nleft to end by itself. Closing it again does nothing."},
    {"__enter__", worker_enter, METH_NOARGS, NULL},
    {"__exit__", worker_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"closed", worker_closed, NULL, "True after close().", NULL},
    {"shutdown_timeout", worker_shutdown_timeout, NULL,
     "shutdown.timeout.ms in seconds: how long a stop in good order may take.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    doc, "Worker(worker_config, *connector_configs, until=None)\n--\n\n"
         "Connectors in threads of this process, as penstockd runs them. Each config\n"
         "maps setting names to values, or is the path of a .properties file, or a\n"
         "list of these. until='end': sinks end at what was the end at start. Settings\n"
         "are checked here (ConfigError); start() or `with` starts it.");

static PyType_Slot type_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)doc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, worker_init},
    {Py_tp_dealloc, worker_dealloc},
    {Py_tp_finalize, worker_finalize},
    {Py_tp_repr, worker_repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {0, NULL},
};

PyType_Spec pypst_worker_type = {
    .name = "penstock._worker.Worker",
    .basicsize = sizeof(worker),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = type_slots,
};

/*
 * source.c - RandomUserSource as an iterator of records.
 *
 * The runtime's pst_source_steps does the work (start, poll, pace, retry), called by the
 * object's runner in short steps. It is acknowledged that a record has arrived when the
 * next one is asked for. Settings are checked when the object is made; nothing is started
 * before the first record is asked for. A signal's exception leaves the source usable.
 */
#include "pyext/connectors_module.h"
#include "pyext/runner.h"

#include "base/mem.h"
#include "runtime/budget.h"
#include "runtime/source_task.h"

#include <string.h>

static const char CLASS_NAME[] = "RandomUserSource";
enum { STEP_MS = 100 };

typedef struct source {
    PyObject_HEAD pypst_owner owner;
    PyTypeObject *record_type; /* the module's, which our type keeps */
    pypst_settings settings;
    pypst_logring *ring;
    pypst_runner *runner;
    pst_source_steps *steps;
    pst_props worker; /* empty: no Kafka here */
    pst_budget budget;
    pst_task_env env;
    /* One step's results; `records` are valid until the next step. */
    const pst_source_record *records;
    size_t n, at;
    bool finished, unacknowledged;
    pst_rc rc;
    pst_err err;
} source;

/* ---- life ---- */

static void init_env(source *self)
{
    const pst_connector_conf *conf = self->settings.conf;
    self->budget.limit = INT64_MAX;
    self->env = (pst_task_env){.connector = conf->name,
                               .id = conf->name,
                               .clock = pst_clock_system(),
                               .cancel = pst_cancel_new(),
                               .abort = pst_cancel_new(),
                               .log = pypst_logring_log(self->ring),
                               .worker = &self->worker,
                               .connector_props = &self->settings.props,
                               .budget = &self->budget};
}

static int source_init(PyObject *obj, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"config", NULL};
    source *self = (source *)obj;
    PyObject *config;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:RandomUserSource",
                                     PYPST_NAMES(names), &config))
        return -1;
    pypst_connectors_state *state = pypst_connectors_state_of(Py_TYPE(obj));
    if (!state)
        return -1;
    if (self->owner.common) {
        PyErr_SetString(PyExc_TypeError, "RandomUserSource can be initialised once only");
        return -1;
    }
    if (pypst_settings_load(&self->settings, &state->common, CLASS_NAME, "randomuser",
                            config) < 0) {
        pypst_settings_done(&self->settings);
        return -1;
    }
    self->record_type = (PyTypeObject *)state->record;
    self->ring = pypst_logring_new();
    if (self->ring)
        init_env(self);
    pypst_owner_init(&self->owner, &state->common);
    self->owner.closed = true; /* nothing to warn about before it is complete */
    if (!self->ring || !self->env.cancel || !self->env.abort)
        return PyErr_NoMemory(), -1;
    self->owner.closed = false;
    return 0;
}

static void stop_steps(void *arg)
{
    source *self = arg;
    pst_source_steps_free(self->steps);
    self->steps = NULL;
}

static void interrupt(void *arg)
{
    source *self = arg;
    pst_cancel_set(self->env.cancel);
}

static int call(source *self, void (*job)(void *))
{
    pypst_call how = {
        job, interrupt, self, self->ring, self->owner.common, (PyObject *)self, 0};
    return pypst_runner_call(self->runner, &how);
}

/* In the process that made it, with no call under way. */
static void release(source *self)
{
    if (pypst_runner_stuck(self->runner))
        return; /* a thread still uses it all: better leaked than freed */
    if (self->env.cancel)
        pst_cancel_set(self->env.cancel);
    Py_BEGIN_ALLOW_THREADS pst_source_steps_free(self->steps);
    pypst_runner_free(self->runner);
    Py_END_ALLOW_THREADS self->steps = NULL;
    self->runner = NULL;
    pypst_logring_free(self->ring);
    pst_cancel_free(self->env.cancel);
    pst_cancel_free(self->env.abort);
    self->ring = NULL;
    self->env.cancel = self->env.abort = NULL;
}

static PyObject *source_close(PyObject *obj, PyObject *unused)
{
    (void)unused;
    source *self = (source *)obj;
    if (!self->owner.common || self->owner.closed)
        Py_RETURN_NONE;
    if (!pypst_owner_is_here(&self->owner)) {
        self->owner.closed = true;
        Py_RETURN_NONE;
    }
    if (!pypst_owner_enter(&self->owner, CLASS_NAME))
        return NULL;
    bool stuck = pypst_runner_stuck(self->runner);
    int rc = self->steps && !stuck ? call(self, stop_steps) : 0;
    if (rc == 0)
        rc = pypst_logring_drain(self->ring, self->owner.common);
    self->owner.closed = true;
    release(self);
    pypst_owner_leave(&self->owner);
    return rc == 0 ? Py_NewRef(Py_None) : NULL;
}

static void source_finalize(PyObject *obj)
{
    source *self = (source *)obj;
    if (self->runner)
        pypst_owner_warn(&self->owner, obj);
}

static void source_dealloc(PyObject *obj)
{
    source *self = (source *)obj;
    PyTypeObject *type = Py_TYPE(obj);
    if (PyObject_CallFinalizerFromDealloc(obj) < 0)
        return;
    if (self->owner.common && pypst_owner_is_here(&self->owner)) {
        release(self);
        if (!pypst_runner_stuck(self->runner))
            pypst_settings_done(&self->settings);
    }
    freefunc release_memory = PyType_GetSlot(type, Py_tp_free);
    release_memory(obj);
    Py_DECREF(type);
}

/* ---- records ---- */

static void step(void *arg)
{
    source *self = arg;
    if (!self->steps)
        self->rc = pst_source_steps_new(&self->steps, self->settings.connector,
                                        self->settings.conf, &self->env, &self->err);
    if (self->rc == PST_OK && self->unacknowledged)
        self->rc = pst_source_steps_commit(self->steps, &self->err);
    if (self->rc != PST_OK)
        return;
    self->unacknowledged = false;
    self->rc = pst_source_steps_next(self->steps, STEP_MS, &self->records, &self->n,
                                     &self->finished, &self->err);
    self->unacknowledged = self->rc == PST_OK && self->n > 0;
}

static int start_runner(source *self)
{
    pst_err err = PST_ERR_INIT;
    if (!self->runner)
        self->runner = pypst_runner_new(&err);
    return self->runner ? 0 : (pypst_raise(self->owner.common, &err), -1);
}

/* After a signal's exception: the next call may wait again. */
static int renew_cancel(source *self)
{
    if (!pst_cancelled(self->env.cancel) || pypst_runner_stuck(self->runner))
        return 0;
    pst_cancel *fresh = pst_cancel_new();
    if (!fresh)
        return PyErr_NoMemory(), -1;
    pst_cancel_free(self->env.cancel);
    self->env.cancel = fresh;
    return 0;
}

/* Fills records. -1 with an exception. */
static int fetch(source *self)
{
    if (pypst_runner_stuck(self->runner))
        return call(self, step); /* says so */
    if (start_runner(self) < 0 || renew_cancel(self) < 0)
        return -1;
    self->at = self->n = 0;
    while (self->n == 0 && !self->finished) {
        self->rc = PST_OK;
        pst_err_clear(&self->err);
        if (call(self, step) < 0)
            return -1;
        if (self->rc != PST_OK) {
            self->n = 0;
            return pypst_raise(self->owner.common, &self->err), -1;
        }
    }
    return 0;
}

static PyObject *bytes_of(pst_sv value)
{
    return value.p ? PyBytes_FromStringAndSize(value.p, (Py_ssize_t)value.n)
                   : Py_NewRef(Py_None);
}

static PyObject *make_record(source *self, const pst_source_record *record)
{
    PyObject *out = PyStructSequence_New(self->record_type);
    if (!out)
        return NULL;
    PyStructSequence_SetItem(out, 0, pypst_text(record->topic));
    PyStructSequence_SetItem(out, 1, bytes_of(record->key));
    PyStructSequence_SetItem(out, 2, bytes_of(record->value));
    PyStructSequence_SetItem(out, 3,
                             record->timestamp_ms
                                 ? PyLong_FromLongLong(record->timestamp_ms)
                                 : Py_NewRef(Py_None));
    if (PyErr_Occurred())
        Py_CLEAR(out);
    return out;
}

static PyObject *source_next(PyObject *obj)
{
    source *self = (source *)obj;
    PyObject *record = NULL;
    if (!pypst_owner_enter(&self->owner, CLASS_NAME))
        return NULL;
    bool some = self->at < self->n && !pypst_runner_stuck(self->runner);
    if ((some || fetch(self) == 0) && self->at < self->n)
        record = make_record(self, &self->records[self->at++]);
    pypst_owner_leave(&self->owner);
    return record; /* NULL without an exception: the end */
}

/* ---- the type ---- */

static PyObject *source_enter(PyObject *obj, PyObject *unused)
{
    (void)unused;
    return pypst_owner_usable(&((source *)obj)->owner, CLASS_NAME) ? Py_NewRef(obj)
                                                                   : NULL;
}

static PyObject *source_exit(PyObject *obj, PyObject *args)
{
    (void)args;
    return source_close(obj, NULL);
}

static PyObject *source_repr(PyObject *obj)
{
    source *self = (source *)obj;
    PyObject *shown = pypst_settings_shown(&self->settings);
    PyObject *text =
        shown ? PyUnicode_FromFormat("<%s%s %R>", CLASS_NAME,
                                     self->owner.closed ? " (closed)" : "", shown)
              : NULL;
    Py_XDECREF(shown);
    return text;
}

static PyObject *source_config(PyObject *obj, void *unused)
{
    (void)unused;
    return pypst_settings_shown(&((source *)obj)->settings);
}

static PyObject *source_closed(PyObject *obj, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((source *)obj)->owner.closed);
}

static PyMethodDef methods[] = {
    {"close", source_close, METH_NOARGS,
     "close($self, /)\n--\n\nStop the source. Closing it again does nothing."},
    {"__enter__", source_enter, METH_NOARGS, NULL},
    {"__exit__", source_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"closed", source_closed, NULL, "True after close().", NULL},
    {"config", source_config, NULL, "The settings as given; secrets are masked.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(doc,
             "RandomUserSource(config)\n--\n\n"
             "The made-up people of the randomuser.me API, as an iterator of records,\n"
             "paced by users.per.second. config maps setting names to values, or is the\n"
             "path of a .properties file; kafka.topic is required. Settings are checked\n"
             "here (ConfigError); nothing is started before the first record.");

static PyType_Slot type_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)doc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, source_init},
    {Py_tp_dealloc, source_dealloc},
    {Py_tp_finalize, source_finalize},
    {Py_tp_repr, source_repr},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, source_next},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {0, NULL},
};

PyType_Spec pypst_source_type = {
    .name = "penstock._connectors.RandomUserSource",
    .basicsize = sizeof(source),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = type_slots,
};

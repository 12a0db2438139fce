/*
 * worker_module.c - penstock._worker: the types Worker and EmbeddedKafka, and functions
 * about settings and schemas. Nothing is started at import.
 */
#include "pyext/worker_module.h"
#include "pyext/runner.h"

#include "base/mem.h"
#include "record/infer.h"
#include "runtime/sample.h"
#include "runtime/worker.h"

#include <string.h>

enum { TEXT_MAX = 1024 * 1024 };

static pypst_common *common_of(PyObject *module)
{
    return &((pypst_worker_state *)PyModule_GetState(module))->common;
}

/* ---- settings ---- */

static PyObject *list_connectors(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < pst_connectors_n; i++) {
        const pst_connector *c = pst_connectors[i];
        PyObject *row = Py_BuildValue("sss", c->class_name, c->type, c->spec->doc);
        if (!row || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

static const pst_conf_spec *spec_of(const char *name)
{
    if (strcmp(name, "worker") == 0)
        return &pst_worker_spec;
    const pst_connector *connector = pst_connector_find(name);
    return connector ? connector->spec : NULL;
}

static PyObject *settings_help(PyObject *module, PyObject *arg)
{
    const char *name = PyUnicode_Check(arg) ? PyUnicode_AsUTF8(arg) : NULL;
    if (!name && !PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "the name must be a str");
    if (!name)
        return NULL;
    const pst_conf_spec *spec = spec_of(name);
    if (!spec)
        return pypst_raise_text(common_of(module), "not found",
                                "no settings have this name");
    pst_buf out;
    pst_buf_init(&out, TEXT_MAX);
    return pypst_text_take(&out, pst_conf_help(spec, &out));
}

static PyObject *is_secret(PyObject *module, PyObject *args)
{
    const char *name, *key;
    if (!PyArg_ParseTuple(args, "ss:is_secret", &name, &key))
        return NULL;
    const pst_conf_spec *spec = spec_of(name);
    if (!spec)
        return pypst_raise_text(common_of(module), "not found",
                                "no settings have this name");
    char *copy = pst_strdup(key);
    if (!copy)
        return PyErr_NoMemory();
    pst_prop prop = {.key = copy};
    bool secret = pst_conf_is_secret(spec, &prop);
    pst_free(copy);
    return PyBool_FromLong(secret);
}

/* ---- checking settings ---- */

typedef struct checked {
    pst_props worker, *connectors;
    size_t n;
    pst_conf_report report;
} checked;

static void checked_done(checked *c)
{
    for (size_t i = 0; i < c->n; i++)
        pst_props_done(&c->connectors[i]);
    pst_free(c->connectors);
    pst_props_done(&c->worker);
    pst_conf_report_done(&c->report);
}

/* The worker's settings may be None: then the connectors alone are checked. */
static int load(checked *c, PyObject *args)
{
    PyObject *worker = PyTuple_GET_ITEM(args, 0);
    size_t n = (size_t)PyTuple_GET_SIZE(args) - 1;
    c->connectors = pst_calloc(n + 1, sizeof *c->connectors);
    if (!c->connectors)
        return PyErr_NoMemory(), -1;
    c->n = n;
    if (worker == Py_None)
        (void)!pst_props_set(&c->worker, "bootstrap.servers", "localhost", NULL,
                             &c->report);
    else if (pypst_props_add(&c->worker, worker, &c->report) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (pypst_props_add(&c->connectors[i], PyTuple_GET_ITEM(args, (Py_ssize_t)i + 1),
                            &c->report) < 0)
            return -1;
    return 0;
}

static void check_worker_alone(checked *c)
{
    pst_worker_conf conf = {.bootstrap_servers = NULL};
    (void)!pst_conf_apply(&pst_worker_spec, &c->worker, &conf, &c->report);
    pst_conf_done(&pst_worker_spec, &conf);
}

static void check_all(checked *c)
{
    pst_worker *worker = NULL;
    pst_worker_options options = {
        .worker = &c->worker, .connectors = c->connectors, .n_connectors = c->n};
    (void)!pst_worker_new(&worker, &options, &c->report);
    pst_worker_free(worker);
}

static PyObject *check(PyObject *module, PyObject *args)
{
    (void)module;
    checked c = {.n = 0};
    if (PyTuple_GET_SIZE(args) == 0) {
        PyErr_SetString(PyExc_TypeError, "check() needs settings");
        return NULL;
    }
    pst_conf_report_init(&c.report);
    PyObject *result = NULL;
    if (load(&c, args) == 0) {
        if (c.n)
            check_all(&c);
        else
            check_worker_alone(&c);
        result = Py_BuildValue("NN", pypst_report_lines(&c.report, false),
                               pypst_report_lines(&c.report, true));
    }
    checked_done(&c);
    return result;
}

/* ---- schemas ---- */

typedef struct inference {
    const pypst_common *common;
    pst_infer *infer;
    size_t read, skipped;
    pst_sample sample;
    pst_props worker;
    bool unreachable;
    pst_rc rc;
    pst_err err;
} inference;

static pst_rc learn(inference *i, pst_sv value, pst_err *err)
{
    pst_err why = PST_ERR_INIT;
    i->read++;
    pst_rc rc = pst_infer_add(i->infer, value, &why);
    if (rc == PST_E_INVALID) {
        i->skipped++;
        return PST_OK;
    }
    if (rc != PST_OK)
        *err = why;
    return rc;
}

/* (ddl, records, of which no JSON objects). */
static PyObject *inferred(const inference *i)
{
    pst_err err = PST_ERR_INIT;
    pst_buf out;
    pst_buf_init(&out, TEXT_MAX);
    if (pst_infer_ddl(i->infer, &out, &err) != PST_OK) {
        pst_buf_done(&out);
        return pypst_raise(i->common, &err);
    }
    return Py_BuildValue("Nnn", pypst_text_take(&out, PST_OK), (Py_ssize_t)i->read,
                         (Py_ssize_t)i->skipped);
}

static int learn_object(inference *i, PyObject *value)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(value, &buffer, PyBUF_SIMPLE) < 0)
        return -1;
    pst_sv bytes = {buffer.buf, (size_t)buffer.len};
    pst_rc rc = learn(i, bytes, &i->err);
    PyBuffer_Release(&buffer);
    return rc == PST_OK ? 0 : (pypst_raise(i->common, &i->err), -1);
}

static PyObject *infer_values(PyObject *module, PyObject *values)
{
    inference i = {.common = common_of(module), .infer = pst_infer_new()};
    if (!i.infer)
        return PyErr_NoMemory();
    PyObject *iterator = PyObject_GetIter(values), *value;
    int rc = iterator ? 0 : -1;
    while (rc == 0 && (value = PyIter_Next(iterator))) {
        rc = learn_object(&i, value);
        Py_DECREF(value);
    }
    Py_XDECREF(iterator);
    PyObject *result = PyErr_Occurred() ? NULL : inferred(&i);
    pst_infer_free(i.infer);
    return result;
}

static pst_rc learn_message(void *self, const pst_msg *msg, pst_err *err)
{
    return learn(self, msg->value, err);
}

static void sample_job(void *arg)
{
    inference *i = arg;
    i->rc = pst_sample_run(&i->sample, &i->unreachable, &i->err);
}

static void interrupt_sample(void *arg)
{
    pst_cancel_set(((inference *)arg)->sample.cancel);
}

/* Runs the sampling; false with an exception. *stuck: nothing may be freed. */
static bool run_sample(inference *i, pypst_logring *ring, bool *stuck)
{
    pypst_runner *runner = pypst_runner_new(&i->err);
    if (!runner)
        return pypst_raise(i->common, &i->err), false;
    pypst_call call = {sample_job, interrupt_sample, i, ring, i->common, NULL, 0};
    int rc = pypst_runner_call(runner, &call);
    *stuck = pypst_runner_stuck(runner);
    if (*stuck)
        return false;
    pypst_runner_free(runner);
    if (rc == 0 && i->rc == PST_OK)
        return true;
    if (rc == 0)
        (void)(i->unreachable ? pypst_raise_unreachable : pypst_raise)(i->common,
                                                                       &i->err);
    return false;
}

static int load_worker(inference *i, PyObject *config)
{
    pst_conf_report report;
    pst_worker_conf conf = {.bootstrap_servers = NULL};
    pst_conf_report_init(&report);
    int rc = pypst_props_add(&i->worker, config, &report);
    if (rc == 0) {
        (void)!pst_conf_apply(&pst_worker_spec, &i->worker, &conf, &report);
        pst_conf_done(&pst_worker_spec, &conf);
        rc = pypst_report(i->common, &report);
    }
    pst_conf_report_done(&report);
    return rc;
}

static void inference_free(inference *i, pypst_logring *ring, char *topic)
{
    pst_infer_free(i->infer);
    pst_props_done(&i->worker);
    pst_cancel_free(i->sample.cancel);
    pst_free(i);
    pypst_logring_free(ring);
    pst_free(topic);
}

static PyObject *sample_and_infer(inference *i, PyObject *config, pypst_logring *ring,
                                  char *topic)
{
    bool stuck = false;
    PyObject *result = NULL;
    i->infer = pst_infer_new();
    i->sample.cancel = pst_cancel_new();
    i->sample.self = i;
    i->sample.each = learn_message;
    i->sample.worker = &i->worker;
    i->sample.topic = topic;
    i->sample.log = ring ? pypst_logring_log(ring) : NULL;
    if (!i->infer || !i->sample.cancel || !ring || !topic)
        PyErr_NoMemory();
    else if (load_worker(i, config) == 0 && run_sample(i, ring, &stuck))
        result = inferred(i);
    if (!stuck)
        inference_free(i, ring, topic);
    return result;
}

static PyObject *infer_topic(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"worker_config", "topic", "max_records",
                                        "timeout", NULL};
    PyObject *config;
    const char *topic;
    Py_ssize_t max = 1000;
    double timeout = 30;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Os|nd:infer_topic",
                                     PYPST_NAMES(names), &config, &topic, &max, &timeout))
        return NULL;
    if (max < 1 || !(timeout > 0 && timeout < 1e6)) {
        PyErr_SetString(PyExc_ValueError, "max_records and timeout must be above 0");
        return NULL;
    }
    inference *i = pst_calloc(1, sizeof *i);
    if (!i)
        return PyErr_NoMemory();
    i->common = common_of(module);
    i->sample.max = (size_t)max;
    i->sample.timeout_ms = (int64_t)(timeout * 1000);
    return sample_and_infer(i, config, pypst_logring_new(), pst_strdup(topic));
}

/* ---- the module ---- */

static PyMethodDef functions[] = {
    {"connectors", list_connectors, METH_NOARGS,
     "connectors()\n--\n\nThe connectors of this build: [(class, type, what it does)]."},
    {"settings_help", settings_help, METH_O,
     "settings_help(name, /)\n--\n\nThe settings of a connector's class, or of "
     "'worker', as text."},
    {"is_secret", is_secret, METH_VARARGS,
     "is_secret(name, key, /)\n--\n\nMust this setting's value never be shown? name as "
     "in settings_help()."},
    {"check", check, METH_VARARGS,
     "check(worker_config, /, *connector_configs)\n--\n\nCheck settings and start "
     "nothing: (errors, warnings), lines of text.\nworker_config may be None."},
    {"infer_values", infer_values, METH_O,
     "infer_values(values, /)\n--\n\nA Spark DDL out of JSON records (bytes): (ddl, "
     "records read, of which are no\nJSON objects)."},
    {"infer_topic", (PyCFunction)(void (*)(void))infer_topic,
     METH_VARARGS | METH_KEYWORDS,
     "infer_topic(worker_config, topic, max_records=1000, timeout=30.0)\n--\n\nThe same "
     "out of a topic's first records."},
    {"lag", (PyCFunction)(void (*)(void))pypst_lag, METH_VARARGS | METH_KEYWORDS,
     "lag(worker_config, name, topics, timeout=10.0)\n--\n\nHow far the connector "
     "`name` (the group connect-<name>) is behind its topics: a dict for each\n"
     "partition. timeout in seconds, for all of it. Nothing is read or committed."},
    {"group_facts", pypst_group_facts, METH_VARARGS,
     "group_facts(worker_config, group, topic, timeout=10.0, /)\n--\n\nA consumer group "
     "and a topic: (cluster, members, [(partition, low, end,\ncommitted or -1, "
     "metadata)])."},
    {"group_commit", pypst_group_commit, METH_VARARGS,
     "group_commit(worker_config, group, topic, offsets, timeout=10.0, /)\n--\n\nCommit "
     "offsets [(partition, offset, metadata)] for a group without members."},
    {"group_forget", pypst_group_forget, METH_VARARGS,
     "group_forget(worker_config, group, topic, offsets, timeout=10.0, /)\n--\n\nDelete "
     "the group's offsets of these partitions; refused while it has members."},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module, PyType_Spec *spec, PyObject **slot)
{
    *slot = PyType_FromModuleAndSpec(module, spec, NULL);
    return *slot ? PyModule_AddType(module, (PyTypeObject *)*slot) : -1;
}

static int module_exec(PyObject *module)
{
    pypst_worker_state *state = PyModule_GetState(module);
    if (pypst_common_init(&state->common) < 0 ||
        add_type(module, &pypst_worker_type, &state->worker) < 0 ||
        add_type(module, &pypst_embedded_type, &state->embedded) < 0 ||
        add_type(module, &pypst_store_type, &state->store) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "version", PST_VERSION);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    pypst_worker_state *state = PyModule_GetState(module);
    Py_VISIT(state->worker);
    Py_VISIT(state->embedded);
    Py_VISIT(state->store);
    return pypst_common_traverse(&state->common, visit, arg);
}

static int module_clear(PyObject *module)
{
    pypst_worker_state *state = PyModule_GetState(module);
    Py_CLEAR(state->worker);
    Py_CLEAR(state->embedded);
    Py_CLEAR(state->store);
    pypst_common_clear(&state->common);
    return 0;
}

static void module_free(void *module)
{
    (void)module_clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    /* Nothing is shared between interpreters: all is in the modules' state. */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

PyModuleDef pypst_worker_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "penstock._worker",
    .m_doc = "The worker, its settings, an embedded Kafka, schema inference.",
    .m_size = sizeof(pypst_worker_state),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__worker(void);

PyMODINIT_FUNC PyInit__worker(void)
{
    return PyModuleDef_Init(&pypst_worker_def);
}

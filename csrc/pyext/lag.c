/*
 * lag.c - penstock._worker.lag(): how far a connector is behind its topics, as a list of
 * dicts. What waits is in the core; see runner.h for how signals are honoured meanwhile.
 */
#include "pyext/runner.h"
#include "pyext/worker_module.h"

#include "base/mem.h"
#include "runtime/lag.h"
#include "runtime/worker.h"

#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 500, GROUP_BYTES = 512 };

typedef struct asking {
    const pypst_common *common;
    pypst_logring *ring;
    char group[GROUP_BYTES];
    pst_props worker;
    char **topics;
    pst_lag_query query;
    pst_lag *rows;
    size_t n;
    bool unreachable;
    pst_rc rc;
    pst_err err;
} asking;

static void asking_free(asking *a)
{
    if (!a)
        return;
    for (size_t i = 0; a->topics && i < a->query.n_topics; i++)
        pst_free(a->topics[i]);
    pst_free(a->topics);
    pst_free(a->rows);
    pst_props_done(&a->worker);
    pst_cancel_free(a->query.cancel);
    pypst_logring_free(a->ring);
    pst_free(a);
}

static int load_topics(asking *a, PyObject *topics)
{
    Py_ssize_t n = PySequence_Fast_GET_SIZE(topics);
    if (n < 1 || n > PST_LAG_TOPICS_MAX) {
        PyErr_Format(PyExc_ValueError, "lag() takes 1 to %d topics", PST_LAG_TOPICS_MAX);
        return -1;
    }
    a->topics = pst_calloc((size_t)n, sizeof *a->topics);
    if (!a->topics)
        return PyErr_NoMemory(), -1;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(topics, i);
        const char *name = PyUnicode_Check(item) ? PyUnicode_AsUTF8(item) : NULL;
        if (!name && !PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "topics must be a sequence of str");
        if (!name)
            return -1;
        a->topics[i] = pst_strdup(name);
        if (!a->topics[i])
            return PyErr_NoMemory(), -1;
        a->query.n_topics++;
    }
    a->query.topics = (const char *const *)a->topics;
    return 0;
}

static int load_worker(asking *a, PyObject *config)
{
    pst_conf_report report;
    pst_worker_conf conf = {.bootstrap_servers = NULL};
    pst_conf_report_init(&report);
    int rc = pypst_props_add(&a->worker, config, &report);
    if (rc == 0) {
        (void)!pst_conf_apply(&pst_worker_spec, &a->worker, &conf, &report);
        pst_conf_done(&pst_worker_spec, &conf);
        rc = pypst_report(a->common, &report);
    }
    pst_conf_report_done(&report);
    return rc;
}

static PyObject *row_dict(const pst_lag *row)
{
    PyObject *dict = PyDict_New();
    PyObject *committed = row->committed == PST_OFFSET_NONE
                              ? Py_NewRef(Py_None)
                              : PyLong_FromLongLong(row->committed);
    int rc = dict ? 0 : -1;
    if (rc == 0)
        rc = pypst_dict_take(dict, "topic", pypst_text(row->topic));
    if (rc == 0)
        rc = pypst_dict_take(dict, "partition", PyLong_FromLong(row->partition));
    if (rc == 0)
        rc = pypst_dict_take(dict, "committed", Py_XNewRef(committed));
    if (rc == 0)
        rc = pypst_dict_take(dict, "end", PyLong_FromLongLong(row->end));
    if (rc == 0)
        rc = pypst_dict_take(dict, "lag", PyLong_FromLongLong(pst_lag_records(row)));
    Py_XDECREF(committed);
    if (rc < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *rows_list(const asking *a)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < a->n; i++) {
        PyObject *dict = row_dict(&a->rows[i]);
        if (!dict || PyList_Append(list, dict) < 0)
            Py_CLEAR(list);
        Py_XDECREF(dict);
    }
    return list;
}

static void ask_job(void *arg)
{
    asking *a = arg;
    a->rc = pst_lag_ask(&a->query, &a->rows, &a->n, &a->unreachable, &a->err);
}

static void interrupt_ask(void *arg)
{
    pst_cancel_set(((asking *)arg)->query.cancel);
}

/* The list, or NULL with an exception; *stuck: nothing may be freed. */
static PyObject *ask(asking *a, bool *stuck)
{
    pypst_runner *runner = pypst_runner_new(&a->err);
    if (!runner)
        return pypst_raise(a->common, &a->err);
    pypst_call call = {ask_job, interrupt_ask, a, a->ring, a->common};
    int rc = pypst_runner_call(runner, &call);
    *stuck = pypst_runner_stuck(runner);
    if (*stuck)
        return NULL;
    pypst_runner_free(runner);
    if (rc < 0)
        return NULL;
    if (a->rc != PST_OK)
        return (a->unreachable ? pypst_raise_unreachable : pypst_raise)(a->common,
                                                                        &a->err);
    return rows_list(a);
}

static asking *asking_new(const pypst_common *common, const char *name, double timeout)
{
    asking *a = pst_calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->common = common;
    a->ring = pypst_logring_new();
    a->query.cancel = pst_cancel_new();
    a->query.worker = &a->worker;
    a->query.group = a->group;
    a->query.timeout_ms = (int64_t)(timeout * 1000);
    if (!a->ring || !a->query.cancel) {
        asking_free(a);
        return NULL;
    }
    a->query.log = pypst_logring_log(a->ring);
    snprintf(a->group, sizeof a->group, "connect-%s", name);
    return a;
}

PyObject *pypst_lag(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"worker_config", "name", "topics", "timeout",
                                        NULL};
    PyObject *config, *topics;
    const char *name;
    double timeout = 10;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OsO|d:lag", PYPST_NAMES(names),
                                     &config, &name, &topics, &timeout))
        return NULL;
    if (!(timeout > 0 && timeout < 1e6) || strlen(name) > NAME_MAX_BYTES) {
        PyErr_Format(PyExc_ValueError,
                     "timeout must be above 0, and name have at most %d bytes",
                     NAME_MAX_BYTES);
        return NULL;
    }
    PyObject *sequence =
        PyUnicode_Check(topics) ? NULL : PySequence_Fast(topics, "topics: no sequence");
    if (!sequence) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "topics must be a sequence of str");
        return NULL;
    }
    pypst_worker_state *state = PyModule_GetState(module);
    asking *a = asking_new(&state->common, name, timeout);
    PyObject *result = NULL;
    bool stuck = false;
    if (!a)
        PyErr_NoMemory();
    else if (load_topics(a, sequence) == 0 && load_worker(a, config) == 0)
        result = ask(a, &stuck);
    Py_DECREF(sequence);
    if (!stuck)
        asking_free(a);
    return result;
}

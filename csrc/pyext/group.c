/*
 * group.c - a consumer group from outside: lag(), and group_facts(), group_commit() and
 * group_forget() for `penstock chain`. What waits is in the core; see runner.h for how
 * signals are honoured meanwhile.
 */
#include "pyext/runner.h"
#include "pyext/worker_module.h"

#include "base/mem.h"
#include "runtime/group.h"
#include "runtime/worker.h"

#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 500, GROUP_MAX_BYTES = NAME_MAX_BYTES + 8 /* "connect-" */ };

typedef enum question { LAG, FACTS, COMMIT, FORGET } question;

typedef struct asking {
    const pypst_common *common;
    pypst_logring *ring;
    char *group;
    char **topics;
    pst_props worker;
    pst_group_query query;
    pst_group_facts facts; /* the answer, or what is to be told */
    question what;
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
    pst_group_facts_done(&a->facts);
    pst_props_done(&a->worker);
    pst_cancel_free(a->query.cancel);
    pypst_logring_free(a->ring);
    pst_free(a->group);
    pst_free(a);
}

/* The group is `prefix` and `name`. NULL with an exception. */
static asking *asking_new(PyObject *module, question what, const char *prefix,
                          const char *name, double timeout)
{
    pypst_worker_state *state = PyModule_GetState(module);
    size_t size = strlen(prefix) + strlen(name) + 1;
    if (!(timeout > 0 && timeout < 1e6) || size > GROUP_MAX_BYTES + 1)
        return PyErr_Format(PyExc_ValueError,
                            "timeout must be above 0, and name have at most %d bytes",
                            NAME_MAX_BYTES),
               NULL;
    asking *a = pst_calloc(1, sizeof *a);
    if (!a)
        return PyErr_NoMemory(), NULL;
    a->common = &state->common;
    a->what = what;
    a->ring = pypst_logring_new();
    a->query.cancel = pst_cancel_new();
    a->group = pst_malloc(size);
    if (!a->ring || !a->query.cancel || !a->group) {
        asking_free(a);
        return PyErr_NoMemory(), NULL;
    }
    snprintf(a->group, size, "%s%s", prefix, name);
    a->query.worker = &a->worker;
    a->query.client_id = what == LAG ? "penstock-lag" : "penstock-chain";
    a->query.group = a->group;
    a->query.members = what == FACTS;
    a->query.timeout_ms = (int64_t)(timeout * 1000);
    a->query.log = pypst_logring_log(a->ring);
    return a;
}

static int load_topics(asking *a, PyObject *topics)
{
    Py_ssize_t n = PySequence_Fast_GET_SIZE(topics);
    if (n < 1 || n > PST_GROUP_TOPICS_MAX) {
        PyErr_Format(PyExc_ValueError, "lag() takes 1 to %d topics",
                     PST_GROUP_TOPICS_MAX);
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

/* [(partition, offset, metadata)] */
static int load_rows(asking *a, PyObject *offsets)
{
    PyObject *sequence = PySequence_Fast(offsets, "offsets: no sequence");
    if (!sequence)
        return -1;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(sequence);
    int rc = n <= PST_GROUP_PARTITIONS_MAX ? 0 : -1;
    if (rc < 0)
        PyErr_SetString(PyExc_ValueError, "too many partitions");
    if (rc == 0) {
        a->facts.rows = pst_calloc((size_t)n + 1, sizeof *a->facts.rows);
        rc = a->facts.rows ? 0 : (PyErr_NoMemory(), -1);
    }
    for (Py_ssize_t i = 0; rc == 0 && i < n; i++) {
        pst_group_row *row = &a->facts.rows[i];
        PyObject *item = PySequence_Fast_GET_ITEM(sequence, i);
        const char *metadata;
        long long offset;
        if (!PyTuple_Check(item)) {
            PyErr_SetString(PyExc_TypeError, "offsets: no tuples");
            rc = -1;
        } else if (!PyArg_ParseTuple(item, "iLs", &row->partition, &offset, &metadata)) {
            rc = -1;
        } else {
            row->topic = a->topics[0];
            row->committed = offset;
            row->metadata = pst_strdup(metadata);
            a->facts.n++;
            rc = row->metadata ? 0 : (PyErr_NoMemory(), -1);
        }
    }
    Py_DECREF(sequence);
    return rc;
}

static void job(void *arg)
{
    asking *a = arg;
    pst_group_facts *facts = &a->facts;
    if (a->what == COMMIT || a->what == FORGET)
        a->rc = (a->what == COMMIT ? pst_group_commit : pst_group_forget)(
            &a->query, facts->rows, facts->n, &a->unreachable, &a->err);
    else
        a->rc = pst_group_ask(&a->query, facts, &a->unreachable, &a->err);
}

static void interrupt(void *arg)
{
    pst_cancel_set(((asking *)arg)->query.cancel);
}

/* 0, or -1 with an exception; *stuck: nothing may be freed. */
static int run(asking *a, bool *stuck)
{
    pypst_runner *runner = pypst_runner_new(&a->err);
    if (!runner)
        return (void)pypst_raise(a->common, &a->err), -1;
    pypst_call call = {job, interrupt, a, a->ring, a->common, NULL, 0};
    int rc = pypst_runner_call(runner, &call);
    *stuck = pypst_runner_stuck(runner);
    if (*stuck)
        return -1;
    pypst_runner_free(runner);
    if (rc == 0 && a->rc != PST_OK) {
        (void)(a->unreachable ? pypst_raise_unreachable : pypst_raise)(a->common,
                                                                       &a->err);
        rc = -1;
    }
    return rc;
}

/* ---- the answers ---- */

static PyObject *row_dict(const pst_group_row *row)
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
        rc = pypst_dict_take(dict, "lag", PyLong_FromLongLong(pst_group_lag(row)));
    Py_XDECREF(committed);
    if (rc < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *row_tuple(const pst_group_row *row)
{
    return Py_BuildValue("(iLLLN)", row->partition, (long long)row->low,
                         (long long)row->end, (long long)row->committed,
                         pypst_text(row->metadata ? row->metadata : ""));
}

static PyObject *rows_list(const pst_group_facts *facts,
                           PyObject *(*make)(const pst_group_row *row))
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < facts->n; i++) {
        PyObject *item = make(&facts->rows[i]);
        if (!item || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *answer(const asking *a)
{
    if (a->what == COMMIT || a->what == FORGET)
        Py_RETURN_NONE;
    if (a->what == LAG)
        return rows_list(&a->facts, row_dict);
    PyObject *rows = rows_list(&a->facts, row_tuple);
    return rows ? Py_BuildValue("(NiN)", pypst_text(a->facts.cluster), a->facts.members,
                                rows)
                : NULL;
}

/* Takes a (NULL: an exception is set) and `topics`. */
static PyObject *ask(asking *a, PyObject *config, PyObject *topics, PyObject *offsets)
{
    PyObject *result = NULL;
    bool stuck = false;
    if (a && topics && load_topics(a, topics) == 0 && load_worker(a, config) == 0 &&
        (!offsets || load_rows(a, offsets) == 0) && run(a, &stuck) == 0)
        result = answer(a);
    Py_XDECREF(topics);
    if (!stuck)
        asking_free(a);
    return result;
}

/* ---- the functions ---- */

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
    PyObject *sequence =
        PyUnicode_Check(topics) ? NULL : PySequence_Fast(topics, "topics: no sequence");
    if (!sequence) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "topics must be a sequence of str");
        return NULL;
    }
    return ask(asking_new(module, LAG, "connect-", name, timeout), config, sequence,
               NULL);
}

static PyObject *ask_group(PyObject *module, PyObject *args, question what)
{
    PyObject *config, *topic, *offsets = NULL;
    const char *group;
    double timeout = 10;
    if (what == FACTS ? !PyArg_ParseTuple(args, "OsU|d:group_facts", &config, &group,
                                          &topic, &timeout)
                      : !PyArg_ParseTuple(args, "OsUO|d:group_commit", &config, &group,
                                          &topic, &offsets, &timeout))
        return NULL;
    return ask(asking_new(module, what, "", group, timeout), config,
               Py_BuildValue("(O)", topic), offsets);
}

PyObject *pypst_group_facts(PyObject *module, PyObject *args)
{
    return ask_group(module, args, FACTS);
}

PyObject *pypst_group_commit(PyObject *module, PyObject *args)
{
    return ask_group(module, args, COMMIT);
}

PyObject *pypst_group_forget(PyObject *module, PyObject *args)
{
    return ask_group(module, args, FORGET);
}

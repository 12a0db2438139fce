/*
 * group.c - a consumer group from outside: group_facts(), group_commit(), group_forget().
 * What waits is in the core; see runner.h for how signals are honoured meanwhile.
 */
#include "pyext/runner.h"
#include "pyext/worker_module.h"

#include "base/mem.h"
#include "runtime/group.h"
#include "runtime/worker.h"

typedef struct asking {
    const pypst_common *common;
    pypst_logring *ring;
    char *group, *topic;
    pst_props worker;
    pst_group_query query;
    pst_group_facts facts; /* the answer, or what is to be told */
    enum { ASK, COMMIT, FORGET } what;
    bool unreachable;
    pst_rc rc;
    pst_err err;
} asking;

static void asking_free(asking *a)
{
    if (!a)
        return;
    pst_group_facts_done(&a->facts);
    pst_props_done(&a->worker);
    pst_cancel_free(a->query.cancel);
    pypst_logring_free(a->ring);
    pst_free(a->group);
    pst_free(a->topic);
    pst_free(a);
}

static asking *asking_new(const pypst_common *common, const char *group,
                          const char *topic, double timeout)
{
    asking *a = pst_calloc(1, sizeof *a);
    if (!a)
        return PyErr_NoMemory(), NULL;
    a->common = common;
    a->ring = pypst_logring_new();
    a->query.cancel = pst_cancel_new();
    a->group = pst_strdup(group);
    a->topic = pst_strdup(topic);
    if (!a->ring || !a->query.cancel || !a->group || !a->topic) {
        asking_free(a);
        return PyErr_NoMemory(), NULL;
    }
    a->query.worker = &a->worker;
    a->query.group = a->group;
    a->query.topic = a->topic;
    a->query.timeout_ms = (int64_t)(timeout * 1000);
    a->query.log = pypst_logring_log(a->ring);
    return a;
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
            row->committed = offset;
            snprintf(row->metadata, sizeof row->metadata, "%s", metadata);
            a->facts.n++;
        }
    }
    Py_DECREF(sequence);
    return rc;
}

static void job(void *arg)
{
    asking *a = arg;
    pst_group_facts *facts = &a->facts;
    if (a->what == ASK)
        a->rc = pst_group_ask(&a->query, facts, &a->unreachable, &a->err);
    else
        a->rc = (a->what == COMMIT ? pst_group_commit : pst_group_forget)(
            &a->query, facts->rows, facts->n, &a->unreachable, &a->err);
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
    pypst_call call = {job, interrupt, a, a->ring, a->common};
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

static PyObject *rows_list(const pst_group_facts *facts)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < facts->n; i++) {
        const pst_group_row *row = &facts->rows[i];
        PyObject *item = Py_BuildValue("(iLLLN)", row->partition, (long long)row->low,
                                       (long long)row->end, (long long)row->committed,
                                       pypst_text(row->metadata));
        if (!item || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *answer(const asking *a)
{
    PyObject *rows = a->what == ASK ? rows_list(&a->facts) : NULL;
    if (a->what != ASK)
        Py_RETURN_NONE;
    return rows ? Py_BuildValue("(NiN)", pypst_text(a->facts.cluster), a->facts.members,
                                rows)
                : NULL;
}

static PyObject *call(PyObject *module, PyObject *args, int what)
{
    PyObject *config, *offsets = NULL;
    const char *group, *topic;
    double timeout = 10;
    if (what == ASK ? !PyArg_ParseTuple(args, "Oss|d:group_facts", &config, &group,
                                        &topic, &timeout)
                    : !PyArg_ParseTuple(args, "OssO|d:group_commit", &config, &group,
                                        &topic, &offsets, &timeout))
        return NULL;
    if (!(timeout > 0 && timeout < 1e6))
        return PyErr_Format(PyExc_ValueError, "timeout must be above 0");
    pypst_worker_state *state = PyModule_GetState(module);
    asking *a = asking_new(&state->common, group, topic, timeout);
    PyObject *result = NULL;
    bool stuck = false;
    if (!a)
        return NULL;
    a->what = what == ASK ? ASK : what == COMMIT ? COMMIT : FORGET;
    if (load_worker(a, config) == 0 && (!offsets || load_rows(a, offsets) == 0) &&
        run(a, &stuck) == 0)
        result = answer(a);
    if (!stuck)
        asking_free(a);
    return result;
}

PyObject *pypst_group_facts(PyObject *module, PyObject *args)
{
    return call(module, args, ASK);
}

PyObject *pypst_group_commit(PyObject *module, PyObject *args)
{
    return call(module, args, COMMIT);
}

PyObject *pypst_group_forget(PyObject *module, PyObject *args)
{
    return call(module, args, FORGET);
}

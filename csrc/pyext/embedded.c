/*
 * embedded.c - EmbeddedKafka: librdkafka's in-process cluster, for demos and tests.
 * Nothing survives it.
 */
#include "pyext/worker_module.h"

#include "io/kafka.h"

static const char CLASS_NAME[] = "EmbeddedKafka";

typedef struct embedded {
    PyObject_HEAD pypst_owner owner;
    pst_mock_kafka *mock;
} embedded;

static int embedded_init(PyObject *obj, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"brokers", NULL};
    embedded *self = (embedded *)obj;
    int brokers = 1;
    pypst_worker_state *state = pypst_worker_state_of(Py_TYPE(obj));
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "|i:EmbeddedKafka",
                                               PYPST_NAMES(names), &brokers))
        return -1;
    if (self->owner.common) {
        PyErr_SetString(PyExc_TypeError, "EmbeddedKafka can be initialised once only");
        return -1;
    }
    pst_err err = PST_ERR_INIT;
    pst_rc rc;
    Py_BEGIN_ALLOW_THREADS rc = pst_mock_kafka_new(&self->mock, brokers, &err);
    Py_END_ALLOW_THREADS if (rc != PST_OK) return pypst_raise(&state->common, &err), -1;
    pypst_owner_init(&self->owner, &state->common);
    return 0;
}

static void release(embedded *self)
{
    pst_mock_kafka *mock = self->mock;
    self->mock = NULL;
    Py_BEGIN_ALLOW_THREADS pst_mock_kafka_free(mock);
    Py_END_ALLOW_THREADS
}

static PyObject *embedded_close(PyObject *obj, PyObject *unused)
{
    (void)unused;
    embedded *self = (embedded *)obj;
    if (!self->owner.common || self->owner.closed)
        Py_RETURN_NONE;
    if (!pypst_owner_is_here(&self->owner)) {
        self->owner.closed = true;
        Py_RETURN_NONE;
    }
    if (!pypst_owner_enter(&self->owner, CLASS_NAME))
        return NULL;
    self->owner.closed = true;
    release(self);
    pypst_owner_leave(&self->owner);
    Py_RETURN_NONE;
}

static void embedded_finalize(PyObject *obj)
{
    pypst_owner_warn(&((embedded *)obj)->owner, obj);
}

static void embedded_dealloc(PyObject *obj)
{
    embedded *self = (embedded *)obj;
    PyTypeObject *type = Py_TYPE(obj);
    if (PyObject_CallFinalizerFromDealloc(obj) < 0)
        return;
    if (self->mock && pypst_owner_is_here(&self->owner))
        release(self);
    freefunc release_memory = PyType_GetSlot(type, Py_tp_free);
    release_memory(obj);
    Py_DECREF(type);
}

static PyObject *embedded_create_topic(PyObject *obj, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"topic", "partitions", NULL};
    embedded *self = (embedded *)obj;
    const char *topic;
    int partitions = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|i:create_topic", PYPST_NAMES(names),
                                     &topic, &partitions) ||
        !pypst_owner_enter(&self->owner, CLASS_NAME))
        return NULL;
    pst_err err = PST_ERR_INIT;
    pst_rc rc;
    Py_BEGIN_ALLOW_THREADS rc =
        pst_mock_kafka_create_topic(self->mock, topic, partitions, &err);
    Py_END_ALLOW_THREADS pypst_owner_leave(&self->owner);
    return rc == PST_OK ? Py_NewRef(Py_None) : pypst_raise(self->owner.common, &err);
}

static PyObject *embedded_bootstrap(PyObject *obj, void *unused)
{
    (void)unused;
    embedded *self = (embedded *)obj;
    return pypst_owner_usable(&self->owner, CLASS_NAME)
               ? pypst_text(pst_mock_kafka_bootstrap(self->mock))
               : NULL;
}

static PyObject *embedded_enter(PyObject *obj, PyObject *unused)
{
    (void)unused;
    return pypst_owner_usable(&((embedded *)obj)->owner, CLASS_NAME) ? Py_NewRef(obj)
                                                                     : NULL;
}

static PyObject *embedded_exit(PyObject *obj, PyObject *args)
{
    (void)args;
    return embedded_close(obj, NULL);
}

static PyMethodDef methods[] = {
    {"create_topic", (PyCFunction)(void (*)(void))embedded_create_topic,
     METH_VARARGS | METH_KEYWORDS,
     "create_topic($self, /, topic, partitions=1)\n--\n\nMake a topic."},
    {"close", embedded_close, METH_NOARGS,
     "close($self, /)\n--\n\nEnd the cluster; all its records are gone."},
    {"__enter__", embedded_enter, METH_NOARGS, NULL},
    {"__exit__", embedded_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"bootstrap", embedded_bootstrap, NULL, "For bootstrap.servers.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(doc, "EmbeddedKafka(brokers=1)\n--\n\n"
                  "A Kafka cluster inside this process, on loopback ports, in memory.");

static PyType_Slot type_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)doc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, embedded_init},
    {Py_tp_dealloc, embedded_dealloc},
    {Py_tp_finalize, embedded_finalize},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {0, NULL},
};

PyType_Spec pypst_embedded_type = {
    .name = "penstock._worker.EmbeddedKafka",
    .basicsize = sizeof(embedded),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = type_slots,
};

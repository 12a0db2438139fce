/*
 * worker_module.h - the state of penstock._worker and the types that live in it.
 */
#ifndef PST_PYEXT_WORKER_MODULE_H
#define PST_PYEXT_WORKER_MODULE_H

#include "pyext/common.h"

typedef struct pypst_worker_state {
    pypst_common common;
    PyObject *worker, *embedded, *store; /* types */
} pypst_worker_state;

extern PyModuleDef pypst_worker_def;
extern PyType_Spec pypst_worker_type, pypst_embedded_type, pypst_store_type;

/* group.c: a consumer group from outside. */
PyObject *pypst_lag(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *pypst_group_facts(PyObject *module, PyObject *args);
PyObject *pypst_group_commit(PyObject *module, PyObject *args);
PyObject *pypst_group_forget(PyObject *module, PyObject *args);

/* Of the module that the object's type, or a base of it, was made in; borrowed. */
static inline pypst_worker_state *pypst_worker_state_of(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &pypst_worker_def);
    return module ? PyModule_GetState(module) : NULL;
}

#endif

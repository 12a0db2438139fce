/*
 * connectors_module.h - the state of penstock._connectors and the types that live in it.
 */
#ifndef PST_PYEXT_CONNECTORS_MODULE_H
#define PST_PYEXT_CONNECTORS_MODULE_H

#include "pyext/common.h"

typedef struct pypst_connectors_state {
    pypst_common common;
    PyObject *record, *source, *sink; /* types */
} pypst_connectors_state;

extern PyModuleDef pypst_connectors_def;
extern PyType_Spec pypst_source_type, pypst_sink_type;

/* Of the module that the object's type, or a base of it, was made in; borrowed. */
static inline pypst_connectors_state *pypst_connectors_state_of(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &pypst_connectors_def);
    return module ? PyModule_GetState(module) : NULL;
}

#endif

/*
 * connectors_module.c - penstock._connectors: the types RandomUserSource and S3CsvSink,
 * and the Record that a source gives. Nothing is started at import.
 */
#include "pyext/connectors_module.h"

static PyStructSequence_Field record_fields[] = {
    {"topic", "the topic it is meant for"},
    {"key", "bytes, or None"},
    {"value", "bytes, or None"},
    {"timestamp", "milliseconds since 1970, or None: when it is produced"},
    {NULL, NULL},
};

static PyStructSequence_Desc record_desc = {
    .name = "penstock._connectors.Record",
    .doc = "A record that a source made, before Kafka gave it a partition and an offset.",
    .fields = record_fields,
    .n_in_sequence = 4,
};

static int add_type(PyObject *module, PyType_Spec *spec, PyObject **slot)
{
    *slot = PyType_FromModuleAndSpec(module, spec, NULL);
    return *slot ? PyModule_AddType(module, (PyTypeObject *)*slot) : -1;
}

static int module_exec(PyObject *module)
{
    pypst_connectors_state *state = PyModule_GetState(module);
    if (pypst_common_init(&state->common) < 0)
        return -1;
    state->record = (PyObject *)PyStructSequence_NewType(&record_desc);
    if (!state->record || PyModule_AddType(module, (PyTypeObject *)state->record) < 0)
        return -1;
    if (add_type(module, &pypst_source_type, &state->source) < 0)
        return -1;
    return add_type(module, &pypst_sink_type, &state->sink);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    pypst_connectors_state *state = PyModule_GetState(module);
    Py_VISIT(state->record);
    Py_VISIT(state->source);
    Py_VISIT(state->sink);
    return pypst_common_traverse(&state->common, visit, arg);
}

static int module_clear(PyObject *module)
{
    pypst_connectors_state *state = PyModule_GetState(module);
    Py_CLEAR(state->record);
    Py_CLEAR(state->source);
    Py_CLEAR(state->sink);
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

PyModuleDef pypst_connectors_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "penstock._connectors",
    .m_doc = "The connectors as Python types.",
    .m_size = sizeof(pypst_connectors_state),
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__connectors(void);

PyMODINIT_FUNC PyInit__connectors(void)
{
    return PyModuleDef_Init(&pypst_connectors_def);
}

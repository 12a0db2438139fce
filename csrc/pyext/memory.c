/*
 * memory.c - see memory.h.
 */
#include "pyext/memory.h"

enum { MEMORY_MIN = 8 * 1024 * 1024, SPOOL_MIN = 1024 * 1024 };

static int open_spool(pypst_memory *memory, const pypst_common *common,
                      const pypst_memory_arguments *arguments)
{
    PyObject *path = NULL;
    pst_err err = PST_ERR_INIT;
    if (!PyUnicode_FSConverter(arguments->spool_dir, &path))
        return -1;
    pst_rc rc = pst_spool_new(&memory->spool, PyBytes_AS_STRING(path),
                              arguments->spool_max_bytes, &err);
    Py_DECREF(path);
    if (rc == PST_OK)
        return 0;
    pst_err_context(&err, "spool_dir");
    return pypst_raise(common, &err), -1;
}

int pypst_memory_init(pypst_memory *memory, const pypst_common *common,
                      const pypst_memory_arguments *arguments)
{
    if (arguments->buffer_memory < MEMORY_MIN)
        return PyErr_Format(PyExc_ValueError, "buffer_memory must be at least %d",
                            (int)MEMORY_MIN),
               -1;
    if (arguments->spool_max_bytes < SPOOL_MIN)
        return PyErr_Format(PyExc_ValueError, "spool_max_bytes must be at least %d",
                            (int)SPOOL_MIN),
               -1;
    memory->budget.limit = arguments->buffer_memory;
    if (!arguments->spool_dir || arguments->spool_dir == Py_None)
        return 0;
    return open_spool(memory, common, arguments);
}

void pypst_memory_done(pypst_memory *memory)
{
    pst_spool_free(memory->spool);
    memory->spool = NULL;
}

/*
 * memory.h - what an object of Python's may hold: bytes in memory, and in files beyond
 * (buffer.memory, spool.dir and spool.max.bytes of a worker).
 */
#ifndef PENSTOCK_PYEXT_MEMORY_H
#define PENSTOCK_PYEXT_MEMORY_H

#include "pyext/common.h"

#include "base/spool.h"
#include "runtime/budget.h"

typedef struct pypst_memory {
    pst_budget budget;
    pst_spool *spool; /* NULL: none */
} pypst_memory;

/* The arguments as Python gives them: numbers of bytes, and None or a path. */
typedef struct pypst_memory_arguments {
    long long buffer_memory, spool_max_bytes;
    PyObject *spool_dir;
} pypst_memory_arguments;

#define PYPST_MEMORY_DEFAULTS                                                            \
    {                                                                                    \
        64LL << 20, 10LL << 30, NULL                                                     \
    }

/* 0, or -1 with an exception. */
int pypst_memory_init(pypst_memory *memory, const pypst_common *common,
                      const pypst_memory_arguments *arguments);
void pypst_memory_done(pypst_memory *memory); /* after all that lies in it */

#endif

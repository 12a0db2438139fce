/*
 * logring.h - the core's log lines on their way to Python's `logging`.
 *
 * The core logs from threads of its own, which must never call Python. They put their
 * lines into a bounded ring; whoever waits for the core in Python's thread takes them out
 * between two slices of the wait. When the ring is full the oldest line goes, and the
 * number of those gone is logged.
 */
#ifndef PST_PYEXT_LOGRING_H
#define PST_PYEXT_LOGRING_H

#include "pyext/common.h"

typedef struct pypst_logring pypst_logring;

/* NULL when out of memory (no exception is set). */
pypst_logring *pypst_logring_new(void);
void pypst_logring_free(pypst_logring *ring); /* after all that log to it; NULL is fine */
pst_log *pypst_logring_log(pypst_logring *ring);
/* Hands all lines to logging. -1 with an exception, which may be a signal's. */
int pypst_logring_drain(pypst_logring *ring, const pypst_common *common);

#endif

/*
 * reload.h - SIGHUP: the files of the command line are read again. Connectors come, go
 * and change, the log's levels and format too; with an error in any file nothing is
 * changed.
 */
#ifndef PST_DAEMON_RELOAD_H
#define PST_DAEMON_RELOAD_H

#include "daemon/files.h"
#include "runtime/worker.h"

typedef struct pst_reload {
    pst_worker *worker;
    const pst_daemon_options *options;
    const pst_daemon_files *files; /* as they were at the start */
    pst_log *log;
    bool may_be_empty; /* connectors may be made over REST */
    unsigned times; /* 0 at first; stands in each line: none is held back as a repeat */
} pst_reload;

/* Says in the log what it did, or what is wrong where. */
void pst_reload_run(pst_reload *reload);

#endif

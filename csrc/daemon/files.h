/*
 * files.h - the files of the command line: the worker's, then the connectors'. A folder
 * stands for the connectors in it: its *.properties, by name.
 */
#ifndef PST_DAEMON_FILES_H
#define PST_DAEMON_FILES_H

#include "conf/conf.h"
#include "daemon/options.h"

enum { PST_DAEMON_CONNECTORS_MAX = 1000 };

typedef struct pst_daemon_files {
    pst_props worker;
    pst_props *connectors;
    size_t n, cap;
} pst_daemon_files;

/* What is wrong goes to the report, of all files; what could be read is there then, too.
   `files` is initialised here. */
pst_rc pst_daemon_files_load(pst_daemon_files *files, const pst_daemon_options *options,
                             pst_conf_report *report) PST_MUST;
void pst_daemon_files_done(pst_daemon_files *files);

#endif

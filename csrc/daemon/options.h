/*
 * options.h - penstockd's command line.
 */
#ifndef PST_DAEMON_OPTIONS_H
#define PST_DAEMON_OPTIONS_H

#include "base/err.h"

typedef enum pst_daemon_mode {
    PST_DAEMON_RUN,
    PST_DAEMON_CHECK,
    PST_DAEMON_PRINT_CONFIG,
    PST_DAEMON_HELP,
    PST_DAEMON_VERSION,
    PST_DAEMON_MARKDOWN,
    PST_DAEMON_HASH_PASSWORD,
} pst_daemon_mode;

typedef struct pst_daemon_options {
    pst_daemon_mode mode;
    bool until_end;
    const char *topic; /* of --help: NULL, "worker" or a connector's class; a user */
    char **files;      /* worker first, then connectors */
    int n_files;
} pst_daemon_options;

/* PST_E_CONFIG: err says what is wrong with the command line. */
pst_rc pst_daemon_options_parse(pst_daemon_options *out, int argc, char **argv,
                                pst_err *err) PST_MUST;

extern const char pst_daemon_usage[];

#endif

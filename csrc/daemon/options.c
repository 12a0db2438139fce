/*
 * options.c - see options.h. The command line is connect-standalone's: the worker's file,
 * then one file a connector.
 */
#include "daemon/options.h"

#include <string.h>

const char pst_daemon_usage[] =
    "usage: penstockd [options] worker.properties CONNECTOR...\n"
    "\n"
    "Lands Kafka topics as CSV objects in S3, MinIO or a directory: an object every few\n"
    "seconds, every record exactly once.\n"
    "\n"
    "CONNECTOR is a connector's properties file, or a folder: all its *.properties.\n"
    "\n"
    "  --check          check all settings, report every problem, start nothing\n"
    "  --print-config   print all settings in force, secrets masked\n"
    "  --until-end      stop at the offsets that are the end now (Spark's availableNow)\n"
    "  --help [TOPIC]   this text, or all settings of TOPIC: worker, S3CsvSink,\n"
    "                   RandomUserSource\n"
    "  --hash-password NAME  a line for rest.auth.file; the password comes from stdin\n"
    "  --version        print the version\n"
    "\n"
    "examples:\n"
    "  penstockd worker.properties users-sink.properties\n"
    "  penstockd /etc/penstock/worker.properties /etc/penstock/connectors\n"
    "  penstockd --until-end worker.properties users-sink.properties\n"
    "  penstockd --check worker.properties users-source.properties "
    "users-sink.properties\n"
    "\n"
    "Signals: TERM or INT lands what is buffered, commits, and ends; a second one ends "
    "at\n"
    "once (the rest stays in Kafka). HUP reads the files again: connectors that are "
    "new,\n"
    "gone or changed start, end or go on by their new settings; the others are not "
    "touched.\n"
    "Exit status: 0 done, 1 a connector failed or a port is taken, 2 wrong settings or\n"
    "command line, 3 Kafka or the store could not be reached within "
    "startup.timeout.ms.\n";

typedef struct flag {
    const char *name;
    pst_daemon_mode mode;
} flag;

static const flag flags[] = {
    {"--check", PST_DAEMON_CHECK},
    {"--print-config", PST_DAEMON_PRINT_CONFIG},
    {"--help", PST_DAEMON_HELP},
    {"-h", PST_DAEMON_HELP},
    {"--version", PST_DAEMON_VERSION},
    {"--settings-markdown", PST_DAEMON_MARKDOWN},
    {"--hash-password", PST_DAEMON_HASH_PASSWORD},
};

static bool known_flag(pst_daemon_options *out, const char *arg)
{
    if (strcmp(arg, "--until-end") == 0) {
        out->until_end = true;
        return true;
    }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(arg, flags[i].name) == 0) {
            out->mode = flags[i].mode;
            return true;
        }
    return false;
}

pst_rc pst_daemon_options_parse(pst_daemon_options *out, int argc, char **argv,
                                pst_err *err)
{
    *out = (pst_daemon_options){.mode = PST_DAEMON_RUN};
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (!known_flag(out, argv[i]))
            return pst_fail(err, PST_E_CONFIG, "unknown option %s; see penstockd --help",
                            argv[i]);
    }
    if (out->mode == PST_DAEMON_HELP || out->mode == PST_DAEMON_MARKDOWN ||
        out->mode == PST_DAEMON_HASH_PASSWORD)
        out->topic = i < argc ? argv[i] : NULL;
    out->files = argv + i;
    out->n_files = argc - i;
    bool needs_files = out->mode == PST_DAEMON_RUN || out->mode == PST_DAEMON_CHECK ||
                       out->mode == PST_DAEMON_PRINT_CONFIG;
    if (needs_files && out->n_files < 1)
        return pst_fail(err, PST_E_CONFIG,
                        "give the worker's properties file and at least one connector's; "
                        "see penstockd --help");
    return PST_OK;
}

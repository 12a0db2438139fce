/*
 * main.c - penstockd: files and signals around a worker. It is the only part of the
 * core's world that prints and exits.
 */
#include "base/mem.h"
#include "daemon/files.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/password.h"
#include "daemon/reload.h"
#include "daemon/rest.h"
#include "daemon/rest_store.h"
#include "runtime/control.h"
#include "runtime/worker.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    EXIT_CONFIG = 2,
    HELP_MAX = 1024 * 1024,
    WAIT_MS = 3600000,
    ABORT_GRACE_MS = 3000
};

/* ---- printing ---- */

static const pst_conf_spec *spec_of(const char *topic)
{
    if (strcmp(topic, "worker") == 0)
        return &pst_worker_spec;
    const pst_connector *connector = pst_connector_find(topic);
    return connector ? connector->spec : NULL;
}

static int print_buf(pst_buf *buf, pst_rc rc, FILE *to)
{
    const char *text = rc == PST_OK ? pst_buf_cstr(buf) : NULL;
    if (text)
        fputs(text, to);
    else
        fputs("penstockd: out of memory\n", stderr);
    pst_buf_done(buf);
    return text ? 0 : 1;
}

static int help(const pst_daemon_options *options)
{
    if (!options->topic) {
        fputs(pst_daemon_usage, stdout);
        return 0;
    }
    const pst_conf_spec *spec = spec_of(options->topic);
    if (!spec) {
        fprintf(stderr,
                "penstockd: no settings are called %s; there are worker, "
                "S3CsvSink, RandomUserSource\n",
                options->topic);
        return EXIT_CONFIG;
    }
    pst_buf out;
    pst_buf_init(&out, HELP_MAX);
    pst_rc rc = options->mode == PST_DAEMON_HELP ? pst_conf_help(spec, &out)
                                                 : pst_conf_markdown(spec, &out);
    return print_buf(&out, rc, stdout);
}

/* The whole settings reference, for docs/CONFIGURATION.md. */
static int markdown(const pst_daemon_options *options)
{
    if (options->topic)
        return help(options);
    pst_buf out;
    pst_buf_init(&out, HELP_MAX);
    pst_rc rc = pst_buf_adds(&out, "# Settings\n\nGenerated from the settings tables by "
                                   "`make docs`; do not edit.\n\n");
    if (rc == PST_OK)
        rc = pst_conf_markdown(&pst_worker_spec, &out);
    for (size_t i = 0; rc == PST_OK && i < pst_connectors_n; i++) {
        rc = pst_buf_addc(&out, '\n');
        if (rc == PST_OK)
            rc = pst_conf_markdown(pst_connectors[i]->spec, &out);
    }
    return print_buf(&out, rc, stdout);
}

static int report_status(const pst_conf_report *report)
{
    if (report->n) {
        pst_buf out;
        pst_buf_init(&out, HELP_MAX);
        print_buf(&out, pst_conf_report_print(report, &out), stderr);
    }
    if (!report->errors)
        return report->nomem ? 1 : 0;
    fprintf(stderr, "penstockd: %zu error%s in the settings\n", report->errors,
            report->errors == 1 ? "" : "s");
    return EXIT_CONFIG;
}

static int print_config(const pst_daemon_files *files)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i <= files->n; i++) {
        const pst_props *props = i ? &files->connectors[i - 1] : &files->worker;
        const char *class = i ? pst_props_get(props, "connector.class") : "worker";
        pst_buf out;
        pst_buf_init(&out, HELP_MAX);
        pst_rc rc = pst_buf_addf(&out, "# %s\n", class);
        if (rc == PST_OK)
            rc = pst_conf_print(spec_of(class), props, &out);
        status = print_buf(&out, rc, stdout);
    }
    return status;
}

/* ---- running ---- */

static const int handled[] = {SIGTERM, SIGINT, SIGHUP};

static sigset_t block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
        sigaddset(&set, handled[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return set;
}

/* Waits for signals in a thread of its own, so that nobody has to wake up to look. */
typedef struct signal_watch {
    pst_worker *worker;
    pst_log *log;
    pst_reload *reload;
    sigset_t set;
    pthread_t thread;
} signal_watch;

/* A wait inside librdkafka cannot be cut short; the promise to end can be kept. */
static void end_soon(signal_watch *watch)
{
    struct timespec grace = {ABORT_GRACE_MS / 1000, 0};
    int state;
    pst_logf(watch->log, PST_LOG_WARN, NULL, "daemon",
             "stopping at once: what is not landed stays in Kafka");
    pst_worker_abort(watch->worker);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    nanosleep(&grace, NULL);
    _Exit(1);
}

/* Tasks wait for Kafka and their store by themselves: systemd has not to. */
static void tell_ready(pst_worker *worker)
{
    char status[128] = "", **names = NULL;
    size_t n = 0;
    if (pst_worker_names(worker, &names, &n) == PST_OK)
        snprintf(status, sizeof status, "%zu connector%s", n, n == 1 ? "" : "s");
    pst_worker_names_free(names, n);
    pst_notify_ready(status);
}

static void reload_files(signal_watch *watch)
{
    pst_notify_reloading();
    pst_reload_run(watch->reload);
    tell_ready(watch->worker);
}

/* The only place, but for the wait of end_soon(), where the thread may be cancelled:
   elsewhere it would take a lock with it. */
static bool next_signal(const signal_watch *watch, int *signo)
{
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    bool came = sigwait(&watch->set, signo) == 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    return came;
}

static void *watch_signals(void *arg)
{
    signal_watch *watch = arg;
    for (int stops = 0, signo = 0; next_signal(watch, &signo);) {
        if (signo == SIGHUP) {
            if (!stops)
                reload_files(watch);
        } else if (++stops == 1) {
            pst_logf(watch->log, PST_LOG_INFO, NULL, "daemon",
                     "stopping: landing what is buffered");
            pst_notify_stopping();
            pst_worker_stop(watch->worker);
        } else {
            end_soon(watch);
        }
    }
    return NULL;
}

static int serve(pst_worker *worker, pst_reload *reload, const sigset_t *signals)
{
    pst_log *log = reload->log;
    signal_watch watch = {
        .worker = worker, .log = log, .reload = reload, .set = *signals};
    if (pthread_create(&watch.thread, NULL, watch_signals, &watch)) {
        pst_logf(log, PST_LOG_ERROR, NULL, "daemon", "cannot start a thread");
        pst_worker_stop(worker);
        return 1;
    }
    pst_watchdog dog = pst_watchdog_open();
    pst_watchdog_feed(&dog, worker, log);
    while (!pst_worker_wait(worker, pst_watchdog_wait_ms(&dog, WAIT_MS)))
        pst_watchdog_feed(&dog, worker, log);
    pthread_cancel(watch.thread); /* sigwait() and nanosleep() give way to it */
    pthread_join(watch.thread, NULL);
    return pst_worker_exit_status(worker);
}

static bool has_storage(const pst_worker *worker)
{
    const char *dir = pst_worker_settings(worker)->config_storage_dir;
    return dir && *dir;
}

/* A connector of config.storage.dir joins those of the command line. */
static pst_rc add_stored(void *self, const char *path, pst_props *props,
                         pst_target target, pst_conf_report *report, pst_err *err)
{
    size_t before = report->errors;
    pst_rc rc = pst_worker_put(self, props, target, report, err);
    if (rc == PST_E_CONFIG && report->errors == before) { /* the name is taken */
        pst_prop where = {.file = (char *)(uintptr_t)path};
        pst_conf_error(report, &where, "name", "%s, or remove this one", err->text);
    }
    if (rc == PST_E_CONFIG)
        pst_err_clear(err);
    return rc == PST_E_CONFIG ? PST_OK : rc;
}

/* The same where there is no worker, because of other errors. */
static pst_rc check_stored(void *self, const char *path, pst_props *props,
                           pst_target target, pst_conf_report *report, pst_err *err)
{
    (void)self;
    (void)path;
    (void)target;
    (void)err;
    pst_worker_check(props, report);
    return PST_OK;
}

static pst_rc load_stored(pst_worker *worker, const pst_daemon_files *files, bool check,
                          pst_conf_report *report)
{
    const pst_prop *set = pst_props_find(&files->worker, "config.storage.dir");
    const char *dir = set ? set->value : NULL;
    pst_err err = PST_ERR_INIT;
    if (!dir || !*dir)
        return PST_OK;
    pst_rc rc = rest_store_make(dir, check, &err);
    if (rc == PST_OK)
        rc = rest_store_load(dir, worker ? add_stored : check_stored, worker, report,
                             &err);
    if (rc != PST_OK)
        pst_conf_error(report, set, "config.storage.dir", "%s", err.text);
    return report->errors ? PST_E_CONFIG : rc;
}

/* Of the worker's file: what is wrong with the rest of it has been told. */
static void check_rest(const pst_daemon_files *files, bool until_end,
                       pst_conf_report *report)
{
    pst_worker_conf conf;
    pst_conf_report told;
    memset(&conf, 0, sizeof conf);
    pst_conf_report_init(&told);
    if (pst_conf_apply(&pst_worker_spec, &files->worker, &conf, &told) != PST_E_NOMEM)
        pst_rest_check(&conf, &files->worker, until_end, report);
    pst_conf_done(&pst_worker_spec, &conf);
    pst_conf_report_done(&told);
}

/* All of it, whatever is wrong with the first. */
static pst_rc load_all(pst_worker **worker, const pst_worker_options *wanted,
                       const pst_daemon_files *files, pst_daemon_mode mode,
                       pst_conf_report *report)
{
    pst_rc rc = wanted->log ? pst_worker_new(worker, wanted, report) : PST_E_NOMEM;
    if (rc == PST_E_NOMEM)
        return rc;
    if (mode != PST_DAEMON_PRINT_CONFIG)
        check_rest(files, wanted->until_end, report);
    pst_rc stored = load_stored(*worker, files, mode != PST_DAEMON_RUN, report);
    if (rc == PST_OK)
        rc = stored;
    return rc == PST_OK && report->errors ? PST_E_CONFIG : rc;
}

/* The listeners open first: what is wrong with them starts nothing. */
static int start_and_serve(pst_worker *worker, const pst_daemon_options *options,
                           const pst_daemon_files *files, pst_log *log)
{
    const pst_worker_conf *conf = pst_worker_settings(worker);
    pst_worker_log(conf, log, (pst_log_format)conf->log_format);
    sigset_t signals = block_signals();
    pst_err err = PST_ERR_INIT;
    pst_rest *rest = NULL;
    pst_rest_options wanted = {.worker = worker,
                               .props = &files->worker,
                               .log = log,
                               .until_end = options->until_end};
    pst_logf(log, PST_LOG_INFO, NULL, "daemon", "penstockd %s", PST_VERSION);
    pst_rc rc = pst_rest_start(&rest, &wanted, &err);
    if (rc != PST_OK) {
        pst_logf(log, PST_LOG_ERROR, NULL, "daemon", "%s", err.text);
        return rc == PST_E_CONFIG ? EXIT_CONFIG : 1;
    }
    if (!options->until_end || rest)
        rc = pst_worker_control(worker, has_storage(worker) && !options->until_end, &err);
    if (rc == PST_OK)
        rc = pst_worker_start(worker, &err);
    if (rc == PST_OK) {
        tell_ready(worker);
    } else {
        pst_logf(log, PST_LOG_ERROR, NULL, "daemon", "%s", err.text);
        pst_worker_stop(worker);
    }
    pst_reload reload = {.worker = worker,
                         .options = options,
                         .files = files,
                         .log = log,
                         .may_be_empty = has_storage(worker)};
    int status = serve(worker, &reload, &signals);
    pst_rest_stop(rest);
    return rc == PST_OK ? status : 1;
}

static int run(const pst_daemon_options *options, pst_daemon_files *files,
               pst_conf_report *report)
{
    pst_log *log = pst_log_new(pst_log_to_file, stderr);
    pst_worker *worker = NULL;
    pst_worker_options wanted = {.worker = &files->worker,
                                 .connectors = files->connectors,
                                 .n_connectors = files->n,
                                 .until_end = options->until_end,
                                 .observed = true,
                                 .log = log};
    pst_rc rc = load_all(&worker, &wanted, files, options->mode, report);
    int status = report_status(report);
    if (rc != PST_OK)
        status = status ? status : 1;
    else if (options->mode == PST_DAEMON_CHECK)
        puts("settings are correct");
    else if (options->mode == PST_DAEMON_PRINT_CONFIG)
        status = print_config(files);
    else
        status = start_and_serve(worker, options, files, log);
    pst_worker_free(worker);
    pst_log_free(log);
    return status;
}

/* Secrets live in memory: no core dumps. Few arenas: threads here hand memory over. */
static void prepare_process(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    mallopt(M_ARENA_MAX, 2);
}

int main(int argc, char **argv)
{
    pst_daemon_options options;
    pst_err err = PST_ERR_INIT;
    prepare_process();
    if (pst_daemon_options_parse(&options, argc, argv, &err) != PST_OK) {
        fprintf(stderr, "penstockd: %s\n", err.text);
        return EXIT_CONFIG;
    }
    if (options.mode == PST_DAEMON_HELP)
        return help(&options);
    if (options.mode == PST_DAEMON_MARKDOWN)
        return markdown(&options);
    if (options.mode == PST_DAEMON_HASH_PASSWORD)
        return pst_password_main(options.topic);
    if (options.mode == PST_DAEMON_VERSION) {
        puts("penstockd " PST_VERSION);
        return 0;
    }
    pst_daemon_files files;
    pst_conf_report report;
    pst_conf_report_init(&report);
    /* Go on after errors in the files: the tables find the rest, all are told at once. */
    (void)!pst_daemon_files_load(&files, &options, &report);
    int status = EXIT_CONFIG;
    if (!files.n && !pst_props_get(&files.worker, "config.storage.dir") && !report.errors)
        fprintf(stderr,
                "penstockd: give at least one connector's properties file, or set "
                "config.storage.dir; see penstockd --help\n");
    else
        status = run(&options, &files, &report);
    pst_conf_report_done(&report);
    pst_daemon_files_done(&files);
    return status;
}

/*
 * reload.c - see reload.h.
 */
#include "daemon/reload.h"

#include "base/mem.h"
#include "runtime/control.h"

enum { REPORT_MAX = 256 * 1024 };

static void tell_report(const pst_reload *reload, const pst_conf_report *report)
{
    pst_buf text;
    pst_buf_init(&text, REPORT_MAX);
    pst_rc rc = pst_conf_report_print(report, &text);
    const char *lines = rc == PST_OK ? pst_buf_cstr(&text) : NULL;
    for (pst_sv left = pst_sv_of(lines); left.p && left.n;) {
        pst_sv line = pst_sv_cut(left, '\n', &left);
        if (line.n)
            pst_logf(reload->log, report->errors ? PST_LOG_ERROR : PST_LOG_WARN, NULL,
                     "daemon", "HUP %u: %.*s", reload->times, PST_SV_FMT(line));
    }
    pst_buf_done(&text);
}

/* ---- the worker's file ---- */

static bool is_read_again(const char *key)
{
    return pst_sv_starts(pst_sv_of(key), PST_SV("log."));
}

/* In `from` and not the same in `to`; those that are gone, or those that are there. */
static void warn_of(const pst_props *from, const pst_props *to, bool gone,
                    pst_conf_report *report)
{
    for (size_t i = 0; i < from->n; i++) {
        const pst_prop *prop = &from->items[i];
        if (is_read_again(prop->key) || pst_props_has(to, prop) ||
            (gone && pst_props_get(to, prop->key)))
            continue;
        pst_prop where = {.file = prop->file, .line = gone ? 0 : prop->line};
        pst_conf_warning(report, &where, prop->key,
                         "is read at the start only: restart the daemon to %s",
                         gone ? "leave it out" : "change it");
    }
}

static void load_worker(const pst_reload *reload, const pst_daemon_files *files,
                        pst_worker_conf *conf, pst_conf_report *report)
{
    if (pst_conf_apply(&pst_worker_spec, &files->worker, conf, report) != PST_OK)
        return;
    warn_of(&files->worker, &reload->files->worker, false, report);
    warn_of(&reload->files->worker, &files->worker, true, report);
}

/* ---- all of it ---- */

/* What could not be read must not look like what is gone. */
static bool is_good(const pst_conf_report *report, pst_err *err)
{
    if (report->nomem)
        (void)!pst_fail_nomem(err, "the files");
    else if (report->errors)
        (void)!pst_fail(err, PST_E_CONFIG, "the settings are wrong");
    return !report->nomem && !report->errors;
}

static pst_rc refresh(const pst_reload *reload, pst_daemon_files *files,
                      pst_refreshed *done, pst_conf_report *report, pst_err *err)
{
    if (is_good(report, err))
        return pst_worker_refresh(reload->worker, files->connectors, files->n, done,
                                  report, err);
    for (size_t i = 0; i < files->n; i++) /* all errors at once */
        pst_worker_check(&files->connectors[i], report);
    return err->code;
}

static void reload_files(const pst_reload *reload, pst_conf_report *report)
{
    pst_daemon_files files;
    pst_worker_conf conf;
    pst_refreshed done;
    pst_err err = PST_ERR_INIT;
    memset(&conf, 0, sizeof conf);
    (void)!pst_daemon_files_load(&files, reload->options, report);
    load_worker(reload, &files, &conf, report);
    if (!files.n && !report->errors && !reload->may_be_empty)
        pst_conf_error(report, NULL, NULL,
                       "no connector would be left: stop the daemon instead, or set "
                       "config.storage.dir");
    pst_rc rc = refresh(reload, &files, &done, report, &err);
    tell_report(reload, report);
    if (rc == PST_OK) {
        pst_worker_log(&conf, reload->log, (pst_log_format)conf.log_format);
        pst_logf(reload->log, PST_LOG_INFO, NULL, "daemon",
                 "HUP %u: connectors: %zu added, %zu changed, %zu removed, %zu unchanged",
                 reload->times, done.added, done.changed, done.removed, done.unchanged);
    } else {
        pst_logf(reload->log, PST_LOG_ERROR, NULL, "daemon",
                 "HUP %u: nothing is changed, all goes on as before: %s", reload->times,
                 err.text);
    }
    pst_conf_done(&pst_worker_spec, &conf);
    pst_daemon_files_done(&files);
}

void pst_reload_run(pst_reload *reload)
{
    pst_conf_report report;
    reload->times++;
    if (reload->options->until_end) {
        pst_logf(reload->log, PST_LOG_WARN, NULL, "daemon",
                 "HUP %u: with --until-end settings are read at the start only",
                 reload->times);
        return;
    }
    pst_conf_report_init(&report);
    reload_files(reload, &report);
    pst_conf_report_done(&report);
}

/*
 * files.c - see files.h.
 */
#include "daemon/files.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- one file ---- */

static pst_props *add(pst_daemon_files *files, pst_conf_report *report)
{
    if (files->n == PST_DAEMON_CONNECTORS_MAX) {
        pst_conf_error(report, NULL, NULL, "more than %d connectors",
                       PST_DAEMON_CONNECTORS_MAX);
        return NULL;
    }
    if (files->n == files->cap) {
        size_t cap = files->cap ? 2 * files->cap : 8;
        pst_props *more = pst_realloc(files->connectors, cap, sizeof *more);
        if (!more) {
            report->nomem = true;
            return NULL;
        }
        files->connectors = more;
        files->cap = cap;
    }
    pst_props *props = &files->connectors[files->n++];
    pst_props_init(props);
    return props;
}

static pst_rc load_file(pst_daemon_files *files, const char *path,
                        pst_conf_report *report)
{
    pst_props *props = add(files, report);
    if (!props)
        return report->nomem ? PST_E_NOMEM : PST_E_CONFIG;
    pst_rc rc = pst_props_load(props, path, report);
    if (rc != PST_OK && !props->n) { /* told; no settings of it are missing */
        pst_props_done(props);
        files->n--;
    }
    return rc;
}

/* ---- a folder ---- */

static int is_properties(const struct dirent *entry)
{
    return entry->d_name[0] != '.' &&
           pst_sv_ends(pst_sv_of(entry->d_name), PST_SV(".properties"));
}

static pst_rc load_folder(pst_daemon_files *files, const char *dir,
                          pst_conf_report *report)
{
    struct dirent **found = NULL;
    char text[128];
    int n = scandir(dir, &found, is_properties, alphasort);
    pst_rc rc = PST_OK;
    if (n < 0) {
        pst_prop where = {.file = (char *)(uintptr_t)dir};
        pst_conf_error(report, &where, NULL, "%s", strerror_r(errno, text, sizeof text));
        return PST_E_CONFIG;
    }
    for (int i = 0; i < n; i++) {
        char *path = pst_asprintf("%s/%s", dir, found[i]->d_name);
        pst_rc one = path ? load_file(files, path, report) : PST_E_NOMEM;
        rc = rc == PST_OK ? one : rc;
        pst_free(path);
        free(found[i]); /* scandir's */
    }
    free(found);
    return rc;
}

static bool is_folder(const char *path)
{
    struct stat is;
    return stat(path, &is) == 0 && S_ISDIR(is.st_mode);
}

/* ---- all ---- */

pst_rc pst_daemon_files_load(pst_daemon_files *files, const pst_daemon_options *options,
                             pst_conf_report *report)
{
    *files = (pst_daemon_files){0};
    pst_props_init(&files->worker);
    pst_rc rc = pst_props_load(&files->worker, options->files[0], report);
    for (int i = 1; i < options->n_files; i++) {
        const char *path = options->files[i];
        pst_rc one = (is_folder(path) ? load_folder : load_file)(files, path, report);
        rc = rc == PST_OK ? one : rc;
    }
    if (rc == PST_E_NOMEM)
        report->nomem = true;
    return rc;
}

void pst_daemon_files_done(pst_daemon_files *files)
{
    pst_props_done(&files->worker);
    for (size_t i = 0; i < files->n; i++)
        pst_props_done(&files->connectors[i]);
    pst_free(files->connectors);
    *files = (pst_daemon_files){0};
}

/*
 * rest_store.c - see rest_store.h. A file is what POST /connectors takes: {"name",
 * "config", "initial_state"}, references unresolved; so it can be read, copied and posted
 * elsewhere. Its name is the connector's with all but letters, digits, - and _ written as
 * %XX, so none can leave the folder or hide in it.
 */
#include "daemon/rest_store.h"

#include "base/mem.h"
#include "daemon/rest_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_MAX_BYTES = 4096, FILE_MAX_BYTES = 1024 * 1024 };

static const char *const targets[] = {[PST_TARGET_RUNNING] = "RUNNING",
                                      [PST_TARGET_PAUSED] = "PAUSED",
                                      [PST_TARGET_STOPPED] = "STOPPED"};
static const char SUFFIX[] = ".json";

static pst_rc fail_at(const char *path, pst_err *err)
{
    char why[128];
    return pst_fail(err, PST_E_IO, "config.storage.dir: %s: %s", path,
                    strerror_r(errno, why, sizeof why));
}

/* ---- names ---- */

/* A name of 200 characters escaped may be too long for a file system: it says so. */
static pst_rc path_of(char out[PATH_MAX_BYTES], const char *dir, const char *name,
                      const char *suffix, pst_err *err)
{
    char *file = rest_escape(name);
    if (!file)
        return pst_fail_nomem(err, "a path");
    int n = snprintf(out, PATH_MAX_BYTES, "%s/%s%s", dir, file, suffix);
    pst_free(file);
    if (n >= PATH_MAX_BYTES)
        return pst_fail(err, PST_E_CONFIG, "config.storage.dir: the path is too long");
    return PST_OK;
}

/* ---- the folder ---- */

static bool is_writable(const char *dir)
{
    return access(dir, R_OK | W_OK | X_OK) == 0;
}

/* Could it be made? */
static bool has_place(const char *dir)
{
    char parent[PATH_MAX_BYTES];
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    while (n && dir[n - 1] != '/')
        n--;
    snprintf(parent, sizeof parent, "%.*s", (int)n, dir);
    return is_writable(n ? parent : ".");
}

pst_rc rest_store_make(const char *dir, bool check, pst_err *err)
{
    bool there = access(dir, F_OK) == 0;
    bool good = there ? is_writable(dir) : check ? has_place(dir) : mkdir(dir, 0700) == 0;
    return good ? PST_OK : fail_at(dir, err);
}

/* ---- writing ---- */

static pst_rc sync_dir(const char *dir, pst_err *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    pst_rc rc = ok ? PST_OK : fail_at(dir, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

static json_t *file_json(const char *name, const pst_props *props, pst_target target)
{
    json_t *config = json_object();
    for (size_t i = 0; i < props->n; i++)
        json_object_set_new(config, props->items[i].key,
                            json_string(pst_prop_raw(&props->items[i])));
    return json_pack("{s:s, s:o, s:s}", "name", name, "config", config, "initial_state",
                     targets[target]);
}

static bool write_all(int fd, const char *text)
{
    for (size_t n = strlen(text); n;) {
        ssize_t done = write(fd, text, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        text += done;
        n -= (size_t)done;
    }
    return true;
}

static pst_rc write_file(const char *temporary, const char *path, const char *text,
                         pst_err *err)
{
    (void)unlink(temporary); /* of a process that was killed */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail_at(temporary, err);
    bool ok = write_all(fd, text) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (ok && rename(temporary, path) == 0)
        return PST_OK;
    pst_rc rc = fail_at(path, err);
    (void)unlink(temporary);
    return rc;
}

pst_rc rest_store_write(const char *dir, const char *name, const pst_props *props,
                        pst_target target, pst_err *err)
{
    char path[PATH_MAX_BYTES], temporary[PATH_MAX_BYTES];
    pst_rc rc = path_of(path, dir, name, SUFFIX, err);
    if (rc == PST_OK)
        rc = path_of(temporary, dir, name, ".tmp", err);
    if (rc != PST_OK)
        return rc;
    json_t *json = file_json(name, props, target);
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (!text)
        return pst_fail_nomem(err, "a connector's file");
    rc = write_file(temporary, path, text, err);
    pst_wipe(text, strlen(text));
    free(text); /* jansson's */
    return rc == PST_OK ? sync_dir(dir, err) : rc;
}

pst_rc rest_store_remove(const char *dir, const char *name, pst_err *err)
{
    char path[PATH_MAX_BYTES];
    pst_rc rc = path_of(path, dir, name, SUFFIX, err);
    if (rc == PST_OK && unlink(path) != 0 && errno != ENOENT)
        rc = fail_at(path, err);
    return rc == PST_OK ? sync_dir(dir, err) : rc;
}

/* ---- reading ---- */

typedef struct loading {
    rest_stored each;
    void *self;
    pst_conf_report *report;
} loading;

static void complain(const loading *l, const char *path, const char *text)
{
    pst_prop where = {.file = (char *)(uintptr_t)path};
    pst_conf_error(l->report, &where, NULL, "%s", text);
}

static bool target_of(const json_t *file, pst_target *out)
{
    const json_t *state = json_object_get(file, "initial_state");
    *out = PST_TARGET_RUNNING;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (json_is_string(state) && strcmp(json_string_value(state), targets[i]) == 0) {
            *out = (pst_target)i;
            return true;
        }
    return !state;
}

/* A file by another name would be left when its connector is deleted, and come back. */
static bool is_named_right(const char *path, const json_t *config)
{
    const char *name = json_string_value(json_object_get(config, "name"));
    char *escaped = name ? rest_escape(name) : NULL;
    const char *base = strrchr(path, '/') + 1;
    size_t n = escaped ? strlen(escaped) : 0;
    bool right =
        escaped && strncmp(base, escaped, n) == 0 && strcmp(base + n, SUFFIX) == 0;
    pst_free(escaped);
    return right;
}

static pst_rc load_config(const loading *l, const char *path, json_t *config,
                          pst_target target, pst_err *err)
{
    pst_props props;
    const char *key;
    json_t *value;
    bool complete = true;
    pst_props_init(&props);
    json_object_foreach(config, key, value)
    {
        complete = complete && json_is_string(value) && *key;
        if (complete)
            (void)!pst_props_set(&props, key, json_string_value(value), path, l->report);
    }
    if (!complete)
        complain(l, path, "a setting without a name, or whose value is no string");
    pst_rc rc = l->report->nomem ? PST_E_NOMEM : PST_OK;
    if (rc == PST_OK && complete)
        rc = l->each(l->self, path, &props, target, l->report, err);
    pst_props_done(&props);
    return rc;
}

static json_t *read_json(const loading *l, const char *path)
{
    char text[128];
    json_error_t why;
    FILE *file = rest_file_open(path, FILE_MAX_BYTES);
    if (!file) {
        complain(l, path, strerror_r(errno, text, sizeof text));
        return NULL;
    }
    json_t *json = json_loadf(file, JSON_REJECT_DUPLICATES, &why);
    fclose(file);
    if (!json)
        complain(l, path, why.text);
    return json;
}

static pst_rc load_file(const loading *l, const char *path, pst_err *err)
{
    pst_target target = PST_TARGET_RUNNING;
    json_t *file = read_json(l, path);
    json_t *config = json_object_get(file, "config");
    pst_rc rc = PST_OK;
    if (file && (!json_is_object(config) || !target_of(file, &target)))
        complain(l, path,
                 "not a connector's file: {\"name\", \"config\", \"initial_state\"}");
    else if (file && !is_named_right(path, config))
        complain(l, path,
                 "the file is not named after the connector's name in \"config\"");
    else if (file)
        rc = load_config(l, path, config, target, err);
    json_decref(file);
    return rc;
}

static int is_ours(const struct dirent *entry)
{
    return entry->d_name[0] != '.' &&
           pst_sv_ends(pst_sv_of(entry->d_name), pst_sv_of(SUFFIX));
}

pst_rc rest_store_load(const char *dir, rest_stored each, void *self,
                       pst_conf_report *report, pst_err *err)
{
    loading l = {each, self, report};
    struct dirent **found = NULL;
    int n = scandir(dir, &found, is_ours, alphasort);
    if (n < 0 && errno == ENOENT)
        return PST_OK;
    if (n < 0)
        return fail_at(dir, err);
    pst_rc rc = PST_OK;
    for (int i = 0; i < n; i++) {
        char *path = pst_asprintf("%s/%s", dir, found[i]->d_name);
        if (rc == PST_OK)
            rc = path ? load_file(&l, path, err) : pst_fail_nomem(err, "a path");
        pst_free(path);
        free(found[i]); /* scandir's */
    }
    free(found);
    return rc;
}

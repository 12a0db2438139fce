/*
 * plugin.c - finding, checking and loading a store plugin. See plugin.h.
 */
#include "store/plugin.h"

#include "store/creds.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char file_name[] = "penstock_libs3.so";
static const char how_to[] =
    "install libs3 (Debian: libs3-dev), run `make libs3` in Penstock's source, and set "
    "s3.libs3.plugin or PST_PLUGIN_DIR; or use s3.client=curl";

/* ---- finding ---- */

typedef struct search {
    char found[PATH_MAX + 64];
    char tried[300]; /* for the message */
} search;

static bool try_folder(search *s, const char *folder, const char *below)
{
    snprintf(s->found, sizeof s->found, "%.*s%s/%s", PATH_MAX - 1, folder, below,
             file_name);
    if (access(s->found, R_OK) == 0)
        return true;
    size_t n = strlen(s->tried);
    snprintf(s->tried + n, sizeof s->tried - n, "%s%.120s%s", n ? ", " : "", folder,
             below);
    return false;
}

static bool beside_program(search *s)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0)
        return false;
    program[n] = '\0';
    char *slash = strrchr(program, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return try_folder(s, program, "") || try_folder(s, program, "/../lib/penstock");
}

static bool set(const char *value)
{
    return value && value[0];
}

static pst_rc find(const pst_store_conf *conf, search *s, pst_err *err)
{
    const char *folder = getenv("PST_PLUGIN_DIR");
    if (set(conf->libs3_plugin)) {
        snprintf(s->found, sizeof s->found, "%s", conf->libs3_plugin);
        if (access(s->found, R_OK) == 0)
            return PST_OK;
        return pst_fail(err, PST_E_CONFIG, "s3.libs3.plugin=%.200s cannot be read: %s",
                        s->found, how_to);
    }
    if (set(folder) ? try_folder(s, folder, "") : beside_program(s))
        return PST_OK;
    return pst_fail(err, PST_E_CONFIG,
                    "s3.client=libs3 needs its plugin %s, which is not in %s: %s",
                    file_name, s->tried, how_to);
}

/* ---- loading ---- */

static pst_rc load(const char *path, pst_store_plugin *plugin, pst_err *err)
{
    /* NODELETE: libs3 and its libraries keep threads' and process's state. */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return pst_fail(err, PST_E_CONFIG, "cannot load the plugin (%.250s): %s",
                        dlerror(), how_to);
    pst_store_plugin_entry *describe = NULL;
    void *symbol = dlsym(handle, PST_STORE_PLUGIN_SYMBOL);
    memcpy(&describe, &symbol, sizeof describe);
    if (!describe)
        return pst_fail(err, PST_E_CONFIG, "%.200s is no store plugin of Penstock: %s",
                        path, how_to);
    describe(plugin);
    if (strcmp(plugin->version, PST_VERSION) != 0 ||
        plugin->layout != pst_store_plugin_layout())
        return pst_fail(err, PST_E_CONFIG,
                        "the plugin %.200s is of another build of Penstock (%.40s, this "
                        "is " PST_VERSION "): %s",
                        path, plugin->version, how_to);
    return PST_OK;
}

/* ---- opening ---- */

/* The driver gets keys, wherever they come from. */
static pst_rc open_with_keys(const pst_store_plugin *plugin, pst_store **out,
                             const pst_store_conf *conf, const pst_clock *clock,
                             pst_cancel *cancel, pst_log *log, pst_err *err)
{
    pst_creds *creds = NULL;
    pst_creds_keys keys = {.source = NULL};
    pst_store_conf resolved = *conf;
    const pst_creds_env env = {conf, clock, cancel, log};
    pst_rc rc = pst_creds_new(&creds, &env, err);
    if (rc == PST_OK)
        rc = pst_creds_get(creds, &keys, err);
    if (rc == PST_OK) {
        resolved.access_key_id = keys.id;
        resolved.secret_access_key = keys.secret;
        resolved.session_token = keys.token[0] ? keys.token : NULL;
        rc = plugin->driver->open(out, &resolved, clock, cancel, log, err);
    }
    pst_creds_wipe(&keys);
    pst_creds_free(creds);
    return rc;
}

pst_rc pst_store_plugin_open(pst_store **out, const pst_store_conf *conf,
                             const pst_clock *clock, pst_cancel *cancel, pst_log *log,
                             pst_err *err)
{
    search s = {.found = ""};
    pst_store_plugin plugin;
    pst_rc rc = find(conf, &s, err);
    if (rc == PST_OK)
        rc = load(s.found, &plugin, err);
    if (rc != PST_OK)
        return rc;
    pst_logf(log, PST_LOG_INFO, NULL, "store", "s3.client=libs3: %s, by %s",
             plugin.library, s.found);
    return open_with_keys(&plugin, out, conf, clock, cancel, log, err);
}

/*
 * resolve.c - ${env:NAME} and ${file:path:key} in values, as Connect's config providers.
 *
 * Kafka's EnvVarConfigProvider and FileConfigProvider: a reference may stand anywhere in
 * a value, and several may. The file is a .properties file; its values are taken as they
 * are and not resolved again. What came through a reference is a secret from then on.
 *
 * Stricter than Connect, which leaves what it cannot resolve as it stands and so sends
 * "${file:…" to a broker as a password: an unknown provider, an unset variable, a missing
 * file or key, a reference inside a reference, and a "${" that is none are errors. All
 * that a value has are told. No message holds a resolved text.
 */
#include "conf/conf_in.h"

#include <stdlib.h>

enum { REF_MAX = 4096 }; /* a file's path and a key */

/* Looks up one key in a parsed file; keeps the last, as a reader of the file would. */
typedef struct file_job {
    pst_sv key;
    pst_buf *out;
    size_t start;
    bool found;
    int bad_line;
    const char *why;
} file_job;

static pst_rc file_pair(void *opaque, const pst_propfile_pair *pair)
{
    file_job *job = opaque;
    if (pair->why) {
        job->bad_line = pair->line;
        job->why = pair->why;
        return PST_E_INVALID;
    }
    if (!pst_sv_eq(pair->key, job->key))
        return PST_OK;
    job->found = true;
    job->out->len = job->start;
    return pst_buf_add(job->out, pair->value.p, pair->value.n);
}

static pst_rc add_from_file(pst_buf *out, const char *path, pst_sv key, pst_err *err)
{
    file_job job = {.key = key, .out = out, .start = out->len};
    pst_buf text;
    pst_buf_init(&text, PST_PROPS_FILE_MAX);
    pst_rc rc = pst_props_slurp(&text, path, err);
    if (rc == PST_OK)
        rc = pst_propfile_read((pst_sv){text.data, text.len}, file_pair, &job);
    pst_props_wipe_buf(&text);
    if (job.why)
        return pst_fail(err, PST_E_CONFIG, "line %d has %s", job.bad_line, job.why);
    if (rc == PST_OK && !job.found)
        return pst_fail(err, PST_E_CONFIG, "has no key \"%.*s\"; add it, or name another",
                        PST_SV_FMT(key));
    return rc;
}

/* "path:key": the path ends at the first colon, as in Connect. */
static pst_rc add_file(pst_buf *out, pst_sv arg, pst_err *err)
{
    pst_sv key;
    pst_sv path = pst_sv_cut(arg, ':', &key);
    if (!path.n || !key.n)
        return pst_fail(err, PST_E_CONFIG,
                        "${file:%.*s} lacks a %s; write ${file:/path/to/file:key}",
                        PST_SV_FMT(arg), path.n ? "key" : "path");
    char *copy = pst_strndup(path.p, path.n);
    if (!copy)
        return PST_E_NOMEM;
    pst_rc rc = add_from_file(out, copy, key, err);
    pst_err_context(err, "${file:%.*s}", PST_SV_FMT(arg));
    pst_free(copy);
    return rc;
}

static pst_rc add_env(pst_buf *out, pst_sv name, pst_err *err)
{
    char copy[REF_MAX + 1];
    memcpy(copy, name.p, name.n);
    copy[name.n] = '\0';
    const char *value = getenv(copy);
    if (!value)
        return pst_fail(err, PST_E_CONFIG,
                        "${env:%s}: the environment variable is not set; set it", copy);
    if (!pst_utf8_valid(pst_sv_of(value)))
        return pst_fail(err, PST_E_CONFIG,
                        "${env:%s}: the environment variable is not UTF-8", copy);
    return pst_buf_adds(out, value);
}

static pst_rc add_reference(pst_buf *out, pst_sv ref, pst_err *err)
{
    pst_sv arg;
    pst_sv provider = pst_sv_cut(ref, ':', &arg);
    if (ref.n > REF_MAX)
        return pst_fail(err, PST_E_CONFIG, "a reference longer than %d bytes", REF_MAX);
    if (memmem(ref.p, ref.n, "${", 2))
        return pst_fail(
            err, PST_E_CONFIG,
            "a reference inside a reference, ${%.*s}; write them side by side",
            PST_SV_FMT(ref));
    if (!arg.p)
        return pst_fail(
            err, PST_E_CONFIG,
            "${%.*s} names no provider; write ${env:%.*s} or ${file:path:key}",
            PST_SV_FMT(ref), PST_SV_FMT(ref));
    if (pst_sv_is(provider, "env"))
        return add_env(out, arg, err);
    if (pst_sv_is(provider, "file"))
        return add_file(out, arg, err);
    return pst_fail(err, PST_E_CONFIG,
                    "unknown provider \"%.*s\" in ${%.*s}; there are env and file",
                    PST_SV_FMT(provider), PST_SV_FMT(ref));
}

/* The "}" of the reference that starts at p (after "${"); inner ones are stepped over. */
static const char *reference_end(const char *p)
{
    for (int depth = 1; *p; p++) {
        if (p[0] == '$' && p[1] == '{')
            depth++;
        else if (*p == '}' && --depth == 0)
            return p;
    }
    return NULL;
}

/* One reference at *at (on its "$"), which is moved behind it. */
static pst_rc take_reference(pst_buf *out, const char **at, pst_err *err)
{
    const char *from = *at + 2, *end = reference_end(from);
    *at = end ? end + 1 : from + strlen(from);
    if (!end)
        return pst_fail(err, PST_E_CONFIG,
                        "a ${ without its }; write ${env:NAME} or ${file:path:key}");
    return add_reference(out, (pst_sv){from, (size_t)(end - from)}, err);
}

static pst_rc resolve_into(pst_buf *out, const pst_prop *prop, pst_conf_report *report)
{
    bool failed = false;
    for (const char *at = prop->value; *at;) {
        const char *ref = strstr(at, "${");
        size_t plain = ref ? (size_t)(ref - at) : strlen(at);
        pst_rc rc = pst_buf_add(out, at, plain);
        pst_err err = PST_ERR_INIT;
        at += plain;
        if (rc == PST_OK && ref)
            rc = take_reference(out, &at, &err);
        if (rc == PST_E_NOMEM)
            return rc;
        if (rc == PST_E_LIMIT && !err.code)
            pst_fail(&err, rc, "longer than 1 MiB when resolved; shorten it");
        if (rc != PST_OK) {
            pst_conf_error(report, prop, NULL, "%s", err.text);
            failed = true;
        }
    }
    return failed ? PST_E_CONFIG : PST_OK;
}

pst_rc pst_props_resolve(pst_prop *prop, pst_conf_report *report)
{
    if (!strstr(prop->value, "${"))
        return PST_OK;
    prop->secret_source = true;
    pst_buf out;
    pst_buf_init(&out, PST_PROPS_FILE_MAX);
    pst_rc rc = resolve_into(&out, prop, report);
    char *value = rc == PST_OK ? pst_strndup(out.len ? out.data : "", out.len) : NULL;
    if (rc == PST_OK && !value)
        rc = PST_E_NOMEM;
    if (rc == PST_OK) {
        prop->raw = prop->value;
        prop->value = value;
    }
    prop->broken = rc != PST_OK;
    pst_props_wipe_buf(&out);
    return rc;
}

/*
 * props.c - the set of name/value pairs that a component is configured by.
 *
 * An array in the order of first appearance, searched from the front: settings number in
 * the tens, and messages and --print-config want the user's order. Values are secrets
 * until proven otherwise, so all of them are wiped when freed.
 *
 * A pair whose value could not be read is kept and marked broken: its error is told once,
 * here, and not a second time as a missing setting.
 */
#include "conf/conf_in.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void pst_props_init(pst_props *props)
{
    *props = (pst_props){0};
}

static void free_wiped(char *s)
{
    if (s)
        pst_wipe(s, strlen(s));
    pst_free(s);
}

static void prop_done(pst_prop *prop)
{
    free_wiped(prop->value);
    free_wiped(prop->raw);
    pst_free(prop->key);
    pst_free(prop->file);
    *prop = (pst_prop){0};
}

void pst_props_done(pst_props *props)
{
    for (size_t i = 0; i < props->n; i++)
        prop_done(&props->items[i]);
    pst_free(props->items);
    pst_props_init(props);
}

const pst_prop *pst_props_find(const pst_props *props, const char *key)
{
    for (size_t i = 0; i < props->n; i++)
        if (strcmp(props->items[i].key, key) == 0)
            return &props->items[i];
    return NULL;
}

const char *pst_props_get(const pst_props *props, const char *key)
{
    const pst_prop *prop = pst_props_find(props, key);
    return prop ? prop->value : NULL;
}

pst_rc pst_props_nomem(pst_conf_report *report)
{
    report->nomem = true;
    return PST_E_NOMEM;
}

bool pst_props_has(const pst_props *props, const pst_prop *prop)
{
    const char *value = pst_props_get(props, prop->key);
    return value && strcmp(value, prop->value) == 0;
}

static pst_rc prop_make(pst_prop *out, pst_sv key, pst_sv value, const char *file,
                        int line)
{
    pst_prop prop = {.line = line};
    prop.key = pst_strndup(key.p, key.n);
    prop.value = pst_strndup(value.p, value.n);
    prop.file = file ? pst_strdup(file) : NULL;
    if (!prop.key || !prop.value || (file && !prop.file)) {
        prop_done(&prop);
        return PST_E_NOMEM;
    }
    *out = prop;
    return PST_OK;
}

static pst_rc props_grow(pst_props *props)
{
    if (props->n < props->cap)
        return PST_OK;
    size_t cap = props->cap ? props->cap * 2 : 16;
    pst_prop *items = pst_realloc(props->items, cap, sizeof *items);
    if (!items)
        return PST_E_NOMEM;
    props->items = items;
    props->cap = cap;
    return PST_OK;
}

/* Replaces the pair of the same key or appends. Takes the prop on success only. */
static pst_rc props_put_take(pst_props *props, pst_prop *prop)
{
    for (size_t i = 0; i < props->n; i++) {
        if (strcmp(props->items[i].key, prop->key) != 0)
            continue;
        prop_done(&props->items[i]);
        props->items[i] = *prop;
        return PST_OK;
    }
    pst_rc rc = props->n < PST_PROPS_MAX ? props_grow(props) : PST_E_LIMIT;
    if (rc == PST_OK)
        props->items[props->n++] = *prop;
    return rc;
}

/* Resolves, then stores even what failed to resolve (broken, so that it counts as given).
 */
static pst_rc props_store(pst_props *props, pst_prop *prop, pst_conf_report *report)
{
    pst_rc rc = prop->broken ? PST_E_CONFIG : pst_props_resolve(prop, report);
    pst_rc put = rc == PST_E_NOMEM ? rc : props_put_take(props, prop);
    if (put != PST_OK) {
        if (put == PST_E_LIMIT)
            pst_conf_error(report, prop, NULL, "more than %d settings; leave some out",
                           PST_PROPS_MAX);
        prop_done(prop);
        rc = put == PST_E_LIMIT ? PST_E_CONFIG : put;
    }
    return rc == PST_E_NOMEM ? pst_props_nomem(report) : rc;
}

pst_rc pst_props_copy(pst_props *out, const pst_props *from)
{
    pst_props_init(out);
    for (size_t i = 0; i < from->n; i++) {
        const pst_prop *old = &from->items[i];
        pst_prop copy = {.key = NULL};
        pst_rc rc = prop_make(&copy, pst_sv_of(old->key), pst_sv_of(old->value),
                              old->file, old->line);
        copy.secret_source = old->secret_source;
        copy.broken = old->broken;
        if (rc == PST_OK && old->raw && !(copy.raw = pst_strdup(old->raw)))
            rc = PST_E_NOMEM;
        if (rc == PST_OK)
            rc = props_put_take(out, &copy);
        if (rc != PST_OK) {
            prop_done(&copy);
            pst_props_done(out);
            return rc;
        }
    }
    return PST_OK;
}

typedef struct parse_job {
    pst_props *props;
    const char *file;
    pst_conf_report *report;
    bool failed;
} parse_job;

static void warn_twice(const parse_job *job, const pst_prop *prop)
{
    const pst_prop *old = pst_props_find(job->props, prop->key);
    if (!old)
        return;
    bool same = old->file && prop->file && strcmp(old->file, prop->file) == 0;
    pst_conf_warning(job->report, prop, NULL,
                     "given twice, before at %s%s%d; the last one counts",
                     same        ? "line "
                     : old->file ? old->file
                                 : "(unknown)",
                     same ? "" : ":", old->line);
}

static pst_rc parse_pair(void *opaque, const pst_propfile_pair *pair)
{
    parse_job *job = opaque;
    pst_prop prop;
    pst_rc rc = prop_make(&prop, pair->key, pair->value, job->file, pair->line);
    if (rc != PST_OK)
        return pst_props_nomem(job->report);
    prop.broken = pair->why != NULL;
    if (pair->why) {
        job->failed = true;
        pst_conf_error(job->report, &prop, NULL, "%s", pair->why);
        if (!pair->key.n) {
            prop_done(&prop);
            return PST_OK;
        }
    }
    warn_twice(job, &prop);
    bool room = job->props->n < PST_PROPS_MAX || pst_props_find(job->props, prop.key);
    rc = props_store(job->props, &prop, job->report);
    job->failed = job->failed || rc == PST_E_CONFIG;
    if (rc == PST_E_CONFIG && !room)
        return rc; /* told once, not for every line that follows */
    return rc == PST_E_CONFIG ? PST_OK : rc;
}

static pst_rc refuse_file(const char *file, pst_conf_report *report, const char *text)
{
    pst_prop where = {.file = (char *)file};
    pst_conf_error(report, &where, NULL, "%s", text);
    return report->nomem ? PST_E_NOMEM : PST_E_CONFIG;
}

pst_rc pst_props_parse(pst_props *props, pst_sv text, const char *file,
                       pst_conf_report *report)
{
    parse_job job = {.props = props, .file = file, .report = report};
    if (text.n > PST_PROPS_FILE_MAX)
        return refuse_file(file, report,
                           "larger than 1 MiB; this is not a settings file");
    pst_rc rc = pst_propfile_read(text, parse_pair, &job);
    if (rc == PST_E_NOMEM || report->nomem)
        return pst_props_nomem(report);
    return rc == PST_OK && job.failed ? PST_E_CONFIG : rc;
}

static pst_rc read_all(pst_buf *buf, int fd, pst_err *err)
{
    char error[128];
    for (;;) {
        char block[4096];
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pst_fail(err, PST_E_IO, "cannot be read: %s",
                            strerror_r(errno, error, sizeof error));
        pst_rc rc = n ? pst_buf_add(buf, block, (size_t)n) : PST_OK;
        pst_wipe(block, (size_t)n);
        if (rc == PST_E_LIMIT)
            return pst_fail(err, rc, "larger than 1 MiB; this is not a settings file");
        if (rc != PST_OK)
            return pst_fail_nomem(err, "reading settings");
        if (n == 0)
            return PST_OK;
    }
}

pst_rc pst_props_slurp(pst_buf *buf, const char *path, pst_err *err)
{
    char error[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pst_fail(err, PST_E_IO, "cannot be opened: %s; check the path",
                        strerror_r(errno, error, sizeof error));
    /* At its ceiling at once: growing would leave copies of secrets behind. */
    pst_rc rc = pst_buf_reserve(buf, buf->max);
    rc = rc == PST_OK ? read_all(buf, fd, err) : pst_fail_nomem(err, "reading settings");
    close(fd);
    return rc;
}

void pst_props_wipe_buf(pst_buf *buf)
{
    if (buf->data)
        pst_wipe(buf->data, buf->cap);
    pst_buf_done(buf);
}

pst_rc pst_props_load(pst_props *props, const char *path, pst_conf_report *report)
{
    pst_err err = PST_ERR_INIT;
    pst_buf text;
    pst_buf_init(&text, PST_PROPS_FILE_MAX);
    pst_rc rc = pst_props_slurp(&text, path, &err);
    if (rc == PST_OK)
        rc = pst_props_parse(props, (pst_sv){text.data, text.len}, path, report);
    else if (rc == PST_E_NOMEM)
        rc = pst_props_nomem(report);
    else
        rc = refuse_file(path, report, err.text);
    pst_props_wipe_buf(&text);
    return rc;
}

static const char *bad_text(const char *s)
{
    if (strlen(s) > PST_PROPS_FILE_MAX)
        return "longer than 1 MiB; shorten it";
    return pst_utf8_valid(pst_sv_of(s)) ? NULL : "not UTF-8; write it as UTF-8";
}

pst_rc pst_props_set(pst_props *props, const char *key, const char *value,
                     const char *source, pst_conf_report *report)
{
    pst_prop prop;
    const char *why = bad_text(key);
    if (why || !*key)
        return refuse_file(source, report, why ? why : "a setting without a name");
    why = bad_text(value);
    pst_sv kept = why ? PST_SV("") : pst_sv_of(value);
    if (prop_make(&prop, pst_sv_of(key), kept, source, 0) != PST_OK)
        return pst_props_nomem(report);
    prop.broken = why != NULL;
    if (why)
        pst_conf_error(report, &prop, NULL, "%s", why);
    return props_store(props, &prop, report);
}

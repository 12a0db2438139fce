/*
 * store.c - what all stores share: choosing a driver, metadata, and the probe.
 */
#include "store/store.h"

#include "store/plugin.h"

#include <stdio.h>

/* ---- opening ---- */

pst_rc pst_store_open(pst_store **out, const pst_store_conf *conf, const pst_clock *clock,
                      pst_cancel *cancel, pst_log *log, pst_err *err)
{
    if (conf->url && strncmp(conf->url, "file:", 5) == 0)
        return pst_store_dir.open(out, conf, clock, cancel, log, err);
    if (conf->client == PST_STORE_LIBS3)
        return pst_store_plugin_open(out, conf, clock, cancel, log, err);
    return pst_store_s3.open(out, conf, clock, cancel, log, err);
}

void pst_store_close(pst_store *store)
{
    if (store)
        store->driver->close(store);
}

/* ---- metadata ---- */

static bool is_meta_name(const char *name)
{
    return name[0] &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

static bool is_meta_value(const char *value)
{
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return pst_utf8_valid(pst_sv_of(value));
}

pst_rc pst_store_meta_add(pst_store_meta *meta, const char *name, const char *fmt, ...)
{
    if (meta->n == PST_STORE_META_MAX)
        return PST_E_LIMIT;
    pst_store_pair *pair = &meta->pairs[meta->n];
    int name_n = snprintf(pair->name, sizeof pair->name, "%s", name);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(pair->value, sizeof pair->value, fmt, ap);
    va_end(ap);
    if (name_n < 0 || n < 0 || (size_t)name_n >= sizeof pair->name ||
        (size_t)n >= sizeof pair->value)
        return PST_E_LIMIT;
    if (!is_meta_name(pair->name) || !is_meta_value(pair->value))
        return PST_E_INVALID;
    meta->n++;
    return PST_OK;
}

const char *pst_store_meta_get(const pst_store_meta *meta, const char *name)
{
    for (size_t i = 0; i < meta->n; i++)
        if (strcmp(meta->pairs[i].name, name) == 0)
            return meta->pairs[i].value;
    return NULL;
}

/* ---- the probe ---- */

static const char probe_text[] = "Penstock asks here what this store can do. Leave it.\n";
static const char probe_meta[] = "penstock-probe";

typedef struct probe {
    pst_store *store;
    char key[PST_STORE_KEY_MAX + 1];
    pst_store_meta meta;
    bool listed;
    pst_err denied; /* the permissions that are missing, all of them */
} probe;

/* A missing permission doesn't end the probe: the others are tried, too. */
static pst_rc note_denied(probe *p, const pst_err *why, pst_err *err)
{
    if (why->code != PST_E_AUTH) {
        if (err && err->code == PST_OK)
            *err = *why;
        return why->code;
    }
    if (p->denied.code == PST_OK) {
        p->denied = *why;
        return PST_OK;
    }
    size_t used = strlen(p->denied.text);
    if (!strstr(p->denied.text, why->text))
        snprintf(p->denied.text + used, sizeof p->denied.text - used, "; %s", why->text);
    return PST_OK;
}

static pst_rc probe_put(probe *p, bool create_only, pst_err *why)
{
    pst_store_put put = {.key = p->key,
                         .bytes = PST_SV(probe_text),
                         .crc32c = pst_crc32c(0, probe_text, sizeof probe_text - 1),
                         .content_type = "text/plain",
                         .meta = &p->meta,
                         .create_only = create_only};
    return p->store->driver->put(p->store, &put, why);
}

/* Two conditional PUTs: the second must be refused. */
static pst_rc probe_create(probe *p, bool *conditional, pst_err *err)
{
    *conditional = false;
    for (int i = 0; i < 2; i++) {
        pst_err why = PST_ERR_INIT;
        pst_rc rc = probe_put(p, true, &why);
        if (rc == PST_E_UNSUPPORTED && !p->store->driver->links) {
            pst_err_clear(&why);
            rc = probe_put(p, false, &why);
        }
        if (rc != PST_OK && rc != PST_E_EXISTS)
            return note_denied(p, &why, err);
        *conditional = i == 1 && rc == PST_E_EXISTS;
    }
    return PST_OK;
}

static bool see_probe(void *opaque, const char *key, int64_t size)
{
    probe *p = opaque;
    (void)size;
    p->listed = strcmp(key, p->key) == 0;
    return false;
}

static pst_rc probe_list(probe *p, pst_err *err)
{
    pst_err why = PST_ERR_INIT;
    pst_store_list list = {.prefix = p->key, .limit = 1};
    pst_rc rc = p->store->driver->list(p->store, &list, see_probe, p, &why);
    if (rc != PST_OK)
        return note_denied(p, &why, err);
    if (!p->listed && p->denied.code == PST_OK)
        return pst_fail_retriable(err, PST_E_INVALID,
                                  "the store does not list %s, which it holds", p->key);
    return PST_OK;
}

static pst_rc probe_head(probe *p, pst_err *err)
{
    pst_err why = PST_ERR_INIT;
    pst_store_info info;
    pst_rc rc = p->store->driver->head(p->store, p->key, NULL, &info, &why);
    if (rc == PST_E_NOT_FOUND && p->denied.code != PST_OK)
        return PST_OK; /* as it could not be put */
    if (rc != PST_OK)
        return note_denied(p, &why, err);
    if (!p->store->driver->links && !pst_store_meta_get(&info.meta, probe_meta))
        return pst_fail(err, PST_E_UNSUPPORTED,
                        "the store does not keep user metadata (x-amz-meta-…) with %s",
                        p->key);
    return PST_OK;
}

pst_rc pst_store_probe(pst_store *store, const char *topics_dir, pst_store_abilities *out,
                       pst_err *err)
{
    probe p = {.store = store, .denied = PST_ERR_INIT};
    bool conditional = false;
    bool has_dir = topics_dir && topics_dir[0];
    int n = snprintf(p.key, sizeof p.key, "%s%s_penstock/probe",
                     has_dir ? topics_dir : "", has_dir ? "/" : "");
    if (n < 0 || (size_t)n >= sizeof p.key)
        return pst_fail(err, PST_E_CONFIG, "topics.dir is too long");
    pst_rc rc = pst_store_meta_add(&p.meta, probe_meta, "1");
    if (rc == PST_OK)
        rc = probe_create(&p, &conditional, err);
    if (rc == PST_OK)
        rc = probe_list(&p, err);
    if (rc == PST_OK)
        rc = probe_head(&p, err);
    if (rc == PST_OK && p.denied.code != PST_OK) {
        rc = p.denied.code;
        if (err && err->code == PST_OK)
            *err = p.denied;
    }
    if (rc == PST_OK)
        out->conditional_create = conditional;
    return rc;
}

/* ---- counting ---- */

uint64_t pst_store_requests(const pst_store *store, const char *method)
{
    return store->driver->requests ? store->driver->requests(store, method) : 0;
}

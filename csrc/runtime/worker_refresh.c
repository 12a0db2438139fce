/*
 * worker_refresh.c - the connectors of the command line anew, while the worker runs: all
 * of them are checked before one is touched, and what has not changed goes on.
 */
#include "runtime/worker_internal.h"

#include "base/mem.h"

#include <string.h>

typedef enum what { UNCHANGED, CHANGED, ADDED } what;

/* One connector of the new set. */
typedef struct fresh {
    pst_setup *setup;
    pst_entry *entry; /* that it changes or, if added, its own, not yet in the list */
    what what;
} fresh;

typedef struct refresh {
    pst_worker *worker;
    fresh *items;
    size_t n;
    pst_conf_report *report;
} refresh;

static const char *name_of(const pst_setup *setup)
{
    return setup->conf ? pst_setup_common(setup)->name : NULL;
}

/* ---- checking ---- */

static pst_rc load(refresh *r, pst_props *connectors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        r->items[i].setup = pst_setup_new(NULL, &connectors[i], r->report);
        if (!r->items[i].setup)
            return PST_E_NOMEM;
        r->n++;
    }
    return r->report->nomem ? PST_E_NOMEM : PST_OK;
}

static void check_twice(const refresh *r, size_t i)
{
    for (size_t k = 0; k < i; k++)
        pst_setup_check_twice(r->items[k].setup, r->items[i].setup, r->report);
}

/* Under the lock. */
static void check_taken(const refresh *r, size_t i)
{
    const pst_setup *setup = r->items[i].setup;
    const char *name = name_of(setup);
    const pst_entry *entry = name ? pst_worker_find(r->worker, name) : NULL;
    if (entry && !entry->fixed)
        pst_conf_error(r->report, pst_props_find(setup->props, "name"), "name",
                       "a connector that was made over REST is called \"%s\": delete "
                       "that one, or give this one another name",
                       name);
}

static bool same_props(const pst_props *a, const pst_props *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = pst_props_has(b, &a->items[i]);
    return same;
}

/* Under the lock: what becomes of it, and the memory that this takes. */
static pst_rc prepare(const refresh *r, fresh *one)
{
    one->entry = pst_worker_find_any(r->worker, name_of(one->setup));
    if (one->entry) {
        const pst_entry *is = one->entry;
        const pst_setup *now = is->next ? is->next : is->now;
        bool same = !is->deleted && same_props(now->props, one->setup->props);
        one->what = same ? UNCHANGED : CHANGED;
    } else {
        one->what = ADDED;
        one->entry = pst_entry_new(r->worker, true);
        if (!one->entry)
            return PST_E_NOMEM;
    }
    return one->what == UNCHANGED ? PST_OK : pst_setup_tasks(one->setup, one->entry);
}

static pst_rc prepare_all(const refresh *r, pst_err *err)
{
    size_t room = r->worker->options.n_connectors + PST_CONNECTORS_MAX, added = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (prepare(r, &r->items[i]) != PST_OK)
            return pst_fail_nomem(err, "a connector");
        added += r->items[i].what == ADDED;
    }
    if (added > room - r->worker->n_entries)
        return pst_fail(err, PST_E_LIMIT, "there are %zu connectors already",
                        r->worker->n_entries);
    return PST_OK;
}

/* ---- applying: nothing here can fail ---- */

static void tell(const refresh *r, const pst_entry *entry, const char *happens)
{
    pst_logf(r->worker->options.log, PST_LOG_INFO, NULL, "daemon", "connector %s: %s",
             pst_entry_name(entry), happens);
}

static void apply(const refresh *r, fresh *one, pst_refreshed *done)
{
    pst_worker *worker = r->worker;
    pst_entry *entry = one->entry;
    if (one->what == UNCHANGED) {
        done->unchanged++;
        return; /* its setup is the caller's to free */
    }
    if (one->what == ADDED) {
        entry->now = one->setup;
        worker->entries[worker->n_entries++] = entry;
        done->added++;
    } else {
        pst_entry_change(entry, one->setup, PST_TARGET_RUNNING);
        entry->fixed = true;
        done->changed++;
    }
    one->setup = NULL;
    tell(r, entry,
         one->what == ADDED ? "added" : "changed: it goes on by its new settings");
    one->entry = NULL;
}

static bool is_among(const refresh *r, const pst_entry *entry)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(name_of(r->items[i].setup), pst_entry_name(entry)) == 0)
            return true;
    return false;
}

/* Before the others: their setups are moved. */
static void remove_others(const refresh *r, pst_refreshed *done)
{
    for (size_t i = 0; i < r->worker->n_entries; i++) {
        pst_entry *entry = r->worker->entries[i];
        if (!entry->fixed || entry->deleted || is_among(r, entry))
            continue;
        tell(r, entry, "removed: it lands what it has read and ends");
        pst_entry_delete(entry);
        done->removed++;
    }
}

/* ---- all of it ---- */

static void free_all(refresh *r)
{
    for (size_t i = 0; i < r->n; i++) {
        pst_setup_free(r->items[i].setup);
        if (r->items[i].what == ADDED)
            pst_entry_free(r->items[i].entry); /* NULL if it is in the list */
    }
    pst_free(r->items);
}

/* Under the lock. */
static pst_rc refresh_all(refresh *r, pst_refreshed *done, pst_err *err)
{
    size_t before = r->report->errors;
    for (size_t i = 0; i < r->n; i++)
        check_taken(r, i);
    if (r->report->errors > before)
        return pst_fail(err, PST_E_CONFIG, "the settings are wrong");
    pst_rc rc = prepare_all(r, err);
    if (rc != PST_OK)
        return rc;
    remove_others(r, done);
    for (size_t i = 0; i < r->n; i++)
        apply(r, &r->items[i], done);
    pthread_cond_broadcast(&r->worker->changed);
    return PST_OK;
}

pst_rc pst_worker_refresh(pst_worker *worker, pst_props *connectors, size_t n,
                          pst_refreshed *done, pst_conf_report *report, pst_err *err)
{
    size_t before = report->errors;
    refresh r = {.worker = worker, .report = report};
    *done = (pst_refreshed){0};
    r.items = pst_calloc(n + 1, sizeof *r.items);
    pst_rc rc = r.items ? load(&r, connectors, n) : PST_E_NOMEM;
    if (rc != PST_OK)
        (void)!pst_fail_nomem(err, "the connectors");
    for (size_t i = 0; i < r.n; i++)
        check_twice(&r, i);
    if (rc == PST_OK && report->errors > before)
        rc = pst_fail(err, PST_E_CONFIG, "the settings are wrong");
    if (rc == PST_OK) {
        pthread_mutex_lock(&worker->lock);
        rc = refresh_all(&r, done, err);
        pthread_mutex_unlock(&worker->lock);
    }
    free_all(&r);
    return rc;
}

/*
 * worker_setup.c - one connector's settings, checked, and its tasks.
 */
#include "runtime/worker_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void complain_class(const pst_props *props, pst_conf_report *report)
{
    const pst_prop *class = pst_props_find(props, "connector.class");
    char known[256] = "";
    for (size_t i = 0; i < pst_connectors_n; i++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "",
                 pst_connectors[i]->class_name);
    }
    if (class)
        pst_conf_error(report, class, "connector.class",
                       "unknown class \"%s\"; there are: %s", class->value, known);
    else
        pst_conf_error(report, props->n ? &props->items[0] : NULL, "connector.class",
                       "missing; there are: %s", known);
}

static void load(pst_setup *setup, pst_conf_report *report)
{
    const char *class = pst_props_get(setup->props, "connector.class");
    setup->plugin = class ? pst_connector_find(class) : NULL;
    if (!setup->plugin) {
        complain_class(setup->props, report);
        return;
    }
    setup->conf = pst_calloc(1, setup->plugin->spec->size);
    if (!setup->conf)
        report->nomem = true;
    else
        (void)!pst_conf_apply(setup->plugin->spec, setup->props, setup->conf, report);
}

pst_setup *pst_setup_new(const pst_props *props, pst_props *own, pst_conf_report *report)
{
    pst_setup *setup = pst_calloc(1, sizeof *setup);
    if (!setup) {
        report->nomem = true;
        return NULL;
    }
    setup->props = props;
    if (own) {
        setup->own = *own;
        pst_props_init(own);
        setup->props = &setup->own;
    }
    load(setup, report);
    return setup;
}

void pst_setup_check_twice(const pst_setup *a, const pst_setup *b,
                           pst_conf_report *report)
{
    const char *first = a->conf ? pst_setup_common(a)->name : NULL;
    const char *second = b->conf ? pst_setup_common(b)->name : NULL;
    if (first && second && strcmp(first, second) == 0)
        pst_conf_error(report, pst_props_find(b->props, "name"), "name",
                       "two connectors are called \"%s\"", first);
}

/* A source has one task: its position is one. */
static size_t tasks_of(const pst_setup *setup)
{
    return setup->plugin->source ? 1 : (size_t)pst_setup_common(setup)->tasks_max;
}

pst_rc pst_setup_tasks(pst_setup *setup, pst_entry *entry)
{
    size_t n = tasks_of(setup);
    setup->tasks = pst_calloc(n, sizeof *setup->tasks);
    if (!setup->tasks)
        return PST_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        pst_rc rc = pst_task_init(&setup->tasks[setup->n_tasks++], entry, setup, (int)i);
        if (rc != PST_OK)
            return rc;
    }
    return PST_OK;
}

void pst_setup_free(pst_setup *setup)
{
    if (!setup)
        return;
    for (size_t i = 0; i < setup->n_tasks; i++)
        pst_task_done(&setup->tasks[i]);
    pst_free(setup->tasks);
    if (setup->conf)
        pst_conf_done(setup->plugin->spec, setup->conf);
    pst_free(setup->conf);
    pst_props_done(&setup->own);
    pst_free(setup);
}

pst_entry *pst_entry_new(pst_worker *worker, bool fixed)
{
    pst_entry *entry = pst_calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->worker = worker;
    entry->fixed = fixed;
    atomic_init(&entry->paused, false);
    return entry;
}

void pst_entry_free(pst_entry *entry)
{
    if (!entry)
        return;
    for (size_t i = 0; i < entry->n_topics; i++)
        pst_free(entry->topics[i]);
    pst_free(entry->topics);
    pst_setup_free(entry->now);
    pst_setup_free(entry->next);
    pst_free(entry);
}

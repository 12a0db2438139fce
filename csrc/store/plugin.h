/*
 * plugin.h - a store driver in a shared object of its own, loaded when a setting asks.
 *
 * For a client whose licence or packaging keeps it out of the program and the wheels:
 * libs3. The object exports one symbol, a pst_store_plugin_entry; the driver in it is
 * like any other. It brings its own copy of what it uses of base/ (no symbol of the core
 * is visible), so both must be built from the same source: that is compared at load. It
 * gets its credentials resolved, in the settings.
 */
#ifndef PST_STORE_PLUGIN_H
#define PST_STORE_PLUGIN_H

#include "store/store.h"

#define PST_STORE_PLUGIN_SYMBOL "pst_store_plugin_1"

typedef struct pst_store_plugin {
    const char *version; /* PST_VERSION */
    uint64_t layout;     /* pst_store_plugin_layout() */
    const char *library; /* what it speaks through: "libs3 2, Signature V2" */
    const pst_store_driver *driver;
} pst_store_plugin;

typedef void pst_store_plugin_entry(pst_store_plugin *out);

/* A number that differs when a struct that crosses the border has changed its size. */
static inline uint64_t pst_store_plugin_layout(void)
{
    const size_t sizes[] = {
        sizeof(pst_store_driver), sizeof(pst_store_conf), sizeof(pst_store_put),
        sizeof(pst_store_info),   sizeof(pst_store_list), sizeof(pst_store_meta),
        sizeof(pst_err),          sizeof(pst_clock),      sizeof(pst_chunk),
        sizeof(pst_chunks),       sizeof(pst_buf),        sizeof(pst_store)};
    uint64_t sum = 1469598103934665603u;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        sum = (sum ^ sizes[i]) * 1099511628211u;
    return sum;
}

/* Loads the plugin of conf->client and opens its store; conf need not outlive the call.
   It is looked for at s3.libs3.plugin, in the folder $PST_PLUGIN_DIR, beside the program
   and in lib/penstock beside the program's folder. It is never unloaded. */
pst_rc pst_store_plugin_open(pst_store **out, const pst_store_conf *conf,
                             const pst_clock *clock, pst_cancel *cancel, pst_log *log,
                             pst_err *err) PST_MUST;

#endif

/*
 * chain_sweep.c - uploads in parts that a crash of ours has left: they are not to be
 * seen, but the store keeps their bytes, and they are paid for.
 *
 * After recovery the chain's next key is known. Whoever has an upload for it that was
 * begun before is a writer that died, or one that has lost the partition and does not
 * know yet: its Complete would be refused by the condition if we come first, and finds no
 * upload if we abort it; then it begins anew or learns that it is late (rules 4 and 9).
 * So age does not matter there. Uploads for other keys of the topic are swept only when
 * they are older than any that can be under way: they are of positions long passed, or of
 * partitions whose writer is away.
 */
#include "runtime/chain_internal.h"

#include <stdio.h>
#include <string.h>

enum { START_DIGITS = 20, OLD_MS = 24 * 3600 * 1000 };

typedef struct sweep {
    const pst_chain *chain;
    const char *key; /* NULL: any object of the topic that is old */
} sweep;

static size_t digits_of(const char *text)
{
    return strspn(text, "0123456789");
}

/* "<topic>+<partition>+<start>.…" behind the last slash. */
static bool is_object_of(const char *topic, const char *key)
{
    const char *slash = strrchr(key, '/');
    const char *name = slash ? slash + 1 : key;
    size_t n = strlen(topic);
    if (strncmp(name, topic, n) != 0 || name[n] != '+')
        return false;
    name += n + 1;
    n = digits_of(name);
    if (!n || name[n] != '+')
        return false;
    name += n + 1;
    return digits_of(name) == START_DIGITS &&
           (name[START_DIGITS] == '.' || name[START_DIGITS] == '-');
}

static bool wanted(void *opaque, const char *key, int64_t begun_ms)
{
    const sweep *s = opaque;
    if (s->key)
        return strcmp(key, s->key) == 0;
    return begun_ms < pst_wall_ms(s->chain->conf->clock) - OLD_MS &&
           is_object_of(s->chain->topic, key);
}

pst_rc pst_chain_sweep(const pst_chain *chain, bool topic, size_t *aborted, pst_err *err)
{
    pst_store *store = chain->conf->store;
    char prefix[PST_STORE_KEY_MAX + 1];
    size_t n = 0;
    *aborted = 0;
    if (!store->driver->sweep)
        return PST_OK;
    pst_rc rc = PST_OK;
    if (chain->conf->conditional) { /* else the key is not known yet */
        rc = pst_chain_key(chain, chain->pos, 0, prefix, err);
        sweep one = {chain, prefix};
        if (rc == PST_OK)
            rc = store->driver->sweep(store, prefix, wanted, &one, &n, err);
        *aborted += n;
    }
    if (rc != PST_OK || !topic)
        return rc;
    const char *dir = chain->at.dir;
    snprintf(prefix, sizeof prefix, "%s%s%s%s", dir, *dir ? "/" : "", chain->topic,
             chain->at.layout == PST_LAYOUT_FLAT ? "+" : "/");
    sweep all = {chain, NULL};
    rc = store->driver->sweep(store, prefix, wanted, &all, &n, err);
    *aborted += n;
    return rc;
}

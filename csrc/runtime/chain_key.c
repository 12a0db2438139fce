/*
 * chain_key.c - names of the chain: object keys, link keys, the commit's metadata string.
 *
 * Starts are padded to 20 digits, so that the byte order of keys is the order of offsets
 * and LIST can go on from any position. No wall-clock text is in a key (rule 2).
 */
#include "runtime/chain_files.h"

#include <stdio.h>
#include <string.h>

#define META_PREFIX "penstock/1 "

static bool by_link(const pst_chain *chain)
{
    return chain->conf->store->driver->links || pst_layout_is_routed(chain->at.layout);
}

static void data_prefix(const pst_chain *chain, char out[PST_STORE_KEY_MAX + 1])
{
    const char *dir = chain->at.dir;
    const char *slash = *dir ? "/" : "";
    if (chain->at.layout == PST_LAYOUT_FLAT)
        snprintf(out, PST_STORE_KEY_MAX + 1, "%s%s%s+%d+", dir, slash, chain->topic,
                 chain->partition);
    else
        snprintf(out, PST_STORE_KEY_MAX + 1, "%s%s%s/partition=%d/%s+%d+", dir, slash,
                 chain->topic, chain->partition, chain->topic, chain->partition);
}

/* The links of a later layout have a folder of their own: a seal and the object that
   follows it start at one position. */
static void link_prefix(const pst_chain *chain, char out[PST_STORE_KEY_MAX + 1])
{
    const char *dir = chain->at.dir;
    char name[64] = "";
    if (!chain->at.first)
        pst_place_name(&chain->at, name, sizeof name);
    snprintf(out, PST_STORE_KEY_MAX + 1, "%s%s_penstock/%s/%d/%s%s", dir, *dir ? "/" : "",
             chain->topic, chain->partition, name, *name ? "/" : "");
}

void pst_chain_prefix(const pst_chain *chain, char out[PST_STORE_KEY_MAX + 1])
{
    if (by_link(chain))
        link_prefix(chain, out);
    else
        data_prefix(chain, out);
}

void pst_chain_list_prefix(const pst_chain *chain, char out[PST_STORE_KEY_MAX + 1])
{
    pst_chain_prefix(chain, out);
    size_t n = strlen(out);
    /* An offset has 19 digits at most. */
    if (n < PST_STORE_KEY_MAX)
        snprintf(out + n, 2, "0");
}

pst_rc pst_chain_key(const pst_chain *chain, int64_t start, int64_t next,
                     char out[PST_STORE_KEY_MAX + 1], pst_err *err)
{
    char prefix[PST_STORE_KEY_MAX + 1];
    data_prefix(chain, prefix);
    int n;
    if (chain->conf->conditional)
        n = snprintf(out, PST_STORE_KEY_MAX + 1, "%s%020lld%s", prefix, (long long)start,
                     chain->at.extension);
    else
        n = snprintf(out, PST_STORE_KEY_MAX + 1, "%s%020lld-%020lld%s", prefix,
                     (long long)start, (long long)next, chain->at.extension);
    if (n < 0 || n > PST_STORE_KEY_MAX)
        return pst_fail(err, PST_E_CONFIG,
                        "the object key for %s-%d would be longer than %d bytes: shorten "
                        "topics.dir",
                        chain->topic, chain->partition, PST_STORE_KEY_MAX);
    return PST_OK;
}

pst_rc pst_chain_next_key(const pst_chain *chain, const pst_window *window, int64_t next,
                          char out[PST_STORE_KEY_MAX + 1], pst_err *err)
{
    return pst_layout_is_routed(chain->at.layout)
               ? pst_chain_manifest_key(chain, window, next, out, err)
               : pst_chain_key(chain, chain->pos, next, out, err);
}

void pst_chain_link(const pst_chain *chain, int64_t start,
                    char out[PST_STORE_KEY_MAX + 1])
{
    char prefix[PST_STORE_KEY_MAX + 1];
    link_prefix(chain, prefix);
    snprintf(out, PST_STORE_KEY_MAX + 1, "%.900s%020lld", prefix, (long long)start);
}

void pst_chain_after(const pst_chain *chain, int64_t from,
                     char out[PST_STORE_KEY_MAX + 1])
{
    char prefix[PST_STORE_KEY_MAX + 1];
    pst_chain_prefix(chain, prefix);
    /* '~' sorts behind every extension, so all keys of from - 1 are left out. */
    if (from > 0)
        snprintf(out, PST_STORE_KEY_MAX + 1, "%.900s%020lld~", prefix,
                 (long long)(from - 1));
    else
        out[0] = '\0';
}

bool pst_chain_key_start(const pst_chain *chain, const char *key, int64_t *start)
{
    char prefix[PST_STORE_KEY_MAX + 1];
    pst_chain_prefix(chain, prefix);
    size_t n = strlen(prefix);
    if (strncmp(key, prefix, n) != 0 || strspn(key + n, "0123456789") != 20)
        return false;
    char end = key[n + 20];
    bool shaped = by_link(chain) ? end == '\0' : end == '.' || end == '-';
    if (pst_layout_is_routed(chain->at.layout))
        shaped = strcmp(key + n + 20, ".json") == 0 ||
                 (end == '-' && pst_sv_ends(pst_sv_of(key), PST_SV(".json")));
    return shaped && pst_sv_to_i64((pst_sv){key + n, 20}, start);
}

bool pst_chain_parse_last(const char *text, pst_last *out)
{
    pst_sv rest, more;
    pst_sv offset = pst_sv_cut(pst_sv_of(text), ':', &rest);
    pst_sv time = rest.p ? pst_sv_cut(rest, ':', &more) : rest;
    pst_last last = PST_LAST_NONE;
    if (!rest.p || !more.p || more.n != 8)
        return false;
    for (size_t i = 0; i < more.n; i++) {
        const char *hex = "0123456789abcdef";
        const char *at = more.p[i] ? strchr(hex, more.p[i]) : NULL;
        if (!at)
            return false;
        last.crc32c = last.crc32c << 4 | (uint32_t)(at - hex);
    }
    if (!pst_sv_to_i64(offset, &last.offset) || !pst_sv_to_i64(time, &last.timestamp_ms))
        return false;
    *out = last;
    return true;
}

void pst_chain_metadata(const pst_chain *chain, char out[PST_KAFKA_METADATA_MAX])
{
    char layout[PST_KAFKA_METADATA_MAX];
    if (!pst_place_encode(&chain->at, layout, sizeof layout))
        layout[0] = '\0'; /* not so: pst_chain_init() has tried */
    const pst_last *last = &chain->last;
    snprintf(out, PST_KAFKA_METADATA_MAX,
             META_PREFIX "pos=%lld last=%lld:%lld:%08x layout=%.700s%s",
             (long long)chain->pos, (long long)last->offset,
             (long long)last->timestamp_ms, last->crc32c, layout,
             chain->since == chain->pos ? " empty=1" : "");
}

bool pst_chain_parse_metadata(const char *text, int64_t *pos, pst_last *last)
{
    pst_sv rest = pst_sv_of(text);
    if (!pst_sv_starts(rest, PST_SV(META_PREFIX)))
        return false;
    rest.p += sizeof META_PREFIX - 1;
    rest.n -= sizeof META_PREFIX - 1;
    int64_t found_pos = -1;
    pst_last found_last = PST_LAST_NONE;
    while (rest.p && rest.n) {
        pst_sv word = pst_sv_cut(rest, ' ', &rest), value;
        pst_sv name = pst_sv_cut(word, '=', &value);
        char copy[80];
        snprintf(copy, sizeof copy, "%.*s", value.p ? (int)value.n : 0,
                 value.p ? value.p : "");
        if (pst_sv_is(name, "pos") && !pst_sv_to_i64(value, &found_pos))
            return false;
        if (pst_sv_is(name, "last") && !pst_chain_parse_last(copy, &found_last))
            return false;
    }
    if (found_pos < 0)
        return false;
    *pos = found_pos;
    *last = found_last;
    return true;
}

uint32_t pst_chain_fingerprint(const pst_msg *msg)
{
    uint32_t crc = pst_crc32c(0, msg->key.p, msg->key.p ? msg->key.n : 0);
    return pst_crc32c(crc, msg->value.p, msg->value.p ? msg->value.n : 0);
}

/*
 * chain_recover.c - rules 6 to 8: where a partition goes on after it was assigned.
 *
 *   committed offset and metadata → LIST from the chain position on → HEAD the last key →
 *   compare with the log → resume
 *
 * One LIST is usual: a commit of ours says where the chain ended a moment ago. Without
 * one the chain's end is searched from its root; beyond one page of keys by bisecting the
 * key space, because a long chain may have millions of objects.
 */
#include "runtime/chain_internal.h"

#include <stdio.h>
#include <string.h>

enum { LIST_PAGE = 1000 };

typedef struct tail {
    bool found;
    int64_t start;
    char key[PST_STORE_KEY_MAX + 1];
} tail;

typedef struct list_page {
    const pst_chain *chain;
    tail *last;
    size_t n;
} list_page;

static bool see_key(void *opaque, const char *key, int64_t size)
{
    (void)size;
    list_page *page = opaque;
    int64_t start;
    page->n++;
    if (pst_chain_key_start(page->chain, key, &start)) {
        page->last->found = true;
        page->last->start = start;
        snprintf(page->last->key, sizeof page->last->key, "%s", key);
    }
    return true;
}

/* The last of the first LIST_PAGE objects that start at `from` or later. */
static pst_rc list_from(const pst_chain *chain, int64_t from, tail *last, size_t *n,
                        pst_err *err)
{
    char prefix[PST_STORE_KEY_MAX + 1], after[PST_STORE_KEY_MAX + 1];
    pst_chain_prefix(chain, prefix);
    pst_chain_after(chain, from, after);
    pst_store_list list = {
        .prefix = prefix, .after = *after ? after : NULL, .limit = LIST_PAGE};
    list_page page = {.chain = chain, .last = last};
    const pst_store_driver *driver = chain->conf->store->driver;
    pst_rc rc = driver->list(chain->conf->store, &list, see_key, &page, err);
    *n = page.n;
    return rc;
}

/* The chain's last object with start >= from; `high` bounds the search, objects beyond it
   are found too. */
static pst_rc find_tail(const pst_chain *chain, int64_t from, int64_t high, tail *last,
                        pst_err *err)
{
    size_t n;
    last->found = false;
    pst_rc rc = list_from(chain, from, last, &n, err);
    if (rc != PST_OK || n < LIST_PAGE)
        return rc;
    int64_t low = last->found ? last->start : from;
    int64_t top = high > low ? high : low;
    while (low < top) {
        int64_t middle = low + (top - low + 1) / 2;
        tail seen = {.found = false};
        rc = list_from(chain, middle, &seen, &n, err);
        if (rc != PST_OK)
            return rc;
        if (!seen.found) {
            top = middle - 1;
            continue;
        }
        *last = seen;
        if (n < LIST_PAGE)
            return PST_OK;
        low = seen.start;
        if (top < low)
            top = low;
    }
    return PST_OK;
}

bool pst_chain_is_our_group(const pst_chain_conf *conf, const char *group)
{
    return strcmp(group, conf->group) == 0 ||
           (conf->take_over_from && strcmp(group, conf->take_over_from) == 0);
}

const char *pst_chain_connector_of(const char *group)
{
    static const char prefix[] = "connect-";
    size_t n = sizeof prefix - 1;
    return strncmp(group, prefix, n) == 0 ? group + n : group;
}

static const char *meta_of(const pst_store_info *info, const char *name)
{
    const char *value = pst_store_meta_get(&info->meta, name);
    return value ? value : "";
}

static pst_rc check_owner(const pst_chain *chain, const char *key,
                          const pst_store_info *info, pst_err *err)
{
    char partition[16];
    snprintf(partition, sizeof partition, "%d", chain->partition);
    const char *group = meta_of(info, "penstock-group");
    const char *cluster = meta_of(info, "penstock-cluster");
    if (!*group)
        return pst_fail(
            err, PST_E_CHAIN,
            "%s stands where the chain of %s-%d goes on, but Penstock did not "
            "write it (no metadata): move it away, or use another topics.dir",
            key, chain->topic, chain->partition);
    if (!pst_chain_is_our_group(chain->conf, group))
        return pst_fail(err, PST_E_CHAIN,
                        "%s was written by group \"%s\", this connector's is \"%s\": two "
                        "connectors must not share a topics.dir. Set another topics.dir, "
                        "or, if this connector was renamed, chain.take.over.from=%s",
                        key, group, chain->conf->group, pst_chain_connector_of(group));
    if (strcmp(cluster, chain->conf->cluster) != 0)
        return pst_fail(
            err, PST_E_CHAIN,
            "%s was written from Kafka cluster \"%s\", this is cluster \"%s\": "
            "use another topics.dir for another cluster",
            key, cluster, chain->conf->cluster);
    if (strcmp(meta_of(info, "penstock-topic"), chain->topic) != 0 ||
        strcmp(meta_of(info, "penstock-partition"), partition) != 0)
        return pst_fail(err, PST_E_CHAIN,
                        "%s holds %s-%s by its metadata, not %s-%d: it was copied or "
                        "renamed; move it away",
                        key, meta_of(info, "penstock-topic"),
                        meta_of(info, "penstock-partition"), chain->topic,
                        chain->partition);
    return PST_OK;
}

pst_rc pst_chain_read_object(pst_chain *chain, const char *key, int64_t start,
                             const char *batch, pst_chain_object *out, pst_err *err)
{
    char link[PST_STORE_KEY_MAX + 1];
    pst_chain_link(chain, start, link);
    pst_store *store = chain->conf->store;
    pst_store_info info;
    pst_rc rc = store->driver->head(store, key, link, &info, err);
    if (rc != PST_OK)
        return rc;
    rc = check_owner(chain, key, &info, err);
    if (rc != PST_OK)
        return rc;
    out->start = start;
    if (!pst_sv_to_i64(pst_sv_of(meta_of(&info, "penstock-next")), &out->next) ||
        out->next <= start ||
        !pst_chain_parse_last(meta_of(&info, "penstock-last"), &out->last))
        return pst_fail(
            err, PST_E_CHAIN,
            "%s has unusable metadata (next=\"%s\", last=\"%s\"): restore the "
            "object with its metadata",
            key, meta_of(&info, "penstock-next"), meta_of(&info, "penstock-last"));
    out->own_batch = batch && strcmp(meta_of(&info, "penstock-batch"), batch) == 0;
    return PST_OK;
}

/* Finds the chain's end at or after `from`: chain->pos and chain->last. */
static pst_rc find_end(pst_chain *chain, int64_t from, int64_t high, pst_err *err)
{
    tail last;
    pst_rc rc = find_tail(chain, from, high, &last, err);
    chain->pos = from;
    if (rc != PST_OK || !last.found)
        return rc;
    char key[PST_STORE_KEY_MAX + 1];
    if (chain->conf->store->driver->links)
        rc = pst_chain_key(chain, last.start, 0, key, err);
    else
        snprintf(key, sizeof key, "%s", last.key);
    if (rc != PST_OK)
        return rc;
    pst_chain_object object;
    rc = pst_chain_read_object(chain, key, last.start, NULL, &object, err);
    if (rc != PST_OK)
        return rc;
    chain->pos = object.next;
    if (object.last.offset > chain->last.offset)
        chain->last = object.last;
    return PST_OK;
}

/* Rule 7: the group was set back by a tool to where objects already are. */
static pst_rc refuse_rewind(const pst_chain *chain, int64_t committed, pst_err *err)
{
    return pst_fail(
        err, PST_E_CHAIN,
        "group %s stands at offset %lld of %s-%d, but objects up to offset %lld "
        "are in the store: reading them again would double records. Reset the "
        "group to %lld or later, or move the objects from %lld on away and "
        "delete the group's offset, or use another topics.dir",
        chain->conf->group, (long long)committed, chain->topic, chain->partition,
        (long long)chain->pos, (long long)chain->pos, (long long)committed);
}

/* Rule 8, first half: what is known must lie within the log. */
static pst_rc check_end(const pst_chain *chain, int64_t take_from,
                        const pst_log_facts *facts, pst_err *err)
{
    int64_t known = take_from > chain->pos ? take_from : chain->pos;
    if (known <= facts->high)
        return PST_OK;
    return pst_fail(err, PST_E_CHAIN,
                    "the chain of %s-%d ends at offset %lld, but the topic ends at %lld: "
                    "the topic was made anew, or its records were lost. Use another "
                    "topics.dir for the new topic, or restore the old one",
                    chain->topic, chain->partition, (long long)known,
                    (long long)facts->high);
}

static pst_rc check_loss(const pst_chain *chain, int64_t *take_from,
                         const pst_log_facts *facts, int64_t *lost, pst_err *err)
{
    *lost = 0;
    if (*take_from >= facts->low)
        return PST_OK;
    *lost = facts->low - *take_from;
    if (chain->conf->fail_on_data_loss)
        return pst_fail(
            err, PST_E_CHAIN,
            "offsets %lld to %lld of %s-%d expired before they were read: set "
            "failOnDataLoss=false to go on at %lld without them",
            (long long)*take_from, (long long)facts->low - 1, chain->topic,
            chain->partition, (long long)facts->low);
    *take_from = facts->low;
    return PST_OK;
}

static void choose_check(const pst_chain *chain, const pst_log_facts *facts,
                         pst_resume *resume)
{
    resume->read_from = resume->take_from;
    resume->check = PST_LAST_NONE;
    const pst_last *last = &chain->last;
    if (last->offset < 0 || last->offset >= resume->take_from)
        return;
    if (last->offset < facts->low) {
        pst_logf(
            chain->conf->log, PST_LOG_INFO, chain->conf->task, "chain",
            "%s-%d: the last landed record (offset %lld) has expired from the topic; "
            "going on at %lld",
            chain->topic, chain->partition, (long long)last->offset,
            (long long)resume->take_from);
        return;
    }
    resume->read_from = last->offset;
    resume->check = *last;
}

pst_rc pst_chain_recover(pst_chain *chain, const pst_log_facts *facts, pst_resume *resume,
                         pst_err *err)
{
    pst_rc rc = pst_chain_agree_root(chain, facts, err);
    if (rc != PST_OK)
        return rc;
    int64_t from = chain->start;
    chain->last = PST_LAST_NONE;
    bool ours = pst_chain_parse_metadata(facts->metadata, &from, &chain->last);
    if (ours && from > facts->committed) {
        /* A commit copied between clusters keeps its text, not its offset. */
        ours = false;
        from = chain->start;
        chain->last = PST_LAST_NONE;
    }
    rc = find_end(chain, from, facts->high, err);
    if (rc != PST_OK)
        return rc;
    int64_t committed = facts->committed;
    if (committed != PST_OFFSET_NONE && !ours && committed < chain->pos)
        return refuse_rewind(chain, committed, err);
    resume->committed = committed;
    resume->reset = committed != PST_OFFSET_NONE && !ours;
    resume->take_from = committed > chain->pos ? committed : chain->pos;
    rc = check_end(chain, resume->take_from, facts, err);
    if (rc == PST_OK)
        rc = check_loss(chain, &resume->take_from, facts, &resume->lost, err);
    if (rc != PST_OK)
        return rc;
    choose_check(chain, facts, resume);
    pst_chain_confirm(chain, facts->asked_ms);
    return PST_OK;
}

/*
 * chain_recover.c - rules 6 to 8 and 10: where a partition goes on after it was assigned.
 *
 *   committed offset and metadata → LIST from the chain position on → HEAD the last key →
 *   (a seal: the same in the layout that it names) → compare with the log → resume
 *
 * One LIST is usual: a commit of ours says where the chain ended a moment ago. Without
 * one the chain's end is searched from its root; beyond one page of keys by bisecting the
 * key space, because a long chain may have millions of objects.
 */
#include "runtime/chain_files.h"

#include <stdio.h>
#include <string.h>

enum { LIST_PAGE = 1000, SEALS_MAX = 1000 };

/* The last start, and its key; two if a seal and the object after it differ by their
   extensions. */
typedef struct tail {
    bool found;
    int64_t start;
    char key[PST_STORE_KEY_MAX + 1];
    char twin[PST_STORE_KEY_MAX + 1]; /* "" = none */
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
        tail *last = page->last;
        bool twin = last->found && last->start == start;
        snprintf(last->twin, sizeof last->twin, "%s", twin ? last->key : "");
        last->found = true;
        last->start = start;
        snprintf(last->key, sizeof last->key, "%s", key);
    }
    return true;
}

/* The last of the first LIST_PAGE objects that start at `from` or later. */
static pst_rc list_from(const pst_chain *chain, int64_t from, tail *last, size_t *n,
                        pst_err *err)
{
    char prefix[PST_STORE_KEY_MAX + 1], after[PST_STORE_KEY_MAX + 1];
    pst_chain_list_prefix(chain, prefix);
    pst_chain_after(chain, from, after);
    last->found = false;
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
    /* A page may end between two keys of one start. */
    return last->found ? list_from(chain, last->start, last, &n, err) : PST_OK;
}

pst_rc pst_chain_check_ahead(pst_chain *chain, pst_err *err)
{
    tail last;
    size_t n;
    char to[PST_PLACE_TEXT_MAX];
    const pst_place at = chain->at;
    pst_place_of_conf(chain->conf, &chain->at);
    pst_place_text(&chain->at, to);
    pst_rc rc = list_from(chain, chain->pos, &last, &n, err);
    if (rc == PST_OK && !last.found && pst_layout_is_routed(chain->at.layout)) {
        chain->at.first = false; /* its manifests may have a folder of their own */
        rc = list_from(chain, chain->pos, &last, &n, err);
    }
    chain->at = at;
    if (rc != PST_OK || !last.found)
        return rc;
    return pst_fail(
        err, PST_E_CHAIN,
        "the layout %s that the settings ask for holds objects of %s-%d up to "
        "the one that starts at offset %lld (%s), but the chain is at %lld: "
        "they are of another chain. Move them away, or use another topics.dir",
        to, chain->topic, chain->partition, (long long)last.start, last.key,
        (long long)chain->pos);
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

pst_rc pst_chain_check_owner(const pst_chain *chain, const char *key,
                             const pst_chain_owner *owner, pst_err *err)
{
    char partition[16];
    snprintf(partition, sizeof partition, "%d", chain->partition);
    const char *group = owner->group, *cluster = owner->cluster;
    if (!*group)
        return pst_fail(
            err, PST_E_CHAIN,
            "%s stands where the chain of %s-%d goes on, but Penstock did not "
            "write it (no metadata): move it away, or use another topics.dir",
            key, chain->topic, chain->partition);
    bool ours;
    pst_rc rc = pst_chain_judge(chain, chain->at.dir, group, false, &ours, err);
    if (rc != PST_OK)
        return rc;
    if (!ours)
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
    if (strcmp(owner->topic, chain->topic) != 0 ||
        strcmp(owner->partition, partition) != 0)
        return pst_fail(err, PST_E_CHAIN,
                        "%s holds %s-%s by its metadata, not %s-%d: it was copied or "
                        "renamed; move it away",
                        key, owner->topic, owner->partition, chain->topic,
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
    if (pst_layout_is_routed(chain->at.layout))
        return pst_chain_read_manifest(chain, key, start, batch, out, err);
    out->plan = NULL;
    pst_rc rc = store->driver->head(store, key, link, &info, err);
    if (rc != PST_OK)
        return rc;
    rc = pst_chain_check_owner(
        chain, key,
        &(pst_chain_owner){.group = meta_of(&info, "penstock-group"),
                           .cluster = meta_of(&info, "penstock-cluster"),
                           .topic = meta_of(&info, "penstock-topic"),
                           .partition = meta_of(&info, "penstock-partition")},
        err);
    if (rc != PST_OK)
        return rc;
    out->start = start;
    snprintf(out->seal, sizeof out->seal, "%s", meta_of(&info, "penstock-seal"));
    if (!pst_sv_to_i64(pst_sv_of(meta_of(&info, "penstock-next")), &out->next) ||
        out->next < start || (out->next == start) != (out->seal[0] != '\0') ||
        !pst_chain_parse_last(meta_of(&info, "penstock-last"), &out->last))
        return pst_fail(
            err, PST_E_CHAIN,
            "%s has unusable metadata (next=\"%s\", last=\"%s\"): restore the "
            "object with its metadata",
            key, meta_of(&info, "penstock-next"), meta_of(&info, "penstock-last"));
    out->own_batch = batch && strcmp(meta_of(&info, "penstock-batch"), batch) == 0;
    return PST_OK;
}

/* The extension is the key's: in one folder several may follow each other. */
static void take_extension(pst_chain *chain, const char *key)
{
    char prefix[PST_STORE_KEY_MAX + 1];
    pst_chain_prefix(chain, prefix);
    const char *dot = strchr(key + strlen(prefix), '.');
    if (dot && strlen(dot) <= PST_EXTENSION_MAX)
        snprintf(chain->at.extension, sizeof chain->at.extension, "%.*s",
                 PST_EXTENSION_MAX, dot);
}

/* Without conditional create two writers may have put both: the chain goes on after the
   longer one, whose key comes last, and readers see records twice. */
static pst_rc tell_twins(const pst_chain *chain, const tail *last, pst_err *err)
{
    if (chain->conf->conditional)
        return pst_fail(err, PST_E_CHAIN,
                        "%s and %s begin at one offset: one of them was copied or "
                        "renamed; move it away",
                        last->twin, last->key);
    pst_logf(chain->conf->log, PST_LOG_WARN, chain->conf->task, "chain",
             "%s and %s begin at one offset: two writers met, and this store cannot "
             "create conditionally. Records are doubled: move the former away",
             last->twin, last->key);
    return PST_OK;
}

/* The object at the tail; of two the one that is no seal. */
static pst_rc read_tail(pst_chain *chain, const tail *last, pst_chain_object *object,
                        pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1];
    if (pst_layout_is_routed(chain->at.layout)) {
        pst_rc rc = last->twin[0] ? tell_twins(chain, last, err) : PST_OK;
        return rc == PST_OK ? pst_chain_read_object(chain, last->key, last->start, NULL,
                                                    object, err)
                            : rc;
    }
    if (chain->conf->store->driver->links) {
        pst_rc rc = pst_chain_key(chain, last->start, 0, key, err);
        return rc == PST_OK
                   ? pst_chain_read_object(chain, key, last->start, NULL, object, err)
                   : rc;
    }
    pst_rc rc = pst_chain_read_object(chain, last->key, last->start, NULL, object, err);
    if (rc != PST_OK || !last->twin[0]) {
        take_extension(chain, last->key);
        return rc;
    }
    pst_chain_object twin;
    rc = pst_chain_read_object(chain, last->twin, last->start, NULL, &twin, err);
    if (rc != PST_OK)
        return rc;
    if (!object->seal[0] && !twin.seal[0])
        rc = tell_twins(chain, last, err);
    if (rc != PST_OK)
        return rc;
    take_extension(chain, object->seal[0] ? last->twin : last->key);
    if (object->seal[0])
        *object = twin;
    return PST_OK;
}

/* A seal leads to the next layout. *more: that is to be searched, too. */
static pst_rc follow_seal(pst_chain *chain, const pst_chain_object *object, bool *more,
                          pst_err *err)
{
    pst_place to, at = chain->at;
    pst_rc rc = pst_chain_seal_place(chain, object, &to, err);
    if (rc == PST_OK)
        rc = pst_chain_enter(chain, &to, object->start, err);
    /* Keys of all extensions are listed together: an object after it would be there. */
    *more = chain->conf->store->driver->links || pst_layout_is_routed(at.layout) ||
            at.layout != to.layout || strcmp(at.dir, to.dir) != 0;
    return rc;
}

static pst_rc fail_circle(const pst_chain *chain, pst_err *err)
{
    return pst_fail(err, PST_E_CHAIN,
                    "the seals of the chain of %s-%d lead back at offset %lld: objects "
                    "were copied or restored; use another topics.dir and delete the "
                    "group's offsets",
                    chain->topic, chain->partition, (long long)chain->pos);
}

/* Finds the chain's end at or after `from`, through its seals: chain->pos, at and last;
 *plan: its last window, if that is not whole. */
static pst_rc find_end(pst_chain *chain, int64_t from, int64_t high, pst_window **plan,
                       pst_err *err)
{
    int64_t sealed = -1;
    bool more = true;
    chain->pos = from;
    for (int i = 0; more && i < SEALS_MAX; i++) {
        tail last;
        pst_rc rc = find_tail(chain, chain->pos, high, &last, err);
        if (rc != PST_OK || !last.found)
            return rc;
        pst_chain_object object;
        rc = read_tail(chain, &last, &object, err);
        if (rc != PST_OK)
            return rc;
        if (object.plan)
            return pst_chain_settle_files(chain, &object, plan, err);
        if (object.last.offset > chain->last.offset)
            chain->last = object.last;
        if (!object.seal[0]) {
            chain->pos = object.next;
            return PST_OK;
        }
        if (object.start <= sealed)
            return fail_circle(chain, err);
        sealed = object.start;
        rc = follow_seal(chain, &object, &more, err);
        if (rc != PST_OK)
            return rc;
    }
    return more ? fail_circle(chain, err) : PST_OK;
}

/* Rule 7: the group was set back by a tool to where objects already are. */
static pst_rc refuse_rewind(const pst_chain *chain, int64_t committed, int64_t end,
                            pst_err *err)
{
    return pst_fail(
        err, PST_E_CHAIN,
        "group %s stands at offset %lld of %s-%d, but objects up to offset %lld "
        "are in the store: reading them again would double records. Reset the "
        "group to %lld or later, or move the objects from %lld on away and "
        "delete the group's offset, or use another topics.dir",
        chain->conf->group, (long long)committed, chain->topic, chain->partition,
        (long long)end, (long long)end, (long long)committed);
}

/* Rule 8, first half: what is known must lie within the log. */
static pst_rc check_end(const pst_chain *chain, int64_t end, int64_t take_from,
                        const pst_log_facts *facts, pst_err *err)
{
    const pst_sink_host *host = chain->conf->host;
    int64_t known = take_from > end ? take_from : end;
    int64_t low = facts->low, high = facts->high;
    /* The topic grows, and another writer may have landed objects since we asked. */
    if (known > high && host) {
        pst_rc rc = host->watermarks(host->self, chain->topic, chain->partition, &low,
                                     &high, err);
        if (rc != PST_OK)
            return rc;
    }
    if (known <= high)
        return PST_OK;
    return pst_fail(err, PST_E_CHAIN,
                    "the chain of %s-%d ends at offset %lld, but the topic ends at %lld: "
                    "the topic was made anew, or its records were lost. For the new "
                    "topic use another topics.dir and delete the group's offsets, or "
                    "restore the old one",
                    chain->topic, chain->partition, (long long)known, (long long)high);
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

/* Where the search for the chain's end begins: with our commit, or at the root. */
static pst_rc find_begin(pst_chain *chain, const pst_log_facts *facts, int64_t *from,
                         bool *ours, pst_place *named, pst_err *err)
{
    bool empty;
    pst_place_of_conf(chain->conf, &chain->at);
    chain->since = -1;
    chain->last = PST_LAST_NONE;
    *ours = pst_chain_parse_metadata(facts->metadata, from, &chain->last);
    if (*ours && *from > facts->committed) {
        /* A commit copied between clusters keeps its text, not its offset. */
        *ours = false;
        chain->last = PST_LAST_NONE;
    }
    if (*ours && pst_chain_layout_unknown(facts->metadata, chain->conf->topics_dir))
        return pst_fail(err, PST_E_CHAIN,
                        "the group's commit for %s-%d names a layout that this version "
                        "does not know (\"%.200s\"): use the version that wrote it",
                        chain->topic, chain->partition, facts->metadata);
    bool known = *ours && pst_chain_metadata_place(
                              facts->metadata, chain->conf->topics_dir, named, &empty);
    if (known)
        chain->at = *named;
    pst_rc rc = pst_chain_agree_root(chain, facts, known, err);
    if (!*ours)
        *from = chain->start;
    if (known && empty)
        chain->since = *from;
    return rc;
}

/* The chain's end is known: where reading goes on. */
static pst_rc resume_at(pst_chain *chain, const pst_log_facts *facts, bool ours,
                        pst_resume *resume, pst_err *err)
{
    const pst_window *plan = resume->plan;
    int64_t committed = facts->committed, end = plan ? plan->next : chain->pos;
    if (committed != PST_OFFSET_NONE && !ours && committed < end)
        return refuse_rewind(chain, committed, end, err);
    resume->committed = committed;
    resume->take_from = committed > chain->pos ? committed : chain->pos;
    if (plan) /* what is missing of it is read again, wherever the commit is */
        resume->take_from = pst_files_missing(plan->files);
    pst_rc rc = check_end(chain, end, resume->take_from, facts, err);
    if (rc == PST_OK)
        rc = check_loss(chain, &resume->take_from, facts, &resume->lost, err);
    if (rc == PST_OK)
        rc = pst_chain_check_layout(chain, err);
    if (rc == PST_OK)
        choose_check(chain, facts, resume);
    return rc;
}

pst_rc pst_chain_recover(pst_chain *chain, const pst_log_facts *facts, pst_resume *resume,
                         pst_err *err)
{
    int64_t from = 0;
    bool ours;
    pst_place named = {.dir = ""};
    resume->plan = NULL;
    pst_rc rc = find_begin(chain, facts, &from, &ours, &named, err);
    if (rc == PST_OK)
        rc = find_end(chain, from, facts->high, &resume->plan, err);
    if (rc == PST_OK)
        rc = resume_at(chain, facts, ours, resume, err);
    if (rc != PST_OK) {
        pst_window_free(resume->plan);
        resume->plan = NULL;
        return rc;
    }
    resume->commit_first =
        chain->conf->host && (!ours || !pst_place_same(&named, &chain->at));
    pst_chain_confirm(chain, facts->asked_ms);
    return PST_OK;
}

/*
 * chain_manifest.c - the link of a routed layout, whose windows become several objects:
 *
 *   <topics.dir>/_penstock/<topic>/<P>/[<layout>/]<start, 20 digits>.json
 *   {start, next, last, records, group, cluster, topic, partition, batch, schema,
 *    objects: [{key, rows, size, crc32c, offsets}]}
 *
 * An intent: created conditionally before the first of its objects, it decides whose
 * window stands at a position and which record's row lies where, whatever the clock says
 * to the one who completes it. A seal (rule 10) is one without objects: {…, seal}. What
 * is read is hostile until every field of it has been looked at. The steps are in
 * chain_files.c, the text of `offsets` in files.h.
 */
#include "runtime/chain_files.h"

#include "base/mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* ---- names ---- */

pst_rc pst_chain_manifest_key(const pst_chain *chain, const pst_window *window,
                              int64_t next, char out[PST_STORE_KEY_MAX + 1], pst_err *err)
{
    char prefix[PST_STORE_KEY_MAX + 1];
    pst_chain_prefix(chain, prefix);
    int n;
    if (chain->conf->conditional)
        n = snprintf(out, PST_STORE_KEY_MAX + 1, "%s%020" PRId64 ".json", prefix,
                     chain->pos);
    else
        n = snprintf(out, PST_STORE_KEY_MAX + 1,
                     "%s%020" PRId64 "-%020" PRId64 "-%.8s.json", prefix, chain->pos,
                     next, window->batch);
    if (n < 0 || n > PST_STORE_KEY_MAX)
        return pst_fail(err, PST_E_CONFIG,
                        "the manifest's key for %s-%d would be longer than %d bytes: "
                        "shorten topics.dir",
                        chain->topic, chain->partition, PST_STORE_KEY_MAX);
    return PST_OK;
}

/* Of a store without conditional create: two writers never put one key. */
static const char *of_batch(const pst_chain *chain, const pst_window *window,
                            char out[PST_CHAIN_BATCH_LEN + 2])
{
    out[0] = '\0';
    if (!chain->conf->conditional)
        snprintf(out, PST_CHAIN_BATCH_LEN + 2, "-%.8s", window->batch);
    return out;
}

size_t pst_chain_file_key_max(const pst_chain *chain, size_t path_n)
{
    enum { OFFSET = 20, PARTITION = 11, PUNCTUATION = 5, BATCH = 9 };
    return strlen(chain->conf->topics_dir) + 2 * strlen(chain->topic) + path_n +
           strlen(chain->conf->extension) + OFFSET + PARTITION + PUNCTUATION + BATCH;
}

pst_rc pst_chain_file_key(const pst_chain *chain, const pst_window *window,
                          pst_file *file, pst_err *err)
{
    const char *dir = chain->at.dir;
    char batch[PST_CHAIN_BATCH_LEN + 2];
    file->key = pst_asprintf("%s%s%s/%s%s%s+%d+%020" PRId64 "%s%s", dir, *dir ? "/" : "",
                             chain->topic, file->path, *file->path ? "/" : "",
                             chain->topic, chain->partition, file->first,
                             of_batch(chain, window, batch), chain->at.extension);
    if (!file->key)
        return pst_fail_nomem(err, "key");
    if (strlen(file->key) > PST_STORE_KEY_MAX) /* pst_chain_file_key_max() was asked */
        return pst_fail(err, PST_E_LIMIT, "%.200s… is longer than %d bytes", file->key,
                        PST_STORE_KEY_MAX);
    return PST_OK;
}

void pst_chain_file_link(const pst_chain *chain, size_t index,
                         char out[PST_STORE_KEY_MAX + 1])
{
    char prefix[PST_STORE_KEY_MAX + 1];
    pst_chain_prefix(chain, prefix);
    snprintf(out, PST_STORE_KEY_MAX + 1, "%.900sdata/%020" PRId64 "+%04zu", prefix,
             chain->pos, index);
}

/* ---- writing ---- */

static json_t *object_json(const pst_file *file)
{
    char crc[9];
    pst_buf runs;
    json_t *json = NULL;
    snprintf(crc, sizeof crc, "%08" PRIx32, file->crc32c);
    pst_buf_init(&runs, PST_MANIFEST_MAX);
    if (pst_file_runs(file, &runs, NULL) == PST_OK)
        json = json_pack("{s:s, s:I, s:I, s:s, s:s%}", "key", file->key, "rows",
                         (json_int_t)file->rows, "size", (json_int_t)file->bytes.len,
                         "crc32c", crc, "offsets", runs.data, runs.len);
    pst_buf_done(&runs);
    return json;
}

static json_t *objects_json(const pst_files *files)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < files->n; i++)
        if (json_array_append_new(list, object_json(files->at[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static json_t *manifest_json(const pst_chain *chain, const pst_window *window,
                             const char *seal)
{
    const pst_chain_conf *conf = chain->conf;
    const pst_last *last = seal ? &chain->last : &window->last;
    char known[64];
    snprintf(known, sizeof known, "%" PRId64 ":%" PRId64 ":%08" PRIx32, last->offset,
             last->timestamp_ms, last->crc32c);
    json_t *json = json_pack(
        "{s:i, s:I, s:I, s:s, s:I, s:s, s:s, s:s, s:i, s:s, s:s, s:s*}", "version", 1,
        "start", (json_int_t)chain->pos, "next",
        (json_int_t)(seal ? chain->pos : window->next), "last", known, "records",
        (json_int_t)(seal ? 0 : window->rows), "group", conf->group, "cluster",
        conf->cluster, "topic", chain->topic, "partition", (int)chain->partition, "batch",
        window->batch, "schema", conf->schema, "seal", seal);
    if (seal || !json)
        return json;
    if (json_object_set_new(json, "objects", objects_json(window->files)) != 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

pst_rc pst_chain_put_manifest(pst_chain *chain, const pst_window *window,
                              const char *seal, const char *key, int64_t dated_ms,
                              pst_err *err)
{
    json_t *json = manifest_json(chain, window, seal);
    pst_rc rc = json ? pst_chain_put_json(chain, key, json, dated_ms, err)
                     : pst_fail_nomem(err, key);
    json_decref(json);
    return rc;
}

/* ---- reading ---- */

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

static bool number_of(const json_t *json, const char *name, int64_t *out)
{
    const json_t *value = json_object_get(json, name);
    *out = (int64_t)json_integer_value(value);
    return json_is_integer(value) && *out >= 0;
}

static bool is_hex(const char *text, size_t n)
{
    return strlen(text) == n && strspn(text, "0123456789abcdef") == n;
}

/* A data key of this chain: of this topic and partition, and nothing that is not data. */
static bool is_data_key(const pst_chain *chain, pst_sv key)
{
    char prefix[PST_TOPICS_DIR_MAX + PST_TOPIC_MAX + 3], name[PST_TOPIC_MAX + 16];
    const char *dir = chain->at.dir;
    snprintf(prefix, sizeof prefix, "%s%s%s/", dir, *dir ? "/" : "", chain->topic);
    snprintf(name, sizeof name, "%s+%d+", chain->topic, chain->partition);
    if (key.n > PST_STORE_KEY_MAX || !pst_sv_starts(key, pst_sv_of(prefix)) ||
        !pst_utf8_valid(key))
        return false;
    size_t base = key.n;
    for (size_t i = 0; i < key.n; i++)
        if ((unsigned char)key.p[i] < 0x20 || key.p[i] == 0x7f)
            return false;
    while (base && key.p[base - 1] != '/')
        base--;
    return pst_sv_starts((pst_sv){key.p + base, key.n - base}, pst_sv_of(name)) &&
           pst_sv_ends(key, pst_sv_of(chain->at.extension));
}

typedef struct reading {
    const pst_chain *chain;
    pst_window *window;
    int64_t start;
    bool nomem;
} reading;

static bool read_one(reading *r, const json_t *json, pst_err *err)
{
    pst_files *files = r->window->files;
    const json_t *key = json_object_get(json, "key");
    const json_t *offsets = json_object_get(json, "offsets");
    const char *crc = text_of(json, "crc32c");
    pst_sv name = {json_string_value(key), json_string_length(key)};
    int64_t rows, size;
    if (!name.p || !is_data_key(r->chain, name) || !number_of(json, "rows", &rows) ||
        rows < 1 || !number_of(json, "size", &size) || !is_hex(crc, 8) ||
        !json_is_string(offsets))
        return false;
    pst_file *file;
    char *copy = pst_strndup(name.p, name.n);
    r->nomem = !copy || pst_files_plan(files, copy, &file, err) != PST_OK;
    if (r->nomem)
        return false;
    file->expected = rows;
    return pst_files_plan_runs(
        files, files->n - 1,
        (pst_sv){json_string_value(offsets), json_string_length(offsets)}, r->start,
        r->window->next, &r->nomem);
}

static int by_key(const void *a, const void *b)
{
    const pst_file *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

/* The order of a manifest's objects counts: a copy is sorted. */
static bool keys_differ(reading *r)
{
    const pst_files *files = r->window->files;
    pst_file **sorted = pst_calloc(files->n, sizeof *sorted);
    r->nomem = !sorted;
    bool differ = sorted;
    if (sorted) {
        memcpy(sorted, files->at, files->n * sizeof *sorted);
        qsort(sorted, files->n, sizeof *sorted, by_key);
    }
    for (size_t i = 1; differ && i < files->n; i++)
        differ = strcmp(sorted[i - 1]->key, sorted[i]->key) != 0;
    pst_free(sorted);
    return differ;
}

static bool read_objects(reading *r, const json_t *json, pst_err *err)
{
    const json_t *list = json_object_get(json, "objects");
    size_t n = json_array_size(list);
    if (n < 1 || n > PST_FILES_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!read_one(r, json_array_get(list, i), err))
            return false;
    return pst_files_plan_sort(r->window->files) && keys_differ(r);
}

static pst_rc read_plan(const pst_chain *chain, const json_t *json,
                        const pst_chain_object *object, const char *key, pst_window **out,
                        pst_err *err)
{
    pst_window *window = pst_calloc(1, sizeof *window);
    if (!window)
        return pst_fail_nomem(err, key);
    reading r = {.chain = chain, .window = window, .start = object->start};
    pst_rc rc = pst_files_new(&window->files, err);
    window->next = object->next;
    window->last = object->last;
    snprintf(window->batch, sizeof window->batch, "%s", text_of(json, "batch"));
    snprintf(window->schema, sizeof window->schema, "%.16s", text_of(json, "schema"));
    if (rc == PST_OK) {
        window->files->planned = window->files->written = true;
        if (!read_objects(&r, json, err))
            rc = r.nomem ? pst_fail_nomem(err, key)
                         : pst_fail(err, PST_E_CHAIN,
                                    "%s lists objects that no window of %s-%d has: "
                                    "something else writes below _penstock/; restore it "
                                    "or use another topics.dir",
                                    key, chain->topic, chain->partition);
    }
    if (rc != PST_OK) {
        pst_window_free(window);
        return rc;
    }
    *out = window;
    return PST_OK;
}

static pst_rc read_head(const pst_chain *chain, const json_t *json, const char *key,
                        int64_t start, pst_chain_object *out, pst_err *err)
{
    int64_t from, partition;
    bool numbers = number_of(json, "start", &from) && number_of(json, "next", &out->next);
    if (!number_of(json, "partition", &partition))
        partition = -1;
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, partition);
    pst_rc rc =
        pst_chain_check_owner(chain, key,
                              &(pst_chain_owner){.group = text_of(json, "group"),
                                                 .cluster = text_of(json, "cluster"),
                                                 .topic = text_of(json, "topic"),
                                                 .partition = number},
                              err);
    if (rc != PST_OK)
        return rc;
    out->start = start;
    snprintf(out->seal, sizeof out->seal, "%s", text_of(json, "seal"));
    if (numbers && from == start && out->next >= start &&
        (out->next == start) == (out->seal[0] != '\0') &&
        pst_chain_parse_last(text_of(json, "last"), &out->last) &&
        is_hex(text_of(json, "batch"), PST_CHAIN_BATCH_LEN))
        return PST_OK;
    return pst_fail(err, PST_E_CHAIN,
                    "%s is no manifest that Penstock wrote (start, next, last or batch "
                    "are unusable): restore it, or use another topics.dir",
                    key);
}

pst_rc pst_chain_read_manifest(pst_chain *chain, const char *key, int64_t start,
                               const char *batch, pst_chain_object *out, pst_err *err)
{
    json_t *json = NULL;
    pst_rc rc = pst_chain_get_json(chain, key, PST_MANIFEST_MAX, &json, err);
    if (rc != PST_OK)
        return rc;
    out->plan = NULL;
    rc = read_head(chain, json, key, start, out, err);
    out->own_batch = batch && strcmp(text_of(json, "batch"), batch) == 0;
    if (rc == PST_OK && !out->seal[0])
        rc = read_plan(chain, json, out, key, &out->plan, err);
    json_decref(json);
    return rc;
}

/*
 * position.c - the source offset as JSON: which user of a seed comes next.
 *
 * The source partition is {"url", "seed"}: the same people come of the same two. The
 * offset is {"page", "index", "produced", "settings"}; index counts from 0 within its
 * page. The settings that shape pages are stored with it, as they were, so that a start
 * with other ones can say which of them changed: going on would skip some people and
 * produce others twice. A page size that is not set follows the stored one.
 *
 * The URL's query may hold a secret, so of it only a checksum is stored. Where these
 * texts are kept is the runtime's business.
 */
#include "connectors/randomuser/internal.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdio.h>

enum { TEXT_BYTES = 512, CHANGES_BYTES = 400 };

/* Not by json_dumps(): when that can't grow its buffer it may leave a part out and go on,
   and what is written here is stored. */
static pst_rc append_json(pst_buf *out, json_t *json, pst_err *err)
{
    size_t size = json ? json_dumpb(json, NULL, 0, JSON_COMPACT) : 0;
    pst_rc rc = size ? pst_buf_reserve(out, size) : PST_E_NOMEM;
    if (rc == PST_OK) {
        if (json_dumpb(json, out->data + out->len, size, JSON_COMPACT) == size)
            out->len += size;
        else
            rc = PST_E_NOMEM;
    }
    json_decref(json);
    if (rc == PST_E_NOMEM)
        return pst_fail_nomem(err, "a source offset");
    return rc == PST_OK ? PST_OK : pst_fail(err, rc, "a source offset is too long");
}

pst_rc pst_randomuser_partition(const pst_randomuser_settings *settings, pst_buf *out,
                                pst_err *err)
{
    pst_sv query, url = pst_sv_cut(pst_sv_of(settings->url), '?', &query);
    if (!settings->seed || !settings->seed[0])
        return PST_OK;
    if (!pst_utf8_valid(pst_sv_of(settings->seed)) || !pst_utf8_valid(url))
        return pst_fail(err, PST_E_CONFIG,
                        "randomuser.seed and randomuser.url must be UTF-8");
    return append_json(
        out, json_pack("{s:s%, s:s}", "url", url.p, url.n, "seed", settings->seed), err);
}

/* ---- the settings that shape pages ---- */

/* "US,GB"; cut if it is very long, which no list of the API's names is. */
static void list_text(char out[TEXT_BYTES], const pst_conf_list *list)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < list->n && n < TEXT_BYTES; i++)
        n += (size_t)snprintf(out + n, TEXT_BYTES - n, "%s%s", i ? "," : "",
                              list->items[i]);
}

static void query_text(char out[TEXT_BYTES], const pst_randomuser_settings *settings)
{
    pst_sv query;
    (void)pst_sv_cut(pst_sv_of(settings->url), '?', &query);
    out[0] = '\0';
    if (query.p)
        snprintf(out, TEXT_BYTES, "crc32c:%08x",
                 (unsigned)pst_crc32c(0, query.p, query.n));
}

typedef struct shape {
    const char *name; /* in the JSON */
    const char *what; /* as the user knows it */
    char text[TEXT_BYTES];
} shape;

enum { SHAPES = 6 };

static void shapes_of(shape shapes[SHAPES], const pst_randomuser_settings *settings)
{
    static const char *const genders[] = {"any", "male", "female"};
    static const char *const names[SHAPES][2] = {
        {"results", "randomuser.results"}, {"nat", "randomuser.nat"},
        {"gender", "randomuser.gender"},   {"inc", "randomuser.inc"},
        {"exc", "randomuser.exc"},         {"query", "the query of randomuser.url"}};
    for (size_t i = 0; i < SHAPES; i++) {
        shapes[i].name = names[i][0];
        shapes[i].what = names[i][1];
    }
    snprintf(shapes[0].text, TEXT_BYTES, "%d", pst_randomuser_results(settings));
    list_text(shapes[1].text, &settings->nat);
    snprintf(shapes[2].text, TEXT_BYTES, "%s", genders[settings->gender]);
    list_text(shapes[3].text, &settings->inc);
    list_text(shapes[4].text, &settings->exc);
    query_text(shapes[5].text, settings);
}

static json_t *settings_json(const pst_randomuser_settings *settings)
{
    shape shapes[SHAPES];
    json_t *json = json_object();
    shapes_of(shapes, settings);
    for (size_t i = 0; json && i < SHAPES; i++)
        if (json_object_set_new(json, shapes[i].name,
                                json_string_nocheck(shapes[i].text))) {
            json_decref(json);
            return NULL;
        }
    return json;
}

pst_rc pst_randomuser_position_write(const pst_randomuser_settings *settings,
                                     const pst_randomuser_position *position,
                                     pst_buf *out, pst_err *err)
{
    json_t *shaped = settings_json(settings);
    if (!shaped)
        return pst_fail_nomem(err, "a source offset");
    return append_json(out,
                       json_pack("{s:I, s:I, s:I, s:o}", "page",
                                 (json_int_t)position->page, "index",
                                 (json_int_t)position->index, "produced",
                                 (json_int_t)position->produced, "settings", shaped),
                       err);
}

/* ---- reading it back ---- */

/* "randomuser.nat=US, now GB; …": what is not as it was stored. */
static void changes_of(char out[CHANGES_BYTES], const pst_randomuser_settings *settings,
                       const json_t *stored)
{
    shape shapes[SHAPES];
    size_t n = 0;
    out[0] = '\0';
    shapes_of(shapes, settings);
    for (size_t i = 0; i < SHAPES && n < CHANGES_BYTES; i++) {
        const char *was = json_string_value(json_object_get(stored, shapes[i].name));
        if (was && strcmp(was, shapes[i].text) != 0)
            n += (size_t)snprintf(out + n, CHANGES_BYTES - n, "%s%s=%s, now %s",
                                  n ? "; " : "", shapes[i].what, *was ? was : "(unset)",
                                  shapes[i].text[0] ? shapes[i].text : "(unset)");
    }
}

static pst_rc check_shapes(const pst_randomuser_settings *settings, const json_t *stored,
                           const pst_randomuser_position *at, pst_err *err)
{
    char changes[CHANGES_BYTES];
    changes_of(changes, settings, stored);
    if (!changes[0])
        return PST_OK;
    return pst_fail(
        err, PST_E_CONFIG,
        "the stored offset (page %lld, %lld users produced) was made with %s: "
        "pages would hold other users. Set it back, or choose another "
        "randomuser.seed or name to begin anew",
        (long long)at->page, (long long)at->produced, changes);
}

/* The stored page size, where the settings leave it open. */
static void adopt_results(pst_randomuser_settings *settings, const json_t *stored)
{
    int64_t results = 0;
    const char *text = json_string_value(json_object_get(stored, "results"));
    if (settings->results == 0 && text && pst_sv_to_i64(pst_sv_of(text), &results) &&
        results >= 1 && results <= PST_RANDOMUSER_RESULTS_MAX)
        settings->results = (int)results;
}

pst_rc pst_randomuser_position_read(pst_randomuser_settings *settings, const char *text,
                                    pst_randomuser_position *out, pst_err *err)
{
    json_int_t page = 0, index = 0, produced = 0;
    json_t *shaped = NULL;
    json_t *json = json_loads(text, 0, NULL);
    bool good = json && !json_unpack(json, "{s:I, s:I, s:I, s:o}", "page", &page, "index",
                                     &index, "produced", &produced, "settings", &shaped);
    if (!good || page < 1 || index < 0 || produced < 0 || !json_is_object(shaped)) {
        json_decref(json);
        return pst_fail(err, PST_E_INVALID,
                        "the stored offset can't be read: %.100s. Choose another "
                        "randomuser.seed or name to begin anew",
                        text);
    }
    pst_randomuser_position at = {page, index, produced};
    adopt_results(settings, shaped);
    pst_rc rc = check_shapes(settings, shaped, &at, err);
    json_decref(json);
    if (rc == PST_OK)
        *out = at;
    return rc;
}

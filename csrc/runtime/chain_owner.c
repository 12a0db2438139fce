/*
 * chain_owner.c - a chain that was handed to a renamed connector (chain take-over).
 *
 *   <topics.dir>/_penstock/<topic>/<P>/owner+<n>.json   {group, former: [group, …]}
 *
 * n counts from 1; each is created conditionally by `penstock chain take-over`, and the
 * last one says who goes on with the chain: instead of the root, which is never written
 * again. Objects of former owners are followed; a former owner that comes back stops
 * here. One that runs on meets an object of the new owner at its next key (rule 4), or
 * finds its group's offsets deleted (rule 9) and comes here.
 */
#include "runtime/chain_internal.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { OWNERS_MAX = 1000 };

/* The last owner+<n>.json below `dir`; NULL if there is none. */
static pst_rc last_owner(const pst_chain *chain, const char *dir, json_t **out,
                         pst_err *err)
{
    char key[PST_STORE_KEY_MAX + 1];
    *out = NULL;
    for (int n = 1; n <= OWNERS_MAX; n++) {
        pst_err sub = PST_ERR_INIT;
        json_t *json = NULL;
        snprintf(key, sizeof key, "%s%s_penstock/%s/%" PRId32 "/owner+%d.json", dir,
                 *dir ? "/" : "", chain->topic, chain->partition, n);
        pst_rc rc = pst_chain_get_json(chain, key, PST_CHAIN_JSON_MAX, &json, &sub);
        if (rc == PST_E_NOT_FOUND)
            return PST_OK;
        json_decref(*out);
        *out = json;
        if (rc == PST_OK && !json_is_string(json_object_get(json, "group")))
            rc = pst_fail(&sub, PST_E_CHAIN,
                          "%s names no group: something else writes below _penstock/; "
                          "restore it or use another topics.dir",
                          key);
        if (rc != PST_OK) {
            json_decref(*out);
            *out = NULL;
            if (err && err->code == PST_OK)
                *err = sub;
            return rc;
        }
    }
    json_decref(*out);
    *out = NULL;
    return pst_fail(err, PST_E_CHAIN,
                    "the chain of %s-%d below topics.dir=%s was handed on more than %d "
                    "times: use another topics.dir",
                    chain->topic, chain->partition, dir, OWNERS_MAX);
}

static bool is_former(const json_t *owner, const char *group)
{
    const json_t *former = json_object_get(owner, "former");
    for (size_t i = 0; i < json_array_size(former); i++) {
        const char *name = json_string_value(json_array_get(former, i));
        if (name && strcmp(name, group) == 0)
            return true;
    }
    return false;
}

static pst_rc fail_handed(const pst_chain *chain, const char *dir, const char *owner,
                          pst_err *err)
{
    return pst_fail(err, PST_E_CHAIN,
                    "the chain of %s-%d below topics.dir=%s was handed to connector "
                    "\"%s\" by chain take-over: connector \"%s\" must not go on with it. "
                    "Remove it, or give it another topics.dir",
                    chain->topic, chain->partition, dir, pst_chain_connector_of(owner),
                    pst_chain_connector_of(chain->conf->group));
}

pst_rc pst_chain_judge(const pst_chain *chain, const char *dir, const char *group,
                       bool root, bool *ours, pst_err *err)
{
    json_t *owner;
    *ours = pst_chain_is_our_group(chain->conf, group);
    if (*ours && !root)
        return PST_OK;
    pst_rc rc = last_owner(chain, dir, &owner, err);
    if (rc != PST_OK || !owner)
        return rc;
    const char *name = json_string_value(json_object_get(owner, "group"));
    if (pst_chain_is_our_group(chain->conf, name))
        *ours = *ours || is_former(owner, group);
    else if (is_former(owner, chain->conf->group))
        rc = fail_handed(chain, dir, name, err);
    else
        *ours = false;
    json_decref(owner);
    return rc;
}

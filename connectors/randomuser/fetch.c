/*
 * fetch.c - one request of the API: its URL, and what its answer means.
 *
 * It only classifies (retriable or not, how long the API asks to wait); it neither
 * repeats a request nor sleeps. The URL is never part of an error: a user may keep a
 * secret in it.
 */
#include "connectors/randomuser/internal.h"

enum {
    USER_BYTES = 4096, /* of an answer, per user asked for: fourfold of what is usual */
    BASE_BYTES = 64 * 1024 /* of an answer, besides */
};

/* ---- the URL ---- */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_' || c == '.' || c == '~';
}

static pst_rc add_encoded(pst_buf *out, const char *text)
{
    pst_rc rc = PST_OK;
    for (const char *p = text; *p && rc == PST_OK; p++)
        rc = is_unreserved(*p) ? pst_buf_addc(out, *p)
                               : pst_buf_addf(out, "%%%02X", (unsigned char)*p);
    return rc;
}

static pst_rc add_param(pst_buf *out, const char *name, const char *value)
{
    pst_rc rc = pst_buf_addf(out, "&%s=", name);
    return rc == PST_OK ? add_encoded(out, value) : rc;
}

/* Commas stay: the API's own way to write lists. */
static pst_rc add_list(pst_buf *out, const char *name, const pst_conf_list *list)
{
    if (list->n == 0)
        return PST_OK;
    pst_rc rc = pst_buf_addf(out, "&%s=", name);
    for (size_t i = 0; i < list->n && rc == PST_OK; i++) {
        if (i)
            rc = pst_buf_addc(out, ',');
        if (rc == PST_OK)
            rc = add_encoded(out, list->items[i]);
    }
    return rc;
}

static pst_rc add_place(pst_buf *out, const pst_randomuser_place *place)
{
    if (!place->seed[0])
        return PST_OK;
    pst_rc rc = add_param(out, "seed", place->seed);
    return rc == PST_OK ? pst_buf_addf(out, "&page=%lld", (long long)place->page) : rc;
}

pst_rc pst_randomuser_url(const pst_randomuser_settings *settings,
                          const pst_randomuser_place *place, pst_buf *out)
{
    static const char *const genders[] = {NULL, "male", "female"};
    pst_sv base = pst_sv_of(settings->url);
    pst_buf_clear(out);
    pst_rc rc = pst_buf_add(out, base.p, base.n);
    if (rc != PST_OK || pst_randomuser_is_file(settings))
        return rc;
    char before = memchr(base.p, '?', base.n) ? '&' : '?';
    rc = pst_buf_addf(out, "%cresults=%d", before, pst_randomuser_results(settings));
    if (rc == PST_OK)
        rc = add_place(out, place);
    if (rc == PST_OK)
        rc = add_list(out, "nat", &settings->nat);
    if (rc == PST_OK && settings->gender != PST_RANDOMUSER_ANY)
        rc = add_param(out, "gender", genders[settings->gender]);
    if (rc == PST_OK)
        rc = add_list(out, "inc", &settings->inc);
    if (rc == PST_OK)
        rc = add_list(out, "exc", &settings->exc);
    return rc;
}

/* ---- the answer ---- */

typedef struct status_class {
    pst_rc rc;
    bool retriable;
} status_class;

static status_class classify(int status)
{
    if (status == 429)
        return (status_class){PST_E_THROTTLED, true};
    if (status == 408 || status == 425 || status >= 500)
        return (status_class){PST_E_IO, true};
    if (status == 401 || status == 403)
        return (status_class){PST_E_AUTH, false};
    if (status == 404)
        return (status_class){PST_E_NOT_FOUND, false};
    return (status_class){PST_E_INVALID, false};
}

static pst_rc fail_status(const pst_http_response *res, const pst_task_env *env,
                          pst_err *err)
{
    char said[300] = "";
    status_class class = classify(res->status);
    bool has_text = pst_randomuser_error_text((pst_sv){res->body.data, res->body.len},
                                              said, sizeof said);
    if (err && err->code != PST_OK)
        return class.rc;
    if (res->status >= 300 && res->status < 400)
        pst_fail(
            err, class.rc,
            "the API answers %d, a redirect, which is not followed: set randomuser.url "
            "to where it leads",
            res->status);
    else
        pst_fail(err, class.rc, "the API answers %d%s%s", res->status,
                 has_text ? ": " : "", said);
    if (!err)
        return class.rc;
    err->retriable = class.retriable;
    err->status = res->status;
    err->after_ms = pst_http_retry_after_ms(res, pst_wall_ms(env->clock));
    return class.rc;
}

static size_t answer_ceiling(const pst_randomuser_settings *settings)
{
    if (pst_randomuser_is_file(settings))
        return PST_RANDOMUSER_BODY_BYTES;
    return BASE_BYTES + (size_t)USER_BYTES * (size_t)pst_randomuser_results(settings);
}

pst_rc pst_randomuser_fetch(pst_http *http, const pst_randomuser_settings *settings,
                            const char *url, const pst_task_env *env,
                            pst_http_response *res, pst_err *err)
{
    static const char *const headers[] = {"Accept: application/json"};
    pst_http_request req = {
        .method = "GET",
        .url = url,
        .headers = headers,
        .n_headers = 1,
        .timeout_ms = (int)settings->http_timeout_ms,
        .max_response = answer_ceiling(settings),
        .cancel = env->cancel,
    };
    pst_rc rc = pst_http_perform(http, &req, res, err);
    if (rc == PST_E_LIMIT && err)
        err->retriable = true;
    if (rc != PST_OK)
        return rc;
    return res->status >= 200 && res->status < 300 ? PST_OK : fail_status(res, env, err);
}

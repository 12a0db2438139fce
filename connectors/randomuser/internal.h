/*
 * internal.h - what the files of RandomUserSource share: settings, a page of users,
 * pacing.
 */
#ifndef PST_RANDOMUSER_INTERNAL_H
#define PST_RANDOMUSER_INTERNAL_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "connectors/randomuser/randomuser.h"
#include "io/http.h"

enum {
    PST_RANDOMUSER_RESULTS_MAX = 5000,     /* the API's */
    PST_RANDOMUSER_RESULTS_DEFAULT = 500,  /* with max.users=0 or above it */
    PST_RANDOMUSER_USER_BYTES = 64 * 1024, /* ceiling of one user; the API's have 1 KiB */
    PST_RANDOMUSER_SEED_BYTES = 256,
    PST_RANDOMUSER_BODY_BYTES = 32 * 1024 * 1024, /* ceiling of an answer */
};

/* ---- settings.c ---- */

enum pst_randomuser_output { PST_RANDOMUSER_RAW, PST_RANDOMUSER_FLAT };
enum pst_randomuser_gender {
    PST_RANDOMUSER_ANY,
    PST_RANDOMUSER_MALE,
    PST_RANDOMUSER_FEMALE
};

typedef struct pst_randomuser_settings {
    char *topic;
    char *url;
    int results; /* 0 = derived from max_users */
    char *seed;  /* NULL = the API's */
    pst_conf_list nat;
    int gender; /* enum pst_randomuser_gender */
    pst_conf_list inc, exc;
    int64_t max_users;       /* 0 = no limit */
    double users_per_second; /* 0 = as fast as possible */
    int output;              /* enum pst_randomuser_output */
    int64_t http_timeout_ms;
    int64_t retry_backoff_ms;
    int max_retries;
} pst_randomuser_settings;

typedef struct pst_randomuser_conf {
    pst_connector_conf common; /* first, as the runtime expects */
    pst_randomuser_settings own;
} pst_randomuser_conf;

extern const pst_conf_spec pst_randomuser_spec;

/* Users a request asks for. */
int pst_randomuser_results(const pst_randomuser_settings *settings);
/* Does the API send login.uuid, the record's key, with these inc and exc? */
bool pst_randomuser_has_login(const pst_randomuser_settings *settings);
bool pst_randomuser_is_file(const pst_randomuser_settings *settings);

/* ---- flatten.c: a user becomes a record ---- */

typedef struct pst_randomuser_shape {
    int output;    /* enum pst_randomuser_output */
    bool need_key; /* a user without login.uuid is an error */
} pst_randomuser_shape;

#define PST_RANDOMUSER_NO_KEY SIZE_MAX

/* Appends the record's key and then its value to `out`; *key_len says how long the key
   is, PST_RANDOMUSER_NO_KEY if there is none. `user` is the text of one JSON object. */
pst_rc pst_randomuser_convert(pst_sv user, const pst_randomuser_shape *shape,
                              pst_buf *out, size_t *key_len, pst_err *err) PST_MUST;

/* ---- envelope.c: an answer becomes a page of records ---- */

typedef struct pst_randomuser_span {
    size_t at, key_len, value_len; /* in the arena; the value follows the key */
} pst_randomuser_span;

typedef struct pst_randomuser_page {
    pst_buf arena;
    pst_randomuser_span *spans;
    size_t n, cap;
    char seed[PST_RANDOMUSER_SEED_BYTES]; /* of info, "" if there is none */
} pst_randomuser_page;

void pst_randomuser_page_init(pst_randomuser_page *page);
void pst_randomuser_page_done(pst_randomuser_page *page);
pst_sv pst_randomuser_page_key(const pst_randomuser_page *page, size_t i);
pst_sv pst_randomuser_page_value(const pst_randomuser_page *page, size_t i);
/* Replaces the page by the first `max` users of an answer; the page is empty on failure.
   All errors but PST_E_NOMEM are retriable. */
pst_rc pst_randomuser_page_parse(pst_randomuser_page *page, pst_sv body,
                                 const pst_randomuser_shape *shape, size_t max,
                                 pst_err *err) PST_MUST;
/* The text of {"error": "…"}, made printable; false if the body holds none. */
bool pst_randomuser_error_text(pst_sv body, char *out, size_t size);

/* ---- fetch.c: one request ---- */

/* Where a page is. */
typedef struct pst_randomuser_place {
    const char *seed; /* "" = let the API choose */
    int64_t page;     /* from 1 on */
} pst_randomuser_place;

pst_rc pst_randomuser_url(const pst_randomuser_settings *settings,
                          const pst_randomuser_place *place, pst_buf *out) PST_MUST;
/* GETs the url into res->body. Retriable is what may be better later: 429, 5xx, the
   network's failures, an answer that is too large. Other statuses are not, and say what
   the API said. err->after_ms holds what Retry-After asks for. */
pst_rc pst_randomuser_fetch(pst_http *http, const pst_randomuser_settings *settings,
                            const char *url, const pst_task_env *env,
                            pst_http_response *res, pst_err *err) PST_MUST;

/* ---- position.c: the source offset ---- */

/* What comes next. */
typedef struct pst_randomuser_position {
    int64_t page;     /* from 1 on */
    int64_t index;    /* in that page, from 0 on */
    int64_t produced; /* in all, before it */
} pst_randomuser_position;

/* Appends the source partition, nothing without a seed. */
pst_rc pst_randomuser_partition(const pst_randomuser_settings *settings, pst_buf *out,
                                pst_err *err) PST_MUST;
pst_rc pst_randomuser_position_write(const pst_randomuser_settings *settings,
                                     const pst_randomuser_position *position,
                                     pst_buf *out, pst_err *err) PST_MUST;
/* Where settings that shape pages have changed: PST_E_CONFIG, which names them. A page
   size that is not set becomes the stored one. */
pst_rc pst_randomuser_position_read(pst_randomuser_settings *settings, const char *text,
                                    pst_randomuser_position *out, pst_err *err) PST_MUST;

/* ---- pacing.c: users per second ---- */

typedef struct pst_pacing {
    double interval_ms; /* 0 = no pacing */
    double due_ms;      /* when the next one may go, on the monotonic clock */
    bool started;
} pst_pacing;

void pst_pacing_init(pst_pacing *pacing, double per_second);
/* How many may go now, at most `max`; when 0, *wait_ms says when to ask again. */
size_t pst_pacing_due(pst_pacing *pacing, int64_t now_ms, size_t max, int64_t *wait_ms);
/* n of them went. */
void pst_pacing_take(pst_pacing *pacing, size_t n);

#endif

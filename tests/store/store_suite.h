/*
 * store_suite.h - what the files of the conformance suite share: the store under test and
 * short ways to use it. store_suite.c has main() and says how to run it.
 */
#ifndef PST_TESTS_STORE_SUITE_H
#define PST_TESTS_STORE_SUITE_H

#include "base/mem.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct suite {
    pst_store_conf conf;
    pst_store *store;
    const pst_store_driver *driver;
    pst_log *log;
    bool keep;
    bool spaces;     /* this libs3 holds keys with spaces: it is 4 or newer */
    int peer_client; /* enum pst_store_client, -1 = none */
    pst_store *peer; /* another driver on the same store, or NULL */
    char base[64];
    pst_err err;
} suite;

#define expect_rc(s, call, want)                                                         \
    do {                                                                                 \
        pst_err_clear(&(s)->err);                                                        \
        pst_rc got_ = (call);                                                            \
        if (got_ != (want))                                                              \
            print_error("%s, wanted %s: %s\n", pst_rc_name(got_), pst_rc_name(want),     \
                        (s)->err.text);                                                  \
        assert_int_equal(got_, want);                                                    \
    } while (0)

/* ---- helpers ---- */

static inline bool is_libs3(const pst_store_driver *driver)
{
    return strcmp(driver->name, "libs3") == 0;
}

static inline bool creates(const suite *s)
{
    return !is_libs3(s->driver);
}

static inline bool is_service(const suite *s)
{
    return s->driver != &pst_store_dir;
}

typedef struct names {
    char key[PST_STORE_KEY_MAX + 1];
    char link[PST_STORE_KEY_MAX + 1];
} names;

/* A chain object's key and link, as the runtime makes them. */
static inline names chain_names(const suite *s, const char *topic, int64_t start)
{
    names n;
    snprintf(n.key, sizeof n.key, "%s/%s/partition=0/%s+0+%020lld.csv", s->base, topic,
             topic, (long long)start);
    snprintf(n.link, sizeof n.link, "%s/_penstock/%s/0/%020lld", s->base, topic,
             (long long)start);
    return n;
}

static inline pst_rc put_text(suite *s, const char *key, const char *link,
                              const char *text, const pst_store_meta *meta,
                              bool create_only, pst_err *err)
{
    pst_store_put put = {.key = key,
                         .link = link,
                         .bytes = pst_sv_of(text),
                         .crc32c = pst_crc32c(0, text, strlen(text)),
                         .content_type = "text/csv",
                         .meta = meta,
                         .create_only = create_only && creates(s)};
    return s->driver->put(s->store, &put, err);
}

/* A conditional create of a key that is there; or the driver says that it has none. */
static inline void expect_taken(suite *s, const char *key, const char *link)
{
    pst_store_put put = {.key = key,
                         .link = link,
                         .bytes = PST_SV("another"),
                         .crc32c = pst_crc32c(0, "another", 7),
                         .create_only = true};
    expect_rc(s, s->driver->put(s->store, &put, &s->err),
              creates(s) ? PST_E_EXISTS : PST_E_UNSUPPORTED);
    assert_false(s->err.retriable);
    assert_false(s->err.unknown);
}

static inline pst_rc put_plain(suite *s, const char *key, const char *text,
                               bool create_only)
{
    return put_text(s, key, NULL, text, NULL, create_only, &s->err);
}

static inline void expect_body(suite *s, const char *key, const char *text)
{
    pst_buf body;
    pst_buf_init(&body, 1 << 20);
    expect_rc(s, s->driver->get(s->store, key, &body, &s->err), PST_OK);
    assert_int_equal(body.len, strlen(text));
    assert_memory_equal(body.data ? body.data : "", text, body.len);
    pst_buf_done(&body);
}

static inline void format(char *out, size_t size, const char *fmt, ...) PST_PRINTF(3, 4);
static inline void format(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, size, fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < size);
}

typedef struct key_list {
    char **keys;
    size_t n, cap, stop_after;
    int64_t bytes;
} key_list;

static inline bool collect(void *opaque, const char *key, int64_t size)
{
    key_list *all = opaque;
    if (all->n == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 64;
        all->keys = pst_realloc(all->keys, all->cap, sizeof *all->keys);
        if (!all->keys)
            abort();
    }
    all->keys[all->n++] = pst_strdup(key);
    all->bytes += size;
    return all->stop_after == 0 || all->n < all->stop_after;
}

static inline void key_list_done(key_list *all)
{
    for (size_t i = 0; i < all->n; i++)
        pst_free(all->keys[i]);
    pst_free(all->keys);
    *all = (key_list){0};
}

static inline int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void list_into(suite *s, const char *prefix, const char *after,
                             size_t limit, key_list *out)
{
    pst_store_list list = {.prefix = prefix, .after = after, .limit = limit};
    expect_rc(s, s->driver->list(s->store, &list, collect, out, &s->err), PST_OK);
}

/* ---- the cases, by file ---- */

extern const struct CMUnitTest suite_objects[], suite_keys[], suite_odd[],
    suite_services[], suite_peer[];
extern const size_t suite_objects_n, suite_keys_n, suite_odd_n, suite_services_n,
    suite_peer_n;

/* ---- suite_odd.c ---- */

void odd_text(size_t i, char *out, size_t size);
void odd_key(const suite *s, size_t i, char *out, size_t size);
bool odd_refused(const pst_store_driver *driver, bool spaces, const char *key);
void odd_meta(pst_store_meta *meta, size_t first, size_t n);
void expect_meta(const pst_store_meta *got, const pst_store_meta *want);

#endif

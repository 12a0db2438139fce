/*
 * fake_store.h - an object store in memory with conditional create, for the chain's
 * tests: a fault can be put on the next call, before or after it takes effect, and every
 * call is counted. Thread-safe. What a real store does is tested in tests/store/.
 */
#ifndef FAKE_STORE_H
#define FAKE_STORE_H

#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_MAX = 4000 };

typedef struct fake_object {
    char *key;
    char *bytes;
    size_t size;
    pst_store_meta meta;
} fake_object;

/* A fault on one operation: it answers `code`; with `applied` it has happened all the
 * same. */
typedef struct fake_fault {
    const char *op; /* "put", "head", "get", "list"; NULL = none */
    int skip;       /* let so many calls of op pass first */
    int times;      /* then fail so many */
    pst_rc code;
    bool retriable, applied;
    int status;     /* the error's HTTP status */
    const char *on; /* only keys that contain it; NULL = all */
} fake_fault;

typedef struct fake_store {
    pst_store base;
    pthread_mutex_t lock;
    fake_object objects[FAKE_MAX]; /* sorted by key */
    size_t n;
    fake_fault fault;
    int puts, heads, gets, lists;
    int64_t last_dated_ms;
    bool unconditional; /* accepts If-None-Match and ignores it */
    bool vanish;        /* the next EXISTS is answered, then the object is removed */
} fake_store;

static int fake_at(const fake_store *s, const char *key, bool *found)
{
    int low = 0, high = (int)s->n;
    while (low < high) {
        int middle = (low + high) / 2, order = strcmp(s->objects[middle].key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

static bool fake_faulty(fake_store *s, const char *op, bool applied, const char *key)
{
    fake_fault *f = &s->fault;
    if (!f->op || strcmp(f->op, op) != 0 || f->times == 0 || f->applied != applied ||
        (f->on && !strstr(key, f->on)))
        return false;
    if (f->skip > 0) {
        f->skip--;
        return false;
    }
    f->times--;
    return true;
}

static pst_rc fake_fail(fake_store *s, pst_err *err)
{
    pst_rc rc = s->fault.retriable
                    ? pst_fail_retriable(err, s->fault.code, "injected fault")
                    : pst_fail(err, s->fault.code, "injected fault");
    if (err && s->fault.applied)
        err->unknown = true;
    if (err)
        err->status = s->fault.status;
    return rc;
}

static void fake_remove_at(fake_store *s, int at)
{
    free(s->objects[at].key);
    free(s->objects[at].bytes);
    memmove(&s->objects[at], &s->objects[at + 1],
            (s->n - (size_t)at - 1) * sizeof s->objects[0]);
    s->n--;
}

static void fake_insert(fake_store *s, const pst_store_put *put)
{
    bool found;
    int at = fake_at(s, put->key, &found);
    if (found)
        fake_remove_at(s, at);
    memmove(&s->objects[at + 1], &s->objects[at],
            (s->n - (size_t)at) * sizeof *s->objects);
    s->n++;
    fake_object *o = &s->objects[at];
    memset(o, 0, sizeof *o);
    o->key = strdup(put->key);
    o->size = put->chunks ? put->chunks->len : put->bytes.n;
    o->bytes = malloc(o->size + 1);
    if (put->chunks) {
        pst_chunks_pos pos = pst_chunks_begin(put->chunks);
        pst_chunks_read(&pos, o->bytes, o->size);
    } else {
        memcpy(o->bytes, put->bytes.p, o->size);
    }
    o->bytes[o->size] = '\0';
    if (put->meta)
        o->meta = *put->meta;
}

static pst_rc fake_put(pst_store *store, const pst_store_put *put, pst_err *err)
{
    fake_store *s = (fake_store *)store;
    pst_rc rc = PST_OK;
    pthread_mutex_lock(&s->lock);
    s->puts++;
    s->last_dated_ms = put->dated_ms;
    bool found;
    int at = fake_at(s, put->key, &found);
    if (fake_faulty(s, "put", false, put->key)) {
        rc = fake_fail(s, err);
    } else if (found && put->create_only && !s->unconditional) {
        rc = pst_fail(err, PST_E_EXISTS, "exists");
        if (s->vanish) {
            fake_remove_at(s, at);
            s->vanish = false;
        }
    } else {
        fake_insert(s, put);
        if (fake_faulty(s, "put", true, put->key))
            rc = fake_fail(s, err);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static pst_rc fake_head(pst_store *store, const char *key, const char *link,
                        pst_store_info *info, pst_err *err)
{
    (void)link;
    fake_store *s = (fake_store *)store;
    pst_rc rc = PST_OK;
    pthread_mutex_lock(&s->lock);
    s->heads++;
    bool found;
    int at = fake_at(s, key, &found);
    if (fake_faulty(s, "head", false, key))
        rc = fake_fail(s, err);
    else if (!found)
        rc = pst_fail(err, PST_E_NOT_FOUND, "no %s", key);
    else
        *info = (pst_store_info){.size = (int64_t)s->objects[at].size,
                                 .meta = s->objects[at].meta};
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static pst_rc fake_get(pst_store *store, const char *key, pst_buf *body, pst_err *err)
{
    fake_store *s = (fake_store *)store;
    pst_rc rc = PST_OK;
    pthread_mutex_lock(&s->lock);
    s->gets++;
    bool found;
    int at = fake_at(s, key, &found);
    if (fake_faulty(s, "get", false, key))
        rc = fake_fail(s, err);
    else if (!found)
        rc = pst_fail(err, PST_E_NOT_FOUND, "no %s", key);
    else if (pst_buf_add(body, s->objects[at].bytes, s->objects[at].size) != PST_OK)
        rc = pst_fail_nomem(err, key);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static pst_rc fake_list(pst_store *store, const pst_store_list *list, pst_store_each each,
                        void *opaque, pst_err *err)
{
    fake_store *s = (fake_store *)store;
    pst_rc rc = PST_OK;
    size_t given = 0;
    pthread_mutex_lock(&s->lock);
    s->lists++;
    if (fake_faulty(s, "list", false, list->prefix))
        rc = fake_fail(s, err);
    for (size_t i = 0; rc == PST_OK && i < s->n; i++) {
        const char *key = s->objects[i].key;
        if (strncmp(key, list->prefix, strlen(list->prefix)) != 0 ||
            (list->after && strcmp(key, list->after) <= 0))
            continue;
        if ((list->limit && given == list->limit) ||
            !each(opaque, key, (int64_t)s->objects[i].size))
            break;
        given++;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static pst_rc fake_delete(pst_store *store, const char *key, pst_err *err)
{
    (void)err;
    fake_store *s = (fake_store *)store;
    bool found;
    pthread_mutex_lock(&s->lock);
    int at = fake_at(s, key, &found);
    if (found)
        fake_remove_at(s, at);
    pthread_mutex_unlock(&s->lock);
    return PST_OK;
}

static void fake_describe(const pst_store *store, const char *key, char *out, size_t size)
{
    (void)store;
    snprintf(out, size, "fake://%s", key);
}

static const pst_store_driver fake_driver = {
    .name = "fake",
    .put = fake_put,
    .head = fake_head,
    .get = fake_get,
    .list = fake_list,
    .remove = fake_delete,
    .describe = fake_describe,
};

static inline fake_store *fake_new(void)
{
    fake_store *s = calloc(1, sizeof *s);
    s->base.driver = &fake_driver;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static inline void fake_free(fake_store *s)
{
    while (s->n)
        fake_remove_at(s, (int)s->n - 1);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Puts a fault on the calls to come; jobs may be under way. */
static inline void fake_break(fake_store *s, fake_fault fault)
{
    pthread_mutex_lock(&s->lock);
    s->fault = fault;
    pthread_mutex_unlock(&s->lock);
}

static inline const fake_object *fake_find(fake_store *s, const char *key)
{
    bool found;
    pthread_mutex_lock(&s->lock);
    int at = fake_at(s, key, &found);
    pthread_mutex_unlock(&s->lock);
    return found ? &s->objects[at] : NULL;
}

/* ---- a clock that a test moves ---- */

typedef struct fake_clock {
    pst_clock clock;
    _Atomic int64_t wall, mono;
} fake_clock;

static int64_t fake_wall(void *self)
{
    return ((fake_clock *)self)->wall;
}

static int64_t fake_mono(void *self)
{
    return ((fake_clock *)self)->mono;
}

static inline void fake_clock_init(fake_clock *c)
{
    c->wall = 1700000000000;
    c->mono = 1000000;
    c->clock = (pst_clock){fake_wall, fake_mono, c};
}

static inline void fake_clock_add(fake_clock *c, int64_t ms)
{
    c->wall += ms;
    c->mono += ms;
}

#endif

/*
 * s3_fixture.h - the S3 driver opened on a scripted server that answers as it is told;
 * for the unit programs test_s3*.c.
 */
#ifndef PST_TESTS_S3_FIXTURE_H
#define PST_TESTS_S3_FIXTURE_H

#include "store/s3.h"
#include "tests/store/fault_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define ID "AKIDTESTTESTTESTTEST"
#define SECRET "very/secret+value=that+nobody+may+see"
#define TOKEN "temporary/token+that+nobody+may+see=="
#define XML(code)                                                                        \
    "<Error><Code>" code "</Code><Message>the server's words</Message></Error>"

typedef struct script {
    const char *status, *headers, *body;
    bool truncate, reset, close;
    int delay_ms;
} script;

typedef struct fixture {
    fault_server server;
    pst_store *store;
    pst_store_conf conf;
    pst_err err;
    pst_cancel *cancel;
    pthread_mutex_t lock;
    script now; /* under lock */
    char seen[20000];
    char target[8192];
    char body[256];
    size_t body_n;
    int64_t wall_offset;
    pst_clock clock;
} fixture;

static inline bool answer(void *opaque, fault_request *req)
{
    fixture *f = opaque;
    pthread_mutex_lock(&f->lock);
    const script copy = f->now; /* the next one may come while we wait */
    const script *now = &copy;
    pthread_mutex_unlock(&f->lock);
    snprintf(f->seen, sizeof f->seen, "%s", req->head.data);
    snprintf(f->target, sizeof f->target, "%s", req->target);
    f->body_n = req->body.len;
    snprintf(f->body, sizeof f->body, "%.*s",
             (int)(req->body.len < 255 ? req->body.len : 255),
             req->body.data ? req->body.data : "");
    if (now->delay_ms)
        pst_cancel_wait(f->cancel, now->delay_ms);
    if (now->reset)
        fault_reset(req);
    if (now->reset || now->close)
        return false;
    if (now->truncate) {
        fault_send(req,
                   "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 5000\r\n\r\n<Er");
        return false;
    }
    if (strcmp(req->method, "HEAD") == 0) {
        char *text = pst_asprintf("HTTP/1.1 %s\r\n%s\r\n", now->status, now->headers);
        fault_send(req, text);
        pst_free(text);
        return true;
    }
    fault_answer(req, now->status, now->headers, now->body);
    return true;
}

static inline int64_t wall(void *self)
{
    return pst_wall_ms(pst_clock_system()) + ((fixture *)self)->wall_offset;
}

static inline int64_t mono(void *self)
{
    (void)self;
    return pst_mono_ms(pst_clock_system());
}

static inline void open_store(fixture *f)
{
    pst_err_clear(&f->err);
    if (f->store)
        pst_store_close(f->store);
    f->store = NULL;
    pst_rc rc = pst_store_open(&f->store, &f->conf, &f->clock, NULL, NULL, &f->err);
    if (rc != PST_OK)
        print_error("%s\n", f->err.text);
    assert_int_equal(rc, PST_OK);
}

static inline int setup(void **state)
{
    static char bucket[] = "bucket";
    static char region[] = "eu-west-1";
    static char id[] = ID;
    static char secret[] = SECRET;
    fixture *f = pst_calloc(1, sizeof *f);
    f->now = (script){.status = "200 OK", .headers = "ETag: \"x\"\r\n", .body = ""};
    pthread_mutex_init(&f->lock, NULL);
    fault_start(&f->server, answer, f);
    f->cancel = pst_cancel_new();
    f->clock = (pst_clock){wall, mono, f};
    f->conf = (pst_store_conf){.url = f->server.url,
                               .bucket = bucket,
                               .region = region,
                               .path_style = true,
                               .access_key_id = id,
                               .secret_access_key = secret};
    open_store(f);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    fixture *f = *state;
    pst_cancel_set(f->cancel);
    pst_store_close(f->store);
    fault_stop(&f->server);
    pst_cancel_free(f->cancel);
    pthread_mutex_destroy(&f->lock);
    pst_free(f);
    return 0;
}

static inline pst_rc put(fixture *f)
{
    pst_store_put request = {.key = "topics/t/a b.csv",
                             .bytes = PST_SV("123456789"),
                             .crc32c = 0xe3069283,
                             .content_type = "text/csv",
                             .create_only = true};
    pst_err_clear(&f->err);
    return f->store->driver->put(f->store, &request, &f->err);
}

static inline bool collect(void *opaque, const char *key, int64_t size)
{
    char *all = opaque;
    size_t used = strlen(all);
    snprintf(all + used, 2000 - used, "%s=%lld\n", key, (long long)size);
    return true;
}

static inline pst_rc list(fixture *f, const pst_store_list *what, char all[2000])
{
    all[0] = '\0';
    pst_err_clear(&f->err);
    return f->store->driver->list(f->store, what, collect, all, &f->err);
}

static inline pst_rc list_all(fixture *f)
{
    char all[2000];
    pst_store_list what = {.prefix = "topics/"};
    return list(f, &what, all);
}

static inline pst_rc head(fixture *f, pst_store_info *info)
{
    pst_err_clear(&f->err);
    return f->store->driver->head(f->store, "k", NULL, info, &f->err);
}

static inline pst_rc get(fixture *f)
{
    pst_buf body;
    pst_buf_init(&body, 100);
    pst_err_clear(&f->err);
    pst_rc rc = f->store->driver->get(f->store, "k", &body, &f->err);
    pst_buf_done(&body);
    return rc;
}

static inline void play(fixture *f, script now)
{
    pthread_mutex_lock(&f->lock);
    f->now = now;
    pthread_mutex_unlock(&f->lock);
}

static inline void respond(fixture *f, const char *status, const char *headers,
                           const char *body)
{
    play(f, (script){.status = status, .headers = headers, .body = body});
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif

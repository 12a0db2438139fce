/*
 * suite_services.c - conformance: the probe, requests per object, and what a service
 * refuses. Cases that only a service has pass at once for a directory.
 */
#include "tests/store/store_suite.h"

/* ---- the probe, the number of requests ---- */

static void test_probe(void **state)
{
    suite *s = *state;
    pst_store_abilities can = {0};
    for (int i = 0; i < 2; i++) { /* also when the probe's object is there */
        expect_rc(s, pst_store_probe(s->store, s->base, &can, &s->err), PST_OK);
        assert_int_equal(can.conditional_create, creates(s));
    }
}

/* One; libs3 needs a HEAD after each. */
static void test_one_request_an_object(void **state)
{
    suite *s = *state;
    if (!is_service(s))
        return;
    uint64_t put = pst_store_requests(s->store, "PUT");
    uint64_t others =
        pst_store_requests(s->store, "HEAD") + pst_store_requests(s->store, "GET") +
        pst_store_requests(s->store, "LIST") + pst_store_requests(s->store, "DELETE");
    for (int i = 0; i < 10; i++) {
        names n = chain_names(s, "count", i);
        expect_rc(s, put_text(s, n.key, n.link, "x", NULL, true, &s->err), PST_OK);
    }
    assert_int_equal(pst_store_requests(s->store, "PUT") - put, 10);
    assert_int_equal(
        pst_store_requests(s->store, "HEAD") + pst_store_requests(s->store, "GET") +
            pst_store_requests(s->store, "LIST") + pst_store_requests(s->store, "DELETE"),
        others + (creates(s) ? 0 : 10));
}

/* ---- what S3 refuses ---- */

static pst_store *open_other(suite *s, const pst_store_conf *conf)
{
    pst_store *other = NULL;
    expect_rc(s, pst_store_open(&other, conf, pst_clock_system(), NULL, NULL, &s->err),
              PST_OK);
    return other;
}

static pst_rc list_one(pst_store *store, pst_err *err)
{
    key_list all = {0};
    pst_store_list list = {.prefix = "x", .limit = 1};
    pst_rc rc = store->driver->list(store, &list, collect, &all, err);
    key_list_done(&all);
    return rc;
}

static void test_missing_bucket(void **state)
{
    suite *s = *state;
    pst_store_conf conf = s->conf;
    pst_store_info info;
    char bucket[100];
    if (!is_service(s))
        return;
    format(bucket, sizeof bucket, "%s-missing", s->conf.bucket);
    conf.bucket = bucket;
    pst_store *other = open_other(s, &conf);
    pst_store_put put = {.key = "x", .bytes = PST_SV("x"), .create_only = creates(s)};
    put.crc32c = pst_crc32c(0, "x", 1);
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_E_NOT_FOUND);
    assert_true(s->err.retriable);
    assert_false(s->err.unknown);
    assert_non_null(strstr(s->err.text, "s3.bucket.name"));
    expect_rc(s, list_one(other, &s->err), PST_E_NOT_FOUND);
    assert_non_null(strstr(s->err.text, "s3.bucket.name"));
    expect_rc(s, other->driver->head(other, "x", NULL, &info, &s->err), PST_E_NOT_FOUND);
    pst_store_abilities can;
    expect_rc(s, pst_store_probe(other, "t", &can, &s->err), PST_E_NOT_FOUND);
    print_message("# %s\n", s->err.text);
    pst_store_close(other);
}

static void test_wrong_keys(void **state)
{
    suite *s = *state;
    pst_store_conf conf = s->conf;
    pst_store_info info;
    if (!is_service(s))
        return;
    char nobody[] = "NOBODY1234567890ABCD";
    char secret[] = "not-the-secret-that-belongs-to-it";
    conf.access_key_id = nobody;
    conf.secret_access_key = secret;
    pst_store *other = open_other(s, &conf);
    pst_store_put put = {.key = "x", .bytes = PST_SV("x"), .create_only = creates(s)};
    put.crc32c = pst_crc32c(0, "x", 1);
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_E_AUTH);
    assert_true(s->err.retriable);
    assert_false(s->err.unknown);
    assert_non_null(strstr(s->err.text, "aws.access.key.id"));
    assert_null(strstr(s->err.text, nobody));
    assert_null(strstr(s->err.text, secret));
    print_message("# %s\n", s->err.text);
    expect_rc(s, other->driver->head(other, "x", NULL, &info, &s->err), PST_E_AUTH);
    expect_rc(s, list_one(other, &s->err), PST_E_AUTH);
    pst_store_close(other);
    char *right = getenv("AWS_ACCESS_KEY_ID");
    conf.access_key_id = right;
    other = open_other(s, &conf);
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_E_AUTH);
    assert_non_null(strstr(s->err.text, "aws.secret.access.key"));
    print_message("# %s\n", s->err.text);
    pst_store_close(other);
}

/* Rule 9 rests on it: what was signed long ago is refused. */
static void test_old_signature(void **state)
{
    suite *s = *state;
    if (!is_service(s))
        return;
    names n = chain_names(s, "old", 0);
    pst_store_put put = {.key = n.key,
                         .bytes = PST_SV("x"),
                         .crc32c = pst_crc32c(0, "x", 1),
                         .create_only = creates(s),
                         .dated_ms = pst_wall_ms(pst_clock_system()) - 20 * 60 * 1000};
    expect_rc(s, s->driver->put(s->store, &put, &s->err), PST_E_IO);
    assert_true(s->err.retriable);
    assert_false(s->err.unknown);
    print_message("# %s\n", s->err.text);
    put.dated_ms = pst_wall_ms(pst_clock_system());
    expect_rc(s, s->driver->put(s->store, &put, &s->err), PST_OK);
}

static int64_t late_clock(void *self)
{
    (void)self;
    return pst_wall_ms(pst_clock_system()) - 3 * 3600 * 1000;
}

static int64_t mono_clock(void *self)
{
    (void)self;
    return pst_mono_ms(pst_clock_system());
}

static void test_wrong_clock(void **state)
{
    suite *s = *state;
    static const pst_clock late = {late_clock, mono_clock, NULL};
    if (s->driver != &pst_store_s3)
        return;
    pst_store *other = NULL;
    names n = chain_names(s, "clock", 0);
    expect_rc(s, pst_store_open(&other, &s->conf, &late, NULL, NULL, &s->err), PST_OK);
    int64_t dated = late_clock(NULL);
    pst_store_put put = {.key = n.key,
                         .bytes = PST_SV("x"),
                         .crc32c = pst_crc32c(0, "x", 1),
                         .create_only = true,
                         .dated_ms = dated - 5};
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_E_IO);
    assert_true(s->err.retriable);
    print_message("# %s\n", s->err.text);
    /* a date from before the correction stays refused: the writer may have slept */
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_E_IO);
    pst_cancel_wait(NULL, 5);
    put.dated_ms = late_clock(NULL);
    expect_rc(s, other->driver->put(other, &put, &s->err), PST_OK);
    pst_store_close(other);
}

static void test_damaged_body(void **state)
{
    suite *s = *state;
    pst_store_info info;
    if (s->driver != &pst_store_s3)
        return;
    names n = chain_names(s, "damaged", 0);
    pst_store_put put = {.key = n.key,
                         .bytes = PST_SV("these bytes"),
                         .crc32c = pst_crc32c(0, "other bytes", 11),
                         .create_only = true};
    expect_rc(s, s->driver->put(s->store, &put, &s->err), PST_E_IO);
    assert_true(s->err.retriable);
    assert_true(s->err.unknown);
    print_message("# %s\n", s->err.text);
    expect_rc(s, s->driver->head(s->store, n.key, NULL, &info, &s->err), PST_E_NOT_FOUND);
}

const struct CMUnitTest suite_services[] = {
    cmocka_unit_test(test_probe),          cmocka_unit_test(test_one_request_an_object),
    cmocka_unit_test(test_missing_bucket), cmocka_unit_test(test_wrong_keys),
    cmocka_unit_test(test_old_signature),  cmocka_unit_test(test_wrong_clock),
    cmocka_unit_test(test_damaged_body),
};
const size_t suite_services_n = sizeof suite_services / sizeof *suite_services;

/*
 * test_store.c - what all stores share: metadata, the probe against stores of every kind,
 * the choice of a driver, and the table of settings with its checks.
 */
#include "store/store.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- metadata ---- */

static void test_meta(void **state)
{
    (void)state;
    pst_store_meta meta = {0};
    char long_text[600];
    memset(long_text, 'v', sizeof long_text);
    long_text[511] = '\0';
    assert_int_equal(pst_store_meta_add(&meta, "penstock-next", "%d", 5), PST_OK);
    assert_int_equal(pst_store_meta_add(&meta, "long", "%s", long_text), PST_OK);
    assert_string_equal(pst_store_meta_get(&meta, "long"), long_text);
    assert_string_equal(pst_store_meta_get(&meta, "penstock-next"), "5");
    assert_null(pst_store_meta_get(&meta, "penstock"));
    long_text[511] = 'v';
    long_text[512] = '\0';
    assert_int_equal(pst_store_meta_add(&meta, "x", "%s", long_text), PST_E_LIMIT);
    long_text[64] = '\0';
    assert_int_equal(pst_store_meta_add(&meta, long_text, "x"), PST_E_LIMIT);
    static const char *const bad_names[] = {"", "Upper", "a b", "a:b", "a_b", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++)
        assert_int_equal(pst_store_meta_add(&meta, bad_names[i], "x"), PST_E_INVALID);
    static const char *const bad_values[] = {"a\nb", "a\r", "\x7f", "\xff"};
    for (size_t i = 0; i < sizeof bad_values / sizeof *bad_values; i++)
        assert_int_equal(pst_store_meta_add(&meta, "x", "%s", bad_values[i]),
                         PST_E_INVALID);
    assert_int_equal(meta.n, 2);
    while (meta.n < PST_STORE_META_MAX)
        assert_int_equal(pst_store_meta_add(&meta, "x", "\xc3\xa9"), PST_OK);
    assert_int_equal(pst_store_meta_add(&meta, "x", "y"), PST_E_LIMIT);
}

/* ---- the probe: a store that does as it is told ---- */

typedef struct fake {
    pst_store base;
    bool there, ignores_condition, refuses_condition, forgets_meta, hides;
    bool deny_put, deny_list, deny_head, down;
    int puts;
    char key[100];
    pst_store_meta meta;
} fake;

static pst_rc fake_put(pst_store *store, const pst_store_put *put, pst_err *err)
{
    fake *f = (fake *)store;
    f->puts++;
    if (f->down)
        return pst_fail_retriable(err, PST_E_IO, "down");
    if (f->deny_put)
        return pst_fail_retriable(err, PST_E_AUTH, "grant s3:PutObject");
    if (put->create_only && f->refuses_condition)
        return pst_fail(err, PST_E_UNSUPPORTED, "not implemented");
    if (put->create_only && f->there && !f->ignores_condition)
        return pst_fail(err, PST_E_EXISTS, "taken");
    f->there = true;
    snprintf(f->key, sizeof f->key, "%s", put->key);
    if (put->meta && !f->forgets_meta)
        f->meta = *put->meta;
    return PST_OK;
}

static pst_rc fake_head(pst_store *store, const char *key, const char *link,
                        pst_store_info *info, pst_err *err)
{
    fake *f = (fake *)store;
    (void)link;
    *info = (pst_store_info){.meta = f->meta};
    if (f->deny_head)
        return pst_fail_retriable(err, PST_E_AUTH, "grant s3:GetObject");
    return f->there && strcmp(key, f->key) == 0 ? PST_OK
                                                : pst_fail(err, PST_E_NOT_FOUND, "none");
}

static pst_rc fake_list(pst_store *store, const pst_store_list *list, pst_store_each each,
                        void *opaque, pst_err *err)
{
    fake *f = (fake *)store;
    (void)list;
    if (f->deny_list)
        return pst_fail_retriable(err, PST_E_AUTH, "grant s3:ListBucket");
    if (f->there && !f->hides)
        (void)each(opaque, f->key, 1);
    return PST_OK;
}

static const pst_store_driver fake_driver = {
    .name = "fake", .put = fake_put, .head = fake_head, .list = fake_list};
static const pst_store_driver fake_links = {
    .name = "fake", .put = fake_put, .head = fake_head, .list = fake_list, .links = true};

static void test_probe(void **state)
{
    (void)state;
    static const struct {
        fake store;
        pst_rc rc;
        bool conditional;
        const char *texts[3];
    } cases[] = {
        {{.there = false}, PST_OK, true, {NULL}},
        {{.there = true, .key = "t/_penstock/probe"},
         PST_E_UNSUPPORTED,
         false,
         {"metadata"}},
        {{.ignores_condition = true}, PST_OK, false, {NULL}},
        {{.refuses_condition = true}, PST_OK, false, {NULL}},
        {{.forgets_meta = true}, PST_E_UNSUPPORTED, false, {"user metadata"}},
        {{.hides = true}, PST_E_INVALID, false, {"does not list t/_penstock/probe"}},
        {{.down = true}, PST_E_IO, false, {"down"}},
        {{.deny_put = true}, PST_E_AUTH, false, {"s3:PutObject"}},
        {{.deny_list = true}, PST_E_AUTH, false, {"s3:ListBucket"}},
        {{.deny_head = true}, PST_E_AUTH, false, {"s3:GetObject"}},
        {{.deny_put = true, .deny_list = true, .deny_head = true},
         PST_E_AUTH,
         false,
         {"s3:PutObject", "s3:ListBucket", "s3:GetObject"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake store = cases[i].store;
        pst_store_abilities can = {0};
        pst_err err = PST_ERR_INIT;
        store.base.driver = &fake_driver;
        if (pst_store_probe(&store.base, "t", &can, &err) != cases[i].rc)
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(can.conditional_create, cases[i].conditional);
        for (int t = 0; t < 3 && cases[i].texts[t]; t++)
            assert_non_null(strstr(err.text, cases[i].texts[t]));
        assert_in_range(store.puts, 1, 4);
    }
    fake links = {.base.driver = &fake_links, .refuses_condition = true};
    pst_store_abilities can = {0};
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_store_probe(&links.base, "", &can, &err), PST_E_UNSUPPORTED);
    assert_int_equal(pst_store_requests(&links.base, "PUT"), 0);
}

static void test_probe_key(void **state)
{
    (void)state;
    fake store = {.base.driver = &fake_driver};
    pst_store_abilities can = {0};
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_store_probe(&store.base, "", &can, &err), PST_OK);
    assert_string_equal(store.key, "_penstock/probe");
    store = (fake){.base.driver = &fake_driver};
    assert_int_equal(pst_store_probe(&store.base, "a/b", &can, &err), PST_OK);
    assert_string_equal(store.key, "a/b/_penstock/probe");
    char long_dir[1100];
    memset(long_dir, 'd', sizeof long_dir);
    long_dir[1099] = '\0';
    assert_int_equal(pst_store_probe(&store.base, long_dir, &can, &err), PST_E_CONFIG);
}

/* ---- settings ---- */

static void check_spec(const void *conf, const pst_props *props, pst_conf_report *report)
{
    pst_store_conf_check(conf, props, report);
}

static const pst_conf_part parts[] = {{&pst_store_section, 0},
                                      {&pst_store_access_section, 0}};
static const pst_conf_spec spec = {.name = "store",
                                   .parts = parts,
                                   .n_parts = 2,
                                   .size = sizeof(pst_store_conf),
                                   .check = check_spec};

/* Applies the text and returns what was reported; the caller frees it. */
static char *apply(const char *text, pst_store_conf *conf)
{
    pst_props props;
    pst_conf_report report;
    pst_buf out;
    pst_props_init(&props);
    pst_conf_report_init(&report);
    pst_buf_init(&out, 1 << 20);
    *conf = (pst_store_conf){0};
    assert_int_equal(pst_props_parse(&props, pst_sv_of(text), "f", &report), PST_OK);
    pst_rc rc = pst_conf_apply(&spec, &props, conf, &report);
    assert_int_equal(pst_conf_report_print(&report, &out), PST_OK);
    assert_int_equal(rc == PST_OK, report.errors == 0);
    char *printed = pst_buf_take(&out);
    assert_non_null(printed);
    pst_conf_report_done(&report);
    pst_props_done(&props);
    return printed;
}

static void test_defaults(void **state)
{
    (void)state;
    pst_store_conf conf;
    char *said = apply("s3.bucket.name=b-1\n", &conf);
    assert_string_equal(said, "");
    assert_null(conf.url);
    assert_string_equal(conf.bucket, "b-1");
    assert_string_equal(conf.region, "us-east-1");
    assert_true(conf.path_style);
    assert_int_equal(conf.client, PST_STORE_CURL);
    assert_int_equal(conf.retry_backoff_ms, 200);
    assert_int_equal(conf.request_timeout_ms, 60000);
    assert_null(conf.access_key_id);
    assert_null(conf.storage_class);
    pst_free(said);
    pst_conf_done(&spec, &conf);
    said = apply("store.url=file:///tmp/x\n", &conf);
    assert_string_equal(said, ""); /* a directory needs no bucket */
    pst_free(said);
    pst_conf_done(&spec, &conf);
}

static void test_all_settings(void **state)
{
    (void)state;
    pst_store_conf conf;
    char *said = apply("store.url=https://[::1]:9000/\ns3.bucket.name=bucket\n"
                       "s3.region=eu-west-1\ns3.path.style.access.enabled=false\n"
                       "aws.access.key.id=AKIA\naws.secret.access.key=a/b+c=\n"
                       "aws.session.token=tok\ns3.ssea.name=aws:kms\n"
                       "s3.sse.kms.key.id=arn:aws:kms:x\ns3.acl.canned=private\n"
                       "s3.object.tagging.key.value.pairs=a:b, c:d\n"
                       "s3.storage.class=STANDARD_IA\ns3.client=curl\n"
                       "store.ssl.ca.location=/etc/ca.pem\nstore.request.timeout.ms=5s\n"
                       "s3.checksum=md5\ns3.expected.bucket.owner=123456789012\n"
                       "s3.object.metadata=team:a b, cost:x\n"
                       "store.ssl.certificate.location=/c.pem\n"
                       "store.ssl.key.location=/k.pem\nstore.ssl.key.password=p\n"
                       "s3.proxy.url=http://proxy:3128\ns3.proxy.user=u\n"
                       "s3.proxy.password=p w\n"
                       "aws.sts.role.arn=arn:aws:iam::123456789012:role/r\n"
                       "aws.sts.role.external.id=a/b:c\n"
                       "aws.sts.role.session.name=s@1\n"
                       "aws.sts.role.session.duration=900\n"
                       "aws.sts.config.endpoint=https://sts.eu-west-1.amazonaws.com\n",
                       &conf);
    assert_string_equal(said, "");
    assert_false(conf.path_style);
    assert_string_equal(conf.secret_access_key, "a/b+c=");
    assert_string_equal(conf.tagging, "a:b, c:d");
    assert_int_equal(conf.request_timeout_ms, 5000);
    assert_int_equal(conf.checksum, PST_STORE_MD5);
    assert_int_equal(conf.sts_duration_s, 900);
    assert_string_equal(conf.proxy_password, "p w");
    pst_free(said);
    pst_conf_done(&spec, &conf);
}

static void test_bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"", "s3.bucket.name"},
        {"store.url=http://h\n", "missing: set s3.bucket.name"},
        {"store.url=ftp://h\n", "begin it with http://"},
        {"store.url=http://h/b\n", "no path"},
        {"store.url=http://u:hunter2@h\n", "no credentials in the URL"},
        {"store.url=http://:80\n", "names no host"},
        {"store.url=http://h:x\n", "a port is"},
        {"store.url=http://h:99999\n", "a port is"},
        {"store.url=http://[::1]x\n", "a port is"},
        {"store.url=http://\n", "names no host"},
        {"store.url=file://x\n", "file:///"},
        {"s3.bucket.name=a/b\n", "topics.dir"},
        {"s3.bucket.name=x\n", "not a bucket's name"},
        {"s3.bucket.name=UPPER lower\n", "not a bucket's name"},
        {"s3.region=EU West\n", "not a region"},
        {"s3.client=libs3\ns3.storage.class=STANDARD_IA\n", "not with s3.client=libs3"},
        {"s3.client=libs3\nstore.ssl.ca.location=/ca.pem\n", "not with s3.client=libs3"},
        {"s3.client=libs3\nstore.url=file:///folder\n", "does not write to a directory"},
        {"s3.libs3.plugin=penstock_libs3.so\n", "the whole path"},
        {"s3.client=boto\n", "s3.client"},
        {"s3.part.size=1\n", "s3.part.size"},
        {"s3.ssea.name=rot13\n", "AES256"},
        {"s3.sse.kms.key.id=x\n", "needs s3.ssea.name=aws:kms"},
        {"s3.acl.canned=everybody\n", "canned ACL"},
        {"s3.object.tagging.key.value.pairs=novalue\n", "key:value"},
        {"s3.object.tagging.key.value.pairs=a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1,j:1,k:"
         "1\n",
         "ten tags"},
        {"s3.object.tagging.key.value.pairs=a&b:c\n", "_.:/=+-@"},
        {"s3.storage.class=cheap\n", "STANDARD_IA"},
        {"aws.access.key.id=x\n", "set together"},
        {"aws.secret.access.key=hunter2\n", "set together"},
        {"aws.session.token=hunter2\n", "needs aws.access.key.id"},
        {"aws.secret.access.key=hunter2 hunter2\naws.access.key.id=x\n", "printable"},
        {"s3.bucket.nam=x\n", "s3.bucket.name"},
        {"s3.checksum=crc32\n", "crc32c"},
        {"s3.expected.bucket.owner=1234\n", "12 digits"},
        {"s3.object.metadata=penstock-next:1\n", "penstock-"},
        {"s3.object.metadata=Team:a\n", "a-z"},
        {"s3.object.metadata=novalue\n", "name:value"},
        {"store.ssl.key.location=/k\n", "needs store.ssl.certificate.location"},
        {"store.ssl.key.password=hunter2\n", "needs store.ssl.certificate.location"},
        {"store.url=http://h\nstore.ssl.ca.location=/c\n", "has no effect"},
        {"s3.proxy.url=http://u:hunter2@proxy:1\n", "s3.proxy.user"},
        {"s3.proxy.url=proxy:3128\n", "http://host:port"},
        {"s3.proxy.password=hunter2\n", "needs s3.proxy.user"},
        {"aws.sts.role.arn=role/x\n", "a role's ARN"},
        {"aws.sts.role.external.id=x y\n", "1224"},
        {"aws.sts.role.external.id=xy\n", "needs aws.sts.role.arn"},
        {"aws.sts.role.session.name=x\n", "2 to 64"},
        {"aws.sts.role.session.duration=10\n", "900"},
        {"aws.sts.config.endpoint=sts\n", "https://host"},
        {"aws.sts.role.arn=arn:x\nstore.url=http://minio:9000\n",
         "set aws.sts.config.endpoint"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pst_store_conf conf;
        char *said = apply(cases[i].text, &conf);
        if (!strstr(said, cases[i].said))
            fail_msg("%s: %s", cases[i].text, said);
        assert_null(strstr(said, "hunter2"));
        pst_free(said);
        pst_conf_done(&spec, &conf);
    }
}

static void test_rows(void **state)
{
    (void)state;
    const pst_setting *all[100];
    size_t n = 0;
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        for (size_t i = 0; i < parts[p].section->n_rows; i++)
            all[n++] = &parts[p].section->rows[i];
    for (size_t i = 0; i < n; i++) {
        assert_true(all[i]->offset < sizeof(pst_store_conf));
        assert_true(strlen(all[i]->doc) > 15);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(all[i]->name, all[j]->name);
            assert_int_not_equal(all[i]->offset, all[j]->offset);
        }
    }
}

/* ---- choosing ---- */

static void test_open(void **state)
{
    (void)state;
    char root[] = "/tmp/pst-test-store-XXXXXX";
    assert_non_null(mkdtemp(root));
    char url[100];
    char where[200];
    snprintf(url, sizeof url, "file://%s", root);
    pst_store_conf conf = {.url = url, .client = PST_STORE_LIBS3};
    pst_store *store = NULL;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_store_open(&store, &conf, pst_clock_system(), NULL, NULL, &err),
                     PST_OK);
    assert_ptr_equal(store->driver, &pst_store_dir);
    store->driver->describe(store, "a/b", where, sizeof where);
    assert_string_equal(where + strlen(url), "/a/b");
    pst_store_close(store);
    pst_store_close(NULL);
    remove(root);
    char s3_url[] = "http://127.0.0.1:1";
    char bucket[] = "bucket";
    conf = (pst_store_conf){.url = s3_url, .bucket = bucket, .path_style = true};
    assert_int_equal(pst_store_open(&store, &conf, pst_clock_system(), NULL, NULL, &err),
                     PST_OK);
    assert_ptr_equal(store->driver, &pst_store_s3);
    store->driver->describe(store, "a/b", where, sizeof where);
    assert_string_equal(where, "s3://bucket/a/b");
    pst_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meta),         cmocka_unit_test(test_probe),
        cmocka_unit_test(test_probe_key),    cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all_settings), cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * suite_peer.c - conformance: another driver reads what this one has written, as an
 * independent second reader: keys, sizes, bytes and metadata.
 */
#include "tests/store/store_suite.h"

enum { PEER_KEYS = 120 };

static size_t write_all(suite *s, bool written[PEER_KEYS])
{
    size_t n = 0;
    for (size_t i = 0; i < PEER_KEYS; i++) {
        char key[400];
        char text[40];
        pst_store_meta meta = {0};
        odd_key(s, i, key, sizeof key);
        written[i] = !odd_refused(s->driver, s->spaces, key) &&
                     !odd_refused(s->peer->driver, s->spaces, key);
        if (!written[i])
            continue;
        format(text, sizeof text, "%zu by %s", i, s->driver->name);
        odd_meta(&meta, i, 4);
        expect_rc(s, put_text(s, key, NULL, text, &meta, true, &s->err), PST_OK);
        n++;
    }
    return n;
}

static void read_one(suite *s, size_t i, const char *key)
{
    const pst_store_driver *peer = s->peer->driver;
    char text[40];
    pst_store_meta meta = {0};
    pst_store_info info;
    pst_buf body;
    pst_buf_init(&body, 1000);
    format(text, sizeof text, "%zu by %s", i, s->driver->name);
    odd_meta(&meta, i, 4);
    expect_rc(s, peer->head(s->peer, key, NULL, &info, &s->err), PST_OK);
    assert_int_equal(info.size, strlen(text));
    assert_int_equal(info.meta.n - info.meta.n % 4, 4); /* and a driver's own */
    expect_meta(&info.meta, &meta);
    expect_rc(s, peer->get(s->peer, key, &body, &s->err), PST_OK);
    assert_int_equal(body.len, strlen(text));
    assert_memory_equal(body.data, text, body.len);
    pst_buf_done(&body);
}

static void test_peer(void **state)
{
    suite *s = *state;
    bool written[PEER_KEYS];
    char prefix[100];
    key_list all = {0};
    if (!s->peer)
        return;
    size_t n = write_all(s, written);
    format(prefix, sizeof prefix, "%s/odd/", s->base);
    pst_store_list list = {.prefix = prefix};
    expect_rc(s, s->peer->driver->list(s->peer, &list, collect, &all, &s->err), PST_OK);
    assert_int_equal(all.n, n);
    assert_true(n > PEER_KEYS / 2);
    for (size_t i = 0, at = 0; i < PEER_KEYS; i++) {
        char key[400];
        if (!written[i])
            continue;
        odd_key(s, i, key, sizeof key);
        assert_string_equal(all.keys[at++], key);
        read_one(s, i, key);
    }
    key_list_done(&all);
}

const struct CMUnitTest suite_peer[] = {
    cmocka_unit_test(test_peer),
};
const size_t suite_peer_n = sizeof suite_peer / sizeof *suite_peer;

/*
 * suite_objects.c - conformance: single objects, conditional create, and the race for a
 * key that the chain stands on.
 */
#include "tests/store/store_suite.h"

#include <pthread.h>

enum { RACERS = 8, ROUNDS = 20, BIG = 20 * 1024 * 1024 };

/* ---- put, head, get, remove ---- */

static void test_round_trip(void **state)
{
    suite *s = *state;
    names n = chain_names(s, "users", 0);
    pst_store_meta meta = {0};
    pst_store_info info;
    assert_int_equal(pst_store_meta_add(&meta, "penstock-next", "%d", 24), PST_OK);
    assert_int_equal(
        pst_store_meta_add(&meta, "penstock-last", "23:1700000000000:0badcafe"), PST_OK);
    assert_int_equal(pst_store_meta_add(&meta, "penstock-group", "connect-users"),
                     PST_OK);
    int64_t before = pst_wall_ms(pst_clock_system());
    expect_rc(s, put_text(s, n.key, n.link, "a,b\n1,2\n", &meta, true, &s->err), PST_OK);
    expect_body(s, n.key, "a,b\n1,2\n");
    expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
    assert_int_equal(info.size, 8);
    assert_in_range(info.modified_ms - before + 2000, 0, 10000);
    assert_string_equal(pst_store_meta_get(&info.meta, "penstock-next"), "24");
    assert_string_equal(pst_store_meta_get(&info.meta, "penstock-last"),
                        "23:1700000000000:0badcafe");
    assert_string_equal(pst_store_meta_get(&info.meta, "penstock-group"),
                        "connect-users");
    assert_null(pst_store_meta_get(&info.meta, "penstock-none"));
}

static void test_conditional_create(void **state)
{
    suite *s = *state;
    names n = chain_names(s, "once", 7);
    expect_rc(s, put_text(s, n.key, n.link, "first", NULL, true, &s->err), PST_OK);
    expect_taken(s, n.key, n.link);
    expect_body(s, n.key, "first");
    char root[200];
    format(root, sizeof root, "%s/_penstock/once/0/root.json", s->base);
    expect_rc(s, put_plain(s, root, "{}", true), PST_OK);
    expect_taken(s, root, NULL);
    expect_body(s, root, "{}");
    expect_rc(s, put_plain(s, root, "[]", false), PST_OK);
    expect_body(s, root, "[]");
}

static void test_empty_object(void **state)
{
    suite *s = *state;
    names n = chain_names(s, "empty", 0);
    pst_store_info info;
    expect_rc(s, put_text(s, n.key, n.link, "", NULL, true, &s->err), PST_OK);
    expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
    assert_int_equal(info.size, 0);
    expect_body(s, n.key, "");
}

/* What a buffer, a chunk, a part may be cut at; what is larger than a part goes up in
   parts. */
static void put_size(suite *s, size_t size)
{
    names n = chain_names(s, "sizes", (int64_t)size);
    pst_store_info info;
    pst_chunks chunks;
    pst_buf body;
    uint32_t crc = 0;
    pst_chunks_init(&chunks);
    pst_buf_init(&body, size);
    for (size_t i = 0; chunks.len < size; i++) {
        char block[4096];
        size_t part = size - chunks.len < sizeof block ? size - chunks.len : sizeof block;
        for (size_t j = 0; j < part; j++)
            block[j] = (char)(i * 7 + j * 13 + j / 251);
        assert_int_equal(pst_chunks_add(&chunks, block, part), PST_OK);
        crc = pst_crc32c(crc, block, part);
    }
    pst_store_put put = {.key = n.key,
                         .link = n.link,
                         .chunks = &chunks,
                         .crc32c = crc,
                         .create_only = creates(s)};
    expect_rc(s, s->driver->put(s->store, &put, &s->err), PST_OK);
    if (creates(s)) /* also by a conditional complete */
        expect_rc(s, s->driver->put(s->store, &put, &s->err), PST_E_EXISTS);
    expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
    assert_int_equal(info.size, size);
    expect_rc(s, s->driver->get(s->store, n.key, &body, &s->err), PST_OK);
    assert_int_equal(body.len, size);
    assert_int_equal(pst_crc32c(0, body.data, body.len), crc);
    pst_buf_done(&body);
    pst_chunks_done(&chunks);
}

static void test_sizes(void **state)
{
    enum { PART = 5 * 1024 * 1024 };
    static const size_t sizes[] = {1,
                                   16384,
                                   65535,
                                   65536,
                                   65537,
                                   PST_CHUNK_MAX - 1,
                                   PST_CHUNK_MAX,
                                   PST_CHUNK_MAX + 1,
                                   PART - 1,
                                   PART,
                                   PART + 1,
                                   2 * PART,
                                   2 * PART + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        put_size(*state, sizes[i]);
}

static void test_large_object(void **state)
{
    suite *s = *state;
    names n = chain_names(s, "large", 0);
    pst_chunks chunks;
    pst_buf body;
    uint32_t crc = 0;
    pst_chunks_init(&chunks);
    pst_buf_init(&body, BIG + 1);
    uint64_t x = 88172645463325252u;
    while (chunks.len < BIG) {
        uint64_t block[512];
        for (size_t i = 0; i < 512; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            block[i] = x;
        }
        assert_int_equal(pst_chunks_add(&chunks, block, sizeof block), PST_OK);
        crc = pst_crc32c(crc, block, sizeof block);
    }
    pst_store_put put = {.key = n.key,
                         .link = n.link,
                         .chunks = &chunks,
                         .crc32c = crc,
                         .create_only = creates(s)};
    expect_rc(s, s->driver->put(s->store, &put, &s->err), PST_OK);
    expect_rc(s, s->driver->get(s->store, n.key, &body, &s->err), PST_OK);
    assert_int_equal(body.len, BIG);
    assert_int_equal(pst_crc32c(0, body.data, body.len), crc);
    pst_buf small;
    pst_buf_init(&small, BIG - 1);
    expect_rc(s, s->driver->get(s->store, n.key, &small, &s->err), PST_E_LIMIT);
    pst_buf_done(&small);
    pst_buf_done(&body);
    pst_chunks_done(&chunks);
}

static void test_remove_and_not_found(void **state)
{
    suite *s = *state;
    char key[200];
    pst_store_info info;
    pst_buf body;
    pst_buf_init(&body, 1000);
    format(key, sizeof key, "%s/there/and-gone", s->base);
    expect_rc(s, s->driver->head(s->store, key, NULL, &info, &s->err), PST_E_NOT_FOUND);
    expect_rc(s, s->driver->get(s->store, key, &body, &s->err), PST_E_NOT_FOUND);
    assert_false(s->err.retriable);
    expect_rc(s, put_plain(s, key, "x", true), PST_OK);
    expect_rc(s, s->driver->head(s->store, key, NULL, &info, &s->err), PST_OK);
    expect_rc(s, s->driver->remove(s->store, key, &s->err), PST_OK);
    expect_rc(s, s->driver->remove(s->store, key, &s->err), PST_OK);
    expect_rc(s, s->driver->head(s->store, key, NULL, &info, &s->err), PST_E_NOT_FOUND);
    names n = chain_names(s, "never", 1);
    expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err),
              PST_E_NOT_FOUND);
    expect_rc(s, put_plain(s, key, "y", true), PST_OK); /* free again */
    pst_buf_done(&body);
}

static void test_bad_keys(void **state)
{
    suite *s = *state;
    char longest[1100];
    memset(longest, 'k', sizeof longest);
    longest[1025] = '\0';
    for (size_t i = 200; i < 1025; i += 200)
        longest[i] = '/';
    const char *const bad[] = {"", "\xff", longest};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_rc(s, put_plain(s, bad[i], "x", true), PST_E_INVALID);
}

/* ---- the race that the chain stands on ---- */

typedef struct racer {
    suite *s;
    int id, wins, losses, others;
    pthread_barrier_t *start;
    int winner_of[ROUNDS]; /* 1 where this one won */
    pst_err last;
} racer;

static void *race(void *opaque)
{
    racer *r = opaque;
    for (int i = 0; i < ROUNDS; i++) {
        char text[100];
        pst_store_meta meta = {0};
        pst_err err = PST_ERR_INIT;
        names n = chain_names(r->s, "race", i);
        snprintf(text, sizeof text, "writer %d in round %d", r->id, i);
        if (pst_store_meta_add(&meta, "penstock-batch", "%d", r->id) != PST_OK)
            abort();
        pthread_barrier_wait(r->start);
        pst_rc rc = put_text(r->s, n.key, n.link, text, &meta, true, &err);
        while (rc != PST_OK && err.unknown) { /* rule 5: the same again */
            pst_err_clear(&err);
            rc = put_text(r->s, n.key, n.link, text, &meta, true, &err);
        }
        r->winner_of[i] = rc == PST_OK;
        r->wins += rc == PST_OK;
        r->losses += rc == PST_E_EXISTS;
        r->others += rc != PST_OK && rc != PST_E_EXISTS;
        if (rc != PST_OK && rc != PST_E_EXISTS)
            r->last = err;
    }
    return NULL;
}

static void test_race(void **state)
{
    suite *s = *state;
    pthread_t threads[RACERS];
    racer racers[RACERS] = {{0}};
    pthread_barrier_t start;
    if (!creates(s))
        return; /* it says so: expect_taken() */
    pthread_barrier_init(&start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (racer){.s = s, .id = i, .start = &start};
        pthread_create(&threads[i], NULL, race, &racers[i]);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        if (racers[i].others)
            print_error("%s\n", racers[i].last.text);
        assert_int_equal(racers[i].others, 0);
    }
    pthread_barrier_destroy(&start);
    for (int round = 0; round < ROUNDS; round++) {
        int winner = -1;
        for (int i = 0; i < RACERS; i++)
            if (racers[i].winner_of[round]) {
                assert_int_equal(winner, -1);
                winner = i;
            }
        assert_true(winner >= 0);
        char text[100];
        char id[16];
        pst_store_info info;
        names n = chain_names(s, "race", round);
        format(text, sizeof text, "writer %d in round %d", winner, round);
        format(id, sizeof id, "%d", winner);
        expect_body(s, n.key, text);
        expect_rc(s, s->driver->head(s->store, n.key, n.link, &info, &s->err), PST_OK);
        assert_string_equal(pst_store_meta_get(&info.meta, "penstock-batch"), id);
    }
}

const struct CMUnitTest suite_objects[] = {
    cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_conditional_create),
    cmocka_unit_test(test_empty_object), cmocka_unit_test(test_sizes),
    cmocka_unit_test(test_large_object), cmocka_unit_test(test_remove_and_not_found),
    cmocka_unit_test(test_bad_keys),     cmocka_unit_test(test_race),
};
const size_t suite_objects_n = sizeof suite_objects / sizeof *suite_objects;

/*
 * suite_keys.c - conformance: listings in byte order, beyond one page.
 */
#include "tests/store/store_suite.h"

#include <pthread.h>
#include <stdatomic.h>

enum { FILLERS = 8, MANY = 1234 };

/* ---- listing ---- */

typedef struct filler {
    suite *s;
    int id;
    atomic_int *failed;
} filler;

static void many_key(const suite *s, int i, char *out, size_t size)
{
    format(out, size, "%s/many/%s%d", s->base, i % 3 ? "n" : "n/", i * 37 % MANY);
}

static void *fill(void *opaque)
{
    filler *f = opaque;
    for (int i = f->id; i < MANY; i += FILLERS) {
        char key[200];
        pst_err err = PST_ERR_INIT;
        many_key(f->s, i, key, sizeof key);
        if (put_text(f->s, key, NULL, "12345", NULL, true, &err) != PST_OK)
            atomic_fetch_add(f->failed, 1);
    }
    return NULL;
}

static void put_many(suite *s)
{
    pthread_t threads[FILLERS];
    filler fillers[FILLERS];
    atomic_int failed = 0;
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = (filler){s, i, &failed};
        pthread_create(&threads[i], NULL, fill, &fillers[i]);
    }
    for (int i = 0; i < FILLERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&failed), 0);
}

static void check_part(suite *s, const key_list *all, size_t from, size_t limit)
{
    char prefix[100];
    key_list part = {0};
    format(prefix, sizeof prefix, "%s/many/", s->base);
    list_into(s, prefix, from ? all->keys[from - 1] : NULL, limit, &part);
    size_t want = limit && all->n - from > limit ? limit : all->n - from;
    assert_int_equal(part.n, want);
    for (size_t i = 0; i < part.n; i++)
        assert_string_equal(part.keys[i], all->keys[from + i]);
    key_list_done(&part);
}

static void test_listing(void **state)
{
    suite *s = *state;
    char prefix[100];
    char beyond[100];
    key_list all = {0};
    key_list want = {0};
    put_many(s);
    for (int i = 0; i < MANY; i++) {
        char key[200];
        many_key(s, i, key, sizeof key);
        collect(&want, key, 5);
    }
    qsort(want.keys, want.n, sizeof *want.keys, by_bytes);
    format(prefix, sizeof prefix, "%s/many/", s->base);
    list_into(s, prefix, NULL, 0, &all);
    assert_int_equal(all.n, MANY);
    assert_int_equal(all.bytes, MANY * 5);
    for (size_t i = 0; i < all.n; i++)
        assert_string_equal(all.keys[i], want.keys[i]);
    check_part(s, &all, 0, 1);
    check_part(s, &all, 0, 1000);
    check_part(s, &all, 0, 1001);
    check_part(s, &all, 17, 7);
    check_part(s, &all, 999, 0);
    check_part(s, &all, MANY - 1, 0);
    check_part(s, &all, MANY, 5);
    key_list few = {.stop_after = 3};
    list_into(s, prefix, NULL, 0, &few);
    assert_int_equal(few.n, 3);
    key_list_done(&few);
    format(beyond, sizeof beyond, "%s/manz", s->base);
    list_into(s, prefix, beyond, 0, &few); /* after all of them */
    assert_int_equal(few.n, 0);
    list_into(s, beyond, NULL, 0, &few); /* a prefix that nothing has */
    assert_int_equal(few.n, 0);
    format(beyond, sizeof beyond, "%s/many/n/1", s->base); /* not at a slash */
    list_into(s, beyond, NULL, 0, &few);
    assert_true(few.n > 10);
    for (size_t i = 0; i < few.n; i++)
        assert_memory_equal(few.keys[i], beyond, strlen(beyond));
    key_list_done(&few);
    key_list_done(&want);
    key_list_done(&all);
}

const struct CMUnitTest suite_keys[] = {
    cmocka_unit_test(test_listing),
};
const size_t suite_keys_n = sizeof suite_keys / sizeof *suite_keys;

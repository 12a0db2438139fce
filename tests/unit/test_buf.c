/*
 * test_buf.c - buffers: ceilings hold, a failed append changes nothing, blocks split
 * well; and the helpers on top of the allocator (memx.c), with each allocation failing in
 * turn.
 */
#include "mem_fault.c"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void append_grows_to_the_ceiling(void **state)
{
    (void)state;
    pst_buf buf;
    pst_buf_init(&buf, 100);
    for (int i = 0; i < 10; i++)
        assert_int_equal(pst_buf_adds(&buf, "0123456789"), PST_OK);
    assert_int_equal(buf.len, 100);
    assert_int_equal(pst_buf_addc(&buf, 'x'), PST_E_LIMIT);
    assert_int_equal(buf.len, 100);
    assert_null(pst_buf_cstr(&buf)); /* the NUL needs room too */
    pst_buf_clear(&buf);
    assert_int_equal(pst_buf_addf(&buf, "%s-%d", "a", 5), PST_OK);
    assert_string_equal(pst_buf_cstr(&buf), "a-5");
    pst_buf_done(&buf);
    pst_buf_done(&buf);
}

static void sizes_do_not_overflow(void **state)
{
    (void)state;
    pst_buf buf;
    pst_buf_init(&buf, SIZE_MAX);
    assert_int_equal(pst_buf_addc(&buf, 'a'), PST_OK);
    assert_int_equal(pst_buf_reserve(&buf, SIZE_MAX), PST_E_LIMIT);
    assert_null(pst_realloc(NULL, SIZE_MAX / 2, 3));
    pst_buf_done(&buf);
}

static void take_moves_the_block(void **state)
{
    (void)state;
    pst_buf buf;
    pst_buf_init(&buf, 100);
    assert_int_equal(pst_buf_adds(&buf, "mine"), PST_OK);
    char *text = pst_buf_take(&buf);
    assert_string_equal(text, "mine");
    assert_int_equal(buf.len, 0);
    assert_null(buf.data);
    pst_free(text);
}

static void chunks_keep_every_byte(void **state)
{
    (void)state;
    pst_chunks chunks, moved;
    unsigned char piece[997], out[1500];
    size_t total = 0;
    pst_chunks_init(&chunks);
    for (unsigned i = 0; i < 1000; i++) {
        memset(piece, (int)(i & 255), sizeof piece);
        assert_int_equal(pst_chunks_add(&chunks, piece, sizeof piece), PST_OK);
        total += sizeof piece;
    }
    assert_int_equal(chunks.len, total);
    assert_true(chunks.reserved >= total && chunks.reserved < total * 2 + 8192);
    pst_chunks_move(&moved, &chunks);
    assert_int_equal(chunks.len, 0);
    pst_chunks_pos pos = pst_chunks_begin(&moved);
    size_t seen = 0, n;
    while ((n = pst_chunks_read(&pos, out, sizeof out)) > 0)
        for (size_t i = 0; i < n; i++, seen++)
            assert_int_equal(out[i], (seen / sizeof piece) & 255);
    assert_int_equal(seen, total);
    pst_chunks_done(&moved);
    pst_chunks_done(&chunks);
}

static void no_memory_changes_nothing(void **state)
{
    (void)state;
    pst_buf buf;
    pst_buf_init(&buf, 1000);
    assert_int_equal(pst_buf_adds(&buf, "kept"), PST_OK);
    pst_fault_set(0);
    char more[200];
    memset(more, 'm', sizeof more);
    assert_int_equal(pst_buf_add(&buf, more, sizeof more), PST_E_NOMEM);
    assert_null(pst_strdup("x"));
    assert_null(pst_asprintf("%d", 5));
    pst_chunks chunks;
    pst_chunks_init(&chunks);
    assert_int_equal(pst_chunks_add(&chunks, "x", 1), PST_E_NOMEM);
    assert_int_equal(chunks.len, 0);
    pst_fault_set(-1);
    assert_string_equal(pst_buf_cstr(&buf), "kept");
    pst_buf_done(&buf);
    pst_chunks_done(&chunks);
}

static void copies_and_formats(void **state)
{
    (void)state;
    char *a = pst_strndup("abcdef", 3), *b = pst_asprintf("%s/%05d", "x", 42);
    assert_string_equal(a, "abc");
    assert_string_equal(b, "x/00042");
    assert_null(pst_strndup("", SIZE_MAX));
    char secret[8] = "secret";
    pst_wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        assert_int_equal(secret[i], 0);
    pst_free(a);
    pst_free(b);
    pst_free(NULL);
}

static int nothing_leaks(void **state)
{
    (void)state;
    return pst_fault_live() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(append_grows_to_the_ceiling, nothing_leaks),
        cmocka_unit_test_teardown(sizes_do_not_overflow, nothing_leaks),
        cmocka_unit_test_teardown(take_moves_the_block, nothing_leaks),
        cmocka_unit_test_teardown(chunks_keep_every_byte, nothing_leaks),
        cmocka_unit_test_teardown(no_memory_changes_nothing, nothing_leaks),
        cmocka_unit_test_teardown(copies_and_formats, nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

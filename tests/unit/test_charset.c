/*
 * test_charset.c - UTF-8 to other character sets, as Java's encoders do it.
 */
#include "format/charset.h"

#include "test_record_common.h"

static void encodes(const char *name, pst_sv text, pst_sv want)
{
    pst_charset *set = NULL;
    pst_err err = PST_ERR_INIT;
    pst_buf out;
    pst_buf_init(&out, 4096);
    assert_int_equal(pst_charset_new(&set, name, &err), PST_OK);
    pst_charset_reset(set);
    assert_int_equal(pst_charset_add(set, text, &out), PST_OK);
    assert_int_equal(out.len, want.n);
    assert_memory_equal(out.data, want.p, want.n);
    pst_charset_free(set);
    pst_buf_done(&out);
}

static void what_a_set_lacks_is_a_question_mark(void **state)
{
    (void)state;
    pst_sv text = PST_SV("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
    encodes("UTF-8", text, text);
    encodes("ISO-8859-1", text, PST_SV("a\xe9??z"));
    encodes("US-ASCII", text, PST_SV("a???z"));
    encodes("windows-1252", text, PST_SV("a\xe9\x80?z"));
}

static void wide_sets(void **state)
{
    (void)state;
    pst_sv text = PST_SV("a\xf0\x9f\x98\x80");
    encodes("UTF-16BE", text, (pst_sv){"\0a\xd8\x3d\xde\x00", 6});
    encodes("UTF-16LE", text, (pst_sv){"a\0\x3d\xd8\x00\xde", 6});
    encodes("UTF-16", text, (pst_sv){"\xfe\xff\0a\xd8\x3d\xde\x00", 8});
    encodes("UTF-32BE", text, (pst_sv){"\0\0\0a\0\x01\xf6\x00", 8});
}

/* UTF-16's mark stands once an object. */
static void one_mark_an_object(void **state)
{
    (void)state;
    pst_charset *set = NULL;
    pst_err err = PST_ERR_INIT;
    pst_buf out;
    pst_buf_init(&out, 4096);
    assert_int_equal(pst_charset_new(&set, "UTF-16", &err), PST_OK);
    for (int object = 0; object < 2; object++) {
        pst_charset_reset(set);
        assert_int_equal(pst_charset_add(set, PST_SV("a"), &out), PST_OK);
        assert_int_equal(pst_charset_add(set, PST_SV("b"), &out), PST_OK);
    }
    assert_int_equal(out.len, 12);
    assert_memory_equal(out.data, "\xfe\xff\0a\0b\xfe\xff\0a\0b", 12);
    pst_charset_free(set);
    pst_buf_done(&out);
}

static void unknown_sets(void **state)
{
    (void)state;
    pst_charset *set = NULL;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_charset_new(&set, "klingon-8", &err), PST_E_CONFIG);
    assert_non_null(strstr(err.text, "klingon-8"));
    assert_null(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_set_lacks_is_a_question_mark),
        cmocka_unit_test(wide_sets),
        cmocka_unit_test(one_mark_an_object),
        cmocka_unit_test(unknown_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

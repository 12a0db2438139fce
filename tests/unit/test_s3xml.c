/*
 * test_s3xml.c - the parser of S3's errors and listings, on good, odd and hostile text.
 */
#include "store/s3xml.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static pst_s3xml_error error_of(const char *xml, bool found)
{
    pst_s3xml_error out;
    assert_int_equal(pst_s3xml_error_of(pst_sv_of(xml), &out), found);
    return out;
}

static void test_errors(void **state)
{
    (void)state;
    pst_s3xml_error e = error_of(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a comment -->\n"
        "<Error "
        "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Code>NoSuchBucket</Code>"
        "<Message>The bucket &lt;a&amp;b&gt;\nis &#x67;one&#33;</Message>"
        "<Region> eu-west-1 </Region><Deep><Code>Other</Code></Deep></Error>",
        true);
    assert_string_equal(e.code, "NoSuchBucket");
    assert_string_equal(e.message, "The bucket <a&b> is gone!");
    assert_string_equal(e.region, "eu-west-1");
    e = error_of("<Error><Code/><Message></Message></Error>", true);
    assert_string_equal(e.code, "");
    e = error_of("<s3:Error><s3:Code><![CDATA[A<B]]></s3:Code></s3:Error>", true);
    assert_string_equal(e.code, "A<B");
    e = error_of("<Error><Code>Cut</Code><Message>off he", true);
    assert_string_equal(e.code, "Cut");
    (void)error_of("", false);
    (void)error_of("Error", false);
    (void)error_of("<html><Error><Code>x</Code></Error></html>", false);
    (void)error_of("<!DOCTYPE x [<!ENTITY a \"b\">]><Error><Code>x</Code></Error>",
                   false);
}

static void test_long_error_texts_are_cut(void **state)
{
    (void)state;
    char xml[2000];
    char text[601];
    for (size_t i = 0; i < 600; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[600] = '\0';
    snprintf(xml, sizeof xml, "<Error><Code>%s</Code><Message>%s</Message></Error>", text,
             text);
    pst_s3xml_error e = error_of(xml, true);
    assert_in_range(strlen(e.code), 60, 63);
    assert_in_range(strlen(e.message), 250, 255);
    assert_true(pst_utf8_valid(pst_sv_of(e.code)));
    assert_true(pst_utf8_valid(pst_sv_of(e.message)));
}

typedef struct seen {
    char text[4000];
    int stop_at, n;
} seen;

static pst_rc collect(void *opaque, const char *key, int64_t size)
{
    seen *all = opaque;
    size_t used = strlen(all->text);
    snprintf(all->text + used, sizeof all->text - used, "%s=%lld\n", key,
             (long long)size);
    return ++all->n == all->stop_at ? PST_E_STOPPED : PST_OK;
}

static pst_rc list_of(const char *xml, pst_s3xml_page *page, seen *all)
{
    pst_err err = PST_ERR_INIT;
    *all = (seen){.stop_at = all->stop_at};
    return pst_s3xml_list_of(pst_sv_of(xml), page, collect, all, &err);
}

static void test_listing(void **state)
{
    (void)state;
    pst_s3xml_page page;
    seen all = {0};
    pst_s3xml_page_init(&page);
    assert_int_equal(
        list_of("<?xml version=\"1.0\"?><ListBucketResult xmlns='x > y'><Name>b</Name>"
                "<Prefix>p</Prefix><KeyCount>2</KeyCount><IsTruncated>true</IsTruncated>"
                "<Contents><Key>p/a+b%2Bc%25%C3%A9</Key><ETag>&quot;x&quot;</ETag>"
                "<Owner><ID>1</ID><Key>not this</Key></Owner><Size>12</Size></Contents>\n"
                "<Contents>\n<Size>3</Size>\n<Key>p/b&#38;</Key>\n</Contents>"
                "<CommonPrefixes><Prefix>q</Prefix><Key>nor this</Key></CommonPrefixes>"
                "<EncodingType>url</EncodingType>"
                "<NextContinuationToken>a&amp;b=</NextContinuationToken>"
                "</ListBucketResult>\n",
                &page, &all),
        PST_OK);
    assert_string_equal(all.text, "p/a b+c%\xc3\xa9=12\np/b&=3\n");
    assert_true(page.truncated);
    assert_int_equal(page.keys, 2);
    assert_int_equal(page.token.len, 4);
    assert_memory_equal(page.token.data, "a&b=", 4);
    /* without EncodingType the keys are as they are */
    assert_int_equal(list_of("<ListBucketResult><Contents><Key>a+b%20</Key></Contents>"
                             "</ListBucketResult>",
                             &page, &all),
                     PST_OK);
    assert_string_equal(all.text, "a+b%20=0\n");
    assert_false(page.truncated);
    assert_int_equal(page.token.len, 0);
    all.stop_at = 1;
    assert_int_equal(list_of("<ListBucketResult><Contents><Key>a</Key></Contents>"
                             "<Contents><Key>b</Key></Contents></ListBucketResult>",
                             &page, &all),
                     PST_E_STOPPED);
    assert_string_equal(all.text, "a=0\n");
    pst_s3xml_page_done(&page);
}

#define LIST(text) "<ListBucketResult>" text "</ListBucketResult>"
#define KEY(text)                                                                        \
    LIST("<EncodingType>url</EncodingType><Contents><Key>" text "</Key></Contents>")

static void test_hostile(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "<",
        "<>",
        "</ListBucketResult>",
        "<ListBucketResult>",
        "<ListBucketResult",
        "<ListBucketResult a='>",
        "<ListBucketResult><a></b></ListBucketResult>",
        "<ListBucketResult></ListBucketResultX>",
        "<ListBucketResult></ListBucketResult><",
        "<Error></Error>",
        "<!DOCTYPE a><ListBucketResult></ListBucketResult>",
        LIST("<!ENTITY a 'b'>"),
        LIST("<a>&b;</a>"),
        LIST("<a>&#0;</a>"),
        LIST("<a>&#xD800;</a>"),
        LIST("<a>&#x110000;</a>"),
        LIST("<a>&#99999999999999;</a>"),
        LIST("<a>&#;</a>"),
        LIST("<a>&#x;</a>"),
        LIST("<a>&amp</a>"),
        LIST("<a>&</a>"),
        LIST("<![CDATA[ no end"),
        LIST("<!-- no end"),
        LIST("<? no end"),
        LIST("<a><b><c><d><e><f><g><h></h></g></f></e></d></c></b></a>"),
        LIST("<Contents></Contents>"),
        LIST("<Contents><Size>1</Size></Contents>"),
        LIST("<Contents><Key></Key></Contents>"),
        LIST("<Contents><Key>a</Key><Size>-1</Size></Contents>"),
        LIST("<Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>"),
        LIST("<Contents><Key>a</Key><Size>1x</Size></Contents>"),
        LIST("<IsTruncated>true</IsTruncated>"),
        KEY("a%00b"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pst_s3xml_page page;
        seen all = {0};
        pst_s3xml_page_init(&page);
        if (list_of(bad[i], &page, &all) != PST_E_INVALID)
            fail_msg("%s", bad[i]);
        assert_string_equal(all.text, "");
        pst_s3xml_page_done(&page);
    }
    pst_s3xml_page page;
    seen all = {0};
    pst_s3xml_page_init(&page);
    assert_int_equal(list_of(KEY("a%zz%2%"), &page, &all), PST_OK);
    assert_string_equal(all.text, "a%zz%2%=0\n");
    assert_int_equal(
        list_of(LIST("<?pi?><!-- c --><A/><B c='/>'/><B d=\"x\"></B>"), &page, &all),
        PST_OK);
    pst_s3xml_page_done(&page);
}

static char *wrapped(const char *before, size_t n, const char *after)
{
    size_t a = strlen(before);
    size_t b = strlen(after);
    char *text = pst_malloc(a + n + b + 1);
    memcpy(text, before, a);
    memset(text + a, 'k', n);
    memcpy(text + a + n, after, b + 1);
    return text;
}

static pst_rc list_wrapped(const char *before, size_t n, const char *after)
{
    pst_s3xml_page page;
    seen all = {0};
    char *text = wrapped(before, n, after);
    pst_s3xml_page_init(&page);
    pst_rc rc = list_of(text, &page, &all);
    pst_s3xml_page_done(&page);
    pst_free(text);
    return rc;
}

static void test_ceilings(void **state)
{
    (void)state;
    static const char before[] = "<ListBucketResult><Contents><Key>";
    static const char after[] = "</Key></Contents></ListBucketResult>";
    assert_int_equal(list_wrapped(before, PST_STORE_KEY_MAX, after), PST_OK);
    assert_int_equal(list_wrapped(before, PST_STORE_KEY_MAX + 1, after), PST_E_INVALID);
    assert_int_equal(list_wrapped(before, 1 << 20, after), PST_E_INVALID);
    assert_int_equal(list_wrapped("<ListBucketResult><NextContinuationToken>", 9000,
                                  "</NextContinuationToken></ListBucketResult>"),
                     PST_E_INVALID);
    assert_int_equal(list_wrapped("<ListBucketResult><", 100000, "></ListBucketResult>"),
                     PST_E_INVALID);
    assert_int_equal(
        list_wrapped("<ListBucketResult><!--", 1 << 20, "--></ListBucketResult>"),
        PST_OK);
}

/* "</a/>" closed an element twice: behind the root's, the next tag was looked up before
   the start of the open elements' names. */
static void test_closing_tag_that_closes_itself(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "<Error></Error/></", "<Error></Error/><a><b><c>",
        "<Error><Code>x</Code/></Error>",
        "<ListBucketResult></ListBucketResult/></ListBucketResult>"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pst_sv xml = pst_sv_of(texts[i]);
        pst_s3xml_page page;
        pst_s3xml_error e;
        pst_err err = PST_ERR_INIT;
        seen all = {0};
        pst_s3xml_page_init(&page);
        assert_int_equal(pst_s3xml_list_of(xml, &page, collect, &all, &err),
                         PST_E_INVALID);
        (void)pst_s3xml_error_of(xml, &e);
        assert_string_equal(e.code, "");
        pst_s3xml_page_done(&page);
    }
}

/* Every prefix and every single-byte change of a good page: no crash, nothing read
 * beyond. */
static void test_mutations(void **state)
{
    (void)state;
    static const char good[] =
        "<?xml version=\"1.0\"?><ListBucketResult a='b'><IsTruncated>true</IsTruncated>"
        "<Contents><Key>a&amp;%20<![CDATA[x]]></Key><Size>1</Size></Contents><!--c-->"
        "<EncodingType>url</EncodingType><NextContinuationToken>t</NextContinuationToken>"
        "</ListBucketResult>";
    static const char odd[] = "<>&;/!-[]'\"% \n\x01\xff=?";
    size_t n = sizeof good - 1;
    for (size_t i = 0; i <= n; i++) {
        for (size_t c = 0; c < sizeof odd; c++) {
            char *text =
                pst_malloc(i ? i : 1); /* exactly so long: ASan sees one byte more */
            memcpy(text, good, i);
            if (i && c < sizeof odd - 1)
                text[i * 7919 % i] = odd[c];
            pst_s3xml_page page;
            pst_s3xml_error e;
            pst_err err = PST_ERR_INIT;
            seen all = {0};
            pst_s3xml_page_init(&page);
            (void)!pst_s3xml_list_of((pst_sv){text, i}, &page, collect, &all, &err);
            (void)pst_s3xml_error_of((pst_sv){text, i}, &e);
            pst_s3xml_page_done(&page);
            pst_free(text);
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < sizeof odd - 1; c++) {
            char *text = pst_malloc(n);
            memcpy(text, good, n);
            text[i] = odd[c];
            pst_s3xml_page page;
            pst_err err = PST_ERR_INIT;
            seen all = {0};
            pst_s3xml_page_init(&page);
            (void)!pst_s3xml_list_of((pst_sv){text, n}, &page, collect, &all, &err);
            pst_s3xml_page_done(&page);
            pst_free(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closing_tag_that_closes_itself),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_long_error_texts_are_cut),
        cmocka_unit_test(test_listing),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_sigv4.c - the signer against AWS's published vectors: the Signature Version 4 test
 * suite and the examples of the S3 documentation. The keys in here are the published
 * ones. tests/store/test_sigv4.py compares it with botocore.
 */
#include "store/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HOST "Host:example.amazonaws.com"
#define DATE "X-Amz-Date:20150830T123600Z"
#define FORM "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"

enum { HEADERS_MAX = 8 };

typedef struct vector {
    const char *name, *method, *path, *query;
    const char *headers[HEADERS_MAX];
    const char *signature;
    const char *payload_hash; /* NULL = EMPTY */
} vector;

static const vector suite[] = {
    {"get-vanilla",
     "GET",
     "/",
     "",
     {HOST, DATE},
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
     NULL},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     "Param2=value2&Param1=value1",
     {HOST, DATE},
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
     NULL},
    {"get-vanilla-query-unreserved",
     "GET",
     "/",
     "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz="
     "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     {HOST, DATE},
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
     NULL},
    {"get-vanilla-utf8-query",
     "GET",
     "/",
     "\xe1\x88\xb4=bar",
     {HOST, DATE},
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
     NULL},
    {"get-vanilla-empty-query-key",
     "GET",
     "/",
     "Param1=value1",
     {HOST, DATE},
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
     NULL},
    {"get-header-key-duplicate",
     "GET",
     "/",
     "",
     {HOST, "My-Header1:value2", "My-Header1:value2", "My-Header1:value1", DATE},
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
     NULL},
    {"get-header-value-order",
     "GET",
     "/",
     "",
     {HOST, "My-Header1:value4", "My-Header1:value1", "My-Header1:value3",
      "My-Header1:value2", DATE},
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
     NULL},
    {"get-header-value-trim",
     "GET",
     "/",
     "",
     {HOST, "My-Header1: value1", "My-Header2: \"a   b   c\"", DATE},
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
     NULL},
    {"get-unreserved",
     "GET",
     "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     "",
     {HOST, DATE},
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
     NULL},
    {"get-utf8",
     "GET",
     "/\xe1\x88\xb4",
     "",
     {HOST, DATE},
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
     NULL},
    {"get-relative",
     "GET",
     "/example/..",
     "",
     {HOST, DATE},
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
     NULL},
    {"get-relative-relative",
     "GET",
     "/example1/example2/../..",
     "",
     {HOST, DATE},
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
     NULL},
    {"get-slash",
     "GET",
     "//",
     "",
     {HOST, DATE},
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
     NULL},
    {"get-slash-dot-slash",
     "GET",
     "/./",
     "",
     {HOST, DATE},
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
     NULL},
    {"get-slashes",
     "GET",
     "//example//",
     "",
     {HOST, DATE},
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
     NULL},
    {"get-slash-pointless-dot",
     "GET",
     "/./example",
     "",
     {HOST, DATE},
     "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
     NULL},
    {"get-space",
     "GET",
     "/example space/",
     "",
     {HOST, DATE},
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
     NULL},
    {"post-vanilla",
     "POST",
     "/",
     "",
     {HOST, DATE},
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
     NULL},
    {"post-header-key-sort",
     "POST",
     "/",
     "",
     {HOST, "My-Header1:value1", DATE},
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
     NULL},
    {"post-header-value-case",
     "POST",
     "/",
     "",
     {HOST, "My-Header1:VALUE1", DATE},
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
     NULL},
    {"post-vanilla-query",
     "POST",
     "/",
     "Param1=value1",
     {HOST, DATE},
     "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
     NULL},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     "",
     {"Content-Type:application/x-www-form-urlencoded", HOST, DATE},
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
     FORM},
};

#define S3_HOST "Host:examplebucket.s3.amazonaws.com"
#define S3_DATE "x-amz-date:20130524T000000Z"
#define S3_EMPTY "x-amz-content-sha256:" EMPTY
#define S3_TEXT "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

static const vector s3[] = {
    {"get-object",
     "GET",
     "/test.txt",
     NULL,
     {S3_HOST, "Range:bytes=0-9", S3_EMPTY, S3_DATE},
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
     NULL},
    {"put-object",
     "PUT",
     "/test%24file.text",
     NULL,
     {"Date:Fri, 24 May 2013 00:00:00 GMT", S3_HOST, S3_DATE,
      "x-amz-content-sha256:" S3_TEXT, "x-amz-storage-class:REDUCED_REDUNDANCY"},
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
     S3_TEXT},
    {"get-bucket-lifecycle",
     "GET",
     "/",
     "lifecycle",
     {S3_HOST, S3_DATE, S3_EMPTY},
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
     NULL},
    {"list-objects",
     "GET",
     "/",
     "max-keys=2&prefix=J",
     {S3_HOST, S3_DATE, S3_EMPTY},
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
     NULL},
};

static void check(const vector *v, const char *service, const char *id,
                  const char *secret, const char *date)
{
    size_t n = 0;
    while (n < HEADERS_MAX && v->headers[n])
        n++;
    pst_sigv4_keys keys = {id, secret};
    pst_sigv4_request req = {.method = v->method,
                             .path = v->path,
                             .query = v->query,
                             .headers = v->headers,
                             .n_headers = n,
                             .payload_hash = v->payload_hash ? v->payload_hash : EMPTY,
                             .date = date,
                             .region = "us-east-1",
                             .service = service};
    pst_buf out;
    pst_err err = PST_ERR_INIT;
    pst_buf_init(&out, 4096);
    assert_int_equal(pst_sigv4_sign(&keys, &req, &out, &err), PST_OK);
    const char *text = pst_buf_cstr(&out);
    assert_non_null(text);
    assert_null(strstr(text, secret));
    const char *signature = strstr(text, "Signature=");
    assert_non_null(signature);
    if (strcmp(signature + 10, v->signature) != 0) {
        pst_buf_clear(&out);
        (void)!pst_sigv4_canonical(&req, &out, &err);
        print_error("%s: %s\n", v->name, pst_buf_cstr(&out));
    }
    assert_string_equal(signature + 10, v->signature);
    pst_buf_done(&out);
}

static void test_aws_suite(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof suite / sizeof *suite; i++)
        check(&suite[i], "service", "AKIDEXAMPLE",
              "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830T123600Z");
}

static void test_s3_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof s3 / sizeof *s3; i++)
        check(&s3[i], "s3", "AKIAIOSFODNN7EXAMPLE",
              "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524T000000Z");
}

static pst_rc canonical(const char *path, const char *query, const char *const *headers,
                        size_t n, const char *service, pst_buf *out)
{
    pst_sigv4_request req = {.method = "GET",
                             .path = path,
                             .query = query,
                             .headers = headers,
                             .n_headers = n,
                             .payload_hash = "UNSIGNED-PAYLOAD",
                             .date = "20130524T000000Z",
                             .region = "r",
                             .service = service};
    pst_err err = PST_ERR_INIT;
    pst_buf_clear(out);
    return pst_sigv4_canonical(&req, out, &err);
}

/* What curl 7.88's own signer gets wrong. */
static void test_canonical_details(void **state)
{
    (void)state;
    static const char *const headers[] = {"x-amz-meta-a-b: 2", "Host: h",
                                          "x-amz-meta-a:  1 ", "X-Amz-Empty;"};
    pst_buf out;
    pst_buf_init(&out, 65536);
    assert_int_equal(
        canonical("/b/a//../c%2Fd", "b=%2f+&a&b=%c3%a9&aa=/", headers, 4, "s3", &out),
        PST_OK);
    assert_string_equal(pst_buf_cstr(&out),
                        "GET\n/b/a//../c%2Fd\na=&aa=%2F&b=%2F%2B&b=%C3%A9\n"
                        "host:h\nx-amz-empty:\nx-amz-meta-a:1\nx-amz-meta-a-b:2\n\n"
                        "host;x-amz-empty;x-amz-meta-a;x-amz-meta-a-b\nUNSIGNED-PAYLOAD");
    assert_int_equal(canonical("", "a=%zz%4", headers, 1, "s3", &out), PST_OK);
    assert_memory_equal(pst_buf_cstr(&out), "GET\n/\na=%25zz%254\n", 18);
    pst_buf_done(&out);
}

static void test_ceilings(void **state)
{
    (void)state;
    static char long_query[200000];
    static const char *many[PST_SIGV4_HEADERS_MAX + 1];
    pst_buf out;
    pst_buf_init(&out, 65536);
    memset(long_query, '%', sizeof long_query - 1);
    assert_int_equal(canonical("/", long_query, NULL, 0, "s3", &out), PST_E_LIMIT);
    memset(long_query, '/', sizeof long_query - 1);
    assert_int_equal(canonical("/", "", NULL, 0, "sts", &out), PST_OK);
    for (size_t i = 0; i < 1000; i++)
        memcpy(long_query + i * 2, "a/", 2);
    assert_int_equal(canonical(long_query, "", NULL, 0, "sts", &out), PST_E_LIMIT);
    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        many[i] = "A: b";
    assert_int_equal(canonical("/", "", many, PST_SIGV4_HEADERS_MAX + 1, "s3", &out),
                     PST_E_LIMIT);
    assert_int_equal(canonical("/", "", many, PST_SIGV4_HEADERS_MAX, "s3", &out), PST_OK);
    pst_buf_done(&out);
}

static void test_hash_and_date(void **state)
{
    (void)state;
    char hash[PST_SIGV4_HASH_SIZE];
    char date[PST_SIGV4_DATE_SIZE];
    pst_chunks chunks;
    pst_chunks_pos pos;
    pst_err err = PST_ERR_INIT;
    assert_int_equal(pst_sigv4_hash(NULL, (pst_sv){NULL, 0}, hash, &err), PST_OK);
    assert_string_equal(hash, EMPTY);
    pst_chunks_init(&chunks);
    pos = pst_chunks_begin(&chunks);
    assert_int_equal(pst_sigv4_hash(&pos, (pst_sv){NULL, 0}, hash, &err), PST_OK);
    assert_string_equal(hash, EMPTY);
    char block[3000];
    for (int i = 0; i < 300; i++) {
        memset(block, 'a', sizeof block);
        assert_int_equal(pst_chunks_add(&chunks, block, sizeof block), PST_OK);
    }
    for (int i = 0; i < 100000 / 1000; i++)
        assert_int_equal(pst_chunks_add(&chunks, block, 1000), PST_OK);
    pos = pst_chunks_begin(&chunks);
    assert_int_equal(pst_sigv4_hash(&pos, (pst_sv){NULL, 0}, hash, &err), PST_OK);
    /* FIPS 180-2: one million times "a" */
    assert_string_equal(
        hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    pst_chunks_done(&chunks);
    pst_sigv4_date(date, 1440938160000);
    assert_string_equal(date, "20150830T123600Z");
}

static void test_encode(void **state)
{
    (void)state;
    pst_buf out;
    pst_buf_init(&out, 1000);
    assert_int_equal(pst_sigv4_encode(&out, PST_SV("a/b c+d%\xc3\xa9~*'()"), true),
                     PST_OK);
    assert_string_equal(pst_buf_cstr(&out), "a/b%20c%2Bd%25%C3%A9~%2A%27%28%29");
    pst_buf_clear(&out);
    assert_int_equal(pst_sigv4_encode(&out, PST_SV("a/b"), false), PST_OK);
    assert_string_equal(pst_buf_cstr(&out), "a%2Fb");
    pst_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aws_suite),         cmocka_unit_test(test_s3_examples),
        cmocka_unit_test(test_canonical_details), cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_hash_and_date),     cmocka_unit_test(test_encode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

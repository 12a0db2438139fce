/*
 * fuzz_s3xml.c - XML answers of S3 and STS, which come from outside: errors, temporary
 * keys, listings.
 */
#include "fuzz.h"
#include "store/s3xml.h"

static pst_rc see(void *opaque, const char *key, int64_t size)
{
    size_t *n = opaque;
    ++*n;
    FUZZ_CHECK(*key && strlen(key) <= PST_STORE_KEY_MAX);
    FUZZ_CHECK(size >= 0);
    return *n == 5000 ? PST_E_STOPPED : PST_OK;
}

static void check_line(const char *text, size_t size)
{
    FUZZ_CHECK(memchr(text, '\0', size));
    for (const char *p = text; *p; p++)
        FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pst_sv xml = {(const char *)data, size};
    pst_s3xml_error error;
    if (pst_s3xml_error_of(xml, &error)) {
        check_line(error.code, sizeof error.code);
        check_line(error.message, sizeof error.message);
        check_line(error.region, sizeof error.region);
    }
    pst_s3xml_keys keys;
    if (pst_s3xml_keys_of(xml, &keys)) {
        FUZZ_CHECK(keys.id[0] && memchr(keys.id, '\0', sizeof keys.id));
        FUZZ_CHECK(keys.secret[0] && memchr(keys.secret, '\0', sizeof keys.secret));
        FUZZ_CHECK(memchr(keys.token, '\0', sizeof keys.token));
        FUZZ_CHECK(memchr(keys.expires, '\0', sizeof keys.expires));
    }
    pst_s3xml_page page;
    pst_err err = PST_ERR_INIT;
    size_t n = 0;
    pst_s3xml_page_init(&page);
    pst_rc rc = pst_s3xml_list_of(xml, &page, see, &n, &err);
    FUZZ_CHECK(n == page.keys);
    if (rc == PST_OK)
        FUZZ_CHECK(!page.truncated || page.token.len);
    else if (rc != PST_E_STOPPED)
        fuzz_check_err(rc, &err);
    pst_s3xml_page_done(&page);
    return 0;
}

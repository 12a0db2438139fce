/*
 * test_endpoint.c - hosts of endpoints: what a URL may be, AWS's own names in all of its
 * partitions, and what is told apart from them.
 */
#include "store/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host; /* NULL: refused */
        bool tls;
    } cases[] = {
        {"http://minio:9000", "minio:9000", false},
        {"https://MinIO.Example/", "minio.example", true},
        {"https://h:443", "h", true},
        {"http://h:80/", "h", false},
        {"http://h:443", "h:443", false},
        {"https://[::1]:9000", "[::1]:9000", true},
        {"", NULL, false},
        {"h:9000", NULL, false},
        {"ftp://h", NULL, false},
        {"http://", NULL, false},
        {"http:///", NULL, false},
        {"http://h/path", NULL, false},
        {"http://h?x", NULL, false},
        {"http://u:p@h", NULL, false},
        {"http://h\r\nX: y", NULL, false},
        {"http://h h", NULL, false},
        {"http://\xc3\xa9", NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pst_endpoint at;
        bool ok = pst_endpoint_parse(cases[i].url, &at);
        if (ok != (cases[i].host != NULL))
            fail_msg("%s", cases[i].url);
        if (!ok)
            continue;
        assert_string_equal(at.host, cases[i].host);
        assert_int_equal(at.tls, cases[i].tls);
    }
    char url[1000] = "http://";
    memset(url + 7, 'h', sizeof url - 8);
    pst_endpoint at;
    assert_false(pst_endpoint_parse(url, &at)); /* longer than any host */
}

static void test_aws(void **state)
{
    (void)state;
    static const struct {
        const char *region, *host;
    } cases[] = {
        {"us-east-1", "s3.us-east-1.amazonaws.com"},
        {"us-gov-west-1", "s3.us-gov-west-1.amazonaws.com"},
        {"cn-north-1", "s3.cn-north-1.amazonaws.com.cn"},
        {"us-iso-east-1", "s3.us-iso-east-1.c2s.ic.gov"},
        {"us-isob-east-1", "s3.us-isob-east-1.sc2s.sgov.gov"},
        {"us-isof-south-1", "s3.us-isof-south-1.csp.hci.ic.gov"},
        {"eu-isoe-west-1", "s3.eu-isoe-west-1.cloud.adc-e.uk"},
        {"eusc-de-east-1", "s3.eusc-de-east-1.amazonaws.eu"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pst_endpoint at;
        pst_endpoint_aws("s3", cases[i].region, &at);
        assert_string_equal(at.host, cases[i].host);
        assert_true(at.tls);
        assert_true(pst_endpoint_is_aws(pst_sv_of(at.host)));
    }
    assert_true(
        pst_endpoint_is_aws(PST_SV("bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com")));
    static const char *const others[] = {
        "minio:9000", "amazonaws.com.evil.org",  "notamazonaws.com", "amazonaws.com",
        "",           "s3.amazonaws.com.example"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (pst_endpoint_is_aws(pst_sv_of(others[i])))
            fail_msg("%s", others[i]);
}

static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool loopback, address;
    } cases[] = {
        {"127.0.0.1:9000", true, true},   {"127.9.9.9", true, true},
        {"localhost", true, false},       {"b.localhost:1", true, false},
        {"[::1]:9000", true, true},       {"[fd00::1]", false, true},
        {"10.0.0.1", false, true},        {"127.0.0.1.evil.org", false, false},
        {"localhost.evil", false, false}, {"minio", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pst_sv host = pst_sv_of(cases[i].host);
        if (pst_endpoint_is_loopback(host) != cases[i].loopback ||
            pst_endpoint_is_address(host) != cases[i].address)
            fail_msg("%s", cases[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_aws),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

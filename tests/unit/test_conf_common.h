/*
 * test_conf_common.h - what the tests of csrc/conf/ share: cmocka, the failing allocator,
 * a component with a setting of each type in two sections, and a few lines to compare
 * text.
 */
#ifndef PST_TESTS_TEST_CONF_COMMON_H
#define PST_TESTS_TEST_CONF_COMMON_H

#include "mem_fault.c"

#include "conf/conf_in.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct sample_store {
    char *url, *secret;
    int64_t part_size;
    int retries;
    bool path_style;
} sample_store;

typedef struct sample_conf {
    char *name, *sep, *regex;
    pst_conf_list topics;
    int flush_size, dialect;
    int64_t interval_ms, deadline;
    double rate;
    sample_store store;
} sample_conf;

static inline pst_rc sample_check_url(const char *value, pst_err *err)
{
    if (strncmp(value, "http", 4) == 0 || strncmp(value, "file:///", 8) == 0)
        return PST_OK;
    return pst_fail(err, PST_E_CONFIG, "\"%s\" is not a URL; set http://…", value);
}

static const char *const sample_dialects[] = {"spark", "rfc4180", NULL};

#define ROW(field, setting, kind, ...)                                                   \
    {                                                                                    \
        .name = setting, .type = PST_CONF_##kind, .offset = offsetof(SAMPLE, field),     \
        __VA_ARGS__                                                                      \
    }

#define SAMPLE sample_conf
static const pst_setting sample_rows[] = {
    ROW(name, "name", STRING, .flags = PST_CONF_REQUIRED,
        .doc = "The connector's name. It makes the group's."),
    ROW(topics, "topics", LIST, .doc = "Topics to read."),
    ROW(regex, "topics.regex", REGEX, .doc = "Topics by pattern."),
    ROW(flush_size, "flush.size", INT, .def = "0", .min = 0, .max = INT_MAX,
        .doc = "Records per object; 0 = off."),
    ROW(interval_ms, "rotate.schedule.interval.ms", MS, .def = "10s", .min = 1,
        .max = 86400000, .doc = "Milliseconds between objects."),
    ROW(deadline, "errors.retry.timeout", LONG, .def = "-1", .doc = "How long to try."),
    ROW(rate, "users.per.second", DOUBLE, .def = "1", .min = 0, .max = 1000,
        .doc = "How fast."),
    ROW(sep, "csv.sep", STRING, .flags = PST_CONF_RAW, .def = ",",
        .doc = "The separator: | or , or what you like."),
    ROW(dialect, "csv.dialect", ENUM, .def = "spark", .choices = sample_dialects,
        .doc = "Whose bytes."),
    ROW(name, "spool.dir", STRING, .flags = PST_CONF_LATER, .doc = "Where to spool."),
    ROW(name, "transforms", LIST, .flags = PST_CONF_LATER | PST_CONF_HIDDEN,
        .def = "none", .doc = "Not here."),
};
#undef SAMPLE
#define SAMPLE sample_store
static const pst_setting sample_store_rows[] = {
    ROW(url, "store.url", STRING, .check = sample_check_url,
        .doc = "Endpoint, such as http://minio:9000."),
    ROW(secret, "aws.secret.access.key", STRING, .flags = PST_CONF_SECRET,
        .doc = "The secret key."),
    ROW(part_size, "s3.part.size", SIZE, .def = "25m", .min = 5 * 1024 * 1024,
        .max = INT64_C(5) * 1024 * 1024 * 1024, .importance = PST_CONF_LOW,
        .doc = "Bytes of a part."),
    ROW(retries, "s3.part.retries", INT, .flags = PST_CONF_HIDDEN, .def = "3", .min = 0,
        .max = 100, .doc = "Tries."),
    ROW(path_style, "s3.path.style.access.enabled", BOOL, .def = "true",
        .importance = PST_CONF_MEDIUM, .doc = "Bucket in the path."),
};
#undef SAMPLE

static const pst_conf_section sample_section = {"What: topics", sample_rows,
                                                COUNT(sample_rows)};
static const pst_conf_section sample_store_section = {
    "Where: the object store", sample_store_rows, COUNT(sample_store_rows)};
static const pst_conf_part sample_parts[] = {
    {&sample_section, 0}, {&sample_store_section, offsetof(sample_conf, store)}};

/* As librdkafka would: knows what starts with consumer. and checks one of them. */
static inline pst_rc sample_other(const char *key, const char *value, pst_err *err)
{
    if (strncmp(key, "consumer.", 9) != 0 && strncmp(key, "sasl.", 5) != 0)
        return PST_E_NOT_FOUND;
    if (strcmp(key, "consumer.typo") == 0)
        return pst_fail(err, PST_E_NOT_FOUND, "no such setting in librdkafka");
    if (strcmp(value, "bad value") == 0)
        return pst_fail(err, PST_E_CONFIG, "\"%s\" is refused", value);
    return PST_OK;
}

static inline void sample_across(const void *conf, const pst_props *props,
                                 pst_conf_report *report)
{
    const sample_conf *c = conf;
    if (!c->topics.n && !c->regex && !pst_props_find(props, "topics.regex"))
        pst_conf_error(report, NULL, NULL, "no topics; set topics or topics.regex");
}

static const pst_conf_spec sample_spec = {.name = "S3CsvSink",
                                          .doc = "Lands topics as CSV objects in S3.",
                                          .parts = sample_parts,
                                          .n_parts = COUNT(sample_parts),
                                          .size = sizeof(sample_conf),
                                          .other = sample_other,
                                          .check = sample_across};

/* What was read and what was wrong, freed in one go. */
typedef struct sample {
    pst_props props;
    pst_conf_report report;
    sample_conf conf;
    pst_buf text;
} sample;

static inline void sample_init(sample *s)
{
    *s = (sample){0};
    pst_props_init(&s->props);
    pst_conf_report_init(&s->report);
    pst_buf_init(&s->text, 1024 * 1024);
}

static inline void sample_done(sample *s)
{
    pst_conf_done(&sample_spec, &s->conf);
    pst_props_done(&s->props);
    pst_conf_report_done(&s->report);
    pst_buf_done(&s->text);
}

static inline pst_rc sample_parse(sample *s, const char *text)
{
    return pst_props_parse(&s->props, pst_sv_of(text), "t.properties", &s->report);
}

static inline pst_rc sample_apply(sample *s)
{
    return pst_conf_apply(&sample_spec, &s->props, &s->conf, &s->report);
}

static inline const char *sample_report(sample *s)
{
    pst_buf_clear(&s->text);
    assert_int_equal(pst_conf_report_print(&s->report, &s->text), PST_OK);
    const char *text = pst_buf_cstr(&s->text);
    assert_non_null(text);
    return text;
}

static inline void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no <%s> in:\n%s", part, text);
}

static inline void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("<%s> in:\n%s", part, text);
}

/* Runs the happy path with allocation 0, 1, 2 … failing until it succeeds. */
static inline void fail_each_allocation(pst_rc (*happy)(void))
{
    long live = pst_fault_live(), n = 0;
    for (pst_rc rc = PST_E_NOMEM; rc != PST_OK; n++) {
        assert_true(n < 10000);
        pst_fault_set(n);
        rc = happy();
        long hits = pst_fault_hits();
        pst_fault_set(-1);
        assert_int_equal(pst_fault_live(), live);
        assert_int_equal(rc, hits ? PST_E_NOMEM : PST_OK);
    }
    assert_true(n > 1);
}

/* A file in the temporary folder; the caller unlinks it. */
static inline void write_temporary(char path[64], const char *bytes, size_t n)
{
    snprintf(path, 64, "/tmp/pst-conf-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    close(fd);
}

#endif

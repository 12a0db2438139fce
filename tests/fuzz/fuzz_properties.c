/*
 * fuzz_properties.c - a .properties file as the sink's, the source's or the worker's
 * settings: parsed, applied, printed, told as JSON. What is printed reads back as the
 * same settings. References to files and variables are left out: what they name is not
 * the fuzzer's.
 *
 * First byte: which settings, and whether they are told as JSON too.
 */
#include "conf/conf.h"
#include "connectors/randomuser/internal.h"
#include "connectors/s3csv/s3csv.h"
#include "fuzz.h"
#include "runtime/worker.h"

#include <jansson.h>

enum { TEXT_MAX = 8 * 1024 * 1024, INPUT_MAX = 1000 /* longer ones are only slow */ };

/* Without the names that only librdkafka knows: to ask it takes milliseconds. */
static pst_conf_spec spec_of(unsigned which)
{
    const pst_conf_spec *specs[] = {&pst_s3csv_spec, &pst_randomuser_spec,
                                    &pst_worker_spec};
    pst_conf_spec spec = *specs[which];
    spec.other = NULL;
    return spec;
}

static void print(const pst_conf_spec *spec, const pst_props *props, pst_buf *out)
{
    pst_buf_init(out, TEXT_MAX);
    FUZZ_CHECK(pst_conf_print(spec, props, out) == PST_OK);
}

/* A secret is printed as ****, so it is another value when it is read again. */
static bool has_secret(const pst_conf_spec *spec, const pst_props *props)
{
    for (size_t i = 0; i < props->n; i++)
        if (pst_conf_is_secret(spec, &props->items[i]))
            return true;
    return false;
}

static void check_printed(const pst_conf_spec *spec, const pst_props *props)
{
    pst_buf once, twice;
    pst_props again;
    pst_conf_report report;
    print(spec, props, &once);
    pst_props_init(&again);
    pst_conf_report_init(&report);
    pst_rc rc = pst_props_parse(&again, (pst_sv){once.data, once.len}, "again", &report);
    void *conf = pst_calloc(1, spec->size);
    FUZZ_CHECK(conf);
    if (rc == PST_OK && !has_secret(spec, props))
        rc = pst_conf_apply(spec, &again, conf, &report);
    if (rc != PST_OK)
        for (size_t i = 0; i < report.n; i++)
            fprintf(stderr, "%s: %s\n", report.items[i].key, report.items[i].text);
    FUZZ_CHECK(rc == PST_OK);
    print(spec, &again, &twice);
    FUZZ_CHECK(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    pst_conf_done(spec, conf);
    pst_free(conf);
    pst_buf_done(&once);
    pst_buf_done(&twice);
    pst_conf_report_done(&report);
    pst_props_done(&again);
}

static void check_told(const pst_conf_spec *spec, const pst_props *props,
                       const pst_conf_report *report)
{
    pst_buf text;
    json_error_t why;
    pst_buf_init(&text, TEXT_MAX);
    FUZZ_CHECK(pst_conf_json(spec, props, report, &text) == PST_OK);
    json_t *json = json_loadb(text.data, text.len, JSON_ALLOW_NUL, &why);
    FUZZ_CHECK(json_is_object(json));
    json_decref(json);
    pst_buf_clear(&text);
    FUZZ_CHECK(pst_conf_report_print(report, &text) == PST_OK);
    pst_buf_done(&text);
}

static void run(const pst_conf_spec *spec, bool tell, pst_sv text)
{
    pst_props props;
    pst_conf_report report;
    void *conf = pst_calloc(1, spec->size);
    FUZZ_CHECK(conf);
    pst_props_init(&props);
    pst_conf_report_init(&report);
    pst_rc rc = pst_props_parse(&props, text, "fuzz", &report);
    FUZZ_CHECK((rc == PST_OK) == (report.errors == 0));
    pst_rc applied = pst_conf_apply(spec, &props, conf, &report);
    FUZZ_CHECK((applied == PST_OK) == (report.errors == 0));
    if (tell)
        check_told(spec, &props, &report);
    if (applied == PST_OK)
        check_printed(spec, &props);
    pst_conf_done(spec, conf);
    pst_free(conf);
    pst_conf_report_done(&report);
    pst_props_done(&props);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    unsigned how = fuzz_choose(&in, 6);
    pst_conf_spec spec = spec_of(how % 3);
    pst_sv text = fuzz_rest(&in);
    if (text.n <= INPUT_MAX && !memmem(text.p ? text.p : "", text.n, "${", 2))
        run(&spec, how >= 3, text);
    return 0;
}

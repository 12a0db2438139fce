/*
 * fuzz_transform.c - what transforms take from settings and records: expressions,
 * formats of times, texts of numbers. Any is taken or refused without harm.
 *
 * First byte: 0 = an expression and, behind a line end, a topic; 1 = a format and the
 * text of a time; 2 = a text as a number; 3 = the settings of a chain.
 */
#include "fuzz.h"
#include "transform/java.h"
#include "transform/regex.h"
#include "transform/simpledate.h"
#include "transform/transform.h"

static void expression(fuzz_input *in)
{
    pst_regex *regex = NULL;
    pst_err err = PST_ERR_INIT;
    char *text = fuzz_string(fuzz_line(in));
    pst_rc rc = pst_regex_new(&regex, text, &err);
    if (rc != PST_OK)
        fuzz_check_err(rc, &err);
    else
        (void)pst_regex_matches(regex, fuzz_rest(in));
    pst_regex_free(regex);
    pst_free(text);
}

static void format(fuzz_input *in)
{
    pst_simpledate made;
    pst_err err = PST_ERR_INIT;
    char out[600], *text = fuzz_string(fuzz_line(in));
    int64_t ms;
    pst_rc rc = pst_simpledate_init(&made, text, &err);
    if (rc != PST_OK) {
        fuzz_check_err(rc, &err);
    } else if (pst_simpledate_can_read(&made, NULL) == PST_OK) {
        if (pst_simpledate_read(&made, fuzz_rest(in), &ms))
            FUZZ_CHECK(pst_simpledate_print(&made, ms, out, sizeof out) <= sizeof out);
    }
    pst_free(text);
}

static void number(fuzz_input *in)
{
    pst_sv text = fuzz_rest(in);
    int64_t whole;
    double real;
    if (pst_java_parse_long(text, &whole)) {
        FUZZ_CHECK(pst_java_is_decimal(text));
        FUZZ_CHECK(pst_java_decimal_long(text) == whole);
        FUZZ_CHECK(pst_java_parse_real(text, false, &real));
    }
    (void)pst_java_parse_real(text, true, &real);
    (void)pst_java_decimal_long(text);
}

static const pst_conf_part PARTS[] = {{&pst_transforms_section, 0}};

static pst_rc others(const char *key, const char *value, pst_err *err)
{
    (void)value;
    (void)err;
    return pst_transforms_owns(key) ? PST_OK : PST_E_NOT_FOUND;
}

static void run_chain(pst_transforms *chain, const pst_column *columns)
{
    pst_cell cells[] = {{.as.i = -1}, {.as.s = PST_SV("2024-01-01")}, {.as.d = 1e30}};
    pst_row row = {columns, cells, 3};
    pst_msg msg = {.topic = "t", .timestamp_ms = -1, .value = PST_SV("{}")};
    pst_err err = PST_ERR_INIT;
    bool keep;
    pst_rc rc = pst_transforms_apply(chain, &msg, &row, &keep, &err);
    FUZZ_CHECK(rc == PST_OK || rc == PST_E_INVALID);
}

static void chain(fuzz_input *in)
{
    static const pst_conf_spec spec = {.name = "fuzz",
                                       .parts = PARTS,
                                       .n_parts = 1,
                                       .size = sizeof(pst_transforms_conf),
                                       .other = others};
    static const pst_column columns[] = {{.name = "a", .type = PST_T_LONG},
                                         {.name = "b", .type = PST_T_STRING},
                                         {.name = "c", .type = PST_T_DOUBLE}};
    pst_props props;
    pst_conf_report report;
    pst_transforms_conf conf = {0};
    pst_transforms *made = NULL;
    pst_props_init(&props);
    pst_conf_report_init(&report);
    pst_rc rc = pst_props_parse(&props, fuzz_rest(in), "f", &report);
    if (rc == PST_OK)
        rc = pst_conf_apply(&spec, &props, &conf, &report);
    if (rc == PST_OK)
        rc = pst_transforms_new(&made, &conf, &props, columns, 3, &report);
    FUZZ_CHECK(rc == PST_OK || report.errors);
    if (made)
        run_chain(made, columns);
    pst_transforms_free(made);
    pst_conf_done(&spec, &conf);
    pst_props_done(&props);
    pst_conf_report_done(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const modes[])(fuzz_input *) = {expression, format, number, chain};
    fuzz_input in = fuzz_begin(data, size);
    modes[fuzz_choose(&in, 4)](&in);
    return 0;
}

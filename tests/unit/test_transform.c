/*
 * test_transform.c - transforms: their settings and what is refused at start, records
 * that they can't take, and memory that runs out at each allocation. What they make of
 * records: test_transform_oracle.c.
 */
#include "mem_fault.c"

#include "transform/transform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const pst_conf_part PARTS[] = {{&pst_transforms_section, 0}};

static pst_rc others(const char *key, const char *value, pst_err *err)
{
    (void)value;
    (void)err;
    return pst_transforms_owns(key) ? PST_OK : PST_E_NOT_FOUND;
}

static const pst_conf_spec SPEC = {.name = "test",
                                   .parts = PARTS,
                                   .n_parts = 1,
                                   .size = sizeof(pst_transforms_conf),
                                   .other = others};

static const pst_column COLUMNS[] = {
    {.name = "id", .type = PST_T_LONG},
    {.name = "name", .type = PST_T_STRING},
    {.name = "raw", .type = PST_T_BINARY},
    {.name = "price", .type = PST_T_DECIMAL, .precision = 6, .scale = 2},
    {.name = "ok", .type = PST_T_BOOLEAN},
    {.name = "day", .type = PST_T_DATE}};
enum { N_COLUMNS = sizeof COLUMNS / sizeof *COLUMNS };

typedef struct fixture {
    pst_props props;
    pst_conf_report report;
    pst_transforms_conf conf;
    pst_transforms *transforms;
} fixture;

static pst_rc open_chain(fixture *f, const char *text)
{
    memset(f, 0, sizeof *f);
    pst_props_init(&f->props);
    pst_conf_report_init(&f->report);
    pst_rc rc = pst_props_parse(&f->props, pst_sv_of(text), "t", &f->report);
    if (rc == PST_OK)
        rc = pst_conf_apply(&SPEC, &f->props, &f->conf, &f->report);
    if (rc == PST_OK)
        rc = pst_transforms_new(&f->transforms, &f->conf, &f->props, COLUMNS, N_COLUMNS,
                                &f->report);
    return rc;
}

static void close_chain(fixture *f)
{
    pst_transforms_free(f->transforms);
    pst_conf_done(&SPEC, &f->conf);
    pst_props_done(&f->props);
    pst_conf_report_done(&f->report);
}

static void refused(const char *text, const char *message)
{
    fixture f;
    pst_buf out;
    pst_buf_init(&out, 100000);
    assert_int_equal(open_chain(&f, text), PST_E_CONFIG);
    assert_null(f.transforms);
    assert_int_equal(pst_conf_report_print(&f.report, &out), PST_OK);
    assert_int_equal(pst_buf_addc(&out, '\0'), PST_OK);
    if (!strstr(out.data, message))
        fail_msg("\"%s\" is not in: %s", message, out.data);
    pst_buf_done(&out);
    close_chain(&f);
}

#define T(type) "transforms=t\ntransforms.t.type=" type "\n"
#define FILTER T("Filter") "transforms.t.predicate=p\npredicates=p\n"
#define MATCHES FILTER "predicates.p.type=TopicNameMatches\npredicates.p.pattern="

static void wrong_names(void **state)
{
    (void)state;
    refused("transforms=t\n", "required setting \"transforms.t.type\" is missing");
    refused(T("Casting$Value"), "t:2: transforms.t.type: no transform is called "
                                "Casting$Value; there are Filter, InsertField");
    refused(T("Cast"), "set Cast$Value");
    refused(T("Cast$Key"), "a record's key is bytes without fields here");
    refused(T("Cast$Row"), "Cast$Row is no class: set Cast$Value");
    refused(T("Filter$Value"), "set Filter");
    refused(T("RegexRouter"), "a connector with a topics.dir of its own");
    refused(T("org.apache.kafka.connect.transforms.TimestampRouter"),
            "set partitioner.class=TimeBasedPartitioner");
    refused(T("ValueToKey$Value") "transforms.t.fields=id\n", "set ValueToKey");
    refused(T("ValueToKey"), "transforms.t.fields");
    refused(T("ValueToKey") "transforms.t.fields=id,x\n", "has no column 'x' here");
    refused("transforms=a,a\ntransforms.a.type=Filter\n", "names 'a' twice");
    refused("transforms=a.b\n", "must not have a dot");
    refused("transforms.t.type=Filter\n",
            "\"transforms.t.type\" is of 't', which transforms does not name");
    refused("predicates.p.type=RecordIsTombstone\n", "which predicates does not name");
    refused(T("Cast$Value") "transforms.t.spec=id:string\ntransforms.t.spek=x\n",
            "unknown setting \"transforms.t.spek\"; did you mean \"transforms.t.spec\"?");
    refused(T("Cast$Value"), "required setting \"transforms.t.spec\" is missing");
}

static void wrong_predicates(void **state)
{
    (void)state;
    refused(T("Filter"), "transforms.t.predicate: missing: without a predicate Filter "
                         "drops every record");
    refused(T("Filter") "transforms.t.predicate=p\n", "predicates does not name 'p'");
    refused(T("Flatten$Value") "transforms.t.negate=true\n",
            "negates nothing without a predicate");
    refused(FILTER "predicates.p.type=RecordIsOdd\n",
            "predicates.p.type: no predicate is called RecordIsOdd");
    refused(FILTER "predicates.p.type=HasHeaderKey\n",
            "required setting \"predicates.p.name\" is missing");
    refused(T("Cast$Value") "transforms.t.spec=id:string\ntransforms.t.predicate=p\n"
                            "predicates=p\npredicates.p.type=RecordIsTombstone\n",
            "Cast changes the columns, and all rows of a file have the same");
}

static void wrong_patterns(void **state)
{
    (void)state;
    refused(MATCHES "a(?=b)", "at character 2: look-around and flags are not taken");
    refused(MATCHES "(?i)a", "at character 1: look-around and flags");
    refused(MATCHES "(a)\\\\1", "at character 4: back references");
    refused(MATCHES "a++", "possessive");
    refused(MATCHES "a**", "at character 3: a quantifier behind a quantifier");
    refused(MATCHES "*a", "at character 1: a quantifier behind nothing");
    refused(MATCHES "(a*)*", "at character 5: repeats what may be empty");
    refused(MATCHES "[a", "a [ without its ]");
    refused(MATCHES "[]a]", "a ] at the beginning of a class");
    refused(MATCHES "[z-a]", "a range that is none");
    refused(MATCHES "[a&&b]", "at character 3: && in a class");
    refused(MATCHES "(a", "at character 1: a ( without its )");
    refused(MATCHES "a)", "at character 2: a ) without its (");
    refused(MATCHES "a{2,1}", "no repetition");
    refused(MATCHES "a{9999}", "no repetition");
    refused(MATCHES "((a{200}){200}){200}", "the expression is too large");
    refused(MATCHES "\\\\p{Lu}", "this escape is not taken");
    refused(MATCHES "ü", "topics' names are ASCII");
    refused(MATCHES "a\\\\", "a backslash at the end");
}

static void wrong_columns(void **state)
{
    (void)state;
    refused(T("InsertField$Value"), "no field is inserted");
    refused(T("InsertField$Value") "transforms.t.static.field=x\n",
            "transforms.t.static.value: missing");
    refused(T("InsertField$Value") "transforms.t.topic.field=name\n",
            "transforms.t.topic.field: the row has a column 'name' already");
    refused(
        T("ReplaceField$Value") "transforms.t.exclude=nam\n",
        "transforms.t.exclude: the row has no column 'nam' here; did you mean 'name'?");
    refused(T("ReplaceField$Value") "transforms.t.renames=id\n", "'id' is not old:new");
    refused(T("ReplaceField$Value") "transforms.t.renames=id:name\n",
            "makes two columns 'name'");
    refused(T("ReplaceField$Value") "transforms.t.exclude=id,name,raw,price,ok,day\n",
            "transforms: leaves no column");
    refused(T("MaskField$Value") "transforms.t.fields=raw\n", "Connect has no mask");
    refused(T("MaskField$Value") "transforms.t.fields=id\ntransforms.t.replacement=x\n",
            "transforms.t.replacement: 'x' is no number, as 'id' is");
    refused(T("MaskField$Value") "transforms.t.fields=ok\ntransforms.t.replacement=x\n",
            "'ok' is neither a number nor a text");
    refused(T("MaskField$Value") "transforms.t.fields=price\n"
                                 "transforms.t.replacement=123456\n",
            "does not fit the DECIMAL(6,2) 'price'");
    refused(T("Cast$Value") "transforms.t.spec=int8\n", "a row can't be cast as a whole");
    refused(T("Cast$Value") "transforms.t.spec=id:int9\n", "has no known type");
    refused(T("Cast$Value") "transforms.t.spec=id:int8:x\n", "is not field:type");
    refused(T("Cast$Value") "transforms.t.spec=raw:int8\n", "cast to string only");
    refused(T("ExtractField$Value") "transforms.t.field=x\n", "has no column 'x' here");
    refused(
        "transforms=t,u\ntransforms.t.type=ExtractField$Value\ntransforms.t.field=id\n"
        "transforms.u.type=MaskField$Value\ntransforms.u.fields=id\n",
        "transforms.u.type: MaskField needs fields");
}

#define STAMP(field) T("TimestampConverter$Value") "transforms.t.field=" field "\n"

static void wrong_times(void **state)
{
    (void)state;
    refused(T("TimestampConverter$Value") "transforms.t.target.type=unix\n",
            "transforms.t.field: missing: a whole row is no time");
    refused(STAMP("day"), "required setting \"transforms.t.target.type\" is missing");
    refused(STAMP("day") "transforms.t.target.type=Time\n", "transforms.t.target.type");
    refused(STAMP("ok") "transforms.t.target.type=unix\n", "'ok' is no time");
    refused(STAMP("name") "transforms.t.target.type=unix\n",
            "transforms.t.format: missing");
    refused(STAMP("name") "transforms.t.target.type=unix\ntransforms.t.format=yy-MM\n",
            "a year of two digits is not read");
    refused(STAMP("name") "transforms.t.target.type=unix\ntransforms.t.format=HH h\n",
            "reads the hour twice");
    refused(STAMP("day") "transforms.t.target.type=string\ntransforms.t.format=yyyy w\n",
            "at character 6: the letter w is not taken");
    refused(STAMP("day") "transforms.t.target.type=string\ntransforms.t.format=yyyy 'x\n",
            "at character 6: a ' without its other");
}

static void all_at_once(void **state)
{
    (void)state;
    fixture f;
    assert_int_equal(open_chain(&f, "transforms=a,b,c\ntransforms.a.type=Cast$Value\n"
                                    "transforms.b.type=Nope\ntransforms.c.type=Filter\n"
                                    "transforms.c.predicate=p\n"),
                     PST_E_CONFIG);
    assert_int_equal(f.report.errors, 3);
    close_chain(&f);
}

static void none(void **state)
{
    (void)state;
    fixture f;
    assert_int_equal(open_chain(&f, ""), PST_OK);
    assert_null(f.transforms);
    close_chain(&f);
    assert_int_equal(
        open_chain(&f, "predicates=p\npredicates.p.type=RecordIsTombstone\n"), PST_OK);
    assert_null(f.transforms);
    assert_int_equal(f.report.n, 1); /* a warning: nobody uses it */
    close_chain(&f);
}

/* What it does changes the sum, how it was written does not. */
static void sums(void **state)
{
    (void)state;
    static const char *const chains[] = {
        T("Cast$Value") "transforms.t.spec=id:string\n",
        "transforms=x\ntransforms.x.type=org.apache.kafka.connect.transforms.Cast$Value\n"
        "transforms.x.spec = id:string\n",
        T("Cast$Value") "transforms.t.spec=id:int32\n",
        MATCHES "a\npredicates.p.x=1",
    };
    uint32_t found[3];
    for (size_t i = 0; i < 3; i++) {
        fixture f;
        assert_int_equal(open_chain(&f, chains[i]), PST_OK);
        found[i] = pst_transforms_sum(f.transforms, 0);
        assert_string_equal(pst_transforms_touches(f.transforms, "id"),
                            i == 1 ? "x" : "t");
        assert_null(pst_transforms_touches(f.transforms, "name"));
        close_chain(&f);
    }
    assert_int_equal(found[0], found[1]);
    assert_int_not_equal(found[0], found[2]);
    refused(chains[3], "unknown setting \"predicates.p.x\"");
}

static const char EVERYTHING[] =
    "transforms=f,i,r,c,m,s,l\npredicates=p,h\npredicates.p.type=TopicNameMatches\n"
    "predicates.p.pattern=(?<a>x|y){2,3}[^a-c\\\\d]+?$\n"
    "predicates.h.type=HasHeaderKey\npredicates.h.name=k\n"
    "transforms.f.type=Filter\ntransforms.f.predicate=p\n"
    "transforms.i.type=InsertField$Value\ntransforms.i.static.field=s?\n"
    "transforms.i.static.value=v\ntransforms.i.predicate=h\n"
    "transforms.r.type=ReplaceField$Value\ntransforms.r.renames=id:key,s:t\n"
    "transforms.c.type=Cast$Value\ntransforms.c.spec=key:string,raw:string\n"
    "transforms.m.type=MaskField$Value\ntransforms.m.fields=price,name\n"
    "transforms.s.type=TimestampConverter$Value\ntransforms.s.field=day\n"
    "transforms.s.target.type=string\ntransforms.s.format=yyyy\n"
    "transforms.l.type=Flatten$Value\n";

static pst_rc run_all(void)
{
    fixture f;
    pst_err err = PST_ERR_INIT;
    bool keep;
    pst_rc rc = open_chain(&f, EVERYTHING);
    if (rc == PST_OK) {
        pst_cell cells[N_COLUMNS] = {{.as.i = 5},
                                     {.as.s = PST_SV("n")},
                                     {.as.s = PST_SV("abc")},
                                     {.as.s = PST_SV("1.50")},
                                     {.as.b = true},
                                     {.as.i = 19000}};
        pst_row row = {COLUMNS, cells, N_COLUMNS};
        pst_msg msg = {.topic = "topic", .value = PST_SV("{}")};
        rc = pst_transforms_apply(f.transforms, &msg, &row, &keep, &err);
        if (rc == PST_OK) {
            assert_true(keep);
            assert_int_equal(row.n, N_COLUMNS + 1);
            assert_string_equal(row.columns[0].name, "key");
            assert_true(pst_sv_is(row.cells[0].as.s, "5"));
            assert_true(pst_sv_is(row.cells[2].as.s, "YWJj"));
            assert_true(pst_sv_is(row.cells[3].as.s, "0.00"));
            assert_true(pst_sv_is(row.cells[5].as.s, "2022"));
            assert_string_equal(row.columns[6].name, "t");
            assert_true(row.cells[6].null); /* no such header */
        }
    }
    close_chain(&f);
    return rc;
}

static void no_memory(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        pst_fault_set(n);
        pst_rc rc = run_all();
        pst_fault_set(-1);
        assert_int_equal(pst_fault_live(), 0);
        if (rc == PST_OK) {
            assert_true(n > 50);
            break;
        }
        assert_int_equal(rc, PST_E_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_names),    cmocka_unit_test(wrong_predicates),
        cmocka_unit_test(wrong_patterns), cmocka_unit_test(wrong_columns),
        cmocka_unit_test(wrong_times),    cmocka_unit_test(all_at_once),
        cmocka_unit_test(none),           cmocka_unit_test(sums),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_json.c - the exact reader's tokenizer: leniencies, names, strings, and where it
 * goes on after a failure. What Spark makes of that was checked with Spark itself.
 */
#include "test_record_common.h"

#define SCHEMA                                                                           \
    "value.schema=id BIGINT, city STRING, age INT, name STRUCT<first: STRING, last: "    \
    "STRING>"
#define COLUMNS "select=id, city, age, name.first, name.last"

static void line(const char *json, const char *want)
{
    check_line(OPTIONS(SCHEMA, COLUMNS, "csv.escape=\""), json, want);
}

static void goes_on_after_a_failure(void **state)
{
    (void)state;
    /* a string that fails is left where it failed */
    line("{\"id\":1,\"city\":\"\\u00\",\"age\":5}", "1,,5,,");
    line("{\"id\":1,\"city\":\"a\\x41\",\"age\":5}", ",,,,");
    line("{\"id\":1,\"city\":\"a\\x,\"age\":5}", "1,,5,,");
    line("{\"id\":1,\"city\":\"a\n,\"age\":5}", "1,,5,,");
    /* inside a struct the reader goes on within it, and its end ends the record */
    line("{\"id\":1,\"name\":{\"first\":tru,\"last\":\"x\"},\"age\":5}", "1,,,,");
    line("{\"id\":1,\"city\":{\"a\":\"\\u00\"},\"age\":5}", "1,,,,");
    line("{\"id\":1,\"city\":[1,5.],\"age\":5}", "1,,5,,");
    line("{\"id\":1,\"city\":[+1,2],\"age\":5}", "1,,5,,");
    /* an end that a failed value left is no value of the next field */
    check_line(
        OPTIONS("value.schema=a INT, m MAP<STRING, STRING>", "select=a, m['b'] AS b"),
        "{\"a\":2,\"m\":{\"\":[5}]{}", "2,");
    /* what was not expected is one UTF-16 unit, not one byte, nor two units */
    line("{\"id\":1,\"name\":{\"first\":\"a\",\"last\":2\xc3\xa9},\"age\":5}", "1,,,,");
    line("{\"id\":1,\"name\":{\"last\":2 \xe6\x97\xa5},\"age\":5}", "1,,,,");
    line("{\"id\":1,\"name\":{\"last\":2\xed\xa0\xbd},\"age\":5}", "1,,,,");
    line("{\"id\":1,\"name\":{\"last\":2\xf0\x9f\x98\x80},\"age\":5}", ",,,,");
    line("{\"id\":1,\"name\":{\"last\"\xe6\x97\xa5:2},\"age\":5}", "1,,,,");
    /* a word may end before a character below 0 */
    line("{\"id\":1,\"name\":{\"first\":null$,\"last\":\"x\"},\"age\":5}", "1,,,,");
    /* between the fields of the record itself nothing is forgiven */
    line("{\"id\":1,\"age\":tru}", ",,,,");
    line("{\"id\":1,\"unknown\":\"a\\x\"}", ",,,,");
    line("{\"id\":1,\"age\":5", ",,,,");
}

static void copies_of_values(void **state)
{
    (void)state;
    line("{\"city\":{ \"a\" : 1.50, \"b\":[1e5,-0,NaN,1e999,true,null] }}",
         ",\"{\"\"a\"\":1.5,\"\"b\"\":[100000.0,0,\"\"NaN\"\",\"\"Infinity\"\",true,null]"
         "}\",,,");
    line("{\"city\":{\"\\u00e9\":\"\\ud83d\\ude00\\/\\u0001\"}}",
         ",\"{\"\"\xc3\xa9\"\":\"\"\\uD83D\\uDE00/\\u0001\"\"}\",,,");
    line("{\"city\":[]}", ",[],,,");
    line("{\"city\":1E5}", ",100000.0,,,");
    line("{\"city\":-0}", ",0,,,");
    line("{\"city\":Infinity}", ",\"\"\"Infinity\"\"\",,,");
    line("{\"city\":1e999}", ",\"\"\"Infinity\"\"\",,,");
}

static void strings(void **state)
{
    (void)state;
    line("{'id':1,'city':'it\"s \\'x\\''}", "1,\"it\"\"s 'x'\",,,");
    line("{\"city\":\"a\\ud83db\"}", ",a?b,,,");
    line("{\"city\":\"\\ude00\\ud83d\"}", ",??,,,");
    line("{'city':'\\ud83d\\ude00'}", ",\xf0\x9f\x98\x80,,,");
    line("{\"city\":\"\xff\xc0\xaf\xe2\x82\"}",
         ",\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd,,,");
    line("{\"c\\u0069ty\":\"x\"}", ",x,,,");
    line("{\"city\":\"\",\"id\":\"\"}", ",\"\",,,");
}

/* Jackson goes past an unknown word, and Spark reads on behind it; DEL begins none, and
   what follows it is one error too many. */
static void an_unknown_word_in_a_field(void **state)
{
    (void)state;
    const char *const *options =
        OPTIONS("value.schema=id INT, s STRUCT<a: INT>", "select=id, s.a AS a");
    check_line(options, "{\"id\":1,\"s\":{\"b\":[x2]}}", "1,");
    check_line(options,
               "{\"id\":1,\"s\":{\"b\":[\x7f"
               "2]}}",
               ",");
}

static void lenient(const char *option, const char *json, const char *want)
{
    check_line(OPTIONS(SCHEMA, COLUMNS), json, ",,,,");
    check_line(OPTIONS(SCHEMA, COLUMNS, option), json, want);
}

static void leniencies(void **state)
{
    (void)state;
    lenient("json.allowComments=true", "/* a */{\"id\"//x\n:/**/1}", "1,,,,");
    lenient("json.allowUnquotedFieldNames=true", "{id:1,a-b:2,\xc3\xa9:3}", "1,,,,");
    check_line(OPTIONS(SCHEMA, COLUMNS, "json.allowUnquotedFieldNames=true"),
               "{id:1,a\x01:2}", ",,,,");
    lenient("json.allowNumericLeadingZeros=true", "{\"id\":007,\"age\":-00}", "7,,0,,");
    lenient("json.allowBackslashEscapingAnyCharacter=true",
            "{\"city\":\"\\a\\\xc3\xa9\"}", ",a\xc3\xa9,,,");
    lenient("json.allowUnquotedControlChars=true", "{\"city\":\"a\tb\"}", ",a\tb,,,");
    check_line(OPTIONS(SCHEMA, COLUMNS, "json.allowSingleQuotes=false"), "{'id':1}",
               ",,,,");
    check_line(OPTIONS(SCHEMA, COLUMNS, "json.allowNonNumericNumbers=false"),
               "{\"id\":1,\"x\":NaN}", ",,,,");
    check_line(OPTIONS(SCHEMA, COLUMNS, "json.allowComments=true"), "{\"id\":1 /* x",
               ",,,,");
}

static void duplicates(void **state)
{
    (void)state;
    line("{\"age\":1,\"age\":2}", ",,2,,");
    line("{\"age\":1,\"age\":\"x\"}", ",,1,,");
    line("{\"age\":1,\"age\":null}", ",,,,");
    line("{\"name\":{\"first\":\"a\",\"last\":\"b\"},\"name\":{\"last\":\"c\"}}",
         ",,,,c");
    line("{\"name\":{\"first\":\"a\"},\"name\":\"x\"}", ",,,a,");
    line("{\"name\":{\"first\":\"a\"},\"name\":null}", ",,,,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_after_a_failure),
        cmocka_unit_test(copies_of_values),
        cmocka_unit_test(strings),
        cmocka_unit_test(an_unknown_word_in_a_field),
        cmocka_unit_test(leniencies),
        cmocka_unit_test(duplicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

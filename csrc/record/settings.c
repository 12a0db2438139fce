/*
 * settings.c - the rows of pst_reader_conf: what is read from a record's value, and how.
 * Names and defaults are Spark's.
 */
#include "record/number.h"
#include "record/pattern.h"
#include "record/record.h"
#include "record/select.h"

#include <stddef.h>

#define AT(field) offsetof(pst_reader_conf, field)
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const MODES[] = {"PERMISSIVE", "FAILFAST", NULL};
static const char *const POLICIES[] = {"EXCEPTION", "CORRECTED", "LEGACY", NULL};
static const char *const FALLBACKS[] = {"auto", "true", "false", NULL};
static const char *const NUMBERS[] = {"jdk17", "shortest", NULL};

static pst_rc check_select(const char *value, pst_err *err)
{
    pst_select select;
    pst_rc rc = pst_select_parse(&select, value, err);
    if (rc == PST_OK)
        pst_select_done(&select);
    return rc;
}

static pst_rc check_zone(const char *value, pst_err *err)
{
    pst_zone *zone = NULL;
    pst_rc rc = pst_zone_new(&zone, pst_sv_of(value), err);
    pst_zone_free(zone);
    return rc;
}

static pst_rc check_pattern(const char *value, pst_err *err)
{
    pst_pattern *pattern = NULL;
    pst_rc rc = pst_pattern_new(&pattern, value, PST_PATTERN_PARSE, err);
    pst_pattern_free(pattern);
    return rc;
}

static const pst_setting ROWS[] = {
    {.name = "value.schema",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_REQUIRED,
     .offset = AT(value_schema),
     .check = pst_schema_check,
     .importance = PST_CONF_HIGH,
     .doc =
         "The schema of the record's value as Spark DDL: id BIGINT, name STRUCT<first: "
         "STRING, last: STRING>. A field that a record lacks is null, one that the "
         "schema lacks is ignored."},
    {.name = "select",
     .type = PST_CONF_STRING,
     .offset = AT(select),
     .def = "*",
     .check = check_select,
     .importance = PST_CONF_HIGH,
     .doc = "The CSV's columns as a Spark select list: *, nested fields (name.first AS "
            "first_name), the Kafka columns key, topic, partition, offset, timestamp, "
            "headers (headers[0].key), CAST and common functions. A column of the schema "
            "hides a Kafka column of "
            "the same name."},
    {.name = "json.mode",
     .type = PST_CONF_ENUM,
     .offset = AT(json_mode),
     .def = "PERMISSIVE",
     .choices = MODES,
     .importance = PST_CONF_MEDIUM,
     .doc = "What a bad record is: PERMISSIVE makes what cannot be read null, FAILFAST "
            "makes the record an error."},
    {.name = "json.columnNameOfCorruptRecord",
     .type = PST_CONF_STRING,
     .offset = AT(corrupt_record_column),
     .def = "_corrupt_record",
     .importance = PST_CONF_LOW,
     .doc =
         "The STRING column of value.schema, if it has one of this name, that gets the "
         "text of a record that could not be read whole."},
    {.name = "json.allowSingleQuotes",
     .type = PST_CONF_BOOL,
     .offset = AT(allow_single_quotes),
     .def = "true",
     .importance = PST_CONF_LOW,
     .doc = "Names and strings may stand in single quotes."},
    {.name = "json.allowNonNumericNumbers",
     .type = PST_CONF_BOOL,
     .offset = AT(allow_non_numeric_numbers),
     .def = "true",
     .importance = PST_CONF_LOW,
     .doc = "NaN, Infinity, -Infinity, +INF and -INF are numbers."},
    {.name = "json.allowComments",
     .type = PST_CONF_BOOL,
     .offset = AT(allow_comments),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Java comments (// and /* */) between tokens are blanks."},
    {.name = "json.allowUnquotedFieldNames",
     .type = PST_CONF_BOOL,
     .offset = AT(allow_unquoted_field_names),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Names may stand without quotes."},
    {.name = "json.allowNumericLeadingZeros",
     .type = PST_CONF_BOOL,
     .offset = AT(allow_numeric_leading_zeros),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Numbers may start with zeros: 007 is 7."},
    {.name = "json.allowBackslashEscapingAnyCharacter",
     .type = PST_CONF_BOOL,
     .offset = AT(allow_backslash_escaping_any_character),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "A backslash before any character stands for that character."},
    {.name = "json.allowUnquotedControlChars",
     .type = PST_CONF_BOOL,
     .offset = AT(allow_unquoted_control_chars),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Strings may hold line ends, tabs and other control characters as they are."},
    {.name = "json.primitivesAsString",
     .type = PST_CONF_BOOL,
     .offset = AT(primitives_as_string),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc =
         "Accepted for Spark's sake; it matters to schema inference only, and here the "
         "schema is given."},
    {.name = "json.timestampFormat",
     .type = PST_CONF_STRING,
     .offset = AT(json_timestamp_format),
     .check = check_pattern,
     .importance = PST_CONF_MEDIUM,
     .doc = "The pattern of TIMESTAMP texts, in Spark's letters. Unset: ISO 8601 with "
            "Spark's leniencies."},
    {.name = "json.timestampNTZFormat",
     .type = PST_CONF_STRING,
     .offset = AT(json_timestamp_ntz_format),
     .check = check_pattern,
     .importance = PST_CONF_LOW,
     .doc = "The same for TIMESTAMP_NTZ."},
    {.name = "json.dateFormat",
     .type = PST_CONF_STRING,
     .offset = AT(json_date_format),
     .check = check_pattern,
     .importance = PST_CONF_MEDIUM,
     .doc =
         "The pattern of DATE texts, in Spark's letters. Unset: yyyy-MM-dd with Spark's "
         "leniencies."},
    {.name = "json.enableDateTimeParsingFallback",
     .type = PST_CONF_ENUM,
     .offset = AT(date_time_fallback),
     .def = "auto",
     .choices = FALLBACKS,
     .importance = PST_CONF_LOW,
     .doc = "Try Spark 2's way of reading a date or time that does not fit the pattern; "
            "auto: when no pattern is set, or the time parser policy is LEGACY."},
    {.name = "spark.sql.session.timeZone",
     .type = PST_CONF_STRING,
     .offset = AT(session_time_zone),
     .def = "UTC",
     .check = check_zone,
     .importance = PST_CONF_MEDIUM,
     .doc = "The time zone of timestamps without one, and of timestamps as text: UTC, "
            "Europe/Istanbul, +03:00."},
    {.name = "spark.sql.legacy.timeParserPolicy",
     .type = PST_CONF_ENUM,
     .offset = AT(time_parser_policy),
     .def = "EXCEPTION",
     .choices = POLICIES,
     .importance = PST_CONF_LOW,
     .doc =
         "CORRECTED: a date or time that does not exist is null. LEGACY: it is read as "
         "Spark 2 did. EXCEPTION: as CORRECTED, and counted; Spark's query would fail."},
    {.name = "spark.sql.json.enablePartialResults",
     .type = PST_CONF_BOOL,
     .offset = AT(enable_partial_results),
     .def = "true",
     .importance = PST_CONF_LOW,
     .doc = "A struct with a bad field keeps its other fields."},
    {.name = "spark.sql.caseSensitive",
     .type = PST_CONF_BOOL,
     .offset = AT(case_sensitive),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc =
         "Names in the select list must have the schema's case. Names in records always "
         "must."},
    {.name = "number.format",
     .type = PST_CONF_ENUM,
     .offset = AT(number_format),
     .def = "jdk17",
     .choices = NUMBERS,
     .importance = PST_CONF_LOW,
     .doc = "How FLOAT and DOUBLE print: jdk17 as Spark on Java up to 18, shortest as on "
            "Java 19 and later."},
};

const pst_conf_section pst_reader_section = {
    .title = "What: the record's value and the columns",
    .rows = ROWS,
    .n_rows = COUNT(ROWS),
};

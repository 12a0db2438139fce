/*
 * fuzz_json.c - a record's value through the reader and the CSV writer.
 *
 * The first three bytes choose the schema, the options of reading and the dialect; the
 * rest is the record. What is written must be read back by another CSV reader: one row,
 * as many fields as columns, the texts as they were.
 */
#include "fuzz_row.h"

/* The first and the third are those of tests/data/golden, whose records are seeds. */
static const char *const schemas[] = {
    "value.schema=id BIGINT, uuid STRING, gender STRING, title STRING, first_name "
    "STRING, "
    "last_name STRING, street STRING, city STRING, country STRING, postcode STRING, "
    "latitude DOUBLE, longitude DOUBLE, email STRING, age INT, registered TIMESTAMP, "
    "active BOOLEAN, birth DATE, balance DECIMAL(10,2), ratio FLOAT, small SMALLINT, "
    "tiny "
    "TINYINT, seen TIMESTAMP_NTZ\n",
    "value.schema=d DATE, t TIMESTAMP, n TIMESTAMP_NTZ, m DECIMAL(10,2), h "
    "DECIMAL(38,18), x BINARY\nselect=d, t, n, m, h, CAST(x AS STRING) AS x\n",
    "value.schema=name STRUCT<first: STRING, last: STRING>, location STRUCT<city: "
    "STRING, "
    "coordinates: STRUCT<latitude: STRING>>, login STRUCT<uuid: STRING>, email STRING, "
    "dob STRUCT<age: INT>\nselect=name.first AS first_name, name.last, location.city AS "
    "city, location.coordinates.latitude, login.uuid AS uuid, email, dob.age AS age\n",
    "value.schema=a ARRAY<STRING>, m MAP<STRING, INT>, s STRUCT<a: ARRAY<STRUCT<x: "
    "INT>>>, t STRING, _corrupt_record STRING\nselect=a[0] AS a, s.a[1].x AS x, t, "
    "_corrupt_record\n",
    "value.schema=t STRING\n",
    "value.schema=a STRING, A STRING, `b c` STRING, d STRING\nselect=d, `b c`, "
    "partition, offset, topic\nspark.sql.caseSensitive=true\n",
};

static const char *const options[] = {
    "",
    "json.mode=FAILFAST\n",
    "json.allowComments=true\njson.allowUnquotedFieldNames=true\n"
    "json.allowNumericLeadingZeros=true\n",
    "json.allowBackslashEscapingAnyCharacter=true\njson.allowUnquotedControlChars=true\n",
    "json.allowSingleQuotes=false\njson.allowNonNumericNumbers=false\n",
    "spark.sql.json.enablePartialResults=false\nnumber.format=shortest\n",
    "spark.sql.session.timeZone=Europe/Istanbul\n"
    "spark.sql.legacy.timeParserPolicy=LEGACY\n",
    "json.timestampFormat=yyyy/MM/dd HH:mm:ss[.SSS][XXX]\njson.dateFormat=dd.MM.yyyy\n"
    "spark.sql.legacy.timeParserPolicy=CORRECTED\nspark.sql.session.timeZone="
    "America/St_Johns\n",
};

static const fuzz_dialect dialects[] = {
    {"", {',', '"', '\\', "\n"}, true, true},
    {"csv.quoteAll=true\n", {',', '"', '\\', "\n"}, true, true},
    {"csv.dialect=rfc4180\n", {',', '"', '"', "\r\n"}, false, false},
    {"csv.escape=\"\ncsv.sep=;\n", {';', '"', '"', "\n"}, true, true},
    {"csv.sep=\\\\t\ncsv.nullValue=NULL\ncsv.header=true\n",
     {'\t', '"', '\\', "\n"},
     false,
     true},
    {"csv.ignoreLeadingWhiteSpace=false\ncsv.ignoreTrailingWhiteSpace=false\n"
     "csv.formula.guard=true\n",
     {',', '"', '\\', "\n"},
     false,
     false},
    {"csv.lineSep=\\r\\n\ncsv.escapeQuotes=false\n",
     {',', '"', '\\', "\r\n"},
     false,
     true},
    {"csv.dateFormat=EEEE d MMMM yyyy G\ncsv.timestampFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX"
     "\ncsv.sep=|\n",
     {'|', '"', '\\', "\n"},
     true,
     true},
    {"csv.sep=||\n", {0}, false, true},
    {"csv.encoding=UTF-16\n", {0}, false, true},
};

enum {
    N_SCHEMAS = sizeof schemas / sizeof *schemas,
    N_OPTIONS = sizeof options / sizeof *options,
    N_DIALECTS = sizeof dialects / sizeof *dialects,
};

/* Opened when they are first asked for, and kept: as in a task, which reads many records
   with one reader. */
static fuzz_pipe pipes[N_SCHEMAS][N_OPTIONS][N_DIALECTS];

static fuzz_pipe *pipe_of(unsigned schema, unsigned option, unsigned dialect)
{
    fuzz_pipe *pipe = &pipes[schema][option][dialect];
    if (pipe->reader)
        return pipe;
    char text[1024];
    int n = snprintf(text, sizeof text, "%s%s%s", schemas[schema], options[option],
                     dialects[dialect].settings);
    pst_props props;
    pst_conf_report report;
    pst_props_init(&props);
    pst_conf_report_init(&report);
    FUZZ_CHECK(pst_props_parse(&props, (pst_sv){text, (size_t)n}, "fuzz", &report) ==
               PST_OK);
    FUZZ_CHECK(fuzz_pipe_open(pipe, &props, &dialects[dialect], true));
    pst_props_done(&props);
    pst_conf_report_done(&report);
    return pipe;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    unsigned schema = fuzz_choose(&in, N_SCHEMAS);
    unsigned option = fuzz_choose(&in, N_OPTIONS);
    unsigned dialect = fuzz_choose(&in, N_DIALECTS);
    pst_msg msg = {.topic = "fuzz", .offset = 7, .timestamp_ms = 1700000000123};
    msg.value = fuzz_rest(&in);
    pst_rc rc = fuzz_pipe_run(pipe_of(schema, option, dialect), &msg);
    FUZZ_CHECK(rc == PST_OK || rc == PST_E_LIMIT || (rc == PST_E_INVALID && option == 1));
    return 0;
}

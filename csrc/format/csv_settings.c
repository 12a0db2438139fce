/*
 * csv_settings.c - the rows of pst_csv_conf: Spark's CSV options under their names.
 */
#include "format/format.h"
#include "record/pattern.h"

#include "format/charset.h"
#include "format/csv_chars.h"

#include <stddef.h>

#define AT(field) offsetof(pst_csv_conf, field)
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const DIALECTS[] = {"spark", "rfc4180", NULL};

static pst_rc check_sep(const char *value, pst_err *err)
{
    char out[PST_CSV_SEP_MAX];
    size_t n;
    return pst_csv_parse_sep(value, out, &n, err);
}

static pst_rc check_char(const char *value, pst_err *err)
{
    pst_sv unused;
    return pst_csv_parse_char(value, &unused, err);
}

static pst_rc check_line_sep(const char *value, pst_err *err)
{
    size_t n = strlen(value);
    if (n == 1 || n == 2)
        return PST_OK;
    return pst_fail(err, PST_E_CONFIG,
                    "a line separator has 1 or 2 characters (\\n, \\r\\n)");
}

static pst_rc check_pattern(const char *value, pst_err *err)
{
    pst_pattern *pattern = NULL;
    pst_rc rc = pst_pattern_new(&pattern, value, PST_PATTERN_FORMAT, err);
    pst_pattern_free(pattern);
    return rc;
}

static pst_rc check_charset(const char *value, pst_err *err)
{
    pst_charset *charset = NULL;
    pst_rc rc = pst_charset_new(&charset, value, err);
    pst_charset_free(charset);
    return rc;
}

static const pst_setting ROWS[] = {
    {.name = "csv.sep",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_RAW,
     .offset = AT(sep),
     .def = ",",
     .check = check_sep,
     .importance = PST_CONF_MEDIUM,
     .doc = "What stands between two fields; one character or more."},
    {.name = "csv.header",
     .type = PST_CONF_BOOL,
     .offset = AT(header),
     .def = "false",
     .importance = PST_CONF_MEDIUM,
     .doc = "Each object starts with a line of the columns' names."},
    {.name = "csv.quote",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_RAW,
     .offset = AT(quote),
     .def = "\"",
     .check = check_char,
     .importance = PST_CONF_LOW,
     .doc = "The character around fields that need it. Empty means the NUL character, as "
            "in Spark."},
    {.name = "csv.escape",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_RAW,
     .offset = AT(escape),
     .def = "\\",
     .check = check_char,
     .importance = PST_CONF_LOW,
     .doc = "What stands before a quote inside a quoted field. Spark's default is a "
            "backslash; \" doubles the quote, which most readers expect."},
    {.name = "csv.charToEscapeQuoteEscaping",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_RAW,
     .offset = AT(escape_escaping),
     .check = check_char,
     .importance = PST_CONF_LOW,
     .doc = "What stands before an escape character inside a quoted field. Unset: the "
            "escape character where it differs from the quote."},
    {.name = "csv.quoteAll",
     .type = PST_CONF_BOOL,
     .offset = AT(quote_all),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Quote all fields."},
    {.name = "csv.escapeQuotes",
     .type = PST_CONF_BOOL,
     .offset = AT(escape_quotes),
     .def = "true",
     .importance = PST_CONF_LOW,
     .doc = "Quote a field because it holds a quote."},
    {.name = "csv.nullValue",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_RAW,
     .offset = AT(null_value),
     .def = "",
     .importance = PST_CONF_MEDIUM,
     .doc = "What null prints as."},
    {.name = "csv.emptyValue",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_RAW,
     .offset = AT(empty_value),
     .def = "\"\"",
     .importance = PST_CONF_LOW,
     .doc = "What an empty string prints as."},
    {.name = "csv.lineSep",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_RAW,
     .offset = AT(line_sep),
     .def = "\n",
     .check = check_line_sep,
     .importance = PST_CONF_LOW,
     .doc = "What ends a line; one or two characters."},
    {.name = "csv.ignoreLeadingWhiteSpace",
     .type = PST_CONF_BOOL,
     .offset = AT(ignore_leading),
     .def = "true",
     .importance = PST_CONF_LOW,
     .doc = "Cut blanks and control characters off the start of each field."},
    {.name = "csv.ignoreTrailingWhiteSpace",
     .type = PST_CONF_BOOL,
     .offset = AT(ignore_trailing),
     .def = "true",
     .importance = PST_CONF_LOW,
     .doc = "Cut them off the end."},
    {.name = "csv.encoding",
     .type = PST_CONF_STRING,
     .offset = AT(encoding),
     .def = "UTF-8",
     .check = check_charset,
     .importance = PST_CONF_LOW,
     .doc = "The objects' character set by its Java name; what it lacks becomes ?."},
    {.name = "csv.comment",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_RAW,
     .offset = AT(comment),
     .check = check_char,
     .importance = PST_CONF_LOW,
     .doc = "A first field that starts with this character is quoted. Unset: #, as in "
            "Spark; empty means the NUL character, so that # is nothing special."},
    {.name = "csv.dateFormat",
     .type = PST_CONF_STRING,
     .offset = AT(date_format),
     .check = check_pattern,
     .importance = PST_CONF_MEDIUM,
     .doc = "The pattern of dates in Spark's letters. Unset: yyyy-MM-dd."},
    {.name = "csv.timestampFormat",
     .type = PST_CONF_STRING,
     .offset = AT(timestamp_format),
     .check = check_pattern,
     .importance = PST_CONF_MEDIUM,
     .doc = "The pattern of timestamps. Unset: yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]."},
    {.name = "csv.timestampNTZFormat",
     .type = PST_CONF_STRING,
     .offset = AT(timestamp_ntz_format),
     .check = check_pattern,
     .importance = PST_CONF_LOW,
     .doc = "The pattern of timestamps without time zone. Unset: "
            "yyyy-MM-dd'T'HH:mm:ss[.SSS]."},
    {.name = "csv.dialect",
     .type = PST_CONF_ENUM,
     .offset = AT(dialect),
     .def = "spark",
     .choices = DIALECTS,
     .importance = PST_CONF_MEDIUM,
     .doc = "rfc4180: quotes are doubled, lines end with \\r\\n, blanks are kept; it "
            "overrides csv.quote, csv.escape, csv.lineSep, csv.comment and "
            "csv.ignore…WhiteSpace."},
    {.name = "csv.formula.guard",
     .type = PST_CONF_BOOL,
     .offset = AT(formula_guard),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc =
         "Put ' before texts that a spreadsheet would take for a formula (= + - @, tab "
         "or carriage return in front)."},
    {.name = "spark.sql.legacy.nullValueWrittenAsQuotedEmptyStringCsv",
     .type = PST_CONF_BOOL,
     .offset = AT(legacy_null_quoted),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "true prints null as Spark up to 3.2 did: as an empty string."},
};

const pst_conf_section pst_csv_section = {
    .title = "How: the CSV",
    .rows = ROWS,
    .n_rows = COUNT(ROWS),
};

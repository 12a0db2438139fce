/*
 * record.h - a Kafka record becomes a row of typed columns.
 *
 * pst_reader is compiled once from the schema (Spark DDL), the select list and the JSON
 * options; reading a record then allocates nothing: cells point into the record's value
 * or into the reader's scratch, and live until the next read. A reader belongs to one
 * thread.
 */
#ifndef PST_RECORD_RECORD_H
#define PST_RECORD_RECORD_H

#include "base/buf.h"
#include "base/str.h"
#include "conf/conf.h"

/* A record as the Kafka consumer hands it over; all bytes are borrowed. */
typedef struct pst_msg {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1 = none */
    int timestamp_type;   /* 0 = CreateTime, 1 = LogAppendTime */
    pst_sv key, value;    /* p == NULL: null key, tombstone */
    const void *headers;  /* for the reader's pst_header_at; NULL = none */
} pst_msg;

/* Column types (Spark's). */
typedef enum pst_type {
    PST_T_BOOLEAN,
    PST_T_BYTE,
    PST_T_SHORT,
    PST_T_INT,
    PST_T_LONG,
    PST_T_FLOAT,
    PST_T_DOUBLE,
    PST_T_DECIMAL,
    PST_T_STRING,
    PST_T_BINARY,
    PST_T_DATE,
    PST_T_TIMESTAMP,
    PST_T_TIMESTAMP_NTZ,
    PST_T_STRUCT,
    PST_T_ARRAY,
    PST_T_MAP,
} pst_type;

typedef struct pst_cell {
    bool null;
    union {
        bool b;
        int64_t i; /* BYTE…LONG; DATE: days, TIMESTAMP*: microseconds since 1970-01-01 */
        double d;  /* FLOAT (exactly representable in float) and DOUBLE */
        pst_sv s;  /* STRING, BINARY; DECIMAL as BigDecimal's text */
    } as;
} pst_cell;

typedef struct pst_column {
    const char *name;
    pst_type type;
    int precision, scale; /* DECIMAL */
} pst_column;

typedef struct pst_row {
    const pst_column *columns;
    const pst_cell *cells; /* the extra fields' follow */
    size_t n;              /* selected columns */
} pst_row;

typedef struct pst_reader pst_reader;

/* Settings of the JSON side; rows in record/settings.c. */
typedef struct pst_reader_conf {
    char *value_schema; /* Spark DDL */
    char *select;       /* Spark select list */
    int json_mode;      /* enum pst_json_mode */
    char *corrupt_record_column;
    bool allow_single_quotes, allow_non_numeric_numbers, allow_comments,
        allow_unquoted_field_names, allow_numeric_leading_zeros,
        allow_backslash_escaping_any_character, allow_unquoted_control_chars,
        primitives_as_string;
    char *json_timestamp_format, *json_date_format, *json_timestamp_ntz_format;
    char *session_time_zone; /* spark.sql.session.timeZone */
    int time_parser_policy;  /* spark.sql.legacy.timeParserPolicy */
    bool enable_partial_results;
    bool case_sensitive;    /* spark.sql.caseSensitive: names in the select list */
    int date_time_fallback; /* enum pst_fallback: json.enableDateTimeParsingFallback */
    int number_format;      /* enum pst_number_format of record/number.h */
    /* Not a setting: fields of the value that are wanted behind the selected columns, as
       paths with dots (a name in `back-quotes` may hold one). */
    char *const *extra;
    size_t n_extra;
} pst_reader_conf;

enum pst_json_mode { PST_JSON_PERMISSIVE, PST_JSON_FAILFAST };
enum pst_time_policy { PST_TIME_EXCEPTION, PST_TIME_CORRECTED, PST_TIME_LEGACY };
enum pst_fallback { PST_FALLBACK_AUTO, PST_FALLBACK_ON, PST_FALLBACK_OFF };

extern const pst_conf_section pst_reader_section;

/* Checks for the settings table: a wrong DDL or select list is a configuration error with
   the position in the text. */
pst_rc pst_schema_check(const char *ddl, pst_err *err) PST_MUST;

/* conf is borrowed during the call only. */
pst_rc pst_reader_new(pst_reader **out, const pst_reader_conf *conf,
                      pst_err *err) PST_MUST;
void pst_reader_free(pst_reader *reader);
const pst_column *pst_reader_columns(const pst_reader *reader, size_t *n);
/* Those of conf->extra, in its order. */
const pst_column *pst_reader_extra(const pst_reader *reader, size_t *n);
/* Is a path of conf->extra one of value.schema's? What it is goes to *out, but for its
   name. PST_E_CONFIG names the nearest field. */
pst_rc pst_reader_check_extra(const pst_reader_conf *conf, const char *path,
                              pst_column *out, pst_err *err) PST_MUST;

/* Header `index` of pst_msg.headers; value->p == NULL is a null value. The bytes are
   borrowed as the record's are. PST_E_NOT_FOUND: there is no such header. PST_E_INVALID:
   they can't be parsed. */
typedef pst_rc (*pst_header_at)(const void *headers, size_t index, pst_sv *key,
                                pst_sv *value);
/* How to read headers; without it they are null. True if the select list names any. */
bool pst_reader_set_headers(pst_reader *reader, pst_header_at at);
/* PST_OK: *row is filled (a malformed record is Spark's null row under PERMISSIVE).
   PST_E_INVALID: FAILFAST and the record is bad, err says what and at which byte; or its
   headers can't be parsed.
   PST_E_NOMEM / PST_E_LIMIT as their names say. */
pst_rc pst_reader_read(pst_reader *reader, const pst_msg *msg, pst_row *row,
                       pst_err *err) PST_MUST;

/* What the reader met so far; each counts records or fields, not events of one kind only.
 */
typedef struct pst_reader_stats {
    uint64_t records;
    uint64_t malformed;   /* records that are no JSON object, or broken JSON */
    uint64_t bad_fields;  /* records with a field that did not fit its type */
    uint64_t exact;       /* records that took the slow, exact way */
    uint64_t time_policy; /* dates and times that kill Spark's query under EXCEPTION */
} pst_reader_stats;
const pst_reader_stats *pst_reader_get_stats(const pst_reader *reader);

#endif

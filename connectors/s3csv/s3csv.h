/*
 * s3csv.h - the sink connector S3CsvSink: topics of JSON become CSV objects (or JSON
 * lines).
 */
#ifndef PST_CONNECTORS_S3CSV_H
#define PST_CONNECTORS_S3CSV_H

#include "format/compress.h"
#include "format/format.h"
#include "record/record.h"
#include "runtime/objects.h"
#include "runtime/partitioner.h"
#include "store/store.h"
#include "transform/transform.h"

enum pst_null_values { PST_NULL_WRITE, PST_NULL_IGNORE, PST_NULL_FAIL };

typedef struct pst_s3csv_conf {
    pst_connector_conf connector;
    pst_conf_list topics;
    char *topics_regex;
    int on_null; /* enum pst_null_values */
    pst_reader_conf reader;
    pst_transforms_conf transforms;
    int format; /* format.class */
    pst_csv_conf csv;
    pst_jsonl_conf jsonl;
    pst_compress_conf compress;
    pst_objects_conf objects;
    pst_partitioner_conf partitioner;
    pst_store_conf store;
} pst_s3csv_conf;

extern const pst_conf_spec pst_s3csv_spec;
/* What a record goes through. */
typedef struct pst_s3csv_columns {
    pst_reader *reader; /* the settings' columns, the partitioner's fields behind them */
    pst_transforms *transforms; /* NULL = none */
    pst_writer *writer;
} pst_s3csv_columns;
/* What was made is the caller's, also after an error. props: where transforms.… are. */
pst_rc pst_s3csv_open_columns(const pst_s3csv_conf *conf, const pst_props *props,
                              pst_s3csv_columns *out, pst_err *err) PST_MUST;
void pst_s3csv_close_columns(const pst_s3csv_conf *conf, pst_s3csv_columns *columns);
/* Schema, select list, CSV settings and the partitioner's fields each are right: do they
   go together? What is wrong goes to the report, at the setting it is about. */
void pst_s3csv_check_columns(const pst_s3csv_conf *conf, const pst_props *props,
                             pst_conf_report *report);
/* The format and its settings (`settings` may be NULL). */
const pst_format *pst_s3csv_format(const pst_s3csv_conf *conf, const void **settings);
/* ".csv", ".csv.gz": what the objects' names end with. */
void pst_s3csv_extension(const pst_s3csv_conf *conf, char out[PST_EXTENSION_MAX + 1]);
extern const pst_connector pst_s3csv;

#endif

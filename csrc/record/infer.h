/*
 * infer.h - a Spark DDL for a topic, out of some of its records.
 *
 * As Spark's schema_of_json and its reader of JSON files: whole numbers are BIGINT (above
 * 64 bits DECIMAL(38,0)), others DOUBLE, dates stay STRING, a field seen with two kinds
 * of value is STRING, one seen as null only is STRING, objects are STRUCTs merged by
 * field name, arrays are merged by their elements. Unlike Spark's, fields keep the order
 * in which they came: it becomes the order of the CSV's columns. Fields without a name
 * and objects without fields are left out.
 */
#ifndef PST_RECORD_INFER_H
#define PST_RECORD_INFER_H

#include "base/buf.h"
#include "base/str.h"

typedef struct pst_infer pst_infer;

enum { PST_INFER_FIELDS_MAX = 10000, PST_INFER_DEPTH_MAX = 60 };

pst_infer *pst_infer_new(void) PST_MUST; /* NULL when out of memory */
void pst_infer_free(pst_infer *infer);   /* NULL is fine */
/* Learns from one record's value. PST_E_INVALID: no JSON object, nothing is learnt.
   PST_E_LIMIT: too many fields in all. */
pst_rc pst_infer_add(pst_infer *infer, pst_sv value, pst_err *err) PST_MUST;
/* "id BIGINT, name STRUCT<first: STRING>". PST_E_INVALID when no field was seen. */
pst_rc pst_infer_ddl(const pst_infer *infer, pst_buf *out, pst_err *err) PST_MUST;

#endif

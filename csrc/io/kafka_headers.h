/*
 * kafka_headers.h - the headers of a consumed record, as the record module asks for them.
 * Both take the pst_msg.headers of a record of pst_consumer_poll(), while it is valid,
 * one thread at a time.
 */
#ifndef PST_IO_KAFKA_HEADERS_H
#define PST_IO_KAFKA_HEADERS_H

#include "record/record.h"

/* A pst_header_at. librdkafka parses a record's headers when this is first called. */
pst_rc pst_kafka_header(const void *headers, size_t index, pst_sv *key,
                        pst_sv *value) PST_MUST;
/* Frees what is parsed; what pst_kafka_header() gave is gone. It may be asked again. */
void pst_kafka_headers_drop(const void *headers);

#endif

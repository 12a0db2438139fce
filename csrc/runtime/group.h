/*
 * group.h - a connector's consumer group and one topic, for tools that look at a chain
 * from outside or hand it on: no group is joined, no record is read.
 */
#ifndef PST_RUNTIME_GROUP_H
#define PST_RUNTIME_GROUP_H

#include "runtime/plugin.h"

enum { PST_GROUP_PARTITIONS_MAX = 100000 };

typedef struct pst_group_query {
    const pst_props *worker; /* bootstrap.servers and librdkafka's settings */
    const char *group;
    const char *topic;  /* one that does not exist is PST_E_NOT_FOUND */
    int64_t timeout_ms; /* for all of it */
    pst_log *log;
    pst_cancel *cancel;
} pst_group_query;

typedef struct pst_group_row {
    int32_t partition;
    int64_t committed; /* PST_OFFSET_NONE = none */
    int64_t low, end;  /* of the log */
    char metadata[PST_KAFKA_METADATA_MAX];
} pst_group_row;

typedef struct pst_group_facts {
    char *cluster;
    int members;
    pst_group_row *rows; /* one a partition */
    size_t n;
} pst_group_facts;

/* *unreachable: no broker answered in time. Done with by pst_group_facts_done(), also
   after an error. */
pst_rc pst_group_ask(const pst_group_query *query, pst_group_facts *out,
                     bool *unreachable, pst_err *err) PST_MUST;
void pst_group_facts_done(pst_group_facts *facts);

/* Commits rows' offsets and metadata for a group without members; Kafka refuses it for
   one that has some. */
pst_rc pst_group_commit(const pst_group_query *query, const pst_group_row *rows, size_t n,
                        bool *unreachable, pst_err *err) PST_MUST;
/* Deletes the group's offsets of rows' partitions; refused likewise. */
pst_rc pst_group_forget(const pst_group_query *query, const pst_group_row *rows, size_t n,
                        bool *unreachable, pst_err *err) PST_MUST;

#endif

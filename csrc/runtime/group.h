/*
 * group.h - a connector's consumer group and its topics, for tools that look at them from
 * outside or hand a chain on: no group is joined, no record is read.
 */
#ifndef PST_RUNTIME_GROUP_H
#define PST_RUNTIME_GROUP_H

#include "runtime/plugin.h"

enum { PST_GROUP_TOPICS_MAX = 1000, PST_GROUP_PARTITIONS_MAX = 100000 };

typedef struct pst_group_query {
    const pst_props *worker; /* bootstrap.servers and librdkafka's settings */
    const char *client_id;
    const char *group;
    const char *const *topics; /* one that does not exist is PST_E_NOT_FOUND */
    size_t n_topics;
    bool members;       /* are they asked for? */
    int64_t timeout_ms; /* for all of it */
    pst_log *log;
    pst_cancel *cancel;
} pst_group_query;

typedef struct pst_group_row {
    const char *topic; /* of the query */
    int32_t partition;
    int64_t committed; /* PST_OFFSET_NONE = none */
    int64_t low, end;  /* the log is [low, end) */
    char *metadata;    /* of the commit; NULL = none */
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
/* Records that are there and not committed: of a group without an offset, all. */
int64_t pst_group_lag(const pst_group_row *row);

/* Commits rows' offsets and metadata for a group without members; Kafka refuses it for
   one that has some. */
pst_rc pst_group_commit(const pst_group_query *query, const pst_group_row *rows, size_t n,
                        bool *unreachable, pst_err *err) PST_MUST;
/* Deletes the group's offsets of rows' partitions; refused likewise. */
pst_rc pst_group_forget(const pst_group_query *query, const pst_group_row *rows, size_t n,
                        bool *unreachable, pst_err *err) PST_MUST;

#endif

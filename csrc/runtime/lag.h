/*
 * lag.h - how far a connector's consumer group is behind its topics, asked from outside:
 * no group is joined, nothing is read or committed.
 */
#ifndef PST_RUNTIME_LAG_H
#define PST_RUNTIME_LAG_H

#include "runtime/plugin.h"

enum { PST_LAG_TOPICS_MAX = 1000, PST_LAG_PARTITIONS_MAX = 100000 };

typedef struct pst_lag_query {
    const pst_props *worker; /* bootstrap.servers and librdkafka's settings */
    const char *group;
    const char *const *topics; /* names; one that does not exist is PST_E_NOT_FOUND */
    size_t n_topics;
    int64_t timeout_ms; /* for all of it */
    pst_log *log;
    pst_cancel *cancel;
} pst_lag_query;

/* One partition: the log is [low, end), the group's offset is PST_OFFSET_NONE if it has
   committed none. */
typedef struct pst_lag {
    const char *topic; /* of the query */
    int32_t partition;
    int64_t committed, low, end;
} pst_lag;

/* *out is an array of *n, to be freed with pst_free(). *unreachable: no broker answered
   in time. */
pst_rc pst_lag_ask(const pst_lag_query *query, pst_lag **out, size_t *n,
                   bool *unreachable, pst_err *err) PST_MUST;
/* Records that are there and not committed: of a group without an offset, all. */
int64_t pst_lag_records(const pst_lag *lag);

#endif

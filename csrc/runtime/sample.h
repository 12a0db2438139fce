/*
 * sample.h - the first records of a topic, for whoever wants to look at them. It commits
 * nothing and leaves no trace but an empty consumer group, which the broker forgets.
 */
#ifndef PST_RUNTIME_SAMPLE_H
#define PST_RUNTIME_SAMPLE_H

#include "runtime/plugin.h"

typedef struct pst_sample {
    const pst_props *worker; /* bootstrap.servers and librdkafka's settings */
    const char *topic;
    size_t max;         /* records */
    int64_t timeout_ms; /* for all of it */
    pst_log *log;
    pst_cancel *cancel;
    /* From the caller's thread; not PST_OK ends it. */
    pst_rc (*each)(void *self, const pst_msg *msg, pst_err *err);
    void *self;
} pst_sample;

/* Calls each() for up to max records, from the start of every partition to what is its
   end then. *unreachable: no broker answered. */
pst_rc pst_sample_run(const pst_sample *sample, bool *unreachable, pst_err *err) PST_MUST;

#endif

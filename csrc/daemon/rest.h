/*
 * rest.h - Kafka Connect's REST interface of a daemon.
 *
 * One thread a listener answers; what has to ask Kafka is handed to one more, so that a
 * broker that is away holds nobody else's answer up. Both sleep unless somebody asks.
 */
#ifndef PST_DAEMON_REST_H
#define PST_DAEMON_REST_H

#include "runtime/control.h"

typedef struct pst_rest pst_rest;

typedef struct pst_rest_options {
    pst_worker *worker; /* borrowed, as the others */
    const pst_props *props;
    pst_log *log;
    bool until_end; /* a job: only listeners that were asked for */
} pst_rest_options;

/* What is wrong with REST's settings and their files goes to the report; opens no port.
 */
void pst_rest_check(const pst_worker_conf *conf, const pst_props *props, bool until_end,
                    pst_conf_report *report);
/* *out stays NULL when there is nothing to serve: no listeners, or the default one's port
   is taken, which is a warning. */
pst_rc pst_rest_start(pst_rest **out, const pst_rest_options *options,
                      pst_err *err) PST_MUST;
void pst_rest_stop(pst_rest *rest); /* NULL is fine */

#endif

/*
 * rest_metrics.c - /metrics, for Prometheus.
 */
#include "daemon/rest_internal.h"

void rest_metrics(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    (void)request;
    pst_metrics_page page;
    pst_buf out;
    pst_buf_init(&out, REST_ANSWER_MAX);
    pst_rc rc = pst_worker_metrics(rest->options.worker, &page);
    if (rc == PST_OK)
        rc = pst_metrics_text(&page, &out);
    if (rc == PST_OK) {
        rest_text(answer, 200, &out);
        answer->type = "text/plain; version=0.0.4; charset=utf-8";
    } else {
        rest_error(answer, 500, "out of memory");
    }
    pst_metrics_page_done(&page);
    pst_buf_done(&out);
}

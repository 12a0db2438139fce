/*
 * kafka_group.c - a consumer group seen from outside: who is in it, and its offsets
 * deleted. For tools; a running consumer needs neither.
 */
#include "io/kafka_internal.h"

#include <stdio.h>

enum { SLICE_MS = 100 };

static pst_rc count_members(const struct rd_kafka_group_list *list, const char *group,
                            int *members, pst_err *err)
{
    *members = 0;
    for (int i = 0; i < list->group_cnt; i++) {
        if (list->groups[i].err)
            return pst_kafka_fail(err, list->groups[i].err, "describe group", group);
        *members += list->groups[i].member_cnt;
    }
    return PST_OK;
}

pst_rc pst_consumer_members(pst_consumer *consumer, const char *group, int *members,
                            int timeout_ms, pst_err *err)
{
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_list_groups(pst_consumer_handle(consumer), group, &list, timeout_ms);
    pst_rc rc = code ? pst_kafka_fail(err, code, "describe group", group)
                     : count_members(list, group, members, err);
    if (list)
        rd_kafka_group_list_destroy(list);
    return rc;
}

static pst_rc check_forgotten(rd_kafka_event_t *event, const char *group, pst_err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_group_result_t **results = NULL;
    size_t n = 0;
    if (!code)
        results = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
            rd_kafka_event_DeleteConsumerGroupOffsets_result(event), &n);
    for (size_t i = 0; !code && i < n; i++) {
        const rd_kafka_error_t *error = rd_kafka_group_result_error(results[i]);
        const rd_kafka_topic_partition_list_t *list =
            rd_kafka_group_result_partitions(results[i]);
        code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
        for (int k = 0; list && !code && k < list->cnt; k++)
            code = list->elems[k].err;
    }
    /* A group that never was has no offsets either. */
    if (!code || code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        return PST_OK;
    return pst_kafka_fail(err, code, "delete the offsets of group", group);
}

static pst_rc forget(rd_kafka_t *rk, rd_kafka_DeleteConsumerGroupOffsets_t *what,
                     const char *group, int timeout_ms, pst_err *err)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, NULL, 0);
    rd_kafka_DeleteConsumerGroupOffsets(rk, &what, 1, options, queue);
    rd_kafka_event_t *event = NULL;
    for (int left = timeout_ms + 1000; !event && left > 0; left -= SLICE_MS)
        event = rd_kafka_queue_poll(queue, SLICE_MS);
    pst_rc rc =
        event ? check_forgotten(event, group, err)
              : pst_fail_retriable(err, PST_E_TIMEOUT,
                                   "delete the offsets of group %s: no answer", group);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return rc;
}

pst_rc pst_consumer_forget(pst_consumer *consumer, const char *group, const pst_tp *tps,
                           size_t n, int timeout_ms, pst_err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, tps[i].topic, tps[i].partition);
    rd_kafka_DeleteConsumerGroupOffsets_t *what =
        rd_kafka_DeleteConsumerGroupOffsets_new(group, list);
    pst_rc rc = forget(pst_consumer_handle(consumer), what, group, timeout_ms, err);
    rd_kafka_DeleteConsumerGroupOffsets_destroy(what);
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

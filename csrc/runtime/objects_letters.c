/*
 * objects_letters.c - records that can't become rows, and rule 11: a window's dead
 * letters are acknowledged before its PUT, or before the commit of a window without rows.
 *
 * A letter that fails is not sent again from memory: what is buffered of its partition is
 * dropped and read again from the chain's end, after a wait. So nothing has to be kept
 * for it, and a failure can never be forgotten.
 */
#include "runtime/objects_internal.h"

#include <stdio.h>

enum {
    LINES_MAX = 10, /* of skipped records, in … */
    LINES_MS = 10000,
    ACK_MS = 10, /* while letters are on their way, look so often */
};

pst_rc pst_objects_open_letters(pst_objects *objects, pst_err *err)
{
    const char *topic = objects->connector->dlq_topic;
    if (!objects->host && topic && *topic)
        return pst_fail(err, PST_E_CONFIG,
                        "errors.deadletterqueue.topic.name=%s: without a worker there is "
                        "no Kafka for dead letters. Run the connector by penstock.run() "
                        "or penstockd, or leave it out",
                        topic);
    return pst_deadletters_new(&objects->dead, objects->connector, objects->env, err);
}

/* ---- a record that can't become a row ---- */

void pst_objects_tell_held(const pst_objects *objects)
{
    if (objects->skips_held)
        pst_logf(objects->env->log, PST_LOG_WARN, objects->env->id, "record",
                 "%lld more records could not become rows since the last line of one",
                 (long long)objects->skips_held);
}

/* Its line; many of them only as a number. */
static void tell_skipped(pst_objects *objects, const pst_msg *msg, const pst_err *why)
{
    char about[160] = "", held[60] = "";
    int64_t now = now_ms(objects);
    if (!objects->connector->errors_log_enable)
        return;
    if (!objects->skips_told || now - objects->skips_since_ms >= LINES_MS) {
        if (objects->skips_held)
            snprintf(held, sizeof held, " (and %lld more since)",
                     (long long)objects->skips_held);
        objects->skips_since_ms = now;
        objects->skips_told = objects->skips_held = 0;
    }
    if (objects->skips_told == LINES_MAX) {
        objects->skips_held++;
        return;
    }
    objects->skips_told++;
    pst_metrics_add(objects->env->metrics, PST_M_ERRORS_LOGGED, 1);
    if (objects->connector->errors_log_messages)
        snprintf(about, sizeof about,
                 "; timestamp %lld (%s), key of %lld bytes, value of %lld",
                 (long long)msg->timestamp_ms,
                 msg->timestamp_type ? "LogAppendTime" : "CreateTime",
                 msg->key.p ? (long long)msg->key.n : -1LL,
                 msg->value.p ? (long long)msg->value.n : -1LL);
    pst_logf(objects->env->log, PST_LOG_WARN, objects->env->id, "record",
             "%s-%d offset %lld skipped: %s%s%s", msg->topic, msg->partition,
             (long long)msg->offset, why->text, about, held);
}

pst_rc pst_part_reject(pst_part *part, const pst_msg *msg, const pst_err *why,
                       pst_err *err)
{
    pst_objects *objects = part->objects;
    const char *advice =
        why->code == PST_E_LIMIT ? " that buffer.memory allows a row" : "";
    pst_rc rc = PST_OK;
    if (objects->connector->errors_tolerance == PST_TOLERANCE_NONE) {
        objects->stats.errors++;
        pst_metrics_add(objects->env->metrics, PST_M_FAILURES, 1);
        return pst_fail(err, PST_E_INVALID,
                        "%s-%d offset %lld: %s%s. Set errors.tolerance=all to skip such "
                        "records",
                        msg->topic, msg->partition, (long long)msg->offset, why->text,
                        advice);
    }
    if (objects->dead)
        rc = pst_deadletters_send(objects->dead, &part->open->letters, msg, why, err);
    if (rc != PST_OK)
        return rc;
    objects->stats.errors++;
    objects->stats.skipped++;
    tell_skipped(objects, msg, why);
    return PST_OK;
}

bool pst_objects_later(pst_rc rc, pst_err *err)
{
    if (rc != PST_E_LIMIT || !err || !err->retriable)
        return false;
    pst_err_clear(err);
    return true;
}

/* ---- rule 11 ---- */

bool pst_window_settled(const pst_window *window)
{
    return !window || pst_letters_settled(window->letters);
}

static const pst_err *why_failed(const pst_part *part)
{
    const pst_err *why = NULL;
    for (const sealed *s = part->line; s && !why; s = s->next)
        why = pst_letters_failed(s->window.letters);
    if (!why && part->open)
        why = pst_letters_failed(part->open->letters);
    return why;
}

pst_rc pst_part_check_letters(pst_part *part, pst_err *err)
{
    pst_objects *objects = part->objects;
    const pst_err *failed =
        objects->dead && !part->in_flight && !part->reopen ? why_failed(part) : NULL;
    if (!failed)
        return PST_OK;
    pst_err why = *failed;
    int64_t limit = objects->connector->errors_retry_timeout_ms;
    if (objects->env->until_end && limit >= 0 &&
        pst_deadletters_failing_ms(objects->dead) >= limit)
        why.retriable = why.unknown = false, why.code = PST_E_KAFKA;
    pst_rc rc = pst_part_back_off(part, "sending dead letters", &why, err);
    if (rc != PST_OK)
        return rc;
    pst_part_drop(part);
    part->reopen = true;
    return PST_OK;
}

pst_rc pst_objects_poll_letters(pst_objects *objects, int64_t *next_ms, pst_err *err)
{
    pst_deadletters *dead = objects->dead;
    if (!dead)
        return PST_OK;
    pst_rc rc = pst_deadletters_poll(dead, err);
    objects->stats.dead_letters = pst_deadletters_sent(dead);
    objects->stats.dead_letters_lost = pst_deadletters_lost(dead);
    int64_t soon = now_ms(objects) + ACK_MS;
    if (pst_deadletters_waiting(dead) && soon < *next_ms)
        *next_ms = soon;
    return rc;
}

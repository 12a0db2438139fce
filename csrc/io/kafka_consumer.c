/*
 * kafka_consumer.c - a member of a consumer group, as the sink runtime wants it.
 *
 * Two queues. Records come through one queue of ours: each assigned partition's queue is
 * forwarded to it, so that memory pressure stops records without stopping rebalances.
 * Everything else (rebalances, commit results, errors) comes by pst_consumer_serve().
 *
 * librdkafka stops fetching when its prefetch queue is full and, before 2.3, looks again
 * only after up to a second. pst_consumer_poll() wakes its broker threads when our queue
 * runs low, so a small queue is enough for full speed: rd_kafka_sasl_set_credentials()
 * with the credentials it has already is the one public call that does this and nothing
 * else.
 */
#include "io/kafka_internal.h"

#include "base/mem.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

enum {
    BATCH_MAX = 1000,
    CLOSE_MS = 5000,
    SETTLE_MS = 2000,
    DESTROY_S = 10,
    HUNG_DESTROY_S = 2, /* when it could not even be closed */
    WAKE_INTERVAL_MS = 4,
    LOW_QUEUE = 8 * BATCH_MAX,
    TIMER_SLACK_NS = 2000000,
    STEP_MS = 200, /* waits give way to a cancel */
};

struct pst_consumer {
    pst_kafka_link link; /* first: the opaque of librdkafka's callbacks */
    rd_kafka_t *rk;
    rd_kafka_queue_t *records;
    rd_kafka_queue_t *others; /* all that is no record */
    atomic_bool awake;        /* pst_consumer_poll() is not to wait */
    pst_cancel *cancel;
    pst_consumer_events events;
    int session_timeout_ms;
    bool closed, hangs;
    bool refused;     /* librdkafka would not begin the close */
    bool stuck;       /* the close's thread did not come back */
    atomic_bool deaf; /* what the group does is not told any more */
    pst_err failed;   /* of a callback, handed over by serve() */
    char *user, *password;
    int64_t woken_ms;
    rd_kafka_message_t *batch[BATCH_MAX];
    pst_item items[BATCH_MAX];
    size_t n_batch, n_items;
};

/* ---- partitions ---- */

static void forward(pst_consumer *consumer, const rd_kafka_topic_partition_t *tp)
{
    rd_kafka_queue_t *queue =
        rd_kafka_queue_get_partition(consumer->rk, tp->topic, tp->partition);
    if (!queue)
        return;
    rd_kafka_queue_forward(queue, consumer->records);
    rd_kafka_queue_destroy(queue);
}

/* In one piece: librdkafka's metadata have no end, and get one behind the rows. */
static pst_tp *tps_of(const rd_kafka_topic_partition_list_t *list)
{
    size_t n = (size_t)list->cnt, texts = 0;
    for (size_t i = 0; i < n; i++)
        texts += list->elems[i].metadata ? list->elems[i].metadata_size + 1 : 0;
    pst_tp *tps = pst_calloc(1, n * sizeof *tps + texts);
    char *text = tps ? (char *)(tps + n) : NULL;
    for (size_t i = 0; tps && i < n; i++) {
        const rd_kafka_topic_partition_t *tp = &list->elems[i];
        tps[i] = (pst_tp){
            .topic = tp->topic, .partition = tp->partition, .offset = tp->offset};
        if (!tp->metadata)
            continue;
        memcpy(text, tp->metadata, tp->metadata_size);
        tps[i].metadata = text;
        text += tp->metadata_size + 1;
    }
    return tps;
}

static rd_kafka_topic_partition_list_t *list_of(const pst_tp *tps, size_t n)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_t *tp =
            rd_kafka_topic_partition_list_add(list, tps[i].topic, tps[i].partition);
        tp->offset = tps[i].offset < 0 ? RD_KAFKA_OFFSET_INVALID : tps[i].offset;
        if (tps[i].metadata) {
            /* librdkafka frees it with its own allocator, which is libc's. */
            tp->metadata = strdup(tps[i].metadata); /* lint: allow */
            tp->metadata_size = tp->metadata ? strlen(tps[i].metadata) : 0;
        }
    }
    return list;
}

/* librdkafka drops what it still queues by itself; a batch handed out is ours. */
static void make_stale(pst_consumer *consumer, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < consumer->n_items; i++) {
        pst_item *item = &consumer->items[i];
        if (item->msg.partition == partition && strcmp(item->msg.topic, topic) == 0)
            item->kind = PST_ITEM_STALE;
    }
}

static bool cooperative(pst_consumer *consumer)
{
    const char *protocol = rd_kafka_rebalance_protocol(consumer->rk);
    return protocol && strcmp(protocol, "COOPERATIVE") == 0;
}

static void keep_error(pst_consumer *consumer, const pst_err *err)
{
    if (consumer->failed.code == PST_OK)
        consumer->failed = *err;
}

static void give(pst_consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
    pst_err err = PST_ERR_INIT;
    if (cooperative(consumer))
        (void)pst_kafka_fail_take(&err, rd_kafka_incremental_assign(consumer->rk, list),
                                  "assign");
    else if (rd_kafka_assign(consumer->rk, list))
        (void)pst_kafka_fail(&err, rd_kafka_last_error(), "assign", NULL);
    keep_error(consumer, &err);
}

static void take_back(pst_consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
    pst_err err = PST_ERR_INIT;
    if (cooperative(consumer))
        (void)pst_kafka_fail_take(&err, rd_kafka_incremental_unassign(consumer->rk, list),
                                  "unassign");
    else
        rd_kafka_assign(consumer->rk, NULL);
    keep_error(consumer, &err);
}

static void on_assigned(pst_consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
    pst_err err = PST_ERR_INIT;
    if (consumer->closed) { /* taken, so that it can be given up */
        give(consumer, list);
        return;
    }
    pst_tp *tps = tps_of(list);
    pst_rc rc = tps ? PST_OK : pst_fail_nomem(&err, "assigned partitions");
    if (rc == PST_OK)
        rc = consumer->events.assigned(consumer->events.opaque, tps, (size_t)list->cnt,
                                       &err);
    for (int i = 0; rc == PST_OK && i < list->cnt; i++) {
        list->elems[i].offset = tps[i].offset;
        forward(consumer, &list->elems[i]);
    }
    if (rc != PST_OK)
        keep_error(consumer, &err);
    give(consumer, list); /* the protocol wants it; nobody takes their records now */
    pst_free(tps);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    pst_consumer *consumer = opaque;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        on_assigned(consumer, list);
        return;
    }
    pst_tp *tps = tps_of(list);
    bool lost = rd_kafka_assignment_lost(rk) != 0;
    for (int i = 0; i < list->cnt; i++)
        make_stale(consumer, list->elems[i].topic, list->elems[i].partition);
    if (tps && list->cnt && !atomic_load(&consumer->deaf))
        consumer->events.revoked(consumer->events.opaque, tps, (size_t)list->cnt, lost);
    pst_free(tps);
    take_back(consumer, list);
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *list, void *opaque)
{
    (void)rk;
    pst_consumer *consumer = opaque;
    pst_err err = PST_ERR_INIT;
    for (int i = 0; list && !code && i < list->cnt; i++)
        code = list->elems[i].err;
    if (code)
        (void)pst_kafka_fail(&err, code, "commit offsets", NULL);
    pst_tp *tps = list ? tps_of(list) : NULL;
    if (consumer->events.committed)
        consumer->events.committed(consumer->events.opaque, tps,
                                   tps ? (size_t)list->cnt : 0, code ? &err : NULL);
    pst_free(tps);
}

/* ---- life ---- */

/* librdkafka's threads must not take the program's signals. Its main thread sleeps whole
   milliseconds and spins for the rest of one, several times a second: most of what an
   idle consumer costs. A timer slack, which new threads inherit, makes it sleep beyond
   that; what wakes it is not delayed, only its time-outs are. */
static rd_kafka_t *new_client(rd_kafka_conf_t *conf, char *why, size_t size)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int slack = prctl(PR_GET_TIMERSLACK);
    (void)prctl(PR_SET_TIMERSLACK, (unsigned long)TIMER_SLACK_NS);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, size);
    if (slack > 0)
        (void)prctl(PR_SET_TIMERSLACK, (unsigned long)slack);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rk;
}

void pst_consumer_wake(pst_consumer *consumer)
{
    atomic_store(&consumer->awake, true);
    rd_kafka_queue_yield(consumer->records);
}

/* librdkafka calls it when something is there for pst_consumer_serve(). */
static void on_event(rd_kafka_t *rk, void *opaque)
{
    (void)rk;
    pst_consumer_wake(opaque);
}

static pst_rc start_client(pst_consumer *consumer, rd_kafka_conf_t *conf, pst_err *err)
{
    char why[512];
    rd_kafka_conf_set_opaque(conf, consumer);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    int64_t session_ms = 10000;
    char *session = pst_kafka_conf_text(conf, "session.timeout.ms");
    if (session)
        (void)pst_sv_to_i64(pst_sv_of(session), &session_ms);
    pst_free(session);
    consumer->session_timeout_ms = (int)session_ms;
    consumer->user = pst_kafka_conf_text(conf, "sasl.username");
    consumer->password = pst_kafka_conf_text(conf, "sasl.password");
    if (!consumer->user || !consumer->password) {
        rd_kafka_conf_destroy(conf);
        return pst_fail_nomem(err, "Kafka consumer");
    }
    consumer->rk = new_client(conf, why, sizeof why);
    if (!consumer->rk) {
        rd_kafka_conf_destroy(conf);
        return pst_fail(err, PST_E_CONFIG, "Kafka consumer: %s", why);
    }
    rd_kafka_poll_set_consumer(consumer->rk);
    consumer->records = rd_kafka_queue_new(consumer->rk);
    if (!consumer->records)
        return pst_fail_nomem(err, "record queue");
    consumer->others = rd_kafka_queue_get_consumer(consumer->rk);
    rd_kafka_queue_cb_event_enable(consumer->others, on_event, consumer);
    /* librdkafka's main thread may have looked for a broker before it knew of any, and
       would look again after a second. Any operation makes it look now. */
    rd_kafka_unsubscribe(consumer->rk);
    return PST_OK;
}

pst_rc pst_consumer_new(pst_consumer **out, const pst_consumer_config *config,
                        pst_err *err)
{
    pst_consumer *consumer = pst_calloc(1, sizeof *consumer);
    if (!consumer)
        return pst_fail_nomem(err, "Kafka consumer");
    rd_kafka_conf_t *conf = NULL;
    pst_kafka_link_init(&consumer->link, &config->kafka);
    consumer->events = config->events;
    consumer->cancel = config->kafka.cancel;
    pst_rc rc = pst_kafka_conf_build(&conf, PST_KAFKA_CONSUMER, &config->kafka, err);
    if (rc == PST_OK) {
        rc = pst_kafka_conf_consumer(conf, config, err);
        if (rc == PST_OK)
            rc = pst_kafka_conf_hear_group(conf, &consumer->link, err);
        if (rc != PST_OK)
            rd_kafka_conf_destroy(conf);
    }
    if (rc == PST_OK)
        rc = start_client(consumer, conf, err);
    if (rc != PST_OK) {
        pst_consumer_free(consumer);
        return rc;
    }
    *out = consumer;
    return PST_OK;
}

static void release_batch(pst_consumer *consumer)
{
    for (size_t i = 0; i < consumer->n_batch; i++)
        rd_kafka_message_destroy(consumer->batch[i]);
    consumer->n_batch = consumer->n_items = 0;
}

/* Rebalances are handled within; a record or an error that was still on its way is not
   wanted any more. (rd_kafka_queue_poll_callback() aborts the process on those.) */
static void serve_close(rd_kafka_queue_t *queue)
{
    rd_kafka_message_t *message = rd_kafka_consume_queue(queue, STEP_MS);
    if (message)
        rd_kafka_message_destroy(message);
}

/* librdkafka before 2.3 aborts the process when it destroys a member that knows the
   group's assignor and never got its share: the sticky assignor has no state then. */
static bool lacks_place(pst_consumer *consumer)
{
    return atomic_load(&consumer->link.chosen) && !atomic_load(&consumer->link.placed);
}

/* The share is a moment away, unless the member that is to compute it has died. A
   rebalance that is told after the close may leave librdkafka waiting for itself. */
static void settle_group(pst_consumer *consumer)
{
    int64_t until = pst_mono_ms(pst_clock_system()) + SETTLE_MS;
    while ((lacks_place(consumer) || atomic_load(&consumer->link.calling)) &&
           pst_mono_ms(pst_clock_system()) < until) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->rk, 5);
        if (message)
            rd_kafka_message_destroy(message);
    }
}

/* rd_kafka_consumer_close() waits for a broker that hangs as long as it hangs. */
static void *close_client(void *opaque)
{
    pst_consumer *consumer = opaque;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->rk, queue);
    int64_t until = pst_mono_ms(pst_clock_system()) + CLOSE_MS;
    while (!error && !rd_kafka_consumer_closed(consumer->rk) &&
           pst_mono_ms(pst_clock_system()) < until)
        serve_close(queue);
    consumer->refused = error != NULL;
    rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
    return NULL;
}

/* False: it still runs. Without a thread to be had it runs here, however long. */
static bool run_in_time(void *(*run)(void *), void *arg, int seconds)
{
    pthread_t thread;
    struct timespec until;
    if (pthread_create(&thread, NULL, run, arg)) {
        (void)run(arg);
        return true;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
        return true;
    pthread_detach(thread);
    return false;
}

/* In a thread: what the callbacks ask of librdkafka during a close has no time-out, and
   has been seen to wait for ever. */
void pst_consumer_close(pst_consumer *consumer)
{
    if (!consumer || !consumer->rk || consumer->closed)
        return;
    consumer->closed = true;
    settle_group(consumer);
    consumer->stuck = !run_in_time(close_client, consumer, CLOSE_MS / 1000 + 1);
    atomic_store(&consumer->deaf, true);
    consumer->hangs = consumer->stuck ||
                      (!consumer->refused && !rd_kafka_consumer_closed(consumer->rk));
    if (consumer->hangs)
        pst_kafka_link_log(&consumer->link, 4, "CLOSE",
                           "the broker does not answer: the group learns of the leave "
                           "when session.timeout.ms is over");
}

/* What was fetched and never taken holds its partition, and the partition the queue:
   librdkafka before 2.4 then waits for both for ever when it is destroyed. */
static void drain(pst_consumer *consumer)
{
    rd_kafka_message_t *message;
    while (consumer->records &&
           (message = rd_kafka_consume_queue(consumer->records, 0)) != NULL)
        rd_kafka_message_destroy(message);
}

static void *destroy_client(void *rk)
{
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); /* it was tried */
    return NULL;
}

/* rd_kafka_destroy() has no time-out, and has been seen to wait for ever: a task that has
   ended must not be kept by it. False: it still runs, and so may the client's threads. */
static bool destroy_in_time(pst_consumer *consumer)
{
    if (consumer->stuck || lacks_place(consumer))
        return false;
    return run_in_time(destroy_client, consumer->rk,
                       consumer->hangs ? HUNG_DESTROY_S : DESTROY_S);
}

/* Left to librdkafka's threads, which may look at it; they get no log any more. */
static void abandon(pst_consumer *consumer)
{
    pst_kafka_link_log(&consumer->link, 4, "DESTROY",
                       "librdkafka cannot be ended; its memory is left behind");
    pst_kafka_link_silence(&consumer->link);
}

void pst_consumer_free(pst_consumer *consumer)
{
    if (!consumer)
        return;
    pst_consumer_close(consumer);
    release_batch(consumer);
    drain(consumer);
    if (consumer->others) {
        rd_kafka_queue_cb_event_enable(consumer->others, NULL, NULL);
        rd_kafka_queue_destroy(consumer->others);
    }
    if (consumer->records)
        rd_kafka_queue_destroy(consumer->records);
    if (consumer->rk && !destroy_in_time(consumer)) {
        abandon(consumer);
        return;
    }
    if (consumer->password)
        pst_wipe(consumer->password, strlen(consumer->password));
    pst_free(consumer->user);
    pst_free(consumer->password);
    pst_kafka_link_done(&consumer->link);
    pst_free(consumer);
}

pst_rc pst_consumer_subscribe(pst_consumer *consumer, const char *const *topics, size_t n,
                              pst_err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? pst_kafka_fail(err, code, "subscribe", NULL) : PST_OK;
}

bool pst_consumer_joining(const pst_consumer *consumer)
{
    return atomic_load(&((pst_consumer *)(uintptr_t)consumer)->link.joining);
}

int pst_consumer_session_timeout_ms(const pst_consumer *consumer)
{
    return consumer->session_timeout_ms;
}

/* ---- serving ---- */

static void note_error(pst_consumer *consumer, const rd_kafka_message_t *message)
{
    const char *text = rd_kafka_message_errstr(message);
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
        pst_err err = PST_ERR_INIT;
        (void)pst_fail(&err, PST_E_KAFKA, "Kafka consumer: %s", text);
        keep_error(consumer, &err);
    } else if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
               message->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
        pst_kafka_link_log(&consumer->link, 3, "AUTH", text);
    } else if (message->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        pst_kafka_link_log(&consumer->link, 4, "CONSUMER", text);
    }
    pst_kafka_link_set_error(&consumer->link, text);
}

/* Records come by their own queue. One that comes here would be missed there: start anew
   from what is durable rather than land a gap. */
static void refuse_stray(pst_consumer *consumer, const rd_kafka_message_t *message)
{
    pst_err err = PST_ERR_INIT;
    (void)pst_fail(&err, PST_E_KAFKA,
                   "Kafka consumer: the record at offset %lld of %s-%d came outside its "
                   "queue; nothing is lost, restart the task",
                   (long long)message->offset,
                   message->rkt ? rd_kafka_topic_name(message->rkt) : "",
                   message->partition);
    keep_error(consumer, &err);
}

pst_rc pst_consumer_serve(pst_consumer *consumer, pst_err *err)
{
    for (int i = 0; i < 100; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->rk, 0);
        if (!message)
            break;
        if (message->err)
            note_error(consumer, message);
        else
            refuse_stray(consumer, message);
        rd_kafka_message_destroy(message);
    }
    if (consumer->failed.code == PST_OK)
        return PST_OK;
    if (err && err->code == PST_OK)
        *err = consumer->failed;
    pst_rc rc = consumer->failed.code;
    pst_err_clear(&consumer->failed);
    return rc;
}

/* ---- records ---- */

static void set_item(pst_item *item, rd_kafka_message_t *m)
{
    *item = (pst_item){.raw = m};
    pst_msg *msg = &item->msg;
    msg->topic = m->rkt ? rd_kafka_topic_name(m->rkt) : "";
    msg->partition = m->partition;
    msg->offset = m->offset;
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        item->kind = PST_ITEM_EOF;
        return;
    }
    rd_kafka_timestamp_type_t type;
    msg->timestamp_ms = rd_kafka_message_timestamp(m, &type);
    msg->timestamp_type = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    msg->key = (pst_sv){m->key, m->key ? m->key_len : 0};
    msg->value = (pst_sv){m->payload, m->payload ? m->len : 0};
    msg->headers = m;
}

static bool is_out_of_range(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
           code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
}

static void wake_when_low(pst_consumer *consumer, size_t got)
{
    if (got < BATCH_MAX || rd_kafka_queue_length(consumer->records) > LOW_QUEUE)
        return;
    int64_t now = pst_mono_ms(pst_clock_system());
    if (now - consumer->woken_ms < WAKE_INTERVAL_MS)
        return;
    consumer->woken_ms = now;
    rd_kafka_error_t *error =
        rd_kafka_sasl_set_credentials(consumer->rk, consumer->user, consumer->password);
    if (error)
        rd_kafka_error_destroy(error);
}

/* The next message, waited for until `until` (monotonic, ms). One at a time, not by
   rd_kafka_consume_batch_queue(): that one drops what it has gathered of a partition when
   librdkafka pauses it meanwhile, as in every cooperative rebalance, but its position
   has moved over these messages already: nobody would see them again. */
static rd_kafka_message_t *next_message(pst_consumer *consumer, int64_t until)
{
    rd_kafka_message_t *message = rd_kafka_consume_queue(consumer->records, 0);
    if (message)
        return message;
    if (atomic_exchange(&consumer->awake, false))
        return NULL;
    int64_t left = until - pst_mono_ms(pst_clock_system());
    return left > 0 ? rd_kafka_consume_queue(consumer->records, (int)left) : NULL;
}

static bool gather(pst_consumer *consumer, int timeout_ms)
{
    int64_t until = pst_mono_ms(pst_clock_system()) + timeout_ms;
    while (consumer->n_batch < BATCH_MAX) {
        rd_kafka_message_t *message = next_message(consumer, until);
        if (!message)
            break;
        consumer->batch[consumer->n_batch++] = message;
    }
    return consumer->n_batch || rd_kafka_last_error() == RD_KAFKA_RESP_ERR__TIMED_OUT;
}

pst_rc pst_consumer_poll(pst_consumer *consumer, int timeout_ms, const pst_item **items,
                         size_t *n, pst_err *err)
{
    release_batch(consumer);
    *n = 0;
    *items = consumer->items;
    if (!gather(consumer, timeout_ms))
        return pst_kafka_fail(err, rd_kafka_last_error(), "fetch", NULL);
    for (size_t i = 0; i < consumer->n_batch; i++) {
        rd_kafka_message_t *m = consumer->batch[i];
        bool eof = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (m->err && !eof && !is_out_of_range(m->err)) {
            note_error(consumer, m);
            continue;
        }
        pst_item *item = &consumer->items[(*n)++];
        set_item(item, m);
        if (m->err && !eof)
            item->kind = PST_ITEM_OUT_OF_RANGE;
    }
    consumer->n_items = *n;
    wake_when_low(consumer, consumer->n_batch);
    return PST_OK;
}

pst_rc pst_consumer_seek(pst_consumer *consumer, const char *topic, int32_t partition,
                         int64_t offset, pst_err *err)
{
    pst_tp tp = {.topic = topic, .partition = partition, .offset = offset};
    make_stale(consumer, topic, partition);
    rd_kafka_topic_partition_list_t *list = list_of(&tp, 1);
    pst_rc rc = pst_kafka_fail_take(
        err, rd_kafka_seek_partitions(consumer->rk, list, 5000), "seek");
    if (rc == PST_OK && list->elems[0].err)
        rc = pst_kafka_fail(err, list->elems[0].err, "seek", NULL);
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

/* ---- offsets and facts ---- */

pst_rc pst_consumer_committed(pst_consumer *consumer, pst_tp *tps, size_t n,
                              char (*metadata)[PST_KAFKA_METADATA_MAX], int timeout_ms,
                              pst_err *err)
{
    rd_kafka_topic_partition_list_t *list = list_of(tps, n);
    rd_kafka_resp_err_t code = rd_kafka_committed(consumer->rk, list, timeout_ms);
    for (size_t i = 0; !code && i < n; i++)
        code = list->elems[i].err;
    pst_rc rc = PST_OK;
    if (code)
        rc = pst_kafka_fail(err, code, "read committed offsets", NULL);
    for (size_t i = 0; rc == PST_OK && i < n; i++) {
        const rd_kafka_topic_partition_t *tp = &list->elems[i];
        tps[i].offset = tp->offset < 0 ? PST_OFFSET_NONE : tp->offset;
        if (metadata) {
            snprintf(metadata[i], PST_KAFKA_METADATA_MAX, "%.*s", (int)tp->metadata_size,
                     tp->metadata ? (const char *)tp->metadata : "");
            tps[i].metadata = metadata[i];
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

typedef struct commit_answer {
    bool there;
    rd_kafka_resp_err_t code;
} commit_answer;

static void on_commit_answer(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                             rd_kafka_topic_partition_list_t *list, void *opaque)
{
    (void)rk;
    commit_answer *answer = opaque;
    for (int i = 0; list && !code && i < list->cnt; i++)
        code = list->elems[i].err;
    *answer = (commit_answer){.there = true, .code = code};
}

/* By a queue of its own: rd_kafka_commit() waits without a bound, and reports to the
   callback of the asynchronous ones, too. An answer that comes too late finds the queue
   closed. */
pst_rc pst_consumer_commit(pst_consumer *consumer, const pst_tp *tps, size_t n,
                           int timeout_ms, pst_err *err)
{
    commit_answer answer = {.there = false};
    int64_t until = pst_mono_ms(pst_clock_system()) + timeout_ms, left = timeout_ms;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->rk);
    rd_kafka_topic_partition_list_t *list = list_of(tps, n);
    rd_kafka_resp_err_t code =
        rd_kafka_commit_queue(consumer->rk, list, queue, on_commit_answer, &answer);
    while (!code && !answer.there && left > 0) {
        rd_kafka_queue_poll_callback(queue, left < STEP_MS ? (int)left : STEP_MS);
        left = until - pst_mono_ms(pst_clock_system());
        if (pst_cancelled(consumer->cancel))
            break;
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(list);
    if (!code)
        code = answer.there ? answer.code : RD_KAFKA_RESP_ERR__TIMED_OUT;
    return code ? pst_kafka_fail(err, code, "commit offsets", NULL) : PST_OK;
}

pst_rc pst_consumer_commit_async(pst_consumer *consumer, const pst_tp *tps, size_t n,
                                 pst_err *err)
{
    rd_kafka_topic_partition_list_t *list = list_of(tps, n);
    rd_kafka_resp_err_t code = rd_kafka_commit(consumer->rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? pst_kafka_fail(err, code, "commit offsets", NULL) : PST_OK;
}

rd_kafka_t *pst_consumer_handle(pst_consumer *consumer)
{
    return consumer->rk;
}

pst_rc pst_consumer_watermarks(pst_consumer *consumer, const char *topic,
                               int32_t partition, int64_t *low, int64_t *high,
                               int timeout_ms, pst_err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        consumer->rk, topic, partition, low, high, timeout_ms);
    return code ? pst_kafka_fail(err, code, "read the log's ends", topic) : PST_OK;
}

int64_t pst_consumer_end(pst_consumer *consumer, const char *topic, int32_t partition)
{
    int64_t low, high;
    rd_kafka_resp_err_t code =
        rd_kafka_get_watermark_offsets(consumer->rk, topic, partition, &low, &high);
    return code || high < 0 ? PST_OFFSET_NONE : high;
}

pst_rc pst_consumer_partitions(pst_consumer *consumer, const char *topic, int32_t *n,
                               int timeout_ms, pst_err *err)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(consumer->rk, topic, NULL);
    if (!rkt)
        return pst_kafka_fail(err, rd_kafka_last_error(), "topic", topic);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(consumer->rk, 0, rkt, &metadata, timeout_ms);
    if (!code && metadata->topic_cnt == 1)
        code = metadata->topics[0].err;
    pst_rc rc = PST_OK;
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
        (!code && (metadata->topic_cnt == 0 || metadata->topics[0].partition_cnt == 0)))
        rc = pst_fail_retriable(err, PST_E_NOT_FOUND, "topic %s does not exist", topic);
    else if (code)
        rc = pst_kafka_fail(err, code, "read metadata of topic", topic);
    else
        *n = metadata->topics[0].partition_cnt;
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(rkt);
    return rc;
}

pst_rc pst_consumer_cluster(pst_consumer *consumer, char **id, int timeout_ms,
                            pst_err *err)
{
    char *found = rd_kafka_clusterid(consumer->rk, timeout_ms);
    if (!found) {
        char why[PST_KAFKA_ERROR_TEXT];
        char *servers =
            pst_kafka_conf_text(rd_kafka_conf(consumer->rk), "bootstrap.servers");
        pst_kafka_link_last_error(&consumer->link, why, sizeof why);
        (void)pst_fail_retriable(
            err, PST_E_TIMEOUT,
            "no Kafka broker answers; check bootstrap.servers=%.200s%s%s",
            servers ? servers : "", *why ? ": " : "", why);
        pst_free(servers);
        return PST_E_TIMEOUT;
    }
    *id = pst_strdup(found);
    rd_kafka_mem_free(consumer->rk, found);
    return *id ? PST_OK : pst_fail_nomem(err, "cluster id");
}

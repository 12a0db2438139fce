/*
 * deadletter.c - see deadletter.h.
 *
 * librdkafka keeps the copies, delivers them in its own time and retries by itself
 * without an end; here is only who waits for which of them. Their bytes count into
 * buffer.memory and have a ceiling of their own (an eighth of it), so that a topic that
 * can't be written to stops the reading and nothing else grows. A letter that fails for
 * good is not kept: its window is read again from Kafka (objects_letters.c), which is why
 * letters are at least once.
 */
#include "runtime/deadletter.h"

#include "base/mem.h"
#include "io/kafka_headers.h"
#include "runtime/budget.h"

#include <stdio.h>
#include <string.h>

enum {
    SHARE = 8,           /* of buffer.memory: what may be on its way */
    LETTERS_MAX = 50000, /* on their way; librdkafka's own limit is higher */
    OVERHEAD = 512,      /* a letter's own headers and what librdkafka adds */
    RENEW_MS = 1000,     /* between two producers */
    OVERDUE_MS = 10000,
    REMIND_MS = 30000,
    CONTEXT_MAX = 10, /* __connect.errors.* headers */
    NUMBER_MAX = 24,
};

#define EXCEPTION "org.apache.kafka.connect.errors.DataException"

struct pst_letters {
    size_t pending; /* neither acknowledged nor failed */
    bool released;  /* its window is gone: the last letter frees it */
    pst_err why;    /* of the first that failed */
};

/* On its way; librdkafka has the bytes. */
typedef struct letter {
    struct letter *prev, *next; /* in the order of sending */
    pst_letters *window;
    int64_t offset; /* the record's */
    int64_t sent_ms;
    size_t bytes;
} letter;

struct pst_deadletters {
    const pst_connector_conf *connector;
    const pst_task_env *env;
    pst_producer *producer; /* NULL until it is needed */
    letter *first, *last;
    size_t n;
    int64_t bytes, bytes_max;
    int64_t failing_since_ms; /* 0 = it works */
    int64_t renew_at_ms, reminded_ms;
    int64_t sent, lost;
};

static int64_t mono(const pst_deadletters *dead)
{
    return pst_mono_ms(dead->env->clock);
}

static const char *topic_of(const pst_deadletters *dead)
{
    return dead->connector->dlq_topic;
}

/* ---- a window's letters ---- */

bool pst_letters_settled(const pst_letters *letters)
{
    return !letters || (letters->pending == 0 && letters->why.code == PST_OK);
}

const pst_err *pst_letters_failed(const pst_letters *letters)
{
    return letters && letters->why.code != PST_OK ? &letters->why : NULL;
}

void pst_letters_release(pst_letters *letters)
{
    if (!letters)
        return;
    letters->released = true;
    if (!letters->pending)
        pst_free(letters);
}

/* ---- letters on their way ---- */

static void append(pst_deadletters *dead, letter *l)
{
    l->prev = dead->last;
    *(dead->last ? &dead->last->next : &dead->first) = l;
    dead->last = l;
    dead->n++;
    dead->bytes += (int64_t)l->bytes;
    pst_budget_add(dead->env->budget, l->bytes);
    l->window->pending++;
}

/* It is neither here nor there any more. */
static void settle(pst_deadletters *dead, letter *l)
{
    *(l->prev ? &l->prev->next : &dead->first) = l->next;
    *(l->next ? &l->next->prev : &dead->last) = l->prev;
    dead->n--;
    dead->bytes -= (int64_t)l->bytes;
    pst_budget_sub(dead->env->budget, l->bytes);
    pst_letters *window = l->window;
    window->pending--;
    if (window->released && !window->pending)
        pst_free(window);
    pst_free(l);
}

static void note_failure(pst_deadletters *dead, const letter *l, const pst_err *why)
{
    dead->lost++;
    if (!dead->failing_since_ms)
        dead->failing_since_ms = mono(dead);
    pst_err *kept = &l->window->why;
    if (kept->code != PST_OK)
        return;
    *kept = *why;
    pst_err_context(kept, "the dead letter of offset %lld%s", (long long)l->offset,
                    why->code == PST_E_LIMIT ? " (raise max.message.bytes of its topic)"
                                             : "");
}

static void failed(pst_deadletters *dead, letter *l, const pst_err *why)
{
    note_failure(dead, l, why);
    settle(dead, l);
}

/* A pst_delivered. */
static void delivered(void *self, void *opaque, const char *topic, int32_t partition,
                      int64_t offset, const pst_err *err)
{
    pst_deadletters *dead = self;
    (void)topic;
    (void)partition;
    (void)offset;
    if (err) {
        failed(dead, opaque, err);
        return;
    }
    dead->sent++;
    dead->failing_since_ms = 0;
    settle(dead, opaque);
}

static void drop_producer(pst_deadletters *dead, const pst_err *why)
{
    pst_producer_free(dead->producer); /* calls nobody back */
    dead->producer = NULL;
    while (dead->first)
        failed(dead, dead->first, why);
}

/* ---- life ---- */

static pst_kafka_options kafka_of(const pst_task_env *env, pst_cancel *cancel)
{
    return (pst_kafka_options){.worker = env->worker,
                               .connector = env->connector_props,
                               .client_id = env->id,
                               .log = env->log,
                               .cancel = cancel};
}

static pst_rc ensure_topic(const pst_connector_conf *connector, const pst_task_env *env,
                           pst_err *err)
{
    pst_topic_at at = {.kafka = kafka_of(env, env->cancel),
                       .setting = "errors.deadletterqueue.topic.name",
                       .topic = connector->dlq_topic,
                       .replication = connector->dlq_replication,
                       .timeout_ms = (int)(env->startup_timeout_ms < INT32_MAX
                                               ? env->startup_timeout_ms
                                               : INT32_MAX)};
    return pst_topic_ensure(&at, err);
}

pst_rc pst_deadletters_new(pst_deadletters **out, const pst_connector_conf *connector,
                           const pst_task_env *env, pst_err *err)
{
    if (!connector->dlq_topic || !*connector->dlq_topic ||
        connector->errors_tolerance == PST_TOLERANCE_NONE)
        return PST_OK;
    pst_rc rc = ensure_topic(connector, env, err);
    if (rc != PST_OK)
        return rc;
    pst_deadletters *dead = pst_calloc(1, sizeof *dead);
    if (!dead)
        return pst_fail_nomem(err, "dead letters");
    dead->connector = connector;
    dead->env = env;
    dead->bytes_max = env->budget->limit / SHARE;
    *out = dead;
    return PST_OK;
}

void pst_deadletters_free(pst_deadletters *dead)
{
    if (!dead)
        return;
    pst_err why = PST_ERR_INIT;
    pst_fail(&why, PST_E_STOPPED, "stopped");
    drop_producer(dead, &why);
    pst_free(dead);
}

/* ---- sending ---- */

static pst_rc open_producer(pst_deadletters *dead, pst_err *err)
{
    pst_producer_config config = {
        .kafka = kafka_of(dead->env, dead->env->abort),
        .relay = true,
        .delivered = delivered,
        .self = dead,
    };
    if (dead->producer)
        return PST_OK;
    if (mono(dead) < dead->renew_at_ms)
        return pst_fail_retriable(err, PST_E_LIMIT,
                                  "the producer of dead letters is new");
    return pst_producer_new(&dead->producer, &config, err);
}

/* After a fatal error of librdkafka's only another producer can go on. */
static bool renew(pst_deadletters *dead)
{
    pst_err why = PST_ERR_INIT;
    char last[400] = "";
    if (!dead->producer || pst_producer_fate(dead->producer) == PST_PRODUCER_FINE)
        return false;
    pst_producer_last_error(dead->producer, last, sizeof last);
    pst_fail_retriable(&why, PST_E_KAFKA, "topic %s: the producer has failed: %s",
                       topic_of(dead), last);
    if (!dead->failing_since_ms)
        dead->failing_since_ms = mono(dead);
    drop_producer(dead, &why);
    dead->renew_at_ms = mono(dead) + RENEW_MS;
    return true;
}

/* What a copy of the record takes. *headers: they are well-formed. */
static size_t size_of(const pst_msg *msg, bool *headers)
{
    size_t bytes = OVERHEAD + msg->key.n + msg->value.n;
    pst_sv key, value;
    pst_rc rc = msg->headers ? PST_OK : PST_E_NOT_FOUND;
    for (size_t i = 0; rc == PST_OK; i++) {
        rc = pst_kafka_header(msg->headers, i, &key, &value);
        if (rc == PST_OK)
            bytes += 64 + key.n + value.n;
    }
    *headers = msg->headers && rc == PST_E_NOT_FOUND;
    return bytes;
}

typedef struct context {
    pst_header headers[CONTEXT_MAX];
    size_t n;
    char partition[NUMBER_MAX], offset[NUMBER_MAX], task[NUMBER_MAX];
    char trace[sizeof EXCEPTION + 2 + sizeof((pst_err *)0)->text];
} context;

static void add(context *c, const char *name, const char *value)
{
    c->headers[c->n++] = (pst_header){name, pst_sv_of(value)};
}

/* As Connect's DeadLetterQueueReporter: all values are text. A record that is no JSON is
   what its value converter meets; the rest, what putting it into the sink does. */
static void fill_context(const pst_deadletters *dead, const pst_msg *msg,
                         const pst_err *why, context *c)
{
    bool converter = why->code == PST_E_INVALID && msg->value.p;
    const char *stage = converter ? "VALUE_CONVERTER" : "TASK_PUT";
    snprintf(c->partition, sizeof c->partition, "%d", msg->partition);
    snprintf(c->offset, sizeof c->offset, "%lld", (long long)msg->offset);
    snprintf(c->task, sizeof c->task, "%d", dead->env->index);
    snprintf(c->trace, sizeof c->trace, EXCEPTION ": %s", why->text);
    add(c, "__connect.errors.topic", msg->topic);
    add(c, "__connect.errors.partition", c->partition);
    add(c, "__connect.errors.offset", c->offset);
    add(c, "__connect.errors.connector.name", dead->env->connector);
    add(c, "__connect.errors.task.id", c->task);
    add(c, "__connect.errors.stage", why->stage ? why->stage : stage);
    add(c, "__connect.errors.class.name", dead->connector->connector_class);
    add(c, "__connect.errors.exception.class.name", EXCEPTION);
    add(c, "__connect.errors.exception.message", why->text);
    add(c, "__connect.errors.exception.stacktrace", c->trace);
}

static pst_rc produce(pst_deadletters *dead, letter *l, const pst_msg *msg, bool headers,
                      const pst_err *why, pst_err *err)
{
    context c = {.n = 0};
    if (dead->connector->dlq_context_headers)
        fill_context(dead, msg, why, &c);
    pst_outgoing record = {
        .topic = topic_of(dead),
        .partition = -1,
        .key = msg->key,
        .value = msg->value,
        .timestamp_ms = msg->timestamp_ms > 0 ? msg->timestamp_ms : 0,
        .headers_of = headers ? msg->headers : NULL,
        .headers = c.headers,
        .n_headers = c.n,
        .opaque = l,
    };
    return pst_producer_send(dead->producer, &record, err);
}

static bool full(const pst_deadletters *dead, size_t bytes)
{
    return dead->n &&
           (dead->n >= LETTERS_MAX || dead->bytes + (int64_t)bytes > dead->bytes_max);
}

static pst_rc letter_new(const pst_deadletters *dead, pst_letters **window,
                         const pst_msg *msg, size_t bytes, letter **out, pst_err *err)
{
    if (!*window && !(*window = pst_calloc(1, sizeof **window)))
        return pst_fail_nomem(err, "dead letters");
    *out = pst_calloc(1, sizeof **out);
    if (!*out)
        return pst_fail_nomem(err, "dead letters");
    **out = (letter){
        .window = *window, .offset = msg->offset, .sent_ms = mono(dead), .bytes = bytes};
    return PST_OK;
}

/* librdkafka did not take it. A full queue empties, unless nothing is in it; all else is
   as a letter that failed. */
static pst_rc refused(pst_deadletters *dead, letter *l, pst_err *why, pst_err *err)
{
    if (renew(dead))
        return pst_fail_retriable(err, PST_E_LIMIT,
                                  "the producer of dead letters failed");
    bool queue = why->code == PST_E_LIMIT && why->retriable;
    if (queue && dead->n)
        return pst_fail_retriable(err, PST_E_LIMIT, "%s", why->text);
    if (queue) {
        why->retriable = false;
        pst_err_context(why, "raise producer.queue.buffering.max.kbytes");
    }
    note_failure(dead, l, why);
    return pst_fail_retriable(err, PST_E_LIMIT, "a dead letter failed");
}

pst_rc pst_deadletters_send(pst_deadletters *dead, pst_letters **window,
                            const pst_msg *msg, const pst_err *why, pst_err *err)
{
    bool headers;
    size_t bytes = size_of(msg, &headers);
    letter *l = NULL;
    pst_err told = PST_ERR_INIT;
    pst_rc rc = open_producer(dead, err);
    if (rc == PST_OK && full(dead, bytes))
        rc = pst_fail_retriable(err, PST_E_LIMIT, "%zu dead letters are on their way",
                                dead->n);
    if (rc == PST_OK)
        rc = letter_new(dead, window, msg, bytes, &l, err);
    if (rc == PST_OK && produce(dead, l, msg, headers, why, &told) != PST_OK)
        rc = refused(dead, l, &told, err);
    if (headers)
        pst_kafka_headers_drop(
            msg->headers); /* parsed, they take many times their bytes */
    if (rc != PST_OK) {
        pst_free(l);
        return rc;
    }
    append(dead, l);
    return PST_OK;
}

/* ---- acknowledgements ---- */

/* One line now and then when the oldest letter waits for long. */
static pst_rc watch(pst_deadletters *dead, pst_err *err)
{
    char last[400];
    int64_t now = mono(dead), limit = dead->connector->errors_retry_timeout_ms;
    int64_t age = dead->first ? now - dead->first->sent_ms : 0;
    if (age < OVERDUE_MS && (limit < 0 || age < limit))
        return PST_OK;
    pst_producer_last_error(dead->producer, last, sizeof last);
    const char *why = *last ? last : "no answer from Kafka";
    if (dead->env->until_end && limit >= 0 && age >= limit)
        return pst_fail(err, PST_E_TIMEOUT,
                        "%zu dead letters are not acknowledged by topic %s after "
                        "errors.retry.timeout=%lld ms: %s",
                        dead->n, topic_of(dead), (long long)limit, why);
    if (age < OVERDUE_MS || (dead->reminded_ms && now - dead->reminded_ms < REMIND_MS))
        return PST_OK;
    dead->reminded_ms = now;
    pst_logf(
        dead->env->log, PST_LOG_WARN, dead->env->id, "deadletter",
        "%zu dead letters are not acknowledged by topic %s for %lld ms: %s; waiting, "
        "nothing is dropped",
        dead->n, topic_of(dead), (long long)age, why);
    return PST_OK;
}

pst_rc pst_deadletters_poll(pst_deadletters *dead, pst_err *err)
{
    if (!dead->producer)
        return PST_OK;
    (void)pst_producer_poll(dead->producer, 0);
    if (renew(dead))
        return PST_OK;
    return watch(dead, err);
}

int64_t pst_deadletters_failing_ms(const pst_deadletters *dead)
{
    return dead->failing_since_ms ? mono(dead) - dead->failing_since_ms : 0;
}

bool pst_deadletters_waiting(const pst_deadletters *dead)
{
    return dead->n > 0;
}

int64_t pst_deadletters_sent(const pst_deadletters *dead)
{
    return dead->sent;
}

int64_t pst_deadletters_lost(const pst_deadletters *dead)
{
    return dead->lost;
}

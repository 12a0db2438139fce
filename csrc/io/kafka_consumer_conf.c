/*
 * kafka_consumer_conf.c - librdkafka's settings of a consumer: what the protocol needs,
 * and our defaults.
 */
#include "io/kafka_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static bool user_has_set(const pst_kafka_options *options, const char *name)
{
    char key[128];
    if (options->worker && pst_props_find(options->worker, name))
        return true;
    snprintf(key, sizeof key, "consumer.%s", name);
    if (options->worker && pst_props_find(options->worker, key))
        return true;
    snprintf(key, sizeof key, "consumer.override.%s", name);
    return options->connector && pst_props_find(options->connector, key);
}

typedef struct preset {
    const char *name, *value;
} preset;

/* What the protocol needs, whatever the user says. */
static const preset fixed[] = {
    {"enable.auto.commit", "false"},       {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},        {"enable.partition.eof", "true"},
    {"allow.auto.create.topics", "false"},
};

/* Our defaults, which consumer.* may change. */
static const preset defaults[] = {
    {"isolation.level", "read_committed"},
    {"partition.assignment.strategy", "cooperative-sticky"},
    {"session.timeout.ms", "10000"},
    {"heartbeat.interval.ms", "3000"},
    {"topic.metadata.refresh.interval.ms", "10000"},
    {"queued.min.messages", "1000000"},
    {"fetch.wait.max.ms", "250"},
    {"fetch.error.backoff.ms", "100"},
    {"reconnect.backoff.max.ms", "2000"},
    {"socket.keepalive.enable", "true"},
};

static pst_rc set_number(rd_kafka_conf_t *conf, const pst_kafka_options *options,
                         const char *name, int64_t value, pst_err *err)
{
    char text[32];
    if (user_has_set(options, name))
        return PST_OK;
    snprintf(text, sizeof text, "%lld", (long long)value);
    return pst_kafka_conf_set(conf, name, text, err);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Half of the ceiling may be queued, a quarter may be on its way. */
static pst_rc set_sizes(rd_kafka_conf_t *conf, const pst_consumer_config *config,
                        pst_err *err)
{
    const pst_kafka_options *options = &config->kafka;
    int64_t bytes = config->queue_bytes;
    pst_rc rc = set_number(conf, options, "queued.max.messages.kbytes",
                           clamp(bytes / 2 / 1024, 256, 2097151), err);
    if (rc == PST_OK)
        rc = set_number(conf, options, "fetch.max.bytes", /* message.max.bytes or more */
                        clamp(bytes / 4, 1 << 20, 50 << 20), err);
    if (rc == PST_OK)
        rc = set_number(conf, options, "max.partition.fetch.bytes",
                        clamp(bytes / 4, 1 << 18, 1 << 20), err);
    return rc;
}

char *pst_kafka_conf_text(const rd_kafka_conf_t *conf, const char *name)
{
    char text[1024];
    size_t size = sizeof text;
    if (rd_kafka_conf_get(conf, name, text, &size) != RD_KAFKA_CONF_OK)
        text[0] = '\0';
    char *copy = pst_strdup(text);
    pst_wipe(text, sizeof text);
    return copy;
}

/* librdkafka tells how its joining goes by debug lines alone: pst_consumer_joining(). */
pst_rc pst_kafka_conf_hear_group(rd_kafka_conf_t *conf, pst_kafka_link *link,
                                 pst_err *err)
{
    char *own = pst_kafka_conf_text(conf, "debug");
    if (!own)
        return pst_fail_nomem(err, "Kafka consumer");
    link->no_debug = !*own;
    char text[1100];
    snprintf(text, sizeof text, "%s%scgrp", own, *own ? "," : "");
    pst_free(own);
    return pst_kafka_conf_set(conf, "debug", text, err);
}

pst_rc pst_kafka_conf_consumer(rd_kafka_conf_t *conf, const pst_consumer_config *config,
                               pst_err *err)
{
    pst_rc rc = pst_kafka_conf_set(conf, "group.id", config->group, err);
    if (rc == PST_OK)
        rc = set_sizes(conf, config, err);
    for (size_t i = 0; rc == PST_OK && i < sizeof defaults / sizeof *defaults; i++)
        if (!user_has_set(&config->kafka, defaults[i].name))
            rc = pst_kafka_conf_set(conf, defaults[i].name, defaults[i].value, err);
    for (size_t i = 0; rc == PST_OK && i < sizeof fixed / sizeof *fixed; i++)
        rc = pst_kafka_conf_set(conf, fixed[i].name, fixed[i].value, err);
    if (rc == PST_OK && config->kafka.client_id)
        rc = pst_kafka_conf_set(conf, "client.id", config->kafka.client_id, err);
    return rc;
}

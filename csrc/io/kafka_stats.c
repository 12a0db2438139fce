/*
 * kafka_stats.c - librdkafka's statistics, a JSON text that grows with the partitions:
 * walked once, in place, for the few numbers that matter. No tree is built, nothing is
 * allocated. What is not understood is passed over: a number that is missing stays 0.
 */
#include "io/kafka_internal.h"

#include <stdbool.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

typedef struct walk {
    const char *at, *end;
    pst_sv path[DEPTH_MAX]; /* keys, outermost first */
    size_t depth;           /* objects around; may be more than are kept */
    pst_sv name;            /* the last string, which a ':' makes a key */
    bool counts;            /* this broker: a node of the cluster, not a role of one */
    pst_kafka_stats *out;
} walk;

typedef struct top_row {
    const char *name;
    size_t at;
} top_row;

#define AT(member) offsetof(pst_kafka_stats, member)

static const top_row of_client[] = {
    {"rx_bytes", AT(rx_bytes)},
    {"tx_bytes", AT(tx_bytes)},
    {"rxmsgs", AT(rx_messages)},
    {"txmsgs", AT(tx_messages)},
};

static const top_row of_broker[] = {
    {"req_timeouts", AT(timeouts)}, {"txretries", AT(retries)},
    {"txerrs", AT(errors)},         {"rxerrs", AT(errors)},
    {"connects", AT(connects)},     {"disconnects", AT(disconnects)},
};

static const top_row of_partition[] = {
    {"fetchq_cnt", AT(fetched_records)},
    {"fetchq_size", AT(fetched_bytes)},
};

static bool is(pst_sv key, const char *name)
{
    return pst_sv_eq(key, pst_sv_of(name));
}

static int64_t *member(pst_kafka_stats *out, size_t at)
{
    return (int64_t *)(void *)((char *)out + at);
}

static void add_row(const walk *w, const top_row *rows, size_t n, pst_sv key,
                    int64_t value)
{
    for (size_t i = 0; i < n; i++)
        if (is(key, rows[i].name) && value > 0)
            *member(w->out, rows[i].at) += value;
}

static void keep_most(int64_t *most, int64_t value)
{
    if (value > *most)
        *most = value;
}

/* brokers.<name>.rtt.avg and its kind: windows of samples. */
static void see_window(const walk *w, pst_sv window, pst_sv key, int64_t value)
{
    if (is(window, "rtt") && is(key, "avg"))
        keep_most(&w->out->rtt_us, value);
    else if (is(window, "rtt") && is(key, "p99"))
        keep_most(&w->out->rtt_p99_us, value);
    else if (is(window, "throttle") && is(key, "avg"))
        keep_most(&w->out->throttle_ms, value);
}

static void see_number(walk *w, pst_sv key, int64_t value)
{
    const pst_sv *path = w->path;
    if (w->depth == 1)
        add_row(w, of_client, sizeof of_client / sizeof *of_client, key, value);
    else if (w->depth == 2 && is(path[1], "cgrp") && is(key, "rebalance_cnt"))
        w->out->rebalances = value;
    else if (w->depth == 3 && is(path[1], "brokers") && is(key, "nodeid"))
        w->counts = value >= 0;
    else if (w->depth == 3 && is(path[1], "brokers"))
        add_row(w, of_broker, sizeof of_broker / sizeof *of_broker, key, value);
    else if (w->depth == 4 && is(path[1], "brokers"))
        see_window(w, path[3], key, value);
    else if (w->depth == 5 && is(path[1], "topics") && is(path[3], "partitions"))
        add_row(w, of_partition, sizeof of_partition / sizeof *of_partition, key, value);
}

/* A broker's name, nodeid, source and state come in this order. */
static void see_string(walk *w, pst_sv key, pst_sv value)
{
    if (w->depth != 3 || !is(w->path[1], "brokers"))
        return;
    if (is(key, "source") && is(value, "logical"))
        w->counts = false;
    else if (is(key, "state") && is(value, "UP"))
        w->out->brokers_up += w->counts;
}

static pst_sv take_string(walk *w)
{
    const char *from = ++w->at;
    while (w->at < w->end && *w->at != '"')
        w->at += *w->at == '\\' && w->at + 1 < w->end ? 2 : 1;
    pst_sv text = {from, (size_t)(w->at - from)};
    w->at += w->at < w->end;
    return text;
}

static int64_t take_number(walk *w)
{
    bool minus = *w->at == '-';
    int64_t value = 0;
    w->at += minus;
    for (; w->at < w->end && *w->at >= '0' && *w->at <= '9'; w->at++)
        value = value > INT64_MAX / 10 - 1 ? value : value * 10 + (*w->at - '0');
    while (w->at < w->end && strchr(".eE+-0123456789", *w->at))
        w->at++;
    return minus ? -value : value;
}

static void open_object(walk *w, pst_sv key)
{
    if (w->depth < DEPTH_MAX)
        w->path[w->depth] = key;
    w->depth++;
    w->at++;
}

void pst_kafka_stats_read(const char *json, size_t n, pst_kafka_stats *out)
{
    walk w = {.at = json, .end = json + n, .out = out};
    pst_sv key = {NULL, 0};
    *out = (pst_kafka_stats){.rx_bytes = 0};
    while (w.at < w.end && *w.at) {
        char c = *w.at;
        if (c == '"') {
            pst_sv text = take_string(&w);
            if (w.at < w.end && *w.at == ':')
                key = text;
            else
                see_string(&w, key, text);
        } else if (c == '{' || c == '[') {
            open_object(&w, key);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            see_number(&w, key, take_number(&w));
        } else {
            w.depth -= (c == '}' || c == ']') && w.depth > 0;
            w.at++;
        }
    }
}

int pst_kafka_on_stats(rd_kafka_t *rk, char *json, size_t n, void *opaque)
{
    (void)rk;
    pst_kafka_link *link = opaque;
    pst_kafka_stats stats;
    if (!link || !link->stats)
        return 0;
    pst_kafka_stats_read(json, n, &stats);
    link->stats(link->stats_self, &stats);
    return 0; /* librdkafka frees the text */
}

/*
 * kafka_mock.c - librdkafka's embedded cluster, for `penstock demo` and unit tests.
 *
 * It speaks Kafka's protocol on loopback ports out of threads of this process and keeps
 * its log in memory: nothing survives it, and it retains at most some MB per partition.
 * Not for data that matters.
 */
#include "io/kafka_internal.h"

#include "base/mem.h"

#include <string.h>

enum { BROKERS_MAX = 9, PARTITIONS_MAX = 1000 };

struct pst_mock_kafka {
    rd_kafka_t *rk; /* carries the cluster's threads; never produces */
    rd_kafka_mock_cluster_t *cluster;
    char *bootstrap;
};

/* The carrier's own lines ("No bootstrap.servers configured") would only confuse. */
static void drop_log(const rd_kafka_t *rk, int level, const char *facility,
                     const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
}

static pst_rc open_cluster(pst_mock_kafka *mock, int brokers, pst_err *err)
{
    char errstr[300] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, drop_log);
    mock->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, sizeof errstr);
    if (!mock->rk) {
        rd_kafka_conf_destroy(conf);
        return pst_fail(err, PST_E_KAFKA, "the embedded Kafka can't be made: %s", errstr);
    }
    mock->cluster = rd_kafka_mock_cluster_new(mock->rk, brokers);
    if (!mock->cluster)
        return pst_fail(err, PST_E_KAFKA, "the embedded Kafka does not start");
    mock->bootstrap = pst_strdup(rd_kafka_mock_cluster_bootstraps(mock->cluster));
    if (!mock->bootstrap)
        return pst_fail_nomem(err, "the embedded Kafka");
    return PST_OK;
}

pst_rc pst_mock_kafka_new(pst_mock_kafka **out, int brokers, pst_err *err)
{
    if (brokers < 1 || brokers > BROKERS_MAX)
        return pst_fail(err, PST_E_INVALID, "an embedded Kafka has 1 to %d brokers",
                        BROKERS_MAX);
    pst_mock_kafka *mock = pst_calloc(1, sizeof *mock);
    if (!mock)
        return pst_fail_nomem(err, "the embedded Kafka");
    pst_rc rc = open_cluster(mock, brokers, err);
    if (rc != PST_OK) {
        pst_mock_kafka_free(mock);
        return rc;
    }
    *out = mock;
    return PST_OK;
}

const char *pst_mock_kafka_bootstrap(const pst_mock_kafka *mock)
{
    return mock->bootstrap;
}

pst_rc pst_mock_kafka_create_topic(pst_mock_kafka *mock, const char *topic,
                                   int partitions, pst_err *err)
{
    if (partitions < 1 || partitions > PARTITIONS_MAX)
        return pst_fail(err, PST_E_INVALID, "a topic has 1 to %d partitions",
                        PARTITIONS_MAX);
    rd_kafka_resp_err_t code =
        rd_kafka_mock_topic_create(mock->cluster, topic, partitions, 1);
    return code ? pst_kafka_fail(err, code, topic, "the topic can't be created") : PST_OK;
}

rd_kafka_mock_cluster_t *pst_mock_kafka_cluster(pst_mock_kafka *mock)
{
    return mock->cluster;
}

void pst_mock_kafka_free(pst_mock_kafka *mock)
{
    if (!mock)
        return;
    if (mock->cluster)
        rd_kafka_mock_cluster_destroy(mock->cluster);
    if (mock->rk)
        rd_kafka_destroy(mock->rk);
    pst_free(mock->bootstrap);
    pst_free(mock);
}

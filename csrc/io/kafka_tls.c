/*
 * kafka_tls.c - why a broker's certificate is refused. librdkafka's error says no more
 * than "certificate verify failed"; its verification callback is told the reason, which
 * is kept for pst_kafka_link_last_error(). What is accepted does not change: a
 * certificate that OpenSSL refuses stays refused.
 */
#include "io/kafka_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

typedef struct x509_reason {
    int code; /* OpenSSL's X509_V_ERR_*: numbers that never change */
    const char *text;
} x509_reason;

static const x509_reason reasons[] = {
    {2, "its CA is unknown: see ssl.ca.location"},
    {9, "it is not valid yet: see this machine's clock"},
    {10, "it has expired"},
    {18, "it is self-signed: see ssl.ca.location"},
    {19, "its CA is unknown: see ssl.ca.location"},
    {20, "its CA is unknown: see ssl.ca.location"},
    {21, "its CA is unknown: see ssl.ca.location"},
    {23, "it is revoked"},
    {62, "it is not for this host: see bootstrap.servers"},
    {64, "it is not for this address: see bootstrap.servers"},
};

/* From librdkafka's threads. */
static int verify(rd_kafka_t *rk, const char *broker, int32_t id, int *x509_error,
                  int depth, const char *buf, size_t size, char *errstr, size_t room,
                  void *opaque)
{
    const char *why = "OpenSSL refuses it";
    pst_kafka_link *link = opaque;
    (void)rk, (void)id, (void)depth, (void)buf, (void)size;
    if (!*x509_error)
        return 1;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].code == *x509_error)
            why = reasons[i].text;
    snprintf(errstr, room, "%s (X.509 error %d)", why, *x509_error);
    if (link) {
        pthread_mutex_lock(&link->lock);
        snprintf(link->certificate, sizeof link->certificate,
                 "the certificate of %s is refused, %s", broker, errstr);
        pthread_mutex_unlock(&link->lock);
    }
    return 0;
}

pst_rc pst_kafka_conf_hear_tls(rd_kafka_conf_t *conf, pst_err *err)
{
    char *on = pst_kafka_conf_text(conf, "enable.ssl.certificate.verification");
    if (!on)
        return pst_fail_nomem(err, "a Kafka client");
    if (strcmp(on, "true") == 0) /* a librdkafka without TLS says no: nothing to hear */
        (void)rd_kafka_conf_set_ssl_cert_verify_cb(conf, verify);
    pst_free(on);
    return PST_OK;
}

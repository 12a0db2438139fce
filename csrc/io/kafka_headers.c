/*
 * kafka_headers.c - see kafka_headers.h. A key that has a NUL in it ends there: that is
 * all that librdkafka tells of it.
 */
#include "io/kafka_headers.h"

#include "io/kafka_internal.h"

pst_rc pst_kafka_header(const void *headers, size_t index, pst_sv *key, pst_sv *value)
{
    rd_kafka_headers_t *all = NULL;
    const char *name;
    const void *bytes;
    size_t n;
    rd_kafka_resp_err_t code = rd_kafka_message_headers(headers, &all);
    if (code == RD_KAFKA_RESP_ERR__NOENT)
        return PST_E_NOT_FOUND;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return PST_E_INVALID;
    if (rd_kafka_header_get_all(all, index, &name, &bytes, &n) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return PST_E_NOT_FOUND;
    *key = pst_sv_of(name);
    *value = (pst_sv){bytes, bytes ? n : 0};
    return PST_OK;
}

void pst_kafka_headers_drop(const void *headers)
{
    rd_kafka_headers_t *all = NULL;
    rd_kafka_message_t *message = (rd_kafka_message_t *)(uintptr_t)headers;
    if (rd_kafka_message_detach_headers(message, &all) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(all);
}

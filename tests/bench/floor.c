/*
 * floor.c - what cannot be beaten: librdkafka reads a topic from its beginning to its end
 * and throws every record away. It shares no code with Penstock.
 *
 * usage: floor BOOTSTRAP TOPIC PARTITIONS     prints "records bytes seconds", the seconds
 * from the first record to the last
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000 };

static rd_kafka_t *open_consumer(const char *bootstrap)
{
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *pairs[][2] = {{"bootstrap.servers", bootstrap},
                              {"group.id", "floor"},
                              {"enable.auto.commit", "false"},
                              {"enable.partition.eof", "true"},
                              {"auto.offset.reset", "earliest"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], why, sizeof why);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!rk) {
        fprintf(stderr, "floor: %s\n", why);
        exit(1);
    }
    rd_kafka_poll_set_consumer(rk);
    return rk;
}

static void assign_all(rd_kafka_t *rk, const char *topic, int partitions)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: floor BOOTSTRAP TOPIC PARTITIONS\n");
        return 2;
    }
    int partitions = (int)strtol(argv[3], NULL, 10), ended = 0;
    long long records = 0, bytes = 0;
    double began = 0;
    rd_kafka_t *rk = open_consumer(argv[1]);
    assign_all(rk, argv[2], partitions);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    rd_kafka_message_t *batch[BATCH];
    while (ended < partitions) {
        ssize_t n = rd_kafka_consume_batch_queue(queue, 100, batch, BATCH);
        if (n > 0 && !records)
            began = now_s();
        for (ssize_t i = 0; i < n; i++) {
            if (batch[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
                ended++;
            else if (!batch[i]->err) {
                records++;
                bytes += (long long)batch[i]->len;
            }
            rd_kafka_message_destroy(batch[i]);
        }
    }
    printf("%lld %lld %.3f\n", records, bytes, now_s() - began);
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return 0;
}

"""buffer.memory bounds the whole process: a drain stays within 64 MiB."""

from __future__ import annotations

import re

import pytest
from confluent_kafka import Producer

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, data_keys, sink, wait_committed
from tests.services.minio import Minio
from tests.support import Bucket, KafkaClient

RECORDS, MIB = 300_000, 1024 * 1024


def fill_fast(bootstrap: str, topic: str, partitions: int) -> None:
    """RECORDS records of 400 bytes; no list of them, which takes most of the time."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "queue.buffering.max.messages": RECORDS,
        }
    )
    for number in range(RECORDS):
        value = f'{{"id":"r{number}","n":{number},"text":"{"x" * 370}"}}'
        producer.produce(topic, value, partition=number % partitions)
    assert producer.flush(30) == 0


def landed_once(bucket: Bucket) -> bool:
    """Every id is in the bucket once; the full audit of so many takes half a minute."""
    ids: list[bytes] = []
    for key in data_keys(bucket):
        ids += re.findall(rb"^r(\d+),", bucket.get(key).body, re.MULTILINE)
    return len(ids) == RECORDS and set(map(int, ids)) == set(range(RECORDS))


@pytest.mark.parametrize("partitions", [4, 32])
def test_a_drain_stays_within_its_memory(
    partitions: int,
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(partitions), buckets()
    fill_fast(client.bootstrap, topic, partitions)
    # Longer than the drain: it is memory that closes windows.
    interval = {"rotate__schedule__interval__ms": "5s"}
    config = sink(topic, minio.endpoint, bucket.name, **interval)
    daemon = daemons(config, worker={**FAST_GROUP, "buffer.memory": "32m"})
    wait_committed(client, topic, RECORDS, timeout=90, daemon=daemon)
    peak = daemon.peak_rss()
    assert daemon.term() == 0
    print(f"peak {peak / MIB:.1f} MiB, {partitions} partitions")
    assert peak <= 64 * MIB, f"{peak / MIB:.1f} MiB"
    assert landed_once(bucket)

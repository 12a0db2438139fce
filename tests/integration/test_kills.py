"""kill -9 at random moments: each record exactly once, whoever died when."""

from __future__ import annotations

import json
import random
import time

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.services.minio import Minio
from tests.support import Bucket, Daemon, KafkaClient, Msg, Record, audit, sink_config

SCHEMA = "id STRING, n BIGINT, text STRING"
RECORDS, PARTITIONS, KILLS = 200_000, 4, 20


@pytest.fixture
def topic(topics: TopicFactory) -> str:
    """A topic of PARTITIONS partitions."""
    return topics(PARTITIONS)


def fill(client: KafkaClient, topic: str, count: int) -> list[Record]:
    """`count` records with distinct ids, spread over the partitions."""
    text = "x" * 60
    return client.produce(
        topic,
        [
            Msg(
                json.dumps({"id": f"r{i}", "n": i, "text": f"{text}, {i}"}),
                key=f"r{i}",
                partition=i % PARTITIONS,
            )
            for i in range(count)
        ],
    )


def landed(client: KafkaClient, group: str, topic: str) -> int:
    """How many records the group has committed."""
    return sum(max(offset, 0) for offset, _ in client.committed(group, topic).values())


def wait_landed(client: KafkaClient, group: str, topic: str, count: int) -> None:
    """Until all records are committed."""
    deadline = time.monotonic() + 120
    while landed(client, group, topic) < count:
        assert time.monotonic() < deadline, landed(client, group, topic)
        time.sleep(0.2)


def settings(topic: str, bucket: Bucket, endpoint: str) -> dict[str, object]:
    """Small windows, so that a drain takes long enough to be killed in."""
    return sink_config(
        topic, SCHEMA, endpoint, bucket.name, flush__size=500, name=f"kill-{topic}"
    )


def kill_at_random(daemon: Daemon, chance: random.Random) -> None:
    """Let it run a moment, somewhere between its start and its work, and kill it."""
    time.sleep(chance.uniform(0.15, 1.2))
    daemon.kill()
    daemon.start()


FAST_GROUP = {"consumer.session.timeout.ms": 3000, "consumer.heartbeat.interval.ms": 500}


@pytest.mark.timeout(300)
def test_twenty_kills_of_one_daemon(
    daemons: DaemonFactory,
    topic: str,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    bucket, chance = buckets(), random.Random(1)
    records = fill(client, topic, RECORDS)
    daemon = daemons(settings(topic, bucket, minio.endpoint), worker=FAST_GROUP)
    for _ in range(KILLS):
        kill_at_random(daemon, chance)
    group = f"connect-kill-{topic}"
    wait_landed(client, group, topic, RECORDS)
    assert daemon.term() == 0
    report = audit(topic, bucket, client, records=records, group=group)
    assert report.records == RECORDS


@pytest.mark.timeout(300)
def test_twenty_kills_of_two_daemons_in_one_group(
    daemons: DaemonFactory,
    topic: str,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    bucket, chance = buckets(), random.Random(2)
    records = fill(client, topic, RECORDS)
    pair = [
        daemons(settings(topic, bucket, minio.endpoint), worker=FAST_GROUP) for _ in "ab"
    ]
    for turn in range(KILLS):
        kill_at_random(pair[turn % 2], chance)
    group = f"connect-kill-{topic}"
    wait_landed(client, group, topic, RECORDS)
    assert [daemon.term() for daemon in pair] == [0, 0]
    report = audit(topic, bucket, client, records=records, group=group)
    assert report.records == RECORDS

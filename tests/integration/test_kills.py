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


def fill(client: KafkaClient, topic: str, first: int, count: int) -> list[Record]:
    """`count` records from number `first` on, spread over the partitions."""
    text = "x" * 60
    return client.produce(
        topic,
        [
            Msg(
                json.dumps({"id": f"r{i}", "n": i, "text": f"{text}, {i}"}),
                key=f"r{i}",
                partition=i % PARTITIONS,
            )
            for i in range(first, first + count)
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
    """Small windows, so that a drain has many moments to be killed in."""
    return sink_config(
        topic, SCHEMA, endpoint, bucket.name, flush__size=250, name=f"kill-{topic}"
    )


def kill_at_work(daemon: Daemon, chance: random.Random) -> None:
    """Wait until it lands objects, let it go on for a moment, kill it, start it again."""
    before = daemon.log.count("landed s3://")
    deadline = time.monotonic() + 30
    while daemon.log.count("landed s3://") == before:
        assert time.monotonic() < deadline, daemon.log[-2000:]
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 0.3))
    daemon.kill()
    daemon.start()


def campaign(
    pair: list[Daemon], client: KafkaClient, topic: str, seed: int
) -> list[Record]:
    """KILLS kills in turn, each in the middle of its share of the records."""
    chance, share = random.Random(seed), RECORDS // KILLS
    records: list[Record] = []
    for turn in range(KILLS):
        records += fill(client, topic, turn * share, share)
        kill_at_work(pair[turn % len(pair)], chance)
    return records


FAST_GROUP = {"consumer.session.timeout.ms": 3000, "consumer.heartbeat.interval.ms": 500}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("daemons_in_group", [1, 2])
def test_twenty_kills(
    daemons_in_group: int,
    daemons: DaemonFactory,
    topic: str,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    """Static members: one that is back at once goes on at once, and is killed at work."""
    bucket = buckets()
    pair = [
        daemons(
            settings(topic, bucket, minio.endpoint),
            worker={**FAST_GROUP, "consumer.group.instance.id": f"{topic}-{number}"},
        )
        for number in range(daemons_in_group)
    ]
    records = campaign(pair, client, topic, seed=daemons_in_group)
    group = f"connect-kill-{topic}"
    wait_landed(client, group, topic, RECORDS)
    assert [daemon.term() for daemon in pair] == [0] * daemons_in_group
    report = audit(topic, bucket, client, records=records, group=group)
    assert report.records == RECORDS
    assert report.objects > 400


@pytest.mark.timeout(300)
def test_kills_with_rebalances(
    daemons: DaemonFactory,
    topic: str,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    """Dynamic members: each kill makes the other one take over, and give back."""
    bucket, chance, count = buckets(), random.Random(3), 40_000
    pair = [
        daemons(settings(topic, bucket, minio.endpoint), worker=FAST_GROUP) for _ in "ab"
    ]
    records: list[Record] = []
    for turn in range(8):
        records += fill(client, topic, turn * count // 8, count // 8)
        time.sleep(chance.uniform(0.5, 2.5))
        pair[turn % 2].kill()
        pair[turn % 2].start()
    group = f"connect-kill-{topic}"
    wait_landed(client, group, topic, count)
    assert [daemon.term() for daemon in pair] == [0, 0]
    audit(topic, bucket, client, records=records, group=group)

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


class Feeder:
    """Produces numbered records, so that there is always something to be killed at."""

    def __init__(self, client: KafkaClient, topic: str) -> None:
        self.client, self.topic = client, topic
        self.records: list[Record] = []

    def feed(self, count: int) -> None:
        """The next `count` records."""
        self.records += fill(self.client, self.topic, len(self.records), count)

    def kill_at_work(self, daemon: Daemon, chance: random.Random) -> None:
        """Wait until it lands objects, let it go on for a moment, kill and restart it."""
        before = daemon.log.count("landed s3://")
        deadline = time.monotonic() + 60
        while daemon.log.count("landed s3://") == before:
            assert time.monotonic() < deadline, daemon.log[-2000:]
            self.feed(200)  # another daemon may have landed all there was
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 0.3))
        daemon.kill()
        daemon.start()


FAST_GROUP = {"consumer.session.timeout.ms": 3000, "consumer.heartbeat.interval.ms": 500}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("daemons_in_group", [1, 2])
def test_twenty_kills(
    daemons_in_group: int,
    daemons: DaemonFactory,
    topic: str,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    """Each kill hits a daemon at work; with two, the other takes over and gives back."""
    bucket, feeder = buckets(), Feeder(client, topic)
    worker: dict[str, object] = dict(FAST_GROUP)
    if daemons_in_group == 1:  # a static member that is back at once goes on at once
        worker["consumer.group.instance.id"] = topic
    config = settings(topic, bucket, minio.endpoint)
    pair = [daemons(config, worker=worker) for _ in range(daemons_in_group)]
    chance = random.Random(daemons_in_group)
    for turn in range(KILLS):
        feeder.feed(RECORDS // KILLS)
        feeder.kill_at_work(pair[turn % len(pair)], chance)
    group, count = f"connect-kill-{topic}", len(feeder.records)
    wait_landed(client, group, topic, count)
    assert [daemon.term() for daemon in pair] == [0] * daemons_in_group
    report = audit(topic, bucket, client, records=feeder.records, group=group)
    assert report.records == count >= RECORDS
    assert report.objects > 400

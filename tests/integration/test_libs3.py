"""s3.client=libs3 (Signature V2), end to end: every record once, kills included.

libs3 cannot create conditionally, so an object's key says where it ends, too. A writer
that died must have left the group before the next one starts: two at once could double.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import (
    FAST_GROUP,
    data_keys,
    fill,
    group_of,
    load,
    sink,
    wait_committed,
)
from tests.services.minio import Minio
from tests.support import Bucket, Daemon, KafkaClient, audit
from tests.support.daemon import binary

RECORDS, PARTITIONS, KILLS = 4000, 3, 5
Start = Callable[..., Daemon]


@pytest.fixture
def start(daemons: DaemonFactory, topics: TopicFactory, minio: Minio) -> Start:
    """`start(topic, bucket, args=(), **settings)`: a daemon that uses libs3."""
    if not (binary().parent / "penstock_libs3.so").exists():
        pytest.skip("libs3 is not installed (Debian: libs3-dev)")

    def make(
        topic: str, bucket: Bucket, args: tuple[str, ...] = (), **more: str
    ) -> Daemon:
        settings = sink(topic, minio.endpoint, bucket.name, s3__client="libs3", **more)
        worker = {**FAST_GROUP, "consumer.group.instance.id": topic}
        return daemons(settings, args=args, worker=worker)

    return make


def test_a_drain(
    start: Start, topics: TopicFactory, buckets: BucketFactory, client: KafkaClient
) -> None:
    """Everything lands once, and what is promised is said in the log."""
    topic, bucket = topics(PARTITIONS), buckets()
    records = fill(client, topic, RECORDS, PARTITIONS)
    daemon = start(topic, bucket, ("--until-end",), flush__size="300")
    assert daemon.wait() == 0, daemon.log
    report = audit(
        topic, bucket, client, records=records, group=group_of(topic), conditional=False
    )
    assert report.records == RECORDS
    assert "penstock_libs3.so" in daemon.log
    assert "Guarantee: at-least-once under split brain" in daemon.log
    root = f"topics/_penstock/{topic}/0/root.json"
    assert bucket.keys(root) == [root]
    assert all("-" in key.rpartition("+")[2] for key in data_keys(bucket))


@pytest.mark.timeout(300)
def test_kills(
    start: Start, topics: TopicFactory, buckets: BucketFactory, client: KafkaClient
) -> None:
    """kill -9 at work, and the next one goes on where the chain ends."""
    topic, bucket = topics(PARTITIONS), buckets()
    daemon = start(topic, bucket, flush__size="200")
    with load(client, topic, PARTITIONS) as producer:
        for _ in range(KILLS):
            seen = daemon.log.count("landed s3://")
            daemon.wait_log(rf"(?s)(landed s3://.*){{{seen + 3}}}", timeout=60)
            daemon.kill()
            daemon.start()
        records = producer.stop()
    wait_committed(client, topic, len(records), timeout=120, daemon=daemon)
    assert daemon.term() == 0
    report = audit(
        topic, bucket, client, records=records, group=group_of(topic), conditional=False
    )
    assert report.records == len(records)
    assert daemon.log.count("s3.client=libs3: libs3 ") > KILLS


def test_the_plugin_is_missing(
    start: Start, topics: TopicFactory, buckets: BucketFactory, tmp_path: Path
) -> None:
    """A wrong setting: one line, status 1, and nothing is retried."""
    daemon = start(topics(), buckets(), s3__libs3__plugin=str(tmp_path / "none.so"))
    assert daemon.wait() == 1, daemon.log
    assert daemon.log.count("s3.libs3.plugin=") == 1

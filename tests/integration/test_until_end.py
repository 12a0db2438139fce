"""--until-end: read to what was the end at the start, land it, commit it, end."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, data_keys, fill, group_of, load, sink
from tests.services.minio import Minio
from tests.support import Daemon, KafkaClient, audit


class Drain:
    """Starts daemons with --until-end."""

    def __init__(self, daemons: DaemonFactory) -> None:
        """`daemons` is the fixture."""
        self._daemons = daemons

    def begin(self, *sinks: dict[str, Any], **options: Any) -> Daemon:
        """One that was just started."""
        return self._daemons(*sinks, args=["--until-end"], worker=FAST_GROUP, **options)

    def __call__(self, *sinks: dict[str, Any], timeout: float = 60) -> Daemon:
        """One that has ended well."""
        daemon = self.begin(*sinks)
        assert daemon.wait(timeout) == 0, daemon.log
        return daemon


@pytest.fixture
def drain(daemons: DaemonFactory) -> Drain:
    """`drain(*sinks)` runs the daemon to the end."""
    return Drain(daemons)


def test_it_stops_at_the_end_of_the_start(
    drain: Drain,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(3), buckets()
    records = fill(client, topic, 3000, 3)
    with load(client, topic, 3, first=3000) as producer:
        producer.wait(500)
        low = client.end_offsets(topic)
        drain(sink(topic, minio.endpoint, bucket.name))  # would follow for ever
        records += producer.stop()
    report = audit(
        topic, bucket, client, records=records, group=group_of(topic), complete=False
    )
    assert all(report.ends[p] >= low[p] for p in range(3))
    assert report.records < len(records)


def test_partitions_with_nothing_in_them(
    drain: Drain,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(6), buckets()
    records = fill(client, topic, 1000, 2)  # 4 stay empty
    config = sink(topic, minio.endpoint, bucket.name)
    drain(config)
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 1000
    assert len({key.rpartition("+")[0] for key in data_keys(bucket)}) == 2
    # The second run lands nothing, and is quick.
    before = data_keys(bucket)
    began = time.monotonic()
    drain(config)
    assert time.monotonic() - began < 15
    assert data_keys(bucket) == before
    # What came since lands in the third.
    records += fill(client, topic, 500, 6, first=1000)
    drain(config)
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 1500


def test_an_empty_topic(
    drain: Drain,
    topics: TopicFactory,
    buckets: BucketFactory,
    minio: Minio,
) -> None:
    topic, bucket = topics(2), buckets()
    began = time.monotonic()
    drain(sink(topic, minio.endpoint, bucket.name))
    assert time.monotonic() - began < 15
    assert data_keys(bucket) == []


def test_two_daemons_in_one_group(
    drain: Drain,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(4), buckets()
    records = fill(client, topic, 20000, 4)
    config = sink(topic, minio.endpoint, bucket.name, flush__size=500)
    pair = [drain.begin(config) for _ in range(2)]
    for daemon in pair:
        assert daemon.wait(60) == 0, daemon.log
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 20000


def test_more_tasks_than_partitions(
    drain: Drain,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(2), buckets()
    records = fill(client, topic, 4000, 2)
    drain(sink(topic, minio.endpoint, bucket.name, tasks__max=3))
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 4000


def test_three_tasks_share_the_partitions(
    drain: Drain,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(6), buckets()
    records = fill(client, topic, 12000, 6)
    drain(sink(topic, minio.endpoint, bucket.name, tasks__max=3, flush__size=300))
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 12000


@pytest.mark.parametrize("how", ["names", "regex"])
def test_several_topics(
    how: str,
    drain: Drain,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    first, bucket = topics(2), buckets()
    second = topics(1, name=f"{first}.second")
    other = topics(1, name=f"other-{first}")
    records = {topic: fill(client, topic, 700, 1) for topic in (first, second, other)}
    config = sink(first, minio.endpoint, bucket.name)
    if how == "names":
        config["topics"] = f"{first}, {second}"
    else:
        del config["topics"]
        config["topics.regex"] = f"^{re.escape(first)}.*"
    drain(config)
    for topic in (first, second):
        report = audit(
            topic, bucket, client, records=records[topic], group=group_of(first)
        )
        assert report.records == 700
    assert not [key for key in data_keys(bucket) if other in key]


def test_more_topics_than_fit_a_page(
    drain: Drain,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    first, bucket = topics(1), buckets()
    names = [first, *(topics(1, name=f"{first}.{i:03d}") for i in range(270))]
    records = fill(client, names[-1], 50, 1)
    drain(sink(first, minio.endpoint, bucket.name, topics=",".join(names)))
    report = audit(names[-1], bucket, client, records=records, group=group_of(first))
    assert report.records == 50


def test_flat_keys_and_a_header(
    drain: Drain,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(2), buckets()
    records = fill(client, topic, 900, 2)
    config = sink(
        topic,
        minio.endpoint,
        bucket.name,
        partitioner__class="FlatPartitioner",
        csv__header=True,
        topics__dir="landing/zone",
        flush__size=200,
    )
    drain(config)
    report = audit(
        topic,
        bucket,
        client,
        records=records,
        group=group_of(topic),
        prefix="landing/zone",
        flat=True,
        header=True,
    )
    assert report.records == 900
    for key in data_keys(bucket):
        assert re.fullmatch(rf"landing/zone/{topic}\+\d\+\d{{20}}\.csv", key)
        assert bucket.get(key).body.startswith(b"id,n,text\n")


def test_no_keys_below_a_prefix_when_topics_dir_is_empty(
    drain: Drain,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(1), buckets()
    records = fill(client, topic, 100)
    drain(
        sink(
            topic,
            minio.endpoint,
            bucket.name,
            partitioner__class="FlatPartitioner",
            topics__dir="",
        )
    )
    report = audit(
        topic,
        bucket,
        client,
        records=records,
        group=group_of(topic),
        prefix="",
        flat=True,
    )
    assert report.records == 100


def test_a_topic_that_never_comes_is_an_error(
    daemons: DaemonFactory, buckets: BucketFactory, minio: Minio
) -> None:
    bucket = buckets()
    worker = {**FAST_GROUP, "startup.timeout.ms": 1500}
    config = sink("never-born", minio.endpoint, bucket.name)
    daemon = daemons(config, args=["--until-end"], worker=worker)
    assert daemon.wait(20) == 1, daemon.log
    assert "never-born does not exist" in daemon.log


def test_a_pattern_that_no_topic_matches_is_an_error(
    daemons: DaemonFactory, buckets: BucketFactory, minio: Minio
) -> None:
    bucket = buckets()
    config = sink("never-born", minio.endpoint, bucket.name)
    del config["topics"]
    config["topics.regex"] = "^never-born-.*"
    worker = {**FAST_GROUP, "startup.timeout.ms": 1500}
    daemon = daemons(config, args=["--until-end"], worker=worker)
    assert daemon.wait(20) == 1, daemon.log
    assert "^never-born-.*" in daemon.log
    assert "topics.regex" in daemon.log
    assert data_keys(bucket) == []

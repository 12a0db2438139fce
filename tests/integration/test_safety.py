"""The chain's safety rules, end to end: what would harm a record stops the task.

The numbers are those of the design's section 4.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import (
    FAST_GROUP,
    PATIENCE,
    data_keys,
    fill,
    group_of,
    load,
    record,
    sink,
    snapshot,
    until,
    wait_committed,
)
from tests.services.kafka import Kafka
from tests.services.minio import Minio
from tests.support import Bucket, Daemon, KafkaClient, Msg, audit


def failure(daemon: Daemon) -> str:
    """It stops with status 1; the one line that says why."""
    assert daemon.wait(PATIENCE) == 1, daemon.log
    (line,) = [text for text in daemon.log.splitlines() if "task: failed" in text]
    return line


class Landed:
    """A topic that was landed once, by a daemon that has ended."""

    def __init__(self, daemons: DaemonFactory, minio: Minio) -> None:
        """`run` goes on with the same settings."""
        self._daemons, self._minio = daemons, minio

    def run(
        self,
        topic: str,
        bucket: Bucket,
        worker: dict[str, Any] | None = None,
        **more: Any,
    ) -> Daemon:
        """A daemon with --until-end, just started."""
        return self._daemons(
            sink(topic, self._minio.endpoint, bucket.name, **more),
            args=["--until-end"],
            worker={**FAST_GROUP, **(worker or {})},
        )

    def drain(self, *args: Any, **more: Any) -> Daemon:
        """One that has ended well."""
        daemon = self.run(*args, **more)
        assert daemon.wait(PATIENCE) == 0, daemon.log
        return daemon


@pytest.fixture
def sinks(daemons: DaemonFactory, minio: Minio) -> Landed:
    """Runs sinks to the end."""
    return Landed(daemons, minio)


# ---- rule 8: the same log? ----


@pytest.fixture(scope="module")
def broker() -> Iterator[Kafka]:
    """A broker that may be wiped."""
    with Kafka() as own:
        yield own


@pytest.mark.parametrize(
    ("new_id", "count", "words"),
    [
        pytest.param(True, 500, ["cluster", "topics.dir"], id="new-cluster-id"),
        pytest.param(False, 200, ["ends at offset 500", "at 200"], id="fewer-records"),
        pytest.param(False, 900, ["offset 499", "is not the one"], id="more-records"),
    ],
)
def test_a_wiped_broker(
    new_id: bool,
    count: int,
    words: list[str],
    sinks: Landed,
    broker: Kafka,
    buckets: BucketFactory,
) -> None:
    bucket = buckets()
    topic = f"wiped-{bucket.name[-8:]}"
    worker = {"bootstrap.servers": broker.bootstrap}
    client = KafkaClient(broker.bootstrap)
    client.create_topic(topic)
    fill(client, topic, 500)
    sinks.drain(topic, bucket, worker)
    before = snapshot(bucket)
    broker.kill()
    broker.wipe(new_id=new_id)
    broker.start()
    client = KafkaClient(broker.bootstrap)
    client.create_topic(topic)
    fill(client, topic, count, first=10000)
    line = failure(sinks.run(topic, bucket, worker))
    for word in [*words, topic]:
        assert word in line
    assert snapshot(bucket) == before


@pytest.mark.parametrize("count", [200, 900])
def test_a_topic_made_anew(
    count: int,
    sinks: Landed,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
) -> None:
    topic, bucket = topics(1), buckets()
    fill(client, topic, 500)
    sinks.drain(topic, bucket)
    before = snapshot(bucket)
    client.delete_topic(topic)
    client.create_topic(topic)
    fill(client, topic, count, first=10000)
    line = failure(sinks.run(topic, bucket))
    assert "made anew" in line
    assert "topics.dir" in line
    assert snapshot(bucket) == before
    # As the message says: another topics.dir. The group begins anew there, too.
    client.set_committed(group_of(topic), topic, {0: 0})
    sinks.drain(topic, bucket, topics__dir="anew")
    report = audit(topic, bucket, client, group=group_of(topic), prefix="anew")
    assert report.records == count


@pytest.mark.parametrize("fail", [True, False])
def test_records_that_expired_unread(
    fail: bool,
    sinks: Landed,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
) -> None:
    topic, bucket = topics(1), buckets()
    records = fill(client, topic, 300)
    sinks.drain(topic, bucket)
    records += fill(client, topic, 300, first=300)
    client.delete_records(topic, {0: 450})
    if fail:
        before = snapshot(bucket)
        line = failure(sinks.run(topic, bucket))
        for word in ("offsets 300 to 449", "expired", "failOnDataLoss=false"):
            assert word in line
        assert snapshot(bucket) == before
    daemon = sinks.drain(topic, bucket, failOnDataLoss=False)
    assert "WARN" in daemon.log
    assert "records expired unread" in daemon.log
    kept = records[:300] + records[450:]
    report = audit(topic, bucket, client, records=kept, group=group_of(topic))
    assert report.records == 450


def test_records_that_expired_landed(
    sinks: Landed, topics: TopicFactory, buckets: BucketFactory, client: KafkaClient
) -> None:
    topic, bucket = topics(1), buckets()
    records = fill(client, topic, 300)
    sinks.drain(topic, bucket)
    records += fill(client, topic, 300, first=300)
    client.delete_records(topic, {0: 300})
    daemon = sinks.drain(topic, bucket)
    assert "offset 299) has expired" in daemon.log
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 600


# ---- rule 4: whose chain? ----


def test_a_connector_under_a_new_name(
    sinks: Landed, topics: TopicFactory, buckets: BucketFactory, client: KafkaClient
) -> None:
    topic, bucket = topics(2), buckets()
    records = fill(client, topic, 500, 2)
    sinks.drain(topic, bucket, name=f"old-{topic}")
    records += fill(client, topic, 500, 2, first=500)
    before = snapshot(bucket)
    line = failure(sinks.run(topic, bucket, name=f"new-{topic}"))
    for word in (f"old-{topic}", f"new-{topic}", "chain.take.over.from", "topics.dir"):
        assert word in line
    assert snapshot(bucket) == before
    # What the message asks for is what the setting takes.
    advice = line.rpartition("chain.take.over.from=")[2].split()[0].rstrip(".")
    assert advice == f"old-{topic}"
    # As it says: it goes on where the old one ended, exactly once.
    sinks.drain(topic, bucket, name=f"new-{topic}", chain__take__over__from=advice)
    assert audit(topic, bucket, records=records).records == 1000
    # And once more.
    records += fill(client, topic, 500, 2, first=1000)
    sinks.drain(topic, bucket, name=f"new-{topic}", chain__take__over__from=advice)
    assert audit(topic, bucket, records=records).records == 1500


def test_a_foreign_object_where_the_chain_goes_on(
    sinks: Landed, topics: TopicFactory, buckets: BucketFactory, client: KafkaClient
) -> None:
    topic, bucket = topics(1), buckets()
    records = fill(client, topic, 300)
    sinks.drain(topic, bucket)
    records += fill(client, topic, 300, first=300)
    key = f"topics/{topic}/partition=0/{topic}+0+{300:020d}.csv"
    bucket.put(key, b"not,ours\n")
    before = snapshot(bucket)
    line = failure(sinks.run(topic, bucket))
    assert key in line
    assert "move it away" in line
    assert snapshot(bucket) == before
    bucket.delete(key)
    sinks.drain(topic, bucket)
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 600


def test_an_object_of_another_group_where_the_chain_goes_on(
    sinks: Landed, topics: TopicFactory, buckets: BucketFactory, client: KafkaClient
) -> None:
    topic, bucket = topics(1), buckets()
    fill(client, topic, 300)
    sinks.drain(topic, bucket)
    fill(client, topic, 300, first=300)
    key = f"topics/{topic}/partition=0/{topic}+0+{300:020d}.csv"
    meta = bucket.get(key.replace(f"{300:020d}", f"{0:020d}")).meta
    bucket.put(key, b"r300,300,x\n", {**meta, "group": "connect-x", "next": "301"})
    before = snapshot(bucket)
    line = failure(sinks.run(topic, bucket))
    assert "connect-x" in line
    assert snapshot(bucket) == before


# ---- rule 7: recovery ----


def test_a_group_rewound_by_a_tool(
    sinks: Landed, topics: TopicFactory, buckets: BucketFactory, client: KafkaClient
) -> None:
    topic, bucket = topics(1), buckets()
    records = fill(client, topic, 500)
    sinks.drain(topic, bucket, flush__size=100)
    before = snapshot(bucket)
    client.set_committed(group_of(topic), topic, {0: 250})
    line = failure(sinks.run(topic, bucket))
    for word in ("offset 250", "offset 500", group_of(topic)):
        assert word in line
    assert snapshot(bucket) == before
    # One way out that it names: to the end of what is there.
    client.set_committed(group_of(topic), topic, {0: 500})
    records += fill(client, topic, 500, first=500)
    sinks.drain(topic, bucket)
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 1000


def test_a_group_whose_offsets_are_gone(
    sinks: Landed,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
) -> None:
    topic, bucket = topics(2), buckets()
    records = fill(client, topic, 500, 2)
    sinks.drain(topic, bucket)
    group = group_of(topic)
    client.admin.delete_consumer_groups([group])[group].result(PATIENCE)
    records += fill(client, topic, 500, 2, first=500)
    sinks.drain(topic, bucket)
    report = audit(topic, bucket, client, records=records, group=group)
    assert report.records == 1000


def test_a_chain_of_many_objects_without_commits(
    sinks: Landed, topics: TopicFactory, buckets: BucketFactory, client: KafkaClient
) -> None:
    topic, bucket = topics(1), buckets()
    records = fill(client, topic, 1020)
    sinks.drain(topic, bucket, flush__size=1)  # more objects than a page of LIST has
    group = group_of(topic)
    client.admin.delete_consumer_groups([group])[group].result(PATIENCE)
    records += fill(client, topic, 100, first=1020)
    sinks.drain(topic, bucket)
    report = audit(topic, bucket, client, records=records, group=group)
    assert (report.records, report.objects) == (1120, 1021)


# ---- rule 9: the sleeper ----


def grown(daemon: Daemon, word: str, by: int) -> None:
    """Until the word came so many times more in its log."""
    before = daemon.log.count(word)
    until(lambda: daemon.log.count(word) >= before + by, f"{by} more {word!r}")


@pytest.mark.timeout(180)
def test_a_daemon_that_slept(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(4), buckets()
    config = sink(topic, minio.endpoint, bucket.name, rotate__schedule__interval__ms=1000)
    pair = [daemons(config, worker=FAST_GROUP) for _ in range(2)]
    for daemon in pair:
        daemon.wait_log("landed|[1-4] partitions? assigned", 20)
    with load(client, topic, 4) as producer:
        for sleeper, other in (pair, pair[::-1]):
            sleeper.wait_log("landed", 20)
            sleeper.pause()
            grown(other, "assigned", 1)
            grown(other, "landed s3", 5)
            sleeper.resume()
            grown(sleeper, "assigned", 1)
        records = producer.stop()
    wait_committed(client, topic, len(records))
    assert [daemon.term() for daemon in pair] == [0, 0]
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == len(records)


# ---- rules 2 and 6: gaps ----


def test_transactions(
    sinks: Landed, topics: TopicFactory, buckets: BucketFactory, client: KafkaClient
) -> None:
    topic, bucket = topics(1), buckets()
    client.produce(topic, [record(i) for i in range(100)], transaction=True)
    client.produce(topic, [record(i) for i in range(100, 200)], abort=True)
    client.produce(topic, [record(i) for i in range(200, 300)], transaction=True)
    client.produce(topic, [record(i) for i in range(300, 400)], abort=True)
    sinks.drain(topic, bucket, flush__size=70)
    records = client.read_all(topic)
    assert len(records) == 200
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 200
    (end,) = client.end_offsets(topic).values()
    assert end == 404, "four markers"
    assert client.committed(group_of(topic), topic)[0][0] == end
    # The next object begins where the chain ends, not at its first record.
    client.produce(topic, [record(i) for i in range(400, 500)], transaction=True)
    sinks.drain(topic, bucket)
    report = audit(topic, bucket, client, group=group_of(topic))
    assert report.records == 300


def test_compaction_gaps(
    sinks: Landed, topics: TopicFactory, buckets: BucketFactory, client: KafkaClient
) -> None:
    topic = topics(
        1,
        cleanup_policy="compact",
        min_cleanable_dirty_ratio="0.01",
        segment_ms=100,
        max_compaction_lag_ms=100,
    )
    bucket = buckets()
    # Ids differ, keys repeat: of each key only the last record stays.
    values = [Msg(record(i).value, key=f"k{i % 7}") for i in range(400)]
    client.produce(topic, values)
    time.sleep(0.2)  # segment.ms: the next record closes the segment
    client.produce(topic, [Msg(record(400).value, key="end")])

    def compacted() -> bool:
        return len(client.read_all(topic)) < 300

    until(compacted, "compaction")
    sinks.drain(topic, bucket, flush__size=3)
    records = client.read_all(topic)
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == len(records)
    assert min(r.offset for r in records) > 0, "the head is a gap"
    # The last landed record may go, too: the daemon goes on all the same.
    client.produce(topic, [Msg(record(401).value, key="end")])
    sinks.drain(topic, bucket)
    keys = data_keys(bucket)
    assert bucket.get(keys[-1]).body.startswith(b"r401,")

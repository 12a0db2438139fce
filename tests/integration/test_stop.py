"""Stopping: SIGTERM and SIGINT land and commit everything, whatever is going on."""

from __future__ import annotations

import signal
import time

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory, s3_client
from tests.integration.landing import (
    FAST_GROUP,
    data_keys,
    fill,
    group_of,
    load,
    sink,
    until,
    wait_committed,
)
from tests.services.kafka import Kafka
from tests.services.minio import Minio
from tests.support import Bucket, KafkaClient, audit


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_a_signal_under_load_lands_what_was_consumed(
    number: signal.Signals,
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(4), buckets()
    # A long interval: what is landed at the end is landed by the stop.
    config = sink(
        topic, minio.endpoint, bucket.name, rotate__schedule__interval__ms=3600000
    )
    daemon = daemons(config, worker={**FAST_GROUP, "shutdown.timeout.ms": 20000})
    with load(client, topic, 4) as producer:
        daemon.wait_log("going on at offset")
        producer.wait(len(producer.records) + 4000)
        began = time.monotonic()
        daemon.signal(number)
        assert daemon.wait(20) == 0, daemon.log
        assert time.monotonic() - began < 20
        records = producer.stop()
    report = audit(
        topic, bucket, client, records=records, group=group_of(topic), complete=False
    )
    assert report.records > 0
    offsets = client.committed(group_of(topic), topic)
    assert {p: offset for p, (offset, _) in offsets.items()} == {
        p: end for p, end in report.ends.items() if p in offsets
    }
    # The rest lands once after the next start.
    drain = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert drain.wait(60) == 0, drain.log
    assert audit(
        topic, bucket, client, records=records, group=group_of(topic)
    ).records == (len(records))


def test_a_second_signal_ends_at_once(
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
) -> None:
    topic = topics(2)
    records = fill(client, topic, 2000, 2)
    with Minio() as server:
        bucket = Bucket(s3_client(server), "second").create()
        config = sink(topic, server.endpoint, bucket.name, flush__size=100)
        daemon = daemons(config, worker=FAST_GROUP, env=server.aws_env())
        daemon.wait_log("landed")
        server.pause()
        records += fill(client, topic, 2000, 2, first=2000)
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("stopping: landing")
        assert daemon.alive()
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        daemon.wait(10)
        assert time.monotonic() - began < 4, daemon.log
        assert "what is not landed stays in Kafka" in daemon.log
        server.resume()
        drain = daemons(
            config, args=["--until-end"], worker=FAST_GROUP, env=server.aws_env()
        )
        assert drain.wait(60) == 0, drain.log
        report = audit(topic, bucket, client, records=records, group=group_of(topic))
        assert report.records == 4000


@pytest.mark.parametrize("how", ["stopped", "hanging"])
def test_a_stop_while_the_store_is_down_keeps_its_time(
    how: str,
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
) -> None:
    topic = topics(2)
    records = fill(client, topic, 1000, 2)
    with Minio() as server:
        bucket = Bucket(s3_client(server), "down").create()
        config = sink(topic, server.endpoint, bucket.name)
        worker = {**FAST_GROUP, "shutdown.timeout.ms": 2000}
        daemon = daemons(config, worker=worker, env=server.aws_env())
        wait_committed(client, topic, 1000, daemon=daemon)
        if how == "stopped":
            server.stop()
        else:
            server.pause()
        records += fill(client, topic, 1000, 2, first=1000)
        if how == "stopped":
            daemon.wait_log("landing an object fails")
        began = time.monotonic()
        status = daemon.term(15)
        assert time.monotonic() - began < 5, daemon.log
        assert status == 0, daemon.log
        assert "WARN" in daemon.log
        assert "what was not landed stays in Kafka" in daemon.log
        if how == "stopped":
            server.start()
        else:
            server.resume()
        drain = daemons(
            config, args=["--until-end"], worker=FAST_GROUP, env=server.aws_env()
        )
        assert drain.wait(60) == 0, drain.log
        report = audit(topic, bucket, client, records=records, group=group_of(topic))
        assert report.records == 2000


def test_a_stop_while_the_broker_hangs_lands_first(
    daemons: DaemonFactory, buckets: BucketFactory, minio: Minio
) -> None:
    """The commit waits for the broker; the objects do not wait for the commit."""
    bucket = buckets()
    with Kafka() as broker:
        client = KafkaClient(broker.bootstrap)
        topic = f"hangs-{bucket.name[-8:]}"
        client.create_topic(topic, 4)
        records = fill(client, topic, 4000, 4)
        config = sink(
            topic, minio.endpoint, bucket.name, rotate__schedule__interval__ms=3600000
        )
        worker = {"bootstrap.servers": broker.bootstrap}
        daemon = daemons(config, worker=worker)
        daemon.wait_log("going on at offset")
        time.sleep(2)  # all is read
        assert not data_keys(bucket)
        broker.pause()
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        until(lambda: len(data_keys(bucket)) == 4, "all windows", timeout=3)
        daemon.wait(30)
        assert time.monotonic() - began < 20, daemon.log
        broker.resume()
        drain = daemons(config, args=["--until-end"], worker=worker)
        assert drain.wait(60) == 0, drain.log
        report = audit(topic, bucket, client, records=records, group=group_of(topic))
        assert report.records == 4000
        assert len(data_keys(bucket)) == 4


def test_a_stop_while_the_group_is_joined(
    daemons: DaemonFactory, topics: TopicFactory, buckets: BucketFactory, minio: Minio
) -> None:
    """librdkafka aborts when it destroys a member that has not got its share yet."""
    for pause in (0.2, 0.25, 0.3, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.1, 1.2, 1.5):
        topic, bucket = topics(6), buckets()
        config = sink(topic, minio.endpoint, bucket.name, tasks__max=3)
        daemon = daemons(config, worker=FAST_GROUP)
        time.sleep(pause)
        assert daemon.term() == 0, daemon.log

"""Objects larger than memory: spooled, put in parts, within 96 MiB; killed in between.

`make large` runs this with an object of 1 GiB; here it is 256 MiB, and buffer.memory is
smaller in the same measure.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, data_keys, sink, wait_committed
from tests.services.minio import Minio
from tests.support import Bucket, Daemon, KafkaClient, penstockd
from tests.support.daemon import write_properties

MIB = 1024 * 1024
SIZE = int(os.environ.get("LARGE_MIB", "256")) * MIB
TEXT = "x" * 8000
ROW = len(f"r1000000,1000000,{TEXT}\n")


def rows(count: int) -> Iterator[bytes]:
    """What the object is to hold."""
    for number in range(1_000_000, 1_000_000 + count):
        yield f"r{number},{number},{TEXT}\n".encode()


def fill(bootstrap: str, topic: str, count: int) -> None:
    """`count` records of one row each, all of one length."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "queue.buffering.max.kbytes": 64 * 1024,
        }
    )
    for number in range(1_000_000, 1_000_000 + count):
        value = f'{{"id":"r{number}","n":{number},"text":"{TEXT}"}}'
        while True:
            try:
                producer.produce(topic, value)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(60) == 0


def uploads(bucket: Bucket, key: str) -> int:
    """How many uploads in parts there are for a key."""
    answer = bucket.client.list_multipart_uploads(Bucket=bucket.name, Prefix=key)
    return len(answer.get("Uploads", []))


def kill_while_parts_go_up(daemon: Daemon, bucket: Bucket, key: str) -> None:
    """kill -9, as soon as there is an upload."""
    deadline = time.monotonic() + 180
    while not uploads(bucket, key):
        assert daemon.alive(), daemon.log[-2000:]
        assert time.monotonic() < deadline, daemon.log[-2000:]
        time.sleep(0.01)
    daemon.kill()


def assert_holds(bucket: Bucket, key: str, count: int) -> None:
    """Every row once, in order; read in pieces."""
    body = bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"]
    for number, row in enumerate(rows(count)):
        assert body.read(ROW) == row, number
    assert body.read(1) == b""


def large(topic: str, minio: Minio, bucket: Bucket, count: int) -> dict[str, Any]:
    """One window of all records."""
    return sink(
        topic,
        minio.endpoint,
        bucket.name,
        flush__size=count,
        rotate__schedule__interval__ms="1h",
        s3__part__size="5m",
    )


@pytest.mark.timeout(900)
def test_a_window_larger_than_memory(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    """Killed while its parts go up; then landed whole, and no upload is left."""
    topic, bucket, count = topics(1), buckets(), SIZE // ROW
    key = f"topics/{topic}/partition=0/{topic}+0+{0:020}.csv"
    fill(client.bootstrap, topic, count)
    worker = {**FAST_GROUP, "buffer.memory": SIZE // 16, "spool.dir": tmp_path}
    daemon = daemons(large(topic, minio, bucket, count), worker=worker)
    kill_while_parts_go_up(daemon, bucket, key)
    assert data_keys(bucket) == []
    assert uploads(bucket, key) == 1
    assert list(tmp_path.glob("penstock-spool*")) == []
    daemon.start()
    wait_committed(client, topic, count, timeout=600, daemon=daemon)
    peak = daemon.peak_rss()
    assert "aborted 1 uploads" in daemon.log
    assert daemon.term() == 0
    print(f"peak {peak / MIB:.1f} MiB for an object of {count * ROW / MIB:.1f} MiB")
    assert peak <= min(96 * MIB, SIZE // 3), f"{peak / MIB:.1f} MiB"
    assert data_keys(bucket) == [key]
    assert uploads(bucket, key) == 0
    assert_holds(bucket, key, count)


def test_a_full_spool_closes_windows_early(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    """More objects, smaller ones; each row once. The timer lands the last one."""
    topic, bucket, count = topics(1), buckets(), 64 * MIB // ROW
    fill(client.bootstrap, topic, count)
    worker = {**FAST_GROUP, "buffer.memory": "16m", "spool.dir": tmp_path}
    config = large(topic, minio, bucket, count)
    config["rotate.schedule.interval.ms"] = "5s"
    daemon = daemons(config, worker={**worker, "spool.max.bytes": "20m"})
    wait_committed(client, topic, count, timeout=90, daemon=daemon)
    assert daemon.term() == 0
    assert "spool.max.bytes=20971520 are in use" in daemon.log
    objects = bucket.objects(f"topics/{topic}/")
    assert 3 <= len(objects) <= 20
    assert b"".join(one.body for one in objects) == b"".join(rows(count))


def test_a_routed_window_larger_than_memory(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    """An object an hour of the records' time: as one object here, if none ends."""
    topic, bucket, count = topics(1), buckets(), 64 * MIB // ROW
    fill(client.bootstrap, topic, count)
    config = large(topic, minio, bucket, count) | {
        "partitioner.class": "HourlyPartitioner",
        "timestamp.extractor": "Record",
        "locale": "en",
        "timezone": "UTC",
    }
    worker = {**FAST_GROUP, "buffer.memory": "16m", "spool.dir": tmp_path}
    daemon = daemons(config, worker=worker)
    wait_committed(client, topic, count, timeout=90, daemon=daemon)
    assert daemon.term() == 0
    objects = bucket.objects(f"topics/{topic}/")
    assert 1 <= len(objects) <= 2
    assert b"".join(one.body for one in objects) == b"".join(rows(count))


def test_a_spool_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    """Told at start, with the setting's place."""
    worker = {"bootstrap.servers": "127.0.0.1:1", "spool.dir": tmp_path / "none"}
    paths = [
        write_properties(tmp_path / "worker.properties", worker),
        write_properties(tmp_path / "sink.properties", sink("t", "http://h:1", "bucket")),
    ]
    done = penstockd(*map(str, paths))
    assert done.returncode == 2
    assert "worker.properties:2: spool.dir: no file can be made in " in done.stderr

"""Bad input: one clear line and the documented behaviour; no good record is harmed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory, s3_client
from tests.integration.landing import (
    FAST_GROUP,
    FAST_START,
    SCHEMA,
    data_keys,
    fill,
    group_of,
    record,
    sink,
    until,
    wait_committed,
)
from tests.services.kafka import Kafka
from tests.services.minio import Minio
from tests.services.process import free_port
from tests.support import (
    Bucket,
    Daemon,
    Folder,
    KafkaClient,
    Msg,
    Record,
    audit,
    penstockd,
    sink_config,
)
from tests.support.audit import json_id
from tests.support.daemon import write_properties
from tests.support.kafka_client import to_bytes


def errors(daemon: Daemon) -> list[str]:
    """The lines of level ERROR that are of a task."""
    return [line for line in daemon.log.splitlines() if "task: failed" in line]


# ---- settings ----


def test_all_mistakes_are_told_at_once_by_file_and_line(tmp_path: Path) -> None:
    worker = write_properties(
        tmp_path / "worker.properties",
        {"bootstrap.servers": "127.0.0.1:1", "buffer.memry": "32m", "log.level": "loud"},
    )
    typo = sink_config("t", SCHEMA, "http://127.0.0.1:1", "bucket", flush__szie=3)
    del typo["name"]
    typo["aws.secret.access.key"] = "${env:PENSTOCK_TEST_UNSET}"
    first = write_properties(tmp_path / "first.properties", typo)
    second = write_properties(
        tmp_path / "second.properties", {"name": "x", "connector.class": "S3CsvSnk"}
    )
    missing = tmp_path / "missing.properties"
    done = penstockd(worker, first, second, missing)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()

    def told(path: Path, line: int | None, *words: str) -> None:
        place = f"{path}:{line}: " if line else f"{path}: "
        found = [text for text in lines if text.startswith(place)]
        assert any(all(word in text for word in words) for text in found), done.stderr

    told(worker, 2, "buffer.memry", 'did you mean "buffer.memory"?')
    told(worker, 3, "log.level", "loud", "debug")
    told(first, list(typo).index("flush.szie") + 1, "flush.szie", '"flush.size"?')
    told(first, len(typo), "aws.secret.access.key", "PENSTOCK_TEST_UNSET", "not set")
    told(first, None, '"name" is missing')
    told(second, 2, "S3CsvSnk", "S3CsvSink", "RandomUserSource")
    told(missing, None, "No such file")
    assert lines[-1] == "penstockd: 7 errors in the settings", done.stderr
    assert len(lines) == 8


# ---- at the start ----


def test_no_broker(daemons: DaemonFactory, minio: Minio) -> None:
    address = f"127.0.0.1:{free_port()}"
    config = sink("t", minio.endpoint, "bucket")
    began = time.monotonic()
    daemon = daemons(config, worker={**FAST_START, "bootstrap.servers": address})
    assert daemon.wait(10) == 3, daemon.log
    assert time.monotonic() - began < 5
    (line,) = errors(daemon)
    for word in ("bootstrap.servers", address, "startup.timeout.ms=1500"):
        assert word in line


def start_fails(
    daemons: DaemonFactory, topic: str, url: str, bucket: str, **more: Any
) -> tuple[Daemon, str]:
    """A daemon that ends with 3 after startup.timeout.ms, and its one error line."""
    began = time.monotonic()
    daemon = daemons(sink(topic, url, bucket, **more), worker=FAST_START)
    assert daemon.wait(20) == 3, daemon.log
    assert 1.0 < time.monotonic() - began < 10
    (line,) = errors(daemon)
    return daemon, line


@pytest.mark.parametrize("wrong", ["secret", "key"])
def test_wrong_keys(
    wrong: str,
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    minio: Minio,
) -> None:
    secret = "no-such-secret-0123456789"  # noqa: S105
    key = minio.access_key if wrong == "secret" else "AKIANOSUCHKEY"
    daemon, line = start_fails(
        daemons,
        topics(1),
        minio.endpoint,
        buckets().name,
        aws__access__key__id=key,
        aws__secret__access__key=secret,
    )
    setting = "aws.secret.access.key" if wrong == "secret" else "aws.access.key.id"
    assert setting in line
    for hidden in (secret, minio.secret_key):
        assert hidden not in daemon.log


def test_no_store(daemons: DaemonFactory, topics: TopicFactory) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    _, line = start_fails(daemons, topics(1), url, "bucket")
    assert url.removeprefix("http://") in line


def test_no_bucket(daemons: DaemonFactory, topics: TopicFactory, minio: Minio) -> None:
    _, line = start_fails(daemons, topics(1), minio.endpoint, "no-such-bucket")
    assert "no-such-bucket" in line
    assert "s3.bucket.name" in line


def test_a_bucket_that_is_made_while_the_daemon_waits(
    daemons: DaemonFactory, topics: TopicFactory, client: KafkaClient, minio: Minio
) -> None:
    topic = topics(1)
    records = fill(client, topic, 100)
    bucket = Bucket(s3_client(minio), f"late-{topic[-8:]}")
    daemon = daemons(sink(topic, minio.endpoint, bucket.name), worker=FAST_GROUP)
    daemon.wait_log("WARN .*no such bucket.*waiting")
    bucket.create()
    wait_committed(client, topic, 100, daemon=daemon)
    assert daemon.term() == 0
    audit(topic, bucket, client, records=records, group=group_of(topic))
    bucket.remove()


def test_a_topic_that_is_born_later(
    daemons: DaemonFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    bucket = buckets()
    topic = f"born-later-{bucket.name[-8:]}"
    config = sink(topic, minio.endpoint, bucket.name, rotate__schedule__interval__ms=1000)
    daemon = daemons(config, worker=FAST_GROUP)
    daemon.wait_log(f"WARN .*{topic} does not exist; waiting")
    client.create_topic(topic, 2)
    born = time.monotonic()
    records = fill(client, topic, 100, 2)
    until(lambda: bool(data_keys(bucket)), "an object")
    assert time.monotonic() - born < 11
    wait_committed(client, topic, 100, daemon=daemon)
    assert daemon.term() == 0
    assert (
        audit(topic, bucket, client, records=records, group=group_of(topic)).records
        == 100
    )


# ---- records ----

BAD = (b"{", b"no json", b'{"id":"r', b"\xff\xfe", b"[")


def mixed(client: KafkaClient, topic: str, *bad: bytes | None) -> list[Record]:
    """50 good records, the bad ones, 50 good ones: one partition."""
    values = [record(i) for i in range(50)]
    values += [Msg(value, key=f"bad{i}") for i, value in enumerate(bad)]
    values += [record(i) for i in range(50, 100)]
    return client.produce(topic, values)


def no_row(rec: Record) -> str | None:
    """The id of a record, None if it makes no row: it is bad."""
    return json_id(rec) or None


def test_malformed_json_is_a_null_row(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(1), buckets()
    records = mixed(client, topic, *BAD)
    daemon = daemons(sink(topic, minio.endpoint, bucket.name), args=["--until-end"])
    assert daemon.wait(30) == 0, daemon.log
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 105
    rows = b"".join(bucket.get(key).body for key in data_keys(bucket))
    assert sum(line == b",," for line in rows.splitlines()) == 5


def test_malformed_json_under_failfast(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(1), buckets()
    records = mixed(client, topic, *BAD)
    config = sink(topic, minio.endpoint, bucket.name, json__mode="FAILFAST")
    daemon = daemons(config, worker=FAST_GROUP)
    assert daemon.wait(30) == 1, daemon.log
    (line,) = errors(daemon)
    for word in (f"{topic}-0 offset 50", "errors.tolerance=all"):
        assert word in line
    audit_options: dict[str, Any] = {
        "records": records,
        "group": group_of(topic),
        "record_id": no_row,
    }
    report = audit(topic, bucket, client, **audit_options, complete=False)
    assert report.records == 50
    # Started again it stops there again, and nothing is doubled.
    before = data_keys(bucket)
    again = daemons(config, worker=FAST_GROUP)
    assert again.wait(30) == 1, again.log
    assert data_keys(bucket) == before
    # As the message says:
    config |= {"errors.tolerance": "all", "errors.log.enable": "true"}
    rest = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert rest.wait(30) == 0, rest.log
    assert audit(topic, bucket, client, **audit_options).records == 100
    for offset in range(50, 55):
        assert f"{topic}-0 offset {offset} skipped" in rest.log


@pytest.mark.parametrize("behaviour", ["write", "ignore", "fail"])
def test_tombstones(
    behaviour: str,
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(1), buckets()
    records = mixed(client, topic, None, None)
    # One that ends the topic: its offset is committed though no object ends there.
    records += client.produce(topic, [Msg(None, key="end")])
    config = sink(
        topic, minio.endpoint, bucket.name, behavior__on__null__values=behaviour
    )
    daemon = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    status = daemon.wait(30)
    options: dict[str, Any] = {"records": records, "group": group_of(topic)}
    if behaviour == "fail":
        assert status == 1
        (line,) = errors(daemon)
        assert f"{topic}-0 offset 50: null value (behavior.on.null.values=fail)" in line
        assert "json.mode" not in line, "that would not help"
        audit(topic, bucket, client, **options, complete=False)
        return
    assert status == 0, daemon.log
    ids = json_id if behaviour == "write" else no_row
    report = audit(topic, bucket, client, **options, record_id=ids)
    assert report.records == (103 if behaviour == "write" else 100)
    assert client.committed(group_of(topic), topic)[0][0] == 103


@pytest.mark.parametrize("tolerance", ["none", "all"])
def test_a_record_above_the_ceiling(
    tolerance: str,
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(1, max_message_bytes=8_000_000), buckets()
    fill(client, topic, 100)
    settings = {"bootstrap.servers": client.bootstrap, "message.max.bytes": 8_000_000}
    producer = Producer(settings)
    producer.produce(topic, to_bytes(record(100, size=5_000_000).value))
    assert producer.flush(30) == 0
    fill(client, topic, 100, first=101)
    records = client.read_all(topic)
    config = sink(topic, minio.endpoint, bucket.name, errors__tolerance=tolerance)
    worker = {**FAST_GROUP, "buffer.memory": "8m"}
    daemon = daemons(config, args=["--until-end"], worker=worker)
    assert daemon.wait(30) == (0 if tolerance == "all" else 1), daemon.log
    report = audit(
        topic,
        bucket,
        client,
        records=records,
        group=group_of(topic),
        complete=tolerance == "all",
        record_id=lambda rec: None if rec.offset == 100 else json_id(rec),
    )
    assert report.records == (200 if tolerance == "all" else 100)
    if tolerance == "none":
        (line,) = errors(daemon)
        for word in (f"{topic}-0 offset 100", "buffer.memory", "errors.tolerance=all"):
            assert word in line


# ---- while it runs ----


def fill_up(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", 0) as out, contextlib.suppress(OSError):
        while True:
            out.write(bytes(4096))


def test_a_full_disk_under_a_folder(
    daemons: DaemonFactory, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic, disk = topics(1), tmp_path / "disk"
    disk.mkdir()
    # A file system of its own, of 2 MiB, that only the daemon sees; no root is needed.
    wrapper = [
        "unshare", *([] if os.geteuid() == 0 else ["-Ur"]), "-m", "sh", "-c",
        'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"', str(disk),
    ]  # fmt: skip
    records = fill(client, topic, 500)
    daemon = daemons(sink(topic, disk.as_uri(), None), worker=FAST_GROUP, wrapper=wrapper)
    wait_committed(client, topic, 500, daemon=daemon)
    seen = Path(f"/proc/{daemon.pid}/root{disk}")
    ballast = seen / "ballast"
    fill_up(ballast)
    records += fill(client, topic, 2000, first=500)
    daemon.wait_log("WARN .*no space left on .*nothing is dropped")
    assert committed_is(client, topic, 500)
    assert daemon.alive()
    ballast.unlink()
    wait_committed(client, topic, 2500, daemon=daemon)
    report = audit(topic, Folder(seen), client, records=records, group=group_of(topic))
    assert report.records == 2500
    assert not any(seen.rglob(".tmp*"))
    assert daemon.term() == 0


def committed_is(client: KafkaClient, topic: str, count: int) -> bool:
    """Exactly so many offsets are committed."""
    return client.committed(group_of(topic), topic)[0][0] == count


@pytest.fixture
def own_minio() -> Iterator[Minio]:
    """An S3 server of the test's own."""
    with Minio() as server:
        yield server


def test_credentials_revoked_and_given_back(
    daemons: DaemonFactory, topics: TopicFactory, client: KafkaClient, own_minio: Minio
) -> None:
    topic, server = topics(1), own_minio
    bucket = Bucket(s3_client(server), "revoked").create()
    records = fill(client, topic, 500)
    env, keys = server.aws_env(), (server.access_key, server.secret_key)
    daemon = daemons(
        sink(topic, server.endpoint, bucket.name), worker=FAST_GROUP, env=env
    )
    wait_committed(client, topic, 500, daemon=daemon)
    server.stop()
    server.access_key, server.secret_key = "someone-else", "another-secret-1234"
    server.start()
    records += fill(client, topic, 500, first=500)
    line = daemon.wait_log("WARN .*aws.access.key.id.*nothing is dropped").group()
    assert "PUT" in line
    assert keys[1] not in daemon.log
    assert daemon.alive()
    server.stop()
    server.access_key, server.secret_key = keys
    server.start()
    wait_committed(client, topic, 1000, daemon=daemon)
    assert "the store works again" in daemon.log
    assert daemon.term() == 0
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 1000


def test_the_store_is_away_for_a_while(
    daemons: DaemonFactory, topics: TopicFactory, client: KafkaClient, own_minio: Minio
) -> None:
    topic, server = topics(4), own_minio
    bucket = Bucket(s3_client(server), "away").create()
    records = fill(client, topic, 4000, 4)
    config = sink(topic, server.endpoint, bucket.name, flush__size=500)
    daemon = daemons(config, worker=FAST_GROUP, env=server.aws_env())
    daemon.wait_log("landed")
    server.kill()
    records += fill(client, topic, 4000, 4, first=4000)
    daemon.wait_log("WARN .*landing an object fails.*nothing is dropped")
    # Longer than the group's session: waiting must not cost the partitions.
    time.sleep(6)
    assert daemon.alive()
    server.start()
    wait_committed(client, topic, 8000, daemon=daemon)
    assert " lost; " not in daemon.log
    assert daemon.term() == 0
    report = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert report.records == 8000


@pytest.mark.timeout(180)
def test_kafka_is_started_again(
    daemons: DaemonFactory, buckets: BucketFactory, minio: Minio
) -> None:
    topic, bucket = "again", buckets()
    with Kafka() as broker:
        client = KafkaClient(broker.bootstrap)
        client.create_topic(topic, 4)
        records = fill(client, topic, 4000, 4)
        config = sink(topic, minio.endpoint, bucket.name, flush__size=100)
        worker = {**FAST_GROUP, "bootstrap.servers": broker.bootstrap}
        daemon = daemons(config, worker=worker)
        daemon.wait_log("landed")
        broker.kill()  # as a crash; what was acknowledged is in its log
        broker.start()
        records += fill(client, topic, 4000, 4, first=4000)
        wait_committed(client, topic, 8000, daemon=daemon)
        assert daemon.term() == 0
        report = audit(topic, bucket, client, records=records, group=group_of(topic))
        assert report.records == 8000

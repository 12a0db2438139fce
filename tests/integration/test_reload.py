"""SIGHUP: the files are read again; what has not changed goes on untouched."""

from __future__ import annotations

import re
import signal
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
    until,
    wait_committed,
)
from tests.rest.client import serving
from tests.services.minio import Minio
from tests.support import Daemon, KafkaClient, audit
from tests.support.daemon import write_properties

pytestmark = [pytest.mark.timeout(180)]
SUMMARY = ": connectors: {} added, {} changed, {} removed, {} unchanged"


def hup(daemon: Daemon, *counts: int) -> str:
    """SIGHUP, and wait for its line. Returns what was written since."""
    before = len(daemon.log)
    daemon.signal(signal.SIGHUP)
    said = SUMMARY.format(*counts) if counts else ": nothing is changed"
    until(lambda: said in daemon.log[before:], said)
    return daemon.log[before:]


def test_connectors_come_change_and_go(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    stays, changes, comes = topics(2), topics(1), topics(1)
    first, second, third = buckets(), buckets(), buckets()
    folder = tmp_path / "connectors"
    folder.mkdir()
    changing = sink(changes, minio.endpoint, second.name)
    path = write_properties(folder / "b.properties", changing)
    write_properties(folder / "README.txt", {"not": "a connector"})
    daemon = daemons(
        sink(stays, minio.endpoint, first.name),
        worker={**FAST_GROUP, "log.level": "info"},
        folder=folder,
    )
    records = {topic: fill(client, topic, 300) for topic in (changes, comes)}
    with load(client, stays, 2) as producer:
        producer.wait(1000)
        wait_committed(client, changes, 300, daemon=daemon)
        # One changes the size of its objects, one comes, one is as it was.
        few = len(data_keys(second))
        write_properties(path, changing | {"flush.size": 10})
        new = write_properties(
            folder / "c.properties", sink(comes, minio.endpoint, third.name)
        )
        hup(daemon, 1, 1, 0, 1)
        records[changes] += fill(client, changes, 200, first=300)
        wait_committed(client, changes, 500, daemon=daemon)
        wait_committed(client, comes, 300, daemon=daemon)
        assert len(data_keys(second)) >= few + 200 // 10
        # It goes: what it read is landed and its group left.
        new.unlink()
        hup(daemon, 0, 0, 1, 2)
        until(lambda: f"[sink-{comes}-0] task: ended" in daemon.log, "its end")
        producer.wait(len(producer.records) + 1000)
        hup(daemon, 0, 0, 0, 2)
        records[stays] = producer.stop()
    total = len(records[stays])
    wait_committed(client, stays, total, daemon=daemon)
    # The one that stays was never ended or started again.
    begun = re.findall(rf"\[sink-{stays}-0\] .*going on at offset", daemon.log)
    assert len(begun) == 2, begun  # one a partition
    assert f"[sink-{stays}-0] task: ended" not in daemon.log
    assert daemon.term() == 0
    for topic, bucket in ((stays, first), (changes, second), (comes, third)):
        report = audit(
            topic, bucket, client, records=records[topic], group=group_of(topic)
        )
        assert report.records == len(records[topic])


def test_an_error_changes_nothing(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket, second = topics(1), buckets(), topics(1)
    good = sink(topic, minio.endpoint, bucket.name)
    other = sink(second, minio.endpoint, bucket.name)
    daemon = daemons(good, other, worker=FAST_GROUP)
    daemon.wait_log("going on at offset")
    write_properties(daemon.connectors[0], good | {"flush.size": 7})
    write_properties(daemon.connectors[1], other | {"flush.szie": 7})
    log = hup(daemon)
    assert f"{daemon.connectors[1]}:" in log
    assert "flush.size" in log
    daemon.connectors[1].unlink()  # named on the command line: it has to be there
    assert f"{daemon.connectors[1]}" in hup(daemon)
    write_properties(daemon.connectors[1], good)  # one name twice
    assert "two connectors are called" in hup(daemon)
    records = fill(client, topic, 100)
    wait_committed(client, topic, 100, daemon=daemon)
    few = len(data_keys(bucket))
    assert few < 100 // 7
    write_properties(daemon.connectors[1], other)
    hup(daemon, 0, 1, 0, 1)
    records += fill(client, topic, 100, first=100)
    wait_committed(client, topic, 200, daemon=daemon)
    assert daemon.term() == 0
    assert len(data_keys(bucket)) >= few + 100 // 7
    assert len(records) == 200


def test_the_worker_s_file(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    minio: Minio,
) -> None:
    topic, bucket = topics(1), buckets()
    worker = {**FAST_GROUP, "listeners": "http://127.0.0.1:0"}
    daemon = daemons(sink(topic, minio.endpoint, bucket.name), worker=worker)
    rest = serving(daemon)
    text = daemon.worker.read_text()
    extra = "log.level.chain=debug\nlog.format=json\nbuffer.memory=48m\n"
    daemon.worker.write_text(text + extra)
    before = len(daemon.log)
    daemon.signal(signal.SIGHUP)
    until(lambda: '"msg":"HUP 1: connectors: 0 added' in daemon.log[before:], "the line")
    said = daemon.log[before:]
    line = text.count("\n") + 3
    assert f"{daemon.worker}:{line}: warning: buffer.memory" in said
    assert "restart the daemon to change it" in said
    loggers = rest("GET", "/admin/loggers").json
    assert {name: one["level"] for name, one in loggers.items()} == {
        "root": "INFO",
        "chain": "DEBUG",
    }
    changed = loggers["chain"]["last_modified"]
    daemon.worker.write_text(text + "log.level.chain=debug\n")
    hup(daemon, 0, 0, 0, 1)
    assert rest("GET", "/admin/loggers/chain").json["last_modified"] == changed
    daemon.worker.write_text(text)
    hup(daemon, 0, 0, 0, 1)
    assert set(rest("GET", "/admin/loggers").json) == {"root"}
    assert daemon.term() == 0


def test_a_name_that_was_made_over_rest_is_taken(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    minio: Minio,
    tmp_path: Path,
) -> None:
    topic, bucket, folder = topics(1), buckets(), tmp_path / "connectors"
    folder.mkdir()
    worker = {
        **FAST_GROUP,
        "listeners": "http://127.0.0.1:0",
        "config.storage.dir": tmp_path / "stored",
    }
    config = sink(topic, minio.endpoint, bucket.name)
    config |= {"aws.access.key.id": minio.access_key,
               "aws.secret.access.key": minio.secret_key}  # fmt: skip
    daemon = daemons(worker=worker, folder=folder)
    rest = serving(daemon)
    text = {name: str(value) for name, value in config.items()}
    made = rest("POST", "/connectors", {"name": config["name"], "config": text})
    assert made.status == 201, made.text
    path = write_properties(folder / "a.properties", config)
    log = hup(daemon)
    assert "made over REST" in log
    assert minio.secret_key not in daemon.log
    write_properties(path, config | {"name": "another", "topics": "none-such"})
    hup(daemon, 1, 0, 0, 0)
    assert sorted(rest("GET", "/connectors").json) == sorted([config["name"], "another"])
    refused = rest("DELETE", "/connectors/another")
    assert refused.status == 400
    assert "SIGHUP" in refused.json["message"]
    path.unlink()
    hup(daemon, 0, 0, 1, 0)
    until(lambda: rest("GET", "/connectors").json == [config["name"]], "it is gone")
    assert daemon.term() == 0


def test_the_last_connector_is_not_taken_away(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    topic, bucket, folder = topics(1), buckets(), tmp_path / "connectors"
    folder.mkdir()
    config = sink(topic, minio.endpoint, bucket.name)
    path = write_properties(folder / "a.properties", config)
    daemon = daemons(worker=FAST_GROUP, folder=folder)
    daemon.wait_log("going on at offset")
    path.unlink()
    assert "no connector would be left: stop the daemon instead" in hup(daemon)
    fill(client, topic, 50)
    wait_committed(client, topic, 50, daemon=daemon)
    assert daemon.term() == 0

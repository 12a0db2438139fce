"""Dead letters: every bad record arrives as it was, every good one lands, once each."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import (
    FAST_GROUP,
    PATIENCE,
    group_of,
    record,
    sink,
    wait_committed,
)
from tests.services.minio import Minio
from tests.support import Daemon, KafkaClient, Msg, Record, audit, penstockd
from tests.support.audit import json_id
from tests.support.daemon import write_properties

CONTEXT = "__connect.errors."
BAD = (b"{", b"no json", b'{"id":"r', b"\xff\xfe\x00", b"[", b'{"id":"r1","n":"x"}')


def dead_sink(topic: str, endpoint: str, bucket: str, **more: Any) -> dict[str, Any]:
    """A sink whose bad records go to `<topic>-dead`."""
    settings: dict[str, Any] = {
        "json__mode": "FAILFAST",
        "behavior__on__null__values": "fail",
        "errors__tolerance": "all",
        "errors__deadletterqueue__topic__name": f"{topic}-dead",
        "errors__deadletterqueue__topic__replication__factor": 1,
        "errors__deadletterqueue__context__headers__enable": "true",
    }
    return sink(topic, endpoint, bucket, **{**settings, **more})


def mixed(count: int, chance: random.Random) -> list[Msg]:
    """`count` records of which 30 % are bad, in ways that differ."""
    made = []
    # An hour ago: the broker deletes what is older than its retention.
    start = (int(time.time()) - 3600) * 1000
    for i in range(count):
        if chance.random() >= 0.3:
            made.append(record(i))
            continue
        value = None if chance.random() < 0.1 else chance.choice(BAD)
        key = None if chance.random() < 0.3 else chance.randbytes(chance.randrange(9))
        headers = [
            (chance.choice("ab"), chance.choice([None, b"", chance.randbytes(5)]))
            for _ in range(chance.randrange(4))
        ]
        made.append(Msg(value, key, timestamp=start + i, headers=tuple(headers)))
    return made


def is_bad(rec: Record) -> bool:
    """It makes no row under FAILFAST."""
    return rec.value is None or rec.value in BAD


def good_id(rec: Record) -> str | None:
    """The id of a record, None if it is bad."""
    return None if is_bad(rec) else json_id(rec)


def origin(letter: Record) -> tuple[int, int]:
    """Partition and offset of the record that a letter is of."""
    context = dict(letter.headers)
    return tuple(  # type: ignore[return-value]
        int(context[CONTEXT + name] or b"") for name in ("partition", "offset")
    )


def assert_letters(
    letters: Sequence[Record], records: Sequence[Record], topic: str
) -> Counter[tuple[int, int]]:
    """Each letter is its record byte for byte; how often each record has one."""
    bad = {(rec.partition, rec.offset): rec for rec in records if is_bad(rec)}
    seen = Counter(origin(letter) for letter in letters)
    assert set(seen) == set(bad), "a bad record has no letter, or a good one has"
    for letter in letters:
        rec = bad[origin(letter)]
        assert (letter.key, letter.value) == (rec.key, rec.value)
        assert letter.timestamp == rec.timestamp
        count = len(rec.headers)
        assert letter.headers[:count] == rec.headers
        context = dict(letter.headers[count:])
        assert all(name.startswith(CONTEXT) for name in context)
        assert len(context) == 10
        assert context[f"{CONTEXT}topic"] == topic.encode()
        stage = b"TASK_PUT" if rec.value is None else b"VALUE_CONVERTER"
        assert context[f"{CONTEXT}stage"] == stage
        assert context[f"{CONTEXT}exception.message"]
    return seen


def test_a_mixed_stream_lands_and_dies_exactly_once(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(3), buckets()
    client.produce(topic, mixed(20_000, random.Random(8)))
    records = client.read_all(topic)
    config = dead_sink(topic, minio.endpoint, bucket.name)
    daemon = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert daemon.wait(60) == 0, daemon.log
    assert f"created errors.deadletterqueue.topic.name {topic}-dead" in daemon.log
    bad = sum(map(is_bad, records))
    assert 0.28 < bad / len(records) < 0.32
    report = audit(
        topic, bucket, client, records=records, group=group_of(topic), record_id=good_id
    )
    assert report.records == len(records) - bad
    seen = assert_letters(client.read_all(f"{topic}-dead"), records, topic)
    assert set(seen.values()) == {1}


def test_letters_alone_are_committed(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    """No row, no object; the offset moves all the same, and without context headers
    a letter has the record's headers and nothing else."""
    topic, bucket, dead = topics(1), buckets(), topics(2)
    headers = (("a", b"1"), ("a", None))
    records = client.produce(topic, [Msg(b"{", key="k", headers=headers)] * 30)
    config = dead_sink(
        topic,
        minio.endpoint,
        bucket.name,
        errors__deadletterqueue__topic__name=dead,
        errors__deadletterqueue__context__headers__enable="false",
    )
    daemon = daemons(config, worker=FAST_GROUP)
    wait_committed(client, topic, 30, daemon=daemon)
    assert daemon.term() == 0
    letters = client.read_all(dead)
    assert len(letters) == len(records)
    for letter in letters:
        assert (letter.key, letter.value, letter.headers) == (b"k", b"{", headers)
    assert not [key for key in bucket.keys("") if "_penstock/" not in key]


def await_landing(daemon: Daemon, before: int) -> None:
    """Until it has landed more objects than `before`."""
    deadline = time.monotonic() + PATIENCE
    while daemon.log.count("landed s3://") <= before:
        assert time.monotonic() < deadline, daemon.log[-4000:]
        time.sleep(0.02)


@pytest.mark.timeout(300)
def test_kills(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    """kill -9 at work: each good record once, each bad one at least once."""
    topic, bucket = topics(2), buckets()
    chance = random.Random(11)
    config = dead_sink(topic, minio.endpoint, bucket.name, flush__size=200)
    worker = {**FAST_GROUP, "consumer.group.instance.id": topic}
    daemon = daemons(config, worker=worker)
    for _ in range(8):
        before = daemon.log.count("landed s3://")
        client.produce(topic, mixed(4_000, chance))
        await_landing(daemon, before)
        time.sleep(chance.uniform(0, 0.2))
        daemon.kill()
        daemon.start()
    records = client.read_all(topic)
    wait_committed(client, topic, len(records), daemon=daemon, timeout=90)
    assert daemon.term() == 0
    # Ids come again with each batch, so a row's place is known by its offset instead.
    objects = [stored for stored in bucket.objects() if "_penstock/" not in stored.key]
    rows = sum(stored.body.count(b"\n") for stored in objects)
    assert rows == sum(not is_bad(rec) for rec in records)
    seen = assert_letters(client.read_all(f"{topic}-dead"), records, topic)
    assert min(seen.values()) == 1


def test_the_check_tells_what_hardly_can_be_meant(tmp_path: Path) -> None:
    worker = write_properties(
        tmp_path / "worker.properties", {"bootstrap.servers": "127.0.0.1:1"}
    )

    def told(**more: Any) -> tuple[int, str]:
        config = dead_sink("t", "http://127.0.0.1:1", "bucket", **more)
        path = write_properties(tmp_path / "sink.properties", config)
        done = penstockd("--check", worker, path)
        return done.returncode, done.stderr

    assert told() == (0, "")
    status, text = told(json__mode="PERMISSIVE")
    assert status == 0
    for word in ("warning", "t-dead", "json.mode=FAILFAST", "sink.properties:"):
        assert word in text
    status, text = told(errors__tolerance="none")
    assert status == 0
    assert "Set errors.tolerance=all" in text
    status, text = told(errors__deadletterqueue__topic__name="t")
    assert status == 2
    assert "for ever" in text
    status, text = told(topics=None, topics__regex="^t.*")
    assert status == 2
    assert "t-dead is among the topics" in text

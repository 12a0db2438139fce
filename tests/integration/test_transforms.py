"""A chain of Kafka Connect's transforms: what lands, what dies, after a kill too."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import (
    FAST_GROUP,
    group_of,
    sink,
    until,
    wait_committed,
)
from tests.services.minio import Minio
from tests.support import Daemon, KafkaClient, Msg, Record, audit
from tests.support.csvtext import parse_csv

PARTITIONS, RECORDS = 3, 30_000
# An hour ago: the broker deletes what is older than its retention, letters too.
STAMP = (int(time.time()) - 3600) * 1000 + 123
ROWS = 60  # an object
OBJECTS = RECORDS * 4 // 5 * 6 // 7 // ROWS
SCHEMA = "id STRING, n STRING, day STRING, email STRING, junk STRING"
CHAIN = {
    "transforms": "drop,from,hide,number,when,key,order",
    "predicates": "internal",
    "predicates.internal.type": "HasHeaderKey",
    "predicates.internal.name": "internal",
    "transforms.drop.type": "Filter",
    "transforms.drop.predicate": "internal",
    "transforms.from.type": "InsertField$Value",
    "transforms.from.topic.field": "topic",
    "transforms.from.partition.field": "part",
    "transforms.from.offset.field": "offset",
    "transforms.from.timestamp.field": "received",
    "transforms.from.static.field": "site",
    "transforms.from.static.value": "north, 1",
    "transforms.hide.type": "org.apache.kafka.connect.transforms.MaskField$Value",
    "transforms.hide.fields": "email",
    "transforms.hide.replacement": "***",
    "transforms.number.type": "Cast$Value",
    "transforms.number.spec": "n:int32",
    "transforms.when.type": "TimestampConverter$Value",
    "transforms.when.field": "day",
    "transforms.when.format": "yyyy-MM-dd HH:mm",
    "transforms.when.target.type": "unix",
    "transforms.key.type": "ValueToKey",
    "transforms.key.fields": "id",
    "transforms.order.type": "ReplaceField$Value",
    "transforms.order.exclude": "junk",
    "transforms.order.renames": "day:day_ms",
}


def message(i: int) -> Msg:
    """Every fifth is to be dropped, every seventh of the rest is no number."""
    value = {"id": f"r{i}", "n": str(i), "day": "2024-02-29 12:34", "email": f"{i}@x"}
    if i % 7 == 0:
        value["n"] = "seven"
    headers = (("internal", b"1"),) if i % 5 == 0 else (("other", b"1"),)
    return Msg(
        json.dumps({**value, "junk": "j"}),
        key=f"k{i}",
        partition=i % PARTITIONS,
        timestamp=STAMP + i,
        headers=headers,
    )


def is_dropped(rec: Record) -> bool:
    """Filter takes it."""
    return rec.headers[0][0] == "internal"


def landing_id(rec: Record) -> str | None:
    """The id of a record that makes a row."""
    value = json.loads(rec.value or b"")
    return None if is_dropped(rec) or value["n"] == "seven" else value["id"]


def row_of(rec: Record, topic: str) -> tuple[str, ...]:
    """What the chain makes of it."""
    value = json.loads(rec.value or b"")
    millis = rec.timestamp % 1000
    moment = time.gmtime(rec.timestamp // 1000)
    received = time.strftime("%Y-%m-%dT%H:%M:%S", moment) + f".{millis:03d}Z"
    return (
        value["id"], value["n"], "1709210040000", "***", topic, str(rec.partition),
        str(rec.offset), received, "north, 1",
    )  # fmt: skip


def kill_at_work(daemon: Daemon, objects: int) -> None:
    """kill -9 when that many objects are there; then it starts anew."""
    until(lambda: daemon.log.count("landed s3://") >= objects, f"{objects} objects")
    daemon.kill()
    assert daemon.log.count("landed s3://") < OBJECTS, "it was killed too late"
    daemon.start()


def test_a_chain_lands_exactly_once_over_kills(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    """Rows are the chain's, each once; what Cast can't take is a letter that says so."""
    topic, bucket = topics(PARTITIONS), buckets()
    records = client.produce(topic, [message(i) for i in range(RECORDS)])
    config: dict[str, Any] = {
        **sink(topic, minio.endpoint, bucket.name, flush__size=ROWS),
        **CHAIN,
        "value.schema": SCHEMA,
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": f"{topic}-dead",
        "errors.deadletterqueue.topic.replication.factor": 1,
        "errors.deadletterqueue.context.headers.enable": "true",
    }
    worker = {**FAST_GROUP, "consumer.group.instance.id": topic}
    daemon = daemons(config, worker=worker)
    for objects in (5, 15):
        kill_at_work(daemon, objects)
    wait_committed(client, topic, RECORDS, daemon=daemon)
    assert daemon.term() == 0
    records = client.read_all(topic)
    good = [rec for rec in records if landing_id(rec)]
    report = audit(
        topic, bucket, client, records=records, group=group_of(topic),
        record_id=landing_id,
    )  # fmt: skip
    assert report.records == len(good) > RECORDS // 2
    rows = {
        tuple(field or "" for field in row)
        for stored in bucket.objects()
        if "/_penstock/" not in stored.key
        for row in parse_csv(stored.content)
    }
    assert rows == {row_of(rec, topic) for rec in good}
    assert_letters(client.read_all(f"{topic}-dead"), records)


def assert_letters(letters: list[Record], records: list[Record]) -> None:
    """Of each record that Cast refused, and of no other, byte for byte."""
    bad = {
        (rec.partition, rec.offset): rec
        for rec in records
        if not is_dropped(rec) and not landing_id(rec)
    }
    seen = set()
    for letter in letters:
        context = {
            name.removeprefix("__connect.errors."): (value or b"").decode()
            for name, value in letter.headers
        }
        assert context["stage"] == "TRANSFORMATION"
        assert "transforms.number (Cast)" in context["exception.message"]
        rec = bad[int(context["partition"]), int(context["offset"])]
        assert (letter.key, letter.value) == (rec.key, rec.value)
        seen.add((rec.partition, rec.offset))
    assert seen == set(bad)

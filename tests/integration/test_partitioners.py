"""Folders by field and by hour, end to end: every record once, in its folder, over kills.

The folder that a record belongs to is worked out here from the record alone, by Python's
own calendar and percent-decoder.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, PATIENCE, data_keys, sink, until
from tests.services.minio import Minio
from tests.support import Folder, KafkaClient, Msg, Record, parse_csv
from tests.support.stores import Store

SCHEMA = "id STRING, n BIGINT, place STRUCT<city: STRING, ok: BOOLEAN>, at BIGINT"
CITIES = ["Berlin", "São Paulo", "../..", "a/b=c", "100%", "", None, "x" * 2048, "東京"]
ZONE = "Australia/Lord_Howe"
START = 1_712_413_000_000  # half an hour before the clocks there go back by as much
PARTITIONS, COUNT = 3, 6000
Paths = Callable[[dict[str, Any], Record], str]


@pytest.fixture(params=["s3", "directory"])
def place(
    request: pytest.FixtureRequest, buckets: BucketFactory, minio: Minio, tmp_path: Path
) -> Iterator[tuple[Store, str, str | None]]:
    """A store, its URL and its bucket."""
    if request.param == "directory":
        folder = tmp_path / "store"
        yield Folder(folder), folder.as_uri(), None
    else:
        bucket = buckets()
        yield bucket, minio.endpoint, bucket.name


def values(first: int, count: int) -> list[dict[str, Any]]:
    """Numbered records over CITIES and eight hours."""
    chance = random.Random(first)
    return [
        {
            "id": f"r{n}",
            "n": n,
            "place": {"city": chance.choice(CITIES), "ok": n % 2 == 0},
            "at": START + chance.randrange(8 * 3_600_000),
        }
        for n in range(first, first + count)
    ]


def feed(client: KafkaClient, topic: str, first: int, count: int) -> list[Record]:
    """Produce them, in turn over the partitions; Kafka's time is `at`, too."""
    return client.produce(
        topic,
        [
            Msg(json.dumps(v), partition=v["n"] % PARTITIONS, timestamp=v["at"])
            for v in values(first, count)
        ],
    )


def by_city(value: dict[str, Any], _: Record) -> str:
    """The folders of FieldPartitioner, decoded."""
    city = value["place"]["city"] or "__HIVE_DEFAULT_PARTITION__"
    return f"place.city={city}/place.ok={str(value['place']['ok']).lower()}"


def by_hour(_: dict[str, Any], record: Record) -> str:
    """The folders of HourlyPartitioner."""
    local = datetime.fromtimestamp(record.timestamp / 1000, ZoneInfo(ZONE))
    return local.strftime("year=%Y/month=%m/day=%d/hour=%H")


def decoded(path: str) -> str:
    """The folders with Hive's escapes undone; the long city's cut end made whole."""
    whole = re.sub(r"=x{160,}%~[0-9a-f]{16}/", f"={'x' * 2048}/", path)
    return "/".join(unquote(part) for part in whole.split("/"))


def check(store: Store, topic: str, records: list[Record], wanted: Paths) -> int:
    """Each record once, in its folder, in an object named after its first record."""
    expected = {}
    for record in records:
        value = json.loads(record.value or b"")
        expected[value["id"]] = (record.partition, wanted(value, record))
    found: Counter[str] = Counter()
    keys = data_keys(store)
    for key in keys:
        stored = store.get(key)
        path, _, name = key.removeprefix(f"topics/{topic}/").rpartition("/")
        ids = [row[0] or "" for row in parse_csv(stored.content.decode())]
        partition = int(name.split("+")[1])
        assert {expected[i] for i in ids} == {(partition, decoded(path))}, key
        first = next(
            r.offset
            for r in records
            if r.partition == partition and json.loads(r.value or b"")["id"] == ids[0]
        )
        assert name == f"{topic}+{partition}+{first:020d}.csv", key
        found.update(ids)
    assert {i for i, times in found.items() if times > 1} == set()
    assert set(expected) - set(found) == set()
    return len(keys)


FIELD = {
    "partitioner__class": "FieldPartitioner",
    "partition__field__name": "place.city,place.ok",
}
HOURLY = {
    "partitioner__class": "HourlyPartitioner",
    "timestamp__extractor": "Record",
    "timezone": ZONE,
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("settings", "wanted"), [(FIELD, by_city), (HOURLY, by_hour)], ids=["field", "hourly"]
)
def test_every_record_once_in_its_folder_over_kills(
    place: tuple[Store, str, str | None],
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
    settings: dict[str, str],
    wanted: Paths,
) -> None:
    store, url, bucket = place
    topic, chance = topics(PARTITIONS, retention_ms=-1), random.Random(3)
    config = sink(
        topic,
        url,
        bucket,
        value__schema=SCHEMA,
        select="id, n",
        flush__size=200,
        **settings,
    )
    worker = {**FAST_GROUP, "consumer.group.instance.id": topic}
    daemon = daemons(config, worker=worker)
    records: list[Record] = []
    for turn in range(4):
        before = len(data_keys(store))
        records += feed(client, topic, turn * COUNT // 4, COUNT // 4)
        until(lambda b=before: len(data_keys(store)) > b, "objects")  # type: ignore[misc]
        if turn < 3:
            daemon.kill() if chance.random() < 0.7 else daemon.term()
            daemon.start()
    daemon.term()
    drain = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert drain.wait(PATIENCE * 2) == 0, drain.log
    assert len(records) == COUNT
    assert check(store, topic, records, wanted) > 8 * PARTITIONS
    # Once more: nothing is left to do.
    keys = data_keys(store)
    again = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert again.wait(PATIENCE) == 0, again.log
    assert data_keys(store) == keys


@pytest.mark.timeout(120)
def test_a_field_of_records_gives_the_day(
    place: tuple[Store, str, str | None],
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
) -> None:
    """RecordField: Kafka's time is not looked at; a record without one is skipped."""
    store, url, bucket = place
    topic = topics(PARTITIONS, retention_ms=-1)
    records = client.produce(
        topic, [Msg(json.dumps(v), partition=v["n"] % PARTITIONS) for v in values(0, 900)]
    )
    client.produce(topic, [Msg('{"id": "timeless", "n": 0}', partition=0)])
    config = sink(
        topic,
        url,
        bucket,
        value__schema=SCHEMA,
        select="id",
        errors__tolerance="all",
        partitioner__class="TimeBasedPartitioner",
        path__format="'day'=YYYY-MM-dd",
        partition__duration__ms=86400000,
        timestamp__extractor="RecordField",
        timestamp__field="at",
        timezone="Asia/Kolkata",
    )
    drain = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert drain.wait(PATIENCE) == 0, drain.log

    def by_day(value: dict[str, Any], _: Record) -> str:
        local = datetime.fromtimestamp(value["at"] / 1000, ZoneInfo("Asia/Kolkata"))
        return local.strftime("day=%Y-%m-%d")

    check(store, topic, records, by_day)

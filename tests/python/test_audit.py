"""The audit finds what it must: each kind of damage to a good bucket fails it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import BucketFactory, TopicFactory
from tests.support import AuditError, Folder, KafkaClient, Record, audit, parse_csv
from tests.support.audit import Report, crc32c, last_text
from tests.support.stores import Shelf

TOPIC = "orders"
GROUP = "connect-sink"


def make_records(partitions: int = 2, count: int = 9) -> list[Record]:
    """Records with a gap in the offsets, as a transaction's marker leaves it."""
    return [
        Record(p, n + n // 4, 1000 + n, None, json.dumps({"id": f"{p}-{n}"}).encode())
        for p in range(partitions)
        for n in range(count)
    ]


def key_of(partition: int, start: int, topic: str = TOPIC) -> str:
    return f"topics/{topic}/partition={partition}/{topic}+{partition}+{start:020d}.csv"


def window(records: list[Record], start: int, end: int, topic: str) -> tuple[bytes, Any]:
    """One object's body and metadata for the records within [start, end)."""
    inside = [r for r in records if start <= r.offset < end]
    ids = [json.loads(record.value or b"{}")["id"] for record in inside]
    meta = {
        "next": str(end),
        "last": last_text(inside[-1]),
        "records": str(len(inside)),
        "topic": topic,
        "partition": str(inside[-1].partition),
        "group": GROUP,
        "cluster": "c",
    }
    return "".join(f"{rid},x\n" for rid in ids).encode(), meta


def fill(store: Any, records: list[Record], topic: str = TOPIC, size: int = 4) -> None:
    """Write what a right sink would: a root and a chain per partition."""
    for partition in {record.partition for record in records}:
        mine = [record for record in records if record.partition == partition]
        root = json.dumps({"start": mine[0].offset, "group": GROUP}).encode()
        store.put(f"topics/_penstock/{topic}/{partition}/root.json", root)
        start, end = mine[0].offset, mine[-1].offset + 1
        while start < end:
            body, meta = window(mine, start, min(start + size, end), topic)
            store.put(key_of(partition, start, topic), body, meta)
            start += size


@pytest.fixture
def records() -> list[Record]:
    return make_records()


@pytest.fixture
def shelf(records: list[Record]) -> Shelf:
    store = Shelf()
    fill(store, records)
    return store


def check(shelf: Shelf, records: list[Record], **options: Any) -> Report:
    return audit(TOPIC, shelf, records=records, group=GROUP, cluster="c", **options)


def failure(shelf: Shelf, records: list[Record], **options: Any) -> AuditError:
    with pytest.raises(AuditError) as caught:
        check(shelf, records, **options)
    return caught.value


def rewrite(shelf: Shelf, key: str, change: Callable[[list[str]], list[str]]) -> None:
    """Change an object's rows."""
    rows = shelf.held[key].body.decode().splitlines()
    body = "".join(f"{row}\n" for row in change(rows)).encode()
    shelf.held[key] = replace(shelf.held[key], body=body)


def remeta(shelf: Shelf, key: str, **changes: str) -> None:
    """Change an object's metadata."""
    old = shelf.held[key]
    shelf.held[key] = replace(old, meta={**old.meta, **changes})


def test_a_good_bucket_passes_and_prints_one_line(
    shelf: Shelf, records: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    report = check(shelf, records)
    assert capsys.readouterr().out == "18 records, 6 objects, 0 lost, 0 doubled\n"
    assert (report.records, report.objects, report.ends) == (18, 6, {0: 11, 1: 11})


def test_a_missing_object(shelf: Shelf, records: list[Record]) -> None:
    del shelf.held[key_of(0, 4)]
    error = failure(shelf, records)
    assert error.lost == ["0-4", "0-5", "0-6"]
    assert "next is 4, but the next object starts at 8" in str(error)


def test_the_last_object_missing(shelf: Shelf, records: list[Record]) -> None:
    del shelf.held[key_of(1, 8)]
    assert failure(shelf, records).lost
    check(shelf, records, complete=False)


def test_the_first_object_missing(shelf: Shelf, records: list[Record]) -> None:
    del shelf.held[key_of(1, 0)]
    assert "starts at 4, the root at 0" in str(failure(shelf, records))


def test_every_object_of_a_partition_missing(shelf: Shelf, records: list[Record]) -> None:
    for key in shelf.keys("topics/orders/partition=1/"):
        del shelf.held[key]
    assert len(failure(shelf, records).lost) == 9


def test_a_doubled_row(shelf: Shelf, records: list[Record]) -> None:
    rewrite(shelf, key_of(0, 0), lambda rows: [*rows, rows[-1]])
    error = failure(shelf, records)
    assert (error.lost, error.doubled) == ([], ["0-3"])


def test_a_row_of_another_window_too(shelf: Shelf, records: list[Record]) -> None:
    rewrite(shelf, key_of(0, 8), lambda rows: ["0-0,x", *rows])
    assert failure(shelf, records).doubled == ["0-0"]


def test_a_record_in_two_overlapping_objects(shelf: Shelf, records: list[Record]) -> None:
    body, meta = window([r for r in records if r.partition == 0], 2, 4, TOPIC)
    shelf.put(key_of(0, 2), body, meta)
    error = failure(shelf, records)
    assert error.doubled
    assert "next is 4, but the next object starts at 2" in str(error)


def test_a_lost_row(shelf: Shelf, records: list[Record]) -> None:
    rewrite(shelf, key_of(0, 0), lambda rows: rows[1:])
    remeta(shelf, key_of(0, 0), records="3")
    assert failure(shelf, records).lost == ["0-0"]


def test_a_swapped_order(shelf: Shelf, records: list[Record]) -> None:
    rewrite(shelf, key_of(0, 0), lambda rows: [rows[1], rows[0], *rows[2:]])
    error = failure(shelf, records)
    assert (error.lost, error.doubled) == ([], [])
    assert "in another order" in str(error)


def test_rows_moved_between_partitions(shelf: Shelf, records: list[Record]) -> None:
    rewrite(shelf, key_of(0, 0), lambda rows: rows[:-1])
    rewrite(shelf, key_of(1, 0), lambda rows: [*rows, "0-3,x"])
    error = failure(shelf, records)
    assert (error.lost, error.doubled) == ([], [])
    assert len([p for p in error.problems if "not those" in p]) == 2


def test_a_row_that_no_record_made(shelf: Shelf, records: list[Record]) -> None:
    rewrite(shelf, key_of(0, 0), lambda rows: [*rows, "alien,x"])
    assert failure(shelf, records).foreign == ["alien"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("next", "3", "next is 3, but the next object starts at 4"),
        ("next", "", "next is ''"),
        ("records", "5", "records is '5', not '4'"),
        ("topic", "other", "topic is 'other'"),
        ("partition", "1", "partition is '1'"),
        ("group", "connect-copy", "group is 'connect-copy', not 'connect-sink'"),
        ("cluster", "d", "cluster is 'd', not 'c'"),
        ("last", "2:1002:0", "last is '2:1002:0', not '3:1003:"),
    ],
)
def test_wrong_metadata(
    shelf: Shelf, records: list[Record], name: str, value: str, text: str
) -> None:
    remeta(shelf, key_of(0, 0), **{name: value})
    assert text in str(failure(shelf, records))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("topics/orders/partition=0/part-0.csv", "not a data object's name"),
        ("topics/orders/partition=1/orders+0+00000000000000000020.csv", "not where"),
        ("topics/orders/partition=0/orders+0+20.csv", "not where the layout puts it"),
        ("topics/orders+0+00000000000000000020.csv", "not where the layout puts it"),
        (f"topics/orders/partition=0/orders+0+{20:020}-{24:020}.csv", "not where"),
    ],
)
def test_a_stray_object(shelf: Shelf, records: list[Record], key: str, text: str) -> None:
    shelf.put(key, b"")
    assert f"{key}: {text}" in str(failure(shelf, records))


def test_a_chain_without_a_root(shelf: Shelf, records: list[Record]) -> None:
    del shelf.held["topics/_penstock/orders/0/root.json"]
    assert "partition 0: no root with a start" in str(failure(shelf, records))


def test_an_object_that_is_not_csv(shelf: Shelf, records: list[Record]) -> None:
    key = key_of(0, 0)
    shelf.held[key] = replace(shelf.held[key], body=b"\xff\xfe")
    error = failure(shelf, records)
    assert "'utf-8' codec" in str(error)
    assert len(error.lost) == 4


def test_records_without_a_row(shelf: Shelf, records: list[Record]) -> None:
    """A filtered record is not lost; a row for it is no row of a record."""
    extra = Record(1, 11, 2000, None, None)
    assert check(shelf, [*records, extra], record_id=row_unless_null).records == 18
    assert failure(shelf, [*records, extra]).lost == [""]


def row_unless_null(record: Record) -> str | None:
    return str(json.loads(record.value)["id"]) if record.value is not None else None


def test_the_flat_layout_with_compression(records: list[Record]) -> None:
    shelf, source = Shelf(), Shelf()
    fill(source, records)
    for key, stored in source.held.items():
        if "_penstock" in key:
            shelf.put(key, stored.body)
        else:
            flat = f"topics/{key.rpartition('/')[2]}.gz"
            shelf.put(flat, gzip.compress(stored.body), stored.meta)
    shelf.put("topics/other+0+00000000000000000000.csv", b"1\n", {})
    assert check(shelf, records, flat=True).objects == 6
    assert "not where the layout puts it" in str(failure(shelf, records))


def link_text(key: str, meta: dict[str, str]) -> str:
    """A link file as the directory store writes it."""
    lines = [f"meta penstock-{name} {quote(value)}" for name, value in meta.items()]
    head = ["penstock-link 1", f"key {key}", "temp .tmp-d0", "size 1", "crc32c 0"]
    return "\n".join([*head, *lines, "end\n"])


def test_a_directory_store_has_its_metadata_in_links(
    tmp_path: Path, shelf: Shelf, records: list[Record]
) -> None:
    for key, stored in shelf.held.items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored.body)
        if stored.meta:
            _, partition, start = path.stem.split("+")
            link = tmp_path / f"topics/_penstock/{TOPIC}/{partition}/{start}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.write_text(link_text(key, stored.meta))
    folder = Folder(tmp_path)
    assert audit(TOPIC, folder, records=records, group=GROUP).objects == 6
    next(tmp_path.glob(f"topics/_penstock/{TOPIC}/0/*4")).unlink()
    with pytest.raises(AuditError, match="next is None"):
        audit(TOPIC, folder, records=records, group=GROUP)
    with pytest.raises(KeyError):
        folder.get("topics/none")
    next(tmp_path.glob(f"topics/_penstock/{TOPIC}/0/*0")).write_text("penstock-link 1\n")
    with pytest.raises(ValueError, match="not a link file"):
        folder.objects()


def test_the_checksum_is_castagnolis() -> None:
    """The check value of RFC 3720's polynomial."""
    assert crc32c(b"123456789") == 0xE3069283
    assert last_text(Record(0, 7, 5, b"1234", b"56789")) == "7:5:e3069283"


def test_keys_of_a_store_without_conditional_create(
    shelf: Shelf, records: list[Record]
) -> None:
    for key, stored in list(shelf.held.items()):
        if stored.meta:
            del shelf.held[key]
            long = key.replace(".csv", f"-{int(stored.meta['next']):020}.csv")
            shelf.put(long, stored.body, stored.meta)
    assert check(shelf, records, conditional=False).objects == 6
    assert "not where the layout puts it" in str(failure(shelf, records))


def test_the_real_services(
    client: KafkaClient, topics: TopicFactory, buckets: BucketFactory
) -> None:
    """Records from the broker, objects from the S3 server, offsets of the group."""
    topic, bucket = topics(partitions=2), buckets()
    client.produce(topic, [{"id": n} for n in range(50)], transaction=True)
    records = client.read_all(topic)
    fill(bucket, records, topic)
    ends = {r.partition: r.offset + 1 for r in records}
    with pytest.raises(AuditError, match="committed -1, the chain ends at"):
        audit(topic, bucket, client, group=GROUP)
    client.set_committed(GROUP, topic, client.end_offsets(topic))
    assert audit(topic, bucket, client, group=GROUP).ends == ends
    client.set_committed(GROUP, topic, {p: end - 1 for p, end in ends.items()})
    with pytest.raises(AuditError, match=f"committed {ends[0] - 1}, the chain ends"):
        audit(topic, bucket, client, group=GROUP)
    client.produce(topic, ["late"] * 20)
    client.set_committed(GROUP, topic, client.end_offsets(topic))
    with pytest.raises(AuditError, match="the chain ends at"):
        audit(topic, bucket, client, group=GROUP, complete=False)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("a,b\n", [["a", "b"]]),
        ("a,b", [["a", "b"]]),
        (',"",\n', [[None, "", None]]),
        (",", [[None, None]]),
        ("x,", [["x", None]]),
        ('"a,b","c\\"d","e\\\\f","g\nh"\n', [["a,b", 'c"d', "e\\f", "g\nh"]]),
        ("a\\b,c\\\n", [["a\\b", "c\\"]]),
        ('a"b,c\n', [['a"b', "c"]]),
        ('"a\\nb"\n', [["a\\nb"]]),
        ("1\n2\n", [["1"], ["2"]]),
        (b"\xc5\x9f\r,b\n", [["ş\r", "b"]]),
    ],
)
def test_csv_as_spark_writes_it(text: str | bytes, rows: list[list[str | None]]) -> None:
    assert parse_csv(text) == rows


def test_other_csv_dialects() -> None:
    assert parse_csv('"a""b"|c\n', sep="|", escape='"') == [['a"b', "c"]]
    assert parse_csv("id||\\n\n1||2\n", sep="||", header=True) == [["1", "2"]]
    with pytest.raises(ValueError, match="not CSV at character 2"):
        parse_csv('a,"b"c\n')

"""The audit of routed layouts: each kind of damage to a good bucket fails it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support import AuditError, Record, Report, RoutedAudit
from tests.support.audit import crc32c, last_text
from tests.support.audit_routed import offsets_of
from tests.support.stores import Shelf

TOPIC, GROUP, BATCH = "orders", "connect-sink", "0123456789abcdef"
BELOW = f"topics/_penstock/{TOPIC}/0/"
FIRST = f"{BELOW}{0:020d}.json"
EVEN = f"topics/{TOPIC}/odd=0/{TOPIC}+0+{0:020d}.csv"
ODD = f"topics/{TOPIC}/odd=1/{TOPIC}+0+{1:020d}.csv"
RECORDS = [
    Record(0, n + n // 6, 1000 + n, None, json.dumps({"id": f"r{n}"}).encode())
    for n in range(12)
]


def path_of(record: Record) -> re.Pattern[str]:
    return re.compile(f"odd={record.offset % 2}")


def put_window(shelf: Shelf, start: int, end: int) -> None:
    """A window as a right sink lands it: a manifest, and an object a path."""
    inside = [r for r in RECORDS if start <= r.offset < end]
    head = {
        "start": start,
        "next": end,
        "last": last_text(inside[-1]),
        "records": len(inside),
        "group": GROUP,
        "cluster": "c",
        "topic": TOPIC,
        "partition": 0,
        "batch": BATCH,
    }
    listed = []
    for odd in range(2):
        mine = [r for r in inside if r.offset % 2 == odd]
        body = "".join(f"{json.loads(r.value or b'')['id']},x\n" for r in mine).encode()
        key = f"topics/{TOPIC}/odd={odd}/{TOPIC}+0+{mine[0].offset:020d}.csv"
        runs, at = [], 0
        for record in mine:
            runs.append(str(record.offset - at))
            at = record.offset + 1
        listed.append(
            {
                "key": key,
                "rows": len(mine),
                "size": len(body),
                "crc32c": f"{crc32c(body):08x}",
                "offsets": ",".join(runs),
            }
        )
        meta = {name: str(value) for name, value in head.items()}
        shelf.put(key, body, meta | {"records": str(len(mine))})
    body = json.dumps(head | {"objects": listed}).encode()
    shelf.put(f"{BELOW}{start:020d}.json", body)


@pytest.fixture
def shelf() -> Shelf:
    store = Shelf()
    store.put(f"{BELOW}root.json", b'{"start": 0}')
    put_window(store, 0, 6)
    put_window(store, 6, 13)
    return store


def check(shelf: Shelf, **options: Any) -> Report:
    return RoutedAudit(
        TOPIC,
        shelf,
        records=RECORDS,
        group=GROUP,
        cluster="c",
        path_of=path_of,
        **options,
    ).run()


def failure(shelf: Shelf) -> AuditError:
    with pytest.raises(AuditError) as caught:
        check(shelf)
    return caught.value


def remake(shelf: Shelf, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the first manifest says."""
    body = json.loads(shelf.held[FIRST].body)
    change(body)
    shelf.put(FIRST, json.dumps(body).encode())


def test_the_text_of_offsets() -> None:
    assert list(offsets_of("100*5,2,1*4")) == [*range(100, 105), 107, *range(109, 113)]


def test_a_good_bucket_passes(shelf: Shelf) -> None:
    report = check(shelf)
    assert (report.records, report.objects, report.ends) == (12, 4, {0: 13})


def test_an_object_that_is_missing(shelf: Shelf) -> None:
    del shelf.held[ODD]
    error = failure(shelf)
    assert error.lost == ["r1", "r3", "r5"]
    assert f"{ODD}: is not there" in str(error)


def test_a_manifest_that_is_missing(shelf: Shelf) -> None:
    del shelf.held[FIRST]
    error = failure(shelf)
    assert f"{ODD}: no manifest lists it" in str(error)
    assert "starts at 6, the root at 0" in str(error)
    assert (error.lost, error.doubled) == ([], [])


def test_an_object_put_twice_under_two_paths(shelf: Shelf) -> None:
    """As a sink without manifests leaves it, whose clock went on between two trials."""
    stored = shelf.held[ODD]
    shelf.put(ODD.replace("odd=1", "odd=9"), stored.body, stored.meta)
    error = failure(shelf)
    assert error.doubled == ["r1", "r3", "r5"]
    assert "no manifest lists it" in str(error)


def test_a_row_of_another_object(shelf: Shelf) -> None:
    stored = shelf.held[ODD]
    shelf.held[ODD] = replace(stored, body=stored.body.replace(b"r1", b"r0"))
    error = failure(shelf)
    assert (error.lost, error.doubled) == (["r1"], ["r0"])
    assert "'r0' is not the row of offset 1" in str(error)
    assert "not the bytes that its manifest names" in str(error)


def test_a_record_in_the_wrong_folder(shelf: Shelf) -> None:
    wrong = ODD.replace("odd=1", "odd=0")
    shelf.held[wrong] = replace(shelf.held.pop(ODD), key=wrong)
    remake(shelf, lambda body: body["objects"][1].update(key=wrong))
    assert f"{wrong}: not the place of offset 1" in str(failure(shelf))


def test_an_object_named_after_another_record(shelf: Shelf) -> None:
    wrong = ODD.replace(f"{1:020d}", f"{3:020d}")
    shelf.held[wrong] = replace(shelf.held.pop(ODD), key=wrong)
    remake(shelf, lambda body: body["objects"][1].update(key=wrong))
    assert f"{wrong}: not the place of offset 1" in str(failure(shelf))


def test_a_record_listed_twice(shelf: Shelf) -> None:
    remake(shelf, lambda body: body["objects"][1].update(offsets="0,2,1"))
    assert "lists records twice" in str(failure(shelf))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"next": 5}, "next is 5, but the next object starts at 6"),
        ({"start": 1}, "says that it starts at 1"),
        ({"records": 7}, "records is '7', not '6'"),
        ({"group": "other"}, "group is 'other', not 'connect-sink'"),
        ({"last": "4:1004:0"}, "last is '4:1004:0'"),
        ({"batch": "f" * 16}, "batch is '0123456789abcdef', not 'ffffffffffffffff'"),
    ],
)
def test_a_manifest_that_lies(shelf: Shelf, change: dict[str, Any], text: str) -> None:
    remake(shelf, lambda body: body.update(change))
    assert text in str(failure(shelf))


def test_another_extension(shelf: Shelf) -> None:
    with pytest.raises(AuditError, match="not the place of offset"):
        check(shelf, extension=".csv.gz")

"""Partitioners from the Python face: folders read back by Python's own percent-decoder
and calendar."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from zoneinfo import ZoneInfo

import pytest

from penstock import ConfigError, FatalError, S3CsvSink
from tests.support import Folder, parse_csv, sink_config

SCHEMA = "id STRING, v STRING, at STRING, name STRUCT<first: STRING, last: STRING>"
NOW = 1_700_000_000_000
NOTHING = "__HIVE_DEFAULT_PARTITION__"
Tuple = tuple[str, int, int, bytes | None, bytes | None, int | None]

NASTY = [
    *("../", "..", ".", "/", "//", "a/b", "../../etc/passwd", "%2F", "%", "%%", "%4"),
    *("%~0123456789abcdef", "=", "a=b", " ", "  a  ", "~", "+", "a+b", "&", "?x#y", "\\"),
    *("\n", "\r\n", "\t", "\x7f", "\x01", "\x00", "a\x00b", "null", NOTHING, "é" * 300),
    *("Zürich", "東京", "\U0001f600", "\ufffe", "\uffff", "\ufeff", "e\u0301", "\u202e"),
    *("x" * 198, "x" * 199, "x" * 2048, "x" * 2047 + "y", "/" * 700, "東" * 700),
    *('"', "'", "*", ":", "{}", "[]", "^", "CON", "nul.", "a.", "-", "|<>;$`!,@()"),
]


def config(folder: Path, **more: Any) -> dict[str, Any]:
    """A sink with a folder as its store; only `id` is selected."""
    return sink_config("t", SCHEMA, folder.as_uri(), **{"select": "id", **more})


def record(offset: int, time: int | None = NOW, **value: Any) -> Tuple:
    """A record as a tuple; its id is its offset."""
    text = json.dumps({"id": str(offset), **value}, ensure_ascii=random.random() < 0.5)
    return ("t", 0, offset, None, text.encode("utf-8", "surrogatepass"), time)


def land(folder: Path, records: list[Tuple], **more: Any) -> dict[int, str]:
    """Each record's folder below the topic's, by id; none is there twice."""
    with S3CsvSink(config(folder, **more)) as sink:
        sink.put(records)
        sink.flush()
    return landed(folder)


def landed(folder: Path) -> dict[int, str]:
    """The same of what is there."""
    found: list[tuple[int, str]] = []
    for stored in Folder(folder).objects("topics/t/"):
        path, _, name = stored.key.removeprefix("topics/t/").rpartition("/")
        ids = [int(row[0] or "") for row in parse_csv(stored.content.decode())]
        assert ids == sorted(ids)
        assert name == f"t+0+{ids[0]:020d}.csv", stored.key
        assert len(stored.key.encode()) <= 1024
        found += [(number, path) for number in ids]
    assert [n for n, times in Counter(n for n, _ in found).items() if times > 1] == []
    return dict(found)


def fnv1a(data: bytes) -> int:
    """The 64-bit hash of a value that was cut."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def check_folder(folder: str, name: str, value: str | None) -> None:
    """Is this the one folder of this value?"""
    assert folder.startswith(f"{name}=")
    text = folder.removeprefix(f"{name}=")
    assert len(folder.encode()) <= 200
    assert not set(text) & {"/", "\\", "=", *map(chr, range(32)), "\x7f"}
    if not value:
        assert text == NOTHING
        return
    assert text != NOTHING
    data = value.encode()
    start, mark, cut = text.partition("%~")
    if mark:
        assert len(folder.encode()) > 196
        assert int(cut, 16) == fnv1a(data)
        assert len(cut) == 16
        assert data.startswith(unquote_to_bytes(start))
    else:
        assert unquote_to_bytes(text) == data


def odd_value(chance: random.Random) -> str | None:
    """Null, one of NASTY, or characters of all kinds."""
    kind = chance.random()
    if kind < 0.03:
        return None
    if kind < 0.2:
        return chance.choice(NASTY)
    plane = chance.choice(["/%.=\\ ", "ab%2F", "é東\U0001f600x"])
    size = chance.choice([1, 2, 5, 40, 190, 400])
    return "".join(
        chance.choice(plane) if chance.random() < 0.7 else chr(chance.randrange(0xD800))
        for _ in range(chance.randrange(size + 1))
    )


def test_values_read_back_from_their_folders(tmp_path: Path) -> None:
    chance = random.Random(5)
    values = [*NASTY, None, "", *(odd_value(chance) for _ in range(1500))]
    records = [record(n, v=value) for n, value in enumerate(values)]
    folders = land(
        tmp_path / "store",
        records,
        partitioner__class="FieldPartitioner",
        partition__field__name="v",
    )
    assert sorted(folders) == list(range(len(values)))
    of: dict[str, str] = {}
    for number, value in enumerate(values):
        check_folder(folders[number], "v", value)
        other = of.setdefault(folders[number], value or "")
        assert other == (value or ""), "two values in one folder"
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_several_nested_fields(tmp_path: Path) -> None:
    names = [("Ann", "Lee"), ("Ann", None), ("Bo/b", "Lee"), (None, "Ö"), ("Ann", "Lee")]
    records = [
        record(n, name={"first": first, "last": last})
        for n, (first, last) in enumerate(names)
    ]
    folders = land(
        tmp_path,
        records,
        partitioner__class="io.confluent.connect.storage.partitioner.FieldPartitioner",
        partition__field__name="name.first, name.last",
    )
    assert folders == {
        0: "name.first=Ann/name.last=Lee",
        1: f"name.first=Ann/name.last={NOTHING}",
        2: "name.first=Bo%2Fb/name.last=Lee",
        3: f"name.first={NOTHING}/name.last=Ö",
        4: "name.first=Ann/name.last=Lee",
    }


def test_records_without_a_value(tmp_path: Path) -> None:
    config_ = config(
        tmp_path,
        select="id, at",
        partitioner__class="FieldPartitioner",
        partition__field__name="v",
    )
    with S3CsvSink(config_) as sink:
        sink.put([("t", 0, 0, None, None, NOW), ("t", 0, 1, None, b"{broken", NOW)])
    (stored,) = Folder(tmp_path).objects("topics/t/")
    assert stored.key == f"topics/t/v={NOTHING}/t+0+{0:020d}.csv"
    assert parse_csv(stored.content.decode()) == [[None, None]] * 2


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"]
)
def test_hours_of_a_zone(tmp_path: Path, zone: str) -> None:
    step, count = 25 * 60_000, 900
    starts = [datetime(2024, 3, 3, tzinfo=UTC), datetime(2024, 10, 1, tzinfo=UTC)]
    times = [
        int(s.timestamp()) * 1000 + n * step * 3
        for s in starts
        for n in range(count // 3)
    ]
    folders = land(
        tmp_path,
        [record(n, time=time) for n, time in enumerate(times)],
        partitioner__class="HourlyPartitioner",
        timestamp__extractor="Record",
        timezone=zone,
    )
    pattern = "year=%Y/month=%m/day=%d/hour=%H"
    expected = {
        n: datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)).strftime(pattern)
        for n, ms in enumerate(times)
    }
    assert folders == expected


def test_the_time_of_a_field(tmp_path: Path) -> None:
    records = [
        record(0, at="2024-03-05T23:59:59.999Z"),
        record(1, at="1709683200000"),
        record(2, at="2024-03-05T23:59:59-01:00"),
        record(3, at="2024-03-05"),
    ]
    folders = land(
        tmp_path,
        records,
        partitioner__class="TimeBasedPartitioner",
        path__format="YYYY/MM-dd/'at'HHmm",
        partition__duration__ms="30m",
        timestamp__extractor="RecordField",
        timestamp__field="at",
    )
    assert folders == {
        0: "2024/03-05/at2330",
        1: "2024/03-06/at0000",
        2: "2024/03-06/at0030",
        3: "2024/03-05/at0000",
    }


def test_a_record_without_a_time(tmp_path: Path) -> None:
    by_field = {
        "partitioner__class": "DailyPartitioner",
        "timestamp__extractor": "RecordField",
        "timestamp__field": "at",
    }
    records = [record(0, at="2024-03-05"), record(1), record(2, at="soon")]
    sink = S3CsvSink(config(tmp_path / "none", **by_field))
    with pytest.raises(FatalError, match="t-0 offset 1: at is null or missing"):
        sink.put(records)
    sink.close(flush=False)
    tolerant = config(tmp_path / "all", errors__tolerance="all", **by_field)
    with S3CsvSink(tolerant) as sink:
        sink.put(records)
        sink.flush()
        assert sink.stats["errors"] == 2
    assert landed(tmp_path / "all") == {0: "year=2024/month=03/day=05"}


def test_all_errors_at_once(tmp_path: Path) -> None:
    wrong = config(
        tmp_path,
        partitioner__class="FieldPartitioner",
        partition__field__name="vv,name,id,name.frist",
        timezone="Mars",
        select="id, nothing",
    )
    with pytest.raises(ConfigError) as caught:
        S3CsvSink(wrong)
    text = str(caught.value)
    for part in (
        "no column 'vv' in value.schema; did you mean 'v'?",
        "'name' is a STRUCT: name one of its fields",
        "no column 'frist' in name; did you mean 'first'?",
        "time zone 'Mars'",
        "no column 'nothing' in value.schema",
    ):
        assert part in text, text
    assert "'id'" not in text


def test_a_time_field_that_is_not_there(tmp_path: Path) -> None:
    wrong = config(
        tmp_path,
        partitioner__class="HourlyPartitioner",
        timestamp__extractor="RecordField",
    )
    with pytest.raises(ConfigError, match="no column 'timestamp' in"):
        S3CsvSink(wrong)

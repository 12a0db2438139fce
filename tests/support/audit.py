"""Proves exactly once from outside: every record of a topic is in the store, once.

Per partition it checks, with no code of the sink:

- the root and the chain: the first object starts at `root.json`'s start, each
  object's `penstock-next` is the next one's start, each key is the one that the
  layout demands;
- each object: its rows are the records within [start, next) in their order, and
  `records`, `topic`, `partition` and `last` in its metadata say the same;
- the whole: no record lost, none doubled, no row that no record made;
- Kafka: the group's committed offset is the chain's end, or beyond it over nothing
  that makes a row.

A record's id must be unique in the topic, or the record has no row (id None).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.support.csvtext import Row, parse_csv
from tests.support.kafka_client import KafkaClient, Record
from tests.support.stores import Store, StoredObject

RecordId = Callable[[Record], str | None]
RowId = Callable[[Row], str]
SHOWN = 10
_NAME = re.compile(
    r"(?P<topic>[^/+]+)\+(?P<p>\d+)\+(?P<start>\d+)"
    r"(?P<ext>(-(?P<end>\d{20}))?\.(csv|jsonl)(\.gz|\.zst)?)"
)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) of some bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def last_text(record: Record) -> str:
    """A record as `penstock-last` names it: offset:timestamp:crc32c of key and value."""
    crc = crc32c((record.key or b"") + (record.value or b""))
    return f"{record.offset}:{record.timestamp}:{crc:08x}"


def json_id(record: Record) -> str | None:
    """The field `id` of a JSON record; "" (a row of nulls) when it is no such JSON."""
    try:
        return str(json.loads(record.value or b"")["id"])
    except (ValueError, KeyError, TypeError):
        return ""


def json_id_of(line: bytes) -> str:
    """The field `id` of a line of JSON; "" when it is null. Raises ValueError."""
    return str(json.loads(line).get("id") or "")


def first_column(row: Row) -> str:
    """The first column; "" for a null."""
    return row[0] or ""


class AuditError(AssertionError):
    """What is wrong, and the ids that are `lost`, `doubled` or `foreign`."""

    def __init__(
        self, problems: list[str], lost: list[str], doubled: list[str], foreign: list[str]
    ) -> None:
        """The text shows up to ten of each."""
        self.problems, self.lost, self.doubled = problems, lost, doubled
        self.foreign = foreign
        counts = f"{len(lost)} lost, {len(doubled)} doubled, {len(foreign)} foreign"
        samples = [
            f"{name}: {', '.join(ids[:SHOWN])}"
            for name, ids in (("lost", lost), ("doubled", doubled), ("foreign", foreign))
            if ids
        ]
        super().__init__("\n  ".join([counts, *samples, *problems[: 2 * SHOWN]]))


@dataclass(frozen=True)
class Report:
    """What a passed audit counted. `str()` is its one line."""

    records: int
    objects: int
    ends: dict[int, int]

    def __str__(self) -> str:
        """`N records, N objects, 0 lost, 0 doubled`."""
        return f"{self.records} records, {self.objects} objects, 0 lost, 0 doubled"


@dataclass
class Link:
    """What stands at a position of a partition's chain: an object, or a manifest."""

    stored: StoredObject
    partition: int
    start: int
    ids: list[str]

    @property
    def next(self) -> int:
        """Where the chain goes on; -1 if it does not say."""
        text = self.stored.meta.get("next", "")
        return int(text) if text.isdigit() else -1


@dataclass
class Audit:
    """The inputs of one audit; `run` does it.

    `prefix` is topics.dir. `records` replaces reading the topic (expired heads);
    `client` reads the topic and the group's offsets; without `group` and `client`
    the offsets are not checked. With `complete=False` records beyond the chain's end
    are not lost yet. `conditional=False` is for a store without conditional create:
    its keys say where the object ends, too. `later` are the (topics.dir, flat) that the
    chain was sealed for since; a seal must name the place of the object after it.
    """

    topic: str
    store: Store
    client: KafkaClient | None = None
    records: Sequence[Record] | None = None
    group: str | None = None
    cluster: str | None = None
    prefix: str = "topics"
    flat: bool = False
    header: bool = False
    complete: bool = True
    conditional: bool = True
    record_id: RecordId = json_id
    row_id: RowId = first_column
    later: Sequence[tuple[str, bool]] = ()
    problems: list[str] = field(default_factory=list, init=False)
    lost: list[str] = field(default_factory=list, init=False)
    doubled: list[str] = field(default_factory=list, init=False)
    foreign: list[str] = field(default_factory=list, init=False)
    strays: list[str] = field(default_factory=list, init=False)
    """Rows of data objects that are in no chain."""

    def run(self) -> Report:
        """Check everything. Raises AuditError with all that is wrong."""
        expected = self._expected()
        chains = self._chains()
        ends = {}
        for partition in sorted(expected.keys() | chains.keys()):
            chain = chains[partition]
            self._check_chain(partition, chain)
            offsets = [record.offset for record, _ in expected[partition]]
            for link in chain:
                first = bisect_left(offsets, link.start)
                end = bisect_left(offsets, link.next)
                self._check_object(link, expected[partition][first:end])
            ends[partition] = self._end(partition, chain)
        self._check_totals(expected, chains, ends)
        self._check_committed(expected, chains, ends)
        if self.problems or self.lost or self.doubled or self.foreign:
            raise AuditError(self.problems, self.lost, self.doubled, self.foreign)
        objects = sum(len(chain) for chain in chains.values())
        records = sum(len(link.ids) for chain in chains.values() for link in chain)
        return Report(records, objects, ends)

    def _expected(self) -> defaultdict[int, list[tuple[Record, str | None]]]:
        records = self.records
        if records is None:
            if self.client is None:
                raise ValueError("an audit needs records or a client")
            records = self.client.read_all(self.topic)
        expected: defaultdict[int, list[tuple[Record, str | None]]] = defaultdict(list)
        for record in sorted(records, key=lambda r: (r.partition, r.offset)):
            expected[record.partition].append((record, self.record_id(record)))
        return expected

    def _meta_key(self, partition: int, name: str) -> str:
        below = f"_penstock/{self.topic}/{partition}/{name}"
        return f"{self.prefix}/{below}" if self.prefix else below

    def _data_keys(self, partition: int, start: int, ext: str) -> dict[str, str]:
        """The keys that the layouts demand, and each layout's name."""
        name = f"{self.topic}+{partition}+{start:020d}{ext}"
        keys = {}
        for prefix, flat in ((self.prefix, self.flat), *self.later):
            folder = "" if flat else f"{self.topic}/partition={partition}/"
            layout = f"{prefix}/{'Flat' if flat else 'Default'}Partitioner{ext}"
            keys[f"{prefix}/{folder}{name}" if prefix else f"{folder}{name}"] = layout
        return keys

    def _chains(self) -> defaultdict[int, list[Link]]:
        """The topic's data objects per partition, by start; strays are problems."""
        chains: defaultdict[int, list[Link]] = defaultdict(list)
        for stored in self._data_objects():
            match = _NAME.fullmatch(stored.key.rpartition("/")[2])
            if match is None:
                self.problems.append(f"{stored.key}: not a data object's name")
            elif match["topic"] == self.topic:
                partition, start = int(match["p"]), int(match["start"])
                right = self._data_keys(partition, start, match["ext"])
                if stored.key not in right or bool(match["end"]) == self.conditional:
                    self.problems.append(f"{stored.key}: not where the layout puts it")
                ids = self._ids(stored)
                chains[partition].append(Link(stored, partition, start, ids))
        for chain in chains.values():
            chain.sort(key=lambda link: (link.start, link.next))
        return chains

    def _data_objects(self) -> Iterator[StoredObject]:
        for prefix in dict.fromkeys((self.prefix, *(name for name, _ in self.later))):
            folder = f"{prefix}/" if prefix else ""
            for stored in self.store.objects(folder):
                if not stored.key.startswith(f"{folder}_penstock/"):
                    yield stored

    def _ids(self, stored: StoredObject) -> list[str]:
        try:
            if ".jsonl" in stored.key:
                return [json_id_of(line) for line in stored.content.splitlines()]
            rows = parse_csv(stored.content, header=self.header)
        except (ValueError, OSError) as error:
            self.problems.append(f"{stored.key}: {error}")
            return []
        return [self.row_id(row) for row in rows]

    def _root_start(self, partition: int) -> int | None:
        try:
            root = self.store.get(self._meta_key(partition, "root.json"))
            return int(json.loads(root.body)["start"])
        except (KeyError, ValueError, TypeError):
            return None

    def _check_chain(self, partition: int, chain: list[Link]) -> None:
        if not chain:
            return
        root = self._root_start(partition)
        if root is None:
            self.problems.append(f"partition {partition}: no root with a start")
        elif chain[0].start != root:
            where = f"partition {partition}: {chain[0].stored.key}"
            self.problems.append(
                f"{where} starts at {chain[0].start}, the root at {root}"
            )
        for before, after in pairwise(chain):
            if before.next != after.start:
                self.problems.append(
                    f"{before.stored.key}: next is {before.next}, "
                    f"but the next object starts at {after.start}"
                )
            self._check_seal(before, after)

    def _check_seal(self, before: Link, after: Link) -> None:
        seal = before.stored.meta.get("seal")
        match = _NAME.fullmatch(after.stored.key.rpartition("/")[2])
        if seal is None or match is None:
            return
        keys = self._data_keys(after.partition, after.start, match["ext"])
        if keys.get(after.stored.key) != seal:
            self.problems.append(
                f"{before.stored.key}: sealed for {seal}, the chain goes on with "
                f"{after.stored.key}"
            )

    def _check_object(self, link: Link, window: list[tuple[Record, str | None]]) -> None:
        key, meta = link.stored.key, link.stored.meta
        if (link.next <= link.start) != ("seal" in meta):
            self.problems.append(f"{key}: next is {meta.get('next')!r}")
        want = [rid for _, rid in window if rid is not None]
        if want != link.ids:
            kind = (
                "in another order" if Counter(want) == Counter(link.ids) else "not those"
            )
            span = f"[{link.start}, {link.next})"
            self.problems.append(
                f"{key}: {len(link.ids)} rows, {kind} of {len(want)} records in {span}"
            )
        said = {
            "records": str(len(link.ids)),
            "topic": self.topic,
            "partition": str(link.partition),
        }
        if self.group is not None:
            said["group"] = self.group
        if self.cluster is not None:
            said["cluster"] = self.cluster
        for name, value in said.items():
            if meta.get(name) != value:
                self.problems.append(
                    f"{key}: {name} is {meta.get(name)!r}, not {value!r}"
                )
        self._check_last(link, [record for record, _ in window])

    def _check_last(self, link: Link, window: list[Record]) -> None:
        if not window:
            return
        said, want = link.stored.meta.get("last"), last_text(window[-1])
        if said != want:
            self.problems.append(f"{link.stored.key}: last is {said!r}, not {want!r}")

    def _end(self, partition: int, chain: list[Link]) -> int:
        """Where the chain ends: the last next, or the root's start; 0 without either."""
        if chain:
            return max(link.next for link in chain)
        return self._root_start(partition) or 0

    def _check_totals(
        self,
        expected: defaultdict[int, list[tuple[Record, str | None]]],
        chains: defaultdict[int, list[Link]],
        ends: dict[int, int],
    ) -> None:
        want: Counter[str] = Counter()
        known: Counter[str] = Counter()
        for partition, pairs in expected.items():
            known.update(_ids_of(pairs))
            due = (p for p in pairs if self.complete or p[0].offset < ends[partition])
            want.update(_ids_of(due))
        have = Counter(
            rid for chain in chains.values() for link in chain for rid in link.ids
        )
        have.update(self.strays)
        self.lost = sorted((want - have).elements())
        extra = have - known
        self.doubled = sorted(rid for rid in extra.elements() if rid in known)
        self.foreign = sorted(rid for rid in extra.elements() if rid not in known)

    def _check_committed(
        self,
        expected: defaultdict[int, list[tuple[Record, str | None]]],
        chains: defaultdict[int, list[Link]],
        ends: dict[int, int],
    ) -> None:
        if self.group is None or self.client is None:
            return
        committed = self.client.committed(self.group, self.topic)
        for partition, end in ends.items():
            offset = committed.get(partition, (-1, ""))[0]
            if not chains[partition] and offset < 0:
                continue
            rows = [
                record.offset
                for record, rid in expected[partition]
                if rid is not None and end <= record.offset < offset
            ]
            if offset < end or rows:
                self.problems.append(
                    f"partition {partition}: {self.group} committed {offset}, "
                    f"the chain ends at {end}"
                )


def _ids_of(pairs: Iterable[tuple[Record, str | None]]) -> list[str]:
    return [rid for _, rid in pairs if rid is not None]


def audit(
    topic: str,
    store: Store,
    client: KafkaClient | None = None,
    *,
    records: Sequence[Record] | None = None,
    group: str | None = None,
    cluster: str | None = None,
    prefix: str = "topics",
    flat: bool = False,
    header: bool = False,
    complete: bool = True,
    conditional: bool = True,
    record_id: RecordId = json_id,
    row_id: RowId = first_column,
    later: Sequence[tuple[str, bool]] = (),
) -> Report:
    """Run an `Audit` and print its line. Raises AuditError."""
    report = Audit(
        topic, store, client, records, group, cluster, prefix, flat, header, complete,
        conditional, record_id, row_id, later,
    ).run()  # fmt: skip
    print(report)
    return report

"""The shapes of what Penstock takes and gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypedDict

Setting = str | int | float | bool
"""A setting's value; all but strings are written as .properties files have them."""

_Layer = Mapping[str, Setting] | str | os.PathLike[str]
Config = _Layer | Sequence[_Layer]
"""Settings by name, a .properties file's path, or a list of these: later ones win."""


class PutRecord(Protocol):
    """What `S3CsvSink.put` takes (or a tuple of the same six, in this order)."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int | None:
        """Milliseconds since 1970."""


RecordTuple = tuple[str, int, int, bytes | None, bytes | None, int | None]


class SinkStats(TypedDict):
    """Counters of a sink."""

    records: int
    rows: int
    objects: int
    bytes: int
    skipped: int
    errors: int
    adopted: int
    buffered_bytes: int
    last_object: str


class Offsets(TypedDict):
    """One partition: [first, next) was produced, or landed and committed."""

    topic: str
    partition: int
    first: int
    next: int


class PartitionLag(TypedDict):
    """One partition: `committed` is the group's offset (None: it has none), `end` the
    log's, `lag` how many offsets lie between, or below `end` when none is committed."""

    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int


class TaskError(TypedDict):
    """Why a task failed."""

    code: str
    text: str
    retriable: bool
    unreachable: bool


TaskStatus = TypedDict(
    "TaskStatus",
    {
        "connector": str,
        "class": str,
        "type": str,
        "id": str,
        "state": str,
        "records": int,
        "rows": int,
        "objects": int,
        "bytes": int,
        "skipped": int,
        "errors": int,
        "adopted": int,
        "undelivered": int,
        "seconds": float,
        "guarantee": str | None,
        "last_object": str,
        "offsets": list[Offsets],
        "error": TaskError | None,
    },
)
"""One task: `state` is starting, running, done or failed; offsets come at its end.
`guarantee` is a sink's: exactly once, or less where the store can do no more."""


class Summary(TypedDict):
    """What `penstock.run` did: every task, and sums over them."""

    tasks: list[TaskStatus]
    records: int
    rows: int
    objects: int
    bytes: int
    seconds: float


class Produced(TypedDict):
    """What `RandomUserSource.produce` did; offsets are {partition: [first, last]}."""

    produced: int
    topic: str
    offsets: dict[int, list[int]]
    seconds: float


class ChainSettings(TypedDict):
    """What a sink's settings say of its chains."""

    name: str
    topics_dir: str
    layout: str
    extension: str
    topics: list[str]


Progress = Callable[[list[TaskStatus]], None]
"""Called about twice a second, and at the end, with what each task says."""

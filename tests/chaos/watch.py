"""Looks on during a run: committed offsets, lag, what landed where, when it landed.

It keeps the one promise that cannot be audited afterwards: a committed offset never
goes back.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

LANDED = re.compile(
    r"^(\S+) \S+ +\[[^\]]*\] chain: landed .+\+(\d+)\+\d+\.[a-z.]+(?: and (\d+) more)?: "
    r"\d+ rows",
    re.MULTILINE,
)
COMPLETED = re.compile(r"objects of the window \S+ \S+ are missing; completing it$", re.M)
FAILED = re.compile(r"^\S+ ERROR \[[^\]]*\] task: .*$", re.MULTILINE)


@dataclass(frozen=True)
class Landing:
    """A window that a daemon says it has landed; `at` is epoch seconds."""

    at: float
    daemon: int
    partition: int
    objects: int = 1


@dataclass
class Tail:
    """A log that is read as it grows."""

    path: Path
    offset: int = 0
    rest: str = ""

    def lines(self) -> str:
        """What was added since the last call, in whole lines."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read()
        self.offset += len(data)
        text = self.rest + data.decode(errors="replace")
        whole, _, self.rest = text.rpartition("\n")
        return whole


@dataclass
class Watch:
    """Two threads: one asks Kafka twice a second, one reads the daemons' logs."""

    bootstrap: str
    group: str
    topic: str
    logs: Sequence[Path]
    partitions: int
    problems: list[str] = field(default_factory=list)
    committed: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    landings: list[Landing] = field(default_factory=list)
    asked: int = 0
    completions: int = 0
    """Windows that were found with a manifest and not all objects."""

    def __post_init__(self) -> None:
        """Nothing runs before `start`."""
        self._stopping = threading.Event()
        self._tails = [Tail(path) for path in self.logs]
        self._threads = [
            threading.Thread(target=body, daemon=True)
            for body in (self._ask_kafka, self._read_logs)
        ]

    def start(self) -> Watch:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    @property
    def objects(self) -> int:
        """How many objects the logs say have landed."""
        return sum(landing.objects for landing in self.landings)

    def lag(self) -> int:
        """Offsets not committed yet, as far as was seen last."""
        ends = self.ends.copy()
        return sum(max(end - self.committed.get(p, 0), 0) for p, end in ends.items())

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": self.group,
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 500,
                "socket.timeout.ms": 5000,
                "topic.metadata.refresh.interval.ms": 1000,
                "log_level": 0,
            }
        )

    def _ask_kafka(self) -> None:
        consumer, failures = self._consumer(), 0
        while not self._stopping.wait(0.5):
            try:
                self._ask(consumer)
                failures = 0
            except KafkaException:
                failures += 1
                if failures % 3 == 0:  # it may have lost its only broker for good
                    consumer.close()
                    consumer = self._consumer()
        consumer.close()

    def _ask(self, consumer: Consumer) -> None:
        count = self.partitions
        tops = [TopicPartition(self.topic, p) for p in range(count)]
        for top in consumer.committed(tops, timeout=5):
            if top.error is None and top.offset >= 0:
                self._see(top.partition, top.offset)
        for p in range(count):
            top = TopicPartition(self.topic, p)
            self.ends[p] = consumer.get_watermark_offsets(top, timeout=5)[1]
        self.asked += 1

    def _see(self, partition: int, offset: int) -> None:
        before = self.committed.get(partition, -1)
        if offset < before:
            when = time.strftime("%H:%M:%S")
            self._tell(
                f"{when}: the committed offset of partition {partition} went back "
                f"from {before} to {offset}"
            )
        self.committed[partition] = offset

    def _tell(self, problem: str) -> None:
        if len(self.problems) < 20:
            self.problems.append(problem)

    def _read_logs(self) -> None:
        while not self._stopping.wait(0.2):
            self.read_logs()

    def read_logs(self) -> None:
        """Take in what the daemons have logged since."""
        for number, tail in enumerate(self._tails):
            text = tail.lines()
            for match in LANDED.finditer(text):
                at = datetime.fromisoformat(match[1]).timestamp()
                objects = 1 + int(match[3] or 0)
                self.landings.append(Landing(at, number, int(match[2]), objects))
            self.completions += len(COMPLETED.findall(text))
            for match in FAILED.finditer(text):
                self._tell(f"daemon {number}: {match[0]}")

    def owned(self, daemon: int, now: float, since: float) -> set[int]:
        """The partitions whose last object of the last seconds came from a daemon."""
        owner: dict[int, int] = {}
        for landing in self.landings[-500:]:
            if now - since <= landing.at <= now:
                owner[landing.partition] = landing.daemon
        return {partition for partition, number in owner.items() if number == daemon}

    def next_landing(self, partition: int, after: float) -> float | None:
        """When the first object of a partition landed after a moment."""
        times = (x.at for x in self.landings if x.partition == partition and x.at > after)
        return min(times, default=None)

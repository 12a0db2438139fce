"""Seeded schedules: the same seed and length give the same (time, fault, target) list.

Faults are drawn from a shuffled bag that holds every kind of the campaign, so that a
short run meets each kind, too; a run of `weight` 2 kinds meets them twice as often.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of fault. `low` to `high` is its length in seconds.

    `pause` seconds go by after it before the next fault begins. `whom` is what it
    strikes: one daemon, all of them, or a service.
    """

    name: str
    whom: str = "daemon"
    low: float = 0.0
    high: float = 0.0
    weight: int = 1
    pause: float = 0.0


@dataclass(frozen=True)
class Event:
    """One fault of a schedule: seconds after its start, kind, target and size."""

    at: float
    kind: str
    target: int
    seconds: float
    arg: float

    def __str__(self) -> str:
        """`12.3 s  kill  daemon 2`."""
        return f"{self.at:7.1f} s  {self.kind:20} {self.target} {self.seconds:5.1f} s"


PROCESSES = (
    Kind("kill", low=0.0, high=1.5, weight=4),
    Kind("zombie", low=4.0, high=8.0, weight=2),
    Kind("restart", low=0.0, high=1.0, weight=2),
    Kind("scale", "group", low=2.0, high=5.0, pause=3.0),
)
# Aimed at the moment between a manifest and its objects.
BETWEEN = (Kind("between", low=0.0, high=1.5, weight=4),)
CLOCK = (Kind("clock-forward"), Kind("clock-back"))
KAFKA = (
    Kind("broker-restart", "kafka", low=0.0, high=1.0, pause=5.0),
    Kind("broker-kill", "kafka", low=0.0, high=1.0, pause=5.0),
    Kind("broker-pause", "kafka", low=1.0, high=5.0, pause=2.0),
    Kind("kafka-reset"),
    Kind("kafka-refuse", low=1.0, high=5.0),
    Kind("kafka-latency", low=2.0, high=6.0),
    Kind("kafka-bandwidth", low=2.0, high=6.0),
    Kind("kafka-half-open", low=2.0, high=8.0),
    Kind("partitions-added", "topic", pause=1.0),
    Kind("burst", "topic"),
    Kind("offsets-reset", "group", low=0.0, high=1.0, pause=9.0),
)
S3 = (
    Kind("minio-restart", "minio", low=0.0, high=2.0, pause=2.0),
    Kind("minio-kill-mid-put", "minio", low=0.0, high=2.0, weight=2, pause=2.0),
    Kind("minio-pause", "minio", low=1.0, high=5.0, pause=1.0),
    Kind("s3-reset", low=0.0, high=0.0),
    Kind("s3-reset-before", low=1.0, high=4.0),
    Kind("s3-answer-lost", low=1.0, high=4.0, weight=2),
    Kind("s3-answer-never", low=2.0, high=5.0, weight=2),
    Kind("s3-cut", low=1.0, high=4.0),
    Kind("s3-refuse", low=1.0, high=4.0),
    Kind("s3-latency", low=2.0, high=6.0),
    Kind("s3-bandwidth", low=2.0, high=6.0),
    Kind("s3-half-open", low=2.0, high=6.0),
    Kind("s3-503", low=1.0, high=4.0),
    Kind("s3-500", low=1.0, high=4.0),
    Kind("s3-500-done", low=1.0, high=4.0),
    Kind("s3-409", low=1.0, high=4.0),
    Kind("s3-403", low=1.0, high=4.0),
    Kind("s3-200-error", low=1.0, high=4.0),
    Kind("s3-200-error-done", low=1.0, high=4.0),
)
DIRECTORY = (Kind("disk-full", "disk", low=1.0, high=5.0, weight=4),)
MAX_ADDED = 4


def kinds_of(store: str, *, routed: bool = False) -> tuple[Kind, ...]:
    """The kinds of faults that a campaign on this store meets."""
    more = BETWEEN if routed else ()
    return PROCESSES + CLOCK + KAFKA + (S3 if store == "s3" else DIRECTORY) + more


def plan(
    seed: int,
    seconds: float,
    kinds: Sequence[Kind],
    daemons: int,
    gap: tuple[float, float] = (1.0, 4.0),
) -> list[Event]:
    """The schedule of a seed, from 4 s on; the last fault begins before `seconds`."""
    chance = random.Random(seed)
    events: list[Event] = []
    bag: list[Kind] = []
    added = resets = 0
    at = 4.0
    while at < seconds:
        if not bag:
            bag = [kind for kind in kinds for _ in range(kind.weight)]
            chance.shuffle(bag)
        kind = bag.pop()
        length = round(chance.uniform(kind.low, kind.high), 2)
        target, arg = chance.randrange(daemons), chance.random()
        pause = kind.pause + chance.uniform(*gap)
        if kind.name == "partitions-added":
            added += 1
            if added > MAX_ADDED:
                continue
        if kind.name == "offsets-reset":
            resets += 1
            if resets > 1 + seconds / 120:
                continue
        events.append(Event(round(at, 2), kind.name, target, length, round(arg, 4)))
        at += pause
    return events


def kills(seed: int, count: int, daemons: int, *, routed: bool = False) -> list[Event]:
    """`count` times kill -9 at random moments, and nothing else.

    In a routed layout two of three are aimed between a manifest and its objects.
    """
    chance = random.Random(seed)
    at = 4.0
    events = []
    for _ in range(count):
        # Most come when the last one is over, some while the group still mends.
        at += chance.uniform(0.2, 3.0) if chance.random() < 0.5 else chance.uniform(5, 9)
        length = round(chance.uniform(0.0, 1.0), 2)
        target = chance.randrange(daemons)
        kind = "between" if routed and len(events) % 3 else "kill"
        events.append(Event(round(at, 2), kind, target, length, chance.random()))
    return events

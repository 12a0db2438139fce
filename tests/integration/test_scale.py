"""Many daemons on one topic: the lag falls, and a rebalance pauses nobody else.

A producer writes a record a partition every few milliseconds; daemons join and leave. Of
every object the moment of its landing is taken from the daemons' logs. A partition that
stays with its daemon is not opened anew, and lands through the rebalance as in the same
run's steady state: its longest gap between objects is compared with the longest of
any partition while nothing happened.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import (
    FAST_GROUP,
    Load,
    committed,
    fill,
    group_of,
    sink,
    until,
    wait_committed,
)
from tests.services.minio import Minio
from tests.support import Daemon, KafkaClient, Record, audit

PARTITIONS = 16
INTERVAL = 0.5
STEADY = 6.0
PAUSE = 3  # times the steady state's longest gap
LANDED = re.compile(
    r"^(\S+Z) .*landed \S+/partition=(\d+)/\S+: .*offsets \[(\d+), (\d+)\)", re.MULTILINE
)
OPENED = re.compile(r"-(\d+): going on at offset")
EVENT = re.compile(
    r"^(\S+Z) .*group: (\d+) partitions? (assigned|given up|lost)", re.MULTILINE
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def moment(text: str) -> float:
    """A log line's time as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def landings(daemon: Daemon) -> dict[int, list[float]]:
    """When each partition's objects landed, by this daemon."""
    found: dict[int, list[float]] = defaultdict(list)
    for when, partition, _, _ in LANDED.findall(daemon.log):
        found[int(partition)].append(moment(when))
    return found


def openings(daemon: Daemon) -> Counter[int]:
    """How often it has opened each partition."""
    return Counter(map(int, OPENED.findall(daemon.log)))


def holds(daemon: Daemon) -> int:
    """How many partitions it has now, by its log."""
    count = 0
    for _, number, what in EVENT.findall(daemon.log):
        count += int(number) if what == "assigned" else -int(number)
    return count


def longest_gap(times: list[float], begin: float, end: float) -> float:
    """The longest time without an object that overlaps [begin, end]."""
    gaps = [b - a for a, b in pairwise(times) if b > begin and a < end]
    return max(gaps, default=end - begin)


class Trickle(Load):
    """A record a partition at a time, as long as it runs."""

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.05):
                first = self._first + len(self.records)
                self.records += fill(
                    self._client, self._topic, PARTITIONS, PARTITIONS, first
                )
        except Exception as error:
            self._failed = error


@contextmanager
def trickle(client: KafkaClient, topic: str) -> Iterator[Trickle]:
    """A `Trickle` for as long as the block runs."""
    producing = Trickle(client, topic, PARTITIONS, 0)
    producing.thread = threading.Thread(target=producing._run, daemon=True)
    producing.thread.start()
    try:
        yield producing
    finally:
        producing.stop()


def settled(running: list[Daemon]) -> bool:
    """Every partition is held once, and evenly."""
    share = PARTITIONS // len(running)
    return all(holds(daemon) == share for daemon in running)


def change(
    running: list[Daemon],
    before: dict[Daemon, Counter[int]],
    begin: float,
    steady: float,
) -> list[str]:
    """What paused: partitions that stayed, and were opened anew or had too long a gap.

    `before` has the openings of the daemons that stay, as they were at `begin`.
    """
    until(lambda: settled(running), "an even share each", 40)
    time.sleep(PAUSE * steady)  # what has moved is not seen here any more
    end = time.time()
    paused, stayed = [], 0
    for daemon, opened in before.items():
        again = openings(daemon) - opened
        for partition, times in landings(daemon).items():
            around = [t for t in times if t > begin - (PAUSE - 1) * steady]
            if not around or around[0] > begin or around[-1] < end - (PAUSE - 1) * steady:
                continue  # it moved
            stayed += 1
            if again[partition]:
                paused.append(f"partition {partition}: opened anew")
            gap = longest_gap(times, begin, end - INTERVAL)
            if gap > PAUSE * steady:
                paused.append(f"partition {partition}: {gap:.2f} s, steady {steady:.2f}")
    for daemon in running:
        assert " lost; " not in daemon.log, "a rebalance cost a daemon all its partitions"
    assert stayed >= PARTITIONS // 2 // max(len(before), len(running)), "none has stayed"
    return paused


def test_a_rebalance_pauses_no_partition_that_stays(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(PARTITIONS), buckets()
    config = sink(topic, minio.endpoint, bucket.name, rotate__schedule__interval__ms=500)

    def start() -> Daemon:
        return daemons(config, worker=FAST_GROUP)

    with trickle(client, topic) as producing:
        running = [start()]
        until(lambda: len(landings(running[0])) == PARTITIONS, "all partitions landing")
        begin = time.time()
        time.sleep(STEADY)
        steady = max(
            longest_gap(times, begin, time.time() - INTERVAL)
            for times in landings(running[0]).values()
        )
        paused = []
        for joining in (1, 2):  # one becomes two, two become four
            begin, before = time.time(), {each: openings(each) for each in running}
            running += [start() for _ in range(joining)]
            paused += change(running, before, begin, steady)
        leaving, running = running[2:], running[:2]
        begin, before = time.time(), {each: openings(each) for each in running}
        assert [daemon.term() for daemon in leaving] == [0, 0]
        paused += change(running, before, begin, steady)
        records: list[Record] = producing.stop()
    wait_committed(client, topic, len(records))
    for daemon in running:
        assert daemon.term() == 0
    print(f"steady {steady:.2f} s; {len(records)} records")
    assert not paused, "\n".join(paused)
    audit(topic, bucket, client, records=records, group=group_of(topic))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_lag_falls_with_any_number_of_daemons(
    count: int,
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(PARTITIONS), buckets()
    config = sink(topic, minio.endpoint, bucket.name, flush__size=250)
    running = [daemons(config, worker=FAST_GROUP) for _ in range(count)]
    for daemon in running:  # one that comes late would find nothing left to do
        daemon.wait_log("partitions? assigned by group")
    backlog = fill(client, topic, 40_000, PARTITIONS)
    lags = [len(backlog)]
    with trickle(client, topic) as producing:
        while lags[-1] > len(backlog) // 20:
            assert len(lags) < 400, lags
            time.sleep(0.2)
            lags.append(len(backlog) + len(producing.records) - committed(client, topic))
        records = backlog + producing.stop()
    wait_committed(client, topic, len(records))
    worked = sum(bool(landings(daemon)) for daemon in running)
    assert worked == count, "a daemon had nothing to do"
    for daemon in running:
        assert daemon.term() == 0
    audit(topic, bucket, client, records=records, group=group_of(topic))

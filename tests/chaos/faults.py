"""The faults themselves: one method a kind, each run to its end by its target's thread.

A method returns True when the fault really took effect: a rule of the proxy that no
request met, or a kill of a process that was down already, does not count.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import KafkaException

from tests.chaos.load import Load
from tests.chaos.schedule import Event
from tests.chaos.stack import GROUP, TOPIC, Stack, fill_disk, patiently, reset_offsets
from tests.chaos.watch import Watch
from tests.support import Daemon

CLOCK_JUMPS = (5, 90, 1200, 7200)  # S3 refuses dates more than 15 minutes off
KAFKA_RULES = ("kafka-refuse", "kafka-latency", "kafka-bandwidth", "kafka-half-open")
SERVICE_SECONDS = 90.0
BURST = 12_000
AIM_SECONDS, HELD_SECONDS = 12.0, 10.0


def split(kind: str) -> tuple[str, str]:
    """`s3-answer-lost` is the rule `answer-lost` on a link to `s3`."""
    which, _, rule = kind.partition("-")
    return which, rule


@dataclass
class Kill:
    """A kill -9: when, whom, and the partitions that it had been landing."""

    at: float
    daemon: int
    partitions: set[int]


@dataclass
class Faults:
    """Injects the events of a schedule. `down` names what is meant not to run."""

    stack: Stack
    load: Load
    watch: Watch
    counts: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    kills: list[Kill] = field(default_factory=list)
    skipped: defaultdict[int, list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nothing is injected yet."""
        count = len(self.stack.daemons)
        self.up = [False] * count
        self.reset_gate = threading.Barrier(count + 1)
        self.ended = threading.Event()
        self._lock = threading.Lock()

    # ---- daemons ----

    def start_daemon(self, number: int) -> None:
        """Run a daemon that is not running."""
        self.stack.daemons[number].start()
        self.up[number] = True

    def check_daemon(self, number: int) -> None:
        """Start a daemon again that ended by itself; any status but 3 is a problem."""
        daemon = self.stack.daemons[number]
        if not self.up[number] or daemon.alive():
            return
        self.up[number] = False
        status = daemon.wait(1)
        if status == 3:
            self._count("gave-up-at-start", 0)
        else:
            self.problems.append(f"daemon {number} ended by itself with status {status}")
            self.ended.wait(2.0)
        self.start_daemon(number)

    def stop_daemon(self, number: int) -> int:
        """SIGTERM; the exit status. A hanging or failing stop is a problem."""
        daemon = self.stack.daemons[number]
        if not self.up[number] or not daemon.alive():
            return 0
        self.up[number] = False
        try:
            status = daemon.term(45)
        except AssertionError:
            self.problems.append(f"daemon {number} did not stop in 45 s")
            daemon.kill()
            return -9
        if status not in (0, 3, -signal.SIGTERM):  # that: before it listened
            self.problems.append(f"daemon {number}: status {status} after SIGTERM")
        return status

    def _kill(self, number: int, daemon: Daemon) -> bool:
        if not self.up[number] or not daemon.alive():
            return False
        self.watch.read_logs()
        now = time.time()
        owned = self.watch.owned(number, now, 3.0)
        self.up[number] = False
        daemon.kill()
        with self._lock:
            self.kills.append(Kill(now, number, owned))
        return True

    def daemon_kill(self, event: Event) -> bool:
        """kill -9, and a supervisor that starts it again."""
        daemon = self.stack.daemons[event.target]
        killed = self._kill(event.target, daemon)
        self.ended.wait(event.seconds)
        if killed:
            self.start_daemon(event.target)
        return killed

    def daemon_between(self, event: Event) -> bool:
        """kill -9 with a manifest in the store, and not all of its objects.

        The proxy keeps a PUT of data: it is cut, or arrives when its daemon is dead.
        """
        number, proxy = event.target, self.stack.proxy
        daemon = self.stack.daemons[number]
        if not self.up[number] or not daemon.alive():
            return False
        late = event.arg < 0.5
        rule = proxy.rule(
            self.stack.links(number, "s3"),
            "hold" if late else "stall",
            seconds=AIM_SECONDS,
            count=1,
            arg=HELD_SECONDS,
            data=True,
            skip=int(event.arg * 16) % 4,
        )
        hit = proxy.wait_hit(rule, AIM_SECONDS, daemon.alive)
        killed = hit and self._kill(number, daemon)
        if late:
            self.ended.wait(event.seconds)
        proxy.release(rule)
        if not late:
            self.ended.wait(event.seconds)
        if killed:
            self.start_daemon(number)
        return killed

    def daemon_zombie(self, event: Event) -> bool:
        """SIGSTOP beyond the session time-out, then SIGCONT."""
        daemon = self.stack.daemons[event.target]
        if not self.up[event.target] or not daemon.alive():
            return False
        daemon.pause()
        self.ended.wait(event.seconds)
        daemon.resume()
        return True

    def daemon_restart(self, event: Event) -> bool:
        """SIGTERM and a new start."""
        if not self.up[event.target]:
            return False
        self.stop_daemon(event.target)
        self.ended.wait(event.seconds)
        self.start_daemon(event.target)
        return True

    def scale(self, number: int, event: Event) -> bool:
        """One daemon's part of N → 1 → N: all but the event's target leave and return."""
        if number == event.target or not self.up[number]:
            return False
        self.stop_daemon(number)
        self.ended.wait(event.seconds + 0.3 * number)
        self.start_daemon(number)
        return True

    def clock(self, event: Event) -> bool:
        """The wall clock of the last daemon jumps."""
        jump = CLOCK_JUMPS[int(event.arg * len(CLOCK_JUMPS))]
        self.stack.set_clock(jump if event.kind == "clock-forward" else -jump)
        return self.up[-1]

    # ---- Kafka ----

    def kafka(self, event: Event) -> bool:
        """A broker that restarts, dies or hangs. One node: its controller, too."""
        kafka = self.stack.kafka
        if event.kind == "broker-pause":
            kafka.pause()
            self.ended.wait(event.seconds)
            kafka.resume()
            return True
        if event.kind == "broker-kill":
            kafka.kill()
        else:
            kafka.stop(30)
        self.ended.wait(event.seconds)
        kafka.start(SERVICE_SECONDS)
        return True

    def partitions_added(self, event: Event) -> bool:
        """One partition more, while everything runs."""
        total = self.watch.partitions + 1
        patiently(lambda: self.stack.client.add_partitions(TOPIC, total))
        self.load.partitions = self.watch.partitions = total
        return True

    def burst(self, event: Event) -> bool:
        """Many large records at once: memory fills, above all while the store is down."""
        self.load.burst(BURST)
        return True

    # ---- a tool that resets offsets ----

    def leave_for_reset(self, number: int, event: Event) -> bool:
        """One daemon's part: it stops, waits for the tool, and starts again."""
        was_up = self.up[number]
        if was_up and event.arg < 0.5:
            self.stop_daemon(number)
        elif was_up:
            self._kill(number, self.stack.daemons[number])
        self.reset_gate.wait(180)  # all are down
        self.reset_gate.wait(180)  # the tool is done
        if was_up:
            self.start_daemon(number)
        return False

    def offsets_reset(self, event: Event) -> bool:
        """All daemons stop; a tool sets the offsets forward, without our metadata.

        What lies between the chain's end and the new offset is skipped by request.
        """
        self.reset_gate.wait(180)
        try:
            # What is on its way to the store must have arrived: then the chains' ends
            # are known.
            time.sleep(4.0)
            return bool(patiently(self._set_forward, 60))
        finally:
            self.reset_gate.wait(180)

    def _set_forward(self) -> bool:
        client = self.stack.client  # a new one each time
        ends = client.end_offsets(TOPIC)
        committed = client.committed(GROUP, TOPIC)
        news, skips = {}, {}
        for partition, end in ends.items():
            known = committed.get(partition, (0, ""))[0]
            chain = self.stack.chain_end(partition)
            news[partition] = min(end, max(chain, known) + 20 * (partition % 2))
            skips[partition] = (chain, news[partition])
        reset_offsets(client, news)
        for partition, span in skips.items():
            if span[0] < span[1]:
                self.skipped[partition].append(span)
        return True

    # ---- the store ----

    def minio(self, event: Event) -> bool:
        """A server that restarts, hangs, or dies with half a PUT in its hands."""
        minio = self.stack.minio
        if event.kind == "minio-pause":
            minio.pause()
            self.ended.wait(event.seconds)
            minio.resume()
            return True
        hit = True
        if event.kind == "minio-kill-mid-put":
            proxy = self.stack.proxy
            rule = proxy.rule(self.stack.s3_links, "stall", seconds=5, count=1, arg=5)
            hit = proxy.wait_hit(rule, 5)
            minio.kill()
            proxy.release(rule)
        else:
            minio.stop(15)
        self.ended.wait(event.seconds)
        minio.start(SERVICE_SECONDS)
        return hit

    def disk(self, event: Event) -> bool:
        """No space is left where the directory store is."""
        if not self.stack.mounted:
            return False
        filler = self.stack.disk / "filler"
        try:
            fill_disk(filler)
            self.ended.wait(event.seconds)
        finally:
            filler.unlink(missing_ok=True)
        return True

    # ---- the network ----

    def network(self, event: Event) -> bool:
        """A rule on a daemon's link, until its time is over."""
        which, kind = split(event.kind)
        links = self.stack.links(event.target, which)
        count, arg = 1_000_000, 0.0
        if kind == "latency":
            arg = 0.05 + 0.6 * event.arg
        elif kind == "bandwidth":
            arg = 3000.0 + 30000.0 * event.arg
        elif kind in ("answer-lost", "answer-never", "cut", "reset-before"):
            count = 1 + int(event.arg * 6)
        proxy = self.stack.proxy
        rule = proxy.rule(links, kind, seconds=event.seconds, count=count, arg=arg)
        self.ended.wait(event.seconds)
        hits = proxy.hits(rule)
        self._count(event.kind, hits, 0)
        return hits > 0

    # ---- counting ----

    def _count(self, kind: str, hits: int, events: int = 1) -> None:
        with self._lock:
            self.counts[kind] += events
            self.hits[kind] += hits

    def run(self, event: Event, inject: Callable[[], bool]) -> None:
        """Inject, and count what took effect. An error is a problem of the bench."""
        try:
            if inject():
                self._count(event.kind, 0)
        except (KafkaException, threading.BrokenBarrierError, AssertionError) as error:
            self.problems.append(f"the bench could not do {event.kind}: {error}")
        except Exception as error:
            self.problems.append(f"the bench failed at {event.kind}: {error!r}")

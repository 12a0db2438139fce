"""One campaign: load, faults by schedule, healing, draining, the audit, the verdict.

Every target (each daemon, the broker, the store, the topic, each link) has a thread of
its own, in which its faults run one after another; so a fault may take its time, and
faults of different targets overlap. Processes die with the thread that started them:
those threads end last.
"""

from __future__ import annotations

import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import Faults
from tests.chaos.layouts import PLAIN, Layout
from tests.chaos.load import Load
from tests.chaos.schedule import Event, kills, kinds_of, plan
from tests.chaos.stack import (
    GROUP,
    INTERVAL_MS,
    SESSION_MS,
    TOPIC,
    Shape,
    Stack,
    keep_disk,
    patiently,
)
from tests.chaos.watch import Watch
from tests.support import AuditError, Record

DRAIN_SECONDS = 180.0
GAP_BOUND = (SESSION_MS + INTERVAL_MS) / 1000 + 2.0


@dataclass(frozen=True)
class Order:
    """What a campaign is to do."""

    minutes: float = 2.0
    seed: int = 1
    store: str = "s3"
    daemons: int = 3
    kills: int = 0
    rate: int = 1000
    partitions: int = 6
    keep: bool = False
    gap_bound: float = GAP_BOUND
    """Seconds from a kill -9 to its partitions' next object, when kills are all."""
    layout: Layout = PLAIN


@dataclass
class Verdict:
    """How it ended."""

    line: str
    problems: list[str]
    records: int
    faults: int
    kinds: int
    longest_gap: float
    completed: int = 0
    """Windows that were found with a manifest and not all of their objects."""

    @property
    def passed(self) -> bool:
        """True when nothing at all was wrong."""
        return not self.problems


class Actor:
    """A thread that does what it is given, one after another."""

    def __init__(self, name: str) -> None:
        """It starts at once."""
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.busy = 0
        self._lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            finally:
                with self._lock:
                    self.busy -= 1

    def do(self, job: Callable[[], None]) -> None:
        """Put a job at the end of its line."""
        with self._lock:
            self.busy += 1
        self._jobs.put(job)

    def call(self, job: Callable[[], None], seconds: float) -> None:
        """Do a job and wait for it. Raises what it raised, or TimeoutError."""
        done = threading.Event()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                job()
            except BaseException as error:
                failed.append(error)
            finally:
                done.set()

        self.do(run)
        if not done.wait(seconds):
            raise TimeoutError("a job of the bench did not end")
        if failed:
            raise failed[0]

    def end(self) -> None:
        """End the thread after its last job."""
        self._jobs.put(None)
        self.thread.join(30)


class Campaign:
    """Runs an `Order`."""

    def __init__(self, order: Order, say: Callable[[str], None] = print) -> None:
        """Nothing runs yet."""
        self.order, self.say = order, say
        self.folder = Path(tempfile.mkdtemp(prefix="penstock-chaos-"))
        self.problems: list[str] = []
        self.actors: dict[str, Actor] = {}
        self.events = self._schedule()
        clock = any(event.kind.startswith("clock") for event in self.events)
        self.stack = Stack(
            self.folder,
            Shape(
                order.store,
                order.daemons,
                order.partitions,
                fake_clock=clock,
                layout=order.layout,
            ),
        )
        (self.folder / "schedule").write_text("".join(f"{e}\n" for e in self.events))

    def _schedule(self) -> list[Event]:
        order = self.order
        if order.kills:
            aimed = order.layout.routed and order.store == "s3"
            return kills(order.seed, order.kills, order.daemons, routed=aimed)
        kinds = kinds_of(order.store, routed=order.layout.routed)
        return plan(order.seed, order.minutes * 60, kinds, order.daemons)

    def run(self) -> Verdict:
        """All of it. The folder of logs stays only when something was wrong."""
        # Services belong to the main thread, which outlives them; the broker and the
        # store are started again by their actors, which live until close().
        try:
            with self.stack:
                return self._run()
        finally:
            for actor in self.actors.values():
                actor.end()

    def _run(self) -> Verdict:
        order, stack = self.order, self.stack
        self.load = Load(
            stack.kafka.bootstrap,
            TOPIC,
            order.partitions,
            order.rate,
            order.seed,
            order.layout,
        )
        self.watch = Watch(
            stack.kafka.bootstrap,
            GROUP,
            TOPIC,
            [daemon.log_path for daemon in stack.daemons],
            order.partitions,
        )
        self.faults = Faults(stack, self.load, self.watch)
        for number in range(order.daemons):
            self._daemon_actor(number).call(
                lambda n=number: self.faults.start_daemon(n),  # type: ignore[misc]
                30,
            )
        self.load.start()
        self.watch.start()
        self.began = time.monotonic()
        self._inject()
        self._heal()
        self._drain()
        self._stop_daemons()
        self.watch.stop()
        self.problems += self.watch.problems + self.faults.problems
        return self._judge()

    def _actor(self, name: str) -> Actor:
        if name not in self.actors:
            self.actors[name] = Actor(name)
        return self.actors[name]

    def _daemon_actor(self, number: int) -> Actor:
        return self._actor(f"daemon-{number}")

    # ---- faults ----

    def _inject(self) -> None:
        for event in self.events:
            while (left := event.at - (time.monotonic() - self.began)) > 0:
                self._turn()
                time.sleep(min(left, 0.5))
            self._dispatch(event)
        end = 0.0 if self.order.kills else self.order.minutes * 60
        while time.monotonic() - self.began < end:
            self._turn()
            time.sleep(0.5)

    def _dispatch(self, event: Event) -> None:
        with (self.folder / "events").open("a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {event}\n")
        faults, kind = self.faults, event.kind
        if kind == "scale":
            self._all_daemons(event, faults.scale)
        elif kind == "offsets-reset":
            self._all_daemons(event, faults.leave_for_reset)
            self._do("group", event, lambda: faults.offsets_reset(event))
        elif kind in ("kill", "between", "zombie", "restart"):
            inject = getattr(faults, f"daemon_{kind}")
            self._do(f"daemon-{event.target}", event, lambda: inject(event))
        elif kind.startswith("clock"):
            self._do("clock", event, lambda: faults.clock(event))
        elif kind.startswith("broker"):
            self._do("kafka", event, lambda: faults.kafka(event))
        elif kind == "partitions-added":
            self._do("topic", event, lambda: faults.partitions_added(event))
        elif kind == "burst":
            self._do("topic", event, lambda: faults.burst(event))
        elif kind.startswith("minio"):
            self._do("minio", event, lambda: faults.minio(event))
        elif kind == "disk-full":
            self._do("disk", event, lambda: faults.disk(event))
        else:
            which = kind.partition("-")[0]
            name = f"{which}-link-{event.target}"
            self._do(name, event, lambda: faults.network(event))

    def _do(self, actor: str, event: Event, inject: Callable[[], bool]) -> None:
        self._actor(actor).do(lambda: self.faults.run(event, inject))

    def _all_daemons(self, event: Event, part: Callable[[int, Event], bool]) -> None:
        # It counts once, by the daemon that comes first.
        shares = list(range(self.order.daemons))
        for number in shares:

            def job(number: int = number) -> bool:
                took = part(number, event)
                return took and number == (1 if event.target == 0 else 0)

            self._do(f"daemon-{number}", event, job)

    def _turn(self) -> None:
        """Every now and then: who died by itself, and a line of progress."""
        for number in range(self.order.daemons):
            actor = self._daemon_actor(number)
            if actor.busy == 0:
                actor.do(lambda n=number: self.faults.check_daemon(n))  # type: ignore[misc]
        self._progress()

    _told = 0.0

    def _progress(self, word: str = "") -> None:
        at = time.monotonic() - self.began
        if at - self._told < 10:
            return
        self._told = at
        up = sum(self.faults.up)
        self.say(
            f"  {at:5.0f} s: {self.load.delivered:,} records, "
            f"{self.watch.objects:,} objects, lag {self.watch.lag():,}, "
            f"{sum(self.faults.counts.values())} faults, {up} daemons up{word}"
        )

    # ---- the end ----

    def _wait_actors(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while any(actor.busy for actor in self.actors.values()):
            if time.monotonic() > end:
                names = [name for name, actor in self.actors.items() if actor.busy]
                self.problems.append(f"the bench hangs in {', '.join(names)}")
                return
            time.sleep(0.1)

    def _heal(self) -> None:
        self._wait_actors(240)
        self.stack.proxy.clear()
        self.load.stop()

    def _drain(self) -> None:
        """Until the group has committed everything."""
        end = time.monotonic() + DRAIN_SECONDS
        asked = self.watch.asked
        while self.watch.asked < asked + 2 or self.watch.lag() > 0:
            self._turn()
            if time.monotonic() > end:
                self.problems.append(
                    f"{self.watch.lag()} offsets are not committed after "
                    f"{DRAIN_SECONDS:g} s of calm: {self._behind()}"
                )
                return
            time.sleep(0.3)

    def _behind(self) -> str:
        watch = self.watch
        pairs = {p: (watch.committed.get(p, -1), end) for p, end in watch.ends.items()}
        return ", ".join(
            f"partition {p} at {at} of {end}"
            for p, (at, end) in pairs.items()
            if at < end
        )

    def _stop_daemons(self) -> None:
        self._wait_actors(60)
        for number in range(self.order.daemons):
            daemon = self.stack.daemons[number]
            if not daemon.alive():
                self.problems.append(f"daemon {number} does not run at the end")
            elif (status := self.faults.stop_daemon(number)) != 0:
                self.problems.append(f"daemon {number}: status {status} at the end")
        self.watch.read_logs()

    def _records(self) -> list[Record]:
        """The topic as it is, without what a tool's reset skipped."""
        spans = self.faults.skipped
        return [
            record
            for record in self.stack.client.read_all(TOPIC)
            if not any(a <= record.offset < b for a, b in spans[record.partition])
        ]

    def _judge(self) -> Verdict:
        records: list[Record] = patiently(self._records)
        lost = doubled = 0
        objects = self.watch.objects
        try:
            audit = self.order.layout.audit(
                topic=TOPIC,
                store=self.stack.store(),
                client=self.stack.client,
                records=records,
                group=GROUP,
                cluster=self.stack.kafka.cluster_id,
            )
            objects = audit.run().objects
        except AuditError as error:
            lost, doubled = len(error.lost), len(error.doubled)
            self.problems.append(f"the audit: {error}")
        counts = self.faults.counts
        faults = sum(counts.values())
        line = (
            f"{len(records)} records, {objects} objects, {faults} faults, "
            f"{lost} lost, {doubled} doubled"
        )
        completed = self.watch.completions
        if self.order.layout.routed:
            line += f"; {completed} windows were completed by their manifest"
        self.say(line)
        gap = self._longest_gap()
        self._table()
        kinds = sum(1 for n in counts.values() if n)
        verdict = Verdict(
            line, self.problems, len(records), faults, kinds, gap, completed
        )
        self._end(verdict)
        return verdict

    def _longest_gap(self) -> float:
        """From a kill -9 to the next object of each of its partitions.

        Only kills that no other one followed before that object: two in a row are not
        one gap. The bound holds where nothing but kills happens.
        """
        gaps = []
        times = sorted(kill.at for kill in self.faults.kills)
        for kill in self.faults.kills:
            following = next((t for t in times if t > kill.at), float("inf"))
            for partition in kill.partitions:
                landed = self.watch.next_landing(partition, kill.at)
                if landed is not None and landed < following:
                    gaps.append(landed - kill.at)
        if not gaps:
            return 0.0
        longest, median, bound = max(gaps), statistics.median(gaps), self.order.gap_bound
        self.say(
            f"between a kill -9 and its partitions' next object: "
            f"longest {longest:.1f} s, median {median:.1f} s of {len(gaps)} measured "
            f"(bound {bound:g} s"
            + (")" if self.order.kills else " without other faults)")
        )
        if self.order.kills and longest > bound:
            self.problems.append(f"a gap of {longest:.1f} s after a kill -9")
        return longest

    def _table(self) -> None:
        counts, hits = self.faults.counts, self.faults.hits
        rows = [
            f"  {kind:20} {n:4}" + (f"  ({hits[kind]} hits)" if hits[kind] else "")
            for kind, n in sorted(counts.items())
            if n
        ]
        self.say(f"faults of {sum(1 for n in counts.values() if n)} kinds:")
        self.say("\n".join(rows))
        spans = [b - a for spans in self.faults.skipped.values() for a, b in spans]
        if spans:
            self.say(f"  a tool's resets skipped {sum(spans)} offsets, as asked")

    def _end(self, verdict: Verdict) -> None:
        if verdict.passed and not self.order.keep:
            return
        for problem in verdict.problems:
            self.say(f"VIOLATION: {problem}")
        (self.folder / "problems").write_text("\n".join(verdict.problems) + "\n")
        if not self.stack.s3:
            keep_disk(self.stack)
        self.say(f"logs and evidence: {self.folder}")


def run(order: Order, say: Callable[[str], None] | None = None) -> Verdict:
    """Run a campaign; its folder is removed when all was right."""
    import shutil

    def flushed(text: str) -> None:
        print(text)
        sys.stdout.flush()

    campaign = Campaign(order, say or flushed)
    verdict = campaign.run()
    if verdict.passed and not order.keep:
        shutil.rmtree(campaign.folder, ignore_errors=True)
    return verdict

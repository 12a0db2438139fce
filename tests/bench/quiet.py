"""A sink with little to do: latency at ten records a second, cost of idling."""

from __future__ import annotations

import time

from confluent_kafka import Producer

from tests.bench.bench import BUCKET, Bench
from tests.bench.corpus import Corpus
from tests.bench.measure import process_rss, thread_seconds
from tests.conftest import s3_client
from tests.support import Bucket

TRICKLE = Corpus("trickle", 0, 4, "id STRING, sent BIGINT", "*")


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Trickle:
    """Ten records a second into a topic, and how long each takes to be in the bucket."""

    def __init__(self, bench: Bench, prefix: str) -> None:
        """`prefix`: where the sink's objects lie."""
        self.producer = Producer({"bootstrap.servers": bench.kafka.bootstrap})
        self.store = Bucket(s3_client(bench.minio), BUCKET)
        self.prefix, self.sent = f"{prefix}/trickle/", 0
        self.seen: set[str] = set()
        self.delays: list[float] = []

    def send(self) -> None:
        """One record, without waiting for it."""
        value = f'{{"id":"{self.sent}","sent":{time.time_ns() // 1_000_000}}}'
        self.producer.produce("trickle", value, partition=self.sent % 4)
        self.producer.poll(0)
        self.sent += 1

    def look(self) -> None:
        """Note the delays of what has become visible."""
        new = [key for key in self.store.keys(self.prefix) if key not in self.seen]
        now = time.time()
        self.seen.update(new)
        for key in new:
            lines = self.store.get(key).content.decode().splitlines()
            self.delays += [now - int(line.split(",")[1]) / 1000 for line in lines]

    def wait(self, seconds: float) -> None:
        """Until all that was sent is there."""
        end = time.monotonic() + seconds
        while len(self.delays) < self.sent:
            if time.monotonic() > end:
                raise RuntimeError(f"records are missing after {seconds:.0f} s")
            self.look()
            time.sleep(0.02)

    def run(self, seconds: float) -> list[float]:
        """The delays of so many seconds' records; a warm-up before it does not count."""
        for _ in range(4):
            self.send()
        self.wait(60)
        self.delays, self.sent = [], 0
        end = tick = time.monotonic()
        end += seconds
        while tick < end:
            self.send()
            tick += 0.1
            while time.monotonic() < tick:
                self.look()
                time.sleep(0.02)
        self.producer.flush()
        self.wait(60)
        return self.delays


def bench_latency(bench: Bench, seconds: float) -> None:
    """Produce → visible, with a 10 s and a 1 s interval."""
    bench.client.create_topic("trickle", TRICKLE.partitions)
    print("\nlatency produce → visible at 10 records/s")
    for interval in (10000, 1000):
        daemon = bench.daemon(
            TRICKLE,
            rotate__schedule__interval__ms=interval,
            consumer__override__auto__offset__reset="latest",
        )
        daemon.wait_log(rf"(?:going on at[\s\S]*){{{TRICKLE.partitions}}}")
        delays = Trickle(bench, f"run-{bench.turn}").run(
            max(seconds, 3 * interval / 1000)
        )
        daemon.term()
        p99 = percentile(delays, 0.99)
        print(
            f"  interval {interval / 1000:4.0f} s: p50 {percentile(delays, 0.5):5.2f} s, "
            f"p99 {p99:5.2f} s, {len(delays)} records"
        )
        title = f"latency p99 over a {interval / 1000:.0f} s interval"
        bench.note(title, p99 - interval / 1000, 0.5, "s")


def bench_idle(bench: Bench, corpus: Corpus, seconds: float) -> None:
    """CPU and memory of a fresh sink without records, and after a drain."""
    bench.client.create_topic("silent", 4)
    silent = Corpus("silent", 0, 4, TRICKLE.schema, "*")
    print(f"\nidle over {seconds:.0f} s")
    for title, what in (("fresh", silent), ("after a drain", corpus)):
        daemon = bench.daemon(what)
        daemon.wait_log("assigned by group")
        time.sleep(12)  # the drain, the timers, and what follows them
        before = sum(thread_seconds(daemon.pid).values())
        time.sleep(seconds)
        used = sum(thread_seconds(daemon.pid).values()) - before
        rss = process_rss(daemon.pid, "VmRSS")
        daemon.term()
        print(
            f"  {title:14}: CPU {100 * used / seconds:.2f} % of a core, RSS {rss:.1f} MiB"
        )
        bench.note(f"idle RSS, {title}", rss, 20 if what is silent else 32, "MiB")
        bench.note(f"idle CPU, {title}", 100 * used / seconds, 0.2, "%")

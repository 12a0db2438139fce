"""A sink with little to do: latency at ten records a second, cost of idling."""

from __future__ import annotations

import json
import time

from tests.bench.bench import BUCKET, Bench
from tests.bench.corpus import Corpus
from tests.bench.measure import process_rss, thread_seconds
from tests.conftest import s3_client
from tests.support import Bucket, Msg

TRICKLE = Corpus("trickle", 0, 4, "id STRING, sent BIGINT", "*")


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _delays(bench: Bench, prefix: str, seconds: float) -> list[float]:
    """Produce ten records a second; see when each is visible in the bucket."""
    store = Bucket(s3_client(bench.minio), BUCKET)
    seen: dict[str, float] = {}
    delays: list[float] = []
    end, number = time.time() + seconds, 0
    while time.time() < end or len(delays) < number:
        now = time.time()
        if now < end:
            value = json.dumps({"id": f"{prefix}-{number}", "sent": int(now * 1000)})
            bench.client.produce("trickle", [Msg(value, partition=number % 4)])
            number += 1
        for key in store.keys(f"{prefix}/trickle/"):
            if key in seen:
                continue
            seen[key] = time.time()
            lines = store.get(key).content.decode().splitlines()
            delays += [seen[key] - int(line.split(",")[1]) / 1000 for line in lines]
        if time.time() > end + 30:
            raise RuntimeError("records are missing after 30 s")
        time.sleep(max(0.0, now + 0.1 - time.time()))
    return delays


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
        daemon.wait_log("assigned by group")
        delays = _delays(bench, f"run-{bench.turn}", max(seconds, 3 * interval / 1000))
        daemon.term()
        print(
            f"  interval {interval / 1000:4.0f} s: p50 {percentile(delays, 0.5):5.2f} s, "
            f"p99 {percentile(delays, 0.99):5.2f} s, {len(delays)} records"
        )


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

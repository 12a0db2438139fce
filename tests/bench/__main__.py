"""`make bench`: CPU, wall, memory and start of the sink, against a floor of the same run.

The floor only reads the topic (tests/bench/floor.c). Both are run in turn, equally often;
medians and their ratio are printed. Absolute numbers are this machine's alone.

    make bench                                      1,000,000 flat, 300,000 nested records
    make bench BENCH="--records 200000 --runs 3"    smaller
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.bench.corpus import FLAT, NESTED, Corpus, fill
from tests.conftest import s3_client
from tests.services.kafka import Kafka
from tests.services.minio import Minio
from tests.support import KafkaClient, sink_config
from tests.support.daemon import write_properties

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Run:
    """One finished process: seconds, MiB, and for the sink its first object."""

    cpu: float
    wall: float
    rss: float
    first: float = 0.0
    objects: int = 0


def watch(child: subprocess.Popen[bytes]) -> tuple[int, resource.struct_rusage, float]:
    """Wait for the end. Returns wait status, usage, peak RSS in MiB.

    The peak is VmHWM, looked at often: ru_maxrss counts what the child was before exec.
    """
    peak, status_file = 0, Path(f"/proc/{child.pid}/status")
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return status, usage, peak / 1024
        found = re.search(r"VmHWM:\s+(\d+)", status_file.read_text())
        peak = max(peak, int(found[1])) if found else peak
        time.sleep(0.02)


def measure(argv: list[str], env: dict[str, str], log: Path) -> Run:
    """Run a command to its end. Raises RuntimeError if it fails."""
    began, wall_began = time.monotonic(), time.time()
    with log.open("wb") as out:
        child = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, env=env)
        status, usage, peak = watch(child)
    wall = time.monotonic() - began
    if status:
        raise RuntimeError(f"{argv[0]} failed:\n{log.read_text()[-2000:]}")
    run = Run(usage.ru_utime + usage.ru_stime, wall, peak)
    landed = re.findall(r"^(\S+) INFO .*landed ", log.read_text(), re.MULTILINE)
    if landed:
        run.objects = len(landed)
        run.first = datetime.fromisoformat(landed[0]).timestamp() - wall_began
    return run


class Bench:
    """Services, topics and the runs."""

    def __init__(self, kafka: Kafka, minio: Minio, folder: Path, memory: str) -> None:
        """`memory` is the sink's buffer.memory."""
        self.kafka, self.minio, self.folder, self.memory = kafka, minio, folder, memory
        self.env = {**os.environ, **minio.aws_env()}
        self.turn = 0
        s3_client(minio).create_bucket(Bucket="bench")

    def floor(self, corpus: Corpus) -> Run:
        """Read and throw away."""
        argv = [
            str(ROOT / "build" / "floor"),
            self.kafka.bootstrap,
            corpus.name,
            str(corpus.partitions),
        ]
        return measure(argv, self.env, self.folder / "floor.log")

    def sink(self, corpus: Corpus, **more: object) -> Run:
        """The whole drain, into a fresh prefix."""
        self.turn += 1
        worker = write_properties(
            self.folder / "worker.properties",
            {"bootstrap.servers": self.kafka.bootstrap, "buffer.memory": self.memory},
        )
        settings = sink_config(
            corpus.name,
            corpus.schema,
            self.minio.endpoint,
            "bench",
            select=corpus.select,
            name=f"bench-{self.turn}",
            topics__dir=f"run-{self.turn}",
            rotate__schedule__interval__ms=10000,
            **more,
        )
        connector = write_properties(self.folder / "sink.properties", settings)
        argv = [
            str(ROOT / "build" / "penstockd"),
            "--until-end",
            str(worker),
            str(connector),
        ]
        return measure(argv, self.env, self.folder / "sink.log")


def median(runs: list[Run], name: str) -> float:
    """The median of one figure."""
    return statistics.median(getattr(run, name) for run in runs)


def row(title: str, runs: list[Run], records: int) -> str:
    """A line of the table; CPU and wall per million records."""
    scale = 1e6 / records
    cells = [
        f"{median(runs, 'cpu') * scale:8.2f}",
        f"{median(runs, 'wall') * scale:8.2f}",
        f"{max(run.rss for run in runs):8.1f}",
        f"{median(runs, 'first'):8.2f}" if runs[0].objects else " " * 8,
    ]
    return f"{title:28}" + "".join(cells)


def bench_corpus(bench: Bench, corpus: Corpus, records: int, runs: int) -> None:
    """Floor and drain in turn; prints the table and the ratios."""
    client = KafkaClient(bench.kafka.bootstrap)
    size = fill(client, bench.kafka.bootstrap, corpus, records)
    floors, sinks = [], []
    for _ in range(runs):
        floors.append(bench.floor(corpus))
        sinks.append(bench.sink(corpus))
    first = bench.sink(corpus, flush__size=10000)
    print(
        f"\n{corpus.name}: {records:,} records of {size / records:.0f} B, "
        f"{corpus.partitions} partitions, buffer.memory={bench.memory}, median of {runs}"
    )
    print(f"{'':28}{'CPU s/M':>8}{'wall s/M':>8}{'RSS MiB':>8}{'first s':>8}")
    print(row("floor (consume only)", floors, records))
    print(row("penstockd, full drain", sinks, records))
    print(row("  with flush.size=10000", [first], records))
    for name in ("cpu", "wall"):
        ratio = median(sinks, name) / median(floors, name)
        print(f"ratio of {name:4} to the floor: {ratio:.2f}")


def main() -> int:
    """Parse the command line and run. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--records", type=int, help="flat records (nested: 30 %% of it)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--memory", default="32m", help="buffer.memory (default 32m)")
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as folder, Kafka() as kafka, Minio() as minio:
        bench = Bench(kafka, minio, Path(folder), args.memory)
        for corpus in (FLAT, NESTED):
            share = corpus.records / FLAT.records
            records = int(args.records * share) if args.records else corpus.records
            bench_corpus(bench, corpus, records, args.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())

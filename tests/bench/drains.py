"""Full drains beside their floors: what parsing, encoding and uploading cost on top."""

from __future__ import annotations

import subprocess

from tests.bench.bench import Bench
from tests.bench.corpus import Corpus
from tests.bench.measure import ROOT, Run, median

CPU_BARS = {"flat": 3.0, "nested": 3.5}
SPAN_BARS = {"64m": 2.5, "256m": 2.0}
HEAD = f"{'':30}{'CPU s/M':>9}{'span s/M':>9}{'RSS MiB':>9}{'first s':>9}{'objects':>9}"


def row(title: str, runs: list[Run], records: int) -> str:
    """A line of the table; CPU and the span of Run per million records."""
    scale = 1e6 / records
    cells = [
        f"{median(runs, 'cpu') * scale:9.2f}",
        f"{median(runs, 'span') * scale:9.2f}",
        f"{max(run.rss for run in runs):9.1f}",
    ]
    if runs[0].objects:
        cells += [f"{median(runs, 'first'):9.2f}", f"{median(runs, 'objects'):9.0f}"]
    return f"{title:30}" + "".join(cells)


def _threads(runs: list[Run], records: int) -> str:
    """CPU seconds a million records by thread name, of the last run."""
    scale = 1e6 / records
    parts = sorted(runs[-1].threads.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {used * scale:.2f}" for name, used in parts if used > 0.005)


def bench_drain(bench: Bench, corpus: Corpus, records: int) -> None:
    """Floors and drains in turn; prints a table and the ratios."""
    bench.fill(corpus, records)
    floors: list[Run] = []
    small: list[Run] = []
    large: list[Run] = []
    for _ in range(bench.runs):
        floors.append(bench.floor(corpus))
        small.append(bench.drain(corpus, "64m"))
        large.append(bench.drain(corpus, "256m"))
    size = bench.sizes[corpus.name]
    print(
        f"\n{corpus.name}: {records:,} records of {size:.0f} B in {corpus.partitions} "
        f"partitions, median of {bench.runs}\n{HEAD}"
    )
    print(row("consume only (floor)", floors, records))
    print(row("full drain, 64m", small, records))
    print(row("full drain, 256m", large, records))
    for title, sinks in (("64m", small), ("256m", large)):
        cpu = median(sinks, "cpu") / median(floors, "cpu")
        span = median(sinks, "span") / median(floors, "span")
        ratios = f"CPU {cpu:.2f}, first record to end {span:.2f}"
        print(f"ratio to the floor, {title:>5}: {ratios}")
        name = f"{corpus.name}, {title}"
        bench.note(f"{name}: CPU / floor", cpu, CPU_BARS[corpus.name])
        bench.note(f"{name}: first record to end / floor", span, SPAN_BARS[title])
        rss = max(run.rss for run in sinks)
        bench.note(f"{name}: peak RSS", rss, int(title[:-1]) + 32, "MiB")
    print(f"CPU s/M by thread: {_threads(small, records)}")


def bench_first(bench: Bench, corpus: Corpus, records: int) -> None:
    """How soon after its start the first object is there."""
    bench.fill(corpus, records)
    runs = [bench.drain(corpus, "64m", flush__size=10000) for _ in range(bench.runs)]
    first = median(runs, "first")
    print(f"\nstart to first object, flush.size=10000: {first:.2f} s")
    bench.note("start to first object", first, 1.0, "s")


def bench_encode(bench: Bench) -> None:
    """JSON bytes to CSV bytes, in one thread, without Kafka and store."""
    argv = [str(ROOT / "build" / "bench_encode"), str(bench.runs)]
    out = subprocess.run(argv, stdout=subprocess.PIPE, text=True).stdout
    print(f"\n{out}", end="")
    for line in out.splitlines()[1:]:
        name, *numbers = line.split()
        bench.note(f"{name}: scan + encode", float(numbers[3]), float(numbers[5]), "ns")


def bench_put(bench: Bench) -> None:
    """PUT alone, by bare libcurl."""
    runs = [bench.put_floor(32, 6_000_000) for _ in range(bench.runs)]
    print(
        "\nPUT only (bare libcurl, 32 objects of 6 MB): "
        f"CPU {median(runs, 'cpu'):.2f} s, wall {median(runs, 'wall'):.2f} s"
    )

"""Full drains beside their floors: what parsing, encoding and uploading cost on top."""

from __future__ import annotations

from tests.bench.bench import Bench
from tests.bench.corpus import Corpus
from tests.bench.measure import Run, median

HEAD = f"{'':30}{'CPU s/M':>9}{'wall s/M':>9}{'RSS MiB':>9}{'first s':>9}{'objects':>9}"


def row(title: str, runs: list[Run], records: int) -> str:
    """A line of the table; CPU and wall per million records."""
    scale = 1e6 / records
    cells = [
        f"{median(runs, 'cpu') * scale:9.2f}",
        f"{median(runs, 'wall') * scale:9.2f}",
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
        wall = median(sinks, "wall") / median(floors, "wall")
        print(f"ratio to the floor, {title:>5}: CPU {cpu:.2f}, wall {wall:.2f}")
    print(f"CPU s/M by thread: {_threads(small, records)}")


def bench_first(bench: Bench, corpus: Corpus, records: int) -> None:
    """How soon after its start the first object is there."""
    bench.fill(corpus, records)
    runs = [bench.drain(corpus, "64m", flush__size=10000) for _ in range(bench.runs)]
    print(f"\nstart to first object, flush.size=10000: {median(runs, 'first'):.2f} s")


def bench_put(bench: Bench) -> None:
    """PUT alone, by bare libcurl."""
    runs = [bench.put_floor(32, 6_000_000) for _ in range(bench.runs)]
    print(
        "\nPUT only (bare libcurl, 32 objects of 6 MB): "
        f"CPU {median(runs, 'cpu'):.2f} s, wall {median(runs, 'wall'):.2f} s"
    )

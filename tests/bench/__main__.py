"""`make bench`: CPU, wall, memory and latency of the sink, beside floors of one run.

The floors share no code with it: floor.c only reads the topic, put_floor.c only uploads.
They and the drains run in turn, equally often; medians and their ratios are printed.
Absolute numbers are this machine's alone. What has a bar is summed up at the end, and
drawn into build/bench/bench.svg.

    make bench                                          all parts
    make bench BENCH="drain first --runs 3"             some parts; --help lists them
    make bench BENCH="drain --records 200000 --runs 1"  smaller
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

from tests.bench import ask, drains, growth, plot, quiet
from tests.bench.bench import Bench
from tests.bench.corpus import FLAT, NESTED
from tests.bench.measure import ROOT
from tests.services.kafka import Kafka
from tests.services.minio import Minio

PARTS = ["drain", "first", "put", "encode", "latency", "idle", "rest", "growth"]


def run_part(bench: Bench, part: str, records: int) -> None:
    """One part of the bench, by its name."""
    nested = records * NESTED.records // FLAT.records
    if part == "drain":
        drains.bench_drain(bench, FLAT, records)
        drains.bench_drain(bench, NESTED, nested)
    elif part == "first":
        drains.bench_first(bench, FLAT, records)
    elif part == "put":
        drains.bench_put(bench)
    elif part == "encode":
        drains.bench_encode(bench)
    elif part == "latency":
        quiet.bench_latency(bench, 30)
    elif part == "idle":
        bench.fill(FLAT, records)
        quiet.bench_idle(bench, FLAT, 60)
    elif part == "rest":
        ask.bench_rest(bench, FLAT, records)
    else:
        growth.bench_growth(bench, FLAT, records // 2)


def main() -> int:
    """Parse the command line and run. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--records", type=int, default=FLAT.records, help="flat records; nested: 30 %%"
    )
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    unknown = set(args.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    with tempfile.TemporaryDirectory() as folder, Kafka() as kafka, Minio() as minio:
        bench = Bench(kafka, minio, Path(folder), args.runs)
        for part in args.parts or PARTS:
            run_part(bench, part, args.records)
    print(plot.table(bench.figures))
    path = ROOT / "build" / "bench" / "bench.svg"
    plot.write(bench.figures, path)
    print(f"\nplot: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

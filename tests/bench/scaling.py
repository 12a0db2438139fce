"""The sums of docs/scaling.md: `python -m tests.bench.scaling [partitions] [bytes/s]`.

On paper, for one topic whose records are spread evenly: requests, object sizes, memory
and what S3 asks for it, by the interval between a partition's objects.
"""

from __future__ import annotations

import sys

MONTH = 30 * 24 * 3600
# S3 Standard, us-east-1, USD; see docs/scaling.md for the date.
PUT = 0.005 / 1000
A_CORE = 60e6  # bytes of records a second that a core lands, measured there
BUSY = 0.7  # of a core, so that a rebalance is caught up with
PREFIX_LIMIT = 3500  # PUTs a second that S3 promises for a prefix


def row(partitions: int, rate: float, interval: float) -> str:
    """One line of the table."""
    puts = partitions / interval
    size = rate * interval / partitions
    month = puts * MONTH * PUT
    return (
        f"| {interval:g} s | {puts:,.0f} | {size / 1e6:,.1f} MB | "
        f"{rate * interval / 1e9:,.0f} GB | {month:,.0f} | {puts / PREFIX_LIMIT:.1f} |"
    )


def main() -> int:
    """Print the table and the number of cores. Returns the exit status."""
    partitions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 10e9
    print(f"{partitions:,} partitions, {rate / 1e9:g} GB/s")
    print("| interval | PUT/s | object | open windows | USD a month, PUT | of 3,500/s |")
    print("|---|---|---|---|---|---|")
    for interval in (2, 10, 30, 60, 300):
        print(row(partitions, rate, interval))
    print(f"cores: {rate / A_CORE:.0f} busy, {rate / A_CORE / BUSY:.0f} to have")
    return 0


if __name__ == "__main__":
    sys.exit(main())

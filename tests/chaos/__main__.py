"""`python -m tests.chaos`: a campaign of faults; exit status 1 on any violation."""

from __future__ import annotations

import argparse
import sys

from tests.chaos.campaign import Order, run
from tests.chaos.layouts import COMPRESSIONS, FORMATS, PARTITIONERS, Layout


def main(argv: list[str] | None = None) -> int:
    """Parse the arguments, run, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long (default 2)")
    parser.add_argument("--seed", type=int, default=1, help="of the schedule (default 1)")
    parser.add_argument("--store", choices=("s3", "directory"), default="s3")
    parser.add_argument("--daemons", type=int, default=4, help="default 4")
    parser.add_argument("--partitions", type=int, default=6, help="at the start")
    parser.add_argument("--rate", type=int, default=1000, help="records a second")
    parser.add_argument(
        "--kills", type=int, default=0, help="only so many kill -9, at random moments"
    )
    parser.add_argument("--partitioner", choices=PARTITIONERS, default="default")
    parser.add_argument("--compression", choices=COMPRESSIONS, default="none")
    parser.add_argument("--format", choices=FORMATS, default="csv")
    parser.add_argument("--keep", action="store_true", help="keep the logs in any case")
    args = parser.parse_args(argv)
    if args.daemons < 2:
        parser.error("--daemons: faults need at least 2")
    words = vars(args)
    names = ("partitioner", "compression", "format")
    layout = Layout(**{name: words.pop(name) for name in names})
    return 0 if run(Order(**words, layout=layout)).passed else 1


if __name__ == "__main__":
    sys.exit(main())

"""Instructions a record takes from JSON bytes to CSV bytes, counted by callgrind.

Counts do not depend on the machine's load, so that a small loss shows. Start-up and the
making of the corpus cancel out: the same program is counted with one and with three
passes over its 4,096 records.

The limits are what was counted when they were written: a change that costs more than
SLACK above them fails `make test`. They are for the AVX2 scanner and the compiler of
Debian 12; elsewhere counts differ, and so may the limits.

    .venv/bin/python -m tests.bench.instructions            counts
    .venv/bin/python -m tests.bench.instructions --update   makes them the limits
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.bench.measure import ROOT

LIMITS = Path(__file__).with_name("instructions.json")
PROGRAM = ROOT / "build" / "bench_encode"
RECORDS = 4096
SLACK = 0.03


def _collected(shape: str, passes: int) -> int:
    """Instructions of one run."""
    argv = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    argv += [str(PROGRAM), "--count", shape, str(passes)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if not found:
        raise RuntimeError(f"callgrind says nothing: {done.stderr[-500:]}")
    return int(found[1])


def per_record(shape: str) -> float:
    """Instructions a record of this shape."""
    return (_collected(shape, 3) - _collected(shape, 1)) / (2 * RECORDS)


def limits() -> dict[str, int]:
    """The limits by shape."""
    found: dict[str, int] = json.loads(LIMITS.read_text())
    return found


def main() -> int:
    """Count, and make it the limit if asked to."""
    counted = {shape: round(per_record(shape)) for shape in limits()}
    for shape, count in counted.items():
        print(f"{shape:8}{count:6} instructions a record, limit {limits()[shape]}")
    if "--update" in sys.argv[1:]:
        LIMITS.write_text(json.dumps(counted, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

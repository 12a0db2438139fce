"""What a GB costs to upload: our driver against libcurl alone, in turn, as a ratio.

`make bench-upload`. CPU seconds of the client; the same objects, the same server.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import s3_client
from tests.services.minio import Minio

ROOT = Path(__file__).resolve().parent.parent.parent
MIB = 1024 * 1024
SIZE, OBJECTS, RUNS, BAR = 100 * MIB, 10, 5, 1.3
ONE, PARTS = 1 << 40, 25 * MIB  # never; the default


def cost(argv: list[str], env: dict[str, str]) -> float:
    """CPU seconds of a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, env=env, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Print the medians; 1 if one PUT an object, or parts, cost more than the bar."""
    with Minio() as minio, tempfile.TemporaryDirectory() as spool:
        s3_client(minio).create_bucket(Bucket="cost")
        env = {**os.environ, **minio.aws_env()}
        count = [str(OBJECTS), str(SIZE)]
        ours = [str(ROOT / "build/put_store"), minio.endpoint, "cost", "ours", *count]
        url = f"{minio.endpoint}/cost/floor"
        programs = {
            "libcurl alone": [str(ROOT / "build/put_floor"), url, *count],
            "one PUT": [*ours, str(ONE)],
            "parts of 25 MiB": [*ours, str(PARTS)],
            "parts, spooled": [*ours, str(PARTS), spool],
        }
        times: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(RUNS):
            for name, argv in programs.items():
                times[name].append(cost(argv, env))
    floor = statistics.median(times["libcurl alone"])
    worst = 0.0
    for name, all_times in times.items():
        gigabytes = OBJECTS * SIZE / 1e9
        pairs = zip(all_times, times["libcurl alone"], strict=True)
        ratio = statistics.median(a / b for a, b in pairs)
        worst = max(worst, 0.0 if name == "parts, spooled" else ratio)
        low, high = min(all_times) / gigabytes, max(all_times) / gigabytes
        median = statistics.median(all_times) / gigabytes
        print(f"{name:15} {median:.2f} s/GB [{low:.2f}-{high:.2f}], {ratio:.2f} x")
    print(f"bar {BAR} x of {floor:.2f} s")
    return int(worst > BAR)


if __name__ == "__main__":
    sys.exit(main())

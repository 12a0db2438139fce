"""Running a program and finding out what it cost, from outside."""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Run:
    """One finished process: seconds and MiB; of a sink, its objects and the first one.

    `span` is from the first record to the last object (of the floor: the last record).
    """

    cpu: float
    wall: float
    rss: float
    span: float = 0.0
    threads: dict[str, float] = field(default_factory=dict)
    first: float = 0.0
    objects: int = 0


def process_rss(pid: int, name: str = "VmHWM") -> float:
    """A memory figure of /proc/PID/status in MiB; 0 if the process is gone.

    VmHWM is the peak. ru_maxrss is not used: it counts what the child was before exec.
    """
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    found = re.search(rf"{name}:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else 0.0


def thread_times(pid: int) -> dict[str, tuple[str, float]]:
    """Name and CPU seconds by thread id."""
    times: dict[str, tuple[str, float]] = {}
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            name = (task / "comm").read_text().strip().split("/")[0]
            used = int((task / "schedstat").read_text().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue
        times[task.name] = (name, used)
    return times


def by_name(times: dict[str, tuple[str, float]]) -> dict[str, float]:
    """The seconds of threads of one name together."""
    seconds: dict[str, float] = {}
    for name, used in times.values():
        seconds[name] = seconds.get(name, 0.0) + used
    return seconds


def thread_seconds(pid: int) -> dict[str, float]:
    """CPU seconds by thread name."""
    return by_name(thread_times(pid))


def watch(child: subprocess.Popen[bytes], run: Run) -> resource.struct_rusage:
    """Wait for the end, noting peak memory and the threads' CPU on the way."""
    times: dict[str, tuple[str, float]] = {}
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            run.threads = by_name(times)
            return usage
        run.rss = max(run.rss, process_rss(child.pid))
        times.update(thread_times(child.pid))  # threads end before the process does
        time.sleep(0.02)


def measure(argv: list[str], env: dict[str, str], log: Path) -> Run:
    """Run a command to its end. Raises RuntimeError if it fails."""
    run = Run(0.0, 0.0, 0.0)
    began, wall_began = time.monotonic(), time.time()
    with log.open("wb") as out:
        child = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, env=env)
        usage = watch(child, run)
    run.wall = time.monotonic() - began
    run.cpu = usage.ru_utime + usage.ru_stime
    if child.returncode:
        raise RuntimeError(f"{argv[0]} failed:\n{log.read_text()[-2000:]}")
    read_log(run, log.read_text(), wall_began)
    return run


def read_log(run: Run, text: str, began: float) -> None:
    """What a sink's log says of its objects, or the floor's line of its records."""

    def times(what: str) -> list[float]:
        found = re.findall(rf"^(\S+) INFO .*: {what} ", text, re.MULTILINE)
        return [datetime.fromisoformat(at).timestamp() for at in found]

    landed = times("landed")
    if landed:
        run.objects = len(landed)
        run.first = landed[0] - began
        run.span = landed[-1] - times(r"\S+: going on")[0]
    floor = re.fullmatch(r"\d+ \d+ ([\d.]+)\n", text)
    if floor:
        run.span = float(floor[1])


def median(runs: list[Run], name: str) -> float:
    """The median of one figure."""
    return statistics.median(getattr(run, name) for run in runs)

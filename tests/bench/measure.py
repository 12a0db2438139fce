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
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Run:
    """One finished process: seconds and MiB; of a sink, its objects and the first one."""

    cpu: float
    wall: float
    rss: float
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


def thread_seconds(pid: int) -> dict[str, float]:
    """CPU seconds by thread name."""
    seconds: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            text = task.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        name = text[text.index("(") + 1 : text.rindex(")")].split("/")[0]
        fields = text[text.rindex(")") + 2 :].split()
        used = (int(fields[11]) + int(fields[12])) / TICK
        seconds[name] = seconds.get(name, 0.0) + used
    return seconds


def watch(child: subprocess.Popen[bytes], run: Run) -> resource.struct_rusage:
    """Wait for the end, noting peak memory and the threads' CPU on the way."""
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return usage
        run.rss = max(run.rss, process_rss(child.pid))
        run.threads = thread_seconds(child.pid) or run.threads
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
    landed = re.findall(r"^(\S+) INFO .*landed ", log.read_text(), re.MULTILINE)
    if landed:
        run.objects = len(landed)
        run.first = datetime.fromisoformat(landed[0]).timestamp() - wall_began
    return run


def median(runs: list[Run], name: str) -> float:
    """The median of one figure."""
    return statistics.median(getattr(run, name) for run in runs)

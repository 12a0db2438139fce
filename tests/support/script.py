"""Python programs of a few lines, run in a process of their own with this environment.

For what a test process must not do itself: be interrupted, fork, count its threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PROGRAMS = Path(sys.executable).parent


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    clean = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
    path = f"{PROGRAMS}{os.pathsep}{clean.get('PATH', '')}"
    return {**clean, "PATH": path, "PYTHONUNBUFFERED": "1", **(env or {})}


def run_script(
    text: str,
    *args: str,
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    python: str | Path = sys.executable,
) -> str:
    """Run a program to its end; what it printed. Raises AssertionError when it fails."""
    done = subprocess.run(
        [python, "-X", "faulthandler", "-c", textwrap.dedent(text), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=_environment(env),
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_penstock(
    *args: str | Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    program: str | Path = PROGRAMS / "penstock",
) -> subprocess.CompletedProcess[str]:
    """Run the command `penstock` to its end; status, stdout and stderr apart."""
    return subprocess.run(
        [program, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=_environment(env),
        timeout=timeout,
        check=False,
    )


def within(
    limits: Sequence[float], measure: Callable[[], Sequence[float]], attempts: int = 4
) -> bool:
    """Times that `measure` took (seconds) were below their limits, in one of some runs.

    A machine with other work may be late once; what is slow by itself is slow each time.
    """
    for _ in range(attempts):
        took = measure()
        if all(t < limit for t, limit in zip(took, limits, strict=True)):
            return True
        print("too slow:", " ".join(f"{t:.3f} s" for t in took))
    return False

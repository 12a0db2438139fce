"""One child process: started, watched, signalled and stopped by its pid.

The child gets a session of its own (a Ctrl-C at the terminal does not reach it) and
PR_SET_PDEATHSIG=SIGKILL, so it cannot outlive the thread that started it: start
services from a thread that lives as long as they shall.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class ServiceError(RuntimeError):
    """A service could not be installed, started or stopped; the text is one line."""


def die_with_parent(parent: int) -> Callable[[], None]:
    """A preexec function: the kernel kills the child when `parent` (a pid) goes.

    The child blocks no signals, whatever its parent waits for.
    """

    def set_deathsig() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)

    return set_deathsig


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Process:
    """A running child with its output appended to a log file."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | os.PathLike[str]],
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start `argv`. Raises ServiceError when the program cannot be executed."""
        self.name = name
        self.log = log
        with log.open("ab") as out:
            try:
                self.popen = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env=env,
                    cwd=cwd,
                    start_new_session=True,
                    preexec_fn=die_with_parent(os.getpid()),
                )
            except OSError as error:
                raise ServiceError(f"{name}: cannot start: {error}") from error

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.popen.pid

    def alive(self) -> bool:
        """True until the child has ended (a stopped child is alive)."""
        return self.popen.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when the child has ended."""
        self.popen.send_signal(number)

    def pause(self) -> None:
        """SIGSTOP; returns when every thread stands still (bounded by 5 s)."""
        self.signal(signal.SIGSTOP)
        deadline = time.monotonic() + 5
        while self._threads() - {"T"} and time.monotonic() < deadline:
            time.sleep(0.001)

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self.signal(signal.SIGCONT)

    def _threads(self) -> set[str]:
        """The states of its threads, as letters of proc(5)."""
        stats = Path(f"/proc/{self.pid}/task").glob("*/stat")
        return {stat.read_text().rpartition(")")[2].split()[0] for stat in stats}

    def stop(self, timeout: float = 15.0) -> int:
        """SIGTERM, then SIGKILL after `timeout` seconds. Returns the exit status."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """SIGKILL now. Returns the exit status (negative signal number)."""
        self.signal(signal.SIGKILL)
        return self.popen.wait(10)

    def tail(self, lines: int = 8) -> str:
        """The last lines of the log, joined by ` | `; stack frames are left out."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        kept = [line for line in text.splitlines() if line and not line[0].isspace()]
        return " | ".join(kept[-lines:])

    def wait_ready(self, ready: Callable[[], bool], timeout: float) -> float:
        """Poll `ready` every 50 ms until true. Returns the seconds it took.

        Raises ServiceError when the child ends or `timeout` seconds pass first.
        """
        began = time.monotonic()
        while not ready():
            if not self.alive():
                raise ServiceError(f"{self.name} ended at start: {self.tail()}")
            if time.monotonic() - began > timeout:
                raise ServiceError(
                    f"{self.name} not ready in {timeout:g} s: {self.tail()}"
                )
            time.sleep(0.05)
        return time.monotonic() - began

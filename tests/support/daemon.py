"""`penstockd` as a child process: its files written, its log read, its signals sent."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.services.process import Process

ROOT = Path(__file__).resolve().parent.parent.parent
Properties = Mapping[str, Any]
MASK_S = 5.0


def binary() -> Path:
    """The daemon's program: $PENSTOCKD, else build/penstockd."""
    named = os.environ.get("PENSTOCKD")
    return Path(named) if named else ROOT / "build" / "penstockd"


def _escape(text: str) -> str:
    """A value in a Java .properties file."""
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    text = text.replace("\r", "\\r")
    if text.startswith(" "):
        text = "\\" + text
    units = text.encode("utf-16-be")
    codes = (int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2))
    return "".join(chr(c) if 32 <= c < 127 else f"\\u{c:04x}" for c in codes)


def properties_text(settings: Properties) -> str:
    """A .properties file's text; True and False become true and false."""
    lines = []
    for name, value in settings.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        lines.append(f"{name}={_escape(text)}\n")
    return "".join(lines)


def write_properties(path: Path, settings: Properties) -> Path:
    """Write a .properties file of mode 0600. Returns its path."""
    path.touch(mode=0o600)
    path.write_text(properties_text(settings))
    return path


def sink_config(
    topic: str,
    schema: str,
    store_url: str,
    bucket: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """An S3CsvSink's settings with a 1 s timer; `more` by `s3__part__size`-like names.

    Two underscores stand for a dot in `more`; None takes a setting out.
    """
    settings: dict[str, Any] = {
        "name": f"sink-{topic}",
        "connector.class": "S3CsvSink",
        "topics": topic,
        "value.schema": schema,
        "store.url": store_url,
        "s3.bucket.name": bucket,
        "rotate.schedule.interval.ms": 1000,
    }
    return _merged(settings, more)


def source_config(topic: str, url: str, **more: Any) -> dict[str, Any]:
    """A RandomUserSource's settings; `more` as in `sink_config`."""
    settings: dict[str, Any] = {
        "name": f"source-{topic}",
        "connector.class": "RandomUserSource",
        "kafka.topic": topic,
        "randomuser.url": url,
    }
    return _merged(settings, more)


def _merged(settings: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in more.items():
        settings[name.replace("__", ".")] = value
    return {name: value for name, value in settings.items() if value is not None}


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    """Ours without the caller's cloud credentials, and `env` on top."""
    clean = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
    return {**clean, **(env or {})}


def penstockd(
    *args: str | Path, env: Mapping[str, str] | None = None, timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run the daemon to its end; status, stdout and stderr apart.

    Raises subprocess.TimeoutExpired after `timeout` seconds (it is killed then).
    """
    return subprocess.run(
        [binary(), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=_environment(env),
        timeout=timeout,
        check=False,
    )


class Daemon:
    """A running daemon; start it from the test's own thread (it dies with it)."""

    def __init__(
        self,
        directory: Path,
        worker: Properties,
        *connectors: Properties,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        """Writes the .properties files into `directory`; `start` runs it.

        `folder` is one more argument, of connectors. `wrapper` goes before the program
        (valgrind and its options).
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.log_path = directory / "penstockd.log"
        self.worker = write_properties(directory / "worker.properties", worker)
        self.connectors = [
            write_properties(directory / f"connector-{number}.properties", settings)
            for number, settings in enumerate(connectors)
        ]
        self._argv = [*wrapper, str(binary()), *args, str(self.worker)]
        self._argv += [str(path) for path in self.connectors]
        self._argv += [str(folder)] if folder else []
        self._env = _environment(env)
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The process of the last start. Raises AssertionError before it."""
        assert self._process is not None, "the daemon is not started"
        return self._process

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything it has written (stdout and stderr), over all starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self) -> Daemon:
        """Start it (again). Returns at once; see `wait_log`."""
        self._process = Process("penstockd", self._argv, self.log_path, self._env)
        return self

    def alive(self) -> bool:
        """True while it runs."""
        return self.process.alive()

    def term(self, timeout: float = 40.0) -> int:
        """SIGTERM and wait. Returns the exit status; AssertionError past `timeout` s.

        A program that was just started and does not wait for signals yet dies of one:
        it is given `MASK_S` seconds for that.
        """
        deadline = time.monotonic() + MASK_S
        while self.alive() and not self._waits_for_signals():
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        self.process.signal(signal.SIGTERM)
        return self.wait(timeout)

    def signal(self, number: int) -> None:
        """Send any signal (SIGHUP, SIGINT …)."""
        self.process.signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()

    def pause(self) -> None:
        """SIGSTOP: the sleeper of the chain's rule 9."""
        self.process.pause()

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self.process.resume()

    def wait(self, timeout: float = 60.0) -> int:
        """Wait for its end. Returns the exit status; AssertionError past `timeout` s."""
        try:
            return self.process.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"penstockd still runs after {timeout:g} s:\n{self._tail()}"
            ) from None

    def wait_log(self, pattern: str, timeout: float = 30.0) -> re.Match[str]:
        """Wait for a regular expression in the log (`re.M`).

        Raises AssertionError when it ends, or `timeout` seconds pass, without one.
        """
        deadline = time.monotonic() + timeout
        while True:
            running = self.alive()
            match = re.search(pattern, self.log, re.MULTILINE)
            if match is not None:
                return match
            late = time.monotonic() > deadline
            if not running or late:
                why = f"{timeout:g} s passed" if late else "penstockd ended"
                raise AssertionError(f"{why} without {pattern!r}:\n{self._tail()}")
            time.sleep(0.02)

    def peak_rss(self) -> int:
        """The running daemon's peak resident memory in bytes (VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert match is not None
        return int(match.group(1)) * 1024

    def _waits_for_signals(self) -> bool:
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return False
        match = re.search(r"SigBlk:\s+([0-9a-f]+)", status)
        return match is not None and bool(int(match.group(1), 16) >> 14 & 1)  # SIGTERM

    def _tail(self) -> str:
        return "\n".join(self.log.splitlines()[-30:])

    def close(self) -> None:
        """Kill it if it still runs."""
        if self._process is not None and self._process.alive():
            self._process.kill()

    def __enter__(self) -> Daemon:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

"""Settings out of options, and runs that end in good order on signals.

The first SIGINT or SIGTERM stops the run as it stops the daemon: what was read is landed
and committed. The second one ends it at once.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from penstock._errors import ConfigError
from penstock._run import check, end, follow, summary_of
from penstock._types import Progress, Setting, Summary
from penstock._worker import Worker, is_secret

Layer = dict[str, Setting] | str
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def parse_pairs(pairs: list[str] | None, owner: str) -> dict[str, Setting]:
    """`key=value` options. Raises ConfigError for others, and for open secrets."""
    settings: dict[str, Setting] = {}
    errors = []
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            errors.append(f"{pair!r} is not of the form key=value")
        elif is_secret(owner, key) and not value.startswith("${"):
            errors.append(
                f"{key}: secrets are not given on a command line, where other users can "
                f"read them: use ${{env:NAME}}, ${{file:/path:key}} or a file"
            )
        else:
            settings[key] = value
    if errors:
        raise ConfigError(errors)
    return settings


def worker_layers(args: argparse.Namespace) -> list[Layer]:
    """The worker's settings: file, then --set-worker, then --bootstrap-servers."""
    layers: list[Layer] = [args.worker] if args.worker else []
    layers.append(parse_pairs(args.set_worker, "worker"))
    if args.bootstrap_servers:
        layers.append({"bootstrap.servers": args.bootstrap_servers})
    return layers


def connector_layers(
    args: argparse.Namespace, owner: str, flags: dict[str, Setting | None]
) -> list[Layer]:
    """A connector's settings: defaults, file, --set, then the flags that were given."""
    layers: list[Layer] = [{"connector.class": owner}]
    if args.config:
        layers.append(args.config)
    layers.append(parse_pairs(args.set, owner))
    layers.append({key: value for key, value in flags.items() if value is not None})
    return layers


def signal_status(number: int) -> int:
    """The exit status of a run that a signal ended, as shells have it."""
    return 128 + number


@contextmanager
def handled(on_signal: Callable[[int], None]) -> Iterator[None]:
    """Handlers for SIGINT and SIGTERM inside the block."""

    def handler(number: int, frame: FrameType | None) -> None:
        on_signal(number)

    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class Run:
    """A worker run to its end under signal handlers; `signal` is the first that came."""

    def __init__(self, worker: Worker) -> None:
        """The worker is started by `run` and closed by it."""
        self.worker = worker
        self.signal: int | None = None

    def _on_signal(self, number: int) -> None:
        if self.signal is None:
            self.signal = number
            print("\nstopping: landing what was read", file=sys.stderr)
            self.worker.stop()
        else:
            self.worker.abort()

    def run(
        self, progress: Progress | None = None, timeout: float | None = None
    ) -> Summary:
        """Run it. Raises PenstockError with the summary when a task failed."""
        began = time.monotonic()
        try:
            with handled(self._on_signal):
                self.worker.start()
                if not follow(self.worker, timeout, progress):
                    end(self.worker)
                summary = summary_of(self.worker.status(), time.monotonic() - began)
        finally:
            self.worker.close()
        return check(summary)


def run_worker(
    worker: list[Layer],
    *connectors: list[Layer],
    until: Literal["end"] | None = None,
    progress: Progress | None = None,
    timeout: float | None = None,
) -> tuple[Summary, int | None]:
    """Run connectors to their end: the summary, and the signal that stopped them."""
    job = Run(Worker(worker, *connectors, until=until))
    return job.run(progress, timeout), job.signal

"""What a broker and an S3 server have in common: a process in a folder of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.process import Process, ServiceError


class Service(ABC):
    """A server on loopback. Use as a context manager, or call `start` and `close`.

    Its folder outlives a stop, so that it can be started again on the same data.
    """

    def __init__(self, name: str, directory: Path | None) -> None:
        """A given `directory` is kept by `close`; else a temporary one is made."""
        self.name = name
        self._own = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"penstock-{name}-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.start_seconds = 0.0
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The running server. Raises ServiceError before `start`."""
        if self._process is None:
            raise ServiceError(f"{self.name} is not started")
        return self._process

    @abstractmethod
    def start(self) -> Self:
        """Start the server and wait until it answers. Raises ServiceError."""

    def _launch(
        self,
        argv: Sequence[str | os.PathLike[str]],
        ready: Callable[[], bool],
        timeout: float,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run `argv` and wait for `ready`. Raises ServiceError, nothing runs then."""
        log = self.directory / f"{self.name}.log"
        self._process = Process(self.name, argv, log, env)
        try:
            self.start_seconds = self._process.wait_ready(ready, timeout)
        except ServiceError:
            self._process.kill()
            raise

    def stop(self, timeout: float = 15.0) -> None:
        """SIGTERM, then SIGKILL after `timeout` seconds. The data stays."""
        if self._process is not None:
            self._process.stop(timeout)
            self._process = None

    def kill(self) -> None:
        """SIGKILL, as a crash. The data stays."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing is answered."""
        self.process.pause()

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self.process.resume()

    def close(self) -> None:
        """Stop the server; its temporary folder is removed."""
        self.stop()
        if self._own:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

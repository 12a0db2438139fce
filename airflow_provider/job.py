"""Connectors run inside a task: its log tells how far they are, and on_kill ends them.

Signals decide the shape. Airflow 3 calls `on_kill` from its SIGTERM handler and then goes
on as if nothing had happened; Airflow 2 raises after it; a time-out raises out of the
handler of SIGALRM. Whichever it is, the C side gives way within 200 ms, has
`KILL_SECONDS` to land and commit what was read, is aborted then, and the task fails: it
never ends as a success that was not one. Airflow kills for good 5 s after its SIGTERM.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    BaseOperator,
    Context,
)

from penstock_airflow.settings import Settings

if TYPE_CHECKING:
    from penstock import Summary, TaskStatus, Worker

KILL_SECONDS = 3.5
ABORT_SECONDS = 0.5
STEP_SECONDS = 0.5
PROGRESS_SECONDS = 5.0

Describe = Callable[["TaskStatus"], str]


class Logger(Protocol):
    """What a job needs of a task's logger: Airflow 2 and 3 have different ones."""

    def info(self, message: str, /, *args: object) -> object: ...
    def warning(self, message: str, /, *args: object) -> object: ...


class Job:
    """One run of connectors. `kill` may be called from a signal handler."""

    def __init__(self, log: Logger, describe: Describe) -> None:
        """`describe` says in one line how far a connector's task is."""
        self.log = log
        self.describe = describe
        self.killed = False
        self._worker: Worker | None = None
        self._kill_at = 0.0

    def kill(self) -> None:
        """End the run soon: land and commit what was read, then fail the task."""
        if not self.killed:
            self._kill_at = time.monotonic()
        self.killed = True
        if self._worker is not None:
            self._worker.stop()

    def run(
        self, worker: Settings, *connectors: Settings, until: Literal["end"] | None = None
    ) -> Summary:
        """Run to the end. Raises AirflowException, also when it was killed.

        What will fail again however often it is tried (wrong settings, wrong data, a
        missing permission) raises AirflowFailException: the task is not retried.
        """
        from penstock import ConfigError, FatalError, PenstockError

        try:
            return self._run(worker, connectors, until)
        except PenstockError as error:
            fatal = isinstance(error, FatalError | ConfigError) and not error.unreachable
            kind = AirflowFailException if fatal else AirflowException
            raise kind(str(error)) from error

    def _run(
        self,
        settings: Settings,
        connectors: tuple[Settings, ...],
        until: Literal["end"] | None,
    ) -> Summary:
        from penstock import Worker
        from penstock._run import check, summary_of

        began = time.monotonic()
        worker_settings: Settings = {
            "shutdown.timeout.ms": int(KILL_SECONDS * 1000),
            **settings,
        }
        worker = Worker(worker_settings, *connectors, until=until)
        self._worker = worker
        try:
            worker.start()
            self._follow(worker)
            self._end(worker)
            summary = summary_of(worker.status(), time.monotonic() - began)
        except BaseException:
            # A handler of a signal raised: a time-out, or Airflow 2's SIGTERM.
            self.kill()
            self._end(worker)
            raise
        finally:
            self._worker = None
            worker.close()
        if self.killed:
            done = "; ".join(self.describe(task) for task in summary["tasks"])
            raise AirflowException(f"the task was killed: {done}")
        return check(summary)

    def _follow(self, worker: Worker) -> None:
        """Wait for the end or a kill; a line in the log every few seconds."""
        told = time.monotonic()
        while not worker.wait(STEP_SECONDS) and not self.killed:
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                for task in worker.status():
                    self.log.info("%s: %s", task["state"], self.describe(task))

    def _end(self, worker: Worker) -> None:
        """After a kill: wait for an end in good order, abort when time is up."""
        if not self.killed:
            return
        left = self._kill_at + KILL_SECONDS - time.monotonic()
        if worker.wait(max(left, 0.0)):
            return
        self.log.warning("not landed within %g s: aborting", KILL_SECONDS)
        worker.abort()
        worker.wait(ABORT_SECONDS)


class JobOperator(BaseOperator):
    """What the operators that run C connectors have in common."""

    _job: Job | None = None

    def describe(self, task: TaskStatus) -> str:
        """How far a connector's task is, in one line."""
        raise NotImplementedError

    def run_job(
        self, worker: Settings, connector: Settings, until: Literal["end"] | None = None
    ) -> Summary:
        """Run one connector to its end; what it did. Raises AirflowException."""
        self._job = Job(self.log, self.describe)
        try:
            return self._job.run(worker, connector, until=until)
        finally:
            self._job = None

    def on_kill(self) -> None:
        """Airflow ends the task: what was read is landed, then `execute` raises."""
        job = self._job
        if job is not None:
            self.log.warning("killed: ending within %g s", KILL_SECONDS + ABORT_SECONDS)
            job.kill()

    def execute(self, context: Context) -> Any:
        """Run the connector."""
        raise NotImplementedError

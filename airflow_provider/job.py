"""Connectors run inside a task: its log tells how far they are, and on_kill ends them.

Signals decide the shape. Airflow 3 calls `on_kill` from its SIGTERM handler and then goes
on as if nothing had happened; Airflow 2 raises after it; a time-out raises out of the
handler of SIGALRM. Whichever it is, the C side gives way within 200 ms, has
`KILL_SECONDS` to land and commit what was read, is aborted then (what is not landed stays
in Kafka), and the task fails: it never ends as a success that was not one. Airflow kills
for good 5 s after its SIGTERM.

A handler runs between any two steps of the main thread, which may hold a logger's lock:
what is called from it sets flags and logs nothing.
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

from penstock_airflow.settings import Settings, mask_secrets

if TYPE_CHECKING:
    from penstock import PenstockError, Summary, TaskStatus, Worker

KILL_SECONDS = 0.7
ABORT_SECONDS = 3.3  # a broker that hangs
STEP_SECONDS = 0.5
PROGRESS_SECONDS = 5.0
_NOT_FOUND = "not found"

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
        worker = self._worker
        if worker is not None:
            worker.stop()

    def run(
        self, worker: Settings, *connectors: Settings, until: Literal["end"] | None = None
    ) -> Summary:
        """Run to the end. Raises AirflowException, also when it was killed.

        What will fail again however often it is tried (wrong settings, wrong data, a
        missing permission) raises AirflowFailException: the task is not retried. A
        missing topic or bucket may be made meanwhile.
        """
        from penstock import PenstockError

        mask_secrets("worker", worker)
        for connector in connectors:
            mask_secrets(str(connector["connector.class"]), connector)
        try:
            return self._run(worker, connectors, until)
        except PenstockError as error:
            raise error_for(error) from error

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
        try:
            self._worker = worker
            if not self.killed:
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
            worker.close(self._left(KILL_SECONDS + ABORT_SECONDS))
        if self.killed:
            done = "; ".join(self.describe(task) for task in summary["tasks"])
            raise AirflowException(f"the task was killed: {done}")
        return check(summary)

    def _left(self, budget: float) -> float | None:
        """Seconds that a kill leaves of its budget; None when there was none."""
        if not self.killed:
            return None
        return max(self._kill_at + budget - time.monotonic(), 0.0)

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
        worker.stop()
        if worker.wait(self._left(KILL_SECONDS)):
            return
        self.log.warning("not landed within %g s of the kill: aborting", KILL_SECONDS)
        worker.abort()
        worker.wait(self._left(KILL_SECONDS + ABORT_SECONDS))


def error_for(error: PenstockError) -> AirflowException:
    """What Airflow is told: what fails again however often it is tried is not retried.

    A topic, or a bucket, that is not there may be made later; settings do not mend
    themselves.
    """
    from penstock import ConfigError, FatalError

    final = isinstance(error, FatalError | ConfigError)
    passes = error.unreachable or error.code == _NOT_FOUND
    return (AirflowFailException if final and not passes else AirflowException)(
        str(error)
    )


class JobOperator(BaseOperator):
    """What the operators that run C connectors have in common.

    `work` is the subclass's; `execute` sees to it that a kill at any moment of it fails
    the task.
    """

    _job: Job | None = None
    _state: Literal["new", "at work", "ended"] = "new"
    _killed = False

    def describe(self, task: TaskStatus) -> str:
        """How far a connector's task is, in one line."""
        raise NotImplementedError

    def work(self, context: Context) -> dict[str, Any]:
        """Run the connector; the task's result."""
        raise NotImplementedError

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the connector. Raises AirflowException, also when the task is killed."""
        self._state = "at work"
        try:
            self.check_killed()
            result = self.work(context)
            self.check_killed()
        finally:
            self._state = "ended"
            self._killed = False
        return result

    def run_job(
        self, worker: Settings, connector: Settings, until: Literal["end"] | None = None
    ) -> Summary:
        """Run one connector to its end; what it did. Raises AirflowException."""
        job = Job(self.log, self.describe)
        self._job = job
        try:
            self.check_killed()
            return job.run(worker, connector, until=until)
        finally:
            self._job = None

    def on_kill(self) -> None:
        """Airflow ends the task: what was read is landed, then `execute` raises.

        Called from a signal's handler. Where no connector runs, this raises, out of
        whatever is under way; as that may be caught there, the flag is looked at too.
        """
        if self._state == "ended":
            return
        self._killed = True
        if self._job is not None:
            self._job.kill()
        elif self._state == "at work":
            self.check_killed()

    def check_killed(self) -> None:
        """Raises AirflowException when the task was killed."""
        if self._killed:
            raise AirflowException("the task was killed")

"""`penstock.run`: connectors in this process until they are done.

It is written on top of `Worker`, as an operator with needs of its own would be.
"""

from __future__ import annotations

import time
from typing import Literal

from penstock._errors import RetriableError, error_of_task
from penstock._types import Config, Progress, Summary, TaskStatus
from penstock._worker import Worker

STEP_SECONDS = 0.5
STOP_EXTRA_SECONDS = 5.0
ABORT_SECONDS = 5.0


def summary_of(tasks: list[TaskStatus], seconds: float) -> Summary:
    """The tasks and sums over them."""
    return {
        "tasks": tasks,
        "records": sum(task["records"] for task in tasks),
        "rows": sum(task["rows"] for task in tasks),
        "objects": sum(task["objects"] for task in tasks),
        "bytes": sum(task["bytes"] for task in tasks),
        "seconds": round(seconds, 3),
    }


def follow(worker: Worker, timeout: float | None, progress: Progress | None) -> bool:
    """Wait until all tasks have ended; False when `timeout` seconds passed before."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = STEP_SECONDS if deadline is None else deadline - time.monotonic()
        ended = worker.wait(min(STEP_SECONDS, max(left, 0.0)))
        if progress is not None:
            progress(worker.status())
        if ended or left <= 0:
            return ended


def end(worker: Worker) -> bool:
    """Stop in good order, at once when that takes too long. False: it still runs."""
    worker.stop()
    if worker.wait(worker.shutdown_timeout + STOP_EXTRA_SECONDS):
        return True
    worker.abort()
    return worker.wait(ABORT_SECONDS)


def check(summary: Summary) -> Summary:
    """The summary, unless a task failed: then its error, with the summary in it."""
    for task in summary["tasks"]:
        if task["error"] is not None:
            raise error_of_task(task["error"], summary)
    return summary


def run(
    worker_config: Config,
    *connector_configs: Config,
    until: Literal["end"] | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Run connectors in this process until all their tasks have ended.

    Sources end by themselves (`max.users`), sinks with `until="end"`: at the offsets
    that were the ends when they began. `timeout` in seconds: without `until` it is how
    long to run; with it, RetriableError is raised when the end is not reached. Either
    way, and when a signal handler raises (Ctrl-C), the tasks end in good order first:
    what was read is landed and committed, within `shutdown.timeout.ms`.

    Returns what was done. Raises ConfigError for wrong settings before anything is
    started, and FatalError or RetriableError, with `summary`, when a task failed.

        >>> penstock.run({"bootstrap.servers": "localhost:9092"},
        ...              "sink.properties", until="end")
    """
    began = time.monotonic()
    worker = Worker(worker_config, *connector_configs, until=until)
    try:
        worker.start()
        ended = follow(worker, timeout, progress)
        if not ended:
            end(worker)
        summary = summary_of(worker.status(), time.monotonic() - began)
    finally:
        worker.close()
    check(summary)
    if not ended and until is not None:
        raise RetriableError(
            f"the end was not reached within {timeout:g} s",
            code="timeout",
            retriable=True,
            summary=summary,
        )
    return summary

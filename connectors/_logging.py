"""The core's log lines in Python's `logging`: loggers `penstock.<module>`.

`emit` is called from C, in the thread that waits for the core, never from the core's own
threads. A record's `task` attribute is the task that the line is about, or None.
"""

from __future__ import annotations

import logging

TRACE = 5
logging.getLogger("penstock").addHandler(logging.NullHandler())


def emit(level: int, module: str, task: str | None, text: str) -> None:
    """Log one line of the core."""
    logger = logging.getLogger(f"penstock.{module}" if module else "penstock")
    if not logger.isEnabledFor(level):
        return
    if task:
        logger.log(level, "[%s] %s", task, text, extra={"task": task})
    else:
        logger.log(level, "%s", text, extra={"task": None})

"""The exceptions of Penstock; both extension modules raise these.

`error_of` is called from C: it is the one place where an error of the core becomes an
exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock._types import Summary, TaskError


class PenstockError(Exception):
    """Something went wrong in Penstock; `str()` says what, in one line.

    `code` names the kind ("timeout", "auth", "chain", …). `retriable`: the same call may
    succeed later with nothing changed. `unreachable`: Kafka or the store did not answer
    at the start. `summary` is what `penstock.run` had done when it failed, else None.
    """

    def __init__(
        self,
        text: str,
        *,
        code: str = "internal",
        retriable: bool = False,
        unreachable: bool = False,
        summary: Summary | None = None,
    ) -> None:
        """`text` is for people; the rest is for programs."""
        super().__init__(text)
        self.code = code
        self.retriable = retriable
        self.unreachable = unreachable
        self.summary = summary


class RetriableError(PenstockError):
    """It may succeed later with nothing changed: no broker, no answer, throttled."""


class FatalError(PenstockError):
    """It will fail again: wrong data, missing permission, a broken chain, wrong use."""


class ConfigError(PenstockError):
    """Settings are wrong; `errors` has a line for each, all of them at once."""

    def __init__(self, errors: str | Sequence[str]) -> None:
        """`errors`: what is wrong, one line per setting."""
        lines = [errors] if isinstance(errors, str) else list(errors)
        super().__init__("\n".join(lines), code="config")
        self.errors = lines


def error_of(code: str, text: str, retriable: bool, unreachable: bool) -> PenstockError:
    """The exception for an error of the core."""
    if code == "config":
        return ConfigError(text)
    kind = RetriableError if retriable else FatalError
    return kind(text, code=code, retriable=retriable, unreachable=unreachable)


def error_of_task(error: TaskError, summary: Summary) -> PenstockError:
    """The exception for a task that failed."""
    made = error_of(
        error["code"], error["text"], error["retriable"], error["unreachable"]
    )
    made.unreachable = error["unreachable"]
    made.summary = summary
    return made

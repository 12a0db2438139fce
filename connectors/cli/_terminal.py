"""What the command line shows: tables, colours and progress.

Results go to standard output, progress and complaints to standard error. Colours and
progress are for terminals only; NO_COLOR and TERM=dumb are honoured.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TextIO

from penstock._types import TaskStatus

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "cyan": "36"}


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """`text` in a style ("bold", "red", …) when the stream is a terminal."""
    out = stream or sys.stdout
    if not _is_terminal(out) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def complain(text: str) -> None:
    """An error, on standard error."""
    print(f"{paint('penstock:', 'red', sys.stderr)} {text}", file=sys.stderr)


def width(text: str) -> int:
    """How many columns a terminal needs for it."""
    wide = sum(1 for c in text if unicodedata.east_asian_width(c) in "WF")
    none = sum(1 for c in text if unicodedata.combining(c))
    return len(text) + wide - none


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns under their names; numbers at the right."""
    cells = [[f"{c:,}" if isinstance(c, int) else str(c) for c in row] for row in rows]
    numbers = [
        bool(cells) and all(row[i].replace(",", "").isdigit() for row in cells)
        for i in range(len(head))
    ]
    sizes = [max(width(row[i]) for row in [list(head), *cells]) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        padded = []
        for text, size, number in zip(row, sizes, numbers, strict=True):
            blanks = " " * (size - width(text))
            padded.append(blanks + text if number else text + blanks)
        return "  " + "  ".join(padded).rstrip()

    return "\n".join([paint(line(head), "dim"), *(line(row) for row in cells)])


def size_text(count: int) -> str:
    """Bytes for people: 1,234 B, 12.3 KiB."""
    size, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{count:,} B" if unit == "B" else f"{size:,.1f} {unit}"


class ProgressLine:
    """One line that is written over itself; nothing when it is no terminal."""

    def __init__(self, verb: str, quiet: bool = False) -> None:
        """`verb` says what is counted ("produced", "landed")."""
        self.verb = verb
        self._on = not quiet and _is_terminal(sys.stderr)
        self._shown = 0

    def __call__(self, tasks: list[TaskStatus]) -> None:
        """Show what the tasks say now."""
        if not self._on:
            return
        records = sum(task["records"] for task in tasks)
        objects = sum(task["objects"] for task in tasks)
        text = f"{self.verb} {records:,} records"
        if any(task["type"] == "sink" for task in tasks):
            text += f", {objects:,} objects"
        if all(task["state"] == "starting" for task in tasks):
            text = "starting"
        padded = text.ljust(self._shown)
        self._shown = len(text)
        print(f"\r{padded}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            print("\r" + " " * self._shown + "\r", end="", file=sys.stderr, flush=True)

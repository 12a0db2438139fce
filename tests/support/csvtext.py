"""Reads CSV as Spark writes it, keeping null (nothing) and empty (`""`) apart.

Python's csv module does neither: it unescapes backslashes outside quotes and cannot
tell a null from an empty field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Row = list[str | None]


def _field_pattern(sep: str, quote: str, escape: str) -> re.Pattern[str]:
    s, q, e = re.escape(sep), re.escape(quote), re.escape(escape)
    if quote == escape:
        quoted = f"{q}((?:[^{q}]|{q}{q})*){q}"
    else:
        quoted = f"{q}((?:[^{q}{e}]|{e}.)*){q}"
    bare = f"((?!{q})(?:(?!{s})[^\\n])*)"
    return re.compile(f"(?:{quoted}|{bare})({s}|\\n|\\Z)", re.DOTALL)


def _rows(text: str, sep: str, quote: str, escape: str) -> Iterator[Row]:
    pattern = _field_pattern(sep, quote, escape)
    escaped = re.compile(f"{re.escape(escape)}([{re.escape(quote + escape)}])")
    row: Row = []
    at = 0
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:
            raise ValueError(f"not CSV at character {at}: {text[at : at + 40]!r}")
        inner, bare, end = match.groups()
        row.append(escaped.sub(r"\1", inner) if inner is not None else bare or None)
        at = match.end()
        if end == sep:
            if at == len(text):
                row.append(None)
                yield row
            continue
        yield row
        row = []


def parse_csv(
    data: bytes | str,
    *,
    sep: str = ",",
    quote: str = '"',
    escape: str = "\\",
    header: bool = False,
) -> list[Row]:
    """The rows of a CSV text; a null is None, an empty string "".

    With `header` the first row is left out. Raises ValueError where it is not CSV, and
    UnicodeDecodeError where it is not UTF-8.
    """
    text = data.decode() if isinstance(data, bytes) else data
    rows = list(_rows(text, sep, quote, escape))
    return rows[1:] if header else rows

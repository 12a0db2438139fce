"""The cache outside the checkout where fetched services are kept.

An entry is a folder with a `.complete` marker: a JSON list of its files and sizes,
written last. An entry without a marker, or whose files do not match it, is broken
and made again. A lock file keeps two runs from making the same entry at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MARKER = ".complete"


def root() -> Path:
    """The cache's folder: $PENSTOCK_CACHE, else ~/.cache/penstock."""
    named = os.environ.get("PENSTOCK_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "penstock"


def _files(entry: Path) -> dict[str, int]:
    found = (path for path in entry.rglob("*") if path.is_file() and path.name != MARKER)
    return {str(path.relative_to(entry)): path.stat().st_size for path in found}


def is_complete(entry: Path) -> bool:
    """True when the marker is there and every file it lists has its size."""
    try:
        listed = json.loads((entry / MARKER).read_text())
    except (OSError, ValueError):
        return False
    have = _files(entry)
    return bool(listed) and all(have.get(name) == size for name, size in listed.items())


def mark_complete(entry: Path) -> None:
    """Write the marker for the files that are there now."""
    temporary = entry / (MARKER + ".new")
    listing = {n: s for n, s in _files(entry).items() if n != temporary.name}
    temporary.write_text(json.dumps(listing, indent=0, sort_keys=True))
    temporary.replace(entry / MARKER)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock `name`; waits for whoever has it, however long they take."""
    root().mkdir(parents=True, exist_ok=True)
    with (root() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of entry `name`, made by `make(folder)` when missing or broken."""
    entry = root() / name
    if is_complete(entry):
        return entry
    with locked(name):
        if not is_complete(entry):
            shutil.rmtree(entry, ignore_errors=True)
            entry.mkdir(parents=True)
            make(entry)
            mark_complete(entry)
    return entry

"""Who belongs to a service with many processes, whoever their parent is by now.

Each process that `process.py` starts leads a session, which its children stay in when
they lose their parent or found a process group: sessions make a family.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Member:
    """A process of proc(5). `born` tells two users of one pid apart."""

    pid: int
    parent: int
    session: int
    state: str
    born: int
    command: str


def member(pid: int) -> Member | None:
    """The process; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    command = b" ".join(words).decode(errors="replace").strip()
    state, parent, _, session = fields[:4]
    return Member(pid, int(parent), int(session), state, int(fields[19]), command)


def alive(known: Member) -> bool:
    """Is this process, and no later one with its pid, there and no zombie?"""
    now = member(known.pid)
    return now is not None and now.born == known.born and now.state not in "ZX"


def family(sessions: Collection[int]) -> dict[int, Member]:
    """All processes of some sessions, by pid; no zombies."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    found = [one for one in map(member, pids) if one is not None]
    return {
        one.pid: one for one in found if one.session in sessions and one.state not in "ZX"
    }


def orphans(members: dict[int, Member], parent: int) -> list[Member]:
    """Those whose parent is neither one of them nor `parent`."""
    return [one for one in members.values() if one.parent not in {*members, parent}]


def end(members: dict[int, Member], seconds: float = 5.0) -> None:
    """SIGKILL to each, by pid, and wait until they are gone."""
    for one in members.values():
        if alive(one):
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
    deadline = time.monotonic() + seconds
    while any(alive(one) for one in members.values()) and time.monotonic() < deadline:
        time.sleep(0.05)

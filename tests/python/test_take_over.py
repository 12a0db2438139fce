"""`penstock chain take-over`: what only a moment between its steps can show."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from penstock import _worker
from penstock._chain import Commit
from penstock.cli import _chain, _jobs

OLD, NEW = "connect-old", "connect-new"


class Facts:
    """Kafka's word: the old group commits 2 after it was first asked."""

    asked = 0
    members = 0
    cluster = "c"

    def __init__(self, args: argparse.Namespace, group: str, topic: str) -> None:
        """Counts who asks."""
        del args, topic
        self.group = group
        if group == OLD:
            Facts.asked += 1
            self.offset = 0 if Facts.asked == 1 else 2
        else:
            self.offset = 0

    def commit(self, partition: int) -> Commit:
        """The group's commit."""
        del partition
        return Commit(self.offset, f"{self.group} {self.offset}")


def test_offsets_are_read_once_the_owner_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A daemon of the old name that went on meanwhile has committed: that counts."""
    Facts.asked = 0
    done: list[tuple[str, Any]] = []
    marks: list[int] = []
    monkeypatch.setattr(_chain, "_Facts", Facts)
    monkeypatch.setattr(_chain, "_name", lambda store: "new")
    monkeypatch.setattr(_jobs, "worker_layers", lambda args: [])
    monkeypatch.setattr(
        _worker,
        "group_commit",
        lambda worker, group, topic, rows, timeout: done.append((group, rows)),
    )
    monkeypatch.setattr(
        _worker,
        "group_forget",
        lambda worker, group, topic, rows, timeout: done.append((group, None)),
    )
    monkeypatch.setattr(
        _chain._TakeOver, "_mark", lambda self, partition, folder: marks.append(partition)
    )
    args = argparse.Namespace(from_name="old", timeout=1.0)
    store: Any = None
    job = _chain._TakeOver(args, store, "t")
    job.do([(0, ["topics"])])
    assert marks == [0]
    assert done == [(NEW, [(0, 2, f"{OLD} 2")]), (OLD, None)]

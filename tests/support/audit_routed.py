"""Proves exactly once of a routed layout: manifests, their objects, each row's folder.

The chain's links are the manifests. Besides what the audit of one object a window checks,
each manifest's objects are all there, are the bytes that it names, and hold the rows of
the records that it lists, whose folders and name the layout demands; no record is listed
twice, and no data object lies in the store that no manifest lists.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.support.audit import Audit, Link, Report, crc32c
from tests.support.kafka_client import Record
from tests.support.stores import Folder, StoredObject, link_key, read_link

PathOf = Callable[[Record], re.Pattern[str]]
_MANIFEST = re.compile(r"\d{20}\.json")


def any_path(_: Record) -> re.Pattern[str]:
    """Any folders."""
    return re.compile(".*")


def offsets_of(text: str) -> Iterator[int]:
    """The offsets in a manifest's `offsets`: skip so many, take so many."""
    at = 0
    for run in text.split(","):
        skip, _, take = run.partition("*")
        at += int(skip)
        yield from range(at, at + int(take or 1))
        at += int(take or 1)


@dataclass
class RoutedAudit(Audit):
    """An audit of several objects a window.

    `path_of` gives what the folders of a record's object, percent-decoded, must match.
    """

    path_of: PathOf = any_path
    extension: str = ".csv"
    windows: int = field(default=0, init=False)

    def run(self) -> Report:
        """Check everything. The report counts data objects, not manifests."""
        self._data = {stored.key: stored for stored in self._data_objects()}
        self._objects = len(self._data)
        self._known: dict[int, dict[int, tuple[Record, str | None]]] = defaultdict(dict)
        for partition, pairs in self._expected().items():
            self._known[partition] = {pair[0].offset: pair for pair in pairs}
        report = super().run()
        return Report(report.records, self._objects, report.ends)

    def _chains(self) -> defaultdict[int, list[Link]]:
        chains: defaultdict[int, list[Link]] = defaultdict(list)
        for partition in self._known:
            below = self._meta_key(partition, "")
            for key in self.store.keys(below):
                if _MANIFEST.fullmatch(key.removeprefix(below)):
                    link = self._manifest(partition, self.store.get(key))
                    chains[partition].append(link)
                    self.windows += 1
        for stored in self._data.values():
            self.problems.append(f"{stored.key}: no manifest lists it")
            self.strays += self._ids(stored)
        return chains

    def _manifest(self, partition: int, stored: StoredObject) -> Link:
        """A manifest as a link: its objects' rows, in the order of their offsets."""
        body = json.loads(stored.body)
        meta = {
            name: str(value) for name, value in body.items() if name not in ("objects",)
        }
        start = int(stored.key.rpartition("/")[2][:20])
        if body["start"] != start:
            self.problems.append(f"{stored.key}: says that it starts at {body['start']}")
        rows: list[tuple[int, str]] = []
        for index, listed in enumerate(body.get("objects", [])):
            rows += self._listed(partition, body, index, listed)
        offsets = [offset for offset, _ in rows]
        if len(set(offsets)) != len(offsets):
            self.problems.append(f"{stored.key}: lists records twice")
        ids = [rid for _, rid in sorted(rows)]
        return Link(StoredObject(stored.key, stored.body, meta), partition, start, ids)

    def _listed(
        self, partition: int, manifest: dict[str, Any], index: int, listed: dict[str, Any]
    ) -> list[tuple[int, str]]:
        """The rows of an object, which must be there and be what its manifest says."""
        key, offsets = listed["key"], list(offsets_of(listed["offsets"]))
        stored = self._data.pop(key, None)
        if stored is None:
            self.problems.append(f"{key}: is not there, or listed twice")
            return []
        ids = self._ids(stored)
        if len(ids) != len(offsets) or len(ids) != listed["rows"]:
            self.problems.append(
                f"{key}: {len(ids)} rows, {len(offsets)} offsets, "
                f"{listed['rows']} by its manifest"
            )
        if f"{crc32c(stored.body):08x}" != listed["crc32c"] or (
            len(stored.body) != listed["size"]
        ):
            self.problems.append(f"{key}: not the bytes that its manifest names")
        for offset, rid in zip(offsets, ids, strict=False):
            record, want = self._known[partition].get(offset, (None, None))
            if record is None or rid != want:
                self.problems.append(f"{key}: {rid!r} is not the row of offset {offset}")
            else:
                self._check_path(key, partition, offsets[0], record)
        self._check_object_meta(stored, partition, manifest, index, len(ids))
        return list(zip(offsets, ids, strict=False))

    def _check_path(self, key: str, partition: int, first: int, record: Record) -> None:
        path, _, name = key.rpartition("/")
        prefix = f"{self.prefix}/{self.topic}/"
        right = f"{self.topic}+{partition}+{first:020d}{self.extension}"
        folders = unquote(path.removeprefix(prefix))
        if (
            name != right
            or not path.startswith(prefix)
            or not self.path_of(record).fullmatch(folders)
        ):
            self.problems.append(f"{key}: not the place of offset {record.offset}")

    def _check_object_meta(
        self,
        stored: StoredObject,
        partition: int,
        manifest: dict[str, Any],
        index: int,
        rows: int,
    ) -> None:
        meta = stored.meta
        if isinstance(self.store, Folder):
            name = f"data/{manifest['start']:020d}+{index:04d}"
            text = self.store.get(self._meta_key(partition, name)).body.decode()
            meta = read_link(text)
            if link_key(text) != stored.key:
                self.problems.append(f"{stored.key}: its link is of {link_key(text)}")
        same = ("batch", "start", "next", "topic", "partition", "group", "cluster")
        want = {name: str(manifest[name]) for name in same} | {"records": str(rows)}
        for name, value in want.items():
            if meta.get(name) != value:
                self.problems.append(
                    f"{stored.key}: {name} is {meta.get(name)!r}, not {value!r}"
                )

"""The chain of one topic-partition, read from outside: its root, links, seals, owners.

Names and rules are those of docs/exactly-once.md. Links are walked page by page, so a
chain may have millions of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from penstock._errors import FatalError
from penstock._worker import Store

SEALS_MAX = 1000
OWNERS_MAX = 1000
Json = dict[str, object]
_ROUTED = tuple(
    f"{name}Partitioner" for name in ("Field", "TimeBased", "Hourly", "Daily")
)
_LAYOUT = re.compile(
    rf"(.*)/(DefaultPartitioner|FlatPartitioner|{'|'.join(_ROUTED)})(\.[a-z0-9.]+)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Place:
    """Where objects lie and how they are named: what rule 10 calls a layout."""

    folder: str
    layout: str
    extension: str

    def __str__(self) -> str:
        return f"{self.folder}/{self.layout}{self.extension}"

    @property
    def routed(self) -> bool:
        """Is a window several objects, and its link a manifest?"""
        return self.layout in _ROUTED

    @classmethod
    def parse(cls, text: str) -> Place:
        """`topics/DefaultPartitioner.csv`. Raises FatalError for what is no layout."""
        match = _LAYOUT.fullmatch(text)
        if match is None:
            raise FatalError(f"{text!r} is no layout that is known", code="chain")
        return cls(*match.groups())


@dataclass(frozen=True)
class Link:
    """One listed object or manifest; `meta` is None when it was gone at a second look.

    `objects` are the keys that a manifest lists.
    """

    place: Place
    key: str
    start: int
    size: int
    meta: dict[str, str] | None
    objects: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """A word of its metadata, "" if there is none."""
        return (self.meta or {}).get(f"penstock-{name}", "")

    def number(self, name: str) -> int:
        """A number of its metadata, -1 if there is none."""
        text = self.text(name)
        return int(text) if re.fullmatch(r"\d{1,19}", text) else -1

    @property
    def next(self) -> int:
        """The first offset after it; -1 when it does not say."""
        return self.number("next")

    @property
    def seal(self) -> str:
        """The layout in which the chain goes on; "" for an object with rows."""
        return self.text("seal")

    @property
    def last(self) -> int:
        """The offset of its last record; -1 when it does not say."""
        match = re.fullmatch(r"(\d{1,19}):-?\d{1,19}:[0-9a-f]{8}", self.text("last"))
        return int(match[1]) if match else -1


def empty_size(extension: str) -> int:
    """How large an object without rows is: a seal. Any with rows is larger."""
    return {".gz": 20, ".zst": 13}.get(extension[extension.rfind(".") :], 0)


def slashed(folder: str) -> str:
    """A folder as the beginning of a key."""
    return f"{folder}/" if folder else ""


@dataclass
class Chain:
    """The chain of `topic`-`partition`, found from the settings' layout."""

    store: Store
    topic: str
    partition: int
    place: Place
    folders: list[str] = field(default_factory=list)
    """The folders that a walk has come through."""
    _first: dict[str, object] = field(default_factory=dict)

    def _file(self, folder: str, name: str) -> str:
        return self.topic_key(folder, f"{self.partition}/{name}")

    def topic_key(self, folder: str, name: str) -> str:
        """The key of what is kept for the topic, below _penstock/."""
        return f"{slashed(folder)}_penstock/{self.topic}/{name}"

    def read_json(self, key: str) -> Json | None:
        """A small object below _penstock/. Raises FatalError for one that is no JSON."""
        body = self.store.get(key)
        if body is None:
            return None
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise FatalError(
                f"{key} is not the JSON object that Penstock wrote: something else "
                "writes below _penstock/; restore it",
                code="chain",
            )
        return document

    def root(self, folder: str | None = None) -> Json | None:
        """The root of the chains in a folder (default: the settings')."""
        where = self.place.folder if folder is None else folder
        return self.read_json(self._file(where, "root.json"))

    def owners(self, folder: str) -> list[Json]:
        """Who the chain was handed to, in order (take-over)."""
        found: list[Json] = []
        for number in range(1, OWNERS_MAX + 1):
            owner = self.read_json(self._file(folder, f"owner+{number}.json"))
            if owner is None:
                break
            found.append(owner)
        return found

    def owner_key(self, folder: str, number: int) -> str:
        """The key of the owner with this number."""
        return self._file(folder, f"owner+{number}.json")

    def origin(self) -> tuple[Place, int] | None:
        """The layout in which the chain began, and its first offset; None: no chain."""
        folder = self.place.folder
        seen: set[str] = set()
        while folder not in seen and len(seen) < SEALS_MAX:
            seen.add(folder)
            root = self.root(folder)
            if root is None:
                break
            place = Place.parse(f"{folder}/{root.get('layout')}")
            start = root.get("start")
            if not isinstance(start, int) or start < 0:
                raise FatalError(
                    f"the root of {self.topic}-{self.partition} below "
                    f"topics.dir={folder} "
                    "has no valid start",
                    code="chain",
                )
            if "from" not in root:
                return place, start
            folder = Place.parse(str(root["from"])).folder
        if len(seen) == 1:
            return None
        raise FatalError(
            f"the chain of {self.topic}-{self.partition} came from topics.dir={folder}, "
            "which has no root any more: restore it",
            code="chain",
        )

    # ---- names ----

    def data_prefix(self, place: Place) -> str:
        """What all data keys of a layout begin with."""
        name = f"{self.topic}+{self.partition}+"
        inner = "" if place.layout.startswith("Flat") else f"partition={self.partition}/"
        if inner:
            inner = f"{self.topic}/{inner}"
        return f"{slashed(place.folder)}{inner}{name}"

    def link_prefix(self, place: Place) -> str:
        """The same of its link files, which a directory store has."""
        if place.folder not in self._first:
            self._first[place.folder] = (self.root(place.folder) or {}).get("layout")
        first = self._first[place.folder] == f"{place.layout}{place.extension}"
        inner = "" if first else f"{place.layout}{place.extension}/"
        return self._file(place.folder, inner)

    def _page(
        self, place: Place, prefix: str, after: str | None
    ) -> tuple[list[tuple[int, int, str]], str | None]:
        """The next (start, size, listed key), and where to go on; None at the end."""
        listed = self.store.list(f"{prefix}0", after)
        end = "" if self.store.links else f"(-\\d{{20}})?{re.escape(place.extension)}"
        if place.routed:
            end = r"(-\d{20}-[0-9a-f]{8})?\.json"
        shape = re.compile(re.escape(prefix) + r"(\d{20})" + end)
        found = []
        for key, size in listed:
            match = shape.fullmatch(key)
            if match:
                found.append((int(match[1]), size, key))
        return found, listed[-1][0] if listed else None

    def _look_at_manifest(self, place: Place, start: int, key: str) -> Link:
        manifest = self.read_json(key)
        if manifest is None:
            return Link(place, key, start, 0, None)
        listed = manifest.get("objects")
        found = listed if isinstance(listed, list) else []
        objects = [o for o in found if isinstance(o, dict)]
        sizes = (o.get("size") for o in objects)
        size = sum(n for n in sizes if isinstance(n, int))
        meta = {
            f"penstock-{name}": str(value)
            for name, value in manifest.items()
            if isinstance(value, str | int)
        }
        keys = tuple(str(o.get("key")) for o in objects)
        return Link(place, key, start, max(size, empty_size(place.extension)), meta, keys)

    def _look(self, place: Place, start: int, size: int, key: str) -> Link:
        link = None
        if place.routed:
            return self._look_at_manifest(place, start, key)
        if self.store.links:
            link, key = key, f"{self.data_prefix(place)}{start:020d}{place.extension}"
        info = self.store.head(key, link)
        if info is None:
            return Link(place, key, start, size, None)
        return Link(place, key, start, info[0], info[1])

    def _in_place(self, place: Place, start: int, look_from: int) -> Iterator[Link]:
        """The links in one layout from `start` on; those below `look_from` seals only."""
        links = self.store.links or place.routed
        prefix = self.link_prefix(place) if links else self.data_prefix(place)
        after: str | None = f"{prefix}{start - 1:020d}~" if start else None
        empty = empty_size(place.extension)
        while True:
            found, after = self._page(place, prefix, after)
            for at, size, key in found:
                if at >= look_from or size <= empty or links:
                    link = self._look(place, at, size, key)
                    if at >= look_from or link.seal:
                        yield link
            if after is None:
                return

    def walk(self, look_from: int = 0) -> Iterator[Link]:
        """The links in order, through seals. Below `look_from` only seals are told."""
        begin = self.origin()
        if begin is None:
            return
        place, start = begin
        for _ in range(SEALS_MAX):
            if place.folder not in self.folders:
                self.folders.append(place.folder)
            seal = None
            for link in self._in_place(place, start, look_from):
                yield link
                if link.seal and link.next == link.start:
                    seal = link
                    break
            if seal is None:
                return
            place, start = Place.parse(seal.seal), seal.start
        raise FatalError(
            f"the seals of {self.topic}-{self.partition} do not come to an end",
            code="chain",
        )


@dataclass(frozen=True)
class Commit:
    """A group's commit of one partition; `offset` -1: none."""

    offset: int
    metadata: str

    def _word(self, name: str) -> str:
        if not self.metadata.startswith("penstock/1 "):
            return ""
        match = re.search(rf" {name}=(\S*)", self.metadata)
        return match[1] if match else ""

    @property
    def position(self) -> int:
        """Where the chain ended when it was made; -1: not one of ours."""
        text = self._word("pos")
        return int(text) if re.fullmatch(r"\d{1,19}", text) else -1

    @property
    def layout(self) -> str:
        """The layout it names; "" for none."""
        return re.sub(
            "%([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), self._word("layout")
        )

    def __str__(self) -> str:
        if self.offset < 0:
            return "no commit"
        where = f"chain at {self.position}" if self.position >= 0 else "not Penstock's"
        return f"commit {self.offset} ({where})"

"""Is a chain sound? What `penstock chain verify` looks for, a line for each problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from penstock._chain import Chain, Commit, Link, Place, empty_size

NO_END = 1 << 63
_MOVE = "it was copied, renamed or written by another program; move it away"
_RESTORE = "restore the object with its metadata"


@dataclass(frozen=True)
class Log:
    """What Kafka says of the partition and of the connector's group."""

    cluster: str
    group: str
    low: int
    end: int
    commit: Commit
    ask_end: Callable[[], int]
    """The log's end now: both grow while a chain is walked."""


@dataclass
class Checked:
    """The outcome: sound if there are no problems; notes explain what may look odd."""

    topic: str
    partition: int
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    links: int = 0
    seals: int = 0
    rows: int = 0
    size: int = 0
    without_rows: int = 0
    start: int = -1
    end: int = -1


class _Check:
    """One chain's check; links pass by one at a time."""

    def __init__(self, chain: Chain, log: Log) -> None:
        self.chain, self.log = chain, log
        self.done = Checked(chain.topic, chain.partition)
        self.groups: set[str] = {log.group}
        self.position_met = False
        self.ranges: dict[Place, list[list[int]]] = {}
        self.current: Place | None = None

    def problem(self, text: str) -> None:
        self.done.problems.append(text)

    # ---- root and owners ----

    def _check_root(self, folder: str) -> None:
        root = self.chain.root(folder)
        if root is None:
            self.problem(f"topics.dir={folder} has no root any more: restore root.json")
            return
        owners = self.chain.owners(folder)
        group = str((owners[-1] if owners else root).get("group"))
        self.groups.add(str(root.get("group")))
        for owner in owners:
            former = owner.get("former")
            self.groups.update(former if isinstance(former, list) else ())
        if group != self.log.group:
            self.problem(
                f"below topics.dir={folder} it belongs to group {group}, the settings' "
                f"is {self.log.group}: give the owner's name, or hand it over by "
                "`penstock chain take-over`"
            )
            self.groups.add(group)
        if root.get("cluster") != self.log.cluster:
            self.problem(
                f"below topics.dir={folder} it was written from Kafka cluster "
                f"{root.get('cluster')}, this is {self.log.cluster}: bootstrap.servers "
                "names another one, or the broker was wiped"
            )

    # ---- links ----

    def _owner_of(self, link: Link) -> str | None:
        """What is wrong with who wrote it."""
        if link.meta is None:
            return f"{link.key} was listed and is gone: run verify again"
        if not link.text("group"):
            return f"{link.key} has no metadata: {_MOVE}"
        place = f"{link.text('topic')}-{link.text('partition')}"
        if place != f"{self.chain.topic}-{self.chain.partition}":
            return f"{link.key} holds {place} by its metadata: {_MOVE}"
        if link.text("group") not in self.groups:
            return f"{link.key} was written by group {link.text('group')}: {_MOVE}"
        if link.text("cluster") != self.log.cluster:
            return f"{link.key} was written from cluster {link.text('cluster')}: {_MOVE}"
        return None

    @staticmethod
    def _shape_of(link: Link) -> str | None:
        """What is wrong with what it says of itself."""
        span, rows, seal = link.next - link.start, link.number("records"), link.seal
        if link.next < 0 or rows < 0:
            return (
                f"{link.key} has unusable metadata (next={link.text('next')!r}, records="
                f"{link.text('records')!r}): {_RESTORE}"
            )
        if span < 0 or (span == 0) != bool(seal):
            return (
                f"{link.key} starts at {link.start}, its next is {link.next}: {_RESTORE}"
            )
        if rows > span:
            return f"{link.key} says {rows} rows of {span} offsets: {_RESTORE}"
        if not seal and not link.start <= link.last < link.next:
            return (
                f"{link.key} names {link.text('last')!r} as its last record, which is "
                f"not in [{link.start}, {link.next}): {_RESTORE}"
            )
        if (link.size <= empty_size(link.place.extension)) != (rows == 0):
            return f"{link.key} says {rows} rows and has {link.size} bytes: restore it"
        return None

    def _join(self, link: Link, want: int) -> None:
        """Does it start where the one before it ended?"""
        if link.start == want:
            return
        if link.start < want:
            self.problem(
                f"{link.key} starts at {link.start}, inside what ends at {want}: records "
                f"{link.start} to {want - 1} are there twice; {_MOVE}"
            )
        elif self.done.links == 0:
            self.done.notes.append(
                f"offsets {want} to {link.start - 1} are no longer here (moved away)"
            )
            position = self.log.commit.position
            self.position_met |= want <= position < link.start
        else:
            self.problem(
                f"offsets {want} to {link.start - 1} are missing before {link.key}: an "
                "object was deleted or moved; restore it"
            )

    def _visit(self, link: Link) -> None:
        ranges = self.ranges.setdefault(link.place, [])
        if ranges and self.current == link.place:
            ranges[-1][1] = link.start
        else:
            ranges.append([link.start, link.start])
        self.current = link.place

    def _take(self, link: Link, want: int) -> int:
        """Checks one link; where the next one is to start."""
        self._join(link, want)
        self._visit(link)
        wrong = self._owner_of(link) or self._shape_of(link)
        self.position_met |= link.start == self.log.commit.position
        if wrong is not None:
            self.problem(wrong)
            self.done.links += 1
            return max(want, link.next, link.start)
        if link.seal:
            self.done.seals += 1
        else:
            self.done.links += 1
            self.done.rows += link.number("records")
            self.done.size += link.size
            self.done.without_rows += link.next - link.start - link.number("records")
        return max(want, link.next)

    def _check_whole(self, link: Link | None) -> None:
        """Only a chain's newest manifest may be unfinished."""
        if link is None or not link.objects:
            return
        missing = [key for key in link.objects if self.chain.store.head(key) is None]
        if missing:
            self.done.notes.append(
                f"{len(missing)} of {len(link.objects)} objects of {link.key} are not "
                f"there (unfinished, or moved away): {missing[0]}"
            )

    # ---- what does not belong there ----

    def _strangers(self) -> Iterator[str]:
        folders = {(place.folder, place.layout) for place in self.ranges}
        for folder, layout in sorted(folders):
            if Place(folder, layout, "").routed:
                continue  # their folders are the records' values
            places = {
                place.extension: ranges
                for place, ranges in self.ranges.items()
                if (place.folder, place.layout) == (folder, layout)
            }
            prefix = self.chain.data_prefix(Place(folder, layout, ""))
            inner = (
                prefix if layout.startswith("Flat") else prefix.rpartition("/")[0] + "/"
            )
            shape = re.compile(re.escape(prefix) + r"(\d{20})(?:-\d{20})?(\..*)")
            after: str | None = None
            while page := self.chain.store.list(inner, after):
                for key, _ in page:
                    if not self._is_known(shape.fullmatch(key), places):
                        yield key
                after = page[-1][0]

    def _is_known(
        self, match: re.Match[str] | None, places: dict[str, list[list[int]]]
    ) -> bool:
        if match is None or match[2] not in places:
            return False
        start = int(match[1])
        if not any(low <= start <= high for low, high in places[match[2]]):
            return False
        if not self.chain.store.links:
            return True
        # In a folder the link files are the chain: is there one for this file?
        folder_layout = [p for p in self.ranges if p.extension == match[2]]
        return any(
            self.chain.store.get(f"{self.chain.link_prefix(place)}{start:020d}")
            is not None
            for place in folder_layout
        )

    # ---- Kafka ----

    def _check_commit(self, end: int, place: Place) -> None:
        commit, log = self.log.commit, self.log
        if commit.offset < 0:
            self.done.notes.append(f"group {log.group} has no commit: a slower start")
            return
        if commit.position < 0:
            if commit.offset < end:
                self.problem(
                    f"group {log.group} was set to {commit.offset} by a tool, objects "
                    f"go up to {end}: reset it to {end} or later"
                )
            return
        if commit.position > end:
            self.problem(
                f"the group's commit says that the chain ended at {commit.position}, it "
                f"ends at {end}: the newest objects are missing; restore them"
            )
        elif commit.position != end and not self.position_met:
            self.problem(
                f"the group's commit says that the chain ended at {commit.position}, "
                "which is inside an object: objects were deleted and made anew, or the "
                "commit is another chain's"
            )
        elif commit.position == end and commit.layout not in ("", str(place)):
            self.problem(
                f"the group's commit says that the chain is in {commit.layout}, it ends "
                f"in {place}: the objects there are missing"
            )
        if commit.offset < commit.position:
            self.problem(
                f"the group's commit {commit.offset} is below the position "
                f"{commit.position} "
                "that it names: it was copied from another cluster"
            )

    def _check_log(self, chain_end: int) -> None:
        log = self.log
        known = max(chain_end, log.commit.offset)
        end = log.end if known <= log.end else log.ask_end()
        if known > end:
            self.problem(
                f"the chain or its commit goes up to {known}, the topic ends at {end}: "
                "the topic was made anew, or its records were lost; use another "
                "topics.dir and delete the group's offsets"
            )
        if known < log.low:
            self.problem(
                f"offsets {known} to {log.low - 1} expired before they were read: set "
                "failOnDataLoss=false to go on without them"
            )

    def run(self) -> Checked:
        """The whole check."""
        begin = self.chain.origin()
        if begin is None:
            self._without_root()
            return self.done
        place, want = begin
        self.done.start = want
        folder = ""
        newest: Link | None = None
        for link in self.chain.walk():
            if not self.ranges or folder != link.place.folder:
                folder = link.place.folder
                self._check_root(folder)
            want = self._take(link, want)
            newest = link
            place = Place.parse(link.seal) if link.seal else link.place
        if not self.ranges:
            self._check_root(place.folder)
            self.ranges[place] = [[want, want]]
        self.ranges.setdefault(place, []).append([want, NO_END])  # landed meanwhile
        self.done.end = want
        self._check_whole(newest)
        for key in self._strangers():
            self.problem(f"{key} is not part of the chain: {_MOVE}")
        self._check_commit(want, place)
        self._check_log(want)
        return self.done

    def _without_root(self) -> None:
        place = self.chain.place
        prefix = self.chain.data_prefix(place)
        if place.routed:
            prefix = self.chain.link_prefix(place)
        stray = self.chain.store.list(f"{prefix}0", limit=1)
        if stray:
            self.problem(
                f"{stray[0][0]} is there, but the chain has no root in topics.dir="
                f"{self.chain.place.folder}: restore its root.json"
            )
        elif self.log.commit.position >= 0:
            self.problem(
                f"group {self.log.group} has {self.log.commit} in "
                f"{self.log.commit.layout}, but there is no chain below topics.dir="
                f"{self.chain.place.folder}"
            )
        else:
            self.done.notes.append("no chain yet")


def check_chain(chain: Chain, log: Log) -> Checked:
    """Check a chain against the store's and Kafka's facts."""
    return _Check(chain, log).run()

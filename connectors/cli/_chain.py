"""`penstock chain show | verify | take-over`: a chain printed, checked, handed on."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from penstock import _worker
from penstock._chain import Chain, Commit, Json, Link, Place
from penstock._chain_check import Checked, Log, check_chain
from penstock._errors import ConfigError, FatalError, PenstockError
from penstock.cli import _commands, _jobs
from penstock.cli._terminal import complain, paint, size_text

DONE, FAILED = _commands.DONE, _commands.FAILED
_PARTITIONS_MAX = 100_000


class _Facts:
    """Kafka's word on one topic and group."""

    def __init__(self, args: argparse.Namespace, group: str, topic: str) -> None:
        self._ask = (_jobs.worker_layers(args), group, topic, args.timeout)
        self.group = group
        self.cluster, self.members, rows = _worker.group_facts(*self._ask)
        self.rows = {row[0]: row for row in rows}

    def commit(self, partition: int) -> Commit:
        row = self.rows[partition]
        return Commit(row[3], row[4])

    def log(self, partition: int) -> Log:
        _, low, end, _, _ = self.rows[partition]

        def ask_end() -> int:
            rows = _worker.group_facts(*self._ask)[2]
            return next(row[2] for row in rows if row[0] == partition)

        return Log(self.cluster, self.group, low, end, self.commit(partition), ask_end)


@contextmanager
def _opened(args: argparse.Namespace) -> Iterator[_worker.Store]:
    """The store of the options. What shapes rows does not matter here."""
    flags: dict[str, Any] = {
        "name": args.name,
        "topics": args.topics,
        "store.url": _commands.store_url(args),
        "s3.bucket.name": args.bucket,
        "s3.region": args.region,
        "topics.dir": args.prefix,
    }
    base: dict[str, Any] = {}
    if not args.config:
        base = {"name": "-", "topics": "-", "value.schema": "x STRING"}
        base = {key: value for key, value in base.items() if flags.get(key) is None}
    store = _worker.Store([base, *_jobs.connector_layers(args, "S3CsvSink", flags)])
    try:
        yield store
    finally:
        store.close()


def _topics(args: argparse.Namespace, store: _worker.Store) -> list[str]:
    topics = store.settings["topics"]
    if not topics or topics == ["-"]:
        raise ConfigError("topics: name the topics whose chains are meant: --topics T,…")
    return topics


def _name(store: _worker.Store) -> str:
    name = store.settings["name"]
    if name == "-":
        raise ConfigError("name: whose chain is it? The connector's: --name or --config")
    return name


def _chain(store: _worker.Store, topic: str, partition: int) -> Chain:
    known = store.settings
    place = Place(known["topics_dir"], known["layout"], known["extension"])
    return Chain(store, topic, partition, place)


def _wanted(args: argparse.Namespace, partitions: list[int]) -> list[int]:
    """The partitions that --partition names, or all."""
    if not args.partition:
        return partitions
    missing = sorted(set(args.partition) - set(partitions))
    if missing:
        raise ConfigError(f"--partition {missing[0]}: there is no such partition")
    return sorted(set(args.partition))


# ---- show ----


def _found_partitions(chain: Chain) -> list[int]:
    """Those that have a root, without Kafka."""
    document = chain.read_json(chain.topic_key(chain.place.folder, "partitions.json"))
    known = (document or {}).get("partitions")
    count = known if isinstance(known, int) else 0
    found = []
    for number in range(_PARTITIONS_MAX):
        there = _chain(chain.store, chain.topic, number).root() is not None
        if not there and number >= count:
            break
        if there:
            found.append(number)
    return found


class _Printer:
    """A chain as text, or as a line of JSON a link."""

    def __init__(self, chain: Chain, as_json: bool) -> None:
        self.as_json = as_json
        self.base = {"topic": chain.topic, "partition": chain.partition}
        self.name = f"{chain.topic}-{chain.partition}"

    def say(self, kind: str, facts: Json, text: str) -> None:
        if self.as_json:
            _commands.print_json({"type": kind, **self.base, **facts})
        else:
            print(text)

    def root(self, place: Place, start: int, chain: Chain) -> None:
        root = chain.root(place.folder) or {}
        owners = [str(owner.get("group")) for owner in chain.owners(chain.place.folder)]
        facts: Json = {
            "start": start,
            "layout": str(place),
            "group": root.get("group"),
            "cluster": root.get("cluster"),
            "owners": owners,
        }
        handed = "".join(f", handed to {owner}" for owner in owners)
        title = paint(self.name, "bold")
        self.say(
            "root",
            facts,
            f"{title}  begins at {start:,} in {place} (group "
            f"{root.get('group')}{handed})\n"
            f"  {'start':>14} {'next':>14} {'rows':>10} {'size':>11}  object",
        )

    def link(self, link: Link) -> None:
        facts: Json = {
            "start": link.start,
            "next": link.next,
            "records": link.number("records"),
            "bytes": link.size,
            "key": link.key,
            "last": link.last,
        }
        line = f"  {link.start:>14,} {link.next:>14,} "
        if link.seal:
            facts["seal"] = link.seal
            line += f"{'sealed':>10} {'':>11}  {link.key} → {link.seal}"
        else:
            line += (
                f"{link.number('records'):>10,} {size_text(link.size):>11}  {link.key}"
            )
        self.say("seal" if link.seal else "link", facts, line)

    def end(self, end: int, links: int, facts: _Facts | None, partition: int) -> None:
        told: Json = {"end": end, "links": links}
        line = f"  ends at {end:,} after {links:,} links"
        if facts is not None and partition in facts.rows:
            commit = facts.commit(partition)
            _, low, log_end, _, _ = facts.rows[partition]
            told |= {
                "committed": commit.offset if commit.offset >= 0 else None,
                "position": commit.position if commit.position >= 0 else None,
                "log": [low, log_end],
            }
            line += f"; {commit}; the log is [{low:,}, {log_end:,})"
        self.say("end", told, line)


def _show(chain: Chain, args: argparse.Namespace, facts: _Facts | None) -> None:
    out = _Printer(chain, args.json)
    begin = chain.origin()
    if begin is None:
        out.say("none", {}, f"{out.name}  no chain below topics.dir={chain.place.folder}")
        return
    place, end = begin
    out.root(place, end, chain)
    shown = 0
    for link in chain.walk(args.start):
        if args.limit and shown == args.limit:
            out.say("more", {"from": link.start}, f"  … more: --from {link.start}")
            return
        out.link(link)
        shown += 1
        end = max(end, link.next)
    out.end(end, shown, facts, chain.partition)


def show(args: argparse.Namespace) -> int:
    """`penstock chain show`."""
    with _opened(args) as store:
        for topic in _topics(args, store):
            facts = None
            if args.bootstrap_servers or args.worker:
                facts = _Facts(args, f"connect-{_name(store)}", topic)
            found = _found_partitions(_chain(store, topic, 0))
            if not found:
                complain(f"{topic}: no chain below topics.dir={args.prefix or 'topics'}")
                return FAILED
            for partition in _wanted(args, found):
                _show(_chain(store, topic, partition), args, facts)
    return DONE


# ---- verify ----


def _tell(done: Checked, as_json: bool) -> None:
    name = f"{done.topic}-{done.partition}"
    if as_json:
        _commands.print_json({"sound": not done.problems, **asdict(done)})
        return
    for problem in done.problems:
        print(f"{paint(name, 'bold')}: {paint('not sound', 'red')}: {problem}")
    if not done.problems:
        print(
            f"{paint(name, 'bold')}: {paint('sound', 'green')}: {done.links:,} objects, "
            f"{done.seals:,} seals, {done.rows:,} rows, {size_text(done.size)}, offsets "
            f"{max(done.start, 0):,} to {max(done.end, 0):,}, {done.without_rows:,} of "
            "them without a row"
        )
    for note in done.notes:
        print(f"  {note}")


def _verify_one(chain: Chain, facts: _Facts) -> Checked:
    try:
        return check_chain(chain, facts.log(chain.partition))
    except FatalError as error:
        if error.code != "chain":
            raise
        return Checked(chain.topic, chain.partition, [str(error)])


def verify(args: argparse.Namespace) -> int:
    """`penstock chain verify`."""
    bad = rows = links = count = 0
    with _opened(args) as store:
        group = f"connect-{_name(store)}"
        for topic in _topics(args, store):
            facts = _Facts(args, group, topic)
            for partition in _wanted(args, sorted(facts.rows)):
                done = _verify_one(_chain(store, topic, partition), facts)
                _tell(done, args.json)
                bad += len(done.problems)
                rows, links, count = rows + done.rows, links + done.links, count + 1
    if not args.json:
        told = f"{count:,} chains, {links:,} objects, {rows:,} rows"
        print(f"sound: {told}" if not bad else f"not sound: {bad:,} problems in {told}")
    return FAILED if bad else DONE


# ---- take-over ----


class _TakeOver:
    """The chains of a topic, from the group `old` to the group `new`."""

    def __init__(
        self, args: argparse.Namespace, store: _worker.Store, topic: str
    ) -> None:
        self.store, self.topic = store, topic
        self.args, self.worker = args, _jobs.worker_layers(args)
        self.old, self.new = f"connect-{args.from_name}", f"connect-{_name(store)}"
        if self.old == self.new:
            raise ConfigError(f"--from-name {args.from_name}: that is its name now")
        self.look()

    def look(self) -> None:
        """Ask Kafka, and refuse while somebody is at work."""
        self.before = _Facts(self.args, self.old, self.topic)
        self.after = _Facts(self.args, self.new, self.topic)
        for facts in (self.before, self.after):
            if facts.members:
                self.refuse(
                    f"group {facts.group} has {facts.members} members: stop the "
                    "connector's daemons, wait for session.timeout.ms, and try again"
                )

    def refuse(self, why: str) -> None:
        raise FatalError(f"{self.topic}: {why}", code="chain")

    def plan(self) -> list[tuple[int, list[str]]]:
        """The partitions that have a chain, and the folders it lies in."""
        found = []
        for partition in sorted(self.before.rows):
            chain = _chain(self.store, self.topic, partition)
            begin = chain.origin()
            if begin is None:
                continue
            for _ in chain.walk(1 << 62):
                pass
            folders = chain.folders or [begin[0].folder]
            if chain.place.folder not in folders:
                folders.append(chain.place.folder)
            for folder in folders:
                self._check_owner(chain, folder)
            self._check_commit(partition, chain, folders[-1])
            found.append((partition, folders))
        if not found:
            self.refuse("there is no chain to take over: look at topics.dir")
        return found

    def _owner(self, chain: Chain, folder: str) -> str:
        owners = chain.owners(folder)
        root = (owners or [chain.root(folder) or {}])[-1]
        return str(root.get("group"))

    def _check_owner(self, chain: Chain, folder: str) -> None:
        owner = self._owner(chain, folder)
        if owner not in (self.old, self.new):
            self.refuse(
                f"partition {chain.partition} below topics.dir={folder} belongs to group "
                f"{owner}, not to {self.old}: name its owner by --from-name"
            )

    def _check_commit(self, partition: int, chain: Chain, folder: str) -> None:
        ours = self.after.commit(partition)
        if ours.offset < 0 or self._owner(chain, folder) == self.new:
            return
        if ours != self.before.commit(partition):
            self.refuse(
                f"group {self.new} has an offset of its own for partition {partition} "
                f"({ours.offset}): delete the group's offsets, or choose another name"
            )

    def _mark(self, partition: int, folder: str) -> None:
        chain = _chain(self.store, self.topic, partition)
        owners = chain.owners(folder)
        if self._owner(chain, folder) == self.new:
            return
        former = [str((chain.root(folder) or {}).get("group"))]
        former += [str(owner.get("group")) for owner in owners]
        owner: Json = {
            "group": self.new,
            "former": sorted({*former, self.old}),
            "cluster": self.before.cluster,
            "topic": self.topic,
            "partition": partition,
            "version": 1,
        }
        key = chain.owner_key(folder, len(owners) + 1)
        text = json.dumps(owner, sort_keys=True, separators=(",", ":"))
        if not self.store.create(key, text.encode()):
            self.refuse(f"{key} was created by somebody else a moment ago: look again")

    def do(self, plan: list[tuple[int, list[str]]]) -> None:
        """Owner first, then the new group's offsets, then away with the old one's."""
        for partition, folders in plan:
            for folder in reversed(folders):
                self._mark(partition, folder)
        self.look()  # who asked before the owner was written is gone: these are its last
        rows = [
            (partition, commit.offset, commit.metadata)
            for partition, _ in plan
            for commit in (self.before.commit(partition),)
            if commit.offset > self.after.commit(partition).offset
        ]
        if rows:
            _worker.group_commit(
                self.worker, self.new, self.topic, rows, self.args.timeout
            )
        try:
            gone = [(partition, 0, "") for partition, _ in plan]
            _worker.group_forget(
                self.worker, self.old, self.topic, gone, self.args.timeout
            )
        except PenstockError as error:
            self.refuse(
                f"handed over, but the offsets of {self.old} are still there "
                f"({error}): stop the old connector's daemons and run take-over again "
                f"before {self.new} runs"
            )


def take_over(args: argparse.Namespace) -> int:
    """`penstock chain take-over`."""
    with _opened(args) as store:
        if args.yes and not store.probe():
            complain(
                "the store does not create conditionally: nothing can be handed over"
            )
            return FAILED
        jobs = [_TakeOver(args, store, topic) for topic in _topics(args, store)]
        plans = [job.plan() for job in jobs]
        for job, plan in zip(jobs, plans, strict=True):
            if args.yes:
                job.look()
                job.do(plan)
            numbers = ", ".join(str(partition) for partition, _ in plan)
            told = {
                "topic": job.topic,
                "partitions": [partition for partition, _ in plan],
                "from": job.old,
                "to": job.new,
                "done": args.yes,
            }
            if args.json:
                _commands.print_json(told)
            else:
                verb = "handed" if args.yes else "would hand"
                print(
                    f"{job.topic}: {verb} the chains of partitions {numbers} from "
                    f"{job.old} to {job.new}, with their offsets"
                )
    if not args.yes and not args.json:
        print("Nothing was changed: --yes does it. The old name cannot go on after that.")
    return DONE

"""Safety rule 10, end to end: a chain goes on in another layout after a seal.

topics.dir and partitioner.class change between runs, under a running daemon with the old
settings, and between kills; the audit reads all places as one chain.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import (
    FAST_GROUP,
    PATIENCE,
    data_keys,
    fill,
    group_of,
    load,
    sink,
    snapshot,
    until,
    wait_committed,
)
from tests.services.minio import Minio
from tests.support import Daemon, Folder, KafkaClient, Record, audit
from tests.support.stores import Store

Sink = Callable[..., dict[str, Any]]
PARTITIONS = 3
DEFAULT, FLAT = "DefaultPartitioner", "FlatPartitioner"


@pytest.fixture(params=["s3", "directory"])
def place(
    request: pytest.FixtureRequest, buckets: BucketFactory, minio: Minio, tmp_path: Path
) -> Iterator[tuple[Store, str, str | None]]:
    """A store, its URL and its bucket."""
    if request.param == "directory":
        folder = tmp_path / "store"
        yield Folder(folder), folder.as_uri(), None
    else:
        bucket = buckets()
        yield bucket, minio.endpoint, bucket.name


def failed(daemon: Daemon) -> str:
    """It stops with status 1; the one line that says why."""
    assert daemon.wait(PATIENCE) == 1, daemon.log
    (line,) = [text for text in daemon.log.splitlines() if "task: failed" in text]
    return line


def seals(store: Store) -> list[str]:
    """What the seals in a store name; it may be written to meanwhile."""
    found = []
    for key in data_keys(store):
        try:
            found += [text for text in (store.get(key).meta.get("seal"),) if text]
        except KeyError:  # a temporary file
            continue
    return found


def test_layouts_change_and_change_back(
    place: tuple[Store, str, str | None],
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
) -> None:
    store, url, bucket = place
    topic = topics(PARTITIONS)
    records: list[Record] = []

    def run(folder: str, partitioner: str, source: str | None = None) -> Daemon:
        config = sink(
            topic, url, bucket, topics__dir=folder, partitioner__class=partitioner
        )
        config |= {} if source is None else {"chain.layout.from": source}
        return daemons(config, args=["--until-end"], worker=FAST_GROUP)

    def more() -> None:
        records.extend(fill(client, topic, 300, PARTITIONS, first=len(records)))

    steps = [
        ("topics", DEFAULT, None),
        ("topics 2", DEFAULT, None),
        ("topics 2", FLAT, None),
        ("topics", DEFAULT, f"topics 2/{FLAT}.csv"),
        ("topics", FLAT, None),
        ("topics 2", FLAT, f"topics/{FLAT}.csv"),
    ]
    for number, (folder, partitioner, source) in enumerate(steps):
        more()
        if source is not None:
            before = snapshot(store)
            line = failed(run(folder, partitioner))
            assert f"has left the layout {folder}/{partitioner}.csv" in line
            assert f"chain.layout.from={source}" in line
            assert {k: before.get(k) for k in snapshot(store)} == before
        drain = run(folder, partitioner, source)
        assert drain.wait(PATIENCE) == 0, drain.log
        changed = drain.log.count(f"going on in {folder}/{partitioner}.csv")
        assert changed == (PARTITIONS if number else 0), drain.log
        assert len(seals(store)) == PARTITIONS * number
        # Once more: nothing is left to do, nothing is sealed.
        keys = data_keys(store)
        again = run(folder, partitioner)
        assert again.wait(PATIENCE) == 0, again.log
        assert data_keys(store) == keys
    report = audit(
        topic,
        store,
        client,
        records=records,
        group=group_of(topic),
        later=[("topics", True), ("topics 2", False), ("topics 2", True)],
    )
    assert report.records == len(records) == 300 * len(steps)


@pytest.mark.timeout(240)
def test_a_sleeper_with_the_old_layout(
    place: tuple[Store, str, str | None],
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
) -> None:
    store, url, bucket = place
    topic = topics(PARTITIONS)
    old = sink(topic, url, bucket, flush__size=50)
    new = sink(topic, url, bucket, flush__size=50, topics__dir="new")
    with load(client, topic, PARTITIONS) as running:
        sleeper = daemons(old, worker=FAST_GROUP)
        until(lambda: len(data_keys(store)) > 6, "objects")
        sleeper.pause()
        heir = daemons(new, worker=FAST_GROUP)
        until(lambda: len(seals(store)) == PARTITIONS, "seals", 90)
        count = len(data_keys(store))
        until(lambda: len(data_keys(store)) > count + 6, "objects below new/")
        sleeper.resume()
        line = failed(sleeper)
        assert f"new/{DEFAULT}.csv" in line, line
        # Started again by its supervisor, it stops again.
        assert "chain.layout.from=" in failed(daemons(old, worker=FAST_GROUP))
        count = len(data_keys(store))
        until(lambda: len(data_keys(store)) > count + 6, "more objects below new/")
    wait_committed(client, topic, len(running.records), daemon=heir)
    assert heir.term() == 0, heir.log
    report = audit(
        topic,
        store,
        client,
        records=running.records,
        group=group_of(topic),
        later=[("new", False)],
    )
    assert report.records == len(running.records)
    assert seals(store) == [f"new/{DEFAULT}.csv"] * PARTITIONS


@pytest.mark.timeout(240)
def test_kills_while_layouts_change(
    place: tuple[Store, str, str | None],
    daemons: DaemonFactory,
    topics: TopicFactory,
    client: KafkaClient,
) -> None:
    store, url, bucket = place
    topic, chance = topics(PARTITIONS), random.Random(7)
    layouts = [(f"t{i}", bool(i % 2)) for i in range(8)]
    with load(client, topic, PARTITIONS) as running:
        for i, (folder, _) in enumerate(layouts):
            wanted = folder
            while True:
                config = sink(
                    topic,
                    url,
                    bucket,
                    flush__size=40,
                    topics__dir=wanted,
                    partitioner__class=FLAT if int(wanted[1:]) % 2 else DEFAULT,
                )
                daemon = daemons(config, worker=FAST_GROUP)
                until(
                    lambda d=daemon, w=wanted: bool(  # type: ignore[misc]
                        not d.alive()
                        or f"going on in {w}/" in d.log
                        or re.search(rf"landed \S*/{w}/", d.log)
                    ),
                    "an object or a seal",
                    60,
                )
                if daemon.alive():
                    time.sleep(chance.random() * 0.3)
                    daemon.kill()
                    if wanted == folder:
                        break
                # A kill right after a seal: that layout has to get its first object.
                wanted = f"t{i - 1}" if wanted == folder else folder
                assert "has no object yet" in daemon.log or wanted == folder, daemon.log
    last, _ = layouts[-1]
    config = sink(topic, url, bucket, topics__dir=last, partitioner__class=FLAT)
    drain = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert drain.wait(60) == 0, drain.log
    report = audit(
        topic,
        store,
        client,
        records=running.records,
        group=group_of(topic),
        prefix="t0",
        later=layouts[1:],
    )
    assert report.records == len(running.records)

"""The directory store under the daemon: the same promises as S3's."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.conftest import DaemonFactory, TopicFactory
from tests.integration.landing import (
    FAST_GROUP,
    data_keys,
    fill,
    group_of,
    sink,
    wait_committed,
)
from tests.support import Folder, KafkaClient, audit

PARTITIONS, KILLS = 4, 10


def test_a_drain_into_a_folder(
    daemons: DaemonFactory, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic, folder = topics(PARTITIONS), tmp_path / "store"
    records = fill(client, topic, 8000, PARTITIONS)
    config = sink(topic, folder.as_uri(), None, flush__size=700)
    drain = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert drain.wait(60) == 0, drain.log
    store = Folder(folder)
    report = audit(topic, store, client, records=records, group=group_of(topic))
    assert report.records == 8000
    for key in data_keys(store):
        assert key.startswith(f"topics/{topic}/partition="), key
    assert not [path for path in folder.rglob("*") if path.name.startswith(".tmp")]
    # Once more: nothing is left to do.
    before = store.keys()
    again = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert again.wait(60) == 0, again.log
    assert store.keys() == before


def test_a_folder_with_an_odd_name_flat_keys_and_a_header(
    daemons: DaemonFactory, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic, folder = topics(1), tmp_path / "a folder, 100% öd"
    records = fill(client, topic, 300)
    config = sink(
        topic,
        folder.as_uri(),
        None,
        partitioner__class="FlatPartitioner",
        topics__dir="",
        csv__header=True,
    )
    drain = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert drain.wait(60) == 0, drain.log
    report = audit(
        topic,
        Folder(folder),
        client,
        records=records,
        group=group_of(topic),
        prefix="",
        flat=True,
        header=True,
    )
    assert report.records == 300


@pytest.mark.timeout(180)
def test_ten_kills_over_a_folder(
    daemons: DaemonFactory, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic, folder, chance = topics(PARTITIONS), tmp_path / "store", random.Random(3)
    count = 40000
    records = fill(client, topic, count, PARTITIONS)
    config = sink(topic, folder.as_uri(), None, flush__size=50)
    # A static member gets its partitions back at once: each kill hits it at work.
    worker = {**FAST_GROUP, "consumer.group.instance.id": "one"}
    daemon = daemons(config, worker=worker)
    hit = 0
    for turn in range(KILLS):
        before = daemon.log.count("landed file:")
        if turn % 2:  # at work; else somewhere in its start
            deadline = time.monotonic() + 10
            while daemon.log.count("landed file:") == before and (
                time.monotonic() < deadline
            ):
                time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.3 if turn % 2 else 0.8))
        daemon.kill()
        hit += daemon.log.count("landed file:") > before
        daemon.start()
    wait_committed(client, topic, count, timeout=90, daemon=daemon)
    assert daemon.term() == 0
    store = Folder(folder)
    report = audit(topic, store, client, records=records, group=group_of(topic))
    assert report.records == count
    assert hit >= 3, "too few kills hit a daemon that was landing objects"

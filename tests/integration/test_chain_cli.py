"""`penstock chain`: shown, verified, and handed to a renamed connector."""

from __future__ import annotations

import json
import subprocess
import time
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
    sink,
    snapshot,
    until,
    wait_committed,
)
from tests.services import Kafka, Minio
from tests.support import Bucket, Daemon, Folder, KafkaClient, Msg, audit
from tests.support.daemon import write_properties
from tests.support.script import run_penstock
from tests.support.stores import Store

PARTITIONS = 2


class World:
    """A topic, a store, settings files, and the command."""

    def __init__(
        self,
        store: Store,
        url: str,
        topic: str,
        kafka: Kafka,
        client: KafkaClient,
        daemons: DaemonFactory,
        folder: Path,
        env: dict[str, str],
    ) -> None:
        """The sink is named as `sink()` names it."""
        self.store, self.url, self.topic, self.client = store, url, topic, client
        self.kafka, self.daemons, self.folder = kafka, daemons, folder
        self.worker = write_properties(
            folder / "worker.properties",
            {"bootstrap.servers": kafka.bootstrap, **FAST_GROUP},
        )
        self.env, self.number = env, 0

    def settings(self, **more: Any) -> dict[str, Any]:
        """The sink's settings."""
        bucket = self.store.name if isinstance(self.store, Bucket) else None
        return sink(self.topic, self.url, bucket, **{"flush__size": 50, **more})

    def run(self, settings: dict[str, Any]) -> Daemon:
        """Land what is there."""
        return self.daemons(settings, args=["--until-end"], worker=FAST_GROUP)

    def land(self, settings: dict[str, Any] | None = None) -> None:
        """Land what is there; it must succeed."""
        drain = self.run(settings or self.settings())
        assert drain.wait(PATIENCE) == 0, drain.log

    def chain(
        self, *args: str, settings: dict[str, Any] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`penstock chain …` with the settings in a file."""
        self.number += 1
        config = write_properties(
            self.folder / f"sink-{self.number}.properties", settings or self.settings()
        )
        return run_penstock(
            "chain",
            *args,
            "--worker",
            str(self.worker),
            "--config",
            str(config),
            env=self.env,
        )

    def verify(self, settings: dict[str, Any] | None = None) -> list[str]:
        """The problems; none: it says that all is sound, and its status agrees."""
        done = self.chain("verify", "--json", settings=settings)
        reports = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(reports) == PARTITIONS, done.stdout + done.stderr
        problems = [text for report in reports for text in report["problems"]]
        assert done.returncode == (1 if problems else 0), done.stderr
        assert all(report["sound"] is not bool(report["problems"]) for report in reports)
        return problems

    def set_key(self, key: str, body: bytes, meta: dict[str, str] | None = None) -> None:
        """Write a key as another program would."""
        if isinstance(self.store, Bucket):
            self.store.put(key, body, meta)
        else:
            (self.folder / "store" / key).write_bytes(body)

    def remove(self, key: str) -> None:
        """Remove a data object, and its link."""
        if isinstance(self.store, Bucket):
            self.store.delete(key)
            return
        start = key.rpartition("+")[2].partition(".")[0]
        partition = key.split("+")[-2]
        for path in (
            key,
            f"topics/_penstock/{self.topic}/{partition}/{start}",
        ):
            (self.folder / "store" / path).unlink()


@pytest.fixture(params=["s3", "directory"])
def world(
    request: pytest.FixtureRequest,
    buckets: BucketFactory,
    minio: Minio,
    kafka: Kafka,
    topics: TopicFactory,
    client: KafkaClient,
    daemons: DaemonFactory,
    tmp_path: Path,
) -> World:
    """One of each kind of store."""
    topic = topics(PARTITIONS)
    store: Store
    if request.param == "directory":
        folder = tmp_path / "store"
        store, url = Folder(folder), folder.as_uri()
    else:
        store, url = buckets(), minio.endpoint
    return World(store, url, topic, kafka, client, daemons, tmp_path, minio.aws_env())


def shown(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The lines of `chain show --json`."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_show_and_verify_through_a_seal(world: World) -> None:
    records = fill(world.client, world.topic, 600, PARTITIONS)
    world.land()
    assert world.verify() == []
    records += fill(world.client, world.topic, 400, PARTITIONS, first=600)
    flat = world.settings(partitioner__class="FlatPartitioner")
    world.land(flat)
    lines = shown(world.chain("show", "--json", "--partition", "1", settings=flat))
    kinds = [line["type"] for line in lines]
    assert (kinds[0], kinds[-1], kinds.count("seal")) == ("root", "end", 1)
    links = [line for line in lines if line["type"] == "link"]
    assert sum(line["records"] for line in links) == 500
    assert [line["next"] for line in links][:-1] == [line["start"] for line in links][1:]
    assert lines[-1]["end"] == lines[-1]["committed"] == lines[-1]["position"] == 500
    assert {line["key"] for line in links} <= set(data_keys(world.store))
    # The same by the old settings, a part of it, and as text.
    assert shown(world.chain("show", "--json", "--partition", "1")) == lines
    part = shown(
        world.chain("show", "--json", "--partition", "1", "--from", "120", "--limit", "2")
    )
    later = [line for line in links if line["start"] >= 120]
    assert part[1:3] == later[:2]
    assert part[-1] == {
        "type": "more", "topic": world.topic, "partition": 1, "from": later[2]["start"],
    }  # fmt: skip
    text = world.chain("show", settings=flat).stdout
    assert "sealed" in text
    assert "topics/FlatPartitioner.csv" in text
    assert "commit 500 (chain at 500); the log is [0, 500)" in text
    assert world.verify(flat) == []
    told = world.chain("verify", settings=flat)
    assert told.returncode == 0, told.stdout
    assert f"{len(records):,} rows" in told.stdout.splitlines()[-1]
    assert told.stdout.splitlines()[-1].startswith("sound: 2 chains")


def test_verify_through_compression(world: World) -> None:
    fill(world.client, world.topic, 200, PARTITIONS)
    world.land()
    for number, kind in enumerate(("gzip", "zstd", "none"), 1):
        fill(world.client, world.topic, 200, PARTITIONS, first=200 * number)
        settings = world.settings(s3__compression__type=kind, topics__dir=kind)
        world.land(settings)
        assert world.verify(settings) == []


def test_show_and_verify_of_manifests(world: World) -> None:
    """FieldPartitioner, behind a seal: the links are manifests, three objects each."""
    fill(world.client, world.topic, 100, PARTITIONS)
    world.land()
    values = [{"id": f"r{i}", "n": i, "text": "abc"[i // 2 % 3]} for i in range(100, 400)]
    world.client.produce(
        world.topic, [Msg(json.dumps(v), partition=v["n"] % PARTITIONS) for v in values]
    )
    before = data_keys(world.store)
    routed = world.settings(
        partitioner__class="FieldPartitioner", partition__field__name="text"
    )
    world.land(routed)
    keys = sorted(set(data_keys(world.store)) - set(before))
    keys = [key for key in keys if "/text=" in key]
    lines = shown(world.chain("show", "--json", "--partition", "0", settings=routed))
    links = [line for line in lines if line["type"] == "link"]
    assert [line["next"] for line in links][:-1] == [line["start"] for line in links][1:]
    assert sum(line["records"] for line in links) == lines[-1]["end"] == 200
    manifests = [line for line in links if line["key"].endswith(".json")]
    assert sum(line["records"] for line in manifests) == 150
    assert len(manifests) == 3
    assert len(keys) == 3 * 3 * PARTITIONS
    assert lines == shown(world.chain("show", "--json", "--partition", "0"))
    assert world.verify(routed) == []
    # Of the newest manifest an object is gone: unfinished, or moved away. That is told.
    newest = [key for key in keys if f"{world.topic}+0+" in key and "text=a" in key][-1]
    if isinstance(world.store, Bucket):
        world.store.delete(newest)
        told = world.chain("verify", settings=routed)
        assert told.returncode == 0, told.stdout
        note = f"1 of 3 objects of {manifests[-1]['key']} are not there"
        assert note in told.stdout
        assert newest in told.stdout
        # A manifest that is gone is missed; one that is no JSON stops the check.
        kept = world.store.get(manifests[1]["key"])
        world.store.delete(kept.key)
        (problem,) = world.verify(routed)
        assert f"are missing before {manifests[2]['key']}" in problem
        world.store.put(kept.key, b"{")
        assert any(kept.key in problem for problem in world.verify(routed))
        world.store.put(kept.key, kept.body.replace(b'"group":', b'"croup":'))
        assert any(kept.key in problem for problem in world.verify(routed))
        world.store.put(kept.key, kept.body)
        assert world.verify(routed) == []


def test_verify_finds_damage(world: World) -> None:
    fill(world.client, world.topic, 800, PARTITIONS)
    world.land()
    keys = sorted(key for key in data_keys(world.store) if f"{world.topic}+0+" in key)
    assert len(keys) == 8, keys
    assert world.verify() == []
    # A file of somebody else's.
    stray = keys[1].replace(".csv", "-copy.csv")
    world.set_key(stray, b"x\n")
    (problem,) = world.verify()
    assert f"{stray} is not part of the chain" in problem
    if isinstance(world.store, Bucket):
        world.store.delete(stray)
        # An object without its metadata, and some with wrong ones.
        kept = [world.store.get(key) for key in keys]
        world.store.put(keys[0], kept[0].body)
        told = [f"{keys[0]} has no metadata"]
        for stored, name, value, text in (
            (kept[1], "group", "connect-other", "was written by group connect-other"),
            (kept[2], "partition", "1", f"holds {world.topic}-1 by its metadata"),
            (kept[3], "records", "51", "says 51 rows of 50 offsets"),
            (kept[4], "next", "1", "starts at 200, its next is 1"),
            (kept[5], "last", "5", "names '5' as its last record"),
        ):
            world.store.put(stored.key, stored.body, {**stored.meta, name: value})
            told.append(f"{stored.key} {text}")
        problems = world.verify()
        for text in told:
            assert any(line.startswith(text) for line in problems), (text, problems)
        for stored in kept:
            world.store.put(stored.key, stored.body, stored.meta)
    else:
        (world.folder / "store" / stray).unlink()
    assert world.verify() == []
    # One in the middle, then the newest.
    kept_all = snapshot(world.store)
    world.remove(keys[2])
    (problem,) = world.verify()
    assert f"are missing before {keys[3]}" in problem
    world.remove(keys[-1])
    assert any("the newest objects are missing" in text for text in world.verify())
    assert set(kept_all) > set(data_keys(world.store))


@pytest.mark.parametrize("world", ["directory"], indirect=True)
def test_verify_looks_at_kafka(world: World) -> None:
    fill(world.client, world.topic, 300, PARTITIONS)
    world.land()
    other = world.settings(name="somebody-else")
    problems = world.verify(other)
    assert problems
    assert all("take-over" in text for text in problems)
    world.client.set_committed(group_of(world.topic), world.topic, {0: 40})
    (problem,) = world.verify()
    assert "was set to 40 by a tool, objects go up to 150" in problem


@pytest.mark.parametrize("world", ["s3"], indirect=True)
def test_what_cannot_be_reached(world: World) -> None:
    fill(world.client, world.topic, 10, PARTITIONS)
    done = world.chain("verify", "--timeout", "1", "--bootstrap-servers", "127.0.0.1:1")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "127.0.0.1:1" in done.stderr
    done = world.chain("verify", "--set", "topics.dri=x")
    assert done.returncode == 2
    assert "topics.dir" in done.stderr
    done = world.chain("show", "--endpoint", "http://127.0.0.1:1")
    assert done.returncode == 3, done.stdout + done.stderr


def test_take_over(world: World) -> None:
    old, new = world.settings(), world.settings(name=f"renamed-{world.topic}")
    args = ("take-over", "--from-name", str(old["name"]))
    records = fill(world.client, world.topic, 400, PARTITIONS)
    running = world.daemons(old, worker=FAST_GROUP)
    wait_committed(world.client, world.topic, 400, daemon=running)
    done = world.chain(*args, "--yes", settings=new)
    assert done.returncode == 1
    assert f"group {group_of(world.topic)} has 1 members" in done.stderr
    assert running.term() == 0, running.log
    before = snapshot(world.store)
    done = world.chain(*args, settings=new)
    assert done.returncode == 0, done.stderr
    assert "would hand" in done.stdout
    assert "Nothing was changed" in done.stdout
    assert snapshot(world.store) == before
    # Not without it.
    refused = world.run(new)
    assert refused.wait(PATIENCE) == 1
    assert "two connectors must not share" in refused.log
    done = world.chain(*args, "--yes", settings=new)
    assert done.returncode == 0, done.stderr
    fresh = {key for key in snapshot(world.store) if key not in before}
    assert fresh == {
        f"topics/_penstock/{world.topic}/{p}/owner+1.json" for p in range(PARTITIONS)
    }
    assert world.verify(new) == []
    offsets = world.client.committed(f"connect-{new['name']}", world.topic)
    assert {offset for offset, _ in offsets.values()} == {200}
    again = world.chain(*args, "--yes", settings=new)
    assert again.returncode == 0, again.stderr
    assert {k for k in snapshot(world.store) if k not in before} == fresh
    # The old one comes back: there are records, and its key is still free.
    records += fill(world.client, world.topic, 200, PARTITIONS, first=400)
    keys = data_keys(world.store)
    back = world.run(old)
    assert back.wait(PATIENCE) == 1, back.log
    (line,) = [text for text in back.log.splitlines() if "task: failed" in text]
    assert f'handed to connector "{new["name"]}"' in line
    assert data_keys(world.store) == keys
    world.land(new)
    assert world.verify(new) == []
    report = audit(world.topic, world.store, world.client, records=records)
    assert report.records == 600


def test_there_and_back(world: World) -> None:
    """Handed on, and back: the offsets go along, with what the other has landed."""
    one, two = world.settings(), world.settings(name=f"renamed-{world.topic}")
    records: list[Msg] = []
    for turn, (former, name) in enumerate([(two, one), (one, two), (two, one)]):
        if turn:
            args = ("take-over", "--from-name", str(former["name"]), "--yes")
            done = world.chain(*args, settings=name)
            assert done.returncode == 0, done.stderr
        records += fill(world.client, world.topic, 200, PARTITIONS, first=200 * turn)
        world.land(name)
        assert world.verify(name) == []
    refused = world.run(two)
    assert refused.wait(PATIENCE) == 1
    assert f'handed to connector "{one["name"]}"' in refused.log
    report = audit(world.topic, world.store, world.client, records=records)
    assert report.records == 600


@pytest.mark.parametrize("world", ["s3"], indirect=True)
def test_a_sleeping_old_name_lands_nothing(world: World) -> None:
    """It wakes with records in memory, and a loader has made its keys free."""
    interval = 10
    ms = interval * 1000
    old = world.settings(flush__size=10000, rotate__schedule__interval__ms=ms)
    new = world.settings(name=f"renamed-{world.topic}")
    fill(world.client, world.topic, 100, PARTITIONS)
    world.land()
    zombie = world.daemons(old, worker=FAST_GROUP)
    zombie.wait_log("assigned")
    time.sleep(interval - time.time() % interval)  # it has a whole interval from here
    fill(world.client, world.topic, 100, PARTITIONS, first=100)
    time.sleep(1)  # it reads them
    zombie.pause()
    args = ("take-over", "--from-name", str(old["name"]), "--yes")
    until(lambda: world.chain(*args, settings=new).returncode == 0, "a take-over")
    before = set(data_keys(world.store))
    world.land(new)
    moved = set(data_keys(world.store)) - before
    assert len(moved) == PARTITIONS
    fill(world.client, world.topic, 100, PARTITIONS, first=200)
    world.land(new)
    for key in moved:
        world.remove(key)
    left = set(data_keys(world.store))
    zombie.resume()
    assert zombie.wait(PATIENCE) == 1, zombie.log
    assert "handed to connector" in zombie.log
    assert set(data_keys(world.store)) == left

"""The source's side of exactly once: with a seed, whoever died when.

What is asserted is what a read_committed reader of the topic sees, and the stored
offsets as any client reads them.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import ConfigResource, ResourceType

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration import users
from tests.services import Kafka
from tests.services.minio import Minio
from tests.services.randomuser_api import RandomUserApi, recorded_users
from tests.support import (
    Daemon,
    KafkaClient,
    parse_csv,
    sink_config,
    source_config,
)

USERS, KILLS = 600, 10
SEED = "penstock-500"  # the stand-in's users in their recorded order
OFFSETS = "penstock-offsets"


def ids(count: int) -> list[str]:
    """The users that the seed gives, in order."""
    return [user["login"]["uuid"] for user in recorded_users()[:count]]


def keys(client: KafkaClient, topic: str) -> list[str]:
    """The keys of all committed records; per partition in order."""
    records = client.read_all(topic)
    return [(record.key or b"").decode() for record in records]


def settings(topic: str, url: str, **more: Any) -> dict[str, Any]:
    """600 users of one seed in three pages, about 200 a second."""
    return source_config(
        topic,
        url,
        **{
            "max__users": USERS,
            "users__per__second": 200,
            "randomuser__results": 200,
            "randomuser__seed": SEED,
            "output": "flat",
            **more,
        },
    )


def stored(client: KafkaClient, name: str, topic: str = OFFSETS) -> Any:
    """The newest committed offset of a source; None when there is none."""
    found = None
    for record in client.read_all(topic):
        if json.loads(record.key or b"[0]")[0] == name:
            found = json.loads(record.value) if record.value else None
    return found


def wait_for(check: Callable[[], bool], timeout: float = 30.0) -> None:
    """Until it is true. Raises AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def finish(daemon: Daemon, timeout: float = 60.0) -> None:
    """It ends by itself with status 0."""
    assert daemon.wait(timeout) == 0, daemon.log


def kill_and_restart(daemon: Daemon, kills: int, chance: random.Random) -> int:
    """kill -9 at random moments, starting again; how often it was still running."""
    killed = 0
    for _ in range(kills):
        time.sleep(chance.uniform(0.1, 0.7))
        killed += daemon.alive()
        daemon.kill()
        daemon.start()
    return killed


@pytest.mark.timeout(180)
def test_ten_kills(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    daemon = daemons(settings(topic, api.url))
    assert kill_and_restart(daemon, KILLS, random.Random(5)) >= KILLS // 2
    finish(daemon)
    assert keys(client, topic) == ids(USERS)
    at = stored(client, f"source-{topic}")
    assert at["page"] == 4
    assert at["index"] == 0
    assert at["produced"] == USERS
    assert api.requests[-1].query["page"] == "3"


@pytest.mark.timeout(180)
def test_ten_kills_over_partitions(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(3)
    daemon = daemons(settings(topic, api.url))
    kill_and_restart(daemon, KILLS, random.Random(6))
    finish(daemon)
    place = {key: number for number, key in enumerate(ids(USERS))}
    records = client.read_all(topic)
    assert sorted(place[(r.key or b"").decode()] for r in records) == list(range(USERS))
    for partition in range(3):
        seen = [
            place[(r.key or b"").decode()] for r in records if r.partition == partition
        ]
        assert seen == sorted(seen)


@pytest.mark.timeout(240)
def test_kills_with_the_sink_behind(
    daemons: DaemonFactory,
    api: RandomUserApi,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(2), buckets()
    sink = sink_config(topic, users.FLAT_SCHEMA, minio.endpoint, bucket.name)
    fast = {"consumer.session.timeout.ms": 3000, "consumer.heartbeat.interval.ms": 500}
    daemon = daemons(settings(topic, api.url), sink, worker=fast)
    kill_and_restart(daemon, KILLS, random.Random(7))

    def rows() -> list[list[str | None]]:
        found = [o for o in bucket.objects("topics/") if "_penstock/" not in o.key]
        return [row for stored in found for row in parse_csv(stored.content)]

    wait_for(lambda: len(rows()) >= USERS, 90)
    assert daemon.term() == 0, daemon.log
    expected = [users.flat_row(user) for user in recorded_users()[:USERS]]
    assert sorted(rows(), key=str) == sorted(expected, key=str)


def test_a_restart_inside_a_page_and_a_finished_source(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    daemon = daemons(settings(topic, api.url, users__per__second=50))
    wait_for(lambda: len(client.read_all(topic)) >= 30)
    assert daemon.term() == 0, daemon.log
    before = len(client.read_all(topic))
    at = stored(client, f"source-{topic}")
    assert (at["page"], at["index"], at["produced"]) == (1, before, before)
    began = time.monotonic()
    small = daemons(
        settings(topic, api.url, max__users=before + 50, users__per__second=50)
    )
    finish(small)
    assert time.monotonic() - began >= 0.9, "paced"
    assert f"goes on at page 1, user {before + 1}; {before} users were" in small.log
    again = daemons(settings(topic, api.url, max__users=before + 50))
    finish(again)
    assert "nothing to do" in again.log
    finish(daemons(settings(topic, api.url)))
    assert keys(client, topic) == ids(USERS)


def test_the_page_size_stays_when_it_follows_from_max_users(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    for most in (10, 35):
        more = {"max__users": most, "randomuser__results": None}
        finish(daemons(settings(topic, api.url, **more)))
    assert keys(client, topic) == ids(35)
    assert {request.query["results"] for request in api.requests} == {"10"}


def test_changed_settings_under_one_key(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    finish(daemons(settings(topic, api.url, max__users=20)))
    changed = daemons(
        settings(topic, api.url, randomuser__results=100, randomuser__nat="FR,DE")
    )
    assert changed.wait(30) == 1
    assert "randomuser.results=200, now 100" in changed.log
    assert "randomuser.nat=(unset), now FR,DE" in changed.log
    assert "choose another randomuser.seed or name" in changed.log
    assert keys(client, topic) == ids(20)
    finish(daemons(settings(topic, api.url, max__users=30)))
    assert keys(client, topic) == ids(30)
    other = settings(topic, api.url, max__users=10, randomuser__seed="another")
    finish(daemons(other))
    assert len(keys(client, topic)) == 40


def test_without_a_seed_nothing_is_stored(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    for _ in range(2):
        finish(daemons(settings(topic, api.url, max__users=20, randomuser__seed=None)))
    assert len(set(keys(client, topic))) == 40
    assert stored(client, f"source-{topic}") is None
    for _ in range(2):
        off = daemons(
            settings(topic, api.url, max__users=5), worker={"offset.storage.topic": ""}
        )
        finish(off)
    assert keys(client, topic)[40:] == ids(5) * 2


@pytest.mark.timeout(120)
def test_two_sources_with_one_name(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    older = daemons(settings(topic, api.url, users__per__second=100))
    wait_for(lambda: len(client.read_all(topic)) >= 50)
    newer = daemons(settings(topic, api.url, users__per__second=100))
    assert older.wait(30) == 1
    fenced = f'fenced: another source with the name "source-{topic}" took over'
    assert fenced in older.log
    finish(newer)
    assert "fenced" not in newer.log
    assert keys(client, topic) == ids(USERS)


def test_the_offsets_topic_is_made_and_compacted(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic, offsets = topics(1), f"offsets-{uuid.uuid4().hex[:8]}"
    worker = {"offset.storage.topic": offsets}
    first = daemons(settings(topic, api.url, max__users=20), worker=worker)
    finish(first)
    shape = "1 partition, cleanup.policy=compact"
    assert f"created offset.storage.topic {offsets}: {shape}" in first.log
    assert client.partitions(offsets) == [0]
    resource = ConfigResource(ResourceType.TOPIC, offsets)
    config = client.admin.describe_configs([resource])[resource].result(30)
    assert config["cleanup.policy"].value == "compact"
    finish(daemons(settings(topic, api.url, max__users=30), worker=worker))
    assert keys(client, topic) == ids(30)
    record = next(iter(client.read_all(offsets)))
    assert json.loads(record.key or b"") == [
        f"source-{topic}",
        {"url": api.url, "seed": SEED},
    ]


def test_an_offsets_topic_that_is_not_compacted_or_wider(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    plain = topics(1, name=f"plain-{uuid.uuid4().hex[:8]}", cleanup_policy="delete")
    refused = daemons(settings(topic, api.url), worker={"offset.storage.topic": plain})
    assert refused.wait(30) == 1
    assert f"{plain} has cleanup.policy=delete" in refused.log
    wide = topics(5, name=f"wide-{uuid.uuid4().hex[:8]}", cleanup_policy="compact")
    for most in (20, 30):
        more = settings(topic, api.url, max__users=most)
        finish(daemons(more, worker={"offset.storage.topic": wide}))
    assert keys(client, topic) == ids(30)


@pytest.fixture
def open_transaction(kafka: Kafka) -> Iterator[Producer]:
    """Another source's transaction in the topic of offsets, begun and left open."""
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap, "transactional.id": uuid.uuid4().hex}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    yield producer
    producer.abort_transaction(30)


@pytest.mark.timeout(120)
def test_another_sources_open_transaction_hides_no_offset(
    daemons: DaemonFactory,
    api: RandomUserApi,
    topics: TopicFactory,
    client: KafkaClient,
    open_transaction: Producer,
) -> None:
    """Our newest offset lies behind it: going on without it would double users."""
    topic = topics(1)
    offsets = topics(1, name=f"open-{uuid.uuid4().hex[:8]}", cleanup_policy="compact")
    worker = {"offset.storage.topic": offsets}
    first = daemons(
        settings(topic, api.url, max__users=40, users__per__second=20), worker=worker
    )
    wait_for(lambda: len(client.read_all(topic)) >= 5)
    open_transaction.produce(offsets, b"{}", b'["another",{}]', partition=0)
    open_transaction.flush(30)
    finish(first)
    second = daemons(settings(topic, api.url, max__users=60), worker=worker)
    time.sleep(3)
    assert second.alive()
    assert len(client.read_all(topic)) == 40
    open_transaction.commit_transaction(30)
    open_transaction.begin_transaction()
    finish(second)
    assert keys(client, topic) == ids(60)


@pytest.mark.timeout(180)
def test_broker_restarts(
    daemons: DaemonFactory, api: RandomUserApi, tmp_path: Path
) -> None:
    with Kafka(directory=tmp_path / "kafka") as broker:
        client = KafkaClient(broker.bootstrap)
        topic = client.create_topic("users", 1)
        daemon = daemons(
            settings(topic, api.url, users__per__second=60),
            worker={"bootstrap.servers": broker.bootstrap},
        )
        wait_for(lambda: len(client.read_all(topic)) >= 60)
        broker.restart()
        wait_for(lambda: len(client.read_all(topic)) >= 250, 60)
        broker.kill()
        broker.start()
        daemon.wait_log("ended: 600 records", 90)
        finish(daemon)
        assert keys(client, topic) == ids(USERS)


@pytest.mark.timeout(120)
def test_a_sleeper_that_wakes_up_behind_its_successor(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    sleeper = daemons(settings(topic, api.url))
    wait_for(lambda: len(client.read_all(topic)) >= 50)
    sleeper.pause()
    finish(daemons(settings(topic, api.url)))
    sleeper.resume()
    assert sleeper.wait(30) == 1
    assert "fenced: another source" in sleeper.log
    assert keys(client, topic) == ids(USERS)

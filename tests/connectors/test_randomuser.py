"""RandomUserSource in the daemon: a real broker, an API that misbehaves."""

from __future__ import annotations

import json
import time

from tests.conftest import DaemonFactory, TopicFactory
from tests.services.randomuser_api import RandomUserApi, recorded_users
from tests.support import KafkaClient, source_config

FAULTS = [
    "429:1",
    "500",
    "503:1",
    "error",
    "empty",
    "malformed",
    "cut",
    "reset",
    "huge",
    "slow:3",
]


def test_every_fault_once_and_every_user_once(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    api.fault(*FAULTS)
    daemon = daemons(
        source_config(
            topic,
            api.url,
            max__users=1000,
            users__per__second=0,
            randomuser__seed="penstock-500",
            http__timeout__ms=1000,
            retry__backoff__ms=50,
            max__retries=len(FAULTS),
        )
    )
    assert daemon.wait(60) == 0, daemon.log
    records = client.read_all(topic)
    users = list(recorded_users())
    assert [json.loads(record.value or b"") for record in records] == users
    assert [(record.key or b"").decode() for record in records] == [
        user["login"]["uuid"] for user in users
    ]
    assert len(records) == 1000
    pages = [request.query["page"] for request in api.requests]
    assert pages == ["1"] * (len(FAULTS) + 1) + ["2"], "a failed page is asked for again"


def test_retry_after_is_honoured(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory
) -> None:
    api.fault("429:2")
    daemon = daemons(
        source_config(topics(1), api.url, max__users=1, retry__backoff__ms=1)
    )
    assert daemon.wait(30) == 0, daemon.log
    first, second = (request.at for request in api.requests)
    assert second - first >= 1.9
    assert "ease up there cowboy" in daemon.log


def test_max_retries_fail_the_task_with_the_last_error(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory
) -> None:
    api.fault("500", times=10)
    daemon = daemons(
        source_config(
            topics(1), api.url, max__users=1, retry__backoff__ms=1, max__retries=2
        )
    )
    assert daemon.wait(30) == 1
    assert "gave up after 3 tries: the API answers 500: Uh oh" in daemon.log
    assert len(api.requests) == 3


def test_sigterm_ends_a_slow_request_and_a_pause(
    daemons: DaemonFactory, api: RandomUserApi, topics: TopicFactory
) -> None:
    api.fault("slow:30")
    waiting = daemons(source_config(topics(1), api.url, max__users=1))
    deadline = time.monotonic() + 20
    while not api.requests and time.monotonic() < deadline:
        time.sleep(0.02)
    assert api.requests, waiting.log
    began = time.monotonic()
    assert waiting.term() == 0
    assert time.monotonic() - began < 1.5


def test_unreachable_kafka_is_exit_3(daemons: DaemonFactory, api: RandomUserApi) -> None:
    daemon = daemons(
        source_config("users", api.url, max__users=1),
        worker={"bootstrap.servers": "127.0.0.1:1", "startup.timeout.ms": "1500"},
    )
    assert daemon.wait(30) == 3, daemon.log
    assert "127.0.0.1:1" in daemon.log


def test_wrong_settings_are_all_told(daemons: DaemonFactory, api: RandomUserApi) -> None:
    daemon = daemons(
        source_config(
            "a topic",
            "ftp://127.0.0.1/",
            randomuser__results=5001,
            randomuser__sed="x",
            linger__ms=5,
        )
    )
    assert daemon.wait(30) == 2
    for text in (
        "only letters, digits",
        "must begin with https://",
        "5000",
        'did you mean "randomuser.seed"?',
        "producer.override.linger.ms",
    ):
        assert text in daemon.log, daemon.log
    assert api.requests == []

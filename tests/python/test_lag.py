"""`penstock.lag`: how far a connector is behind, asked from outside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import penstock
from tests.conftest import TopicFactory
from tests.integration.landing import FAST_GROUP, fill, sink
from tests.services import Kafka
from tests.support import KafkaClient
from tests.support.script import run_script


def total(rows: list[penstock.PartitionLag]) -> int:
    """Records behind, all partitions together."""
    return sum(row["lag"] for row in rows)


def test_a_lag_grows_and_goes(
    kafka: Kafka, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(3)
    worker: dict[str, Any] = {"bootstrap.servers": kafka.bootstrap, **FAST_GROUP}
    settings = sink(topic, tmp_path.as_uri(), None)
    name = str(settings["name"])

    def ask() -> list[penstock.PartitionLag]:
        return penstock.lag(worker, name, [topic])

    assert [(r["partition"], r["committed"], r["end"], r["lag"]) for r in ask()] == [
        (p, None, 0, 0) for p in range(3)
    ]
    fill(client, topic, 30, 3)
    assert total(ask()) == 30
    client.delete_records(topic, {0: 4})
    assert total(ask()) == 26
    penstock.run(worker, settings, until="end", timeout=60)
    rows = ask()
    assert total(rows) == 0
    assert {row["committed"] for row in rows} == {10}
    fill(client, topic, 6, 3)
    assert [row["lag"] for row in ask()] == [2, 2, 2]


def test_what_cannot_be_asked(kafka: Kafka, topics: TopicFactory) -> None:
    worker: dict[str, Any] = {"bootstrap.servers": kafka.bootstrap}
    with pytest.raises(penstock.RetriableError, match="no-such-topic") as caught:
        penstock.lag(worker, "n", ["no-such-topic"])
    assert caught.value.code == "not found"
    began = time.monotonic()
    with pytest.raises(penstock.PenstockError, match=r"127\.0\.0\.1:1") as unreachable:
        penstock.lag({"bootstrap.servers": "127.0.0.1:1"}, "n", ["t"], timeout=0.5)
    assert unreachable.value.unreachable
    assert time.monotonic() - began < 5
    with pytest.raises(penstock.ConfigError, match=r"sasl\.mechanism"):
        penstock.lag({**worker, "sasl.mechanismus": "x"}, "n", ["t"])
    for topics_, error in (("t", TypeError), ([], ValueError), ([1], TypeError)):
        with pytest.raises(error):
            penstock.lag(worker, "n", topics_)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at most 500"):
        penstock.lag(worker, "n" * 501, ["t"])
    with pytest.raises(ValueError, match="above 0"):
        penstock.lag(worker, "n", ["t"], timeout=0)


def test_a_signal_ends_it() -> None:
    out = run_script(
        """
        import os, signal, threading, time
        import penstock
        class Stop(Exception): pass
        def handler(number, frame):
            raise Stop
        signal.signal(signal.SIGTERM, handler)
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        began = time.monotonic()
        try:
            penstock.lag({"bootstrap.servers": "127.0.0.1:1"}, "n", ["t"], timeout=60)
        except Stop:
            print(time.monotonic() - began)
        """
    )
    assert 0.5 <= float(out) < 5

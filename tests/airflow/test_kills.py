"""A task that is ended from outside fails soon, and its retry makes the work whole.

`dag.test()` runs a task as its supervisor's child would: the same handlers of SIGTERM
and SIGALRM. Airflow kills for good 5 s after SIGTERM, so what is measured here must
stay below that.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.airflow.conftest import RunDag, connection
from tests.airflow.test_operators import make_produce
from tests.conftest import TopicFactory
from tests.services import Kafka
from tests.support import KafkaClient

BUDGET = 5.0


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Airflow leaves its handler behind."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


class Ended:
    """When a task failed: given to it as a callback."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self, context: Any) -> None:
        self.at = time.monotonic()


def kill_once(client: KafkaClient, topic: str, records: int, sent: list[float]) -> None:
    """SIGTERM to this process once the topic has so many records."""
    deadline = time.monotonic() + 60
    while client.end_offsets(topic)[0] < records and time.monotonic() < deadline:
        time.sleep(0.02)
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_and_the_retry(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    client: KafkaClient,
    recorded: str,
) -> None:
    topic, ended = topics(1), Ended()
    sent = list[float]()
    killer = threading.Thread(target=kill_once, args=(client, topic, 3, sent))
    killer.start()
    pace = {"users_per_second": 2}
    run = run_dag(
        lambda: make_produce(topic, recorded, on_failure_callback=ended, **pace)
    )
    killer.join()
    assert run.states == {"produce": "failed"}
    took = ended.at - sent[0]
    print(f"SIGTERM: failed after {took:.2f} s")
    assert 0 < took < BUDGET
    some = {record.key for record in client.read_all(topic)}
    assert 1 <= len(some) < 10
    run = run_dag(lambda: make_produce(topic, recorded, users_per_second=0))
    assert run.results["produce"]["produced"] == 10 - len(some)
    keys = [record.key for record in client.read_all(topic)]
    assert len(keys) == len(set(keys)) == 10
    assert some <= set(keys)


def test_a_time_out(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    recorded: str,
) -> None:
    ended = Ended()
    began = list[float]()
    run = run_dag(
        lambda: make_produce(
            topics(1),
            recorded,
            max_users=60,
            users_per_second=1,
            on_execute_callback=lambda context: began.append(time.monotonic()),
            on_failure_callback=ended,
            execution_timeout=timedelta(seconds=3),
        )
    )
    assert run.states == {"produce": "failed"}
    took = ended.at - began[0]
    print(f"time-out of 3 s: failed after {took:.2f} s")
    assert 3 <= took < 3 + BUDGET


@pytest.mark.services
def test_sigterm_while_the_broker_hangs(
    run_dag: RunDag, recorded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Kafka() as kafka:
        extras = {"bootstrap.servers": kafka.bootstrap}
        monkeypatch.setenv(
            "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
        )
        client = KafkaClient(kafka.bootstrap)
        client.create_topic("t")
        ended, sent = Ended(), list[float]()

        def hang_and_kill() -> None:
            while client.end_offsets("t")[0] < 2:
                time.sleep(0.02)
            kafka.pause()
            time.sleep(1)
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGTERM)

        killer = threading.Thread(target=hang_and_kill)
        killer.start()
        run = run_dag(
            lambda: make_produce(
                "t", recorded, on_failure_callback=ended, users_per_second=2
            )
        )
        killer.join()
        kafka.resume()
        assert run.states == {"produce": "failed"}
        took = ended.at - sent[0]
        print(f"SIGTERM with a hanging broker: failed after {took:.2f} s")
        assert 0 < took < BUDGET

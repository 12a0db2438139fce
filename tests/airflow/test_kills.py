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
from airflow.providers.common.compat.sdk import AirflowException

from penstock_airflow import settings
from penstock_airflow.operators.randomuser import RandomUserToKafkaOperator
from tests.airflow.conftest import RunDag, connection
from tests.airflow.test_operators import make_land, make_produce
from tests.conftest import BucketFactory, TopicFactory
from tests.services import Kafka
from tests.support import Bucket, KafkaClient, Msg, audit

BUDGET = 5.0
QUICK = 1.0  # where nothing hangs


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
    assert 0 < took < QUICK
    some = {record.key for record in client.read_all(topic)}
    assert 1 <= len(some) < 10
    run = run_dag(lambda: make_produce(topic, recorded, users_per_second=0))
    assert run.results["produce"]["produced"] == 10 - len(some)
    keys = [record.key for record in client.read_all(topic)]
    assert len(keys) == len(set(keys)) == 10
    assert some <= set(keys)


def test_sigterm_of_a_drain_and_the_retry(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
) -> None:
    topic, bucket = topics(2), buckets()
    messages = [Msg(f'{{"id": "u{n}"}}', partition=n % 2) for n in range(60000)]
    client.produce(topic, messages)
    sent, ended = list[float](), Ended()

    def kill() -> None:
        deadline = time.monotonic() + 60
        while not bucket.keys(f"topics/{topic}/") and time.monotonic() < deadline:
            time.sleep(0.01)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGTERM)

    killer = threading.Thread(target=kill)
    killer.start()
    small = {"flush.size": 100}  # so that it takes a while
    run = run_dag(
        lambda: make_land(topic, bucket, config=small, on_failure_callback=ended)
    )
    killer.join()
    assert run.states == {"land": "failed"}
    took = ended.at - sent[0]
    print(f"SIGTERM of a drain: failed after {took:.2f} s")
    assert 0 < took < 1.5 * QUICK  # there is more to land than there is time for
    run = run_dag(lambda: make_land(topic, bucket, skip_when_empty=True))
    assert run.states == {"land": "success"}
    assert 0 < run.results["land"]["records"] < 60000
    report = audit(topic, bucket, client, group=f"connect-land-{topic}")
    assert report.records == 60000


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


class Late(RandomUserToKafkaOperator):
    """Is killed at a moment of its own choice, and catches what is raised then."""

    swallows = True

    def _kill(self) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        except Exception:
            if not self.swallows:
                raise


class BeforeTheJob(Late):
    """As by the amazon provider, which may wait for seconds, and retries."""

    def source_settings(self, context: Any) -> Any:
        self._kill()
        return super().source_settings(context)


class AfterTheJob(Late):
    """When all is produced and the result is made."""

    def run_job(self, *args: Any, **options: Any) -> Any:
        done = super().run_job(*args, **options)
        self._kill()
        return done


class BeforeExecute(Late):
    """While the task's template fields are rendered, say."""

    def pre_execute(self, context: Any) -> None:
        self._kill()


@pytest.mark.parametrize("swallows", [True, False])
@pytest.mark.parametrize("kind", [BeforeExecute, BeforeTheJob, AfterTheJob])
def test_a_kill_outside_of_the_connector_is_no_success(
    kind: type[Late],
    swallows: bool,
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    client: KafkaClient,
    recorded: str,
) -> None:
    topic = topics(1)

    def build() -> None:
        task = kind(
            task_id="produce", topic=topic, url=recorded, max_users=10,
            users_per_second=0, name=f"produce-{topic}", seed="penstock-500",
        )  # fmt: skip
        task.swallows = swallows

    assert run_dag(build).states == {"produce": "failed"}
    expected = 10 if kind is AfterTheJob else 0
    assert len(client.read_all(topic)) == expected
    run = run_dag(lambda: make_produce(topic, recorded, users_per_second=0))
    assert run.results["produce"]["produced"] == 10 - expected
    assert len(client.read_all(topic)) == 10


def test_a_kill_while_the_worker_is_made(
    connections: dict[str, Any],
    topics: TopicFactory,
    recorded: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The flag of the job is there, the worker's is not yet."""
    import penstock

    task = make_produce(topics(1), recorded, max_users=60, users_per_second=1)
    made = penstock.Worker

    def make(*args: Any, **options: Any) -> penstock.Worker:
        worker = made(*args, **options)
        task.on_kill()
        return worker

    monkeypatch.setattr(penstock, "Worker", make)
    began = time.monotonic()
    with pytest.raises(AirflowException, match="the task was killed"):
        task.execute({})
    assert time.monotonic() - began < QUICK


def test_on_kill_logs_nothing(
    connections: dict[str, Any],
    topics: TopicFactory,
    recorded: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is called with a logger's lock held, by a thread that never lets go of it."""
    task = make_produce(topics(1), recorded, max_users=60, users_per_second=5)
    in_handler = list[str]()

    class Told:
        def __getattr__(self, name: str) -> Any:
            if in_handler:
                raise AssertionError(f"log.{name} in a signal's handler")
            return lambda *args, **options: None

    monkeypatch.setattr(RandomUserToKafkaOperator, "log", Told())
    killed = list[float]()

    def handler(number: int, frame: object) -> None:
        in_handler.append("yes")
        killed.append(time.monotonic())
        task.on_kill()
        in_handler.clear()

    signal.signal(signal.SIGTERM, handler)
    threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(
        AirflowException, match=r"the task was killed: [0-9]+ of 60 users"
    ):
        task.execute({})
    assert time.monotonic() - killed[0] < BUDGET / 2
    task.on_kill()  # as Airflow does after a time-out: all has ended


def test_a_kill_while_others_are_waited_for(
    connections: dict[str, Any], topics: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connector runs then; Python sleeps or asks Kafka."""
    topic = topics(1)
    land = make_land(topic, Bucket(None, "any"), connect_timeout=60)  # type: ignore[arg-type]
    KafkaClient(connections["bootstrap.servers"]).produce(topic, [Msg("{}")])
    worker = settings.kafka_settings("kafka_default")
    sink: settings.Settings = {"name": "nobody", "topics": topic}
    monkeypatch.setattr(
        land, "work", lambda context: land._await_others(worker, sink, {(topic, 0): 1})
    )
    signal.signal(signal.SIGTERM, lambda number, frame: land.on_kill())
    threading.Timer(2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    began = time.monotonic()
    with pytest.raises(AirflowException, match="the task was killed"):
        land.execute({})
    assert time.monotonic() - began < 2 + BUDGET / 2

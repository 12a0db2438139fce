"""The sensor and its trigger, with the real broker."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

import penstock
from penstock_airflow.sensors.lag import ConnectorLagSensor
from penstock_airflow.triggers import lag
from penstock_airflow.triggers.lag import (
    BACKOFF_MAX,
    THREADS,
    UNCLEAR_TRIES,
    ConnectorLagTrigger,
    backoff,
    outlook_of,
)
from tests.airflow.conftest import RunDag, connection
from tests.conftest import TopicFactory
from tests.integration.landing import fill, sink
from tests.services import Kafka
from tests.services.process import free_port
from tests.support import KafkaClient


def catch_up(connections: dict[str, Any], topic: str, folder: Path) -> None:
    """Land all that is there, as a daemon would."""
    worker = {"bootstrap.servers": connections["bootstrap.servers"]}
    settings = sink(topic, folder.as_uri(), None)
    penstock.run(worker, settings, until="end", timeout=60)


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_sensor_waits_until_all_has_landed(
    deferrable: bool,
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    client: KafkaClient,
    tmp_path: Path,
) -> None:
    topic = topics(2)
    fill(client, topic, 20, 2)
    landing = threading.Timer(3, catch_up, (connections, topic, tmp_path))
    landing.start()
    began = time.monotonic()
    run = run_dag(
        lambda: ConnectorLagSensor(
            task_id="landed",
            connector=str(sink(topic, "file:///x", None)["name"]),
            topics=topic,
            deferrable=deferrable,
            poke_interval=0.5,
            timeout=60,
        )
    )
    landing.join()
    assert run.states == {"landed": "success"}
    assert run.results["landed"] == {"lag": 0, "partitions": {topic: {"0": 0, "1": 0}}}
    assert time.monotonic() - began > 3


def test_a_lag_that_is_allowed(
    connections: dict[str, Any], topics: TopicFactory, client: KafkaClient
) -> None:
    topic = topics(1)
    fill(client, topic, 5)
    context: Any = {}

    def poke(**more: Any) -> Any:
        task = ConnectorLagSensor(task_id="t", connector="nobody", topics=[topic], **more)
        return task.poke(context)

    assert not poke(max_lag=4).is_done
    assert poke(max_lag=5).is_done
    assert poke(max_lag=5).xcom_value == {"lag": 5, "partitions": {topic: {"0": 5}}}
    waiting = ConnectorLagSensor(task_id="w", connector="n", topics="no-such-topic")
    assert not waiting.poke(context).is_done


def test_the_trigger_goes_through_the_database() -> None:
    trigger = ConnectorLagTrigger("c", ["t"], 3, "kafka", 1.5, 2.5)
    path, arguments = trigger.serialize()
    assert path == "penstock_airflow.triggers.lag.ConnectorLagTrigger"
    assert ConnectorLagTrigger(**arguments).serialize() == (path, arguments)


def test_a_hanging_broker_does_not_hold_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More triggers than threads, none of which gets an answer: the loop ticks on."""
    with Kafka() as kafka:
        extras = {"bootstrap.servers": kafka.bootstrap}
        monkeypatch.setenv(
            "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
        )
        kafka.pause()
        gaps = asyncio.run(_ticks_beside_triggers(2 * THREADS))
        kafka.resume()
    print(f"longest gap of the loop: {max(gaps):.3f} s")
    assert max(gaps) < 0.5
    names = [t.name for t in threading.enumerate() if t.name.startswith("penstock-lag")]
    assert len(names) <= THREADS


async def _ticks_beside_triggers(n: int) -> list[float]:
    async def one() -> None:
        trigger = ConnectorLagTrigger("c", ["t"], request_timeout=1, poll_interval=0.2)
        async for _ in trigger.run():
            raise AssertionError("an event without an answer")

    waiting = [asyncio.create_task(one()) for _ in range(n)]
    await asyncio.sleep(1)  # imports are over
    gaps = []
    for _ in range(100):
        began = time.monotonic()
        await asyncio.sleep(0.02)
        gaps.append(time.monotonic() - began)
    for task in waiting:
        assert not task.done()
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return gaps


def use_kafka(patch: pytest.MonkeyPatch, **extras: Any) -> None:
    """`kafka_default` with these extras; `_` for `.`."""
    named = {name.replace("_", "."): value for name, value in extras.items()}
    text = connection(conn_type="kafka", extra=named)
    patch.setenv("AIRFLOW_CONN_KAFKA_DEFAULT", text)


async def first_event(trigger: ConnectorLagTrigger) -> Any:
    """What a trigger fires with."""
    async for event in trigger.run():
        return event.payload


class Ask:
    """Stands in for `ask`: raises these in turn, then there is no lag."""

    def __init__(self, errors: list[Exception]) -> None:
        self.left = errors

    def __call__(self, *args: Any) -> tuple[int, list[Any]]:
        if self.left:
            raise self.left.pop(0)
        return 0, []


def waits_of(
    monkeypatch: pytest.MonkeyPatch, errors: list[Exception], poll_interval: float
) -> tuple[Any, list[float]]:
    """A trigger's event after these errors, and how long it slept between two looks."""
    waits = list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    use_kafka(monkeypatch, bootstrap_servers="127.0.0.1:1")
    monkeypatch.setattr(lag, "ask", Ask(errors))
    monkeypatch.setattr(lag.asyncio, "sleep", sleep)  # type: ignore[attr-defined]
    trigger = ConnectorLagTrigger("c", ["t"], poll_interval=poll_interval)
    return asyncio.run(first_event(trigger)), waits


LOADING = penstock.RetriableError("COORDINATOR_LOAD_IN_PROGRESS", retriable=True)
AWAY = penstock.FatalError("no broker", code="timeout", unreachable=True)
UNKNOWN = penstock.FatalError("never heard of", code="kafka")


def test_what_passes_is_asked_again_ever_more_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event, waits = waits_of(monkeypatch, [LOADING, AWAY] * 10, 5)
    assert event == {"lag": 0, "partitions": {}}
    assert len(waits) == 20
    assert 3.75 <= waits[0] <= 5
    for before, after in itertools.pairwise(waits[:4]):
        assert 1.4 < after / before < 2.8
    assert all(0.75 * BACKOFF_MAX <= wait <= BACKOFF_MAX for wait in waits[5:])
    assert backoff(1000, 300) <= 300


def test_what_is_not_known_is_asked_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    few = [UNKNOWN] * (UNCLEAR_TRIES - 1)
    event, _ = waits_of(monkeypatch, [*few, LOADING, *few], 1)
    assert event == {"lag": 0, "partitions": {}}
    event, waits = waits_of(monkeypatch, [OSError("the API is away")] * 99, 1)
    assert event["error"].endswith("the API is away")
    assert not event["final"]
    assert len(waits) == UNCLEAR_TRIES - 1
    task = ConnectorLagSensor(task_id="t", connector="c", topics="t")
    context: Any = {}
    with pytest.raises(AirflowException, match="the API is away") as caught:
        task.execute_complete(context, event)
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize(
    "error",
    [
        penstock.FatalError("no permission for the group", code="auth"),
        penstock.FatalError("credentials", code="auth", unreachable=True),
        penstock.ConfigError("session.timeout.m is unknown"),
        ValueError("name is too long"),
    ],
)
def test_what_is_final(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outlook_of(error) == "final"
    event, waits = waits_of(monkeypatch, [error], 1)
    assert event["final"]
    assert event["error"] == f"lag of c, connection kafka_default: {error}"
    assert not waits


def test_a_broker_that_comes_and_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The trigger outlasts a broker that is not there, and one that restarts: its group
    coordinator loads then."""
    kafka = Kafka().start()
    client = KafkaClient(kafka.bootstrap)
    client.create_topic("t")
    fill(client, "t", 5)
    kafka.stop()
    use_kafka(monkeypatch, bootstrap_servers=kafka.bootstrap)
    trigger = ConnectorLagTrigger("c", ["t"], request_timeout=2, poll_interval=0.2)

    async def watch() -> Any:
        waiting = asyncio.create_task(first_event(trigger))
        await asyncio.sleep(1)
        await asyncio.to_thread(kafka.start)
        await asyncio.sleep(1)
        await asyncio.to_thread(kafka.restart)
        assert not waiting.done(), waiting.result()
        worker = {"bootstrap.servers": kafka.bootstrap}
        landed = sink("t", tmp_path.as_uri(), None) | {"name": "c"}
        options: dict[str, Any] = {"until": "end", "timeout": 60}
        await asyncio.to_thread(penstock.run, worker, landed, **options)
        return await asyncio.wait_for(waiting, 60)

    try:
        event = asyncio.run(watch())
    finally:
        kafka.close()
    assert event == {"lag": 0, "partitions": {"t": {"0": 0}}}


def test_credentials_that_a_broker_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """librdkafka tells of it as of a broker that does not answer."""
    kafka, port = Kafka(), free_port()
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    right = uuid.uuid4().hex
    addresses = f"PLAINTEXT://{kafka.bootstrap},CONTROLLER://127.0.0.1:"
    kafka.properties |= {
        "listeners": f"{addresses}{kafka.controller_port},SASL://127.0.0.1:{port}",
        "listener.security.protocol.map": (
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT"
        ),
        "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": (
            f'{module} required user_me="{right}";'
        ),
    }
    secure = {
        "bootstrap_servers": f"127.0.0.1:{port}", "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN", "sasl_username": "me",
    }  # fmt: skip
    trigger = ConnectorLagTrigger("c", ["t"], request_timeout=5, poll_interval=0.2)
    sensor = ConnectorLagSensor(task_id="t", connector="c", topics="t", request_timeout=5)
    context: Any = {}
    with kafka:
        client = KafkaClient(kafka.bootstrap)
        client.create_topic("t")
        use_kafka(monkeypatch, **secure, sasl_password=right)
        assert sensor.poke(context).is_done
        use_kafka(monkeypatch, **secure, sasl_password=uuid.uuid4().hex)
        payload = asyncio.run(asyncio.wait_for(first_event(trigger), 60))
        with pytest.raises(AirflowFailException, match=r"(?i)authentication"):
            sensor.poke(context)
    assert payload["final"]
    assert "uthentication" in payload["error"]
    assert "connection kafka_default" in payload["error"]


def test_what_will_not_change_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {"bootstrap.servers": "127.0.0.1:1", "oauth_cb": "a.b"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
    )

    payload = asyncio.run(first_event(ConnectorLagTrigger("c", ["t"])))
    assert "oauth_cb is a Python callback" in payload["error"]
    task = ConnectorLagSensor(task_id="t", connector="c", topics="t")
    context: Any = {}
    with pytest.raises(AirflowFailException, match="oauth_cb"):
        task.execute_complete(context, payload)
    with pytest.raises(AirflowFailException, match="no event"):
        task.execute_complete(context, None)

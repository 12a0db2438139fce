"""The sensor and its trigger, with the real broker."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from penstock_airflow.sensors.lag import ConnectorLagSensor
from penstock_airflow.triggers.lag import THREADS, ConnectorLagTrigger
from tests.airflow.conftest import RunDag, connection
from tests.conftest import TopicFactory
from tests.integration.landing import fill, sink
from tests.services import Kafka
from tests.support import KafkaClient


def catch_up(connections: dict[str, Any], topic: str, folder: Path) -> None:
    """Land all that is there, as a daemon would."""
    import penstock

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


def test_what_will_not_change_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {"bootstrap.servers": "127.0.0.1:1", "oauth_cb": "a.b"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
    )

    async def first() -> Any:
        async for event in ConnectorLagTrigger("c", ["t"]).run():
            return event.payload

    payload = asyncio.run(first())
    assert "oauth_cb is a Python callback" in payload["error"]
    task = ConnectorLagSensor(task_id="t", connector="c", topics="t")
    context: Any = {}
    with pytest.raises(AirflowFailException, match="oauth_cb"):
        task.execute_complete(context, payload)
    with pytest.raises(AirflowFailException, match="no event"):
        task.execute_complete(context, None)

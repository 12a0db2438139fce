"""What only a whole Airflow does: a sensor in the triggerer, DAGs started by assets."""

from __future__ import annotations

import re
import time

import pytest

from tests.airflow.bringup.conftest import CONNECTOR, TOPIC
from tests.airflow.bringup.rest import Rest, Task
from tests.support import Bucket, Daemon, KafkaClient

pytestmark = [pytest.mark.timeout(300), pytest.mark.services]
PRODUCE, LAND, READ = (f"penstock_assets_{name}" for name in ("produce", "land", "read"))


def test_a_sensor_waits_in_the_triggerer(
    rest: Rest, client: KafkaClient, lander: Daemon
) -> None:
    assert lander.term() == 0
    rest.pause("penstock_every_minute")
    client.produce(TOPIC, ['{"id": "one more"}'])
    task = Task("penstock_lag_sensor", rest.trigger("penstock_lag_sensor"), "landed")
    rest.wait(task, ["deferred"])
    time.sleep(6)  # the triggerer has looked, too
    assert rest.task(task)["state"] == "deferred"
    lander.start()
    assert rest.wait(task)["state"] == "success"
    assert rest.result(task) == {"lag": 0, "partitions": {TOPIC: {"0": 0}}}
    said = [line.text for line in rest.log(task)]
    behind = rf"{CONNECTOR} is [1-9]\d* records behind"
    assert any(re.search(behind, line) for line in said), said
    assert rest.wait_run(task.dag, task.run) == "success"


def test_assets_start_dags(rest: Rest, bucket: Bucket) -> None:
    run = rest.trigger(PRODUCE)
    assert rest.wait_run(PRODUCE, run) == "success"
    for dag in (LAND, READ):
        deadline = time.monotonic() + 60
        while not rest.runs(dag):
            assert time.monotonic() < deadline, f"{dag} was not started"
            time.sleep(0.2)
        assert rest.wait_run(dag, rest.runs(dag)[0]["dag_run_id"]) == "success"
    assert bucket.keys(f"assets/{TOPIC}/")

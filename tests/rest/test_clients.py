"""Public clients of Kafka Connect, as their packages are, against penstockd.

Each goes through a connector's life: validate, create, list, status, pause, resume,
restart, change, stop, delete; and says what the daemon refuses.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from kafka_connect import KafkaConnect
from kafka_connect_api.errors import GenericNotFound
from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, fill, sink, until, wait_committed
from tests.rest.client import Rest, serving
from tests.services.minio import Minio
from tests.support import KafkaClient

RECORDS = 300
Setup = tuple[Rest, dict[str, str], Callable[[], None]]


@pytest.fixture
def setup(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> Setup:
    """A daemon without connectors, a sink's settings as strings, a wait till it lands."""
    topic, bucket = topics(2), buckets()
    fill(client, topic, RECORDS, 2)
    worker = {**FAST_GROUP, "listeners": "http://127.0.0.1:0",
              "config.storage.dir": tmp_path / "connectors"}  # fmt: skip
    daemon = daemons(worker=worker)
    keys = {"aws__access__key__id": minio.access_key,
            "aws__secret__access__key": minio.secret_key}  # fmt: skip
    config = sink(
        topic, minio.endpoint, bucket.name, name="landing", tasks__max=2, **keys
    )

    def landed() -> None:
        wait_committed(client, topic, RECORDS, group="connect-landing", daemon=daemon)

    return serving(daemon), {name: str(value) for name, value in config.items()}, landed


def test_kafka_connect_py(setup: Setup) -> None:
    rest, config, landed = setup
    connect = KafkaConnect(url=rest.base)

    def reaches(*states: str) -> None:
        def now() -> list[str]:
            status = connect.get_connector_status("landing")
            return [status["connector"]["state"], *(t["state"] for t in status["tasks"])]

        until(lambda: now() == list(states), f"{states}")

    assert connect.get_cluster_info()["kafka_cluster_id"]
    assert "S3CsvSink" in [plugin["class"] for plugin in connect.list_connector_plugins()]
    assert connect.validate_connector_config("S3CsvSink", config)["error_count"] == 0
    wrong = connect.validate_connector_config("S3CsvSink", {**config, "flush.size": "x"})
    assert wrong["error_count"] == 1
    made = connect.create_connector({"name": "landing", "config": config})
    assert made["config"]["aws.secret.access.key"] == "[hidden]"
    with pytest.raises(requests.HTTPError, match="409"):
        connect.create_connector({"name": "landing", "config": config})
    reaches("RUNNING", "RUNNING", "RUNNING")
    landed()
    assert connect.list_connectors() == ["landing"]
    assert list(connect.list_connectors(expand="status", state="RUNNING")) == ["landing"]
    assert connect.list_connectors(expand="status", state="FAILED") == {}
    assert connect.get_connector("landing")["tasks"] == [
        {"connector": "landing", "task": task} for task in (0, 1)
    ]
    assert connect.get_connector_config("landing")["topics"] == config["topics"]
    assert [task["id"]["task"] for task in connect.list_connector_tasks("landing")] == [
        0,
        1,
    ]
    topics = connect.list_connector_topics("landing")
    assert topics == {"landing": {"topics": [config["topics"]]}}
    connect.pause_connector("landing")
    reaches("PAUSED", "PAUSED", "PAUSED")
    connect.resume_all_connectors(pattern="land.*")
    reaches("RUNNING", "RUNNING", "RUNNING")
    connect.restart_connector("landing")
    again = connect.restart_connector("landing", include_tasks="true")
    assert again["name"] == "landing"
    connect.restart_connector_task("landing", 1)
    reaches("RUNNING", "RUNNING", "RUNNING")
    assert connect.get_connector_task_status("landing", 1)["state"] == "RUNNING"
    connect.reset_connector_topics("landing")
    connect.update_connector("landing", {**config, "tasks.max": "1"})
    reaches("RUNNING", "RUNNING")
    connect.stop_connector("landing")
    reaches("STOPPED")
    connect.delete_connector("landing")
    assert connect.list_connectors() == []
    with pytest.raises(requests.HTTPError):
        connect.delete_connector("landing")


def command(rest: Rest, *args: str) -> Any:
    """The same package's program, `kc`: what it prints."""
    program = Path(sys.executable).parent / "kc"
    env = {**os.environ, "KAFKA_CONNECT_URL": rest.base}
    done = subprocess.run([program, *args], env=env, capture_output=True, text=True,
                          check=True)  # fmt: skip
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_kc_of_the_command_line(setup: Setup) -> None:
    rest, config, landed = setup
    data = json.dumps({"name": "landing", "config": config})
    assert command(rest, "create", "-d", data)["type"] == "sink"
    landed()
    assert command(rest, "list") == ["landing"]
    assert command(rest, "status", "landing")["connector"]["state"] == "RUNNING"
    command(rest, "pause", "landing")
    until(lambda: rest.states("landing") == ["PAUSED"] * 3, "a pause")
    assert list(command(rest, "list", "-e", "status", "-s", "PAUSED")) == ["landing"]
    command(rest, "resume", "--all")
    until(lambda: rest.states("landing") == ["RUNNING"] * 3, "a resume")
    assert command(rest, "restart", "landing")["name"] == "landing"
    command(rest, "delete", "landing")
    assert command(rest, "list") == []


def test_kafka_connect_api(setup: Setup) -> None:
    rest, config, landed = setup
    api = Api(url=rest.base)
    cluster = Cluster(api)

    def reaches(*states: str) -> None:
        until(
            lambda: (
                [connector.state, *(task.state for task in connector.tasks)]
                == list(states)
            ),
            f"{states}",
        )

    connector = Connector(cluster, "landing")
    assert cluster.version
    assert cluster.kafka_cluster
    assert cluster.connectors == {}
    with pytest.raises(GenericNotFound):
        connector.exists()
    validate = "/connector-plugins/S3CsvSink/config/validate"
    assert api.put(validate, json=config)["error_count"] == 0
    connector.config = config  # a PUT makes it
    assert connector.exists()
    assert list(cluster.connectors) == ["landing"]
    assert connector.connector_class == "S3CsvSink"
    reaches("RUNNING", "RUNNING", "RUNNING")
    landed()
    assert all(task.is_running() for task in connector.tasks)
    connector.pause()
    reaches("PAUSED", "PAUSED", "PAUSED")
    connector.resume()
    reaches("RUNNING", "RUNNING", "RUNNING")
    connector.restart()
    connector.restart_all_tasks()
    reaches("RUNNING", "RUNNING", "RUNNING")
    connector.cycle_connector()
    reaches("RUNNING", "RUNNING", "RUNNING")
    cluster.root_logger = "DEBUG"
    assert cluster.root_logger["level"] == "DEBUG"
    connector.delete()
    assert cluster.connectors == {}

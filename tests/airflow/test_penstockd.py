"""PenstockHook and ConnectorOperator against penstockd's own REST, with a password."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from penstock_airflow.hooks.penstock import PenstockHook, RestError
from penstock_airflow.operators.connector import ConnectorOperator
from tests.airflow.conftest import RunDag, connection
from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, fill, sink, until, wait_committed
from tests.rest.client import serving
from tests.services import Minio
from tests.support import Daemon, KafkaClient
from tests.support.daemon import binary

RECORDS, PASSWORD, WRONG = 200, "correct horse", "battery"


@pytest.fixture
def daemon(
    daemons: DaemonFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Daemon:
    """A daemon without connectors, and the connection to it."""
    users = tmp_path / "users"
    users.write_text(
        subprocess.run(
            [binary(), "--hash-password", "op"],
            input=f"{PASSWORD}\n", capture_output=True, text=True, check=True,
        ).stdout
    )  # fmt: skip
    worker = {**FAST_GROUP, "listeners": "http://127.0.0.1:0", "rest.auth": "basic",
              "rest.auth.file": users, "config.storage.dir": tmp_path / "c"}  # fmt: skip
    running = daemons(worker=worker)
    port = int(serving(running).base.rsplit(":", 1)[1])
    text = connection(
        conn_type="penstock", host="127.0.0.1", port=port, login="op",
        password=PASSWORD, extra={"timeout": 10},
    )  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_PENSTOCK_DEFAULT", text)
    return running


def test_a_connectors_life_in_a_dag(
    daemon: Daemon,
    run_dag: RunDag,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(2), buckets()
    fill(client, topic, RECORDS, 2)
    keys = {"aws__access__key__id": minio.access_key,
            "aws__secret__access__key": minio.secret_key}  # fmt: skip
    config = sink(topic, minio.endpoint, bucket.name, tasks__max=2, **keys)
    name = config["name"]
    ok, text = PenstockHook().test_connection()
    assert ok, text

    def build() -> None:
        def step(action: Any, **more: Any) -> ConnectorOperator:
            return ConnectorOperator(
                task_id=action, connector=name, action=action, settle_seconds=1, **more
            )

        (
            step("configure", config=config)
            >> step("pause")
            >> step("resume")
            >> step("restart")
            >> step("stop")
            >> step("status")
        )

    run = run_dag(build)
    assert set(run.states.values()) == {"success"}, daemon.log[-3000:]
    states = {task: said["connector"]["state"] for task, said in run.results.items()}
    assert states == {
        "configure": "RUNNING", "pause": "PAUSED", "resume": "RUNNING",
        "restart": "RUNNING", "stop": "STOPPED", "status": "STOPPED",
    }  # fmt: skip
    with PenstockHook().session() as rest:
        rest.resume(name)
        wait_committed(client, topic, RECORDS, daemon=daemon)
        until(lambda: len(rest.offsets(name)) == 2, "two offsets")
        assert sum(o["offset"]["kafka_offset"] for o in rest.offsets(name)) == RECORDS
        assert rest.config(name)["aws.secret.access.key"] == "[hidden]"
        rest.delete(name)
        assert rest.connectors() == []
        with pytest.raises(RestError, match="404") as caught:
            rest.delete(name)
        assert caught.value.status == 404
    assert minio.secret_key not in daemon.log
    assert PASSWORD not in daemon.log


def test_a_wrong_password_is_told(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(serving(daemon).base.rsplit(":", 1)[1])
    text = connection(conn_type="penstock", host="127.0.0.1", port=port, login="op",
                      password=WRONG)  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_PENSTOCK_DEFAULT", text)
    ok, said = PenstockHook().test_connection()
    assert not ok
    assert "401" in said

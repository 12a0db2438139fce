"""Fixtures of the provider's tests: connections to real services, DAGs run at once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.services import Kafka, Minio, RandomUserApi

SCHEMA = "id STRING, full_name STRING, email STRING, postcode STRING, latitude DOUBLE"


def connection(**parts: Any) -> str:
    """A connection as AIRFLOW_CONN_… has it."""
    return json.dumps(parts)


@pytest.fixture
def connections(
    monkeypatch: pytest.MonkeyPatch, kafka: Kafka, minio: Minio
) -> dict[str, Any]:
    """`kafka_default` and `aws_default` of the session's services; the Kafka extras."""
    extras: dict[str, Any] = {
        "bootstrap.servers": kafka.bootstrap,
        "group.id": "of-another-operator",
        "consumer.session.timeout.ms": 3000,
        "socket.keepalive.enable": True,
    }
    aws = {"endpoint_url": minio.endpoint, "region_name": minio.region}
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
    )
    monkeypatch.setenv(
        "AIRFLOW_CONN_AWS_DEFAULT",
        connection(
            conn_type="aws", login=minio.access_key, password=minio.secret_key, extra=aws
        ),
    )
    return extras


@dataclass
class Run:
    """What a DAG's run did: states and results by task id."""

    state: str
    states: dict[str, str] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)


RunDag = Callable[..., Run]


@dataclass
class Instance:
    """What an operator asks of a task's instance, where no Airflow runs it."""

    map_index: int = -1
    try_number: int = 1

    def xcom_push(self, key: str, value: Any) -> None:
        """Nobody reads it."""


def _register(dag: Any) -> None:
    """Airflow 3 runs only what its database knows: what a DAG processor would do."""
    try:
        from airflow.dag_processing.bundles import manager
        from airflow.dag_processing.collection import update_dag_parsing_results_in_db
        from airflow.serialization.serialized_objects import LazyDeserializedDAG
    except ImportError:  # Airflow 2
        return
    from airflow.utils.session import create_session

    with create_session() as session:
        bundles: Any = manager.DagBundlesManager
        bundles().sync_bundles_to_db(session=session)
        session.commit()
        lazy = [LazyDeserializedDAG.from_dag(dag)]
        update_dag_parsing_results_in_db(
            "dags-folder", None, lazy, {}, None, set(), session=session
        )


def _test(dag: Any, options: dict[str, Any]) -> Any:
    """The run. Airflow 2 lets what ended a task from outside through."""
    from airflow.models import DagRun
    from airflow.providers.common.compat.sdk import AirflowTaskTimeout

    try:
        return dag.test(**options)
    except BaseException as error:
        ended = isinstance(error, AirflowTaskTimeout)
        if not ended and type(error).__name__ != "AirflowTaskTerminated":
            raise
        return DagRun.find(dag_id=dag.dag_id)[0]


def run_made(dag: Any, options: dict[str, Any]) -> Run:
    """Run a DAG that is there: what its tasks did."""
    _register(dag)
    done = _test(dag, options)
    run = Run(str(done.state))
    for ti in done.get_task_instances():
        run.states[ti.task_id] = str(ti.state)
        run.results[ti.task_id] = ti.xcom_pull(task_ids=ti.task_id)
    return run


@pytest.fixture
def run_dag() -> RunDag:
    """`run_dag(build)`: `build()` makes tasks inside a new DAG, which is run at once."""
    from airflow.providers.common.compat.sdk import DAG

    def run(build: Callable[[], object], **options: Any) -> Run:
        dag_id = f"dag-{uuid.uuid4().hex[:8]}"
        began = datetime(2024, 1, 1, tzinfo=UTC)
        with DAG(dag_id=dag_id, schedule=None, start_date=began, catchup=False) as dag:
            build()
        return run_made(dag, options)

    return run


@pytest.fixture
def recorded(api: RandomUserApi) -> str:
    """The address of the stand-in of randomuser.me."""
    return api.url

"""Airflow's command line: the provider is known, a connection is added and tested."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from penstock_airflow.get_provider_info import get_provider_info
from tests.services import Kafka, ServiceError, airflow_env
from tests.services.airflow import Airflow
from tests.services.connect import Connect, jars

VERSION = (airflow_env.ROOT / "VERSION").read_text().strip()
pytestmark = [pytest.mark.timeout(300), pytest.mark.services]

jars()  # Maven may take its time: not on a test's clock


@pytest.fixture(scope="module")
def connect(kafka: Kafka) -> Iterator[Connect]:
    """A Connect worker: the REST that connections of type penstock are for."""
    with Connect(kafka.bootstrap) as worker:
        yield worker


def test_providers_get(airflow: Airflow) -> None:
    said = airflow.cli("providers", "get", "penstock", "-o", "json")
    (row,) = json.loads(said[said.index("[{") :])
    assert row == {"Provider": "penstock", "Version": VERSION}
    said = airflow.cli("providers", "get", "penstock", "--full", "-o", "json")
    (row,) = json.loads(said[said.index("[{") :])
    ours = get_provider_info()
    assert row["package-name"] == ours["package-name"]
    assert row["extra-links"] == ours["extra-links"]


def test_connections_add_and_test(airflow: Airflow, connect: Connect) -> None:
    name = "penstock_by_cli"
    airflow.cli(
        "connections", "add", name, "--conn-type", "penstock", "--conn-host", "127.0.0.1",
        "--conn-port", str(connect.port), "--conn-extra", '{"timeout": 7}',
    )  # fmt: skip
    assert "Connection success!" in airflow.cli("connections", "test", name)
    connect.stop()
    try:
        said = airflow.cli("connections", "test", name)
    except ServiceError as error:  # Airflow 3 says it by its status, too
        said = str(error)
    assert "Connection failed!" in said or "status 1" in said, said
    assert "Connection success!" not in said

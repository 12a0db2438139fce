"""One Airflow for all tests, with its connections; what lands the every-minute topic.

The every-minute DAG runs from the start, unattended, while the other tests go on.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import penstock_airflow
from tests.airflow.bringup.rest import Rest
from tests.airflow.conftest import connection
from tests.conftest import s3_client
from tests.services import Kafka, Minio, RandomUserApi
from tests.services.airflow import Airflow
from tests.support import Bucket, Daemon, KafkaClient, sink_config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LINE = os.environ.get("PENSTOCK_AIRFLOW_LINE", "3")
TOPIC, BUCKET, CONNECTOR = "users", "lake", "users-sink"
COLUMNS = "offset, id, full_name, email, postcode, latitude"
SCHEMA = "id STRING, full_name STRING, email STRING, postcode STRING, latitude DOUBLE"
HERE = Path(__file__).resolve().parent
EXAMPLES = Path(str(penstock_airflow.__file__)).parent / "example_dags"
SHOWN = ("example_every_minute.py", "example_assets.py", "example_lag_sensor.py")
SCREENSHOTS = HERE.parent.parent.parent / "build" / "screenshots"


@pytest.fixture(scope="session")
def late() -> Iterator[Kafka]:
    """A broker that is not there yet: the test that wants it starts it."""
    broker = Kafka()
    yield broker
    broker.close()


@pytest.fixture(scope="session")
def silent() -> Iterator[int]:
    """A port that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="session")
def store() -> Iterator[Minio]:
    """An S3 server to be stopped and paused, with the bucket."""
    with Minio() as server:
        Bucket(s3_client(server), BUCKET).create()
        yield server


@pytest.fixture(scope="session")
def bucket(s3: S3Client) -> Bucket:
    """Where all else lands."""
    return Bucket(s3, BUCKET).create()


@pytest.fixture(scope="session")
def lander(
    kafka: Kafka,
    client: KafkaClient,
    minio: Minio,
    bucket: Bucket,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Daemon]:
    """penstockd, landing the every-minute topic."""
    client.create_topic(TOPIC)
    sink = sink_config(
        TOPIC, SCHEMA, minio.endpoint, bucket.name, name=CONNECTOR, select=COLUMNS
    )
    worker = {"bootstrap.servers": kafka.bootstrap, "listeners": ""}
    folder = tmp_path_factory.mktemp("lander")
    with Daemon(folder, worker, sink, env=minio.aws_env()) as daemon:
        yield daemon


def _aws(minio: Minio) -> str:
    extra = {"endpoint_url": minio.endpoint, "region_name": minio.region}
    return connection(
        conn_type="aws", login=minio.access_key, password=minio.secret_key, extra=extra
    )


def _kafka(bootstrap: str) -> str:
    return connection(conn_type="kafka", extra={"bootstrap.servers": bootstrap})


@pytest.fixture(scope="session")
def airflow(
    kafka: Kafka,
    late: Kafka,
    silent: int,
    minio: Minio,
    store: Minio,
    api_server: RandomUserApi,
    lander: Daemon,
) -> Iterator[Airflow]:
    """The whole Airflow; nothing of it is left behind."""
    env = {
        "AIRFLOW_CONN_KAFKA_DEFAULT": _kafka(kafka.bootstrap),
        "AIRFLOW_CONN_KAFKA_LATE": _kafka(late.bootstrap),
        "AIRFLOW_CONN_KAFKA_SILENT": _kafka(f"127.0.0.1:{silent}"),
        "AIRFLOW_CONN_AWS_DEFAULT": _aws(minio),
        "AIRFLOW_CONN_AWS_PAUSED": _aws(store),
        "PENSTOCK_EXAMPLE_URL": api_server.url,
        "PENSTOCK_EXAMPLE_TOPIC": TOPIC,
        "PENSTOCK_EXAMPLE_BUCKET": BUCKET,
    }
    dags = [HERE / "dags" / "kills.py", *(EXAMPLES / name for name in SHOWN)]
    began = time.monotonic()
    whole = Airflow(LINE, dags=dags, env=env)
    with whole:
        print(f"Airflow {whole.version}: healthy after {whole.start_seconds:.0f} s")
        yield whole
        took = whole.stop()
        print(f"stopped: {took}; all in all {time.monotonic() - began:.0f} s")
    assert not whole.processes()


@pytest.fixture(scope="session")
def rest(airflow: Airflow) -> Rest:
    """Its API. The DAGs are there, and run: until now they were paused."""
    session = Rest(airflow)
    for dag in ("penstock_every_minute", "kill_landing", "penstock_assets_read"):
        session.wait_dag(dag)
    for dag in session.dags():
        session.pause(dag, False)
    return session

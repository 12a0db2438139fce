"""Fixtures of all pytest suites, and the rule that a skipped test is a failed one in CI.

`kafka`, `minio` and the API live as long as the session; topics and buckets are made
per test with names of their own, so tests do not see each other.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import pytest
from botocore.config import Config

from tests.services import Kafka, Minio, RandomUserApi, install
from tests.support import Bucket, Daemon, KafkaClient

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Report = TypeVar("Report")
Reporting = Generator[None, Report, Report]
TopicFactory = Callable[..., str]
BucketFactory = Callable[[], Bucket]
DaemonFactory = Callable[..., Daemon]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`: a skipped test fails; the default when $CI is set."""
    parser.addoption(
        "--no-skips",
        action="store_true",
        default=bool(os.environ.get("CI")),
        help="report a skipped test as failed (the default when CI is set)",
    )


def _fail_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: a skipped test counts as failed: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Reporting[pytest.TestReport]:
    """Turn a skip into a failure under --no-skips."""
    report = yield
    if item.config.getoption("no_skips"):
        _fail_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Reporting[pytest.CollectReport]:
    """The same for a module that skips itself while it is collected."""
    report = yield
    if collector.config.getoption("no_skips"):
        _fail_skip(report)
    return report


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch the services before the first test's clock runs: it can take minutes."""
    wanted = {"kafka", "minio"}
    for item in session.items:
        if isinstance(item, pytest.Function) and wanted & set(item.fixturenames):
            install.everything()
            return


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """The session's broker. A test that stops or wipes one starts its own."""
    with Kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def client(kafka: Kafka) -> KafkaClient:
    """A client of the session's broker."""
    return KafkaClient(kafka.bootstrap)


@pytest.fixture(scope="session")
def minio() -> Iterator[Minio]:
    """The session's S3 server. A test that stops one starts its own."""
    with Minio() as server:
        yield server


def s3_client(minio: Minio) -> S3Client:
    """A boto3 client of an S3 server."""
    return boto3.client(
        "s3",
        endpoint_url=minio.endpoint,
        aws_access_key_id=minio.access_key,
        aws_secret_access_key=minio.secret_key,
        region_name=minio.region,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}),
    )


@pytest.fixture(scope="session")
def s3(minio: Minio) -> S3Client:
    """A boto3 client of the session's S3 server."""
    return s3_client(minio)


@pytest.fixture(scope="session")
def api_server() -> Iterator[RandomUserApi]:
    """The stand-in of randomuser.me for the whole session."""
    with RandomUserApi() as server:
        yield server


@pytest.fixture
def api(api_server: RandomUserApi) -> Iterator[RandomUserApi]:
    """The stand-in with no faults queued and an empty request log."""
    api_server.clear()
    yield api_server
    api_server.clear()


def _unique(request: pytest.FixtureRequest) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{name[:40].rstrip('-')}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def topics(client: KafkaClient, request: pytest.FixtureRequest) -> TopicFactory:
    """`topics(partitions=1, **config) -> name`: a new topic; config names with `_`."""

    def make(partitions: int = 1, name: str | None = None, **config: Any) -> str:
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        return client.create_topic(name or _unique(request), partitions, settings)

    return make


@pytest.fixture
def buckets(s3: S3Client, request: pytest.FixtureRequest) -> Iterator[BucketFactory]:
    """`buckets() -> Bucket`: a new bucket, removed after the test."""
    made: list[Bucket] = []

    def make() -> Bucket:
        bucket = Bucket(s3, _unique(request)).create()
        made.append(bucket)
        return bucket

    yield make
    for bucket in made:
        bucket.remove()


@pytest.fixture
def daemons(kafka: Kafka, minio: Minio, tmp_path: Path) -> Iterator[DaemonFactory]:
    """`daemons(*connectors, worker={}, **daemon_options) -> Daemon`, started.

    The worker's settings point at the session's broker, REST is off, and the
    environment has the S3 server's credentials. All are killed after the test.
    """
    running: list[Daemon] = []

    def make(
        *connectors: dict[str, Any],
        worker: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
        start: bool = True,
        **options: Any,
    ) -> Daemon:
        settings = {
            "bootstrap.servers": kafka.bootstrap,
            "listeners": "",
            **(worker or {}),
        }
        folder = tmp_path / f"penstockd-{len(running)}"
        environment = {**minio.aws_env(), **(env or {})}
        daemon = Daemon(folder, settings, *connectors, env=environment, **options)
        running.append(daemon)
        return daemon.start() if start else daemon

    yield make
    for daemon in running:
        daemon.close()

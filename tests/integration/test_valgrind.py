"""A start, a drain and a stop under valgrind: no leak, no error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import fill, group_of, sink, wait_committed
from tests.services.minio import Minio
from tests.services.randomuser_api import RandomUserApi
from tests.support import Daemon, KafkaClient, audit, source_config

# Everything runs some twenty times slower: no one shall be thrown out of the group.
SLOW = {"consumer.session.timeout.ms": 45000, "startup.timeout.ms": 60000}


def valgrind(report: Path) -> list[str]:
    """Valgrind's command line; an error or a leak makes the exit status 99."""
    return [
        "valgrind",
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect",
        "--errors-for-leak-kinds=definite,indirect",
        "--num-callers=30",
        f"--log-file={report}",
    ]


def check(daemon: Daemon, status: int, report: Path) -> None:
    """It ended well, and valgrind has nothing to say."""
    found = [
        line for line in report.read_text().splitlines() if re.match(r"==\d+== \S", line)
    ]
    assert not found, "\n".join(found[:60])
    assert status == 0, daemon.log


@pytest.mark.timeout(240)
def test_sink_start_drain_stop(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
) -> None:
    topic, bucket, report = topics(3), buckets(), tmp_path / "valgrind.txt"
    records = fill(client, topic, 3000, 3)
    config = sink(topic, minio.endpoint, bucket.name, flush__size=300, tasks__max=2)
    daemon = daemons(config, worker=SLOW, wrapper=valgrind(report))
    wait_committed(client, topic, 3000, timeout=120, daemon=daemon)
    check(daemon, daemon.term(60), report)
    found = audit(topic, bucket, client, records=records, group=group_of(topic))
    assert found.records == 3000


@pytest.mark.timeout(240)
def test_source_until_its_end(
    daemons: DaemonFactory, topics: TopicFactory, api: RandomUserApi, tmp_path: Path
) -> None:
    topic, report = topics(1), tmp_path / "valgrind.txt"
    source = source_config(
        topic, api.url, max__users=500, users__per__second=0, randomuser__results=100
    )
    daemon = daemons(source, worker=SLOW, wrapper=valgrind(report))
    check(daemon, daemon.wait(120), report)

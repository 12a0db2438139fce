"""The two operators that run C connectors, with `dag.test()` against real services."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from penstock_airflow.operators.randomuser import RandomUserToKafkaOperator
from penstock_airflow.operators.s3csv import KafkaToS3CsvOperator
from tests.airflow.conftest import SCHEMA, RunDag, connection
from tests.conftest import BucketFactory, TopicFactory
from tests.support import KafkaClient, audit
from tests.support.script import run_script


def test_users_flow_into_the_bucket(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    recorded: str,
) -> None:
    topic, bucket = topics(2), buckets()

    def build() -> None:
        produce = RandomUserToKafkaOperator(
            task_id="produce",
            topic=topic,
            max_users=10,
            users_per_second=20,
            output="flat",
            url=recorded,
        )
        land = KafkaToS3CsvOperator(
            task_id="land",
            topics=[topic],
            schema=SCHEMA,
            bucket=bucket.name,
            prefix="lake",
            csv={"header": True},
            name=f"land-{topic}",
        )
        produce >> land

    run = run_dag(build)
    assert run.states == {"produce": "success", "land": "success"}
    produced, landed = run.results["produce"], run.results["land"]
    assert produced["produced"] == 10
    assert produced["topic"] == topic
    ends = client.end_offsets(topic)
    records = client.read_all(topic)
    assert len(records) == 10
    for partition, (first, last) in produced["offsets"].items():
        offsets = [r.offset for r in records if r.partition == int(partition)]
        assert (offsets[0], offsets[-1]) == (first, last)
        assert last < ends[int(partition)]
    assert landed["records"] == landed["rows"] == 10
    assert landed["objects"] == len(landed["offsets"][topic]) > 0
    assert landed["last_object"].startswith(f"s3://{bucket.name}/lake/{topic}/")
    report = audit(
        topic, bucket, client, group=f"connect-land-{topic}", prefix="lake", header=True
    )
    assert report.records == 10


def make_produce(topic: str, url: str, **more: Any) -> RandomUserToKafkaOperator:
    """A task that produces ten users at ten a second."""
    options: dict[str, Any] = {
        "task_id": "produce", "max_users": 10, "users_per_second": 10, "output": "flat",
        "name": f"produce-{topic}", "seed": "penstock-500",
    }  # fmt: skip
    return RandomUserToKafkaOperator(topic=topic, url=url, **{**options, **more})


def test_a_seed_that_is_produced_is_not_produced_again(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    client: KafkaClient,
    recorded: str,
) -> None:
    topic = topics(1)
    first = run_dag(lambda: make_produce(topic, recorded, users_per_second=0))
    again = run_dag(lambda: make_produce(topic, recorded, users_per_second=0))
    more = run_dag(
        lambda: make_produce(topic, recorded, users_per_second=0, max_users=12)
    )
    produced = [run.results["produce"]["produced"] for run in (first, again, more)]
    assert produced == [10, 0, 2]
    assert len({record.key for record in client.read_all(topic)}) == 12


def test_an_empty_drain_is_skipped_when_asked(
    connections: dict[str, Any],
    run_dag: RunDag,
    topics: TopicFactory,
    buckets: BucketFactory,
) -> None:
    topic, bucket = topics(1), buckets()

    def build() -> None:
        KafkaToS3CsvOperator(
            task_id="land",
            topics=topic,
            schema=SCHEMA,
            bucket=bucket.name,
            name=f"land-{topic}",
            skip_when_empty=True,
        )

    assert run_dag(build).states == {"land": "skipped"}


@pytest.mark.parametrize(
    ("extra", "more", "text"),
    [
        ({"error_cb": "my.module.f"}, {}, "error_cb is a Python callback"),
        ({"debug": ["broker"]}, {}, "debug must be a text, a number or true or false"),
        ({"bootstrap.servers": ""}, {}, "bootstrap.servers is missing in the extras"),
        ({"sasl.mechanismus": "PLAIN"}, {}, "sasl.mechanism"),
        ({}, {"config": {"randomuser.sed": "x"}}, "randomuser.seed"),
    ],
)
def test_wrong_settings_fail_without_a_retry(
    extra: dict[str, Any],
    more: dict[str, Any],
    text: str,
    connections: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extras = {**connections, **extra}
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
    )
    task = make_produce("t", "http://127.0.0.1:1/", **more)
    with pytest.raises(AirflowFailException, match=re.escape(text)):
        task.execute({})


def test_no_broker_fails_in_a_stated_time(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {"bootstrap.servers": "127.0.0.1:1"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAFKA_DEFAULT", connection(conn_type="kafka", extra=extras)
    )
    task = make_produce("t", "http://127.0.0.1:1/", connect_timeout=1)
    began = time.monotonic()
    with pytest.raises(AirflowException, match=r"127\.0\.0\.1:1") as caught:
        task.execute({})
    assert not isinstance(caught.value, AirflowFailException)
    assert time.monotonic() - began < 6


def test_nothing_is_made_before_execute(connections: dict[str, Any]) -> None:
    """Parsing makes operators every few seconds: no thread, no import of C."""
    text = """
        import sys, threading
        from penstock_airflow.operators.randomuser import RandomUserToKafkaOperator
        from penstock_airflow.operators.s3csv import KafkaToS3CsvOperator
        before = threading.active_count()
        RandomUserToKafkaOperator(task_id="a", topic="t")
        KafkaToS3CsvOperator(task_id="b", topics="t", schema="id STRING", bucket="b")
        assert threading.active_count() == before
        print([name for name in sys.modules if name.split(".")[0] == "penstock"])
    """
    assert run_script(text).strip().endswith("[]")

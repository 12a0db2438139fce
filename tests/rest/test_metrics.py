"""/metrics says what happened, as Prometheus reads it; the dashboard and the alerts ask
for nothing that it does not give.

A real daemon between a real broker and store; a real Prometheus scrapes it.
"""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, fill, sink, until
from tests.rest.client import Rest, serving
from tests.services.minio import Minio
from tests.services.prometheus import Prometheus, promtool
from tests.support import KafkaClient, Msg
from tests.support.daemon import ROOT

MONITORING = ROOT / "docs" / "monitoring"
WORKER = {**FAST_GROUP, "listeners": "http://127.0.0.1:0", "statistics.interval.ms": 500}
COUNT, PARTITIONS, BAD = 600, 3, 5

pytestmark = [pytest.mark.timeout(240)]


def samples(text: str) -> dict[str, float]:
    """Every series of an exposition and its value."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines)}


def scrape(rest: Rest) -> dict[str, float]:
    """The samples of now."""
    answer = rest("GET", "/metrics")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return samples(answer.text)


@pytest.fixture
def landed(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> tuple[Rest, str, int]:
    """A daemon that has landed COUNT records, skipped BAD, and how many objects."""
    topic, bucket = topics(PARTITIONS), buckets()
    fill(client, topic, COUNT, PARTITIONS)
    client.produce(topic, [Msg(b"no json")] * BAD)
    settings = sink(
        topic, minio.endpoint, bucket.name, json__mode="FAILFAST", errors__tolerance="all"
    )
    rest = serving(daemons(settings, worker=WORKER))
    task = f'{{connector="{settings["name"]}",task="0"}}'
    read = f"kafka_connect_sink_task_metrics_sink_record_read_total{task}"
    until(lambda: scrape(rest).get(read) == COUNT + BAD, "all to be read")

    def flushed() -> bool:
        now = scrape(rest)
        lag = [v for k, v in now.items() if k.startswith("penstock_consumer_lag{")]
        up = now[f"penstock_kafka_brokers_up{task}"]
        return len(lag) == PARTITIONS and not any(lag) and up == 1

    until(flushed, "no lag and librdkafka's statistics")
    keys = [key for key in bucket.keys("") if "_penstock/" not in key]
    return rest, task, len(keys)


def test_the_numbers_are_what_was_produced(landed: tuple[Rest, str, int]) -> None:
    rest, task, objects = landed
    now = scrape(rest)
    sink_task = "kafka_connect_sink_task_metrics_"
    errors = "kafka_connect_task_error_metrics_"
    assert now[f"{sink_task}sink_record_read_total{task}"] == COUNT + BAD
    assert now[f"{sink_task}sink_record_send_total{task}"] == COUNT
    assert now[f"{sink_task}sink_record_active{task}"] == 0
    assert now[f"{sink_task}partitions{task}"] == PARTITIONS
    assert now[f"{errors}records_skipped_total{task}"] == BAD
    assert now[f"{errors}record_errors_total{task}"] == BAD
    assert time.time() - now[f"{errors}last_error_timestamp_seconds{task}"] < 300
    assert now[f"penstock_objects_total{task}"] == objects
    assert now[f"penstock_object_bytes_count{task}"] == objects
    assert now[f"penstock_put_seconds_count{task}"] >= objects
    assert now[f"penstock_object_bytes_sum{task}"] > COUNT * 60
    assert now["penstock_buffer_bytes"] == 0
    running = task[:-1] + ',status="running"}'
    assert now[f"kafka_connect_connector_task_metrics_status{running}"] == 1
    success = "kafka_connect_connector_task_metrics_offset_commit_success_percentage"
    assert now[f"{success}{task}"] == 1
    assert now[f"penstock_kafka_received_messages_total{task}"] >= COUNT + BAD
    committed = [v for k, v in now.items() if k.startswith("penstock_committed_offset{")]
    assert sum(committed) == COUNT + BAD


def test_promtool_finds_nothing_to_say(landed: tuple[Rest, str, int]) -> None:
    text = landed[0]("GET", "/metrics").text
    done = promtool("check", "metrics", text=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    bad = promtool("check", "metrics", text="# TYPE a_ms counter\na_ms 1\n")
    assert bad.returncode != 0, "promtool checks nothing"


def dashboard_queries() -> list[str]:
    """The dashboard's, with Grafana's variables as it would fill them in."""
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    return [
        query.replace("$__rate_interval", "1m").replace("$connector", ".*")
        for query in queries
    ]


def alert_series() -> set[str]:
    """The names of the series that the alert rules ask for."""
    text = (MONITORING / "alerts.yml").read_text()
    expressions = "\n".join(re.findall(r"^\s+expr: (.*)$", text, re.MULTILINE))
    return set(re.findall(r"\b(?:penstock|kafka_connect|process)_\w+", expressions))


def test_alert_rules_are_rules() -> None:
    done = promtool("check", "rules", str(MONITORING / "alerts.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboards_queries_return_data(
    landed: tuple[Rest, str, int],
) -> None:
    rest, task, _ = landed
    target = rest.base.removeprefix("http://")
    with Prometheus(target, MONITORING / "alerts.yml") as prometheus:
        series = f"penstock_objects_total{task}"
        until(lambda: bool(prometheus.query(f"rate({series}[1m])")), "two scrapes")
        empty = [q for q in dashboard_queries() if not prometheus.query(q)]
        assert not empty
        missing = {name for name in alert_series() if not prometheus.query(name)}
        assert not missing
        until(lambda: all(r["health"] == "ok" for r in prometheus.rules()), "the rules")
        assert not [r["name"] for r in prometheus.rules() if r["state"] == "firing"]

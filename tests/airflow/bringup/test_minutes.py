"""The original job, unattended: every minute ten users, landed by penstockd."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from tests.airflow.bringup.conftest import CONNECTOR, TOPIC
from tests.airflow.bringup.rest import Rest, Task, moment
from tests.support import Bucket, Daemon, KafkaClient, Record, audit
from tests.support.audit import json_id
from tests.support.csvtext import Row

pytestmark = [pytest.mark.timeout(420), pytest.mark.services, pytest.mark.slow]
DAG, RUNS, USERS, GROUP = "penstock_every_minute", 3, 10, f"connect-{CONNECTOR}"


def wait_runs(rest: Rest, seconds: float = 300.0) -> list[Task]:
    """The first three runs, once they have ended."""
    deadline = time.monotonic() + seconds
    while True:
        ended = [run for run in rest.runs(DAG) if run["end_date"]]
        if len(ended) >= RUNS:
            assert {run["state"] for run in ended} == {"success"}
            return [Task(DAG, run["dag_run_id"], "produce") for run in ended[:RUNS]]
        assert time.monotonic() < deadline, f"{len(ended)} runs in {seconds} s"
        time.sleep(0.5)


def wait_landed(client: KafkaClient, lander: Daemon) -> None:
    """Until the group has committed the topic's end."""
    deadline = time.monotonic() + 60
    while True:
        end = client.end_offsets(TOPIC)
        done = client.committed(GROUP, TOPIC)
        if all(done.get(p, (0, ""))[0] >= offset for p, offset in end.items()):
            return
        assert lander.alive(), lander.log[-2000:]
        assert time.monotonic() < deadline, f"{done} of {end}: {lander.log[-2000:]}"
        time.sleep(0.2)


def record_id(record: Record) -> str:
    """Runs have seeds of their own, whose users may be the same: the offset too."""
    return f"{record.offset} {json_id(record)}"


def row_id(row: Row) -> str:
    """The same of a row."""
    return f"{row[0]} {row[1]}"


def test_three_runs(
    rest: Rest, client: KafkaClient, bucket: Bucket, lander: Daemon
) -> None:
    tasks = wait_runs(rest)
    rest.pause(DAG)
    for run in rest.runs(DAG):
        rest.wait_run(DAG, run["dag_run_id"])
    began = []
    for task in tasks:
        row, result = rest.task(task), rest.result(task)
        first, last = result["offsets"]["0"]
        records = [r for r in client.read_all(TOPIC) if first <= r.offset <= last]
        seconds = (records[-1].timestamp - records[0].timestamp) / 1000
        took = moment(row["end_date"]) - moment(row["start_date"])
        print(
            f"{task.run}: {len(records)} users in {seconds:.2f} s by their records, "
            f"{result['seconds']:.2f} s by the operator, the task {took:.2f} s, "
            f"try {row['try_number']}"
        )
        assert len(records) == len({r.key for r in records}) == USERS
        assert result["produced"] == USERS
        assert 9 <= result["seconds"] <= 11
        assert 8 < seconds <= 11  # the first may be late, the others keep their times
        began.append(moment(task.run.removeprefix("scheduled__")))
    assert [b - a for a, b in pairwise(began)] == [60] * (RUNS - 1)
    wait_landed(client, lander)
    report = audit(TOPIC, bucket, client, group=GROUP, record_id=record_id, row_id=row_id)
    assert report.records >= RUNS * USERS

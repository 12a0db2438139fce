"""DAGs to be killed: sixty users at one a second, in a second try as fast as possible."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from penstock_airflow.operators.randomuser import RandomUserToKafkaOperator
from penstock_airflow.operators.s3csv import KafkaToS3CsvOperator

URL = os.environ.get("PENSTOCK_EXAMPLE_URL")
BUCKET = os.environ.get("PENSTOCK_EXAMPLE_BUCKET")
PACE = "{{ 1 if ti.try_number == 1 else 0 }}"
START = datetime(2024, 1, 1, tzinfo=UTC)
AGAIN: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(seconds=1)}
CASES: dict[str, dict[str, Any]] = {
    "sigterm": AGAIN,
    "sigkill": AGAIN,
    "marked": {},
    "timed_out": {**AGAIN, "execution_timeout": timedelta(seconds=3)},
    "closed": {"kafka_config_id": "kafka_late", "connect_timeout": 3},
    "hanging": {**AGAIN, "kafka_config_id": "kafka_late"},
    "silent": {"kafka_config_id": "kafka_silent", "connect_timeout": 3},
    "silent_killed": {"kafka_config_id": "kafka_silent"},
}

for name, options in CASES.items():
    with DAG(f"kill_{name}", schedule=None, start_date=START, catchup=False):
        RandomUserToKafkaOperator(
            task_id="produce",
            topic=f"kill-{name}",
            max_users=60,
            output="flat",
            url=URL,
            config={"users.per.second": PACE},
            **options,
        )

with DAG("kill_landing", schedule=None, start_date=START, catchup=False):
    KafkaToS3CsvOperator(
        task_id="land",
        topics="kill-landing",
        schema="id STRING, full_name STRING",
        bucket=BUCKET,
        prefix="kill",
        aws_conn_id="aws_paused",
        **AGAIN,
    )

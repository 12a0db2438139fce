"""Produce users, land what the topic holds, and check the numbers."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from penstock_airflow.example_dags import get_test_run
from penstock_airflow.operators.randomuser import RandomUserToKafkaOperator
from penstock_airflow.operators.s3csv import KafkaToS3CsvOperator

URL = os.environ.get("PENSTOCK_EXAMPLE_URL")
TOPIC = os.environ.get("PENSTOCK_EXAMPLE_TOPIC", "users")
BUCKET = os.environ.get("PENSTOCK_EXAMPLE_BUCKET", "lake")

# [START howto_produce_land_check]
SCHEMA = "id STRING, full_name STRING, email STRING, postcode STRING, latitude DOUBLE"

with DAG(
    dag_id="penstock_produce_land_check",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["example", "penstock"],
) as dag:
    produce = RandomUserToKafkaOperator(
        task_id="produce",
        topic=TOPIC,
        max_users=10,
        users_per_second=5,
        output="flat",
        url=URL,
    )

    land = KafkaToS3CsvOperator(
        task_id="land",
        topics=TOPIC,
        schema=SCHEMA,
        bucket=BUCKET,
        prefix="example",
        csv={"header": True},
    )

    @task
    def check(produced: Any, landed: Any) -> int:
        """All that was produced is in the bucket: every offset is below the next one."""
        for partition, (_, last) in produced["offsets"].items():
            assert landed["offsets"][produced["topic"]][partition][1] >= last
        return int(landed["rows"])

    check(produce.output, land.output)
    produce >> land
# [END howto_produce_land_check]

test_run = get_test_run(dag)

if __name__ == "__main__":
    test_run()

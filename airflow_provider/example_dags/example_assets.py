"""Three DAGs tied by assets: users → topic → bucket → whoever reads the bucket."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from penstock_airflow.assets import prefix_asset, topic_asset
from penstock_airflow.example_dags import get_test_run
from penstock_airflow.operators.randomuser import RandomUserToKafkaOperator
from penstock_airflow.operators.s3csv import KafkaToS3CsvOperator

URL = os.environ.get("PENSTOCK_EXAMPLE_URL")
TOPIC = os.environ.get("PENSTOCK_EXAMPLE_TOPIC", "users")
BUCKET = os.environ.get("PENSTOCK_EXAMPLE_BUCKET", "lake")

# [START howto_assets]
USERS = topic_asset("kafka:9092", TOPIC)
OBJECTS = prefix_asset(BUCKET, f"assets/{TOPIC}")
COMMON: dict[str, Any] = {
    "start_date": datetime(2024, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "tags": ["example", "penstock"],
}

with DAG("penstock_assets_produce", schedule=None, **COMMON) as produce_dag:
    RandomUserToKafkaOperator(
        task_id="produce", topic=TOPIC, users_per_second=5, output="flat", url=URL,
        outlets=[USERS],
    )  # fmt: skip

with DAG("penstock_assets_land", schedule=[USERS], **COMMON) as land_dag:
    KafkaToS3CsvOperator(
        task_id="land",
        topics=TOPIC,
        schema="id STRING, full_name STRING, email STRING",
        bucket=BUCKET,
        prefix="assets",
        skip_when_empty=True,
        inlets=[USERS],
        outlets=[OBJECTS],
    )

with DAG("penstock_assets_read", schedule=[OBJECTS], **COMMON) as read_dag:

    @task(inlets=[OBJECTS])
    def read() -> None:
        """Runs once new objects have landed, never for an empty drain."""

    read()
# [END howto_assets]

test_run = get_test_run(produce_dag, land_dag, read_dag)

if __name__ == "__main__":
    test_run()

"""Land a topic as compressed JSON lines, a folder an hour."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from penstock_airflow.example_dags import get_test_run
from penstock_airflow.operators.s3csv import KafkaToS3CsvOperator

TOPIC = os.environ.get("PENSTOCK_EXAMPLE_TOPIC", "users")
BUCKET = os.environ.get("PENSTOCK_EXAMPLE_BUCKET", "lake")

# [START howto_compressed]
with DAG(
    dag_id="penstock_compressed",
    schedule="@hourly",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["example", "penstock"],
) as dag:
    KafkaToS3CsvOperator(
        task_id="land",
        topics=TOPIC,
        schema="id STRING, full_name STRING, email STRING",
        bucket=BUCKET,
        prefix="lines",
        config={
            "format.class": "jsonl",
            "s3.compression.type": "zstd",
            "s3.compression.level": 6,
            "partitioner.class": "HourlyPartitioner",
            "timestamp.extractor": "Record",
        },
    )
# [END howto_compressed]

test_run = get_test_run(dag)

if __name__ == "__main__":
    test_run()

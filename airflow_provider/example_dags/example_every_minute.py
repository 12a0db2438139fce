"""Every minute ten users, one a second, into a topic; penstockd lands them elsewhere."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from penstock_airflow.example_dags import get_test_run
from penstock_airflow.operators.randomuser import RandomUserToKafkaOperator

URL = os.environ.get("PENSTOCK_EXAMPLE_URL")
TOPIC = os.environ.get("PENSTOCK_EXAMPLE_TOPIC", "users")

# [START howto_every_minute]
with DAG(
    dag_id="penstock_every_minute",
    schedule="* * * * *",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["example", "penstock"],
) as dag:
    RandomUserToKafkaOperator(
        task_id="produce",
        topic=TOPIC,
        max_users=10,
        users_per_second=1,
        output="flat",
        url=URL,
        retries=2,
        retry_delay=timedelta(seconds=5),
        execution_timeout=timedelta(seconds=50),
    )
# [END howto_every_minute]

test_run = get_test_run(dag)

if __name__ == "__main__":
    test_run()

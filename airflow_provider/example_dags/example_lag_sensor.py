"""Wait, without a worker's slot, until a daemon has landed all that was there."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from penstock_airflow.example_dags import get_test_run
from penstock_airflow.sensors.lag import ConnectorLagSensor

TOPIC = os.environ.get("PENSTOCK_EXAMPLE_TOPIC", "users")

# [START howto_lag_sensor]
with DAG(
    dag_id="penstock_lag_sensor",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["example", "penstock"],
) as dag:
    landed = ConnectorLagSensor(
        task_id="landed",
        connector="users-sink",
        topics=TOPIC,
        max_lag=0,
        deferrable=True,
        poke_interval=5,
        timeout=600,
    )

    @task
    def report(found: Any) -> int:
        """What reads the bucket starts here."""
        return int(found["lag"])

    report(landed.output)
# [END howto_lag_sensor]

test_run = get_test_run(dag)

if __name__ == "__main__":
    test_run()

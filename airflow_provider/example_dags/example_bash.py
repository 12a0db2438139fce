"""The same job by the command line: no operator, one shell command."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, task

URL = os.environ.get("PENSTOCK_EXAMPLE_URL", "https://randomuser.me/api/")
TOPIC = os.environ.get("PENSTOCK_EXAMPLE_TOPIC", "users")
SERVERS = os.environ.get("PENSTOCK_EXAMPLE_SERVERS", "kafka:9092")

# [START howto_bash]
with DAG(
    dag_id="penstock_bash",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["penstock"],
) as dag:

    @task.bash
    def produce() -> str:
        """SIGTERM ends it as the operator's on_kill does: what was read is delivered."""
        return (
            f"exec penstock produce --topic {TOPIC} --bootstrap-servers {SERVERS} "
            f"--max-users 10 --users-per-second 5 --output flat --url {URL}"
        )

    produce()
# [END howto_bash]

if __name__ == "__main__":
    dag.test()

"""The same job by the command line: no operator, one shell command."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, task

from penstock_airflow.example_dags import get_test_run

URL = os.environ.get("PENSTOCK_EXAMPLE_URL", "https://randomuser.me/api/")
TOPIC = os.environ.get("PENSTOCK_EXAMPLE_TOPIC", "users")
SERVERS = os.environ.get("PENSTOCK_EXAMPLE_SERVERS", "kafka:9092")

# [START howto_bash]
with DAG(
    dag_id="penstock_bash",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["example", "penstock"],
) as dag:

    @task.bash
    def produce(run_id: str | None = None) -> str:
        """By the seed a retry produces only what the failed try left out. `exec`: SIGTERM
        reaches it, and what was read is delivered."""
        command = [
            "penstock", "produce", "--topic", TOPIC, "--bootstrap-servers", SERVERS,
            "--max-users", "10", "--users-per-second", "5", "--output", "flat",
            "--name", "penstock_bash", "--seed", f"penstock_bash.{run_id}", "--url", URL,
        ]  # fmt: skip
        return f"exec {shlex.join(command)}"

    produce()
# [END howto_bash]

test_run = get_test_run(dag)

if __name__ == "__main__":
    test_run()

"""Example DAGs in the form of Airflow's system tests; docs/airflow.md shows them.

Pytest runs each by its `test_run`, and so does `python example_….py`.

They use the connections `kafka_default`, `aws_default` and `penstock_default`. What the
tests set: PENSTOCK_EXAMPLE_URL (where users come from), PENSTOCK_EXAMPLE_TOPIC,
PENSTOCK_EXAMPLE_BUCKET and PENSTOCK_EXAMPLE_SERVERS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import DAG


def get_test_run(*dags: DAG) -> Callable[[], None]:
    """A function that runs DAGs in turn, without a scheduler; each must succeed.

    As Airflow's own system tests have it, whose helper is in no package.
    """

    def test_run() -> None:
        for dag in dags:
            state = dag.test().state
            assert state == "success", f"{dag.dag_id}: {state}"

    return test_run

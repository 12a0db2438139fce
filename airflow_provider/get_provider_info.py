"""What Airflow's provider manager is told; it imports nothing else of the package."""

from __future__ import annotations

from typing import Any

from penstock_airflow import connection_form

_NAME = "Penstock"


def _modules(*names: str) -> list[dict[str, Any]]:
    modules = [f"penstock_airflow.{name}" for name in names]
    return [{"integration-name": _NAME, "python-modules": modules}]


def get_provider_info() -> dict[str, Any]:
    """The provider's description, for Airflow 2.11 and 3."""
    return {
        "package-name": "penstock",
        "name": _NAME,
        "description": "Kafka topics as CSV objects in S3, exactly once, in C.",
        "integrations": [{"integration-name": _NAME, "tags": ["software"]}],
        "operators": _modules(
            "operators.randomuser", "operators.s3csv", "operators.connector"
        ),
        "sensors": _modules("sensors.lag"),
        "hooks": _modules("hooks.penstock"),
        "triggers": _modules("triggers.lag"),
        "connection-types": [
            {
                "connection-type": connection_form.CONNECTION_TYPE,
                "hook-class-name": "penstock_airflow.hooks.penstock.PenstockHook",
                "hook-name": connection_form.HOOK_NAME,
                "conn-fields": connection_form.conn_fields(),
                "ui-field-behaviour": connection_form.BEHAVIOUR,
            }
        ],
        "extra-links": [
            "penstock_airflow.links.StatusPageLink",
            "penstock_airflow.links.BucketLink",
        ],
    }

"""What Airflow's provider manager is told; it imports nothing else of the package."""

from __future__ import annotations

from typing import Any

_NAME = "Penstock"
_URL = "https://github.com/penstock/penstock"


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
        "operators": _modules("operators.randomuser", "operators.s3csv"),
        "extra-links": ["penstock_airflow.links.BucketLink"],
    }

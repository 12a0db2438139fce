"""The connection type `penstock`: one table for both lines of Airflow.

Airflow 3.2 and later read `conn_fields()` and `BEHAVIOUR` out of the provider's
description, without importing the hook; 2.11 asks the hook for form widgets, which are
made of the same rows. This module imports nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CONNECTION_TYPE = "penstock"
HOOK_NAME = "Penstock"
DEFAULT_PORT = 8083
DEFAULT_TIMEOUT = 10


@dataclass(frozen=True)
class Field:
    """One field of the form, kept in the connection's extras under `name`."""

    name: str
    label: str
    kind: str
    """A JSON Schema type: string or integer."""
    description: str
    default: str | int | None = None
    minimum: int | None = None

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        schema: dict[str, Any] = {"type": [self.kind, "null"]}
        if self.default is not None:
            schema["default"] = self.default
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        return schema


FIELDS = (
    Field(
        "timeout",
        "Time-out (s)",
        "integer",
        "Seconds that one request to the daemon may take.",
        DEFAULT_TIMEOUT,
        1,
    ),
    Field(
        "ca_file",
        "CA file",
        "string",
        "A PEM file to check the daemon's certificate against; empty: the system's.",
    ),
    Field(
        "status_url",
        "Status page",
        "string",
        "Where people see the daemon's status page, when that is not the address above.",
    ),
)

BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["extra"],
    "relabeling": {"schema": "Scheme", "login": "User"},
    "placeholders": {
        "schema": "http, or https",
        "host": "penstockd.example.org",
        "port": str(DEFAULT_PORT),
    },
}


def conn_fields() -> dict[str, Any]:
    """The fields as Airflow 3.2 and later want them in the provider's description."""
    return {
        field.name: {
            "label": field.label,
            "description": field.description,
            "schema": field.schema(),
        }
        for field in FIELDS
    }


def widgets() -> dict[str, Any]:
    """The same fields for the form of Airflow 2."""
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from wtforms import IntegerField, StringField, validators

    made: dict[str, Any] = {}
    for field in FIELDS:
        number = field.kind == "integer"
        checks: list[Any] = [validators.Optional()]
        if field.minimum is not None:
            checks.append(validators.NumberRange(min=field.minimum))
        made[field.name] = (IntegerField if number else StringField)(
            field.label,
            widget=BS3TextFieldWidget(),
            validators=checks,
            description=field.description,
            default=field.default,
        )
    return made

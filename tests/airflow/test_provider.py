"""What Airflow is told of the provider, by Airflow's own means."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from importlib import resources
from typing import Any

import jsonschema
import pytest

from penstock_airflow import connection_form
from penstock_airflow.assets import prefix_asset, topic_asset
from penstock_airflow.get_provider_info import get_provider_info
from penstock_airflow.hooks.penstock import PenstockHook
from penstock_airflow.links import listing_url
from penstock_airflow.settings import s3_settings
from tests.airflow.conftest import connection

INFO = get_provider_info()
WORD = "word-3"


def airflow(*args: str) -> Any:
    """Airflow's own command line; its JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *args, "-o", "json"],
        capture_output=True, text=True, check=True, env=os.environ.copy(), timeout=110,
    )  # fmt: skip
    start = min(i for i in (done.stdout.find("["), done.stdout.find("{")) if i >= 0)
    return json.loads(done.stdout[start:])


def test_the_schema() -> None:
    text = (resources.files("airflow") / "provider_info.schema.json").read_text()
    jsonschema.validate(INFO, json.loads(text))


def test_every_module_and_class_is_there() -> None:
    for key in ("operators", "hooks", "sensors", "triggers"):
        for row in INFO.get(key, ()):
            for name in row["python-modules"]:
                assert importlib.import_module(name).__doc__
    paths = [*INFO["extra-links"], INFO["connection-types"][0]["hook-class-name"]]
    for path in paths:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name)


def test_airflow_knows_it() -> None:
    hooks = {row["connection_type"]: row for row in airflow("providers", "hooks")}
    assert hooks["penstock"]["class"].endswith("PenstockHook")
    found = [row["package_name"] for row in airflow("providers", "list")]
    assert "penstock" in found


def test_the_form_is_the_same_on_both_lines() -> None:
    fields = connection_form.conn_fields()
    assert list(fields) == [field.name for field in connection_form.FIELDS]
    for field in fields.values():
        jsonschema.Draft202012Validator.check_schema(field["schema"])
        if "default" in field["schema"]:
            jsonschema.validate(field["schema"]["default"], field["schema"])
    behaviour = PenstockHook.get_ui_field_behaviour()
    assert behaviour["hidden_fields"] == ["extra"]


def test_aws_default_with_and_without_the_amazon_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extra: dict[str, Any] = {
        "endpoint_url": "http://other:1",
        "service_config": {"s3": {"endpoint_url": "http://s3:2"}},
        "region_name": "eu-central-1",
        "aws_session_token": "token-3",
        "verify": "/ca.pem",
    }
    text = connection(conn_type="aws", login="key", password=WORD, extra=extra)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", text)
    wanted = {
        "aws.access.key.id": "key",
        "aws.secret.access.key": WORD,
        "aws.session.token": "token-3",
        "s3.region": "eu-central-1",
        "store.url": "http://s3:2",
        "store.ssl.ca.location": "/ca.pem",
    }
    assert s3_settings("aws_default") == wanted
    monkeypatch.setitem(sys.modules, "airflow.providers.amazon.aws.hooks.s3", None)
    assert s3_settings("aws_default") == wanted
    assert s3_settings(None) == {}
    assert s3_settings("no_such_connection") == {}
    for extra, what in (({"role_arn": "arn"}, "role_arn"), ({"verify": False}, "verify")):
        text = connection(conn_type="aws", extra=extra)
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", text)
        with pytest.raises(Exception, match=what):
            s3_settings("aws_default")


def test_assets_and_links() -> None:
    assert topic_asset("kafka:9092", "users").uri == "kafka://kafka:9092/users"
    assert prefix_asset("lake", "topics/users/").uri == "s3://lake/topics/users"
    with pytest.raises(ValueError, match="host:port"):
        topic_asset("kafka", "users")
    aws = {"s3.bucket.name": "lake", "topics.dir": "a b"}
    assert listing_url(aws).startswith(
        "https://s3.console.aws.amazon.com/s3/buckets/lake"
    )
    minio = {**aws, "store.url": "http://minio:9000"}
    assert listing_url(minio) == "http://minio:9000/lake?list-type=2&prefix=a+b%2F"
    assert listing_url({"store.url": "file:///x", "s3.bucket.name": "b"}) == ""

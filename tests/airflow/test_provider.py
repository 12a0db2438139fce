"""What Airflow is told of the provider, by Airflow's own means."""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import re
import sys
import urllib.request
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml  # type: ignore[import-untyped]

from penstock import PenstockError, S3CsvSink
from penstock._worker import Store
from penstock_airflow import connection_form
from penstock_airflow.assets import prefix_asset, topic_asset
from penstock_airflow.get_provider_info import get_provider_info
from penstock_airflow.hooks.penstock import PenstockHook
from penstock_airflow.links import BucketLink, listing_url, public_url
from penstock_airflow.operators.s3csv import KafkaToS3CsvOperator
from penstock_airflow.settings import s3_settings
from tests.airflow.commands import airflow
from tests.airflow.conftest import connection
from tests.conftest import BucketFactory
from tests.services import Minio

ROOT = Path(__file__).resolve().parent.parent.parent
INFO = get_provider_info()
WORD = "word-3"


def test_the_schema() -> None:
    """Airflow's own, of the line that is installed."""
    text = (resources.files("airflow") / "provider_info.schema.json").read_text()
    schema = json.loads(text)
    jsonschema.validate(INFO, schema)
    wrong = copy.deepcopy(INFO)
    del wrong["connection-types"][0]["hook-class-name"]
    wrong["extra-links"] = [1]
    for key in ("connection-types", "extra-links"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**INFO, key: wrong[key]}, schema)


def test_airflows_provider_manager_takes_it_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from airflow import providers_manager

    made: Any = providers_manager.ProvidersManager
    manager = made()
    assert manager.providers["penstock"].data["name"] == "Penstock"
    hook = manager.hooks["penstock"]
    assert hook.hook_class_name.endswith("PenstockHook")
    assert set(INFO["extra-links"]) <= set(manager.extra_links_class_names)
    assert not [r for r in caplog.records if "penstock" in r.getMessage().lower()]


def public_classes(module: str) -> dict[str, str]:
    """The path of each class that a module defines, and its docstring's first line."""
    found = importlib.import_module(module)
    return {
        f"{module}.{name}": str(inspect.getdoc(value)).split("\n", 1)[0]
        for name, value in vars(found).items()
        if inspect.isclass(value) and value.__module__ == module
        if re.match(r"[A-Z]\w+(Operator|Sensor|Hook|Trigger)$", name)
    }


def test_the_registrys_file() -> None:
    data = yaml.safe_load((ROOT / ".airflow-registry.yaml").read_text())
    assert data["package-name"] == INFO["package-name"]
    assert data["display-name"] == INFO["name"]
    assert data["description"] == INFO["description"]
    wanted: dict[str, dict[str, str]] = {"operators": {}, "other": {}}
    for kind in ("operators", "sensors", "hooks", "triggers"):
        for row in INFO[kind]:
            for module in row["python-modules"]:
                wanted[kind if kind in wanted else "other"] |= public_classes(module)
    for key, classes in wanted.items():
        assert {row["module"]: row["description"] for row in data[key]} == classes


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
    names = (["hooks"], ["list"], ["get", "penstock", "--full"])
    asked = airflow(*(["providers", *name, "-o", "json"] for name in names))
    assert [status for status, _ in asked] == [0, 0, 0]
    hooks, providers, ours = (
        json.loads(text[re.search(r"^[\[{]", text, re.MULTILINE).start() :])  # type: ignore[union-attr]
        for _, text in asked
    )
    classes = {row["connection_type"]: row["class"] for row in hooks}
    assert classes["penstock"].endswith("PenstockHook")
    assert "penstock" in [row["package_name"] for row in providers]
    assert INFO["description"].startswith(ours[0]["description"])  # but for the dot


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
    saml = {"role_arn": "arn", "assume_role_method": "assume_role_with_saml"}
    for extra, what in ((saml, "role_arn"), ({"verify": False}, "verify")):
        text = connection(conn_type="aws", extra=extra)
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", text)
        with pytest.raises(Exception, match=what):
            s3_settings("aws_default")


ROLE_ARN = "arn:aws:iam::123456789012:role/lake"
ROLE: dict[str, Any] = {
    "role_arn": ROLE_ARN,
    "assume_role_kwargs": {"ExternalId": "ext/1", "DurationSeconds": 900},
    "service_config": {"sts": {"endpoint_url": "http://sts:3"}},
}
ROLE_SETTINGS = {
    "aws.sts.role.arn": ROLE_ARN,
    "aws.sts.role.external.id": "ext/1",
    "aws.sts.role.session.name": "Airflow_aws_default",
    "aws.sts.role.session.duration": "900",
    "aws.sts.config.endpoint": "http://sts:3",
}


@pytest.mark.parametrize("amazon", [True, False])
@pytest.mark.parametrize("own", [True, False], ids=["keys", "environment"])
def test_a_role_is_assumed_by_penstock(
    amazon: bool, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked for here, and its base keys are the connection's or nobody's."""
    keys = {"login": "key", "password": WORD} if own else {}
    text = connection(conn_type="aws", extra=ROLE, **keys)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", text)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-workers")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "own")
    if not amazon:
        monkeypatch.setitem(sys.modules, "airflow.providers.amazon.aws.hooks.s3", None)
    found = s3_settings("aws_default")
    found.pop("s3.region", None)
    mine = {"aws.access.key.id": "key", "aws.secret.access.key": WORD} if own else {}
    assert found == {**ROLE_SETTINGS, **mine}


def test_a_role_of_a_real_sts(
    minio: Minio, buckets: BucketFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sink that these settings make lands with the role's keys."""
    bucket = buckets()
    service = {"sts": {"endpoint_url": minio.endpoint}}
    extra = {**ROLE, "endpoint_url": minio.endpoint, "service_config": service}
    aws = connection(
        conn_type="aws", login=minio.access_key, password=minio.secret_key, extra=extra
    )
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", aws)
    config = {
        **s3_settings("aws_default"), "s3.bucket.name": bucket.name, "topics": "t",
        "name": "role", "value.schema": "id STRING",
    }  # fmt: skip
    with S3CsvSink(config) as sink:
        sink.put([("t", 0, 0, None, b'{"id":"a"}', 0)])
        assert sink.flush() == [("t", 0, 1)]
    wrong = {**config, "aws.secret.access.key": "wrong"}
    with pytest.raises(PenstockError, match=r"STS 127\.0\.0\.1.*HTTP 403"):
        Store(wrong).probe()


def test_assets() -> None:
    assert topic_asset("kafka:9092", "users").uri == "kafka://kafka:9092/users"
    assert prefix_asset("lake", "topics/users/").uri == "s3://lake/topics/users"
    with pytest.raises(ValueError, match="host:port"):
        topic_asset("kafka", "users")


LAKE = {"s3.bucket.name": "lake", "topics.dir": "a b"}
CONSOLE = "console.aws.amazon.com/s3/buckets/lake"


@pytest.mark.parametrize(
    ("sink", "console", "url"),
    [
        ({}, None, f"https://{CONSOLE}?prefix=a+b%2F"),
        ({"s3.region": "eu-west-1"}, None,
         f"https://eu-west-1.{CONSOLE}?region=eu-west-1&prefix=a+b%2F"),
        ({"store.url": "https://s3.ap-south-1.amazonaws.com", "s3.region": "x"}, None,
         f"https://ap-south-1.{CONSOLE}?region=ap-south-1&prefix=a+b%2F"),
        ({"s3.region": "cn-north-1"}, None,
         "https://cn-north-1.console.amazonaws.cn/s3/buckets/lake"
         "?region=cn-north-1&prefix=a+b%2F"),
        ({"s3.region": "us-iso-east-1"}, None, None),
        ({"store.url": "http://minio:9000"}, None, None),
        ({"store.url": "http://evilamazonaws.com"}, None, None),
        ({"store.url": "http://minio:9000"}, "http://minio:9001/",
         "http://minio:9001/browser/lake/a%20b%2F"),
        ({"store.url": "http://minio:9000"}, "https://me:word@minio/ui",
         "https://minio/ui/browser/lake/a%20b%2F"),
        ({"store.url": "http://ceph"}, "https://ceph/b/{bucket}?p={prefix}",
         "https://ceph/b/lake?p=a%20b%2F"),
        ({"store.url": "http://minio:9000"}, "minio:9001", None),
        ({"store.url": "http://minio:9000"}, "javascript:alert(1)", None),
        ({"store.url": "file:///x"}, "http://minio:9001", None),
        ({"s3.bucket.name": None}, None, None),
    ],
)  # fmt: skip
def test_where_a_bucket_is_listed(
    sink: dict[str, Any], console: str | None, url: str | None
) -> None:
    assert listing_url({**LAKE, **sink}, console) == url


def test_addresses_without_passwords() -> None:
    assert public_url("https://u:p%40@h:1/x?y#z") == "https://h:1/x?y#z"
    for none in ("", "h:1", "ftp://h", "http://", "http://[x"):
        assert public_url(none) is None


def test_the_link_to_minios_console(
    minio: Minio, buckets: BucketFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection says where it is; the console has a page at that address."""
    bucket = buckets()
    extra = {"endpoint_url": minio.endpoint, "console_url": minio.console}
    aws = connection(
        conn_type="aws", login=minio.access_key, password=minio.secret_key, extra=extra
    )
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", aws)
    task = KafkaToS3CsvOperator(
        task_id="t", topics="t", schema="id STRING", bucket=bucket.name
    )
    pushed: dict[str, Any] = {}

    class Ti:
        def xcom_push(self, key: str, value: object) -> None:
            pushed[key] = value

    context: Any = {"ti": Ti()}
    sink = {**s3_settings("aws_default"), "s3.bucket.name": bucket.name}
    BucketLink.persist(context, task, sink)
    (url,) = pushed.values()
    assert url == f"{minio.console}/browser/{bucket.name}/topics%2F"
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.headers.get_content_type() == "text/html"
    pushed.clear()
    plain = connection(conn_type="aws", extra={"endpoint_url": minio.endpoint})
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", plain)
    BucketLink.persist(context, task, sink)
    task.aws_conn_id = "no_such_connection"
    BucketLink.persist(context, task, sink)
    assert not pushed

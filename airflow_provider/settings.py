"""Airflow connections as Penstock's settings.

`kafka_default` is the apache-kafka provider's: its extras are librdkafka's settings by
their own names. `aws_default` is the amazon provider's; without that provider its login,
password and extras are read here. A role is assumed by Penstock, which renews its keys.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowNotFoundException,
    BaseHook,
    Context,
    mask_secret,
)

_NAME_LENGTH = 200

Setting = str | int | float | bool
Settings = dict[str, Setting]

# Of librdkafka's settings, what is called after a secret and is none: masking its value
# would blot the log.
_NOT_SECRET = {
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.kerberos.keytab",
}
_SCOPES = re.compile(r"^(consumer|producer)\.(override\.)?")
_USERINFO = re.compile(r"://[^\s/@:]*:([^\s@]+)@")

log = logging.getLogger(__name__)

# What a connection for other operators may hold and Penstock decides by itself.
_OURS = {
    "group.id": "the group follows from the connector's name",
    "group.instance.id": "a task's run is not a static member",
    "auto.offset.reset": "see starting_offsets",
    "enable.auto.commit": "offsets are committed once an object is durable",
    "auto.commit.interval.ms": "offsets are committed once an object is durable",
    "enable.auto.offset.store": "offsets are committed once an object is durable",
    "enable.partition.eof": "the end of a partition must be seen",
    "acks": "a record counts once all in-sync replicas have it",
    "request.required.acks": "a record counts once all in-sync replicas have it",
    "enable.idempotence": "a record must not be produced twice by a retry",
    "transactional.id": "it follows from the connector's name",
}
_CALLBACKS = {"on_commit", "on_assign", "on_revoke", "on_lost", "on_delivery", "logger"}


def as_text(value: Setting) -> str:
    """A JSON value as librdkafka writes it: false → "false", 10 → "10"."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_secret(owner: str, key: str) -> bool:
    """Must the value of this setting never be shown?

    `owner` is a connector's class or "worker", whose tables know; librdkafka's settings,
    which have no table, are known by their names.
    """
    from penstock import _worker

    return _SCOPES.sub("", key) not in _NOT_SECRET and _worker.is_secret(owner, key)


def mask_secrets(owner: str, settings: Settings) -> None:
    """Keep secrets out of the log: such settings' values, and passwords in URLs."""
    for key, value in settings.items():
        text = as_text(value)
        if is_secret(owner, key):
            mask_secret(text)
        for password in _USERINFO.findall(text):
            mask_secret(password)


def shortened(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, as different from others as before."""
    coded = text.encode()
    if len(coded) <= limit:
        return text
    digest = hashlib.sha256(coded).hexdigest()[:16]
    return f"{coded[: limit - len(digest) - 1].decode(errors='ignore')}-{digest}"


def task_name(context: Context, dag_id: str, task_id: str) -> str:
    """A connector's name out of a task's: the same in every run and try of it.

    `DAG.task`, and `DAG.task.INDEX` when it is mapped. A connector's name is at most 200
    characters of printable ASCII.
    """
    index = map_index(context)
    name = f"{dag_id}.{task_id}" + (f".{index}" if index >= 0 else "")
    plain = re.sub(r"[^!-.0-~]", "_", name)
    if plain != name:  # as different as before
        plain += f"-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return shortened(plain, _NAME_LENGTH)


def map_index(context: Context) -> int:
    """The task's index when it is mapped, else -1."""
    return int(getattr(context.get("ti"), "map_index", -1))


def _setting(conn_id: str, key: str, value: Any) -> str:
    """One extra of a Kafka connection. Raises AirflowFailException."""
    if key.endswith("_cb") or key in _CALLBACKS:
        raise AirflowFailException(
            f"connection {conn_id}: {key} is a Python callback, which C cannot call; "
            "use a connection without it"
        )
    if not isinstance(value, str | int | float):
        raise AirflowFailException(
            f"connection {conn_id}: {key} must be a text, a number or true or false, not "
            f"{type(value).__name__}"
        )
    return as_text(value)


def kafka_settings(conn_id: str) -> Settings:
    """The worker's settings that a Kafka connection gives.

    What Penstock decides by itself (group.id, acks …) is left out with a line in the
    log. Raises AirflowFailException for what cannot be used, callbacks above all.
    """
    extras: Mapping[str, Any] = BaseHook.get_connection(conn_id).extra_dejson
    settings: Settings = {}
    for key, value in extras.items():
        if key in _OURS:
            log.info("connection %s: %s is left out: %s", conn_id, key, _OURS[key])
            continue
        settings[key] = _setting(conn_id, key, value)
    mask_secrets("worker", settings)
    if not settings.get("bootstrap.servers"):
        raise AirflowFailException(
            f"connection {conn_id}: bootstrap.servers is missing in the extras"
        )
    return settings


def _lacking(login: object, password: object) -> str:
    """Which of the two is empty, for an error."""
    parts = (("login (access key)", login), ("password (secret key)", password))
    return f"no {' and no '.join(name for name, value in parts if not value)}"


_ROLE_NAMES = {
    "ExternalId": "aws.sts.role.external.id",
    "RoleSessionName": "aws.sts.role.session.name",
    "DurationSeconds": "aws.sts.role.session.duration",
}


def _role(conn_id: str, extra: Mapping[str, Any]) -> Settings:
    """With what Penstock assumes the connection's role by itself, so that its keys are
    renewed while a task runs; nothing if there is no role, or it asks for more.
    """
    arn = extra.get("role_arn")
    asked = extra.get("assume_role_kwargs") or {}
    how = extra.get("assume_role_method") or "assume_role"
    if not arn or how != "assume_role" or not set(asked) <= set(_ROLE_NAMES):
        return {}
    session = "Airflow_" + re.sub(r"[^\w+=,.@-]", "", conn_id, flags=re.ASCII)
    asked = {"RoleSessionName": session[:64], **asked}
    role = {name: str(asked[key]) for key, name in _ROLE_NAMES.items() if key in asked}
    sts = (extra.get("service_config") or {}).get("sts") or {}
    if sts.get("endpoint_url"):
        role["aws.sts.config.endpoint"] = str(sts["endpoint_url"])
    return {"aws.sts.role.arn": str(arn), **role}


def _amazon_session(hook: Any, role: Settings) -> Any:
    """The session whose keys are used; None: the worker's own, by Penstock's chain."""
    from airflow.providers.amazon.aws.hooks.base_aws import BaseSessionFactory

    if not role:
        return hook.get_session()
    own = hook.conn_config.session_kwargs
    if not own.get("aws_access_key_id") and not own.get("profile_name"):
        return None
    return BaseSessionFactory(conn=hook.conn_config).basic_session


def _amazon(conn_id: str) -> dict[str, Any] | None:
    """Through the amazon provider; None when it is not installed."""
    try:
        from airflow.providers.amazon.aws.hooks import base_aws
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    except ImportError:
        return None
    hook = S3Hook(aws_conn_id=conn_id)
    usual = base_aws.resolve_session_factory() is base_aws.BaseSessionFactory
    role = _role(conn_id, hook.conn_config.extra_config) if usual else {}
    rest = {
        "region": hook.region_name,
        "endpoint": hook.conn_config.get_service_endpoint_url("s3"),
        "verify": hook.verify,
        "role": role,
    }
    session = _amazon_session(hook, role)
    if session is None:
        return rest
    found = session.get_credentials()
    if found is None:
        login, password = hook.conn_config.login, hook.conn_config.password
        raise AirflowFailException(
            f"connection {conn_id}: {_lacking(login, password)}; no role or profile of "
            "it gives AWS credentials, and the worker has none of its own"
        )
    frozen = found.get_frozen_credentials()
    return {
        "access": frozen.access_key,
        "secret": frozen.secret_key,
        "token": frozen.token,
        **rest,
    }


def _plain(conn_id: str) -> dict[str, Any]:
    """Without it: what the connection's own fields say."""
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        log.info("no connection %s: credentials come from the environment", conn_id)
        return {}
    extra = connection.extra_dejson
    role = _role(conn_id, extra)
    if extra.get("role_arn") and not role:
        raise AirflowFailException(
            f"connection {conn_id}: role_arn with assume_role_method or such "
            "assume_role_kwargs needs apache-airflow-providers-amazon"
        )
    service = (extra.get("service_config") or {}).get("s3") or {}
    return {
        "access": connection.login or extra.get("aws_access_key_id"),
        "secret": connection.password or extra.get("aws_secret_access_key"),
        "token": extra.get("aws_session_token"),
        "region": extra.get("region_name"),
        "endpoint": service.get("endpoint_url") or extra.get("endpoint_url"),
        "verify": extra.get("verify"),
        "role": role,
    }


_S3_NAMES = {
    "access": "aws.access.key.id",
    "secret": "aws.secret.access.key",
    "token": "aws.session.token",
    "region": "s3.region",
    "endpoint": "store.url",
}


def s3_settings(conn_id: str | None) -> Settings:
    """The sink's settings that an AWS connection gives; none for None.

    Raises what the amazon provider raises when it cannot get credentials, and
    AirflowFailException for what cannot be used.
    """
    if conn_id is None:
        return {}
    found = _amazon(conn_id)
    if found is None:
        found = _plain(conn_id)
    verify = found.get("verify")
    if verify is False:
        raise AirflowFailException(
            f"connection {conn_id}: verify=false would accept any server; give verify a "
            "file of CA certificates (PEM)"
        )
    access, secret = found.get("access"), found.get("secret")
    if bool(access) != bool(secret):
        raise AirflowFailException(f"connection {conn_id}: {_lacking(access, secret)}")
    settings: Settings = {
        key: str(found[name]) for name, key in _S3_NAMES.items() if found.get(name)
    }
    settings |= found.get("role") or {}
    if isinstance(verify, str):
        settings["store.ssl.ca.location"] = verify
    mask_secrets("S3CsvSink", settings)
    return settings

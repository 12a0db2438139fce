"""Links from a task to what it worked on: a daemon's status page, a bucket's listing.

The address is pushed as an XCom by the running task, so the web server needs neither
connections nor this package's C parts. No address holds credentials.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import (
        BaseOperator,
        Context,
        TaskInstanceKey,
    )

    from penstock_airflow.settings import Settings

CONSOLE_EXTRA = "console_url"
_AWS_HOST = re.compile(r"(^|\.)amazonaws\.com(\.cn)?$")
_AWS_REGION = re.compile(r"(?<![a-z])[a-z]{2}(?:-[a-z]+)+-\d")


class _XComLink(BaseOperatorLink):
    key: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that the task pushed; empty when there is none, which Airflow
        shows as no link."""
        from airflow.providers.common.compat.sdk import XCom  # slow to import

        found = XCom.get_value(key=self.key, ti_key=ti_key)
        return found if isinstance(found, str) else ""

    @classmethod
    def push(cls, context: Context, operator: BaseOperator, url: str | None) -> None:
        """Keep the address for `get_link`; None: there is none."""
        if url and operator.do_xcom_push:
            context["ti"].xcom_push(key=cls.key, value=url)


class StatusPageLink(_XComLink):
    """To the status page of the daemon that a task spoke to."""

    name = "Penstock status page"
    key: ClassVar[str] = "penstock_status_page"


class BucketLink(_XComLink):
    """To the listing of what a task landed, in the store's console.

    For AWS that is AWS's own. For another store it is what the AWS connection's extra
    `console_url` says: MinIO's console (``http://minio:9001``), or an address with
    ``{bucket}`` and ``{prefix}`` in it. Without that extra there is no link.
    """

    name = "Bucket listing"
    key: ClassVar[str] = "penstock_bucket"

    @classmethod
    def persist(cls, context: Context, operator: BaseOperator, sink: Settings) -> None:
        """Push the listing's address, out of a sink's settings."""
        console = console_of(getattr(operator, "aws_conn_id", None))
        cls.push(context, operator, listing_url(sink, console))


def public_url(url: str) -> str | None:
    """An http(s) address without user and password; None when it is none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def console_of(conn_id: str | None) -> str | None:
    """What an AWS connection's extras name as the store's console."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    if conn_id is None:
        return None
    try:
        extra = BaseHook.get_connection(conn_id).extra_dejson
    except AirflowNotFoundException:
        return None
    found = extra.get(CONSOLE_EXTRA)
    return found if isinstance(found, str) else None


def listing_url(sink: dict[str, Any], console: str | None = None) -> str | None:
    """Where people see what a sink writes; None when that is not known."""
    bucket = str(sink.get("s3.bucket.name") or "")
    prefix = f"{sink.get('topics.dir', 'topics')}/"
    store = str(sink.get("store.url") or "")
    if not bucket or store.startswith("file:"):
        return None
    if console:
        return _console_listing(console, bucket, prefix)
    return _aws_listing(store, str(sink.get("s3.region") or ""), bucket, prefix)


def _console_listing(console: str, bucket: str, prefix: str) -> str | None:
    path = "" if "{bucket}" in console else "/browser/{bucket}/{prefix}"
    base = public_url(console.rstrip("/") + path)
    if base is None:
        return None
    named = base.replace("{bucket}", quote(bucket, safe=""))
    return named.replace("{prefix}", quote(prefix, safe=""))


def _aws_listing(store: str, region: str, bucket: str, prefix: str) -> str | None:
    """The console of the region's partition; None for a store that is not AWS's."""
    if store:
        host = urlsplit(store).hostname or ""
        if not _AWS_HOST.search(host):
            return None
        named = _AWS_REGION.search(host)
        region = named[0] if named else region
    domain = "aws.amazon.com"
    if region.startswith("cn-"):
        domain = "amazonaws.cn"
    elif region.startswith("us-gov-"):
        domain = "amazonaws-us-gov.com"
    elif region.startswith("us-iso"):
        return None  # its consoles are not public
    host = f"{region}.console.{domain}" if region else f"console.{domain}"
    where = {"region": region} if region else {}
    query = urlencode({**where, "prefix": prefix})
    return f"https://{host}/s3/buckets/{quote(bucket, safe='')}?{query}"

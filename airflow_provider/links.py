"""Links from a task to what it worked on: a daemon's status page, a bucket's listing.

The address is pushed as an XCom by the running task, so the web server needs neither
connections nor this package's C parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import (
        BaseOperator,
        Context,
        TaskInstanceKey,
    )

    from penstock_airflow.settings import Settings

_AWS = "https://s3.console.aws.amazon.com/s3/buckets/"


class _XComLink(BaseOperatorLink):
    key: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that the task pushed; empty when there is none."""
        from airflow.providers.common.compat.sdk import XCom  # slow to import

        found = XCom.get_value(key=self.key, ti_key=ti_key)
        return found if isinstance(found, str) else ""

    @classmethod
    def push(cls, context: Context, operator: BaseOperator, url: str) -> None:
        """Keep the address for `get_link`."""
        if operator.do_xcom_push:
            context["ti"].xcom_push(key=cls.key, value=url)


class StatusPageLink(_XComLink):
    """To the status page of the daemon that a task spoke to."""

    name = "Penstock status page"
    key: ClassVar[str] = "penstock_status_page"


class BucketLink(_XComLink):
    """To the listing of what a task landed.

    For AWS that is the console; for another endpoint a plain S3 listing of the prefix.
    """

    name = "Bucket listing"
    key: ClassVar[str] = "penstock_bucket"

    @classmethod
    def persist(cls, context: Context, operator: BaseOperator, sink: Settings) -> None:
        """Push the listing's address, out of a sink's settings."""
        url = listing_url(sink)
        if url:
            cls.push(context, operator, url)


def listing_url(sink: dict[str, Any]) -> str:
    """Where people see what a sink writes; empty for a directory."""
    bucket, prefix = sink.get("s3.bucket.name"), f"{sink.get('topics.dir', 'topics')}/"
    store = str(sink.get("store.url", ""))
    if not bucket or store.startswith("file:"):
        return ""
    if store:
        query = urlencode({"list-type": 2, "prefix": prefix})
        return f"{store.rstrip('/')}/{quote(str(bucket))}?{query}"
    query = urlencode({"prefix": prefix, "region": sink.get("s3.region", "us-east-1")})
    return f"{_AWS}{quote(str(bucket))}?{query}"

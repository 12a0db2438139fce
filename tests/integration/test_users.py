"""The job end to end: the API's users land in the bucket as CSV."""

from __future__ import annotations

import re
import time

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration import users
from tests.services.minio import Minio
from tests.services.randomuser_api import RandomUserApi
from tests.support import Bucket, KafkaClient, parse_csv, sink_config, source_config


def rows_of(bucket: Bucket, prefix: str = "topics/") -> list[list[str | None]]:
    """All rows of all data objects, in key order."""
    rows = []
    for stored in bucket.objects(prefix):
        if "_penstock/" not in stored.key:
            rows += parse_csv(stored.content)
    return rows


def test_ten_users_one_a_second_land_within_the_interval(
    daemons: DaemonFactory,
    api: RandomUserApi,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(1), buckets()
    source = source_config(
        topic, api.url, max__users=10, users__per__second=1, output="flat"
    )
    sink = sink_config(
        topic,
        users.FLAT_SCHEMA,
        minio.endpoint,
        bucket.name,
        rotate__schedule__interval__ms=10000,
    )
    daemon = daemons(source, sink)
    seen: dict[str, float] = {}
    deadline = time.time() + 40
    while len(seen) < 10 and time.time() < deadline:
        for row in rows_of(bucket):
            seen.setdefault(row[0], time.time())
        time.sleep(0.1)
    records = client.read_all(topic)
    assert len(records) == len(seen) == 10, daemon.log
    times = sorted(record.timestamp for record in records)
    assert 8.5 <= (times[-1] - times[0]) / 1000 <= 10.0
    for record in records:
        late = seen[record.key.decode()] - record.timestamp / 1000
        assert late <= 11.0, (record, late)
    pattern = rf"topics/{topic}/partition=0/{re.escape(topic)}\+0\+\d{{20}}\.csv"
    for key in bucket.keys("topics/" + topic):
        assert re.fullmatch(pattern, key), key
    served = [users.flat_row(user) for user in api.served()]
    assert rows_of(bucket) == served
    assert len(api.requests) == 1, "ten users are one request, not ten"
    assert daemon.term() == 0


def pass_through(
    output: str,
    schema: str,
    select: str,
    daemons: DaemonFactory,
    api: RandomUserApi,
    topics: TopicFactory,
    buckets: BucketFactory,
    minio: Minio,
) -> tuple[list[list[str | None]], list[users.User]]:
    """All 1,000 recorded users through the source and the sink; rows and users served."""
    topic, bucket = topics(4), buckets()
    source = source_config(
        topic,
        api.url,
        max__users=1000,
        users__per__second=0,
        randomuser__results=500,
        randomuser__seed="penstock-500",
        output=output,
    )
    daemon = daemons(source)
    assert daemon.wait(60) == 0, daemon.log
    sink = sink_config(topic, schema, minio.endpoint, bucket.name, select=select)
    drain = daemons(sink, args=["--until-end"])
    assert drain.wait(60) == 0, drain.log
    return rows_of(bucket), list(api.served())


def test_all_recorded_users_pass_through_flat(
    daemons: DaemonFactory,
    api: RandomUserApi,
    topics: TopicFactory,
    buckets: BucketFactory,
    minio: Minio,
) -> None:
    rows, served = pass_through(
        "flat", users.FLAT_SCHEMA, "*", daemons, api, topics, buckets, minio
    )
    assert len(served) == len(rows) == 1000
    assert len({user["nat"] for user in served}) == 21
    assert sorted(rows) == sorted(users.flat_row(user) for user in served)


def test_all_recorded_users_pass_through_raw(
    daemons: DaemonFactory,
    api: RandomUserApi,
    topics: TopicFactory,
    buckets: BucketFactory,
    minio: Minio,
) -> None:
    rows, served = pass_through(
        "raw", users.RAW_SCHEMA, users.RAW_SELECT, daemons, api, topics, buckets, minio
    )
    assert len(served) == len(rows) == 1000
    assert sorted(rows) == sorted(users.raw_row(user) for user in served)

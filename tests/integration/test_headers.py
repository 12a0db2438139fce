"""The Kafka column headers: what producers wrote is in the CSV, as Spark has it."""

from __future__ import annotations

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, data_keys, sink
from tests.services.minio import Minio
from tests.support import KafkaClient, Msg

SELECT = (
    "n, headers[0].key AS k0, CAST(headers[0].value AS STRING) AS v0, "
    "upper(headers.key[1]) AS k1, "
    "concat('<', CAST(headers[1].value AS STRING), '>') AS v1"
)
RECORDS = [
    Msg('{"n":0}'),
    Msg('{"n":1}', headers=[("trace", b"a-1")]),
    Msg('{"n":2}', headers=[("trace", None), ("später", "é, ü".encode())]),
    Msg('{"n":3}', headers=[("trace", b""), ("trace", b"again"), ("third", b"x")]),
    Msg(None, headers=[("deleted-by", b"\xffjob")]),
]
ROWS = """\
0,,,,
1,trace,a-1,,
2,trace,,SPÄTER,"<é, ü>"
3,trace,"",TRACE,<again>
,deleted-by,\N{REPLACEMENT CHARACTER}job,,
"""
REPEAT = 400


def test_headers_of_real_records(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
) -> None:
    topic, bucket = topics(1), buckets()
    client.produce(topic, RECORDS * REPEAT)
    config = sink(topic, minio.endpoint, bucket.name, select=SELECT)
    daemon = daemons(config, args=["--until-end"], worker=FAST_GROUP)
    assert daemon.wait(60) == 0, daemon.log
    landed = b"".join(bucket.get(key).body for key in sorted(data_keys(bucket)))
    assert landed.decode() == ROWS * REPEAT


def test_the_whole_column_is_refused_at_the_start(
    daemons: DaemonFactory, topics: TopicFactory, buckets: BucketFactory, minio: Minio
) -> None:
    config = sink(topics(1), minio.endpoint, buckets().name, select="n, headers")
    daemon = daemons(config)
    assert daemon.wait(20) == 2, daemon.log
    assert "ARRAY<STRUCT<key: STRING, value: BINARY>>" in daemon.log
    assert "headers[0].key" in daemon.log

"""Assets (Datasets on Airflow 2.11) by their usual names: a topic, a prefix in a bucket.

    RandomUserToKafkaOperator(..., outlets=[topic_asset("kafka:9092", "users")])
    KafkaToS3CsvOperator(..., outlets=[prefix_asset("lake", "topics/users")])

Names are given, not looked up in connections: a DAG file is parsed every few seconds.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import Asset


def topic_asset(broker: str, topic: str) -> Asset:
    """`kafka://host:port/topic`. Raises ValueError for a broker without a port."""
    host, colon, port = broker.rpartition(":")
    if not colon or not host or not port.isdigit():
        raise ValueError(f"broker {broker!r} is not of the form host:port")
    return Asset(uri=f"kafka://{host}:{port}/{topic}")


def prefix_asset(bucket: str, prefix: str) -> Asset:
    """`s3://bucket/prefix`."""
    return Asset(uri=f"s3://{bucket}/{prefix.strip('/')}")

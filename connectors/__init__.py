"""Penstock lands Kafka topics as CSV objects in S3, exactly once; the core is C.

    import penstock

    for record in penstock.RandomUserSource({"kafka.topic": "users"}):
        print(record.value)

    with penstock.S3CsvSink(config) as sink:
        sink.put(records)
        positions = sink.flush()

    summary = penstock.run(worker_config, sink_config, until="end")

Importing it starts nothing: no thread, no connection. Objects work in the process that
made them; after a fork make new ones.
"""

from penstock._connectors import Record
from penstock._errors import ConfigError, FatalError, PenstockError, RetriableError
from penstock._run import run
from penstock._types import (
    Config,
    Offsets,
    PartitionLag,
    Produced,
    Progress,
    PutRecord,
    SinkStats,
    Summary,
    TaskError,
    TaskStatus,
)
from penstock._worker import EmbeddedKafka, Worker, lag
from penstock._worker import version as __version__
from penstock.randomuser import RandomUserSource
from penstock.s3csv import S3CsvSink

__all__ = [
    "Config",
    "ConfigError",
    "EmbeddedKafka",
    "FatalError",
    "Offsets",
    "PartitionLag",
    "PenstockError",
    "Produced",
    "Progress",
    "PutRecord",
    "RandomUserSource",
    "Record",
    "RetriableError",
    "S3CsvSink",
    "SinkStats",
    "Summary",
    "TaskError",
    "TaskStatus",
    "Worker",
    "__version__",
    "lag",
    "run",
]

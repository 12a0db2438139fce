"""`KafkaToS3CsvOperator`: what is in Kafka topics now, as CSV objects in S3."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    Context,
)

from penstock_airflow import links
from penstock_airflow.job import JobOperator, error_for
from penstock_airflow.settings import (
    Setting,
    Settings,
    kafka_settings,
    map_index,
    s3_settings,
    task_name,
)

if TYPE_CHECKING:
    from penstock import PartitionLag, TaskStatus

_ASK_SECONDS = 1.0
_Partition = tuple[str, int]


class KafkaToS3CsvOperator(JobOperator):
    """Land Kafka topics of JSON records as CSV objects in S3, exactly once.

    It reads from where the last run ended to the offsets that were the ends when it
    began, then the task is done. The bytes are those of Spark's ``from_json`` and CSV
    writer. Each object's key holds the offset it begins at and is created conditionally,
    and Kafka's offsets are committed once the object is durable: a retry, a second run
    at the same time, or a kill at any moment loses no record and doubles none.

    A success means that all that the topics held when the task began is in the bucket.
    Runs at the same time share the name, so they share the partitions (as a daemon of
    this name would): each tells what it landed itself, and waits until the others have
    landed the rest. That is safe but gains nothing: set ``max_active_runs=1``.

    .. code-block:: python

        KafkaToS3CsvOperator(
            task_id="land",
            topics="users",
            schema="id STRING, full_name STRING, email STRING",
            bucket="lake",
            csv={"header": True},
        )

    :param topics: one or more topics (templated).
    :param schema: Spark DDL of the record's value (templated).
    :param bucket: the bucket (templated); it must exist.
    :param select: Spark's select list (templated), as ``name.first AS first_name``.
    :param prefix: what keys begin with (templated). One connector a prefix.
    :param csv: Spark's CSV options by their names, as ``{"header": True, "sep": ";"}``.
    :param name: the connector's name (templated); the consumer group is
        ``connect-<name>``, and the objects' owner. None: ``<dag_id>.<task_id>``. It must
        stay the same from run to run: the next run goes on where this one ended. A mapped
        task needs one, of its own for each prefix, as its indexes may change. After a
        rename see ``chain.take.over.from``.
    :param starting_offsets: where the very first run begins, ``earliest`` or ``latest``
        (templated).
    :param skip_when_empty: end as skipped when nothing new was there, so that the task's
        assets do not count as updated. A retry is never skipped: the try before it may
        have landed records.
    :param kafka_config_id: a connection of the apache-kafka provider's type (templated):
        its extras are librdkafka's settings.
    :param aws_conn_id: a connection of the amazon provider's type (templated); None:
        credentials come from the environment.
    :param connect_timeout: seconds to wait for Kafka and the store at the start before
        the task fails; also how long a store may fail later on, and how long to wait for
        other runs.
    :param config: more settings of S3CsvSink, by their names (templated).
    :return: what this try landed: ``{"objects": 3, "records": 30, "rows": 30, "bytes":
        2048, "offsets": {"users": {"0": [120, 149]}}, "bucket": "lake", "prefix":
        "topics", "last_object": "s3://lake/topics/…csv", "seconds": 1.2}``; offsets are
        ``{topic: {partition: [first, last]}}``.
    :raises AirflowException: no broker, no topic, no bucket, no answer of the store;
        another run does not get on; killed.
    :raises AirflowFailException: wrong settings, a bad record (with
        ``json.mode=FAILFAST``), a missing permission, a broken chain: no retry.
    :raises AirflowSkipException: nothing was new, with ``skip_when_empty``.
    """

    template_fields: Sequence[str] = (
        "topics", "schema", "select", "bucket", "prefix", "csv", "name",
        "starting_offsets", "kafka_config_id", "aws_conn_id", "config",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "schema": "sql", "select": "sql", "csv": "json", "config": "json",
    }  # fmt: skip
    operator_extra_links = (links.BucketLink(),)
    ui_color = "#d9efcf"

    def __init__(
        self,
        *,
        topics: str | Sequence[str],
        schema: str,
        bucket: str | None = None,
        select: str = "*",
        prefix: str = "topics",
        csv: Mapping[str, Setting] | None = None,
        name: str | None = None,
        starting_offsets: Literal["earliest", "latest"] = "earliest",
        skip_when_empty: bool = False,
        kafka_config_id: str = "kafka_default",
        aws_conn_id: str | None = "aws_default",
        connect_timeout: float = 30.0,
        config: Mapping[str, Setting] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.topics = topics
        self.schema = schema
        self.bucket = bucket
        self.select = select
        self.prefix = prefix
        self.csv = csv
        self.name = name
        self.starting_offsets = starting_offsets
        self.skip_when_empty = skip_when_empty
        self.kafka_config_id = kafka_config_id
        self.aws_conn_id = aws_conn_id
        self.connect_timeout = connect_timeout
        self.config = config

    def _topics(self) -> str:
        return self.topics if isinstance(self.topics, str) else ",".join(self.topics)

    def describe(self, task: TaskStatus) -> str:
        """How far it is."""
        return (
            f"{task['records']} records of {self._topics()} read, "
            f"{task['objects']} objects landed"
        )

    def _name(self, context: Context) -> str:
        if self.name:
            return self.name
        if map_index(context) >= 0:
            raise AirflowFailException(
                f"task {self.task_id} is mapped: give name=, which must stay with its "
                "topics and prefix from run to run, as a map index does not"
            )
        return task_name(context, self.dag_id, self.task_id)

    def sink_settings(self, context: Context) -> Settings:
        """The connector's settings; `config` goes before the operator's arguments."""
        settings: Settings = {
            **s3_settings(self.aws_conn_id),
            "name": self._name(context),
            "connector.class": "S3CsvSink",
            "topics": self._topics(),
            "value.schema": self.schema,
            "select": self.select,
            "topics.dir": self.prefix,
            "errors.retry.timeout": int(self.connect_timeout * 1000),
        }
        if self.bucket is not None:
            settings["s3.bucket.name"] = self.bucket
        for option, value in (self.csv or {}).items():
            settings[f"csv.{option}"] = value
        return {**settings, **(self.config or {})}

    def work(self, context: Context) -> dict[str, Any]:
        """Land what is there now; what was done."""
        sink = self.sink_settings(context)
        worker = kafka_settings(self.kafka_config_id)
        worker["startup.timeout.ms"] = int(self.connect_timeout * 1000)
        worker["consumer.auto.offset.reset"] = self.starting_offsets
        self.log.info(
            "landing %s in bucket %s below %s, group connect-%s, brokers %s",
            self._topics(), self.bucket, self.prefix, sink["name"],
            worker["bootstrap.servers"],
        )  # fmt: skip
        links.BucketLink.persist(context, self, sink)
        ends = self._ends(worker, sink)
        task = self.run_job(worker, sink, until="end")["tasks"][0]
        result = self._result(task)
        self.log.info(
            "%d records landed in %d objects in %.1f s",
            task["records"], task["objects"], task["seconds"],
        )  # fmt: skip
        waited = self._await_others(worker, sink, ends)
        first_try = getattr(context.get("ti"), "try_number", 1) <= 1
        empty = not task["objects"] and not waited and first_try
        if self.skip_when_empty and empty:
            raise AirflowSkipException(f"nothing new in {self._topics()}")
        return result

    def _lag(self, worker: Settings, sink: Settings) -> list[PartitionLag]:
        """How far the group is. Raises AirflowException; LookupError without a topic."""
        import penstock

        topics = [topic.strip() for topic in str(sink["topics"]).split(",")]
        try:
            return penstock.lag(worker, str(sink["name"]), topics, self.connect_timeout)
        except penstock.PenstockError as error:
            if error.code == "not found":
                raise LookupError(str(error)) from error
            raise error_for(error) from error

    def _ends(self, worker: Settings, sink: Settings) -> dict[_Partition, int]:
        """Where the topics end now; what a topic that is still to come holds is new."""
        try:
            rows = self._lag(worker, sink)
        except LookupError:
            return {}
        return {(row["topic"], row["partition"]): row["end"] for row in rows}

    def _behind(
        self, worker: Settings, sink: Settings, ends: dict[_Partition, int]
    ) -> list[str]:
        """The partitions that the group has not landed up to `ends`."""
        try:
            rows = self._lag(worker, sink) if ends else []
        except LookupError:
            return []  # the topic is gone
        behind = []
        for row in rows:
            end = ends.get((row["topic"], row["partition"]), 0)
            if row["lag"] and (row["committed"] or 0) < end:
                behind.append(f"{row['topic']}[{row['partition']}]")
        return behind

    def _await_others(
        self, worker: Settings, sink: Settings, ends: dict[_Partition, int]
    ) -> bool:
        """Wait until all below `ends` is landed: another of the group may be at it.

        True if it had to wait. Raises AirflowException when that takes too long.
        """
        deadline = time.monotonic() + self.connect_timeout
        waited = False
        while behind := self._behind(worker, sink, ends):
            if time.monotonic() >= deadline:
                raise AirflowException(
                    f"{', '.join(behind)}: not landed to the end within "
                    f"{self.connect_timeout:g} s by another member of the group "
                    f"connect-{sink['name']} (a run at the same time? a daemon?)"
                )
            if not waited:
                self.log.info("another run lands %s: waiting", ", ".join(behind))
            waited = True
            time.sleep(_ASK_SECONDS)
        return waited

    def _result(self, task: TaskStatus) -> dict[str, Any]:
        offsets: dict[str, dict[str, list[int]]] = {}
        for part in task["offsets"]:
            first, last = part["first"], part["next"] - 1
            offsets.setdefault(part["topic"], {})[str(part["partition"])] = [first, last]
            self.log.info(
                "%s[%d]: offsets %d to %d", part["topic"], part["partition"], first, last
            )
        return {
            "objects": task["objects"],
            "records": task["records"],
            "rows": task["rows"],
            "bytes": task["bytes"],
            "offsets": offsets,
            "bucket": self.bucket,
            "prefix": self.prefix,
            "last_object": task["last_object"],
            "seconds": round(task["seconds"], 3),
        }

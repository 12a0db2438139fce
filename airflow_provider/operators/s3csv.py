"""`KafkaToS3CsvOperator`: what is in Kafka topics now, as CSV objects in S3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException, Context

from penstock_airflow import links
from penstock_airflow.job import JobOperator
from penstock_airflow.settings import Setting, Settings, kafka_settings, s3_settings

if TYPE_CHECKING:
    from penstock import TaskStatus


class KafkaToS3CsvOperator(JobOperator):
    """Land Kafka topics of JSON records as CSV objects in S3, exactly once.

    It reads from where the last run ended to the offsets that were the ends when it
    began, then the task is done. The bytes are those of Spark's ``from_json`` and CSV
    writer. Each object's key holds the offset it begins at and is created conditionally,
    and Kafka's offsets are committed once the object is durable: a retry, a second run
    at the same time, or a kill at any moment loses no record and doubles none.

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
        ``connect-<name>``. It must stay the same from run to run: the next run goes on
        where this one ended. After a rename see ``chain.take.over.from``.
    :param starting_offsets: where the very first run begins, ``earliest`` or ``latest``.
    :param skip_when_empty: end as skipped when nothing new was there, so that the task's
        assets do not count as updated.
    :param kafka_config_id: a connection of the apache-kafka provider's type: its extras
        are librdkafka's settings.
    :param aws_conn_id: a connection of the amazon provider's type; None: credentials
        come from the environment.
    :param connect_timeout: seconds to wait for Kafka and the store at the start before
        the task fails; also how long a store may fail later on.
    :param config: more settings of S3CsvSink, by their names (templated).
    :return: ``{"objects": 3, "records": 30, "rows": 30, "bytes": 2048, "offsets":
        {"users": {"0": [120, 149]}}, "bucket": "lake", "prefix": "topics",
        "last_object": "s3://lake/topics/…csv", "seconds": 1.2}``; offsets are ``{topic:
        {partition: [first, last]}}``.
    :raises AirflowException: no broker, no answer of the store; killed.
    :raises AirflowFailException: wrong settings, a bad record (with
        ``json.mode=FAILFAST``), a missing permission, a broken chain: no retry.
    :raises AirflowSkipException: nothing was new, with ``skip_when_empty``.
    """

    template_fields: Sequence[str] = (
        "topics", "schema", "select", "bucket", "prefix", "csv", "name", "config",
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
        name: str = "{{ dag.dag_id }}.{{ task.task_id }}",
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

    def sink_settings(self) -> Settings:
        """The connector's settings; `config` goes before the operator's arguments."""
        settings: Settings = {
            **s3_settings(self.aws_conn_id),
            "name": self.name,
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

    def execute(self, context: Context) -> dict[str, Any]:
        """Land what is there now; what was done."""
        worker = kafka_settings(self.kafka_config_id)
        worker["startup.timeout.ms"] = int(self.connect_timeout * 1000)
        worker["consumer.auto.offset.reset"] = self.starting_offsets
        sink = self.sink_settings()
        self.log.info(
            "landing %s in bucket %s below %s, group connect-%s, brokers %s",
            self._topics(), self.bucket, self.prefix, self.name,
            worker["bootstrap.servers"],
        )  # fmt: skip
        links.BucketLink.persist(context, self, sink)
        task = self.run_job(worker, sink, until="end")["tasks"][0]
        result = self._result(task)
        self.log.info(
            "%d records landed in %d objects in %.1f s",
            task["records"], task["objects"], task["seconds"],
        )  # fmt: skip
        if self.skip_when_empty and not task["objects"]:
            raise AirflowSkipException(f"nothing new in {self._topics()}")
        return result

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

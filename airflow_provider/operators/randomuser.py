"""`RandomUserToKafkaOperator`: people of the randomuser.me API into a Kafka topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import Context

from penstock_airflow.job import JobOperator
from penstock_airflow.settings import (
    Setting,
    Settings,
    kafka_settings,
    shortened,
    task_name,
)

if TYPE_CHECKING:
    from penstock import TaskStatus

SEED_PER_RUN = "{{ dag.dag_id }}.{{ task.task_id }}.{{ run_id }}.{{ ti.map_index }}"
"""The seed that makes a retry go on where the failed try ended."""
KEEP_OFFSETS_DAYS = 7
_SEED_LENGTH = 255
_DAY_MS = 24 * 60 * 60 * 1000


class RandomUserToKafkaOperator(JobOperator):
    """Produce made-up people of the randomuser.me API to a Kafka topic, at a pace.

    The task ends when all are acknowledged by Kafka (`acks=all`). It fails when a record
    was not delivered, with the count and the first error. By default the seed is the
    run's: the users and the source's offset are one transaction a poll, so a retry
    produces only what the failed try left out, and a second success of the same run
    nothing (within 7 days, for so long Kafka keeps a run's offset). Runs at the same time
    and mapped tasks have seeds of their own, and do not meet. Give `seed=None` for other
    people with each try (nothing is stored in Kafka then), or one of your own for the
    same people in every run: runs at the same time then take it over from each other,
    and the older one fails.

    .. code-block:: python

        RandomUserToKafkaOperator(
            task_id="produce", topic="users", max_users=10, users_per_second=1
        )

    :param topic: the topic (templated). The record key is the user's uuid.
    :param max_users: how many users (templated), all tries of a seed together; at least
        1.
    :param users_per_second: the pace, users a second (templated); 0 = as fast as it goes.
    :param seed: the API makes the same people of the same seed (templated).
    :param nationalities: as ``["US", "GB"]``; None = all.
    :param output: ``raw`` = the API's user object, ``flat`` = one level of columns.
    :param url: where the API is (templated); ``file:///path`` reads a recorded answer.
    :param name: the connector's name (templated), with the seed the key of the stored
        offset; None: ``<dag_id>.<task_id>``, and the map index of a mapped task.
    :param kafka_config_id: a connection of the apache-kafka provider's type (templated):
        its extras are librdkafka's settings.
    :param connect_timeout: seconds to wait for Kafka at the start before the task fails.
    :param config: more settings of RandomUserSource, by their names (templated).
    :return: ``{"produced": 10, "topic": "users", "offsets": {"0": [120, 129]},
        "seconds": 9.1}``; offsets are ``{partition: [first, last]}``.
    :raises AirflowException: no broker, no API, no topic, a record not delivered; killed.
    :raises AirflowFailException: wrong settings or a missing permission: no retry.
    """

    template_fields: Sequence[str] = (
        "topic", "max_users", "users_per_second", "seed", "url", "name", "nationalities",
        "kafka_config_id", "config",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"config": "json"}
    ui_color = "#cfe8ef"

    def __init__(
        self,
        *,
        topic: str,
        max_users: int | str = 10,
        users_per_second: float | str = 1.0,
        seed: str | None = SEED_PER_RUN,
        nationalities: Sequence[str] | None = None,
        output: Literal["raw", "flat"] = "raw",
        url: str | None = None,
        name: str | None = None,
        kafka_config_id: str = "kafka_default",
        connect_timeout: float = 30.0,
        config: Mapping[str, Setting] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.topic = topic
        self.max_users = max_users
        self.users_per_second = users_per_second
        self.seed = seed
        self.nationalities = nationalities
        self.record_format = output  # BaseOperator.output is the XComArg
        self.url = url
        self.name = name
        self.kafka_config_id = kafka_config_id
        self.connect_timeout = connect_timeout
        self.config = config

    def describe(self, task: TaskStatus) -> str:
        """How far it is."""
        return f"{task['records']} of {self.max_users} users produced to {self.topic}"

    def source_settings(self, context: Context) -> Settings:
        """The connector's settings; `config` goes before the operator's arguments."""
        settings: Settings = {
            "name": self.name or task_name(context, self.dag_id, self.task_id),
            "connector.class": "RandomUserSource",
            "kafka.topic": self.topic,
            "max.users": self.max_users,
            "users.per.second": self.users_per_second,
            "output": self.record_format,
        }
        if self.seed is not None:
            settings["randomuser.seed"] = shortened(self.seed, _SEED_LENGTH)
        if self.url is not None:
            settings["randomuser.url"] = self.url
        if self.nationalities:
            settings["randomuser.nat"] = ",".join(self.nationalities)
        return {**settings, **(self.config or {})}

    def work(self, context: Context) -> dict[str, Any]:
        """Produce, and wait until all is acknowledged."""
        worker = {
            "offset.storage.retention.ms": KEEP_OFFSETS_DAYS * _DAY_MS,
            **kafka_settings(self.kafka_config_id),
            "startup.timeout.ms": int(self.connect_timeout * 1000),
        }
        self.log.info(
            "producing %s users to %s, %s a second, brokers %s",
            self.max_users, self.topic, self.users_per_second,
            worker["bootstrap.servers"],
        )  # fmt: skip
        task = self.run_job(worker, self.source_settings(context))["tasks"][0]
        offsets: dict[str, list[int]] = {}
        for part in task["offsets"]:
            first, last = part["first"], part["next"] - 1
            offsets[str(part["partition"])] = [first, last]
            self.log.info(
                "%s[%d]: offsets %d to %d", part["topic"], part["partition"], first, last
            )
        self.log.info(
            "%d users produced to %s in %.1f s",
            task["records"], self.topic, task["seconds"],
        )  # fmt: skip
        return {
            "produced": task["records"],
            "topic": self.topic,
            "offsets": offsets,
            "seconds": round(task["seconds"], 3),
        }

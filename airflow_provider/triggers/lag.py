"""`ConnectorLagTrigger`: waits in the triggerer until a connector has caught up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from penstock_airflow.settings import Settings, kafka_settings

if TYPE_CHECKING:
    from penstock import PartitionLag

THREADS = 4


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """All triggers of the process share a few threads: a broker that hangs holds one for
    the time of one request, and never the triggerer's loop."""
    return ThreadPoolExecutor(THREADS, "penstock-lag")


def ask(
    worker: Settings, connector: str, topics: Sequence[str], seconds: float
) -> tuple[int, list[PartitionLag]] | str:
    """(lag, partitions); a text when Kafka did not tell and may do so later.

    Raises PenstockError for what will not change.
    """
    from penstock import PenstockError, lag

    try:
        rows = lag(worker, connector, list(topics), timeout=seconds)
    except PenstockError as error:
        if error.retriable or error.unreachable:
            return str(error)
        raise
    return sum(row["lag"] for row in rows), rows


def event_of(total: int, rows: Sequence[PartitionLag]) -> dict[str, Any]:
    """What is told when it has caught up, as JSON."""
    partitions: dict[str, dict[str, int]] = {}
    for row in rows:
        partitions.setdefault(row["topic"], {})[str(row["partition"])] = row["lag"]
    return {"lag": total, "partitions": partitions}


class ConnectorLagTrigger(BaseTrigger):
    """Fire when a connector is at most `max_lag` records behind its topics.

    The event is ``{"lag": 0, "partitions": {"users": {"0": 0}}}``, or ``{"error":
    "…"}`` for what will not change by waiting. No secret is in the arguments: they are
    stored in Airflow's database.

    :param connector: its name; the consumer group is ``connect-<name>``.
    :param topics: the topics it reads.
    :param max_lag: records, all partitions together.
    :param kafka_config_id: a connection of the apache-kafka provider's type.
    :param poll_interval: seconds between two looks.
    :param request_timeout: seconds that one look may take.
    """

    def __init__(
        self,
        connector: str,
        topics: Sequence[str],
        max_lag: int = 0,
        kafka_config_id: str = "kafka_default",
        poll_interval: float = 10.0,
        request_timeout: float = 10.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.connector = connector
        self.topics = list(topics)
        self.max_lag = max_lag
        self.kafka_config_id = kafka_config_id
        self.poll_interval = poll_interval
        self.request_timeout = request_timeout

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class's path and its arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "connector": self.connector,
            "topics": self.topics,
            "max_lag": self.max_lag,
            "kafka_config_id": self.kafka_config_id,
            "poll_interval": self.poll_interval,
            "request_timeout": self.request_timeout,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it has caught up; one event."""
        try:
            worker = await sync_to_async(kafka_settings)(self.kafka_config_id)
            while True:
                look = partial(
                    ask, worker, self.connector, self.topics, self.request_timeout
                )
                found = await asyncio.get_running_loop().run_in_executor(_pool(), look)
                if isinstance(found, str):
                    self.log.warning("lag of %s unknown: %s", self.connector, found)
                else:
                    self.log.info("%s is %d records behind", self.connector, found[0])
                    if found[0] <= self.max_lag:
                        event = event_of(*found)
                        break
                await asyncio.sleep(self.poll_interval)
        except Exception as error:
            event = {"error": str(error)}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

"""`ConnectorLagTrigger`: waits in the triggerer until a connector has caught up."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowNotFoundException,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from penstock_airflow.settings import Settings, kafka_settings

if TYPE_CHECKING:
    from penstock import PartitionLag

THREADS = 4
BACKOFF_MAX = 60.0
STEP_MIN = 0.1
UNCLEAR_TRIES = 5

Outlook = Literal["passes", "unclear", "final"]

# librdkafka reports these as brokers that do not answer, and goes on connecting.
_REFUSED = re.compile(
    r"SASL [\w ]*authentication (error|fail)|SASL \w+ mechanism handshake failed"
    r"|certificate verify failed|certificate could not be verified",
    re.IGNORECASE,
)
_UNCLEAR = ("kafka", "internal", "io")


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """All triggers of the process share a few threads: a broker that hangs holds one for
    the time of one request, and never the triggerer's loop."""
    return ThreadPoolExecutor(THREADS, "penstock-lag")


def ask(
    worker: Settings, connector: str, topics: Sequence[str], seconds: float
) -> tuple[int, list[PartitionLag]]:
    """(lag, partitions). Raises PenstockError; see `outlook_of`."""
    from penstock import lag

    rows = lag(worker, connector, list(topics), timeout=seconds)
    return sum(row["lag"] for row in rows), rows


def outlook_of(error: Exception) -> Outlook:
    """Will asking again help?

    "passes": no broker answers, a coordinator moves or loads, the topic is not there yet.
    "final": wrong settings, credentials that are refused, a missing permission.
    "unclear": all else; a few tries tell.
    """
    if isinstance(error, ImportError):
        return "final"
    from penstock import ConfigError, PenstockError

    if isinstance(error, AirflowFailException | AirflowNotFoundException):
        return "final"
    if not isinstance(error, PenstockError):
        return "final" if isinstance(error, TypeError | ValueError) else "unclear"
    if isinstance(error, ConfigError) or error.code == "auth":
        return "final"
    if _REFUSED.search(str(error)):
        return "final"
    if error.retriable or error.unreachable:
        return "passes"
    return "unclear" if error.code in _UNCLEAR else "final"


def backoff(failures: int, poll_interval: float) -> float:
    """Seconds until the next look after so many failed ones in a row: doubled with each,
    60 s at most (or the interval, if that is more), up to a quarter less by chance."""
    most = max(BACKOFF_MAX, poll_interval)
    return min(poll_interval * 2.0 ** min(failures, 30), most) * random.uniform(0.75, 1)


def event_of(total: int, rows: Sequence[PartitionLag]) -> dict[str, Any]:
    """What is told when it has caught up, as JSON."""
    partitions: dict[str, dict[str, int]] = {}
    for row in rows:
        partitions.setdefault(row["topic"], {})[str(row["partition"])] = row["lag"]
    return {"lag": total, "partitions": partitions}


class ConnectorLagTrigger(BaseTrigger):
    """Fire when a connector is at most `max_lag` records behind its topics.

    The event is ``{"lag": 0, "partitions": {"users": {"0": 0}}}``, or ``{"error": "…",
    "final": true}`` for what will not change by waiting: wrong settings, refused
    credentials, a missing permission; ``"final": false`` for an error of unknown kind,
    five times in a row. While no broker answers or a group's coordinator moves it looks
    on, ever more seldom, at least once a minute (or each `poll_interval`, if that is
    longer); what defers to it bounds that. No secret is in the arguments: they are stored
    in Airflow's database.

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
        yield TriggerEvent(await self._watch())  # type: ignore[no-untyped-call]

    async def _watch(self) -> dict[str, Any]:
        failures = unclear = 0
        worker: Settings | None = None
        while True:
            delay = self.poll_interval
            try:
                if worker is None:
                    worker = await sync_to_async(kafka_settings)(self.kafka_config_id)
                total, rows = await self._look(worker)
            except Exception as error:
                worker = None  # the connection may be mended meanwhile
                outlook = outlook_of(error)
                unclear = unclear + 1 if outlook == "unclear" else 0
                if outlook == "final" or unclear == UNCLEAR_TRIES:
                    where = f"connection {self.kafka_config_id}"
                    text = f"lag of {self.connector}, {where}: {error}"
                    return {"error": text, "final": outlook == "final"}
                delay = backoff(failures, self.poll_interval)
                failures += 1
                self.log.warning(
                    "lag of %s unknown, asking again in %.1f s: %s",
                    self.connector, delay, error,
                )  # fmt: skip
            else:
                failures = unclear = 0
                self.log.info("%s is %d records behind", self.connector, total)
                if total <= self.max_lag:
                    return event_of(total, rows)
            await asyncio.sleep(max(delay, STEP_MIN))

    async def _look(self, worker: Settings) -> tuple[int, list[PartitionLag]]:
        look = partial(ask, worker, self.connector, self.topics, self.request_timeout)
        return await asyncio.get_running_loop().run_in_executor(_pool(), look)

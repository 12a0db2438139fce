"""`ConnectorLagSensor`: waits until a connector has caught up with its topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    conf,
)


class ConnectorLagSensor(BaseSensorOperator):
    """Wait until a connector is at most so many records behind its topics.

    The connector may run anywhere: in penstockd, in Kafka Connect or in another task;
    Kafka is asked for what its group ``connect-<name>`` has committed, and nothing is
    read. Penstock commits once the object is durable, so a lag of 0 means: all that was
    there when Kafka was asked is in the bucket. While no broker answers or a group's
    coordinator moves, the sensor waits on, within its own ``timeout``.

    .. code-block:: python

        ConnectorLagSensor(
            task_id="landed", connector="users-sink", topics="users", deferrable=True
        )

    :param connector: the connector's name (templated).
    :param topics: one or more topics that it reads (templated).
    :param max_lag: records, all partitions together.
    :param kafka_config_id: a connection of the apache-kafka provider's type (templated).
    :param request_timeout: seconds that one look may take.
    :param deferrable: wait in the triggerer instead of in a worker; default:
        ``[operators] default_deferrable``.
    :return: ``{"lag": 0, "partitions": {"users": {"0": 0}}}``.
    :raises AirflowFailException: wrong settings, refused credentials, a missing
        permission: no retry.
    :raises AirflowException: an error of another kind.
    :raises AirflowSensorTimeout: not caught up within ``timeout`` (not deferred).
    """

    template_fields: Sequence[str] = ("connector", "topics", "kafka_config_id")
    ui_color = "#e2d5ec"

    def __init__(
        self,
        *,
        connector: str,
        topics: str | Sequence[str],
        max_lag: int = 0,
        kafka_config_id: str = "kafka_default",
        request_timeout: float = 10.0,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector = connector
        self.topics = topics
        self.max_lag = max_lag
        self.kafka_config_id = kafka_config_id
        self.request_timeout = request_timeout
        if deferrable is None:
            deferrable = conf.getboolean(
                "operators", "default_deferrable", fallback=False
            )
        self.deferrable = deferrable

    def _topics(self) -> list[str]:
        return [self.topics] if isinstance(self.topics, str) else list(self.topics)

    def poke(self, context: Context) -> PokeReturnValue:
        """One look."""
        from penstock_airflow.settings import kafka_settings
        from penstock_airflow.triggers.lag import ask, event_of, outlook_of

        worker = kafka_settings(self.kafka_config_id)
        try:
            total, rows = ask(
                worker, self.connector, self._topics(), self.request_timeout
            )
        except Exception as error:
            outlook = outlook_of(error)
            if outlook == "passes":
                self.log.warning("lag of %s unknown: %s", self.connector, error)
                return PokeReturnValue(is_done=False)
            kind = AirflowFailException if outlook == "final" else AirflowException
            where = f"connection {self.kafka_config_id}"
            raise kind(f"lag of {self.connector}, {where}: {error}") from error
        self.log.info("%s is %d records behind", self.connector, total)
        return PokeReturnValue(total <= self.max_lag, event_of(total, rows))

    def execute(self, context: Context) -> Any:
        """Wait; deferred when it is not there at the first look."""
        from penstock_airflow.triggers.lag import ConnectorLagTrigger

        if not self.deferrable:
            return super().execute(context)
        first = self.poke(context)
        if first.is_done:
            return first.xcom_value
        self.defer(
            trigger=ConnectorLagTrigger(
                self.connector,
                self._topics(),
                self.max_lag,
                self.kafka_config_id,
                float(self.poke_interval),
                self.request_timeout,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=float(self.timeout)),
        )

    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Go on with what the trigger told."""
        event = event or {"error": "no event"}
        if "error" in event:
            final = event.get("final", True)
            kind = AirflowFailException if final else AirflowException
            raise kind(str(event["error"]))
        self.log.info("%s is %d records behind", self.connector, event["lag"])
        return dict(event)

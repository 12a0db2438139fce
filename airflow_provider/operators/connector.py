"""`ConnectorOperator`: pause, resume, stop, restart or change a daemon's connector."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    BaseOperator,
    Context,
)

from penstock_airflow import links
from penstock_airflow.hooks.penstock import Daemon, PenstockHook, RestError

Action = Literal["status", "pause", "resume", "stop", "restart", "configure", "delete"]
_AFTER: dict[str, str] = {
    "pause": "PAUSED",
    "resume": "RUNNING",
    "stop": "STOPPED",
    "restart": "RUNNING",
    "configure": "RUNNING",
}
_POLL_SECONDS = 0.2
_NOT_FOUND, _CONFLICT = 404, 409
_WRONG = range(400, 500)


class ConnectorOperator(BaseOperator):
    """Do something with a connector of a daemon, and wait until it is done.

    The daemon is penstockd, or any Kafka Connect worker. The task fails when the
    connector or one of its tasks is FAILED, with the first line of its trace.

    .. code-block:: python

        ConnectorOperator(task_id="pause", connector="users-sink", action="pause")

    :param connector: the connector's name (templated).
    :param action: ``status`` fails for a connector that has failed, else only tells;
        ``pause``, ``resume``, ``stop``, ``restart``; ``configure`` creates it or changes
        its settings to ``config``; ``delete`` succeeds also when there is none.
    :param config: for ``configure``: the connector's settings (templated).
    :param only_failed: for ``restart``: only what has failed.
    :param wait_seconds: how long to wait for the state that the action leads to; 0 = do
        not wait.
    :param penstock_conn_id: a connection of type ``penstock``.
    :return: the connector's status: ``{"name", "connector": {"state"}, "tasks": […]}``;
        None after ``delete``.
    :raises AirflowException: no answer, not done in ``wait_seconds``, FAILED; killed.
    :raises AirflowFailException: the daemon says that the request is wrong: no retry.
    """

    template_fields: Sequence[str] = ("connector", "config")
    operator_extra_links = (links.StatusPageLink(),)
    ui_color = "#efe6cf"

    _waits = False

    def __init__(
        self,
        *,
        connector: str,
        action: Action = "status",
        config: Mapping[str, Any] | None = None,
        only_failed: bool = False,
        wait_seconds: float = 60.0,
        penstock_conn_id: str = PenstockHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector = connector
        self.action = action
        self.config = config
        self.only_failed = only_failed
        self.wait_seconds = wait_seconds
        self.penstock_conn_id = penstock_conn_id

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Do it; the connector's status then."""
        if (self.action == "configure") != (self.config is not None):
            raise AirflowFailException("config goes with action=configure, only there")
        with PenstockHook(self.penstock_conn_id).session() as daemon:
            links.StatusPageLink.push(context, self, daemon.status_url)
            self._waits = True
            try:
                return self._act(daemon)
            except RestError as error:
                if error.status in _WRONG and error.status != _CONFLICT:
                    raise AirflowFailException(str(error)) from error
                raise
            finally:
                self._waits = False

    def _act(self, daemon: Daemon) -> dict[str, Any] | None:
        self.log.info("%s %s at %s", self.action, self.connector, daemon.url)
        if self.action == "delete":
            try:
                daemon.delete(self.connector)
            except RestError as error:
                if error.status != _NOT_FOUND:
                    raise
                self.log.info("there is no connector %s", self.connector)
            return None
        if self.action == "restart":
            daemon.restart(self.connector, only_failed=self.only_failed)
        elif self.action == "configure":
            daemon.put_config(self.connector, self.config or {})
        elif self.action != "status":
            getattr(daemon, self.action)(self.connector)
        return self._wait(daemon)

    def _wait(self, daemon: Daemon) -> dict[str, Any]:
        wanted = _AFTER.get(self.action)
        deadline = time.monotonic() + self.wait_seconds
        while True:
            status = self._status(daemon)
            failed = failure(status)
            if failed:
                raise AirflowException(f"connector {self.connector}: {failed}")
            if wanted is None or self.wait_seconds <= 0 or reached(status, wanted):
                self.log.info("%s", summary(status))
                return status
            if time.monotonic() > deadline:
                raise AirflowException(
                    f"connector {self.connector} is not {wanted} after "
                    f"{self.wait_seconds:g} s: {summary(status)}"
                )
            time.sleep(_POLL_SECONDS)

    def _status(self, daemon: Daemon) -> dict[str, Any]:
        """Its status; a new connector has none for a moment."""
        try:
            return daemon.status(self.connector)
        except RestError as error:
            if error.status != _NOT_FOUND or self.action != "configure":
                raise
            return {"name": self.connector, "connector": {"state": "none"}, "tasks": []}

    def on_kill(self) -> None:
        """Ends the wait. The connector stays as it is: it is the daemon's."""
        if self._waits:
            raise AirflowException(f"killed while waiting for {self.connector}")


def summary(status: Mapping[str, Any]) -> str:
    """ "users-sink: RUNNING, tasks RUNNING RUNNING"."""
    tasks = " ".join(str(task["state"]) for task in status["tasks"]) or "none"
    return f"{status['name']}: {status['connector']['state']}, tasks {tasks}"


def failure(status: Mapping[str, Any]) -> str | None:
    """What has failed, with the first line of its trace."""
    parts = [("connector", status["connector"])]
    parts += [(f"task {task['id']}", task) for task in status["tasks"]]
    for name, part in parts:
        if part["state"] == "FAILED":
            trace = str(part.get("trace", "")).strip().split("\n", 1)[0]
            return f"{name} FAILED: {trace[:500]}"
    return None


def reached(status: Mapping[str, Any], wanted: str) -> bool:
    """Is the connector in this state, and are its tasks?"""
    states = [task["state"] for task in status["tasks"]]
    if status["connector"]["state"] != wanted:
        return False
    if wanted == "STOPPED":
        return not states
    return bool(states) and all(state == wanted for state in states)

"""`ConnectorOperator`: pause, resume, stop, restart or change a daemon's connector.

Kafka Connect answers 202 or 204 before it acts, and its status has no generation: what is
seen right after an action may be from before it. So a status that could be an old one
(RUNNING, FAILED) counts once it has stayed the same for a while.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    BaseOperator,
    Context,
)

from penstock_airflow import links
from penstock_airflow.hooks.penstock import Daemon, NoAnswer, PenstockHook, RestError

Action = Literal["status", "pause", "resume", "stop", "restart", "configure", "delete"]
ACTIONS: tuple[str, ...] = get_args(Action)
_AT_REST = ("RUNNING", "PAUSED", "STOPPED")
_AFTER: dict[str, tuple[str, ...]] = {
    "pause": ("PAUSED",),
    "resume": ("RUNNING",),
    "stop": ("STOPPED",),
    "restart": _AT_REST,  # a paused connector stays paused
    "configure": _AT_REST,
}
_UNMISTAKABLE = ("pause", "stop")  # nothing else leads to their states
_POLL_SECONDS = 0.2
_NOT_FOUND, _CONFLICT = 404, 409
_WRONG = range(400, 500)


class ConnectorOperator(BaseOperator):
    """Do something with a connector of a daemon, and wait until it is done.

    The daemon is penstockd, or any Kafka Connect worker. It is done when the connector
    and its tasks are PAUSED after ``pause`` and STOPPED after ``stop``; after the other
    actions when their status has stayed the same for ``settle_seconds`` and is RUNNING
    (after ``restart`` and ``configure`` also PAUSED or STOPPED, if that is what the
    connector was). FAILED counts when it has stayed for as long: the task then fails,
    with the first line of the trace. It takes ``wait_seconds`` and the time-outs of two
    requests at most.

    .. code-block:: python

        ConnectorOperator(task_id="pause", connector="users-sink", action="pause")

    :param connector: the connector's name (templated).
    :param action: (templated) ``status`` fails for a connector that has failed, else only
        tells; ``pause``, ``resume``, ``stop``, ``restart``; ``configure`` creates it or
        changes its settings to ``config``; ``delete`` succeeds also when there is none.
    :param config: for ``configure``: the connector's settings, or a text that is their
        JSON (templated).
    :param only_failed: for ``restart``: only what has failed.
    :param wait_seconds: how long to wait for the state that the action leads to; 0 = do
        not wait and do not judge.
    :param settle_seconds: how long RUNNING or FAILED must have stayed to count. A Connect
        cluster whose rebalances take longer needs more.
    :param penstock_conn_id: a connection of type ``penstock`` (templated).
    :return: the connector's status: ``{"name", "connector": {"state"}, "tasks": […]}``;
        None after ``delete``.
    :raises ValueError: an unknown action, or ``config`` with another than ``configure``.
    :raises AirflowException: no answer, not done in ``wait_seconds``, FAILED; killed.
    :raises AirflowFailException: the daemon says that the request is wrong: no retry.
    """

    template_fields: Sequence[str] = (
        "connector", "action", "config", "penstock_conn_id",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"config": "json"}
    operator_extra_links = (links.StatusPageLink(),)
    ui_color = "#efe6cf"

    _waits = False

    def __init__(
        self,
        *,
        connector: str,
        action: Action | str = "status",
        config: Mapping[str, Any] | str | None = None,
        only_failed: bool = False,
        wait_seconds: float = 60.0,
        settle_seconds: float = 3.0,
        penstock_conn_id: str = PenstockHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector = connector
        self.action = action
        self.config = config
        self.only_failed = only_failed
        self.wait_seconds = wait_seconds
        self.settle_seconds = settle_seconds
        self.penstock_conn_id = penstock_conn_id
        if isinstance(action, str) and "{" not in action:
            wrong = wrong_action(action, config)
            if wrong:
                raise ValueError(wrong)
        if settle_seconds < 0 or 0 < wait_seconds <= settle_seconds:
            raise ValueError(
                f"settle_seconds={settle_seconds!r} must be at least 0 and below "
                f"wait_seconds={wait_seconds!r}"
            )

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Do it; the connector's status then."""
        wrong = wrong_action(self.action, self.config)
        if wrong:
            raise AirflowFailException(wrong)
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
        if self.action == "status":
            return self._judged(daemon.status(self.connector))
        if self.action == "delete":
            self._delete(daemon)
            return None
        if self.action == "restart":
            daemon.restart(self.connector, only_failed=self.only_failed)
        elif self.action == "configure":
            daemon.put_config(self.connector, settings_of(self.config))
        else:
            getattr(daemon, self.action)(self.connector)
        if self.wait_seconds <= 0:
            return self._status(daemon)
        return self._wait(daemon)

    def _delete(self, daemon: Daemon) -> None:
        try:
            daemon.delete(self.connector)
        except RestError as error:
            if error.status != _NOT_FOUND:
                raise
            self.log.info("there is no connector %s", self.connector)

    def _judged(self, status: dict[str, Any]) -> dict[str, Any]:
        failed = failure(status)
        if failed:
            raise AirflowException(f"connector {self.connector}: {failed}")
        return status

    def _wait(self, daemon: Daemon) -> dict[str, Any]:
        """Until the status is one to judge by. Raises AirflowException."""
        began = since = time.monotonic()
        last: dict[str, Any] | None = None
        told = "no answer"
        while True:
            try:
                status: dict[str, Any] | None = self._status(daemon)
            except (NoAnswer, RestError) as error:
                if not passes(error):
                    raise
                status, told = None, str(error)
            now = time.monotonic()
            if status is None or status != last:
                last, since = status, now
                told = (failure(status) or summary(status)) if status else told
                self.log.info("%s", told)
            if status and self._is_done(status, now - since):
                return self._judged(status)
            if now - began > self.wait_seconds:
                raise AirflowException(
                    f"connector {self.connector} is not {self._wanted()} after "
                    f"{self.wait_seconds:g} s: {told}"
                )
            time.sleep(_POLL_SECONDS)

    def _wanted(self) -> str:
        settled = f" for {self.settle_seconds:g} s"
        wanted = " or ".join(_AFTER[self.action])
        return wanted + ("" if self.action in _UNMISTAKABLE else settled)

    def _is_done(self, status: Mapping[str, Any], held: float) -> bool:
        """Can it be judged? `held`: seconds for which it has not changed."""
        settled = held >= self.settle_seconds
        if failure(status):
            return settled
        if not any(reached(status, state) for state in _AFTER[self.action]):
            return False
        return settled or self.action in _UNMISTAKABLE

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


def wrong_action(action: object, config: object) -> str | None:
    """What is wrong with them."""
    if action not in ACTIONS:
        return f"action {action!r} is unknown: one of {', '.join(ACTIONS)}"
    if (action == "configure") != (config is not None):
        return f"config goes with action=configure, only there; action is {action}"
    return None


def settings_of(config: object) -> dict[str, Any]:
    """A connector's settings, also out of JSON text. Raises AirflowFailException."""
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except ValueError as error:
            raise AirflowFailException(f"config is no JSON: {error}") from error
    if not isinstance(config, Mapping):
        raise AirflowFailException(
            f"config must be settings by their names, not {type(config).__name__}"
        )
    return dict(config)


def passes(error: NoAnswer | RestError) -> bool:
    """May the daemon answer soon: does it start, rebalance, or hang?"""
    if isinstance(error, NoAnswer):
        return True
    return error.status == _CONFLICT or error.status not in _WRONG


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

"""Airflow's REST API, the same few calls on both lines (/api/v2 and /api/v1)."""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from tests.services.airflow import USER, Airflow

POLL_SECONDS = 0.25
CALL_SECONDS = 90.0
ENDED = ("success", "failed", "skipped", "upstream_failed")
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def moment(text: str | None) -> float:
    """An API's time as seconds since the epoch; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


@dataclass(frozen=True)
class Line:
    """A line of a task's log."""

    at: float
    text: str


@dataclass(frozen=True)
class Task:
    """Where one task of one run is."""

    dag: str
    run: str
    name: str

    @property
    def path(self) -> str:
        """In the API, below the DAG runs."""
        return f"/dags/{self.dag}/dagRuns/{quote(self.run)}/taskInstances/{self.name}"


class Rest:
    """One user's session."""

    def __init__(self, airflow: Airflow) -> None:
        """Logs in at once."""
        self.airflow = airflow
        self.version = 2 if airflow.line == "3" else 1
        if self.version == 2:
            login = {"username": USER, "password": airflow.password}
            token = self._call("POST", "/auth/token", login, {})["access_token"]
            self._login = f"Bearer {token}"
        else:
            pair = f"{USER}:{airflow.password}".encode()
            self._login = f"Basic {base64.b64encode(pair).decode()}"

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.airflow.url}{path}",
            data,
            {"Content-Type": "application/json", "Accept": "application/json", **headers},
            method=method,
        )
        try:
            with _direct.open(request, timeout=CALL_SECONDS) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            said = error.read()[:500].decode(errors="replace")
            raise AssertionError(f"{method} {path}: {error.code}: {said}") from None
        kind = answer.headers.get_content_type()
        return json.loads(text) if kind == "application/json" else text.decode()

    def ask(
        self, method: str, path: str, body: Any = None, accept: str = "application/json"
    ) -> Any:
        """The answer's JSON, or its text. Raises AssertionError when it is refused."""
        head = {"Authorization": self._login, "Accept": accept}
        return self._call(method, f"/api/v{self.version}{path}", body, head)

    def wait_dag(self, dag: str, seconds: float = 90.0) -> None:
        """Until a DAG file is parsed. Raises AssertionError with what failed to."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.ask("GET", f"/dags/{dag}")
                return
            except AssertionError:
                if time.monotonic() > deadline:
                    raise AssertionError(self.ask("GET", "/importErrors")) from None
                time.sleep(5 * POLL_SECONDS)

    def dags(self) -> list[str]:
        """All DAGs that are parsed."""
        return [dag["dag_id"] for dag in self.ask("GET", "/dags")["dags"]]

    def pause(self, dag: str, paused: bool = True) -> None:
        """Pause or unpause a DAG."""
        self.ask("PATCH", f"/dags/{dag}", {"is_paused": paused})

    def trigger(self, dag: str) -> str:
        """A new run; its id."""
        body: dict[str, Any] = {"dag_run_id": f"run-{uuid.uuid4().hex[:8]}", "conf": {}}
        if self.version == 2:
            body["logical_date"] = None
        return str(self.ask("POST", f"/dags/{dag}/dagRuns", body)["dag_run_id"])

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """A DAG's runs, oldest first."""
        found = self.ask("GET", f"/dags/{dag}/dagRuns")["dag_runs"]
        return sorted(found, key=lambda run: str(run["start_date"] or "9"))

    def task(self, task: Task) -> dict[str, Any]:
        """A task as it is now."""
        return dict(self.ask("GET", task.path))

    def wait(
        self, task: Task, states: Iterable[str] = ENDED, seconds: float = 60.0
    ) -> dict[str, Any]:
        """Until a task is in one of these states. Raises AssertionError."""
        wanted, deadline = set(states), time.monotonic() + seconds
        while True:
            now = self.task(task)
            if now["state"] in wanted:
                return now
            if time.monotonic() > deadline:
                tail = " | ".join(line.text for line in self.log(task)[-20:])
                raise AssertionError(
                    f"{task.name} of {task.dag} is {now['state']}, not {wanted}: {tail}"
                )
            time.sleep(POLL_SECONDS)

    def wait_run(self, dag: str, run: str, seconds: float = 90.0) -> str:
        """Until a run has ended; its state."""
        deadline = time.monotonic() + seconds
        path = f"/dags/{dag}/dagRuns/{quote(run)}"
        while time.monotonic() < deadline:
            state = str(self.ask("GET", path)["state"])
            if state in ENDED:
                return state
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"run {run} of {dag} is still {state}")

    def tries(self, task: Task) -> dict[int, dict[str, Any]]:
        """All tries of a task by their numbers."""
        found = self.ask("GET", f"{task.path}/tries")["task_instances"]
        return {row["try_number"]: row for row in found}

    def mark_failed(self, task: Task) -> None:
        """What the button in the UI does."""
        body: dict[str, Any] = {"new_state": "failed"}
        if self.version == 1:
            body["dry_run"] = False
        self.ask("PATCH", task.path, body)

    def clear(self, task: Task) -> None:
        """Let a failed task run again."""
        body = {
            "dry_run": False,
            "dag_run_id": task.run,
            "task_ids": [task.name],
            "only_failed": True,
            "reset_dag_runs": True,
        }
        self.ask("POST", f"/dags/{task.dag}/clearTaskInstances", body)

    def result(self, task: Task) -> Any:
        """What a task returned."""
        value = self.ask("GET", f"{task.path}/xcomEntries/return_value")["value"]
        return parsed(value) if isinstance(value, str) else value

    def log(self, task: Task, number: int = 0) -> list[Line]:
        """The log of a try (0: the newest), with times."""
        number = number or int(self.task(task)["try_number"] or 1)
        path = f"{task.path}/logs/{number}?full_content=true"
        if self.version == 1:
            return plain_lines(str(self.ask("GET", path, accept="text/plain")))
        rows = self.ask("GET", path)["content"]
        return [
            Line(moment(row.get("timestamp")), str(row.get("event", "")))
            for row in rows
            if isinstance(row, dict)
        ]

    def wait_log(self, task: Task, pattern: str, seconds: float = 60.0) -> Line:
        """Until a line of the newest try's log matches. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while True:
            lines = self.log(task) if self.task(task)["state"] else []
            found = next((one for one in lines if re.search(pattern, one.text)), None)
            if found is not None:
                return found
            if time.monotonic() > deadline:
                tail = " | ".join(line.text for line in lines[-10:])
                raise AssertionError(f"no {pattern!r} in the log of {task}: {tail}")
            time.sleep(2 * POLL_SECONDS)


def parsed(text: str) -> Any:
    """An XCom as Airflow 2 shows it: JSON, or a Python literal."""
    try:
        return json.loads(text)
    except ValueError:
        import ast

        return ast.literal_eval(text)


def plain_lines(text: str) -> list[Line]:
    """Airflow 2's log: `[2026-01-01T00:00:00.000+0000] {job.py:1} INFO - text`."""
    pattern = r"^\[(\d{4}-[^\]]+)\] \{[^}]*\} [A-Z]+ - (.*)$"
    found = re.findall(pattern, text, re.MULTILINE)
    return [Line(datetime.fromisoformat(at).timestamp(), what) for at, what in found]

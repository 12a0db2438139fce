"""A plain HTTP client, and what the tests of REST share."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.support import Daemon


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass(frozen=True)
class Answer:
    """Status, headers and body of one answer."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body; None when it is empty."""
        return json.loads(self.text) if self.text else None


class Rest:
    """One daemon's REST interface."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """Ask; a str body is sent as it is, anything else as JSON."""
        data = body.encode() if isinstance(body, str) else None
        if body is not None and data is None:
            data = json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.base}{path}", data=data, method=method, headers=headers or {}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as got:
                return Answer(got.status, dict(got.headers), got.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read().decode())

    def states(self, name: str) -> list[str]:
        """The state of the connector, then those of its tasks."""
        return self.states_of(name, {})

    def states_of(self, name: str, headers: dict[str, str]) -> list[str]:
        """Likewise, with these headers."""
        status = self("GET", f"/connectors/{name}/status", headers=headers).json
        tasks = [task["state"] for task in status["tasks"]]
        return [status["connector"]["state"], *tasks]


def serving(daemon: Daemon) -> Rest:
    """The daemon's interface, once it says that it listens."""
    found = daemon.wait_log(r"REST listens on https?://127\.0\.0\.1:(\d+)")
    assert isinstance(found, re.Match)
    return Rest(int(found.group(1)))

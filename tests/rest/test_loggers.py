"""Levels of the log, for each module, while the daemon runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import DaemonFactory
from tests.integration.landing import until
from tests.rest.client import serving

pytestmark = [pytest.mark.timeout(120)]


def test_a_module_has_a_level_of_its_own(daemons: DaemonFactory, tmp_path: Path) -> None:
    daemon = daemons(
        worker={
            "listeners": "http://127.0.0.1:0",
            "config.storage.dir": tmp_path / "connectors",
            "log.level.store": "error",
        }
    )
    rest = serving(daemon)
    loggers = rest("GET", "/admin/loggers").json
    assert set(loggers) == {"root", "store"}
    assert loggers["store"]["level"] == "ERROR"
    assert rest("GET", "/admin/loggers/chain").json["level"] == "INFO"
    assert rest("PUT", "/admin/loggers/rest", {"level": "debug"}).json == ["rest"]
    changed = rest("GET", "/admin/loggers/rest").json
    assert changed["level"] == "DEBUG"
    assert changed["last_modified"] > 1_700_000_000_000
    wrong = rest("PUT", "/admin/loggers/reset", {"level": "debug"})
    assert wrong.status == 404
    assert "root, chain, daemon" in wrong.json["message"]
    # The root's level goes down to all, and the answer names them.
    reset = rest("PUT", "/admin/loggers/root", {"level": "WARN"}).json
    assert reset == ["root", "rest", "store"]
    assert set(rest("GET", "/admin/loggers").json) == {"root"}
    assert rest("GET", "/admin/loggers/store").json["level"] == "WARN"
    # What is written follows: INFO lines of the daemon are silent now.
    assert rest("PUT", "/admin/loggers/daemon", {"level": "INFO"}).status == 200
    assert daemon.term() == 0
    until(lambda: "stopping: landing" in daemon.log, "the daemon's own line")

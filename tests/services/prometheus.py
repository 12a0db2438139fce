"""A real Prometheus that scrapes one daemon, and promtool."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.services import install
from tests.services.process import free_port
from tests.services.service import Service

HOST = "127.0.0.1"
CONFIG = """\
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: ["{rules}"]
scrape_configs:
  - job_name: penstock
    static_configs:
      - targets: ["{target}"]
"""


def promtool(*args: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool; `text` is its standard input."""
    program = install.prometheus_folder() / "promtool"
    return subprocess.run(
        [program, *args], input=text, capture_output=True, text=True, check=False
    )


class Prometheus(Service):
    """Scrapes `target` (host:port) every second, and evaluates a file of rules."""

    def __init__(self, target: str, rules: Path) -> None:
        """Nothing is started yet."""
        super().__init__("prometheus", None)
        self.port = free_port()
        self._config = self.directory / "prometheus.yml"
        self._config.write_text(CONFIG.format(target=target, rules=rules))

    def _get(self, path: str, **query: str) -> Any:
        url = f"http://{HOST}:{self.port}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.loads(answer.read())

    def _answers(self) -> bool:
        try:
            self._get("/api/v1/status/buildinfo")
        except (OSError, urllib.error.URLError):
            return False
        return True

    def start(self, timeout: float = 60.0) -> Prometheus:
        """Start the server and wait until it answers. Raises ServiceError."""
        argv = [
            str(install.prometheus_folder() / "prometheus"),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self.directory}/data",
            f"--web.listen-address={HOST}:{self.port}",
        ]
        self._launch(argv, self._answers, timeout)
        return self

    def query(self, text: str) -> list[Any]:
        """The samples of an instant query."""
        return list(self._get("/api/v1/query", query=text)["data"]["result"])

    def rules(self) -> list[Any]:
        """All rules with their state."""
        groups = self._get("/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

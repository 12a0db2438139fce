"""A real Kafka Connect worker, standalone, with the file connectors that come with it.

What speaks Connect's REST is tested against it: its clients must work with penstockd,
and what is written for penstockd with Connect.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from tests.services import cache, install
from tests.services.kafka import _JVM, _LOG4J, HOST, _properties
from tests.services.process import free_port
from tests.services.service import Service

SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector"
_POM = Path(__file__).resolve().parent / "connect-pom.xml"
_STRINGS = "org.apache.kafka.connect.storage.StringConverter"


def _fetch(folder: Path) -> None:
    mvn = install._program("mvn", "maven")
    install._say(f"fetching Kafka Connect {install.KAFKA_VERSION}")
    install._run(
        "mvn (Connect's jars)",
        [
            mvn, "-B", "-q", "-f", str(_POM), install.MAVEN_GOAL,
            f"-Dkafka.version={install.KAFKA_VERSION}", f"-DoutputDirectory={folder}",
        ],
    )  # fmt: skip


def jars() -> Path:
    """The folder with the worker's jars, fetched if need be."""
    return cache.ensure(f"connect-{install.KAFKA_VERSION}", _fetch)


class Connect(Service):
    """A worker of a broker; connectors come by its REST."""

    def __init__(self, bootstrap: str, *, directory: Path | None = None) -> None:
        """Nothing is started yet."""
        super().__init__("connect", directory)
        self.port = free_port()
        self.bootstrap = bootstrap

    @property
    def url(self) -> str:
        """`http://host:port` of the REST."""
        return f"http://{HOST}:{self.port}"

    def answers(self) -> bool:
        """True when the worker lists its connectors."""
        try:
            with urllib.request.urlopen(f"{self.url}/connectors", timeout=2) as answer:
                return isinstance(json.load(answer), list)
        except (OSError, ValueError, urllib.error.URLError):
            return False

    def start(self, timeout: float = 90.0) -> Connect:
        """Start the worker and wait until it answers. Raises ServiceError."""
        folder = jars()
        settings = {
            "bootstrap.servers": self.bootstrap,
            "listeners": self.url,
            "key.converter": _STRINGS,
            "value.converter": _STRINGS,
            "offset.storage.file.filename": str(self.directory / "offsets"),
            "offset.flush.interval.ms": "500",
            "plugin.discovery": "service_load",
            "plugin.path": str(folder),
        }
        path = self.directory / "connect.properties"
        path.write_text(_properties(settings))
        main = "org.apache.kafka.connect.cli.ConnectStandalone"
        argv = [
            install.java(), *_JVM, f"-Dlog4j.configuration=file:{_LOG4J}",
            "-cp", f"{folder}/*", main, str(path),
        ]  # fmt: skip
        self._launch(argv, self.answers, timeout)
        return self

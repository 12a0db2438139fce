"""REST under TSan: threads of clients change connectors while records flow; no report.

What they ask is anything, what they are answered is never a 500; then one connector is
made for good, and all records are in its bucket, each once.
"""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BucketFactory, DaemonFactory, TopicFactory
from tests.integration.landing import FAST_GROUP, load, sink, until, wait_committed
from tests.rest.client import Rest, serving
from tests.services.minio import Minio
from tests.support import KafkaClient, audit
from tests.tsan.test_tsan_worker import BUILD, _built, reported, tsan

PARTITIONS, CLIENTS, STEPS, NAMES = 4, 4, 40, 3
ASKED = [
    ("PUT", "/pause"), ("PUT", "/resume"), ("PUT", "/stop"),
    ("POST", "/restart?includeTasks=true"), ("POST", "/restart?onlyFailed=true"),
    ("POST", "/tasks/0/restart"), ("PUT", "/topics/reset"), ("GET", "/status"),
    ("GET", "/config"), ("GET", "/tasks"), ("GET", "/offsets"), ("GET", "/topics"),
]  # fmt: skip
ALL = ["/", "/health", "/ready", "/connectors?expand=status&expand=info",
       "/connector-plugins", "/admin/loggers"]  # fmt: skip

__all__ = ["_built"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Client(threading.Thread):
    """One that asks for changes at random; `failed` are the answers that must not be."""

    def __init__(self, rest: Rest, configs: list[dict[str, Any]], seed: int) -> None:
        super().__init__(daemon=True)
        self.rest, self.configs = rest, configs
        self.random = random.Random(seed)
        self.failed: list[str] = []

    def run(self) -> None:
        """All steps."""
        for _ in range(STEPS):
            method, path, body = self._step()
            try:
                answer = self.rest(method, path, body)
            except OSError as error:
                self.failed.append(f"{method} {path}: {error}")
                return
            if answer.status >= 500 and path != "/ready":
                self.failed.append(f"{method} {path}: {answer}")

    def _step(self) -> tuple[str, str, Any]:
        config = self.random.choice(self.configs)
        path = f"/connectors/{config['name']}"
        kind = self.random.randrange(10)
        if kind < 2:
            return "POST", "/connectors", {"name": config["name"], "config": config}
        if kind == 2:
            tasks = {**config, "tasks.max": self.random.randrange(1, 3)}
            return "PUT", f"{path}/config", tasks
        if kind == 3:
            return "DELETE", path, None
        if kind == 4:
            return "GET", self.random.choice(ALL), None
        method, rest = self.random.choice(ASKED)
        return method, path + rest, None


def test_clients_change_connectors_while_records_flow(
    daemons: DaemonFactory,
    topics: TopicFactory,
    buckets: BucketFactory,
    client: KafkaClient,
    minio: Minio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PENSTOCKD", str(BUILD / "penstockd"))
    topic, bucket, reports = topics(PARTITIONS), buckets(), tmp_path / "tsan"
    worker = {**FAST_GROUP, "buffer.memory": "8m", "listeners": "http://127.0.0.1:0",
              "config.storage.dir": tmp_path / "connectors"}  # fmt: skip
    daemon = daemons(worker=worker, env=tsan(reports))
    rest = serving(daemon)
    keys = {"aws__access__key__id": minio.access_key,
            "aws__secret__access__key": minio.secret_key}  # fmt: skip
    configs = [
        sink(topic, minio.endpoint, bucket.name, name=f"c{number}",
             topics__dir=f"dir{number}", **keys)
        for number in range(NAMES)
    ]  # fmt: skip
    clients = [Client(rest, configs, seed) for seed in range(CLIENTS)]
    with load(client, topic, PARTITIONS) as producing:
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        assert [line for one in clients for line in one.failed] == []
        assert rest("PUT", "/connectors/c0/config", configs[0]).status in (200, 201)
        assert rest("PUT", "/connectors/c0/resume").status == 202
        until(lambda: rest.states("c0") == ["RUNNING"] * 2, "c0 runs")
        records = producing.stop()
    wait_committed(client, topic, len(records), group="connect-c0", daemon=daemon)
    assert daemon.term() == 0, reported(reports) or daemon.log[-3000:]
    assert reported(reports) == ""
    audit(topic, bucket, client, records=records, group="connect-c0", prefix="dir0")

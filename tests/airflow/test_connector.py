"""PenstockHook and ConnectorOperator against a real Kafka Connect worker."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from penstock_airflow.hooks.penstock import Daemon, PenstockHook, RestError, base_url
from penstock_airflow.operators.connector import ConnectorOperator
from tests.airflow.conftest import RunDag, connection
from tests.conftest import TopicFactory
from tests.services import Kafka
from tests.services.connect import SINK, Connect, jars
from tests.support import KafkaClient

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def connect(kafka: Kafka) -> Iterator[Connect]:
    """A worker of the session's broker."""
    with Connect(kafka.bootstrap) as worker:
        yield worker


@pytest.fixture
def penstock_default(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection to it."""
    text = connection(
        conn_type="penstock", host=HOST, port=connect.port, extra={"timeout": 5}
    )
    monkeypatch.setenv("AIRFLOW_CONN_PENSTOCK_DEFAULT", text)


def sink(name: str, topic: str, folder: Path) -> dict[str, Any]:
    """Settings of a file sink."""
    return {
        "name": name,
        "connector.class": SINK,
        "topics": topic,
        "file": str(folder / "out"),
        "consumer.override.auto.offset.reset": "earliest",
    }


jars()  # Maven may take its time: not on a test's clock


@pytest.mark.usefixtures("penstock_default")
def test_a_connectors_life_in_a_dag(
    run_dag: RunDag, topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(1)
    client.produce(topic, ["a", "b"])

    def build() -> None:
        def step(action: Any, **more: Any) -> ConnectorOperator:
            return ConnectorOperator(
                task_id=action, connector=topic, action=action, **more
            )

        config = sink(topic, topic, tmp_path)
        (
            step("configure", config=config)
            >> step("pause")
            >> step("resume")
            >> step("restart")
            >> step("stop")
            >> step("status")
            >> step("delete")
        )

    run = run_dag(build)
    assert set(run.states.values()) == {"success"}
    states = {
        task: run.results[task]["connector"]["state"]
        for task in ("configure", "pause", "resume", "restart", "stop", "status")
    }
    assert states == {
        "configure": "RUNNING", "pause": "PAUSED", "resume": "RUNNING",
        "restart": "RUNNING", "stop": "STOPPED", "status": "STOPPED",
    }  # fmt: skip
    assert run.results["pause"]["tasks"][0]["state"] == "PAUSED"
    with PenstockHook().session() as daemon:
        assert topic not in daemon.connectors()


@pytest.mark.usefixtures("penstock_default")
def test_what_the_hook_reads(
    topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(1)
    client.produce(topic, ["a", "b", "c"])
    ok, text = PenstockHook().test_connection()
    assert ok
    assert text.startswith("version 3.9.1, Kafka cluster ")
    with PenstockHook().session() as daemon:
        daemon.put_config(topic, sink(topic, topic, tmp_path))
        assert daemon.config(topic)["topics"] == topic
        deadline = time.monotonic() + 30
        while not daemon.offsets(topic) and time.monotonic() < deadline:
            time.sleep(0.1)
        (offset,) = daemon.offsets(topic)
        assert offset["offset"] == {"kafka_offset": 3}
        daemon.delete(topic)
        with pytest.raises(RestError, match=r"404: .*not found") as caught:
            daemon.delete(topic)
        assert caught.value.status == 404


@pytest.mark.usefixtures("penstock_default")
def test_a_failed_task_and_wrong_settings(
    topics: TopicFactory, client: KafkaClient, tmp_path: Path
) -> None:
    topic = topics(1)
    client.produce(topic, ["a"])
    nowhere = sink(topic, topic, tmp_path / "no" / "such" / "folder")
    context: Any = {"ti": _Ti()}
    task = ConnectorOperator(
        task_id="t", connector=topic, action="configure", config=nowhere
    )
    with pytest.raises(AirflowException, match=r"task 0 FAILED: .*Exception"):
        task.execute(context)
    with PenstockHook().session() as daemon:
        daemon.delete(topic)
    wrong = ConnectorOperator(
        task_id="w", connector=topic, action="configure",
        config={"connector.class": SINK, "tasks.max": 0, "topics": topic},
    )  # fmt: skip
    with pytest.raises(AirflowFailException, match=r"tasks\.max"):
        wrong.execute(context)
    with pytest.raises(AirflowFailException, match="config goes with"):
        ConnectorOperator(task_id="c", connector="c", action="configure").execute(context)


class _Ti:
    """Takes the link's XCom."""

    def xcom_push(self, key: str, value: object) -> None:
        self.pushed = (key, value)


def test_a_kill_ends_the_wait(run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that accepts and never answers."""
    before = signal.getsignal(signal.SIGTERM)
    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        text = connection(conn_type="penstock", host=HOST, port=port)
        monkeypatch.setenv("AIRFLOW_CONN_PENSTOCK_DEFAULT", text)
        sent, ended = list[float](), list[float]()
        held = list[socket.socket]()

        def kill() -> None:
            held.append(silent.accept()[0])
            time.sleep(0.5)
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=kill, daemon=True).start()
        run = run_dag(
            lambda: ConnectorOperator(
                task_id="status",
                connector="c",
                on_failure_callback=lambda context: ended.append(time.monotonic()),
            )
        )
    signal.signal(signal.SIGTERM, before)
    assert run.states == {"status": "failed"}
    took = ended[0] - sent[0]
    print(f"SIGTERM in a request: failed after {took:.2f} s")
    assert took < 4


class Huge(http.server.BaseHTTPRequestHandler):
    """Answers with more than anyone needs, or with something that is no JSON."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        if self.path == "/connectors":
            for _ in range(64):
                self.wfile.write(b" " * 1_000_000)
        else:
            self.wfile.write(b"<html>it works</html>")

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_a_server_that_is_no_daemon() -> None:
    server = http.server.ThreadingHTTPServer((HOST, 0), Huge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    daemon = Daemon(f"http://{HOST}:{server.server_port}", timeout=5)
    try:
        with pytest.raises(AirflowException, match="over 8 MiB"):
            daemon.connectors()
        with pytest.raises(AirflowException, match="does not speak"):
            daemon.info()
    finally:
        daemon.close()
        server.shutdown()
        server.server_close()
    with pytest.raises(AirflowException, match="GET http://127"):
        Daemon(f"http://{HOST}:1", timeout=1).info()


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        ((None, "h", None), "http://h:8083"),
        (("https", "h", 443), "https://h:443"),
        (("", "https://h:1", None), "https://h:1"),
        ((None, "::1", 80), "http://[::1]:80"),
    ],
)
def test_addresses(parts: tuple[Any, Any, Any], url: str) -> None:
    assert base_url(*parts) == url
    with pytest.raises(AirflowFailException, match="http or https"):
        base_url("ftp", "h", 1)
